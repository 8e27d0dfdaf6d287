"""Linear support vector machines with the squared hinge, to the exact optimum, many at a time.

The problem is ½(‖w‖² + b²/s²) + Σ C_i max(0, 1 − y_i f_i)² with f = Xw + b: that of scikit-learn's `LinearSVC`
with ``penalty="l2"``, whose intercept is the weight of a column of value s. It is quadratic as long as the same samples
lie inside the margin, so that Newton's method ends after a few steps at the optimum itself, where the set of these
samples does not change any more (Keerthi and DeCoste 2005, https://www.jmlr.org/papers/v6/keerthi05a.html;
Chapelle 2007, doi:10.1162/neco.2007.19.5.1155).

The same steps are taken in features where there are fewer of these than samples, else in the dual.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from brainsieve.logs import warn

MAX_STEPS = 200
# Matrices of more rows are solved one by one, among the samples inside the margin alone; smaller ones in one call.
ONE_BY_ONE = 96
# A step that moves the solution by less is rounding: samples on the margin itself may then go in and out for ever.
SAME = 1e-14


@dataclass(frozen=True)
class Solution:
    """What machines are.

    Attributes
    ----------
    coefficients : array of shape (n_problems, n_samples or n_features)
        Of the samples in the dual (w = X' coefficients), or the weights.
    decisions : array of shape (n_problems, n_samples)
        f of the samples that were fitted.
    """

    coefficients: NDArray[np.float64]
    decisions: NDArray[np.float64]


def solve_dual(kernels: NDArray, y: NDArray, costs: NDArray) -> Solution:
    """Machines on matrices of inner products.

    Parameters
    ----------
    kernels : array of shape (n_problems, n, n)
        X X' + s², s² being what the intercept adds (0: there is none).
    y : array of shape (n_problems, n)
        -1 and 1.
    costs : array of shape (n_problems, n)
        C of each sample, positive.

    Returns
    -------
    solution : Solution
        The intercept is s² times the sum of the coefficients.
    """

    def newton(which: NDArray[np.intp], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
        target, ridge = np.where(inside, y[which], 0.0), 0.5 / costs[which]
        if kernels.shape[-1] > ONE_BY_ONE:
            return np.stack(
                [
                    _solve_inside(kernels[w], *rest)
                    for w, *rest in zip(which, target, ridge, inside, strict=True)
                ]
            )
        # Rows and columns of the samples outside are those of the identity, whose solution is their target, 0.
        matrices = _of(kernels, which) * inside[:, :, None]
        matrices *= inside[:, None, :]
        diagonal = np.arange(matrices.shape[-1])
        matrices[:, diagonal, diagonal] += np.where(inside, ridge, 1.0)
        return np.linalg.solve(matrices, target[..., None])[..., 0]

    def apply(which: NDArray[np.intp], coefficients: NDArray) -> NDArray[np.float64]:
        return (_of(kernels, which) @ coefficients[..., None])[..., 0]

    def norm(coefficients: NDArray, decisions: NDArray) -> NDArray[np.float64]:
        return np.einsum("bi,bi->b", coefficients, decisions)

    return _newton(y, costs, kernels.shape[-1], newton, apply, norm)


def solve_primal(features: NDArray, y: NDArray, costs: NDArray) -> Solution:
    """Machines on features, of which there are fewer than samples.

    Parameters
    ----------
    features : array of shape (n_problems, n, p)
        A column of s for the intercept is one of them.
    y, costs : array of shape (n_problems, n)

    Returns
    -------
    solution : Solution
    """

    def newton(which: NDArray[np.intp], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
        here = _of(features, which)
        transposed = (np.where(inside, 2 * costs[which], 0.0)[..., None] * here).transpose(0, 2, 1)
        matrices = transposed @ here
        diagonal = np.arange(matrices.shape[-1])
        matrices[:, diagonal, diagonal] += 1
        return np.linalg.solve(matrices, transposed @ y[which][..., None])[..., 0]

    def apply(which: NDArray[np.intp], coefficients: NDArray) -> NDArray[np.float64]:
        return (_of(features, which) @ coefficients[..., None])[..., 0]

    def norm(coefficients: NDArray, decisions: NDArray) -> NDArray[np.float64]:
        return np.einsum("bi,bi->b", coefficients, coefficients)

    return _newton(y, costs, features.shape[-1], newton, apply, norm)


def _of(stack: NDArray, which: NDArray[np.intp]) -> NDArray:
    """The matrices of some problems; of all of them without a copy."""
    return stack if len(which) == len(stack) else stack[which]


def _solve_inside(
    kernel: NDArray, target: NDArray, ridge: NDArray, inside: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(K + diag(ridge))⁻¹ target among the samples inside the margin; 0 for the others."""
    coefficients = np.zeros(len(target))
    (chosen,) = inside.nonzero()
    matrix = kernel[np.ix_(chosen, chosen)]
    matrix[np.diag_indices(len(chosen))] += ridge[chosen]
    try:
        coefficients[chosen] = cho_solve(cho_factor(matrix, lower=True), target[chosen])
    except np.linalg.LinAlgError:
        # Features far from 0 (raw intensities): what rounding leaves of their products hides the cost.
        values, vectors = np.linalg.eigh(matrix)
        values = np.maximum(values, ridge[chosen].min())
        coefficients[chosen] = vectors @ ((vectors.T @ target[chosen]) / values)
    return coefficients


def _newton(
    y: NDArray,
    costs: NDArray,
    n_coefficients: int,
    newton: Callable[[NDArray[np.intp], NDArray[np.bool_]], NDArray[np.float64]],
    apply: Callable[[NDArray[np.intp], NDArray], NDArray[np.float64]],
    norm: Callable[[NDArray, NDArray], NDArray[np.float64]],
) -> Solution:
    """Steps until no sample enters or leaves the margin, for the problems that are not there yet."""
    coefficients = np.zeros((len(y), n_coefficients))
    decisions = np.zeros(y.shape)
    left = np.arange(len(y))
    for _ in range(MAX_STEPS):
        inside = y[left] * decisions[left] < 1
        wanted = newton(left, inside)
        ahead = apply(left, wanted)
        objective = functools.partial(
            _on_the_way, (coefficients[left], wanted), (decisions[left], ahead), y[left], costs[left], norm
        )
        step = _step(objective, len(left))[:, None]
        moved = step * (wanted - coefficients[left])
        still = np.abs(moved).max(axis=1) <= SAME * np.abs(wanted).max(axis=1)
        coefficients[left] += moved
        decisions[left] += step * (ahead - decisions[left])
        full = step[:, 0] == 1
        # A full step is the solution itself, without the rounding of adding it up.
        coefficients[left[full]], decisions[left[full]] = wanted[full], ahead[full]
        same = ((y[left] * decisions[left] < 1) == inside).all(axis=1)
        left = left[~(still | (full & same))]
        if not len(left):
            return Solution(coefficients, decisions)
    warn(f"{len(left)} support vector machines are not solved after {MAX_STEPS} steps of Newton's method.")
    return Solution(coefficients, decisions)


def _on_the_way(
    coefficients: tuple[NDArray, NDArray],
    decisions: tuple[NDArray, NDArray],
    y: NDArray,
    costs: NDArray,
    norm: Callable[[NDArray, NDArray], NDArray[np.float64]],
    step: NDArray,
) -> NDArray[np.float64]:
    """The objective after a step of some length from the first of each pair to the second."""
    here, decided = (start + step[:, None] * (end - start) for start, end in (coefficients, decisions))
    return 0.5 * norm(here, decided) + (costs * np.maximum(0, 1 - y * decided) ** 2).sum(axis=1)


def _step(objective: Callable[[NDArray], NDArray[np.float64]], n_problems: int) -> NDArray[np.float64]:
    """Length of each problem's step: the whole, halved until the objective is not larger than it was."""
    before = objective(np.zeros(n_problems))
    step = np.ones(n_problems)
    for _ in range(40):
        larger = objective(step) > before * (1 + 1e-12)
        if not larger.any():
            break
        step[larger] /= 2
    return step
