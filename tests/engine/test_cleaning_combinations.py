"""Cleaning with its options together, each step written plainly with NumPy and SciPy; and the ends of every option."""

from __future__ import annotations

import itertools
import warnings

import nilearn.signal
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import signal as scipy_signal
from scipy.interpolate import CubicSpline

from brainsieve import signal
from brainsieve.engine.temporal.operator import CleaningSettings, plan_cleaning

T, F, TR = 90, 5, 2.0


def series(n=T):
    rng = np.random.default_rng(5)
    x = 300 + rng.normal(size=(n, F)).cumsum(axis=0) + rng.normal(0, 4, (n, F))
    x[:, 3] = -50 + 0.1 * x[:, 3]
    return x


def confounds(n=T):
    return np.random.default_rng(6).normal(3, 2, size=(n, 3))


# -- the twin ------------------------------------------------------------------------------------------------


def clean_one_run(
    x, c, kept, *, detrend, standardize, standardize_confounds, filter, low_pass, high_pass, extrapolate
):
    n = len(x)
    filters = filter == "butterworth" and (low_pass or high_pass)
    span = kept
    if filters and len(kept) < n:
        span = np.arange(n) if extrapolate else np.arange(kept[0], kept[-1] + 1)
    columns = [] if c is None else [c]
    if filter == "cosine":
        k = np.arange(1, int(np.floor(2 * n * high_pass * TR)) + 1)
        columns.append(np.cos(np.pi / n * (np.arange(n)[:, None] + 0.5) * k))

    def prepared(data):
        filled = np.array(data[kept] if len(span) == len(kept) else CubicSpline(kept, data[kept])(span))
        before = filled.mean(axis=0)
        if detrend:
            filled = scipy_signal.detrend(filled, axis=0)
        if filters:
            kind = "bandpass" if low_pass and high_pass else "lowpass" if low_pass else "highpass"
            cut = (high_pass, low_pass) if kind == "bandpass" else low_pass or high_pass
            sos = scipy_signal.butter(5, cut, kind, output="sos", fs=1 / TR)
            filled = scipy_signal.sosfiltfilt(sos, filled, axis=0)
        return filled[np.searchsorted(span, kept)], before

    y, before = prepared(x)
    if columns:
        z = prepared(np.hstack(columns))[0]
        if standardize_confounds:
            z = (z - z.mean(axis=0)) / z.std(axis=0, ddof=1)
        y = y - z @ np.linalg.lstsq(z, y, rcond=None)[0]
    if standardize == "zscore_sample":
        return (y - y.mean(axis=0)) / y.std(axis=0, ddof=1)
    if standardize == "psc":
        mean = y.mean(axis=0)
        removed = np.abs(mean).sum() < 0.1 * np.abs(before).sum()
        return 100 * (y - mean) / np.abs(mean + before if removed else mean)
    return y


def twin(x, c, masks, runs, **options):
    out = []
    for run, mask in zip(np.unique(runs), masks, strict=True):
        mine = np.flatnonzero(runs == run)
        kept = np.arange(len(mine)) if mask is None else mask
        cleaned = clean_one_run(x[mine], None if c is None else c[mine], kept, **options)
        out += list(zip(mine[kept], cleaned, strict=True))
    return np.array([row for _, row in sorted(out, key=lambda pair: pair[0])])


