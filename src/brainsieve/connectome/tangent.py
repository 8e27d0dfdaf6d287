"""The tangent space of positive definite matrices: their geometric mean, and logarithms around it.

All take stacks (n, F, F) and work on all matrices at once, in threads. Symmetric functions go through eigenvalues:
f(A) = V diag(f(w)) Vᵀ.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.threads import available_cpus, single_threaded_blas
from brainsieve.logs import warn

MOST_ROUNDS = 30
# Norm of the gradient, divided by F², at which the mean is found.
TOLERANCE = 1e-7
Elementwise = Callable[[NDArray], NDArray]


def of_eigenvalues(matrices: NDArray, *functions: Elementwise) -> list[NDArray]:
    """Functions of symmetric matrices (..., F, F), from one decomposition of each."""
    values, vectors = np.linalg.eigh(matrices)
    return [(vectors * f(values)[..., None, :]) @ np.swapaxes(vectors, -1, -2) for f in functions]


def whitened_logs(matrices: NDArray, whitening: NDArray) -> NDArray:
    """log(W C W) of each C of a stack (n, F, F), for a symmetric W (F, F)."""

    def logs(part: NDArray) -> NDArray:
        return of_eigenvalues(whitening @ part @ whitening, np.log)[0]

    return _in_threads(logs, matrices)


def from_tangent(displacements: NDArray, mean: NDArray) -> NDArray:
    """M^½ exp(D) M^½ of each D of a stack (n, F, F): the way back."""
    root = of_eigenvalues(mean, np.sqrt)[0]

    def back(part: NDArray) -> NDArray:
        return root @ of_eigenvalues(part, np.exp)[0] @ root

    return _in_threads(back, displacements)


def geometric_mean(matrices: NDArray) -> NDArray:
    """The matrix M with Σ log(M^-½ C M^-½) = 0, for positive definite C of shape (n, F, F).

    Notes
    -----
    Gradient descent from the arithmetic mean, as in Varoquaux et al. 2010 (doi:10.1007/978-3-642-15705-9_25) after
    Fletcher and Joshi 2007 (doi:10.1016/j.sigpro.2005.12.018): M ← M^½ exp(s L) M^½, where L is the mean logarithm;
    the step s, 1 at first, is halved whenever the norm of L grows.
    """
    mean = matrices.mean(axis=0)
    n_features = mean.shape[-1]
    step, smallest = 1.0, np.inf
    for _ in range(MOST_ROUNDS):
        root, whitening = of_eigenvalues(mean, np.sqrt, lambda w: 1 / np.sqrt(w))
        gradient = whitened_logs(matrices, whitening).mean(axis=0)
        norm = float(np.linalg.norm(gradient))
        mean = root @ of_eigenvalues(step * gradient, np.exp)[0] @ root
        mean = (mean + mean.T) / 2  # rounding must not grow from round to round
        if norm / n_features**2 < TOLERANCE:
            return mean
        if norm > smallest:
            step /= 2
        else:
            smallest = norm
    warn(
        f"The geometric mean did not converge in {MOST_ROUNDS} rounds: its gradient has norm {norm:.2g}, "
        f"{TOLERANCE * n_features**2:.2g} was asked for."
    )
    return mean


def _in_threads(function: Callable[[NDArray], NDArray], stack: NDArray) -> NDArray:
    """A function of a stack (n, F, F), parts of it in threads: LAPACK works one matrix at a time on one core."""
    n_threads = min(available_cpus(), len(stack))
    if n_threads < 2:
        return function(stack)
    with single_threaded_blas(), ThreadPoolExecutor(n_threads) as pool:
        return np.concatenate(list(pool.map(function, np.array_split(stack, n_threads))))
