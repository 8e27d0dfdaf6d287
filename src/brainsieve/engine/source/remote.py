"""Files behind URLs, decoded while they download, without a temporary file.

http and https are one request, read from its start by the standard library: what fails (name, connection,
certificate, status, silence) is then told apart. Other protocols are fsspec's.
"""

from __future__ import annotations

import base64
import http.client
import io
import os
import re
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any, BinaryIO

from brainsieve.exceptions import CorruptImageError, MissingFileError

DOWNLOADED_AT_ONCE = 2**20
# Seconds to connect, and without any data; both can be set.
CONNECT_TIMEOUT = ("BRAINSIEVE_CONNECT_TIMEOUT", 30.0)
READ_TIMEOUT = ("BRAINSIEVE_READ_TIMEOUT", 60.0)
# What a query may say in messages and records. All else may be a token: each service calls it something else.
HARMLESS_QUERIES = frozenset(
    {"version", "versionid", "download", "format", "dl", "raw", "file", "filename", "path"}
)
STRUCK = "***"


def is_url(text: str) -> bool:
    """Whether a text names a protocol of fsspec (``s3://``, ``https://``, ``memory://``, …)."""
    return re.match(r"^[a-z][a-z0-9+.-]*(::[a-z][a-z0-9+.-]*)*://", text, re.IGNORECASE) is not None


def local_path(text: str) -> str | None:
    """The path that a ``file://`` URL names; None for anything else."""
    if not text.lower().startswith("file://"):
        return None
    return urllib.request.url2pathname(urllib.parse.urlsplit(text).path)


def redacted(text: str) -> str:
    """A URL without what lets somebody in: passwords and user names, tokens in its query, its fragment.

    Anything else comes back as it is, so that any text that may be a URL can be passed through.
    """
    if not is_url(text):
        return text
    *outer, url = re.split(r"::(?=[a-z][a-z0-9+.-]*://)", text, flags=re.IGNORECASE)
    scheme, rest = url.split("://", 1)
    rest, _, fragment = rest.partition("#")
    rest, has_query, query = rest.partition("?")
    host, slash, path = rest.partition("/")
    # A password may itself have an @ or, badly quoted, a slash: what follows the colon is then no port.
    if "@" not in host and re.search(r":(?!\d*$)", host) and "@" in path:
        host, slash, path = f"@{path.rpartition('@')[2]}".partition("/")
    _, at, host = host.rpartition("@")
    rest = f"{STRUCK if at else ''}{at}{host}{slash}{path}"
    parts = [_query_redacted(part) for part in query.split("&")] if has_query else []
    shown = f"{scheme}://{rest}" + (f"?{'&'.join(parts)}" if has_query else "")
    shown += f"#{STRUCK}" if fragment else ""
    return "::".join([*map(redacted, outer), shown])


def _query_redacted(part: str) -> str:
    key, equals, _ = part.partition("=")
    if not equals:
        return STRUCK if part else part
    return part if key.lower() in HARMLESS_QUERIES else f"{key}={STRUCK}"


def seconds_of(setting: tuple[str, float]) -> float:
    """A timeout, from the environment variable that sets it.

    Raises
    ------
    ValueError
        If that is no positive number.
    """
    name, default = setting
    text = os.environ.get(name, "")
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError(
            f"The environment variable {name} must be a number of seconds above 0; it is {text!r}."
        )
    return seconds


def opener(url: str) -> Callable[[], BinaryIO]:
    """A function that opens a URL as a stream of bytes.

    Raises
    ------
    ImportError
        If fsspec is needed and not installed.
    """
    if url.lower().startswith(("http://", "https://")):
        return lambda: RemoteStream(url, _http(url))  # type: ignore[return-value]
    try:
        import fsspec
    except ImportError:
        raise ImportError(
            f"{redacted(url)} is a URL; reading it needs fsspec: pip install 'brainsieve[cohort]'."
        ) from None

    def open_url() -> BinaryIO:
        try:
            # Read once from the start: no cache of what was read.
            stream = fsspec.open(url, "rb", block_size=DOWNLOADED_AT_ONCE, cache_type="readahead").open()
        except FileNotFoundError:
            raise MissingFileError(f"File not found: {redacted(url)}") from None
        except Exception as error:
            raise ValueError(f"{redacted(url)} cannot be opened: {_words(error, url)}") from None
        return RemoteStream(url, stream)  # type: ignore[return-value]

    return open_url


