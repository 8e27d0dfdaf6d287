"""Screening: features that an F-test finds on training samples, for all folds from a few products.

F of a fold is made of sums over its training samples; those of all folds are rows of one product of matrices with the
data. Which features are kept follows scikit-learn's `SelectPercentile` and `SelectKBest`, ties included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.checks import a_count, a_number, found
from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.grayordinates import Grayordinates
from brainsieve.engine.mesh import SurfaceVertices
from brainsieve.exceptions import MaskWarning, NoFeatureError
from brainsieve.logs import warn

# Of the MNI152 brain, in mm³: what `screening_percentile` is a share of.
BRAIN_MM3 = 1_882_989.0
# With as many features or fewer nothing is screened.
FEWEST = 100
# Fewer kept features are worth a warning.
FEW = 50
# Columns whose F are computed at a time: what is copied of them stays in the cache.
TILE = 2048


@dataclass(frozen=True)
class Screening:
    """How many features are kept.

    Attributes
    ----------
    percentile : int or float
        Share of the features, 100: all.
    n_features : int or None
        A number instead.
    """

    percentile: float
    n_features: int | None = None

    def keeps_all(self, n_features: int) -> bool:
        return n_features <= FEWEST or (self.n_features is None and self.percentile >= 100)

    def chosen(self, scores: NDArray) -> NDArray[np.bool_]:
        """Features kept, by their F; the first of equal ones."""
        # F of what does not vary is NaN: the least.
        scores = np.where(np.isnan(scores), np.finfo(np.float64).min, scores)
        if self.n_features is not None:
            chosen = np.zeros(len(scores), dtype=bool)
            chosen[np.argsort(scores, kind="stable")[len(scores) - self.n_features :]] = True
            return chosen
        cut = np.percentile(scores, 100 - self.percentile)
        chosen = scores > cut
        equal = np.flatnonzero(scores == cut)
        chosen[equal[: max(0, int(len(scores) * self.percentile / 100) - int(chosen.sum()))]] = True
        return chosen


def check_screening(percentile: Any, n_features: Any) -> None:
    """Check both parameters by themselves.

    Raises
    ------
    TypeError, ValueError
        Naming the parameter.
    """
    if percentile is not None:
        a_number("screening_percentile", percentile, what="a number or None")
        if percentile > 100:
            raise ValueError(
                f"screening_percentile must be in the interval [0, 100]; {found(percentile)} was given."
            )
    if n_features is not None:
        a_count("screening_n_features", n_features, least=1)
        if percentile not in (None, 20):
            raise ValueError(
                f"screening_percentile={percentile} and screening_n_features={n_features} are both given; give one, "
                "and None for the other."
            )


def screening_of(percentile: float | None, number: int | None, n_features: int, masker: Any) -> Screening:
    """What the two parameters stand for in a mask.

    Raises
    ------
    ValueError
        If more features are asked for than there are.
    NoFeatureError
        If none would be left.
    """
    if number is not None:
        if number > n_features:
            raise ValueError(
                f"screening_n_features={number} is larger than the number of features in the mask, {n_features}."
            )
        return Screening(100.0, int(number))
    if percentile is None:
        return Screening(100.0)
    if percentile >= 100:
        return Screening(100)
    kept = int(min(100.0, percentile * _whole_over_mask(masker)))
    if kept < 1:
        raise NoFeatureError(
            f"screening_percentile={percentile} leaves no feature of the {n_features} in the mask for training (it is "
            "a share of the whole brain, and a whole number of per cents of the mask is kept); raise it, or give "
            "screening_n_features."
        )
    if kept == 100:
        warn(
            f"screening_percentile={percentile} is a share of the whole brain, of which the mask is {n_features} "
            "features: all of them are kept. screening_n_features is a number of features."
        )
    elif (n_kept := int(n_features * kept / 100)) < FEW:
        warn(
            f"screening_percentile={percentile} keeps only {n_kept} features for training; raise it for more."
        )
    return Screening(kept)


def _whole_over_mask(masker: Any) -> float:
    """How many times larger than the mask the brain is; 1 where columns are not points."""
    frozen = getattr(masker, "_fitted", None)
    if frozen is not None and not frozen.is_voxelwise:
        return 1.0
    if frozen is None:
        return _of_image(getattr(masker, "mask_img_", None))
    domain, n_inside = frozen.atlas.domain, frozen.n_features
    if isinstance(domain, VoxelGrid):
        return _volume_over(n_inside * abs(np.linalg.det(domain.affine[:3, :3])))
    assert isinstance(domain, SurfaceVertices | Grayordinates)
    return domain.n_points / n_inside


def _of_image(mask: Any) -> float:
    """The same, of the mask image of a masker of someone else."""
    if getattr(mask, "affine", None) is None:
        return 1.0
    n_inside = int((np.asanyarray(mask.dataobj) != 0).sum())
    return _volume_over(n_inside * abs(np.linalg.det(mask.affine[:3, :3])))


def _volume_over(mm3: float) -> float:
    if mm3 > 1.1 * BRAIN_MM3:
        warn(
            f"The mask ({mm3 / 1000:.0f} cm³) is larger than a human brain ({BRAIN_MM3 / 1000:.0f} cm³): "
            "screening_percentile is a share of the latter.",
            MaskWarning,
        )
    elif mm3 < 0.005 * BRAIN_MM3:
        warn(
            f"The mask ({mm3 / 1000:.3g} cm³) is less than 0.5 % of a human brain ({BRAIN_MM3 / 1000:.0f} cm³), of "
            "which screening_percentile is a share; screening_n_features is a number of features.",
            MaskWarning,
        )
    return BRAIN_MM3 / mm3


def f_of_classes(X: NDArray, y: NDArray, trains: list[NDArray[np.intp]]) -> NDArray[np.float64]:
    """F of each feature between two classes, in each fold; as `sklearn.feature_selection.f_classif`.

    Parameters
    ----------
    X : array of shape (n, V)
        Of any mean: it is taken off first.
    y : array of shape (n,)
        -1 and 1.
    trains : list of arrays
        Training samples of each fold.

    Returns
    -------
    F : array of shape (n_folds, V)
        NaN where a feature does not vary.
    """
    counts = _counts(trains, len(y))
    above = np.where(y > 0, counts, 0.0)
    n, n_above = counts.sum(axis=1)[:, None], above.sum(axis=1)[:, None]

    def ratio(centred: NDArray, squares: NDArray) -> NDArray[np.float64]:
        sums, total, power = above @ centred, counts @ centred, counts @ squares
        between = sums**2 / n_above + (total - sums) ** 2 / (n - n_above) - total**2 / n
        return _ratio(between, power - total**2 / n - between, power, n - 2)

    return _tile_by_tile(X, ratio, len(trains))


def f_of_targets(X: NDArray, y: NDArray, trains: list[NDArray[np.intp]]) -> NDArray[np.float64]:
    """F of each feature's correlation with y, in each fold; as `sklearn.feature_selection.f_regression`."""
    counts = _counts(trains, len(y))
    n = counts.sum(axis=1)[:, None]
    targets = (y - counts @ y[:, None] / n) * counts
    varies = (targets @ y)[:, None]

    def ratio(centred: NDArray, squares: NDArray) -> NDArray[np.float64]:
        total, power = counts @ centred, counts @ squares
        explained = (targets @ centred) ** 2 / varies
        return _ratio(explained, power - total**2 / n - explained, power, n - 2)

    return _tile_by_tile(X, ratio, len(trains))


def _counts(trains: list[NDArray[np.intp]], n: int) -> NDArray[np.float64]:
    """How often each fold is trained on each sample."""
    return np.stack([np.bincount(train, minlength=n) for train in trains]).astype(np.float64)


def _tile_by_tile(
    X: NDArray, ratio: Callable[[NDArray, NDArray], NDArray[np.float64]], n_folds: int
) -> NDArray[np.float64]:
    F = np.empty((n_folds, X.shape[1]))
    for start in range(0, X.shape[1], TILE):
        columns = X[:, start : start + TILE]
        centred = columns - columns.mean(axis=0)
        F[:, start : start + TILE] = ratio(centred, centred**2)
    return F


def _ratio(explained: NDArray, left: NDArray, power: NDArray, df: NDArray) -> NDArray[np.float64]:
    """explained / (left / df), NaN where nothing but rounding varies."""
    explained, left = np.maximum(explained, 0), np.maximum(left, 0)
    varies = explained + left > 1e-14 * power
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(varies, explained / (left / df), np.nan)
