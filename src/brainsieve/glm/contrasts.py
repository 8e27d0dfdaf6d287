"""Contrasts: an effect, its variance and its degrees of freedom, and the statistics that follow of the three.

Whatever fitted a model, of one level or of two, hands these over; t, F, p and z are computed here and nowhere else.
NaN stays NaN: it is what an effect is that cannot be estimated. Points without variance and without effect have z 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from brainsieve.checks import found
from brainsieve.logs import warn

StatType = Literal["t", "F"]

# Probabilities below this count as this: |z| ends at 37.0471, where the normal distribution leaves float64.
SMALLEST_P = 1e-300
# A variance below this counts as this.
TINY = 1e-50
DOF_MAX = 1e10


class Contrast:
    """An effect with its variance, at every point.

    Parameters
    ----------
    effect : array of shape (n_points,) or (q, n_points)
        Of q rows for an F contrast; these are to be independent and of equal variance ("whitened").
    variance : array of shape (n_points,)
        Of the effect; of each of its rows for F.
    dim : int, optional
        Numerator degrees of freedom of F. Default: the rows of `effect`.
    dof : float, default=1e10
        Denominator degrees of freedom, those of the residuals; above `dofmax` the normal distribution is near enough.
    stat_type : {"t", "F"}, default="t"
    tiny : float, default=1e-50
        Smaller variances count as this.
    dofmax : float, default=1e10

    Raises
    ------
    ValueError
        Where shapes do not fit, or for another `stat_type`.

    Notes
    -----
    Contrasts of independent runs add up, ``+``: effects, variances and degrees of freedom. ``contrast * k`` scales
    the effect by k and the variance by k². Nothing is kept from one call to the next: a statistic about another
    `baseline` is that and nothing else.
    """

    def __init__(
        self,
        effect: ArrayLike,
        variance: ArrayLike,
        dim: int | None = None,
        dof: float = DOF_MAX,
        stat_type: StatType = "t",
        tiny: float = TINY,
        dofmax: float = DOF_MAX,
    ) -> None:
        if stat_type not in ("t", "F"):
            raise ValueError(f"stat_type must be 't' or 'F'; {found(stat_type)} was given.")
        self.effect = _effect(effect, stat_type)
        self.variance = np.asarray(variance, dtype=np.float64)
        if self.variance.ndim != 1 or self.variance.shape[0] != self.effect.shape[-1]:
            raise ValueError(
                f"variance must be of shape ({self.effect.shape[-1]},), one for each point of effect; it is of shape "
                f"{self.variance.shape}."
            )
        if self.effect.ndim == 2 and stat_type == "t":
            warn(f"effect has {len(self.effect)} rows: t is of one, F is computed.")
            stat_type = "F"
        self.stat_type: StatType = stat_type
        self.dim = dim if dim is not None else (1 if self.effect.ndim == 1 else len(self.effect))
        self.dof = dof
        self.tiny = tiny
        self.dofmax = dofmax

    def __repr__(self) -> str:
        return f"Contrast({self.stat_type}, {self.variance.size} points, dim={self.dim}, dof={self.dof:g})"

    def effect_size(self) -> NDArray[np.float64]:
        """The effect, of shape (n_points,), or (q, n_points) for F."""
        return self.effect

    def effect_variance(self) -> NDArray[np.float64]:
        """Its variance, of shape (n_points,)."""
        return self.variance

    def stat(self, baseline: float = 0.0) -> NDArray[np.float64]:
        """t or F.

        Parameters
        ----------
        baseline : float, default=0.0
            What the effect is compared with.

        Returns
        -------
        stat : array of shape (n_points,)
            t = (effect - baseline) / √variance; F = Σ (effect - baseline)² / (dim · variance).
        """
        variance = np.maximum(self.variance, self.tiny)
        if self.stat_type == "t":
            return (self.effect - baseline) / np.sqrt(variance)
        return np.sum((np.atleast_2d(self.effect) - baseline) ** 2, axis=0) / self.dim / variance

    def p_value(self, baseline: float = 0.0) -> NDArray[np.float64]:
        """Probability of a statistic as large or larger, one-sided, where the effect is `baseline`.

        Parameters
        ----------
        baseline : float, default=0.0

        Returns
        -------
        p : array of shape (n_points,)
        """
        return self._tails(baseline)[0]

    def one_minus_pvalue(self, baseline: float = 0.0) -> NDArray[np.float64]:
        """Probability of a smaller statistic: exact where `p_value` is nearly 1.

        Parameters
        ----------
        baseline : float, default=0.0

        Returns
        -------
        p : array of shape (n_points,)
        """
        return self._tails(baseline)[1]

    def z_score(self, baseline: float = 0.0) -> NDArray[np.float64]:
        """The normal deviate of the same probability, between -37.0471 and 37.0471.

        Parameters
        ----------
        baseline : float, default=0.0

        Returns
        -------
        z : array of shape (n_points,)
        """
        dof = np.minimum(self.dof, self.dofmax)
        if self.stat_type == "t":
            return z_of_t(self.stat(baseline), dof)
        return z_of_f(self.stat(baseline), self.dim, dof)

    def _tails(self, baseline: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Upper and lower tail."""
        stat, dof = self.stat(baseline), np.minimum(self.dof, self.dofmax)
        if self.stat_type == "t":
            return special.stdtr(dof, -stat), special.stdtr(dof, stat)
        return special.fdtrc(self.dim, dof, stat), special.fdtr(self.dim, dof, stat)

    def __add__(self, other: Contrast) -> Contrast:
        if not isinstance(other, Contrast):
            return NotImplemented
        if self.stat_type != other.stat_type or self.dim != other.dim:
            raise ValueError(
                f"Contrasts that are added must be of one kind; {self!r} and {other!r} were given."
            )
        if self.effect.shape != other.effect.shape:
            raise ValueError(
                "Contrasts that are added must be of the same points; their effects are of shapes "
                f"{self.effect.shape} and {other.effect.shape}."
            )
        if self.stat_type == "F":
            warn("F over several runs is approximate: it takes the whitened effects of each as they are.")
        return self._with(self.effect + other.effect, self.variance + other.variance, self.dof + other.dof)

    def __mul__(self, scalar: float) -> Contrast:
        return self._with(self.effect * scalar, self.variance * scalar**2, self.dof)

    __rmul__ = __mul__

    def __truediv__(self, scalar: float) -> Contrast:
        return self * (1 / scalar)

    def _with(self, effect: NDArray, variance: NDArray, dof: float) -> Contrast:
        return Contrast(effect, variance, self.dim, dof, self.stat_type, self.tiny, self.dofmax)


