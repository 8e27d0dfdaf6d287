"""Bytes of a file in order: plain files by position, packed ones decoded ahead in a thread and verified to their end.

A stream fills buffers (`readinto`) and can skip. Reads are exact: what is not there is a `CorruptImageError` that
names the file, what was expected and what was found.
"""

from __future__ import annotations

import bz2
import gzip as standard_gzip
import io
import os
import queue
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
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
# First bytes of packed files, and how many bytes one of theirs can stand for: deflate has 258 in two bits, bzip2
# 900 000 runs of 51 in some 40. More than that is a header's lie, found before anything is allocated.
PACKINGS = {"gzip": (b"\x1f\x8b", 1032), "bzip2": (b"BZh", 2**21)}
# A stream from elsewhere may go on for ever behind the data; a file that is written by any program does not.
MOST_BEHIND = 2**26


def packing_of(first_bytes: bytes) -> str | None:
    """ "gzip", "bzip2", or None for what is not packed: told by the contents, not the name."""
    return next((name for name, (magic, _) in PACKINGS.items() if first_bytes.startswith(magic)), None)


def unpacked(stream: Any, packing: str | None) -> Any:
    """Decode a stream; the checksums are checked as their ends are reached."""
    if packing is None:
        return stream
    if packing == "bzip2":
        return bz2.BZ2File(stream)
    decoder = fast_gzip.GzipFile if fast_gzip is standard_gzip else fast_gzip.IGzipFile
    return decoder(fileobj=stream, mode="rb")


@contextmanager
def unpacking(stream: Any, packing: str | None) -> Iterator[Any]:
    """Decode a stream; it is closed together with the file that it reads."""
    with closing(stream), closing(unpacked(stream, packing)) as decoder:
        yield decoder


def refuse_promise(name: str, promised: int, size: int, packing: str | None, what: str) -> None:
    """Refuse a file whose header promises more than it can hold, before anything is allocated.

    Parameters
    ----------
    name : str
        Of the file.
    promised, size : int
        Bytes that the header asks for, and that the file has.
    packing : str or None
    what : str
        What the bytes are.

    Raises
    ------
    CorruptImageError
    """
    if packing is None and size < promised:
        raise CorruptImageError(
            f"{name} is truncated: its header promises {promised} bytes ({what}), {size} are there."
        )
    if packing is not None and promised > size * PACKINGS[packing][1]:
        raise CorruptImageError(
            f"{name} is truncated or its header is corrupt: the header promises {promised} bytes ({what}), "
            f"{packing} cannot hold these in {size} bytes."
        )


def exactly(stream: Any, n: int, name: str, what: str = "a NIfTI header") -> bytes:
    """The next bytes of a stream: all of them, or an error that says how many are missing."""
    data = b""
    while len(data) < n:
        part = decoded(lambda: stream.read(n - len(data)), name)  # noqa: B023
        if not part:
            raise CorruptImageError(
                f"{name} is {'empty' if not data else 'too short for a header'}: "
                f"{what} has {n} bytes, {len(data)} are there."
            )
        data += part
    return data


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
    except OSError as error:
        if error.errno is not None:
            raise
        # bzip2 has no class of its own for this.
        raise CorruptImageError(f"{name} is corrupt: {error}. Fetch or write it again.") from None


def skip(
    stream: Any, n_bytes: int, name: str, expected: int, at: int, left: Callable[[], bool] = lambda: False
) -> None:
    """Read over bytes of a stream that cannot seek cheaply, until nobody waits for it any more (`left`)."""
    buffer = memoryview(bytearray(min(n_bytes, SKIPPED_AT_ONCE)))
    done = 0
    while done < n_bytes and not left():
        part = buffer[: min(len(buffer), n_bytes - done)]
        fill(stream, part, name, expected, at + done)
        done += len(part)


def read_to_end(
    stream: Any, name: str, most: int | None = None, left: Callable[[], bool] = lambda: False
) -> None:
    """Decode what follows the data, until nobody waits for it any more (`left`): the checksum is behind it.

    Raises
    ------
    CorruptImageError
        Where more than `most` bytes follow.
    """
    buffer = bytearray(SKIPPED_AT_ONCE)
    behind = 0
    while not left() and (n := decoded(lambda: stream.readinto(buffer), name)):
        behind += n
        if most is not None and behind > most:
            raise CorruptImageError(
                f"{name} goes on behind its data: {behind} bytes more than its header promises, and no end."
            )


class Ahead:
    """Runs a producer of arrays in a thread, a few buffers ahead of who consumes them.

    Parameters
    ----------
    produce : callable
        Called as ``produce(buffers, left)`` with an iterator of free buffers, and a function that tells whether the
        consumer has left; yields (tag, array) where the array is a view of the last buffer taken.
    buffer_bytes : int
    patience : float, optional
        Seconds to wait for the thread where the consumer stops early. A read from afar may be stalled, and
        the first Ctrl-C is to end it: the thread is then left to itself. Default: as long as it takes.
    """

    def __init__(
        self,
        produce: Callable[[Iterator[NDArray[np.uint8]], Callable[[], bool]], Iterator[tuple[Any, NDArray]]],
        buffer_bytes: int,
        patience: float | None = None,
    ) -> None:
        self._patience = patience
        self._free: queue.Queue[Any] = queue.Queue()
        self._full: queue.Queue[Any] = queue.Queue()
        for _ in range(N_AHEAD):
            self._free.put(np.empty(buffer_bytes, dtype=np.uint8))
        self._produce = produce
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, name="brainsieve-decode", daemon=True)

    def __iter__(self) -> Iterator[tuple[Any, NDArray]]:
        self._thread.start()
        process = os.getpid()
        try:
            while True:
                if os.getpid() != process:  # no thread of the parent's, nothing ever comes
                    raise RuntimeError(
                        "A process that was forked cannot go on reading what its parent reads."
                    )
                kind, value, buffer = self._full.get()
                if kind == "error":
                    raise value
                if kind == "end":
                    return
                yield value
                self._free.put(buffer)
        finally:
            # In the child of a fork the thread is gone, and may have taken the locks of the queues with it.
            if os.getpid() == process:
                self._left.set()
                self._free.put(None)
                self._thread.join(self._patience)

    def _run(self) -> None:
        taken: list[Any] = [None]

        def buffers() -> Iterator[NDArray[np.uint8]]:
            while True:
                taken[0] = self._free.get()
                if taken[0] is None:
                    return
                yield taken[0]

        try:
            for item in self._produce(buffers(), self._left.is_set):
                self._full.put(("item", item, taken[0]))
            self._full.put(("end", None, None))
        except BaseException as error:
            self._full.put(("error", error, None))


def open_plain(path: str) -> io.FileIO:
    """A file to be read by position: unbuffered, so that bytes go straight into the caller's buffers."""
    return io.FileIO(path, "rb")


def size_of(stream: io.FileIO) -> int:
    return os.fstat(stream.fileno()).st_size
