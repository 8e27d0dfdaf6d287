"""The contract of all maskers: a scikit-learn transformer around space, time and a source.

`MaskerContract` holds what no domain changes: parameters are stored by the constructor, checked by `fit`, and
compiled to a `Recipe` for each domain that `transform` meets. `BaseMasker` is the base of volume maskers.
A fitted masker is never changed by `transform`; it may be shared between threads and processes.
"""

from __future__ import annotations

import os
import sys
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import InputTags, Tags

from brainsieve._version import __version__
from brainsieve.caching import cached, digest, effective_level, memory_for
from brainsieve.engine.domain import Domain, VoxelGrid
from brainsieve.engine.extract import Progress, Request, stream
from brainsieve.engine.plans import cached_plan
from brainsieve.engine.source import open_source, read_sample
from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.resample import resample
from brainsieve.engine.temporal.operator import (
    CleaningSettings,
    clean_args_to_settings,
    normalize_standardize,
)
from brainsieve.logs import log, warn
from brainsieve.maskers.operators import MaskerOperator
from brainsieve.maskers.output import as_container, container_rows, final_dtype
from brainsieve.maskers.parameters import SHARED_CHECKS, Check, an_integer, check_parameters, found
from brainsieve.maskers.recipe import N_NAMED, Order, Recipe, signals_of

if TYPE_CHECKING:
    from brainsieve.reporting import Canvas, HTMLReport, Layer

# Parameters that change no number, or whose contents are hashed as they are after `fit`.
NOT_IN_KEYS = {
    *("memory", "memory_level", "verbose", "reports", "cmap", "n_jobs"),
    *("mask_img", "mask_strategy", "mask_args", "labels_img", "labels", "lut", "maps_img", "seeds"),
}
# Parameters of what is done in time: maskers that differ in these alone share their plans for space.
IN_TIME = {
    *("runs", "standardize", "standardize_confounds", "high_variance_confounds", "detrend"),
    *("low_pass", "high_pass", "t_r", "clean_args", "dtype", "min_coverage"),
}


@dataclass
class MaskerInputTags(InputTags):
    """scikit-learn's input tags, with what kind of image a masker takes."""

    niimg_like: bool = True
    surf_img: bool = False
    cifti_img: bool = False


