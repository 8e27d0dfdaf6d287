"""Slices: volumes whose axes are turned to the world's, and the planes that they are cut along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation
from numpy.typing import NDArray

from brainsieve.checks import naming
from brainsieve.engine.source import read_all
from brainsieve.engine.source.base import Source
from brainsieve.exceptions import DimensionError, ParameterError
from brainsieve.image import reorder_img
from brainsieve.image.forms import VolumeForm, opened
from brainsieve.logs import warn
from brainsieve.surface.opening import is_surface_image
from brainsieve.typing import Interpolation

AXES = {"x": 0, "y": 1, "z": 2}
# The axes that run to the right and upwards in a slice across each axis.
PLANES = {"x": (1, 2), "y": (0, 2), "z": (0, 1)}
INTERPOLATIONS = ("continuous", "linear", "nearest")


@dataclass(frozen=True)
class WorldVolume:
    """Values whose axes run to the right, to the front and upwards.

    Attributes
    ----------
    values : array of shape (nx, ny, nz)
        All finite. A view of what was given, where its axes are the world's but for order and direction.
    first : array of shape (3,)
        Centre of the first voxel, in mm.
    steps : array of shape (3,)
        From one voxel to the next, in mm; all positive.
    """

    values: NDArray
    first: NDArray[np.float64]
    steps: NDArray[np.float64]

    @property
    def bounds(self) -> NDArray[np.float64]:
        """Centres of the first and of the last voxel along each axis, (3, 2), in mm."""
        last = self.first + self.steps * (np.array(self.values.shape) - 1)
        return np.stack([self.first, last], axis=1)

    def extent(self, direction: str) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of a slice, in mm: centres of its outermost voxels."""
        (left, right), (bottom, top) = self.bounds[list(PLANES[direction])]
        return float(left), float(right), float(bottom), float(top)

    def index(self, direction: str, at: float) -> int | None:
        """The slice that a coordinate lies in; None: outside of the volume."""
        axis = AXES[direction]
        i = int(np.floor((at - self.first[axis]) / self.steps[axis] + 0.5))
        return i if 0 <= i < self.values.shape[axis] else None

    def slice(self, direction: str, at: float) -> NDArray | None:
        """The slice that a coordinate lies in: rows from the bottom to the top."""
        i = self.index(direction, at)
        return None if i is None else np.take(self.values, i, axis=AXES[direction]).T

    def grid(self, direction: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centres of the columns and of the rows of a slice, in mm."""
        right, up = PLANES[direction]
        return tuple(  # type: ignore[return-value]
            self.first[axis] + self.steps[axis] * np.arange(self.values.shape[axis]) for axis in (right, up)
        )


def world_volume(img: Any, name: str = "img", interpolation: Interpolation = "continuous") -> WorldVolume:
    """Read a volume and turn its axes to the world's; a rotated one is resampled.

    Parameters
    ----------
    img : image-like
        Of one volume.
    name : str
        Of the parameter, for messages.
    interpolation : {"continuous", "linear", "nearest"}
        For a rotated image only.

    Raises
    ------
    TypeError
        For surfaces, and what is no image.
    DimensionError
        For several volumes.

    Warns
    -----
    UserWarning
        If values are not finite; they count as 0.
    """
    values, affine = finite_volume(img, name)
    if is_oblique(affine):
        if interpolation not in INTERPOLATIONS:
            raise ParameterError(
                f"resampling_interpolation must be one of {', '.join(INTERPOLATIONS)}; {interpolation!r} was given."
            )
        turned = reorder_img(nib.Nifti1Image(values, affine), resample=interpolation)
        values, affine = np.asarray(turned.dataobj), turned.affine
    orientation = io_orientation(affine)
    affine = affine @ inv_ornt_aff(orientation, values.shape)
    return WorldVolume(apply_orientation(values, orientation), affine[:3, 3], np.diag(affine)[:3])


def is_oblique(affine: NDArray) -> bool:
    """Whether the axes of voxels are not those of the world in any order."""
    axes = np.abs(affine[:3, :3])
    return bool(((axes > 1e-8 * axes.max()).sum(axis=0) > 1).any())


def finite_volume(img: Any, name: str = "img") -> tuple[NDArray, NDArray[np.float64]]:
    """Floats (nx, ny, nz) of an image of one volume on its own grid, and its affine; NaN and infinity are 0, warned."""
    source, form = opened_volume(img, name)
    values = form.domain.unflatten(read_all(source)[0])
    if values.dtype.kind != "f":
        # Absolute values of unsigned and of the smallest integers are not what they seem.
        return values.astype(np.float64), form.domain.affine
    finite = np.isfinite(values)
    if not finite.all():
        warn(f"{name}: {int((~finite).sum())} of {values.size} voxels are NaN or infinite; they count as 0.")
        values = np.where(finite, values, values.dtype.type(0))
    return values, form.domain.affine


def opened_volume(img: Any, name: str) -> tuple[Source, VolumeForm]:
    """The source of an image of one volume, and its form.

    Raises
    ------
    TypeError, DimensionError
        For surfaces and several volumes; `name` is told.
    """
    if is_surface_image(img):
        raise TypeError(
            f"{name} is a surface image; this draws volumes. Use plot_surf_stat_map or view_surf for surfaces."
        )
    with naming(name):
        source, form = opened(img)
    assert isinstance(form, VolumeForm)
    if source.n_samples != 1:
        raise DimensionError(4, 3, f"{name} ({source.name})")
    return source, form
