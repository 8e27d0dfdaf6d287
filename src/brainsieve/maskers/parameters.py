"""What may be given for the parameters that all maskers share, and the errors where something else was.

Constructors only store; `fit` calls `check_parameters` before any file is read.
"""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from brainsieve.exceptions import CorruptImageError, MissingFileError

Check = Callable[[str, Any], None]


def check_parameters(parameters: Mapping[str, Any], checks: Mapping[str, Check]) -> None:
    """Run the check of every parameter that has one.

    Raises
    ------
    TypeError, ValueError
        Naming the parameter, what was expected and what was given.
    """
    for name, check in checks.items():
        if name in parameters:
            check(name, parameters[name])


def found(value: Any) -> str:
    """How a message shows what was given: short, with its type."""
    text = repr(value)
    if len(text) > 80:
        text = text[:77] + "..."
    return f"{text} ({type(value).__name__})"


def keep_parameters(masker: Any, given: Mapping[str, Any]) -> None:
    """Store what a constructor was given, as it was given, under the same names.

    Parameters
    ----------
    masker : estimator
    given : dict
        The constructor's ``locals()``, nothing else having been assigned.
    """
    for name, value in given.items():
        if name not in ("self", "__class__"):
            setattr(masker, name, value)


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Put the name of a parameter before the errors of what reads it; errors of our own say it themselves."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if type(error) in (TypeError, ValueError, MissingFileError, CorruptImageError):
            raise type(error)(f"{name}: {error}") from None
        raise


def a_bool(name: str, value: Any) -> None:
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False; {found(value)} was given.")


def a_bool_or_int(name: str, value: Any) -> None:
    if not isinstance(value, numbers.Integral | np.bool_):
        raise TypeError(f"{name} must be an integer or a bool; {found(value)} was given.")


def an_integer(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer; {found(value)} was given.")


def a_number_or_none(name: str, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number or None; {found(value)} was given.")
    if not np.isfinite(float(value)) or value < 0:
        raise ValueError(f"{name} must be finite and not negative; {found(value)} was given.")


def a_positive_number_or_none(name: str, value: Any) -> None:
    a_number_or_none(name, value)
    if value is not None and value == 0:
        raise ValueError(f"{name} must be positive; {found(value)} was given.")


def a_share_or_none(name: str, value: Any) -> None:
    a_number_or_none(name, value)
    if value is not None and value > 1:
        raise ValueError(f"{name} is a share, from 0 to 1; {found(value)} was given.")


def a_dict_or_none(name: str, value: Any) -> None:
    if value is not None and not isinstance(value, dict):
        raise TypeError(f"{name} must be a dict or None; {found(value)} was given.")


def a_dtype(name: str, value: Any) -> None:
    if value is None or (isinstance(value, str) and value == "auto"):
        return
    if isinstance(value, bool) or value is bool:
        raise TypeError(f"{name} must be a numpy dtype, 'auto' or None; {found(value)} was given.")
    try:
        kind = np.dtype(value).kind
    except TypeError:
        raise TypeError(f"{name} must be a numpy dtype, 'auto' or None; {found(value)} was given.") from None
    if kind not in "iuf":
        raise TypeError(f"{name} must be an integer or floating dtype; {found(value)} was given.")


def a_memory(name: str, value: Any) -> None:
    from joblib import Memory

    if value is None or isinstance(value, Memory):
        return
    if not isinstance(value, str | Path):
        raise TypeError(f"{name} must be None, a path or a joblib.Memory; {found(value)} was given.")
    parent = Path(value).expanduser().absolute().parent
    if not parent.is_dir():
        raise ValueError(f"{name}={str(value)!r}: the folder {parent} in which to make it does not exist.")


def an_fwhm(name: str, value: Any) -> None:
    from brainsieve.engine.spatial.smooth import checked_fwhm

    checked_fwhm(value)


def a_standardize(name: str, value: Any) -> None:
    from brainsieve.engine.temporal.operator import normalize_standardize

    normalize_standardize(value)


def a_clean_args(name: str, value: Any) -> None:
    from brainsieve.engine.temporal.operator import clean_args_to_settings

    a_dict_or_none(name, value)
    clean_args_to_settings(value or {})


def one_of(*choices: str | None) -> Check:
    """Check for one of a few words; an error names them all and the nearest."""

    def check(name: str, value: Any) -> None:
        if value is None and None in choices:
            return
        if not isinstance(value, str) or value not in choices:
            raise ValueError(choice_message(name, value, choices))

    return check


def choice_message(name: str, value: Any, choices: Iterable[str | None]) -> str:
    words = [choice for choice in choices if choice is not None]
    near = difflib.get_close_matches(str(value), words, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(repr(choice) for choice in choices)
    return f"{name} must be one of {listed}; {found(value)} was given.{hint}"


SHARED_CHECKS: dict[str, Check] = {
    "smoothing_fwhm": an_fwhm,
    "standardize": a_standardize,
    "standardize_confounds": a_bool,
    "high_variance_confounds": a_bool,
    "detrend": a_bool,
    "low_pass": a_number_or_none,
    "high_pass": a_number_or_none,
    "t_r": a_positive_number_or_none,
    "dtype": a_dtype,
    "memory": a_memory,
    "memory_level": an_integer,
    "verbose": a_bool_or_int,
    "reports": a_bool,
    "clean_args": a_clean_args,
    "n_jobs": an_integer,
    "min_coverage": a_share_or_none,
}

# What a change of each parameter after `fit` takes: "atlas" another fit; "space" and "time" nothing, it acts on the
# next call; "none" changes no number. Parameters that a subclass adds are its own.
ROLES: dict[str, str] = {
    **dict.fromkeys(
        (
            *("mask_img", "mask_strategy", "mask_args", "target_affine", "target_shape", "structures"),
            *("labels_img", "labels", "lut", "background_label", "labels_map", "keep_masked_labels"),
            *("maps_img", "keep_masked_maps", "seeds", "radius", "resampling_target", "surfaces"),
        ),
        "atlas",
    ),
    **dict.fromkeys(
        ("smoothing_fwhm", "smoothing_method", "strategy", "nonfinite", "allow_overlap"), "space"
    ),
    **dict.fromkeys(
        (
            *("runs", "standardize", "standardize_confounds", "high_variance_confounds", "detrend"),
            *("low_pass", "high_pass", "t_r", "clean_args", "dtype", "min_coverage"),
        ),
        "time",
    ),
    **dict.fromkeys(("memory", "memory_level", "verbose", "reports", "cmap", "n_jobs"), "none"),
}


def role_of(name: str) -> str:
    """Where a parameter acts: "atlas", "space", "time" or "none"."""
    return ROLES.get(name, "none")
