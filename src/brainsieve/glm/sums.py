"""Sums over a run, from which linear models of it follow: one pass, and memory that does not grow with its length.

With Q the orthonormal basis of a design (n_samples, rank), S the shift by one sample inside each unbroken stretch of
samples, and M(j, k) = S'ʲ Sᵏ + S'ᵏ Sʲ (for j = k: one of the two), a pass gathers Q' M(j, k) y and y' M(j, k)
y of every series y. An autoregressive filter is W = Σ aⱼ Sʲ with a = (1, −ρ₁, …, −ρₙ), so that W'W = Σ aⱼ aₖ
M(j, k) over j ≥ k: whatever ρ is, sums of whitened series are sums of these.

Most of M(j, k) is M(j − k, 0); they differ in the last samples of each stretch alone, which are gathered
apart. The first sample is subtracted from all where the design has a constant: what cancels in sums of squares
is then small.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dgemm

from brainsieve.engine.threads import single_threaded_blas
from brainsieve.glm.designs import Span


@dataclass(frozen=True, eq=False)
class Lags:
    """A basis and its shifts up to an order.

    Attributes
    ----------
    basis : array of shape (n_samples, rank)
    order : int
        Of the autoregressive noise; 0: white.
    stretch : array of int, shape (n_samples,)
        Which unbroken stretch of samples each is in, ascending.
    """

    basis: NDArray[np.float64]
    order: int
    stretch: NDArray[np.intp]

    @property
    def n_samples(self) -> int:
        return len(self.basis)

    @property
    def rank(self) -> int:
        return self.basis.shape[1]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(j, k), j ≥ k."""
        return [(j, k) for j in range(self.order + 1) for k in range(j + 1)]

    @property
    def corrected(self) -> list[tuple[int, int]]:
        """Those that differ from (j − k, 0)."""
        return [(j, k) for j, k in self.pairs if k > 0]

    def has(self, lag: int) -> NDArray[np.bool_]:
        """Whether the sample `lag` before (after, where it is negative) is in the same stretch; (n_samples,)."""
        found = np.zeros(self.n_samples, dtype=bool)
        if lag == 0:
            found[:] = True
        elif 0 < lag < self.n_samples:
            found[lag:] = self.stretch[lag:] == self.stretch[:-lag]
        elif -self.n_samples < lag < 0:
            found[:lag] = self.stretch[:lag] == self.stretch[-lag:]
        return found

    def weights(self, j: int, k: int) -> NDArray[np.bool_]:
        """For which samples u the product y[u] y[u − (j − k)] is part of y' M(j, k) y."""
        return self.has(j - k) & self.has(-k)

    def shifted(self, j: int, k: int) -> NDArray[np.float64]:
        """M(j, k) Q, (n_samples, rank)."""
        lag, counts = j - k, self.weights(j, k)
        result = np.zeros_like(self.basis)
        rows = np.flatnonzero(counts)
        result[rows] += self.basis[rows - lag]
        if lag:
            result[rows - lag] += self.basis[rows]
        return result

    @cached_property
    def gram(self) -> dict[tuple[int, int], NDArray[np.float64]]:
        """Q' M(j, k) Q of each pair."""
        return {pair: self.basis.T @ self.shifted(*pair) for pair in self.pairs}


@dataclass(frozen=True, eq=False)
class Sums:
    """What a pass over a run gathered; see the module.

    Attributes
    ----------
    n_samples : int
    n_pairs : tuple of int
        Pairs of samples at distance 0, 1, …, order inside stretches.
    ones : array of shape (rank,)
        Q' 1, where the constant is in the span of Q.
    gram : dict of (j, k) to array of shape (rank, rank)
        Q' M(j, k) Q.
    products : dict of (j, k) to array of shape (rank, n_points)
        Q' M(j, k) y.
    squares : dict of (j, k) to array of shape (n_points,)
        y' M(j, k) y.
    total : array of shape (n_points,)
        Σ y.
    """

    n_samples: int
    n_pairs: tuple[int, ...]
    ones: NDArray[np.float64]
    gram: dict[tuple[int, int], NDArray[np.float64]]
    products: dict[tuple[int, int], NDArray[np.float64]]
    squares: dict[tuple[int, int], NDArray[np.float64]]
    total: NDArray[np.float64]

    def of(self, points: NDArray[np.intp]) -> Sums:
        """Those of some points."""
        return replace(
            self,
            products={pair: sums[:, points] for pair, sums in self.products.items()},
            squares={pair: sums[points] for pair, sums in self.squares.items()},
            total=self.total[points],
        )

    def within(self, part: NDArray[np.float64]) -> Sums:
        """Those of the basis Q @ part, where `part` (rank, smaller rank) has orthonormal columns."""
        return replace(
            self,
            ones=self.ones @ part,
            gram={pair: part.T @ gram @ part for pair, gram in self.gram.items()},
            products={pair: part.T @ sums for pair, sums in self.products.items()},
        )

    def whitened(self, rho: NDArray[np.float64]) -> tuple[NDArray, NDArray, NDArray]:
        """Q'W'WQ, Q'W'Wy and y'W'Wy for the filter with coefficients `rho`, of shape (order,)."""
        a = np.concatenate([[1.0], -np.asarray(rho, dtype=np.float64)])
        pairs = [(j, k) for j, k in self.gram if j < len(a)]
        gram = sum(a[j] * a[k] * self.gram[j, k] for j, k in pairs)
        products = sum(a[j] * a[k] * self.products[j, k] for j, k in pairs)
        squares = sum(a[j] * a[k] * self.squares[j, k] for j, k in pairs)
        return gram, products, squares  # type: ignore[return-value]


