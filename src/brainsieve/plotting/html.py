"""Pages to look around in: self-contained, offline, drawn by NiiVue in the browser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainsieve import checks
from brainsieve.datasets import load_mni152_template
from brainsieve.image import check_niimg_3d, get_data, reorder_img, resample_img
from brainsieve.logs import warn
from brainsieve.plotting.networks import (
    Network,
    brain_outside,
    checked_coordinates,
    checked_network,
    node_colours,
    percentile_or_number,
    tubes_and_balls,
)
from brainsieve.plotting.scenes import (
    Bar,
    ConnectomeView,
    Scene,
    StatMapView,
    SurfaceView,
    lut_of,
    mesh_of,
    volume_of,
)
from brainsieve.plotting.surfaces import (
    VIEWS,
    Drawn,
    background_greys,
    blended,
    camera,
    limits,
    mesh_and_values,
    scalar_paint,
)
from brainsieve.plotting.surfaces_of_volumes import meshes_of, sampled
from brainsieve.typing import ColormapLike, Interpolation, NiimgLike

# Finer images are resampled for the page, which is to stay under 3 MB.
PAGE_VOXEL_MM = 2.0
# Voxels, beyond which even 8 bits each would not fit a page.
MAX_VOXELS = 900_000
# Draws as many as are seen apart and keeps a page under 3 MB; tubes of eight sides up to the first number.
ROUND_EDGES, MAX_EDGES = 2_000, 20_000
# Of NiiVue's options: its numbers for a layout and for showing a rendering beside cuts.
ROW_OF_CUTS, NEVER = 3, 0
BRAIN_GREY = (0.35, 0.35, 0.35)
MNI_GREY_RANGE = (0.0, 1.0)


def view_img(
    stat_map_img: NiimgLike,
    bg_img: NiimgLike | Literal["MNI152"] | None = "MNI152",
    cut_coords: Sequence[float] | None = None,
    colorbar: bool = True,
    title: str | None = None,
    threshold: float | str | None = 1e-06,
    annotate: bool = True,
    draw_cross: bool = True,
    black_bg: bool | Literal["auto"] = "auto",
    cmap: ColormapLike = "RdBu_r",
    symmetric_cmap: bool = True,
    dim: float | Literal["auto"] | None = "auto",
    vmax: float | None = None,
    vmin: float | None = None,
    resampling_interpolation: Interpolation = "continuous",
    width_view: int = 600,
    opacity: float = 1,
    radiological: bool = False,
    show_lr: bool = True,
) -> StatMapView:
    """A page with three cuts of an image over a background, which follow the pointer.

    Parameters
    ----------
    stat_map_img : image-like
        3-D.
    bg_img : image-like, "MNI152" or None, default="MNI152"
        Background; None: none.
    cut_coords : sequence of three float, optional
        Where the cuts are first, in mm. Default: at the largest magnitude.
    colorbar : bool, default=True
    title : str, optional
    threshold : float, str or None, default=1e-6
        Values nearer to 0, and 0, are not shown; ``"90%"``: a percentile of the magnitudes. None: all are.
    annotate : bool, default=True
        Tell position and value below the picture.
    draw_cross : bool, default=True
    black_bg : bool or "auto", default="auto"
        Paper. "auto": black where a background of one's own is dark at its border.
    cmap : colour map or name, default="RdBu_r"
    symmetric_cmap : bool, default=True
        From -m to m.
    dim : float, "auto" or None, default="auto"
        Contrast of the background: 1 halves it, negative values raise it; "auto": 0.
    vmax, vmin : float, optional
        Range of colours. Default: that of the values.
    resampling_interpolation : {"continuous", "linear", "nearest"}, default="continuous"
        For images of voxels below 2 mm, which are resampled to that, or with oblique axes.
    width_view : int, default=600
        Of the frame in a notebook, in pixels.
    opacity : float, default=1
        Of the image over the background.
    radiological : bool, default=False
        The head's right on the left of the picture, as seen from the feet; sagittal cuts stay as they are.
    show_lr : bool, default=True
        Letters for left, right and the other directions.

    Returns
    -------
    view : StatMapView
        A page of its own, shown in notebooks; ``save_as_html`` writes it.

    Raises
    ------
    TypeError
        For surfaces and 4-D images.
    ValueError
        If all values are NaN or a range is empty.
    """
    for name, value in (("colorbar", colorbar), ("annotate", annotate), ("draw_cross", draw_cross)):
        checks.a_bool(name, value)
    checks.a_share_or_none("opacity", opacity)
    checks.one_of(True, False, "auto")("black_bg", black_bg)
    values, affine = _volume(stat_map_img, "stat_map_img", resampling_interpolation)
    bound = percentile_or_number("threshold", threshold, values)
    low, high = limits(values, vmin, vmax, symmetric_cmap)
    paint = scalar_paint(cmap, low, high)
    volumes, dark = _background(bg_img, dim, black_bg)
    shown = np.where(np.isfinite(values), values, 0.0)
    if bound is not None:
        shown = np.where(np.abs(shown) >= bound, shown, 0.0)
    lut = lut_of(paint, low, high, bound)
    volumes.append(volume_of("values", shown, affine, (low, high), lut, opacity))
    if not volumes[:-1]:
        # Without one, the image lies on an empty volume: what is hidden shows the paper.
        lut = np.full((256, 4), 0 if dark else 255, dtype=np.uint8)
        lut[:, 3] = 255
        volumes.insert(0, volume_of("paper", np.zeros_like(shown), affine, (0.0, 1.0), lut))
    scene = Scene(volumes, title=title, black=dark)
    if colorbar:
        scene.bar = Bar(paint, low, high, bound, 0.6, 22)
    scene.hint = "Click or drag to move the cuts, scroll to go through them." if annotate else ""
    scene.settings = {
        "slices": True,
        "value": bool(annotate),
        "at": _cuts(cut_coords, shown, affine),
        "options": {
            "isRadiologicalConvention": bool(radiological),
            "isOrientationTextVisible": bool(show_lr),
            "crosshairWidth": 1 if draw_cross else 0,
            "crosshairWidthUnit": "mm",
            "multiplanarLayout": ROW_OF_CUTS,
            "multiplanarShowRender": NEVER,
            "isNearestInterpolation": True,
            "crosshairColor": [0.4, 0.7, 0.4, 1],
        },
    }
    return scene.page(StatMapView, int(width_view), int(0.45 * width_view))


def view_surf(
    surf_mesh: Any = None,
    surf_map: Any = None,
    bg_map: Any = None,
    hemi: Literal["left", "right", "both"] = "left",
    threshold: float | str | None = None,
    cmap: ColormapLike = "RdBu_r",
    black_bg: bool = False,
    vmax: float | None = None,
    vmin: float | None = None,
    bg_on_data: bool = False,
    symmetric_cmap: bool = True,
    colorbar: bool = True,
    colorbar_height: float = 0.5,
    colorbar_fontsize: float = 25,
    title: str | None = None,
    title_fontsize: float = 25,
    engine: Literal["niivue"] = "niivue",
    view: str | Sequence[float] | None = "left",
) -> SurfaceView:
    """A page with a mesh that turns, and values at its vertices.

    Parameters
    ----------
    surf_mesh : path, mesh, pair of arrays, PolyMesh or dict, optional
        As `plot_surf` takes. Default: the mesh of `surf_map`.
    surf_map : SurfaceImage, PolyData, dict, path or array of shape (n_vertices,), optional
    bg_map : SurfaceImage, PolyData, dict, path or array of shape (n_vertices,), optional
        Grey below the values.
    hemi : {"left", "right", "both"}, default="left"
    threshold : float, str or None, optional
        Values nearer to 0 are not shown; ``"90%"``: a percentile of the magnitudes.
    cmap : colour map or name, default="RdBu_r"
    black_bg : bool, default=False
        Paper.
    vmax, vmin : float, optional
        Range of colours.
    bg_on_data : bool, default=False
        Multiply colours by the background's grey.
    symmetric_cmap : bool, default=True
        From -m to m.
    colorbar : bool, default=True
    colorbar_height : float, default=0.5
        Share of the page's height.
    colorbar_fontsize : float, default=25
    title : str, optional
    title_fontsize : float, default=25
    engine : {"niivue"}, default="niivue"
    view : str or (elevation, azimuth) in degrees, default="left"
        Where one looks from first, as in `plot_surf`.

    Returns
    -------
    view : SurfaceView

    Raises
    ------
    ValueError
        As `plot_surf`.
    """
    checks.one_of("niivue")("engine", engine)
    checks.a_bool("bg_on_data", bg_on_data)
    mesh, values = mesh_and_values(surf_mesh, surf_map, hemi, "surf_map")
    scene = Scene(title=title, title_size=title_fontsize, black=bool(black_bg))
    paint, bound = None, None
    if values is not None:
        bound = percentile_or_number("threshold", threshold, values)
        low, high = limits(values, vmin, vmax, symmetric_cmap)
        paint = scalar_paint(cmap, low, high)
        if colorbar:
            scene.bar = Bar(paint, low, high, bound, colorbar_height, colorbar_fontsize)
    scene.meshes.append(_surface(mesh, values, bg_map, paint, bound, bg_on_data))
    scene.settings = _looking(view, hemi)
    return scene.page(SurfaceView, 800, 600)


def view_img_on_surf(
    stat_map_img: NiimgLike,
    surf_mesh: Any = "fsaverage5",
    threshold: float | str | None = None,
    cmap: ColormapLike = "RdBu_r",
    black_bg: bool = False,
    vmax: float | None = None,
    vmin: float | None = None,
    symmetric_cmap: bool = True,
    bg_on_data: bool = False,
    colorbar: bool = True,
    colorbar_height: float = 0.5,
    colorbar_fontsize: float = 25,
    title: str | None = None,
    title_fontsize: float = 25,
    view: str | Sequence[float] | None = "left",
    vol_to_surf_kwargs: dict[str, Any] | None = None,
) -> SurfaceView:
    """A page with both hemispheres, and a volume sampled on them.

    Parameters
    ----------
    stat_map_img : image-like
        3-D.
    surf_mesh : str, PolyMesh or dict, default="fsaverage5"
        As `plot_img_on_surf` takes. Drawn inflated, where that mesh is there.
    threshold : float, str or None, optional
    cmap : colour map or name, default="RdBu_r"
    black_bg : bool, default=False
    vmax, vmin : float, optional
    symmetric_cmap : bool, default=True
    bg_on_data : bool, default=False
    colorbar : bool, default=True
    colorbar_height : float, default=0.5
    colorbar_fontsize : float, default=25
    title : str, optional
    title_fontsize : float, default=25
    view : str or (elevation, azimuth) in degrees, default="left"
    vol_to_surf_kwargs : dict, optional
        For `brainsieve.surface.vol_to_surf`.

    Returns
    -------
    view : SurfaceView

    Raises
    ------
    TypeError, ValueError
        As `plot_img_on_surf`.
    """
    checks.a_dict_or_none("vol_to_surf_kwargs", vol_to_surf_kwargs)
    meshes = meshes_of(surf_mesh)
    values = sampled(stat_map_img, "stat_map_img", meshes, None, vol_to_surf_kwargs or {})
    hemi: Any = "both" if len(values) == 2 else next(iter(values))
    return view_surf(
        meshes.drawn(inflate=True), values, meshes.sulci or None, hemi, threshold, cmap, black_bg, vmax, vmin,
        bg_on_data, symmetric_cmap, colorbar, colorbar_height, colorbar_fontsize, title, title_fontsize, view=view,
    )  # fmt: skip


def view_connectome(
    adjacency_matrix: ArrayLike,
    node_coords: ArrayLike,
    edge_threshold: float | str | None = None,
    edge_cmap: ColormapLike = "RdBu_r",
    symmetric_cmap: bool = True,
    linewidth: float = 6.0,
    node_color: Any = "auto",
    node_size: float | Sequence[float] = 3.0,
    colorbar: bool = True,
    colorbar_height: float = 0.5,
    colorbar_fontsize: float = 25,
    title: str | None = None,
    title_fontsize: float = 25,
    node_labels: Sequence[str] | None = None,
) -> ConnectomeView:
    """A page with a connectome in space, within a brain.

    Parameters
    ----------
    adjacency_matrix : array of shape (n, n)
        Weights of edges; 0 and NaN: none. Where it is not symmetric, the larger magnitude of both directions is drawn.
    node_coords : array of shape (n, 3)
        In mm, MNI space.
    edge_threshold : float or str, optional
        Least magnitude of an edge; ``"80%"``: that percentile of the magnitudes below the diagonal, as in
        `plot_connectome`.
    edge_cmap : colour map or name, default="RdBu_r"
    symmetric_cmap : bool, default=True
        From -m to m.
    linewidth : float, default=6.0
        Of the strongest edge; others are thinner. 6 stands for tubes 2 mm wide.
    node_color : "auto", colour or sequence of n colours, default="auto"
    node_size : float or sequence of n float, default=3.0
        Radii, in mm.
    colorbar : bool, default=True
    colorbar_height : float, default=0.5
    colorbar_fontsize : float, default=25
    title : str, optional
    title_fontsize : float, default=25
    node_labels : sequence of n str, optional
        Shown where a node is pointed at.

    Returns
    -------
    view : ConnectomeView

    Raises
    ------
    ValueError
        As `plot_connectome`.

    Warns
    -----
    UserWarning
        If there are more than 20 000 edges: the strongest are drawn.
    """
    network = checked_network(adjacency_matrix, node_coords, edge_threshold).undirected()
    network = _strongest(network)
    low, high = limits(network.weights, None, None, symmetric_cmap)
    paint = scalar_paint(edge_cmap, low, high)
    scene = _network_scene(network, paint, linewidth, node_color, node_size, node_labels)
    scene.title, scene.title_size = title, title_fontsize
    if colorbar and len(network.weights):
        scene.bar = Bar(paint, low, high, None, colorbar_height, colorbar_fontsize)
    return scene.page(ConnectomeView, 800, 800)


def view_markers(
    marker_coords: ArrayLike,
    marker_color: Any = "auto",
    marker_size: float | Sequence[float] = 5.0,
    marker_labels: Sequence[str] | None = None,
    title: str | None = None,
    title_fontsize: float = 25,
) -> ConnectomeView:
    """A page with places in the brain.

    Parameters
    ----------
    marker_coords : array of shape (n, 3)
        In mm, MNI space.
    marker_color : "auto", colour or sequence of n colours, default="auto"
    marker_size : float or sequence of n float, default=5.0
        Radii, in mm.
    marker_labels : sequence of n str, optional
        Shown where a marker is pointed at.
    title : str, optional
    title_fontsize : float, default=25

    Returns
    -------
    view : ConnectomeView

    Raises
    ------
    ValueError
        If coordinates are not finite numbers of shape (n, 3), or colours, sizes or labels are not as many.
    """
    points = checked_coordinates("marker_coords", marker_coords)
    network = Network(points, np.zeros((0, 2), dtype=np.intp), np.zeros(0), directed=False)
    scene = _network_scene(network, None, 1.0, marker_color, marker_size, marker_labels, "marker")
    scene.title, scene.title_size = title, title_fontsize
    return scene.page(ConnectomeView, 800, 800)


def _volume(img: Any, name: str, interpolation: Interpolation) -> tuple[NDArray[np.float64], NDArray]:
    """Values and affine of an image as a page carries it: axes along the world's, voxels of 2 mm or more."""
    if hasattr(img, "mesh"):
        raise TypeError(f"{name} is an image of a surface; use view_surf.")
    with checks.naming(name):
        img = check_niimg_3d(img)
    # Splines would spread one NaN over all of the image.
    values = np.asarray(get_data(img), dtype=np.float64)
    if not np.isfinite(values).any():
        raise ValueError(f"{name} has no finite value: there is nothing to show.")
    img = type(img)(np.where(np.isfinite(values), values, 0.0), img.affine)
    sizes = np.linalg.norm(img.affine[:3, :3], axis=0)
    fine = sizes.min() < 0.95 * PAGE_VOXEL_MM and values.size > MAX_VOXELS // 2
    if fine or values.size > MAX_VOXELS:
        wanted = PAGE_VOXEL_MM
        while np.prod(np.asarray(img.shape) * sizes) / wanted**3 > MAX_VOXELS:
            wanted += 0.5
        img = resample_img(img, np.diag([wanted] * 3), interpolation=interpolation)
    else:
        img = reorder_img(img, resample=interpolation)
    return np.asarray(get_data(img), dtype=np.float64), np.asarray(img.affine)


