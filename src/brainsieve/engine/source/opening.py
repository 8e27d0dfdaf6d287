"""From what a user gives for an image to a source."""

from __future__ import annotations

import glob
import os
import sys
import warnings
from collections.abc import Iterable
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError

from brainsieve.engine.source.base import Source
from brainsieve.engine.source.file import FileSource
from brainsieve.engine.source.header import layout_of, nifti_layout
from brainsieve.engine.source.memory import ImageSource, is_cached
from brainsieve.engine.source.remote import is_url, opener
from brainsieve.engine.source.sequence import SequenceSource
from brainsieve.engine.source.streams import gzip_stream, is_gzip, open_plain
from brainsieve.exceptions import CorruptImageError, DimensionError

GLOB_CHARACTERS = "*?["


def open_source(img: Any, *, wildcards: bool = True, join_4d: bool = False) -> Source:
    """Open what a user gave for an image; no voxel is read yet.

    Parameters
    ----------
    img : nibabel image, str, os.PathLike, or a list, tuple or generator of these
        A path may be a glob ("vol-*.nii"), whose 3-D files are put together in order of their names, or any
        URL that fsspec reads. A list is put together in time.
    wildcards : bool, default=True
        Whether globs are expanded (also off where ``brainsieve.EXPAND_PATH_WILDCARDS`` is False).
    join_4d : bool, default=False
        Whether a list may hold 4-D images.

    Returns
    -------
    source : Source

    Raises
    ------
    ValueError
        Missing files, globs without a match, empty lists, corrupt files (`CorruptImageError`).
    TypeError
        What is no image; `DimensionError` for 4-D images in a list.
    """
    if isinstance(img, str | os.PathLike):
        return _from_path(os.path.expanduser(os.fspath(img)), wildcards)
    if isinstance(img, nib.spatialimages.SpatialImage):
        return _from_image(img)
    if isinstance(img, np.ndarray):
        raise TypeError(
            f"An array of shape {img.shape} was given for an image; an image also needs an affine: "
            "nibabel.Nifti1Image(array, affine)."
        )
    if isinstance(img, nib.Cifti2Image):
        raise TypeError("A CIFTI image was given, not a volume; the CIFTI maskers take it.")
    if isinstance(getattr(getattr(img, "data", img), "parts", None), dict):
        raise TypeError(f"{img!r} is a surface image, not a volume; the surface maskers take it.")
    if img is None or isinstance(img, bytes | int | float | dict) or not isinstance(img, Iterable):
        raise TypeError(
            f"{img!r} ({type(img).__name__}) is no image; give a path, a nibabel image, or a list of these."
        )
    return _from_many(img, join_4d)


def _from_many(images: Iterable[Any], join_4d: bool) -> Source:
    sources = []
    for i, img in enumerate(images):
        if isinstance(img, list | tuple):
            raise TypeError(f"Image {i} of the list is itself a list; one run is one list of 3-D images.")
        source = open_source(img, wildcards=False)
        if not source.is_single and not join_4d:
            raise DimensionError(4, 3, f"Image {i} of the list ({source.name})")
        sources.append(source)
    if not sources:
        raise ValueError("The list of images is empty (or the generator was used up before).")
    return SequenceSource(sources)


def _from_path(path: str, wildcards: bool) -> Source:
    if is_url(path):
        return _from_url(path)
    # The package's constant, without importing what lies above the engine.
    expand = wildcards and getattr(sys.modules.get("brainsieve"), "EXPAND_PATH_WILDCARDS", True)
    if not os.path.exists(path):
        if expand and any(c in path for c in GLOB_CHARACTERS):
            matches = sorted(glob.glob(path))
            if not matches:
                raise ValueError(f"No file matches {path!r}.")
            return _from_many(matches, join_4d=False)
        raise ValueError(f"File not found: {path!r}")
    if os.path.isdir(path):
        raise ValueError(f"{path!r} is a folder; give an image file.")
    if os.path.getsize(path) == 0:
        raise CorruptImageError(f"{path} is empty: it has 0 bytes.")
    if path.lower().endswith((".nii", ".nii.gz")):
        return _from_nifti(path)
    return _from_other_file(path)


def _from_nifti(path: str) -> Source:
    _refuse_cifti(path)
    with open_plain(path) as file:
        compressed = is_gzip(file.read(2))
        file.seek(0)
        layout = nifti_layout(gzip_stream(file) if compressed else file, path)
    return FileSource(path, layout, compressed)


def _from_url(url: str) -> Source:
    open_url = opener(url)
    with open_url() as stream:
        first = stream.read(2)
    compressed = is_gzip(first)
    with open_url() as stream:
        layout = nifti_layout(gzip_stream(stream) if compressed else stream, url)
    return FileSource(url, layout, compressed, opener=open_url)


def _refuse_cifti(path: str) -> None:
    stem = path.lower().removesuffix(".gz").removesuffix(".nii")
    if stem.endswith((".dtseries", ".dscalar", ".ptseries", ".dlabel", ".pscalar", ".plabel", ".dconn")):
        raise TypeError(
            f"{path} is a CIFTI file (points of the cortex and subcortex), not a volume; "
            "the CIFTI maskers take it."
        )


def _from_other_file(path: str) -> Source:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            img = nib.load(path)
    except (ImageFileError, OSError, EOFError, ValueError, KeyError) as error:
        raise CorruptImageError(f"{path} cannot be read as an image: {error}") from None
    if not isinstance(img, nib.spatialimages.SpatialImage):
        hint = " The surface maskers take surfaces." if isinstance(img, nib.gifti.GiftiImage) else ""
        raise TypeError(f"{path} holds no volume; nibabel reads it as {type(img).__name__}.{hint}")
    return _from_image(img)


def _from_image(img: Any) -> Source:
    path = img.get_filename()
    name = "the image in memory" if path is None else os.path.basename(str(path))
    if path is None or is_cached(img) or not os.path.exists(str(path)):
        return ImageSource(img, name)
    path = str(path)
    if isinstance(img, nib.Nifti1Image) and path.lower().endswith((".nii", ".nii.gz")):
        source = _from_nifti(path)
        # Changed in memory (a new affine or header), or another file by now: what is in memory counts.
        if source.domain.shape == img.shape[:3] and np.array_equal(source.domain.affine, img.affine):  # type: ignore[attr-defined]
            return source
        return ImageSource(img, name)
    if isinstance(img, nib.MGHImage):
        header: Any = img.header
        layout = layout_of(header, path, offset=header.get_data_offset())
        with open_plain(path) as file:
            compressed = is_gzip(file.read(2))
        return FileSource(path, layout, compressed)
    return ImageSource(img, name)
