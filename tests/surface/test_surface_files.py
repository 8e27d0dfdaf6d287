"""Meshes, data and images of surfaces: files in and out, and what is refused."""

from __future__ import annotations

import pickle

import joblib
import nibabel as nib
import numpy as np
import pytest
import surfaces
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve import exceptions
from brainsieve.maskers import SurfaceLabelsMasker
from brainsieve.surface import (
    FileMesh,
    InMemoryMesh,
    PolyData,
    PolyMesh,
    SurfaceImage,
    load_surf_data,
    load_surf_mesh,
    read_label_table,
    save_surf_data,
    save_surf_mesh,
)

COORDINATES = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]], dtype=np.float32)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], dtype=np.int32)


def small() -> InMemoryMesh:
    return InMemoryMesh(COORDINATES, FACES)


def test_meshes_are_read_as_the_peer_reads_them():
    peer = surfaces.toolbox("nilearn")
    for kind in ("pial", "white", "sphere"):
        path = surfaces.mesh_file(kind, "right")
        ours, theirs = load_surf_mesh(path), peer.load_surf_mesh(path)
        assert_array_equal(ours.coordinates, theirs.coordinates)
        assert_array_equal(ours.faces, theirs.faces)
        assert FileMesh(path).n_vertices == ours.n_vertices == 642
        assert_array_equal(FileMesh(path).loaded().faces, ours.faces)
    assert load_surf_mesh((COORDINATES, FACES)).n_vertices == 4
    assert "4 vertices" in repr(small())


@pytest.mark.parametrize("name", ["lh.pial", "rh.white", "mesh.inflated"])
def test_freesurfer_geometry(tmp_path, name):
    nib.freesurfer.write_geometry(str(tmp_path / name), COORDINATES, FACES)
    read = load_surf_mesh(tmp_path / name)
    assert_allclose(read.coordinates, COORDINATES)
    assert_array_equal(read.faces, FACES)


def test_freesurfer_morphometry_label_and_annot(tmp_path):
    values = np.arange(4, dtype=np.float32)
    nib.freesurfer.write_morph_data(str(tmp_path / "lh.thickness"), values)
    assert_array_equal(load_surf_data(tmp_path / "lh.thickness"), values)
    (tmp_path / "lh.v1.label").write_text("#!ascii label\n2\n1 0 0 0 0.5\n3 0 0 0 0.5\n")
    assert_array_equal(load_surf_data(tmp_path / "lh.v1.label"), [1, 3])
    annot = str(surfaces.DATA / "fsaverage/lh.aparc.annot")
    peer = surfaces.toolbox("nilearn").load_surf_data(annot)
    assert_array_equal(load_surf_data(annot), peer)
    table = read_label_table(annot)
    assert list(table.columns) == ["index", "name", "color"] and "precentral" in set(table["name"])
    assert table["color"].str.fullmatch("[0-9A-F]{6}").all()


@pytest.mark.parametrize("shape", [(4,), (4, 1, 1), (4, 1, 1, 3), (1, 4, 1)])
@pytest.mark.parametrize("suffix", ["mgz", "nii.gz"])
def test_overlays_in_volume_files(tmp_path, shape, suffix):
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    kind = nib.MGHImage if suffix == "mgz" else nib.Nifti1Image
    padded = values.reshape(*shape, *[1] * (3 - len(shape))) if len(shape) < 3 else values
    nib.save(kind(padded, np.eye(4)), tmp_path / f"overlay.{suffix}")
    read = load_surf_data(tmp_path / f"overlay.{suffix}")
    assert read.shape == ((4, 3) if len(shape) == 4 else (4,))
    assert_array_equal(read.ravel(), values.ravel())


def test_a_volume_is_no_overlay(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6)), np.eye(4)), tmp_path / "v.nii")
    with pytest.raises(ValueError, match=r"v.nii is a volume \(4 × 5 × 6 voxels"):
        load_surf_data(tmp_path / "v.nii")


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.uint8, np.float64])
@pytest.mark.parametrize("n_samples", [None, 3])
def test_data_written_as_gifti_come_back(tmp_path, dtype, n_samples):
    shape = (4,) if n_samples is None else (4, n_samples)
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    PolyData(values, values + 1).to_filename(tmp_path / "x.func.gii")
    for part, side in surfaces.SIDES.items():
        read = load_surf_data(tmp_path / f"x_hemi-{side}.func.gii")
        assert_array_equal(read, values + (part == "right"))
        theirs = surfaces.toolbox("nilearn").load_surf_data(str(tmp_path / f"x_hemi-{side}.func.gii"))
        assert_array_equal(read, theirs)


