"""What is to be done in time: the options of cleaning, checked."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

STANDARDIZE = ("zscore_sample", "psc")
FILTERS = ("butterworth", "cosine", False)
PADTYPES = ("odd", "even", "constant", None)
# Keys of `clean_args` and keywords of `signal.clean` beside its named parameters.
BUTTERWORTH_OPTIONS = ("order", "padtype", "padlen", "copy")
CLEAN_ARGS = (
    "filter",
    "ensure_finite",
    "extrapolate",
    *(f"butterworth__{option}" for option in BUTTERWORTH_OPTIONS),
)


@dataclass(frozen=True)
class CleaningSettings:
    """Options of cleaning in time.

    Parameters
    ----------
    detrend : bool, default=False
        Subtract the mean and the linear trend.
    standardize : {"zscore_sample", "psc", None}, default=None
    standardize_confounds : bool, default=True
        z-score confounds; otherwise scale each to a largest absolute value of 1.
    filter : {"butterworth", "cosine", False}, default="butterworth"
    low_pass, high_pass : float, optional
        Cut-offs in hertz. 0 as `high_pass` is none.
    t_r : float, optional
        Seconds between samples; needed by a filter.
    extrapolate : bool, default=False
        Extrapolate censored samples at the ends of a run before filtering, rather than leave them out.
    ensure_finite : bool, default=False
        Take NaN and infinities in signals as 0.
    order : int, default=5
        Of the Butterworth filter, which is applied forward and backward.
    padtype : {"odd", "even", "constant", None}, default="odd"
        How a run is extended at its ends before it is filtered.
    padlen : int, optional
        By how many samples. Default: SciPy's.
    header_t_r : float, optional
        What the image's header says, for messages.
    """

    detrend: bool = False
    standardize: str | None = None
    standardize_confounds: bool = True
    filter: str | Literal[False] = "butterworth"
    low_pass: float | None = None
    high_pass: float | None = None
    t_r: float | None = None
    extrapolate: bool = False
    ensure_finite: bool = False
    order: int = 5
    padtype: str | None = "odd"
    padlen: int | None = None
    header_t_r: float | None = None

    def __post_init__(self) -> None:
        for name in ("detrend", "standardize_confounds", "extrapolate", "ensure_finite"):
            refuse_other_than_bool(name, getattr(self, name))
        # By identity: 0 equals False, and is no filter.
        if self.filter is not False and not _is_one_of(self.filter, FILTERS):
            raise ValueError(_choices("filter", self.filter, FILTERS))
        if self.padtype is not None and not _is_one_of(self.padtype, PADTYPES):
            raise ValueError(_choices("butterworth__padtype", self.padtype, PADTYPES))
        refuse_other_than_count("butterworth__order", self.order, 1)
        if self.padlen is not None:
            refuse_other_than_count("butterworth__padlen", self.padlen, 0)
        for name in ("low_pass", "high_pass", "t_r"):
            refuse_bad_number(name, getattr(self, name), positive=name == "t_r")
        if self.high_pass == 0:
            object.__setattr__(self, "high_pass", None)

    @property
    def uses_butterworth(self) -> bool:
        return self.filter == "butterworth" and not (self.low_pass is None and self.high_pass is None)

    @property
    def filter_is_active(self) -> bool:
        return self.uses_butterworth or self.filter == "cosine"

    def needed_t_r(self) -> float:
        """The repetition time that a filter needs.

        Raises
        ------
        ValueError
            Where it was not given, saying what the header has.
        """
        if self.t_r is None:
            header = (
                f" The header says {self.header_t_r:g} s; pass t_r={self.header_t_r:g} if that is right."
                if self.header_t_r
                else ""
            )
            raise ValueError(
                f"t_r is None, but filtering (low_pass={self.low_pass}, high_pass={self.high_pass}) needs "
                f"the repetition time in seconds.{header}"
            )
        return self.t_r


def refuse_bad_number(name: str, value: Any, positive: bool = False, or_none: bool = True) -> None:
    """Raise TypeError or ValueError unless a value is a finite number that is positive, or not negative."""
    if value is None and or_none:
        return
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        kind = "a number or None" if or_none else "a number"
        raise TypeError(f"{name} must be {kind}; {value!r} ({type(value).__name__}) was given.")
    if not np.isfinite(float(value)) or value < 0 or (positive and value == 0):
        least = "positive" if positive else "not negative"
        raise ValueError(f"{name} must be finite and {least}; {value!r} was given.")


def refuse_other_than_bool(name: str, value: Any) -> None:
    """Raise TypeError unless a value is True or False: "no" is as true as "yes"."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False; {value!r} ({type(value).__name__}) was given.")


def refuse_other_than_count(name: str, value: Any, least: int) -> None:
    """Raise TypeError or ValueError unless a value is a whole number from `least` on."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be a whole number; {value!r} ({type(value).__name__}) was given.")
    if value < least:
        raise ValueError(f"{name} must be at least {least}; {value!r} was given.")


def _is_one_of(value: Any, choices: tuple[Any, ...]) -> bool:
    return isinstance(value, str) and value in choices


def _choices(name: str, value: Any, choices: tuple[Any, ...]) -> str:
    near = difflib.get_close_matches(str(value), [c for c in choices if isinstance(c, str)], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{name} must be one of {', '.join(map(repr, choices))}; {value!r} was given.{hint}"


def normalize_standardize(value: Any) -> str | None:
    """The `standardize` parameter of maskers and of `signal.clean`: True and False have names.

    Raises
    ------
    ValueError
        If it is none of "zscore_sample", "psc", True, False and None.
    """
    if value is None:
        return None
    if isinstance(value, bool | np.bool_):
        return "zscore_sample" if value else None
    if not isinstance(value, str) or value not in STANDARDIZE:
        hint = " 'zscore' (ddof 0) is no longer there: use 'zscore_sample'." if value == "zscore" else ""
        raise ValueError(_choices("standardize", value, (*STANDARDIZE, True, False, None)) + hint)
    return value


def clean_args_to_settings(clean_args: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `CleaningSettings` for the `clean_args` of maskers and the keywords of `signal.clean`.

    Raises
    ------
    TypeError
        For a key that is not known, or that a masker sets by a parameter of its own.
    """
    own = {field.name for field in fields(CleaningSettings)}
    found: dict[str, Any] = {}
    for key, value in clean_args.items():
        if key in CLEAN_ARGS:
            name = key.removeprefix("butterworth__")
            if name == "copy":  # nothing is done in place, whatever it says
                refuse_other_than_bool(key, value)
            else:
                found[name] = value
        elif key in own:
            raise TypeError(f"clean_args has {key!r}, which is a parameter of its own; set it there.")
        else:
            near = difflib.get_close_matches(key, CLEAN_ARGS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TypeError(
                f"clean_args has the unknown key {key!r}; known are {', '.join(CLEAN_ARGS)}.{hint}"
            )
    return found
