"""What a fit gives for the points that have the same noise: coefficients, their covariance, statistics of contrasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from brainsieve.glm.estimates import Estimate, labels_of, whitener


@dataclass(frozen=True, eq=False)
class TContrastResults:
    """t of a contrast.

    Attributes
    ----------
    t, sd, effect : array of shape (n_points,)
    df_den : int
    """

    t: NDArray[np.float64]
    sd: NDArray[np.float64]
    effect: NDArray[np.float64]
    df_den: int


@dataclass(frozen=True, eq=False)
class FContrastResults:
    """F of a contrast of several rows.

    Attributes
    ----------
    effect : array of shape (q, n_points)
    covariance : array of shape (q, q, n_points)
    F : array of shape (n_points,)
    df_num, df_den : int
    """

    effect: NDArray[np.float64]
    covariance: NDArray[np.float64]
    F: NDArray[np.float64]
    df_num: int
    df_den: int


class RegressionResults:
    """A model of the points that have the same noise.

    Parameters
    ----------
    estimate : Estimate
        Of all points of the run.
    group : int
        Which of them these are.
    points : array of int
        Their positions.
    Y : array of shape (n_samples, n_points of the run), optional
    X : array of shape (n_samples, n_columns), optional
        Needed for residuals and all that follows of them.

    Attributes
    ----------
    theta : array of shape (n_columns, n_points)
        Coefficients.
    cov : array of shape (n_columns, n_columns)
        Their covariance, to be multiplied by the dispersion.
    dispersion : array of shape (n_points,)
        Variance of the noise, after whitening.
    rho : array of shape (order,)
        Coefficients of the noise.
    df_residuals, df_total, df_model : int
        Samples less the rank of the design; samples; rank.
    """

    def __init__(
        self,
        estimate: Estimate,
        group: int,
        points: NDArray[np.intp],
        Y: NDArray | None = None,
        X: NDArray | None = None,
    ) -> None:
        self._estimate, self._points, self._Y, self._X = estimate, points, Y, X
        self.theta = estimate.coefficients[:, points]
        self.cov = estimate.covariance(group)
        self.dispersion = estimate.dispersion[points]
        self.rho = estimate.rho[group]
        self.df_residuals = estimate.dof
        self.df_total = len(estimate.span.basis)
        self.df_model = estimate.span.rank

    # -- contrasts ---------------------------------------------------------------------------------------

    def Tcontrast(  # noqa: N802
        self,
        matrix: ArrayLike,
        store: Sequence[str] = ("t", "effect", "sd"),
        dispersion: ArrayLike | None = None,
    ) -> TContrastResults:
        """t of a contrast.

        Parameters
        ----------
        matrix : array of shape (n_columns,)
        store : sequence of str, default=("t", "effect", "sd")
            Taken for the sake of scripts; all three are there.
        dispersion : array, optional
            Default: that of the fit.

        Returns
        -------
        result : TContrastResults
        """
        row = self._rows(matrix)
        if len(row) != 1:
            raise ValueError(f"A t contrast has one row; {len(row)} were given.")
        effect = (row @ self.theta)[0]
        sd = np.sqrt((row @ self.cov @ row.T)[0, 0] * self._dispersion(dispersion))
        with np.errstate(invalid="ignore", divide="ignore"):
            t = np.where(sd > 0, effect / sd, np.where(sd == 0, 0.0, np.nan))
        return TContrastResults(t, sd, effect, self.df_residuals)

    def Fcontrast(  # noqa: N802
        self, matrix: ArrayLike, dispersion: ArrayLike | None = None, invcov: ArrayLike | None = None
    ) -> FContrastResults:
        """F of a contrast.

        Parameters
        ----------
        matrix : array of shape (q, n_columns)
        dispersion : array, optional
            Default: that of the fit.
        invcov : array of shape (q, q), optional
            Inverse of the contrast's covariance, where it is known.

        Returns
        -------
        result : FContrastResults
        """
        rows = self._rows(matrix)
        covariance, scale = rows @ self.cov @ rows.T, self._dispersion(dispersion)
        inverse = np.linalg.pinv(covariance) if invcov is None else np.asarray(invcov)
        effect = rows @ self.theta
        with np.errstate(invalid="ignore", divide="ignore"):
            f = np.einsum("qv,qr,rv->v", effect, inverse, effect) / (len(rows) * scale)
        return FContrastResults(effect, covariance[:, :, None] * scale, f, len(rows), self.df_residuals)

    def whitened_effects(self, matrix: ArrayLike) -> NDArray[np.float64]:
        """Effects of a contrast (q, n_columns) that are independent and have the dispersion as their variance."""
        rows = self._rows(matrix)
        return whitener(rows @ self.cov @ rows.T) @ (rows @ self.theta)

    def _rows(self, matrix: ArrayLike) -> NDArray[np.float64]:
        rows = np.atleast_2d(np.asarray(matrix, dtype=np.float64))
        short = len(self.theta) - rows.shape[1]
        if short < 0:
            raise ValueError(
                f"A contrast of {rows.shape[1]} numbers is longer than the design, which has {len(self.theta)} columns."
            )
        rows = np.pad(rows, ((0, 0), (0, short)))
        if not all(self._estimate.span.estimable(row) for row in rows):
            return np.full(rows.shape, np.nan)
        return rows

    def _dispersion(self, dispersion: ArrayLike | None) -> NDArray[np.float64]:
        return self.dispersion if dispersion is None else np.asarray(dispersion, dtype=np.float64)

    def t(self, column: int | None = None) -> NDArray[np.float64]:
        """t of each coefficient, (n_columns, n_points), or of one column, (n_points,)."""
        rows = np.eye(len(self.theta))
        if column is not None:
            return self.Tcontrast(rows[column]).t
        return np.stack([self.Tcontrast(row).t for row in rows])

    def vcov(self, matrix: ArrayLike | None = None, column: int | None = None) -> NDArray[np.float64]:
        """Covariance of the coefficients, of a contrast, or of one column, to be multiplied by the dispersion."""
        if column is not None:
            return self.cov[column, column]
        if matrix is None:
            return self.cov
        rows = self._rows(matrix)
        return rows @ self.cov @ rows.T

    def conf_int(
        self, alpha: float = 0.05, cols: Sequence[int] | None = None, dispersion: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Confidence intervals of the coefficients.

        Parameters
        ----------
        alpha : float, default=0.05
        cols : sequence of int, optional
            Columns. Default: all.
        dispersion : array, optional

        Returns
        -------
        intervals : array of shape (n_cols, 2, n_points)
        """
        columns = range(len(self.theta)) if cols is None else cols
        width = stats.t.ppf(1 - alpha / 2, self.df_residuals)
        found = [self.Tcontrast(np.eye(len(self.theta))[i], dispersion=dispersion) for i in columns]
        return np.stack([[t.effect - width * t.sd, t.effect + width * t.sd] for t in found])

    # -- series ------------------------------------------------------------------------------------------

    def _series(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if self._Y is None or self._X is None:
            raise AttributeError(
                "The series are not kept: fit with minimize_memory=False, or use the model's residuals_."
            )
        return np.asarray(self._Y[:, self._points], dtype=np.float64), self._X

    @property
    def predicted(self) -> NDArray[np.float64]:
        """X β, (n_samples, n_points)."""
        return self._series()[1] @ self.theta

    @property
    def residuals(self) -> NDArray[np.float64]:
        """Y − X β, (n_samples, n_points)."""
        series, design = self._series()
        return series - design @ self.theta

    @property
    def whitened_residuals(self) -> NDArray[np.float64]:
        """Residuals less what the noise before them predicts; the first samples as they are."""
        return whiten(self.residuals, self.rho)

    @cached_property
    def SSE(self) -> NDArray[np.float64]:  # noqa: N802
        """Σ of the squared whitened residuals, (n_points,)."""
        return self.dispersion * self.df_residuals

    @property
    def MSE(self) -> NDArray[np.float64]:  # noqa: N802
        """Their mean by degrees of freedom: the dispersion."""
        return self.dispersion

    @property
    def r_square(self) -> NDArray[np.float64]:
        """1 − Σ residual² / Σ (y − mean)², of what is not whitened, (n_points,)."""
        return self._estimate.r_square[self._points]

    @property
    def logL(self) -> NDArray[np.float64]:  # noqa: N802
        """Logarithm of the likelihood where the noise has its most likely variance, (n_points,)."""
        n = self.df_total
        with np.errstate(divide="ignore"):
            return -n / 2 * (np.log(2 * np.pi * self.SSE / n) + 1)


def results_of(
    estimate: Estimate, series: NDArray | None = None, design: NDArray | None = None
) -> tuple[NDArray, dict[Any, RegressionResults]]:
    """Labels of the points and the results of each label, from an estimate of all points."""
    names = labels_of(estimate)
    labels = names[estimate.group]
    results = {
        # As scripts know them: text, or 0.0.
        names[group].item() if names.dtype.kind == "f" else str(names[group]): RegressionResults(
            estimate, group, points, series, design
        )
        for group, points in estimate.groups()
    }
    return labels, results


def whiten(series: NDArray[Any], rho: NDArray[np.float64]) -> NDArray[np.float64]:
    """Series (n_samples, …) less what autoregression with `rho` predicts of the samples before; the first as it is."""
    whitened = np.array(series, dtype=np.float64)
    for lag, weight in enumerate(rho, start=1):
        whitened[lag:] -= weight * series[:-lag]
    return whitened
