"""Atlases on their own and on other domains, against plain loops; no masker takes part."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve.atlas import Labels, Maps, Mask, Points, Spheres, moved
from brainsieve.atlas.labels import checked_ids
from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.grayordinates import CORTEX_LEFT, CORTEX_RIGHT, Grayordinates, SurfaceModel
from brainsieve.engine.mesh import SurfaceVertices
from brainsieve.engine.source.surface import SurfaceSource
from brainsieve.exceptions import MeshDimensionError


def grid(shape=(5, 4, 3), voxel=2.0, shift=0.0):
    affine = np.diag([voxel] * 3 + [1.0])
    affine[:3, 3] = shift
    return VoxelGrid(shape, affine)


OWN = grid()
# One voxel to the right, and one row less: voxel (i, j, k) is (i + 1, j, k) of the first.
SHIFTED = grid((5, 3, 3), shift=(2.0, 0, 0))


def numbers_by_hand(origin, domain):
    """For each point of `domain` its number in `origin`, voxel by voxel."""
    found = []
    for k in range(domain.shape[2]):
        for j in range(domain.shape[1]):
            for i in range(domain.shape[0]):
                world = domain.affine @ [i, j, k, 1]
                voxel = np.round(np.linalg.solve(origin.affine, world)[:3]).astype(int)
                inside = (voxel >= 0).all() and (voxel < origin.shape).all()
                found.append(int(np.ravel_multi_index(voxel, origin.shape, order="F")) if inside else -1)
    return np.array(found)


def test_values_move_to_the_nearest_voxel():
    values = np.arange(100, 160)
    numbers = numbers_by_hand(OWN, SHIFTED)
    assert (numbers == -1).any()
    expected = np.where(numbers >= 0, values[numbers], -7)
    assert_array_equal(moved(values, OWN, SHIFTED, outside=-7), expected)
    assert moved(values, OWN, grid(), outside=0) is values


def vertices(left=4, right=3):
    return SurfaceVertices({"left": left, "right": right})


def test_vertices_are_matched_by_number_or_refused():
    values = np.arange(7.0)
    assert_array_equal(moved(values, vertices(), vertices(), 0), values)
    with pytest.raises(MeshDimensionError, match="left hemisphere of the image has 5 vertices"):
        moved(values, vertices(), vertices(left=5), 0)
    with pytest.raises(TypeError):
        moved(values, vertices(), OWN, 0)
    with pytest.raises(TypeError, match="A volume is needed here"):
        moved(np.zeros(60), OWN, vertices(), 0)


def gray(left, right):
    models = [SurfaceModel(CORTEX_LEFT, np.array(left), 10), SurfaceModel(CORTEX_RIGHT, np.array(right), 10)]
    return Grayordinates(tuple(models), None)


def test_grayordinates_are_matched_by_structure_and_number():
    own, other = gray([0, 2, 4, 6], [1, 3]), gray([4, 5, 6], [3, 9])
    assert_array_equal(moved(np.array([10, 12, 14, 16, 21, 23]), own, other, -1), [14, -1, 16, 23, -1])


# -- labels -------------------------------------------------------------------------------------------------


def label_values(seed=0, n_points=60):
    return np.random.default_rng(seed).integers(0, 4, n_points) * 5


def test_labels_average_the_points_of_each_id():
    values = label_values()
    atlas = Labels.of_values(values, OWN, labels=["a", "b", "c"])
    block = np.random.default_rng(1).normal(size=(3, 60))
    expected = np.stack([block[:, values == i].mean(axis=1) for i in (5, 10, 15)], axis=1)
    placed = atlas.on(OWN)
    assert_allclose(placed.operator("mean").forward(block), expected)
    assert_allclose(placed.operator("mean", folded=True).forward(block), expected)
    assert_allclose(placed.operator("maximum").forward(block)[:, 0], block[:, values == 5].max(axis=1))
    assert_array_equal(atlas.ids, [5, 10, 15])
    assert list(atlas.names) == ["a", "b", "c"] and len(placed.lost) == 0


def test_labels_go_back_as_a_broadcast_and_not_as_the_adjoint():
    values = label_values()
    placed = Labels.of_values(values, OWN).on(OWN)
    signals = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    expected = np.zeros((2, 60))
    for column, i in enumerate((5, 10, 15)):
        expected[:, values == i] = signals[:, [column]]
    assert_array_equal(placed.back(signals, np.float64), expected)
    assert_array_equal(placed.back(signals[0], np.float32), expected[0].astype(np.float32))
    # The operator takes what went back to what it was; its adjoint divides it among the points.
    assert_allclose(placed.operator("mean").forward(expected), signals)
    assert_allclose(placed.operator("mean").adjoint(signals) * placed.sizes[placed.codes], expected)


def test_labels_know_what_an_image_lacks():
    values = np.zeros(60, dtype=int)
    values[:5] = 1  # the first row: voxel 0 is outside the shifted grid
    values[15:20] = 2  # j = 3: outside
    atlas = Labels.of_values(values, OWN)
    placed = atlas.on(SHIFTED)
    assert_array_equal(placed.lost, [1])
    assert_array_equal(placed.sizes, [4, 0])
    assert np.isnan(placed.fill).all()
    expected, found = atlas.coverage(SHIFTED, np.ones(45, dtype=bool))
    assert_array_equal([expected, found], [[5, 5], [4, 0]])
    has = np.ones(45, dtype=bool)
    has[:2] = False
    assert_array_equal(atlas.coverage(SHIFTED, has)[1], [2, 0])


@pytest.mark.parametrize("keeps, columns, fills", [(None, 1, []), (False, 1, []), (True, 2, [0.0])])
def test_regions_outside_a_mask_are_dropped_or_kept_as_zeros(keeps, columns, fills):
    values = np.zeros(60, dtype=int)
    values[:5], values[10:15] = 1, 2
    inside = np.ones(60, dtype=bool)
    inside[10:15] = False
    with pytest.warns(UserWarning, match="1 regions of labels_img lie wholly outside mask_img.*'2'"):
        atlas = Labels.of_values(values, OWN, mask=Mask(OWN, inside), keeps_masked=keeps)
    assert atlas.n_features == columns
    assert_array_equal(atlas.on(OWN).fill, fills)
    with pytest.raises(ValueError, match="leaves no region"):
        Labels.of_values(values, OWN, mask=Mask(OWN, np.arange(60) > 50))


def test_a_mask_of_another_grid_is_placed_by_itself():
    values = np.ones(60, dtype=int)
    atlas = Labels.of_values(values, OWN, mask=Mask(SHIFTED, np.ones(45, dtype=bool)))
    numbers = numbers_by_hand(SHIFTED, OWN)
    assert_array_equal(atlas.on(OWN).codes, np.where(numbers >= 0, 0, -1))
    assert (atlas.on(SHIFTED).codes[numbers_by_hand(OWN, SHIFTED) >= 0] == 0).all()


def test_ids_keep_their_value_where_int32_is_too_narrow():
    values = np.zeros(60)
    values[:3], values[3:6] = 2.0**33, 7
    atlas = Labels.of_values(values, OWN)
    ids = atlas.on(OWN).ids(atlas.ids, 0)
    assert ids.dtype == np.int64 and np.unique(ids).tolist() == [0, 7, 2**33]


def test_ids_that_are_nothing_are_the_background():
    values = np.array([np.nan, np.inf, 1.0, 2.0004, 2.0])
    with pytest.warns(UserWarning, match="NaN or infinite|nearly whole") as said:
        assert_array_equal(checked_ids(values, 0), [0, 0, 1, 2, 2])
    assert len(said) == 2 and "NaN or infinite" in str(said[0].message)
    with pytest.raises(ValueError, match="every voxel is the background"):
        checked_ids(np.zeros(4, np.int8), 0)


# -- points, maps and spheres -------------------------------------------------------------------------------


def test_points_keep_the_order_of_their_own_grid():
    inside = np.random.default_rng(3).random(60) < 0.5
    atlas = Points(OWN, inside)
    volume = np.arange(60.0).reshape(OWN.shape, order="F")
    mask = inside.reshape(OWN.shape, order="F")
    block = volume.ravel(order="F")[None]
    assert_array_equal(atlas.on(OWN).operator().forward(block)[0], volume[mask])
    back = atlas.on(OWN).back(volume[mask], np.float64).reshape(OWN.shape, order="F")
    assert_array_equal(back, np.where(mask, volume, 0))
    # By number: those that the other lacks are lost, the others keep their columns.
    own, other = gray([0, 2, 4, 6], [1, 3]), gray([4, 5, 6], [3, 9])
    placed = Points(own, np.array([True, False, True, True, True, True])).on(other)
    assert_array_equal(placed.lost, [0, 3])
    assert_array_equal(placed.operator().forward(np.array([[1.0, 2, 3, 4, 5]]))[0], [0, 1, 3, 0, 4])
    assert_array_equal(placed.back(np.arange(10.0, 15.0), float), [11, 0, 12, 14, 0])


def maps(seed=0, n_maps=2):
    rng = np.random.default_rng(seed)
    return rng.random((n_maps, 7)) * (rng.random((n_maps, 7)) < 0.7)


def maps_of(weights, **options):
    parts = {"left": weights[:, :4].T, "right": weights[:, 4:].T}
    return Maps.of_source(SurfaceSource(vertices(), [parts], is_single=False), **options)


def test_maps_solve_least_squares_and_go_back_as_their_sum():
    weights = maps()
    placed = maps_of(weights).on(vertices())
    block = np.random.default_rng(1).normal(size=(3, 7))
    expected = np.linalg.lstsq(weights.T, block.T, rcond=None)[0].T
    assert_allclose(placed.operator("least_squares").forward(block), expected)
    mean = block @ (weights / weights.sum(axis=1, keepdims=True)).T
    assert_allclose(placed.operator("weighted_mean").forward(block), mean)
    signals = np.array([[1.0, -2.0]])
    assert_allclose(placed.back(signals, np.float64), signals @ weights)


def test_maps_that_share_a_point_are_named():
    weights = np.zeros((3, 7))
    weights[0, :3], weights[1, 4:], weights[2, 2] = 1, 1, 1
    with pytest.raises(ValueError, match="1 points have a positive weight.*vertex 2.*'0', '2'"):
        maps_of(weights).on(vertices()).refuse_overlap("vertex")
    maps_of(weights[:2]).on(vertices()).refuse_overlap("vertex")


def test_maps_without_weight_in_a_mask():
    weights = np.zeros((2, 7))
    weights[0, :3], weights[1, 4:] = 1, 2
    mask = Mask(vertices(), np.array([True, True, False, False, False, False, False]))
    with pytest.warns(UserWarning, match="1 maps of maps_img have no weight inside mask_img"):
        atlas = maps_of(weights, mask=mask, names=("a", "b"))
    assert atlas.n_features == 1 and atlas.names is None
    expected, found = atlas.coverage(vertices(), np.array([True] + [False] * 6))
    assert_array_equal([expected, found], [[2], [1]])


@pytest.mark.parametrize("radius", [2.0, 4.0, 0.0])
def test_spheres_take_the_voxels_within_their_radius(radius):
    atlas = Spheres(np.array([[4.0, 4.0, 2.0]]), np.array([radius]))
    placed = atlas.on(OWN)
    centres = [OWN.affine @ [i, j, k, 1] for k in range(3) for j in range(4) for i in range(5)]
    inside = np.array([np.linalg.norm(c[:3] - [4, 4, 2]) <= radius for c in centres])
    assert_array_equal(placed.members.toarray()[0].astype(bool), inside)
    expected, found = atlas.coverage(OWN, np.ones(60, dtype=bool))
    assert found == inside.sum() <= expected
    with pytest.raises(ValueError, match="seed 0 at .90.0, 0.0, 0.0."):
        Spheres(np.array([[90.0, 0, 0]]), np.array([1.0])).on(OWN)


def test_voxels_of_several_spheres_get_their_mean():
    atlas = Spheres(np.array([[4.0, 4.0, 2.0], [6.0, 4.0, 2.0]]), np.array([2.0, 2.0]))
    placed = atlas.on(OWN)
    back = placed.back(np.array([1.0, 3.0]), np.float64).reshape(OWN.shape, order="F")
    assert back[2, 2, 1] == back[3, 2, 1] == 2 and back[1, 2, 1] == 1 and back[4, 2, 1] == 3
    with pytest.raises(ValueError, match="1 pairs of spheres share voxels"):
        placed.refuse_overlap()


# -- all of them --------------------------------------------------------------------------------------------


def every_kind():
    return [
        Points(OWN, label_values() > 0),
        Labels.of_values(label_values(), OWN),
        maps_of(maps()),
        Spheres(np.array([[4.0, 4.0, 2.0]]), np.array([2.0])),
    ]


@pytest.mark.parametrize("number", range(4))
def test_atlases_are_immutable_pickle_and_have_a_key_of_their_contents(number):
    atlas, other = every_kind()[number], every_kind()[number]
    assert atlas.key == other.key == pickle.loads(pickle.dumps(atlas)).key
    assert len({each.key for each in every_kind()}) == 4
    with pytest.raises(AttributeError):
        atlas.domain = None
    domain = atlas.domain if hasattr(atlas, "domain") else OWN
    placed = atlas.on(domain)
    assert placed.nbytes > 0 and len(placed.sizes) == atlas.n_features


def test_keys_tell_what_numbers_depend_on():
    inside = np.ones(60, dtype=bool)
    half = inside.copy()
    half[:30] = False
    keys = {
        Points(OWN, inside).key,
        Points(OWN, half).key,
        Points(grid(shift=1.0), inside).key,
        Labels.of_values(label_values(), OWN).key,
        Labels.of_values(label_values(1), OWN).key,
        Labels.of_values(label_values(), OWN, mask=Mask(OWN, inside)).key,
        Labels.of_values(label_values(), OWN, mask=Mask(OWN, half)).key,
        Labels.of_values(label_values(), OWN, mask=Mask(grid(shift=1.0), inside)).key,
        maps_of(maps()).key,
        maps_of(maps(1)).key,
        Spheres(np.zeros((1, 3)), np.zeros(1)).key,
        Spheres(np.zeros((1, 3)), np.ones(1)).key,
    }
    assert len(keys) == 12


@pytest.mark.parametrize("lost", [False, True])
def test_columns_of_points_keep_their_order_where_an_image_counts_the_other_way(lost):
    """An image whose axes run backwards, and one whose structures come in another order."""
    affine = OWN.affine.copy()
    affine[0] = [-2.0, 0, 0, 2.0 * (4 - lost)]
    flipped = VoxelGrid((5, 4, 3), affine)
    inside = np.random.default_rng(0).random(60) > 0.5
    one, other = gray([1, 3, 5], [0, 2]), gray([1, 3, 5], [0, 2])
    turned = Grayordinates(one.models[::-1], None)
    if lost:
        turned = Grayordinates((one.models[1], SurfaceModel(CORTEX_LEFT, np.array([3, 5]), 10)), None)
    for own, there, mask in (
        (OWN, flipped, inside),
        (other, turned, np.array([True, False, True, True, True])),
    ):
        values = np.arange(own.n_points, dtype=float) + 1
        order = Points(own, mask).on(own).operator().forward(values[None])[0]
        seen = moved(values, own, there, outside=0)
        placed = Points(own, mask).on(there)
        here = placed.operator().forward(seen[None])[0]
        kept = np.setdiff1d(np.arange(len(order)), placed.lost)
        assert len(placed.lost) > 0 if lost else len(placed.lost) == 0
        assert_array_equal(here[kept], order[kept])
        assert_array_equal(placed.back(order, np.float64)[seen == 0], 0)
