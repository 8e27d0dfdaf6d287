"""Scaling of series, in percent of a mean: a factor and a shift for each point, applied to what was fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainsieve.checks import found
from brainsieve.logs import warn

# A mean below this share of the typical mean is no baseline; nor is one that is below 1, where means are large.
FLOOR = 1e-3
# Data whose typical mean is below this share of their typical deviation are centred.
CENTRED = 1e-6

# What `signal_scaling` may be, as it is understood: by point, by volume, by one mean, not at all.
Mode = Literal["point", "volume", "all"] | None


@dataclass(frozen=True, eq=False)
class Scaling:
    """``factor * (series + shift)``; of shape (n_points,) or one number."""

    factor: NDArray[np.float64] | float = 1.0
    shift: NDArray[np.float64] | float = 0.0

    def __call__(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        return (block + self.shift) * self.factor


def mode_of(signal_scaling: Any) -> Mode:
    """How `signal_scaling` is understood.

    Raises
    ------
    ValueError
        If it is none of 0, 1, (0, 1) and False.
    """
    if signal_scaling is False or (isinstance(signal_scaling, np.bool_) and not signal_scaling):
        return None
    if not isinstance(signal_scaling, bool | np.bool_):
        if isinstance(signal_scaling, int | np.integer) and signal_scaling in (0, 1):
            return "volume" if signal_scaling else "point"
        if isinstance(signal_scaling, list | tuple) and tuple(signal_scaling) == (0, 1):
            return "all"
    raise ValueError(
        "signal_scaling must be 0 (by the mean of each point over time), 1 (by the mean of each volume), "
        "(0, 1) (by one "
        f"mean) or False; {found(signal_scaling)} was given."
    )


def percent_of_mean(
    mode: Mode, mean: NDArray[np.float64], deviation: NDArray[np.float64], name: str, point: str
) -> Scaling:
    """Scale to percent of the mean: 100 (y / mean − 1).

    Parameters
    ----------
    mode : {"point", "all"}
    mean, deviation : array of shape (n_points,)
        Mean and standard deviation of the series.
    name, point : str
        Of the run, and what points are called, for messages.

    Raises
    ------
    ValueError
        For data that are centred.
    """
    usable = np.isfinite(mean)
    typical = float(np.median(np.abs(mean[usable]))) if usable.any() else 0.0
    spread = float(np.median(deviation[usable])) if usable.any() else 0.0
    if typical <= CENTRED * spread:
        if not spread:
            return Scaling()
        raise ValueError(
            f"signal_scaling: the series of {name} are centred (the typical mean is {typical:.2g}, the "
            "typical deviation "
            f"{spread:.2g}), and cannot be scaled to percent of their mean. Use signal_scaling=False."
        )
    if mode == "all":
        whole = float(mean[usable].mean())
        if whole <= FLOOR * typical:
            raise ValueError(
                f"signal_scaling: the mean of {name} over all {point} and volumes is {whole:.2g}, no "
                "baseline to scale by."
            )
        return Scaling(100.0 / whole, -whole)
    floor = min(1.0, FLOOR * typical)
    low = usable & (mean < floor) & (deviation > 0)
    if low.any():
        warn(
            f"signal_scaling: {int(low.sum())} {point} of {name} have a mean below {floor:.2g}, which is no baseline; "
            f"they are scaled by {floor:.2g}."
        )
    divisor = np.maximum(mean, floor)
    return Scaling(100.0 / divisor, -divisor)


def z_scores(mean: NDArray[np.float64], deviation: NDArray[np.float64]) -> Scaling:
    """Scale to mean 0 and standard deviation 1; what is constant becomes 0."""
    return Scaling(np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0), -mean)


def percent_of_volume(block: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Scale each sample of a block to percent of its own mean over points."""
    means = block.mean(axis=1, keepdims=True)
    if (means <= 0).any():
        raise ValueError(
            f"signal_scaling=1: a volume of {name} has a mean of {float(means.min()):.2g}, no baseline to scale by."
        )
    return 100 * (block / means - 1)


def mean_scaling(Y: ArrayLike, axis: Any = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale series to percent of their mean.

    Parameters
    ----------
    Y : array of shape (n_samples, n_points)
    axis : int or tuple of int, default=0
        Over which the mean is taken: 0, time; 1, points; (0, 1), both.

    Returns
    -------
    scaled : array of shape (n_samples, n_points)
        100 (Y / mean − 1).
    mean : array or float

    Raises
    ------
    ValueError
        For another axis, and for data that are centred.
    """
    series = np.asarray(Y, dtype=np.float64)
    mode = mode_of(tuple(axis) if isinstance(axis, list | tuple) else axis)
    if series.ndim != 2:
        raise ValueError(f"Y must be of shape (n_samples, n_points); it is of shape {series.shape}.")
    if mode == "volume":
        return percent_of_volume(series, "Y"), series.mean(axis=1)
    mean = series.mean(axis=0)
    scaling = percent_of_mean(mode, mean, series.std(axis=0), "Y", "columns")
    return scaling(series), mean if mode == "point" else mean.mean()
