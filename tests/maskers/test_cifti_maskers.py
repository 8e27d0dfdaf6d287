"""Maskers of CIFTI-2 files, against NumPy on nibabel's arrays and against published results."""

from __future__ import annotations

import copy
import pickle
import shutil
import subprocess
import warnings

import nibabel as nib
import numpy as np
import pytest
import small_cifti
import surfaces
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from brainsieve import signal
from brainsieve.exceptions import CorruptImageError, MeshDimensionError
from brainsieve.maskers import BaseMasker, CiftiLabelsMasker, CiftiMapsMasker, CiftiMasker, NiftiMasker
from brainsieve.maskers.eigenvariate import first_eigenvariate
from brainsieve.surface import PolyMesh, from_cifti, to_cifti


def array(path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


def meshes(**sizes: int) -> PolyMesh:
    """Closed meshes of the sizes of the small brain: fans around the ends of a spindle."""
    made = {}
    for part, n in (sizes or {"left": 42, "right": 40}).items():
        angle = np.linspace(0, 2 * np.pi, n - 2, endpoint=False)
        ring = np.stack([3 * np.cos(angle), 3 * np.sin(angle), 0 * angle], axis=1)
        i = np.arange(n - 2)
        after = (i + 1) % (n - 2)
        faces = np.vstack(
            [np.stack([i, after, 0 * i + n - 2], axis=1), np.stack([after, i, 0 * i + n - 1], axis=1)]
        )
        made[part] = (np.vstack([ring, [[0, 0, 2.0], [0, 0, -2.0]]]), faces)
    return PolyMesh(**made)


def test_all_grayordinates_and_back(tmp_path):
    run = small_cifti.series(tmp_path)
    masker = CiftiMasker().fit(run)
    signals = masker.transform(run)
    assert signals.dtype == np.float32 and signals.shape == (60, 84)
    assert_array_equal(signals, array(run))
    back = masker.inverse_transform(signals)
    nib.save(back, tmp_path / "back.dtseries.nii")
    read = nib.load(tmp_path / "back.dtseries.nii")
    assert read.header.get_axis(1) == nib.load(run).header.get_axis(1)
    assert read.header.get_axis(0).step == pytest.approx(0.8)
    assert_array_equal(np.asarray(read.dataobj), array(run))
    one = masker.inverse_transform(signals[3])
    assert one.shape == (1, 84) and one.nifti_header.get_intent()[0] == "ConnDenseScalar"
    assert_array_equal(np.asarray(masker.mask_img_.dataobj), np.ones((1, 84)))


@pytest.mark.parametrize(
    "structures, n",
    [
        ("cortex", 66),
        ("subcortex", 18),
        ("CORTEX_LEFT", 34),
        (["thalamus_left", "CIFTI_STRUCTURE_CORTEX_RIGHT"], 50),
    ],
)
def test_structures_are_chosen_by_name(tmp_path, structures, n):
    run = small_cifti.series(tmp_path)
    masker = CiftiMasker(structures=structures).fit(run)
    names = nib.load(run).header.get_axis(1).name
    wanted = [structures] if isinstance(structures, str) else structures
    kinds = {"cortex": "CORTEX", "subcortex": "THALAMUS"}
    keys = [kinds.get(w, w.upper().removeprefix("CIFTI_STRUCTURE_")) for w in wanted]
    inside = np.array([any(key in name for key in keys) for name in names])
    assert masker.n_elements_ == n == inside.sum()
    signals = masker.transform(run)
    assert_array_equal(signals, array(run)[:, inside])
    back = np.asarray(masker.inverse_transform(signals).dataobj)
    assert_array_equal(back, np.where(inside, array(run), 0))
    with pytest.raises(ValueError, match="no structure 'AMYGDALA'.*CORTEX_LEFT, CORTEX_RIGHT, THALAMUS_LEFT"):
        CiftiMasker(structures="AMYGDALA").fit(run)


def test_a_mask_and_runs_with_other_points(tmp_path):
    run = small_cifti.series(tmp_path)
    whole = small_cifti.series(tmp_path, name="whole.dtseries.nii", wall=True)
    chosen = np.random.default_rng(0).random(84) > 0.5
    mask = small_cifti.scalars(tmp_path, chosen[None].astype(float), "mask.dscalar.nii")
    masker = CiftiMasker(mask, detrend=True, standardize="zscore_sample").fit()
    awaited = signal.clean(array(run)[:, chosen].astype(float), detrend=True, standardize="zscore_sample")
    assert_allclose(masker.transform(run), awaited, atol=1e-5)
    # The other file has the medial wall, too: columns are the same vertices, by number.
    both = nib.load(whole).header.get_axis(1), nib.load(run).header.get_axis(1)
    positions = [
        next(
            i
            for i, (n, v, x) in enumerate(zip(both[0].name, both[0].vertex, both[0].voxel, strict=True))
            if n == name and v == vertex and (x == voxel).all()
        )
        for name, vertex, voxel in zip(both[1].name, both[1].vertex, both[1].voxel, strict=True)
    ]
    found = CiftiMasker(mask).fit().transform(whole)
    assert_array_equal(found, array(whole)[:, np.array(positions)[chosen]])
    lacking = small_cifti.series(tmp_path, name="left.dtseries.nii", parts=("CORTEX_LEFT",))
    with pytest.warns(UserWarning, match=r"left.dtseries.nii: \d+ points have no grayordinate.*NaN"):
        partial = CiftiMasker(mask).fit().transform(lacking)
    assert partial.shape == (60, chosen.sum())
    assert_array_equal(partial[:, : chosen[:34].sum()], array(lacking)[:, chosen[:34]])
    assert np.isnan(partial[:, chosen[:34].sum() :]).all()


@pytest.mark.parametrize("wall", [False, True])
def test_regions_are_means_with_names_and_colours(tmp_path, wall):
    run, atlas = small_cifti.series(tmp_path), small_cifti.atlas(tmp_path, wall=wall)
    masker = CiftiLabelsMasker(atlas).fit()
    assert list(masker.get_feature_names_out()) == ["left a", "left b", "right", "deep"]
    assert masker.labels_ == [0, 3, 4, 7, 9]
    assert list(masker.lut_["color"])[1] == "4C4080"
    keys = small_cifti.keys_of(nib.load(atlas).header.get_axis(1))
    if wall:  # matched by number of vertex, not by position
        axes = nib.load(atlas).header.get_axis(1), nib.load(run).header.get_axis(1)
        known = {
            (n, v, tuple(x)): k
            for n, v, x, k in zip(axes[0].name, axes[0].vertex, axes[0].voxel, keys, strict=True)
        }
        keys = np.array(
            [
                known[n, v, tuple(x)]
                for n, v, x in zip(axes[1].name, axes[1].vertex, axes[1].voxel, strict=True)
            ]
        )
    awaited = np.stack([array(run)[:, keys == key].mean(axis=1, dtype=float) for key in (3, 4, 7, 9)], axis=1)
    signals = masker.transform(run)
    assert signals.dtype == np.float32
    assert_allclose(signals, awaited, rtol=1e-6)
    medians = CiftiLabelsMasker(atlas, strategy="median").fit().transform(run)
    assert_allclose(medians[:, 2], np.median(array(run)[:, keys == 7], axis=1), rtol=1e-6)
    eigen = CiftiLabelsMasker(atlas, strategy="eigenvariate").fit().transform(run)
    assert_allclose(eigen[:, 0], first_eigenvariate(array(run)[:, keys == 3].astype(float)), atol=1e-5)


def test_cleaning_is_that_of_signal_clean(tmp_path):
    run, atlas = small_cifti.series(tmp_path), small_cifti.atlas(tmp_path)
    confounds = np.random.default_rng(0).normal(size=(60, 3))
    options = dict(detrend=True, high_pass=0.01, low_pass=0.2, t_r=0.8, standardize="zscore_sample")
    raw = CiftiLabelsMasker(atlas, dtype="float64").fit().transform(run)
    found = (
        CiftiLabelsMasker(atlas, dtype="float64", **options)
        .fit()
        .transform(run, confounds=confounds, sample_mask=np.arange(5, 60))
    )
    awaited = signal.clean(raw, confounds=confounds, sample_mask=np.arange(5, 60), **options)
    assert_allclose(found, awaited, atol=1e-6)
    dense = CiftiMasker(dtype="float64", **options).fit(run).transform(run, confounds=confounds)
    assert_allclose(dense, signal.clean(array(run).astype(float), confounds=confounds, **options), atol=1e-6)


def test_long_runs_are_cleaned_in_float32_without_loss(tmp_path):
    run = small_cifti.series(tmp_path, n_samples=700)
    options = dict(detrend=True, low_pass=0.1, t_r=0.8, standardize="zscore_sample")
    narrow = CiftiMasker(**options).fit(run).transform(run)
    wide = CiftiMasker(**options, dtype="float64").fit(run).transform(run)
    assert narrow.dtype == np.float32 and wide.dtype == np.float64
    assert_allclose(narrow, wide, atol=1e-4)


def test_blocks_of_any_size_give_the_same(tmp_path, monkeypatch):
    from brainsieve.engine.source import cifti

    run, atlas = small_cifti.series(tmp_path), small_cifti.atlas(tmp_path)
    maps = small_cifti.scalars(tmp_path, np.random.default_rng(0).random((3, 84)))
    kinds = [
        lambda: CiftiMasker(detrend=True).fit(run),
        lambda: CiftiLabelsMasker(atlas).fit(),
        lambda: CiftiLabelsMasker(atlas, strategy="median").fit(),
        lambda: CiftiLabelsMasker(atlas, high_variance_confounds=True).fit(),
        lambda: CiftiMapsMasker(maps).fit(),
        lambda: CiftiMapsMasker(maps, smoothing_fwhm=5.0, surfaces=meshes()).fit(),
        lambda: CiftiMasker(smoothing_fwhm=5.0, surfaces=meshes()).fit(run),
    ]
    awaited = [make().transform(run) for make in kinds]
    for n_points in (1, 7, 50):
        monkeypatch.setattr(cifti, "BUFFER_BYTES", 60 * 4 * n_points)
        for make, whole in zip(kinds, awaited, strict=True):
            assert_allclose(make().transform(run), whole, rtol=1e-5, atol=1e-5)


def test_maps_are_least_squares(tmp_path):
    run = small_cifti.series(tmp_path)
    weights = np.random.default_rng(0).random((4, 84)).astype(np.float32)
    masker = CiftiMapsMasker(small_cifti.scalars(tmp_path, weights)).fit()
    awaited = np.linalg.lstsq(weights.T.astype(float), array(run).T.astype(float), rcond=None)[0].T
    assert_allclose(masker.transform(run), awaited, rtol=1e-4)
    assert list(masker.get_feature_names_out()) == [f"component {i}" for i in range(4)]
    image = masker.inverse_transform(awaited)
    assert_allclose(np.asarray(image.dataobj), awaited @ weights, rtol=1e-5)
    assert image.nifti_header.get_intent()[0] == "ConnDenseSeries"
    weighted = CiftiMapsMasker(masker.maps_img, strategy="weighted_mean").fit().transform(run)
    assert_allclose(weighted, array(run) @ (weights / weights.sum(axis=1, keepdims=True)).T, rtol=1e-5)


def test_regions_come_back_parcellated_or_dense(tmp_path):
    run, atlas = small_cifti.series(tmp_path), small_cifti.atlas(tmp_path)
    masker = CiftiLabelsMasker(atlas).fit(run)
    signals = masker.transform(run)
    parcels = masker.inverse_transform(signals)
    nib.save(parcels, tmp_path / "p.ptseries.nii")
    read = nib.load(tmp_path / "p.ptseries.nii")
    axis = read.header.get_axis(1)
    assert list(axis.name) == ["left a", "left b", "right", "deep"]
    assert_array_equal(np.asarray(read.dataobj), signals)
    keys = small_cifti.keys_of(nib.load(atlas).header.get_axis(1))
    assert len(axis.vertices[0]["CIFTI_STRUCTURE_CORTEX_LEFT"]) == (keys == 3).sum()
    assert len(axis.voxels[3]) == (keys == 9).sum()
    again = CiftiMasker().fit(tmp_path / "p.ptseries.nii")
    assert_array_equal(again.transform(tmp_path / "p.ptseries.nii"), signals)
    assert list(again.get_feature_names_out()) == list(axis.name)
    assert again.inverse_transform(signals).nifti_header.get_intent()[0] == "ConnParcelSries"
    dense = masker.inverse_transform(signals, dense=True)
    for column, key in enumerate((3, 4, 7, 9)):
        assert_array_equal(
            np.asarray(dense.dataobj)[:, keys == key],
            np.repeat(signals[:, [column]], (keys == key).sum(), axis=1),
        )
    assert (np.asarray(dense.dataobj)[:, keys == 0] == 0).all()
    assert masker.inverse_transform(signals[0]).nifti_header.get_intent()[0] == "ConnParcelScalr"


@pytest.mark.skipif(shutil.which("wb_command") is None, reason="Connectome Workbench is not installed")
def test_workbench_reads_what_is_written_and_agrees(tmp_path):
    run, atlas = small_cifti.series(tmp_path), small_cifti.atlas(tmp_path)
    masker = CiftiLabelsMasker(atlas).fit(run)
    signals = masker.transform(run)
    nib.save(masker.inverse_transform(signals), tmp_path / "ours.ptseries.nii")
    nib.save(masker.inverse_transform(signals, dense=True), tmp_path / "ours.dtseries.nii")
    nib.save(masker.inverse_transform(signals[0], dense=True), tmp_path / "ours.dscalar.nii")
    for name, kind in (
        ("ptseries", "Parcel Series"),
        ("dtseries", "Dense Data Series"),
        ("dscalar", "Dense Scalar"),
    ):
        told = subprocess.run(
            ["wb_command", "-file-information", str(tmp_path / f"ours.{name}.nii")],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert kind in told
    theirs = tmp_path / "theirs.ptseries.nii"
    subprocess.run(
        ["wb_command", "-cifti-parcellate", str(run), str(atlas), "COLUMN", str(theirs), "-legacy-mode"],
        check=True,
    )
    order = list(nib.load(theirs).header.get_axis(1).name)
    assert_allclose(
        signals[:, [list(masker.get_feature_names_out()).index(n) for n in order]], array(theirs), rtol=1e-5
    )


def test_maps_of_a_label_file_are_chosen(tmp_path):
    atlas = small_cifti.atlas(tmp_path, n_maps=3)
    by_name = CiftiLabelsMasker(atlas, labels_map="map 2").fit()
    by_number = CiftiLabelsMasker(atlas, labels_map=2).fit()
    assert_array_equal(np.asarray(by_name.labels_img_.dataobj), np.asarray(by_number.labels_img_.dataobj))
    assert not np.array_equal(
        np.asarray(by_name.labels_img_.dataobj),
        np.asarray(CiftiLabelsMasker(atlas).fit().labels_img_.dataobj),
    )
    with pytest.raises(ValueError, match="has the maps 'map 0', 'map 1', 'map 2'"):
        CiftiLabelsMasker(atlas, labels_map="map 9").fit()
    with pytest.raises(ValueError, match="3 maps, numbered from 0"):
        CiftiLabelsMasker(atlas, labels_map=3).fit()


def test_a_parcellation_of_surfaces_and_a_volume(tmp_path):
    run, atlas = small_cifti.series(tmp_path), small_cifti.atlas(tmp_path, wall=True)
    axis = nib.load(atlas).header.get_axis(1)
    keys = small_cifti.keys_of(axis).astype(np.int32)
    volume = np.zeros(small_cifti.SHAPE, dtype=np.int16)
    deep = axis.name == "CIFTI_STRUCTURE_THALAMUS_LEFT"
    volume[tuple(axis.voxel[deep].T)] = keys[deep]
    parts = {
        "left": keys[axis.name == "CIFTI_STRUCTURE_CORTEX_LEFT"],
        "right": keys[axis.name == "CIFTI_STRUCTURE_CORTEX_RIGHT"],
        "volume": nib.Nifti1Image(volume, small_cifti.AFFINE),
    }
    masker = CiftiLabelsMasker(parts).fit()
    assert_allclose(masker.transform(run), CiftiLabelsMasker(atlas).fit().transform(run))
    with pytest.raises(ValueError, match="'left', 'right' and 'volume'"):
        CiftiLabelsMasker({"top": keys}).fit()


def test_smoothing_stays_within_structures(tmp_path):
    run = small_cifti.series(tmp_path)
    masker = CiftiMasker(smoothing_fwhm=6.0, surfaces=meshes()).fit(run)
    signals, raw = masker.transform(run), array(run)
    assert signals.shape == raw.shape and signals.std(axis=1).mean() < raw.std(axis=1).mean()
    axis = nib.load(run).header.get_axis(1)
    alone = small_cifti.series(tmp_path, name="deep.dtseries.nii", parts=("THALAMUS_LEFT",))
    image = nib.Cifti2Image(raw[:, axis.name == "CIFTI_STRUCTURE_THALAMUS_LEFT"], nib.load(alone).header)
    deep = CiftiMasker(smoothing_fwhm=6.0).fit(image).transform(image)
    assert_allclose(signals[:, axis.name == "CIFTI_STRUCTURE_THALAMUS_LEFT"], deep, rtol=1e-5)
    with pytest.raises(ValueError, match=r"mesh of CORTEX_LEFT \(42 vertices\).*surfaces="):
        CiftiMasker(smoothing_fwhm=6.0).fit(run).transform(run)
    with pytest.raises(MeshDimensionError, match="left mesh of surfaces has 30 vertices.*42"):
        CiftiMasker(smoothing_fwhm=6.0, surfaces=meshes(left=30, right=40)).fit(run).transform(run)


def test_images_in_memory_nan_clones_and_pickles(tmp_path):
    run, atlas = small_cifti.series(tmp_path), small_cifti.atlas(tmp_path)
    image = nib.Cifti2Image(array(run).copy(), nib.load(run).header)
    before = copy.deepcopy(image.dataobj)
    masker = CiftiLabelsMasker(nib.load(atlas)).fit(image)
    assert_allclose(masker.transform(image), masker.transform(str(run)))
    assert_array_equal(image.dataobj, before)
    image.dataobj[4, 1] = np.nan
    with pytest.warns(UserWarning, match="regions touched.*'left a'"):
        masker.transform(image)
    with pytest.warns(UserWarning, match="1 of 84 grayordinates are NaN"):
        assert CiftiMasker().fit(image).n_elements_ == 83
    assert_allclose(clone(masker).fit().transform(run), masker.transform(run))
    assert_allclose(pickle.loads(pickle.dumps(masker)).transform(run), masker.transform(run))
    assert not isinstance(masker, BaseMasker) and masker.__sklearn_tags__().input_tags.cifti_img
    assert (masker.coverage(run)["fraction"] == 1).all()
    assert len(list(masker.iter_transform(run, 20))) == 3


def test_what_is_refused(tmp_path):
    run, atlas = small_cifti.series(tmp_path), small_cifti.atlas(tmp_path)
    volume = tmp_path / "volume.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3, 4)), np.eye(4)), volume)
    nib.save(nib.Nifti2Image(np.ones((3, 3, 3, 4)), np.eye(4)), tmp_path / "plain.dtseries.nii")
    masker = CiftiLabelsMasker(atlas).fit()
    with pytest.raises(TypeError, match="plain.dtseries.nii is a plain NIfTI-2 file, not CIFTI-2"):
        masker.transform(tmp_path / "plain.dtseries.nii")
    with pytest.raises(TypeError, match="compressed|NIfTI-1"):
        masker.transform(volume)
    with pytest.raises(TypeError, match="CIFTI"):
        masker.transform(nib.load(volume))
    with pytest.raises(TypeError, match="list of 2"):
        masker.transform([run, run])
    with pytest.raises(TypeError, match="CIFTI"):
        NiftiMasker(nib.Nifti1Image(np.ones((3, 3, 3)), np.eye(4))).fit().transform(str(run))
    parcellated = tmp_path / "p.ptseries.nii"
    nib.save(masker.inverse_transform(masker.transform(run)), parcellated)
    for call in (lambda: masker.transform(parcellated), lambda: CiftiLabelsMasker(parcellated).fit()):
        with pytest.raises(TypeError, match=r"parcels as its points.*4 parcels.*dense axis of grayordinates"):
            call()
    with pytest.raises(ValueError, match="File not found"):
        masker.transform(tmp_path / "none.dtseries.nii")


def test_cifti_1_is_told_from_cifti_2(tmp_path):
    run = small_cifti.series(tmp_path)
    (tmp_path / "old.dtseries.nii").write_bytes(run.read_bytes().replace(b'Version="2.0"', b'Version="1.0"'))
    with pytest.raises(TypeError, match="old.dtseries.nii is CIFTI version 1.0, not CIFTI-2"):
        CiftiMasker().fit(tmp_path / "old.dtseries.nii")


def test_another_mesh_density_is_told_with_file_and_counts(tmp_path):
    run = small_cifti.series(tmp_path)
    from nibabel.cifti2 import cifti2_axes

    axis = cifti2_axes.BrainModelAxis.from_surface(np.arange(50), 50, "CIFTI_STRUCTURE_CORTEX_LEFT")
    labels = cifti2_axes.LabelAxis(["one"], [{0: ("???", (0, 0, 0, 0)), 1: ("a", (1, 0, 0, 1))}])
    nib.save(
        nib.Cifti2Image(np.ones((1, 50), np.float32), header=(labels, axis)), tmp_path / "denser.dlabel.nii"
    )
    masker = CiftiLabelsMasker(tmp_path / "denser.dlabel.nii").fit()
    with pytest.raises(
        ValueError,
        match=r"CORTEX_LEFT has 42 vertices in run.dtseries.nii and 50 in labels_img \(denser.dlabel.nii\)",
    ):
        masker.transform(run)


def test_reports_list_and_draw(tmp_path):
    run, atlas = small_cifti.series(tmp_path), small_cifti.atlas(tmp_path)
    text = CiftiLabelsMasker(atlas, surfaces=meshes()).fit(run).generate_report().get_standalone()
    assert text.count("data:image/png;base64,") == 2 and "left a" in text
    bare = CiftiLabelsMasker(atlas).fit(run).generate_report().get_standalone()
    assert bare.count("data:image/png;base64,") == 1 and "CORTEX_LEFT (42 vertices)" in bare
    assert "data:image/png" in CiftiMasker().fit(run).generate_report().get_standalone()


def test_surface_images_from_cifti_and_back(tmp_path):
    run = small_cifti.series(tmp_path)
    image = from_cifti(run, meshes())
    assert image.shape == (82, 60)
    wall = np.isnan(image.data.parts["left"]).all(axis=1)
    assert_array_equal(np.flatnonzero(wall), np.arange(2, 42, 5))
    back = to_cifti(image, like=run, t_r=0.8)
    assert_array_equal(np.asarray(back.dataobj), array(run)[:, :66])
    assert back.header.get_axis(0).step == 0.8
    whole = to_cifti(image)
    assert whole.shape == (60, 82)
    labels = from_cifti(small_cifti.atlas(tmp_path), meshes(), fill=0)
    assert labels.shape == (82,)
    with pytest.raises(
        MeshDimensionError, match="CORTEX_LEFT on a surface of 42 vertices; the left mesh has 30"
    ):
        from_cifti(run, meshes(left=30))
    with pytest.raises(ValueError, match="no hemisphere"):
        from_cifti(small_cifti.series(tmp_path, name="d.dtseries.nii", parts=("THALAMUS_LEFT",)), meshes())


# -- real data -----------------------------------------------------------------------------------------


def test_the_published_parcellation_of_conte69(test_data):
    stem = str(test_data / "conte69_cifti/Conte69.")
    run = f"{stem}MyelinAndCorrThickness.32k_fs_LR.dtseries.nii"
    masker = CiftiLabelsMasker(f"{stem}parcellations_VGD11b.map1.32k_fs_LR.dlabel.nii").fit(run)
    published = nib.load(f"{stem}MyelinAndCorrThickness.32k_fs_LR.ptseries.nii")
    names = list(masker.get_feature_names_out())
    order = [names.index(name) for name in published.header.get_axis(1).name]
    assert_allclose(masker.transform(run)[:, order], np.asarray(published.dataobj), atol=1e-6)


def test_a_run_of_fmriprep_there_and_back(test_data, tmp_path):
    folder = test_data / "ds000005_cifti"
    run = next((folder / "sub-01/func").glob("*_bold.dtseries.nii"))
    mesh = PolyMesh(
        *(
            folder / f"tpl-conte69_hemi-{side}_den-5k_midthickness.surf.gii"
            for side in surfaces.SIDES.values()
        )
    )
    masker = CiftiMasker().fit(run)
    nib.save(masker.inverse_transform(masker.transform(run)), tmp_path / "back.dtseries.nii")
    assert_array_equal(array(tmp_path / "back.dtseries.nii"), array(run))
    axes = [nib.load(path).header.get_axis(1) for path in (run, tmp_path / "back.dtseries.nii")]
    assert axes[0] == axes[1]
    cortex = from_cifti(run, mesh)
    assert_array_equal(np.asarray(to_cifti(cortex, like=run).dataobj), array(run)[:, :9116])
    atlas = folder / "atlas-Schaefer2018_space-fsLR_den-5k_desc-100Parcels7Networks_dseg.dlabel.nii"
    regions = CiftiLabelsMasker(atlas, surfaces=mesh, smoothing_fwhm=6.0).fit(run)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        signals = regions.transform(run)
    assert signals.shape == (16, 100) and np.isfinite(signals).all()
    assert regions.get_feature_names_out()[0] == "7Networks_LH_Vis_1"


def test_the_standard_grayordinates_travel_with_the_tests(tmp_path):
    masker = CiftiMasker().fit(surfaces.BOLDREF)
    values = masker.transform(surfaces.BOLDREF)
    assert values.shape == (1, 91282) and len(masker._fitted.atlas.domain.structures) == 21
    nib.save(masker.inverse_transform(values[0]), tmp_path / "back.dscalar.nii")
    assert_array_equal(array(tmp_path / "back.dscalar.nii"), array(surfaces.BOLDREF))


@pytest.mark.parametrize("damage", ["xml", "short", "counts", "samples", "cut header"])
def test_broken_files_name_file_axis_and_counts(tmp_path, damage):
    run = small_cifti.series(tmp_path)
    content = run.read_bytes()
    broken = tmp_path / "broken.dtseries.nii"
    if damage == "xml":
        content, message = content.replace(b"</Matrix>", b"</Matrux>"), "broken.dtseries.nii: .*broken XML"
    elif damage == "short":
        content, message = (
            content[:-100],
            r"truncated: .* promises \d+ bytes \(60 samples of 84 grayordinates",
        )
    elif damage == "counts":
        content = content.replace(b'IndexCount="18"', b'IndexCount="17"')
        message = "THALAMUS_LEFT has IndexCount 17 and lists 18 points"
    elif damage == "samples":
        content = content.replace(b'NumberOfSeriesPoints="60"', b'NumberOfSeriesPoints="61"')
        message = "axis of samples describes 61 series; the matrix has 60"
    else:
        content, message = content[:300], "broken.dtseries.nii"
    broken.write_bytes(content)
    with pytest.raises(CorruptImageError, match=message):
        CiftiMasker().fit(broken)


def test_run_and_atlas_swapped_and_structures_that_are_no_names(tmp_path):
    run = small_cifti.series(tmp_path)
    with pytest.raises(
        TypeError, match=r"labels_img \(run.dtseries.nii\) is a series of 60 samples.*swapped"
    ):
        CiftiLabelsMasker(run).fit()
    with pytest.raises(TypeError, match="structures must be a str or a list of str; 5"):
        CiftiMasker(structures=5).fit(run)
    with pytest.raises(ValueError, match=r"structures=\[\] leaves no grayordinate"):
        CiftiMasker(structures=[]).fit(run)
