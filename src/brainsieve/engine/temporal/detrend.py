"""Linear trends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def detrended(series: NDArray) -> NDArray[np.float64]:
    """Series of shape (n_samples, n_series) without their mean and their linear trend; one sample as it is."""
    n_samples = len(series)
    if n_samples < 2:
        return np.asarray(series, dtype=np.float64)
    centred = series - series.mean(axis=0)
    slope = np.arange(n_samples) - (n_samples - 1) / 2
    slope /= np.linalg.norm(slope)
    centred -= slope[:, None] * (slope @ centred)
    # Once more, on what rounding left of a mean that was large.
    centred -= centred.mean(axis=0)
    return np.asarray(centred)
