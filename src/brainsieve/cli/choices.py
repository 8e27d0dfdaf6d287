"""What people write on a command line for columns and volumes, turned into what maskers take."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

RANGE = re.compile(r"(\d*)(:?)(\d*)")
TRUE, FALSE = {"true", "1"}, {"false", "0"}


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
        Ranges such as ``4:``, ``0:50,60:82`` or ``3,5,8``; or the path of a file with numbers of volumes, or
        with True or False for each volume.
    n_samples : int
        Volumes of the run.

    Raises
    ------
    ValueError
        If it is neither, names volumes that the run does not have, or keeps none.
    """
    path = Path(text).expanduser()
    kept = _from_file(path, n_samples) if path.is_file() else _from_ranges(text, n_samples)
    beyond = kept[(kept < 0) | (kept >= n_samples)]
    if len(beyond):
        raise ValueError(f"--sample-mask {text!r} names volume {beyond[0]}; the run has 0 … {n_samples - 1}.")
    if not len(kept):
        raise ValueError(f"--sample-mask {text!r} keeps none of the {n_samples} volumes.")
    return np.unique(kept)


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


def _from_file(path: Path, n_samples: int) -> NDArray[np.intp]:
    if path.suffix.lower() == ".npy":
        values = np.load(path, allow_pickle=False).ravel()
        if values.dtype == bool:
            return _from_flags(values, path, n_samples)
        if values.dtype.kind not in "iu":
            raise ValueError(
                f"{str(path)!r} must hold whole numbers or booleans; its dtype is {values.dtype}."
            )
        words = [str(value) for value in values.tolist()]
    else:
        words = _words(path)
    lowered = [word.lower() for word in words]
    if set(lowered) & {"true", "false"} or (len(words) == n_samples > 2 and set(lowered) <= {"0", "1"}):
        unknown = [word for word in words if word.lower() not in TRUE | FALSE]
        if unknown:
            raise ValueError(f"{str(path)!r} mixes True and False with {unknown[0]!r}.")
        return _from_flags(np.asarray([word in TRUE for word in lowered]), path, n_samples)
    bad = next((word for word in words if not word.isdigit()), None)
    if bad is not None:
        raise ValueError(f"{str(path)!r} must hold numbers of volumes, or True and False; it has {bad!r}.")
    return np.asarray([int(word) for word in words], dtype=np.intp)


def _words(path: Path) -> list[str]:
    try:
        words = path.read_text(encoding="utf-8-sig").replace(",", " ").split()
    except UnicodeDecodeError:
        raise ValueError(f"{str(path)!r} is no text file; give .npy, or text.") from None
    # A header is a word, and only the first one can be it.
    is_header = bool(words) and not words[0].isdigit() and words[0].lower() not in TRUE | FALSE
    return words[1:] if is_header else words


def _from_flags(flags: NDArray[np.bool_], path: Path, n_samples: int) -> NDArray[np.intp]:
    if len(flags) != n_samples:
        raise ValueError(f"{str(path)!r} has {len(flags)} flags; the run has {n_samples} volumes.")
    return np.flatnonzero(flags)
