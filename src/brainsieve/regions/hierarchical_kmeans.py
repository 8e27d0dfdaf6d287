"""K-means in two levels: a few large clusters, each then split in proportion to its size."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import MiniBatchKMeans
from sklearn.utils import check_array

from brainsieve.checks import a_bool, a_bool_or_int, a_count, found
from brainsieve.logs import warn
from brainsieve.regions.feature_clusters import FeatureClusters


def hierarchical_k_means(
    points: NDArray, n_clusters: int, random_state: Any = 0, **options: Any
) -> NDArray[np.intp]:
    """Labels of points (n_points, n_samples); `options` are those of `MiniBatchKMeans`."""

    def split(members: NDArray, n_parts: int) -> NDArray[np.intp]:
        model = MiniBatchKMeans(n_clusters=n_parts, random_state=random_state, **options)
        return np.asarray(model.fit(members).labels_)

    n_large = int(np.sqrt(n_clusters))
    large = split(points, n_large)
    labels, n_before = np.zeros(len(points), dtype=np.intp), 0
    for cluster, n_parts in enumerate(shares(np.bincount(large, minlength=n_large), n_clusters)):
        members = large == cluster
        if n_parts:
            labels[members] = n_before + split(points[members], n_parts)
            n_before += n_parts
    return np.unique(labels, return_inverse=True)[1].reshape(-1)


def shares(sizes: NDArray[np.intp], n_parts: int) -> list[int]:
    """Parts for each of some clusters, in proportion to their sizes and as many in all as asked for.

    A cluster with members has one part at least, and no more parts than members.
    """
    exact = sizes * n_parts / sizes.sum()
    given = np.minimum(np.maximum(np.round(exact), sizes > 0), sizes).astype(int)
    while given.sum() != n_parts:
        missing = n_parts - int(given.sum())
        room = given < sizes if missing > 0 else given > 1
        gap = np.where(room, np.sign(missing) * (exact - given), -np.inf)
        given[int(gap.argmax())] += int(np.sign(missing))
    return given.tolist()


class HierarchicalKMeans(FeatureClusters):
    """Clusters of features by k-means in two levels.

    Parameters
    ----------
    n_clusters : int, default=None
        Needed by `fit`.
    init : {"k-means++", "random"}, default="k-means++"
        This and what follows is given to `sklearn.cluster.MiniBatchKMeans`.
    batch_size : int, default=1000
    n_init : int, default=10
    max_no_improvement : int, default=10
    verbose : int, default=0
    random_state : int, RandomState or None, default=0
    scaling : bool, default=False
        Multiply the mean of each cluster by the square root of its size.

    Attributes
    ----------
    labels_ : array of int, shape (n_features,)
    n_clusters_ : int
    sizes_ : array of int, shape (n_clusters_,)
    n_features_in_ : int

    Notes
    -----
    Large clusters are as many as the root of `n_clusters`, rounded down.
    """

    def __init__(
        self,
        n_clusters: int | None = None,
        init: Literal["k-means++", "random"] = "k-means++",
        batch_size: int = 1000,
        n_init: int = 10,
        max_no_improvement: int = 10,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = 0,
        scaling: bool = False,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.batch_size = batch_size
        self.n_init = n_init
        self.max_no_improvement = max_no_improvement
        self.verbose = verbose
        self.random_state = random_state
        self.scaling = scaling

    def fit(self, X: ArrayLike, y: None = None) -> HierarchicalKMeans:
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
            If `n_clusters` is no positive whole number.
        """
        a_bool("scaling", self.scaling)
        a_bool_or_int("verbose", self.verbose)
        if self.n_clusters is None:
            raise ValueError(f"n_clusters must be a positive whole number; {found(None)} was given.")
        a_count("n_clusters", self.n_clusters, least=1)
        values = check_array(X, input_name="X", dtype=[np.float64, np.float32])
        wanted, n_features = int(self.n_clusters), values.shape[1]
        if wanted > n_features:
            warn(f"n_clusters={wanted} is more than the {n_features} features; each is a cluster of its own.")
        labels = np.arange(n_features)
        if wanted < n_features:
            labels = hierarchical_k_means(
                values.T,
                wanted,
                self.random_state,
                init=self.init,
                batch_size=self.batch_size,
                n_init=self.n_init,
                max_no_improvement=self.max_no_improvement,
                verbose=int(self.verbose),
            )
        self._keep(labels)
        return self
