"""NIfTI images and headers made of arrays: what is kept of another image's header, and what the data decide."""

from __future__ import annotations

from typing import Any

import nibabel as nib
import numpy as np
from nibabel.volumeutils import native_code
from numpy.typing import ArrayLike, NDArray

# Values whose smallest and largest are looked for together: they stay in the processor's cache between the two.
RANGE_AT_ONCE = 2**16


def nifti_image(
    data: NDArray, affine: ArrayLike, header: Any = None, copy_header: bool = True
) -> nib.Nifti1Image:
    """A NIfTI image of data, with what a header says besides them.

    Parameters
    ----------
    data : array
        bool becomes uint8, float16 float32, long double float64: NIfTI has no such types that all can read.
    affine : array of shape (4, 4)
    header : nibabel header, optional
        Default: an empty one.
    copy_header : bool, default=True
        False: nothing of the header is kept, but that it is one of NIfTI-2.

    Returns
    -------
    img : Nifti1Image, or Nifti2Image if `header` is one of NIfTI-2
    """
    data = storable(data)
    made = None
    if header is not None and copy_header:
        made = header_like(header, data.dtype, value_range_of(data))
    kind = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    return kind(data, affine, made, dtype=data.dtype)


def header_like(header: Any, dtype: np.dtype, limits: tuple[float, float] = (0.0, 0.0)) -> nib.Nifti1Header:
    """A header like another, in native byte order, for data of a dtype.

    Parameters
    ----------
    header : nibabel header
    dtype : dtype
    limits : (float, float), default=(0, 0)
        Smallest and largest value, for viewers. NIfTI's "not known" is (0, 0).
    """
    kind = nib.Nifti2Header if isinstance(header, nib.Nifti2Header) else nib.Nifti1Header
    # Checks are for readers. Copied, not converted, where the kind is the same: its byte order comes along.
    made = kind.from_header(header, check=False).as_byteswapped(native_code)
    made.set_data_dtype(dtype)
    made["cal_min"], made["cal_max"] = limits
    return made


def storable(data: NDArray) -> NDArray:
    """Data in native byte order and in a dtype that NIfTI has."""
    if data.dtype == bool:
        return data.astype(np.uint8)
    if data.dtype == np.float16:
        return data.astype(np.float32)
    # Which long doubles a file can hold depends on the machine that wrote it.
    if data.dtype.kind == "f" and data.dtype.itemsize > 8:
        return data.astype(np.float64)
    return data.astype(data.dtype.newbyteorder("="), copy=False)


def value_range_of(data: NDArray) -> tuple[float, float]:
    """Smallest and largest finite value; (0, 0) where there is none."""
    if not data.size or data.dtype.kind not in "iuf":
        return 0.0, 0.0
    # Masked arrays (nilearn's plots make them of its template) are ranged by what is not masked; their methods
    # know no `initial`. Others as they lie in memory: for arrays that are contiguous, no copy.
    flat = data.compressed() if isinstance(data, np.ma.MaskedArray) else data.ravel(order="K")
    low, high = np.inf, -np.inf
    for start in range(0, flat.size, RANGE_AT_ONCE):
        part = flat[start : start + RANGE_AT_ONCE]
        ends = part.min(), part.max()
        if not np.isfinite(ends).all():
            part = part[np.isfinite(part)]
            ends = part.min(initial=np.inf), part.max(initial=-np.inf)
        low, high = min(low, float(ends[0])), max(high, float(ends[1]))
    return (low, high) if low <= high else (0.0, 0.0)


def narrowed(data: NDArray) -> NDArray:
    """64-bit integers as 32-bit ones where they fit: few programs read the former."""
    if data.dtype.kind not in "iu" or data.dtype.itemsize < 8:
        return data
    limits = np.iinfo(np.int32)
    if data.size and (data.min() < limits.min or data.max() > limits.max):
        return data
    return data.astype(np.int32)


def cast(values: NDArray, dtype: Any, name: str = "dtype") -> NDArray:
    """Values in a dtype that a user asks for.

    Parameters
    ----------
    values : array
    dtype : dtype, "auto" or None
        "auto": int32 for signed integers that fit, else float32. None: as they are.
    name : str
        What asks for it, for messages.

    Raises
    ------
    ValueError
        If integers would wrap around, or NaN become integers.
    """
    kind = cast_dtype(values.dtype, dtype, name)
    if kind.kind in "iu":
        if isinstance(dtype, str) and dtype == "auto" and not fits(values, kind):
            return values.astype(np.float32)
        if not fits(values, kind):
            if values.dtype.kind == "f" and np.isnan(values).any():
                raise ValueError(f"{name}={kind} holds no NaN, which is among the values; take float32.")
            low, high = value_range_of(values)
            raise ValueError(
                f"{name}={kind} holds no values from {low:g} to {high:g}; take a wider dtype, or float32."
            )
    return values.astype(kind, copy=False)


def cast_dtype(found: np.dtype, dtype: Any, name: str = "dtype") -> np.dtype:
    """The dtype that values of dtype `found` get where a user asks for `dtype`.

    Raises
    ------
    TypeError
        If it is none of numbers.
    """
    if dtype is None:
        return found
    if isinstance(dtype, str) and dtype == "auto":
        return np.dtype(np.int32 if found.kind == "i" else np.float32)
    try:
        kind = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"{name} must be a numpy dtype, 'auto' or None; {dtype!r} was given.") from None
    if kind.kind not in "biufc":
        raise TypeError(f"{name} must be a dtype of numbers, 'auto' or None; {dtype!r} was given.")
    return kind


def fits(values: NDArray, kind: np.dtype) -> bool:
    """Whether an integer dtype holds all values once fractions are cut off."""
    if not values.size or np.can_cast(values.dtype, kind):
        return True
    limits = np.iinfo(kind)
    low, high = values.min(), values.max()
    # Comparisons with NaN are false: it fits nowhere. One beyond the ends: fractions are cut towards 0.
    return bool(low > limits.min - 1 and high < limits.max + 1)
