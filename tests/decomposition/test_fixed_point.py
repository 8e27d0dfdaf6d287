"""FastICA on fourth moments: scikit-learn's fixed point, iteration by iteration."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.decomposition import fastica

from brainsieve.decomposition import fixed_point as module
from brainsieve.decomposition.fixed_point import (
    contrast_of,
    decorrelated,
    fixed_point,
    independent_sources,
    moments_contrast,
    points_contrast,
    whitened,
)

RNG = np.random.default_rng(0)
SOURCES = RNG.laplace(size=(4, 9000)) ** 3
MIXED = RNG.normal(size=(4, 4)) @ SOURCES
CONTRASTS = {"moments": moments_contrast, "points": points_contrast}


def unmixed_by_scikit_learn(white, start, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, unmixing, _, n_iter = fastica(
            white.T, fun="cube", whiten=False, w_init=start, return_n_iter=True, **options
        )
    return unmixing, n_iter


def test_white_data_have_the_identity_as_covariance_and_stay_near_the_maps():
    white = whitened(MIXED)
    assert_allclose(white @ white.T / white.shape[1], np.eye(4), atol=1e-12)
    assert_allclose(white.mean(axis=1), 0, atol=1e-12)
    # Of all white rotations, the symmetric root has a product with the maps that is symmetric and positive.
    product = white @ (MIXED - MIXED.mean(axis=1, keepdims=True)).T
    assert_allclose(product, product.T, rtol=1e-9)
    assert np.linalg.eigvalsh(product).min() > 0


def test_a_map_that_is_constant_is_left_out_and_not_blown_up():
    white = whitened(np.vstack([MIXED, np.full(MIXED.shape[1], 0.01)]))
    assert white.shape == MIXED.shape
    assert_allclose(white @ white.T / white.shape[1], np.eye(4), atol=1e-10)


@pytest.mark.parametrize("name", CONTRASTS)
def test_the_contrast_is_the_mean_of_the_cube_times_the_data(name):
    white = whitened(MIXED)
    unmixing = RNG.normal(size=(4, 4))
    expected = (unmixing @ white) ** 3 @ white.T / white.shape[1]
    assert_allclose(CONTRASTS[name](white)(unmixing), expected, rtol=1e-10)


@pytest.mark.parametrize("name", CONTRASTS)
@pytest.mark.parametrize("seed", range(4))
def test_iterations_are_those_of_scikit_learn(name, seed):
    white = whitened(MIXED)
    start = np.random.RandomState(seed).normal(size=(4, 4))
    expected, n_expected = unmixed_by_scikit_learn(white, start, max_iter=200, tol=1e-4)
    unmixing, n_iter, converged = fixed_point(CONTRASTS[name](white), start)
    assert n_iter == n_expected
    assert converged
    assert_allclose(unmixing @ white, expected @ white, atol=1e-9)


def test_whole_sources_are_those_of_scikit_learn_from_the_same_start():
    start = np.random.RandomState(3).normal(size=(4, 4))
    white, centred = whitened(MIXED), MIXED - MIXED.mean(axis=1, keepdims=True)
    # scikit-learn whitens by another rotation: its start is turned so that both begin at one place.
    u, d, _ = np.linalg.svd(centred, full_matrices=False)
    own = (u * np.sign(u[0]) / d).T @ centred * np.sqrt(white.shape[1])
    turn = own @ white.T / white.shape[1]
    _, _, expected = fastica(
        MIXED.T, fun="cube", whiten="arbitrary-variance", w_init=start @ turn.T, random_state=0
    )
    expected = expected.T / np.linalg.norm(expected.T, axis=1, keepdims=True)
    sources, converged = independent_sources(MIXED, [3])
    assert converged == [True]
    assert_allclose(sources, expected, atol=1e-10)


def test_planted_sources_are_found():
    sources, _ = independent_sources(MIXED, range(5))
    correlations = np.abs(np.corrcoef(sources, SOURCES)[:4, 4:])
    assert (correlations.max(axis=0) > 0.995).all()
    assert_allclose(np.linalg.norm(sources, axis=1), 1, rtol=1e-12)


def test_of_several_starts_the_one_with_the_smallest_largest_l1_norm_is_kept():
    noise = np.random.default_rng(5).normal(size=(5, 400))
    alone = [np.abs(independent_sources(noise, [seed])[0]).sum(axis=1).max() for seed in range(6)]
    kept = np.abs(independent_sources(noise, range(6))[0]).sum(axis=1).max()
    assert len(set(np.round(alone, 6))) > 1
    assert kept == pytest.approx(min(alone), rel=1e-12)


def test_a_start_that_does_not_converge_says_so():
    unmixing, n_iter, converged = fixed_point(moments_contrast(whitened(MIXED)), np.eye(4), max_iter=1)
    assert (n_iter, converged) == (1, False)
    assert_allclose(unmixing @ unmixing.T, np.eye(4), atol=1e-12)


def test_many_maps_are_unmixed_from_the_points_and_few_from_moments(monkeypatch):
    taken = []
    monkeypatch.setattr(module, "moments_contrast", lambda white: taken.append("moments"))
    monkeypatch.setattr(module, "points_contrast", lambda white: taken.append("points"))
    contrast_of(np.zeros((20, 30_000)), 10)
    contrast_of(np.zeros((150, 3000)), 1)
    assert taken == ["moments", "points"]


def test_decorrelated_rows_are_the_polar_factor():
    rows = RNG.normal(size=(3, 6))
    u, _, vt = np.linalg.svd(rows, full_matrices=False)
    assert_allclose(decorrelated(rows), u @ vt, atol=1e-12)
