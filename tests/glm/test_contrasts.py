"""Contrasts: statistics by SciPy and the peer, sums over runs by the formula, expressions by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nilearn.glm import Contrast as Peer
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from brainsieve.glm import Contrast, expression_to_contrast_vector
from brainsieve.glm.contrasts import fixed_effects

RNG = np.random.default_rng(0)
EFFECT = np.concatenate([RNG.normal(size=20), [0, 40, -40, 1e-3, -3]])
VARIANCE = np.concatenate([RNG.random(20) + 0.1, [1, 1, 1, 0, np.nan]])
COLUMNS = ["face", "house", "face-1", "x_derivative", "constant"]


@pytest.mark.parametrize("dof", [7, 183.5, 1e10])
@pytest.mark.parametrize("baseline", [0.0, 0.7])
def test_t_statistics_are_those_of_scipy_and_of_the_peer(dof, baseline):
    ours, theirs = Contrast(EFFECT, VARIANCE, dof=dof), Peer(EFFECT, VARIANCE, dof=dof)
    t = (EFFECT - baseline) / np.sqrt(np.maximum(VARIANCE, 1e-50))
    assert_allclose(ours.stat(baseline), t, rtol=1e-15)
    assert_allclose(ours.p_value(baseline), stats.t.sf(t, dof), rtol=1e-12)
    assert_allclose(ours.one_minus_pvalue(baseline), stats.t.cdf(t, dof), rtol=1e-12)
    assert_allclose(ours.z_score(baseline), theirs.z_score(baseline), rtol=1e-12)


@pytest.mark.parametrize("dof", [7, 1e10])
@pytest.mark.parametrize("rows", [1, 3])
def test_f_statistics_are_those_of_scipy_and_of_the_peer(dof, rows):
    effect = RNG.normal(size=(rows, len(VARIANCE))) * np.geomspace(0.01, 30, len(VARIANCE))
    ours = Contrast(effect, VARIANCE, dof=dof, stat_type="F")
    f = (effect**2).sum(axis=0) / rows / np.maximum(VARIANCE, 1e-50)
    assert_allclose(ours.stat(), f, rtol=1e-13)
    assert_allclose(ours.p_value(), stats.f.sf(f, rows, dof), rtol=1e-10)
    theirs = Peer(effect, VARIANCE, dof=dof, stat_type="F")
    assert_allclose(ours.stat(1.0), theirs.stat(1.0), rtol=1e-13)
    assert_allclose(ours.z_score(), theirs.z_score(), rtol=1e-9, atol=1e-9)


def test_f_of_one_row_is_the_square_of_t():
    t, f = Contrast(EFFECT, VARIANCE, dof=9), Contrast(EFFECT[None], VARIANCE, dof=9, stat_type="F")
    assert_allclose(f.stat(), t.stat() ** 2, rtol=1e-13)


def test_z_ends_at_the_smallest_probability_and_nan_stays():
    z = Contrast([1e9, -1e9, 0, np.nan], [1.0, 1, 0, 1], dof=1e10).z_score()
    assert_allclose(z, [37.0470963, -37.0470963, 0, np.nan], atol=1e-6)


def test_nothing_is_kept_from_one_baseline_to_the_next():
    contrast = Contrast(EFFECT, VARIANCE, dof=12)
    fresh = Contrast(EFFECT, VARIANCE, dof=12).z_score(1.0)
    contrast.z_score()
    assert_array_equal(contrast.z_score(1.0), fresh)


def test_fixed_effects_are_the_mean_the_sum_of_variances_and_all_degrees_of_freedom():
    runs = [Contrast(RNG.normal(size=5), RNG.random(5), dof=dof) for dof in (10, 20, 33)]
    both = fixed_effects(runs)
    assert_allclose(both.effect, np.mean([run.effect for run in runs], axis=0), rtol=1e-14)
    assert_allclose(both.variance, np.sum([run.variance for run in runs], axis=0) / 9, rtol=1e-14)
    assert (both.dof, both.dim, both.stat_type) == (63, 1, "t")
    assert fixed_effects(runs[:1]) is runs[0]


def test_f_over_runs_is_told_to_be_approximate():
    one = Contrast(np.ones((2, 3)), np.ones(3), dof=10, stat_type="F")
    with pytest.warns(UserWarning, match="approximate"):
        both = fixed_effects([one, one])
    assert (both.dim, both.dof) == (2, 20)


def test_contrasts_of_other_kinds_are_not_added():
    t, f = Contrast(np.ones(3), np.ones(3)), Contrast(np.ones((2, 3)), np.ones(3), stat_type="F")
    with pytest.raises(ValueError, match="of one kind"):
        t + f
    with pytest.raises(ValueError, match=r"shapes \(3,\) and \(4,\)"):
        t + Contrast(np.ones(4), np.ones(4))


@pytest.mark.parametrize(
    "given, message",
    [
        (dict(effect=np.ones((1, 2, 3)), variance=np.ones(3)), "one or two dimensions"),
        (dict(effect=np.ones(3), variance=np.ones(4)), r"shape \(3,\)"),
        (dict(effect=np.ones(3), variance=np.ones((1, 3))), "variance must be"),
        (dict(effect=np.ones(3), variance=np.ones(3), stat_type="G"), "'t' or 'F'"),
    ],
    ids=["three dimensions", "other points", "rows of variance", "G"],
)
def test_shapes_that_do_not_fit_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Contrast(**given)


def test_several_rows_make_f_with_a_warning():
    with pytest.warns(UserWarning, match="2 rows"):
        assert Contrast(np.ones((2, 3)), np.ones(3)).stat_type == "F"


@pytest.mark.parametrize(
    "expression, weights",
    [
        ("face", [1, 0, 0, 0, 0]),
        ("face-1", [0, 0, 1, 0, 0]),
        ("`face-1` - house", [0, -1, 1, 0, 0]),
        ("face - house", [1, -1, 0, 0, 0]),
        ("face-house", [1, -1, 0, 0, 0]),
        ("-face + 2*house", [-1, 2, 0, 0, 0]),
        ("(face + house)/2 - constant", [0.5, 0.5, 0, 0, -1]),
        ("0.5 * (face - 1e1*(house + -constant)) * 2", [1, -10, 0, 0, 10]),
        ("face * (1/4)", [0.25, 0, 0, 0, 0]),
        (" x_derivative", [0, 0, 0, 1, 0]),
        ("face - face", [0, 0, 0, 0, 0]),
    ],
)
def test_expressions_are_sums_of_multiples_of_columns(expression, weights):
    assert_array_equal(expression_to_contrast_vector(expression, COLUMNS), weights)


@pytest.mark.parametrize(
    "expression, why",
    [
        ("face > house", "'>' means nothing"),
        ("face ** 2", "not expected"),
        ("face * house", "multiplied with each other"),
        ("face + 1", "a number is added"),
        ("1 - face", "a number is added"),
        ("face / house", "divides by a column"),
        ("face / 0", "divides by 0"),
        ("face -", "ends too early"),
        ("(face", "not closed"),
        ("face house", "'house' is not expected"),
        ("2", "no column"),
        ("", "ends too early"),
        ("fac", "no column 'fac'. Did you mean 'face'"),
        ("2face", "means nothing"),
        ("face-1 - house", "a number is added"),
        ("__import__('os')", "not expected|means nothing"),
        ("face if face else house", "'if' is not expected"),
    ],
)
def test_all_else_is_an_error_that_names_the_columns(expression, why):
    with pytest.raises(ValueError, match=why) as error:
        expression_to_contrast_vector(expression, COLUMNS)
    assert all(name in str(error.value) for name in COLUMNS)
    assert "`face-1`" in str(error.value)


@given(st.lists(st.tuples(st.sampled_from("+-"), st.integers(1, 9), st.sampled_from("abc")), min_size=1))
def test_sums_are_what_python_makes_of_them(terms):
    text = " ".join(f"{sign} {number} * {name}" for sign, number, name in terms)
    expected = np.zeros(3)
    for sign, number, name in terms:
        expected["abc".index(name)] += number if sign == "+" else -number
    assert_array_equal(expression_to_contrast_vector(text, list("abc")), expected)


def test_statistics_of_usual_points_are_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        contrast = Contrast(EFFECT, VARIANCE, dof=9)
        contrast.z_score(), contrast.p_value()
