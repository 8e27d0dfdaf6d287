"""Fixed effects: one effect of several sessions, from images of their effects and variances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from brainsieve.checks import a_bool, found
from brainsieve.glm.contrasts import Contrast
from brainsieve.image.forms import is_one_image
from brainsieve.logs import warn
from brainsieve.maskers import NiftiMasker, SurfaceMasker
from brainsieve.masking import apply_mask, unmask
from brainsieve.surface.opening import is_surface_image
from brainsieve.typing import ImageLike

# What is assumed of each image where nothing is said, as in the peer.
ASSUMED_DOF = 100


def compute_fixed_effects(
    contrast_imgs: Sequence[ImageLike],
    variance_imgs: Sequence[ImageLike],
    mask: Any = None,
    precision_weighted: bool = False,
    dofs: ArrayLike | None = None,
) -> tuple[Any, Any, Any, Any]:
    """The effect over several sessions of one subject.

    Parameters
    ----------
    contrast_imgs : sequence of image-like or SurfaceImage
        Effects, one image a session.
    variance_imgs : sequence of image-like or SurfaceImage
        Their variances.
    mask : image-like, SurfaceImage or fitted masker, optional
        Default: the mask that a masker computes from the effects.
    precision_weighted : bool, default=False
        Weigh each session by the inverse of its variance; False: all alike.
    dofs : sequence of float, optional
        Degrees of freedom of each session's variance. Default: 100 each, with a warning, as z depends on them.

    Returns
    -------
    fixed_fx_contrast_img, fixed_fx_variance_img, fixed_fx_stat_img, fixed_fx_z_score_img : images
        Effect, its variance, t and z. NaN where a session has no finite effect and positive variance.

    Raises
    ------
    TypeError, ValueError
        If the lists are none, or of different lengths, or images are of another grid than the mask.

    Notes
    -----
    Alike: mean of the effects, sum of the variances / n². Weighted: Σ effect / variance times 1 / Σ (1 / variance).
    """
    a_bool("precision_weighted", precision_weighted)
    effects_of = _listed("contrast_imgs", contrast_imgs)
    variances_of = _listed("variance_imgs", variance_imgs)
    if len(effects_of) != len(variances_of):
        raise ValueError(
            f"contrast_imgs has {len(effects_of)} images, variance_imgs {len(variances_of)}; there is one variance for "
            "each effect."
        )
    dof = _total_dof(dofs, len(effects_of))
    mask_img = _mask_of(mask, effects_of)
    effects, variances = (
        np.stack([apply_mask(img, mask_img, np.float64, ensure_finite=False).ravel() for img in images])
        for images in (effects_of, variances_of)
    )
    contrast = _combined(effects, variances, precision_weighted, dof)
    maps = (contrast.effect, contrast.variance, contrast.stat(), contrast.z_score())
    effect, variance, t, z = (unmask(values, mask_img) for values in maps)
    return effect, variance, t, z


def _combined(effects: NDArray, variances: NDArray, precision_weighted: bool, dof: float) -> Contrast:
    known = np.isfinite(effects) & np.isfinite(variances) & (variances >= 0)
    if not known.all():
        n = int((~known).any(axis=0).sum())
        warn(
            f"{n} points of contrast_imgs or variance_imgs are not finite, or of negative variance; they are NaN."
        )
    effects, variances = np.where(known, effects, np.nan), np.where(known, variances, np.nan)
    if not precision_weighted:
        return Contrast(effects.mean(axis=0), variances.mean(axis=0) / len(variances), dof=dof)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = 1 / (1 / variances).sum(axis=0)
        return Contrast((effects / variances).sum(axis=0) * variance, variance, dof=dof)


def _listed(name: str, images: Any) -> list[Any]:
    if is_one_image(images):
        raise TypeError(f"{name} must be a list of images, one a session; {found(images)} was given.")
    listed = list(images)
    if not listed:
        raise ValueError(f"{name} must have one image at the least; the list is empty.")
    return listed


def _total_dof(dofs: ArrayLike | None, n: int) -> float:
    if dofs is None:
        warn(
            f"dofs is None: {ASSUMED_DOF} degrees of freedom are assumed of each image; z depends on them. Give those "
            "of the models, T minus the rank of the design."
        )
        return float(ASSUMED_DOF * n)
    values = np.asarray(dofs, dtype=np.float64)
    if values.shape != (n,):
        raise ValueError(f"dofs must have one number for each of {n} images; its shape is {values.shape}.")
    if not (values > 0).all():
        raise ValueError(f"dofs must be positive; {found(dofs)} was given.")
    return float(values.sum())


def _mask_of(mask: Any, images: list[Any]) -> Any:
    if hasattr(mask, "mask_img_"):
        return mask.mask_img_
    if hasattr(mask, "fit") and hasattr(mask, "transform"):
        return clone(mask).fit(images if mask.mask_img is None else None).mask_img_
    if mask is not None:
        return mask
    masker = SurfaceMasker() if is_surface_image(images[0]) else NiftiMasker()
    return masker.fit(images).mask_img_
