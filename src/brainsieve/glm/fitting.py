"""Fitting the series of one run, block by block: a pass for the sums, and a second one for what these cannot tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from brainsieve.glm.designs import Span
from brainsieve.glm.estimates import Estimate, Model, Noise, grouped, without_rounding
from brainsieve.glm.sums import Lags, Sums, gather, with_constant

# Gives the blocks of a run, (n, n_points) float64, from its beginning; they may be overwritten.
Blocks = Callable[[], Iterator[NDArray[np.float64]]]


@dataclass(frozen=True, eq=False)
class FittedSeries:
    """A model of a run's series, and the moments of these.

    Attributes
    ----------
    estimate : Estimate
    mean : array of shape (n_points,)
    squares : array of shape (n_points,)
        Σ (y − mean)².
    """

    estimate: Estimate
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]


def fit_series(
    blocks: Blocks,
    n_points: int,
    design: NDArray[np.float64],
    names: list[str],
    noise: Noise,
    stretch: NDArray[np.intp] | None = None,
    name: str = "The run",
    point: str = "points",
) -> FittedSeries:
    """Fit a model to the series of a run.

    Parameters
    ----------
    blocks : callable
        Gives the blocks of the run; called once, or twice where the design explains some points almost wholly.
    n_points : int
    design : array of shape (n_samples, n_columns)
    names : list of str
        Of the columns.
    noise : Noise
    stretch : array of int, shape (n_samples,), optional
        Which unbroken stretch of samples each is in: noise is not correlated over gaps. Default: one.
    name, point : str
        Of the run and its points, for warnings.

    Returns
    -------
    fitted : FittedSeries
    """
    span = Span.of(design)
    model = Model(span, names, noise)
    n_samples = len(design)
    lags = Lags(
        with_constant(span), noise.order, np.zeros(n_samples, np.intp) if stretch is None else stretch
    )
    sums, first = gather(blocks(), lags, n_points, subtract_first=span.constant is not None)
    coefficients = model.autocorrelations(sums)
    poor = model.too_little(sums)
    rest, offset = _second_pass(blocks, lags, model, sums, poor, first)
    if rest is not None:
        coefficients[poor] = model.autocorrelations(rest)
    rho, group = grouped(coefficients, noise)
    estimate = model.estimate(sums, rho, group)
    around_mean = np.maximum(sums.squares[0, 0] - sums.total**2 / n_samples, 0)
    if rest is not None:
        estimate = _corrected(
            estimate, poor, model.estimate(rest, rho, group[poor]), offset, rest, around_mean
        )
    if first.any():
        # What was subtracted is part of the constant.
        estimate = estimate.scaled(1.0, first)
    estimate = without_rounding(estimate, sums.squares[0, 0], first, name, point)
    return FittedSeries(estimate, first + sums.total / n_samples, around_mean)


def _second_pass(
    blocks: Blocks, lags: Lags, model: Model, sums: Sums, poor: NDArray[np.intp], first: NDArray
) -> tuple[Sums | None, NDArray[np.float64]]:
    """Sums of what least squares leave of some points, and the coefficients that were subtracted."""
    offset = np.zeros((lags.rank, len(poor)))
    if not len(poor):
        return None, offset
    offset[: model.span.rank] = model.least_squares(sums)[:, poor]
    some = (np.ascontiguousarray(block[:, poor]) for block in blocks())
    rest, _ = gather(some, lags, len(poor), model.span.constant is not None, offset, first[poor])
    return rest, offset[: model.span.rank]


def _corrected(
    estimate: Estimate,
    poor: NDArray[np.intp],
    mine: Estimate,
    offset: NDArray[np.float64],
    rest: Sums,
    around_mean: NDArray[np.float64],
) -> Estimate:
    """An estimate with that of some points exchanged."""
    coefficients, dispersion, r_square = (
        estimate.coefficients.copy(),
        estimate.dispersion.copy(),
        estimate.r_square.copy(),
    )
    coefficients[:, poor] = mine.coefficients + estimate.span.back @ offset
    dispersion[poor] = mine.dispersion
    with np.errstate(invalid="ignore", divide="ignore"):
        # Of the residuals' own total here: 1 minus their share is what is asked for.
        r_square[poor] = 1 - (1 - mine.r_square) * _around_mean(rest) / around_mean[poor]
    return replace(estimate, coefficients=coefficients, dispersion=dispersion, r_square=r_square)


def _around_mean(sums: Sums) -> NDArray[np.float64]:
    return sums.squares[0, 0] - sums.total**2 / sums.n_samples
