"""What CanICA and DictLearning have in common: runs in, maps out, and the loadings of runs on the maps."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags

from brainsieve.caching import effective_level, memory_for
from brainsieve.checks import a_bool, a_bool_or_int, a_count, an_integer, found
from brainsieve.decomposition.reduction import Stack, tiles
from brainsieve.decomposition.runs import (
    as_runs,
    confounds_of_runs,
    each_run_signals,
    fitted_masker,
    maps_image,
    maps_masker,
    reduced_runs,
)
from brainsieve.logs import log, warn
from brainsieve.maskers.base import MaskerInputTags
from brainsieve.maskers.declared import a_dtype, a_memory
from brainsieve.maskers.output import as_container
from brainsieve.typing import ConfoundsLike, ImagesLike

if TYPE_CHECKING:
    from brainsieve.pages import HTMLReport

FITTED = (
    *("masker_", "mask_img_", "maps_masker_", "memory_", "components_", "components_img_", "variance_"),
    *("components_init_", "loadings_init_", "n_elements_", "_first_run"),
)


def a_random_state(name: str, value: Any) -> None:
    """Check for what scikit-learn draws from; NumPy's generators are other streams."""
    if value is None or isinstance(value, np.random.RandomState):
        return
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, a numpy RandomState or None; {found(value)} was given.")
    if not 0 <= value < 2**32:
        raise ValueError(f"{name} must be from 0 to 2**32 - 1; {found(value)} was given.")


