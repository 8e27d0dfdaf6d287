"""Operators from one voxel grid to another, of which a plan can take a part.

A plan computes only the voxels that are wanted (`restricted`, `on_reach`), and moves the weights of a region
back to the grid that images come on (`adjoint_of_points`). Boxes are given along voxel axes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.spatial.operator import Renumber, SpatialOperator

Shape = tuple[int, int, int]
Box = tuple[slice, slice, slice]


class GridOperator(SpatialOperator):
    """A linear operator from voxels to voxels.

    Attributes
    ----------
    source_shape, target_shape : tuple of 3 int
    """

    source_shape: Shape
    target_shape: Shape
    is_costly = True

    @property
    @abstractmethod
    def work(self) -> float:
        """About how many nanoseconds a sample takes, on one core."""

    @abstractmethod
    def restricted(self, points: NDArray[np.intp]) -> tuple[GridOperator, Renumber]:
        """The operator for some target points (it may give others too), and how points are numbered then."""

    def on_reach(self) -> tuple[GridOperator, Box] | None:
        """The operator on the box of the source that it reads, and that box; None if it reads everything."""
        return None

    @abstractmethod
    def adjoint_of_points(
        self, points: NDArray[np.intp], weights: NDArray[np.float64], negligible: float
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Aᵀ of weights of some target points, as points of the source (ascending) and their weights.

        Weights below `negligible` of the largest are left out.
        """


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
    k, j, i = np.nonzero(size.T > negligible * size.max(initial=0.0))
    points = (i + start[0]) + shape[0] * ((j + start[1]) + shape[1] * (k + start[2]))
    return points, weights[i, j, k]
