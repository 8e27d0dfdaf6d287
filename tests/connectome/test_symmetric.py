"""Symmetric matrices as vectors and back: by definition, and what is no such matrix."""

from __future__ import annotations

import nilearn.connectome as peer
import numpy as np
import pytest
from numpy.testing import assert_allclose

from brainsieve.connectome import cov_to_corr, prec_to_partial, sym_matrix_to_vec, vec_to_sym_matrix


def symmetric(*shape, seed=0):
    values = np.random.default_rng(seed).normal(size=(*shape, shape[-1]))
    return values + np.swapaxes(values, -1, -2)


@pytest.mark.parametrize("shape", [(1,), (2,), (5,), (3, 4), (2, 3, 4)])
def test_a_matrix_survives_the_way_to_a_vector_and_back(shape):
    matrix = symmetric(*shape)
    assert_allclose(vec_to_sym_matrix(sym_matrix_to_vec(matrix)), matrix, atol=1e-14)
    diagonal = np.diagonal(matrix, axis1=-2, axis2=-1) / np.sqrt(2)
    assert_allclose(vec_to_sym_matrix(sym_matrix_to_vec(matrix, True), diagonal), matrix, atol=1e-14)


def test_twice_the_norm_of_a_vector_is_that_of_its_matrix():
    matrix = symmetric(6)
    assert np.isclose(2 * (sym_matrix_to_vec(matrix) ** 2).sum(), (matrix**2).sum())


def test_vectors_are_the_peers_and_the_upper_triangle_is_not_looked_at():
    matrix = symmetric(3, 5)
    for discard in (False, True):
        assert_allclose(sym_matrix_to_vec(matrix, discard), peer.sym_matrix_to_vec(matrix, discard))
        assert_allclose(sym_matrix_to_vec(np.tril(matrix), discard), peer.sym_matrix_to_vec(matrix, discard))


def test_lists_are_taken():
    assert_allclose(sym_matrix_to_vec([[2, 1], [1, 4]], True), [1])
    assert_allclose(vec_to_sym_matrix([1.0], [0.0, 0.0]), [[0, 1], [1, 0]])


def test_correlations_and_partial_correlations_are_those_of_the_definition():
    rng = np.random.default_rng(3)
    series = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4))
    covariance = np.cov(series, rowvar=False)
    untouched = covariance.copy()
    assert_allclose(cov_to_corr(covariance), np.corrcoef(series, rowvar=False), atol=1e-12)
    # The partial correlation is that of the residuals after all other series.
    partial = prec_to_partial(np.linalg.inv(covariance))
    centred = series - series.mean(axis=0)
    others = centred[:, 2:]
    left = centred[:, :2] - others @ np.linalg.lstsq(others, centred[:, :2], rcond=None)[0]
    assert_allclose(partial[0, 1], np.corrcoef(left, rowvar=False)[0, 1], atol=1e-12)
    assert (np.diagonal(partial) == 1).all()
    np.testing.assert_array_equal(covariance, untouched)


def test_a_feature_without_variance_gives_zeros_and_a_warning():
    with pytest.warns(UserWarning, match="1 features have no variance .the first is 1"):
        corr = cov_to_corr([[4.0, 0.0], [0.0, 0.0]])
    assert_allclose(corr, np.eye(2))


@pytest.mark.parametrize("call", [sym_matrix_to_vec, cov_to_corr, prec_to_partial])
def test_what_is_not_square_is_refused(call):
    with pytest.raises(ValueError, match=r"shape is \(2, 3\)"):
        call(np.ones((2, 3)))


def test_a_length_that_is_no_triangle_and_another_diagonal_are_refused():
    with pytest.raises(ValueError, match="4 values"):
        vec_to_sym_matrix(np.ones(4))
    with pytest.raises(ValueError, match="1, 3, 6"):
        vec_to_sym_matrix(np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match=r"\(3,\) was expected"):
        vec_to_sym_matrix(np.ones(3), np.ones(2))
