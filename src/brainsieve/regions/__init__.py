"""Regions: connected pieces of maps and labels, and signals of labels and maps without an estimator."""

from __future__ import annotations

from brainsieve.regions.connected import connected_label_regions, connected_regions
from brainsieve.regions.extractor import RegionExtractor
from brainsieve.regions.signals import (
    img_to_signals_labels,
    img_to_signals_maps,
    signals_to_img_labels,
    signals_to_img_maps,
)

__all__ = [
    "RegionExtractor",
    "connected_label_regions",
    "connected_regions",
    "img_to_signals_labels",
    "img_to_signals_maps",
    "signals_to_img_labels",
    "signals_to_img_maps",
]


def __dir__() -> list[str]:
    return __all__
