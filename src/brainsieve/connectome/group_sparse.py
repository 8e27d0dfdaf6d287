"""Precisions of a group of subjects that share their zeros, for one strength of regularization."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from brainsieve.caching import cached, digest, effective_level, memory_for
from brainsieve.connectome.block_descent import descend, start
from brainsieve.connectome.subjects import constant_features, read_subjects
from brainsieve.logs import log, warn
from brainsieve.maskers.declared import keep_parameters

# Variances further from 1 than this are told of: alpha is in their units.
FAR_FROM_ONE = 0.1


def group_sparse_covariance(
    subjects: Sequence[ArrayLike] | ArrayLike,
    alpha: float,
    max_iter: int = 50,
    tol: float | None = 1e-3,
    verbose: int = 0,
    probe_function: Callable[..., Any] | None = None,
    precisions_init: ArrayLike | None = None,
    debug: bool = False,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sparse precisions of a group, whose zeros are the same for all subjects.

    Parameters
    ----------
    subjects : sequence of arrays of shape (T_k, F), array of shape (n, T, F), or one array (T, F)
        Series; best standardized, as `alpha` is in their units.
    alpha : float
        Strength of the regularization, not negative. 0: none, the inverse of each covariance.
    max_iter : int, default=50
        Sweeps over all rows.
    tol : float or None, default=1e-3
        Stop when no entry of a precision changes by more in a sweep; None: make all sweeps.
    verbose : int, default=0
    probe_function : callable, optional
        ``probe_function(emp_covs, n_samples, alpha, max_iter, tol, iteration, omega, omega_old)``, before the first
        sweep (iteration -1, omega_old None) and after each; `n_samples` sum to 1; matrices have shape (F, F, n). What
        is true stops.
    precisions_init : array of shape (F, F, n), optional
        Where to start. Default: independent features.
    debug : bool, default=False
        Check after each sweep that the precisions are symmetric and positive definite.

    Returns
    -------
    covariances : array of shape (F, F, n)
        Of the subjects, divided by T_k.
    precisions : array of shape (F, F, n)

    Raises
    ------
    TypeError, ValueError
        For a parameter or subject that is not what it should be; a constant feature is named with its subject.

    Notes
    -----
    Varoquaux et al. 2010 (NIPS, "Brain covariance selection: better individual functional connectivity models using
    population prior"); solved after Honorio and Samaras 2012, arXiv:1207.4255.
    """
    check_alpha(alpha)
    check_sweeps(max_iter, tol)
    series = read_subjects(subjects, "subjects").series
    check_varying(series)
    covariances, weights = empirical(series)
    warn_of_units(covariances)
    shape = covariances.shape
    if precisions_init is None:
        initial = start(covariances)
    else:
        initial = np.moveaxis(np.array(precisions_init, dtype=np.float64), -1, 0)
        if initial.shape != shape:
            n, n_features = shape[:2]
            expected = (n_features, n_features, n)
            raise ValueError(
                f"precisions_init has shape {np.shape(precisions_init)}; {expected} was expected."
            )
    if alpha == 0:
        # Without regularization the solution is known, and the descent has no end.
        return _last_axis(covariances), _last_axis(inverses(covariances, [len(one) for one in series]))
    watched = _last_axis(covariances)

    def probe(sweep: int, omega: NDArray, before: NDArray | None) -> NDArray[np.bool_]:
        log(verbose, 2, f"group_sparse_covariance: sweep {sweep}.")
        if debug:
            _check_precisions(omega[0], sweep)
        if probe_function is None:
            return np.zeros(1, dtype=bool)
        old = None if before is None else _last_axis(before[0])
        stop = probe_function(watched, weights, alpha, max_iter, tol, sweep, _last_axis(omega[0]), old)
        return np.array([bool(stop)])

    found = descend(covariances[None], weights[None], float(alpha), initial[None], tol, max_iter, probe)
    if not found.converged[0] and tol is not None and probe_function is None:
        warn(
            f"group_sparse_covariance did not reach tol={tol:g} in {max_iter} sweeps; raise max_iter or tol."
        )
    return watched, _last_axis(found.precisions[0])


