"""FirstLevelModel: a linear model of the runs of one subject, fitted to every point."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from brainsieve.caching import cached, digest, effective_level, memory_for
from brainsieve.checks import a_bool, a_positive_number_or_none, a_share_or_none, found, one_of
from brainsieve.engine.source.timing import PLAUSIBLE_TR
from brainsieve.glm.contrasts import Contrast, StatType, checked_stat_type, fixed_effects
from brainsieve.glm.estimates import Estimate, Noise
from brainsieve.glm.first_level.design_matrix import make_first_level_design_matrix
from brainsieve.glm.first_level.inputs import confounds_of, design_of, per_run, runs_of
from brainsieve.glm.first_level.masks import masker_of
from brainsieve.glm.first_level.regressors import checked_delays
from brainsieve.glm.first_level.scaling import (
    Mode,
    Scaling,
    mode_of,
    percent_of_mean,
    percent_of_volume,
    z_scores,
)
from brainsieve.glm.first_level.series import RunSeries
from brainsieve.glm.fitting import FittedSeries, fit_series
from brainsieve.glm.reports import ReportedModel
from brainsieve.glm.results import RegressionResults, results_of
from brainsieve.logs import log, warn
from brainsieve.maskers.declared import keep_parameters
from brainsieve.tables.expressions import expression_to_contrast_vector
from brainsieve.typing import ConfoundsLike, ImagesLike, MemoryLike, NiimgLike, SampleMaskLike, TableLike

if TYPE_CHECKING:
    import pandas as pd

OUTPUTS = ("z_score", "stat", "p_value", "effect_size", "effect_variance")
OutputType = Literal["z_score", "stat", "p_value", "effect_size", "effect_variance", "all"]
TITLES = {
    "z_score": "z-score",
    "stat": "statistic",
    "p_value": "p-value",
    "effect_size": "effect size",
    "effect_variance": "effect variance",
}


@dataclass(frozen=True, eq=False)
class FittedRun:
    """A run that was fitted.

    Attributes
    ----------
    estimate : Estimate
        In the units of the scaled series.
    scaling : Scaling
    name : str
    series : RunSeries or None
        Where the series come from; kept for residuals.
    """

    estimate: Estimate
    scaling: Scaling
    name: str
    series: RunSeries | None = None


class FirstLevelModel(ReportedModel, BaseEstimator):
    """A general linear model of one subject's runs.

    Runs are read once, block by block: what is kept of them does not grow with their length.

    Parameters
    ----------
    t_r : float, default=None
        Seconds between two volumes; needed with events.
    slice_time_ref : float, default=0.0
        When in that time the slices were taken, as a share of it.
    hrf_model : str, callable, list of callables or None, default="glover"
        "spm" or "glover", with " + derivative" or " + derivative + dispersion"; "fir"; None: the events as they are; or
        ``f(t_r, oversampling)`` giving a kernel on the grid. This and what follows, up to `min_onset`, is of
        no use where designs are given.
    drift_model : {"cosine", "polynomial", None}, default="cosine"
    high_pass : float, default=0.01
        Hertz: cosines slower than this are in the design.
    drift_order : int, default=1
        Of the polynomial.
    fir_delays : sequence of float, default=None
        Samples, for "fir". None: 0 only.
    min_onset : float, default=-24
        Seconds relative to the first sample; events that are over before take no part.
    mask_img : image, fitted masker, False or None, default=None
        Which points. None: computed from all runs; False: all. A masker of any kind is used as it is, but for its
        `standardize`.
    target_affine : array of shape (3, 3) or (4, 4), default=None
        Of the grid that volumes are resampled to, by the masker that is made.
    target_shape : triple of int, default=None
        Of that grid.
    smoothing_fwhm : float, default=None
        Full width at half maximum in mm of a Gaussian, by the masker that is made.
    memory : path or joblib.Memory, default=None
        Where to cache signals and fits. The folder is trusted code (pickles): nobody else may write to it.
    memory_level : int, default=1
        Of the masker that is made.
    standardize : {False, True, "zscore_sample", "psc"}, default=False
        Scale each series to mean 0 and standard deviation 1, or to percent of its mean; then `signal_scaling` has
        nothing more to do.
    signal_scaling : {0, 1, (0, 1), False}, default=0
        Percent of the mean of each point over time (0), of each volume (1) or of all, (0, 1).
    noise_model : {"ar1", "ols", "arN"}, default="ar1"
        White noise, or autoregressive noise of order N.
    verbose : int, default=0
    n_jobs : int, default=1
        Runs at a time.
    minimize_memory : bool, default=True
        Keep estimates only. False also keeps a reference to the runs, which `residuals_` and `predicted_` read again.
    subject_label : str, default=None
    random_state : int, RandomState or None, default=None
        Of the clusters of noise, for orders above 1.
    reports : bool, default=True
        Whether the masker keeps what its report shows.
    exact : bool, default=False
        Designs without a grid, see `make_first_level_design_matrix`.

    Attributes
    ----------
    design_matrices_ : list of pandas.DataFrame
    masker_ : fitted masker
    labels_ : list of array of shape (n_elements_,)
        The noise of each point, for each run.
    results_ : list of dict of label to RegressionResults
    r_square_ : list of images
        1 − Σ residual² / Σ (y − mean)² of series that are not whitened.
    residuals_, predicted_ : list of images
        Y − X β and X β, in the units of the scaled series.

    Notes
    -----
    Autoregressive noise as in Worsley et al. 2002, doi:10.1006/nimg.2001.0933: coefficients are estimated from the
    residuals of least squares and cut to hundredths; points that share them are fitted together.
    """

    def __init__(
        self,
        t_r: float | None = None,
        slice_time_ref: float = 0.0,
        hrf_model: Any = "glover",
        drift_model: Literal["cosine", "polynomial"] | None = "cosine",
        high_pass: float = 0.01,
        drift_order: int = 1,
        fir_delays: Sequence[float] | None = None,
        min_onset: float = -24,
        mask_img: NiimgLike | Any = None,
        target_affine: ArrayLike | None = None,
        target_shape: Sequence[int] | None = None,
        smoothing_fwhm: float | None = None,
        memory: MemoryLike = None,
        memory_level: int = 1,
        standardize: Literal["zscore_sample", "psc"] | bool = False,
        signal_scaling: int | tuple[int, int] | bool = 0,
        noise_model: str = "ar1",
        verbose: int = 0,
        n_jobs: int = 1,
        minimize_memory: bool = True,
        subject_label: str | None = None,
        random_state: int | np.random.RandomState | None = None,
        reports: bool = True,
        exact: bool = False,
    ) -> None:
        keep_parameters(self, locals())

    # -- fit -------------------------------------------------------------------------------------------

    def fit(
        self,
        run_imgs: ImagesLike,
        events: TableLike | Sequence[TableLike] | None = None,
        confounds: ConfoundsLike | None = None,
        sample_masks: SampleMaskLike | None = None,
        design_matrices: TableLike | Sequence[TableLike] | None = None,
        bins: int = 100,
    ) -> FirstLevelModel:
        """Fit the model.

        Parameters
        ----------
        run_imgs : image, or sequence of images
            4-D volumes, surface images with samples, or CIFTI series; one for each run.
        events : data frame, path, or list of these, default=None
            One for each run; see `make_first_level_design_matrix`.
        confounds : data frame, array, path, or list of these, default=None
            One for each run; columns of the design, taken as they are.
        sample_masks : array or list of arrays, default=None
            Volumes to keep, as positions or flags; None for a run: all.
        design_matrices : data frame, path, array, or list of these, default=None
            In place of events and confounds. Of all volumes, or of those that are kept.
        bins : int, default=100
            See `run_glm`.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Where an argument is not what it should be; the message names it, the run, rows and columns. The
            model is then not fitted, whatever it was before.
        """
        for name in [name for name in vars(self) if name.endswith("_") or name == "_runs"]:
            delattr(self, name)
        plan = self._checked(bins)
        runs = runs_of(run_imgs)
        tables = self._tables(len(runs), events, confounds, sample_masks, design_matrices)
        masker = self._masker(runs)
        series = [
            RunSeries(masker, img, mask) for img, mask in zip(runs, tables["sample_masks"], strict=True)
        ]
        designs = [self._design(run, i, tables) for i, run in enumerate(series)]
        fit_one = delayed(_fit_run)
        fitted = Parallel(n_jobs=self.n_jobs, backend="threading")(
            fit_one(run, design, plan) for run, design in zip(series, designs, strict=True)
        )
        keeps = not self.minimize_memory
        self._runs: list[FittedRun] = [run if keeps else replace(run, series=None) for run in fitted]
        self.masker_, self.design_matrices_ = masker, designs
        self.n_elements_ = int(masker.n_elements_)
        return self

    def _checked(self, bins: int) -> Plan:
        a_positive_number_or_none("t_r", self.t_r)
        if self.t_r is not None and self.t_r > PLAUSIBLE_TR[1]:
            raise ValueError(
                f"t_r is in seconds; {self.t_r:g} was given, which no scan takes. Is it in milliseconds? Give "
                f"{self.t_r / 1000:g}."
            )
        if self.slice_time_ref is None:
            raise TypeError("slice_time_ref must be a share, from 0 to 1; None was given.")
        a_share_or_none("slice_time_ref", self.slice_time_ref)
        one_of(False, None, True, "zscore_sample", "psc")("standardize", self.standardize)
        a_bool("minimize_memory", self.minimize_memory)
        mode = mode_of(self.signal_scaling)
        standardize = "zscore_sample" if self.standardize is True else self.standardize
        if standardize == "psc":
            mode = mode or "point"
        elif standardize == "zscore_sample" and mode is not None:
            if mode != "point":
                raise ValueError(
                    f"standardize={self.standardize!r} and signal_scaling={self.signal_scaling!r} exclude each other."
                )
            mode = None
        memory = memory_for(self.memory, int(self.verbose))
        level = effective_level(self.memory, self.memory_level)
        noise = Noise.of(self.noise_model, bins, self.random_state)
        return Plan(noise, mode, standardize == "zscore_sample", memory, level, int(self.verbose))

    def _tables(self, n_runs: int, *given: Any) -> dict[str, list[Any]]:
        names = ("events", "confounds", "sample_masks", "design_matrices")
        tables = {name: per_run(name, value, n_runs) for name, value in zip(names, given, strict=True)}
        events, confounds, _, designs = given
        if designs is None and events is None:
            raise ValueError("Neither events nor design_matrices were given; give one of them.")
        if designs is not None:
            unused = [
                name for name, value in (("events", events), ("confounds", confounds)) if value is not None
            ]
            if unused:
                warn(f"design_matrices are given: {' and '.join(unused)} are not used.")
        elif self.t_r is None:
            raise ValueError("t_r, the seconds between two volumes, is needed to make designs of events.")
        return tables

    def _masker(self, runs: list[Any]) -> Any:
        names = ("target_affine", "target_shape", "smoothing_fwhm", "memory", "memory_level", "reports")
        parameters = {name: getattr(self, name) for name in names} | {
            "verbose": max(0, int(self.verbose) - 1)
        }
        return masker_of(self.mask_img, parameters, runs)

    def _design(self, run: RunSeries, i: int, tables: dict[str, list[Any]]) -> pd.DataFrame:
        if tables["design_matrices"][i] is not None:
            return design_of(tables["design_matrices"][i], run.n_samples, run.kept, run.name)
        design = make_first_level_design_matrix(
            self._frame_times(run),
            tables["events"][i],
            add_regs=self._confounds(run, tables["confounds"][i]),
            **self.design_parameters(),
        )
        return design.iloc[run.kept]

    def _frame_times(self, run: RunSeries) -> NDArray[np.float64]:
        """Seconds of the volumes of a run, those that are left out among them."""
        assert self.t_r is not None
        return (np.arange(run.n_samples) + self.slice_time_ref) * self.t_r

    @staticmethod
    def _confounds(run: RunSeries, confounds: Any) -> pd.DataFrame | None:
        table = confounds_of(confounds, run.n_samples, run.name, run.kept)
        if table is not None:
            # What stands in volumes that are left out cannot matter.
            left_out = np.setdiff1d(np.arange(run.n_samples), run.kept)
            table.iloc[left_out] = table.iloc[left_out].fillna(0.0).replace([np.inf, -np.inf], 0.0)
        return table

    def design_parameters(self) -> dict[str, Any]:
        """The parameters of designs, as `make_first_level_design_matrix` takes them."""
        names = ("hrf_model", "drift_model", "high_pass", "drift_order", "fir_delays", "min_onset", "exact")
        return {name: getattr(self, name) for name in names}

    # -- what was fitted -------------------------------------------------------------------------------

    def __sklearn_is_fitted__(self) -> bool:
        return "_runs" in vars(self)

    def _fitted_runs(self) -> list[FittedRun]:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with appropriate arguments before "
                "using this estimator."
            )
        return self._runs

    @property
    def labels_(self) -> list[NDArray]:
        """The noise of each point, for each run."""
        return [labels for labels, _ in self._label_results()]

    @property
    def results_(self) -> list[dict[Any, RegressionResults]]:
        """What was fitted to the points of each label, for each run."""
        return [results for _, results in self._label_results()]

    def _label_results(self) -> list[tuple[NDArray, dict[Any, RegressionResults]]]:
        runs = self._fitted_runs()
        return self.__dict__.setdefault("_by_label_", [results_of(run.estimate) for run in runs])

    @property
    def mask_img_(self) -> Any:
        """Image of the mask; None where the masker has none."""
        self._fitted_runs()
        return self.masker_.mask_img_

    @property
    def fir_delays_(self) -> list[float]:
        """Delays of the "fir" model, in samples."""
        self._fitted_runs()
        return checked_delays(self.fir_delays)

    @property
    def r_square_(self) -> list[Any]:
        """Share of the variance of each point that the model explains, an image for each run."""
        return [self.masker_.inverse_transform(run.estimate.r_square[None]) for run in self._fitted_runs()]

    @property
    def predicted_(self) -> list[Any]:
        """X β, an image for each run."""
        runs = self._with_series("predicted_")
        return [
            self.masker_.inverse_transform(design.to_numpy() @ run.estimate.coefficients)
            for run, design in zip(runs, self.design_matrices_, strict=True)
        ]

    @property
    def residuals_(self) -> list[Any]:
        """Y − X β, an image for each run; the runs are read again."""
        runs = self._with_series("residuals_")
        return [
            self.masker_.inverse_transform(_residuals(run, design.to_numpy(), self.signal_scaling))
            for run, design in zip(runs, self.design_matrices_, strict=True)
        ]

    # -- names of nilearn before 0.13, which its scripts still have ------------------------------------

    @property
    def residuals(self) -> list[Any]:
        """Deprecated: `residuals_`."""
        return self._renamed("residuals")

    @property
    def predicted(self) -> list[Any]:
        """Deprecated: `predicted_`."""
        return self._renamed("predicted")

    @property
    def r_square(self) -> list[Any]:
        """Deprecated: `r_square_`."""
        return self._renamed("r_square")

    def _renamed(self, name: str) -> list[Any]:
        warn(f"{name} is deprecated; use {name}_.", FutureWarning)
        return getattr(self, f"{name}_")

    def _with_series(self, name: str) -> list[FittedRun]:
        runs = self._fitted_runs()
        if any(run.series is None for run in runs):
            raise AttributeError(f"{name} needs the runs: fit with minimize_memory=False.")
        return runs

    # -- contrasts -------------------------------------------------------------------------------------

    def compute_contrast(
        self,
        contrast_def: str | ArrayLike | Sequence[str | ArrayLike | None],
        stat_type: StatType | None = None,
        output_type: OutputType = "z_score",
    ) -> Any:
        """Test a combination of columns at every point; over runs, with fixed effects.

        Parameters
        ----------
        contrast_def : str or array, or list of these with one for each run
            Names of columns with ``+``, ``-``, ``* number``, ``/ number``; or weights, of shape (n_columns,) or
            (q, n_columns). A run that lacks a column of a string takes no part, with a warning.
        stat_type : {"t", "F"}, default=None
            None: t for one row, F for several.
        output_type : {"z_score", "stat", "p_value", "effect_size", "effect_variance", "all"}, default="z_score"

        Returns
        -------
        image, or dict of the five where `output_type` is "all"
            p is one-sided. For F, `effect_size` has q volumes of whitened effects, and `effect_variance` the
            dispersion.

        Raises
        ------
        ValueError
            For names that no run has, weights that are all 0 or longer than the design, and unknown types.
        """
        one_of(*OUTPUTS, "all")("output_type", output_type)
        contrast, title = self._contrast(contrast_def, stat_type)
        values = {
            "z_score": contrast.z_score,
            "stat": contrast.stat,
            "p_value": contrast.p_value,
            "effect_size": contrast.effect_size,
            "effect_variance": contrast.effect_variance,
        }
        wanted = OUTPUTS if output_type == "all" else (output_type,)
        images = {name: self._image(values[name](), f"{TITLES[name]} of contrast {title}") for name in wanted}
        return images if output_type == "all" else images[output_type]

    def contrast_weights(
        self, contrast_def: str | ArrayLike | Sequence[str | ArrayLike | None]
    ) -> list[NDArray[np.float64] | None]:
        """The weights (q, n_columns) that a contrast gives the columns of each run's design.

        Parameters
        ----------
        contrast_def : str or array, or list of these with one for each run

        Returns
        -------
        weights : list of array or None
            None for a run that takes no part.
        """
        definitions = definitions_of(contrast_def, len(self._fitted_runs()))
        return matrices_of(definitions, [list(design.columns) for design in self.design_matrices_])

    @property
    def run_names_(self) -> list[str]:
        """Names of the files of the runs, or what stands for one."""
        return [run.name for run in self._fitted_runs()]

    def _contrast(self, contrast_def: Any, stat_type: str | None) -> tuple[Contrast, str]:
        """The contrast over all runs, and how it is called."""
        runs = self._fitted_runs()
        definitions = definitions_of(contrast_def, len(runs))
        matrices = matrices_of(definitions, [list(design.columns) for design in self.design_matrices_])
        found_ = []
        for i, (run, matrix) in enumerate(zip(runs, matrices, strict=True)):
            if matrix is None:
                continue
            if not matrix.any():
                warn(f"The contrast is 0 in run {i} ({run.name}), which takes no part.")
                continue
            found_.append(run.estimate.contrast(matrix, checked_stat_type(stat_type, matrix)))
        if not found_:
            raise ValueError(
                f"The contrast {title_of(definitions)} is 0 in all runs; there is nothing to test."
            )
        return fixed_effects(found_), title_of(definitions)

    def _image(self, values: NDArray[np.float64], title: str) -> Any:
        img = self.masker_.inverse_transform(values)
        header = getattr(img, "header", None)
        if header is not None and "descrip" in getattr(header, "keys", dict)():
            header["descrip"] = title.encode("ascii", "replace")[:79]
        return img


@dataclass(frozen=True, eq=False)
class Plan:
    """What is done with the series of every run."""

    noise: Noise
    mode: Mode
    z_scored: bool
    memory: Any
    memory_level: int
    verbose: int


def _fit_run(run: RunSeries, design: pd.DataFrame, plan: Plan) -> FittedRun:
    matrix, names = design.to_numpy(), [str(name) for name in design.columns]

    def compute() -> tuple[Estimate, Scaling, NDArray[np.bool_]]:
        log(
            plan.verbose,
            1,
            f"FirstLevelModel: fitting {run.name}, {len(matrix)} volumes, {len(names)} columns.",
        )
        found = _estimated(run, matrix, names, plan)
        run.release()
        return (*found, run.missing)

    def key() -> str:
        noise = plan.noise
        return digest(
            "FirstLevelModel", run.identity, matrix, names, plan.mode, plan.z_scored, noise.order, noise.bins
        )

    repeatable = run.is_cacheable and (plan.noise.order < 2 or isinstance(plan.noise.random_state, int))
    level = plan.memory_level if repeatable else 0
    estimate, scaling, missing = cached(plan.memory, level, key, compute)
    run.missing = missing
    return FittedRun(estimate, scaling, run.name, run)


def _estimated(
    run: RunSeries, matrix: NDArray[np.float64], names: list[str], plan: Plan
) -> tuple[Estimate, Scaling]:
    """The estimate in the units of scaled series; values that are missing make it NaN."""

    def fit(blocks: Callable[[], Iterator[NDArray[np.float64]]]) -> FittedSeries:
        return fit_series(blocks, run.n_points, matrix, names, plan.noise, run.stretch, run.name, run.points)

    fitted = fit(scaled_blocks(run, plan))
    n = len(run.kept)
    scaling = scaling_of(run, plan, fitted.mean, np.sqrt(fitted.squares / max(n - 1, 1)))
    if fitted.estimate.span.constant is not None:
        # Scaling is linear: it follows the fit.
        fitted = replace(fitted, estimate=fitted.estimate.scaled(scaling.factor, scaling.shift))
    elif np.any(scaling.shift):
        fitted = fit(lambda: (scaling(block) for block in run.blocks()))
    estimate = fitted.estimate
    if run.missing.any():
        coefficients, dispersion, r_square = (
            np.where(run.missing, np.nan, part)
            for part in (estimate.coefficients, estimate.dispersion, estimate.r_square)
        )
        estimate = replace(estimate, coefficients=coefficients, dispersion=dispersion, r_square=r_square)
    return estimate, scaling


def scaled_blocks(run: RunSeries, plan: Plan) -> Callable[[], Iterator[NDArray[np.float64]]]:
    """The blocks of a run, scaled where that must come before the fit: each volume by itself."""
    if plan.mode != "volume":
        return run.blocks
    return lambda: (percent_of_volume(block, run.name) for block in run.blocks())


def scaling_of(
    run: RunSeries, plan: Plan, mean: NDArray[np.float64], deviation: NDArray[np.float64]
) -> Scaling:
    """The scaling that follows the fit, from means and standard deviations of the series."""
    if plan.z_scored:
        return z_scores(mean, deviation)
    if plan.mode in (None, "volume"):
        return Scaling()
    return percent_of_mean(plan.mode, mean, deviation, run.name, run.points)


def _residuals(run: FittedRun, design: NDArray[np.float64], signal_scaling: Any) -> NDArray[np.float64]:
    """(n_samples, n_points), from another pass over the run."""
    assert run.series is not None
    by_volume = mode_of(signal_scaling) == "volume"
    result = np.empty((len(design), run.series.n_points))
    at = 0
    for block in run.series.blocks():
        scaled = percent_of_volume(block, run.name) if by_volume else run.scaling(block)
        rows = slice(at, at + len(block))
        result[rows] = scaled - design[rows] @ run.estimate.coefficients
        at = rows.stop
    run.series.release()
    return result


# -- contrasts of several runs -------------------------------------------------------------------------------


def definitions_of(contrast_def: Any, n_runs: int) -> list[Any]:
    """One definition for each run.

    Raises
    ------
    TypeError, ValueError
        If it is neither text nor numbers, or there are more or fewer than runs.
    """
    if isinstance(contrast_def, str | np.ndarray):
        return [contrast_def] * n_runs
    if not isinstance(contrast_def, list | tuple):
        raise TypeError(
            f"contrast_def must be a string, an array, or a list with one of these for each run; {found(contrast_def)} "
            "was given."
        )
    entries = list(contrast_def)
    if entries and all(isinstance(entry, int | float | np.number) for entry in entries):
        return [np.asarray(entries, dtype=np.float64)] * n_runs
    if len(entries) != n_runs:
        raise ValueError(
            f"contrast_def is a list of {len(entries)} contrasts, and there are {n_runs} runs: give one for each run. "
            "Several rows of an F contrast go into one array."
        )
    return entries


def matrices_of(definitions: Sequence[Any], columns: Sequence[list[str]]) -> list[NDArray[np.float64] | None]:
    """Weights (q, n_columns) for each run; None for a run that takes no part, of which is told.

    Raises
    ------
    ValueError
        If a string fits no run, an array is too long, or means other columns in other runs.
    """
    matrices: list[NDArray[np.float64] | None] = []
    failed: dict[int, ValueError] = {}
    is_short = False
    for i, (definition, names) in enumerate(zip(definitions, columns, strict=True)):
        if definition is None:
            matrices.append(None)
        elif isinstance(definition, str):
            try:
                matrices.append(expression_to_contrast_vector(definition, names)[None])
            except ValueError as problem:
                failed[i] = problem
                matrices.append(None)
        else:
            matrix = _weights(definition, len(names))
            is_short = is_short or matrix.shape[1] < len(names)
            matrices.append(np.pad(matrix, ((0, 0), (0, len(names) - matrix.shape[1]))))
    if failed and all(matrix is None for matrix in matrices):
        raise next(iter(failed.values()))
    for i, error in failed.items():
        warn(f"Run {i} takes no part in the contrast. {error}")
    _refuse_shifted(definitions, columns)
    if is_short:
        warn("The contrast is shorter than the design; the columns that follow have a weight of 0.")
    return matrices


def _weights(definition: Any, n_columns: int) -> NDArray[np.float64]:
    try:
        matrix = np.atleast_2d(np.asarray(definition, dtype=np.float64))
    except (TypeError, ValueError):
        raise TypeError(f"A contrast must be a string or numbers; {found(definition)} was given.") from None
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise ValueError(
            f"A contrast must be finite, of shape (n_columns,) or (q, n_columns); {found(definition)}."
        )
    if matrix.shape[1] > n_columns:
        raise ValueError(
            f"A contrast of {matrix.shape[1]} numbers is longer than the design, which has {n_columns} columns."
        )
    return matrix


def _refuse_shifted(definitions: Sequence[Any], columns: Sequence[list[str]]) -> None:
    """One array for all runs must mean the same columns in all."""
    first = definitions[0]
    if len(definitions) < 2 or not isinstance(first, np.ndarray) or any(d is not first for d in definitions):
        return
    for at in np.flatnonzero(np.atleast_2d(first).any(axis=0)):
        meant = [names[at] if at < len(names) else None for names in columns]
        if len(set(meant)) > 1:
            listed = ", ".join(f"{name!r} in run {i}" for i, name in enumerate(meant))
            raise ValueError(
                f"Weight {at} of the contrast is of {listed}: designs differ. Give a string, or one array for each run."
            )


def title_of(definitions: Sequence[Any]) -> str:
    """How a contrast is called: its text, or its weights."""
    different = list(
        dict.fromkeys(str(d) if isinstance(d, str) else repr(np.asarray(d).tolist()) for d in definitions)
    )
    return " | ".join(different)
