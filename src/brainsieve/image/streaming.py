"""Operations on whole runs that go through them block by block: smoothing, means, cleaning, components."""

from __future__ import annotations

from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.extract import Extracted, Request, extract
from brainsieve.engine.source import open_source
from brainsieve.engine.source.base import Source
from brainsieve.engine.source.values import scaled
from brainsieve.engine.spatial.select import Select
from brainsieve.engine.spatial.smooth import checked_fwhm, smooth
from brainsieve.engine.temporal.operator import (
    CleaningSettings,
    TemporalOperator,
    clean_args_to_settings,
    normalize_standardize,
    plan_cleaning,
)
from brainsieve.exceptions import DimensionError
from brainsieve.image.loading import grid_of, header_for
from brainsieve.image.writing import PointWriter, SampleWriter
from brainsieve.logs import log, warn
from brainsieve.tables import read_confounds

# Cleaned series that are held at a time where the result goes into a file.
CLEANED_BYTES = 2**28


def smooth_img(imgs: Any, fwhm: Any, *, output_file: Any = None) -> Any:
    """Smooth images with a Gaussian, volume by volume.

    Parameters
    ----------
    imgs : image-like, or list of 3-D or 4-D images
        A list gives a list.
    fwhm : float, triple of float or None, or "fast"
        Full width at half maximum in mm, for all or for each voxel axis (None or 0: not along this one).
        "fast" adds a fifth of the six neighbours. None does not smooth, but takes what is not finite as 0.
    output_file : path, optional
        Write the result there, volume by volume, and give an image that reads from it.

    Returns
    -------
    img : nibabel image, or list of these
        float32 for float32 and integers of at most 32 bits, else float64.
    """
    if isinstance(imgs, list | tuple):
        if output_file is not None:
            raise ValueError("output_file is for one image; imgs is a list.")
        return [smooth_img(img, fwhm) for img in imgs]
    width = checked_fwhm(fwhm, "fwhm")
    source = open_source(imgs)
    grid = grid_of(source)
    operator = None if width is None else smooth(grid, width)
    wide = source.value_dtype.itemsize > 4
    dtype = np.dtype(np.float64 if wide else np.float32)
    with SampleWriter(source, grid, dtype, output_file) as writer:
        for block in source.blocks():
            values = scaled(block.values, source).astype(dtype)
            values[~np.isfinite(values)] = 0
            writer.put(block.samples, values if operator is None else operator.forward(values))
    return writer.image


def mean_img(
    imgs: Any,
    target_affine: Any = None,
    target_shape: Any = None,
    verbose: int = 0,
    n_jobs: int = 1,
    copy_header: bool = True,
) -> Any:
    """Mean over time, and over images with equal weight for each.

    Parameters
    ----------
    imgs : image-like, or list or generator of 3-D or 4-D images
        Read block by block; sums are in float64.
    target_affine, target_shape : array, tuple, optional
        Grid of the result. Default: that of the first image, to which others are resampled.
    verbose : int, default=0
        1 tells which image is read.
    n_jobs : int, default=1
        Images at a time, through joblib.
    copy_header : bool, default=True
        Keep the header of the first image.

    Returns
    -------
    img : nibabel image
        3-D, float32 for float32 images, else float64.
    """
    from joblib import Parallel, delayed

    from brainsieve.image.resampling import resample_img, target_grid

    one = isinstance(imgs, str) or hasattr(imgs, "__fspath__") or hasattr(imgs, "shape")
    images = iter([imgs] if one else imgs)
    means = Parallel(n_jobs=n_jobs, return_as="generator")(delayed(_time_mean)(img) for img in images)
    total: NDArray | None = None
    n_images, target, header, small = 0, None, None, True
    for mean, grid, own_header, is_small in means:
        log(verbose, 1, f"mean_img: image {n_images} read, {grid.describe()}.")
        if target is None:
            target = grid if target_affine is None else target_grid(grid, target_affine, target_shape)
            header = own_header
        if grid != target:
            moved = resample_img(
                nib.Nifti1Image(grid.unflatten(mean), grid.affine), target.affine, target.shape
            )
            mean = target.flatten(np.asarray(moved.dataobj))
        total = mean if total is None else total + mean
        n_images += 1
        small = small and is_small
    if total is None or target is None:
        raise ValueError("imgs is empty; give at least one image.")
    data = target.unflatten(total / n_images).astype(np.float32 if small else np.float64)
    made = header_for(header, data.dtype) if copy_header else None
    return nib.Nifti1Image(data, target.affine, made, dtype=data.dtype)


