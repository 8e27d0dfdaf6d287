"""Arrays of values at the vertices of surfaces, as a source."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.mesh import SurfaceVertices
from brainsieve.engine.source.base import Block, Source
from brainsieve.engine.source.header import checked_dtype, streamed_dtype

BLOCK_BYTES = 2**22


class SurfaceSource(Source):
    """Images of one surface, put together in time.

    The arrays are never written to, and never put together whole.

    Parameters
    ----------
    domain : SurfaceVertices
    images : sequence of dict of str to array
        For each image the values of each part, (n_vertices,) or (n_vertices, n_samples).
    is_single : bool
        Whether results have no sample axis: one image of one dimension.
    name : str
    """

    points_first = True

    def __init__(
        self,
        domain: SurfaceVertices,
        images: Sequence[dict[str, NDArray]],
        is_single: bool,
        name: str = "the surface image",
    ) -> None:
        self.domain: SurfaceVertices = domain
        self.is_single = is_single
        self.name = name
        self._images = [
            {part: values.reshape(len(values), -1) for part, values in image.items()} for image in images
        ]
        self.n_samples = sum(next(iter(image.values())).shape[1] for image in self._images)
        if not self.n_samples or not domain.n_points:
            raise ValueError(
                f"{name} has {domain.n_points} vertices and {self.n_samples} samples; none is too few."
            )
        dtypes = [checked_dtype(values.dtype, name) for image in self._images for values in image.values()]
        self.dtype = streamed_dtype(np.result_type(*dtypes))

    @property
    def identity(self) -> str:
        digest = hashlib.blake2b(self.domain.fingerprint.encode(), digest_size=16)
        digest.update(repr((self.n_samples, str(self.dtype))).encode())
        for block in self.blocks():
            digest.update(np.ascontiguousarray(block.values.T).data)
        return digest.hexdigest()

    def blocks(
        self, samples_per_block: int | None = None, samples: NDArray[np.intp] | None = None
    ) -> Generator[Block, None, None]:
        per_block = max(1, BLOCK_BYTES // (self.n_samples * self.dtype.itemsize))
        for part, span in self.domain.spans.items():
            arrays = [image[part] for image in self._images]
            for start in range(0, self.domain.sizes[part], per_block):
                stop = min(start + per_block, self.domain.sizes[part])
                parts = [array[start:stop] for array in arrays]
                values = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
                values = np.ascontiguousarray(values, dtype=self.dtype)
                points = slice(span.start + start, span.start + stop)
                yield Block(slice(0, self.n_samples), points, values.T)