class Decomposition(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Maps of a group of runs. A subclass says how they come of the reduced runs (`_maps_of`)."""

    n_components: int
    random_state: Any
    mask: Any
    dtype: Any
    memory: Any
    memory_level: int
    n_jobs: int
    verbose: int
    standardize_confounds: bool

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Data frames are made here: scikit-learn would make them of lists of runs.
        kwargs["auto_wrap_output_keys"] = None
        super().__init_subclass__(**kwargs)  # type: ignore[call-arg]

    # -- fit -------------------------------------------------------------------------------------------

    @abstractmethod
    def _check(self) -> None:
        """Check the parameters that are a subclass's own."""

    @abstractmethod
    def _rows_of_run(self) -> int | float | None:
        """How many maps a run is reduced to, or what share of its samples."""

    @abstractmethod
    def _maps_of(self, stack: Stack) -> NDArray:
        """The maps (k, n_points) of the reduced runs; sets what else is fitted."""

    def fit(self, imgs: ImagesLike, y: None = None, confounds: ConfoundsLike | None = None) -> Any:
        """Find the maps of a group of runs.

        Parameters
        ----------
        imgs : image-like or list of image-like
            Runs: volumes, surface images or CIFTI files, as images or paths. They may differ in their number of
            samples. A path with wildcards stands for the runs that match.
        y : None, default=None
            Ignored; there for scikit-learn.
        confounds : list, default=None
            For each run, what a masker takes: an array, data frame, path, or list of these.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Where a parameter, run or mask is not what it should be, or where no map is found. The estimator is then
            not fitted.
        """
        self._forget()
        self._check_parameters()
        runs = as_runs(imgs)
        regressors = confounds_of_runs(confounds, imgs, len(runs))
        try:
            self._fit(runs, regressors)
        except BaseException:
            self._forget()
            raise
        return self

    def _fit(self, runs: list[Any], regressors: list[Any]) -> None:
        level = effective_level(self.memory, self.memory_level)
        self.memory_ = memory_for(self.memory, self.verbose)
        self.masker_ = fitted_masker(self, runs, self.mask)
        self.mask_img_ = self.masker_.mask_img_
        with reduced_runs(
            self.masker_,
            runs,
            regressors,
            self._rows_of_run(),
            n_jobs=self.n_jobs,
            memory=self.memory_,
            memory_level=level,
            verbose=self.verbose,
        ) as stack:
            components = self._maps_of(stack)
            dtype = stack.dtype
        self.components_ = np.ascontiguousarray(components, dtype=dtype)
        self._warn_of_maps()
        self.n_elements_ = len(components)
        self.components_img_ = maps_image(self.masker_, self.components_)
        self.maps_masker_ = maps_masker(
            self.masker_,
            self.components_img_,
            {"dtype": self.dtype, "standardize_confounds": self.standardize_confounds},
        )
        self.maps_masker_.fit(runs[0])
        log(self.verbose, 1, f"{type(self).__name__}: fitted, {self.n_elements_} maps.")

    def _warn_of_maps(self) -> None:
        """Tell of maps that are missing or 0."""
        name, n_found = type(self).__name__, len(self.components_)
        if not self.components_.any():
            raise ValueError(f"No component found: all {n_found} maps of {name} are 0. {self._why_zero()}")
        if n_found < self.n_components:
            warn(
                f"{name}: the runs have {n_found} independent maps, fewer than n_components={self.n_components}; "
                f"components_ has {n_found} rows."
            )
        zero = np.flatnonzero(~self.components_.any(axis=1)).tolist()
        if zero:
            warn(f"{name}: the maps {zero} are 0. {self._why_zero()}")

    def _why_zero(self) -> str:
        return "A lower threshold keeps fewer values; None keeps all."

    def _forget(self) -> None:
        for name in FITTED:
            self.__dict__.pop(name, None)

    def _check_parameters(self) -> None:
        a_count("n_components", self.n_components, least=1)
        a_random_state("random_state", self.random_state)
        a_dtype("dtype", self.dtype)
        a_memory("memory", self.memory)
        an_integer("memory_level", self.memory_level)
        an_integer("n_jobs", self.n_jobs)
        a_bool_or_int("verbose", self.verbose)
        self._check()

    # -- loadings, and back ----------------------------------------------------------------------------

    def transform(self, imgs: ImagesLike, confounds: ConfoundsLike | None = None) -> list[Any]:
        """Loadings of runs on the maps, by least squares.

        Parameters
        ----------
        imgs : image-like or list of image-like
            Runs of the kind that was fitted; volumes are resampled to the maps.
        confounds : list, default=None
            For each run, what to regress out of its loadings.

        Returns
        -------
        loadings : list of array of shape (n_samples, n_elements_), or of data frames
            One for each run, also of a single one. Of the images as they are: nothing is smoothed, detrended or
            standardized.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            Where an image or its confounds are not what they should be.
        """
        self._check_is_fitted()
        runs = as_runs(imgs)
        regressors = confounds_of_runs(confounds, imgs, len(runs))
        loadings = [
            self.maps_masker_._transform_run(run, given, None)
            for run, given in zip(runs, regressors, strict=True)
        ]
        return [as_container(self, np.asarray(each), self.get_feature_names_out) for each in loadings]

    def fit_transform(
        self, X: ImagesLike, y: None = None, confounds: ConfoundsLike | None = None, **fit_params: Any
    ) -> list[Any]:
        """Fit, and give the loadings of the same runs.

        Parameters
        ----------
        X : image-like or list of image-like
        y : None, default=None
            Ignored; there for scikit-learn.
        confounds : list, default=None
            For each run; taken out in both steps.
        **fit_params : dict
            Given to `fit`.

        Returns
        -------
        loadings : list of array of shape (n_samples, n_elements_)
        """
        runs = as_runs(X)
        regressors = confounds if confounds is None else confounds_of_runs(confounds, X, len(runs))
        return self.fit(runs, confounds=regressors, **fit_params).transform(runs, confounds=regressors)

    def inverse_transform(self, loadings: list[Any]) -> list[Any]:
        """Sum the maps, weighted with loadings.

        Parameters
        ----------
        loadings : list of array of shape (n_samples, n_elements_), or of data frames
            One for each run, as `transform` gives them.

        Returns
        -------
        imgs : list of images
            Of the kind that was fitted, in the mask.

        Raises
        ------
        TypeError
            If it is no list.
        ValueError
            If the width of an entry is not the number of maps.
        """
        self._check_is_fitted()
        if not isinstance(loadings, list):
            raise TypeError(
                f"loadings must be a list with an array for each run, as transform gives; {found(loadings)} was given."
            )
        return [self.maps_masker_.inverse_transform(np.asarray(each)) for each in loadings]

    # -- score -----------------------------------------------------------------------------------------

    def score(
        self,
        imgs: ImagesLike,
        y: None = None,
        confounds: ConfoundsLike | None = None,
        per_component: bool = False,
    ) -> Any:
        """How much of the runs the maps explain.

        Parameters
        ----------
        imgs : image-like or list of image-like
            Cleaned as in `fit`.
        y : None, default=None
            Ignored; there for scikit-learn.
        confounds : list, default=None
            For each run.
        per_component : bool, default=False

        Returns
        -------
        score : float, or array of shape (n_elements_,)
            One number for all runs: the share of the sum of squares that is left over by least squares on the maps,
            without an intercept, taken from 1. With `per_component`, of each map alone: the same of the variance.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            If the runs have no variance in the mask.
        """
        self._check_is_fitted()
        a_bool("per_component", per_component)
        runs = as_runs(imgs)
        regressors = confounds_of_runs(confounds, imgs, len(runs))
        maps = self.components_.astype(np.float64)
        sums = _Sums(_unit(maps) if per_component else _orthonormal(maps))
        for signals in each_run_signals(self.masker_, runs, regressors, self.n_jobs):
            sums.add(signals)
        if not sums.squares:
            raise ValueError("imgs have no variance in the mask: there is nothing to explain.")
        return sums.explained_by_each() if per_component else sums.explained()

    # -- scikit-learn ----------------------------------------------------------------------------------

    def get_feature_names_out(self, input_features: Any = None) -> NDArray:
        """Names of the maps: the name of the class and a number.

        Parameters
        ----------
        input_features : None, default=None
            Ignored; there for scikit-learn.

        Returns
        -------
        names : array of str objects, shape (n_elements_,)
        """
        self._check_is_fitted()
        stem = type(self).__name__.lower()
        return np.asarray([f"{stem}{i}" for i in range(self.n_elements_)], dtype=object)

    def set_output(self, *, transform: str | None = None) -> Any:
        """Choose what `transform` gives for each run.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            None leaves the choice as it is.

        Returns
        -------
        self
        """
        choices = ("default", "pandas", "polars")
        if transform is not None:
            if transform not in choices:
                raise ValueError(f"transform must be one of {choices}; {transform!r} was given.")
            self._sklearn_output_config = {"transform": transform}
        return self

    def generate_report(
        self, engine: str = "matplotlib", title: str | None = None, displayed_maps: Any = None
    ) -> HTMLReport:
        """Make a page that shows the maps.

        Parameters
        ----------
        engine : {"matplotlib", "brainsprite"}, default="matplotlib"
        title : str, default=None
            None: the name of the class.
        displayed_maps : int, list of int or "all", default=None
            How many to show (the first), which (positions from 0), or all. None: 10.

        Returns
        -------
        report : HTMLReport
            A page that says so if the estimator is not fitted.
        """
        from brainsieve.decomposition.reports import report_of

        return report_of(self, engine, title or type(self).__name__, displayed_maps)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "maps_masker_")

    def _check_is_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with runs before using it."
            )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags = MaskerInputTags(allow_nan=True, surf_img=True, cifti_img=True)
        tags.no_validation = True
        tags.requires_fit = True
        return tags


