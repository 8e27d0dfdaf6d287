"""Images on other grids."""

from __future__ import annotations

from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainsieve.engine.domain import VoxelGrid, apply_affine, corner_voxels
from brainsieve.engine.source import open_source
from brainsieve.engine.source.base import Source
from brainsieve.engine.source.values import scaled
from brainsieve.engine.spatial.resample import SPLINE_ORDERS, resample
from brainsieve.exceptions import BoundingBoxError
from brainsieve.image.loading import check_niimg, get_data, grid_of, new_img_like
from brainsieve.image.writing import SampleWriter
from brainsieve.logs import warn

# How often voxels that are not finite are filled from their neighbours before splines are fitted.
N_FILLS = 2


def resample_img(
    img: Any,
    target_affine: Any = None,
    target_shape: Any = None,
    interpolation: str = "continuous",
    copy: bool = True,
    order: str = "F",
    clip: bool = True,
    fill_value: float = 0.0,
    force_resample: bool = True,
    copy_header: bool = True,
    *,
    output_file: Any = None,
) -> Any:
    """Resample an image to another affine and shape, volume by volume.

    Parameters
    ----------
    img : image-like
        3-D or 4-D.
    target_affine : array of shape (3, 3) or (4, 4), optional
        (3, 3): the axes; where the grid starts and its shape follow from the image. Default: the image's.
    target_shape : tuple of 3 int, optional
        Needs a `target_affine` of shape (4, 4). Default: up to the last voxel of the image.
    interpolation : {"continuous", "linear", "nearest"}, default="continuous"
        Cubic B-splines, linear, or the nearest voxel.
    copy : bool, default=True
        False: where nothing is to be done, give the image itself.
    order : {"F", "C"}, default="F"
        Memory order of the data of the result.
    clip : bool, default=True
        Clip to the range of the whole image, 0 included (splines overshoot).
    fill_value : float, default=0.0
        Outside the image.
    force_resample : bool, default=True
        False: shifts by whole voxels are copied, without interpolation.
    copy_header : bool, default=True
        Keep the header of the image (its dtype follows the data).
    output_file : path, optional
        Write the result there, volume by volume, and give an image that reads from it.

    Returns
    -------
    img : nibabel image
        Floats keep their dtype. Integers become floats, float32 up to 32 bits, unless `interpolation` is
        "nearest".

    Raises
    ------
    ValueError
        For an unknown interpolation, a shape without a 4 × 4 affine, or a singular affine.
    BoundingBoxError
        If image and target do not overlap.
    """
    if interpolation not in SPLINE_ORDERS:
        raise ValueError(
            f"interpolation must be one of {', '.join(map(repr, SPLINE_ORDERS))}; {interpolation!r} was given."
        )
    if target_affine is None and target_shape is not None:
        raise ValueError(
            "target_shape needs a target_affine of shape (4, 4), which says where the grid starts."
        )
    source = open_source(img)
    grid = grid_of(source)
    target = grid if target_affine is None else target_grid(grid, target_affine, target_shape)
    if target.shape == grid.shape and np.allclose(target.affine, grid.affine):
        if output_file is not None:
            with SampleWriter(source, grid, source.value_dtype, output_file) as writer:
                for block in source.blocks():
                    writer.put(block.samples, scaled(block.values, source))
            return writer.image
        given = check_niimg(img)
        return new_img_like(given, np.array(get_data(given), order=order)) if copy else given  # type: ignore[call-overload]
    resampler = Resampler(source, target, interpolation, clip, fill_value, force_resample)
    with SampleWriter(source, target, resampler.dtype, output_file) as writer:
        for block in source.blocks():
            writer.put(block.samples, resampler.apply(scaled(block.values, source)))
    made = writer.image
    if output_file is not None:
        return made
    header = made.header if copy_header else None
    return nib.Nifti1Image(
        np.asarray(made.dataobj, order=order), target.affine, header, dtype=resampler.dtype
    )


