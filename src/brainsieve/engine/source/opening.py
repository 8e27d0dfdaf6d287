"""From what a user gives for an image to a source."""

from __future__ import annotations

import glob
import io
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.files import reading, regular_file
from brainsieve.engine.source.base import Source
from brainsieve.engine.source.file import FileSource
from brainsieve.engine.source.header import CIFTI_KINDS, Layout, image_layout, nifti_layout, refuse_overlay
from brainsieve.engine.source.memory import ImageSource, file_of
from brainsieve.engine.source.remote import is_url, local_path, opener, redacted
from brainsieve.engine.source.sequence import SequenceSource
from brainsieve.engine.source.streams import open_plain, packing_of, refuse_promise, unpacked
from brainsieve.engine.source.values import read_all
from brainsieve.exceptions import DimensionError, MissingFileError, NoImageError

GLOB_CHARACTERS = "*?["
NIFTI_SUFFIXES = (".nii", ".nii.gz", ".nii.bz2")
# Formats by the end of a name, for messages, and the files that belong together.
FORMS = {
    ".mgh": "MGH",
    ".mgz": "MGH",
    ".img": "Analyze or a NIfTI pair",
    ".hdr": "Analyze or a NIfTI pair",
    ".mnc": "MINC",
    ".brik": "AFNI",
    ".head": "AFNI",
    ".par": "PAR/REC",
    ".rec": "PAR/REC",
    ".v": "ECAT",
}
COMPANIONS = (".img", ".hdr", ".mat", ".HEAD", ".BRIK", ".PAR", ".REC", ".par", ".rec")


def open_source(img: Any, *, wildcards: bool = True, join_4d: bool = False, overlays: bool = False) -> Source:
    """Open what a user gave for an image; no voxel is read yet.

    Parameters
    ----------
    img : nibabel image, str, os.PathLike, or a list, tuple, array, Series or generator of these
        A path may be a glob ("vol-*.nii"), whose 3-D files are put together in order of their names, or any
        URL that fsspec reads. A list is put together in time.
    wildcards : bool, default=True
        Whether globs are expanded (also off where ``brainsieve.EXPAND_PATH_WILDCARDS`` is False).
    join_4d : bool, default=False
        Whether a list may hold 4-D images.
    overlays : bool, default=False
        Whether a file may hold values at the vertices of a surface, which FreeSurfer writes as volumes.

    Returns
    -------
    source : Source

    Raises
    ------
    MissingFileError
        Missing files, globs without a match: a `FileNotFoundError` and a `ValueError`.
    ValueError
        Empty lists, what is no regular file, corrupt files (`CorruptImageError`).
    TypeError
        What is no image; `DimensionError` for 4-D images in a list.
    """
    if not isinstance(img, str | os.PathLike | nib.spatialimages.SpatialImage):
        return _from_no_single(img, wildcards, join_4d)
    if isinstance(img, str | os.PathLike):
        source = _from_path(os.path.expanduser(os.fspath(img)), wildcards, join_4d)
    else:
        source = _from_image(img)
    if not overlays and isinstance(source.domain, VoxelGrid):
        sizes = (*source.domain.shape, source.n_samples)
        refuse_overlay(sizes, source.name, getattr(source, "header", None))
    return source


def _from_no_single(img: Any, wildcards: bool, join_4d: bool) -> Source:
    """The source of several images; raises for what is none."""
    if isinstance(img, np.ndarray) and img.dtype.kind in "OU" and img.ndim <= 1:
        img = img.tolist()  # of paths or images
        return open_source(img, wildcards=wildcards, join_4d=join_4d)
    if isinstance(img, np.ndarray):
        raise TypeError(
            f"An array of shape {img.shape} was given for an image; an image also needs an affine: "
            "nibabel.Nifti1Image(array, affine)."
        )
    if isinstance(img, nib.Cifti2Image):
        raise TypeError("A CIFTI image was given, not a volume; the CIFTI maskers take it.")
    if isinstance(getattr(getattr(img, "data", img), "parts", None), dict):
        raise TypeError(f"{img!r} is a surface image, not a volume; the surface maskers take it.")
    # A set has no order, and a data frame gives its columns' names.
    unfit = isinstance(img, bytes | int | float | dict | set | frozenset) or hasattr(img, "columns")
    if img is None or unfit or not isinstance(img, Iterable):
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
        if source.n_samples > 1 and not join_4d:
            raise DimensionError(4, 3, f"Image {i} of the list ({source.name})")
        sources.append(source)
    if not sources:
        raise NoImageError("The list of images is empty (or the generator was used up before).")
    return SequenceSource(sources)


def _from_path(path: str, wildcards: bool, join_4d: bool) -> Source:
    local = local_path(path)
    if local is None and is_url(path):
        return _from_url(path)
    path = path if local is None else local
    # The package's constant, without importing what lies above the engine.
    expand = wildcards and getattr(sys.modules.get("brainsieve"), "EXPAND_PATH_WILDCARDS", True)
    if expand and any(c in path for c in GLOB_CHARACTERS) and not os.path.exists(path):
        matches = sorted(glob.glob(path))
        if not matches:
            raise MissingFileError(f"No file matches {path!r}.")
        return _from_many(matches, join_4d)
    path = regular_file(path)
    if path.lower().endswith(NIFTI_SUFFIXES):
        layout, packing = nifti_file(path)
        return FileSource(path, layout, packing)
    return _from_other_file(path)


