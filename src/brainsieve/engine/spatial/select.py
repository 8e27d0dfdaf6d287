"""Selection of points: the rows of A are rows of the identity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from brainsieve.engine.spatial.operator import SpatialOperator


class Select(SpatialOperator):
    """Take some points, in a given order.

    Equals the matrix with A[f, points[f]] = 1 and 0 elsewhere.

    Parameters
    ----------
    points : array of int, shape (n_features,)
        Which points, in the order of the features.
    n_points : int
    """

    def __init__(self, points: NDArray, n_points: int) -> None:
        self.points = np.asarray(points, dtype=np.intp)
        self.n_points = int(n_points)
        self.n_features = len(self.points)
        if self.n_features and (self.points.min() < 0 or self.points.max() >= self.n_points):
            raise ValueError(f"points must lie in 0 … {self.n_points - 1}; some do not.")

    @property
    def nbytes(self) -> int:
        return self.points.nbytes

    def forward_into(self, block: NDArray, out: NDArray) -> None:
        for row, taken in zip(block, out, strict=True):
            # A plain take: numpy's fast path, one cast on assignment.
            taken[...] = row.take(self.points)

    def _forward(self, block: NDArray) -> NDArray:
        dtype = np.float32 if block.dtype == np.float32 else np.float64
        out = np.empty((len(block), self.n_features), dtype=dtype)
        self.forward_into(block, out)
        return out

    def _adjoint(self, signals: NDArray) -> NDArray:
        scattered = np.zeros((len(signals), self.n_points), dtype=signals.dtype)
        np.add.at(scattered.T, self.points, signals.T)
        return scattered

    def tosparse(self) -> sparse.csr_array:
        ones = np.ones(self.n_features)
        starts = np.arange(self.n_features + 1)
        return sparse.csr_array((ones, self.points, starts), shape=(self.n_features, self.n_points))
