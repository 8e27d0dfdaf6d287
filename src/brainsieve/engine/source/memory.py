"""Images in memory, and files of the formats that only nibabel reads."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.files import reading
from brainsieve.engine.source.base import Block, Source
from brainsieve.engine.source.header import checked_dtype, checked_grid, checked_shape, streamed_dtype
from brainsieve.engine.source.streams import (
    open_plain,
    packing_of,
    read_to_end,
    refuse_promise,
    size_of,
    unpacking,
)
from brainsieve.engine.source.timing import timing_of
from brainsieve.engine.source.values import spans_of

# Time runs fastest in most arrays made in memory, so that a volume is strided: larger blocks pay there.
BLOCK_BYTES = 2**24


class ImageSource(Source):
    """A nibabel image: an array in memory, or a proxy of nibabel's.

    The array is never written to.

    Parameters
    ----------
    img : nibabel.spatialimages.SpatialImage
        Only what every image has is asked for: `dataobj`, `affine`, `header`.
    name : str
    path : str, optional
        The file that its proxy reads.
    """

    def __init__(self, img: Any, name: str = "the image in memory", path: str | None = None) -> None:
        self.name = name
        self._path = path or name
        self._data = _array_or_proxy(img.dataobj)
        self.header = getattr(img, "header", None)
        timing = timing_of(self.header)
        self.tr, self.tr_doubt = timing.tr, timing.doubt
        self._shape = tuple(int(n) for n in self._data.shape)
        self._time_first = _time_runs_first(img.dataobj, name)
        shape = (*self._shape[1:], self._shape[0]) if self._time_first else self._shape
        sizes, self.n_samples, self.is_single = checked_shape(shape, name)
        self.domain = checked_grid(sizes, img.affine, name)
        with reading(self._path, _form_of(img)):
            if path is not None:
                self._data = _checked_file(self._data, path, sizes, self.n_samples)
            first = self._data[(slice(0, 1),) * len(self._shape)]
        self.dtype = streamed_dtype(checked_dtype(np.asanyarray(first).dtype, name))
        self._form = _form_of(img)

    @property
    def identity(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        digest.update(repr((self.domain.fingerprint, self.n_samples, str(self.dtype))).encode())
        for block in self.blocks():
            digest.update(np.ascontiguousarray(block.values).data)
        return digest.hexdigest()

    def blocks(
        self, samples_per_block: int | None = None, samples: NDArray[np.intp] | None = None
    ) -> Generator[Block, None, None]:
        n_points = self.domain.n_points
        per_block = samples_per_block or max(1, BLOCK_BYTES // (n_points * self.dtype.itemsize))
        for start, stop in spans_of(self.n_samples, per_block, samples):
            yield Block(slice(start, stop), slice(0, n_points), self._values(start, stop))

    def _values(self, start: int, stop: int) -> NDArray:
        shape = self.domain.shape  # type: ignore[attr-defined]
        wanted = slice(start, stop)
        if self._time_first:
            index: tuple[Any, ...] = (wanted,)
        else:
            # Axes of length 1 may follow those of space and time.
            index = (slice(None),) * 3 + ((wanted,) if len(self._shape) > 3 else ())
        with reading(self._path, self._form):
            part = np.asanyarray(self._data[index])
        if self._time_first:
            part = np.moveaxis(part, 0, -1)
        # Points run with the first axis fastest, in whatever order the array lies in memory.
        values = part.reshape(*shape, stop - start).transpose(3, 2, 1, 0).reshape(stop - start, -1)
        return np.ascontiguousarray(values, dtype=self.dtype)


def _array_or_proxy(data: Any) -> Any:
    """What can be cut into samples: an array, a proxy, or the array that something else stands for."""
    if hasattr(data, "shape") and hasattr(data, "__getitem__"):
        return data
    return np.asanyarray(data)


def _time_runs_first(data: Any, name: str) -> bool:
    """Whether the first axis is time: MINC's order is (time, z, y, x).

    Raises
    ------
    TypeError
        If a MINC file has axes in another order.
    """
    if not isinstance(data, nib.minc1.MincImageArrayProxy):
        return False
    axes = tuple(str(axis) for axis in data.minc_file._dim_names)
    are_space = [axis.endswith("space") for axis in axes]
    if are_space == [True] * 3:
        return False
    if axes[:1] == ("time",) and are_space[1:] == [True] * 3:
        return True
    raise TypeError(
        f"{name} is MINC with the axes {axes}; three of space are read, alone or after one of time. Reorder them "
        "(mincreshape) or write it as NIfTI."
    )


def _checked_file(data: Any, path: str, sizes: tuple[int, int, int], n_samples: int) -> Any:
    """The data of a file that nibabel reads: refused if the file cannot hold them, whole if it is packed.

    nibabel decodes a packed file from its start for each part, and does not look at its checksum.
    """
    with open_plain(path) as stream:
        packing, size = packing_of(stream.read(4)), size_of(stream)
    bits = getattr(data, "dtype", None)
    if isinstance(data, nib.arrayproxy.ArrayProxy) and bits is not None:
        promised = int(np.prod(sizes, dtype=np.float64)) * n_samples * bits.itemsize
        refuse_promise(path, promised, size, packing, f"{n_samples} samples of {sizes}, {bits}")
    if packing is None:
        return data
    with unpacking(open_plain(path), packing) as whole:
        read_to_end(whole, path)
    return np.asanyarray(data)


def _form_of(img: Any) -> str:
    """The format of an image, as nibabel's class has it."""
    return type(img).__name__.removesuffix("Image")


def file_of(data: Any) -> str | None:
    """The file that a proxy of nibabel's reads; None for arrays and streams.

    Not the name that the image goes by: that changes when the image is saved elsewhere.
    """
    path = getattr(data, "file_like", None) if getattr(data, "is_proxy", False) else None
    return os.fspath(path) if isinstance(path, str | os.PathLike) else None
