"""Points without a value: what stands for NaN and infinities, who counts them, and which points hold data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.source.base import Block, Source
from brainsieve.engine.source.values import all_finite


@dataclass(frozen=True)
class FiniteBlock:
    """A block of stored values all of which are finite.

    Attributes
    ----------
    samples, points : slice
    stored : array of shape (n_samples in block, n_points in block)
        As in the file; where it was NaN or infinite, what the file's scaling makes 0.
    finite : bool array of that shape, or None
        Where the file is finite; None: everywhere.
    """

    samples: slice
    points: slice
    stored: NDArray
    finite: NDArray[np.bool_] | None = None

    def of_rows(self, rows: Any) -> FiniteBlock:
        """Some of its samples: a slice, or positions in an array."""
        stored = self.stored
        strided = abs(stored.strides[0]) < abs(stored.strides[1])
        # Where time runs fastest it keeps doing so: nothing is transposed.
        taken = stored.T[:, rows].T if strided else stored[rows]
        return replace(self, stored=taken, finite=None if self.finite is None else self.finite[rows])

    def each_sample(self) -> Iterator[FiniteBlock]:
        """Its samples one by one."""
        return (self.of_rows(slice(i, i + 1)) for i in range(len(self.stored)))


class FiniteGuard:
    """Puts 0 for NaN and infinities, and counts them.

    Parameters
    ----------
    source : Source
    needed : array of int
        The samples in which they are counted; what stands in others does not matter.

    Attributes
    ----------
    n_nonfinite : array of shape (n_points,) or None
        Samples in which each point was not finite, so far; None until there is one.
    """

    def __init__(self, source: Source, needed: NDArray[np.intp]) -> None:
        self.n_nonfinite: NDArray[np.int64] | None = None
        self._n_points = source.domain.n_points
        self._is_needed = np.zeros(source.n_samples, dtype=bool)
        self._is_needed[needed] = True
        self._can_be_nonfinite = source.dtype.kind == "f"
        # The stored value that stands for 0 once the file's scaling is applied.
        self._zero = -source.inter / source.slope if source.is_scaled and source.slope else 0.0

    def cleaned(self, block: Block) -> FiniteBlock:
        """The block with what is not finite replaced; its own values where all is finite."""
        stored = block.values
        if not self._can_be_nonfinite or all_finite(stored):
            return FiniteBlock(block.samples, block.points, stored)
        finite = np.isfinite(stored)
        needed = self._is_needed[block.samples]
        counted = finite if needed.all() else finite[needed]
        missing = len(counted) - counted.sum(axis=0)
        if missing.any():
            if self.n_nonfinite is None:
                self.n_nonfinite = np.zeros(self._n_points, dtype=np.int64)
            self.n_nonfinite[block.points] += missing
        # Rounded to the file's dtype: who counts values puts 0 itself in its place (`sinks`).
        filled = np.where(finite, stored, stored.dtype.type(self._zero))
        return FiniteBlock(block.samples, block.points, filled, finite)


class Watch:
    """Notes which points hold data: a value that is finite and not 0, in at least one sample.

    Parameters
    ----------
    source : Source
    points : array of int, sorted
        Those that are watched. One is looked at until it has held data once: mostly in one sample.

    Attributes
    ----------
    has_data : array of bool, shape (n_points,)
    """

    def __init__(self, source: Source, points: NDArray[np.intp]) -> None:
        self.has_data = np.zeros(source.domain.n_points, dtype=bool)
        self._source = source
        self._unseen = points

    def look_at(self, block: FiniteBlock) -> None:
        at_once = len(block.stored) if self._source.points_first else 1
        for start in range(0, len(block.stored), at_once):
            rows = slice(start, start + at_once)
            first, last = np.searchsorted(self._unseen, (block.points.start, block.points.stop))
            if first == last:
                return
            here = self._unseen[first:last] - block.points.start
            values = block.stored[rows, here] * np.float64(self._source.slope) + self._source.inter
            holds = values != 0
            if block.finite is not None:
                holds &= block.finite[rows, here]
            held = holds.any(axis=0)
            self.has_data[self._unseen[first:last][held]] = True
            self._unseen = np.delete(self._unseen, first + np.flatnonzero(held))
