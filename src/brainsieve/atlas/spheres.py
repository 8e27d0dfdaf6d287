"""One column for each seed: the points of a grid around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from brainsieve.atlas.base import Atlas, Mask, Placed
from brainsieve.engine.domain import Domain, VoxelGrid
from brainsieve.engine.spatial.average import SparseOperator
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.spatial.sphere import sphere_points, sphere_size

N_NAMED = 5


@dataclass(frozen=True, eq=False)
class Spheres(Atlas):
    """Spheres around seeds, on whatever grid they are placed.

    Attributes
    ----------
    centres : array of shape (n_features, 3)
        In mm.
    radii : array of shape (n_features,)
        In mm; 0 stands for the nearest voxel.
    mask : Mask or None
        Voxels outside are left out.
    given_names : tuple of str or None
    """

    centres: NDArray[np.float64]
    radii: NDArray[np.float64]
    mask: Mask | None = None
    given_names: tuple[str, ...] | None = None

    @property
    def n_features(self) -> int:
        return len(self.centres)

    @property
    def names(self) -> tuple[str, ...] | None:
        return self.given_names

    def _content(self) -> tuple[Any, ...]:
        return self.centres, self.radii, None if self.mask is None else self.mask.key

    def on(self, domain: Domain) -> PlacedSpheres:
        assert isinstance(domain, VoxelGrid)
        points = [sphere_points(domain, *sphere) for sphere in zip(self.centres, self.radii, strict=True)]
        if self.mask is not None:
            mask = self.mask.on(domain)
            points = [inside[mask[inside]] for inside in points]
        self._refuse_empty(points, domain)
        ends = np.cumsum([0, *map(len, points)])
        ones = np.ones(ends[-1], dtype=np.float64)
        shape = (len(points), domain.n_points)
        return PlacedSpheres(
            self, domain, sparse.csr_array((ones, np.concatenate(points), ends), shape=shape)
        )

    def coverage(
        self, domain: Domain, has_data: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        assert isinstance(domain, VoxelGrid)
        found = np.asarray(self.on(domain).members @ has_data.astype(np.float64)).ravel()
        # On the whole lattice: a sphere that the image cuts is covered in part only.
        sizes = [sphere_size(domain, *sphere) for sphere in zip(self.centres, self.radii, strict=True)]
        return np.array(sizes, dtype=np.float64), found

    def _refuse_empty(self, points: list[NDArray[np.intp]], grid: VoxelGrid) -> None:
        empty = [i for i, inside in enumerate(points) if not len(inside)]
        if empty:
            where = "the image" if self.mask is None else "the image and mask_img"
            raise ValueError(
                f"{len(empty)} spheres have no voxel inside {where} ({grid.describe()}): "
                f"{self.named(empty)}. Are the seeds in the world coordinates (mm) of the image?"
            )

    def named(self, seeds: list[int]) -> str:
        """Seeds for a message."""
        some = [f"seed {i} at {tuple(round(float(x), 3) for x in self.centres[i])}" for i in seeds[:N_NAMED]]
        more = f" and {len(seeds) - N_NAMED} more" if len(seeds) > N_NAMED else ""
        return ", ".join(some) + more


class PlacedSpheres(Placed):
    """Spheres on a grid.

    Parameters
    ----------
    spheres : Spheres
    domain : VoxelGrid
    members : sparse array of shape (n_features, n_points)
        1 for the voxels of each.
    """

    def __init__(self, spheres: Spheres, domain: VoxelGrid, members: sparse.csr_array) -> None:
        self.domain, self.members = domain, members
        self._spheres = spheres
        self.sizes = np.diff(members.indptr)
        # A sphere without a voxel is refused when it is placed.
        self.lost, self.fill = np.zeros(0, np.intp), np.zeros(0)

    def operator(self, strategy: str | None = None, folded: bool = False) -> SpatialOperator:
        weights = self.members.copy()
        weights.data = np.repeat(1.0 / self.sizes, self.sizes)
        return SparseOperator(weights)

    def touching(self) -> None:
        return None

    def back(self, signals: NDArray, dtype: Any) -> NDArray:
        n_spheres = np.asarray(self.members.sum(axis=0)).ravel()
        # At least 1: voxels of no sphere are 0, and not 0 / 0.
        return (np.asarray(signals @ self.members) / np.maximum(n_spheres, 1)).astype(dtype)

    def refuse_overlap(self, point: str = "voxel") -> None:
        """Raise ValueError if two spheres share a voxel."""
        shared = (self.members @ self.members.T).tocoo()
        pairs = [(int(i), int(j)) for i, j in zip(shared.row, shared.col, strict=True) if i < j]
        if pairs:
            i, j = pairs[0]
            centres = self._spheres.centres
            same = " They are the same seed." if (centres[i] == centres[j]).all() else ""
            raise ValueError(
                f"allow_overlap is False, but {len(pairs)} pairs of spheres share {point}s; "
                f"{self._spheres.named([i, j])}, for one.{same} Pass allow_overlap=True or a smaller radius."
            )
