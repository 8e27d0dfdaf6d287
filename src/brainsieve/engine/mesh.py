"""Triangle meshes, and the domain of values at their vertices.

A `Mesh` is geometry: coordinates and faces. `SurfaceVertices` numbers the vertices of one or both hemispheres,
left before right; equality asks for the same parts with as many vertices, as coordinates do not change what
a vertex is: values on a white and on a pial surface are interchangeable.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from brainsieve.engine.domain import Domain
from brainsieve.engine.lazy import lazy_property
from brainsieve.exceptions import ParameterError

HEMISPHERES = ("left", "right")


@dataclass(frozen=True, eq=False)
class Mesh:
    """Vertices and the triangles between them.

    Parameters
    ----------
    coordinates : array of shape (n_vertices, 3)
        In mm.
    faces : array of int, shape (n_faces, 3)
        Numbers of the vertices of each triangle, from 0.
    name : str, default="the mesh"
        For messages.

    Raises
    ------
    ValueError, TypeError
        If the shapes are others, coordinates are not finite or a face names a vertex that does not exist.
    """

    coordinates: NDArray
    faces: NDArray
    name: str = "the mesh"

    def __post_init__(self) -> None:
        object.__setattr__(self, "coordinates", checked_coordinates(self.coordinates, self.name))
        object.__setattr__(self, "faces", checked_faces(self.faces, self.n_vertices, self.name))

    def __getstate__(self) -> dict[str, object]:
        # What is computed on the way stays out: joblib hashes what is pickled, and `fit` must not change that.
        return {"coordinates": self.coordinates, "faces": self.faces, "name": self.name}

    @property
    def n_vertices(self) -> int:
        return len(self.coordinates)

    @lazy_property
    def fingerprint(self) -> str:
        """A digest of coordinates and faces."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(np.ascontiguousarray(self.coordinates, dtype="<f8").data)
        digest.update(np.ascontiguousarray(self.faces, dtype="<i8").data)
        return digest.hexdigest()

    def same_geometry(self, other: Mesh) -> bool:
        """Whether coordinates (to float32) and faces are those of another mesh of as many vertices."""
        if self is other:
            return True
        return np.array_equal(self.faces, other.faces) and np.allclose(
            self.coordinates, other.coordinates, rtol=1e-5, atol=1e-4
        )

    @lazy_property
    def face_normals(self) -> NDArray[np.float64]:
        """Normals of the faces, their length twice the face's area in mm²; (n_faces, 3)."""
        corners = self.coordinates.astype(np.float64)[self.faces]
        return np.asarray(
            np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), dtype=np.float64
        )

    @lazy_property
    def vertex_areas(self) -> NDArray[np.float64]:
        """A third of the area of the faces around each vertex, in mm²; (n_vertices,)."""
        thirds = np.linalg.norm(self.face_normals, axis=1) / 6.0
        counts = np.bincount(self.faces.ravel(), np.repeat(thirds, 3), minlength=self.n_vertices)
        return np.asarray(counts, dtype=np.float64)

    @lazy_property
    def adjacency(self) -> sparse.csr_array:
        """1 where two vertices share an edge; symmetric, (n_vertices, n_vertices)."""
        a, b, c = self.faces.T
        rows, columns = np.concatenate([a, b, c, b, c, a]), np.concatenate([b, c, a, a, b, c])
        matrix = sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=(self.n_vertices,) * 2).tocsr()
        matrix.data[:] = 1.0
        return matrix

    def restricted(self, vertices: NDArray) -> Mesh:
        """The faces whose vertices are all among some; numbered anew in the order of `vertices`."""
        position = np.full(self.n_vertices, -1, dtype=np.intp)
        position[vertices] = np.arange(len(vertices))
        faces = position[self.faces]
        return Mesh(self.coordinates[vertices], faces[(faces >= 0).all(axis=1)], self.name)


def checked_coordinates(coordinates: ArrayLike, name: str) -> NDArray:
    """Coordinates as a float array (n, 3), or say what is wrong with them."""
    array = np.asarray(coordinates)
    if array.ndim != 2 or array.shape[1] != 3 or array.dtype.kind not in "iuf":
        raise ParameterError(
            f"{name}: coordinates must be numbers of shape (n_vertices, 3); they are {array.dtype} of shape "
            f"{array.shape}."
        )
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{name}: coordinates of {int(bad.sum())} of {len(array)} vertices are not finite "
            f"(vertex {int(np.argmax(bad))}, for one)."
        )
    return array


def checked_faces(faces: ArrayLike, n_vertices: int, name: str) -> NDArray:
    """Faces as an int array (m, 3) whose vertices exist, or say what is wrong with them."""
    array = np.asarray(faces)
    if array.ndim != 2 or array.shape[1] != 3 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{name}: faces must be whole numbers of shape (n_faces, 3); they are {array.dtype} of shape "
            f"{array.shape}."
        )
    outside = (array < 0) | (array >= n_vertices)
    if outside.any():
        n_faces = int(outside.any(axis=1).sum())
        raise ValueError(
            f"{name}: {n_faces} of {len(array)} faces name vertices that do not exist ({int(array[outside][0])}, "
            f"for one); the mesh has {n_vertices}, numbered from 0 to {n_vertices - 1}."
        )
    return array


@dataclass(frozen=True, eq=False)
class SurfaceVertices(Domain):
    """The vertices of one or both hemispheres, left before right.

    Parameters
    ----------
    sizes : dict of str to int
        Vertices of "left" and "right", or of one of them.
    meshes : dict of str to Mesh, optional
        Geometry of all parts; needed only where something depends on it (smoothing, pictures).
    """

    sizes: Mapping[str, int]
    meshes: Mapping[str, Mesh] | None = field(default=None)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.sizes) - set(HEMISPHERES))
        if unknown or not self.sizes:
            raise ValueError(f"A surface has the parts 'left' and 'right', or one of them; not {unknown}.")
        ordered = {part: int(self.sizes[part]) for part in HEMISPHERES if part in self.sizes}
        object.__setattr__(self, "sizes", ordered)

    @lazy_property
    def n_points(self) -> int:
        return sum(self.sizes.values())

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self.sizes)

    @lazy_property
    def spans(self) -> dict[str, slice]:
        """Points of each part."""
        ends = np.cumsum([0, *self.sizes.values()]).tolist()
        return {part: slice(a, b) for part, a, b in zip(self.sizes, ends[:-1], ends[1:], strict=True)}

    @lazy_property
    def fingerprint(self) -> str:
        digest = hashlib.blake2b(repr(tuple(self.sizes.items())).encode(), digest_size=16)
        for part, mesh in sorted((self.meshes or {}).items()):
            digest.update(f"{part} {mesh.fingerprint}".encode())
        return digest.hexdigest()

    def describe(self) -> str:
        return " and ".join(f"{size} vertices of the {part} hemisphere" for part, size in self.sizes.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SurfaceVertices) and dict(self.sizes) == dict(other.sizes)

    def __hash__(self) -> int:
        return hash(tuple(self.sizes.items()))
