"""Frequency filters: Butterworth, and slow cosines."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.checks import a_count, a_number
from brainsieve.engine.temporal.settings import CleaningSettings
from brainsieve.logs import warn

EPS32 = float(np.finfo(np.float32).eps)
# A confound that is so much like a cosine would be regressed out twice.
SAME_AS_COSINE = 0.9


def butterworth_sections(
    sampling_rate: float, low_pass: float | None, high_pass: float | None, order: int = 5
) -> NDArray[np.float64] | None:
    """Second-order sections of a Butterworth filter.

    Parameters
    ----------
    sampling_rate : float
        Samples in a second.
    low_pass, high_pass : float, optional
        Cut-offs in hertz. One at or above the Nyquist frequency is lowered to just below, with a warning.
    order : int, default=5

    Returns
    -------
    sections : array of shape (n_sections, 6), or None
        None where nothing is to be filtered.

    Raises
    ------
    ValueError
        If ``high_pass >= low_pass``, or the order is so high that coefficients overflow.
    """
    if low_pass is None and high_pass is None:
        return None
    if low_pass is not None and high_pass is not None and high_pass >= low_pass:
        raise ValueError(
            f"high_pass={high_pass:g} Hz is not below low_pass={low_pass:g} Hz: no frequency would be left."
        )
    nyquist = sampling_rate / 2
    low, high = (_below_nyquist(*cut, nyquist) for cut in (("low_pass", low_pass), ("high_pass", high_pass)))
    if low is not None and low == high:
        warn(
            f"low_pass and high_pass are both at or above the Nyquist frequency, {nyquist:g} Hz; "
            "signals are not filtered.",
        )
        return None
    band: Any
    if low is None:
        band, kind = high, "highpass"
    elif high is None:
        band, kind = low, "lowpass"
    else:
        band, kind = (high, low), "bandpass"
    from scipy.signal import butter  # a fifth of a second, for those who filter

    try:
        with np.errstate(all="ignore"):
            sections = np.asarray(butter(order, band, kind, output="sos", fs=sampling_rate))
    except (ArithmeticError, MemoryError):
        sections = None
    if sections is None or not np.isfinite(sections).all():
        raise ValueError(
            f"butterworth__order={order} is too high: the coefficients of such a filter cannot be held."
        )
    return sections


def _below_nyquist(name: str, cut_off: float | None, nyquist: float) -> float | None:
    if cut_off is None or cut_off < nyquist:
        return cut_off
    lowered = nyquist * (1 - 10 * EPS32)
    warn(
        f"{name}={cut_off:g} Hz is at or above the Nyquist frequency, {nyquist:g} Hz for t_r="
        f"{0.5 / nyquist:g} s; {lowered:g} Hz is used.{_period_hint(cut_off)}",
    )
    return lowered


def _period_hint(cut_off: float) -> str:
    """What to do about a number that is no frequency of fMRI, but may be a period."""
    return f" Is it a period? Pass {cut_off:g} s as 1 / {cut_off:g}." if cut_off > 1 else ""


def default_padlen(sections: NDArray) -> int:
    """How far SciPy's `sosfiltfilt` extends a run by default, in samples."""
    # As SciPy computes it, and does not tell: sections whose last coefficients are 0 are of first order.
    n_taps = 2 * len(sections) + 1
    n_taps -= min((sections[:, 2] == 0).sum(), (sections[:, 5] == 0).sum())
    return int(3 * n_taps)


def check_length(
    n_samples: int, sections: NDArray, padtype: str | None, padlen: int | None, name: str
) -> None:
    """Raise ValueError where a run is too short for the filter's padding."""
    needed = 0 if padtype is None else default_padlen(sections) if padlen is None else padlen
    if n_samples <= needed:
        raise ValueError(
            f"{name} has {n_samples} samples, too few for this Butterworth filter, which extends a run by "
            f"{needed} samples at each end: at least {needed + 1} are needed. Pass a smaller "
            f"butterworth__padlen (at most {n_samples - 1}), filter='cosine', or no cut-offs."
        )


