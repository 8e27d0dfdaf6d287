"""Pictures of surfaces: lateral and medial views of the hemispheres, as PNG in data URLs.

Triangles that face the viewer are drawn from back to front in parallel projection, shaded by their normals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.reporting.pictures import data_url, hex_colours, listed_colours

if TYPE_CHECKING:
    from brainsieve.reporting.masker_report import Layer, SurfaceCanvas

# Towards the viewer, in the space of the mesh: x is to the right of the head.
LATERAL = {"left": -1.0, "right": 1.0}
VIEWS = (("left", "lateral"), ("left", "medial"), ("right", "medial"), ("right", "lateral"))
LIGHT = np.array([0.35, 0.25, 0.9])
# Share of brightness that a face turned away from the light keeps.
AMBIENT = 0.45
BARE = (0.72, 0.72, 0.72)


def surface_picture(canvas: SurfaceCanvas, layer: Layer, cmap: Any) -> str:
    """All views of the hemispheres that there are, side by side."""
    from matplotlib.figure import Figure

    views = [view for view in VIEWS if view[0] in canvas.meshes]
    colours = vertex_colours(layer, canvas.background, cmap)
    figure = Figure(figsize=(3.0 * len(views), 2.5), dpi=110, facecolor="black")
    for position, (part, side) in enumerate(views):
        axes = figure.add_axes((position / len(views), 0, 1 / len(views), 0.93))
        coordinates, faces = canvas.meshes[part]
        points = canvas.spans[part]
        of_vertices = np.where((points >= 0)[:, None], colours[np.maximum(points, 0)], np.array(BARE))
        towards = LATERAL[part] * (1 if side == "lateral" else -1)
        draw_hemisphere(axes, coordinates, faces, of_vertices, towards)
        figure.text(
            (position + 0.5) / len(views), 0.95, f"{part} {side}", color="0.85", fontsize=8, ha="center"
        )
    return data_url(figure)


def draw_hemisphere(
    axes: Any, coordinates: NDArray, faces: NDArray, colours: NDArray, towards: float
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
    seen = seen[np.argsort(corners[seen, :, 2].mean(axis=1))]
    brightness = AMBIENT + (1 - AMBIENT) * np.clip(normals[seen] @ (LIGHT / np.linalg.norm(LIGHT)), 0, 1)
    shown = np.clip(colours[faces[seen]].mean(axis=1) * brightness[:, None], 0, 1)
    axes.add_collection(
        PolyCollection(corners[seen, :, :2], facecolors=shown, edgecolors=shown, linewidths=0.2)
    )
    axes.set_xlim(flat[:, 0].min() - 2, flat[:, 0].max() + 2)
    axes.set_ylim(flat[:, 1].min() - 2, flat[:, 1].max() + 2)
    axes.set_aspect("equal")
    axes.set_axis_off()


def vertex_colours(layer: Layer, background: NDArray | None, cmap: Any) -> NDArray[np.float64]:
    """Colour of each point of a layer, (n_points, 3); grey where it has nothing."""
    colours = _greys(background, len(layer.data))
    data = layer.data
    if layer.kind == "mask":
        covered = data != 0
        # What the mask leaves out is dark.
        return np.where(covered[:, None], colours, 0.35 * colours)
    if layer.kind == "labels":
        table = layer.colours if cmap is None and layer.colours is not None else None
        inside = data >= 0
        if table is not None or cmap is None:
            chosen = listed_colours(table or hex_colours(int(data.max()) + 1))
            colours[inside] = chosen(data[inside])[:, :3]
        else:
            colours[inside] = _mapped(data[inside], cmap, 0, max(1, int(data.max())))
        return colours
    size = np.abs(data)
    largest = float(size.max()) or 1.0
    inside = size > 0.02 * largest
    colours[inside] = _mapped(size[inside], cmap or "hot", 0, largest)
    return colours


def _mapped(values: NDArray, cmap: Any, low: float, high: float) -> NDArray[np.float64]:
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    chosen = colormaps[cmap] if isinstance(cmap, str) else cmap
    return np.asarray(chosen(Normalize(low, high)(values)))[:, :3]


def _greys(background: NDArray | None, n_points: int) -> NDArray[np.float64]:
    if background is None:
        return np.tile(np.array(BARE), (n_points, 1))
    low, high = np.percentile(background, [2, 98])
    grey = 0.45 + 0.4 * np.clip((background - low) / max(high - low, 1e-12), 0, 1)
    return np.repeat(grey[:, None], 3, axis=1)
