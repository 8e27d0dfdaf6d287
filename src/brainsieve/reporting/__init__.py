"""Reports: self-contained HTML pages, and the pictures in them."""

from brainsieve.reporting.html_report import HTMLReport
from brainsieve.reporting.masker_report import (
    Canvas,
    GrayordinateCanvas,
    Layer,
    MaskerContent,
    SurfaceCanvas,
    VolumeCanvas,
    masker_report,
)

__all__ = [
    "Canvas",
    "GrayordinateCanvas",
    "HTMLReport",
    "Layer",
    "MaskerContent",
    "SurfaceCanvas",
    "VolumeCanvas",
    "masker_report",
]
