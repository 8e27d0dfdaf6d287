"""Arithmetic on images: formulas, crops, mirrors."""

from __future__ import annotations

import re
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray

from brainsieve.checks import a_number_within
from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.source import read_all
from brainsieve.exceptions import DimensionError
from brainsieve.image.forms import Arrays, ImageForm, VolumeForm, is_one_image, opened
from brainsieve.image.formulas import evaluated
from brainsieve.image.headers import narrowed, nifti_image
from brainsieve.image.loading import check_niimg, get_data, new_img_like
from brainsieve.image.resampling import reorder_img
from brainsieve.logs import warn
from brainsieve.typing import ImagesLike, NiimgLike, NiimgsLike


def math_img(formula: str, copy_header_from: str | None = None, **imgs: ImagesLike) -> Any:
    """Evaluate a formula on images.

    Parameters
    ----------
    formula : str
        Such as ``"a - b.mean(axis=-1)[..., None]"``: arithmetic, comparisons, indexing, numpy's functions on arrays as
        ``np.…``, the usual methods of arrays, and ``abs``, ``float``, ``int``, ``len``, ``max``, ``min``, ``round``,
        ``sum``. It is not run as Python: nothing else can be reached from it. Of surfaces, the hemispheres are computed
        one by one.
    copy_header_from : str, optional
        Name of the image whose header the result has. Default: none.
    **imgs : image-like or SurfaceImage
        By the names in the formula, all of one domain. Compressed files are verified to their end.

    Returns
    -------
    img : image of the same kind

    Raises
    ------
    ValueError
        If the formula cannot be evaluated, the images' grids differ, or the result is no image or has other
        dimensions than the header that is copied.
    TypeError
        If the formula is no string.

    Warns
    -----
    UserWarning
        For images that the formula does not mention.
    """
    if not isinstance(formula, str):
        raise TypeError(f"formula must be a string; {formula!r} was given.")
    if not imgs:
        raise ValueError(f"math_img: no image was given for the formula {formula!r}.")
    if copy_header_from is not None and copy_header_from not in imgs:
        raise ValueError(f"copy_header_from={copy_header_from!r} is none of the images {', '.join(imgs)}.")
    forms, arrays = {}, {}
    for name, img in imgs.items():
        forms[name], arrays[name] = _form_and_arrays(img)
    first = next(iter(forms))
    for name, form in forms.items():
        if form.domain != forms[first].domain:
            raise ValueError(
                f"math_img: image {name!r} is on another grid ({form.domain.describe()}) than {first!r} "
                f"({forms[first].domain.describe()}); resample it first (resample_to_img)."
            )
    unused = [name for name in imgs if not re.search(rf"\b{re.escape(name)}\b", formula)]
    if unused:
        warn(f"math_img: the formula {formula!r} does not mention {', '.join(unused)}.")
    parts = {
        part: _evaluated(formula, {name: own[part] for name, own in arrays.items()}) for part in arrays[first]
    }
    return _result_image(formula, parts, forms[copy_header_from or first], arrays, copy_header_from)


def _form_and_arrays(img: Any) -> tuple[ImageForm, Arrays]:
    """The form of an image and the array of each of its parts."""
    if isinstance(img, SpatialImage) and len(img.shape) > 4:
        # More axes than space and samples: for a formula they are an array as any.
        shape: Any = img.shape[:3]
        return VolumeForm(VoxelGrid(shape, img.affine), img.header), {"volume": get_data(img)}
    source, form = opened(img)
    if isinstance(form, VolumeForm) and is_one_image(img):
        return form, {"volume": get_data(img)}
    values = read_all(source)
    return form, form.arrays(values[0] if source.is_single else values)


