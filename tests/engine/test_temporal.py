"""Temporal operators: the documented steps, whatever the planner chooses, and nothing that is censored."""

from __future__ import annotations

import copy
import warnings

import nilearn.signal
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import signal as scipy_signal

from brainsieve import signal
from brainsieve.engine.temporal.filter import butterworth_sections
from brainsieve.engine.temporal.operator import CleaningSettings, plan_cleaning
from brainsieve.exceptions import AllVolumesRemovedError

T, F = 80, 6


def series(seed: int = 0, mean: float = 100.0, n: int = T) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return mean + rng.normal(size=(n, F)).cumsum(axis=0) + rng.normal(0, 3, (n, F))


def confounds(seed: int = 1, n_confounds: int = 4, n: int = T) -> np.ndarray:
    # White: random walks look like slow cosines, and whether they are "the same" is a matter of 0.9 or 0.91.
    return np.random.default_rng(seed).normal(size=(n, n_confounds))


def quietly(call, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*args, **kwargs)


def assert_same(ours, theirs, tolerance=1e-7):
    scale = np.maximum(theirs.std(axis=0), 1e-9)
    assert ours.shape == theirs.shape
    assert np.abs((ours - theirs) / scale).max() < tolerance


cleanings = st.fixed_dictionaries(
    {
        "detrend": st.booleans(),
        "standardize": st.sampled_from([None, "zscore_sample", "psc"]),
        "standardize_confounds": st.booleans(),
        "filter": st.sampled_from(["butterworth", "cosine", False]),
        "low_pass": st.sampled_from([None, 0.12]),
        "high_pass": st.sampled_from([None, 0.02]),
    }
)


@given(options=cleanings, n_confounds=st.integers(0, 6), mask=st.booleans(), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=120)
def test_clean_gives_the_peers_numbers(options, n_confounds, mask, seed):
    if options["filter"] == "cosine" and options["high_pass"] is None:
        options["high_pass"] = 0.01
    x = series(seed)
    arguments = dict(options, t_r=2.0, confounds=confounds(seed, n_confounds) if n_confounds else None)
    filtered = options["filter"] == "butterworth" and (options["low_pass"] or options["high_pass"])
    if mask and not filtered:
        # With a Butterworth filter the peer interpolates other samples than those that are censored.
        arguments["sample_mask"] = np.setdiff1d(np.arange(T), [3, 4, 30, 79])
    ours = quietly(signal.clean, x, **arguments)
    theirs = quietly(nilearn.signal.clean, x, **arguments)
    assert_same(ours, theirs)


@pytest.mark.parametrize(
    "options",
    [
        {"butterworth__order": 3},
        {"butterworth__padtype": "even"},
        {"butterworth__padlen": 20},
        {"butterworth__padtype": "constant"},
    ],
    ids=str,
)
def test_filter_options_give_the_peers_numbers(options):
    arguments = dict(low_pass=0.1, high_pass=0.01, t_r=2.0, confounds=confounds(), **options)
    assert_same(signal.clean(series(), **arguments), quietly(nilearn.signal.clean, series(), **arguments))


def cleaned_by_definition(x, kept, regressors, low, high, tr, extrapolate=False):
    """Interpolate, detrend, filter, censor, regress, z-score, each written plainly."""
    from scipy.interpolate import CubicSpline

    span = np.arange(len(x)) if extrapolate else np.arange(kept[0], kept[-1] + 1)

    def prepared(data):
        filled = np.array(CubicSpline(kept, data[kept], axis=0)(span))
        filled[np.searchsorted(span, kept)] = data[kept]
        filled = scipy_signal.detrend(filled, axis=0)
        sos = scipy_signal.butter(5, (high, low), "bandpass", output="sos", fs=1 / tr)
        filled = scipy_signal.sosfiltfilt(sos, filled, axis=0)
        return filled[np.searchsorted(span, kept)]

    y, c = prepared(x), prepared(regressors)
    c = (c - c.mean(axis=0)) / c.std(axis=0, ddof=1)
    y = y - c @ np.linalg.lstsq(c, y, rcond=None)[0]
    return (y - y.mean(axis=0)) / y.std(axis=0, ddof=1)


CENSORED = {
    "asymmetric": [7, 8, 33],
    "mirrored": [20, 59],
    "symmetric": [10, 69, 39, 40],
    "start": [0, 1, 2],
    "end": [78, 79],
    "both ends": [0, 1, 2, 77, 78, 79],
    "all over": [0, 5, 6, 40, 41, 42, 70, 79],
}


