"""Runs of a cohort worked off: numbers, and that nothing is done twice or lost."""

from __future__ import annotations

import json
import os
import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import small_cifti
from small_cohort import confounds, labels, write_atlas, write_cohort

from brainsieve import cohort
from brainsieve.interfaces.fmriprep import load_confounds
from brainsieve.maskers import CiftiLabelsMasker, NiftiLabelsMasker, NiftiMasker

STRATEGIES = ["none", "36P", "scrubbing.5"]


def planned(folder, strategies=STRATEGIES, **options):
    atlas = folder / "tpl-MNI152NLin2009cAsym_atlas-Boxes_res-4_dseg.nii.gz"
    return cohort.plan(folder / "in", folder / "out", [atlas], strategies, **options)


@pytest.fixture(scope="module")
def cohort_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    write_cohort(folder / "in", 2)
    write_atlas(folder)
    return folder


@pytest.fixture(scope="module")
def done(cohort_folder):
    outcomes = cohort.run(planned(cohort_folder))
    assert set(outcomes["status"]) == {"done"}, outcomes["reason"].tolist()
    return cohort_folder


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def one(folder, what, strategy, subject="01"):
    (path,) = (folder / f"out/sub-{subject}").rglob(f"*_desc-{strategy}_{what}.tsv")
    return path


@pytest.mark.parametrize("strategy", ["none", "36P", "scrubbing.5"])
def test_series_are_those_of_a_masker_with_the_confounds_of_the_strategy(done, strategy):
    bold = next((done / "in/sub-01").rglob("*bold.nii.gz"))
    confounds, kept = None, None
    if strategy != "none":
        confounds, kept = load_confounds(str(bold), **cohort.STRATEGIES[strategy])
    atlas = next(done.glob("tpl*.nii.gz"))
    masker = NiftiLabelsMasker(
        atlas, detrend=True, standardize="zscore_sample", high_pass=0.01, low_pass=0.1, t_r=2.0
    )
    expected = masker.fit_transform(bold, confounds=confounds, sample_mask=kept)
    path = one(done, "timeseries", strategy.replace(".", ""))
    found = pd.read_csv(path, sep="\t", na_values=["n/a"])
    assert list(found.columns) == [f"box {i}" for i in range(1, 9)]
    np.testing.assert_allclose(found.to_numpy(), expected, rtol=1e-8, atol=1e-8)
    matrix = pd.read_csv(one(done, "relmat", strategy.replace(".", "")), sep="\t", index_col=0)
    np.testing.assert_allclose(matrix.to_numpy(), np.corrcoef(expected.T), atol=1e-8)


def test_volumes_left_out_are_told_beside_the_series(done):
    flags = pd.read_csv(one(done, "outliers", "scrubbing5"), sep="\t")["outlier"].to_numpy()
    record = json.loads(one(done, "timeseries", "scrubbing5").with_suffix(".json").read_text())
    assert record["VolumesKept"] == np.flatnonzero(flags == 0).tolist()
    assert 0 < flags.sum() < 30 and record["NumberOfVolumes"] == len(flags) == 200
    assert not pd.read_csv(one(done, "outliers", "36P"), sep="\t")["outlier"].any()


def test_quality_is_of_the_voxels_of_the_mask(done):
    found = pd.read_csv(next((done / "out/sub-01").rglob("*_desc-brainsieve_qc.tsv")), sep="\t").iloc[0]
    data = nib.load(next((done / "in/sub-01").rglob("*bold.nii.gz"))).get_fdata()[labels() > 0].T
    unit = (data - data.mean(axis=0)) / data.std(axis=0)
    assert found["n_voxels"] == data.shape[1]
    np.testing.assert_allclose(found["gcor"], np.corrcoef(data.T).mean(), rtol=1e-6)
    np.testing.assert_allclose(found["gcor"], (unit.mean(axis=1) ** 2).mean(), rtol=1e-6)
    time = np.arange(len(data))
    residual = data - np.stack([np.polyval(np.polyfit(time, column, 1), time) for column in data.T], axis=1)
    expected = np.median(data.mean(axis=0) / residual.std(axis=0, ddof=2))
    np.testing.assert_allclose(found["tsnr"], expected, rtol=1e-6)


