"""Permutations of samples, and flips of their signs, as matrices of what is multiplied with the targets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from brainsieve.mass_univariate.design import Design


def shuffled(design: Design, n_perm: int, seed: int, at_once: int) -> Iterator[tuple[NDArray, NDArray]]:
    """Shuffled rows of the tested variables and of the confounds, some permutations at a time.

    Yields
    ------
    tested : array of shape (n_shuffles, R, n)
    confounds : array of shape (n_shuffles, p, n)

    Notes
    -----
    Each permutation shuffles what the one before left, and a flip of the targets' signs is one of the variables':
    (s y)'x = y'(s x).
    """
    rng = np.random.RandomState(seed)
    both = np.hstack([design.tested, design.varying])
    n, n_tested = design.tested.shape
    for start in range(0, n_perm, at_once):
        block = np.empty((min(at_once, n_perm - start), both.shape[1], n), dtype=both.dtype)
        for rows in block:
            if design.flips_signs:
                both = both * (rng.randint(2, size=(n, 1)) * 2 - 1).astype(both.dtype)
            else:
                both = both[rng.permutation(n)]
            rows[...] = both.T
        yield block[:, :n_tested], block[:, n_tested:]
