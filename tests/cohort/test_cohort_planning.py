"""Plans: which runs, what they need, and what is wrong, before any work."""

from __future__ import annotations

import json

import pytest
from small_cohort import SPACE, write_atlas, write_cohort, write_run

from brainsieve import cohort
from brainsieve.cohort.names import file_name, label, output_path
from brainsieve.cohort.strategies import NAMED, read_strategies
from brainsieve.interfaces.fmriprep.confounds import checked_settings


@pytest.fixture
def folder(tmp_path):
    write_cohort(tmp_path / "in", 2)
    return tmp_path


def planned(folder, *strategies, atlas=None, **options):
    atlas = atlas or write_atlas(folder)
    return cohort.plan(folder / "in", folder / "out", [atlas], list(strategies) or "simple", **options)


def test_a_plan_has_a_row_for_a_run_and_a_strategy_and_writes_nothing(folder):
    before = sorted(folder.rglob("*"))
    atlas = write_atlas(folder)
    made = planned(folder, "simple", "36P", atlas=atlas)
    assert list(made["strategy"]) == ["simple", "36P"] * 2
    assert list(made["subject"]) == ["01", "01", "02", "02"]
    assert set(made["n_volumes"]) == {200} and set(made["t_r"]) == {2.0}
    assert not made["problems"].map(len).any() and not made["done"].any()
    assert set(folder.rglob("*")) - set(before) == {
        atlas,
        atlas.with_name(f"tpl-{SPACE}_atlas-Boxes_dseg.tsv"),
    }


def test_names_have_their_entities_in_the_order_of_bids():
    run = {"sub": "01", "ses": "a", "task": "rest", "space": "S", "res": "2", "desc": "preproc", "hemi": "L"}
    atlas = {"atlas": "X", "seg": "7n", "scale": "100"}
    assert output_path("series", run, atlas, "scrubbing.5+gsr") == (
        "sub-01/ses-a/func/sub-01_ses-a_task-rest_space-S_atlas-X_seg-7n_scale-100_res-2_stat-mean"
        "_desc-scrubbing5+gsr_timeseries.tsv"
    )
    assert output_path("quality", run).endswith("_space-S_res-2_desc-brainsieve_qc.tsv")
    assert file_name({"desc": "x", "own": "1", "sub": "2"}, "bold", ".nii") == "sub-2_own-1_desc-x_bold.nii"
    assert label("a b-c_d.e+f") == "abcde+f"


def test_filters_choose_runs_and_say_which_one_removed_the_last(folder):
    write_run(folder / "in", "03", session="b", task="nback")
    atlas = write_atlas(folder)
    assert set(planned(folder, atlas=atlas, participant_label=["sub-01", "2"])["subject"]) == {"01", "02"}
    assert set(planned(folder, atlas=atlas, session_id="ses-b")["task"]) == {"nback"}
    assert set(planned(folder, atlas=atlas, bids_filter={"task": "rest"})["subject"]) == {"01", "02"}
    with pytest.raises(ValueError, match=r"of 1: task_id rest removed the last; task- of these runs: nback"):
        planned(folder, atlas=atlas, participant_label="03", task_id="rest")


def test_a_folder_that_is_none_of_bids_is_told(tmp_path):
    atlas = write_atlas(tmp_path)
    (tmp_path / "in").mkdir()
    with pytest.raises(ValueError, match=r"not a BIDS folder: no folder sub-\*"):
        planned(tmp_path, atlas=atlas)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        cohort.plan(tmp_path / "nowhere", tmp_path / "out", [atlas])


def test_what_a_strategy_lacks_and_what_is_damaged_is_found_while_planning(folder):
    damaged = next((folder / "in/sub-02").rglob("*bold.nii.gz"))
    damaged.write_bytes(damaged.read_bytes()[:20])
    table = next((folder / "in/sub-01").rglob("*timeseries.tsv"))
    table.write_text(table.read_text().replace("csf_power2", "other"))
    problems = planned(folder, "simple", "36P").set_index(["subject", "strategy"])["problems"]
    assert problems["01", "simple"] == []
    assert "csf_power2" in problems["01", "36P"][0] and "timeseries.tsv" in problems["01", "36P"][0]
    assert all(damaged.name in problem for problem in problems["02", "simple"][:1])


