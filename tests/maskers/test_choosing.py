"""One entry for volumes, surfaces and CIFTI: the domain is picked, and mixtures are refused."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import small_cifti
import surfaces
from numpy.testing import assert_allclose

from brainsieve import extract_many
from brainsieve.cli import main
from brainsieve.maskers import CiftiLabelsMasker, CiftiMapsMasker, SurfaceLabelsMasker
from brainsieve.maskers.choosing import open_any, pair_of, surface_files
from brainsieve.surface import PolyData


@pytest.fixture
def labels(tmp_path):
    """GIFTI labels of both hemispheres on fsaverage3."""
    PolyData(**surfaces.label_values()).to_filename(tmp_path / "dk.label.gii")
    return str(tmp_path / "dk_hemi-L.label.gii")


@pytest.fixture
def volume(tmp_path):
    rng = np.random.default_rng(0)
    nib.save(nib.Nifti1Image(rng.normal(size=(6, 6, 6, 20)).astype("f4"), np.eye(4)), tmp_path / "run.nii.gz")
    nib.save(
        nib.Nifti1Image(rng.integers(0, 4, (6, 6, 6)).astype("u1"), np.eye(4)), tmp_path / "atlas.nii.gz"
    )
    return str(tmp_path / "run.nii.gz"), str(tmp_path / "atlas.nii.gz")


def test_several_cifti_atlases_in_one_pass(tmp_path):
    run, atlas = small_cifti.series(tmp_path), small_cifti.atlas(tmp_path)
    maps = small_cifti.scalars(tmp_path, np.random.default_rng(0).random((3, 84)))
    found = extract_many(run, {"labels": atlas, "maps": maps}, standardize="zscore_sample")
    for key, alone in (("labels", CiftiLabelsMasker(atlas)), ("maps", CiftiMapsMasker(maps))):
        awaited = alone.set_params(standardize="zscore_sample").fit().transform(run)
        assert_allclose(found[key], awaited, rtol=1e-5, atol=1e-5)
    ready = extract_many(run, {"ready": CiftiLabelsMasker(atlas).fit()})
    assert ready["ready"].shape == (60, 4)


def test_surfaces_as_images_pairs_and_single_names(labels):
    awaited = SurfaceLabelsMasker(surfaces.on_mesh(surfaces.label_values())).fit().transform(surfaces.run())
    left, right = surfaces.run_file("left"), surfaces.run_file("right")
    for run in (
        surfaces.run(),
        (left, right),
        left,
        right,
        f"{left},{right}",
        {"left": left, "right": right},
    ):
        assert_allclose(extract_many(run, {"dk": labels})["dk"], awaited, rtol=1e-5, atol=1e-6)


def test_the_other_hemisphere_is_found_by_its_name(tmp_path):
    for name in ("x_hemi-L.func.gii", "x_hemi-R.func.gii", "lh.b.gii", "rh.b.gii", "s.L.c.gii"):
        (tmp_path / name).touch()
    assert surface_files(str(tmp_path / "x_hemi-R.func.gii")) == {
        "left": str(tmp_path / "x_hemi-L.func.gii"),
        "right": str(tmp_path / "x_hemi-R.func.gii"),
    }
    assert set(pair_of(str(tmp_path / "lh.b.gii"))) == {"left", "right"}
    assert set(pair_of(str(tmp_path / "s.L.c.gii"))) == {"left"}
    with pytest.raises(ValueError, match="does not tell the hemisphere"):
        pair_of("some.func.gii")


def test_mixtures_are_refused_with_what_would_work(tmp_path, labels, volume):
    run, atlas = small_cifti.series(tmp_path), small_cifti.atlas(tmp_path)
    runs = {"CIFTI": run, "surfaces": surfaces.run_file("left"), "volumes": volume[0]}
    atlases = {"CIFTI": atlas, "surfaces": labels, "volumes": volume[1]}
    for kind, img in runs.items():
        for other, given in atlases.items():
            if kind == other:
                assert extract_many(img, {"a": given})["a"].ndim == 2
            else:
                with pytest.raises(TypeError, match=f"is {kind} .* is {other} .*What would work"):
                    extract_many(img, {"a": given})
    with pytest.raises(TypeError, match="volume"):
        extract_many(volume[0], {"a": CiftiLabelsMasker(atlas).fit()})
    with pytest.raises(TypeError, match="parameters are for atlases"):
        extract_many(run, {"a": CiftiLabelsMasker(atlas).fit()}, standardize=True)
    with pytest.raises(TypeError, match="no image|is no"):
        open_any(3)


def test_the_command_takes_cifti(tmp_path, capsys):
    run, atlas = small_cifti.series(tmp_path), small_cifti.atlas(tmp_path)
    out = tmp_path / "series.tsv"
    assert main(["extract", str(run), "--atlas", str(atlas), "--high-pass", "0.01", "-o", str(out)]) == 0
    table = pd.read_csv(out, sep="\t")
    assert list(table.columns) == ["left a", "left b", "right", "deep"]
    awaited = CiftiLabelsMasker(atlas, high_pass=0.01, t_r=0.8).fit().transform(run)
    assert_allclose(table.to_numpy(), awaited, rtol=1e-5)
    record = json.loads((tmp_path / "series.json").read_text())
    assert record["masker"] == "CiftiLabelsMasker" and record["run"]["t_r_from"] == "header"
    maps = small_cifti.scalars(tmp_path, np.random.default_rng(0).random((2, 84)))
    assert main(["extract", str(run), "--atlas", str(maps), "-o", str(tmp_path / "maps.tsv")]) == 0
    assert list(pd.read_csv(tmp_path / "maps.tsv", sep="\t").columns) == ["component 0", "component 1"]


def test_the_command_takes_surfaces(tmp_path, labels):
    out = tmp_path / "series.tsv"
    assert (
        main(["extract", surfaces.run_file("left"), "--atlas", labels, "--standardize", "-o", str(out)]) == 0
    )
    assert pd.read_csv(out, sep="\t").shape == (
        300,
        len(np.unique(np.hstack(list(surfaces.label_values().values())))) - 1,
    )
    record = json.loads((tmp_path / "series.json").read_text())
    assert len(record["inputs"]["run"]) == 2 and len(record["inputs"]["atlas"]) == 2


@pytest.mark.parametrize(
    "options, message",
    [
        (["--resampling-target", "labels"], "--resampling-target is for volumes"),
        (["--smoothing-fwhm", "fast"], "one number of mm"),
        (["--smoothing-fwhm", "6"], "surfaces"),
        (["--smoothing-fwhm", "6", "--surfaces", "no.gii"], "no.gii"),
        (["--surfaces", "no.gii"], "without --smoothing-fwhm"),
    ],
)
def test_options_that_do_not_go_with_cifti(tmp_path, capsys, options, message):
    run, atlas = small_cifti.series(tmp_path), small_cifti.atlas(tmp_path)
    assert main(["extract", str(run), "--atlas", str(atlas), *options, "-o", str(tmp_path / "x.tsv")]) != 0
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x.tsv").exists()


def test_the_command_refuses_mixtures(tmp_path, capsys, volume):
    run = small_cifti.series(tmp_path)
    assert main(["extract", str(run), "--atlas", volume[1], "-o", str(tmp_path / "x.tsv")]) != 0
    assert "What would work: a .dlabel.nii" in capsys.readouterr().err


def test_volume_maskers_say_who_takes_what_they_do_not(tmp_path, labels):
    from brainsieve.maskers import NiftiLabelsMasker, NiftiMasker

    with pytest.raises(TypeError, match="the surface maskers take it"):
        NiftiMasker().fit(surfaces.run())
    with pytest.raises(TypeError, match="The surface maskers take surfaces"):
        NiftiLabelsMasker(labels).fit()
    atlas = small_cifti.atlas(tmp_path)
    for given in (atlas, nib.load(atlas)):
        with pytest.raises(TypeError, match="the CIFTI maskers take it"):
            NiftiLabelsMasker(given).fit()


def test_the_other_hemisphere_differs_in_the_first_mark_of_the_name_alone(tmp_path):
    """What follows may be of a task, of a hand, of a program's own folder."""
    for own, other in (
        ("lh.sulc_lh.gii", "rh.sulc_lh.gii"),
        ("sub-1_hemi-R_task-lefthand_bold.func.gii", "sub-1_hemi-L_task-lefthand_bold.func.gii"),
        ("sub-1.L.left.shape.gii", "sub-1.R.left.shape.gii"),
    ):
        for name in (own, other):
            (tmp_path / name).touch()
        found = pair_of(str(tmp_path / own))
        assert sorted(found.values()) == sorted(str(tmp_path / name) for name in (own, other))
        assert pair_of(str(tmp_path / other)) == found
