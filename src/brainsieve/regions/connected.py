"""Regions that hang together: of maps of weights, and of maps of labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy import ndimage

from brainsieve.atlas import Mask
from brainsieve.atlas.base import listed
from brainsieve.atlas.labels import distinct
from brainsieve.checks import a_number, a_positive_number_or_none, found, naming, one_of
from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.source import open_source, streamed
from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.smooth import checked_fwhm
from brainsieve.image.masks import read_mask
from brainsieve.logs import warn
from brainsieve.maskers.grid import image, read_volume
from brainsieve.regions.pieces import EXTRACTORS, split, voxels_in
from brainsieve.regions.sparse_images import sparse_image
from brainsieve.typing import FwhmLike, NiimgLike


def connected_regions(
    maps_img: NiimgLike,
    min_region_size: float = 1350,
    extract_type: Literal["local_regions", "connected_components"] = "local_regions",
    smoothing_fwhm: FwhmLike = 6,
    mask_img: NiimgLike | None = None,
    peak_distance_mm: float | None = None,
) -> tuple[Nifti1Image, list[int]] | tuple[None, None]:
    """Split maps into regions whose voxels hang together.

    Parameters
    ----------
    maps_img : image-like
        4-D, a map in each volume; 3-D is one map. What is 0 is in no region; what is not finite counts as 0.
    min_region_size : float, default=1350
        In mm³; regions are larger.
    extract_type : {"local_regions", "connected_components"}, default="local_regions"
        "connected_components": what touches by faces, whatever its sign, is one region. "local_regions": these are
        split among the peaks that they hold, by a random walk; what holds no positive peak is in no region.
    smoothing_fwhm : float, triple of float, "fast" or None, default=6
        Full width at half maximum in mm of the smoothing before peaks are looked for; the regions keep the values
        of the maps as they are.
    mask_img : image-like, optional
        Voxels outside are in no region. Brought to the grid of the maps by the nearest voxel.
    peak_distance_mm : float, optional
        A peak is the largest value within so many mm along each axis. Default: within 10 voxels.

    Returns
    -------
    regions_img : Nifti1Image or None
        4-D, a region in each volume, in the dtype of the maps (float32 for integers). It is held as the voxels that
        are in a region; reading a volume makes that volume dense, reading all of them all.
    index : list of int or None
        Position, from 0, of each region's map. Both are None where there is no region.

    Raises
    ------
    TypeError, ValueError
        For an image that is no map (integer labels: see `connected_label_regions`), or a parameter out of range.

    Warns
    -----
    UserWarning
        Where there is no region, and of pieces larger than `min_region_size` that hold no peak.

    Notes
    -----
    Abraham et al. 2014, doi:10.1007/978-3-319-10470-6_39. A random walk: Grady 2006, doi:10.1109/TPAMI.2006.233.
    """
    one_of(*EXTRACTORS)("extract_type", extract_type)
    a_number("min_region_size", min_region_size)
    a_positive_number_or_none("peak_distance_mm", peak_distance_mm)
    fwhm = checked_fwhm(smoothing_fwhm)
    source, grid = opened_maps(maps_img)
    refuse_labels(source)
    inside = None if mask_img is None else mask_on(mask_img, grid)
    volumes = (grid.unflatten(values) for values in finite_maps(source, inside))
    pieces = split(volumes, grid, extract_type, min_region_size, fwhm, peak_distance_mm)
    if not pieces.sources:
        warn(
            f"{source.name}: no region is larger than min_region_size={min_region_size:g} mm³; the largest connected "
            f"piece has {pieces.largest_mm3:g} mm³. No image is made."
        )
        return None, None
    return sparse_image(pieces.rows, grid), list(pieces.sources)


def opened_maps(maps_img: Any) -> tuple[Source, VoxelGrid]:
    """The source of maps and its grid; an error that names the parameter where they are no volumes."""
    with naming("maps_img"):
        source = open_source(maps_img)
        if not isinstance(source.domain, VoxelGrid):
            raise TypeError(f"volumes are needed here; {source.name} is {source.domain.describe()}.")
    return source, source.domain


def mask_on(mask_img: Any, grid: VoxelGrid) -> NDArray[np.bool_]:
    """A mask (n_points,) on the grid of the maps."""
    inside, form = read_mask(mask_img)
    if not isinstance(form.domain, VoxelGrid):
        raise TypeError(f"mask_img must be a volume; it is {form.domain.describe()}.")
    there = Mask(form.domain, inside).on(grid)
    if not there.any():
        raise ValueError(f"mask_img and maps_img do not overlap: no voxel of {grid.describe()} is inside.")
    return there


def finite_maps(source: Source, inside: NDArray[np.bool_] | None = None) -> Iterator[NDArray]:
    """Each map (n_points,) in turn, 0 outside a mask and where it is not finite, in a floating dtype."""
    wide = source.value_dtype.kind == "f" and source.value_dtype.itemsize > 4
    n_bad = 0
    with streamed(source, whole_samples=True, dtype=np.float64 if wide else np.float32) as blocks:
        for block in blocks:
            for values in block.values:
                finite = np.isfinite(values)
                n_bad += int(values.size - finite.sum())
                yield np.where(finite if inside is None else finite & inside, values, 0)
    if n_bad:
        warn(f"maps_img ({source.name}) has {n_bad} values that are NaN or infinite; they count as 0.")


def refuse_labels(source: Source) -> None:
    """Raise ValueError where a single volume of integers has several values: labels, not weights."""
    if source.n_samples != 1 or source.is_scaled or source.dtype.kind not in "iu":
        return
    values = distinct(next(finite_maps(source)))
    if len(values[values > 0]) > 1 and values[0] >= 0:
        raise ValueError(
            f"maps_img ({source.name}) looks like an atlas of labels: one volume of integers, "
            f"{len(values[values > 0])} of them. connected_label_regions splits labels into connected regions; give "
            "maps of weights here, as floating numbers."
        )


def connected_label_regions(
    labels_img: NiimgLike,
    min_size: float | None = None,
    connect_diag: bool = True,
    labels: Sequence[str] | str | None = None,
) -> Nifti1Image | tuple[Nifti1Image, list[str]]:
    """Split the labels of an atlas into regions whose voxels hang together, each with a label of its own.

    Parameters
    ----------
    labels_img : image-like
        3-D; 0 is the background. Labels need not be whole numbers, and are not negative.
    min_size : float, optional
        In mm³; smaller regions, and those of this size, become background.
    connect_diag : bool, default=True
        Voxels that share an edge or a corner hang together too; False: a face.
    labels : sequence of str, optional
        A name for each label in the image but the background, in ascending order of the labels.

    Returns
    -------
    regions_img : Nifti1Image
        int32, regions from 1 on: in ascending order of their labels, then of their first voxels in C order.
    names : list of str
        If `labels` is given: the name of each region.

    Raises
    ------
    TypeError, ValueError
        For negative labels, names that are not as many as labels, and parameters that are out of range.

    Warns
    -----
    UserWarning
        If `min_size` leaves nothing of a label.
    """
    if not isinstance(connect_diag, bool | np.bool_):
        raise ValueError(f"connect_diag must be True or False; {found(connect_diag)} was given.")
    if min_size is not None:
        if isinstance(min_size, str):
            raise ValueError(f"min_size must be a number in mm³ or None; {found(min_size)} was given.")
        a_number("min_size", min_size, what="a number or None")
    values, grid = read_volume(labels_img, "labels_img")
    values, ids = _ids_of(values)
    names = _checked_names(labels, ids)
    codes = grid.unflatten(np.searchsorted(ids, values) + 1)
    codes[grid.unflatten(values == 0)] = 0
    least = 0.0 if min_size is None else voxels_in(min_size, grid)
    regions, of_label = _split_labels(codes, 26 if connect_diag else 6, least)
    gone = sorted(set(range(len(ids))) - set(of_label))
    if gone:
        called = [ids[i] for i in gone] if names is None else [names[i] for i in gone]
        warn(f"min_size={min_size:g} mm³ leaves nothing of {len(gone)} labels: {listed(called)}.")
    made = image(grid.flatten(regions), grid)
    return made if names is None else (made, [names[i] for i in of_label])


def _ids_of(values: NDArray) -> tuple[NDArray, NDArray]:
    """Labels (n_points,) without what is not finite, and the distinct ones without 0."""
    if values.dtype.kind == "f":
        finite = np.isfinite(values)
        if not finite.all():
            n_bad = int((~finite).sum())
            warn(f"labels_img has {n_bad} voxels that are NaN or infinite; they are background.")
            values = np.where(finite, values, 0)
    elif values.dtype == bool:
        values = values.astype(np.uint8)
    ids = distinct(values)
    if len(ids) and ids[0] < 0:
        raise ValueError(
            f"labels_img has negative labels ({listed(ids[ids < 0].tolist())}); labels are 0 or greater. Is it a map "
            "of weights, for connected_regions?"
        )
    return values, ids[ids != 0]


def _checked_names(labels: Any, ids: NDArray) -> list[Any] | None:
    if labels is None:
        return None
    names = [labels] if isinstance(labels, str) else list(labels)
    if len(names) != len(ids):
        raise ValueError(
            f"labels has {len(names)} names, labels_img {len(ids)} labels beside the background 0: "
            f"{listed(ids.tolist())}. Give one name for each; the background has none."
        )
    return names


def _split_labels(
    codes: NDArray[np.intp], neighbours: int, least: float
) -> tuple[NDArray[np.int32], list[int]]:
    """Connected pieces of each code from 1 on, numbered from 1, and the position of each one's label."""
    structure = ndimage.generate_binary_structure(3, 3 if neighbours == 26 else 1)
    regions = np.zeros(codes.shape, dtype=np.int32)
    of_label: list[int] = []
    for code, box in enumerate(ndimage.find_objects(codes), start=1):
        if box is None:
            continue
        pieces = ndimage.label(codes[box] == code, structure=structure)[0]
        sizes = np.bincount(pieces.ravel())
        kept = np.flatnonzero(sizes > least)
        kept = kept[kept > 0]
        number = np.zeros(len(sizes), dtype=np.int32)
        number[kept] = len(of_label) + np.arange(1, len(kept) + 1)
        regions[box] += number[pieces]
        of_label += [code - 1] * len(kept)
    return regions, of_label
