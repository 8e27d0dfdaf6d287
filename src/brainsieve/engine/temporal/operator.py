"""Temporal operators: from samples to samples.

Everything linear that happens in time is one matrix K of shape (n_kept, n_kept): interpolation of censored
samples, detrending, filtering, censoring, projection on what confounds leave. It is had by doing the steps to
the identity. Runs of many samples keep the steps: K would take n² memory and work. What is not linear
(standardizing by a run's own mean and spread) follows in the same tile of columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.temporal.censor import interpolated, kept_samples, mask_of_each_run
from brainsieve.engine.temporal.confounds import orthonormal, refuse_nonfinite
from brainsieve.engine.temporal.detrend import detrended
from brainsieve.engine.temporal.filter import (
    butterworth_sections,
    check_length,
    cosine_confounds,
    filtered,
)
from brainsieve.engine.temporal.settings import (
    CleaningSettings,
    clean_args_to_settings,
    normalize_standardize,
)
from brainsieve.engine.temporal.standardize import (
    MEAN_REMOVED,
    constant_share,
    flatten_constants,
    percent_change,
    warn_of_zero_means,
    zscore,
)
from brainsieve.logs import warn

__all__ = [
    "CleaningSettings",
    "TemporalOperator",
    "clean_args_to_settings",
    "normalize_standardize",
    "plan_cleaning",
]

# Beyond so many samples kept the steps are cheaper than their matrix (measured: equal at about 1 200).
LARGE = 1200
# Columns in a tile: with 200 samples 1.6 MB of float64, which stays in a core's cache.
TILE_BYTES = 2**21

# From this many samples on, series that are only accurate to float32 and stay so are multiplied in it: the product
# is then most of the work, and takes half as long.
NARROW_FROM = 512

How = Literal["auto", "matrix", "steps"]


class CleanRun:
    """The linear part of cleaning one run: rows kept in, rows kept out.

    Parameters
    ----------
    n_samples : int
    kept : array of int
    settings : CleaningSettings
    confounds : array of shape (n_samples, n_confounds) or None
    name : str
    how : {"auto", "matrix", "steps"}
    """

    def __init__(
        self,
        n_samples: int,
        kept: NDArray[np.intp],
        settings: CleaningSettings,
        confounds: NDArray | None,
        name: str,
        how: How = "auto",
    ) -> None:
        self.n_kept = len(kept)
        self._detrend = settings.detrend
        self._sections: NDArray | None = None
        self._padtype, self._padlen = settings.padtype, settings.padlen
        self._kept = kept
        # The samples that are there while filtering: those kept, and in between them those that are interpolated.
        self._range = kept
        if settings.uses_butterworth:
            self._plan_filter(n_samples, settings, name)
        if settings.filter == "cosine":
            cosines = cosine_confounds(n_samples, kept, settings, confounds)
            confounds = _beside(confounds, cosines)
        if settings.detrend and self.n_kept == 1:
            warn(f"{name} has one sample; it cannot be detrended and is left as it is.")
            self._detrend = False
        self._basis: NDArray | None = None
        if confounds is not None and confounds.shape[1]:
            self._basis = self._confound_basis(confounds[kept], settings)
        self.leaves_nothing = self._basis is not None and self._explains_all(self._basis.shape[1])
        self.is_identity = not self._detrend and self._sections is None and self._basis is None
        self.matrix: NDArray[np.float64] | None = None
        self._narrow: NDArray[np.float32] | None = None
        if not self.is_identity and (how == "matrix" or (how == "auto" and self.n_kept <= LARGE)):
            self.matrix = self.steps(np.eye(self.n_kept))
        self._plan_means()

    def _plan_filter(self, n_samples: int, settings: CleaningSettings, name: str) -> None:
        sampling_rate = 1.0 / settings.needed_t_r()
        self._sections = butterworth_sections(
            sampling_rate, settings.low_pass, settings.high_pass, settings.order
        )
        if self._sections is None:
            return
        if len(self._kept) < n_samples:
            # A spline through one point is none.
            if self.n_kept < 2:
                raise ValueError(
                    f"sample_mask keeps {self.n_kept} sample of {name}; a filter needs at least 2 to "
                    "interpolate the others."
                )
            ends = (0, n_samples) if settings.extrapolate else (self._kept[0], self._kept[-1] + 1)
            self._range = np.arange(*ends)
        check_length(len(self._range), self._sections, self._padtype, self._padlen, name)

    def _confound_basis(self, confounds: NDArray, settings: CleaningSettings) -> NDArray[np.float64]:
        refuse_nonfinite(confounds)
        if not settings.standardize_confounds and not self._detrend:
            warn(
                "confounds are neither standardized nor detrended: they are not centred, and signals lose "
                "part of their mean with them.",
            )
        return orthonormal(
            self._before_confounds(confounds), confounds, settings.standardize_confounds, self.n_kept
        )

    def _explains_all(self, rank: int) -> bool:
        """Whether confounds leave nothing but a constant: what is found besides is rounding."""
        # Detrending takes a dimension beside the mean; of a run with gaps, from what is interpolated too.
        detrended_here = self._detrend and len(self._range) == self.n_kept
        if rank < self.n_kept - 1 - detrended_here:
            return False
        warn(
            f"confounds (rank {rank}) explain everything in the {self.n_kept} samples kept: what is left of "
            "every signal is 0. Use fewer confounds.",
        )
        return True

    def _before_confounds(self, series: NDArray) -> NDArray[np.float64]:
        """Interpolate, detrend, filter, censor: done to signals and confounds alike."""
        series = interpolated(series, self._kept, self._range)
        if self._detrend:
            series = detrended(series)
        if self._sections is not None:
            series = filtered(series, self._sections, self._padtype, self._padlen)
        if len(self._range) > self.n_kept:
            series = series[self._kept - self._range[0]]
        return series

    def steps(self, series: NDArray) -> NDArray[np.float64]:
        """Clean series of shape (n_kept, n_series), step by step."""
        series = self._before_confounds(series)
        if self._basis is not None:
            series = series - self._basis @ (self._basis.T @ series)
        return series

    def apply(self, series: NDArray) -> NDArray[np.float64]:
        if self.is_identity:
            return np.array(series, dtype=np.float64)
        if self.matrix is not None:
            return self.matrix @ series
        return self.steps(series)

    def apply_narrow(self, series: NDArray) -> NDArray[np.float64]:
        """`apply` with the product in float32, of deviations from the mean: no digit goes to the mean."""
        if self.matrix is None or self.n_kept < NARROW_FROM:
            return self.apply(series)
        if self._narrow is None:
            self._narrow = self.matrix.astype(np.float32)
        mean = series.mean(axis=0)
        deviations = (series - mean).astype(np.float32)
        return (self._narrow @ deviations) + self.of_ones[:, None] * mean

    def _plan_means(self) -> None:
        """What becomes of a constant, and the weights that give means of series as they come."""
        ones = np.ones((self.n_kept, 1))
        self.of_ones = self.apply(ones)[:, 0]
        # The mean before detrending is that of the samples then present, interpolated ones included.
        if len(self._range) > self.n_kept:
            weights = (
                interpolated(np.eye(self.n_kept), self._kept, self._range)
                if self.matrix is not None
                else None
            )
            self.mean_weights = None if weights is None else weights.mean(axis=0)
        else:
            self.mean_weights = np.full(self.n_kept, 1.0 / self.n_kept)

    def means_before(self, series: NDArray) -> NDArray[np.float64]:
        """Means before detrending, (n_series,)."""
        if self.mean_weights is not None:
            return np.asarray(self.mean_weights @ series)
        return interpolated(series, self._kept, self._range).mean(axis=0)


class TemporalOperator:
    """Cleaning of a run (or of several runs that stand in one array), made by `plan_cleaning`.

    Attributes
    ----------
    n_samples : int
        Samples of the run.
    kept : array of int
        The samples that it needs, and gives; sorted. Others are never looked at.
    is_identity : bool
        Whether it does nothing.
    """

    def __init__(
        self,
        n_samples: int,
        kept: NDArray[np.intp],
        parts: Sequence[tuple[Any, CleanRun]],
        settings: CleaningSettings,
    ) -> None:
        self.n_samples = n_samples
        self.kept = kept
        self._parts = parts
        self._settings = settings
        self._standardize = settings.standardize
        self.is_identity = (
            all(run.is_identity for _, run in parts)
            and self._standardize is None
            and not settings.ensure_finite
        )

    def apply(
        self,
        values: NDArray,
        offset: NDArray | None = None,
        precision: Any = np.float64,
        n_threads: int = 1,
    ) -> None:
        """Clean series in place.

        Parameters
        ----------
        values : array of shape (len(kept), n_series), float32 or float64
            Overwritten with the result.
        offset : array of shape (n_series,), optional
            What every row of `values` misses: series are ``values + offset``. Results are complete.
        precision : dtype, default=float64
            Of the data that series come from: it tells rounding noise from signal.
        n_threads : int, default=1
            Results do not depend on it.
        """
        if len(values) != len(self.kept):
            raise ValueError(
                f"{len(self.kept)} rows were expected, one for each sample kept; not {len(values)}."
            )
        share = constant_share(precision)
        narrow = values.dtype == np.float32 and np.dtype(precision) == np.float32
        n_undefined: list[int] = []
        for rows, run in self._parts:
            mean_removed = self._standardize == "psc" and self._mean_is_removed(values, offset, rows, run)

            def clean(
                columns: slice, rows: Any = rows, run: CleanRun = run, removed: bool = mean_removed
            ) -> None:
                shift = None if offset is None else offset[columns]
                tile = values[rows, columns].astype(np.float64)
                values[rows, columns], n = self._cleaned(tile, shift, run, share, removed, narrow)
                n_undefined.append(n)

            _each_tile(clean, values.shape[1], run.n_kept, n_threads)
        # Once, whatever the number of tiles and runs.
        warn_of_zero_means(sum(n_undefined))

    def _cleaned(
        self,
        tile: NDArray,
        offset: NDArray | None,
        run: CleanRun,
        share: float,
        mean_removed: bool,
        narrow: bool,
    ) -> tuple[NDArray[np.float64], int]:
        """Cleaned series, and how many have no percent signal change."""
        if self._settings.ensure_finite:
            # 0 is the value of the series, offset included.
            tile = np.where(np.isfinite(tile), tile, 0.0 if offset is None else -offset)
        series = run.apply_narrow(tile) if narrow else run.apply(tile)
        if offset is not None:
            series += run.of_ones[:, None] * offset
        if len(series) == 1:
            return series, 0
        size = _size(tile, offset)
        constant = flatten_constants(series, size, np.inf if run.leaves_nothing else share)
        if self._standardize == "zscore_sample":
            zscore(series, constant)
        elif self._standardize == "psc":
            before = run.means_before(tile) + (0 if offset is None else offset)
            return series, percent_change(series, before, mean_removed, size, share)
        return series, 0

    def _mean_is_removed(self, values: NDArray, offset: NDArray | None, rows: Any, run: CleanRun) -> bool:
        """Whether cleaning takes the means away, on average over all columns: one decision for all tiles."""
        if run.is_identity:
            return False
        after = before = 0.0
        for columns in _tiles(values.shape[1], run.n_kept):
            tile = values[rows, columns].astype(np.float64)
            shift = 0.0 if offset is None else offset[columns]
            cleaned = run.apply(tile).mean(axis=0) + run.of_ones.mean() * shift
            after += float(np.nansum(np.abs(cleaned)))
            before += float(np.nansum(np.abs(run.means_before(tile) + shift)))
        return after < MEAN_REMOVED * before


def _size(tile: NDArray, offset: NDArray | None) -> NDArray[np.float64]:
    """|mean| + standard deviation of each series."""
    mean = tile.mean(axis=0)
    spread = np.sqrt(np.maximum(np.einsum("ij,ij->j", tile, tile) / len(tile) - mean**2, 0))
    return np.abs(mean if offset is None else mean + offset) + spread


def _tiles(n_columns: int, n_rows: int) -> Iterator[slice]:
    width = max(16, TILE_BYTES // (8 * max(1, n_rows)))
    return (slice(i, min(i + width, n_columns)) for i in range(0, n_columns, width))


def _each_tile(clean: Callable[[slice], None], n_columns: int, n_rows: int, n_threads: int) -> None:
    tiles = list(_tiles(n_columns, n_rows))
    if n_threads == 1 or len(tiles) < 2:
        for columns in tiles:
            clean(columns)
        return
    with ThreadPoolExecutor(n_threads, "brainsieve-time") as pool:
        list(pool.map(clean, tiles))


def plan_cleaning(
    n_samples: int,
    settings: CleaningSettings,
    *,
    confounds: NDArray | None = None,
    sample_mask: Any = None,
    runs: Any = None,
    name: str = "the run",
    how: How = "auto",
) -> TemporalOperator:
    """Compile cleaning in time for a run.

    Parameters
    ----------
    n_samples : int
    settings : CleaningSettings
    confounds : array of shape (n_samples, n_confounds), optional
        What stands in rows of censored samples does not matter.
    sample_mask : array or list, optional
        See `censor.kept_samples`. With `runs`, a list with one for each run, in order of the runs' ids.
    runs : array of shape (n_samples,), optional
        Run of each sample; each is cleaned alone, rows stay where they are.
    name : str
        For messages.
    how : {"auto", "matrix", "steps"}, default="auto"
        The same numbers either way: "auto" makes a matrix unless there are very many samples.

    Returns
    -------
    operator : TemporalOperator

    Raises
    ------
    ValueError, TypeError, IndexError, AllVolumesRemovedError
        Each names the parameter, what it is and what was expected.
    """
    _warn_of_unused_filter(settings)
    if confounds is not None and len(confounds) != n_samples:
        raise ValueError(
            f"confounds has {len(confounds)} rows, {name} has {n_samples} scans; give one row for each scan, "
            "and the kept scans in sample_mask."
        )
    parts, kept = [], []
    masks = mask_of_each_run(sample_mask, n_samples, runs)
    for members, mask in masks:
        inside = kept_samples(mask, len(members), name)
        if settings.standardize is not None and len(inside) == 1:
            left = "" if len(members) == 1 else " left of it"
            warn(f"{name} has one sample{left}; it cannot be standardized and is left as it is.")
        run = CleanRun(
            len(members),
            inside,
            settings,
            None if confounds is None else np.asarray(confounds, dtype=np.float64)[members],
            name,
            how,
        )
        parts.append(run)
        kept.append(members[inside])
    all_kept = np.sort(np.concatenate(kept))
    rows = [np.searchsorted(all_kept, samples) for samples in kept]
    return TemporalOperator(
        n_samples, all_kept, list(zip(map(_as_slice, rows), parts, strict=True)), settings
    )


def _as_slice(rows: NDArray[np.intp]) -> Any:
    """Consecutive rows as a slice, which indexes without a copy."""
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def _warn_of_unused_filter(settings: CleaningSettings) -> None:
    if settings.filter is False and not (settings.low_pass is None and settings.high_pass is None):
        warn(
            f"filter is False: low_pass={settings.low_pass} and high_pass={settings.high_pass} are not used.",
        )


def _beside(left: NDArray | None, right: NDArray | None) -> NDArray | None:
    given = [part for part in (left, right) if part is not None]
    return np.hstack(given) if given else None
