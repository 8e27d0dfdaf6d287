"""Heights that control an error rate, and maps cut at them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from brainsieve.checks import a_bool, a_count, found, one_of
from brainsieve.image import threshold_img
from brainsieve.image.thresholds import checked_threshold
from brainsieve.logs import warn
from brainsieve.stat_maps.reading import StatMap, read_masked_map
from brainsieve.typing import ImageLike

HeightControl = Literal["fpr", "fdr", "bonferroni"]
# Where no rate is controlled and no threshold given.
DEFAULT_THRESHOLD = 3.0
# The threshold lies below the smallest value that passes by this, so that the value is above it.
BELOW = 1e-12


def a_rate(name: str, value: Any) -> None:
    """A share from 0 to 1."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{name} must be a number between 0 and 1; {found(value)} was given.")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be between 0 and 1; {found(value)} was given.")


def fdr_threshold(z_vals: ArrayLike, alpha: float) -> float:
    """The height above which a share `alpha` at most is expected to be false (Benjamini and Hochberg).

    Parameters
    ----------
    z_vals : array-like
        z of any shape; large ones count. NaN was not tested.
    alpha : float
        False discovery rate, from 0 to 1.

    Returns
    -------
    threshold : float
        Values above it pass; infinite where none does.

    Raises
    ------
    TypeError, ValueError
        If `alpha` is no number from 0 to 1, or `z_vals` not of numbers.

    Notes
    -----
    Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    a_rate("alpha", alpha)
    z = np.asarray(z_vals)
    if z.dtype.kind not in "biuf":
        raise TypeError(f"z_vals must be numbers; they are {z.dtype}.")
    z = -np.sort(-z[~np.isnan(z)].astype(np.float64))
    passing = np.flatnonzero(stats.norm.sf(z) < alpha * np.arange(1, len(z) + 1) / max(len(z), 1))
    return float(z[passing[-1]] - BELOW) if len(passing) else np.inf


def threshold_stats_img(
    stat_img: ImageLike | None = None,
    mask_img: ImageLike | None = None,
    alpha: float = 0.001,
    threshold: float | None = None,
    height_control: HeightControl | None = "fpr",
    cluster_threshold: int = 0,
    two_sided: bool = True,
) -> tuple[Any, float]:
    """Cut a map of z at a height that controls an error rate.

    Parameters
    ----------
    stat_img : image-like or SurfaceImage, optional
        z. None: only the height is computed, which "fpr" and a given threshold allow.
    mask_img : image-like or SurfaceImage, optional
        Which points were tested; the map is resampled to it. Default: the voxels of
        the map's background mask (`masking.compute_background_mask`), all vertices.
    alpha : float, default=0.001
        The rate, from 0 to 1: of false positives at each point ("fpr"), of false among discoveries ("fdr"), of any
        false positive ("bonferroni").
    threshold : float, optional
        The height where `height_control` is None; default 3.
    height_control : {"fpr", "fdr", "bonferroni"} or None, default="fpr"
    cluster_threshold : int, default=0
        Clusters of fewer voxels (touching by faces) or vertices (joined by edges) become 0 too; positive and negative
        ones are counted apart.
    two_sided : bool, default=True
        Large and small values count, each side at half of `alpha`; False: large ones.

    Returns
    -------
    thresholded_img : image of the kind of `stat_img`, or None
        0 below the height, outside the mask, and where the map is not finite.
    threshold : float
        Infinite where no value passes "fdr".

    Raises
    ------
    TypeError, ValueError
        For a parameter that is none, a negative threshold with `two_sided`, or no `stat_img` where it is needed.

    Warns
    -----
    UserWarning
        If a threshold is given that `height_control` leaves without use, points are not finite, or none passes.
    """
    one_of("fpr", "fdr", "bonferroni", None)("height_control", height_control)
    a_rate("alpha", alpha)
    a_count("cluster_threshold", cluster_threshold)
    a_bool("two_sided", two_sided)
    if threshold is not None:
        checked_threshold(threshold, two_sided)
        if isinstance(threshold, str):
            raise TypeError(f"threshold must be a number; {found(threshold)} was given.")
        if height_control is not None:
            warn(f"threshold={threshold} has no effect: height_control={height_control!r} sets the height.")
    if stat_img is None:
        if height_control in ("fdr", "bonferroni"):
            raise ValueError(f"stat_img is needed for height_control={height_control!r}; None was given.")
        return None, _height(None, alpha, threshold, height_control, two_sided)
    stat_map = read_masked_map(stat_img, mask_img)
    height = _height(stat_map, alpha, threshold, height_control, two_sided)
    if not np.isfinite(height):
        warn(
            f"No {stat_map.form.point} passes height_control={height_control!r} at alpha={alpha}; the map is 0."
        )
        return stat_map.form.image(np.zeros_like(stat_map.values)), height
    return threshold_img(stat_map.image, height, cluster_threshold, two_sided), height


def _height(
    stat_map: StatMap | None, alpha: float, threshold: float | None, control: str | None, two_sided: bool
) -> float:
    if control is None:
        return DEFAULT_THRESHOLD if threshold is None else threshold
    share = alpha / 2 if two_sided else alpha
    if control == "fpr" or stat_map is None:
        return float(stats.norm.isf(share))
    z = stat_map.values[stat_map.tested]
    if control == "fdr":
        return fdr_threshold(np.abs(z) if two_sided else z, share)
    return float(stats.norm.isf(share / max(len(z), 1)))
