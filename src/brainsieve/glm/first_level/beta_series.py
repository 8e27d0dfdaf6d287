"""Beta series: the effect of each trial, from one pass over each run.

Least squares all (LSA): every trial is a condition of its own in one model. Least squares separate (LSS): a
model for each trial, in which the others keep their condition. The columns of every LSS design are
combinations of those of the LSA design, hence all of its sums are combinations of the sums of that one: runs
are read once, whatever the number of trials. Mumford et al. 2012, doi:10.1016/j.neuroimage.2011.08.076;
Rissman et al. 2004, doi:10.1016/j.neuroimage.2004.06.035.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from brainsieve.checks import one_of
from brainsieve.glm.designs import Span, listed
from brainsieve.glm.estimates import Model, grouped, points_of_groups
from brainsieve.glm.first_level.design_matrix import condition_columns, make_first_level_design_matrix
from brainsieve.glm.first_level.events import Events, read_events
from brainsieve.glm.first_level.inputs import runs_of
from brainsieve.glm.first_level.model import FirstLevelModel, Plan, scaled_blocks, scaling_of
from brainsieve.glm.first_level.regressors import Kernel, checked_delays, finished_columns, kernels_of
from brainsieve.glm.first_level.series import RunSeries
from brainsieve.glm.sums import Lags, Sums, gather, with_constant
from brainsieve.logs import log, warn
from brainsieve.typing import ConfoundsLike, ImagesLike, SampleMaskLike, TableLike

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class BetaSeries:
    """The effects of trials.

    Attributes
    ----------
    images : dict of str to image
        Of each condition: one sample for each trial, in the order of runs and of time.
    trials : pandas.DataFrame
        One row for each trial, in the order of runs and of time: ``run``, ``trial_type``, ``trial`` (its own name),
        ``onset``, ``duration``.
    effects : array of shape (n_trials, n_elements)
        In the order of `trials`, in the units of the scaled series. NaN where a trial cannot be estimated.
    masker : fitted masker
    """

    images: dict[str, Any]
    trials: pd.DataFrame
    effects: NDArray[np.float64]
    masker: Any


def beta_series(
    model: FirstLevelModel,
    run_imgs: ImagesLike,
    events: TableLike | Sequence[TableLike],
    confounds: ConfoundsLike | None = None,
    sample_masks: SampleMaskLike | None = None,
    *,
    method: Literal["lss", "lsa"] = "lss",
    conditions: Sequence[str] | None = None,
    bins: int = 100,
) -> BetaSeries:
    """Estimate the effect of each trial.

    Parameters
    ----------
    model : FirstLevelModel
        Says how: mask, responses, drifts, noise, scaling. It need not be fitted, and stays as it is.
    run_imgs : image, or sequence of images
        4-D volumes, surface images with samples, or CIFTI series; one for each run.
    events : data frame, path, or list of these
        One for each run; see `make_first_level_design_matrix`.
    confounds : data frame, array, path, or list of these, default=None
        One for each run; columns of the design, taken as they are.
    sample_masks : array or list of arrays, default=None
        Volumes to keep, as positions or flags; None for a run: all.
    method : {"lss", "lsa"}, default="lss"
        A model for each trial, or one model of all.
    conditions : sequence of str, default=None
        Whose trials are estimated; others stay conditions. None: all.
    bins : int, default=100
        For "ar1" coefficients are cut to multiples of 1 / bins, towards 0; see `run_glm`.

    Returns
    -------
    series : BetaSeries

    Raises
    ------
    TypeError, ValueError
        As `FirstLevelModel.fit`; and for a condition that no run has, and a response model ("fir", callables) without a
        column that is the trial's effect.

    Notes
    -----
    The same as fitting ``FirstLevelModel`` with renamed trials, once for each, and computing the effect of the trial.
    Where derivatives are in the model, the effect is that of the main column.
    """
    one_of("lss", "lsa")("method", method)
    plan = model._checked(bins)
    _refuse_no_main_column(model.hrf_model)
    runs = runs_of(run_imgs)
    tables = model._tables(len(runs), events, confounds, sample_masks, None)
    masker = model._masker(runs)
    series = [RunSeries(masker, img, mask) for img, mask in zip(runs, tables["sample_masks"], strict=True)]
    named = [Trials.of(read_events(table), conditions) for table in tables["events"]]
    _refuse_unknown(conditions, named)
    effects, rows = [], []
    for i, (run, trials) in enumerate(zip(series, named, strict=True)):
        log(plan.verbose, 1, f"beta_series: {run.name}, {len(trials.positions)} trials.")
        regressors = model._confounds(run, tables["confounds"][i])
        effects.append(_effects_of_run(model, run, trials, regressors, method, plan))
        rows += [{"run": i, **row} for row in trials.rows()]
    return _assembled(masker, np.concatenate(effects), rows)


def _assembled(masker: Any, effects: NDArray[np.float64], rows: list[dict[str, Any]]) -> BetaSeries:
    import pandas as pd

    trials = pd.DataFrame(rows, columns=["run", "trial_type", "trial", "onset", "duration"])
    images = {
        condition: masker.inverse_transform(effects[(trials["trial_type"] == condition).to_numpy()])
        for condition in sorted(set(trials["trial_type"]))
    }
    return BetaSeries(images, trials, effects, masker)


def _refuse_no_main_column(hrf_model: Any) -> None:
    if hrf_model is not None and (not isinstance(hrf_model, str) or hrf_model.lower() == "fir"):
        raise ValueError(
            "beta_series needs a response whose first column is the trial's effect: 'spm', 'glover', "
            "these with derivatives, "
            f"or None; hrf_model is {hrf_model!r}."
        )


def _refuse_unknown(conditions: Sequence[str] | None, named: Sequence[Trials]) -> None:
    there = sorted({condition for trials in named for condition in trials.events.conditions})
    unknown = [name for name in conditions or [] if name not in there]
    if unknown:
        raise ValueError(f"conditions: no run has {listed(unknown)}; there are {listed(there)}.")


# -- trials ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Trials:
    """The trials of a run that are estimated one by one.

    Attributes
    ----------
    events : Events
    positions : array of int, shape (n_trials,)
        Their rows, in the order of time.
    names : list of str
        ``condition__001``, …, numbered within the condition.
    """

    events: Events
    positions: NDArray[np.intp]
    names: list[str]

    @classmethod
    def of(cls, events: Events, conditions: Sequence[str] | None) -> Trials:
        wanted = events.conditions if conditions is None else [str(name) for name in conditions]
        order = np.argsort(events.onset, kind="stable")
        positions = order[np.isin(events.trial_type[order], wanted)]
        counts: dict[str, int] = {}
        names = []
        for kind in events.trial_type[positions].tolist():
            counts[kind] = counts.get(kind, 0) + 1
            names.append(f"{kind}__{counts[kind]:03d}")
        return cls(events, positions, names)

    def rows(self) -> Iterator[dict[str, Any]]:
        """What is known of each."""
        for at, name in zip(self.positions, self.names, strict=True):
            yield {
                "trial_type": str(self.events.trial_type[at]),
                "trial": name,
                "onset": float(self.events.onset[at]),
                "duration": float(self.events.duration[at]),
            }

    def renamed(self) -> Events:
        """Events in which each trial is a condition of its own."""
        types = self.events.trial_type.astype(object)
        types[self.positions] = self.names
        names = types.astype(str)
        events = self.events
        return Events(events.onset, events.duration, events.modulation, names, sorted(set(names.tolist())))


@dataclass(frozen=True, eq=False)
class _Columns:
    """Columns of a run's designs before they are put together; of all volumes, those that are left out among them.

    Attributes
    ----------
    trials : list of array of shape (n_samples, n_kernels)
        Of each trial, not yet orthogonalized; these add up.
    others : dict of str to array of shape (n_samples, n_kernels)
        Of the events of each condition that are no trials.
    rest : array of shape (n_samples, n_rest)
        Confounds, drifts, constant.
    hrf_model : str or None
    kept : array of int
        The volumes that are kept: columns are orthogonalized before, as in designs of whole runs.
    """

    trials: list[NDArray[np.float64]]
    others: dict[str, NDArray[np.float64]]
    rest: NDArray[np.float64]
    hrf_model: Any
    kept: NDArray[np.intp]

    def all_separate(self) -> NDArray[np.float64]:
        """The design in which each trial is a condition."""
        return self._design([*self.trials, *self.others.values()])

    def of_trial(self, i: int, kinds: Sequence[str]) -> NDArray[np.float64]:
        """The design in which trial i alone is a condition of its own; its column is the first."""
        together: dict[str, NDArray[np.float64]] = dict(self.others)
        for j, (kind, block) in enumerate(zip(kinds, self.trials, strict=True)):
            if j != i:
                together[kind] = together.get(kind, 0) + block
        return self._design([self.trials[i], *together.values()])

    def _design(self, blocks: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        finished = [finished_columns(block, self.hrf_model) for block in blocks]
        return np.hstack([*finished, self.rest])[self.kept]


def _columns_of(model: FirstLevelModel, run: RunSeries, trials: Trials, regressors: Any) -> _Columns:
    times = model._frame_times(run)
    hrf_model = model.hrf_model.lower() if isinstance(model.hrf_model, str) else model.hrf_model
    kernels: list[Kernel] = kernels_of(hrf_model, checked_delays(None), times)
    renamed = trials.renamed()
    raw = condition_columns(renamed, kernels, times, min_onset=model.min_onset, exact=model.exact)
    rest = make_first_level_design_matrix(
        times, None, add_regs=regressors, **{**model.design_parameters(), "hrf_model": None}
    ).to_numpy()
    own = set(trials.names)
    return _Columns(
        [raw[name] for name in trials.names],
        {name: block for name, block in raw.items() if name not in own},
        rest,
        hrf_model,
        run.kept,
    )


# -- one run -----------------------------------------------------------------------------------------------


def _effects_of_run(
    model: FirstLevelModel, run: RunSeries, trials: Trials, regressors: Any, method: str, plan: Plan
) -> NDArray[np.float64]:
    """Effects (n_trials, n_points) in the units of scaled series."""
    columns = _columns_of(model, run, trials, regressors)
    design = columns.all_separate()
    span = Span.of(design)
    lags = Lags(with_constant(span), plan.noise.order, run.stretch)
    sums, first = gather(scaled_blocks(run, plan)(), lags, run.n_points, subtract_first=True)
    if method == "lsa":
        width = columns.trials[0].shape[1] if columns.trials else 1
        mains = [i * width for i in range(len(columns.trials))]
        effects, lost = _rows_of(span, mains, Model(span, [], plan.noise), sums)
    else:
        effects, lost = _separate(columns, trials, lags.basis, sums, plan)
    if lost:
        names = listed([trials.names[i] for i in lost])
        warn(f"{run.name}: trials that cannot be told from other columns of the design are NaN: {names}.")
    n = len(run.kept)
    squares = np.maximum(sums.squares[0, 0] - sums.total**2 / n, 0)
    scaling = scaling_of(run, plan, first + sums.total / n, np.sqrt(squares / max(n - 1, 1)))
    run.release()
    return np.where(run.missing, np.nan, effects * scaling.factor)


def _separate(
    columns: _Columns, trials: Trials, basis: NDArray[np.float64], sums: Sums, plan: Plan
) -> tuple[NDArray[np.float64], list[int]]:
    """Each trial in a model of its own, whose design is the basis times a small matrix."""
    kinds = trials.events.trial_type[trials.positions].tolist()
    effects, lost = np.zeros((len(kinds), sums.total.size)), []
    for i in range(len(kinds)):
        # Of unit columns, lest the rank depend on units.
        span = Span.of(basis.T @ columns.of_trial(i, kinds))
        part = _with_ones(span.basis, sums.ones)
        effects[i : i + 1], bad = _rows_of(span, [0], Model(span, [], plan.noise), sums.within(part))
        lost += [i] if bad else []
    return effects, lost


def _with_ones(part: NDArray[np.float64], ones: NDArray[np.float64]) -> NDArray[np.float64]:
    """A part of a basis, and what it lacks of the constant as a last column."""
    rest = ones - part @ (part.T @ ones)
    length = np.linalg.norm(rest)
    return part if length < 1e-9 * np.linalg.norm(ones) else np.column_stack([part, rest / length])


def _rows_of(
    span: Span, columns: Sequence[int], model: Model, sums: Sums
) -> tuple[NDArray[np.float64], list[int]]:
    """Coefficients of some columns, (n, n_points), and which of them cannot be estimated."""
    rows, rank = span.back[list(columns)], span.rank
    rho, group = grouped(model.autocorrelations(sums), model.noise)
    products, none = _whitened_products(sums, rho[group], rank), sums.of(group[:0])
    effects = np.zeros((len(rows), len(group)))
    for i, points in points_of_groups(group, len(rho)):
        weights = rows @ linalg.inv(none.whitened(rho[i])[0][:rank, :rank])
        effects[:, points] = weights @ products[:, points]
    unit = np.eye(span.n_columns)
    lost = [i for i, column in enumerate(columns) if not span.estimable(unit[column])]
    effects[lost] = np.nan
    return effects, lost


def _whitened_products(sums: Sums, rho: NDArray[np.float64], rank: int) -> NDArray[np.float64]:
    """Q'W'Wy where each point has a filter of its own; (rank, n_points)."""
    whitened = sums.products[0, 0][:rank].copy()
    a = np.concatenate([np.ones((1, len(rho))), -rho.T])
    for (j, k), products in sums.products.items():
        if j:
            whitened += a[j] * a[k] * products[:rank]
    return whitened
