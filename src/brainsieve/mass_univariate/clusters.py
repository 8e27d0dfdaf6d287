"""Connected components of maps above thresholds: sizes and masses of clusters, and TFCE.

Maps are (m, V) over a graph of points; all maps of a call are one graph of m V points, so that NumPy's calls serve
them all. Signs make clusters of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

# Of threshold-free cluster enhancement (Smith and Nichols 2009, doi:10.1016/j.neuroimage.2008.03.061): extent ** ½,
# height ** 2, in so many levels up to the largest value.
N_LEVELS = 100


@dataclass(frozen=True)
class Clusters:
    """Clusters of maps.

    Attributes
    ----------
    sizes, masses : array of shape (m, V)
        Of the cluster that each point belongs to; 0 outside. Mass: sum of the values beyond the threshold.
    """

    sizes: NDArray[np.int64]
    masses: NDArray[np.float64]


def clusters_above(maps: NDArray, edges: NDArray[np.intp], threshold: float, two_sided: bool) -> Clusters:
    """Clusters of points above a threshold, and of those below minus the threshold if `two_sided`."""
    values = maps.ravel()
    height = np.abs(values) if two_sided else values
    inside = np.flatnonzero(height > threshold)  # NaN is not
    position = np.full(values.size, -1, dtype=np.intp)
    position[inside] = np.arange(len(inside))
    sign = values > 0
    ends = []
    for k in range(len(maps)):
        a, b = (position[edges[:, i] + k * maps.shape[1]] for i in (0, 1))
        both = (a >= 0) & (b >= 0)
        a, b = a[both], b[both]
        same = sign[inside[a]] == sign[inside[b]]
        ends.append((a[same], b[same]))
    first, second = map(np.concatenate, zip(*ends, strict=True))
    labels = _components(first, second, len(inside))
    size, mass = np.zeros(values.size, dtype=np.int64), np.zeros(values.size)
    size[inside] = np.bincount(labels)[labels] if len(inside) else 0
    beyond = height[inside] - threshold
    mass[inside] = np.bincount(labels, beyond)[labels] if len(inside) else 0
    return Clusters(size.reshape(maps.shape), mass.reshape(maps.shape))


def tfce(
    maps: NDArray, edges: NDArray[np.intp], two_sided: bool, step: float | None = None
) -> NDArray[np.float64]:
    """Threshold-free cluster enhancement of maps (m, V).

    tfce(v) = Σ_i √extent_i(v) h_i², over heights h_i up to the map's largest value, where extent_i is the size of the
    cluster of v above h_i; with the sign of the map. NaN counts as 0.

    Parameters
    ----------
    step : float, optional
        Between heights; the sum is multiplied by it, and approaches the integral. Default: a hundredth of each map's
        largest value, and no factor: maps of other ranges are then on other scales.

    Notes
    -----
    Levels are added from the top. Edges join the components at their ends when the lower end is reached, and each new
    component knows its parts: a tree of all clusters of all levels. A component has one size from the level that makes
    it to the level that ends it, so its share of the sum is √size times a difference of two cumulative sums.
    """
    maps = np.nan_to_num(
        maps, nan=0.0, posinf=np.finfo(float).max ** 0.25, neginf=-(np.finfo(float).max ** 0.25)
    )
    m, n_points = maps.shape
    height = np.abs(maps) if two_sided else np.maximum(maps, 0)
    levels, sums = _levels(height, step)
    level = levels.ravel()
    a, b = (np.concatenate([edges[:, i] + k * n_points for k in range(m)]) for i in (0, 1))
    reached = np.minimum(level[a], level[b])
    joins = (reached > 0) & ((maps.ravel() > 0)[a] == (maps.ravel() > 0)[b])
    a, b, reached = a[joins], b[joins], reached[joins]
    descending = levels.max() - reached
    # NumPy sorts 16 bits by counting.
    order = np.argsort(descending.astype(np.uint16) if levels.max() < 2**16 else descending, kind="stable")
    total = _from_the_top(level, a[order], b[order], reached[order], sums, n_points)
    return (np.sign(maps).ravel() * total).reshape(m, n_points) * (1.0 if step is None else step)


def _levels(height: NDArray, step: float | None) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Number of levels that each point reaches (m, V), and sums of squared heights up to each level (m, levels + 1)."""
    levels = np.empty(height.shape, dtype=np.int32)
    top = height.max(axis=1)
    n_levels = N_LEVELS if step is None else int(top.max() / step) + 1
    heights = np.zeros((len(height), n_levels + 1))
    for k in range(len(height)):
        grid = np.linspace(0, top[k], N_LEVELS + 1) if step is None else step * np.arange(n_levels + 1)
        heights[k] = grid
        levels[k] = np.searchsorted(grid[1:], height[k], side="right") if top[k] > 0 else 0
    return levels, np.cumsum(heights**2, axis=1)


