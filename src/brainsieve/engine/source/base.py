"""Sources: points × samples, streamed as rectangular blocks.

A source knows its domain and its number of samples before any voxel is read, and gives its data block by
block, in the dtype of the file, so that a run is never held whole. The file's scaling is not applied to
the blocks: it is linear, hence cheaper to undo on features, which `extract` does
(value = stored * slope + inter).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.domain import Domain


@dataclass(frozen=True)
class Block:
    """A rectangle of a source.

    Attributes
    ----------
    samples, points : slice
        Which samples and points, with explicit start and stop.
    values : array of shape (n_samples in block, n_points in block)
        Stored values, native byte order. The buffer belongs to the source and is reused: it is valid
        until the next block is asked for, and must not be written to.
    """

    samples: slice
    points: slice
    values: NDArray


class Source(ABC):
    """Samples (volumes) of one run over one domain.

    Attributes
    ----------
    domain : Domain
    n_samples : int
    dtype : numpy.dtype
        Of the blocks: as stored, native byte order, a bool, integer or real floating type.
    slope, inter : float
        value = stored * slope + inter; 1 and 0 where the file has no scaling.
    tr : float or None
        Seconds between samples as the header has it; None where it has none that can be believed.
    tr_doubt : str
        Why the header's number is not believed, as part of a sentence; "" where there is no doubt.
    name : str
        What to call the source in messages: a path, or "the image in memory".
    is_single : bool
        True for one 3-D image: results then lose the sample axis.
    points_first : bool
        True where a block is all samples of some points (time runs fastest in the file), False where it is
        all points of some samples.
    """

    domain: Domain
    n_samples: int
    dtype: np.dtype
    slope: float = 1.0
    inter: float = 0.0
    tr: float | None = None
    tr_doubt: str = ""
    name: str = "the image in memory"
    is_single: bool = False
    points_first: bool = False

    @abstractmethod
    def blocks(
        self, samples_per_block: int | None = None, samples: NDArray[np.intp] | None = None
    ) -> Generator[Block, None, None]:
        """Yield every block once, in file order. `samples_per_block` None: the source chooses.

        `samples`, sorted: only these are needed; a source may then leave out others.

        The checks that need the data (checksum, length) are done before the iterator ends: it raises
        `CorruptImageError` rather than ending early. Closing the iterator early releases its file.
        """

    @property
    @abstractmethod
    def identity(self) -> str:
        """A digest that changes when the data may have changed: for a file, its path, size, modification
        time and header; in memory, a hash of the buffer."""

    @property
    def is_scaled(self) -> bool:
        return (self.slope, self.inter) != (1.0, 0.0)

    @property
    def value_dtype(self) -> np.dtype:
        """float32 or float64 (or the unscaled stored integer dtype): what the values are, scaling applied."""
        if self.is_scaled and self.dtype.kind in "iub":
            return np.dtype(np.float64)
        return self.dtype
