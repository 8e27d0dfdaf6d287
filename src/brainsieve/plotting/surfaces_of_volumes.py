"""Volumes sampled on the two hemispheres of a surface, and pictures of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from brainsieve import checks
from brainsieve.engine.mesh import HEMISPHERES
from brainsieve.image import check_niimg_3d
from brainsieve.plotting.figures import save
from brainsieve.plotting.surfaces import VIEWS, bar_of_one_side, limits, plot_surf, scalar_paint
from brainsieve.surface import PolyMesh, vol_to_surf
from brainsieve.surface.meshes import polymesh
from brainsieve.typing import ColormapLike, NiimgLike, PathLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d import Axes3D

# Of one view, and of the colour bar below all.
VIEW_INCHES = 2.15
BAR_INCHES = 0.5


@dataclass(frozen=True)
class Meshes:
    """Where a volume is sampled, and what is drawn.

    Attributes
    ----------
    pial : PolyMesh
        Sampled.
    inflated : PolyMesh or None
    sulci : dict of str to object
        Depths of sulci, where they are there, for the background.
    """

    pial: PolyMesh
    inflated: PolyMesh | None = None
    sulci: dict[str, Any] = field(default_factory=dict)

    def drawn(self, inflate: bool) -> PolyMesh:
        return self.inflated if inflate and self.inflated is not None else self.pial


def plot_img_on_surf(
    stat_map: NiimgLike,
    surf_mesh: Any = "fsaverage5",
    mask_img: NiimgLike | None = None,
    hemispheres: Sequence[str] | None = None,
    views: Sequence[str] | None = None,
    cmap: ColormapLike = "RdBu_r",
    colorbar: bool = True,
    threshold: float | None = None,
    bg_on_data: bool = False,
    inflate: bool = False,
    vmin: float | None = None,
    vmax: float | None = None,
    symmetric_cbar: bool | Literal["auto"] = "auto",
    cbar_tick_format: str = "%i",
    title: str | None = None,
    output_file: PathLike | None = None,
    **kwargs: Any,
) -> tuple[Figure, list[Axes3D]] | None:
    """Sample a volume on surfaces and plot these from several sides.

    Parameters
    ----------
    stat_map : image-like
        3-D, in the space of the meshes.
    surf_mesh : str, PolyMesh or dict, default="fsaverage5"
        Name of a surface that comes with the package; a PolyMesh or a dict with the parts "left" and "right"; or a dict
        of ``pial_left``, ``pial_right`` and, where they are there, ``infl_left``, ``sulc_left`` …
    mask_img : image-like, optional
        Voxels outside are left out.
    hemispheres : sequence of {"left", "right", "both"}, optional
        Columns. Default: left and right.
    views : sequence of str, optional
        Rows. Default: lateral and medial; of both hemispheres: dorsal and ventral.
    cmap : colour map or name, default="RdBu_r"
    colorbar : bool, default=True
        One for all, below.
    threshold : float, optional
        Values nearer to 0 are not shown.
    bg_on_data : bool, default=False
    inflate : bool, default=False
        Draw the inflated surface.
    vmin, vmax : float, optional
        Default: symmetric about 0, by the largest magnitude on the surfaces.
    symmetric_cbar : bool or "auto", default="auto"
        Show all of the range in the colour bar (True), or the part on the values' side of 0. "auto": all of it where
        values of both signs are there.
    cbar_tick_format : str, default="%i"
    title : str, optional
    output_file : path, optional
        Save the picture there, and return None.
    **kwargs : dict
        For `plot_surf`.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : list of Axes3D
        Row by row.

    Raises
    ------
    TypeError
        For a surface or a 4-D image.
    ValueError
        For hemispheres and views that are not known, or meshes that are not there.
    """
    import matplotlib.pyplot as plt

    checks.one_of(True, False, "auto")("symmetric_cbar", symmetric_cbar)
    for name in {"surf_map", "hemi", "view", "axes", "figure", "engine"} & set(kwargs):
        raise TypeError(f"{name}: plot_img_on_surf sets it for each view; use hemispheres and views.")
    meshes = meshes_of(surf_mesh)
    columns, rows = _checked_views(hemispheres, views, meshes)
    if inflate and meshes.inflated is None:
        raise ValueError("inflate=True needs inflated meshes; give a dict with infl_left and infl_right.")
    values = sampled(stat_map, "stat_map", meshes, mask_img, {})
    both = np.concatenate(list(values.values()))
    low, high = limits(both, vmin, vmax, symmetric=not (vmin is not None and vmax is not None))
    size = (VIEW_INCHES * len(columns), VIEW_INCHES * len(rows) + BAR_INCHES)
    figure = plt.figure(figsize=size)
    bar_share = BAR_INCHES / size[1]
    axes = []
    for row, view in enumerate(rows):
        for column, hemi in enumerate(columns):
            height = (1 - bar_share) / len(rows)
            box = (column / len(columns), 1 - (row + 1) * height, 1 / len(columns), height)
            axes.append(figure.add_axes(box, projection="3d"))
            plot_surf(
                meshes.drawn(inflate), values, kwargs.get("bg_map", meshes.sulci or None), hemi=hemi, view=view,
                cmap=cmap, colorbar=False, threshold=threshold, bg_on_data=bg_on_data, vmin=low, vmax=high,
                axes=axes[-1], **{key: value for key, value in kwargs.items() if key != "bg_map"},
            )  # fmt: skip
    if colorbar:
        bar = figure.colorbar(
            scalar_paint(cmap, low, high),
            cax=figure.add_axes((0.25, 0.65 * bar_share, 0.5, 0.2 * bar_share)),
            orientation="horizontal",
            format=cbar_tick_format,
        )
        bar.ax.set_xlim(*bar_of_one_side(both, low, high, symmetric_cbar))
        if threshold:
            bar.ax.axvspan(-threshold, threshold, color="0.75", zorder=5)
    if title is not None:
        figure.suptitle(title, y=0.99, va="top")
    if output_file is not None:
        save(figure, output_file, dpi=150)
        plt.close(figure)
        return None
    return figure, axes


def meshes_of(surf_mesh: Any) -> Meshes:
    """Meshes of a user's: both hemispheres, to sample on and to draw.

    Raises
    ------
    ValueError, TypeError
        For what is none of the forms that `plot_img_on_surf` names.
    """
    if isinstance(surf_mesh, str):
        return _named(surf_mesh)
    if isinstance(surf_mesh, Mapping) and any(f"pial_{part}" in surf_mesh for part in HEMISPHERES):
        kinds = {
            kind: {part: surf_mesh[f"{kind}_{part}"] for part in HEMISPHERES if f"{kind}_{part}" in surf_mesh}
            for kind in ("pial", "infl", "sulc")
        }
        return Meshes(
            PolyMesh(**kinds["pial"]), PolyMesh(**kinds["infl"]) if kinds["infl"] else None, kinds["sulc"]
        )
    with checks.naming("surf_mesh"):
        return Meshes(polymesh(dict(surf_mesh) if isinstance(surf_mesh, Mapping) else surf_mesh))


def _named(name: str) -> Meshes:
    raise ValueError(
        f"surf_mesh={name!r} is not a surface that comes with the package; give a PolyMesh, or a dict of pial_left, "
        "pial_right and, if there are, infl_left, infl_right, sulc_left, sulc_right."
    )


def sampled(
    img: Any, name: str, meshes: Meshes, mask_img: Any, options: Mapping[str, Any]
) -> dict[str, NDArray[np.float64]]:
    """Values of a 3-D volume at the vertices of each hemisphere."""
    if hasattr(img, "mesh"):
        raise TypeError(f"{name} is an image of a surface already; use plot_surf_stat_map or view_surf.")
    with checks.naming(name):
        img = check_niimg_3d(img)
    given = {"mask_img": mask_img, **options}
    return {part: vol_to_surf(img, mesh, **given) for part, mesh in meshes.pial.parts.items()}


def _checked_views(hemispheres: Any, views: Any, meshes: Meshes) -> tuple[list[Any], list[str]]:
    there = list(meshes.pial.parts)
    columns = there if hemispheres is None else _listed(hemispheres)
    known = [*there, *(["both"] if len(there) == 2 else [])]
    for hemi in columns:
        if hemi not in known:
            raise ValueError(
                f"hemispheres: {hemi!r} is none of {', '.join(map(repr, known))}.{checks.nearest(hemi, known)}"
            )
    default = ["dorsal", "ventral"] if "both" in columns else ["lateral", "medial"]
    rows = default if views is None else _listed(views)
    for view in rows:
        for hemi in columns:
            if view not in VIEWS[hemi]:
                raise ValueError(
                    f"views: {view!r} is no view of hemi={hemi!r}; there are {', '.join(map(repr, VIEWS[hemi]))}."
                )
    if not rows or not columns:
        raise ValueError("hemispheres and views must name at least one each.")
    return columns, rows


def _listed(given: Any) -> list[Any]:
    return [given] if isinstance(given, str) else list(given)
