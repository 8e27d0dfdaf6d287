"""Thresholds of maps: as a share of all their voxels, a percentile, or a value."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.checks import found
from brainsieve.engine.domain import VoxelGrid
from brainsieve.image import threshold_img
from brainsieve.regions.sparse_images import dense_image

STRATEGIES = ("ratio_n_voxels", "img_value", "percentile")


def check_threshold(threshold: Any, strategy: str, two_sided: bool, n_maps: int | None = None) -> None:
    """Raise ValueError where a number is no threshold of a strategy."""
    is_number = isinstance(threshold, numbers.Real) and not isinstance(threshold, bool | np.bool_)
    if not is_number or not np.isfinite(float(threshold)):
        raise ValueError(f"threshold must be a finite number; {found(threshold)} was given.")
    if strategy == "percentile" and not 0 <= threshold <= 100:
        raise ValueError(
            f"threshold is a percentile, from 0 to 100 (thresholding_strategy='percentile'); {threshold!r} was given."
        )
    if strategy == "img_value" and two_sided and threshold < 0:
        raise ValueError(
            f"threshold must not be negative where two_sided is True: absolute values are compared; {threshold!r} was "
            "given."
        )
    if strategy == "ratio_n_voxels" and (threshold <= 0 or (n_maps is not None and threshold > n_maps)):
        most = "the number of maps" if n_maps is None else f"{n_maps}, the number of maps"
        raise ValueError(
            f"threshold must be greater than 0 and at most {most} (thresholding_strategy='ratio_n_voxels': the maps "
            f"keep threshold times the number of voxels of one); {threshold!r} was given."
        )


def thresholded(
    maps: NDArray,
    grid: VoxelGrid,
    threshold: float,
    strategy: str,
    two_sided: bool,
    inside: NDArray[np.bool_] | None,
) -> NDArray:
    """Maps with 0 where they do not reach a threshold.

    Parameters
    ----------
    maps : array of shape (n_maps, n_points)
        Finite, 0 outside the mask.
    grid : VoxelGrid
    threshold : float
        See `RegionExtractor`.
    strategy : {"ratio_n_voxels", "img_value", "percentile"}
    two_sided : bool
        Whether what is large and negative is kept too.
    inside : bool array of shape (n_points,), optional
        The mask: the values that a share and a percentile are of.

    Returns
    -------
    maps : array of shape (*grid.shape, n_maps)
    """
    check_threshold(threshold, strategy, two_sided, len(maps))
    level: float | str = float(threshold)
    if strategy == "ratio_n_voxels":
        counted = np.abs(maps if inside is None else maps[:, inside])
        level = float(np.percentile(counted, 100 - 100 * threshold / len(maps), overwrite_input=True))
    elif strategy == "percentile":
        level = f"{threshold}%"
    mask = None if inside is None else dense_image(inside.astype(np.uint8), grid)
    # As it is by now, the image is ours: it may be changed in place.
    kept = threshold_img(dense_image(maps, grid), level, two_sided=two_sided, mask_img=mask, copy=False)
    return np.asanyarray(kept.dataobj)
