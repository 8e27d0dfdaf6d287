"""Confounds: one column for each, one row for each scan."""

from __future__ import annotations

import numbers
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.temporal.censor import kept_of_runs
from brainsieve.tables.frames import as_pandas
from brainsieve.tables.text import MISSING, read_table

if TYPE_CHECKING:
    import pandas as pd

N_NAMED = 6


@dataclass(frozen=True)
class _Part:
    """One table: values (n_samples, n_confounds), the names of its columns, and what to call it."""

    values: NDArray[np.float64]
    columns: list[str]
    what: str


def read_confounds(
    confounds: Any, n_samples: int, name: str = "the run", sample_mask: Any = None, runs: Any = None
) -> NDArray[np.float64] | None:
    """Confounds as one array.

    Parameters
    ----------
    confounds : array of shape (n_samples,) or (n_samples, n_confounds), data frame, path, list of these, or None
        A data frame of pandas, polars or any library that narwhals knows; a record array; a text table, see
        `read_table`. A list is stacked side by side.
    n_samples : int
    name : str
        Of the run, for messages.
    sample_mask, runs : optional
        As in `brainsieve.signal.clean`: rows that are left out may lack values.

    Returns
    -------
    confounds : array of float64, shape (n_samples, n_confounds), or None

    Raises
    ------
    TypeError
        If it is none of these, or a column holds no numbers.
    ValueError
        If the number of rows is another than `n_samples`, it is neither 1-D nor 2-D, or a value of a kept row is
        missing or infinite: the message names the columns as the table does, and the file.
    """
    if confounds is None:
        return None
    many = isinstance(confounds, list | tuple)
    if many and not len(confounds):
        return None
    if many and isinstance(confounds[0], numbers.Number):
        raise TypeError(
            "confounds is a list of numbers; give an array, a data frame, a path, or a list of these."
        )
    parts = [_one_table(part, n_samples) for part in (confounds if many else [confounds])]
    for part in parts:
        if len(part.values) != n_samples:
            raise ValueError(
                f"{part.what} has {len(part.values)} rows, {name} has {n_samples} scans; give one row for each scan, "
                "and the kept scans in sample_mask."
            )
        if not np.isfinite(part.values).all():
            _refuse_missing(part, kept_of_runs(sample_mask, n_samples, runs, name))
    return np.hstack([part.values for part in parts])


def _one_table(table: Any, n_samples: int) -> _Part:
    if isinstance(table, str | os.PathLike):
        return _numbers(read_table(table, n_samples), f"confounds file {os.fspath(table)!r}")
    if isinstance(table, np.ndarray):
        return _array(table)
    if hasattr(table, "columns") or hasattr(table, "to_numpy"):
        return _numbers(as_pandas(table), "confounds")
    if isinstance(table, list | tuple):
        raise TypeError("confounds holds a list inside a list; give arrays, data frames or paths.")
    raise TypeError(
        f"confounds must be an array, a data frame, a path, or a list of these; {type(table).__name__} was given."
    )


def _array(table: NDArray) -> _Part:
    names = list(table.dtype.names or ())
    if names:
        table = np.stack([table[field] for field in names], axis=1)
    if table.ndim not in (1, 2):
        raise ValueError(
            f"confounds must have shape (n_samples,) or (n_samples, n_confounds); it has {table.shape}."
        )
    if table.dtype.kind not in "biuf":
        try:
            table = table.astype(np.float64)
        except (TypeError, ValueError):
            raise TypeError(f"confounds must hold numbers; its dtype is {table.dtype}.") from None
    values = np.asarray(table.reshape(len(table), -1), dtype=np.float64)
    return _Part(values, names or [str(i) for i in range(values.shape[1])], "confounds")


def _numbers(table: pd.DataFrame, what: str) -> _Part:
    import pandas as pd

    if all(isinstance(dtype, np.dtype) and dtype.kind in "biuf" for dtype in table.dtypes):
        # What nearly all tables are: no cell has to be looked at.
        return _Part(table.to_numpy(dtype=np.float64), [str(column) for column in table.columns], what)
    converted = table.apply(pd.to_numeric, errors="coerce")
    no_number = converted.isna() & table.notna()
    spoilt = no_number.to_numpy() & ~table.map(lambda cell: str(cell).strip().lower() in MISSING).to_numpy()
    if spoilt.any():
        row, column = (int(i) for i in np.argwhere(spoilt)[0])
        cell = table.iloc[row, column]
        hint = (
            " A comma is no decimal point here."
            if str(cell).replace(",", "", 1).strip("-").isdecimal()
            else ""
        )
        raise TypeError(
            f"{what}: column {table.columns[column]!r} holds no number in row {row}: {cell!r}. "
            f"Leave the column out, or clean it.{hint}"
        )
    # pandas' own types of numbers have a missing value that is no NaN.
    values = converted.to_numpy(dtype=np.float64, na_value=np.nan)
    return _Part(values, [str(column) for column in table.columns], what)


def _refuse_missing(part: _Part, kept: NDArray[np.intp]) -> None:
    bad = ~np.isfinite(part.values[kept])
    if not bad.any():
        return
    rows, columns = kept[bad.any(axis=1)], np.flatnonzero(bad.any(axis=0))
    names = ", ".join(repr(part.columns[i]) for i in columns[:N_NAMED])
    more = f" and {len(columns) - N_NAMED} more" if len(columns) > N_NAMED else ""
    hint = (
        " The first row of derivatives in fMRIPrep's tables is n/a: "
        "brainsieve.interfaces.fmriprep.load_confounds fills it."
        if rows[0] == 0
        else ""
    )
    raise ValueError(
        f"{part.what}: NaN or infinite values in the columns {names}{more}, "
        f"rows {', '.join(map(str, rows[:N_NAMED]))}{' …' if len(rows) > N_NAMED else ''} (from 0).{hint}"
    )
