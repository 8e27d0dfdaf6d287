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
from brainsieve.engine.domain import Domain, VoxelGrid
from brainsieve.engine.spatial.sphere import sphere_points
from brainsieve.logs import warn
from brainsieve.maskers.fitted import FittedMasker
from brainsieve.maskers.parameters import found
from brainsieve.reporting import Layer, MaskerContent

# Maps and spheres that are shown where nothing else is asked for.
N_SHOWN = 10

# A volume, or what stands for one, with its domain.
Background = tuple[Domain, NDArray] | None
Parts = tuple[Domain, list[Layer], dict[str, str], pd.DataFrame | None]


# What constructors of labels maskers have for `cmap`; the colours of a table of labels come before these.
DEFAULT_CMAPS = ("inferno", "CMRmap_r")


def content_of(
    fitted: FittedMasker,
    title: str,
    background: Background,
    displayed: tuple[str, Any],
    *,
    parameters: Mapping[str, Any],
    warnings: Sequence[str],
    cmap: Any,
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
    """
    domain, layers, facts, regions = parts_of(fitted.atlas, fitted, background, displayed)
    if regions is not None and background is not None:
        place, values = background
        expected, found_ = fitted.atlas.coverage(place, np.isfinite(values) & (values != 0))
        with np.errstate(invalid="ignore", divide="ignore"):
            regions["covered (%)"] = 100.0 * found_ / expected
    if background is not None:
        place, values = background
        background = place, np.where(np.isfinite(values), values, 0).astype(np.float64)
    return MaskerContent(
        title=title,
        kind=f"{fitted.name}: {fitted.n_features} columns",
        canvas=fitted.kind.canvas(domain, background),
        layers=layers,
        facts=facts,
        regions=regions,
        parameters=parameters,
        warnings=warnings,
        cmap=None if cmap in DEFAULT_CMAPS and any(layer.colours for layer in layers) else cmap,
    )


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
    return home.domain, [Layer("regions", codes, "labels", _colours(atlas))], facts, pd.DataFrame(table)


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
    """Where spheres are drawn: the mask, else the image given to `fit`, else a box of 4 mm around them."""
    for domain in (fitted.home, background and background[0]):
        if isinstance(domain, VoxelGrid):
            return domain
    low, high = atlas.centres.min(axis=0) - 24, atlas.centres.max(axis=0) + 24
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = low
    nx, ny, nz = (int(n) for n in np.ceil((high - low) / 4) + 1)
    return VoxelGrid((nx, ny, nz), affine)


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
