"""The masker of a group's maps, and their values at its points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from brainsieve.engine.source import read_all
from brainsieve.glm.second_level.inputs import Group
from brainsieve.image.forms import ImageForm, SurfaceForm, opened
from brainsieve.logs import warn
from brainsieve.maskers import MultiSurfaceMasker, NiftiMasker, SurfaceMasker
from brainsieve.maskers.base import MaskerContract


def masker_of(mask_img: Any, parameters: dict[str, Any], maps: Sequence[Any]) -> Any:
    """A fitted masker for maps: the user's own, or one of their kind.

    Parameters
    ----------
    mask_img : image, masker or None
        None: the background mask of the maps; of surfaces, all vertices.
    parameters : dict
        Of the masker that is made.
    maps : sequence of images
    """
    if isinstance(mask_img, MaskerContract):
        unused = [
            name
            for name in ("smoothing_fwhm", "target_affine", "target_shape")
            if parameters[name] is not None
        ]
        if unused:
            warn(
                f"mask_img is a masker: {', '.join(unused)} of the model are not used, the masker's own are."
            )
        if mask_img.__sklearn_is_fitted__():
            return mask_img
        return clone(mask_img).fit(None if getattr(mask_img, "mask_img", None) is not None else list(maps))
    forms = [opened(img)[1] for img in maps]
    given = dict(parameters, dtype=np.float64)
    if isinstance(forms[0], SurfaceForm):
        del given["target_affine"], given["target_shape"]
        return (
            SurfaceMasker(mask_img, **given).fit()
            if mask_img is not None
            else MultiSurfaceMasker(**given).fit(list(maps))
        )
    masker = NiftiMasker(mask_img, **given)
    if mask_img is not None:
        return masker.fit()
    _refuse_other_grids(forms)
    return masker.fit([_finite(img)[0] for img in maps])


def _refuse_other_grids(forms: Sequence[ImageForm]) -> None:
    for i, form in enumerate(forms):
        if form.domain != forms[0].domain:
            raise ValueError(
                f"second_level_input: map {i} has {form.domain.describe()}, map 0 {forms[0].domain.describe()}, on "
                "another grid. Give mask_img, to whose grid maps are resampled, or resample them "
                "(brainsieve.image.resample_to_img)."
            )


def values_of(masker: Any, group: Group) -> NDArray[np.float64]:
    """Values of the maps at the points of a masker, (n_maps, n_points); NaN where a map is not finite."""
    rows, lost = [], {}
    for name, img in zip(group.names, group.kept, strict=True):
        whole, missing = _finite(img)
        row = np.atleast_2d(np.array(masker.transform(whole), dtype=np.float64))
        if len(row) != 1:
            raise ValueError(f"second_level_input: {name} is an image of {len(row)} samples; a map has one.")
        if missing is not None:
            gone = np.atleast_2d(_unsmoothed(masker).transform(missing))[0] > 0.5
            row[0, gone] = np.nan
            if gone.any():
                lost[name] = int(gone.sum())
        rows.append(row[0])
    if lost:
        n = int(np.isnan(np.stack(rows)).any(axis=0).sum())
        warn(
            f"Maps are not finite at points of the mask ({', '.join(f'{k}: {v}' for k, v in list(lost.items())[:5])}"
            f"{', …' if len(lost) > 5 else ''}); the {n} points where one is missing have no result, they are NaN."
        )
    return np.stack(rows)


def _finite(img: Any) -> tuple[Any, Any]:
    """An image with 0 for what is not finite, and an image of what that is, None where all is finite."""
    source, form = opened(img)
    values = read_all(source)
    finite = np.isfinite(values)
    if finite.all():
        return img, None
    single = slice(None) if not source.is_single else 0
    return form.image(np.where(finite, values, 0)[single]), form.image((~finite).astype(np.float32)[single])


def _unsmoothed(masker: Any) -> Any:
    """A masker of the same points that takes values as they are."""
    if isinstance(masker, NiftiMasker):
        return NiftiMasker(masker.mask_img_).fit()
    return SurfaceMasker(masker.mask_img_).fit()
