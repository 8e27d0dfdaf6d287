"""Cuts through volumes: which values are drawn where, in which range, and that inputs stay as they are."""

from __future__ import annotations

import warnings

import nibabel as nib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve import plotting
from brainsieve.exceptions import DimensionError
from brainsieve.plotting.display import SLICERS

pyplot = pytest.importorskip("matplotlib.pyplot")
pyplot.switch_backend("agg")

SHAPE = (20, 24, 18)
AFFINE = np.array([[8.0, 0, 0, -76], [0, 8, 0, -100], [0, 0, 8, -60], [0, 0, 0, 1]])
PEAK_VOXEL = (12, 10, 9)
PEAK = tuple(float(mm) for mm in (AFFINE @ [*PEAK_VOXEL, 1])[:3])
BARE = {"bg_img": None, "annotate": False, "draw_cross": False, "colorbar": False}


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    pyplot.close("all")


def signed(seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)
    values[PEAK_VOXEL] = 9
    return values


def image(values: np.ndarray, affine: np.ndarray = AFFINE) -> nib.Nifti1Image:
    return nib.Nifti1Image(values, affine)


def last(display, key="z"):
    return display.axes[key].ax.images[-1]


def array(display, key="z"):
    """The last image of a cut, rows from the bottom."""
    return last(display, key).get_array()[::-1]


def turned(values: np.ndarray, way: str) -> nib.Nifti1Image:
    """The same world, stored with other axes."""
    made = image(values)
    orientation = nib.orientations.axcodes2ornt(tuple(way))
    return made.as_reoriented(nib.orientations.ornt_transform(nib.io_orientation(AFFINE), orientation))


def scaled_int16(values: np.ndarray) -> nib.Nifti1Image:
    stored = nib.Nifti1Image(values, AFFINE)
    stored.header.set_data_dtype(np.int16)
    return nib.Nifti1Image.from_bytes(stored.to_bytes())


@pytest.mark.parametrize("way", ["RAS", "LPS", "PIR", "SAL"])
@pytest.mark.parametrize("radiological", [False, True])
def test_a_planted_peak_is_at_the_cross_however_the_axes_are_stored(way, radiological):
    values = np.zeros(SHAPE, np.float32)
    values[11:14, 9:12, 8:11] = 1
    values[PEAK_VOXEL] = 5
    display = plotting.plot_stat_map(turned(values, way), bg_img=None, radiological=radiological)
    assert_allclose(display.cut_coords, PEAK, atol=1e-4)
    for key, cut in display.axes.items():
        shown, (left, right, bottom, top) = array(display, key), last(display, key).get_extent()
        row, column = np.unravel_index(np.argmax(shown), shown.shape)
        horizontal, vertical = {"x": (1, 2), "y": (0, 2), "z": (0, 1)}[key]
        at = [
            left + column * (right - left) / (shown.shape[1] - 1),
            bottom + row * (top - bottom) / (shown.shape[0] - 1),
        ]
        assert_allclose(at, [PEAK[horizontal], PEAK[vertical]], atol=1e-4)
        # Left and right change places, front and back do not.
        first, second = cut.ax.get_xlim()
        assert (first > second) == (radiological and key != "x")
    vertical_line, horizontal_line = display.axes["z"].ax.lines
    assert_allclose(vertical_line.get_xdata(), PEAK[0], atol=1e-4)
    assert_allclose(horizontal_line.get_ydata(), PEAK[1], atol=1e-4)


@pytest.mark.parametrize("mode, at", [("x", PEAK[0]), ("y", PEAK[1]), ("z", PEAK[2])])
def test_a_slice_is_that_of_the_nearest_voxels(mode, at):
    values = signed()
    display = plotting.plot_img(image(values), display_mode=mode, cut_coords=[at, at + 3.9, at + 4.1])
    axis = "xyz".index(mode)
    expected = [np.take(values, PEAK_VOXEL[axis] + step, axis=axis).T for step in (0, 0, 1)]
    for cut, slice_ in zip(display.axes.values(), expected, strict=True):
        assert_array_equal(cut.ax.images[-1].get_array()[::-1], slice_)


