"""How a result was made, in JSON beside it: parameters, versions, and checksums of what went in."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from brainsieve.engine.source.remote import redacted
from brainsieve.whole_files import replacing

PACKAGES = ("numpy", "scipy", "scikit-learn", "nibabel", "pandas", "isal")
CHUNK_BYTES = 2**20
# Up to the end of the word; a bracket or quotation mark around it is no part of it.
URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s\"'<>)\]]+", re.IGNORECASE)


def versions() -> dict[str, str | None]:
    """Versions of Python, of this package, and of those that results depend on; None: not installed."""
    from brainsieve._version import __version__

    found: dict[str, str | None] = {"brainsieve": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def file_record(path: str | os.PathLike) -> dict[str, Any]:
    """Name, size and SHA-256 of a file; of something that is no local file, the name alone, without its secrets."""
    name = os.fspath(path)
    file = os.path.expanduser(name)
    if not os.path.isfile(file):
        return {"path": redacted(name), "bytes": None, "sha256": None}
    return {"path": name, "bytes": os.path.getsize(file), "sha256": sha256_of(file)}


def sha256_of(path: str | os.PathLike) -> str:
    """SHA-256 of a file's content, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def our_record(path: str | os.PathLike) -> dict[str, Any] | None:
    """The record in a JSON file, if this package wrote it; None for any other file."""
    try:
        if not os.path.isfile(path):
            return None
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    # Any JSON may lie there; only ours tells which version of the package wrote it.
    made_by = record.get("versions") if isinstance(record, dict) else None
    return record if isinstance(made_by, dict) and "brainsieve" in made_by else None


def write_json(record: Mapping[str, Any], path: Path) -> None:
    """Write a record, whole or not at all."""
    with replacing(path) as unfinished:
        unfinished.write_bytes(json_bytes(record))


def json_bytes(record: Mapping[str, Any]) -> bytes:
    """A record as JSON in UTF-8."""
    text = json.dumps(plain(record), indent=2, ensure_ascii=False, allow_nan=False)
    # Bytes of a file's name that are no UTF-8 are lone surrogates in Python: JSON has an escape for them, the same.
    return text.encode("utf-8", "backslashreplace") + b"\n"


def without_secrets(text: str) -> str:
    """A text with the passwords and tokens of the URLs in it struck out."""
    return URL.sub(lambda match: redacted(match[0]), text)


def plain(value: Any) -> Any:
    """What JSON can hold: arrays as lists, paths as strings, NaN as None, all else as it prints; no secrets of URLs."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if hasattr(value, "to_dict"):  # a data frame
        return plain(value.to_dict(orient="list"))
    if hasattr(value, "dataobj"):  # an image, whose print is pages
        return f"<{type(value).__name__} of shape {tuple(value.shape)}>"
    if isinstance(value, list | tuple | set | frozenset | range):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, str):
        return without_secrets(value)
    if value is None or isinstance(value, bool | int):
        return value
    return without_secrets(os.fspath(value) if isinstance(value, os.PathLike) else str(value))
