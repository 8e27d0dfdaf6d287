"""Intrinsic Delaunay triangulation of a mesh: the same surface, with triangles that suit its Laplacian.

Triangles with angles beyond 90° can give a neighbour a negative weight, and smoothing kernels negative lobes.
Flipping edges within the surface, without moving a vertex, takes them away: only lengths of edges are needed.

Source: Bobenko & Springborn 2007, Discrete & Computational Geometry 38:740, doi:10.1007/s00454-007-9006-1;
Fisher, Springborn, Schröder & Bobenko 2007, Computing 81:199, doi:10.1007/s00607-007-0249-8.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.mesh import Mesh

# Sums of cotangents above this are rounding.
TOLERANCE = -1e-10

Edge = tuple[int, int]


def delaunay_cotangents(mesh: Mesh) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Cotangents of the corners of the triangles after flipping.

    Parameters
    ----------
    mesh : Mesh

    Returns
    -------
    faces : array of int, shape (n_faces, 3)
    cotangents : array of shape (n_faces, 3)
        Of the angle at each corner.
    areas : array of shape (n_faces,)
        In mm².
    """
    faces = np.array(mesh.faces, dtype=np.intp)
    lengths = edge_lengths(mesh.coordinates.astype(np.float64), faces)
    cotangents, areas = corner_cotangents(lengths)
    if not _bad_edges(faces, cotangents):
        return faces, cotangents, areas
    faces, lengths = _flipped(faces, lengths, cotangents)
    return faces, *corner_cotangents(lengths)


def edge_lengths(coordinates: NDArray, faces: NDArray) -> NDArray[np.float64]:
    """Length of the edge opposite each corner, (n_faces, 3)."""
    corners = coordinates[faces]
    return np.stack(
        [np.linalg.norm(corners[:, (i + 2) % 3] - corners[:, (i + 1) % 3], axis=1) for i in range(3)], axis=1
    )


def corner_cotangents(lengths: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cotangents of the corners (n_faces, 3) and areas (n_faces,) of triangles with given edges."""
    # Kahan's form of Heron's formula, which needles do not spoil.
    c, b, a = np.sort(lengths, axis=1).T
    product = (a + (b + c)) * (c - (a - b)) * (c + (a - b)) * (a + (b - c))
    areas = np.sqrt(np.maximum(product, 0.0)) / 4.0
    squares = lengths**2
    total = squares.sum(axis=1, keepdims=True)
    cotangents = (total - 2 * squares) / (4 * np.maximum(areas, 1e-12))[:, None]
    return cotangents, areas


def _bad_edges(faces: NDArray, cotangents: NDArray) -> list[Edge]:
    """Edges whose two opposite angles sum to more than 180°."""
    ends = np.sort(np.concatenate([faces[:, [1, 2]], faces[:, [2, 0]], faces[:, [0, 1]]]), axis=1)
    edges, number, count = np.unique(ends, axis=0, return_inverse=True, return_counts=True)
    sums = np.bincount(number.ravel(), cotangents.T.ravel(), minlength=len(edges))
    bad = edges[(sums < TOLERANCE) & (count == 2)]
    return [(int(u), int(v)) for u, v in bad]


def _flipped(
    faces: NDArray, lengths: NDArray, cotangents: NDArray
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Faces and lengths after every edge that is not Delaunay has been flipped."""
    triangles = [tuple(row) for row in faces.tolist()]
    length: dict[Edge, float] = {}
    sides: dict[Edge, list[int]] = {}
    for number, (triangle, row) in enumerate(zip(triangles, lengths.tolist(), strict=True)):
        for corner in range(3):
            edge = _edge(triangle[(corner + 1) % 3], triangle[(corner + 2) % 3])
            length[edge] = row[corner]
            sides.setdefault(edge, []).append(number)
    waiting = _bad_edges(faces, cotangents)
    while waiting:
        u, v = waiting.pop()
        around = sides.get((u, v), [])
        if len(around) != 2:
            continue
        first, second = around
        p, q = sum(triangles[first]) - u - v, sum(triangles[second]) - u - v
        # Two edges between the same vertices could not be told apart here; such flips are left out.
        if p == q or _edge(p, q) in length:
            continue
        diagonal = _other_diagonal(length, u, v, p, q)
        if diagonal is None:
            continue
        del length[u, v], sides[u, v]
        length[_edge(p, q)], sides[_edge(p, q)] = diagonal, [first, second]
        triangles[first], triangles[second] = (p, q, u), (p, q, v)
        _replace(sides[_edge(v, p)], first, second)
        _replace(sides[_edge(u, q)], second, first)
        waiting += [_edge(u, p), _edge(v, p), _edge(u, q), _edge(v, q)]
    found = np.array(triangles, dtype=np.intp)
    rows = [[length[_edge(b, c)], length[_edge(c, a)], length[_edge(a, b)]] for a, b, c in triangles]
    return found, np.array(rows)


def _edge(u: int, v: int) -> Edge:
    return (u, v) if u < v else (v, u)


def _replace(faces: list[int], old: int, new: int) -> None:
    faces[faces.index(old)] = new


def _other_diagonal(length: dict[Edge, float], u: int, v: int, p: int, q: int) -> float | None:
    """Length of pq once triangles uvp and uvq are unfolded into a plane; None where uv is Delaunay."""
    base = length[_edge(u, v)]
    up, vp, uq, vq = (length[_edge(*e)] for e in ((u, p), (v, p), (u, q), (v, q)))
    px = (up * up + base * base - vp * vp) / (2 * base)
    qx = (uq * uq + base * base - vq * vq) / (2 * base)
    py, qy = math.sqrt(max(up * up - px * px, 0.0)), math.sqrt(max(uq * uq - qx * qx, 0.0))
    if py <= 0 or qy <= 0:
        return None
    # With u at 0 and v at `base`, cot(angle at p) = (p · (p - v)) / (base · height).
    cot_p = (px * (px - base) + py * py) / (base * py)
    cot_q = (qx * (qx - base) + qy * qy) / (base * qy)
    if cot_p + cot_q >= TOLERANCE:
        return None
    return math.hypot(px - qx, py + qy)
