"""Data frames of any library, and names of columns that tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

UNNAMED = "unnamed"


def as_pandas(table: Any) -> pd.DataFrame:
    """A data frame of any library that narwhals knows, as one of pandas.

    Raises
    ------
    TypeError
        If it is no data frame.
    """
    import narwhals.stable.v1 as nw
    import pandas as pd

    if isinstance(table, pd.DataFrame):
        return table
    if isinstance(table, pd.Series):
        return table.to_frame()
    try:
        frame = nw.from_native(table, allow_series=True)
    except TypeError:
        raise TypeError(f"{type(table).__name__} is no data frame that is known here.") from None
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if isinstance(frame, nw.Series):
        frame = frame.to_frame()
    # Column by column: narwhals' own way to pandas needs pyarrow for polars.
    return pd.DataFrame({column: frame[column].to_numpy() for column in frame.columns})


def distinct(names: Sequence[str]) -> list[str]:
    """Number the second and later ones of equal names: a table with two columns of one name misleads.

    A name that is empty is ``unnamed``: readers of tables make one up otherwise.
    """
    names = [name or UNNAMED for name in names]
    taken, seen = set(names), set[str]()
    # Where to go on counting: from 2 each time, a table of one name takes minutes.
    last: dict[str, int] = {}
    result = []
    for name in names:
        unique, number = name, last.get(name, 1)
        while unique in seen or (number > 1 and unique in taken):
            number += 1
            unique = f"{name}_{number}"
        last[name] = number
        seen.add(unique)
        result.append(unique)
    return result
