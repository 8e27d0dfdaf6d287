"""The scikit-learn shell around a frozen object.

An estimator stores parameters; `fit` checks them and compiles them to a `FittedMasker`, from which everything else
works. The estimator itself is never changed by `transform`: it may be shared between threads and processes.
"""

from __future__ import annotations

import inspect
import os
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from brainsieve.atlas import Atlas, Maps, Points
from brainsieve.caching import cached, digest, effective_level, memory_for
from brainsieve.checks import an_integer
from brainsieve.engine.domain import Domain
from brainsieve.engine.extract import stream
from brainsieve.engine.source import read_sample
from brainsieve.engine.source.base import Source
from brainsieve.engine.source.cifti import CiftiSource
from brainsieve.engine.source.file import FileSource
from brainsieve.exceptions import CorruptImageError
from brainsieve.image.headers import cast
from brainsieve.logs import collected_warnings, log, warn
from brainsieve.maskers.base import MaskerContract, as_images, masks_of
from brainsieve.maskers.declared import check_parameters, role_of
from brainsieve.maskers.documented import documented
from brainsieve.maskers.fitted import FittedMasker, InSpace, InTime, given_parameters
from brainsieve.maskers.kinds import ImageKind
from brainsieve.maskers.operators import MaskerOperator
from brainsieve.maskers.output import as_numbers, container_rows, final_dtype, inverse_dtype, is_one_file
from brainsieve.maskers.progress import progress_bar
from brainsieve.maskers.running import has_data, run_fitted
from brainsieve.maskers.spaces import file_name_of, placed_files, told_of_mask, told_of_run
from brainsieve.tables import read_confounds
from brainsieve.typing import ConfoundsLike, SampleMaskLike

if TYPE_CHECKING:
    from brainsieve.pages import HTMLReport


# What `fit` sets, beside the attributes that are `fitted`.
SET_BY_FIT = (
    *("_fitted", "_memory_level", "_fit_warnings", "_report_background"),
    *("clean_args_", "memory_", "affine_", "labels_img_", "maps_img_", "_label_values"),
)


class fitted:  # noqa: N801  (used as a decorator)
    """An attribute that `fit` promises: made when it is first asked for, the same object from then on.

    Whoever derives a class may set the attribute instead.
    """

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, masker: Any, owner: type | None = None) -> Any:
        if masker is None:
            return self
        masker._check_is_fitted()
        # `setdefault` is atomic: threads that ask at once get one object.
        return masker.__dict__.setdefault(self._name, self._make(masker))


