"""Samples of images: some of them, each of them, and several images put together in time."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from brainsieve.caching import cached_for_images
from brainsieve.engine.source import open_source, streamed
from brainsieve.engine.source.base import Source
from brainsieve.engine.source.sequence import SequenceSource
from brainsieve.exceptions import DimensionError, NoImageError
from brainsieve.image.forms import ImageForm, flattened, identity_of, is_one_image, opened
from brainsieve.image.headers import cast, cast_dtype
from brainsieve.image.loading import iter_samples
from brainsieve.image.resampling import resample_to_img
from brainsieve.image.writing import SampleWriter
from brainsieve.surface.opening import is_surface_image
from brainsieve.typing import ImagesLike, MemoryLike, PathLike


def opened_series(imgs: Any) -> tuple[Source, ImageForm]:
    """The source and form of an image that has a sample axis, or of a sequence of images of one sample each.

    Raises
    ------
    DimensionError
        If it is one image without.
    """
    source, form = opened(imgs, join_4d=False)
    if source.is_single and is_one_image(imgs) and not is_surface_image(imgs):
        raise DimensionError(3, 4, source.name)
    return source, form


def index_img(imgs: ImagesLike, index: Any) -> Any:
    """Some samples of an image.

    Parameters
    ----------
    imgs : image-like or SurfaceImage
        4-D, or a sequence of 3-D images.
    index : int, slice, array, or Series or data frame of one column
        Any numpy index of the samples; an integer gives a 3-D image.

    Returns
    -------
    img : image of the same kind
        A compressed file is read up to the last sample asked for.

    Raises
    ------
    IndexError
        Beyond the last sample, or if the index is none.
    """
    source, form = opened_series(imgs)
    try:
        chosen = np.arange(source.n_samples)[_index(index)]
    except IndexError as error:
        raise IndexError(
            f"index {index!r} does not pick any of the {source.n_samples} samples of {source.name}: {error}."
        ) from None
    if np.ndim(chosen) > 1:
        raise IndexError(f"index must be one number, or have one axis; its shape is {np.shape(chosen)}.")
    needed = np.unique(chosen)
    values = read_samples(source, needed)
    if np.ndim(chosen) == 0:
        return form.image(form.one_sample(values))
    # A list in order is what was read, without another copy.
    if not np.array_equal(needed, chosen):
        values = values[np.searchsorted(needed, chosen)]
    return form.image(values)


def read_samples(source: Source, needed: NDArray[np.intp]) -> NDArray:
    """Values (n_needed, n_points) of some samples, sorted; the rest of a compressed file is not read."""
    values = np.empty((len(needed), source.domain.n_points), dtype=source.value_dtype)
    left = values.size
    if not left:
        return values
    with streamed(source, needed) as blocks:
        for block in blocks:
            values[block.rows, block.points] = block.values
            left -= block.values.size
            # Asking for the next block would have the source read on to verify its end.
            if not left:
                break
    return values


def _index(index: Any) -> Any:
    if hasattr(index, "to_numpy"):
        index = index.to_numpy()
        if index.ndim == 2 and index.shape[1] != 1:
            raise IndexError(f"a frame of one column picks samples, not of {index.shape[1]}")
        return index.reshape(len(index))
    return np.asarray(index) if isinstance(index, list | tuple) and len(index) else index


def iter_img(imgs: ImagesLike) -> Iterator[Any]:
    """Iterate over the samples of an image, or over a sequence of images of one sample.

    Parameters
    ----------
    imgs : image-like or SurfaceImage

    Yields
    ------
    img : image of the same kind
        Of one sample.
    """
    given: Any = imgs
    images = given if is_one_image(given) else list(flattened(given))
    series = opened_series(images)
    if isinstance(images, list):
        # Each with its own header and dtype.
        return (sample for img in images for sample in iter_samples(*opened(img)))
    return iter_samples(*series)


def concat_imgs(
    niimgs: ImagesLike,
    dtype: DTypeLike | None = np.float32,
    ensure_ndim: int | None = None,
    memory: MemoryLike = None,
    memory_level: int = 0,
    auto_resample: bool = False,
    verbose: int = 0,
    *,
    output_file: PathLike | None = None,
) -> Any:
    """Put images together in time.

    Parameters
    ----------
    niimgs : sequence, generator or glob of images of one or several samples, or of SurfaceImages
    dtype : dtype or "auto", default=float32
        Of the result; "auto": int32 for signed integers, else float32. None: that of the images.
    ensure_ndim : {3, 4}, optional
        Dimensions that each volume must have.
    memory : path, joblib.Memory or None, default=None
        Where to cache the result, if `memory_level` is above 0 and there is no `output_file`. The folder is
        trusted code (pickles): nobody else may write to it.
    memory_level : int, default=0
    auto_resample : bool, default=False
        Resample images on other grids to the first one's.
    verbose : int, default=0
        1 tells the steps.
    output_file : path, optional
        Write the result there, block by block, and give an image that reads from it. For volumes.

    Returns
    -------
    img : image of the same kind
        With a sample axis.

    Raises
    ------
    ValueError
        If the grids differ and `auto_resample` is False, there is no image, or integers would wrap around.
    """
    images = _image_list(niimgs)
    options: dict[str, Any] = dict(dtype=dtype, ensure_ndim=ensure_ndim, auto_resample=auto_resample)
    return cached_for_images(
        memory if memory_level > 0 and output_file is None else None,
        verbose,
        "concat_imgs",
        lambda: [identity_of(img) for img in images],
        {name: str(value) for name, value in options.items()},
        lambda: _concatenated(images, output_file=output_file, **options),
    )


def _concatenated(
    images: list[Any], dtype: Any, ensure_ndim: int | None, auto_resample: bool, output_file: Any
) -> Any:
    if is_surface_image(images[0]):
        whole, form = opened(images)
    else:
        sources = [open_source(img, join_4d=True) for img in images]
        for i, source in enumerate(sources):
            n_dimensions = 3 if source.is_single else 4
            if ensure_ndim is not None and n_dimensions != ensure_ndim:
                raise DimensionError(n_dimensions, ensure_ndim, f"Image {i} ({source.name})")
        form = opened(images[0])[1]
        whole = SequenceSource(_on_first_grid(images, sources) if auto_resample else sources)
    kind = cast_dtype(whole.value_dtype, dtype)
    with SampleWriter(form, whole.n_samples, kind, output_file) as writer, streamed(whole) as blocks:
        for block in blocks:
            # What does not fit "auto" is an error here: a part of the result is there already.
            writer.put(block.rows, cast(block.values, kind), block.points)
    return writer.image


def _image_list(niimgs: Any) -> list[Any]:
    if isinstance(niimgs, str | os.PathLike):
        pattern = os.path.expanduser(os.fspath(niimgs))
        matches = [pattern] if os.path.exists(pattern) else sorted(glob.glob(pattern))
        if not matches:
            raise ValueError(f"No file matches {pattern!r}.")
        return matches
    images = [niimgs] if is_one_image(niimgs) else list(flattened(niimgs))
    if not images:
        raise NoImageError("niimgs is empty; give at least one image.")
    return images


def _on_first_grid(images: list[Any], sources: list[Source]) -> list[Source]:
    first = sources[0].domain
    return [
        source if source.domain == first else open_source(resample_to_img(img, images[0]))
        for img, source in zip(images, sources, strict=True)
    ]