def _time_mean(img: Any) -> tuple[NDArray[np.float64], VoxelGrid, Any, bool]:
    """Mean over the samples of an image (n_points,), its grid and header, and whether it holds float32."""
    source = open_source(img)
    total = np.zeros(source.domain.n_points)
    for block in source.blocks():
        for row in block.values:
            total += row
    mean = total / source.n_samples * source.slope + source.inter
    small = source.dtype == np.float32 and not source.is_scaled
    return mean, grid_of(source), source.header, small  # type: ignore[attr-defined]


def clean_img(
    imgs: Any,
    runs: Any = None,
    detrend: bool = True,
    standardize: Any = True,
    confounds: Any = None,
    low_pass: float | None = None,
    high_pass: float | None = None,
    t_r: float | None = None,
    ensure_finite: bool = False,
    mask_img: Any = None,
    *,
    output_file: Any = None,
    **kwargs: Any,
) -> Any:
    """Clean the series of every voxel: `brainsieve.signal.clean` for images.

    Parameters
    ----------
    imgs : image-like
        4-D, or a list of 3-D images.
    runs, detrend, standardize, confounds, low_pass, high_pass, t_r, ensure_finite
        As in `brainsieve.signal.clean`.
    mask_img : image-like, optional
        Clean these voxels only; others are 0.
    output_file : path, optional
        Write the result there and give an image that reads from it. The run may then be larger than memory:
        it is read once for each 256 MB of cleaned series.
    **kwargs : dict
        Other options of `brainsieve.signal.clean`, prefixed ``clean__``: ``clean__sample_mask``,
        ``clean__filter``, ``clean__butterworth__order``, …

    Returns
    -------
    img : nibabel image
        float32 for float32 and integers of at most 32 bits, else float64.

    Raises
    ------
    TypeError
        For an unknown keyword.
    """
    source = open_source(imgs)
    if source.is_single:
        raise DimensionError(3, 4, source.name)
    settings, sample_mask = _clean_settings(
        detrend, standardize, low_pass, high_pass, t_r, ensure_finite, kwargs, source
    )
    plan = plan_cleaning(
        source.n_samples,
        settings,
        confounds=read_confounds(confounds, source.n_samples, source.name),
        sample_mask=sample_mask,
        runs=runs,
        name=source.name,
    )
    grid = grid_of(source)
    points = np.arange(grid.n_points)
    if mask_img is not None:
        from brainsieve.masking import load_mask_img

        mask, affine = load_mask_img(mask_img)
        if VoxelGrid(mask.shape, affine) != grid:  # type: ignore[arg-type]
            raise ValueError("mask_img is on another grid than imgs; resample it first (resample_to_img).")
        points = np.flatnonzero(grid.flatten(mask))
    dtype = np.dtype(np.float64 if source.value_dtype.itemsize > 4 else np.float32)
    if output_file is not None:
        return _cleaned_into_file(source, grid, points, plan, dtype, ensure_finite, output_file)
    found = extract(source, [Request(Select(points, grid.n_points), plan, dtype)])[0]
    _warn_of_nonfinite(source, found, ensure_finite)
    with SampleWriter(_Shortened(source, len(plan.kept)), grid, dtype) as writer:
        for i, row in enumerate(found.values):
            volume = np.zeros((1, grid.n_points), dtype=dtype)
            volume[0, points] = row
            writer.put(slice(i, i + 1), volume)
    return writer.image


