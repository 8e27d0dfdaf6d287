"""What `fit` promises: one frozen object, from which a masker works.

`FittedMasker` holds the atlas, where it is placed, and what is done in space and in time. It is immutable, may be
pickled and shared, and is what caches are keyed by: the key is that of the object that computes. An estimator whose
parameters of space or time were changed since `fit` works from another one, with a key of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

from brainsieve._version import __version__
from brainsieve.atlas import Atlas, Labels, Maps, Placed, Points, Spheres
from brainsieve.caching import digest, is_plain
from brainsieve.engine.domain import Domain, VoxelGrid
from brainsieve.engine.plans import cached_plan
from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.clipped import Clipped
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.spatial.plan import fold
from brainsieve.engine.spatial.resample import resample
from brainsieve.engine.temporal.operator import (
    CleaningSettings,
    clean_args_to_settings,
    normalize_standardize,
    plan_cleaning,
)
from brainsieve.logs import collected_warnings, warn
from brainsieve.maskers.declared import role_of
from brainsieve.maskers.eigenvariate import Eigenvariates
from brainsieve.maskers.kinds import ImageKind
from brainsieve.maskers.recipe import Recipe
from brainsieve.maskers.spaces import File

# What `signals` have where no dtype is asked for, by the source and the atlas.
NaturalDtype = Callable[[Source, Atlas], np.dtype]


@dataclass(frozen=True)
class InSpace:
    """Parameters of what is done in space, beside the atlas. `strategy` None: the atlas has but one."""

    smoothing_fwhm: Any = None
    smoothing_method: str | None = None
    strategy: str | None = None
    nonfinite: str = "zero"
    allow_overlap: bool = True

    def __post_init__(self) -> None:
        if self.nonfinite == "omit" and self.strategy != "mean":
            raise ValueError(
                f"nonfinite='omit' goes with strategy='mean' only; strategy is {self.strategy!r}."
            )

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> InSpace:
        own = {name: parameters[name] for name in cls.__dataclass_fields__ if name in parameters}
        if isinstance(own.get("smoothing_fwhm"), list | np.ndarray):
            own["smoothing_fwhm"] = tuple(
                np.asarray(own["smoothing_fwhm"]).tolist()
            )  # the caller's may change
        return cls(**own)


@dataclass(frozen=True)
class InTime:
    """Parameters of what is done in time."""

    cleaning: CleaningSettings
    high_variance: bool = False
    runs: tuple[Any, ...] | None = None
    dtype: Any = None
    min_coverage: float | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> InTime:
        runs = parameters.get("runs")
        cleaning = CleaningSettings(
            detrend=bool(parameters["detrend"]),
            standardize=normalize_standardize(parameters["standardize"]),
            standardize_confounds=bool(parameters["standardize_confounds"]),
            low_pass=parameters["low_pass"],
            high_pass=parameters["high_pass"],
            t_r=parameters["t_r"],
            **clean_args_to_settings(parameters["clean_args"] or {}),
        )
        return cls(
            cleaning,
            bool(parameters["high_variance_confounds"]),
            None if runs is None else tuple(np.asarray(runs).tolist()),
            parameters["dtype"],
            parameters.get("min_coverage"),
        )


@dataclass(frozen=True, eq=False)
class FittedMasker:
    """An atlas, and what is done to images before and after it.

    Attributes
    ----------
    name : str
        Of the masker's class, for messages.
    kind : ImageKind
        How images are opened, smoothed and made.
    atlas : Atlas
    home : Domain or None
        Where `fit` placed the atlas: fitted images and the way back are there. None for spheres without a mask.
    target : Domain or None
        Where images are resampled to; None: the atlas comes to the image.
    in_space : InSpace
    in_time : InTime
    natural_dtype : callable
        Of signals where no `dtype` is asked for.
    column : str
        What a column is called in messages.
    given_as : tuple of (str, object)
        The parameters that need another fit, as they were.
    one_grid : str or None
        Where images on other grids are refused: the parameter that the atlas was given as.
    files : tuple of (str, str)
        Parameters that were given as files, and the names of these.
    """

    name: str
    kind: ImageKind
    atlas: Atlas
    home: Domain | None
    target: Domain | None
    in_space: InSpace
    in_time: InTime
    natural_dtype: NaturalDtype
    column: str
    given_as: tuple[tuple[str, Any], ...]
    one_grid: str | None = None
    files: tuple[File, ...] = ()

    # -- caches ----------------------------------------------------------------------------------------

    @property
    def space_key(self) -> str:
        """What tells its operators from those of others; maskers that only clean otherwise share them."""
        # `one_grid` changes no operator, but refuses images for which others have one already.
        places = [None if d is None else d.fingerprint for d in (self.home, self.target)]
        return digest(self.atlas.key, self.kind.key, places, self.in_space, self.one_grid)

    @property
    def key(self) -> str:
        """What tells its signals from those of others."""
        # The version: a cache on disk outlives the program that computed what is in it.
        return digest(__version__, self.space_key, self.in_time, self.natural_dtype.__qualname__)

    # -- parameters ------------------------------------------------------------------------------------

    def with_parameters(self, parameters: Mapping[str, Any]) -> FittedMasker:
        """The same atlas with other parameters of space and time.

        Raises
        ------
        NotFittedError
            Where a parameter that only `fit` can follow was changed; it is a `ValueError` too.
        """
        changed = [name for name, was in self.given_as if not _is_same(was, as_given(parameters[name]))]
        if changed:
            raise NotFittedError(
                f"{' and '.join(changed)} of this {self.name} changed since it was fitted, which needs another fit: "
                "call fit again (or make another masker)."
            )
        in_space, in_time = InSpace.of(parameters), InTime.of(parameters)
        if in_space == self.in_space and in_time == self.in_time:
            return self
        kind = self.kind.timed(in_time.cleaning.t_r)
        return replace(self, kind=kind, in_space=in_space, in_time=in_time)

    # -- columns ---------------------------------------------------------------------------------------

    @property
    def n_features(self) -> int:
        return self.atlas.n_features

    @property
    def is_voxelwise(self) -> bool:
        return isinstance(self.atlas, Points)

    @property
    def names(self) -> Names:
        """Names of the columns, where only some may be asked for."""
        return Names(self)

    def column_names(self) -> list[str]:
        """Names of the columns: those of the atlas, else the name of the class and a number."""
        names = self.atlas.names
        if isinstance(self.atlas, Points):
            names = self.kind.names_of(self.atlas.inside)
        if names is not None:
            return [str(name) for name in names]
        return [f"{self.name.lower()}{i}" for i in range(self.n_features)]

    # -- time ------------------------------------------------------------------------------------------

    def kept(self, source: Source, sample_mask: Any) -> NDArray[np.intp]:
        """The samples that a sample mask keeps, sorted."""
        return plan_cleaning(
            source.n_samples,
            CleaningSettings(),
            sample_mask=sample_mask,
            runs=self.in_time.runs if sample_mask is not None else None,
            name=source.name,
        ).kept

    # -- space -----------------------------------------------------------------------------------------

    def recipe(self, domain: Domain) -> Recipe:
        """How signals come of images on a domain; compiled once in a process for all maskers that do the same."""
        return self._recipe(domain)[0]

    def recipe_and_warnings(self, domain: Domain) -> Recipe:
        """`recipe`, which says what it said when it was compiled: maskers share it, users do not."""
        recipe, is_new = self._recipe(domain)
        for message, category in () if is_new else recipe.said:
            warn(message, category)
        return recipe

    def _recipe(self, domain: Domain) -> tuple[Recipe, bool]:
        is_new = False

        def compiled() -> Recipe:
            nonlocal is_new
            is_new = True
            with collected_warnings() as said:
                recipe = self._compiled(domain)
            return replace(recipe, said=tuple(said))

        return cached_plan((self.space_key, domain.fingerprint), compiled), is_new

    def at_home(self) -> Any:
        """The atlas where `fit` placed it."""
        home = self.home
        assert home is not None
        return cached_plan(("at home", self.atlas.key, home.fingerprint), lambda: self.atlas.on(home))

    def _compiled(self, domain: Domain) -> Recipe:
        self._refuse_other_grid(domain)
        place = domain if self.target is None else self.target
        placed = self.atlas.on(place)
        lost, fill = self._lost(placed, domain, place)
        if not self.in_space.allow_overlap and isinstance(self.atlas, Maps | Spheres):
            placed.refuse_overlap(self.kind.point)  # type: ignore[attr-defined]
        move = [] if domain == place else [resample(domain, place, "continuous")]  # type: ignore[arg-type]
        smooth = self.kind.smoothing(place, self.in_space.smoothing_fwhm, self.in_space.smoothing_method)
        return Recipe(
            space=self._operator(placed, move, smooth),
            voxelwise=self.is_voxelwise,
            clip=bool(move) and self.is_voxelwise,
            eigen=self._eigenvariates(placed, [*move, *smooth]),
            omit_nonfinite=self.in_space.nonfinite == "omit",
            lost=lost,
            fill=fill,
            notes=self._notes(domain),
            touched_by=self._touching(placed, [*move, *smooth]),
            point=self.kind.point,
            why_lost=self.kind.why_lost,
        )

    def _lost(
        self, placed: Placed, domain: Domain, place: Domain
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Columns without a point in an image, and what they hold.

        Raises
        ------
        ValueError
            If all are.
        """
        lost, fill = placed.lost, placed.fill
        # Columns that a mask took and that were to be kept hold 0: no sign of images and atlas being apart.
        is_outside = len(lost) == self.n_features and bool(np.isnan(fill).any())
        if domain != place:
            # The atlas is whole on its own grid; it is the image that may end before it.
            expected, found = self.atlas.coverage(domain, np.ones(domain.n_points, dtype=bool))
            is_outside = is_outside or not found.any()
            if not self.is_voxelwise:
                beyond = np.setdiff1d(np.flatnonzero((found == 0) & (expected > 0)), lost)
                lost, fill = (
                    np.concatenate([lost, beyond]),
                    np.concatenate([fill, np.full(len(beyond), np.nan)]),
                )
        if is_outside:
            raise ValueError(
                f"No {self.column} has a {self.kind.point} in this image ({domain.describe()}): image and atlas do "
                "not overlap. Are they in the same space?"
            )
        order = np.argsort(lost, kind="stable")
        return lost[order], fill[order]

    def _operator(
        self, placed: Placed, move: list[SpatialOperator], smooth: list[SpatialOperator]
    ) -> SpatialOperator:
        last = placed.operator(self.in_space.strategy, folded=bool(move or smooth))
        # What is not linear sees voxels, which are clipped as they are where voxels are the result: an overshoot of
        # the spline is no maximum.
        if move and not last.is_linear:
            return Clipped.between(move[0], [*smooth, last])
        return fold([*move, *smooth, last]) if move or smooth else last

    def _touching(self, placed: Placed, chain: list[SpatialOperator]) -> SpatialOperator | None:
        is_linear = isinstance(self.atlas, Labels) and self.in_space.strategy in ("mean", "sum")
        touching = None if is_linear else placed.touching()
        return fold([*chain, touching]) if touching is not None and chain else touching

    def _eigenvariates(self, placed: Placed, chain: list[SpatialOperator]) -> Eigenvariates | None:
        if self.in_space.strategy != "eigenvariate":
            return None
        return Eigenvariates(tuple(chain), placed.codes, self.n_features)  # type: ignore[attr-defined]

    def _refuse_other_grid(self, domain: Domain) -> None:
        if self.one_grid is not None and self.home is not None and domain != self.home:
            refuse_other_grid("imgs", domain, self.one_grid, self.home)

    def _notes(self, domain: Domain) -> tuple[str, ...]:
        """Warnings about images on a domain."""
        home = self.home
        if not isinstance(home, VoxelGrid) or domain == home or isinstance(self.atlas, Spheres):
            return ()
        here, there = domain.describe(), home.describe()
        if self.is_voxelwise:
            return (f"this image ({here}) is resampled to the grid of the mask ({there}).",)
        if self.target is not None:
            return ()
        name, how = "maps_img", "linear interpolation"
        if isinstance(self.atlas, Labels):
            name, how = "labels_img", "the nearest voxel"
        return (
            f"{name} ({there}) was brought to the grid of this image ({here}) by {how}. To do it once, give an "
            "image to fit.",
        )

    # -- dtypes ----------------------------------------------------------------------------------------

    def result_dtype(self, source: Source, regressed: bool = False) -> np.dtype:
        """The dtype of signals; `regressed` tells whether confounds are taken out of them."""
        dtype = self.in_time.dtype
        if dtype is None:
            return self.natural_dtype(source, self.atlas)
        if is_auto(dtype):
            untouched = self.is_voxelwise and not regressed and self._leaves_values_alone(source)
            return np.dtype(np.int32 if untouched and source.dtype.kind == "i" else np.float32)
        return np.dtype(dtype)

    def held_as(self, source: Source) -> np.dtype:
        """The dtype in which signals are gathered."""
        if not self.is_voxelwise:
            return np.dtype(np.float64)  # regions are few
        wanted = self.result_dtype(source)
        return np.dtype(np.result_type(wanted, np.float32) if wanted.kind == "f" else np.float64)

    def _leaves_values_alone(self, source: Source) -> bool:
        """Whether signals are stored values as they are: nothing scaled, smoothed, resampled or cleaned."""
        cleaning = self.in_time.cleaning
        cleaned = cleaning.detrend or cleaning.standardize or cleaning.filter_is_active
        computed = self.in_space.smoothing_fwhm is not None or source.is_scaled
        return not (cleaned or computed or self.in_time.high_variance or self.recipe(source.domain).clip)


