"""Cleaning of series: the temporal half of the maskers, for arrays."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.checks import a_bool, a_count, a_number, a_number_within
from brainsieve.engine.temporal import filter as filters
from brainsieve.engine.temporal.detrend import detrended
from brainsieve.engine.temporal.filter import cosine_drift as create_cosine_drift
from brainsieve.engine.temporal.high_variance import Power, components_of, most_variable
from brainsieve.engine.temporal.operator import (
    CleaningSettings,
    clean_args_to_settings,
    normalize_standardize,
    plan_cleaning,
)
from brainsieve.engine.temporal.standardize import constant_share
from brainsieve.engine.threads import single_threaded_blas
from brainsieve.exceptions import ParameterError
from brainsieve.logs import warn
from brainsieve.tables import read_confounds

__all__ = ["butterworth", "clean", "create_cosine_drift", "high_variance_confounds", "standardize_signal"]


def __dir__() -> list[str]:
    return __all__


def clean(
    signals: Any,
    runs: Any = None,
    detrend: bool = True,
    standardize: Any = "zscore_sample",
    sample_mask: Any = None,
    confounds: Any = None,
    standardize_confounds: bool = True,
    filter: str | bool = "butterworth",
    low_pass: float | None = None,
    high_pass: float | None = None,
    t_r: float | None = 2.5,
    ensure_finite: bool = False,
    extrapolate: bool = False,
    **kwargs: Any,
) -> NDArray:
    """Detrend, filter, censor, regress confounds out of and standardize series, in this order.

    Parameters
    ----------
    signals : array of shape (n_samples, n_series)
        Never modified.
    runs : array of shape (n_samples,), optional
        Run of each sample; each run is cleaned alone, rows stay where they are.
    detrend : bool, default=True
        Remove a linear trend.
    standardize : {"zscore_sample", "psc", True, False, None}, default="zscore_sample"
        z-score (ddof 1; also True), percent signal change, or neither.
    sample_mask : array or list of shape (n_kept,) of int or (n_samples,) of bool, optional
        The samples to keep; with `runs`, a list with one for each run. What stands in the others changes
        nothing.
    confounds : array of shape (n_samples,) or (n_samples, n_confounds), data frame, path, or list, optional
        What to regress out, after the same detrending and filtering. A list is stacked side by side.
    standardize_confounds : bool, default=True
        z-score confounds first.
    filter : {"butterworth", "cosine", False}, default="butterworth"
        Used where a cut-off is given.
    low_pass, high_pass : float, optional
        Cut-offs in hertz.
    t_r : float, default=2.5
        Seconds between samples.
    ensure_finite : bool, default=False
        Take NaN and infinities in `signals` as 0.
    extrapolate : bool, default=False
        Extrapolate censored samples at the ends of a run before filtering, rather than leave them out.
    **kwargs : dict
        ``butterworth__order``, ``butterworth__padtype``, ``butterworth__padlen``, ``butterworth__copy``.

    Returns
    -------
    cleaned : array of shape (n_kept, n_series)
        float32 for float32 signals, else float64 (float32 for integers of at most 32 bits). A series whose
        mean is 0 has a percent signal change of 0, with a warning.

    Raises
    ------
    ValueError, TypeError, IndexError
        Where an argument is not what it should be; the message names it.
    """
    values = _numbers("signals", signals)
    settings = CleaningSettings(
        detrend=detrend,
        standardize=normalize_standardize(standardize),
        standardize_confounds=standardize_confounds,
        filter=filter,  # type: ignore[arg-type]
        low_pass=low_pass,
        high_pass=high_pass,
        t_r=t_r,
        ensure_finite=ensure_finite,
        extrapolate=extrapolate,
        **clean_args_to_settings(kwargs),
    )
    series = values[:, None] if values.ndim == 1 else values
    n_samples = len(series)
    plan = plan_cleaning(
        n_samples,
        settings,
        confounds=read_confounds(confounds, n_samples, "signals", sample_mask, runs),
        sample_mask=sample_mask,
        runs=runs,
        name="signals",
    )
    # Integers of 32 bits are cleaned in float64, which holds them; float32 does not.
    exact = values.dtype.itemsize <= 2 or values.dtype == np.float32
    cleaned = np.array(series[plan.kept], dtype=np.float32 if exact else np.float64, order="C")
    if not plan.is_identity:
        with single_threaded_blas():
            plan.apply(cleaned, precision=np.float32 if values.dtype.kind == "f" and exact else np.float64)
    if values.dtype.itemsize <= 4:
        cleaned = cleaned.astype(np.float32, copy=False)
    return cleaned[:, 0] if values.ndim == 1 else cleaned


def _numbers(name: str, given: Any, dimensions: tuple[int, ...] = (1, 2)) -> NDArray:
    """What was given as an array of real numbers with at least one sample."""
    values = np.asarray(given)
    if values.dtype == object:
        # Frames of several types, and of types that may be missing.
        with suppress(TypeError, ValueError):
            values = values.astype(np.float64)
    if values.ndim not in dimensions or values.dtype.kind not in "biuf" or not len(values):
        raise ParameterError(
            f"{name} must be real numbers of shape (n_samples, n_series), with at least one sample; they are "
            f"{values.dtype} of shape {values.shape}."
        )
    return values


def standardize_signal(signals: Any, detrend: bool = False, standardize: Any = "zscore_sample") -> NDArray:
    """z-score series or make them percent signal change.

    Parameters
    ----------
    signals : array of shape (n_samples, n_series)
    detrend : bool, default=False
        Remove a linear trend first.
    standardize : {"zscore_sample", "psc", True, False, None}, default="zscore_sample"

    Returns
    -------
    standardized : array of shape (n_samples, n_series)

    Raises
    ------
    ValueError, TypeError
        If `signals` are no numbers, or a parameter is not what it should be.
    """
    return clean(signals, detrend=detrend, standardize=standardize)


def butterworth(
    signals: Any,
    sampling_rate: float,
    low_pass: float | None = None,
    high_pass: float | None = None,
    order: int = 5,
    padtype: str | None = "odd",
    padlen: int | None = None,
    copy: bool = False,
) -> NDArray:
    """Filter series forward and backward: no phase shift.

    Parameters
    ----------
    signals : array of shape (n_samples,) or (n_samples, n_series)
    sampling_rate : float
        In hertz.
    low_pass, high_pass : float, optional
        Cut-offs in hertz.
    order : int, default=5
        Of the filter applied in each direction.
    padtype : {"odd", "even", "constant", None}, default="odd"
        How series are extended at their ends.
    padlen : int, optional
        By how many samples. Default: SciPy's.
    copy : bool, default=False
        False writes the result into `signals` where that is an array of floats.

    Returns
    -------
    filtered : array of the shape of `signals`

    Raises
    ------
    ValueError
        For cut-offs that leave nothing, or series too short for the padding.
    """
    a_number("sampling_rate", sampling_rate, positive=True)
    a_bool("copy", copy)
    values = _numbers("signals", signals)
    in_place = not copy and isinstance(signals, np.ndarray) and values.dtype.kind == "f"
    CleaningSettings(low_pass=low_pass, high_pass=high_pass, order=order, padtype=padtype, padlen=padlen)
    high = None if high_pass == 0 else high_pass
    sections = filters.butterworth_sections(sampling_rate, low_pass, high, order)
    if low_pass is None and high is None:
        warn("Neither low_pass nor high_pass is given; signals are not filtered.")
    if sections is None:
        return values if in_place else values.copy()
    filters.check_length(len(values), sections, padtype, padlen, "signals")
    series = values.reshape(len(values), -1)
    result = filters.filtered(series, sections, padtype, padlen).reshape(values.shape)
    if in_place:
        signals[...] = result
        return signals
    return result.astype(values.dtype if values.dtype.kind == "f" else np.float64, copy=False)


def high_variance_confounds(
    series: Any, n_confounds: int = 5, percentile: float = 2.0, detrend: bool = True
) -> NDArray[np.float64]:
    """Components of the most variable series.

    Parameters
    ----------
    series : array of shape (n_samples, n_series)
    n_confounds : int, default=5
    percentile : float, default=2.0
        The share of series, in percent, that are the most variable.
    detrend : bool, default=True
        Remove linear trends first.

    Returns
    -------
    components : array of shape (n_samples, n_confounds)
        Orthonormal, the strongest first. With fewer columns, and a warning, where the most variable series
        have fewer dimensions.

    Raises
    ------
    ValueError, TypeError
        If a parameter is not what it should be, or no series varies.

    Notes
    -----
    After CompCor (Behzadi et al. 2007, NeuroImage 37:90, doi:10.1016/j.neuroimage.2007.04.042).
    """
    values = _numbers("series", series, dimensions=(2,))
    a_count("n_confounds", n_confounds)
    a_number_within("percentile", percentile, 0, 100)
    a_bool("detrend", detrend)
    n_samples, n_series = values.shape
    sums = Power(n_samples, n_series, detrend)
    with np.errstate(invalid="ignore"):
        sums.add(slice(0, len(values)), slice(None), values.astype(np.float64, copy=False))
        narrow = values.dtype.kind == "f" and values.dtype.itemsize <= 4
        power, varies = sums.mean_squares(constant_share(np.float32 if narrow else np.float64))
    chosen = values[:, most_variable(power, varies, percentile)].astype(np.float64)
    with single_threaded_blas():
        return components_of(detrended(chosen) if detrend else chosen, n_confounds)