def test_a_second_start_does_nothing(done):
    before = {path: os.stat(path).st_mtime_ns for path in (done / "out").rglob("*")}
    again = planned(done)
    assert again["done"].all()
    assert set(cohort.run(again)["status"]) == {"done before"}
    assert {path: os.stat(path).st_mtime_ns for path in (done / "out").rglob("*")} == before


def test_processes_and_shards_give_the_same_bytes(done, tmp_path):
    shutil.copytree(done / "in", tmp_path / "in", copy_function=shutil.copy2)
    write_atlas(tmp_path)
    plan = planned(tmp_path)
    cohort.run(plan, shard=(1, 2))
    assert not list((tmp_path / "out/sub-02").rglob("*.tsv")) if (tmp_path / "out/sub-02").exists() else True
    cohort.run(planned(tmp_path), n_jobs=2)
    ours, theirs = tree(tmp_path / "out"), tree(done / "out")
    for path in (ours, theirs):  # these name the folders
        path.pop("dataset_description.json"), path.pop("README")
    assert ours == theirs


def touched(folder, before):
    after = {path: os.stat(path).st_mtime_ns for path in (folder / "out").rglob("*.tsv")}
    return {path.name for path, time in after.items() if before.get(path) != time}


@pytest.fixture
def own(done, tmp_path):
    shutil.copytree(done, tmp_path / "own", copy_function=shutil.copy2)
    cohort.run(planned(tmp_path / "own"))
    return tmp_path / "own"


def times(folder):
    return {path: os.stat(path).st_mtime_ns for path in (folder / "out").rglob("*.tsv")}


def test_a_changed_parameter_redoes_what_it_touches(own):
    before = times(own)
    cohort.run(planned(own, high_pass=0.02))
    changed = touched(own, before)
    assert {name.rsplit("_", 1)[1] for name in changed} == {
        "timeseries.tsv",
        "relmat.tsv",
        "bold.tsv",
        "outliers.tsv",
    }


def test_a_changed_table_redoes_the_run_it_belongs_to(own):
    before = times(own)
    table = next((own / "in/sub-02").rglob("*timeseries.tsv"))
    table.write_text(table.read_text().replace("n/a", "0.0", 1))
    cohort.run(planned(own))
    assert {name[:6] for name in touched(own, before)} == {"sub-02"}


def test_a_changed_atlas_redoes_what_is_of_it(own):
    before = times(own)
    table = next(own.glob("*.tsv"))
    table.write_text(table.read_text().replace("box 1", "first"))
    cohort.run(planned(own))
    changed = touched(own, before)
    assert {name.rsplit("_", 1)[1] for name in changed} == {
        "timeseries.tsv",
        "relmat.tsv",
        "bold.tsv",
        "dseg.tsv",
    }


@pytest.mark.parametrize("damage", ["cut", "gone", "other"])
def test_results_that_were_damaged_are_made_again(own, damage):
    path = one(own, "timeseries", "36P")
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[:100])
    else:
        path.with_suffix(".json").write_text("{}")
    outcomes = cohort.run(planned(own)).set_index(["run", "strategy"])["status"]
    assert (outcomes == "done").sum() == 1
    assert path.read_bytes() == content


def test_a_damaged_run_is_recorded_and_does_not_stop_the_others(own):
    path = next((own / "in/sub-01").rglob("*bold.nii.gz"))
    # The header is whole, so that planning finds nothing.
    path.write_bytes(path.read_bytes()[:-2000])
    outcomes = cohort.run(planned(own, high_pass=0.03))
    assert outcomes.groupby(outcomes["run"].str[:6])["status"].unique().map(list).to_dict() == {
        "sub-01": ["failed"],
        "sub-02": ["done"],
    }
    assert outcomes["reason"].str.contains(path.name).sum() == 3
    with pytest.raises(RuntimeError, match=path.name):
        cohort.run(planned(own, high_pass=0.04), stop_on_first_crash=True)


def test_too_short_a_run_is_excluded_with_its_reason(own):
    outcomes = cohort.run(planned(own, ["scrubbing.5"], min_time=399, dummy_scans=3))
    assert set(outcomes["status"]) == {"excluded"}
    assert outcomes["reason"].str.contains("s are left of the run, and min_time is 399 s").all()


