"""Resampling between voxel grids, as `scipy.ndimage.affine_transform` with ``mode="constant"`` and 0 outside.

Where the axes of the grids are parallel, in whatever order and direction, the operator is separable and its
axis matrices are SciPy's own routine applied to the identity. Otherwise SciPy interpolates volumes, and rows
of the matrix are made for the target points that an average needs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from brainsieve.engine.domain import VoxelGrid, apply_affine
from brainsieve.engine.lazy import lazy_property
from brainsieve.engine.spatial.grid import GridOperator, Shape
from brainsieve.engine.spatial.operator import Renumber, SpatialOperator
from brainsieve.engine.spatial.separable import Separable

SPLINE_ORDERS = {"continuous": 3, "linear": 1, "nearest": 0}
# Off-axis entries of the voxel-to-voxel matrix below this share of the largest are 0: over 300 voxels they
# move a point by 3e-5 of a voxel, less than affines lose in the float32 of headers.
PARALLEL_TOLERANCE = 1e-7
# Entries of axis matrices below this share of their row's largest are 0: splines have no end, float64 has.
NEGLIGIBLE_ENTRY = 1e-17
# Target points whose rows are made at a time; a cubic spline takes 64 voxels for each.
CHUNK_POINTS = 2**15
# Nanoseconds that SciPy takes for a target point, by order of the spline.
NS_PER_POINT = {0: 15.0, 1: 25.0, 3: 140.0}


def resample(source: VoxelGrid, target: VoxelGrid, interpolation: str = "continuous") -> SpatialOperator:
    """Resampling from one grid to another.

    Parameters
    ----------
    source, target : VoxelGrid
    interpolation : {"continuous", "linear", "nearest"}, default="continuous"
        Cubic B-splines, linear, or the nearest voxel.

    Returns
    -------
    operator : SpatialOperator
        Linear; target voxels outside the source are 0. Overshoot is not clipped.

    Raises
    ------
    ValueError
        If the interpolation is unknown.
    """
    if interpolation not in SPLINE_ORDERS:
        raise ValueError(f"interpolation must be one of {', '.join(SPLINE_ORDERS)}; not {interpolation!r}.")
    order = SPLINE_ORDERS[interpolation]
    matrix = np.linalg.inv(source.affine) @ target.affine
    axes = parallel_axes(matrix)
    if axes is None:
        return Interpolate(source.shape, target.shape, matrix, order)
    matrices: list[NDArray] = [np.empty(0)] * 3
    for target_axis, source_axis in enumerate(axes):
        matrices[source_axis] = axis_matrix(
            source.shape[source_axis],
            target.shape[target_axis],
            matrix[source_axis, target_axis],
            matrix[source_axis, 3],
            order,
        )
    return Separable(matrices, axes)


def parallel_axes(matrix: NDArray) -> tuple[int, int, int] | None:
    """Source axis along which each target axis runs; None where the grids are oblique to each other."""
    linear = np.abs(matrix[:3, :3])
    largest = linear.argmax(axis=0)
    if sorted(largest) != [0, 1, 2]:
        return None
    others = linear.copy()
    others[largest, np.arange(3)] = 0
    if (others > PARALLEL_TOLERANCE * linear.max(axis=0)).any():
        return None
    return (int(largest[0]), int(largest[1]), int(largest[2]))


def axis_matrix(n_source: int, n_target: int, step: float, start: float, order: int) -> NDArray[np.float64]:
    """Resampling along an axis, (n_target, n_source): SciPy's, probed with the identity."""
    columns = [
        ndimage.affine_transform(
            unit, [step], offset=start, output_shape=(n_target,), order=order, mode="constant"
        )
        for unit in np.eye(n_source)
    ]
    matrix = np.stack(columns, axis=1)
    size = np.abs(matrix)
    matrix[size < NEGLIGIBLE_ENTRY * size.max(axis=1, keepdims=True)] = 0
    return matrix


