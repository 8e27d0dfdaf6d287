"""Spatial operators: from points to features.

A linear operator is a matrix A of shape (n_features, n_points); it takes blocks X of shape
(n_samples, n_points) to X Aᵀ. Samples are rows everywhere. Operators hold what depends on themselves alone
(weights, index arrays), are immutable after construction and safe to share between threads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

# From numbers of points to their new numbers.
Renumber = Callable[[NDArray[np.intp]], NDArray[np.intp]]


class SpatialOperator(ABC):
    """Points to features.

    Attributes
    ----------
    n_points, n_features : int
        Width of the blocks that come in and go out.
    is_linear : bool
        Whether the operator equals a matrix, hence has an `adjoint` and may be folded into others.
    is_costly : bool
        Whether one sample takes so long (milliseconds) that `extract` shares samples among threads.
    support : array of int or None
        The points that can make a difference, in any order; None: all. What comes before an operator need
        not compute the others.
    nbytes : int
        Memory that the operator holds.
    """

    n_points: int
    n_features: int
    is_linear: bool = True
    is_costly: bool = False

    @property
    def support(self) -> NDArray[np.intp] | None:
        return None

    @property
    def nbytes(self) -> int:
        return 0

    def forward(self, block: NDArray) -> NDArray:
        """Apply to a block of shape (n_samples, n_points); returns (n_samples, n_features).

        Integer and bool blocks give float64; float32 blocks give float32 from operators that move or
        mix voxels (select, resample, smooth) and float64 from those that sum many of them (average, reduce).
        """
        if block.ndim != 2 or block.shape[1] != self.n_points:
            raise ValueError(
                f"A block of shape (n_samples, {self.n_points}) was expected, not {block.shape}."
            )
        return self._forward(block)

    def forward_into(self, block: NDArray, out: NDArray) -> None:
        """`forward`, into an array of shape (n_samples, n_features) whose dtype the result is cast to."""
        out[...] = self.forward(block)

    def adjoint(self, signals: NDArray) -> NDArray:
        """Apply Aᵀ: (n_samples, n_features) to (n_samples, n_points)."""
        if not self.is_linear:
            raise TypeError(f"{type(self).__name__} is not linear and has no adjoint.")
        if signals.ndim != 2 or signals.shape[1] != self.n_features:
            raise ValueError(
                f"Signals of shape (n_samples, {self.n_features}) were expected, not {signals.shape}."
            )
        return self._adjoint(np.asarray(signals))

    def __matmul__(self, first: SpatialOperator) -> SpatialOperator:
        """``second @ first``: apply `first`, then `second`."""
        from brainsieve.engine.spatial.plan import compose

        return compose([first, self])

    def renumbered(self, renumber: Renumber, n_points: int) -> SpatialOperator:
        """The same operator with its support numbered anew, among `n_points`.

        Operators whose `support` is None have no such form.
        """
        raise TypeError(f"{type(self).__name__} takes all points of its domain; they cannot be renumbered.")

    @abstractmethod
    def _forward(self, block: NDArray) -> NDArray: ...

    def _adjoint(self, signals: NDArray) -> NDArray:
        raise NotImplementedError
