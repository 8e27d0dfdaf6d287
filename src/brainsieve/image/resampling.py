"""Images on other grids."""

from __future__ import annotations

import numbers
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from brainsieve.checks import a_bool, one_of
from brainsieve.engine.domain import VoxelGrid, apply_affine, checked_affine, corner_voxels
from brainsieve.engine.source import value_range
from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.resample import SPLINE_ORDERS, resample
from brainsieve.exceptions import BoundingBoxError, ParameterError
from brainsieve.image.forms import VolumeForm, opened
from brainsieve.image.loading import check_niimg, get_data, new_img_like
from brainsieve.image.writing import each_sample
from brainsieve.logs import warn
from brainsieve.typing import Interpolation, MemoryOrder, NiimgsLike, PathLike

# How often voxels that are not finite are filled from their neighbours before splines are fitted.
N_FILLS = 2


def resample_img(
    img: NiimgsLike,
    target_affine: ArrayLike | None = None,
    target_shape: Sequence[int] | None = None,
    interpolation: Interpolation = "continuous",
    copy: bool = True,
    order: MemoryOrder = "F",
    clip: bool = True,
    fill_value: float = 0.0,
    force_resample: bool = True,
    copy_header: bool = True,
    *,
    output_file: PathLike | None = None,
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
    one_of(*SPLINE_ORDERS)("interpolation", interpolation)
    one_of("F", "C")("order", order)
    for name, flag in {"clip": clip, "force_resample": force_resample}.items():
        a_bool(name, flag)
    if target_affine is None and target_shape is not None:
        raise ParameterError(
            "target_shape needs a target_affine of shape (4, 4), which says where the grid starts."
        )
    if isinstance(fill_value, str) or not np.isscalar(fill_value):
        raise TypeError(f"fill_value must be a number; {fill_value!r} was given.")
    source, form = opened_volume(img)
    target = (
        form.domain
        if target_affine is None
        else target_grid(form.domain, target_affine, target_shape, 1 if output_file else source.n_samples)
    )
    _warn_of_header(form.header, source.name)
    if target.shape == form.domain.shape and np.allclose(target.affine, form.domain.affine):
        if output_file is None and not copy:
            return check_niimg(img)
        same = each_sample(source, lambda values: values, form, source.value_dtype, output_file, copy_header)
        return same if output_file is not None else _ordered(same, order)
    resampler = Resampler(source, target, interpolation, clip, fill_value, force_resample)
    moved = VolumeForm(target, form.header)
    resampled = each_sample(source, resampler.apply, moved, resampler.dtype, output_file, copy_header)
    resampler.finish(source.name)
    return resampled if output_file is not None else _ordered(resampled, order)


def _ordered(img: Any, order: str) -> Any:
    """An image whose data lie in memory in some order."""
    if order == "F":
        return img
    data = np.asarray(img.dataobj, order=order)  # type: ignore[call-overload]
    return type(img)(data, img.affine, img.header, dtype=data.dtype)


def _warn_of_header(header: Any, name: str) -> None:
    """Warn where a NIfTI header places the image nowhere for sure, or its two affines in different places."""
    if not isinstance(header, nib.Nifti1Header):
        return
    if header["sform_code"] == 0:
        warn(f"{name} has no sform in its header (its code is 0); it may not lie where it seems to.")
    elif header["qform_code"] > 0:
        # Quaternions that are none: there is nothing to compare with.
        with suppress(HeaderDataError, ValueError):
            distance = np.abs(header.get_sform() - header.get_qform()).max()
            # A tenth of a millimetre: quaternions hold no shears, and are float32.
            if distance > 0.1:
                warn(
                    f"{name}: the sform and the qform of its header disagree, by up to {distance:.3g} mm; "
                    "the sform is used."
                )


class Resampler:
    """Resampling of the volumes of a source, with the clip and the care for voxels that are not finite."""

    def __init__(
        self,
        source: Source,
        target: VoxelGrid,
        interpolation: str,
        clip: bool,
        fill_value: Any,
        force_resample: bool,
    ) -> None:
        grid = source.domain
        assert isinstance(grid, VoxelGrid)
        self._grid, self._target = grid, target
        self._order = SPLINE_ORDERS[interpolation]
        self._fill_value = fill_value
        self._two_values = TwoValues()
        shift = whole_shift(grid, target)
        if shift is not None and not force_resample:
            # Voxels fall on voxels: the nearest is the value itself, and integers stay what they are.
            interpolation, self._order = "nearest", 0
        self.operator = resample(grid, target, interpolation)
        self.dtype = resampled_dtype(source.value_dtype, self._order)
        self._limits = value_range(source) if clip and self._order > 1 else None
        self._outside: NDArray[np.bool_] | None = None
        # Operators give 0 outside, which needs no mask of what is outside.
        if fill_value != 0:
            self._outside = resample(grid, target, "nearest").forward(np.ones((1, grid.n_points)))[0] == 0

    def apply(self, values: NDArray) -> NDArray:
        """Volumes (n_samples, n_points) on the target, in `dtype`."""
        if self._order > 0:
            self._two_values.look_at(values)
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

    def finish(self, name: str) -> None:
        """Warn of what all volumes together have shown."""
        if self._two_values.is_binary:
            warn(
                f"{name} has two values, as a mask has, and is interpolated: the result has values between "
                "them. interpolation='nearest' keeps it binary."
            )

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


class TwoValues:
    """Whether all values that were looked at are two."""

    def __init__(self) -> None:
        self._found: NDArray | None = np.array([])

    def look_at(self, values: NDArray) -> None:
        # A few voxels tell most images from masks.
        for part in (values.ravel()[:: max(1, values.size // 1000)], values):
            if self._found is None:
                return
            found = np.union1d(self._found, np.unique(part))
            self._found = found if len(found) <= 2 else None

    @property
    def is_binary(self) -> bool:
        return self._found is not None and len(self._found) == 2


def resampled_dtype(dtype: np.dtype, order: int) -> np.dtype:
    """The dtype of resampled values: interpolation makes floats of integers."""
    if order == 0 or dtype.kind == "f":
        return dtype
    return np.dtype(np.float64 if dtype.itemsize > 4 else np.float32)


def opened_volume(img: Any) -> tuple[Source, VolumeForm]:
    """The source and form of what must be a volume."""
    source, form = opened(img)
    if not isinstance(form, VolumeForm):
        raise TypeError(f"{source.name} is no volume: it has {source.domain.describe()}.")
    return source, form


def target_grid(grid: VoxelGrid, target_affine: Any, target_shape: Any, n_samples: int = 1) -> VoxelGrid:
    """The grid that an affine (3, 3) or (4, 4) and maybe a shape describe for an image of so many samples.

    Raises
    ------
    TypeError, ValueError
        If they describe none, or one whose values memory cannot hold.
    """
    try:
        affine = np.array(target_affine, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"target_affine must be an array of numbers; {target_affine!r} was given.") from None
    if affine.shape not in ((3, 3), (4, 4)):
        raise ParameterError(f"target_affine must have shape (3, 3) or (4, 4); it has {affine.shape}.")
    axes_only = affine.shape == (3, 3)
    affine = checked_affine(nib.affines.from_matvec(affine) if axes_only else affine, "target_affine")
    if target_shape is None:
        shape, affine = _around(grid, affine) if axes_only else _up_to_last(grid, affine)
    elif axes_only:
        raise ParameterError(
            "target_shape needs a target_affine of shape (4, 4), which says where the grid starts; "
            "it has shape (3, 3)."
        )
    else:
        shape = _checked_shape(target_shape)
    _refuse_unholdable(shape, n_samples, "target_affine" if target_shape is None else "target_shape")
    return VoxelGrid(shape, affine)


def _checked_shape(target_shape: Any) -> tuple[int, int, int]:
    if isinstance(target_shape, str) or not np.iterable(target_shape):
        raise TypeError(f"target_shape must be three whole numbers; {target_shape!r} was given.")
    sizes = tuple(target_shape)
    if not all(isinstance(n, numbers.Integral) and not isinstance(n, bool) for n in sizes):
        raise TypeError(f"target_shape must be three whole numbers; {target_shape!r} was given.")
    if len(sizes) != 3 or min(sizes) < 1:
        raise ValueError(f"target_shape must be three positive sizes; {target_shape!r} was given.")
    return (int(sizes[0]), int(sizes[1]), int(sizes[2]))


def _refuse_unholdable(shape: tuple[int, int, int], n_samples: int, name: str) -> None:
    """Refuse a grid whose values, of 4 bytes at least, are more than the machine has memory."""
    needed = 4 * n_samples * int(np.prod(shape, dtype=object))
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not known here
        memory = 2**40
    if needed > memory:
        raise ValueError(
            f"{name} asks for {' × '.join(map(str, shape))} voxels{f' of {n_samples} samples' * (n_samples > 1)}: "
            f"{needed / 2**30:.3g} GiB, where {memory / 2**30:.3g} GiB is all there is. Is it in millimetres?"
        )


def _up_to_last(grid: VoxelGrid, affine: NDArray) -> tuple[tuple[int, int, int], NDArray]:
    """The shape of a grid that starts where its affine says and reaches the last voxel of an image."""
    last = apply_affine(np.linalg.inv(affine), apply_affine(grid.affine, corner_voxels(grid.shape)))
    ends = last.max(axis=0)
    if (ends < 0).any():
        raise BoundingBoxError(
            "The image does not overlap the target: all of it lies before the origin of target_affine "
            f"(largest voxel indices there: {np.round(ends, 1).tolist()})."
        )
    return _sizes(ends), affine


def _around(grid: VoxelGrid, affine: NDArray) -> tuple[tuple[int, int, int], NDArray]:
    """The smallest grid with the axes of an affine that holds an image: its shape and affine."""
    affine = affine.copy()
    axes = affine[:3, :3]
    corners = apply_affine(grid.affine, corner_voxels(grid.shape)) @ np.linalg.inv(axes).T
    low, high = corners.min(axis=0), corners.max(axis=0)
    affine[:3, 3] = axes @ low
    return _sizes(high - low), affine


def _sizes(last: NDArray) -> tuple[int, int, int]:
    """Sizes of a grid by the indices, maybe between voxels, of what its last voxels must reach."""
    x, y, z = (int(n) + 1 for n in np.ceil(last))
    return x, y, z


def whole_shift(grid: VoxelGrid, target: VoxelGrid) -> NDArray | None:
    """The shift in voxels between grids that differ by nothing else and in whole voxels, or None."""
    matrix = np.linalg.inv(grid.affine) @ target.affine
    shift = matrix[:3, 3]
    if np.allclose(matrix[:3, :3], np.eye(3)) and np.allclose(shift, np.round(shift)):
        return np.round(shift)
    return None


def resample_to_img(
    source_img: NiimgsLike,
    target_img: NiimgsLike,
    interpolation: Interpolation = "continuous",
    copy: bool = True,
    order: MemoryOrder = "F",
    clip: bool = False,
    fill_value: float = 0.0,
    force_resample: bool = True,
    copy_header: bool = True,
    *,
    output_file: PathLike | None = None,
) -> Any:
    """Resample an image to the grid of another.

    Parameters
    ----------
    source_img : image-like
    target_img : image-like
        Only its grid is used.
    interpolation : {"continuous", "linear", "nearest"}, default="continuous"
        Cubic B-splines, linear, or the nearest voxel.
    copy : bool, default=True
        False: where nothing is to be done, give the image itself.
    order : {"F", "C"}, default="F"
        Memory order of the data of the result.
    clip : bool, default=False
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
    """
    target = opened_volume(target_img)[1].domain
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


def reorder_img(img: NiimgsLike, resample: Interpolation | None = None, copy_header: bool = True) -> Any:
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
    given = check_niimg(img)
    axes = given.affine[:3, :3]
    rotated = (np.abs(axes) > 1e-8 * np.abs(axes).max()).sum(axis=0).max() > 1
    if rotated:
        if resample is None:
            raise ValueError(
                "The image is rotated: its axes are oblique to the world's. Say how to interpolate: "
                "resample='continuous', 'linear' or 'nearest'."
            )
        # Sheared axes (a rotation of unequal sizes) keep their volume so.
        sizes = np.abs(np.diag(np.linalg.qr(axes)[1]))
        return resample_img(given, np.diag(sizes), interpolation=resample, copy_header=copy_header)
    turned = nib.as_closest_canonical(given)
    return new_img_like(given, get_data(turned), turned.affine, copy_header)


def coord_transform(x: ArrayLike, y: ArrayLike, z: ArrayLike, affine: ArrayLike) -> tuple[Any, Any, Any]:
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
    coordinates = [np.asarray(values, dtype=np.float64) for values in (x, y, z)]
    try:
        points = np.stack(np.broadcast_arrays(*coordinates), axis=-1)
    except ValueError:
        shapes = ", ".join(str(values.shape) for values in coordinates)
        raise ValueError(f"x, y and z must have one shape; they have {shapes}.") from None
    moved = apply_affine(checked_affine(affine), points)
    if moved.ndim == 1:
        return tuple(float(v) for v in moved)  # type: ignore[return-value]
    return moved[..., 0], moved[..., 1], moved[..., 2]


def get_bounds(shape: Sequence[int], affine: ArrayLike) -> list[tuple[float, float]]:
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
    if len(shape) < 3:
        raise ValueError(f"shape must have three sizes; {tuple(shape)} was given.")
    grid = VoxelGrid((int(shape[0]), int(shape[1]), int(shape[2])), checked_affine(affine))
    corners = apply_affine(grid.affine, corner_voxels(grid.shape))
    return [(float(axis.min()), float(axis.max())) for axis in corners.T]
