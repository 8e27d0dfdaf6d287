"""Spheres on grids hold the voxels that a search over all of them finds."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.spatial import sphere
from brainsieve.engine.spatial.sphere import sphere_points, sphere_size


def by_search(grid: VoxelGrid, centre, radius: float) -> list[int]:
    """Points of all voxels that are near enough, one voxel at a time."""
    found, nearest = [], np.round(np.linalg.solve(grid.affine, [*centre, 1])[:3])
    for k in range(grid.shape[2]):
        for j in range(grid.shape[1]):
            for i in range(grid.shape[0]):
                where = grid.affine @ [i, j, k, 1]
                if np.linalg.norm(where[:3] - centre) <= radius or (nearest == [i, j, k]).all():
                    found.append(i + grid.shape[0] * (j + grid.shape[1] * k))
    return found


def grid_of(seed: int, oblique: bool, shape=(6, 5, 7)) -> VoxelGrid:
    rng = np.random.default_rng(seed)
    affine = np.diag([*rng.uniform(1, 4, 3) * rng.choice([-1, 1], 3), 1.0])
    if oblique:
        affine[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0] @ affine[:3, :3]
    affine[:3, 3] = rng.uniform(-5, 5, 3)
    return VoxelGrid(shape, affine)


@given(
    seed=st.integers(0, 9999),
    oblique=st.booleans(),
    radius=st.sampled_from([0.0, 0.5, 2.0, 5.0, 30.0]),
    chunk=st.sampled_from([1, 20, 2**18]),
)
@settings(deadline=None, max_examples=60)
def test_a_sphere_has_the_voxels_that_are_near_and_the_nearest(seed, oblique, radius, chunk):
    grid = grid_of(seed, oblique)
    voxel = np.random.default_rng(seed).uniform(-2, 8, 3)
    centre = (grid.affine @ [*voxel, 1])[:3]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sphere, "CHUNK_VOXELS", chunk)
        assert_array_equal(sphere_points(grid, centre, radius), by_search(grid, centre, radius))


def test_voxels_exactly_as_far_as_the_radius_are_inside():
    grid = VoxelGrid((9, 9, 9), np.diag([2.0, 2.0, 2.0, 1.0]))
    points = sphere_points(grid, np.array([8.0, 8.0, 8.0]), 2.0)
    # The centre and its six neighbours, 2 mm away.
    assert len(points) == 7
    assert sphere_size(grid, np.array([8.0, 8.0, 8.0]), 2.0) == 7


def test_halves_go_to_the_even_neighbour():
    grid = VoxelGrid((5, 5, 5), np.eye(4))
    assert sphere_points(grid, np.array([0.5, 1.5, 3.5]), 0.0).tolist() == [0 + 5 * (2 + 5 * 4)]


@pytest.mark.parametrize("radius", [0.0, 3.0, 7.5])
def test_a_sphere_that_leaves_the_grid_has_the_size_of_the_whole_one(radius):
    small, large = VoxelGrid((3, 3, 3), np.eye(4)), VoxelGrid((30, 30, 30), np.eye(4))
    inside = len(sphere_points(large, np.array([15.0, 15.0, 15.0]), radius))
    assert sphere_size(small, np.array([0.0, 0.0, 0.0]), radius) == inside
    assert len(sphere_points(small, np.array([0.0, 0.0, 0.0]), radius)) < inside or radius == 0


def test_a_sphere_between_voxels_has_the_nearest_one():
    grid, between = VoxelGrid((5, 5, 5), np.eye(4)), np.array([2.4, 2.4, 2.4])
    assert sphere_size(grid, between, 0.1) == 1
    assert sphere_points(grid, between, 0.1).tolist() == [2 + 5 * (2 + 5 * 2)]


def test_a_sphere_far_outside_has_no_voxel():
    grid = VoxelGrid((4, 4, 4), np.eye(4))
    assert sphere_points(grid, np.array([1e30, 0, 0]), 5.0).tolist() == []
    assert sphere_points(grid, np.array([100.0, 0, 0]), 0.0).tolist() == []


def test_the_volume_of_a_large_sphere_is_its_number_of_voxels(monkeypatch):
    grid = VoxelGrid((4, 4, 4), np.diag([2.0, 3.0, 2.5, 1.0]))
    centre = np.array([0.3, 0.2, 0.1])
    counted = sphere_size(grid, centre, 90.0)
    monkeypatch.setattr(sphere, "MOST_COUNTED", 0)
    assert sphere_size(grid, centre, 90.0) == pytest.approx(counted, rel=1e-3)


@pytest.mark.parametrize("radius", [2e3, 1e7])
def test_a_radius_beyond_any_head_takes_no_more_memory_than_the_voxels(radius):
    grid = VoxelGrid((60, 60, 60), np.diag([3.0, 3.0, 3.0, 1.0]))
    tracemalloc.start()
    points = sphere_points(grid, np.array([90.0, 90.0, 90.0]), radius)
    size = sphere_size(grid, np.array([90.0, 90.0, 90.0]), radius)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_array_equal(points, np.arange(grid.n_points))
    assert size == pytest.approx(4 / 3 * np.pi * radius**3 / 27, rel=1e-3)
    assert peak < 2**26
