"""Slices of a volume in three planes, with what lies over it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from brainsieve.drawing.figures import dark_figure, write
from brainsieve.drawing.layers import ACCENT, OPACITY, Layer, Paint, paint_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Slices in a row, and in the series that a viewer scrolls through.
N_ACROSS = 7
N_SCROLLED = 20
CELL_INCHES = 1.75
# Between rows, so that words of one do not lie on the other.
GAP_INCHES = 0.08
# Extent of the longest axis where three planes stand side by side.
SCROLLED_INCHES = 4.5
# Between words and the edge of a slice.
MARGIN_INCHES = 0.05


@dataclass(frozen=True)
class Plane:
    """How slices across an axis are shown: which axes run to the right and up, and what lies at both sides."""

    axis: int
    name: str
    right: int
    up: int
    sides: tuple[str, str]


# Neurological: the left of the head is on the left.
PLANES = (
    Plane(2, "z", 0, 1, ("L", "R")),
    Plane(1, "y", 0, 2, ("L", "R")),
    Plane(0, "x", 1, 2, ("P", "A")),
)


def slices_figure(background: NDArray | None, layer: Layer, affine: NDArray, cmap: Any = None) -> Figure:
    """Slices at even distances through what a layer has, a row for each plane.

    Parameters
    ----------
    background : array of shape (nx, ny, nz) or None
    layer : Layer
        Its data of the shape of the background.
    affine : array of shape (4, 4)
    cmap : matplotlib colour map or name, optional
    """
    volume = _Volume.of(background, layer, affine, cmap)
    return _figure(volume, *_in_rows(volume))


def scrolled_figures(
    background: NDArray | None, layer: Layer, affine: NDArray, cmap: Any = None
) -> list[Figure]:
    """For each step through the volume one slice of each plane; parameters as in `slices_figure`."""
    volume = _Volume.of(background, layer, affine, cmap)
    steps = [volume.slices(plane, N_SCROLLED, repeated=True) for plane in PLANES]
    n = max(len(np.unique(at)) for at in steps)
    steps = [volume.slices(plane, n, repeated=True) for plane in PLANES]
    return [_figure(volume, *_side_by_side(volume, at)) for at in zip(*steps, strict=True)]


def axial_strip(
    background: NDArray | None, layer: Layer, affine: NDArray, height: int = 160
) -> NDArray[np.uint8]:
    """Axial slices side by side as an array of colours: a hundredth of the time of a figure, without words.

    Parameters
    ----------
    background, layer, affine
        As in `slices_figure`. A mask is filled, not outlined.
    height : int, default=160
        Of the strip, in pixels.

    Returns
    -------
    array of shape (height, width, 3)
        The left of the head is on the left.
    """
    volume = _Volume.of(background, layer, affine, None)
    plane = PLANES[0]
    sizes = volume.sizes
    width = max(1, round(height * sizes[plane.right] / sizes[plane.up]))
    n_right, n_up = volume.layer.data.shape[plane.right], volume.layer.data.shape[plane.up]
    rows = (np.arange(height)[::-1] + 0.5) * n_up / height
    columns = (np.arange(width) + 0.5) * n_right / width
    nearest = np.ix_(rows.astype(np.intp), columns.astype(np.intp))
    parts = [_colours(volume, plane, int(at))[nearest] for at in volume.slices(plane, N_ACROSS)]
    return (np.concatenate(parts, axis=1) * 255).round().astype(np.uint8)


@dataclass(frozen=True)
class _Volume:
    """A background and a layer, their axes turned to right, anterior and superior."""

    background: NDArray | None
    layer: Layer
    affine: NDArray
    paint: Paint
    limits: tuple[float, float]

    @classmethod
    def of(cls, background: NDArray | None, layer: Layer, affine: NDArray, cmap: Any) -> _Volume:
        data, turned = canonical(layer.data, affine)
        if background is not None:
            background = canonical(background, affine)[0]
        return cls(
            background, replace(layer, data=data), turned, paint_of(layer, cmap), _grey_limits(background)
        )

    @property
    def sizes(self) -> NDArray[np.float64]:
        """Extent along each axis in mm."""
        return np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0)) * self.layer.data.shape

    def slices(self, plane: Plane, n: int, repeated: bool = False) -> NDArray[np.intp]:
        """Slices at even distances through what the layer has, through everything if it has nothing."""
        others = tuple(axis for axis in range(3) if axis != plane.axis)
        used = np.flatnonzero(self.layer.inside.any(axis=others))
        if not len(used):
            used = np.arange(self.layer.data.shape[plane.axis])
        at = np.linspace(used[0], used[-1], n + 2).round().astype(np.intp)[1:-1]
        return at if repeated else np.unique(at)

    def position_mm(self, plane: Plane, at: int) -> int:
        """Where a slice lies, at the middle of the volume's other axes."""
        voxel = (np.array(self.layer.data.shape) - 1) / 2
        voxel[plane.axis] = at
        return round(float(self.affine[plane.axis] @ [*voxel, 1]))


def canonical(data: NDArray, affine: NDArray) -> tuple[NDArray, NDArray]:
    """A volume with its axes turned to right, anterior, superior (as near as they are), and its affine."""
    turned = nib.as_closest_canonical(nib.Nifti1Image(data, affine, dtype=data.dtype))
    return np.asarray(turned.dataobj), turned.affine


