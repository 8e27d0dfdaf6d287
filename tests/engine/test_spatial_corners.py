"""Where operators work in parts, at ties and at edges: the places in which one-line faults hid."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage, sparse

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.mesh import Mesh
from brainsieve.engine.spatial import average, least_squares, plan
from brainsieve.engine.spatial.average import Average, SparseOperator
from brainsieve.engine.spatial.least_squares import DenseMaps, LeastSquares
from brainsieve.engine.spatial.mesh_smoothing import n_iterations
from brainsieve.engine.spatial.operator import Chain, compose
from brainsieve.engine.spatial.plan import fold
from brainsieve.engine.spatial.reduce import Reduce
from brainsieve.engine.spatial.resample import interpolation_rows, resample
from brainsieve.engine.spatial.separable import Separable


@pytest.mark.parametrize("chunk", [1, 7, 10, 23])
def test_dense_maps_in_chunks_are_the_whole_matrix(chunk, monkeypatch):
    monkeypatch.setattr(least_squares, "CHUNK_POINTS", chunk)
    rng = np.random.default_rng(0)
    maps, block, signals = rng.normal(size=(4, 23)), rng.normal(size=(3, 23)), rng.normal(size=(3, 4))
    operator = DenseMaps(maps)
    assert_allclose(operator.forward(block), block @ maps.T)
    assert_allclose(operator.adjoint(signals), signals @ maps)
    assert_allclose(operator.gram(), maps @ maps.T)
    expected = np.linalg.lstsq(maps.T, block.T, rcond=None)[0].T
    assert_allclose(LeastSquares.from_maps(maps).forward(block), expected)


@pytest.mark.parametrize("tile", [1, 30, 61])
def test_blocks_in_which_time_runs_fastest_are_taken_whole_in_tiles(tile, monkeypatch):
    monkeypatch.setattr(average, "TILE_VALUES", tile)
    rng = np.random.default_rng(tile)  # other numbers than those that freed memory may still hold
    matrix = rng.random((3, 15)) * (rng.random((3, 15)) > 0.5)
    block = rng.normal(size=(9, 15))
    got = SparseOperator(sparse.csr_array(matrix)).forward(np.asfortranarray(block))
    assert_allclose(got, block @ matrix.T)


def test_a_matrix_that_is_given_is_not_tidied_in_place():
    matrix = sparse.csr_array(
        (np.array([1.0, 2, 3, 4]), np.array([3, 1, 1, 0]), np.array([0, 3, 4])), shape=(2, 5)
    )
    before = [part.copy() for part in (matrix.data, matrix.indices, matrix.indptr)]
    operator = SparseOperator(matrix)
    for part, old in zip((matrix.data, matrix.indices, matrix.indptr), before, strict=True):
        np.testing.assert_array_equal(part, old)
    assert_allclose(operator.tosparse().toarray(), [[0, 5, 0, 1, 0], [4, 0, 0, 0, 0]])


def test_a_range_of_points_comes_with_the_features_that_it_touches_alone():
    codes = np.repeat(np.arange(6), 5)
    rows, part = Average.from_codes(codes, 6).ranges().at(slice(8, 17))
    np.testing.assert_array_equal(rows, [1, 2, 3])
    assert_allclose(part.tosparse().toarray(), 0.2 * (codes[8:17] == rows[:, None]))


@pytest.mark.parametrize("strategy", ["mean", "sum"])
@pytest.mark.parametrize("folded", [False, True])
def test_a_code_that_is_no_feature_is_refused(strategy, folded):
    kind = average.Regions if folded else Average
    with pytest.raises(ValueError, match="below n_features=3; they go up to 3"):
        kind.from_codes(np.array([0, 3, 1]), 3, strategy)


def test_a_chain_costs_what_its_steps_cost():
    steps = [Separable([np.ones((3, 4)), np.eye(4), np.eye(4)]), SparseOperator(sparse.eye_array(48))]
    chain = Chain(steps)
    assert chain.is_costly and not Chain(steps[1:]).is_costly
    assert (chain.nbytes, chain.work) == (sum(s.nbytes for s in steps), sum(s.work for s in steps))


@pytest.mark.parametrize("room", [1, 3, 100])
def test_weights_that_move_back_grow_over_the_room_that_is_there_for_them(room, monkeypatch):
    monkeypatch.setattr("brainsieve.engine.spatial.grid.FIRST_WEIGHTS", room)
    rng = np.random.default_rng(0)
    matrices = [rng.random((n, n)) for n in (4, 3, 5)]
    codes = np.r_[np.zeros(3, int), np.ones(50, int), np.full(7, 2)]
    folded = fold([Separable(matrices), Average.from_codes(codes, 3)], "folded")
    block = rng.normal(size=(2, 60))
    volumes = block.reshape(2, 5, 3, 4)
    mixed = np.einsum("ai,bj,ck,tkji->tcba", *matrices, volumes).reshape(2, 60)
    expected = np.stack([mixed[:, codes == f].mean(axis=1) for f in range(3)], axis=1)
    assert_allclose(folded.forward(block), expected, rtol=1e-6)


def test_maps_that_nearly_depend_on_each_other_are_told_apart():
    """A singular value of 1e-5 of the largest is signal; its square, an eigenvalue, is 1e-10."""
    rng = np.random.default_rng(1)
    first = rng.normal(size=50)
    maps = np.stack([first, first + 1e-5 * rng.normal(size=50)])
    signals = rng.normal(size=(3, 2))
    assert_allclose(LeastSquares.from_maps(maps).forward(signals @ maps), signals, rtol=1e-4)


@pytest.mark.parametrize("degrees", [0.0, 1e-4, 0.01, 0.3])
@pytest.mark.parametrize("interpolation, order", [("continuous", 3), ("linear", 1)])
def test_grids_that_are_turned_by_little_are_not_taken_for_parallel(degrees, interpolation, order):
    angle = np.deg2rad(degrees)
    turned = np.eye(4)
    turned[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turned[:3, 3] = 1.3, 2.1, 1.7
    source, target = VoxelGrid((9, 8, 7), np.eye(4)), VoxelGrid((5, 5, 4), turned)
    volume = np.random.default_rng(0).normal(size=source.shape)
    moved = ndimage.affine_transform(
        volume, turned[:3, :3], turned[:3, 3], output_shape=target.shape, order=order, mode="constant"
    )
    got = resample(source, target, interpolation).forward(source.flatten(volume)[None])
    assert_allclose(got[0], target.flatten(moved), atol=1e-7)


@pytest.mark.parametrize("interpolation", ["continuous", "linear", "nearest"])
@pytest.mark.parametrize("degrees", [0.0, 20.0])
def test_a_part_of_a_part_of_a_resampling_gives_its_voxels(interpolation, degrees):
    angle = np.deg2rad(degrees)
    turned = np.eye(4)
    turned[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    whole = resample(VoxelGrid((6, 5, 1), np.eye(4)), VoxelGrid((5, 4, 1), turned), interpolation)
    block = np.random.default_rng(0).normal(size=(2, 30))
    some, fewer = np.array([3, 4, 7, 8, 9, 14]), np.array([4, 8, 14])
    part, number = whole.restricted(some)
    smaller, number_there = part.restricted(number(fewer))
    got = smaller.forward(block)[:, number_there(number(fewer))]
    assert_allclose(got, whole.forward(block)[:, fewer], atol=1e-12)


def test_more_regions_than_16_bits_count_are_told_apart():
    n = 70_000
    codes = np.random.default_rng(2).permutation(n)
    block = np.arange(n, dtype=np.float64)[None]
    got = Average.from_codes(codes, n).forward(block)
    assert_allclose(got[0, codes], block[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_minus_zero_is_zero_for_the_mode_and_the_median(dtype):
    values = np.array([[-0.0, 0.0, 0.0, -0.0, 5.0, 5.0, 5.0]], dtype=dtype)
    assert Reduce.from_codes(np.zeros(7, int), 1, "mode").forward(values)[0, 0] == 0
    assert Reduce.from_codes(np.zeros(7, int), 1, "median").forward(values)[0, 0] == 0


@pytest.mark.parametrize("order", [0, 1, 3])
def test_points_on_edges_and_halves_are_interpolated_as_scipy_does(order):
    shape = (5, 4, 3)
    at = [[0.0, 0.5, 1.5, 2.5, 3.5, 4.0], [0.0, 1.5, 2.5, 3.0], [0.0, 0.5, 1.5, 2.0]]
    coordinates = np.array(list(itertools.product(*at))).T
    coefficients = np.random.default_rng(3).normal(size=shape)
    got = interpolation_rows(coordinates, shape, order) @ coefficients.ravel(order="F")
    expected = ndimage.map_coordinates(
        coefficients, coordinates, order=order, mode="constant", prefilter=False
    )
    assert_allclose(got, expected, atol=1e-12)


def test_separable_operators_that_turn_axes_differently_merge_into_what_they_do_in_turn():
    rng = np.random.default_rng(4)
    block = rng.normal(size=(2, 2 * 3 * 4))
    for one, two in itertools.product(itertools.permutations(range(3)), repeat=2):
        first = Separable([rng.normal(size=(n + 1, n)) for n in (2, 3, 4)], one)
        second = Separable([rng.normal(size=(2, n)) for n in first.target_shape], two)
        both = compose([first, second])
        assert isinstance(both, Separable)
        assert_allclose(both.forward(block), second.forward(first.forward(block)), atol=1e-12)


def test_a_product_of_sparse_steps_that_fills_up_is_not_made(monkeypatch):
    rng = np.random.default_rng(5)
    spread = SparseOperator(sparse.csr_array(rng.random((30, 30))))
    mean = Average.from_codes(np.arange(30) % 3, 3)
    monkeypatch.setattr(plan, "MOST_WEIGHTS", 20)
    assert isinstance(fold([spread, mean]), Chain)
    block = rng.normal(size=(2, 30))
    expected = mean.forward(spread.forward(block))
    assert_allclose(fold([spread, mean]).forward(block), expected)
    assert_allclose(fold([spread, mean], "folded").forward(block), expected)


def test_rounds_of_averaging_are_those_of_the_formula():
    # Two triangles of 50 mm² each over four vertices: 25 mm² for a vertex on average.
    mesh = Mesh(
        np.array([[0.0, 0, 0], [10, 0, 0], [0, 10, 0], [10, 10, 0]]), np.array([[0, 1, 2], [1, 3, 2]])
    )
    sigma = 40 / np.sqrt(8 * np.log(2))
    # 1.14 · 4π · 288.5 / 175 = 23.6 (Hagler et al. 2006).
    assert n_iterations(mesh, 40.0) == round(1.14 * 4 * np.pi * sigma**2 / (7 * 25)) == 24
