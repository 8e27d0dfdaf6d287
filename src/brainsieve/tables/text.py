"""Text files as cells: encoding, separator, comments and header are found out, no cell is changed."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from brainsieve.engine.files import reading, regular_file

if TYPE_CHECKING:
    import pandas as pd

# What stands for a number that is not there: BIDS, pandas, R, FSL, MATLAB.
MISSING = {"", "n/a", "na", "nan", "-nan", "+nan", "null", "none", "."}
# Files that are given for tables by mistake, and what reads them.
OTHER_FILES = (
    (b"\x93NUMPY", "a NumPy array: numpy.load reads it, and the array can be given"),
    (b"MATLAB 5.0", "a MATLAB file: scipy.io.loadmat reads it, and an array of it can be given"),
    (b"\x89HDF\r\n", "an HDF5 (or MATLAB 7.3) file"),
    (b"PK\x03\x04", "a zip archive or Excel file: save it as CSV or TSV"),
    (b"\x1f\x8b", "compressed by gzip: decompress it"),
    (b"PAR1", "a Parquet file: pandas.read_parquet reads it, and the data frame can be given"),
)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
SEPARATORS = {".csv": (",", ";", "\t")}
# An index that pandas wrote without a name, once or twice.
INDEX_NAMES = {"", "unnamed: 0"}


@dataclass(frozen=True)
class Cells:
    """The cells of a text file, all rows of one length.

    Attributes
    ----------
    path : str
    rows : list of list of str
        A header included, comments and empty lines left out.
    comments : list of str
        Lines that begin with ``#``.
    separator : str or None
        None: white space, or one column.
    """

    path: str
    rows: list[list[str]]
    comments: list[str]
    separator: str | None

    @property
    def n_columns(self) -> int:
        return len(self.rows[0]) if self.rows else 0


def read_table(
    path: str | os.PathLike[str], n_rows: int | None = None, *, as_text: Collection[str] = ()
) -> pd.DataFrame:
    """A text table of numbers, with or without header.

    Parameters
    ----------
    path : path
        TSV, CSV (commas or semicolons) or columns between spaces, as AFNI's ``.1D`` and FSL's ``.par``; lines that
        begin with ``#`` are left out, and so is an index that pandas wrote without a name.
    n_rows : int, optional
        Rows that are expected: tells whether a first row 0, 1, 2, … is a header that pandas wrote.
    as_text : collection of str, optional
        Columns, in lower case, whose cells stay as they are written: a name may be ``001`` or ``NA``.

    Returns
    -------
    table : pandas.DataFrame
        Columns are named by the header, or numbered. Those that hold nothing but numbers are numbers, NaN where
        one is missing (``n/a``, empty, …); others are text, cell by cell as it is written.

    Raises
    ------
    ValueError
        If the file is missing or empty, or is no table.
    """
    import pandas as pd

    cells = read_cells(path)
    header, rows = split_header(cells, n_rows)
    columns = list(zip(*rows, strict=True)) if rows else [()] * cells.n_columns
    while header is not None and header[0].strip().lower() in INDEX_NAMES and _is_index(header, columns[0]):
        header, columns = header[1:], columns[1:]
    names = range(len(columns)) if header is None else _told_apart([name.strip() for name in header])
    cast = [list if str(name).lower() in as_text else _numbers_or_text for name in names]
    made = {number: pd.Series(cast[number](column)) for number, column in enumerate(columns)}
    return pd.DataFrame(made, index=range(len(rows))).set_axis(pd.Index(list(names)), axis="columns")


def read_cells(path: str | os.PathLike[str]) -> Cells:
    """The cells of a text file.

    Raises
    ------
    ValueError
        If the file is missing or empty, is no text, or its rows have different numbers of cells.
    """
    file = regular_file(path, "a text table (.tsv, .csv)")
    with reading(file, "a table"):
        text = _text_of(file)
        lines = [line for line in io.StringIO(text, newline=None).read().split("\n") if line.strip()]
        comments = [line for line in lines if line.lstrip().startswith("#")]
        rows, separator = _split(text, [line for line in lines if not line.lstrip().startswith("#")], file)
        if not rows:
            raise ValueError(f"{file!r} is empty: it has no row.")
        return Cells(file, rows, comments, separator)


def _text_of(path: str) -> str:
    with open(path, "rb") as stream:
        raw = stream.read()
    for start, what in OTHER_FILES:
        if raw.startswith(start):
            raise ValueError(f"{path!r} is no text table but {what}.")
    # A byte order mark: "Unicode text" of spreadsheets under Windows.
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = raw.decode("utf-16")
    else:
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            # What spreadsheets of western languages write; every byte has a meaning in Latin-1.
            text = raw.decode("latin-1")
    if CONTROL.search(text):
        raise ValueError(f"{path!r} is no text file; give a TSV or CSV table.")
    if text.lstrip()[:1] in ("{", "[") and _is_json(text):
        raise ValueError(f"{path!r} holds JSON, as the file beside a table does; give the table itself.")
    return text


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


# -- cells ---------------------------------------------------------------------------------------------


def _split(text: str, lines: list[str], path: str) -> tuple[list[list[str]], str | None]:
    """Rows of cells, by the first separator that cuts all rows alike."""
    suffix = os.path.splitext(path)[1].lower()
    ragged = None
    for separator in SEPARATORS.get(suffix, ("\t", ",", ";")):
        if separator not in text:
            continue
        rows = _of_csv(text, separator)
        fitted = _of_one_width(rows)
        if fitted is not None and len(fitted[0]) > 1:
            return fitted, separator
        # A comma in a single name is no separator; one in most rows is.
        if ragged is None and 2 * sum(len(row) > 1 for row in rows) > len(rows):
            ragged = rows
    spaced = [line.split() for line in lines]
    if ragged is None and spaced and len({len(row) for row in spaced}) == 1:
        return spaced, None
    if ragged is not None:
        width = len(ragged[0])
        number, row = next((i, row) for i, row in enumerate(ragged) if len(row) != width)
        raise ValueError(
            f"{path!r}: row {number} (from 0, comments left out) has {len(row)} cells, the first {width}. "
            "Was it cut, or edited?"
        )
    return [[_unquoted(line.strip())] for line in lines], None


def _unquoted(cell: str) -> str:
    inner = cell[1:-1]
    is_quoted = (
        len(cell) > 1 and cell.startswith('"') and cell.endswith('"') and '"' not in inner.replace('""', "")
    )
    return inner.replace('""', '"') if is_quoted else cell


def _of_csv(text: str, separator: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows = [row for row in reader if any(cell.strip() for cell in row)]
    return [row for row in rows if not row[0].lstrip().startswith("#")]


def _of_one_width(rows: list[list[str]]) -> list[list[str]] | None:
    """Rows that are equally long, or are so but for what programs do; None for others."""
    widths = {len(row) for row in rows}
    if len(widths) == 1:
        return rows
    first = len(rows[0]) if rows else 0
    if {len(row) for row in rows[1:]} == {first + 1} and first > 1:
        if not any(row[-1].strip() for row in rows[1:]):
            # A separator at the end of each row.
            return [rows[0], *(row[:-1] for row in rows[1:])]
        # R names the columns and not the index.
        return [["", *rows[0]], *rows[1:]]
    return None


# -- header --------------------------------------------------------------------------------------------


def split_header(cells: Cells, n_rows: int | None = None) -> tuple[list[str] | None, list[list[str]]]:
    """The header of a table of numbers, None where it has none, and the other rows."""
    first, others = cells.rows[0], cells.rows[1:]
    if not all(is_number(cell) or cell.strip().lower() in MISSING for cell in first):
        return first, others
    counted = [cell.strip() for cell in first] == [str(i) for i in range(len(first))]
    if counted and n_rows is not None and len(others) == n_rows:
        return first, others
    # ",0,1,2": pandas numbers the columns and leaves the index without a name.
    numbered = first[0].strip() == "" and [c.strip() for c in first[1:]] == [
        str(i) for i in range(len(first) - 1)
    ]
    if numbered and len(first) > 1 and others and all(row[0].strip() for row in others):
        return first, others
    return None, cells.rows


def is_number(cell: str) -> bool:
    """Whether a cell is a number, as programs write them (Python's own ``1_000`` is none)."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _is_index(header: Sequence[str], column: Sequence[str]) -> bool:
    if len(header) < 2:
        return False
    counts = [cell.strip() for cell in column] == [str(i) for i in range(len(column))]
    return counts or (header[0].strip() == "" and all(cell.strip() for cell in column))


def _told_apart(names: Sequence[str]) -> list[str]:
    """Names that repeat, numbered as pandas does."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        number = seen.get(name, 0)
        seen[name] = number + 1
        found.append(f"{name}.{number}" if number else name)
    return found


def _numbers_or_text(column: Sequence[str]) -> list[float] | list[int] | list[str]:
    is_missing = [cell.strip().lower() in MISSING for cell in column]
    if all(missing or is_number(cell) for cell, missing in zip(column, is_missing, strict=True)):
        values = [
            np.nan if missing else float(cell) for cell, missing in zip(column, is_missing, strict=True)
        ]
        # Beyond this a float is not the number that is written.
        if column and all(cell.strip().lstrip("+-").isdecimal() and len(cell) < 16 for cell in column):
            return [int(value) for value in values]
        return values
    return list(column)
