"""Hemispheres are drawn as they are seen: from outside, the front where it is from there, each vertex in its colour."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial import ConvexHull

pytest.importorskip("matplotlib")

from brainsieve.drawing import Layer
from brainsieve.drawing.layers import paint_of
from brainsieve.drawing.surfaces import BARE, surfaces_figure

VIEWS = {"left lateral": -1, "left medial": 1, "right medial": -1, "right lateral": 1}


def ball(wound: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A sphere of triangles, wound outwards or inwards."""
    points = np.random.default_rng(0).normal(size=(150, 3))
    points = 50 * points / np.linalg.norm(points, axis=1, keepdims=True)
    faces = ConvexHull(points).simplices
    corners = points[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inwards = wound * np.einsum("ij,ij->i", normals, corners.mean(axis=1)) < 0
    faces[inwards] = faces[inwards][:, ::-1]
    return points, faces


def views_of(figure):
    """Corners (n_faces, 3, 2) and colours (n_faces, 3) of what each view shows, by its name."""
    named = sorted(figure.texts, key=lambda text: text.get_position()[0])
    axes = [one for one in figure.axes if one.collections and one.get_position().height > 0.8]
    axes = sorted(axes, key=lambda one: one.get_position().x0)
    found = {}
    for text, one in zip(named, axes, strict=True):
        (drawn,) = one.collections
        corners = np.array([path.vertices[:3] for path in drawn.get_paths()])
        found[text.get_text()] = corners, drawn.get_facecolors()[:, :3]
    return found


def share_of_red(colours):
    """Of a layer of labels in pure red over grey."""
    return (colours[:, 0] - colours[:, 1]) / np.maximum(colours[:, 0], 1e-9)


@pytest.mark.parametrize("wound", [1, -1], ids=["outwards", "inwards"])
@pytest.mark.parametrize("axis, what", [(0, "side"), (1, "front"), (2, "top")])
def test_each_view_shows_the_side_that_faces_it_and_the_front_where_it_is_from_there(wound, axis, what):
    points, faces = ball(wound)
    codes = np.where(points[:, axis] > 0, 0, -1).astype(np.int32)
    layer = Layer("half", np.concatenate([codes, codes]), "labels", ["#ff0000"])
    n = len(points)
    figure = surfaces_figure(
        {"left": (points, faces), "right": (points, faces)},
        {"left": np.arange(n), "right": np.arange(n) + n},
        None,
        layer,
    )
    views = views_of(figure)
    assert list(views) == list(VIEWS)
    for name, towards in VIEWS.items():
        corners, colours = views[name]
        red = share_of_red(colours)
        middle = corners.mean(axis=1)
        far = np.abs(middle) > 15  # faces at the border of the two halves are of both
        if what == "side":
            inner = np.linalg.norm(middle, axis=1) < 30
            assert (red[inner] > 0.5).all() if towards > 0 else (red[inner] < 0.1).all()
        elif what == "front":
            # From the right of the head its front is on the right, from the left on the left.
            right = middle[far[:, 0], 0] > 0
            assert ((red[far[:, 0]] > 0.5) == (right == (towards > 0))).all()
        else:
            assert ((red[far[:, 1]] > 0.5) == (middle[far[:, 1], 1] > 0)).all()


def test_vertices_that_no_point_of_the_layer_is_for_are_bare():
    points, faces = ball()
    known = points[:, 2] > 0
    numbers = np.where(known, np.cumsum(known) - 1, -1)
    layer = Layer("all", np.zeros(known.sum(), np.int32), "labels", ["#ff0000"])
    views = views_of(surfaces_figure({"left": (points, faces)}, {"left": numbers}, None, layer))
    assert list(views) == ["left lateral", "left medial"]
    for corners, colours in views.values():
        low = corners[..., 1].max(axis=1) < 0
        shade = colours[low] / colours[low].max(axis=1, keepdims=True)
        assert_allclose(shade, np.broadcast_to(np.array(BARE) / max(BARE), shade.shape), atol=1e-6)
        high = corners[..., 1].min(axis=1) > 0
        assert (share_of_red(colours[high]) > 0.9).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_weights_are_drawn_down_to_a_fiftieth_of_the_largest(sign):
    weights = sign * np.array([1.0, 0.5, 0.03, 0.021, 0.019, 0.0, np.nan])
    paint = paint_of(Layer("map", weights, "weights"))
    assert paint.colour(weights)[:, 3].astype(bool).tolist() == [True, True, True, True, False, False, False]
