"""Images written to files: whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from brainsieve.image import clean_img, smooth_img

FULL = """
import resource, sys
import nibabel
from brainsieve.image import clean_img, smooth_img
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
path, out = sys.argv[2:]
smooth_img(path, 4, output_file=out) if sys.argv[1] == "smooth" else clean_img(path, output_file=out)
"""


@pytest.fixture
def run(tmp_path, rng):
    (tmp_path / "in").mkdir()
    image = nibabel.Nifti1Image(rng.normal(100, 5, (12, 12, 12, 20)).astype(np.float32), np.eye(4) * 3)
    image.to_filename(tmp_path / "in/run.nii")
    return tmp_path / "in/run.nii"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="limits of sizes are POSIX's")
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("operation", ["smooth", "clean"])
def test_a_full_disk_leaves_the_old_image_and_nothing_else(run, tmp_path, operation, suffix):
    out = tmp_path / f"out{suffix}"
    out.write_bytes(b"old")
    command = [sys.executable, "-c", FULL, operation, str(run), str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"out{suffix}" in done.stderr.splitlines()[-1]
    assert "File too large" in done.stderr.splitlines()[-1]
    assert out.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", out.name]


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_an_image_may_be_written_over_the_one_it_is_made_of(run, tmp_path, suffix):
    path = tmp_path / f"run{suffix}"
    nibabel.load(run).to_filename(path)
    for operation in (lambda **to: smooth_img(path, 4, **to), lambda **to: clean_img(path, **to)):
        expected = operation().get_fdata()
        operation(output_file=path)
        assert np.array_equal(nibabel.load(path).get_fdata(), expected)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in", path.name]


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_users_file_of_the_former_temporary_name_stays(run, tmp_path, suffix):
    mine = tmp_path / f"unfinished_out{suffix}"
    mine.write_text("mine")
    smooth_img(run, 4, output_file=tmp_path / f"out{suffix}")
    clean_img(run, output_file=tmp_path / f"out{suffix}")
    assert mine.read_text() == "mine"
