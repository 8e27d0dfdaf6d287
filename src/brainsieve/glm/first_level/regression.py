"""run_glm: a model of series in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainsieve.checks import found
from brainsieve.glm.estimates import Noise
from brainsieve.glm.first_level.design_matrix import check_design_matrix
from brainsieve.glm.fitting import fit_series
from brainsieve.glm.results import RegressionResults, results_of
from brainsieve.logs import log

# Values of a block of samples.
BLOCK_BYTES = 2**22


def run_glm(
    Y: ArrayLike,
    X: Any,
    noise_model: str = "ar1",
    bins: int = 100,
    n_jobs: int = 1,
    verbose: int = 0,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[NDArray, dict[Any, RegressionResults]]:
    """Fit a linear model to every column of an array.

    Parameters
    ----------
    Y : array of shape (n_samples, n_points)
        Series. NaN in one makes its results NaN.
    X : array of shape (n_samples, n_columns), or data frame
        The design.
    noise_model : {"ar1", "ols", "arN"}, default="ar1"
        White noise, or autoregressive noise of order N, whose coefficients are estimated for each point.
    bins : int, default=100
        For "ar1" coefficients are cut to multiples of 1 / bins, towards 0. For higher orders they are put
        together in so many clusters.
    n_jobs : int, default=1
        Taken for the sake of scripts: groups of points are small systems of equations, which take no time.
    verbose : int, default=0
        1 tells how many groups there are.
    random_state : int, RandomState or None, default=None
        Of the clusters, for orders above 1.

    Returns
    -------
    labels : array of shape (n_points,)
        The noise of each point: its coefficients as text, ``"0.31"``, ``"0.33_0.02"``; 0.0 for "ols".
    results : dict of label to RegressionResults

    Raises
    ------
    TypeError, ValueError
        For arrays that do not match, a design that is not finite, and an unknown noise model.

    Notes
    -----
    Noise of order 1 as in Worsley et al. 2002, doi:10.1006/nimg.2001.0933; the first sample is not whitened.
    """
    noise = Noise.of(noise_model, bins, random_state)
    series = _checked_series(Y)
    design, names = _checked_design(X, len(series))

    def blocks() -> Iterator[NDArray[np.float64]]:
        step = max(1, BLOCK_BYTES // max(1, 8 * series.shape[1]))
        for start in range(0, len(series), step):
            yield np.array(series[start : start + step], dtype=np.float64, order="C")

    estimate = fit_series(blocks, series.shape[1], design, names, noise).estimate
    labels, results = results_of(estimate, series, design)
    log(verbose, 1, f"run_glm: {series.shape[1]} series, {len(results)} groups of noise.")
    return labels, results


def _checked_series(Y: ArrayLike) -> NDArray:
    series = np.asarray(Y)
    if series.ndim != 2 or series.dtype.kind not in "biuf":
        raise ValueError(
            f"Y must be of shape (n_samples, n_points) and hold numbers; its shape is {series.shape}, its dtype "
            f"{series.dtype}."
        )
    return series


def _checked_design(X: Any, n_samples: int) -> tuple[NDArray[np.float64], list[str]]:
    if hasattr(X, "columns"):
        _, design, names = check_design_matrix(X)
    else:
        try:
            design = np.asarray(X, dtype=np.float64)
        except (TypeError, ValueError):
            raise TypeError(f"X must hold numbers; {found(X)} was given.") from None
        if design.ndim != 2 or not design.shape[1]:
            raise ValueError(f"X must be of shape (n_samples, n_columns); it is of shape {design.shape}.")
        names = [f"column {i}" for i in range(design.shape[1])]
        if not np.isfinite(design).all():
            bad = np.argwhere(~np.isfinite(design))[0]
            raise ValueError(
                f"X has NaN or infinite values, the first in row {bad[0]}, column {bad[1]} (from 0)."
            )
    if len(design) != n_samples:
        raise ValueError(f"X has {len(design)} rows, Y has {n_samples}: there must be one for each sample.")
    return design, names
