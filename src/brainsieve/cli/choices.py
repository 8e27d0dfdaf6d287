"""What people write on a command line for columns and volumes, turned into what maskers take."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from brainsieve.cli.inputs import is_file_of_volumes

if TYPE_CHECKING:
    import pandas as pd

# ASCII digits, and no more than int64 holds.
RANGE = re.compile(r"([0-9]{0,18})(:?)([0-9]{0,18})")


def chosen_confounds(path: str, columns: Sequence[str] | None) -> pd.DataFrame:
    """The columns of a table of confounds that were asked for, in the order asked.

    Parameters
    ----------
    path : str
    columns : sequence of str or None
        Each a name, or names with commas between them; ``*``, ``?`` and ``[…]`` match several. None: all columns.

    Raises
    ------
    ValueError
        If the table has no names, or a name matches no column.
    """
    from brainsieve.tables import read_table

    table = read_table(path)
    if columns is None:
        return table
    names = [str(name) for name in table.columns]
    if all(not isinstance(name, str) for name in table.columns):
        raise ValueError(f"--confounds-columns was given, but {path!r} has no header to look names up in.")
    chosen: list[str] = []
    for pattern in _patterns(columns, names):
        matches = [name for name in names if name == pattern] or fnmatch.filter(names, pattern)
        if not matches:
            raise ValueError(_no_such_column(pattern, names, path))
        chosen += [name for name in matches if name not in chosen]
    if not chosen:
        raise ValueError(f"--confounds-columns {','.join(columns)!r} names no column.")
    return table[chosen]


def _patterns(columns: Sequence[str], names: Sequence[str]) -> list[str]:
    """Names and patterns one by one; a name of the table that has a comma in it stays whole."""
    parts = [[text] if text in names else text.split(",") for text in columns]
    return [part.strip() for row in parts for part in row if part.strip()]


def refuse_missing(table: pd.DataFrame, kept: NDArray[np.intp] | None, path: str) -> None:
    """Raise ValueError if a confound has no value in a volume that is kept, naming the columns."""
    rows = table if kept is None else table.iloc[kept[kept < len(table)]]
    missing = rows.isna()
    columns = [str(name) for name in table.columns[missing.any()]]
    if not columns:
        return
    first = int(missing.any(axis=1).idxmax())
    listed = ", ".join(columns[:6]) + (f" and {len(columns) - 6} more" if len(columns) > 6 else "")
    hint = "; derivatives have no first value: --sample-mask 1: drops that volume" if first == 0 else ""
    raise ValueError(
        f"--confounds: {path!r} has no value in row {first} of {listed}; "
        f"choose others with --confounds-columns{hint}."
    )


def _no_such_column(pattern: str, names: list[str], path: str) -> str:
    near = difflib.get_close_matches(pattern, names, n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"it has {', '.join(names[:8])} …"
    return f"--confounds-columns: {path!r} has no column {pattern!r}; {hint}"


def kept_volumes(text: str, n_samples: int) -> NDArray[np.intp]:
    """Numbers of the volumes to keep, ascending.

    Parameters
    ----------
    text : str
        Ranges such as ``4:``, ``0:50,60:82`` or ``3,5,8``; or the path of a file, see
        `brainsieve.tables.read_sample_mask`.
    n_samples : int
        Volumes of the run.

    Raises
    ------
    ValueError
        If it is neither, names volumes that the run does not have or one twice, or keeps none.
    """
    from brainsieve.tables import read_sample_mask

    if is_file_of_volumes(text):
        return read_sample_mask(text, n_samples)
    kept = _from_ranges(text, n_samples)
    beyond = kept[kept >= n_samples]
    if len(beyond):
        raise ValueError(f"--sample-mask {text!r} names volume {beyond[0]}; the run has 0 … {n_samples - 1}.")
    values, counts = np.unique(kept, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"--sample-mask {text!r} names volume {values[counts > 1][0]} more than once.")
    return values


def _from_ranges(text: str, n_samples: int) -> NDArray[np.intp]:
    kept: list[int] = []
    for part in (part.strip() for part in text.split(",")):
        match = RANGE.fullmatch(part)
        if not match or not part:
            raise ValueError(
                f"--sample-mask {text!r} is neither a file nor ranges of volumes; write '4:' for all from "
                "the fifth on, or '0:50,60:82' (the first of a range is included, the last is not)."
            )
        start, colon, stop = match.groups()
        if not colon:
            kept.append(int(start))
            continue
        first, last = int(start or 0), int(stop or n_samples)
        if last > n_samples or first >= last:
            raise ValueError(f"--sample-mask: {part!r} is no range in a run of {n_samples} volumes.")
        kept += range(first, last)
    return np.asarray(kept, dtype=np.intp)
