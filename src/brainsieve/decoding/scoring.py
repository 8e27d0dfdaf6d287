"""Scores: scikit-learn's scorers on models of which only a decision is known, and the common ones for many at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer, get_scorer_names, make_scorer

from brainsieve.checks import found, nearest

# scikit-learn's own scorers ask a model for its decision or prediction alone; those of others may ask for anything.
_OWN = type(make_scorer(len))
# Scores of two classes that have a meaning for more as the mean over one class against the rest.
OF_TWO_CLASSES = ("roc_auc", "average_precision", "f1", "precision", "recall", "jaccard")


class DecidedClassifier(ClassifierMixin, BaseEstimator):
    """A linear classifier of given weights; with weight 1 and intercept 0, decisions in a column decide."""

    def __init__(self, coef: Any = None, intercept: Any = None, classes: Any = None) -> None:
        self.coef, self.intercept, self.classes = coef, intercept, classes
        self.coef_, self.intercept_, self.classes_ = coef, intercept, classes

    def fit(self, X: Any, y: Any) -> DecidedClassifier:
        return self

    def decision_function(self, X: Any) -> NDArray:
        decided = np.asarray(X) @ self.coef_.T + self.intercept_
        return decided[:, 0] if len(self.classes_) == 2 else decided

    def predict(self, X: Any) -> NDArray:
        decided = self.decision_function(X)
        return self.classes_[(decided > 0).astype(int) if decided.ndim == 1 else decided.argmax(axis=1)]


class DecidedRegressor(RegressorMixin, BaseEstimator):
    """A linear regression of given weights."""

    def __init__(self, coef: Any = None, intercept: Any = None) -> None:
        self.coef, self.intercept = coef, intercept
        self.coef_, self.intercept_ = coef, intercept

    def fit(self, X: Any, y: Any) -> DecidedRegressor:
        return self

    def predict(self, X: Any) -> NDArray:
        return (np.asarray(X) @ self.coef_.T + self.intercept_)[:, 0]


def scorer_of(scoring: Any, classifies: bool) -> Any:
    """The scorer that a name stands for; None: accuracy or R²; callables as they are.

    Raises
    ------
    TypeError, ValueError
        For an unknown name, and what is neither a name nor a callable.
    """
    if scoring is None:
        return get_scorer("accuracy" if classifies else "r2")
    if callable(scoring):
        return scoring
    if not isinstance(scoring, str):
        raise TypeError(
            f"scoring must be a name, a callable (estimator, X, y) or None; {found(scoring)} was given."
        )
    names = get_scorer_names()
    if scoring not in names:
        raise ValueError(f"scoring={scoring!r} is no score of scikit-learn.{nearest(scoring, names)}")
    return get_scorer(scoring)


def needs_decisions_only(scorer: Any) -> bool:
    return isinstance(scorer, _OWN)


def score_of_decisions(scorer: Any, decisions: NDArray, y: NDArray, classes: NDArray | None) -> float:
    """A scikit-learn scorer on decisions (n,) or (n, n_classes); classes None: on predictions of numbers."""
    columns = decisions[:, None] if decisions.ndim == 1 else decisions
    weights = np.eye(columns.shape[1])
    model = DecidedRegressor(weights, 0.0) if classes is None else DecidedClassifier(weights, 0.0, classes)
    return _scored(scorer, model, columns, y)


def score_of_model(
    scorer: Any, coef: NDArray, intercept: float, X: NDArray, y: NDArray, classes: NDArray | None
) -> float:
    """Any scorer on a linear model of weights (V,)."""
    weights, constant = coef[None], np.atleast_1d(intercept)
    model = (
        DecidedRegressor(weights, constant)
        if classes is None
        else DecidedClassifier(weights, constant, classes)
    )
    return _scored(scorer, model, X, y)


def _scored(scorer: Any, model: Any, X: NDArray, y: NDArray) -> float:
    try:
        return float(scorer(model, X, y))
    except AttributeError as error:
        # scikit-learn asks for what the score is computed from.
        if "predict_proba" not in str(error):
            raise
        raise ValueError(
            f"scoring={scorer} needs probabilities, which are not there; give a score of decisions (as 'roc_auc') or "
            "of predictions (as 'accuracy')."
        ) from None


# -- many at once ----------------------------------------------------------------------------------------------


def batched_score(scoring: Any, n_classes: int) -> Callable[[NDArray, NDArray], NDArray[np.float64]] | None:
    """The score of many decisions at a time, where there is one.

    Parameters
    ----------
    scoring : str, callable or None
    n_classes : int
        0: numbers are predicted.

    Returns
    -------
    score : callable or None
        Of decisions (n_problems, n), or (n_problems, n, n_classes) for more than two classes, and positions of classes
        or numbers (n,).
    """
    if n_classes:
        known = {None: _accuracy, "accuracy": _accuracy}
        if n_classes == 2:
            known["roc_auc"] = _roc_auc
    else:
        known = {None: _r2, "r2": _r2, "neg_mean_squared_error": _neg_mean_squared_error}
    return known.get(scoring) if scoring is None or isinstance(scoring, str) else None


def _accuracy(decisions: NDArray, y: NDArray) -> NDArray[np.float64]:
    predicted = decisions > 0 if decisions.ndim == 2 else decisions.argmax(axis=2)
    return (predicted == y).mean(axis=1)


def _roc_auc(decisions: NDArray, y: NDArray) -> NDArray[np.float64]:
    """Mann and Whitney's U over the number of pairs."""
    above = y == 1
    n_above, n_below = int(above.sum()), int((~above).sum())
    ranks = rankdata(decisions, axis=1)
    return (ranks[:, above].sum(axis=1) - n_above * (n_above + 1) / 2) / (n_above * n_below)


def _neg_mean_squared_error(decisions: NDArray, y: NDArray) -> NDArray[np.float64]:
    return -((decisions - y) ** 2).mean(axis=1)


def _r2(decisions: NDArray, y: NDArray) -> NDArray[np.float64]:
    left, total = ((decisions - y) ** 2).sum(axis=1), ((y - y.mean()) ** 2).sum()
    if total == 0:  # as scikit-learn: nothing varies
        return np.where(left == 0, 1.0, 0.0)
    return 1 - left / total
