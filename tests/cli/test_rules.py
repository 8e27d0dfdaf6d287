"""What the command line refuses, tells and keeps: repeated options, files of others, times, spaces, interrupts."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import small_cifti

from brainsieve.cli import console
from brainsieve.cli.arguments import parser
from brainsieve.cli.console import in_options
from brainsieve.datasets import load_demo_run

RUN = load_demo_run()
BOLD = nibabel.load(RUN.bold)


def read(path):
    return pd.read_csv(path, sep="\t")


def names(folder):
    return sorted(os.listdir(folder))


# -- options ---------------------------------------------------------------------------------------------


def test_columns_of_several_options_are_all_used(tmp_path, extract):
    confounds = ("--confounds", RUN.confounds)
    extract(*confounds, "--confounds-columns", "csf,white_matter", "-o", tmp_path / "one.tsv")
    extract(
        *confounds, *("--confounds-columns", "csf"), *("--confounds-columns", "white_matter"),
        "-o", tmp_path / "two.tsv",
    )  # fmt: skip
    assert (tmp_path / "one.tsv").read_text() == (tmp_path / "two.tsv").read_text()
    assert json.loads((tmp_path / "two.json").read_text())["confounds_columns"] == ["csf", "white_matter"]


def test_a_column_whose_name_has_a_comma_can_be_named(tmp_path, extract):
    table = read(RUN.confounds)[["csf", "white_matter"]].set_axis(["a,b", "c"], axis=1)
    table.to_csv(tmp_path / "confounds.tsv", sep="\t", index=False)
    code = extract(
        *("--confounds", tmp_path / "confounds.tsv", "--confounds-columns", "a,b", "-o", tmp_path / "out.tsv")
    )
    assert code == 0
    assert json.loads((tmp_path / "out.json").read_text())["confounds_columns"] == ["a,b"]


LISTS = {"--atlas", "--labels", "--seeds", "--confounds", "--confounds-columns", "--sample-mask"}


def all_options(command):
    actions = parser()._subparsers._group_actions[0].choices[command]._actions
    return [action for action in actions if action.option_strings and action.dest != "help"]


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (command, action.option_strings[-1 if number == 0 else 0])
        for command in ("extract", "demo")
        for action in all_options(command)
        for number in range(2)
        if not set(action.option_strings) & LISTS
    ],
)
def test_any_option_that_is_no_list_is_refused_when_repeated(command, option, capsys):
    action = next(each for each in all_options(command) if option in each.option_strings)
    value = [] if action.nargs == 0 else [next(iter(action.choices or ["0.5"]))]
    words = ["run.nii", "--atlas", "a.nii"] if command == "extract" else []
    with pytest.raises(SystemExit) as stop:
        parser().parse_args([command, *words, "-o", "x.tsv", option, *value, option, *value])
    assert stop.value.code == 2
    assert "given twice" in capsys.readouterr().err


def test_a_switch_and_its_opposite_are_refused_together(capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["extract", "r", "-o", "x.tsv", "--detrend", "--no-detrend"])
    assert "given twice" in capsys.readouterr().err


def test_an_option_cut_short_is_unknown(capsys):
    with pytest.raises(SystemExit) as stop:
        parser().parse_args(["extract", "r", "-o", "x.tsv", "--stand"])
    assert stop.value.code == 2


def test_usage_shows_what_is_required(capsys):
    with pytest.raises(SystemExit) as stop:
        parser().parse_args(["extract"])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert "RUN" in said
    assert "(--atlas ATLAS | --seeds COORDS | --voxels)" in said
    assert "-o OUT" in said


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("high_pass=0.1 is above low_pass=0.05", "--high-pass 0.1 is above --low-pass 0.05"),
        ("Pass allow_overlap=True or less", "Pass --allow-overlap or less"),
        ("allow_overlap is False, but", "--allow-overlap is not given, but"),
        ("sample_mask keeps none", "--sample-mask keeps none"),
        (
            "'high_pass' of /data/high_pass/t_r.nii and lut.tsv",
            "'high_pass' of /data/high_pass/t_r.nii and lut.tsv",
        ),
    ],
)
def test_messages_name_options_and_leave_names_of_files(message, told):
    assert in_options(message) == told


def test_every_option_that_messages_name_exists():
    known = {string for action in all_options("extract") for string in action.option_strings}
    assert set(console.OPTIONS.values()) <= known


# -- files of others -------------------------------------------------------------------------------------


def test_each_table_has_a_record_of_its_own(tmp_path, extract):
    assert extract("-o", tmp_path / "col.tsv") == 0
    assert extract("--standardize", "-o", tmp_path / "col.csv") == 0
    assert extract("--detrend", "-o", tmp_path / "col.parquet") == 0
    expected = ["col.csv", "col.csv.json", "col.json", "col.parquet", "col.parquet.json", "col.tsv"]
    assert names(tmp_path) == expected
    for record, table, options in (
        ("col.json", "col.tsv", {}),
        ("col.csv.json", "col.csv", {"standardize": "zscore_sample"}),
        ("col.parquet.json", "col.parquet", {"detrend": True}),
    ):
        made = json.loads((tmp_path / record).read_text())
        content = (tmp_path / table).read_bytes()
        assert made["output"] == {
            "name": table,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        assert {name: made["parameters"][name] for name in options} == options


@pytest.mark.parametrize(
    "name", ["out.tsv", "out.csv", "out.parquet", "out.json", "page.html", "out.csv.json"]
)
def test_a_file_of_someone_else_is_replaced_only_when_asked(tmp_path, extract, error, name):
    (tmp_path / name).write_text("mine")
    main = tmp_path / ("out.csv" if "csv" in name else name if name.startswith("out.p") else "out.tsv")
    page = ("--report", tmp_path / "page.html") if name == "page.html" else ()
    assert extract(*page, "-o", main) == 1
    line = error()
    assert name in line
    assert "--overwrite" in line
    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "mine"
    assert extract(*page, "-o", main, "--overwrite") == 0
    assert (tmp_path / name).read_text(errors="replace") != "mine"


def test_own_output_is_replaced_unless_it_was_changed_since(tmp_path, extract, error):
    arguments = ("--report", tmp_path / "page.html", "-o", tmp_path / "out.tsv")
    assert extract(*arguments) == 0
    assert extract("--detrend", *arguments) == 0
    for changed in (tmp_path / "out.tsv", tmp_path / "page.html"):
        before = changed.read_bytes()
        changed.write_bytes(before + b"a note\n")
        capsys_line = extract("--standardize", *arguments)
        assert capsys_line == 1
        assert "has changed since this command wrote it" in error()
        assert changed.read_bytes() == before + b"a note\n"
        changed.write_bytes(before)
    assert extract("--standardize", *arguments) == 0


def test_a_table_renamed_over_ours_is_not_ours(tmp_path, extract, error):
    assert extract("-o", tmp_path / "out.tsv") == 0
    shutil.copy(RUN.confounds, tmp_path / "out.tsv")
    assert extract("-o", tmp_path / "out.tsv") == 1
    assert "has changed since" in error()


def test_a_record_of_json_that_goes_too_deep_is_not_ours(tmp_path, extract, error):
    (tmp_path / "out.json").write_text("[" * 100_000)
    assert extract("-o", tmp_path / "out.tsv") == 1
    assert "it is not ours" in error()


@pytest.mark.parametrize("option", ["atlas", "labels", "mask", "confounds", "sample-mask", "seeds", "run"])
@pytest.mark.parametrize("how", ["same", "relative", "link", "hard link"])
def test_no_input_is_ever_overwritten(tmp_path, extract, error, monkeypatch, option, how):
    source = {
        "atlas": RUN.atlas, "labels": RUN.lut, "mask": RUN.mask, "confounds": RUN.confounds, "run": RUN.bold,
    }.get(option)  # fmt: skip
    given = tmp_path / "in.tsv"
    if option == "sample-mask":
        given.write_text("3\n4\n5\n6\n")
    elif option == "seeds":
        given.write_text("x\ty\tz\n0\t0\t0\n")
    else:
        given.write_bytes(Path(source).read_bytes())
    before = given.read_bytes()
    output = {"same": given, "relative": Path("in.tsv"), "link": tmp_path / "to.tsv"}.get(
        how, tmp_path / "hard.tsv"
    )
    monkeypatch.chdir(tmp_path)
    if how == "link":
        output.symlink_to(given)
    elif how == "hard link":
        os.link(given, output)
    run = given if option == "run" else RUN.bold
    atlas = {"atlas": given, "seeds": None}.get(option, RUN.atlas)
    extra = [] if option in ("run", "atlas") else [f"--{option}", given]
    assert extract(*extra, "--overwrite", "-o", output, run=run, atlas=atlas) == 1
    assert "is one of the inputs" in error()
    assert given.read_bytes() == before


def test_a_page_over_an_input_is_refused(tmp_path, extract, error):
    (tmp_path / "lut.html").write_bytes(RUN.lut.read_bytes())
    code = extract(
        *("--labels", tmp_path / "lut.html", "--report", tmp_path / "lut.html", "-o", tmp_path / "out.tsv")
    )
    assert code == 1
    assert "--report: " in (line := error()) and "is one of the inputs" in line


def test_the_other_hemisphere_is_an_input_too(tmp_path, extract, error):
    import surfaces

    for part, side in (("left", "L"), ("right", "R")):
        shutil.copy(surfaces.run_file(part), tmp_path / f"run_hemi-{side}.func.gii")
    (tmp_path / "out.tsv").symlink_to(tmp_path / "run_hemi-R.func.gii")
    code = extract("-o", tmp_path / "out.tsv", run=tmp_path / "run_hemi-L.func.gii", atlas=RUN.atlas)
    assert code == 1
    assert "is one of the inputs" in error()


def test_the_file_of_volumes_is_in_the_record(tmp_path, extract):
    (tmp_path / "keep.txt").write_text("\n".join(map(str, range(5, 60))))
    assert extract("--sample-mask", tmp_path / "keep.txt", "-o", tmp_path / "out.tsv") == 0
    made = json.loads((tmp_path / "out.json").read_text())["inputs"]["sample-mask"]
    assert made[0]["sha256"] == hashlib.sha256((tmp_path / "keep.txt").read_bytes()).hexdigest()


def test_a_long_list_of_volumes_is_no_name_of_a_file(tmp_path, extract):
    kept = [number for number in range(82) if number % 7]
    listed = ",".join(f"{number}:{number + 1}" for number in kept)
    assert len(listed) > 255
    assert extract("--sample-mask", listed, "-o", tmp_path / "out.tsv") == 0
    labels = nibabel.load(RUN.atlas).get_fdata()
    expected = BOLD.get_fdata()[labels == 1].mean(axis=0)[kept]
    np.testing.assert_allclose(read(tmp_path / "out.tsv")["1"], expected, rtol=1e-6)


# -- what is likely meant --------------------------------------------------------------------------------


def test_a_run_as_its_own_atlas_is_refused(tmp_path, extract, error):
    (tmp_path / "link.nii.gz").symlink_to(RUN.bold)
    assert extract("-o", tmp_path / "out.tsv", atlas=tmp_path / "link.nii.gz") == 1
    line = error()
    assert "is the run itself" in line
    assert "parcellation" in line


def test_a_run_that_is_compressed_is_pointed_to(tmp_path, extract, error):
    shutil.copy(RUN.bold, tmp_path / "bold.nii.gz")
    assert extract("-o", tmp_path / "out.tsv", run=tmp_path / "bold.nii") == 1
    line = error()
    assert line.startswith("brainsieve: error: RUN: there is no file")
    assert "'bold.nii.gz' is there" in line


@pytest.mark.parametrize("option", ["--labels", "--mask", "--confounds"])
def test_a_folder_is_no_file(tmp_path, extract, error, option):
    assert extract(option, tmp_path, "-o", tmp_path / "out.tsv") == 1
    line = error()
    assert option in line
    assert "is a folder" in line


@pytest.mark.parametrize("option", ["--labels", "--confounds", "--sample-mask", "--atlas", "RUN"])
def test_a_pipe_is_no_file(tmp_path, extract, error, option):
    os.mkfifo(tmp_path / "pipe.tsv")
    replaced = {"RUN": "run", "--atlas": "atlas"}
    files = {replaced[option]: tmp_path / "pipe.tsv"} if option in replaced else {}
    words = [] if files else [option, tmp_path / "pipe.tsv"]
    assert extract(*words, "-o", tmp_path / "out.tsv", **files) == 1
    line = error()
    assert option in line
    assert "pipe" in line


def test_files_of_two_spaces_are_told(tmp_path, extract, capsys):
    for name, file in (
        ("sub-1_space-MNI152NLin2009cAsym_bold.nii.gz", RUN.bold),
        ("atlas_space-MNI152NLin6Asym_dseg.nii.gz", RUN.atlas),
        ("atlas_space-MNI152NLin2009cAsym_dseg.nii.gz", RUN.atlas),
    ):
        shutil.copy(file, tmp_path / name)
    run = tmp_path / "sub-1_space-MNI152NLin2009cAsym_bold.nii.gz"
    for space, told in (("MNI152NLin6Asym", True), ("MNI152NLin2009cAsym", False)):
        atlas = tmp_path / f"atlas_space-{space}_dseg.nii.gz"
        assert extract("-o", tmp_path / "out.tsv", run=run, atlas=atlas) == 0
        assert (
            "is in the space MNI152NLin6Asym, the run in MNI152NLin2009cAsym" in capsys.readouterr().err
        ) == told
        warned = json.loads((tmp_path / "out.json").read_text())["warnings"]
        assert bool(warned) == told


def test_a_compressed_cifti_file_gets_advice_that_fits_it(tmp_path, extract, error):
    import gzip

    run = small_cifti.series(tmp_path)
    packed = tmp_path / "run.dtseries.nii.gz"
    packed.write_bytes(gzip.compress(run.read_bytes()))
    assert extract("-o", tmp_path / "out.tsv", run=packed, atlas=small_cifti.atlas(tmp_path)) == 1
    line = error()
    assert "gunzip" in line
    assert "asker" not in line


# -- time ------------------------------------------------------------------------------------------------


@pytest.fixture
def timed(tmp_path):
    """Writes the demo's run with another time between volumes."""

    def write(step, unit, sidecar=None):
        header = BOLD.header.copy()
        header.set_zooms((8, 8, 8, step))
        header.set_xyzt_units("mm", unit)
        nibabel.Nifti1Image(np.asanyarray(BOLD.dataobj), BOLD.affine, header).to_filename(
            tmp_path / "run.nii"
        )
        if sidecar is not None:
            (tmp_path / "run.json").write_text(sidecar)
        return tmp_path / "run.nii"

    return write


