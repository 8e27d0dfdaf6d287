"""Pages for the browser: what they carry, and that a browser draws it with no other file and no network."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import subprocess

import matplotlib
import nibabel as nib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from surfaces import polymesh

from brainsieve import plotting
from brainsieve.plotting.networks import _ball, brain_outside, checked_network
from brainsieve.surface import SurfaceImage, vol_to_surf

MESH = polymesh()
POINTS = {part: np.asarray(mesh.coordinates) for part, mesh in MESH.parts.items()}
STAT = SurfaceImage(MESH, {part: points[:, 2] / 10 for part, points in POINTS.items()})
MB = 1_000_000
N_NODES = 12


def scene_of(page):
    found = re.search(
        r'<script type="application/json" id="description">(.*?)</script>', page.html, re.DOTALL
    )
    return json.loads(found[1])


def mesh_in(described):
    """Points, faces and colours of an MZ3 file, by the format's table."""
    raw = gzip.decompress(base64.b64decode(described["base64"]))
    magic, attributes = np.frombuffer(raw, "<u2", 2)
    n_faces, n_points, skip = np.frombuffer(raw, "<u4", 3, 4)
    assert (magic, attributes, skip) == (23117, 7, 0)
    faces = np.frombuffer(raw, "<i4", 3 * n_faces, 16).reshape(-1, 3)
    points = np.frombuffer(raw, "<f4", 3 * n_points, 16 + 12 * n_faces).reshape(-1, 3)
    colours = np.frombuffer(raw, "u1", 4 * n_points, 16 + 12 * n_faces + 12 * n_points).reshape(-1, 4)
    return points, faces, colours


def volume_in(described):
    return nib.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(described["base64"])))


@pytest.fixture(scope="module")
def blob():
    values = np.zeros((20, 24, 18), np.float32)
    values[4, 12, 14], values[15, 3, 2], values[0, 0, 0] = 8, -5, np.nan
    return nib.Nifti1Image(
        values, np.array([[8.0, 0, 0, -80], [0, 8, 0, -110], [0, 0, 8, -60], [0, 0, 0, 1]])
    )


@pytest.fixture(scope="module")
def connectome():
    random = np.random.default_rng(1)
    matrix = np.corrcoef(random.normal(size=(N_NODES, 20)))
    return matrix, random.normal(scale=30, size=(N_NODES, 3))


def test_a_map_is_carried_with_its_place_its_range_and_its_holes(blob):
    before = blob.get_fdata().copy()
    scene = scene_of(plotting.view_img(blob, threshold=6, title="</script><b>"))
    values = volume_in(scene["volumes"][1])
    assert_allclose(values.affine, blob.affine)
    expected = np.where(np.abs(np.nan_to_num(before)) >= 6, np.nan_to_num(before), 0)
    assert_allclose(values.get_fdata(), expected, atol=8 / 2**15)
    assert (scene["volumes"][1]["low"], scene["volumes"][1]["high"]) == (-8, 8)
    assert_allclose(scene["at"], (blob.affine @ [4, 12, 14, 1])[:3])
    opacity = np.array(scene["volumes"][1]["lut"]["A"])
    levels = np.linspace(-8, 8, 256)
    assert (opacity[np.abs(levels) > 6] == 255).all()
    assert (opacity[np.abs(levels) < 5.8] == 0).all()
    assert_array_equal(blob.get_fdata(), before)


def test_colours_of_a_map_are_those_of_the_colour_map(blob):
    lut = scene_of(plotting.view_img(blob, cmap="viridis", symmetric_cmap=False, threshold=None))["volumes"][
        1
    ]["lut"]
    expected = np.round(255 * matplotlib.colormaps["viridis"](np.linspace(0, 1, 256)))
    assert_allclose(np.stack([lut[key] for key in "RGBA"], axis=1), expected, atol=1)


def test_choices_of_a_map_reach_the_browser(blob):
    scene = scene_of(
        plotting.view_img(
            blob, bg_img=None, cut_coords=[1, 2, 3], draw_cross=False, radiological=True, show_lr=False, annotate=False,
            black_bg=True, opacity=0.5, vmax=2,
        )
    )  # fmt: skip
    assert scene["at"] == [1, 2, 3]
    options = scene["options"]
    assert options["crosshairWidth"] == 0
    assert options["isRadiologicalConvention"] is True
    assert options["isOrientationTextVisible"] is False
    assert options["backColor"] == [0, 0, 0, 1]
    assert scene["value"] is False
    assert scene["volumes"][1]["opacity"] == 0.5
    assert scene["volumes"][1]["high"] == 2


