"""The contract of all maskers, and the base of those of volumes.

A masker brings `fit` and `transform_single_imgs`; the rest follows: `transform` adds high-variance confounds and makes
data frames, `fit_transform` is fit, then transform. Whoever derives a class from `BaseMasker` overrides these two.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import InputTags, Tags

from brainsieve.caching import cached, digest
from brainsieve.engine.source import open_source
from brainsieve.engine.source.base import Source
from brainsieve.exceptions import DimensionError
from brainsieve.maskers.documented import documented
from brainsieve.maskers.output import as_container
from brainsieve.maskers.running import high_variance_components
from brainsieve.typing import ConfoundsLike, SampleMaskLike


@dataclass
class MaskerInputTags(InputTags):
    """scikit-learn's input tags, with what kind of image a masker takes."""

    niimg_like: bool = True
    surf_img: bool = False
    cifti_img: bool = False


@documented()
class MaskerContract(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """What maskers of every kind of image have in common, also those of other people."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Data frames are made here, with the names of columns; scikit-learn would make others around them.
        kwargs["auto_wrap_output_keys"] = None
        super().__init_subclass__(**kwargs)  # type: ignore[call-arg]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        # As `abc` would, without its metaclass, which classes that derive from ours may not share.
        missing = [
            name
            for name in ("fit", "transform_single_imgs")
            if getattr(getattr(cls, name), "__isabstractmethod__", False)
        ]
        if missing:
            raise TypeError(f"{cls.__name__} is abstract: it has no {' and no '.join(missing)}.")
        return super().__new__(cls)

    # -- to be written by each masker ------------------------------------------------------------------

    @abstractmethod
    def fit(self, imgs: Any = None, y: Any = None) -> Any:
        """Learn what `transform` needs, and return self.

        Parameters
        ----------
        imgs : image-like, default=None
        y

        Returns
        -------
        self
        """

    @abstractmethod
    def transform_single_imgs(
        self,
        imgs: Any,
        confounds: ConfoundsLike | None = None,
        sample_mask: SampleMaskLike | None = None,
        copy: bool = True,
    ) -> Any:
        """Extract signals from one image.

        Parameters
        ----------
        imgs
        confounds
            High-variance confounds, where the masker asks for them, are among them.
        sample_mask
        copy

        Returns
        -------
        signals : array of shape (n_samples kept, n_elements_), or (n_elements_,) for a 3-D image
        """

    # -- what follows ----------------------------------------------------------------------------------

    def transform(
        self,
        imgs: Any,
        confounds: ConfoundsLike | None = None,
        sample_mask: SampleMaskLike | None = None,
    ) -> Any:
        """Extract signals from a run and clean them.

        Parameters
        ----------
        imgs
        confounds
        sample_mask

        Returns
        -------
        signals : array or data frame
            Of shape (n_samples kept, n_elements_); (n_elements_,) for a 3-D image.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`, or where a parameter that needs another fit was changed since.
        TypeError, ValueError
            Where an argument is not what it should be; the message names it.
        """
        return self._transform_run(imgs, confounds, sample_mask)

    def fit_transform(
        self,
        imgs: Any,
        y: Any = None,
        confounds: ConfoundsLike | None = None,
        sample_mask: SampleMaskLike | None = None,
        **fit_params: Any,
    ) -> Any:
        """Fit to an image and transform it: ``fit(imgs).transform(imgs, confounds, sample_mask)``.

        Parameters
        ----------
        imgs
        confounds
        sample_mask
        y
        **fit_params : dict
            Given to `fit`.

        Returns
        -------
        signals : array or data frame
        """
        imgs = as_images(imgs)
        if isinstance(imgs, Iterator):
            imgs = list(imgs)  # it is read twice
        self._fit_to_transform(imgs, **({} if y is None else {"y": y}), **fit_params)
        return self.transform(imgs, confounds=confounds, sample_mask=sample_mask)

    def _fit_to_transform(self, imgs: Any, **fit_params: Any) -> Any:
        """Fit to images that are transformed next: beside a mask they are no mistake, and `transform` tells of them."""
        self._in_fit_transform = True
        try:
            return self.fit(imgs, **fit_params)
        finally:
            del self._in_fit_transform

    def _transform_run(self, imgs: Any, confounds: Any, sample_mask: Any) -> Any:
        """One run: what `transform` does, and what Multi maskers do to each of theirs."""
        self._check_is_fitted()
        imgs = as_images(imgs)
        if getattr(self, "high_variance_confounds", False):
            imgs = list(imgs) if isinstance(imgs, Iterator) else imgs
            components = self._high_variance_of(imgs, sample_mask)
            given = confounds if isinstance(confounds, list | tuple) else [confounds]
            confounds = [*(each for each in given if each is not None), components]
        signals = self.transform_single_imgs(imgs, confounds=confounds, sample_mask=sample_mask)
        return as_container(self, signals, self.get_feature_names_out)

    def _high_variance_of(self, imgs: Any, sample_mask: Any) -> NDArray[np.float64]:
        source = self._open(imgs)
        if source.is_single:
            raise DimensionError(3, 4, f"{source.name} (high_variance_confounds=True)")
        runs = getattr(self, "runs", None)
        return cached(
            getattr(self, "memory_", None),
            getattr(self, "_memory_level", 0),
            lambda: digest("high variance", source.identity, masks_of(sample_mask), runs),
            lambda: high_variance_components(source, sample_mask, runs),
        )

    def _open(self, imgs: Any) -> Source:
        """The source of an image of this masker's kind."""
        return open_source(imgs)

    # -- scikit-learn ----------------------------------------------------------------------------------

    def __sklearn_is_fitted__(self) -> bool:
        return any(name.endswith("_") and not name.startswith("_") for name in vars(self))

    def _check_is_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with appropriate "
                "arguments before using this estimator."
            )

    def get_feature_names_out(self, input_features: Any = None) -> NDArray:
        """Names of the columns.

        Parameters
        ----------
        input_features

        Returns
        -------
        names : array of str objects, shape (n_elements_,)
        """
        self._check_is_fitted()
        stem, n = type(self).__name__.lower(), getattr(self, "n_elements_", 0)
        return np.asarray([f"{stem}{i}" for i in range(n)], dtype=object)

    def set_output(self, *, transform: str | None = None) -> Any:
        """Choose what `transform` and `fit_transform` give.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
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
        tags.input_tags = MaskerInputTags(allow_nan=True)
        # What scikit-learn validates are arrays; images are checked by the masker's own kind.
        tags.no_validation = True
        return tags


@documented()
class BaseMasker(MaskerContract):
    """Base of the maskers of volumes, and of what others derive from them.

    Users test ``isinstance(x, BaseMasker)``; surface and CIFTI maskers are not instances of it. A class that derives
    from it brings `fit`, which sets what ends in an underscore and returns self, and `transform_single_imgs`;
    `transform`, `fit_transform`, high-variance confounds, metadata routing and `set_output` follow.
    """

    def inverse_transform(self, X: Any) -> Any:
        """Put signals of voxels back into the mask.

        Parameters
        ----------
        X : array of shape (n_voxels,) or (n_samples, n_voxels)
            One column for each voxel of ``mask_img_``, which the class sets in its `fit`.

        Returns
        -------
        img : Nifti1Image
        """
        from brainsieve.masking import unmask

        self._check_is_fitted()
        if getattr(self, "mask_img_", None) is None:
            raise AttributeError(
                f"{type(self).__name__} has no mask_img_, which says where signals come from; set it in fit, or write "
                "an inverse_transform of its own."
            )
        return unmask(np.asarray(X), self.mask_img_)


def as_images(imgs: Any) -> Any:
    """Arrays, series and other sequences of images or paths as lists; all else as it is."""
    if isinstance(imgs, np.ndarray) and imgs.dtype.kind in "UO":
        return imgs.tolist()
    if hasattr(imgs, "to_list") and not hasattr(imgs, "columns"):
        return imgs.to_list()
    return imgs


def masks_of(sample_mask: Any) -> Any:
    """A sample mask, or one for each run, as arrays that a cache can tell apart."""
    if sample_mask is None or isinstance(sample_mask, np.ndarray):
        return sample_mask
    return [np.asarray(mask) for mask in sample_mask]
