"""Options at their limits and together: what each of them does, and what the record says of it."""

from __future__ import annotations

import json
import os
import shutil

import nibabel
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from brainsieve.cli.arguments import parser
from brainsieve.datasets import load_demo_run
from brainsieve.maskers import NiftiLabelsMasker, NiftiMapsMasker, NiftiSpheresMasker

RUN = load_demo_run()
BOLD = nibabel.load(RUN.bold)


def read(path):
    return pd.read_csv(path, sep="\t")


def record(path):
    return json.loads(path.read_text())


def parsed(*words):
    return parser().parse_args(["extract", "run.nii", "-o", "out.tsv", *words])


# -- values of options -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("min_coverage", "0", 0.0),
        ("min_coverage", "1", 1.0),
        ("radius", "0", 0.0),
        ("smoothing_fwhm", "0", 0.0),
        ("smoothing_fwhm", "6,0,4", (6.0, 0.0, 4.0)),
        ("smoothing_fwhm", "fast", "fast"),
        ("background_label", "-1", -1),
        ("background_label", "2.5", 2.5),
    ],
)
def test_the_limits_of_an_option_belong_to_it(option, text, value):
    given = getattr(parsed(f"--{option.replace('_', '-')}={text}"), option)
    assert given == value
    assert type(given) is type(value)


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("min-coverage", "1.001"),
        ("min-coverage", "-0.001"),
        ("radius", "-1"),
        ("smoothing-fwhm", "6,-1,6"),
        ("smoothing-fwhm", "6,6"),
        ("t-r", "0"),
        ("low-pass", "0"),
        ("high-pass", "nan"),
        ("background-label", "inf"),
    ],
)
def test_what_is_just_beyond_them_is_refused(option, text, capsys):
    with pytest.raises(SystemExit) as stop:
        parsed(f"--{option}={text}")
    assert stop.value.code == 2
    assert option in capsys.readouterr().err


def test_a_switch_that_is_given_as_no_is_off(tmp_path, extract):
    plain, off, on = (tmp_path / f"{name}.tsv" for name in ("plain", "off", "on"))
    assert [extract(*words, "-o", path) for words, path in (((), plain), (("--no-detrend",), off))] == [0, 0]
    assert extract("--detrend", "-o", on) == 0
    assert off.read_text() == plain.read_text()
    assert on.read_text() != plain.read_text()


@pytest.mark.parametrize("text", ["5:5", "0:0", "60:50", "0:10,5:5", "82", "80:83"])
def test_ranges_without_a_volume_of_the_run_are_refused(tmp_path, extract, error, text):
    assert extract("--sample-mask", text, "-o", tmp_path / "out.tsv") == 1
    assert "--sample-mask" in error()


def test_a_column_with_a_pattern_in_its_name_is_found_by_its_name(tmp_path, extract):
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(82, 3)), columns=["a[1]", "a1", "b"])
    table.to_csv(tmp_path / "c.tsv", sep="\t", index=False)
    confounds = ("--confounds", tmp_path / "c.tsv", "--confounds-columns", "a[1],b*")
    assert extract(*confounds, "-o", tmp_path / "out.tsv") == 0
    # The record has the columns that were found, and not what was asked for.
    assert record(tmp_path / "out.json")["confounds_columns"] == ["a[1]", "b"]
    expected = NiftiLabelsMasker(RUN.atlas).fit_transform(RUN.bold, confounds=table[["a[1]", "b"]])
    assert_allclose(read(tmp_path / "out.tsv"), expected, rtol=1e-6)


def test_a_confound_may_lack_a_value_in_a_volume_that_is_left_out(tmp_path, extract, error):
    table = pd.DataFrame({"motion": [np.nan, *np.random.default_rng(0).normal(size=81)]})
    table.to_csv(tmp_path / "c.tsv", sep="\t", index=False, na_rep="n/a")
    arguments = ("--confounds", tmp_path / "c.tsv", "-o", tmp_path / "out.tsv")
    assert extract(*arguments) == 1
    assert "no value in row 0 of motion" in error()
    assert extract("--sample-mask", "1:", *arguments) == 0
    expected = NiftiLabelsMasker(RUN.atlas).fit_transform(
        RUN.bold, confounds=table.fillna(0), sample_mask=np.arange(1, 82)
    )
    assert_allclose(read(tmp_path / "out.tsv"), expected, rtol=1e-6)


