"""What a fitted masker's report shows: layers, facts, and the table of its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainsieve.atlas import Atlas, Labels, Maps, Points, Spheres
from brainsieve.atlas.base import plural_of
from brainsieve.checks import found
from brainsieve.drawing import Layer
from brainsieve.engine.domain import Domain, VoxelGrid
from brainsieve.engine.spatial.sphere import sphere_points
from brainsieve.logs import warn
from brainsieve.maskers.fitted import FittedMasker
from brainsieve.pages import MaskerContent

# Maps and spheres that are shown where nothing else is asked for.
N_SHOWN = 10

# A volume, or what stands for one, with its domain.
Background = tuple[Domain, NDArray] | None
Parts = tuple[Domain, list[Layer], dict[str, str], pd.DataFrame | None]


def content_of(
    fitted: FittedMasker,
    title: str,
    background: Background,
    displayed: tuple[str, Any],
    *,
    parameters: Mapping[str, Any],
    warnings: Sequence[str],
    cmap: Any,
    cmap_is_own: bool,
) -> MaskerContent:
    """What the report of a masker shows.

    Parameters
    ----------
    fitted : FittedMasker
    title : str
    background : (Domain, array of shape (n_points,)) or None
    displayed : (str, object)
        The keyword that chooses what is shown, and its value.
    parameters, warnings, cmap
        For `MaskerContent`.
    cmap_is_own : bool
        Whether `cmap` is the masker's own default: colours of a table then come first.
    """
    remark = None
    covered = np.nan if background is None else _covered(fitted, background)
    if background is None and isinstance(fitted.atlas, Spheres) and fitted.home is None:
        background, remark = template(), "No image was given to fit: the background is the MNI152 template."
    domain, layers, facts, regions = parts_of(fitted.atlas, fitted, background, displayed)
    if regions is not None:
        # The column is there without an image too, so that tables of many reports can be put together.
        regions["covered (%)"] = covered
    if background is not None:
        place, values = background
        background = place, np.where(np.isfinite(values), values, 0).astype(np.float64)
    if cmap_is_own and any(layer.colours is not None for layer in layers):
        cmap = None
    canvas = fitted.kind.canvas(domain, background)
    return MaskerContent(
        title=title,
        kind=f"{fitted.name}: {fitted.n_features} columns",
        canvas=canvas,
        layers=layers,
        facts=facts,
        regions=regions,
        parameters=parameters,
        warnings=warnings,
        cmap=cmap,
        remark=remark,
    )


def _covered(fitted: FittedMasker, background: tuple[Domain, NDArray]) -> NDArray[np.float64]:
    """Share of each column that a volume covers, in percent."""
    place, values = background
    expected, found_ = fitted.atlas.coverage(place, np.isfinite(values) & (values != 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(100.0 * found_ / expected)


def template() -> tuple[Domain, NDArray]:
    """The MNI152 template, with its grid."""
    from brainsieve.datasets.mni import load_mni152_template

    img = load_mni152_template(resolution=2)
    nx, ny, nz = img.shape
    grid = VoxelGrid((nx, ny, nz), img.affine)
    return grid, grid.flatten(np.asarray(img.dataobj))


@singledispatch
def parts_of(atlas: Atlas, fitted: FittedMasker, background: Background, displayed: tuple[str, Any]) -> Parts:
    """Domain, layers, facts and table of an atlas; open to new kinds."""
    raise TypeError(f"Nothing is known of how to show {type(atlas).__name__}.")


@parts_of.register
def _of_points(atlas: Points, fitted: FittedMasker, background: Background, displayed: Any) -> Parts:
    n, n_points, many = atlas.n_features, len(atlas.inside), plural_of(fitted.kind.point)
    whole = "of the grid" if isinstance(atlas.domain, VoxelGrid) else "of all"
    facts = {f"{many} in the mask": f"{n:,}", whole: f"{n / n_points:.1%}"}
    if isinstance(atlas.domain, VoxelGrid):
        facts["volume"] = f"{_voxel_mm3(atlas.domain) * n / 1000:,.1f} cm³"
    mask = fitted.kind.shaped(atlas.inside.astype(np.uint8), atlas.domain)
    return atlas.domain, [Layer("mask", mask, "mask")], facts, None


@parts_of.register
def _of_labels(atlas: Labels, fitted: FittedMasker, background: Background, displayed: Any) -> Parts:
    home = fitted.at_home()
    sizes, many = home.sizes, plural_of(fitted.kind.point)
    table = {"id": atlas.ids, "name": atlas.names, many: sizes}
    if isinstance(home.domain, VoxelGrid):
        table["size (mm³)"] = sizes * _voxel_mm3(home.domain)
    table["share (%)"] = 100.0 * sizes / max(1, sizes.sum())
    facts = {
        "regions": f"{atlas.n_features:,}",
        f"{many} in regions": f"{int(sizes.sum()):,}",
        "smallest region": f"{sizes.min():,} {many}",
    }
    codes = fitted.kind.shaped(home.codes.astype(np.int32), home.domain)
    layer = Layer("regions", codes, "labels", _colours(atlas), fitted.column_names())
    return home.domain, [layer], facts, pd.DataFrame(table)


@parts_of.register
def _of_maps(atlas: Maps, fitted: FittedMasker, background: Background, displayed: tuple[str, Any]) -> Parts:
    home = fitted.at_home()
    positions = displayed_positions(displayed[1], atlas.n_features, displayed[0])
    names = atlas.names or [f"map {i}" for i in range(atlas.n_features)]
    layers = [
        Layer(names[i], fitted.kind.shaped(home.weights[[i]].toarray()[0], home.domain), "weights")
        for i in positions
    ]
    largest = abs(home.weights).max(axis=1).toarray().ravel().astype(float)
    maps = list(atlas.names or range(atlas.n_features))
    table = {"map": maps, plural_of(fitted.kind.point): home.sizes, "largest weight": largest}
    facts = {"maps": f"{atlas.n_features:,}", "shown": f"{len(positions):,}"}
    return home.domain, layers, facts, pd.DataFrame(table)


@parts_of.register
def _of_spheres(
    atlas: Spheres, fitted: FittedMasker, background: Background, displayed: tuple[str, Any]
) -> Parts:
    grid = _grid_around(atlas, fitted, background)
    positions = displayed_positions(displayed[1], atlas.n_features, displayed[0])
    names = atlas.names or [f"sphere {i}" for i in range(atlas.n_features)]
    layers = []
    for i in positions:
        values = np.zeros(grid.n_points)
        values[sphere_points(grid, atlas.centres[i], max(atlas.radii[i], grid.voxel_sizes_mm.max()))] = 1
        layers.append(Layer(names[i], fitted.kind.shaped(values, grid), "sphere"))
    regions = pd.DataFrame(atlas.centres, columns=["x (mm)", "y (mm)", "z (mm)"])
    regions.insert(0, "seed", list(atlas.names or range(atlas.n_features)))
    regions["radius (mm)"] = atlas.radii
    return grid, layers, {"seeds": f"{atlas.n_features:,}", "shown": f"{len(positions):,}"}, regions


def _grid_around(atlas: Spheres, fitted: FittedMasker, background: Background) -> VoxelGrid:
    """Where spheres are drawn: the mask, else the background."""
    domain = fitted.home or (background and background[0])
    assert isinstance(domain, VoxelGrid)
    return domain


def _voxel_mm3(grid: VoxelGrid) -> float:
    return float(abs(np.linalg.det(grid.affine[:3, :3])))


def _colours(atlas: Labels) -> list[str] | None:
    """Colour of each column as ``#RRGGBB``, where the table has all."""
    rows = atlas.rows
    if "color" not in rows.columns or rows["color"].isna().any():
        return None
    colours = ["#" + str(colour).lstrip("#")[:6] for colour in rows["color"]]
    return colours if all(len(colour) == 7 for colour in colours) else None


def displayed_positions(displayed: Any, n: int, name: str) -> list[int]:
    """Positions of what a report shows: the first so many (None: 10), those listed, or all.

    Those beyond the last are left out, with a warning.

    Raises
    ------
    TypeError, ValueError
        If it is none of these, or negative.
    """
    if isinstance(displayed, str) and displayed == "all":
        return list(range(n))
    if displayed is None:
        return list(range(min(N_SHOWN, n)))
    if isinstance(displayed, int | np.integer) and not isinstance(displayed, bool):
        if displayed > n:
            warn(f"{name}={displayed}, but there are {n}; all are shown.")
        return list(range(min(int(displayed), n)))
    array = np.asarray(displayed)
    if isinstance(displayed, str | bool) or array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(
            f"{name} must be an integer, a list of integers or 'all'; {found(displayed)} was given."
        )
    if array.size and array.min() < 0:
        raise ValueError(f"{name} goes from 0 to {n - 1}; {displayed!r} was given.")
    beyond = sorted({int(i) for i in array if i >= n})
    if beyond:
        warn(f"{name} has {beyond}, but positions go from 0 to {n - 1}; these are left out.")
    return [int(i) for i in array if i < n]
