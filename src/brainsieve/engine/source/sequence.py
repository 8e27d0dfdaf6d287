"""Several images one after the other in time."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.source.base import Block, Source
from brainsieve.engine.source.values import scaled


class SequenceSource(Source):
    """Sources on the same domain, their samples concatenated.

    Raises
    ------
    ValueError
        If one is on another grid than the first; the message names it.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        first = sources[0]
        for i, source in enumerate(sources):
            if source.domain != first.domain:
                raise ValueError(
                    f"Images of a list must be on one grid: image {i} ({source.name}) is "
                    f"{source.domain.describe()}, the first ({first.name}) {first.domain.describe()}, or they "
                    "are placed differently. Resample them first (brainsieve.image.resample_to_img)."
                )
        self._sources = list(sources)
        self._starts = np.cumsum([0, *(source.n_samples for source in sources)])
        self.domain = first.domain
        self.n_samples = int(self._starts[-1])
        self.tr, self.tr_doubt = first.tr, first.tr_doubt
        self.name = f"{first.name} and {len(sources) - 1} more" if len(sources) > 1 else first.name
        self.header = getattr(first, "header", None)
        same = all((s.dtype, s.slope, s.inter) == (first.dtype, first.slope, first.inter) for s in sources)
        self._as_values = not same
        if same:
            self.dtype, self.slope, self.inter = first.dtype, first.slope, first.inter
        else:
            # Dtypes or scalings differ: values in a dtype that holds all of them.
            self.dtype = np.result_type(*(source.value_dtype for source in sources))

    @property
    def identity(self) -> str:
        parts = "".join(source.identity for source in self._sources)
        return hashlib.blake2b(parts.encode(), digest_size=16).hexdigest()

    def blocks(
        self, samples_per_block: int | None = None, samples: NDArray[np.intp] | None = None
    ) -> Generator[Block, None, None]:
        for source, start in zip(self._sources, self._starts[:-1].tolist(), strict=True):
            own = None
            if samples is not None:
                own = samples[(samples >= start) & (samples < start + source.n_samples)] - start
                if not len(own):
                    continue
            with closing(source.blocks(samples_per_block, samples=own)) as blocks:
                for block in blocks:
                    values = block.values
                    if self._as_values:
                        values = scaled(values, source).astype(self.dtype)
                    span = slice(block.samples.start + start, block.samples.stop + start)
                    yield Block(span, block.points, values)
