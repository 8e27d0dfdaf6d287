"""BIDS: names of files and what they say, datasets, and results of models as a derivative."""

from __future__ import annotations

from brainsieve.interfaces.bids.files import BidsName, get_bids_files, parse_bids_filename
from brainsieve.interfaces.bids.models import save_glm_to_bids

__all__ = ["BidsName", "get_bids_files", "parse_bids_filename", "save_glm_to_bids"]


def __dir__() -> list[str]:
    return __all__
