"""Parcellations: an atlas of labels learnt from runs, by clustering voxels on what runs have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.cluster import AgglomerativeClustering, MiniBatchKMeans

from brainsieve.checks import a_bool, a_count, one_of
from brainsieve.decomposition.estimator import Decomposition
from brainsieve.decomposition.reduction import Stack, group_maps
from brainsieve.decomposition.runs import as_runs, confounds_of_runs, kind_of_masker
from brainsieve.logs import log, warn
from brainsieve.maskers import CiftiLabelsMasker, NiftiLabelsMasker, SurfaceLabelsMasker
from brainsieve.mass_univariate.geometry import edges_of
from brainsieve.regions.hierarchical_kmeans import hierarchical_k_means
from brainsieve.regions.rena import agglomerated
from brainsieve.typing import ConfoundsLike, ImageLike, ImagesLike, MaskStrategy, MemoryLike, Standardize

if TYPE_CHECKING:
    from brainsieve.pages import HTMLReport

LABELS_MASKERS: dict[str, type] = {
    "volumes": NiftiLabelsMasker,
    "surfaces": SurfaceLabelsMasker,
    "CIFTI": CiftiLabelsMasker,
}
LINKAGES = ("ward", "complete", "average")
METHODS = ("kmeans", "hierarchical_kmeans", *LINKAGES, "rena")
# Maps of all runs together, on whose values points are clustered.
N_COMPONENTS = 200


class Parcellations(Decomposition):
    """An atlas learnt from runs: points are clustered on the principal maps of a group.

    Parameters
    ----------
    method : {"kmeans", "hierarchical_kmeans", "ward", "complete", "average", "rena"}, default=None
        Needed by `fit`. "kmeans": k-means in small batches; "hierarchical_kmeans": in two levels. "ward", "complete",
        "average": agglomeration of neighbours with that linkage. "rena": recursive nearest agglomeration.
    n_parcels : int, default=50
    random_state : int, RandomState or None, default=0
        Of k-means.
    mask : image-like, MultiNiftiMasker, MultiSurfaceMasker or CiftiMasker, optional
        None: computed from the runs by `mask_strategy`. Parameters of a masker override those given here, with a
        warning.
    smoothing_fwhm : float, triple of float, "fast" or None, default=4.0
        In mm.
    standardize : {"zscore_sample", "psc", True, False, None}, default=False
        z-score (ddof 1; also True) or percent signal change of each series.
    standardize_confounds : bool, default=True
        z-score confounds before they are regressed out.
    detrend : bool, default=False
        Remove a linear trend.
    low_pass : float, default=None
        Cut-off in hertz, above which nothing is kept; needs `t_r`.
    high_pass : float, default=None
        Cut-off in hertz, below which nothing is kept; needs `t_r`.
    t_r : float, default=None
        Seconds between two volumes.
    target_affine : array of shape (3, 3) or (4, 4), default=None
        Of volumes.
    target_shape : tuple of 3 int, default=None
        Of volumes.
    mask_strategy : {"background", "epi", "whole-brain-template", "gm-template", "wm-template"}, default="epi"
        How the mask of volumes is computed where none is given.
    mask_args : dict, default=None
        Keywords for that.
    scaling : bool, default=False
        "rena" alone: given to it, which changes no label.
    n_iter : int, default=10
        Rounds of "rena".
    memory : None, path or joblib.Memory, default=None
        Where to cache. The folder is trusted code (pickles): nobody else may write to it.
    memory_level : int, default=0
    n_jobs : int, default=1
        Runs at a time.
    verbose : int, default=0

    Attributes
    ----------
    labels_img_ : image of the kind of the runs
        int32: parcels from 1 on, 0 outside the mask.
    connectivity_ : sparse array of shape (n_points, n_points)
        Which points are neighbours; for the methods that ask for it.
    components_ : array of shape (n_components, n_points)
        Orthonormal maps that the runs have in common, at most 200.
    variance_ : array of shape (n_components,)
        Their singular values.
    masker_ : fitted masker
        Of the points of the runs.
    mask_img_ : image
    n_elements_ : int
        Number of parcels.

    Notes
    -----
    Thirion et al. 2014, doi:10.3389/fnins.2014.00167. Each run is reduced by itself, with one run in memory at a time.
    """

    dtype = None
    n_components = N_COMPONENTS

    def __init__(
        self,
        method: Literal["kmeans", "hierarchical_kmeans", "ward", "complete", "average", "rena"] | None = None,
        n_parcels: int = 50,
        random_state: int | np.random.RandomState | None = 0,
        mask: ImageLike | Any = None,
        smoothing_fwhm: Any = 4.0,
        standardize: Standardize = False,
        standardize_confounds: bool = True,
        detrend: bool = False,
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        target_affine: ArrayLike | None = None,
        target_shape: Sequence[int] | None = None,
        mask_strategy: MaskStrategy = "epi",
        mask_args: dict[str, Any] | None = None,
        scaling: bool = False,
        n_iter: int = 10,
        memory: MemoryLike = None,
        memory_level: int = 0,
        n_jobs: int = 1,
        verbose: int = 0,
    ) -> None:
        self.method = method
        self.n_parcels = n_parcels
        self.random_state = random_state
        self.mask = mask
        self.smoothing_fwhm = smoothing_fwhm
        self.standardize = standardize
        self.standardize_confounds = standardize_confounds
        self.detrend = detrend
        self.low_pass = low_pass
        self.high_pass = high_pass
        self.t_r = t_r
        self.target_affine = target_affine
        self.target_shape = target_shape
        self.mask_strategy = mask_strategy
        self.mask_args = mask_args
        self.scaling = scaling
        self.n_iter = n_iter
        self.memory = memory
        self.memory_level = memory_level
        self.n_jobs = n_jobs
        self.verbose = verbose

    # -- fit -------------------------------------------------------------------------------------------

    def _check(self) -> None:
        if self.method is None:
            raise ValueError(f"method is None; choose one of {', '.join(map(repr, METHODS))}.")
        one_of(*METHODS)("method", self.method)
        a_count("n_parcels", self.n_parcels, least=1)
        a_count("n_iter", self.n_iter, least=1)
        a_bool("scaling", self.scaling)

    def _rows_of_run(self) -> int:
        return N_COMPONENTS

    def _maps_of(self, stack: Stack) -> NDArray:
        if self.n_parcels > stack.n_points:
            raise ValueError(
                f"n_parcels={self.n_parcels} is more than the {stack.n_points} points of the mask."
            )
        maps, self.variance_ = group_maps(stack, N_COMPONENTS)
        log(self.verbose, 1, f"Parcellations: {self.method} of {stack.n_points} points on {len(maps)} maps.")
        self._labels = np.asarray(self._clustered(maps.T), dtype=np.int32)
        return maps

    def _clustered(self, features: NDArray) -> NDArray:
        """A label from 0 on for each point, of its features (n_points, n_maps)."""
        k = int(self.n_parcels)
        if self.method == "kmeans":
            return MiniBatchKMeans(k, random_state=self.random_state, n_init=3).fit(features).labels_
        if self.method == "hierarchical_kmeans":
            options = {"init": "k-means++", "batch_size": 1000, "n_init": 10, "max_no_improvement": 10}
            return hierarchical_k_means(features, k, self.random_state, **options)
        edges = edges_of(self.masker_)
        n = len(features)
        pairs = sparse.coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(n, n)).tocsr()
        self.connectivity_ = pairs + pairs.T
        if self.method == "rena":
            return agglomerated(features, edges, k, self.n_iter, verbose=self.verbose)
        model = AgglomerativeClustering(k, connectivity=self.connectivity_, linkage=self.method)
        return model.fit(features).labels_

    def _warn_of_maps(self) -> None:
        n_found = int(self._labels.max()) + 1
        if n_found != self.n_parcels:
            warn(
                f"Parcellations: {self.method} found {n_found} parcels where n_parcels={self.n_parcels} was asked for."
            )

    def _fit(self, runs: list[Any], regressors: list[Any]) -> None:
        super()._fit(runs, regressors)
        fitted = self.masker_._fitted
        labels = self._labels + 1
        del self._labels
        self.labels_img_ = fitted.kind.timed(None).image(
            fitted.at_home().back(labels, labels.dtype), fitted.home
        )
        self.n_elements_ = int(labels.max())
        self._labels_masker = self._made_labels_masker().fit()

    def _made_labels_masker(self) -> Any:
        """The masker of the parcels, which does to images what that of the points did."""
        cls = LABELS_MASKERS[kind_of_masker(self.masker_)]
        known = set(cls().get_params(deep=False)) - {"mask_img", "cmap"}
        own = {name: value for name, value in self.masker_.get_params(deep=False).items() if name in known}
        return cls(self.labels_img_, mask_img=self.mask_img_).set_params(**own)

    def _forget(self) -> None:
        super()._forget()
        for name in ("labels_img_", "connectivity_", "_labels", "_labels_masker"):
            self.__dict__.pop(name, None)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_labels_masker")

    # -- signals, and back -----------------------------------------------------------------------------

    def transform(self, imgs: ImagesLike, confounds: ConfoundsLike | None = None) -> Any:
        """Mean signals of the parcels, cleaned as the runs were in `fit`.

        Parameters
        ----------
        imgs : image-like or list of image-like
        confounds : list, default=None
            For each run, what to regress out.

        Returns
        -------
        signals : array of shape (n_samples, n_elements_), or list of these for several images
        """
        self._check_is_fitted()
        runs = as_runs(imgs)
        regressors = confounds_of_runs(confounds, imgs, len(runs))
        signals = [
            self._labels_masker.transform(run, confounds=given)
            for run, given in zip(runs, regressors, strict=True)
        ]
        return signals[0] if len(runs) == 1 else signals

    def fit_transform(  # type: ignore[override]  # the peer's name of the first argument
        self, imgs: ImagesLike, y: None = None, confounds: ConfoundsLike | None = None
    ) -> Any:
        """Fit, and give the mean signals of the parcels of the same runs.

        Parameters
        ----------
        imgs : image-like or list of image-like
        y : None, default=None
            Ignored; there for scikit-learn.
        confounds : list, default=None
            For each run; taken out in both steps.

        Returns
        -------
        signals : array of shape (n_samples, n_elements_), or list of these for several images
        """
        runs = as_runs(imgs)
        regressors = confounds if confounds is None else confounds_of_runs(confounds, imgs, len(runs))
        return self.fit(runs, confounds=regressors).transform(runs, confounds=regressors)

    def inverse_transform(self, signals: Any) -> Any:
        """Give each point the signal of its parcel.

        Parameters
        ----------
        signals : array of shape (n_elements_,) or (n_samples, n_elements_), or list of these

        Returns
        -------
        img : image of the kind of the runs, or list of these for several arrays
        """
        self._check_is_fitted()
        if not isinstance(signals, list | tuple) or (len(signals) and np.ndim(signals[0]) == 0):
            return self._labels_masker.inverse_transform(signals)
        images = [self._labels_masker.inverse_transform(each) for each in signals]
        return images[0] if len(images) == 1 else images

    def generate_report(
        self, engine: str = "matplotlib", title: str | None = None, displayed_maps: Any = None
    ) -> HTMLReport:
        """Make a page that shows the parcels.

        Parameters
        ----------
        engine : {"matplotlib", "brainsprite"}, default="matplotlib"
        title : str, default=None
            None: the name of the class.
        displayed_maps : None, default=None
            Parcels are shown together.

        Returns
        -------
        report : HTMLReport
        """
        self._check_is_fitted()
        if displayed_maps is not None:
            raise TypeError(
                "generate_report of Parcellations has no displayed_maps: parcels are shown together."
            )
        return self._labels_masker.generate_report(engine, title or type(self).__name__)
