"""The bytes of a small file, decompressed and verified."""

from __future__ import annotations

import gzip
import zlib

from brainsieve.engine.files import regular_file
from brainsieve.exceptions import CorruptImageError


def contents_of(path: str) -> bytes:
    """All bytes of a regular file; decompressed where it is gzip, whatever its name.

    Raises
    ------
    CorruptImageError
        If compressed data are damaged or cut.
    """
    with open(regular_file(path, "a file of a surface"), "rb") as stream:
        raw = stream.read()
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorruptImageError(f"{path}: its compressed data are damaged or cut: {error}.") from None
