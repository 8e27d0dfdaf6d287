"""Extraction: the one loop over data.

``signals = K · X · Aᵀ``: blocks X of a source stream through spatial operators A into preallocated arrays of
(samples kept, features); then the temporal operators K run in place. Several requests share one pass, so that
many atlases cost one reading of the file. What can only be decided here is here: which samples are read at all,
the file's scaling, voxels that are not finite, and how little is lost in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from brainsieve.engine.source.base import Block, Source
from brainsieve.engine.spatial.average import SparseOperator
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.temporal.operator import TemporalOperator
from brainsieve.engine.threads import available_cpus, single_threaded_blas

Progress = Callable[[int, int], None]

# Columns that are brought to float64 at a time when offsets are added or values clipped at the end.
TILE_COLUMNS = 4096
# Values of points gathered at a time where a source runs in time first but the operator needs whole samples.
GATHER_BYTES = 2**27


@dataclass(frozen=True)
class Request:
    """What to take out of a run.

    Parameters
    ----------
    space : SpatialOperator
        From the points of the source to features.
    time : TemporalOperator, optional
        Applied to the features of the samples that it keeps. Default: all samples, as they are.
    dtype : dtype, default=float64
        float64 or float32, of the result and of what is held while streaming. float32 loses nothing that the
        values themselves do not lose: mixtures of voxels are held as deviations from one sample.
    clip : bool, default=False
        Clip features to the range of the run, 0 included, before anything is done in time (interpolation
        by splines overshoots).
    omit_nonfinite : bool, default=False
        Weigh only the finite points: A x / A 1[x finite], instead of counting the others as 0. For averages.
    """

    space: SpatialOperator
    time: TemporalOperator | None = None
    dtype: np.dtype = field(default_factory=lambda: np.dtype(np.float64))
    clip: bool = False
    omit_nonfinite: bool = False


@dataclass(frozen=True)
class Extracted:
    """One request's share of a pass.

    Attributes
    ----------
    values : array of shape (n_samples kept, n_features)
    n_nonfinite : array of shape (n_points,) or None
        In how many of the samples read each point was NaN or infinite; None where all were finite.
    n_read : int
        Samples that were read.
    """

    values: NDArray
    n_nonfinite: NDArray[np.int64] | None
    n_read: int


def extract(
    source: Source,
    requests: Sequence[Request],
    *,
    n_threads: int | None = None,
    progress: Progress | None = None,
) -> list[Extracted]:
    """Answer requests in one pass over a source.

    Parameters
    ----------
    source : Source
    requests : sequence of Request
        Their operators take the points of ``source.domain``.
    n_threads : int, optional
        Threads for operators that mix many voxels. Default: the processors this process may use. Results do
        not depend on it.
    progress : callable, optional
        Called as ``progress(n_done, n_total)`` with samples after each block.

    Returns
    -------
    list of Extracted
        In the order of `requests`.
    """
    for request in requests:
        _check(source, request)
    sinks = [_make_sink(source, request) for request in requests]
    takers = _stacked(sinks)
    needed = _needed_samples(source, requests)
    guard = FiniteGuard(source)
    whole_samples = not all(request.space.takes_ranges_of_points for request in requests)
    threads = n_threads or available_cpus()
    with single_threaded_blas(), ThreadPoolExecutor(threads, "brainsieve-space") as pool:
        with closing(_blocks(source, needed, whole_samples)) as blocks:
            for block in blocks:
                cleaned = guard.replace(block)
                _feed(takers, block, cleaned, guard.finite, pool if threads > 1 else None)
                if progress is not None:
                    progress(_n_done(block, source), source.n_samples)
        return [Extracted(sink.finish(threads), guard.n_nonfinite, len(needed)) for sink in sinks]


def _feed(
    sinks: Sequence[Sink | Stack],
    block: Block,
    stored: NDArray,
    finite: NDArray[np.bool_] | None,
    pool: ThreadPoolExecutor | None,
) -> None:
    """Give a block to every sink: several sinks share the threads, a single one shares out its samples."""
    if pool is None or len(sinks) == 1:
        for sink in sinks:
            sink.take(block, stored, finite, pool)
        return
    for task in [pool.submit(sink.take, block, stored, finite, None) for sink in sinks]:
        task.result()


class FiniteGuard:
    """Puts 0 for NaN and infinities, and counts them.

    Attributes
    ----------
    n_nonfinite : array of shape (n_points,) or None
        Samples in which each point was not finite, so far; None until there is one.
    finite : bool array or None
        Where the last block was finite; None where it was everywhere.
    """

    def __init__(self, source: Source) -> None:
        self.n_nonfinite: NDArray[np.int64] | None = None
        self.finite: NDArray[np.bool_] | None = None
        self._n_points = source.domain.n_points
        self._can_be_nonfinite = source.dtype.kind == "f"
        # The stored value that stands for 0 once the file's scaling is applied.
        self._zero = -source.inter / source.slope if source.is_scaled else 0.0

    def replace(self, block: Block) -> NDArray:
        """Values of the block with what is not finite replaced; the block itself where all is finite."""
        self.finite = None
        if not self._can_be_nonfinite or _all_finite(block.values):
            return block.values
        self.finite = np.isfinite(block.values)
        if self.n_nonfinite is None:
            self.n_nonfinite = np.zeros(self._n_points, dtype=np.int64)
        self.n_nonfinite[block.points] += len(self.finite) - self.finite.sum(axis=0)
        return np.where(self.finite, block.values, block.values.dtype.type(self._zero))


def _all_finite(values: NDArray) -> bool:
    # A sum is finite unless a term is not, or the sum itself overflows: one pass without a mask of the
    # block's size, and the mask only where that says "maybe".
    with np.errstate(invalid="ignore", over="ignore"):
        return bool(np.isfinite(values.sum(dtype=values.dtype))) or bool(np.isfinite(values).all())


class Sink:
    """Collects one request's features as blocks come."""

    def __init__(self, source: Source, request: Request) -> None:
        self.source = source
        self.request = request
        self.kept = _kept(source, request)
        self.row_of_sample = np.full(source.n_samples, -1, dtype=np.intp)
        self.row_of_sample[self.kept] = np.arange(len(self.kept))
        shape = (len(self.kept), request.space.n_features)
        # Time runs fastest where it does in the source: nothing is transposed, and series lie together.
        self.values = np.zeros(shape, dtype=request.dtype, order="F" if source.points_first else "C")
        self.offset: NDArray[np.float64] | None = None
        self.low, self.high = 0.0, 0.0

    def take(
        self,
        block: Block,
        stored: NDArray,
        finite: NDArray[np.bool_] | None,
        pool: ThreadPoolExecutor | None,
    ) -> None:
        rows = self.row_of_sample[block.samples]
        mine = rows >= 0
        if not mine.any():
            return
        if not mine.all():
            stored = stored[mine] if not self.source.points_first else stored.T[:, mine].T
            finite = None if finite is None else finite[mine]
        first = int(rows[mine][0])
        out = self.values[first : first + len(stored)]
        if self.request.clip:
            self._note_range(stored)
        _by_rows(self._take, (stored, finite, out), block.points, pool, self.request.space)

    def _take(self, stored: NDArray, finite: NDArray[np.bool_] | None, out: NDArray, points: slice) -> None:
        raise NotImplementedError

    def _note_range(self, stored: NDArray) -> None:
        ends = np.array([stored.min(), stored.max()], dtype=np.float64)
        ends = ends * self.source.slope + self.source.inter
        self.low, self.high = min(self.low, *ends), max(self.high, *ends)

    def finish(self, n_threads: int) -> NDArray:
        """Clip, clean in time, and give the array away."""
        if self.request.clip:
            self._clip()
        if self.request.time is None or self.request.time.is_identity:
            self._add_offset()
        else:
            self.request.time.apply(
                self.values,
                offset=self.offset,
                precision=_precision(self.source),
                n_threads=n_threads,
            )
        return self.values

    def _clip(self) -> None:
        low, high = self.low, self.high
        for columns in _tiles(self.values.shape[1]):
            tile = self.values[:, columns]
            shift = 0.0 if self.offset is None else self.offset[columns]
            np.clip(tile, low - shift, high - shift, out=tile)

    def _add_offset(self) -> None:
        if self.offset is None:
            return
        for columns in _tiles(self.values.shape[1]):
            tile = self.values[:, columns]
            tile[...] = tile + self.offset[columns]