class GroupSparseCovariance(BaseEstimator):
    """Sparse precisions of a group, whose zeros are the same for all subjects.

    Parameters
    ----------
    alpha : float, default=0.1
        Strength of the regularization, not negative; in the units of the series.
    tol : float or None, default=1e-3
        Stop when no entry of a precision changes by more in a sweep.
    max_iter : int, default=10
        Sweeps over all rows.
    verbose : int, default=0
    memory : path, joblib.Memory or None, default=None
        Where to cache the result. The folder is trusted code (pickles): nobody else may write to it.
    memory_level : int, default=0
        Raised to 1 where `memory` is given; with a `joblib.Memory` without a place nothing is cached.

    Attributes
    ----------
    covariances_, precisions_ : array of shape (F, F, n)
    n_features_in_ : int
    memory_ : joblib.Memory

    Notes
    -----
    As `group_sparse_covariance`, which is what it calls.
    """

    def __init__(
        self,
        alpha: float = 0.1,
        tol: float | None = 1e-3,
        max_iter: int = 10,
        verbose: int = 0,
        memory: Any = None,
        memory_level: int = 0,
    ) -> None:
        keep_parameters(self, locals())

    def fit(self, subjects: Any, y: None = None) -> GroupSparseCovariance:
        """Find the precisions.

        Parameters
        ----------
        subjects : iterable of arrays or data frames of shape (T_k, F), array of shape (n, T, F), or one array (T, F)
        y : None
            Ignored; there for scikit-learn.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            As `group_sparse_covariance`.
        """
        given = read_subjects(subjects, "subjects")
        memory = memory_for(self.memory, self.verbose)
        series, options = list(given.series), {"max_iter": self.max_iter, "tol": self.tol}
        covariances, precisions = cached(
            memory,
            effective_level(self.memory, self.memory_level),
            lambda: digest("group_sparse_covariance", series, self.alpha, options),
            lambda: group_sparse_covariance(series, self.alpha, **options, verbose=self.verbose),
        )
        self.memory_ = memory
        self.covariances_, self.precisions_ = covariances, precisions
        self.n_features_in_ = given.n_features
        return self


def empirical(series: Sequence[NDArray]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Covariances (n, F, F), divided by T, and the subjects' shares of all samples (n,)."""
    covariances = [np.cov(np.asarray(one, dtype=np.float64), rowvar=False, ddof=0) for one in series]
    lengths = np.array([len(one) for one in series], dtype=np.float64)
    return np.stack(covariances), lengths / lengths.sum()


def inverses(covariances: NDArray, lengths: Sequence[int]) -> NDArray[np.float64]:
    """Inverse of each covariance (n, F, F).

    Raises
    ------
    ValueError
        For a subject whose covariance has none.
    """
    n_features = covariances.shape[-1]
    for k, covariance in enumerate(covariances):
        if np.linalg.matrix_rank(covariance, hermitian=True) < n_features:
            raise ValueError(
                f"alpha=0: the covariance of subjects[{k}] ({lengths[k]} samples of {n_features} features) is singular "
                "and has no inverse; regularize (alpha above 0), or drop features that others explain."
            )
    return np.linalg.inv(covariances)


def largest_alpha(covariances: NDArray, weights: NDArray) -> float:
    """The alpha from which on all precisions are diagonal."""
    norms = np.sqrt(((weights[:, None, None] * covariances) ** 2).sum(axis=0))
    np.fill_diagonal(norms, 0)
    return float(norms.max())


def check_alpha(alpha: Any) -> None:
    if isinstance(alpha, bool) or not isinstance(alpha, int | float | np.number):
        raise ValueError(f"alpha must be a number, not negative; {alpha!r} was given.")
    if not np.isfinite(alpha) or alpha < 0:
        raise ValueError(f"alpha must be finite and not negative; {alpha!r} was given.")


def check_sweeps(max_iter: Any, tol: Any, names: tuple[str, str] = ("max_iter", "tol")) -> None:
    if isinstance(max_iter, bool) or not isinstance(max_iter, int | np.integer) or max_iter < 1:
        raise ValueError(f"{names[0]} must be a positive integer; {max_iter!r} was given.")
    if tol is not None and not (isinstance(tol, int | float | np.number) and tol > 0):
        raise ValueError(f"{names[1]} must be a positive number or None; {tol!r} was given.")


def check_varying(series: Sequence[NDArray]) -> None:
    """Raise ValueError for a feature that is constant, or where there is one feature only."""
    for k, one in enumerate(series):
        constant = constant_features(one)
        if len(constant):
            raise ValueError(
                f"subjects[{k}]: {len(constant)} features are constant (the first is {constant[0]}); they have no "
                "precision. Drop them from all subjects."
            )
    if series[0].shape[1] < 2:
        raise ValueError("subjects have one feature; at least 2 are needed for a connection.")


def warn_of_units(covariances: NDArray) -> bool:
    """Whether series are of another variance than 1, with a warning."""
    variances = np.diagonal(covariances, axis1=-2, axis2=-1)
    far = bool((np.abs(variances - 1) > FAR_FROM_ONE).any())
    if far:
        warn(
            f"subjects: variances go from {variances.min():.3g} to {variances.max():.3g}; alpha is in units of the "
            "series, so standardize them (variance 1) unless their units are meant to matter."
        )
    return far


def _check_precisions(precisions: NDArray, sweep: int) -> None:
    if not np.allclose(precisions, np.swapaxes(precisions, -1, -2)):
        raise FloatingPointError(f"Precisions are not symmetric after sweep {sweep}.")
    if np.linalg.eigvalsh(precisions).min() <= 0:
        raise FloatingPointError(f"Precisions are not positive definite after sweep {sweep}.")


def _last_axis(stack: NDArray) -> NDArray:
    """(n, F, F) as (F, F, n), in Fortran order."""
    return np.asfortranarray(np.moveaxis(stack, 0, -1))
