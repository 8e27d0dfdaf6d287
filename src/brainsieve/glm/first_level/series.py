"""The series of a run as a masker makes them, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.atlas.base import plural_of
from brainsieve.engine.extract import Extracted, stream
from brainsieve.engine.finite import FiniteGuard
from brainsieve.engine.source.base import Source
from brainsieve.engine.temporal.censor import kept_samples
from brainsieve.engine.temporal.settings import CleaningSettings
from brainsieve.exceptions import DimensionError
from brainsieve.logs import warn
from brainsieve.maskers.base import MaskerContract
from brainsieve.maskers.estimator import FrozenMasker
from brainsieve.maskers.fitted import FittedMasker
from brainsieve.maskers.running import run_fitted, warn_of_lost, warn_of_nonfinite
from brainsieve.typing import SampleMaskLike

# Values of a block of samples.
BLOCK_BYTES = 2**22


class RunSeries:
    """Series of a run, in float64, as often as they are asked for.

    What a masker does in space streams. One that cleans in time, or whose `transform_single_imgs` is somebody's own, is
    asked once for the whole.

    Parameters
    ----------
    masker : fitted masker
        Stays as it is; its `standardize` plays no part.
    img : image-like
    sample_mask : array, optional
        Volumes to keep.

    Attributes
    ----------
    name : str
    kept : array of int
        Volumes that are kept.
    n_samples : int
        Volumes of the run, those that are not kept among them.
    n_points : int
        Columns of the masker.
    points : str
        What these are called.
    missing : array of bool, shape (n_points,)
        Where a value of a kept volume is NaN or infinite; known once blocks were read to their end.
    """

    def __init__(self, masker: Any, img: Any, sample_mask: SampleMaskLike | None = None) -> None:
        self._masker, self._img, self._sample_mask = masker, img, sample_mask
        self._source: Source = masker._open(img)
        if self._source.is_single:
            raise DimensionError(3, 4, f"run_imgs ({self._source.name})")
        self.name, self.n_samples = self._source.name, self._source.n_samples
        self.kept = kept_samples(sample_mask, self.n_samples, self.name)
        self.n_points = int(masker.n_elements_)
        frozen = _spatial(masker)
        self._frozen = frozen if frozen is None else _without_standardize(frozen)
        self._is_streamed = frozen is not None and _does_nothing_in_time(frozen)
        self.points = (
            "points"
            if frozen is None
            else plural_of(frozen.kind.point if frozen.is_voxelwise else frozen.column)
        )
        self.missing = np.zeros(self.n_points, dtype=bool)
        self._whole: NDArray[np.float64] | None = None
        self._has_warned = False

    @property
    def identity(self) -> tuple[Any, ...]:
        """What tells these series from others, for a cache."""
        key = None if self._frozen is None else self._frozen.key
        return (key, self._source.identity, self.kept)

    @property
    def is_cacheable(self) -> bool:
        """Whether `identity` tells all."""
        return self._frozen is not None

    @property
    def stretch(self) -> NDArray[np.intp]:
        """Which unbroken stretch each kept volume is in."""
        return np.concatenate([[0], np.cumsum(np.diff(self.kept) != 1)]).astype(np.intp)

    def blocks(self) -> Iterator[NDArray[np.float64]]:
        """Blocks (n, n_points) of the volumes kept, in order; they may be overwritten."""
        step = max(1, BLOCK_BYTES // max(1, 8 * self.n_points))
        if self._is_streamed:
            yield from self._streamed(step)
            return
        whole = self._transformed()
        for start in range(0, len(whole), step):
            yield np.array(whole[start : start + step], order="C")

    def _streamed(self, step: int) -> Iterator[NDArray[np.float64]]:
        frozen = self._frozen
        assert frozen is not None
        recipe = frozen.recipe(self._source.domain)
        guard = FiniteGuard(self._source, self.kept)
        request = recipe.request(self._source, self.kept, np.dtype(np.float64))
        for block in stream(self._source, request, step, self.kept, guard):
            if len(recipe.lost):
                block[:, recipe.lost] = recipe.fill
            yield block
        if not self._has_warned:
            self._has_warned = True
            self._tell(frozen, guard)

    def _tell(self, frozen: FittedMasker, guard: FiniteGuard) -> None:
        recipe = frozen.recipe_and_warnings(self._source.domain)
        warn_of_lost(recipe, self.name, frozen.column, frozen.names)
        if guard.n_nonfinite is None:
            return
        if recipe.voxelwise and not recipe.space.mixes_points:
            self.missing = recipe.space.forward((guard.n_nonfinite > 0)[None].astype(np.float64))[0] > 0
            if self.missing.any():
                warn(
                    f"{self.name}: {int(self.missing.sum())} of {self.n_points} {self.points} are NaN or "
                    "infinite in some "
                    "volumes; their results are NaN."
                )
            return
        answer = Extracted(np.zeros((0, 0)), guard.n_nonfinite, len(self.kept))
        warn_of_nonfinite(recipe, self.name, frozen.column, frozen.names, answer)

    def _transformed(self) -> NDArray[np.float64]:
        if self._whole is None:
            if self._frozen is not None:
                signals = run_fitted(
                    self._source, [self._frozen], None, self._sample_mask, high_variance=True
                )[0]
            else:
                signals = self._masker.transform(self._img, sample_mask=self._sample_mask)
            self._whole = np.asarray(signals, dtype=np.float64)
            self.missing = np.asarray(~np.isfinite(self._whole).all(axis=0))
        return self._whole

    def release(self) -> None:
        """Let go of series that were held as a whole."""
        self._whole = None


def _spatial(masker: Any) -> FittedMasker | None:
    """The frozen object of a masker of ours, unless somebody's own method extracts."""
    is_plain = type(masker).transform_single_imgs is FrozenMasker.transform_single_imgs
    return masker._current() if isinstance(masker, FrozenMasker) and is_plain else None


def _without_standardize(frozen: FittedMasker) -> FittedMasker:
    in_time = frozen.in_time
    cleaning = replace(in_time.cleaning, standardize=None)
    return replace(frozen, in_time=replace(in_time, cleaning=cleaning, dtype=np.float64))


def _does_nothing_in_time(frozen: FittedMasker) -> bool:
    cleaning = frozen.in_time.cleaning
    plain = CleaningSettings(
        standardize=cleaning.standardize,
        standardize_confounds=cleaning.standardize_confounds,
        t_r=cleaning.t_r,
        filter=cleaning.filter if cleaning.filter != "cosine" else "butterworth",
    )
    same = all(
        getattr(cleaning, name) == getattr(plain, name)
        for name in ("detrend", "filter", "low_pass", "high_pass")
    )
    others = frozen.in_time.high_variance or frozen.in_time.min_coverage is not None
    return same and not others and frozen.in_space.strategy != "eigenvariate"


def is_masker(mask_img: Any) -> bool:
    """Whether it is a masker rather than an image."""
    return isinstance(mask_img, MaskerContract)
