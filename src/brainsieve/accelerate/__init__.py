"""Scripts written for nilearn, on our engine, without changing a line.

``python -m brainsieve.accelerate script.py`` runs a script so; `install` and `uninstall` do it from Python, and
`accelerated` is the same as a context manager. Names that nilearn's modules and the script hold are exchanged for
stand-ins of ours; what we do not have stays nilearn's.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

__all__ = ["accelerated", "install", "is_installed", "report", "uninstall"]


def __dir__() -> list[str]:
    return __all__


# Releases whose behaviour was compared with ours; with others numbers could change in silence.
TESTED = "0.14"

# What was exchanged: (namespace, key, what it was).
_exchanged: list[tuple[dict[str, Any], str, Any]] = []
# Our exceptions that derive from nilearn's for the time being, and what they derived from before.
_derived: dict[type, tuple[type, ...]] = {}


def install() -> list[str]:
    """Put our maskers and functions in the place of nilearn's.

    In every module of nilearn that is loaded, in those loaded later, and in the modules of the script that
    hold the names already.

    Returns
    -------
    replaced : list of str
        Names within nilearn, sorted.

    Raises
    ------
    ImportError
        If nilearn is not installed, or of a version that was not tested.
    """
    if _exchanged:
        return _replaced()
    try:
        import nilearn
    except ImportError:
        raise ImportError(
            "brainsieve.accelerate needs nilearn, which is not installed: there is nothing to accelerate."
        ) from None
    _refuse_untested(nilearn.__version__)
    # Holds a class that derives from nilearn's maskers (test: every module of nilearn). Imported later, it would derive
    # from ours, whose private methods are others.
    importlib.import_module("nilearn.regions")
    from brainsieve.accelerate import stand_ins

    stand_ins.TIMES.clear()
    exchange = {id(old): new for old, new in _pairs()}
    keep_alive = [old for old, _ in _pairs()]
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType) and _is_ours_to_change(module):
            kept = _bases_of_classes_in(module, exchange)
            _exchange_in(vars(module), {key: new for key, new in exchange.items() if key not in kept})
    _derive_exceptions()
    _exchanged.append(({"originals": keep_alive}, "originals", keep_alive))
    return _replaced()


def uninstall() -> None:
    """Put everything back. Objects made in between stay what they are."""
    while _exchanged:
        namespace, key, value = _exchanged.pop()
        namespace[key] = value
    for ours, bases in _derived.items():
        ours.__bases__ = bases
    _derived.clear()


def is_installed() -> bool:
    """Whether `install` is in force."""
    return bool(_exchanged)


@contextmanager
def accelerated() -> Iterator[list[str]]:
    """`install` for the length of a ``with`` block."""
    was_installed = is_installed()
    try:
        yield install()
    finally:
        if not was_installed:
            uninstall()


def report() -> dict[str, Any]:
    """What is replaced, what of the same modules is not, and the time spent in each.

    Returns
    -------
    report : dict
        ``replaced`` and ``kept``: sorted lists of names; ``times``: dict of name to (seconds, calls); ``held``:
        while installed, dict of places that still hold nilearn's own to what they hold. Such are names of libraries
        that were imported before `install`, tables, default arguments and `functools.partial` anywhere, and
        classes that derive from nilearn's: what they do stays nilearn's. Import such libraries after `install`.
    """
    from brainsieve.accelerate import references, stand_ins

    replaced = _replaced()
    kept = []
    for module_name in ("maskers", *stand_ins.FUNCTION_MODULES):
        module = importlib.import_module(f"nilearn.{module_name}")
        names = (f"{module_name}.{name}" for name in getattr(module, "__all__", ()))
        kept += [name for name in names if name not in replaced]
    times = {name: (spent[0], int(spent[1])) for name, spent in stand_ins.TIMES.items()}
    held = references.held(_originals()) if is_installed() else {}
    return {"replaced": replaced, "kept": sorted(kept), "times": times, "held": held}


def _replaced() -> list[str]:
    return sorted(name for name, _ in _originals().values())


def _originals() -> dict[int, tuple[str, Any]]:
    """Nilearn's own, by identity, with the names that `report` gives them."""
    from brainsieve.accelerate import stand_ins

    classes = {
        id(each._original): (f"maskers.{name}", each._original)  # type: ignore[attr-defined]
        for name, each in stand_ins.classes().items()
    }
    functions = {
        id(old): (f"{module}.{name}", old) for (module, name), (old, _) in stand_ins.functions().items()
    }
    return classes | functions


def _refuse_untested(version: str) -> None:
    if version != TESTED and not version.startswith(f"{TESTED}."):
        raise ImportError(
            f"brainsieve.accelerate was tested with nilearn {TESTED}; nilearn {version} is installed, whose numbers "
            f"may differ. Install nilearn {TESTED}, or use brainsieve's own modules."
        )


def _bases_of_classes_in(module: ModuleType, exchange: dict[int, Any]) -> set[int]:
    """Which of nilearn's classes a module derives classes of its own from; by identity.

    Such a class has nilearn's methods, and may call them by the name of its base: that name stays nilearn's.
    """
    own = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and each.__module__ == module.__name__
    ]
    return {id(base) for each in own for base in each.__mro__[1:] if id(base) in exchange}


def _derive_exceptions() -> None:
    """Make our exceptions and warnings such that ``except`` with nilearn's name catches them."""
    import nilearn.exceptions

    from brainsieve import exceptions

    for name, ours in vars(exceptions).items():
        theirs = getattr(nilearn.exceptions, name, None)
        if isinstance(ours, type) and isinstance(theirs, type) and not issubclass(ours, theirs):
            _derived[ours] = ours.__bases__
            # `Shared` stays first: it decides how instances are laid out, which cannot change.
            shared, *builtin = ours.__bases__
            ours.__bases__ = (shared, theirs, *builtin)


def _pairs() -> Iterator[tuple[Any, Any]]:
    """(nilearn's, ours) for all that is exchanged."""
    from brainsieve.accelerate import stand_ins

    for stand_in in stand_ins.classes().values():
        yield stand_in._original, stand_in  # type: ignore[attr-defined]
    yield from stand_ins.functions().values()


def _is_ours_to_change(module: ModuleType) -> bool:
    """Modules of nilearn and of the user; never ours, nor other installed packages."""
    name = getattr(module, "__name__", "")
    if name.split(".")[0] == "nilearn" or name == "__main__":
        return True
    if name.split(".")[0] == "brainsieve":
        return False
    file = getattr(module, "__file__", None) or ""
    installed = "site-packages" in file or "dist-packages" in file
    return bool(file) and not installed and not file.startswith((sys.prefix, sys.base_prefix))


def _exchange_in(namespace: dict[str, Any], exchange: dict[int, Any]) -> None:
    for key, value in list(namespace.items()):
        if key.startswith("__"):
            continue
        new = exchange.get(id(value), value)
        if isinstance(value, tuple) and any(id(item) in exchange for item in value):
            new = tuple(exchange.get(id(item), item) for item in value)
        if new is not value:
            _exchanged.append((namespace, key, value))
            namespace[key] = new
