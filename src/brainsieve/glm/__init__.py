"""The general linear model: of runs, and of what comes of their contrasts."""

from __future__ import annotations

from brainsieve.glm.contrasts import Contrast, compute_contrast
from brainsieve.glm.expressions import expression_to_contrast_vector

__all__ = ["Contrast", "compute_contrast", "expression_to_contrast_vector"]


def __dir__() -> list[str]:
    return __all__
