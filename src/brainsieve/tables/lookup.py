"""Look-up tables of regions: ids, names and colours, as programs and people write them.

Known are tables with a header (BIDS ``dseg.tsv``, ``id,label``, ``Index,Name`` …), FreeSurfer's colour tables
(``FreeSurferColorLUT.txt``), ITK-SNAP's and Workbench's label lists, two columns without a header, and a list of names,
one a line. Names are text, whatever they look like.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.logs import warn
from brainsieve.tables.frames import as_pandas
from brainsieve.tables.text import Cells, is_number, read_cells

if TYPE_CHECKING:
    import pandas as pd

# What columns of ids and of names are called, the surest first; compared in lower case without marks between words.
ID_COLUMNS = tuple(
    "index id ids labelid regionid roiid parcelid labelindex roiindex indexid labelnumber key labelkey value "
    "labelvalue intensity no number num nr idx code roi parcel label region".split()
)
NAME_COLUMNS = tuple(
    "name labelname regionname roiname parcelname structurename structname fullname labels names label region roi "
    "parcel structure struct anatomy description abbreviation".split()
)
COLOUR_COLUMNS = ("color", "colour", "hex", "hexcolor", "rgb")
# Ids that interpolation or float32 moved are this near to what they were.
ALMOST_WHOLE = 1e-3
BACKGROUND_NAMES = {
    "background",
    "unknown",
    "???",
    "none",
    "clear label",
    "unassigned",
    "unlabeled",
    "unlabelled",
    "",
}

# id, name with spaces, then perhaps red, green, blue and alpha: FreeSurfer, and two columns between spaces.
SPACED = re.compile(r"\s*(-?\d+)\s+(\S.*?)(?:\s+(\d+)\s+(\d+)\s+(\d+)(?:\s+(\d+))?)?\s*")
ITK_SNAP = re.compile(r'\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+[\d.]+\s+[01]\s+[01]\s+"(.*)"\s*')
WORKBENCH = re.compile(r"\s*(-?\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+\d+\s*")


def read_lut(lut: Any) -> pd.DataFrame:
    """A look-up table of regions: `index` and `name`, and what other columns it has.

    Parameters
    ----------
    lut : data frame or path
        Columns may be called otherwise (``id``, ``label``, ``ROI``, …); a file may lack a header, see the module.
        A list of names, one a line, numbers them from 1.

    Returns
    -------
    table : pandas.DataFrame
        A copy: ``index`` (whole numbers where all are), ``name`` (str), and, from FreeSurfer's and similar files,
        ``color`` (RRGGBB).

    Raises
    ------
    TypeError
        If it is neither.
    ValueError
        If a column is missing, or an index is no number.
    """
    if isinstance(lut, str | os.PathLike):
        table, what = _from_file(lut), f"lut {os.fspath(lut)!r}"
    elif hasattr(lut, "columns"):
        table, what = _renamed(as_pandas(lut).copy(), "lut"), "lut"
    else:
        raise TypeError(f"lut must be a data frame or a path; {type(lut).__name__} was given.")
    return table.assign(
        index=whole_ids(_ids(table["index"], what), what),
        # A data frame may hold numbers for names, or nothing.
        name=[_text(name) for name in table["name"]],
    )


def _text(name: Any) -> str:
    if isinstance(name, str):
        return name
    # NaN is the one value that is not itself.
    return "" if name is None or name != name else str(name)


def names_in_order(lut: Any) -> list[str] | None:
    """The names in a file that is a list of names, one a line, without ids; None for all else."""
    if not isinstance(lut, str | os.PathLike):
        return None
    cells = read_cells(lut)
    if cells.n_columns != 1 or _by_lines(cells) is not None:
        return None
    return _names_of_list(cells)


def whole_ids(ids: NDArray, what: str) -> NDArray:
    """Ids that are almost whole numbers as whole ones, with a warning; others as they are.

    Parameters
    ----------
    ids : array of numbers
    what : str
        Whose ids these are, for the warning.
    """
    if ids.dtype.kind != "f":
        return ids
    rounded = np.round(ids)
    moved = (ids != rounded) & (np.abs(ids - rounded) < ALMOST_WHOLE)
    if moved.any():
        shown = ", ".join(f"{value:.10g}" for value in np.unique(ids[moved])[:3])
        warn(f"{what}: {int(moved.sum())} ids are not quite whole numbers ({shown}) and are rounded.")
        ids = np.where(moved, rounded, ids)
    return ids


def calls_no_region(name: str) -> bool:
    """Whether a name is one that tables give to what is no region."""
    plain = name.strip().lower()
    return (
        plain in BACKGROUND_NAMES or plain.startswith("background") or ("medial" in plain and "wall" in plain)
    )


def _ids(column: pd.Series, what: str) -> NDArray:
    """Numbers of a column: int64 where all are whole as they are written, else float64."""
    import pandas as pd

    index = pd.to_numeric(column, errors="coerce")
    bad = index.isna().to_numpy() | ~np.isfinite(index.to_numpy(dtype=np.float64, na_value=np.nan))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(f"{what}: the index in row {row} is no number: {column.iloc[row]!r}.")
    values = index.to_numpy()
    if (values.dtype.kind == "f" and (np.abs(values) >= 2.0**63).any()) or values.dtype == object:
        raise ValueError(
            f"{what}: an index needs more than 64 bits: {column.iloc[int(np.abs(values.astype(float)).argmax())]}."
        )
    if values.dtype.kind == "u":
        values = values.astype(np.int64)
    return values


# -- files ---------------------------------------------------------------------------------------------


def _from_file(path: str | os.PathLike[str]) -> pd.DataFrame:
    cells = read_cells(path)
    what = f"lut {os.fspath(path)!r}"
    by_lines = _by_lines(cells)
    if by_lines is not None:
        return _frame(["index", "name", "color"], by_lines)
    if cells.n_columns == 1:
        names = _names_of_list(cells)
        return _frame(["index", "name"], [[str(i), name] for i, name in enumerate(names, start=1)])
    first = cells.rows[0]
    if _header_of(first) is not None:
        return _renamed(_frame([name.strip() for name in first], cells.rows[1:]), what)
    commented = _commented_header(cells)
    if commented is not None:
        return _renamed(_frame(commented, cells.rows), what)
    return _without_header(cells, what)


def _by_lines(cells: Cells) -> list[list[str]] | None:
    """Rows (id, name, colour) of formats that are known line by line; None for others."""
    if cells.separator is not None and cells.separator != "\t":
        return None
    lines = [" ".join(row) for row in cells.rows] if cells.separator is None else None
    if lines is None:
        return None
    readers: tuple[Callable[[list[str]], list[list[str]] | None], ...] = (_itk_snap, _workbench, _spaced)
    return next((rows for rows in (reader(lines) for reader in readers) if rows is not None), None)


def _itk_snap(lines: list[str]) -> list[list[str]] | None:
    found = [ITK_SNAP.fullmatch(line) for line in lines]
    return [[m[1], m[5], _hex(m[2], m[3], m[4])] for m in found if m] if all(found) else None


def _workbench(lines: list[str]) -> list[list[str]] | None:
    """A name on one line; key, red, green, blue and alpha on the next."""
    found = [WORKBENCH.fullmatch(line) for line in lines[1::2]]
    if len(lines) % 2 or not all(found) or all(WORKBENCH.fullmatch(line) for line in lines[::2]):
        return None
    return [
        [m[1], name.strip(), _hex(m[2], m[3], m[4])] for name, m in zip(lines[::2], found, strict=True) if m
    ]


def _spaced(lines: list[str]) -> list[list[str]] | None:
    if _header_of(lines[0].split()) is not None:
        lines = lines[1:]
    found = [SPACED.fullmatch(line) for line in lines]
    # A second column of numbers is none of names.
    if not all(found) or all(is_number(m[2]) for m in found if m):
        return None
    return [[m[1], m[2].strip('"'), _hex(m[3], m[4], m[5]) if m[3] else ""] for m in found if m]


def _hex(*parts: str) -> str:
    return "".join(f"{min(int(part), 255):02X}" for part in parts)


def _names_of_list(cells: Cells) -> list[str]:
    names = [row[0].strip() for row in cells.rows]
    # A header is a word that no region is called by.
    return (
        names[1:]
        if len(names) > 1 and names[0].lower() in ("name", "names", "label", "labels", "region")
        else names
    )


def _commented_header(cells: Cells) -> list[str] | None:
    """A header that stands in a comment, as ``#id,label``."""
    for comment in reversed(cells.comments):
        names = comment.lstrip("# ").split(cells.separator)
        if len(names) == cells.n_columns and _header_of(names) is not None:
            return [name.strip() for name in names]
    return None


