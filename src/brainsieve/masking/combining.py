"""Masks that several images or masks have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import nibabel as nib
import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray

from brainsieve.checks import a_bool, a_number_within
from brainsieve.engine.source import read_all
from brainsieve.exceptions import DimensionError, MaskWarning, NoImageError
from brainsieve.image.forms import VolumeForm, is_one_image
from brainsieve.image.masks import binary, largest_component
from brainsieve.image.resampling import opened_volume
from brainsieve.logs import warn
from brainsieve.masking.computing import (
    MaskType,
    compute_background_mask,
    compute_brain_mask,
    compute_epi_mask,
)
from brainsieve.typing import MemoryLike, NiimgLike, NiimgsLike


def compute_multi_epi_mask(
    epi_imgs: Iterable[NiimgsLike],
    lower_cutoff: float = 0.2,
    upper_cutoff: float = 0.85,
    connected: bool = True,
    opening: int | bool = 2,
    threshold: float = 0.5,
    target_affine: ArrayLike | None = None,
    target_shape: Sequence[int] | None = None,
    exclude_zeros: bool = False,
    n_jobs: int = 1,
    memory: MemoryLike = None,
    verbose: int = 0,
) -> nib.Nifti1Image:
    """Common EPI mask of several images: voxels in the masks of more than a share of them.

    Parameters
    ----------
    epi_imgs : sequence or generator of image-like
    threshold : float, default=0.5
        Share of the masks; see `intersect_masks`.
    n_jobs : int, default=1
        Images at a time, through joblib.
    lower_cutoff : float, default=0.2
        Share of the sorted voxels above which the gap is looked for.
    upper_cutoff : float, default=0.85
        Share of the sorted voxels below which the gap is looked for.
    connected : bool, default=True
        Keep the largest connected component only (faces touch).
    opening : int or bool, default=2
        Iterations of morphological opening; the mean is smoothed by one voxel first. 0 or False: none.
    target_affine : array, tuple, default=None
        Grid to resample the mean to first.
    target_shape : array, tuple, default=None
        Grid to resample the mean to first.
    exclude_zeros : bool, default=False
        Leave zeros out of the histogram.
    memory : path, joblib.Memory or None, default=None
        Where to cache the mask. The folder is trusted code (pickles): nobody else may write to it.
    verbose : int, default=0
        1 tells what is computed.

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
        memory=memory,
        verbose=verbose,
    )
    return _common_mask(compute_epi_mask, epi_imgs, options, threshold, connected, n_jobs)


def compute_multi_background_mask(
    data_imgs: Iterable[NiimgsLike],
    border_size: int = 2,
    connected: bool = True,
    opening: int | bool = 2,
    threshold: float = 0.5,
    target_affine: ArrayLike | None = None,
    target_shape: Sequence[int] | None = None,
    n_jobs: int = 1,
    memory: MemoryLike = None,
    verbose: int = 0,
) -> nib.Nifti1Image:
    """Common background mask of several images: voxels in the masks of more than a share of them.

    Parameters
    ----------
    data_imgs : sequence or generator of image-like
    threshold : float, default=0.5
        Share of the masks; see `intersect_masks`.
    n_jobs : int, default=1
        Images at a time, through joblib.
    border_size : int, default=2
        Voxels at each side that tell the background: their median, or NaN if there is one among them.
    connected : bool, default=True
        Keep the largest connected component only.
    opening : int or bool, default=2
        Iterations of morphological opening.
    target_affine : array, tuple, default=None
        Grid to resample the mean to first.
    target_shape : array, tuple, default=None
        Grid to resample the mean to first.
    memory : path, joblib.Memory or None, default=None
        Where to cache the mask. The folder is trusted code (pickles): nobody else may write to it.
    verbose : int, default=0
        1 tells what is computed.

    Returns
    -------
    mask_img : Nifti1Image
    """
    options: dict[str, Any] = dict(
        border_size=border_size,
        connected=connected,
        opening=opening,
        target_affine=target_affine,
        target_shape=target_shape,
        memory=memory,
        verbose=verbose,
    )
    return _common_mask(compute_background_mask, data_imgs, options, threshold, connected, n_jobs)


