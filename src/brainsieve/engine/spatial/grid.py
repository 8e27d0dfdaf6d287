"""Operators from one voxel grid to another, of which a plan can take a part.

A plan computes only the voxels that are wanted (`restricted`, `on_reach`), and moves the weights of a region
back to the grid that images come on (`adjoint_of_points`). Boxes are given along voxel axes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from brainsieve.engine.spatial.operator import SpatialOperator, Weights

Shape = tuple[int, int, int]
Box = tuple[slice, slice, slice]

# Weights smaller than this share of their region's largest are dropped.
NEGLIGIBLE = 1e-7
# Room for weights at first; it doubles as it is filled.
FIRST_WEIGHTS = 2**20


class GridOperator(SpatialOperator):
    """A linear operator from voxels to voxels.

    Attributes
    ----------
    source_shape, target_shape : tuple of 3 int
    """

    source_shape: Shape
    target_shape: Shape
    is_costly = True

    @abstractmethod
    def adjoint_of_points(
        self, points: NDArray[np.intp], weights: NDArray[np.float64], negligible: float
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Aᵀ of weights of some target points, as points of the source (ascending) and their weights.

        Weights below `negligible` of the largest are left out.
        """

    def weights_before(self, weights: Weights, most: float) -> sparse.csr_array | None:
        # Arrays that grow in place: rows gathered in lists and put together would need the memory twice.
        indices = np.empty(FIRST_WEIGHTS, np.int32 if self.n_points < 2**31 else np.int64)
        values = np.empty(FIRST_WEIGHTS)
        ends = [0]
        for points, of_points in weights.rows():
            moved = self.adjoint_of_points(points.astype(np.intp), of_points, NEGLIGIBLE)
            first, last = ends[-1], ends[-1] + len(moved[0])
            if last > most:
                return None
            if last > len(values):
                for grown in (indices, values):
                    grown.resize(max(last, 2 * len(grown)), refcheck=False)
            indices[first:last], values[first:last] = moved
            ends.append(last)
        for grown in (indices, values):
            grown.resize(ends[-1], refcheck=False)
        shape = (len(ends) - 1, self.n_points)
        return sparse.csr_array((values, indices, np.array(ends, indices.dtype)), shape=shape)


def box_of(points: NDArray[np.intp], shape: Shape) -> Box:
    """The smallest box that holds points of a grid."""
    if not len(points):
        return (slice(0, 1), slice(0, 1), slice(0, 1))
    voxels = np.unravel_index(points, shape, order="F")
    i, j, k = (slice(int(v.min()), int(v.max()) + 1) for v in voxels)
    return (i, j, k)


def box_shape(box: Box) -> Shape:
    i, j, k = (part.stop - part.start for part in box)
    return (i, j, k)


def points_of(box: Box, shape: Shape) -> NDArray[np.intp]:
    """Points of a grid in a box, ascending."""
    i, j, k = (np.arange(part.start, part.stop) for part in box)
    planes = (j[None, :] + shape[1] * k[:, None]) * shape[0]
    return (planes[..., None] + i).ravel()


class InBox:
    """How points of a grid are numbered within a box of it. A class, so that plans can be pickled."""

    def __init__(self, box: Box, shape: Shape) -> None:
        self.box, self.shape = box, shape

    def __call__(self, points: NDArray[np.intp]) -> NDArray[np.intp]:
        voxels = np.unravel_index(points, self.shape, order="F")
        inside = tuple(v - part.start for v, part in zip(voxels, self.box, strict=True))
        return np.asarray(np.ravel_multi_index(inside, box_shape(self.box), order="F"))


def filled_box(
    points: NDArray[np.intp], weights: NDArray[np.float64], shape: Shape
) -> tuple[NDArray[np.float64], list[int]]:
    """Weights of points as an array on the smallest box that holds them, and where that box starts."""
    box = box_of(points, shape)
    extent = box_shape(box)
    size = int(np.prod(extent))
    flat = np.bincount(InBox(box, shape)(points), weights, minlength=size).astype(np.float64, copy=False)
    return flat.reshape(extent, order="F"), [part.start for part in box]


def weights_in_box(
    weights: NDArray[np.float64], start: Sequence[int], shape: Shape, negligible: float
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Points of a grid, ascending, and their weights, from an array on a box that starts at `start`."""
    size = np.abs(weights)
    # Transposed, the first voxel axis runs fastest: points come out ascending.
    k, j, i = np.nonzero(negligible * size.max(initial=0.0) < size.T)
    points = (i + start[0]) + shape[0] * ((j + start[1]) + shape[1] * (k + start[2]))
    return points, weights[i, j, k]
