"""The general linear model: of runs, and of what comes of their contrasts."""

from __future__ import annotations

from brainsieve.glm.contrasts import Contrast, compute_contrast
from brainsieve.glm.fixed_effects import compute_fixed_effects
from brainsieve.interfaces.bids import save_glm_to_bids
from brainsieve.stat_maps import cluster_level_inference, fdr_threshold, threshold_stats_img
from brainsieve.tables.expressions import expression_to_contrast_vector

__all__ = [
    "Contrast",
    "cluster_level_inference",
    "compute_contrast",
    "compute_fixed_effects",
    "expression_to_contrast_vector",
    "fdr_threshold",
    "save_glm_to_bids",
    "threshold_stats_img",
]


def __dir__() -> list[str]:
    return __all__