def filtered(
    series: NDArray, sections: NDArray, padtype: str | None = "odd", padlen: int | None = None
) -> NDArray[np.float64]:
    """Filter forward and backward down columns: zero phase, twice the order in magnitude.

    Parameters
    ----------
    series : array of shape (n_samples, n_series)
    """
    from scipy.signal import sosfiltfilt

    # Contiguous in time: down strided columns the recursion takes thirty times as long.
    rows = np.ascontiguousarray(series.T, dtype=np.float64)
    return np.asarray(sosfiltfilt(sections, rows, axis=-1, padtype=padtype, padlen=padlen).T)


def cosine_drift(n_samples: int, tr: float, high_pass: float) -> NDArray[np.float64]:
    """Cosines slower than a cut-off, to regress slow drifts out of a run.

    Parameters
    ----------
    n_samples : int
    tr : float
        Time between two samples, in seconds.
    high_pass : float
        Cut-off, in hertz.

    Returns
    -------
    basis : array of shape (n_samples, n_cosines)
        Orthonormal columns, slowest first, none of them constant. n_cosines is
        ``2 * n_samples * tr * high_pass`` rounded down, at most ``n_samples - 1``.

    Raises
    ------
    ValueError, TypeError
        If `n_samples` is no positive whole number, `tr` is not positive, or `high_pass` is negative.

    Notes
    -----
    Column k is the DCT-II vector of period 2 n_samples tr / k seconds (Ahmed et al. 1974,
    doi:10.1109/T-C.1974.223784).
    """
    a_count("n_samples", n_samples, 1)
    a_number("tr", tr, positive=True)
    a_number("high_pass", high_pass)
    n_cosines = min(n_samples - 1, int(np.floor(2 * n_samples * high_pass * tr)))
    times = np.arange(n_samples)[:, None] + 0.5
    k = np.arange(1, n_cosines + 1)
    return np.asarray(np.sqrt(2.0 / n_samples) * np.cos(np.pi / n_samples * times * k))


def cosine_confounds(
    n_samples: int, kept: NDArray[np.intp], settings: CleaningSettings, confounds: NDArray | None
) -> NDArray | None:
    """Cosines to regress out of a run, or None with a warning that says why there are none.

    Whether confounds hold them already is judged by the samples kept.

    Raises
    ------
    ValueError
        Without `t_r` or `high_pass`.
    """
    tr = settings.needed_t_r()
    if settings.high_pass is None:
        raise ValueError("filter='cosine' needs high_pass, the cut-off in hertz; it is None.")
    if settings.low_pass is not None:
        warn(f"filter='cosine' has no low-pass; low_pass={settings.low_pass:g} Hz is not used.")
    if settings.high_pass * tr >= 0.5:
        warn(
            f"high_pass={settings.high_pass:g} Hz is at or above the Nyquist frequency of t_r={tr:g} s: "
            "cosines explain the whole run.",
        )
    cosines = cosine_drift(n_samples, tr, settings.high_pass)
    if not cosines.shape[1]:
        warn(
            f"A run of {n_samples} samples ({n_samples * tr:g} s) is too short for a cosine slower than "
            f"high_pass={settings.high_pass:g} Hz; nothing is filtered.",
        )
        return None
    if confounds is not None and _resemble(cosines[kept], confounds[kept]):
        warn(
            "confounds hold cosines already (correlation above 0.9); none are added by filter='cosine'.",
        )
        return None
    return cosines


def _resemble(cosines: NDArray, confounds: NDArray) -> bool:
    return bool((_unit(cosines).T @ _unit(np.nan_to_num(confounds)) > SAME_AS_COSINE).any())


def _unit(columns: NDArray) -> NDArray[np.float64]:
    """Columns of mean 0 and norm 1, without those that are constant."""
    centred = columns - columns.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    return np.asarray(centred[:, norms > 0] / norms[norms > 0])
