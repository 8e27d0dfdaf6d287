"""Displays: figures of cuts through the world, on which more can be drawn, in mm.

A display has one `CutAxes` for each cut. Their places are computed when the figure is drawn, from what they show:
all cuts have one scale. How volumes are cut: `slices.py`; which values are drawn: `ranges.py`. Glass brains, which
show what lies along a ray in the place of a slice: `glass.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from brainsieve.checks import a_bool, a_count, a_number, found, nearest
from brainsieve.logs import warn
from brainsieve.plotting import cm
from brainsieve.plotting.cuts import centre_of_activation, checked_point, cut_slices, refuse_outside
from brainsieve.plotting.ranges import Range, range_of
from brainsieve.plotting.slices import AXES, PLANES, WorldVolume, world_volume
from brainsieve.typing import ColormapLike, NiimgLike, PathLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes

N_AUTOMATIC = 7
CUT_INCHES, BAR_INCHES = 2.2, 0.7
# Where the colour bar begins and how far it goes, as shares of the height of a display.
BAR_BOTTOM, BAR_HEIGHT = 0.08, 0.84
# Markers that are further from a slice are not drawn on it.
MARKER_REACH_MM = 2.0
Arrange = Mapping[str, tuple[float, float, float, float]]


class CutAxes:
    """One cut: a direction, a coordinate, and the axes of matplotlib.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    direction : {"x", "y", "z"}
    coord : float or None
        In mm.
    """

    def __init__(self, ax: Axes, direction: str, coord: float | None) -> None:
        self.ax = ax
        self.direction = direction
        self.coord = coord
        self._bounds: list[tuple[float, float, float, float]] = []

    @property
    def axis(self) -> str:
        """The world's axis that the cut is across."""
        return self.direction

    def reading(self, volume: WorldVolume) -> NDArray | None:
        """What is shown of a volume: rows from the bottom to the top; None: nothing is there."""
        assert self.coord is not None
        return volume.slice(self.direction, self.coord)

    def seen(self, points: NDArray) -> NDArray[np.bool_]:
        """Which points (n, 3) are near enough to be shown."""
        assert self.coord is not None
        return np.asarray(np.abs(points[:, AXES[self.axis]] - self.coord) <= MARKER_REACH_MM)

    def include(self, extent: tuple[float, float, float, float]) -> None:
        """Make room for something, in mm."""
        self._bounds.append(extent)
        left, right, bottom, top = self.limits
        self.ax.set_xlim(left, right)
        self.ax.set_ylim(bottom, top)

    @property
    def limits(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top of what is shown, in mm."""
        if not self._bounds:
            return -90.0, 90.0, -90.0, 90.0
        lefts, rights, bottoms, tops = zip(*self._bounds, strict=True)
        return min(lefts), max(rights), min(bottoms), max(tops)


class BaseSlicer:
    """A figure of cuts. Functions such as `plot_stat_map` make one; its methods draw on it.

    Parameters
    ----------
    cut_coords : tuple, list or dict
        Where it is cut, in mm.
    axes : matplotlib.axes.Axes
        What it fills.
    black_bg : bool, default=False
    radiological : bool, default=False
        The left of the head on the right, in cuts that have a left.

    Attributes
    ----------
    axes : dict
        From a direction (of several cuts in one direction: a coordinate; of mosaics: both) to a cut, whose ``ax`` is
        matplotlib's.
    cut_coords : tuple, list or dict
    frame_axes : matplotlib.axes.Axes
        What is behind all cuts.
    rect : tuple of four float
        Its left, bottom, width and height, as shares of the figure.
    """

    mode: ClassVar[str] = ""
    # Directions of the cuts, in rows.
    rows: ClassVar[tuple[tuple[str, ...], ...]] = ()
    cut_type: ClassVar[Callable[..., CutAxes]] = CutAxes

    def __init__(
        self, cut_coords: Any, axes: Axes, black_bg: bool = False, radiological: bool = False
    ) -> None:
        a_bool("radiological", radiological)
        self.cut_coords = cut_coords
        self.frame_axes = axes
        self.black_bg = black_bg
        self.radiological = radiological
        self._cbar: Any = None
        self._titles: list[Any] = []
        self._bar_room = False
        _strip(axes, "black" if black_bg else "white")
        self.axes: dict[Any, CutAxes] = {}
        self._keys = [[self._add(cut) for cut in row] for row in self._cuts()]

    # What the subclasses say.

    @classmethod
    def size(cls, cut_coords: Any) -> tuple[float, float]:
        """Inches, without a colour bar."""
        return _SIZES[cls.mode]

    @classmethod
    def find_cut_coords(cls, volume: WorldVolume, cut_coords: Any, threshold: Any = None) -> Any:
        """Where to cut: what was asked for, checked, or what shows most of a volume."""
        ordered = "".join(sorted(direction for row in cls.rows for direction in row))
        if cut_coords is None:
            centre = centre_of_activation(volume.values, _affine(volume), threshold)
            return tuple(centre[AXES[direction]] for direction in ordered)
        point = checked_point(cut_coords, ordered, cls.mode)
        refuse_outside(volume.bounds, {d: [mm] for d, mm in zip(ordered, point, strict=True)})
        return point

    def _cuts(self) -> list[list[tuple[Any, str, float | None]]]:
        """Key, direction and coordinate of each cut, in rows."""
        at = self._point()
        return [[(direction, direction, at[direction]) for direction in row] for row in self.rows]

    def _point(self) -> dict[str, float]:
        ordered = sorted(direction for row in self.rows for direction in row)
        return dict(zip(ordered, self.cut_coords, strict=True))

    # Places.

    def _add(self, cut: tuple[Any, str, float | None]) -> Any:
        key, direction, coord = cut
        figure = self.frame_axes.figure
        ax = figure.add_axes(self.rect, label=f"{key}{len(figure.axes)}")
        ax.set_axis_off()
        ax.set_aspect("equal")
        ax.set_axes_locator(self._locator(key))
        self.axes[key] = self.cut_type(ax, direction, coord)
        return key

    @property
    def rect(self) -> tuple[float, float, float, float]:
        box = self.frame_axes.get_position()
        return box.x0, box.y0, box.width, box.height

    @property
    def _inches(self) -> NDArray[np.float64]:
        """Width and height of the figure, or part of one, that the display is in."""
        figure = self.frame_axes.figure
        return np.array([figure.bbox.width, figure.bbox.height]) / figure.dpi

    @property
    def _whole_figure(self) -> Any:
        # Also of a part of a figure.
        return self.frame_axes.figure.figure

    def _locator(self, key: Any) -> Callable[..., Any]:
        from matplotlib.transforms import Bbox

        return lambda ax, renderer: Bbox.from_bounds(*self._places()[key])

    def _places(self) -> Arrange:
        """Place of each cut in the figure: rows that share one scale, in the middle of what there is."""
        x0, y0, width, height = self.rect
        inches = self._inches
        room = self._share_of_cuts()
        sizes = {key: _size_mm(cut) for key, cut in self.axes.items()}
        wide = max(sum(sizes[key][0] for key in row) for row in self._keys)
        tall = sum(max(sizes[key][1] for key in row) for row in self._keys)
        scale = min(room * width * inches[0] / wide, height * inches[1] / tall)
        places, top = {}, y0 + height / 2 + scale * tall / inches[1] / 2
        for row in self._keys:
            row_height = scale * max(sizes[key][1] for key in row) / inches[1]
            left = x0 + room * width / 2 - scale * sum(sizes[key][0] for key in row) / inches[0] / 2
            for key in row:
                each_width, each_height = scale * np.array(sizes[key]) / inches
                bottom = top - row_height / 2 - each_height / 2
                places[key] = (left, bottom, each_width, each_height)
                left += each_width
            top -= row_height
        return places

    def _share_of_cuts(self) -> float:
        if not self._bar_room:
            return 1.0
        inches = self._inches[0] * self.rect[2]
        return 1 - min(BAR_INCHES / inches, 0.25)

    # Drawing.

    def add_overlay(
        self,
        img: NiimgLike,
        threshold: float | str | None = 1e-6,
        colorbar: bool = False,
        cbar_tick_format: str = "%.2g",
        cbar_vmin: float | None = None,
        cbar_vmax: float | None = None,
        transparency: Any = None,
        transparency_range: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Draw a map over what is there.

        Parameters
        ----------
        img : image-like
            Of one volume, on any grid.
        threshold : float, str or None, default=1e-6
            Values of at most this size are not drawn; a percentile of sizes such as "80%"; None: all are.
        colorbar : bool, default=False
        cbar_tick_format : str, default="%.2g"
        cbar_vmin, cbar_vmax : float, optional
            Ends of the colour bar.
        transparency : float or image-like, optional
            Opacity, from 0 to 1; or an image whose size says how opaque each voxel is.
        transparency_range : (float, float), optional
            Sizes in such an image that are wholly transparent and opaque. Default: 0 and its largest.
        **kwargs
            Of matplotlib's ``imshow``: ``cmap``, ``vmin``, ``vmax``, ``alpha`` …
        """
        volume = world_volume(img, "img")
        limits = range_of(volume.values, kwargs.pop("vmin", None), kwargs.pop("vmax", None), threshold)
        opacity = opacity_of(transparency, transparency_range, img)
        self._draw(volume, limits, opacity=opacity, **kwargs)
        if colorbar:
            self._show_bar(
                limits, kwargs.get("cmap"), cbar_tick_format, cbar_vmin, cbar_vmax, kwargs.get("alpha")
            )

    def _draw(
        self, volume: WorldVolume, limits: Range, opacity: WorldVolume | float | None = None, **kwargs: Any
    ) -> None:
        cmap = cm.colour_map(kwargs.pop("cmap", None))
        kwargs = {"interpolation": "nearest", "aspect": "equal", **kwargs}
        for cut in self.axes.values():
            shown = cut.reading(volume)
            if shown is None:
                right, up = PLANES[cut.axis]
                shown = np.zeros((volume.values.shape[up], volume.values.shape[right]))
                values = np.ma.masked_array(shown, np.ones_like(shown, dtype=bool))
            else:
                values = np.ma.masked_array(shown, limits.hides(shown))
            if opacity is not None:
                kwargs["alpha"] = _opacity_at(opacity, cut, volume)
            extent = volume.extent(cut.axis)
            cut.ax.imshow(
                values[::-1],
                origin="upper",
                extent=extent,
                vmin=limits.low,
                vmax=limits.high,
                cmap=cmap,
                **kwargs,
            )
            self._include(cut, extent)

    def _include(self, cut: CutAxes, extent: tuple[float, float, float, float]) -> None:
        cut.include(extent)
        if self._is_mirrored(cut):
            cut.ax.invert_xaxis()

    def _is_mirrored(self, cut: CutAxes) -> bool:
        # Left and right alone change places: sagittal cuts stay.
        return self.radiological and cut.axis != "x"

    def add_contours(
        self,
        img: NiimgLike,
        threshold: float | str | None = 1e-6,
        filled: bool = False,
        **kwargs: Any,
    ) -> None:
        """Draw lines of equal values.

        Parameters
        ----------
        img : image-like
            Of one volume.
        threshold : float, str or None, default=1e-6
            Values of at most this size count as 0.
        filled : bool, default=False
            Fill between the levels; above the last too.
        **kwargs
            Of matplotlib's ``contour``: ``levels``, ``colors``, ``linewidths``, ``alpha``, ``cmap`` …
        """
        a_bool("filled", filled)
        volume = world_volume(img, "img")
        limits = range_of(volume.values, None, None, threshold)
        kept = np.where(limits.hides(volume.values), 0, volume.values)
        self._draw_contours(WorldVolume(kept, volume.first, volume.steps), kwargs, filled)

    def _draw_contours(self, volume: WorldVolume, style: Mapping[str, Any], filled: bool = False) -> None:
        kwargs = dict(style)
        if "levels" in kwargs:
            # The caller's list is theirs.
            kwargs["levels"] = _levels(kwargs["levels"], filled, float(volume.values.max()))
        if filled:
            kwargs.pop("linewidths", None)
        if isinstance(kwargs.get("cmap"), str):
            kwargs["cmap"] = cm.colour_map(kwargs["cmap"])
        for cut in self.axes.values():
            shown = cut.reading(volume)
            if shown is not None:
                self._contour(cut, volume, shown, filled, kwargs)
                self._include(cut, volume.extent(cut.axis))

    @staticmethod
    def _contour(
        cut: CutAxes, volume: WorldVolume, shown: NDArray, filled: bool, kwargs: dict[str, Any]
    ) -> None:
        levels = kwargs.get("levels")
        low, high = float(shown.min()), float(shown.max())
        # matplotlib warns where no line is drawn: a slice may well miss a region.
        if low == high or (levels is not None and not _crosses(levels, low, high, filled)):
            return
        draw = cut.ax.contourf if filled else cut.ax.contour
        draw(*volume.grid(cut.axis), shown, **kwargs)

    def add_edges(self, img: NiimgLike, color: Any = "r") -> None:
        """Draw the edges in another image, to see whether two lie on each other.

        An edge is where the Laplacian of the smoothed slice changes its sign and its gradient is steep (Marr &
        Hildreth 1980, doi:10.1098/rspb.1980.0020).

        Parameters
        ----------
        img : image-like
            Of one volume.
        color : colour of matplotlib, default="r"
        """
        from matplotlib.colors import ListedColormap

        volume = world_volume(img, "img")
        for cut in self.axes.values():
            shown = cut.reading(volume)
            if shown is None:
                continue
            edges = edges_in(shown)
            extent = volume.extent(cut.axis)
            cut.ax.imshow(
                np.ma.masked_array(np.ones(edges.shape), ~edges)[::-1],
                origin="upper",
                extent=extent,
                vmin=0,
                vmax=1,
                interpolation="nearest",
                cmap=ListedColormap([color]),
            )
            self._include(cut, extent)

    def add_markers(
        self, marker_coords: ArrayLike, marker_color: Any = "r", marker_size: Any = 30, **kwargs: Any
    ) -> None:
        """Draw points.

        Parameters
        ----------
        marker_coords : array of shape (n, 3)
            In mm. Slices show those within 2 mm.
        marker_color : colour, or one for each point, default="r"
        marker_size : float, or one for each point, default=30
            In square points.
        **kwargs
            Of matplotlib's ``scatter``.
        """
        points = checked_points(marker_coords, "marker_coords")
        n = len(points)
        kwargs = {"marker": "o", "zorder": 10, **kwargs}
        for cut in self.axes.values():
            seen = cut.seen(points)
            right, up = PLANES[cut.axis]
            cut.ax.scatter(
                points[seen, right],
                points[seen, up],
                s=_each(marker_size, seen, n),
                c=_each(marker_color, seen, n),
                **kwargs,
            )

    # Words and lines.

    def draw_cross(self, cut_coords: Any = None, **kwargs: Any) -> None:
        """Draw lines in each cut where the others are.

        Parameters
        ----------
        cut_coords : tuple of float, optional
            In mm. Default: those of the display.
        **kwargs
            Of matplotlib's ``axvline``.
        """
        at = self._cross_at(cut_coords)
        kwargs = {"color": "white" if self.black_bg else "black", "linewidth": 0.8, "alpha": 0.7, **kwargs}
        for cut in self.axes.values():
            right, up = PLANES[cut.axis]
            if "xyz"[right] in at:
                cut.ax.axvline(at["xyz"[right]], ymin=0.05, ymax=0.95, **kwargs)
            if "xyz"[up] in at:
                cut.ax.axhline(at["xyz"[up]], **kwargs)

    def _cross_at(self, cut_coords: Any) -> dict[str, float]:
        directions = [cut.direction for cut in self.axes.values()]
        if cut_coords is None:
            return (
                {cut.axis: float(cut.coord or 0.0) for cut in self.axes.values()}
                if _all_differ(directions)
                else {}
            )
        ordered = "".join(sorted(directions)) if _all_differ(directions) else "xyz"
        return dict(zip(ordered, checked_point(cut_coords, ordered, self.mode), strict=True))

    def annotate(
        self,
        left_right: bool = True,
        positions: bool = True,
        scalebar: bool = False,
        size: float = 12,
        scale_size: float = 5.0,
        scale_units: str = "cm",
        scale_loc: int = 4,
        decimals: int | bool = 0,
        **kwargs: Any,
    ) -> None:
        """Write sides and positions.

        Parameters
        ----------
        left_right : bool, default=True
            L and R, in cuts that have a left.
        positions : bool, default=True
            Where each cut is, rounded (nilearn: truncated).
        scalebar : bool, default=False
        size : float, default=12
            Of the letters, in points.
        scale_size : float, default=5.0
            Of the bar.
        scale_units : {"cm", "mm"}, default="cm"
        scale_loc : int, default=4
            A corner, as in matplotlib's legends: 4 is lower right.
        decimals : int, default=0
            Of the positions.
        **kwargs
            Of matplotlib's ``text``.
        """
        if scale_units not in ("cm", "mm"):
            raise ValueError(f"scale_units must be 'cm' or 'mm'; {found(scale_units)} was given.")
        a_count("decimals", int(decimals))
        kwargs = {"color": "white" if self.black_bg else "black", "size": size, **kwargs}
        for cut in self.axes.values():
            if left_right and cut.axis != "x":
                _write_sides(cut, self._is_mirrored(cut), kwargs)
            if positions and cut.coord is not None:
                _write_position(cut, int(decimals), kwargs)
            if scalebar:
                _draw_scale(cut, scale_size, scale_units, scale_loc, kwargs)

    def title(
        self,
        text: str,
        x: float = 0.01,
        y: float = 0.99,
        size: float = 15,
        color: Any = None,
        bgcolor: Any = None,
        alpha: float = 1,
        **kwargs: Any,
    ) -> None:
        """Write a title in a box.

        Parameters
        ----------
        text : str
        x, y : float, default=0.01, 0.99
            Of its upper left corner, as shares of the display.
        size : float, default=15
            In points.
        color, bgcolor : colour of matplotlib, optional
            Default: white on black; black on white with a black background.
        alpha : float, default=1
            Opacity of the box.
        **kwargs
            Of matplotlib's ``text``.
        """
        ink, paper = ("black", "white") if self.black_bg else ("white", "black")
        box = {
            "boxstyle": "square,pad=.3",
            "fc": paper if bgcolor is None else bgcolor,
            "ec": "none",
            "alpha": alpha,
        }
        first = next(iter(self.axes.values())).ax
        # Over all cuts, not under the second one.
        first.set_zorder(20)
        kwargs = {"ha": "left", "va": "top", "bbox": box, "zorder": 1000, **kwargs}
        ink = ink if color is None else color
        self._titles.append(
            first.text(x, y, text, transform=self.frame_axes.transAxes, size=size, color=ink, **kwargs)
        )

    def _show_bar(
        self,
        limits: Range,
        cmap: ColormapLike,
        tick_format: str = "%.2g",
        low: float | None = None,
        high: float | None = None,
        alpha: Any = None,
    ) -> None:
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        from_ = limits.low if low is None else low
        to = limits.high if high is None else high
        figure = self.frame_axes.figure
        if self._cbar is not None:
            self._cbar.ax.remove()
        ax = figure.add_axes(self.rect, label=f"colour bar {len(figure.axes)}")
        self._bar_room = True
        ax.set_axes_locator(self._bar_locator())
        colours = bar_colours(cm.colour_map(cmap), limits, from_, to)
        mappable = ScalarMappable(Normalize(from_, to), colours)
        bar = figure.colorbar(mappable, cax=ax)
        ticks = ticks_of(from_, to, limits.threshold)
        bar.set_ticks(ticks, labels=[_formatted(tick_format, tick) for tick in ticks])
        ink = "white" if self.black_bg else "black"
        bar.ax.tick_params(
            labelleft=True, labelright=False, left=True, right=False, colors=ink, labelsize=9, length=3
        )
        bar.outline.set_edgecolor(ink)
        bar.outline.set_linewidth(0.6)
        self._cbar = bar

    def _bar_locator(self) -> Callable[..., Any]:
        from matplotlib.transforms import Bbox

        def place(ax: Axes, renderer: Any) -> Any:
            x0, y0, width, height = self.rect
            inches = self._inches[0]
            thick = min(0.12 / inches, 0.05 * width)
            return Bbox.from_bounds(
                x0 + width - thick - 0.05 / inches, y0 + BAR_BOTTOM * height, thick, BAR_HEIGHT * height
            )

        return place

    # Files.

    def savefig(self, filename: PathLike | None, dpi: float | None = None, **kwargs: Any) -> None:
        """Write the figure to a file; folders that lack are made.

        Parameters
        ----------
        filename : path
            Its ending says the format: ``.png``, ``.pdf``, ``.svg`` …
        dpi : float, optional
        **kwargs
            Of matplotlib's ``savefig``.
        """
        if filename is None:
            raise ValueError("filename is None; give the path of a file to write.")
        figure = self._whole_figure
        path = Path(os.fspath(filename))
        path.parent.mkdir(parents=True, exist_ok=True)
        kwargs = {"facecolor": figure.get_facecolor(), "edgecolor": "none", **kwargs}
        figure.savefig(path, dpi=dpi, **kwargs)

    def close(self) -> None:
        """Close the figure and give its memory back."""
        from matplotlib import pyplot

        pyplot.close(self._whole_figure)


_SIZES = {
    "ortho": (3 * CUT_INCHES, 3.5),
    "tiled": (6.0, 7.6),
    "mosaic": (12.0, 5.0),
    "xz": (2 * CUT_INCHES, 3.5),
    "yx": (2 * CUT_INCHES, 3.5),
    "yz": (2 * CUT_INCHES, 3.0),
}


class OrthoSlicer(BaseSlicer):
    """Three cuts through one point, side by side."""

    mode, rows = "ortho", (("y", "x", "z"),)


class TiledSlicer(BaseSlicer):
    """Three cuts through one point, in two rows."""

    mode, rows = "tiled", (("y", "x"), ("z",))


class XZSlicer(BaseSlicer):
    """A sagittal and an axial cut."""

    mode, rows = "xz", (("x", "z"),)


class YXSlicer(BaseSlicer):
    """A coronal and a sagittal cut; coordinates are those of x, then of y."""

    mode, rows = "yx", (("y", "x"),)


class YZSlicer(BaseSlicer):
    """A coronal and an axial cut."""

    mode, rows = "yz", (("y", "z"),)


class _Stack(BaseSlicer):
    """Cuts across one axis, side by side."""

    inches: ClassVar[tuple[float, float]] = (CUT_INCHES, 3.0)

    @classmethod
    def size(cls, cut_coords: Any) -> tuple[float, float]:
        return cls.inches[0] * len(cut_coords), cls.inches[1]

    @classmethod
    def find_cut_coords(cls, volume: WorldVolume, cut_coords: Any, threshold: Any = None) -> list[float]:
        at = _in_one_direction(volume, cls.mode, cut_coords)
        refuse_outside(volume.bounds, {cls.mode: at})
        return at

    def _cuts(self) -> list[list[tuple[Any, str, float | None]]]:
        return [[(float(at), self.mode, float(at)) for at in self.cut_coords]]


class XSlicer(_Stack):
    """Sagittal cuts."""

    mode, inches = "x", (2.6, 2.3)


class YSlicer(_Stack):
    """Coronal cuts."""

    mode = "y"


class ZSlicer(_Stack):
    """Axial cuts."""

    mode, inches = "z", (CUT_INCHES, 3.2)


class MosaicSlicer(BaseSlicer):
    """Cuts in three directions, a row for each."""

    mode = "mosaic"

    @classmethod
    def find_cut_coords(
        cls, volume: WorldVolume, cut_coords: Any, threshold: Any = None
    ) -> dict[str, list[float]]:
        if isinstance(cut_coords, Mapping):
            unknown = set(cut_coords) - set(AXES)
            if unknown or not cut_coords:
                raise ValueError(
                    f"cut_coords of a mosaic has 'x', 'y' and 'z'; {found(dict(cut_coords))} was given."
                )
            asked = dict(cut_coords)
        elif cut_coords is None or np.ndim(cut_coords) == 0:
            asked = dict.fromkeys(AXES, cut_coords)
        elif len(cut_coords) == 3:
            asked = dict(zip(AXES, cut_coords, strict=True))
        else:
            raise ValueError(
                "cut_coords of a mosaic must be a number of cuts, three of these, or a dict; "
                f"{found(cut_coords)} was given."
            )
        at = {direction: _in_one_direction(volume, direction, each) for direction, each in asked.items()}
        refuse_outside(volume.bounds, at)
        return at

    def _cuts(self) -> list[list[tuple[Any, str, float | None]]]:
        return [
            [((direction, float(mm)), direction, float(mm)) for mm in at]
            for direction, at in self.cut_coords.items()
        ]


SLICERS: dict[str, type[BaseSlicer]] = {
    slicer.mode: slicer
    for slicer in (
        OrthoSlicer,
        TiledSlicer,
        MosaicSlicer,
        XSlicer,
        YSlicer,
        ZSlicer,
        XZSlicer,
        YXSlicer,
        YZSlicer,
    )
}


def class_of(display_mode: Any, classes: Mapping[str, type[BaseSlicer]]) -> type[BaseSlicer]:
    """The display of a mode.

    Raises
    ------
    ValueError
        For an unknown mode; those that there are are told.
    """
    if not isinstance(display_mode, str) or display_mode not in classes:
        raise ValueError(
            f"display_mode must be one of {', '.join(map(repr, classes))}; {found(display_mode)} was given."
            f"{nearest(display_mode, classes)}"
        )
    return classes[display_mode]


def frame_of(figure: Any, axes: Any, size: tuple[float, float], black: bool) -> Axes:
    """The axes that a display fills.

    Parameters
    ----------
    figure : Figure, int, (width, height) or None
        A number is that of a figure of matplotlib; a size is in inches.
    axes : Axes, (left, bottom, width, height) or None
    size : (float, float)
        Of a new figure, in inches.
    black : bool
        Background of a new figure.
    """
    from matplotlib import pyplot
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    if isinstance(axes, Axes):
        if figure is not None and isinstance(figure, Figure) and axes.figure is not figure:
            raise ValueError("axes are those of another figure than the one given.")
        return axes
    paper = "black" if black else "white"
    if figure is None:
        figure = pyplot.figure(figsize=size, facecolor=paper)
    elif isinstance(figure, Figure):
        pass
    elif isinstance(figure, int | np.integer) and not isinstance(figure, bool):
        figure = pyplot.figure(int(figure), figsize=size, facecolor=paper)
    elif np.shape(figure) == (2,):
        figure = pyplot.figure(figsize=tuple(float(inch) for inch in figure), facecolor=paper)
    else:
        raise TypeError(
            f"figure must be a Figure, its number or a size in inches; {found(figure)} was given."
        )
    rect = (0.0, 0.0, 1.0, 1.0) if axes is None else axes
    if np.shape(rect) != (4,):
        raise TypeError(f"axes must be Axes or (left, bottom, width, height); {found(axes)} was given.")
    return figure.add_axes(tuple(float(part) for part in rect), label=f"frame {len(figure.axes)}", zorder=-10)


def _strip(axes: Axes, colour: str) -> None:
    """Leave only the background of axes."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_facecolor(colour)
    axes.set_zorder(-10)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _size_mm(cut: CutAxes) -> tuple[float, float]:
    left, right, bottom, top = cut.limits
    aspect = cut.ax.get_aspect()
    return right - left, (top - bottom) * (1.0 if isinstance(aspect, str) else float(aspect))


def _affine(volume: WorldVolume) -> NDArray[np.float64]:
    affine = np.diag([*volume.steps, 1.0])
    affine[:3, 3] = volume.first
    return affine


def _in_one_direction(volume: WorldVolume, direction: str, asked: Any) -> list[float]:
    """Cuts across an axis: coordinates that were asked for, or the best, of some number."""
    if asked is None:
        asked = N_AUTOMATIC
    if isinstance(asked, str | bool):
        raise TypeError(
            f"cut_coords must be a number of cuts or coordinates in mm; {found(asked)} was given."
        )
    if np.ndim(asked) == 0:
        a_count("cut_coords", asked, least=1)
        return [float(mm) for mm in cut_slices(volume, direction, int(asked))]
    at = np.asarray(asked, dtype=np.float64)
    if at.ndim != 1 or not len(at) or not np.isfinite(at).all():
        raise ValueError(f"cut_coords must be finite coordinates in mm; {found(asked)} was given.")
    return [float(mm) for mm in at]


def _all_differ(directions: Sequence[str]) -> bool:
    return len(set(directions)) == len(directions)


def _levels(levels: Any, filled: bool, most: float) -> NDArray[np.float64]:
    ordered = np.unique(np.atleast_1d(np.asarray(levels, dtype=np.float64)))
    if not filled:
        return ordered
    above = max(most, float(ordered[-1]))
    return np.append(ordered, above + max(abs(above), 1.0))


def _crosses(levels: NDArray, low: float, high: float, filled: bool) -> bool:
    """Whether anything is drawn of values from `low` to `high`."""
    return bool(levels[0] < high if filled else ((levels > low) & (levels < high)).any())


def edges_in(values: NDArray) -> NDArray[np.bool_]:
    """Where edges are in a slice: the Laplacian of Gaussians changes its sign and the gradient is steep."""
    smooth = np.asarray(values, dtype=np.float64)
    steep = ndimage.gaussian_gradient_magnitude(smooth, 1.0)
    if steep.max() <= 1e-9 * np.abs(smooth).max(initial=0.0):
        return np.zeros(smooth.shape, dtype=bool)
    side = ndimage.gaussian_laplace(smooth, 1.0) > 0
    crossing = side & ~ndimage.binary_erosion(side, border_value=1)
    return np.asarray(crossing & (steep > 0.15 * steep.max()))


def checked_points(coordinates: Any, name: str) -> NDArray[np.float64]:
    """Points (n, 3) in mm.

    Raises
    ------
    ValueError
        If they are no such, or not finite.
    """
    points = np.asarray(coordinates, dtype=np.float64)
    if points.shape == (3,):
        points = points[None]
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"{name} must have shape (n, 3); it has shape {points.shape}.")
    if not np.isfinite(points).all():
        raise ValueError(f"{name} has coordinates that are not finite.")
    return points


def _each(value: Any, seen: NDArray[np.bool_], n: int) -> Any:
    """What belongs to the points that are seen, where there is one for each."""
    if isinstance(value, str) or np.ndim(value) == 0:
        return value
    if len(value) == n and not (
        isinstance(value, tuple) and n != 1 and len(value) in (3, 4) and np.ndim(value) == 1
    ):
        return [each for each, is_seen in zip(value, seen, strict=True) if is_seen]
    return value


def opacity_of(transparency: Any, transparency_range: Any, img: Any) -> WorldVolume | float | None:
    """How opaque voxels are: one number, or a volume from 0 to 1 on the grid of an image."""
    if transparency is None:
        if transparency_range is not None:
            warn("transparency_range has no effect without an image in transparency.")
        return None
    if isinstance(transparency, bool):
        raise TypeError("transparency must be a number from 0 to 1 or an image; a bool was given.")
    if isinstance(transparency, int | float | np.number):
        if not 0 <= transparency <= 1:
            raise ValueError(f"transparency must be between 0 and 1; {found(transparency)} was given.")
        return float(transparency)
    from brainsieve.image import resample_to_img

    volume = world_volume(resample_to_img(transparency, img, interpolation="continuous"), "transparency")
    sizes = np.abs(volume.values)
    low, high = (
        (0.0, float(sizes.max())) if transparency_range is None else _opacity_range(transparency_range)
    )
    share = np.clip((sizes - low) / (high - low or 1.0), 0, 1)
    return WorldVolume(share, volume.first, volume.steps)


def _opacity_range(given: Any) -> tuple[float, float]:
    if np.shape(given) != (2,) or not 0 <= given[0] < given[1]:
        raise ValueError(
            f"transparency_range must be two rising sizes, at least 0; {found(given)} was given."
        )
    return float(given[0]), float(given[1])


def _opacity_at(opacity: WorldVolume | float, cut: CutAxes, volume: WorldVolume) -> Any:
    if isinstance(opacity, float):
        return opacity
    shown = cut.reading(opacity)
    return 0.0 if shown is None else shown[::-1]


def _write_sides(cut: CutAxes, is_mirrored: bool, kwargs: dict[str, Any]) -> None:
    left, right = ("R", "L") if is_mirrored else ("L", "R")
    for x, text in ((0.1, left), (0.9, right)):
        cut.ax.text(x, 0.95, text, ha="center", va="top", transform=cut.ax.transAxes, **kwargs)


def _write_position(cut: CutAxes, decimals: int, kwargs: dict[str, Any]) -> None:
    # Adding 0 makes the zero of -0.2 one without a sign.
    at = round(float(cut.coord or 0.0), decimals) + 0.0
    cut.ax.text(
        0,
        0,
        f"{cut.direction}={at:.{decimals}f}",
        ha="left",
        va="bottom",
        transform=cut.ax.transAxes,
        **kwargs,
    )


def _draw_scale(cut: CutAxes, size: float, units: str, loc: int, kwargs: dict[str, Any]) -> None:
    from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

    a_number("scale_size", size, positive=True)
    length = size * (10 if units == "cm" else 1)
    bar = AnchoredSizeBar(
        cut.ax.transData,
        length,
        f"{size:g} {units}",
        loc=loc,
        pad=0.1,
        sep=3,
        frameon=False,
        color=kwargs["color"],
    )
    cut.ax.add_artist(bar)


def bar_colours(cmap: Any, limits: Range, low: float, high: float) -> Any:
    """The colours of a bar: transparent where values are not drawn."""
    from matplotlib.colors import ListedColormap

    at = np.linspace(low, high, 256)
    span = limits.high - limits.low
    colours = np.asarray(cmap(np.clip((at - limits.low) / span, 0, 1)))
    # A threshold such as 1e-6 hides what is nothing: no gap is seen.
    if limits.threshold is not None and limits.threshold > 1e-3 * max(abs(low), abs(high)):
        colours[np.abs(at) <= limits.threshold, 3] = 0
    return ListedColormap(colours)


def ticks_of(low: float, high: float, threshold: float | None) -> list[float]:
    """Numbers beside a bar: its ends, the threshold, 0 and what lies between, none of them close to another."""
    wanted = [low, high]
    if low < 0 < high:
        wanted.append(0.0)
    if threshold:
        wanted += [threshold, -threshold]
    wanted += [low + share * (high - low) for share in (0.25, 0.75, 0.5)]
    ticks: list[float] = []
    for tick in wanted:
        if low <= tick <= high and all(abs(tick - other) >= 0.08 * (high - low) for other in ticks):
            ticks.append(float(tick))
    return sorted(ticks)


def _formatted(tick_format: str, value: float) -> str:
    try:
        return tick_format % (value + 0.0)
    except (TypeError, ValueError):
        raise ValueError(f"cbar_tick_format must be like '%.2g'; {tick_format!r} was given.") from None


def show() -> None:
    """Show all figures that are open, in windows or in a notebook.

    Under a backend that draws into files only there is nothing to show: a warning says so.
    """
    from matplotlib import get_backend, pyplot

    if get_backend().lower() in ("agg", "pdf", "svg", "ps", "cairo", "template"):
        warn(f"The matplotlib backend {get_backend()!r} cannot show figures; save them.", UserWarning)
        return
    pyplot.show()
