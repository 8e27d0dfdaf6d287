"""Words on parameters that many functions for pictures share, put into their docstrings with each one's own default."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

# Type and words of each; those of a block stand in a docstring where its name is in braces, if the function has them.
COMMON = {
    "cut_coords": (
        "tuple, list, int or dict",
        "Where to cut, in mm: a coordinate for each direction; of one direction, a list of them or their number. "
        'Of "mosaic", numbers of cuts or a dict of lists. None: where most is.',
    ),
    "output_file": ("path", "Where to save the figure; the display is returned all the same."),
    "display_mode": (
        '{"ortho", "tiled", "mosaic", "x", "y", "z", "xz", "yx", "yz"}',
        "Which cuts, and how they are put together.",
    ),
    "figure": ("Figure, int or (width, height)", "Where to draw: a figure, its number, or a size in inches."),
    "axes": ("matplotlib.axes.Axes or (left, bottom, width, height)", "What the display fills."),
    "title": ("str", ""),
    "annotate": ("bool", "Write sides and positions."),
    "draw_cross": ("bool", "Draw lines where the other cuts are."),
    "black_bg": (
        'bool or "auto"',
        'Black around the image. In functions with an anatomy, "auto" asks whether its border is dark.',
    ),
    "colorbar": ("bool", ""),
    "cbar_tick_format": ("str", "Of the numbers beside the colour bar."),
    "vmin": ("float", "Value of the lowest colour."),
    "vmax": ("float", "Value of the highest colour."),
    "resampling_interpolation": (
        '{"continuous", "linear", "nearest"}',
        "For images that are rotated to the world's axes; others are drawn on their own grid.",
    ),
    "radiological": ("bool", "The left of the head on the right; sagittal cuts stay."),
    "kwargs": ("", "Of matplotlib's ``imshow``."),
}
BLOCKS = {
    "common": COMMON,
    "background": {
        "bg_img": ("image-like", "What is drawn behind. Default: the MNI template at 2 mm. None: nothing."),
    },
    "dim": {
        "dim": (
            'float, bool or "auto"',
            "How much the background is dimmed, so that colours stand out; negative: more contrast.",
        ),
    },
    "transparency": {
        "transparency": (
            "float or image-like",
            "Opacity from 0 to 1, or an image whose size says how opaque each voxel is.",
        ),
        "transparency_range": (
            "(float, float)",
            "Sizes in such an image that are wholly transparent and opaque. None: 0 and the largest.",
        ),
    },
}


def documented(function: F) -> F:
    """Put the blocks that a docstring names in braces in their places."""
    parameters = inspect.signature(function).parameters
    text = function.__doc__ or ""
    for name, block in BLOCKS.items():
        lines = [
            _entry(parameters[each], kind, words)
            for each, (kind, words) in block.items()
            if each in parameters
        ]
        text = text.replace(f"    {{{name}}}", "\n".join(lines))
    function.__doc__ = text
    return function


def _entry(parameter: inspect.Parameter, kind: str, words: str) -> str:
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        head = f"    **{parameter.name}"
    elif parameter.default is None:
        head = f"    {parameter.name} : {kind}, optional"
    else:
        shown = f'"{parameter.default}"' if isinstance(parameter.default, str) else repr(parameter.default)
        head = f"    {parameter.name} : {kind}, default={shown}"
    return "\n".join([head, *textwrap.wrap(words, 100, initial_indent=" " * 8, subsequent_indent=" " * 8)])
