"""Masker of parcellations: one column for each region of a label image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

from numpy.typing import NDArray

from brainsieve.atlas import Labels, moved
from brainsieve.atlas.labels import checked_ids
from brainsieve.engine.domain import VoxelGrid
from brainsieve.image import load_img
from brainsieve.maskers.declared import keep_parameters
from brainsieve.maskers.documented import documented
from brainsieve.maskers.estimator import FrozenMasker, fitted
from brainsieve.maskers.fitted import FittedMasker
from brainsieve.maskers.grid import read_volume
from brainsieve.maskers.output import of_regions
from brainsieve.maskers.volumes import VolumeMasker
from brainsieve.typing import (
    ColormapLike,
    FwhmLike,
    MemoryLike,
    NiimgLike,
    Nonfinite,
    SignalDtype,
    Standardize,
    Strategy,
    TableLike,
)


class LabelAttributes(FrozenMasker):
    """Fitted attributes of the maskers of labels, of every kind of image.

    Attributes
    ----------
    lut_ : pandas.DataFrame
        ``index`` and ``name`` of the regions and of the background if it is in the image.
    labels_ : list
        Ids, the background first.
    region_names_ : dict of int to str
        Name of each column.
    region_ids_ : dict
        Id of each column; under "background" that of the background, if it is in the image.
    n_elements_ : int
        Number of columns. Decided at `fit`, the same for every run: a region without {points} in an image has a
        column of NaN there, and a warning names it.
    """

    def _labels(self) -> Labels:
        atlas = self._fitted.atlas
        assert isinstance(atlas, Labels)
        return atlas

    @fitted
    def lut_(self) -> Any:
        """Table of the regions and of the background, if it is in the image."""
        return self._labels().table

    @fitted
    def labels_(self) -> list:
        """Ids, the background first if it is in the image."""
        return list(self._background().values()) + self._labels().ids.tolist()

    @fitted
    def region_names_(self) -> dict[int, str]:
        """Name of each column."""
        return dict(enumerate(self._labels().names))

    @fitted
    def region_ids_(self) -> dict[Any, Any]:
        """Id of each column; under "background", first, that of the background, if it is in the image."""
        return {**self._background(), **dict(enumerate(self._labels().ids.tolist()))}

    def _background(self) -> dict[str, Any]:
        atlas = self._labels()
        return {"background": atlas.ids.dtype.type(atlas.background).item()} if atlas.has_background else {}

    @fitted
    def region_atlas_(self) -> Any:
        """Image of the regions used, after mask and resampling at `fit`, as integers."""
        frozen, atlas = self._fitted, self._labels()
        ids = frozen.at_home().ids(atlas.ids, atlas.background)
        return frozen.kind.image(ids, frozen.home)


@documented(words={"home": "``labels_img_``"})
class NiftiLabelsMasker(LabelAttributes, VolumeMasker):
    """One series for each region of a 3-D label image.

    Attributes
    ----------
    labels_img_ : Nifti1Image
        The atlas; on the grid of the images if `fit` was given some and `resampling_target` is "data".
    mask_img_ : Nifti1Image or None
    region_atlas_ : Nifti1Image
        Image of the ids of the regions used, after mask and resampling at `fit`.

    Notes
    -----
    Where nothing else is asked, signals are A X: the sparse matrix A has 1 / n in the n voxels of a region.
    Smoothing, and resampling to the atlas, fold into A.
    """

    _natural_dtype = staticmethod(of_regions)

    def __init__(
        self,
        labels_img: NiimgLike | None = None,
        labels: Sequence[str] | None = None,
        lut: TableLike | None = None,
        background_label: float = 0,
        mask_img: NiimgLike | None = None,
        smoothing_fwhm: FwhmLike = None,
        standardize: Standardize = False,
        standardize_confounds: bool = True,
        high_variance_confounds: bool = False,
        detrend: bool = False,
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        dtype: SignalDtype = None,
        resampling_target: Literal["data", "labels"] | None = "data",
        memory: MemoryLike = None,
        memory_level: int = 1,
        verbose: int = 0,
        strategy: Strategy = "mean",
        keep_masked_labels: bool = False,
        reports: bool = True,
        cmap: ColormapLike = None,
        clean_args: dict[str, Any] | None = None,
        nonfinite: Nonfinite = "zero",
        min_coverage: float | None = None,
    ) -> None:
        keep_parameters(self, locals())

    # -- fit -------------------------------------------------------------------------------------------

    def _compiled(self, imgs: Any) -> FittedMasker:
        self._refuse_none("labels_img", "a label image")
        values, grid = read_volume(self.labels_img, "labels_img")
        values = checked_ids(values, self.background_label)
        mask = self._given_mask()
        brings_images = self.resampling_target == "labels"
        images = grid if imgs is None or brings_images else self._grid_of(imgs)
        self._refuse_other_grids("labels_img", grid, images, mask)
        atlas = Labels.of_values(
            values,
            grid,
            background=self.background_label,
            labels=self.labels,
            lut=self.lut,
            mask=mask,
            keeps_masked=self.keep_masked_labels,
        )
        home = images if self.resampling_target == "data" else grid
        self.labels_img_ = self._image_at(home, values, grid)
        one_grid = "labels_img" if self.resampling_target is None else None
        return self._frozen(
            self._kind(imgs), atlas, home, target=grid if brings_images else None, one_grid=one_grid
        )

    def _image_at(self, home: VoxelGrid, values: NDArray, grid: VoxelGrid) -> Any:
        if home == grid and isinstance(self.labels_img, str | os.PathLike):
            # An image that reads its data when they are asked for: fine atlases have 9 million voxels.
            return load_img(self.labels_img)
        return self._kind().image(moved(values, grid, home, outside=self.background_label), home)

    def inverse_transform(self, signals: Any) -> Any:
        """Give each voxel of a region the region's signal."""
        return self._inverse(signals)
