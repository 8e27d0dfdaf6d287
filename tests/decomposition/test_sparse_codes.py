"""Sparse codes of all voxels at once, and online learning: against scikit-learn's Lasso and its dictionary."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.decomposition import MiniBatchDictionaryLearning
from sklearn.linear_model import Lasso

from brainsieve.decomposition import sparse_codes
from brainsieve.decomposition.reduction import Stack
from brainsieve.decomposition.sparse_codes import lasso_codes, learned_dictionary

RNG = np.random.default_rng(0)
ATOMS = RNG.normal(size=(6, 15))
ATOMS /= np.linalg.norm(ATOMS, axis=1, keepdims=True)
TRUTH = np.where(RNG.random((6, 800)) < 0.2, RNG.laplace(size=(6, 800)) * 5, 0)
VOXELS = TRUTH.T @ ATOMS + 0.1 * RNG.normal(size=(800, 15))


def lasso(voxels, atoms, alpha):
    model = Lasso(alpha=alpha / atoms.shape[1], fit_intercept=False, tol=1e-12, max_iter=100_000)
    return np.stack([model.fit(atoms.T, voxel).coef_ for voxel in voxels], axis=1)


def objective(voxels, atoms, codes, alpha):
    return 0.5 * ((voxels - codes.T @ atoms) ** 2).sum() + alpha * np.abs(codes).sum()


def stack_of(voxels) -> Stack:
    stack = Stack(len(voxels))
    stack.append(np.ascontiguousarray(voxels.T))
    return stack


@pytest.mark.parametrize("alpha", [0.01, 0.5, 4.0, 100.0])
@pytest.mark.parametrize("n_steps", [0, 25])
def test_codes_are_those_of_the_lasso_voxel_by_voxel(alpha, n_steps, monkeypatch):
    monkeypatch.setattr(sparse_codes, "TILE_VOXELS", 37)
    monkeypatch.setattr(sparse_codes, "FEW_VOXELS", 10)
    monkeypatch.setattr(sparse_codes, "N_STEPS", n_steps)
    voxels = VOXELS[:120]
    codes = lasso_codes(ATOMS @ voxels.T, ATOMS @ ATOMS.T, alpha)
    assert_allclose(codes, lasso(voxels, ATOMS, alpha), atol=2e-5)
    if alpha == 100:
        assert not codes.any()


def test_codes_of_correlated_atoms_converge_where_steps_at_once_would_not():
    atoms = ATOMS + 3 * ATOMS[:1]
    voxels = VOXELS[:60]
    codes = lasso_codes(atoms @ voxels.T, atoms @ atoms.T, 0.1)
    expected = lasso(voxels, atoms, 0.1)
    assert objective(voxels, atoms, codes, 0.1) == pytest.approx(
        objective(voxels, atoms, expected, 0.1), rel=1e-8
    )


def test_an_atom_of_zeros_has_codes_of_zero():
    atoms = ATOMS.copy()
    atoms[2] = 0
    codes = lasso_codes(atoms @ VOXELS[:30].T, atoms @ atoms.T, 0.5)
    assert not codes[2].any()
    others = [0, 1, 3, 4, 5]
    assert_allclose(codes[others], lasso(VOXELS[:30], atoms[others], 0.5), atol=1e-5)


@pytest.mark.parametrize("n_zero", [0, 2])
def test_mini_batches_are_those_of_scikit_learn_also_where_atoms_are_drawn_anew(n_zero, monkeypatch):
    monkeypatch.setattr(sparse_codes, "LEAST_BATCHES", 1)
    start = np.random.default_rng(1).normal(size=(6, 15))
    start /= np.linalg.norm(start, axis=0)
    start[:n_zero] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MiniBatchDictionaryLearning(
            6,
            alpha=0.5,
            batch_size=30,
            fit_algorithm="cd",
            dict_init=start.copy(),
            random_state=0,
            max_iter=2,
            tol=0,
            max_no_improvement=None,
            transform_max_iter=10_000,
        ).fit(VOXELS)
    before = start.copy()
    with stack_of(VOXELS) as stack:
        learned = learned_dictionary(stack, start, 0.5, 30, 2, np.random.RandomState(0))
    # Codes within a mini-batch are known to 1e-3 in both.
    assert_allclose(learned, model.components_, atol=0.02)
    assert (start == before).all()


@pytest.mark.parametrize(
    ("n_epochs", "n_batches"),
    [(1, 134), (0.5, 67), (2.0, 268), (0.001, 1)],
    ids=["one", "half", "two", "few"],
)
def test_epochs_are_passes_over_the_voxels(n_epochs, n_batches):
    with stack_of(VOXELS) as stack:
        batches = list(sparse_codes._batches(stack, 6, n_epochs, np.random.RandomState(0)))
    assert len(batches) == n_batches
    if n_epochs == 1:
        seen = np.vstack(batches)
        assert_allclose(np.sort(seen[:, 0]), np.sort(VOXELS[:, 0]))
        assert not np.allclose(seen, VOXELS)


def test_an_epoch_of_few_voxels_has_a_hundred_mini_batches():
    with stack_of(VOXELS[:90]) as stack:
        batches = list(sparse_codes._batches(stack, 20, 2, np.random.RandomState(0)))
    assert len(batches) == 200
    assert_allclose(batches[5], batches[0])


def test_batches_do_not_depend_on_how_many_voxels_are_read_at_a_time(monkeypatch):
    with stack_of(VOXELS) as stack:
        one = list(sparse_codes._batches(stack, 7, 1.1, np.random.RandomState(0)))
        monkeypatch.setattr(sparse_codes, "CHUNK_VOXELS", 20)
        other = list(sparse_codes._batches(stack, 7, 1.1, np.random.RandomState(0)))
    assert len(one) == len(other)
    assert all((a == b).all() for a, b in zip(one, other, strict=True))


def test_planted_atoms_are_learned():
    start = ATOMS + 0.15 * RNG.normal(size=ATOMS.shape)
    with stack_of(VOXELS) as stack:
        learned = learned_dictionary(stack, start, 0.2, 20, 20, np.random.RandomState(0))
    learned /= np.linalg.norm(learned, axis=1, keepdims=True)
    assert (np.abs(learned @ ATOMS.T).max(axis=0) > 0.97).all()
