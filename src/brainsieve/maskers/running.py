"""Fitted maskers at work: a run streams through the recipes of one or more of them, in a single pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.atlas.base import N_NAMED, listed, plural_of
from brainsieve.engine.extract import Extracted, Progress, Request, extract
from brainsieve.engine.high_variance import streamed_high_variance
from brainsieve.engine.source.base import Source
from brainsieve.engine.source.values import streamed
from brainsieve.engine.temporal.operator import CleaningSettings, TemporalOperator, plan_cleaning
from brainsieve.logs import warn
from brainsieve.maskers.fitted import FittedMasker, is_auto
from brainsieve.maskers.output import final_dtype
from brainsieve.maskers.recipe import Recipe
from brainsieve.tables import read_confounds
from brainsieve.typing import ConfoundsLike, SampleMaskLike

# Points of each column, and those that an image has.
Coverage = tuple[NDArray, NDArray]


@dataclass(frozen=True)
class Share:
    """A masker's part of a pass, with confounds and kept samples of its own, as `transform` takes them."""

    fitted: FittedMasker
    confounds: ConfoundsLike | None = None
    sample_mask: SampleMaskLike | None = None


def run_fitted(
    source: Source,
    fitted: Sequence[FittedMasker],
    confounds: ConfoundsLike | None = None,
    sample_mask: SampleMaskLike | None = None,
    *,
    high_variance: bool = False,
    progress: Progress | None = None,
) -> list[NDArray]:
    """Signals of fitted maskers from one pass over a source, in their final dtypes.

    Parameters
    ----------
    source : Source
    fitted : sequence of FittedMasker
    confounds, sample_mask
        What the `transform` of maskers takes, for all.
    high_variance : bool, default=False
        Whether maskers that ask for high-variance confounds get them; else they are among `confounds` already.
    progress : callable, optional

    Returns
    -------
    list of arrays of shape (n_samples kept, n_features)
    """
    regressors = read_confounds(confounds, source.n_samples, source.name, sample_mask, fitted[0].in_time.runs)
    components = None
    if high_variance and any(one.in_time.high_variance for one in fitted):
        components = high_variance_components(source, sample_mask, fitted[0].in_time.runs)
    return _run_all(
        source,
        [
            _Run(
                one,
                source,
                _beside(regressors, components if one.in_time.high_variance else None),
                sample_mask,
            )
            for one in fitted
        ],
        progress,
    )


def run_shares(
    source: Source, shares: Sequence[Share], *, n_threads: int | None = None
) -> list[tuple[NDArray, Coverage | None]]:
    """Signals of several ways to clean from one pass over a source, and how the image covers each column.

    Coverage, points expected and found, is known for maskers that have a `min_coverage`.
    """
    planned: dict[Any, TemporalOperator] = {}
    regressors: dict[Any, NDArray | None] = {}
    runs = []
    for share in shares:
        of_runs = share.fitted.in_time.runs
        # Shares of one strategy hold the same objects: their confounds are read, their cleaning planned once.
        key = (id(share.confounds), id(share.sample_mask), of_runs)
        if key not in regressors:
            regressors[key] = read_confounds(
                share.confounds, source.n_samples, source.name, share.sample_mask, of_runs
            )
        runs.append(_Run(share.fitted, source, regressors[key], share.sample_mask, planned))
    values = _run_all(source, runs, None, n_threads)
    return [(value, run.coverage) for value, run in zip(values, runs, strict=True)]


def _run_all(
    source: Source, runs: Sequence[_Run], progress: Progress | None, n_threads: int | None = None
) -> list[NDArray]:
    in_one_pass = [run.request() for run in runs if run.recipe.eigen is None]
    answers = iter(
        extract(source, in_one_pass, n_threads=n_threads, progress=progress) if in_one_pass else []
    )
    results = []
    for run in runs:
        answer = next(answers) if run.recipe.eigen is None else run.eigenvariates(source, progress)
        results.append(run.finished(answer))
    return results


class _Run:
    """One masker's share of a pass over one run."""

    def __init__(
        self,
        fitted: FittedMasker,
        source: Source,
        regressors: NDArray | None,
        sample_mask: Any,
        planned: dict[Any, TemporalOperator] | None = None,
    ) -> None:
        # Operators in time that others of the same pass made.
        self._known = {} if planned is None else planned
        self.fitted, self.source = fitted, source
        self.recipe = fitted.recipe_and_warnings(source.domain)
        self._regressors, self._sample_mask = regressors, sample_mask
        self.coverage: Coverage | None = None
        eigen = self.recipe.eigen is not None
        # An eigenvariate is made of cleaned voxels, and itself standardized afterwards.
        cleaning = replace(fitted.in_time.cleaning, header_t_r=source.tr)
        self.time = self._planned(replace(cleaning, standardize=None) if eigen else cleaning, regressors)

    def _planned(self, settings: CleaningSettings, regressors: NDArray | None) -> TemporalOperator:
        runs = self.fitted.in_time.runs
        key = (settings, id(regressors), id(self._sample_mask), runs)
        if key not in self._known:
            self._known[key] = plan_cleaning(
                self.source.n_samples,
                settings,
                confounds=regressors,
                sample_mask=self._sample_mask,
                runs=runs,
                name=self.source.name,
            )
        return self._known[key]

    def request(self) -> Request:
        request = self.recipe.request(self.source, self.time.kept, self.fitted.held_as(self.source))
        watched = None
        if self.fitted.in_time.min_coverage is not None:
            watched = np.arange(self.source.domain.n_points)
        return replace(request, time=self.time, watched=watched)

    def eigenvariates(self, source: Source, progress: Progress | None) -> Extracted:
        assert self.recipe.eigen is not None
        standardize = CleaningSettings(standardize=self.fitted.in_time.cleaning.standardize)
        return self.recipe.eigen.extract(source, self.time, self._planned(standardize, None), progress)

    def finished(self, answer: Extracted) -> NDArray:
        """Warn of what was lost or replaced, fill the columns without a point here, and cast."""
        # Lazy: a masker of voxels has some hundred thousand, and messages name a few.
        names = self.fitted.names
        warn_of_lost(self.recipe, self.source.name, self.fitted.column, names)
        if answer.n_nonfinite is not None:
            warn_of_nonfinite(self.recipe, self.source.name, self.fitted.column, names, answer)
        if len(self.recipe.lost):
            answer.values[:, self.recipe.lost] = self.recipe.fill
        least = self.fitted.in_time.min_coverage
        if least is not None:
            seen = answer.has_data
            if seen is None:  # eigenvariates have passes of their own
                seen = has_data(self.source, self.time.kept)
            self.coverage = self.fitted.atlas.coverage(self.source.domain, seen)
            _blank_uncovered(answer.values, least, self.coverage, self.source.name, self.fitted.column, names)
        dtype = self.fitted.result_dtype(self.source, self._regressors is not None)
        auto = is_auto(self.fitted.in_time.dtype)
        return final_dtype(answer.values, dtype, names, self.source.name, auto)


