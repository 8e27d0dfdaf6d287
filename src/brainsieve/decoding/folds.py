"""What is predicted, and how samples are split: checked before any model is fitted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import LeaveOneGroupOut, check_cv
from sklearn.utils.multiclass import type_of_target

from brainsieve.checks import found
from brainsieve.logs import warn

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


def one_column(values: ArrayLike, name: str, n_samples: int) -> NDArray:
    """One value for each sample, none of them missing.

    Raises
    ------
    ValueError
        For other shapes and lengths, NaN and None.
    """
    column = np.asarray(values)
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.ndim != 1:
        raise ValueError(
            f"{name} must have one value for each sample, shape ({n_samples},); its shape is {np.shape(values)}."
        )
    if len(column) != n_samples:
        raise ValueError(
            f"{name} has {len(column)} values, X has {n_samples} samples; one for each is needed."
        )
    missing = np.flatnonzero([value is None or value != value for value in column.tolist()])
    if len(missing):
        raise ValueError(
            f"{name} has {len(missing)} missing values (NaN), the first at position {missing[0]}."
        )
    if column.dtype != object:
        return column
    # Text of a data frame comes as objects.
    if len({isinstance(value, str) for value in column}) > 1:
        raise ValueError(
            f"{name} has words and numbers: {found(column[:4].tolist())}. Give one or the other."
        )
    return np.asarray(column.tolist())


def classes_of(y: NDArray) -> NDArray:
    """Classes, sorted.

    Raises
    ------
    ValueError
        For numbers that are no classes, and where there is but one.
    """
    kind = type_of_target(y, input_name="y")
    if kind not in ("binary", "multiclass"):
        raise ValueError(
            f"y must be classes; its values are {kind} ({found(y[:4].tolist())}). DecoderRegressor predicts numbers."
        )
    classes = np.unique(y)
    if len(classes) < 2:
        raise ValueError(f"y has only one class, {classes.tolist()[0]!r}; at least two are needed.")
    return classes


def numbers_of(y: NDArray) -> NDArray[np.float64]:
    """Targets of a regression.

    Raises
    ------
    ValueError
        If they are not finite numbers.
    """
    if y.dtype.kind not in "biuf":
        raise ValueError(f"y must be numbers; {found(y[:4].tolist())} were given. Decoder predicts classes.")
    y = y.astype(np.float64)
    if not np.isfinite(y).all():
        raise ValueError("y has infinite values.")
    return y


def make_folds(
    cv: Any, y: NDArray, groups: ArrayLike | None, classifies: bool, default: int, leave_groups_out: bool
) -> list[Fold]:
    """Training and test samples of each fold.

    Parameters
    ----------
    cv : int, splitter, iterable of pairs, or None
    y : array of shape (n,)
    groups : array of shape (n,) or None
    classifies : bool
        Whether an int stratifies.
    default : int
        Folds where `cv` is None.
    leave_groups_out : bool
        Whether groups, beside an int or None, leave one group out.

    Raises
    ------
    TypeError, ValueError
        For what is no splitter, groups that are missing or of another length, and folds without samples.
    """
    if groups is not None:
        groups = one_column(groups, "groups", len(y))
    if isinstance(cv, bool | str) or not (
        cv is None or isinstance(cv, int | np.integer) or hasattr(cv, "split") or isinstance(cv, Iterable)
    ):
        raise TypeError(
            f"cv must be an integer, a splitter, or pairs of training and test samples; {found(cv)} was given."
        )
    if (cv is None or isinstance(cv, int | np.integer)) and groups is not None and leave_groups_out:
        warn(
            f"groups are given and cv={cv!r} is no splitter: one group is left out in each fold (LeaveOneGroupOut)."
        )
        cv = LeaveOneGroupOut()
    if isinstance(cv, int | np.integer) and cv < 2:
        raise ValueError(f"cv must be at least 2 folds; {cv} was given.")
    splitter = check_cv(default if cv is None else cv, y, classifier=classifies)
    # KFold and StratifiedKFold say that they leave groups aside; nobody asked them to heed these.
    ignored = isinstance(cv, int | np.integer) or cv is None
    try:
        pairs = list(splitter.split(np.zeros((len(y), 1)), y, None if ignored else groups))
    except ValueError as error:
        if groups is None and "groups" in str(error):
            raise ValueError(
                f"groups is needed by cv={type(splitter).__name__}: give fit(..., groups=...)."
            ) from error
        raise ValueError(f"cv={cv!r} cannot split {len(y)} samples: {error}") from error
    if not pairs:
        raise ValueError(f"cv={found(cv)} gives no fold.")
    return [_checked(pair, i, len(y)) for i, pair in enumerate(pairs)]


def _checked(pair: Any, i: int, n: int) -> Fold:
    if len(pair) != 2:
        raise ValueError(
            f"cv: fold {i} must be (training samples, test samples); it has {len(pair)} entries."
        )
    both = []
    for samples, name in zip(pair, ("training", "test"), strict=True):
        samples = np.asarray(samples)
        if samples.dtype == bool:
            if samples.shape != (n,):
                raise ValueError(
                    f"cv: the {name} mask of fold {i} has shape {samples.shape}; ({n},) is needed."
                )
            samples = np.flatnonzero(samples)
        if not samples.size:
            raise ValueError(f"cv: fold {i} has no {name} samples.")
        if samples.dtype.kind not in "iu" or samples.ndim != 1 or samples.min() < -n or samples.max() >= n:
            raise ValueError(f"cv: the {name} samples of fold {i} are not positions among {n} samples.")
        both.append(samples.astype(np.intp) % n)
    return both[0], both[1]


def refuse_missing_classes(folds: list[Fold], y: NDArray, classes: NDArray) -> None:
    """Raise ValueError where the training samples of a fold lack a class."""
    for i, (train, _) in enumerate(folds):
        missing = np.setdiff1d(classes, y[train])
        if len(missing):
            raise ValueError(
                f"cv: the training samples of fold {i} have no sample of class "
                f"{', '.join(map(repr, missing.tolist()))}; "
                "every fold must be trained on all classes (StratifiedKFold, say, or fewer folds)."
            )
