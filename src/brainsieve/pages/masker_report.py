"""The report of a masker: what it takes, from where, with which parameters.

A masker gives its content as plain arrays and words (`MaskerContent`); nothing here knows of estimators.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from brainsieve.drawing.canvases import Canvas
from brainsieve.drawing.layers import Layer, label_colours
from brainsieve.logs import warn
from brainsieve.pages.html_report import HTMLReport
from brainsieve.pages.values import described

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

ENGINES = ("matplotlib", "brainsprite")
MOST_ROWS = 1000

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; --ink: #1d2330; --quiet: #667085; --line: #e3e6ec; --paper: #fff; --accent: #b42318; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7eaf0; --quiet: #98a2b3; --line: #2b3240; --paper: #14171d; --accent: #ff8a7a; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 48px; }
h1 { font-size: 24px; margin: 0 0 2px; } h2 { font-size: 16px; margin: 28px 0 8px; }
.quiet { color: var(--quiet); margin: 0 0 18px; }
figure { margin: 0; background: #000; border-radius: 8px; overflow: hidden; text-align: center; }
figure img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
.key { display: flex; flex-wrap: wrap; gap: 2px 16px; max-height: 160px; overflow: auto; margin: 10px 0; padding: 0;
  list-style: none; font-size: 13px; }
.key i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; }
figcaption, label { font-size: 13px; color: var(--quiet); }
.controls { display: flex; gap: 10px; align-items: center; margin: 10px 0; } input[type=range] { flex: 1; }
select, input { font: inherit; }
table { border-collapse: collapse; width: 100%; font-size: 13px; table-layout: fixed; overflow-wrap: anywhere; }
.parameters td:first-child { width: 13em; } .regions th.number:first-child { width: 4em; }
th, td { text-align: left; padding: 4px 10px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { position: sticky; top: 0; background: var(--paper); font-weight: 600; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.scroll { max-height: 380px; overflow: auto; }
.facts { display: flex; flex-wrap: wrap; gap: 12px; margin: 16px 0; padding: 0; list-style: none; }
.facts li { border: 1px solid var(--line); border-radius: 8px; padding: 8px 14px; }
.facts b { display: block; font-size: 19px; } .warning { color: var(--accent); margin: 4px 0; }
code { font: 12px ui-monospace, monospace; overflow-wrap: anywhere; }
@media print { .scroll { max-height: none; } .controls { display: none; } }
</style></head><body><main>$body</main></body></html>"""

VIEWER = """<script>
(function () {
  const pictures = document.querySelectorAll("[data-set]");
  const select = document.getElementById("layer"), slice = document.getElementById("slice");
  function show() {
    const set = select ? select.value : "0";
    let n = 0;
    pictures.forEach(function (p) { if (p.dataset.set === set) { n += 1; } });
    if (slice) { slice.max = n - 1; if (+slice.value >= n) { slice.value = n - 1; } }
    pictures.forEach(function (p) {
      p.style.display = p.dataset.set === set && (!slice || p.dataset.at === slice.value) ? "" : "none";
    });
  }
  if (slice) {
    slice.max = pictures.length;
    slice.value = Math.floor(document.querySelectorAll("[data-set='0']").length / 2);
  }
  [select, slice].forEach(function (control) { if (control) { control.addEventListener("input", show); } });
  show();
})();
</script>"""


@dataclass(frozen=True)
class MaskerContent:
    """What a masker tells of itself.

    Attributes
    ----------
    title : str
    kind : str
        Name of its class.
    canvas : Canvas
        What layers are drawn on.
    layers : sequence of Layer
        Several make a selector.
    facts : dict of str to str
        Numbers worth a glance.
    regions : pandas.DataFrame or None
    parameters : dict
    warnings : sequence of str
    cmap : matplotlib colour map or name, optional
    remark : str, optional
        What is to be said of the pictures.
    """

    title: str
    kind: str
    canvas: Canvas
    layers: Sequence[Layer]
    facts: Mapping[str, str]
    regions: pd.DataFrame | None
    parameters: Mapping[str, Any]
    warnings: Sequence[str] = field(default_factory=list)
    cmap: Any = None
    remark: str | None = None


