"""Maps that a group of runs has in common: independent sources, and sparse dictionaries."""

from __future__ import annotations

from brainsieve.decomposition.canica import CanICA
from brainsieve.decomposition.dict_learning import DictLearning

__all__ = ["CanICA", "DictLearning"]


def __dir__() -> list[str]:
    return __all__
