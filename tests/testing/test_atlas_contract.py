"""Atlases keep their contract."""

from __future__ import annotations

import nibabel as nib
import numpy as np

from brainsieve.atlas import Labels, Maps, Points, Spheres
from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.source import open_source
from brainsieve.testing import AtlasContract

GRID = VoxelGrid((7, 6, 5), np.diag([2.0, 2.0, 2.0, 1.0]))


class TestPoints(AtlasContract):
    inside = np.random.default_rng(3).random(GRID.n_points) > 0.5

    def make(self):
        return Points(GRID, self.inside.copy())

    def domain(self):
        return GRID

    def meaning(self, block):
        # Columns of voxels come with the last axis fastest, as NumPy's indexing by a mask gives them.
        mask = self.inside.reshape(GRID.shape, order="F")
        return np.stack([row.reshape(GRID.shape, order="F")[mask] for row in block])


class TestSpheres(AtlasContract):
    centres = np.array([[4.0, 4.0, 4.0], [10.0, 8.0, 4.0]])

    def make(self):
        return Spheres(self.centres.copy(), np.array([2.0, 3.0]))

    def domain(self):
        return GRID

    def meaning(self, block):
        voxels = np.stack(np.unravel_index(np.arange(GRID.n_points), GRID.shape, order="F"), axis=1)
        near = [
            np.linalg.norm(2.0 * voxels - c, axis=1) <= r for c, r in zip(self.centres, (2, 3), strict=True)
        ]
        return np.stack([block[:, inside].mean(axis=1) for inside in near], axis=1)


class TestLabels(AtlasContract):
    ids = np.random.default_rng(4).choice([0, 3, 7, 1000], GRID.n_points)

    def make(self):
        return Labels.of_values(self.ids.copy(), GRID)

    def domain(self):
        return GRID

    def meaning(self, block):
        return np.stack([block[:, self.ids == region].mean(axis=1) for region in (3, 7, 1000)], axis=1)


class TestMaps(AtlasContract):
    weights = np.random.default_rng(5).random((3, GRID.n_points)) * (
        np.random.default_rng(6).random((3, GRID.n_points)) < 0.3
    )

    def make(self):
        return Maps.of_source(as_source(self.weights))

    def domain(self):
        return GRID

    def meaning(self, block):
        return np.linalg.lstsq(self.weights.T, block.T, rcond=None)[0].T


def as_source(rows):
    """An image of rows (n_samples, n_points), opened."""
    volumes = np.stack([row.reshape(GRID.shape, order="F") for row in rows], axis=-1)
    return open_source(nib.Nifti1Image(volumes, GRID.affine))