@pytest.mark.parametrize(
    ("step", "unit"), [(2000, "sec"), (2.2, None), (1, None), (0.001, "sec"), (100, "sec")]
)
def test_a_time_that_no_scan_has_stops_a_filter(tmp_path, extract, error, timed, step, unit):
    run = timed(step, unit)
    assert extract("--high-pass", 0.01, "-o", tmp_path / "out.tsv", run=run) == 1
    assert "give --t-r in seconds" in error()
    assert extract("--high-pass", 0.01, "--t-r", 2.2, "-o", tmp_path / "out.tsv", run=run) == 0
    assert extract("-o", tmp_path / "out.tsv", run=run) == 0


@pytest.mark.parametrize(("step", "unit"), [(2.2, "sec"), (2200, "msec"), (2_200_000, "usec")])
def test_units_of_the_header_count(tmp_path, extract, timed, step, unit):
    assert extract("--high-pass", 0.02, "-o", tmp_path / "out.tsv", run=timed(step, unit)) == 0
    assert json.loads((tmp_path / "out.json").read_text())["run"]["t_r"] == pytest.approx(2.2)
    assert extract("--high-pass", 0.02, "-o", tmp_path / "as.tsv") == 0
    np.testing.assert_allclose(read(tmp_path / "out.tsv"), read(tmp_path / "as.tsv"), atol=1e-6)