class LinearSink(Sink):
    """Features of a linear operator: the file's scaling is undone on features, not on voxels."""

    def __init__(self, source: Source, request: Request) -> None:
        super().__init__(source, request)
        self._by_points = source.points_first and request.space.takes_ranges_of_points
        self._of_points: _PointRanges | None = None
        self._missing: NDArray[np.float64] | None = None
        self._of_ones: NDArray[np.float64] | None = None
        if source.inter != 0:
            ones = np.ones((1, source.domain.n_points))
            # Blocks of points are summed by the maps alone; the solution follows when all have come.
            space = request.space.sums if self._by_points else None
            self._of_ones = (space or request.space).forward(ones)[0]
            self.values += (source.inter * self._of_ones).astype(request.dtype)

    def _take(self, stored: NDArray, finite: NDArray[np.bool_] | None, out: NDArray, points: slice) -> None:
        if self._by_points:
            self._add_points(stored, finite, out, points)
            return
        space = self.request.space
        if not space.mixes_points and not self.source.is_scaled:
            space.forward_into(stored, out)
            return
        features = space.forward(stored)
        if self.request.omit_nonfinite and finite is not None:
            features *= self._share_restored(space, finite)
        out += features if self.source.slope == 1 else features * self.source.slope

    def _add_points(
        self, stored: NDArray, finite: NDArray[np.bool_] | None, out: NDArray, points: slice
    ) -> None:
        """Add what a block of points gives to the features that it touches, and to no others."""
        rows, space = self._at_points(points)
        if not space.mixes_points and space.support is not None:
            # Each of these features is one point of this block: it is complete.
            values = stored.T[_as_range(space.support)].T
            if self.source.is_scaled:
                values = values * self.source.slope + self.source.inter
            _put_columns(out, rows, values)
            return
        features = space.forward(stored)
        if self.source.slope != 1:
            features *= self.source.slope
        if self.request.omit_nonfinite and finite is not None:
            self._count_finite(rows, space, finite)
        out[:, rows] += features

    def put(self, samples: slice, features: NDArray) -> None:
        """Take features that were computed elsewhere."""
        rows = self.row_of_sample[samples]
        mine = rows >= 0
        self.values[rows[mine]] += features[mine] * self.source.slope

    def _at_points(self, points: slice) -> tuple[NDArray[np.intp], SpatialOperator]:
        """The features that a range of points touches, and the operator from those points to them."""
        if self._of_points is None:
            self._of_points = _PointRanges(self.request.space)
        return self._of_points.at(points)

    def _count_finite(
        self, rows: NDArray[np.intp], space: SpatialOperator, finite: NDArray[np.bool_]
    ) -> None:
        if self._missing is None:
            self._missing = np.zeros(self.values.shape)
        self._missing[:, rows] += space.forward(~finite)

    def finish(self, n_threads: int) -> NDArray:
        if self._missing is not None:
            whole = self.request.space.forward(np.ones((1, self.source.domain.n_points)))[0]
            left = whole - self._missing
            constant = 0.0 if self._of_ones is None else self.source.inter * self._of_ones
            with np.errstate(divide="ignore", invalid="ignore"):
                share = np.where(np.abs(left) > 1e-9 * np.abs(whole), whole / left, np.nan)
            self.values[...] = (self.values - constant) * share + constant
        if self._of_points is not None and self._of_points.solution is not None:
            self.values[...] = self.values @ self._of_points.solution
            if self.offset is not None:
                self.offset = self.offset @ self._of_points.solution
        return super().finish(n_threads)

    def _share_restored(self, space: SpatialOperator, finite: NDArray[np.bool_]) -> NDArray:
        """A 1 / A 1[finite]; NaN where a feature has no finite point."""
        weights = space.forward(finite.astype(np.float32))
        all_weights = space.forward(np.ones((1, finite.shape[1]), dtype=np.float32))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(weights > 0, all_weights / weights, np.nan)


