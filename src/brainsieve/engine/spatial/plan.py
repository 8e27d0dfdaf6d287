"""Plans: chains of spatial operators, folded into one sparse matrix where that is cheaper, and kept for reuse."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from brainsieve.engine.spatial.average import Regions, SparseOperator
from brainsieve.engine.spatial.least_squares import DenseMaps, LeastSquares
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.spatial.resample import Interpolate
from brainsieve.engine.spatial.select import Select
from brainsieve.engine.spatial.separable import Separable

# Weights smaller than this share of their region's largest are dropped.
NEGLIGIBLE = 1e-7
# Beyond so many weights the steps one by one are faster: 1 ns for each weight and volume, against some 10 ms.
MOST_WEIGHTS = 20_000_000
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
        return sum(getattr(step, "nbytes", 0) for step in self.steps)

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
    chain = compose(steps)
    if not isinstance(chain, Chain):
        return chain
    *before, last = chain.steps
    if how != "stepwise":
        most = MOST_WEIGHTS if how == "auto" else np.inf
        if isinstance(last, LeastSquares):
            maps = _folded(before, last.maps, most)
            if maps is not None:
                return last.on(maps)
        if isinstance(last, SparseOperator | Regions):
            folded = _folded(before, last, most)
            if folded is not None:
                return folded
    return _cropped(before, last)


def _folded(
    before: Sequence[SpatialOperator], last: SparseOperator | DenseMaps | Regions, most: float
) -> SparseOperator | None:
    """The chain as a sparse matrix, region by region; None where it has more than `most` weights."""
    if not all(isinstance(step, Separable | Interpolate | SparseOperator) for step in before):
        return None
    matrix: sparse.csr_array | Regions | None = last if isinstance(last, Regions) else last.tosparse()
    for step in reversed(before):
        assert matrix is not None
        if isinstance(step, SparseOperator):
            product = (matrix.tosparse() if isinstance(matrix, Regions) else matrix) @ step.tosparse()
            matrix = product if product.nnz <= most else None
        else:
            matrix = _moved_back(matrix, step, most)
        if matrix is None:
            return None
    return SparseOperator(matrix, copy=False)


def _row(matrix: sparse.csr_array | Regions, i: int) -> tuple[NDArray, NDArray]:
    """Points and weights of one row."""
    if isinstance(matrix, Regions):
        return matrix.row(i)
    row = slice(matrix.indptr[i], matrix.indptr[i + 1])
    return matrix.indices[row], matrix.data[row]


def _moved_back(
    matrix: sparse.csr_array | Regions, step: SpatialOperator, most: float
) -> sparse.csr_array | None:
    """matrix @ step, row by row; None where it has more than `most` weights."""
    n_rows = matrix.n_features if isinstance(matrix, Regions) else matrix.shape[0]
    # Arrays that grow in place: rows gathered in lists and put together would need the memory twice.
    indices, weights = np.empty(FIRST_WEIGHTS, np.int32), np.empty(FIRST_WEIGHTS)
    ends = [0]
    for i in range(n_rows):
        points, region = _row(matrix, i)
        if isinstance(step, Separable):
            moved = _through_separable(points, region, step)
        else:
            assert isinstance(step, Interpolate)
            moved = _through_interpolation(points, region, step)
        first, last = ends[-1], ends[-1] + len(moved[0])
        if last > most:
            return None
        if last > len(weights):
            for grown in (indices, weights):
                grown.resize(max(last, 2 * len(grown)), refcheck=False)
        indices[first:last], weights[first:last] = moved
        ends.append(last)
    for grown in (indices, weights):
        grown.resize(ends[-1], refcheck=False)
    return sparse.csr_array((weights, indices, np.array(ends, np.int32)), shape=(n_rows, step.n_points))


def _through_separable(
    points: NDArray, weights: NDArray, step: Separable
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Weights of source points for a region's weights of target points, on the region's bounding box."""
    if not len(points):
        return np.zeros(0, np.int32), np.zeros(0)
    voxels = np.stack(np.unravel_index(points, step.target_shape, order="F"))
    start = voxels.min(axis=1)
    box = np.zeros(voxels.max(axis=1) - start + 1)
    np.add.at(box, tuple(voxels - start[:, None]), weights)
    moved, first = step.adjoint_of_box(box, start.tolist())
    largest = np.abs(moved).max()
    kept = np.nonzero(np.abs(moved) > NEGLIGIBLE * largest) if largest > 0 else np.nonzero(moved)
    voxel = tuple(index + shift for index, shift in zip(kept, first, strict=True))
    source = np.ravel_multi_index(voxel, step.source_shape, order="F")
    order = np.argsort(source)
    # Grids have fewer than 2**31 voxels, and SciPy's matrices are fastest and smallest with 32 bits.
    return source[order].astype(np.int32), moved[kept][order]


def _through_interpolation(
    points: NDArray, weights: NDArray, step: Interpolate
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    if not len(points):
        return np.zeros(0, np.int32), np.zeros(0)
    coefficients = sparse.csr_array(weights[None] @ step.coefficient_rows(points))
    used = np.flatnonzero(coefficients.toarray()[0])
    return _through_separable(used, coefficients.toarray()[0][used], step.prefilter())


def _cropped(before: Sequence[SpatialOperator], last: SpatialOperator) -> SpatialOperator:
    """The steps in turn, computing no more of the volume before a selection than it takes."""
    if isinstance(last, Select) and isinstance(before[-1], Separable):
        step = before[-1]
        voxels = np.stack(np.unravel_index(last.points, step.target_shape, order="F"))
        start, stop = voxels.min(axis=1), voxels.max(axis=1) + 1
        box = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
        step = step.cropped(box)  # type: ignore[arg-type]
        inside = np.ravel_multi_index(tuple(voxels - start[:, None]), step.target_shape, order="F")
        return Chain([*before[:-1], step, Select(inside, step.n_features)])
    if isinstance(last, Select) and isinstance(before[-1], Interpolate):
        return compose([*before[:-1], before[-1].only(last.points)])
    return Chain([*before, last])


class _PlanCache:
    """Plans of this process, least recently used ones dropped; one is built at a time for each key."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._plans: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()
        self._building: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, build: Callable[[], Any]) -> Any:
        with self._lock:
            if key in self._plans:
                self._plans.move_to_end(key)
                return self._plans[key]
            building = self._building.setdefault(key, threading.Lock())
        with building:
            with self._lock:
                if key in self._plans:
                    return self._plans[key]
            plan = build()
            with self._lock:
                self._plans[key] = plan
                self._building.pop(key, None)
                self._drop_oldest()
            return plan

    def _drop_oldest(self) -> None:
        while len(self._plans) > 1 and sum(map(_size, self._plans.values())) > self._max_bytes:
            self._plans.popitem(last=False)


def _size(plan: Any) -> int:
    operator = getattr(plan, "space", plan)
    return int(getattr(operator, "nbytes", 0))


_cache = _PlanCache(CACHE_BYTES)


def cached_plan(key: Hashable, build: Callable[[], Any]) -> Any:
    """What `build` gives, built once in this process for each key (operators, or objects with one as `space`)."""
    return _cache.get(key, build)
