"""Masks computed of images: what stands out of a histogram, of a background, or of a template."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, get_args

import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from brainsieve import datasets
from brainsieve.caching import cached_for_images
from brainsieve.checks import a_bool, a_count, a_number_within, one_of
from brainsieve.exceptions import MaskWarning
from brainsieve.image.forms import VolumeForm, held, identity_of, is_one_image
from brainsieve.image.loading import new_img_like
from brainsieve.image.masks import largest_component
from brainsieve.image.resampling import opened_volume, resample_to_img
from brainsieve.image.streaming import mean_img
from brainsieve.logs import warn
from brainsieve.typing import MemoryLike, NiimgsLike

MaskType: TypeAlias = Literal["whole-brain", "gm", "wm"]


def compute_epi_mask(
    epi_img: NiimgsLike,
    lower_cutoff: float = 0.2,
    upper_cutoff: float = 0.85,
    connected: bool = True,
    opening: int | bool = 2,
    exclude_zeros: bool = False,
    ensure_finite: bool = True,
    target_affine: ArrayLike | None = None,
    target_shape: Sequence[int] | None = None,
    memory: MemoryLike = None,
    verbose: int = 0,
) -> nib.Nifti1Image:
    """Brain mask of an EPI run: above the widest gap in the histogram of its mean.

    Parameters
    ----------
    epi_img : image-like
        3-D or 4-D, or a list of 3-D images. Read block by block.
    lower_cutoff : float, default=0.2
        Share of the sorted voxels above which the gap is looked for.
    upper_cutoff : float, default=0.85
        Share of the sorted voxels below which the gap is looked for.
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
        Where to cache the mask. The folder is trusted code (pickles): nobody else may write to it.
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

    Warns
    -----
    MaskWarning
        If there is no gap (the image is constant, or empty), or no voxel is left.
    """
    _check_opening(opening, connected)
    a_number_within("lower_cutoff", lower_cutoff)
    a_number_within("upper_cutoff", upper_cutoff)
    if not 0 <= lower_cutoff < upper_cutoff <= 1:
        raise ValueError(
            "lower_cutoff and upper_cutoff must be 0 <= lower < upper <= 1; "
            f"{lower_cutoff} and {upper_cutoff} were given."
        )
    options: dict[str, Any] = dict(
        lower_cutoff=lower_cutoff,
        upper_cutoff=upper_cutoff,
        connected=connected,
        opening=opening,
        exclude_zeros=exclude_zeros,
        ensure_finite=ensure_finite,
        target_affine=target_affine,
        target_shape=target_shape,
    )
    return _cached(_epi_mask, epi_img, options, memory, verbose)


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
    mean_volume = _mean_volume(epi_img, target_affine, target_shape)
    mean = np.asarray(mean_volume.dataobj, dtype=np.float64)
    if ensure_finite:
        mean = np.where(np.isfinite(mean), mean, 0)
    if opening:
        # A FWHM of one voxel.
        mean = ndimage.gaussian_filter(mean, 1 / np.sqrt(8 * np.log(2)))
    ordered = np.sort(mean, axis=None)
    if exclude_zeros:
        ordered = ordered[ordered != 0]
    low, high = int(np.floor(lower_cutoff * len(ordered))), int(np.floor(upper_cutoff * len(ordered)))
    # upper_cutoff=1 is beyond the last voxel.
    high = min(high, len(ordered) - 1)
    if high <= low:
        raise ValueError(
            f"epi_img has {len(ordered)} voxels between lower_cutoff and upper_cutoff; there is no histogram."
        )
    gaps = ordered[low + 1 : high + 1] - ordered[low:high]
    widest = int(np.argmax(gaps))
    # Not 0 to the bit: smoothing a constant leaves rounding errors.
    if not gaps[widest] > 1e-12 * np.abs(ordered[[0, -1]]).max():
        warn(
            "compute_epi_mask: the image is constant between lower_cutoff and upper_cutoff; its histogram has no gap, "
            "and the mask means nothing.",
            MaskWarning,
        )
    threshold = 0.5 * (ordered[low + widest] + ordered[low + widest + 1])
    return _tidy_mask(mean >= threshold, mean_volume, connected, opening, "compute_epi_mask")


def compute_background_mask(
    data_imgs: NiimgsLike,
    border_size: int = 2,
    connected: bool = False,
    opening: int | bool = False,
    target_affine: ArrayLike | None = None,
    target_shape: Sequence[int] | None = None,
    memory: MemoryLike = None,
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
        Where to cache the mask. The folder is trusted code (pickles): nobody else may write to it.
    verbose : int, default=0
        1 tells what is computed.

    Returns
    -------
    mask_img : Nifti1Image
        uint8.
    """
    _check_opening(opening, connected)
    a_count("border_size", border_size, least=1)
    options: dict[str, Any] = dict(
        border_size=border_size,
        connected=connected,
        opening=opening,
        target_affine=target_affine,
        target_shape=target_shape,
    )
    return _cached(_background_mask, data_imgs, options, memory, verbose)


