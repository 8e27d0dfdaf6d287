"""Least squares on soft maps: signals whose weighted sum of maps is nearest to the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from brainsieve.engine.spatial.average import SparseOperator
from brainsieve.engine.spatial.operator import SpatialOperator


class LeastSquares(SpatialOperator):
    """Signals s that minimise ‖Mᵀ s − x‖, those of smallest norm where maps are linearly dependent.

    Equals the matrix G⁺ M with the maps M of shape (n_features, n_points) and G = M Mᵀ: one product with the
    maps and one with a small matrix, factored once. A map of zeros has signal 0.
    """

    def __init__(self, maps: SparseOperator | DenseMaps, inverse_gram: NDArray[np.float64]) -> None:
        self.maps = maps
        self._inverse_gram = inverse_gram
        self.n_features, self.n_points = maps.n_features, maps.n_points
        self.is_costly = maps.is_costly

    @classmethod
    def from_maps(cls, maps: NDArray | sparse.sparray) -> LeastSquares:
        """Compile.

        Parameters
        ----------
        maps : array or sparse array of shape (n_maps, n_points)
        """
        operator: SparseOperator | DenseMaps
        operator = SparseOperator(maps) if sparse.issparse(maps) else DenseMaps(maps)
        return cls(operator, inverse_gram(maps))

    @property
    def nbytes(self) -> int:
        return self.maps.nbytes + self._inverse_gram.nbytes

    def on(self, maps: SparseOperator | DenseMaps) -> LeastSquares:
        """The same solution with M R in the place of M: maps that images reach through R."""
        return LeastSquares(maps, self._inverse_gram)

    def _forward(self, block: NDArray) -> NDArray:
        return self.maps.forward(block) @ self._inverse_gram

    def _adjoint(self, signals: NDArray) -> NDArray:
        return self.maps.adjoint(signals @ self._inverse_gram)


class DenseMaps(SpatialOperator):
    """A linear operator whose matrix is full."""

    def __init__(self, matrix: NDArray) -> None:
        self._matrix = np.ascontiguousarray(matrix)
        self.n_features, self.n_points = matrix.shape

    @property
    def nbytes(self) -> int:
        return self._matrix.nbytes

    def _forward(self, block: NDArray) -> NDArray:
        # float64 sums a chunk of points at a time: the maps stay in their own dtype.
        out = np.zeros((len(block), self.n_features))
        for start in range(0, self.n_points, 2**17):
            points = slice(start, start + 2**17)
            out += block[:, points].astype(np.float64) @ self._matrix[:, points].T.astype(np.float64)
        return out

    def _adjoint(self, signals: NDArray) -> NDArray:
        return signals @ self._matrix.astype(np.float64, copy=False)

    def tosparse(self) -> sparse.csr_array:
        """The matrix, of shape (n_features, n_points)."""
        return sparse.csr_array(self._matrix)


def inverse_gram(maps: NDArray | sparse.sparray) -> NDArray[np.float64]:
    """(M Mᵀ)⁺ of shape (n_maps, n_maps).

    Eigenvalues
    below n_maps · eps of the largest are dropped: squares of singular values, hence maps dependent to 1e-7.
    """
    maps = sparse.csr_array(maps, dtype=np.float64) if sparse.issparse(maps) else np.asarray(maps, np.float64)
    gram = maps @ maps.T
    gram = np.asarray(gram.toarray() if sparse.issparse(gram) else gram)
    values, vectors = np.linalg.eigh(gram)
    keep = values > len(values) * np.finfo(np.float64).eps * max(values.max(), 0)
    return np.asarray((vectors[:, keep] / values[keep]) @ vectors[:, keep].T)
