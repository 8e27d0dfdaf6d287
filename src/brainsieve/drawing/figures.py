"""Dark figures: room for a colour bar beside pictures, and words that can be read on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from brainsieve.drawing.layers import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 110
BAR_INCHES = 1.0
FONT_POINTS = 11


def dark_figure(width: float, height: float, scale: Scale | None) -> tuple[Figure, float]:
    """A black figure for pictures of some size in inches, and the share of its width that they have.

    The rest is a colour bar, where there is a scale.
    """
    from matplotlib.figure import Figure

    whole = width + (BAR_INCHES if scale is not None else 0)
    figure = Figure(figsize=(whole, height), dpi=DPI, facecolor="black")
    if scale is not None:
        _draw_bar(figure, scale, (1 - 0.75 * BAR_INCHES / whole, 0.12, 0.13 / whole, 0.76))
    return figure, width / whole


def _draw_bar(figure: Figure, scale: Scale, box: tuple[float, float, float, float]) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    mapped = ScalarMappable(Normalize(scale.low, scale.high), scale.cmap)
    bar = figure.colorbar(mapped, cax=figure.add_axes(box))
    ticks = [scale.low, 0.0, scale.high] if scale.low < 0 else [0.0, scale.high / 2, scale.high]
    bar.set_ticks(ticks, labels=[f"{tick:.3g}" for tick in ticks])
    bar.ax.tick_params(colors="white", labelsize=FONT_POINTS, length=3)
    bar.outline.set_edgecolor("0.6")


def write(axes: Axes, x: float, y: float, text: str, **options: Any) -> None:
    """White words that can be read on any grey."""
    from matplotlib.patheffects import withStroke

    edge = [withStroke(linewidth=2, foreground="black")]
    axes.text(x, y, text, color="white", fontsize=FONT_POINTS, path_effects=edge, **options)
