"""Limits of values: what interpolation overshoots is cut off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.spatial.operator import SpatialOperator


class Limit(SpatialOperator):
    """Points as they are, values beyond two limits set to these.

    Parameters
    ----------
    n_points : int
    low, high : float
    """

    is_linear = False

    def __init__(self, n_points: int, low: float, high: float) -> None:
        self.n_points = self.n_features = n_points
        self._low, self._high = low, high

    def _forward(self, block: NDArray) -> NDArray:
        return np.clip(block, self._low, self._high)
