"""High-variance components of a source, streamed, are those of its values in memory."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve import signal
from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.high_variance import streamed_high_variance
from brainsieve.engine.source import Block, Source

GRID = VoxelGrid((6, 5, 8), np.eye(4))
P, T = GRID.n_points, 37


class Stored(Source):
    def __init__(self, stored, points_first, slope, inter):
        self.domain, self.n_samples, self.dtype = GRID, T, stored.dtype
        self.points_first, self.slope, self.inter, self._stored = points_first, slope, inter, stored

    def blocks(self, samples_per_block=None, samples=None):
        for start in range(0, P if self.points_first else T, 10):
            part = slice(start, min(start + 10, P if self.points_first else T))
            if self.points_first:
                yield Block(slice(0, T), part, self._stored[:, part])
            else:
                yield Block(part, slice(0, P), self._stored[part])

    @property
    def identity(self):
        return "stored"


def stored_values(dtype):
    rng = np.random.default_rng(4)
    spread = rng.random(P) * np.where(np.arange(P) < 20, 60, 3)
    return (1000 + rng.normal(size=(T, P)) * spread + np.arange(T)[:, None]).astype(dtype)


@pytest.mark.parametrize("points_first", [False, True], ids=["samples", "points"])
@pytest.mark.parametrize("scaling", [(1.0, 0.0), (0.5, -500.0), (0.01, 3.0)], ids=str)
@pytest.mark.parametrize("dtype", ["int16", "float32", "float64"])
@pytest.mark.parametrize("detrend", [False, True])
@pytest.mark.parametrize(
    "kept", [np.arange(T), np.setdiff1d(np.arange(T), [0, 11, 12, 36])], ids=["all", "some"]
)
def test_components_of_a_source_are_those_of_its_values(points_first, scaling, dtype, detrend, kept):
    stored = stored_values(dtype)
    if dtype != "int16":
        stored[5, 3] = np.nan  # takes no part
        stored[11, :10] = np.inf
    values = stored.astype(np.float64) * scaling[0] + scaling[1]
    source = Stored(stored, points_first, *scaling)
    found = streamed_high_variance(source, kept, 4, 10.0, detrend)
    expected = signal.high_variance_confounds(values[kept], 4, 10.0, detrend)
    assert_allclose(found[kept], expected, atol=1e-5 if dtype == "float32" else 1e-8)
    assert_array_equal(found[np.setdiff1d(np.arange(T), kept)], 0)


def test_the_intercept_of_the_file_counts_where_values_are_not_detrended():
    """With it, another voxel is the strongest: mean squares are of values, not of what is stored."""
    stored = np.zeros((T, P), np.int16)
    stored[:, 4], stored[:, 9] = np.random.default_rng(0).integers(-30, 31, (2, T))
    stored[:, 9] += 100
    with pytest.warns(UserWarning, match="only 1 components"):
        found = streamed_high_variance(
            Stored(stored, False, 1.0, -100.0), np.arange(T), 2, 0.4, detrend=False
        )
    # Voxel 9 is 0 on average, voxel 4 is -100.
    strongest = stored[:, 4] - 100.0
    assert_allclose(np.abs(found[:, 0]), np.abs(strongest) / np.linalg.norm(strongest), atol=1e-12)


@pytest.mark.parametrize("points_first", [False, True], ids=["samples", "points"])
def test_rounding_of_float32_is_no_variance_and_of_float64_data_it_is(points_first):
    rng = np.random.default_rng(5)
    steps = np.where(
        rng.random((T, P)) < 0.5, np.float32(1000), np.nextafter(np.float32(1000), np.float32(2000))
    )
    with pytest.raises(ValueError, match="is constant"):
        streamed_high_variance(Stored(steps, points_first, 1.0, 0.0), np.arange(T), 3)
    found = streamed_high_variance(Stored(steps.astype(np.float64), points_first, 1.0, 0.0), np.arange(T), 3)
    assert_allclose(found.T @ found, np.eye(3), atol=1e-9)


def test_points_that_do_not_count_are_left_out():
    stored, inside = stored_values("float64"), np.arange(P) > 100
    found = streamed_high_variance(Stored(stored, False, 1.0, 0.0), np.arange(T), 3, 5.0, points=inside)
    assert_allclose(found, signal.high_variance_confounds(stored[:, inside], 3, 5.0), atol=1e-9)
    with pytest.raises(ValueError, match="No point is finite"):
        streamed_high_variance(Stored(stored, False, 1.0, 0.0), np.arange(T), points=np.zeros(P, bool))
