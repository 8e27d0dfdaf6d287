"""Thresholds: values set to 0 below one, masks of what is above, clusters that are large enough."""

from __future__ import annotations

import numbers
from typing import Any

import nibabel as nib
import numpy as np

from brainsieve.checks import a_count
from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.source import read_all
from brainsieve.engine.source.values import all_finite
from brainsieve.image.forms import Arrays, ImageForm, VolumeForm, is_one_image, opened
from brainsieve.image.loading import check_niimg, get_data, new_img_like
from brainsieve.image.masks import components, largest_component, read_mask
from brainsieve.image.resampling import resample_to_img
from brainsieve.logs import warn
from brainsieve.typing import ImageLike, NiimgsLike


def threshold_img(
    img: ImageLike,
    threshold: float | str,
    cluster_threshold: int = 0,
    two_sided: bool = True,
    mask_img: ImageLike | None = None,
    copy: bool = True,
    copy_header: bool = True,
) -> Any:
    """Set what lies below a threshold to 0.

    Parameters
    ----------
    img : image-like or SurfaceImage
        Of one or several samples. What is not finite counts as 0.
    threshold : float or str
        A value: what equals it stays. Or a percentile such as "80%", of the absolute values (if one-sided, of the
        values that are not negative) of all samples, inside the mask if there is one: what equals it goes.
    cluster_threshold : int, default=0
        Clusters of fewer voxels (touching by faces) or vertices (joined by edges) are set to 0 too; positive and
        negative ones are counted apart.
    two_sided : bool, default=True
        Compare absolute values; False keeps values on the side of the threshold's sign only.
    mask_img : image-like or SurfaceImage, optional
        What is outside becomes 0. A volume is resampled to the image.
    copy : bool, default=True
        False: the array of an image in memory is changed itself, and the result shares it.
    copy_header : bool, default=True

    Returns
    -------
    img : image of the same kind
        In the dtype of the data.

    Raises
    ------
    ValueError, TypeError
        For a threshold or cluster size that is none.

    Warns
    -----
    UserWarning
        If no value reaches the threshold.
    """
    a_count("cluster_threshold", cluster_threshold)
    checked_threshold(threshold, two_sided)
    form, arrays = _arrays_of(img, copy)
    inside = None if mask_img is None else _mask_arrays(mask_img, form)
    for part, array in arrays.items():
        if array.dtype.kind == "f" and not all_finite(array):
            array[~np.isfinite(array)] = 0
        if inside is not None:
            array[~inside[part]] = 0
    drop = _below(arrays, threshold, two_sided, inside)
    for part, array in arrays.items():
        np.copyto(array, 0, where=drop[part])
    if cluster_threshold > 0:
        _drop_small_clusters(arrays, form, cluster_threshold)
    return form.image_of(arrays, copy_header)


def binarize_img(
    img: ImageLike,
    threshold: float | str = 0.0,
    mask_img: ImageLike | None = None,
    two_sided: bool = False,
    copy_header: bool = True,
) -> Any:
    """1 where `threshold_img` leaves a value, 0 elsewhere.

    Parameters
    ----------
    img : image-like or SurfaceImage
    threshold : float or str, default=0.0
        A value: 1 where it is reached, of what is not 0. Or a percentile such as "80%", which must be exceeded. See
        `threshold_img`; one-sided and negative: 1 at and below it.
    mask_img : image-like or SurfaceImage, optional
        What is outside is 0.
    two_sided : bool, default=False
        Compare absolute values.
    copy_header : bool, default=True
        The header says int8, as the data are.

    Returns
    -------
    img : image of the same kind
        int8.
    """
    kept = threshold_img(img, threshold, mask_img=mask_img, two_sided=two_sided)
    form, arrays = _arrays_of(kept, copy=False)
    return form.image_of({part: (array != 0).astype(np.int8) for part, array in arrays.items()}, copy_header)


def checked_threshold(threshold: Any, two_sided: bool) -> tuple[float, bool]:
    """The number of a threshold, and whether it is a percentile.

    Raises
    ------
    ValueError, TypeError
        For what is neither, or negative where both signs are compared.
    """
    what = "a number, or a percentile such as '80%'"
    if isinstance(threshold, str):
        try:
            share = float(threshold.removesuffix("%")) if threshold.endswith("%") else np.nan
        except ValueError:
            share = np.nan
        if not 0 <= share <= 100:
            raise ValueError(f"threshold must be {what}; {threshold!r} was given.")
        return share, True
    if isinstance(threshold, bool | np.bool_) or not isinstance(threshold, numbers.Real):
        raise TypeError(f"threshold must be {what}; {threshold!r} was given.")
    value = float(threshold)
    # Infinity is what control of false discoveries asks for where nothing is one: nothing stays.
    if np.isnan(value):
        raise ValueError(f"threshold must be {what}; {threshold!r} was given.")
    if two_sided and value < 0:
        raise ValueError(f"threshold must not be negative where two_sided is True; {threshold!r} was given.")
    return value, False


