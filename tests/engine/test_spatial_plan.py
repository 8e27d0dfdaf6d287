"""Plans give what their steps give, whichever way they are carried out, and are kept as they say."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import sparse

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.spatial import plan
from brainsieve.engine.spatial.average import Average, Regions, SparseOperator
from brainsieve.engine.spatial.least_squares import LeastSquares
from brainsieve.engine.spatial.operator import Chain, compose
from brainsieve.engine.spatial.plan import fold
from brainsieve.engine.spatial.reduce import Reduce
from brainsieve.engine.spatial.resample import resample
from brainsieve.engine.spatial.select import Select
from brainsieve.engine.spatial.separable import Separable
from brainsieve.engine.spatial.smooth import smooth
from brainsieve.testing import check_operator

# Weights below 1e-7 of a region's largest are dropped; together they change values by less than this share.
DROPPED = 1e-6

SOURCE = VoxelGrid((14, 12, 10), np.diag([3.0, 3.0, 3.0, 1.0]))


def target(kind: str) -> VoxelGrid:
    affine = np.diag([2.0, -2.5, 2.0, 1.0])
    affine[:3, 3] = [5.0, 30.0, 4.0]
    if kind == "permuted":
        affine = affine[:, [1, 2, 0, 3]]
    if kind == "oblique":
        turn = np.eye(4)
        turn[:2, :2] = [[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]]
        affine = turn @ affine
    return VoxelGrid((13, 9, 11), affine)


def blobs(grid: VoxelGrid, n_regions: int, seed: int) -> np.ndarray:
    """Codes of compact regions in the middle of a grid; the last region is empty."""
    rng = np.random.default_rng(seed)
    voxels = np.stack(np.unravel_index(np.arange(grid.n_points), grid.shape, order="F"), axis=1)
    centres = rng.uniform(2, np.array(grid.shape) - 2, (n_regions - 1, 3))
    distances = np.linalg.norm(voxels[:, None] - centres, axis=2)
    nearest = distances.argmin(axis=1)
    return np.where(distances.min(axis=1) < 3, nearest, -1)


def ends(grid: VoxelGrid, seed: int) -> dict:
    codes = blobs(grid, 5, seed)
    rng = np.random.default_rng(seed)
    maps = rng.random((3, grid.n_points)) * (codes >= 0)
    inside = np.flatnonzero(codes >= 0)
    return {
        "mean": Average.from_codes(codes, 5),
        "sum": Average.from_codes(codes, 5, "sum"),
        "regions": Regions.from_codes(codes, 5),
        "weights of both signs": SparseOperator(sparse.csr_array(maps - 0.5 * (codes >= 0))),
        "least squares": LeastSquares.from_maps(maps),
        "sparse least squares": LeastSquares.from_maps(sparse.csr_array(maps)),
        "select": Select(inside[::-1], grid.n_points),
        "median": Reduce.from_codes(codes, 5, "median"),
        "variance": Reduce.from_codes(codes, 5, "variance"),
    }


@given(
    kind=st.sampled_from(["parallel", "permuted", "oblique", None]),
    interpolation=st.sampled_from(["continuous", "linear", "nearest"]),
    fwhms=st.lists(st.sampled_from([4.0, (5.0, None, 3.0), "fast"]), max_size=2),
    end=st.sampled_from(list(ends(SOURCE, 0))),
    seed=st.integers(0, 999),
)
@settings(deadline=None, max_examples=80)
def test_every_way_to_carry_out_a_chain_gives_one_answer(kind, interpolation, fwhms, end, seed):
    grid, steps = SOURCE, []
    if kind is not None:
        grid = target(kind)
        steps.append(resample(SOURCE, grid, interpolation))
    steps += [smooth(grid, fwhm) for fwhm in fwhms]
    steps.append(ends(grid, seed)[end])
    block = np.random.default_rng(seed).normal(100, 10, (2, SOURCE.n_points))
    expected = block
    for step in steps:
        expected = step.forward(expected)
    size = np.nanmax(np.abs(expected))
    for how in ("auto", "folded", "stepwise"):
        made = fold(steps, how)
        assert_allclose(made.forward(block), expected, atol=DROPPED * size, err_msg=how)
        assert pickle.loads(pickle.dumps(made)).nbytes == made.nbytes


@pytest.mark.parametrize("kind", ["parallel", "permuted", "oblique"])
@pytest.mark.parametrize("fwhm", [None, 4.0, "fast"])
@pytest.mark.parametrize("how", ["folded", "stepwise"])
def test_plans_keep_the_contract_of_operators(kind, fwhm, how):
    grid = target(kind)
    steps = [resample(SOURCE, grid)]
    if fwhm is not None:
        steps.append(smooth(grid, fwhm))
    for end in ends(grid, 1).values():
        check_operator(fold([*steps, end], how))


def test_folding_makes_a_sparse_matrix_and_keeps_least_squares():
    grid = target("parallel")
    steps, made = [resample(SOURCE, grid), smooth(grid, 4.0)], ends(grid, 0)
    assert isinstance(fold([*steps, made["mean"]], "folded"), SparseOperator)
    assert isinstance(fold([*steps, made["least squares"]], "folded"), LeastSquares)
    assert isinstance(fold([*steps, made["mean"]], "stepwise"), Chain)


def test_auto_does_not_fold_into_more_weights_than_are_worth_it(monkeypatch):
    chain = [smooth(SOURCE, 4.0), ends(SOURCE, 0)["mean"]]
    monkeypatch.setattr(plan, "MOST_WEIGHTS", 10)
    assert isinstance(fold(chain), Chain)
    assert isinstance(fold(chain, "folded"), SparseOperator)


def test_steps_compute_only_what_the_selection_takes():
    inside = np.ravel_multi_index(([5, 6], [5, 5], [5, 6]), SOURCE.shape, order="F")
    chain = fold([smooth(SOURCE, 3.0), smooth(SOURCE, "fast"), Select(inside, SOURCE.n_points)])
    gaussian, fast, select = chain.steps
    assert fast.target_shape == (2, 1, 2)
    assert gaussian.target_shape == fast.source_shape == (4, 3, 4)
    assert select.n_points == 4


def test_a_region_outside_of_the_image_weighs_nothing():
    for kind in ("parallel", "oblique"):
        shifted = target(kind).affine.copy()
        shifted[0, 3] += 1000
        far = VoxelGrid(target(kind).shape, shifted)
        mean = Average.from_codes(np.zeros(far.n_points, int), 1)
        for how in ("folded", "stepwise"):
            made = fold([resample(SOURCE, far), mean], how)
            assert made.forward(np.ones((1, SOURCE.n_points)))[0, 0] == 0


def test_neighbouring_separable_steps_become_one():
    grid = target("permuted")
    both = compose([resample(SOURCE, grid), smooth(grid, 4.0)])
    assert isinstance(both, Separable)
    block = np.random.default_rng(0).normal(size=(2, SOURCE.n_points))
    expected = smooth(grid, 4.0).forward(resample(SOURCE, grid).forward(block))
    assert_allclose(both.forward(block), expected, atol=1e-12)
    assert_allclose((smooth(grid, 4.0) @ resample(SOURCE, grid)).forward(block), expected, atol=1e-12)


def test_chains_of_chains_are_flat():
    inner = compose([smooth(SOURCE, "fast"), smooth(SOURCE, 3.0)])
    outer = compose([inner, ends(SOURCE, 0)["median"]])
    assert [type(step).__name__ for step in outer.steps] == ["FastSmoothing", "Separable", "Reduce"]
    assert not outer.is_linear


def test_an_unknown_way_to_fold_is_refused():
    with pytest.raises(ValueError, match="stepwise"):
        fold([smooth(SOURCE, 3.0), smooth(SOURCE, 3.0)], "quickly")