class Gatherer:
    """Takes the blocks of a run in order, and gives their sums.

    Parameters
    ----------
    lags : Lags
    n_points : int
    """

    def __init__(self, lags: Lags, n_points: int) -> None:
        self._lags = lags
        base = [lags.shifted(lag, 0) for lag in range(lags.order + 1)]
        self._base = np.hstack(base)
        ends = [base[j - k] - lags.shifted(j, k) for j, k in lags.corrected]
        self._ends = np.hstack([np.zeros((lags.n_samples, 0)), *ends])
        self._is_end = ~lags.has(-lags.order) if lags.order else np.zeros(lags.n_samples, dtype=bool)
        self._products = np.zeros((self._base.shape[1], n_points))
        self._end_products = np.zeros((self._ends.shape[1], n_points))
        self._squares = {pair: np.zeros(n_points) for pair in lags.pairs}
        self._counts = {pair: lags.weights(*pair) for pair in lags.pairs}
        self.total = np.zeros(n_points)
        self._before = np.zeros((lags.order, n_points))
        self._at = 0

    def take(self, block: NDArray[np.float64]) -> None:
        """Add the next samples: (n, n_points), C-contiguous; they are not kept."""
        rows = slice(self._at, self._at + len(block))
        self._at = rows.stop
        add_product(self._products, self._base[rows], block)
        ends = self._is_end[rows]
        if ends.any():
            add_product(self._end_products, self._ends[rows][ends], np.ascontiguousarray(block[ends]))
        self.total += block.sum(axis=0)
        self._take_squares(block, rows)
        if self._lags.order:
            self._before = np.concatenate([self._before, block])[-self._lags.order :]

    def _take_squares(self, block: NDArray[np.float64], rows: slice) -> None:
        order = self._lags.order
        longer = np.concatenate([self._before, block]) if order else block
        for lag in range(order + 1):
            earlier = longer[order - lag : len(longer) - lag]
            for j, k in self._lags.pairs:
                if j - k != lag:
                    continue
                counts = self._counts[j, k][rows]
                if k:  # the few samples that (lag, 0) has beyond
                    counts = self._counts[lag, 0][rows] & ~counts
                if counts.all():
                    self._squares[j, k] += np.einsum("tv,tv->v", block, earlier)
                elif counts.any():
                    self._squares[j, k] += np.einsum("tv,tv->v", block[counts], earlier[counts])

    def sums(self) -> Sums:
        """The sums of all that was taken."""
        rank = self._lags.rank
        products, squares = {}, {}
        for i, pair in enumerate(p for p in self._lags.pairs if p[1] == 0):
            products[pair] = self._products[i * rank : (i + 1) * rank]
            squares[pair] = self._squares[pair] * (2 if pair[0] else 1)
        for i, (j, k) in enumerate(self._lags.corrected):
            products[j, k] = products[j - k, 0] - self._end_products[i * rank : (i + 1) * rank]
            squares[j, k] = squares[j - k, 0] - self._squares[j, k] * (2 if j > k else 1)
        lags = self._lags
        n_pairs = tuple(int(lags.has(lag).sum()) for lag in range(lags.order + 1))
        return Sums(lags.n_samples, n_pairs, lags.basis.sum(axis=0), lags.gram, products, squares, self.total)


def add_product(into: NDArray[np.float64], weights: NDArray, block: NDArray[np.float64]) -> None:
    """``into += weights' @ block``, without an array of that size in between."""
    if not into.size or not block.size:
        return
    # In the order of Fortran, which BLAS wants, `into.T` and `block.T` are what lies in memory.
    result = dgemm(1.0, block.T, weights, 1.0, into.T, overwrite_c=True)
    if not np.shares_memory(result, into):  # pragma: no cover  (only for arrays that BLAS cannot take)
        into[...] = result.T


def gather(
    blocks: Iterable[NDArray[np.float64]],
    lags: Lags,
    n_points: int,
    subtract_first: bool,
    coefficients: NDArray[np.float64] | None = None,
    first: NDArray[np.float64] | None = None,
) -> tuple[Sums, NDArray[np.float64]]:
    """Sums of a run in one pass.

    Parameters
    ----------
    blocks : iterable of arrays of shape (n, n_points)
        Consecutive samples. They may be overwritten.
    lags : Lags
    n_points : int
    subtract_first : bool
        Subtract the first sample from all.
    coefficients : array of shape (rank, n_points), optional
        Gather the sums of what the basis with these leaves: a second pass, for points that a first one explained too
        well for what is left of them to be seen in its sums.
    first : array of shape (n_points,), optional
        The first sample, where it is known already.

    Returns
    -------
    sums : Sums
    first : array of shape (n_points,)
        What was subtracted: the first sample, or 0.
    """
    gatherer, at = Gatherer(lags, n_points), 0
    reference = first if first is not None else np.zeros(n_points)
    for block in blocks:
        if at == 0 and subtract_first and first is None:
            reference = block[0].copy()
        if subtract_first:
            block -= reference
        if coefficients is not None:
            block -= lags.basis[at : at + len(block)] @ coefficients
        with single_threaded_blas():
            gatherer.take(block)
        at += len(block)
    if at != lags.n_samples:
        raise ValueError(f"The run has {at} samples, the design {lags.n_samples} rows.")
    return gatherer.sums(), reference


def with_constant(span: Span) -> NDArray[np.float64]:
    """The basis of a design, and what it lacks of the constant as a last column."""
    if span.constant is not None:
        return span.basis
    ones = np.ones(len(span.basis))
    rest = ones - span.basis @ (span.basis.T @ ones)
    return np.column_stack([span.basis, rest / np.linalg.norm(rest)])
