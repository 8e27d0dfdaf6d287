"""Figures of quality against their definitions, written plainly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from brainsieve.cohort.group import RULES, left_out, modularity, qc_fc
from brainsieve.cohort.quality import degrees_of_freedom, framewise_displacement, of_motion, of_voxels
from brainsieve.engine.temporal.operator import CleaningSettings


def test_framewise_displacement_is_the_sum_of_steps_on_a_sphere_of_50_mm():
    motion = np.zeros((4, 6))
    motion[1] = [1, -2, 0.5, 0, 0, 0]
    motion[2] = [1, -2, 0.5, 0.01, 0, -0.02]
    np.testing.assert_allclose(framewise_displacement(motion), [np.nan, 3.5, 1.5, 3.5 + 1.5])


def test_figures_of_motion_leave_the_first_volume_out():
    assert of_motion(np.array([np.nan, 0.1, 0.3])) == {
        "fd_mean": pytest.approx(0.2),
        "fd_max": 0.3,
        "fd_share_above_0.2": 0.5,
    }


def test_standardized_dvars_is_one_for_noise_of_any_autocorrelation():
    rng = np.random.default_rng(0)
    for rho in (0.0, 0.6):
        series = rng.normal(size=(400, 3000))
        for t in range(1, len(series)):
            series[t] = rho * series[t - 1] + np.sqrt(1 - rho**2) * series[t]
        figures, dvars = of_voxels(100 + 3 * series)
        assert np.isnan(dvars[0]) and figures["dvars_std_mean"] == pytest.approx(1.0, abs=0.02)
        assert figures["gcor"] == pytest.approx(0.0, abs=0.01)
    series[200] += 10
    spiked = of_voxels(100 + 3 * series)[1]
    assert np.nanargmax(spiked) in (200, 201) and np.nanmax(spiked) > 5


def test_voxels_that_do_not_vary_take_no_part():
    rng = np.random.default_rng(1)
    series = 10 + rng.normal(size=(50, 40))
    series[:, 3] = 7
    series[:, 5] = np.nan
    figures, _ = of_voxels(series)
    kept, _ = of_voxels(np.delete(series, [3, 5], axis=1))
    assert figures == kept and figures["n_voxels"] == 38
    nothing, dvars = of_voxels(np.ones((5, 3)))
    assert nothing["n_voxels"] == 0 and np.isnan(nothing["tsnr"]) and np.isnan(dvars).all()


def test_qc_fc_is_pearsons_correlation_over_runs():
    rng = np.random.default_rng(2)
    edges, motion = rng.normal(size=(20, 5)), rng.random(20)
    edges[:, 0] += 3 * motion
    edges[3:6, 2] = np.nan
    r, p = qc_fc(edges, motion)
    for edge in range(5):
        known = np.isfinite(edges[:, edge])
        expected = stats.pearsonr(edges[known, edge], motion[known])
        assert r[edge] == pytest.approx(expected.statistic) and p[edge] == pytest.approx(expected.pvalue)
    assert np.isnan(qc_fc(edges[:3], motion[:3])[0]).all()


def test_rules_leave_runs_out_by_name():
    still = {"fd_mean": 0.1, "fd_max": 1.0, "fd_share_above_0.2": 0.05}
    assert left_out(still, RULES["stringent"]) == ""
    assert left_out({**still, "fd_max": 6.0}, RULES["stringent"]) == "fd_max 6 > 5"
    assert left_out({**still, "fd_mean": 0.3}, RULES["lenient"]) == ""
    assert "known" in left_out({**still, "fd_mean": np.nan}, RULES["lenient"])


def test_modularity_of_two_blocks():
    blocks = np.kron(np.eye(2), np.ones((3, 3)))
    # Each half of the weights lies in its network, by chance it would be half of that: Q = 1 - 2 (1/2)^2.
    assert modularity(blocks, np.repeat([0, 1], 3)) == pytest.approx(0.5)
    assert modularity(blocks, np.zeros(6)) == pytest.approx(0.0)
    assert np.isnan(modularity(np.zeros((3, 3)), np.arange(3)))


def test_degrees_of_freedom_are_those_that_projections_leave():
    rng = np.random.default_rng(3)
    confounds = rng.normal(size=(60, 5))
    plain = CleaningSettings(detrend=True)
    kept = np.arange(4, 60)
    # A constant, a trend and five confounds are taken.
    assert degrees_of_freedom(plain, 60, confounds, None) == pytest.approx(53)
    assert degrees_of_freedom(plain, 60, confounds, kept) == pytest.approx(49)
    assert degrees_of_freedom(plain, 60, np.hstack([confounds, confounds]), kept) == pytest.approx(49)
    half = replace(plain, low_pass=0.125, t_r=2.0)
    # Half of the frequencies up to 0.25 Hz.
    assert degrees_of_freedom(half, 60, None, None) == pytest.approx(29, abs=3)
