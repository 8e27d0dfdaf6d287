"""Smoothing on meshes and among voxels: what the kernels are, and how wide."""

from __future__ import annotations

import numpy as np
import pytest
import surfaces
from numpy.testing import assert_allclose

from brainsieve.engine.delaunay import delaunay_cotangents
from brainsieve.engine.mesh import Mesh, SurfaceVertices
from brainsieve.engine.spatial.mesh_smoothing import (
    heat_step,
    mesh_steps,
    n_iterations,
    neighbour_averaging,
    side_by_side,
    volume_gaussian,
)
from brainsieve.engine.spatial.plan import fold
from brainsieve.engine.spatial.select import Select
from brainsieve.surface import load_surf_mesh


def plane(n: int = 41, spacing: float = 1.5, shear: float = 0.4) -> Mesh:
    """A flat sheet of sheared triangles, so that directions are not alike."""
    i, j = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    x, y = spacing * (i + shear * j), spacing * j
    number = (i * n + j)[:-1, :-1].ravel()
    lower = np.stack([number, number + n, number + 1], axis=1)
    upper = np.stack([number + 1, number + n, number + n + 1], axis=1)
    return Mesh(
        np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1).astype(float), np.vstack([lower, upper])
    )


def applied(steps, values: np.ndarray) -> np.ndarray:
    for step in steps:
        values = step @ values
    return values


@pytest.mark.parametrize("fwhm", [2.0, 4.0, 8.0])
def test_the_heat_kernel_is_as_wide_as_asked_for(fwhm):
    mesh = plane()
    centre = 20 * 41 + 20
    # The response of every vertex to an impulse at the centre, by area, is the kernel.
    impulse = np.zeros(mesh.n_vertices)
    impulse[centre] = 1.0 / mesh.vertex_areas[centre]
    kernel = applied(mesh_steps(mesh, fwhm, "heat"), impulse) * mesh.vertex_areas
    assert_allclose(kernel.sum(), 1.0, rtol=1e-4)
    offsets = mesh.coordinates - mesh.coordinates[centre]
    for axis in range(2):
        width = np.sqrt((kernel * offsets[:, axis] ** 2).sum() * 8 * np.log(2))
        assert_allclose(width, fwhm, rtol=0.01)


def test_the_heat_kernel_on_a_sphere_has_the_width_of_the_sphere():
    mesh = load_surf_mesh(surfaces.mesh_file("sphere", "left")).geometry
    radius = np.linalg.norm(mesh.coordinates, axis=1).mean()
    fwhm = 40.0
    height = mesh.coordinates[:, 2] / radius
    smoothed = applied(mesh_steps(mesh, fwhm, "heat"), height)
    # The first spherical harmonic decays by exp(-2 t / R²) with t = σ² / 2.
    awaited = np.exp(-(fwhm**2) / (8 * np.log(2)) / radius**2)
    assert_allclose(np.polyfit(height, smoothed, 1)[0], awaited, rtol=0.01)


def test_constants_stay_and_steps_are_shared():
    mesh = load_surf_mesh(surfaces.mesh_file("pial", "left")).geometry
    for method in ("heat", "neighbours"):
        steps = mesh_steps(mesh, 60.0, method)
        assert len({id(step) for step in steps}) == 1 and len(steps) > 1
        assert_allclose(applied(steps, np.full(642, 7.0)), 7.0, rtol=1e-6)


def test_one_round_is_half_own_half_neighbours():
    mesh = Mesh(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5.0]]), np.array([[0, 1, 2]]))
    found = neighbour_averaging(mesh).toarray()
    assert_allclose(found[0], [0.5, 0.25, 0.25, 0])
    assert_allclose(found[3], [0, 0, 0, 1])  # no neighbours: as it is


def test_a_width_of_no_round_warns():
    mesh = load_surf_mesh(surfaces.mesh_file("pial", "left")).geometry
    assert n_iterations(mesh, 2.0) == 0
    with pytest.warns(UserWarning, match="less than one round"):
        assert mesh_steps(mesh, 2.0, "neighbours") == []


