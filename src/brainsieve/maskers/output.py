"""From arrays to what users get, and back: dtypes, data frames, and the shapes of 3-D and 4-D images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def final_dtype(values: NDArray, dtype: Any, names: Sequence[str], source_name: str) -> NDArray:
    """Cast signals; NaN has no integer, hence is refused there and not turned into a number.

    Raises
    ------
    ValueError
        If an integer dtype is asked for and a column is not finite.
    """
    dtype = np.dtype(dtype)
    if values.dtype == dtype:
        return values
    if dtype.kind in "iu":
        bad = np.flatnonzero(~np.isfinite(values).all(axis=0))
        if len(bad):
            raise ValueError(
                f"{source_name}: dtype={dtype} cannot hold NaN or infinity, which "
                f"{len(bad)} columns have (the first is {names[int(bad[0])]!r}); ask for a floating dtype."
            )
    return values.astype(dtype)


def as_container(masker: Any, signals: NDArray, names: Callable[[], Any]) -> Any:
    """Signals as the array, pandas or polars data frame that `set_output` asks for."""
    kind = output_kind(masker)
    if kind == "default":
        return signals
    table = np.atleast_2d(signals)
    columns = [str(name) for name in names()]
    if kind == "pandas":
        import pandas as pd

        return pd.DataFrame(table, columns=columns, copy=False)
    import polars as pl

    return pl.DataFrame(table, schema=_distinct(columns), orient="row")


def output_kind(masker: Any) -> str:
    """ "default", "pandas" or "polars": the masker's own choice, else scikit-learn's global one."""
    from sklearn import get_config

    own = getattr(masker, "_sklearn_output_config", {}).get("transform")
    return str(own or get_config()["transform_output"])


def _distinct(columns: list[str]) -> list[str]:
    """Polars refuses columns of one name: number the later ones."""
    seen: dict[str, int] = {}
    distinct = []
    for column in columns:
        seen[column] = seen.get(column, 0) + 1
        distinct.append(column if seen[column] == 1 else f"{column}_{seen[column]}")
    return distinct


def container_rows(signals: Any, n_features: int, name: str) -> NDArray:
    """Signals given to `inverse_transform`, as an array of shape (n_features,) or (n_samples, n_features).

    A data frame of one row is one sample, hence gives a 3-D image, as the one that `transform` makes of one.

    Raises
    ------
    TypeError
        If it is no array of numbers.
    ValueError
        If it has another width or number of dimensions.
    """
    is_frame = hasattr(signals, "columns")
    values = np.asarray(signals.to_numpy() if is_frame else signals)
    if values.dtype == object or values.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers; its dtype is {values.dtype}.")
    if values.ndim not in (1, 2):
        raise ValueError(
            f"{name} must have shape ({n_features},) or (n_samples, {n_features}); it has shape {values.shape}."
        )
    if values.shape[-1] != n_features:
        raise ValueError(
            f"{name} has {values.shape[-1]} columns (shape {values.shape}); this masker has {n_features}: "
            f"expected shape ({n_features},) or (n_samples, {n_features})."
        )
    return values[0] if is_frame and len(values) == 1 else values
