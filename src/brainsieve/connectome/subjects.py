"""The series of subjects, as users give them: arrays, data frames, generators of these."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Subjects:
    """Series of shape (T_k, F) of each subject, and the names of the features where frames have them."""

    series: tuple[NDArray, ...]
    names: tuple[str, ...] | None

    @property
    def n_features(self) -> int:
        return self.series[0].shape[1]


def read_subjects(given: Any, name: str, fewest_samples: int = 2) -> Subjects:
    """Checked series; a single array (T, F) or frame is one subject.

    Parameters
    ----------
    given : array of shape (T, F) or (n, T, F), data frame, or iterable of arrays and frames of shape (T_k, F)
    name : str
        The parameter, for messages.
    fewest_samples : int, default=2

    Raises
    ------
    TypeError
        If it is neither an array nor an iterable of arrays.
    ValueError
        If there is no subject, or one that has another number of features, no two samples, or values that are not
        finite: the message says which.
    """
    if isinstance(given, str | bytes) or not (hasattr(given, "__array__") or isinstance(given, Iterable)):
        raise TypeError(
            f"{name} must be an array (T, F), a data frame, or an iterable of these, one for each subject; "
            f"{type(given).__name__} was given."
        )
    alone = hasattr(given, "columns") or getattr(given, "ndim", 0) == 2
    parts = [given] if alone else list(given)
    if not parts:
        raise ValueError(
            f"{name} is empty: at least one subject is needed (was a generator used up before?)."
        )
    series = tuple(_one(part, f"{name}[{i}]", fewest_samples) for i, part in enumerate(parts))
    width = series[0].shape[1]
    for i, one in enumerate(series):
        if one.shape[1] != width:
            raise ValueError(
                f"{name}[{i}] has {one.shape[1]} features, {name}[0] has {width}; all need the same."
            )
    columns = [tuple(map(str, part.columns)) for part in parts if hasattr(part, "columns")]
    for other in columns[1:]:
        if other != columns[0]:
            raise ValueError(
                f"{name}: the columns of the data frames differ between subjects; bring them into one order first."
            )
    return Subjects(series, columns[0] if columns else None)


def _one(part: Any, name: str, fewest_samples: int) -> NDArray:
    try:
        values = np.asarray(part)
    except ValueError as error:
        raise ValueError(f"{name} is no array of shape (T, F): {error}") from None
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers; its dtype is {values.dtype}.")
    if values.ndim != 2:
        raise ValueError(f"{name} must have shape (T, F); its shape is {values.shape}.")
    n_samples, n_features = values.shape
    if n_samples < fewest_samples or n_features < 1:
        raise ValueError(
            f"{name} has {n_samples} samples of {n_features} features; at least {fewest_samples} of 1 are needed."
        )
    finite = np.isfinite(values).all(axis=0)
    if not finite.all():
        raise ValueError(
            f"{name} has values that are NaN or infinite, in {int((~finite).sum())} features "
            f"(the first is {np.flatnonzero(~finite)[0]})."
        )
    return values if values.dtype.kind == "f" else values.astype(np.float64)


def constant_features(series: NDArray) -> NDArray[np.intp]:
    """Features that do not vary."""
    return np.flatnonzero(np.ptp(series, axis=0) == 0)