CASES = [
    {},
    {"vmax": 5},
    {"vmin": -1},
    {"vmin": 0},
    {"vmax": -1},
    {"vmin": -3, "vmax": 5},
    {"vmin": 1, "vmax": 5},
    {"symmetric_cbar": False},
    {"symmetric_cbar": True},
    {"threshold": 2},
    {"threshold": "80%"},
    {"threshold": None},
    {"threshold": 1.5, "vmin": 0, "vmax": 3},
]
DATA = {
    "signed": signed,
    "positive": lambda: np.abs(signed()) + 1,
    "negative": lambda: -np.abs(signed()) - 1,
    "sparse": lambda: signed() * (signed(1) > 1),
}


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("data, stored", [("signed", "int16"), *((data, "float32") for data in DATA)])
def test_limits_and_hidden_values_are_those_of_nilearn(case, data, stored):
    peer = pytest.importorskip("nilearn.plotting")
    made = scaled_int16(DATA[data]()) if stored == "int16" else image(DATA[data]())
    try:
        theirs = peer.plot_stat_map(made, bg_img=None, cut_coords=PEAK, **case)
    except ValueError:
        pytest.skip("nilearn cannot draw this range")
    ours = plotting.plot_stat_map(made, bg_img=None, cut_coords=PEAK, **case)
    limits = last(theirs).get_clim()
    if limits[0] < limits[1]:
        assert_allclose(last(ours).get_clim(), limits, rtol=1e-5)
    for key in "xyz":
        assert last(ours, key).get_extent() == pytest.approx(last(theirs, key).get_extent())
        mine, others = (np.ma.getmaskarray(last(each, key).get_array()) for each in (ours, theirs))
        assert_array_equal(mine, others)
        assert_allclose(
            last(ours, key).get_array().data[~mine], last(theirs, key).get_array().data[~mine], rtol=1e-5
        )


@pytest.mark.parametrize("mode", SLICERS)
def test_displays_have_nilearns_size_class_and_cuts(mode):
    peer = pytest.importorskip("nilearn.plotting")
    cuts = {"x": [0.0, 8], "y": [1.0], "z": [3.0, 9, 20], "mosaic": {d: [0.0, 8] for d in "xyz"}}.get(
        mode, PEAK[: len(mode) if len(mode) == 2 else 3]
    )
    theirs = peer.plot_stat_map(image(signed()), display_mode=mode, cut_coords=cuts)
    ours = plotting.plot_stat_map(image(signed()), display_mode=mode, cut_coords=cuts)
    assert_allclose(ours.frame_axes.figure.get_size_inches(), theirs.frame_axes.figure.get_size_inches())
    assert type(ours).__name__ == type(theirs).__name__
    assert sorted(map(str, ours.axes)) == sorted(map(str, theirs.axes))


def test_the_template_lies_behind_dimmed_and_on_its_own_grid():
    display = plotting.plot_stat_map(image(signed()), cut_coords=PEAK)
    behind = display.axes["z"].ax.images[0]
    assert behind.get_array().shape == (117, 99)
    assert tuple(behind.get_extent()) == (-98, 98, -134, 98)
    assert_allclose(behind.get_clim(), (-0.4447058, 0.9882353), atol=1e-5)
    assert np.ma.getmaskarray(behind.get_array())[0, 0]


def test_nan_is_nothing_and_said():
    values = signed()
    values[PEAK_VOXEL], values[0, 0, 0] = np.nan, np.inf
    with pytest.warns(UserWarning, match="stat_map_img: 2 of 8640 voxels are NaN or infinite"):
        display = plotting.plot_stat_map(image(values), bg_img=None, cut_coords=PEAK, threshold=1)
    assert np.ma.getmaskarray(array(display))[PEAK_VOXEL[1], PEAK_VOXEL[0]]
    assert_allclose(last(display).get_clim()[1], np.abs(values[np.isfinite(values)]).max())