class Stack:
    """Several sums of weighted points as one matrix, so that points are gathered once for all."""

    def __init__(self, sinks: Sequence[LinearSink]) -> None:
        self._sinks = sinks
        spaces = [sink.request.space.tosparse() for sink in sinks]
        self._space = SparseOperator(sparse.vstack(spaces, format="csr"), copy=False)
        self._ends = np.cumsum([0, *(space.shape[0] for space in spaces)])

    def take(
        self,
        block: Block,
        stored: NDArray,
        finite: NDArray[np.bool_] | None,
        pool: ThreadPoolExecutor | None,
    ) -> None:
        features = np.empty((len(stored), self._space.n_features))

        def forward(rows: NDArray, _finite: Any, out: NDArray, _points: slice) -> None:
            out[...] = self._space.forward(rows)

        _by_rows(forward, (stored, None, features), block.points, pool, self._space)
        for sink, start, stop in zip(self._sinks, self._ends[:-1], self._ends[1:], strict=True):
            sink.put(block.samples, features[:, start:stop])


class DeviationSink(LinearSink):
    """Mixtures of voxels held in float32, as deviations from the first sample kept.

    A series that varies by one part in a thousand would lose three of float32's seven digits; its deviations
    lose none. The first sample goes through the operator in float64.
    """

    def __init__(self, source: Source, request: Request) -> None:
        super().__init__(source, request)
        self.values[...] = 0
        self._first: NDArray | None = None

    def take(
        self,
        block: Block,
        stored: NDArray,
        finite: NDArray[np.bool_] | None,
        pool: ThreadPoolExecutor | None,
    ) -> None:
        whole = block.points.stop - block.points.start == self.source.domain.n_points
        if self._first is None or not whole:
            mine = np.flatnonzero(self.row_of_sample[block.samples] >= 0)
            if not len(mine):
                return
            self._set_first(stored[mine[0]], block.points)
        super().take(block, stored, finite, pool)

    def _set_first(self, stored: NDArray, points: slice) -> None:
        first = stored.astype(np.float64)
        self._first = first.astype(np.float32)
        rows: Any = slice(None)
        space = self.request.space
        if self._by_points:
            rows, space = self._at_points(points)
        if self.offset is None:
            constant = 0.0 if self._of_ones is None else self.source.inter * self._of_ones
            self.offset = np.zeros(self.values.shape[1]) + constant
        of_first = space.forward(self._first.astype(np.float64)[None])[0]
        self.offset[rows] += of_first * self.source.slope

    def _take(self, stored: NDArray, finite: NDArray[np.bool_] | None, out: NDArray, points: slice) -> None:
        assert self._first is not None
        deviations = np.subtract(stored, self._first, dtype=np.float32, casting="unsafe")
        if self._by_points:
            self._add_points(deviations, finite, out, points)
            return
        features = self.request.space.forward(deviations)
        out[...] = features if self.source.slope == 1 else features * self.source.slope


