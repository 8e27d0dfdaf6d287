"""Parameters in a line: the same words for equal values, whatever object holds them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from brainsieve.engine.files import opened_from

# Entries of a list or dict that are told, and characters in all.
MOST_ENTRIES = 8
MOST_CHARACTERS = 200
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def described(value: Any) -> str:
    """A value of a parameter in a line, without addresses of objects."""
    text = ADDRESS.sub("", " ".join(_words(value).split()))
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


def _words(value: Any) -> str:
    if isinstance(value, np.generic):
        return repr(value.item())
    if isinstance(value, str | bytes | int | float | complex | None):
        return repr(value)
    if isinstance(value, os.PathLike):
        return repr(os.fspath(value))
    if isinstance(value, Mapping):
        return "{" + _listed([f"{_words(k)}: {_words(v)}" for k, v in value.items()]) + "}"
    if isinstance(value, set | frozenset):
        # Their order changes from process to process.
        return "{" + _listed(sorted(map(_words, value))) + "}"
    if isinstance(value, tuple):
        return "(" + _listed(list(map(_words, value))) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, list):
        return "[" + _listed(list(map(_words, value))) + "]"
    if isinstance(value, np.ndarray) and value.size <= MOST_ENTRIES * 2:
        return repr(value)
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        file = opened_from(value)
        text = f"{type(value).__name__} of shape {' × '.join(map(str, shape))}"
        return f"{text}, {file!r}" if file else text
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return repr(value)


def _listed(entries: list[str]) -> str:
    more = f", … ({len(entries)} in all)" if len(entries) > MOST_ENTRIES else ""
    return ", ".join(entries[:MOST_ENTRIES]) + more
