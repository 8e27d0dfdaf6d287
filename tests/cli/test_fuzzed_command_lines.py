"""Command lines and files made wrong at random: only the exit codes that are promised, and no traceback."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from brainsieve.cli import main
from brainsieve.datasets import load_demo_run

RUN = load_demo_run()
# Never 70, which is a defect of the program.
PROMISED = {0, 1, 2, 130}
OPTIONS = (
    *("--labels", "--mask", "--confounds", "--confounds-columns", "--sample-mask", "--seeds", "--radius"),
    *("--background-label", "--smoothing-fwhm", "--surfaces", "--strategy", "--min-coverage", "--high-pass"),
    *("--low-pass", "--t-r", "--standardize", "--resampling-target", "--report", "--atlas"),
)
FLAGS = (
    "--voxels",
    "--detrend",
    "--no-detrend",
    "--high-variance-confounds",
    "--allow-overlap",
    "--overwrite",
)
VALUES = (
    *(
        "",
        " ",
        "\0",
        "a\0b",
        "~nouser/x.tsv",
        "~nouser/x.nii",
        "-",
        "--",
        ",",
        ":",
        "*",
        "[",
        "?.nii",
        "/",
        ".",
        "..",
        "/dev/null",
    ),
    *(
        "99999999999999999999",
        "-99999999999999999999",
        "1e400",
        "nan",
        "-1",
        "0",
        "0.5",
        "1,2",
        "1:0",
        ":99999999999999999999",
    ),
    *(
        "\u0663",
        "\u00b2:",
        "csf",
        "[!",
        "data",
        "none",
        "x.tsv",
        "x.csv",
        "x.nii",
        "x.gii",
        "lh.x.gii,",
        "http://",
        "s3://",
    ),
    *("x" * 300, "1," * 400, "a/" * 3000, "\udcff.tsv", "\r\n", "\t"),
)
CONTENTS = (
    *(
        b"",
        b"\0",
        b"\n",
        b"\xff\xfe",
        b"[" * 99_999,
        b"index\tname\n",
        b"index\tname\n1\t\n2\t\n",
        b"index\tname\n1e400\ta\n",
    ),
    *(
        b"index\tname\n99999999999999999999\ta\n",
        b"index,name\n1,a\n1,b\n",
        b"x\ty\tz\n1\t2\t3\n",
        b"x\ty\tz\n1e300\t0\t0\n",
    ),
    *(
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff{",
        b"1\n2\n3\n",
        b"True\nFalse\n",
        b"99999999999999999999\n",
        b"nan\n" * 82,
    ),
    *(b"csf\n" + b"1\n" * 82, b"csf\n" + b"1e400\n" * 82, b'"' * 50, b"a\tb\n1\n", b"\x1f\x8b\x08", b"<?xml"),
)
SUFFIXES = (
    ".tsv",
    ".csv",
    ".txt",
    ".npy",
    ".nii",
    ".nii.gz",
    ".mgz",
    ".dtseries.nii",
    "_hemi-L.func.gii",
    ".annot",
    "",
)


# Values that are right, so that what is wrong beside them is reached.
RIGHT = {
    "--confounds": RUN.confounds, "--confounds-columns": "csf", "--mask": RUN.mask, "--labels": RUN.lut,
    "--sample-mask": "4:", "--background-label": 3, "--smoothing-fwhm": 6, "--strategy": "median",
    "--min-coverage": 0.5, "--high-pass": 0.01, "--low-pass": 0.1, "--t-r": 2.2, "--standardize": "psc",
    "--resampling-target": "labels", "--report": "page.html", "--atlas": RUN.atlas, "--seeds": "seeds.tsv",
}  # fmt: skip


def exit_code(words):
    try:
        return main(words)
    except SystemExit as stop:
        return stop.code


def broken_file(rng, folder, number):
    """A file of any kind with any content: made up, or one of ours with bytes changed or cut off."""
    path = folder / f"f{number}{rng.choice(SUFFIXES)}"
    if rng.random() < 0.5:
        path.write_bytes(CONTENTS[rng.integers(len(CONTENTS))])
        return path
    source = [RUN.atlas, RUN.lut, RUN.mask, RUN.confounds, RUN.bold][rng.integers(5)]
    content = bytearray(source.read_bytes())
    for position in rng.integers(0, min(len(content), 600), rng.integers(0, 6)):
        content[position] = rng.integers(256)
    path.write_bytes(content[: rng.integers(len(content))] if rng.random() < 0.5 else content)
    return path


def command_line(rng, folder, number):
    values = itertools.cycle(rng.permutation(len(VALUES)))

    def value(default):
        kind = rng.random()
        if kind < 0.4:
            return str(broken_file(rng, folder, number))
        return VALUES[next(values)] if kind < 0.6 else str(default)

    words = ["extract", value(RUN.bold) if rng.random() < 0.2 else str(RUN.bold)]
    if rng.random() < 0.85:
        words += ["--atlas", value(RUN.atlas) if rng.random() < 0.3 else str(RUN.atlas)]
    words += ["-o", value(folder / "out.tsv") if rng.random() < 0.2 else str(folder / f"out{number}.tsv")]
    for option in rng.choice(OPTIONS, rng.integers(0, 4), replace=False):
        words += [str(option), value(RIGHT.get(str(option), RUN.lut))]
    return words + [str(flag) for flag in rng.choice(FLAGS, rng.integers(0, 2))]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 21))])
def test_random_command_lines_end_with_a_promised_code(tmp_path, capsys, monkeypatch, seed):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seeds.tsv").write_text("x\ty\tz\n0\t-20\t20\n")
    rng = np.random.default_rng(seed)
    for number in range(100):
        words = command_line(rng, tmp_path, number)
        code = exit_code(words)
        said = capsys.readouterr().err
        assert code in PROMISED, (code, words, said)
        assert "Traceback" not in said
        assert code == 0 or "error:" in said
