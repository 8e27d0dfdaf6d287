"""What is built of the project has all that it needs, and nothing that it must not have."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_a_wheel_carries_the_data_and_their_licences_and_runs(tmp_path):
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(tmp_path),
        str(ROOT),
    ]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    if done.returncode and "hatchling" in done.stderr:
        pytest.skip("the build needs hatchling, which could not be had")
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.stat().st_size < 15 * 2**20
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert any(name.endswith("dseg.nii.gz") for name in names)
    for folder in (ROOT / "src" / "brainsieve" / "datasets" / "data").iterdir():
        assert f"brainsieve/datasets/data/{folder.name}/LICENCE.txt" in names
    assert not [name for name in names if name.startswith("tests") or "__pycache__" in name]

    # The wheel's own files come first, before the source tree that this environment sees.
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    code = (
        "import brainsieve; print(brainsieve.__file__); from brainsieve.cli import main; main(['demo', '-q'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "installed"), "PATH": "", "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(tmp_path / "installed") in done.stdout
    assert (tmp_path / "brainsieve-demo" / "atlas.png").exists()
