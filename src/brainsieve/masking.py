"""Masks: computing them from images, combining them, and taking data out and putting it back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainsieve.caching import cached_for_images
from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.extract import Request, extract
from brainsieve.engine.source import open_source, read_all
from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.plan import fold
from brainsieve.engine.spatial.select import Select
from brainsieve.engine.spatial.smooth import checked_fwhm, smooth
from brainsieve.exceptions import MaskWarning
from brainsieve.logs import warn

__all__ = [
    "apply_mask",
    "apply_mask_fmri",
    "compute_background_mask",
    "compute_brain_mask",
    "compute_epi_mask",
    "compute_multi_background_mask",
    "compute_multi_brain_mask",
    "compute_multi_epi_mask",
    "intersect_masks",
    "load_mask_img",
    "unmask",
]

MASK_TYPES = ("whole-brain", "gm", "wm")


# -- masks of images ------------------------------------------------------------------------------------


def compute_epi_mask(
    epi_img: Any,
    lower_cutoff: float = 0.2,
    upper_cutoff: float = 0.85,
    connected: bool = True,
    opening: int | bool = 2,
    exclude_zeros: bool = False,
    ensure_finite: bool = True,
    target_affine: Any = None,
    target_shape: Any = None,
    memory: Any = None,
    verbose: int = 0,
) -> nib.Nifti1Image:
    """Brain mask of an EPI run: above the widest gap in the histogram of its mean.

    Parameters
    ----------
    epi_img : image-like
        3-D or 4-D, or a list of 3-D images. Read block by block.
    lower_cutoff, upper_cutoff : float, default=0.2, 0.85
        Share of the sorted voxels between which the gap is looked for.
    connected : bool, default=True
        Keep the largest connected component only (faces touch).
    opening : int or bool, default=2
        Iterations of morphological opening; the mean is smoothed by one voxel first. 0 or False: none.
    exclude_zeros : bool, default=False
        Leave zeros out of the histogram.
    ensure_finite : bool, default=True
        Take voxels that are not finite as 0.
    target_affine, target_shape : array, tuple, optional
        Grid to resample the mean to first.
    memory : path, joblib.Memory or None, default=None
        Where to cache the mask.
    verbose : int, default=0
        1 tells what is computed.

    Returns
    -------
    mask_img : Nifti1Image
        uint8.

    Raises
    ------
    ValueError
        If the cut-offs are not ``0 <= lower_cutoff < upper_cutoff <= 1``.
    """
    if not 0 <= lower_cutoff < upper_cutoff <= 1:
        raise ValueError(
            "lower_cutoff and upper_cutoff must be 0 <= lower < upper <= 1; "
            f"{lower_cutoff} and {upper_cutoff} were given."
        )
    options = dict(
        lower_cutoff=lower_cutoff,
        upper_cutoff=upper_cutoff,
        connected=connected,
        opening=opening,
        exclude_zeros=exclude_zeros,
        ensure_finite=ensure_finite,
        target_affine=target_affine,
        target_shape=target_shape,
    )
    return cached_for_images(
        memory, verbose, "compute_epi_mask", epi_img, options, lambda: _epi_mask(epi_img, **options)
    )


def _epi_mask(
    epi_img: Any,
    lower_cutoff: float,
    upper_cutoff: float,
    connected: bool,
    opening: int | bool,
    exclude_zeros: bool,
    ensure_finite: bool,
    target_affine: Any,
    target_shape: Any,
) -> nib.Nifti1Image:
    mean, affine = _mean_volume(epi_img, target_affine, target_shape)
    if ensure_finite:
        mean = np.where(np.isfinite(mean), mean, 0)
    if opening:
        mean = ndimage.gaussian_filter(mean, 1 / np.sqrt(8 * np.log(2)))
    ordered = np.sort(mean, axis=None)
    if exclude_zeros:
        ordered = ordered[ordered != 0]
    low, high = int(np.floor(lower_cutoff * len(ordered))), int(np.floor(upper_cutoff * len(ordered)))
    high = min(high, len(ordered) - 1)
    if high <= low:
        raise ValueError(
            f"epi_img has {len(ordered)} voxels between lower_cutoff and upper_cutoff; there is no histogram."
        )
    gaps = ordered[low + 1 : high + 1] - ordered[low:high]
    widest = int(np.argmax(gaps))
    threshold = 0.5 * (ordered[low + widest] + ordered[low + widest + 1])
    return _tidy_mask(mean >= threshold, affine, connected, opening, "compute_epi_mask")


def compute_background_mask(
    data_imgs: Any,
    border_size: int = 2,
    connected: bool = False,
    opening: int | bool = False,
    target_affine: Any = None,
    target_shape: Any = None,
    memory: Any = None,
    verbose: int = 0,
) -> nib.Nifti1Image:
    """Mask of what differs from the value at the border of an image.

    Parameters
    ----------
    data_imgs : image-like
        3-D or 4-D, or a list of 3-D images. Read block by block.
    border_size : int, default=2
        Voxels at each side that tell the background: their median, or NaN if there is one among them.
    connected : bool, default=False
        Keep the largest connected component only.
    opening : int or bool, default=False
        Iterations of morphological opening.
    target_affine, target_shape : array, tuple, optional
        Grid to resample the mean to first.
    memory : path, joblib.Memory or None, default=None
        Where to cache the mask.
    verbose : int, default=0
        1 tells what is computed.

    Returns
    -------
    mask_img : Nifti1Image
        uint8.
    """
    options = dict(
        border_size=border_size,
        connected=connected,
        opening=opening,
        target_affine=target_affine,
        target_shape=target_shape,
    )
    return cached_for_images(
        memory,
        verbose,
        "compute_background_mask",
        data_imgs,
        options,
        lambda: _background_mask(data_imgs, **options),
    )


def _background_mask(
    data_imgs: Any,
    border_size: int,
    connected: bool,
    opening: int | bool,
    target_affine: Any,
    target_shape: Any,
) -> nib.Nifti1Image:
    mean, affine = _mean_volume(data_imgs, target_affine, target_shape)
    border = _border(mean, border_size)
    if np.isnan(border).any():
        mask = ~np.isnan(mean)
    else:
        mask = mean != np.median(border)
    return _tidy_mask(mask, affine, connected, opening, "compute_background_mask")


def compute_brain_mask(
    target_img: Any,
    threshold: float = 0.5,
    connected: bool = True,
    opening: int | bool = 2,
    memory: Any = None,
    verbose: int = 0,
    mask_type: str = "whole-brain",
) -> nib.Nifti1Image:
    """Mask of the MNI152 template on the grid of an image.

    Parameters
    ----------
    target_img : image-like
        In MNI space; only its grid is used.
    threshold : float, default=0.5
        Of the template, resampled to the grid.
    connected : bool, default=True
        Keep the largest connected component only.
    opening : int or bool, default=2
        Iterations of morphological opening.
    memory : path, joblib.Memory or None, default=None
        Where to cache the mask.
    verbose : int, default=0
        1 tells what is computed.
    mask_type : {"whole-brain", "gm", "wm"}, default="whole-brain"

    Returns
    -------
    mask_img : Nifti1Image
        uint8.

    Notes
    -----
    The template that comes with the package is the ICBM152 2009a symmetric one at 4 mm (Fonov et al. 2011,
    doi:10.1016/j.neuroimage.2010.07.033), coarser than the 1 mm of other packages: expect the surface of the
    mask to differ by a voxel here and there.
    """
    if mask_type not in MASK_TYPES:
        raise ValueError(f"mask_type must be one of {', '.join(MASK_TYPES)}; {mask_type!r} was given.")
    options = dict(threshold=threshold, connected=connected, opening=opening, mask_type=mask_type)
    return cached_for_images(
        memory, verbose, "compute_brain_mask", target_img, options, lambda: _brain_mask(target_img, **options)
    )


def _brain_mask(
    target_img: Any, threshold: float, connected: bool, opening: int | bool, mask_type: str
) -> nib.Nifti1Image:
    from brainsieve import datasets

    template = {
        "whole-brain": datasets.load_mni152_template,
        "gm": datasets.load_mni152_gm_template,
        "wm": datasets.load_mni152_wm_template,
    }[mask_type](resolution=4)
    from brainsieve.image import resample_to_img

    source = open_source(target_img)
    grid = _grid_of(source)
    like = nib.Nifti1Image(np.zeros(grid.shape, dtype=np.uint8), grid.affine)
    resampled = resample_to_img(template, like).get_fdata()
    return _tidy_mask(resampled >= threshold, grid.affine, connected, opening, "compute_brain_mask")


def compute_multi_epi_mask(
    epi_imgs: Any,
    lower_cutoff: float = 0.2,
    upper_cutoff: float = 0.85,
    connected: bool = True,
    opening: int | bool = 2,
    threshold: float = 0.5,
    target_affine: Any = None,
    target_shape: Any = None,
    exclude_zeros: bool = False,
    n_jobs: int = 1,
    memory: Any = None,
    verbose: int = 0,
) -> nib.Nifti1Image:
    """Common EPI mask of several images: voxels in the masks of more than a share of them.

    Parameters
    ----------
    epi_imgs : list of image-like
    threshold : float, default=0.5
        Share of the masks; see `intersect_masks`.
    n_jobs : int, default=1
        Images at a time, through joblib.
    lower_cutoff, upper_cutoff, connected, opening, target_affine, target_shape, exclude_zeros, memory, verbose
        As in `compute_epi_mask`.

    Returns
    -------
    mask_img : Nifti1Image
    """
    options: dict[str, Any] = dict(
        lower_cutoff=lower_cutoff,
        upper_cutoff=upper_cutoff,
        connected=connected,
        opening=opening,
        target_affine=target_affine,
        target_shape=target_shape,
        exclude_zeros=exclude_zeros,
    )
    options |= dict(memory=memory, verbose=verbose)
    return _common_mask(compute_epi_mask, epi_imgs, options, threshold, connected, n_jobs)


def compute_multi_background_mask(
    data_imgs: Any,
    border_size: int = 2,
    connected: bool = True,
    opening: int | bool = 2,
    threshold: float = 0.5,
    target_affine: Any = None,
    target_shape: Any = None,
    n_jobs: int = 1,
    memory: Any = None,
    verbose: int = 0,
) -> nib.Nifti1Image:
    """Common background mask of several images: voxels in the masks of more than a share of them.

    Parameters
    ----------
    data_imgs : list of image-like
    threshold : float, default=0.5
        Share of the masks; see `intersect_masks`.
    n_jobs : int, default=1
        Images at a time, through joblib.
    border_size, connected, opening, target_affine, target_shape, memory, verbose
        As in `compute_background_mask`.

    Returns
    -------
    mask_img : Nifti1Image
    """
    options = dict(
        border_size=border_size,
        connected=connected,
        opening=opening,
        target_affine=target_affine,
        target_shape=target_shape,
    )
    options |= dict(memory=memory, verbose=verbose)
    return _common_mask(compute_background_mask, data_imgs, options, threshold, connected, n_jobs)


def compute_multi_brain_mask(
    target_imgs: Any,
    threshold: float = 0.5,
    connected: bool = True,
    opening: int | bool = 2,
    memory: Any = None,
    verbose: int = 0,
    mask_type: str = "whole-brain",
) -> nib.Nifti1Image:
    """Mask of the MNI152 template on the grid that several images share.

    Parameters
    ----------
    target_imgs : list of image-like
        All on one grid.
    threshold, connected, opening, memory, verbose, mask_type
        As in `compute_brain_mask`.

    Returns
    -------
    mask_img : Nifti1Image

    Raises
    ------
    ValueError
        If the images are on different grids, or there are none.
    """
    images = list(target_imgs)
    if not images:
        raise ValueError("target_imgs is empty; give at least one image.")
    _same_grid([open_source(img) for img in images])
    return compute_brain_mask(images[0], threshold, connected, opening, memory, verbose, mask_type)


def _common_mask(
    compute: Any, imgs: Any, options: dict[str, Any], threshold: float, connected: bool, n_jobs: int
) -> nib.Nifti1Image:
    from joblib import Parallel, delayed

    if isinstance(imgs, str) or hasattr(imgs, "shape") or not isinstance(imgs, Iterable):
        raise TypeError("A list of images was expected; for one image there is the function without 'multi'.")
    # One mask at a time comes back, as votes: memory does not grow with the number of images.
    masks = Parallel(n_jobs=n_jobs, return_as="generator")(delayed(compute)(img, **options) for img in imgs)
    return intersect_masks(masks, threshold=threshold, connected=connected)


def intersect_masks(mask_imgs: Any, threshold: float = 0.5, connected: bool = True) -> nib.Nifti1Image:
    """Voxels that are in more than a share of several masks.

    Parameters
    ----------
    mask_imgs : list or generator of image-like
        Binary, all on one grid.
    threshold : float, default=0.5
        1 gives the intersection, 0 the union.
    connected : bool, default=True
        Keep the largest connected component only.

    Returns
    -------
    mask_img : Nifti1Image
        uint8.

    Raises
    ------
    ValueError
        If there is no mask, one is not binary or on another grid, or the threshold is not a share.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold is a share, from 0 to 1; {threshold} was given.")
    votes: NDArray[np.int64] | None = None
    grid: VoxelGrid | None = None
    n_masks = 0
    for i, img in enumerate(mask_imgs):
        source = open_source(img)
        own = _grid_of(source)
        if grid is None or votes is None:
            grid, votes = own, np.zeros(own.n_points, dtype=np.int64)
        elif own != grid:
            raise ValueError(
                f"Masks must be on one grid: mask {i} is {own.describe()}, the first {grid.describe()}, "
                "or they are placed differently."
            )
        votes += _binary_values(source, f"mask {i}")
        n_masks = i + 1
    if grid is None or votes is None:
        raise ValueError("mask_imgs is empty; give at least one mask.")
    # Just below 1, so that "more than all" is "all".
    needed = min(threshold, 1 - 1e-7) * n_masks
    mask = grid.unflatten(votes > needed)
    if mask.any() and connected:
        mask = largest_component(mask)
    if not mask.any():
        warn(
            f"No voxel is in more than {threshold:g} of the {n_masks} masks; the result is empty.",
            MaskWarning,
        )
    return nib.Nifti1Image(mask.astype(np.uint8), grid.affine)


