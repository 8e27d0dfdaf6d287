"""Pictures of surfaces, by the colours of their faces, and by the peer's."""

from __future__ import annotations

import matplotlib
import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np
import pytest
from nilearn import plotting as peer
from nilearn import surface as peer_surface
from numpy.testing import assert_allclose, assert_array_equal
from surfaces import polymesh

from brainsieve import plotting
from brainsieve.plotting.surfaces import face_values
from brainsieve.surface import PolyData, PolyMesh, SurfaceImage, vol_to_surf

MESH = polymesh()
POINTS = {part: np.asarray(mesh.coordinates) for part, mesh in MESH.parts.items()}
FACES = {part: np.asarray(mesh.faces) for part, mesh in MESH.parts.items()}
HEIGHTS = {part: points[:, 2] / 10 for part, points in POINTS.items()}
STAT = SurfaceImage(MESH, HEIGHTS)
N_FACES = len(FACES["left"])


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    yield
    plt.close("all")


def colours_of(figure):
    """Of faces in the order of the mesh."""
    return figure.axes[0].collections[0].brainsieve_colours


def sorted_rows(colours):
    return np.round(colours, 4)[np.lexsort(np.round(colours, 4).T)]


def peers(hemi="left", values=HEIGHTS):
    return (POINTS[hemi].copy(), FACES[hemi]), values[hemi]


@pytest.mark.parametrize("hemi", ["left", "right"])
@pytest.mark.parametrize(("vmin", "vmax"), [(None, None), (-1.0, 2.0), (0.0, 3.0)])
def test_faces_have_the_colours_of_the_peers(hemi, vmin, vmax):
    ours = plotting.plot_surf_stat_map(stat_map=STAT, hemi=hemi, vmin=vmin, vmax=vmax)
    theirs = peer.plot_surf_stat_map(*peers(hemi), hemi=hemi, vmin=vmin, vmax=vmax)
    assert_allclose(
        sorted_rows(colours_of(ours)), sorted_rows(theirs.axes[0].collections[0].get_facecolor()), atol=2e-3
    )
    assert (ours.axes[0].elev, ours.axes[0].azim) == (theirs.axes[0].elev, theirs.axes[0].azim)
    assert_allclose(ours.get_size_inches(), theirs.get_size_inches())


def test_a_face_has_the_colour_of_the_mean_of_its_vertices():
    figure = plotting.plot_surf(surf_map=STAT, cmap="viridis", vmin=-5, vmax=5)
    means = HEIGHTS["left"][FACES["left"]].mean(axis=1)
    expected = matplotlib.colormaps["viridis"]((means + 5) / 10)
    assert_allclose(colours_of(figure), expected, atol=1e-6)


@pytest.mark.parametrize("hemi", ["left", "right", "both"])
@pytest.mark.parametrize("threshold", [None, 2.0])
@pytest.mark.parametrize("bg", [False, True])
@pytest.mark.parametrize("form", ["image", "arrays"])
def test_hidden_faces_are_grey_for_every_combination(hemi, threshold, bg, form):
    holes = {part: np.where(POINTS[part][:, 1] > 30, np.nan, HEIGHTS[part]) for part in HEIGHTS}
    wanted = ["left", "right"] if hemi == "both" else [hemi]
    values = np.concatenate([holes[part] for part in wanted])
    mesh = MESH if hemi == "both" else MESH.parts[hemi]
    given = (
        {"surf_map": SurfaceImage(MESH, holes)}
        if form == "image"
        else {"surf_map": values, "surf_mesh": mesh}
    )
    background = SurfaceImage(MESH, HEIGHTS) if bg else None
    figure = plotting.plot_surf(**given, hemi=hemi, threshold=threshold, bg_map=background, cmap="cool")
    faces = FACES["left"] if hemi != "both" else np.r_[FACES["left"], FACES["right"] + len(POINTS["left"])]
    if hemi == "right":
        faces = FACES["right"]
    of_faces = values[faces].mean(axis=1)
    shown = np.isfinite(of_faces) & (np.abs(of_faces) >= (threshold or 0))
    colours = colours_of(figure)
    grey = np.ptp(colours[:, :3], axis=1) < 1e-9
    assert 0 < shown.sum() < len(shown)
    assert_array_equal(grey, ~shown)


