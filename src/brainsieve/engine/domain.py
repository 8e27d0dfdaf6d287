"""Domains: where the points of an image live.

A domain numbers its points 0 … n_points - 1 in the order in which files store them, and equality decides
whether data must be resampled. Everything that knows of a shape or an affine is in `VoxelGrid`; the rest
of the engine sees `n_points`, `==` and `fingerprint`.
"""

from __future__ import annotations

import hashlib
import itertools
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Two grids are the same when no corner voxel's centre moves by more than this share of a voxel:
# affines come through float32 headers and quaternions, which lose about 1e-4 mm.
SAME_GRID_TOLERANCE = 1e-3


class Domain(ABC):
    """Numbered points in space.

    Equality (`==`) means: the same points in the same order, so that values need no resampling.
    Subclasses are immutable and hashable by `fingerprint`.
    """

    @property
    @abstractmethod
    def n_points(self) -> int:
        """Number of points."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """A short digest of what the domain is, stable between processes."""

    @abstractmethod
    def describe(self) -> str:
        """Name the domain in a few words, for messages."""

    @abstractmethod
    def __eq__(self, other: object) -> bool: ...

    def __hash__(self) -> int:
        # Equality has a tolerance, so only what cannot differ between equal domains is hashed.
        return hash((type(self).__name__, self.n_points))


@dataclass(frozen=True, eq=False)
class VoxelGrid(Domain):
    """A regular grid of voxels and its affine.

    Points are numbered with the first axis fastest, as NIfTI files store voxels: voxel (i, j, k) is point
    ``i + shape[0] * (j + shape[1] * k)``.

    Parameters
    ----------
    shape : tuple of 3 int
    affine : array of shape (4, 4)
        From voxel indices to world coordinates in mm.

    Raises
    ------
    ValueError
        If the shape is not three positive numbers or the affine is not finite and invertible.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise ValueError(f"A voxel grid needs three positive sizes; the shape given is {self.shape}.")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", checked_affine(self.affine))

    @property
    def n_points(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def voxel_sizes_mm(self) -> NDArray[np.float64]:
        """Distance between neighbours along each voxel axis, in mm; shape (3,)."""
        return np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))

    @property
    def fingerprint(self) -> str:
        digest = hashlib.blake2b(repr(self.shape).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(self.affine, dtype="<f8").tobytes())
        return digest.hexdigest()

    def describe(self) -> str:
        sizes = " × ".join(f"{size:.3g}" for size in self.voxel_sizes_mm)
        return f"{' × '.join(map(str, self.shape))} voxels of {sizes} mm"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VoxelGrid) or other.shape != self.shape:
            return False
        corners = corner_voxels(self.shape)
        moved = apply_affine(np.linalg.inv(self.affine) @ other.affine, corners) - corners
        return bool(np.abs(moved).max() <= SAME_GRID_TOLERANCE)

    def __hash__(self) -> int:
        return hash((self.shape,))

    def flatten(self, volume: NDArray) -> NDArray:
        """Put a volume of shape `shape` (+ samples) in point order: (n_points[, n_samples])."""
        return volume.reshape(self.n_points, *volume.shape[3:], order="F")

    def unflatten(self, values: NDArray) -> NDArray:
        """Undo `flatten`: (n_points[, n_samples]) to `shape` (+ samples)."""
        return values.reshape(*self.shape, *values.shape[1:], order="F")

    def voxels_to_points(self, voxels: NDArray) -> NDArray[np.intp]:
        """Point numbers of voxel indices (n, 3)."""
        return np.ravel_multi_index(tuple(np.asarray(voxels).T), self.shape, order="F")


def checked_affine(affine: ArrayLike, name: str = "affine") -> NDArray[np.float64]:
    """Return the affine as float64 (4, 4), or say why it cannot place voxels in space."""
    matrix = np.array(affine, dtype=np.float64)
    if matrix.shape != (4, 4):
        raise ValueError(f"{name} must have shape (4, 4); it has shape {matrix.shape}.")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} has entries that are not finite:\n{matrix}")
    determinant = np.linalg.det(matrix[:3, :3])
    scale = np.prod(np.sqrt((matrix[:3, :3] ** 2).sum(axis=0)))
    if scale == 0 or abs(determinant) < 1e-9 * scale:
        raise ValueError(f"{name} is singular: it maps the grid onto a plane, a line or a point:\n{matrix}")
    # Domains are shared by sources and plans, and caches are keyed by them: nobody may move one.
    matrix.setflags(write=False)
    return matrix


def apply_affine(affine: NDArray, points: NDArray) -> NDArray[np.float64]:
    """Transform points of shape (..., 3) by an affine of shape (4, 4)."""
    return points @ affine[:3, :3].T + affine[:3, 3]


def corner_voxels(shape: tuple[int, int, int]) -> NDArray[np.float64]:
    """Indices of the 8 corner voxels, shape (8, 3)."""
    return np.array(list(itertools.product(*((0, n - 1) for n in shape))), dtype=np.float64)
