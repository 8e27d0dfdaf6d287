"""The report of a linear model: its designs, and for each contrast a map with the table of its clusters.

A model gives its content as plain arrays and words (`ModelContent`); nothing here knows of estimators.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.drawing.canvases import Canvas
from brainsieve.drawing.layers import Layer
from brainsieve.drawing.matrices import contrast_figure, correlation_figure, design_figure
from brainsieve.pages.html_report import HTMLReport
from brainsieve.pages.masker_report import PAGE, data_url, facts_list, parameters_table, table_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class DesignContent:
    """A design.

    Attributes
    ----------
    name : str
    matrix : array of shape (n_samples, n_columns)
    columns : sequence of str
    """

    name: str
    matrix: NDArray
    columns: Sequence[str]


@dataclass(frozen=True)
class ContrastContent:
    """A contrast.

    Attributes
    ----------
    name : str
    weights : list of (sequence of str, array of shape (q, n_columns))
        Columns and weights, for each design that takes part.
    canvas : Canvas
    layer : Layer
    settings : dict of str to object
        How the map was cut.
    clusters : pandas.DataFrame
    """

    name: str
    weights: Sequence[tuple[Sequence[str], NDArray]]
    canvas: Canvas
    layer: Layer
    settings: Mapping[str, Any]
    clusters: pd.DataFrame


@dataclass(frozen=True)
class ModelContent:
    """What a model tells of itself.

    Attributes
    ----------
    title, kind : str
    facts : dict of str to str
    designs : sequence of DesignContent
    contrasts : sequence of ContrastContent
    parameters : dict
    warnings : sequence of str
    """

    title: str
    kind: str
    facts: Mapping[str, str]
    designs: Sequence[DesignContent]
    contrasts: Sequence[ContrastContent]
    parameters: Mapping[str, Any]
    warnings: Sequence[str] = field(default_factory=list)


def model_report(content: ModelContent, size: tuple[int, int] = (1000, 720)) -> HTMLReport:
    """The page of a model.

    Parameters
    ----------
    content : ModelContent
    size : (int, int), default=(1000, 720)
        Of the frame in notebooks, in pixels.
    """
    has_pictures = _has_matplotlib()
    parts = [
        f"<h1>{html.escape(content.title)}</h1><p class='quiet'>{html.escape(content.kind)}</p>",
        facts_list(content.facts),
        "".join(f"<p class='warning'>⚠ {html.escape(text)}</p>" for text in content.warnings),
        "" if has_pictures else "<p class='warning'>matplotlib is not installed; there are no pictures.</p>",
        "".join(_contrast(contrast, has_pictures) for contrast in content.contrasts),
        "".join(_design(design, has_pictures) for design in content.designs),
        parameters_table(content.parameters),
    ]
    return HTMLReport(PAGE, "".join(parts), {"title": html.escape(content.title)}).resize(*size)


def _has_matplotlib() -> bool:
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return False
    return True


def _contrast(contrast: ContrastContent, has_pictures: bool) -> str:
    name = html.escape(contrast.name)
    pictures = ""
    if has_pictures:
        weights = "".join(
            _picture(contrast_figure(w, columns), f"weights of {name}") for columns, w in contrast.weights
        )
        figures = contrast.canvas.figures(contrast.layer)
        pictures = weights + f"<figure>{''.join(_picture(figure, name) for figure in figures)}</figure>"
    settings = {
        key: value if isinstance(value, str) else f"{value}" for key, value in contrast.settings.items()
    }
    nothing = "" if len(contrast.clusters) else "<p class='quiet'>No cluster passes.</p>"
    return (
        f"<h2>Contrast {name}</h2>{pictures}{parameters_table(settings, 'How the map was cut')}{nothing}"
        f"{table_of(contrast.clusters, 'Clusters') if len(contrast.clusters) else ''}"
    )


def _design(design: DesignContent, has_pictures: bool) -> str:
    name = html.escape(design.name)
    shape = f"<p class='quiet'>{design.matrix.shape[0]} rows, {design.matrix.shape[1]} columns</p>"
    pictures = ""
    if has_pictures:
        pictures = _picture(design_figure(design.matrix, design.columns), f"design of {name}")
        if (np.ptp(design.matrix, axis=0) > 0).sum() > 1:
            pictures += _picture(correlation_figure(design.matrix, design.columns), f"correlations of {name}")
    return f"<h2>Design: {name}</h2>{shape}{pictures}"


def _picture(figure: Any, name: str) -> str:
    return f"<img src='{data_url(figure)}' alt='{name}' style='max-width: 100%'>"
