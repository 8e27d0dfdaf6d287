"""Ranges: the values at the ends of a colour map, which values are not drawn, how far backgrounds are dimmed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from brainsieve.checks import a_bool, a_number_within, found
from brainsieve.image.thresholds import checked_threshold
from brainsieve.logs import warn

Symmetric = Literal["auto"] | bool
# Of the absolute values, what "auto" hides; less a little, so that the percentile itself is drawn.
AUTO_PERCENTILE, AUTO_LESS = 80.0, 1e-5
# How much backgrounds are dimmed where nobody says: towards white, towards black.
DIM_LIGHT, DIM_DARK = 0.6, 0.8


@dataclass(frozen=True)
class Range:
    """What is drawn of a map, and the values at the ends of its colours.

    Attributes
    ----------
    low, high : float
    threshold : float or None
        Values of at most this size are not drawn.
    least, most : float
        Smaller and larger values are not drawn either: those on the other side of 0 than a range that was asked for.
    """

    low: float
    high: float
    threshold: float | None = None
    least: float = -np.inf
    most: float = np.inf

    def hides(self, values: NDArray) -> NDArray[np.bool_]:
        """Which values are not drawn."""
        hidden = (values < self.least) | (values > self.most)
        if self.threshold is not None:
            # Both signs: the size of the smallest integer is no integer of its dtype.
            hidden |= (values <= self.threshold) & (values >= -self.threshold)
        return np.asarray(hidden)


def range_of(
    values: NDArray,
    vmin: Any = None,
    vmax: Any = None,
    threshold: Any = None,
    symmetric: Symmetric = False,
    of_shown: bool = False,
) -> Range:
    """The range of colours and the threshold of a map.

    Parameters
    ----------
    values : array
        Finite.
    vmin, vmax : float or None
        What was asked for. None: of the data.
    threshold : float, str or None
        See `height_of`.
    symmetric : bool or "auto"
        As far on both sides of 0; "auto": where the data, inside a bound that is given, lie on both.
    of_shown : bool
        The limits of the data are those of what the threshold leaves: for labels, among which 0 is nothing.
    """
    height = height_of(threshold, values)
    low_bound, high_bound = _bound("vmin", vmin), _bound("vmax", vmax)
    _refuse_crossed(low_bound, high_bound)
    shown = values[np.abs(values) > height] if of_shown and height is not None else values
    least, most = (float(shown.min()), float(shown.max())) if shown.size else (0.0, 0.0)
    if symmetric != "auto":
        a_bool("symmetric_cbar", symmetric)
    both = low_bound is not None and high_bound is not None
    if symmetric is True or (
        symmetric == "auto" and not both and _both_sides(low_bound, high_bound, least, most)
    ):
        low, high = _symmetric(low_bound, high_bound, max(-least, most))
    else:
        low = least if low_bound is None else low_bound
        high = most if high_bound is None else high_bound
    if low > high:
        # All data lie beyond the one bound that was given.
        low, high = (low_bound, low_bound) if low_bound is not None else (high, high)
    hidden = {}
    if symmetric is not True:
        if low_bound is not None and low_bound >= 0:
            hidden["least"] = low_bound
        if high_bound is not None and high_bound <= 0:
            hidden["most"] = high_bound
    return Range(*_wide(low, high), height, **hidden)


def _bound(name: str, value: Any) -> float | None:
    if value is None:
        return None
    a_number_within(name, value, -np.finfo(float).max, np.finfo(float).max, "a finite number")
    return float(value)


def _refuse_crossed(low: float | None, high: float | None) -> None:
    if low is not None and high is not None and low > high:
        raise ValueError(f"vmin={low:g} is above vmax={high:g}; the lower end of the colours must not be.")


def _both_sides(low_bound: float | None, high_bound: float | None, least: float, most: float) -> bool:
    lowest = least if low_bound is None else max(least, low_bound)
    highest = most if high_bound is None else min(most, high_bound)
    return lowest < 0 < highest


def _symmetric(low: float | None, high: float | None, largest: float) -> tuple[float, float]:
    if low is None and high is None:
        return -largest, largest
    reach = max(abs(bound) for bound in (low, high) if bound is not None)
    if low is not None and high is not None and low != -high:
        warn(
            f"vmin={low:g} and vmax={high:g} are not symmetric; the colours go from {-reach:g} to {reach:g}."
        )
    return -reach, reach


def _wide(low: float, high: float) -> tuple[float, float]:
    """A range that is none gets the colour of the middle: the lowest colour of a map often is that of nothing."""
    return (low, high) if low < high else (low - 1.0, high + 1.0)


def height_of(threshold: Any, values: NDArray) -> float | None:
    """The size up to which values are hidden.

    Parameters
    ----------
    threshold : float, str or None
        A number that is not negative; a percentile of the sizes such as "80%"; "auto": the 80th, less 1e-5; None: all
        values are drawn.
    values : array
    """
    if threshold is None:
        return None
    if isinstance(threshold, str) and threshold == "auto":
        return max(float(np.percentile(np.abs(values), AUTO_PERCENTILE)) - AUTO_LESS, 0.0)
    value, is_percentile = checked_threshold(threshold, two_sided=True)
    return float(np.percentile(np.abs(values), value)) if is_percentile else value


def dimmed(low: float, high: float, dim: Any, black: bool) -> tuple[float, float]:
    """The ends of the greys of a background that is dimmed.

    Parameters
    ----------
    low, high : float
        Of its values.
    dim : float, bool or "auto"
        0 and False: not at all; negative: more contrast.
    black : bool
        Whether what is around is black.
    """
    share = _dim(dim, black)
    if share == 0:
        return low, high
    middle, half = (low + high) / 2, (high - low) / 2
    if black:
        return low, middle + (1 + share) * half
    return (2 - share) * middle / 2 - (1 + share) * half, high


def _dim(dim: Any, black: bool) -> float:
    if isinstance(dim, bool | np.bool_):
        return (DIM_DARK if black else DIM_LIGHT) if dim else 0.0
    if isinstance(dim, str):
        if dim != "auto":
            raise ValueError(f"dim must be 'auto', True, False or a number; {found(dim)} was given.")
        return DIM_DARK if black else DIM_LIGHT
    if dim is None:
        return 0.0
    a_number_within("dim", dim, -2, 2)
    return float(dim)


def is_black(black_bg: Any, values: NDArray) -> bool:
    """Whether what is around a background should be black.

    Parameters
    ----------
    black_bg : bool or "auto"
        "auto": where the voxels at its faces are dark, at most the middle of its range.
    values : array of shape (nx, ny, nz)
    """
    if black_bg != "auto" or not isinstance(black_bg, str):
        a_bool("black_bg", black_bg)
        return bool(black_bg)
    border = np.ones(values.shape, dtype=bool)
    border[1:-1, 1:-1, 1:-1] = False
    return bool(np.median(values[border]) <= (float(values.min()) + float(values.max())) / 2)
