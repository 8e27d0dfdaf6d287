"""Streaming values: scaled, of the samples asked for, and everything closed, however the loop ends."""

from __future__ import annotations

import gc
import itertools

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from threadpoolctl import threadpool_info, threadpool_limits

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.source import Block, Source, read_all, read_sample, streamed, value_range
from brainsieve.engine.source import values as module

GRID = VoxelGrid((3, 4, 2), np.eye(4))
N = 11


class Stored(Source):
    """Stored values in memory, in blocks of three samples or of five points."""

    def __init__(self, stored, points_first=False, slope=1.0, inter=0.0):
        self.domain, self.n_samples, self.dtype = GRID, len(stored), stored.dtype
        self.slope, self.inter, self.points_first = slope, inter, points_first
        self.stored, self.n_open, self.n_passes = stored, 0, 0

    def blocks(self, samples_per_block=None, samples=None):
        self.n_open += 1
        self.n_passes += 1
        try:
            size = 5 if self.points_first else samples_per_block or 3
            for start in range(0, self.stored.shape[int(self.points_first)], size):
                part = slice(start, min(start + size, self.stored.shape[int(self.points_first)]))
                if self.points_first:
                    yield Block(slice(0, self.n_samples), part, self.stored[:, part])
                elif samples is None or np.isin(np.arange(part.start, part.stop), samples).any():
                    yield Block(part, slice(0, GRID.n_points), self.stored[part])
        finally:
            self.n_open -= 1

    @property
    def identity(self):
        return "stored"


def stored(dtype):
    values = np.random.default_rng(3).normal(50, 40, (N, GRID.n_points)).astype(dtype)
    if values.dtype.kind == "f":
        values[2, 5], values[6, 0], values[6, 23] = np.nan, np.inf, -np.inf
    return values


@pytest.mark.parametrize("samples", [None, [0], [10], [1, 2, 5, 9, 10], list(range(3, 9))], ids=str)
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("points_first", [False, True], ids=["samples", "points"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
@pytest.mark.parametrize("scaling", [(1.0, 0.0), (0.5, -3.0)], ids=str)
def test_values_are_the_scaled_rows_asked_for(samples, whole, points_first, dtype, scaling, monkeypatch):
    monkeypatch.setattr(module, "GATHER_BYTES", 4 * GRID.n_points * np.dtype(dtype).itemsize)
    source = Stored(stored(dtype), points_first, *scaling)
    wanted = np.arange(N) if samples is None else np.array(samples)
    expected = (source.stored.astype(np.float64) * scaling[0] + scaling[1])[wanted]
    for fill in (None, 0.0):
        got = np.full(expected.shape, 1e9)
        with streamed(source, wanted, whole_samples=whole, dtype=np.float64, nonfinite=fill) as blocks:
            for block in blocks:
                assert_array_equal(block.samples, wanted[block.rows])
                assert (got[block.rows, block.points] == 1e9).all(), "a value came twice"
                assert not whole or block.values.shape[1] == GRID.n_points
                got[block.rows, block.points] = block.values
        want = expected if fill is None else np.where(np.isfinite(expected), expected, fill)
        assert_array_equal(got, want)
        assert source.n_open == 0
    finite = expected[np.isfinite(expected)]
    assert value_range(source, wanted) == (min(finite.min(), 0), max(finite.max(), 0))


@pytest.mark.parametrize("points_first", [False, True], ids=["samples", "points"])
def test_reading_all_and_reading_one(points_first):
    source = Stored(stored("float32"), points_first, 2.0, 1.0)
    expected = (source.stored.astype(np.float64) * 2.0 + 1.0).astype(np.float32)
    assert_array_equal(read_all(source), expected)
    for sample in (0, 6, 10):
        assert_array_equal(read_sample(source, sample), expected[sample])
    assert source.n_open == 0


def test_blocks_of_one_sample_do_not_read_a_file_of_points_again_and_again():
    source = Stored(stored("int16"), points_first=True)
    with streamed(source, whole_samples=True, samples_per_block=1) as blocks:
        assert [len(block.values) for block in blocks] == [1] * N
    assert source.n_passes == 1


def test_values_without_a_finite_one_have_the_range_of_zero():
    assert value_range(Stored(np.full((2, GRID.n_points), np.nan))) == (0, 0)


@pytest.fixture(autouse=True)
def two_blas_threads():
    """More than the one that a loop over values leaves, wherever the tests run."""
    with threadpool_limits(2, "blas"):
        yield


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@pytest.mark.parametrize("points_first", [False, True], ids=["samples", "points"])
@pytest.mark.parametrize("whole", [False, True])
def test_an_error_in_the_loop_closes_the_source_at_once(points_first, whole):
    source, before = Stored(stored("int16"), points_first), blas_threads()
    with pytest.raises(KeyboardInterrupt) as caught, streamed(source, whole_samples=whole) as blocks:
        for _ in blocks:
            assert set(blas_threads()) == {1}
            raise KeyboardInterrupt
    # The traceback still holds the frame: nothing was left to the garbage collector.
    assert caught.tb is not None and source.n_open == 0 and blas_threads() == before


def test_an_abandoned_generator_lets_go():
    source, before = Stored(stored("int16")), blas_threads()

    def rows():
        with streamed(source) as blocks:
            for block in blocks:
                yield from block.values

    taken = rows()
    list(itertools.islice(taken, 2))
    assert source.n_open == 1
    del taken
    gc.collect()
    assert source.n_open == 0 and blas_threads() == before


def test_generators_for_the_caller_leave_blas_alone():
    with streamed(Stored(stored("int16")), limit_blas=False) as blocks:
        next(blocks)
        assert set(blas_threads()) == {2}
