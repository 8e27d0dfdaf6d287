"""Operations on whole runs that go through them block by block: smoothing, means, cleaning, components."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import nibabel as nib
import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray

from brainsieve.checks import a_bool, a_count, a_number_within
from brainsieve.engine.domain import Domain, VoxelGrid
from brainsieve.engine.extract import Extracted, Request, extract
from brainsieve.engine.high_variance import streamed_high_variance
from brainsieve.engine.source import streamed
from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.select import Select
from brainsieve.engine.temporal.operator import (
    CleaningSettings,
    TemporalOperator,
    clean_args_to_settings,
    normalize_standardize,
    plan_cleaning,
)
from brainsieve.exceptions import NoImageError, ParameterError
from brainsieve.image.forms import ImageForm, VolumeForm, is_one_image, opened
from brainsieve.image.masks import plural, read_mask
from brainsieve.image.resampling import resample_img, target_grid
from brainsieve.image.series import opened_series
from brainsieve.image.writing import PointWriter, each_sample
from brainsieve.logs import log, warn
from brainsieve.tables import read_confounds
from brainsieve.typing import ImageLike, ImagesLike, PathLike

# Cleaned series that are held at a time where the result goes into a file.
CLEANED_BYTES = 2**28


def smooth_img(
    imgs: ImagesLike,
    fwhm: float | Sequence[float | None] | Literal["fast"] | None,
    *,
    output_file: PathLike | None = None,
) -> Any:
    """Smooth images with a Gaussian, volume by volume, or along the mesh of a surface.

    Parameters
    ----------
    imgs : image-like or SurfaceImage, or sequence of these
        A sequence gives a list.
    fwhm : float, triple of float or None, or "fast"
        Full width at half maximum in mm, for all or for each voxel axis (None or 0: not along this one).
        "fast" adds a fifth of the six neighbours. None does not smooth, but takes what is not finite as 0. One number
        for surfaces, whose values are averaged with their neighbours' so often that it makes this width.
    output_file : path, optional
        Write the result there, volume by volume, and give an image that reads from it. For one image.

    Returns
    -------
    img : image of the same kind, or list of these
        float32 for float32 and integers of at most 32 bits, else float64.
    """
    if not is_one_image(imgs):
        if output_file is not None:
            raise ValueError("output_file is for one image; imgs is a sequence.")
        return [_smoothed(img, fwhm) for img in imgs]  # type: ignore[union-attr]
    return _smoothed(imgs, fwhm, output_file)


def _smoothed(img: Any, fwhm: Any, output_file: PathLike | None = None) -> Any:
    source, form = opened(img)
    steps, dtype = form.smoothing(fwhm), _working_dtype(source)

    def smoothed(values: NDArray) -> NDArray:
        values = values.astype(dtype, copy=False)
        for step in steps:
            values = step.forward(values)
        return values

    return each_sample(source, smoothed, form, dtype, output_file, whole_samples=True, nonfinite=0)


def _working_dtype(source: Source) -> np.dtype:
    """What values are computed in: float64 where they have more digits than float32."""
    return np.dtype(np.float64 if source.value_dtype.itemsize > 4 else np.float32)


def mean_img(
    imgs: ImagesLike,
    target_affine: ArrayLike | None = None,
    target_shape: Sequence[int] | None = None,
    verbose: int = 0,
    n_jobs: int = 1,
    copy_header: bool = True,
) -> Any:
    """Mean over time, and over images with equal weight for each.

    Parameters
    ----------
    imgs : image-like or SurfaceImage, or sequence or generator of these
        Read block by block; sums are in float64. A sequence in a sequence counts as one image.
    target_affine, target_shape : array, tuple, optional
        Grid of the result, for volumes. Default: that of the first image, to which others are resampled.
    verbose : int, default=0
        1 tells which image is read.
    n_jobs : int, default=1
        Images at a time, through joblib.
    copy_header : bool, default=True
        Keep the header of the first image.

    Returns
    -------
    img : image of the same kind, of one sample
        float32 for float32 images, else float64.
    """
    images: Iterable[Any] = [imgs] if is_one_image(imgs) else imgs  # type: ignore[assignment]
    means = Parallel(n_jobs=n_jobs, return_as="generator")(delayed(_time_mean)(img) for img in images)
    form: ImageForm | None = None
    total, n_images, small = np.zeros(0), 0, True
    for mean, own, is_small in means:
        log(verbose, 1, f"mean_img: image {n_images} read, {own.domain.describe()}.")
        if form is None:
            form = _target_form(own, target_affine, target_shape)
            total = np.zeros(form.domain.n_points)
        total += _moved(mean, own, form.domain)
        n_images += 1
        small = small and is_small
    if form is None:
        raise NoImageError("imgs is empty; give at least one image.")
    return form.image((total / n_images).astype(np.float32 if small else np.float64), copy_header)


def _target_form(form: ImageForm, target_affine: Any, target_shape: Any) -> ImageForm:
    """The form of an image on the grid that is asked for; surfaces have none."""
    if not isinstance(form, VolumeForm):
        return form
    if target_affine is None:
        if target_shape is not None:
            raise ParameterError("target_shape needs a target_affine of shape (4, 4).")
        return form
    return VolumeForm(target_grid(form.domain, target_affine, target_shape), form.header)


def _moved(mean: NDArray, form: ImageForm, domain: Domain) -> NDArray:
    """Values of one sample on another domain."""
    if form.domain == domain:
        return mean
    if not isinstance(form, VolumeForm) or not isinstance(domain, VoxelGrid):
        raise ValueError(f"Images must be of one domain: {form.domain.describe()}, {domain.describe()}.")
    # The volume has a header of ours: what there is to say of the image's own was said when it was made.
    volume = nib.Nifti1Image(form.domain.unflatten(mean), form.domain.affine)
    return domain.flatten(np.asarray(resample_img(volume, domain.affine, domain.shape).dataobj))


def _time_mean(img: Any) -> tuple[NDArray[np.float64], ImageForm, bool]:
    """Mean over the samples of an image (n_points,), its form, and whether it holds float32."""
    source, form = opened(img)
    total = np.zeros(source.domain.n_points)
    with streamed(source) as blocks:
        for block in blocks:
            for row in block.values:
                total[block.points] += row
    return total / source.n_samples, form, source.value_dtype == np.float32


def clean_img(
    imgs: ImagesLike,
    runs: ArrayLike | None = None,
    detrend: bool = True,
    standardize: Literal["zscore_sample", "psc"] | bool | None = True,
    confounds: Any = None,
    low_pass: float | None = None,
    high_pass: float | None = None,
    t_r: float | None = None,
    ensure_finite: bool = False,
    mask_img: ImageLike | None = None,
    *,
    output_file: PathLike | None = None,
    **kwargs: Any,
) -> Any:
    """Clean the series of every voxel: `brainsieve.signal.clean` for images.

    Parameters
    ----------
    imgs : image-like
        4-D, or a list of 3-D images.
    runs : array of shape (n_samples,), default=None
        Run of each sample; each run is cleaned alone, rows stay where they are.
    detrend : bool, default=True
        Remove a linear trend.
    standardize : {"zscore_sample", "psc", True, False, None}, default=True
        z-score (ddof 1; also True), percent signal change, or neither.
    confounds : array of shape (n_samples,) or (n_samples, n_confounds), data frame, path, or list, default=None
        What to regress out, after the same detrending and filtering. A list is stacked side by side.
    low_pass, high_pass : float, default=None
        Cut-offs in hertz.
    t_r : float, default=None
        Seconds between samples.
    ensure_finite : bool, default=False
        Take NaN and infinities in `signals` as 0.
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
    source, form = opened_series(imgs)
    others = _without_prefix(kwargs)
    sample_mask = others.pop("sample_mask", None)
    settings = CleaningSettings(
        detrend=detrend,
        standardize=normalize_standardize(standardize),
        standardize_confounds=others.pop("standardize_confounds", True),
        low_pass=low_pass,
        high_pass=high_pass,
        t_r=t_r,
        ensure_finite=ensure_finite,
        header_t_r=source.tr,
        **clean_args_to_settings(others),
    )
    plan = plan_cleaning(
        source.n_samples,
        settings,
        confounds=read_confounds(confounds, source.n_samples, source.name, sample_mask, runs),
        sample_mask=sample_mask,
        runs=runs,
        name=source.name,
    )
    points = _points_of(mask_img, form)
    dtype = _working_dtype(source)
    if output_file is not None:
        return _cleaned_into_file(source, form, points, plan, dtype, ensure_finite, output_file)
    found = extract(source, [Request(Select(points, form.domain.n_points), plan, dtype)])[0]
    _warn_of_nonfinite(source, found, ensure_finite, form.point)
    if len(points) == form.domain.n_points:
        return form.image(found.values)
    values = np.zeros((len(plan.kept), form.domain.n_points), dtype=dtype)
    # A row at a time: rows lie together.
    for row, cleaned in zip(values, found.values, strict=True):
        row[points] = cleaned
    return form.image(values)