@pytest.mark.parametrize("censored", CENSORED)
@pytest.mark.parametrize("extrapolate", [False, True])
def test_censoring_before_a_filter_interpolates_exactly_the_censored(censored, extrapolate):
    kept = np.setdiff1d(np.arange(T), CENSORED[censored])
    x, c = series(), confounds()
    expected = cleaned_by_definition(x, kept, c, 0.1, 0.01, 2.0, extrapolate)
    got = signal.clean(
        x, confounds=c, sample_mask=kept, low_pass=0.1, high_pass=0.01, t_r=2.0, extrapolate=extrapolate
    )
    assert_same(got, expected)


@pytest.mark.parametrize("censored", CENSORED)
@pytest.mark.parametrize("filter_", ["butterworth", "cosine", False])
@pytest.mark.parametrize("detrend", [False, True])
def test_what_is_censored_cannot_matter(censored, filter_, detrend):
    kept = np.setdiff1d(np.arange(T), CENSORED[censored])
    options = dict(
        sample_mask=kept, high_pass=0.02, t_r=2.0, filter=filter_, detrend=detrend, standardize="psc"
    )
    x, c = series(), confounds()
    expected = quietly(signal.clean, x, confounds=c, **options)
    for value in (1e30, np.nan, -np.inf):
        x[CENSORED[censored]] = value
        c[CENSORED[censored]] = value
        assert_array_equal(quietly(signal.clean, x, confounds=c, **options), expected)


@given(options=cleanings, seed=st.integers(0, 20), mask=st.booleans())
@settings(deadline=None, max_examples=60)
def test_the_matrix_and_the_steps_are_one_operator(options, seed, mask):
    if options["filter"] == "cosine" and options["high_pass"] is None:
        options["high_pass"] = 0.01
    settings_ = CleaningSettings(t_r=2.0, **options)
    kept = np.setdiff1d(np.arange(T), [0, 9, 40, 41]) if mask else None
    results = []
    for how in ("matrix", "steps"):
        plan = quietly(plan_cleaning, T, settings_, confounds=confounds(seed), sample_mask=kept, how=how)
        values = np.ascontiguousarray(series(seed)[plan.kept])
        quietly(plan.apply, values)
        results.append(values)
    assert_same(results[0], results[1], 1e-8)


def test_threads_and_tiles_do_not_change_results(monkeypatch):
    plan = plan_cleaning(
        T, CleaningSettings(detrend=True, standardize="zscore_sample"), confounds=confounds()
    )
    x = np.random.default_rng(0).normal(size=(T, 3000))
    expected = x.copy()
    plan.apply(expected)
    monkeypatch.setattr("brainsieve.engine.temporal.operator.TILE_BYTES", 2**15)
    for n_threads in (1, 2, 5):
        values = x.copy()
        plan.apply(values, n_threads=n_threads)
        assert_allclose(values, expected, atol=1e-12)


def test_an_offset_is_part_of_the_series():
    plan = plan_cleaning(T, CleaningSettings(standardize="psc", low_pass=0.1, t_r=2.0), confounds=confounds())
    x = series()
    offset = x[0].copy()
    values, whole = x - offset, x.copy()
    plan.apply(values, offset=offset)
    plan.apply(whole)
    assert_allclose(values, whole, atol=1e-10)


def test_float32_with_a_large_mean_keeps_its_digits():
    x = (1e4 + np.random.default_rng(0).normal(size=(T, F))).astype(np.float32)
    got = signal.clean(x)
    assert got.dtype == np.float32
    assert_same(got, signal.clean(x.astype(np.float64)), 1e-5)


