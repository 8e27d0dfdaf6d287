"""Figures of a run's quality, as the literature defines them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainsieve.engine.temporal.operator import CleaningSettings, plan_cleaning

# Of the sphere on which rotations are millimetres (Power 2012).
HEAD_RADIUS_MM = 50.0
HIGH_MOTION_MM = 0.2
# Voxels that are worked on at a time.
TILE = 8192
# Interquartile range of a normal distribution per standard deviation.
IQR_PER_SD = 1.349


def framewise_displacement(motion: ArrayLike, head_radius: float = HEAD_RADIUS_MM) -> NDArray[np.float64]:
    """Framewise displacement of Power et al. 2012, doi:10.1016/j.neuroimage.2011.10.018.

    Parameters
    ----------
    motion : array of shape (n_samples, 6)
        Translations in mm, then rotations in radians.
    head_radius : float, default=50
        mm.

    Returns
    -------
    array of shape (n_samples,)
        In mm; the first is NaN: nothing was before it.
    """
    steps = np.abs(np.diff(np.asarray(motion, dtype=np.float64), axis=0))
    if steps.ndim != 2 or steps.shape[1] != 6:
        raise ValueError(f"motion must be (n_samples, 6); {np.shape(motion)} was given.")
    return np.concatenate([[np.nan], steps[:, :3].sum(axis=1) + head_radius * steps[:, 3:].sum(axis=1)])


def of_motion(displacement: NDArray[np.float64]) -> dict[str, Any]:
    """Mean and largest displacement (mm), and how many volumes had more than 0.2 mm."""
    known = displacement[np.isfinite(displacement)]
    if not len(known):
        return {"fd_mean": np.nan, "fd_max": np.nan, "fd_share_above_0.2": np.nan}
    return {
        "fd_mean": float(known.mean()),
        "fd_max": float(known.max()),
        "fd_share_above_0.2": float((known > HIGH_MOTION_MM).mean()),
    }


def degrees_of_freedom(
    cleaning: CleaningSettings, n_samples: int, confounds: NDArray | None, kept: NDArray[np.intp] | None
) -> float:
    """Degrees of freedom that are left of a series: the trace of what cleaning does to it.

    Each confound and each drift takes one of the volumes that are kept, a filter the share of frequencies that it
    removes.

    Parameters
    ----------
    cleaning : CleaningSettings
        What is done in time; standardizing takes nothing.
    n_samples : int
    confounds : array of shape (n_samples, n_confounds) or None
    kept : array of int or None
        Volumes that are kept; None: all.
    """
    operator = plan_cleaning(
        n_samples, replace(cleaning, standardize=None), confounds=confounds, sample_mask=kept
    )
    impulses = np.eye(len(operator.kept))
    operator.apply(impulses)
    return float(np.trace(impulses))


def of_voxels(series: NDArray) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """Figures of a brain's series, and its standardized DVARS.

    Parameters
    ----------
    series : array of shape (n_samples, n_voxels)
        As recorded. Voxels that do not vary, or are not finite, are left out.

    Returns
    -------
    figures : dict
        ``tsnr``: median over voxels of the mean over the standard deviation after removal of a linear trend (Murphy
        2007, doi:10.1016/j.neuroimage.2006.09.068). ``gcor``: mean correlation of all pairs of voxels (Saad 2013,
        doi:10.1089/brain.2013.0156). ``dvars_std_mean``. ``n_voxels``: that took part.
    dvars : array of shape (n_samples,)
        Standardized DVARS (Nichols 2013, arXiv:1704.01469); the first is NaN.
    """
    n_samples, n_voxels = series.shape
    trend = np.linspace(-1.0, 1.0, n_samples)
    trend /= np.linalg.norm(trend)
    ratios, unit_sum, n_used = [], np.zeros(n_samples), 0
    squared, expected = np.zeros(n_samples - 1), 0.0
    for start in range(0, n_voxels, TILE):
        values = np.asarray(series[:, start : start + TILE], dtype=np.float64)
        spread = values.std(axis=0)
        # Rounding of a constant leaves a spread; the share is far above it and far below any signal.
        varies = np.isfinite(spread) & (spread > 1e-7 * np.abs(values.mean(axis=0)))
        values, spread = values[:, varies], spread[varies]
        if not values.shape[1]:
            continue
        n_used += values.shape[1]
        means = values.mean(axis=0)
        centred = values - means
        unit_sum += (centred / spread).sum(axis=1)
        residual = centred - np.outer(trend, trend @ centred)
        left = residual.std(axis=0, ddof=2) if n_samples > 2 else np.zeros(len(means))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios.append(means / left)
        squared += (np.diff(values, axis=0) ** 2).sum(axis=1)
        expected += _expected_squares(centred)
    if not n_used:
        nothing = dict.fromkeys(("tsnr", "gcor", "dvars_std_mean"), np.nan)
        return {**nothing, "n_voxels": 0}, np.full(n_samples, np.nan)
    all_ratios = np.concatenate(ratios)
    finite = all_ratios[np.isfinite(all_ratios)]
    dvars = np.concatenate([[np.nan], np.sqrt(squared / expected)])
    figures = {
        "tsnr": float(np.median(finite)) if len(finite) else np.nan,
        "gcor": float(((unit_sum / n_used) ** 2).mean()),
        "dvars_std_mean": float(np.nanmean(dvars)),
        "n_voxels": n_used,
    }
    return figures, dvars


def _expected_squares(centred: NDArray[np.float64]) -> float:
    """Sum over voxels of the expected squared difference of neighbours in time.

    Of a stationary series 2 (1 - lag-1 autocorrelation) times its variance, which is taken from the interquartile
    range: spikes are what DVARS is to find.
    """
    low, high = np.percentile(centred, [25, 75], axis=0)
    variance = ((high - low) / IQR_PER_SD) ** 2
    lag_one = (centred[1:] * centred[:-1]).sum(axis=0) / (centred**2).sum(axis=0)
    return float((2 * (1 - lag_one) * variance).sum())
