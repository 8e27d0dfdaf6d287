"""Masker of voxels: one column for each voxel of a mask."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.domain import Domain, VoxelGrid
from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.spatial.plan import fold
from brainsieve.engine.spatial.resample import resample
from brainsieve.engine.spatial.select import Select
from brainsieve.engine.spatial.smooth import checked_fwhm, smooth
from brainsieve.maskers.base import BaseMasker
from brainsieve.maskers.grid import c_order_points, image, read_mask, to_grid
from brainsieve.maskers.parameters import a_dict_or_none, keep_parameters, one_of
from brainsieve.maskers.recipe import Recipe

MASK_STRATEGIES = ("background", "epi", "whole-brain-template", "gm-template", "wm-template")


class NiftiMasker(BaseMasker):
    """One series for each voxel of a mask.

    Parameters
    ----------
    mask_img : image-like, optional
        Voxels that are finite and not 0. Default: computed by `fit` from the images, by `mask_strategy`.
    runs : array of shape (n_samples,), optional
        Run of each sample; each run is cleaned alone.
    smoothing_fwhm : float, triple of float or "fast", optional
        Full width at half maximum in mm of a Gaussian applied to the whole image before the mask.
    standardize : {"zscore_sample", "psc", True, False, None}, default=False
        z-score (ddof 1; also True) or percent signal change of each series.
    standardize_confounds : bool, default=True
        z-score confounds before they are regressed out.
    detrend : bool, default=False
        Remove a linear trend.
    high_variance_confounds : bool, default=False
        Also regress out five components of the most variable voxels of the image.
    low_pass, high_pass : float, optional
        Cut-offs in hertz; need `t_r`.
    t_r : float, optional
        Repetition time in seconds. Never taken from the image.
    target_affine : array of shape (3, 3) or (4, 4), optional
        Grid of the mask, hence of the images, in mm.
    target_shape : tuple of 3 int, optional
        Its shape; needs a `target_affine` of shape (4, 4).
    mask_strategy : {"background", "epi", "whole-brain-template", "gm-template", "wm-template"}, \
