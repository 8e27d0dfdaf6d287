"""The demo's pictures: atlas on the mean image, series before and after, matrices of correlations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from brainsieve.datasets import DemoRun
from brainsieve.engine.domain import VoxelGrid, apply_affine
from brainsieve.engine.source import open_source, read_all
from brainsieve.tables import read_lut

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

INK, FAINT = "#22252b", "#9aa0a8"
STYLE = {
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "savefig.dpi": 150,
    "savefig.facecolor": "white",
}
# Parts of a voxel's edge at which outlines are drawn.
FINER = 10
SLICES_MM = (-8, 8, 24, 40, 56)
# Left and right of a pair share a hue; ordered as the ids of the atlas.
COLORS = (
    "#9db8cf", "#5d86ab",  # white matter
    "#7fd1c7", "#2a9d8f",  # ventricles
    "#8d6a9f",  # brain stem
    "#f4c27a", "#e08e1b",  # deep grey
    "#f2938c", "#d1495b",  # cortex
    "#7ba05b",  # cerebellum
)  # fmt: skip


def atlas_on_mean(run: DemoRun) -> Figure:
    """Contours of the regions on axial slices of the mean image."""
    bold, atlas = open_source(run.bold), open_source(run.atlas)
    grid = bold.domain
    assert isinstance(grid, VoxelGrid)
    mean = grid.unflatten(read_all(bold).mean(axis=0))
    labels = grid.unflatten(read_all(atlas)[0])
    names = read_lut(run.lut).set_index("index")["name"]

    figure = Figure(figsize=(11, 3.3))
    axes = figure.subplots(1, len(SLICES_MM))
    figure.subplots_adjust(left=0.01, right=0.99, top=0.9, bottom=0.19, wspace=0.04)
    limit = np.percentile(mean, 99.5)
    for ax, z in zip(axes, SLICES_MM, strict=True):
        _draw_slice(ax, mean, labels, grid, z, limit)
    handles = [
        Line2D([], [], color=COLORS[i], lw=3, label=name.replace("-", " ")) for i, name in enumerate(names)
    ]
    figure.legend(handles=handles, ncol=5, loc="lower center", frameon=False, fontsize=9, handlelength=1.4)
    figure.suptitle(
        "Ten regions on the mean of the run", x=0.01, y=0.985, ha="left", fontsize=12, fontweight="bold"
    )
    return figure


def _draw_slice(ax: Axes, mean: NDArray, labels: NDArray, grid: VoxelGrid, z_mm: float, limit: float) -> None:
    k = nearest_slice(grid, z_mm)
    extent = slice_extent_mm(grid, k)
    ax.imshow(mean[:, :, k].T, cmap="gray", vmin=0, vmax=limit, origin="lower", extent=extent,
              interpolation="bicubic")  # fmt: skip
    fine = np.kron(labels[:, :, k], np.ones((FINER, FINER)))
    for label in np.unique(fine[fine != 0]):
        # A little inside of the region, so that neighbours' outlines lie side by side.
        inside = binary_erosion(fine == label).T.astype(float)
        color = COLORS[int(label) - 1]
        kinds = {"levels": [0.5], "origin": "lower", "extent": extent}
        ax.contourf(inside, **{**kinds, "levels": [0.5, 1]}, colors=[color], alpha=0.22)
        ax.contour(inside, **kinds, colors=[color], linewidths=1.3)
    right, left = max(extent[:2]), min(extent[:2])
    ax.set_xlim(left, right)
    for x, side, align in ((left, "L", "left"), (right, "R", "right")):
        ax.text(x, extent[3], f" {side} ", color="white", fontsize=9, ha=align, va="top")
    ax.text(left, extent[2], f" z = {z_mm:.0f} mm", color="white", fontsize=9, va="bottom")
    ax.set_aspect("equal")
    ax.axis("off")


def nearest_slice(grid: VoxelGrid, z_mm: float) -> int:
    """The third index whose slice's centre is nearest to a height."""
    n_x, n_y, n_z = grid.shape
    centres = apply_affine(grid.affine, np.array([[n_x / 2, n_y / 2, k] for k in range(n_z)]))
    return int(np.abs(centres[:, 2] - z_mm).argmin())


def slice_extent_mm(grid: VoxelGrid, k: int) -> tuple[float, float, float, float]:
    """Edges of a slice in mm, those of the first voxel first: x runs to the left in many files."""
    n_x, n_y, _ = grid.shape
    first, last = apply_affine(grid.affine, np.array([[-0.5, -0.5, k], [n_x - 0.5, n_y - 0.5, k]]))
    return first[0], last[0], first[1], last[1]


