"""Resampling between voxel grids, as `scipy.ndimage.affine_transform` with ``mode="constant"`` and 0 outside.

Where the axes of the grids are parallel, in whatever order and direction, the operator is separable and its
axis matrices are SciPy's own routine applied to the identity. Otherwise a volume is prefiltered and
interpolated by SciPy, and rows of the matrix are made for the target points that an average needs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from brainsieve.engine.domain import VoxelGrid, apply_affine
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.spatial.separable import Separable

SPLINE_ORDERS = {"continuous": 3, "linear": 1, "nearest": 0}
# Off-diagonal entries of the voxel-to-voxel matrix that move no voxel of a brain by 1e-4 are 0.
PARALLEL_TOLERANCE = 1e-7


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
        return Interpolate(source, target, order)
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
    return np.stack(columns, axis=1)


class Interpolate(SpatialOperator):
    """Resampling between grids that are oblique to each other.

    Parameters
    ----------
    source, target : VoxelGrid
    order : {0, 1, 3}
        Of the spline.
    points : array of int, optional
        The target points wanted, in this order. Default: all.
    """

    is_costly = True

    def __init__(
        self, source: VoxelGrid, target: VoxelGrid, order: int, points: NDArray | None = None
    ) -> None:
        self._source, self._target, self._order = source, target, order
        self._points = points
        self.n_points = source.n_points
        self.n_features = target.n_points if points is None else len(points)
        self._coordinates = self.coordinates_of(np.arange(target.n_points) if points is None else points)

    @property
    def nbytes(self) -> int:
        return self._coordinates.nbytes

    def only(self, points: NDArray) -> Interpolate:
        """The same for some of the target points."""
        chosen = points if self._points is None else self._points[points]
        return Interpolate(self._source, self._target, self._order, chosen)

    def coordinates_of(self, points: NDArray) -> NDArray[np.float64]:
        """Where target points lie among source voxels: (3, n_points)."""
        voxels = np.stack(np.unravel_index(points, self._target.shape, order="F"), axis=-1)
        matrix = np.linalg.inv(self._source.affine) @ self._target.affine
        return np.ascontiguousarray(apply_affine(matrix, voxels).T)

    def _forward(self, block: NDArray) -> NDArray:
        dtype = np.float32 if block.dtype == np.float32 else np.float64
        out = np.empty((len(block), self.n_features), dtype=dtype)
        for row, features in zip(block, out, strict=True):
            volume = self._source.unflatten(row).astype(np.float64)
            if self._order > 1:
                volume = ndimage.spline_filter(volume, self._order, mode="mirror")
            features[...] = ndimage.map_coordinates(
                volume, self._coordinates, order=self._order, mode="constant", prefilter=False
            )
        return out

    def _adjoint(self, signals: NDArray) -> NDArray:
        out = np.zeros((len(signals), self.n_points))
        at_once = 2**18
        for start in range(0, self.n_features, at_once):
            columns = slice(start, start + at_once)
            out += signals[:, columns] @ self.coefficient_rows(np.arange(self.n_features)[columns])
        return self.prefilter().adjoint(out) if self._order > 1 else out

    def coefficient_rows(self, features: NDArray) -> sparse.csr_array:
        """Rows of the matrix from spline coefficients (voxels, for orders 0 and 1) to features."""
        return interpolation_rows(self._coordinates[:, features], self._source.shape, self._order)

    def prefilter(self) -> Separable:
        """From voxels to spline coefficients."""
        if self._order <= 1:
            return Separable([np.eye(n) for n in self._source.shape])
        return Separable(
            [
                np.stack([ndimage.spline_filter1d(unit, self._order, mode="mirror") for unit in np.eye(n)], 1)
                if n > 1
                else np.eye(1)
                for n in self._source.shape
            ]
        )


def interpolation_rows(coordinates: NDArray, shape: tuple[int, int, int], order: int) -> sparse.csr_array:
    """Spline weights of points among voxels: (n, n_voxels), rows of zeros outside the grid.

    Parameters
    ----------
    coordinates : array of shape (3, n)
        In voxels.
    """
    n = coordinates.shape[1]
    ends = np.array(shape)[:, None] - 1
    inside = ((coordinates >= 0) & (coordinates <= ends)).all(axis=0)
    inner = coordinates[:, inside]
    taps, weights = zip(*(_taps(x, size, order) for x, size in zip(inner, shape, strict=True)), strict=True)
    strides = (1, shape[0], shape[0] * shape[1])
    columns = sum(
        tap.reshape(len(tap), *(-1 if a == axis else 1 for a in range(3))) * stride
        for axis, (tap, stride) in enumerate(zip(taps, strides, strict=True))
    )
    values = np.einsum("na,nb,nc->nabc", *weights)
    n_taps = order + 1
    counts = np.zeros(n, dtype=np.intp)
    counts[inside] = n_taps**3
    matrix = sparse.csr_array(
        (values.ravel(), np.asarray(columns).ravel(), np.concatenate([[0], np.cumsum(counts)])),
        shape=(n, int(np.prod(shape))),
    )
    matrix.sum_duplicates()
    return matrix


def _taps(x: NDArray, size: int, order: int) -> tuple[NDArray, NDArray]:
    """Voxels along an axis that a spline at x takes, mirrored into the grid, and their weights: (n, order + 1)."""
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
