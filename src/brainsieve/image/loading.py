"""Images in and out of memory: loading, checking, indexing, concatenating, making new ones."""

from __future__ import annotations

import copy as copying
from collections.abc import Iterator
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from brainsieve.caching import cached_for_images
from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.source import open_source
from brainsieve.engine.source.base import Source
from brainsieve.engine.source.values import scaled
from brainsieve.exceptions import DimensionError
from brainsieve.image.writing import SampleWriter


def check_niimg(
    niimg: Any,
    ensure_ndim: int | None = None,
    atleast_4d: bool = False,
    dtype: Any = None,
    return_iterator: bool = False,
    wildcards: bool = True,
) -> Any:
    """Load what a user gave for an image, and check its number of dimensions.

    Parameters
    ----------
    niimg : image-like
        A path, glob or nibabel image; a list of 3-D images is concatenated.
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
    if isinstance(niimg, nib.spatialimages.SpatialImage) and dtype is None:
        open_source(niimg)  # its checks
        img = niimg
    else:
        img = _load(niimg, dtype, wildcards)
    img = _with_dimensions(img, ensure_ndim, atleast_4d)
    return iter_img(img) if return_iterator else img


def _load(niimg: Any, dtype: Any, wildcards: bool) -> Any:
    source = open_source(niimg, wildcards=wildcards)
    values = _all_samples(source)
    return image_of(values, source, dtype)


def _all_samples(source: Source) -> NDArray:
    """(n_samples, n_points) in the dtype of the values, big enough for them only."""
    values = np.empty((source.n_samples, source.domain.n_points), dtype=source.value_dtype)
    for block in source.blocks():
        values[block.samples, block.points] = scaled(block.values, source)
    return values


def image_of(values: NDArray, source: Source, dtype: Any = None) -> nib.Nifti1Image:
    """An image of values (n_samples, n_points) with the geometry and header of a source."""
    grid = grid_of(source)
    if dtype is not None:
        automatic = np.int32 if values.dtype.kind == "i" else np.float32
        values = values.astype(automatic if isinstance(dtype, str) and dtype == "auto" else dtype, copy=False)
    data = grid.unflatten(values[0]) if source.is_single else grid.unflatten(values.T)
    return nib.Nifti1Image(data, grid.affine, header_for(source.header, data.dtype), dtype=data.dtype)  # type: ignore[attr-defined]


def header_for(header: Any, dtype: np.dtype) -> nib.Nifti1Header:
    """A NIfTI header like another, for data of a dtype: scaling and display range are reset."""
    if header is None:
        return nib.Nifti1Header()
    made = nib.Nifti1Header.from_header(header, check=False)
    if dtype.kind != "b":
        made.set_data_dtype(dtype)
    made["scl_slope"] = made["scl_inter"] = np.nan
    made["cal_min"] = made["cal_max"] = 0
    return made


def grid_of(source: Source) -> VoxelGrid:
    if not isinstance(source.domain, VoxelGrid):
        raise TypeError(f"{source.name} is not a volume: {source.domain.describe()}.")
    return source.domain


def _with_dimensions(img: Any, ensure_ndim: int | None, atleast_4d: bool) -> Any:
    n_dimensions = len(img.shape)
    if ensure_ndim == 3 and n_dimensions == 4 and img.shape[3] == 1:
        return new_img_like(img, get_data(img)[..., 0])
    if atleast_4d and n_dimensions == 3:
        img, n_dimensions = new_img_like(img, get_data(img)[..., None]), 4
    if ensure_ndim is not None and n_dimensions != ensure_ndim:
        raise DimensionError(n_dimensions, ensure_ndim)
    return img


def check_niimg_3d(niimg: Any, dtype: Any = None) -> Any:
    """Load an image that must be 3-D (or 4-D of one volume).

    Parameters
    ----------
    niimg, dtype
        As in `check_niimg`.

    Returns
    -------
    img : nibabel image
    """
    return check_niimg(niimg, ensure_ndim=3, dtype=dtype)


def check_niimg_4d(niimg: Any, return_iterator: bool = False, dtype: Any = None) -> Any:
    """Load an image that must be 4-D, or a list of 3-D images.

    Parameters
    ----------
    niimg, return_iterator, dtype
        As in `check_niimg`.

    Returns
    -------
    img : nibabel image or iterator of 3-D images
    """
    return check_niimg(niimg, ensure_ndim=4, return_iterator=return_iterator, dtype=dtype)


def load_img(img: Any, wildcards: bool = True, dtype: Any = None) -> Any:
    """Load an image from a path, glob, image or list of 3-D images.

    Parameters
    ----------
    img : image-like
    wildcards : bool, default=True
        Expand globs.
    dtype : dtype or "auto", optional
        Cast the data.

    Returns
    -------
    img : nibabel image
        3-D or 4-D. A single file is read when its data are asked for.
    """
    if isinstance(img, str) or hasattr(img, "__fspath__"):
        source = open_source(img, wildcards=wildcards)
        path = getattr(source, "path", None)
        if dtype is None and path is not None and getattr(source, "is_local", False):
            return nib.load(path)
    return check_niimg(img, dtype=dtype, wildcards=wildcards)


def get_data(img: Any) -> NDArray:
    """The array of an image, as it is stored (scaled if the file says so), not forced to float.

    Parameters
    ----------
    img : image-like

    Returns
    -------
    data : array
    """
    img = check_niimg(img)
    return np.asanyarray(img.dataobj)


def new_img_like(ref_niimg: Any, data: NDArray, affine: Any = None, copy_header: bool = True) -> Any:
    """An image with new data and the class, affine and header of another.

    Parameters
    ----------
    ref_niimg : image-like
    data : array
        Booleans become uint8, 64-bit integers 32-bit ones where they fit.
    affine : array of shape (4, 4), optional
        Default: that of the reference.
    copy_header : bool, default=True
        False: an empty header.

    Returns
    -------
    img : nibabel image
    """
    reference = ref_niimg if isinstance(ref_niimg, nib.spatialimages.SpatialImage) else check_niimg(ref_niimg)
    affine = reference.affine if affine is None else affine
    data = np.asanyarray(data)
    if data.dtype == bool:
        data = data.astype(np.uint8)
    elif data.dtype == np.int64 and (not data.size or np.abs(data).max() <= np.iinfo(np.int32).max):
        data = data.astype(np.int32)
    known = isinstance(reference, nib.Nifti1Image)
    kind = type(reference) if known else nib.Nifti1Image
    header = header_for(reference.header, data.dtype) if copy_header else None
    if header is not None and isinstance(reference, nib.Nifti2Image):
        header = nib.Nifti2Header.from_header(header)
    return kind(data, affine, header=header, dtype=data.dtype)


def copy_img(img: Any) -> Any:
    """A deep copy of an image: data, affine and header.

    Parameters
    ----------
    img : nibabel image

    Returns
    -------
    img : nibabel image

    Raises
    ------
    ValueError
        If it is no image object.
    """
    if not isinstance(img, nib.spatialimages.SpatialImage):
        raise ValueError(f"copy_img takes an image object; {type(img).__name__} was given.")
    return new_img_like(img, np.array(img.dataobj), copying.deepcopy(img.affine))


def index_img(imgs: Any, index: Any) -> Any:
    """Some samples of a 4-D image.

    Parameters
    ----------
    imgs : image-like
        4-D, or a list of 3-D images.
    index : int, slice or array
        Any numpy index of the 4th axis; an integer gives a 3-D image.

    Returns
    -------
    img : nibabel image

    Raises
    ------
    IndexError
        Beyond the last sample.
    """
    source = open_source(imgs)
    if source.is_single:
        raise DimensionError(3, 4, source.name)
    try:
        chosen = np.arange(source.n_samples)[_index(index)]
    except IndexError:
        raise IndexError(
            f"index {index!r} is beyond the {source.n_samples} samples of {source.name}."
        ) from None
    needed = np.unique(chosen)
    values = np.empty((len(needed), source.domain.n_points), dtype=source.value_dtype)
    for block in source.blocks(samples=needed):
        mine = (needed >= block.samples.start) & (needed < block.samples.stop)
        rows = needed[mine] - block.samples.start
        values[mine] = scaled(block.values[rows], source)
    grid = grid_of(source)
    values = values[np.searchsorted(needed, chosen)]
    data = grid.unflatten(values if values.ndim == 1 else values.T)
    header = header_for(source.header, data.dtype)  # type: ignore[attr-defined]
    return nib.Nifti1Image(data, grid.affine, header, dtype=data.dtype)


def _index(index: Any) -> Any:
    if hasattr(index, "to_numpy"):
        return index.to_numpy()
    return np.asarray(index) if isinstance(index, list | tuple) else index


def iter_img(imgs: Any) -> Iterator[Any]:
    """Iterate over the samples of a 4-D image, or over a list of 3-D images.

    Parameters
    ----------
    imgs : image-like

    Yields
    ------
    img : nibabel image
        3-D.
    """
    source = open_source(imgs)
    if source.is_single and not isinstance(imgs, list | tuple):
        raise DimensionError(3, 4, source.name)
    return _samples(source)


def _samples(source: Source) -> Iterator[Any]:
    grid = grid_of(source)
    for block in source.blocks():
        for row in block.values:
            data = grid.unflatten(np.array(scaled(row, source)))
            header = header_for(source.header, data.dtype)  # type: ignore[attr-defined]
            yield nib.Nifti1Image(data, grid.affine, header, dtype=data.dtype)


def concat_imgs(
    niimgs: Any,
    dtype: Any = np.float32,
    ensure_ndim: int | None = None,
    memory: Any = None,
    memory_level: int = 0,
    auto_resample: bool = False,
    verbose: int = 0,
    *,
    output_file: Any = None,
) -> Any:
    """Put images together in time.

    Parameters
    ----------
    niimgs : list, tuple, generator or glob of 3-D or 4-D images
    dtype : dtype or "auto", default=float32
        Of the result; "auto": int32 for signed integers, else float32.
    ensure_ndim : {3, 4}, optional
        Dimensions that each image must have.
    memory : path, joblib.Memory or None, default=None
        Where to cache the result, if `memory_level` is above 0 and there is no `output_file`.
    memory_level : int, default=0
    auto_resample : bool, default=False
        Resample images on other grids to the first one's.
    verbose : int, default=0
        1 tells the steps.
    output_file : path, optional
        Write the result there, block by block, and give an image that reads from it.

    Returns
    -------
    img : nibabel image
        4-D.

    Raises
    ------
    ValueError
        If the grids differ and `auto_resample` is False, or there is no image.
    """
    images = _image_list(niimgs)
    options = dict(dtype=dtype, ensure_ndim=ensure_ndim, auto_resample=auto_resample)
    return cached_for_images(
        memory if memory_level > 0 and output_file is None else None,
        verbose,
        "concat_imgs",
        images,
        {name: str(value) for name, value in options.items()},
        lambda: _concatenated(images, output_file=output_file, **options),
    )


def _concatenated(
    images: list[Any], dtype: Any, ensure_ndim: int | None, auto_resample: bool, output_file: Any
) -> Any:
    sources = [open_source(img) for img in images]
    for i, source in enumerate(sources):
        n_dimensions = 3 if source.is_single else 4
        if ensure_ndim is not None and n_dimensions != ensure_ndim:
            raise DimensionError(n_dimensions, ensure_ndim, f"Image {i} ({source.name})")
    if auto_resample:
        sources = _on_first_grid(images, sources)
    from brainsieve.engine.source.sequence import SequenceSource

    whole = SequenceSource(sources)
    kind = np.dtype(
        (np.int32 if whole.value_dtype.kind == "i" else np.float32)
        if isinstance(dtype, str) and dtype == "auto"
        else whole.value_dtype
        if dtype is None
        else dtype
    )
    with SampleWriter(whole, grid_of(whole), kind, output_file) as writer:
        for block in whole.blocks():
            writer.put(block.samples, scaled(block.values, whole))
    return writer.image


def _image_list(niimgs: Any) -> list[Any]:
    if isinstance(niimgs, str) or hasattr(niimgs, "__fspath__"):
        import glob
        import os

        pattern = os.path.expanduser(os.fspath(niimgs))
        matches = [pattern] if os.path.exists(pattern) else sorted(glob.glob(pattern))
        if not matches:
            raise ValueError(f"No file matches {pattern!r}.")
        return matches
    if hasattr(niimgs, "shape"):
        return [niimgs]
    images = list(niimgs)
    if not images:
        raise ValueError("niimgs is empty; give at least one image.")
    return images


def _on_first_grid(images: list[Any], sources: list[Source]) -> list[Source]:
    from brainsieve.image.resampling import resample_to_img

    first = sources[0].domain
    return [
        source if source.domain == first else open_source(resample_to_img(img, images[0]))
        for img, source in zip(images, sources, strict=True)
    ]
