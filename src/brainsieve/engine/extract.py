"""Extraction: the one loop over data.

``signals = K · X · Aᵀ``: blocks X of a source stream through spatial operators A into preallocated arrays of
(samples kept, features); then the temporal operators K run in place. Several requests share one pass, so that
many atlases cost one reading of the file. What each part decides has a room of its own: what is asked and
answered (`request`), what is not finite (`finite`), the file's scaling and digits (`sinks`), blocks of whole
samples from files in which time runs fastest (`source.values`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.finite import FiniteBlock, FiniteGuard
from brainsieve.engine.request import Extracted, Request
from brainsieve.engine.sinks import Sink, Stack, each, make_sink, stacked
from brainsieve.engine.source.base import Block, Source
from brainsieve.engine.source.values import stored_blocks, value_range
from brainsieve.engine.threads import available_cpus, single_threaded_blas

__all__ = ["Extracted", "Progress", "Request", "extract", "stream"]

Progress = Callable[[int, int], None]


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

    Raises
    ------
    ValueError
        If an operator does not fit the source.
    """
    for request in requests:
        request.check(source)
    needed = _needed_samples(source, requests)
    whole_samples = not all(request.space.takes_ranges_of_points for request in requests)
    threads = n_threads or available_cpus()
    # For the whole pass: idle threads of BLAS spin, and take the processors from the thread that decodes.
    with single_threaded_blas(), ThreadPoolExecutor(threads, "brainsieve-space") as threads_pool:
        pool = threads_pool if threads > 1 else None
        # One request that needs whole samples has all of them gathered: a second pass would read the file again.
        by_ranges = source.points_first and not whole_samples
        sinks = [make_sink(source, request, by_ranges) for request in requests]
        takers, guard = stacked(sinks), FiniteGuard(source, needed)
        with closing(stored_blocks(source, needed, whole_samples)) as blocks:
            for block in blocks:
                _feed(takers, guard.cleaned(block), pool)
                if progress is not None:
                    progress(_n_done(block, source), source.n_samples)
        return [
            Extracted(sink.finish(threads), guard.n_nonfinite, len(needed), sink.has_data) for sink in sinks
        ]


def _feed(sinks: Sequence[Sink | Stack], block: FiniteBlock, pool: ThreadPoolExecutor | None) -> None:
    """Give a block to every sink: several sinks share the threads, a single one shares out its samples."""
    if pool is None or len(sinks) == 1:
        for sink in sinks:
            sink.take(block, pool)
    else:
        each(pool, lambda sink: sink.take(block, None), ((sink,) for sink in sinks))


def _needed_samples(source: Source, requests: Sequence[Request]) -> NDArray[np.intp]:
    needed = np.zeros(source.n_samples, dtype=bool)
    for request in requests:
        needed[request.kept(source)] = True
    return np.flatnonzero(needed)


def _n_done(block: Block, source: Source) -> int:
    if block.points.stop - block.points.start == source.domain.n_points:
        return block.samples.stop
    return round(source.n_samples * block.points.stop / source.domain.n_points)


def stream(
    source: Source,
    request: Request,
    samples_per_block: int,
    samples: NDArray[np.intp] | None = None,
    guard: FiniteGuard | None = None,
) -> Iterator[NDArray]:
    """Features as they come, nothing done in time: what is done there needs the whole run.

    Parameters
    ----------
    source : Source
    request : Request
        Its temporal operator is not used. Where it clips, the range of the run is read first.
    samples_per_block : int
    samples : array of int, sorted, optional
        Which samples; what stands in others does not matter. Default: all.
    guard : FiniteGuard, optional
        Counts what is not finite, for who wants to know it.

    Yields
    ------
    features : array of shape (n_samples in block, n_features)
        The same numbers as `extract` gives.

    Raises
    ------
    ValueError
        At once, if the operator does not fit the source.
    """
    request = replace(request, time=None)
    request.check(source)
    wanted = np.arange(source.n_samples) if samples is None else samples
    return _streamed_features(source, request, samples_per_block, wanted, guard)


def _streamed_features(
    source: Source,
    request: Request,
    samples_per_block: int,
    wanted: NDArray[np.intp],
    guard: FiniteGuard | None,
) -> Iterator[NDArray]:
    guard, sink = guard or FiniteGuard(source, wanted), make_sink(source, request)
    if request.clip:
        # By the range of its own block, a feature would change with the size of blocks.
        sink.low, sink.high = value_range(source, wanted)
    with closing(stored_blocks(source, wanted, True, samples_per_block)) as blocks:
        for block in blocks:
            first, last = np.searchsorted(wanted, (block.samples.start, block.samples.stop))
            if first == last:
                continue
            with single_threaded_blas():
                sink.start(wanted[first:last])
                sink.take(guard.cleaned(block), None)
                features = sink.finish(1)
            yield features
