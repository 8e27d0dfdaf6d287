"""Smoothing on meshes, and of structures in their own volume: square sparse matrices, applied in turn.

Each function gives a list of operators. A step that is repeated is the same object: `fold` moves the weights of
regions back through it as often as it stands there, and nothing is held twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from brainsieve.engine.delaunay import delaunay_cotangents
from brainsieve.engine.mesh import HEMISPHERES, Mesh
from brainsieve.engine.spatial.average import SparseOperator
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.spatial.smooth import SIGMA_PER_FWHM
from brainsieve.logs import warn

# A step of heat diffusion is as wide (standard deviation) as a typical edge: its matrix then has some 40
# weights in a row, and wider kernels are several steps.
MOST_STEP_IN_EDGES = 1.0
# Weights below this share of their row's largest are dropped from the matrix of a step.
NEGLIGIBLE = 1e-6
# Voxels further than so many standard deviations have no weight.
TRUNCATE = 4.0
# Voxels whose weights are computed at a time.
PART = 2**12

# Steps beyond which a FWHM is a mistake: 100 mm on 164 k vertices are some 7 000 rounds.
MOST_STEPS = 20_000

METHODS = ("neighbours", "heat")


def n_iterations(mesh: Mesh, fwhm: float) -> int:
    """Rounds of neighbour averaging that make a Gaussian of this FWHM (mm), from the mean area of a vertex.

    Notes
    -----
    1.14 · 4π σ² / (7 a) with the mean area a of a vertex, as FreeSurfer's nearest-neighbour smoothing has it; see
    Hagler, Saygin & Sereno 2006, NeuroImage 33:1093, doi:10.1016/j.neuroimage.2006.07.036.
    """
    sigma = fwhm * SIGMA_PER_FWHM
    mean_area = float(mesh.vertex_areas.mean())
    return math.floor(1.14 * 4 * math.pi * sigma**2 / (7 * mean_area) + 0.5)


def neighbour_averaging(mesh: Mesh) -> sparse.csr_array:
    """One round: half of a vertex's own value and half of the mean of its neighbours."""
    n_neighbours = np.asarray(mesh.adjacency.sum(axis=1)).ravel()
    scale = np.divide(0.5, n_neighbours, out=np.zeros(mesh.n_vertices), where=n_neighbours > 0)
    own = np.where(n_neighbours > 0, 0.5, 1.0)
    return sparse.csr_array(sparse.diags_array(scale) @ mesh.adjacency + sparse.diags_array(own))


def cotangent_laplacian(mesh: Mesh) -> tuple[sparse.csr_array, NDArray[np.float64]]:
    """Stiffness matrix C of linear finite elements, and the areas of the vertices: −M⁻¹ C is the Laplacian.

    Notes
    -----
    Pinkall & Polthier 1993, Experimental Mathematics 2:15, doi:10.1080/10586458.1993.10504266; on the intrinsic
    Delaunay triangulation of the surface, on which no neighbour has a negative weight (`delaunay`).
    """
    faces, cotangents, face_areas = delaunay_cotangents(mesh)
    rows, columns, weights = [], [], []
    for corner in range(3):
        a, b = faces[:, (corner + 1) % 3], faces[:, (corner + 2) % 3]
        rows += [a, b]
        columns += [b, a]
        weights += [0.5 * cotangents[:, corner]] * 2
    between = sparse.coo_array(
        (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))),
        shape=(mesh.n_vertices,) * 2,
    ).tocsr()
    # Edges at the rim of a hole cannot be flipped; the few that are obtuse there conduct nothing.
    between.data = np.maximum(between.data, 0.0)
    total = np.asarray(between.sum(axis=1)).ravel()
    areas = np.bincount(faces.ravel(), np.repeat(face_areas / 3.0, 3), minlength=mesh.n_vertices)
    return sparse.csr_array(sparse.diags_array(total) - between), np.asarray(areas, dtype=np.float64)


def heat_step(mesh: Mesh, variance: float) -> sparse.csr_array:
    """exp(t Δ) with the mesh's Laplacian: a kernel whose variance along any direction is 2 t.

    Parameters
    ----------
    mesh : Mesh
    variance : float
        In mm².

    Notes
    -----
    Chung, Robbins, Dalton, Davidson, Alexander & Evans 2005, NeuroImage 25:1256,
    doi:10.1016/j.neuroimage.2004.12.052. The exponential is taken by scaling and squaring; weights that do
    not matter are dropped on the way, and rows made to sum to 1 again.
    """
    stiffness, areas = cotangent_laplacian(mesh)
    inverse = np.divide(1.0, areas, out=np.zeros_like(areas), where=areas > 0)
    rate = sparse.csr_array(sparse.diags_array(inverse) @ stiffness) * (-0.5 * variance)
    largest = float(np.abs(rate).sum(axis=1).max(initial=0.0))
    n_squarings = max(0, math.ceil(math.log2(largest / 0.5))) if largest > 0 else 0
    matrix = _taylor(rate / 2**n_squarings)
    for _ in range(n_squarings):
        matrix = _pruned(matrix @ matrix)
    return matrix


