"""A map of a statistic as an array over the points of its domain, and which of them were tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.source import read_all
from brainsieve.exceptions import DimensionError
from brainsieve.image import resample_to_img
from brainsieve.image.forms import ImageForm, SurfaceForm, VolumeForm, opened
from brainsieve.image.masks import plural, read_mask
from brainsieve.logs import warn
from brainsieve.masking import compute_background_mask


@dataclass(frozen=True)
class StatMap:
    """A map of one sample.

    Attributes
    ----------
    values : array of shape (n_points,)
        In the dtype of the image; 0 where `tested` is False.
    tested : array of bool, shape (n_points,)
        Finite, and inside the mask.
    form : ImageForm
    """

    values: NDArray
    tested: NDArray[np.bool_]
    form: ImageForm

    @property
    def image(self) -> Any:
        """The map as an image."""
        return self.form.image(self.values)


def read_map(stat_img: Any) -> StatMap:
    """Read a map of which every finite point was tested.

    Raises
    ------
    TypeError, ValueError
        If it is no image, or has several samples.
    """
    values, form = _one_sample(stat_img)
    return _tested(values, form, np.ones(len(values), dtype=bool))


def read_masked_map(stat_img: Any, mask_img: Any = None) -> StatMap:
    """Read a map, and bring it to the grid of the mask that says what was tested.

    Without a mask, voxels that the background mask of the map holds, and all vertices, were tested.

    Raises
    ------
    TypeError, ValueError
        As `read_map`, or if the two are of different surfaces.
    """
    values, form = _one_sample(stat_img)
    if mask_img is None:
        return _tested(values, form, _not_background(stat_img, values, form))
    inside, mask_form = read_mask(mask_img)
    if form.domain != mask_form.domain:
        values, form = _moved(stat_img, form, mask_img, mask_form)
    return _tested(values, form, inside)


def _tested(values: NDArray, form: ImageForm, inside: NDArray[np.bool_]) -> StatMap:
    finite = np.isfinite(values)
    n_lost = int((inside & ~finite).sum())
    if n_lost:
        warn(
            f"stat_img: {n_lost} {plural(form.point)} are NaN or infinite; they count as not tested, and are 0 in what "
            "is made of it."
        )
    tested = inside & finite
    return StatMap(np.where(tested, values, values.dtype.type(0)), tested, form)


def _not_background(stat_img: Any, values: NDArray, form: ImageForm) -> NDArray[np.bool_]:
    if not isinstance(form, VolumeForm):
        return np.ones(len(values), dtype=bool)
    if not np.any(values[np.isfinite(values)]):
        return np.zeros(len(values), dtype=bool)
    return read_mask(compute_background_mask(stat_img), allow_empty=True)[0]


def _one_sample(stat_img: Any) -> tuple[NDArray, ImageForm]:
    source, form = opened(stat_img)
    if source.n_samples != 1:
        if isinstance(form, SurfaceForm):
            raise ValueError(f"stat_img ({source.name}) has {source.n_samples} samples; a map has one.")
        raise DimensionError(4, 3, f"stat_img ({source.name})")
    return read_all(source)[0], form


def _moved(stat_img: Any, form: ImageForm, mask_img: Any, mask_form: ImageForm) -> tuple[NDArray, ImageForm]:
    if not (isinstance(form, VolumeForm) and isinstance(mask_form, VolumeForm)):
        raise ValueError(
            f"stat_img has {form.domain.describe()}, mask_img {mask_form.domain.describe()}; give both of one space."
        )
    warn(
        f"stat_img ({form.domain.describe()}) is resampled to the grid of mask_img ({mask_form.domain.describe()})."
    )
    return _one_sample(resample_to_img(stat_img, mask_img, interpolation="continuous", clip=True))