def _words(error: BaseException, url: str) -> str:
    """What an error says, without the URL's secrets."""
    text = f"{type(error).__name__}: {error}".replace(url, redacted(url))
    return re.sub(r"[a-z][a-z0-9+.-]*://\S+", lambda match: redacted(match[0]), text, flags=re.IGNORECASE)


class _PatientConnection(http.client.HTTPConnection):
    """A connection that is given less time to be made than the other side to answer."""

    def connect(self) -> None:
        self.timeout = seconds_of(CONNECT_TIMEOUT)
        super().connect()
        self.sock.settimeout(seconds_of(READ_TIMEOUT))


class _PatientSecureConnection(_PatientConnection, http.client.HTTPSConnection):
    pass


class _HTTPHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_PatientConnection, req)


class _HTTPSHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_PatientSecureConnection, req)


def _http(url: str) -> Any:
    """The answer to one request.

    Raises
    ------
    MissingFileError
        For the status 404 or 410.
    ValueError
        For another status, and where no answer comes; the message says which it is.
    """
    name = redacted(url)
    try:
        request = _request(url)
        return urllib.request.build_opener(_HTTPHandler, _HTTPSHandler).open(request)
    except urllib.error.HTTPError as error:
        status = f"HTTP status {error.code} {error.reason}"
        error.close()
        if error.code in (404, 410):
            raise MissingFileError(f"File not found: {name} ({status}).") from None
        hint = " Is a password or token missing?" if error.code in (401, 403) else ""
        raise ValueError(f"{name} cannot be opened: {status}.{hint}") from None
    except urllib.error.URLError as error:
        raise ValueError(f"{name} cannot be opened: {_why(error.reason, url)}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ValueError(f"{name} cannot be opened: {_why(error, url)}") from None


def _request(url: str) -> urllib.request.Request:
    parts = urllib.parse.urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(urllib.parse.urlunsplit(parts._replace(netloc=host, fragment="")))
    request.add_header("User-Agent", "brainsieve")
    if at:
        pair = urllib.parse.unquote_to_bytes(login)
        # Not sent on where a redirection leads to another host.
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(pair).decode()}")
    return request


def _why(reason: Any, url: str) -> str:
    """What kept an answer from coming."""
    host = urllib.parse.urlsplit(url).hostname
    if isinstance(reason, socket.gaierror):
        return f"no such host {host!r} (name lookup failed: {reason.strerror})."
    if isinstance(reason, ssl.SSLError):
        return f"no secure connection to {host!r} (TLS: {reason.reason or reason.strerror or reason})."
    if isinstance(reason, ConnectionRefusedError):
        return f"{host!r} refused the connection."
    if isinstance(reason, TimeoutError):
        limits = f"{CONNECT_TIMEOUT[0]}={seconds_of(CONNECT_TIMEOUT):g}, {READ_TIMEOUT[0]}={seconds_of(READ_TIMEOUT):g}"
        return f"{host!r} did not answer in time (seconds allowed: {limits})."
    return _words(reason, url) if isinstance(reason, BaseException) else str(reason)


class RemoteStream(io.RawIOBase):
    """A stream that says at which byte of which URL it broke off."""

    def __init__(self, url: str, stream: Any) -> None:
        self._url, self._name, self._stream, self._at = url, redacted(url), stream, 0
        size = getattr(stream, "size", None)
        length = getattr(stream, "headers", {}).get("Content-Length", "")
        self.size: int | None = int(length) if str(length).isdecimal() else size

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), DOWNLOADED_AT_ONCE)
        try:
            data = self._stream.read(wanted)
        except TimeoutError:
            name, seconds = READ_TIMEOUT[0], seconds_of(READ_TIMEOUT)
            raise CorruptImageError(
                f"{self._name} broke off at byte {self._at}: no data for {seconds:g} s ({name})."
            ) from None
        except Exception as error:
            raise CorruptImageError(
                f"{self._name} broke off at byte {self._at}: {_words(error, self._url)}"
            ) from None
        if not data and wanted and self.size is not None and self._at < self.size:
            raise CorruptImageError(f"{self._name} broke off at byte {self._at} of {self.size}.")
        self._at += len(data)
        buffer[: len(data)] = data
        return len(data)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        super().close()
        self._stream.close()
