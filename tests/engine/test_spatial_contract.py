"""Random operators on random grids keep the contract and equal SciPy on volumes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import linalg, ndimage, sparse

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.spatial.average import Average, Regions, SparseOperator
from brainsieve.engine.spatial.least_squares import LeastSquares
from brainsieve.engine.spatial.operator import compose
from brainsieve.engine.spatial.plan import fold
from brainsieve.engine.spatial.reduce import REDUCTIONS, Reduce
from brainsieve.engine.spatial.resample import SPLINE_ORDERS, Interpolate, resample
from brainsieve.engine.spatial.select import Select
from brainsieve.engine.spatial.separable import Separable
from brainsieve.engine.spatial.smooth import FastSmoothing, smooth
from brainsieve.testing import check_operator

some = settings(deadline=None, max_examples=25)
seeds = st.integers(0, 10_000)
shapes = st.tuples(*[st.integers(1, 9)] * 3)
# Volumes hold values of about 1; SciPy's interpolation and ours differ by the rounding of some hundred terms.
SAME = 1e-12


def random_affine(rng: np.random.Generator, kind: str) -> np.ndarray:
    linear = np.diag(rng.uniform(0.5, 3, 3) * rng.choice([-1, 1], 3))
    if kind == "permuted":
        linear = linear[:, rng.permutation(3)]
    if kind == "oblique":
        linear = linear @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3] = linear
    affine[:3, 3] = rng.uniform(-3, 3, 3)
    return affine


@st.composite
def grids(draw, kinds=("parallel", "permuted", "oblique")):
    """Two grids that overlap more or less, and how their axes lie."""
    rng = np.random.default_rng(draw(seeds))
    kind = draw(st.sampled_from(kinds))
    source = VoxelGrid(draw(shapes), random_affine(rng, "parallel"))
    target = VoxelGrid(draw(shapes), random_affine(rng, kind))
    return source, target


def by_scipy(volume, source, target, order):
    matrix = np.linalg.inv(source.affine) @ target.affine
    return ndimage.affine_transform(
        volume, matrix[:3, :3], matrix[:3, 3], target.shape, order=order, mode="constant"
    )


@given(pair=grids(), kind=st.sampled_from(list(SPLINE_ORDERS)), seed=seeds)
@settings(deadline=None, max_examples=80)
def test_resampling_of_any_grid_to_any_other_is_scipys(pair, kind, seed):
    source, target = pair
    volume = np.random.default_rng(seed).normal(size=source.shape)
    got = resample(source, target, kind).forward(source.flatten(volume)[None])[0]
    expected = by_scipy(volume, source, target, SPLINE_ORDERS[kind])
    assert_allclose(target.unflatten(got), expected, atol=SAME)


@given(pair=grids(), kind=st.sampled_from(list(SPLINE_ORDERS)), seed=seeds)
@some
def test_resampling_keeps_the_contract(pair, kind, seed):
    check_operator(resample(*pair, kind), seed)


@pytest.mark.parametrize("step", [0.5, 2.0, 3.0, 1.0])
@pytest.mark.parametrize("order", [0, 1, 3])
def test_the_last_voxel_of_grids_that_share_their_ends_is_scipys(step, order):
    # At the very edge rounding decides whether a point is inside: probing SciPy decides as it does.
    kind = {o: k for k, o in SPLINE_ORDERS.items()}[order]
    source = VoxelGrid((13, 7, 5), np.diag([2.0, 2.0, 2.0, 1.0]))
    shape = tuple(int((n - 1) / step) + 1 for n in source.shape)
    target = VoxelGrid(shape, np.diag([2.0 * step] * 3 + [1.0]))
    volume = np.random.default_rng(0).normal(size=source.shape)
    got = target.unflatten(resample(source, target, kind).forward(source.flatten(volume)[None])[0])
    expected = ndimage.affine_transform(volume, [step] * 3, 0, shape, order=order, mode="constant")
    assert_allclose(got, expected, atol=SAME)
    assert got[-1, -1, -1] != 0


def test_affines_that_lost_digits_in_a_header_stay_parallel():
    source = VoxelGrid((5, 6, 7), np.diag([2.0, 2.0, 2.0, 1.0]))
    noisy = np.diag([3.0, 3.0, 3.0, 1.0])
    noisy[0, 1] = 1e-8
    assert isinstance(resample(source, VoxelGrid((4, 4, 4), noisy)), Separable)
    noisy[0, 1] = 1e-3
    assert isinstance(resample(source, VoxelGrid((4, 4, 4), noisy)), Interpolate)


def test_an_unknown_interpolation_is_refused():
    grid = VoxelGrid((2, 2, 2), np.eye(4))
    with pytest.raises(ValueError, match="cubic"):
        resample(grid, grid, "cubic")


@given(shape=shapes, fwhm=st.tuples(*[st.sampled_from([None, 0, 1.0, 4.5, 9.0])] * 3), seed=seeds)
@some
def test_gaussian_smoothing_is_scipys(shape, fwhm, seed):
    grid = VoxelGrid(shape, np.diag([2.0, -1.5, 3.0, 1.0]))
    operator = smooth(grid, fwhm) if any(fwhm) else smooth(grid, None)
    check_operator(operator, seed)
    volume = np.random.default_rng(seed).normal(size=shape)
    expected = volume
    for axis, (width, size) in enumerate(zip(fwhm, (2.0, 1.5, 3.0), strict=True)):
        if width:
            expected = ndimage.gaussian_filter1d(expected, width / size / np.sqrt(8 * np.log(2)), axis=axis)
    got = grid.unflatten(operator.forward(grid.flatten(volume)[None])[0])
    assert_allclose(got, expected, atol=SAME)


@given(shape=shapes, seed=seeds)
@some
def test_fast_smoothing_is_a_convolution(shape, seed):
    grid = VoxelGrid(shape, np.eye(4))
    operator = smooth(grid, "fast")
    check_operator(operator, seed)
    kernel = 0.2 * ndimage.generate_binary_structure(3, 1)
    kernel[1, 1, 1] = 1
    volume = np.random.default_rng(seed).normal(size=shape)
    expected = ndimage.convolve(volume, kernel / 2.2, mode="constant")
    got = grid.unflatten(operator.forward(grid.flatten(volume)[None])[0])
    assert_allclose(got, expected, atol=SAME)


def test_fast_smoothing_of_float32_is_float32_and_of_ones_is_low_in_corners():
    smoothed = FastSmoothing((4, 4, 4)).forward(np.ones((1, 64), dtype=np.float32))
    assert smoothed.dtype == np.float32
    assert smoothed[0, 0] == pytest.approx(1.6 / 2.2)


@given(seed=seeds, n_points=st.integers(1, 60), n_features=st.integers(1, 20))
@some
def test_sums_over_points_keep_the_contract(seed, n_points, n_features):
    rng = np.random.default_rng(seed)
    codes = rng.integers(-1, n_features, n_points)
    check_operator(Average.from_codes(codes, n_features, "mean"), seed)
    check_operator(Average.from_codes(codes, n_features, "sum"), seed)
    check_operator(Regions.from_codes(codes, n_features, "mean"), seed)
    check_operator(Regions.from_codes(codes, n_features, "sum"), seed)
    check_operator(Select(rng.integers(0, n_points, n_features), n_points), seed)
    check_operator(Select(rng.permutation(n_points)[:n_features], n_points), seed)
    density = rng.uniform(0, 1)
    check_operator(
        SparseOperator(sparse.random_array((n_features, n_points), density=density, rng=rng)), seed
    )


@given(seed=seeds, n_points=st.integers(10, 60), n_maps=st.integers(1, 6))
@some
def test_least_squares_is_scipys_and_keeps_the_contract(seed, n_points, n_maps):
    rng = np.random.default_rng(seed)
    maps = rng.random((n_maps, n_points)) * rng.choice([1e-3, 1.0, 1e3], (n_maps, 1))
    maps[:, rng.random(n_points) < 0.2] = 0
    block = rng.normal(size=(3, n_points))
    expected = linalg.lstsq(maps.T, block.T)[0].T
    for form in (maps, sparse.csr_array(maps), maps.astype(np.float32)):
        operator = LeastSquares.from_maps(form)
        check_operator(operator, seed)
        tolerance = 1e-3 if form.dtype == np.float32 else 1e-8
        assert_allclose(
            operator.forward(block), expected, rtol=tolerance, atol=tolerance * np.abs(expected).max()
        )


def test_dependent_maps_share_their_signal():
    maps = np.array([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 2, 2]])
    signals = LeastSquares.from_maps(maps).forward(np.array([[4.0, 4, 3, 3]]))
    assert_allclose(signals, [[2, 2, 0, 1.5]], atol=1e-12)


def test_dependent_maps_of_different_sizes_have_the_signals_of_smallest_norm():
    rng = np.random.default_rng(0)
    maps = rng.random((5, 40))
    maps[1] = 10 * maps[0]
    maps[3] = maps[2] - 0.1 * maps[0]
    maps[4] = 0
    block = rng.normal(size=(2, 40))
    expected = linalg.lstsq(maps.T, block.T)[0].T
    assert_allclose(LeastSquares.from_maps(maps).forward(block), expected, atol=1e-10)


def test_a_map_of_tiny_weights_is_not_noise():
    rng = np.random.default_rng(0)
    maps = rng.random((2, 50))
    maps[1] *= 1e-12
    signals = np.array([[3.0, 5e12]])
    assert_allclose(LeastSquares.from_maps(maps).forward(signals @ maps), signals, rtol=1e-9)


def test_maps_that_are_not_finite_are_refused_by_position():
    maps = np.ones((3, 10))
    maps[1, 4] = np.nan
    with pytest.raises(ValueError, match="position 1"):
        LeastSquares.from_maps(maps)


@pytest.mark.parametrize("strategy", REDUCTIONS)
def test_reductions_keep_the_contract(strategy):
    codes = np.random.default_rng(0).integers(-1, 6, 80)
    check_operator(Reduce.from_codes(codes, 6, strategy))


@given(pair=grids(), seed=seeds, data=st.data())
@some
def test_chains_keep_the_contract(pair, seed, data):
    source, target = pair
    rng = np.random.default_rng(seed)
    steps = [resample(source, target, data.draw(st.sampled_from(list(SPLINE_ORDERS))))]
    steps.append(smooth(target, data.draw(st.sampled_from([2.0, "fast"]))))
    if data.draw(st.booleans()):
        steps.append(Average.from_codes(rng.integers(-1, 4, target.n_points), 4))
    check_operator(compose(steps), seed)
    check_operator(fold(steps), seed)


@pytest.mark.parametrize(
    "make, error, words",
    [
        (lambda: Select([0, 5], 5), ValueError, r"0 … 4; 1 of 2 do not, as 5"),
        (lambda: Select([-1], 5), ValueError, "do not, as -1"),
        (lambda: Select(np.array([True, False]), 2), TypeError, "flatnonzero"),
        (lambda: Select([0.5], 2), TypeError, "whole numbers"),
        (lambda: Average.from_codes(np.array([0, 3]), 2), ValueError, "below n_features=2"),
        (lambda: Average.from_codes(np.array([0.0]), 2), TypeError, "float64"),
        (lambda: Average.from_codes(np.array([0]), 2, "median"), ValueError, "'mean' or 'sum'"),
        (lambda: Reduce.from_codes(np.array([0]), 2, "mean"), ValueError, "median"),
        (lambda: Reduce.from_codes(np.zeros((2, 2), int), 2, "median"), TypeError, r"\(2, 2\)"),
    ],
)
def test_what_cannot_be_compiled_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make()
