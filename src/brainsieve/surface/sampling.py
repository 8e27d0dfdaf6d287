"""Volumes sampled at the vertices of a mesh: one sparse matrix, whatever the number of samples in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from brainsieve.checks import a_number, naming
from brainsieve.engine.domain import VoxelGrid, apply_affine
from brainsieve.engine.extract import Request, extract
from brainsieve.engine.mesh import Mesh
from brainsieve.engine.plans import cached_plan
from brainsieve.engine.source import open_source, read_all
from brainsieve.engine.source.base import Source
from brainsieve.engine.source.values import streamed
from brainsieve.engine.spatial.average import SparseOperator
from brainsieve.exceptions import DimensionError, MeshDimensionError
from brainsieve.surface.meshes import geometry_of, load_surf_mesh

KINDS = ("line", "ball", "depth")
INTERPOLATIONS = ("linear", "nearest_most_frequent")
N_ON_LINE = 10
N_IN_BALL = 20
# Points that fill the unit ball evenly, measured at the function whose numbers these are to be.
BALL_OF_20 = np.array(
    [
        [-0.670716025368509, -0.236754285700538, -0.17922129575794],
        [-0.658917610694689, 0.0581764754783344, 0.353354290987889],
        [-0.597360541015824, 0.370974957632815, -0.195783820525213],
        [-0.395409430007215, -0.473494480298913, 0.418340955726538],
        [-0.348615765662419, 0.55152835071054, 0.339322256755576],
        [-0.278867278488456, -0.403582921573833, -0.558175470021006],
        [-0.27673608717416, 0.19789032336534, -0.650949737845869],
        [-0.219484768624425, -0.710937238603429, -0.0653744934509925],
        [-0.148379762071693, 0.0255495981170779, 0.721382998566876],
        [-0.0447152884489188, 0.706497313611638, -0.178658311431388],
        [-0.00334600530988599, -0.0220422434165228, 0.0199325785175493],
        [0.192619021170472, 0.564667229522908, 0.420966224092543],
        [0.208094366117568, -0.527984968193218, 0.464650287840094],
        [0.217854990159594, -0.278528500071722, -0.656072102119811],
        [0.285133982851524, 0.393372523995304, -0.558601714677877],
        [0.34739835194518, -0.631138793380235, -0.151133727963497],
        [0.437091927878756, 0.0628130976324378, 0.601111453512192],
        [0.584221654867675, 0.437616478486145, 0.0166375794205591],
        [0.639999993974825, -0.0412494355307498, -0.355466497259065],
        [0.687157379691254, -0.222853396334211, 0.172351324077054],
    ]
)


def vol_to_surf(
    img: Any,
    surf_mesh: Any,
    radius: float = 3.0,
    interpolation: str = "linear",
    kind: str = "auto",
    n_samples: int | None = None,
    mask_img: Any = None,
    inner_mesh: Any = None,
    depth: Sequence[float] | None = None,
) -> NDArray[np.float64]:
    """Sample a volume at the vertices of a mesh.

    Each vertex has some points around it; its value is the mean of the image at those of them that lie
    inside the image and the mask.

    Parameters
    ----------
    img : image-like
        3-D or 4-D.
    surf_mesh : path, mesh or pair (coordinates, faces)
        In the space of the image, in mm. With `inner_mesh`, the outer (pial) surface.
    radius : float, default=3.0
        In mm: half the length of the line, or the radius of the ball.
    interpolation : {"linear", "nearest_most_frequent"}, default="linear"
        "linear": the mean of trilinear interpolations. "nearest_most_frequent": the value that most of the
        points have in their nearest voxel (the smallest of several): for labels.
    kind : {"auto", "line", "ball", "depth"}, default="auto"
        "line": points along the normal; "ball": points in a ball; "depth": points between the surfaces.
        "auto" is "depth" where there is an `inner_mesh`, else "line".
    n_samples : int, optional
        Points for each vertex. Default: 10, and 20 in a ball.
    mask_img : image-like, optional
        On the grid of the image; points in voxels outside are left out.
    inner_mesh : path, mesh or pair, optional
        The inner (white matter) surface, vertex by vertex that of `surf_mesh`.
    depth : sequence of float, optional
        Where the points are, instead of `n_samples`: fractions from the outer (0) to the inner surface (1),
        or for "line" multiples of `radius` inwards along the normal.

    Returns
    -------
    values : array of shape (n_vertices,) or (n_vertices, n_samples of the image)
        float64; NaN where a vertex has no point inside, or only points in voxels that are NaN.

    Raises
    ------
    ValueError, TypeError
        Where a parameter is not what it should be, or the meshes have different numbers of vertices.

    Notes
    -----
    Points up to one voxel beyond the centres of the last voxels are inside for "linear", extrapolated; half
    a voxel beyond the centres of the outermost voxels for "nearest_most_frequent".
    """
    kind = _checked(interpolation, kind, inner_mesh, depth)
    a_number("radius", radius)
    radius = float(radius)
    if depth is not None:
        with naming("depth"):
            depth = tuple(map(float, depth))
    outer = geometry_of(load_surf_mesh(surf_mesh), "surf_mesh")
    inner = None if inner_mesh is None else geometry_of(load_surf_mesh(inner_mesh), "inner_mesh")
    source = open_source(img)
    grid = source.domain
    if not isinstance(grid, VoxelGrid):
        raise TypeError(f"img must be a volume; {source.name} is {grid.describe()}.")
    mask = _mask(mask_img, grid)
    key = (
        *("vol_to_surf", outer.fingerprint, None if inner is None else inner.fingerprint, grid.fingerprint),
        *(radius, interpolation, kind, n_samples, depth),
        None if mask is None else mask.tobytes(),
    )

    def build() -> Sampling:
        points = sample_points(outer, kind, radius, n_samples, inner, depth)
        make = _linear if interpolation == "linear" else _nearest
        return make(points, grid, mask)

    sampling = cached_plan(key, build)
    values = sampling.of(source).T
    return values[:, 0] if source.is_single else values


def _checked(interpolation: str, kind: str, inner_mesh: Any, depth: Any) -> str:
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"interpolation must be one of {INTERPOLATIONS}; {interpolation!r} was given.")
    if kind == "auto":
        kind = "line" if inner_mesh is None else "depth"
    if kind not in KINDS:
        raise ValueError(f"kind must be 'auto' or one of {KINDS}; {kind!r} was given.")
    if kind == "depth" and inner_mesh is None:
        raise TypeError("kind='depth' samples between two surfaces and needs inner_mesh, which is None.")
    if kind == "ball" and depth is not None:
        raise ValueError("depth does not go with kind='ball'; it is for 'depth' and 'line'.")
    return kind


def _mask(mask_img: Any, grid: VoxelGrid) -> NDArray[np.bool_] | None:
    if mask_img is None:
        return None
    source = open_source(mask_img)
    if source.domain != grid:
        raise ValueError(
            f"mask_img ({source.domain.describe()}) is not on the grid of img ({grid.describe()}); "
            "resample it with brainsieve.image.resample_to_img."
        )
    if source.n_samples != 1:
        raise DimensionError(4, 3, "mask_img")
    values = read_all(source)
    return (np.isfinite(values) & (values != 0)).all(axis=0)


def sample_points(
    outer: Mesh,
    kind: str,
    radius: float = 3.0,
    n_samples: int | None = None,
    inner: Mesh | None = None,
    depth: Sequence[float] | None = None,
) -> NDArray[np.float64]:
    """The points around each vertex, in mm: (n_vertices, n_points, 3)."""
    vertices = outer.coordinates.astype(np.float64)[:, None]
    if kind == "ball":
        return vertices + radius * ball_points(n_samples or N_IN_BALL)
    if kind == "line":
        inwards = (
            np.linspace(-1, 1, n_samples or N_ON_LINE) if depth is None else np.asarray(depth, dtype=float)
        )
        return vertices - radius * inwards[:, None] * vertex_normals(outer)[:, None]
    assert inner is not None
    if inner.n_vertices != outer.n_vertices:
        raise MeshDimensionError(
            f"surf_mesh has {outer.n_vertices} vertices, inner_mesh {inner.n_vertices}; vertices of one must "
            "be those of the other."
        )
    share = np.linspace(0, 1, n_samples or N_ON_LINE) if depth is None else np.asarray(depth, dtype=float)
    return vertices + share[:, None] * (inner.coordinates.astype(np.float64)[:, None] - vertices)


def vertex_normals(mesh: Mesh) -> NDArray[np.float64]:
    """Unit normals of the vertices: the mean direction of the faces around each; (n_vertices, 3)."""
    lengths = np.linalg.norm(mesh.face_normals, axis=1, keepdims=True)
    of_faces = np.divide(mesh.face_normals, lengths, out=np.zeros_like(mesh.face_normals), where=lengths > 0)
    normals = np.zeros((mesh.n_vertices, 3))
    for axis in range(3):
        normals[:, axis] = np.bincount(
            mesh.faces.ravel(), np.repeat(of_faces[:, axis], 3), minlength=mesh.n_vertices
        )
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.divide(normals, lengths, out=normals, where=lengths > 0)


def ball_points(n: int) -> NDArray[np.float64]:
    """Points that fill the unit ball evenly; (n, 3). Another number than 20: a spiral of shells of equal volume."""
    if n == N_IN_BALL:
        return BALL_OF_20
    number = np.arange(n) + 0.5
    distance = np.cbrt(number / n)
    # The additive sequence of the plastic number spreads both angles and radii.
    height = 1 - 2 * ((number * 0.7548776662466927) % 1.0)
    angle = 2 * np.pi * ((number * 0.5698402909980532) % 1.0)
    flat = np.sqrt(1 - height**2)
    directions = np.stack([flat * np.cos(angle), flat * np.sin(angle), height], axis=1)
    points = distance[:, None] * directions
    return points - points.mean(axis=0)


@dataclass(frozen=True)
class Sampling:
    """What is sampled, compiled for a mesh and a grid."""

    def of(self, source: Source) -> NDArray[np.float64]:
        """Values of a source at the vertices; (n_samples, n_vertices)."""
        raise NotImplementedError


@dataclass(frozen=True)
class LinearSampling(Sampling):
    """Means of trilinear interpolations.

    Attributes
    ----------
    means : SparseOperator
        From voxels to vertices.
    voxels, weights : arrays of shape (n points inside, 8)
        Of the voxels around each point, for images that are NaN somewhere.
    inside : bool array of shape (n_vertices, n_points)
    """

    means: SparseOperator
    voxels: NDArray
    weights: NDArray[np.float64]
    inside: NDArray[np.bool_]

    @property
    def nbytes(self) -> int:
        return self.means.nbytes + self.voxels.nbytes + self.weights.nbytes + self.inside.nbytes

    def of(self, source: Source) -> NDArray[np.float64]:
        answer = extract(source, [Request(self.means)])[0]
        values = answer.values
        if answer.n_nonfinite is not None and answer.n_nonfinite[self.means.support].any():
            values = self._around_nan(source)
        values[:, ~self.inside.any(axis=1)] = np.nan
        return values

    def _around_nan(self, source: Source) -> NDArray[np.float64]:
        """Means of the points that are finite: a NaN voxel spoils the points near it, not their vertex."""
        values = np.full((source.n_samples, len(self.inside)), np.nan)
        with streamed(source, whole_samples=True, dtype=np.float64) as blocks:
            for block in blocks:
                for sample, row in zip(block.samples, block.values, strict=True):
                    at_points = np.full(self.inside.shape, np.nan)
                    corners = row[self.voxels]
                    # A voxel of weight 0 does not count, whatever it is.
                    at_points[self.inside] = np.where(self.weights == 0, 0.0, self.weights * corners).sum(
                        axis=1
                    )
                    good = np.isfinite(at_points)
                    n_good = good.sum(axis=1)
                    total = np.where(good, at_points, 0.0).sum(axis=1)
                    np.divide(total, n_good, out=values[sample], where=n_good > 0)
        return values


def _linear(points_mm: NDArray, grid: VoxelGrid, mask: NDArray[np.bool_] | None) -> LinearSampling:
    n_vertices, n_points = points_mm.shape[:2]
    at = apply_affine(np.linalg.inv(grid.affine), points_mm.reshape(-1, 3))
    inside = _inside(np.floor(at), grid, mask)
    voxels, weights = _corners(at[inside], grid)
    inside = inside.reshape(n_vertices, n_points)
    n_inside = inside.sum(axis=1)
    of_point = np.repeat(1.0 / np.maximum(n_inside, 1), n_inside)
    # The corners of a vertex's points follow one another: they are a row of the matrix as they stand.
    ends = np.concatenate([[0], 8 * np.cumsum(n_inside)])
    means = sparse.csr_array(
        ((weights * of_point[:, None]).ravel(), voxels.ravel(), ends), shape=(n_vertices, grid.n_points)
    )
    means.eliminate_zeros()
    return LinearSampling(SparseOperator(means, copy=False), voxels, weights, inside)


def _corners(at: NDArray, grid: VoxelGrid) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Points (n, 8) of the voxels around positions (n, 3), and their trilinear weights."""
    voxels = np.zeros((len(at), 8), dtype=np.int32 if grid.n_points < 2**31 else np.int64)
    weights = np.ones((len(at), 8))
    corner = np.arange(8)
    stride = 1
    for axis, size in enumerate(grid.shape):
        # Beyond the centre of the last voxel the line through the last two is followed.
        low = np.clip(np.floor(at[:, axis]), 0, max(size - 2, 0))
        share = (at[:, axis] - low) if size > 1 else np.zeros(len(at))
        is_high = (corner >> axis) & 1
        weights *= np.stack([1.0 - share, share], axis=1)[:, is_high]
        voxels += (stride * (low[:, None] + is_high * (size > 1))).astype(voxels.dtype)
        stride *= size
    return voxels, weights


