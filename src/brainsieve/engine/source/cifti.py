"""CIFTI-2 files and images: grayordinates or parcels, all samples of a point one after the other.

Time runs fastest in these files. They are read as blocks of points, so that a run of any length takes a few
megabytes, and what is cleaned needs no transposition.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.files import reading, regular_file
from brainsieve.engine.source.base import Block, Source
from brainsieve.engine.source.cifti_header import (
    CiftiLayout,
    layout_of_data,
    layout_of_proxy,
    read_cifti_layout,
)
from brainsieve.engine.source.header import CIFTI_KINDS, is_cifti_header, nifti_header, streamed_dtype
from brainsieve.engine.source.memory import file_of
from brainsieve.engine.source.streams import (
    fill,
    open_plain,
    packing_of,
    read_to_end,
    refuse_promise,
    size_of,
    unpacked,
    unpacking,
)
from brainsieve.exceptions import CorruptImageError

# Read at a time: it stays in the processor's cache until it is summed.
BUFFER_BYTES = 2**22


class CiftiSource(Source):
    """A CIFTI-2 file.

    Parameters
    ----------
    path : str
    layout : CiftiLayout, optional
        What an image was told of the file when it was opened. Default: what its header says now.

    Raises
    ------
    TypeError
        If it is no CIFTI-2 file, or a matrix of connections.
    CorruptImageError
        If it is broken; the message names the file, the axis and the counts.
    """

    points_first = True

    def __init__(self, path: str, layout: CiftiLayout | None = None) -> None:
        self.path = path
        self.name = os.path.basename(path)
        with reading(path, "CIFTI-2"), open_plain(path) as stream:
            size = size_of(stream)
            layout = layout or read_cifti_layout(stream, path, size)
        what = f"{layout.n_samples} samples of {layout.domain.describe()}, {layout.dtype}"
        refuse_promise(path, layout.expected_bytes, size, None, what)
        self._set(layout)

    def _set(self, layout: CiftiLayout) -> None:
        self.layout = layout
        self.domain = layout.domain
        self.n_samples = layout.n_samples
        self.dtype = streamed_dtype(layout.dtype)
        self.slope, self.inter = layout.slope, layout.inter
        self.tr, self.tr_doubt = layout.timing.tr, layout.timing.doubt

    @property
    def identity(self) -> str:
        status = os.stat(self.path)
        layout = self.layout
        what = (
            os.path.abspath(self.path),
            (status.st_size, status.st_mtime_ns),
            (layout.offset, layout.dtype.str, layout.slope, layout.inter, layout.n_samples),
            self.domain.fingerprint,
        )
        return hashlib.blake2b(repr(what).encode(), digest_size=16).hexdigest()

    def blocks(
        self, samples_per_block: int | None = None, samples: NDArray[np.intp] | None = None
    ) -> Generator[Block, None, None]:
        layout = self.layout
        per_block = max(1, BUFFER_BYTES // max(1, layout.point_bytes))
        n_points = self.domain.n_points
        buffer = np.empty(min(per_block, n_points) * layout.point_bytes, dtype=np.uint8)
        with open_plain(self.path) as stream:
            stream.seek(layout.offset)
            for start in range(0, n_points, per_block):
                stop = min(start + per_block, n_points)
                part = buffer[: (stop - start) * layout.point_bytes]
                at = layout.offset + start * layout.point_bytes
                fill(stream, part.data, self.path, layout.expected_bytes, at)
                values = part.view(layout.dtype).reshape(stop - start, layout.n_samples)
                if values.dtype != self.dtype:
                    values = values.astype(self.dtype)
                yield Block(slice(0, layout.n_samples), slice(start, stop), values.T)


class CiftiImageSource(CiftiSource):
    """A CIFTI-2 image whose matrix is in memory; it is never written to."""

    def __init__(self, img: Any, name: str = "the CIFTI image in memory") -> None:
        self.name = name
        with reading(name, "CIFTI-2"):
            self._data = np.asanyarray(img.dataobj)
            layout = layout_of_data(img.header, self._data, name)
        self._set(layout)

    @property
    def identity(self) -> str:
        digest = hashlib.blake2b(self.domain.fingerprint.encode(), digest_size=16)
        digest.update(np.ascontiguousarray(self._data).data)
        return digest.hexdigest()

    def blocks(
        self, samples_per_block: int | None = None, samples: NDArray[np.intp] | None = None
    ) -> Generator[Block, None, None]:
        per_block = max(1, BUFFER_BYTES // max(1, self.layout.point_bytes))
        for start in range(0, self.domain.n_points, per_block):
            stop = min(start + per_block, self.domain.n_points)
            values = np.ascontiguousarray(self._data[:, start:stop].T, dtype=self.dtype)
            yield Block(slice(0, self.n_samples), slice(start, stop), values.T)


def is_cifti_path(path: str) -> bool:
    """Whether a file is CIFTI by its name."""
    return path.lower().endswith(tuple(f".{kind}.nii" for kind in CIFTI_KINDS))


def is_cifti(img: Any) -> bool:
    """Whether an image is CIFTI: a file by its name or, whatever that is, by its header."""
    if isinstance(img, nib.Cifti2Image):
        return True
    if not isinstance(img, str | os.PathLike):
        return False
    path = os.path.expanduser(os.fspath(img))
    if is_cifti_path(path):
        return True
    return path.lower().endswith((".nii", ".nii.gz")) and os.path.isfile(path) and _has_cifti_header(path)


def _has_cifti_header(path: str) -> bool:
    try:
        with open_plain(path) as stream:
            packing = packing_of(stream.read(4))
            stream.seek(0)
            return is_cifti_header(nifti_header(unpacked(stream, packing), path))
    except (CorruptImageError, OSError):  # who opens it as a volume says what is wrong
        return False


def open_cifti(img: Any) -> CiftiSource:
    """The source of a CIFTI-2 file or image.

    Parameters
    ----------
    img : str, os.PathLike or nibabel.Cifti2Image

    Raises
    ------
    MissingFileError
        If there is no such file.
    TypeError
        If it is something else; the message says what takes it.
    """
    if isinstance(img, nib.Cifti2Image):
        return _from_image(img)
    if not isinstance(img, str | os.PathLike):
        raise TypeError(
            f"A CIFTI-2 file (.dtseries.nii, .dscalar.nii, .dlabel.nii, .ptseries.nii) or a "
            f"nibabel.Cifti2Image is needed; {type(img).__name__} was given."
        )
    path = regular_file(img, "a CIFTI-2 file")
    if path.lower().endswith(".gii"):
        raise TypeError(f"{path} is a GIFTI file of one surface; the surface maskers take it.")
    with open_plain(path) as stream:
        packing = packing_of(stream.read(4))
    if packing is not None and (_has_cifti_header(path) or not path.lower().endswith(".nii.gz")):
        raise TypeError(f"{path} is compressed; CIFTI files are not: gunzip it first.")
    if packing is not None:
        raise TypeError(f"{path} is a compressed NIfTI volume, not CIFTI-2; the Nifti maskers take it.")
    return CiftiSource(path)


def _from_image(img: Any) -> CiftiSource:
    """The source of an opened image: of the file that its proxy reads, as it was when it was opened."""
    own = file_of(img.dataobj)
    if own is None:
        return CiftiImageSource(img)
    path = regular_file(own, "a CIFTI-2 file")
    name = os.path.basename(path)
    with open_plain(path) as stream:
        packing = packing_of(stream.read(4))
    if packing is not None:
        with unpacking(open_plain(path), packing) as whole:  # nibabel does not look at the checksum
            read_to_end(whole, path)
        return CiftiImageSource(img, name)
    with reading(path, "CIFTI-2"):
        layout = layout_of_proxy(img.header, img.dataobj, name)
    now = CiftiSource(path).layout
    if (now.offset, now.dtype, now.slope, now.inter, now.shape) != (
        layout.offset,
        layout.dtype,
        layout.slope,
        layout.inter,
        layout.shape,
    ):
        raise ValueError(
            f"{path} has changed since the image was opened: it holds {now.n_samples} samples of "
            f"{now.domain.describe()}; the image, {layout.n_samples} of {layout.domain.describe()}. Load it again."
        )
    return CiftiSource(path, layout)
