"""Pictures of meshes and of values at their vertices, in three dimensions.

A face has the colour of its value, which is the mean (regions: the median) of its vertices' values. Where it has none,
because it is NaN or within the threshold, the background is seen. Meshes are copied before anything moves them.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from brainsieve import checks
from brainsieve.engine.mesh import HEMISPHERES
from brainsieve.exceptions import MeshDimensionError
from brainsieve.plotting.figures import figure_to_draw_on, save
from brainsieve.surface import load_surf_data, load_surf_mesh
from brainsieve.surface.meshes import polymesh
from brainsieve.typing import ColormapLike, PathLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d import Axes3D

Hemi = Literal["left", "right", "both"]
Average = Literal["mean", "median", "min", "max"] | Callable[[NDArray], float] | None
View = str | Sequence[float] | None

HEMIS = (*HEMISPHERES, "both")
FIGURE_INCHES = (4.7, 5.0)
# Elevation and azimuth, in degrees, of a camera in the space of the mesh; azimuth 180 looks from the left.
COMMON_VIEWS = {
    "left": (0.0, 180.0),
    "right": (0.0, 0.0),
    "dorsal": (90.0, 0.0),
    "ventral": (270.0, 0.0),
    "anterior": (0.0, 90.0),
    "posterior": (0.0, 270.0),
}
VIEWS: dict[str, dict[str, tuple[float, float]]] = {
    "left": {"lateral": (0.0, 180.0), "medial": (0.0, 0.0), **COMMON_VIEWS},
    "right": {"lateral": (0.0, 0.0), "medial": (0.0, 180.0), **COMMON_VIEWS},
    "both": COMMON_VIEWS,
}
AVERAGES: dict[str, Callable[..., NDArray]] = {
    "mean": np.mean,
    "median": np.median,
    "min": np.min,
    "max": np.max,
}
# Between hemispheres that lie in each other, as inflated ones do: mm.
GAP_MM = 2.0
# Of what has no value: bare cortex, and how far light and shadow on it lie apart.
BARE = 0.78
SHADE = 0.45
LIGHT_FROM_VIEWER = 1.0
# The share of the axes' width or height that a mesh takes.
FILLED = 0.95
N_TICKS = 5


@dataclass(frozen=True)
class Drawn:
    """One or two hemispheres as one mesh, and which vertices are whose.

    Attributes
    ----------
    coordinates : array of shape (n_vertices, 3)
        A copy.
    faces : array of int, shape (n_faces, 3)
    sizes : dict of str to int
        Vertices of each hemisphere, in order.
    """

    coordinates: NDArray[np.float64]
    faces: NDArray
    sizes: dict[str, int]

    @property
    def n_vertices(self) -> int:
        return len(self.coordinates)


def plot_surf(
    surf_mesh: Any = None,
    surf_map: Any = None,
    bg_map: Any = None,
    hemi: Hemi = "left",
    view: View = None,
    engine: Literal["matplotlib"] = "matplotlib",
    cmap: ColormapLike = None,
    symmetric_cmap: bool | None = None,
    colorbar: bool = True,
    avg_method: Average = None,
    threshold: float | None = None,
    alpha: float | None = None,
    bg_on_data: bool = False,
    vmin: float | None = None,
    vmax: float | None = None,
    cbar_vmin: float | None = None,
    cbar_vmax: float | None = None,
    cbar_tick_format: str = "auto",
    title: str | None = None,
    title_font_size: float | None = None,
    output_file: PathLike | None = None,
    axes: Axes3D | None = None,
    figure: Any = None,
) -> Figure:
    """Plot a mesh, and values at its vertices.

    Parameters
    ----------
    surf_mesh : path, mesh, pair of arrays, PolyMesh or dict, optional
        What `load_surf_mesh` takes, for one hemisphere; or one with the parts "left" and "right". It is never changed.
        Default: the mesh of `surf_map`.
    surf_map : SurfaceImage, PolyData, dict, path or array of shape (n_vertices,), optional
        Default: the background alone. An array for both hemispheres has the left one first.
    bg_map : SurfaceImage, PolyData, dict, path or array of shape (n_vertices,), optional
        Such as the depth of sulci: grey under the values, high ones dark. Default: the mesh, with light and shadow.
    hemi : {"left", "right", "both"}, default="left"
    view : str or (elevation, azimuth) in degrees, optional
        "lateral", "medial" (of one hemisphere), "left", "right", "dorsal", "ventral", "anterior",
        "posterior". Default: "lateral"; of both hemispheres "dorsal".
    engine : {"matplotlib"}, default="matplotlib"
        Pages in a browser: `view_surf`.
    cmap : colour map or name, optional
        Default: matplotlib's own.
    symmetric_cmap : bool, optional
        Make the range of colours symmetric about 0. Default: not.
    colorbar : bool, default=True
    avg_method : {"mean", "median", "min", "max"} or function, optional
        Of the values of a face's three vertices. A function gets the three and returns a number. Default: "mean".
    threshold : float, optional
        Values nearer to 0 are not shown.
    alpha : float, optional
        Opacity of the background, 0 … 1. Default: 1.
    bg_on_data : bool, default=False
        Multiply colours by the background's grey.
    vmin, vmax : float, optional
        Range of colours. Default: that of the faces' values.
    cbar_vmin, cbar_vmax : float, optional
        Part of the range that the colour bar shows. Default: all.
    cbar_tick_format : str, default="auto"
        As ``"%.2g"``; "auto": that.
    title : str, optional
    title_font_size : float, optional
        In points. Default: matplotlib's.
    output_file : path, optional
        Also save the picture there.
    axes : Axes3D, optional
        Default: new ones.
    figure : figure, number, or size in inches, optional

    Returns
    -------
    figure : matplotlib.figure.Figure
        Its first axes hold the mesh as one collection; the colour bar is the second.

    Raises
    ------
    ValueError
        If mesh and values have different numbers of vertices, a hemisphere is missing, or a view is not known for it.
    """
    checks.one_of("matplotlib")("engine", engine)
    mesh, values = mesh_and_values(surf_mesh, surf_map, hemi, "surf_map")
    picture = _Picture(mesh, hemi, view, bg_map, alpha, bg_on_data, axes, figure)
    if values is None:
        picture.draw(None, None, None)
    else:
        of_faces = face_values(values, mesh.faces, avg_method or "mean")
        low, high = limits(of_faces, vmin, vmax, bool(symmetric_cmap))
        picture.draw(of_faces, scalar_paint(cmap, low, high), threshold)
        if colorbar:
            bounds = (low if cbar_vmin is None else cbar_vmin, high if cbar_vmax is None else cbar_vmax)
            picture.bar(scalar_paint(cmap, low, high), bounds, threshold, cbar_tick_format)
    return picture.finish(title, title_font_size, output_file)


def plot_surf_stat_map(
    surf_mesh: Any = None,
    stat_map: Any = None,
    bg_map: Any = None,
    hemi: Hemi = "left",
    view: View = None,
    engine: Literal["matplotlib"] = "matplotlib",
    cmap: ColormapLike = "RdBu_r",
    colorbar: bool = True,
    avg_method: Average = None,
    threshold: float | None = None,
    alpha: float | None = None,
    bg_on_data: bool = False,
    vmin: float | None = None,
    vmax: float | None = None,
    symmetric_cbar: bool | Literal["auto"] = "auto",
    cbar_tick_format: str = "auto",
    title: str | None = None,
    title_font_size: float | None = None,
    output_file: PathLike | None = None,
    axes: Axes3D | None = None,
    figure: Any = None,
    **kwargs: Any,
) -> Figure:
    """Plot statistics at the vertices of a mesh; colours are symmetric about 0.

    Parameters
    ----------
    surf_mesh : path, mesh, pair of arrays, PolyMesh or dict, optional
        For one hemisphere, or with the parts "left" and "right"; never changed. Default: the mesh of the values.
    stat_map : SurfaceImage, PolyData, dict, path or array of shape (n_vertices,), or None
        None, the default, is an error that says what is missing.
    bg_map : SurfaceImage, PolyData, dict, path or array of shape (n_vertices,), optional
    hemi : {"left", "right", "both"}, default="left"
    view : str or (elevation, azimuth) in degrees, optional
    engine : {"matplotlib"}, default="matplotlib"
    cmap : colour map or name, default="RdBu_r"
    colorbar : bool, default=True
    avg_method : {"mean", "median", "min", "max"} or function, optional
    threshold : float, optional
        Values nearer to 0 are not shown.
    alpha : float, optional
        Opacity of the background.
    bg_on_data : bool, default=False
    vmin, vmax : float, optional
        Given both, they are the range. Default: from -m to m, m the largest magnitude.
    symmetric_cbar : bool or "auto", default="auto"
        Show all of the range in the colour bar (True), or the part on the values' side of 0. "auto": all of it where
        values of both signs are there.
    cbar_tick_format : str, default="auto"
    title : str, optional
    title_font_size : float, optional
    output_file : path, optional
    axes : Axes3D, optional
    figure : figure, number, or size in inches, optional
    **kwargs : dict
        For `plot_surf`.

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    ValueError
        As `plot_surf`, or without `stat_map`.
    """
    checks.one_of(True, False, "auto")("symmetric_cbar", symmetric_cbar)
    _, values = mesh_and_values(surf_mesh, stat_map, hemi, "stat_map", needed=True)
    low, high = limits(values, vmin, vmax, symmetric=not (vmin is not None and vmax is not None))
    bar = bar_of_one_side(values, low, high, symmetric_cbar)
    return plot_surf(
        surf_mesh, stat_map, bg_map, hemi, view, engine, cmap, None, colorbar, avg_method, threshold, alpha,
        bg_on_data, low, high, bar[0], bar[1], cbar_tick_format, title, title_font_size, output_file, axes, figure,
        **kwargs,
    )  # fmt: skip


def plot_surf_roi(
    surf_mesh: Any = None,
    roi_map: Any = None,
    bg_map: Any = None,
    hemi: Hemi = "left",
    view: View = None,
    engine: Literal["matplotlib"] = "matplotlib",
    cmap: ColormapLike = "gist_ncar",
    colorbar: bool = True,
    avg_method: Average = None,
    threshold: float | None = None,
    alpha: float | None = None,
    bg_on_data: bool = False,
    vmin: float | None = None,
    vmax: float | None = None,
    cbar_tick_format: str = "auto",
    title: str | None = None,
    title_font_size: float | None = None,
    output_file: PathLike | None = None,
    axes: Axes3D | None = None,
    figure: Any = None,
    **kwargs: Any,
) -> Figure:
    """Plot regions: labels at the vertices of a mesh.

    Parameters
    ----------
    surf_mesh : path, mesh, pair of arrays, PolyMesh or dict, optional
        For one hemisphere, or with the parts "left" and "right"; never changed. Default: the mesh of the values.
    roi_map : SurfaceImage, PolyData, dict, path or array of shape (n_vertices,), or None
        Labels, whole numbers; NaN is no label. The median of a face's three is its label.
    bg_map : SurfaceImage, PolyData, dict, path or array of shape (n_vertices,), optional
    hemi : {"left", "right", "both"}, default="left"
    view : str or (elevation, azimuth) in degrees, optional
    engine : {"matplotlib"}, default="matplotlib"
    cmap : colour map or name, default="gist_ncar"
    colorbar : bool, default=True
    avg_method : {"mean", "median", "min", "max"} or function, optional
        Default: "median", which is one of the three labels.
    threshold : float, optional
        Labels nearer to 0 are not shown; 0.5 hides the label 0. Default: all are shown.
    alpha : float, optional
        Opacity of the background.
    bg_on_data : bool, default=False
    vmin, vmax : float, optional
        Default: from the lowest label to the highest plus 1.
    cbar_tick_format : str, default="auto"
        "auto": whole numbers.
    title : str, optional
    title_font_size : float, optional
    output_file : path, optional
    axes : Axes3D, optional
    figure : figure, number, or size in inches, optional
    **kwargs : dict
        For `plot_surf`.

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    ValueError
        As `plot_surf`; without `roi_map`; if labels are no whole numbers.
    """
    _, values = mesh_and_values(surf_mesh, roi_map, hemi, "roi_map", needed=True)
    labels = _labels_of(values)
    low = float(labels.min()) if vmin is None else vmin
    high = float(labels.max()) + 1 if vmax is None else vmax
    return plot_surf(
        surf_mesh, roi_map, bg_map, hemi, view, engine, cmap, None, colorbar, avg_method or "median", threshold, alpha,
        bg_on_data, low, high, cbar_tick_format="%i" if cbar_tick_format == "auto" else cbar_tick_format, title=title,
        title_font_size=title_font_size, output_file=output_file, axes=axes, figure=figure, **kwargs,
    )  # fmt: skip


def plot_surf_contours(
    surf_mesh: Any = None,
    roi_map: Any = None,
    hemi: Hemi = "left",
    levels: Sequence[float] | None = None,
    labels: Sequence[str | None] | None = None,
    colors: Sequence[Any] | None = None,
    legend: bool = False,
    cmap: ColormapLike = "tab20",
    title: str | None = None,
    output_file: PathLike | None = None,
    axes: Axes3D | None = None,
    figure: Any = None,
    **kwargs: Any,
) -> Figure:
    """Draw the borders of regions on a mesh: faces that reach over a border get the region's colour.

    Parameters
    ----------
    surf_mesh : path, mesh, pair of arrays, PolyMesh or dict, optional
        For one hemisphere, or with the parts "left" and "right"; never changed. Default: the mesh of the values.
    roi_map : SurfaceImage, PolyData, dict, path or array of shape (n_vertices,), or None
        Labels, whole numbers.
    hemi : {"left", "right", "both"}, default="left"
    levels : sequence of int, optional
        Labels whose borders are drawn. Default: all but 0 … where 0 is one of them.
    labels : sequence of str or None, optional
        Names for the legend, one a level.
    colors : sequence of colours, optional
        One a level. Default: of `cmap`.
    legend : bool, default=False
    cmap : colour map or name, default="tab20"
    title : str, optional
    output_file : path, optional
    axes : Axes3D, optional
    figure : figure that `plot_surf` or one of its kin returned, optional
        Borders are drawn on the mesh there. Default: the mesh is drawn first.
    **kwargs : dict
        For `plot_surf`, where the mesh is drawn: ``bg_map``, ``view`` …

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If a level is no label of the map; levels, labels and colours differ in number; the figure holds another mesh.
    """
    mesh, values = mesh_and_values(surf_mesh, roi_map, hemi, "roi_map", needed=True)
    present = np.unique(_labels_of(values))
    chosen = np.asarray(present[present != 0] if levels is None else list(levels))
    unknown = [level for level in chosen.tolist() if level not in present]
    if unknown or not len(chosen):
        raise ValueError(
            f"levels: {unknown or 'none'} is no label of roi_map; its labels are {checks.found(present.tolist())}."
        )
    names = _one_a_level("labels", labels, len(chosen), [None] * len(chosen))
    paints = _one_a_level("colors", colors, len(chosen), _colours_in_turn(cmap, len(chosen)))
    if figure is None and axes is None:
        figure = plot_surf(surf_mesh if surf_mesh is not None else roi_map.mesh, hemi=hemi, **kwargs)
    elif kwargs:
        raise TypeError(
            f"{', '.join(kwargs)}: of the mesh, which is drawn already where figure or axes are given."
        )
    ax = axes if axes is not None else _mesh_axes(figure)
    collection = _collection_of(ax, len(mesh.faces))
    faces = collection.brainsieve_colours.copy()
    for level, colour in zip(chosen, paints, strict=True):
        inside = (values == level)[mesh.faces]
        faces[inside.any(axis=1) & ~inside.all(axis=1)] = _rgba(colour)
    _colour(collection, faces)
    figure = ax.get_figure()
    if legend:
        _draw_legend(ax, names, paints, chosen)
    if title is not None:
        figure.suptitle(title)
    save(figure, output_file)
    return figure


def mesh_and_values(
    surf_mesh: Any, surf_map: Any, hemi: str, name: str, needed: bool = False
) -> tuple[Drawn, NDArray[np.float64] | None]:
    """What is to be drawn: a mesh of the asked hemispheres, and values at its vertices.

    Parameters
    ----------
    surf_mesh, surf_map : object
        As `plot_surf` takes.
    hemi : {"left", "right", "both"}
    name : str
        Of `surf_map`, for messages.
    needed : bool, default=False
        Refuse None for `surf_map`.

    Raises
    ------
    ValueError, TypeError
        As `plot_surf` says.
    """
    checks.one_of(*HEMIS)("hemi", hemi)
    if needed and surf_map is None:
        raise ValueError(f"{name} must be values at the vertices; None was given.")
    if surf_mesh is None:
        if not hasattr(surf_map, "mesh"):
            raise TypeError(
                f"surf_mesh is needed where {name} is no SurfaceImage; {_kind(surf_map)} was given."
            )
        surf_mesh = surf_map.mesh
    mesh = drawn_mesh(getattr(surf_mesh, "mesh", surf_mesh), hemi)
    values = None if surf_map is None else values_at(surf_map, mesh, name)
    return mesh, values


def drawn_mesh(surf_mesh: Any, hemi: str) -> Drawn:
    """A copy of the hemispheres that are asked for, which do not lie in each other."""
    is_parts = hasattr(surf_mesh, "parts") or (isinstance(surf_mesh, dict) and "coordinates" not in surf_mesh)
    if not is_parts and hemi == "both":
        raise ValueError(
            "hemi='both' needs a mesh with the parts 'left' and 'right' (a PolyMesh or a dict); "
            f"{_kind(surf_mesh)} is one mesh."
        )
    with checks.naming("surf_mesh"):
        parts = polymesh(surf_mesh).parts if is_parts else {hemi: load_surf_mesh(surf_mesh)}
    wanted = HEMISPHERES if hemi == "both" else (hemi,)
    missing = [part for part in wanted if part not in parts]
    if missing:
        raise ValueError(
            f"hemi={hemi!r}: the mesh has no {missing[0]} hemisphere; it has {' and '.join(parts)}."
        )
    points = [np.array(parts[part].coordinates, dtype=np.float64) for part in wanted]
    if len(points) == 2:
        overlap = points[0][:, 0].max() - points[1][:, 0].min() + GAP_MM
        if overlap > GAP_MM:
            points[0][:, 0] -= overlap / 2
            points[1][:, 0] += overlap / 2
    starts = np.cumsum([0, *map(len, points)])
    faces = [np.asarray(parts[part].faces) + start for part, start in zip(wanted, starts, strict=False)]
    sizes = {part: len(own) for part, own in zip(wanted, points, strict=True)}
    return Drawn(np.concatenate(points), np.concatenate(faces), sizes)


def values_at(surf_map: Any, mesh: Drawn, name: str) -> NDArray[np.float64]:
    """Values at the vertices of a drawn mesh, as floats; NaN for one of two hemispheres that the map lacks."""
    _refuse_volume(surf_map, name)
    data = getattr(surf_map, "data", surf_map) if hasattr(surf_map, "mesh") else surf_map
    parts = getattr(data, "parts", data if isinstance(data, dict) else None)
    if parts is None:
        return _checked_values(data, mesh.n_vertices, name)
    there = [part for part in mesh.sizes if parts.get(part) is not None]
    if not there:
        raise ValueError(
            f"{name} has no values for the {' and '.join(mesh.sizes)} hemisphere; it has {list(parts)}."
        )
    return np.concatenate(
        [
            _checked_values(parts[part], size, f"{name} ({part})") if part in there else np.full(size, np.nan)
            for part, size in mesh.sizes.items()
        ]
    )


def _refuse_volume(surf_map: Any, name: str) -> None:
    if hasattr(surf_map, "affine") and hasattr(surf_map, "shape"):
        raise TypeError(
            f"{name} is a volume ({_kind(surf_map)}); sample it on the mesh with brainsieve.surface.vol_to_surf, "
            "or use plot_img_on_surf."
        )


def _checked_values(data: Any, n_vertices: int, name: str) -> NDArray[np.float64]:
    with checks.naming(name):
        values = np.asarray(load_surf_data(data, n_vertices))
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(
            f"{name} has shape {values.shape}; one value a vertex is drawn. Take one sample, as values[:, 0]."
        )
    if len(values) != n_vertices:
        raise MeshDimensionError(f"{name} has {len(values)} values, the mesh {n_vertices} vertices.")
    return values.astype(np.float64)


def _labels_of(values: NDArray | None) -> NDArray[np.float64]:
    assert values is not None
    labels = values[np.isfinite(values)]
    if not len(labels):
        raise ValueError("roi_map has no label: all its values are NaN or infinite.")
    if (labels != np.round(labels)).any():
        odd = labels[labels != np.round(labels)][0]
        raise ValueError(
            f"roi_map must hold whole numbers, the labels of regions; {odd:g} is one of its values."
        )
    return labels


def face_values(values: NDArray, faces: NDArray, average: Any) -> NDArray[np.float64]:
    """A value for each face, of those at its three vertices; NaN where one of them has none.

    Parameters
    ----------
    values : array of shape (n_vertices,)
    faces : array of int, shape (n_faces, 3)
    average : {"mean", "median", "min", "max"} or function of an array of shape (3,)
    """
    # As it is: infinite values have no colour either.
    corners = np.where(np.isfinite(values), values, np.nan)[faces]
    if not callable(average):
        checks.one_of(*AVERAGES)("avg_method", average)
        return AVERAGES[average](corners, axis=1)
    made = [average(corner) for corner in corners]
    if not all(isinstance(value, numbers.Real) for value in made):
        raise ValueError("avg_method must return one number for the three values of a face.")
    return np.array(made, dtype=np.float64)


def limits(
    values: NDArray | None, vmin: float | None, vmax: float | None, symmetric: bool
) -> tuple[float, float]:
    """The range of colours: given bounds, else that of finite values; symmetric about 0 where asked for.

    Raises
    ------
    ValueError
        If the lower bound is not below the upper one.
    """
    finite = np.zeros(0) if values is None else values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    if symmetric:
        given = [abs(bound) for bound in (vmin, vmax) if bound is not None]
        high = max(given) if given else max(abs(low), abs(high))
        low = -high
    else:
        low, high = low if vmin is None else vmin, high if vmax is None else vmax
    if low > high:
        raise ValueError(f"vmin={low:g} is above vmax={high:g}; the values lie within {_span(finite)}.")
    # A constant map has a colour too.
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def bar_of_one_side(values: NDArray | None, low: float, high: float, symmetric: Any) -> tuple[float, float]:
    """The part of a range that a colour bar shows: all, or that on the side of 0 where all values are."""
    finite = np.zeros(0) if values is None else values[np.isfinite(values)]
    if symmetric is True or not len(finite) or low >= 0 or high <= 0:
        return low, high
    if finite.min() >= 0:
        return 0.0, high
    if finite.max() <= 0:
        return low, 0.0
    return (low, high) if symmetric == "auto" else (max(low, finite.min()), min(high, finite.max()))


def camera(view: View, hemi: str) -> tuple[float, float]:
    """Elevation and azimuth of a view, in degrees.

    Raises
    ------
    ValueError
        If the view is not known for the hemisphere; those that are, are named.
    """
    if view is None:
        view = "dorsal" if hemi == "both" else "lateral"
    known = VIEWS[hemi]
    if isinstance(view, str):
        if view not in known:
            raise ValueError(
                f"view={view!r} is not known for hemi={hemi!r}; there are {', '.join(map(repr, known))}, or a pair of "
                f"angles (elevation, azimuth).{checks.nearest(view, known)}"
            )
        return known[view]
    angles = np.asarray(view, dtype=object)
    if angles.shape != (2,) or not all(
        isinstance(angle, numbers.Real) and np.isfinite(float(angle)) for angle in angles
    ):
        raise ValueError(
            f"view must be a name or two angles in degrees (elevation, azimuth); {checks.found(view)} was given."
        )
    return float(angles[0]), float(angles[1])


def background_greys(mesh: Drawn, bg_map: Any, towards: NDArray) -> NDArray[np.float64]:
    """The grey of each vertex, 0 … 1: high values of a map are dark; without one, light falls from the viewer."""
    if bg_map is None:
        facing = np.abs(_normals(mesh) @ towards)
        return BARE - SHADE * (1 - facing)
    values = values_at(bg_map, mesh, "bg_map")
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.full(mesh.n_vertices, BARE)
    low, high = np.percentile(finite, [2, 98])
    share = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    return np.where(np.isfinite(values), 0.85 - 0.5 * share, BARE)


def _normals(mesh: Drawn) -> NDArray[np.float64]:
    corners = mesh.coordinates[mesh.faces]
    of_faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros((mesh.n_vertices, 3))
    for corner in range(3):
        np.add.at(normals, mesh.faces[:, corner], of_faces)
    lengths = np.linalg.norm(normals, axis=1)
    return normals / np.where(lengths > 0, lengths, 1.0)[:, None]


def blended(
    greys: NDArray,
    values: NDArray | None,
    paint: Any,
    threshold: float | None,
    alpha: float,
    bg_on_data: bool,
) -> NDArray[np.float64]:
    """Colours (n, 4) of vertices or faces: that of the value, else the background's grey."""
    colours = np.repeat(greys[:, None], 4, axis=1)
    colours[:, 3] = alpha
    if values is None:
        return colours
    shown = np.isfinite(values)
    if threshold is not None:
        shown &= np.abs(np.nan_to_num(values)) >= threshold
    of_values = np.asarray(paint.to_rgba(np.where(shown, values, 0.0)))[shown]
    if bg_on_data:
        of_values[:, :3] *= greys[shown, None]
    opacity = of_values[:, 3:]
    colours[shown, :3] = opacity * of_values[:, :3] + (1 - opacity) * colours[shown, :3]
    colours[shown, 3] = 1.0
    return colours


