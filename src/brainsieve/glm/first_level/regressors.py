"""Columns of a design from the events of one condition.

On a grid of t_r / oversampling seconds, as the field does, or by integrals of the response, where onsets are exact and
samples may lie anywhere. Columns of one condition are orthogonalized in turn, so that the first keeps its meaning.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainsieve.checks import a_bool, a_count, found, nearest
from brainsieve.glm.first_level.hrf import KERNELS, RESPONSES
from brainsieve.logs import warn

_FULL = ("", "derivative", "dispersion")
# Kernels by the name of a model.
MODELS = {
    " + ".join([name, *_FULL[1:n]]): [(name, kernel) for kernel in _FULL[:n]]
    for name in RESPONSES
    for n in (1, 2, 3)
}
# Samples count as equidistant where their distances differ by no more than this share.
IRREGULAR = 1e-3


@dataclass(frozen=True)
class Kernel:
    """One column of a condition: what it is called, and how it comes of events.

    Attributes
    ----------
    suffix : str
    sampled : callable
        Of the seconds between samples and the oversampling: the kernel on the grid.
    integral : callable or None
        Of seconds since an event began: the integral of the response to a lasting event. None: the events as they are.
    impulse : callable
        Of the same: the response to an event without duration.
    """

    suffix: str
    sampled: Callable[[float, int], NDArray[np.float64]]
    integral: Callable[[NDArray], NDArray[np.float64]]
    impulse: Callable[[NDArray], NDArray[np.float64]]


def compute_regressor(
    exp_condition: ArrayLike,
    hrf_model: Any,
    frame_times: ArrayLike,
    con_id: str = "cond",
    oversampling: int = 50,
    fir_delays: Sequence[float] | None = None,
    min_onset: float = -24,
    exact: bool = False,
) -> tuple[NDArray[np.float64], list[str]]:
    """The columns that the events of one condition make.

    Parameters
    ----------
    exp_condition : array of shape (3, n_events)
        Onsets and durations in seconds, amplitudes.
    hrf_model : str, callable, list of callables or None
        "spm" or "glover", with " + derivative" or " + derivative + dispersion"; "fir"; None: the events as they are; or
        ``f(t_r, oversampling)`` giving a kernel on the grid.
    frame_times : array of shape (n_samples,)
        Seconds, ascending.
    con_id : str, default="cond"
        Name of the condition.
    oversampling : int, default=50
        Points of the grid between two samples.
    fir_delays : sequence of float, default=None
        Samples, for "fir". None: 0 only.
    min_onset : float, default=-24
        Seconds before the first sample where the grid begins; events before are left out.
    exact : bool, default=False
        Integrate the response over each event instead of using a grid: onsets are exact, and an event without duration
        is the response to an impulse of one second's area, which depends on neither `t_r` nor `oversampling`.

    Returns
    -------
    columns : array of shape (n_samples, n_columns)
    names : list of str

    Raises
    ------
    TypeError, ValueError
        For an unknown model, delays that repeat or are negative, events that are not finite or last less than 0 s, and
        samples that do not ascend.

    Notes
    -----
    Where the distances of samples differ (censored runs), the integral is used: on the grid the response would be
    stretched.
    """
    times = checked_frame_times(frame_times)
    kernels = kernels_of(hrf_model, checked_delays(fir_delays) if _is_fir(hrf_model) else [0], times)
    a_count("oversampling", oversampling, least=1)
    a_bool("exact", exact)
    events = _checked_events(exp_condition, con_id)
    events = _inside(events, times, min_onset, con_id)
    columns = raw_columns(events, kernels, times, oversampling, min_onset, exact or is_irregular(times))
    return finished_columns(columns, hrf_model), [f"{con_id}{kernel.suffix}" for kernel in kernels]


def raw_columns(
    events: NDArray[np.float64],
    kernels: Sequence[Kernel],
    times: NDArray[np.float64],
    oversampling: int,
    min_onset: float,
    exact: bool,
) -> NDArray[np.float64]:
    """Columns before they are orthogonalized, (n_samples, n_kernels); these add up over events."""
    if exact:
        return np.stack([_integrated(events, kernel, times) for kernel in kernels], axis=1)
    grid = _grid(times, oversampling, min_onset)
    series = _neural_series(events, grid)
    t_r = float(np.diff(times).min())
    columns = []
    for kernel in kernels:
        convolved = np.convolve(series, kernel.sampled(t_r, oversampling))[: len(grid)]
        if kernel.suffix.startswith("_delay"):
            # A box of one sample's length counts what lies in it: seen from its end.
            convolved = convolved[oversampling - 1 :]
        columns.append(np.interp(times, grid[: len(convolved)], convolved))
    return np.stack(columns, axis=1)


def finished_columns(columns: NDArray[np.float64], hrf_model: Any) -> NDArray[np.float64]:
    """The columns of a condition, each made orthogonal to those before it; those of "fir" are left as they are."""
    return columns if _is_fir(hrf_model) else orthogonalized(columns)


def orthogonalized(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns less what those before them explain; not scaled."""
    columns = columns.copy()
    for i in range(1, columns.shape[1]):
        before = columns[:, :i]
        columns[:, i] -= before @ (np.linalg.pinv(before) @ columns[:, i])
    return columns


