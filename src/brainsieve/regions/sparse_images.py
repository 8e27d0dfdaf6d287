"""Images of volumes that are mostly 0, held as sparse rows and made dense no sooner than someone reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
from nibabel.fileslice import canonical_slicers
from nibabel.nifti1 import Nifti1Image
from numpy.typing import DTypeLike, NDArray
from scipy import sparse

from brainsieve.engine.domain import VoxelGrid


class SparseVolumes:
    """The data of a 4-D image whose volumes are rows of a sparse matrix: what nibabel calls an array proxy.

    Reading a volume makes that volume dense, ``numpy.asarray`` all of them.

    Parameters
    ----------
    rows : sparse array of shape (n_volumes, n_points)
        Points in the order of the grid.
    grid : VoxelGrid
    """

    is_proxy = True
    ndim = 4

    def __init__(self, rows: sparse.csr_array, grid: VoxelGrid) -> None:
        self.rows, self.grid = rows, grid
        self.shape = (*grid.shape, rows.shape[0])
        self.dtype = rows.dtype

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray:
        return self._dense(self.rows, self.dtype if dtype is None else dtype)

    def __getitem__(self, slicer: Any) -> NDArray:
        *in_space, volumes = canonical_slicers(slicer, self.shape)
        if isinstance(volumes, slice):
            return self._dense(self.rows[volumes], self.dtype)[tuple(in_space)]
        return self._dense(self.rows[[int(volumes)]], self.dtype)[..., 0][tuple(in_space)]

    def _dense(self, rows: sparse.csr_array, dtype: DTypeLike) -> NDArray:
        # Volumes one after another, as files store them: each row is a piece of memory of its own.
        volumes = np.zeros(rows.shape, dtype=dtype)
        each = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        volumes[each, rows.indices] = rows.data
        return self.grid.unflatten(volumes.T)


def sparse_image(rows: sparse.csr_array, grid: VoxelGrid) -> Nifti1Image:
    """A 4-D image of the rows of a sparse matrix, which stays sparse until its data are read.

    Parameters
    ----------
    rows : sparse array of shape (n_volumes, n_points)
    grid : VoxelGrid

    Returns
    -------
    img : Nifti1Image
        ``img.slicer[..., i : i + 1]`` and `brainsieve.image.index_img` make no more than their volumes dense.
    """
    made = Nifti1Image(SparseVolumes(rows, grid), grid.affine)
    made.header.set_xyzt_units("mm")
    return made


def dense_image(values: NDArray, grid: VoxelGrid) -> Nifti1Image:
    """An image of values (n_points,) or (n_volumes, n_points) that shares their memory."""
    return Nifti1Image(grid.unflatten(values.T), grid.affine)
