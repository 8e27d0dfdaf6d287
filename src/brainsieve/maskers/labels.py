"""Masker of parcellations: one column for each region of a label image."""

from __future__ import annotations

import os
from typing import Any

from numpy.typing import NDArray

from brainsieve.atlas import Labels, moved
from brainsieve.atlas.labels import STRATEGIES, checked_ids
from brainsieve.engine.domain import VoxelGrid
from brainsieve.image import load_img
from brainsieve.maskers.estimator import FrozenMasker, fitted
from brainsieve.maskers.fitted import FittedMasker, refuse_other_grid
from brainsieve.maskers.grid import read_volume
from brainsieve.maskers.output import of_regions
from brainsieve.maskers.parameters import a_bool, keep_parameters, one_of
from brainsieve.maskers.volumes import VolumeMasker


class LabelAttributes(FrozenMasker):
    """Fitted attributes of the maskers of labels, of every kind of image."""

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


class NiftiLabelsMasker(LabelAttributes, VolumeMasker):
    """One series for each region of a 3-D label image.

    Parameters
    ----------
    labels_img : image-like
        3-D image (or 4-D of one volume) whose values are ids of regions.
    labels : list of str, optional
        Names of the regions in ascending order of the ids that are in the image; the name of the background
        may come first. Exclusive with `lut`.
    lut : pandas.DataFrame or path, optional
        Table (TSV or CSV) with columns ``index`` and ``name``. Exclusive with `labels`.
    background_label : number, default=0
        The value that is no region.
    mask_img : image-like, optional
        Voxels outside are left out. A region wholly outside is dropped at `fit`, for all runs.
    smoothing_fwhm : float, triple of float or "fast", optional
        Full width at half maximum in mm of a Gaussian applied to the images before regions are averaged.
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
        Of the signals. None: float32 for float32 images, float64 for others.
    resampling_target : {"data", "labels", None}, default="data"
        "data" brings the atlas to the image (nearest voxel); "labels" brings the image to the atlas (cubic
        splines, folded into the regions' weights); None refuses images on another grid.
    memory : path, joblib.Memory or None, default=None
        Where to cache signals.
    memory_level : int, default=1
        0 caches nothing, more caches signals.
    verbose : int, default=0
        1 tells the steps, more tells the images.
    strategy : {"mean", "median", "sum", "minimum", "maximum", "standard_deviation", "variance", \
"trimmed_mean", "winsorized_mean", "mode", "count", "eigenvariate"}, default="mean"
        How the voxels of a region make one number. Variance and standard deviation divide by their number.
        The trimmed mean leaves out a tenth at each end, the winsorized mean sets it to the nearest value
        kept; "mode" is the most frequent value, "count" the number of voxels that are not 0.
        "eigenvariate" is the first principal component of the region's cleaned voxels, with the scale and
        sign of SPM's (`brainsieve.maskers.eigenvariate.first_eigenvariate`).
    keep_masked_labels : bool, default=False
        Keep a column of zeros for a region wholly outside `mask_img`.
    reports : bool, default=True
        Keep what `generate_report` shows.
    cmap : matplotlib colour map or name, optional
        For reports.
    clean_args : dict, optional
        More options of `brainsieve.signal.clean`: ``filter``, ``ensure_finite``, ``extrapolate``,
        ``butterworth__*``.
    nonfinite : {"zero", "omit"}, default="zero"
        What a voxel that is NaN or infinite counts as in a mean: 0, or not at all. A warning names the
        regions touched in both cases.
    min_coverage : float, optional
        From 0 to 1. A region of which an image covers less has a column of NaN, and a warning names it.

    Attributes
    ----------
    labels_img_ : Nifti1Image
        The atlas; on the grid of the images if `fit` was given some and `resampling_target` is "data".
    mask_img_ : Nifti1Image or None
    lut_ : pandas.DataFrame
        ``index`` and ``name`` of the regions and of the background if it is in the image.
    labels_ : list
        Ids, the background first.
    region_names_, region_ids_ : dict
        Name and id of each column.
    region_atlas_ : Nifti1Image
        int32 image of the regions used, after mask and resampling at `fit`.
    n_elements_ : int
        Number of columns. Decided at `fit`, the same for every run: a region without voxels in an image has
        a column of NaN there, and a warning names it.

    Notes
    -----
    Where nothing else is asked, signals are A X: the sparse matrix A has 1 / n in the n voxels of a region.
    Smoothing, and resampling to the atlas, fold into A.
    """

    _checks = {
        "strategy": one_of(*STRATEGIES),
        "resampling_target": one_of("data", "labels", None),
        "keep_masked_labels": a_bool,
        "nonfinite": one_of("zero", "omit"),
    }
    _natural_dtype = staticmethod(of_regions)

    def __init__(
        self,
        labels_img: Any = None,
        labels: Any = None,
        lut: Any = None,
        background_label: float = 0,
        mask_img: Any = None,
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
        memory: Any = None,
        memory_level: int = 1,
        verbose: int = 0,
        strategy: str = "mean",
        keep_masked_labels: bool = False,
        reports: bool = True,
        cmap: Any = None,
        clean_args: dict | None = None,
        nonfinite: str = "zero",
        min_coverage: float | None = None,
    ) -> None:
        keep_parameters(self, locals())

    # -- fit -------------------------------------------------------------------------------------------

    def _compiled(self, imgs: Any) -> FittedMasker:
        if self.labels_img is None:
            raise ValueError(f"labels_img is None; {type(self).__name__} needs a label image to fit.")
        values, grid = read_volume(self.labels_img, "labels_img")
        values = checked_ids(values, self.background_label)
        mask = self._given_mask()
        brings_images = self.resampling_target == "labels"
        images = grid if imgs is None or brings_images else self._grid_of(imgs)
        if self.resampling_target is None:
            for name, other in (("imgs", images), ("mask_img", None if mask is None else mask.domain)):
                if other is not None and other != grid:
                    refuse_other_grid(name, other, "labels_img", grid)
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
        """Give each voxel of a region the region's signal.

        Parameters
        ----------
        signals : array of shape (n_elements_,) or (n_samples, n_elements_), or data frame

        Returns
        -------
        img : Nifti1Image
            3-D for one sample without sample axis, else 4-D, on the grid of ``labels_img_``; 0 elsewhere.

        Raises
        ------
        ValueError
            If the width is not that of the masker.
        """
        return self._inverse(signals)