def checked_threshold(threshold: float | None) -> float | None:
    checks.a_number_or_none("threshold", threshold)
    return None if threshold is None else float(threshold)


class _Picture:
    """Axes with a mesh, as it is drawn."""

    def __init__(
        self,
        mesh: Drawn,
        hemi: str,
        view: View,
        bg_map: Any,
        alpha: Any,
        bg_on_data: Any,
        axes: Any,
        figure: Any,
    ) -> None:
        checks.a_bool("bg_on_data", bg_on_data)
        checks.a_share_or_none("alpha", alpha)
        self.mesh, self.alpha, self.bg_on_data = (
            mesh,
            1.0 if alpha is None else float(alpha),
            bool(bg_on_data),
        )
        self.elevation, self.azimuth = camera(view, hemi)
        self.greys = background_greys(mesh, bg_map, _towards(self.elevation, self.azimuth))
        self.axes = _axes_of_three_dimensions(axes, figure)
        self.figure = self.axes.get_figure()

    def draw(self, values: NDArray | None, paint: Any, threshold: float | None) -> None:
        from mpl_toolkits.mplot3d.art3d import Poly3DCollection

        threshold = checked_threshold(threshold)
        greys = self.greys[self.mesh.faces].mean(axis=1)
        colours = blended(greys, values, paint, threshold, self.alpha, self.bg_on_data)
        # Without lines of their own, neighbouring faces would show the paper between them.
        collection = Poly3DCollection(self.mesh.coordinates[self.mesh.faces], linewidths=0.3)
        _colour(collection, colours)
        self.axes.add_collection3d(collection, autolim=False)
        self._look()

    def _look(self) -> None:
        ax, points = self.axes, self.mesh.coordinates
        low, high = points.min(axis=0), points.max(axis=0)
        low, high = low - 1e-3, high + 1e-3
        ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
        ax.set_proj_type("ortho")
        ax.view_init(elev=self.elevation, azim=self.azimuth)
        ax.set_box_aspect(tuple(high - low))
        ax.set_box_aspect(tuple(high - low), zoom=FILLED / _share_of_view(ax, points))
        ax.set_axis_off()

    def bar(self, paint: Any, bounds: tuple[float, float], threshold: float | None, tick_format: str) -> None:
        low, high = bounds
        box = self.figure.add_axes(_beside(self.axes))
        bar = self.figure.colorbar(paint, cax=box)
        box.set_ylim(max(low, paint.norm.vmin), min(high, paint.norm.vmax))
        bar.set_ticks(_ticks(low, high, tick_format), labels=None)
        bar.ax.yaxis.set_major_formatter("{x:.2g}" if tick_format == "auto" else _Formatter(tick_format))
        if threshold:
            # What is not shown on the mesh has no colour in the bar.
            box.axhspan(max(low, -threshold), min(high, threshold), color="0.75", zorder=5)

    def finish(self, title: str | None, size: float | None, output_file: Any) -> Figure:
        if title is not None:
            self.axes.set_title(title, fontsize=size, y=0.98)
        save(self.figure, output_file, dpi=150)
        return self.figure


