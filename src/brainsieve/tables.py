"""Tables that users give: confounds and look-up tables, as arrays, data frames of any library, or files."""

from __future__ import annotations

import numbers
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


def read_confounds(confounds: Any, n_samples: int, name: str = "the run") -> NDArray[np.float64] | None:
    """Confounds as one array.

    Parameters
    ----------
    confounds : array of shape (n_samples,) or (n_samples, n_confounds), data frame, path, list of these, or None
        A data frame of pandas, polars or any library that narwhals knows; a TSV or CSV file with or without
        header. A list is stacked side by side.
    n_samples : int
    name : str
        Of the run, for messages.

    Returns
    -------
    confounds : array of float64, shape (n_samples, n_confounds), or None

    Raises
    ------
    TypeError
        If it is none of these, or a column holds no numbers.
    ValueError
        If the number of rows is another than `n_samples`, or it is neither 1-D nor 2-D.
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
    parts = [_one_table(part) for part in (confounds if many else [confounds])]
    for part in parts:
        if len(part) != n_samples:
            raise ValueError(
                f"confounds has {len(part)} rows, {name} has {n_samples} scans; give one row for each scan, "
                "and the kept scans in sample_mask."
            )
    return np.hstack(parts) if parts else None


def _one_table(table: Any) -> NDArray[np.float64]:
    if isinstance(table, str | os.PathLike):
        return _numbers(read_table(table), f"confounds file {os.fspath(table)!r}")
    if isinstance(table, np.ndarray):
        return _array(table)
    if hasattr(table, "columns") or hasattr(table, "to_numpy"):
        return _numbers(as_pandas(table), "confounds")
    if isinstance(table, list | tuple):
        raise TypeError("confounds holds a list inside a list; give arrays, data frames or paths.")
    raise TypeError(
        f"confounds must be an array, a data frame, a path, or a list of these; {type(table).__name__} was given."
    )


def _array(table: NDArray) -> NDArray[np.float64]:
    if table.dtype.names:
        table = np.stack([table[field] for field in table.dtype.names], axis=1)
    if table.ndim not in (1, 2):
        raise ValueError(
            f"confounds must have shape (n_samples,) or (n_samples, n_confounds); it has {table.shape}."
        )
    if table.dtype.kind not in "biuf":
        try:
            table = table.astype(np.float64)
        except (TypeError, ValueError):
            raise TypeError(f"confounds must hold numbers; its dtype is {table.dtype}.") from None
    return np.asarray(table.reshape(len(table), -1), dtype=np.float64)


def _numbers(table: pd.DataFrame, what: str) -> NDArray[np.float64]:
    import pandas as pd

    converted = table.apply(pd.to_numeric, errors="coerce")
    spoilt = converted.isna() & table.notna()
    bad = spoilt.any()
    if bad.any():
        column = bad.index[bad][0]
        row = int(np.flatnonzero(spoilt[column])[0])
        raise TypeError(
            f"{what}: column {column!r} holds no number in row {row}: {table[column].iloc[row]!r}. "
            "Leave the column out, or clean it."
        )
    return converted.to_numpy(dtype=np.float64, na_value=np.nan)


def as_pandas(table: Any) -> pd.DataFrame:
    """A data frame of any library that narwhals knows, as one of pandas.

    Raises
    ------
    TypeError
        If it is no data frame.
    """
    import narwhals.stable.v1 as nw
    import pandas as pd

    if isinstance(table, pd.DataFrame):
        return table
    if isinstance(table, pd.Series):
        return table.to_frame()
    try:
        frame = nw.from_native(table, allow_series=True)
    except TypeError:
        raise TypeError(f"{type(table).__name__} is no data frame that is known here.") from None
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if isinstance(frame, nw.Series):
        frame = frame.to_frame()
    return pd.DataFrame({column: frame[column].to_numpy() for column in frame.columns})


def read_table(path: str | os.PathLike) -> pd.DataFrame:
    """A TSV or CSV file, with or without header; the separator is found out.

    Raises
    ------
    ValueError
        If the file is missing or empty, or is no table.
    """
    import pandas as pd

    file = Path(path).expanduser()
    if not file.is_file():
        raise ValueError(f"File not found: {str(path)!r}")
    try:
        with file.open(encoding="utf-8-sig") as stream:
            first = stream.readline()
    except UnicodeDecodeError:
        raise ValueError(f"{str(path)!r} is no text file; give a TSV or CSV table.") from None
    if not first.strip():
        raise ValueError(f"{str(path)!r} is empty; give a table with one row for each scan.")
    separator = next((mark for mark in ("\t", ",", ";") if mark in first), r"\s+")
    header = None if _is_data(first, separator) else 0
    try:
        return pd.read_csv(file, sep=separator, header=header, na_values=["n/a"], encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{str(path)!r} cannot be read as a table: {error}") from None


def _is_data(line: str, separator: str) -> bool:
    """Whether a first line holds values rather than names."""
    cells = line.split() if separator == r"\s+" else line.strip().split(separator)
    return all(_is_number(cell) or cell.strip() in ("n/a", "nan", "NaN", "") for cell in cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def read_lut(lut: Any) -> pd.DataFrame:
    """A look-up table of regions: `index` and `name`, and what other columns it has.

    Parameters
    ----------
    lut : data frame or path

    Returns
    -------
    table : pandas.DataFrame
        A copy.

    Raises
    ------
    TypeError
        If it is neither.
    ValueError
        If a column is missing, or an index is no number.
    """
    import pandas as pd

    if isinstance(lut, str | os.PathLike):
        table, what = read_table(lut), f"lut {os.fspath(lut)!r}"
    elif hasattr(lut, "columns"):
        table, what = as_pandas(lut).copy(), "lut"
    else:
        raise TypeError(f"lut must be a data frame or a path; {type(lut).__name__} was given.")
    missing = [column for column in ("index", "name") if column not in table.columns]
    if missing:
        raise ValueError(
            f"{what} has no column {' and no column '.join(map(repr, missing))}; it has "
            f"{', '.join(map(repr, table.columns))}. A look-up table needs 'index' and 'name'."
        )
    index = pd.to_numeric(table["index"], errors="coerce")
    if index.isna().any():
        row = int(np.flatnonzero(index.isna())[0])
        raise ValueError(f"{what}: the index in row {row} is no number: {table['index'].iloc[row]!r}.")
    return table.assign(index=index)
