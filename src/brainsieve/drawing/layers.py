"""Layers: what is drawn over a background, and the colour of each of its values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["mask", "labels", "weights", "sphere"]

# Opacity of what lies over the background of a slice.
OPACITY = {"labels": 0.55, "weights": 0.8, "sphere": 0.85, "mask": 1.0}
ACCENT = "#ff5a4d"
# Weights below this share of the largest are not drawn.
FAINT = 0.02


@dataclass(frozen=True)
class Layer:
    """What is drawn over the background: a mask, labels (-1 where there is none), weights or a sphere.

    Attributes
    ----------
    name : str
    data : array
        Of the shape that the canvas takes: (nx, ny, nz), or (n_points,) for surfaces and CIFTI.
    kind : {"mask", "labels", "weights", "sphere"}
    colours : list of str, optional
        ``#RRGGBB`` of each label. Default: `label_colours`.
    names : list of str, optional
        Of each label.
    limits : (float, float), optional
        Of the colours of weights. Default: `limits_of` the data.
    """

    name: str
    data: NDArray
    kind: Kind
    colours: Sequence[str] | None = None
    names: Sequence[str] | None = None
    limits: tuple[float, float] | None = None

    @property
    def outside(self) -> int:
        """The value of points that have nothing."""
        return -1 if self.kind == "labels" else 0

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Points that have something."""
        return np.asarray(self.data != 0 if self.kind != "labels" else self.data >= 0)

    @property
    def n_labels(self) -> int:
        """How many labels there may be."""
        return max(len(self.colours or ()), len(self.names or ()), int(self.data.max(initial=-1)) + 1)


@dataclass(frozen=True)
class Scale:
    """Colours of a range of numbers, for a colour bar.

    Attributes
    ----------
    low, high : float
    cmap : matplotlib colour map
    """

    low: float
    high: float
    cmap: Any


@dataclass(frozen=True)
class Paint:
    """How the values of a layer are coloured.

    Attributes
    ----------
    colour : callable
        From values of any shape to red, green, blue and opacity, 0 … 1, in a last axis of 4; opacity 0 where a
        value stands for nothing.
    scale : Scale or None
        For a colour bar, where colours stand for a range of numbers.
    """

    colour: Callable[[NDArray], NDArray[np.float64]]
    scale: Scale | None = None


def paint_of(layer: Layer, cmap: Any = None) -> Paint:
    """The colours of a layer; `cmap` is a matplotlib colour map, its name, or None for our choice."""
    if layer.kind == "labels":
        table = np.array([_rgb(colour) for colour in label_colours(layer, cmap)] or [(0.0, 0.0, 0.0)])
        return Paint(lambda values: _rgba(table[np.maximum(values, 0)], values >= 0))
    if layer.kind in ("mask", "sphere"):
        rgb = np.array(_rgb(ACCENT))
        return Paint(lambda values: _rgba(np.broadcast_to(rgb, (*values.shape, 3)), values != 0))
    scale = _scale_of(layer, cmap)
    least = FAINT * max(scale.high, -scale.low)

    def colour(values: NDArray) -> NDArray[np.float64]:
        share = (np.nan_to_num(values) - scale.low) / (scale.high - scale.low)
        return _rgba(np.asarray(scale.cmap(share))[..., :3], np.abs(np.nan_to_num(values)) > least)

    return Paint(colour, scale)


def limits_of(weights: NDArray) -> tuple[float, float]:
    """From 0 to the largest weight; as far on both sides of 0 where some are negative."""
    finite = weights[np.isfinite(weights)]
    largest = float(np.abs(finite).max(initial=0.0)) or 1.0
    return (-largest if (finite < 0).any() else 0.0), largest


def _scale_of(layer: Layer, cmap: Any) -> Scale:
    from matplotlib import colormaps

    low, high = layer.limits or limits_of(layer.data)
    chosen = cmap or ("RdBu_r" if low < 0 else "hot")
    return Scale(low, high, colormaps[chosen] if isinstance(chosen, str) else chosen)


def label_colours(layer: Layer, cmap: Any = None) -> list[str]:
    """``#RRGGBB`` of each label: of a colour map, those of the layer, or hues that are told apart."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    n = layer.n_labels
    if cmap is not None:
        chosen = colormaps[cmap] if isinstance(cmap, str) else cmap
        return [to_hex(chosen(share)) for share in np.linspace(0, 1, max(n, 2))[:n]]
    return list(layer.colours) if layer.colours is not None else distinct_colours(n)


def distinct_colours(n: int) -> list[str]:
    """Colours of which neighbours in number differ: hues a golden section apart."""
    from matplotlib.colors import hsv_to_rgb, to_hex

    hues = (np.arange(n) * 0.618034) % 1.0
    bright = np.where(np.arange(n) % 2, 0.8, 1.0)
    return [to_hex(colour) for colour in hsv_to_rgb(np.stack([hues, np.full(n, 0.75), bright], axis=1))]


def _rgb(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(colour)


def _rgba(rgb: NDArray, visible: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.concatenate([rgb, visible[..., None].astype(np.float64)], axis=-1)
