"""Masker of voxels: one column for each voxel of a mask."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainsieve.atlas import Points, moved
from brainsieve.engine.domain import VoxelGrid
from brainsieve.image import resample_img
from brainsieve.logs import warn
from brainsieve.maskers.declared import keep_parameters
from brainsieve.maskers.documented import documented
from brainsieve.maskers.fitted import FittedMasker
from brainsieve.maskers.grid import image, read_mask
from brainsieve.maskers.output import of_voxels
from brainsieve.maskers.volumes import VolumeMasker, first_image
from brainsieve.typing import (
    ColormapLike,
    FwhmLike,
    MaskStrategy,
    MemoryLike,
    NiimgLike,
    SignalDtype,
    Standardize,
)


@documented(
    mask_img={
        "words": "Voxels that are finite and not 0. None: computed by `fit` from the images, by `mask_strategy`."
    },
    cmap={"default": "gray"},
    words={"natural_dtype": "float32 for float32 and unscaled integer images, float64 for others"},
)
class NiftiMasker(VolumeMasker):
    """One series for each voxel of a mask.

    Attributes
    ----------
    mask_img_ : Nifti1Image
        uint8, on the target grid.
    affine_ : array
        `target_affine` as given, else the affine of the mask.
    n_elements_ : int
        Number of voxels in the mask. Columns are in C order: the last voxel axis runs fastest.
    """

    _column = "voxel"
    _natural_dtype = staticmethod(of_voxels)
    _inverse_name = "X"

    def __init__(
        self,
        mask_img: NiimgLike | None = None,
        runs: ArrayLike | None = None,
        smoothing_fwhm: FwhmLike = None,
        standardize: Standardize = False,
        standardize_confounds: bool = True,
        detrend: bool = False,
        high_variance_confounds: bool = False,
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        target_affine: ArrayLike | None = None,
        target_shape: Sequence[int] | None = None,
        mask_strategy: MaskStrategy = "background",
        mask_args: dict[str, Any] | None = None,
        dtype: SignalDtype = None,
        memory: MemoryLike = None,
        memory_level: int = 1,
        verbose: int = 0,
        reports: bool = True,
        cmap: ColormapLike = "gray",
        clean_args: dict[str, Any] | None = None,
    ) -> None:
        keep_parameters(self, locals())

    # -- fit -------------------------------------------------------------------------------------------

    def _compiled(self, imgs: Any) -> FittedMasker:
        self._check_target()
        if self.mask_img is None:
            mask, grid = self._computed_mask(imgs)
        else:
            self._warn_of_images_beside_mask(imgs)
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
        self._refuse_no_images(imgs)
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
        """Put signals back into the voxels of the mask."""
        return self._inverse(X)