# -- data in masks --------------------------------------------------------------------------------------


def load_mask_img(mask_img: Any, allow_empty: bool = False) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """A binary mask as an array and its affine.

    Parameters
    ----------
    mask_img : image-like
        3-D, with at most two values, one of them 0.
    allow_empty : bool, default=False

    Returns
    -------
    mask : array of bool, shape (nx, ny, nz)
    affine : array of shape (4, 4)

    Raises
    ------
    ValueError
        If it has other values, or no voxel.
    """
    from brainsieve.exceptions import DimensionError

    source = open_source(mask_img)
    if source.n_samples != 1:
        raise DimensionError(4, 3, f"The mask ({source.name})")
    grid = _grid_of(source)
    values = _binary_values(source, f"The mask ({source.name})")
    if not allow_empty and not values.any():
        raise ValueError(f"The mask ({source.name}) is empty: every voxel is 0.")
    return grid.unflatten(values), np.array(grid.affine)


def _binary_values(source: Source, name: str) -> NDArray[np.bool_]:
    values = read_all(source)[0]
    different = np.unique(values)
    if len(different) > 2 or (len(different) == 2 and 0 not in different):
        shown = ", ".join(f"{value:g}" for value in different[:4].astype(float))
        raise ValueError(
            f"{name} is no mask: it has {len(different)} values ({shown}{', …' if len(different) > 4 else ''}); "
            "a mask has 0 and one other. Threshold it first (brainsieve.image.binarize_img)."
        )
    return np.asarray(values != 0)