def _background(bg_img: Any, dim: Any, black_bg: Any) -> tuple[list[dict[str, Any]], bool]:
    """The background's volume, if there is one, and whether its border is dark."""
    if bg_img is None:
        return [], black_bg is True
    if isinstance(bg_img, str) and bg_img == "MNI152":
        values, affine = _volume(load_mni152_template(PAGE_VOXEL_MM), "bg_img", "continuous")
        low, high, dark = *MNI_GREY_RANGE, False
    else:
        values, affine = _volume(bg_img, "bg_img", "continuous")
        low, high = (float(bound) for bound in np.percentile(values, [0, 99.9]))
        border = np.concatenate(
            [np.take(values, side, axis).ravel() for axis in range(3) for side in (0, -1)]
        )
        dark = bool(np.median(border) <= (low + high) / 2)
    if black_bg != "auto":
        dark = bool(black_bg)
    share = 0.0 if dim in ("auto", None, False) else float(dim)
    middle, half = (low + high) / 2, max((high - low) / 2, 1e-12) * (1 + share)
    lut = np.repeat(np.arange(256)[:, None], 4, axis=1).astype(np.uint8)
    lut[:, 3] = 255
    if not dark:
        # What has no intensity is paper, not a black box.
        lut[0] = 255
    return [volume_of("background", values, affine, (middle - half, middle + half), lut)], dark


