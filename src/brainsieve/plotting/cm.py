"""Colour maps for statistical maps, beyond those of matplotlib.

Each is a name of this module (``cm.cold_hot``), made when it is first asked for; functions of this package take the
name too (``cmap="cold_hot"``). With ``_r`` a map is reversed. matplotlib does not know them by name: nilearn registers
maps of the same names, and fails where somebody else has.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.checks import a_number_within, found, nearest

if TYPE_CHECKING:
    from matplotlib.colors import Colormap, LinearSegmentedColormap

    from brainsieve.typing import ColormapLike

N_COLOURS = 256
# Two halves each: a map of matplotlib, the order in which its red, green and blue are taken, and whether it is
# reversed. The first half ends, the second begins at the middle of the range.
_HALVES = {
    "cold_hot": (("hot", "bgr", True), ("hot", "rgb", False)),
    "cold_white_hot": (("hot", "bgr", False), ("hot", "rgb", True)),
    "hot_white_bone": (("hot", "rgb", False), ("bone", "rgb", True)),
    "hot_black_bone": (("hot", "rgb", True), ("bone", "rgb", False)),
    "ocean_hot": (("ocean", "rgb", False), ("hot", "rgb", True)),
    "brown_blue": (("bone", "bgr", True), ("bone", "rgb", False)),
    "brown_cyan": (("Blues", "bgr", False), ("Blues", "rgb", True)),
    "cyan_copper": (("copper", "bgr", True), ("copper", "rgb", False)),
    "cyan_orange": (("YlOrBr", "bgr", False), ("YlOrBr", "rgb", True)),
    "blue_red": (("Reds", "bgr", False), ("Reds", "rgb", True)),
    "blue_orange": (("Oranges", "bgr", False), ("Oranges", "rgb", True)),
    "purple_blue": (("Blues", "grb", False), ("Blues", "rgb", True)),
    "purple_green": (("Greens", "grb", False), ("Greens", "rgb", True)),
}
# One map of matplotlib with its red, green and blue in another order.
_WHOLE = {
    "black_blue": "bgr",
    "black_green": "grb",
    "black_pink": "rbg",
    "black_purple": "gbr",
    "black_red": "rgb",
}
_PURE = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}
# Colours at even distances, after the palettes of the same names of Connectome Workbench.
_ANCHORS = {
    "roy_big_bl": (
        "#00ffff #00ffee #00f800 #0fb900 #585c2b #6c0094 #2d008f #000080 #000025 "
        "#240000 #570000 #890000 #be0000 #f80000 #ff7000 #ffc800 #ffff00"
    ),
    "videen_style": (
        "#000000 #a7a7a7 #d8d8d8 #f9f9f9 #ff60a4 #e94bce #579057 #06e206 #00ff99 #006e6e #37001b "
        "#50163e #3d3d60 #5f5f9b #54aa87 #05e705 #40c00d #ffee00 #ff9200 #ff5e00 #ff0000"
    ),
}
_NAMES = (
    *_HALVES,
    *_WHOLE,
    *(f"{colour}_transparent{suffix}" for colour in _PURE for suffix in ("", "_full_alpha_range")),
    *_ANCHORS,
)
__all__ = [
    *_NAMES,
    *(f"{name}_r" for name in (*_HALVES, *_WHOLE, *_ANCHORS)),
    "alpha_cmap",
    "dim_cmap",
    "replace_inside",
]


def __getattr__(name: str) -> Any:
    """A map of ours; matplotlib is imported then."""
    if name in __all__:
        return _made(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


def colour_map(cmap: ColormapLike, default: str = "gray") -> Colormap:
    """The colour map that is meant: one of ours, of matplotlib, or the object itself.

    Raises
    ------
    ValueError
        For a name that no map has.
    """
    from matplotlib import colormaps
    from matplotlib.colors import Colormap

    if isinstance(cmap, Colormap):
        return cmap
    name = default if cmap is None else cmap
    if not isinstance(name, str):
        raise TypeError(f"cmap must be a colour map or the name of one; {found(cmap)} was given.")
    if name in __all__:
        return _made(name)
    if name not in colormaps:
        raise ValueError(f"cmap={name!r} is no colour map.{nearest(name, [*colormaps, *_NAMES])}")
    return colormaps[name]


@cache
def _made(name: str) -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap, ListedColormap

    if name.endswith("_r"):
        return _made(name.removesuffix("_r")).reversed(name)
    if name in _HALVES:
        halves = [
            _permuted(base, order, N_COLOURS // 2, is_reversed) for base, order, is_reversed in _HALVES[name]
        ]
        return ListedColormap(np.concatenate(halves), name=name)
    if name in _WHOLE:
        return ListedColormap(_permuted("hot", _WHOLE[name], N_COLOURS, False), name=name)
    if name in _ANCHORS:
        return LinearSegmentedColormap.from_list(name, _ANCHORS[name].split(), N=N_COLOURS)
    colour = _PURE[name.partition("_")[0]]
    return alpha_cmap(colour, name, alpha_min=0.0 if name.endswith("range") else 0.5)


def _permuted(base: str, order: str, n: int, is_reversed: bool) -> NDArray[np.float64]:
    """Colours (n, 4) of a map of matplotlib, its red, green and blue in another order."""
    from matplotlib import colormaps

    colours = np.asarray(colormaps[base](np.linspace(0, 1, n)))[:, [*("rgb".index(c) for c in order), 3]]
    return colours[::-1] if is_reversed else colours


def alpha_cmap(
    color: Any, name: str = "", alpha_min: float = 0.5, alpha_max: float = 1.0
) -> LinearSegmentedColormap:
    """Make a map of one colour whose opacity rises.

    Parameters
    ----------
    color : colour of matplotlib
    name : str, default=""
    alpha_min, alpha_max : float, default=0.5 and 1.0
        Opacities of the lowest and the highest value, between 0 and 1.

    Returns
    -------
    cmap : matplotlib colour map
    """
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    a_number_within("alpha_min", alpha_min, 0, 1)
    a_number_within("alpha_max", alpha_max, 0, 1)
    rgb = to_rgb(color)
    return LinearSegmentedColormap.from_list(name, [(*rgb, alpha_min), (*rgb, alpha_max)], N=N_COLOURS)


def dim_cmap(cmap: ColormapLike, factor: float = 0.3, to_white: bool = True) -> Colormap:
    """Make a map paler, or darker.

    Parameters
    ----------
    cmap : colour map or its name
    factor : float, default=0.3
        The share of the contrast that stays, between 0 and 1.
    to_white : bool, default=True
        Towards white; False: towards black.

    Returns
    -------
    cmap : matplotlib colour map
        The one given stays as it is.
    """
    from matplotlib.colors import ListedColormap

    a_number_within("factor", factor, 0, 1)
    given = colour_map(cmap)
    colours = np.asarray(given(np.arange(given.N)))
    colours[:, :3] = 1 - factor * (1 - colours[:, :3]) if to_white else factor * colours[:, :3]
    return ListedColormap(colours, name=f"dimmed_{given.name}")


def replace_inside(outer_cmap: ColormapLike, inner_cmap: ColormapLike, vmin: float, vmax: float) -> Colormap:
    """Put a part of one map into another, in its place.

    Parameters
    ----------
    outer_cmap, inner_cmap : colour map or its name
    vmin, vmax : float
        Between 0 and 1, the range of the map: in it lie the colours of the inner map, from there too.

    Returns
    -------
    cmap : matplotlib colour map
    """
    from matplotlib.colors import ListedColormap

    a_number_within("vmin", vmin, 0, 1)
    a_number_within("vmax", vmax, vmin, 1)
    at = np.linspace(0, 1, N_COLOURS)
    inside = (at >= vmin) & (at <= vmax)
    outer, inner = colour_map(outer_cmap), colour_map(inner_cmap)
    colours = np.where(inside[:, None], np.asarray(inner(at)), np.asarray(outer(at)))
    return ListedColormap(colours, name=f"{outer.name}_{inner.name}")
