"""The command line: what it writes, what it says, and how it fails."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import subprocess
import sys
import warnings

import nibabel
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import NiftiLabelsMasker as PeerLabelsMasker
from nilearn.maskers import NiftiMapsMasker as PeerMapsMasker
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve.atlas import labels as atlas_labels
from brainsieve.cli import main
from brainsieve.cli.arguments import STRATEGIES, parser
from brainsieve.cli.choices import chosen_confounds, kept_volumes
from brainsieve.datasets import load_demo_run
from brainsieve.maskers import labels as labels_module

RUN = load_demo_run()
# Ten digits are written; the peer computes in float64.
WRITTEN = {"rtol": 1e-6, "atol": 1e-6}


@pytest.fixture(scope="module")
def peer_run():
    """The demo run in float64: there the peer loses no digits."""
    img = nibabel.load(RUN.bold)
    return nibabel.Nifti1Image(img.get_fdata(), img.affine)


def extract(*arguments, run=RUN.bold, atlas=RUN.atlas):
    return main(["extract", str(run), "--atlas", str(atlas), *map(str, arguments)])


def peer_signals(masker, img, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return masker.fit(img).transform(img, **kwargs)


def error_of(capsys):
    """The one line that a failed command leaves, of all that it said."""
    lines = capsys.readouterr().err.splitlines()
    assert "Traceback" not in "\n".join(lines)
    assert sum(line.startswith("brainsieve: error:") for line in lines) == 1
    return lines[-1]


# -- what it writes --------------------------------------------------------------------------------------


def test_table_holds_the_means_of_the_regions_under_their_names(tmp_path):
    assert extract("--labels", RUN.lut, "-o", tmp_path / "out.tsv") == 0
    table = pd.read_csv(tmp_path / "out.tsv", sep="\t")
    bold, atlas = nibabel.load(RUN.bold).get_fdata(), nibabel.load(RUN.atlas).get_fdata()
    lut = pd.read_csv(RUN.lut, sep="\t")
    assert table.columns.tolist() == lut["name"].tolist()
    for index, name in zip(lut["index"], lut["name"], strict=True):
        assert_allclose(table[name], bold[atlas == index].mean(axis=0), rtol=1e-9)


def test_everything_at_once_is_what_the_peer_computes(tmp_path, peer_run):
    columns = ["csf", "white_matter", "a_comp_cor_00", "a_comp_cor_01"]
    code = extract(
        "--labels", RUN.lut, "--mask", RUN.mask,
        "--confounds", RUN.confounds, "--confounds-columns", "csf,white_matter,a_comp_cor_0[01]",
        "--smoothing-fwhm", "10", "--low-pass", "0.1", "--high-pass", "0.01", "--t-r", RUN.t_r,
        "--detrend", "--standardize", "--sample-mask", "4:", "-o", tmp_path / "out.tsv",
    )  # fmt: skip
    assert code == 0
    masker = PeerLabelsMasker(
        str(RUN.atlas), mask_img=str(RUN.mask), smoothing_fwhm=10, low_pass=0.1, high_pass=0.01,
        t_r=RUN.t_r, detrend=True, standardize="zscore_sample",
    )  # fmt: skip
    confounds = pd.read_csv(RUN.confounds, sep="\t")[columns]
    expected = peer_signals(masker, peer_run, confounds=confounds, sample_mask=np.arange(4, 82))
    assert_allclose(pd.read_csv(tmp_path / "out.tsv", sep="\t"), expected, atol=1e-5)


@pytest.mark.parametrize("strategy", ["median", "sum", "minimum", "standard_deviation"])
def test_strategies_are_those_of_the_peer(tmp_path, peer_run, strategy):
    assert extract("--strategy", strategy, "-o", tmp_path / "out.tsv") == 0
    expected = peer_signals(PeerLabelsMasker(str(RUN.atlas), strategy=strategy), peer_run)
    assert_allclose(pd.read_csv(tmp_path / "out.tsv", sep="\t"), expected, **WRITTEN)


def test_cosine_filter_and_percent_signal_change_are_those_of_the_peer(tmp_path, peer_run):
    code = extract(
        "--high-pass", "0.02", "--filter", "cosine", "--standardize", "psc", "-o", tmp_path / "out.tsv"
    )
    assert code == 0
    masker = PeerLabelsMasker(
        str(RUN.atlas), high_pass=0.02, t_r=2.2, standardize="psc", clean_args={"filter": "cosine"}
    )
    written = pd.read_csv(tmp_path / "out.tsv", sep="\t")
    assert_allclose(written, peer_signals(masker, peer_run), atol=1e-5)


def test_an_atlas_of_maps_gives_one_column_for_each_map(tmp_path, peer_run):
    labels = nibabel.load(RUN.atlas)
    maps = np.stack([labels.get_fdata() == index for index in (8, 9, 10)], axis=-1).astype(np.float32)
    nibabel.Nifti1Image(maps, labels.affine).to_filename(tmp_path / "maps.nii.gz")
    (tmp_path / "maps.tsv").write_text("index\tname\n1\tc\n0\tb\n2\ta\n")
    code = extract(
        "--labels", tmp_path / "maps.tsv", "-o", tmp_path / "out.tsv", atlas=tmp_path / "maps.nii.gz"
    )
    assert code == 0
    written = pd.read_csv(tmp_path / "out.tsv", sep="\t")
    assert written.columns.tolist() == ["b", "c", "a"]
    expected = peer_signals(PeerMapsMasker(str(tmp_path / "maps.nii.gz")), peer_run)
    assert_allclose(written, expected, rtol=1e-5)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_suffix_tells_the_format(tmp_path, suffix):
    extract("--labels", RUN.lut, "-o", tmp_path / "out.tsv")
    extract("--labels", RUN.lut, "-o", tmp_path / f"out.{suffix}")
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet}[suffix]
    table = read(tmp_path / f"out.{suffix}")
    expected = pd.read_csv(tmp_path / "out.tsv", sep="\t")
    assert table.columns.tolist() == expected.columns.tolist()
    assert_allclose(table, expected, rtol=1e-9)


def test_standard_output_gets_the_table_and_nothing_else(tmp_path, capsys):
    assert extract("--labels", RUN.lut, "-o", "-") == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert len(lines) == 83
    assert lines[0].startswith("left-white-matter\t")
    assert "82 volumes" in said.err


def test_several_atlases_give_a_table_each(tmp_path):
    halves = nibabel.load(RUN.atlas)
    split = np.where(np.isin(halves.get_fdata(), [8, 9]), 1, 0).astype(np.uint8)
    nibabel.Nifti1Image(split, halves.affine).to_filename(tmp_path / "cortex.nii.gz")
    code = extract("--atlas", tmp_path / "cortex.nii.gz", "-o", tmp_path / "out.csv")
    assert code == 0
    first = RUN.atlas.name.removesuffix(".nii.gz")
    assert pd.read_csv(tmp_path / f"out_atlas-{first}.csv").shape == (82, 10)
    cortex = pd.read_csv(tmp_path / "out_atlas-cortex.csv")
    assert_allclose(cortex["1"], nibabel.load(RUN.bold).get_fdata()[split > 0].mean(axis=0), rtol=1e-9)
    assert not (tmp_path / "out.csv").exists()


def test_a_region_without_voxels_is_missing_by_name(tmp_path, capsys):
    atlas = nibabel.load(RUN.atlas)
    both = np.zeros((26, 26, 60), np.uint8)
    both[..., :13] = atlas.get_fdata()
    both[5:9, 5:9, 50:] = 11
    nibabel.Nifti1Image(both, atlas.affine).to_filename(tmp_path / "tall.nii.gz")
    assert extract("-o", tmp_path / "out.tsv", atlas=tmp_path / "tall.nii.gz") == 0
    lines = (tmp_path / "out.tsv").read_text().splitlines()
    assert {line.split("\t")[10] for line in lines[1:]} == {"n/a"}
    warned = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning:")]
    assert any("'11'" in line for line in warned)
    made = json.loads((tmp_path / "out.json").read_text())
    assert any("'11'" in line for line in made["warnings"])


def test_names_that_repeat_are_numbered_in_the_table(tmp_path):
    lut = pd.read_csv(RUN.lut, sep="\t")
    lut["name"] = "same"
    lut.to_csv(tmp_path / "lut.tsv", sep="\t", index=False)
    assert extract("--labels", tmp_path / "lut.tsv", "-o", tmp_path / "out.parquet") == 0
    columns = pd.read_parquet(tmp_path / "out.parquet").columns.tolist()
    assert columns == ["same", *(f"same_{number}" for number in range(2, 11))]


def test_sidecar_tells_parameters_versions_and_checksums(tmp_path):
    extract(
        "--labels", RUN.lut, "--high-pass", "0.01", "--confounds", RUN.confounds,
        "--confounds-columns", "csf", "--sample-mask", "10:20,30:82", "-o", tmp_path / "out.tsv",
    )  # fmt: skip
    made = json.loads((tmp_path / "out.json").read_text())
    assert made["parameters"]["high_pass"] == 0.01
    assert made["parameters"]["t_r"] == 2.2
    assert made["run"]["t_r_from"] == "header"
    assert made["confounds_columns"] == ["csf"]
    assert made["volumes_kept"] == [*range(10, 20), *range(30, 82)]
    assert made["shape"] == [62, 10]
    assert made["columns"][0] == {"name": "left-white-matter", "id": 1}
    assert made["versions"]["numpy"] == np.__version__
    for key, file in (("run", RUN.bold), ("atlas", RUN.atlas), ("confounds", RUN.confounds)):
        assert made["inputs"][key][0]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_parameters_of_the_sidecar_rebuild_the_masker(tmp_path):
    extract("--labels", RUN.lut, "--detrend", "--standardize", "-o", tmp_path / "out.tsv")
    parameters = json.loads((tmp_path / "out.json").read_text())["parameters"]
    signals = labels_module.NiftiLabelsMasker(**parameters).fit().transform(RUN.bold)
    assert_allclose(pd.read_csv(tmp_path / "out.tsv", sep="\t"), signals, atol=1e-8)


def test_running_again_replaces_the_own_output(tmp_path):
    assert extract("-o", tmp_path / "out.tsv") == 0
    assert extract("--standardize", "-o", tmp_path / "out.tsv") == 0
    assert_allclose(pd.read_csv(tmp_path / "out.tsv", sep="\t").std(), 1, rtol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.tsv"]


# -- what it says ----------------------------------------------------------------------------------------


def test_the_module_runs_as_the_command_does():
    done = subprocess.run(
        [sys.executable, "-m", "brainsieve", "--help"], capture_output=True, text=True, check=True
    )
    assert "extract" in done.stdout
    assert done.stderr == ""


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from brainsieve.cli.arguments import parser; parser().format_help();"
        "print([m for m in ('numpy', 'scipy', 'nibabel', 'pandas', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_a_command_help_is_shown_and_the_code_says_that_nothing_was_done(capsys):
    assert main([]) == 2
    assert "extract" in capsys.readouterr().out


def test_version_is_printed(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith("brainsieve ")


def test_strategies_are_those_of_the_masker():
    assert set(STRATEGIES) == set(atlas_labels.STRATEGIES)


def test_steps_are_told_on_plain_lines_where_there_is_no_terminal(tmp_path, capsys):
    extract("--high-pass", "0.01", "--detrend", "-o", tmp_path / "out.tsv")
    said = capsys.readouterr().err
    assert "\r" not in said
    assert "\x1b" not in said
    assert "t_r 2.2 s from the header" in said
    assert "82 rows, 10 columns" in said


def test_quiet_says_nothing(tmp_path, capsys):
    assert extract("--quiet", "-o", tmp_path / "out.tsv") == 0
    said = capsys.readouterr()
    assert said.out == said.err == ""


def test_a_bar_is_drawn_on_a_terminal_and_cleared(tmp_path):
    img = nibabel.load(RUN.bold)
    repeated = np.concatenate([np.asanyarray(img.dataobj)] * 12, axis=3)
    nibabel.Nifti1Image(repeated, img.affine, img.header).to_filename(tmp_path / "long.nii.gz")
    command = [sys.executable, "-c", SLOW_BAR, str(tmp_path / "long.nii.gz"), str(RUN.atlas)]
    said = in_terminal([*command, str(tmp_path / "out.tsv")])
    assert "984 volumes" in said
    assert "█" in said
    last_bar = said.rindex("█")
    assert "\x1b[K" in said[last_bar:]
    assert said[last_bar:].splitlines()[-1].startswith("done")


# The command, with a clock that runs fast enough for a small file to last.
SLOW_BAR = """
import itertools, sys
from brainsieve.cli import console, main
ticks = itertools.count()
console.time.monotonic = lambda: float(next(ticks))
run, atlas, out = sys.argv[1:]
sys.exit(main(["extract", run, "--atlas", atlas, "-o", out]))
"""


def in_terminal(command):
    """What a command says on a pseudo-terminal."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(command, stdout=follower, stderr=follower, stdin=follower)
    os.close(follower)
    said = b""
    while True:
        try:
            chunk = os.read(leader, 4096)
        except OSError:  # Linux: the other side has closed
            break
        if not chunk:
            break
        said += chunk
    os.close(leader)
    assert process.wait() == 0
    return said.decode()


