"""Reductions equal their definitions, region by region, for every dtype and for values that are special."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from brainsieve.engine.spatial.reduce import REDUCTIONS, Reduce

DTYPES = [bool, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]
DTYPES += [np.float32, np.float64]

DEFINITIONS = {
    "median": np.median,
    "minimum": np.min,
    "maximum": np.max,
    "variance": np.var,
    "standard_deviation": np.std,
    "trimmed_mean": lambda v: stats.trim_mean(v, 0.1),
    "winsorized_mean": lambda v: stats.mstats.winsorize(v, (0.1, 0.1)).mean(),
    "mode": lambda v: stats.mode(v).mode,
    "count": np.count_nonzero,
}


def by_definition(codes, n_features, block, strategy):
    out = np.full((len(block), n_features), np.nan)
    for sample, values in enumerate(block.astype(np.float64)):
        for feature in np.unique(codes[codes >= 0]):
            out[sample, feature] = DEFINITIONS[strategy](values[codes == feature])
    return out


def test_every_reduction_has_a_definition_here():
    assert set(DEFINITIONS) == set(REDUCTIONS)


@pytest.mark.parametrize("strategy", REDUCTIONS)
@given(
    seed=st.integers(0, 9999),
    n_points=st.integers(1, 80),
    n_features=st.integers(1, 12),
    dtype=st.sampled_from(DTYPES),
    wide=st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_reductions_are_what_they_are_called(strategy, seed, n_points, n_features, dtype, wide):
    rng = np.random.default_rng(seed)
    codes = rng.integers(-1, n_features, n_points)
    low, high = (0, 2) if dtype is bool else (-4, 5)
    if np.dtype(dtype).kind == "u":
        low, high = 0, 9
    if wide and np.dtype(dtype).kind in "iu":
        # Within the whole numbers that float64 holds.
        info = np.iinfo(dtype)
        low, high = max(info.min, -(2**52)), min(info.max, 2**52)
    block = rng.integers(low, high, (2, n_points)).astype(dtype)
    got = Reduce.from_codes(codes, n_features, strategy).forward(block)
    assert_allclose(got, by_definition(codes, n_features, block, strategy), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinities_zeros_and_signs_are_ordered(dtype):
    codes = np.array([0] * 5 + [1] * 4)
    block = np.array([[np.inf, -0.0, 0.0, -np.inf, 1.0, -3.0, -2.0, -2.0, 5.0]], dtype=dtype)
    expected = {
        "median": [0, -2],
        "minimum": [-np.inf, -3],
        "maximum": [np.inf, 5],
        "mode": [0, -2],
        "count": [1, 4],
    }
    for strategy, values in expected.items():
        assert_array_equal(Reduce.from_codes(codes, 2, strategy).forward(block), [values])


@pytest.mark.parametrize("strategy", sorted(set(REDUCTIONS) - {"count"}))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_makes_its_region_nan_and_no_other(strategy, dtype):
    codes = np.repeat([0, 1, 2], 4)
    block = np.arange(12.0)[None].astype(dtype)
    expected = Reduce.from_codes(codes, 3, strategy).forward(block)
    for nan in (np.nan, -np.nan):
        block[0, 5] = nan
        got = Reduce.from_codes(codes, 3, strategy).forward(block)
        assert np.isnan(got[0, 1])
        assert_array_equal(got[0, [0, 2]], expected[0, [0, 2]])


def test_variance_of_a_small_spread_on_a_large_mean_is_accurate():
    values = 1e8 + np.random.default_rng(0).normal(size=(1, 5000))
    got = Reduce.from_codes(np.zeros(5000, int), 1, "variance").forward(values)
    assert got[0, 0] == pytest.approx(np.var(values), rel=1e-9)


@pytest.mark.parametrize("n", [3, 7, 11, 1000])
@pytest.mark.parametrize("value", [0.1, 1e8 / 3, -7e-9])
def test_variance_of_a_constant_is_zero(value, n):
    constant = np.full((1, n), value)
    assert Reduce.from_codes(np.zeros(n, int), 1, "standard_deviation").forward(constant)[0, 0] == 0


def test_no_region_at_all_is_nan():
    got = Reduce.from_codes(np.full(5, -1), 2, "median").forward(np.ones((2, 5)))
    assert got.shape == (2, 2) and np.isnan(got).all()
