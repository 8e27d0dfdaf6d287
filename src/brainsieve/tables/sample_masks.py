"""Files that say which volumes of a run to keep."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.files import reading, regular_file
from brainsieve.engine.temporal.censor import kept_samples
from brainsieve.logs import warn
from brainsieve.tables.text import is_number, read_cells

FLAGS = {"true": True, "false": False}


def read_sample_mask(path: str | os.PathLike[str], n_samples: int) -> NDArray[np.intp]:
    """Numbers of the volumes to keep, from a file.

    Parameters
    ----------
    path : path
        ``.npy``, or text: numbers of volumes from 0, ascending; or True or False, or 1 or 0, for each volume of the
        run. Text has one column, or one row; a header is left out, and so is an index (0, 1, 2, …) that pandas
        wrote before it. A first line 0 above volumes that ascend is volume 0, with a warning: pandas calls a series
        without a name so.
    n_samples : int
        Volumes of the run.

    Returns
    -------
    kept : array of int, shape (n_kept,)
        Ascending.

    Raises
    ------
    ValueError
        As a `sample_mask` in Python: for flags of another number than the run has volumes, for numbers that repeat,
        descend or are beyond the run; and if the file is no such list.
    """
    file = regular_file(path, "a file of volumes to keep")
    with reading(file, "a list of volumes"):
        mask = _of_array(file) if file.lower().endswith(".npy") else _of_text(file, n_samples)
        try:
            return kept_samples(mask, n_samples, name="the run")
        except (ValueError, TypeError, IndexError) as error:
            raise ValueError(f"{file!r}: {error}") from None


def _of_array(path: str) -> NDArray:
    with reading(path, "a NumPy array"), open(path, "rb") as stream:
        values = np.lib.format.read_array(stream, allow_pickle=False, max_header_size=10_000)
    if values.dtype != bool and values.dtype.kind not in "iu":
        raise ValueError(f"{path!r} must hold whole numbers or booleans; its dtype is {values.dtype}.")
    return np.atleast_1d(np.squeeze(values))


def _of_text(path: str, n_samples: int) -> NDArray:
    cells = read_cells(path)
    rows = cells.rows
    # One column, and nothing else that tells whether its first line is a name.
    bare = len(rows) > 1 and len(rows[0]) == 1
    if len(rows) == 1 and len(rows[0]) > 1:
        rows = [[cell] for cell in rows[0]]
    if len(rows[0]) == 2 and _is_index([row[0] for row in rows]):
        # Where the count begins below the first row, that row has the names: pandas calls a column without one 0.
        named = [row[0].strip() for row in rows[:2]] not in (["0"], ["0", "1"])
        rows = [row[1:] for row in rows[named:]]
    if len(rows[0]) != 1:
        raise ValueError(
            f"{path!r} has {len(rows[0])} columns; one of volumes to keep, or of flags, was expected."
        )
    words = [row[0].strip().strip('"').lower() for row in rows]
    if (not _is_value(words[0]) and not is_number(words[0])) or _is_header(words, n_samples):
        words, bare = words[1:], False
    is_flag = [word in FLAGS for word in words]
    bad = next((word for word in words if not _is_value(word)), None)
    if bad is not None and not any(is_flag):
        raise ValueError(f"{path!r} must hold numbers of volumes, or True and False; it has {bad!r}.")
    if any(is_flag):
        return _flags(
            [FLAGS.get(word, {"1": True, "0": False}.get(word)) for word in words], words, path, n_samples
        )
    values = np.array([int(word) for word in words], dtype=np.int64)
    # 0 and 1 alone are flags: nobody keeps the first two volumes of a run, and a list of flags that is too short
    # would do just that.
    if len(values) and np.isin(values, (0, 1)).all():
        return _flags([bool(value) for value in values], words, path, n_samples)
    if bare and words[0] == "0":
        warn(
            f"{path!r} begins with a line 0, which is taken as volume 0. If it is the header that pandas writes for "
            "a series without a name, give the series one, or pass header=False to to_csv."
        )
    return values


def _flags(flags: list[bool | None], words: list[str], path: str, n_samples: int) -> NDArray[np.bool_]:
    if None in flags:
        raise ValueError(f"{path!r} mixes True and False with {words[flags.index(None)]!r}.")
    if len(flags) != n_samples:
        raise ValueError(
            f"{path!r} has {len(flags)} flags; the run has {n_samples} volumes. Give one for each, or numbers."
        )
    return np.array(flags, dtype=bool)


def _is_value(word: str) -> bool:
    return word in FLAGS or (word.isascii() and word.isdigit() and len(word) < 19)


def _is_header(words: list[str], n_samples: int) -> bool:
    """Whether a first 0 is the name that pandas gives a column without one."""
    others = words[1:]
    if words[0] != "0" or not others:
        return False
    if set(others) <= {"0", "1", "true", "false"} and len(others) == n_samples:
        return True
    # Numbers of volumes ascend: 0 twice at the start is a header and a volume.
    return others[0] == "0" and not set(others) <= {"0", "1"}


def _is_index(column: list[str]) -> bool:
    """Whether a column counts the rows, with or without a name."""
    for start in (0, 1):
        if [cell.strip() for cell in column[start:]] == [str(i) for i in range(len(column) - start)]:
            return len(column) > start
    return False
