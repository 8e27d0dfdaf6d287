"""Selection of points: the rows of A are rows of the identity."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from brainsieve.engine.spatial.operator import PointRanges, Renumber, SpatialOperator


class Select(SpatialOperator):
    """Take some points, in a given order.

    Equals the matrix with A[f, points[f]] = 1 and 0 elsewhere.

    Parameters
    ----------
    points : array of int, shape (n_features,)
        Which points, in the order of the features. One may be taken several times.
    n_points : int

    Raises
    ------
    ValueError, TypeError
        If `points` are not a list of whole numbers in 0 … n_points - 1.
    """

    mixes_points = False
    is_sparse = True
    takes_ranges_of_points = True

    def __init__(self, points: ArrayLike, n_points: int) -> None:
        self.n_points = int(n_points)
        self.points = _checked_points(points, self.n_points)
        self.n_features = len(self.points)
        taken = np.zeros(self.n_points, dtype=bool)
        taken[self.points] = True
        self._each_once = int(taken.sum()) == self.n_features

    @property
    def support(self) -> NDArray[np.intp]:
        return self.points

    @property
    def nbytes(self) -> int:
        return self.points.nbytes

    @property
    def is_identity(self) -> bool:
        return np.array_equal(self.points, np.arange(self.n_points))

    def ranges(self) -> PointRanges:
        return SelectedRanges(self)

    def renumbered(self, renumber: Renumber, n_points: int) -> Select:
        return Select(renumber(self.points), n_points)

    def forward_into(self, block: NDArray, out: NDArray) -> None:
        for row, taken in zip(block, out, strict=True):
            # A row at a time: the only copy beside `out` is one row in the stored dtype.
            taken[...] = row.take(self.points)

    def _forward(self, block: NDArray) -> NDArray:
        dtype = np.float32 if block.dtype == np.float32 else np.float64
        out = np.empty((len(block), self.n_features), dtype=dtype)
        self.forward_into(block, out)
        return out

    def _adjoint(self, signals: NDArray) -> NDArray:
        scattered = np.zeros((len(signals), self.n_points), dtype=signals.dtype)
        if self._each_once:
            for row, values in zip(scattered, signals, strict=True):
                row[self.points] = values
        else:
            for row, values in zip(scattered, signals, strict=True):
                np.add.at(row, self.points, values)
        return scattered

    def tosparse(self) -> sparse.csr_array:
        ones = np.ones(self.n_features)
        starts = np.arange(self.n_features + 1)
        return sparse.csr_array((ones, self.points, starts), shape=(self.n_features, self.n_points))


class SelectedRanges(PointRanges):
    """A selection, range by range of its points."""

    def __init__(self, select: Select) -> None:
        self.sums = self._select = select

    def at(self, points: slice) -> tuple[NDArray[np.intp], Select]:
        taken = self._select.points
        rows = np.flatnonzero((taken >= points.start) & (taken < points.stop))
        return rows, Select(taken[rows] - points.start, points.stop - points.start)


def _checked_points(points: ArrayLike, n_points: int) -> NDArray[np.intp]:
    points = np.asarray(points)
    if points.ndim != 1 or (points.size and points.dtype.kind not in "iu"):
        raise TypeError(
            f"points must be a list of whole numbers, not {points.dtype} of shape {points.shape}; "
            "np.flatnonzero makes one of a mask."
        )
    points = points.astype(np.intp)
    if points.size and (points.min() < 0 or points.max() >= n_points):
        wrong = points[(points < 0) | (points >= n_points)]
        raise ValueError(
            f"points must lie in 0 … {n_points - 1}; {len(wrong)} of {len(points)} do not, as {wrong[0]}."
        )
    return points