def test_meshes_and_labels_written_as_gifti_come_back(tmp_path):
    PolyMesh(small(), small()).to_filename(tmp_path / "m.surf.gii")
    assert_array_equal(load_surf_mesh(tmp_path / "m_hemi-R.surf.gii").faces, FACES)
    PolyData(np.array([0, 1, 2, 2])).to_filename(tmp_path / "l_hemi-L.label.gii")
    assert_array_equal(load_surf_data(tmp_path / "l_hemi-L.label.gii"), [0, 1, 2, 2])
    assert list(read_label_table(tmp_path / "l_hemi-L.label.gii")["name"]) == ["0", "1", "2"]
    with pytest.raises(ValueError, match="must end in '.gii'"):
        PolyData(np.zeros(4)).to_filename(tmp_path / "x.nii")


def test_globs_and_lists_stand_side_by_side(tmp_path):
    for i in range(3):
        PolyData(np.full(4, i, np.float32)).to_filename(tmp_path / f"v{i}_hemi-L.shape.gii")
    assert_array_equal(load_surf_data(str(tmp_path / "v*_hemi-L.shape.gii"))[0], [0, 1, 2])
    with pytest.raises(ValueError, match="No file matches"):
        load_surf_data(str(tmp_path / "w*.gii"))


def test_faces_that_name_no_vertex_are_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"2 of 4 faces name vertices that do not exist \(9, for one\); the mesh has 4"
    ):
        InMemoryMesh(COORDINATES, np.where(FACES == 3, 3, FACES) + 6 * (FACES == 3) * (FACES[:, :1] == 0))
    image = nib.gifti.GiftiImage(
        darrays=[
            nib.gifti.GiftiDataArray(COORDINATES, "NIFTI_INTENT_POINTSET"),
            nib.gifti.GiftiDataArray(FACES + 1, "NIFTI_INTENT_TRIANGLE"),
        ]
    )
    nib.save(image, tmp_path / "bad.surf.gii")
    with pytest.raises(ValueError, match="bad.surf.gii: 3 of 4 faces"):
        load_surf_mesh(tmp_path / "bad.surf.gii")


def test_broken_and_missing_files_are_named(tmp_path):
    (tmp_path / "broken.gii").write_bytes(b"<GIFTI>no")
    (tmp_path / "empty.gii").write_bytes(b"")
    (tmp_path / "lh.pial").write_bytes(b"nonsense")
    for name in ("broken.gii", "empty.gii", "lh.pial"):
        with pytest.raises(exceptions.CorruptImageError, match=name):
            load_surf_mesh(tmp_path / name)
    with pytest.raises(ValueError, match="File not found"):
        load_surf_mesh(tmp_path / "none.gii")
    with pytest.raises(ValueError, match="neither name nor first bytes tell a mesh"):
        load_surf_mesh(surfaces.BOLDREF)
    with pytest.raises(ValueError, match="holds no mesh"):
        load_surf_mesh(surfaces.run_file("left"))
    with pytest.raises(ValueError, match="Is it a mesh"):
        load_surf_data(surfaces.mesh_file("pial", "left"))
    with pytest.raises(ValueError, match="dict was given"):
        load_surf_data({})


def test_images_have_the_peers_shapes_and_parts():
    ours, theirs = surfaces.run(), surfaces.run("nilearn")
    assert ours.shape == theirs.shape == (1284, 300)
    assert list(ours.data.parts) == ["left", "right"] and ours.mesh.n_vertices == 1284
    for part in ours.data.parts:
        assert_array_equal(ours.data.parts[part], theirs.data.parts[part])
    assert surfaces.run(parts=("right",)).shape == (642, 300)
    assert surfaces.run(dtype=np.float64).data.parts["left"].dtype == np.float64
    assert SurfaceImage(ours.mesh, dict(ours.data.parts), dtype="f8").data.parts["right"].dtype == np.float64


def test_meshes_and_data_that_do_not_go_together():
    mesh = PolyMesh(small(), small())
    with pytest.raises(
        exceptions.MeshDimensionError, match="left hemisphere has values for 5 vertices and a mesh of 4"
    ):
        SurfaceImage(mesh, {"left": np.zeros(5), "right": np.zeros(4)})
    with pytest.raises(exceptions.MeshDimensionError, match="642 vertices .*hemi-L.*mesh of 4"):
        SurfaceImage({"left": small()}, {"left": surfaces.run_file("left")})
    with pytest.raises(exceptions.MeshDimensionError, match="mesh has the parts left, right, data left"):
        SurfaceImage(mesh, {"left": np.zeros(4)})
    with pytest.raises(ValueError, match="as many samples"):
        PolyData(np.zeros((4, 2)), np.zeros((4, 3)))
    with pytest.raises(TypeError, match="one dtype"):
        PolyData(np.zeros(4), np.zeros(4, np.float32))
    with pytest.raises(ValueError, match="neither was given"):
        PolyData()
    with pytest.raises(ValueError, match="neither was given"):
        PolyMesh()
    with pytest.raises(ValueError, match=r"not \['top'\]"):
        SurfaceImage({"top": small()}, {"top": np.zeros(4)})


