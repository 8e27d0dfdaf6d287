"""Data in the points of a mask, taken out as arrays and put back as images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from brainsieve.checks import one_of
from brainsieve.engine.extract import Request, extract
from brainsieve.engine.source import streamed
from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.spatial.plan import fold
from brainsieve.engine.spatial.select import Select
from brainsieve.exceptions import ParameterError
from brainsieve.image.forms import ImageForm, VolumeForm, opened
from brainsieve.image.headers import cast, cast_dtype
from brainsieve.image.masks import plural, read_mask
from brainsieve.typing import ImageLike, ImagesLike, MemoryOrder


def load_mask_img(mask_img: ImageLike, allow_empty: bool = False) -> tuple[Any, NDArray[np.float64] | None]:
    """A binary mask as an array and its affine.

    Parameters
    ----------
    mask_img : image-like or SurfaceImage
        Of one sample, with at most two values, one of them 0. What is not finite is outside, with a warning.
    allow_empty : bool, default=False

    Returns
    -------
    mask : array of bool, shape (nx, ny, nz); for a surface a SurfaceImage of bool
    affine : array of shape (4, 4); None for a surface

    Raises
    ------
    DimensionError
        If it has several samples.
    ValueError
        If it has other values, or no point is in it.
    """
    mask, form = read_mask(mask_img, "The mask", allow_empty)
    if isinstance(form, VolumeForm):
        return form.domain.unflatten(mask), np.array(form.domain.affine)
    return form.image(mask), None


def _points_in_order(mask: NDArray[np.bool_], form: ImageForm) -> NDArray[np.intp]:
    """Points inside a mask in the order of columns: voxels with the last axis fastest, vertices as numbered."""
    if not isinstance(form, VolumeForm):
        return np.flatnonzero(mask)
    shape = form.domain.shape
    return np.ravel_multi_index(np.nonzero(form.domain.unflatten(mask)), shape, order="F")


def apply_mask(
    imgs: ImagesLike,
    mask_img: ImageLike,
    dtype: DTypeLike | None = "f",
    smoothing_fwhm: float | Sequence[float | None] | Literal["fast"] | None = None,
    ensure_finite: bool = True,
) -> NDArray:
    """Values of images in the voxels of a mask.

    Parameters
    ----------
    imgs : image-like or SurfaceImage, or sequence of these
        Read block by block; several are put together in time.
    mask_img : image-like or SurfaceImage
        Binary, on the same grid or mesh.
    dtype : dtype or None, default="f"
        Of the result; "f": float32 for integers, while floats keep theirs. None: that of the image.
    smoothing_fwhm : float, triple of float or "fast", optional
        Full width at half maximum in mm of a Gaussian applied to the whole images first.
    ensure_finite : bool, default=True
        Take voxels that are not finite as 0 (smoothing does in any case).

    Returns
    -------
    values : array of shape (n_samples, n_voxels), or (n_voxels,) for a 3-D image
        Voxels are in C order: the last axis runs fastest. Vertices: left before right.

    Raises
    ------
    ValueError
        If image and mask are on different grids, the mask is empty or not binary, or integers would wrap around in
        `dtype`.
    """
    mask, mask_form = read_mask(mask_img)
    source, form = opened(imgs)
    if form.domain != mask_form.domain:
        raise ValueError(
            f"imgs ({source.name}: {form.domain.describe()}) and mask_img ({mask_form.domain.describe()}) are on "
            "different grids; resample one to the other (brainsieve.image.resample_to_img)."
        )
    points = _points_in_order(mask, form)
    # Smoothing comes first, hence sees voxels outside the mask.
    select: SpatialOperator = Select(points, form.domain.n_points)
    steps = form.smoothing(smoothing_fwhm, "smoothing_fwhm")
    if dtype is None or (isinstance(dtype, str) and dtype == "f" and source.value_dtype.kind == "f"):
        dtype = source.value_dtype
    kind = cast_dtype(source.value_dtype, dtype)
    if not steps and not ensure_finite:
        values = _selected_as_is(source, points)
    else:
        space = fold([*steps, select]) if steps else select
        values = extract(source, [Request(space, dtype=_working_dtype(source, kind))])[0].values
    values = cast(values, kind)
    return values[0] if source.is_single else values


def _working_dtype(source: Source, dtype: np.dtype) -> np.dtype:
    """float32 where that is asked for, and all that the values need."""
    wide = dtype.itemsize > 4 or source.value_dtype.itemsize > 4
    return np.dtype(np.float64 if wide else np.float32)


def _selected_as_is(source: Source, points: NDArray[np.intp]) -> NDArray:
    """Values with NaN and infinities left alone."""
    values = np.empty((source.n_samples, len(points)), dtype=source.value_dtype)
    with streamed(source, whole_samples=True) as blocks:
        for block in blocks:
            values[block.rows] = block.values.take(points, axis=1)
    return values


# The name that older scripts use.
apply_mask_fmri = apply_mask


def unmask(X: ArrayLike | Sequence[ArrayLike], mask_img: ImageLike, order: MemoryOrder = "F") -> Any:
    """Put values back into the voxels of a mask.

    Parameters
    ----------
    X : array of shape (n_voxels,) or (n_samples, n_voxels), or list of these
    mask_img : image-like or SurfaceImage
        Binary.
    order : {"F", "C"}, default="F"
        Memory order of the data of the image.

    Returns
    -------
    img : image of the mask's kind, or list of these
        Without a sample axis for a 1-D array; 0 outside the mask.

    Raises
    ------
    TypeError
        If an array is neither 1-D nor 2-D, or not of numbers.
    ValueError
        If its width is not the number of voxels in the mask.
    """
    one_of("F", "C")("order", order)
    mask, form = read_mask(mask_img)
    points = _points_in_order(mask, form)
    # A list of numbers is an array; of arrays, several.
    if isinstance(X, list | tuple) and any(np.ndim(each) for each in X):
        return [_unmasked(np.asarray(each), points, form, order) for each in X]
    return _unmasked(np.asarray(X), points, form, order)


def _unmasked(values: NDArray, points: NDArray[np.intp], form: ImageForm, order: str) -> Any:
    if values.ndim not in (1, 2) or values.dtype.kind not in "biufc":
        raise TypeError(
            f"X must be numbers of 1 or 2 dimensions; it is {values.dtype} of shape {values.shape}."
        )
    if values.shape[-1] != len(points):
        raise ParameterError(
            f"X has {values.shape[-1]} columns (shape {values.shape}); the mask has {len(points)} "
            f"{plural(form.point)}."
        )
    whole = np.zeros((*values.shape[:-1], form.domain.n_points), dtype=values.dtype)
    whole[..., points] = values
    if isinstance(form, VolumeForm):
        # The header of the mask says nothing of the values.
        form = VolumeForm(form.domain)
    arrays = {part: np.asarray(array, order=order) for part, array in form.arrays(whole).items()}  # type: ignore[call-overload]
    return form.image_of(arrays)