def _taylor(rate: sparse.csr_array, degree: int = 7) -> sparse.csr_array:
    """exp of a matrix of norm at most 0.5; the eighth term is below 1e-7 of it."""
    one = sparse.csr_array(sparse.eye_array(rate.shape[0], format="csr"))
    matrix = one
    for order in range(degree, 0, -1):
        matrix = one + (rate @ matrix) / order
    return _pruned(sparse.csr_array(matrix))


def _pruned(matrix: sparse.csr_array) -> sparse.csr_array:
    """Without negligible weights, rows summing to 1."""
    magnitude = np.abs(matrix.data)
    largest = np.maximum.reduceat(magnitude, matrix.indptr[:-1]) if matrix.nnz else magnitude
    of_row = np.repeat(largest, np.diff(matrix.indptr))
    matrix.data[magnitude < NEGLIGIBLE * of_row] = 0.0
    matrix.eliminate_zeros()
    totals = np.asarray(matrix.sum(axis=1)).ravel()
    matrix.data /= np.repeat(totals, np.diff(matrix.indptr))
    return matrix


def volume_gaussian(centres_mm: NDArray, fwhm: float) -> sparse.csr_array:
    """Gaussian of the distances between the voxels of one structure; rows sum to 1.

    Parameters
    ----------
    centres_mm : array of shape (n_voxels, 3)
    fwhm : float
        In mm.
    """
    sigma = fwhm * SIGMA_PER_FWHM
    tree = cKDTree(centres_mm)
    parts = []
    for start in range(0, len(centres_mm), PART):
        near = cKDTree(centres_mm[start : start + PART]).sparse_distance_matrix(
            tree, TRUNCATE * sigma, output_type="coo_matrix"
        )
        part = near.tocsr()
        part.data = np.exp(-0.5 * (part.data / sigma) ** 2)
        parts.append(part)
    matrix = sparse.csr_array(sparse.vstack(parts, format="csr"))
    # A distance of 0 is no entry of a sparse matrix: a voxel's own weight is 1.
    matrix.setdiag(1.0)
    return sparse.csr_array(sparse.diags_array(1.0 / np.asarray(matrix.sum(axis=1)).ravel()) @ matrix)


def mesh_steps(mesh: Mesh, fwhm: float, method: str) -> list[sparse.csr_array]:
    """Matrices that smooth one hemisphere, to be applied in turn; warns where a FWHM is too small for any."""
    if method == "heat":
        sigma = fwhm * SIGMA_PER_FWHM
        edge = math.sqrt(max(float(mesh.vertex_areas.mean()), 1e-12))
        n_steps = max(1, math.ceil((sigma / (MOST_STEP_IN_EDGES * edge)) ** 2))
        _refuse_endless(n_steps, fwhm, mesh)
        return [heat_step(mesh, sigma**2 / n_steps)] * n_steps
    n_steps = n_iterations(mesh, fwhm)
    _refuse_endless(n_steps, fwhm, mesh)
    if n_steps == 0:
        warn(
            f"smoothing_fwhm={fwhm:g} mm is less than one round of neighbour averaging on {mesh.name} "
            f"({mesh.vertex_areas.mean():.2g} mm² for each vertex): nothing is smoothed there. "
            "smoothing_method='heat' smooths by any width.",
        )
    return [neighbour_averaging(mesh)] * n_steps


def surface_smoothing(
    meshes: Mapping[str, Mesh], fwhm: float, method: str = "neighbours"
) -> list[SpatialOperator]:
    """Operators that smooth the values at the vertices of the hemispheres, left before right; FWHM in mm."""
    parts = [meshes[part] for part in HEMISPHERES if part in meshes]
    return list(side_by_side([(mesh.n_vertices, mesh_steps(mesh, fwhm, method)) for mesh in parts]))


def _refuse_endless(n_steps: int, fwhm: float, mesh: Mesh) -> None:
    if n_steps > MOST_STEPS:
        raise ValueError(
            f"smoothing_fwhm={fwhm:g} mm would take {n_steps:,} steps on {mesh.name}, whose vertices have "
            f"{mesh.vertex_areas.mean():.2g} mm² each; it must be in mm, and smaller than the surface."
        )


def side_by_side(parts: Sequence[tuple[int, Sequence[sparse.csr_array]]]) -> list[SparseOperator]:
    """Steps of several parts of a domain as steps of the whole; parts that are done stay as they are.

    Parameters
    ----------
    parts : sequence of (n_points, matrices)
        In the order of the points.
    """
    n_steps = max((len(steps) for _, steps in parts), default=0)
    made: dict[tuple[int, ...], SparseOperator] = {}
    chain = []
    for step in range(n_steps):
        blocks = [
            steps[step] if step < len(steps) else sparse.eye_array(n_points, format="csr")
            for n_points, steps in parts
        ]
        key = tuple(id(steps[step]) if step < len(steps) else -1 for _, steps in parts)
        if key not in made:
            made[key] = SparseOperator(sparse.block_diag(blocks, format="csr"), copy=False)
        chain.append(made[key])
    return chain