@pytest.mark.parametrize("name", ["m.surf.gii", "lh.pial", "rh.inflated"])
def test_meshes_are_saved_in_the_format_of_the_name(tmp_path, name):
    save_surf_mesh(small(), tmp_path / name)
    read = load_surf_mesh(tmp_path / name)
    assert_allclose(read.coordinates, COORDINATES)
    assert_array_equal(read.faces, FACES)
    with pytest.raises(ValueError, match="does not tell a format"):
        save_surf_mesh(small(), tmp_path / "mesh.vtk")


@pytest.mark.parametrize("name", ["v.func.gii", "lh.thickness", "rh.curv", "lh.x.mgz", "lh.x.mgh"])
def test_values_are_saved_in_the_format_of_the_name(tmp_path, name):
    values = np.array([0.5, -1, 2, 3], dtype=np.float32)
    save_surf_data(values, tmp_path / name)
    assert_array_equal(load_surf_data(tmp_path / name), values)
    series = np.arange(8, dtype=np.float32).reshape(4, 2)
    if name.endswith(("gii", "mgz", "mgh")):
        save_surf_data(series, tmp_path / name)
        assert_array_equal(load_surf_data(tmp_path / name), series)
    else:
        with pytest.raises(ValueError, match=r"one value for each vertex; values of shape \(4, 2\)"):
            save_surf_data(series, tmp_path / name)
    with pytest.raises(ValueError, match="does not tell a format"):
        save_surf_data(values, tmp_path / "values.csv")


def test_labels_are_saved_with_their_table(tmp_path):
    annot = surfaces.DATA / "fsaverage/lh.aparc.annot"
    table, labels = read_label_table(annot), load_surf_data(annot)
    known = np.where(labels < 0, 0, labels)
    save_surf_data(known, tmp_path / "lh.copy.annot", table)
    save_surf_data(known, tmp_path / "copy.label.gii", table)
    for name in ("lh.copy.annot", "copy.label.gii"):
        assert_array_equal(load_surf_data(tmp_path / name), known)
        assert list(read_label_table(tmp_path / name)["name"]) == list(table["name"])
        assert list(read_label_table(tmp_path / name)["color"]) == list(table["color"])
    save_surf_data(np.array([True, False, True]), tmp_path / "lh.some.label")
    assert_array_equal(load_surf_data(tmp_path / "lh.some.label"), [0, 2])
    with pytest.raises(ValueError, match=r"no row for the labels \[99\]"):
        save_surf_data(np.array([1, 99]), tmp_path / "lh.x.annot", table)
    with pytest.raises(ValueError, match="whole numbers"):
        save_surf_data(np.array([0.5, 1.0]), tmp_path / "lh.x.annot")


def test_a_file_of_the_other_hemisphere_is_noticed():
    with pytest.warns(UserWarning, match="hemi-R.*given for the left hemisphere"):
        PolyData(left=surfaces.run_file("right"))
    with pytest.warns(UserWarning, match="hemi-L.*given for the right hemisphere"):
        PolyMesh(right=surfaces.mesh_file("pial", "left"))


def test_images_keep_their_hash_while_they_are_used():
    atlas, run = surfaces.on_mesh(surfaces.label_values()), surfaces.run()
    before = joblib.hash(atlas), joblib.hash(run)
    masker = SurfaceLabelsMasker(atlas, smoothing_fwhm=20.0).fit()
    signals = masker.transform(run)
    masker.generate_report()
    assert (joblib.hash(atlas), joblib.hash(run)) == before
    again = pickle.loads(pickle.dumps(run))
    assert_array_equal(masker.transform(again), signals)


@pytest.mark.parametrize("suffix", ["mgz", "mgh"])
def test_an_overlay_of_a_real_surface_is_values_here_and_no_volume_there(tmp_path, rng, suffix):
    from brainsieve.engine.source import open_source

    values = rng.normal(size=(642, 1, 1, 5)).astype(np.float32)
    nib.save(nib.MGHImage(values, np.eye(4)), tmp_path / f"lh.x.{suffix}")
    assert_array_equal(load_surf_data(tmp_path / f"lh.x.{suffix}"), values[:, 0, 0])
    with pytest.raises(TypeError, match="642 vertices of a surface"):
        open_source(tmp_path / f"lh.x.{suffix}")
    with pytest.raises(TypeError, match="642 vertices of a surface"):
        open_source(nib.load(tmp_path / f"lh.x.{suffix}"))
