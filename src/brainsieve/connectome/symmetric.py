"""Symmetric matrices: as vectors and back, covariances as correlations, precisions as partial correlations.

All work on the last two axes, so that a stack of matrices (n, F, F) is one call. Vectors hold the lower triangle
row by row: (0, 0), (1, 0), (1, 1), (2, 0) …
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainsieve.logs import warn


def sym_matrix_to_vec(symmetric: ArrayLike, discard_diagonal: bool = False) -> NDArray:
    """Lower triangles of symmetric matrices as vectors.

    Parameters
    ----------
    symmetric : array of shape (..., F, F)
        The upper triangle is not looked at.
    discard_diagonal : bool, default=False
        Leave the diagonal out. Otherwise it is divided by √2: twice the squared norm of a vector is then the squared
        Frobenius norm of its matrix.

    Returns
    -------
    vectors : array of shape (..., F (F + 1) / 2), or (..., F (F - 1) / 2) without diagonal

    Raises
    ------
    ValueError
        If the last two axes are not square.
    """
    matrices = _square(symmetric, "symmetric")
    if discard_diagonal:
        return matrices[(..., *np.tril_indices(matrices.shape[-1], -1))]
    rows, columns = np.tril_indices(matrices.shape[-1])
    return matrices[..., rows, columns] * np.where(rows == columns, np.sqrt(0.5), 1.0)


def vec_to_sym_matrix(vec: ArrayLike, diagonal: ArrayLike | None = None) -> NDArray[np.float64]:
    """Symmetric matrices of the vectors that `sym_matrix_to_vec` makes.

    Parameters
    ----------
    vec : array of shape (..., F (F + 1) / 2), or (..., F (F - 1) / 2) with `diagonal`
    diagonal : array of shape (..., F), optional
        Diagonals divided by √2, as those inside vectors are: 1 / √2 for a correlation.

    Returns
    -------
    symmetric : array of shape (..., F, F), float64

    Raises
    ------
    ValueError
        If the length of the vectors is not that of a triangle, or `diagonal` has another shape.
    """
    vectors = np.asarray(vec, dtype=np.float64)
    if vectors.ndim == 0:
        raise ValueError("vec must have at least one axis; a single number was given.")
    n = vectors.shape[-1]
    # F (F ± 1) / 2 = n, solved for F.
    n_features = round((np.sqrt(8 * n + 1) + (1 if diagonal is not None else -1)) / 2)
    inside = -1 if diagonal is not None else 0
    rows, columns = np.tril_indices(n_features, inside)
    if len(rows) != n:
        what = "without diagonal" if diagonal is not None else "with diagonal"
        raise ValueError(
            f"vec has {n} values, which is no triangle {what}: 1, 3, 6, 10 … were expected; pass `diagonal` "
            "for vectors that leave the diagonal out."
        )
    matrices = np.zeros((*vectors.shape[:-1], n_features, n_features))
    matrices[..., rows, columns] = matrices[..., columns, rows] = vectors
    on = np.arange(n_features)
    if diagonal is not None:
        given = np.asarray(diagonal, dtype=np.float64)
        expected = (*vectors.shape[:-1], n_features)
        if given.shape != expected:
            raise ValueError(f"diagonal has shape {given.shape}; for these vectors {expected} was expected.")
        matrices[..., on, on] = given
    matrices[..., on, on] *= np.sqrt(2)
    return matrices


def cov_to_corr(covariance: ArrayLike) -> NDArray:
    """Correlations of covariances: C_ij / √(C_ii C_jj), and exactly 1 on the diagonal.

    Parameters
    ----------
    covariance : array of shape (..., F, F)

    Returns
    -------
    correlation : array of shape (..., F, F)
        A feature of variance 0 correlates 0 with every other; a warning says so.
    """
    return _scaled_by_diagonal(covariance, "covariance", sign=1.0)


def prec_to_partial(precision: ArrayLike) -> NDArray:
    """Partial correlations of precisions: -P_ij / √(P_ii P_jj), and exactly 1 on the diagonal.

    Parameters
    ----------
    precision : array of shape (..., F, F)

    Returns
    -------
    partial_correlation : array of shape (..., F, F)
    """
    return _scaled_by_diagonal(precision, "precision", sign=-1.0)


def _scaled_by_diagonal(matrices: ArrayLike, name: str, sign: float) -> NDArray:
    given = _square(matrices, name)
    values = given if given.dtype.kind == "f" else given.astype(np.float64)
    diagonal = np.diagonal(values, axis1=-2, axis2=-1)
    if (diagonal <= 0).any():
        empty = np.unique(np.nonzero(diagonal <= 0)[-1])
        warn(
            f"{name}: {len(empty)} features have no variance (the first is {empty[0]}); their values are 0, "
            "and 1 on the diagonal."
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(diagonal > 0, 1 / np.sqrt(diagonal), 0.0).astype(values.dtype)
    scaled = values * (sign * scale[..., :, None]) * scale[..., None, :] + 0.0  # -0.0 becomes 0.0
    on = np.arange(values.shape[-1])
    scaled[..., on, on] = 1
    return scaled


def _square(matrices: ArrayLike, name: str) -> NDArray:
    values = np.asarray(matrices)
    if values.ndim < 2 or values.shape[-1] != values.shape[-2]:
        raise ValueError(f"{name} must have shape (..., F, F); its shape is {values.shape}.")
    return values
