"""Which volumes of a run are kept.

Volumes with too much motion go, then segments between them that are too short (Power et al. 2014,
doi:10.1016/j.neuroimage.2013.08.048), then the first volumes that fMRIPrep found not to be in a steady state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

FD = "framewise_displacement"
STD_DVARS = "std_dvars"


def motion_outliers(
    displacement: NDArray, std_dvars: NDArray, fd_threshold: float, std_dvars_threshold: float
) -> NDArray[np.bool_]:
    """Volumes that move too much; the undefined value of the first volume is never too much.

    Parameters
    ----------
    displacement : array of shape (n_samples,)
        Framewise displacement in mm.
    std_dvars : array of shape (n_samples,)
        Standardized DVARS.
    fd_threshold, std_dvars_threshold : float
        Above these (strictly) a volume is an outlier.

    Returns
    -------
    outliers : bool array of shape (n_samples,)
    """
    # Comparisons with NaN are False, which is what is meant of the first volume.
    with np.errstate(invalid="ignore"):
        return (displacement > fd_threshold) | (std_dvars > std_dvars_threshold)


def without_short_segments(outliers: NDArray[np.bool_], shortest: float) -> NDArray[np.bool_]:
    """Mark as outliers also the segments between outliers that are shorter than `shortest` volumes.

    A run without any outlier is no segment and stays whole.
    """
    if not outliers.any():
        return outliers.copy()
    edges = np.flatnonzero(np.diff(outliers.astype(np.int8), prepend=1, append=1))
    starts, stops = edges[::2], edges[1::2]
    widened = outliers.copy()
    for start, stop in zip(starts, stops, strict=True):
        if stop - start < shortest:
            widened[start:stop] = True
    return widened


def non_steady(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Volumes that fMRIPrep marked as not in a steady state."""
    names = [name for name in table.columns if name.startswith("non_steady_state")]
    return (table[names].fillna(0).to_numpy() != 0).any(axis=1)