def test_an_oblique_image_is_turned_into_the_world():
    angle = np.deg2rad(20)
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = AFFINE.copy()
    affine[:3, :3] = rotation @ AFFINE[:3, :3]
    affine[:3, 3] = -affine[:3, :3] @ (np.array(SHAPE) / 2)
    values = np.zeros(SHAPE, np.float32)
    values[11:15, 9:13, 8:12] = 1
    display = plotting.plot_stat_map(image(values, affine), bg_img=None)
    centre = affine[:3, :3] @ [12.5, 10.5, 9.5] + affine[:3, 3]
    assert_allclose(display.cut_coords, centre, atol=2)


FUNCTIONS = ["plot_img", "plot_anat", "plot_epi", "plot_stat_map", "plot_roi"]


@pytest.mark.parametrize("name", [*FUNCTIONS, "plot_prob_atlas"])
def test_images_stay_as_they_are(name):
    values = (
        np.abs(signed()) if name != "plot_prob_atlas" else np.abs(np.stack([signed(), signed(1)], axis=-1))
    )
    values[0, 0, 0] = np.nan
    made, before = image(values), values.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        getattr(plotting, name)(made)
    assert_array_equal(values, before)
    assert_array_equal(made.affine, AFFINE)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_several_volumes_are_refused_and_one_in_four_dimensions_is_not(name):
    draw = getattr(plotting, name)
    with pytest.raises(DimensionError, match="img"):
        draw(image(np.ones((*SHAPE, 2), np.float32)))
    draw(image(signed()[..., None]), cut_coords=PEAK)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("value", [0.0, 3.0])
def test_constant_images_give_a_picture(name, value):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        display = getattr(plotting, name)(image(np.full(SHAPE, value, np.float32)))
        display.frame_axes.figure.canvas.draw()
    low, high = last(display).get_clim()
    assert low < high


def test_images_of_nan_alone_give_an_empty_picture_and_a_warning():
    with pytest.warns(UserWarning, match="8640 of 8640 voxels are NaN"):
        display = plotting.plot_stat_map(image(np.full(SHAPE, np.nan)), bg_img=None)
    assert np.ma.getmaskarray(array(display)).all()
    assert display.cut_coords == (0.0, 0.0, 0.0)


def test_unknown_modes_are_told_with_those_there_are():
    with pytest.raises(
        ValueError, match=r"display_mode must be one of 'ortho'.*'mosaic'.*Did you mean 'ortho'"
    ):
        plotting.plot_img(image(signed()), display_mode="orto")


def test_surfaces_are_told_where_to_go():
    surface = pytest.importorskip("brainsieve.surface")
    mesh = surface.PolyMesh(
        left=surface.InMemoryMesh(np.eye(3, dtype=float), np.array([[0, 1, 2]])),
        right=surface.InMemoryMesh(np.eye(3, dtype=float), np.array([[0, 1, 2]])),
    )
    img = surface.SurfaceImage(mesh, {"left": np.ones(3), "right": np.ones(3)})
    with pytest.raises(TypeError, match="stat_map_img is a surface image.*plot_surf_stat_map"):
        plotting.plot_stat_map(img)


def test_cuts_outside_are_warned_of_and_refused_where_all_are():
    with pytest.warns(UserWarning, match="cut_coords: z=500 is outside of the image, which spans x -76 … 76"):
        plotting.plot_img(image(signed()), display_mode="z", cut_coords=[0, 500])
    with pytest.raises(ValueError, match="all cuts .* are outside"):
        plotting.plot_img(image(signed()), display_mode="z", cut_coords=[500])
    with pytest.raises(ValueError, match=r"cut_coords must be 3 numbers \(x, y, z, in mm\)"):
        plotting.plot_img(image(signed()), cut_coords=(0, 0))


@pytest.mark.parametrize(
    "option, message",
    [
        ({"threshold": -1}, "threshold must not be negative"),
        ({"vmin": 2, "vmax": 1}, "vmin=2 is above vmax=1"),
        ({"cmap": "RdBu_s"}, "is no colour map. Did you mean 'RdBu'|'RdBu_r'"),
        ({"dim": "dark"}, "dim must be"),
        ({"symmetric_cbar": "yes"}, "symmetric_cbar must be"),
        ({"vmax": np.nan}, "vmax"),
    ],
    ids=["threshold", "bounds", "cmap", "dim", "symmetric", "nan"],
)
def test_options_that_are_none_are_told(option, message):
    with pytest.raises(ValueError, match=message):
        plotting.plot_stat_map(image(signed()), **option)