@pytest.mark.parametrize("method", ["neighbours", "heat"])
def test_a_width_of_endless_rounds_is_refused_before_they_are_listed(method):
    with pytest.raises(ValueError, match=r"smoothing_fwhm=1e\+06 mm would take [\d,]+ steps"):
        mesh_steps(plane(5), 1e6, method)


def test_parts_with_fewer_rounds_stay_as_they_are():
    mesh = plane(5)
    step = neighbour_averaging(mesh)
    chain = side_by_side([(25, [step, step]), (25, [step])])
    values = np.random.default_rng(0).normal(size=(3, 50))
    out = values
    for operator in chain:
        out = operator.forward(out)
    assert_allclose(out[:, :25], (step @ step @ values[:, :25].T).T)
    assert_allclose(out[:, 25:], (step @ values[:, 25:].T).T)
    folded = fold([*chain, Select(np.arange(50), 50)], "stepwise")
    assert_allclose(folded.forward(values), out, rtol=1e-12)


def test_voxels_of_a_structure_are_smoothed_among_themselves():
    centres = np.stack(np.meshgrid(*[np.arange(15)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) * 2.0
    matrix = volume_gaussian(centres, 6.0)
    assert_allclose(np.asarray(matrix.sum(axis=1)).ravel(), 1.0)
    middle = np.flatnonzero((centres == 14.0).all(axis=1))[0]
    row = matrix[[middle]].toarray()[0]
    width = np.sqrt((row * (centres[:, 0] - 14.0) ** 2).sum() * 8 * np.log(2))
    assert_allclose(width, 6.0, rtol=0.02)
    # Voxels that are far from all others are left alone.
    assert_allclose(volume_gaussian(np.array([[0, 0, 0], [500.0, 0, 0]]), 6.0).toarray(), np.eye(2))


@pytest.mark.parametrize("shear", [0.4, 2.5, 4.0])
def test_obtuse_triangles_give_no_negative_weight(shear):
    mesh = plane(21, shear=shear)
    faces, cotangents, areas = delaunay_cotangents(mesh)
    assert faces.shape == mesh.faces.shape
    assert_allclose(areas.sum(), np.linalg.norm(mesh.face_normals, axis=1).sum() / 2)
    ends = np.sort(np.concatenate([faces[:, [1, 2]], faces[:, [2, 0]], faces[:, [0, 1]]]), axis=1)
    _, number, count = np.unique(ends, axis=0, return_inverse=True, return_counts=True)
    sums = np.bincount(number.ravel(), cotangents.T.ravel())
    assert sums[count == 2].min() > -1e-9
    kernel = heat_step(mesh, 4.0)
    inner = np.flatnonzero(np.abs(mesh.coordinates - mesh.coordinates.mean(axis=0)).max(axis=1) < 8)
    assert kernel[inner].data.min() >= -1e-9


def test_flipping_leaves_lengths_of_a_flat_sheet_as_they_are():
    mesh = plane(11, shear=2.0)
    faces, _cotangents, areas = delaunay_cotangents(mesh)
    corners = mesh.coordinates[faces]
    # In a plane edges are straight however they are flipped: areas follow from the coordinates.
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert_allclose(np.linalg.norm(normals, axis=1) / 2, areas, rtol=1e-9)
    assert not np.array_equal(faces, mesh.faces)


@pytest.mark.parametrize("fwhm", [6.0, 10.0])
def test_the_heat_kernel_on_a_folded_cortex(test_data, fwhm):
    file = test_data / "ds000005_cifti/tpl-conte69_hemi-L_den-5k_midthickness.surf.gii"
    mesh = load_surf_mesh(file).geometry
    rows = np.random.default_rng(0).choice(mesh.n_vertices, 200, replace=False)
    picked = np.zeros((mesh.n_vertices, len(rows)))
    picked[rows, np.arange(len(rows))] = 1.0
    for step in mesh_steps(mesh, fwhm, "heat"):
        picked = step.T @ picked
    assert picked.min() > -1e-9
    squared = ((mesh.coordinates[:, None, :].astype(float) - mesh.coordinates[rows]) ** 2).sum(axis=2)
    widths = np.sqrt((picked * squared).sum(axis=0) / 2 * 8 * np.log(2))
    # Distances are straight ones, which folding makes shorter than those along the surface.
    assert 0.9 * fwhm < np.median(widths) < 1.02 * fwhm


def test_domains_are_equal_by_parts_and_sizes():
    one = SurfaceVertices({"right": 3, "left": 2})
    assert one.parts == ("left", "right") and one.n_points == 5
    assert one == SurfaceVertices({"left": 2, "right": 3}) and hash(one) == hash(
        SurfaceVertices({"left": 2, "right": 3})
    )
    assert one != SurfaceVertices({"left": 3, "right": 2})
    assert one.spans["right"] == slice(2, 5) and "3 vertices of the right" in one.describe()
    with pytest.raises(ValueError, match="top"):
        SurfaceVertices({"top": 3})


@pytest.mark.parametrize("fwhm", [1.0, 3.0, 6.0])
@pytest.mark.parametrize("part", [3, 4096])
def test_the_gaussian_of_voxels_is_of_their_distances_and_ends_at_four_standard_deviations(
    fwhm, part, monkeypatch
):
    monkeypatch.setattr("brainsieve.engine.spatial.mesh_smoothing.PART", part)
    centres = 2.0 * np.argwhere(np.random.default_rng(0).random((6, 6, 6)) > 0.5)
    sigma = fwhm / np.sqrt(8 * np.log(2))
    distances = np.linalg.norm(centres[:, None] - centres, axis=-1)
    expected = np.where(distances <= 4 * sigma, np.exp(-0.5 * (distances / sigma) ** 2), 0)
    expected /= expected.sum(axis=1, keepdims=True)
    assert_allclose(volume_gaussian(centres, fwhm).toarray(), expected, atol=1e-12)


def test_the_areas_of_vertices_are_those_of_the_faces_around_them():
    mesh = plane(n=6)
    corners = mesh.coordinates[mesh.faces]
    areas = 0.5 * np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    expected = [
        sum(area for area, face in zip(areas, mesh.faces, strict=True) if v in face) / 3 for v in range(36)
    ]
    assert_allclose(mesh.vertex_areas, expected)


def test_a_round_of_averaging_takes_each_neighbour_once_at_the_rim_too():
    mesh = plane(n=5)
    values = np.random.default_rng(0).normal(size=mesh.n_vertices)
    for vertex, mixed in enumerate(neighbour_averaging(mesh) @ values):
        around = {int(v) for face in mesh.faces if vertex in face for v in face} - {vertex}
        assert_allclose(mixed, 0.5 * values[vertex] + 0.5 * values[sorted(around)].mean())


def test_a_part_of_a_mesh_has_the_faces_that_lie_in_it():
    mesh = plane(n=4)
    vertices = np.array([5, 0, 1, 4, 9])
    part = mesh.restricted(vertices)
    expected = [f for f in mesh.faces.tolist() if set(f) <= set(vertices.tolist())]
    assert vertices[part.faces].tolist() == expected
    assert len(expected) >= 2
    assert_allclose(part.coordinates, mesh.coordinates[vertices])


def test_edges_that_are_there_already_are_not_made_a_second_time():
    """In a flat tetrahedron all pairs of vertices are joined: nothing can be flipped, however obtuse its angles are."""
    mesh = Mesh(
        np.array([[0.0, 0, 0], [10, 0, 0], [5, 1, 0], [5, 0.4, 0.3]]),
        np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]]),
    )
    faces, _, areas = delaunay_cotangents(mesh)
    assert sorted(map(sorted, faces.tolist())) == sorted(map(sorted, mesh.faces.tolist()))
    assert_allclose(areas.sum(), mesh.vertex_areas.sum())