def has_data(source: Source, kept: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Points that are finite and not 0 in at least one of some samples, from one pass; (n_points,)."""
    found = np.zeros(source.domain.n_points, dtype=bool)
    with streamed(source, kept) as blocks:
        for block in blocks:
            found[block.points] |= (np.isfinite(block.values) & (block.values != 0)).any(axis=0)
    return found


def high_variance_components(
    source: Source,
    sample_mask: SampleMaskLike | None = None,
    runs: Any = None,
    n_confounds: int = 5,
    percentile: float = 2.0,
) -> NDArray[np.float64]:
    """Components of the most variable points of a source, from two passes over it; (n_samples, n_confounds).

    Censored samples take no part; their rows are 0.
    """
    kept = plan_cleaning(
        source.n_samples, CleaningSettings(), sample_mask=sample_mask, runs=runs, name=source.name
    ).kept
    return streamed_high_variance(source, kept, n_confounds=n_confounds, percentile=percentile)


def _beside(left: NDArray | None, right: NDArray | None) -> NDArray | None:
    given = [part for part in (left, right) if part is not None]
    return np.hstack(given) if given else None


def warn_of_lost(recipe: Recipe, source_name: str, column: str, names: Sequence[str]) -> None:
    """Warn of what is particular to the domain, and name the columns without a point there."""
    for note in recipe.notes:
        warn(f"{source_name}: {note}")
    if not len(recipe.lost):
        return
    plural = "s have" if len(recipe.lost) > 1 else " has"
    held = sorted({"NaN" if np.isnan(value) else f"{value:g}" for value in recipe.fill})
    some = [names[i] for i in recipe.lost[:N_NAMED]]
    more = f" and {len(recipe.lost) - N_NAMED} more" if len(recipe.lost) > N_NAMED else ""
    warn(
        f"{source_name}: {len(recipe.lost)} {column}{plural} no {recipe.point} in this image: "
        f"{listed(some)}{more}. Columns stay where they are; these hold {' or '.join(held)}. {recipe.why_lost}"
    )


def warn_of_nonfinite(
    recipe: Recipe, source_name: str, column: str, names: Sequence[str], answer: Extracted
) -> None:
    """Warn of the columns that values which are NaN or infinite touch."""
    space = recipe.touched_by or recipe.space
    if not space.is_linear or answer.n_nonfinite is None:
        return
    # Shares of samples, by the operator itself: as much of a column as its weights of the points say.
    bad = space.forward((answer.n_nonfinite / answer.n_read)[None].astype(np.float64))[0]
    if recipe.voxelwise:
        n_points = int((bad > 0).sum())
        if n_points:
            warn(
                f"{source_name}: {n_points} of {len(bad)} {plural_of(recipe.point)} have values that are NaN "
                "or infinite; they count as 0."
            )
        return
    whole = space.forward(np.ones((1, space.n_points)))[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.nan_to_num(np.abs(bad / whole))
    touched = np.flatnonzero(shares > 0)
    if not len(touched):
        return
    how = "are left out of the average" if recipe.omit_nonfinite else "count as 0"
    warn(
        f"{source_name}: values that are NaN or infinite {how}; {column}s touched, with the share of their values: "
        f"{_with_shares(touched, shares, names, '.1%')}."
    )


def _blank_uncovered(
    values: NDArray,
    least: float,
    coverage: tuple[NDArray, NDArray],
    source_name: str,
    column: str,
    names: Sequence[str],
) -> None:
    """Put NaN into the columns that an image covers less than `min_coverage` asks."""
    expected, found = coverage
    with np.errstate(invalid="ignore", divide="ignore"):
        # A column that expects nothing is 0 / 0, hence covered by nothing: the negation takes it too.
        poor = np.flatnonzero(~(found / expected >= least))
    if not len(poor):
        return
    values[:, poor] = np.nan
    shares = found / np.maximum(expected, 1)
    warn(
        f"{source_name}: {len(poor)} {column}s are covered less than min_coverage={least:g}; "
        f"their columns are NaN: {_with_shares(poor, shares, names, '.0%')}."
    )


def _with_shares(columns: NDArray[np.intp], shares: NDArray, names: Sequence[str], style: str) -> str:
    some = ", ".join(f"{names[i]!r} ({shares[i]:{style}})" for i in columns[:N_NAMED])
    return some + (f" and {len(columns) - N_NAMED} more" if len(columns) > N_NAMED else "")
