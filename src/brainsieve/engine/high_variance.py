"""High-variance components of a source: two passes, and nothing held but the series that vary most."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.extract import Request, extract
from brainsieve.engine.sinks import precision
from brainsieve.engine.source.base import Source
from brainsieve.engine.source.values import streamed
from brainsieve.engine.spatial.select import Select
from brainsieve.engine.temporal.detrend import detrended
from brainsieve.engine.temporal.high_variance import Power, components_of, most_variable
from brainsieve.engine.temporal.operator import CleaningSettings, plan_cleaning
from brainsieve.engine.temporal.standardize import constant_share
from brainsieve.engine.threads import single_threaded_blas


def streamed_high_variance(
    source: Source,
    kept: NDArray[np.intp],
    n_confounds: int = 5,
    percentile: float = 2.0,
    detrend: bool = True,
    points: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """High-variance components of a source, from two passes over it.

    Parameters
    ----------
    source : Source
    kept : array of int, sorted
        Samples that count; the rows of the others are 0 in the result.
    n_confounds : int, default=5
    percentile : float, default=2.0
        The share of points, in percent, that are the most variable.
    detrend : bool, default=True
        Remove linear trends first.
    points : array of bool, shape (n_points,), optional
        Points that count. Default: all that are finite in every sample.

    Returns
    -------
    components : array of shape (n_samples, n_confounds)
        With fewer columns, and a warning, where so many are not there.

    Raises
    ------
    ValueError
        If no point is finite in every sample, or none varies.
    """
    sums = Power(len(kept), source.domain.n_points, detrend)
    # A sample at a time where samples are whole: float64 copies of blocks would take many times their memory.
    at_once = source.n_samples if source.points_first else 1
    with streamed(source, kept) as blocks:
        for block in blocks:
            for start in range(0, len(block.values), at_once):
                rows = slice(
                    block.rows.start + start, min(block.rows.start + start + at_once, block.rows.stop)
                )
                values = block.values[start : start + at_once].astype(np.float64, copy=False)
                with np.errstate(invalid="ignore"):
                    sums.add(rows, block.points, values)
    with np.errstate(invalid="ignore"):
        power, varies = sums.mean_squares(constant_share(precision(source)))
    if points is not None:
        power[~points] = np.nan
    chosen = np.flatnonzero(most_variable(power, varies, percentile))
    of_kept = plan_cleaning(source.n_samples, CleaningSettings(), sample_mask=kept, name=source.name)
    series = extract(source, [Request(Select(chosen, source.domain.n_points), of_kept)])[0].values
    with single_threaded_blas():
        found = components_of(detrended(series) if detrend else series, n_confounds)
    components = np.zeros((source.n_samples, found.shape[1]))
    components[kept] = found
    return components
