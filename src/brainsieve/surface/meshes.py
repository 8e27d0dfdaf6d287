"""Meshes of one hemisphere, and of both."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.files import regular_file
from brainsieve.engine.mesh import HEMISPHERES, Mesh
from brainsieve.exceptions import ParameterError
from brainsieve.surface.files import GIFTI, warn_of_other_side
from brainsieve.surface.freesurfer import freesurfer_mesh, is_freesurfer_mesh, write_freesurfer_mesh
from brainsieve.surface.gifti import gifti_mesh, mesh_as_gifti, write_gifti

GEOMETRY = (".orig", ".pial", ".white", ".sphere", ".inflated", ".smoothwm", ".midthickness")

SIDE_OF_PART = {"left": "L", "right": "R"}


class SurfaceMesh(ABC):
    """A triangle mesh.

    Attributes
    ----------
    n_vertices : int
    coordinates : array of shape (n_vertices, 3)
        In mm.
    faces : array of int, shape (n_faces, 3)
    """

    n_vertices: int

    @property
    @abstractmethod
    def coordinates(self) -> NDArray: ...

    @property
    @abstractmethod
    def faces(self) -> NDArray: ...

    def __repr__(self) -> str:
        return f"<{type(self).__name__} with {self.n_vertices} vertices and {len(self.faces)} faces.>"

    def to_gifti(self, gifti_file: Any) -> None:
        """Write the mesh as GIFTI.

        Parameters
        ----------
        gifti_file : path
            Ends in ``.gii``.
        """
        write_gifti({gifti_path(gifti_file): mesh_as_gifti(self.coordinates, self.faces)})


class InMemoryMesh(SurfaceMesh):
    """A mesh held in memory.

    Parameters
    ----------
    coordinates : array of shape (n_vertices, 3)
        In mm.
    faces : array of int, shape (n_faces, 3)

    Raises
    ------
    ValueError
        If the shapes are others, or a face names a vertex that does not exist.
    """

    def __init__(self, coordinates: NDArray, faces: NDArray) -> None:
        self.geometry = Mesh(coordinates, faces)
        self.n_vertices = self.geometry.n_vertices

    @property
    def coordinates(self) -> NDArray:
        return self.geometry.coordinates

    @property
    def faces(self) -> NDArray:
        return self.geometry.faces


class FileMesh(SurfaceMesh):
    """A mesh that is read from its file whenever it is asked for.

    Parameters
    ----------
    file_path : path
        As `load_surf_mesh` reads.
    """

    def __init__(self, file_path: Any) -> None:
        self.file_path = Path(file_path)
        self.n_vertices = load_surf_mesh(self.file_path).n_vertices

    @property
    def coordinates(self) -> NDArray:
        return read_mesh(self.file_path)[0]

    @property
    def faces(self) -> NDArray:
        return read_mesh(self.file_path)[1]

    def loaded(self) -> InMemoryMesh:
        """The mesh in memory.

        Returns
        -------
        mesh : InMemoryMesh
        """
        return load_surf_mesh(self.file_path)

    def __repr__(self) -> str:
        return f"<FileMesh '{self.file_path}' with {self.n_vertices} vertices.>"


def load_surf_mesh(surf_mesh: Any) -> InMemoryMesh:
    """Load a mesh from what a user gave for one.

    Parameters
    ----------
    surf_mesh : path, mesh, pair of arrays, or dict
        A GIFTI file (``.gii``, ``.gii.gz``), a FreeSurfer geometry (``.pial``, ``.white``, ``.sphere.reg``,
        ``.pial.T1`` …, told by its first bytes), a `SurfaceMesh`, (coordinates, faces), or a dict of these two.

    Returns
    -------
    mesh : InMemoryMesh
        ``coordinates`` of shape (n_vertices, 3) in mm, ``faces`` of shape (n_faces, 3).

    Raises
    ------
    ValueError
        If it is nothing of the above, or the file is missing, of another format or broken, or faces name vertices
        that do not exist.
    """
    if isinstance(surf_mesh, str | os.PathLike):
        return InMemoryMesh(*read_mesh(surf_mesh))
    if hasattr(surf_mesh, "coordinates") and hasattr(surf_mesh, "faces"):
        return InMemoryMesh(surf_mesh.coordinates, surf_mesh.faces)
    if isinstance(surf_mesh, Mapping) and {"coordinates", "faces"} <= set(surf_mesh):
        return InMemoryMesh(surf_mesh["coordinates"], surf_mesh["faces"])
    if isinstance(surf_mesh, list | tuple | np.ndarray):
        if len(surf_mesh) != 2:
            raise ParameterError(
                f"A mesh is a pair (coordinates, faces); {len(surf_mesh)} arrays were given."
            )
        return InMemoryMesh(*surf_mesh)
    hint = ""
    if isinstance(surf_mesh, Mapping) and set(surf_mesh) & set(HEMISPHERES):
        hint = " PolyMesh takes both hemispheres."
    raise ParameterError(
        f"A mesh is a path, a pair (coordinates, faces), or an object or dict with these two; "
        f"{type(surf_mesh).__name__} was given.{hint}"
    )


def read_mesh(path: str | os.PathLike[str]) -> tuple[NDArray, NDArray]:
    """Coordinates and faces of a file, checked."""
    file = regular_file(path, "a file of a mesh")
    name = file.lower()
    with open(file, "rb") as stream:
        start = stream.read(3)
    if name.endswith(GIFTI):
        coordinates, faces = gifti_mesh(file)
    elif is_freesurfer_mesh(start) or name.removesuffix(".gz").endswith(GEOMETRY):
        coordinates, faces = freesurfer_mesh(file)
    else:
        raise ValueError(
            f"{file}: neither name nor first bytes tell a mesh. Names end in {', '.join((*GIFTI, *GEOMETRY))}."
        )
    mesh = Mesh(coordinates, faces, file)
    return mesh.coordinates, mesh.faces


def save_surf_mesh(mesh: Any, path: str | os.PathLike[str]) -> None:
    """Write a mesh, in the format that the name tells.

    Parameters
    ----------
    mesh : path, mesh, or pair of arrays
        As `load_surf_mesh` takes.
    path : path
        Ends in ``.gii``, or as FreeSurfer's geometry does (``.pial``, ``.white``, ``.inflated``, ``.sphere``,
        ``.orig``). The file appears when it is complete.

    Raises
    ------
    ValueError
        If the name tells no format.
    """
    loaded = load_surf_mesh(mesh)
    name = os.path.expanduser(os.fspath(path))
    if name.lower().endswith(".gii"):
        write_gifti({name: mesh_as_gifti(loaded.coordinates, loaded.faces)})
    elif name.lower().endswith(GEOMETRY):
        write_freesurfer_mesh(loaded.coordinates, loaded.faces, name)
    else:
        raise ValueError(f"{name}: the name does not tell a format of meshes: .gii, {', '.join(GEOMETRY)}.")


class PolyMesh:
    """Meshes of the left and right hemisphere, or of one of them.

    Parameters
    ----------
    left, right : SurfaceMesh, path, or pair (coordinates, faces), optional
        At least one.

    Attributes
    ----------
    parts : dict of str to SurfaceMesh
        "left" before "right".
    n_vertices : int
        Of all parts.

    Raises
    ------
    ValueError
        If neither is given, or a mesh is broken.
    """

    def __init__(self, left: Any = None, right: Any = None) -> None:
        given = {"left": left, "right": right}
        for part, mesh in given.items():
            warn_of_other_side(mesh, part)
        self.parts: dict[str, SurfaceMesh] = {
            part: mesh if isinstance(mesh, SurfaceMesh) else load_surf_mesh(mesh)
            for part, mesh in given.items()
            if mesh is not None
        }
        if not self.parts:
            raise ValueError("PolyMesh needs a left or a right mesh; neither was given.")
        self.n_vertices = sum(mesh.n_vertices for mesh in self.parts.values())

    def __repr__(self) -> str:
        return f"<PolyMesh with {', '.join(f'{p}: {m.n_vertices}' for p, m in self.parts.items())} vertices.>"

    def to_filename(self, filename: Any) -> None:
        """Write the parts as GIFTI: ``x.gii`` as ``x_hemi-L.gii`` and ``x_hemi-R.gii``.

        Parameters
        ----------
        filename : path
            One that has ``hemi-L`` or ``hemi-R`` in its name writes that part only. Both files appear, or none.
        """
        paths = paths_of_parts(filename, tuple(self.parts))
        write_gifti(
            {
                gifti_path(path): mesh_as_gifti(self.parts[part].coordinates, self.parts[part].faces)
                for part, path in paths.items()
            }
        )


def polymesh(mesh: Any) -> PolyMesh:
    """A PolyMesh of what a user gave for one: itself, or a dict with "left" and "right"."""
    if isinstance(mesh, PolyMesh):
        return mesh
    if isinstance(mesh, dict):
        refuse_other_parts(mesh, "mesh")
        return PolyMesh(**mesh)
    # A path has parts, too.
    if isinstance(getattr(mesh, "parts", None), dict):
        return PolyMesh(**{part: mesh.parts[part] for part in HEMISPHERES if part in mesh.parts})
    raise TypeError(
        f"mesh must be a PolyMesh or a dict with the parts 'left' and 'right'; {type(mesh).__name__} was given."
    )


def refuse_other_parts(parts: dict[str, Any], name: str) -> None:
    unknown = sorted(set(parts) - set(HEMISPHERES))
    if unknown or not parts:
        raise ParameterError(
            f"{name} has the parts 'left' and 'right', or one of them; not {unknown or 'none'}."
        )


def geometry_of(mesh: SurfaceMesh, name: str) -> Mesh:
    """The engine's mesh, with a name for messages."""
    held = getattr(mesh, "geometry", None)
    if held is not None:
        return held
    return Mesh(mesh.coordinates, mesh.faces, str(getattr(mesh, "file_path", name)))


def gifti_path(path: Any) -> str:
    path = os.path.expanduser(os.fspath(path))
    if not path.lower().endswith(".gii"):
        raise ValueError(f"{path!r}: surfaces are written as GIFTI; the name must end in '.gii'.")
    return path


def paths_of_parts(filename: Any, parts: tuple[str, ...]) -> dict[str, str]:
    """The file of each part: its hemisphere goes before the suffixes of the name."""
    path = Path(gifti_path(filename))
    for part, side in SIDE_OF_PART.items():
        if f"hemi-{side}" in path.name:
            if part not in parts:
                raise ValueError(f"{path.name!r} is a name for the {part} hemisphere, which is not there.")
            return {part: str(path)}
    name = path.name[:-4]
    kind = ""
    for suffix in (".func", ".shape", ".label", ".surf"):
        if name.endswith(suffix):
            name, kind = name[: -len(suffix)], suffix
    return {part: str(path.with_name(f"{name}_hemi-{SIDE_OF_PART[part]}{kind}.gii")) for part in parts}
