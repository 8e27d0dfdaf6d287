"""Design matrices of runs: conditions, confounds, drifts, constant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainsieve.checks import a_bool, a_count
from brainsieve.glm.designs import warn_of_dependence
from brainsieve.glm.first_level.drifts import drift_columns
from brainsieve.glm.first_level.events import Events, read_events
from brainsieve.glm.first_level.regressors import (
    Kernel,
    checked_delays,
    checked_frame_times,
    finished_columns,
    is_irregular,
    kernels_of,
    outside_of,
    raw_columns,
    warn_of_outside,
)
from brainsieve.logs import warn
from brainsieve.tables import as_pandas
from brainsieve.typing import TableLike

if TYPE_CHECKING:
    import pandas as pd


def make_first_level_design_matrix(
    frame_times: ArrayLike,
    events: TableLike | None = None,
    hrf_model: Any = "glover",
    drift_model: Literal["cosine", "polynomial"] | None = "cosine",
    high_pass: float = 0.01,
    drift_order: int = 1,
    fir_delays: Sequence[float] | None = None,
    add_regs: ArrayLike | pd.DataFrame | None = None,
    add_reg_names: Sequence[str] | None = None,
    min_onset: float = -24,
    oversampling: int = 50,
    exact: bool = False,
) -> pd.DataFrame:
    """The design of a run.

    Parameters
    ----------
    frame_times : array of shape (n_samples,)
        Seconds of the samples, ascending.
    events : data frame or path, default=None
        ``onset`` and ``duration`` in seconds; ``trial_type``, the condition; ``modulation``, the amplitude, taken as it
        is. None: drifts and confounds only.
    hrf_model : str, callable, list of callables or None, default="glover"
        "spm" or "glover", with " + derivative" or " + derivative + dispersion"; "fir"; None: the events as they are; or
        ``f(t_r, oversampling)`` giving a kernel on the grid. Case does not matter.
    drift_model : {"cosine", "polynomial", None}, default="cosine"
    high_pass : float, default=0.01
        Hertz: cosines slower than this are in the design.
    drift_order : int, default=1
        Of the polynomial.
    fir_delays : sequence of float, default=None
        Samples, for "fir". None: 0 only.
    add_regs : array of shape (n_samples,) or (n_samples, n_regs), or data frame, default=None
        Columns taken as they are: neither centred nor scaled.
    add_reg_names : sequence of str, default=None
        Their names. None: those of the data frame, or ``reg0``, ``reg1``, …
    min_onset : float, default=-24
        Seconds relative to the first sample; events that are over before take no part.
    oversampling : int, default=50
        Points of the grid between two samples.
    exact : bool, default=False
        Integrate the response over each event, without a grid.

    Returns
    -------
    design : pandas.DataFrame of shape (n_samples, n_columns)
        float64, the index has the seconds. Conditions in order, each followed by its derivatives or delays, then
        `add_regs`, ``drift_1``, …, and ``constant``.

    Raises
    ------
    TypeError, ValueError
        For events, samples or confounds that are not what they should be; the message names rows and columns.
    NotImplementedError
        For an unknown drift model.

    Notes
    -----
    Where distances of samples differ, `exact` is used, whatever is asked for, with a warning.
    """
    times = checked_frame_times(frame_times)
    a_count("oversampling", oversampling, least=1)
    a_bool("exact", exact)
    columns, names = [], []
    model = hrf_model.lower() if isinstance(hrf_model, str) else hrf_model
    kernels = kernels_of(model, checked_delays(fir_delays) if model == "fir" else [0], times)
    if events is not None:
        table = read_events(events)
        for condition, block in condition_columns(
            table, kernels, times, oversampling, min_onset, exact
        ).items():
            columns.append(finished_columns(block, model))
            names += [f"{condition}{kernel.suffix}" for kernel in kernels]
    regressors, own = _regressors(add_regs, add_reg_names, len(times))
    drifts, drift_names = drift_columns(drift_model, times, high_pass, drift_order)
    names += [*own, *drift_names]
    _refuse_duplicates(names)
    design = _frame(np.concatenate([*columns, regressors, drifts], axis=1), names, times)
    warn_of_dependence(design.to_numpy(), names)
    return design


def _frame(values: NDArray, names: Sequence[str], times: NDArray) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(values, columns=list(names), index=times)


def condition_columns(
    events: Events,
    kernels: Sequence[Kernel],
    times: NDArray[np.float64],
    oversampling: int = 50,
    min_onset: float = -24,
    exact: bool = False,
) -> dict[str, NDArray[np.float64]]:
    """Columns of each condition, not yet orthogonalized, (n_samples, n_kernels); warns of events outside."""
    if is_irregular(times) and not exact:
        warn("Distances of samples differ: the response is integrated (exact), the grid would stretch it.")
        exact = True
    found, lost = {}, {}
    for condition in events.conditions:
        mine = events.of(condition)
        outside = outside_of(mine, times, min_onset)
        if outside.any():
            lost[condition] = int(outside.sum())
        found[condition] = raw_columns(mine[:, ~outside], kernels, times, oversampling, min_onset, exact)
    if lost:
        warn_of_outside(lost, times, min_onset)
    return found


def _regressors(
    add_regs: Any, add_reg_names: Sequence[str] | None, n_samples: int
) -> tuple[NDArray[np.float64], list[str]]:
    if add_regs is None:
        return np.zeros((n_samples, 0)), []
    own: Sequence[Any] | None = None
    if hasattr(add_regs, "columns"):
        add_regs = as_pandas(add_regs)
        own = list(add_regs.columns)
    try:
        values = np.asarray(add_regs, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError("add_regs must hold numbers: an array or a data frame of them.") from None
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or len(values) != n_samples:
        raise ValueError(
            f"add_regs must have one row for each of the {n_samples} samples; it is of shape {np.shape(add_regs)}."
        )
    names = _names(own, add_reg_names, values.shape[1])
    bad = ~np.isfinite(values)
    if bad.any():
        columns = ", ".join(repr(names[i]) for i in np.flatnonzero(bad.any(axis=0)))
        rows = ", ".join(map(str, np.flatnonzero(bad.any(axis=1))[:6]))
        raise ValueError(
            f"add_regs (confounds) has NaN or infinite values in the columns {columns}, rows {rows} (from 0)."
        )
    return values, names


def _names(own: Sequence[Any] | None, given: Sequence[str] | None, count: int) -> list[str]:
    if own is not None:
        if given is not None and list(map(str, given)) != list(map(str, own)):
            warn("add_reg_names is not used: add_regs is a data frame, whose columns have names.")
        return [str(name) for name in own]
    if given is None:
        return [f"reg{i}" for i in range(count)]
    if len(given) != count:
        raise ValueError(f"add_reg_names has {len(given)} names, add_regs has {count} columns.")
    return [str(name) for name in given]


def _refuse_duplicates(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"Columns of the design would have the same name: {', '.join(map(repr, twice))}. Rename the trial types or "
            "the regressors."
        )


def check_design_matrix(
    design_matrix: pd.DataFrame,
) -> tuple[pd.Index, NDArray[np.float64], list[str]]:
    """The parts of a design.

    Parameters
    ----------
    design_matrix : data frame of shape (n_samples, n_columns)

    Returns
    -------
    frame_times : pandas.Index
    matrix : array of shape (n_samples, n_columns)
    names : list of str

    Raises
    ------
    TypeError
        If it is no data frame, or holds no numbers.
    ValueError
        If it is empty, names repeat, or values are not finite; the message names columns and rows.
    """
    if not hasattr(design_matrix, "columns"):
        raise TypeError(
            f"design_matrix must be a data frame, whose columns have names; {type(design_matrix).__name__} was given."
        )
    table = as_pandas(design_matrix)
    names = [str(name) for name in table.columns]
    if not len(names):
        raise ValueError("design_matrix has no column.")
    _refuse_duplicates(names)
    try:
        matrix = table.to_numpy(dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"design_matrix must hold numbers; its columns are of {set(table.dtypes)}.") from None
    bad = ~np.isfinite(matrix)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(
            f"design_matrix has NaN or infinite values, the first in column {names[column]!r}, row {row} (from 0)."
        )
    return table.index, matrix, names