def masker_report(content: MaskerContent | None, title: str, engine: str = "matplotlib") -> HTMLReport:
    """The page of a masker.

    Parameters
    ----------
    content : MaskerContent or None
        None: a page that says that there is nothing to show, as the masker is not fitted or keeps no reports.
    title : str
    engine : {"matplotlib", "brainsprite"}, default="matplotlib"
        Slices side by side, or a viewer that scrolls through them.

    Returns
    -------
    report : HTMLReport

    Raises
    ------
    ValueError
        If the engine is another.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(map(repr, ENGINES))}; {engine!r} was given.")
    if content is None:
        text = "This masker is not fitted, or was made with reports=False: there is nothing to show."
        warn(text)
        body = f"<h1>{html.escape(title)}</h1><p class='warning'>{text}</p>"
        return HTMLReport(PAGE, body, {"title": html.escape(title)})
    parts = [
        f"<h1>{html.escape(content.title)}</h1><p class='quiet'>{html.escape(content.kind)}</p>",
        facts_list(content.facts),
        _figures(content, engine),
        "".join(f"<p class='warning'>⚠ {html.escape(text)}</p>" for text in content.warnings),
        "" if content.regions is None else table_of(content.regions, "Regions"),
        parameters_table(content.parameters),
    ]
    return HTMLReport(PAGE, "".join(parts), {"title": html.escape(content.title)})


def facts_list(facts: Mapping[str, str]) -> str:
    """Numbers worth a glance."""
    cells = (f"<li><b>{html.escape(v)}</b>{html.escape(k)}</li>" for k, v in facts.items())
    return f"<ul class='facts'>{''.join(cells)}</ul>"


def _figures(content: MaskerContent, engine: str) -> str:
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return "<p class='warning'>matplotlib is not installed; there are no pictures.</p>"
    # Views of surfaces are not scrolled through; they stand in a row whatever the engine.
    scrolled = engine == "brainsprite" and content.canvas.can_scroll
    images = [
        f"<img data-set='{i}' data-at='{at}' src='{data_url(figure)}' alt='{html.escape(layer.name)}'>"
        for i, layer in enumerate(content.layers)
        for at, figure in enumerate(content.canvas.figures(layer, content.cmap, scrolled))
    ]
    controls = _layer_choice(content.layers)
    if scrolled:
        controls += (
            "<label for='slice'>Slice</label><input id='slice' type='range' min='0' max='100' value='0'>"
        )
    notes = [text for text in (content.canvas.note(), content.remark) if text]
    return (
        f"<div class='controls'>{controls}</div>"
        + (f"<figure>{''.join(images)}</figure>" if images else "")
        + "".join(f"<p class='quiet'>{html.escape(note)}</p>" for note in notes)
        + "".join(_key(layer, content.cmap) for layer in content.layers)
        + (VIEWER if scrolled or len(content.layers) > 1 else "")
    )


def _layer_choice(layers: Sequence[Layer]) -> str:
    if len(layers) < 2:
        return ""
    options = (f"<option value='{i}'>{html.escape(layer.name)}</option>" for i, layer in enumerate(layers))
    return f"<label for='layer'>Show</label><select id='layer'>{''.join(options)}</select>"


def data_url(figure: Figure) -> str:
    """A picture as text that stands in a page; the figure is drawn once."""
    buffer = io.BytesIO()
    # Without the version of matplotlib: equal reports are equal byte for byte.
    figure.savefig(buffer, format="png", facecolor=figure.get_facecolor(), metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _key(layer: Layer, cmap: Any) -> str:
    """Which colour is which label."""
    if layer.kind != "labels" or not layer.names:
        return ""
    entries = (
        f"<li><i style='background:{html.escape(colour)}'></i>{html.escape(str(name))}</li>"
        for colour, name in zip(label_colours(layer, cmap), layer.names, strict=False)
    )
    return f"<ul class='key'>{''.join(entries)}</ul>"


def table_of(table: pd.DataFrame, title: str) -> str:
    """A table under its title, not too long."""
    head = "".join(
        f"<th{' class=number' if table[column].dtype.kind in 'iuf' else ''}>{html.escape(str(column))}</th>"
        for column in table.columns
    )
    rows = []
    for values in table.head(MOST_ROWS).itertuples(index=False):
        cells = "".join(_cell(value) for value in values)
        rows.append(f"<tr>{cells}</tr>")
    more = "" if len(table) <= MOST_ROWS else f"<p class='quiet'>and {len(table) - MOST_ROWS:,} more</p>"
    body = f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f"<h2>{title}</h2><div class='scroll'><table class='regions'>{body}</table></div>{more}"


def _cell(value: Any) -> str:
    if isinstance(value, int | np.integer):
        return f"<td class='number'>{int(value):,}</td>"
    if isinstance(value, float | np.floating):
        return f"<td class='number'>{_number(float(value))}</td>"
    return f"<td>{html.escape(str(value))}</td>"


def _number(value: float) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:,.1f}" if abs(value) >= 10 or value == 0 else f"{value:#.3g}"


def parameters_table(parameters: Mapping[str, Any], title: str = "Parameters") -> str:
    """Names and values, under a title."""
    rows = (
        f"<tr><td>{html.escape(name)}</td><td><code>{html.escape(described(value))}</code></td></tr>"
        for name, value in parameters.items()
    )
    return f"<h2>{title}</h2><table class='parameters'><tbody>{''.join(rows)}</tbody></table>"