@dataclass(frozen=True)
class NearestSampling(Sampling):
    """The most frequent value in the nearest voxels.

    Attributes
    ----------
    points : array of int, shape (n_vertices, n_points)
    inside : bool array of that shape
    """

    points: NDArray[np.intp]
    inside: NDArray[np.bool_]

    @property
    def nbytes(self) -> int:
        return self.points.nbytes + self.inside.nbytes

    def of(self, source: Source) -> NDArray[np.float64]:
        values = np.full((source.n_samples, len(self.points)), np.nan)
        with streamed(source, whole_samples=True, dtype=np.float64) as blocks:
            for block in blocks:
                for sample, row in zip(block.samples, block.values, strict=True):
                    values[sample] = self._most_frequent(row)
        return values

    def _most_frequent(self, voxels: NDArray[np.float64]) -> NDArray[np.float64]:
        at_points = np.sort(np.where(self.inside, voxels[self.points], np.nan), axis=1)
        counts = (at_points[:, :, None] == at_points[:, None, :]).sum(axis=2)
        # In ascending order the first of the most frequent is the smallest; NaN equals nothing, hence counts 0.
        return at_points[np.arange(len(at_points)), counts.argmax(axis=1)]


def _nearest(points_mm: NDArray, grid: VoxelGrid, mask: NDArray[np.bool_] | None) -> NearestSampling:
    at = np.round(apply_affine(np.linalg.inv(grid.affine), points_mm.reshape(-1, 3)))
    inside = _inside(at, grid, mask)
    points = np.zeros(len(at), dtype=np.intp)
    points[inside] = grid.voxels_to_points(at[inside].astype(np.int64))
    shape = points_mm.shape[:2]
    return NearestSampling(points.reshape(shape), inside.reshape(shape))


def _inside(voxels: NDArray, grid: VoxelGrid, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    inside = np.asarray(((voxels >= 0) & (voxels < np.array(grid.shape))).all(axis=1))
    if mask is not None:
        inside[inside] = mask[grid.voxels_to_points(voxels[inside].astype(np.int64))]
    return inside
