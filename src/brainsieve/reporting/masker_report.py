"""The report of a masker: what it takes, from where, with which parameters.

A masker gives its content as plain arrays and words (`MaskerContent`); nothing here knows of estimators.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from brainsieve.logs import warn
from brainsieve.reporting.html_report import HTMLReport

if TYPE_CHECKING:
    import pandas as pd

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
figure img { display: block; width: 100%; height: auto; } figure.one img { width: auto; height: 360px; margin: 0 auto; }
figcaption, label { font-size: 13px; color: var(--quiet); }
.controls { display: flex; gap: 10px; align-items: center; margin: 10px 0; } input[type=range] { flex: 1; }
select, input { font: inherit; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
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
class Layer:
    """What is drawn over the background: a mask, labels (-1 where there is none), weights or a sphere.

    Attributes
    ----------
    name : str
    data : array
        Of the shape that the canvas takes: (nx, ny, nz), or (n_points,) for surfaces and CIFTI.
    kind : {"mask", "labels", "weights", "sphere"}
    colours : list of str, optional
        ``#RRGGBB`` of each label.
    """

    name: str
    data: NDArray
    kind: str
    colours: Sequence[str] | None = None


class Canvas(Protocol):
    """What layers are drawn on."""

    def pictures(self, layer: Layer, cmap: Any, scrolled: bool) -> list[str]:
        """Pictures of a layer as data URLs: one, or several where a viewer scrolls through them."""

    def note(self) -> str | None:
        """What cannot be drawn, and why."""


@dataclass(frozen=True)
class VolumeCanvas:
    """Slices of a volume.

    Attributes
    ----------
    affine : array of shape (4, 4)
    background : array of shape (nx, ny, nz) or None
    """

    affine: NDArray
    background: NDArray | None

    def pictures(self, layer: Layer, cmap: Any, scrolled: bool) -> list[str]:
        from brainsieve.reporting.pictures import volume_pictures

        colours = layer.colours if cmap is None else None
        return volume_pictures(
            self.background, layer.data, self.affine, layer.kind, cmap or colours, scrolled
        )

    def note(self) -> str | None:
        return None


@dataclass(frozen=True)
class SurfaceCanvas:
    """Lateral and medial views of one or both hemispheres.

    Attributes
    ----------
    meshes : dict of str to (coordinates, faces)
    spans : dict of str to array of int
        For each hemisphere which points of a layer are its vertices, -1 where none is.
    background : array of shape (n_points,) or None
    """

    meshes: Mapping[str, tuple[NDArray, NDArray]]
    spans: Mapping[str, NDArray]
    background: NDArray | None

    def pictures(self, layer: Layer, cmap: Any, scrolled: bool) -> list[str]:
        from brainsieve.reporting.surface_pictures import surface_picture

        return [surface_picture(self, layer, cmap)]

    def note(self) -> str | None:
        return None


@dataclass(frozen=True)
class GrayordinateCanvas:
    """Hemispheres where there are meshes for them, and slices of the voxels.

    Attributes
    ----------
    cortex : SurfaceCanvas or None
    shape : tuple of 3 int
        Of the volume that the voxels are in.
    affine : array of shape (4, 4)
    points : array of int
        Which points of a layer are voxels.
    voxels : array of shape (n_voxels, 3)
    background : array of shape (n_points,) or None
    missing : str or None
        What is not drawn, and why.
    """

    cortex: SurfaceCanvas | None
    shape: tuple[int, int, int]
    affine: NDArray
    points: NDArray
    voxels: NDArray
    background: NDArray | None
    missing: str | None = None

    def pictures(self, layer: Layer, cmap: Any, scrolled: bool) -> list[str]:
        if layer.kind == "labels" and layer.colours is None and cmap is None:
            from brainsieve.reporting.pictures import hex_colours

            # One colour for a label on the cortex and in the volume.
            layer = replace(layer, colours=hex_colours(int(layer.data.max()) + 1))
        images = [] if self.cortex is None else self.cortex.pictures(layer, cmap, scrolled)
        # Structures that a mask leaves out altogether are not drawn: their background would pass for a part of it.
        if len(self.points) and (layer.kind != "mask" or layer.data[self.points].any()):
            volume = self._volume(layer.data, -1 if layer.kind == "labels" else 0)
            background = None if self.background is None else self._volume(self.background, 0)
            inside = replace(layer, data=volume)
            images += VolumeCanvas(self._cropped_affine, background).pictures(inside, cmap, False)
        return images

    @property
    def _cropped_affine(self) -> NDArray:
        moved = np.array(self.affine)
        moved[:3, 3] = (self.affine @ [*self.voxels.min(axis=0), 1])[:3]
        return moved

    def _volume(self, values: NDArray, outside: float) -> NDArray:
        dtype = values.dtype if values.dtype.kind != "b" else np.dtype(np.uint8)
        volume = np.full(self.shape, outside, dtype=dtype)
        volume[tuple(self.voxels.T)] = values[self.points]
        # Around the structures, not the head: the grid is much larger than what is in it.
        low, high = self.voxels.min(axis=0), self.voxels.max(axis=0) + 1
        return volume[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]

    def note(self) -> str | None:
        return self.missing


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
        _facts(content.facts),
        _figures(content, engine),
        "".join(f"<p class='warning'>⚠ {html.escape(text)}</p>" for text in content.warnings),
        _regions(content.regions),
        _parameters(content.parameters),
    ]
    return HTMLReport(PAGE, "".join(parts), {"title": html.escape(content.title)})


def _facts(facts: Mapping[str, str]) -> str:
    cells = (f"<li><b>{html.escape(v)}</b>{html.escape(k)}</li>" for k, v in facts.items())
    return f"<ul class='facts'>{''.join(cells)}</ul>"


def _figures(content: MaskerContent, engine: str) -> str:
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return "<p class='warning'>matplotlib is not installed; there are no pictures.</p>"
    # Views of surfaces are not scrolled through; they stand in a row whatever the engine.
    scrolled = engine == "brainsprite" and isinstance(content.canvas, VolumeCanvas)
    images = []
    for i, layer in enumerate(content.layers):
        urls = content.canvas.pictures(layer, content.cmap, scrolled)
        images += [
            f"<img data-set='{i}' data-at='{at}' src='{url}' alt='{html.escape(layer.name, quote=True)}'>"
            for at, url in enumerate(urls)
        ]
    controls = ""
    if len(content.layers) > 1:
        options = "".join(
            f"<option value='{i}'>{html.escape(layer.name)}</option>"
            for i, layer in enumerate(content.layers)
        )
        controls += f"<label for='layer'>Show</label><select id='layer'>{options}</select>"
    if scrolled:
        controls += (
            "<label for='slice'>Slice</label><input id='slice' type='range' min='0' max='100' value='0'>"
        )
    note = content.canvas.note()
    if note:
        controls += f"<p class='quiet'>{html.escape(note)}</p>"
    kind = "one" if scrolled else "row"
    return (
        f"<div class='controls'>{controls}</div><figure class='{kind}'>{''.join(images)}</figure>"
        f"{VIEWER if scrolled or len(content.layers) > 1 else ''}"
    )


def _regions(table: pd.DataFrame | None) -> str:
    if table is None:
        return ""
    head = "".join(
        f"<th{' class=number' if table[column].dtype.kind in 'iuf' else ''}>{html.escape(str(column))}</th>"
        for column in table.columns
    )
    rows = []
    for values in table.head(MOST_ROWS).itertuples(index=False):
        cells = "".join(_cell(value) for value in values)
        rows.append(f"<tr>{cells}</tr>")
    more = "" if len(table) <= MOST_ROWS else f"<p class='quiet'>and {len(table) - MOST_ROWS} more</p>"
    body = f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f"<h2>Regions</h2><div class='scroll'><table>{body}</table></div>{more}"


def _cell(value: Any) -> str:
    if isinstance(value, int | np.integer):
        return f"<td class='number'>{int(value):,}</td>"
    if isinstance(value, float | np.floating):
        return f"<td class='number'>{'–' if np.isnan(value) else f'{value:,.1f}'}</td>"
    return f"<td>{html.escape(str(value))}</td>"


def _parameters(parameters: Mapping[str, Any]) -> str:
    rows = []
    for name, value in parameters.items():
        text = repr(value)
        text = text if len(text) <= 200 else text[:197] + "…"
        rows.append(f"<tr><td>{html.escape(name)}</td><td><code>{html.escape(text)}</code></td></tr>")
    return f"<h2>Parameters</h2><table><tbody>{''.join(rows)}</tbody></table>"
