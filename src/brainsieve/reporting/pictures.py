"""Pictures of reports: slices of a volume with what a masker takes of it, as PNG in data URLs."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

# Slices in the row of a picture, and in the viewer that scrolls.
N_ACROSS = 7
N_SCROLLED = 28
# Opacity of regions.
PALE = 0.5


def canonical(data: NDArray, affine: NDArray) -> tuple[NDArray, NDArray]:
    """A volume with its axes turned to right, anterior, superior (as near as they are), and its affine."""
    turned = nib.as_closest_canonical(nib.Nifti1Image(data, affine, dtype=data.dtype))
    return np.asarray(turned.dataobj), turned.affine


def slices_through(inside: NDArray[np.bool_], axis: int, n: int) -> NDArray[np.intp]:
    """Slices at even distances through what is inside."""
    others = tuple(a for a in range(3) if a != axis)
    used = np.flatnonzero(inside.any(axis=others))
    if not len(used):
        used = np.arange(inside.shape[axis])
    return np.unique(np.linspace(used[0], used[-1], n + 2).round().astype(int)[1:-1])


def row_of_slices(
    background: NDArray | None, overlay: NDArray, affine: NDArray, kind: str, cmap: Any, chosen: Sequence[int]
) -> str:
    """Axial slices side by side, as a data URL.

    Parameters
    ----------
    background : array of shape (nx, ny, nz) or None
    overlay : array of shape (nx, ny, nz)
        What `kind` says ("mask", "labels", "weights" or "sphere"); both in RAS order.
    """
    from matplotlib.figure import Figure

    sizes = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    extent = (0.0, overlay.shape[0] * sizes[0], 0.0, overlay.shape[1] * sizes[1])
    figure = Figure(
        figsize=(1.75 * len(chosen), 1.75 * extent[3] / extent[1] + 0.1), dpi=110, facecolor="black"
    )
    for position, k in enumerate(chosen):
        axes = figure.add_axes((position / len(chosen), 0, 1 / len(chosen), 1))
        _draw(axes, background, overlay, int(k), kind, cmap, extent)
        height = (affine @ [0, 0, k, 1])[2]
        axes.text(0.03, 0.03, f"z {height:.0f}", color="0.85", fontsize=7, transform=axes.transAxes)
        if position == 0:
            axes.text(0.03, 0.93, "L", color="0.85", fontsize=7, transform=axes.transAxes)
    return data_url(figure)


def _draw(
    axes: Any,
    background: NDArray | None,
    overlay: NDArray,
    k: int,
    kind: str,
    cmap: Any,
    extent: tuple[float, float, float, float],
) -> None:
    axes.set_axis_off()
    shown = {"origin": "lower", "extent": extent, "interpolation": "nearest"}
    if background is not None:
        low, high = np.percentile(background[np.isfinite(background)], [2, 99.5])
        axes.imshow(background[:, :, k].T, cmap="gray", vmin=low, vmax=max(high, low + 1e-9), **shown)
    else:
        axes.imshow(np.zeros(overlay.shape[:2]).T, cmap="gray", vmin=0, vmax=1, **shown)
    part = overlay[:, :, k].T
    if kind == "mask":
        if part.any() and not part.all():
            axes.contour(part, levels=[0.5], colors="#ff5a4d", linewidths=1.0, extent=extent, origin="lower")
    elif kind == "labels":
        last = max(1, int(overlay.max()))
        colours = cmap or distinct_colours(last + 1)
        if isinstance(colours, list):
            last, colours = max(1, len(colours) - 1), listed_colours(colours)
        axes.imshow(np.ma.masked_less(part, 0), cmap=colours, alpha=PALE, vmin=0, vmax=last, **shown)
    elif kind == "sphere":
        axes.imshow(np.ma.masked_less(part, 0.5), cmap=single_colour(), alpha=0.85, **shown)
    else:
        largest = np.abs(overlay).max() or 1.0
        visible = np.ma.masked_less(np.abs(part), 0.02 * largest)
        axes.imshow(visible, cmap=cmap or "hot", alpha=0.75, vmin=0, vmax=largest, **shown)


def distinct_colours(n: int) -> Any:
    """Colours of which neighbours in number differ: hues a golden section apart."""
    from matplotlib.colors import ListedColormap, hsv_to_rgb

    hues = (np.arange(n) * 0.618034) % 1.0
    bright = np.where(np.arange(n) % 2, 0.8, 1.0)
    return ListedColormap(hsv_to_rgb(np.stack([hues, np.full(n, 0.75), bright], axis=1)))


def hex_colours(n: int) -> list[str]:
    """`distinct_colours` as ``#RRGGBB``."""
    from matplotlib.colors import to_hex

    return [to_hex(colour) for colour in distinct_colours(n).colors]


def listed_colours(colours: Sequence[str]) -> Any:
    """A colour map of colours given one by one; at least two, as a map needs."""
    from matplotlib.colors import ListedColormap

    return ListedColormap(list(colours) if len(colours) > 1 else [*colours, colours[0]])


def single_colour() -> Any:
    from matplotlib.colors import ListedColormap

    return ListedColormap(["#ff5a4d"])


def data_url(figure: Any) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor=figure.get_facecolor())
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def volume_pictures(
    background: NDArray | None, overlay: NDArray, affine: NDArray, kind: str, cmap: Any, scrolled: bool
) -> list[str]:
    """The row of a report, or one picture for each slice that its viewer scrolls through."""
    overlay, turned = canonical(overlay, affine)
    if background is not None:
        background = canonical(background, affine)[0]
    inside = overlay >= 0 if kind == "labels" else overlay != 0
    if not scrolled:
        chosen = slices_through(inside, 2, N_ACROSS)
        return [row_of_slices(background, overlay, turned, kind, cmap, list(chosen))]
    chosen = slices_through(inside, 2, N_SCROLLED)
    return [row_of_slices(background, overlay, turned, kind, cmap, [k]) for k in chosen]