# -- models ------------------------------------------------------------------------------------------------


def _is_fir(hrf_model: Any) -> bool:
    return isinstance(hrf_model, str) and hrf_model == "fir"


def kernels_of(hrf_model: Any, fir_delays: Sequence[float], times: NDArray[np.float64]) -> list[Kernel]:
    """The kernels that a model has.

    Raises
    ------
    TypeError, ValueError
        If it is unknown; the message lists the models.
    """
    t_r = float(np.diff(times).min())
    if hrf_model is None:
        return [Kernel("", lambda t_r, n: np.ones(1), _stairs, partial(_is_at, length=t_r))]
    if _is_fir(hrf_model):
        return [_fir(delay, t_r) for delay in fir_delays]
    if isinstance(hrf_model, str):
        if hrf_model not in MODELS:
            raise ValueError(
                f"hrf_model must be None, a callable, a list of callables, 'fir' or one of "
                f"{', '.join(map(repr, MODELS))}; {found(hrf_model)} was given.{nearest(hrf_model, MODELS)}"
            )
        return [_of_response(name, kernel) for name, kernel in MODELS[hrf_model]]
    models = hrf_model if isinstance(hrf_model, list | tuple) else [hrf_model]
    if not models or not all(callable(model) for model in models):
        raise TypeError(
            "hrf_model must be a string, None, a callable f(t_r, oversampling) or a list of such; "
            f"{found(hrf_model)} was given."
        )
    kernels = [_of_callable(model, t_r) for model in models]
    names = [kernel.suffix for kernel in kernels]
    if len(set(names)) < len(names):
        raise ValueError(
            f"The callables of hrf_model must have names of their own; {', '.join(names)} were given."
        )
    return kernels


def _of_response(name: str, kernel: str) -> Kernel:
    compute = KERNELS[kernel]
    return Kernel(
        f"_{kernel}" if kernel else "",
        lambda t_r, n: compute(name, 0.0, lambda response, at: response.sampled(t_r / n, 32.0, at)),
        lambda s: compute(name, 0.0, lambda response, at: response.integral(s, at)),
        lambda s: compute(name, 0.0, lambda response, at: response.density(s, at)),
    )


def _of_callable(model: Callable[..., Any], t_r: float) -> Kernel:
    inner = model
    while isinstance(inner, partial):
        inner = inner.func
    name = getattr(inner, "__name__", type(inner).__name__)

    def sampled(t_r: float, oversampling: int) -> NDArray[np.float64]:
        kernel = np.asarray(model(t_r, oversampling), dtype=np.float64)
        if kernel.ndim != 1 or not len(kernel) or not np.isfinite(kernel).all():
            raise ValueError(
                f"hrf_model {name} must give a kernel: a 1-D array of finite numbers; it gave shape {kernel.shape}."
            )
        return kernel

    def integral(s: NDArray) -> NDArray[np.float64]:
        kernel = sampled(t_r, 50)
        edges = np.arange(len(kernel) + 1) * t_r / 50
        return np.interp(s, edges, np.concatenate([[0], np.cumsum(kernel)]))

    def impulse(s: NDArray) -> NDArray[np.float64]:
        kernel = sampled(t_r, 50) * 50 / t_r
        at = np.floor(s * 50 / t_r + 1e-9).astype(int)
        inside = (at >= 0) & (at < len(kernel))
        return np.where(inside, kernel[np.clip(at, 0, len(kernel) - 1)], 0)

    return Kernel(f"_{name}", sampled, integral, impulse)


def _fir(delay: float, t_r: float) -> Kernel:
    def sampled(_: float, oversampling: int) -> NDArray[np.float64]:
        return np.concatenate([np.zeros(int(delay * oversampling)), np.full(oversampling, 1 / oversampling)])

    def integral(s: NDArray) -> NDArray[np.float64]:
        # Seen from the end of a sample, as on the grid.
        return np.clip(s / t_r + 1 - delay, 0, 1)

    return Kernel(f"_delay_{delay:g}", sampled, integral, lambda s: _is_at(s - delay * t_r, t_r))


def _stairs(s: NDArray) -> NDArray[np.float64]:
    return (s >= 0).astype(np.float64)


def _is_at(s: NDArray, length: float) -> NDArray[np.float64]:
    """1 at the first sample at or after an event."""
    slack = 1e-9 * length
    return ((s >= -slack) & (s < length - slack)).astype(np.float64)


# -- events ------------------------------------------------------------------------------------------------


