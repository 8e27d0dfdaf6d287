"""Slices of a volume in three planes, with what lies over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from brainsieve.plotting.figures import dark_figure, write
from brainsieve.plotting.layers import ACCENT, OPACITY, Layer, Paint, paint_of

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
    return _figure(volume, [(plane, volume.slices(plane, N_ACROSS)) for plane in PLANES])


def scrolled_figures(
    background: NDArray | None, layer: Layer, affine: NDArray, cmap: Any = None
) -> list[Figure]:
    """For each step through the volume one slice of each plane; parameters as in `slices_figure`."""
    volume = _Volume.of(background, layer, affine, cmap)
    steps = [volume.slices(plane, N_SCROLLED, repeated=True) for plane in PLANES]
    n = max(len(np.unique(at)) for at in steps)
    steps = [volume.slices(plane, n, repeated=True) for plane in PLANES]
    return [_row_figure(volume, list(zip(PLANES, at, strict=True))) for at in zip(*steps, strict=True)]


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


def _figure(volume: _Volume, rows: Sequence[tuple[Plane, NDArray]]) -> Figure:
    """Rows of slices, all at one scale."""
    sizes = volume.sizes
    inches = CELL_INCHES / max(sizes[0], sizes[1])
    heights = [sizes[plane.up] * inches for plane, _ in rows]
    whole = sum(heights) + GAP_INCHES * (len(rows) - 1)
    figure, share = dark_figure(N_ACROSS * CELL_INCHES, whole, volume.paint.scale)
    cell, bottom = share / N_ACROSS, whole
    for (plane, chosen), height in zip(rows, heights, strict=True):
        bottom -= height
        first = (N_ACROSS - len(chosen)) / 2
        for position, at in enumerate(chosen):
            box = ((first + position) * cell, bottom / whole, cell, height / whole)
            _draw(figure.add_axes(box), volume, plane, int(at), sides=position == 0)
        bottom -= GAP_INCHES
    return figure


def _row_figure(volume: _Volume, cuts: Sequence[tuple[Plane, int]]) -> Figure:
    """A slice of each plane, side by side at one scale."""
    sizes = volume.sizes
    inches = SCROLLED_INCHES / max(sizes)
    widths = [sizes[plane.right] * inches for plane, _ in cuts]
    height = max(sizes[plane.up] for plane, _ in cuts) * inches
    figure, share = dark_figure(sum(widths), height, volume.paint.scale)
    left = 0.0
    for (plane, at), width in zip(cuts, widths, strict=True):
        part = share * width / sum(widths)
        _draw(figure.add_axes((left, 0, part, 1)), volume, plane, int(at), sides=True)
        left += part
    return figure


def _draw(axes: Axes, volume: _Volume, plane: Plane, at: int, sides: bool) -> None:
    axes.set_axis_off()
    width, height = volume.sizes[plane.right], volume.sizes[plane.up]
    shown: dict[str, Any] = {"origin": "lower", "extent": (0, width, 0, height), "interpolation": "nearest"}
    if volume.background is not None:
        grey = volume.background.take(at, plane.axis).T
        axes.imshow(grey, cmap="gray", vmin=volume.limits[0], vmax=volume.limits[1], **shown)
    part = volume.layer.data.take(at, plane.axis).T
    if volume.layer.kind == "mask":
        _outline(axes, part != 0, width, height)
    else:
        colours = volume.paint.colour(part)
        colours[..., 3] *= OPACITY[volume.layer.kind]
        axes.imshow(colours, **shown)
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.set_aspect("equal")
    write(axes, 0.03, 0.02, f"{plane.name} = {volume.position_mm(plane, at)}", va="bottom")
    if sides:
        write(axes, 0.03, 0.98, plane.sides[0], va="top")
        write(axes, 0.97, 0.98, plane.sides[1], va="top", ha="right")


def _outline(axes: Axes, inside: NDArray[np.bool_], width: float, height: float) -> None:
    """The border of a mask, also where it ends with the volume."""
    if not inside.any():
        return
    # Contours run through the centres of voxels: a rim of nothing closes them at the edges.
    rows, columns = inside.shape
    x = (np.arange(-1, columns + 1) + 0.5) * width / columns
    y = (np.arange(-1, rows + 1) + 0.5) * height / rows
    axes.contour(x, y, np.pad(inside, 1).astype(float), levels=[0.5], colors=ACCENT, linewidths=1.1)
