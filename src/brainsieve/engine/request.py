"""What is asked of a run, and what is answered: the one object that goes from a masker to the loop."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.temporal.operator import TemporalOperator


@dataclass(frozen=True)
class Request:
    """What to take out of a run.

    What depends on the masker alone (`space`, `clip`, `omit_nonfinite`, `watched`) is known before there is a
    run; ``dataclasses.replace(request, time=…, dtype=…)`` makes it the request of one.

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
        Clip features to the range of the samples kept, 0 included, before anything is done in time
        (interpolation by splines overshoots). For linear operators; others clip in between (`Clipped`).
    omit_nonfinite : bool, default=False
        Weigh only the finite points: A x / A 1[x finite], times A 1, instead of counting the others as 0. NaN
        where no point with a weight is finite. For averages and selections.
    watched : array of int, sorted, optional
        Points of which it is to be told whether they hold data in the samples kept.
    """

    space: SpatialOperator
    time: TemporalOperator | None = None
    dtype: np.dtype = field(default_factory=lambda: np.dtype(np.float64))
    clip: bool = False
    omit_nonfinite: bool = False
    watched: NDArray[np.intp] | None = None

    def kept(self, source: Source) -> NDArray[np.intp]:
        """The samples that the answer has."""
        return np.arange(source.n_samples) if self.time is None else np.asarray(self.time.kept)

    def check(self, source: Source) -> None:
        """Raise ValueError where operators and source do not fit together."""
        n_points = source.domain.n_points
        if self.space.n_points != n_points:
            raise ValueError(
                f"The spatial operator takes {self.space.n_points} points; {source.name} has {n_points}."
            )
        if self.time is not None and self.time.n_samples != source.n_samples:
            raise ValueError(
                f"The temporal operator takes {self.time.n_samples} samples; "
                f"{source.name} has {source.n_samples}."
            )
        if self.clip and not self.space.is_linear:
            raise ValueError(
                f"clip is for linear operators; {type(self.space).__name__} is none: clip what it sees (Clipped)."
            )
        last = self.space.steps[-1]
        solves = last.sums is not None and last.sums is not last
        if self.omit_nonfinite and (solves or not self.space.is_linear):
            raise ValueError(
                f"omit_nonfinite is for averages and selections; {type(self.space).__name__} is neither."
            )


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
    has_data : array of bool, shape (n_points,), or None
        Points watched that are finite and not 0 in at least one sample kept; None where none was watched.
    """

    values: NDArray
    n_nonfinite: NDArray[np.int64] | None
    n_read: int
    has_data: NDArray[np.bool_] | None = None
