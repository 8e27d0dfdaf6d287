"""Pictures of volumes: images, anatomies, statistical maps, regions, atlases of maps, and all series of a run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from brainsieve.checks import a_bool, a_number, one_of
from brainsieve.datasets import load_mni152_template
from brainsieve.image import check_niimg_3d, check_niimg_4d, get_data, iter_img, new_img_like, resample_to_img
from brainsieve.masking import apply_mask, compute_epi_mask
from brainsieve.plotting import cm
from brainsieve.plotting.display import BAR_INCHES, SLICERS, BaseSlicer, class_of, frame_of, opacity_of
from brainsieve.plotting.ranges import Range, Symmetric, dimmed, is_black, range_of
from brainsieve.plotting.slices import WorldVolume, opened_volume, world_volume
from brainsieve.plotting.words import documented
from brainsieve.signal import clean
from brainsieve.typing import ColormapLike, Interpolation, NiimgLike, PathLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

# A Figure, its number, or its size in inches; Axes, or the rectangle that they take.
FigureLike: TypeAlias = "Figure | int | tuple[float, float] | None"
AxesLike: TypeAlias = "Axes | tuple[float, float, float, float] | None"
DisplayMode = Literal["ortho", "tiled", "mosaic", "x", "y", "z", "xz", "yx", "yz"]
ViewType = Literal["auto", "continuous", "filled_contours", "contours"]
# Of a background: what is nothing is not drawn, whatever is behind it.
NOTHING = 1e-6
# How many maps are drawn as what (`plot_prob_atlas`), and how much of each is kept.
MOST_CONTINUOUS, MOST_FILLED = 10, 20
KEPT = {"continuous": 1.0, "filled_contours": 0.8, "contours": 0.5}
MAPS_KEPT_PERCENT = 20.0


class MNI152Template:
    """The default of `bg_img`: the MNI template at 2 mm, read when it is drawn."""

    def __repr__(self) -> str:
        return "<MNI152Template>"


MNI152TEMPLATE = MNI152Template()


@cache
def mni152_volume() -> WorldVolume:
    """The template that is drawn behind maps."""
    return world_volume(load_mni152_template(resolution=2))


def _is_template(img: Any) -> bool:
    return isinstance(img, MNI152Template) or (isinstance(img, str) and img in ("MNI152", "MNI152TEMPLATE"))


@documented
def plot_img(
    img: NiimgLike,
    cut_coords: Any = None,
    output_file: PathLike | None = None,
    display_mode: DisplayMode = "ortho",
    figure: FigureLike = None,
    axes: AxesLike = None,
    title: str | None = None,
    threshold: float | str | None = None,
    annotate: bool = True,
    draw_cross: bool = True,
    black_bg: bool = False,
    colorbar: bool = True,
    cbar_tick_format: str = "%.2g",
    resampling_interpolation: Interpolation = "continuous",
    bg_img: NiimgLike | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    radiological: bool = False,
    decimals: int | bool = False,
    cmap: ColormapLike = "gray",
    transparency: Any = None,
    transparency_range: Sequence[float] | None = None,
    **kwargs: Any,
) -> BaseSlicer:
    """Draw cuts through an image.

    Parameters
    ----------
    img : image-like
        Of one volume.
    {common}
    threshold : float, str or None, default=None
        Values of at most this size are not drawn; a percentile of sizes such as "80%"; "auto": the 80th less 1e-5;
        None: all are drawn.
    bg_img : image-like, optional
        What is drawn behind.
    decimals : int, default=False
        Of the positions that are written.
    cmap : colour map or its name, default="gray"
    {transparency}

    Returns
    -------
    display : OrthoSlicer, ZSlicer …
        More can be drawn on it.

    Raises
    ------
    TypeError, ValueError, DimensionError
        For surfaces, several volumes, unknown modes, cuts that miss the image, contradicting bounds.
    """
    volume = world_volume(img, "img", resampling_interpolation)
    limits = range_of(volume.values, vmin, vmax, threshold)
    picture = _Picture(volume, bg_img, black_bg, None, cut_coords, display_mode, threshold)
    display = picture.display(figure, axes, colorbar, radiological)
    display._draw(volume, limits, opacity_of(transparency, transparency_range, img), cmap=cmap, **kwargs)
    if colorbar:
        display._show_bar(limits, cmap, cbar_tick_format, alpha=kwargs.get("alpha"))
    return _finished(display, title, annotate, draw_cross, output_file, decimals)


@documented
def plot_anat(
    anat_img: NiimgLike = MNI152TEMPLATE,  # type: ignore[assignment]
    cut_coords: Any = None,
    output_file: PathLike | None = None,
    display_mode: DisplayMode = "ortho",
    figure: FigureLike = None,
    axes: AxesLike = None,
    title: str | None = None,
    annotate: bool = True,
    threshold: float | str | None = None,
    draw_cross: bool = True,
    black_bg: bool | Literal["auto"] = "auto",
    dim: float | bool | Literal["auto"] = "auto",
    cmap: ColormapLike = "gray",
    colorbar: bool = True,
    cbar_tick_format: str = "%.2g",
    radiological: bool = False,
    vmin: float | None = None,
    vmax: float | None = None,
    **kwargs: Any,
) -> BaseSlicer:
    """Draw cuts through an anatomical image.

    Parameters
    ----------
    anat_img : image-like, default=<MNI152Template>
        Of one volume. Default: the MNI template at 2 mm.
    {common}
    threshold : float, str or None, default=None
        Values of at most this size are not drawn.
    {dim}
    cmap : colour map or its name, default="gray"

    Returns
    -------
    display : OrthoSlicer, ZSlicer …
    """
    template = _is_template(anat_img)
    volume = mni152_volume() if template else world_volume(anat_img, "anat_img")
    black = False if template and black_bg == "auto" else is_black(black_bg, volume.values)
    hidden = NOTHING if threshold is None and template else threshold
    whole = range_of(volume.values, vmin, vmax, hidden)
    least = float(volume.values.min()) if vmin is None else whole.low
    low, high = dimmed(least, whole.high, dim, black)
    limits = Range(low if vmin is None else whole.low, high if vmax is None else whole.high, whole.threshold)
    picture = _Picture(volume, None, black, None, cut_coords, display_mode, threshold)
    display = picture.display(figure, axes, colorbar, radiological)
    display._draw(volume, limits, cmap=cmap, **kwargs)
    if colorbar:
        display._show_bar(limits, cmap, cbar_tick_format, alpha=kwargs.get("alpha"))
    return _finished(display, title, annotate, draw_cross, output_file)


@documented
def plot_epi(
    epi_img: NiimgLike | None = None,
    cut_coords: Any = None,
    output_file: PathLike | None = None,
    display_mode: DisplayMode = "ortho",
    figure: FigureLike = None,
    axes: AxesLike = None,
    title: str | None = None,
    annotate: bool = True,
    draw_cross: bool = True,
    black_bg: bool = True,
    colorbar: bool = True,
    cbar_tick_format: str = "%.2g",
    cmap: ColormapLike = "gray",
    vmin: float | None = None,
    vmax: float | None = None,
    radiological: bool = False,
    **kwargs: Any,
) -> BaseSlicer:
    """Draw cuts through an image of an EPI sequence, such as the mean of a run.

    Parameters
    ----------
    epi_img : image-like, default=None
        Of one volume: take `brainsieve.image.mean_img` of a run. It must be given.
    {common}
    cmap : colour map or its name, default="gray"

    Returns
    -------
    display : OrthoSlicer, ZSlicer …
    """
    if epi_img is None:
        raise TypeError("epi_img is None; give an image of one volume.")
    # Errors tell the name that this function has for it.
    opened_volume(epi_img, "epi_img")
    return plot_img(
        epi_img,
        cut_coords=cut_coords,
        output_file=output_file,
        display_mode=display_mode,
        figure=figure,
        axes=axes,
        title=title,
        annotate=annotate,
        draw_cross=draw_cross,
        black_bg=black_bg,
        colorbar=colorbar,
        cbar_tick_format=cbar_tick_format,
        cmap=cmap,
        vmin=vmin,
        vmax=vmax,
        radiological=radiological,
        **kwargs,
    )


@documented
def plot_stat_map(
    stat_map_img: NiimgLike,
    bg_img: NiimgLike | None = MNI152TEMPLATE,  # type: ignore[assignment]
    cut_coords: Any = None,
    output_file: PathLike | None = None,
    display_mode: DisplayMode = "ortho",
    colorbar: bool = True,
    cbar_tick_format: str = "%.2g",
    figure: FigureLike = None,
    axes: AxesLike = None,
    title: str | None = None,
    threshold: float | str | None = 1e-6,
    annotate: bool = True,
    draw_cross: bool = True,
    black_bg: bool | Literal["auto"] = "auto",
    cmap: ColormapLike = "RdBu_r",
    symmetric_cbar: Symmetric = "auto",
    dim: float | bool | Literal["auto"] = "auto",
    vmin: float | None = None,
    vmax: float | None = None,
    radiological: bool = False,
    resampling_interpolation: Interpolation = "continuous",
    transparency: Any = None,
    transparency_range: Sequence[float] | None = None,
    **kwargs: Any,
) -> BaseSlicer:
    """Draw cuts through a statistical map, on an anatomy.

    Parameters
    ----------
    stat_map_img : image-like
        Of one volume.
    {background}
    {common}
    threshold : float, str or None, default=1e-6
        Values of at most this size are not drawn; a percentile of sizes such as "80%"; "auto": the 80th less 1e-5;
        None: all are drawn.
    cmap : colour map or its name, default="RdBu_r"
    symmetric_cbar : bool or "auto", default="auto"
        Colours as far on both sides of 0; "auto": where the map, inside a bound that is given, has both signs.
    {dim}
    {transparency}

    Returns
    -------
    display : OrthoSlicer, ZSlicer …
    """
    volume = world_volume(stat_map_img, "stat_map_img", resampling_interpolation)
    limits = range_of(volume.values, vmin, vmax, threshold, symmetric_cbar)
    picture = _Picture(volume, bg_img, black_bg, dim, cut_coords, display_mode, threshold)
    display = picture.display(figure, axes, colorbar, radiological)
    opacity = opacity_of(transparency, transparency_range, stat_map_img)
    display._draw(volume, limits, opacity, cmap=cmap, **kwargs)
    if colorbar:
        display._show_bar(limits, cmap, cbar_tick_format, alpha=kwargs.get("alpha"))
    return _finished(display, title, annotate, draw_cross, output_file)


@documented
def plot_roi(
    roi_img: NiimgLike,
    bg_img: NiimgLike | None = MNI152TEMPLATE,  # type: ignore[assignment]
    cut_coords: Any = None,
    output_file: PathLike | None = None,
    display_mode: DisplayMode = "ortho",
    figure: FigureLike = None,
    axes: AxesLike = None,
    title: str | None = None,
    annotate: bool = True,
    draw_cross: bool = True,
    black_bg: bool | Literal["auto"] = "auto",
    threshold: float | str | None = 0.5,
    alpha: float = 0.7,
    cmap: ColormapLike = "gist_ncar",
    dim: float | bool | Literal["auto"] = "auto",
    colorbar: bool = True,
    cbar_tick_format: str = "%.2g",
    vmin: float | None = None,
    vmax: float | None = None,
    resampling_interpolation: Interpolation = "nearest",
    view_type: Literal["continuous", "contours"] = "continuous",
    linewidths: float = 2.5,
    radiological: bool = False,
    **kwargs: Any,
) -> BaseSlicer:
    """Draw regions, such as a mask or an atlas of labels, on an anatomy.

    Parameters
    ----------
    roi_img : image-like
        Of one volume; cuts go through its largest region where `cut_coords` is None.
    {background}
    {common}
    threshold : float, str or None, default=0.5
        Values of at most this size are not drawn.
    alpha : float, default=0.7
        Opacity.
    cmap : colour map or its name, default="gist_ncar"
    {dim}
    view_type : {"continuous", "contours"}, default="continuous"
        Filled regions, or an outline of each label.
    linewidths : float, default=2.5
        Of outlines, in points.

    Returns
    -------
    display : OrthoSlicer, ZSlicer …
    """
    one_of("continuous", "contours")("view_type", view_type)
    volume = world_volume(roi_img, "roi_img", resampling_interpolation)
    limits = range_of(volume.values, vmin, vmax, threshold, of_shown=True)
    picture = _Picture(volume, bg_img, black_bg, dim, cut_coords, display_mode, threshold)
    display = picture.display(figure, axes, colorbar, radiological)
    cmap = region_colours(cmap)
    if view_type == "continuous":
        display._draw(volume, limits, cmap=cmap, alpha=alpha, **kwargs)
    else:
        _draw_outlines(display, volume, limits, cmap, {"alpha": alpha, "linewidths": linewidths, **kwargs})
    if colorbar:
        display._show_bar(limits, cmap, cbar_tick_format, alpha=alpha)
    return _finished(display, title, annotate, draw_cross, output_file)


def region_colours(cmap: ColormapLike) -> Colormap:
    """A colour map for regions: without its last part, where "gist_ncar" is as white as a brain."""
    from matplotlib.colors import ListedColormap

    colours = cm.colour_map(cmap)
    if colours.name != "gist_ncar":
        return colours
    return ListedColormap(colours(np.linspace(0, 0.92, 256)), name="gist_ncar")


def _draw_outlines(
    display: BaseSlicer, volume: WorldVolume, limits: Range, cmap: ColormapLike, kwargs: dict[str, Any]
) -> None:
    colours = region_colours(cmap)
    labels = np.unique(volume.values[~limits.hides(volume.values)])
    for label in labels:
        share = (label - limits.low) / (limits.high - limits.low)
        region = WorldVolume((volume.values == label).astype(np.float32), volume.first, volume.steps)
        display._draw_contours(region, {**kwargs, "levels": [0.5], "colors": [colours(share)]})


@documented
def plot_prob_atlas(
    maps_img: NiimgLike,
    bg_img: NiimgLike | None = MNI152TEMPLATE,  # type: ignore[assignment]
    view_type: ViewType = "auto",
    threshold: float | str | Sequence[float | str] | None = "auto",
    linewidths: float = 2.5,
    cut_coords: Any = None,
    output_file: PathLike | None = None,
    display_mode: DisplayMode = "ortho",
    figure: FigureLike = None,
    axes: AxesLike = None,
    title: str | None = None,
    annotate: bool = True,
    draw_cross: bool = True,
    black_bg: bool | Literal["auto"] = "auto",
    dim: float | bool | Literal["auto"] = "auto",
    colorbar: bool = True,
    cmap: ColormapLike = "gist_rainbow",
    vmin: float | None = None,
    vmax: float | None = None,
    alpha: float = 0.7,
    radiological: bool = False,
    **kwargs: Any,
) -> BaseSlicer:
    """Draw the maps of a probabilistic atlas, a colour for each, on an anatomy.

    Parameters
    ----------
    maps_img : image-like
        4-D, a volume a map.
    {background}
    {common}
    view_type : {"auto", "continuous", "filled_contours", "contours"}, default="auto"
        Values, or what is above the threshold, filled or outlined. "auto": continuous up to 10 maps, filled contours up
        to 20, contours of more.
    threshold : float, str, a sequence of these, or None, default="auto"
        Of all maps, or one for each: a size, or a percentile of the sizes of the map. "auto": the more maps there are,
        the less of each is drawn.
    linewidths : float, default=2.5
        Of contours, in points.
    {dim}
    cmap : colour map or its name, default="gist_rainbow"
        Over the numbers of the maps.
    alpha : float, default=0.7
        Opacity.

    Returns
    -------
    display : OrthoSlicer, ZSlicer …
        Cut through the maps where `cut_coords` is None (nilearn: at 0).

    Raises
    ------
    ValueError
        Also if there is not one threshold for each map.
    """
    one_of("auto", *KEPT)("view_type", view_type)
    volumes = [world_volume(img, "maps_img") for img in iter_img(maps_img)]
    n_maps = len(volumes)
    kind = view_type
    if kind == "auto":
        kind = (
            "continuous"
            if n_maps <= MOST_CONTINUOUS
            else "filled_contours"
            if n_maps <= MOST_FILLED
            else "contours"
        )
    limits = [
        range_of(volume.values, vmin, vmax, height)
        for volume, height in zip(volumes, _thresholds(threshold, n_maps, KEPT[kind]), strict=True)
    ]
    together = np.maximum.reduce([_kept(volume, each) for volume, each in zip(volumes, limits, strict=True)])
    whole = WorldVolume(together, volumes[0].first, volumes[0].steps)
    picture = _Picture(whole, bg_img, black_bg, dim, cut_coords, display_mode, None)
    display = picture.display(figure, axes, colorbar, radiological)
    colours = cm.colour_map(cmap)
    for i, (volume, each) in enumerate(zip(volumes, limits, strict=True)):
        colour = colours(i / max(n_maps - 1, 1))
        if kind == "continuous":
            rising = cm.alpha_cmap(colour, f"map {i + 1}", alpha_min=0.6)
            display._draw(volume, each, cmap=rising, alpha=alpha, **kwargs)
        else:
            height = each.threshold if each.threshold is not None else 0.0
            style = {"levels": [height], "colors": [colour], "alpha": alpha, **kwargs}
            if kind == "contours":
                style["linewidths"] = linewidths
            magnitude = WorldVolume(np.abs(volume.values), volume.first, volume.steps)
            display._draw_contours(magnitude, style, filled=kind == "filled_contours")
    if colorbar:
        display._show_bar(Range(*((1, n_maps) if n_maps > 1 else (0.5, 1.5))), cmap, "%.0f")
    return _finished(display, title, annotate, draw_cross, output_file)


def _thresholds(threshold: Any, n_maps: int, kept: float) -> list[Any]:
    """One threshold for each map."""
    if isinstance(threshold, str) and threshold == "auto":
        return [f"{100 - kept * MAPS_KEPT_PERCENT / n_maps}%"] * n_maps
    if threshold is None or isinstance(threshold, str) or np.ndim(threshold) == 0:
        return [threshold] * n_maps
    if len(threshold) != n_maps:
        raise ValueError(f"threshold has {len(threshold)} values, maps_img {n_maps} maps; give one for each.")
    return [each if isinstance(each, str) else float(each) for each in threshold]


def _kept(volume: WorldVolume, limits: Range) -> NDArray:
    return np.where(limits.hides(volume.values), 0, np.abs(volume.values))


class _Picture:
    """A volume to be cut, what lies behind it, and where it is cut."""

    def __init__(
        self,
        volume: WorldVolume,
        bg_img: Any,
        black_bg: Any,
        dim: Any,
        cut_coords: Any,
        display_mode: Any,
        threshold: Any,
    ) -> None:
        self.background, self.black = _background(bg_img, black_bg)
        self.dim = dim
        self.slicer = class_of(display_mode, SLICERS)
        self.cut_coords = _cut_coords(self.slicer, volume, self.background, cut_coords, threshold)

    def display(self, figure: Any, axes: Any, colorbar: bool, radiological: bool) -> BaseSlicer:
        """The figure, with the background drawn."""
        a_bool("colorbar", colorbar)
        width, height = self.slicer.size(self.cut_coords)
        size = (width + BAR_INCHES * colorbar, height)
        frame = frame_of(figure, axes, size, self.black)
        display = self.slicer(self.cut_coords, frame, self.black, radiological)
        if self.background is not None:
            values = self.background.values
            low, high = float(values.min()), float(values.max())
            low, high = dimmed(low, high, 0 if self.dim is None else self.dim, self.black)
            if low == high:
                low, high = low - 1, high + 1
            display._draw(self.background, Range(low, high, NOTHING), cmap="gray")
        return display


def _background(bg_img: Any, black_bg: Any) -> tuple[WorldVolume | None, bool]:
    if bg_img is None or bg_img is False:
        if black_bg == "auto":
            return None, False
        a_bool("black_bg", black_bg)
        return None, bool(black_bg)
    if _is_template(bg_img):
        volume = mni152_volume()
        return volume, False if black_bg == "auto" else is_black(black_bg, volume.values)
    volume = world_volume(bg_img, "bg_img")
    return volume, is_black(black_bg, volume.values)


def _cut_coords(
    slicer: type[BaseSlicer],
    volume: WorldVolume,
    background: WorldVolume | None,
    cut_coords: Any,
    threshold: Any,
) -> Any:
    if cut_coords is None or np.ndim(cut_coords) == 0:
        return slicer.find_cut_coords(volume, cut_coords, threshold)
    # What is behind a map may be cut where the map has ended.
    return slicer.find_cut_coords(_widest(volume, background), cut_coords, threshold)


def _widest(volume: WorldVolume, background: WorldVolume | None) -> WorldVolume:
    """A volume without values that spans both."""
    if background is None:
        return volume
    bounds = np.stack([volume.bounds, background.bounds])
    low, high = bounds[:, :, 0].min(axis=0), bounds[:, :, 1].max(axis=0)
    shape = np.ceil((high - low) / volume.steps).astype(int) + 1
    return WorldVolume(np.broadcast_to(np.zeros(1), shape), low, (high - low) / np.maximum(shape - 1, 1))


def _finished(
    display: BaseSlicer,
    title: str | None,
    annotate: bool,
    draw_cross: bool,
    output_file: PathLike | None,
    decimals: int | bool = 0,
) -> BaseSlicer:
    """Write and draw what belongs to every picture; save it where that is asked for."""
    a_bool("annotate", annotate)
    a_bool("draw_cross", draw_cross)
    if annotate:
        display.annotate(decimals=decimals)
    if draw_cross:
        display.draw_cross()
    if title is not None and title != "":
        display.title(title)
    if output_file is not None:
        display.savefig(output_file)
    return display


def plot_carpet(
    img: NiimgLike,
    mask_img: NiimgLike | None = None,
    mask_labels: dict[str, int] | None = None,
    t_r: float | None = None,
    detrend: bool = True,
    output_file: PathLike | None = None,
    figure: FigureLike = None,
    axes: AxesLike = None,
    vmin: float | None = None,
    vmax: float | None = None,
    title: str | None = None,
    cmap: ColormapLike = "gray",
    cmap_labels: ColormapLike = "gist_ncar",
    standardize: bool = True,
) -> Figure:
    """Draw the series of all voxels of a run as rows of one image.

    What moves the whole head, or one volume, is seen at a glance [1]_.

    Parameters
    ----------
    img : image-like
        4-D.
    mask_img : image-like, optional
        Whose voxels are drawn; or labels, whose rows are drawn together, with a bar of colours beside them. Default: a
        mask computed of the run, as for EPI sequences.
    mask_labels : dict of str to int, optional
        Name of each label of the mask.
    t_r : float, optional
        Time between two volumes, in seconds. Default: of the header.
    detrend : bool, default=True
        Take the straight line out of each series.
    output_file : path, optional
        Where to save the figure.
    figure : Figure, int or (width, height), optional
        Default: one of 10 by 5 inches.
    axes : matplotlib.axes.Axes or (left, bottom, width, height), optional
        Where to draw.
    vmin, vmax : float, optional
        Ends of the greys. Default: the mean less and plus two standard deviations.
    title : str, optional
    cmap : colour map or its name, default="gray"
    cmap_labels : colour map or its name, default="gist_ncar"
        Of the labels.
    standardize : bool, default=True
        To unit variance, each series.

    Returns
    -------
    figure : matplotlib Figure

    References
    ----------
    .. [1] Power, J. D. (2017). A simple but useful way to assess fMRI scan qualities. NeuroImage 154, 150-158.
       doi:10.1016/j.neuroimage.2016.08.009

    Raises
    ------
    ValueError, DimensionError
        If the image has one volume, the mask is empty, or the labels are not those of the mask.
    """
    a_bool("detrend", detrend)
    a_bool("standardize", standardize)
    rows, labels = _labelled_series(img, mask_img, mask_labels)
    series = clean(rows, detrend=detrend, standardize="zscore_sample" if standardize else False)
    seconds = _repetition_time(img, t_r)
    low, high = _carpet_limits(series, vmin, vmax)
    frame = frame_of(figure, axes, (10.0, 5.0), False)
    _draw_carpet(frame, series, labels, mask_labels, seconds, (low, high), cmap, cmap_labels)
    if title:
        frame.set_title(title)
    drawn: Any = frame.figure.figure
    if output_file is not None:
        Path(output_file).parent.mkdir(parents=True, exist_ok=True)
        drawn.savefig(output_file)
    return drawn


# More volumes than this are thinned by powers of 2: no screen has more columns.
MOST_VOLUMES = 800


def _labelled_series(img: Any, mask_img: Any, mask_labels: Any) -> tuple[NDArray, NDArray]:
    """Series (n_volumes, n_voxels) and the label of each voxel, ascending."""
    img = check_niimg_4d(img)
    if img.shape[3] < 2:
        raise ValueError(f"img has {img.shape[3]} volume; a carpet needs a run of several.")
    mask = compute_epi_mask(img) if mask_img is None else check_niimg_3d(mask_img)
    if mask.shape[:3] != img.shape[:3] or not np.allclose(mask.affine, img.affine):
        mask = resample_to_img(mask, img, interpolation="nearest")
    values = np.nan_to_num(get_data(mask))
    if not values.any():
        raise ValueError("mask_img is empty: every voxel is 0.")
    inside = new_img_like(mask, (values != 0).astype(np.int8))
    labels = apply_mask(new_img_like(mask, values), inside).ravel()
    if mask_labels is not None:
        unknown = sorted(set(np.unique(labels).tolist()) - set(mask_labels.values()))
        if unknown:
            raise ValueError(
                f"mask_labels has no name for {', '.join(f'{u:g}' for u in unknown)} of mask_img."
            )
    order = np.argsort(labels, kind="stable")
    return apply_mask(img, inside)[:, order], labels[order]


def _repetition_time(img: Any, t_r: float | None) -> float:
    if t_r is not None:
        a_number("t_r", t_r, positive=True)
        return float(t_r)
    zooms = check_niimg_4d(img).header.get_zooms()
    return float(zooms[3]) if len(zooms) > 3 and zooms[3] > 0 else 1.0


def _carpet_limits(series: NDArray, vmin: Any, vmax: Any) -> tuple[float, float]:
    mean, sd = float(series.mean()), float(series.std())
    limits = range_of(series, vmin, vmax)
    low = mean - 2 * sd if vmin is None else limits.low
    high = mean + 2 * sd if vmax is None else limits.high
    return (low, high) if low < high else (low - 1, low + 1)


def _draw_carpet(
    frame: Axes,
    series: NDArray,
    labels: NDArray,
    names: dict[str, int] | None,
    seconds: float,
    limits: tuple[float, float],
    cmap: ColormapLike,
    cmap_labels: ColormapLike,
) -> None:
    n_volumes, n_voxels = series.shape
    step = 1
    while n_volumes // step > MOST_VOLUMES:
        step *= 2
    frame.set_axis_off()
    n_labels = len(np.unique(labels))
    left = 0.08 if n_labels == 1 else 0.16
    ax = frame.inset_axes((left, 0.12, 0.9 - left, 0.82))
    shown = ax.imshow(
        series[::step].T,
        aspect="auto",
        interpolation="nearest",
        cmap=cm.colour_map(cmap),
        vmin=limits[0],
        vmax=limits[1],
        extent=(0, n_volumes * seconds, n_voxels, 0),
    )
    ax.set_yticks([])
    ax.set_xlabel("time (s)")
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    frame.figure.colorbar(shown, cax=frame.inset_axes((0.92, 0.12, 0.015, 0.82)))
    if n_labels == 1:
        ax.set_ylabel("voxels")
        return
    found_labels, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    bar = frame.inset_axes((left - 0.03, 0.12, 0.02, 0.82))
    bar.imshow(codes[:, None], aspect="auto", interpolation="nearest", cmap=cm.colour_map(cmap_labels))
    bar.set_xticks([])
    called = {value: name for name, value in (names or {}).items()}
    middles = np.cumsum(counts) - counts / 2
    bar.set_yticks(middles, labels=[called.get(label, f"{label:g}") for label in found_labels.tolist()])
    bar.tick_params(length=0)
