"""Independent sources by FastICA with the contrast x⁴, whose derivative is the cube.

A step of the fixed point needs E[(wᵀx)³ x]: that is a contraction of the fourth moments E[x_i x_j x_k x_l] with w. The
moments are one product of matrices, after which iterations, and further starts, are free of the number of points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from brainsieve.decomposition.reduction import tiles

# Means over points of (wᵀx)³ x, a row for each row w of an unmixing matrix.
Contrast = Callable[[NDArray], NDArray]

# Iterations that a start takes, about: what the choice between moments and points reckons with.
TYPICAL_ITERATIONS = 40
# What cubing one value costs, in multiplications of a matrix product.
CUBE_COST = 12
# Share of the largest variance below which a sum of maps is constant.
NO_VARIANCE = 1e-10


def whitened(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centred maps with unit covariance, by the symmetric root: nearest to the maps, whatever their rotation.

    Parameters
    ----------
    maps : array of shape (k, n_points)

    Returns
    -------
    white : array of shape (n_independent, n_points)
        Rows of mean 0; white @ white.T / n_points is the identity. As many rows as maps, unless a map, or a sum of
        maps, is constant.
    """
    centred = maps - maps.mean(axis=1, keepdims=True)
    eigenvalues, vectors = linalg.eigh(centred @ centred.T)
    varies = eigenvalues > NO_VARIANCE * eigenvalues[-1]
    roots = vectors[:, varies] * np.sqrt(maps.shape[1] / eigenvalues[varies])
    return (roots @ vectors[:, varies].T if varies.all() else roots.T) @ centred


def decorrelated(rows: NDArray) -> NDArray:
    """(R Rᵀ)^(-1/2) R: the orthonormal rows that are nearest to some."""
    eigenvalues, vectors = linalg.eigh(rows @ rows.T)
    roots = 1 / np.sqrt(np.maximum(eigenvalues, np.finfo(rows.dtype).tiny))
    return ((vectors * roots) @ vectors.T) @ rows


def fixed_point(
    contrast: Contrast, start: NDArray, max_iter: int = 200, tol: float = 1e-4
) -> tuple[NDArray[np.float64], int, bool]:
    """Unmix white data: parallel FastICA (Hyvärinen 1999, doi:10.1109/72.761722).

    Parameters
    ----------
    contrast : callable
        Of the data.
    start : array of shape (k, k)
    max_iter : int, default=200
    tol : float, default=1e-4
        Of one minus the cosine between a row and the same row before.

    Returns
    -------
    unmixing : array of shape (k, k)
        Orthonormal.
    n_iter : int
    converged : bool
    """
    unmixing = decorrelated(np.asarray(start, dtype=np.float64))
    for n_iter in range(1, max_iter + 1):
        # The data are white: E[3 (wᵀx)²] is 3 for each w.
        step = decorrelated(contrast(unmixing) - 3 * unmixing)
        change = np.abs(np.abs(np.einsum("ij,ij->i", step, unmixing)) - 1).max()
        unmixing = step
        if change < tol:
            return unmixing, n_iter, True
    return unmixing, max_iter, False


def contrast_of(white: NDArray[np.float64], n_starts: int = 1) -> Contrast:
    """The contrast of white data, by moments or from the points, whichever is cheaper for so many starts."""
    k, n_points = white.shape
    n_pairs = k * (k + 1) // 2
    n_steps = n_starts * TYPICAL_ITERATIONS
    by_moments = n_pairs**2 * n_points + n_steps * 2 * k * n_pairs**2
    by_points = n_steps * n_points * (4 * k**2 + CUBE_COST * k)
    return moments_contrast(white) if by_moments < by_points else points_contrast(white)


def points_contrast(white: NDArray[np.float64]) -> Contrast:
    """E[(wᵀx)³ x] summed over the points."""

    def contrast(unmixing: NDArray) -> NDArray:
        total = np.zeros(unmixing.shape)
        for tile in tiles(white.shape[1]):
            block = white[:, tile]
            projected = unmixing @ block
            total += (projected * projected * projected) @ block.T
        return total / white.shape[1]

    return contrast


def moments_contrast(white: NDArray[np.float64]) -> Contrast:
    """E[(wᵀx)³ x] by the fourth moments, which are computed once."""
    k, n_points = white.shape
    first, second = np.triu_indices(k)
    moments = np.zeros((len(first), len(first)))
    for tile in tiles(n_points):
        block = white[:, tile]
        pairs = block[first] * block[second]
        moments += pairs @ pairs.T
    moments /= n_points
    twice = np.where(first == second, 1.0, 2.0)
    pair_of = np.empty((k, k), dtype=np.intp)
    pair_of[first, second] = pair_of[second, first] = np.arange(len(first))

    def contrast(unmixing: NDArray) -> NDArray:
        # E[(wᵀx)² x_i x_j] of each w, then a third w.
        squares = (unmixing[:, first] * unmixing[:, second] * twice) @ moments
        return np.einsum("ri,rij->rj", unmixing, squares[:, pair_of])

    return contrast


def independent_sources(
    maps: NDArray[np.float64], seeds: Sequence[int]
) -> tuple[NDArray[np.float64], list[bool]]:
    """Sources of maps: of several starts, the one whose largest L1 norm of a source is smallest.

    Parameters
    ----------
    maps : array of shape (k, n_points)
        Linearly independent.
    seeds : sequence of int
        One for each start; a start is drawn as scikit-learn's `fastica` does.

    Returns
    -------
    sources : array of shape (k, n_points)
        Rows of mean 0 and norm 1; one fewer if a sum of maps is constant.
    converged : list of bool
        Of each start.
    """
    white = whitened(maps)
    k = len(white)
    contrast = contrast_of(white, len(seeds))
    best: NDArray[np.float64] | None = None
    least, converged = np.inf, []
    for seed in seeds:
        start = np.random.RandomState(seed).normal(size=(k, k))
        unmixing, _, has_converged = fixed_point(contrast, start)
        converged.append(has_converged)
        l1 = sum(np.abs(unmixing @ white[:, tile]).sum(axis=1) for tile in tiles(white.shape[1]))
        if np.max(l1) < least:
            least, best = np.max(l1), unmixing
    assert best is not None
    # White data have rows of norm √n_points, and a rotation keeps it.
    return best @ white / np.sqrt(white.shape[1]), converged
