"""Bytes of a file in order: plain files by position, gzip decoded ahead in a thread and verified to its end.

A stream fills buffers (`readinto`) and can skip. Reads are exact: what is not there is a `CorruptImageError` that
names the file, what was expected and what was found.
"""

from __future__ import annotations

import gzip as standard_gzip
import io
import os
import queue
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.exceptions import CorruptImageError

fast_gzip: Any
fast_error: Any
try:
    from isal import igzip as fast_gzip
    from isal.isal_zlib import error as fast_error
except ImportError:  # no wheel for this platform: the standard library decodes the same, half as fast
    fast_gzip, fast_error = standard_gzip, zlib.error

# Buffers that the decoder may fill before the first is used.
N_AHEAD = 3
SKIPPED_AT_ONCE = 2**22


def is_gzip(first_bytes: bytes) -> bool:
    return first_bytes[:2] == b"\x1f\x8b"


def gzip_stream(stream: Any) -> Any:
    """Decode a stream of gzip members; CRC and length of each are checked at its end."""
    decoder = fast_gzip.GzipFile if fast_gzip is standard_gzip else fast_gzip.IGzipFile
    return decoder(fileobj=stream, mode="rb")


def fill(stream: Any, buffer: memoryview, name: str, expected: int, at: int) -> None:
    """Fill a buffer, or say what is missing.

    Parameters
    ----------
    stream : file
    buffer : memoryview of bytes
    name : str
        Of the file, for the message.
    expected, at : int
        Bytes that the file should have, and position of the buffer among them.
    """
    got = 0
    while got < len(buffer):
        n = decoded(lambda: stream.readinto(buffer[got:]), name)  # noqa: B023
        if not n:
            raise CorruptImageError(
                f"{name} ends too early: its header promises {expected} bytes, {at + got} are there. "
                "Was it copied or written completely?"
            )
        got += n


def decoded(read: Callable[[], Any], name: str) -> Any:
    """Read, with the decoders' errors as one that names the file."""
    try:
        return read()
    except EOFError:
        raise CorruptImageError(
            f"{name} is truncated: its compressed data end before their end mark. "
            "Was it copied or written completely?"
        ) from None
    except (standard_gzip.BadGzipFile, zlib.error, fast_error) as error:
        raise CorruptImageError(f"{name} is corrupt: {error}. Fetch or write it again.") from None


def skip(stream: Any, n_bytes: int, name: str, expected: int, at: int) -> None:
    """Read over bytes of a stream that cannot seek cheaply."""
    buffer = memoryview(bytearray(min(n_bytes, SKIPPED_AT_ONCE)))
    done = 0
    while done < n_bytes:
        part = buffer[: min(len(buffer), n_bytes - done)]
        fill(stream, part, name, expected, at + done)
        done += len(part)


def read_to_end(stream: Any, name: str) -> None:
    """Decode what follows the data: the checksum is behind it."""
    buffer = bytearray(SKIPPED_AT_ONCE)
    while decoded(lambda: stream.readinto(buffer), name):
        pass


class Ahead:
    """Runs a producer of arrays in a thread, a few buffers ahead of who consumes them.

    Parameters
    ----------
    produce : callable
        Called as ``produce(buffers)`` with an iterator of free buffers; yields (tag, array) where the array
        is a view of the last buffer taken.
    buffer_bytes : int
    """

    def __init__(
        self,
        produce: Callable[[Iterator[NDArray[np.uint8]]], Iterator[tuple[Any, NDArray]]],
        buffer_bytes: int,
    ) -> None:
        self._free: queue.Queue[Any] = queue.Queue()
        self._full: queue.Queue[Any] = queue.Queue()
        for _ in range(N_AHEAD):
            self._free.put(np.empty(buffer_bytes, dtype=np.uint8))
        self._produce = produce
        self._thread = threading.Thread(target=self._run, name="brainsieve-decode", daemon=True)

    def __iter__(self) -> Iterator[tuple[Any, NDArray]]:
        self._thread.start()
        try:
            while True:
                kind, value, buffer = self._full.get()
                if kind == "error":
                    raise value
                if kind == "end":
                    return
                yield value
                self._free.put(buffer)
        finally:
            self._free.put(None)
            self._thread.join()

    def _run(self) -> None:
        taken: list[Any] = [None]

        def buffers() -> Iterator[NDArray[np.uint8]]:
            while True:
                taken[0] = self._free.get()
                if taken[0] is None:
                    return
                yield taken[0]

        try:
            for item in self._produce(buffers()):
                self._full.put(("item", item, taken[0]))
            self._full.put(("end", None, None))
        except BaseException as error:
            self._full.put(("error", error, None))


def open_plain(path: str) -> io.FileIO:
    """A file to be read by position: unbuffered, so that bytes go straight into the caller's buffers."""
    return io.FileIO(path, "rb")


def size_of(stream: io.FileIO) -> int:
    return os.fstat(stream.fileno()).st_size