def test_positions_are_rounded():
    display = plotting.plot_img(image(signed()), cut_coords=(5.98, -0.2, -7.69))
    texts = {text.get_text() for cut in display.axes.values() for text in cut.ax.texts}
    assert texts == {"x=6", "y=0", "z=-8", "L", "R"}


def test_radiological_letters_change_places():
    display = plotting.plot_img(image(signed()), radiological=True)
    letters = {text.get_text(): text.get_position()[0] for text in display.axes["z"].ax.texts}
    assert letters["R"] < letters["L"]
    assert {text.get_text() for text in display.axes["x"].ax.texts}.isdisjoint({"L", "R"})


def test_an_overlay_lies_on_its_own_grid_in_the_same_world():
    display = plotting.plot_anat(cut_coords=PEAK)
    display.add_overlay(image(signed()), threshold=2, vmin=-4, vmax=4, cmap="cold_hot")
    drawn = last(display)
    assert drawn.get_array().shape == (24, 20)
    assert drawn.get_clim() == (-4, 4)
    assert_array_equal(np.ma.getmaskarray(array(display)), np.abs(signed()[:, :, PEAK_VOXEL[2]].T) <= 2)


def test_levels_of_the_caller_stay_theirs():
    levels = [1.0, 2.0]
    display = plotting.plot_img(image(signed()), cut_coords=PEAK)
    display.add_contours(image(signed()), levels=levels, filled=True)
    display.add_contours(image(signed()), levels=levels, colors="b")
    assert levels == [1.0, 2.0]
    filled, lines = display.axes["z"].ax.collections
    assert_allclose(filled.levels, [1, 2, 18])
    assert_allclose(lines.levels, [1, 2])


def test_contours_run_where_the_values_are_in_mm():
    values = np.zeros(SHAPE, np.float32)
    values[8:15, 6:15, 5:14] = 1
    display = plotting.plot_img(image(values), cut_coords=PEAK)
    display.add_contours(image(values), levels=[0.5])
    points = np.concatenate([path.vertices for path in display.axes["z"].ax.collections[-1].get_paths()])
    low, high = AFFINE[:2, 3] + 8 * np.array([7.5, 5.5]), AFFINE[:2, 3] + 8 * np.array([14.5, 14.5])
    assert_allclose(points.min(axis=0), low, atol=1e-4)
    assert_allclose(points.max(axis=0), high, atol=1e-4)


def test_edges_are_at_the_border_of_a_block():
    values = np.zeros(SHAPE, np.float32)
    values[6:15, 6:17, 5:14] = 1
    display = plotting.plot_img(image(values), cut_coords=PEAK)
    display.add_edges(image(values))
    edges = ~np.ma.getmaskarray(array(display))
    inside = values[:, :, PEAK_VOXEL[2]].T > 0
    assert edges.any()
    assert not edges[8:15, 8:13].any()
    assert not edges[:5].any()
    assert edges[inside].sum() + edges[~inside].sum() >= 30


def test_markers_are_shown_near_their_cut():
    display = plotting.plot_img(image(signed()), cut_coords=(0, 0, 0))
    display.add_markers(
        [(0, 0, z) for z in (0, 1, 2, 3, 40)], marker_color=list("rgbcm"), marker_size=[1, 2, 3, 4, 5]
    )
    drawn = display.axes["z"].ax.collections[-1]
    assert_array_equal(drawn.get_sizes(), [1, 2, 3])
    assert len(display.axes["x"].ax.collections[-1].get_offsets()) == 5
    with pytest.raises(ValueError, match=r"marker_coords must have shape \(n, 3\)"):
        display.add_markers([(0, 0)])


