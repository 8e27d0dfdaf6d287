"""CIFTI-2 images made of arrays: axes as nibabel and Workbench know them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.cifti2 import cifti2_axes
from numpy.typing import NDArray

from brainsieve.engine.grayordinates import (
    STRUCTURE_PREFIX,
    Grayordinates,
    Parcels,
    SurfaceModel,
    VoxelModel,
)

# NIfTI intent codes of the kinds of file.
INTENTS = {
    ("series", True): "NIFTI_INTENT_CONNECTIVITY_DENSE_SERIES",
    ("scalars", True): "NIFTI_INTENT_CONNECTIVITY_DENSE_SCALARS",
    ("series", False): "NIFTI_INTENT_CONNECTIVITY_PARCELLATED_SERIES",
    ("scalars", False): "NIFTI_INTENT_CONNECTIVITY_PARCELLATED_SCALAR",
}


def cifti_image(
    values: NDArray,
    domain: Grayordinates | Parcels,
    t_r: float | None = None,
    names: Sequence[str] | None = None,
) -> Any:
    """A CIFTI-2 image of values on a domain.

    Parameters
    ----------
    values : array of shape (n_samples, n_points) or (n_points,)
        Of one sample: scalars (``.dscalar.nii``, ``.pscalar.nii``); else a series (``.dtseries.nii``,
        ``.ptseries.nii``). float32 or float64 are kept, other types become float32.
    domain : Grayordinates or Parcels
    t_r : float, optional
        Seconds between samples. Default: 1.
    names : list of str, optional
        Of the samples, which are then maps of scalars.

    Returns
    -------
    img : nibabel.Cifti2Image
    """
    values = np.asarray(values)
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float32)
    kind = "series" if values.ndim == 2 and names is None else "scalars"
    rows = np.atleast_2d(values)
    if kind == "series":
        samples: Any = cifti2_axes.SeriesAxis(0.0, t_r or 1.0, len(rows), "SECOND")
    else:
        samples = cifti2_axes.ScalarAxis(list(names) if names else [f"map {i + 1}" for i in range(len(rows))])
    points = parcels_axis(domain) if isinstance(domain, Parcels) else brain_model_axis(domain)
    image = nib.Cifti2Image(rows, header=(samples, points))
    image.nifti_header.set_intent(INTENTS[kind, isinstance(domain, Grayordinates)])
    image.nifti_header.set_data_dtype(rows.dtype)
    return image


def brain_model_axis(domain: Grayordinates) -> Any:
    """nibabel's axis of grayordinates."""
    n = domain.n_points
    names = np.empty(n, dtype="U60")
    vertices = np.full(n, -1, dtype=np.int32)
    voxels = np.full((n, 3), -1, dtype=np.int32)
    sizes = {}
    for model, span in zip(domain.models, domain.spans, strict=True):
        name = STRUCTURE_PREFIX + model.structure
        names[span] = name
        if isinstance(model, SurfaceModel):
            vertices[span] = model.vertices
            sizes[name] = model.n_vertices
        else:
            voxels[span] = model.voxels
    grid = domain.grid if domain.has_voxels else None
    return cifti2_axes.BrainModelAxis(
        names,
        voxels,
        vertices,
        None if grid is None else grid.affine,
        None if grid is None else grid.shape,
        sizes,
    )


def parcels_axis(domain: Parcels) -> Any:
    """nibabel's axis of parcels, with the vertices and voxels of each."""
    names, dense = list(domain.names), domain.dense
    vertices: list[dict[str, NDArray]] = [{} for _ in names]
    voxels = [np.zeros((0, 3), dtype=np.int32) for _ in names]
    sizes: dict[str, int] = {}
    if dense is not None:
        for model, span in zip(dense.models, dense.spans, strict=True):
            codes = domain.codes[span]
            order = np.argsort(codes, kind="stable")
            ends = np.searchsorted(codes[order], np.arange(len(names) + 1))
            for i, (start, stop) in enumerate(zip(ends[:-1], ends[1:], strict=True)):
                own = np.sort(order[start:stop])
                if not len(own):
                    continue
                if isinstance(model, VoxelModel):
                    voxels[i] = np.vstack([voxels[i], model.voxels[own]])
                else:
                    vertices[i][STRUCTURE_PREFIX + model.structure] = model.vertices[own]
            if isinstance(model, SurfaceModel):
                sizes[STRUCTURE_PREFIX + model.structure] = model.n_vertices
    grid = dense.grid if dense is not None and dense.has_voxels else None
    voxel_lists, vertex_dicts = np.empty(len(names), dtype=object), np.empty(len(names), dtype=object)
    for i in range(len(names)):
        voxel_lists[i], vertex_dicts[i] = voxels[i], vertices[i]
    return cifti2_axes.ParcelsAxis(
        np.array(names),
        voxel_lists,
        vertex_dicts,
        None if grid is None else grid.affine,
        None if grid is None else grid.shape,
        sizes,
    )