class Resampler:
    """Resampling of the volumes of a source, with the clip and the care for voxels that are not finite."""

    def __init__(
        self,
        source: Source,
        target: VoxelGrid,
        interpolation: str,
        clip: bool,
        fill_value: float,
        force_resample: bool,
    ) -> None:
        grid = grid_of(source)
        self._grid, self._target = grid, target
        self._order = SPLINE_ORDERS[interpolation]
        self._fill_value = fill_value
        shift = whole_shift(grid, target)
        if shift is not None and not force_resample:
            interpolation, self._order = "nearest", 0
        self.operator = resample(grid, target, interpolation)
        self.dtype = resampled_dtype(source.value_dtype, self._order)
        self._limits = value_range(source) if clip and self._order > 1 else None
        self._outside: NDArray[np.bool_] | None = None
        if fill_value != 0:
            self._outside = resample(grid, target, "nearest").forward(np.ones((1, grid.n_points)))[0] == 0

    def apply(self, values: NDArray) -> NDArray:
        """Volumes (n_samples, n_points) on the target, in `dtype`."""
        finite = np.isfinite(values)
        if not finite.all():
            values, lost = self._filled(values, finite)
        else:
            lost = None
        moved = self.operator.forward(values)
        if self._limits is not None:
            np.clip(moved, *self._limits, out=moved)
        if lost is not None:
            moved[lost] = np.nan
        if self._outside is not None:
            moved[:, self._outside] = self._fill_value
        return moved.astype(self.dtype, copy=False)

    def _filled(self, values: NDArray, finite: NDArray[np.bool_]) -> tuple[NDArray, NDArray[np.bool_]]:
        """Voxels that are not finite filled from their neighbours, and the targets that come from them."""
        warn(
            f"{int((~finite).any(axis=0).sum())} voxels are NaN or infinite; they are resampled as NaN.",
        )
        rows = []
        for row, good in zip(values, finite, strict=True):
            volume, known = self._grid.unflatten(row.astype(np.float64)), self._grid.unflatten(good)
            rows.append(self._grid.flatten(fill_from_neighbours(volume, known)))
        nearest = resample(self._grid, self._target, "nearest")
        lost = nearest.forward((~finite).astype(np.float64)) > 0.5
        return np.stack(rows).astype(values.dtype if values.dtype.kind == "f" else np.float64), lost


def fill_from_neighbours(volume: NDArray, known: NDArray[np.bool_]) -> NDArray:
    """Unknown voxels as the mean of their known neighbours (by faces), grown twice; 0 farther away."""
    volume = np.where(known, volume, 0.0)
    cross = ndimage.generate_binary_structure(3, 1).astype(np.float64)
    for _ in range(N_FILLS):
        weights = ndimage.convolve(known.astype(np.float64), cross, mode="constant")
        sums = ndimage.convolve(volume, cross, mode="constant")
        new = ~known & (weights > 0.5)
        volume[new] = sums[new] / weights[new]
        known = known | new
    return volume


def value_range(source: Source) -> tuple[float, float]:
    """Smallest and largest finite value of a source, 0 included."""
    low, high = 0.0, 0.0
    for block in source.blocks():
        values = block.values
        if values.dtype.kind == "f":
            values = values[np.isfinite(values)]
        if values.size:
            ends = np.array([values.min(), values.max()], dtype=np.float64) * source.slope + source.inter
            low, high = min(low, *ends), max(high, *ends)
    return low, high


def resampled_dtype(dtype: np.dtype, order: int) -> np.dtype:
    """The dtype of resampled values: interpolation makes floats of integers."""
    if order == 0 or dtype.kind == "f":
        return dtype
    return np.dtype(np.float64 if dtype.itemsize > 4 else np.float32)


def target_grid(grid: VoxelGrid, target_affine: Any, target_shape: Any) -> VoxelGrid:
    """The grid that an affine (3, 3) or (4, 4) and maybe a shape describe for an image."""
    affine = np.array(target_affine, dtype=np.float64)
    if affine.shape not in ((3, 3), (4, 4)):
        raise ValueError(f"target_affine must have shape (3, 3) or (4, 4); it has {affine.shape}.")
    if affine.shape == (3, 3):
        if target_shape is not None:
            raise ValueError(
                "target_shape needs a target_affine of shape (4, 4), which says where the grid starts; "
                "it has shape (3, 3)."
            )
        return _around(grid, affine)
    if target_shape is not None:
        shape = tuple(target_shape)
        if len(shape) != 3:
            raise ValueError(f"target_shape must be three sizes; {target_shape!r} was given.")
        return VoxelGrid(shape, affine)
    last = apply_affine(
        np.linalg.inv(VoxelGrid((1, 1, 1), affine).affine),
        apply_affine(grid.affine, corner_voxels(grid.shape)),
    )
    ends = last.max(axis=0)
    if (ends < 0).any():
        raise BoundingBoxError(
            "The image does not overlap the target: all of it lies before the origin of target_affine "
            f"(largest voxel indices there: {np.round(ends, 1).tolist()})."
        )
    return VoxelGrid(tuple(int(n) for n in np.ceil(ends) + 1), affine)  # type: ignore[arg-type]


