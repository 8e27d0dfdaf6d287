"""Precisions of a group that share their zeros, the regularization chosen by cross-validation."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import check_cv

from brainsieve.connectome.block_descent import descend, start
from brainsieve.connectome.group_sparse import (
    check_alpha,
    check_sweeps,
    check_varying,
    empirical,
    group_sparse_covariance,
    largest_alpha,
    warn_of_units,
)
from brainsieve.connectome.subjects import read_subjects
from brainsieve.logs import log
from brainsieve.maskers.declared import keep_parameters

# A grid made from a number goes down to this share of the largest alpha that makes a difference.
LOWEST_SHARE = 0.01
# A score from here on is no likelihood but the trace of a fit that failed.
TOO_GOOD = 4.5e14


@dataclass(frozen=True)
class Folds:
    """Covariances of several folds.

    Attributes
    ----------
    train, test : array of shape (n_folds, n, F, F)
        Of series divided by their standard deviation, train and test apart.
    raw_test : array of shape (n_folds, n, F, F)
        Of the series as they are; early stopping looks at these.
    weights : array of shape (n_folds, n)
        Shares of the subjects in the samples to train on.
    """

    train: NDArray[np.float64]
    test: NDArray[np.float64]
    raw_test: NDArray[np.float64]
    weights: NDArray[np.float64]

    def some(self, which: NDArray[np.intp]) -> Folds:
        return Folds(self.train[which], self.test[which], self.raw_test[which], self.weights[which])

    def __len__(self) -> int:
        return len(self.train)


@dataclass(frozen=True)
class Effort:
    """When the fits of a cross-validation stop."""

    tol: float | None
    max_iter: int
    early_stopping: bool


class GroupSparseCovarianceCV(BaseEstimator):
    """Sparse precisions of a group, whose zeros are the same for all subjects; `alpha` by cross-validation.

    Parameters
    ----------
    alphas : int or sequence of float, default=4
        Values tried: so many between the largest that makes a difference and a hundredth of it, refined around the
        best in `n_refinements` rounds; or these and no others.
    n_refinements : int, default=4
        Rounds, the first grid included.
    cv : int, splitter or None, default=None
        Each subject is split by itself. None: 5 folds of consecutive samples.
    tol_cv : float, default=1e-2
    max_iter_cv : int, default=50
        As `tol` and `max_iter`, while alphas are compared.
    tol : float, default=1e-3
        Stop when no entry of a precision changes by more in a sweep.
    max_iter : int, default=100
        Sweeps of the final fit.
    verbose : int, default=0
    n_jobs : int, default=1
        Processes that share the folds. Folds of one process are computed together, so that more processes pay off
        for many regions only. Results do not depend on it.
    debug : bool, default=False
        Check after each sweep of the final fit that the precisions are positive definite.
    early_stopping : bool, default=True
        Stop a fit when the likelihood of the samples left out falls.

    Attributes
    ----------
    alpha_ : float
        For standardized series.
    cv_alphas_ : list of float
        All values tried, descending.
    cv_scores_ : list of float
        Mean over folds of the log-likelihood of samples left out, for each of `cv_alphas_`.
    covariances_, precisions_ : array of shape (F, F, n)
        In the units of the series.
    n_features_in_ : int

    Notes
    -----
    `alpha` is chosen for standardized series. Series of another variance are standardized for the final fit too, and
    precisions brought back to their units; a warning says so.
    """

    def __init__(
        self,
        alphas: int | Sequence[float] = 4,
        n_refinements: int = 4,
        cv: Any = None,
        tol_cv: float | None = 1e-2,
        max_iter_cv: int = 50,
        tol: float | None = 1e-3,
        max_iter: int = 100,
        verbose: int = 0,
        n_jobs: int = 1,
        debug: bool = False,
        early_stopping: bool = True,
    ) -> None:
        keep_parameters(self, locals())

    def fit(self, subjects: Any, y: None = None) -> GroupSparseCovarianceCV:
        """Choose alpha, and find the precisions.

        Parameters
        ----------
        subjects : iterable of arrays or data frames of shape (T_k, F), array of shape (n, T, F), or one array (T, F)
        y : None
            Ignored; there for scikit-learn.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For a parameter or subject that is not what it should be.
        """
        n_alphas, listed = self._check_parameters()
        given = read_subjects(subjects, "subjects")
        check_varying(given.series)
        covariances, _weights = empirical(given.series)
        series: Sequence[NDArray] = [np.asarray(one, dtype=np.float64) for one in given.series]
        deviations = np.ones((len(series), given.n_features))
        if warn_of_units(covariances):
            deviations = np.stack([one.std(axis=0) for one in series])
            series = [one / sd for one, sd in zip(series, deviations, strict=True)]
        folds = _folds(series, self.cv)
        if listed is None:
            top = largest_alpha(*empirical(series))
            tried = self._tried(folds, np.geomspace(top, LOWEST_SHARE * top, n_alphas), self.n_refinements)
        else:
            tried = self._tried(folds, np.sort(listed)[::-1], 1)
        alphas, scores = map(list, zip(*tried, strict=True))
        best = _best(tried)
        _, precisions = group_sparse_covariance(
            series, alphas[best], self.max_iter, self.tol, self.verbose, debug=self.debug
        )
        scale = deviations.T
        self.alpha_ = alphas[best]
        self.cv_alphas_, self.cv_scores_ = alphas, scores
        self.covariances_ = np.asfortranarray(np.moveaxis(covariances, 0, -1))
        self.precisions_ = np.asfortranarray(precisions / scale[:, None, :] / scale[None, :, :])
        self.n_features_in_ = given.n_features
        return self

    def _tried(self, folds: Folds, grid: NDArray, n_rounds: int) -> list[tuple[float, float]]:
        """All alphas with their scores, descending."""
        effort = Effort(self.tol_cv, self.max_iter_cv, self.early_stopping)
        parts = np.array_split(np.arange(len(folds)), max(1, min(self._n_processes(), len(folds))))
        tried: list[tuple[float, float]] = []
        initial: list[NDArray | None] = [None] * len(parts)
        with Parallel(n_jobs=len(parts)) as parallel:
            for i in range(n_rounds):
                answers = parallel(
                    delayed(_scores)(folds.some(part), grid, effort, first)
                    for part, first in zip(parts, initial, strict=True)
                )
                if not self.early_stopping:
                    initial = [last for _, last in answers]
                scores = np.concatenate([found for found, _ in answers], axis=1).mean(axis=1)
                tried += zip(grid.tolist(), scores.tolist(), strict=True)
                tried.sort(reverse=True)
                log(
                    self.verbose,
                    1,
                    f"GroupSparseCovarianceCV: round {i + 1} of {n_rounds}, {len(tried)} alphas.",
                )
                if i + 1 < n_rounds:
                    grid = _finer(tried, len(grid))
        return tried

    def _n_processes(self) -> int:
        from joblib import effective_n_jobs

        return int(effective_n_jobs(self.n_jobs))

    def _check_parameters(self) -> tuple[int, NDArray | None]:
        """How many alphas a grid has, or those that were listed."""
        check_sweeps(self.max_iter, self.tol)
        check_sweeps(self.max_iter_cv, self.tol_cv, ("max_iter_cv", "tol_cv"))
        if isinstance(self.alphas, int | np.integer) and not isinstance(self.alphas, bool):
            if self.alphas < 1:
                raise ValueError(f"alphas must be at least 1; {self.alphas} was given.")
            check_sweeps(self.n_refinements, None, ("n_refinements", ""))
            return int(self.alphas), None
        listed = (
            [] if isinstance(self.alphas, str) or np.ndim(self.alphas) != 1 else list(np.asarray(self.alphas))
        )
        if not listed:
            raise TypeError(
                f"alphas must be a number of values or a list of them; {self.alphas!r} was given."
            )
        for alpha in listed:
            check_alpha(alpha)
            if alpha == 0:
                raise ValueError("alphas holds 0; the values must be positive.")
        return len(listed), np.asarray(listed, dtype=np.float64)


def _folds(series: Sequence[NDArray], cv: Any) -> Folds:
    splits = [list(check_cv(5 if cv is None else cv).split(one)) for one in series]
    n_folds = min(map(len, splits))
    train, test, raw_test, weights = [], [], [], []
    for fold in range(n_folds):
        learned = [one[splits[k][fold][0]] for k, one in enumerate(series)]
        left_out = [one[splits[k][fold][1]] for k, one in enumerate(series)]
        for k, part in itertools.chain(enumerate(learned), enumerate(left_out)):
            if len(part) < 2 or (np.ptp(part, axis=0) == 0).any():
                raise ValueError(
                    f"subjects[{k}]: fold {fold} has {len(part)} samples or a feature that is constant there; take "
                    f"fewer folds (cv={cv!r})."
                )
        of_train, shares = empirical([one / one.std(axis=0) for one in learned])
        train.append(of_train)
        weights.append(shares)
        test.append(empirical([one / one.std(axis=0) for one in left_out])[0])
        raw_test.append(empirical(left_out)[0])
    return Folds(np.stack(train), np.stack(test), np.stack(raw_test), np.stack(weights))


def _scores(
    folds: Folds, alphas: NDArray, effort: Effort, initial: NDArray | None
) -> tuple[NDArray, NDArray]:
    """Scores (n_alphas, n_folds), and the precisions of the last alpha; each starts where the one before ended."""
    precisions = start(folds.train) if initial is None else initial
    scores = []
    for alpha in alphas:
        probe = _Watch(folds) if effort.early_stopping else None
        precisions = descend(
            folds.train, folds.weights, float(alpha), precisions, effort.tol, effort.max_iter, probe
        ).precisions
        scores.append(likelihood(precisions, folds.test, folds.weights))
    found = np.stack(scores)
    return np.where(found >= TOO_GOOD, np.nan, found), precisions


class _Watch:
    """Stops the fits whose likelihood of samples left out falls."""

    def __init__(self, folds: Folds) -> None:
        self._folds = folds
        self._last = np.full(len(folds), -np.inf)

    def __call__(self, sweep: int, omega: NDArray, before: NDArray | None) -> NDArray[np.bool_]:
        now = likelihood(omega, self._folds.raw_test, self._folds.weights)
        falls = now < self._last
        self._last = now
        return falls


def likelihood(precisions: NDArray, covariances: NDArray, weights: NDArray) -> NDArray[np.float64]:
    """Σ_k w_k [log det Ω_k - tr(S_k Ω_k)] of each problem, (n_problems,)."""
    sign, log_det = np.linalg.slogdet(precisions)
    traces = np.einsum("bkij,bkji->bk", covariances, precisions)
    return np.where(sign > 0, weights * (log_det - traces), -np.inf).sum(axis=1)


def _best(tried: Sequence[tuple[float, float]]) -> int:
    """Position of the highest score, of the smallest alpha where several have it."""
    scores = np.array([score for _, score in tried])
    return int(np.flatnonzero(scores == np.nanmax(scores))[-1])


def _finer(tried: Sequence[tuple[float, float]], n: int) -> NDArray[np.float64]:
    """`n` values strictly between the neighbours of the best one, descending."""
    best = _best(tried)
    if best == 0:
        high, low = tried[0][0], tried[min(1, len(tried) - 1)][0]
    elif best == len(tried) - 1:
        high, low = tried[best][0], LOWEST_SHARE * tried[best][0]
    else:
        high, low = tried[best - 1][0], tried[best + 1][0]
    if high == low:
        low = LOWEST_SHARE * high
    return np.geomspace(high, low, n + 2)[1:-1]