def _without_header(cells: Cells, what: str) -> pd.DataFrame:
    """Columns by what is in them: the first of numbers has the ids, the first of others the names."""
    columns = list(zip(*cells.rows, strict=True))
    numeric = [all(is_number(cell) for cell in column) for column in columns]
    if True not in numeric or False not in numeric:
        if not any(is_number(cell) for cell in cells.rows[0]):
            return _renamed(_frame(cells.rows[0], cells.rows[1:]), what)
        raise ValueError(
            f"{what} has the first row {', '.join(map(repr, cells.rows[0][:6]))}: neither a header with ids ('index') "
            "and names ('name') nor a column of numbers beside one of names."
        )
    names = [f"column {i}" for i in range(len(columns))]
    names[numeric.index(True)], names[numeric.index(False)] = "index", "name"
    return _frame(names, cells.rows)


def _frame(header: Sequence[str], rows: Sequence[Sequence[str]]) -> pd.DataFrame:
    import pandas as pd

    columns = (
        list(zip(*([cell.strip() for cell in row] for row in rows), strict=True))
        if rows
        else [()] * len(header)
    )
    # A colour that no row has is none.
    kept = [i for i, name in enumerate(header) if name != "color" or any(columns[i])]
    table = pd.DataFrame({i: list(columns[i]) for i in kept}, dtype=object)
    return table.set_axis([header[i] for i in kept], axis="columns")


