"""All-resolutions inference: in each cluster, the share of points that are truly active, at the least.

Rosenblatt et al. 2018, doi:10.1016/j.neuroimage.2018.07.060: simultaneous over all sets of points, whatever way they
were chosen, clusters at any threshold included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from brainsieve.checks import found
from brainsieve.image.masks import components
from brainsieve.logs import log
from brainsieve.stat_maps.reading import read_masked_map
from brainsieve.stat_maps.thresholds import DEFAULT_THRESHOLD, a_rate
from brainsieve.typing import ImageLike


def cluster_level_inference(
    stat_img: ImageLike,
    mask_img: ImageLike | None = None,
    threshold: float | Sequence[float] = DEFAULT_THRESHOLD,
    alpha: float = 0.05,
    verbose: int = 0,
) -> Any:
    """The share of true discoveries in each cluster, with confidence 1 - `alpha` in all of them together.

    Parameters
    ----------
    stat_img : image-like or SurfaceImage
        z; large values count.
    mask_img : image-like or SurfaceImage, optional
        Which points were tested; the map is resampled to it. Default: the voxels of
        the map's background mask (`masking.compute_background_mask`), all vertices.
    threshold : float or sequence of float, default=3.0
        z that clusters are above. Of several, clusters of the higher ones lie on those of the lower ones.
    alpha : float, default=0.05
        Probability that a share is too large anywhere; above 0, below 1.
    verbose : int, default=0

    Returns
    -------
    proportion_true_discoveries_img : image of the kind of `stat_img`
        At each point of a cluster (voxels touch by faces, vertices are joined by edges) its share; 0 elsewhere.

    Raises
    ------
    TypeError, ValueError
        For a threshold that is negative or no number, an `alpha` that is none, and surfaces without meshes.

    Notes
    -----
    Of a cluster with p-values p, max over u of 1 - u + #{h p ≤ u alpha} are true discoveries, where h is Hommel's
    value of all tested points (Goeman et al. 2019, doi:10.1093/biomet/asz041).
    """
    heights = checked_heights(threshold)
    a_rate("alpha", alpha)
    if alpha in (0, 1):
        raise ValueError(f"alpha must be above 0 and below 1; {found(alpha)} was given.")
    stat_map = read_masked_map(stat_img, mask_img)
    form = stat_map.form
    p = np.ones(len(stat_map.values))
    p[stat_map.tested] = stats.norm.sf(stat_map.values[stat_map.tested].astype(np.float64))
    hommel = hommel_value(p[stat_map.tested], alpha)
    shares = {part: np.zeros(array.shape) for part, array in form.arrays(p).items()}
    p_of = form.arrays(p)
    for height in heights:
        inside = form.arrays(stat_map.tested & (stat_map.values > height))
        pieces = components(inside, form)
        log(
            verbose,
            1,
            f"cluster_level_inference: {sum(len(s) - 1 for _, s in pieces.values())} clusters above z = {height:g}.",
        )
        for part, (labels, sizes) in pieces.items():
            shares[part] = _shares(labels, len(sizes), p_of[part], hommel, alpha, shares[part])
    return form.image(form.values(shares))


def checked_heights(threshold: Any) -> list[float]:
    """Thresholds in ascending order."""
    values = threshold if isinstance(threshold, list | tuple | np.ndarray) else [threshold]
    for value in values:
        if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
            raise TypeError(f"threshold must be a number or a list of numbers; {found(threshold)} was given.")
        if not value >= 0:
            raise ValueError(f"threshold must not be negative or NaN; {found(threshold)} was given.")
    if not len(values):
        raise ValueError("threshold must have one number at the least; an empty list was given.")
    return sorted(float(value) for value in values)


def hommel_value(p: NDArray, alpha: float) -> int:
    """How many of the tests may be true null hypotheses, by Simes' test of all sets: Hommel's h.

    The largest i such that the i largest p-values p(1) ≤ … ≤ p(i) fulfil p(j) > j alpha / i for every j; 0 to m.
    """
    p = np.sort(p)
    m = len(p)
    # For i of m: the points (j, p(m - i + j)) must lie above the line through 0 of slope alpha / i. Sizes are halved
    # until the answer is found: what a set of size i fails, larger ones fail.
    low, high = 0, m
    while low < high:
        i = (low + high + 1) // 2
        if (p[m - i :] * i > alpha * np.arange(1, i + 1)).all():
            low = i
        else:
            high = i - 1
    return low


def true_discoveries(p: NDArray, hommel: int, alpha: float) -> int:
    """The number of points of a set that are truly active, at the least."""
    if not len(p):
        return 0
    # The least u at which each p-value counts; the best u is one of these, or 1.
    steps = np.maximum(np.ceil(np.sort(p) * hommel / alpha), 1)
    found_up_to = np.arange(1, len(p) + 1)
    return int(np.max(np.maximum(1 - steps + found_up_to, 0)))


def _shares(
    labels: NDArray[np.intp], n_labels: int, p: NDArray, hommel: int, alpha: float, shares: NDArray
) -> NDArray:
    """Shares with those of the clusters of one height written over them."""
    order = np.argsort(labels, axis=None, kind="stable")
    ends = np.searchsorted(labels.ravel()[order], np.arange(n_labels + 1))
    share = np.zeros(n_labels)
    for label in range(1, n_labels):
        members = order[ends[label] : ends[label + 1]]
        share[label] = true_discoveries(p.ravel()[members], hommel, alpha) / len(members)
    return np.where(labels > 0, share[labels], shares)
