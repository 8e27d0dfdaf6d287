"""Decoding: what is seen, done or felt, predicted from images by scikit-learn's estimators."""

from __future__ import annotations

from brainsieve.decoding.decoder import Decoder, DecoderRegressor

__all__ = ["Decoder", "DecoderRegressor"]


def __dir__() -> list[str]:
    return __all__