# -- columns -------------------------------------------------------------------------------------------


def _plain(column: Any) -> str:
    return re.sub(r"[\s_\-.#:]+", "", str(column)).lower()


def _header_of(names: Sequence[Any]) -> tuple[int, int] | None:
    """Which columns have the ids and the names; None where the names of the columns do not tell."""
    plain = [_plain(name) for name in names]
    ids = [plain.index(name) for name in ID_COLUMNS if name in plain]
    for index in ids:
        found = [plain.index(name) for name in NAME_COLUMNS if name in plain and plain.index(name) != index]
        if found:
            return index, found[0]
    return None


def _renamed(table: pd.DataFrame, what: str) -> pd.DataFrame:
    """The columns of ids, names and colours under the names that they have here."""
    columns = list(table.columns)
    found = _header_of(columns)
    if found is None:
        plain = [_plain(column) for column in columns]
        lacks = [
            repr(name)
            for name, known in (("index", ID_COLUMNS), ("name", NAME_COLUMNS))
            if not any(own in known and not (name == "name" and own in ID_COLUMNS) for own in plain)
        ]
        raise ValueError(
            f"{what} has no column {' and no column '.join(lacks or [repr('name')])}; it has "
            f"{', '.join(map(repr, columns))}. A look-up table needs 'index' and 'name'."
        )
    own = {found[0]: "index", found[1]: "name"}
    colours = (i for i, column in enumerate(columns) if _plain(column) in COLOUR_COLUMNS and i not in own)
    own |= dict.fromkeys(itertools.islice(colours, 1), "color")
    taken = set(own.values())
    for i, column in enumerate(columns):
        # What stands in the way of a new name, or repeats another, keeps its own under another.
        while i not in own and column in taken:
            column = f"{column}_"
        columns[i] = own.get(i, column)
        taken.add(columns[i])
    table = table.set_axis(columns, axis="columns")
    if "color" not in table.columns:
        table = _with_colour(table)
    return table


def _with_colour(table: pd.DataFrame) -> pd.DataFrame:
    """RRGGBB from columns R, G and B of 0 to 255, where there are such."""
    plain = {_plain(column): column for column in table.columns}
    for names in (("r", "g", "b"), ("red", "green", "blue")):
        if all(name in plain for name in names):
            cells = [[str(cell).strip() for cell in table[plain[name]]] for name in names]
            if all(cell.isdecimal() for column in cells for cell in column):
                return table.assign(color=[_hex(*rgb) for rgb in zip(*cells, strict=True)])
    return table
