"""Checks of the values that parameters of the toolboxes are given."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np


def a_flag(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False; {value!r} was given.")
    return bool(value)


def a_count(name: str, value: Any, least: int = 0) -> int:
    """A whole number, at least `least`."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be a whole number; {value!r} was given.")
    if value < least:
        raise ValueError(f"{name} must be at least {least}; {value!r} was given.")
    return int(value)


def a_number(name: str, value: Any, low: float = -np.inf, high: float = np.inf) -> float:
    """A number from `low` to `high`, not NaN."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number; {value!r} was given.")
    number = float(value)
    if not low <= number <= high:
        where = f"from {low:g} to {high:g}" if np.isfinite(high) else f"at least {low:g}"
        raise ValueError(
            f"{name} must be a number{f' {where}' if np.isfinite(low) else ''}; {value!r} was given."
        )
    return number


def one_of(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """One of some words."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; {value!r} was given.")
    return value
