"""Benchmarks run with the tests, tiny: what is timed works, and has the size of what the peer gives."""

from __future__ import annotations

import pytest
from benchmarks import analyses, cases, cohorts, points
from benchmarks.inputs import make


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return make(tmp_path_factory.mktemp("bench"), 60, shape=(19, 21, 20), n_parcels=8, n_seeds=5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in cases.CASES if "import" not in name])
def test_a_case_of_volumes_measures_something(name, paths):
    measured = cases.CASES[name](paths)
    assert measured["seconds"] > 0
    if name.startswith("brainsieve"):
        peer = cases.CASES[name.replace("brainsieve", "nilearn")](paths)
        assert measured["output_mb"] in (peer["output_mb"], peer["output_mb"] / 2, 2 * peer["output_mb"])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("package", analyses.PACKAGES)
@pytest.mark.parametrize("name", analyses.CASES)
def test_a_case_of_analyses_measures_something(name, package):
    assert analyses.timed(package, name, 20)["seconds"] > 0


@pytest.mark.filterwarnings("ignore")
def test_the_cases_of_points_measure_something(tmp_path, monkeypatch):
    monkeypatch.setattr(points, "N_SAMPLES", 60)
    monkeypatch.setattr(points, "N_CORTEX", {"CORTEX_LEFT": 90, "CORTEX_RIGHT": 80})
    monkeypatch.setattr(points, "N_SURFACE", 100)
    monkeypatch.setattr(points, "N_VOXELS", 50)
    monkeypatch.setattr(points, "N_PARCELS", 6)
    monkeypatch.setattr(points, "SUBDIVISIONS", 1)
    for name in points.CASES:
        if name not in ("workbench", "raw"):
            assert points.CASES[name](tmp_path) >= 0, name
    assert points.CASES["raw"](tmp_path) > 0


@pytest.mark.filterwarnings("ignore")
def test_a_cohort_measures_something():
    assert all(seconds > 0 for seconds in cohorts.measured(2, 1, reports=False).values())
