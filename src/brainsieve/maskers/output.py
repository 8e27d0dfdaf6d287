"""From arrays to what users get, and back: dtypes, data frames, and the shapes of 3-D and 4-D images."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.atlas import Atlas, Maps
from brainsieve.atlas.base import listed
from brainsieve.engine.source.base import Source
from brainsieve.image.headers import cast, fits
from brainsieve.logs import warn
from brainsieve.tables import distinct

# -- dtypes of signals where none is asked for: the peer's, class by class -------------------------------------


def of_voxels(source: Source, atlas: Atlas) -> np.dtype:
    """float32 for float32 and unscaled integers of any width, else float64."""
    wide = source.dtype.itemsize > 4 if source.dtype.kind == "f" else source.is_scaled
    return np.dtype(np.float64 if wide else np.float32)


def of_regions(source: Source, atlas: Atlas) -> np.dtype:
    """float32 for floats of at most 32 bits alone."""
    return np.dtype(np.float32 if source.dtype in (np.float32, np.float16) else np.float64)


def of_spheres(source: Source, atlas: Atlas) -> np.dtype:
    """float32 for floats and unscaled integers of at most 32 bits."""
    # Scaled integers are computed in float64, whatever their width.
    narrow = source.dtype.itemsize <= 4 and not (source.is_scaled and source.dtype.kind != "f")
    return np.dtype(np.float32 if narrow else np.float64)


def of_maps(source: Source, atlas: Atlas) -> np.dtype:
    """As `of_spheres`, unless the weights are wider."""
    assert isinstance(atlas, Maps)
    return np.result_type(of_spheres(source, atlas), atlas.weights.dtype)


def of_grayordinate_maps(source: Source, atlas: Atlas) -> np.dtype:
    """As `of_regions`, unless the weights are wider."""
    assert isinstance(atlas, Maps)
    return np.result_type(of_regions(source, atlas), atlas.weights.dtype)


def of_vertices(source: Source, atlas: Atlas) -> np.dtype:
    return np.dtype(np.float64)


def of_surface_maps(source: Source, atlas: Atlas) -> np.dtype:
    """float32 where the weights are, as they were given: whole numbers are exact in float64."""
    assert isinstance(atlas, Maps)
    return np.dtype(np.float32 if atlas.weights.dtype == np.float32 and atlas.as_given else np.float64)


# What is nearer to a whole number than sums of thousands of voxels are exact, relative to its size, is that number.
ROUNDING = 1e-9


def final_dtype(
    values: NDArray, dtype: Any, names: Sequence[str], source_name: str, auto: bool = False
) -> NDArray:
    """Cast signals; fractions are cut off, as NumPy does it.

    NaN, and what is beyond the ends of an integer dtype, is refused there and not turned into another number; where
    `auto` chose the dtype, what it does not hold becomes float32.

    Raises
    ------
    ValueError
        If an integer dtype is asked for and does not hold the values.
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
        if auto and not fits(values, dtype):
            return values.astype(np.float32)
        if values.dtype.kind == "f":
            # The mean of equal voxels may be 5.999999999999998, which would be cut to 5.
            for row in values:  # one by one: voxels of a run fill the memory already
                whole = np.rint(row)
                near = np.abs(row - whole) <= ROUNDING * np.maximum(np.abs(whole), 1)
                np.copyto(row, whole, where=near)
    return cast(values, dtype, f"{source_name}: dtype")


def as_container(masker: Any, signals: Any, names: Callable[[], Any]) -> Any:
    """Signals as the array, pandas or polars data frame that `set_output` asks for."""
    kind = output_kind(masker)
    if kind == "default" or not isinstance(signals, np.ndarray):
        return signals
    table = np.atleast_2d(signals)
    columns = [str(name) for name in names()]
    if len(columns) != table.shape[1]:
        # A subclass may make other columns than the masker that it derives from.
        columns = [f"{type(masker).__name__.lower()}{i}" for i in range(table.shape[1])]
    if kind == "pandas":
        import pandas as pd

        return pd.DataFrame(table, columns=columns, copy=False)
    import polars as pl  # it refuses columns of one name

    return pl.DataFrame(table, schema=distinct(columns), orient="row")


def output_kind(masker: Any) -> str:
    """ "default", "pandas" or "polars": the masker's own choice, else scikit-learn's global one."""
    from sklearn import get_config

    own = getattr(masker, "_sklearn_output_config", {}).get("transform")
    return str(own or get_config()["transform_output"])


def container_rows(signals: Any, names: Sequence[str], name: str) -> NDArray:
    """Signals given to `inverse_transform`, as an array of shape (n_features,) or (n_samples, n_features).

    A data frame of one row is one sample, hence gives a 3-D image, as the one that `transform` makes of one. One
    whose columns have the masker's names in another order is put in order.

    Raises
    ------
    TypeError
        If it is no array of numbers.
    ValueError
        If it has another width or number of dimensions, or columns of other names.
    """
    is_frame = hasattr(signals, "columns")
    values = np.asarray(signals.to_numpy() if is_frame else signals)
    n_features = len(names)
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
    if not is_frame:
        return values
    values = _in_order(values, [str(column) for column in signals.columns], names, name)
    return values[0] if len(values) == 1 else values


def _in_order(values: NDArray, columns: list[str], names: Sequence[str], name: str) -> NDArray:
    wanted = [str(each) for each in names]
    # Polars has no two columns of one name: what `transform` gave it is numbered.
    if columns in (wanted, distinct(wanted)) or columns == [str(i) for i in range(len(columns))]:
        return values
    if sorted(columns) != sorted(wanted) or len(set(columns)) < len(columns):
        unknown = [column for column in columns if column not in set(wanted)]
        what = f"the columns {listed(unknown)}" if unknown else "columns whose names repeat, in another order"
        raise ValueError(
            f"{name} is a data frame with {what}, which this masker does not have; its columns are "
            f"{listed(wanted)}. Give them by these names, or the bare array (frame.to_numpy())."
        )
    position = {column: i for i, column in enumerate(columns)}
    return values[:, [position[column] for column in wanted]]


def inverse_dtype(dtype: Any, signals: NDArray, name: str) -> np.dtype:
    """The dtype of an image made of signals: theirs, unless the masker's `dtype` says otherwise."""
    if isinstance(dtype, str) and dtype == "auto":
        whole = signals.dtype.kind == "i" and fits(signals, np.dtype(np.int32))
        return np.dtype(np.int32 if whole else np.float32)
    if dtype is not None:
        return np.dtype(dtype)
    if signals.dtype == np.int64:
        warn(
            f"{name} is int64, which few programs read from images; the image is int32 where its values fit."
        )
    return signals.dtype if signals.dtype != np.float16 else np.dtype(np.float32)


def is_one_file(one: Any, other: Any) -> bool:
    """Whether two images are the same object, or paths of one file."""
    paths = [os.path.realpath(img) for img in (one, other) if isinstance(img, str | os.PathLike)]
    return one is other or (len(paths) == 2 and paths[0] == paths[1])


def as_numbers(values: NDArray, name: str) -> NDArray:
    """Booleans as int32, which images can hold, with a warning."""
    if values.dtype != bool:
        return values
    warn(f"{name} is boolean; it is converted to int32, which images can hold.")
    return values.astype(np.int32)