def apply_mask(
    imgs: Any, mask_img: Any, dtype: Any = "f", smoothing_fwhm: Any = None, ensure_finite: bool = True
) -> NDArray:
    """Values of images in the voxels of a mask.

    Parameters
    ----------
    imgs : image-like
        3-D or 4-D, or a list of 3-D images. Read block by block.
    mask_img : image-like
        Binary, on the same grid.
    dtype : dtype or None, default="f"
        Of the result; "f": float32 for integers, while floats keep theirs. None: that of the image.
    smoothing_fwhm : float, triple of float or "fast", optional
        Full width at half maximum in mm of a Gaussian applied to the whole images first.
    ensure_finite : bool, default=True
        Take voxels that are not finite as 0 (smoothing does in any case).

    Returns
    -------
    values : array of shape (n_samples, n_voxels), or (n_voxels,) for a 3-D image
        Voxels are in C order: the last axis runs fastest.

    Raises
    ------
    ValueError
        If image and mask are on different grids, or the mask is empty or not binary.
    """
    mask, affine = load_mask_img(mask_img)
    source = open_source(imgs)
    grid, mask_grid = _grid_of(source), VoxelGrid(mask.shape, affine)  # type: ignore[arg-type]
    if grid != mask_grid:
        raise ValueError(
            f"imgs ({source.name}: {grid.describe()}) and mask_img ({mask_grid.describe()}) are on different "
            "grids; resample one to the other (brainsieve.image.resample_to_img)."
        )
    points = np.ravel_multi_index(np.nonzero(mask), mask.shape, order="F")
    select = Select(points, grid.n_points)
    fwhm = checked_fwhm(smoothing_fwhm)
    if dtype is None or (isinstance(dtype, str) and dtype == "f" and source.value_dtype.kind == "f"):
        dtype = source.value_dtype
    if fwhm is None and not ensure_finite:
        values = _selected_as_is(source, points)
    else:
        space = select if fwhm is None else fold([smooth(grid, fwhm), select])
        values = extract(source, [Request(space, dtype=_working_dtype(source, dtype))])[0].values
    values = values.astype(dtype, copy=False)
    return values[0] if source.is_single else values


