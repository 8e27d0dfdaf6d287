"""Results of runs that were written before, read again: by another process, on another day, perhaps damaged since."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from brainsieve.engine.files import reading, regular_file

if TYPE_CHECKING:
    import pandas as pd

REMEDY = "remove it, and run the participant level again"


def read_result(path: str | os.PathLike[str], columns: Sequence[str] = (), **options: Any) -> pd.DataFrame:
    """A table that a run gave.

    Parameters
    ----------
    path : path
    columns : sequence of str
        Columns that must be there.
    **options : dict
        Of `pandas.read_csv`.

    Raises
    ------
    ValueError
        If it cannot be read, has no row, or lacks a column; the message names the file.
    """
    import pandas as pd

    file = regular_file(path, "a table of results")
    with reading(file, "a table of results"):
        table = pd.read_csv(file, sep="\t", na_values=["n/a"], **options)
        lacking = [column for column in columns if column not in table]
        if lacking or not len(table):
            what = f"lacks {', '.join(lacking)}" if lacking else "has no row"
            raise ValueError(f"{file} {what}: {REMEDY}.")
        return table


def read_figures(path: str | os.PathLike[str], columns: Sequence[str] = ()) -> dict[str, float]:
    """The numbers of a table of one row, by column; raises as `read_result`, also for what is no number."""
    table = read_result(path, columns)
    with reading(os.fspath(path), "a table of numbers"):
        return {str(name): float(value) for name, value in table.iloc[0].items()}


def read_matrix(path: str | os.PathLike[str]) -> pd.DataFrame:
    """A matrix between regions; raises as `read_result`, also where it is not square or holds what is no number."""
    table = read_result(path, index_col=0)
    file = os.fspath(path)
    with reading(file, "a matrix"):
        if table.shape[0] != table.shape[1]:
            raise ValueError(f"{file} is no square matrix, its shape is {table.shape}: {REMEDY}.")
        return table.astype(np.float64)
