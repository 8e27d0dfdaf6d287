"""Tables that the package writes: TSV, CSV or Parquet by suffix, whole or not at all."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from brainsieve.tables.frames import distinct
from brainsieve.whole_files import replacing

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

SUFFIXES = (".tsv", ".csv", ".parquet")
# Ten digits: more than any scanner has, half the bytes of float64 written out in full.
FLOAT_FORMAT = "%.10g"
# As BIDS writes a value that is not there.
MISSING = "n/a"


def checked_table_path(path: str | os.PathLike) -> Path:
    """The path of a table that can be written, checked before any work is done.

    Raises
    ------
    ValueError
        If the suffix is none that is known, or the folder is missing or cannot be written to.
    ImportError
        If the suffix is ``.parquet`` and pyarrow is not installed.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"{str(path)!r}: the suffix tells the kind of table; it must be one of {', '.join(SUFFIXES)}."
        )
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a folder; give the name of a file.")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ValueError(f"{str(path)!r}: the folder {str(folder)!r} does not exist; make it first.")
    if not os.access(folder, os.W_OK):
        raise ValueError(f"{str(path)!r}: the folder {str(folder)!r} cannot be written to.")
    if path.suffix.lower() == ".parquet":
        _check_parquet(path)
    return path


def write_table(frame: pd.DataFrame, path: str | os.PathLike, index_label: str | None = None) -> None:
    """Write a data frame by the suffix of a path.

    Parameters
    ----------
    frame : pandas.DataFrame
        Text files get ten digits of a number, and ``n/a`` where one is missing.
    path : path
        Ending in ``.tsv``, ``.csv`` or ``.parquet``. The file appears when it is complete.
    index_label : str, optional
        Header of the index, which is written only if this is given.
    """
    with replacing(checked_table_path(path)) as unfinished:
        put_table(frame, unfinished, index_label)


def put_table(frame: pd.DataFrame, path: Path, index_label: str | None = None) -> None:
    """Write a data frame as `write_table` does, straight to a path that was checked."""
    if path.suffix.lower() == ".parquet":
        frame.to_parquet(path, index=index_label is not None)
        return
    text = _text(frame, "\t" if path.suffix.lower() == ".tsv" else ",", index_label)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))


def _text(frame: pd.DataFrame, separator: str, index_label: str | None) -> str:
    """A data frame as text that `pandas.read_csv` reads back the same, whatever its names are."""
    if len(frame.columns) and all(getattr(dtype, "kind", "") == "f" for dtype in frame.dtypes):
        return _csv(frame.iloc[:0], separator, index_label) + _rows(frame, separator, index_label is not None)
    return _csv(frame, separator, index_label)


def _rows(frame: pd.DataFrame, separator: str, with_index: bool) -> str:
    """Rows of numbers alone, as `_csv` writes them and ten times as fast: a matrix of regions has many cells."""
    values = frame.to_numpy(dtype=np.float64)
    whole_row = separator.join([FLOAT_FORMAT] * values.shape[1])
    rows = [whole_row % tuple(row) for row in values.tolist()]
    for number in np.flatnonzero(np.isnan(values).any(axis=1)):
        cells = (MISSING if np.isnan(value) else FLOAT_FORMAT % value for value in values[number].tolist())
        rows[number] = separator.join(cells)
    if with_index:
        names = [_csv_cell(name, separator) for name in frame.index]
        rows = [f"{name}{separator}{row}" for name, row in zip(names, rows, strict=True)]
    return "".join(f"{row}\n" for row in rows)


def _csv_cell(value: Any, separator: str) -> str:
    cell = io.StringIO(newline="")
    csv.writer(cell, delimiter=separator, lineterminator="\r\n").writerow([value, ""])
    return cell.getvalue().removesuffix(f"{separator}\r\n")


def _csv(frame: pd.DataFrame, separator: str, index_label: str | None) -> str:
    lines = io.StringIO(newline="")
    frame.to_csv(
        # Of a field with any character of the line's end, the csv module puts quotation marks around: with \r\n
        # around those with either. The ends themselves are \n.
        _PlainEnds(lines),
        sep=separator,
        index=index_label is not None,
        index_label=index_label,
        float_format=FLOAT_FORMAT,
        na_rep=MISSING,
        lineterminator="\r\n",
    )
    return lines.getvalue()


class _PlainEnds(io.TextIOBase):
    """Writes rows that end in \\r\\n with \\n instead; the csv module writes each row whole."""

    def __init__(self, lines: io.StringIO) -> None:
        self._lines = lines

    def write(self, row: str) -> int:
        return self._lines.write(row.removesuffix("\r\n") + "\n")


def print_table(frame: pd.DataFrame, stream: BinaryIO) -> None:
    """Write a data frame as TSV to an open stream, in UTF-8 whatever the locale is."""
    stream.write(_text(frame, "\t", None).encode("utf-8", "surrogateescape"))
    stream.flush()


def frame_of(values: NDArray, names: Sequence[str]) -> pd.DataFrame:
    """Signals (n_samples, n_features) as a data frame whose columns have distinct names."""
    import pandas as pd

    return pd.DataFrame(np.atleast_2d(values), columns=distinct(names))


def _check_parquet(path: Path) -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise ImportError(
            f"{str(path)!r}: Parquet files need pyarrow; pip install 'brainsieve[cohort]', or write .tsv."
        ) from None