def _effect(effect: ArrayLike, stat_type: str) -> NDArray[np.float64]:
    values = np.asarray(effect, dtype=np.float64)
    if values.ndim not in (1, 2):
        raise ValueError(f"effect must have one or two dimensions; it is of shape {values.shape}.")
    return values[0] if values.ndim == 2 and len(values) == 1 and stat_type == "t" else values


def fixed_effects(contrasts: Sequence[Contrast]) -> Contrast:
    """The mean over runs: mean of the effects, sum of the variances / n², sum of the degrees of freedom.

    Parameters
    ----------
    contrasts : sequence of Contrast
        One for each run, of the same points.

    Returns
    -------
    contrast : Contrast
    """
    return contrasts[0] if len(contrasts) == 1 else reduce(add, contrasts) / len(contrasts)


def z_of_t(t: ArrayLike, dof: ArrayLike) -> NDArray[np.float64]:
    """Normal deviates of t statistics.

    Parameters
    ----------
    t : array
    dof : float or array

    Returns
    -------
    z : array of the shape of `t`
    """
    t = np.asarray(t, dtype=np.float64)
    # The tail beyond |t|, whose digits are all there; that of the other sign would be 1 minus it.
    tail = special.stdtr(dof, -np.abs(t))
    return np.copysign(special.ndtri(np.maximum(tail, SMALLEST_P)), t)


def z_of_f(f: ArrayLike, dim: float, dof: ArrayLike) -> NDArray[np.float64]:
    """Normal deviates of F statistics: negative where F is below its median.

    Parameters
    ----------
    f : array
    dim : float
        Degrees of freedom of the numerator.
    dof : float or array
        Those of the denominator.

    Returns
    -------
    z : array of the shape of `f`
    """
    f = np.asarray(f, dtype=np.float64)
    above, below = special.fdtrc(dim, dof, f), special.fdtr(dim, dof, f)
    # 0 - …, so that z of the median is 0 and not -0.
    upper = 0.0 - special.ndtri(np.maximum(above, SMALLEST_P))
    return np.where(above <= below, upper, special.ndtri(np.maximum(below, SMALLEST_P)))


def compute_contrast(
    labels: ArrayLike,
    regression_result: Mapping[Any, Any],
    con_val: ArrayLike,
    stat_type: StatType | None = None,
) -> Contrast:
    """A contrast of what `run_glm` gives.

    Parameters
    ----------
    labels : array of shape (n_points,)
        Which of the results each point belongs to.
    regression_result : dict of label to RegressionResults
    con_val : array of shape (n_columns,) or (q, n_columns)
    stat_type : {"t", "F"}, optional
        Default: t for one row, F for several.

    Returns
    -------
    contrast : Contrast
        NaN where the contrast cannot be estimated.

    Raises
    ------
    ValueError
        For t of several rows, another `stat_type`, or more numbers than columns.
    """
    matrix = np.atleast_2d(np.asarray(con_val, dtype=np.float64))
    stat_type = checked_stat_type(stat_type, matrix)
    labels = np.asarray(labels)
    effect = np.zeros((len(matrix), labels.size))
    variance, dof = np.zeros(labels.size), 0.0
    for label, result in regression_result.items():
        mine = labels == label
        if stat_type == "t":
            t = result.Tcontrast(matrix[0])
            effect[0, mine], variance[mine] = t.effect, t.sd**2
        else:
            effect[:, mine], variance[mine] = result.whitened_effects(matrix), result.dispersion
        dof = float(result.df_residuals)
    return Contrast(effect[0] if stat_type == "t" else effect, variance, len(matrix), dof, stat_type)


def checked_stat_type(stat_type: str | None, matrix: NDArray) -> StatType:
    """t for one row and F for several, unless another is asked for.

    Parameters
    ----------
    stat_type : str or None
    matrix : array of shape (q, n_columns)

    Returns
    -------
    stat_type : {"t", "F"}
    """
    if stat_type is None:
        return "t" if len(matrix) == 1 else "F"
    if stat_type not in ("t", "F"):
        raise ValueError(f"stat_type must be 't', 'F' or None; {found(stat_type)} was given.")
    if stat_type == "t" and len(matrix) > 1:
        raise ValueError(
            f"stat_type='t' is for one row; the contrast has {len(matrix)}. Use stat_type='F', or None."
        )
    return stat_type  # type: ignore[return-value]
