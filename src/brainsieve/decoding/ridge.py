"""Ridge regressions with the strength chosen by leave-one-out, one decomposition for all strengths, many at a time.

As `sklearn.linear_model.RidgeCV` with its default options: with X and y centred by the training samples, the residual
of a sample that is left out is the residual over 1 − its leverage (Golub, Heath and Wahba 1979,
doi:10.1080/00401706.1979.10489751); the strength with the smallest mean square of these wins, the first of equals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ridge:
    """Fitted ridges of problems that share training samples.

    Attributes
    ----------
    coefficients : array of shape (n_problems, n or p, n_targets)
        Of the training samples (w = X' coefficients), or weights.
    best : array of shape (n_problems,)
        Position of the strength chosen.
    errors : array of shape (n_problems, n_strengths)
        Mean square of what leave-one-out leaves.
    """

    coefficients: NDArray[np.float64]
    best: NDArray[np.intp]
    errors: NDArray[np.float64]


def solve_ridge(kernels: NDArray, targets: NDArray, alphas: NDArray, fit_intercept: bool = True) -> Ridge:
    """Ridges on matrices of inner products.

    Parameters
    ----------
    kernels : array of shape (n_problems, n, n)
        X X' of centred features (as they are, without an intercept).
    targets : array of shape (n, n_targets)
        Centred as well; the strength is the same for all targets of a problem.
    alphas : array of shape (n_strengths,)
        Positive.
    fit_intercept : bool, default=True
        Whether the constant is fitted too, which has its leverage.

    Returns
    -------
    ridge : Ridge
    """
    n = kernels.shape[-1]
    if fit_intercept:
        # The constant has no share in centred kernels. Made the largest eigenvector it can be left out, so that what
        # weak penalties leave of a sample is not a difference of two numbers near 1.
        kernels = kernels + (2 * np.trace(kernels, axis1=1, axis2=2)[:, None, None] + 1) / n
    values, vectors = np.linalg.eigh(kernels)
    if fit_intercept:
        values, vectors = values[:, :-1], vectors[..., :-1]
    values = np.maximum(values, 0)
    projected = vectors.transpose(0, 2, 1) @ targets
    errors = np.empty((len(kernels), len(alphas)))
    for i, alpha in enumerate(alphas):
        shrunk = (1 / (values + alpha))[..., None]
        # Residual and 1 - leverage, both over alpha.
        errors[:, i] = np.mean((vectors @ (projected * shrunk) / (vectors**2 @ shrunk)) ** 2, axis=(1, 2))
    best = errors.argmin(axis=1)
    chosen = np.asarray(alphas)[best][:, None, None]
    coefficients = vectors @ (projected / (values[..., None] + chosen))
    return Ridge(coefficients, best, errors)


def solve_ridge_primal(
    features: NDArray, targets: NDArray, alphas: NDArray, fit_intercept: bool = True
) -> Ridge:
    """The same on features, of which there are fewer than samples.

    Parameters
    ----------
    features : array of shape (n_problems, n, p)
        Centred, where the constant is fitted.
    targets, alphas, fit_intercept
        As for `solve_ridge`.

    Returns
    -------
    ridge : Ridge
        Its coefficients are weights, of shape (n_problems, p, n_targets).
    """
    transposed = features.transpose(0, 2, 1)
    values, vectors = np.linalg.eigh(transposed @ features)
    values = np.maximum(values, 0)
    components = features @ vectors
    projected = components.transpose(0, 2, 1) @ targets
    errors = np.empty((len(features), len(alphas)))
    for i, alpha in enumerate(alphas):
        shrunk = (1 / (values + alpha))[..., None]
        left = 1 - components**2 @ shrunk - (1 / features.shape[1] if fit_intercept else 0.0)
        errors[:, i] = np.mean(((targets - components @ (projected * shrunk)) / left) ** 2, axis=(1, 2))
    best = errors.argmin(axis=1)
    chosen = np.asarray(alphas)[best][:, None, None]
    return Ridge(vectors @ (projected / (values[..., None] + chosen)), best, errors)


def centred_kernels(kernels: NDArray) -> NDArray[np.float64]:
    """X X' of features whose mean over the samples is taken off, from that of the features as they are."""
    rows = kernels.mean(axis=-1, keepdims=True)
    return kernels - rows - rows.swapaxes(-1, -2) + rows.mean(axis=-2, keepdims=True)
