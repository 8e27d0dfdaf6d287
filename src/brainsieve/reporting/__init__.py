"""Reports: self-contained HTML pages."""

from brainsieve.plotting import Canvas, GrayordinateCanvas, Layer, SurfaceCanvas, VolumeCanvas
from brainsieve.reporting.html_report import HTMLReport
from brainsieve.reporting.masker_report import MaskerContent, masker_report

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
