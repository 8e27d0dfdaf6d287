"""Permutation tests of a group: those of `permuted_ols` and of nilearn, with the same seed; nominal under the null."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import surfaces
from nilearn.glm import second_level as peer
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from brainsieve.glm.second_level import non_parametric_inference
from brainsieve.maskers import NiftiMasker
from brainsieve.mass_univariate import permuted_ols

SHAPE, N = (5, 6, 4), 12
ALL = nib.Nifti1Image(np.ones(SHAPE, np.uint8), np.diag([2.0, 2, 2, 1]))


def maps(seed: int = 0) -> list[nib.Nifti1Image]:
    rng = np.random.default_rng(seed)
    return [nib.Nifti1Image(rng.normal(size=SHAPE) + 0.4, ALL.affine) for _ in range(N)]


def design() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame({"a": rng.normal(size=N), "b": rng.normal(size=N), "intercept": 1.0})


@pytest.mark.parametrize(
    "options",
    [{}, {"two_sided_test": True}, {"threshold": 0.05}, {"tfce": True}, {"threshold": 0.1, "tfce": True}],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::UserWarning:nilearn")
@pytest.mark.parametrize(
    "contrast, X",
    [("intercept", design()[["intercept"]]), ("a", design()[["a", "b"]]), ("intercept", design())],
    ids=["one sample", "a covariate", "beside covariates"],
)
def test_p_values_are_nilearns_with_the_same_seed(options, contrast, X):
    common = dict(
        design_matrix=X, second_level_contrast=contrast, mask=ALL, n_perm=20, random_state=5, **options
    )
    ours, theirs = non_parametric_inference(maps(), **common), peer.non_parametric_inference(maps(), **common)
    if not isinstance(theirs, dict):
        ours, theirs = {"logp_max_t": ours}, {"logp_max_t": theirs}
    assert ours.keys() == theirs.keys()
    for name in theirs:
        assert_allclose(ours[name].get_fdata(), theirs[name].get_fdata(), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("model_intercept", [True, False])
def test_beside_an_intercept_samples_are_permuted(model_intercept):
    X = design()
    found = non_parametric_inference(
        maps(),
        design_matrix=X,
        second_level_contrast="a",
        mask=ALL,
        n_perm=50,
        random_state=2,
        model_intercept=model_intercept,
    )
    Y = np.stack([img.get_fdata().ravel() for img in maps()])
    expected = permuted_ols(X[["a"]], Y, X[["b"]], n_perm=50, random_state=2, two_sided_test=False)
    assert_allclose(found.get_fdata().ravel(), expected["logp_max_t"][0], atol=1e-12)


def test_points_where_a_map_is_missing_are_nan_and_take_no_part():
    broken = maps()
    values = broken[4].get_fdata().copy()
    values[1, 2, 3] = np.nan
    broken[4] = nib.Nifti1Image(values, ALL.affine)
    inside = np.ones(SHAPE, np.uint8)
    inside[1, 2, 3] = 0
    common = dict(design_matrix=design(), second_level_contrast="a", n_perm=30, random_state=1)
    with pytest.warns(UserWarning, match="Maps are not finite"):
        found = non_parametric_inference(broken, mask=ALL, **common).get_fdata()
    without = non_parametric_inference(maps(), mask=nib.Nifti1Image(inside, ALL.affine), **common).get_fdata()
    assert np.isnan(found[1, 2, 3])
    assert_array_equal(found[inside != 0], without[inside != 0])


def test_surfaces_and_maskers_are_taken(rng):
    values = [{part: rng.normal(0.5, 1, surfaces.N_VERTICES) for part in ("left", "right")} for _ in range(8)]
    found = non_parametric_inference(
        [surfaces.on_mesh(v) for v in values],
        design_matrix=pd.DataFrame({"one": np.ones(8)}),
        n_perm=20,
        random_state=0,
        threshold=0.01,
    )
    Y = np.stack([np.concatenate(list(v.values())) for v in values])
    expected = permuted_ols(np.ones(8), Y, n_perm=20, random_state=0, two_sided_test=False)
    flat = np.concatenate([np.ravel(v) for v in found["logp_max_t"].data.parts.values()])
    assert_allclose(flat, expected["logp_max_t"][0], atol=1e-12)
    masker = NiftiMasker(ALL).fit()
    with_masker = non_parametric_inference(
        maps(), design_matrix=design(), second_level_contrast="a", mask=masker, n_perm=20, random_state=0
    )
    assert with_masker.shape == SHAPE


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"second_level_contrast": np.eye(3)[:2]}, ValueError, "2 rows; permutations test one at a time"),
        ({"second_level_contrast": "zz"}, ValueError, "no column 'zz'"),
        ({"second_level_contrast": None}, ValueError, "second_level_contrast is needed"),
        ({"second_level_contrast": "a", "n_perm": 0}, ValueError, "n_perm must be at least 1"),
        ({"second_level_contrast": "a", "threshold": 3}, ValueError, "threshold is an uncorrected p-value"),
        (
            {"second_level_contrast": "a", "design_matrix": design()[:4]},
            ValueError,
            "design_matrix has 4 rows",
        ),
    ],
    ids=[str(i) for i in range(6)],
)
def test_bad_input_of_permutations_is_named(options, error, words):
    with pytest.raises(error, match=words):
        non_parametric_inference(maps(), **{"design_matrix": design(), "mask": ALL, **options})


@pytest.mark.slow
@pytest.mark.parametrize("two_sided", [False, True])
def test_family_wise_error_of_permutations_is_nominal(two_sided):
    """500 null groups: some voxel is found at 0.05 in the binomial interval of 99.9 % about it."""
    alpha, n_groups, n_perm = 0.05, 500, 99
    found = 0
    X = pd.DataFrame({"one": np.ones(8)})
    mask = nib.Nifti1Image(np.ones((4, 4, 4), np.uint8), np.eye(4))
    rng = np.random.default_rng(23)
    for seed in range(n_groups):
        imgs = nib.Nifti1Image(rng.normal(size=(4, 4, 4, 8)), np.eye(4))
        logp = non_parametric_inference(
            imgs, design_matrix=X, mask=mask, n_perm=n_perm, random_state=seed, two_sided_test=two_sided
        )
        found += bool((logp.get_fdata() >= -np.log10(alpha) - 1e-9).any())
    low, high = stats.binom.interval(0.999, n_groups, alpha)
    assert low <= found <= high
