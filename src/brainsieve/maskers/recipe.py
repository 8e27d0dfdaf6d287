"""What a masker asks of the engine for images on one domain, and how the answer is made.

A masker is a recipe: it compiles its parameters to a `Recipe` for a domain, and `signals_of` streams a source
through the recipes of one or more maskers in a single pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.extract import Extracted, Progress, Request, extract
from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.temporal.operator import CleaningSettings, TemporalOperator, plan_cleaning
from brainsieve.logs import warn
from brainsieve.maskers.eigenvariate import Eigenvariates
from brainsieve.tables import read_confounds

# Warnings name this many regions and count the others.
N_NAMED = 8


@dataclass(frozen=True)
class Recipe:
    """A masker compiled for one domain.

    Attributes
    ----------
    space : SpatialOperator
        From points of the domain to the masker's columns.
    voxelwise : bool
        Whether a column is a point; such results are as large as the run and are held in float32 if it is.
    clip : bool
        Clip to the range of the run (voxels that were interpolated).
    omit_nonfinite : bool
        Average the finite points only.
    lost : array of int
        Columns without a single point in this domain.
    coverage : array of shape (n_features,) or None
        Share of each column's points that lie in this domain; None: all of all.
    fill : float or array
        Value of the columns that are lost, for all or for each of `lost`.
    notes : tuple of str
        Warnings about this domain, to be given at each transform.
    touched_by : SpatialOperator or None
        A linear operator that tells which columns a point belongs to, where `space` itself is not linear.
    eigen : Eigenvariates or None
        Set where a column is the first component of its voxels: that takes the cleaned voxels, region by
        region, and not `space`.
    point : str
        What a point of the domain is called in warnings.
    why_lost : str
        How columns come to be lost here, and what keeps them.
    """

    space: SpatialOperator
    voxelwise: bool = False
    clip: bool = False
    omit_nonfinite: bool = False
    lost: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    coverage: NDArray[np.float64] | None = None
    fill: float | NDArray[np.float64] = np.nan
    notes: tuple[str, ...] = ()
    touched_by: SpatialOperator | None = None
    eigen: Eigenvariates | None = None
    point: str = "voxel"
    why_lost: str = (
        "They are outside the field of view, or were lost when the atlas was resampled to the image; "
        "resampling_target='labels' (or 'maps') keeps small ones."
    )


@dataclass(frozen=True)
class Order:
    """One masker's share of a pass: its recipe, what is done in time, and how to name things."""

    recipe: Recipe
    settings: CleaningSettings
    names: Sequence[str]
    what: str  # "region", "map", "sphere", "voxel"
    held_as: np.dtype
    high_variance: bool = False
    runs: Any = None


def signals_of(
    source: Source,
    orders: Sequence[Order],
    confounds: Any = None,
    sample_mask: Any = None,
    *,
    progress: Progress | None = None,
    n_threads: int | None = None,
) -> list[NDArray]:
    """Extract and clean what several maskers want of a run, in one pass over it.

    Returns
    -------
    list of arrays of shape (n_samples kept, n_features)
    """
    regressors = read_confounds(confounds, source.n_samples, name=source.name)
    high_variance = None
    if any(order.high_variance for order in orders):
        high_variance = high_variance_components(source, sample_mask, orders[0].runs)

    def planned(order: Order, **changes: Any) -> TemporalOperator:
        return plan_cleaning(
            source.n_samples,
            replace(order.settings, header_t_r=source.tr, **changes),
            confounds=_beside(regressors, high_variance if order.high_variance else None),
            sample_mask=sample_mask,
            runs=order.runs,
            name=source.name,
        )

    def standardized(order: Order) -> TemporalOperator:
        settings = CleaningSettings(standardize=order.settings.standardize)
        return plan_cleaning(
            source.n_samples, settings, sample_mask=sample_mask, runs=order.runs, name=source.name
        )

    in_one_pass = [order for order in orders if order.recipe.eigen is None]
    requests = [
        Request(
            space=order.recipe.space,
            time=planned(order),
            dtype=order.held_as,
            clip=order.recipe.clip,
            omit_nonfinite=order.recipe.omit_nonfinite,
        )
        for order in in_one_pass
    ]
    answers = iter(extract(source, requests, progress=progress, n_threads=n_threads) if requests else [])
    results = []
    for order in orders:
        if order.recipe.eigen is None:
            answer = next(answers)
        else:
            answer = order.recipe.eigen.extract(
                source, planned(order, standardize=None), standardized(order), progress
            )
        results.append(_finished(order, source, answer))
    return results


