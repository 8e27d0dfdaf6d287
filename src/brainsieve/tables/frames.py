"""Data frames of any library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


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
    return pd.DataFrame({column: frame[column].to_numpy() for column in frame.columns})
