"""Points of a grid within a sphere, in memory that grows with the voxels there are and not with the radius."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.domain import VoxelGrid, apply_affine

# Voxels whose distances are computed at a time.
CHUNK_VOXELS = 2**18
# Voxels around a sphere beyond which they are not counted one by one: the volume is then exact to 1e-4 or better.
MOST_COUNTED = 2**24


def sphere_points(grid: VoxelGrid, centre: NDArray, radius_mm: float) -> NDArray[np.intp]:
    """Points of a grid within a radius of a centre (both in mm), and the one nearest to it; ascending.

    Parameters
    ----------
    grid : VoxelGrid
    centre : array of shape (3,)
    radius_mm : float
        Voxels whose centres are exactly as far are inside.
    """
    low, high = _box(grid, centre, radius_mm)
    low, high = np.maximum(low, 0), np.minimum(high, np.array(grid.shape) - 1)
    points = [grid.voxels_to_points(voxels) for voxels in _within(grid, centre, radius_mm, low, high)]
    nearest = _nearest(grid, centre)
    if ((nearest >= 0) & (nearest < grid.shape)).all():
        points.append(grid.voxels_to_points(nearest[None].astype(np.intp)))
    return np.unique(np.concatenate(points)) if points else np.zeros(0, np.intp)


def sphere_size(grid: VoxelGrid, centre: NDArray, radius_mm: float) -> int:
    """Voxels that a sphere would have if the grid had no end."""
    low, high = _box(grid, centre, radius_mm)
    if np.prod(np.maximum(high - low + 1, 0)) > MOST_COUNTED:
        return round(4 / 3 * np.pi * radius_mm**3 / abs(np.linalg.det(grid.affine[:3, :3])))
    n = sum(map(len, _within(grid, centre, radius_mm, low, high)))
    # The nearest voxel counts in any case.
    return max(n, 1)


def _nearest(grid: VoxelGrid, centre: NDArray) -> NDArray[np.float64]:
    return np.round(apply_affine(np.linalg.inv(grid.affine), centre))  # halves to even


def _box(grid: VoxelGrid, centre: NDArray, radius_mm: float) -> tuple[NDArray, NDArray]:
    """First and last voxel along each axis that may lie in a sphere, also outside of the grid; float64."""
    to_voxels = np.linalg.inv(grid.affine)
    middle = apply_affine(to_voxels, centre)
    # A sphere is an ellipsoid among voxels, whose box reaches this far along each voxel axis.
    reach = radius_mm * np.sqrt((to_voxels[:3, :3] ** 2).sum(axis=1))
    # Rounding may lose no plane of voxels that are exactly as far: which of these are inside, their distance tells.
    return np.ceil(middle - reach - 1e-9), np.floor(middle + reach + 1e-9)


def _within(
    grid: VoxelGrid, centre: NDArray, radius_mm: float, low: NDArray, high: NDArray
) -> Iterator[NDArray[np.intp]]:
    """Voxels (n, 3) of a box that lie in a sphere, some planes of the box at a time."""
    if (high < low).any():
        return
    i, j, k = (np.arange(int(start), int(stop) + 1) for start, stop in zip(low, high, strict=True))
    planes = max(1, CHUNK_VOXELS // (len(i) * len(j)))
    for start in range(0, len(k), planes):
        box = np.meshgrid(i, j, k[start : start + planes], indexing="ij")
        voxels = np.stack(box, axis=-1).reshape(-1, 3)
        distances = np.linalg.norm(apply_affine(grid.affine, voxels) - centre, axis=1)
        yield voxels[distances <= radius_mm]
