"""Which points of a masker are neighbours: faces of voxels that touch, edges of a mesh."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.surface import SurfaceImage


def edges_of(masker: Any) -> NDArray[np.intp]:
    """Pairs of neighbouring columns of a fitted voxel or vertex masker, shape (n_edges, 2).

    Raises
    ------
    TypeError
        If it is no fitted masker with one column for each point of its mask.
    """
    mask = getattr(masker, "mask_img_", None)
    if mask is None or hasattr(masker, "labels_img_") or hasattr(masker, "maps_img_"):
        raise TypeError(
            f"masker must be a fitted NiftiMasker or SurfaceMasker, whose columns are voxels or vertices; {masker!r} "
            "was given."
        )
    if isinstance(mask, SurfaceImage):
        return _of_meshes(mask)
    return of_voxels(np.asanyarray(mask.dataobj).reshape(mask.shape[:3]) != 0)


def of_voxels(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Pairs of voxels of a 3-D mask that share a face, as positions among the voxels of the mask in C order."""
    position = np.full(mask.shape, -1, dtype=np.intp)
    position[mask] = np.arange(int(mask.sum()))
    pairs = []
    for axis in range(mask.ndim):
        first = np.moveaxis(position, axis, 0)[:-1].ravel()
        second = np.moveaxis(position, axis, 0)[1:].ravel()
        both = (first >= 0) & (second >= 0)
        pairs.append(np.column_stack([first[both], second[both]]))
    return np.concatenate(pairs)


def _of_meshes(mask: SurfaceImage) -> NDArray[np.intp]:
    pairs, n_before = [], 0
    for part, inside in mask.data.parts.items():
        inside = np.asarray(inside).reshape(len(inside)) != 0
        position = np.full(len(inside), -1, dtype=np.intp)
        position[inside] = n_before + np.arange(int(inside.sum()))
        n_before += int(inside.sum())
        faces = position[np.asarray(mask.mesh.parts[part].faces)]
        sides = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [0, 2]]]), axis=1)
        # Two triangles share most sides; -1 stands for a vertex outside.
        pairs.append(np.unique(sides[sides[:, 0] >= 0], axis=0))
    return np.concatenate(pairs)