def test_volumes_of_much_motion_and_dummies_are_left_out(own):
    cohort.run(planned(own, ["none"], fd_thresh=0.5, dummy_scans=2))
    flags = pd.read_csv(one(own, "outliers", "none"), sep="\t")["outlier"].to_numpy()
    table = pd.read_csv(next((own / "in/sub-01").rglob("*timeseries.tsv")), sep="\t")
    expected = (table["framewise_displacement"] > 0.5).to_numpy().copy()
    expected[:2] = True
    np.testing.assert_array_equal(flags == 1, expected)


def test_regions_that_a_run_does_not_cover_are_missing(own):
    path = next((own / "in/sub-01").rglob("*bold.nii.gz"))
    image = nib.load(path)
    data = np.asarray(image.dataobj).copy()
    where = np.argwhere(labels() == 3)
    data[tuple(where[: len(where) * 3 // 4].T)] = 0
    nib.save(nib.Nifti1Image(data, image.affine, image.header), path)
    cohort.run(planned(own, ["36P"]))
    found = pd.read_csv(one(own, "timeseries", "36P"), sep="\t", na_values=["n/a"])
    assert found.columns[found.isna().all()].tolist() == ["box 3"]
    coverage = pd.read_csv(one(own, "bold", "36P"), sep="\t").set_index("Node")
    assert coverage.loc["box 3", "coverage"] == pytest.approx(1 - (len(where) * 3 // 4) / len(where))
    assert (coverage["coverage"].drop("box 3") == 1).all()


def test_denoised_images_are_the_voxels_of_the_mask_cleaned(own):
    cohort.run(planned(own, ["36P"], denoised=True))
    (path,) = (own / "out/sub-01").rglob("*_desc-36P_bold.nii.gz")
    image = nib.load(path)
    assert image.shape == (*labels().shape, 200) and image.header.get_zooms()[3] == 2.0
    assert not image.get_fdata()[labels() == 0].any()
    bold = next((own / "in/sub-01").rglob("*bold.nii.gz"))
    confounds, _ = load_confounds(str(bold), **cohort.STRATEGIES["36P"])
    mask = nib.Nifti1Image((labels() > 0).astype(np.uint8), image.affine)
    masker = NiftiMasker(mask, detrend=True, high_pass=0.01, low_pass=0.1, t_r=2.0)
    expected = masker.fit_transform(bold, confounds=confounds)
    np.testing.assert_allclose(image.get_fdata()[labels() > 0].T, expected, atol=1e-3)


def test_a_table_that_lost_its_plan_is_refused():
    with pytest.raises(TypeError, match="plan must be what brainsieve.cohort.plan gave"):
        cohort.run(pd.DataFrame({"run": []}))


def test_a_folder_of_another_dataset_is_left_alone(cohort_folder, tmp_path):
    (tmp_path / "out").mkdir()
    description = tmp_path / "out/dataset_description.json"
    description.write_text('{"Name": "mine", "GeneratedBy": [{"Name": "fMRIPrep"}]}')
    atlas = next(cohort_folder.glob("tpl*.nii.gz"))
    with pytest.raises(FileExistsError, match="brainsieve did not make"):
        cohort.run(cohort.plan(cohort_folder / "in", tmp_path / "out", [atlas], "none"))
    assert "fMRIPrep" in description.read_text()


def test_cifti_runs_give_parcellated_files_too(tmp_path):
    where = tmp_path / "in/sub-01/func"
    where.mkdir(parents=True)
    run = small_cifti.series(where, 200, "sub-01_task-rest_space-fsLR_den-91k_bold.dtseries.nii")
    confounds(np.random.default_rng(0), 200).to_csv(
        where / "sub-01_task-rest_desc-confounds_timeseries.tsv", sep="\t", index=False, na_rep="n/a"
    )
    atlas = small_cifti.atlas(tmp_path)
    plan = cohort.plan(tmp_path / "in", tmp_path / "out", [f"mine={atlas}"], "24P")
    assert plan["problems"].tolist() == [[]] and plan["t_r"].tolist() == [0.8]
    assert cohort.run(plan)["status"].tolist() == ["done"]
    series = nib.load(next((tmp_path / "out").rglob("*.ptseries.nii")))
    table = pd.read_csv(next((tmp_path / "out").rglob("*_timeseries.tsv")), sep="\t", na_values=["n/a"])
    time, parcels = (series.header.get_axis(i) for i in (0, 1))
    assert (len(time), time.step, list(parcels.name)) == (200, 0.8, list(table.columns))
    np.testing.assert_allclose(series.get_fdata(), table.to_numpy(), atol=1e-6)
    left = dict(zip(parcels.name, parcels.vertices, strict=True))["left a"]["CIFTI_STRUCTURE_CORTEX_LEFT"]
    own = nib.load(atlas)
    model = own.header.get_axis(1)[own.header.get_axis(1).name == "CIFTI_STRUCTURE_CORTEX_LEFT"]
    keys = np.asarray(own.dataobj)[0, own.header.get_axis(1).name == "CIFTI_STRUCTURE_CORTEX_LEFT"]
    np.testing.assert_array_equal(np.sort(left), np.sort(model.vertex[keys == 3]))
    matrix = nib.load(next((tmp_path / "out").rglob("*.pconn.nii")))
    np.testing.assert_allclose(matrix.get_fdata(), np.corrcoef(table.to_numpy().T), atol=1e-6)
    assert matrix.header.get_axis(0) == matrix.header.get_axis(1) == parcels
    expected = CiftiLabelsMasker(
        atlas, detrend=True, standardize="zscore_sample", high_pass=0.01, low_pass=0.1, t_r=0.8
    ).fit_transform(run, confounds=load_confounds(str(run), **cohort.STRATEGIES["24P"])[0])
    np.testing.assert_allclose(table.to_numpy(), expected, atol=1e-6)
    quality = pd.read_csv(next((tmp_path / "out").rglob("*_qc.tsv")), sep="\t").iloc[0]
    assert quality["n_voxels"] == nib.load(run).shape[1]


def test_a_run_of_which_cleaning_leaves_nothing_is_excluded(own):
    outcomes = cohort.run(planned(own, ["36P"], high_pass=0.08)).iloc[0]
    assert outcomes["status"] == "excluded"
    assert "degrees of freedom are left of 200 volumes after" in outcomes["reason"]


def test_the_name_of_an_atlas_may_begin_that_of_another(cohort_folder, tmp_path):
    one = next(cohort_folder.glob("tpl*.nii.gz"))
    other = tmp_path / "tpl-MNI152NLin2009cAsym_atlas-Boxes_seg-halves_res-4_dseg.nii.gz"
    nib.save(nib.Nifti1Image((labels() > 4).astype(np.int16) + (labels() > 0), nib.load(one).affine), other)
    plan = cohort.plan(cohort_folder / "in", tmp_path / "out", [one, other], "none", participant_label="01")
    outcomes = cohort.run(plan)
    assert outcomes["status"].tolist() == ["done"], outcomes["reason"].tolist()
    assert len(list((tmp_path / "out/sub-01/figures").glob("*_regions.png"))) == 2


def test_runs_that_aroma_has_cleaned_stand_beside_the_preprocessed_ones(cohort_folder, tmp_path):
    shutil.copytree(cohort_folder / "in/sub-01", tmp_path / "in/sub-01", copy_function=shutil.copy2)
    bold = next((tmp_path / "in").rglob("*bold.nii.gz"))
    image = nib.load(bold)
    aroma = bold.with_name(bold.name.replace("desc-preproc", "desc-smoothAROMAnonaggr"))
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[..., ::-1], image.affine, image.header), aroma)
    atlas = next(cohort_folder.glob("tpl*.nii.gz"))
    plan = cohort.plan(tmp_path / "in", tmp_path / "out", [atlas], ["none", "icaaroma"])
    assert plan["problems"].tolist() == [[], []] and plan["run"].nunique() == 2
    outcomes = cohort.run(plan)
    assert outcomes["status"].tolist() == ["done", "done"], outcomes["reason"].tolist()
    again = cohort.plan(tmp_path / "in", tmp_path / "out", [atlas], ["none", "icaaroma"])
    assert again["done"].all()
    series = {name: pd.read_csv(one(tmp_path, "timeseries", name), sep="\t") for name in ("none", "icaaroma")}
    assert not np.allclose(series["none"], series["icaaroma"], atol=0.1)
    quality = pd.read_csv(next((tmp_path / "out").rglob("*_qc.tsv")), sep="\t").iloc[0]
    assert quality["n_volumes"] == 200 and quality["n_voxels"] == int((labels() > 0).sum())
