"""Recursive nearest agglomeration: voxels are joined with their nearest neighbours, then clusters with theirs.

Hoyos-Idrobo et al. 2019, doi:10.1109/TPAMI.2018.2815524.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.utils import check_array

from brainsieve.caching import cached, digest, effective_level, memory_for
from brainsieve.checks import a_bool, a_bool_or_int, a_count, a_number, found
from brainsieve.logs import log, warn
from brainsieve.maskers import NiftiMasker, SurfaceMasker
from brainsieve.maskers.declared import a_memory
from brainsieve.mass_univariate.geometry import edges_of
from brainsieve.regions.feature_clusters import FeatureClusters
from brainsieve.surface.opening import is_surface_image
from brainsieve.typing import ImageLike, MemoryLike


def recursive_neighbor_agglomeration(
    X: ArrayLike,
    mask_img: ImageLike,
    n_clusters: int,
    n_iter: int = 10,
    threshold: float = 1e-7,
    verbose: int = 0,
) -> tuple[int, NDArray[np.intp]]:
    """Cluster the voxels of a mask, each round joining all clusters with their nearest neighbours.

    Parameters
    ----------
    X : array of shape (n_samples, n_voxels)
        Columns in the order of a voxel masker's.
    mask_img : image-like or SurfaceImage
        Voxels that share a face, or vertices that share an edge, are neighbours.
    n_clusters : int
    n_iter : int, default=10
        Rounds, at most; there are more clusters than asked for if they do not suffice.
    threshold : float, default=1e-7
        Squared distances below it count as it: equal neighbours are all equally near.
    verbose : int, default=0

    Returns
    -------
    n_components : int
    labels : array of int, shape (n_voxels,)

    Raises
    ------
    TypeError, ValueError
        For columns that are not those of the mask, and parameters out of range.

    Notes
    -----
    The last round keeps the shortest of its joints, as many as give `n_clusters`.
    """
    a_count("n_clusters", n_clusters, least=1)
    a_count("n_iter", n_iter, least=1)
    a_number("threshold", threshold)
    values = check_array(X, input_name="X", dtype=[np.float64, np.float32])
    edges = neighbours_in(mask_img, values.shape[1])
    labels = agglomerated(values.T, edges, n_clusters, n_iter, threshold, verbose)
    return int(labels.max()) + 1, labels


def neighbours_in(mask_img: Any, n_columns: int) -> NDArray[np.intp]:
    """Pairs of neighbouring columns of a mask, which must be so many."""
    masker = _points_of(mask_img)
    if masker.n_elements_ != n_columns:
        raise ValueError(f"X has {n_columns} columns, mask_img {masker.n_elements_} points inside.")
    return edges_of(masker)


def _points_of(mask_img: Any) -> Any:
    """The fitted masker of a mask's voxels or vertices."""
    kind = SurfaceMasker if is_surface_image(mask_img) else NiftiMasker
    return kind(mask_img, standardize=None, reports=False).fit()


def agglomerated(
    features: NDArray,
    edges: NDArray[np.intp],
    n_clusters: int,
    n_iter: int = 10,
    threshold: float = 1e-7,
    verbose: int = 0,
) -> NDArray[np.intp]:
    """Labels of points (n_points,) with features (n_points, n_samples) and pairs of neighbours (n_edges, 2)."""
    n = len(features)
    labels = np.arange(n)
    means = np.asarray(features, dtype=np.float64)
    for i in range(n_iter):
        if n <= n_clusters or not len(edges):
            break
        joints, lengths = _to_nearest(means, edges, threshold)
        merged = _components(joints, n)
        if merged.max() + 1 < n_clusters:
            # Without ties the joints are a forest: each that is left out is a cluster more.
            shortest = np.argsort(lengths, kind="stable")[: n - n_clusters]
            merged = _components(joints[shortest], n)
        labels, edges = merged[labels], _between(merged, edges)
        means = _means(means, merged)
        n = len(means)
        log(verbose, 1, f"ReNA: round {i + 1}, {n} clusters.")
    return labels