def _points_of(mask_img: Any, form: ImageForm) -> NDArray[np.intp]:
    """Points inside a mask that is on the domain of an image, ascending; all without a mask."""
    if mask_img is None:
        return np.arange(form.domain.n_points)
    mask, own = read_mask(mask_img)
    if own.domain != form.domain:
        raise ValueError(
            f"mask_img ({own.domain.describe()}) is on another grid than imgs ({form.domain.describe()}); "
            "resample it first (resample_to_img)."
        )
    return np.flatnonzero(mask)


def _cleaned_into_file(
    source: Source,
    form: ImageForm,
    points: NDArray[np.intp],
    plan: TemporalOperator,
    dtype: np.dtype,
    ensure_finite: bool,
    output_file: PathLike,
) -> Any:
    """Clean groups of points that fit into memory, with one pass over the source for each."""
    at_once = max(1, CLEANED_BYTES // (len(plan.kept) * dtype.itemsize))
    with PointWriter(form, len(plan.kept), dtype, output_file) as writer:
        for start in range(0, len(points), at_once):
            group = points[start : start + at_once]
            found = extract(source, [Request(Select(group, form.domain.n_points), plan, dtype)])[0]
            if start == 0:
                _warn_of_nonfinite(source, found, ensure_finite, form.point)
            writer.put(group, found.values)
    return writer.image


def _warn_of_nonfinite(source: Source, found: Extracted, ensure_finite: bool, point: str) -> None:
    if found.n_nonfinite is None or ensure_finite:
        return
    warn(
        f"{source.name}: {int((found.n_nonfinite > 0).sum())} {plural(point)} are NaN or infinite in some sample; "
        "these values count as 0.",
    )


def _without_prefix(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Options of `signal.clean` by their own names."""
    for key in kwargs:
        if not key.startswith("clean__"):
            raise TypeError(
                f"clean_img has no parameter {key!r}; options of signal.clean start with 'clean__'."
            )
    return {key.removeprefix("clean__"): value for key, value in kwargs.items()}


def high_variance_confounds(
    imgs: ImagesLike,
    n_confounds: int = 5,
    percentile: float = 2.0,
    detrend: bool = True,
    mask_img: ImageLike | None = None,
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
    a_count("n_confounds", n_confounds)
    a_number_within("percentile", percentile, 0, 100)
    a_bool("detrend", detrend)
    source, form = opened_series(imgs)
    inside = None
    if mask_img is not None:
        inside = np.zeros(form.domain.n_points, dtype=bool)
        inside[_points_of(mask_img, form)] = True
    return streamed_high_variance(
        source, np.arange(source.n_samples), n_confounds, percentile, detrend, inside
    )
