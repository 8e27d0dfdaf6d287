"""Weighted sums of points: operators that are sparse matrices."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from brainsieve.engine.spatial.operator import NS_PER_WEIGHT, PointRanges, Renumber, SpatialOperator

# From this many weights one sample takes milliseconds, which is worth a thread.
COSTLY_WEIGHTS = 500_000
# Values of float64 that are copied at a time where samples run fastest in a block.
TILE_VALUES = 2**18


class WeightedSums(SpatialOperator):
    """Linear operators whose features are weighted sums of many points, with a sparse matrix.

    Attributes
    ----------
    n_weights : int
        Weights that are not 0.
    """

    is_sparse = True
    takes_ranges_of_points = True

    @property
    @abstractmethod
    def n_weights(self) -> int: ...

    @property
    def work(self) -> float:
        return NS_PER_WEIGHT * self.n_weights

    @property
    def sums(self) -> WeightedSums:
        return self

    def ranges(self) -> PointRanges:
        return MatrixRanges(self)

    def gram(self) -> NDArray[np.float64]:
        """A Aᵀ of shape (n_features, n_features)."""
        matrix = self.tosparse()
        return np.asarray((matrix @ matrix.T).toarray())


class SparseOperator(WeightedSums):
    """Any linear operator with a sparse matrix.

    Sums are in float64: 2**14 voxels of 10-bit intensities already fill the 24 bits of a float32 significand.

    Parameters
    ----------
    matrix : sparse array of shape (n_features, n_points)
    copy : bool, default=True
        False: the arrays of a float64 CSR matrix are taken over, and changed.
    """

    is_stackable = True

    def __init__(self, matrix: Any, copy: bool = True) -> None:
        # A copy of our own, tidied: SciPy sorts indices in place, together with data that are shared.
        matrix = sparse.csr_array(matrix, dtype=np.float64, copy=copy)
        matrix.sum_duplicates()
        self.n_features, self.n_points = matrix.shape
        # Only the points with a weight are gathered: brains fill a fifth of their grids.
        used = np.zeros(self.n_points, dtype=bool)
        used[matrix.indices] = True
        # 32 bits where they do: atlases of 1 mm have two million points inside.
        self._support: NDArray = np.flatnonzero(used).astype(np.int32 if self.n_points < 2**31 else np.int64)
        if len(self._support) < self.n_points:
            position = _positions(used, self._support, matrix.indices)
            matrix = sparse.csr_array(
                (matrix.data, position, matrix.indptr), shape=(self.n_features, len(self._support))
            )
        self._matrix = matrix
        self.is_costly = self._matrix.nnz > COSTLY_WEIGHTS

    @property
    def support(self) -> NDArray:
        """The points with a weight, ascending."""
        return self._support

    @property
    def n_weights(self) -> int:
        return int(self._matrix.nnz)

    @property
    def nbytes(self) -> int:
        m = self._matrix
        return int(m.data.nbytes + m.indices.nbytes + m.indptr.nbytes + self._support.nbytes)

    def renumbered(self, renumber: Renumber, n_points: int) -> SparseOperator:
        moved = copy.copy(self)
        moved._support = renumber(self._support)
        moved.n_points = n_points
        return moved

    def _forward(self, block: NDArray) -> NDArray:
        if len(block) > 1 and abs(block.strides[0]) < abs(block.strides[1]):
            return self._forward_points_first(block)
        out = np.empty((len(block), self.n_features))
        # One sample at a time, gathered and then multiplied by SciPy, which lets other threads run: 0.25 ms
        # for 400 means of 234 k voxels out of 1.1 M, 0.28 ms without gathering, 0.4 ms by bincount; sums of
        # sorted voxels by reduceat take 0.2 ms but keep the interpreter. Several samples at once would have
        # to be transposed first: 0.5 ms for each of 8, and 2.3 ms instead of 2.0 with 2.7 M weights.
        for row, features in zip(block, out, strict=True):
            features[...] = self._matrix @ (row if self._takes_all else row.take(self._support))
        return out

    def _forward_points_first(self, block: NDArray) -> NDArray:
        """Blocks in which samples run fastest: weights are read once for a tile of samples."""
        out = np.empty((len(block), self.n_features))
        at_once = max(1, TILE_VALUES // max(1, len(self._support)))
        for start in range(0, len(block), at_once):
            samples = slice(start, start + at_once)
            values = block.T[:, samples]
            if not self._takes_all:
                values = values.take(self._support, axis=0)
            out[samples] = (self._matrix @ np.ascontiguousarray(values, dtype=np.float64)).T
        return out

    @property
    def _takes_all(self) -> bool:
        return len(self._support) == self.n_points

    def _adjoint(self, signals: NDArray) -> NDArray:
        scattered = np.zeros((len(signals), self.n_points))
        scattered[:, self._support] = signals @ self._matrix
        return scattered

    def tosparse(self) -> sparse.csr_array:
        m = self._matrix
        return sparse.csr_array(
            (m.data, self._support[m.indices], m.indptr), shape=(self.n_features, self.n_points)
        )


class MatrixRanges(PointRanges):
    """Weighted sums, range by range of their points."""

    def __init__(self, sums: WeightedSums, solution: NDArray[np.float64] | None = None) -> None:
        self.sums, self.solution = sums, solution
        # By columns: a range of points is then one piece of its arrays.
        self._matrix = sparse.csc_array(sums.tosparse())

    def at(self, points: slice) -> tuple[NDArray[np.intp], SparseOperator]:
        part = self._matrix[:, points]
        rows, position = np.unique(part.indices, return_inverse=True)
        compact = sparse.csc_array(
            (part.data, position, part.indptr), shape=(len(rows), points.stop - points.start)
        )
        return rows.astype(np.intp), SparseOperator(compact, copy=False)


def _positions(used: NDArray[np.bool_], support: NDArray, points: NDArray) -> NDArray[np.int32]:
    """Where in `support` each of some points stands: by a table of all points, or by search if that is smaller."""
    if len(used) < 2 * len(points):
        table = np.cumsum(used, dtype=np.int32)
        return table[points] - np.int32(1)
    return np.searchsorted(support, points).astype(np.int32)


class Regions(WeightedSums):
    """Mean or sum of the points that carry each code, known by the points alone.

    The same operator as `Average`, in a quarter of its memory: for chains that are folded, whose regions are
    asked for one at a time.

    Parameters
    ----------
    points : array of int
        Sorted by region, then ascending.
    ends : array of int, shape (n_features + 1,)
        Where each region starts and ends among them.
    n_points : int
    strategy : {"mean", "sum"}
    """

    def __init__(self, points: NDArray, ends: NDArray, n_points: int, strategy: str) -> None:
        self._points, self._ends, self._strategy = points, ends, strategy
        self.n_points, self.n_features = n_points, len(ends) - 1
        self.is_costly = len(points) > COSTLY_WEIGHTS

    @classmethod
    def from_codes(cls, codes: NDArray, n_features: int, strategy: str = "mean") -> Regions:
        """Compile; see `Average.from_codes`."""
        if strategy not in ("mean", "sum"):
            raise ValueError(f"strategy must be 'mean' or 'sum', not {strategy!r}.")
        points, counts = grouped_points(codes, n_features)
        ends = np.concatenate([[0], np.cumsum(counts)]).astype(points.dtype)
        return cls(points, ends, len(codes), strategy)

    @property
    def support(self) -> NDArray[np.intp]:
        return self._points.astype(np.intp)

    @property
    def n_weights(self) -> int:
        return len(self._points)

    @property
    def nbytes(self) -> int:
        return int(self._points.nbytes + self._ends.nbytes)

    def renumbered(self, new_number: Renumber, n_points: int) -> Regions:
        points = new_number(self._points.astype(np.intp)).astype(self._points.dtype)
        return Regions(points, self._ends, n_points, self._strategy)

    @property
    def is_kept_for_folding(self) -> bool:
        return True

    def rows(self) -> Iterator[tuple[NDArray, NDArray]]:
        for start, stop in pairwise(self._ends):
            n = int(stop - start)
            yield self._points[start:stop], np.full(n, 1.0 if self._strategy == "sum" else 1.0 / max(1, n))

    def as_applied(self) -> SparseOperator:
        return SparseOperator(self.tosparse(), copy=False)

    def tosparse(self) -> sparse.csr_array:
        counts = np.diff(self._ends)
        weights = np.ones(len(self._points))
        if self._strategy == "mean":
            weights /= np.repeat(counts, counts)
        return sparse.csr_array((weights, self._points, self._ends), shape=(self.n_features, self.n_points))

    def _forward(self, block: NDArray) -> NDArray:
        return self.as_applied().forward(block)

    def _adjoint(self, signals: NDArray) -> NDArray:
        return self.as_applied().adjoint(signals)


class Average(SparseOperator):
    """Mean or sum of the points that carry each code.

    Equals the matrix A with A[f, p] = 1 / counts[f] (1 for sums) where codes[p] == f, and 0 elsewhere.
    """

    @classmethod
    def from_codes(cls, codes: NDArray, n_features: int, strategy: str = "mean") -> Average:
        """Compile.

        Parameters
        ----------
        codes : array of int, shape (n_points,)
            Feature of each point, -1 outside every region.
        n_features : int
            A feature without points is 0.
        strategy : {"mean", "sum"}, default="mean"

        Raises
        ------
        ValueError, TypeError
            If the strategy is another or the codes are not whole numbers below `n_features`.
        """
        return cls(Regions.from_codes(codes, n_features, strategy).tosparse(), copy=False)


def grouped_points(codes: NDArray, n_features: int) -> tuple[NDArray, NDArray[np.intp]]:
    """Points sorted by code (ascending within one), and how many each code has.

    Parameters
    ----------
    codes : array of int, shape (n_points,)
        Feature of each point, negative outside every region.
    n_features : int

    Returns
    -------
    points : array of int32 (int64 for more points than that counts)
    counts : array of shape (n_features,)
    """
    codes = np.asarray(codes)
    if codes.ndim != 1 or codes.dtype.kind not in "iu":
        raise TypeError(
            f"codes must be whole numbers, one for each point; they are {codes.dtype} of shape {codes.shape}."
        )
    if codes.size and codes.max() >= n_features:
        raise ValueError(f"codes must be below n_features={n_features}; they go up to {codes.max()}.")
    points = np.flatnonzero(codes >= 0).astype(np.int32 if len(codes) < 2**31 else np.int64)
    points = points[np.argsort(codes[points], kind="stable")]
    return points, np.bincount(codes[points], minlength=n_features)