# -- what is extracted -----------------------------------------------------------------------------------


def test_seeds_that_the_run_covers_less_than_asked_have_no_values(tmp_path, extract):
    corner = nibabel.affines.apply_affine(BOLD.affine, np.array(BOLD.shape[:3]) - 1)
    seeds = [[0.0, -20.0, 20.0], corner.tolist()]
    pd.DataFrame(seeds, columns=list("xyz")).to_csv(tmp_path / "seeds.tsv", sep="\t", index=False)
    data = np.asanyarray(BOLD.dataobj).copy()
    data[-1] = 0
    nibabel.Nifti1Image(data, BOLD.affine, BOLD.header).to_filename(tmp_path / "run.nii")
    words = ("--seeds", tmp_path / "seeds.tsv", "--radius", 10, "-o", tmp_path / "out.tsv")
    assert extract(*words, "--min-coverage", 0.9, run=tmp_path / "run.nii", atlas=None) == 0
    assert read(tmp_path / "out.tsv").isna().all().tolist() == [False, True]
    assert extract(*words, run=tmp_path / "run.nii", atlas=None) == 0
    assert not read(tmp_path / "out.tsv").isna().any().any()
    expected = NiftiSpheresMasker(seeds, 10).fit_transform(tmp_path / "run.nii")
    assert_allclose(read(tmp_path / "out.tsv"), expected, rtol=1e-6)


def test_an_atlas_of_maps_stays_as_it_is_by_both_names(tmp_path, extract):
    labels = nibabel.load(RUN.atlas)
    values = labels.get_fdata()
    affine = labels.affine @ np.diag([0.5, 0.5, 0.5, 1])
    maps = np.stack([np.kron(values == i, np.ones((2, 2, 2))) for i in (3, 8)], axis=-1).astype(np.float32)
    nibabel.Nifti1Image(maps, affine).to_filename(tmp_path / "maps.nii")
    expected = NiftiMapsMasker(tmp_path / "maps.nii", resampling_target="maps").fit_transform(RUN.bold)
    for target in ("maps", "labels"):
        words = ("--resampling-target", target, "-o", tmp_path / "out.tsv")
        assert extract(*words, atlas=tmp_path / "maps.nii") == 0
        assert_allclose(read(tmp_path / "out.tsv"), expected, rtol=1e-5)


def test_each_column_of_the_record_has_the_id_of_its_region(tmp_path, extract):
    assert extract("--labels", RUN.lut, "-o", tmp_path / "out.tsv") == 0
    table = pd.read_csv(RUN.lut, sep="\t").set_index("index")["name"]
    columns = record(tmp_path / "out.json")["columns"]
    assert [column["name"] for column in columns] == read(tmp_path / "out.tsv").columns.tolist()
    assert [table[column["id"]] for column in columns] == [column["name"] for column in columns]
    assert len({column["id"] for column in columns}) == len(columns) > 1


def test_an_image_of_voxels_has_its_time_in_seconds_whatever_the_unit_of_the_run(tmp_path, extract):
    header = BOLD.header.copy()
    header.set_zooms((8, 8, 8, 2200))
    header.set_xyzt_units("mm", "msec")
    nibabel.Nifti1Image(np.asanyarray(BOLD.dataobj), BOLD.affine, header).to_filename(tmp_path / "run.nii")
    assert extract("--voxels", "-o", tmp_path / "clean.nii", run=tmp_path / "run.nii", atlas=None) == 0
    made = nibabel.load(tmp_path / "clean.nii").header
    assert made.get_zooms()[3] == pytest.approx(2.2)
    assert made.get_xyzt_units() == ("mm", "sec")


# -- times -----------------------------------------------------------------------------------------------


