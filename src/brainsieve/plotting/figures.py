"""Figures that a user gave, or new ones, and their files."""

from __future__ import annotations

import numbers
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainsieve.checks import found

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_to_draw_on(figure: Any, size: tuple[float, float], name: str = "figure") -> Figure:
    """A figure of pyplot's: the given one, the one of a number, or a new one of a size in inches."""
    import matplotlib.pyplot as plt
    from matplotlib.figure import FigureBase

    if isinstance(figure, FigureBase):
        return figure  # type: ignore[return-value]
    if figure is None:
        return plt.figure(figsize=size)
    if isinstance(figure, numbers.Integral) and not isinstance(figure, bool):
        return plt.figure(int(figure), figsize=size)
    if isinstance(figure, list | tuple) and len(figure) == 2:
        return plt.figure(figsize=(float(figure[0]), float(figure[1])))
    raise TypeError(
        f"{name} must be a figure, a number, a size in inches, or None; {found(figure)} was given."
    )


def axes_to_draw_on(figure: Any, axes: Any, size: tuple[float, float]) -> Any:
    """The given axes, or new ones that fill a figure."""
    from matplotlib.axes import Axes as MatplotlibAxes

    if axes is not None and figure is not None:
        raise ValueError(
            "figure and axes are both given; axes have a figure already, so give one of the two."
        )
    if axes is None:
        return figure_to_draw_on(figure, size).add_subplot()
    if not isinstance(axes, MatplotlibAxes):
        raise TypeError(f"axes must be matplotlib axes or None; {found(axes)} was given.")
    return axes


def save(figure: Any, output_file: str | os.PathLike[str] | None, **options: Any) -> None:
    """Write a figure where a file is named; its folder is made."""
    if output_file is None:
        return
    path = Path(output_file).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, facecolor=figure.get_facecolor(), **options)
