"""What every spatial operator keeps, whatever it does: checks for one operator at a time."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve.engine.spatial.operator import SpatialOperator

# Sums of some hundred terms in float64, relative to the largest of them.
ROUNDING = 1e-11


def check_operator(operator: SpatialOperator, seed: int = 0) -> None:
    """Run every check that applies."""
    rng = np.random.default_rng(seed)
    block = rng.normal(10, 3, (3, operator.n_points))
    expected = operator.forward(block)
    scale = 1 + np.nanmax(np.abs(expected), initial=0)
    check_layouts_and_dtypes(operator, block, expected, scale)
    check_samples_do_not_mix(operator, block, expected, scale)
    check_support(operator, block, expected, scale)
    check_copies_and_threads(operator, block, expected)
    if operator.is_linear:
        check_linear(operator, block, expected, scale, rng)
    assert isinstance(operator.nbytes, int | np.integer) and operator.nbytes >= 0


def check_layouts_and_dtypes(operator, block, expected, scale):
    assert expected.shape == (3, operator.n_features)
    assert expected.dtype == np.float64
    assert operator.forward(block[:0]).shape == (0, operator.n_features)
    read_only = block.copy()
    read_only.setflags(write=False)
    assert_array_equal(operator.forward(read_only), expected)
    assert_array_equal(read_only, block)
    # As CIFTI files are read: samples run fastest.
    assert_allclose(operator.forward(np.asfortranarray(block)), expected, atol=ROUNDING * scale)
    wider = np.full((6, operator.n_points + 3), np.nan)
    wider[::2, :-3] = block
    assert_array_equal(operator.forward(wider[::2, :-3]), expected)
    out = np.full((3, operator.n_features), np.nan, dtype=np.float32)
    operator.forward_into(block, out)
    assert_allclose(out, expected, rtol=1e-6, atol=1e-6 * scale)
    for dtype in (bool, np.uint8, np.int16, np.uint16, np.int32, np.float32):
        typed = np.clip(block, 0, None).astype(dtype)
        from_typed = operator.forward(typed)
        in_float64 = operator.forward(typed.astype(np.float64))
        assert from_typed.dtype == np.float64 or dtype is np.float32
        tolerance = 1e-5 if dtype is np.float32 else ROUNDING
        assert_allclose(from_typed, in_float64, atol=tolerance * scale)


def check_samples_do_not_mix(operator, block, expected, scale):
    one_by_one = np.vstack([operator.forward(row[None]) for row in block])
    assert_allclose(one_by_one, expected, atol=ROUNDING * scale)
    assert_allclose(operator.forward(block[::-1]), expected[::-1], atol=ROUNDING * scale)


def check_support(operator, block, expected, scale):
    support = operator.support
    if support is None:
        return
    other = np.full_like(block, 1e9)
    other[:, support] = block[:, support]
    assert_array_equal(operator.forward(other), expected)
    moved = operator.renumbered(lambda points: points + 2, operator.n_points + 4)
    shifted = np.pad(other, [(0, 0), (2, 2)], constant_values=-5)
    assert moved.n_points == operator.n_points + 4
    assert_allclose(moved.forward(shifted), expected, atol=ROUNDING * scale)


def check_copies_and_threads(operator, block, expected):
    assert_array_equal(pickle.loads(pickle.dumps(operator)).forward(block), expected)
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(operator.forward, [block] * 8):
            assert_array_equal(result, expected)


def check_linear(operator, block, expected, scale, rng):
    other = rng.normal(size=block.shape)
    mixed = operator.forward(2 * block - other)
    assert_allclose(mixed, 2 * expected - operator.forward(other), atol=10 * ROUNDING * scale)
    signals = rng.normal(size=expected.shape)
    back = operator.adjoint(signals)
    assert back.shape == block.shape
    products = ((expected * signals).sum(), (block * back).sum())
    size = np.abs(expected * signals).sum() + np.abs(block * back).sum() + 1
    assert_allclose(*products, atol=ROUNDING * size)
    if operator.is_sparse:
        assert_allclose(block @ operator.tosparse().toarray().T, expected, atol=ROUNDING * scale)
