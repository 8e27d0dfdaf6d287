"""Pictures of matrices: designs, their correlations, contrasts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.drawing.figures import DPI

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL_INCHES = 0.28
MOST_INCHES = 12.0


def design_figure(design: NDArray, columns: Sequence[str]) -> Figure:
    """A design, each column from its smallest to its largest value; rows downwards."""
    low, high = design.min(axis=0), design.max(axis=0)
    scaled = (design - low) / np.where(high > low, high - low, 1)
    return _figure(np.where(high > low, scaled, 1.0), columns, None, "gray", (0, 1), height=4.5)


def correlation_figure(design: NDArray, columns: Sequence[str]) -> Figure:
    """Correlations of the columns of a design; those that are constant have none."""
    varying = np.ptp(design, axis=0) > 0
    names = [name for name, varies in zip(columns, varying, strict=True) if varies]
    matrix = np.atleast_2d(np.corrcoef(design[:, varying].T)) if names else np.zeros((0, 0))
    return _figure(matrix, names, names, "RdBu_r", (-1, 1))


def contrast_figure(weights: NDArray, columns: Sequence[str]) -> Figure:
    """The weights of a contrast, (q, n_columns)."""
    largest = float(np.abs(weights).max(initial=0)) or 1.0
    return _figure(weights, columns, None, "RdBu_r", (-largest, largest))


def _figure(
    matrix: NDArray,
    columns: Sequence[str],
    rows: Sequence[str] | None,
    cmap: str,
    limits: tuple[float, float],
    height: float | None = None,
) -> Figure:
    from matplotlib.figure import Figure

    n_rows, n_columns = matrix.shape if matrix.size else (1, 1)
    width = min(MOST_INCHES, max(3.0, CELL_INCHES * n_columns + 1.5))
    tall = height if height is not None else min(MOST_INCHES, max(1.0, CELL_INCHES * n_rows + 0.4))
    figure = Figure(figsize=(width, tall + 1.2), dpi=DPI, facecolor="white", layout="constrained")
    axes: Any = figure.add_subplot()
    if matrix.size:
        axes.imshow(matrix, cmap=cmap, vmin=limits[0], vmax=limits[1], aspect="auto", interpolation="nearest")
    axes.set_xticks(range(len(columns)), labels=list(columns), rotation=60, ha="left", fontsize=8)
    axes.xaxis.tick_top()
    if rows is not None:
        axes.set_yticks(range(len(rows)), labels=list(rows), fontsize=8)
    return figure
