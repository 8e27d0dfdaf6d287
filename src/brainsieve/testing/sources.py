"""The contract of sources."""

from __future__ import annotations

import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from brainsieve.engine.source.base import Block, Source


class SourceContract(ABC):
    """What every `Source` keeps. Subclasses say how one is made, and the values that it means.

    It must have at least three samples.
    """

    # Files hold scaled values to their own precision.
    tolerance = 1e-6

    @abstractmethod
    def make(self, folder: Path) -> Source:
        """A source whose file, if it has one, lies in a folder."""

    @abstractmethod
    def values(self) -> NDArray:
        """Its values of shape (n_samples, n_points), scaling applied, read by other means."""

    def test_it_says_beforehand_what_comes(self) -> None:
        with self._made() as source:
            assert (source.n_samples, source.domain.n_points) == self.values().shape
            assert source.dtype.kind in "biuf" and source.dtype.isnative
            assert source.value_dtype.kind in "iufb"
            assert source.is_scaled == ((source.slope, source.inter) != (1.0, 0.0))
            assert source.tr is None or (np.isfinite(source.tr) and source.tr > 0)
            assert source.name and "\n" not in source.name

    def test_blocks_tile_the_values_in_order_and_each_once(self) -> None:
        with self._made() as source:
            for per_block in (None, 1, 2, source.n_samples + 5):
                seen = np.full(self.values().shape, np.nan)
                last = (-1, -1)
                for block in source.blocks(per_block):
                    self._check(block, source)
                    assert (block.points.start, block.samples.start) > last
                    last = (block.points.start, block.samples.start)
                    assert np.isnan(seen[block.samples, block.points]).all()
                    seen[block.samples, block.points] = scaled(block.values, source)
                assert_allclose(seen, self.values(), rtol=self.tolerance, atol=self._atol())

    def test_blocks_are_whole_samples_or_whole_series(self) -> None:
        with self._made() as source:
            for block in source.blocks():
                if source.points_first:
                    assert block.samples == slice(0, source.n_samples)
                else:
                    assert block.points == slice(0, source.domain.n_points)

    def test_no_more_samples_come_at_once_than_were_asked_for(self) -> None:
        with self._made() as source:
            if not source.points_first:
                assert max(len(block.values) for block in source.blocks(2)) <= 2

    def test_the_samples_that_are_needed_come_and_are_right(self) -> None:
        with self._made() as source:
            for wanted in ([0], [source.n_samples - 1], [0, 2], range(source.n_samples)):
                samples = np.array(wanted, dtype=np.intp)
                seen = np.full(self.values().shape, np.nan)
                for block in source.blocks(samples=samples):
                    seen[block.samples, block.points] = scaled(block.values, source)
                expected = self.values()[samples]
                assert_allclose(seen[samples], expected, rtol=self.tolerance, atol=self._atol())

    def test_it_can_be_read_twice_and_by_two_at_once(self) -> None:
        with self._made() as source:
            first, second = _all(source), _all(source)
            assert_array_equal(first, second)
            with closing(source.blocks(1)) as one, closing(source.blocks(1)) as other:
                for a, b in zip(one, other, strict=True):
                    kept = a.values.copy()
                    assert_array_equal(kept, b.values)

    def test_stopping_early_leaves_no_thread_behind(self) -> None:
        with self._made() as source:
            before = threading.active_count()
            blocks = source.blocks(1)
            next(blocks)
            blocks.close()
            assert threading.active_count() == before

    def test_its_identity_stays_while_the_data_do(self) -> None:
        with self._made() as source:
            identity = source.identity
            _all(source)
            assert isinstance(identity, str) and identity
            assert source.identity == identity

    def _check(self, block: Block, source: Source) -> None:
        shape = (block.samples.stop - block.samples.start, block.points.stop - block.points.start)
        assert block.values.shape == shape and min(shape) > 0
        assert block.values.dtype == source.dtype

    def _atol(self) -> float:
        return self.tolerance * float(
            np.nanmax(np.abs(self.values()), initial=0.0, where=np.isfinite(self.values()))
        )

    @contextmanager
    def _made(self) -> Iterator[Source]:
        with tempfile.TemporaryDirectory() as folder:
            yield self.make(Path(folder))


def scaled(stored: NDArray, source: Source) -> NDArray[np.float64]:
    return stored.astype(np.float64) * source.slope + source.inter


def _all(source: Source) -> NDArray:
    values = np.empty((source.n_samples, source.domain.n_points), dtype=source.dtype)
    for block in source.blocks():
        values[block.samples, block.points] = block.values
    return values
