"""Designs of runs: kernels and columns by closed forms and by the peer, tables of events with every fault."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pandas as pd
import pytest
from nilearn.glm import first_level as peer
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from brainsieve.glm import first_level as ours
from brainsieve.glm.designs import Span

KERNELS = [name for name in ours.__all__ if name.endswith("hrf") or "_derivative" in name]
MODELS = [
    *("spm", "spm + derivative", "spm + derivative + dispersion", "fir", None),
    *("glover", "glover + derivative", "glover + derivative + dispersion"),
]
FRAMES = np.arange(60) * 2.0
EVENTS = pd.DataFrame(
    {
        "onset": [1.0, 13.7, 30, 48.2, 70, 91.3],
        "duration": [1.0, 2, 0.5, 8, 3, 1.1],
        "trial_type": ["b", "a", "b", "a", "B", "b"],
        "modulation": [1.0, 2, -0.5, 1, 0.1, 3],
    }
)


def quiet(call, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*args, **kwargs)


def events(**columns):
    return pd.DataFrame({"onset": [5.0, 20.0], "duration": [2.0, 2.0], "trial_type": ["a", "b"]} | columns)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(
    "t_r, oversampling, onset", [(2, 50, 0), (0.72, 16, 1.3), (3.1, 1, 0), (2.5, 10, -0.4)]
)
def test_kernels_are_those_of_the_peer(name, t_r, oversampling, onset):
    given = dict(t_r=t_r, oversampling=oversampling, onset=onset, time_length=30)
    assert_allclose(getattr(ours, name)(**given), getattr(peer, name)(**given), rtol=0, atol=1e-15)


def test_a_response_is_a_difference_of_gamma_densities_that_sums_to_one():
    t = np.linspace(0, 32, 800)
    spm = stats.gamma.pdf(t, 6, loc=0.04) - 0.167 * stats.gamma.pdf(t, 16, loc=0.04)
    assert_allclose(ours.spm_hrf(2), spm / spm.sum(), atol=1e-17)
    scale = dict(loc=0.04, scale=0.9)
    glover = stats.gamma.pdf(t, 6 / 0.9, **scale) - 0.48 * stats.gamma.pdf(t, 12 / 0.9, **scale)
    assert_allclose(ours.glover_hrf(2), glover / glover.sum(), atol=1e-17)
    assert t[np.argmax(ours.glover_hrf(2))] == pytest.approx(5.05, abs=0.01)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("oversampling", [1, 16, 50])
@pytest.mark.parametrize("first", [0.0, 1.0])
def test_columns_of_a_condition_are_those_of_the_peer(model, oversampling, first):
    condition = EVENTS[["onset", "duration", "modulation"]].to_numpy().T
    given = (condition, model, FRAMES + first)
    more = dict(con_id="c", oversampling=oversampling, fir_delays=[0, 2, 3], min_onset=-10)
    columns, names = ours.compute_regressor(*given, **more)
    theirs, their_names = peer.compute_regressor(*given, **more)
    assert names == their_names
    assert_allclose(columns, theirs, rtol=0, atol=2e-15)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("drift", ["cosine", "Polynomial", None])
def test_designs_are_those_of_the_peer(model, drift):
    regs = np.random.default_rng(0).normal(size=(60, 2))
    given = dict(
        hrf_model=model,
        drift_model=drift,
        drift_order=3,
        high_pass=0.02,
        fir_delays=[0, 1, 4],
        add_regs=regs,
        add_reg_names=["x", "y"],
    )
    mine = ours.make_first_level_design_matrix(FRAMES, EVENTS, **given)
    theirs = quiet(peer.make_first_level_design_matrix, FRAMES, EVENTS, **given)
    assert list(mine.columns) == list(theirs.columns)
    assert_array_equal(mine.index, theirs.index)
    assert_allclose(mine, theirs, rtol=0, atol=2e-15)


@pytest.mark.parametrize("n", [10, 57, 100, 200])
@pytest.mark.parametrize("t_r", [0.72, 1.5, 2, 2.5])
def test_as_many_cosines_as_the_peer_has(n, t_r):
    for high_pass in (0, 0.008, 0.01, 0.02, 0.1):
        mine = ours.make_first_level_design_matrix(np.arange(n) * t_r, high_pass=high_pass)
        theirs = peer.make_first_level_design_matrix(np.arange(n) * t_r, high_pass=high_pass)
        assert_allclose(mine, theirs, rtol=0, atol=1e-15)


def test_cosines_and_the_constant_are_orthogonal():
    design = ours.make_first_level_design_matrix(FRAMES, high_pass=0.02).to_numpy()
    assert_allclose(design.T @ design, np.diag([1.0] * 4 + [60]), atol=1e-12)


def test_kernels_of_one_s_own_name_the_columns():
    def mine(t_r, oversampling):
        return np.linspace(1, 0, 3 * oversampling)

    def other(t_r, oversampling):
        return np.ones(oversampling)

    for model in (mine, [mine, other]):
        design = ours.make_first_level_design_matrix(FRAMES, EVENTS, model)
        assert_allclose(
            design, quiet(peer.make_first_level_design_matrix, FRAMES, EVENTS, model), rtol=0, atol=1e-13
        )
        assert "a_mine" in design
    assert "a_mine" in ours.make_first_level_design_matrix(FRAMES, EVENTS, functools.partial(mine))


# -- without a grid ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("duration", [0.5, 3, 40])
@pytest.mark.parametrize("onset", [0, 7.123, -5])
def test_an_exact_box_is_a_difference_of_integrals_of_gamma_densities(onset, duration):
    def integral(t):
        t = np.clip(t, 0, 32)
        return stats.gamma.cdf(t, 6) - 0.167 * stats.gamma.cdf(t, 16)

    columns, _ = ours.compute_regressor([[onset], [duration], [2.0]], "spm", FRAMES, exact=True)
    expected = 2 * (integral(FRAMES - onset) - integral(FRAMES - onset - duration)) / integral(32)
    assert_allclose(columns[:, 0], expected, atol=1e-15)


def test_an_exact_impulse_is_the_limit_of_short_boxes_of_the_same_area():
    impulse, _ = ours.compute_regressor([[6.1], [0.0], [1.0]], "glover", FRAMES, exact=True)
    box, _ = ours.compute_regressor([[6.1], [1e-4], [1e4]], "glover", FRAMES, exact=True)
    assert_allclose(impulse, box, atol=2e-5)


@pytest.mark.parametrize("model", [m for m in MODELS if m is not None])
def test_a_fine_grid_comes_near_the_exact_columns(model):
    condition = EVENTS[["onset", "duration", "modulation"]].to_numpy().T
    more = dict(fir_delays=[0, 2], con_id="c")
    exact, names = ours.compute_regressor(condition, model, FRAMES, exact=True, **more)
    fine, grid_names = ours.compute_regressor(condition, model, FRAMES, oversampling=1000, **more)
    assert names == grid_names
    assert_allclose(exact, fine, atol=0.01 * np.abs(fine).max())


def test_a_kernel_of_one_s_own_is_summed_exactly_too():
    def ramp(t_r, oversampling):
        return np.linspace(1, 0, 4 * oversampling) / (2 * oversampling)

    condition = [[5.3, 40.0], [6.0, 0.7], [1.0, 2.0]]
    exact, _ = ours.compute_regressor(condition, ramp, FRAMES, exact=True)
    fine, _ = ours.compute_regressor(condition, ramp, FRAMES, oversampling=500)
    assert_allclose(exact, fine, atol=0.02)


def test_events_as_they_are_are_boxes_on_the_samples():
    columns, _ = ours.compute_regressor([[4.0, 21.0], [6.0, 0.0], [1.0, 3.0]], None, FRAMES, exact=True)
    expected = np.zeros(60)
    expected[[2, 3, 4]] = 1
    expected[11] = 3  # the first sample after 21 s
    assert_array_equal(columns[:, 0], expected)


def test_exact_columns_of_fewer_samples_are_rows_of_those_of_all():
    kept = np.sort(np.random.default_rng(0).permutation(60)[:37])
    for model in ("glover", "spm"):
        whole, _ = ours.compute_regressor([[3.3, 50], [1, 2], [1, 1]], model, FRAMES, exact=True)
        part, _ = ours.compute_regressor([[3.3, 50], [1, 2], [1, 1]], model, FRAMES[kept])
        assert_allclose(part, whole[kept], atol=1e-15)


def test_uneven_samples_of_a_design_are_told_of():
    kept = np.delete(FRAMES, [7, 8, 30])
    with pytest.warns(UserWarning, match="integrated"):
        design = ours.make_first_level_design_matrix(kept, EVENTS, drift_model=None)
    whole = ours.make_first_level_design_matrix(FRAMES, EVENTS, drift_model=None, exact=True)
    assert_allclose(design, np.delete(whole.to_numpy(), [7, 8, 30], axis=0), atol=1e-15)


# -- events --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "columns, message",
    [
        ({"onset": [np.nan, 1]}, r"onset .* rows 0 "),
        ({"duration": [1, np.nan]}, r"duration .* rows 1 "),
        ({"duration": ["n/a", 1]}, r"duration .*'n/a' in rows 0 "),
        ({"duration": [1, -1]}, r"negative durations in rows 1 "),
        ({"trial_type": ["a", np.nan]}, r"trial_type is missing in rows 1 "),
        ({"trial_type": ["n/a", "b"]}, r"trial_type is missing in rows 0 "),
        ({"modulation": [np.nan, 1]}, r"modulation .* rows 0 "),
        ({"modulation": ["loud", 1]}, r"modulation .*'loud' in rows 0 "),
        ({"trial_type": ["constant", "b"]}, "same name: 'constant'"),
        ({"onset": [np.inf, 1]}, r"onset .* rows 0 "),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value),
)
def test_rows_that_mean_nothing_are_errors_that_name_them(columns, message):
    with pytest.raises(ValueError, match=message):
        ours.make_first_level_design_matrix(FRAMES, events(**columns))


def test_derivatives_have_names_that_no_condition_may_have():
    with pytest.raises(ValueError, match="'a_derivative'"):
        ours.make_first_level_design_matrix(
            FRAMES, events(trial_type=["a", "a_derivative"]), "spm + derivative"
        )


@pytest.mark.parametrize("column", ["onset", "duration"])
def test_tables_without_onset_or_duration_are_refused(column):
    with pytest.raises(ValueError, match=f"no column '{column}'"):
        ours.make_first_level_design_matrix(FRAMES, events().drop(columns=column))


def test_other_things_than_tables_are_refused():
    with pytest.raises(TypeError, match="data frame"):
        ours.make_first_level_design_matrix(FRAMES, [1, 2])


def test_events_outside_are_left_out_and_counted_by_condition():
    table = pd.DataFrame(
        {
            "onset": [-40.0, -30, 10, 50, 300, 118],
            "duration": [1.0, 1, 1, 1, 1, 1],
            "trial_type": ["a", "a", "a", "b", "b", "b"],
        }
    )
    with pytest.warns(UserWarning, match="2 of 'a', 1 of 'b'"):
        design = ours.make_first_level_design_matrix(FRAMES, table)
    assert_allclose(design, ours.make_first_level_design_matrix(FRAMES, table.iloc[[2, 3, 5]]), atol=1e-12)


def test_a_block_that_reaches_into_the_run_stays():
    table = events(onset=[-30.0, 20], duration=[60.0, 2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        design = ours.make_first_level_design_matrix(FRAMES, table, exact=True)
    assert design["a"].iloc[0] == pytest.approx(1, abs=0.02)


def test_a_condition_of_which_all_events_are_outside_stays_as_zeros_and_is_named():
    with (
        pytest.warns(UserWarning, match="left out: 1 of 'a'"),
        pytest.warns(UserWarning, match="0 throughout: a."),
    ):
        design = ours.make_first_level_design_matrix(FRAMES, events(onset=[500.0, 5.0]))
    assert not design["a"].any()


@pytest.mark.parametrize(
    "table, message",
    [
        (events(duration=[0.0, 1.0]), "without duration in the conditions a:"),
        (events().drop(columns="trial_type"), "'dummy'"),
        (events(colour=["red", "blue"]), "does not use: colour"),
        (events(onset=[5.0, 5.0], trial_type=["a", "a"]), "twice .* conditions: a"),
    ],
    ids=["no duration", "no trial type", "other column", "twice"],
)
def test_doubtful_tables_are_told_of_and_understood_as_the_peer_does(table, message):
    with pytest.warns(UserWarning, match=message):
        mine = ours.make_first_level_design_matrix(FRAMES, table)
    assert_allclose(mine, quiet(peer.make_first_level_design_matrix, FRAMES, table), atol=2e-15)


@pytest.mark.parametrize(
    "types, names",
    [
        ([10, 9], ["9", "10"]),
        (["10", "9"], ["10", "9"]),
        ([True, False], ["False", "True"]),
        ([1, "x"], ["1", "x"]),
    ],
    ids=["int", "text", "bool", "mixed"],
)
def test_conditions_are_text_whatever_the_table_has(types, names):
    design = ours.make_first_level_design_matrix(FRAMES, events(trial_type=pd.Series(types, dtype=object)))
    assert list(design.columns[:2]) == names
    design = ours.make_first_level_design_matrix(FRAMES, events(trial_type=types))
    assert list(design.columns[:2]) == names


def test_tables_are_read_from_files_and_never_changed(tmp_path):
    table = EVENTS.copy()
    design = ours.make_first_level_design_matrix(FRAMES, table)
    pd.testing.assert_frame_equal(table, EVENTS)
    for name, separator in (("e.tsv", "\t"), ("e.csv", ",")):
        EVENTS.to_csv(tmp_path / name, sep=separator, index=False)
        pd.testing.assert_frame_equal(
            ours.make_first_level_design_matrix(FRAMES, tmp_path / name), design, rtol=1e-14
        )


def test_overlapping_events_add_up():
    both = ours.compute_regressor([[5, 6], [4, 4], [1, 1]], "spm", FRAMES)[0]
    each = [ours.compute_regressor([[on], [4], [1]], "spm", FRAMES)[0] for on in (5, 6)]
    assert_allclose(both, each[0] + each[1], atol=1e-15)


# -- regressors, drifts, parameters --------------------------------------------------------------------------


def test_regressors_keep_their_names_and_values():
    regs = np.random.default_rng(1).normal(size=(60, 2)) + 5
    frame = pd.DataFrame(regs, columns=["x", "y"])
    for given, names in ((regs, ["reg0", "reg1"]), (frame, ["x", "y"])):
        design = ours.make_first_level_design_matrix(FRAMES, add_regs=given)
        assert_array_equal(design[names], regs)
    assert_array_equal(ours.make_first_level_design_matrix(FRAMES, add_regs=regs[:, 0])["reg0"], regs[:, 0])


@pytest.mark.parametrize(
    "regs, names, message",
    [
        (np.ones((59, 2)), None, "one row for each of the 60 samples"),
        (np.where(np.arange(60)[:, None] == 3, np.nan, [1.0, 2]), ["x", "y"], "'x', 'y', rows 3"),
        (np.where(np.arange(60)[:, None] == 3, [1, np.inf], 1.0), None, "'reg1', rows 3"),
        (np.ones((60, 2)), ["x"], "1 names, add_regs has 2 columns"),
        (np.ones((60, 2)), ["x", "x"], "same name: 'x'"),
        (np.ones((60, 1)), ["constant"], "same name: 'constant'"),
    ],
    ids=["rows", "nan", "inf", "few names", "twice", "constant"],
)
def test_regressors_that_do_not_fit_are_named(regs, names, message):
    with pytest.raises(ValueError, match=message):
        ours.make_first_level_design_matrix(FRAMES, add_regs=regs, add_reg_names=names)


def test_columns_that_depend_on_each_other_are_named_whatever_their_units():
    rng = np.random.default_rng(0)
    regs = pd.DataFrame({"x": rng.normal(size=60) * 1e-6, "big": rng.normal(size=60) * 1e9})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours.make_first_level_design_matrix(FRAMES, EVENTS, add_regs=regs)
    regs["twin"], regs["flat"] = -3 * regs["x"], 7.0
    with pytest.warns(UserWarning, match=r"depend on each other: x, twin, flat, constant\."):
        design = ours.make_first_level_design_matrix(FRAMES, EVENTS, add_regs=regs)
    assert_array_equal(design["flat"], 7.0)  # it is told of, and not changed


def test_a_span_gives_rank_coefficients_and_what_can_be_estimated():
    rng = np.random.default_rng(3)
    design = rng.normal(size=(30, 4)) * [1, 1e7, 1e-5, 1]
    design = np.c_[design, design[:, 0] + design[:, 3], np.zeros(30), np.ones(30)]
    span = Span.of(design)
    assert span.rank == np.linalg.matrix_rank(design / np.maximum(np.linalg.norm(design, axis=0), 1)) == 5
    assert_allclose(span.basis @ span.rows, design, rtol=1e-9, atol=1e-9)
    y = rng.normal(size=30)
    fitted = span.basis @ (span.basis.T @ y)
    assert_allclose(design @ (span.back @ (span.basis.T @ y)), fitted, atol=1e-10)
    assert span.dependent() == [0, 3, 4, 5]
    eye = np.eye(7)
    assert [span.estimable(row) for row in eye] == [False, True, True, False, False, False, True]
    assert not span.estimable(eye[0] + eye[3])
    assert span.estimable(eye[0] - eye[3]) and span.estimable(eye[0] + eye[4])  # orthogonal to the dependence
    assert span.constant is not None and Span.of(design[:, :4]).constant is None


@pytest.mark.parametrize(
    "given, error, message",
    [
        (dict(drift_model="spline"), NotImplementedError, "'cosine', 'polynomial' or None"),
        (dict(high_pass=None), TypeError, "high_pass"),
        (dict(high_pass=-0.01), ValueError, "high_pass"),
        (dict(hrf_model="sp"), ValueError, "'spm', .*Did you mean 'spm'"),
        (dict(hrf_model=3), TypeError, "hrf_model"),
        (dict(hrf_model="fir", fir_delays=[1, 1]), ValueError, "repeat"),
        (dict(hrf_model="fir", fir_delays=[-1]), ValueError, "negative"),
        (dict(oversampling=0), ValueError, "oversampling"),
        (dict(frame_times=[0.0]), ValueError, "at least two"),
        (dict(frame_times=[0, 2.0, 2.0]), ValueError, "ascend"),
        (dict(drift_model="polynomial", drift_order=-1), ValueError, "drift_order"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_parameters_that_mean_nothing_are_named(given, error, message):
    with pytest.raises(error, match=message):
        ours.make_first_level_design_matrix(**{"frame_times": FRAMES, "events": EVENTS} | given)


def test_a_cut_off_above_half_the_sampling_rate_saturates_with_a_warning():
    with pytest.warns(UserWarning, match="half the sampling rate"):
        design = ours.make_first_level_design_matrix(FRAMES, high_pass=0.3)
    assert design.shape[1] == 60


def test_the_parts_of_a_design_are_checked():
    design = ours.make_first_level_design_matrix(FRAMES, EVENTS)
    times, matrix, names = ours.check_design_matrix(design)
    assert_array_equal(times, FRAMES)
    assert_array_equal(matrix, design)
    assert names == list(design.columns)
    with pytest.raises(ValueError, match="column 'a', row 2"):
        ours.check_design_matrix(design.mask((design.index == 4.0)[:, None] & (design.columns == "a")))
    with pytest.raises(TypeError, match="data frame"):
        ours.check_design_matrix(design.to_numpy())
    with pytest.raises(ValueError, match="same name: 'a'"):
        ours.check_design_matrix(design.rename(columns={"b": "a"}))
