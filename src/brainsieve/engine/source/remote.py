"""Files behind URLs, decoded while they download, without a temporary file."""

from __future__ import annotations

import re
from typing import Any, BinaryIO

from brainsieve.exceptions import CorruptImageError

DOWNLOADED_AT_ONCE = 2**20


def is_url(text: str) -> bool:
    """Whether a text names a protocol of fsspec (``s3://``, ``https://``, ``memory://``, …)."""
    return re.match(r"^[a-z][a-z0-9+.-]*(::[a-z][a-z0-9+.-]*)*://", text, re.IGNORECASE) is not None


def opener(url: str) -> Any:
    """A function that opens a URL as a stream of bytes.

    Raises
    ------
    ImportError
        If fsspec is not installed.
    """
    try:
        import fsspec
    except ImportError:
        raise ImportError(
            f"{url} is a URL; reading it needs fsspec: pip install 'brainsieve[cohort]'."
        ) from None

    def open_url() -> BinaryIO:
        try:
            # Read once from the start: no cache of what was read.
            stream = fsspec.open(url, "rb", block_size=DOWNLOADED_AT_ONCE, cache_type="readahead").open()
        except FileNotFoundError:
            raise ValueError(f"File not found: {url}") from None
        except Exception as error:
            raise ValueError(f"{url} cannot be opened: {type(error).__name__}: {error}") from error
        return RemoteStream(url, stream)  # type: ignore[return-value]

    return open_url


class RemoteStream:
    """A stream that says at which byte of which URL it broke off."""

    def __init__(self, url: str, stream: Any) -> None:
        self._url, self._stream, self._at = url, stream, 0
        self._size = getattr(stream, "size", None)

    def read(self, n: int = -1) -> bytes:
        n = DOWNLOADED_AT_ONCE if n is None or n < 0 else n
        try:
            data = self._stream.read(n)
        except Exception as error:
            raise CorruptImageError(
                f"{self._url} broke off at byte {self._at}: {type(error).__name__}: {error}"
            ) from error
        if not data and n and self._size is not None and self._at < self._size:
            raise CorruptImageError(f"{self._url} broke off at byte {self._at} of {self._size}.")
        self._at += len(data)
        return bytes(data)

    def readinto(self, buffer: Any) -> int:
        data = self.read(min(len(buffer), DOWNLOADED_AT_ONCE))
        buffer[: len(data)] = data
        return len(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self._stream.close()

    @property
    def closed(self) -> bool:
        return bool(getattr(self._stream, "closed", False))

    def __enter__(self) -> RemoteStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
