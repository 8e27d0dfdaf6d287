"""Least squares on soft maps: signals whose weighted sum of maps is nearest to the image."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from brainsieve.engine.spatial.average import MatrixRanges, SparseOperator, WeightedSums
from brainsieve.engine.spatial.operator import PointRanges, Renumber, SpatialOperator

# Maps are held as float64 up to this size; beyond it in their own dtype, which costs a cast for each block.
FLOAT64_BYTES = 2**27
# Points whose weights are cast at a time.
CHUNK_POINTS = 2**14
# Maps whose singular values are below this share of the largest, all scaled to norm 1, depend on the others.
# Their squares are the eigenvalues of the Gram matrix, which rounding blurs by some 1e-16.
DEPENDENT = 1e-7


class LeastSquares(SpatialOperator):
    """Signals s that minimise ‖Mᵀ s − x‖, those of smallest norm where maps are linearly dependent.

    Equals the matrix G⁺ M with the maps M of shape (n_features, n_points) and G = M Mᵀ: one product with the
    maps and one with a small matrix, factored once. A map of zeros has signal 0.

    Attributes
    ----------
    maps : WeightedSums
        M, the product to which the solution is applied.
    """

    takes_ranges_of_points = True

    def __init__(self, maps: WeightedSums, inverse_gram: NDArray[np.float64]) -> None:
        self.maps = maps
        self._inverse_gram = inverse_gram
        self.n_features, self.n_points = maps.n_features, maps.n_points
        self.is_costly = maps.is_costly

    @classmethod
    def from_maps(cls, maps: Any) -> LeastSquares:
        """Compile.

        Parameters
        ----------
        maps : array or sparse array of shape (n_maps, n_points)

        Raises
        ------
        ValueError
            If a weight is NaN or infinite.
        """
        operator: WeightedSums = SparseOperator(maps) if sparse.issparse(maps) else DenseMaps(maps)
        gram = operator.gram()
        if not np.isfinite(gram).all():
            bad = np.flatnonzero(~np.isfinite(np.diagonal(gram)))
            raise ValueError(
                f"maps must be finite; {len(bad)} of {len(gram)} are not, for one that at position {bad[0]}."
            )
        return cls(operator, inverse_gram(gram))

    @property
    def support(self) -> NDArray[np.intp] | None:
        return self.maps.support

    @property
    def nbytes(self) -> int:
        return self.maps.nbytes + self._inverse_gram.nbytes

    @property
    def work(self) -> float:
        return self.maps.work

    @property
    def sums(self) -> WeightedSums:
        return self.maps

    def ranges(self) -> PointRanges:
        return MatrixRanges(self.maps, self._inverse_gram)

    def renumbered(self, renumber: Renumber, n_points: int) -> LeastSquares:
        return self.on_sums(self.maps.renumbered(renumber, n_points))

    def on_sums(self, sums: SpatialOperator) -> LeastSquares:
        """The same solution with M R in the place of M: maps that images reach through R."""
        if not isinstance(sums, WeightedSums):
            raise TypeError(f"Least squares are solved on weighted sums, not on {type(sums).__name__}.")
        return LeastSquares(sums, self._inverse_gram)

    def _forward(self, block: NDArray) -> NDArray:
        return self.maps.forward(block) @ self._inverse_gram

    def _adjoint(self, signals: NDArray) -> NDArray:
        return self.maps.adjoint(signals @ self._inverse_gram)


class DenseMaps(WeightedSums):
    """A linear operator whose matrix is full, but for points where it is 0 throughout.

    Parameters
    ----------
    matrix : array of shape (n_features, n_points)
    """

    def __init__(self, matrix: NDArray) -> None:
        matrix = np.asarray(matrix)
        self.n_features, self.n_points = matrix.shape
        used = np.zeros(self.n_points, dtype=bool)
        for row in matrix:
            used |= row != 0
        self._support = np.flatnonzero(used)
        small = self.n_features * len(self._support) * 8 <= FLOAT64_BYTES
        dtype = np.result_type(matrix.dtype, np.float64 if small else np.float32)
        self._matrix = np.empty((self.n_features, len(self._support)), dtype=dtype)
        for row, weights in zip(matrix, self._matrix, strict=True):
            weights[...] = row[self._support]

    @property
    def support(self) -> NDArray[np.intp]:
        """The points with a weight, ascending."""
        return self._support

    @property
    def n_weights(self) -> int:
        return self._matrix.size

    @property
    def nbytes(self) -> int:
        return self._matrix.nbytes + self._support.nbytes

    def renumbered(self, renumber: Renumber, n_points: int) -> DenseMaps:
        moved = copy.copy(self)
        moved._support = renumber(self._support)
        moved.n_points = n_points
        return moved

    def chunks(self) -> list[slice]:
        """Ranges of the support."""
        n = len(self._support)
        return [slice(start, min(start + CHUNK_POINTS, n)) for start in range(0, n, CHUNK_POINTS)]

    def weights(self, chunk: slice) -> NDArray[np.float64]:
        """Columns of the matrix, (n_features, n_points in the chunk)."""
        return self._matrix[:, chunk].astype(np.float64, copy=False)

    def _forward(self, block: NDArray) -> NDArray:
        out = np.zeros((len(block), self.n_features))
        for chunk in self.chunks():
            values = block[:, self._support[chunk]].astype(np.float64, copy=False)
            out += values @ self.weights(chunk).T
        return out

    def _adjoint(self, signals: NDArray) -> NDArray:
        scattered = np.zeros((len(signals), self.n_points))
        for chunk in self.chunks():
            scattered[:, self._support[chunk]] = signals @ self.weights(chunk)
        return scattered

    def gram(self) -> NDArray[np.float64]:
        gram = np.zeros((self.n_features, self.n_features))
        for chunk in self.chunks():
            weights = self.weights(chunk)
            gram += weights @ weights.T
        return gram

    def tosparse(self) -> sparse.csr_array:
        compact = sparse.csr_array(self._matrix)
        support = self._support.astype(np.int32) if self.n_points < 2**31 else self._support
        return sparse.csr_array(
            (compact.data, support[compact.indices], compact.indptr),
            shape=(self.n_features, self.n_points),
        )


def inverse_gram(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    """The pseudo-inverse of a Gram matrix M Mᵀ.

    Maps are scaled to norm 1 before it is decided which of them depend on others (`DEPENDENT`), so that a
    map of small weights is not taken for noise.
    """
    norms = np.sqrt(np.maximum(np.diagonal(gram), 0.0))
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    values, vectors = np.linalg.eigh(gram * scale * scale[:, None])
    kept = values > max(DEPENDENT**2, len(values) * np.finfo(np.float64).eps) * values.max(initial=0.0)
    inverse = (scale[:, None] * vectors[:, kept] / values[kept]) @ (vectors[:, kept].T * scale)
    # Scaled back, this solves the equations, but its solutions are of smallest norm only once what lies in
    # the null space of M is taken out. The rank, scaled or not, is the same.
    null = _null_space(vectors[:, ~kept], norms, scale)
    onto = np.eye(len(gram)) - null @ null.T
    return np.asarray(onto @ inverse @ onto)


def _null_space(scaled: NDArray, norms: NDArray, scale: NDArray) -> NDArray[np.float64]:
    """An orthonormal basis of the s with Mᵀ s = 0, from that of the scaled maps (n_maps, n_null)."""
    # Maps of zeros have scale 0 and are in it as they are.
    unscaled = np.where(norms[:, None] > 0, scale[:, None] * scaled, scaled)
    lengths = np.linalg.norm(unscaled, axis=0)
    basis, _ = np.linalg.qr(unscaled / np.where(lengths > 0, lengths, 1.0))
    return np.asarray(basis)