def _from_the_top(
    level: NDArray[np.int32],
    a: NDArray[np.intp],
    b: NDArray[np.intp],
    reached: NDArray[np.int32],
    sums: NDArray[np.float64],
    n_points: int,
) -> NDArray[np.float64]:
    """Σ √extent h² of each point, from edges in descending order of the level that joins their ends."""
    n, n_used = len(level), len(level)
    # Components: the points themselves, then what edges make of them; each join makes one of two or more.
    parent = np.full(2 * n, -1, dtype=np.intp)
    up = np.arange(2 * n)  # an ancestor of each component, its root once looked up
    size = np.ones(2 * n, dtype=np.int64)
    born, ended = np.zeros((2, 2 * n), dtype=np.int32)
    born[:n] = level
    map_of = np.zeros(2 * n, dtype=np.intp)
    map_of[:n] = np.arange(n) // n_points
    for some in _runs(reached):
        first, second = _roots(up, a[some]), _roots(up, b[some])
        apart = first != second
        if not apart.any():
            continue
        parts, position = np.unique(np.concatenate([first[apart], second[apart]]), return_inverse=True)
        left, right = np.split(position, 2)
        joined = _components(left, right, len(parts))
        new = slice(n_used, n_used + joined.max() + 1)
        n_used = new.stop
        parent[parts] = up[parts] = new.start + joined
        size[new] = np.bincount(joined, size[parts])
        map_of[new.start + joined] = map_of[parts]
        born[new] = ended[parts] = reached[some.start]
    used = slice(0, n_used)
    share = np.sqrt(size[used]) * (sums[map_of[used], born[used]] - sums[map_of[used], ended[used]])
    # A component ends at a higher level than the one that holds it: from the roots on, down to the points.
    order = np.argsort(ended[used], kind="stable")
    order = order[parent[order] >= 0]
    for some in _runs(ended[order]):
        share[order[some]] += share[parent[order[some]]]
    return share[:n]


def _runs(values: NDArray) -> Iterator[slice]:
    """Slices of equal neighbours."""
    if not len(values):
        return
    starts = np.flatnonzero(np.diff(values, prepend=values[0] - 1))
    for start, stop in zip(starts, [*starts[1:], len(values)], strict=True):
        yield slice(int(start), int(stop))


def _roots(up: NDArray[np.intp], points: NDArray[np.intp]) -> NDArray[np.intp]:
    """The component that each point belongs to now."""
    roots = up[points]
    while True:
        further = up[roots]
        if np.array_equal(further, roots):
            break
        # Every component on the way skips one: chains are halved, also for those who come later.
        further = up[further]
        up[roots] = further
        roots = further
    up[points] = roots
    return roots


def _components(a: NDArray[np.intp], b: NDArray[np.intp], n: int) -> NDArray[np.int32]:
    """Number of the component of each of `n` points that pairs connect."""
    graph = sparse.coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(n, n))
    return connected_components(graph, directed=False)[1]
