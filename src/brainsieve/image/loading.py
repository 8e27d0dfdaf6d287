"""Images in and out of memory: loading, checking their dimensions, their data, copies and images like others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import SpatialImage
from numpy.typing import ArrayLike, DTypeLike, NDArray

from brainsieve.engine.domain import checked_affine
from brainsieve.engine.source import read_all, streamed
from brainsieve.engine.source.base import Source
from brainsieve.exceptions import DimensionError
from brainsieve.image.forms import ImageForm, SurfaceForm, is_one_image, opened
from brainsieve.image.headers import cast, narrowed, nifti_image
from brainsieve.surface.images import PolyData, SurfaceImage
from brainsieve.surface.opening import is_surface_image
from brainsieve.typing import ImageLike, ImagesLike, NiimgLike, NiimgsLike


def check_niimg(
    niimg: NiimgsLike,
    ensure_ndim: int | None = None,
    atleast_4d: bool = False,
    dtype: DTypeLike | str | None = None,
    return_iterator: bool = False,
    wildcards: bool = True,
) -> Any:
    """Load what a user gave for a volume, and check its number of dimensions.

    Parameters
    ----------
    niimg : image-like
        A path, glob or nibabel image; a sequence of images is put together in time.
    ensure_ndim : {3, 4}, optional
        Dimensions that the image must have; a 4-D image of one volume counts as 3-D.
    atleast_4d : bool, default=False
        Make a 3-D image one of one volume.
    dtype : dtype or "auto", optional
        Cast the data; "auto": int32 for signed integers, else float32.
    return_iterator : bool, default=False
        Give an iterator of 3-D images.
    wildcards : bool, default=True
        Expand globs.

    Returns
    -------
    img : nibabel image or iterator of them
        The object given, where nothing needs to be done to it.

    Raises
    ------
    DimensionError, TypeError, ValueError
    """
    if is_surface_image(niimg):
        raise TypeError("A surface image was given where a volume is needed.")
    if isinstance(niimg, SpatialImage) and dtype is None:
        if len(niimg.shape) < 5:
            opened(niimg)  # its checks
        img = niimg
    else:
        source, form = opened(niimg, join_4d=ensure_ndim is None, wildcards=wildcards)
        img = loaded(source, form, dtype)
    img = _with_dimensions(img, ensure_ndim, atleast_4d)
    return iter_samples(*opened(img)) if return_iterator else img


def loaded(source: Source, form: ImageForm, dtype: Any = None) -> Any:
    """All samples of a source as an image, its data verified to their end."""
    values = cast(read_all(source), dtype)
    return form.image(values[0] if source.is_single else values)


def iter_samples(source: Source, form: ImageForm) -> Iterator[Any]:
    """Each sample of a source as an image."""
    with streamed(source, whole_samples=True, limit_blas=False) as blocks:
        for block in blocks:
            for row in block.values:
                yield form.image(form.one_sample(np.array(row)[None]))


def _with_dimensions(img: Any, ensure_ndim: int | None, atleast_4d: bool) -> Any:
    n_dimensions = len(img.shape)
    if ensure_ndim == 3 and n_dimensions == 4 and img.shape[3] == 1:
        return new_img_like(img, get_data(img)[..., 0])
    if atleast_4d and n_dimensions == 3:
        img, n_dimensions = new_img_like(img, get_data(img)[..., None]), 4
    if ensure_ndim is not None and n_dimensions != ensure_ndim:
        raise DimensionError(n_dimensions, ensure_ndim)
    return img


def check_niimg_3d(niimg: NiimgLike, dtype: DTypeLike | str | None = None) -> Any:
    """Load an image that must be 3-D (or 4-D of one volume).

    Parameters
    ----------
    niimg : image-like
        A path, glob or nibabel image; a sequence of images is put together in time.
    dtype : dtype or "auto", default=None
        Cast the data; "auto": int32 for signed integers, else float32.

    Returns
    -------
    img : nibabel image
    """
    return check_niimg(niimg, ensure_ndim=3, dtype=dtype)


def check_niimg_4d(
    niimg: NiimgsLike, return_iterator: bool = False, dtype: DTypeLike | str | None = None
) -> Any:
    """Load an image that must be 4-D, or a sequence of 3-D images.

    Parameters
    ----------
    niimg : image-like
        A path, glob or nibabel image; a sequence of images is put together in time.
    return_iterator : bool, default=False
        Give an iterator of 3-D images.
    dtype : dtype or "auto", default=None
        Cast the data; "auto": int32 for signed integers, else float32.

    Returns
    -------
    img : nibabel image or iterator of 3-D images
    """
    return check_niimg(niimg, ensure_ndim=4, return_iterator=return_iterator, dtype=dtype)


def load_img(img: ImagesLike, wildcards: bool = True, dtype: DTypeLike | str | None = None) -> Any:
    """Load an image from a path, glob, image or sequence of images.

    Parameters
    ----------
    img : image-like or SurfaceImage
    wildcards : bool, default=True
        Expand globs.
    dtype : dtype or "auto", optional
        Cast the data.

    Returns
    -------
    img : nibabel image, or SurfaceImage
        3-D or 4-D. A single file is read when its data are asked for.
    """
    if is_surface_image(img) and dtype is None:
        return img
    if isinstance(img, SpatialImage):
        return check_niimg(img, dtype=dtype)
    source, form = opened(img, wildcards=wildcards)
    path = getattr(source, "path", None)
    if dtype is None and is_one_image(img) and path is not None and getattr(source, "is_local", False):
        # A file whose name does not fit its content is known to our readers only: its data are read now.
        with suppress(nib.filebasedimages.ImageFileError):
            return nib.load(path, mmap=False)  # a mapped file that is cut later kills the interpreter
    return loaded(source, form, dtype)


def get_data(img: ImagesLike) -> NDArray:
    """The array of an image, as it is stored (scaled if the file says so), not forced to float.

    Parameters
    ----------
    img : image-like or SurfaceImage

    Returns
    -------
    data : array of shape (nx, ny, nz[, n_samples]); of surfaces (n_vertices[, n_samples]), left before right
        That of an image in memory itself. A compressed file is verified to its end.
    """
    if isinstance(img, SpatialImage) and (isinstance(img.dataobj, np.ndarray) or len(img.shape) > 4):
        return np.asanyarray(img.dataobj)
    source, form = opened(img)
    values = read_all(source)
    arrays = form.arrays(values[0] if source.is_single else values)
    return np.concatenate(list(arrays.values())) if len(arrays) > 1 else next(iter(arrays.values()))


def new_img_like(
    ref_niimg: ImagesLike, data: Any, affine: ArrayLike | None = None, copy_header: bool = True
) -> Any:
    """An image with new data and the class, affine and header of another.

    Parameters
    ----------
    ref_niimg : image-like or SurfaceImage
        Of a sequence, the first.
    data : array; for surfaces, PolyData, dict of arrays, or array of shape (n_vertices[, n_samples])
        In volumes, booleans become uint8, 64-bit integers 32-bit ones where they fit.
    affine : array of shape (4, 4), optional
        Default: that of the reference. Surfaces have none.
    copy_header : bool, default=True
        False: an empty header.

    Returns
    -------
    img : image of the same kind

    Raises
    ------
    TypeError, ValueError
        If the data are no array, or the affine is none.
    """
    given: Any = ref_niimg
    reference: Any = given if is_one_image(given) else next(iter(given), None)
    if is_surface_image(reference):
        return _surface_like(reference, data)
    if not isinstance(reference, SpatialImage):
        reference = check_niimg(reference)
    if not isinstance(data, np.ndarray):
        raise TypeError(f"data must be an array; {type(data).__name__} was given.")
    affine = reference.affine if affine is None else checked_affine(affine)
    return nifti_image(narrowed(data), affine, reference.header, copy_header)


def _surface_like(reference: Any, data: Any) -> Any:
    _, form = opened(reference)
    assert isinstance(form, SurfaceForm)
    if isinstance(data, np.ndarray):
        if len(data) != form.domain.n_points:
            raise ValueError(
                f"data must have one row for each of {form.domain.describe()}; its shape is {data.shape}."
            )
        return form.image(data if data.ndim == 1 else data.T)
    if not isinstance(data, dict | PolyData) and not hasattr(data, "parts"):
        raise TypeError(
            f"data must be a PolyData, a dict of arrays or an array; {type(data).__name__} was given."
        )
    if form.mesh is None:
        return data
    return SurfaceImage(form.mesh, data)


def copy_img(img: ImageLike) -> Any:
    """A deep copy of an image: data, affine and header.

    Parameters
    ----------
    img : nibabel image or SurfaceImage

    Returns
    -------
    img : image of the same kind

    Raises
    ------
    TypeError
        If it is no image object.
    """
    if is_surface_image(img):
        source, form = opened(img)
        return loaded(source, form)
    if not isinstance(img, SpatialImage):
        raise TypeError(f"copy_img takes an image object; {type(img).__name__} was given.")
    return new_img_like(img, np.array(get_data(img)))