def _cleaned_into_file(
    source: Source,
    grid: VoxelGrid,
    points: NDArray[np.intp],
    plan: TemporalOperator,
    dtype: np.dtype,
    ensure_finite: bool,
    output_file: Any,
) -> Any:
    """Clean groups of points that fit into memory, with one pass over the source for each."""
    at_once = max(1, CLEANED_BYTES // (len(plan.kept) * dtype.itemsize))
    header = getattr(source, "header", None)
    with PointWriter(grid, len(plan.kept), dtype, header, output_file) as writer:
        for start in range(0, len(points), at_once):
            group = points[start : start + at_once]
            found = extract(source, [Request(Select(group, grid.n_points), plan, dtype)])[0]
            if start == 0:
                _warn_of_nonfinite(source, found, ensure_finite)
            writer.put(group, found.values)
    return writer.image


def _warn_of_nonfinite(source: Source, found: Extracted, ensure_finite: bool) -> None:
    if found.n_nonfinite is None or ensure_finite:
        return
    warn(
        f"{source.name}: {int((found.n_nonfinite > 0).sum())} voxels are NaN or infinite in some volume; "
        "these values count as 0.",
    )


def _clean_settings(
    detrend: bool,
    standardize: Any,
    low_pass: float | None,
    high_pass: float | None,
    t_r: float | None,
    ensure_finite: bool,
    kwargs: dict[str, Any],
    source: Source,
) -> tuple[CleaningSettings, Any]:
    others: dict[str, Any] = {}
    for key, value in kwargs.items():
        if not key.startswith("clean__"):
            raise TypeError(
                f"clean_img has no parameter {key!r}; options of signal.clean start with 'clean__'."
            )
        others[key.removeprefix("clean__")] = value
    sample_mask = others.pop("sample_mask", None)
    standardize_confounds = bool(others.pop("standardize_confounds", True))
    settings = CleaningSettings(
        detrend=bool(detrend),
        standardize=normalize_standardize(standardize),
        standardize_confounds=standardize_confounds,
        low_pass=low_pass,
        high_pass=high_pass,
        t_r=t_r,
        ensure_finite=bool(ensure_finite),
        header_t_r=source.tr,
        **clean_args_to_settings(others),
    )
    return settings, sample_mask


class _Shortened:
    """What a writer asks of a source, with fewer samples."""

    is_single = False

    def __init__(self, source: Source, n_samples: int) -> None:
        self.n_samples = n_samples
        self.header = getattr(source, "header", None)


def high_variance_confounds(
    imgs: Any, n_confounds: int = 5, percentile: float = 2.0, detrend: bool = True, mask_img: Any = None
) -> NDArray[np.float64]:
    """Components of the most variable voxels of an image, from two passes over it.

    Parameters
    ----------
    imgs : image-like
        4-D, or a list of 3-D images.
    n_confounds : int, default=5
    percentile : float, default=2.0
        The share of voxels, in percent, that are the most variable.
    detrend : bool, default=True
        Remove linear trends first.
    mask_img : image-like, optional
        Voxels that count. Default: all.

    Returns
    -------
    components : array of shape (n_samples, n_confounds)

    Notes
    -----
    After CompCor (Behzadi et al. 2007, NeuroImage 37:90, doi:10.1016/j.neuroimage.2007.04.042).
    """
    from brainsieve.engine.temporal.high_variance import streamed_high_variance

    source = open_source(imgs)
    if source.is_single:
        raise DimensionError(3, 4, source.name)
    points = None
    if mask_img is not None:
        from brainsieve.masking import load_mask_img

        points = grid_of(source).flatten(load_mask_img(mask_img)[0])
    return streamed_high_variance(
        source, np.arange(source.n_samples), n_confounds, percentile, detrend, points
    )