# -- how it fails ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--confounds", "nothing.tsv"], r"--confounds: there is no file 'nothing.tsv'"),
        (["--labels", "nothing.tsv"], r"--labels: there is no file 'nothing.tsv'"),
        (["--mask", "nothing.nii"], r"--mask: there is no file"),
        (["--confounds", RUN.confounds, "--confounds-columns", "cfs"], "did you mean 'csf'"),
        (["--confounds", RUN.confounds], "no value in row 0 of csf_derivative1"),
        (["--sample-mask", "80:90"], "'80:90' is no range in a run of 82 volumes"),
        (["--sample-mask", "82"], "names volume 82; the run has 0 … 81"),
        (["--sample-mask", "every second"], "neither a file nor ranges"),
        (["--labels", RUN.confounds], "has no column 'index'"),
        (["--high-pass", "0.1", "--low-pass", "0.01"], "--high-pass 0.1 must be lower than --low-pass 0.01"),
        (["--confounds", RUN.atlas], "compressed by gzip"),
        (["--sample-mask", "5,3,5"], "volume 5 more than once"),
    ],
)
def test_what_is_wrong_is_told_on_one_line(tmp_path, capsys, arguments, message):
    assert extract(*arguments, "-o", tmp_path / "out.tsv") == 1
    line = error_of(capsys)
    assert pd.Series([line]).str.contains(message).all(), line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mask", RUN.mask], "needs --atlas"),
        (["--atlas", RUN.atlas, "--labels", RUN.lut, "--labels", RUN.lut], "2 --labels for 1 --atlas"),
        (["--atlas", RUN.atlas, "--confounds-columns", "csf"], "without --confounds"),
        (
            ["--atlas", RUN.atlas, "--confounds", RUN.confounds, "--confounds", RUN.confounds],
            "2 --confounds for 1",
        ),
        (["--atlas", RUN.atlas, "--sample-mask", "1:", "--sample-mask", "2:"], "2 --sample-mask for 1 run;"),
        (["--atlas", RUN.atlas, "--radius", "3"], "--radius was given without --seeds"),
        (["--atlas", RUN.atlas, "--allow-overlap"], "--allow-overlap was given without --seeds"),
        (["--seeds", RUN.lut, "--strategy", "mean"], "--strategy was given without --atlas"),
        (["--seeds", RUN.lut, "--background-label", "0"], "--background-label was given without --atlas"),
        (["--voxels", "--min-coverage", "0"], "--min-coverage was given without --atlas or --seeds"),
        (["--voxels", "--atlas", RUN.atlas], "--voxels writes an image"),
        (["--atlas", RUN.atlas, "--surfaces", "l.gii,r.gii"], "without --smoothing-fwhm"),
        (["--atlas", RUN.atlas, "--surfaces", "l.gii,r.gii", "--smoothing-fwhm", "4"], "the run is a volume"),
        (["--atlas", RUN.atlas, "--format", "csv"], "--format goes with a folder"),
        (
            ["--atlas", RUN.atlas, "--filter", "cosine", "--low-pass", "0.1"],
            "--low-pass needs --filter butterworth",
        ),
    ],
)
def test_a_command_line_that_cannot_be_meant_has_a_code_of_its_own(tmp_path, capsys, arguments, message):
    (tmp_path / "l.gii").write_text("x")
    (tmp_path / "r.gii").write_text("x")
    arguments = [str(a).replace("l.gii,r.gii", f"{tmp_path}/l.gii,{tmp_path}/r.gii") for a in arguments]
    assert main(["extract", str(RUN.bold), *arguments, "-o", str(tmp_path / "out.tsv")]) == 2
    assert message in error_of(capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["l.gii", "r.gii"]


def test_a_run_that_is_missing_is_named(tmp_path, capsys):
    assert extract("-o", tmp_path / "out.tsv", run="nothing.nii.gz") == 1
    assert "nothing.nii.gz" in error_of(capsys)


def test_a_truncated_run_is_named_and_leaves_no_output(tmp_path, capsys):
    content = RUN.bold.read_bytes()
    (tmp_path / "broken.nii.gz").write_bytes(content[: len(content) // 2])
    assert extract("-o", tmp_path / "out.tsv", run=tmp_path / "broken.nii.gz") == 1
    assert "broken.nii.gz" in error_of(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["broken.nii.gz"]


def test_a_table_as_atlas_is_no_image(tmp_path, capsys):
    assert extract("-o", tmp_path / "out.tsv", atlas=RUN.lut) == 1
    assert "cannot be read as an image" in error_of(capsys)


def test_a_filter_needs_a_repetition_time_that_someone_knows(tmp_path, capsys):
    img = nibabel.load(RUN.bold)
    header = img.header.copy()
    header.set_zooms((8, 8, 8, 0))
    nibabel.Nifti1Image(np.asanyarray(img.dataobj), img.affine, header).to_filename(tmp_path / "run.nii")
    assert extract("--low-pass", "0.1", "-o", tmp_path / "out.tsv", run=tmp_path / "run.nii") == 1
    assert "give --t-r in seconds" in error_of(capsys)
    code = extract("--low-pass", "0.1", "--t-r", "2.2", "-o", tmp_path / "out.tsv", run=tmp_path / "run.nii")
    assert code == 0


def test_an_output_that_would_replace_an_input_is_refused(tmp_path, capsys):
    copy = tmp_path / "confounds.tsv"
    copy.write_bytes(RUN.confounds.read_bytes())
    assert extract("--confounds", copy, "--confounds-columns", "csf", "-o", copy) == 1
    assert "is one of the inputs" in error_of(capsys)
    assert copy.read_bytes() == RUN.confounds.read_bytes()


def test_a_sidecar_of_someone_else_is_not_replaced(tmp_path, capsys):
    (tmp_path / "bold.json").write_text('{"RepetitionTime": 2.2}')
    assert extract("-o", tmp_path / "bold.tsv") == 1
    assert "it is not ours" in error_of(capsys)
    assert (tmp_path / "bold.json").read_text() == '{"RepetitionTime": 2.2}'


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("out.txt", "must be one of .tsv, .csv, .parquet"),
        ("missing/out.tsv", "does not exist; make it first"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_first(tmp_path, capsys, output, message):
    assert extract("-o", tmp_path / output, run="never-looked-at.nii") == 1
    assert message in error_of(capsys)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--smoothing-fwhm", "-2"],
        ["--smoothing-fwhm", "1,2"],
        ["--smoothing-fwhm", "wide"],
        ["--low-pass", "0"],
        ["--t-r", "nan"],
        ["--standardize", "zscore"],
        ["--strategy", "average"],
    ],
)
def test_a_value_that_an_option_cannot_have_is_a_wrong_command_line(tmp_path, capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        extract(*arguments, "-o", tmp_path / "out.tsv")
    assert stop.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_a_defect_is_told_from_a_wrong_input(tmp_path, capsys, monkeypatch):
    def broken(*_, **__):
        raise KeyError("inner")

    monkeypatch.setattr("brainsieve.cli.extract.run_maskers", broken)
    assert extract("-o", tmp_path / "out.tsv") == 70
    assert "please report it" in error_of(capsys)
    with pytest.raises(KeyError):
        extract("--debug", "-o", tmp_path / "out.tsv")


def test_an_interrupt_writes_nothing(tmp_path, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("brainsieve.cli.extract.run_maskers", interrupted)
    assert extract("-o", tmp_path / "out.tsv") == 130
    assert "nothing was written" in error_of(capsys)
    assert list(tmp_path.iterdir()) == []


# -- choices ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("7:", [7, 8, 9]),
        (":3", [0, 1, 2]),
        ("0:2,8:10", [0, 1, 8, 9]),
        ("5,3", [3, 5]),
        (" 1 , 2:4 ", [1, 2, 3]),
        (":", list(range(10))),
    ],
)
def test_ranges_of_volumes(text, kept):
    assert_array_equal(kept_volumes(text, 10), kept)


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ("keep\nTrue\nFalse\nTrue\nFalse\n", [0, 2]),
        ("1\n0\n1\n1\n", [0, 2, 3]),
        ("volume\n1\n3\n", [1, 3]),
        ("0, 2\n", [0, 2]),
    ],
)
def test_files_of_volumes(tmp_path, content, kept):
    (tmp_path / "keep.txt").write_text(content)
    assert_array_equal(kept_volumes(str(tmp_path / "keep.txt"), 4), kept)


@pytest.mark.parametrize("values", [np.array([True, False, True, False]), np.array([0, 2])])
def test_arrays_of_volumes(tmp_path, values):
    np.save(tmp_path / "keep.npy", values)
    assert_array_equal(kept_volumes(str(tmp_path / "keep.npy"), 4), [0, 2])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("True\nFalse\n", "has 2 flags; the run has 4 volumes"),
        ("True\nperhaps\nTrue\nFalse\n", "mixes True and False with 'perhaps'"),
        ("1\n-2\n", "it has '-2'"),
        ("False\n" * 4, "keeps no sample"),
        ("9\n", "index 9"),
        ("0\n2\n2\n", "more than once"),
        ("0\n1\n", "2 flags; the run has 4"),
    ],
)
def test_files_that_choose_no_volumes(tmp_path, content, message):
    (tmp_path / "keep.txt").write_text(content)
    with pytest.raises(ValueError, match=message):
        kept_volumes(str(tmp_path / "keep.txt"), 4)


def test_columns_come_in_the_order_asked_and_once():
    table = chosen_confounds(str(RUN.confounds), ["white_matter, csf*,csf"])
    assert table.columns.tolist()[:3] == ["white_matter", "csf", "csf_derivative1"]
    assert table.columns.is_unique


def test_columns_of_a_table_without_header_cannot_be_named(tmp_path):
    np.savetxt(tmp_path / "plain.tsv", np.ones((4, 2)), delimiter="\t")
    with pytest.raises(ValueError, match="has no header"):
        chosen_confounds(str(tmp_path / "plain.tsv"), ["csf"])


def test_every_option_is_explained():
    for command in ("extract", "demo"):
        actions = parser()._subparsers._group_actions[0].choices[command]._actions
        assert all(action.help for action in actions)
