"""Masker of soft maps: one column for each volume of a 4-D weight image."""

from __future__ import annotations

import os
from typing import Any

from brainsieve.atlas import Maps
from brainsieve.engine.domain import VoxelGrid
from brainsieve.image import load_img
from brainsieve.maskers.fitted import FittedMasker, refuse_other_grid
from brainsieve.maskers.grid import image
from brainsieve.maskers.output import of_maps
from brainsieve.maskers.parameters import a_bool, keep_parameters, naming, one_of
from brainsieve.maskers.volumes import VolumeMasker


class NiftiMapsMasker(VolumeMasker):
    """One series for each map of weights, by least squares.

    Parameters
    ----------
    maps_img : image-like
        4-D image, one map in each volume; a 3-D image is one map.
    mask_img : image-like, optional
        Voxels outside are left out. A map without weight inside is dropped at `fit`, for all runs.
    allow_overlap : bool, default=True
        False: `transform` raises an error if a voxel has a positive weight in more than one map.
    smoothing_fwhm : float, triple of float or "fast", optional
        Full width at half maximum in mm of a Gaussian applied to the images before extraction.
    standardize : {"zscore_sample", "psc", True, False, None}, default=False
        z-score (ddof 1; also True) or percent signal change of each series.
    standardize_confounds : bool, default=True
        z-score confounds before they are regressed out.
    high_variance_confounds : bool, default=False
        Also regress out five components of the most variable voxels of the image.
    detrend : bool, default=False
        Remove a linear trend.
    low_pass, high_pass : float, optional
        Cut-offs in hertz; need `t_r`.
    t_r : float, optional
        Repetition time in seconds. Never taken from the image.
    dtype : dtype, "auto" or None, default=None
        Of the signals. None: float32 where images and maps are float32 or unscaled integers of at most
        32 bits, else float64.
    resampling_target : {"data", "maps", "mask", None}, default="data"
        "data" brings the maps to the image (linear); "maps" and "mask" bring the image (cubic splines) to
        the maps or, with the maps, to the mask; None refuses images on another grid.
    keep_masked_maps : bool, default=False
        Keep a column of zeros for a map without weight in `mask_img`.
    memory : path, joblib.Memory or None, default=None
        Where to cache signals.
    memory_level : int, default=0
        0 caches nothing unless `memory` is given, more caches signals.
    verbose : int, default=0
        1 tells the steps, more tells the images.
    reports : bool, default=True
        Keep what `generate_report` shows.
    cmap : matplotlib colour map or name, default="CMRmap_r"
        For reports.
    clean_args : dict, optional
        More options of `brainsieve.signal.clean`.
    strategy : {"least_squares", "weighted_mean"}, default="least_squares"
        "least_squares": the signals whose sum of maps is nearest to the image. "weighted_mean": the mean of
        the voxels with each map's weights, which are not to sum to 0.
    min_coverage : float, optional
        From 0 to 1. A map of whose weight an image covers less has a column of NaN, and a warning names it.

    Attributes
    ----------
    maps_img_ : Nifti1Image
        4-D maps, on the grid of the images or mask if `resampling_target` says so and `fit` knew it.
    mask_img_ : Nifti1Image or None
    n_elements_ : int
        Number of columns. Decided at `fit`, the same for every run.

    Notes
    -----
    Signals are G⁺ M X with the maps M and G = M Mᵀ: one factorization serves every run. Where maps are
    linearly dependent they are the least-squares signals of minimum norm; a map of zeros has signal 0.
    """

    _checks = {
        "allow_overlap": a_bool,
        "resampling_target": one_of("data", "maps", "mask", None),
        "keep_masked_maps": a_bool,
        "strategy": one_of("least_squares", "weighted_mean"),
    }
    _column = "map"
    _natural_dtype = staticmethod(of_maps)
    _displayed_name = "displayed_maps"
    _inverse_name = "region_signals"

    def __init__(
        self,
        maps_img: Any = None,
        mask_img: Any = None,
        allow_overlap: bool = True,
        smoothing_fwhm: Any = None,
        standardize: Any = False,
        standardize_confounds: bool = True,
        high_variance_confounds: bool = False,
        detrend: bool = False,
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        dtype: Any = None,
        resampling_target: str | None = "data",
        keep_masked_maps: bool = False,
        memory: Any = None,
        memory_level: int = 0,
        verbose: int = 0,
        reports: bool = True,
        cmap: Any = "CMRmap_r",
        clean_args: dict | None = None,
        strategy: str = "least_squares",
        min_coverage: float | None = None,
    ) -> None:
        keep_parameters(self, locals())

    # -- fit -------------------------------------------------------------------------------------------

    def _compiled(self, imgs: Any) -> FittedMasker:
        if self.maps_img is None:
            raise ValueError(f"maps_img is None; {type(self).__name__} needs maps to fit.")
        if self.resampling_target == "mask" and self.mask_img is None:
            raise ValueError("resampling_target='mask' needs mask_img, which is None.")
        with naming("maps_img"):
            source = self._open(self.maps_img)
        mask = self._given_mask()
        atlas = Maps.of_source(source, mask=mask, keeps_masked=self.keep_masked_maps)
        grid: Any = source.domain
        home = grid
        if self.resampling_target == "mask" and mask is not None:
            home = mask.domain
        elif imgs is not None and self.resampling_target != "maps":
            home = self._grid_of(imgs)
        if self.resampling_target is None:
            for name, other in (("imgs", home), ("mask_img", None if mask is None else mask.domain)):
                if other is not None and other != grid:
                    refuse_other_grid(name, other, "maps_img", grid)
        self.maps_img_ = self._image_at(home, atlas)
        target = home if self.resampling_target in ("maps", "mask") else None
        one_grid = "maps_img" if self.resampling_target is None else None
        return self._frozen(self._kind(imgs), atlas, home, target=target, one_grid=one_grid)

    def _image_at(self, home: VoxelGrid, atlas: Maps) -> Any:
        if home == atlas.domain and atlas.as_given and isinstance(self.maps_img, str | os.PathLike):
            return load_img(self.maps_img)  # it reads its data when they are asked for
        return image(atlas.unmasked_on(home).toarray(), home)  # maps follow one another in no time

    def inverse_transform(self, region_signals: Any) -> Any:
        """Sum the maps, weighted with the signals: signals @ maps.

        Parameters
        ----------
        region_signals : array of shape (n_elements_,) or (n_samples, n_elements_), or data frame

        Returns
        -------
        img : Nifti1Image
            3-D for one sample without sample axis, else 4-D, on the grid of ``maps_img_``.

        Raises
        ------
        ValueError
            If the width is not that of the masker.
        """
        return self._inverse(region_signals)
