"""Tables of labels: what regions are called, in the files of surfaces and in text."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.files import regular_file
from brainsieve.logs import warn
from brainsieve.surface.freesurfer import freesurfer_annotation
from brainsieve.surface.gifti import Row, read_gifti
from brainsieve.tables import read_lut
from brainsieve.tables.lookup import calls_no_region

if TYPE_CHECKING:
    import pandas as pd

Path = str | os.PathLike[str]
SIDES = ("left", "right")
# What Workbench calls the label of points that have none.
UNASSIGNED = "???"


def read_label_table(path: Path | Sequence[Path] | Mapping[str, Path]) -> pd.DataFrame:
    """Names and colours of labels, from the files of one hemisphere or of both.

    Parameters
    ----------
    path : path, pair of paths (left, right), or dict with "left" and "right"
        ``.label.gii`` or ``.annot``, or a text table as the `lut` of the labels maskers.

    Returns
    -------
    table : pandas.DataFrame
        ``index`` (the values that `load_surf_data` gives), ``name`` and, where there are colours, ``color``
        (RRGGBB); what the `lut` of the labels maskers takes. Of two hemispheres: the rows of both; a name that
        stands for different ids in the two is told apart by ``L_`` and ``R_`` before it.

    Raises
    ------
    ValueError
        If a file has no label table.
    """
    if isinstance(path, Mapping):
        tables = {part: _table_of_file(own) for part, own in path.items()}
    elif isinstance(path, list | tuple):
        if len(path) != len(SIDES):
            raise ValueError(f"Tables of two hemispheres are a pair (left, right); {len(path)} were given.")
        tables = {part: _table_of_file(own) for part, own in zip(SIDES, path, strict=True)}
    else:
        return _table_of_file(path)  # type: ignore[arg-type]
    joined = joined_tables(tables)
    if joined is None:
        raise ValueError("No file of labels was given.")
    return joined


def table_of_rows(rows: Sequence[Row]) -> pd.DataFrame | None:
    """Rows of a file's own table as a data frame; None where there are none."""
    if not rows:
        return None
    import pandas as pd  # half a second, for files that have a table only

    return pd.DataFrame(rows, columns=["index", "name", "color"])


def _table_of_file(path: Path) -> pd.DataFrame:
    file = regular_file(path, "a file of labels")
    name = file.lower()
    if name.removesuffix(".gz").endswith(".annot"):
        table = table_of_rows(freesurfer_annotation(file)[1])
    elif name.endswith((".gii", ".gii.gz")):
        table = table_of_rows(read_gifti(file).labels)
    else:
        return read_lut(file)
    if table is None:
        raise ValueError(f"{file} has no label table.")
    return table


def joined_tables(tables: Mapping[str, pd.DataFrame | None]) -> pd.DataFrame | None:
    """Tables of hemispheres as one, by the part that each is of; None where there is none.

    An id in both is one region: where its names differ a warning says so, and the first is taken. A name of
    different ids in both is told apart by its hemisphere.
    """
    import pandas as pd

    given = {part: table for part, table in tables.items() if table is not None}
    if not given:
        return None
    whole = pd.concat(
        [table.assign(side=part[0].upper()) for part, table in given.items()], ignore_index=True
    )
    whole = whole.drop_duplicates(["index", "name"])
    twice = whole[whole["index"].duplicated(keep=False)]
    if len(twice):
        names = ", ".join(
            f"{i}: {' and '.join(map(repr, rows['name']))}" for i, rows in list(twice.groupby("index"))[:5]
        )
        warn(
            f"{twice['index'].nunique()} ids have different names in the hemispheres ({names}); each is one region, "
            "with the name of the first.",
        )
    whole = whole.drop_duplicates("index").reset_index(drop=True)
    sides = whole.groupby("name")["side"].transform("nunique")
    whole["name"] = np.where(sides > 1, whole["side"] + "_" + whole["name"], whole["name"])
    return whole.drop(columns="side")


def own_background(
    values: NDArray, table: pd.DataFrame | None, background_label: float = 0
) -> tuple[NDArray, float]:
    """Labels in which everything that a file's own table does not call a region is the background.

    Parameters
    ----------
    values : array of shape (n_points,)
        Keys.
    table : pandas.DataFrame or None
        The table of the file: ``index`` and ``name``.
    background_label : number, default=0
        0, the default, is a region where the table gives it a region's name; another number never is.

    Returns
    -------
    values : array of shape (n_points,)
    background : number
        The key called "???" if 0 is a region, or one that the table does not have.

    Notes
    -----
    As in ``wb_command -cifti-parcellate``: points with the label "???" or a key that is not in the table belong to
    no region; a warning counts the latter.
    """
    if table is None:
        return values, background_label
    names = {int(key): str(name) for key, name in zip(table["index"], table["name"], strict=True)}
    unassigned = {key: name for key, name in names.items() if name.strip() == UNASSIGNED}
    background = background_label
    # A table of numbers for names does not tell.
    if background_label == 0 and 0 in names and names[0].strip() != "0" and not calls_no_region(names[0]):
        background = next(iter(unassigned), min(-1, min(names) - 1))
    regions = np.array([key for key in names if key not in unassigned and key != background])
    outside = ~np.isin(values, regions)
    # 0 and -1 are what files write where there is no label.
    strange = np.unique(values[outside & ~np.isin(values, [0, -1, background_label, *unassigned])])
    if len(strange):
        listed = ", ".join(str(key) for key in strange[:5].tolist()) + (" …" if len(strange) > 5 else "")
        warn(
            f"labels_img: its table has no row for {len(strange)} of its keys ({listed}); "
            "they are left out, as background."
        )
    # The background may be -1, which unsigned keys do not have.
    if values.dtype.kind == "u":
        values = values.astype(np.int64)
    return np.where(outside, values.dtype.type(background), values), background


def rows_to_write(values: NDArray, lut: Any) -> list[tuple[int, str, tuple[int, int, int]]]:
    """Key, name and colour of each label in a table, or of those that there are.

    Raises
    ------
    ValueError
        If the table lacks one of the values.
    """
    keys = [int(key) for key in np.unique(values)]
    if lut is None:
        # Never black: in FreeSurfer's annotations that is no label.
        return [(key, str(key), (37 * key % 255 + 1, 101 * key % 256, 197 * key % 256)) for key in keys]
    table = read_lut(lut)
    colours = table["color"] if "color" in table.columns else ["808080"] * len(table)
    rows = [
        (int(key), str(name), _rgb(colour, str(name)))
        for key, name, colour in zip(table["index"], table["name"], colours, strict=True)
    ]
    missing = sorted(set(keys) - {key for key, _, _ in rows})
    if missing:
        raise ValueError(f"lut has no row for the labels {missing[:8]} in the values.")
    return rows


def _rgb(colour: Any, name: str) -> tuple[int, int, int]:
    text = str(colour).strip().lstrip("#")
    try:
        red, green, blue = bytes.fromhex(text[:6])
    except ValueError:
        raise ValueError(f"lut: the colour of {name!r} is {colour!r}; RRGGBB was expected.") from None
    return red, green, blue
