"""Extraction: any size of blocks, any number of threads and any order of the file give the run's numbers."""

from __future__ import annotations

import threading

import nibabel as nib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.extract import Request, extract, stream
from brainsieve.engine.source import open_source, read_all
from brainsieve.engine.source.base import Block, Source
from brainsieve.engine.spatial.average import Average
from brainsieve.engine.spatial.plan import fold
from brainsieve.engine.spatial.reduce import Reduce
from brainsieve.engine.spatial.select import Select
from brainsieve.engine.spatial.smooth import smooth
from brainsieve.engine.temporal.operator import CleaningSettings, plan_cleaning

GRID = VoxelGrid((6, 5, 4), np.diag([3.0, 3, 3, 1]))
N = 23


class ArraySource(Source):
    """Values in memory, given in blocks of samples or of points, of any size."""

    def __init__(self, values, size=5, points_first=False, slope=1.0, inter=0.0):
        self.domain, self.n_samples, self.dtype = GRID, len(values), values.dtype
        self.slope, self.inter, self.points_first = slope, inter, points_first
        self._values, self._size = values, size
        self.closed = False

    def blocks(self, samples_per_block=None, samples=None):
        n_samples, n_points = self._values.shape
        size = samples_per_block or self._size
        try:
            if self.points_first:
                for a in range(0, n_points, size):
                    part = slice(a, min(a + size, n_points))
                    yield Block(slice(0, n_samples), part, self._values[:, part])
            else:
                for a in range(0, n_samples, size):
                    part = slice(a, min(a + size, n_samples))
                    yield Block(part, slice(0, n_points), self._values[part])
        finally:
            self.closed = True

    @property
    def identity(self):
        return "array"


def values(dtype=np.float64, mean=100.0):
    data = np.random.default_rng(0).normal(mean, 10, (N, GRID.n_points))
    return data.astype(dtype)


def codes():
    return np.random.default_rng(1).integers(-1, 4, GRID.n_points)


SPACES = {
    "select": lambda: Select(np.random.default_rng(2).permutation(GRID.n_points)[:30], GRID.n_points),
    "mean": lambda: Average.from_codes(codes(), 4),
    "median": lambda: Reduce.from_codes(codes(), 4, "median"),
    "smoothed voxels": lambda: fold([smooth(GRID, 7.0), Select(np.arange(40), GRID.n_points)], "stepwise"),
    "smoothed means": lambda: fold([smooth(GRID, 7.0), Average.from_codes(codes(), 4)]),
}


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("points_first", [False, True], ids=["samples", "points"])
@pytest.mark.parametrize("size", [1, 4, 1000])
def test_every_size_and_order_of_blocks_gives_what_the_whole_gives(space, points_first, size):
    operator = SPACES[space]()
    source = ArraySource(values(), size, points_first)
    (answer,) = extract(source, [Request(operator)])
    assert_allclose(answer.values, operator.forward(values()), rtol=1e-12)
    assert answer.n_nonfinite is None and source.closed


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_do_not_change_a_bit(space, dtype):
    request = Request(SPACES[space](), dtype=np.dtype(dtype))
    source = ArraySource(values(np.float32), 8)
    expected = extract(source, [request, request], n_threads=1)
    for n_threads in (2, 5):
        for got, one in zip(extract(source, [request, request], n_threads=n_threads), expected, strict=True):
            assert_array_equal(got.values, one.values)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("points_first", [False, True], ids=["samples", "points"])
def test_the_scaling_of_the_file_is_applied_once(space, points_first):
    operator = SPACES[space]()
    stored = values().astype(np.int16)
    source = ArraySource(stored, 6, points_first, slope=0.25, inter=-7.0)
    (answer,) = extract(source, [Request(operator)])
    assert_allclose(answer.values, operator.forward(stored * 0.25 - 7.0), rtol=1e-10, atol=1e-9)


def test_float32_mixtures_of_large_values_keep_the_digits_of_what_varies():
    data = (values(mean=0.0) / 100 + 5000).astype(np.float32)
    operator = SPACES["smoothed voxels"]()
    time = plan_cleaning(N, CleaningSettings(standardize="zscore_sample"))
    (answer,) = extract(ArraySource(data), [Request(operator, time, np.dtype(np.float32))])
    exact = operator.forward(data.astype(np.float64))
    expected = (exact - exact.mean(axis=0)) / exact.std(axis=0, ddof=1)
    assert answer.values.dtype == np.float32
    assert np.abs(answer.values - expected).max() < 1e-5


