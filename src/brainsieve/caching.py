"""Caching of results, keyed by what a file is and not by what is in it.

The key of a file is its path, size, modification time and header; of an image in memory, a hash of its buffer.
Only final signals are kept: what lies between is cheaper to compute than to hash.
"""

from __future__ import annotations

import dataclasses
import hashlib
import numbers
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Memory

from brainsieve.logs import Said, collected_warnings, log, warn


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
    # joblib tells of every call from 1 on; ours tells the steps by then.
    return Memory(folder, verbose=max(0, int(verbose) - 1))


def cached(memory: Memory | None, level: int, key: Callable[[], str], compute: Callable[[], Any]) -> Any:
    """Compute, or take from the cache what the same key gave before.

    `key` is called only where there is a cache: it may have to hash an image.
    """
    if memory is None or memory.location is None or level < 1:
        return compute()
    is_new = False

    def told() -> tuple[Any, list[Said]]:
        nonlocal is_new
        is_new = True
        with collected_warnings() as said:
            return compute(), said

    # joblib keys by the arguments of a function; the digest is the one argument that counts.
    value, said = memory.cache(_value_and_warnings, ignore=["compute"])(key(), told)
    if not is_new:
        # What the first call warned of holds for this one: a region lost is lost from the cache as well.
        for message, category in said:
            warn(message, category)
    return value


def cached_for_images(
    memory: Any,
    verbose: int,
    name: str,
    identities: Callable[[], Any],
    options: dict[str, Any],
    compute: Callable[[], Any],
) -> Any:
    """Compute something of images, or take it from the cache that a function's `memory` parameter names.

    Parameters
    ----------
    memory : None, path or joblib.Memory
    verbose : int
        1 tells that it is computed.
    name : str
        Of the function.
    identities : callable
        Gives what the images are known by; called only where there is a cache.
    options : dict
        Its other arguments that matter.
    compute : callable
    """

    def told() -> Any:
        log(verbose, 1, f"{name}: computing.")
        return compute()

    def key() -> str:
        return digest(name, identities(), options)

    if memory is None:
        return told()
    return cached(memory_for(memory, verbose), 1, key, told)


def _value_and_warnings(key: str, compute: Callable[[], tuple[Any, list[Said]]]) -> tuple[Any, list[Said]]:
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
    """Hash what tells two computations apart.

    Parameters
    ----------
    *parts
        Numbers, strings, None, paths, dtypes, array-likes (arrays, series, data frames: by their contents), and
        nested lists, tuples, dicts and dataclasses of these.

    Raises
    ------
    TypeError
        For anything else: an object's `repr` may be its address, which another object has next.
    """
    hasher = hashlib.blake2b(digest_size=16)
    for part in parts:
        _feed(hasher, part)
    return hasher.hexdigest()


def _feed(hasher: Any, part: Any) -> None:
    if isinstance(part, np.ndarray) and part.dtype != object:
        # The same bytes are other numbers in another dtype, and other rows in another shape.
        hasher.update(f"{part.dtype.str}{part.shape}".encode())
        plain = np.ascontiguousarray(part)
        hasher.update(plain.data if plain.dtype.kind in "biufc" else plain.tobytes())
    elif isinstance(part, dict):
        # In any order the same options are the same.
        _feed(hasher, sorted(part.items(), key=lambda item: str(item[0])))
    elif isinstance(part, list | tuple | np.ndarray):
        # The length: [[1], [2]] and [[1, 2]] are fed the same items.
        hasher.update(f"[{len(part)}".encode())
        for item in part:
            _feed(hasher, item)
    elif is_plain(part):
        hasher.update(f"{type(part).__name__}:{part!r};".encode())
    elif dataclasses.is_dataclass(part) and not isinstance(part, type):
        _feed(
            hasher, [type(part).__name__, {f.name: getattr(part, f.name) for f in dataclasses.fields(part)}]
        )
    elif hasattr(part, "to_numpy"):
        _feed(hasher, [list(getattr(part, "columns", ())), np.asarray(part.to_numpy())])
    elif hasattr(part, "__array__"):
        _feed(hasher, np.asarray(part))
    else:
        raise TypeError(f"{type(part).__name__} cannot be told apart by a cache: {part!r}.")


def is_plain(value: Any) -> bool:
    """Whether a value's `repr` is all that it is."""
    return value is None or isinstance(
        value,
        bool | numbers.Number | str | bytes | np.generic | np.dtype | type | slice | range | os.PathLike,
    )
