"""Reports: self-contained HTML pages."""

from brainsieve.reporting.html_report import HTMLReport
from brainsieve.reporting.masker_report import MaskerContent, masker_report

__all__ = ["HTMLReport", "MaskerContent", "masker_report"]


def __dir__() -> list[str]:
    return __all__
