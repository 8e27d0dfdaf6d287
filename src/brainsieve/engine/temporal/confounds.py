"""Confounds: the space that is projected out of signals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

EPS = float(np.finfo(np.float64).eps)
# Of what detrending and filtering leave of a confound: less than this share of it is rounding.
CONSTANT_CONFOUND = 1e-10


def refuse_nonfinite(confounds: NDArray, columns: list[str] | None = None) -> None:
    """Raise ValueError that names columns and rows that are not finite."""
    bad = ~np.isfinite(confounds)
    if not bad.any():
        return
    rows, cols = np.flatnonzero(bad.any(axis=1)), np.flatnonzero(bad.any(axis=0))
    names = [columns[i] if columns else str(i) for i in cols[:6]]
    more = f" and {len(cols) - 6} more" if len(cols) > 6 else ""
    hint = (
        " The first row of derivatives in fMRIPrep's tables is n/a: "
        "brainsieve.interfaces.fmriprep.load_confounds fills it."
        if rows[0] == 0
        else ""
    )
    raise ValueError(
        f"confounds have NaN or infinite values in the columns {', '.join(names)}{more}, "
        f"rows {', '.join(map(str, rows[:6]))}{' …' if len(rows) > 6 else ''} (from 0).{hint}"
    )


def orthonormal(confounds: NDArray, original: NDArray, standardize: bool, n_kept: int) -> NDArray[np.float64]:
    """An orthonormal basis of confounds, as they are after detrending and filtering.

    Parameters
    ----------
    confounds : array of shape (n_kept, n_confounds)
    original : array of shape (n_kept, n_confounds)
        The same before anything was done to them.
    standardize : bool
        z-score (ddof 1) rather than scale to a largest absolute value of 1.

    Returns
    -------
    basis : array of shape (n_kept, rank)
    """
    size = np.abs(original.mean(axis=0)) + original.std(axis=0)
    if standardize:
        scaled = confounds - confounds.mean(axis=0)
        spread = scaled.std(axis=0, ddof=1) if n_kept > 1 else np.zeros(scaled.shape[1])
        varies = spread > np.maximum(CONSTANT_CONFOUND * size, EPS)
        scaled = scaled[:, varies] / spread[varies]
    else:
        largest = np.abs(confounds).max(axis=0)
        varies = largest > CONSTANT_CONFOUND * size
        scaled = confounds[:, varies] / largest[varies]
    if not scaled.shape[1]:
        return np.zeros((n_kept, 0))
    # Pivoted, the columns that depend on others come last: such confounds count once.
    q, r, _ = qr(scaled, mode="economic", pivoting=True)
    diagonal = np.abs(np.diag(r))
    basis = q[:, diagonal > max(100 * EPS, max(scaled.shape) * EPS * diagonal.max())]
    return np.asarray(basis)