def _share_of_view(ax: Any, points: NDArray) -> float:
    """How much of the axes' width or height points take, whichever is more."""
    from mpl_toolkits.mplot3d.proj3d import proj_transform

    across, up, _ = proj_transform(*points.T, ax.get_proj())
    return max(np.ptp(across) / ax.viewLim.width, np.ptp(up) / ax.viewLim.height)


def _Formatter(tick_format: str) -> Any:  # noqa: N802
    from matplotlib.ticker import FormatStrFormatter

    return FormatStrFormatter(tick_format)


def _ticks(low: float, high: float, tick_format: str) -> list[float]:
    if tick_format == "%i":
        step = max(1, int(np.ceil((high - low) / N_TICKS)))
        return list(np.arange(np.ceil(low), np.floor(high) + 1, step))
    return list(np.linspace(low, high, N_TICKS))


def _beside(axes: Any) -> tuple[float, float, float, float]:
    """Room for a colour bar, in the right margin of axes."""
    place = axes.get_position(original=True)
    axes.set_position((place.x0, place.y0, 0.85 * place.width, place.height))
    return (
        place.x0 + 0.87 * place.width,
        place.y0 + 0.25 * place.height,
        0.03 * place.width,
        0.5 * place.height,
    )


def _axes_of_three_dimensions(axes: Any, figure: Any) -> Any:
    if axes is None:
        return figure_to_draw_on(figure, FIGURE_INCHES).add_axes((0.0, 0.0, 1.0, 1.0), projection="3d")
    if getattr(axes, "name", None) != "3d":
        raise ValueError(f"axes must be of three dimensions (projection='3d'); {_kind(axes)} was given.")
    return axes