def _checked_events(exp_condition: ArrayLike, con_id: str) -> NDArray[np.float64]:
    try:
        events = np.atleast_2d(np.asarray(exp_condition, dtype=np.float64))
    except (TypeError, ValueError):
        raise TypeError(
            "exp_condition must be three rows of numbers: onsets, durations, amplitudes."
        ) from None
    if events.ndim != 2 or len(events) != 3:
        raise ValueError(
            "exp_condition must be of shape (3, n_events): onsets, durations, amplitudes; it is of shape "
            f"{np.shape(exp_condition)}."
        )
    if not np.isfinite(events).all():
        bad = np.flatnonzero(~np.isfinite(events).all(axis=0))
        raise ValueError(f"exp_condition of {con_id!r} has NaN or infinite values in events {bad.tolist()}.")
    if (events[1] < 0).any():
        raise ValueError(
            f"exp_condition of {con_id!r} has negative durations in events {np.flatnonzero(events[1] < 0).tolist()}."
        )
    return events


def outside_of(
    events: NDArray[np.float64], times: NDArray[np.float64], min_onset: float
) -> NDArray[np.bool_]:
    """Events that are over before the grid begins, or begin after the last sample."""
    before = (events[0] < times[0] + min_onset) & (events[0] + events[1] <= times[0] + min_onset)
    return before | (events[0] > times[-1])


def _inside(
    events: NDArray[np.float64], times: NDArray[np.float64], min_onset: float, con_id: str
) -> NDArray[np.float64]:
    outside = outside_of(events, times, min_onset)
    if outside.any():
        warn_of_outside({con_id: int(outside.sum())}, times, min_onset)
    return events[:, ~outside]


def warn_of_outside(counts: dict[str, int], times: NDArray[np.float64], min_onset: float) -> None:
    """Say how many events of which condition lie outside the run and are left out."""
    listed = ", ".join(f"{n} of {name!r}" for name, n in counts.items())
    warn(
        f"Events that are over before {times[0] + min_onset:g} s (min_onset) or begin after the last sample, at "
        f"{times[-1]:g} s, are left out: {listed}."
    )


# -- the grid ----------------------------------------------------------------------------------------------


def _grid(times: NDArray[np.float64], oversampling: int, min_onset: float) -> NDArray[np.float64]:
    n, low = len(times), times[0] + min_onset
    high = times[-1] * (1 + 1.0 / (n - 1))
    count = np.rint((n - 1) / (times.max() - times.min()) * (high - low) * oversampling + 1)
    return np.linspace(low, high, int(count))


def _neural_series(events: NDArray[np.float64], grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the events are on a grid: boxes; one without duration lasts one step."""
    onsets, durations, amplitudes = events
    last = len(grid) - 1
    starts = np.minimum(np.searchsorted(grid, onsets), last)
    stops = np.minimum(np.searchsorted(grid, onsets + durations), last)
    stops = np.where((stops == starts) & (stops < last), stops + 1, stops)
    steps = np.zeros(len(grid))
    np.add.at(steps, starts, amplitudes)
    np.subtract.at(steps, stops, amplitudes)
    return np.cumsum(steps)


# -- without a grid ----------------------------------------------------------------------------------------


def _integrated(
    events: NDArray[np.float64], kernel: Kernel, times: NDArray[np.float64]
) -> NDArray[np.float64]:
    column = np.zeros(len(times))
    for onset, duration, amplitude in events.T:
        since = times - onset
        if duration == 0:
            column += amplitude * kernel.impulse(since)
        else:
            column += amplitude * (kernel.integral(since) - kernel.integral(since - duration))
    return column


def is_irregular(times: NDArray[np.float64]) -> bool:
    """Whether the distances of samples differ."""
    steps = np.diff(times)
    return bool(steps.max() - steps.min() > IRREGULAR * steps.min())


def checked_frame_times(frame_times: ArrayLike) -> NDArray[np.float64]:
    """Times of samples, in seconds, as an array.

    Raises
    ------
    TypeError, ValueError
        If they are no numbers, fewer than two, not finite, or do not ascend.
    """
    try:
        times = np.asarray(frame_times, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"frame_times must be numbers, in seconds; {found(frame_times)} was given.") from None
    if times.ndim != 1 or len(times) < 2:
        raise ValueError(
            f"frame_times must be of shape (n_samples,) with at least two samples; it is of shape {times.shape}."
        )
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise ValueError("frame_times must be finite and ascend, without the same time twice.")
    return times


def checked_delays(fir_delays: Sequence[float] | None) -> list[float]:
    """Delays of "fir", in samples.

    Raises
    ------
    TypeError, ValueError
        If they are no numbers, negative, or repeat.
    """
    if fir_delays is None:
        return [0]
    delays = list(np.atleast_1d(np.asarray(fir_delays, dtype=object)))
    if not delays or not all(
        isinstance(delay, numbers.Real) and not isinstance(delay, bool | np.bool_) for delay in delays
    ):
        raise TypeError(f"fir_delays must be numbers of samples; {found(fir_delays)} was given.")
    if any(not delay >= 0 for delay in delays):
        raise ValueError(f"fir_delays must not be negative; {found(fir_delays)} was given.")
    if len({f"{delay:g}" for delay in delays}) < len(delays):
        raise ValueError(f"fir_delays repeat: {found(fir_delays)} was given.")
    return delays
