"""Pictures of runs and of a cohort; each is drawn from arrays, and the same arrays give the same bytes.

Those of runs are arrays of colours, which pages stretch: a cohort has thousands, and a figure of matplotlib takes as
long as the run itself.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from brainsieve.cohort.frozen import Prepared
from brainsieve.drawing.canvases import VolumeCanvas
from brainsieve.drawing.slices import axial_strip
from brainsieve.engine.domain import Domain, VoxelGrid
from brainsieve.maskers.reports import parts_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

DPI = 100
# Standard deviations at the ends of a carpet's greys.
CARPET_LIMIT = 2.0
# Voxels in a carpet: more cannot be told apart on a page.
CARPET_ROWS = 250
# Volumes that are left out, and regions that are missing.
LEFT_OUT, MISSING = (217, 136, 128), (204, 204, 204)
GAP = 6
# Matrices side by side in one picture, and their height there.
MOST_MATRICES, MATRIX_PIXELS = 4, 260
# From -1 by 0 to 1.
BLUE, WHITE, RED = np.array([33, 102, 172]), np.array([255, 255, 255]), np.array([178, 24, 43])


def can_draw() -> bool:
    """Whether pictures can be made: matplotlib, and Pillow, which comes with it."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def png(picture: Figure | NDArray[np.uint8]) -> bytes:
    """A figure, or an array (height, width, 3), as a file that does not tell when or by which version it was made."""
    stream = io.BytesIO()
    if isinstance(picture, np.ndarray):
        from PIL import Image

        Image.fromarray(picture).save(stream, format="png", compress_level=1)
    else:
        picture.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return stream.getvalue()


def carpet(before: NDArray, after: NDArray, kept: NDArray[np.intp] | None) -> NDArray[np.uint8]:
    """Series of voxels, z-scored, as recorded above those that are clean; a column a volume.

    Parameters
    ----------
    before : array of shape (n_samples, n_voxels)
    after : array of shape (n_kept, n_voxels)
    kept : array of int or None
        Volumes that are kept, the others are red; None: all.
    """
    whole = np.full(before.shape, np.nan)
    whole[slice(None) if kept is None else kept] = _standardized(after)
    gap = np.full((GAP, len(before), 3), 255, dtype=np.uint8)
    return np.concatenate([_greys(_standardized(before)), gap, _greys(whole)])


def _greys(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    shade = (values.T / CARPET_LIMIT + 1) / 2
    grey = (np.clip(np.nan_to_num(shade), 0, 1) * 255).round().astype(np.uint8)
    return np.where(np.isnan(shade)[..., None], np.array(LEFT_OUT, dtype=np.uint8), grey[..., None])


def _standardized(series: NDArray) -> NDArray[np.float64]:
    centred = np.asarray(series, dtype=np.float64) - series.mean(axis=0)
    spread = centred.std(axis=0)
    return centred / np.where(spread > 0, spread, 1.0)


def matrices(of_atlases: Mapping[str, NDArray]) -> NDArray[np.uint8]:
    """Matrices of correlations side by side: blue is negative, red positive, grey missing."""
    parts = []
    for matrix in list(of_atlases.values())[:MOST_MATRICES]:
        nearest = (np.arange(MATRIX_PIXELS) * len(matrix)) // MATRIX_PIXELS
        parts += [
            _diverging(matrix)[np.ix_(nearest, nearest)],
            np.full((MATRIX_PIXELS, GAP, 3), 255, dtype=np.uint8),
        ]
    return np.concatenate(parts[:-1], axis=1)


def _diverging(matrix: NDArray) -> NDArray[np.uint8]:
    strength = np.abs(np.nan_to_num(matrix)).clip(0, 1)[..., None]
    end = np.where((matrix < 0)[..., None], BLUE, RED)
    colours = (WHITE + (end - WHITE) * strength).round().astype(np.uint8)
    return np.where(np.isnan(matrix)[..., None], np.array(MISSING, dtype=np.uint8), colours)


def regions(prepared: Prepared, background: tuple[Domain, NDArray] | None) -> NDArray[np.uint8] | Figure:
    """The regions of an atlas on a volume of the run: a strip of slices; on surfaces, a figure."""
    fitted = prepared.fitted
    domain, layers, _, _ = parts_of(fitted.atlas, fitted, background, ("displayed", 1))
    canvas = fitted.kind.canvas(domain, background)
    if isinstance(domain, VoxelGrid) and isinstance(canvas, VolumeCanvas):
        return axial_strip(canvas.background, layers[0], canvas.affine)
    return canvas.figures(layers[0])[0]


def comparison_figure(table: pd.DataFrame) -> Figure:
    """How much connectivity goes with motion, strategies side by side, a panel for each atlas."""
    from matplotlib.figure import Figure

    of_all = table[table["runs"] == "all runs"]
    names = list(dict.fromkeys(of_all["atlas"]))
    figure = Figure(figsize=(3.2 * len(names) + 1, 3.2), layout="constrained", facecolor="white")
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(names), sharey=True)), names, strict=True):
        rows = of_all[of_all["atlas"] == name]
        axes.bar(rows["strategy"], rows["qcfc_median_abs"].fillna(0.0), color="#5d6d7e")
        axes.set_title(name.removeprefix("atlas-"), fontsize=10)
        axes.tick_params(axis="x", rotation=45)
    figure.axes[0].set_ylabel("QC-FC, median |r|")
    return figure


def motion_figure(runs: pd.DataFrame, limits: Mapping[str, float]) -> Figure:
    """Mean displacement of all runs, and where rules draw their lines."""
    from matplotlib.figure import Figure

    values = runs["fd_mean"].dropna().to_numpy(dtype=float)
    figure = Figure(figsize=(6.4, 2.6), layout="constrained", facecolor="white")
    axes = figure.subplots()
    axes.hist(values, bins=min(40, max(5, len(values))), color="#5d6d7e")
    for name, limit in limits.items():
        axes.axvline(limit, color="#c0392b", lw=1)
        axes.text(
            limit,
            0.97,
            f" {name}",
            transform=axes.get_xaxis_transform(),
            va="top",
            fontsize=9,
            color="#c0392b",
        )
    axes.set_xlabel("mean framewise displacement (mm)")
    axes.set_ylabel("runs")
    return figure


def some_voxels(n_voxels: int) -> NDArray[np.intp]:
    """The voxels of a carpet, evenly taken."""
    return np.unique(np.linspace(0, n_voxels - 1, min(n_voxels, CARPET_ROWS)).round().astype(np.intp))
