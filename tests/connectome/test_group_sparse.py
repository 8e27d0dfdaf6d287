"""Precisions of groups: the conditions of the optimum, the peer, and what has no solution."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from nilearn.connectome import GroupSparseCovarianceCV as PeerCV
from nilearn.connectome import group_sparse_covariance as peer_function
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.model_selection import KFold

from brainsieve.connectome import (
    GroupSparseCovariance,
    GroupSparseCovarianceCV,
    group_sparse_covariance,
)
from brainsieve.connectome.group_sparse_cv import _best, _finer


def group(n=4, n_features=6, lengths=(40, 55, 70, 85), seed=0):
    rng = np.random.default_rng(seed)
    mixing = np.eye(n_features) + 0.5 * rng.normal(size=(n_features, n_features))
    series = [rng.normal(size=(lengths[k % len(lengths)], n_features)) @ mixing for k in range(n)]
    return [(one - one.mean(axis=0)) / one.std(axis=0) for one in series]


def quiet(call, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*args, **kwargs)


@pytest.mark.parametrize("unit", [1.0, 1.3])
@pytest.mark.parametrize("alpha", [0.3, 0.1, 0.02])
def test_the_solution_fulfils_the_conditions_of_the_optimum(alpha, unit):
    series = [unit * one for one in group()]
    covariances, precisions = quiet(group_sparse_covariance, series, alpha, max_iter=1000, tol=1e-11)
    weights = np.array([len(one) for one in series]) / sum(map(len, series))
    excess = np.stack([np.linalg.inv(precisions[..., k]) - covariances[..., k] for k in range(4)], axis=-1)
    assert_allclose(np.einsum("iik->ik", excess), 0, atol=1e-8)
    pull = weights * excess
    norms = np.sqrt((pull**2).sum(axis=-1))
    size = np.sqrt((precisions**2).sum(axis=-1))
    off = ~np.eye(6, dtype=bool)
    assert (norms[off] <= alpha + 1e-7).all()
    connected = off & (size > 0)
    # Where there is a connection the pull has length alpha, along the precisions.
    assert_allclose(pull[connected], alpha * precisions[connected] / size[connected][:, None], atol=1e-7)
    assert ((precisions == 0).any(axis=-1) == (precisions == 0).all(axis=-1)).all()


@pytest.mark.parametrize("alpha", [0.2, 0.05])
def test_the_same_sweeps_as_the_peers_give_the_same_numbers(alpha):
    for options in ({}, {"max_iter": 2}, {"tol": None, "max_iter": 3}):
        ours = quiet(group_sparse_covariance, group(), alpha, **options)
        theirs = quiet(peer_function, group(), alpha, **options)
        for mine, other in zip(ours, theirs, strict=True):
            assert_allclose(mine, other, atol=1e-8)


def test_without_regularization_precisions_are_inverses():
    covariances, precisions = group_sparse_covariance(group(), 0)
    for k in range(4):
        assert_allclose(precisions[..., k], np.linalg.inv(covariances[..., k]), rtol=1e-9)
    with pytest.raises(ValueError, match=r"subjects\[0\] .40 samples of 6 features. is singular"):
        series = group()
        series[0][:, 1] = series[0][:, 0]
        group_sparse_covariance(series, 0)


def test_at_the_largest_alpha_that_matters_precisions_are_diagonal():
    series = group()
    weights = np.array([len(one) for one in series]) / sum(map(len, series))
    covariances = np.stack([np.cov(one, rowvar=False, ddof=0) for one in series])
    norms = np.sqrt(((weights[:, None, None] * covariances) ** 2).sum(axis=0))
    top = (norms - np.diag(np.diag(norms))).max()
    off = ~np.eye(6, dtype=bool)
    assert (group_sparse_covariance(series, top * 1.0001)[1][off] == 0).all()
    assert (group_sparse_covariance(series, top * 0.99)[1][off] != 0).any()


def test_the_probe_sees_each_sweep_and_can_stop():
    calls = []

    def probe(emp_covs, n_samples, alpha, max_iter, tol, iteration, omega, omega_old):
        calls.append(
            (iteration, omega.shape, None if omega_old is None else omega_old.shape, n_samples.sum())
        )
        return iteration == 1

    group_sparse_covariance(group(), 0.1, probe_function=probe, debug=True)
    shape = (6, 6, 4)
    assert calls == [(-1, shape, None, 1.0), (0, shape, shape, 1.0), (1, shape, shape, 1.0)]


def test_a_start_from_the_solution_stays_there_and_is_not_modified():
    _, precisions = group_sparse_covariance(group(), 0.1, max_iter=500, tol=1e-10)
    initial = precisions.copy()
    again = group_sparse_covariance(group(), 0.1, max_iter=1, tol=1, precisions_init=initial)[1]
    assert_allclose(again, precisions, atol=1e-8)
    np.testing.assert_array_equal(initial, precisions)
    with pytest.raises(ValueError, match=r"\(6, 6, 4\) was expected"):
        group_sparse_covariance(group(), 0.1, precisions_init=initial[..., :2])


def test_the_solution_does_not_depend_on_the_start():
    expected = group_sparse_covariance(group(), 0.1, max_iter=500, tol=1e-11)[1]
    full = group_sparse_covariance(group(), 0)[1]
    # A connection behind others that are 0 already goes as well.
    lone = group_sparse_covariance(group(), 10.0)[1]
    lone[0, 5] = lone[5, 0] = 0.1
    off = ~np.eye(6, dtype=bool)
    assert (group_sparse_covariance(group(), 10.0, precisions_init=lone)[1][off] == 0).all()
    found = group_sparse_covariance(group(), 0.1, max_iter=500, tol=1e-11, precisions_init=full)[1]
    assert_allclose(found, expected, atol=1e-8)
    assert ((found == 0) == (expected == 0)).all()


def test_of_alphas_with_one_score_the_smallest_is_best_and_grids_close_in_on_it():
    assert _best([(0.4, 1.0), (0.2, 3.0), (0.1, 3.0), (0.05, np.nan)]) == 2
    assert_allclose(_finer([(0.8, 0.0), (0.4, 1.0), (0.1, 0.5)], 2), np.geomspace(0.8, 0.1, 4)[1:-1])
    assert_allclose(_finer([(0.8, 2.0), (0.4, 1.0), (0.1, 0.5)], 2), np.geomspace(0.8, 0.4, 4)[1:-1])
    assert_allclose(_finer([(0.8, 0.0), (0.4, 1.0), (0.1, 1.5)], 2), np.geomspace(0.1, 0.001, 4)[1:-1])


def test_the_estimator_gives_what_the_function_gives(tmp_path):
    expected = group_sparse_covariance(group(), 0.1, max_iter=10)
    for memory in (None, str(tmp_path)):
        for given in (group(), tuple(group()), [pd.DataFrame(one) for one in group()]):
            model = clone(GroupSparseCovariance(memory=memory, memory_level=1)).fit(given)
            assert_allclose(model.covariances_, expected[0], rtol=1e-9)
            assert_allclose(model.precisions_, expected[1], atol=1e-9)
    assert model.n_features_in_ == 6


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("alphas", [3, [0.2, 0.1, 0.05]])
def test_cross_validation_chooses_the_peers_alpha(alphas, early_stopping):
    options = dict(alphas=alphas, n_refinements=2, early_stopping=early_stopping, max_iter_cv=20)
    series = group(3, 4)
    ours = quiet(GroupSparseCovarianceCV(**options).fit, series)
    peer = quiet(PeerCV(**options).fit, series)
    assert_allclose(ours.cv_alphas_, peer.cv_alphas_, rtol=1e-9)
    # Without early stopping a round starts from what the one before left, known to tol_cv only.
    assert_allclose(ours.cv_scores_, peer.cv_scores_, atol=1e-7 if early_stopping else 1e-4)
    assert np.isclose(ours.alpha_, peer.alpha_, rtol=1e-9)
    assert_allclose(ours.precisions_, peer.precisions_, atol=1e-7)


@pytest.mark.slow
def test_processes_and_splitters_change_no_number():
    options = dict(alphas=2, n_refinements=1, max_iter_cv=5, max_iter=5)
    one = quiet(GroupSparseCovarianceCV(**options).fit, group(3, 4))
    two = quiet(GroupSparseCovarianceCV(**options, n_jobs=2, cv=KFold(5)).fit, group(3, 4))
    assert_allclose(two.cv_scores_, one.cv_scores_, rtol=1e-12)
    assert two.alpha_ == one.alpha_


def test_units_change_neither_alpha_nor_partial_correlations():
    scale = np.array([1, 5, 0.2, 100, 1, 3])
    options = dict(alphas=2, n_refinements=1, max_iter=30)
    plain = quiet(GroupSparseCovarianceCV(**options).fit, group())
    with pytest.warns(UserWarning, match="variances go from 0.04 to 1e.04"):
        scaled = GroupSparseCovarianceCV(**options).fit([one * scale for one in group()])
    assert np.isclose(scaled.alpha_, plain.alpha_)
    expected = plain.precisions_ / scale[:, None, None] / scale[None, :, None]
    assert_allclose(scaled.precisions_, expected, rtol=1e-6, atol=1e-12)


def test_input_is_not_modified():
    series = group()
    copies = [one.copy() for one in series]
    quiet(GroupSparseCovarianceCV(alphas=2, n_refinements=1, max_iter_cv=2).fit, series)
    for one, copy in zip(series, copies, strict=True):
        np.testing.assert_array_equal(one, copy)


def test_wrong_input_is_named():
    constant = group()
    constant[2][:, 3] = 1.0
    for call, words in (
        (lambda: group_sparse_covariance(group(), -1), "alpha must be finite and not negative"),
        (lambda: group_sparse_covariance(group(), "0.1"), "alpha must be a number"),
        (lambda: group_sparse_covariance(group(), 0.1, max_iter=0), "max_iter must be a positive integer"),
        (lambda: group_sparse_covariance(group(), 0.1, tol=0), "tol must be a positive number"),
        (
            lambda: group_sparse_covariance(constant, 0.1),
            r"subjects\[2\]: 1 features are constant .the first is 3",
        ),
        (lambda: group_sparse_covariance([one[:, :1] for one in group()], 0.1), "at least 2"),
        (lambda: GroupSparseCovarianceCV(alphas=[0.1, 0]).fit(group()), "alphas holds 0"),
        (lambda: GroupSparseCovarianceCV(alphas=0).fit(group()), "alphas must be at least 1"),
        (lambda: GroupSparseCovarianceCV(tol_cv=-1).fit(group()), "tol_cv must be"),
        (lambda: GroupSparseCovarianceCV(cv=40).fit(group()), r"subjects\[0\]: fold 0 has 1 samples"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
    with pytest.raises(TypeError, match="alphas must be a number of values"):
        GroupSparseCovarianceCV(alphas="auto").fit(group())
    with pytest.warns(UserWarning, match="did not reach tol=0.001 in 1 sweeps"):
        group_sparse_covariance(group(), 0.01, max_iter=1)


def test_a_cache_keeps_what_was_computed_and_tells_parameters_apart(tmp_path):
    series = group()
    made = GroupSparseCovariance(memory=str(tmp_path), memory_level=1)
    first = made.fit(series).precisions_
    assert any(tmp_path.rglob("*.pkl"))
    assert_allclose(clone(made).fit(series).precisions_, first, rtol=0)
    for other in (clone(made).set_params(alpha=0.2), clone(made).set_params(max_iter=1)):
        assert np.abs(quiet(other.fit, series).precisions_ - first).max() > 1e-6
    with pytest.warns(UserWarning, match="memory_level=1 is used"):
        GroupSparseCovariance(memory=str(tmp_path)).fit(series)
