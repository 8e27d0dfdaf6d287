"""Masker of soft maps: one column for each volume of a 4-D weight image."""

from __future__ import annotations

import os
from typing import Any, Literal

from brainsieve.atlas import Maps, Mask
from brainsieve.checks import naming
from brainsieve.engine.domain import VoxelGrid
from brainsieve.image import load_img
from brainsieve.maskers.declared import MAPS_STRATEGY, choosing, keep_parameters
from brainsieve.maskers.documented import documented
from brainsieve.maskers.fitted import FittedMasker
from brainsieve.maskers.grid import image
from brainsieve.maskers.output import of_maps
from brainsieve.maskers.volumes import VolumeMasker
from brainsieve.typing import (
    ColormapLike,
    FwhmLike,
    MapsStrategy,
    MemoryLike,
    NiimgLike,
    SignalDtype,
    Standardize,
)


@documented(
    strategy=MAPS_STRATEGY,
    resampling_target={
        **choosing("data", "maps", "mask", None),
        "words": '"data" brings the maps to the image (linear); "maps" and "mask" bring the image (cubic splines) to '
        "the maps or, with the maps, to the mask; None refuses images on another grid.",
    },
    memory_level={"default": 0},
    cmap={"default": "CMRmap_r"},
    words={
        "home": "``maps_img_``",
        "natural_dtype": "float32 where images and maps are float32 or unscaled integers of at most 32 bits, else "
        "float64",
    },
)
class NiftiMapsMasker(VolumeMasker):
    """One series for each map of weights, by least squares.

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

    _column = "map"
    _natural_dtype = staticmethod(of_maps)
    _displayed_name = "displayed_maps"
    _inverse_name = "region_signals"

    def __init__(
        self,
        maps_img: NiimgLike | None = None,
        mask_img: NiimgLike | None = None,
        allow_overlap: bool = True,
        smoothing_fwhm: FwhmLike = None,
        standardize: Standardize = False,
        standardize_confounds: bool = True,
        high_variance_confounds: bool = False,
        detrend: bool = False,
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        dtype: SignalDtype = None,
        resampling_target: Literal["data", "maps", "mask"] | None = "data",
        keep_masked_maps: bool = False,
        memory: MemoryLike = None,
        memory_level: int = 0,
        verbose: int = 0,
        reports: bool = True,
        cmap: ColormapLike = "CMRmap_r",
        clean_args: dict[str, Any] | None = None,
        strategy: MapsStrategy = "least_squares",
        min_coverage: float | None = None,
    ) -> None:
        keep_parameters(self, locals())

    # -- fit -------------------------------------------------------------------------------------------

    def _compiled(self, imgs: Any) -> FittedMasker:
        self._refuse_none("maps_img", "maps")
        if self.resampling_target == "mask" and self.mask_img is None:
            raise ValueError("resampling_target='mask' needs mask_img, which is None.")
        mask = self._given_mask()
        atlas = self._atlas(mask)
        grid: Any = atlas.domain
        home = grid
        if self.resampling_target == "mask" and mask is not None:
            home = mask.domain
        elif imgs is not None and self.resampling_target != "maps":
            home = self._grid_of(imgs)
        self._refuse_other_grids("maps_img", grid, home, mask)
        self.maps_img_ = self._image_at(home, atlas)
        target = home if self.resampling_target in ("maps", "mask") else None
        one_grid = "maps_img" if self.resampling_target is None else None
        return self._frozen(self._kind(imgs), atlas, home, target=target, one_grid=one_grid)

    def _atlas(self, mask: Mask | None) -> Maps:
        """The maps, on their own grid."""
        with naming("maps_img"):
            source = self._open(self.maps_img)
        return Maps.of_source(source, mask=mask, keeps_masked=self.keep_masked_maps)

    def _image_at(self, home: VoxelGrid, atlas: Maps) -> Any:
        if home == atlas.domain and atlas.as_given and isinstance(self.maps_img, str | os.PathLike):
            return load_img(self.maps_img)  # it reads its data when they are asked for
        return image(atlas.unmasked_on(home).toarray(), home)  # maps follow one another in no time

    def inverse_transform(self, region_signals: Any) -> Any:
        """Sum the maps, weighted with the signals: signals @ maps."""
        return self._inverse(region_signals)
