"""Decoding: what is seen, done or felt, predicted from images by scikit-learn's estimators."""

from __future__ import annotations

from brainsieve.decoding.decoder import Decoder, DecoderRegressor
from brainsieve.decoding.searchlight import SearchLight

__all__ = ["Decoder", "DecoderRegressor", "SearchLight"]


def __dir__() -> list[str]:
    return __all__