def test_a_title_is_written_and_a_picture_saved_with_its_folders(tmp_path):
    path = tmp_path / "new" / "map.png"
    display = plotting.plot_stat_map(image(signed()), title="words", output_file=path)
    assert path.stat().st_size > 5000
    assert "words" in [text.get_text() for text in display.axes["y"].ax.texts]
    display.savefig(tmp_path / "map.pdf")
    assert (tmp_path / "map.pdf").read_bytes().startswith(b"%PDF")
    number = display.frame_axes.figure.number
    display.close()
    assert not pyplot.fignum_exists(number)


def test_a_display_fills_the_axes_it_is_given():
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 4))
    display = plotting.plot_stat_map(image(signed()), axes=right, colorbar=True)
    figure.canvas.draw()
    assert display.frame_axes is right
    box = right.get_position()
    for cut in display.axes.values():
        place = cut.ax.get_position()
        assert box.x0 - 1e-9 <= place.x0 <= place.x1 <= box.x1 + 1e-9
        assert box.y0 - 1e-9 <= place.y0 <= place.y1 <= box.y1 + 1e-9
    bar = display._cbar.ax.get_position()
    assert max(cut.ax.get_position().x1 for cut in display.axes.values()) < bar.x0 < bar.x1 <= box.x1
    assert not left.images


def test_all_cuts_have_one_scale():
    display = plotting.plot_stat_map(image(signed()))
    figure = display.frame_axes.figure
    figure.canvas.draw()
    scales = []
    for cut in display.axes.values():
        box, (left, right) = cut.ax.get_position(), cut.ax.get_xlim()
        scales.append(box.width * figure.get_size_inches()[0] / (right - left))
    assert_allclose(scales, scales[0], rtol=1e-6)


def test_transparency_is_a_number_or_a_map():
    values = signed()
    display = plotting.plot_stat_map(image(values), bg_img=None, cut_coords=PEAK, transparency=0.25)
    assert last(display).get_alpha() == 0.25
    display = plotting.plot_stat_map(
        image(values), bg_img=None, cut_coords=PEAK, transparency=image(values), transparency_range=(1, 3)
    )
    expected = np.clip((np.abs(values[:, :, PEAK_VOXEL[2]].T) - 1) / 2, 0, 1)
    assert_allclose(last(display).get_alpha()[::-1], expected, atol=1e-5)
    with pytest.raises(ValueError, match="transparency must be between 0 and 1"):
        plotting.plot_stat_map(image(values), transparency=2)


def test_the_colour_bar_has_the_ends_the_threshold_and_nothing_between():
    display = plotting.plot_stat_map(image(signed()), threshold=3, vmax=9)
    ticks = display._cbar.ax.get_yticks()
    assert {-9, -3, 0, 3, 9} <= set(ticks.round(6))
    colours = display._cbar.cmap(np.linspace(0, 1, 256))
    at = np.linspace(-9, 9, 256)
    assert_array_equal(colours[:, 3] == 0, np.abs(at) <= 3)


def test_regions_have_one_range_in_all_cuts():
    labels = np.zeros(SHAPE, np.int16)
    labels[3:6, 3:6, 3:6], labels[10:15, 8:13, 6:12] = 1, 4
    display = plotting.plot_roi(image(labels), bg_img=None)
    assert {last(display, key).get_clim() for key in "xyz"} == {(1.0, 4.0)}
    assert last(display).get_alpha() == 0.7
    assert_allclose(display.cut_coords, AFFINE[:3, 3] + 8 * np.array([12, 10, 8.5]))


def test_outlines_of_regions_are_one_contour_a_label():
    labels = np.zeros(SHAPE, np.int16)
    labels[3:6, 8:12, 7:10], labels[10:15, 8:13, 6:12] = 1, 4
    display = plotting.plot_roi(image(labels), bg_img=None, view_type="contours")
    assert len(display.axes["z"].ax.collections) == 2
    with pytest.raises(ValueError, match="view_type"):
        plotting.plot_roi(image(labels), view_type="lines")


