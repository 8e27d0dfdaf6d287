"""run_glm: by the peer on the same arrays, by textbook formulas, and by plain loops over samples."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from nilearn.glm import compute_contrast as peer_contrast
from nilearn.glm.first_level import run_glm as peer
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve.glm import compute_contrast
from brainsieve.glm.estimates import Noise
from brainsieve.glm.first_level import run_glm
from brainsieve.glm.first_level.scaling import mean_scaling
from brainsieve.glm.fitting import fit_series
from brainsieve.glm.results import whiten
from brainsieve.glm.sums import Lags, gather

T, V = 90, 150


def design(constant=True, seed=0):
    rng = np.random.default_rng(seed)
    columns = [rng.normal(size=(T, 3)), rng.normal(size=(T, 3)).cumsum(axis=0)]
    return np.column_stack([*columns, np.ones(T)] if constant else columns)


def series(X, seed=1, noise=0.5, level=500.0):
    rng = np.random.default_rng(seed)
    errors = rng.normal(size=(T, V))
    for t in range(1, T):
        errors[t] += np.linspace(-noise, noise, V) * errors[t - 1]
    return level + X @ rng.normal(size=(X.shape[1], V)) + errors


def as_numbers(labels):
    """Coefficients, for which 0.0 and -0.0 are the same."""
    return np.array([[float(part) for part in str(label).split("_")] for label in labels])


def blocks_of(Y, step=7):
    return lambda: (Y[start : start + step].copy() for start in range(0, len(Y), step))


@pytest.mark.parametrize("noise", ["ols", "ar1", "ar2", "ar4"])
@pytest.mark.parametrize("constant", [True, False])
def test_labels_and_statistics_are_those_of_the_peer(noise, constant):
    if noise != "ols" and not constant:
        pytest.skip("the peer takes one mean of all residuals out of each, where the design has no constant")
    X = design(constant)
    Y = series(X, level=500 if constant else 0)
    more = dict(noise_model=noise)
    if noise in ("ar2", "ar4"):
        # A cluster for each point: which points share one hangs on the last digit.
        Y = Y[:, ::8]
        more |= dict(bins=Y.shape[1], random_state=0)
    labels, results = run_glm(Y, X, **more)
    theirs, their_results = peer(Y, X, **more)
    assert_array_equal(as_numbers(labels), as_numbers(theirs))
    assert len(results) == len(their_results)
    for contrast in (np.eye(X.shape[1])[0], [1, -1], np.eye(X.shape[1])[:3]):
        mine = compute_contrast(labels, results, contrast)
        other = peer_contrast(theirs, their_results, np.asarray(contrast))
        assert (mine.dof, mine.dim) == (other.dof, other.dim)
        assert_allclose(mine.z_score(), other.z_score(), atol=1e-10)
        assert_allclose(mine.effect, other.effect, atol=1e-10)
        assert_allclose(mine.variance, other.variance, rtol=1e-10)
    label, mine = theirs[0], results[labels[0]]
    assert_allclose(mine.theta, their_results[label].theta, atol=1e-10)
    assert_allclose(mine.cov, their_results[label].cov, atol=1e-12)
    assert_allclose(mine.logL, their_results[label].logL, rtol=1e-10)
    assert_allclose(mine.SSE, their_results[label].SSE, rtol=1e-10)


def test_white_noise_is_the_textbook_s():
    X = design()
    Y = series(X)
    _, results = run_glm(Y, X, "ols")
    (result,) = results.values()
    beta = np.linalg.lstsq(X, Y, rcond=None)[0]
    rest = Y - X @ beta
    assert_allclose(result.theta, beta, atol=1e-10)
    assert_allclose(result.dispersion, (rest**2).sum(axis=0) / (T - 7), rtol=1e-11)
    assert_allclose(result.residuals, rest, atol=1e-10)
    assert_allclose(result.predicted, X @ beta, atol=1e-10)
    assert_allclose(
        result.r_square, 1 - (rest**2).sum(axis=0) / ((Y - Y.mean(axis=0)) ** 2).sum(axis=0), rtol=1e-9
    )
    assert (result.df_residuals, result.df_total, result.df_model) == (T - 7, T, 7)
    t = beta[2] / np.sqrt(result.dispersion * np.linalg.inv(X.T @ X)[2, 2])
    assert_allclose(result.t(2), t, rtol=1e-9, atol=1e-10)
    assert_allclose(result.t()[2], t, rtol=1e-9, atol=1e-10)
    assert_allclose(result.Fcontrast(np.eye(7)[[2]]).F, t**2, rtol=1e-9, atol=1e-10)
    interval = result.conf_int(cols=[2])
    assert interval.shape == (1, 2, V)
    assert_allclose(interval.mean(axis=1)[0], beta[2], atol=1e-10)


def by_loop(X, y, stretch):
    """Noise of order 1 of one series, sample by sample."""
    rest = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    pairs = [(t, t - 1) for t in range(1, T) if stretch[t] == stretch[t - 1]]
    rho = (sum(rest[a] * rest[b] for a, b in pairs) / len(pairs)) / (rest @ rest / T)
    rho = np.trunc(rho * 100) / 100
    white_X, white_y = X.copy(), y.copy()
    for a, b in pairs:
        white_X[a], white_y[a] = X[a] - rho * X[b], y[a] - rho * y[b]
    beta, *_ = np.linalg.lstsq(white_X, white_y, rcond=None)
    rest = white_y - white_X @ beta
    return rho, beta, rest @ rest / (T - X.shape[1])


@pytest.mark.parametrize("gaps", [[], [40], [3, 4, 5, 40, 88, 89]])
def test_noise_of_order_one_is_correlated_inside_unbroken_stretches_alone(gaps):
    X = design()
    Y = series(X, noise=0.7)[:, ::15]
    stretch = np.searchsorted(gaps, np.arange(T), side="right")
    fitted = fit_series(blocks_of(Y), Y.shape[1], X, list("abcdefg"), Noise(1), stretch)
    estimate = fitted.estimate
    for v in range(Y.shape[1]):
        rho, beta, dispersion = by_loop(X, Y[:, v], stretch)
        assert estimate.rho[estimate.group[v], 0] == pytest.approx(rho, abs=1e-12)
        assert_allclose(estimate.coefficients[:, v], beta, atol=1e-10)
        assert estimate.dispersion[v] == pytest.approx(dispersion, rel=1e-10)


@pytest.mark.parametrize("step", [1, 2, 7, T])
@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_sums_are_those_of_shifted_series_whatever_the_blocks(order, step):
    rng = np.random.default_rng(2)
    basis, Y = np.linalg.qr(rng.normal(size=(T, 4)))[0], rng.normal(size=(T, 5))
    stretch = np.searchsorted([20, 21, 60], np.arange(T), side="right")
    sums, _ = gather(blocks_of(Y, step)(), Lags(basis, order, stretch), 5, subtract_first=False)
    rho = rng.normal(size=order) / 4
    W = np.eye(T)
    for t in range(T):
        for lag in range(1, order + 1):
            if t >= lag and stretch[t] == stretch[t - lag]:
                W[t, t - lag] = -rho[lag - 1]
    gram, products, squares = sums.whitened(rho)
    assert_allclose(gram, basis.T @ W.T @ W @ basis, atol=1e-12)
    assert_allclose(products, basis.T @ W.T @ W @ Y, atol=1e-12)
    assert_allclose(squares, np.einsum("tv,tv->v", W @ Y, W @ Y), atol=1e-11)
    assert_allclose(sums.total, Y.sum(axis=0), atol=1e-12)


def test_whitening_leaves_the_first_samples():
    y = np.arange(5.0)[:, None]
    assert_array_equal(whiten(y, np.array([0.5]))[:, 0], [0, 1, 1.5, 2, 2.5])
    assert_array_equal(whiten(y, np.array([0.5, 0.1]))[:, 0], [0, 1, 1.5, 1.9, 2.3])


@pytest.mark.parametrize("noise", ["ols", "ar1"])
@pytest.mark.parametrize("left", [1e-3, 1e-6, 1e-9])
def test_points_that_the_design_explains_almost_wholly_keep_their_digits(noise, left):
    X = design()
    rng = np.random.default_rng(5)
    rest = rng.normal(size=(T, 6))
    signal = 1000 + X @ rng.normal(size=(7, 6))
    Y = signal + left * rest
    labels, results = run_glm(Y, X, noise)
    whole, whole_results = run_glm(rest, X, noise)
    assert_array_equal(labels, whole)
    mine = compute_contrast(labels, results, np.eye(7)[0])
    # The rest alone has the same variance, but for its size.
    assert_allclose(
        mine.variance, left**2 * compute_contrast(whole, whole_results, np.eye(7)[0]).variance, rtol=1e-4
    )


def test_points_with_and_without_a_second_pass_go_together():
    X = design()
    Y = series(X)
    Y[:, ::3] = 1000 + X @ np.random.default_rng(0).normal(size=(7, 50)) + 1e-5 * (Y[:, ::3] - 500)
    labels, results = run_glm(Y, X)
    theirs, their_results = peer(Y, X)
    assert_array_equal(labels, theirs)
    mine = compute_contrast(labels, results, np.eye(7)[1])
    other = peer_contrast(theirs, their_results, np.eye(7)[1])
    assert_allclose(mine.z_score(), other.z_score(), rtol=1e-6)


@pytest.mark.parametrize("level", [0.0, 3.0])
def test_without_a_constant_each_point_s_own_mean_is_no_correlation(level):
    X = design(constant=False)
    Y = series(X, level=level)[:, ::10]
    rest = Y - X @ np.linalg.lstsq(X, Y, rcond=None)[0]
    rest = rest - rest.mean(axis=0)
    rho = ((rest[1:] * rest[:-1]).sum(axis=0) / (T - 1)) / ((rest**2).sum(axis=0) / T)
    labels, _ = run_glm(Y, X)
    assert_array_equal(labels.astype(float), np.trunc(rho * 100) / 100)


def test_constant_and_empty_points_have_a_z_of_zero_and_one_warning():
    X = design()
    Y = series(X)
    Y[:, :5], Y[:, 5:9], Y[:, 9] = 0.0, 1234.567, 0.1
    for noise in ("ols", "ar1"):
        with pytest.warns(UserWarning, match=r"10 points have no variance .* \(10 are constant\)") as said:
            labels, results = run_glm(Y, X, noise)
        assert len(said) == 1
        z = compute_contrast(labels, results, np.eye(7)[0]).z_score()
        assert_allclose(z[:10], 0, atol=0.5)
        assert_array_equal(z[:5], 0)
        assert np.isfinite(z).all()


def test_a_series_that_the_design_explains_wholly_keeps_its_effect():
    X = design()
    beta = np.arange(7.0)
    with pytest.warns(UserWarning, match="no variance"):
        labels, results = run_glm((X @ beta)[:, None], X, "ols")
    effect = [compute_contrast(labels, results, row).effect[0] for row in np.eye(7)]
    assert_allclose(effect, beta, atol=1e-12)
    z = [compute_contrast(labels, results, row).z_score()[0] for row in np.eye(7)]
    assert abs(z[0]) < 3 and min(z[1:]) > 30


def test_missing_values_make_their_own_series_nan_and_no_other():
    X = design()
    Y = series(X)
    clean = compute_contrast(*run_glm(Y, X), np.eye(7)[0]).z_score()
    Y[4, 3], Y[:, 8], Y[0, 9] = np.nan, np.nan, np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        z = compute_contrast(*run_glm(Y, X), np.eye(7)[0]).z_score()
    assert_array_equal(np.isnan(z), np.isin(np.arange(V), [3, 8, 9]))
    assert_allclose(np.delete(z, [3, 8, 9]), np.delete(clean, [3, 8, 9]), atol=1e-12)


@pytest.mark.parametrize("noise", ["ols", "ar1"])
def test_deficient_designs_have_the_rank_s_degrees_of_freedom_and_what_can_be_estimated(noise):
    X = design()
    Y = series(X)
    twice = np.column_stack([X, 2 * X[:, 0] + X[:, 1], 5 * np.ones(T)])
    labels, results = run_glm(Y, twice, noise)
    full, full_results = run_glm(Y, X, noise)
    assert_array_equal(labels, full)
    for row in (np.eye(9)[2], np.eye(9)[3] - np.eye(9)[4]):
        mine, other = compute_contrast(labels, results, row), compute_contrast(full, full_results, row[:7])
        assert mine.dof == other.dof == T - 7
        assert_allclose(mine.z_score(), other.z_score(), atol=1e-9)
    assert np.isnan(compute_contrast(labels, results, np.eye(9)[0]).z_score()).all()
    assert np.isnan(compute_contrast(labels, results, np.eye(9)[:2]).z_score()).all()


def test_permuted_columns_and_points_give_permuted_results():
    X = design()
    Y = series(X)
    rng = np.random.default_rng(9)
    columns, points = rng.permutation(7), rng.permutation(V)
    z = compute_contrast(*run_glm(Y, X), np.eye(7)[columns[0]]).z_score()
    permuted = compute_contrast(*run_glm(Y[:, points], X[:, columns]), np.eye(7)[0]).z_score()
    assert_allclose(permuted, z[points], atol=1e-10)


def test_integers_and_frames_are_taken_and_nothing_is_changed():
    import pandas as pd

    X = pd.DataFrame(design(), columns=list("abcdefg"))
    Y = np.round(series(design())).astype(np.int16)
    kept = Y.copy()
    labels, results = run_glm(Y, X)
    assert_array_equal(Y, kept)
    as_floats = run_glm(Y.astype(float), X.to_numpy())
    assert_array_equal(labels, as_floats[0])
    assert_allclose(results[labels[0]].theta, as_floats[1][labels[0]].theta, rtol=1e-12)


def test_clusters_of_one_name_are_kept_apart():
    X = design()
    Y = series(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels, results = run_glm(Y, X, "ar2", bins=140, random_state=0)
    assert set(labels) == set(results)
    assert sum(result.theta.shape[1] for result in results.values()) == V
    for label, result in results.items():
        assert result.theta.shape[1] == (labels == label).sum()


@pytest.mark.parametrize("noise", ["ar", "ar0", "AR1", "arma", "ar1.5", None, 1])
def test_other_noise_models_are_refused(noise):
    with pytest.raises(ValueError, match="noise_model"):
        run_glm(np.ones((T, 2)), design(), noise)


@pytest.mark.parametrize(
    "Y, X, message",
    [
        (np.ones((T - 1, 2)), design(), "90 rows, Y has 89"),
        (np.ones(T), design(), "Y must be"),
        (np.ones((T, 2)), design()[:, 0], "X must be"),
        (np.ones((T, 2)), np.where(np.arange(T)[:, None] == 4, np.nan, design()), "row 4, column 0"),
    ],
    ids=["rows", "1-D Y", "1-D X", "NaN"],
)
def test_arrays_that_do_not_fit_are_named(Y, X, message):
    with pytest.raises(ValueError, match=message):
        run_glm(Y, X)


def test_contrasts_that_are_too_long_are_refused():
    labels, results = run_glm(series(design()), design())
    with pytest.raises(ValueError, match="8 numbers is longer"):
        compute_contrast(labels, results, np.ones(8))


def test_scaling_to_percent_has_a_floor_that_follows_the_data():
    rng = np.random.default_rng(0)
    Y = rng.normal(100, 1, (20, 5))
    scaled, mean = mean_scaling(Y)
    assert_allclose(scaled, 100 * (Y / Y.mean(axis=0) - 1))
    assert_allclose(mean, Y.mean(axis=0))
    assert_allclose(mean_scaling(Y / 1000)[0], scaled, atol=1e-9)  # means of 0.1
    assert_allclose(mean_scaling(Y, (0, 1))[0], 100 * (Y / Y.mean() - 1))
    assert_allclose(mean_scaling(Y, 1)[0], 100 * (Y / Y.mean(axis=1, keepdims=True) - 1))
    with pytest.raises(ValueError, match="centred"):
        mean_scaling(Y - Y.mean(axis=0))


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["ols", "ar1"])
def test_false_positives_of_white_noise_are_at_the_nominal_level(noise):
    X, found = design(), []
    for seed in range(500):
        Y = np.random.default_rng(seed).normal(100, 1, (T, 40))
        labels, results = run_glm(Y, X, noise)
        contrast = compute_contrast(labels, results, np.eye(7)[0])
        found.append((contrast.p_value() < 0.05).mean())
    # Points of a simulation are independent: a binomial interval of 20 000 tests.
    assert abs(np.mean(found) - 0.05) < 3.3 * np.sqrt(0.05 * 0.95 / 20_000)
