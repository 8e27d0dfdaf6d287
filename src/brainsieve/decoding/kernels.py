"""Linear models that see samples by their inner products alone: one Gram matrix for all folds, classes and costs.

What screening keeps in a fold differs by a few columns from the features that most folds keep, or from all, or from
none: the Gram matrix of the nearest of these is known, and that of the columns of difference is added or taken off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeClassifierCV, RidgeCV
from sklearn.svm import SVR, LinearSVC
from sklearn.utils.class_weight import compute_class_weight

from brainsieve.decoding.newton import solve_dual, solve_primal
from brainsieve.decoding.ridge import centred_kernels, solve_ridge, solve_ridge_primal

# Columns multiplied at a time: bounds what is copied out of the data.
COLUMNS = 4096


class Grams:
    """Gram matrices X_m X_m' of sets m of columns.

    Parameters
    ----------
    X : array of shape (n, V)
    masks : array of bool, shape (n_sets, V)
        The sets that will be asked for, whose common columns are worth a matrix.
    every : callable
        Gives the matrix of all columns, which others may share.
    """

    def __init__(self, X: NDArray, masks: NDArray[np.bool_], every: Callable[[], NDArray]) -> None:
        self._X = X
        most = masks.mean(axis=0) > 0.5
        empty = np.zeros(X.shape[1], dtype=bool)
        self._bases = [(empty, np.zeros((len(X), len(X))))]
        n_columns = masks.sum(axis=1)
        # What each set costs from nothing, from all columns and from those that most sets have.
        differing = np.array([n_columns, X.shape[1] - n_columns, (masks != most).sum(axis=1)])
        nearest = differing.argmin(axis=0)
        if (nearest == 1).any():
            self._bases.append((~empty, every()))
        if (nearest == 2).any():
            self._bases.append((most, self.of(most)))

    def of(self, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The matrix (n, n) of a set."""
        base, gram = min(self._bases, key=lambda known: int((known[0] != mask).sum()))
        return self._from(base, gram, mask)

    def _from(self, base: NDArray, gram: NDArray, mask: NDArray) -> NDArray[np.float64]:
        return gram + self._product(mask & ~base) - self._product(base & ~mask)

    def _product(self, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        product = np.zeros((len(self._X), len(self._X)))
        columns = np.flatnonzero(mask)
        for start in range(0, len(columns), COLUMNS):
            some = self._X[:, columns[start : start + COLUMNS]]
            product += some @ some.T
        return product


@dataclass(frozen=True)
class Fitted:
    """A linear model.

    Attributes
    ----------
    coefficients : array
        Of the training samples in the dual, of the features else.
    intercept : float
    chosen : dict
        What one fit has chosen among several values.
    """

    coefficients: NDArray[np.float64]
    intercept: float
    chosen: dict[str, Any]


def is_by_kernel(estimator: Any) -> bool:
    """Whether an estimator's solution is computed here, exactly, and not by scikit-learn's iterations."""
    kind = type(estimator)
    if kind is LinearSVC:
        return estimator.penalty == "l2" and estimator.loss == "squared_hinge" and _positive(estimator.C)
    if kind in (RidgeCV, RidgeClassifierCV):
        weighted = getattr(estimator, "class_weight", None) is not None
        plain = estimator.cv is None and estimator.scoring is None and not weighted
        return plain and np.size(estimator.alphas) > 0 and all(map(_positive, np.ravel(estimator.alphas)))
    return kind is SVR and estimator.kernel == "linear"


def _positive(value: Any) -> bool:
    return (
        not isinstance(value, bool)
        and isinstance(value, int | float | np.number)
        and bool(0 < value < np.inf)
    )


def fit_in_dual(estimators: list[Any], kernel: NDArray, y: NDArray) -> list[Fitted]:
    """Fit several estimators to training samples by their Gram matrix (n, n)."""
    fitted: list[Fitted | None] = [_in_dual(each, kernel, y) for each in estimators]
    machines = [i for i, each in enumerate(estimators) if type(each) is LinearSVC]
    if machines:
        added = np.array([bias_of(estimators[i]) ** 2 for i in machines])
        kernels = kernel + added[:, None, None]
        costs = np.stack([costs_of(estimators[i], y) for i in machines])
        solution = solve_dual(kernels, np.tile(y, (len(machines), 1)), costs)
        for i, coefficients, square in zip(machines, solution.coefficients, added, strict=True):
            fitted[i] = Fitted(coefficients, float(square * coefficients.sum()), {})
    return [each for each in fitted if each is not None]


def _in_dual(estimator: Any, kernel: NDArray, y: NDArray) -> Fitted | None:
    if isinstance(estimator, LinearSVC):
        return None  # all at once
    if isinstance(estimator, SVR):
        own = {**estimator.get_params(), "kernel": "precomputed"}
        machine = SVR(**own).fit(kernel, y)
        coefficients = np.zeros(len(y))
        coefficients[machine.support_] = machine.dual_coef_[0]
        return Fitted(coefficients, float(machine.intercept_[0]), {})
    alphas = np.ravel(estimator.alphas)
    centre = estimator.fit_intercept
    mean = y.mean() if centre else 0.0
    ridge = solve_ridge(
        (centred_kernels(kernel) if centre else kernel)[None], (y - mean)[:, None], alphas, centre
    )
    coefficients = ridge.coefficients[0, :, 0]
    # The mean of the features times the weights.
    intercept = mean - float(kernel.mean(axis=0) @ coefficients) if centre else 0.0
    return Fitted(coefficients, intercept, {"best_alpha": alphas[ridge.best[0]]})


def fit_in_primal(estimators: list[Any], features: NDArray, y: NDArray) -> list[Fitted]:
    """Fit several estimators to training samples (n, p), where there are fewer features than samples."""
    return [_in_primal(each, features, y) for each in estimators]


def _in_primal(estimator: Any, features: NDArray, y: NDArray) -> Fitted:
    if isinstance(estimator, LinearSVC):
        bias = bias_of(estimator)
        with_bias = np.hstack([features, np.full((len(features), 1), bias)])
        weights = solve_primal(with_bias[None], y[None], costs_of(estimator, y)[None]).coefficients[0]
        return Fitted(weights[:-1], float(bias * weights[-1]), {})
    if isinstance(estimator, SVR):
        machine = SVR(**estimator.get_params()).fit(features, y)
        return Fitted(machine.coef_[0], float(machine.intercept_[0]), {})
    alphas = np.ravel(estimator.alphas)
    centre = estimator.fit_intercept
    means, mean = (features.mean(axis=0), y.mean()) if centre else (np.zeros(features.shape[1]), 0.0)
    ridge = solve_ridge_primal((features - means)[None], (y - mean)[:, None], alphas, centre)
    weights = ridge.coefficients[0, :, 0]
    return Fitted(weights, float(mean - means @ weights), {"best_alpha": alphas[ridge.best[0]]})


def bias_of(machine: LinearSVC) -> float:
    """Value of the column whose weight makes the intercept."""
    return float(machine.intercept_scaling) if machine.fit_intercept else 0.0


def costs_of(machine: LinearSVC, y: NDArray) -> NDArray[np.float64]:
    """C of each sample of two classes, -1 and 1."""
    weights = compute_class_weight(machine.class_weight, classes=np.array([-1, 1]), y=y.astype(int))
    return machine.C * np.where(y > 0, weights[1], weights[0])