@documented()
class FrozenMasker(MaskerContract):
    """A masker that works from a `FittedMasker`.

    A subclass says how its parameters are compiled (`_compiled`).
    """

    # What a column is called in messages; what signals are where no dtype is asked for.
    _column = "region"
    _natural_dtype: ClassVar[Any]  # a NaturalDtype
    _inverse_name = "signals"
    # Keyword of `generate_report` that chooses what is shown, where there is a choice.
    _displayed_name: str | None = None
    _fitted: FittedMasker

    @abstractmethod
    def _compiled(self, imgs: Any) -> FittedMasker:
        """The frozen object of parameters that are checked already."""

    # -- fit -------------------------------------------------------------------------------------------

    def fit(self, imgs: Any = None, y: Any = None) -> Any:
        """Compile the masker.

        Parameters
        ----------
        imgs : image-like, default=None
            Image or images to compute a mask from or to learn a grid from, where the masker does that.
        y

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Where a parameter or an image is not what it should be; the message names it. The masker is then
            not fitted, whatever it was before.
        """
        self._forget()
        imgs = as_images(imgs)
        try:
            with collected_warnings() as said:
                check_parameters(self, self.get_params(deep=False))
                self.clean_args_ = dict(self.clean_args or {})
                self._memory_level = effective_level(self.memory, self.memory_level)
                self.memory_ = memory_for(self.memory, self.verbose)
                self._warn_of_run_as_atlas(imgs)
                compiled = self._compiled(imgs)
                strangers = self._warn_of_other_spaces(imgs, compiled)
                self._report_background = self._middle_volume(imgs, compiled) if self.reports else None
            # Each once, as they are for the reader of a report.
            self._fit_warnings = list(dict.fromkeys([*(message for message, _ in said), *strangers]))
        except BaseException:
            self._forget()
            raise
        self._fitted = compiled
        log(self.verbose, 1, f"{type(self).__name__}: fitted, {compiled.n_features} columns.")
        return self

    def _refuse_none(self, name: str, what: str) -> None:
        if getattr(self, name) is None:
            raise ValueError(f"{name} is None; {type(self).__name__} needs {what} to fit.")

    def _refuse_no_images(self, imgs: Any) -> None:
        if imgs is None:
            raise ValueError(
                "Neither mask_img nor images to compute a mask from were given: construct the masker with mask_img, or "
                "call fit(imgs)."
            )

    def _warn_of_images_beside_mask(self, imgs: Any) -> None:
        if imgs is not None and not hasattr(self, "_in_fit_transform"):
            warn(
                "fit was given images beside mask_img; no mask is computed from them, mask_img is used.",
                RuntimeWarning,
            )

    def _warn_of_run_as_atlas(self, imgs: Any) -> None:
        """Say so where the image is its own atlas: its volumes are taken as maps then."""
        for name in ("labels_img", "maps_img"):
            atlas = getattr(self, name, None)
            if imgs is not None and is_one_file(atlas, imgs):
                warn(
                    f"{name} is the image itself: a run that is its own atlas gives columns without meaning. Give the "
                    "image of regions or maps that goes with it."
                )

    def _warn_of_other_spaces(self, imgs: Any, compiled: FittedMasker) -> list[str]:
        """Tell of files of other spaces than the mask's, or than the image's if no `transform` comes that does."""
        for message in told_of_mask(compiled.files):
            warn(message)
        of_run = told_of_run(file_name_of(imgs), compiled.files)
        for message in [] if hasattr(self, "_in_fit_transform") else of_run:
            warn(message)
        return of_run

    def _forget(self) -> None:
        """Take away what an earlier fit left; what a subclass set is its own."""
        made = [
            name
            for kind in type(self).__mro__
            for name, value in vars(kind).items()
            if isinstance(value, fitted)
        ]
        for name in (*made, *SET_BY_FIT):
            self.__dict__.pop(name, None)

    def _current(self) -> FittedMasker:
        """The frozen object, or one with the parameters of space and time as they are by now."""
        self._check_is_fitted()
        parameters = self.get_params(deep=False)
        # Those of the atlas were checked by `fit`, and have not changed, or `with_parameters` says so.
        roles = {name: role_of(name, type(self)) for name in parameters}
        alive = {name: value for name, value in parameters.items() if roles[name] in ("space", "time")}
        check_parameters(self, alive)
        return self._fitted.with_parameters(parameters)

    def __sklearn_is_fitted__(self) -> bool:
        return "_fitted" in vars(self)

    def _frozen(
        self,
        kind: ImageKind,
        atlas: Atlas,
        home: Domain | None,
        target: Domain | None = None,
        one_grid: str | None = None,
    ) -> FittedMasker:
        """The frozen object of this masker's parameters and an atlas."""
        parameters = self.get_params(deep=False)
        return FittedMasker(
            name=type(self).__name__,
            kind=kind,
            atlas=atlas,
            home=home,
            target=target,
            in_space=InSpace.of(parameters),
            in_time=InTime.of(parameters),
            natural_dtype=type(self)._natural_dtype,
            column=self._column,
            given_as=given_parameters(parameters, type(self)),
            one_grid=one_grid,
            files=placed_files(parameters),
        )

    @fitted
    def n_elements_(self) -> int:
        """Number of columns."""
        return self._fitted.n_features

    @fitted
    def mask_img_(self) -> Any:
        """Image of the mask, on the domain of the atlas; None where there is none."""
        fitted_ = self._fitted
        if isinstance(fitted_.atlas, Points):
            return fitted_.kind.image(fitted_.atlas.inside, fitted_.atlas.domain)
        mask, home = getattr(fitted_.atlas, "mask", None), fitted_.home
        return None if mask is None or home is None else fitted_.kind.image(mask.on(home), home)

    # -- transform -------------------------------------------------------------------------------------

    def transform_single_imgs(
        self,
        imgs: Any,
        confounds: ConfoundsLike | None = None,
        sample_mask: SampleMaskLike | None = None,
        copy: bool = True,
    ) -> Any:
        """Transform one image without adding high-variance confounds.

        Parameters
        ----------
        imgs
        confounds
        sample_mask
        copy

        Returns
        -------
        signals : array
        """
        frozen = self._current()
        source = self._open(imgs)
        # Not within `compute`: the names of files are no part of the key of what is cached.
        for message in told_of_run(source.name, frozen.files):
            warn(message)

        def compute() -> NDArray:
            log(self.verbose, 1, f"{type(self).__name__}: extracting from {source.name}.")
            log(self.verbose, 2, f"{source.n_samples} samples of {source.domain.describe()}.")
            progress = progress_bar(self.verbose, source.name)
            return run_fitted(source, [frozen], confounds, sample_mask, progress=progress)[0]

        def key() -> str:
            regressors = read_confounds(
                confounds, source.n_samples, source.name, sample_mask, frozen.in_time.runs
            )
            return digest(frozen.key, source.identity, regressors, masks_of(sample_mask))

        signals = cached(self.memory_, self._memory_level, key, compute)
        return signals[0] if source.is_single else signals

    def _open(self, imgs: Any) -> Source:
        return self._fitted.kind.open(as_images(imgs))

    # -- what else can be asked of a fitted masker -----------------------------------------------------

    def iter_transform(self, imgs: Any, block: int = 1) -> Iterator[NDArray]:
        """Extract signals block by block while the image is read, for use online.

        Parameters
        ----------
        imgs
        block : int, default=1
            Samples in each array that is given; the last may have fewer.

        Returns
        -------
        blocks : iterator of arrays of shape (block, n_elements_)
            Together what `transform` gives where nothing is done in time, which needs the whole run. Voxels that
            are resampled are clipped to the range of the run: it is then read once before, for that range alone.
            `min_coverage`, which is known at the end only, takes no part.

        Raises
        ------
        TypeError, ValueError
            At once, where an argument is not what it should be.
        """
        frozen = self._current()
        an_integer("block", block)
        if block < 1:
            raise ValueError(f"block must be at least 1; {block} was given.")
        source = self._open(imgs)
        for message in told_of_run(source.name, frozen.files):
            warn(message)
        recipe = frozen.recipe_and_warnings(source.domain)
        if recipe.eigen is not None:
            raise ValueError("strategy='eigenvariate' needs the whole run; it cannot be streamed.")
        return self._streamed(frozen, source, int(block))

    def _streamed(self, frozen: FittedMasker, source: Source, block: int) -> Iterator[NDArray]:
        recipe = frozen.recipe(source.domain)
        dtype = frozen.result_dtype(source)
        for values in stream(
            source, recipe.request(source, np.arange(source.n_samples), frozen.held_as(source)), block
        ):
            if len(recipe.lost):
                values[:, recipe.lost] = recipe.fill
            yield final_dtype(values, dtype, frozen.names, source.name)

    def coverage(self, img: Any, sample_mask: SampleMaskLike | None = None) -> Any:
        """How much of each region an image covers.

        Parameters
        ----------
        img : image-like
        sample_mask : array or list of shape (n_kept,) of int or (n_samples,) of bool, default=None
            The samples that count. None: all.

        Returns
        -------
        table : pandas.DataFrame
            One row for each column of the masker (for voxel maskers: one for the mask), named, with
            ``expected`` (points of the region, of the sphere, or the sum of a map's absolute weights),
            ``found`` (those inside the field of view that are finite and not 0 in at least one sample) and
            ``fraction``.
        """
        import pandas as pd

        frozen = self._current()
        source = self._open(img)
        expected, found = frozen.atlas.coverage(
            source.domain, has_data(source, frozen.kept(source, sample_mask))
        )
        names = ["mask"] if frozen.is_voxelwise else frozen.column_names()
        table = pd.DataFrame({"expected": expected, "found": found}, index=pd.Index(names, name="name"))
        table["fraction"] = table["found"] / table["expected"].where(table["expected"] > 0)
        return table

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
        frozen = self._current()
        domain = img_or_grid if isinstance(img_or_grid, Domain) else self._open(img_or_grid).domain
        recipe = frozen.recipe(domain)
        if recipe.eigen is not None or not recipe.space.is_linear:
            # An eigenvariate's place in space is that of a mean, which is linear, and is not what it gives.
            raise TypeError(f"{type(self).__name__} with these parameters is not linear; it has no matrix.")
        return MaskerOperator(recipe.space)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray:
        """Names of the columns: those of the regions, where they have names.

        Parameters
        ----------
        input_features

        Returns
        -------
        names : array of str objects, shape (n_elements_,)
        """
        self._check_is_fitted()
        return np.asarray(self._fitted.column_names(), dtype=object)

    # -- back to space ---------------------------------------------------------------------------------

    def _inverse(self, signals: Any) -> Any:
        frozen = self._current()
        values = self._checked_signals(signals)
        if frozen.home is None:
            raise ValueError("inverse_transform needs mask_img, which says on what grid to put the spheres.")
        dtype = inverse_dtype(frozen.in_time.dtype, values, self._inverse_name)
        if not isinstance(frozen.atlas, Maps):  # sums of maps are floating numbers, whatever is asked for
            cast(values, dtype, f"{self._inverse_name}: dtype")
        return frozen.kind.image(frozen.at_home().back(values, dtype), frozen.home)

    def _checked_signals(self, signals: Any) -> NDArray:
        """What `inverse_transform` was given as an array (n_elements_,) or (n_samples, n_elements_)."""
        self._check_is_fitted()
        values = container_rows(signals, self._fitted.names, self._inverse_name)
        return as_numbers(values, self._inverse_name)

    # -- reports ---------------------------------------------------------------------------------------

    def generate_report(
        self, engine: str = "matplotlib", title: str | None = None, **kwargs: Any
    ) -> HTMLReport:
        """Make a page that shows what the masker takes, and with which parameters.

        Parameters
        ----------
        engine : {"matplotlib", "brainsprite"}, default="matplotlib"
            Slices side by side, or a viewer that scrolls through slices.
        title : str, default=None
            None: the name of the class.
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
        from brainsieve.maskers.reports import content_of
        from brainsieve.pages import masker_report

        name, known = type(self).__name__, self._displayed_name
        unknown = sorted(set(kwargs) - ({known} if known else set()))
        if unknown:
            has = f"it has {known}" if known else "it has none"
            raise TypeError(
                f"generate_report of {name} got the unknown keywords {', '.join(unknown)}; {has}."
            )
        content = None
        if self.__sklearn_is_fitted__() and self.reports:
            content = content_of(
                self._fitted,
                title or name,
                self._background_volume(),
                (known or "", kwargs.get(known or "")),
                parameters=self.get_params(deep=False),
                warnings=self._fit_warnings,
                cmap=getattr(self, "cmap", None),
                cmap_is_own=getattr(self, "cmap", None) == self._default_of("cmap"),
            )
        return masker_report(content, title or name, engine)

    def _default_of(self, parameter: str) -> Any:
        known = inspect.signature(type(self)).parameters.get(parameter)
        return None if known is None else known.default

    def _middle_volume(self, imgs: Any, compiled: FittedMasker) -> tuple[Any, NDArray | None] | None:
        """What the report's background is made of: a file to be read when it is asked for, or a volume."""
        if imgs is None or isinstance(imgs, Iterator):  # a generator is used up by now
            return None
        img = imgs[0] if isinstance(imgs, list | tuple) and imgs else imgs
        if isinstance(img, str | os.PathLike):
            return img, None
        source = compiled.kind.open(img)
        if isinstance(source, FileSource | CiftiSource):
            return source, None  # an opened image: its file is decoded when the report is asked for
        return source.domain, read_sample(source, source.n_samples // 2)

    def _background_volume(self) -> tuple[Domain, NDArray] | None:
        """Domain and values of the volume that the report shows."""
        background = getattr(self, "_report_background", None)
        if background is None or background[1] is not None:
            return background
        try:
            source = background[0] if isinstance(background[0], Source) else self._open(background[0])
            return source.domain, read_sample(source, source.n_samples // 2)
        except (OSError, CorruptImageError) as error:
            warn(f"The report has no background: the image given to fit cannot be read any more ({error}).")
            return None