@pytest.mark.parametrize("given", [2200, 2_200_000])
@pytest.mark.parametrize("says", ["header", ".json"])
def test_milliseconds_beside_seconds_are_an_error(tmp_path, extract, error, timed, given, says):
    run = timed(2.2, "sec") if says == "header" else timed(0, None, '{"RepetitionTime": 2.2}')
    assert extract("--high-pass", 0.01, "--t-r", given, "-o", tmp_path / "out.tsv", run=run) == 1
    line = error()
    assert f"the {says} of run.nii says 2.2 s; give --t-r 2.2" in line


@pytest.mark.parametrize(
    ("header", "sidecar", "given", "told"),
    [
        (2.2, 2.0, None, "the header has 2.2 s between volumes, the .json beside it 2 s"),
        (2.2, 2.2001, None, None),
        (2.2, None, 2.0, "--t-r 2 s is used; the header of run.nii says 2.2 s"),
        (2.2, 3.0, 2.2, None),
        (2.2, None, None, None),
    ],
)
def test_disagreement_about_time_is_told(tmp_path, extract, timed, capsys, header, sidecar, given, told):
    run = timed(header, "sec", None if sidecar is None else json.dumps({"RepetitionTime": sidecar}))
    option = [] if given is None else ["--t-r", given]
    assert extract("--low-pass", 0.1, *option, "-o", tmp_path / "out.tsv", "--overwrite", run=run) == 0
    warned = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning:")]
    assert [told in line for line in warned] == ([] if told is None else [True])


