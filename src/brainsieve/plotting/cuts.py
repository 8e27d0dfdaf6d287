"""Cuts: where to cut an image so that what is in it is seen."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from brainsieve.checks import a_bool, a_count, found, one_of
from brainsieve.engine.domain import VoxelGrid, apply_affine
from brainsieve.image import iter_img, resample_to_img
from brainsieve.image.masks import largest_component, read_mask
from brainsieve.logs import warn
from brainsieve.plotting.ranges import height_of
from brainsieve.plotting.slices import AXES, WorldVolume, finite_volume, world_volume
from brainsieve.typing import NiimgLike

Direction = Literal["x", "y", "z"]
# Of the sizes that are not 0: what belongs to an activation, where nobody says.
ACTIVE_PERCENTILE = 80.0
# Where more voxels of a piece than this are above its mean, the centre is that of these.
N_SMALL = 50
# Neighbours count a fifth in the filter called "fast" (`smooth_img`).
FAST = np.array([0.2, 1.0, 0.2]) / 1.4


def find_xyz_cut_coords(
    img: NiimgLike, mask_img: NiimgLike | None = None, activation_threshold: float | str | None = None
) -> list[float]:
    """Find the centre of the largest activation of a map.

    The largest piece (voxels touch by faces) of what exceeds the threshold in size is looked at; of a large one, the
    largest piece of what exceeds its mean. Its centre of mass is the point.

    Parameters
    ----------
    img : image-like
        Of one volume. What is not finite counts as 0.
    mask_img : image-like, optional
        Where to look. Taken to the grid of the image by the nearest voxel.
    activation_threshold : float or str, optional
        Size that a voxel must exceed, or a percentile of sizes such as "80%". Default: the 80th percentile of the sizes
        that are not 0.

    Returns
    -------
    coordinates : list of three float
        In mm. The origin, or the centre of a grid that the origin is not in, with a warning, for an image that is 0
        everywhere (nilearn: the corner of the grid).

    Raises
    ------
    DimensionError
        If the image has several volumes.
    ValueError
        For a threshold that is negative or no percentile, or an empty mask.
    """
    values, affine = finite_volume(img, "img")
    if mask_img is not None:
        values = np.where(_mask_on(mask_img, values.shape, affine), values, 0)
    return centre_of_activation(values, affine, activation_threshold)


def _mask_on(mask_img: Any, shape: tuple[int, ...], affine: NDArray) -> NDArray[np.bool_]:
    from nibabel import Nifti1Image

    target = Nifti1Image(np.broadcast_to(np.zeros(1, np.uint8), shape), affine)
    mask, form = read_mask(resample_to_img(mask_img, target, interpolation="nearest"))
    assert isinstance(form.domain, VoxelGrid)
    return np.asarray(form.domain.unflatten(mask))


def centre_of_activation(values: NDArray, affine: NDArray, threshold: Any = None) -> list[float]:
    """As `find_xyz_cut_coords`, of values (nx, ny, nz) on a grid."""
    sizes = np.abs(values)
    if not sizes.any():
        warn("The image is 0 everywhere; there is nothing to cut through.")
        return _origin_of(values.shape, affine)
    if threshold is None:
        height = float(np.percentile(sizes[sizes > 0], ACTIVE_PERCENTILE))
    else:
        height = height_of(threshold, values) or 0.0
    active = sizes > height
    if not active.any():
        if threshold is not None:
            warn(f"No voxel exceeds the threshold {threshold!r}; the cuts are those of the whole image.")
        active = sizes > 0
    piece = largest_component(active)
    high = piece & (sizes > sizes[piece].mean())
    if high.sum() > N_SMALL:
        piece = largest_component(high)
    return _centre_of_mass(np.where(piece, sizes, 0), affine)


def _centre_of_mass(weights: NDArray, affine: NDArray) -> list[float]:
    return [float(mm) for mm in apply_affine(affine, np.array(ndimage.center_of_mass(weights)))]


def _origin_of(shape: tuple[int, ...], affine: NDArray) -> list[float]:
    origin = apply_affine(np.linalg.inv(affine), np.zeros(3))
    last = np.array(shape) - 1
    if (origin >= 0).all() and (origin <= last).all():
        return [0.0, 0.0, 0.0]
    return [float(mm) for mm in apply_affine(affine, last / 2)]


def find_cut_slices(
    img: NiimgLike, direction: Direction = "z", n_cuts: int = 7, spacing: int | Literal["auto"] = "auto"
) -> NDArray[np.float64]:
    """Find the slices across one axis that show most of a map.

    Parameters
    ----------
    img : image-like
        Of one volume. What is not finite counts as 0. A rotated one is resampled.
    direction : {"x", "y", "z"}, default="z"
    n_cuts : int, default=7
        At least 1. More than there are slices: all of them, with a warning.
    spacing : int or "auto", default="auto"
        Distance of two cuts, in voxels. "auto": half of the distance of cuts that were spread evenly, at least 1.
        Closer ones come only where there are no others left.

    Returns
    -------
    cuts : array of shape (n_cuts,)
        In mm, ascending.

    Raises
    ------
    DimensionError, TypeError, ValueError
    """
    if direction not in AXES:
        raise ValueError(f"direction must be 'x', 'y' or 'z'; {found(direction)} was given.")
    a_count("n_cuts", n_cuts, least=1)
    return cut_slices(world_volume(img, "img"), direction, n_cuts, spacing)


def cut_slices(
    volume: WorldVolume, direction: str, n_cuts: int, spacing: int | str = "auto"
) -> NDArray[np.float64]:
    """As `find_cut_slices`, of a volume."""
    axis = AXES[direction]
    n_slices = volume.values.shape[axis]
    if n_cuts > n_slices:
        warn(f"n_cuts={n_cuts}: there are {n_slices} slices across {direction}; all of them are given.")
        n_cuts = n_slices
    if spacing == "auto":
        spacing = max(int(0.5 / n_cuts * n_slices), 1)
    a_count("spacing", spacing, least=1)
    others = tuple(other for other in range(3) if other != axis)
    smooth = np.abs(volume.values)
    for each in range(3):
        smooth = ndimage.convolve1d(smooth, FAST, axis=each, mode="constant")
    profile = smooth.max(axis=others).astype(np.float64)
    chosen = _apart(profile, n_cuts, int(spacing))
    return np.asarray(volume.first[axis] + volume.steps[axis] * np.sort(chosen))


def _apart(profile: NDArray[np.float64], n: int, spacing: int) -> NDArray[np.intp]:
    """The n highest places, one after the other, at least `spacing` from those before while there are any such."""
    places = np.arange(len(profile))
    free, chosen = np.ones(len(profile), dtype=bool), list[int]()
    while len(chosen) < n:
        if not free.any():
            free[:] = True
            free[chosen] = False
        best = int(np.argmax(np.where(free, profile, -np.inf)))
        chosen.append(best)
        free &= (places < best - spacing) | (places >= best + spacing)
        free[chosen] = False
    return np.array(chosen)


def find_probabilistic_atlas_cut_coords(maps_img: NiimgLike) -> NDArray[np.float64]:
    """Find the centre of each map of an atlas, as `find_xyz_cut_coords` does.

    Parameters
    ----------
    maps_img : image-like
        4-D, one volume a map; a 3-D image is one map.

    Returns
    -------
    coordinates : array of shape (n_maps, 3)
        In mm.
    """
    return np.array([centre_of_activation(*finite_volume(img, "maps_img")) for img in iter_img(maps_img)])


def find_parcellation_cut_coords(
    labels_img: NiimgLike,
    background_label: float = 0,
    return_label_names: bool = False,
    label_hemisphere: Literal["left", "right"] = "left",
) -> Any:
    """Find the centre of each region of an atlas of labels.

    Of a region with parts in both hemispheres that of one is looked at, and of this the largest piece (voxels touch by
    faces). The centre of mass of a curved region may lie outside of it.

    Parameters
    ----------
    labels_img : image-like
        3-D, a label a voxel; labels may be negative.
    background_label : float, default=0
        The label of what is no region, whether or not it is in the image.
    return_label_names : bool, default=False
        Give the labels too.
    label_hemisphere : {"left", "right"}, default="left"
        Left: x below 0 mm; right: from 0 mm.

    Returns
    -------
    coordinates : array of shape (n_labels, 3)
        In mm, labels ascending.
    labels : list of int or float
        Of each row, if `return_label_names`.

    Raises
    ------
    ValueError
        If there is no region, or for an unknown hemisphere.

    Warns
    -----
    UserWarning
        If a region is in the other hemisphere only; its centre there is given.
    """
    one_of("left", "right")("label_hemisphere", label_hemisphere)
    a_bool("return_label_names", return_label_names)
    values, affine = finite_volume(labels_img, "labels_img")
    labels = [float(label) for label in np.unique(values) if label != background_label]
    if not labels:
        raise ValueError(f"labels_img has no region: every voxel is the background, {background_label!r}.")
    sideways = sum(
        affine[0, axis] * index for axis, index in enumerate(np.ogrid[tuple(map(slice, values.shape))])
    )
    wanted = (sideways + affine[0, 3] < 0) if label_hemisphere == "left" else (sideways + affine[0, 3] >= 0)
    rows, elsewhere = [], []
    for label in labels:
        region = values == label
        inside = region & wanted
        if not inside.any():
            elsewhere.append(f"{label:g}")
            inside = region
        rows.append(_centre_of_mass(largest_component(inside), affine))
    if elsewhere:
        warn(
            f"No voxel of {', '.join(elsewhere)} is in the {label_hemisphere} hemisphere; the other one is used."
        )
    coordinates = np.array(rows)
    if return_label_names:
        return coordinates, [int(label) if label.is_integer() else label for label in labels]
    return coordinates


def checked_point(cut_coords: ArrayLike, directions: str, mode: str) -> tuple[float, ...]:
    """One coordinate for each direction of a display."""
    try:
        point = np.asarray(cut_coords, dtype=np.float64)
    except (TypeError, ValueError):
        point = np.empty((0, 0))
    if point.shape != (len(directions),) or not np.isfinite(point).all():
        raise ValueError(
            f"cut_coords must be {len(directions)} numbers ({', '.join(directions)}, in mm) with "
            f"display_mode={mode!r}; {found(cut_coords)} was given."
        )
    return tuple(float(mm) for mm in point)


def refuse_outside(volume_bounds: NDArray, cuts: dict[str, list[float]]) -> None:
    """Warn of cuts that miss the image; an error if all of them do."""
    missed = {
        direction: [mm for mm in at if not _within(mm, *volume_bounds[AXES[direction]])]
        for direction, at in cuts.items()
    }
    n_missed, n = sum(map(len, missed.values())), sum(map(len, cuts.values()))
    if not n_missed:
        return
    spans = ", ".join(f"{d} {low:g} … {high:g}" for d, (low, high) in zip("xyz", volume_bounds, strict=True))
    text = ", ".join(f"{d}={mm:g}" for d, at in missed.items() for mm in at)
    if n_missed == n:
        raise ValueError(f"cut_coords: all cuts ({text}) are outside of the image, which spans {spans} mm.")
    warn(f"cut_coords: {text} is outside of the image, which spans {spans} mm.")


def _within(mm: float, low: float, high: float) -> bool:
    return low <= mm <= high
