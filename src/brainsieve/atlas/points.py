"""One column for each point of a mask."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from brainsieve.atlas.base import Atlas, Placed
from brainsieve.atlas.placing import moved
from brainsieve.engine.domain import Domain, VoxelGrid
from brainsieve.engine.spatial.average import SparseOperator
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.spatial.select import Select


@dataclass(frozen=True, eq=False)
class Points(Atlas):
    """The points of a mask.

    Attributes
    ----------
    domain : Domain
    inside : bool array of shape (n_points,)
        Columns are in order of the points; for voxels in C order, the last voxel axis fastest.
    """

    domain: Domain
    inside: NDArray[np.bool_]

    @property
    def n_features(self) -> int:
        return int(self.inside.sum())

    def _content(self) -> tuple[Any, ...]:
        return self.domain.fingerprint, self.inside

    def on(self, domain: Domain) -> PlacedPoints:
        n = self.n_features
        points = column_order(self.domain, self.inside)
        if domain == self.domain:
            return PlacedPoints(domain, points, np.arange(n), n)
        # Columns keep the atlas's own order, wherever its points stand in the image.
        columns = np.full(len(self.inside), -1, dtype=np.int64)
        columns[points] = np.arange(n)
        here = moved(columns, self.domain, domain, outside=-1)
        points = np.flatnonzero(here >= 0)
        points = points[np.argsort(here[points], kind="stable")]
        return PlacedPoints(domain, points, here[points], n)

    def coverage(
        self, domain: Domain, has_data: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        there = moved(has_data, domain, self.domain, outside=False)
        return np.array([self.n_features], float), np.array([(self.inside & there).sum()], float)


class PlacedPoints(Placed):
    """Points of a mask among those of a domain.

    Parameters
    ----------
    domain : Domain
    points : array of int
        In order of their columns.
    columns : array of int
        The column of each; all of them where none is lost.
    n_features : int
    """

    def __init__(
        self, domain: Domain, points: NDArray[np.intp], columns: NDArray[np.intp], n_features: int
    ) -> None:
        self.domain, self.points, self.columns = domain, points, columns
        self.sizes = np.zeros(n_features, dtype=np.intp)
        self.sizes[columns] = 1
        self.lost = np.flatnonzero(self.sizes == 0)
        self.fill = np.full(len(self.lost), np.nan)

    def operator(self, strategy: str | None = None, folded: bool = False) -> SpatialOperator:
        n_points = self.domain.n_points
        if not len(self.lost):
            return Select(self.points, n_points)
        shape = (len(self.sizes), n_points)
        ones = np.ones(len(self.points))
        return SparseOperator(sparse.csr_array((ones, (self.columns, self.points)), shape=shape))

    def touching(self) -> None:
        return None

    def back(self, signals: NDArray, dtype: Any) -> NDArray:
        n_points = self.domain.n_points
        if signals.dtype == dtype and np.array_equal(self.points, np.arange(n_points)) and not len(self.lost):
            return signals  # all points in their order, as CIFTI has them: no copy of half a gigabyte
        # In the order of the signals: series that lie together are written together.
        order: Literal["F", "C"] = "F" if signals.ndim == 2 and signals.flags.f_contiguous else "C"
        values = np.zeros((*signals.shape[:-1], n_points), dtype=dtype, order=order)
        values[..., self.points] = signals[..., self.columns] if len(self.lost) else signals
        return values


@singledispatch
def column_order(domain: Domain, inside: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Points of a mask in the order of their columns; open to new kinds of domain."""
    return np.flatnonzero(inside)


@column_order.register
def _of_voxels(domain: VoxelGrid, inside: NDArray[np.bool_]) -> NDArray[np.intp]:
    # Files store the first axis fastest, masks are read by NumPy in C order: the peer's columns are the latter.
    in_c_order = np.flatnonzero(domain.unflatten(inside))
    return np.ravel_multi_index(np.unravel_index(in_c_order, domain.shape), domain.shape, order="F")
