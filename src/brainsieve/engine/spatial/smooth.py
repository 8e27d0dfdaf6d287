"""Gaussian smoothing on voxel grids."""

from __future__ import annotations

import numbers
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.spatial.grid import (
    Box,
    GridOperator,
    InBox,
    Shape,
    box_of,
    box_shape,
    filled_box,
    points_of,
    weights_in_box,
)
from brainsieve.engine.spatial.operator import Renumber, SpatialOperator
from brainsieve.engine.spatial.separable import Separable
from brainsieve.exceptions import ParameterError
from brainsieve.logs import warn

# Standard deviations in one full width at half maximum.
SIGMA_PER_FWHM = 1.0 / np.sqrt(8.0 * np.log(2.0))
# SciPy's kernel ends at so many standard deviations, and may have so many voxels to each side: what is wider flattens
# any image, and would fill memory with its weights.
TRUNCATE = 4.0
MOST_KERNEL_VOXELS = 10_000
# Weight of each of the six neighbours in "fast" smoothing, where a voxel's own is 1.
FAST_NEIGHBOUR = 0.2

Fwhm = tuple[float, float, float] | Literal["fast"]


def checked_fwhm(fwhm: Any, name: str = "smoothing_fwhm") -> Fwhm | None:
    """Normalise a FWHM: three widths in mm, "fast", or None for no smoothing.

    Raises
    ------
    TypeError, ValueError
        If it is neither a number, three of them, "fast" nor None, or is negative or not finite.

    Warns
    -----
    UserWarning
        For 0, which does not smooth.
    """
    if fwhm is None:
        return None
    if isinstance(fwhm, str):
        if fwhm != "fast":
            raise ParameterError(
                f"{name} must be a number in mm, three of them, 'fast' or None; not {fwhm!r}."
            )
        return "fast"
    if isinstance(fwhm, bool | np.bool_):
        raise TypeError(f"{name} must be a number in mm, three of them, 'fast' or None; not {fwhm!r}.")
    if isinstance(fwhm, numbers.Real):
        widths = [float(fwhm)] * 3
    else:
        widths = _three_widths(fwhm, name)
    if not np.isfinite(widths).all() or min(widths) < 0:
        raise ValueError(f"{name} must be finite and not negative, in mm; {fwhm!r} was given.")
    if not any(widths):
        warn(f"{name}=0 does not smooth; None says so without this warning.")
        return None
    return (widths[0], widths[1], widths[2])


def _three_widths(fwhm: Any, name: str) -> list[float]:
    try:
        widths = [0.0 if width is None else float(width) for width in fwhm]
    except (TypeError, ValueError):
        raise TypeError(
            f"{name} must be a number in mm, three of them, 'fast' or None; {fwhm!r} was given."
        ) from None
    if len(widths) != 3:
        raise ValueError(f"{name} must have one width or three (one for each axis); {fwhm!r} was given.")
    return widths


def smooth(grid: VoxelGrid, fwhm: Any) -> SpatialOperator:
    """Smoothing of images on a grid.

    Parameters
    ----------
    grid : VoxelGrid
    fwhm : float, sequence of 3 float or None, or "fast"
        Full width at half maximum in mm, for all or for each voxel axis; None or 0: not along this axis.
        "fast": each voxel plus 0.2 of its six neighbours, over 2.2, those outside the grid counting as 0.

    Returns
    -------
    operator : SpatialOperator
        Equals ``scipy.ndimage.gaussian_filter1d`` along each axis with its defaults (reflected at the edges,
        cut at four standard deviations).

    Raises
    ------
    ValueError
        If the kernel is thousands of voxels wide.
    """
    checked = checked_fwhm(fwhm, "fwhm")
    if checked is None:
        return Separable([np.eye(n) for n in grid.shape])
    if checked == "fast":
        return FastSmoothing(grid.shape)
    sigmas = np.array(checked) * SIGMA_PER_FWHM / grid.voxel_sizes_mm
    if TRUNCATE * sigmas.max() > MOST_KERNEL_VOXELS:
        raise ValueError(
            f"A FWHM of {max(checked):g} mm is {sigmas.max() / SIGMA_PER_FWHM:.3g} voxels on a grid of "
            f"{grid.describe()}; it must be in mm, and smaller than what it smooths."
        )
    return Separable([_gaussian(n, sigma) for n, sigma in zip(grid.shape, sigmas, strict=True)])


def _gaussian(n: int, sigma: float) -> NDArray[np.float64]:
    """SciPy's filter along an axis, probed with the identity."""
    if sigma == 0:
        return np.eye(n)
    return np.asarray(gaussian_filter1d(np.eye(n), sigma, axis=0, truncate=TRUNCATE))


