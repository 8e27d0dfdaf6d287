"""BIDS datasets searched by name, and FSL's design matrices."""

from __future__ import annotations

import subprocess
import sys

import nilearn.interfaces.bids
import numpy as np
import pytest
from nilearn.interfaces.fsl import get_design_from_fslmat as peers_design

from brainsieve.interfaces.bids import get_bids_files, parse_bids_filename
from brainsieve.interfaces.fsl import get_design_from_fslmat

FILES = [
    "dataset_description.json",
    "task-rest_bold.json",
    "sub-01/anat/sub-01_T1w.nii.gz",
    "sub-01/func/sub-01_task-rest_run-1_bold.nii.gz",
    "sub-01/func/sub-01_task-rest_run-1_bold.json",
    "sub-01/func/sub-01_task-rest_run-2_space-MNI_bold.nii.gz",
    "sub-02/func/sub-02_task-eat_bold.nii.gz",
    "sub-02/func/sub-02_task-eat_boldref.nii.gz",
    "sub-02/func/sub-02_task-eat_hemi-L_bold.func.gii",
    "sub-02/func/notes.txt",
    "derivatives/other/sub-01/func/sub-01_task-rest_bold.nii.gz",
]
WITH_SESSIONS = [
    "sub-03/ses-1/func/sub-03_ses-1_task-rest_bold.nii.gz",
    "sub-03/ses-1/anat/sub-03_ses-1_T1w.nii",
]


def made(tmp_path, names):
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"file_tag": "bold"},
        {"file_tag": "bold", "file_type": "nii*"},
        {"file_type": "nii.gz"},
        {"sub_label": "02"},
        {"modality_folder": "anat"},
        {"filters": [("task", "rest")]},
        {"filters": [("task", "rest"), ("run", "1")]},
        {"filters": [("space", "")], "file_tag": "bold"},
        {"filters": [("nothing", "1")]},
        {"sub_folder": False},
        {"sub_folder": False, "file_tag": "bold"},
        {"sub_label": "9"},
    ],
    ids=str,
)
def test_files_are_found_as_by_the_peer(tmp_path, question):
    root = made(tmp_path, FILES)
    expected = nilearn.interfaces.bids.get_bids_files(str(root), **question)
    assert get_bids_files(root, **question) == sorted(expected)


def test_subjects_with_and_without_sessions_are_both_found(tmp_path):
    root = made(tmp_path, FILES + WITH_SESSIONS)
    found = get_bids_files(root, file_tag="bold", file_type="nii.gz", filters=[("task", "rest")])
    assert [path[len(str(root)) + 1 :][:6] for path in found] == ["sub-01", "sub-01", "sub-03"]


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"file_tag": 3}, TypeError, "file_tag must be a str"),
        ({"sub_label": ["01"]}, TypeError, "sub_label must be a str"),
        ({"filters": ("task", "rest")}, TypeError, "list of .entity, value."),
        ({"filters": {"task": "rest"}}, TypeError, "list of .entity, value."),
    ],
    ids=str,
)
def test_wrong_questions_are_named(tmp_path, options, error, words):
    with pytest.raises(error, match=words):
        get_bids_files(tmp_path, **options)


def test_a_dataset_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="main_path: .*nowhere"):
        get_bids_files(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "name",
    [
        "/data/sub-01_T1w.nii",
        "sub-01_desc-preproc_bold.func.gii",
        "notes.txt",
        "sub-01_odd_bold.nii.gz",
        "sub-01_a-b-c_bold.nii.gz",
        "sub-01_x-_bold.nii",
        "sub-01_sub-02_bold.nii",
    ],
)
def test_odd_names_are_taken_apart_as_by_the_peer(name):
    assert parse_bids_filename(name) == nilearn.interfaces.bids.parse_bids_filename(name)


def test_what_is_no_name_is_refused():
    with pytest.raises(ValueError, match="'nothing' has no extension"):
        parse_bids_filename("nothing")
    with pytest.raises(TypeError, match="img_path must be a path"):
        parse_bids_filename(3)


DESIGN = "/NumWaves\t2\n/NumPoints\t3\n/PPheights\t\t1 2\n\n/Matrix\n1.0e+00\t2\t\n3\t4\t\n5\t6.5\t\n"


@pytest.mark.parametrize("names", [None, ["ev1", "ev2"]])
def test_a_design_is_read_as_by_the_peer(tmp_path, names):
    path = tmp_path / "design.mat"
    path.write_text(DESIGN)
    expected = peers_design(str(path), column_names=names)
    design = get_design_from_fslmat(path, column_names=names)
    np.testing.assert_array_equal(design.to_numpy(), expected.to_numpy())
    assert list(design.columns) == list(expected.columns)


@pytest.mark.parametrize(
    "content, words",
    [
        ("", "is empty: it has 0 bytes"),
        (DESIGN.replace("/Matrix", "/Other"), "no line /Matrix"),
        (DESIGN.split("/Matrix")[0] + "/Matrix\n", "nothing after /Matrix"),
        (DESIGN.replace("5\t6.5", "5"), r"rows of \[1, 2\] numbers"),
        (DESIGN.replace("5\t6.5", "five\t6"), "not a number.*five"),
        (DESIGN.replace("5\t6.5\t\n", ""), "promises 3 rows .*; 2 were found"),
        (DESIGN.replace("NumWaves\t2", "NumWaves\t4"), "promises 4 columns .*; 2 were found"),
    ],
)
def test_broken_designs_are_named(tmp_path, content, words):
    path = tmp_path / "design.mat"
    path.write_text(content)
    with pytest.raises(ValueError, match=words) as error:
        get_design_from_fslmat(path)
    assert "design.mat" in str(error.value)


def test_names_that_do_not_fit_are_counted(tmp_path):
    path = tmp_path / "design.mat"
    path.write_text(DESIGN)
    with pytest.raises(ValueError, match="column_names has 1 names.*2 columns"):
        get_design_from_fslmat(path, column_names=["a"])


def test_the_package_gives_its_modules():
    code = (
        "import brainsieve.interfaces as i; i.fmriprep.load_confounds, i.bids.get_bids_files, "
        "i.fsl.get_design_from_fslmat; assert i.__all__ == ['bids', 'fmriprep', 'fsl']"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_missing_designs_are_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"design\.mat"):
        get_design_from_fslmat(tmp_path / "design.mat")
