"""Values of a source, block by block, for whatever is no spatial operator.

One way for all loops over voxels: the file's scaling is applied, only the samples asked for come, the source is
closed however the loop ends, and BLAS keeps to one thread meanwhile (its idle threads spin, and take the
processors from the thread that decodes). `extract` itself takes blocks as they are stored from `stored_blocks`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from brainsieve.engine.source.base import Block, Source
from brainsieve.engine.threads import single_threaded_blas

# Values gathered at a time where a source gives ranges of points but whole samples are asked for.
GATHER_BYTES = 2**27


@dataclass(frozen=True)
class Values:
    """A rectangle of a run: some of the samples asked for, at some points.

    Attributes
    ----------
    samples : array of int, shape (n_samples in block,)
        Which samples of the source these are.
    rows : slice
        Where they stand among those asked for: ``out[block.rows, block.points] = block.values``.
    points : slice
        Which points.
    values : array of shape (n_samples in block, n_points in block)
        Scaling applied. Valid until the next block is asked for, and not to be written to: it may be the
        buffer of the source.
    """

    samples: NDArray[np.intp]
    rows: slice
    points: slice
    values: NDArray


@contextmanager
def streamed(
    source: Source,
    samples: NDArray[np.intp] | None = None,
    *,
    whole_samples: bool = False,
    samples_per_block: int | None = None,
    dtype: DTypeLike | None = None,
    nonfinite: float | None = None,
    limit_blas: bool = True,
) -> Iterator[Iterator[Values]]:
    """The values of a source, block by block.

    Use it as ``with streamed(source) as blocks: for block in blocks: …``; leaving the `with`, by an error or a
    `return` too, closes what the source has open.

    Parameters
    ----------
    source : Source
    samples : array of int, sorted, optional
        The samples that are wanted. Default: all.
    whole_samples : bool, default=False
        Every block holds all points of its samples, also where the source gives ranges of points: these are
        gathered, as many samples at a time as `GATHER_BYTES` holds, with a pass over the source for each.
    samples_per_block : int, optional
        At most so many samples a block, where blocks are whole samples. Default: the source chooses.
    dtype : dtype, optional
        Of the values. Default: ``source.value_dtype``. Scaling is done in float64.
    nonfinite : float, optional
        What stands for NaN and infinities. Default: they stay as they are.
    limit_blas : bool, default=True
        False is for generators that hand values out: the caller's own products keep their threads.

    Yields
    ------
    blocks : iterator of Values
        In file order; each (sample, point) comes once.
    """
    wanted = np.arange(source.n_samples) if samples is None else np.asarray(samples, dtype=np.intp)
    blocks = stored_blocks(source, wanted, whole_samples, samples_per_block)
    with single_threaded_blas() if limit_blas else nullcontext(), closing(blocks):
        yield _valued(source, blocks, wanted, np.dtype(dtype or source.value_dtype), nonfinite)


def _valued(
    source: Source,
    blocks: Iterator[Block],
    wanted: NDArray[np.intp],
    dtype: np.dtype,
    nonfinite: float | None,
) -> Iterator[Values]:
    for block in blocks:
        # Sources may give samples beside those that are wanted: files of which time runs fastest do.
        start, stop = np.searchsorted(wanted, (block.samples.start, block.samples.stop))
        if start == stop:
            continue
        mine = wanted[start:stop]
        values = scaled(_of_wanted(block, wanted), source).astype(dtype, copy=False)
        if nonfinite is not None and values.dtype.kind == "f" and not all_finite(values):
            values = np.where(np.isfinite(values), values, values.dtype.type(nonfinite))
        yield Values(mine, slice(int(start), int(stop)), block.points, values)


def _of_wanted(block: Block, wanted: NDArray[np.intp]) -> NDArray:
    """The rows of a block that are wanted."""
    start, stop = np.searchsorted(wanted, (block.samples.start, block.samples.stop))
    if stop - start == len(block.values):
        return block.values
    return block.values[as_range(wanted[start:stop] - block.samples.start)]


def stored_blocks(
    source: Source,
    wanted: NDArray[np.intp],
    whole_samples: bool = False,
    samples_per_block: int | None = None,
) -> Generator[Block, None, None]:
    """Blocks as they are stored, of the samples that are wanted and perhaps of others; to be closed."""
    if whole_samples and source.points_first:
        return _gathered(source, wanted, samples_per_block)
    return source.blocks(samples_per_block, samples=None if len(wanted) == source.n_samples else wanted)


def _gathered(
    source: Source, wanted: NDArray[np.intp], samples_per_block: int | None
) -> Generator[Block, None, None]:
    """Blocks of whole samples from a source that gives ranges of points.

    What a pass gathers is bound by memory alone: a pass for each block of one sample would read a CIFTI file
    as often as it has samples.
    """
    n_points = source.domain.n_points
    at_once = max(1, GATHER_BYTES // (n_points * source.dtype.itemsize))
    for first in range(0, len(wanted), at_once):
        group = wanted[first : first + at_once]
        values = np.empty((len(group), n_points), dtype=source.dtype)
        with closing(source.blocks(samples=group)) as blocks:
            for block in blocks:
                values[:, block.points] = block.values[as_range(group - block.samples.start)]
        for start, stop in consecutive(group, samples_per_block or len(group)):
            span = slice(int(group[start]), int(group[stop - 1]) + 1)
            yield Block(span, slice(0, n_points), values[start:stop])


def consecutive(samples: NDArray[np.intp], at_most: int) -> Iterator[tuple[int, int]]:
    """Ranges of positions whose samples follow one another without a gap, `at_most` in each."""
    breaks = np.flatnonzero(np.diff(samples) != 1) + 1
    for first, last in zip([0, *breaks.tolist()], [*breaks.tolist(), len(samples)], strict=True):
        for start in range(first, last, at_most):
            yield start, min(start + at_most, last)


def spans_of(n_samples: int, per_block: int, samples: NDArray[np.intp] | None) -> Iterator[tuple[int, int]]:
    """(start, stop) of blocks of samples that follow one another, of all samples or of those wanted."""
    if samples is not None:
        for start, stop in consecutive(samples, per_block):
            yield int(samples[start]), int(samples[stop - 1]) + 1
        return
    # Not by `consecutive`: a header may promise more samples than numbers can be listed.
    for first in range(0, n_samples, per_block):
        yield first, min(first + per_block, n_samples)


def scaled(values: NDArray, source: Source) -> NDArray:
    """Stored values with the file's scaling applied, in float64; as they are where there is none."""
    if not source.is_scaled:
        return values
    return values * np.float64(source.slope) + source.inter


