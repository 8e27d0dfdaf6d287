"""What a file's own table of labels says: names, colours, and what is no region."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import small_cifti
import surfaces
from nibabel.cifti2 import cifti2_axes
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve.maskers import CiftiLabelsMasker, SurfaceLabelsMasker
from brainsieve.surface import InMemoryMesh, SurfaceImage, read_label_table, save_surf_data
from brainsieve.surface.label_tables import own_background

N = 12
MESH = InMemoryMesh(np.random.default_rng(0).normal(size=(N, 3)), np.array([[0, 1, 2], [2, 3, 4]]))


def table(**names: str) -> pd.DataFrame:
    rows = [(int(key.strip("k").replace("m", "-")), name) for key, name in names.items()]
    return pd.DataFrame(rows, columns=["index", "name"])


@pytest.mark.parametrize(
    "names, values, expected, background",
    [
        # As wb_command -cifti-parcellate gives V1 and V2.
        ({"km1": "???", "k0": "V1", "k1": "V2"}, [-1, 0, 1, 0], [-1, 0, 1, 0], -1),
        ({"k0": "???", "k1": "V1"}, [0, 1, 1, 0], [0, 1, 1, 0], 0),
        ({"k0": "V1", "k1": "V2"}, [-1, 0, 1, 5], [-1, 0, 1, -1], -1),
        ({"k0": "V1", "km1": "V2"}, [-1, 0, 9, 0], [-1, 0, -2, 0], -2),
        ({"k0": "unknown", "k1": "V1"}, [-1, 0, 1, 1], [0, 0, 1, 1], 0),
        ({"k0": "Background+FreeSurfer_Defined_Medial_Wall", "k1": "V1"}, [0, 1, 1, 0], [0, 1, 1, 0], 0),
        ({"k0": "0", "k1": "1"}, [0, 1, 1, 0], [0, 1, 1, 0], 0),
        ({"k1": "V1", "k2": "V2"}, [0, 1, 2, 3], [0, 1, 2, 0], 0),
        ({"k1": "V1", "k3": "???"}, [0, 1, 3, 3], [0, 1, 0, 0], 0),
    ],
)
@pytest.mark.filterwarnings("ignore:labels_img. its table has no row")
def test_what_the_table_does_not_call_a_region_is_the_background(names, values, expected, background):
    found, of = own_background(np.array(values), table(**names))
    assert of == background
    assert_array_equal(found, expected)


def test_keys_without_a_row_are_told_and_the_users_own_background_counts(recwarn):
    names = table(k0="V1", k1="V2")
    own_background(np.array([-1, 0, 1]), names)
    assert not len(recwarn)
    with pytest.warns(UserWarning, match=r"no row for 2 of its keys \(7, 9\)"):
        own_background(np.array([7, 0, 1, 9]), names)
    values, background = own_background(np.array([0, 1, 2]), table(k0="V1", k1="V2", k2="V3"), 2)
    assert background == 2 and values.tolist() == [0, 1, 2]
    assert own_background(np.array([4, 5]), None)[0].tolist() == [4, 5]


def dlabel(folder, names: dict[int, str], keys: np.ndarray):
    axis = small_cifti.brain()
    labels = cifti2_axes.LabelAxis(
        ["map"], [{key: (name, (1.0, 0, key / 10 % 1, 1)) for key, name in names.items()}]
    )
    nib.save(nib.Cifti2Image(keys[None].astype(np.float32), header=(labels, axis)), folder / "a.dlabel.nii")
    return folder / "a.dlabel.nii"


@pytest.mark.parametrize("smoothed", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_a_cifti_file_whose_region_is_0_keeps_it(tmp_path, smoothed, masked):
    """Surfaces, CIFTI, masks and cleaning together, against means written plainly."""
    run = small_cifti.series(tmp_path, n_samples=40)
    n = len(small_cifti.brain())
    rng = np.random.default_rng(1)
    keys = rng.integers(-1, 3, n)
    atlas = dlabel(tmp_path, {-1: "???", 0: "V1", 1: "V2"}, keys)
    inside = rng.random(n) > 0.3 if masked else np.ones(n, bool)
    parameters: dict = (
        {"mask_img": small_cifti.scalars(tmp_path, inside[None].astype(float), "m.dscalar.nii")}
        if masked
        else {}
    )
    voxels = small_cifti.brain().name == "CIFTI_STRUCTURE_THALAMUS_LEFT"
    if smoothed:
        parameters |= {"smoothing_fwhm": 4.0, "surfaces": meshes(), "smoothing_method": "neighbours"}
    with pytest.warns(UserWarning, match="no row for 1 of its keys .2."):
        masker = CiftiLabelsMasker(atlas, detrend=True, **parameters).fit()
    assert masker.labels_ == [-1, 0, 1] and list(masker.region_names_.values()) == ["V1", "V2"]
    assert masker.region_ids_ == {"background": -1, 0: 0, 1: 1} and json.dumps(masker.labels_)
    signals = masker.transform(run)
    values = np.asarray(nib.load(run).dataobj, dtype=float)
    if smoothed:
        assert signals.shape == (40, 2) and np.isfinite(signals).all() and voxels.any()
        return
    trend = np.polynomial.polynomial.polyvander(np.arange(40), 1)
    for column, key in enumerate((0, 1)):
        mean = values[:, (keys == key) & inside].mean(axis=1)
        residual = mean - trend @ np.linalg.lstsq(trend, mean, rcond=None)[0]
        assert_allclose(signals[:, column], residual, atol=1e-4)


def meshes() -> dict:
    from brainsieve.surface import PolyMesh

    rng = np.random.default_rng(0)
    parts = {}
    for part, structure in (("left", "CORTEX_LEFT"), ("right", "CORTEX_RIGHT")):
        n = small_cifti.N_VERTICES[structure]
        ring = np.arange(n)
        parts[part] = (rng.normal(0, 3, (n, 3)), np.stack([ring, (ring + 1) % n, (ring + 2) % n], axis=1))
    return PolyMesh(**parts)


@pytest.mark.parametrize("suffix", ["annot", "label.gii"])
def test_a_file_without_unknown_keeps_its_first_region(tmp_path, suffix):
    labels = np.array([-1, 0, 0, 1, 1, 2, -1, 2, 0, 1, -1, -1])
    names = pd.DataFrame(
        {"index": [0, 1, 2], "name": ["V1", "V2", "V3"], "color": ["FF0000", "00FF00", "0000FF"]}
    )
    if suffix == "annot":
        save_surf_data(labels, tmp_path / "lh.x.annot", names)
    else:
        # GIFTI needs a row for each key that it has.
        image = nib.gifti.GiftiImage()
        image.add_gifti_data_array(nib.gifti.GiftiDataArray(labels.astype(np.int32), "NIFTI_INTENT_LABEL"))
        for key, name in zip(names["index"], names["name"], strict=True):
            label = nib.gifti.GiftiLabel(key, 1.0, key / 2, 0.0, 1.0)
            label.label = name
            image.labeltable.labels.append(label)
        nib.save(image, tmp_path / "lh.x.label.gii")
    atlas = SurfaceImage({"left": MESH}, {"left": tmp_path / f"lh.x.{suffix}"})
    values = np.random.default_rng(0).normal(size=(N, 5))
    masker = SurfaceLabelsMasker(atlas).fit()
    assert masker.labels_ == [-1, 0, 1, 2]
    signals = masker.transform(SurfaceImage({"left": MESH}, {"left": values}))
    assert_allclose(signals, np.stack([values[labels == key].mean(axis=0) for key in (0, 1, 2)], axis=1))
    assert list(masker.region_names_.values()) == ["0", "1", "2"]
    assert masker.lut_["color"][masker.lut_["index"] >= 0].notna().all()
    back = masker.inverse_transform(signals).data.parts["left"]
    assert_array_equal(back[labels < 0], 0)


def test_reports_take_the_colours_of_the_table(tmp_path, monkeypatch):
    import brainsieve.drawing.surfaces as surface_pictures

    given = []
    original = surface_pictures.vertex_colours
    monkeypatch.setattr(
        surface_pictures,
        "vertex_colours",
        lambda layer, b, cmap: given.append(cmap) or original(layer, b, cmap),
    )
    names = pd.DataFrame({"index": [1, 2], "name": ["a", "b"], "color": ["FF0000", "00FF00"]})
    values = np.array([1, 2] * 6)
    image = SurfaceImage({"left": MESH}, {"left": values})
    for options in ({"lut": names}, {"lut": names[["index", "name"]]}, {"lut": names, "cmap": "viridis"}):
        SurfaceLabelsMasker(image, **options).fit().generate_report()
    assert given == [None, "inferno", "viridis"]


def test_tables_of_two_hemispheres_are_one():
    aparc = str(surfaces.DATA / "fsaverage/lh.aparc.annot")
    one, both = read_label_table(aparc), read_label_table((aparc, aparc))
    pd.testing.assert_frame_equal(one, both)


def hemisphere_tables(tmp_path, left: dict[int, str], right: dict[int, str]) -> list:
    paths = []
    for side, names in (("L", left), ("R", right)):
        frame = pd.DataFrame({"index": list(names), "name": list(names.values())})
        frame.to_csv(tmp_path / f"hemi-{side}_dseg.tsv", sep="\t", index=False)
        paths.append(tmp_path / f"hemi-{side}_dseg.tsv")
    return paths


def test_names_that_repeat_are_told_apart_by_hemisphere(tmp_path):
    paths = hemisphere_tables(
        tmp_path, {0: "unknown", 1: "bankssts", 2: "NA"}, {0: "unknown", 11: "bankssts", 12: "insula"}
    )
    expected = {0: "unknown", 1: "L_bankssts", 2: "NA", 11: "R_bankssts", 12: "insula"}
    for given in (paths, tuple(paths), {"left": paths[0], "right": paths[1]}):
        read = read_label_table(given)
        assert dict(zip(read["index"], read["name"], strict=True)) == expected


def test_an_id_with_two_names_is_told(tmp_path):
    paths = hemisphere_tables(tmp_path, {1: "a"}, {1: "b"})
    with pytest.warns(UserWarning, match="1 ids have different names in the hemispheres.*'a' and 'b'"):
        assert read_label_table(paths)["name"].tolist() == ["a"]
    with pytest.raises(ValueError, match="a pair"):
        read_label_table(paths[:1])