def _cuts(cut_coords: Any, values: NDArray, affine: NDArray) -> list[float]:
    if cut_coords is None:
        peak = np.unravel_index(int(np.argmax(np.abs(values))), values.shape)
        return [float(part) for part in (affine @ [*peak, 1.0])[:3]]
    cuts = np.asarray(cut_coords, dtype=np.float64)
    if cuts.shape != (3,) or not np.isfinite(cuts).all():
        raise ValueError(f"cut_coords must be three numbers in mm; {checks.found(cut_coords)} was given.")
    return [float(part) for part in cuts]


def _surface(
    mesh: Drawn, values: NDArray | None, bg_map: Any, paint: Any, threshold: float | None, bg_on_data: bool
) -> dict[str, Any]:
    # NiiVue has a light of its own: bare cortex is one grey.
    greys = np.full(mesh.n_vertices, 0.75) if bg_map is None else background_greys(mesh, bg_map, np.zeros(3))
    colours = blended(greys, values, paint, threshold, 1.0, bg_on_data)
    return mesh_of("surface", mesh.coordinates, mesh.faces, colours, shader="Matte")


def _looking(view: Any, hemi: str) -> dict[str, Any]:
    """Where the page looks from first, and buttons for the named views."""
    return {
        "camera": _niivue_angles(camera(view, hemi)),
        "views": [{"name": name, "camera": _niivue_angles(angles)} for name, angles in VIEWS[hemi].items()],
    }


