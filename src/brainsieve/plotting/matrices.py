"""Matrices as pictures: connectivity, designs, contrasts, and the events that designs are made of."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainsieve import checks
from brainsieve.plotting.figures import axes_to_draw_on, save
from brainsieve.tables import as_pandas, read_table
from brainsieve.tables.expressions import expression_to_contrast_vector
from brainsieve.typing import ColormapLike, PathLike, TableLike

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

TRIANGLES = ("full", "lower", "diag")
LINKAGES = ("average", "single", "complete")
MATRIX_INCHES = (7.0, 5.0)
NAMES_ANGLE = 50
# Of a design: columns as narrow as their names allow, rows as many as a page holds.
DESIGN_INCHES_PER_COLUMN = 0.23
DESIGN_HEIGHT_INCHES = (3.0, 10.0)
# As many as tab20 has, the longest list of colours that the eye tells apart.
MAX_TRIAL_TYPES = 20


def plot_matrix(
    mat: ArrayLike,
    title: str | None = None,
    labels: Sequence[Any] | NDArray | None = None,
    figure: Any = None,
    axes: Axes | None = None,
    colorbar: bool = True,
    cmap: ColormapLike = "RdBu_r",
    tri: Literal["full", "lower", "diag"] = "full",
    auto_fit: bool = True,
    grid: str | bool = False,
    reorder: bool | Literal["average", "single", "complete"] = False,
    **kwargs: Any,
) -> AxesImage:
    """Plot a matrix, such as a connectome.

    Parameters
    ----------
    mat : array of shape (n, n) or data frame
        Its names are the labels, where none are given. Not square: with ``tri="full"`` only.
    title : str, optional
    labels : sequence of n str, optional
        Names of rows and columns. An empty one: none.
    figure : figure, number, or size in inches, optional
        Where to draw. Default: a new one, 7 × 5 inches.
    axes : matplotlib axes, optional
        Where to draw, instead of `figure`.
    colorbar : bool, default=True
    cmap : colour map or name, default="RdBu_r"
    tri : {"full", "lower", "diag"}, default="full"
        "lower": what is below the diagonal; "diag": and the diagonal.
    auto_fit : bool, default=True
        Make room for the names, within the figure.
    grid : bool or colour, default=False
        Lines between cells; of a colour, where that is given.
    reorder : bool or {"average", "single", "complete"}, default=False
        Order rows and columns by hierarchical clustering of the rows (True: average linkage), so that neighbours are
        alike. Needs labels, which move along.
    **kwargs : dict
        For `matplotlib.axes.Axes.imshow`, such as ``vmin`` and ``vmax``; default: the range of what is shown.

    Returns
    -------
    image : matplotlib.image.AxesImage

    Raises
    ------
    ValueError
        If `mat` is not 2-D, not numbers, or not square where a triangle or an order is asked for; if labels are not
        as many as rows; if `figure` and `axes` are given; `reorder` without labels, or with NaN.

    Notes
    -----
    The order is the optimal one of the leaves (Bar-Joseph et al. 2001, doi:10.1093/bioinformatics/17.suppl_1.S22).
    """
    checks.one_of(*TRIANGLES)("tri", tri)
    checks.one_of(True, False, *LINKAGES)("reorder", reorder)
    matrix, names = _matrix_and_labels(mat, labels)
    if (tri != "full" or reorder) and matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            f"mat has shape {matrix.shape}; only a square one has triangles and an order of its own. "
            "Plot it with tri='full' and reorder=False."
        )
    if reorder:
        matrix, names = _reordered(matrix, names, "average" if reorder is True else str(reorder))
    shown: NDArray = matrix
    if tri != "full":
        shown = np.ma.array(matrix, mask=~np.tri(len(matrix), k=0 if tri == "diag" else -1, dtype=bool))
    ax = axes_to_draw_on(figure, axes, MATRIX_INCHES)
    image = ax.imshow(shown, **{"aspect": "equal", "interpolation": "nearest", "cmap": cmap, **kwargs})
    _name_cells(ax, names, tri)
    if grid is not False:
        _draw_grid(ax, matrix.shape, "black" if grid is True else str(grid), tri)
    if title is not None:
        ax.set_title(title)
    if colorbar:
        ax.get_figure().colorbar(image, ax=ax, fraction=0.046, pad=0.03)
    if auto_fit and names and axes is None:
        ax.get_figure().tight_layout()
    return image


def _matrix_and_labels(mat: Any, labels: Any) -> tuple[NDArray, list[str]]:
    names = [str(name) for name in labels] if labels is not None else []
    if labels is None and hasattr(mat, "columns"):
        names = [str(name) for name in mat.columns] if mat.shape[0] == mat.shape[1] else []
    matrix = np.ma.asarray(mat) if isinstance(mat, np.ma.MaskedArray) else np.asarray(mat)
    if matrix.ndim != 2 or not matrix.size:
        raise ValueError(f"mat must be a matrix with rows and columns; it has shape {matrix.shape}.")
    if matrix.dtype.kind not in "biuf":
        raise ValueError(f"mat must hold real numbers; its dtype is {matrix.dtype}.")
    if names and len(names) != len(matrix):
        raise ValueError(f"labels has {len(names)} names, mat {len(matrix)} rows; give one for each.")
    return matrix.astype(np.float64), names


def _reordered(matrix: NDArray, names: list[str], method: str) -> tuple[NDArray, list[str]]:
    from scipy.cluster.hierarchy import leaves_list, linkage

    if not names:
        raise ValueError("reorder needs labels: without them nobody can tell which row went where.")
    if not np.isfinite(matrix).all():
        raise ValueError(
            "reorder needs finite numbers: rows with NaN or infinity have no distances; mat has some."
        )
    if len(matrix) == 1:
        return matrix, names
    order = leaves_list(linkage(matrix, method, optimal_ordering=True))
    return matrix[np.ix_(order, order)], [names[position] for position in order]


def _name_cells(ax: Axes, names: list[str], tri: str) -> None:
    if not names:
        ax.set_xticks([])
        ax.set_yticks([])
    else:
        at = np.arange(len(names))
        # Names that stand close get smaller, down to what can still be read.
        size = float(np.clip(260 / len(names), 3, 10))
        ax.set_xticks(at, names, rotation=NAMES_ANGLE, ha="right", rotation_mode="anchor", fontsize=size)
        ax.set_yticks(at, names, fontsize=size)
    if tri != "full":
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)


def _draw_grid(ax: Axes, shape: tuple[int, ...], colour: str, tri: str) -> None:
    """Lines between cells, along those that are shown only."""
    from matplotlib.collections import LineCollection

    n_rows, n_columns = shape
    extra = {"full": None, "diag": 1, "lower": 0}[tri]
    rows = [
        [(-0.5, at - 0.5), ((n_columns if extra is None else min(at + extra, n_columns)) - 0.5, at - 0.5)]
        for at in range(n_rows + 1)
    ]
    columns = [
        [(at - 0.5, (0 if extra is None else max(at - extra, 0)) - 0.5), (at - 0.5, n_rows - 0.5)]
        for at in range(n_columns + 1)
    ]
    ax.add_collection(LineCollection(rows + columns, colors=colour, linewidths=0.8), autolim=False)


def plot_design_matrix(
    design_matrix: TableLike,
    rescale: bool = True,
    axes: Axes | None = None,
    output_file: PathLike | None = None,
) -> Axes:
    """Plot the matrix of a model: scans down, regressors across.

    Parameters
    ----------
    design_matrix : pandas.DataFrame of shape (n_scans, n_regressors), or path of a table
    rescale : bool, default=True
        Divide each column by its Euclidean norm, so that small ones are seen.
    axes : matplotlib axes, optional
        Default: of a new figure, as wide as the regressors need.
    output_file : path, optional
        Also save the picture there.

    Returns
    -------
    axes : matplotlib axes

    Raises
    ------
    ValueError
        If the table is empty, or a column does not hold numbers.
    """
    checks.a_bool("rescale", rescale)
    table = _design_of(design_matrix)
    values = table.to_numpy(dtype=np.float64)
    if rescale:
        norms = np.sqrt(np.nansum(values**2, axis=0))
        values = values / np.where(norms > 0, norms, 1.0)
    n_scans, n_columns = values.shape
    size = (
        max(2.5, 1 + DESIGN_INCHES_PER_COLUMN * n_columns),
        float(np.clip(1 + 0.1 * n_scans, *DESIGN_HEIGHT_INCHES)),
    )
    ax = axes_to_draw_on(None, axes, size)
    ax.imshow(values, interpolation="nearest", aspect="auto", cmap="viridis")
    ax.set_ylabel("scan number")
    ax.set_xticks(range(n_columns), [str(name) for name in table.columns], rotation=60, ha="left")
    ax.xaxis.tick_top()
    if axes is None:
        ax.get_figure().tight_layout()
    save(ax.get_figure(), output_file)
    return ax


def plot_contrast_matrix(
    contrast_def: str | ArrayLike,
    design_matrix: TableLike,
    colorbar: bool = True,
    axes: Axes | None = None,
    output_file: PathLike | None = None,
) -> Axes:
    """Plot the weights that a contrast gives to the columns of a design.

    Parameters
    ----------
    contrast_def : str or array of shape (n_columns,) or (q, n_columns)
        An expression of columns' names, such as ``"a - b"``, or weights; fewer than columns: 0 for the rest, as
        models take them.
    design_matrix : pandas.DataFrame of shape (n_scans, n_regressors), or path of a table
    colorbar : bool, default=True
    axes : matplotlib axes, optional
    output_file : path, optional
        Also save the picture there.

    Returns
    -------
    axes : matplotlib axes
        Colours are symmetric about 0.

    Raises
    ------
    ValueError
        If there are more weights than columns, or weights that are not finite numbers, or an expression cannot be read.
    """
    names = [str(name) for name in _design_of(design_matrix).columns]
    weights = _contrast_weights(contrast_def, names)
    ax = axes_to_draw_on(None, axes, (max(5.0, 0.4 * len(names) + 1), 1.5 + 0.3 * len(weights) + 1.2))
    bound = float(np.abs(weights).max()) or 1.0
    image = ax.matshow(weights, aspect="equal", cmap="RdBu_r", vmin=-bound, vmax=bound)
    ax.set_xticks(range(len(names)), names, rotation=NAMES_ANGLE, ha="left", rotation_mode="anchor")
    ax.set_yticks([])
    ax.tick_params(bottom=False)
    if colorbar:
        ax.get_figure().colorbar(image, ax=ax, fraction=0.05, pad=0.03, shrink=0.7, ticks=[-bound, 0, bound])
    if axes is None:
        ax.get_figure().tight_layout()
    save(ax.get_figure(), output_file)
    return ax


def _contrast_weights(contrast: Any, names: list[str]) -> NDArray[np.float64]:
    if isinstance(contrast, str):
        return np.atleast_2d(expression_to_contrast_vector(contrast, names))
    try:
        weights = np.atleast_2d(np.asarray(contrast, dtype=np.float64))
    except (TypeError, ValueError):
        raise ValueError(
            f"contrast_def must be an expression or an array of weights; {checks.found(contrast)} was given."
        ) from None
    if weights.ndim != 2 or not weights.size or not np.isfinite(weights).all():
        raise ValueError(
            "contrast_def must be finite weights of shape (n_columns,) or (q, n_columns); "
            f"shape {weights.shape}{' with NaN or infinity' if weights.size else ''} was given."
        )
    missing = len(names) - weights.shape[1]
    if missing < 0:
        raise ValueError(
            f"contrast_def has {weights.shape[1]} weights, the design {len(names)} columns: {', '.join(names)}."
        )
    return np.pad(weights, ((0, 0), (0, missing)))


def plot_design_matrix_correlation(
    design_matrix: TableLike,
    tri: Literal["full", "diag"] = "full",
    cmap: ColormapLike = "RdBu_r",
    colorbar: bool = True,
    output_file: PathLike | None = None,
    **kwargs: Any,
) -> AxesImage:
    """Plot how the regressors of a design correlate with one another; constants and drifts are left out.

    Parameters
    ----------
    design_matrix : pandas.DataFrame of shape (n_scans, n_regressors), or path of a table
    tri : {"full", "diag"}, default="full"
        "diag": what is on and below the diagonal.
    cmap : colour map or name, default="RdBu_r"
    colorbar : bool, default=True
    output_file : path, optional
        Also save the picture there.
    **kwargs : dict
        For `plot_matrix`.

    Returns
    -------
    image : matplotlib.image.AxesImage
        From -1 to 1.

    Raises
    ------
    ValueError
        If no column is left.
    """
    checks.one_of("full", "diag")("tri", tri)
    table = _design_of(design_matrix)
    kept = [name for name in table.columns if name != "constant" and not str(name).startswith("drift_")]
    kept = [name for name in kept if np.ptp(table[name].to_numpy(dtype=np.float64)) > 0]
    if not kept:
        raise ValueError(
            "design_matrix has no regressor beside constants and drifts: "
            f"{', '.join(map(str, table.columns))}."
        )
    correlation = np.atleast_2d(np.corrcoef(table[kept].to_numpy(dtype=np.float64), rowvar=False))
    options = {"vmin": -1.0, "vmax": 1.0, "labels": [str(name) for name in kept], **kwargs}
    image = plot_matrix(correlation, tri=tri, cmap=cmap, colorbar=colorbar, **options)
    save(image.get_figure(), output_file)
    return image


def _table(name: str, table: Any) -> pd.DataFrame:
    if isinstance(table, str | os.PathLike):
        return read_table(table, as_text=("trial_type",))
    with checks.naming(name):
        return as_pandas(table)


def _design_of(design_matrix: Any) -> pd.DataFrame:
    table = _table("design_matrix", design_matrix)
    if not table.shape[0] or not table.shape[1]:
        raise ValueError(f"design_matrix is empty: {table.shape[0]} scans, {table.shape[1]} columns.")
    for name in table.columns:
        if np.asarray(table[name]).dtype.kind not in "biuf":
            raise ValueError(f"design_matrix: the column {name!r} does not hold numbers.")
    return table


def plot_event(
    model_event: TableLike | Sequence[TableLike],
    cmap: ColormapLike = None,
    output_file: PathLike | None = None,
    **fig_kwargs: Any,
) -> Figure:
    """Plot events in time: one row a run, one colour a type of trial.

    Parameters
    ----------
    model_event : pandas.DataFrame or path of a table, or a list of these
        Events of a run, with the columns ``onset`` and ``duration`` (seconds) and ``trial_type`` (default: one type,
        "dummy"); of duration 0, a line.
    cmap : colour map or name, optional
        Lists of colours are taken in turn, of continuous ones colours at equal distances. Default: ``"tab20"``.
    output_file : path, optional
        Also save the picture there.
    **fig_kwargs : dict
        For `matplotlib.pyplot.subplots`.

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there are more than 20 types of trial, or a table lacks a column or has numbers that are not finite.
    """
    import matplotlib.pyplot as plt

    runs = [_events_of(run) for run in _runs(model_event)]
    types = sorted({str(trial) for run in runs for trial in run["trial_type"]})
    if len(types) > MAX_TRIAL_TYPES:
        raise ValueError(
            f"model_event has {len(types)} types of trial; more than {MAX_TRIAL_TYPES} colours nobody tells apart."
        )
    colours = dict(zip(types, _distinct(cmap, len(types)), strict=True))
    figure, ax = plt.subplots(1, 1, **fig_kwargs)
    for row, run in enumerate(runs):
        low, high = (row + 0.25) / len(runs), (row + 0.75) / len(runs)
        for onset, duration, trial in zip(run["onset"], run["duration"], run["trial_type"], strict=True):
            colour = colours[str(trial)]
            if duration:
                ax.axvspan(onset, onset + duration, ymin=low, ymax=high, color=colour, linewidth=0)
            else:
                ax.axvline(onset, ymin=low, ymax=high, color=colour)
    ends = [float((run["onset"] + run["duration"]).max()) for run in runs if len(run)]
    starts = [float(run["onset"].min()) for run in runs if len(run)]
    ax.set_xlim(min([0.0, *starts]) - 1, max([0.0, *ends]) + 1)
    ax.set_ylim(0, len(runs))
    ax.set_xlabel("Time (sec.)")
    ax.set_ylabel("Runs")
    ax.set_yticks(np.arange(len(runs)) + 0.5, [str(row + 1) for row in range(len(runs))])
    patches = [plt.Rectangle((0, 0), 1, 1, color=colours[name]) for name in types]
    if types:
        ax.legend(patches, types, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.tight_layout()
    save(figure, output_file)
    return figure


def _runs(model_event: Any) -> list[Any]:
    runs = list(model_event) if isinstance(model_event, list | tuple) else [model_event]
    if not runs:
        raise ValueError("model_event is an empty list; give a table of events for each run.")
    return runs


def _events_of(run: Any) -> pd.DataFrame:
    table = _table("model_event", run)
    missing = [name for name in ("onset", "duration") if name not in table]
    if missing:
        raise ValueError(
            f"model_event lacks the column {missing[0]!r}; it has {', '.join(map(str, table.columns))}."
        )
    if "trial_type" not in table:
        table = table.assign(trial_type="dummy")
    for name in ("onset", "duration"):
        values = np.asarray(table[name])
        if values.dtype.kind not in "biuf" or not np.isfinite(values.astype(float)).all():
            raise ValueError(f"model_event: {name} must be finite numbers of seconds in each row.")
    return table


def _distinct(cmap: Any, n_colours: int) -> list[Any]:
    """Colours of a list in turn; of a continuous map, at equal distances."""
    import matplotlib

    colour_map = matplotlib.colormaps["tab20"] if cmap is None else matplotlib.colormaps.get_cmap(cmap)
    # What has more colours than any list is meant to be continuous.
    if colour_map.N <= MAX_TRIAL_TYPES:
        return [colour_map(position % colour_map.N) for position in range(n_colours)]
    return [colour_map(position) for position in np.linspace(0, 1, n_colours)]
