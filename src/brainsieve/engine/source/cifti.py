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

from brainsieve.engine.source.base import Block, Source
from brainsieve.engine.source.cifti_header import CiftiLayout, layout_of_image, read_cifti_layout
from brainsieve.engine.source.file import _streamed_dtype
from brainsieve.engine.source.streams import fill, open_plain, size_of
from brainsieve.exceptions import CorruptImageError

# Read at a time: it stays in the processor's cache until it is summed.
BUFFER_BYTES = 2**22
CIFTI_SUFFIXES = tuple(
    f".{kind}.nii" for kind in ("dtseries", "dscalar", "dlabel", "ptseries", "pscalar", "plabel")
)
OTHER_CIFTI_SUFFIXES = (".dconn.nii", ".pconn.nii", ".dpconn.nii", ".pdconn.nii", ".pconnseries.nii")


class CiftiSource(Source):
    """A CIFTI-2 file.

    Parameters
    ----------
    path : str

    Raises
    ------
    TypeError
        If it is no CIFTI-2 file, or a matrix of connections.
    CorruptImageError
        If it is broken; the message names the file, the axis and the counts.
    """

    points_first = True

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = os.path.basename(path)
        with open_plain(path) as stream:
            layout = read_cifti_layout(stream, path)
            size = size_of(stream)
        if size < layout.expected_bytes:
            raise CorruptImageError(
                f"{path} is truncated: its header promises {layout.expected_bytes} bytes ({layout.n_samples} "
                f"samples of {layout.domain.describe()}, {layout.dtype}), {size} are there."
            )
        self._set(layout)

    def _set(self, layout: CiftiLayout) -> None:
        self.layout = layout
        self.domain = layout.domain
        self.n_samples = layout.n_samples
        self.dtype = _streamed_dtype(layout.dtype)
        self.slope, self.inter, self.tr = layout.slope, layout.inter, layout.tr

    @property
    def identity(self) -> str:
        status = os.stat(self.path)
        what = (os.path.abspath(self.path), status.st_size, status.st_mtime_ns)
        return hashlib.blake2b(
            repr(what).encode() + self.layout.header_bytes + self.domain.fingerprint.encode(), digest_size=16
        ).hexdigest()

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
        self._data = np.asanyarray(img.dataobj)
        self._set(layout_of_image(img, self._data, name))

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
    return path.lower().endswith((*CIFTI_SUFFIXES, *OTHER_CIFTI_SUFFIXES))


def open_cifti(img: Any) -> CiftiSource:
    """The source of a CIFTI-2 file or image.

    Parameters
    ----------
    img : str, os.PathLike or nibabel.Cifti2Image

    Raises
    ------
    ValueError
        If there is no such file.
    TypeError
        If it is something else; the message says what takes it.
    """
    if isinstance(img, nib.Cifti2Image):
        path = img.get_filename()
        if path is not None and not img.in_memory and os.path.exists(str(path)):
            return CiftiSource(str(path))
        return CiftiImageSource(img)
    if not isinstance(img, str | os.PathLike):
        raise TypeError(
            f"A CIFTI-2 file (.dtseries.nii, .dscalar.nii, .dlabel.nii, .ptseries.nii) or a "
            f"nibabel.Cifti2Image is needed; {type(img).__name__} was given."
        )
    path = os.path.expanduser(os.fspath(img))
    if not os.path.exists(path):
        raise ValueError(f"File not found: {path!r}")
    if os.path.isdir(path):
        raise ValueError(f"{path!r} is a folder; give a CIFTI-2 file.")
    if path.lower().endswith(".gz"):
        raise TypeError(f"{path} is compressed; CIFTI files are not: gunzip it first.")
    if path.lower().endswith(".gii"):
        raise TypeError(f"{path} is a GIFTI file of one surface; the surface maskers take it.")
    return CiftiSource(path)