def _niivue_angles(angles: tuple[float, float]) -> list[float]:
    """Azimuth and elevation as NiiVue counts them: azimuth 0 looks from the front, 90 from the left."""
    elevation, azimuth = angles
    elevation = (elevation + 180) % 360 - 180
    return [float((azimuth - 90) % 360), float(elevation)]


def _strongest(network: Network) -> Network:
    if len(network.weights) <= MAX_EDGES:
        return network
    warn(
        f"The connectome has {len(network.weights)} edges; the page shows the {MAX_EDGES} strongest. "
        "Give edge_threshold to choose."
    )
    return network.kept(np.sort(np.argsort(np.abs(network.weights), kind="stable")[-MAX_EDGES:]))


def _network_scene(
    network: Network, paint: Any, linewidth: float, colour: Any, size: Any, labels: Any, what: str = "node"
) -> Scene:
    checks.a_number("linewidth", linewidth, positive=True)
    n_nodes = len(network.coordinates)
    sizes = (
        np.broadcast_to(np.asarray(size, dtype=np.float64), (n_nodes,))
        if np.ndim(size) == 0
        else np.asarray(size)
    )
    if sizes.shape != (n_nodes,) or not np.isfinite(sizes).all() or (sizes < 0).any():
        raise ValueError(
            f"{what}_size must be a radius, or {n_nodes} of them, in mm; {checks.found(size)} was given."
        )
    if labels is not None and len(labels) != n_nodes:
        raise ValueError(f"{what}_labels has {len(labels)} names for {n_nodes} {what}s; give one for each.")
    sides = 8 if len(network.weights) <= ROUND_EDGES else 3
    colours = node_colours(colour, n_nodes, f"{what}_color")
    scene = Scene()
    if n_nodes:
        points, faces, paints = tubes_and_balls(network, paint, colours, sizes, linewidth / 6.0, sides)
        scene.meshes.append(mesh_of("network", points, faces, paints))
    points, faces = brain_outside()
    scene.meshes.append(mesh_of("brain", points, faces, np.tile(BRAIN_GREY, (len(points), 1)), 0.5, "Rim"))
    names = (
        [f"{what} {position}" for position in range(n_nodes)]
        if labels is None
        else [str(name) for name in labels]
    )
    scene.settings = {
        "camera": [110.0, 20.0],
        "views": _looking("left", "both")["views"],
        "points": [
            {"name": name, "at": [round(float(part), 2) for part in at]}
            for name, at in zip(names, network.coordinates, strict=True)
        ],
    }
    return scene
