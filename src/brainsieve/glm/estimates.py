"""Estimates of a linear model from the sums of a run: coefficients, noise, dispersion; contrasts of all points at once.

White noise, or autoregressive noise of which each point has coefficients of its own; these are binned, and each bin is
one small system of equations (Worsley et al. 2002, doi:10.1006/nimg.2001.0933). The number of samples plays no
part here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from brainsieve.checks import a_count, found
from brainsieve.glm.contrasts import Contrast
from brainsieve.glm.designs import Span, listed
from brainsieve.glm.sums import Sums
from brainsieve.logs import warn

# What a design leaves of a series, as a share of its squares, below which its sums have too few digits left:
# z would be off by 1e-10. Such points take a second pass.
TOO_LITTLE = 1e-6
# Deviations that are this many times smaller than a value are rounding.
ROUNDING = 16 * np.finfo(np.float64).eps


@dataclass(frozen=True)
class Noise:
    """A model of noise.

    Attributes
    ----------
    order : int
        Autoregressive coefficients; 0: white noise.
    bins : int
        In one unit of the coefficient, for order 1; clusters of coefficients for higher orders.
    random_state : int, RandomState or None
        Of the clusters.
    """

    order: int
    bins: int = 100
    random_state: Any = None

    @classmethod
    def of(cls, noise_model: Any, bins: int = 100, random_state: Any = None) -> Noise:
        """Of "ols", "ar1", "ar2", …

        Raises
        ------
        ValueError
            For all else.
        """
        a_count("bins", bins, least=1)
        if noise_model == "ols":
            return cls(0, bins)
        match = re.fullmatch(r"ar([1-9]\d*)", noise_model) if isinstance(noise_model, str) else None
        if match is None:
            raise ValueError(
                "noise_model must be 'ols' or 'arN' with N of 1 or more, such as 'ar1'; "
                f"{found(noise_model)} was given."
            )
        return cls(int(match[1]), bins, random_state)


@dataclass(frozen=True, eq=False)
class Estimate:
    """A linear model fitted to the points of one run.

    Attributes
    ----------
    span : Span
    names : list of str
        Of the columns.
    coefficients : array of shape (n_columns, n_points)
        In the units of the scaled series.
    dispersion : array of shape (n_points,)
        Variance of the noise after whitening; NaN where values are missing.
    group : array of int, shape (n_points,)
        Which of `rho` each point has.
    rho : array of shape (n_groups, order)
    inverses : array of shape (n_groups, rank, rank)
        (Q'W'WQ)⁻¹.
    r_square : array of shape (n_points,)
        1 − Σ residual² / Σ (y − mean)², of the series that are not whitened.
    """

    span: Span
    names: list[str]
    coefficients: NDArray[np.float64]
    dispersion: NDArray[np.float64]
    group: NDArray[np.intp]
    rho: NDArray[np.float64]
    inverses: NDArray[np.float64]
    r_square: NDArray[np.float64]

    @property
    def dof(self) -> int:
        """Samples less the rank of the design."""
        return len(self.span.basis) - self.span.rank

    def covariance(self, group: int) -> NDArray[np.float64]:
        """(X'W'WX)⁺ of a group, (n_columns, n_columns)."""
        return self.span.back @ self.inverses[group] @ self.span.back.T

    def contrast(self, matrix: NDArray[np.float64], stat_type: str) -> Contrast:
        """A contrast (q, n_columns) at all points.

        NaN, with a warning that names the regressors, where it cannot be estimated.
        """
        if self.dof <= 0:
            warn(
                f"The design has as many independent columns ({self.span.rank}) as the run has samples: "
                "nothing is left "
                "to estimate the noise from, and the contrast is NaN."
            )
            return self._nothing(matrix, stat_type)
        if not self._can_estimate(matrix):
            return self._nothing(matrix, stat_type)
        weights = matrix @ self.span.back
        if stat_type == "t":
            variances = np.einsum("r,grs,s->g", weights[0], self.inverses, weights[0])
            effect = matrix[0] @ self.coefficients
            return Contrast(effect, variances[self.group] * self.dispersion, dof=self.dof)
        effects = matrix @ self.coefficients
        for group, points in self.groups():
            effects[:, points] = whitener(weights @ self.inverses[group] @ weights.T) @ effects[:, points]
        return Contrast(effects, self.dispersion, len(matrix), self.dof, "F")

    def groups(self) -> Iterator[tuple[int, NDArray[np.intp]]]:
        """Each group that has points, and these."""
        return points_of_groups(self.group, len(self.rho))

    def _can_estimate(self, matrix: NDArray) -> bool:
        poor = [row for row in matrix if not self.span.estimable(row)]
        if poor:
            involved = self.span.dependent()
            used = [self.names[i] for i in involved if any(row[i] for row in poor)]
            others = [self.names[i] for i in involved if self.names[i] not in used]
            beside = (
                f", which the columns {listed(others)} cannot be told from" if others else ", which are 0"
            )
            warn(f"The contrast cannot be estimated: it has {listed(used)}{beside}. It is NaN.")
        return not poor

    def _nothing(self, matrix: NDArray, stat_type: str) -> Contrast:
        shape = self.dispersion.shape if stat_type == "t" else (len(matrix), *self.dispersion.shape)
        return Contrast(
            np.full(shape, np.nan),
            np.full(self.dispersion.shape, np.nan),
            len(matrix),
            max(self.dof, 1),
            stat_type,  # type: ignore[arg-type]
        )

    def scaled(self, factor: NDArray | float, shift: NDArray | float) -> Estimate:
        """That of ``factor * (series + shift)``, both of shape (n_points,) or one number.

        The constant must be in the span where `shift` is not 0.
        """
        coefficients, dispersion = self.coefficients, self.dispersion
        if np.any(shift):
            coefficients = coefficients + np.outer(self.span.as_one, shift)
            # What rounding makes of the constant is no effect.
            dispersion = np.maximum(dispersion, np.square(ROUNDING * np.asarray(shift)))
        return replace(self, coefficients=coefficients * factor, dispersion=dispersion * np.square(factor))


def whitener(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """C^(−½) of a covariance, so that the squares of what it is applied to add up to x' C⁻¹ x."""
    values, vectors = np.linalg.eigh(covariance)
    # Rows that repeat each other add nothing.
    inverse = np.where(values > values[-1] * 1e-12, 1 / np.sqrt(np.maximum(values, 1e-300)), 0)
    return (vectors * inverse) @ vectors.T


