"""Connectomes in space: which edges there are, and the bodies that stand for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from brainsieve import checks
from brainsieve.datasets import load_mni152_brain_mask

# Of Set2: eight colours that differ, none of them loud.
NODE_CMAP = "Set2"
# Within this of the largest weight, w[i, j] and w[j, i] are one weight with rounding.
SYMMETRY_TOLERANCE = 1e-8
OUTSIDE_VOXEL_MM = 5.0
SMOOTHING_STEPS = 12
# Balls of more nodes than this have fewer corners.
FINE_NODES = 100
THINNEST = 0.25


@dataclass(frozen=True, eq=False)
class Network:
    """Nodes in space and weighted edges between them.

    Attributes
    ----------
    coordinates : array of shape (n_nodes, 3)
        In mm.
    edges : array of int, shape (n_edges, 2)
        From and to.
    weights : array of shape (n_edges,)
        None is 0.
    directed : bool
    """

    coordinates: NDArray[np.float64]
    edges: NDArray[np.intp]
    weights: NDArray[np.float64]
    directed: bool

    def kept(self, which: NDArray) -> Network:
        """With some of its edges, in an order."""
        return Network(self.coordinates, self.edges[which], self.weights[which], self.directed)

    def undirected(self) -> Network:
        """With one edge between two nodes, that of the larger magnitude."""
        if not self.directed:
            return self
        order = np.argsort(-np.abs(self.weights), kind="stable")
        pairs = np.sort(self.edges[order], axis=1)
        _, first = np.unique(pairs, axis=0, return_index=True)
        return Network(self.coordinates, pairs[first], self.weights[order][first], directed=False)


def checked_network(adjacency: Any, coordinates: Any, threshold: float | str | None) -> Network:
    """The edges of an adjacency matrix that are at least as strong as a threshold.

    Parameters
    ----------
    adjacency : array of shape (n, n), data frame or sparse matrix
        NaN and 0 are no edge; the diagonal is none. Of a symmetric one, each edge once.
    coordinates : array of shape (n, 3)
    threshold : float or str, optional
        Least magnitude; ``"80%"``: that percentile of the magnitudes below the diagonal (not symmetric: of all off
        it), zeros included.

    Raises
    ------
    ValueError
        If the matrix is not square, not real, has infinity, or another size than there are coordinates; for a threshold
        that is neither a number of at least 0 nor a percentage.
    """
    matrix = _square("adjacency_matrix", adjacency)
    points = checked_coordinates("node_coords", coordinates)
    if len(points) != len(matrix):
        raise ValueError(
            f"adjacency_matrix has shape {matrix.shape}, node_coords {points.shape}: there must be one place "
            f"(x, y, z) for each of the {len(matrix)} nodes."
        )
    tolerance = SYMMETRY_TOLERANCE * max(float(np.abs(matrix).max(initial=0.0)), 1e-300)
    directed = bool((np.abs(matrix - matrix.T) > tolerance).any())
    off = ~np.eye(len(matrix), dtype=bool) if directed else np.tri(len(matrix), k=-1, dtype=bool)
    bound = percentile_or_number("edge_threshold", threshold, matrix[off])
    kept = off & (matrix != 0) & (np.abs(matrix) >= (0.0 if bound is None else bound))
    edges = np.argwhere(kept)
    return Network(points, edges, matrix[kept], directed)


def _square(name: str, given: Any) -> NDArray[np.float64]:
    if sparse.issparse(given):
        given = given.toarray()
    if isinstance(given, np.ma.MaskedArray):
        given = given.filled(0)
    try:
        matrix = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be a matrix of real numbers; {checks.found(given)} was given."
        ) from None
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} must be square, (n_nodes, n_nodes); its shape is {matrix.shape}.")
    if np.isinf(matrix).any():
        raise ValueError(f"{name} has infinite weights, which no width or colour can stand for.")
    return np.nan_to_num(matrix)


def checked_coordinates(name: str, given: Any) -> NDArray[np.float64]:
    """Places in space, (n, 3), finite."""
    try:
        points = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be numbers of shape (n, 3); {checks.found(given)} was given."
        ) from None
    if points.shape == (3,):
        points = points[None]
    if points.size == 0:
        return np.zeros((0, 3))
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"{name} must have the shape (n, 3), x, y and z in mm; its shape is {points.shape}.")
    if not np.isfinite(points).all():
        row = int(np.argmin(np.isfinite(points).all(axis=1)))
        raise ValueError(f"{name} has NaN or infinity, first in row {row} (from 0): {points[row].tolist()}.")
    return points


def percentile_or_number(name: str, threshold: Any, values: NDArray) -> float | None:
    """A threshold as a number: of ``"80%"`` that percentile of finite magnitudes, zeros included.

    Raises
    ------
    ValueError, TypeError
        If it is neither a number of at least 0, nor such a string, nor None.
    """
    if not isinstance(threshold, str):
        checks.a_number_or_none(name, threshold)
        return None if threshold is None else float(threshold)
    try:
        percent = float(threshold.removesuffix("%")) if threshold.endswith("%") else -1.0
    except ValueError:
        percent = -1.0
    if not 0 <= percent <= 100:
        raise ValueError(f"{name} must be a number or a percentage such as '80%'; {threshold!r} was given.")
    finite = np.abs(values[np.isfinite(values)])
    return float(np.percentile(finite, percent)) if finite.size else 0.0


def node_colours(colour: Any, count: int, name: str) -> NDArray[np.float64]:
    """A colour (n, 4) for each of some nodes: "auto", one for all, or one each."""
    import matplotlib
    from matplotlib.colors import is_color_like, to_rgba, to_rgba_array

    if isinstance(colour, str) and colour == "auto":
        in_turn = matplotlib.colormaps[NODE_CMAP]
        return np.array([in_turn(position % in_turn.N) for position in range(count)]).reshape(count, 4)
    if is_color_like(colour) and not (isinstance(colour, list | tuple) and len(colour) == count):
        return np.tile(np.array(to_rgba(colour)), (count, 1))
    try:
        colours = to_rgba_array(list(colour))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be 'auto', a colour or one for each: {error}") from None
    if len(colours) != count:
        raise ValueError(
            f"{name} has {len(colours)} colours for {count} places; give one for each, or one for all."
        )
    return colours


def tubes_and_balls(
    network: Network,
    paint: Any,
    colours: NDArray,
    radii: NDArray,
    thickness: float,
    sides: int,
) -> tuple[NDArray, NDArray, NDArray]:
    """One mesh of a network: a ball for each node, a tube for each edge.

    Parameters
    ----------
    network : Network
    paint : matplotlib.cm.ScalarMappable or None
        Of weights; None where there is no edge.
    colours : array of shape (n_nodes, 4)
    radii : array of shape (n_nodes,)
        In mm.
    thickness : float
        Radius of the strongest edge's tube in mm; others are thinner, down to a quarter.
    sides : int
        Of a tube.

    Returns
    -------
    points : array of shape (n_vertices, 3)
    faces : array of int, shape (n_faces, 3)
    colours : array of shape (n_vertices, 4)
    """
    ball, ball_faces = _ball(2 if len(radii) <= FINE_NODES else 1)
    points = [(network.coordinates[:, None] + radii[:, None, None] * ball).reshape(-1, 3)]
    faces = [_repeated(ball_faces, len(radii), len(ball), 0)]
    paints = [np.repeat(colours, len(ball), axis=0)]
    if len(network.weights):
        share = np.abs(network.weights) / np.abs(network.weights).max()
        tubes = _tubes(network, thickness * (THINNEST + (1 - THINNEST) * share), sides)
        points.append(tubes.reshape(-1, 3))
        faces.append(_repeated(_tube_faces(sides), len(tubes), 2 * sides, len(points[0])))
        paints.append(np.repeat(np.asarray(paint.to_rgba(network.weights)), 2 * sides, axis=0))
    return np.concatenate(points), np.concatenate(faces), np.concatenate(paints)


def _repeated(faces: NDArray, count: int, n_vertices: int, start: int) -> NDArray:
    shifts = start + n_vertices * np.arange(count)
    return (faces[None] + shifts[:, None, None]).reshape(-1, 3)


def _tubes(network: Network, radii: NDArray, sides: int) -> NDArray[np.float64]:
    """Corners (n_edges, 2 * sides, 3): a ring around each end."""
    ends = network.coordinates[network.edges]
    along = ends[:, 1] - ends[:, 0]
    lengths = np.linalg.norm(along, axis=1)
    along = (
        np.where(lengths[:, None] > 0, along, [0.0, 0.0, 1.0]) / np.where(lengths > 0, lengths, 1.0)[:, None]
    )
    # Any axis that the edge is far from being parallel to.
    helper = np.eye(3)[np.argmin(np.abs(along), axis=1)]
    first = np.cross(along, helper)
    first /= np.linalg.norm(first, axis=1)[:, None]
    second = np.cross(along, first)
    angles = 2 * np.pi * np.arange(sides) / sides
    ring = first[:, None] * np.cos(angles)[:, None] + second[:, None] * np.sin(angles)[:, None]
    ring *= radii[:, None, None]
    return np.concatenate([ends[:, :1] + ring, ends[:, 1:] + ring], axis=1)


def _tube_faces(sides: int) -> NDArray:
    here = np.arange(sides)
    after = (here + 1) % sides
    return np.concatenate(
        [
            np.stack([here, after, here + sides], axis=1),
            np.stack([after, after + sides, here + sides], axis=1),
        ]
    )


@cache
def _ball(rounds: int) -> tuple[NDArray, NDArray]:
    """A unit sphere of triangles: an octahedron whose faces are cut into four, some times."""
    points = np.concatenate([np.eye(3), -np.eye(3)])
    faces = np.array([[0, 1, 2], [1, 3, 2], [3, 4, 2], [4, 0, 2], [1, 0, 5], [3, 1, 5], [4, 3, 5], [0, 4, 5]])
    for _ in range(rounds):
        pairs = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
        unique, which = np.unique(pairs, axis=0, return_inverse=True)
        middles = len(points) + which.reshape(3, -1)
        a, b, c = faces.T
        ab, bc, ca = middles
        faces = np.concatenate(
            [np.stack(corner, axis=1) for corner in ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))]
        )
        halves = points[unique].mean(axis=1)
        points = np.concatenate([points, halves / np.linalg.norm(halves, axis=1)[:, None]])
    return points, faces


@cache
def brain_outside() -> tuple[NDArray, NDArray]:
    """The outside of the MNI template's brain, coarse: points (n_vertices, 3) in mm, and faces."""
    img = load_mni152_brain_mask(OUTSIDE_VOXEL_MM)
    corners, quads = _sides_of_voxels(np.pad(np.asarray(img.dataobj) > 0, 1))
    smooth = _smoothed(corners, quads)
    # The pad moved voxels by one, and a corner lies half a voxel before its voxel's centre.
    points = (smooth - 1.5) @ img.affine[:3, :3].T + img.affine[:3, 3]
    return points, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def _sides_of_voxels(mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray]:
    """Squares between inside and outside: corners (n, 3) in voxels, and four of them for each square."""
    squares = []
    for axis in range(3):
        step = np.diff(mask.astype(np.int8), axis=axis)
        around = np.eye(3, dtype=int)[[(axis + 1) % 3, (axis + 2) % 3]]
        for sign in (1, -1):
            base = np.argwhere(step == sign) + np.eye(3, dtype=int)[axis]
            turn = [np.zeros(3, int), around[0], around[0] + around[1], around[1]]
            # Corners run so that the square faces outwards.
            squares.append(np.stack([base + corner for corner in (turn if sign < 0 else turn[::-1])], axis=1))
    corners, which = np.unique(np.concatenate(squares).reshape(-1, 3), axis=0, return_inverse=True)
    return corners.astype(np.float64), which.reshape(-1, 4)


def _smoothed(corners: NDArray[np.float64], quads: NDArray) -> NDArray[np.float64]:
    """Each corner moved towards its neighbours' mean, some times over: steps of voxels become slopes."""
    one = quads.ravel()
    other = np.roll(quads, -1, axis=1).ravel()
    n_corners = len(corners)
    links = sparse.csr_array(
        (np.ones(2 * len(one)), (np.r_[one, other], np.r_[other, one])), (n_corners, n_corners)
    )
    mean = sparse.diags_array(1 / links.sum(axis=1)) @ links
    for _ in range(SMOOTHING_STEPS):
        corners = 0.5 * corners + 0.5 * (mean @ corners)
    return corners
