"""Pages: self-contained HTML of arrays and words."""

from brainsieve.pages.html_report import HTMLReport
from brainsieve.pages.masker_report import MaskerContent, masker_report

__all__ = ["HTMLReport", "MaskerContent", "masker_report"]


def __dir__() -> list[str]:
    return __all__
