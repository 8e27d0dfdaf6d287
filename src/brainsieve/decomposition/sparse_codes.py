"""Sparse coding of all voxels at once, and the dictionary that is learned for it.

The code c of a voxel x minimizes ‖x - Dᵀ c‖² / 2 + alpha ‖c‖₁ over the atoms, rows of D. It depends on products alone:
on D Dᵀ, and on D x of each voxel. So one atom after the other is solved for, in all voxels together.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from brainsieve.decomposition.reduction import Stack, tiles

# Voxels that are coded together: their codes stay in the processor's cache.
TILE_VOXELS = 2048
# Codes have settled when no sweep over the atoms moves one by more than this share of the largest.
TOLERANCE = 1e-7
TOLERANCE_WHILE_LEARNING = 1e-3
MAX_SWEEPS = 1000
# Mini-batches in an epoch, at least: few voxels are gone through several times.
LEAST_BATCHES = 100
# Voxels that are brought into memory at a time, in the order in which they are learned from.
CHUNK_VOXELS = 4096
# Rounds in which all atoms are solved for at once: a voxel has few atoms, whose codes settle so at a tenth of the cost
# of a sweep. Where they do not, sweeps over the atoms go on from there; these converge from anywhere.
N_STEPS = 25
# So few voxels are swept over together until all have settled.
FEW_VOXELS = 100
# Squared use of an atom below which it counts as unused, as in spams and scikit-learn.
UNUSED = 1e-6


def lasso_codes(
    products: NDArray[np.float64], gram: NDArray[np.float64], alpha: float, tol: float = TOLERANCE
) -> NDArray[np.float64]:
    """Codes of voxels by coordinate descent (Friedman et al. 2007, doi:10.1214/07-AOAS131).

    Parameters
    ----------
    products : array of shape (k, n_voxels)
        D x of each voxel.
    gram : array of shape (k, k)
        D Dᵀ.
    alpha : float
        Weight of the L1 norm.
    tol : float, default=1e-7

    Returns
    -------
    codes : array of shape (k, n_voxels)
        0 for atoms that are 0.
    """
    codes = np.zeros(products.shape)
    for tile in tiles(products.shape[1], TILE_VOXELS):
        codes[:, tile] = _coded(products[:, tile], gram, alpha, tol)
    return codes


def _coded(products: NDArray, gram: NDArray, alpha: float, tol: float) -> NDArray[np.float64]:
    """Codes of a tile; voxels whose codes have settled leave the sweeps."""
    own = np.diagonal(gram)
    atoms = np.flatnonzero(own > 0)
    coded = np.zeros(products.shape)
    # Each atom's own share is divided out once: a step is then a product, a difference and a threshold.
    others = gram[np.ix_(atoms, atoms)] / own[atoms, None]
    np.fill_diagonal(others, 0)
    targets, bounds = products[atoms] / own[atoms, None], alpha / own[atoms, None]
    open_, codes = np.arange(products.shape[1]), np.zeros(targets.shape)
    for i in range(MAX_SWEEPS):
        before = codes.copy()
        step = _step if i < N_STEPS else _sweep
        step(codes, targets, others, bounds)
        before -= codes
        moving = np.abs(before).max(axis=0, initial=0) > tol * np.abs(codes).max(axis=0, initial=0)
        n_moving = int(np.count_nonzero(moving))
        if n_moving == 0 or (n_moving < 0.7 * len(open_) and len(open_) > FEW_VOXELS):
            coded[np.ix_(atoms, open_)] = codes
            open_, codes, targets = open_[moving], codes[:, moving], targets[:, moving]
            if n_moving == 0:
                return coded
    coded[np.ix_(atoms, open_)] = codes
    return coded


def _step(codes: NDArray, targets: NDArray, others: NDArray, bounds: NDArray) -> None:
    """Solve for all atoms at once, in place."""
    rest = targets - others @ codes
    np.subtract(rest, np.minimum(np.maximum(rest, -bounds), bounds), out=codes)


def _sweep(codes: NDArray, targets: NDArray, others: NDArray, bounds: NDArray) -> None:
    """Solve for each atom in turn, in place."""
    rest, clipped = np.empty((2, codes.shape[1]))
    for code, target, row, bound in zip(codes, targets, others, bounds[:, 0].tolist(), strict=True):
        # What the other atoms leave: soft-thresholding is x less x clipped to ±bound.
        np.dot(row, codes, out=rest)
        np.subtract(target, rest, out=rest)
        np.maximum(rest, -bound, out=clipped)
        np.minimum(clipped, bound, out=clipped)
        np.subtract(rest, clipped, out=code)


def learned_dictionary(
    stack: Stack,
    start: NDArray[np.float64],
    alpha: float,
    batch_size: int,
    n_epochs: float,
    random_state: np.random.RandomState,
) -> NDArray[np.float64]:
    """Learn a dictionary of the voxels' profiles over the rows of all runs.

    Online learning in mini-batches (Mairal et al. 2010, JMLR 11:19-60), with the forgetting of scikit-learn's
    `MiniBatchDictionaryLearning`. There an atom that no voxel of the first mini-batches uses is drawn anew at once,
    so that maps that learning begins at are lost; here after a pass without use, or if it is 0.

    Parameters
    ----------
    stack : Stack
    start : array of shape (k, n_rows)
    alpha : float
    batch_size : int
        Voxels in a mini-batch.
    n_epochs : float
        Passes over the voxels, each of 100 mini-batches or more; part of one is possible.
    random_state : RandomState
        Of the order of the voxels, and of the atoms drawn anew.

    Returns
    -------
    dictionary : array of shape (k, n_rows)
        Atoms of norm at most 1.
    """
    k = len(start)
    dictionary = np.array(start)
    batch_size = min(batch_size, stack.n_points)
    uses, sums = np.zeros((k, k)), np.zeros((k, stack.n_rows))
    for step, batch in enumerate(_batches(stack, batch_size, n_epochs, random_state)):
        n = len(batch)
        codes = _coded(dictionary @ batch.T, dictionary @ dictionary.T, alpha, TOLERANCE_WHILE_LEARNING)
        seen = (step + 1) * n if step < n - 1 else n**2 + step + 1 - n
        kept = (seen + 1 - n) / (seen + 1)
        uses *= kept
        uses += codes @ codes.T / n
        sums *= kept
        sums += codes @ batch / n
        # A mini-batch without a voxel of an atom says nothing against it; a whole pass without one does.
        is_lost = np.logical_or(~dictionary.any(axis=1), (step + 1) * batch_size >= stack.n_points)
        _update(dictionary, uses, sums, is_lost, batch, random_state)
    return dictionary


def _batches(
    stack: Stack, batch_size: int, n_epochs: float, random_state: np.random.RandomState
) -> Iterator[NDArray[np.float64]]:
    """Mini-batches of voxels (n_voxels, n_rows), in one random order for all epochs."""
    order = np.arange(stack.n_points)
    random_state.shuffle(order)
    left = int(np.ceil(n_epochs * max(LEAST_BATCHES, np.ceil(stack.n_points / batch_size))))
    chunk_size = max(1, CHUNK_VOXELS // batch_size) * batch_size
    while left:
        for chunk in tiles(stack.n_points, chunk_size):
            voxels = stack.at(order[chunk])
            for batch in tiles(len(voxels), batch_size):
                if not left:
                    return
                yield voxels[batch]
                left -= 1


def _update(
    dictionary: NDArray,
    uses: NDArray,
    sums: NDArray,
    is_lost: NDArray[np.bool_],
    batch: NDArray,
    random_state: np.random.RandomState,
) -> None:
    """Solve for each atom in turn, in place; one that is lost is drawn from the batch, one that is idle waits."""
    step = np.empty(dictionary.shape[1])
    used_by = np.diagonal(uses).tolist()
    for atom, row, used, seen, lost in zip(dictionary, uses, used_by, sums, is_lost.tolist(), strict=True):
        if used > UNUSED:
            np.dot(row, dictionary, out=step)
            np.subtract(seen, step, out=step)
            step /= used
            atom += step
        elif lost:
            drawn = batch[random_state.choice(len(batch))]
            atom[:] = drawn + random_state.normal(0, 0.01 * (drawn.std() or 1), size=len(drawn))
        squares = float(np.dot(atom, atom))
        if squares > 1:
            atom /= squares**0.5
