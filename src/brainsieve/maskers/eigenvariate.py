"""First eigenvariate of each region: the series that explains most of its voxels.

The voxels are needed cleaned, all samples of a region at once. Regions are therefore taken in groups whose
voxels fit into a fixed memory, one pass over the source for each group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.extract import Extracted, Progress, Request, extract
from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.spatial.plan import fold
from brainsieve.engine.spatial.select import Select
from brainsieve.engine.temporal.operator import TemporalOperator

# Cleaned voxels (float64) that are held at a time.
GROUP_BYTES = 2**27


@dataclass(frozen=True)
class Eigenvariates:
    """Regions of points, and what is done to the image before they are read.

    Attributes
    ----------
    chain : sequence of SpatialOperator
        Resampling and smoothing, applied first.
    codes : array of shape (n_points of the last operator,)
        Column of each point, -1 where there is none.
    n_features : int
    """

    chain: Sequence[SpatialOperator]
    codes: NDArray[np.intp]
    n_features: int

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes

    def extract(
        self,
        source: Source,
        clean: TemporalOperator,
        standardize: TemporalOperator,
        progress: Progress | None = None,
    ) -> Extracted:
        """Series of shape (n_samples kept, n_features): cleaned, reduced, and only then standardized."""
        values = np.zeros((len(clean.kept), self.n_features))
        answer = None
        for first, last, points in self._groups(len(clean.kept)):
            select = Select(points, len(self.codes))
            space = fold([*self.chain, select]) if self.chain else select
            answer = extract(source, [Request(space, clean)], progress=progress)[0]
            codes = self.codes[points]
            ends = np.searchsorted(codes, np.arange(first, last + 1))
            for column, start, stop in zip(range(first, last), ends[:-1], ends[1:], strict=True):
                if stop > start:
                    values[:, column] = first_eigenvariate(answer.values[:, start:stop])
        assert answer is not None  # a masker has at least one region with a point, or `fit` refused it
        if not standardize.is_identity:
            standardize.apply(values)
        return Extracted(values, answer.n_nonfinite, answer.n_read)

    def _groups(self, n_samples: int) -> Iterator[tuple[int, int, NDArray[np.intp]]]:
        """Ranges of columns with their points, sorted by column."""
        points = np.flatnonzero(self.codes >= 0)
        points = points[np.argsort(self.codes[points], kind="stable")]
        ends = np.searchsorted(self.codes[points], np.arange(self.n_features + 1))
        at_once = max(1, GROUP_BYTES // (8 * n_samples))
        first = 0
        while first < self.n_features:
            last = int(np.searchsorted(ends, ends[first] + at_once, side="right")) - 1
            last = min(max(last, first + 1), self.n_features)
            yield first, last, points[ends[first] : ends[last]]
            first = last


def first_eigenvariate(voxels: NDArray) -> NDArray[np.float64]:
    """The first principal component of a region's series.

    Parameters
    ----------
    voxels : array of shape (n_samples, n_voxels)

    Returns
    -------
    series : array of shape (n_samples,)
        Of mean 0. Its scale is that of one voxel (the root of the first eigenvalue over the number of
        voxels), its sign that which makes the voxels' weights sum to something positive.

    Notes
    -----
    Scale and sign are those of SPM's volumes of interest (Friston et al. 2006, NeuroImage 31:1487,
    doi:10.1016/j.neuroimage.2005.12.057). Voxels are centred first, as by FSL's ``fslmeants --eig``.
    A region of constant voxels has a series of zeros.
    """
    centred = voxels - voxels.mean(axis=0)
    n_samples, n_voxels = centred.shape
    # The two Gram matrices have the same eigenvalues: the smaller one costs least.
    if n_samples <= n_voxels:
        series = _largest_eigenvector(centred @ centred.T)
        weights = centred.T @ series
    else:
        weights = _largest_eigenvector(centred.T @ centred)
        series = centred @ weights
    norm = np.linalg.norm(series)
    # The first singular value, by the side that was not solved for.
    total = np.linalg.norm(centred @ (weights / (np.linalg.norm(weights) or 1.0)))
    if norm == 0 or total == 0:
        return np.zeros(n_samples)
    sign = 1.0 if weights.sum() >= 0 else -1.0
    return sign * series / norm * total / np.sqrt(n_voxels)


def _largest_eigenvector(gram: NDArray) -> NDArray[np.float64]:
    from scipy.linalg import eigh

    last = len(gram) - 1
    return eigh(gram, subset_by_index=(last, last))[1][:, 0]