class FastSmoothing(GridOperator):
    """Each voxel plus a fifth of its six neighbours, over 2.2.

    Neighbours outside the grid count as 0, with no correction: a constant is lower at the edges. Equals a
    symmetric matrix of seven diagonals.

    Parameters
    ----------
    shape : tuple of 3 int
    box : tuple of 3 slice, optional
        The target voxels that are computed. Default: all.
    """

    def __init__(self, shape: Shape, box: Box | None = None) -> None:
        whole: Box = (slice(0, shape[0]), slice(0, shape[1]), slice(0, shape[2]))
        self._box = box or whole
        self.source_shape, self.target_shape = shape, box_shape(self._box)
        self.n_points = int(np.prod(self.source_shape))
        self.n_features = int(np.prod(self.target_shape))

    @property
    def work(self) -> float:
        return 5.0 * self.n_features

    def restricted(self, points: NDArray[np.intp]) -> tuple[FastSmoothing, Renumber]:
        """The operator for the box that holds some target points."""
        box = box_of(points, self.target_shape)
        i, j, k = (
            slice(old.start + new.start, old.start + new.stop)
            for old, new in zip(self._box, box, strict=True)
        )
        return FastSmoothing(self.source_shape, (i, j, k)), InBox(box, self.target_shape)

    def on_reach(self) -> tuple[FastSmoothing, NDArray[np.intp]]:
        smoothing, box = self._on_box()
        return smoothing, points_of(box, self.source_shape)

    def _on_box(self) -> tuple[FastSmoothing, Box]:
        """The operator on the box of the source that it reads, one voxel around its target; and that box."""
        reach: list[slice] = []
        inner: list[slice] = []
        for part, size in zip(self._box, self.source_shape, strict=True):
            start = max(part.start - 1, 0)
            reach.append(slice(start, min(part.stop + 1, size)))
            inner.append(slice(part.start - start, part.stop - start))
        box: Box = (reach[0], reach[1], reach[2])
        return FastSmoothing(box_shape(box), (inner[0], inner[1], inner[2])), box

    def _forward(self, block: NDArray) -> NDArray:
        dtype = np.float32 if block.dtype == np.float32 else np.float64
        out = np.empty((len(block), *self.target_shape[::-1]), dtype=dtype)
        for row, features in zip(block, out, strict=True):
            self._mix(row.reshape(self.source_shape[::-1]), features)
        return out.reshape(len(block), self.n_features)

    def _mix(self, volume: NDArray, out: NDArray) -> None:
        """From a volume (k, j, i) to its target box, in place: neighbours add up, then the voxel itself."""
        own = 1.0 / (1.0 + 6 * FAST_NEIGHBOUR)
        out[...] = 0
        box = self._box[::-1]
        for axis, part in enumerate(box):
            for step in (-1, 1):
                # Target voxels whose neighbour is inside the grid, and these neighbours.
                start, stop = max(part.start, -step), min(part.stop, volume.shape[axis] - step)
                there, here = list(box), [slice(None)] * 3
                there[axis] = slice(start + step, stop + step)
                here[axis] = slice(start - part.start, stop - part.start)
                if stop > start:
                    out[tuple(here)] += volume[tuple(there)]
        out *= own * FAST_NEIGHBOUR
        out += volume[box] * out.dtype.type(own)

    def _adjoint(self, signals: NDArray) -> NDArray:
        spread = np.zeros((len(signals), *self.source_shape[::-1]))
        i, j, k = self._box
        spread[:, k, j, i] = signals.reshape(len(signals), *self.target_shape[::-1])
        return FastSmoothing(self.source_shape)._forward(spread.reshape(len(signals), -1))

    def adjoint_of_points(
        self, points: NDArray[np.intp], weights: NDArray[np.float64], negligible: float
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Aᵀ of weights of some target points, on the box that holds them and one voxel around it."""
        if not len(points):
            return points, weights
        values, start = filled_box(points, weights, self.target_shape)
        start = [first + part.start for first, part in zip(start, self._box, strict=True)]
        box = tuple(slice(first, first + n) for first, n in zip(start, values.shape, strict=True))
        back, reach = FastSmoothing(self.source_shape, box)._on_box()  # type: ignore[arg-type]
        mixed = back.adjoint(values.reshape(1, -1, order="F")).reshape(back.source_shape, order="F")
        return weights_in_box(mixed, [part.start for part in reach], self.source_shape, negligible)
