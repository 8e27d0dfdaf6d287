"""Spatial operators: from points to features, and chains of them.

A linear operator is a matrix A of shape (n_features, n_points); it takes blocks X of shape
(n_samples, n_points) to X Aᵀ. Samples are rows everywhere. Operators hold what depends on themselves alone
(weights, index arrays), are immutable after construction and safe to share between threads.

An operator also says how it folds, so that the planner (`plan`) asks and never looks at its kind: what a
sample costs, which steps merge, how the weights of what follows move back through it. The contract that
all of them pass is `brainsieve.testing.OperatorContract`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

# From numbers of points to their new numbers.
Renumber = Callable[[NDArray[np.intp]], NDArray[np.intp]]

# Nanoseconds for a weight and a sample, measured with 2.7 M weights.
NS_PER_WEIGHT = 0.8


class Weights(Protocol):
    """Weights of features on points: a sparse matrix, or what is asked for a feature at a time."""

    def rows(self) -> Iterator[tuple[NDArray, NDArray]]:
        """Points and weights of each feature."""

    def tosparse(self) -> sparse.csr_array:
        """All of them, of shape (n_features, n_points)."""


@dataclass(frozen=True)
class MatrixWeights:
    """The weights of a CSR matrix."""

    matrix: sparse.csr_array

    def rows(self) -> Iterator[tuple[NDArray, NDArray]]:
        for start, stop in pairwise(self.matrix.indptr):
            yield self.matrix.indices[start:stop], self.matrix.data[start:stop]

    def tosparse(self) -> sparse.csr_array:
        return self.matrix


class PointRanges(ABC):
    """An operator, range by range of its points: A[:, points] without the rows that are 0 there.

    Attributes
    ----------
    sums : SpatialOperator
        What the parts add up to.
    solution : array of shape (n_features, n_features) or None
        What these sums are multiplied by once all points have come.
    """

    sums: SpatialOperator
    solution: NDArray[np.float64] | None = None

    @abstractmethod
    def at(self, points: slice) -> tuple[NDArray[np.intp], SpatialOperator]:
        """The features that some points touch, ascending, and the operator from these points to them."""


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
    mixes_points : bool
        False: each feature is the value of one point as it is, `support` names them in the order of features.
    is_sparse : bool
        Whether `tosparse` gives the matrix.
    is_stackable : bool
        Whether several in one pass are faster as one sparse matrix.
    takes_ranges_of_points : bool
        Whether points may come range by range (`ranges`), as from files in which time runs fastest.
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
    mixes_points: bool = True
    is_sparse: bool = False
    is_stackable: bool = False
    takes_ranges_of_points: bool = False

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
        return compose([first, self])

    def tosparse(self) -> sparse.csr_array:
        """The matrix, of shape (n_features, n_points).

        Raises
        ------
        TypeError
            Where it would not be sparse, or the operator is no matrix.
        """
        name = type(self).__name__
        if not self.is_linear:
            raise TypeError(f"{name} is not linear and has no matrix.")
        raise TypeError(
            f"{name} is applied step by step; its matrix would not be sparse. Use it as a linear operator."
        )

    def renumbered(self, renumber: Renumber, n_points: int) -> SpatialOperator:
        """The same operator with its support numbered anew, among `n_points`.

        Operators whose `support` is None have no such form.
        """
        raise TypeError(f"{type(self).__name__} takes all points of its domain; they cannot be renumbered.")

    def ranges(self) -> PointRanges:
        """The operator as a sum over ranges of points; only where it `takes_ranges_of_points`."""
        raise TypeError(f"{type(self).__name__} needs all points at once.")

    # -- how it folds ------------------------------------------------------------------------------------

    @property
    def steps(self) -> tuple[SpatialOperator, ...]:
        """What is applied in turn."""
        return (self,)

    @property
    def work(self) -> float:
        """About how many nanoseconds a sample takes, on one core."""
        return float(self.n_features)

    @property
    def is_identity(self) -> bool:
        """Whether every point is taken as it is, in its order."""
        return False

    @property
    def sums(self) -> SpatialOperator | None:
        """The weighted sums of many points that it takes first; None where there are none.

        They are worth folding into the steps before: few features, however many voxels come between.
        """
        return None

    def on_sums(self, sums: SpatialOperator) -> SpatialOperator:
        """The operator with other `sums` in the place of its own: those that images reach through steps."""
        return sums

    @property
    def is_kept_for_folding(self) -> bool:
        """Whether it is slow by itself, and folded whatever the steps before it cost."""
        return False

    def rows(self) -> Iterator[tuple[NDArray, NDArray]]:
        """Points and weights of each feature, where the operator has a sparse matrix."""
        return MatrixWeights(self.tosparse()).rows()

    def merged_after(self, first: SpatialOperator) -> SpatialOperator | None:
        """This operator after another as one that is no slower than either; None where there is none."""
        return None

    def weights_before(self, weights: Weights, most: float) -> sparse.csr_array | None:
        """``W @ A`` for weights W on its features; None where it has more than `most` entries or no form."""
        return weights.tosparse() @ self.tosparse() if self.is_sparse else None

    def restricted(self, points: NDArray[np.intp]) -> tuple[SpatialOperator, Renumber] | None:
        """The operator for some of its features (it may give others too), and how they are numbered then."""
        return None

    def on_reach(self) -> tuple[SpatialOperator, NDArray[np.intp]] | None:
        """The operator on those of its points that it reads, and these points; None if it reads all."""
        return None

    def as_applied(self) -> SpatialOperator:
        """The form that is fast to apply."""
        return self

    # -- mathematics -------------------------------------------------------------------------------------

    @abstractmethod
    def _forward(self, block: NDArray) -> NDArray: ...

    def _adjoint(self, signals: NDArray) -> NDArray:
        raise NotImplementedError


class Chain(SpatialOperator):
    """Operators applied one after the other."""

    def __init__(self, steps: Sequence[SpatialOperator]) -> None:
        for first, second in pairwise(steps):
            if first.n_features != second.n_points:
                raise ValueError(
                    f"{type(second).__name__} takes {second.n_points} points; "
                    f"{type(first).__name__} before it gives {first.n_features}."
                )
        self._steps = tuple(steps)
        self.n_points, self.n_features = steps[0].n_points, steps[-1].n_features
        self.is_linear = all(step.is_linear for step in steps)
        self.is_costly = any(step.is_costly for step in steps)

    @property
    def steps(self) -> tuple[SpatialOperator, ...]:
        return self._steps

    @property
    def nbytes(self) -> int:
        return sum(step.nbytes for step in self.steps)

    @property
    def work(self) -> float:
        return sum(step.work for step in self.steps)

    def as_applied(self) -> Chain:
        return Chain([step.as_applied() for step in self.steps])

    def _forward(self, block: NDArray) -> NDArray:
        parts = []
        # A volume at a time: whole blocks of float volumes between the steps would take hundreds of MB.
        for row in block:
            values = row[None]
            for step in self.steps:
                values = step.forward(values)
            parts.append(values)
        return np.concatenate(parts) if parts else np.empty((0, self.n_features))

    def _adjoint(self, signals: NDArray) -> NDArray:
        for step in reversed(self.steps):
            signals = step.adjoint(signals)
        return signals


def compose(steps: Sequence[SpatialOperator]) -> SpatialOperator:
    """Apply operators in turn: the first of `steps` first. Neighbours that merge into one do."""
    merged: list[SpatialOperator] = []
    for step in (part for whole in steps for part in whole.steps):
        both = step.merged_after(merged[-1]) if merged else None
        if both is None:
            merged.append(step)
        else:
            merged[-1] = both
    return merged[0] if len(merged) == 1 else Chain(merged)
