"""DictLearning: sparse maps of a group of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg
from sklearn.base import clone
from sklearn.utils import check_random_state

from brainsieve.checks import a_count, a_number, found, naming, one_of
from brainsieve.decomposition.canica import group_sources, sign_fixed
from brainsieve.decomposition.estimator import Decomposition
from brainsieve.decomposition.reduction import Stack, group_maps
from brainsieve.decomposition.sparse_codes import lasso_codes, learned_dictionary
from brainsieve.logs import log, warn
from brainsieve.maskers.declared import keep_parameters
from brainsieve.typing import FwhmLike, MaskStrategy, MemoryLike, SignalDtype, Standardize

# Ridge of the loadings that learning starts from.
RIDGE = 1e-8


class DictLearning(Decomposition):
    """Sparse maps of a group of runs, by dictionary learning.

    Each run is cleaned and reduced; a dictionary of the voxels' profiles over the reduced runs is learned in
    mini-batches of voxels, beginning at the maps of an independent component analysis. The maps are the voxels'
    sparse codes.

    Parameters
    ----------
    n_components : int, default=20
        How many maps.
    n_epochs : float, default=1
        Passes over the voxels, each of 100 mini-batches or more; part of one is possible.
    alpha : float, default=10
        Weight of sparsity, in the units of the reduced runs: more gives sparser maps, too much gives none.
    reduction_ratio : {"auto"} or float, default="auto"
        Share of its samples to which a run is reduced, above 0 and up to 1, which keeps all. "auto": to n_components.
    dict_init : image-like, default=None
        Maps to begin at, masked and nothing else; where they are fewer than n_components, the others are drawn from
        the points. None: an independent component analysis.
    random_state : int, RandomState or None, default=None
        Of the order of the voxels, of the first maps, and of atoms that are drawn anew.
    batch_size : int, default=20
        Voxels in a mini-batch.
    method : {"cd", "lars"}, default="cd"
        Sparse codes are the one solution of a convex problem: both words give it, by coordinate descent.
    mask : image-like or masker, default=None
        Points to decompose, or a MultiNiftiMasker, MultiSurfaceMasker or CiftiMasker whose parameters are then used
        instead of those below. None: computed from the runs.
    smoothing_fwhm : float, default=4
        In mm.
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
    n_jobs : int, default=1
        Runs at a time, through joblib.
    verbose : int, default=0
    memory : path or joblib.Memory, default=None
        Where to cache reduced runs. The folder is trusted code (pickles): nobody else may write to it.
    memory_level : int, default=0
        1 caches reduced runs, 2 also their signals.

    Attributes
    ----------
    components_ : array of shape (n_components, n_points)
        Sparse maps of norm 1; of their values at least as many are positive as negative.
    components_img_ : image
        The maps in space, of the kind of the runs.
    components_init_ : array of shape (n_components, n_points)
        The maps that learning began at, each divided by its squared norm.
    loadings_init_ : array of shape (n_components, n_rows)
        The dictionary that learning began at.
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
    Mensch et al. 2016, doi:10.1109/ISBI.2016.7493501; Mairal et al. 2010, JMLR 11:19-60.

    Examples
    --------
    >>> learning = DictLearning(n_components=20, random_state=0)
    >>> maps = learning.fit(["sub-01_bold.nii.gz", "sub-02_bold.nii.gz"]).components_img_  # doctest: +SKIP
    """

    def __init__(
        self,
        n_components: int = 20,
        n_epochs: float = 1,
        alpha: float = 10,
        reduction_ratio: float | Literal["auto"] = "auto",
        dict_init: Any = None,
        random_state: int | np.random.RandomState | None = None,
        batch_size: int = 20,
        method: Literal["cd", "lars"] = "cd",
        mask: Any = None,
        smoothing_fwhm: FwhmLike = 4,
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
        n_jobs: int = 1,
        verbose: int = 0,
        memory: MemoryLike = None,
        memory_level: int = 0,
    ) -> None:
        keep_parameters(self, locals())

    def _check(self) -> None:
        a_number("n_epochs", self.n_epochs, positive=True)
        a_number("alpha", self.alpha, positive=True)
        a_count("batch_size", self.batch_size, least=1)
        one_of("cd", "lars")("method", self.method)
        if isinstance(self.reduction_ratio, str):
            one_of("auto")("reduction_ratio", self.reduction_ratio)
            return
        a_number("reduction_ratio", self.reduction_ratio, positive=True, what="'auto' or a number")
        if self.reduction_ratio > 1:
            raise ValueError(
                "reduction_ratio is a share of the samples, above 0 and up to 1; "
                f"{found(self.reduction_ratio)} was given."
            )

    def _rows_of_run(self) -> int | float:
        return self.n_components if isinstance(self.reduction_ratio, str) else float(self.reduction_ratio)

    def _maps_of(self, stack: Stack) -> NDArray:
        self.components_init_ = self._first_maps(stack)
        # Of rows that are all kept most are noise: scaled to norm 1 they would drown the others.
        scaled: Literal["rows", "atoms"] = "rows" if isinstance(self.reduction_ratio, str) else "atoms"
        self.loadings_init_ = first_loadings(stack, self.components_init_, scaled)
        log(self.verbose, 1, "DictLearning: learning the dictionary.")
        dictionary = learned_dictionary(
            stack,
            self._padded(self.loadings_init_),
            float(self.alpha),
            int(self.batch_size),
            float(self.n_epochs),
            check_random_state(self.random_state),
        )
        maps = lasso_codes(stack.combined(dictionary), dictionary @ dictionary.T, float(self.alpha))
        norms = np.linalg.norm(maps, axis=1, keepdims=True)
        maps /= np.where(norms > 0, norms, 1)
        mostly_negative = (maps < 0).sum(axis=1) > (maps > 0).sum(axis=1)
        return np.where(mostly_negative[:, None], -maps, maps)

    def _padded(self, loadings: NDArray) -> NDArray[np.float64]:
        """The dictionary that learning begins at: atoms of zeros, which are drawn from the voxels, where maps lack."""
        lacking = self.n_components - len(loadings)
        if lacking > 0:
            warn(
                f"Learning begins at {len(loadings)} maps, fewer than n_components={self.n_components}; the others are "
                "drawn from the points."
            )
        return np.vstack([loadings, np.zeros((lacking, loadings.shape[1]))])

    def _first_maps(self, stack: Stack) -> NDArray[np.float64]:
        """The maps that learning begins at, each divided by its squared norm."""
        if self.dict_init is None:
            principal, _ = group_maps(stack, self.n_components)
            maps = sign_fixed(group_sources(principal, 1, self.random_state))
        else:
            maps = self._given_maps()
        return maps / (maps**2).sum(axis=1, keepdims=True)

    def _given_maps(self) -> NDArray[np.float64]:
        """`dict_init` in the mask: nothing is done to maps that is meant for series."""
        masker = clone(self.masker_)
        plain = {"smoothing_fwhm": None, "detrend": False, "standardize": None, "low_pass": None}
        plain |= {"high_pass": None, "dtype": None, "mask_img": self.mask_img_}
        plain |= {"high_variance_confounds": False, "clean_args": None}
        with naming("dict_init"):
            masker.set_params(**plain).fit()
            maps = np.atleast_2d(masker._transform_run(self.dict_init, None, None)).astype(np.float64)
        empty = np.flatnonzero(~maps.any(axis=1)).tolist()
        if empty:
            raise ValueError(f"dict_init: the maps {empty} are 0 in the mask; learning cannot begin there.")
        if len(maps) > self.n_components:
            warn(
                f"dict_init has {len(maps)} maps, more than n_components={self.n_components}; the first ones are used."
            )
        return maps[: self.n_components]

    def _why_zero(self) -> str:
        return f"alpha={self.alpha:g}, in the units of the reduced runs, may be too large for these: try a smaller one."


def first_loadings(stack: Stack, maps: NDArray, scaled: Literal["rows", "atoms"]) -> NDArray[np.float64]:
    """Loadings (k, n_rows) of the rows on maps, by ridge regression; those of each row, or map, have norm 1."""
    gram = maps @ maps.T
    gram[np.diag_indices(len(maps))] += RIDGE
    loadings = linalg.solve(gram, stack.onto(maps), assume_a="pos")
    norms = np.linalg.norm(loadings, axis=0 if scaled == "rows" else 1, keepdims=True)
    return loadings / np.where(norms > 0, norms, 1)
