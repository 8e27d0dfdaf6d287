"""Reduction of runs and of groups: equal to dense singular value decompositions, whatever is held and in what order."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from brainsieve.decomposition import reduction
from brainsieve.decomposition.reduction import Stack, group_maps, reduced_run

RNG = np.random.default_rng(0)
# Runs that share three maps, of different lengths.
SHARED = RNG.normal(size=(3, 300))
RUNS = [RNG.normal(size=(T, 3)) @ SHARED * 2 + RNG.normal(size=(T, 300)) for T in (20, 31, 12)]


def stacked(runs, k) -> Stack:
    stack = Stack(runs[0].shape[1])
    for run in runs:
        stack.append(reduced_run(run, k))
    return stack


def projector(rows):
    return rows.T @ rows


@pytest.mark.parametrize("k", [1, 5, 12, 40, None])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_of_a_run_are_its_right_singular_vectors_times_the_singular_values(k, dtype, monkeypatch):
    monkeypatch.setattr(reduction, "TILE_POINTS", 77)
    run = RUNS[2].astype(dtype)
    _, s, vt = np.linalg.svd(run.astype(float), full_matrices=False)
    rows = reduced_run(run, k)
    n = min(k or 12, 12)
    assert rows.shape == (n, 300)
    assert rows.dtype == dtype
    signs = np.sign(np.einsum("ij,ij->i", rows, vt[:n]))
    assert_allclose(signs[:, None] * rows, s[:n, None] * vt[:n], atol=1e-4 if dtype == np.float32 else 1e-10)


def test_directions_that_are_rounding_are_zero_and_not_blown_up():
    run = np.outer(np.arange(5.0) - 2, RUNS[0][0]) + np.outer([1, -1, 0, 1, -1], RUNS[0][1])
    rows = reduced_run(run)
    assert (np.abs(rows[:2]).max(axis=1) > 0.1).all()
    assert not rows[2:].any()
    assert not reduced_run(np.zeros((4, 9))).any()


def test_a_run_is_not_modified_by_its_reduction():
    run = RUNS[0].copy()
    reduced_run(run, 3)
    assert (run == RUNS[0]).all()


def test_rows_that_were_stacked_are_read_back_in_any_shape():
    parts = [RUNS[0][:4].astype(np.float32), RUNS[1][:3], RUNS[2][:2].astype(np.float32)]
    whole = np.vstack(parts)
    with Stack(300) as stack:
        for part in parts:
            stack.append(part)
        assert stack.n_rows == 9
        assert stack.dtype == np.float64
        assert (np.hstack([block for _, block in stack.blocks()]) == whole).all()
        assert (stack.rows(3, 6) == whole[3:6]).all()
        points = np.array([299, 0, 17, 17])
        assert (stack.at(points) == whole[:, points].T).all()
        assert_allclose(stack.norms, np.linalg.norm(whole, axis=1), rtol=1e-6)
        maps = RNG.normal(size=(2, 300))
        assert_allclose(stack.onto(maps), maps @ whole.T, rtol=1e-10)
        weights = RNG.normal(size=(2, 9))
        assert_allclose(stack.combined(weights), weights @ whole, rtol=1e-10)


def test_a_stack_of_float32_runs_is_float32_and_other_widths_are_refused():
    with Stack(300) as stack:
        stack.append(RUNS[0][:2].astype(np.float32))
        assert stack.dtype == np.float32
        with pytest.raises(ValueError, match="200 points.*300"):
            stack.append(np.zeros((1, 200)))


@pytest.mark.parametrize("equal_rows", [True, False])
@pytest.mark.parametrize("at_once", [1500, 0])
def test_maps_of_a_group_are_the_singular_vectors_of_its_stack(equal_rows, at_once, monkeypatch):
    monkeypatch.setattr(reduction, "N_ROWS_AT_ONCE", at_once)
    dense = np.vstack([reduced_run(run, 4) for run in RUNS])
    if equal_rows:
        dense /= np.linalg.norm(dense, axis=1, keepdims=True)
    _, s, vt = np.linalg.svd(dense, full_matrices=False)
    with stacked(RUNS, 4) as stack:
        maps, values = group_maps(stack, 3, equal_rows=equal_rows)
    assert_allclose(values, s[:3], rtol=1e-7)
    assert_allclose(np.abs(np.einsum("ij,ij->i", maps, vt[:3])), 1, atol=1e-7)
    assert_allclose(maps @ maps.T, np.eye(3), atol=1e-8)
    assert (np.take_along_axis(maps, np.abs(maps).argmax(axis=1)[:, None], axis=1) > 0).all()


def test_maps_of_a_group_do_not_depend_on_the_order_of_its_runs():
    with stacked(RUNS, 4) as one, stacked(RUNS[::-1], 4) as other:
        assert_allclose(group_maps(one, 3)[0], group_maps(other, 3)[0], atol=1e-9)


def test_shared_maps_are_found_in_the_group():
    with stacked(RUNS, 5) as stack:
        maps, _ = group_maps(stack, 3)
    basis = np.linalg.qr(SHARED.T)[0]
    assert np.linalg.svd(maps @ basis)[1].min() > 0.97


def test_a_group_has_no_more_maps_than_independent_rows():
    run = np.outer([1.0, 2, 3, 4], RUNS[0][0]) + np.outer([1.0, -1, 1, -1], RUNS[0][1])
    with stacked([run, run], 4) as stack:
        maps, values = group_maps(stack, 6)
    assert len(maps) == len(values) == 2
    with stacked([np.zeros((4, 300))], 2) as stack, pytest.raises(ValueError, match="No component found"):
        group_maps(stack, 2)


def test_what_is_read_at_a_time_does_not_grow_with_the_rows(monkeypatch):
    with Stack(50_000) as stack:
        row = np.zeros((1, 50_000), np.float32)
        for _ in range(600):
            stack.append(row)
        tile, block = next(stack.blocks())
    assert block.nbytes <= 2**21 * 8 * 1.01
    assert tile.stop == block.shape[1]
