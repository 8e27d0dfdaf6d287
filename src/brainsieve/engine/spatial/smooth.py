"""Gaussian smoothing on voxel grids."""

from __future__ import annotations

import numbers
import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import gaussian_filter1d

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.spatial.average import SparseOperator
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.spatial.separable import Separable

# Standard deviations in one full width at half maximum.
SIGMA_PER_FWHM = 1.0 / np.sqrt(8.0 * np.log(2.0))
# Weight of each of the six neighbours in "fast" smoothing, where a voxel's own is 1.
FAST_NEIGHBOUR = 0.2

Fwhm = tuple[float, float, float] | Literal["fast"]


def checked_fwhm(fwhm: Any, name: str = "smoothing_fwhm") -> Fwhm | None:
    """Normalise a FWHM: three widths in mm, "fast", or None for no smoothing.

    Raises
    ------
    TypeError, ValueError
        If it is neither a number, three of them, "fast" nor None, or is negative or not finite.

    Warns
    -----
    UserWarning
        For 0, which does not smooth.
    """
    if fwhm is None:
        return None
    if isinstance(fwhm, str):
        if fwhm != "fast":
            raise ValueError(f"{name} must be a number in mm, three of them, 'fast' or None; not {fwhm!r}.")
        return "fast"
    if isinstance(fwhm, bool | np.bool_):
        raise TypeError(f"{name} must be a number in mm, three of them, 'fast' or None; not {fwhm!r}.")
    if isinstance(fwhm, numbers.Real):
        widths = [float(fwhm)] * 3
    else:
        widths = _three_widths(fwhm, name)
    if not np.isfinite(widths).all() or min(widths) < 0:
        raise ValueError(f"{name} must be finite and not negative, in mm; {fwhm!r} was given.")
    if not any(widths):
        warnings.warn(f"{name}=0 does not smooth; None says so without this warning.", stacklevel=3)
        return None
    return (widths[0], widths[1], widths[2])


def _three_widths(fwhm: Any, name: str) -> list[float]:
    try:
        widths = [0.0 if width is None else float(width) for width in fwhm]
    except (TypeError, ValueError):
        raise TypeError(
            f"{name} must be a number in mm, three of them, 'fast' or None; {fwhm!r} was given."
        ) from None
    if len(widths) != 3:
        raise ValueError(f"{name} must have one width or three (one for each axis); {fwhm!r} was given.")
    return widths


def smooth(grid: VoxelGrid, fwhm: Any) -> SpatialOperator:
    """Smoothing of images on a grid.

    Parameters
    ----------
    grid : VoxelGrid
    fwhm : float, sequence of 3 float or None, or "fast"
        Full width at half maximum in mm, for all or for each voxel axis; None or 0: not along this axis.
        "fast": each voxel plus 0.2 of its six neighbours, over 2.2, those outside the grid counting as 0.

    Returns
    -------
    operator : SpatialOperator
        Equals ``scipy.ndimage.gaussian_filter1d`` along each axis with its defaults (reflected at the edges,
        cut at four standard deviations).
    """
    checked = checked_fwhm(fwhm, "fwhm")
    if checked is None:
        return Separable([np.eye(n) for n in grid.shape])
    if checked == "fast":
        return SparseOperator(_fast_stencil(grid.shape))
    sigmas = np.array(checked) * SIGMA_PER_FWHM / grid.voxel_sizes_mm
    return Separable([_gaussian(n, sigma) for n, sigma in zip(grid.shape, sigmas, strict=True)])


def _gaussian(n: int, sigma: float) -> NDArray[np.float64]:
    """SciPy's filter along an axis, probed with the identity."""
    if sigma == 0:
        return np.eye(n)
    return np.asarray(gaussian_filter1d(np.eye(n), sigma, axis=0))


def _fast_stencil(shape: tuple[int, int, int]) -> sparse.csr_array:
    own = 1.0 / (1.0 + 6 * FAST_NEIGHBOUR)
    beside = [sparse.diags_array([np.ones(n - 1)] * 2, offsets=[-1, 1], shape=(n, n)) for n in shape]
    eyes = [sparse.eye_array(n) for n in shape]
    # The first axis runs fastest, hence stands last in the Kronecker products.
    neighbours = (
        sparse.kron(eyes[2], sparse.kron(eyes[1], beside[0]))
        + sparse.kron(eyes[2], sparse.kron(beside[1], eyes[0]))
        + sparse.kron(beside[2], sparse.kron(eyes[1], eyes[0]))
    )
    whole = sparse.eye_array(int(np.prod(shape))) + FAST_NEIGHBOUR * neighbours
    return sparse.csr_array(own * whole)