@pytest.mark.parametrize("value", [0.0, 1.0, 1000.1, -3e7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_series_comes_out_as_zeros(value, dtype):
    x = series().astype(dtype)
    x[:, 2] = value
    options = dict(low_pass=0.1, high_pass=0.01, t_r=2.0, confounds=confounds())
    assert_array_equal(signal.clean(x, **options)[:, 2], 0)
    assert_array_equal(signal.clean(x, standardize=None, **options)[:, 2], 0)


def test_what_confounds_explain_comes_out_as_zeros():
    x, c = series(), confounds()
    x[:, 1] = 50 + c @ [1, 2, 3, 4]
    assert_array_equal(signal.clean(x, confounds=c)[:, 1], 0)


def test_as_many_confounds_as_samples_leave_zeros_and_say_so():
    with pytest.warns(UserWarning, match=r"rank 78.*80 samples"):
        cleaned = signal.clean(series(), confounds=confounds(n_confounds=90))
    assert_array_equal(cleaned, 0)


def test_collinear_confounds_count_once():
    c = confounds()
    twice = np.hstack([c, c @ np.ones((4, 1)), c[:, :1] * 1e6])
    assert_allclose(signal.clean(series(), confounds=twice), signal.clean(series(), confounds=c), atol=1e-8)


@pytest.mark.parametrize("interleaved", [False, True])
def test_runs_are_cleaned_alone_and_rows_keep_their_place(interleaved):
    runs = np.tile([0, 1], T // 2) if interleaved else np.repeat([1, 0], T // 2)
    options = dict(standardize_confounds=False, low_pass=0.2, t_r=2.0, butterworth__order=2)
    got = signal.clean(series(), runs=runs, confounds=confounds(), **options)
    for run in (0, 1):
        mine = runs == run
        alone = signal.clean(series()[mine], confounds=confounds()[mine], **options)
        assert_allclose(got[mine], alone, atol=1e-10)


def test_runs_with_sample_masks_keep_rows_in_order_of_time():
    runs = np.repeat([0, 1], 40)
    masks = [np.arange(2, 40), np.arange(0, 35)]
    got = signal.clean(series(), runs=runs, sample_mask=masks)
    first = signal.clean(series()[:40], sample_mask=masks[0])
    assert got.shape == (73, F)
    assert_allclose(got[:38], first, atol=1e-10)


def test_inputs_are_not_modified():
    x, c, mask = series(), pd.DataFrame(confounds()), np.arange(3, 77, dtype=np.int32)
    before = copy.deepcopy((x, c, mask))
    signal.clean(x, confounds=[c, c.to_numpy()], sample_mask=mask, low_pass=0.1, t_r=2.0, ensure_finite=True)
    assert_array_equal(x, before[0])
    pd.testing.assert_frame_equal(c, before[1])
    assert_array_equal(mask, before[2])


def test_confounds_come_in_many_forms(tmp_path):
    c = confounds()
    names = list("abcd")
    frame = pd.DataFrame(c, columns=names)
    frame.to_csv(tmp_path / "c.tsv", sep="\t", index=False)
    frame.to_csv(tmp_path / "c.csv", index=False)
    np.savetxt(tmp_path / "plain.txt", c)
    expected = signal.clean(series(), confounds=c)
    for given_ in (
        frame,
        pl.DataFrame({name: frame[name].to_numpy() for name in names}),
        tmp_path / "c.tsv",
        str(tmp_path / "c.csv"),
        tmp_path / "plain.txt",
        [c[:, :2], frame[["c", "d"]]],
        [tmp_path / "c.tsv"],
    ):
        assert_allclose(signal.clean(series(), confounds=given_), expected, atol=1e-9)


WRONG = [
    (dict(high_pass=0.1, low_pass=0.05), ValueError, "high_pass=0.1 Hz is not below low_pass=0.05"),
    (dict(low_pass=0.1, t_r=None), ValueError, "t_r is None"),
    (dict(low_pass=-0.1), ValueError, "low_pass must be finite and not negative"),
    (dict(t_r=np.nan), ValueError, "t_r must be finite"),
    (dict(t_r=-2), ValueError, "t_r must be finite and positive"),
    (dict(filter="butterwurst"), ValueError, "Did you mean 'butterworth'"),
    (dict(standardize="zscore"), ValueError, "zscore_sample"),
    (dict(filter="cosine"), ValueError, "needs high_pass"),
    (dict(butterworth__ordre=3), TypeError, "Did you mean 'butterworth__order'"),
    (dict(confounds=np.zeros((7, 2))), ValueError, "7 rows.*80 scans"),
    (dict(confounds=np.zeros((T, 2, 2))), ValueError, "n_confounds"),
    (dict(confounds=[[1.0, 2.0]]), TypeError, "list inside a list"),
    (dict(confounds=[1.0] * T), TypeError, "list of numbers"),
    (dict(confounds="no/such/file.tsv"), ValueError, "File not found"),
    (dict(confounds=3.0), TypeError, "array, a data frame"),
    (dict(sample_mask=[T]), IndexError, "index 80"),
    (dict(sample_mask=[-1, 3]), ValueError, "negative index"),
    (dict(sample_mask=[1, 1, 2]), ValueError, "more than once"),
    (dict(sample_mask=[5, 2, 9]), ValueError, "not sorted"),
    (dict(sample_mask=np.ones(T, dtype=int)), ValueError, "integers are indices"),
    (dict(sample_mask=np.ones(7, dtype=bool)), ValueError, "7 booleans"),
    (dict(sample_mask=np.arange(T + 1)), IndexError, "81 indices"),
    (dict(sample_mask=[0.5, 1.5]), TypeError, "dtype is float64"),
    (dict(sample_mask=np.zeros(T, dtype=bool)), AllVolumesRemovedError, "keeps no sample"),
    (dict(sample_mask=[]), AllVolumesRemovedError, "keeps no sample"),
    (dict(sample_mask=[5], low_pass=0.1), ValueError, "keeps 1 sample.*at least 2"),
    (dict(runs=np.zeros(5)), ValueError, r"shape \(80,\)"),
    (
        dict(sample_mask=np.arange(30), low_pass=0.1, high_pass=0.01),
        ValueError,
        "30 samples, too few.*butterworth__padlen",
    ),
]


@pytest.mark.parametrize("options, error, words", WRONG, ids=lambda v: str(v)[:40])
def test_wrong_options_are_named(options, error, words):
    with pytest.raises(error, match=words):
        signal.clean(series(), **options)


def test_nan_in_confounds_are_named_with_a_hint():
    c = pd.DataFrame(confounds(), columns=["csf", "wm", "dvars", "x"])
    c.loc[0, "dvars"] = np.nan
    with pytest.raises(ValueError, match=r"columns 'dvars', rows 0.*load_confounds"):
        signal.clean(series(), confounds=c)


def test_words_in_confounds_are_named(tmp_path):
    table = pd.DataFrame({"a": np.arange(T), "b": ["word"] * T})
    with pytest.raises(TypeError, match="column 'b' holds no number in row 0: 'word'"):
        signal.clean(series(), confounds=table)


def test_cut_offs_at_nyquist_are_lowered_with_a_warning():
    with pytest.warns(UserWarning, match="Nyquist frequency, 0.25 Hz"):
        signal.clean(series(), low_pass=0.3, high_pass=0.01, t_r=2.0)
    with pytest.warns(UserWarning, match="period.*1 / 128"):
        signal.clean(series(), high_pass=128, t_r=2.0)
    with pytest.warns(UserWarning, match="not filtered"):
        signal.clean(series(), low_pass=0.4, high_pass=0.3, t_r=2.0)


def test_a_high_pass_of_zero_is_none():
    expected = signal.clean(series(), low_pass=0.1, t_r=2.0)
    assert_array_equal(signal.clean(series(), low_pass=0.1, high_pass=0, t_r=2.0), expected)


def test_unused_cut_offs_warn():
    with pytest.warns(UserWarning, match="filter is False"):
        signal.clean(series(), filter=False, low_pass=0.1)
    with pytest.warns(UserWarning, match="no low-pass"):
        signal.clean(series(), filter="cosine", low_pass=0.1, high_pass=0.01, t_r=2.0)
    with pytest.warns(UserWarning, match="too short for a cosine"):
        signal.clean(series(), filter="cosine", high_pass=1e-4, t_r=2.0)
    with pytest.warns(UserWarning, match="hold cosines already"):
        drift = signal.create_cosine_drift(T, 2.0, 0.02)
        signal.clean(series(), filter="cosine", high_pass=0.02, t_r=2.0, confounds=drift)


def test_one_sample_is_left_alone_with_warnings():
    with pytest.warns(UserWarning, match="one sample"):
        assert_array_equal(signal.clean(series()[:1]), series()[:1])


@pytest.mark.parametrize("order", [400, 1000, 99_999])
def test_an_order_whose_coefficients_numbers_do_not_hold_is_refused(order):
    with pytest.raises(ValueError, match=f"butterworth__order={order} is too high"):
        butterworth_sections(0.5, 0.1, 0.01, order)


def test_butterworth_is_scipys_in_place_or_not():
    x = series()
    sos = scipy_signal.butter(5, (0.01, 0.1), "bandpass", output="sos", fs=0.5)
    expected = scipy_signal.sosfiltfilt(sos, x, axis=0)
    copied = signal.butterworth(x, 0.5, 0.1, 0.01, copy=True)
    assert_allclose(copied, expected, atol=1e-9)
    assert_array_equal(x, series())
    assert signal.butterworth(x, 0.5, 0.1, 0.01) is x
    assert_allclose(x, expected, atol=1e-9)


def test_high_variance_confounds_are_the_peers_up_to_sign():
    x = np.random.default_rng(0).normal(size=(60, 500)) * np.random.default_rng(1).random(500)
    ours = signal.high_variance_confounds(x, percentile=5)
    theirs = nilearn.signal.high_variance_confounds(x, percentile=5)
    assert_allclose(np.abs((ours * theirs).sum(axis=0)), 1, atol=1e-9)


def test_streamed_high_variance_confounds_are_those_of_the_array(rng):
    import nibabel as nib

    from brainsieve.image import high_variance_confounds

    data = 500 + rng.normal(size=(8, 7, 6, 50)) * rng.random((8, 7, 6, 1)) * 20
    img = nib.Nifti1Image(data.astype(np.int16), np.eye(4))
    flat = np.asarray(img.dataobj).reshape(-1, 50).T
    assert_allclose(
        np.abs(high_variance_confounds(img)), np.abs(signal.high_variance_confounds(flat)), atol=1e-8
    )
