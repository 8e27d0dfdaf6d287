"""Headers of volume files: what they promise, checked before anything is allocated."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError, SpatialHeader

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.source.streams import exactly
from brainsieve.engine.source.timing import Timing, timing_of
from brainsieve.exceptions import CorruptImageError, DimensionError

# No scanner makes more; a header that says so is corrupt.
MOST_VOXELS = 2**33
MOST_SAMPLES = 2**26
# First four bytes of NIfTI-1 and NIfTI-2, and the byte order and header that they tell.
NIFTI_KINDS: dict[bytes, tuple[Any, str]] = {
    b"\x5c\x01\x00\x00": (nib.Nifti1Header, "<"),
    b"\x00\x00\x01\x5c": (nib.Nifti1Header, ">"),
    b"\x1c\x02\x00\x00": (nib.Nifti2Header, "<"),
    b"\x00\x00\x02\x1c": (nib.Nifti2Header, ">"),
}
CIFTI_INTENTS = range(3000, 3100)
# What the names of CIFTI files have before ".nii", by the specification; those with "conn" hold connections.
CIFTI_KINDS = tuple(
    "dtseries dscalar dlabel ptseries pscalar plabel dconn pconn dpconn pdconn pconnseries".split()
)
# nibabel raises from this level on ("future errors are likely"), and repairs below.
REFUSED_LEVEL = 40
TOLD_LEVEL = 30
# Quaternions that are a little longer than 1 by rounding; the reference library shortens any.
LONGEST_QUATERNION = 1.01
# Vertices of the surfaces that overlays are made on: subdivided icosahedra and HCP's meshes.
SURFACE_SIZES = frozenset({642, 2562, 10242, 40962, 163842, 32492, 59292, 7842, 4002})
FEWEST_VERTICES = 12

logger = logging.getLogger("brainsieve")


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
    header : nibabel header
    timing : Timing
    """

    grid: VoxelGrid
    n_samples: int
    is_single: bool
    dtype: np.dtype
    offset: int
    slope: float
    inter: float
    header: SpatialHeader
    timing: Timing = field(default_factory=Timing)

    @property
    def sample_bytes(self) -> int:
        return self.grid.n_points * self.dtype.itemsize

    @property
    def expected_bytes(self) -> int:
        return self.offset + self.n_samples * self.sample_bytes

    def describe(self) -> str:
        return f"{self.n_samples} samples of {self.grid.describe()}, {self.dtype}"

    def stores_as(self, other: Layout) -> bool:
        """Whether another layout finds the same values in the same bytes."""
        mine, theirs = (
            (one.n_samples * one.grid.n_points, one.dtype, one.offset, one.slope, one.inter)
            for one in (self, other)
        )
        return mine == theirs


def checked_shape(shape: tuple[int, ...], name: str) -> tuple[tuple[int, int, int], int, bool]:
    """Three sizes, number of samples, and whether the image is 3-D.

    Raises
    ------
    DimensionError, CorruptImageError
    """
    shape = tuple(int(n) for n in shape)
    # Programs write axes of 1 behind those of space and time; they hold nothing.
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


def refuse_overlay(shape: tuple[int, ...], name: str, header: Any) -> None:
    """Refuse values at vertices: FreeSurfer writes them as volumes of n × 1 × 1 voxels."""
    if shape[1:3] != (1, 1):
        return
    is_mgh = isinstance(header, nib.freesurfer.mghformat.MGHHeader) and shape[0] >= FEWEST_VERTICES
    if is_mgh or shape[0] in SURFACE_SIZES:
        raise TypeError(
            f"{name} has the shape {shape}: values at {shape[0]} vertices of a surface, not a volume; the "
            "surface maskers take it (brainsieve.surface.SurfaceImage)."
        )


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


def streamed_dtype(dtype: np.dtype) -> np.dtype:
    """Native byte order; longer floats than float64 as float64, float16 as float32."""
    if dtype.kind == "f" and dtype.itemsize > 8:
        return np.dtype(np.float64)
    if dtype == np.float16:
        return np.dtype(np.float32)
    return dtype.newbyteorder("=")


def checked_grid(shape: tuple[int, int, int], affine: Any, name: str) -> VoxelGrid:
    try:
        return VoxelGrid(shape, affine)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def checked_scaling(slope: Any, inter: Any, name: str) -> tuple[float, float]:
    """Slope and intercept; 1 and 0 where a header has none.

    NIfTI's rule: a slope of 0 or NaN means "not scaled". An infinite one, or an intercept that is not finite
    beside a slope, means nothing.
    """
    slope = 1.0 if slope is None else float(slope)
    inter = 0.0 if inter is None else float(inter)
    if slope == 0 or np.isnan(slope):
        return 1.0, 0.0
    if not np.isfinite([slope, inter]).all():
        raise ValueError(
            f"{name}: its header scales values by slope {slope} and intercept {inter} (scl_slope, scl_inter), "
            "which are not finite."
        )
    return slope, inter


def is_cifti_header(header: Any) -> bool:
    """Whether a NIfTI-2 header is that of a CIFTI file, whatever the file is called."""
    if not isinstance(header, nib.Nifti2Header):
        return False
    dim = [int(n) for n in header["dim"]]
    return int(header["intent_code"]) in CIFTI_INTENTS or (dim[0] >= 6 and dim[1:5] == [1, 1, 1, 1])


def nifti_header(stream: BinaryIO, name: str) -> Any:
    """Read the NIfTI header at the start of a stream, unchecked but for its kind."""
    first = exactly(stream, 4, name)
    if first not in NIFTI_KINDS:
        raise CorruptImageError(f"{name} is no NIfTI file: its first bytes are {first!r}.")
    header_class, order = NIFTI_KINDS[first]
    size = header_class.template_dtype.itemsize
    return header_class(first + exactly(stream, size - 4, name), endianness=order, check=False)


