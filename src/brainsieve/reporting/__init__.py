"""Reports: self-contained HTML pages, and the pictures in them."""

from brainsieve.reporting.html_report import HTMLReport
from brainsieve.reporting.masker_report import Layer, MaskerContent, masker_report

__all__ = ["HTMLReport", "Layer", "MaskerContent", "masker_report"]
