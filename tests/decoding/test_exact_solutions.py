"""Support vector machines and ridges by inner products, against scikit-learn, optimality and plain algebra."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.feature_selection import SelectKBest, SelectPercentile, f_classif, f_regression
from sklearn.linear_model import RidgeClassifierCV, RidgeCV
from sklearn.svm import SVR, LinearSVC

from brainsieve.decoding.kernels import Grams, fit_in_dual, fit_in_primal, is_by_kernel
from brainsieve.decoding.newton import ONE_BY_ONE, solve_dual, solve_primal
from brainsieve.decoding.ridge import centred_kernels, solve_ridge
from brainsieve.decoding.screening import Screening, f_of_classes, f_of_targets

# What LinearSVC leaves at tol=1e-10, as a share of the largest weight.
OF_LIBLINEAR = 3e-11


def data(n, p, seed=0, signal=1.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = np.where(signal * X[:, 0] + rng.normal(size=n) > 0.4, 1.0, -1.0)
    return X, y


def gradient(X, y, costs, weights, intercept, bias=1.0):
    """Of ½(‖w‖² + (b/s)²) + Σ C max(0, 1 − y f)² in w and b/s."""
    slack = np.maximum(0, 1 - y * (X @ weights + intercept))
    pull = -2 * costs * slack * y
    return np.append(weights + X.T @ pull, intercept / bias + bias * pull.sum())


@pytest.mark.parametrize("n, p", [(40, 300), (ONE_BY_ONE + 30, 2000)])
@pytest.mark.parametrize(
    "options", [{}, {"class_weight": "balanced"}, {"fit_intercept": False}, {"intercept_scaling": 5}]
)
def test_machines_are_those_that_liblinear_would_come_to(n, p, options):
    X, y = data(n, p)
    machines = [LinearSVC(C=C, tol=1e-10, max_iter=10**6, random_state=0, **options) for C in (0.01, 1, 100)]
    for machine, fitted in zip(machines, fit_in_dual(machines, X @ X.T, y), strict=True):
        machine.fit(X, y)
        scale = np.abs(machine.coef_).max()
        assert np.abs(fitted.coefficients @ X - machine.coef_[0]).max() < OF_LIBLINEAR * scale
        assert np.abs(fitted.intercept - machine.intercept_).max() < 3 * OF_LIBLINEAR * scale * n


@pytest.mark.parametrize("n, p", [(60, 8), (60, 59), (60, 70), (ONE_BY_ONE + 20, 30), (ONE_BY_ONE + 20, 200)])
@pytest.mark.parametrize("C", [1e-3, 1, 1e3])
@pytest.mark.parametrize("options", [{}, {"class_weight": {-1: 3.0, 1: 0.5}}, {"intercept_scaling": 4.0}])
def test_machines_are_optimal_in_the_dual_and_in_features(n, p, C, options):
    X, y = data(n, p, seed=p)
    machine = LinearSVC(C=C, **options)
    costs = C * (np.where(y > 0, 0.5, 3.0) if "class_weight" in options else 1.0)
    (dual,), (primal,) = fit_in_dual([machine], X @ X.T, y), fit_in_primal([machine], X, y)
    for weights, intercept in (
        (dual.coefficients @ X, dual.intercept),
        (primal.coefficients, primal.intercept),
    ):
        size = np.linalg.norm(X.T @ (2 * costs * y))
        assert (
            np.linalg.norm(gradient(X, y, costs, weights, intercept, options.get("intercept_scaling", 1.0)))
            < 1e-9 * size
        )
    assert_allclose(dual.coefficients @ X, primal.coefficients, rtol=1e-7, atol=1e-9)


def test_problems_solved_together_are_those_solved_alone():
    problems = [data(30, 50, seed) for seed in range(6)]
    kernels = np.stack([X @ X.T + 1 for X, _ in problems])
    y = np.stack([y for _, y in problems])
    costs = np.stack([np.full(30, 10.0**k) for k in range(-3, 3)])
    together = solve_dual(kernels, y, costs).coefficients
    for i in range(6):
        assert_allclose(
            solve_dual(kernels[i : i + 1], y[i : i + 1], costs[i : i + 1]).coefficients[0],
            together[i],
            atol=1e-12,
        )
    features = np.stack([np.hstack([X[:, :9], np.ones((30, 1))]) for X, _ in problems])
    together = solve_primal(features, y, costs).coefficients
    alone = [
        solve_primal(features[i : i + 1], y[i : i + 1], costs[i : i + 1]).coefficients[0] for i in range(6)
    ]
    assert_allclose(alone, together, atol=1e-12)


@pytest.mark.filterwarnings("error")
def test_samples_on_the_margin_itself_and_repeated_samples_do_not_keep_newton_from_ending():
    X = np.repeat(np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [-1, -1]]), 20, axis=0)
    y = np.tile(np.repeat([1.0, -1.0], 20), 3)
    for C in (1e-6, 1e-2, 1, 1e4, 1e8):
        (fitted,) = fit_in_dual([LinearSVC(C=C)], X @ X.T, y)
        weights = fitted.coefficients @ X
        assert np.linalg.norm(gradient(X, y, C, weights, fitted.intercept)) < 1e-6 * C * len(y) + 1e-12


@pytest.mark.parametrize("offset", [1e3, 1e6])
def test_raw_intensities_far_from_zero_are_separated(offset):
    X, y = data(ONE_BY_ONE + 20, 3000)
    X += 3 * y[:, None] * (np.arange(3000) < 40) + offset
    for fitted in fit_in_dual([LinearSVC(C=C) for C in (1e-8, 1, 100)], X @ X.T, y):
        assert np.isfinite(fitted.coefficients).all()
    decided = X @ (fitted.coefficients @ X) + fitted.intercept
    assert (np.sign(decided) == y).mean() > 0.95


@pytest.mark.parametrize("n, p", [(40, 300), (60, 12), (41, 40)])
@pytest.mark.parametrize("intercept", [True, False])
def test_ridges_choose_and_weigh_as_scikit_learn(n, p, intercept):
    rng = np.random.default_rng(p)
    X = rng.normal(size=(n, p)) + 3
    y = X[:, 0] + rng.normal(size=n) + 5
    ridge = RidgeCV(np.geomspace(1e-3, 1e4, 8), fit_intercept=intercept)
    ways = [(fit_in_dual, X @ X.T)] + ([(fit_in_primal, X)] if p < n else [])
    ridge_fitted = RidgeCV(ridge.alphas, fit_intercept=intercept).fit(X, y)
    for fit, given in ways:
        (fitted,) = fit([ridge], given, y)
        weights = fitted.coefficients @ X if fit is fit_in_dual else fitted.coefficients
        assert fitted.chosen["best_alpha"] == ridge_fitted.alpha_
        assert_allclose(weights, ridge_fitted.coef_, rtol=1e-6, atol=1e-9)
        assert_allclose(fitted.intercept, ridge_fitted.intercept_, rtol=1e-8, atol=1e-8)


def test_what_leave_one_out_leaves_is_what_leaving_out_one_by_one_leaves():
    X, _ = data(25, 60)
    y = np.random.default_rng(1).normal(size=25)
    alpha = 3.0
    left = []
    for i in range(25):
        others = np.delete(np.arange(25), i)
        mean, target = X[others].mean(axis=0), y[others].mean()
        Z = X[others] - mean
        weights = np.linalg.solve(Z.T @ Z + alpha * np.eye(60), Z.T @ (y[others] - target))
        left.append(y[i] - target - (X[i] - mean) @ weights)
    errors = solve_ridge(centred_kernels((X @ X.T)[None]), (y - y.mean())[:, None], np.array([alpha])).errors
    assert_allclose(errors[0, 0], np.mean(np.square(left)), rtol=1e-10)


def test_ridge_classifiers_are_scikit_learn_s():
    X, y = data(50, 200)
    ours = fit_in_dual([RidgeClassifierCV(np.geomspace(1e-2, 1e3, 6))], X @ X.T, y)[0]
    theirs = RidgeClassifierCV(np.geomspace(1e-2, 1e3, 6)).fit(X, y)
    assert ours.chosen["best_alpha"] == theirs.alpha_
    assert_allclose(ours.coefficients @ X, np.ravel(theirs.coef_), rtol=1e-8, atol=1e-12)


def test_support_vector_regressions_are_libsvm_s_on_inner_products():
    X, _ = data(50, 200)
    y = X[:, 0] * 2 + 1
    ours = fit_in_dual([SVR(kernel="linear", C=10, epsilon=0.3)], X @ X.T, y)[0]
    theirs = SVR(kernel="linear", C=10, epsilon=0.3).fit(X, y)
    assert_allclose(ours.coefficients @ X, theirs.coef_[0], atol=1e-10)
    assert_allclose(ours.intercept, theirs.intercept_[0], atol=1e-10)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 1.0])
def test_gram_matrices_of_sets_of_columns_are_their_products(share):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 400))
    common = rng.random(400) < share
    masks = np.array([common ^ (rng.random(400) < 0.03) for _ in range(6)])
    calls = []

    def every():
        calls.append(1)
        return X @ X.T

    grams = Grams(X, masks, every)
    for mask in masks:
        assert_allclose(grams.of(mask), X[:, mask] @ X[:, mask].T, atol=1e-11)
    assert len(calls) <= 1


@pytest.mark.parametrize("seed", range(3))
def test_screening_keeps_what_scikit_learn_keeps_in_each_fold(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(40, 500)) * rng.lognormal(sigma=3, size=500) + 1e4
    X[:, 7] = 3.5  # varies nowhere
    X[:, 100:110] = X[:, :1]  # ties
    y = np.where(rng.random(40) < 0.4, 1.0, -1.0)
    X[:, 20:40] += y[:, None] * X.std(axis=0)[20:40]
    trains = [rng.permutation(40)[:30] for _ in range(3)]
    for F, score, targets in (
        (f_of_classes, f_classif, y),
        (f_of_targets, f_regression, X[:, 3] + 100 * rng.normal(size=40)),
    ):
        for train, scores in zip(trains, F(X, targets, trains), strict=True):
            centred = X[train] - X.mean(axis=0)  # sums of squares of 1e4 have lost their digits
            with np.errstate(all="ignore"):
                for ours, theirs in (
                    (Screening(13), SelectPercentile(score, percentile=13)),
                    (Screening(100, 17), SelectKBest(score, k=17)),
                ):
                    assert (ours.chosen(scores) == theirs.fit(centred, targets[train]).get_support()).all()


def test_samples_drawn_twice_count_twice():
    rng = np.random.default_rng(0)
    X, y = data(30, 40)
    drawn = rng.integers(0, 30, 30)
    (F,) = f_of_classes(X, y, [drawn])
    assert_allclose(F, f_classif(X[drawn], y[drawn])[0], rtol=1e-9)


@pytest.mark.parametrize(
    "estimator, here",
    [
        (LinearSVC(), True),
        (LinearSVC(loss="hinge"), False),
        (LinearSVC(penalty="l1"), False),
        (LinearSVC(C=-1), False),
        (RidgeCV(), True),
        (RidgeCV(cv=3), False),
        (RidgeCV(scoring="r2"), False),
        (RidgeCV(alphas=(0.0, 1.0)), False),
        (RidgeClassifierCV(class_weight="balanced"), False),
        (SVR(kernel="linear"), True),
        (SVR(), False),
    ],
    ids=lambda each: None if isinstance(each, bool) else str(each).replace("\n", " "),
)
def test_only_what_is_solved_here_in_full_is_taken_from_scikit_learn(estimator, here):
    assert is_by_kernel(estimator) is here