class NonlinearSink(Sink):
    """Features of an operator that is no matrix: it sees the scaled values."""

    def _take(self, stored: NDArray, finite: NDArray[np.bool_] | None, out: NDArray, points: slice) -> None:
        values = stored
        if self.source.is_scaled:
            values = stored * np.float64(self.source.slope) + self.source.inter
        out[...] = self.request.space.forward(values)


def _make_sink(source: Source, request: Request) -> Sink:
    if not request.space.is_linear:
        return NonlinearSink(source, request)
    # float32 holds these exactly; wider integers would lose digits before the difference is taken.
    exact = source.dtype == np.float32 or source.dtype.itemsize <= 2
    if request.space.mixes_points and exact and np.dtype(request.dtype) == np.float32:
        return DeviationSink(source, request)
    return LinearSink(source, request)


def _stacked(sinks: Sequence[Sink]) -> list[Sink | Stack]:
    """Sinks, those that are plain weighted sums of whole samples put together."""
    plain = [
        sink
        for sink in sinks
        if type(sink) is LinearSink
        and sink.request.space.is_stackable
        and not sink.request.omit_nonfinite
        and not sink.request.clip
        and not sink.source.points_first
    ]
    if len(plain) < 2:
        return list(sinks)
    return [Stack(plain), *(sink for sink in sinks if sink not in plain)]


def _check(source: Source, request: Request) -> None:
    n_points = source.domain.n_points
    if request.space.n_points != n_points:
        raise ValueError(
            f"The spatial operator takes {request.space.n_points} points; {source.name} has {n_points}."
        )
    if request.time is not None and request.time.n_samples != source.n_samples:
        raise ValueError(
            f"The temporal operator takes {request.time.n_samples} samples; "
            f"{source.name} has {source.n_samples}."
        )


def _kept(source: Source, request: Request) -> NDArray[np.intp]:
    if request.time is None:
        return np.arange(source.n_samples)
    return np.asarray(request.time.kept)


def _needed_samples(source: Source, requests: Sequence[Request]) -> NDArray[np.intp]:
    needed = np.zeros(source.n_samples, dtype=bool)
    for request in requests:
        needed[_kept(source, request)] = True
    return np.flatnonzero(needed)


def _precision(source: Source) -> np.dtype:
    """What the series are accurate to: integers and float64 are exact, float32 is not."""
    return np.dtype(np.float32 if source.dtype in (np.float16, np.float32) else np.float64)


def _tiles(n_columns: int) -> Iterator[slice]:
    return (slice(i, min(i + TILE_COLUMNS, n_columns)) for i in range(0, n_columns, TILE_COLUMNS))