@pytest.mark.parametrize("hemi", ["left", "both"])
def test_the_callers_mesh_stays_where_it_is(hemi):
    before = {part: mesh.coordinates.copy() for part, mesh in MESH.parts.items()}
    values = {part: own.copy() for part, own in HEIGHTS.items()}
    plotting.plot_surf(MESH, values, values, hemi=hemi, threshold=1, bg_on_data=True)
    plotting.view_surf(MESH, values, values, hemi=hemi, threshold=1)
    for part in MESH.parts:
        assert_array_equal(MESH.parts[part].coordinates, before[part])
        assert_array_equal(values[part], HEIGHTS[part])


def test_hemispheres_that_lie_in_each_other_are_drawn_apart():
    inside = PolyMesh(left=MESH.parts["left"], right=MESH.parts["left"])
    drawn = plotting.surfaces.drawn_mesh(inside, "both")
    size = drawn.sizes["left"]
    assert drawn.coordinates[:size, 0].max() < drawn.coordinates[size:, 0].min()
    apart = plotting.surfaces.drawn_mesh(MESH, "left")
    assert_array_equal(apart.coordinates, POINTS["left"])


def test_a_map_of_one_hemisphere_leaves_the_other_grey():
    figure = plotting.plot_surf(MESH, {"right": HEIGHTS["right"]}, hemi="both", cmap="cool")
    colours = colours_of(figure)
    assert (np.ptp(colours[:N_FACES, :3], axis=1) < 1e-9).all()
    assert (np.ptp(colours[N_FACES:, :3], axis=1) > 0.1).any()


def test_a_background_on_data_darkens_colours_by_its_grey():
    sulci = SurfaceImage(MESH, {part: np.sin(points[:, 0]) for part, points in POINTS.items()})
    plain, dark, bare = (
        colours_of(
            plotting.plot_surf(MESH, STAT if on is not None else None, bg_map=sulci, bg_on_data=bool(on))
        )
        for on in (False, True, None)
    )
    assert_allclose(dark[:, :3], plain[:, :3] * bare[:, :3], atol=1e-9)


def test_the_colour_bar_shows_the_values_side_of_0():
    positive = SurfaceImage(MESH, {part: np.abs(own) for part, own in HEIGHTS.items()})
    figure = plotting.plot_surf_stat_map(stat_map=positive)
    assert figure.axes[1].get_ylim()[0] == 0
    high = float(np.abs(HEIGHTS["left"]).max())
    assert_allclose(figure.axes[1].get_ylim(), (0, high))
    whole = plotting.plot_surf_stat_map(stat_map=positive, symmetric_cbar=True)
    assert_allclose(whole.axes[1].get_ylim(), (-high, high))
    assert len(plotting.plot_surf_stat_map(stat_map=positive, colorbar=False).axes) == 1
    symmetric = plotting.plot_surf(surf_map=STAT, symmetric_cmap=True).axes[1].get_ylim()
    assert symmetric[0] == -symmetric[1]


LABELS = {
    part: np.where(points[:, 2] > 0, np.round(points[:, 1] / 30) + 5, 0) for part, points in POINTS.items()
}
REGIONS = SurfaceImage(MESH, LABELS)


@pytest.mark.parametrize("hemi", ["left", "right"])
def test_regions_have_the_colours_of_the_peers(hemi):
    ours = plotting.plot_surf_roi(roi_map=REGIONS, hemi=hemi)
    theirs = peer.plot_surf_roi(*peers(hemi, LABELS), hemi=hemi)
    assert_allclose(
        sorted_rows(colours_of(ours)), sorted_rows(theirs.axes[0].collections[0].get_facecolor()), atol=2e-3
    )


