"""Fixed effects over sessions: against the formula and nilearn."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import surfaces
from nilearn import glm as peer
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.base import clone

from brainsieve.glm import compute_fixed_effects
from brainsieve.maskers import NiftiMasker

SHAPE = (5, 6, 4)
DOFS = [12, 40, 7]


def sessions(dtype=np.float64):
    rng = np.random.default_rng(2)
    effects = [nib.Nifti1Image(rng.normal(0.5, 1, SHAPE).astype(dtype), np.eye(4)) for _ in DOFS]
    variances = [nib.Nifti1Image((rng.chisquare(5, SHAPE) / 5).astype(dtype), np.eye(4)) for _ in DOFS]
    mask = nib.Nifti1Image((rng.random(SHAPE) < 0.8).astype(np.uint8), np.eye(4))
    return effects, variances, mask


@pytest.mark.parametrize("weighted", [False, True])
def test_fixed_effects_are_the_formula_and_nilearns(weighted):
    effects, variances, mask = sessions()
    inside = mask.get_fdata() != 0
    e, v = (np.array([img.get_fdata()[inside] for img in imgs]) for imgs in (effects, variances))
    variance = 1 / (1 / v).sum(axis=0) if weighted else v.mean(axis=0) / 3
    effect = (e / v).sum(axis=0) * variance if weighted else e.mean(axis=0)
    t = effect / np.sqrt(variance)
    z = stats.norm.ppf(stats.t.cdf(t, sum(DOFS)))
    ours = compute_fixed_effects(effects, variances, mask, weighted, DOFS)
    theirs = peer.compute_fixed_effects(effects, variances, mask, weighted, DOFS)
    for img, expected, their in zip(ours, (effect, variance, t, z), theirs, strict=True):
        assert_allclose(img.get_fdata()[inside], expected, rtol=1e-9, atol=1e-12)
        assert_allclose(img.get_fdata(), their.get_fdata(), rtol=1e-10, atol=1e-12)
        assert not img.get_fdata()[~inside].any()


def test_degrees_of_freedom_that_are_not_given_are_told_of():
    effects, variances, mask = sessions()
    with pytest.warns(UserWarning, match="100 degrees of freedom are assumed of each image"):
        z = compute_fixed_effects(effects, variances, mask)[3]
    assert_array_equal(
        z.get_fdata(), compute_fixed_effects(effects, variances, mask, dofs=[100] * 3)[3].get_fdata()
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_nan_in_one_session_is_nan_and_not_an_effect_of_0(weighted):
    effects, variances, mask = sessions(np.float32)
    inside = np.argwhere(mask.get_fdata())
    broken = effects[1].get_fdata()
    broken[tuple(inside[3])] = np.nan
    variances[2].get_fdata()[tuple(inside[8])] = -1.0
    negative = variances[2].get_fdata().copy()
    effects[1] = nib.Nifti1Image(broken, np.eye(4))
    variances[2] = nib.Nifti1Image(negative, np.eye(4))
    with pytest.warns(UserWarning, match="2 points of contrast_imgs or variance_imgs are not finite"):
        maps = compute_fixed_effects(effects, variances, mask, weighted, DOFS)
    for img in maps:
        lost = np.argwhere(np.isnan(img.get_fdata()))
        assert_array_equal(lost, inside[[3, 8]])


def test_surfaces_and_maskers_are_taken_and_the_masker_stays_as_it_was(rng):
    effects = [surfaces.on_mesh({"left": rng.normal(size=surfaces.N_VERTICES)}) for _ in range(2)]
    variances = [surfaces.on_mesh({"left": np.ones(surfaces.N_VERTICES)}) for _ in range(2)]
    effect, variance, t, _ = compute_fixed_effects(effects, variances, dofs=[9, 9])
    mean = (effects[0].data.parts["left"] + effects[1].data.parts["left"]) / 2
    assert_allclose(effect.data.parts["left"], mean)
    assert_allclose(variance.data.parts["left"], 0.5)
    assert_allclose(t.data.parts["left"], mean / np.sqrt(0.5))
    images, spread, mask = sessions()
    masker = NiftiMasker(mask_img=mask)
    fitted = clone(masker).fit()
    for given in (masker, fitted, mask):
        maps = compute_fixed_effects(images, spread, given, dofs=DOFS)
        assert_array_equal(
            maps[3].get_fdata(), compute_fixed_effects(images, spread, mask, dofs=DOFS)[3].get_fdata()
        )
    assert not hasattr(masker, "mask_img_")


@pytest.mark.parametrize(
    "change, error, words",
    [
        (lambda e, v, m: (e, v[:2], m), ValueError, "contrast_imgs has 3 images, variance_imgs 2"),
        (lambda e, v, m: (e[0], v, m), TypeError, "contrast_imgs must be a list"),
        (lambda e, v, m: ([], [], m), ValueError, "contrast_imgs must have one image"),
        (lambda e, v, m: (e, v, m, False, [1, 2]), ValueError, "dofs must have one number for each of 3"),
        (lambda e, v, m: (e, v, m, False, [1, -2, 3]), ValueError, "dofs must be positive"),
        (lambda e, v, m: (e, v, m, "yes"), TypeError, "precision_weighted must be True or False"),
        (
            lambda e, v, m: (e, v, nib.Nifti1Image(np.ones(SHAPE, np.uint8), 2 * np.eye(4))),
            ValueError,
            "different grids",
        ),
    ],
    ids=["lengths", "one image", "none", "dofs", "negative dofs", "flag", "grid"],
)
def test_bad_input_of_fixed_effects_is_named(change, error, words):
    with pytest.raises(error, match=words):
        compute_fixed_effects(*change(*sessions()))
