"""Headers of volume files: what they promise, checked before anything is allocated."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError, SpatialHeader

from brainsieve.engine.domain import VoxelGrid
from brainsieve.exceptions import CorruptImageError, DimensionError

# No scanner makes more; a header that says so is corrupt.
MOST_VOXELS = 2**33
MOST_SAMPLES = 2**26


@dataclass(frozen=True)
class Layout:
    """Where and how a file holds its samples.

    Attributes
    ----------
    grid : VoxelGrid
    n_samples : int
    is_single : bool
        3-D.
    dtype : dtype
        As in the file, byte order included.
    offset : int
        Bytes before the first voxel.
    slope, inter : float
    tr : float or None
        Seconds.
    header : nibabel header
    """

    grid: VoxelGrid
    n_samples: int
    is_single: bool
    dtype: np.dtype
    offset: int
    slope: float
    inter: float
    tr: float | None
    header: SpatialHeader

    @property
    def sample_bytes(self) -> int:
        return self.grid.n_points * self.dtype.itemsize

    @property
    def expected_bytes(self) -> int:
        return self.offset + self.n_samples * self.sample_bytes


def checked_shape(shape: tuple[int, ...], name: str) -> tuple[tuple[int, int, int], int, bool]:
    """Three sizes, number of samples, and whether the image is 3-D.

    Raises
    ------
    DimensionError, CorruptImageError
    """
    shape = tuple(int(n) for n in shape)
    while len(shape) > 4 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) not in (3, 4):
        raise DimensionError(len(shape), 4, name)
    if min(shape) < 1:
        raise CorruptImageError(f"{name}: its header gives the shape {shape}; every size must be positive.")
    n_samples = shape[3] if len(shape) == 4 else 1
    if np.prod(shape[:3], dtype=np.float64) > MOST_VOXELS or n_samples > MOST_SAMPLES:
        raise CorruptImageError(
            f"{name}: its header gives the shape {shape}, more than any scan has; the header is corrupt."
        )
    return shape[:3], n_samples, len(shape) == 3  # type: ignore[return-value]


def checked_dtype(dtype: Any, name: str) -> np.dtype:
    """A dtype whose values can be streamed.

    Raises
    ------
    TypeError
        For complex, RGB and other types that are not one real number for each voxel.
    """
    dtype = np.dtype(dtype)
    if dtype.kind not in "biuf":
        what = "complex" if dtype.kind == "c" else "RGB" if dtype.fields else str(dtype)
        raise TypeError(
            f"{name} holds {what} values; maskers take real numbers. Take a magnitude or a channel first."
        )
    return dtype


def checked_grid(shape: tuple[int, int, int], affine: Any, name: str) -> VoxelGrid:
    try:
        return VoxelGrid(shape, affine)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def repetition_time(header: Any) -> float | None:
    """Seconds between samples as a header has it; None where it does not say."""
    try:
        zooms = header.get_zooms()
        if len(zooms) < 4:
            return None
        unit = header.get_xyzt_units()[1] if hasattr(header, "get_xyzt_units") else "sec"
    except (HeaderDataError, KeyError):
        return None
    # MGH files give milliseconds.
    scale = {"msec": 1e-3, "usec": 1e-6}.get(unit, 1.0)
    if isinstance(header, nib.freesurfer.mghformat.MGHHeader):
        scale = 1e-3
    tr = float(zooms[3]) * scale
    return tr if np.isfinite(tr) and tr > 0 else None


def checked_scaling(slope: Any, inter: Any, name: str) -> tuple[float, float]:
    """Slope and intercept; 1 and 0 where a header has none."""
    slope = 1.0 if slope is None else float(slope)
    inter = 0.0 if inter is None else float(inter)
    if not np.isfinite([slope, inter]).all():
        raise ValueError(
            f"{name}: its header scales values by slope {slope} and intercept {inter}, which are not finite."
        )
    return slope, inter


def nifti_layout(stream: BinaryIO, name: str) -> Layout:
    """Read the header of a single-file NIfTI at the start of a stream; leaves the stream somewhere behind it."""
    first = _exactly(stream, 348, name)
    two = first[:4] in (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c")
    header_class: Any = nib.Nifti2Header if two else nib.Nifti1Header
    if two:
        first += _exactly(stream, 540 - 348, name)
    if first[:4] not in (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c", b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c"):
        raise CorruptImageError(f"{name} is no NIfTI file: its first bytes are {first[:4]!r}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = header_class(first, check=False)
    _refuse_unknown_dtype(header, name)
    _refuse_nan_scaling(header, name)
    return layout_of(header, name, offset=int(header["vox_offset"]))


def _exactly(stream: BinaryIO, n: int, name: str) -> bytes:
    from brainsieve.engine.source.streams import decoded

    data = b""
    while len(data) < n:
        part = decoded(lambda: stream.read(n - len(data)), name)  # noqa: B023
        if not part:
            raise CorruptImageError(
                f"{name} is {'empty' if not data else 'too short for a header'}: "
                f"a NIfTI header has {n} bytes, {len(data)} are there."
            )
        data += part
    return data


def _refuse_unknown_dtype(header: Any, name: str) -> None:
    try:
        header.get_data_dtype()
    except (HeaderDataError, KeyError):
        raise CorruptImageError(
            f"{name}: its header has data type code {int(header['datatype'])}, which NIfTI does not know."
        ) from None


def _refuse_nan_scaling(header: Any, name: str) -> None:
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    # A slope of 0 or NaN means "not scaled" to NIfTI; an infinite one, or a NaN intercept beside a slope, nothing.
    scaled = slope != 0 and not np.isnan(slope)
    if scaled and not np.isfinite([slope, inter]).all():
        raise ValueError(
            f"{name}: its header scales values by slope {slope} and intercept {inter}, which are not finite."
        )


def layout_of(header: Any, name: str, offset: int) -> Layout:
    """The layout that a nibabel header describes."""
    shape, n_samples, is_single = checked_shape(header.get_data_shape(), name)
    try:
        affine = header.get_best_affine()
    except (HeaderDataError, ValueError) as error:
        raise ValueError(f"{name}: its header gives no affine: {error}") from None
    found = header.get_slope_inter() if hasattr(header, "get_slope_inter") else (None, None)
    slope, inter = checked_scaling(found[0], found[1], name)
    dtype = checked_dtype(header.get_data_dtype(), name)
    if offset < 0:
        raise CorruptImageError(f"{name}: its header puts the data at byte {offset}.")
    return Layout(
        grid=checked_grid(shape, affine, name),
        n_samples=n_samples,
        is_single=is_single,
        dtype=dtype,
        offset=offset,
        slope=slope,
        inter=inter,
        tr=repetition_time(header),
        header=header,
    )
