"""The masker of a model: the user's own, or one for the kind of its runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nibabel as nib
import numpy as np
from sklearn.exceptions import NotFittedError

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.grayordinates import Grayordinates, Parcels
from brainsieve.engine.source.base import Source
from brainsieve.logs import warn
from brainsieve.maskers import CiftiMasker, MultiSurfaceMasker, NiftiMasker, SurfaceMasker
from brainsieve.maskers.base import MaskerContract
from brainsieve.maskers.choosing import open_any
from brainsieve.surface.images import image_on
from brainsieve.surface.meshes import polymesh

# Parameters of the model that are the masker's, and what leaves them out.
OF_THE_MASKER = {"target_affine": None, "target_shape": None, "smoothing_fwhm": None}


def masker_of(mask_img: Any, parameters: dict[str, Any], runs: Sequence[Any]) -> Any:
    """A fitted masker.

    Parameters
    ----------
    mask_img : image, fitted masker, False or None
        False: all points. None: volumes, the mask of their mean (EPI); surfaces and CIFTI, points that are finite.
    parameters : dict
        ``smoothing_fwhm``, ``target_affine``, ``target_shape``, ``memory``, ``memory_level``, ``verbose``, ``reports``.
    runs : list of images

    Returns
    -------
    masker : fitted masker
        The user's own as it is.

    Raises
    ------
    NotFittedError
        For a masker that is not fitted.
    """
    if isinstance(mask_img, MaskerContract):
        return _own(mask_img, parameters)
    source = open_any(runs[0])
    given = dict(parameters)
    if isinstance(source.domain, VoxelGrid):
        return _of_volumes(mask_img, given, runs, source.domain)
    _refuse_targets(given, source)
    if isinstance(source.domain, Grayordinates | Parcels):
        mask = None if mask_img is False else mask_img
        return CiftiMasker(mask, **given).fit(runs[0] if mask is None else None)
    return _of_surfaces(mask_img, given, runs, source)


def _own(masker: Any, parameters: dict[str, Any]) -> Any:
    if not masker.__sklearn_is_fitted__():
        raise NotFittedError(
            f"mask_img is a {type(masker).__name__} that is not fitted; call its fit, with the runs where "
            "it has no mask."
        )
    unused = [name for name in OF_THE_MASKER if parameters[name] is not None]
    if unused:
        warn(
            f"mask_img is a {type(masker).__name__}: {', '.join(unused)} of the model are not used, the "
            "masker's own are."
        )
    return masker


def _of_volumes(mask_img: Any, given: dict[str, Any], runs: Sequence[Any], grid: VoxelGrid) -> Any:
    if mask_img is False:
        mask_img = nib.Nifti1Image(np.ones(grid.shape, dtype=np.uint8), grid.affine)
    masker = NiftiMasker(mask_img, mask_strategy="epi", **given)
    return masker.fit(list(runs) if mask_img is None else None)


def _of_surfaces(mask_img: Any, given: dict[str, Any], runs: Sequence[Any], source: Source) -> Any:
    if mask_img is False:
        mesh = getattr(runs[0], "mesh", None)
        ones = np.ones(source.domain.n_points, dtype=np.float32)
        mask_img = image_on(source.domain, None if mesh is None else polymesh(mesh), ones)  # type: ignore[arg-type]
    if mask_img is not None:
        return SurfaceMasker(mask_img, **given).fit()
    if len(runs) > 1:
        return MultiSurfaceMasker(None, **given).fit(list(runs))
    return SurfaceMasker(None, **given).fit(runs[0])


def _refuse_targets(given: dict[str, Any], source: Source) -> None:
    targets = {name: given.pop(name) for name in ("target_affine", "target_shape")}
    named = [name for name, value in targets.items() if value is not None]
    if named:
        raise ValueError(
            f"{' and '.join(named)} are for volumes; {source.name} is none ({source.domain.describe()})."
        )