def test_missing_confounds_are_a_problem_of_all_strategies_but_none(folder):
    next((folder / "in/sub-01").rglob("*timeseries.tsv")).unlink()
    problems = planned(folder, "simple", "none").set_index(["subject", "strategy"])["problems"]
    assert "desc-confounds_timeseries.tsv" in problems["01", "simple"][0]
    assert problems["01", "none"] == []


def test_an_atlas_of_another_space_is_refused_unless_resample_is_asked_for(folder):
    atlas = write_atlas(folder, space="MNI152NLin6Asym")
    assert "MNI152NLin6Asym" in planned(folder, atlas=atlas)["problems"][0][0]
    assert planned(folder, atlas=atlas, resample=True)["problems"][0] == []


def test_a_time_that_nobody_believes_is_a_problem_where_a_filter_needs_it(folder):
    for path in (folder / "in").rglob("*bold.json"):
        path.write_text(json.dumps({"RepetitionTime": 2000}))
    assert "RepetitionTime 2000" in planned(folder)["problems"][0][0]


def test_sidecar_and_header_that_differ_are_a_problem(folder):
    for path in (folder / "in").rglob("*bold.json"):
        path.write_text(json.dumps({"RepetitionTime": 0.72}))
    assert "0.72 s" in planned(folder)["problems"][0][0]


@pytest.mark.parametrize("name", sorted(NAMED))
def test_strategies_known_by_name_are_what_load_confounds_takes(name):
    checked_settings(**NAMED[name])


def test_strategies_of_a_yaml_file(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("mine:\n  strategy: [motion, scrub]\n  motion: basic\n  fd_threshold: 0.3\n")
    (one,) = read_strategies(path)
    assert (one.name, one.confounds["strategy"], one.confounds["fd_threshold"]) == (
        "mine",
        ("motion", "scrub"),
        0.3,
    )
    path.write_text("mine:\n  strategy: [motion]\n  motoin: basic\n")
    with pytest.raises(ValueError, match=r"own.yaml: 'mine' has unknown keys \['motoin'\]"):
        read_strategies(path)
    path.write_text("mine:\n  strategy: [motion]\n  motion: baisc\n")
    with pytest.raises(ValueError, match=r"own.yaml: 'mine': motion must be one of"):
        read_strategies(path)


def test_strategies_that_would_write_one_file_are_refused():
    with pytest.raises(ValueError, match=r"scrubbing.5.*scrubbing5"):
        from brainsieve.cohort.strategies import Strategy

        read_strategies(["scrubbing.5", Strategy("scrubbing5", NAMED["simple"])])


def test_an_unknown_strategy_is_told_with_those_that_are_known():
    with pytest.raises(ValueError, match=r"'36p' is not known; known are .*36P"):
        read_strategies("36p")


def test_runs_that_would_write_one_file_are_refused(folder):
    path = next((folder / "in/sub-01").rglob("*bold.nii.gz"))
    path.with_name(path.name.removesuffix(".gz")).write_bytes(
        __import__("gzip").decompress(path.read_bytes())
    )
    with pytest.raises(ValueError, match="would both write sub-01/func"):
        planned(folder)


def test_results_do_not_go_into_the_folder_of_inputs(folder):
    atlas = write_atlas(folder)
    with pytest.raises(ValueError, match="out_dir must be another folder than bids_dir"):
        cohort.plan(folder / "in", folder / "in", [atlas])


def test_atlases_are_files_or_told_missing(folder):
    with pytest.raises(FileNotFoundError, match=r"atlases: there is no file 'nowhere.nii.gz'"):
        cohort.plan(folder / "in", folder / "out", ["nowhere.nii.gz"])
    with pytest.raises(ValueError, match="would write the same files"):
        atlas = write_atlas(folder)
        cohort.plan(folder / "in", folder / "out", [atlas, atlas])
