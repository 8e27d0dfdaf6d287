"""Broken files: bytes changed by seeded mutators, and what may come of reading them."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from brainsieve.exceptions import CorruptImageError, DimensionError

# What counters, sizes and offsets break at.
NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    127,
    128,
    255,
    256,
    32767,
    -32768,
    65535,
    2**24,
    2**31 - 1,
    -(2**31),
    2**32 - 1,
    2**62,
)
FRACTIONS = (0.0, -1.0, np.nan, np.inf, -np.inf, 1e30, 1e-30, 348.0, 352.5, 2.0**31, 2.0**63)


def flip_bits(data: bytearray, rng: np.random.Generator, reach: int) -> None:
    for _ in range(rng.integers(1, 5)):
        data[rng.integers(reach)] ^= 1 << int(rng.integers(8))


def put_bytes(data: bytearray, rng: np.random.Generator, reach: int) -> None:
    for _ in range(rng.integers(1, 5)):
        data[rng.integers(reach)] = int(rng.choice([0, 255, 127, 128, rng.integers(256)]))


def put_number(data: bytearray, rng: np.random.Generator, reach: int) -> None:
    size = int(rng.choice([2, 4, 8]))
    at = size * int(rng.integers(max(1, reach // size)))
    number = int(rng.choice(NUMBERS)) % 2 ** (8 * size)
    data[at : at + size] = number.to_bytes(size, str(rng.choice(["little", "big"])))  # type: ignore[arg-type]


def put_fraction(data: bytearray, rng: np.random.Generator, reach: int) -> None:
    dtype = np.dtype(str(rng.choice(["<f4", ">f4", "<f8"])))
    at = dtype.itemsize * int(rng.integers(max(1, reach // dtype.itemsize)))
    with np.errstate(over="ignore"):
        data[at : at + dtype.itemsize] = np.array(float(rng.choice(FRACTIONS))).astype(dtype).tobytes()


def cut(data: bytearray, rng: np.random.Generator, reach: int) -> None:
    del data[int(rng.integers(len(data))) :]


def cut_out(data: bytearray, rng: np.random.Generator, reach: int) -> None:
    at = int(rng.integers(reach))
    del data[at : at + int(rng.integers(1, 64))]


def repeat(data: bytearray, rng: np.random.Generator, reach: int) -> None:
    at = int(rng.integers(reach))
    data[at:at] = data[at : at + int(rng.integers(1, 64))]


def swap(data: bytearray, rng: np.random.Generator, reach: int) -> None:
    first, second = (int(n) for n in rng.integers(reach, size=2))
    first, second = min(first, second), max(first, second)
    n = min(16, second - first)
    part = data[first : first + n]
    data[first : first + n] = data[second : second + n]
    data[second : second + n] = part


MUTATORS: tuple[Callable[[bytearray, np.random.Generator, int], None], ...] = (
    flip_bits,
    put_bytes,
    put_number,
    put_number,
    put_fraction,
    cut,
    cut_out,
    repeat,
    swap,
)


def mutants(whole: bytes, n: int, seed: int, header: int, packed: bool = False) -> Iterator[bytes]:
    """Broken versions of a file.

    Parameters
    ----------
    whole : bytes
        The file, decoded.
    n, seed : int
    header : int
        Bytes at its beginning that most mutations are to hit.
    packed : bool
        Give gzip files: broken before they are packed, or after.
    """
    for i in range(n):
        rng = np.random.default_rng((seed, i))
        outside = packed and rng.random() < 0.3
        data = bytearray(gzip.compress(whole, 1) if outside else whole)
        for _ in range(1 if rng.random() < 0.7 else 3):
            if data:
                reach = min(len(data), header) if rng.random() < 0.8 and not outside else len(data)
                MUTATORS[int(rng.integers(len(MUTATORS)))](data, rng, reach)
        yield bytes(data) if outside or not packed else gzip.compress(bytes(data), 1)


def outcome(read: Callable[[Path], Any], path: Path) -> Any:
    """What reading gives, or None for an error of ours that names the file; what else is raised passes on."""
    try:
        return read(path)
    except (CorruptImageError, DimensionError) as error:
        ours: Exception = error
    except (ValueError, TypeError) as error:
        if type(error) not in (ValueError, TypeError):
            raise
        ours = error
    assert path.stem.split(".")[0] in str(ours), f"{type(ours).__name__} without the file's name: {ours}"
    return None
