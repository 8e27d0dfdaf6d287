"""Whole analyses of nilearn, each in a fresh process with and without accelerate: the same numbers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parent / "analyses.py"
FAST = (
    *("decoder", "first_level", "can_ica", "dict_learning", "region_extractor", "several_runs"),
    *("nothing_discovered", "processes_and_copies", "surfaces"),
)
# Those that load or draw nilearn's template at full size.
SLOW = ("template", "pictures", "glm_report", "bids_of_glm")


def _ran(folder, names, *options):
    folder.mkdir()
    command = [sys.executable, *options, str(SCRIPT), str(folder), *names]
    environment = os.environ | {"MPLBACKEND": "agg", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr.splitlines()[-1]
    return done.stdout.splitlines()[-1]


def _both(folder, names):
    assert _ran(folder / "plain", names) == "plain"
    assert _ran(folder / "ours", names, "-m", "brainsieve.accelerate") == "accelerated"
    return folder


@pytest.fixture(scope="module")
def fast(tmp_path_factory):
    return _both(tmp_path_factory.mktemp("fast"), FAST)


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    return _both(tmp_path_factory.mktemp("slow"), SLOW)


def _compare(folder, name):
    with np.load(folder / "plain" / f"{name}.npz") as plain, np.load(folder / "ours" / f"{name}.npz") as ours:
        assert set(ours) == set(plain)
        for key in plain:
            expected, got = plain[key], ours[key]
            if expected.dtype.kind in "US":
                np.testing.assert_array_equal(got, expected, err_msg=key)
            elif expected.dtype == bool:
                assert got.shape == expected.shape
                # A pixel at the edge of a colour may round to the other side.
                assert (got != expected).mean() < 1e-3, key
                assert expected.any() or key in ("anat", "epi"), key  # drawn in greys
            else:
                assert expected.any(), key
                # Both compute in float32 in places.
                np.testing.assert_allclose(
                    got, expected, rtol=0, atol=3e-5 * np.abs(expected).max(), err_msg=key
                )


@pytest.mark.parametrize("name", FAST)
def test_an_analysis_gives_the_same_numbers_under_accelerate(name, fast):
    _compare(fast, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_what_draws_on_the_host_s_template_gives_the_same_under_accelerate(name, slow):
    _compare(slow, name)
