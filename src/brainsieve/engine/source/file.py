"""Volume files whose samples stand one after the other: NIfTI, Analyze and MGH, plain or packed, local or remote."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.source.base import Block, Source
from brainsieve.engine.source.header import Layout, streamed_dtype
from brainsieve.engine.source.streams import (
    MOST_BEHIND,
    Ahead,
    fill,
    open_plain,
    read_to_end,
    refuse_promise,
    size_of,
    skip,
    unpacking,
)
from brainsieve.engine.source.values import spans_of
from brainsieve.exceptions import CorruptImageError

# One buffer; a few are decoded ahead. Small ones stay in the processor's cache.
BUFFER_BYTES = 2**23
# Seconds that a stalled download is waited for when nobody wants its data any more.
PATIENCE = 0.5


class FileSource(Source):
    """A file of samples one after the other.

    Parameters
    ----------
    path : str
        Path, or what to call the URL in messages.
    layout : Layout
    packing : str or None
        "gzip", "bzip2", or None for plain files.
    opener : callable, optional
        Gives the file as a binary stream. Default: a local file.

    Raises
    ------
    CorruptImageError
        If the file cannot hold what its header promises.
    """

    def __init__(
        self,
        path: str,
        layout: Layout,
        packing: str | None,
        opener: Callable[[], BinaryIO] | None = None,
    ) -> None:
        self.path = path
        self.name = os.path.basename(path) if opener is None else path
        self.layout = layout
        self.domain = layout.grid
        self.n_samples = layout.n_samples
        self.is_single = layout.is_single
        self.dtype = streamed_dtype(layout.dtype)
        self.slope, self.inter = layout.slope, layout.inter
        self.tr, self.tr_doubt = layout.timing.tr, layout.timing.doubt
        self.header: Any = layout.header
        self._packing = packing
        self._opener = opener
        self.is_local = opener is None
        if opener is None:
            refuse_promise(path, layout.expected_bytes, os.path.getsize(path), packing, layout.describe())

    @property
    def identity(self) -> str:
        if self._opener is not None:
            raise TypeError(f"{self.path} is remote: its contents cannot be identified without reading it.")
        status, layout = os.stat(self.path), self.layout
        # An opened image may have another affine than its file, and keeps the layout that it was opened with.
        what = (
            os.path.abspath(self.path),
            (status.st_size, status.st_mtime_ns),
            (layout.grid.fingerprint, layout.n_samples, layout.is_single, layout.dtype.str),
            (layout.offset, layout.slope, layout.inter),
        )
        return hashlib.blake2b(repr(what).encode(), digest_size=16).hexdigest()

    def blocks(
        self, samples_per_block: int | None = None, samples: NDArray[np.intp] | None = None
    ) -> Generator[Block, None, None]:
        per_block = samples_per_block or max(1, BUFFER_BYTES // max(1, self.layout.sample_bytes))
        spans = list(spans_of(self.n_samples, per_block, samples))
        most = max((stop - start for start, stop in spans), default=1)
        if self._packing or self._opener is not None:
            patience = None if self.is_local else PATIENCE
            ahead: Any = iter(Ahead(partial(self._decode, spans), most * self.layout.sample_bytes, patience))
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
        self,
        spans: list[tuple[int, int]],
        buffers: Iterator[NDArray[np.uint8]],
        left: Callable[[], bool],
    ) -> Iterator[tuple[tuple[int, int], NDArray]]:
        expected, at = self.layout.expected_bytes, 0
        with unpacking(self._open(), self._packing) as stream:
            for start, stop in spans:
                wanted = self.layout.offset + start * self.layout.sample_bytes
                skip(stream, wanted - at, self.path, expected, at, left)
                buffer = next(buffers, None)
                if buffer is None:  # nobody wants more
                    return
                part = buffer[: (stop - start) * self.layout.sample_bytes]
                fill(stream, part.data, self.path, expected, wanted)
                at = wanted + len(part)
                yield (start, stop), part.view(self.layout.dtype).reshape(stop - start, -1)
            # Who has all samples that were asked for may not wait for the rest: one volume out of many.
            skip(stream, expected - at, self.path, expected, at, left)
            if self._packing:
                read_to_end(stream, self.path, None if self.is_local else MOST_BEHIND, left)

    def _open(self) -> Any:
        return open_plain(self.path) if self._opener is None else self._opener()

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
