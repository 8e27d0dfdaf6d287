"""Values have the colours that keys and bars say, on slices and on surfaces."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

pytest.importorskip("matplotlib")

from matplotlib import colormaps
from matplotlib.colors import to_rgb

from brainsieve.plotting import GrayordinateCanvas, Layer, SurfaceCanvas, VolumeCanvas
from brainsieve.plotting.layers import label_colours, limits_of, paint_of
from brainsieve.plotting.slices import PLANES, canonical
from brainsieve.plotting.surfaces import LEFT_OUT, vertex_colours

AFFINE = np.diag([-3.0, 4.0, 5.0, 1.0])


def labels(shape=(6, 5, 4)):
    return np.random.default_rng(0).integers(-1, 3, shape).astype(np.int32)


def panels(figure):
    """Axes that hold slices, by the letter of their plane."""
    found = {}
    for axes in figure.axes:
        for text in axes.texts:
            if " = " in text.get_text():
                found.setdefault(text.get_text()[0], []).append(axes)
    return found


def words(axes):
    return [text.get_text() for text in axes.texts]


def test_labels_have_the_colours_of_their_table_and_nothing_outside():
    table = ["#ff0000", "#00ff00", "#0000ff"]
    colours = paint_of(Layer("x", labels(), "labels", table)).colour(np.array([2, -1, 0]))
    assert_allclose(colours, [[0, 0, 1, 1], [1, 0, 0, 0], [1, 0, 0, 1]])


def test_the_key_of_labels_is_what_is_painted():
    for cmap, table in ((None, None), ("viridis", None), (None, ["#102030", "#405060", "#708090"])):
        layer = Layer("x", labels(), "labels", table, names=["a", "b", "c"])
        painted = paint_of(layer, cmap).colour(np.arange(3))[:, :3]
        assert_allclose(painted, [to_rgb(colour) for colour in label_colours(layer, cmap)])
        assert len(set(label_colours(layer, cmap))) == 3


def test_a_colour_map_that_is_asked_for_comes_before_the_table():
    layer = Layer("x", labels(), "labels", ["#ff0000"] * 3)
    assert_allclose(to_rgb(label_colours(layer, "gray")[2]), [1, 1, 1])


def test_weights_have_the_colours_of_their_bar():
    weights = np.array([0.0, 0.001, 1.0, 4.0])
    paint = paint_of(Layer("x", weights, "weights"), "viridis")
    assert (paint.scale.low, paint.scale.high) == (0, 4)
    assert_array_equal(paint.colour(weights)[:, 3], [0, 0, 1, 1])
    assert_allclose(paint.colour(weights)[2, :3], colormaps["viridis"](0.25)[:3])


def test_negative_weights_have_colours_of_their_own_around_zero():
    weights = np.array([-2.0, 1.0, np.nan])
    assert limits_of(weights) == (-2, 2)
    paint = paint_of(Layer("x", weights, "weights"))
    assert_allclose(paint.colour(weights)[0, :3], colormaps["RdBu_r"](0.0)[:3])
    assert_allclose(paint.colour(weights)[1, :3], colormaps["RdBu_r"](0.75)[:3])
    assert paint.colour(weights)[2, 3] == 0


def test_there_are_three_planes_with_both_sides_and_positions_in_mm():
    (figure,) = VolumeCanvas(AFFINE, None).figures(Layer("x", labels(), "labels"))
    found = panels(figure)
    assert sorted(found) == ["x", "y", "z"]
    for letter, sides in {"z": ["L", "R"], "y": ["L", "R"], "x": ["P", "A"]}.items():
        assert [text for text in words(found[letter][0]) if len(text) == 1] == sides
    # x runs from 0 to -15 mm, y to 16, z to 15.
    heights = [int(words(axes)[0].split(" = ")[1]) for axes in found["z"]]
    assert set(heights) <= {0, 5, 10, 15}
    assert {int(words(axes)[0].split(" = ")[1]) for axes in found["x"]} <= {0, -3, -6, -9, -12, -15}


def test_what_is_left_in_the_head_is_left_in_the_picture():
    volume = np.full((6, 5, 4), -1, dtype=np.int32)
    # The first voxels along an axis that runs to the left lie on the right of the head.
    volume[0, :, :] = 0
    (figure,) = VolumeCanvas(AFFINE, None).figures(Layer("x", volume, "labels", ["#ff0000"]))
    shown = panels(figure)["z"][0].images[-1]
    assert_array_equal(np.flatnonzero(shown.get_array()[..., 3].any(axis=0)), [5])
    assert shown.origin == "lower"


def test_pictures_at_one_scale_have_the_shape_of_the_volume():
    (figure,) = VolumeCanvas(AFFINE, None).figures(Layer("x", labels(), "labels"))
    for plane in PLANES:
        axes = panels(figure)[plane.name][0]
        sizes = [3 * 6, 4 * 5, 5 * 4]
        assert_allclose(axes.get_xlim(), (0, sizes[plane.right]))
        assert_allclose(axes.get_ylim(), (0, sizes[plane.up]))


def test_a_scroller_steps_through_all_that_there_is():
    figures = VolumeCanvas(AFFINE, None).figures(Layer("x", labels(), "labels"), scrolled=True)
    assert len(figures) >= 4
    assert all(sorted(panels(figure)) == ["x", "y", "z"] for figure in figures)


def test_maps_have_a_colour_bar_and_labels_have_none():
    volume = np.random.default_rng(0).random((6, 5, 4))
    (figure,) = VolumeCanvas(AFFINE, volume).figures(Layer("x", volume, "weights"))
    bars = [axes for axes in figure.axes if axes.get_yticklabels() and not axes.texts]
    assert [label.get_text() for label in bars[0].get_yticklabels()][-1] == f"{volume.max():.3g}"
    (figure,) = VolumeCanvas(AFFINE, volume).figures(Layer("x", labels(), "labels"))
    assert len(figure.axes) == sum(map(len, panels(figure).values()))


@pytest.mark.parametrize("fill", [np.nan, 0.0, np.inf])
def test_backgrounds_without_a_finite_or_different_value_are_drawn(fill):
    background = np.full((6, 5, 4), fill)
    assert VolumeCanvas(AFFINE, background).figures(Layer("x", np.ones((6, 5, 4), np.uint8), "mask"))


def test_axes_are_turned_to_right_anterior_superior():
    data = np.arange(24).reshape(2, 3, 4).astype(np.int16)
    turned, affine = canonical(data, np.diag([-1.0, 1.0, -1.0, 1.0]))
    assert_array_equal(turned, data[::-1, :, ::-1])
    assert (np.diagonal(affine)[:3] > 0).all()


def test_what_a_mask_leaves_out_is_dark_on_a_surface():
    colours = vertex_colours(Layer("x", np.array([1, 0], np.uint8), "mask"), None)
    assert_allclose(colours[1], LEFT_OUT * colours[0])


def test_points_without_a_label_are_grey():
    colours = vertex_colours(Layer("x", np.array([0, -1]), "labels", ["#ff0000"]), np.array([1.0, 2.0]))
    assert_allclose(colours[0], [1, 0, 0])
    assert len(set(colours[1])) == 1


def grayordinates(background=None):
    mesh = np.array([[-1.0, 0, 0], [-2, 1, 0], [-2, 0, 1], [-3, 0, 0]]), np.array([[0, 1, 2], [1, 3, 2]])
    cortex = SurfaceCanvas({"left": mesh}, {"left": np.arange(4)}, background)
    voxels = np.array([[1, 1, 1], [1, 2, 1], [2, 2, 2]])
    return GrayordinateCanvas(cortex, (5, 5, 5), np.diag([2.0, 2, 2, 1]), np.arange(4, 7), voxels, background)


def test_structures_that_a_mask_leaves_out_have_no_slices():
    cortex_alone = np.array([1, 1, 1, 1, 0, 0, 0], dtype=np.uint8)
    assert len(grayordinates().figures(Layer("mask", cortex_alone, "mask"))) == 1
    assert len(grayordinates().figures(Layer("mask", np.ones(7, dtype=np.uint8), "mask"))) == 2


def test_cortex_and_voxels_share_one_scale_and_one_key():
    weights = np.array([0.0, 0, 0, 8, 1, 2, 0])
    surface, volume = grayordinates().figures(Layer("w", weights, "weights"))
    for figure in (surface, volume):
        ticks = [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]
        assert "8" in ticks
    codes = np.array([0, 0, 0, 2, 1, 1, -1])
    _, volume = grayordinates().figures(Layer("l", codes, "labels"), None)
    shown = volume.axes[0].images[-1].get_array()
    rgb = {tuple(np.round(c[:3], 3)) for c in shown.reshape(-1, 4) if c[3] > 0}
    expected = to_rgb(label_colours(Layer("l", codes, "labels"))[1])
    assert rgb == {tuple(np.round(expected, 3))}
