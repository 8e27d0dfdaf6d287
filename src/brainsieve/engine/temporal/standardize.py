"""Standardizing series, and telling a constant series from rounding noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from brainsieve.logs import warn

# A series whose spread after cleaning is a smaller share of what it was is constant, by the digits of the data.
CONSTANT_SHARE = {4: 1e-6, 8: 1e-10}
# The mean counts as removed by cleaning where less than this share is left of it, on average over columns.
MEAN_REMOVED = 0.1
EPS = float(np.finfo(np.float64).eps)


def constant_share(precision: np.dtype | type) -> float:
    """The share for data of float32 (or less) and float64."""
    return CONSTANT_SHARE[4 if np.dtype(precision).itemsize <= 4 else 8]


def flatten_constants(series: NDArray, size: NDArray, share: float) -> NDArray[np.bool_]:
    """Put the exact constant, in place, where what varies is rounding; returns which columns.

    Parameters
    ----------
    series : array of shape (n_samples, n_series)
    size : array of shape (n_series,)
        |mean| + standard deviation before cleaning.
    share : float
        See `constant_share`; infinite where every series is known to be constant.
    """
    n_samples = len(series)
    mean = series.mean(axis=0)
    if np.isinf(share):
        series[...] = np.where(np.abs(mean) <= CONSTANT_SHARE[8] * size, 0, mean)
        return np.ones(len(mean), dtype=bool)
    spread = np.sqrt(np.maximum(np.einsum("ij,ij->j", series, series) / n_samples - mean**2, 0))
    # The difference above rounds: look closely where it says "maybe".
    maybe = np.flatnonzero(spread <= np.maximum(share, 1e-7) * (size + np.abs(mean)))
    spread[maybe] = series[:, maybe].std(axis=0)
    constant = spread <= share * size
    if constant.any():
        left = mean[constant]
        left[np.abs(left) <= share * size[constant]] = 0
        series[:, constant] = left
    return constant


def zscore(series: NDArray, constant: NDArray[np.bool_], centred: bool = False) -> None:
    """(x − mean) / std with ddof 1, in place; 0 where the series is constant."""
    if not centred:
        series -= series.mean(axis=0)
    spread = np.sqrt(np.einsum("ij,ij->j", series, series) / (len(series) - 1))
    spread[constant | (spread < EPS)] = np.inf
    series /= spread


def percent_change(
    series: NDArray, mean_before: NDArray, mean_removed: bool, size: NDArray, share: float
) -> int:
    """100 (x − mean) / |mean|, in place, with the mean before cleaning if cleaning removed it.

    Where the mean is 0, or what rounding leaves of 0 (less than `share` of `size`, see `flatten_constants`),
    the result is 0: divided by rounding it would be a number without meaning. Returns how many series these
    are.
    """
    mean = series.mean(axis=0)
    reference = np.abs(mean + mean_before if mean_removed else mean)
    undefined = reference <= np.maximum(share * size, EPS)
    reference[undefined] = np.inf
    series -= mean
    series *= 100.0 / reference
    return int(undefined.sum())


def warn_of_zero_means(n_undefined: int) -> None:
    if n_undefined:
        warn(
            f"standardize='psc': {n_undefined} series have a mean of 0; their percent signal change is "
            "not defined and set to 0. Was their mean removed before?",
        )
