"""Regions: connected pieces of maps and labels, parcellations learnt from runs, and signals without an estimator."""

from __future__ import annotations

from brainsieve.regions.connected import connected_label_regions, connected_regions
from brainsieve.regions.extractor import RegionExtractor
from brainsieve.regions.hierarchical_kmeans import HierarchicalKMeans
from brainsieve.regions.parcellations import Parcellations
from brainsieve.regions.rena import ReNA, recursive_neighbor_agglomeration
from brainsieve.regions.signals import (
    img_to_signals_labels,
    img_to_signals_maps,
    signals_to_img_labels,
    signals_to_img_maps,
)

__all__ = [
    "HierarchicalKMeans",
    "Parcellations",
    "ReNA",
    "RegionExtractor",
    "connected_label_regions",
    "connected_regions",
    "img_to_signals_labels",
    "img_to_signals_maps",
    "recursive_neighbor_agglomeration",
    "signals_to_img_labels",
    "signals_to_img_maps",
]


def __dir__() -> list[str]:
    return __all__