RUNS = {
    "one run": np.zeros(T),
    "two runs": np.repeat([1, 0], [40, 50]),
    "interleaved": np.tile([0, 1], T // 2),
}
FILTERS = [
    dict(filter="butterworth", low_pass=0.1, high_pass=None),
    dict(filter="butterworth", low_pass=None, high_pass=0.02),
    dict(filter="butterworth", low_pass=0.15, high_pass=0.02),
    dict(filter="cosine", low_pass=None, high_pass=0.012),
    dict(filter=False, low_pass=None, high_pass=None),
]


@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize("masked", [False, True], ids=["all samples", "censored"])
@pytest.mark.parametrize("filter_", FILTERS, ids=lambda f: "-".join(str(v) for v in f.values()))
@pytest.mark.parametrize("how", ["matrix", "steps"])
def test_cleaning_is_its_steps_in_order(runs, masked, filter_, how, monkeypatch):
    monkeypatch.setattr("brainsieve.engine.temporal.operator.LARGE", 10**6 if how == "matrix" else 0)
    ids = RUNS[runs]
    lengths = [int((ids == run).sum()) for run in np.unique(ids)]
    masks = [np.setdiff1d(np.arange(n), [0, 7, 8, n // 2, n - 1]) if masked else None for n in lengths]
    given_runs = None if runs == "one run" else ids
    given_masks = None if not masked else masks[0] if given_runs is None else masks
    x, c = series(), confounds()
    if masked:
        for run, n in zip(np.unique(ids), lengths, strict=True):
            # What is censored cannot matter, nor what ensure_finite would make of it.
            x[np.flatnonzero(ids == run)[[0, 7, n - 1]]] = (np.nan, 1e20, -np.inf, 3, np.nan)
            c[np.flatnonzero(ids == run)[[8, n // 2]]] = np.nan
    for detrend, standardize, regress, zscored, extrapolate in itertools.product(
        (False, True), (None, "zscore_sample", "psc"), (False, True), (False, True), (False, True)
    ):
        options = dict(
            detrend=detrend,
            standardize=standardize,
            standardize_confounds=zscored,
            extrapolate=extrapolate,
            **filter_,
        )
        regressors = c if regress else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got = signal.clean(
                x,
                given_runs,
                confounds=regressors,
                sample_mask=given_masks,
                t_r=TR,
                ensure_finite=zscored,
                **options,
            )
        expected = twin(x, regressors, masks, ids, **options)
        assert got.shape == expected.shape
        assert np.abs(got - expected).max() < 1e-8 * np.abs(expected).max(), options


@pytest.mark.parametrize(
    "dtype", ["int8", "int16", "uint16", "int32", "int64", "float32", "float64", ">f4", ">i2"]
)
def test_every_dtype_gives_the_numbers_of_its_values(dtype):
    x = series().round() if np.dtype(dtype) != np.int8 else (series() / 10).round()
    x[:, 3] = np.abs(x[:, 3])
    if np.dtype(dtype).itemsize == 4 and np.dtype(dtype).kind == "i":
        x += 2**30  # beyond what float32 holds
    x = x.astype(dtype)
    before = x.copy()
    options = dict(confounds=confounds(), low_pass=0.1, high_pass=0.01, t_r=TR)
    got = signal.clean(x, **options)
    assert got.dtype == (np.float64 if np.dtype(dtype).itemsize == 8 else np.float32)
    assert_allclose(got, signal.clean(x.astype(np.float64), **options), atol=1e-5)
    assert_array_equal(x, before)


def test_frames_lists_and_one_column_are_taken():
    x = series()
    expected = signal.clean(x)
    assert_allclose(signal.clean(pd.DataFrame(x)), expected)
    assert_allclose(signal.clean(x.tolist()), expected)
    assert_allclose(signal.clean(x[:, 1]), expected[:, 1])
    assert_allclose(signal.clean(np.asfortranarray(x)[::-1][::-1]), expected)


def test_ensure_finite_takes_what_is_not_finite_as_zero():
    x = series()
    x[4, 2], x[60, 0] = np.nan, np.inf
    zeroed = np.where(np.isfinite(x), x, 0)
    for options in (dict(), dict(detrend=False, standardize=None), dict(confounds=confounds(), low_pass=0.1)):
        assert_allclose(
            signal.clean(x, ensure_finite=True, **options), signal.clean(zeroed, **options), atol=1e-9
        )


def test_ensure_finite_is_zero_of_the_series_not_of_its_deviations():
    plan = plan_cleaning(T, CleaningSettings(ensure_finite=True))
    assert not plan.is_identity
    x = series()
    x[4, 2] = np.nan
    offset = np.full(F, 100.0)
    values = x - offset
    plan.apply(values, offset=offset)
    assert_allclose(values, np.where(np.isfinite(x), x, 0), atol=1e-9)


# -- float32 of long runs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("standardize", [None, "zscore_sample", "psc"])
@pytest.mark.parametrize("detrend", [False, True])
def test_long_runs_in_float32_keep_the_digits_of_what_varies(standardize, detrend):
    """Their product is in float32, of deviations: means are neither lost nor restored where they were taken out."""
    n = 600
    x = (5000 + series(n)).astype(np.float32)
    c = confounds(n)
    for options in (dict(confounds=c), dict(low_pass=0.1, t_r=TR), dict(confounds=c, high_pass=0.02, t_r=TR)):
        options |= dict(standardize=standardize, detrend=detrend)
        expected = signal.clean(x.astype(np.float64), **options)
        got = signal.clean(x, **options)
        assert np.abs(got - expected).max() < 2e-4 * expected.std() + 1e-7 * np.abs(expected).max()


# -- percent signal change -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("detrend", [False, True])
def test_percent_change_of_a_mean_of_zero_is_zero_and_said_once(dtype, detrend, monkeypatch):
    monkeypatch.setattr("brainsieve.engine.temporal.operator.TILE_BYTES", 1)  # sixteen columns a tile
    x = np.tile(series(), (1, 10))
    x[:, 7] -= x[:, 7].mean()
    x[:, 41] -= x[:, 41].mean()
    x[:, 20] = 0
    with pytest.warns(UserWarning, match="3 series have a mean of 0") as caught:
        got = signal.clean(x.astype(dtype), standardize="psc", detrend=detrend)
    assert len(caught) == 1
    assert_array_equal(got[:, [7, 20, 41]], 0)
    others = np.setdiff1d(np.arange(50), [7, 20, 41])
    assert_allclose(got[:, others], signal.clean(x[:, others], standardize="psc", detrend=detrend), atol=2e-4)


def test_percent_change_of_a_small_mean_is_what_it_is():
    x = series()
    x[:, 0] += 1e-3 - x[:, 0].mean()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = signal.clean(x, standardize="psc", detrend=False)
    assert_allclose(got[:, 0], 100 * (x[:, 0] - 1e-3) / 1e-3, rtol=1e-6)


# -- values that a parameter does not have -------------------------------------------------------------------

NAN, INF = float("nan"), float("inf")
WRONG = [
    ("clean", dict(detrend="yes"), TypeError, "detrend must be True or False; 'yes'"),
    ("clean", dict(detrend=None), TypeError, "detrend must be True or False"),
    ("clean", dict(standardize_confounds=1), TypeError, "standardize_confounds must be True or False"),
    ("clean", dict(ensure_finite="x"), TypeError, "ensure_finite must be True or False"),
    ("clean", dict(extrapolate=1), TypeError, "extrapolate must be True or False"),
    ("clean", dict(standardize="no"), ValueError, "standardize must be one of 'zscore_sample'"),
    ("clean", dict(standardize=1), ValueError, "standardize must be one of"),
    ("clean", dict(filter="none"), ValueError, "filter must be one of"),
    ("clean", dict(filter=None), ValueError, "filter must be one of"),
    ("clean", dict(filter=0), ValueError, "filter must be one of"),
    ("clean", dict(filter=True), ValueError, "filter must be one of"),
    ("clean", dict(filter=["cosine"]), ValueError, "filter must be one of"),
    ("clean", dict(low_pass=NAN), ValueError, "low_pass must be finite and not negative; nan"),
    ("clean", dict(high_pass=INF), ValueError, "high_pass must be finite"),
    ("clean", dict(low_pass="0.1"), TypeError, "low_pass must be a number or None; '0.1'"),
    ("clean", dict(low_pass=True), TypeError, "low_pass must be a number or None; True"),
    ("clean", dict(t_r=0), ValueError, "t_r must be finite and positive; 0"),
    ("clean", dict(t_r=-1.0, low_pass=0.1), ValueError, "t_r must be finite and positive"),
    ("clean", dict(t_r="2"), TypeError, "t_r must be a number"),
    ("clean", dict(butterworth__order=0), ValueError, "butterworth__order must be at least 1; 0"),
    ("clean", dict(butterworth__order=2.5), TypeError, "butterworth__order must be a whole number"),
    ("clean", dict(butterworth__padtype="odds"), ValueError, "butterworth__padtype.*Did you mean 'odd'"),
    ("clean", dict(butterworth__padlen=-1), ValueError, "butterworth__padlen must be at least 0"),
    ("clean", dict(butterworth__copy="x"), TypeError, "butterworth__copy must be True or False"),
    ("standardize_signal", dict(detrend="yes"), TypeError, "detrend must be True or False"),
    ("standardize_signal", dict(standardize="z"), ValueError, "standardize must be one of"),
    ("butterworth", dict(sampling_rate=0), ValueError, "sampling_rate must be finite and positive; 0"),
    ("butterworth", dict(sampling_rate=NAN), ValueError, "sampling_rate must be finite and positive"),
    ("butterworth", dict(sampling_rate=None), TypeError, "sampling_rate must be a number"),
    ("butterworth", dict(sampling_rate=0.5, low_pass=NAN), ValueError, "low_pass must be finite"),
    ("butterworth", dict(sampling_rate=0.5, low_pass=0.1, order=-2), ValueError, "order must be at least 1"),
    ("butterworth", dict(sampling_rate=0.5, low_pass=0.1, padtype="x"), ValueError, "padtype must be one of"),
    ("butterworth", dict(sampling_rate=0.5, low_pass=0.1, padlen=1.5), TypeError, "padlen must be a whole"),
    ("butterworth", dict(sampling_rate=0.5, low_pass=0.1, padlen=500), ValueError, "90 samples, too few"),
    ("butterworth", dict(sampling_rate=0.5, low_pass=0.1, copy=3), TypeError, "copy must be True or False"),
    ("high_variance_confounds", dict(n_confounds=-1), ValueError, "n_confounds must be at least 0"),
    ("high_variance_confounds", dict(n_confounds=2.0), TypeError, "n_confounds must be a whole number"),
    (
        "high_variance_confounds",
        dict(percentile=101),
        ValueError,
        "percentile must be a number from 0 to 100",
    ),
    (
        "high_variance_confounds",
        dict(percentile=NAN),
        ValueError,
        "percentile must be a number from 0 to 100",
    ),
    ("high_variance_confounds", dict(percentile=None), TypeError, "percentile must be a number"),
    ("high_variance_confounds", dict(detrend="no"), TypeError, "detrend must be True or False"),
]


@pytest.mark.parametrize("name, options, error, words", WRONG, ids=str)
def test_values_that_a_parameter_does_not_have_are_named(name, options, error, words):
    with pytest.raises(error, match=words):
        getattr(signal, name)(series(), **options)


@pytest.mark.parametrize("name", ["clean", "standardize_signal", "high_variance_confounds", "butterworth"])
@pytest.mark.parametrize(
    "given",
    [
        "text",
        np.zeros((4, 3, 2)),
        np.zeros((0, 3)),
        np.zeros((5, 2), complex),
        np.array([["a"], ["b"]]),
        3.0,
        None,
    ],
)
def test_signals_that_are_no_series_are_refused(name, given):
    more = dict(sampling_rate=0.5, low_pass=0.1) if name == "butterworth" else {}
    with pytest.raises(ValueError, match="must be real numbers of shape"):
        getattr(signal, name)(given, **more)


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        ((0, 2.0, 0.01), ValueError, "n_samples must be at least 1"),
        ((4.0, 2.0, 0.01), TypeError, "n_samples must be a whole number"),
        ((90, 0, 0.01), ValueError, "tr must be finite and positive"),
        ((90, 2.0, NAN), ValueError, "high_pass must be finite"),
        ((90, 2.0, -1), ValueError, "high_pass must be finite and not negative"),
    ],
    ids=str,
)
def test_cosines_of_no_run_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        signal.create_cosine_drift(*arguments)


def test_one_sample_and_one_series():
    with pytest.warns(UserWarning, match="one sample"):
        assert_array_equal(signal.clean(np.array([[3.0, 4.0]]), detrend=True), [[3.0, 4.0]])
    x = series()[:, :1]
    assert_allclose(
        signal.clean(x, low_pass=0.1, t_r=TR), signal.clean(series(), low_pass=0.1, t_r=TR)[:, :1]
    )
    assert signal.clean(np.zeros((20, 0))).shape == (20, 0)


def test_two_samples_are_standardized():
    assert_allclose(signal.clean([[1.0, 5.0], [3.0, 5.0]], detrend=False), [[-(0.5**0.5), 0], [0.5**0.5, 0]])


# -- high variance -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("detrend", [False, True])
@pytest.mark.parametrize("shape", [(40, 300), (120, 60), (30, 30)], ids=str)
def test_high_variance_components_are_the_peers(detrend, shape):
    rng = np.random.default_rng(1)
    x = (
        50 * rng.random(shape[1])
        + rng.normal(size=shape) * rng.random(shape[1])
        + np.linspace(0, 3, shape[0])[:, None]
    )
    ours = signal.high_variance_confounds(x, percentile=20, detrend=detrend)
    theirs = nilearn.signal.high_variance_confounds(x, percentile=20, detrend=detrend)
    assert ours.shape == theirs.shape
    assert_allclose(np.abs((ours * theirs).sum(axis=0)), 1, atol=1e-7)
    assert_allclose(ours.T @ ours, np.eye(5), atol=1e-10)


def test_components_without_products_of_all_samples_are_the_same(monkeypatch):
    x = np.random.default_rng(2).normal(size=(70, 50)) * np.linspace(0.1, 3, 50)
    expected = signal.high_variance_confounds(x, percentile=50)
    monkeypatch.setattr("brainsieve.engine.temporal.high_variance.EXACT", 0)
    found = signal.high_variance_confounds(x, percentile=50)
    assert_allclose(found, expected, atol=1e-9)
    assert_array_equal(signal.high_variance_confounds(x, percentile=50), found)


@pytest.mark.parametrize("exact", [0, 2, 10_000])
@pytest.mark.parametrize("shape", [(5, 40), (40, 7), (12, 11)], ids=str)
def test_components_are_as_many_as_there_are_at_the_most_and_the_same_each_time(exact, shape, monkeypatch):
    """Signs too: the largest entry of each is positive."""
    monkeypatch.setattr("brainsieve.engine.temporal.high_variance.EXACT", exact)
    x = np.random.default_rng(6).normal(size=shape)
    found = signal.high_variance_confounds(x, n_confounds=5, percentile=100, detrend=False)
    assert found.shape == (shape[0], 5)
    power = (x**2).mean(axis=0)
    strongest = np.linalg.svd(x[:, power > power.min()])[0][:, :5]
    assert_allclose(np.abs((found * strongest).sum(axis=0)), 1, atol=1e-6)
    assert (found[np.abs(found).argmax(axis=0), np.arange(5)] > 0).all()
    again = signal.high_variance_confounds(x, n_confounds=5, percentile=100, detrend=False)
    assert_array_equal(found, again)


def test_mean_squares_are_of_values_where_they_are_not_detrended():
    x = np.random.default_rng(7).normal(size=(60, 40))
    x[:, 8] = 50 + 0.01 * x[:, 8]
    (found,) = signal.high_variance_confounds(x, n_confounds=1, percentile=2, detrend=False).T
    assert_allclose(np.abs(found @ x[:, 8]) / np.linalg.norm(x[:, 8]), 1)


@pytest.mark.parametrize("others", [0.0, 1000.1, 1e7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 40])
def test_one_series_that_varies_is_a_component(others, dtype, n):
    x = np.full((60, n), others, dtype=dtype)
    x[::2] = np.nextafter(dtype(others), dtype(1e9)) if others else 0  # rounding
    x[:, n // 2] = np.random.default_rng(0).normal(100, 10, 60)
    with pytest.warns(UserWarning, match="have only 1 components"):
        (found,) = signal.high_variance_confounds(x).T
    expected = scipy_signal.detrend(x[:, n // 2].astype(float))
    assert_allclose(abs(found @ expected) / np.linalg.norm(expected), 1, atol=1e-6)


def test_series_that_vary_alike_are_a_component():
    x = np.random.default_rng(0).normal(size=(60, 1)).repeat(30, axis=1)
    with pytest.warns(UserWarning, match="have only 1 components"):
        assert signal.high_variance_confounds(x).shape == (60, 1)


@pytest.mark.parametrize("detrend", [False, True])
@pytest.mark.parametrize("value", [0.0, 3.3, -1e8])
def test_series_that_are_constant_have_no_components(detrend, value):
    with pytest.raises(ValueError, match="Each of the 20 points is constant"):
        signal.high_variance_confounds(np.full((50, 20), value), detrend=detrend)


def test_straight_lines_vary_only_where_they_are_not_detrended():
    x = np.arange(50.0)[:, None] * np.arange(1, 21) + 1000
    with pytest.raises(ValueError, match="straight line"):
        signal.high_variance_confounds(x)
    with pytest.warns(UserWarning, match="have only 1 components"):
        signal.high_variance_confounds(x, detrend=False)


def test_series_that_are_not_finite_take_no_part():
    x = np.random.default_rng(3).normal(size=(50, 40))
    expected = signal.high_variance_confounds(x, percentile=30)
    spoiled = np.hstack([x, x[:, :1] * 100])
    spoiled[7, -1] = np.nan
    assert_allclose(signal.high_variance_confounds(spoiled, percentile=30), expected)


# -- the ends of the filter ----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 5])
@pytest.mark.parametrize(
    "cut_offs", [dict(low_pass=0.1), dict(high_pass=0.05), dict(low_pass=0.1, high_pass=0.05)], ids=str
)
def test_the_shortest_run_that_a_filter_takes_is_scipys(order, cut_offs):
    kind = "bandpass" if len(cut_offs) == 2 else "lowpass" if "low_pass" in cut_offs else "highpass"
    cuts = sorted(cut_offs.values())
    sections = scipy_signal.butter(order, cuts if len(cuts) == 2 else cuts[0], kind, output="sos", fs=1 / TR)

    def scipy_takes(n):
        try:
            scipy_signal.sosfiltfilt(sections, np.zeros(n))
        except ValueError:
            return False
        return True

    shortest = next(n for n in range(2, 200) if scipy_takes(n))
    options = dict(butterworth__order=order, detrend=False, standardize=None, t_r=TR, **cut_offs)
    x = series()[:shortest]
    assert_allclose(signal.clean(x, **options), scipy_signal.sosfiltfilt(sections, x, axis=0), atol=1e-8)
    with pytest.raises(ValueError, match=f"{shortest - 1} samples, too few.*at least {shortest} are needed"):
        signal.clean(x[:-1], **options)
    shorter = signal.clean(x[:-1], butterworth__padlen=shortest - 2, **options)
    assert_allclose(
        shorter, scipy_signal.sosfiltfilt(sections, x[:-1], axis=0, padlen=shortest - 2), atol=1e-8
    )


# -- runs and samples at their ends --------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [np.nan, None, "a"])
def test_runs_without_an_id_are_refused(missing):
    runs = np.repeat([0, 1], T // 2).astype(object)
    runs[3] = missing
    for given in (runs, runs.astype(float)) if missing is np.nan else (runs,):
        with pytest.raises(ValueError, match="runs must be numbers or words"):
            signal.clean(series(), given)


def test_runs_may_be_words():
    runs = np.repeat([0, 1], T // 2)
    assert_array_equal(signal.clean(series(), np.array(["a", "b"])[runs]), signal.clean(series(), runs))


@pytest.mark.parametrize("runs", [None, np.r_[0, np.ones(T - 1)]], ids=["one run", "a run of one"])
def test_one_sample_that_is_left_is_not_standardized_and_that_is_said(runs):
    mask = [4] if runs is None else None
    with pytest.warns(UserWarning, match="one sample.*cannot be standardized"):
        got = signal.clean(series(), runs, detrend=False, sample_mask=mask)
    assert_array_equal(got[0], series()[4 if runs is None else 0])


def test_what_is_not_finite_stays_in_its_series():
    x = series()
    expected = signal.clean(x, confounds=confounds(), low_pass=0.1, t_r=TR, standardize="psc")
    x[5, 2] = np.nan
    got = signal.clean(x, confounds=confounds(), low_pass=0.1, t_r=TR, standardize="psc")
    others = [0, 1, 3, 4]
    assert_allclose(got[:, others], expected[:, others], atol=1e-9)
    assert np.isnan(got[:, 2]).all()


def test_components_by_lanczos_know_their_number(monkeypatch):
    monkeypatch.setattr("brainsieve.engine.temporal.high_variance.EXACT", 0)
    x = np.random.default_rng(0).normal(size=(70, 2)) @ np.random.default_rng(1).normal(size=(2, 60))
    with pytest.warns(UserWarning, match="have only 2 components"):
        found = signal.high_variance_confounds(x, percentile=100)
    assert_allclose(
        found @ (found.T @ scipy_signal.detrend(x, axis=0)), scipy_signal.detrend(x, axis=0), atol=1e-8
    )
