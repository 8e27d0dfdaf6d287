"""Lateral and medial views of the hemispheres.

Triangles that face the viewer are drawn from back to front in parallel projection, shaded by their normals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.drawing.figures import dark_figure
from brainsieve.drawing.layers import Layer, paint_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Towards the viewer, in the space of the mesh: x is to the right of the head.
LATERAL = {"left": -1.0, "right": 1.0}
VIEWS = (("left", "lateral"), ("left", "medial"), ("right", "medial"), ("right", "lateral"))
VIEW_INCHES = (3.0, 2.5)
LIGHT = np.array([0.35, 0.25, 0.9])
# Share of brightness that a face turned away from the light keeps, and what a mask leaves out.
AMBIENT = 0.45
LEFT_OUT = 0.35
BARE = (0.72, 0.72, 0.72)


def surfaces_figure(
    meshes: Mapping[str, tuple[NDArray, NDArray]],
    points: Mapping[str, NDArray],
    background: NDArray | None,
    layer: Layer,
    cmap: Any = None,
) -> Figure:
    """All views of the hemispheres that there are, side by side.

    Parameters
    ----------
    meshes : dict of str to (coordinates, faces)
    points : dict of str to array of int
        For each hemisphere which points of the layer are its vertices, -1 where none is.
    background : array of shape (n_points,) or None
    layer : Layer
    cmap : matplotlib colour map or name, optional
    """
    views = [view for view in VIEWS if view[0] in meshes]
    width, height = VIEW_INCHES
    figure, whole = dark_figure(width * len(views), height, paint_of(layer, cmap).scale)
    share = whole / len(views)
    colours = vertex_colours(layer, background, cmap)
    for position, (part, side) in enumerate(views):
        coordinates, faces = meshes[part]
        known = points[part] >= 0
        of_vertices = np.where(known[:, None], colours[np.maximum(points[part], 0)], np.array(BARE))
        axes = figure.add_axes((position * share, 0, share, 0.92))
        draw_hemisphere(
            axes, coordinates, faces, of_vertices, LATERAL[part] * (1 if side == "lateral" else -1)
        )
        name = f"{part} {side}"
        figure.text((position + 0.5) * share, 0.94, name, color="white", fontsize=10, ha="center")
    return figure


def draw_hemisphere(
    axes: Axes, coordinates: NDArray, faces: NDArray, colours: NDArray, towards: float
) -> None:
    """Draw a mesh as seen along the x axis.

    Parameters
    ----------
    axes : matplotlib axes
    coordinates : array of shape (n_vertices, 3)
    faces : array of int, shape (n_faces, 3)
    colours : array of shape (n_vertices, 3)
    towards : float
        1: seen from the right of the head, -1: from its left.
    """
    from matplotlib.collections import PolyCollection

    x, y, z = np.asarray(coordinates, dtype=np.float64).T
    # From the right the front of the head is on the right, from the left on the left.
    flat = np.stack([towards * y, z, towards * x], axis=1)
    corners = flat[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    # Meshes wind their faces one way or the other; most of a closed surface faces outwards.
    outwards = np.sign(np.einsum("ij,ij->", normals, corners.mean(axis=1) - flat.mean(axis=0))) or 1.0
    normals = outwards * normals / np.where(lengths > 0, lengths, 1.0)[:, None]
    seen = np.flatnonzero(normals[:, 2] > 0)
    seen = seen[np.argsort(corners[seen, :, 2].mean(axis=1), kind="stable")]
    brightness = AMBIENT + (1 - AMBIENT) * np.clip(normals[seen] @ (LIGHT / np.linalg.norm(LIGHT)), 0, 1)
    shown = np.clip(colours[faces[seen]].mean(axis=1) * brightness[:, None], 0, 1)
    axes.add_collection(
        PolyCollection(corners[seen, :, :2], facecolors=shown, edgecolors=shown, linewidths=0.2)
    )
    axes.set_xlim(flat[:, 0].min() - 2, flat[:, 0].max() + 2)
    axes.set_ylim(flat[:, 1].min() - 2, flat[:, 1].max() + 2)
    axes.set_aspect("equal")
    axes.set_axis_off()


def vertex_colours(layer: Layer, background: NDArray | None, cmap: Any = None) -> NDArray[np.float64]:
    """Colour of each point of a layer, (n_points, 3); grey where it has nothing, dark outside of a mask."""
    grey = _greys(background, len(layer.data))
    if layer.kind == "mask":
        return np.where(layer.inside[:, None], grey, LEFT_OUT * grey)
    colours = paint_of(layer, cmap).colour(layer.data)
    return np.where(colours[:, 3:] > 0, colours[:, :3], grey)


def _greys(background: NDArray | None, n_points: int) -> NDArray[np.float64]:
    finite = np.zeros(0) if background is None else background[np.isfinite(background)]
    if background is None or not len(finite):
        return np.tile(np.array(BARE), (n_points, 1))
    low, high = np.percentile(finite, [2, 98])
    grey = 0.45 + 0.4 * np.clip((np.nan_to_num(background) - low) / max(high - low, 1e-12), 0, 1)
    return np.repeat(grey[:, None], 3, axis=1)
