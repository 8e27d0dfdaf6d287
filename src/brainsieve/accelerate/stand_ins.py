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

from brainsieve._version import __version__

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


def _report_content(self: Any) -> dict[str, Any]:
    """What reports of nilearn's models ask of their masker, under nilearn's keys; they may write into it."""
    content = vars(self).setdefault(
        "_host_content",
        {
            **dict.fromkeys(("unique_id", "title", "page_title", "docstring", "parameters", "date"), ""),
            "engine": "matplotlib",
            "has_plotting_engine": True,
            "version": __version__,
            "summary": {},
            "description": "",
            "displayed_maps": [],
            "reports_at_fit_time": bool(getattr(self, "reports", True)),
        },
    )
    if self.__sklearn_is_fitted__():
        content["n_elements"] = int(self.n_elements_)
        content["warning_messages"] = list(getattr(self, "_fit_warnings", []))
        if self.mask_img_ is not None:
            content["coverage"] = 100.0 * float((self.mask_img_.get_fdata() != 0).mean())
    return content


def _setstate(self: Any, state: dict[str, Any]) -> None:
    """Unpickle: what nilearn fitted before names the class that we stand in for, and goes on as nilearn's."""
    if "_fitted" not in state and any(name.endswith("_") and not name.startswith("_") for name in state):
        self.__class__ = type(self)._original
    self.__dict__.update(state)


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
        "__setstate__": _setstate,
        "_report_content": property(_report_content),
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
