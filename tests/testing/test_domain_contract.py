"""Every kind of domain keeps the contract."""

from __future__ import annotations

import numpy as np
import pytest

from brainsieve.engine.domain import Domain, VoxelGrid
from brainsieve.engine.grayordinates import Grayordinates, Parcels, SurfaceModel, VoxelModel
from brainsieve.engine.mesh import SurfaceVertices
from brainsieve.testing import DomainContract

AFFINE = np.array([[-3.0, 0, 0, 10], [0, 3, 0.5, -5], [0, 0, 4, 2], [0, 0, 0, 1]])


def moved(by_mm: float) -> np.ndarray:
    affine = AFFINE.copy()
    affine[0, 3] += by_mm
    return affine


class TestVoxelGrid(DomainContract):
    def make(self):
        return VoxelGrid((5, 4, 3), AFFINE)

    def same(self):
        # A thousandth of a voxel of 3 mm is what headers lose.
        return [VoxelGrid((5, 4, 3), moved(0.002)), VoxelGrid([5, 4, np.int64(3)], AFFINE.tolist())]

    def different(self):
        larger = AFFINE.copy()
        # The far corner, 4 voxels away, moves by 0.0016 voxels; the near ones stay.
        larger[0, 0] *= 1.0004
        return [
            VoxelGrid((5, 4, 3), moved(0.004)),
            VoxelGrid((5, 4, 3), larger),
            VoxelGrid((5, 3, 4), AFFINE),
            VoxelGrid((5, 4, 3), AFFINE @ np.diag([-1, 1, 1, 1])),
            SurfaceVertices({"left": 60}),
        ]


class TestSurfaceVertices(DomainContract):
    def make(self):
        return SurfaceVertices({"left": 5, "right": 4})

    def same(self):
        return [SurfaceVertices({"right": 4, "left": 5})]

    def different(self):
        return [
            SurfaceVertices({"left": 4, "right": 5}),
            SurfaceVertices({"left": 9}),
            VoxelGrid((9, 1, 1), np.eye(4)),
        ]


GRID = VoxelGrid((4, 4, 4), AFFINE)
VOXELS = np.array([[0, 1, 2], [3, 3, 3]])


def brain(vertices=(0, 2, 3), size=6, voxels=VOXELS, grid=GRID, name="CORTEX_LEFT"):
    return Grayordinates(
        (SurfaceModel(name, np.array(vertices), size), VoxelModel("THALAMUS_LEFT", voxels)), grid
    )


class TestGrayordinates(DomainContract):
    def make(self):
        return brain()

    def same(self):
        return [brain(grid=VoxelGrid((4, 4, 4), moved(0.002)))]

    def different(self):
        return [
            brain(vertices=(0, 2, 4)),
            brain(vertices=(0, 3, 2)),
            brain(size=7),
            brain(name="CORTEX_RIGHT"),
            brain(voxels=VOXELS[::-1]),
            brain(grid=VoxelGrid((4, 4, 4), moved(1.0))),
            VoxelGrid((5, 1, 1), np.eye(4)),
        ]


class TestParcels(DomainContract):
    def make(self):
        return Parcels(("a", "b"), brain(), np.array([0, 0, 1, 1, 0]))

    def different(self):
        return [
            Parcels(("a", "c"), brain(), np.array([0, 0, 1, 1, 0])),
            Parcels(("a", "b"), brain(), np.array([0, 1, 1, 1, 0])),
            Parcels(("a", "b"), brain(vertices=(0, 2, 4)), np.array([0, 0, 1, 1, 0])),
            brain(),
        ]


class TestParcelsWithoutPoints(DomainContract):
    def make(self):
        return Parcels(("a", "b"), None, np.zeros(0))

    def different(self):
        return [Parcels(("b", "a"), None, np.zeros(0)), TestParcels().make()]


class EqualToAll(Domain):
    n_points = 3
    fingerprint = "0123456789abcdef"

    def describe(self):
        return "three\nlines"

    def __eq__(self, other):
        return True


@pytest.mark.parametrize(
    "test",
    ["test_nothing_but_a_domain_is_equal", "test_other_points_differ", "test_it_names_itself_in_one_line"],
)
def test_a_domain_that_breaks_the_contract_is_caught(test):
    class Contract(DomainContract):
        def make(self):
            return EqualToAll()

        def different(self):
            return [TestVoxelGrid().make()]

    with pytest.raises(AssertionError):
        getattr(Contract(), test)()


def test_voxel_sizes_are_distances_between_neighbours_in_mm():
    sizes = np.array([0.8, 2.4375, 3.125])
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(sizes)
    grid = VoxelGrid((3, 3, 3), affine)
    here = affine @ [1, 1, 1, 1]
    neighbours = [affine @ [2, 1, 1, 1], affine @ [1, 2, 1, 1], affine @ [1, 1, 2, 1]]
    np.testing.assert_allclose(
        grid.voxel_sizes_mm, [np.linalg.norm(n - here) for n in neighbours], rtol=1e-12
    )
    np.testing.assert_allclose(grid.voxel_sizes_mm, sizes, rtol=1e-12)
    assert "0.8 × 2.44 × 3.12 mm" in grid.describe()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_an_affine_that_flattens_space_is_refused_whatever_its_units(scale):
    flat = np.diag([scale, scale, scale, 1.0])
    flat[:3, 2] = flat[:3, 0] + flat[:3, 1]
    with pytest.raises(ValueError, match="singular"):
        VoxelGrid((2, 2, 2), flat)
    thin = np.diag([scale, scale, 1e-4 * scale, 1.0])
    assert VoxelGrid((2, 2, 2), thin).n_points == 8