def _working_dtype(source: Source, dtype: Any) -> np.dtype:
    """float32 where that is asked for, and all that the values need."""
    wide = np.dtype(dtype).itemsize > 4 or source.value_dtype.itemsize > 4
    return np.dtype(np.float64 if wide else np.float32)


def _selected_as_is(source: Source, points: NDArray[np.intp]) -> NDArray:
    """Values with NaN and infinities left alone."""
    from brainsieve.engine.source.values import scaled

    values = np.empty((source.n_samples, len(points)), dtype=source.value_dtype)
    for block in source.blocks():
        values[block.samples] = scaled(block.values.take(points, axis=1), source)
    return values


def apply_mask_fmri(
    imgs: Any, mask_img: Any, dtype: Any = "f", smoothing_fwhm: Any = None, ensure_finite: bool = True
) -> NDArray:
    """`apply_mask`, under the name that older scripts use.

    Parameters
    ----------
    imgs, mask_img, dtype, smoothing_fwhm, ensure_finite
        As in `apply_mask`.

    Returns
    -------
    values : array of shape (n_samples, n_voxels), or (n_voxels,) for a 3-D image
    """
    return apply_mask(imgs, mask_img, dtype, smoothing_fwhm, ensure_finite)


def unmask(X: Any, mask_img: Any, order: str = "F") -> Any:
    """Put values back into the voxels of a mask.

    Parameters
    ----------
    X : array of shape (n_voxels,) or (n_samples, n_voxels), or list of these
    mask_img : image-like
        Binary.
    order : {"F", "C"}, default="F"
        Memory order of the data of the image.

    Returns
    -------
    img : Nifti1Image, or list of these
        3-D for a 1-D array, else 4-D; 0 outside the mask.

    Raises
    ------
    TypeError
        If an array is neither 1-D nor 2-D.
    ValueError
        If its width is not the number of voxels in the mask.
    """
    if isinstance(X, list | tuple):
        return [unmask(each, mask_img, order) for each in X]
    mask, affine = load_mask_img(mask_img)
    values = np.asarray(X)
    if values.ndim not in (1, 2):
        raise TypeError(f"X must have 1 or 2 dimensions; its shape is {values.shape}.")
    n_voxels = int(mask.sum())
    if values.shape[-1] != n_voxels:
        raise ValueError(
            f"X has {values.shape[-1]} columns (shape {values.shape}); the mask has {n_voxels} voxels."
        )
    if values.dtype == bool:
        values = values.astype(np.int8)
    shape = mask.shape if values.ndim == 1 else (*mask.shape, len(values))
    data = np.zeros(shape, dtype=values.dtype, order=order)  # type: ignore[call-overload]
    data[mask] = values.T
    return nib.Nifti1Image(data, affine, dtype=data.dtype)


