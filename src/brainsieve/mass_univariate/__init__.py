"""Tests of every voxel, corrected for their number by permutation."""

from __future__ import annotations

from brainsieve.mass_univariate.permuted_least_squares import permuted_ols

__all__ = ["permuted_ols"]


def __dir__() -> list[str]:
    return __all__
