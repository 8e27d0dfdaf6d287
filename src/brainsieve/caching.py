"""Caching of results, keyed by what a file is and not by what is in it.

The key of a file is its path, size, modification time and header; of an image in memory, a hash of its buffer.
Only final signals are kept: what lies between is cheaper to compute than to hash.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Memory

from brainsieve.logs import log, warn


def memory_for(memory: str | os.PathLike | Memory | None, verbose: int) -> Memory:
    """The `joblib.Memory` that a `memory` parameter stands for.

    Raises
    ------
    ValueError
        If the folder cannot be written to.
    """
    if isinstance(memory, Memory):
        return memory
    if memory is None:
        return Memory(None, verbose=0)
    folder = Path(memory).expanduser()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise ValueError(f"memory={str(memory)!r}: the cache folder cannot be made: {error}.") from None
    if not os.access(folder, os.W_OK):
        raise ValueError(f"memory={str(memory)!r}: the cache folder cannot be written to.")
    return Memory(folder, verbose=max(0, int(verbose) - 1))


def cached(memory: Memory, level: int, key: Callable[[], str], compute: Callable[[], Any]) -> Any:
    """Compute, or take from the cache what the same key gave before.

    `key` is called only where there is a cache: it may have to hash an image.
    """
    if memory.location is None or level < 1:
        return compute()
    return memory.cache(_computed, ignore=["compute"])(key(), compute)


def cached_for_images(
    memory: Any, verbose: int, name: str, imgs: Any, options: dict[str, Any], compute: Callable[[], Any]
) -> Any:
    """Compute something of images, or take it from the cache that a function's `memory` parameter names.

    Parameters
    ----------
    memory : None, path or joblib.Memory
    verbose : int
        1 tells that it is computed.
    name : str
        Of the function.
    imgs : image-like, or list of them
    options : dict
        Its other arguments that matter.
    compute : callable
    """
    from brainsieve.engine.source import open_source

    def told() -> Any:
        log(verbose, 1, f"{name}: computing.")
        return compute()

    def key() -> str:
        images = imgs if isinstance(imgs, list | tuple) else [imgs]
        return digest(name, [open_source(img).identity for img in images], options)

    if memory is None:
        return told()
    return cached(memory_for(memory, verbose), 1, key, told)


def _computed(key: str, compute: Callable[[], Any]) -> Any:
    return compute()


def effective_level(memory: Any, level: int) -> int:
    """`memory_level`, raised to 1 where a cache was given: it would be of no use otherwise."""
    if memory is not None and level == 0 and getattr(memory, "location", "given") is not None:
        warn(
            "memory is given but memory_level=0 caches nothing; memory_level=1 is used.",
        )
        return 1
    return level


def digest(*parts: Any) -> str:
    """Hash arrays, strings and nested containers of them."""
    hasher = hashlib.blake2b(digest_size=16)
    for part in parts:
        _feed(hasher, part)
    return hasher.hexdigest()


def _feed(hasher: Any, part: Any) -> None:
    if isinstance(part, np.ndarray) and part.dtype != object:
        hasher.update(f"{part.dtype.str}{part.shape}".encode())
        hasher.update(np.ascontiguousarray(part).data)
    elif isinstance(part, dict):
        _feed(hasher, sorted(part.items(), key=lambda item: str(item[0])))
    elif isinstance(part, list | tuple | np.ndarray):
        hasher.update(f"[{len(part)}".encode())
        for item in part:
            _feed(hasher, item)
    else:
        hasher.update(f"{type(part).__name__}:{part!r};".encode())