def test_the_background_is_dimmed_and_its_paper_follows_its_border(blob):
    plain = scene_of(plotting.view_img(blob))["volumes"][0]
    dim = scene_of(plotting.view_img(blob, dim=1))["volumes"][0]
    assert dim["high"] - dim["low"] == pytest.approx(2 * (plain["high"] - plain["low"]))
    own = nib.Nifti1Image(np.pad(np.ones((8, 8, 8)), 4), blob.affine)
    assert scene_of(plotting.view_img(blob, bg_img=own))["options"]["backColor"] == [0, 0, 0, 1]
    assert scene_of(plotting.view_img(blob))["options"]["backColor"] == [1, 1, 1, 1]


def test_a_surface_is_carried_with_the_colours_of_its_vertices():
    described = scene_of(plotting.view_surf(surf_map=STAT, threshold=2, cmap="cool"))["meshes"][0]
    points, faces, colours = mesh_in(described)
    assert_allclose(points, POINTS["left"], atol=1 / 128)
    assert_array_equal(faces, MESH.parts["left"].faces)
    values = POINTS["left"][:, 2] / 10
    bound = np.abs(values).max()
    expected = 255 * matplotlib.colormaps["cool"]((values + bound) / (2 * bound))[:, :3]
    shown = np.abs(values) >= 2
    assert_allclose(colours[shown, :3], expected[shown], atol=1)
    assert (np.ptp(colours[~shown, :3], axis=1) == 0).all()


@pytest.mark.parametrize("threshold", [3.0, "70%"])
def test_thresholds_are_numbers_or_percentiles_of_magnitudes(threshold):
    values = np.concatenate(list(STAT.data.parts.values()))
    bound = threshold if threshold == 3.0 else np.percentile(np.abs(values), 70)
    colours = mesh_in(
        scene_of(plotting.view_surf(surf_map=STAT, hemi="both", threshold=threshold))["meshes"][0]
    )[2]
    assert_array_equal(np.ptp(colours[:, :3].astype(int), axis=1) > 0, np.abs(values) >= bound)


def test_a_volume_on_surfaces_is_what_is_sampled(blob):
    smooth = nib.Nifti1Image(np.random.default_rng(0).normal(size=(20, 24, 18)), blob.affine)
    page = plotting.view_img_on_surf(smooth, MESH, cmap="cool", vol_to_surf_kwargs={"radius": 8.0})
    values = np.concatenate([vol_to_surf(smooth, mesh, radius=8.0) for mesh in MESH.parts.values()])
    bound = np.nanmax(np.abs(values))
    colours = mesh_in(scene_of(page)["meshes"][0])[2]
    expected = 255 * matplotlib.colormaps["cool"]((values + bound) / (2 * bound))[:, :3]
    assert_allclose(colours[np.isfinite(values), :3], expected[np.isfinite(values)], atol=1)


def test_a_connectome_has_a_ball_a_node_and_a_tube_an_edge(connectome):
    matrix, coordinates = connectome
    before = matrix.copy()
    scene = scene_of(plotting.view_connectome(matrix, coordinates, edge_threshold="80%", node_size=2))
    points, faces, _ = mesh_in(scene["meshes"][0])
    lower = np.abs(matrix[np.tril_indices(N_NODES, -1)])
    n_edges = int((lower >= np.percentile(lower, 80)).sum())
    n_ball, n_ball_faces = (len(part) for part in _ball(2))
    assert len(points) == N_NODES * n_ball + n_edges * 16
    assert len(faces) == N_NODES * n_ball_faces + n_edges * 16
    balls = points[: N_NODES * n_ball].reshape(N_NODES, n_ball, 3)
    assert_allclose(np.linalg.norm(balls - coordinates[:, None], axis=2), 2, atol=0.02)
    assert [point["name"] for point in scene["points"]] == [f"node {k}" for k in range(N_NODES)]
    assert_array_equal(matrix, before)


def test_edges_of_a_network_are_those_of_the_matrix(connectome):
    matrix, coordinates = connectome
    directed = np.array([[0, 1, 0], [0, 0, -2], [3, np.nan, 0]])
    network = checked_network(directed, coordinates[:3], 1.5)
    assert network.directed
    assert_array_equal(network.edges, [[1, 2], [2, 0]])
    assert_array_equal(network.weights, [-2, 3])
    both_ways = checked_network([[0, 1], [-3, 0]], coordinates[:2], None).undirected()
    assert_array_equal(both_ways.weights, [-3])
    assert not checked_network(matrix, coordinates, None).directed


def test_the_strongest_edges_are_shown_of_too_many(monkeypatch, connectome):
    from brainsieve.plotting import html

    monkeypatch.setattr(html, "MAX_EDGES", 5)
    monkeypatch.setattr(html, "ROUND_EDGES", 4)
    matrix, coordinates = connectome
    with pytest.warns(UserWarning, match="66 edges; the page shows the 5 strongest"):
        page = plotting.view_connectome(matrix, coordinates)
    points = mesh_in(scene_of(page)["meshes"][0])[0]
    assert len(points) == N_NODES * len(_ball(2)[0]) + 5 * 6