default="background"
        How the mask is computed where none is given: see `brainsieve.masking`.
    mask_args : dict, optional
        Keywords for that function. Keys it does not know are dropped with a warning.
    dtype : dtype, "auto" or None, default=None
        Of the signals. None: float32 for float32 and unscaled integer images, float64 for others.
    memory : path, joblib.Memory or None, default=None
        Where to cache signals.
    memory_level : int, default=1
        0 caches nothing, more caches signals.
    verbose : int, default=0
        1 tells the steps, more tells the images.
    reports : bool, default=True
        Keep what `generate_report` shows.
    cmap : matplotlib colour map or name, default="gray"
        For reports.
    clean_args : dict, optional
        More options of `brainsieve.signal.clean`: ``filter``, ``ensure_finite``, ``extrapolate``,
        ``butterworth__*``.

    Attributes
    ----------
    mask_img_ : Nifti1Image
        uint8, on the target grid.
    affine_ : array
        `target_affine` as given, else the affine of the mask.
    n_elements_ : int
        Number of voxels in the mask. Columns are in C order: the last voxel axis runs fastest.
    """

    _checks = {
        "mask_strategy": one_of(*MASK_STRATEGIES),
        "mask_args": a_dict_or_none,
    }
    _column = "voxel"
    _voxelwise = True
    _inverse_name = "X"

    def __init__(
        self,
        mask_img: Any = None,
        runs: Any = None,
        smoothing_fwhm: Any = None,
        standardize: Any = False,
        standardize_confounds: bool = True,
        detrend: bool = False,
        high_variance_confounds: bool = False,
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        target_affine: Any = None,
        target_shape: Any = None,
        mask_strategy: str = "background",
        mask_args: dict | None = None,
        dtype: Any = None,
        memory: Any = None,
        memory_level: int = 1,
        verbose: int = 0,
        reports: bool = True,
        cmap: Any = "gray",
        clean_args: dict | None = None,
    ) -> None:
        keep_parameters(self, locals())

    # -- fit -------------------------------------------------------------------------------------------

    def _fit(self, imgs: Any) -> None:
        self._check_target()
        if self.mask_img is None:
            mask, grid = self._computed_mask(imgs)
        else:
            if imgs is not None and not self._in_fit_transform:
                self._warn(
                    "fit was given images beside mask_img; no mask is computed from them, mask_img is used.",
                    RuntimeWarning,
                )
            mask, grid = read_mask(self.mask_img)
        target = self._target_grid(mask, grid)
        if target is not None and target != grid:
            mask, grid = to_grid(mask, grid, target, outside=False), target
        if not mask.any():
            raise ValueError(
                f"No voxel of the mask is left on the target grid, {grid.describe()}: "
                "target_affine and target_shape do not cover it."
            )
        self._mask, self._grid = mask, grid
        self.mask_img_ = image(mask, grid)
        self.affine_ = grid.affine if self.target_affine is None else self.target_affine
        self.n_elements_ = int(mask.sum())

    def _check_target(self) -> None:
        if self.target_shape is None:
            return
        if self.target_affine is None or np.shape(self.target_affine) != (4, 4):
            raise ValueError(
                "target_shape needs a target_affine of shape (4, 4), which says where the grid starts; "
                f"target_affine is {self.target_affine!r}."
            )

    def _target_grid(self, mask: NDArray[np.bool_], grid: VoxelGrid) -> VoxelGrid | None:
        if self.target_affine is None:
            return None
        from brainsieve.image import resample_img

        moved = resample_img(
            image(mask, grid),
            target_affine=self.target_affine,
            target_shape=self.target_shape,
            interpolation="nearest",
        )
        return VoxelGrid(moved.shape[:3], moved.affine)

    def _computed_mask(self, imgs: Any) -> tuple[NDArray[np.bool_], VoxelGrid]:
        if imgs is None:
            raise ValueError(
                "Neither mask_img nor images to compute a mask from were given: "
                "construct the masker with mask_img, or call fit(imgs)."
            )
        compute, fixed = self._mask_function()
        found = compute(imgs, **fixed, **self._known_mask_args(compute))
        mask, grid = read_mask(found, f"the mask computed by mask_strategy={self.mask_strategy!r}")
        return mask, grid

    def _mask_function(self) -> tuple[Callable[..., Any], dict[str, Any]]:
        from brainsieve import masking

        if self.mask_strategy == "background":
            return masking.compute_background_mask, {}
        if self.mask_strategy == "epi":
            return masking.compute_epi_mask, {}
        kind = self.mask_strategy.removesuffix("-template")
        return masking.compute_brain_mask, {"mask_type": kind}

    def _known_mask_args(self, compute: Callable[..., Any]) -> dict[str, Any]:
        known = inspect.signature(compute).parameters
        given = self.mask_args or {}
        unknown = sorted(set(given) - set(known))
        if unknown:
            self._warn(
                f"mask_args has keys that {compute.__name__} does not know; they are not used: "
                f"{', '.join(unknown)}. It knows {', '.join(list(known)[1:])}."
            )
        return {key: value for key, value in given.items() if key in known}

    def _fitted_content(self) -> Any:
        return (self._grid.fingerprint, self._mask)

    # -- transform -------------------------------------------------------------------------------------

    def _compile(self, domain: Domain) -> Recipe:
        assert isinstance(domain, VoxelGrid)
        select = Select(c_order_points(self._mask, self._grid), self._grid.n_points)
        chain: list[SpatialOperator] = []
        if domain != self._grid:
            chain.append(resample(domain, self._grid, "continuous"))
        fwhm = checked_fwhm(self.smoothing_fwhm)
        if fwhm is not None:
            chain.append(smooth(self._grid, fwhm))
        resampled = domain != self._grid
        note = f"this image ({domain.describe()}) is resampled to the grid of the mask ({self._grid.describe()})."
        return Recipe(
            space=fold([*chain, select]) if chain else select,
            voxelwise=True,
            clip=resampled,
            notes=(note,) if resampled else (),
        )

    def _coverage_counts(
        self, domain: Domain, has_data: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        assert isinstance(domain, VoxelGrid)
        there = to_grid(has_data, domain, self._grid, outside=False)
        return np.array([self.n_elements_], float), np.array([(self._mask & there).sum()], float)

    def _report_parts(self, displayed: Any) -> Any:
        from brainsieve.reporting import Layer

        volume_mm3 = abs(np.linalg.det(self._grid.affine[:3, :3])) * self.n_elements_
        facts = {
            "voxels in the mask": f"{self.n_elements_:,}",
            "of the grid": f"{self.n_elements_ / self._grid.n_points:.1%}",
            "volume": f"{volume_mm3 / 1000:,.1f} cm³",
        }
        mask = self._grid.unflatten(self._mask.astype(np.uint8))
        return self._grid, [Layer("mask", mask, "mask")], facts, None

    def _natural_dtype(self, source: Source) -> np.dtype:
        if source.dtype.kind == "f":
            wide = source.dtype.itemsize > 4
        else:
            wide = source.is_scaled
        return np.dtype(np.float64 if wide else np.float32)

    def _image_of(self, signals: NDArray) -> Any:
        values = np.zeros((*signals.shape[:-1], self._grid.n_points), dtype=self._inverse_dtype(signals))
        values[..., c_order_points(self._mask, self._grid)] = signals
        return image(values, self._grid)

    def inverse_transform(self, X: Any) -> Any:
        """Put signals back into the voxels of the mask.

        Parameters
        ----------
        X : array of shape (n_elements_,) or (n_samples, n_elements_), or data frame

        Returns
        -------
        img : Nifti1Image
            3-D for one sample without sample axis, else 4-D, on the grid of ``mask_img_``; 0 elsewhere.

        Raises
        ------
        ValueError
            If the width is not that of the masker.
        """
        return self._inverse(X)

    def fit_transform(
        self,
        imgs: Any,
        y: Any = None,
        confounds: Any = None,
        sample_mask: Any = None,
        **fit_params: Any,
    ) -> Any:
        """Fit to an image and transform it: ``fit(imgs).transform(imgs, confounds, sample_mask)``.

        Parameters
        ----------
        imgs, confounds, sample_mask
            As in `transform`.
        y : None
            Ignored; there for scikit-learn.
        **fit_params : dict
            None is known; given for scikit-learn's pipelines. Anything here raises `TypeError`.

        Returns
        -------
        signals : array or data frame
        """
        if fit_params:
            raise TypeError(f"fit_transform got unknown keywords: {', '.join(sorted(fit_params))}.")
        return super().fit_transform(imgs, y, confounds=confounds, sample_mask=sample_mask)