@pytest.mark.parametrize(
    "content", ["[", "[1]", '{"RepetitionTime": "2"}', '{"RepetitionTime": NaN}', "[" * 99_999]
)
def test_a_sidecar_that_says_nothing_is_no_time(tmp_path, extract, timed, content):
    run = timed(2.2, "sec", content)
    assert extract("--low-pass", 0.1, "-o", tmp_path / "out.csv", run=run) == 0


def test_what_the_sidecar_says_is_offered(tmp_path, extract, timed, error):
    run = timed(1, None, '{"RepetitionTime": 2.2}')
    assert extract("--low-pass", 0.1, "-o", tmp_path / "out.csv", run=run) == 1
    assert "the run's .json says 2.2" in error()


# -- interrupts and full disks ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["put_table", "json_bytes"])
def test_an_interrupt_between_two_tables_leaves_the_old_state(tmp_path, extract, error, monkeypatch, name):
    (tmp_path / "seeds.tsv").write_text("x\ty\tz\n0\t-20\t20\n")
    arguments = ("--seeds", tmp_path / "seeds.tsv", "-o", tmp_path / "out.tsv")
    assert extract(*arguments) == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    from brainsieve.cli import extract as module

    real, calls = getattr(module, name), []

    def second_is_interrupted(*words, **named):
        calls.append(words)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*words, **named)

    monkeypatch.setattr(module, name, second_is_interrupted)
    assert extract("--detrend", *arguments) == 130
    assert "nothing was written" in error()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_interrupt_after_the_first_run_says_what_stands(tmp_path, command, error, monkeypatch):
    from brainsieve.cli import extract as module

    shutil.copy(RUN.bold, tmp_path / "one.nii.gz")
    shutil.copy(RUN.bold, tmp_path / "two.nii.gz")
    real, calls = module.run_maskers, []

    def second_is_interrupted(*words, **named):
        calls.append(words)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*words, **named)

    monkeypatch.setattr(module, "run_maskers", second_is_interrupted)
    runs = (tmp_path / "one.nii.gz", tmp_path / "two.nii.gz")
    assert command("extract", *runs, "--atlas", RUN.atlas, "-o", tmp_path / "t") == 130
    line = error()
    assert "one_atlas-" in line
    assert "were written before, nothing else" in line
    assert {name.split("_")[0] for name in names(tmp_path / "t")} == {"one"}


