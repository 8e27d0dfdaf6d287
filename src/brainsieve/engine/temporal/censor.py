"""Censoring: which samples are kept, and what stands in for the others while a run is filtered."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from brainsieve.exceptions import AllVolumesRemovedError, ParameterError


def kept_samples(sample_mask: Any, n_samples: int, name: str = "the run") -> NDArray[np.intp]:
    """Indices of the samples that a mask keeps.

    Parameters
    ----------
    sample_mask : array or list of shape (n_samples,) of bool or (n_kept,) of int, or None
        Which to keep; None: all.
    n_samples : int
    name : str
        What is masked, for messages.

    Returns
    -------
    kept : array of int, sorted

    Raises
    ------
    TypeError
        If it holds neither integers nor booleans.
    ValueError
        If it is not 1-D, a boolean mask has another length, or indices are negative, repeated, unsorted, or
        0 and 1 for all samples.
    IndexError
        If there are more indices than samples, or one is beyond the last.
    AllVolumesRemovedError
        If nothing is kept.
    """
    if sample_mask is None:
        return np.arange(n_samples)
    mask = np.asarray(sample_mask)
    if mask.ndim != 1:
        raise ParameterError(f"sample_mask must be 1-D; it has shape {mask.shape}.")
    if mask.size == 0:
        raise AllVolumesRemovedError(f"sample_mask keeps no sample of {name}; nothing is left to extract.")
    if mask.dtype == bool:
        if len(mask) != n_samples:
            raise ValueError(
                f"sample_mask has {len(mask)} booleans, {name} has {n_samples} samples; give one for each."
            )
        kept = np.flatnonzero(mask)
        if not len(kept):
            raise AllVolumesRemovedError(
                f"sample_mask keeps no sample of {name}; nothing is left to extract."
            )
        return kept
    if mask.dtype.kind not in "iu":
        raise TypeError(
            f"sample_mask must hold indices of the samples to keep, or booleans; its dtype is {mask.dtype}."
        )
    _refuse_bad_indices(mask, n_samples, name)
    return mask.astype(np.intp)


def mask_of_each_run(sample_mask: Any, n_samples: int, runs: Any) -> list[tuple[NDArray[np.intp], Any]]:
    """(samples of the run, its mask) for each run."""
    if runs is None:
        if isinstance(sample_mask, list | tuple) and len(sample_mask) == 1 and np.ndim(sample_mask[0]) == 1:
            sample_mask = sample_mask[0]
        return [(np.arange(n_samples), sample_mask)]
    ids = np.asarray(runs)
    if ids.shape != (n_samples,):
        raise ValueError(f"runs must have shape ({n_samples},), one id for each sample; it has {ids.shape}.")
    members = _members(ids)
    if sample_mask is None:
        return [(samples, None) for samples in members]
    if not isinstance(sample_mask, list | tuple) or len(sample_mask) != len(members):
        found = len(sample_mask) if isinstance(sample_mask, list | tuple) else type(sample_mask).__name__
        raise ValueError(
            f"With runs, sample_mask must be a list with one mask for each of the {len(members)} runs; "
            f"it is {found}."
        )
    return list(zip(members, sample_mask, strict=True))


def _members(ids: NDArray) -> list[NDArray[np.intp]]:
    """The samples of each run, in order of the runs' ids."""
    try:
        members = [np.flatnonzero(ids == run) for run in np.unique(ids)]
    except TypeError:  # None among words, words among numbers
        members = []
    # NaN equals nothing, itself included: its samples would be lost, and objects around it sorted wrongly.
    if sum(map(len, members)) != len(ids) or not all(map(len, members)):
        raise ValueError(
            "runs must be numbers or words, one id for each sample; some are missing (NaN or None), or of both kinds."
        )
    return members


def kept_of_runs(
    sample_mask: Any, n_samples: int, runs: Any = None, name: str = "the run"
) -> NDArray[np.intp]:
    """Samples that are kept of a run, or of several that stand in one array; ascending."""
    kept = [
        members[kept_samples(mask, len(members), name)]
        for members, mask in mask_of_each_run(sample_mask, n_samples, runs)
    ]
    return np.sort(np.concatenate(kept))


def _refuse_bad_indices(mask: NDArray, n_samples: int, name: str) -> None:
    # Of two samples, 0 and 1 are the indices of both.
    if len(mask) == n_samples and n_samples > 2 and np.isin(mask, (0, 1)).all():
        raise ValueError(
            f"sample_mask holds only the integers 0 and 1, one for each of the {n_samples} samples of {name}: "
            "integers are indices of the samples to keep. Pass booleans: sample_mask.astype(bool)."
        )
    if len(mask) > n_samples:
        raise IndexError(f"sample_mask has {len(mask)} indices, {name} has only {n_samples} samples.")
    if mask.min() < 0:
        raise ValueError(f"sample_mask has the negative index {mask.min()}; count samples from 0.")
    if mask.max() >= n_samples:
        raise IndexError(
            f"sample_mask has the index {mask.max()}, {name} has only {n_samples} samples (0 … {n_samples - 1})."
        )
    steps = np.diff(mask.astype(np.int64))
    if (steps == 0).any() or len(np.unique(mask)) < len(mask):
        repeated = np.unique(mask[:-1][steps == 0]) if (steps == 0).any() else mask[:1]
        raise ValueError(f"sample_mask names samples more than once ({repeated[0]}, for one).")
    if (steps < 0).any():
        raise ValueError(
            "sample_mask is not sorted; samples come out in the order of the run. Pass np.sort(sample_mask)."
        )


def interpolated(series: NDArray, kept: NDArray[np.intp], wanted: NDArray[np.intp]) -> NDArray[np.float64]:
    """Series at all wanted samples: those kept as they are, a cubic spline through them elsewhere.

    Parameters
    ----------
    series : array of shape (n_kept, n_series)
    kept, wanted : array of int, sorted
        `wanted` holds all of `kept`.

    Returns
    -------
    series : array of shape (n_wanted, n_series)
    """
    if len(kept) == len(wanted):
        return np.asarray(series, dtype=np.float64)
    filled = np.empty((len(wanted), series.shape[1]))
    is_kept = np.isin(wanted, kept)
    filled[is_kept] = series
    filled[~is_kept] = CubicSpline(kept, series, axis=0, extrapolate=True)(wanted[~is_kept])
    return filled
