"""Masker of voxels: one column for each voxel of a mask."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.atlas import Points, moved
from brainsieve.engine.domain import VoxelGrid
from brainsieve.image import resample_img
from brainsieve.logs import warn
from brainsieve.maskers.fitted import FittedMasker
from brainsieve.maskers.grid import image, read_mask
from brainsieve.maskers.output import of_voxels
from brainsieve.maskers.parameters import a_dict_or_none, keep_parameters, one_of
from brainsieve.maskers.volumes import VolumeMasker, first_image

MASK_STRATEGIES = ("background", "epi", "whole-brain-template", "gm-template", "wm-template")


class NiftiMasker(VolumeMasker):
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
    _natural_dtype = staticmethod(of_voxels)
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

    def _compiled(self, imgs: Any) -> FittedMasker:
        self._check_target()
        if self.mask_img is None:
            mask, grid = self._computed_mask(imgs)
        else:
            if imgs is not None and not hasattr(self, "_in_fit_transform"):
                warn(
                    "fit was given images beside mask_img; no mask is computed from them, mask_img is used.",
                    RuntimeWarning,
                )
            mask, grid = read_mask(self.mask_img)
        target = self._target_grid(mask, grid)
        if target is not None and target != grid:
            mask, grid = moved(mask, grid, target, outside=False), target
        if not mask.any():
            raise ValueError(
                f"No voxel of the mask is left on the target grid, {grid.describe()}: "
                "target_affine and target_shape do not cover it."
            )
        self.affine_ = grid.affine if self.target_affine is None else self.target_affine
        return self._frozen(self._kind(imgs), Points(grid, mask), home=grid, target=grid)

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
        resampled = resample_img(
            image(mask, grid),
            target_affine=self.target_affine,
            target_shape=self.target_shape,
            interpolation="nearest",
        )
        return VoxelGrid(resampled.shape[:3], resampled.affine)

    def _computed_mask(self, imgs: Any) -> tuple[NDArray[np.bool_], VoxelGrid]:
        if imgs is None:
            raise ValueError(
                "Neither mask_img nor images to compute a mask from were given: "
                "construct the masker with mask_img, or call fit(imgs)."
            )
        if not isinstance(imgs, Iterator):
            self._open(first_image(imgs))  # surfaces have masks too, which are none of volumes
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
            warn(
                f"mask_args has keys that {compute.__name__} does not know; they are not used: "
                f"{', '.join(unknown)}. It knows {', '.join(list(known)[1:])}."
            )
        return {key: value for key, value in given.items() if key in known}

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
