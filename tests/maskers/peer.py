"""What tests that compare with nilearn share: images, grids of settings, and what "equal" means."""

from __future__ import annotations

import warnings
from typing import Any

import nibabel as nib
import numpy as np

# Relative to the spread of each series. The peer gets float64 copies: on others it loses digits itself.
TOLERANCE = 1e-5


def run_image(
    rng: np.random.Generator,
    shape: tuple[int, ...] = (9, 8, 7, 60),
    dtype: Any = np.float64,
    voxel_size: float = 3.0,
) -> nib.Nifti1Image:
    """A smooth-ish run with a mean of 500, a trend and noise."""
    n = shape[3] if len(shape) > 3 else 1
    mean = rng.uniform(400, 600, shape[:3])[..., None]
    trend = np.linspace(-5, 5, n) * rng.uniform(-1, 1, shape[:3])[..., None]
    data = mean + trend + rng.normal(0, 10, (*shape[:3], n))
    data = data if len(shape) > 3 else data[..., 0]
    affine = np.diag([voxel_size] * 3 + [1.0])
    affine[:3, 3] = [-10, -12, -8]
    return nib.Nifti1Image(np.asfortranarray(data.astype(dtype)), affine)


def label_image(rng: np.random.Generator, like: nib.Nifti1Image, n_regions: int = 6) -> nib.Nifti1Image:
    shape = like.shape[:3]
    labels = np.zeros(shape, dtype=np.int16)
    labels[1:-1, 1:-1, 1:-1] = rng.integers(0, n_regions + 1, tuple(n - 2 for n in shape))
    return nib.Nifti1Image(labels, like.affine)


def mask_image(rng: np.random.Generator, like: nib.Nifti1Image) -> nib.Nifti1Image:
    mask = np.zeros(like.shape[:3], dtype=np.uint8)
    mask[2:-1, 1:-2, 1:-1] = 1
    mask[rng.integers(0, mask.shape[0], 5), rng.integers(0, mask.shape[1], 5), 3] = 0
    return nib.Nifti1Image(mask, like.affine)


def as_float64(img: nib.Nifti1Image) -> nib.Nifti1Image:
    return nib.Nifti1Image(img.get_fdata(dtype=np.float64), img.affine)


def quietly(call: Any, *args: Any, **kwargs: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*args, **kwargs)


def assert_same_series(ours: np.ndarray, theirs: np.ndarray, tolerance: float = TOLERANCE) -> None:
    """Equal within a share of each column's standard deviation (or of its size where it is constant)."""
    assert ours.shape == theirs.shape
    spread = np.atleast_2d(theirs).std(axis=0)
    scale = np.where(spread > 1e-9 * (1 + np.abs(theirs).max()), spread, np.abs(theirs).max() + 1)
    # A float32 result cannot be nearer than its own last digit.
    last_digit = np.finfo(ours.dtype).eps * np.abs(theirs) if ours.dtype == np.float32 else 0.0
    difference = np.abs(np.atleast_2d(ours).astype(np.float64) - theirs)
    worst = (np.maximum(difference - last_digit, 0) / scale).max()
    assert worst <= tolerance, f"largest difference is {worst:.2e} of the spread"
