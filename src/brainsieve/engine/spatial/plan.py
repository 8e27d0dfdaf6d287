"""Plans: chains of spatial operators, folded into one sparse matrix where that is cheaper.

Folding moves the weights of each region back through the steps before it, on the region's own bounding box.
Steps that are not folded compute the voxels that what follows them takes, and no others. How a kind of
operator folds is what it says itself (`SpatialOperator`); nothing here asks what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from brainsieve.engine.spatial.average import SparseOperator
from brainsieve.engine.spatial.operator import (
    NS_PER_WEIGHT,
    Chain,
    MatrixWeights,
    SpatialOperator,
    Weights,
    compose,
)
from brainsieve.engine.spatial.select import Select

# A folded matrix has no more weights than this, 12 bytes each, unless it is asked for.
MOST_WEIGHTS = 12_000_000

How = Literal["auto", "folded", "stepwise"]


def fold(steps: Sequence[SpatialOperator], how: How = "auto") -> SpatialOperator:
    """One operator for a chain: the cheaper of one sparse matrix and the steps in turn.

    Parameters
    ----------
    steps : sequence of SpatialOperator
        The first is applied first.
    how : {"auto", "folded", "stepwise"}, default="auto"
        "folded" makes a matrix of any chain that ends in a weighted sum.

    Returns
    -------
    operator : SpatialOperator
    """
    if how not in get_args(How):
        raise ValueError(f"how must be 'auto', 'folded' or 'stepwise', not {how!r}.")
    chain = compose(steps)
    if len(chain.steps) == 1:
        return chain
    *before, last = chain.steps
    if how != "stepwise" and last.sums is not None:
        folded = _folded(before, last.sums, _most_weights(chain, how))
        if folded is not None:
            return last.on_sums(folded)
    return _in_turn(chain.steps).as_applied()


def _most_weights(chain: SpatialOperator, how: How) -> float:
    """Weights beyond which a folded matrix is not worth it."""
    if how == "folded":
        return np.inf
    if chain.steps[-1].is_kept_for_folding:
        # A few times the voxels of a brain at the most, and dear to compare: atlases of 1 mm have millions.
        return MOST_WEIGHTS
    return min(MOST_WEIGHTS, _in_turn(chain.steps).work / NS_PER_WEIGHT)


def _folded(before: Sequence[SpatialOperator], last: Weights, most: float) -> SparseOperator | None:
    """The chain as a sparse matrix; None where it has more than `most` weights or a step forbids it."""
    weights = last
    for step in reversed(before):
        matrix = step.weights_before(weights, most)
        if matrix is None or matrix.nnz > most:
            return None
        weights = MatrixWeights(matrix)
    return SparseOperator(weights.tosparse(), copy=False)


def _in_turn(steps: Sequence[SpatialOperator]) -> SpatialOperator:
    """The steps one by one, each computing no more voxels than the next one takes."""
    *before, last = steps
    done: list[SpatialOperator] = [last]
    while before and (wanted := done[0].support) is not None:
        restricted = before[-1].restricted(wanted)
        if restricted is None:
            break
        step, renumber = restricted
        before.pop()
        done[0] = done[0].renumbered(renumber, step.n_features)
        if done[0].is_identity:
            done.pop(0)
        reach = step.on_reach() if before else None
        if reach is None:
            done.insert(0, step)
        else:
            # A selection stands for the points that are read, until the step before is restricted to them.
            on_reach, points = reach
            done[:0] = [Select(points, step.n_points), on_reach]
    everything = [*before, *done]
    return Chain(everything) if len(everything) > 1 else everything[0]
