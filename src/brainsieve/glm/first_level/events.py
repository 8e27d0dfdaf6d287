"""Tables of events, checked: onset and duration in seconds, trial_type, modulation."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.logs import warn
from brainsieve.tables import as_pandas, read_table

if TYPE_CHECKING:
    import pandas as pd

# Rows and names that a message shows.
N_NAMED = 6
KNOWN = ("onset", "duration", "trial_type", "modulation")


@dataclass(frozen=True)
class Events:
    """Events in the order of the table.

    Attributes
    ----------
    onset, duration, modulation : array of shape (n_events,)
    trial_type : array of str, shape (n_events,)
    conditions : list of str
        The types that there are, sorted: numbers as numbers, all else as text.
    """

    onset: NDArray[np.float64]
    duration: NDArray[np.float64]
    modulation: NDArray[np.float64]
    trial_type: NDArray[np.str_]
    conditions: list[str]

    def of(self, condition: str) -> NDArray[np.float64]:
        """Onsets, durations and amplitudes of one condition, (3, n)."""
        mine = self.trial_type == condition
        return np.stack([self.onset[mine], self.duration[mine], self.modulation[mine]])


def read_events(events: Any) -> Events:
    """A table of events, checked.

    Parameters
    ----------
    events : data frame or path
        TSV or CSV.

    Raises
    ------
    TypeError
        If it is no table.
    ValueError
        If onset or duration is missing, or a value is missing, no number or negative; the message names the rows.
    """
    table = _table(events)
    missing = [name for name in ("onset", "duration") if name not in table.columns]
    if missing:
        raise ValueError(
            f"events has no column {' and no column '.join(map(repr, missing))}; its columns are "
            f"{', '.join(map(str, table.columns))}."
        )
    unknown = [str(name) for name in table.columns if name not in KNOWN]
    if unknown:
        warn(f"events has columns that the design does not use: {', '.join(unknown)}.")
    onset, duration = _numbers(table, "onset"), _numbers(table, "duration")
    if (duration < 0).any():
        raise ValueError(f"events has negative durations in rows {_rows(duration < 0)} (from 0).")
    modulation = _numbers(table, "modulation") if "modulation" in table else np.ones(len(table))
    types, conditions = _types(table)
    found = Events(onset, duration, modulation, types, conditions)
    _warn_of_doubtful(found)
    return found


def _table(events: Any) -> pd.DataFrame:
    if isinstance(events, str | os.PathLike):
        return read_table(events, as_text=("trial_type",))
    if not hasattr(events, "columns"):
        raise TypeError(
            f"events must be a data frame or the path of a TSV or CSV file; {type(events).__name__} was given."
        )
    return as_pandas(events)


def _numbers(table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    import pandas as pd

    values = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~np.isfinite(values)
    if bad.any():
        raise ValueError(
            f"events: {name} must be a finite number; it is {table[name].iloc[int(np.argmax(bad))]!r} in rows "
            f"{_rows(bad)} (from 0). Leave these rows out, or fill them."
        )
    return values


def _types(table: pd.DataFrame) -> tuple[NDArray[np.str_], list[str]]:
    if "trial_type" not in table:
        warn("events has no column 'trial_type': all events are of one condition, 'dummy'.")
        return np.full(len(table), "dummy"), ["dummy"] if len(table) else []
    column = table["trial_type"]
    missing = column.isna().to_numpy()
    if column.dtype.kind not in "biuf":
        # As files say it; text of a file stays as it is written.
        missing = missing | column.astype(str).str.strip().str.lower().isin(["n/a", "", "nan"]).to_numpy()
    if missing.any():
        raise ValueError(
            f"events: trial_type is missing in rows {_rows(missing)} (from 0). Leave these rows out, or name them."
        )
    values = column.to_list()
    by_text = dict.fromkeys(str(value) for value in values)
    if all(isinstance(value, int | float | np.number) for value in values):
        numbers = {str(value): value for value in values}
        return np.array([str(v) for v in values], dtype=str), sorted(by_text, key=lambda name: numbers[name])
    return np.array([str(v) for v in values], dtype=str), sorted(by_text)


def _rows(bad: NDArray[np.bool_]) -> str:
    rows = np.flatnonzero(bad)
    return ", ".join(map(str, rows[:N_NAMED])) + (" …" if len(rows) > N_NAMED else "")


def _warn_of_doubtful(events: Events) -> None:
    short = sorted(set(events.trial_type[events.duration == 0].tolist()))
    if short:
        warn(
            f"Events without duration in the conditions {', '.join(short)}: on the grid they last one step, so that "
            "their amplitude depends on t_r and oversampling; exact=True takes them as impulses."
        )
    seen = list(zip(events.trial_type.tolist(), events.onset.tolist(), events.duration.tolist(), strict=True))
    twice = sorted({kind for kind, *_ in seen if len(set(seen)) < len(seen) and _repeats(seen, kind)})
    if twice:
        warn(f"Events that are in the table twice are added up; conditions: {', '.join(twice)}.")


def _repeats(seen: list[tuple[str, float, float]], kind: str) -> bool:
    mine = [event for event in seen if event[0] == kind]
    return len(set(mine)) < len(mine)
