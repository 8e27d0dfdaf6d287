"""Volumes sampled on meshes, against the peer and against what can be said without it."""

from __future__ import annotations

import warnings

import nibabel as nib
import numpy as np
import pytest
import surfaces
from numpy.testing import assert_allclose

from brainsieve import exceptions
from brainsieve.surface import InMemoryMesh, SurfaceImage, load_surf_mesh, vol_to_surf
from brainsieve.surface.sampling import ball_points, vertex_normals

AFFINE = np.array([[8, 0, 0.5, -90], [0, -8, 0, 80], [0.3, 0, 8, -70], [0, 0, 0, 1.0]])
SHAPE = (24, 25, 22)
SETTINGS = [
    {},
    {"radius": 6.0, "n_samples": 7},
    {"kind": "ball"},
    {"kind": "ball", "radius": 5.0},
    {"inner": True},
    {"inner": True, "kind": "line", "depth": [-0.5, 0.0, 0.8]},
    {"inner": True, "depth": [0.2, 0.5, 0.9]},
    {"mask": True},
    {"mask": True, "kind": "ball"},
]


def volume(kind: str) -> nib.Nifti1Image:
    rng = np.random.default_rng(0)
    if kind == "labels":
        return nib.Nifti1Image(rng.integers(0, 5, SHAPE).astype(np.int16), AFFINE)
    values = rng.normal(100, 10, (*SHAPE, 3))
    if kind == "with NaN":
        values[rng.random(values.shape) < 0.05] = np.nan
    return nib.Nifti1Image(values, AFFINE)


def sampled(package: str, image: nib.Nifti1Image, setting: dict, interpolation: str) -> np.ndarray:
    toolbox = surfaces.toolbox(package)
    options = {k: v for k, v in setting.items() if k not in ("inner", "mask")}
    if "inner" in setting:
        options["inner_mesh"] = toolbox.load_surf_mesh(surfaces.mesh_file("white", "left"))
    if "mask" in setting:
        mask = np.random.default_rng(1).random(SHAPE) > 0.2
        options["mask_img"] = nib.Nifti1Image(mask.astype(np.uint8), AFFINE)
    mesh = toolbox.load_surf_mesh(surfaces.mesh_file("pial", "left"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return toolbox.vol_to_surf(image, mesh, interpolation=interpolation, **options)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("kind", ["plain", "with NaN"])
def test_linear_sampling_is_the_peers(setting, kind):
    image = volume(kind)
    ours, theirs = (sampled(p, image, setting, "linear") for p in ("brainsieve", "nilearn"))
    assert ours.shape == theirs.shape == (642, 3) and ours.dtype == np.float64
    assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("setting", [s for s in SETTINGS if "mask" not in s], ids=str)
def test_the_most_frequent_value_is_the_peers(setting):
    image = volume("labels")
    ours, theirs = (sampled(p, image, setting, "nearest_most_frequent") for p in ("brainsieve", "nilearn"))
    assert_allclose(ours, theirs)


def test_a_linear_volume_is_its_own_at_the_middle_of_the_points():
    voxels = np.indices(SHAPE).reshape(3, -1).T
    world = (voxels @ AFFINE[:3, :3].T + AFFINE[:3, 3]) @ [0.5, -2.0, 1.0] + 3
    image = nib.Nifti1Image(world.reshape(SHAPE), AFFINE)
    mesh = load_surf_mesh(surfaces.mesh_file("white", "right"))
    found = vol_to_surf(image, mesh)
    assert found.shape == (642,)
    assert_allclose(found, mesh.coordinates @ np.array([0.5, -2.0, 1.0]) + 3, atol=1e-3)


def test_vertices_outside_are_nan_and_the_image_is_left_alone():
    image = volume("plain")
    before = np.array(image.dataobj)
    far = InMemoryMesh(np.array([[0, 0, 0], [0, 1, 0], [900, 0, 0.0]]), np.array([[0, 1, 2]]))
    for interpolation in ("linear", "nearest_most_frequent"):
        found = vol_to_surf(image, far, kind="ball", interpolation=interpolation)
        assert np.isfinite(found[0]).all() and np.isnan(found[2]).all()
    assert_allclose(np.asarray(image.dataobj), before)


def test_a_surface_image_of_a_run():
    image = volume("plain")
    made = SurfaceImage.from_volume(surfaces.polymesh(), image, inner_mesh=surfaces.polymesh(kind="white"))
    assert made.shape == (1284, 3)
    alone = vol_to_surf(
        image, surfaces.mesh_file("pial", "right"), inner_mesh=surfaces.mesh_file("white", "right")
    )
    assert_allclose(made.data.parts["right"], alone)


@pytest.mark.parametrize("n", [1, 5, 20, 40])
def test_points_of_a_ball_are_in_it_and_centred(n):
    points = ball_points(n)
    assert points.shape == (n, 3) and np.linalg.norm(points, axis=1).max() < 1.2
    assert np.linalg.norm(points.mean(axis=0)) < 0.05


def test_normals_point_outwards_from_a_sphere():
    sphere = load_surf_mesh(surfaces.mesh_file("sphere", "left"))
    directions = sphere.coordinates / np.linalg.norm(sphere.coordinates, axis=1, keepdims=True)
    cosines = (vertex_normals(sphere.geometry) * directions).sum(axis=1)
    assert np.abs(cosines).min() > 0.99 and abs(np.sign(cosines).sum()) == 642


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"kind": "depth"}, TypeError, "inner_mesh"),
        ({"kind": "circle"}, ValueError, "'circle'"),
        ({"interpolation": "nearest"}, ValueError, "'nearest'"),
        ({"kind": "ball", "depth": [0.5]}, ValueError, "depth"),
        ({"inner_mesh": "small"}, exceptions.MeshDimensionError, "642 vertices, inner_mesh 3"),
        ({"mask_img": "other"}, ValueError, "not on the grid"),
    ],
)
def test_what_is_refused(options, error, message):
    options = dict(options)
    if "inner_mesh" in options:
        options["inner_mesh"] = (np.eye(3), np.array([[0, 1, 2]]))
    if "mask_img" in options:
        options["mask_img"] = nib.Nifti1Image(np.ones((3, 3, 3)), np.eye(4))
    with pytest.raises(error, match=message):
        vol_to_surf(volume("plain"), surfaces.mesh_file("pial", "left"), **options)
