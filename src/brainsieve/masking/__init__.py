"""Masks: computing them from images, combining them, and taking data out and putting it back."""

from brainsieve.masking.applying import apply_mask, apply_mask_fmri, load_mask_img, unmask
from brainsieve.masking.combining import (
    compute_multi_background_mask,
    compute_multi_brain_mask,
    compute_multi_epi_mask,
    intersect_masks,
)
from brainsieve.masking.computing import compute_background_mask, compute_brain_mask, compute_epi_mask

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


def __dir__() -> list[str]:
    return __all__
