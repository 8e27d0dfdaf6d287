"""What a design spans: an orthonormal basis, what can be estimated, and which columns depend on each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from brainsieve.logs import warn

# Weights of a contrast outside the rows of the design, relative to it, that count as rounding.
ESTIMABLE = 1e-8
# Weights of a column in a dependence below which it takes no part in it.
TAKES_PART = 1e-6
N_NAMED = 10


@dataclass(frozen=True, eq=False)
class Span:
    """The space that the columns of a design span.

    Columns are brought to unit length first: neither rank nor digits depend on their units.

    Attributes
    ----------
    basis : array of shape (n_samples, rank)
        Orthonormal.
    back : array of shape (n_columns, rank)
        Coefficients of the columns are ``back @ (basis' y)``: those of least norm where the rank is deficient.
    rows : array of shape (rank, n_columns)
        The design is ``basis @ rows``.
    null : array of shape (n_columns, n_columns - rank)
        Combinations of columns of unit length that are 0.
    lengths : array of shape (n_columns,)
    """

    basis: NDArray[np.float64]
    back: NDArray[np.float64]
    rows: NDArray[np.float64]
    null: NDArray[np.float64]
    lengths: NDArray[np.float64]

    @classmethod
    def of(cls, design: NDArray) -> Span:
        design = np.asarray(design, dtype=np.float64)
        largest = np.abs(design).max(axis=0, initial=0)
        unit = design / np.where(largest == 0, 1, largest)
        lengths = np.linalg.norm(unit, axis=0)
        lengths = np.where(lengths == 0, 1, lengths)
        left, values, right = np.linalg.svd(unit / lengths, full_matrices=False)
        largest = np.where(largest == 0, 1, largest) * lengths
        noise = max(design.shape) * np.finfo(float).eps * (values[0] if len(values) else 0)
        rank = int((values > noise).sum())
        complement = np.linalg.svd(right[:rank], full_matrices=True)[2][rank:]
        back = (right[:rank].T / values[:rank]) / largest[:, None]
        rows = values[:rank, None] * right[:rank] * largest
        return cls(left[:, :rank], back, rows, complement.T, largest)

    @property
    def rank(self) -> int:
        return self.basis.shape[1]

    @property
    def n_columns(self) -> int:
        return len(self.lengths)

    @cached_property
    def constant(self) -> NDArray[np.float64] | None:
        """Weights of the basis that give 1 for every sample; None where it is not in the span."""
        ones = np.ones(len(self.basis))
        weights = self.basis.T @ ones
        is_inside = np.abs(self.basis @ weights - ones).max(initial=0) < 1e-9
        return weights if is_inside else None

    @cached_property
    def as_one(self) -> NDArray[np.float64]:
        """Coefficients of the columns, (n_columns,), that give 1 for every sample; the constant must be in the span."""
        assert self.constant is not None
        weights = self.back @ self.constant
        share = np.abs(weights * self.lengths)
        return np.where(share > 1e-12 * share.max(initial=0), weights, 0.0)

    def estimable(self, contrast: NDArray) -> bool:
        """Whether a contrast (n_columns,) is one of fitted values: c = c X⁺ X."""
        scaled = contrast / self.lengths
        length = np.linalg.norm(scaled)
        return bool(np.linalg.norm(scaled @ self.null) <= ESTIMABLE * length)

    def dependent(self) -> list[int]:
        """Columns that take part in a dependence; those that are 0 among them."""
        return np.flatnonzero(np.abs(self.null).max(axis=1, initial=0) > TAKES_PART).tolist()


def warn_of_dependence(design: NDArray, names: Sequence[str]) -> None:
    """Say which columns are 0 and which depend on each other."""
    empty = [name for name, column in zip(names, design.T, strict=True) if not column.any()]
    if empty:
        warn(f"Columns of the design are 0 throughout: {listed(empty)}. Their effects cannot be estimated.")
    dependent = [names[i] for i in Span.of(design).dependent() if names[i] not in empty]
    if dependent:
        warn(
            f"Columns of the design depend on each other: {listed(dependent)}. Contrasts that need to tell them apart "
            "cannot be estimated, and will be NaN."
        )


def listed(names: Sequence[str]) -> str:
    """Names for a message, not too many."""
    more = f" and {len(names) - N_NAMED} more" if len(names) > N_NAMED else ""
    return ", ".join(names[:N_NAMED]) + more