def test_several_requests_share_a_pass_with_their_own_samples():
    spaces = [SPACES[name]() for name in ("mean", "smoothed means", "median", "select")]
    masks = [None, np.arange(3, N), np.arange(0, N, 2), None]
    times = [plan_cleaning(N, CleaningSettings(detrend=True), sample_mask=mask) for mask in masks]
    requests = [Request(space, time) for space, time in zip(spaces, times, strict=True)]
    together = extract(ArraySource(values()), requests)
    for request, answer in zip(requests, together, strict=True):
        (alone,) = extract(ArraySource(values()), [request])
        assert_allclose(answer.values, alone.values, atol=1e-10)
        assert len(answer.values) == len(request.time.kept)


def test_values_that_are_not_finite_count_as_zero_and_are_counted():
    data = values()
    data[3, 5] = np.nan
    data[4, 5] = np.inf
    data[9, 7] = -np.inf
    zeroed = np.where(np.isfinite(data), data, 0)
    for points_first in (False, True):
        (answer,) = extract(ArraySource(data, 4, points_first), [Request(SPACES["mean"]())])
        assert_allclose(answer.values, SPACES["mean"]().forward(zeroed), rtol=1e-12)
        assert answer.n_nonfinite[5] == 2 and answer.n_nonfinite[7] == 1 and answer.n_nonfinite.sum() == 3
    (omitted,) = extract(ArraySource(data), [Request(SPACES["mean"](), omit_nonfinite=True)])
    means = [np.nanmean(np.where(np.isfinite(data), data, np.nan)[:, codes() == i], axis=1) for i in range(4)]
    assert_allclose(omitted.values, np.stack(means, axis=1), rtol=1e-12)


def test_an_error_in_a_pass_closes_the_source_and_leaves_no_thread():
    before = threading.active_count()

    def stop(n_done, n_total):
        raise KeyboardInterrupt

    source = ArraySource(values())
    with pytest.raises(KeyboardInterrupt):
        extract(source, [Request(SPACES["mean"]())], progress=stop)
    assert source.closed and threading.active_count() == before


def test_progress_counts_to_the_end():
    seen = []
    extract(ArraySource(values(), 7), [Request(SPACES["mean"]())], progress=lambda *n: seen.append(n))
    assert seen == [(7, N), (14, N), (21, N), (N, N)]


def test_operators_of_another_size_are_refused():
    with pytest.raises(ValueError, match="takes 7 points"):
        extract(ArraySource(values()), [Request(Select(np.arange(3), 7))])
    with pytest.raises(ValueError, match="takes 9 samples"):
        extract(ArraySource(values()), [Request(SPACES["mean"](), plan_cleaning(9, CleaningSettings()))])


@pytest.mark.parametrize("points_first", [False, True], ids=["samples", "points"])
def test_streamed_blocks_are_the_run(points_first):
    blocks = list(stream(ArraySource(values(), 4, points_first), Request(SPACES["mean"]()), 6))
    assert [len(block) for block in blocks] == [6, 6, 6, 5]
    assert_allclose(np.vstack(blocks), SPACES["mean"]().forward(values()))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_run(tmp_path):
    """Peak memory of a process that averages a run of 300 MB stays far below that."""
    import subprocess
    import sys

    rng = np.random.default_rng(0)
    data = rng.integers(0, 1000, (60, 60, 50, 850), dtype=np.int16)
    nib.save(nib.Nifti1Image(data, np.eye(4)), tmp_path / "run.nii.gz")
    labels = rng.integers(0, 50, (60, 60, 50)).astype(np.int16)
    nib.save(nib.Nifti1Image(labels, np.eye(4)), tmp_path / "labels.nii.gz")
    code = (
        "import resource; from brainsieve.maskers import NiftiLabelsMasker;"
        f"m = NiftiLabelsMasker({str(tmp_path / 'labels.nii.gz')!r}, standardize='zscore_sample').fit();"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        f"m.transform({str(tmp_path / 'run.nii.gz')!r});"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)"
    )
    grown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(grown.stdout) < 120


def test_a_source_reads_the_same_through_extract_as_by_itself(tmp_path):
    img = nib.Nifti1Image(values().astype(np.float32).T.reshape(6, 5, 4, N), GRID.affine)
    nib.save(img, tmp_path / "run.nii.gz")
    source = open_source(tmp_path / "run.nii.gz")
    everything = Select(np.arange(GRID.n_points), GRID.n_points)
    (answer,) = extract(source, [Request(everything)])
    assert_array_equal(answer.values, read_all(source))
