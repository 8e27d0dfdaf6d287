"""What is to be done in time: the options of cleaning, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from brainsieve.checks import (
    Check,
    a_bool,
    a_count,
    a_dict_or_none,
    a_number_or_none,
    a_positive_number_or_none,
    nearest,
    one_of,
)

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
        one_of(*FILTERS)("filter", self.filter)
        one_of(*PADTYPES)("butterworth__padtype", self.padtype)
        a_bool("extrapolate", self.extrapolate)
        a_bool("ensure_finite", self.ensure_finite)
        a_count("butterworth__order", self.order, 1)
        if self.padlen is not None:
            a_count("butterworth__padlen", self.padlen)
        for name, check in CHECKS.items():
            if name != "clean_args":
                check(name, getattr(self, name))
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
    if isinstance(value, str) and value == "zscore":
        raise ValueError("standardize='zscore' (ddof 0) is no longer there; use 'zscore_sample' (ddof 1).")
    one_of(*STANDARDIZE, True, False, None)("standardize", value)
    return str(value)


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
                a_bool(key, value)
            else:
                found[name] = value
        elif key in own:
            raise TypeError(f"clean_args has {key!r}, which is a parameter of its own; set it there.")
        else:
            raise TypeError(
                f"clean_args has the unknown key {key!r}; known are {', '.join(CLEAN_ARGS)}."
                f"{nearest(key, CLEAN_ARGS)}"
            )
    return found


def _check_standardize(name: str, value: Any) -> None:
    normalize_standardize(value)


def _check_clean_args(name: str, value: Any) -> None:
    a_dict_or_none(name, value)
    CleaningSettings(**clean_args_to_settings(value or {}))


# What the parameters of maskers that act in time may be.
CHECKS: dict[str, Check] = {
    "standardize": _check_standardize,
    "standardize_confounds": a_bool,
    "detrend": a_bool,
    "low_pass": a_number_or_none,
    "high_pass": a_number_or_none,
    "t_r": a_positive_number_or_none,
    "clean_args": _check_clean_args,
}
