"""What is made of a map of a statistic: thresholds, clusters and their tables, shares of true discoveries.

Maps are of volumes or surfaces; points that are not finite were not tested. `brainsieve.glm` and `brainsieve.pages`
are the public doors of this room.
"""

from __future__ import annotations

from brainsieve.stat_maps.clusters import get_clusters_table
from brainsieve.stat_maps.discoveries import cluster_level_inference
from brainsieve.stat_maps.thresholds import fdr_threshold, threshold_stats_img

__all__ = ["cluster_level_inference", "fdr_threshold", "get_clusters_table", "threshold_stats_img"]


def __dir__() -> list[str]:
    return __all__