class _Sums:
    """Sums over all values of the runs: what is left of them by projections on rows of norm 1."""

    def __init__(self, rows: NDArray[np.float64]) -> None:
        self._rows, self._of_row = rows, rows.sum(axis=1)
        self.squares = 0.0
        self._sum, self._n = 0.0, 0
        self._on_rows: NDArray[np.float64] = np.zeros(len(rows))
        self._fitted_sums: NDArray[np.float64] = np.zeros(len(rows))

    def add(self, signals: NDArray) -> None:
        """Add the signals (n_samples, n_points) of a run."""
        projections = np.zeros((len(signals), len(self._rows)))
        for tile in tiles(signals.shape[1]):
            block = signals[:, tile].astype(np.float64)
            projections += block @ self._rows[:, tile].T
            self.squares += float(np.einsum("ij,ij->", block, block))
            self._sum += float(block.sum())
        self._n += signals.size
        self._on_rows += (projections**2).sum(axis=0)
        self._fitted_sums += projections.sum(axis=0) * self._of_row

    def explained(self) -> float:
        """Share of the squares, of all rows together, which are orthonormal."""
        return float(self._on_rows.sum() / self.squares)

    def explained_by_each(self) -> NDArray[np.float64]:
        """Share of the variance, of each row alone; not below 0."""
        total = self.squares / self._n - (self._sum / self._n) ** 2
        means = (self._sum - self._fitted_sums) / self._n
        left = (self.squares - self._on_rows) / self._n - means**2
        return np.maximum(0.0, 1 - left / total)


def _unit(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(maps, axis=1, keepdims=True)
    return maps / np.where(norms > 0, norms, 1)


def _orthonormal(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """An orthonormal basis of the span of maps, which may depend on one another."""
    _, singular_values, rows = np.linalg.svd(_unit(maps), full_matrices=False)
    return rows[singular_values > 1e-10 * singular_values[0]]
