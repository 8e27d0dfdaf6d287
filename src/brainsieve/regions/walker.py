"""Pieces of a map around its peaks: a random walk that starts in a voxel is given to the peak that it reaches first.

Grady 2006, doi:10.1109/TPAMI.2006.233: the probability of each peak is harmonic on the graph of the voxels that are
not 0, neighbours by faces, of weight exp(-β g²) where values differ by g. Only pieces that hold several peaks are
walked in, each on its own bounding box: elsewhere the answer is known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import cg

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.spatial.smooth import SIGMA_PER_FWHM, Fwhm, smooth
from brainsieve.mass_univariate.geometry import of_voxels

# Peaks are the largest value of so many voxels to each side, and above this share of the map's largest.
REACH_VOXELS = 10
LEAST_SHARE = 0.1
# Steeper differences of values part voxels more: β over the standard deviation of the map.
STEEPNESS = 13.0
# Keeps a path open where values jump.
LEAST_WEIGHT = 1e-10
# nilearn's. Probabilities of weakly tied voxels are not converged at this, and which label they get hangs on it; a
# smaller one costs more and changes a few voxels.
TOLERANCE = 1e-3


def peaks(
    volume: NDArray, grid: VoxelGrid, fwhm: Fwhm | None, distance_mm: float | None = None
) -> NDArray[np.intp]:
    """Local maxima of a smoothed map, numbered from 1 in C order; peaks that touch are one.

    Parameters
    ----------
    volume : array of shape `grid.shape`
    grid : VoxelGrid
    fwhm : as `checked_fwhm` gives it
    distance_mm : float, optional
        Half the side of the cube whose largest value a peak is. None: 10 voxels.

    Returns
    -------
    labels : array of int of the same shape
    """
    smoothed = _smoothed(volume, grid, fwhm)
    reach: Any = [REACH_VOXELS] * 3
    if distance_mm is not None:
        reach = np.maximum(np.floor(distance_mm / grid.voxel_sizes_mm + 1e-6).astype(int), 1)
    window = [2 * int(voxels) + 1 for voxels in reach]
    largest = ndimage.maximum_filter(smoothed, size=window, mode="constant")
    least = max(LEAST_SHARE * float(smoothed.max()), 0.0)
    return np.asarray(ndimage.label((smoothed == largest) & (smoothed > least))[0])


def _smoothed(volume: NDArray, grid: VoxelGrid, fwhm: Fwhm | None) -> NDArray:
    if fwhm is None:
        return volume
    if fwhm == "fast":
        return grid.unflatten(smooth(grid, fwhm).forward(grid.flatten(volume)[None])[0])
    # SciPy's own loop, not our products of matrices: voxels of a plateau must come out equal to the last bit, or each
    # of them would be a peak or none (test_a_plateau_is_one_peak).
    for axis, width in enumerate(fwhm):
        sigma = width * SIGMA_PER_FWHM / grid.voxel_sizes_mm[axis]
        if sigma > 0:
            volume = ndimage.gaussian_filter1d(volume, sigma, axis=axis)
    return volume


def around_peaks(volume: NDArray, pieces: NDArray[np.intp], seeds: NDArray[np.intp]) -> NDArray[np.intp]:
    """The peak of each voxel of the pieces that hold one.

    Parameters
    ----------
    volume : 3-D array
    pieces : array of int
        Numbers of the connected pieces of what is not 0 in it.
    seeds : array of int
        Numbers of the peaks.

    Returns
    -------
    labels : array of int
        Numbers of the peaks, 0 where a piece has none.
    """
    seeds = np.where(pieces > 0, seeds, 0)
    pairs = np.unique(np.stack([pieces[seeds > 0], seeds[seeds > 0]]), axis=1)
    of_piece = np.zeros(int(pieces.max(initial=0)) + 1, dtype=seeds.dtype)
    of_piece[pairs[0]] = pairs[1]
    labels = of_piece[pieces]
    several = np.flatnonzero(np.bincount(pairs[0]) > 1)
    if not len(several):
        return labels
    # Over the whole map, zeros included, as in nilearn.
    spread = float(np.std(volume, dtype=np.float64))
    boxes = ndimage.find_objects(pieces)
    for piece in several:
        box = boxes[piece - 1]
        inside = pieces[box] == piece
        labels[box][inside] = _walked(volume[box], inside, seeds[box][inside], spread)
    return labels


def _walked(
    volume: NDArray, inside: NDArray[np.bool_], seeds: NDArray[np.intp], spread: float
) -> NDArray[np.intp]:
    """The peak that a walk from each voxel inside reaches with the greatest probability, in C order."""
    laplacian = _laplacian(volume, inside, spread)
    labels = seeds.copy()
    free, fixed = np.flatnonzero(seeds == 0), np.flatnonzero(seeds > 0)
    if not len(free):
        return labels
    among_free = laplacian[free][:, free]
    towards_fixed = laplacian[free][:, fixed]
    best = np.full(len(free), -np.inf)
    for peak in np.unique(seeds[fixed]):
        flow = -(towards_fixed @ (seeds[fixed] == peak).astype(np.float64))
        probability = cg(among_free, flow, rtol=TOLERANCE, atol=0.0)[0]
        nearer = probability > best
        labels[free[nearer]] = peak
        best[nearer] = probability[nearer]
    return labels


def _laplacian(volume: NDArray, inside: NDArray[np.bool_], spread: float) -> sparse.csr_array:
    first, second = of_voxels(inside).T
    values = volume[inside].astype(np.float64)
    beta = STEEPNESS / spread if spread > 0 else 0.0
    weights = np.exp(-beta * (values[first] - values[second]) ** 2) + LEAST_WEIGHT
    n = len(values)
    ties = sparse.coo_array((weights, (first, second)), shape=(n, n)).tocsr()
    ties = ties + ties.T
    return sparse.csr_array(sparse.diags_array(np.asarray(ties.sum(axis=1)).ravel()) - ties)
