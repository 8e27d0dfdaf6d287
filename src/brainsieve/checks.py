"""Checks of what a parameter is given, each written once, for every room.

A check takes the name of a parameter and what was given for it; it raises an error that has the name, what was expected
and what was found, or does nothing.
"""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from brainsieve.exceptions import CorruptImageError, MissingFileError, ParameterError

Check = Callable[[str, Any], None]


def found(value: Any) -> str:
    """How a message shows what was given: short, with its type."""
    text = repr(value)
    if len(text) > 80:
        text = text[:77] + "..."
    return f"{text} ({type(value).__name__})"


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Put the name of a parameter before the errors of what reads it; errors of our own say it themselves."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if type(error) in (TypeError, ValueError, ParameterError, MissingFileError, CorruptImageError):
            raise type(error)(f"{name}: {error}") from None
        raise


def nearest(value: Any, words: Iterable[Any]) -> str:
    """A hint for what was likely meant, with a space before it; empty where nothing is near."""
    near = difflib.get_close_matches(str(value), [word for word in words if isinstance(word, str)], n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def a_bool(name: str, value: Any) -> None:
    if not isinstance(value, bool | np.bool_):
        raise ParameterError(f"{name} must be True or False; {found(value)} was given.")


def a_bool_or_int(name: str, value: Any) -> None:
    if not isinstance(value, numbers.Integral | np.bool_):
        raise TypeError(f"{name} must be an integer or a bool; {found(value)} was given.")


def an_integer(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer; {found(value)} was given.")


def a_count(name: str, value: Any, least: int = 0) -> None:
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be a whole number; {found(value)} was given.")
    if value < least:
        raise ValueError(f"{name} must be at least {least}; {found(value)} was given.")


def a_number(name: str, value: Any, positive: bool = False, what: str = "a number") -> None:
    number = _real(name, value, what)
    if not np.isfinite(number) or number < 0 or (positive and number == 0):
        least = "positive" if positive else "not negative"
        raise ValueError(f"{name} must be finite and {least}; {found(value)} was given.")


def a_number_within(
    name: str, value: Any, low: float = -np.inf, high: float = np.inf, what: str = "a number"
) -> None:
    """A number from `low` to `high`, of any sign where these are infinite; never NaN."""
    if not low <= _real(name, value, what) <= high:
        where = f" from {low:g} to {high:g}" if np.isfinite(high) else f" of at least {low:g}"
        raise ValueError(
            f"{name} must be a number{where if np.isfinite(low) else ''}; {found(value)} was given."
        )


def _real(name: str, value: Any, what: str) -> float:
    # A flag is a number to Python; where a number is asked for it is a slip.
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be {what}; {found(value)} was given.")
    return float(value)


def a_number_or_none(name: str, value: Any) -> None:
    if value is not None:
        a_number(name, value, what="a number or None")


def a_positive_number_or_none(name: str, value: Any) -> None:
    if value is not None:
        a_number(name, value, positive=True, what="a number or None")


def a_share_or_none(name: str, value: Any) -> None:
    if value is not None:
        a_number_within(name, value, 0, 1, what="a number or None")


def a_dict_or_none(name: str, value: Any) -> None:
    if value is not None and not isinstance(value, dict):
        raise TypeError(f"{name} must be a dict or None; {found(value)} was given.")


def one_of(*choices: str | bool | None) -> Check:
    """Check for one of a few words (or False, or None); an error names them all and the nearest."""

    def check(name: str, value: Any) -> None:
        # `in` would take 0 for False, and ask arrays for their truth.
        if not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
            listed = ", ".join(map(repr, choices))
            raise ValueError(
                f"{name} must be one of {listed}; {found(value)} was given.{nearest(value, choices)}"
            )

    return check
