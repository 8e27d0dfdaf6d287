"""Sinks: where the features of one request are collected as blocks come, and finished when all have come.

A value is stored · slope + inter. Of sums of points, sinks hold ``slope · A (x - r)`` and, once for all samples,
the offset ``slope · A r + inter · A 1``: nothing of the file's scaling is done on voxels. r is 0, or, in float32,
the first sample kept, so that what varies keeps all of its digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from brainsieve.engine.finite import FiniteBlock, Watch
from brainsieve.engine.request import Request
from brainsieve.engine.source.base import Source
from brainsieve.engine.source.values import as_range, ends_of, scaled
from brainsieve.engine.spatial.average import SparseOperator
from brainsieve.engine.spatial.operator import SpatialOperator

# Columns that are brought to float64 at a time when offsets are added or values clipped at the end.
TILE_COLUMNS = 4096
# A feature of which so small a share of the weights is left has no finite point: the rest is rounding.
NO_WEIGHT = 1e-9


class Sink:
    """Collects one request's features as blocks come.

    Parameters
    ----------
    source : Source
    request : Request
    by_ranges : bool
        Whether blocks are ranges of points with all samples, rather than whole samples.
    """

    def __init__(self, source: Source, request: Request, by_ranges: bool = False) -> None:
        self.source = source
        self.request = request
        self.by_ranges = by_ranges
        self.low, self.high = 0.0, 0.0
        self._ranges = request.space.ranges() if by_ranges else None
        self._last_range: tuple[slice, tuple[NDArray[np.intp], SpatialOperator]] | None = None
        self.start(request.kept(source))

    def start(self, kept: NDArray[np.intp]) -> None:
        """Begin anew, for these samples."""
        self._row_of_sample = np.full(self.source.n_samples, -1, dtype=np.intp)
        self._row_of_sample[kept] = np.arange(len(kept))
        shape = (len(kept), self.request.space.n_features)
        # Time runs fastest where it does in the source: nothing is transposed, and series lie together.
        self.values = np.zeros(shape, self.request.dtype, order="F" if self.source.points_first else "C")
        self.offset: NDArray[np.float64] | None = None
        self._watch = None if self.request.watched is None else Watch(self.source, self.request.watched)

    @property
    def has_data(self) -> NDArray[np.bool_] | None:
        return None if self._watch is None else self._watch.has_data

    def take(self, block: FiniteBlock, pool: ThreadPoolExecutor | None) -> None:
        """Take a block; where a pool is given, its samples may be shared among threads."""
        rows, mine = self.mine(block)
        if mine is None:
            return
        self._prepare(mine)
        # Where time runs fastest, a sample is strided: such blocks are taken whole.
        if pool is None or self.by_ranges or len(mine.stored) < 2 or not self.request.space.is_costly:
            self._take(mine, rows)
        else:
            # One sample at a time: its features then never depend on how many threads there are.
            each(pool, self._take, zip(mine.each_sample(), each_row(rows), strict=True))

    def mine(self, block: FiniteBlock) -> tuple[slice, FiniteBlock | None]:
        """The samples of a block that are kept, and the rows of `values` where they go."""
        rows = self._row_of_sample[block.samples]
        kept = np.flatnonzero(rows >= 0)
        if not len(kept):
            return slice(0, 0), None
        if len(kept) < len(rows):
            block = block.of_rows(as_range(kept))
        return slice(int(rows[kept[0]]), int(rows[kept[-1]]) + 1), block

    def _prepare(self, mine: FiniteBlock) -> None:
        """What is done once for the samples of a block, before they are shared among threads."""
        if self.request.clip:
            ends = ends_of(mine.stored, self.source)
            self.low, self.high = min(self.low, *ends), max(self.high, *ends)
        if self._watch is not None:
            self._watch.look_at(mine)

    def _take(self, mine: FiniteBlock, rows: slice) -> None:
        raise NotImplementedError

    def _at(self, points: slice) -> tuple[NDArray[np.intp], SpatialOperator]:
        """The features that a range of points touches, and the operator from those points to them."""
        assert self._ranges is not None
        # Blocks come once each: what was made for the one before is of no more use.
        if self._last_range is None or self._last_range[0] != points:
            self._last_range = (points, self._ranges.at(points))
        return self._last_range[1]

    def finish(self, n_threads: int) -> NDArray:
        """Clip, clean in time, and give the array away."""
        if self.request.clip:
            for columns, offset in self._tiles():
                tile = self.values[:, columns]
                np.clip(tile, self.low - offset, self.high - offset, out=tile)
        time = self.request.time
        if time is not None and not time.is_identity:
            # The offset goes along, not into the values: what is done to a large mean is done in float64.
            time.apply(self.values, self.offset, precision(self.source), n_threads)
        elif self.offset is not None:
            for columns, offset in self._tiles():
                self.values[:, columns] = self.values[:, columns] + offset
        return self.values

    def _tiles(self) -> Iterator[tuple[slice, Any]]:
        """Ranges of columns, and the offsets of these columns."""
        for start in range(0, self.values.shape[1], TILE_COLUMNS):
            columns = slice(start, start + TILE_COLUMNS)
            yield columns, 0.0 if self.offset is None else self.offset[columns]


class PointSink(Sink):
    """Features that are points: complete as they come, hence scaled at once.

    Values that float32 does not hold are held in it as deviations from the first sample kept where they are to be
    cleaned: of 2e8 ± 30 it would keep nothing but the mean.
    """

    def start(self, kept: NDArray[np.intp]) -> None:
        super().start(kept)
        time = self.request.time
        rounds = self.values.dtype == np.float32 and (self.source.is_scaled or not is_exact(self.source))
        self._deviates = rounds and time is not None and not time.is_identity

    def _prepare(self, mine: FiniteBlock) -> None:
        super()._prepare(mine)
        if not self._deviates or (self.offset is not None and not self.by_ranges):
            return
        if self.offset is None:
            self.offset = np.zeros(self.request.space.n_features)
        columns, values = self._points(replace(mine, stored=first_values(mine)[None], finite=None))
        self.offset[columns] = values[0]

    def _take(self, mine: FiniteBlock, rows: slice) -> None:
        in_place = not self.source.is_scaled or self.values.dtype == np.float64
        if in_place and mine.finite is None and not self.by_ranges and not self._deviates:
            # No array of the block's size is made. In float32 the product would be rounded.
            out = self.values[rows]
            self.request.space.forward_into(mine.stored, out)
            if self.source.is_scaled:
                out *= self.source.slope
                out += self.source.inter
            return
        columns, values = self._points(mine)
        self.values[rows, columns] = values if self.offset is None else values - self.offset[columns]

    def _points(self, mine: FiniteBlock) -> tuple[Any, NDArray]:
        """Columns of the points in a block, and their values."""
        space, columns = self.request.space, np.arange(self.request.space.n_features)
        if self.by_ranges:
            columns, space = self._at(mine.points)
        assert space.support is not None
        points = as_range(space.support)
        stored = mine.stored.T[points].T if self.by_ranges else mine.stored.take(space.support, axis=1)
        values = scaled(stored, self.source)
        if mine.finite is not None:
            # 0 exactly, not what rounding leaves of the value that stands for it.
            values = np.where(mine.finite[:, points], values, np.nan if self.request.omit_nonfinite else 0)
        return as_range(columns), values


class SumSink(Sink):
    """Features that are weighted sums of points.

    Sums of finite points alone are held in float64: how much of the weights is left changes from sample to sample,
    and no reference is near to all of them.
    """

    def __init__(self, source: Source, request: Request, by_ranges: bool = False) -> None:
        self._of_ones: NDArray[np.float64] | None = None
        super().__init__(source, request, by_ranges)

    def start(self, kept: NDArray[np.intp]) -> None:
        super().start(kept)
        if self.request.omit_nonfinite:
            self.values = np.zeros_like(self.values, np.float64)
        # Ranges of points are summed by the sums alone; what they are multiplied by follows in `finish`.
        self._sums = self.request.space if self._ranges is None else self._ranges.sums
        if self._of_ones is None and (self.source.inter != 0 or self.request.omit_nonfinite):
            self._of_ones = self._sums.forward(np.ones((1, self._sums.n_points)))[0]
        if self._of_ones is not None and self.source.inter != 0:
            self.offset = self.source.inter * self._of_ones
        self._missing: NDArray[np.float64] | None = None
        self._last_weights: tuple[NDArray[np.bool_], NDArray[np.float64]] | None = None

    def _take(self, mine: FiniteBlock, rows: slice) -> None:
        if self.by_ranges:
            self._add_range(mine, rows)
        elif self.request.omit_nonfinite and mine.finite is not None:
            for i, row in enumerate(range(rows.start, rows.stop)):
                self.values[row] = self._of_finite(mine.stored[i], mine.finite[i])
        else:
            stored = mine.stored.astype(np.float64) if self.request.omit_nonfinite else mine.stored
            self.values[rows] = self._features(self._sums, stored)

    def _features(self, space: SpatialOperator, stored: NDArray) -> NDArray:
        """slope · A x"""
        features = space.forward(stored)
        return features if self.source.slope == 1 else features * self.source.slope

    def take_sums(self, block: FiniteBlock, sums: NDArray) -> None:
        """Take sums of a block's stored values that were computed elsewhere, one row for each sample."""
        rows, mine = self.mine(block)
        if mine is not None:
            self._prepare(mine)
            self.values[rows] = sums[self._row_of_sample[block.samples] >= 0] * self.source.slope

    def _add_range(self, mine: FiniteBlock, rows: slice) -> None:
        """Add what a range of points gives to the features that it touches, and to no others."""
        columns, space = self._at(mine.points)
        self.values[rows, columns] += self._features(space, mine.stored)
        if self.request.omit_nonfinite and mine.finite is not None:
            if self._missing is None:
                self._missing = np.zeros(self.values.shape)
            self._missing[rows, columns] += space.forward(~mine.finite)

    def _of_finite(self, stored: NDArray, finite: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The features of a sample's finite points, without the offset; in float64, whatever is held."""
        last = self._last_weights
        # What is not finite is mostly outside the brain, the same in every sample.
        if last is None or not np.array_equal(last[0], finite):
            last = (finite.copy(), self._sums.forward(finite[None].astype(np.float64))[0])
            self._last_weights = last
        sums = self._sums.forward(np.where(finite, stored, 0).astype(np.float64)[None])[0]
        values = self.source.slope * sums + self.source.inter * last[1]
        return self._restored(values, last[1]) - (0.0 if self.offset is None else self.offset)

    def _restored(self, sums: NDArray, weights: NDArray) -> NDArray[np.float64]:
        """Sums of some of the points as of all of them; NaN where none of the weights is left."""
        whole = self._of_ones
        assert whole is not None
        left = np.abs(weights) > NO_WEIGHT * np.abs(whole)
        return np.where(
            left, sums * np.divide(whole, weights, out=np.zeros(weights.shape), where=left), np.nan
        )

    def finish(self, n_threads: int) -> NDArray:
        if self._missing is not None:
            assert self._of_ones is not None
            offset = 0.0 if self.offset is None else self.offset
            self.values[...] = self._restored(self.values + offset, self._of_ones - self._missing) - offset
        if self.request.omit_nonfinite and self._of_ones is not None:
            # A feature without a point is the mean of none, whether or not NaN was met elsewhere.
            self.values[:, self._of_ones == 0] = np.nan
        if self._ranges is not None and self._ranges.solution is not None:
            self.values[...] = self.values @ self._ranges.solution
            if self.offset is not None:
                self.offset = self.offset @ self._ranges.solution
        return super().finish(n_threads).astype(self.request.dtype, copy=False)


class DeviationSink(SumSink):
    """Weighted sums held or computed in float32, as deviations from the first sample kept.

    A series that varies by one part in a thousand would lose three of float32's seven digits; its deviations
    lose none. The first sample goes through the operator in float64, and so do deviations of values that float32
    does not hold.
    """

    def start(self, kept: NDArray[np.intp]) -> None:
        super().start(kept)
        self._reference: NDArray | None = None
        self._computed_in = np.dtype(np.float32 if is_exact(self.source) else np.float64)

    def _prepare(self, mine: FiniteBlock) -> None:
        super()._prepare(mine)
        if self._reference is not None and not self.by_ranges:
            return
        self._reference = first_values(mine).astype(self._computed_in)
        columns, space = self._at(mine.points) if self.by_ranges else (slice(None), self._sums)
        if self.offset is None:
            self.offset = np.zeros(self.values.shape[1])
        self.offset[columns] += super()._features(space, self._reference.astype(np.float64)[None])[0]

    def _features(self, space: SpatialOperator, stored: NDArray) -> NDArray:
        assert self._reference is not None
        deviations = np.subtract(stored, self._reference, dtype=self._computed_in, casting="unsafe")
        return super()._features(space, deviations)


class NonlinearSink(Sink):
    """Features of an operator that is no matrix: it sees the scaled values."""

    def _take(self, mine: FiniteBlock, rows: slice) -> None:
        values = scaled(mine.stored, self.source)
        if mine.finite is not None and self.source.is_scaled:
            # Exactly 0, which counts and modes tell from what rounding leaves.
            values[~mine.finite] = 0
        self.values[rows] = self.request.space.forward(values)


class Stack:
    """Several sums of weighted points as one matrix, so that points are gathered once for all."""

    def __init__(self, sinks: Sequence[SumSink]) -> None:
        self._sinks = sinks
        spaces = [sink.request.space.tosparse() for sink in sinks]
        self._space = SparseOperator(sparse.vstack(spaces, format="csr"), copy=False)
        self._ends = np.cumsum([0, *(space.shape[0] for space in spaces)])

    def take(self, block: FiniteBlock, pool: ThreadPoolExecutor | None) -> None:
        sums = np.empty((len(block.stored), self._space.n_features))
        if pool is None or not self._space.is_costly:
            sums[...] = self._space.forward(block.stored)
        else:
            each(pool, self._take_row, ((block.stored, sums, i) for i in range(len(sums))))
        for sink, start, stop in zip(self._sinks, self._ends[:-1], self._ends[1:], strict=True):
            sink.take_sums(block, sums[:, start:stop])

    def _take_row(self, stored: NDArray, sums: NDArray, i: int) -> None:
        sums[i] = self._space.forward(stored[i : i + 1])[0]


def make_sink(source: Source, request: Request, by_ranges: bool = False) -> Sink:
    """The sink that suits a request."""
    space = request.space
    if not space.is_linear:
        return NonlinearSink(source, request)
    if not space.mixes_points:
        return PointSink(source, request, by_ranges)
    # What moves voxels (all but sums of many) computes float32 in float32, whatever it is held in.
    narrow = source.dtype == np.float32 and space.steps[0].sums is None
    narrow = (narrow or np.dtype(request.dtype) == np.float32) and not request.omit_nonfinite
    return (DeviationSink if narrow else SumSink)(source, request, by_ranges)


def stacked(sinks: Sequence[Sink]) -> list[Sink | Stack]:
    """Sinks, those that are plain weighted sums of whole samples put together."""
    # Not those that hold deviations: each has a first sample of its own, and takes it off before it multiplies.
    plain = [
        sink
        for sink in sinks
        if type(sink) is SumSink
        and sink.request.space.is_stackable
        and not sink.request.omit_nonfinite
        and not sink.by_ranges
    ]
    if len(plain) < 2:
        return list(sinks)
    return [Stack(plain), *(sink for sink in sinks if sink not in plain)]


def each_row(rows: slice) -> Iterator[slice]:
    """The rows of a range one by one."""
    return (slice(row, row + 1) for row in range(rows.start, rows.stop))


def each(pool: ThreadPoolExecutor, do: Callable[..., None], arguments: Iterable[tuple[Any, ...]]) -> None:
    """Call a function with each of some arguments, shared among threads; the first error is raised."""
    for task in [pool.submit(do, *some) for some in arguments]:
        task.result()


def first_values(block: FiniteBlock) -> NDArray:
    """The stored values of the first sample; of a point that has none there, its first one in the block."""
    first = block.stored[0]
    if block.finite is None:
        return first
    gaps = np.flatnonzero(~block.finite[0])
    first = first.copy()
    first[gaps] = block.stored[block.finite[:, gaps].argmax(axis=0), gaps]
    return first


def is_exact(source: Source) -> bool:
    """Whether float32 holds the stored values; of wider integers and floats it would lose digits."""
    return source.dtype == np.float32 or source.dtype.itemsize <= 2


def precision(source: Source) -> np.dtype:
    """What the series are accurate to: integers and float64 are exact, float32 is not."""
    return np.dtype(np.float32 if source.dtype in (np.float16, np.float32) else np.float64)
