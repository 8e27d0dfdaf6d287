"""One problem in one fold: screen, fit each point of the grid, score it on the test samples, keep the best."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone

from brainsieve.decoding.estimators import best_of_one_fit, sparse_costs
from brainsieve.decoding.folds import Fold
from brainsieve.decoding.kernels import Grams, fit_in_dual, fit_in_primal
from brainsieve.decoding.scoring import needs_decisions_only, score_of_decisions, score_of_model
from brainsieve.decoding.screening import Screening, f_of_classes, f_of_targets
from brainsieve.engine.threads import single_threaded_blas

# The two classes of each problem.
SIGNS = np.array([-1, 1])


@dataclass(frozen=True)
class Best:
    """The best model of a fold.

    Attributes
    ----------
    score : float
        On the test samples by which it was chosen.
    params : dict
        The point of the grid, and what the fit chose by itself.
    coefficients : array or None
        Of all n samples (w = X' coefficients) where `by_samples`, else of all V features; None: it is not linear.
    by_samples : bool
    intercept : float
    model : fitted estimator or None
        scikit-learn's, where it is not linear.
    kept : array of bool, shape (V,)
        The features that it was fitted to.
    """

    score: float
    params: dict[str, Any]
    kept: NDArray[np.bool_]
    coefficients: NDArray[np.float64] | None = None
    by_samples: bool = False
    intercept: float = 0.0
    model: Any = None


@dataclass(frozen=True)
class Problem:
    """What all folds and classes share.

    Attributes
    ----------
    X : array of shape (n, V)
    estimator : estimator
        Unfitted.
    grid : list of dict, or None
        None: three costs of the L1 penalty, which depend on the data.
    scorer : callable
    classifies : bool
    by_kernel : bool
        Whether the estimator at all points of the grid is solved here.
    """

    X: NDArray[np.float64]
    estimator: Any
    grid: list[dict[str, Any]] | None
    scorer: Any
    classifies: bool
    by_kernel: bool

    @property
    def classes(self) -> NDArray | None:
        return SIGNS if self.classifies else None


def fit_all(
    problem: Problem, targets: list[NDArray], folds: list[Fold], screening: Screening, n_jobs: int
) -> Iterator[list[Best]]:
    """The best model of each fold, problem by problem.

    Parameters
    ----------
    problem : Problem
    targets : list of arrays of shape (n,)
        -1 and 1, or numbers.
    folds : list of (training samples, test samples)
    screening : Screening
    n_jobs : int
        Folds at a time; no result depends on it.
    """
    X = problem.X
    # All classes share it.
    every = functools.cache(lambda: X @ X.T)
    for y in targets:
        if screening.keeps_all(X.shape[1]):
            masks = np.ones((len(folds), X.shape[1]), dtype=bool)
        else:
            trains = [train for train, _ in folds]
            F = f_of_classes(X, y, trains) if problem.classifies else f_of_targets(X, y, trains)
            masks = np.array([screening.chosen(scores) for scores in F])
        # By samples where these are fewer than features.
        dual = [
            problem.by_kernel and len(train) <= kept.sum()
            for (train, _), kept in zip(folds, masks, strict=True)
        ]
        grams = Grams(X, masks, every) if any(dual) else None
        # What is solved here leaves Python to BLAS; scikit-learn's solvers may not.
        parallel = Parallel(n_jobs=n_jobs, prefer="threads" if problem.by_kernel else None)
        yield parallel(
            delayed(fit_fold)(problem, y, fold, kept, grams if by_samples else None)
            for fold, kept, by_samples in zip(folds, masks, dual, strict=True)
        )


def fit_fold(problem: Problem, y: NDArray, fold: Fold, kept: NDArray[np.bool_], grams: Grams | None) -> Best:
    """Fit one problem to the training samples of a fold, by their inner products where `grams` are given."""
    # In a process of its own as in this one: sums in the same order.
    with single_threaded_blas():
        if grams is not None:
            return _by_samples(problem, y, fold, kept, grams.of(kept))
        return (_by_features if problem.by_kernel else _by_scikit_learn)(problem, y, fold, kept)


def weights_of(folds: list[Best], X: NDArray) -> NDArray[np.float64]:
    """Weights (n_folds, V) of linear models; 0 for the features left out."""
    weights = np.zeros((len(folds), X.shape[1]))
    for row, best in zip(weights, folds, strict=True):
        assert best.coefficients is not None
        row[best.kept] = (best.coefficients @ X if best.by_samples else best.coefficients)[best.kept]
    return weights


def _by_samples(problem: Problem, y: NDArray, fold: Fold, kept: NDArray, gram: NDArray) -> Best:
    train, test = fold
    estimators, points = _candidates(problem)
    fitted = fit_in_dual(estimators, gram[np.ix_(train, train)], y[train])
    best: Best | None = None
    for each, params in zip(fitted, points, strict=True):
        coefficients = np.zeros(len(y))
        # A sample may be drawn into a fold more than once.
        np.add.at(coefficients, train, each.coefficients)
        if needs_decisions_only(problem.scorer):
            decisions = gram[test] @ coefficients + each.intercept
            score = score_of_decisions(problem.scorer, decisions, y[test], problem.classes)
        else:
            weights = (coefficients @ problem.X)[kept]
            rows = problem.X[np.ix_(test, np.flatnonzero(kept))]
            score = score_of_model(problem.scorer, weights, each.intercept, rows, y[test], problem.classes)
        found = Best(score, {**params, **each.chosen}, kept, coefficients, True, each.intercept)
        best = _better(best, found)
    assert best is not None
    return best


def _by_features(problem: Problem, y: NDArray, fold: Fold, kept: NDArray) -> Best:
    train, test = (problem.X[np.ix_(samples, np.flatnonzero(kept))] for samples in fold)
    estimators, points = _candidates(problem)
    best: Best | None = None
    for each, params in zip(fit_in_primal(estimators, train, y[fold[0]]), points, strict=True):
        score = score_of_model(
            problem.scorer, each.coefficients, each.intercept, test, y[fold[1]], problem.classes
        )
        weights = _spread(each.coefficients, kept)
        found = Best(score, {**params, **each.chosen}, kept, weights, False, each.intercept)
        best = _better(best, found)
    assert best is not None
    return best


def _by_scikit_learn(problem: Problem, y: NDArray, fold: Fold, kept: NDArray) -> Best:
    train, test = (problem.X[np.ix_(samples, np.flatnonzero(kept))] for samples in fold)
    grid = sparse_costs(train, y[fold[0]]) if problem.grid is None else problem.grid
    best: Best | None = None
    for params in grid:
        model = clone(problem.estimator).set_params(**params).fit(train, y[fold[0]])
        score = float(problem.scorer(model, test, y[fold[1]]))
        best = _better(best, Best(score, {**params, **best_of_one_fit(model)}, kept, model=model))
    assert best is not None
    linear = linear_part(best.model, test)
    if linear is None:
        return best
    weights, intercept = linear
    return Best(best.score, best.params, kept, _spread(weights, kept), False, intercept)


def _candidates(problem: Problem) -> tuple[list[Any], list[dict[str, Any]]]:
    assert problem.grid is not None
    return [clone(problem.estimator).set_params(**params) for params in problem.grid], problem.grid


def _better(best: Best | None, other: Best) -> Best:
    """Ties go to the later point of the grid, as in nilearn; a score that is NaN never wins."""
    return other if best is None or other.score >= best.score else best


def _spread(weights: NDArray, kept: NDArray[np.bool_]) -> NDArray[np.float64]:
    coefficients = np.zeros(len(kept))
    coefficients[kept] = weights
    return coefficients


def linear_part(model: Any, X: NDArray) -> tuple[NDArray[np.float64], float] | None:
    """Weights and intercept of a fitted model, if these are all that decides.

    Weights that a model has need not be: those of a generalized linear model go through a link, those of a pipeline's
    last step act on other features. So decisions are compared.
    """
    weights = getattr(model, "coef_", None)
    if weights is None or np.size(weights) != X.shape[1]:
        return None
    weights = np.ravel(np.asarray(weights, dtype=np.float64))
    intercept = float(np.ravel(getattr(model, "intercept_", 0.0))[0])
    decided, expected = decisions_of(model, X), X @ weights + intercept
    size = max(float(np.abs(expected).max()), np.finfo(np.float64).tiny)
    same = np.shape(decided) == expected.shape and np.abs(decided - expected).max() <= 1e-6 * size
    return (weights, intercept) if same else None


def decisions_of(model: Any, X: NDArray) -> NDArray[np.float64]:
    """What a model decides by, above 0 for the second class."""
    if hasattr(model, "decision_function"):
        return np.asarray(model.decision_function(X), dtype=np.float64)
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(X), dtype=np.float64)[:, 1] - 0.5
    return np.asarray(model.predict(X), dtype=np.float64)