def test_no_edge_left_is_a_page_of_nodes(connectome):
    matrix, coordinates = connectome
    page = plotting.view_connectome(matrix, coordinates, edge_threshold=5)
    assert len(mesh_in(scene_of(page)["meshes"][0])[0]) == N_NODES * len(_ball(2)[0])
    assert 'class="bar"' not in page.body


def test_the_brain_around_a_network_is_closed_and_faces_outwards():
    points, faces = brain_outside()
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] % 2 == 0).all()
    corners = points[faces]
    volume = np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    assert 1.4e6 < volume < 2.2e6


def test_a_ball_is_round_and_faces_outwards():
    points, faces = _ball(2)
    assert_allclose(np.linalg.norm(points, axis=1), 1)
    corners = points[faces]
    volume = np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    assert 0.9 * 4 / 3 * np.pi < volume < 4 / 3 * np.pi


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"adjacency_matrix": np.zeros((2, 3))}, "must be square"),
        ({"node_coords": np.zeros((3, 3))}, "one place"),
        ({"node_coords": np.full((2, 3), np.nan)}, "first in row 0"),
        ({"node_coords": np.zeros((2, 2))}, r"\(n, 3\)"),
        ({"adjacency_matrix": [[0, np.inf], [np.inf, 0]]}, "infinite"),
        ({"edge_threshold": "80"}, "percentage such as"),
        ({"edge_threshold": -1}, "not negative"),
        ({"node_labels": ["a"]}, "1 names for 2 nodes"),
        ({"node_size": [1, 2, 3]}, "node_size must be a radius"),
        ({"node_color": ["red", "blue", "lime"]}, "3 colours for 2 places"),
        ({"node_color": "redd"}, "node_color"),
        ({"linewidth": 0}, "linewidth"),
    ],
)
def test_bad_networks_are_told_of(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        plotting.view_connectome(
            **{"adjacency_matrix": np.ones((2, 2)), "node_coords": np.eye(3)[:2], **options}
        )


def test_other_bad_input_of_pages_is_told_of(blob):
    with pytest.raises(TypeError, match="use view_surf"):
        plotting.view_img(STAT)
    with pytest.raises(ValueError, match="no finite value"):
        plotting.view_img(nib.Nifti1Image(np.full((3, 3, 3), np.nan), np.eye(4)))
    with pytest.raises((ValueError, TypeError), match="4-D where a 3-D"):
        plotting.view_img(nib.Nifti1Image(np.zeros((3, 3, 3, 2)), np.eye(4)))
    with pytest.raises(ValueError, match="cut_coords must be three"):
        plotting.view_img(blob, cut_coords=[1, 2])
    with pytest.raises(ValueError, match="'lateral', 'medial'"):
        plotting.view_surf(MESH, view="top")
    with pytest.raises(ValueError, match="marker_labels has 2"):
        plotting.view_markers([[0, 0, 0]], marker_labels=["a", "b"])


@pytest.fixture(scope="module")
def pages(blob, connectome):
    noise = nib.Nifti1Image(
        np.random.default_rng(0).normal(size=(197, 233, 189)).astype(np.float32), np.eye(4)
    )
    return {
        "img": (plotting.view_img(blob, threshold=2, title="A <map>"), 2, 0),
        "noise": (plotting.view_img(noise), 2, 0),
        "surf": (plotting.view_surf(surf_map=STAT, hemi="both", threshold=1, black_bg=True), 0, 1),
        "volume": (plotting.view_img_on_surf(blob, MESH), 0, 1),
        "connectome": (plotting.view_connectome(*connectome, node_labels=["</script>"] * N_NODES), 0, 2),
        "markers": (plotting.view_markers(connectome[1]), 0, 2),
    }


def test_pages_are_small_and_name_no_other_place(pages):
    for name, (page, _, _) in pages.items():
        assert len(page.html) < 3 * MB, name
        assert not re.search(r'(src|href)="(?!data:)', page.html), name
        assert "</script>" not in page.html.split('id="description">')[1].split("</script>")[0], name
    assert "A &lt;map&gt;" in pages["img"][0].html


@pytest.mark.slow
@pytest.mark.parametrize("name", ["img", "noise", "surf", "volume", "connectome", "markers"])
def test_a_browser_draws_the_page(name, pages, tmp_path):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium on this machine to draw pages with")
    page, n_volumes, n_meshes = pages[name]
    page.save_as_html(tmp_path / "page.html")
    command = [
        browser, "--headless", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path / 'profile'}",
        "--virtual-time-budget=10000", "--dump-dom", (tmp_path / "page.html").as_uri(),
    ]  # fmt: skip
    drawn = subprocess.run(command, capture_output=True, text=True, timeout=80, check=False).stdout
    body = re.search(r"<body data-state[^>]*>", drawn)
    assert body is not None
    assert 'data-state="drawn"' in body[0]
    assert f'data-volumes="{n_volumes}"' in body[0]
    assert f'data-meshes="{n_meshes}"' in body[0]
    if name == "img":
        assert "value 8.000" in drawn
