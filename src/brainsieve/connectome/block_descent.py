"""Block coordinate descent for the precisions of a group that share their zeros; several problems at once.

The problem, for covariances S_k and weights w_k (Σ w_k = 1) of subjects k:

    minimize  Σ_k w_k [tr(S_k Ω_k) - log det Ω_k] + α Σ_{i≠j} ‖(Ω_1[i,j] … Ω_n[i,j])‖

It is convex. With all but row p of every Ω_k fixed, W = (Ω without row and column p)⁻¹ and ω the row, the best
diagonal entry is 1 / S_pp + ωᵀWω, and what is left is quadratic in ω: Σ_k w_k [½ S_pp ωᵀWω + sᵀω] + α Σ_m ‖ω_m‖.
One coordinate m of ω, for all subjects at once, has a closed form but for one number (`_shrunken`).
Method: Varoquaux et al. 2010 (NIPS, "Brain covariance selection"), after Honorio and Samaras 2012 (arXiv:1207.4255).

Problems are stacked: folds of a cross-validation take the same steps, so that one NumPy call serves them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Newton steps for the norm of one group; two or three are the rule, see `_shrunken`.
MOST_NEWTON_STEPS = 50
# Steps shrink quadratically: after one of this share of the norm, it is exact to rounding.
LAST_STEP = 1e-7
# Told after each sweep (-1: before the first) its number and the precisions now and before. True stops a problem.
Probe = Callable[[int, NDArray, NDArray | None], NDArray[np.bool_]]


@dataclass(frozen=True)
class Descent:
    """Where a descent ended: precisions (n_problems, n, F, F), and whether each problem converged."""

    precisions: NDArray[np.float64]
    converged: NDArray[np.bool_]


def start(covariances: NDArray) -> NDArray[np.float64]:
    """Precisions of independent features, (n_problems, n, F, F)."""
    diagonal = np.diagonal(covariances, axis1=-2, axis2=-1)
    return np.eye(covariances.shape[-1]) / diagonal[..., None, :]


def descend(
    covariances: NDArray[np.float64],
    weights: NDArray[np.float64],
    alpha: float,
    precisions: NDArray[np.float64],
    tol: float | None,
    max_iter: int,
    probe: Probe | None = None,
) -> Descent:
    """Sweep over the rows until no entry changes by more than `tol`.

    Parameters
    ----------
    covariances : array of shape (n_problems, n, F, F)
    weights : array of shape (n_problems, n)
    alpha : float
        Positive.
    precisions : array of shape (n_problems, n, F, F)
        Where to start; not modified.
    tol : float or None
        None: all sweeps are made.
    max_iter : int
        Sweeps.
    probe : callable, optional
    """
    omega = precisions.copy()
    n_problems = len(omega)
    running = np.ones(n_problems, dtype=bool)
    converged = np.full(n_problems, tol is None)
    if probe is not None:
        running &= ~probe(-1, omega, None)
    for sweep in range(max_iter):
        if not running.any():
            break
        before = omega.copy()
        omega[running] = _swept(covariances[running], weights[running], alpha, before[running])
        if probe is not None:
            running &= ~probe(sweep, omega, before)
        if tol is not None:
            small = np.abs(omega - before).max(axis=(1, 2, 3)) < tol
            converged |= small & running
            running &= ~small
    return Descent(omega, converged)


def _swept(S: NDArray, weights: NDArray, alpha: float, omega: NDArray) -> NDArray:
    """Precisions after one update of every row.

    Inside, features come first and problems and subjects last, (F, F, n_problems, n): what is needed of a
    coordinate then lies together, and small arrays cost little else than their calls.
    """
    # Inverted anew in each sweep: updates of rank one would gather rounding errors.
    sigma = _features_first(np.linalg.inv(omega))
    omega, S = _features_first(omega), _features_first(S)
    everything = np.arange(len(S))
    for p in everything:
        rest = np.delete(everything, p)
        square = np.ix_(rest, rest)
        column = sigma[rest, p]
        # W = (Ω without p)⁻¹, from the inverse of the whole.
        W = sigma[square] - column[:, None] * (column / sigma[p, p])
        row, of_row = _row(S[rest, p], S[p, p], W, weights, alpha, omega[rest, p])
        omega[rest, p] = omega[p, rest] = row
        omega[p, p] = 1 / S[p, p] + (row * of_row).sum(axis=0)
        sigma[square] = W + of_row[:, None] * (of_row * S[p, p])
        sigma[rest, p] = sigma[p, rest] = -S[p, p] * of_row
        sigma[p, p] = S[p, p]
    return np.ascontiguousarray(np.moveaxis(omega, (0, 1), (2, 3)))


def _row(
    s: NDArray, diagonal: NDArray, W: NDArray, weights: NDArray, alpha: float, row: NDArray
) -> tuple[NDArray, NDArray]:
    """One pass over the coordinates of a row (F - 1, n_problems, n): the row, and W times it."""
    row = row.copy()
    of_row = np.einsum("ij...,j...->i...", W, row)
    scale = weights * diagonal
    curvature = scale * np.einsum("ii...->i...", W)
    slopes = weights * s
    nonzero = (row != 0).any(axis=(1, 2))
    m = 0
    while m < len(row):
        if not nonzero[m]:
            # Most groups are 0 and stay so: all that are left are looked at in one call, up to the next that moves.
            pull = scale * of_row[m:] - curvature[m:] * row[m:] + slopes[m:]
            moves = np.asarray(nonzero[m:] | ((pull**2).sum(axis=2) > alpha**2).any(axis=1))
            first = int(np.argmax(moves))
            if not moves[first]:
                break
            m += first
        linear = scale * of_row[m] - curvature[m] * row[m] + slopes[m]
        new = _shrunken(curvature[m], linear, alpha, row[m])
        of_row += W[m] * (new - row[m])
        row[m] = new
        m += 1
    return row, of_row


def _shrunken(a: NDArray, b: NDArray, alpha: float, guess: NDArray) -> NDArray:
    """The x (n_problems, n) that minimizes Σ_k [½ a_k x_k² + b_k x_k] + α ‖x‖, for each problem.

    It is 0 where ‖b‖ ≤ α. Elsewhere x_k = -b_k γ / (a_k γ + α), where γ = ‖x‖ makes h(γ) = Σ (b_k / (a_k γ + α))²
    one. 1 / √h is linear in γ for one subject and nearly so for several: Newton's method on it takes two or three
    steps. It is concave: wherever it starts, from the second step on γ grows towards the root.
    """
    moving = np.einsum("bk,bk->b", b, b) > alpha**2
    if not moving.all():
        x = np.zeros_like(b)
        if moving.any():
            x[moving] = _shrunken(a[moving], b[moving], alpha, guess[moving])
        return x
    gamma = np.sqrt(np.einsum("bk,bk->b", guess, guess))[:, None]
    for _ in range(MOST_NEWTON_STEPS):
        divisor = a * gamma + alpha
        ratio = b / divisor
        ratio *= ratio
        h = np.add.reduce(ratio, axis=1, keepdims=True)
        ratio *= a
        # Newton: γ - (h^-½ - 1) / (h^-³/² Σ ratio a / divisor)
        step = (np.sqrt(h) - 1) * h / np.add.reduce(ratio / divisor, axis=1, keepdims=True)
        gamma = np.maximum(gamma + step, 0)
        if (np.abs(step) <= LAST_STEP * gamma).all():
            break
    return -b * gamma / (a * gamma + alpha)


def _features_first(stack: NDArray) -> NDArray:
    """(n_problems, n, F, F) as (F, F, n_problems, n)."""
    return np.ascontiguousarray(np.moveaxis(stack, (2, 3), (0, 1)))
