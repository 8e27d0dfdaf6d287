"""Images in memory, and files of the formats that only nibabel reads."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.source.base import Block, Source
from brainsieve.engine.source.file import _spans, _streamed_dtype
from brainsieve.engine.source.header import (
    checked_dtype,
    checked_grid,
    checked_shape,
    repetition_time,
)

# Time runs fastest in most arrays made in memory, so that a volume is strided: larger blocks pay there.
BLOCK_BYTES = 2**24


class ImageSource(Source):
    """A nibabel image: an array in memory, or a proxy of nibabel's.

    The array is never written to.
    """

    def __init__(self, img: Any, name: str = "the image in memory") -> None:
        shape, self.n_samples, self.is_single = checked_shape(img.shape, name)
        self.domain = checked_grid(shape, img.affine, name)
        self.name = name
        self.header = img.header
        self.tr = repetition_time(img.header)
        # nibabel scales what its proxies give; arrays in memory are values already.
        self._data = np.asanyarray(img.dataobj) if isinstance(img.dataobj, np.ndarray) else img.dataobj
        sample = self._data if isinstance(self._data, np.ndarray) else np.asanyarray(self._data[..., :1])
        self._file_dtype = checked_dtype(sample.dtype, name)
        self.dtype = _streamed_dtype(self._file_dtype)

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
        for start, stop in _spans(self.n_samples, per_block, samples):
            yield Block(slice(start, stop), slice(0, n_points), self._values(start, stop))

    def _values(self, start: int, stop: int) -> NDArray:
        shape = self.domain.shape  # type: ignore[attr-defined]
        data = self._data
        if self.is_single:
            part = np.asanyarray(data).reshape(*shape, 1)
        else:
            part = np.asanyarray(data[..., start:stop]).reshape(*shape, stop - start)
        values = part.transpose(3, 2, 1, 0).reshape(stop - start, -1)
        return np.ascontiguousarray(values, dtype=self.dtype)


def is_cached(img: Any) -> bool:
    """Whether an image holds an array, hence values that may differ from its file's."""
    return isinstance(img.dataobj, np.ndarray) or img.in_memory
