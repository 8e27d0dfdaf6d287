"""Values at the vertices of meshes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from brainsieve.engine.mesh import HEMISPHERES, SurfaceVertices
from brainsieve.exceptions import MeshDimensionError
from brainsieve.surface.files import Path, load_labelled, values_of_file, warn_of_other_side
from brainsieve.surface.gifti import write_gifti
from brainsieve.surface.label_tables import table_of_rows
from brainsieve.surface.meshes import PolyMesh, geometry_of, paths_of_parts, polymesh, refuse_other_parts
from brainsieve.surface.sampling import vol_to_surf

if TYPE_CHECKING:
    import pandas as pd


class PolyData:
    """Values at the vertices of the left and right hemisphere, or of one of them.

    Parameters
    ----------
    left, right : array of shape (n_vertices,) or (n_vertices, n_samples), or path, optional
        At least one; paths are read by `load_surf_data`.
    dtype : dtype, optional
        Cast the values. Default: as they are.

    Attributes
    ----------
    parts : dict of str to array
        "left" before "right".
    shape : tuple
        (n_vertices of all parts[, n_samples]).
    label_tables : dict of str to pandas.DataFrame
        Of parts that were read from files with a table of labels (``.label.gii``, ``.annot``): it says what the
        background is.
    files : dict of str to str
        Names of the files that parts were read from; of several, the first.

    Raises
    ------
    ValueError
        If neither is given, a part is empty, or they have different numbers of samples.
    TypeError
        If they have different dtypes.
    """

    def __init__(
        self,
        left: ArrayLike | Path | None = None,
        right: ArrayLike | Path | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        given = {part: values for part, values in (("left", left), ("right", right)) if values is not None}
        self.parts: dict[str, NDArray] = {}
        self.label_tables: dict[str, pd.DataFrame] = {}
        self.files = _files(given)
        for part, values in given.items():
            self.parts[part], table = _values(values, part, dtype)
            if table is not None:
                self.label_tables[part] = table
        if not self.parts:
            raise ValueError("PolyData needs left or right values; neither was given.")
        _refuse_unlike(self.parts)

    @property
    def shape(self) -> tuple[int, ...]:
        first = next(iter(self.parts.values()))
        return (sum(len(values) for values in self.parts.values()), *first.shape[1:])

    def __repr__(self) -> str:
        return f"<PolyData {self.shape}>"

    def to_filename(self, filename: Path) -> None:
        """Write the parts as GIFTI: ``x.gii`` as ``x_hemi-L.gii`` and ``x_hemi-R.gii``.

        Parameters
        ----------
        filename : path
            One that has ``hemi-L`` or ``hemi-R`` in its name writes that part only; ``.func.gii``,
            ``.shape.gii`` and ``.label.gii`` say what the values are. Floats are written as float32, the one
            floating type of GIFTI; what neither this nor int32 holds, in a wider type, with a warning. Both files
            appear, or none.

        Raises
        ------
        ValueError
            If ``.label.gii`` is to hold what is no whole number of 32 bits.
        """
        paths = paths_of_parts(filename, tuple(self.parts))
        write_gifti({path: values_of_file(self.parts[part], path) for part, path in paths.items()})


class SurfaceImage:
    """Meshes, and values at their vertices.

    Parameters
    ----------
    mesh : PolyMesh, or dict of str to mesh or path
        With the parts "left" and "right", or one of them.
    data : PolyData, or dict of str to array or path
        With the same parts.
    dtype : dtype, optional
        Cast the values.

    Attributes
    ----------
    mesh : PolyMesh
    data : PolyData
    shape : tuple
        (n_vertices of all parts[, n_samples]).

    Raises
    ------
    MeshDimensionError
        If mesh and data have different parts, or a part different numbers of vertices.
    """

    def __init__(self, mesh: Any, data: Any, dtype: DTypeLike | None = None) -> None:
        self.mesh = polymesh(mesh)
        self.data = _polydata(data, dtype, self.mesh)
        _refuse_other_mesh(self.mesh, self.data)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    def __repr__(self) -> str:
        return f"<SurfaceImage {self.shape}>"

    @classmethod
    def from_volume(
        cls, mesh: Any, volume_img: Any, inner_mesh: Any = None, **vol_to_surf_kwargs: Any
    ) -> SurfaceImage:
        """Sample a volume on meshes.

        Parameters
        ----------
        mesh : PolyMesh
            The (pial) meshes.
        volume_img : image-like
            3-D or 4-D.
        inner_mesh : PolyMesh, optional
            The (white matter) meshes, for ``kind="depth"``.
        **vol_to_surf_kwargs : dict
            See `vol_to_surf`.

        Returns
        -------
        img : SurfaceImage
        """
        mesh = polymesh(mesh)
        inner = {} if inner_mesh is None else polymesh(inner_mesh).parts
        sampled = {
            part: vol_to_surf(volume_img, outer, inner_mesh=inner.get(part), **vol_to_surf_kwargs)
            for part, outer in mesh.parts.items()
        }
        return cls(mesh, sampled)


def _values(
    values: Any, part: str, dtype: DTypeLike | None, n_vertices: int | None = None
) -> tuple[NDArray, pd.DataFrame | None]:
    """The values of a part, and the table of labels of its file."""
    warn_of_other_side(values, part)
    array, rows = (values, []) if isinstance(values, np.ndarray) else load_labelled(values, n_vertices)
    if array.ndim not in (1, 2) or array.dtype.kind not in "biuf":
        raise ValueError(
            f"The {part} values must be numbers of shape (n_vertices,) or (n_vertices, n_samples); they are "
            f"{array.dtype} of shape {array.shape}."
        )
    if not array.size:
        raise ValueError(
            f"The {part} values have shape {array.shape}: no {'vertex' if not len(array) else 'sample'} is there."
        )
    return (array if dtype is None else array.astype(dtype, copy=False)), table_of_rows(rows)


def _polydata(data: Any, dtype: DTypeLike | None, mesh: PolyMesh) -> PolyData:
    if isinstance(data, dict):
        refuse_other_parts(data, "data")
        # Files that list their vertices do not tell how many the surface has; the mesh does.
        sizes = {part: own.n_vertices for part, own in mesh.parts.items()}
        read = {
            part: _values(values, part, dtype, sizes.get(part))
            for part, values in data.items()
            if values is not None
        }
        made = PolyData(**{part: values for part, (values, _) in read.items()})
        made.label_tables = {part: table for part, (_, table) in read.items() if table is not None}
        made.files = _files(data)
        return made
    parts = getattr(data, "parts", None)
    if not isinstance(parts, dict):
        raise TypeError(
            "data must be a PolyData or a dict with the parts 'left' and 'right'; "
            f"{type(data).__name__} was given."
        )
    if isinstance(data, PolyData) and dtype is None:
        return data
    made = PolyData(**{part: parts[part] for part in HEMISPHERES if part in parts}, dtype=dtype)
    made.label_tables, made.files = label_tables_of(data), files_of(data)
    return made


def _files(data: Mapping[str, Any]) -> dict[str, str]:
    first = {part: own[0] if isinstance(own, list | tuple) and own else own for part, own in data.items()}
    return {part: os.fspath(own) for part, own in first.items() if isinstance(own, str | os.PathLike)}


def _refuse_unlike(parts: dict[str, NDArray]) -> None:
    if len(parts) < 2:
        return
    left, right = parts["left"], parts["right"]
    if left.shape[1:] != right.shape[1:]:
        raise ValueError(
            f"Both hemispheres must have as many samples; left has shape {left.shape}, right {right.shape} "
            "(vertices first)."
        )
    if left.dtype != right.dtype:
        raise TypeError(
            f"Both hemispheres must have one dtype; left is {left.dtype}, right {right.dtype}. "
            "Give dtype to cast them."
        )


def _refuse_other_mesh(mesh: PolyMesh, data: PolyData) -> None:
    if set(mesh.parts) != set(data.parts):
        raise MeshDimensionError(
            f"mesh has the parts {', '.join(mesh.parts)}, data {', '.join(data.parts)}; they must be the same."
        )
    for part, values in data.parts.items():
        n_vertices = mesh.parts[part].n_vertices
        if len(values) != n_vertices:
            source = f" ({files_of(data)[part]})" if part in files_of(data) else ""
            raise MeshDimensionError(
                f"The {part} hemisphere has values for {len(values)} vertices{source} and a mesh of {n_vertices}. "
                "Are they of different densities, or the axes of the values swapped (vertices come first)?"
            )


def vertices_of(image: Any) -> SurfaceVertices:
    """The domain of a SurfaceImage, or of a PolyData (without meshes)."""
    data = image.data if hasattr(image, "mesh") else image
    sizes = {part: len(values) for part, values in data.parts.items()}
    meshes = None
    if hasattr(image, "mesh"):
        meshes = {part: geometry_of(mesh, f"the {part} mesh") for part, mesh in image.mesh.parts.items()}
    return SurfaceVertices(sizes, meshes)


def label_tables_of(image: Any) -> dict[str, pd.DataFrame]:
    """Tables of labels of the files that a surface image or its data were read from, by part."""
    return dict(getattr(getattr(image, "data", image), "label_tables", {}))


def files_of(image: Any) -> dict[str, str]:
    """Names of the files that a surface image or its data were read from, by part."""
    return dict(getattr(getattr(image, "data", image), "files", {}))


def image_on(domain: SurfaceVertices, mesh: PolyMesh | None, values: NDArray) -> Any:
    """A SurfaceImage (PolyData where there is no mesh) of values (n_points[, n_samples])."""
    data = PolyData(**{part: values[span] for part, span in domain.spans.items()})
    return data if mesh is None else SurfaceImage(mesh, data)
