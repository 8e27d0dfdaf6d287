"""From images to rows of features: the masker, and standardizing by the statistics of the images that were fitted."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from brainsieve.checks import found
from brainsieve.engine.source.cifti import is_cifti
from brainsieve.engine.temporal.standardize import constant_share, warn_of_zero_means
from brainsieve.logs import warn
from brainsieve.maskers import CiftiMasker, NiftiMasker, SurfaceMasker
from brainsieve.maskers.base import as_images
from brainsieve.surface.opening import is_surface_image

# Parameters of a decoder that its masker gets, and those of them that say something of volumes alone.
OF_MASKERS = (
    *("smoothing_fwhm", "standardize", "target_affine", "target_shape", "mask_strategy"),
    *("low_pass", "high_pass", "t_r"),
)
OF_VOLUMES = {"target_affine": None, "target_shape": None, "mask_strategy": "background"}
# What the parameters are where nothing was asked for.
STANDARDIZE = {True: "zscore_sample", "zscore_sample": "zscore_sample", "psc": "psc"}
# Kinds of images, as messages say them.
VOLUMES, SURFACES, CIFTI = "volumes", "surfaces", "CIFTI"


@dataclass(frozen=True)
class Statistics:
    """Of each feature over the samples fitted.

    Attributes
    ----------
    mean : array of shape (V,)
    factor : array of shape (V,)
        What differences from the mean are multiplied by; 0 for features that do not vary.
    """

    mean: NDArray[np.float64]
    factor: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray, kind: str) -> Statistics:
        mean = values.mean(axis=0)
        spread = values.std(axis=0, ddof=1)
        size = np.abs(mean) + spread
        share = constant_share(values.dtype)
        if kind == "psc":
            reference = np.abs(mean)
            undefined = reference <= np.maximum(share * size, np.finfo(np.float64).eps)
            warn_of_zero_means(int(undefined.sum()))
            return cls(mean, np.where(undefined, 0.0, 100 / np.where(undefined, 1, reference)))
        constant = spread <= np.maximum(share * size, np.finfo(np.float64).eps)
        return cls(mean, np.where(constant, 0.0, 1 / np.where(constant, 1, spread)))

    def standardize(self, values: NDArray) -> NDArray[np.float64]:
        """Standardize in place."""
        values -= self.mean
        values *= self.factor
        return values


@dataclass(frozen=True)
class Reader:
    """How images become rows.

    Attributes
    ----------
    masker : fitted masker
        As its parameters say.
    plain : fitted masker
        What images are read with: the same, but standardizing is done here, where `statistics` are not None.
    statistics : Statistics or None
    """

    masker: Any
    plain: Any
    statistics: Statistics | None

    def read(self, imgs: Any) -> NDArray[np.float64]:
        """Rows (n, V) of images, standardized as those that were fitted."""
        values = _rows(self.plain, _listed(imgs))
        return values if self.statistics is None else self.statistics.standardize(values)


def fit_reader(
    imgs: Any, mask: Any, parameters: Mapping[str, Any], new_images: Literal["training", "own"]
) -> tuple[Reader, NDArray[np.float64]]:
    """The reader of a decoder, and the rows of the images that it is fitted to.

    Parameters
    ----------
    imgs : images of n samples
    mask : image, masker or None
    parameters : dict
        Of the decoder; those of maskers are used.
    new_images : {"training", "own"}
        Whose statistics standardize other images later.

    Returns
    -------
    reader : Reader
    X : array of shape (n, V)

    Raises
    ------
    TypeError, ValueError
        For images that are none, a mask of another kind or grid, and values that are not finite.
    """
    imgs = _listed(imgs)
    if isinstance(imgs, np.ndarray):
        raise TypeError(
            "X must be images (or paths) to be fitted, of which the decoder makes rows by its mask; an array of shape "
            f"{imgs.shape} was given. Arrays go to scikit-learn's estimators as they are."
        )
    wanted = _masker_for(imgs, mask, parameters)
    own = wanted.get_params(deep=False)
    kind = STANDARDIZE.get(own.get("standardize")) if _is_plain_word(own.get("standardize")) else None
    separate = kind is not None and _can_be_separate(own, kind)
    # float64, whatever the file holds: signals go on into sums over samples.
    changes: dict[str, Any] = {"dtype": np.float64} if own.get("dtype", "") is None else {}
    if separate and new_images == "training":
        changes["standardize"] = False
    plain = wanted.set_params(**changes) if changes else wanted
    X = _fit_rows(plain, imgs)
    if len(X) < 2:
        raise ValueError(f"X has {len(X)} sample; a decoder is fitted to many, and tested on some of them.")
    masker = copy.copy(plain)
    masker.set_params(**{name: own[name] for name in changes})
    if "standardize" not in changes:
        if kind is not None and new_images == "training":
            warn(
                f"mask: {type(masker).__name__} standardizes each image by itself (as its runs, detrend or filters ask "
                "for): new images are not standardized by those fitted."
            )
        return Reader(masker, plain, None), _finite(X, masker)
    assert kind is not None
    statistics = Statistics.of(X, kind)
    return Reader(masker, plain, statistics), _finite(statistics.standardize(X), masker)


def _masker_for(imgs: Any, mask: Any, parameters: Mapping[str, Any]) -> Any:
    """A masker of its own for a decoder, fitted where the one that was given is."""
    if isinstance(mask, type):
        raise TypeError(f"mask must be an image or a masker object; the class {mask.__name__} was given.")
    if hasattr(mask, "fit") and hasattr(mask, "get_params"):
        _warn_of_other_parameters(mask, parameters)
        if getattr(mask, "__sklearn_is_fitted__", lambda: False)():
            return copy.copy(mask)
        return type(mask)(**mask.get_params(deep=False))
    first = imgs[0] if isinstance(imgs, list | tuple) and len(imgs) else imgs
    kind = _kind_of(first)
    if mask is not None and _kind_of(mask) != kind:
        raise TypeError(f"mask is {_kind_of(mask)}, X is {kind}; give a mask of the same points.")
    kept = {name: parameters[name] for name in OF_MASKERS}
    kept |= {
        "memory": parameters["memory"],
        "verbose": max(0, int(parameters["verbose"]) - 1),
        "reports": False,
    }
    level = parameters["memory_level"]
    kept["memory_level"] = level if parameters["memory"] is None else max(1, level)
    if kind != VOLUMES:
        for name, default in OF_VOLUMES.items():
            value = kept.pop(name)
            if value is not default and not (isinstance(value, str) and value == default):
                raise ValueError(f"{name} is for volumes; {found(value)} was given, and X is {kind}.")
        return (SurfaceMasker if kind == SURFACES else CiftiMasker)(mask_img=mask, **kept)
    return NiftiMasker(mask_img=mask, **kept)


def _kind_of(img: Any) -> str:
    if is_surface_image(img):
        return SURFACES
    return CIFTI if is_cifti(img) else VOLUMES


def _warn_of_other_parameters(masker: Any, parameters: Mapping[str, Any]) -> None:
    own = masker.get_params(deep=False)
    # A mask that is there is not computed.
    names = [name for name in OF_MASKERS if name in own and name != "mask_strategy"]
    other = [name for name in names if not _same(own[name], parameters[name])]
    if other:
        told = ", ".join(f"{name}={own[name]!r} (not {parameters[name]!r})" for name in other)
        warn(f"mask is a masker, whose parameters are used instead of the decoder's own: {told}.")


def _same(one: Any, other: Any) -> bool:
    if _is_plain_word(one) and _is_plain_word(other):
        return bool(STANDARDIZE.get(one, one or None) == STANDARDIZE.get(other, other or None))
    return np.array_equal(np.asarray(one, dtype=object), np.asarray(other, dtype=object))


def _is_plain_word(value: Any) -> bool:
    return value is None or isinstance(value, str | bool | int | float)


def _can_be_separate(own: Mapping[str, Any], kind: str) -> bool:
    """Whether standardizing is the last step and by itself, so that it may be done later by other numbers."""
    if own.get("runs") is not None or (own.get("clean_args") or {}).get("runs") is not None:
        return False
    # Percent of a mean that detrending and filters remove is one of the series as it came.
    removed = own.get("detrend") or own.get("low_pass") or own.get("high_pass")
    return not (kind == "psc" and (removed or own.get("high_variance_confounds")))


def _listed(imgs: Any) -> Any:
    imgs = as_images(imgs)
    return list(imgs) if isinstance(imgs, Iterator) else imgs


def _fit_rows(masker: Any, imgs: Any) -> NDArray[np.float64]:
    if getattr(masker, "__sklearn_is_fitted__", lambda: False)():
        return _rows(masker, imgs)
    if isinstance(imgs, list | tuple) and len(imgs) and _takes_cifti(masker):
        masker.fit(imgs[0])
        return _rows(masker, imgs)
    return _stacked(masker.fit_transform(imgs))


def _rows(masker: Any, imgs: Any) -> NDArray[np.float64]:
    if isinstance(imgs, list | tuple) and _takes_cifti(masker):
        return _stacked([masker.transform(img) for img in imgs])
    return _stacked(masker.transform(imgs))


def _takes_cifti(masker: Any) -> bool:
    """Its images are runs, which it takes one by one."""
    return bool(getattr(masker.__sklearn_tags__().input_tags, "cifti_img", False))


def _stacked(signals: Any) -> NDArray[np.float64]:
    """Rows in memory of their own: a masker may give what its cache holds."""
    if isinstance(signals, list):
        return np.vstack([np.atleast_2d(np.asarray(each, dtype=np.float64)) for each in signals])
    return np.atleast_2d(np.array(signals, dtype=np.float64))


def _finite(X: NDArray[np.float64], masker: Any) -> NDArray[np.float64]:
    bad = np.flatnonzero(~np.isfinite(X).all(axis=0))
    if len(bad):
        names = list(map(str, masker.get_feature_names_out()[bad[:8]]))
        raise ValueError(
            f"X: {len(bad)} of {X.shape[1]} features are NaN or infinite ({', '.join(names)}"
            f"{' ...' if len(bad) > 8 else ''}). Are there regions without data?"
        )
    return X
