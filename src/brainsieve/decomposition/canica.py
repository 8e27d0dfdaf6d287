"""CanICA: independent sources that a group of runs has in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from brainsieve.checks import a_bool, a_count, found
from brainsieve.decomposition.estimator import Decomposition
from brainsieve.decomposition.fixed_point import independent_sources
from brainsieve.decomposition.reduction import Stack, group_maps
from brainsieve.logs import warn
from brainsieve.maskers.declared import keep_parameters
from brainsieve.typing import FwhmLike, MaskStrategy, MemoryLike, SignalDtype, Standardize


class CanICA(Decomposition):
    """Independent maps of a group of runs, by canonical correlation and independent component analysis.

    Each run is cleaned and reduced to its first principal maps; of the maps of all runs those are taken that runs have
    in common, and rotated to sources that are as independent as can be.

    Parameters
    ----------
    mask : image-like or masker, default=None
        Points to decompose, or a MultiNiftiMasker, MultiSurfaceMasker or CiftiMasker whose parameters are then used
        instead of those below. None: computed from the runs.
    n_components : int, default=20
        How many maps.
    smoothing_fwhm : float, default=6
        In mm.
    do_cca : bool, default=True
        Give all principal maps of a run the same weight.
    threshold : {"auto", None} or float, default="auto"
        A float t keeps the t · n_points largest values of all maps together, about: a ratio, not a level; at most
        n_components. "auto" is 1.0; None keeps all.
    n_init : int, default=10
        Starts of the independent component analysis, of which the sparsest result is kept.
    random_state : int, RandomState or None, default=None
        Of the starts.
    standardize : {"zscore_sample", "psc", True, False, None}, default=True
    standardize_confounds : bool, default=True
    detrend : bool, default=True
    low_pass : float, default=None
        In hertz; needs `t_r`.
    high_pass : float, default=None
        In hertz; needs `t_r`.
    t_r : float, default=None
        In seconds.
    dtype : dtype or "auto", default=None
        Of the signals; integers act on the output of `transform` alone.
    target_affine : array of shape (3, 3) or (4, 4), default=None
        Of volumes.
    target_shape : tuple of 3 int, default=None
        Of volumes.
    mask_strategy : {"background", "epi", "whole-brain-template", "gm-template", "wm-template"}, default="epi"
        How the mask of volumes is computed where none is given.
    mask_args : dict, default=None
        Keywords for that.
    memory : path or joblib.Memory, default=None
        Where to cache reduced runs. The folder is trusted code (pickles): nobody else may write to it.
    memory_level : int, default=0
        1 caches reduced runs, 2 also their signals.
    n_jobs : int, default=1
        Runs at a time, through joblib.
    verbose : int, default=0

    Attributes
    ----------
    components_ : array of shape (n_components, n_points)
        Maps: of norm 1 before the threshold, with a largest value that is positive.
    components_img_ : image
        The maps in space, of the kind of the runs.
    variance_ : array of shape (n_components,)
        Singular values of the group's principal maps (not variances, as in nilearn).
    masker_ : masker
        Of the points of the mask.
    mask_img_ : image
    maps_masker_ : masker
        Of the maps; makes the loadings.
    n_elements_ : int
        Number of maps.
    memory_ : joblib.Memory

    Notes
    -----
    Varoquaux et al. 2010, doi:10.1016/j.neuroimage.2010.02.010. The contrast of the sources is x⁴, whose fixed point
    is found on fourth moments, computed once (Hyvärinen 1999, doi:10.1109/72.761722).

    Examples
    --------
    >>> canica = CanICA(n_components=20, random_state=0)
    >>> maps = canica.fit(["sub-01_bold.nii.gz", "sub-02_bold.nii.gz"]).components_img_  # doctest: +SKIP
    """

    def __init__(
        self,
        mask: Any = None,
        n_components: int = 20,
        smoothing_fwhm: FwhmLike = 6,
        do_cca: bool = True,
        threshold: float | str | None = "auto",
        n_init: int = 10,
        random_state: int | np.random.RandomState | None = None,
        standardize: Standardize = True,
        standardize_confounds: bool = True,
        detrend: bool = True,
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        dtype: SignalDtype = None,
        target_affine: ArrayLike | None = None,
        target_shape: Sequence[int] | None = None,
        mask_strategy: MaskStrategy = "epi",
        mask_args: dict[str, Any] | None = None,
        memory: MemoryLike = None,
        memory_level: int = 0,
        n_jobs: int = 1,
        verbose: int = 0,
    ) -> None:
        keep_parameters(self, locals())

    def _check(self) -> None:
        a_bool("do_cca", self.do_cca)
        a_count("n_init", self.n_init, least=1)
        if self.threshold is None or self.threshold == "auto":
            return
        if not isinstance(self.threshold, float | np.floating):
            raise ValueError(f"threshold must be a float, 'auto' or None; {found(self.threshold)} was given.")
        if not 0 <= self.threshold <= self.n_components:
            raise ValueError(
                f"threshold={self.threshold!r} is a ratio, from 0 to n_components={self.n_components}: how many "
                "values are kept for each point of the mask."
            )

    def _rows_of_run(self) -> int:
        return self.n_components

    def _maps_of(self, stack: Stack) -> NDArray:
        principal, self.variance_ = group_maps(stack, self.n_components, equal_rows=self.do_cca)
        sources = group_sources(principal, self.n_init, self.random_state)
        ratio = 1.0 if self.threshold == "auto" else self.threshold
        return sign_fixed(sources if ratio is None else thresholded(sources, float(ratio)))


def group_sources(principal: NDArray, n_init: int, random_state: Any) -> NDArray[np.float64]:
    """Independent sources of principal maps, from starts that a random state draws; warns of those not at rest."""
    seeds = check_random_state(random_state).randint(np.iinfo(np.int32).max, size=n_init)
    sources, converged = independent_sources(principal, [int(seed) for seed in seeds])
    if not all(converged):
        warn(
            f"{converged.count(False)} of {n_init} starts of the independent component analysis did not converge.",
            ConvergenceWarning,
        )
    return sources


def thresholded(maps: NDArray, ratio: float) -> NDArray:
    """Maps of which the largest values are kept, `ratio` for each point in all maps together."""
    percent = 100 - 100 * ratio / len(maps)
    if percent <= 0:
        warn(f"threshold={ratio:g} keeps all values of {len(maps)} maps: nothing is left out.")
        return maps
    cut = np.percentile(np.abs(maps), percent)
    return np.where(np.abs(maps) < cut, 0, maps)


def sign_fixed(maps: NDArray) -> NDArray:
    """Maps turned so that the largest value is positive."""
    turned = maps.max(axis=1) < -maps.min(axis=1)
    return np.where(turned[:, None], -maps, maps)
