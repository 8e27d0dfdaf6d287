"""Folders, tables and command lines that are not what they should be: told by name, never as a defect."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from small_cohort import AFFINE, SHAPE, write_atlas, write_run

from brainsieve.cli import main
from brainsieve.cohort import results

DEEP = "[" * 200_000
RUN = "sub-01_task-rest_space-MNI152NLin2009cAsym_res-4_desc-preproc_bold"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    write_run(folder / "in", n=80)
    write_atlas(folder)
    return folder


@pytest.fixture
def folder(made, tmp_path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def func(folder: Path, end: str) -> Path:
    return next((folder / "in" / "sub-01" / "func").glob(f"*{end}"))


def command(folder: Path, *options, level: str = "participant", atlas=None) -> int:
    atlas = atlas or next(folder.glob("tpl*.nii.gz"))
    arguments = [folder / "in", folder / "out", level, "--atlas", atlas, "--no-reports", *options]
    try:
        return main(["cohort", *map(str, arguments)])
    except SystemExit as stop:
        return int(stop.code)


def put(path: Path, content: str | bytes | None) -> None:
    path.unlink(missing_ok=True)
    if content is None:
        os.mkfifo(path)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def image(values: np.ndarray) -> bytes:
    return nib.Nifti1Image(values, AFFINE).to_bytes()


def table_of(folder: Path, change) -> str:
    path = func(folder, "_timeseries.tsv")
    return change(pd.read_csv(path, sep="\t", na_values="n/a")).to_csv(sep="\t", index=False, na_rep="n/a")


RUNS = {
    "text": ("hello", "no NIfTI file"),
    "nothing": ("", "0 bytes"),
    "a pipe": (None, "device, pipe"),
    "one volume": (image(np.ones((*SHAPE, 1), np.int16)), "one volume|1 volume"),
    "five axes": (image(np.ones((*SHAPE, 2, 2), np.int16)), "5-D"),
}


@pytest.mark.parametrize("kind", RUNS)
def test_a_run_that_is_none_is_not_planned_and_the_reason_is_told(folder, capsys, kind):
    content, words = RUNS[kind]
    path = func(folder, "_bold.nii.gz")
    path.unlink()
    put(path.with_suffix("") if kind in ("one volume", "five axes") else path, content)
    assert command(folder) == 1
    said = capsys.readouterr().err
    assert any(word in said for word in words.split("|")) and RUN in said and "1 not planned" in said


TABLES = {
    "shorter than the run": (lambda t: t.iloc[:30], "confounds has 30 rows"),
    "a header alone": (lambda t: t.iloc[:0], "no rows"),
    "infinite": (lambda t: t.assign(trans_x=np.inf), "'trans_x'"),
    "missing in a volume": (lambda t: t.assign(csf=t["csf"].mask(t.index == 7)), "'csf', rows 7"),
    "words": (lambda t: t.assign(trans_x="abc"), "['trans_x']"),
    "other columns": (lambda t: t[["csf"]], "lacks trans_x"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_confounds_that_cannot_be_used_are_named_by_file_and_column(folder, capsys, kind):
    change, words = TABLES[kind]
    put(func(folder, "_timeseries.tsv"), table_of(folder, change))
    assert command(folder) == 1
    said = capsys.readouterr().err
    assert words in said and "_desc-confounds_timeseries.tsv" in said


def test_what_is_missing_in_volumes_left_out_does_not_matter(folder):
    changed = table_of(folder, lambda t: t.assign(csf=t["csf"].mask(t.index < 3)))
    put(func(folder, "_timeseries.tsv"), changed)
    assert command(folder, "--dummy-scans", "3") == 0


@pytest.mark.parametrize("content", ["", b"\xff\xfe\xff", None, bytes(range(256))], ids=range(4))
def test_a_table_of_confounds_that_is_none_is_not_planned(folder, capsys, content):
    put(func(folder, "_timeseries.tsv"), content)
    assert command(folder) == 1
    assert "_desc-confounds_timeseries.tsv" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"RepetitionTime": "2"}', "RepetitionTime '2'"),
        ('{"RepetitionTime": NaN}', "RepetitionTime nan"),
        ('{"RepetitionTime": 2000}', "RepetitionTime 2000"),
        (DEEP, "no JSON"),
        ("", "no JSON"),
        (b"\xff", "no JSON"),
    ],
    ids=range(6),
)
def test_a_sidecar_without_a_time_that_can_be_is_told(folder, capsys, content, words):
    put(func(folder, "_bold.json"), content)
    assert command(folder) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("content", ["[1]", "3", '{"RepetitionTime": null}'])
def test_where_the_sidecar_tells_no_time_the_header_does(folder, content):
    put(func(folder, "_bold.json"), content)
    assert command(folder) == 0
    record = json.loads(next((folder / "out" / "sub-01" / "func").glob("*_timeseries.json")).read_text())
    assert record["RepetitionTime"] == 2.0


STRATEGIES = ["- a", "", "3", "a: [", "a: 3", "a:\n  strategy: 3", "a:\n  strategy: [nokind]", "? [a]\n: b"]


@pytest.mark.parametrize("content", [*STRATEGIES, b"\xff\xfe\xff", None, "[" * 1200], ids=range(11))
def test_strategies_that_are_none_are_named(folder, capsys, content):
    path = folder / "own.yaml"
    put(path, content)
    assert command(folder, "--strategy", path) == 1
    assert str(path) in capsys.readouterr().err and not (folder / "out").exists()


def test_yaml_runs_nothing(folder, capsys):
    path = folder / "own.yaml"
    put(path, f"!!python/object/apply:os.mkdir ['{folder / 'made'}']")
    assert command(folder, "--strategy", path) == 1
    assert "own.yaml" in capsys.readouterr().err and not (folder / "made").exists()


@pytest.mark.parametrize("name", ["a/b", "../x", "..", "a b"])
def test_a_strategy_is_no_path(folder, name):
    path = folder / "own.yaml"
    put(path, json.dumps({name: {"strategy": ["motion"], "motion": "basic"}}))
    before = {str(file) for file in folder.rglob("*")}
    code = command(folder, "--strategy", path)
    added = {str(file) for file in folder.rglob("*")} - before
    assert code in (0, 1) and all(file.startswith(str(folder / "out")) for file in added)


FILTERS = ["hello", "[1]", "", '{"bold": [1]}', b"\xff", DEEP, None, '{"bold": {"run": ' + "9" * 5000 + "}}"]


@pytest.mark.parametrize("content", FILTERS, ids=range(8))
def test_a_filter_that_is_none_is_named(folder, capsys, content):
    path = folder / "filter.json"
    put(path, content)
    assert command(folder, "--bids-filter-file", path) == 1
    assert str(path) in capsys.readouterr().err


@pytest.mark.parametrize("value", ['{"a": 1}', "3", "[1, null]", "true"])
def test_a_filter_that_leaves_no_run_is_told(folder, capsys, value):
    path = folder / "filter.json"
    put(path, f'{{"bold": {{"task": {value}}}}}')
    assert command(folder, "--bids-filter-file", path) == 1
    assert "No run is left" in capsys.readouterr().err


ATLASES = ["1 2 3", "", None, image(np.zeros(SHAPE, np.int16)), image(np.ones((*SHAPE, 2, 2)))]


@pytest.mark.parametrize("content", ATLASES, ids=range(5))
def test_an_atlas_that_is_none_is_told(folder, capsys, content):
    path = folder / ("atlas.nii" if isinstance(content, bytes) else "atlas.nii.gz")
    put(path, content)
    assert command(folder, atlas=path) == 1
    said = capsys.readouterr().err
    assert "atlas" in said and "error:" in said


def test_an_atlas_of_another_kind_is_told(folder, capsys):
    path = folder / "parcels.label.gii"
    nib.save(nib.GiftiImage(darrays=[nib.gifti.GiftiDataArray(np.arange(10, dtype=np.int32))]), path)
    assert command(folder, atlas=path) == 1
    assert "parcels.label.gii" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content", ["", '{"GeneratedBy": 3}', "[1]", DEEP, '{"GeneratedBy": [3]}', b"\xff"], ids=range(6)
)
def test_a_folder_of_others_is_refused_whatever_lies_there(folder, capsys, content):
    (folder / "out").mkdir()
    put(folder / "out" / "dataset_description.json", content)
    assert command(folder) == 1
    assert "did not make" in capsys.readouterr().err
    assert len(list((folder / "out").iterdir())) == 1


def test_folders_that_are_files_or_not_there_are_told(folder, capsys):
    put(folder / "out", "x")
    assert command(folder) == 1
    assert str(folder / "out") in capsys.readouterr().err
    for option in ("--work-dir", "--atlases-dir"):
        for wrong in (folder / "nowhere", folder / "out"):
            assert command(folder, option, wrong) == 1
            assert str(wrong) in capsys.readouterr().err


WRONG = {
    "--dummy-scans": ["-1", "x", "1.5"],
    "--fd-thresh": ["-1", "nan"],
    "--min-time": ["-1"],
    "--high-pass": ["-1", "nan"],
    "--bpf-order": ["0"],
    "--smoothing": ["-1", "inf"],
    "--radius": ["0"],
    "--min-coverage": ["2"],
    "--nprocs": ["0"],
    "--mem-mb": ["-5", "0"],
    "--omp-nthreads": ["0"],
    "--shard": ["3/2", "0/0", "x"],
}


@pytest.mark.parametrize(("option", "value"), [(o, v) for o, values in WRONG.items() for v in values])
def test_a_value_that_an_option_does_not_have_is_a_wrong_command_line(folder, capsys, option, value):
    assert command(folder, option, value) == 2
    said = capsys.readouterr().err
    assert option in said and not (folder / "out").exists()


def test_messages_name_options_that_the_command_has(folder, capsys):
    put(next(folder.glob("*_dseg.tsv")), "a\tb\n1\t2\n")
    assert command(folder, "--high-pass", "0.2", "--low-pass", "0.1") == 1
    assert "--high-pass 0.2 must be lower than --low-pass 0.1" in capsys.readouterr().err
    assert command(folder) == 1
    said = capsys.readouterr().err
    assert "no column 'index'" in said and "--labels" not in said


def test_a_filter_of_an_order_that_numbers_do_not_hold_is_told(folder, capsys):
    assert command(folder, "--bpf-order", "99999") == 1
    assert "butterworth__order=99999 is too high" in capsys.readouterr().err


# -- results that were damaged since -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def done(made):
    assert command(made) == 0
    return made


@pytest.mark.parametrize("end", ["_qc.tsv", "_relmat.tsv"])
@pytest.mark.parametrize("content", ["", "hello", "[1]", bytes(range(256)), DEEP, "half", None], ids=range(7))
def test_a_damaged_result_is_named_by_the_group_and_made_again(done, tmp_path, capsys, end, content):
    shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    path = next((tmp_path / "out" / "sub-01" / "func").glob(f"*{end}"))
    whole = path.read_bytes()
    put(path, whole[: len(whole) // 2] if content == "half" else content)
    code = command(tmp_path, level="group")
    said = capsys.readouterr().err
    if content is None:
        # No regular file: as if it were not there.
        assert code in (0, 1)
        return
    assert code == 1 and path.name in said
    assert command(tmp_path) == 0
    assert path.read_bytes() == whole


def test_results_are_read_with_their_numbers(tmp_path):
    path = tmp_path / "m.tsv"
    path.write_text("Node\ta\tNA\na\t1\tn/a\nNA\t0.5\t1\n")
    matrix = results.read_matrix(path)
    np.testing.assert_array_equal(matrix, [[1, np.nan], [0.5, 1]])
    path.write_text("Node\ta\tb\na\t1\tx\nb\t0.5\t1\n")
    with pytest.raises(ValueError, match="m.tsv cannot be read as a matrix"):
        results.read_matrix(path)
    path.write_text("fd_mean\tother\nn/a\t3\n")
    assert np.isnan(results.read_figures(path, ["fd_mean"])["fd_mean"])
    with pytest.raises(ValueError, match="m.tsv lacks gone"):
        results.read_figures(path, ["gone"])