def _background_mask(
    data_imgs: Any,
    border_size: int,
    connected: bool,
    opening: int | bool,
    target_affine: Any,
    target_shape: Any,
) -> nib.Nifti1Image:
    mean_volume = _mean_volume(data_imgs, target_affine, target_shape)
    mean = np.asarray(mean_volume.dataobj, dtype=np.float64)
    border = _border(mean, border_size)
    if np.isnan(border).any():
        mask = ~np.isnan(mean)
    else:
        mask = mean != np.median(border)
    return _tidy_mask(mask, mean_volume, connected, opening, "compute_background_mask")


def compute_brain_mask(
    target_img: NiimgsLike,
    threshold: float = 0.5,
    connected: bool = True,
    opening: int | bool = 2,
    memory: MemoryLike = None,
    verbose: int = 0,
    mask_type: MaskType = "whole-brain",
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
        Where to cache the mask. The folder is trusted code (pickles): nobody else may write to it.
    verbose : int, default=0
        1 tells what is computed.
    mask_type : {"whole-brain", "gm", "wm"}, default="whole-brain"

    Returns
    -------
    mask_img : Nifti1Image
        uint8.

    Notes
    -----
    The template is the ICBM152 2009a symmetric one at 1 mm (Fonov et al. 2011, doi:10.1016/j.neuroimage.2010.07.033).
    """
    _check_opening(opening, connected)
    a_number_within("threshold", threshold)
    one_of(*get_args(MaskType))("mask_type", mask_type)
    options: dict[str, Any] = dict(
        threshold=threshold, connected=connected, opening=opening, mask_type=mask_type
    )
    return _cached(_brain_mask, target_img, options, memory, verbose)


def _brain_mask(
    target_img: Any, threshold: float, connected: bool, opening: int | bool, mask_type: str
) -> nib.Nifti1Image:
    template = {
        "whole-brain": datasets.load_mni152_template,
        "gm": datasets.load_mni152_gm_template,
        "wm": datasets.load_mni152_wm_template,
    }[mask_type]()
    grid = opened_volume(target_img)[1].domain
    like = VolumeForm(grid).image(np.zeros(grid.n_points, dtype=np.uint8))
    resampled = resample_to_img(template, like).get_fdata()
    return _tidy_mask(resampled >= threshold, like, connected, opening, "compute_brain_mask")


def _cached(
    compute: Callable[..., nib.Nifti1Image],
    imgs: Any,
    options: dict[str, Any],
    memory: MemoryLike,
    verbose: int,
) -> nib.Nifti1Image:
    images = held(imgs)
    return cached_for_images(
        memory,
        verbose,
        f"compute{compute.__name__}",
        lambda: identity_of(images),
        options,
        lambda: compute(images, **options),
    )


def _check_opening(opening: Any, connected: Any) -> None:
    if not isinstance(opening, bool | np.bool_):
        a_count("opening", opening)
    a_bool("connected", connected)


def _mean_volume(img: Any, target_affine: Any, target_shape: Any) -> nib.Nifti1Image:
    """The mean of an image over time; of several, over all their samples."""
    # A sequence in a list is one image for `mean_img`, each sample of it with equal weight.
    runs: Any = img if is_one_image(img) else [list(img)]
    mean = mean_img(runs, target_affine=target_affine, target_shape=target_shape)
    if not isinstance(mean, nib.Nifti1Image):
        raise TypeError(f"Masks are computed of volumes; {type(mean).__name__} was given.")
    return mean


def _border(volume: NDArray, size: int) -> NDArray:
    """Values of the voxels at most `size` from a side; those at an edge once for each side, as the peer has them."""
    sides = [(slice(None),) * axis + (end,) for axis in range(3) for end in (slice(size), slice(-size, None))]
    return np.concatenate([volume[side].ravel() for side in sides])


def _tidy_mask(
    mask: NDArray, like: Any, connected: bool, opening: int | bool, function: str
) -> nib.Nifti1Image:
    """Open, keep the largest component, close what opening wore off: a mask with the header of an image."""
    n_steps = int(opening)
    if n_steps:
        mask = ndimage.binary_erosion(mask, iterations=n_steps)
    if mask.any() and connected:
        mask = largest_component(mask)
    if n_steps:
        # Once for what the first erosion took, once more to close gaps before the last takes it back.
        mask = ndimage.binary_dilation(mask, iterations=2 * n_steps)
        mask = ndimage.binary_erosion(mask, iterations=n_steps)
    if not mask.any():
        warn(
            f"{function}: the mask is empty. Do the images have a background that differs from the brain? "
            "Look at cut-offs and opening.",
            MaskWarning,
        )
    return new_img_like(like, mask)