class MaskerContract(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """What volume, surface and CIFTI maskers have in common.

    A subclass says how its parameters are checked (`_checks`), fits (`_fit`), opens images (`_open`), compiles
    itself for a domain (`_compile`), and puts arrays back (`_image_of`).
    """

    _checks: dict[str, Check] = {}
    # What a column is called in messages, and whether it is one point.
    _column = "region"
    _voxelwise = False
    _inverse_name = "signals"
    # Keyword of `generate_report` that chooses what is shown, where there is a choice.
    _displayed_name: str | None = None

    # -- to be written by each masker ------------------------------------------------------------------

    @abstractmethod
    def _fit(self, imgs: Any) -> None:
        """Set the fitted attributes; parameters are checked already."""

    @abstractmethod
    def _open(self, imgs: Any) -> Source:
        """The source that an image given by the user stands for."""

    @abstractmethod
    def _compile(self, domain: Domain) -> Recipe:
        """The recipe for images on a domain. Called once for each (masker, domain) and process."""

    @abstractmethod
    def _image_of(self, signals: NDArray) -> Any:
        """Put finite or NaN signals of shape (n_samples, n_features) or (n_features,) back into space."""

    @abstractmethod
    def _natural_dtype(self, source: Source) -> np.dtype:
        """The dtype of signals for a source where `dtype` is None."""

    # -- fit -------------------------------------------------------------------------------------------

    def fit(self, imgs: Any = None, y: Any = None) -> Any:
        """Compile the masker.

        Parameters
        ----------
        imgs : image-like, optional
            Image or images to compute a mask from or to learn a grid from, where the masker does that.
        y : None
            Ignored; there for scikit-learn.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Where a parameter or an image is not what it should be; the message names it.
        """
        return self._fit_checked(imgs, in_fit_transform=False)

    def _fit_checked(self, imgs: Any, in_fit_transform: bool) -> Any:
        parameters = self.get_params(deep=False)
        check_parameters(parameters, {**SHARED_CHECKS, **self._checks})
        self.clean_args_ = dict(self.clean_args or {})
        self._memory_level = effective_level(self.memory, self.memory_level)
        self.memory_ = memory_for(self.memory, self.verbose)
        self._in_fit_transform = in_fit_transform
        self._report_warnings: list[str] = []
        try:
            self._fit(imgs)
        finally:
            del self._in_fit_transform
        self._background = self._middle_volume(imgs) if self.reports else None
        in_keys = {name: value for name, value in parameters.items() if name not in NOT_IN_KEYS}
        in_space = {name: value for name, value in in_keys.items() if name not in IN_TIME}
        self._plan_key = digest(type(self).__name__, in_space, self._fitted_content())
        self._fingerprint = digest(self._plan_key, __version__, in_keys)
        log(self.verbose, 1, f"{type(self).__name__}: fitted, {self.n_elements_} columns.")
        return self

    def _fitted_content(self) -> Any:
        """Arrays and numbers that recipes depend on, beside the parameters; hashed for cache keys."""
        return ()

    def _warn(self, message: str, category: type[Warning] = UserWarning) -> None:
        """Warn during `fit`, and remember it for the report."""
        self._report_warnings.append(message)
        warn(message, category)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_fingerprint")

    def _check_is_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with appropriate "
                "arguments before using this estimator."
            )

    # -- transform -------------------------------------------------------------------------------------

    def transform(self, imgs: Any, confounds: Any = None, sample_mask: Any = None) -> Any:
        """Extract signals from a run and clean them.

        Parameters
        ----------
        imgs : image-like
            A 3-D or 4-D image, a path, or a list of 3-D images.
        confounds : array of shape (n_samples,) or (n_samples, n_confounds), data frame, path, or list of these
            What to regress out. A list is stacked side by side.
        sample_mask : array or list of shape (n_kept,) of int or (n_samples,) of bool, optional
            The samples to keep. With `runs`, a list with one for each run.

        Returns
        -------
        signals : array or data frame
            Of shape (n_samples kept, n_elements_); (n_elements_,) for a 3-D image.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            Where an argument is not what it should be; the message names it.
        """
        self._check_is_fitted()
        return self._transform_one(imgs, confounds, sample_mask, bool(self.high_variance_confounds))

    def fit_transform(self, imgs: Any, y: Any = None, confounds: Any = None, sample_mask: Any = None) -> Any:
        """Fit to an image and transform it: ``fit(imgs).transform(imgs, confounds, sample_mask)``.

        Parameters
        ----------
        imgs, confounds, sample_mask
            As in `transform`.
        y : None
            Ignored; there for scikit-learn.

        Returns
        -------
        signals : array or data frame
        """
        self._fit_checked(imgs, in_fit_transform=True)
        return self.transform(imgs, confounds=confounds, sample_mask=sample_mask)

    def transform_single_imgs(
        self, imgs: Any, confounds: Any = None, sample_mask: Any = None, copy: bool = True
    ) -> Any:
        """Transform one image without adding high-variance confounds.

        Parameters
        ----------
        imgs, confounds, sample_mask
            As in `transform`.
        copy : bool, default=True
            The image given is never modified, whatever this says.

        Returns
        -------
        signals : array or data frame
        """
        self._check_is_fitted()
        return self._transform_one(imgs, confounds, sample_mask, high_variance=False)

    def _transform_one(self, imgs: Any, confounds: Any, sample_mask: Any, high_variance: bool) -> Any:
        source = self._open(imgs)

        def compute() -> NDArray:
            log(self.verbose, 1, f"{type(self).__name__}: extracting from {source.name}.")
            log(self.verbose, 2, f"{source.n_samples} samples of {source.domain.describe()}.")
            progress = progress_bar(self.verbose, source.name)
            return run_maskers(source, [self], confounds, sample_mask, progress, high_variance)[0]

        signals = cached(
            self.memory_,
            self._memory_level,
            lambda: self._call_key(source, confounds, sample_mask, high_variance),
            compute,
        )
        return self._given(signals, source)

    def _given(self, signals: NDArray, source: Source) -> Any:
        """Signals as the user gets them."""
        if source.is_single:
            signals = signals[0]
        return as_container(self, signals, self.get_feature_names_out)

    def _check_domain(self, source: Source) -> None:
        """Raise TypeError if this kind of masker does not take this kind of image."""

    def _order(self, source: Source, high_variance: bool = False) -> Order:
        if high_variance and source.is_single:
            from brainsieve.exceptions import DimensionError

            raise DimensionError(3, 4, f"{source.name} (high_variance_confounds=True)")
        recipe = self._recipe(source.domain)
        wanted = self._result_dtype(source)
        # Regions are few: float64. Voxels are held in the float that was asked for.
        voxels_as = np.result_type(wanted, np.float32) if wanted.kind == "f" else np.float64
        held_as = np.dtype(voxels_as if recipe.voxelwise else np.float64)
        return Order(
            recipe=recipe,
            settings=self._settings(),
            names=ColumnNames(self),
            what=self._column,
            held_as=held_as,
            high_variance=high_variance,
            runs=getattr(self, "runs", None),
        )

    def _recipe(self, domain: Domain) -> Recipe:
        """The recipe for a domain, compiled once in a process for this masker and its clones."""
        return cached_plan((self._plan_key, domain.fingerprint), lambda: self._compile(domain))

    def _settings(self) -> CleaningSettings:
        return CleaningSettings(
            detrend=bool(self.detrend),
            standardize=normalize_standardize(self.standardize),
            standardize_confounds=bool(self.standardize_confounds),
            low_pass=self.low_pass,
            high_pass=self.high_pass,
            t_r=self.t_r,
            **clean_args_to_settings(self.clean_args or {}),
        )

    def _result_dtype(self, source: Source, regressed: bool = False) -> np.dtype:
        """The dtype of signals; `regressed` tells whether confounds are taken out of them."""
        if self.dtype is None:
            return self._natural_dtype(source)
        if isinstance(self.dtype, str) and self.dtype == "auto":
            untouched = self._voxelwise and not regressed and self._leaves_values_alone(source)
            return np.dtype(np.int32 if untouched and source.dtype.kind == "i" else np.float32)
        return np.dtype(self.dtype)

    def _leaves_values_alone(self, source: Source) -> bool:
        """Whether signals are stored values as they are: nothing scaled, smoothed, resampled or cleaned."""
        settings = self._settings()
        cleaned = (
            settings.detrend
            or settings.standardize
            or settings.filter_is_active
            or bool(self.high_variance_confounds)
        )
        computed = self.smoothing_fwhm is not None or source.is_scaled or self._recipe(source.domain).clip
        return not (cleaned or computed)

    def _blank_uncovered(self, source: Source, order: Order, values: NDArray) -> None:
        """Put NaN into the columns that an image covers less than `min_coverage` asks."""
        least = getattr(self, "min_coverage", None)
        if least is None:
            return
        expected, found = self._coverage_counts(source.domain, has_data(source))
        with np.errstate(invalid="ignore", divide="ignore"):
            poor = np.flatnonzero(~(found / expected >= least))
        if not len(poor):
            return
        values[:, poor] = np.nan
        some = ", ".join(f"{order.names[i]!r} ({found[i] / max(expected[i], 1):.0%})" for i in poor[:N_NAMED])
        more = f" and {len(poor) - N_NAMED} more" if len(poor) > N_NAMED else ""
        warn(
            f"{source.name}: {len(poor)} {order.what}s are covered less than min_coverage={least:g}; "
            f"their columns are NaN: {some}{more}.",
        )

    def _call_key(self, source: Source, confounds: Any, sample_mask: Any, high_variance: bool) -> str:
        from brainsieve.tables import read_confounds

        regressors = read_confounds(confounds, source.n_samples, name=source.name)
        masks = None if sample_mask is None else [np.asarray(m) for m in sample_mask]
        return digest(self._fingerprint, source.identity, regressors, masks, high_variance, source.is_single)

    # -- what else can be asked of a fitted masker -----------------------------------------------------

    def iter_transform(self, imgs: Any, block: int = 1) -> Iterator[NDArray]:
        """Extract signals block by block while the image is read, for use online.

        Parameters
        ----------
        imgs : image-like
        block : int, default=1
            Samples in each array that is given; the last may have fewer.

        Yields
        ------
        signals : array of shape (block, n_elements_)
            Nothing is done in time: cleaning needs the whole run.
        """
        self._check_is_fitted()
        an_integer("block", block)
        if block < 1:
            raise ValueError(f"block must be at least 1; {block} was given.")
        source = self._open(imgs)
        order = self._order(source)
        if order.recipe.eigen is not None:
            raise ValueError("strategy='eigenvariate' needs the whole run; it cannot be streamed.")
        request = Request(
            order.recipe.space,
            dtype=order.held_as,
            clip=order.recipe.clip,
            omit_nonfinite=order.recipe.omit_nonfinite,
        )
        for values in stream(source, request, int(block)):
            if len(order.recipe.lost):
                values[:, order.recipe.lost] = order.recipe.fill
            yield values.astype(self._result_dtype(source), copy=False)

    def coverage(self, img: Any) -> Any:
        """How much of each region an image covers.

        Parameters
        ----------
        img : image-like

        Returns
        -------
        table : pandas.DataFrame
            One row for each column of the masker (for voxel maskers: one for the mask), named, with
            ``expected`` (points of the region, of the sphere, or the sum of a map's absolute weights),
            ``found`` (those inside the field of view where the first volume is finite and not 0) and
            ``fraction``.
        """
        import pandas as pd

        self._check_is_fitted()
        source = self._open(img)
        expected, found = self._coverage_counts(source.domain, has_data(source))
        names = ["mask"] if self._voxelwise else [str(name) for name in self.get_feature_names_out()]
        table = pd.DataFrame({"expected": expected, "found": found}, index=pd.Index(names, name="name"))
        table["fraction"] = table["found"] / table["expected"].where(table["expected"] > 0)
        return table

    def _coverage_counts(
        self, domain: Domain, has_data: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Points expected and found in each column, given which points of a domain have data."""
        raise NotImplementedError

    def operator_(self, img_or_grid: Any) -> MaskerOperator:
        """The matrix A of ``signals = X Aᵀ`` for an image.

        Parameters
        ----------
        img_or_grid : image-like or Domain
            What tells the points: an image, or the domain of one.

        Returns
        -------
        operator : scipy.sparse.linalg.LinearOperator of shape (n_elements_, n_points)
            Points are in the order of the file, first voxel axis fastest. Its method ``tosparse()`` gives
            the matrix, where it is sparse.

        Raises
        ------
        TypeError
            If the masker's reduction is not linear (a median, say).
        """
        self._check_is_fitted()
        domain = img_or_grid if isinstance(img_or_grid, Domain) else self._open(img_or_grid).domain
        recipe = self._recipe(domain)
        if recipe.eigen is not None or not recipe.space.is_linear:
            raise TypeError(f"{type(self).__name__} with these parameters is not linear; it has no matrix.")
        return MaskerOperator(recipe.space)

    # -- reports ---------------------------------------------------------------------------------------

    def generate_report(
        self, engine: str = "matplotlib", title: str | None = None, **kwargs: Any
    ) -> HTMLReport:
        """Make a page that shows what the masker takes, and with which parameters.

        Parameters
        ----------
        engine : {"matplotlib", "brainsprite"}, default="matplotlib"
            Slices side by side, or a viewer that scrolls through slices.
        title : str, optional
            Default: the name of the class.
        **kwargs : dict
            ``displayed_maps`` (maps maskers) or ``displayed_spheres`` (spheres): how many to show (the first),
            which (positions from 0), or "all". Default: 10.

        Returns
        -------
        report : HTMLReport
            Shows itself in Jupyter; `save_as_html` and `open_in_browser` do what they say. A page that says so
            if the masker is not fitted or was made with ``reports=False``.

        Raises
        ------
        TypeError
            For a keyword that this masker does not have.
        ValueError
            For an unknown engine.
        """
        from brainsieve.reporting import MaskerContent, masker_report

        name = type(self).__name__
        known = self._displayed_name
        unknown = sorted(set(kwargs) - ({known} if known else set()))
        if unknown:
            has = f"it has {known}" if known else "it has none"
            raise TypeError(
                f"generate_report of {name} got the unknown keywords {', '.join(unknown)}; {has}."
            )
        content = None
        if self.__sklearn_is_fitted__() and self.reports:
            place, layers, facts, regions = self._report_parts(kwargs.get(known or "", 10))
            if regions is not None and self._background is not None:
                origin, values = self._background_volume()
                expected, found_ = self._coverage_counts(origin, np.isfinite(values) & (values != 0))
                with np.errstate(invalid="ignore", divide="ignore"):
                    regions["covered (%)"] = 100.0 * found_ / expected
            content = MaskerContent(
                title=title or name,
                kind=f"{name}: {self.n_elements_} columns",
                canvas=self._canvas(place),
                layers=layers,
                facts=facts,
                regions=regions,
                parameters=self.get_params(deep=False),
                warnings=self._report_warnings,
                cmap=getattr(self, "cmap", None),
            )
        return masker_report(content, title or name, engine)

    def _report_parts(self, displayed: Any) -> tuple[Any, list[Layer], dict[str, str], Any]:
        """Domain, layers, facts and table of regions of the report."""
        raise NotImplementedError

    def _canvas(self, place: Any) -> Canvas:
        """What the report draws layers of a domain on."""
        raise NotImplementedError

    def _middle_volume(self, imgs: Any) -> tuple[Any, NDArray | None] | None:
        """What the report's background is made of: a file to be read when it is needed, or a volume."""
        if imgs is None or isinstance(imgs, Iterator):  # a generator is used up by now
            return None
        img = imgs[0] if isinstance(imgs, list | tuple) and imgs else imgs
        if isinstance(img, str | os.PathLike):
            return img, None
        source = self._open(img)
        return source.domain, read_sample(source, source.n_samples // 2)

    def _background_volume(self) -> tuple[Any, NDArray]:
        """Domain and values of the volume that the report shows."""
        assert self._background is not None
        origin, values = self._background
        if values is not None:
            return origin, values
        source = self._open(origin)
        return source.domain, read_sample(source, source.n_samples // 2)

    # -- back to space ---------------------------------------------------------------------------------

    def _inverse(self, signals: Any) -> Any:
        return self._image_of(self._checked_signals(signals))

    def _checked_signals(self, signals: Any) -> NDArray:
        """What `inverse_transform` was given as an array (n_elements_,) or (n_samples, n_elements_)."""
        self._check_is_fitted()
        values = container_rows(signals, self.n_elements_, self._inverse_name)
        if values.dtype == bool:
            warn(
                f"{self._inverse_name} is boolean; it is converted to int32, which images can hold.",
            )
            values = values.astype(np.int32)
        return values

    def _inverse_dtype(self, signals: NDArray) -> np.dtype:
        """The dtype of an image made of signals: theirs, unless `dtype` says otherwise."""
        if self.dtype is not None and not (isinstance(self.dtype, str) and self.dtype == "auto"):
            return np.dtype(self.dtype)
        if isinstance(self.dtype, str):
            return np.dtype(np.int32 if signals.dtype.kind == "i" else np.float32)
        if signals.dtype == np.int64:
            warn(
                f"{self._inverse_name} is int64, which few programs read from images; "
                "the image is int32 where its values fit.",
            )
        return signals.dtype if signals.dtype != np.float16 else np.dtype(np.float32)

    # -- scikit-learn ----------------------------------------------------------------------------------

    def get_feature_names_out(self, input_features: Any = None) -> NDArray:
        """Names of the columns.

        Parameters
        ----------
        input_features : None
            Ignored; there for scikit-learn.

        Returns
        -------
        names : array of str objects, shape (n_elements_,)
        """
        self._check_is_fitted()
        stem = type(self).__name__.lower()
        return np.asarray([f"{stem}{i}" for i in range(self.n_elements_)], dtype=object)

    def set_output(self, *, transform: str | None = None) -> Any:
        """Choose what `transform` and `fit_transform` give.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            None leaves the choice as it is.

        Returns
        -------
        self
        """
        if transform is None:
            return self
        choices = ("default", "pandas", "polars")
        if transform not in choices:
            raise ValueError(f"transform must be one of {choices}; {transform!r} was given.")
        self._sklearn_output_config = {
            **getattr(self, "_sklearn_output_config", {}),
            "transform": transform,
        }
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "masker"
        tags.input_tags = MaskerInputTags(two_d_array=False, allow_nan=True)
        tags.no_validation = True
        return tags


class BaseMasker(MaskerContract):
    """Base of the maskers of volumes.

    Users test ``isinstance(x, BaseMasker)``; surface and CIFTI maskers are not instances of it.
    """

    def _open(self, imgs: Any) -> Source:
        source = open_source(imgs)
        self._check_domain(source)
        return source

    def _canvas(self, place: VoxelGrid) -> Canvas:
        from brainsieve.reporting import VolumeCanvas

        return VolumeCanvas(place.affine, self._background_on(place))

    def _background_on(self, grid: VoxelGrid) -> NDArray | None:
        if self._background is None:
            return None
        origin, values = self._background_volume()
        values = np.where(np.isfinite(values), values, 0).astype(np.float64)
        if origin != grid:
            values = resample(origin, grid, "linear").forward(values[None])[0]
        return grid.unflatten(values)

    def _check_domain(self, source: Source) -> None:
        if not isinstance(source.domain, VoxelGrid):
            raise TypeError(
                f"{source.name} is not a volume ({source.domain.describe()}); "
                f"{type(self).__name__} takes volumes. SurfaceMasker and its kin take surfaces, CiftiMasker and "
                "its kin CIFTI files."
            )


def run_maskers(
    source: Source,
    maskers: Sequence[MaskerContract],
    confounds: Any = None,
    sample_mask: Any = None,
    progress: Progress | None = None,
    high_variance: bool | None = None,
) -> list[NDArray]:
    """Signals of fitted maskers from one pass over a source, in their final dtypes.

    `high_variance` None: as each masker's parameter says.
    """
    orders = [
        masker._order(
            source, bool(masker.high_variance_confounds) if high_variance is None else high_variance
        )
        for masker in maskers
    ]
    found = signals_of(source, orders, confounds, sample_mask, progress=progress)
    for masker, order, values in zip(maskers, orders, found, strict=True):
        masker._blank_uncovered(source, order, values)
    return [
        final_dtype(values, masker._result_dtype(source, confounds is not None), order.names, source.name)
        for masker, order, values in zip(maskers, orders, found, strict=True)
    ]


def has_data(source: Source) -> NDArray[np.bool_]:
    """Points where the first sample of a source is finite and not 0; (n_points,)."""
    first = read_sample(source, 0)
    return np.isfinite(first) & (first != 0)


def displayed_positions(displayed: Any, n: int, name: str) -> list[int]:
    """Positions of what a report shows: the first so many, those listed, or all.

    Raises
    ------
    TypeError, ValueError
        If it is none of these, or a position is beyond the last.
    """
    if isinstance(displayed, str) and displayed == "all":
        return list(range(n))
    if isinstance(displayed, int | np.integer) and not isinstance(displayed, bool):
        return list(range(min(int(displayed), n)))
    array = np.asarray(displayed)
    if isinstance(displayed, str | bool) or array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(
            f"{name} must be an integer, a list of integers or 'all'; {found(displayed)} was given."
        )
    if array.size and (array.min() < 0 or array.max() >= n):
        raise ValueError(f"{name} goes from 0 to {n - 1}; {displayed!r} was given.")
    return [int(i) for i in array]


class ColumnNames:
    """Names of a masker's columns, looked up only where a message needs one."""

    def __init__(self, masker: MaskerContract) -> None:
        self._masker = masker

    def __getitem__(self, index: int) -> str:
        return str(self._masker.get_feature_names_out()[index])

    def __len__(self) -> int:
        return int(self._masker.n_elements_)


def progress_bar(verbose: int, name: str) -> Progress | None:
    """A line on the terminal that counts samples, where someone asked for it and can see it."""
    if verbose < 1 or not sys.stderr.isatty():
        return None

    def show(n_done: int, n_total: int) -> None:
        end = "\n" if n_done >= n_total else ""
        print(f"\r{name}: {n_done}/{n_total}", end=end, file=sys.stderr, flush=True)

    return show
