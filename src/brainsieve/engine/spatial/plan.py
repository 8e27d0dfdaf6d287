"""Plans: chains of spatial operators, folded into one sparse matrix where that is cheaper, and kept.

Folding moves the weights of each region back through the steps before it, on the region's own bounding box.
Steps that are not folded compute the voxels that what follows them takes, and no others.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from brainsieve.engine.spatial.average import Regions, SparseOperator
from brainsieve.engine.spatial.grid import GridOperator, points_of
from brainsieve.engine.spatial.least_squares import DenseMaps, LeastSquares
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.spatial.select import Select
from brainsieve.engine.spatial.separable import Separable

# Weights smaller than this share of their region's largest are dropped.
NEGLIGIBLE = 1e-7
# Nanoseconds for a weight and a sample, measured with 2.7 M weights.
NS_PER_WEIGHT = 0.8
# A folded matrix has no more weights than this, 12 bytes each, unless it is asked for.
MOST_WEIGHTS = 12_000_000
# Room for weights at first; it doubles as it is filled.
FIRST_WEIGHTS = 2**20
# Plans that are kept for reuse in this process.
CACHE_BYTES = 2**29

How = Literal["auto", "folded", "stepwise"]


class Chain(SpatialOperator):
    """Operators applied one after the other."""

    def __init__(self, steps: Sequence[SpatialOperator]) -> None:
        for first, second in zip(steps[:-1], steps[1:], strict=True):
            if first.n_features != second.n_points:
                raise ValueError(
                    f"{type(second).__name__} takes {second.n_points} points; "
                    f"{type(first).__name__} before it gives {first.n_features}."
                )
        self.steps = tuple(steps)
        self.n_points, self.n_features = steps[0].n_points, steps[-1].n_features
        self.is_linear = all(step.is_linear for step in steps)
        self.is_costly = any(step.is_costly for step in steps)

    @property
    def nbytes(self) -> int:
        return sum(step.nbytes for step in self.steps)

    def _forward(self, block: NDArray) -> NDArray:
        parts = []
        # A volume at a time: whole blocks of float volumes between the steps would take hundreds of MB.
        for row in block:
            values = row[None]
            for step in self.steps:
                values = step.forward(values)
            parts.append(values)
        return np.concatenate(parts) if parts else np.empty((0, self.n_features))

    def _adjoint(self, signals: NDArray) -> NDArray:
        for step in reversed(self.steps):
            signals = step.adjoint(signals)
        return signals


def compose(steps: Sequence[SpatialOperator]) -> SpatialOperator:
    """Apply operators in turn: the first of `steps` first. Neighbours that make one separable operator do."""
    flat: list[SpatialOperator] = []
    for step in steps:
        flat.extend(step.steps if isinstance(step, Chain) else [step])
    merged: list[SpatialOperator] = []
    for step in flat:
        if merged and isinstance(step, Separable) and isinstance(merged[-1], Separable):
            merged[-1] = step.after(merged[-1])
        else:
            merged.append(step)
    return merged[0] if len(merged) == 1 else Chain(merged)


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
    if how not in ("auto", "folded", "stepwise"):
        raise ValueError(f"how must be 'auto', 'folded' or 'stepwise', not {how!r}.")
    chain = compose(steps)
    if not isinstance(chain, Chain):
        return chain
    *before, last = chain.steps
    summed = last.maps if isinstance(last, LeastSquares) else last
    if how == "stepwise" or not isinstance(summed, SparseOperator | DenseMaps | Regions):
        return _with_matrix(_in_turn(chain.steps))
    folded = _folded(before, summed, _most_weights(chain, how))
    if folded is None:
        return _with_matrix(_in_turn(chain.steps))
    return last.on(folded) if isinstance(last, LeastSquares) else folded


def _most_weights(chain: Chain, how: How) -> float:
    """Weights beyond which a folded matrix is not worth it."""
    if how == "folded":
        return np.inf
    if isinstance(chain.steps[-1], Regions):
        # A few times the voxels of a brain at the most, and dear to compare: atlases of 1 mm have millions.
        return MOST_WEIGHTS
    return min(MOST_WEIGHTS, _work(_in_turn(chain.steps)) / NS_PER_WEIGHT)


def _with_matrix(operator: SpatialOperator) -> SpatialOperator:
    """Regions known by their points, as the matrix that is fast to apply."""
    if isinstance(operator, Chain):
        return Chain([_with_matrix(step) for step in operator.steps])
    return SparseOperator(operator.tosparse(), copy=False) if isinstance(operator, Regions) else operator


def _work(operator: SpatialOperator) -> float:
    """About how many nanoseconds a sample takes."""
    if isinstance(operator, Chain):
        return sum(_work(step) for step in operator.steps)
    if isinstance(operator, GridOperator):
        return operator.work
    if isinstance(operator, LeastSquares):
        return _work(operator.maps)
    if isinstance(operator, SparseOperator | DenseMaps | Regions):
        return NS_PER_WEIGHT * operator.n_weights
    return float(operator.n_features)


def _folded(
    before: Sequence[SpatialOperator], last: SparseOperator | DenseMaps | Regions, most: float
) -> SparseOperator | None:
    """The chain as a sparse matrix; None where it has more than `most` weights or a step forbids it."""
    matrix: sparse.csr_array | Regions = last if isinstance(last, Regions) else last.tosparse()
    for step in reversed(before):
        if isinstance(step, GridOperator):
            moved = _moved_back(matrix, step, most)
            if moved is None:
                return None
            matrix = moved
        elif hasattr(step, "tosparse"):
            matrix = (matrix.tosparse() if isinstance(matrix, Regions) else matrix) @ step.tosparse()
        else:
            return None
    if isinstance(matrix, Regions) or matrix.nnz > most:
        return None
    return SparseOperator(matrix, copy=False)


def _rows(matrix: sparse.csr_array | Regions) -> Iterator[tuple[NDArray, NDArray]]:
    """Points and weights of each row."""
    if isinstance(matrix, Regions):
        yield from map(matrix.row, range(matrix.n_features))
    else:
        for start, stop in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
            yield matrix.indices[start:stop], matrix.data[start:stop]


def _moved_back(
    matrix: sparse.csr_array | Regions, step: GridOperator, most: float
) -> sparse.csr_array | None:
    """matrix @ step, region by region, as a sparse matrix; None where it has more than `most` weights."""
    # Arrays that grow in place: rows gathered in lists and put together would need the memory twice.
    indices = np.empty(FIRST_WEIGHTS, np.int32 if step.n_points < 2**31 else np.int64)
    values = np.empty(FIRST_WEIGHTS)
    ends = [0]
    for points, weights in _rows(matrix):
        moved = step.adjoint_of_points(points.astype(np.intp), weights, NEGLIGIBLE)
        first, last = ends[-1], ends[-1] + len(moved[0])
        if last > most:
            return None
        if last > len(values):
            for grown in (indices, values):
                grown.resize(max(last, 2 * len(grown)), refcheck=False)
        indices[first:last], values[first:last] = moved
        ends.append(last)
    for grown in (indices, values):
        grown.resize(ends[-1], refcheck=False)
    return sparse.csr_array(
        (values, indices, np.array(ends, indices.dtype)), shape=(len(ends) - 1, step.n_points)
    )


def _in_turn(steps: Sequence[SpatialOperator]) -> SpatialOperator:
    """The steps one by one, each computing no more voxels than the next one takes."""
    *before, last = steps
    done: list[SpatialOperator] = [last]
    while before and isinstance(before[-1], GridOperator):
        wanted = done[0].support
        if wanted is None:
            break
        step, renumber = before[-1].restricted(wanted)
        before.pop()
        done[0] = done[0].renumbered(renumber, step.n_features)
        if _takes_all_in_order(done[0]):
            done.pop(0)
        reach = step.on_reach() if before else None
        if reach is None:
            done.insert(0, step)
        else:
            # A selection stands for the box that is read, until the step before is restricted to it.
            on_reach, box = reach
            done[:0] = [Select(points_of(box, step.source_shape), step.n_points), on_reach]
    everything = [*before, *done]
    return Chain(everything) if len(everything) > 1 else everything[0]


def _takes_all_in_order(operator: SpatialOperator) -> bool:
    return isinstance(operator, Select) and np.array_equal(operator.points, np.arange(operator.n_points))


class PlanCache:
    """Plans, of which the least recently used are dropped; one is built at a time for each key.

    Parameters
    ----------
    max_bytes : int
        What the plans may hold together. The last one is kept whatever its size.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._plans: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._building: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, build: Callable[[], Any]) -> Any:
        """The plan of a key, built if need be. What `build` raises is raised, and nothing kept."""
        with self._lock:
            if key in self._plans:
                return self._used(key)
            building = self._building.setdefault(key, threading.Lock())
        with building:
            with self._lock:
                if key in self._plans:
                    return self._used(key)
            try:
                plan = build()
                with self._lock:
                    self._plans[key] = (plan, held_bytes(plan))
                    self._drop_oldest()
                return plan
            finally:
                with self._lock:
                    self._building.pop(key, None)

    def _used(self, key: Hashable) -> Any:
        self._plans.move_to_end(key)
        return self._plans[key][0]

    def _drop_oldest(self) -> None:
        total = sum(size for _, size in self._plans.values())
        while len(self._plans) > 1 and total > self._max_bytes:
            _, (_, size) = self._plans.popitem(last=False)
            total -= size


def held_bytes(plan: Any) -> int:
    """Memory of a plan: what it says itself, or the sum over the fields of a dataclass or sequence."""
    if isinstance(getattr(plan, "nbytes", None), int | np.integer):
        return int(plan.nbytes)
    if dataclasses.is_dataclass(plan):
        return sum(held_bytes(getattr(plan, field.name)) for field in dataclasses.fields(plan))
    if isinstance(plan, list | tuple):
        return sum(map(held_bytes, plan))
    return 0


_cache = PlanCache(CACHE_BYTES)


def cached_plan(key: Hashable, build: Callable[[], Any]) -> Any:
    """What `build` gives, built once in this process for each key.

    Plans are operators, or dataclasses and sequences that hold some. Up to `CACHE_BYTES` of them are kept.
    """
    return _cache.get(key, build)
