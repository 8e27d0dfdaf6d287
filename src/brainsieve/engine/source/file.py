"""Volume files whose samples stand one after the other: NIfTI and MGH, plain or gzip, local or remote."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.source.base import Block, Source
from brainsieve.engine.source.header import Layout
from brainsieve.engine.source.streams import (
    Ahead,
    fill,
    gzip_stream,
    open_plain,
    read_to_end,
    size_of,
    skip,
)
from brainsieve.exceptions import CorruptImageError

# One buffer; a few are decoded ahead. Small ones stay in the processor's cache.
BUFFER_BYTES = 2**23


class FileSource(Source):
    """A file of samples one after the other.

    Parameters
    ----------
    path : str
        Path or URL, as the user gave it.
    layout : Layout
    compressed : bool
        gzip.
    opener : callable, optional
        Gives the file as a binary stream. Default: a local file.
    """

    def __init__(
        self,
        path: str,
        layout: Layout,
        compressed: bool,
        opener: Callable[[], BinaryIO] | None = None,
    ) -> None:
        self.path = path
        self.name = os.path.basename(path) if opener is None else path
        self.layout = layout
        self.domain = layout.grid
        self.n_samples = layout.n_samples
        self.is_single = layout.is_single
        self.dtype = _streamed_dtype(layout.dtype)
        self.slope, self.inter, self.tr = layout.slope, layout.inter, layout.tr
        self.header: Any = layout.header
        self._compressed = compressed
        self._opener = opener
        self.is_local = opener is None
        if opener is None and not compressed:
            self._refuse_short_file()

    def _refuse_short_file(self) -> None:
        size = os.path.getsize(self.path)
        if size < self.layout.expected_bytes:
            raise CorruptImageError(
                f"{self.path} is truncated: its header promises {self.layout.expected_bytes} bytes "
                f"({self.n_samples} samples of {self.domain.describe()}, {self.layout.dtype}), "
                f"{size} are there."
            )

    @property
    def identity(self) -> str:
        if self._opener is not None:
            raise TypeError(f"{self.path} is remote: its contents cannot be identified without reading it.")
        status = os.stat(self.path)
        what = (os.path.abspath(self.path), status.st_size, status.st_mtime_ns)
        return hashlib.blake2b(repr(what).encode() + self.header.binaryblock, digest_size=16).hexdigest()

    def blocks(
        self, samples_per_block: int | None = None, samples: NDArray[np.intp] | None = None
    ) -> Generator[Block, None, None]:
        per_block = samples_per_block or max(1, BUFFER_BYTES // max(1, self.layout.sample_bytes))
        spans = list(_spans(self.n_samples, per_block, samples))
        most = max((stop - start for start, stop in spans), default=1)
        if self._compressed or self._opener is not None:
            ahead: Any = iter(
                Ahead(lambda buffers: self._decode(buffers, spans), most * self.layout.sample_bytes)
            )
            with closing(ahead):
                for (start, stop), values in ahead:
                    yield self._block(start, stop, values)
        else:
            yield from self._read(spans, most)

    def _block(self, start: int, stop: int, values: NDArray) -> Block:
        if values.dtype != self.dtype:
            values = values.astype(self.dtype)
        return Block(slice(start, stop), slice(0, self.domain.n_points), values)

    def _decode(
        self, buffers: Iterator[NDArray[np.uint8]], spans: list[tuple[int, int]]
    ) -> Iterator[tuple[tuple[int, int], NDArray]]:
        expected, at = self.layout.expected_bytes, 0
        with self._open() as stream:
            for start, stop in spans:
                wanted = self.layout.offset + start * self.layout.sample_bytes
                skip(stream, wanted - at, self.path, expected, at)
                buffer = next(buffers, None)
                if buffer is None:  # nobody wants more
                    return
                part = buffer[: (stop - start) * self.layout.sample_bytes]
                fill(stream, part.data, self.path, expected, wanted)
                at = wanted + len(part)
                yield (start, stop), part.view(self.layout.dtype).reshape(stop - start, -1)
            skip(stream, expected - at, self.path, expected, at)
            if self._compressed:
                read_to_end(stream, self.path)

    def _open(self) -> Any:
        stream: Any = open_plain(self.path) if self._opener is None else self._opener()
        return _OwningGzip(stream) if self._compressed else stream

    def _read(self, spans: list[tuple[int, int]], most: int) -> Generator[Block, None, None]:
        buffer = np.empty(most * self.layout.sample_bytes, dtype=np.uint8)
        with open_plain(self.path) as stream:
            for start, stop in spans:
                wanted = self.layout.offset + start * self.layout.sample_bytes
                part = buffer[: (stop - start) * self.layout.sample_bytes]
                stream.seek(wanted)
                fill(stream, part.data, self.path, self.layout.expected_bytes, wanted)
                yield self._block(start, stop, part.view(self.layout.dtype).reshape(stop - start, -1))
            if size_of(stream) < self.layout.expected_bytes:
                raise CorruptImageError(
                    f"{self.path} shrank while it was read: {self.layout.expected_bytes} bytes were there."
                )


class _OwningGzip:
    """A gzip stream that closes the file it reads."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = gzip_stream(stream)
        self.readinto = self._decoder.readinto
        self.read = self._decoder.read

    def __enter__(self) -> _OwningGzip:
        return self

    def __exit__(self, *_: object) -> None:
        self._decoder.close()
        self._stream.close()


def _spans(n_samples: int, per_block: int, samples: NDArray[np.intp] | None) -> Iterator[tuple[int, int]]:
    """(start, stop) of blocks: consecutive samples, of those wanted."""
    if samples is None:
        for start in range(0, n_samples, per_block):
            yield start, min(start + per_block, n_samples)
        return
    breaks = np.flatnonzero(np.diff(samples) != 1) + 1
    for piece in np.split(np.asarray(samples), breaks):
        for start in range(0, len(piece), per_block):
            part = piece[start : start + per_block]
            yield int(part[0]), int(part[-1]) + 1


def _streamed_dtype(dtype: np.dtype) -> np.dtype:
    """Native byte order; longer floats than float64 as float64, float16 as float32."""
    if dtype.kind == "f" and dtype.itemsize > 8:
        return np.dtype(np.float64)
    if dtype == np.float16:
        return np.dtype(np.float32)
    return dtype.newbyteorder("=")
