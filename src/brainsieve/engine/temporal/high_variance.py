"""Components of the most variable series, to be regressed out like confounds.

What physiology and motion do to an image is largest where it varies most. After CompCor (Behzadi et al. 2007,
NeuroImage 37:90, doi:10.1016/j.neuroimage.2007.04.042).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh

from brainsieve.logs import warn

EPS = float(np.finfo(np.float64).eps)
# Of the power of a straight line: less is what rounding leaves when it is taken out.
LINE = 1e-14
# Up to so many samples or series their products are formed; with more they would take more than what there is.
EXACT = 2000


class Power:
    """Mean squares of series that come piece by piece: of what detrending leaves, or of the values.

    Parameters
    ----------
    n_samples, n_series : int
    detrend : bool
    """

    def __init__(self, n_samples: int, n_series: int, detrend: bool) -> None:
        self._n, self._detrend = n_samples, detrend
        self._times = np.arange(n_samples) - (n_samples - 1) / 2
        # Sums are of deviations from the first sample: squares of large means would swallow small changes.
        self._first, self._sums, self._squares, self._trends = np.zeros((4, n_series))

    def add(self, rows: slice, columns: slice, values: NDArray) -> None:
        """Take values of samples, which come in order, in some series: (n_rows, n_columns)."""
        if rows.start == 0:
            self._first[columns] = values[0]
        deviations = values - self._first[columns]
        self._sums[columns] += deviations.sum(axis=0)
        self._squares[columns] += np.einsum("ij,ij->j", deviations, deviations)
        self._trends[columns] += self._times[rows] @ deviations

    def mean_squares(self, share: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The power of each series (NaN where a value is not finite), and which series vary.

        `share`, of its mean: what varies less is rounding; see `standardize.constant_share`.
        """
        mean = self._first + self._sums / self._n
        around = np.maximum(self._squares - self._sums**2 / self._n, 0)
        left = around
        if self._detrend and self._n > 1:
            left = around - self._trends**2 / (self._times @ self._times)
        varies = left > np.maximum(LINE * around, self._n * (share * mean) ** 2)
        if not self._detrend:
            return around / self._n + mean**2, varies
        return np.where(varies | np.isnan(left), left, 0) / self._n, varies


def most_variable(power: NDArray, varies: NDArray[np.bool_], percentile: float) -> NDArray[np.bool_]:
    """Series whose power is above the (100 − percentile)-th percentile of the finite ones.

    Where none is above, as with a single one that varies, those that have the most.

    Raises
    ------
    ValueError
        If no series is finite, or none varies.
    """
    finite = np.isfinite(power)
    if not finite.any():
        raise ValueError("No point is finite in every sample; there are no high-variance confounds.")
    if not (varies & finite).any():
        raise ValueError(
            f"Each of the {int(finite.sum())} points is constant (or a straight line); "
            "there are no high-variance confounds."
        )
    known = np.where(finite, power, -1)
    above = known > np.percentile(power[finite], 100.0 - percentile)
    return above if above.any() else known == known.max()


def components_of(series: NDArray, n_confounds: int) -> NDArray[np.float64]:
    """Eigenvectors of X Xᵀ for its largest eigenvalues: (n_samples, n_found), orthonormal, strongest first.

    n_found is below `n_confounds`, with a warning, where series have fewer dimensions: others would be noise
    of rounding. The largest entry of each is positive, so that they do not depend on the machine.
    """
    n_samples, n_series = series.shape
    wanted = min(n_confounds, n_samples)
    if min(n_samples, n_series) > max(EXACT, 2 * wanted):
        found = _by_lanczos(series, wanted)
    elif n_samples <= n_series:
        values, vectors = np.linalg.eigh(series @ series.T)
        found = vectors[:, ::-1][:, : min(wanted, _rank(values, series.shape))]
    else:
        values, vectors = np.linalg.eigh(series.T @ series)
        rank = min(wanted, _rank(values, series.shape))
        # Orthonormal to rounding, which products with weak directions are not.
        found = np.linalg.qr(series @ vectors[:, ::-1][:, :rank])[0]
    if found.shape[1] < n_confounds:
        warn(
            f"n_confounds={n_confounds}, but the most variable series have only {found.shape[1]} "
            "components; so many are given."
        )
    largest = found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])]
    return np.asarray(found * np.sign(largest))


def _rank(eigenvalues: NDArray, shape: tuple[int, int]) -> int:
    return int((eigenvalues > max(shape) * EPS * eigenvalues.max()).sum())


def _by_lanczos(series: NDArray, n_components: int) -> NDArray[np.float64]:
    """The same without a matrix of all samples by all samples: 18 GB for 50 000 volumes."""
    n = len(series)
    gram = LinearOperator((n, n), matvec=lambda x: series @ (series.T @ x), dtype=np.float64)
    # A start of our own: results do not change from call to call.
    start = np.random.default_rng(0).normal(size=n)
    values, vectors = eigsh(gram, n_components, which="LA", v0=start)
    return vectors[:, ::-1][:, : _rank(values, series.shape)]