def _by_rows(
    take: Callable[[NDArray, NDArray[np.bool_] | None, NDArray, slice], None],
    arrays: tuple[NDArray, NDArray[np.bool_] | None, NDArray],
    points: slice,
    pool: ThreadPoolExecutor | None,
    space: SpatialOperator,
) -> None:
    """Run `take` on the rows of a block, shared among threads where the operator is worth it."""
    stored, finite, out = arrays
    points_first = len(stored) > 1 and abs(stored.strides[0]) < abs(stored.strides[1])
    if pool is None or len(stored) < 2 or not space.is_costly or points_first:
        take(stored, finite, out, points)
        return
    # One row at a time: a sample's features then never depend on how many threads there are.
    tasks = [
        pool.submit(
            take,
            stored[i : i + 1],
            None if finite is None else finite[i : i + 1],
            out[i : i + 1],
            points,
        )
        for i in range(len(stored))
    ]
    for task in tasks:
        task.result()


class _PointRanges:
    """The ranges of an operator, of which the last is kept."""

    def __init__(self, space: SpatialOperator) -> None:
        self._ranges = space.ranges()
        self.solution = self._ranges.solution
        self._last: tuple[tuple[int, int], tuple[NDArray[np.intp], SpatialOperator]] | None = None

    def at(self, points: slice) -> tuple[NDArray[np.intp], SpatialOperator]:
        """Features that some points touch, and the operator from the points to them."""
        key = (points.start, points.stop)
        # Blocks come once each: what was made for the one before is of no more use.
        if self._last is None or self._last[0] != key:
            self._last = (key, self._ranges.at(points))
        return self._last[1]


def _put_columns(out: NDArray, columns: NDArray[np.intp], values: NDArray) -> None:
    """out[:, columns] = values, by a slice where the columns are one."""
    out[:, _as_range(columns)] = values


def _as_range(indices: NDArray[np.intp]) -> Any:
    """Indices as a slice where they are consecutive: nothing is gathered then."""
    if len(indices) and indices[-1] - indices[0] + 1 == len(indices) and (np.diff(indices) == 1).all():
        return slice(int(indices[0]), int(indices[-1]) + 1)
    return indices


def _blocks(source: Source, needed: NDArray[np.intp], whole_samples: bool) -> Generator[Block, None, None]:
    samples = None if len(needed) == source.n_samples else needed
    if whole_samples and source.points_first:
        return _gathered(source, needed)
    return source.blocks(samples=samples)


def _gathered(
    source: Source, needed: NDArray[np.intp], at_once: int | None = None
) -> Generator[Block, None, None]:
    """Blocks of whole samples from a source that gives blocks of points, in as many passes as memory asks."""
    n_points = source.domain.n_points
    at_once = at_once or max(1, GATHER_BYTES // (n_points * source.dtype.itemsize))
    for start in range(0, source.n_samples, at_once):
        stop = min(start + at_once, source.n_samples)
        wanted = needed[(needed >= start) & (needed < stop)]
        if not len(wanted):
            continue
        values = np.empty((stop - start, n_points), dtype=source.dtype)
        with closing(source.blocks()) as blocks:
            for block in blocks:
                values[:, block.points] = block.values[start:stop]
        yield Block(slice(start, stop), slice(0, n_points), values)


def _n_done(block: Block, source: Source) -> int:
    if block.points.stop - block.points.start == source.domain.n_points:
        return block.samples.stop
    return round(source.n_samples * block.points.stop / source.domain.n_points)


class OneBlock(Source):
    """A few samples of a source that are in memory, as a source of their own."""

    def __init__(self, source: Source, block: Block) -> None:
        self.domain = source.domain
        self.n_samples = block.samples.stop - block.samples.start
        self.dtype = source.dtype
        self.slope, self.inter, self.tr = source.slope, source.inter, source.tr
        self.name = f"{source.name}, samples {block.samples.start} to {block.samples.stop - 1}"
        self._values = block.values

    def blocks(
        self, samples_per_block: int | None = None, samples: NDArray[np.intp] | None = None
    ) -> Generator[Block, None, None]:
        yield Block(slice(0, self.n_samples), slice(0, self.domain.n_points), self._values)

    @property
    def identity(self) -> str:
        raise TypeError("A block that is streamed has no identity to cache it by.")


def stream(source: Source, request: Request, samples_per_block: int) -> Iterator[NDArray]:
    """Features as they come: arrays of shape (n_samples in block, n_features), nothing done in time.

    Parameters
    ----------
    source : Source
    request : Request
        Its temporal operator is not used: what is done in time needs the whole run.
    samples_per_block : int
    """
    alone = Request(request.space, None, request.dtype, request.clip, request.omit_nonfinite)
    blocks = (
        _gathered(source, np.arange(source.n_samples), samples_per_block)
        if source.points_first
        else source.blocks(samples_per_block)
    )
    with closing(blocks):
        for block in blocks:
            yield extract(OneBlock(source, block), [alone])[0].values