def series(before: pd.DataFrame, after: pd.DataFrame, dvars: NDArray, t_r: float) -> Figure:
    """One row for each region: as recorded in grey, cleaned in colour; head movement below."""
    n_samples, n_regions = after.shape
    seconds = np.arange(n_samples) * t_r
    figure = Figure(figsize=(11, 7.5))
    top, bottom = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [8, 1], "hspace": 0.08})
    figure.subplots_adjust(left=0.16, right=0.98, top=0.9, bottom=0.075)
    spacing = 6.0
    for row, name in enumerate(after.columns):
        level = (n_regions - 1 - row) * spacing
        recorded = before[name].to_numpy()
        recorded = (recorded - recorded.mean()) / recorded.std(ddof=1)
        top.axhline(level, color="#eceef1", lw=0.8, zorder=0)
        top.plot(seconds, level + recorded, color="#b9bec6", lw=1)
        top.plot(seconds, level + after[name], color=COLORS[row % len(COLORS)], lw=1.6)
    top.set_yticks(np.arange(n_regions)[::-1] * spacing, [name.replace("-", " ") for name in after.columns])
    top.tick_params(axis="both", length=0)
    top.spines[["left", "bottom"]].set_visible(False)
    top.set_ylim(-0.6 * spacing, (n_regions - 0.35) * spacing)
    _scale_bar(top, seconds[-1], y=(n_regions - 0.25) * spacing)
    figure.suptitle("Mean signal of each region", x=0.16, ha="left", fontsize=12, fontweight="bold")
    top.legend(
        handles=[
            Line2D([], [], color="#b9bec6", lw=1.5, label="as recorded, z-scored"),
            Line2D([], [], color=INK, lw=2, label="0.01-0.1 Hz, 6 aCompCor components out, z-scored"),
        ],
        loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncol=2, frameon=False, fontsize=9.5,
    )  # fmt: skip
    _draw_dvars(bottom, seconds, dvars)
    return figure


def _scale_bar(ax: Axes, x: float, y: float) -> None:
    """What two standard deviations are, above the rows."""
    ax.plot([x, x], [y, y + 2], color=INK, lw=1.4, clip_on=False, solid_capstyle="butt")
    ax.text(x - 1, y + 1, "2 SD", ha="right", va="center", fontsize=9)


def _draw_dvars(ax: Axes, seconds: NDArray, dvars: NDArray) -> None:
    ax.fill_between(seconds, 0, np.nan_to_num(dvars), color="#dfe3e8", step="mid", lw=0)
    outliers = np.nan_to_num(dvars) > 1.5
    ax.plot(seconds[outliers], dvars[outliers], "o", color="#d1495b", ms=4)
    ax.axhline(1.5, color="#d1495b", lw=0.8, ls=(0, (4, 3)))
    ax.set_ylabel("std.\nDVARS", rotation=0, ha="right", va="center")
    ax.set_xlabel("Time (s)")
    ax.set_xlim(0, seconds[-1])
    ax.set_ylim(0, None)


def matrices(before: pd.DataFrame, after: pd.DataFrame) -> Figure:
    """Correlations of all pairs of regions, before cleaning and after."""
    # In inches. The panels are squares: axes of another shape would leave them, and title and bar, out of line.
    margin, side, gap, bottom, height = 1.7, 4.1, 0.25, 1.15, 5.95
    width = margin + 2 * side + gap + 1.15

    def box(left: float, across: float) -> tuple[float, float, float, float]:
        return left / width, bottom / height, across / width, side / height

    figure = Figure(figsize=(width, height))
    left = figure.add_axes(box(margin, side))
    right = figure.add_axes(box(margin + side + gap, side), sharey=left)
    for ax, table, title in ((left, before, "as recorded"), (right, after, "cleaned")):
        drawn = _draw_matrix(ax, table, title)
    right.tick_params(labelleft=False)
    beside = figure.add_axes(box(margin + 2 * side + gap + 0.2, 0.14))
    bar = figure.colorbar(drawn, cax=beside, ticks=[-1, -0.5, 0, 0.5, 1])
    bar.set_label("Pearson's r")
    bar.outline.set_visible(False)
    figure.suptitle(
        "Correlations of the regions' signals", x=margin / width, ha="left", fontsize=12, fontweight="bold"
    )
    return figure


def _draw_matrix(ax: Axes, table: pd.DataFrame, title: str) -> Any:
    names = [name.replace("-", " ") for name in table.columns]
    values = table.to_numpy()
    image = ax.imshow(values, cmap=_diverging(), vmin=-1, vmax=1)
    for row, column in np.ndindex(*values.shape):
        if row != column:
            value = values[row, column]
            text = f"{value:.2f}".replace("0.", ".", 1).replace("-", "−")
            ax.text(column, row, text, ha="center", va="center", fontsize=7.5,
                    color="white" if abs(value) > 0.6 else INK)  # fmt: skip
    ax.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="white", lw=1.2)
    ax.tick_params(which="minor", length=0)
    ax.set_title(title)
    return image


def _diverging() -> ListedColormap:
    """Blue for negative, red for positive, without the darkest ends that swallow the numbers."""
    return ListedColormap(colormaps["RdBu_r"](np.linspace(0.06, 0.94, 256)))