def compute_multi_brain_mask(
    target_imgs: Iterable[NiimgsLike],
    threshold: float = 0.5,
    connected: bool = True,
    opening: int | bool = 2,
    memory: MemoryLike = None,
    verbose: int = 0,
    mask_type: MaskType = "whole-brain",
) -> nib.Nifti1Image:
    """Mask of the MNI152 template on the grid that several images share.

    Parameters
    ----------
    target_imgs : sequence or generator of image-like
        All on one grid.
    threshold : float, default=0.5
        Of the template, resampled to the grid.
    connected : bool, default=True
        Keep the largest connected component only.
    opening : int or bool, default=2
        Iterations of morphological opening.
    memory : path, joblib.Memory or None, default=None
        Where to cache the mask. The folder is trusted code (pickles): nobody else may write to it.
    verbose : int, default=0
        1 tells what is computed.
    mask_type : {"whole-brain", "gm", "wm"}, default="whole-brain"

    Returns
    -------
    mask_img : Nifti1Image

    Raises
    ------
    ValueError
        If the images are on different grids, or there are none.
    """
    images = list(_several(target_imgs))
    if not images:
        raise NoImageError("target_imgs is empty; give at least one image.")
    grids = [opened_volume(img)[1].domain for img in images]
    for i, grid in enumerate(grids):
        if grid != grids[0]:
            raise ValueError(
                f"Images must be on one grid: image {i} has {grid.describe()}, the first {grids[0].describe()}, "
                "or they are placed differently."
            )
    return compute_brain_mask(images[0], threshold, connected, opening, memory, verbose, mask_type)


def _common_mask(
    compute: Any, imgs: Any, options: dict[str, Any], threshold: float, connected: bool, n_jobs: int
) -> nib.Nifti1Image:
    # One mask at a time comes back, as votes: memory does not grow with the number of images.
    jobs = (delayed(compute)(img, **options) for img in _several(imgs))
    masks = Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    return intersect_masks(masks, threshold=threshold, connected=connected)


def _several(imgs: Any) -> Iterable[Any]:
    if is_one_image(imgs):
        raise TypeError(
            f"Several images were expected, not {type(imgs).__name__}; for one there is the function without 'multi'."
        )
    return imgs


def intersect_masks(
    mask_imgs: Iterable[NiimgLike], threshold: float = 0.5, connected: bool = True
) -> nib.Nifti1Image:
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
    DimensionError
        If a mask has several volumes.
    ValueError
        If there is no mask, one is not binary or on another grid, or the threshold is not a share.
    """
    a_number_within("threshold", threshold, 0, 1)
    a_bool("connected", connected)
    votes: NDArray[np.int64] | None = None
    first: VolumeForm | None = None
    n_masks = 0
    for i, img in enumerate(_several(mask_imgs)):
        source, form = opened_volume(img)
        if source.n_samples != 1:
            raise DimensionError(4, 3, f"Mask {i} ({source.name})")
        if first is None or votes is None:
            first, votes = form, np.zeros(form.domain.n_points, dtype=np.int64)
        elif form.domain != first.domain:
            raise ValueError(
                f"Masks must be on one grid: mask {i} is {form.domain.describe()}, the first "
                f"{first.domain.describe()}, or they are placed differently."
            )
        votes += binary(read_all(source)[0], f"Mask {i} ({source.name})")
        n_masks = i + 1
    if first is None or votes is None:
        raise NoImageError("mask_imgs is empty; give at least one mask.")
    # Just below 1, so that "more than all" is "all".
    needed = min(threshold, 1 - 1e-7) * n_masks
    mask = first.domain.unflatten(votes > needed)
    if mask.any() and connected:
        mask = largest_component(mask)
    if not mask.any():
        warn(
            f"No voxel is in more than {threshold:g} of the {n_masks} masks; the result is empty.",
            MaskWarning,
        )
    return first.image_of({"volume": mask})