def _around(grid: VoxelGrid, axes: NDArray) -> VoxelGrid:
    """The smallest grid with some axes that holds an image."""
    affine = np.eye(4)
    affine[:3, :3] = axes
    VoxelGrid((1, 1, 1), affine)  # its checks
    corners = apply_affine(grid.affine, corner_voxels(grid.shape)) @ np.linalg.inv(axes).T
    low, high = corners.min(axis=0), corners.max(axis=0)
    affine[:3, 3] = axes @ low
    return VoxelGrid(tuple(int(n) for n in np.ceil(high - low) + 1), affine)  # type: ignore[arg-type]


def whole_shift(grid: VoxelGrid, target: VoxelGrid) -> NDArray | None:
    """The shift in voxels between grids that differ by nothing else and in whole voxels, or None."""
    matrix = np.linalg.inv(grid.affine) @ target.affine
    shift = matrix[:3, 3]
    if np.allclose(matrix[:3, :3], np.eye(3)) and np.allclose(shift, np.round(shift)):
        return np.round(shift)
    return None


def resample_to_img(
    source_img: Any,
    target_img: Any,
    interpolation: str = "continuous",
    copy: bool = True,
    order: str = "F",
    clip: bool = False,
    fill_value: float = 0.0,
    force_resample: bool = True,
    copy_header: bool = True,
    *,
    output_file: Any = None,
) -> Any:
    """Resample an image to the grid of another.

    Parameters
    ----------
    source_img : image-like
    target_img : image-like
        Only its grid is used.
    interpolation, copy, order, clip, fill_value, force_resample, copy_header, output_file
        As in `resample_img`, but `clip` is False by default.

    Returns
    -------
    img : nibabel image
    """
    target = grid_of(open_source(target_img))
    return resample_img(
        source_img,
        target_affine=target.affine,
        target_shape=target.shape,
        interpolation=interpolation,
        copy=copy,
        order=order,
        clip=clip,
        fill_value=fill_value,
        force_resample=force_resample,
        copy_header=copy_header,
        output_file=output_file,
    )


def reorder_img(img: Any, resample: str | None = None, copy_header: bool = True) -> Any:
    """Turn an image so that its axes run right, anterior and superior, and its affine is diagonal.

    Parameters
    ----------
    img : image-like
    resample : {"continuous", "linear", "nearest"}, optional
        How to interpolate an image that is rotated. Default: such an image is an error.
    copy_header : bool, default=True

    Returns
    -------
    img : nibabel image

    Raises
    ------
    ValueError
        If the affine has a rotation and `resample` is None.
    """
    img = check_niimg(img)
    axes = img.affine[:3, :3]
    rotated = (np.abs(axes) > 1e-8 * np.abs(axes).max()).sum(axis=0).max() > 1
    if rotated:
        if resample is None:
            raise ValueError(
                "The image is rotated: its axes are oblique to the world's. Say how to interpolate: "
                "resample='continuous', 'linear' or 'nearest'."
            )
        # Sheared axes (a rotation of unequal sizes) keep their volume so.
        sizes = np.abs(np.diag(np.linalg.qr(axes)[1]))
        return resample_img(img, np.diag(sizes), interpolation=resample, copy_header=copy_header)
    turned = nib.as_closest_canonical(img)
    return new_img_like(turned, np.asanyarray(turned.dataobj), turned.affine, copy_header)


def coord_transform(x: Any, y: Any, z: Any, affine: Any) -> tuple[Any, Any, Any]:
    """Apply an affine to coordinates.

    Parameters
    ----------
    x, y, z : number or array
        All of one shape.
    affine : array of shape (4, 4)

    Returns
    -------
    x, y, z : as given
    """
    points = np.stack(np.broadcast_arrays(np.asarray(x, float), y, z), axis=-1)
    moved = apply_affine(np.asarray(affine, dtype=np.float64), points)
    if moved.ndim == 1:
        return tuple(float(v) for v in moved)  # type: ignore[return-value]
    return moved[..., 0], moved[..., 1], moved[..., 2]


def get_bounds(shape: Any, affine: Any) -> list[tuple[float, float]]:
    """World coordinates that the voxel centres of a grid span.

    Parameters
    ----------
    shape : tuple of int
        The first three count.
    affine : array of shape (4, 4)

    Returns
    -------
    bounds : list of three (lowest, highest), in mm
    """
    ends = np.array([[0.0, n - 1.0] for n in shape[:3]])
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
    moved = apply_affine(np.asarray(affine, dtype=np.float64), corners)
    return [(float(low), float(high)) for low, high in zip(moved.min(axis=0), moved.max(axis=0), strict=True)]