def test_borders_are_the_faces_that_reach_over_them():
    figure = plotting.plot_surf_contours(
        roi_map=REGIONS, levels=[5, 6], colors=["red", "blue"], legend=True, labels=["x", None]
    )
    inside = (LABELS["left"] == 6)[FACES["left"]]
    border = inside.any(axis=1) & ~inside.all(axis=1)
    blue = (colours_of(figure) == (0, 0, 1, 1)).all(axis=1)
    assert border.any()
    assert_array_equal(blue, border)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["x", "6"]


def test_borders_are_drawn_on_a_figure_that_is_there():
    drawn = plotting.plot_surf_stat_map(stat_map=STAT)
    before = colours_of(drawn).copy()
    figure = plotting.plot_surf_contours(roi_map=REGIONS, levels=[5], colors=["lime"], figure=drawn)
    assert figure is drawn
    changed = (colours_of(figure) != before).any(axis=1)
    inside = (LABELS["left"] == 5)[FACES["left"]]
    assert_array_equal(changed, inside.any(axis=1) & ~inside.all(axis=1))


@pytest.mark.parametrize("method", ["mean", "median", "min", "max", np.ptp])
def test_values_of_faces_are_those_of_their_three_vertices(method):
    values = np.array([1.0, 2, 6, np.inf])
    function = method if callable(method) else getattr(np, method)
    made = face_values(values, np.array([[0, 1, 2], [1, 2, 3]]), method)
    assert made[0] == function([1.0, 2, 6])
    assert np.isnan(made[1])


@pytest.mark.parametrize(
    ("hemi", "view", "angles"),
    [
        ("left", "lateral", (0, 180)),
        ("left", "medial", (0, 0)),
        ("right", "lateral", (0, 0)),
        ("right", "medial", (0, 180)),
        ("both", None, (90, 0)),
        ("both", "left", (0, 180)),
        ("left", "posterior", (0, 270)),
        ("right", (12, 34.5), (12, 34.5)),
    ],
)
def test_views_are_angles(hemi, view, angles):
    axes = plotting.plot_surf(MESH, hemi=hemi, view=view).axes[0]
    assert (axes.elev, axes.azim) == angles


