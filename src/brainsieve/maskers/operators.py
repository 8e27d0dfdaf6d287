"""The matrix of a fitted masker, as an object that SciPy's solvers take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import LinearOperator

from brainsieve.engine.spatial.operator import SpatialOperator


class MaskerOperator(LinearOperator):
    """A of ``signals = X Aᵀ``, shape (n_features, n_points).

    Points are in the order of the file: the first voxel axis runs fastest
    (``img.get_fdata()[..., t].ravel(order="F")``).
    """

    def __init__(self, space: SpatialOperator) -> None:
        self._space = space
        super().__init__(np.dtype(np.float64), (space.n_features, space.n_points))

    def _matvec(self, x: NDArray) -> NDArray:
        return self._space.forward(np.asarray(x, dtype=np.float64).reshape(1, -1))[0]

    def _rmatvec(self, x: NDArray) -> NDArray:
        return self._space.adjoint(np.asarray(x, dtype=np.float64).reshape(1, -1))[0]

    def _matmat(self, X: NDArray) -> NDArray:
        return self._space.forward(np.ascontiguousarray(np.asarray(X, dtype=np.float64).T)).T

    def _rmatmat(self, X: NDArray) -> NDArray:
        return self._space.adjoint(np.ascontiguousarray(np.asarray(X, dtype=np.float64).T)).T

    def tosparse(self) -> sparse.csr_array:
        """The matrix as ``scipy.sparse.csr_array``.

        Raises
        ------
        TypeError
            Where the operator is applied step by step because its matrix would be too full to hold.
        """
        return self._space.tosparse()
