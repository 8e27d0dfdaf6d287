"""Maskers of many runs: lists in, lists out.

A Multi masker is its single twin with a loop over images. Each image is treated on its own: one resampling,
straight to the target, so that images on different grids may be mixed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Literal

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray

from brainsieve.checks import an_integer, found, one_of
from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.threads import single_threaded_blas
from brainsieve.maskers.base import MaskerContract, as_images
from brainsieve.maskers.declared import MASK_STRATEGIES, choosing, keep_parameters
from brainsieve.maskers.documented import ARGUMENTS_OF_MANY, documented
from brainsieve.maskers.grid import read_mask
from brainsieve.maskers.labels import NiftiLabelsMasker
from brainsieve.maskers.maps import NiftiMapsMasker
from brainsieve.maskers.nifti import NiftiMasker
from brainsieve.typing import (
    ColormapLike,
    ConfoundsLike,
    FwhmLike,
    MapsStrategy,
    MaskStrategy,
    MemoryLike,
    NiimgLike,
    Nonfinite,
    SampleMaskLike,
    SignalDtype,
    Standardize,
    Strategy,
    TableLike,
)


@documented()
class ManyImages(MaskerContract):
    """What Multi maskers of every domain add to their single twins."""

    _arguments = ARGUMENTS_OF_MANY

    def transform(
        self,
        imgs: Any,
        confounds: ConfoundsLike | None = None,
        sample_mask: SampleMaskLike | None = None,
    ) -> Any:
        """Extract signals from one image, or from each of a list.

        Parameters
        ----------
        imgs
        confounds
        sample_mask

        Returns
        -------
        signals : array or data frame, or list of these
            A list for several images.
        """
        self._check_is_fitted()
        imgs = as_images(imgs)
        if is_one_image(imgs):
            return super().transform(imgs, confounds=confounds, sample_mask=sample_mask)
        return self.transform_imgs(imgs, confounds=confounds, sample_mask=sample_mask, n_jobs=self.n_jobs)

    def transform_imgs(
        self,
        imgs_list: Any,
        confounds: ConfoundsLike | None = None,
        n_jobs: int = 1,
        sample_mask: SampleMaskLike | None = None,
        return_as: str = "list",
    ) -> Any:
        """Extract signals from each of several images.

        Parameters
        ----------
        imgs_list
        confounds
        sample_mask
        n_jobs
        return_as

        Returns
        -------
        signals : list (or generator) of arrays or data frames
        """
        self._check_is_fitted()
        one_of("list", "generator")("return_as", return_as)
        an_integer("n_jobs", n_jobs)
        runs = _runs(as_images(imgs_list), confounds, sample_mask)
        parallel = Parallel(n_jobs=n_jobs, return_as=return_as)
        return parallel(
            delayed(_transform_run)(self, img, regressors, mask, n_jobs) for img, regressors, mask in runs
        )

    def _inverse(self, signals: Any) -> Any:
        # A list of numbers is one sample, as for the masker of one run.
        if isinstance(signals, list | tuple) and len(signals) and np.ndim(signals[0]) >= 1:
            return [super(ManyImages, self)._inverse(each) for each in signals]
        return super()._inverse(signals)


def is_one_image(imgs: Any) -> bool:
    """Whether an argument is one image (an object or path), and not a series of images."""
    return isinstance(imgs, str | os.PathLike) or not isinstance(imgs, Iterable) or hasattr(imgs, "shape")


def _runs(imgs: Iterable[Any], confounds: Any, sample_mask: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Images with their confounds and sample masks; lengths are checked before any image is read, where
    there are lengths."""
    n_images = len(imgs) if isinstance(imgs, Sized) else None
    for name, values in (("confounds", confounds), ("sample_mask", sample_mask)):
        if values is None:
            continue
        if not isinstance(values, list | tuple):
            raise TypeError(f"{name} must be a list with an entry for each image; {found(values)} was given.")
        if n_images not in (None, len(values)):
            raise ValueError(f"{name} has {len(values)} entries for {n_images} images; give one for each.")
    if n_images == 0:
        raise ValueError("The list of images is empty.")
    return _zipped(imgs, confounds, sample_mask)


def _zipped(imgs: Iterable[Any], confounds: Any, sample_mask: Any) -> Iterator[tuple[Any, Any, Any]]:
    n_images = 0
    for i, img in enumerate(imgs):
        n_images = i + 1
        yield img, _entry("confounds", confounds, i), _entry("sample_mask", sample_mask, i)
    if n_images == 0:
        raise ValueError("The generator of images is empty; was it used up before?")
    for name, values in (("confounds", confounds), ("sample_mask", sample_mask)):
        if values is not None and len(values) != n_images:
            raise ValueError(f"{name} has {len(values)} entries for {n_images} images; give one for each.")


def _entry(name: str, values: Sequence[Any] | None, i: int) -> Any:
    if values is None:
        return None
    if i >= len(values):
        raise ValueError(f"{name} has {len(values)} entries, but there are more images; give one for each.")
    return values[i]


def _transform_run(masker: Any, img: Any, confounds: Any, sample_mask: Any, n_jobs: int) -> Any:
    if n_jobs == 1:
        return masker._transform_run(img, confounds, sample_mask)
    # Two processes with two BLAS pools each would fight over the same cores.
    with single_threaded_blas():
        return masker._transform_run(img, confounds, sample_mask)


