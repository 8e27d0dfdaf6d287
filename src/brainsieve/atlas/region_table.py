"""Names of regions: the table that joins ids in a label image with names and look-up tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from brainsieve.logs import warn
from brainsieve.tables import names_in_order, read_lut
from brainsieve.tables.lookup import calls_no_region

if TYPE_CHECKING:
    import pandas as pd

UNKNOWN = "unknown"
BACKGROUND = "Background"
N_LISTED = 8


def region_table(
    ids: NDArray,
    background_label: float,
    has_background: bool,
    labels: Any = None,
    lut: Any = None,
) -> pd.DataFrame:
    """One row for each id in a label image, sorted by id.

    Parameters
    ----------
    ids : array of shape (n_regions,)
        Ids in the image, ascending, without the background.
    background_label : number
    has_background : bool
        Whether the background's value is in the image; it then has a row.
    labels : list of str, optional
        Names in the order of `ids`; the background may be the first.
    lut : data frame or path, optional
        Table with columns `index` and `name`.

    Returns
    -------
    table : pandas.DataFrame
        With columns `index`, `name`, and what else `lut` has.

    Raises
    ------
    TypeError, ValueError
        If `labels` is no list of str, or both `labels` and `lut` are given.
    """
    import pandas as pd

    if labels is not None and lut is not None:
        raise ValueError("Give either labels or lut, not both: each names the regions.")
    if lut is not None:
        in_order = names_in_order(lut)
        if in_order is not None:
            # A list of names without ids is meant as `labels` is.
            lut, labels = None, in_order
    if lut is not None:
        given = read_lut(lut)
        table = _from_lut(ids, given)
        if background_label == 0:
            _warn_of_shift(ids, given)
    else:
        names = [str(i) for i in ids.tolist()] if labels is None else _checked_labels(labels, ids)
        table = pd.DataFrame({"index": ids, "name": names})
    if has_background and not (table["index"] == background_label).any():
        # In the dtype of the ids: beside a Python number pandas would make a column of objects.
        background = {"index": [ids.dtype.type(background_label)], "name": [BACKGROUND]}
        if "color" in table.columns:
            background["color"] = ["FFFFFF"]
        table = pd.concat([table, pd.DataFrame(background)], ignore_index=True)
    table = table.sort_values("index", kind="stable", ignore_index=True)
    _warn_of_duplicates(table["name"].tolist())
    return table


def _checked_labels(labels: Any, ids: NDArray) -> list[str]:
    if not isinstance(labels, list | tuple) or not all(isinstance(name, str) for name in labels):
        bad = (
            next((name for name in labels if not isinstance(name, str)), labels)
            if isinstance(labels, list | tuple)
            else labels
        )
        raise TypeError(f"labels must be a list of str; {bad!r} ({type(bad).__name__}) was found.")
    names = list(labels)
    if names and names[0].lower() == "background":
        names = names[1:]
    if len(names) < len(ids):
        without = ids[len(names) :].tolist()
        warn(
            f"labels has {len(names)} names for {len(ids)} regions in labels_img; the regions with ids "
            f"{_some(without)} are called {UNKNOWN!r}.",
        )
        names += [UNKNOWN] * len(without)
    elif len(names) > len(ids):
        warn(
            f"labels has {len(names)} names for {len(ids)} regions in labels_img (ids {_some(ids.tolist())}); "
            f"the last are left out: {_some(names[len(ids) :])}.",
        )
        names = names[: len(ids)]
    return names


def _from_lut(ids: NDArray, given: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    repeated = given["index"][given["index"].duplicated()].tolist()
    if repeated:
        warn(
            f"lut has several rows for the ids {_some(repeated)}; the first of each is used.",
        )
        given = given.drop_duplicates("index")
    table = pd.DataFrame({"index": ids}).merge(given, on="index", how="left")
    unnamed = table["name"].isna() | (table["name"] == "")
    if unnamed.any():
        warn(
            f"lut has no name for the ids {_some(table['index'][unnamed].tolist())} of labels_img; "
            f"they are called {UNKNOWN!r}.",
        )
    table["name"] = table["name"].mask(unnamed, UNKNOWN)
    return table


def _warn_of_shift(ids: NDArray, given: pd.DataFrame) -> None:
    """Suspect aloud a table that counts regions from 0 where the image counts from 1."""
    at_zero = given["name"][given["index"] == 0].tolist()
    if not at_zero or calls_no_region(at_zero[0]) or at_zero[0].strip() == "0":  # no name but its number
        return
    warn(
        f"lut calls 0 {at_zero[0]!r}, but 0 is the background of labels_img, whose ids run from {ids.min()} to "
        f"{ids.max()}. Does the table count from 0? Then each region has the name of the one after it: add 1 to "
        "its index.",
    )


def _warn_of_duplicates(names: Sequence[str]) -> None:
    repeated = sorted(name for name, count in Counter(names).items() if count > 1 and name != UNKNOWN)
    if repeated:
        warn(
            f"Several regions have the same name, hence several columns will: {_some(repeated)}.",
        )


def _some(items: Sequence[Any]) -> str:
    text = ", ".join(str(item) for item in items[:N_LISTED])
    return text if len(items) <= N_LISTED else f"{text} and {len(items) - N_LISTED} more"
