"""Models of groups: of the maps of subjects, by least squares or by permutation."""

from __future__ import annotations

from brainsieve.glm.second_level.design_matrix import make_second_level_design_matrix
from brainsieve.glm.second_level.model import SecondLevelModel
from brainsieve.glm.second_level.permutations import non_parametric_inference

__all__ = ["SecondLevelModel", "make_second_level_design_matrix", "non_parametric_inference"]


def __dir__() -> list[str]:
    return __all__