@documented(
    mask_strategy={
        **choosing(*MASK_STRATEGIES, "template"),
        "words": "How the common mask is computed from the images given to `fit`: the mask of each, then the voxels in "
        'more than half of them. "template" is an old name of "whole-brain-template".',
    },
    memory_level={"default": 0},
)
class MultiNiftiMasker(ManyImages, NiftiMasker):
    """`NiftiMasker` of many runs or subjects: a common mask, a list of arrays."""

    def __init__(
        self,
        mask_img: NiimgLike | None = None,
        runs: ArrayLike | None = None,
        smoothing_fwhm: FwhmLike = None,
        standardize: Standardize = False,
        standardize_confounds: bool = True,
        detrend: bool = False,
        high_variance_confounds: bool = False,
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        target_affine: ArrayLike | None = None,
        target_shape: Sequence[int] | None = None,
        mask_strategy: MaskStrategy | Literal["template"] = "background",
        mask_args: dict[str, Any] | None = None,
        dtype: SignalDtype = None,
        memory: MemoryLike = None,
        memory_level: int = 0,
        n_jobs: int = 1,
        verbose: int = 0,
        reports: bool = True,
        cmap: ColormapLike = "gray",
        clean_args: dict[str, Any] | None = None,
    ) -> None:
        keep_parameters(self, locals())

    def transform_imgs(  # type: ignore[override]  # the peer's order of arguments differs in this class
        self,
        imgs_list: Any,
        confounds: ConfoundsLike | None = None,
        sample_mask: SampleMaskLike | None = None,
        copy: bool = True,
        n_jobs: int = 1,
        return_as: str = "list",
    ) -> Any:
        """Extract signals from each of several images.

        Parameters
        ----------
        imgs_list
        confounds
        sample_mask
        copy
        n_jobs
        return_as

        Returns
        -------
        signals : list (or generator) of arrays or data frames
        """
        return super().transform_imgs(
            imgs_list,
            confounds=confounds,
            n_jobs=n_jobs,
            sample_mask=sample_mask,
            return_as=return_as,
        )

    def _computed_mask(self, imgs: Any) -> tuple[NDArray[np.bool_], VoxelGrid]:
        if imgs is None or is_one_image(imgs):
            return super()._computed_mask(imgs)
        from brainsieve import masking

        compute: Any = {
            "background": masking.compute_multi_background_mask,
            "epi": masking.compute_multi_epi_mask,
        }.get(self.mask_strategy, masking.compute_multi_brain_mask)
        fixed: dict[str, Any] = {}
        if compute is masking.compute_multi_brain_mask:
            fixed = {"mask_type": self._template()}
        elif "n_jobs" not in (self.mask_args or {}):
            fixed = {"n_jobs": self.n_jobs}
        found_mask = compute(imgs, **fixed, **self._known_mask_args(compute))
        return read_mask(found_mask, f"the mask computed by mask_strategy={self.mask_strategy!r}")

    def _template(self) -> str:
        return (
            "whole-brain"
            if self.mask_strategy == "template"
            else self.mask_strategy.removesuffix("-template")
        )

    def _mask_function(self) -> Any:
        if self.mask_strategy == "template":
            from brainsieve import masking

            return masking.compute_brain_mask, {"mask_type": self._template()}
        return super()._mask_function()


@documented(cmap={"default": "CMRmap_r"})
class MultiNiftiLabelsMasker(ManyImages, NiftiLabelsMasker):
    """`NiftiLabelsMasker` of many runs or subjects: a list of arrays with the same columns."""

    def __init__(
        self,
        labels_img: NiimgLike | None = None,
        labels: Sequence[str] | None = None,
        lut: TableLike | None = None,
        background_label: float = 0,
        mask_img: NiimgLike | None = None,
        smoothing_fwhm: FwhmLike = None,
        standardize: Standardize = False,
        standardize_confounds: bool = True,
        high_variance_confounds: bool = False,
        detrend: bool = False,
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        dtype: SignalDtype = None,
        resampling_target: Literal["data", "labels"] | None = "data",
        memory: MemoryLike = None,
        memory_level: int = 1,
        verbose: int = 0,
        strategy: Strategy = "mean",
        keep_masked_labels: bool = False,
        reports: bool = True,
        cmap: ColormapLike = "CMRmap_r",
        n_jobs: int = 1,
        clean_args: dict[str, Any] | None = None,
        nonfinite: Nonfinite = "zero",
        min_coverage: float | None = None,
    ) -> None:
        keep_parameters(self, locals())


@documented()
class MultiNiftiMapsMasker(ManyImages, NiftiMapsMasker):
    """`NiftiMapsMasker` of many runs or subjects: a list of arrays with the same columns."""

    def __init__(
        self,
        maps_img: NiimgLike | None = None,
        mask_img: NiimgLike | None = None,
        allow_overlap: bool = True,
        smoothing_fwhm: FwhmLike = None,
        standardize: Standardize = False,
        standardize_confounds: bool = True,
        high_variance_confounds: bool = False,
        detrend: bool = False,
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        dtype: SignalDtype = None,
        resampling_target: Literal["data", "maps", "mask"] | None = "data",
        keep_masked_maps: bool = False,
        memory: MemoryLike = None,
        memory_level: int = 0,
        verbose: int = 0,
        reports: bool = True,
        cmap: ColormapLike = "CMRmap_r",
        n_jobs: int = 1,
        clean_args: dict[str, Any] | None = None,
        strategy: MapsStrategy = "least_squares",
        min_coverage: float | None = None,
    ) -> None:
        keep_parameters(self, locals())