def points_of_groups(group: NDArray[np.intp], n_groups: int) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Each group that has points, and these; one sort for all."""
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group, minlength=n_groups))
    for i, (start, stop) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        if stop > start:
            yield i, order[start:stop]


# -- from sums ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Model:
    """A design, its noise, and how sums of the run are read for it.

    Attributes
    ----------
    span : Span
    names : list of str
    noise : Noise
    """

    span: Span
    names: list[str]
    noise: Noise

    def least_squares(self, sums: Sums) -> NDArray[np.float64]:
        """Coefficients of the basis, (rank, n_points)."""
        return sums.products[0, 0][: self.span.rank]

    def left(self, sums: Sums) -> NDArray[np.float64]:
        """Σ residual² of least squares, (n_points,); less digits the smaller it is."""
        return sums.squares[0, 0] - np.einsum("rv,rv->v", *[self.least_squares(sums)] * 2)

    def too_little(self, sums: Sums) -> NDArray[np.intp]:
        """Points of which so little is left that they need a second pass."""
        squares = sums.squares[0, 0]
        return np.flatnonzero((self.left(sums) < TOO_LITTLE * squares) & (squares > 0))

    def autocorrelations(self, sums: Sums) -> NDArray[np.float64]:
        """Yule-Walker coefficients of the residuals of least squares, (n_points, order)."""
        rank = self.span.rank
        coefficients = np.zeros((len(sums.ones), sums.total.size))
        coefficients[:rank] = self.least_squares(sums)
        if len(sums.ones) > rank:
            # The mean of the residuals is 0 only where the design has a constant.
            mean = (sums.total - sums.ones @ coefficients) / sums.n_samples
            coefficients += np.outer(sums.ones, mean)
        moments = []
        for lag in range(self.noise.order + 1):
            gram, products = sums.gram[lag, 0], sums.products[lag, 0]
            moment = sums.squares[lag, 0] - np.einsum(
                "rv,rv->v", coefficients, 2 * products - gram @ coefficients
            )
            moments.append(moment / (2 if lag else 1) / max(sums.n_pairs[lag], 1))
        return yule_walker(np.stack(moments))

    def estimate(self, sums: Sums, rho: NDArray[np.float64], group: NDArray[np.intp]) -> Estimate:
        """Coefficients and dispersion where the noise of each point is known.

        Parameters
        ----------
        sums : Sums
        rho : array of shape (n_groups, order)
        group : array of int, shape (n_points,)
        """
        rank, n_points = self.span.rank, sums.total.size
        coefficients = np.zeros((self.span.n_columns, n_points))
        dispersion, away = np.zeros(n_points), np.zeros(n_points)
        inverses = np.zeros((len(rho), rank, rank))
        plain = self.least_squares(sums)
        dof = sums.n_samples - rank
        for i, points in points_of_groups(group, len(rho)):
            gram, products, squares = sums.of(points).whitened(rho[i])
            gram, products = gram[:rank, :rank], products[:rank]
            inverses[i] = linalg.inv(gram) if rank else gram
            mine = inverses[i] @ products
            coefficients[:, points] = self.span.back @ mine
            if dof > 0:
                dispersion[points] = (squares - np.einsum("rv,rv->v", mine, products)) / dof
            away[points] = np.sum((mine - plain[:, points]) ** 2, axis=0)
        around_mean = sums.squares[0, 0] - sums.total**2 / sums.n_samples
        with np.errstate(invalid="ignore", divide="ignore"):
            r_square = 1 - (self.left(sums) + away) / around_mean
        return Estimate(self.span, self.names, coefficients, dispersion, group, rho, inverses, r_square)


def yule_walker(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Autoregressive coefficients from autocovariances (order + 1, n_points); (n_points, order)."""
    order = len(moments) - 1
    if order == 0:
        return np.zeros((moments.shape[1], 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = np.where(moments[0] > 0, moments / moments[0], 0.0)
    if order == 1:
        return scaled[1][:, None]
    lags = np.abs(np.subtract.outer(np.arange(order), np.arange(order)))
    toeplitz = np.moveaxis(np.where(moments[0] > 0, scaled[lags], np.eye(order)[:, :, None]), -1, 0)
    return np.linalg.solve(toeplitz, scaled[1:].T[:, :, None])[:, :, 0]


def grouped(coefficients: NDArray[np.float64], noise: Noise) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Points of nearly the same noise: coefficients of the groups (n_groups, order), and the group of each point."""
    n_points, order = coefficients.shape
    if order == 0 or n_points == 0:
        return np.zeros((1, order)), np.zeros(n_points, dtype=np.intp)
    coefficients = np.nan_to_num(coefficients, posinf=0, neginf=0)
    if order == 1:
        binned = np.trunc(coefficients[:, 0] * noise.bins) / noise.bins + 0.0
        values, group = np.unique(binned, return_inverse=True)
        return values[:, None], group.astype(np.intp)
    return _clusters(coefficients, noise)


def _clusters(coefficients: NDArray[np.float64], noise: Noise) -> tuple[NDArray, NDArray[np.intp]]:
    from sklearn.cluster import KMeans

    n_clusters = min(noise.bins, len(np.unique(coefficients, axis=0)))
    clusters = KMeans(n_clusters=n_clusters, n_init=10, random_state=noise.random_state).fit(coefficients)
    return clusters.cluster_centers_, clusters.labels_.astype(np.intp)


def labels_of(estimate: Estimate) -> NDArray:
    """The label of each group: its coefficients, as text; 0.0 for white noise.

    Two decimals for orders above 1, and more where two groups would have the same label.
    """
    rho = estimate.rho
    if rho.shape[1] == 0:
        return np.zeros(1)
    if rho.shape[1] > 1:
        short = np.round(rho, 2) + 0.0
        _, inverse, counts = np.unique(short, axis=0, return_inverse=True, return_counts=True)
        rho = np.where((counts[inverse.ravel()] > 1)[:, None], rho, short)
    return np.array(["_".join(str(float(value)) for value in row) for row in rho])


# -- what rounding leaves ----------------------------------------------------------------------------------


def without_rounding(estimate: Estimate, squares: NDArray, first: NDArray, name: str, point: str) -> Estimate:
    """Let no variance be smaller than rounding makes it, and say at how many points.

    Parameters
    ----------
    estimate : Estimate
    squares : array of shape (n_points,)
        Σ (y − first)².
    first : array of shape (n_points,)
        What was subtracted.
    name, point : str
        Of the run, and what a point is called, for the warning.
    """
    n = len(estimate.span.basis)
    least = ROUNDING**2 * (squares / n + first**2)
    small = estimate.dispersion <= least
    if estimate.dof <= 0 or not small.any():
        return estimate
    constant = int((squares <= n * ROUNDING**2 * first**2).sum())
    warn(
        f"{name}: {int(small.sum())} {point} have no variance beside what the design explains ({constant} "
        "are constant). "
        "Effects that are but rounding have a z of 0 there."
    )
    return replace(estimate, dispersion=np.maximum(estimate.dispersion, least))
