"""Grayordinates: vertices of surfaces and voxels of structures, numbered as CIFTI-2 files store them.

Two domains: `Grayordinates` has a point for each vertex and voxel, `Parcels` one for each named set of them.
Vertices and voxels are told apart by structure and number, never by position: files leave out the medial
wall or not, and order structures as they like.

Source of the terms: the CIFTI-2 specification, https://www.nitrc.org/projects/cifti.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.domain import Domain, VoxelGrid
from brainsieve.engine.lazy import lazy_property

# What CIFTI writes before the names of structures; left out here.
STRUCTURE_PREFIX = "CIFTI_STRUCTURE_"
CORTEX_LEFT, CORTEX_RIGHT = "CORTEX_LEFT", "CORTEX_RIGHT"
# Messages list this many structures.
N_LISTED = 6


@dataclass(frozen=True, eq=False)
class SurfaceModel:
    """Vertices of one surface.

    Parameters
    ----------
    structure : str
        As "CORTEX_LEFT".
    vertices : array of int, shape (n_points,)
        Numbers of the vertices, from 0.
    n_vertices : int
        Of the whole surface.

    Raises
    ------
    ValueError
        If a vertex does not exist on the surface, or comes twice.
    """

    structure: str
    vertices: NDArray[np.int32]
    n_vertices: int
    is_surface: ClassVar[bool] = True

    def __post_init__(self) -> None:
        vertices = _frozen(self.vertices, np.int32)
        if vertices.ndim != 1:
            raise ValueError(f"{self.structure}: vertices must be a list of numbers.")
        if vertices.size and (vertices.min() < 0 or vertices.max() >= self.n_vertices):
            wrong = vertices[(vertices < 0) | (vertices >= self.n_vertices)]
            raise ValueError(
                f"{self.structure}: {len(wrong)} vertices do not exist on a surface of {self.n_vertices} "
                f"(vertex {wrong[0]}, for one; they count from 0)."
            )
        if len(np.unique(vertices)) < len(vertices):
            raise ValueError(f"{self.structure}: some vertices are listed twice.")
        object.__setattr__(self, "vertices", vertices)

    @property
    def n_points(self) -> int:
        return len(self.vertices)


@dataclass(frozen=True, eq=False)
class VoxelModel:
    """Voxels of one structure.

    Parameters
    ----------
    structure : str
        As "THALAMUS_LEFT".
    voxels : array of int, shape (n_points, 3)
        Indices (i, j, k) on the grid of the domain.
    """

    structure: str
    voxels: NDArray[np.int32]
    is_surface: ClassVar[bool] = False

    def __post_init__(self) -> None:
        voxels = _frozen(self.voxels, np.int32)
        if voxels.ndim != 2 or voxels.shape[1] != 3:
            raise ValueError(f"{self.structure}: voxels must have shape (n, 3); they have {voxels.shape}.")
        object.__setattr__(self, "voxels", voxels)

    @property
    def n_points(self) -> int:
        return len(self.voxels)


Model = SurfaceModel | VoxelModel


@dataclass(frozen=True, eq=False)
class Grayordinates(Domain):
    """Vertices and voxels, structure after structure.

    Parameters
    ----------
    models : sequence of SurfaceModel and VoxelModel
        In the order of the points. Each structure has at most one model of each kind.
    grid : VoxelGrid or None
        Of the voxels; needed where there are any.

    Raises
    ------
    ValueError
        If a structure comes twice, a voxel lies outside the grid or in two structures, or the grid is missing.
    """

    models: tuple[Model, ...]
    grid: VoxelGrid | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", tuple(self.models))
        if not any(model.n_points for model in self.models):
            raise ValueError("Grayordinates need at least one vertex or voxel.")
        seen: set[tuple[str, bool]] = set()
        for model in self.models:
            if (model.structure, model.is_surface) in seen:
                raise ValueError(f"The structure {model.structure} has two brain models.")
            seen.add((model.structure, model.is_surface))
        self._check_voxels()

    def _check_voxels(self) -> None:
        parts = [m for m in self.models if isinstance(m, VoxelModel)]
        if not parts:
            return
        if self.grid is None:
            raise ValueError(
                f"{len(parts)} structures have voxels ({_listed([p.structure for p in parts])}), "
                "but no volume tells where they are."
            )
        for part in parts:
            outside = ((part.voxels < 0) | (part.voxels >= self.grid.shape)).any(axis=1)
            if outside.any():
                first = tuple(part.voxels[outside][0].tolist())
                raise ValueError(
                    f"{part.structure}: {int(outside.sum())} voxels lie outside the volume of shape "
                    f"{self.grid.shape}, {first} for one."
                )
        numbers = self.grid.voxels_to_points(np.vstack([part.voxels for part in parts]))
        if len(np.unique(numbers)) < len(numbers):
            raise ValueError("Some voxels are listed twice, in one structure or in two.")

    # -- what a domain is asked ------------------------------------------------------------------------

    @lazy_property
    def n_points(self) -> int:
        return sum(model.n_points for model in self.models)

    @lazy_property
    def fingerprint(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for model in self.models:
            size = model.n_vertices if isinstance(model, SurfaceModel) else 0
            digest.update(repr((model.structure, size, model.n_points)).encode())
            digest.update(np.ascontiguousarray(_numbers(model), dtype="<i4").tobytes())
        if self.grid is not None:
            digest.update(self.grid.fingerprint.encode())
        return digest.hexdigest()

    def describe(self) -> str:
        surfaces = [m for m in self.models if isinstance(m, SurfaceModel)]
        voxels = [m for m in self.models if isinstance(m, VoxelModel)]
        parts = [f"{m.n_points} of {m.n_vertices} vertices of {m.structure}" for m in surfaces[:3]]
        if len(surfaces) > 3:
            parts.append(f"{len(surfaces) - 3} more surfaces")
        if voxels:
            parts.append(f"{sum(m.n_points for m in voxels)} voxels of {len(voxels)} structures")
        return f"{self.n_points} grayordinates ({', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Grayordinates) or len(other.models) != len(self.models):
            return False
        if not all(_same_model(a, b) for a, b in zip(self.models, other.models, strict=True)):
            return False
        return not self.has_voxels or self.grid == other.grid

    def __hash__(self) -> int:
        return hash((self.n_points, self.structures))

    # -- structures ------------------------------------------------------------------------------------

    @property
    def structures(self) -> tuple[str, ...]:
        """Names, in the order of the points."""
        return tuple(model.structure for model in self.models)

    @property
    def has_voxels(self) -> bool:
        return any(not model.is_surface for model in self.models)

    @lazy_property
    def spans(self) -> tuple[slice, ...]:
        """Points of each model."""
        ends = np.cumsum([0, *(model.n_points for model in self.models)]).tolist()
        return tuple(slice(a, b) for a, b in zip(ends[:-1], ends[1:], strict=True))

    def surface(self, structure: str) -> tuple[SurfaceModel, slice] | None:
        """The vertices of a structure and their points; None where there are none."""
        for model, span in zip(self.models, self.spans, strict=True):
            if isinstance(model, SurfaceModel) and model.structure == structure:
                return model, span
        return None

    def points_of(self, structures: str | Iterable[str]) -> NDArray[np.intp]:
        """Points of some structures, ascending.

        Parameters
        ----------
        structures : str or list of str
            Names with or without ``CIFTI_STRUCTURE_``, in any case; "cortex" stands for all surfaces,
            "subcortex" for all structures with voxels.

        Raises
        ------
        ValueError
            If one is not there; the message lists those that are.
        """
        wanted = [structures] if isinstance(structures, str) else list(structures)
        taken = np.zeros(self.n_points, dtype=bool)
        for name in wanted:
            spans = self._spans_named(name)
            if not spans:
                raise ValueError(
                    f"There is no structure {name!r} here; there are {', '.join(self.structures)}, and "
                    "'cortex' and 'subcortex' for all surfaces and all structures of voxels."
                )
            for span in spans:
                taken[span] = True
        return np.flatnonzero(taken)

    def _spans_named(self, name: str) -> list[slice]:
        key = canonical_structure(name)
        kinds = {"CORTEX": True, "SUBCORTEX": False}
        return [
            span
            for model, span in zip(self.models, self.spans, strict=True)
            if (model.is_surface == kinds[key] if key in kinds else model.structure == key)
        ]

    def taking(self, points: NDArray) -> Grayordinates:
        """The domain of some of the points (ascending numbers); structures left empty are left out.

        Raises
        ------
        ValueError
            If `points` are not ascending.
        """
        points = np.asarray(points)
        if len(points) > 1 and not (np.diff(points) > 0).all():
            raise ValueError("points must ascend: structures follow one another.")
        kept: list[Model] = []
        for model, span in zip(self.models, self.spans, strict=True):
            first, last = np.searchsorted(points, [span.start, span.stop])
            own = points[first:last] - span.start
            if not len(own):
                continue
            if isinstance(model, SurfaceModel):
                kept.append(SurfaceModel(model.structure, model.vertices[own], model.n_vertices))
            else:
                kept.append(VoxelModel(model.structure, model.voxels[own]))
        return Grayordinates(tuple(kept), self.grid)

    # -- alignment -------------------------------------------------------------------------------------

    def positions_in(
        self, other: Grayordinates, names: tuple[str, str] = ("one", "the other")
    ) -> NDArray[np.intp]:
        """Where each point of this domain stands in another, -1 where it does not.

        Vertices are matched by structure and number, voxels by their indices in one volume.

        Parameters
        ----------
        other : Grayordinates
        names : tuple of str
            What to call this one and the other in messages.

        Raises
        ------
        ValueError
            If a surface has another number of vertices in the other, or the voxels are of different volumes.
        """
        if self == other:
            return np.arange(self.n_points)
        positions = np.full(self.n_points, -1, dtype=np.intp)
        for model, span in zip(self.models, self.spans, strict=True):
            if isinstance(model, SurfaceModel):
                found = other.surface(model.structure)
                if found is not None:
                    theirs, their_span = found
                    self._refuse_other_surface(model, theirs, names)
                    table = np.full(model.n_vertices, -1, dtype=np.intp)
                    table[theirs.vertices] = np.arange(their_span.start, their_span.stop)
                    positions[span] = table[model.vertices]
        if self.has_voxels and other.has_voxels:
            self._match_voxels(other, positions, names)
        return positions

    def _refuse_other_surface(
        self, model: SurfaceModel, theirs: SurfaceModel, names: tuple[str, str]
    ) -> None:
        if theirs.n_vertices != model.n_vertices:
            raise ValueError(
                f"{model.structure} has {model.n_vertices} vertices in {names[0]} and {theirs.n_vertices} in "
                f"{names[1]}: they are on different meshes. Use files of one mesh density "
                "(wb_command -cifti-resample brings one to the other)."
            )

    def _match_voxels(
        self, other: Grayordinates, positions: NDArray[np.intp], names: tuple[str, str]
    ) -> None:
        assert self.grid is not None and other.grid is not None
        if self.grid != other.grid:
            raise ValueError(
                f"The voxels of {names[0]} ({self.grid.describe()}) and of {names[1]} "
                f"({other.grid.describe()}) are of different volumes, or these are placed differently. "
                "Use files of one volume space (wb_command -cifti-resample brings one to the other)."
            )
        own_points, own_voxels = self.voxels
        points, voxels = other.voxels
        table = np.full(self.grid.n_points, -1, dtype=np.int32)
        table[self.grid.voxels_to_points(voxels)] = points
        positions[own_points] = table[self.grid.voxels_to_points(own_voxels)]

    @property
    def voxels(self) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        """Points that are voxels, and their indices (n, 3)."""
        parts = [
            (np.arange(span.start, span.stop), model.voxels)
            for model, span in zip(self.models, self.spans, strict=True)
            if isinstance(model, VoxelModel)
        ]
        if not parts:
            return np.zeros(0, np.intp), np.zeros((0, 3), np.int32)
        return np.concatenate([p for p, _ in parts]), np.vstack([v for _, v in parts])


@dataclass(frozen=True, eq=False)
class Parcels(Domain):
    """Named sets of grayordinates: the points of a parcellated file.

    Parameters
    ----------
    names : sequence of str
    dense : Grayordinates
        All vertices and voxels that belong to a parcel.
    codes : array of int, shape (dense.n_points,)
        Which parcel each belongs to, from 0. A parcel may be empty.

    Raises
    ------
    ValueError
        If a code is no parcel's.
    """

    names: tuple[str, ...]
    dense: Grayordinates | None
    codes: NDArray[np.int32]

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        codes = _frozen(self.codes, np.int32)
        n_dense = 0 if self.dense is None else self.dense.n_points
        if codes.shape != (n_dense,):
            raise ValueError(f"codes must have shape ({n_dense},); they have {codes.shape}.")
        if codes.size and (codes.min() < 0 or codes.max() >= len(self.names)):
            raise ValueError(f"codes must lie in 0 … {len(self.names) - 1}, the parcels.")
        object.__setattr__(self, "codes", codes)

    @property
    def n_points(self) -> int:
        return len(self.names)

    @lazy_property
    def fingerprint(self) -> str:
        digest = hashlib.blake2b(repr(self.names).encode(), digest_size=16)
        if self.dense is not None:
            digest.update(self.dense.fingerprint.encode())
        digest.update(np.ascontiguousarray(self.codes, dtype="<i4").tobytes())
        return digest.hexdigest()

    def describe(self) -> str:
        return f"{self.n_points} parcels ({_listed(self.names, 3)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Parcels) or self.names != other.names:
            return False
        if self.dense is None or other.dense is None:
            return self.dense is other.dense
        try:
            where = self.dense.positions_in(other.dense)
        except ValueError:
            return False
        same_size = self.dense.n_points == other.dense.n_points
        return same_size and bool((where >= 0).all()) and bool((other.codes[where] == self.codes).all())

    def __hash__(self) -> int:
        return hash(self.names)


def canonical_structure(name: str) -> str:
    """The name of a structure as it is here: upper case, without CIFTI's prefix."""
    return name.strip().upper().removeprefix(STRUCTURE_PREFIX)


def _numbers(model: Model) -> NDArray[np.int32]:
    return model.vertices if isinstance(model, SurfaceModel) else model.voxels


def _same_model(a: Model, b: Model) -> bool:
    if a.structure != b.structure or a.is_surface != b.is_surface:
        return False
    if isinstance(a, SurfaceModel) and isinstance(b, SurfaceModel) and a.n_vertices != b.n_vertices:
        return False
    return np.array_equal(_numbers(a), _numbers(b))


def _frozen(values: NDArray, dtype: type) -> NDArray:
    array: NDArray = np.array(values, dtype=dtype)
    array.setflags(write=False)
    return array


def _listed(names: Sequence[str], n: int = N_LISTED) -> str:
    text = ", ".join(names[:n])
    return text if len(names) <= n else f"{text} and {len(names) - n} more"
