"""RegionExtractor: a masker of maps that are thresholded and cut into connected regions by `fit`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from brainsieve.atlas import Maps, Mask
from brainsieve.checks import a_bool, a_number, a_positive_number_or_none
from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.spatial.smooth import checked_fwhm
from brainsieve.exceptions import DimensionError
from brainsieve.maskers import NiftiMapsMasker
from brainsieve.maskers.declared import Parameter, choice, keep_parameters
from brainsieve.maskers.documented import documented
from brainsieve.maskers.estimator import fitted
from brainsieve.regions.connected import finite_maps, mask_on, opened_maps, refuse_labels
from brainsieve.regions.pieces import split
from brainsieve.regions.sparse_images import sparse_image
from brainsieve.regions.thresholds import STRATEGIES, check_threshold, thresholded
from brainsieve.typing import (
    ColormapLike,
    FwhmLike,
    MapsStrategy,
    MemoryLike,
    NiimgLike,
    SignalDtype,
    Standardize,
)


@dataclass(frozen=True, eq=False)
class RegionMaps(Maps):
    """Maps that are regions of other maps.

    Attributes
    ----------
    sources : tuple of int
        Position, from 0, of the map that each region is of.
    """

    sources: tuple[int, ...] = ()


@documented(
    maps_img={"words": "4-D image, one map in each volume, or a list of 3-D images."},
    mask_img={"words": "Voxels outside are in no region, and are not counted by `threshold`."},
    smoothing_fwhm={
        # It places the peaks, hence the regions.
        "role": "atlas",
        "default": 6,
        "words": "Full width at half maximum in mm of the smoothing before peaks are looked for "
        '(`extractor="local_regions"`), and of the images that are transformed. None: neither.',
    },
    keep_masked_maps={
        "words": "Regions are cut out of what is inside `mask_img`; each has weight there. True changes nothing."
    },
    words={"home": "``maps_img_``"},
)
class RegionExtractor(NiftiMapsMasker):
    """One series for each connected region of thresholded maps, by least squares.

    Attributes
    ----------
    regions_img_ : Nifti1Image
        4-D, a region in each volume, on the grid of `maps_img`: values of the map in the region, 0 elsewhere. It is
        held as the voxels that are in a region; reading a volume makes that volume dense, reading all of them all.
    index_ : list of int
        Position, from 0, of each region's map.
    maps_img_ : Nifti1Image
        The regions, on the grid of the images or mask if `resampling_target` says so and `fit` knew it.

    Notes
    -----
    Abraham et al. 2014, doi:10.1007/978-3-319-10470-6_39. Regions are sparse columns from the thresholded map to the
    signals.
    """

    _column = "region"
    _declares = (
        Parameter(
            "min_region_size", "atlas", "float", "In mm³; regions are larger.", default=1350, check=a_number
        ),
        Parameter(
            "threshold",
            "atlas",
            "float",
            "What is kept of the maps, by `thresholding_strategy`.",
            default=1.0,
            check=None,
        ),
        choice(
            "thresholding_strategy",
            "atlas",
            STRATEGIES,
            "ratio_n_voxels",
            '"ratio_n_voxels": the largest absolute values of all maps together, `threshold` times as many as a map '
            "has voxels (in the mask, if there is one); from 0 to the number of maps. "
            '"img_value": values that reach `threshold`; a negative one keeps what is as low. "percentile": values '
            "above that percentile of all maps (of absolute values if `two_sided`, else of those that are not "
            "negative).",
        ),
        Parameter(
            "two_sided",
            "atlas",
            "bool",
            "Keep negative values too, by their size.",
            default=False,
            check=a_bool,
        ),
        choice(
            "extractor",
            "atlas",
            ("local_regions", "connected_components"),
            "local_regions",
            '"connected_components": what touches by faces is one region. "local_regions": these are split among the '
            "peaks that they hold, by a random walk; what holds no positive peak is in no region, and a warning says "
            "so.",
        ),
        Parameter(
            "peak_distance_mm",
            "atlas",
            "float",
            "A peak is the largest value within so many mm along each axis. None: within 10 voxels.",
            check=a_positive_number_or_none,
        ),
    )

    def __init__(
        self,
        maps_img: NiimgLike | None = None,
        mask_img: NiimgLike | None = None,
        min_region_size: float = 1350,
        threshold: float = 1.0,
        thresholding_strategy: Literal["ratio_n_voxels", "img_value", "percentile"] = "ratio_n_voxels",
        two_sided: bool = False,
        extractor: Literal["local_regions", "connected_components"] = "local_regions",
        smoothing_fwhm: FwhmLike = 6,
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
        allow_overlap: bool = True,
        clean_args: dict[str, Any] | None = None,
        strategy: MapsStrategy = "least_squares",
        min_coverage: float | None = None,
        peak_distance_mm: float | None = None,
    ) -> None:
        keep_parameters(self, locals())

    # -- fit -------------------------------------------------------------------------------------------

    def _atlas(self, mask: Mask | None) -> RegionMaps:
        check_threshold(self.threshold, self.thresholding_strategy, self.two_sided)
        source, grid = opened_maps(self.maps_img)
        refuse_labels(source)
        if source.is_single:
            raise DimensionError(3, 4, f"maps_img ({source.name})")
        inside = None if self.mask_img is None else mask_on(self.mask_img, grid)
        maps = np.stack(list(finite_maps(source, inside)))
        kept = thresholded(maps, grid, self.threshold, self.thresholding_strategy, self.two_sided, inside)
        pieces = split(
            np.moveaxis(kept, -1, 0),
            grid,
            self.extractor,
            self.min_region_size,
            checked_fwhm(self.smoothing_fwhm),
            self.peak_distance_mm,
        )
        if not pieces.sources:
            raise ValueError(
                f"maps_img ({source.name}) has no region larger than min_region_size={self.min_region_size:g} mm³ at "
                f"threshold={self.threshold!r} ({self.thresholding_strategy}, two_sided={self.two_sided}, "
                f"{self.extractor}); the largest connected piece has {pieces.largest_mm3:g} mm³. Lower one of them."
            )
        none_masked = np.zeros(len(pieces.sources), dtype=bool)
        return RegionMaps(grid, pieces.rows, none_masked, mask, sources=pieces.sources)

    def _image_at(self, home: VoxelGrid, atlas: Maps) -> Any:
        return sparse_image(atlas.unmasked_on(home), home)

    def __getstate__(self) -> dict[str, Any]:
        # Images are pickled as the bytes of their files, hence dense: these are made anew of the sparse regions.
        lazy = ("regions_img_", "maps_img_")
        return {name: value for name, value in super().__getstate__().items() if name not in lazy}

    @fitted
    def maps_img_(self) -> Any:
        """The regions where `fit` placed them."""
        return self._image_at(self._fitted.home, self._fitted.atlas)  # type: ignore[arg-type]

    @fitted
    def regions_img_(self) -> Any:
        """The regions on the grid of the maps."""
        return sparse_image(self._fitted.atlas.weights, self._fitted.atlas.domain)  # type: ignore[attr-defined,arg-type]

    @fitted
    def index_(self) -> list[int]:
        """Position, from 0, of each region's map."""
        return list(self._fitted.atlas.sources)  # type: ignore[attr-defined]