SMALL_DISK = """
import resource, sys
from brainsieve.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="limits of sizes are POSIX's")
@pytest.mark.parametrize("suffix", ["tsv", "csv", "parquet"])
def test_a_full_disk_leaves_the_old_pair(tmp_path, extract, suffix):
    out = tmp_path / f"out.{suffix}"
    assert extract("-o", out) == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    command = [
        sys.executable,
        "-c",
        SMALL_DISK,
        "extract",
        RUN.bold,
        "--atlas",
        RUN.atlas,
        "--detrend",
        "-o",
        out,
    ]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert f"out.{suffix}" in done.stderr.splitlines()[-1]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_interrupt_from_the_keyboard_leaves_nothing_and_says_so(tmp_path):
    repeated = np.concatenate([np.asanyarray(BOLD.dataobj)] * 60, axis=3)
    nibabel.Nifti1Image(repeated, BOLD.affine, BOLD.header).to_filename(tmp_path / "long.nii.gz")
    command = [sys.executable, "-m", "brainsieve", "extract", tmp_path / "long.nii.gz", "--atlas", RUN.atlas]
    process = subprocess.Popen(
        [*map(str, command), "-o", str(tmp_path / "out.tsv")], stderr=subprocess.PIPE, text=True
    )
    first = process.stderr.readline()
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=60)[1]
    assert first.startswith("run")
    if process.returncode != 0:  # it was not done before the signal came
        assert process.returncode == 130
        assert rest.splitlines()[-1] == "brainsieve: error: interrupted; nothing was written."
        assert names(tmp_path) == ["long.nii.gz"]


@pytest.mark.skipif(os.name != "posix", reason="other systems have only Unicode names")
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_names_that_are_no_unicode_work_in_any_locale(tmp_path, locale):
    folder = tmp_path / os.fsdecode(b"d\xe9j\xe0")
    folder.mkdir()
    shutil.copy(RUN.bold, folder / "bold.nii.gz")
    (folder / "lut.tsv").write_text(
        "index\tname\n" + "".join(f"{n}\tr\u00e9gion {n}\n" for n in range(1, 11)), "utf-8"
    )
    command = [sys.executable, "-m", "brainsieve", "extract", folder / "bold.nii.gz", "--atlas", RUN.atlas]
    command += ["--labels", folder / "lut.tsv", "-o"]
    environment = {**os.environ, "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for out in (folder / os.fsdecode(b"\xff.tsv"), "-"):
        done = subprocess.run(
            [*map(os.fspath, command), os.fspath(out)], capture_output=True, env=environment
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].decode("utf-8").startswith("r\u00e9gion 1\t")
    written = next(path for path in folder.iterdir() if path.suffix == ".tsv" and path.name != "lut.tsv")
    assert os.fsencode(written.name) == b"\xff.tsv"
    assert pd.read_csv(written, sep="\t").columns[0] == "r\u00e9gion 1"
    made = json.loads(written.with_suffix(".json").read_bytes())
    assert os.path.samefile(made["inputs"]["run"][0]["path"], folder / "bold.nii.gz")