def _to_nearest(
    means: NDArray, edges: NDArray[np.intp], threshold: float
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Each point joined with its nearest neighbour (the first of equals): pairs without repetition, and lengths."""
    lengths = np.empty(len(edges))
    for start in range(0, len(edges), 2**14):
        part = edges[start : start + 2**14]
        lengths[start : start + 2**14] = ((means[part[:, 0]] - means[part[:, 1]]) ** 2).sum(axis=1)
    lengths = np.maximum(lengths, threshold)
    ends = np.concatenate([edges, edges[:, ::-1]])
    order = np.lexsort((ends[:, 1], np.tile(lengths, 2), ends[:, 0]))
    is_first = np.diff(ends[order, 0], prepend=-1) > 0
    chosen = np.unique(order[is_first] % len(edges))
    return edges[chosen], lengths[chosen]


def _components(pairs: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    graph = sparse.coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return np.asarray(sparse.csgraph.connected_components(graph, directed=False)[1], dtype=np.intp)


def _between(merged: NDArray[np.intp], edges: NDArray[np.intp]) -> NDArray[np.intp]:
    """Pairs of neighbouring clusters."""
    pairs = np.sort(merged[edges], axis=1)
    return np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)


def _means(means: NDArray, merged: NDArray[np.intp]) -> NDArray:
    """Of what was merged, each part counting once, as in nilearn."""
    n_parts = np.bincount(merged)
    shape = (len(n_parts), len(merged))
    sums = sparse.csr_array((np.ones(len(merged)), (merged, np.arange(len(merged)))), shape=shape)
    return np.asarray(sums @ means) / n_parts[:, None]


class ReNA(FeatureClusters):
    """Recursive nearest agglomeration of voxels.

    Parameters
    ----------
    mask_img : image-like or SurfaceImage, default=None
        Needed by `fit`. Whose voxels the columns of X are, in the order of a voxel masker's.
    n_clusters : int, default=2
    scaling : bool, default=False
        Multiply the mean of each cluster by the square root of its size.
    n_iter : int, default=10
        Rounds, at most.
    threshold : float, default=1e-7
        Squared distances below it count as it.
    memory : None, path or joblib.Memory, default=None
        Where to cache labels. The folder is trusted code (pickles): nobody else may write to it.
    memory_level : int, default=1
    verbose : int, default=0

    Attributes
    ----------
    labels_ : array of int, shape (n_features,)
    n_clusters_ : int
    sizes_ : array of int, shape (n_clusters_,)
    mask_img_ : image
    n_features_in_ : int

    Notes
    -----
    Hoyos-Idrobo et al. 2019, doi:10.1109/TPAMI.2018.2815524.
    """

    def __init__(
        self,
        mask_img: ImageLike | None = None,
        n_clusters: int = 2,
        scaling: bool = False,
        n_iter: int = 10,
        threshold: float = 1e-7,
        memory: MemoryLike = None,
        memory_level: int = 1,
        verbose: int = 0,
    ) -> None:
        self.mask_img = mask_img
        self.n_clusters = n_clusters
        self.scaling = scaling
        self.n_iter = n_iter
        self.threshold = threshold
        self.memory = memory
        self.memory_level = memory_level
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: None = None) -> ReNA:
        """Cluster the columns of X.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        y : None, default=None
            Ignored; there for scikit-learn.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For columns that are not those of the mask, and parameters out of range.
        """
        a_bool("scaling", self.scaling)
        a_bool_or_int("verbose", self.verbose)
        a_memory("memory", self.memory)
        if self.mask_img is None:
            raise ValueError(f"mask_img must be a mask; {found(self.mask_img)} was given.")
        values = check_array(X, input_name="X", dtype=[np.float64, np.float32])
        wanted = self.n_clusters
        a_count("n_clusters", wanted, least=1)
        if wanted > values.shape[1]:
            warn(
                f"n_clusters={wanted} is more than the {values.shape[1]} features; each is a cluster of its own."
            )
        self.mask_img_ = _points_of(self.mask_img).mask_img_
        options: dict[str, Any] = {"n_clusters": wanted, "n_iter": self.n_iter, "threshold": self.threshold}

        def compute() -> NDArray[np.intp]:
            found_labels = recursive_neighbor_agglomeration(
                values, self.mask_img_, **options, verbose=self.verbose
            )
            return found_labels[1]

        def key() -> str:
            return digest("ReNA", values, neighbours_in(self.mask_img_, values.shape[1]), options)

        level = effective_level(self.memory, self.memory_level)
        self._keep(cached(memory_for(self.memory, self.verbose), level, key, compute))
        return self
