"""Our classes and functions in the clothes of nilearn's.

A stand-in class is ours, and passes for nilearn's in `isinstance` checks both ways: an object of nilearn's own
class is an instance of the stand-in, so that checks inside nilearn hold whatever was made before. The classes
live in this module so that processes of joblib can unpickle them.
"""

from __future__ import annotations

import functools
import importlib
import time
from collections.abc import Callable
from typing import Any

MASKERS = (
    "BaseMasker",
    "NiftiMasker",
    "NiftiLabelsMasker",
    "NiftiMapsMasker",
    "NiftiSpheresMasker",
    "MultiNiftiMasker",
    "MultiNiftiLabelsMasker",
    "MultiNiftiMapsMasker",
)
# Modules whose functions are replaced where both packages have one of the same name.
FUNCTION_MODULES = ("signal", "image", "masking")

# (seconds, calls) of each stand-in since the last `install`.
TIMES: dict[str, list[float]] = {}


def timed(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Count a call and its time under a name; calls from within are the outer one's."""

    @functools.wraps(call)
    def counted(*args: Any, **kwargs: Any) -> Any:
        if getattr(_depth, "inside", False):
            return call(*args, **kwargs)
        _depth.inside = True
        start = time.perf_counter()
        try:
            return call(*args, **kwargs)
        finally:
            _depth.inside = False
            spent = TIMES.setdefault(name, [0.0, 0])
            spent[0] += time.perf_counter() - start
            spent[1] += 1

    return counted


def _thread_local() -> Any:
    import threading

    return threading.local()


_depth = _thread_local()


class StandInType(type):
    """Metaclass: what is nilearn's counts as an instance too."""

    _original: type
    _ours: type

    def __instancecheck__(cls, instance: Any) -> bool:
        return (
            type.__instancecheck__(cls, instance)
            or isinstance(instance, cls._original)
            or isinstance(instance, cls._ours)
        )

    def __subclasscheck__(cls, subclass: type) -> bool:
        return (
            type.__subclasscheck__(cls, subclass)
            or issubclass(subclass, cls._original)
            or issubclass(subclass, cls._ours)
        )


def _cache(self: Any, function: Callable[..., Any], func_memory_level: int = 1, **options: Any) -> Any:
    """Cache a function with the masker's memory, which nilearn's estimators ask of their maskers."""
    if self.memory_.location is None or self._memory_level < func_memory_level:
        return function
    return self.memory_.cache(function, **options)


def _stand_in_class(name: str) -> type:
    import nilearn.maskers

    import brainsieve.maskers

    ours, original = getattr(brainsieve.maskers, name), getattr(nilearn.maskers, name)
    original = getattr(original, "_original", original)
    methods = {
        method: timed(f"maskers.{name}.{method}", getattr(ours, method))
        for method in ("fit", "transform", "fit_transform", "inverse_transform", "transform_imgs")
        if hasattr(ours, method)
    }
    contents = {
        **methods,
        "_cache": _cache,
        "__module__": __name__,
        "__doc__": ours.__doc__,
        "__init__": ours.__init__,
        "_original": original,
        "_ours": ours,
    }
    return StandInType(name, (ours,), contents)


@functools.cache
def classes() -> dict[str, type]:
    """Stand-in classes by name."""
    made = {name: _stand_in_class(name) for name in MASKERS}
    globals().update(made)
    return made


def __getattr__(name: str) -> Any:
    if name in MASKERS:
        return classes()[name]
    raise AttributeError(name)


@functools.cache
def functions() -> dict[tuple[str, str], tuple[Callable[..., Any], Callable[..., Any]]]:
    """(nilearn's, stand-in) by (module, name), for the functions that both packages have."""
    found = {}
    for module_name in FUNCTION_MODULES:
        theirs = importlib.import_module(f"nilearn.{module_name}")
        mine = importlib.import_module(f"brainsieve.{module_name}")
        for name in getattr(theirs, "__all__", ()):
            original, ours = getattr(theirs, name), getattr(mine, name, None)
            if callable(original) and callable(ours) and not isinstance(original, type):
                found[module_name, name] = (original, _stand_in_function(module_name, name, original, ours))
    return found


def _stand_in_function(
    module_name: str, name: str, original: Callable[..., Any], ours: Callable[..., Any]
) -> Callable[..., Any]:
    ours_timed = timed(f"{module_name}.{name}", ours)

    @functools.wraps(original)
    def stand_in(*args: Any, **kwargs: Any) -> Any:
        # nilearn's surface images are its own; ours would not know them.
        if any(_is_nilearn_surface(value) for value in (*args, *kwargs.values())):
            return original(*args, **kwargs)
        return ours_timed(*args, **kwargs)

    return stand_in


def _is_nilearn_surface(value: Any) -> bool:
    if isinstance(value, list | tuple) and len(value):
        value = value[0]
    return type(value).__module__.startswith("nilearn.surface")
