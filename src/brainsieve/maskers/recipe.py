"""What a fitted masker asks of the engine for images on one domain."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.extract import Request
from brainsieve.engine.source.base import Source
from brainsieve.engine.source.values import value_range
from brainsieve.engine.spatial.clipped import Clipped
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.logs import Said
from brainsieve.maskers.eigenvariate import Eigenvariates


@dataclass(frozen=True)
class Recipe:
    """A masker compiled for one domain.

    Attributes
    ----------
    space : SpatialOperator
        From points of the domain to the masker's columns.
    voxelwise : bool
        Whether a column is a point; such results are as large as the run and are held in float32 if it is.
    clip : bool
        Clip to the range of the run (voxels that were interpolated).
    omit_nonfinite : bool
        Average the finite points only.
    lost : array of int
        Columns without a single point in this domain.
    fill : array
        What each of them holds.
    notes : tuple of str
        Warnings about this domain, to be given at each transform.
    touched_by : SpatialOperator or None
        A linear operator that tells which columns a point belongs to, where `space` itself does not.
    eigen : Eigenvariates or None
        Set where a column is the first component of its voxels: that takes the cleaned voxels, region by
        region, and not `space`.
    point : str
        What a point of the domain is called in warnings.
    why_lost : str
        How columns come to be lost here, and what keeps them.
    said : tuple
        Warnings given when it was compiled.
    """

    space: SpatialOperator
    voxelwise: bool = False
    clip: bool = False
    omit_nonfinite: bool = False
    lost: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    fill: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    notes: tuple[str, ...] = ()
    touched_by: SpatialOperator | None = None
    eigen: Eigenvariates | None = None
    point: str = "voxel"
    why_lost: str = ""
    said: tuple[Said, ...] = ()

    def request(self, source: Source, kept: NDArray[np.intp], dtype: np.dtype) -> Request:
        """What it asks of a run, but for what is done in time."""
        space = self.space
        if isinstance(space, Clipped):
            # The range of the run must be known before the first sample is reduced: a pass of its own.
            space = space.within(*value_range(source, kept))
        return Request(space, dtype=dtype, clip=self.clip, omit_nonfinite=self.omit_nonfinite)