# -- what the above share -------------------------------------------------------------------------------


def _grid_of(source: Source) -> VoxelGrid:
    if not isinstance(source.domain, VoxelGrid):
        raise TypeError(f"{source.name} is not a volume: {source.domain.describe()}.")
    return source.domain


def _same_grid(sources: list[Source]) -> None:
    for i, source in enumerate(sources):
        if source.domain != sources[0].domain:
            raise ValueError(
                f"Images must be on one grid: image {i} ({source.name}) is {source.domain.describe()}, "
                f"the first {sources[0].domain.describe()}, or they are placed differently."
            )


def _mean_volume(
    img: Any, target_affine: Any, target_shape: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from brainsieve.image import mean_img

    mean = mean_img(img, target_affine=target_affine, target_shape=target_shape)
    return np.asarray(mean.dataobj, dtype=np.float64), mean.affine


def _border(volume: NDArray, size: int) -> NDArray:
    """Values of the voxels at most `size` from a side of the volume."""
    inner = np.zeros(volume.shape, dtype=bool)
    inner[size:-size, size:-size, size:-size] = True
    return volume[~inner] if size else volume[:0]


def _tidy_mask(
    mask: NDArray[np.bool_], affine: NDArray, connected: bool, opening: int | bool, function: str
) -> nib.Nifti1Image:
    """Open, keep the largest component, close what opening wore off."""
    n_steps = int(opening)
    if n_steps:
        mask = ndimage.binary_erosion(mask, iterations=n_steps)
    if mask.any() and connected:
        mask = largest_component(mask)
    if n_steps:
        mask = ndimage.binary_dilation(mask, iterations=2 * n_steps)
        mask = ndimage.binary_erosion(mask, iterations=n_steps)
    if not mask.any():
        warn(
            f"{function}: the mask is empty. Do the images have a background that differs from the brain? "
            "Look at cut-offs and opening.",
            MaskWarning,
        )
    return nib.Nifti1Image(mask.astype(np.uint8), affine)


def largest_component(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest set of voxels of a mask that touch by faces; the first of several.

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    labels, n_labels = ndimage.label(mask)
    if n_labels == 0:
        raise ValueError("The mask is empty; it has no largest component.")
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax())
