"""Values clipped between two steps in space, where what follows is not linear."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.spatial.operator import Chain, SpatialOperator
from brainsieve.engine.spatial.plan import fold
from brainsieve.engine.spatial.select import Select


@dataclass(frozen=True, eq=False)
class Clipped(SpatialOperator):
    """Clip what one operator gives before another takes it.

    Interpolation by splines overshoots, and a maximum of overshoots is no maximum; averages hardly notice.

    Attributes
    ----------
    before, after : SpatialOperator
    low, high : float
        The range: that of a run, which `within` sets.
    """

    before: SpatialOperator
    after: SpatialOperator
    low: float = -np.inf
    high: float = np.inf

    is_linear = False
    is_costly = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_points", self.before.n_points)
        object.__setattr__(self, "n_features", self.after.n_features)

    @classmethod
    def between(cls, first: SpatialOperator, rest: list[SpatialOperator]) -> Clipped:
        """Apply `first`, clip, then apply `rest` in turn; `first` computes the points that `rest` takes alone."""
        after = fold(rest)
        steps = list(after.steps) if isinstance(after, Chain) else [after]
        step = steps[0]
        if isinstance(step, Select) and len(steps) > 1:
            taken = step.points
            steps.pop(0)
        elif len(steps) == 1 and step.support is not None:
            taken = np.sort(step.support)
            steps[0] = step.renumbered(lambda points: np.searchsorted(taken, points), len(taken))
        else:
            taken = np.arange(first.n_features)
        last = Chain(steps) if len(steps) > 1 else steps[0]
        return cls(fold([first, Select(taken, first.n_features)]), last)

    def within(self, low: float, high: float) -> Clipped:
        """The same with the range of a run."""
        return dataclasses.replace(self, low=low, high=high)

    @property
    def nbytes(self) -> int:
        return self.before.nbytes + self.after.nbytes

    def _forward(self, block: NDArray) -> NDArray:
        # A sample at a time, as chains do: whole blocks of float volumes would take hundreds of MB.
        parts = []
        for row in block:
            values = self.before.forward(row[None])
            parts.append(self.after.forward(np.clip(values, self.low, self.high, out=values)))
        return np.concatenate(parts) if parts else np.empty((0, self.n_features))
