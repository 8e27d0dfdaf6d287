"""Masker of parcellations: one column for each region of a label image."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.domain import Domain, VoxelGrid
from brainsieve.engine.source import open_source
from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.average import Average, Regions
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.spatial.plan import fold
from brainsieve.engine.spatial.reduce import Reduce
from brainsieve.engine.spatial.resample import resample
from brainsieve.engine.spatial.smooth import checked_fwhm, smooth
from brainsieve.image import load_img
from brainsieve.maskers.base import BaseMasker
from brainsieve.maskers.eigenvariate import Eigenvariates
from brainsieve.maskers.grid import image, read_mask, read_volume, to_grid
from brainsieve.maskers.parameters import a_bool, keep_parameters, one_of
from brainsieve.maskers.recipe import Recipe, listed, plural_of
from brainsieve.maskers.region_table import region_table

LINEAR_STRATEGIES = ("mean", "sum")
STRATEGIES = (
    "mean",
    "median",
    "sum",
    "minimum",
    "maximum",
    "standard_deviation",
    "variance",
    "trimmed_mean",
    "winsorized_mean",
    "mode",
    "count",
    "eigenvariate",
)


# Voxels of an atlas that are looked up at a time.
PART = 2**18


class LabelColumns:
    """Columns that are regions with ids and names: what labels maskers of every domain share.

    Needs ``lut_``, ``_ids`` (ascending, no background) and ``_has_background``, which `_name_regions` sets.
    """

    def _named(self, ids: NDArray, has_background: bool) -> Any:
        """The look-up table of the ids in the image."""
        return region_table(ids, self.background_label, has_background, self.labels, self.lut)

    def _set_regions(self, table: Any, ids: NDArray, has_background: bool) -> None:
        self._ids = ids
        self._has_background = has_background
        used = table["index"].isin(ids)
        if has_background:
            used |= table["index"] == self.background_label
        self.lut_ = table[used].reset_index(drop=True)

    def _ids_left(self, ids: NDArray, values: NDArray, mask: NDArray[np.bool_] | None, table: Any) -> NDArray:
        """Ids of the regions; those wholly outside the mask are dropped here, hence for all runs."""
        self._masked_out = np.zeros(len(ids), dtype=bool)
        if mask is None:
            return ids
        outside = ~np.isin(ids, np.unique(values[mask]))
        if outside.all():
            raise ValueError("mask_img leaves no region of labels_img: they do not overlap.")
        if not outside.any():
            return ids
        keeps = getattr(self, "keep_masked_labels", None)
        names = table["name"][table["index"].isin(ids[outside])].tolist()
        fate = "are kept as columns of 0" if keeps else "are dropped for all images"
        because = "" if keeps is None else f" (keep_masked_labels={keeps})"
        self._warn(
            f"{len(names)} regions of labels_img lie wholly outside mask_img and {fate}{because}: {listed(names)}."
        )
        if keeps:
            self._masked_out = outside
            return ids
        self._masked_out = np.zeros(int((~outside).sum()), dtype=bool)
        return ids[~outside]

    def _labels_recipe(self, chain: Sequence[SpatialOperator], codes: NDArray, **about_domain: Any) -> Recipe:
        """The recipe of regions that are known by the column of each point, after a chain of operators."""
        n_found = np.bincount(codes[codes >= 0], minlength=self.n_elements_)
        reduction = self._reduction(codes, folded=bool(chain))
        lost = np.flatnonzero(n_found == 0)
        eigen = None
        if self.strategy == "eigenvariate":
            eigen = Eigenvariates(tuple(chain), codes, self.n_elements_)
        touched_by = None
        if not reduction.is_linear:
            average = Average.from_codes(codes, self.n_elements_, "mean")
            touched_by = fold([*chain, average]) if chain else average
        return Recipe(
            space=fold([*chain, reduction]) if chain else reduction,
            eigen=eigen,
            omit_nonfinite=self.nonfinite == "omit",
            lost=lost,
            fill=np.where(self._masked_out[lost], 0.0, np.nan),
            touched_by=touched_by,
            **about_domain,
        )

    def _reduction(self, codes: NDArray, folded: bool) -> SpatialOperator:
        if self.strategy not in (*LINEAR_STRATEGIES, "eigenvariate"):
            return Reduce.from_codes(codes, self.n_elements_, self.strategy)
        strategy = "sum" if self.strategy == "sum" else "mean"
        kind = Regions if folded else Average
        return kind.from_codes(codes, self.n_elements_, strategy)

    def _refuse_unknown_combination(self) -> None:
        if self.nonfinite == "omit" and self.strategy != "mean":
            raise ValueError(
                f"nonfinite='omit' goes with strategy='mean' only; strategy is {self.strategy!r}."
            )
        if self.labels_img is None:
            raise ValueError(f"labels_img is None; {type(self).__name__} needs a label image to fit.")

    def _checked_label_values(self, values: NDArray, point: str = "voxel") -> NDArray:
        """Ids of the points: NaN as background, with warnings of what looks like no atlas."""
        if values.dtype.kind == "f":
            bad = ~np.isfinite(values)
            if bad.any():
                self._warn(
                    f"labels_img has {int(bad.sum())} {plural_of(point)} that are NaN or infinite; "
                    f"they are background ({self.background_label})."
                )
                values = np.where(bad, self.background_label, values)
            self._warn_of_fractions(values)
        elif values.dtype == bool:
            values = values.astype(np.uint8)
        if not (values != self.background_label).any():
            raise ValueError(
                f"labels_img has no region: every {point} is the background ({self.background_label})."
            )
        return values

    def _warn_of_fractions(self, values: NDArray) -> None:
        fractions = np.unique(values[values != np.floor(values)])
        if len(fractions):
            self._warn(
                f"labels_img has {len(fractions)} values that are no whole numbers ({listed(fractions[:3])}…); "
                "each is taken as a region of its own. Were labels interpolated, or is this a map for "
                f"{type(self).__name__.replace('Labels', 'Maps')}?"
            )

    def _region_rows(self) -> Any:
        return self.lut_[self.lut_["index"].isin(self._ids)]

    @property
    def n_elements_(self) -> int:
        """Number of columns."""
        self._check_is_fitted_here()
        return len(self._ids)

    @property
    def labels_(self) -> list:
        """Ids, the background first if it is in the image."""
        self._check_is_fitted_here()
        background = [self._ids.dtype.type(self.background_label)] if self._has_background else []
        return [*background, *self._ids.tolist()]

    @property
    def region_names_(self) -> dict[int, str]:
        """Name of each column."""
        self._check_is_fitted_here()
        return dict(enumerate(self._region_rows()["name"].tolist()))

    @property
    def region_ids_(self) -> dict[Any, Any]:
        """Id of each column; under "background" that of the background, if it is in the image."""
        self._check_is_fitted_here()
        ids: dict[Any, Any] = dict(enumerate(self._ids.tolist()))
        if self._has_background:
            ids["background"] = self._ids.dtype.type(self.background_label)
        return ids

    def _check_is_fitted_here(self) -> None:
        if not hasattr(self, "_ids"):
            self._check_is_fitted()

    def get_feature_names_out(self, input_features: Any = None) -> NDArray:
        """Names of the columns: those of the regions.

        Parameters
        ----------
        input_features : None
            Ignored; there for scikit-learn.

        Returns
        -------
        names : array of str objects, shape (n_elements_,)
        """
        self._check_is_fitted()
        return np.asarray(list(self.region_names_.values()), dtype=object)


class NiftiLabelsMasker(LabelColumns, BaseMasker):
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

    def _fit(self, imgs: Any) -> None:
        self._refuse_unknown_combination()
        values, self._grid = self._read_atlas()
        self._mask, self._mask_grid = None, self._grid
        if self.mask_img is not None:
            self._mask, self._mask_grid = read_mask(self.mask_img)
        if imgs is not None and self.resampling_target != "labels":
            target = open_source(first_image(imgs)).domain
        else:
            target = self._grid
        if self.resampling_target is None:
            self._refuse_other_grids(target)
        ids = distinct(values)
        has_background = bool((ids == self.background_label).any())
        ids = ids[ids != self.background_label]
        table = self._named(ids, has_background)
        mask = None
        if self._mask is not None:
            mask = to_grid(self._mask, self._mask_grid, self._grid, outside=False)
        ids = self._ids_left(ids, values, mask, table)
        self._set_regions(table, ids, has_background)
        # Column of each atlas voxel, -1 where there is none.
        self._codes = codes_of(values, ids)
        self._atlas_values = values
        self._set_images(target)

    def _read_atlas(self) -> tuple[NDArray, VoxelGrid]:
        values, grid = read_volume(self.labels_img, "labels_img")
        return self._checked_label_values(values), grid

    def _refuse_other_grids(self, target: Domain) -> None:
        for name, grid in (("imgs", target), ("mask_img", self._mask_grid)):
            if grid != self._grid:
                raise ValueError(
                    f"resampling_target is None, but {name} ({grid.describe()}) and labels_img "
                    f"({self._grid.describe()}) are on different grids; resample one of them, or ask for "
                    "resampling_target='data' or 'labels'."
                )

    def _set_images(self, target: Domain) -> None:
        assert isinstance(target, VoxelGrid)
        grid = target if self.resampling_target == "data" else self._grid
        self._output_grid = grid
        self._output_codes = self._codes_on(grid)
        if grid == self._grid and isinstance(self.labels_img, str | os.PathLike):
            # An image that reads its data when they are asked for: fine atlases have 9 million voxels.
            self.labels_img_ = load_img(self.labels_img)
        else:
            on_grid = to_grid(self._atlas_values, self._grid, grid, outside=self.background_label)
            self.labels_img_ = image(on_grid, grid)
        del self._atlas_values
        self.mask_img_ = None
        if self._mask is not None:
            self.mask_img_ = image(to_grid(self._mask, self._mask_grid, grid, outside=False), grid)

    @property
    def region_atlas_(self) -> Any:
        """int32 image of the regions used, after mask and resampling at `fit`."""
        self._check_is_fitted_here()
        used = np.full(self._output_grid.n_points, self.background_label, dtype=np.int32)
        inside = self._output_codes >= 0
        used[inside] = self._ids[self._output_codes[inside]].astype(np.int32)
        return image(used, self._output_grid)

    def _codes_on(self, grid: VoxelGrid) -> NDArray[np.intp]:
        """Column of each voxel of a grid, -1 where there is none, mask applied."""
        codes = to_grid(self._codes, self._grid, grid, outside=-1)
        if self._mask is not None:
            mask = to_grid(self._mask, self._mask_grid, grid, outside=False)
            codes = np.where(mask, codes, codes.dtype.type(-1))
        return codes

    def _fitted_content(self) -> Any:
        return (
            self._grid.fingerprint,
            self._output_grid.fingerprint,
            self._masked_out,
            self._codes,
            None if self._mask is None else self._mask,
            self._mask_grid.fingerprint,
        )

    # -- transform -------------------------------------------------------------------------------------

    def _compile(self, domain: Domain) -> Recipe:
        assert isinstance(domain, VoxelGrid)
        if self.resampling_target is None:
            self._refuse_other_grids(domain)
        chain: list[SpatialOperator] = []
        grid = domain if self.resampling_target == "data" else self._grid
        if domain != grid:
            chain.append(resample(domain, grid, "continuous"))
        fwhm = checked_fwhm(self.smoothing_fwhm)
        if fwhm is not None:
            chain.append(smooth(grid, fwhm))
        return self._labels_recipe(chain, self._codes_on(grid), notes=self._notes(domain))

    def _notes(self, domain: VoxelGrid) -> tuple[str, ...]:
        if self.resampling_target == "data" and domain != self._output_grid:
            return (
                f"labels_img ({self._output_grid.describe()}) was brought to the grid of this image "
                f"({domain.describe()}) by the nearest voxel. To do it once, give an image to fit.",
            )
        return ()

    def _coverage_counts(
        self, domain: Domain, has_data: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        assert isinstance(domain, VoxelGrid)
        # Counted on the atlas's own grid, which also has what lies outside the image.
        codes = self._codes_on(self._grid)
        there = to_grid(has_data, domain, self._grid, outside=False)
        expected = np.bincount(codes[codes >= 0], minlength=self.n_elements_)
        found = np.bincount(codes[(codes >= 0) & there], minlength=self.n_elements_)
        return expected.astype(np.float64), found.astype(np.float64)

    def _report_parts(self, displayed: Any) -> Any:
        import pandas as pd

        from brainsieve.reporting import Layer

        grid, codes = self._output_grid, self._output_codes
        sizes = np.bincount(codes[codes >= 0], minlength=self.n_elements_)
        voxel_mm3 = abs(np.linalg.det(grid.affine[:3, :3]))
        regions = pd.DataFrame(
            {
                "id": self._ids,
                "name": list(self.region_names_.values()),
                "voxels": sizes,
                "size (mm³)": sizes * voxel_mm3,
                "share (%)": 100.0 * sizes / max(1, sizes.sum()),
            }
        )
        facts = {
            "regions": f"{self.n_elements_:,}",
            "voxels in regions": f"{int(sizes.sum()):,}",
            "smallest region": f"{sizes.min():,} voxels",
        }
        return grid, [Layer("regions", grid.unflatten(codes.astype(np.int32)), "labels")], facts, regions

    def _natural_dtype(self, source: Source) -> np.dtype:
        small = source.dtype in (np.float32, np.float16)
        return np.dtype(np.float32 if small else np.float64)

    def _image_of(self, signals: NDArray) -> Any:
        inside = self._output_codes >= 0
        values = np.zeros(
            (*signals.shape[:-1], self._output_grid.n_points), dtype=self._inverse_dtype(signals)
        )
        values[..., inside] = signals[..., self._output_codes[inside]]
        return image(values, self._output_grid)

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


def codes_of(values: NDArray, ids: NDArray) -> NDArray[np.signedinteger]:
    """Position in `ids` (ascending) of each value, -1 where it is none of them; in the smallest dtype."""
    dtype = np.int16 if len(ids) < 2**15 else np.int32
    codes = np.empty(values.shape, dtype=dtype)
    # Parts of an atlas at a time: numpy's indices are 64-bit, four times a fine atlas.
    for start in range(0, len(values), PART):
        part = slice(start, start + PART)
        positions = np.searchsorted(ids, values[part])
        positions[positions == len(ids)] = 0
        codes[part] = np.where(ids[positions] == values[part], positions, -1)
    return codes


def distinct(values: NDArray) -> NDArray:
    """`numpy.unique` of a large array in little memory."""
    found = [np.unique(values[start : start + PART]) for start in range(0, len(values), PART)]
    return np.unique(np.concatenate(found))


def first_image(imgs: Any) -> Any:
    """The image that stands for the grid of what `fit` was given; a generator is read that far."""
    if isinstance(imgs, list | tuple) and len(imgs):
        return imgs[0]
    if isinstance(imgs, Iterator):
        first = next(imgs, None)
        if first is None:
            raise ValueError("The generator of images is empty; was it used up before?")
        return first
    return imgs