class Names(Sequence[str]):
    """Names of a masker's columns, made only where one is asked for: voxels are many."""

    def __init__(self, fitted: FittedMasker) -> None:
        self._fitted = fitted
        self._names: list[str] | None = None

    def __getitem__(self, index: Any) -> Any:
        if self._names is None:
            self._names = self._fitted.column_names()
        return self._names[index]

    def __len__(self) -> int:
        return self._fitted.n_features


def refuse_other_grid(name: str, grid: Domain, atlas_name: str, own: Domain) -> None:
    """Raise the error of `resampling_target=None`."""
    choices = "'data' or 'labels'" if atlas_name == "labels_img" else "'data', 'maps' or 'mask'"
    raise ValueError(
        f"resampling_target is None, but {name} ({grid.describe()}) and {atlas_name} ({own.describe()}) are on "
        f"different grids; resample one of them, or ask for resampling_target={choices}."
    )


def is_auto(dtype: Any) -> bool:
    return isinstance(dtype, str) and dtype == "auto"


def given_parameters(parameters: Mapping[str, Any], cls: type) -> tuple[tuple[str, Any], ...]:
    """The parameters of a class that need another fit, so that a change is noticed."""
    return tuple(
        (name, as_given(value)) for name, value in parameters.items() if role_of(name, cls) == "atlas"
    )


@dataclass(frozen=True)
class Contents:
    """Stands for a value that is told apart by its contents."""

    digest: str


def as_given(value: Any) -> Any:
    """What a parameter is compared by: simple values and arrays by their contents, images by what they are."""
    if is_plain(value):
        return value
    try:
        return Contents(digest(value))
    except TypeError:
        return value


def _is_same(was: Any, value: Any) -> bool:
    return was is value or (is_comparable(was) and is_comparable(value) and bool(was == value))


def is_comparable(value: Any) -> bool:
    return isinstance(value, Contents) or is_plain(value)
