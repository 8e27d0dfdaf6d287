"""Who still holds nilearn's own classes and functions after `install`.

Names of modules can be exchanged; what a library stored elsewhere when it was imported cannot, without changing
objects that others share. It is looked for, so that nobody takes nilearn's numbers or times for ours.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

__all__ = ["held"]

# Containers in containers further down are not looked into: tables of classes are flat, other data can be large.
DEPTH = 4
LARGE = 10_000


def held(originals: Mapping[int, tuple[str, Any]]) -> dict[str, str]:
    """Places in imported modules that hold one of some objects.

    Looked into: names of modules; dicts, lists, tuples and sets; `functools.partial`; default arguments of
    functions and methods; attributes of classes; and the bases of classes.

    Parameters
    ----------
    originals : mapping of int to (str, object)
        By identity: the name to tell, and the object, kept so that no other gets its identity.

    Returns
    -------
    places : dict of str to str
        Place, as one would write it in Python as far as there is a way, to the name of what it holds.
    """
    found: dict[str, str] = {}
    # Nilearn's maskers derive from each other; their modules are stood in for as a whole.
    replaced = {each.__module__ for _, each in originals.values() if isinstance(each, type)}
    for name, module in sorted(sys.modules.items()):
        if not isinstance(module, ModuleType) or name in replaced or _cannot_hold(name, module):
            continue
        for key, value in list(vars(module).items()):
            if not key.startswith("__"):
                found.update(_within(f"{name}.{key}", value, module.__name__, originals, DEPTH))
    return found


def _cannot_hold(name: str, module: ModuleType) -> bool:
    """Ours holds them on purpose; Python's own modules do not know nilearn."""
    root = name.split(".")[0]
    if root == "__main__":
        return False
    return root == "brainsieve" or root in sys.stdlib_module_names or root != module.__name__.split(".")[0]


def _within(
    place: str, value: Any, module: str, originals: Mapping[int, tuple[str, Any]], depth: int
) -> Iterator[tuple[str, str]]:
    if id(value) in originals:
        yield place, originals[id(value)][0]
        return
    if depth == 0:
        return
    if isinstance(value, type) and value.__module__ == module:
        nearest = next((base for base in value.__mro__[1:] if id(base) in originals), None)
        if nearest is not None:
            yield f"{place}.__bases__", originals[id(nearest)][0]
    for where, inner in _parts(value, module):
        yield from _within(place + where, inner, module, originals, depth - 1)


def _parts(value: Any, module: str) -> Iterator[tuple[str, Any]]:
    """What an object holds. Exact types only: a class of someone's own may compute, or read, when it is walked."""
    kind = type(value)
    if kind in (dict, list, tuple, set, frozenset):
        if len(value) > LARGE:
            return
        if kind is dict:
            yield from ((f"[{key!r}]", inner) for key, inner in list(value.items()))
        elif kind in (list, tuple):
            yield from ((f"[{i}]", inner) for i, inner in enumerate(list(value)))
        else:
            yield from (("{}", inner) for inner in list(value))
    elif kind is functools.partial:
        yield ".func", value.func
        yield ".args", value.args
        yield ".keywords", value.keywords
    elif kind in (staticmethod, classmethod):
        yield "", value.__func__
    elif inspect.isfunction(value) and value.__module__ == module:
        yield from _defaults(value)
    # A class is looked into where it was made, not wherever it was imported.
    elif isinstance(value, type) and value.__module__ == module:
        own = list(vars(value).items())
        yield from ((f".{key}", inner) for key, inner in own if not key.startswith("__") or key == "__init__")


def _defaults(function: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    values = function.__defaults__ or ()  # type: ignore[attr-defined]
    code = function.__code__  # type: ignore[attr-defined]
    names = code.co_varnames[: code.co_argcount]
    # Defaults belong to the last of the positional parameters.
    yield from ((f"({name}=)", value) for name, value in zip(names[::-1], values[::-1], strict=False))
    keyword_only = function.__kwdefaults__ or {}  # type: ignore[attr-defined]
    yield from ((f"({name}=)", value) for name, value in keyword_only.items())
