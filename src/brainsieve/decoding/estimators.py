"""Estimators by name: scikit-learn's objects, what is fixed of them, and the grids that are searched by default.

`estimator_args` act on the object that is made for one decoder, and on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LassoCV, LogisticRegressionCV, RidgeClassifierCV, RidgeCV
from sklearn.model_selection import ParameterGrid
from sklearn.svm import SVR, LinearSVC, l1_min_c

from brainsieve.checks import a_dict_or_none, found, nearest
from brainsieve.logs import warn

COSTS = (1, 10, 100)
STRENGTHS = np.geomspace(1e-3, 1e4, 8)


@dataclass(frozen=True)
class Named:
    """An estimator that has a name.

    Attributes
    ----------
    make : type
        scikit-learn's class.
    fixed : dict
        Parameters that the name stands for.
    own : dict
        Parameters other than scikit-learn's defaults, which `estimator_args` may change.
    grid : dict
        What is searched where `param_grid` is None.
    """

    make: Callable[..., Any]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, Any] = field(default_factory=dict)


def _logistic(l1_ratio: int) -> Named:
    # scikit-learn 1.8 names the penalty by its share of L1; before, by a word.
    if "use_legacy_attributes" in signature(LogisticRegressionCV).parameters:
        penalty: dict[str, Any] = {"l1_ratios": (l1_ratio,), "use_legacy_attributes": False}
    else:
        penalty = {"penalty": "l1" if l1_ratio else "l2"}
    fixed = {**penalty, "solver": "liblinear", "scoring": "neg_log_loss"}
    # liblinear visits features in random order for the L1 penalty, and stops before it would not matter.
    return Named(LogisticRegressionCV, fixed, {"random_state": 0}, {"Cs": [STRENGTHS]})


def _lasso() -> Named:
    # From scikit-learn 1.7 on `alphas` takes a number of values, and `n_alphas` goes.
    takes_number = signature(LassoCV).parameters["alphas"].default is not None
    return Named(LassoCV, grid={"alphas" if takes_number else "n_alphas": [30]})


_SVC = {"max_iter": 10000, "random_state": 0}
CLASSIFIERS: dict[str, Named] = {
    "svc": Named(LinearSVC, {"penalty": "l2"}, _SVC, {"C": list(COSTS)}),
    "svc_l1": Named(LinearSVC, {"penalty": "l1"}, _SVC, {"C": list(COSTS)}),
    "logistic": _logistic(0),
    "logistic_l1": _logistic(1),
    "ridge_classifier": Named(RidgeClassifierCV, grid={"alphas": [STRENGTHS]}),
    "dummy_classifier": Named(DummyClassifier, {"strategy": "stratified"}, {"random_state": 0}),
}
REGRESSORS: dict[str, Named] = {
    "svr": Named(SVR, {"kernel": "linear"}, {"max_iter": 10000}, {"C": list(COSTS)}),
    "ridge": Named(RidgeCV, grid={"alphas": [STRENGTHS]}),
    "lasso": _lasso(),
    "dummy_regressor": Named(DummyRegressor, {"strategy": "mean"}),
}
ALIASES = {
    "svc_l2": "svc",
    "logistic_l2": "logistic",
    "ridge_regressor": "ridge",
    "lasso_regressor": "lasso",
}


def make_estimator(given: Any, args: Any, known: Mapping[str, Named], random_state: Any = None) -> Any:
    """The unfitted estimator that a name and `estimator_args` stand for; a user's own as a clone.

    Parameters
    ----------
    given : str or estimator
    args : dict or None
    known : dict
        Names that may be given.
    random_state : int, RandomState or None
        Instead of the 0 that the name has, where the estimator has one.

    Raises
    ------
    TypeError, ValueError
        If the name or a parameter is not known, or the object is no estimator.
    """
    a_dict_or_none("estimator_args", args)
    args = dict(args or {})
    if not isinstance(given, str):
        return _own(given, args)
    named = known.get(ALIASES.get(given, given))
    if named is None:
        names = sorted([*known, *(alias for alias, name in ALIASES.items() if name in known)])
        raise ValueError(
            f"estimator must be one of {', '.join(map(repr, names))}, or an estimator of scikit-learn's kind; "
            f"{given!r} was given.{_other_kind(given) or nearest(given, names)}"
        )
    for name in sorted(set(args) & set(named.fixed)):
        if args[name] != named.fixed[name]:
            warn(
                f"estimator_args: {name}={args[name]!r} is not used; estimator={given!r} stands for "
                f"{name}={named.fixed[name]!r}. Give a scikit-learn estimator itself for another one."
            )
        del args[name]
    own = dict(named.own)
    if "random_state" in own and random_state is not None:
        own["random_state"] = random_state
    made = named.make(**{**own, **named.fixed})
    return _set(made, args, f"estimator={given!r}")


def _other_kind(name: str) -> str:
    if name in CLASSIFIERS or ALIASES.get(name) in CLASSIFIERS:
        return " That is a classifier: Decoder takes it."
    if name in REGRESSORS or ALIASES.get(name) in REGRESSORS:
        return " That is a regressor: DecoderRegressor takes it."
    return ""


def _own(given: Any, args: dict[str, Any]) -> Any:
    if isinstance(given, type):
        raise TypeError(
            f"estimator must be an object; the class {given.__name__} was given. Put () after it."
        )
    if not (hasattr(given, "fit") and hasattr(given, "predict") and hasattr(given, "get_params")):
        raise TypeError(
            f"estimator must be a name or an estimator with fit, predict and get_params; {found(given)} was given."
        )
    return _set(clone(given), args, f"estimator={type(given).__name__}")


def _set(made: Any, args: dict[str, Any], name: str) -> Any:
    unknown = sorted(set(args) - set(made.get_params()))
    if unknown:
        raise ValueError(
            f"estimator_args has {', '.join(unknown)}, which {name} does not know; it knows "
            f"{', '.join(sorted(made.get_params(deep=False)))}."
        )
    return made.set_params(**args)


def refuse_other_kind(estimator: Any, classifies: bool) -> None:
    """Raise ValueError for a regressor where classes are decoded, and the other way round."""
    wrong = is_regressor(estimator) if classifies else is_classifier(estimator)
    if wrong:
        kind, other = ("regressor", "DecoderRegressor") if classifies else ("classifier", "Decoder")
        raise ValueError(f"estimator {type(estimator).__name__} is a {kind}: give it to {other}.")


def grid_of(given: Any, param_grid: Any, estimator: BaseEstimator) -> list[dict[str, Any]] | None:
    """Points of the grid to be searched, in scikit-learn's order; None: three costs that depend on the data.

    Raises
    ------
    TypeError, ValueError
        If `param_grid` is no grid, or has parameters that the estimator does not.
    """
    if param_grid is None:
        name = ALIASES.get(given, given) if isinstance(given, str) else None
        if name == "svc_l1":
            return None
        named = {**CLASSIFIERS, **REGRESSORS}.get(name) if name else None
        return list(ParameterGrid(dict(named.grid))) if named else [{}]
    grids = [param_grid] if isinstance(param_grid, Mapping) else param_grid
    if not isinstance(grids, list | tuple) or not all(isinstance(grid, Mapping) for grid in grids):
        raise TypeError(f"param_grid must be a dict, a list of dicts or None; {found(param_grid)} was given.")
    known = estimator.get_params()
    repaired = [_repaired(dict(grid), estimator) for grid in grids]
    for grid in repaired:
        for name, values in grid.items():
            if name not in known:
                raise ValueError(
                    f"param_grid has {name}, which {type(estimator).__name__} does not know; it knows "
                    f"{', '.join(sorted(estimator.get_params(deep=False)))}.{nearest(name, known)}"
                )
            if isinstance(values, str) or not hasattr(values, "__len__") or not len(values):
                raise ValueError(f"param_grid: {name} must be a list of values; {found(values)} was given.")
    return list(ParameterGrid(repaired))


def _repaired(grid: dict[str, Any], estimator: Any) -> dict[str, Any]:
    """Lists of one value for what is itself a list of values (Cs, alphas); C of a logistic regression as Cs."""
    if isinstance(estimator, LogisticRegressionCV) and "C" in grid and "Cs" not in grid:
        warn("param_grid: C is Cs here, whose values are all tried in one fit.", FutureWarning)
        grid["Cs"] = grid.pop("C")
    many = {
        LogisticRegressionCV: "Cs",
        RidgeCV: "alphas",
        RidgeClassifierCV: "alphas",
        LassoCV: "alphas",
    }.get(type(estimator))
    values = grid.get(many) if many else None
    if values is not None and all(np.ndim(value) == 0 for value in values):
        warn(
            f"param_grid: the values of {many} are all tried in one fit; they are taken as {{{many!r}: [[...]]}}."
        )
        grid[str(many)] = [values]
    return grid


def sparse_costs(features: NDArray, y: NDArray) -> list[dict[str, Any]]:
    """Costs for the L1 penalty: multiples of the smallest that leaves any weight."""
    return [{"C": 2 * cost * l1_min_c(features, y)} for cost in COSTS]


def best_of_one_fit(fitted: Any) -> dict[str, Any]:
    """What an estimator that tries several values in one fit has chosen."""
    if isinstance(fitted, LogisticRegressionCV):
        return {"best_C": np.ravel(fitted.C_)[0]}
    if isinstance(fitted, RidgeCV | RidgeClassifierCV | LassoCV):
        return {"best_alpha": fitted.alpha_}
    return {}