def nifti_file(path: str) -> tuple[Layout, str | None]:
    """The layout of a single NIfTI file, and how it is packed.

    Raises
    ------
    TypeError
        If it is a CIFTI file, or called like one.
    CorruptImageError
        If its header is broken.
    """
    with reading(path, "NIfTI"), open_plain(path) as file:
        packing = packing_of(file.read(4))
        file.seek(0)
        layout = nifti_layout(unpacked(file, packing), path)
    stem = path.lower()
    for suffix in NIFTI_SUFFIXES[::-1]:
        stem = stem.removesuffix(suffix)
    if stem.endswith(tuple(f".{kind}" for kind in CIFTI_KINDS)):
        raise TypeError(
            f"{path} is called like a CIFTI file, but holds a volume of {layout.grid.describe()}; rename it if "
            "that is what it is."
        )
    return layout, packing


def _from_url(url: str) -> Source:
    open_url, name = opener(url), redacted(url)
    with reading(name, "NIfTI"), open_url() as stream:
        first = stream.read(4)
        packing = packing_of(first)
        layout = nifti_layout(unpacked(Rewound(first, stream), packing), name)
        size = getattr(stream, "size", None)
    if size is not None:
        refuse_promise(name, layout.expected_bytes, size, packing, layout.describe())
    return FileSource(name, layout, packing, opener=open_url)


class Rewound(io.RawIOBase):
    """A stream whose first bytes were read already."""

    def __init__(self, first: bytes, stream: BinaryIO) -> None:
        self._first, self._stream = first, stream

    def readinto(self, buffer: Any) -> int:
        if not self._first:
            return self._stream.readinto(buffer)  # type: ignore[attr-defined]
        n = min(len(buffer), len(self._first))
        buffer[:n], self._first = self._first[:n], self._first[n:]
        return n

    def readable(self) -> bool:
        return True


def _from_other_file(path: str) -> Source:
    form = FORMS.get(os.path.splitext(path.lower().removesuffix(".gz").removesuffix(".bz2"))[1], "an image")
    _refuse_odd_companions(path)
    with reading(path, form):
        # No memory map: a file that is cut while it is mapped kills the interpreter.
        img: Any = nib.load(path, mmap=False)
        if not isinstance(img, nib.spatialimages.SpatialImage):
            hint = " The surface maskers take surfaces." if isinstance(img, nib.gifti.GiftiImage) else ""
            raise TypeError(f"{path} holds no volume; nibabel reads it as {type(img).__name__}.{hint}")
        return _from_image(img, path)


def _refuse_odd_companions(path: str) -> None:
    """Refuse what would be opened along with a file of a pair where it may never end."""
    stem = path
    for packed in (".gz", ".bz2"):
        stem = stem.removesuffix(packed)
    stem = os.path.splitext(stem)[0]
    for suffix in COMPANIONS:
        for companion in (stem + suffix, f"{stem}{suffix}.gz"):
            if os.path.exists(companion):
                regular_file(companion)


def _from_image(img: Any, path: str | None = None) -> Source:
    """The source of an image: of the file that its proxy reads, laid out as it was when it was opened.

    `path`: the file that it was just opened from.
    """
    proxy = img.dataobj
    own = file_of(proxy)
    if own is None:
        return ImageSource(img, "the image in memory" if path is None else os.path.basename(path), path)
    own = regular_file(own)
    name = os.path.basename(own)
    # AFNI's proxies are of a class of their own: each volume has its scale.
    if type(proxy) is not nib.arrayproxy.ArrayProxy or proxy.order != "F":
        return ImageSource(img, name, own)
    layout = image_layout(img, name)
    with open_plain(own) as file:
        packing = packing_of(file.read(4))
    if isinstance(img, nib.Nifti1Image) and own.lower().endswith(NIFTI_SUFFIXES):
        layout = _as_in_file(layout, own)
    return FileSource(own, layout, packing)


def _as_in_file(layout: Layout, path: str) -> Layout:
    """The layout of an opened image, if its file still has it.

    Raises
    ------
    ValueError
        If the file was written anew since, with other sizes or another scaling: what the image would read
        from it now are no values of either.
    """
    now, _ = nifti_file(path)
    if layout.offset == 0:  # nibabel takes the header for voxels where it says nothing of where these are
        layout = replace(layout, offset=now.offset)
    if not layout.stores_as(now):
        raise ValueError(
            f"{path} has changed since the image was opened: it holds {now.describe()} at byte {now.offset}, "
            f"scaled by {now.slope:g} and {now.inter:g}; the image, {layout.describe()} at byte {layout.offset}, "
            f"scaled by {layout.slope:g} and {layout.inter:g}. Load it again."
        )
    return layout


def read_array(img: Any) -> NDArray:
    """The array of an image or file, as ``numpy.asanyarray(nibabel.load(...).dataobj)`` has it.

    Read by position and verified to its end: no memory map, which a file that is cut would turn into a crash.

    Parameters
    ----------
    img : image-like

    Returns
    -------
    array : (x, y, z) or (x, y, z, n_samples)
    """
    if isinstance(img, nib.spatialimages.SpatialImage) and isinstance(img.dataobj, np.ndarray):
        return np.asanyarray(img.dataobj)
    source = open_source(img)
    shape = source.domain.shape  # type: ignore[attr-defined]
    values = read_all(source).T
    return values.reshape(shape if source.is_single else (*shape, source.n_samples), order="F")