def all_finite(values: NDArray) -> bool:
    """Whether no value is NaN or infinite."""
    # A sum is finite unless a term is not, or the sum itself overflows: one pass without a mask of the
    # block's size, and the mask only where that says "maybe".
    with np.errstate(invalid="ignore", over="ignore"):
        return bool(np.isfinite(values.sum(dtype=values.dtype.newbyteorder("=")))) or bool(
            np.isfinite(values).all()
        )


def as_range(indices: NDArray[np.intp]) -> Any:
    """Indices as a slice where they are consecutive: nothing is gathered then."""
    if len(indices) and indices[-1] - indices[0] + 1 == len(indices) and (np.diff(indices) == 1).all():
        return slice(int(indices[0]), int(indices[-1]) + 1)
    return indices


def value_range(source: Source, samples: NDArray[np.intp] | None = None) -> tuple[float, float]:
    """Smallest and largest finite value of the samples, 0 included; in one pass."""
    wanted = np.arange(source.n_samples) if samples is None else samples
    ends = [0.0]
    with closing(stored_blocks(source, wanted)) as blocks:
        for block in blocks:
            ends += ends_of(_of_wanted(block, wanted), source)
    return min(ends), max(ends)


def ends_of(stored: NDArray, source: Source) -> list[float]:
    """Smallest and largest finite value of a block of stored values; nothing where none is finite."""
    if stored.dtype.kind == "f" and not all_finite(stored):
        stored = stored[np.isfinite(stored)]
    if not stored.size:
        return []
    return [float(end) * source.slope + source.inter for end in (stored.min(), stored.max())]


def read_all(source: Source) -> NDArray:
    """All values of a source: (n_samples, n_points)."""
    values = np.empty((source.n_samples, source.domain.n_points), dtype=source.value_dtype)
    with streamed(source) as blocks:
        for block in blocks:
            values[block.rows, block.points] = block.values
    return values


def read_sample(source: Source, sample: int) -> NDArray:
    """The values of one sample: (n_points,)."""
    values = np.empty(source.domain.n_points, dtype=source.value_dtype)
    with streamed(source, np.array([sample])) as blocks:
        for block in blocks:
            values[block.points] = block.values[0]
    return values
