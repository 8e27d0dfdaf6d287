"""Spatial operators equal their slow definitions, and are linear, adjoint and foldable as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import sparse, stats

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.spatial.average import Average, Regions
from brainsieve.engine.spatial.least_squares import LeastSquares
from brainsieve.engine.spatial.operator import Chain
from brainsieve.engine.spatial.plan import fold
from brainsieve.engine.spatial.reduce import Reduce
from brainsieve.engine.spatial.resample import Interpolate, resample
from brainsieve.engine.spatial.select import Select
from brainsieve.engine.spatial.separable import Separable
from brainsieve.engine.spatial.smooth import checked_fwhm, smooth

GRID = VoxelGrid((7, 9, 8), np.diag([3.0, 2.5, 3.5, 1.0]))


def turned(angle: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return matrix


def moved_affine() -> np.ndarray:
    affine = np.diag([2.2, -2.4, 2.0, 1.0])
    affine[:3, 3] = [1.3, 18.0, 0.7]
    return affine


TARGETS = {
    "parallel": VoxelGrid((8, 7, 11), moved_affine()),
    "permuted": VoxelGrid((8, 7, 11), moved_affine()[:, [2, 0, 1, 3]]),
    "oblique": VoxelGrid((8, 7, 11), moved_affine() @ turned(0.2)),
}


def codes(n_points: int = GRID.n_points, n_regions: int = 5) -> np.ndarray:
    return np.random.default_rng(1).integers(-1, n_regions, n_points)


@given(seed=st.integers(0, 1000), n_samples=st.integers(1, 5), n_regions=st.integers(1, 7))
@settings(deadline=None, max_examples=30)
def test_averages_are_the_means_and_sums_of_regions(seed, n_samples, n_regions):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(n_regions), rng.integers(-1, n_regions, 60)])
    block = rng.normal(100, 5, (n_samples, labels.size))
    means = np.stack([block[:, labels == i].mean(axis=1) for i in range(n_regions)], axis=1)
    sums = np.stack([block[:, labels == i].sum(axis=1) for i in range(n_regions)], axis=1)
    assert_allclose(Average.from_codes(labels, n_regions, "mean").forward(block), means, rtol=1e-12)
    assert_allclose(Average.from_codes(labels, n_regions, "sum").forward(block), sums, rtol=1e-12)


def test_sums_of_many_float32_are_accurate_to_float64():
    block = np.full((1, 2**20), 1000.1, dtype=np.float32)
    mean = Average.from_codes(np.zeros(2**20, dtype=int), 1).forward(block)
    assert mean[0, 0] == pytest.approx(float(np.float32(1000.1)), rel=1e-12)


BY_DEFINITION = {
    "median": lambda v: np.median(v, axis=1),
    "minimum": lambda v: v.min(axis=1),
    "maximum": lambda v: v.max(axis=1),
    "variance": lambda v: v.var(axis=1),
    "standard_deviation": lambda v: v.std(axis=1),
    "trimmed_mean": lambda v: stats.trim_mean(v, 0.1, axis=1),
    "winsorized_mean": lambda v: np.array([stats.mstats.winsorize(r, (0.1, 0.1)).mean() for r in v]),
    "mode": lambda v: stats.mode(v, axis=1).mode,
    "count": lambda v: np.count_nonzero(v, axis=1),
}


@pytest.mark.parametrize("strategy", BY_DEFINITION)
@pytest.mark.parametrize("dtype", [np.int16, np.float64])
def test_reductions_equal_their_definitions(strategy, dtype):
    rng = np.random.default_rng(5)
    labels = codes(400)
    block = rng.integers(0, 12, (4, 400)).astype(dtype)
    got = Reduce.from_codes(labels, 6, strategy).forward(block)
    for i in range(5):
        assert_allclose(got[:, i], BY_DEFINITION[strategy](block[:, labels == i].astype(float)), rtol=1e-12)
    assert np.isnan(got[:, 5]).all()


@pytest.mark.parametrize("target", TARGETS)
def test_grids_whose_axes_are_parallel_are_resampled_axis_by_axis(target):
    assert isinstance(resample(GRID, TARGETS[target]), Interpolate if target == "oblique" else Separable)


def test_least_squares_is_that_of_numpy_also_for_dependent_maps():
    rng = np.random.default_rng(9)
    maps = rng.normal(size=(5, 200))
    maps[3] = maps[0]
    maps[4] = 0
    block = rng.normal(size=(3, 200))
    expected = np.linalg.lstsq(maps.T, block.T, rcond=None)[0].T
    for form in (maps, sparse.csr_array(maps)):
        assert_allclose(LeastSquares.from_maps(form).forward(block), expected, atol=1e-10)


ENDS = {
    "mean": lambda n: Average.from_codes(codes(n), 5),
    "regions": lambda n: Regions.from_codes(codes(n), 5, "sum"),
    "least squares": lambda n: LeastSquares.from_maps(np.random.default_rng(0).random((3, n))),
    "select": lambda n: Select(np.random.default_rng(0).permutation(n)[:40], n),
    "median": lambda n: Reduce.from_codes(codes(n), 5, "median"),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("fwhm", [None, 5.0, "fast"])
def test_a_folded_plan_gives_what_its_parts_give(end, target, fwhm):
    grid = TARGETS[target]
    steps = [resample(GRID, grid)]
    if fwhm is not None:
        steps.append(smooth(grid, fwhm))
    steps.append(ENDS[end](grid.n_points))
    block = np.random.default_rng(10).normal(100, 10, (3, GRID.n_points))
    expected = block
    for step in steps:
        expected = step.forward(expected)
    for how in ("auto", "folded", "stepwise"):
        # Weights under 1e-7 of the largest of a region are dropped.
        assert_allclose(fold(steps, how).forward(block), expected, rtol=1e-5, atol=1e-5)


def test_chains_of_the_wrong_widths_are_refused():
    with pytest.raises(ValueError, match="takes 10 points"):
        Chain([smooth(GRID, 3.0), Select(np.arange(3), 10)])


@pytest.mark.parametrize(
    "fwhm, error, words",
    [
        (-1, ValueError, "not negative"),
        (np.nan, ValueError, "finite"),
        ((1, 2), ValueError, "one width or three"),
        ("quick", ValueError, "'fast'"),
        (True, TypeError, "number in mm"),
        ({"x": 1}, TypeError, "number in mm"),
    ],
)
def test_wrong_widths_of_smoothing_are_named(fwhm, error, words):
    with pytest.raises(error, match=words):
        checked_fwhm(fwhm)


def test_no_width_warns_and_does_not_smooth():
    with pytest.warns(UserWarning, match="does not smooth"):
        assert checked_fwhm(0) is None


def test_grids_are_equal_up_to_a_thousandth_of_a_voxel():
    shifted = GRID.affine.copy()
    shifted[0, 3] += 3.0 * 0.9e-3
    assert VoxelGrid(GRID.shape, shifted) == GRID
    shifted[0, 3] += 3.0 * 0.5e-3
    assert VoxelGrid(GRID.shape, shifted) != GRID


@pytest.mark.parametrize(
    "shape, affine, words",
    [
        ((2, 0, 2), np.eye(4), "three positive sizes"),
        ((2, 2, 2), np.zeros((4, 4)), "singular"),
        ((2, 2, 2), np.eye(3), r"\(4, 4\)"),
        ((2, 2, 2), np.full((4, 4), np.nan), "not finite"),
    ],
)
def test_impossible_grids_are_refused(shape, affine, words):
    with pytest.raises(ValueError, match=words):
        VoxelGrid(shape, affine)


def test_a_kernel_wider_than_memory_is_refused_before_it_is_made():
    with pytest.raises(ValueError, match=r"A FWHM of 1e\+09 mm is 4e\+08 voxels"):
        smooth(GRID, 1e9)
