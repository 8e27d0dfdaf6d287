"""Clusters of features (voxels): what estimators of them do with samples once the labels are known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClusterMixin, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_array


class FeatureClusters(ClusterMixin, TransformerMixin, BaseEstimator):
    """Mean signals of clusters of features. A subclass finds `labels_` in `fit`.

    Attributes
    ----------
    labels_ : array of int, shape (n_features,)
        From 0 to n_clusters_ - 1.
    n_clusters_ : int
    sizes_ : array of int, shape (n_clusters_,)
        Features of each cluster.
    n_features_in_ : int
    """

    scaling: bool

    def _keep(self, labels: NDArray[np.intp]) -> None:
        self.labels_ = labels
        self.sizes_ = np.bincount(labels)
        self.n_clusters_ = len(self.sizes_)
        self.n_features_in_ = len(labels)

    def transform(self, X: ArrayLike, y: None = None) -> NDArray:
        """Mean of the features of each cluster.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        y : None, default=None
            Ignored; there for scikit-learn.

        Returns
        -------
        X_red : array of shape (n_samples, n_clusters_)
            With `scaling`, times the square root of the size of the cluster: distances stay nearly what they were.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            For another number of features.
        """
        values = self._checked(X, "X", "n_features_in_")
        shape = (len(self.labels_), self.n_clusters_)
        members = sparse.csr_array(
            (np.ones(len(self.labels_)), (np.arange(len(self.labels_)), self.labels_)), shape=shape
        )
        return np.asarray(values @ members) / (np.sqrt(self.sizes_) if self.scaling else self.sizes_)

    def inverse_transform(self, X_red: ArrayLike) -> NDArray:
        """Give each feature the value of its cluster.

        Parameters
        ----------
        X_red : array of shape (n_samples, n_clusters_)

        Returns
        -------
        X : array of shape (n_samples, n_features)
        """
        values = self._checked(X_red, "X_red", "n_clusters_")
        return (values / np.sqrt(self.sizes_) if self.scaling else values)[:, self.labels_]

    def _checked(self, X: Any, name: str, attribute: str) -> NDArray:
        if not hasattr(self, "labels_"):
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet; call fit before using it."
            )
        values = check_array(X, input_name=name)
        awaited = getattr(self, attribute)
        if values.shape[1] != awaited:
            raise ValueError(
                f"{name} has {values.shape[1]} features, but {type(self).__name__} is expecting {awaited} features as "
                "input."
            )
        return values
