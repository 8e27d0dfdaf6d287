"""Signals of labels and maps, and back to images, in one call: what the maskers do, without an estimator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Image
from numpy.typing import ArrayLike, NDArray

from brainsieve.atlas import Atlas, Labels, Maps, Mask
from brainsieve.atlas.labels import checked_ids
from brainsieve.checks import an_integer, naming, one_of
from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.source import open_source
from brainsieve.image.forms import held
from brainsieve.maskers import NiftiLabelsMasker, NiftiMapsMasker
from brainsieve.maskers.grid import image, read_mask, read_volume
from brainsieve.maskers.output import inverse_dtype
from brainsieve.regions.connected import opened_maps
from brainsieve.typing import MemoryOrder, NiimgLike, NiimgsLike, Strategy


def img_to_signals_labels(
    imgs: NiimgsLike,
    labels_img: NiimgLike,
    mask_img: NiimgLike | None = None,
    background_label: float = 0,
    order: MemoryOrder = "F",
    strategy: Strategy = "mean",
    keep_masked_labels: bool = False,
    return_masked_atlas: bool = True,
    n_jobs: int = 1,
) -> tuple[NDArray, list[Any], Nifti1Image] | tuple[NDArray, list[Any]]:
    """Extract one series for each label, on one grid, without cleaning.

    Parameters
    ----------
    imgs : image-like
        4-D, or a list of 3-D images; 3-D is one sample.
    labels_img : image-like
        3-D, on the grid of `imgs`.
    mask_img : image-like, optional
        On the same grid. Voxels outside are background.
    background_label : number, default=0
    order : {"F", "C"}, default="F"
        Memory order of the signals.
    strategy : str, default="mean"
        What stands for the values of a label: "mean", "median", "sum", "minimum", "maximum", "standard_deviation",
        "variance" and the others of `NiftiLabelsMasker`.
    keep_masked_labels : bool, default=False
        Keep a column of zeros for a label wholly outside the mask.
    return_masked_atlas : bool, default=True
    n_jobs : int, default=1
        The pass has threads of its own, whatever this says.

    Returns
    -------
    signals : array of shape (n_samples, n_labels), or (n_labels,) for a 3-D image
        float32 for float32 images, else float64.
    labels : list of number
        Those of the columns, ascending.
    masked_atlas : Nifti1Image
        Labels that were used, int32. Only if `return_masked_atlas`.

    Raises
    ------
    TypeError, ValueError
        For images on different grids and parameters out of range; the message names them.
    """
    one_of("F", "C")("order", order)
    an_integer("n_jobs", n_jobs)
    imgs = held(imgs)  # it is opened twice
    grid = _refuse_other_grids(imgs, "labels_img", labels_img, mask_img)
    values, _ = read_volume(labels_img, "labels_img")
    if not (np.nan_to_num(values, nan=background_label) != background_label).any():
        none = np.zeros((open_source(imgs).n_samples, 0), dtype=np.float64)
        empty = image(np.full(grid.n_points, background_label, dtype=np.int32), grid)
        return (none, [], empty) if return_masked_atlas else (none, [])
    masker = NiftiLabelsMasker(
        labels_img,
        background_label=background_label,
        mask_img=mask_img,
        strategy=strategy,
        keep_masked_labels=keep_masked_labels,
        resampling_target=None,
        standardize=None,
        reports=False,
    ).fit()
    signals = np.asarray(masker.transform(imgs), order=order)
    labels = [each for each in masker.labels_ if each != background_label]
    return (signals, labels, masker.region_atlas_) if return_masked_atlas else (signals, labels)


def signals_to_img_labels(
    signals: ArrayLike,
    labels_img: NiimgLike,
    mask_img: NiimgLike | None = None,
    background_label: float = 0,
    order: MemoryOrder = "F",
) -> Nifti1Image:
    """Give each voxel of a label the label's signal.

    Parameters
    ----------
    signals : array of shape (n_labels,) or (n_samples, n_labels)
        Columns in ascending order of the labels: of all, or of those that are inside the mask.
    labels_img : image-like
        3-D.
    mask_img : image-like, optional
        On the same grid; 0 outside.
    background_label : number, default=0
    order : {"F", "C"}, default="F"
        Memory order of the image's array.

    Returns
    -------
    img : Nifti1Image
        3-D or 4-D, in the dtype of the signals.

    Raises
    ------
    ValueError
        For signals of another width.
    """
    one_of("F", "C")("order", order)
    values, grid = read_volume(labels_img, "labels_img")
    mask = _mask_of(mask_img, "labels_img", grid)
    atlas = Labels.of_values(checked_ids(values, background_label), grid, background=background_label)
    return _back(signals, replace(atlas, mask=mask), grid, "signals", order)


def img_to_signals_maps(
    imgs: NiimgsLike,
    maps_img: NiimgLike,
    mask_img: NiimgLike | None = None,
    keep_masked_maps: bool = False,
) -> tuple[NDArray, list[int]]:
    """Extract one series for each map by least squares, on one grid, without cleaning.

    Parameters
    ----------
    imgs : image-like
        4-D, or a list of 3-D images; 3-D is one sample.
    maps_img : image-like
        4-D, on the grid of `imgs`.
    mask_img : image-like, optional
        On the same grid. Voxels outside take no part.
    keep_masked_maps : bool, default=False
        Keep a column of zeros for a map without weight in the mask.

    Returns
    -------
    signals : array of shape (n_samples, n_maps), or (n_maps,) for a 3-D image
    indices : list of int
        Position, from 0, of each column's map.

    Raises
    ------
    TypeError, ValueError
        For images on different grids; the message names them.
    """
    imgs = held(imgs)
    grid = _refuse_other_grids(imgs, "maps_img", maps_img, mask_img)
    masker = NiftiMapsMasker(
        maps_img,
        mask_img=mask_img,
        keep_masked_maps=keep_masked_maps,
        resampling_target=None,
        standardize=None,
        reports=False,
    ).fit()
    signals = masker.transform(imgs)
    n_maps = open_source(maps_img).n_samples
    kept = np.arange(n_maps)
    if signals.shape[-1] < n_maps:
        kept = np.setdiff1d(kept, _masked_maps(maps_img, mask_img, grid).on(grid).lost)
    return signals, kept.tolist()


def signals_to_img_maps(
    region_signals: ArrayLike, maps_img: NiimgLike, mask_img: NiimgLike | None = None
) -> Nifti1Image:
    """Sum maps, weighted with signals: signals @ maps.

    Parameters
    ----------
    region_signals : array of shape (n_maps,) or (n_samples, n_maps)
        Columns in the order of the maps: of all, or of those with weight inside the mask.
    maps_img : image-like
        4-D.
    mask_img : image-like, optional
        On the same grid; 0 outside.

    Returns
    -------
    img : Nifti1Image
        3-D or 4-D.

    Raises
    ------
    ValueError
        For signals of another width.
    """
    _, grid = opened_maps(maps_img)
    return _back(region_signals, _masked_maps(maps_img, mask_img, grid), grid, "region_signals", "F")


def _masked_maps(maps_img: Any, mask_img: Any, grid: VoxelGrid) -> Maps:
    """All maps, with a mask."""
    source, _ = opened_maps(maps_img)
    return replace(Maps.of_source(source), mask=_mask_of(mask_img, "maps_img", grid))


def _back(signals: Any, atlas: Atlas, grid: VoxelGrid, name: str, order: MemoryOrder) -> Nifti1Image:
    """An image of signals of all columns of an atlas, or of those that the mask leaves."""
    values = np.asarray(signals.to_numpy() if hasattr(signals, "columns") else signals)
    if values.dtype.kind not in "biuf" or values.ndim not in (1, 2):
        raise ValueError(
            f"{name} must be numbers of shape (n_columns,) or (n_samples, n_columns); it has dtype {values.dtype} and "
            f"shape {values.shape}."
        )
    placed = atlas.on(grid)
    kept = np.setdiff1d(np.arange(atlas.n_features), placed.lost)
    if values.shape[-1] not in (atlas.n_features, len(kept)):
        fewer = f", {len(kept)} of them inside mask_img" if len(kept) < atlas.n_features else ""
        raise ValueError(
            f"{name} has {values.shape[-1]} columns (shape {values.shape}); the atlas has {atlas.n_features}{fewer}."
        )
    if values.shape[-1] < atlas.n_features:
        whole = np.zeros((*values.shape[:-1], atlas.n_features), dtype=values.dtype)
        whole[..., kept] = values
        values = whole
    dtype = inverse_dtype(None, values, name)
    made = image(placed.back(values, dtype), grid)
    if order == "C":
        made = Nifti1Image(np.ascontiguousarray(made.dataobj), made.affine, made.header)
    return made


def _refuse_other_grids(imgs: Any, name: str, atlas_img: Any, mask_img: Any) -> VoxelGrid:
    """The one grid of images, atlas and mask; raises ValueError where they have several."""
    with naming("imgs"):
        grid = open_source(imgs).domain
    if not isinstance(grid, VoxelGrid):
        raise TypeError(f"imgs must be volumes; they are {grid.describe()}.")
    for other_name, other in ((name, atlas_img), ("mask_img", mask_img)):
        if other is None:
            continue
        with naming(other_name):
            own = open_source(other).domain
        if own != grid:
            raise ValueError(
                f"{other_name} ({own.describe()}) and imgs ({grid.describe()}) are on different grids; resample one "
                "of them (brainsieve.image.resample_to_img), or use a masker, which does."
            )
    return grid


def _mask_of(mask_img: Any, name: str, grid: VoxelGrid) -> Mask | None:
    if mask_img is None:
        return None
    inside, own = read_mask(mask_img)
    if own != grid:
        raise ValueError(
            f"mask_img ({own.describe()}) and {name} ({grid.describe()}) are on different grids; resample one of them."
        )
    return Mask(grid, inside)