def _towards(elevation: float, azimuth: float) -> NDArray[np.float64]:
    """Unit vector from the mesh to the viewer."""
    up, around = np.radians([elevation, azimuth])
    return np.array([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)])


def scalar_paint(cmap: Any, low: float, high: float) -> Any:
    """What gives a value its colour, of a colour map between two values."""
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(low, high), matplotlib.colormaps.get_cmap(cmap))


def _colour(collection: Any, colours: NDArray) -> None:
    """Colour all faces; kept as given, as matplotlib reorders its own by depth when it draws."""
    collection.set_facecolors(colours)
    collection.set_edgecolors(colours)
    collection.brainsieve_colours = colours


def _mesh_axes(figure: Any) -> Any:
    found = [ax for ax in figure.axes if getattr(ax, "name", None) == "3d"]
    if not found:
        raise ValueError("figure has no axes of three dimensions; give one that plot_surf returned.")
    return found[0]


def _collection_of(ax: Any, n_faces: int) -> Any:
    drawn = [own for own in ax.collections if hasattr(own, "brainsieve_colours")]
    if not drawn:
        raise ValueError("No mesh is drawn there yet; give a figure or axes that plot_surf drew on.")
    if len(drawn[0].brainsieve_colours) != n_faces:
        raise MeshDimensionError(
            f"The mesh that is drawn there has {len(drawn[0].brainsieve_colours)} faces, "
            f"the one of the regions {n_faces}."
        )
    return drawn[0]


