"""Between surface images and the cortex of CIFTI images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.grayordinates import CORTEX_LEFT, CORTEX_RIGHT, Grayordinates, SurfaceModel
from brainsieve.engine.source import read_all
from brainsieve.engine.source.cifti import open_cifti
from brainsieve.exceptions import MeshDimensionError
from brainsieve.surface.cifti_images import cifti_image
from brainsieve.surface.images import PolyData, SurfaceImage
from brainsieve.surface.meshes import polymesh

STRUCTURE_OF_PART = {"left": CORTEX_LEFT, "right": CORTEX_RIGHT}


def from_cifti(img: Any, mesh: Any, fill: float = np.nan) -> SurfaceImage:
    """The cortex of a CIFTI image as a surface image.

    Parameters
    ----------
    img : path or nibabel.Cifti2Image
        Dense: ``.dtseries.nii``, ``.dscalar.nii`` or ``.dlabel.nii``.
    mesh : PolyMesh or dict of meshes
        Meshes of the density of the file; hemispheres that it lacks are left out.
    fill : float, default=nan
        Value of vertices that the file leaves out, as the medial wall. Whole numbers stay whole numbers if
        `fill` is one.

    Returns
    -------
    img : SurfaceImage
        Its data are (n_vertices,) where the file has one map, else (n_vertices, n_samples).

    Raises
    ------
    TypeError
        If the file has parcels.
    MeshDimensionError
        If a mesh has another number of vertices than the file says.
    ValueError
        If the file and `mesh` have no hemisphere in common.
    """
    source = open_cifti(img)
    domain = source.domain
    if not isinstance(domain, Grayordinates):
        raise TypeError(f"{source.name} has {domain.describe()} as points where grayordinates are needed.")
    mesh = polymesh(mesh)
    values = read_all(source).T
    if source.n_samples == 1:
        values = values[:, 0]
    meshes, parts = {}, {}
    for part, structure in STRUCTURE_OF_PART.items():
        found = domain.surface(structure)
        if found is None or part not in mesh.parts:
            continue
        model, span = found
        if mesh.parts[part].n_vertices != model.n_vertices:
            raise MeshDimensionError(
                f"{source.name} has {structure} on a surface of {model.n_vertices} vertices; the {part} mesh has "
                f"{mesh.parts[part].n_vertices}."
            )
        dtype = np.result_type(values.dtype, np.min_scalar_type(fill))
        whole = np.full((model.n_vertices, *values.shape[1:]), fill, dtype=dtype)
        whole[model.vertices] = values[span]
        meshes[part], parts[part] = mesh.parts[part], whole
    if not parts:
        raise ValueError(
            f"{source.name} has {', '.join(domain.structures)}; mesh has {', '.join(mesh.parts)}: no hemisphere is "
            "in both."
        )
    return SurfaceImage(meshes, parts)


def to_cifti(img: SurfaceImage | PolyData, like: Any = None, t_r: float | None = None) -> Any:
    """A surface image as a CIFTI image of the cortex.

    Parameters
    ----------
    img : SurfaceImage or PolyData
    like : path or nibabel.Cifti2Image, optional
        A dense CIFTI image whose cortical vertices to take: it tells the medial wall. Default: all vertices.
    t_r : float, optional
        Seconds between samples. Default: 1.

    Returns
    -------
    img : nibabel.Cifti2Image
        A dense series for data of shape (n_vertices, n_samples), else one map of scalars.

    Raises
    ------
    MeshDimensionError
        If a hemisphere has another number of vertices in `like`.
    ValueError
        If `like` has no cortex, or lacks a hemisphere.
    """
    data = img.data if isinstance(img, SurfaceImage) else img
    known = None if like is None else open_cifti(like).domain
    models, parts = [], []
    for part, values in data.parts.items():
        structure = STRUCTURE_OF_PART[part]
        vertices: NDArray = np.arange(len(values))
        if known is not None:
            found = known.surface(structure) if isinstance(known, Grayordinates) else None
            if found is None:
                raise ValueError(f"like has no {structure}: {known.describe()}.")
            if found[0].n_vertices != len(values):
                raise MeshDimensionError(
                    f"The {part} hemisphere has {len(values)} vertices, {structure} of like {found[0].n_vertices}."
                )
            vertices = found[0].vertices
        models.append(SurfaceModel(structure, vertices, len(values)))
        parts.append(values[vertices])
    return cifti_image(np.concatenate(parts).T, Grayordinates(tuple(models)), t_r)