def _finished(order: Order, source: Source, answer: Extracted) -> NDArray:
    """Warn of what was lost or replaced, and fill the columns of regions that have no point here."""
    _warn_of_lost(order, source)
    if answer.n_nonfinite is not None:
        _warn_of_nonfinite(order, source, answer.n_nonfinite, answer.n_read)
    if len(order.recipe.lost):
        answer.values[:, order.recipe.lost] = order.recipe.fill
    return answer.values


def high_variance_components(
    source: Source,
    sample_mask: Any = None,
    runs: Any = None,
    n_confounds: int = 5,
    percentile: float = 2.0,
) -> NDArray[np.float64]:
    """Components of the most variable points of a source, from two passes over it; (n_samples, n_confounds).

    Censored samples take no part; their rows are 0.
    """
    from brainsieve.engine.temporal.high_variance import streamed_high_variance

    kept = plan_cleaning(
        source.n_samples, CleaningSettings(), sample_mask=sample_mask, runs=runs, name=source.name
    ).kept
    return streamed_high_variance(source, kept, n_confounds=n_confounds, percentile=percentile)


def _beside(left: NDArray | None, right: NDArray | None) -> NDArray | None:
    given = [part for part in (left, right) if part is not None]
    return np.hstack(given) if given else None


def listed(names: Sequence[str]) -> str:
    """Names for a warning: the first few, and how many more there are."""
    text = ", ".join(repr(str(name)) for name in names[:N_NAMED])
    return text if len(names) <= N_NAMED else f"{text} and {len(names) - N_NAMED} more"


def _warn_of_lost(order: Order, source: Source) -> None:
    for note in order.recipe.notes:
        warn(f"{source.name}: {note}")
    lost = order.recipe.lost
    if not len(lost):
        return
    names = [order.names[i] for i in lost]
    plural = "s have" if len(lost) > 1 else " has"
    warn(
        f"{source.name}: {len(lost)} {order.what}{plural} no {order.recipe.point} in this image: "
        f"{listed(names)}. Columns stay where they are; these hold {_fill_text(order.recipe.fill)}. "
        f"{order.recipe.why_lost}",
    )


def plural_of(point: str) -> str:
    return "vertices" if point == "vertex" else f"{point}s"


def _fill_text(fill: float | NDArray[np.float64]) -> str:
    return " or ".join(sorted({"NaN" if np.isnan(value) else f"{value:g}" for value in np.atleast_1d(fill)}))


def _warn_of_nonfinite(order: Order, source: Source, n_nonfinite: NDArray, n_read: int) -> None:
    space = order.recipe.touched_by or order.recipe.space
    if not space.is_linear:
        return
    bad = space.forward((n_nonfinite / n_read)[None].astype(np.float64))[0]
    if order.recipe.voxelwise:
        n_voxels = int((bad > 0).sum())
        if n_voxels:
            warn(
                f"{source.name}: {n_voxels} of {len(bad)} {plural_of(order.recipe.point)} have values that are NaN "
                "or infinite; "
                "they count as 0.",
            )
        return
    whole = space.forward(np.ones((1, space.n_points)))[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.nan_to_num(np.abs(bad / whole))
    touched = np.flatnonzero(shares > 0)
    if not len(touched):
        return
    named = ", ".join(f"{order.names[i]!r} ({shares[i]:.1%})" for i in touched[:N_NAMED])
    more = f" and {len(touched) - N_NAMED} more" if len(touched) > N_NAMED else ""
    how = "are left out of the average" if order.recipe.omit_nonfinite else "count as 0"
    warn(
        f"{source.name}: values that are NaN or infinite {how}; "
        f"{order.what}s touched, with the share of their values: {named}{more}.",
    )