@pytest.mark.parametrize(
    "n_maps, kind", [(1, "images"), (10, "images"), (11, "filled"), (20, "filled"), (21, "lines")]
)
def test_atlases_of_maps_are_drawn_by_how_many_there_are(n_maps, kind):
    maps = np.zeros((*SHAPE, n_maps), np.float32)
    maps[6:14, 6:14, 5:13] = np.random.default_rng(0).random((8, 8, 8, n_maps)) + 0.1
    display = plotting.plot_prob_atlas(image(maps), bg_img=None)
    ax = display.axes["z"].ax
    assert len(ax.images) == (n_maps if kind == "images" else 0)
    assert len(ax.collections) == (0 if kind == "images" else n_maps)
    if kind != "images":
        assert all(each.filled == (kind == "filled") for each in ax.collections)


def test_thresholds_of_maps_may_be_listed():
    maps = np.random.default_rng(0).random((*SHAPE, 2)).astype(np.float32)
    display = plotting.plot_prob_atlas(image(maps), bg_img=None, threshold=[0.5, "90%"], cut_coords=PEAK)
    first, second = display.axes["z"].ax.images
    slices = maps[:, :, PEAK_VOXEL[2]].transpose(1, 0, 2)
    assert_array_equal(np.ma.getmaskarray(first.get_array()[::-1]), slices[..., 0] <= 0.5)
    assert_array_equal(
        np.ma.getmaskarray(second.get_array()[::-1]), slices[..., 1] <= np.percentile(maps[..., 1], 90)
    )
    with pytest.raises(ValueError, match="threshold has 3 values, maps_img 2 maps"):
        plotting.plot_prob_atlas(image(maps), threshold=[1, 2, 3])


def test_a_carpet_has_the_series_of_the_mask_by_label_standardized():
    rng = np.random.default_rng(0)
    run = rng.normal(100, 5, (*SHAPE[:3], 30)).astype(np.float32)
    mask = np.zeros(SHAPE, np.int16)
    mask[2:6, 2:6, 2:6], mask[8:12, 2:6, 2:6] = 2, 1
    figure = plotting.plot_carpet(image(run), image(mask), {"grey": 1, "white": 2}, t_r=2.5, detrend=False)
    drawn = [ax for ax in figure.findobj(pyplot.Axes) if ax.images]
    carpet, bar = (next(ax for ax in drawn if ax.images[0].get_array().shape[1] == n) for n in (30, 1))
    shown = carpet.images[0]
    expected = np.concatenate([run[mask == 1], run[mask == 2]])
    expected = (expected - expected.mean(axis=1, keepdims=True)) / expected.std(axis=1, ddof=1, keepdims=True)
    assert shown.get_array().shape == (128, 30)
    assert_allclose(
        np.sort(shown.get_array().sum(axis=0)), np.sort(expected.sum(axis=0)), rtol=1e-3, atol=1e-3
    )
    assert_allclose(
        shown.get_clim(),
        [expected.mean() - 2 * expected.std(), expected.mean() + 2 * expected.std()],
        atol=1e-3,
    )
    assert shown.get_extent()[:2] == [0, 75]
    assert [tick.get_text() for tick in bar.get_yticklabels()] == ["grey", "white"]
    assert_allclose(figure.get_size_inches(), (10, 5))
    figure = plotting.plot_carpet(image(run), image(mask), vmin=0)
    shown = next(ax for ax in figure.findobj(pyplot.Axes) if ax.images).images[0]
    assert shown.get_clim()[0] == 0


def test_carpets_tell_what_they_need():
    run = np.ones((*SHAPE, 5), np.float32)
    with pytest.raises(ValueError, match="mask_img is empty"):
        plotting.plot_carpet(image(run), image(np.zeros(SHAPE, np.int8)))
    with pytest.raises(ValueError, match="mask_labels has no name for 1"):
        plotting.plot_carpet(image(run), image(np.ones(SHAPE, np.int8)), {"grey": 3})
    with pytest.raises(ValueError, match="a carpet needs a run"):
        plotting.plot_carpet(image(run[..., :1]))


def test_importing_does_not_import_matplotlib():
    import subprocess
    import sys

    code = "import sys, brainsieve.plotting as p; p.plot_img, p.cm; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_showing_under_a_backend_for_files_says_so():
    with pytest.warns(UserWarning, match="cannot show figures"):
        plotting.show()
