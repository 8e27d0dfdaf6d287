"""What a page in a browser shows: volumes, meshes and a colour bar, in the forms that NiiVue reads.

A mesh goes as MZ3 with a colour for each vertex, computed here: what is seen is what the pictures of `surfaces` show.
Source of the format: https://github.com/neurolabusc/surf-ice/tree/master/mz3.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.pages import HTMLReport

NIIVUE = "niivue/niivue-0.69.0.umd.js.gz"
MZ3_MAGIC, HAS_FACES, HAS_VERTICES, HAS_COLOURS = 0x5A4D, 1, 2, 4
BAR_COLOURS = 64
# Characters of a volume within a page of 3 MB, which has NiiVue (1.06 MB) and a background too.
MAX_PACKED_VOLUME = 1_300_000
PLAIN_HIDDEN = "#bbbbbb"


class SurfaceView(HTMLReport):
    """A page with meshes that turn. Methods: those of `HTMLReport`."""


class StatMapView(HTMLReport):
    """A page with the cuts of an image. Methods: those of `HTMLReport`."""


class ConnectomeView(HTMLReport):
    """A page with nodes and edges in space. Methods: those of `HTMLReport`."""


@dataclass
class Bar:
    """A colour bar: what `paint` gives between two values; grey where nothing is shown."""

    paint: Any
    low: float
    high: float
    threshold: float | None = None
    height: float = 0.5
    font_size: float = 25

    def html(self) -> str:
        values = np.linspace(self.low, self.high, BAR_COLOURS + 1)
        middles = (values[1:] + values[:-1]) / 2
        colours = [_hex(colour) for colour in self.paint.to_rgba(middles)]
        if self.threshold:
            colours = [
                PLAIN_HIDDEN if abs(middle) < self.threshold else colour
                for middle, colour in zip(middles, colours, strict=True)
            ]
        stops = ", ".join(
            f"{colour} {100 * k / BAR_COLOURS:.2f}% {100 * (k + 1) / BAR_COLOURS:.2f}%"
            for k, colour in enumerate(colours)
        )
        ticks = "".join(
            f'<span style="bottom: {100 * share:.0f}%">{self.low + share * (self.high - self.low):.3g}</span>'
            for share in (0, 0.25, 0.5, 0.75, 1)
        )
        return (
            f'<div class="bar"><div class="colours" style="background: linear-gradient(to top, {stops})"></div>'
            f'<div class="ticks">{ticks}</div></div>'
        )


@dataclass
class Scene:
    """A page in the making.

    Attributes
    ----------
    volumes, meshes : list of dict
        From `volume_of` and `mesh_of`, in the order in which they are drawn.
    bar : Bar or None
    title : str or None
    title_size : float
        In points.
    black : bool
        Paper.
    settings : dict
        Of the page's script: ``camera`` (azimuth, elevation), ``at`` (mm), ``points``, ``slices``, ``views``,
        ``options`` (of NiiVue).
    """

    volumes: list[dict[str, Any]] = field(default_factory=list)
    meshes: list[dict[str, Any]] = field(default_factory=list)
    bar: Bar | None = None
    title: str | None = None
    title_size: float = 25
    black: bool = False
    hint: str = "Drag to turn, scroll to zoom."
    settings: dict[str, Any] = field(default_factory=dict)

    def page(self, kind: type[HTMLReport], width: int, height: int) -> Any:
        """The page, of a class and a size in notebooks in pixels."""
        paper = [0, 0, 0, 1] if self.black else [1, 1, 1, 1]
        options = {
            "backColor": paper,
            "show3Dcrosshair": False,
            "isOrientationTextVisible": True,
            **self.settings.get("options", {}),
        }
        scene = {**self.settings, "volumes": self.volumes, "meshes": self.meshes, "options": options}
        bar = self.bar
        made = kind(
            _template(),
            "" if bar is None else bar.html(),
            {
                "title": html.escape(self.title or ""),
                "title_size": f"{0.8 * self.title_size:g}px",
                "paper": "#000" if self.black else "#fff",
                "ink": "#eee" if self.black else "#222",
                "bar_height": f"{100 * (0.5 if bar is None else bar.height):g}vh",
                "bar_font": f"{0.6 * (25 if bar is None else bar.font_size):g}px",
                "hint": html.escape(self.hint),
                # A name may hold "</script>", which would end the element.
                "scene": json.dumps(scene, allow_nan=False).replace("<", "\\u003c"),
                "niivue": _niivue(),
            },
        )
        return made.resize(width, height)


def volume_of(
    name: str,
    values: NDArray,
    affine: NDArray,
    bounds: tuple[float, float],
    lut: NDArray | None = None,
    opacity: float = 1.0,
) -> dict[str, Any]:
    """A volume as compressed NIfTI, of 16 bits a voxel; of 8, as many as colours have, where it would be too large.

    Parameters
    ----------
    name : str
    values : array of shape (x, y, z)
        Finite.
    affine : array of shape (4, 4)
    bounds : tuple of float
        Values of the first and last colour.
    lut : array of uint8, shape (256, 4), optional
        Colours; of opacity 0 or 255. Default: grey.
    opacity : float, default=1
    """
    packed = _packed_volume(values, affine, np.int16)
    if len(packed) > MAX_PACKED_VOLUME:
        packed = _packed_volume(values, affine, np.int8)
    made = {"name": name, "low": float(bounds[0]), "high": float(bounds[1]), "opacity": float(opacity)}
    if lut is not None:
        channels = {key: lut[:, column].tolist() for column, key in enumerate("RGBA")}
        made["lut"] = {**channels, "I": list(range(256))}
    return {**made, "base64": packed}


def mesh_of(
    name: str,
    points: NDArray,
    faces: NDArray,
    colours: NDArray,
    opacity: float = 1.0,
    shader: str | None = None,
) -> dict[str, Any]:
    """A mesh as compressed MZ3.

    Parameters
    ----------
    name : str
    points : array of shape (n_vertices, 3)
        In mm.
    faces : array of int, shape (n_faces, 3)
    colours : array of shape (n_vertices, 3) or more columns
        Red, green and blue, 0 … 1.
    opacity : float, default=1
    shader : str, optional
        Of NiiVue's.
    """
    rgba = np.full((len(points), 4), 255, dtype=np.uint8)
    rgba[:, :3] = np.round(255 * np.clip(colours[:, :3], 0, 1))
    head = np.array([MZ3_MAGIC, HAS_FACES | HAS_VERTICES | HAS_COLOURS], dtype="<u2").tobytes()
    sizes = np.array([len(faces), len(points), 0], dtype="<u4").tobytes()
    # A hundredth of a millimetre is enough for the eye, and compresses better.
    rounded = np.round(np.asarray(points, dtype=np.float64) * 128) / 128
    body = faces.astype("<i4").tobytes() + rounded.astype("<f4").tobytes() + rgba.tobytes()
    made = {"name": name, "opacity": float(opacity), "base64": _packed(head + sizes + body)}
    return made if shader is None else {**made, "shader": shader}


def _packed_volume(values: NDArray, affine: NDArray, dtype: Any) -> str:
    from nibabel.nifti1 import Nifti1Image

    # 0 stays 0, so that what is hidden stays hidden.
    step = max(float(np.abs(values).max()), 1e-30) / np.iinfo(dtype).max
    img = Nifti1Image(np.round(values / step).astype(dtype), affine)
    img.header.set_slope_inter(step, 0)
    img.header.set_xyzt_units("mm")
    return _packed(img.to_bytes())


def lut_of(paint: Any, low: float, high: float, threshold: float | None) -> NDArray[np.uint8]:
    """256 colours from one value to another; of opacity 0 where values within a threshold lie, and 0 itself."""
    values = np.linspace(low, high, 256)
    lut = np.round(255 * np.asarray(paint.to_rgba(values))).astype(np.uint8)
    lut[:, 3] = 255
    if threshold is not None:
        half = (high - low) / 255
        lut[np.abs(values) <= max(threshold - half, half), 3] = 0
    return lut


def _packed(raw: bytes) -> str:
    # The same input gives the same page: no time in the gzip header.
    return base64.b64encode(gzip.compress(raw, 9, mtime=0)).decode("ascii")


@cache
def _template() -> str:
    return files("brainsieve.plotting").joinpath("data", "page.html").read_text(encoding="utf-8")


@cache
def _niivue() -> str:
    raw = files("brainsieve.plotting").joinpath("data", *NIIVUE.split("/")).read_bytes()
    return base64.b64encode(raw).decode("ascii")


def _hex(colour: Any) -> str:
    red, green, blue = (round(255 * float(part)) for part in colour[:3])
    return f"#{red:02x}{green:02x}{blue:02x}"