def _result_image(
    formula: str, parts: Arrays, form: ImageForm, arrays: dict[str, Arrays], copied: str | None
) -> Any:
    for part, result in parts.items():
        of_image = next(iter(arrays.values()))[part]
        n_space = 3 if isinstance(form, VolumeForm) else 1
        if (isinstance(form, VolumeForm) and result.ndim < 3) or (
            result.shape[:1] != of_image.shape[:1] and n_space == 1
        ):
            raise ValueError(
                f"math_img: the formula {formula!r} gives an array of shape {result.shape}; an image needs "
                f"{'three axes of space' if n_space == 3 else f'{len(of_image)} vertices first'}."
            )
        if copied is not None and result.ndim != arrays[copied][part].ndim:
            raise ValueError(
                f"copy_header_from={copied!r} has {arrays[copied][part].ndim} dimensions, the result {result.ndim}: "
                "its header cannot be copied."
            )
    if isinstance(form, VolumeForm):
        return nifti_image(narrowed(parts["volume"]), form.domain.affine, form.header, copied is not None)
    return form.image_of(parts)


def _evaluated(formula: str, arrays: dict[str, NDArray]) -> NDArray:
    try:
        # The formula sees arrays that it cannot write to.
        views = {name: array.view() for name, array in arrays.items()}
        for view in views.values():
            view.flags.writeable = False
        result = evaluated(formula, views)
        if not isinstance(result, np.ndarray | np.generic):
            raise TypeError(f"its value is no array, but {type(result).__name__}")
        return np.asanyarray(result)
    except Exception as error:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(
            f"math_img: the formula {formula!r} on {shapes} failed: {type(error).__name__}: {error}"
        ) from error


def crop_img(
    img: NiimgsLike,
    rtol: float = 1e-8,
    copy: bool = True,
    pad: bool = True,
    return_offset: bool = False,
    copy_header: bool = True,
) -> Any:
    """Cut an image to the box that holds what is not 0.

    Parameters
    ----------
    img : image-like
        3-D or 4-D.
    rtol : float, default=1e-8
        Values of at most this share of the largest absolute value are 0.
    copy : bool, default=True
        Copy the data.
    pad : bool, default=True
        Leave one voxel on each side where the image has it.
    return_offset : bool, default=False
        Also give the slices that were cut out.
    copy_header : bool, default=True

    Returns
    -------
    img : nibabel image
    offset : tuple of 3 slice
        If `return_offset`.
    """
    a_number_within("rtol", rtol, 0)
    given = check_niimg(img)
    data = get_data(given)
    if data.ndim > 4:
        raise DimensionError(data.ndim, 4)
    box = _box_of(_largest_of_samples(data), rtol, pad)
    affine = given.affine.copy()
    affine[:3, 3] = nib.affines.apply_affine(given.affine, [part.start for part in box])
    part = np.array(data[box]) if copy else data[box]
    cropped = new_img_like(given, part, affine, copy_header)
    return (cropped, box) if return_offset else cropped


def _largest_of_samples(data: NDArray) -> NDArray:
    """The largest absolute value of each voxel; what is not finite counts as 0."""
    largest = np.zeros(data.shape[:3])
    for sample in [data] if data.ndim == 3 else np.moveaxis(data, -1, 0):
        # In float64: the smallest integer has no absolute value in its own dtype.
        values = np.abs(sample.astype(np.float64))
        np.maximum(largest, np.where(np.isfinite(values), values, 0), out=largest)
    return largest


def _box_of(largest: NDArray, rtol: float, pad: bool) -> tuple[slice, ...]:
    """The box of what is above a share of the largest value; the whole image, with a warning, where nothing is."""
    voxels = np.argwhere(largest > rtol * largest.max())
    if not len(voxels):
        warn(f"No value is above rtol={rtol:g} of the largest one; the image is left as it is.")
        return tuple(slice(0, n) for n in largest.shape)
    low, high = voxels.min(axis=0), voxels.max(axis=0) + 1
    if pad:
        low, high = np.maximum(low - 1, 0), np.minimum(high + 1, largest.shape)
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))


def swap_img_hemispheres(img: NiimgLike) -> Any:
    """Mirror an image left to right.

    Parameters
    ----------
    img : image-like
        3-D.

    Returns
    -------
    img : nibabel image
        Turned to RAS first; the affine stays, the data are mirrored.
    """
    turned = reorder_img(check_niimg(img, ensure_ndim=3))
    return new_img_like(turned, get_data(turned)[::-1])