@pytest.fixture
def timed(tmp_path):
    def write(step, unit, sidecar=None):
        header = BOLD.header.copy()
        header.set_zooms((8, 8, 8, step))
        header.set_xyzt_units("mm", unit)
        run = tmp_path / "run.nii"
        nibabel.Nifti1Image(np.asanyarray(BOLD.dataobj), BOLD.affine, header).to_filename(run)
        if sidecar is not None:
            (tmp_path / "run.json").write_text(json.dumps({"RepetitionTime": sidecar}))
        return run

    return write


def test_the_time_of_the_header_is_used_where_the_sidecar_says_another(tmp_path, extract, timed):
    run = timed(2.2, "sec", 2.0)
    assert extract("--low-pass", 0.1, "-o", tmp_path / "out.csv", run=run) == 0
    told = record(tmp_path / "out.csv.json")["run"]
    assert (told["t_r"], told["t_r_from"]) == (pytest.approx(2.2), "header")
    expected = NiftiLabelsMasker(RUN.atlas, low_pass=0.1, t_r=2.2).fit_transform(run)
    assert_allclose(pd.read_csv(tmp_path / "out.csv"), expected, rtol=1e-5, atol=1e-5)


def test_a_time_that_is_not_believed_is_told_with_the_reason(tmp_path, extract, timed, error):
    assert extract("--low-pass", 0.1, "-o", tmp_path / "out.csv", run=timed(2200, "sec")) == 1
    line = error()
    assert "2200" in line
    assert "does not tell it" not in line


def test_an_odd_time_that_nobody_contradicts_is_used_and_told(tmp_path, extract, timed, capsys):
    run = timed(0, None)
    words = ("--t-r", 2200, "--high-pass", 1e-5, "-o", tmp_path / "out.csv")
    assert extract(*words, run=run) == 0
    assert "--t-r 2200 is in seconds; no scan has" in capsys.readouterr().err


# -- several runs, and what is replaced ------------------------------------------------------------------


def test_one_list_of_volumes_is_for_all_runs_and_each_record_has_its_own_warnings(tmp_path, command):
    shutil.copy(RUN.bold, tmp_path / "b_bold.nii.gz")
    data = np.asanyarray(BOLD.dataobj).astype(np.float32)
    data[tuple(np.argwhere(nibabel.load(RUN.atlas).get_fdata() == 8)[0])] = np.nan
    nibabel.Nifti1Image(data, BOLD.affine).to_filename(tmp_path / "a_bold.nii.gz")
    runs = [tmp_path / "a_bold.nii.gz", tmp_path / "b_bold.nii.gz"]
    words = ("--atlas", RUN.atlas, "--sample-mask", "2:40", "-o", tmp_path / "tables")
    assert command("extract", *runs, *words) == 0
    tables = sorted((tmp_path / "tables").glob("*.tsv"))
    assert [len(read(path)) for path in tables] == [38, 38]
    warned = [record(path.with_suffix(".json"))["warnings"] for path in tables]
    assert "NaN" in warned[0][0]
    assert warned[1] == []


def test_a_table_takes_its_place_after_its_record(tmp_path, extract, monkeypatch):
    """Whoever sees the table finds how it was made, also where the machine stops between the two."""
    real, placed = os.replace, []

    def replace(source, target):
        placed.append(os.path.basename(target))
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    assert extract("--report", tmp_path / "page.html", "-o", tmp_path / "out.tsv") == 0
    assert placed == ["out.json", "page.html", "out.tsv"]


def test_a_page_that_our_record_does_not_have_is_of_someone_else(tmp_path, extract, error):
    assert extract("-o", tmp_path / "out.tsv") == 0
    (tmp_path / "page.html").write_text("mine")
    assert extract("--report", tmp_path / "page.html", "-o", tmp_path / "out.tsv") == 1
    assert "page.html" in error()
    assert (tmp_path / "page.html").read_text() == "mine"


def test_a_table_that_was_renamed_with_its_record_belongs_to_who_renamed_it(tmp_path, extract, error):
    assert extract("-o", tmp_path / "out.tsv") == 0
    for suffix in (".tsv", ".json"):
        (tmp_path / f"out{suffix}").rename(tmp_path / f"kept{suffix}")
    assert extract("-o", tmp_path / "kept.tsv") == 1
    assert "kept.tsv" in error()
