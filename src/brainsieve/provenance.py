"""How a result was made, in JSON beside it: parameters, versions, and checksums of what went in."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from brainsieve.whole_files import replacing

PACKAGES = ("numpy", "scipy", "scikit-learn", "nibabel", "pandas", "isal")
CHUNK_BYTES = 2**20


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
    """Name, size and SHA-256 of a file; of something that is no local file, the name alone."""
    name = os.fspath(path)
    file = Path(name).expanduser()
    if not file.is_file():
        return {"path": name, "bytes": None, "sha256": None}
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return {"path": name, "bytes": file.stat().st_size, "sha256": digest.hexdigest()}


def write_json(record: Mapping[str, Any], path: Path) -> None:
    """Write a record, whole or not at all."""
    with replacing(path) as unfinished:
        unfinished.write_bytes(json_bytes(record))


def json_bytes(record: Mapping[str, Any]) -> bytes:
    """A record as JSON in UTF-8."""
    text = json.dumps(plain(record), indent=2, ensure_ascii=False, allow_nan=False)
    # Bytes of a file's name that are no UTF-8 are lone surrogates in Python: JSON has an escape for them, the same.
    return text.encode("utf-8", "backslashreplace") + b"\n"


def plain(value: Any) -> Any:
    """What JSON can hold: arrays as lists, paths as strings, NaN as None, all else as it prints."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset | range):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)
