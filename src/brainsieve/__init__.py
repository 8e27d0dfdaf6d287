"""Brain images to arrays and back, with nilearn's interface on a streaming engine."""

from __future__ import annotations

import importlib
from typing import Any

from brainsieve._version import __version__

# Whether paths with *, ? or [ are globs.
EXPAND_PATH_WILDCARDS = True

_SUBMODULES = (
    "accelerate",
    "cohort",
    "connectome",
    "datasets",
    "decoding",
    "decomposition",
    "exceptions",
    "glm",
    "image",
    "interfaces",
    "maskers",
    "masking",
    "mass_univariate",
    "plotting",
    "regions",
    "reporting",
    "signal",
    "surface",
    "testing",
)

__all__ = ["EXPAND_PATH_WILDCARDS", "__version__", "clear_plans", "extract_many", *_SUBMODULES]


def __getattr__(name: str) -> Any:
    """Import submodules when they are first used: ``import brainsieve`` alone costs nothing."""
    if name in _SUBMODULES:
        return importlib.import_module(f"brainsieve.{name}")
    if name == "extract_many":
        from brainsieve.maskers.many import extract_many

        return extract_many
    if name == "clear_plans":
        from brainsieve.engine.plans import clear_plans

        return clear_plans
    raise AttributeError(f"module 'brainsieve' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