VOLUME = nib.Nifti1Image(np.zeros((2, 2, 2), np.float32), np.eye(4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hemi": "lefft"}, "'left', 'right', 'both'"),
        ({"view": "laterall"}, "'lateral', 'medial', 'left'.*Did you mean 'lateral'"),
        ({"view": "medial", "hemi": "both"}, "there are 'left', 'right', 'dorsal'"),
        ({"view": (1, np.nan)}, "two angles"),
        ({"surf_map": HEIGHTS["left"][:-1]}, "641 values, the mesh 642 vertices"),
        ({"surf_map": np.zeros((642, 2))}, "one value a vertex"),
        ({"surf_map": VOLUME}, "is a volume"),
        ({"surf_map": STAT, "bg_map": np.zeros(3)}, "bg_map has 3 values"),
        ({"surf_mesh": MESH.parts["left"], "hemi": "both"}, "needs a mesh with the parts"),
        ({"surf_mesh": PolyMesh(left=MESH.parts["left"]), "hemi": "right"}, "no right hemisphere"),
        ({"surf_map": PolyData(right=HEIGHTS["right"])}, "no values for the left"),
        ({"surf_map": STAT, "vmin": 3, "vmax": 1}, "vmin=3 is above vmax=1"),
        ({"surf_map": STAT, "threshold": -1}, "threshold must be finite and not negative"),
        ({"surf_map": STAT, "avg_method": "mode"}, "'mean', 'median'"),
        ({"engine": "plotly"}, "engine"),
        ({"alpha": 2}, "alpha"),
    ],
)
def test_what_cannot_be_drawn_is_told_of(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        plotting.plot_surf(**{"surf_mesh": MESH, **options})


def test_more_that_cannot_be_drawn_is_told_of():
    with pytest.raises(TypeError, match="surf_mesh is needed"):
        plotting.plot_surf(surf_map=HEIGHTS["left"])
    with pytest.raises(ValueError, match="whole numbers"):
        plotting.plot_surf_roi(roi_map=STAT)
    with pytest.raises(ValueError, match=r"levels: \[99\]"):
        plotting.plot_surf_contours(roi_map=REGIONS, levels=[99])
    with pytest.raises(ValueError, match="labels has 1 entries for 2 levels"):
        plotting.plot_surf_contours(roi_map=REGIONS, levels=[5, 6], labels=["a"])
    with pytest.raises(ValueError, match="stat_map must be values"):
        plotting.plot_surf_stat_map(MESH)
    with pytest.raises(ValueError, match="three dimensions"):
        plotting.plot_surf(MESH, axes=plt.figure().add_subplot())


def test_nothing_but_nan_is_a_bare_surface():
    figure = plotting.plot_surf(MESH, {part: np.full(len(own), np.nan) for part, own in HEIGHTS.items()})
    assert (np.ptp(colours_of(figure)[:, :3], axis=1) < 1e-9).all()


@pytest.fixture(scope="module")
def volume():
    values = np.random.default_rng(0).normal(size=(20, 24, 20)).cumsum(axis=0)
    return nib.Nifti1Image(
        values, np.array([[10.0, 0, 0, -100], [0, 10, 0, -130], [0, 0, 10, -80], [0, 0, 0, 1]])
    )


def test_a_volume_is_drawn_as_it_is_sampled(volume, tmp_path):
    figure, axes = plotting.plot_img_on_surf(volume, MESH, threshold=1.0)
    assert len(axes) == 4
    assert [(ax.elev, ax.azim) for ax in axes] == [(0, 180), (0, 0), (0, 0), (0, 180)]
    left = vol_to_surf(volume, MESH.parts["left"])
    right = vol_to_surf(volume, MESH.parts["right"])
    bound = max(np.nanmax(np.abs(left)), np.nanmax(np.abs(right)))
    means = left[FACES["left"]].mean(axis=1)
    shown = np.abs(means) >= 1
    expected = matplotlib.colormaps["RdBu_r"]((means + bound) / (2 * bound))
    assert_allclose(axes[0].collections[0].brainsieve_colours[shown], expected[shown], atol=1e-6)
    assert_allclose(figure.axes[4].get_xlim(), (-bound, bound))
    assert plotting.plot_img_on_surf(volume, MESH, output_file=tmp_path / "a" / "surf.png") is None
    assert (tmp_path / "a" / "surf.png").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hemispheres": ["middle"]}, "'left', 'right', 'both'"),
        ({"views": ["top"]}, "'lateral', 'medial', 'left'"),
        ({"hemispheres": ["both"], "views": ["lateral"]}, "no view of hemi='both'"),
        ({"inflate": True}, "inflated meshes"),
        ({"surf_mesh": "fsaverage9"}, "fsaverage9"),
        ({"hemi": "left"}, "use hemispheres and views"),
        ({"stat_map": STAT}, "image of a surface already"),
    ],
)
def test_views_of_volumes_that_are_not_there_are_told_of(volume, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        plotting.plot_img_on_surf(**{"stat_map": volume, "surf_mesh": MESH, **options})


def test_the_peers_images_are_drawn_too():
    mesh = polymesh("nilearn")
    image = peer_surface.SurfaceImage(mesh, {part: own.astype(np.float32) for part, own in HEIGHTS.items()})
    assert_allclose(
        colours_of(plotting.plot_surf(surf_map=image)),
        colours_of(plotting.plot_surf(surf_map=STAT)),
        atol=1e-5,
    )
