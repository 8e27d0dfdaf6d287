"""Values have the colours that keys and bars say, on slices and on surfaces."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

pytest.importorskip("matplotlib")

from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from scipy.spatial import ConvexHull

from brainsieve.drawing import GrayordinateCanvas, Layer, SurfaceCanvas, VolumeCanvas
from brainsieve.drawing.layers import label_colours, limits_of, paint_of
from brainsieve.drawing.slices import canonical
from brainsieve.drawing.surfaces import AMBIENT, LEFT_OUT, LIGHT, draw_hemisphere, vertex_colours

AFFINE = np.diag([-3.0, 4.0, 5.0, 1.0])


def labels(shape=(6, 5, 4)):
    return np.random.default_rng(0).integers(-1, 3, shape).astype(np.int32)


@dataclass
class Panel:
    """A slice as it stands in a figure: its plane, position, sides, colours, and extent in inches."""

    plane: str
    mm: int
    sides: list[str]
    colours: np.ndarray
    extent: tuple[float, float, float, float]


def panels(figure):
    """Slices of a figure by the letter of their plane, from left to right."""
    axes = figure.axes[-1]
    found = {}
    for image in axes.images:
        left, right, bottom, top = image.get_extent()
        texts = [text for text in axes.texts if left < text.get_position()[0] < right]
        inside = [text for text in texts if bottom < text.get_position()[1] < top]
        words = [text.get_text() for text in sorted(inside, key=lambda text: text.get_position()[0])]
        (title,) = (word for word in words if " = " in word)
        letter, mm = title.split(" = ")
        sides = [word for word in words if len(word) == 1]
        panel = Panel(letter, int(mm), sides, np.asarray(image.get_array()), (left, right, bottom, top))
        found.setdefault(letter, []).append(panel)
    return found


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
    # x runs from 0 to -15 mm, y to 16, z to 15; of seven places on x the ends are not one.
    assert {letter: [panel.mm for panel in row] for letter, row in found.items()} == {
        "z": [0, 5, 10, 15],
        "y": [0, 4, 8, 12, 16],
        "x": [-12, -9, -6, -3],
    }
    for letter, sides in {"z": ["L", "R"], "y": ["L", "R"], "x": ["P", "A"]}.items():
        assert [panel.sides for panel in found[letter]] == [sides] + [[]] * (len(found[letter]) - 1)


def test_of_many_slices_seven_are_shown_at_even_distances():
    layer = Layer("x", labels((41, 41, 41)), "labels")
    layer.data[:, :, :20] = -1
    (figure,) = VolumeCanvas(np.eye(4), None).figures(layer)
    found = panels(figure)
    # From 20 to 40, and from 0 to 40, in eight steps.
    assert [panel.mm for panel in found["z"]] == [22, 25, 28, 30, 32, 35, 38]
    assert [panel.mm for panel in found["y"]] == [panel.mm for panel in found["x"]] == list(range(5, 40, 5))


def test_positions_are_those_of_the_middle_of_a_turned_volume():
    turn = np.array([[0.8, 0.6, 0, 3], [-0.6, 0.8, 0, 1], [0, 0, 2, -4], [0, 0, 0, 1]])
    (figure,) = VolumeCanvas(turn, None).figures(Layer("x", np.ones((5, 5, 1), np.uint8), "mask"))
    (z,) = panels(figure)["z"]
    assert z.mm == -4
    assert [panel.mm for panel in panels(figure)["x"]] == [round(0.8 * i + 0.6 * 2 + 3) for i in range(5)]


def by_definition(volume, plane, at):
    """The values of a slice, right along its columns and up along its rows, of a volume in canonical order."""
    return volume.take(at, "xyz".index(plane)).T


def test_every_slice_has_the_colours_of_its_voxels_over_the_background():
    codes, table = labels(), ["#ff0000", "#00ff00", "#0000ff"]
    background = np.random.default_rng(1).uniform(0, 100, codes.shape)
    background[0, 0, 0], background[1, 1, 1] = np.nan, np.inf
    (figure,) = VolumeCanvas(AFFINE, background).figures(Layer("x", codes, "labels", table))
    # The first axis runs to the left.
    finite = background[np.isfinite(background)]
    low, high = np.percentile(finite, [2, 99.5])
    grey = np.clip(np.where(np.isfinite(background), (background - low) / (high - low), 0), 0, 1)[::-1]
    red, inside = (codes == 0)[::-1], (codes >= 0)[::-1]
    expected = np.where(inside, 0.45 * grey + 0.55 * red, grey)
    # Canonical affine: x from -15 mm in steps of 3, y of 4 and z of 5 from 0.
    place = {"z": lambda mm: mm // 5, "y": lambda mm: mm // 4, "x": lambda mm: (mm + 15) // 3}
    for letter, row in panels(figure).items():
        for panel in row:
            at = place[letter](panel.mm)
            assert_allclose(panel.colours[..., 0], by_definition(expected, letter, at), atol=1e-12)


def test_rows_of_slices_lie_below_one_another_at_one_scale():
    (figure,) = VolumeCanvas(AFFINE, None).figures(Layer("x", labels(), "labels"))
    found = panels(figure)
    # 18 mm to the right, 20 to the front, 20 up: the longest of the first two fills a cell of 1.75 inches.
    for letter, (wide, high) in {"z": (18, 20), "y": (18, 20), "x": (20, 20)}.items():
        for panel in found[letter]:
            left, right, bottom, top = panel.extent
            assert_allclose([right - left, top - bottom], np.array([wide, high]) * 1.75 / 20)
        lefts = [panel.extent[0] for panel in found[letter]]
        assert_allclose(np.diff(lefts), 1.75)
        assert_allclose(lefts[0] + found[letter][-1].extent[1], 7 * 1.75)  # in the middle
    lower, upper = found["x"][0].extent, found["y"][0].extent
    assert lower[2] == pytest.approx(0) and upper[2] - lower[3] == pytest.approx(0.08)
    assert found["z"][0].extent[3] == pytest.approx(figure.axes[-1].get_ylim()[1])


def test_units_of_the_axes_are_inches_of_the_figure():
    volume = np.random.default_rng(0).random((6, 5, 4))
    for layer in (Layer("x", labels(), "labels"), Layer("x", volume, "weights")):
        for scrolled in (False, True):
            figure = VolumeCanvas(AFFINE, None).figures(layer, scrolled=scrolled)[0]
            axes = figure.axes[-1]
            shown = axes.get_window_extent().size / figure.dpi
            assert_allclose(shown, [axes.get_xlim()[1], axes.get_ylim()[1]])


def test_what_is_left_in_the_head_is_left_in_the_picture():
    volume = np.full((6, 5, 4), -1, dtype=np.int32)
    # The first voxels along an axis that runs to the left lie on the right of the head.
    volume[0, :, :] = 0
    (figure,) = VolumeCanvas(AFFINE, None).figures(Layer("x", volume, "labels", ["#ff0000"]))
    panel = panels(figure)["z"][0]
    assert_array_equal(np.flatnonzero(panel.colours[..., 0].any(axis=0)), [5])
    assert figure.axes[0].images[0].origin == "lower"


def test_what_is_above_and_in_front_lies_up_in_the_picture():
    volume = np.full((6, 5, 4), -1, dtype=np.int32)
    volume[:, 4, 3] = 0
    (figure,) = VolumeCanvas(AFFINE, None).figures(Layer("x", volume, "labels", ["#ff0000"]))
    found = panels(figure)
    assert_array_equal(np.argwhere(found["x"][0].colours[..., 0] > 0), [[3, 4]])
    assert_array_equal(np.flatnonzero(found["z"][0].colours[..., 0].any(axis=1)), [4])


def test_the_outline_of_a_mask_runs_around_it_and_along_the_faces_of_the_volume():
    mask = np.zeros((6, 5, 4), np.uint8)
    mask[:2] = 1  # at the right of the head
    (figure,) = VolumeCanvas(AFFINE, None).figures(Layer("x", mask, "mask"))
    panel, axes = panels(figure)["z"][0], figure.axes[0]
    assert not panel.colours.any()
    left, right, bottom, top = panel.extent
    outline = np.concatenate(axes.collections[0].get_paths()[0].vertices[None])
    voxel = (right - left) / 6
    assert_allclose(outline[:, 0].min(), right - 2 * voxel)
    assert_allclose(outline[:, 0].max(), right)
    assert_allclose([outline[:, 1].min(), outline[:, 1].max()], [bottom, top])


def test_a_scroller_steps_through_all_that_there_is():
    figures = VolumeCanvas(AFFINE, None).figures(Layer("x", labels(), "labels"), scrolled=True)
    found = [panels(figure) for figure in figures]
    assert [len(row) for each in found for row in each.values()] == [1] * (3 * len(figures))
    assert {each["z"][0].mm for each in found} == {0, 5, 10, 15}
    assert {each["x"][0].mm for each in found} == {-3, -6, -9, -12}
    assert [each["x"][0].mm for each in found] == sorted(each["x"][0].mm for each in found)
    assert all(each[letter][0].sides for each in found for letter in "xyz")
    # z, y, x from left to right without room between, each halfway up; 20 mm are 4.5 inches.
    extents = [found[0][letter][0].extent for letter in "zyx"]
    assert [left for left, *_ in extents] == pytest.approx([0, 4.05, 8.1])
    assert [right for _, right, *_ in extents] == pytest.approx([4.05, 8.1, 12.6])
    flat = VolumeCanvas(np.diag([1.0, 1, 0.5, 1]), None).figures(
        Layer("x", labels((4, 4, 4)), "labels"), scrolled=True
    )
    assert panels(flat[0])["y"][0].extent[2:] == pytest.approx((1.125, 3.375))


def test_maps_have_a_colour_bar_and_labels_have_none():
    volume = np.random.default_rng(0).random((6, 5, 4))
    (figure,) = VolumeCanvas(AFFINE, volume).figures(Layer("x", volume, "weights"))
    bar, pictures = figure.axes
    assert [label.get_text() for label in bar.get_yticklabels()][-1] == f"{volume.max():.3g}"
    # The bar lies to the right of what it explains.
    assert bar.get_position().x0 > pictures.get_position().x1
    (figure,) = VolumeCanvas(AFFINE, volume).figures(Layer("x", labels(), "labels"))
    assert len(figure.axes) == 1


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


def test_negative_weights_are_drawn_and_faint_ones_are_not():
    weights = np.array([-4.0, -0.3, 0.1, 0.0, 0.079, 0.081])
    paint = paint_of(Layer("x", weights, "weights"))
    # 2 % of the largest.
    assert_array_equal(paint.colour(weights)[:, 3], [1, 1, 1, 0, 0, 1])


def test_a_bar_of_both_signs_goes_from_the_one_end_to_the_other():
    volume = np.random.default_rng(0).uniform(-3, 1, (6, 5, 4))
    (figure,) = VolumeCanvas(AFFINE, None).figures(Layer("x", volume, "weights"))
    largest = abs(volume).max()
    ticks = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert ticks == [f"{-largest:.3g}", "0", f"{largest:.3g}"]


def drawn(coordinates, faces, colours, towards):
    """Corners of the triangles that are drawn, in order, and their colours."""
    axes = Figure().add_subplot()
    draw_hemisphere(axes, coordinates, faces, colours, towards)
    (collection,) = axes.collections
    return [path.vertices[:3] for path in collection.get_paths()], collection.get_facecolor()[:, :3]


def box(half=10.0):
    """A cube: corners in x, y and z, and two triangles for each face, wound outwards."""
    hull = ConvexHull(np.array(list(itertools.product([-half, half], repeat=3))))
    faces = np.array(
        [
            face
            if np.cross(*(hull.points[face[1:]] - hull.points[face[0]])) @ equation[:3] > 0
            else face[::-1]
            for face, equation in zip(hull.simplices, hull.equations, strict=True)
        ]
    )
    return hull.points, faces


@pytest.mark.parametrize("towards", [-1.0, 1.0])
@pytest.mark.parametrize("wound", [1, -1])
def test_only_what_faces_the_viewer_is_drawn_with_its_colour(towards, wound):
    points, faces = box()
    red_on_the_right = np.where(points[:, :1] > 0, [1.0, 0, 0], [0, 0, 1.0])
    triangles, colours = drawn(points, faces[:, ::wound], red_on_the_right, towards)
    assert len(triangles) == 2  # the two of the side that is seen
    shown = colours / colours.max(axis=1, keepdims=True)
    assert_allclose(shown, [[1, 0, 0] if towards > 0 else [0, 0, 1]] * 2)


@pytest.mark.parametrize("towards", [-1.0, 1.0])
def test_the_front_of_the_head_is_on_the_right_as_seen_from_the_right(towards):
    # One triangle that is seen from both sides: its tip lies in front and above.
    points = np.array([[0.0, 0, 0], [0, 30, 20], [0, 0, 10]])
    faces = np.array([[0, 1, 2], [0, 2, 1]])
    triangles, _ = drawn(points, faces, np.ones((3, 3)), towards)
    assert_array_equal(triangles[0][np.abs(triangles[0][:, 0]).argmax()], [30 * towards, 20])


def test_what_is_near_covers_what_is_far():
    near, far = ([[x, 0, 0], [x, 10, 0], [x, 0, 10]] for x in (5.0, -5.0))
    colours = np.repeat([[1.0, 0, 0], [0, 0, 1.0]], 3, axis=0)
    order = {}
    for towards, winding in ((1.0, slice(None)), (-1.0, slice(None, None, -1))):
        faces = np.array([[0, 1, 2], [3, 4, 5]])[:, winding]
        _, shown = drawn(np.array([*near, *far]), faces, colours, towards)
        order[towards] = shown.argmax(axis=1).tolist()
    # Drawn last is what covers: red is at the right of the head.
    assert order == {1.0: [2, 0], -1.0: [0, 2]}


def test_a_face_has_the_mean_colour_of_its_corners_in_the_light():
    points = np.array([[0.0, 0, 0], [0, 10, 0], [0, 0, 10]])
    colours = np.array([[0.9, 0, 0], [0, 0.6, 0], [0, 0, 0.3]])
    _, shown = drawn(points, np.array([[0, 1, 2], [0, 2, 1]]), colours, 1.0)
    light = LIGHT / np.linalg.norm(LIGHT)
    assert_allclose(shown, [np.array([0.3, 0.2, 0.1]) * (AMBIENT + (1 - AMBIENT) * light[2])])


def test_views_are_lateral_and_medial_of_each_hemisphere():
    """A box that is red on its right and blue on its left shows which side is looked at."""
    points, faces = box()
    colours = ["#0000ff", "#ff0000"]
    codes = (points[:, 0] > 0).astype(int)
    meshes = {"left": (points, faces), "right": (points, faces)}
    spans = {"left": np.arange(8), "right": np.arange(8, 16)}
    canvas = SurfaceCanvas(meshes, spans, None)
    (figure,) = canvas.figures(Layer("x", np.tile(codes, 2), "labels", colours))
    sides = [axes.collections[0].get_facecolor()[0, :3].argmax() for axes in figure.axes]
    assert [text.get_text() for text in figure.texts] == [
        "left lateral", "left medial", "right medial", "right lateral",
    ]  # fmt: skip
    red, blue = 0, 2
    assert sides == [blue, red, blue, red]


def test_greys_of_a_surface_ignore_its_extremes():
    values = np.r_[np.linspace(0, 1, 99), 1000.0]
    grey = vertex_colours(Layer("x", np.full(100, -1), "labels"), values)[:, 0]
    low, high = np.percentile(values, [2, 98])
    assert_allclose(grey, 0.45 + 0.4 * np.clip((values - low) / (high - low), 0, 1))


def test_voxels_of_a_cifti_file_lie_where_they_are():
    _, volume = grayordinates().figures(Layer("mask", np.ones(7, np.uint8), "mask"))
    # Voxels (1, 1, 1), (1, 2, 1) and (2, 2, 2) of 2 mm.
    found = panels(volume)
    assert [[panel.mm for panel in found[letter]] for letter in "xyz"] == [[2, 4]] * 3


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
    shown = {tuple(np.round(colour, 3)) for colour in panels(volume)["z"][0].colours.reshape(-1, 3)}
    # Over black.
    expected = 0.55 * np.array(to_rgb(label_colours(Layer("l", codes, "labels"))[1]))
    assert shown == {(0, 0, 0), tuple(np.round(expected, 3))}


def test_slices_of_structures_lie_where_their_voxels_do():
    (_, volume) = grayordinates().figures(Layer("mask", np.array([0, 0, 0, 1, 1, 1, 1]), "labels"))
    # Voxels 1 to 2 of a grid of 2 mm, whatever is cut off around them.
    assert [panel.mm for panel in panels(volume)["z"]] == [2, 4]
    assert [panel.mm for panel in panels(volume)["y"]] == [2, 4]
