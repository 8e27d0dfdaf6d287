"""Reductions that are no matrix: medians, extrema, spreads and robust means of regions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.spatial.operator import SpatialOperator

# Share of the values at each end that the robust means leave out or pull in.
TRIMMED_SHARE = 0.1

Reduction = Callable[[NDArray], NDArray]


def _trimmed_mean(values: NDArray) -> NDArray:
    n_cut = int(TRIMMED_SHARE * values.shape[1])
    ordered = np.sort(values, axis=1)
    return ordered[:, n_cut : values.shape[1] - n_cut].mean(axis=1)


def _winsorized_mean(values: NDArray) -> NDArray:
    n_cut = int(TRIMMED_SHARE * values.shape[1])
    ordered = np.sort(values, axis=1)
    last = values.shape[1] - n_cut - 1
    return np.clip(ordered, ordered[:, [n_cut]], ordered[:, [last]]).mean(axis=1)


def _mode(values: NDArray) -> NDArray:
    """The most frequent value of each row, the smallest of several."""
    ordered = np.sort(values, axis=1)
    n_values = ordered.shape[1]
    is_first = np.ones(ordered.shape, dtype=bool)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    position = np.arange(n_values)
    start = np.maximum.accumulate(np.where(is_first, position, 0), axis=1)
    # Ties: argmax takes the first, hence the smallest value.
    end_of_longest = np.argmax(position - start, axis=1)
    return ordered[np.arange(len(ordered)), end_of_longest]


# Each takes the values of one region, float64 of shape (n_samples, n_points in the region), to (n_samples,).
REDUCTIONS: dict[str, Reduction] = {
    "median": lambda values: np.median(values, axis=1),
    "minimum": lambda values: values.min(axis=1),
    "maximum": lambda values: values.max(axis=1),
    "variance": lambda values: values.var(axis=1),
    "standard_deviation": lambda values: values.std(axis=1),
    "trimmed_mean": _trimmed_mean,
    "winsorized_mean": _winsorized_mean,
    "mode": _mode,
    "count": lambda values: (values != 0).sum(axis=1).astype(np.float64),
}


class Reduce(SpatialOperator):
    """One number for the points that carry each code, by a rule that is not linear.

    Variance and standard deviation divide by the number of points. A feature without points is NaN.
    """

    is_linear = False
    is_costly = True

    def __init__(self, order: NDArray, ends: NDArray, n_points: int, strategy: str) -> None:
        self._order = order
        self._ends = ends
        self._reduction = strategy
        self.n_points = n_points
        self.n_features = len(ends) - 1

    @classmethod
    def from_codes(cls, codes: NDArray, n_features: int, strategy: str) -> Reduce:
        """Compile.

        Parameters
        ----------
        codes : array of int, shape (n_points,)
            Feature of each point, -1 outside every region.
        n_features : int
        strategy : str
            A key of `REDUCTIONS`.
        """
        if strategy not in REDUCTIONS:
            raise ValueError(f"strategy must be one of {', '.join(REDUCTIONS)}; not {strategy!r}.")
        codes = np.asarray(codes)
        points = np.flatnonzero(codes >= 0)
        order = points[np.argsort(codes[points], kind="stable")]
        ends = np.searchsorted(codes[order], np.arange(n_features + 1))
        return cls(order, ends, len(codes), strategy)

    @property
    def nbytes(self) -> int:
        return self._order.nbytes + self._ends.nbytes

    def _forward(self, block: NDArray) -> NDArray:
        reduction = REDUCTIONS[self._reduction]
        out = np.full((len(block), self.n_features), np.nan)
        values = block.take(self._order, axis=1).astype(np.float64)
        for feature, (start, stop) in enumerate(zip(self._ends[:-1], self._ends[1:], strict=True)):
            if stop > start:
                out[:, feature] = reduction(values[:, start:stop])
        return out