def _grey_limits(background: NDArray | None) -> tuple[float, float]:
    finite = np.zeros(1) if background is None else background[np.isfinite(background)]
    low, high = np.percentile(finite, [2, 99.5]) if len(finite) else (0.0, 1.0)
    return float(low), float(max(high, low + 1e-9))


@dataclass(frozen=True)
class _Panel:
    """A slice in a figure: where it lies, in inches from the left and from below, and whether its sides are named."""

    plane: Plane
    at: int
    left: float
    bottom: float
    width: float
    height: float
    sides: bool = True


def _in_rows(volume: _Volume) -> tuple[list[_Panel], float, float]:
    """Slices at even distances, a row for each plane, all at one scale; width and height of all, in inches."""
    sizes = volume.sizes * CELL_INCHES / max(volume.sizes[0], volume.sizes[1])
    whole = bottom = sum(sizes[plane.up] for plane in PLANES) + GAP_INCHES * (len(PLANES) - 1)
    panels = []
    for plane in PLANES:
        width, height = sizes[plane.right], sizes[plane.up]
        chosen = volume.slices(plane, N_ACROSS)
        left = (N_ACROSS - len(chosen)) / 2 * CELL_INCHES + (CELL_INCHES - width) / 2
        panels += [
            _Panel(plane, int(at), left + i * CELL_INCHES, bottom - height, width, height, sides=i == 0)
            for i, at in enumerate(chosen)
        ]
        bottom -= height + GAP_INCHES
    return panels, N_ACROSS * CELL_INCHES, whole


def _side_by_side(volume: _Volume, at: tuple[np.intp, ...]) -> tuple[list[_Panel], float, float]:
    """A slice of each plane at one scale, halfway up; width and height of all, in inches."""
    sizes = volume.sizes * SCROLLED_INCHES / max(volume.sizes)
    whole = max(sizes[plane.up] for plane in PLANES)
    panels, left = [], 0.0
    for plane, position in zip(PLANES, at, strict=True):
        width, height = sizes[plane.right], sizes[plane.up]
        panels.append(_Panel(plane, int(position), left, (whole - height) / 2, width, height))
        left += width
    return panels, left, whole


def _figure(volume: _Volume, panels: list[_Panel], width: float, height: float) -> Figure:
    """All slices in one axes, whose units are inches: axes for each take several times as long to draw."""
    figure, share = dark_figure(width, height, volume.paint.scale)
    axes = figure.add_axes((0, 0, share, 1))
    for panel in panels:
        _draw(axes, volume, panel)
    axes.set_axis_off()
    axes.set(xlim=(0, width), ylim=(0, height), aspect="auto")
    return figure


def _draw(axes: Axes, volume: _Volume, panel: _Panel) -> None:
    plane, left, bottom = panel.plane, panel.left, panel.bottom
    right, top = left + panel.width, bottom + panel.height
    axes.imshow(
        _colours(volume, plane, panel.at),
        origin="lower",
        extent=(left, right, bottom, top),
        interpolation="nearest",
    )
    if volume.layer.kind == "mask":
        _outline(axes, volume.layer.data.take(panel.at, plane.axis).T != 0, panel)
    text = f"{plane.name} = {volume.position_mm(plane, panel.at)}"
    write(axes, left + MARGIN_INCHES, bottom + MARGIN_INCHES, text, va="bottom")
    if panel.sides:
        write(axes, left + MARGIN_INCHES, top - MARGIN_INCHES, plane.sides[0], va="top")
        write(axes, right - MARGIN_INCHES, top - MARGIN_INCHES, plane.sides[1], va="top", ha="right")


def _colours(volume: _Volume, plane: Plane, at: int) -> NDArray[np.float64]:
    """Red, green and blue of a slice, (n_up, n_right, 3): the layer over the background."""
    part = volume.layer.data.take(at, plane.axis).T
    grey = np.zeros(part.shape)
    if volume.background is not None:
        low, high = volume.limits
        grey = (volume.background.take(at, plane.axis).T - low) / (high - low)
    # What is not finite is black.
    below = np.clip(np.where(np.isfinite(grey), grey, 0), 0, 1)[..., None]
    if volume.layer.kind == "mask":
        return np.repeat(below, 3, axis=-1)
    colours = volume.paint.colour(part)
    opacity = colours[..., 3:] * OPACITY[volume.layer.kind]
    return below * (1 - opacity) + colours[..., :3] * opacity


def _outline(axes: Axes, inside: NDArray[np.bool_], panel: _Panel) -> None:
    """The border of a mask, also where it ends with the volume."""
    if not inside.any():
        return
    # Contours run through the centres of voxels: a rim of nothing closes them at the edges.
    rows, columns = inside.shape
    x = panel.left + (np.arange(-1, columns + 1) + 0.5) * panel.width / columns
    y = panel.bottom + (np.arange(-1, rows + 1) + 0.5) * panel.height / rows
    axes.contour(x, y, np.pad(inside, 1).astype(float), levels=[0.5], colors=ACCENT, linewidths=1.1)
