"""What `fit` is given for one run or several, as lists of one entry for each run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from brainsieve.checks import found
from brainsieve.exceptions import NoImageError
from brainsieve.glm.first_level.design_matrix import check_design_matrix
from brainsieve.image.forms import is_one_image
from brainsieve.tables import as_pandas, read_confounds, read_table

if TYPE_CHECKING:
    import pandas as pd


def runs_of(run_imgs: Any) -> list[Any]:
    """Images as a list of runs; a list of 3-D images is several runs, as in the field."""
    if is_one_image(run_imgs):
        return [run_imgs]
    runs = list(run_imgs)
    if not runs:
        raise NoImageError("run_imgs is empty; give at least one run.")
    return runs


def per_run(name: str, value: Any, n_runs: int) -> list[Any]:
    """An argument as a list of one entry for each run; None for each where it is None.

    Raises
    ------
    ValueError
        If there are more or fewer entries than runs.
    """
    if value is None:
        return [None] * n_runs
    if _is_one(name, value):
        value = [value]
    entries = list(value)
    if len(entries) != n_runs:
        raise ValueError(
            f"{name} has {len(entries)} entr{'y' if len(entries) == 1 else 'ies'}, run_imgs {n_runs} "
            "runs: give one for "
            "each run."
        )
    return entries


def _is_one(name: str, value: Any) -> bool:
    """Whether it is meant for one run: a table, a path, an array; numbers or flags, for sample masks."""
    if isinstance(value, str | os.PathLike) or hasattr(value, "columns"):
        return True
    if isinstance(value, np.ndarray):
        return value.dtype != object
    if not isinstance(value, Iterable) or isinstance(value, Iterator):
        return not isinstance(value, Iterator)
    if name != "sample_masks":
        return False
    entries = list(value)
    return bool(entries) and all(isinstance(entry, bool | int | np.bool_ | np.integer) for entry in entries)


def confounds_of(confounds: Any, n_samples: int, name: str, sample_mask: Any) -> pd.DataFrame | None:
    """Confounds as a table whose columns have names: their own, or ``confound_0``, …

    Raises
    ------
    TypeError, ValueError
        As `read_confounds`: for other numbers of rows, and values that are missing in volumes that are kept.
    """
    import pandas as pd

    if confounds is None:
        return None
    values = read_confounds(confounds, n_samples, name, sample_mask)
    if values is None:
        return None
    names = [f"confound_{i}" for i in range(values.shape[1])]
    if isinstance(confounds, str | os.PathLike):
        names = [str(column) for column in read_table(confounds, n_samples).columns]
    elif hasattr(confounds, "columns"):
        names = [str(column) for column in as_pandas(confounds).columns]
    return pd.DataFrame(values, columns=names)


def design_of(design: Any, n_samples: int, kept: Any, name: str) -> pd.DataFrame:
    """A design that the user gave, with the rows of the volumes that are kept.

    Raises
    ------
    TypeError, ValueError
        If it is no table of finite numbers, or has other rows than the run.
    """
    import pandas as pd

    if isinstance(design, str | os.PathLike):
        design = read_table(design, n_samples)
    if isinstance(design, np.ndarray):
        if design.ndim != 2:
            raise ValueError(
                f"A design of an array must be of shape (n_samples, n_columns); it is of shape {design.shape}."
            )
        design = pd.DataFrame(design, columns=[f"column_{i}" for i in range(design.shape[1])])
    if not hasattr(design, "columns"):
        raise TypeError(f"design_matrices must be data frames, paths or arrays; {found(design)} was given.")
    index, matrix, names = check_design_matrix(design)
    table = pd.DataFrame(matrix, index=index, columns=names)
    if len(table) == n_samples:
        return table.iloc[kept]
    if len(table) == len(kept):
        return table
    censored = f" ({len(kept)} are kept)" if len(kept) < n_samples else ""
    raise ValueError(
        f"The design has {len(table)} rows, {name} has {n_samples} volumes{censored}: give one row for each."
    )
