"""Every kind of spatial operator keeps the contract, and means what it says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg, ndimage, sparse

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.mesh import Mesh
from brainsieve.engine.spatial.average import Average, Regions, SparseOperator
from brainsieve.engine.spatial.least_squares import DenseMaps, LeastSquares
from brainsieve.engine.spatial.mesh_smoothing import mesh_steps, side_by_side
from brainsieve.engine.spatial.operator import SpatialOperator, compose
from brainsieve.engine.spatial.plan import fold
from brainsieve.engine.spatial.reduce import Reduce
from brainsieve.engine.spatial.resample import SPLINE_ORDERS, resample
from brainsieve.engine.spatial.select import Select
from brainsieve.engine.spatial.smooth import smooth
from brainsieve.testing import OperatorContract

GRID = VoxelGrid((7, 9, 8), np.diag([3.0, 2.5, 3.5, 1.0]))
SIGMA = 1 / np.sqrt(8 * np.log(2))


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
CODES = np.random.default_rng(1).integers(-1, 5, GRID.n_points)
# The last of six regions has no point.
N_REGIONS = 6


def on_volumes(block, work, source=GRID):
    """What a function of volumes makes of the rows of a block."""
    return np.stack([work(row.reshape(source.shape, order="F")).ravel(order="F") for row in block])


def region_means(block, divide=True):
    out = np.zeros((len(block), N_REGIONS))
    for code in range(N_REGIONS):
        for sample in range(len(block)):
            values = [x for x, c in zip(block[sample], CODES, strict=True) if c == code]
            out[sample, code] = sum(values) / (max(1, len(values)) if divide else 1)
    return out


class TestMean(OperatorContract):
    def make(self):
        return Average.from_codes(CODES, N_REGIONS)

    def meaning(self, block):
        return region_means(block)


class TestSum(OperatorContract):
    def make(self):
        return Average.from_codes(CODES, N_REGIONS, "sum")

    def meaning(self, block):
        return region_means(block, divide=False)


class TestRegionsByMean(TestMean):
    def make(self):
        return Regions.from_codes(CODES, N_REGIONS)


class TestRegionsBySum(TestSum):
    def make(self):
        return Regions.from_codes(CODES, N_REGIONS, "sum")


def maps(n=4):
    rng = np.random.default_rng(2)
    return rng.random((n, GRID.n_points)) * (rng.random((n, GRID.n_points)) > 0.5) * (CODES >= 1)


class TestSparseOperator(OperatorContract):
    def make(self):
        return SparseOperator(sparse.csr_array(maps()))

    def meaning(self, block):
        return np.array([[np.sum(row * weights) for weights in maps()] for row in block])


class TestDenseMaps(TestSparseOperator):
    def make(self):
        return DenseMaps(maps())


class TestLeastSquares(OperatorContract):
    tolerance = 1e-9

    def make(self):
        return LeastSquares.from_maps(maps())

    def meaning(self, block):
        return linalg.lstsq(maps().T, block.T)[0].T


class TestSparseLeastSquares(TestLeastSquares):
    def make(self):
        return LeastSquares.from_maps(sparse.csr_array(maps()))


POINTS = np.random.default_rng(3).permutation(GRID.n_points)[:50]


class TestSelect(OperatorContract):
    def make(self):
        return Select(POINTS, GRID.n_points)

    def meaning(self, block):
        return np.array([[row[point] for point in POINTS] for row in block])


class TestSelectTwice(OperatorContract):
    def make(self):
        return Select(np.array([3, 3, 0]), 9)

    def meaning(self, block):
        return np.stack([block[:, 3], block[:, 3], block[:, 0]], axis=1)


class TestSelectAll(OperatorContract):
    def make(self):
        return Select(np.arange(9), 9)

    def meaning(self, block):
        return block


class TestSelectNone(OperatorContract):
    def make(self):
        return Select(np.array([], dtype=int), 9)


class TestGaussian(OperatorContract):
    def make(self):
        return smooth(GRID, (6.0, None, 5.0))

    def meaning(self, block):
        sigmas = np.array([6.0, 0.0, 5.0]) * SIGMA / [3.0, 2.5, 3.5]
        return on_volumes(block, lambda volume: ndimage.gaussian_filter(volume, sigmas))


class TestFastSmoothing(OperatorContract):
    def make(self):
        return smooth(GRID, "fast")

    def meaning(self, block):
        kernel = 0.2 * ndimage.generate_binary_structure(3, 1)
        kernel[1, 1, 1] = 1
        return on_volumes(block, lambda volume: ndimage.convolve(volume, kernel / 2.2, mode="constant"))


def resampling_contract(target: VoxelGrid, interpolation: str) -> type:
    class Resampling(OperatorContract):
        def make(self):
            return resample(GRID, target, interpolation)

        def meaning(self, block):
            matrix = np.linalg.inv(GRID.affine) @ target.affine
            how = {"order": SPLINE_ORDERS[interpolation], "mode": "constant", "output_shape": target.shape}
            return on_volumes(
                block, lambda volume: ndimage.affine_transform(volume, matrix[:3, :3], matrix[:3, 3], **how)
            )

    return Resampling


for _name, _target in TARGETS.items():
    for _kind in SPLINE_ORDERS:
        _class = resampling_contract(_target, _kind)
        globals()[f"TestResample{_name.title()}{_kind.title()}"] = _class
del _class


class TestMedian(OperatorContract):
    def make(self):
        return Reduce.from_codes(CODES, N_REGIONS, "median")

    def meaning(self, block):
        out = np.full((len(block), N_REGIONS), np.nan)
        for code in range(5):
            out[:, code] = np.median(block[:, code == CODES], axis=1)
        return out


def octahedron() -> Mesh:
    points = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
    faces = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    return Mesh(points, np.array(faces))


class TestNeighboursOnAMesh(OperatorContract):
    def make(self):
        steps = mesh_steps(octahedron(), 2.0, "neighbours")
        return side_by_side([(6, steps[:1]), (3, [])])[0]

    def meaning(self, block):
        out = block.copy()
        opposite = [1, 0, 3, 2, 5, 4]
        for vertex in range(6):
            neighbours = [v for v in range(6) if v not in (vertex, opposite[vertex])]
            out[:, vertex] = 0.5 * block[:, vertex] + 0.5 * block[:, neighbours].mean(axis=1)
        return out


def smoothed_means(how: str) -> SpatialOperator:
    return fold([smooth(GRID, 5.0), smooth(GRID, "fast"), Average.from_codes(CODES, N_REGIONS)], how)


class TestChain(OperatorContract):
    def make(self):
        return compose([smooth(GRID, 5.0), smooth(GRID, "fast"), Average.from_codes(CODES, N_REGIONS)])

    def meaning(self, block):
        return TestMean().meaning(TestFastSmoothing().meaning(self.gaussian(block)))

    @staticmethod
    def gaussian(block):
        sigmas = 5.0 * SIGMA / np.array([3.0, 2.5, 3.5])
        return on_volumes(block, lambda volume: ndimage.gaussian_filter(volume, sigmas))


class TestStepwisePlan(TestChain):
    def make(self):
        return smoothed_means("stepwise")


class TestFoldedPlan(TestChain):
    # What folding drops.
    tolerance = 1e-6

    def make(self):
        return smoothed_means("folded")


class Doubled(SpatialOperator):
    """An operator that says it has a matrix, and has another one."""

    is_sparse = True

    def __init__(self):
        self.n_points = self.n_features = 4

    def _forward(self, block):
        return 2.0 * block

    def _adjoint(self, signals):
        return 2.0 * signals

    def tosparse(self):
        return sparse.csr_array(np.eye(4))


class KeepsWhatItSaw(Doubled):
    def _forward(self, block):
        block += 1
        return 2.0 * block


@pytest.mark.parametrize(
    "kind, test",
    [
        (Doubled, "test_its_matrix_is_what_it_does"),
        (Doubled, "test_it_gives_what_it_means"),
        (KeepsWhatItSaw, "test_the_input_is_neither_changed_nor_needed_contiguous"),
    ],
)
def test_an_operator_that_breaks_the_contract_is_caught(kind, test):
    class Contract(OperatorContract):
        def make(self):
            return kind()

        def meaning(self, block):
            return 3.0 * block

    with pytest.raises((AssertionError, ValueError)):
        getattr(Contract(), test)()
