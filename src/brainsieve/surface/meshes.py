"""Meshes of one hemisphere, and of both."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from brainsieve.engine.mesh import HEMISPHERES, Mesh
from brainsieve.surface.files import load_surf_mesh, read_mesh, warn_of_other_side, write_mesh

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
        write_mesh(self.coordinates, self.faces, gifti_path(gifti_file))


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
        return read_mesh(os.fspath(self.file_path))[0]

    @property
    def faces(self) -> NDArray:
        return read_mesh(os.fspath(self.file_path))[1]

    def loaded(self) -> InMemoryMesh:
        """The mesh in memory.

        Returns
        -------
        mesh : InMemoryMesh
        """
        return load_surf_mesh(self.file_path)

    def __repr__(self) -> str:
        return f"<FileMesh '{self.file_path}' with {self.n_vertices} vertices.>"


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
            One that has ``hemi-L`` or ``hemi-R`` in its name writes that part only.
        """
        for part, path in paths_of_parts(filename, tuple(self.parts)).items():
            self.parts[part].to_gifti(path)


def polymesh(mesh: Any) -> PolyMesh:
    """A PolyMesh of what a user gave for one: itself, or a dict with "left" and "right"."""
    if isinstance(mesh, PolyMesh):
        return mesh
    if isinstance(mesh, dict):
        refuse_other_parts(mesh, "mesh")
        return PolyMesh(**mesh)
    if hasattr(mesh, "parts"):
        return PolyMesh(**{part: mesh.parts[part] for part in HEMISPHERES if part in mesh.parts})
    raise TypeError(
        f"mesh must be a PolyMesh or a dict with the parts 'left' and 'right'; {type(mesh).__name__} was given."
    )


def refuse_other_parts(parts: dict[str, Any], name: str) -> None:
    unknown = sorted(set(parts) - set(HEMISPHERES))
    if unknown or not parts:
        raise ValueError(f"{name} has the parts 'left' and 'right', or one of them; not {unknown or 'none'}.")


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