def _one_a_level(name: str, given: Sequence[Any] | None, count: int, default: list[Any]) -> list[Any]:
    made = default if given is None else list(given)
    if len(made) != count:
        raise ValueError(f"{name} has {len(made)} entries for {count} levels; give one for each.")
    return made


def _colours_in_turn(cmap: Any, count: int) -> list[Any]:
    import matplotlib

    colour_map = matplotlib.colormaps.get_cmap(cmap)
    if colour_map.N < 256:
        return [colour_map(position % colour_map.N) for position in range(count)]
    return [colour_map(position) for position in np.linspace(0, 1, count)]


def _draw_legend(ax: Any, names: list[Any], colours: list[Any], levels: NDArray) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(color=colour, label=f"{level:g}" if name is None else str(name))
        for level, name, colour in zip(levels, names, colours, strict=True)
    ]
    ax.get_figure().legend(handles=handles, loc="lower center", ncols=min(4, len(handles)), frameon=False)


def _rgba(colour: Any) -> tuple[float, float, float, float]:
    from matplotlib.colors import to_rgba

    return to_rgba(colour)


def _span(finite: NDArray) -> str:
    return f"{finite.min():g} … {finite.max():g}" if len(finite) else "nothing: none is finite"


def _kind(value: Any) -> str:
    return type(value).__name__
