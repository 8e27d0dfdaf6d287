"""Reports: pages of HTML, and tables of the clusters of a map."""

from __future__ import annotations

from brainsieve.pages import HTMLReport
from brainsieve.reporting.models import make_glm_report
from brainsieve.stat_maps import get_clusters_table

__all__ = ["HTMLReport", "get_clusters_table", "make_glm_report"]


def __dir__() -> list[str]:
    return __all__
