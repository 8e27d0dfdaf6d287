"""Components of the most variable points, to be regressed out like confounds.

What physiology and motion do to an image is largest where it varies most. After CompCor (Behzadi et al. 2007,
NeuroImage 37:90, doi:10.1016/j.neuroimage.2007.04.042).
"""

from __future__ import annotations

from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.source.base import Source
from brainsieve.engine.temporal.detrend import detrended


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
    kept : array of int
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
    """
    from brainsieve.engine.extract import Request, extract
    from brainsieve.engine.spatial.select import Select

    power = _power(source, kept, detrend)
    if points is not None:
        power[~points] = np.nan
    chosen = np.flatnonzero(most_variable(power, percentile))
    series = extract(source, [Request(Select(chosen, source.domain.n_points))])[0].values[kept]
    components = np.zeros((source.n_samples, n_confounds))
    found = components_of(detrended(series) if detrend else series, n_confounds)
    components[kept, : found.shape[1]] = found
    return components[:, : found.shape[1]]


def _power(source: Source, kept: NDArray[np.intp], detrend: bool) -> NDArray[np.float64]:
    """Mean square of each point's detrended series, in one pass; NaN where a sample is not finite."""
    n = len(kept)
    position = np.full(source.n_samples, -1, dtype=np.intp)
    position[kept] = np.arange(n)
    times = np.arange(n) - (n - 1) / 2
    n_points = source.domain.n_points
    # Sums are of deviations from the first sample: squares of large means would swallow small changes.
    first = np.full(n_points, np.nan)
    sums, squares, trends = (np.zeros(n_points) for _ in range(3))
    with closing(source.blocks(samples=kept)) as blocks:
        for block in blocks:
            for sample, row in zip(range(block.samples.start, block.samples.stop), block.values, strict=True):
                if position[sample] < 0:
                    continue
                values = row.astype(np.float64)
                where = block.points
                if position[sample] == 0:
                    first[where] = values
                deviations = values - first[where]
                sums[where] += deviations
                squares[where] += deviations**2
                trends[where] += times[position[sample]] * deviations
    if not detrend:
        # Mean squares of the values themselves.
        return (squares + 2 * first * sums + n * first**2) / n * source.slope**2
    left = squares - sums**2 / n
    if n > 1:
        left -= trends**2 / (times @ times)
    return np.maximum(left, 0) / n * source.slope**2


def most_variable(power: NDArray, percentile: float) -> NDArray[np.bool_]:
    """Points whose power is above the (100 − percentile)-th percentile of the finite ones."""
    finite = np.isfinite(power)
    if not finite.any():
        raise ValueError("No point is finite in every sample; there are no high-variance confounds.")
    threshold = np.percentile(power[finite], 100.0 - percentile)
    chosen = finite & (np.where(finite, power, 0) > threshold)
    if not chosen.any():
        raise ValueError(
            f"No point varies more than the others (threshold {threshold:g}); there are no high-variance confounds."
        )
    return chosen


def components_of(series: NDArray, n_confounds: int) -> NDArray[np.float64]:
    """Eigenvectors of X Xᵀ for its largest eigenvalues: (n_samples, n_confounds), orthonormal.

    The largest entry of each is positive, so that they do not depend on the machine.
    """
    _, vectors = np.linalg.eigh(series @ series.T)
    largest = vectors[:, ::-1][:, :n_confounds]
    signs = np.sign(largest[np.abs(largest).argmax(axis=0), np.arange(largest.shape[1])])
    return np.asarray(largest * signs)