class Interpolate(GridOperator):
    """Resampling between grids that are oblique to each other.

    Parameters
    ----------
    source_shape, target_shape : tuple of 3 int
    matrix : array of shape (4, 4)
        From voxels of the target to voxels of the source.
    order : {0, 1, 3}
        Of the spline.
    points : array of int, optional
        The target points wanted, in this order. Default: all.
    """

    def __init__(
        self,
        source_shape: Shape,
        target_shape: Shape,
        matrix: NDArray[np.float64],
        order: int,
        points: NDArray[np.intp] | None = None,
    ) -> None:
        self.source_shape, self.target_shape = source_shape, target_shape
        self._matrix, self._order = matrix, order
        self._points = points
        self.n_points = int(np.prod(source_shape))
        self.n_features = int(np.prod(target_shape)) if points is None else len(points)

    @property
    def work(self) -> float:
        return NS_PER_POINT[self._order] * self.n_features + (
            50.0 * self.n_points if self._order > 1 else 0.0
        )

    @property
    def nbytes(self) -> int:
        return 0 if self._points is None else self._points.nbytes + 24 * len(self._points)

    def restricted(self, points: NDArray[np.intp]) -> tuple[Interpolate, Renumber]:
        """The operator for some target points alone."""
        wanted = np.unique(points)
        chosen = wanted if self._points is None else self._points[wanted]
        made = Interpolate(self.source_shape, self.target_shape, self._matrix, self._order, chosen)
        return made, Positions(wanted)

    def _forward(self, block: NDArray) -> NDArray:
        dtype = np.float32 if block.dtype == np.float32 else np.float64
        out = np.empty((len(block), self.n_features), dtype=dtype)
        for row, features in zip(block, out, strict=True):
            volume = row.reshape(self.source_shape, order="F").astype(np.float64)
            if self._order > 1:
                volume = ndimage.spline_filter(volume, self._order, mode="mirror")
            features[...] = self._interpolated(volume)
        return out

    def _interpolated(self, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        how = {"order": self._order, "mode": "constant", "prefilter": False}
        if self._points is not None:
            return np.asarray(ndimage.map_coordinates(coefficients, self._kept_coordinates, **how))
        linear, offset = self._matrix[:3, :3], self._matrix[:3, 3]
        volume = ndimage.affine_transform(coefficients, linear, offset, self.target_shape, **how)
        return np.asarray(volume).ravel(order="F")

    @lazy_property
    def _kept_coordinates(self) -> NDArray[np.float64]:
        return self._coordinates(np.arange(self.n_features))

    def _coordinates(self, features: NDArray[np.intp]) -> NDArray[np.float64]:
        """Where features lie among source voxels: (3, n)."""
        points = features if self._points is None else self._points[features]
        voxels = np.stack(np.unravel_index(points, self.target_shape, order="F"), axis=-1)
        return np.ascontiguousarray(apply_affine(self._matrix, voxels).T)

    def _adjoint(self, signals: NDArray) -> NDArray:
        out = np.zeros((len(signals), self.n_points))
        for chunk in _chunks(np.arange(self.n_features)):
            rows = interpolation_rows(self._coordinates(chunk), self.source_shape, self._order)
            out += signals[:, chunk] @ rows
        return out if self._prefilter is None else self._prefilter.adjoint(out)

    def adjoint_of_points(
        self, points: NDArray[np.intp], weights: NDArray[np.float64], negligible: float
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Aᵀ of weights of some target points: summed on spline coefficients, then through the prefilter."""
        parts = []
        for chunk in _chunks(np.arange(len(points))):
            coordinates = self._coordinates(points[chunk])
            inside, columns, values = spline_weights(coordinates, self.source_shape, self._order)
            parts.append(_summed(columns.ravel(), (values * weights[chunk][inside, None]).ravel()))
        if not parts:
            return points, weights
        used, sums = _summed(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))
        if self._prefilter is not None:
            return self._prefilter.adjoint_of_points(used, sums, negligible)
        kept = np.abs(sums) > negligible * np.abs(sums).max(initial=0.0)
        return used[kept], sums[kept]

    @lazy_property
    def _prefilter(self) -> Separable | None:
        """From voxels to spline coefficients; None where they are the same."""
        if self._order <= 1:
            return None
        return Separable([_spline_filter_matrix(n, self._order) for n in self.source_shape])


class Positions:
    """Number of each point in an ascending list. A class, so that plans can be pickled."""

    def __init__(self, points: NDArray[np.intp]) -> None:
        self.points = points

    def __call__(self, points: NDArray[np.intp]) -> NDArray[np.intp]:
        return np.searchsorted(self.points, points)


def _chunks(features: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    return (features[start : start + CHUNK_POINTS] for start in range(0, len(features), CHUNK_POINTS))


def _summed(points: NDArray[np.intp], weights: NDArray) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Points, ascending and each once, with the sum of their weights."""
    if not len(points):
        return points, weights
    first = int(points.min())
    sums = np.bincount(points - first, weights)
    used = np.flatnonzero(sums)
    return used + first, np.asarray(sums[used], dtype=np.float64)


def _spline_filter_matrix(n: int, order: int) -> NDArray[np.float64]:
    columns = [ndimage.spline_filter1d(unit, order, mode="mirror") for unit in np.eye(n)]
    matrix = np.stack(columns, axis=1)
    matrix[np.abs(matrix) < NEGLIGIBLE_ENTRY * np.abs(matrix).max()] = 0
    return matrix


def interpolation_rows(coordinates: NDArray, shape: Shape, order: int) -> sparse.csr_array:
    """Spline weights of points among voxels: (n, n_voxels), rows of zeros outside the grid.

    Parameters
    ----------
    coordinates : array of shape (3, n)
        In voxels.
    """
    inside, columns, values = spline_weights(coordinates, shape, order)
    counts = np.where(inside, columns.shape[1], 0)
    matrix = sparse.csr_array(
        (values.ravel(), columns.ravel(), np.concatenate([[0], np.cumsum(counts)])),
        shape=(len(inside), int(np.prod(shape))),
    )
    matrix.sum_duplicates()
    return matrix


def spline_weights(
    coordinates: NDArray, shape: Shape, order: int
) -> tuple[NDArray[np.bool_], NDArray[np.intp], NDArray[np.float64]]:
    """Which points lie inside a grid, the voxels whose coefficients these take, and with which weights.

    Returns
    -------
    inside : array of bool, shape (n,)
    columns, values : arrays of shape (n inside, (order + 1) ** 3)
        A voxel may be there several times.
    """
    ends = np.array(shape)[:, None] - 1
    inside = np.asarray(((coordinates >= 0) & (coordinates <= ends)).all(axis=0))
    i, j, k = (_taps(x, size, order) for x, size in zip(coordinates[:, inside], shape, strict=True))
    columns = (
        i[0][:, None, None, :]
        + shape[0] * (j[0][:, None, :, None] + shape[1] * k[0][:, :, None, None])
    )  # fmt: skip
    values = i[1][:, None, None, :] * j[1][:, None, :, None] * k[1][:, :, None, None]
    n_taps = (order + 1) ** 3
    return inside, columns.reshape(-1, n_taps), values.reshape(-1, n_taps)


def _taps(x: NDArray, size: int, order: int) -> tuple[NDArray, NDArray]:
    """Voxels along an axis that a spline at x takes, mirrored into the grid, and weights: (n, order + 1)."""
    if order == 0:
        return np.floor(x + 0.5).astype(np.intp)[:, None].clip(0, size - 1), np.ones((len(x), 1))
    floor = np.floor(x)
    t = x - floor
    if order == 1:
        offsets, weights = np.arange(2), np.stack([1 - t, t], axis=1)
    else:
        offsets = np.arange(-1, 3)
        weights = (
            np.stack([(1 - t) ** 3, 4 - 6 * t**2 + 3 * t**3, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3], axis=1)
            / 6
        )
    taps = floor.astype(np.intp)[:, None] + offsets
    if size == 1:
        return np.zeros_like(taps), weights
    period = 2 * (size - 1)
    taps = np.abs(taps) % period
    return np.where(taps >= size, period - taps, taps), weights