def _below(arrays: Arrays, threshold: Any, two_sided: bool, inside: Arrays | None) -> Arrays:
    """Where values do not reach the threshold."""
    value, is_percentile = checked_threshold(threshold, two_sided)
    if is_percentile:
        value = _percentile(arrays, value, two_sided, inside)
    # A percentile is dropped itself, as in the peer: of a constant image nothing stays. Both signs are compared,
    # as the absolute value of the smallest integer is no integer of its dtype.
    less = np.less_equal if is_percentile else np.less
    if not two_sided and value < 0:
        drop = {part: array > value for part, array in arrays.items()}
    else:
        drop = {part: less(array, value) for part, array in arrays.items()}
        if two_sided:
            for part, array in arrays.items():
                drop[part] &= less(-value, array)
    if not is_percentile and all(dropped.all() for dropped in drop.values()):
        warn(f"threshold={threshold!r}: no value of the image reaches it; the result is 0 everywhere.")
    return drop


def _percentile(arrays: Arrays, share: float, two_sided: bool, inside: Arrays | None) -> float:
    """A percentile of the values that count; 0 where none does."""
    values = [
        array.ravel(order="K") if inside is None else array[inside[part]] for part, array in arrays.items()
    ]
    flat = np.concatenate([v.ravel() for v in values]) if len(values) > 1 else values[0].ravel()
    if two_sided:
        # Of the smallest signed integer, numpy's absolute value is itself: as unsigned bits it is right.
        flat = np.abs(flat).view(f"u{flat.itemsize}") if flat.dtype.kind == "i" else np.abs(flat)
    else:
        flat = flat[flat >= 0]
    return float(np.percentile(flat, share, overwrite_input=True)) if flat.size else 0.0


def _arrays_of(img: Any, copy: bool) -> tuple[ImageForm, Arrays]:
    """The form of an image and its arrays, its own where they are in memory and `copy` is False."""
    source, form = opened(img)
    held = getattr(img, "dataobj", None)
    if not copy and isinstance(form, VolumeForm) and isinstance(held, np.ndarray) and held.flags.writeable:
        return form, {"volume": held}
    if not copy and not isinstance(form, VolumeForm):
        parts = getattr(img, "data", img).parts
        if all(values.flags.writeable for values in parts.values()):
            return form, dict(parts)
    values = read_all(source)
    return form, form.arrays(values[0] if source.is_single else values)


def _mask_arrays(mask_img: Any, form: ImageForm) -> Arrays:
    if isinstance(form, VolumeForm):
        mask_img = resample_to_img(mask_img, _grid_image(form.domain), interpolation="nearest")
    mask, own = read_mask(mask_img)
    if own.domain != form.domain:
        raise ValueError(f"mask_img has {own.domain.describe()}, img {form.domain.describe()}.")
    return form.arrays(mask)


def _grid_image(grid: VoxelGrid) -> nib.Nifti1Image:
    """An image on a grid that takes no memory."""
    return nib.Nifti1Image(np.broadcast_to(np.zeros(1, np.uint8), grid.shape), grid.affine)


def _drop_small_clusters(arrays: Arrays, form: ImageForm, least: int) -> None:
    """Set clusters of fewer than `least` points to 0, in place."""
    n_dimensions = 3 if isinstance(form, VolumeForm) else 1
    for part, array in arrays.items():
        # A view: only axes of length 1 are added.
        samples = array.reshape(*array.shape[:n_dimensions], -1)
        for i in range(samples.shape[-1]):
            sample = samples[..., i]
            for side in (sample > 0, sample < 0):
                labels, sizes = components({part: side}, form)[part]
                sizes[0] = least
                sample[(sizes < least)[labels]] = 0


def largest_connected_component_img(imgs: NiimgsLike) -> Any:
    """1 in the largest connected component of each image (voxels touch by faces), 0 elsewhere.

    Parameters
    ----------
    imgs : image-like, or sequence of 3-D images

    Returns
    -------
    img : nibabel image, or list of these
        uint8.

    Raises
    ------
    ValueError
        If an image is 0 everywhere.
    """
    if not is_one_image(imgs):
        return [_largest(img) for img in imgs]  # type: ignore[union-attr]
    return _largest(imgs)


def _largest(img: Any) -> Any:
    img = check_niimg(img, ensure_ndim=3)
    data = get_data(img)
    finite = np.isfinite(data)
    if not finite.all():
        warn(f"{int((~finite).sum())} voxels are NaN or infinite; they count as 0.")
    return new_img_like(img, largest_component(finite & (data != 0)))
