"""Models of a BIDS dataset: each subject has its own times, masks, events and sample masks."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from brainsieve.glm.first_level import first_level_from_bids

SHAPE, T, AFFINE = (4, 5, 3), 24, np.diag([2.0, 2, 2, 1])
SPACE = "space-MNI152NLin2009cAsym"
T_R = {"01": 2.0, "02": 1.5, "03": 0.8}


@pytest.fixture
def dataset(tmp_path):
    rng = np.random.default_rng(0)
    for n, (subject, t_r) in enumerate(T_R.items()):
        for run in ("1", "2"):
            name = f"sub-{subject}_task-faces_run-{run}"
            raw, made = (
                folder / f"sub-{subject}" / "func" for folder in (tmp_path, tmp_path / "derivatives")
            )
            for folder in (raw, made):
                folder.mkdir(parents=True, exist_ok=True)
            pd.DataFrame({"onset": [2.0, 5, 9], "duration": 1.0, "trial_type": ["a", "b", "a"]}).to_csv(
                raw / f"{name}_events.tsv", sep="\t", index=False
            )
            data = rng.normal(100, 1, (*SHAPE, T)).astype(np.float32)
            nib.save(nib.Nifti1Image(data, AFFINE), made / f"{name}_{SPACE}_desc-preproc_bold.nii.gz")
            side = {"RepetitionTime": t_r, "StartTime": t_r / 4}
            (made / f"{name}_{SPACE}_desc-preproc_bold.json").write_text(json.dumps(side))
            inside = np.zeros(SHAPE, np.uint8)
            inside[: n + 1] = 1
            nib.save(nib.Nifti1Image(inside, AFFINE), made / f"{name}_{SPACE}_desc-brain_mask.nii.gz")
            confounds = pd.DataFrame(
                rng.normal(size=(T, 6)), columns=["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"]
            )
            confounds["framewise_displacement"] = np.r_[np.nan, np.zeros(T - 1)]
            confounds["std_dvars"] = np.r_[np.nan, np.ones(T - 1)]
            if subject == "02":
                confounds.loc[10, "framewise_displacement"] = 3.0
            confounds.to_csv(
                made / f"{name}_desc-confounds_timeseries.tsv", sep="\t", index=False, na_rep="n/a"
            )
            (made / f"{name}_desc-confounds_timeseries.json").write_text("{}")
    return tmp_path


def test_times_and_labels_are_each_subjects_own(dataset):
    models, imgs, events, confounds = first_level_from_bids(dataset, "faces", noise_model="ols")
    assert [model.subject_label for model in models] == list(T_R)
    assert [model.t_r for model in models] == list(T_R.values())
    assert all(model.slice_time_ref == pytest.approx(0.25) for model in models)
    assert all(model.noise_model == "ols" for model in models)
    assert [len(runs) for runs in imgs] == [2, 2, 2]
    for label, runs in zip(T_R, imgs, strict=True):
        assert all(f"sub-{label}_task-faces_run-{i + 1}" in run for i, run in enumerate(runs))
    assert events[2][1]["trial_type"].tolist() == ["a", "b", "a"]
    assert confounds[0][0].loc[0, "framewise_displacement"] == 0.0
    assert list(confounds[0][0].columns[:3]) == ["trans_x", "trans_y", "trans_z"]


def test_masks_of_derivatives_are_each_subjects_own(dataset):
    models = first_level_from_bids(dataset, "faces", mask_img="derivatives").models
    sizes = [int(np.asarray(model.mask_img.dataobj).sum()) for model in models]
    assert sizes == [15, 30, 45]


def test_sample_masks_of_scrubbing_are_kept_and_fit_with(dataset):
    with pytest.warns(UserWarning, match="sample_masks"):
        found = first_level_from_bids(
            dataset,
            "faces",
            confounds_strategy=("motion", "scrub"),
            confounds_motion="basic",
            confounds_scrub=0,
            mask_img="derivatives",
        )
    kept = found.sample_masks[1]
    assert all(10 not in mask and len(mask) < T for mask in kept)
    assert found.sample_masks[0] is None
    models, imgs, events, confounds = found
    model = models[1].fit(imgs[1], events[1], confounds[1], sample_masks=kept)
    assert [len(design) for design in model.design_matrices_] == [len(mask) for mask in kept]


def test_subjects_and_runs_are_chosen(dataset):
    chosen = first_level_from_bids(dataset, "faces", sub_labels=["03", "01"], img_filters=[("run", "2")])
    assert [model.subject_label for model in chosen.models] == ["03", "01"]
    assert [len(runs) for runs in chosen.imgs] == [1, 1]
    rest = first_level_from_bids(dataset, "faces", exclude_subjects=["01"], t_r=2.5, slice_time_ref=0.5)
    assert [(model.subject_label, model.t_r, model.slice_time_ref) for model in rest.models] == [
        ("02", 2.5, 0.5),
        ("03", 2.5, 0.5),
    ]


def test_the_time_between_volumes_is_looked_for_in_the_dataset_too(dataset):
    for file in (dataset / "derivatives").glob("sub-*/func/*_bold.json"):
        file.unlink()
    (dataset / "task-faces_bold.json").write_text(json.dumps({"RepetitionTime": 3.0}))
    with pytest.warns(UserWarning, match="no StartTime"):
        models = first_level_from_bids(dataset, "faces").models
    assert [(model.t_r, model.slice_time_ref) for model in models] == [(3.0, 0.0)] * 3


def test_runs_of_one_subject_that_differ_in_time_are_refused(dataset):
    file = next((dataset / "derivatives").glob("sub-02/func/*run-2*_bold.json"))
    file.write_text(json.dumps({"RepetitionTime": 1.6}))
    with pytest.raises(
        ValueError, match=r"Subject 02: runs differ in RepetitionTime, 1\.5 in .*run-1.* and 1\.6"
    ):
        first_level_from_bids(dataset, "faces")


def test_events_and_images_that_are_missing_or_too_many_are_named(dataset):
    (dataset / "sub-03" / "func" / "sub-03_task-faces_run-2_events.tsv").unlink()
    with pytest.raises(ValueError, match="Subject 03: no tables of events.*run-2"):
        first_level_from_bids(dataset, "faces")
    folder = dataset / "derivatives" / "sub-01" / "func"
    preproc = folder / f"sub-01_task-faces_run-1_{SPACE}_desc-preproc_bold.nii.gz"
    (folder / f"sub-01_task-faces_run-1_{SPACE}_desc-smooth_bold.nii.gz").write_bytes(preproc.read_bytes())
    with pytest.raises(ValueError, match="Subject 01 has several images of one run"):
        first_level_from_bids(dataset, "faces")


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        (dict(task_label=3), TypeError, "task_label must be a str"),
        (dict(task_label="task-faces"), ValueError, "task_label must be letters and digits"),
        (dict(task_label="rest"), ValueError, "Subject 01 has no run .*task-rest"),
        (dict(space_label="T1w"), ValueError, "space-T1w"),
        (dict(sub_labels="01"), TypeError, "sub_labels must be a list of str"),
        (dict(img_filters="run"), TypeError, "img_filters must be a list"),
        (dict(img_filters=[("rum", "1")]), ValueError, "'rum' is none of.*Did you mean 'run'"),
        (dict(colour=1), TypeError, "unknown keywords colour"),
        (dict(derivatives_folder="out"), FileNotFoundError, "derivatives_folder"),
        (dict(dataset_path="/nowhere"), FileNotFoundError, "dataset_path"),
    ],
    ids=[str(i) for i in range(10)],
)
def test_bad_arguments_of_datasets_are_named(dataset, arguments, error, words):
    with pytest.raises(error, match=words):
        first_level_from_bids(**{"dataset_path": dataset, "task_label": "faces", **arguments})


def test_subjects_that_are_not_there_are_told_of(dataset):
    with pytest.warns(UserWarning, match="The subjects 09 are not in"):
        found = first_level_from_bids(dataset, "faces", sub_labels=["01", "09"])
    assert len(found.models) == 1
    with pytest.raises(ValueError, match="No subject is left"), pytest.warns(match="subjects 09"):
        first_level_from_bids(dataset, "faces", sub_labels=["09"])
    assert found.models[0].t_r == 2.0