def nifti_layout(stream: BinaryIO, name: str) -> Layout:
    """Read the header of a single-file NIfTI at the start of a stream; leaves the stream somewhere behind it."""
    header = nifti_header(stream, name)
    if is_cifti_header(header):
        raise TypeError(
            f"{name} is a CIFTI file (points of the cortex and subcortex), not a volume; "
            "the CIFTI maskers take it."
        )
    if not 1 <= int(header["dim"][0]) <= 7:
        raise CorruptImageError(
            f"{name}: its header has {int(header['dim'][0])} dimensions (dim[0]); NIfTI has 1 to 7."
        )
    offset = _single_file_offset(header, name)
    repaired(header, name)
    dtype = checked_dtype(header.get_data_dtype(), name)
    try:
        shape = header.get_data_shape()
    except HeaderDataError as error:  # FreeSurfer's way to write more than 32767 vertices
        raise CorruptImageError(f"{name}: its dim and glmin do not agree: {error}.") from None
    sizes, n_samples, is_single = checked_shape(shape, name)
    slope, inter = checked_scaling(header["scl_slope"], header["scl_inter"], name)
    return Layout(
        grid=checked_grid(sizes, nifti_affine(header, name), name),
        n_samples=n_samples,
        is_single=is_single,
        dtype=dtype,
        offset=offset,
        slope=slope,
        inter=inter,
        header=header,
        timing=timing_of(header),
    )


def _single_file_offset(header: Any, name: str) -> int:
    """Where the data of a single file begin; never inside its header."""
    magic, written = header["magic"].item(), float(header["vox_offset"])
    if magic not in (header.single_magic, header.pair_magic):
        raise CorruptImageError(f"{name}: its header has the magic {magic!r}, which NIfTI does not know.")
    if not np.isfinite(written):
        raise CorruptImageError(f"{name}: vox_offset of its header is {written}, no number of bytes.")
    least = header.single_vox_offset
    if written == 0 and magic == header.single_magic:
        # Not set. nibabel then reads the header as voxels; other libraries begin behind it.
        header["vox_offset"] = least
        return int(least)
    if written < least:
        raise CorruptImageError(
            f"{name}: vox_offset of its header puts the data at byte {written:g}; those of a single file "
            f"(magic {magic!r}) begin at byte {least} or later."
        )
    return int(header["vox_offset"])


class _Told:
    """Takes nibabel's reports on a header; those that change what is read are logged with the file's name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def log(self, level: int, message: str) -> None:
        if TOLD_LEVEL <= level < REFUSED_LEVEL:
            logger.info("%s: %s", self._name, message)


def repaired(header: Any, name: str) -> None:
    """Apply nibabel's checks and repairs: qfac, negative and zero pixdim, codes of sform and qform."""
    if not np.isfinite(header["pixdim"][0]):
        header["pixdim"][0] = 1
    try:
        header.check_fix(logger=_Told(name), error_level=REFUSED_LEVEL)
    except HeaderDataError as error:
        code = int(header["datatype"])
        known = f"data type code {code}, which NIfTI does not know"
        what = f"its header has {known}" if "data code" in str(error) else str(error)
        raise CorruptImageError(f"{name}: {what}.") from None


def nifti_affine(header: Any, name: str) -> Any:
    """The affine by NIfTI's rules: sform, else qform, else voxel sizes; what it needs must be finite."""
    if int(header["sform_code"]) > 0:
        _refuse_non_finite(header, ("srow_x", "srow_y", "srow_z"), name)
        return header.get_sform()
    _refuse_non_finite(header, ("pixdim",), name, slice(1, 4))
    if int(header["qform_code"]) <= 0:
        return header.get_base_affine()
    quaternion = ("quatern_b", "quatern_c", "quatern_d")
    _refuse_non_finite(header, (*quaternion, "qoffset_x", "qoffset_y", "qoffset_z"), name)
    length = float(np.sqrt(sum(float(header[q]) ** 2 for q in quaternion)))
    if length > LONGEST_QUATERNION:
        raise CorruptImageError(
            f"{name}: quatern_b, quatern_c, quatern_d of its header have length {length:g}; a rotation has at "
            "most 1."
        )
    if length > 1:
        header = header.copy()
        for q in quaternion:
            header[q] = float(header[q]) / length
    return header.get_qform()


def _refuse_non_finite(header: Any, names: tuple[str, ...], name: str, part: slice = slice(None)) -> None:
    for own in names:
        values = np.atleast_1d(header[own])[part]
        if not np.isfinite(values).all():
            raise CorruptImageError(f"{name}: {own} of its header is {values.tolist()}, not finite.")


def image_layout(img: Any, name: str) -> Layout:
    """The layout of an opened image whose data are still in its file: as its proxy was told when it was opened.

    Affine and header are those in memory.
    """
    proxy = img.dataobj
    header = getattr(img, "header", None)
    sizes, n_samples, is_single = checked_shape(proxy.shape, name)
    slope, inter = checked_scaling(proxy.slope, proxy.inter, name)
    if proxy.offset < 0:
        raise CorruptImageError(f"{name}: vox_offset of its header puts the data at byte {proxy.offset}.")
    return Layout(
        grid=checked_grid(sizes, img.affine, name),
        n_samples=n_samples,
        is_single=is_single,
        dtype=checked_dtype(proxy.dtype, name),
        offset=int(proxy.offset),
        slope=slope,
        inter=inter,
        header=header,  # type: ignore[arg-type]
        timing=timing_of(header),
    )
