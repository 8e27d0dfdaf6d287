"""Masks, atlases and images on voxel grids: reading and making them."""

from __future__ import annotations

from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Header, Nifti1Image
from numpy.typing import NDArray

from brainsieve.atlas.base import plural_of
from brainsieve.checks import naming
from brainsieve.engine.domain import Domain, VoxelGrid
from brainsieve.engine.source import open_source, read_all
from brainsieve.exceptions import DimensionError
from brainsieve.image.headers import narrowed
from brainsieve.logs import warn


def read_volume(img: Any, name: str) -> tuple[NDArray, VoxelGrid]:
    """Values (n_points,) of one 3-D image (a 4-D image of one volume counts) and its grid.

    Raises
    ------
    ValueError, TypeError
        If it cannot be read, naming the parameter.
    DimensionError
        If it has several volumes.
    """
    values, grid = read_volumes(img, name)
    if len(values) != 1:
        raise DimensionError(4, 3, name)
    return values[0], grid


def read_volumes(img: Any, name: str) -> tuple[NDArray, VoxelGrid]:
    """Values (n_volumes, n_points) of a 3-D or 4-D image, and its grid."""
    with naming(name):
        source = open_source(img)
    if not isinstance(source.domain, VoxelGrid):
        raise TypeError(f"{name} must be a volume; {source.name} is {source.domain.describe()}.")
    return read_all(source), source.domain


def read_mask(img: Any, name: str = "mask_img") -> tuple[NDArray[np.bool_], VoxelGrid]:
    """A mask (n_points,) and its grid: a voxel is in where every volume is finite and not 0.

    Raises
    ------
    ValueError
        If no voxel is in.
    """
    values, grid = read_volumes(img, name)
    return inside_of(values, grid, name), grid


def inside_of(values: NDArray, domain: Domain, name: str, point: str = "voxel") -> NDArray[np.bool_]:
    """The mask (n_points,) that values (n_volumes, n_points) are; raises as `read_mask`."""
    finite = np.isfinite(values)
    if not finite.all():
        n_bad = int((~finite).any(axis=0).sum())
        warn(f"{name}: {n_bad} {plural_of(point)} are NaN or infinite; they are outside the mask.")
    mask = (finite & (values != 0)).all(axis=0)
    if not mask.any():
        raise ValueError(f"{name} is empty: no {point} of {domain.describe()} is finite and other than 0.")
    return mask


def image(values: NDArray, grid: VoxelGrid, header: Any = None, t_r: float | None = None) -> Nifti1Image:
    """A NIfTI image of values (n_points,) or (n_samples, n_points) on a grid.

    `header` is a template for what is neither geometry nor scaling. Where the time between samples is not known, the
    header has no unit of time: a 1 with the unit of seconds would be believed by the next program.
    """
    values = np.asarray(values)
    if values.dtype == bool:
        values = values.astype(np.uint8)
    data = narrowed(grid.unflatten(values if values.ndim == 1 else values.T))
    made = Nifti1Image(data, grid.affine, header=header or Nifti1Header(), dtype=data.dtype)
    made.header.set_xyzt_units("mm", None if t_r is None else "sec")
    if t_r is not None and data.ndim == 4:
        made.header.set_zooms((*made.header.get_zooms()[:3], t_r))
    return made
