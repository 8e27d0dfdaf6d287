"""CIFTI-2 images made of arrays, as nibabel and Workbench know them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import nibabel as nib
import numpy as np
from nibabel import cifti2
from numpy.typing import NDArray

from brainsieve.engine.grayordinates import (
    STRUCTURE_PREFIX,
    Grayordinates,
    Model,
    Parcels,
    SurfaceModel,
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
    matrix = cifti2.Cifti2Matrix()
    matrix.append(_series(len(rows), t_r) if kind == "series" else _scalars(len(rows), names))
    matrix.append(_parcels(domain) if isinstance(domain, Parcels) else _brain_models(domain))
    image = nib.Cifti2Image(rows, header=cifti2.Cifti2Header(matrix))
    image.nifti_header.set_intent(INTENTS[kind, isinstance(domain, Grayordinates)])
    image.nifti_header.set_data_dtype(rows.dtype)
    return image


def parcel_connectivity(values: NDArray, parcels: Parcels) -> Any:
    """A CIFTI-2 image of a matrix over parcels (``.pconn.nii``).

    Parameters
    ----------
    values : array of shape (n_parcels, n_parcels)
        Written as float32.
    parcels : Parcels

    Returns
    -------
    img : nibabel.Cifti2Image
    """
    matrix = cifti2.Cifti2Matrix()
    # One axis for both sides, as Workbench writes it.
    axis = _parcels(parcels)
    axis.applies_to_matrix_dimension = (0, 1)
    matrix.append(axis)
    image = nib.Cifti2Image(np.asarray(values, dtype=np.float32), header=cifti2.Cifti2Header(matrix))
    image.nifti_header.set_intent("NIFTI_INTENT_CONNECTIVITY_PARCELLATED")
    image.nifti_header.set_data_dtype(np.float32)
    return image


def _series(n: int, t_r: float | None) -> Any:
    return cifti2.Cifti2MatrixIndicesMap(
        (0,),
        "CIFTI_INDEX_TYPE_SERIES",
        number_of_series_points=n,
        series_exponent=0,
        series_start=0.0,
        series_step=t_r or 1.0,
        series_unit="SECOND",
    )


def _scalars(n: int, names: Sequence[str] | None) -> Any:
    made = cifti2.Cifti2MatrixIndicesMap((0,), "CIFTI_INDEX_TYPE_SCALARS")
    for name in names or [f"map {i + 1}" for i in range(n)]:
        made.append(cifti2.Cifti2NamedMap(name))
    return made


def _brain_models(domain: Grayordinates) -> Any:
    """The axis of grayordinates, an element for each structure.

    Made of nibabel's elements: its `BrainModelAxis` has an entry for each grayordinate, which takes 0.7 s.
    """
    made = cifti2.Cifti2MatrixIndicesMap((1,), "CIFTI_INDEX_TYPE_BRAIN_MODELS")
    for model, span in zip(domain.models, domain.spans, strict=True):
        shared = (span.start, model.n_points)
        name = STRUCTURE_PREFIX + model.structure
        if isinstance(model, SurfaceModel):
            made.append(
                cifti2.Cifti2BrainModel(
                    *shared,
                    "CIFTI_MODEL_TYPE_SURFACE",
                    name,
                    model.n_vertices,
                    vertex_indices=cifti2.Cifti2VertexIndices(model.vertices.tolist()),
                )
            )
        else:
            made.append(
                cifti2.Cifti2BrainModel(
                    *shared,
                    "CIFTI_MODEL_TYPE_VOXELS",
                    name,
                    voxel_indices_ijk=cifti2.Cifti2VoxelIndicesIJK(model.voxels.tolist()),
                )
            )
    if domain.has_voxels:
        made.append(_volume(domain))
    return made


def _volume(domain: Grayordinates) -> Any:
    assert domain.grid is not None
    to_mm = cifti2.Cifti2TransformationMatrixVoxelIndicesIJKtoXYZ(-3, np.array(domain.grid.affine))
    return cifti2.Cifti2Volume(domain.grid.shape, to_mm)


def _parcels(domain: Parcels) -> Any:
    """The axis of parcels, with the vertices and voxels of each."""
    made = cifti2.Cifti2MatrixIndicesMap((1,), "CIFTI_INDEX_TYPE_PARCELS")
    parcels = [cifti2.Cifti2Parcel(name) for name in domain.names]
    dense = domain.dense
    if dense is not None:
        if dense.has_voxels:
            made.append(_volume(dense))
        for model, span in zip(dense.models, dense.spans, strict=True):
            name = STRUCTURE_PREFIX + model.structure
            if isinstance(model, SurfaceModel):
                made.append(cifti2.Cifti2Surface(name, model.n_vertices))
            for number, own in _members(domain.codes[span], len(parcels)):
                _add_members(parcels[number], model, name, own)
    made.extend(parcels)
    return made


def _members(codes: NDArray, n: int) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Positions of each code that there is, ascending."""
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(n + 1))
    for number, (start, stop) in enumerate(zip(ends[:-1], ends[1:], strict=True)):
        if stop > start:
            yield number, np.sort(order[start:stop])


def _add_members(parcel: Any, model: Model, name: str, own: NDArray[np.intp]) -> None:
    if isinstance(model, SurfaceModel):
        parcel.append_cifti_vertices(cifti2.Cifti2Vertices(name, model.vertices[own].tolist()))
        return
    voxels = model.voxels[own].tolist()
    if parcel.voxel_indices_ijk is not None:
        voxels = [*list(parcel.voxel_indices_ijk), *voxels]
    parcel.voxel_indices_ijk = cifti2.Cifti2VoxelIndicesIJK(voxels)
