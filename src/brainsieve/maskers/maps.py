"""Masker of soft maps: one column for each volume of a 4-D weight image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from brainsieve.engine.domain import Domain, VoxelGrid
from brainsieve.engine.source import open_source
from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.average import SparseOperator
from brainsieve.engine.spatial.least_squares import LeastSquares
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.spatial.plan import fold
from brainsieve.engine.spatial.resample import resample
from brainsieve.engine.spatial.smooth import checked_fwhm, smooth
from brainsieve.image import load_img
from brainsieve.maskers.base import BaseMasker, displayed_positions
from brainsieve.maskers.grid import image, read_mask, to_grid
from brainsieve.maskers.labels import first_image
from brainsieve.maskers.parameters import a_bool, keep_parameters, one_of
from brainsieve.maskers.recipe import Recipe, listed, plural_of

# Maps that are fuller than this are held as dense arrays: CSR takes 12 bytes for each weight.
DENSE_ABOVE = 0.3


class MapColumns:
    """Columns that are soft maps: what maps maskers of every domain share.

    Needs ``_maps``, sparse of shape (n_maps, n_points), and ``_masked_out``.
    """

    def _weights_of(self, source: Source, point: str = "voxel") -> Any:
        """Maps as a sparse matrix (n_maps, n_points), read a block at a time; what is not finite is 0."""
        wide = source.value_dtype.kind == "f" and source.value_dtype.itemsize > 4
        pieces, n_bad = [], 0
        for block in source.blocks():
            values = block.values.astype(np.float64 if wide else np.float32)
            if source.is_scaled:
                values = values * source.slope + source.inter
            bad = ~np.isfinite(values)
            n_bad += int(bad.any(axis=0).sum())
            pieces.append(sparse.csr_array(np.where(bad, 0, values)))
        if n_bad:
            self._warn(
                f"maps_img has {n_bad} {plural_of(point)} that are NaN or infinite; they have weight 0."
            )
        put_together = sparse.hstack if source.points_first else sparse.vstack
        maps = sparse.csr_array(put_together(pieces, format="csr"))
        self._n_changed = n_bad + int(source.dtype.kind != "f" or source.is_single)
        maps.sum_duplicates()  # and so mark it as sorted: nothing is left for `transform` to tidy up
        if maps.nnz == 0:
            raise ValueError(f"maps_img has no weight: every {point} of every map is 0.")
        return maps

    def _drop_masked_maps(self, mask: NDArray[np.bool_] | None) -> None:
        """Drop maps without weight in a mask over their points, hence for all runs."""
        self._masked_out = np.zeros(self._maps.shape[0], dtype=bool)
        if mask is None:
            return
        weights = abs(self._maps)
        inside, anywhere = weights @ mask.astype(np.float64), weights.sum(axis=1)
        outside = (inside == 0) & (anywhere > 0)
        if outside.all():
            raise ValueError("mask_img leaves no map of maps_img: they do not overlap.")
        if not outside.any():
            return
        keeps = getattr(self, "keep_masked_maps", None)
        fate = "are kept as columns of 0" if keeps else "are dropped for all images"
        because = "" if keeps is None else f" (keep_masked_maps={keeps})"
        self._warn(
            f"{int(outside.sum())} maps of maps_img have no weight inside mask_img and {fate}{because}; "
            f"their positions, from 0: {listed([str(i) for i in np.flatnonzero(outside)])}."
        )
        if keeps:
            self._masked_out = outside
        else:
            self._maps = self._maps[~outside]
            self._n_changed += 1
            self._masked_out = np.zeros(self._maps.shape[0], dtype=bool)

    def _maps_recipe(self, chain: Sequence[SpatialOperator], maps: Any, **about_domain: Any) -> Recipe:
        """The recipe of maps (n_maps, n_points) on a domain, after a chain of operators."""
        solve = self._solver(_as_is_best(maps))
        empty = np.diff(maps.indptr) == 0
        lost = np.flatnonzero(empty & (np.diff(self._maps.indptr) > 0))
        touching = SparseOperator(abs(maps))
        return Recipe(
            space=fold([*chain, solve]) if chain else solve,
            lost=lost,
            fill=np.where(self._masked_out[lost], 0.0, np.nan),
            touched_by=fold([*chain, touching]) if chain else touching,
            **about_domain,
        )

    def _solver(self, maps: Any) -> SpatialOperator:
        if self.strategy == "least_squares":
            return LeastSquares.from_maps(maps)
        totals = np.asarray(maps.sum(axis=1), dtype=np.float64).ravel()
        sizes = np.asarray(abs(maps).sum(axis=1), dtype=np.float64).ravel()
        cancel = np.flatnonzero(np.abs(totals) <= 1e-9 * sizes)
        cancel = cancel[sizes[cancel] > 0]
        if len(cancel):
            raise ValueError(
                f"strategy='weighted_mean': the weights of the maps {listed([str(i) for i in cancel])} "
                "(positions from 0) sum to 0, so they have no mean; use strategy='least_squares'."
            )
        scale = np.divide(1.0, totals, out=np.zeros_like(totals), where=totals != 0)
        return SparseOperator(sparse.csr_array(sparse.diags_array(scale) @ sparse.csr_array(maps)))

    def _refuse_overlap(self, maps: Any, domain: Domain) -> None:
        positive = maps > 0
        n_maps = np.asarray(positive.sum(axis=0)).ravel()
        shared = np.flatnonzero(n_maps > 1)
        if not len(shared):
            return
        point = int(shared[0])
        sharing = np.flatnonzero(np.asarray(positive[:, [point]].todense()).ravel())
        raise ValueError(
            f"allow_overlap is False, but {len(shared)} points have a positive weight in several maps; "
            f"{self._point_name(point, domain)}, for one, in the maps {listed([str(i) for i in sharing])} "
            "(positions from 0)."
        )

    def _point_name(self, point: int, domain: Any) -> str:
        """How a message names a point."""
        raise NotImplementedError


class NiftiMapsMasker(MapColumns, BaseMasker):
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

    def _fit(self, imgs: Any) -> None:
        if self.maps_img is None:
            raise ValueError("maps_img is None; NiftiMapsMasker needs maps to fit.")
        if self.resampling_target == "mask" and self.mask_img is None:
            raise ValueError("resampling_target='mask' needs mask_img, which is None.")
        self._maps, self._grid = self._read_maps()
        self._mask, self._mask_grid = None, self._grid
        if self.mask_img is not None:
            self._mask, self._mask_grid = read_mask(self.mask_img)
        mask = None
        if self._mask is not None:
            mask = to_grid(self._mask, self._mask_grid, self._grid, outside=False)
        self._drop_masked_maps(mask)
        self.n_elements_ = self._maps.shape[0]
        target = self._fit_grid(imgs)
        if self.resampling_target is None:
            self._refuse_other_grids(target)
        self._output_grid = target
        self._output_maps = self._maps_on(target)
        as_given = (
            target == self._grid and not self._n_changed and isinstance(self.maps_img, str | os.PathLike)
        )
        # An image that reads its data when they are asked for, where that gives the same.
        self.maps_img_ = (
            load_img(self.maps_img) if as_given else image(_dense(self._resampled_maps(target)), target)
        )
        self.mask_img_ = None
        if self._mask is not None:
            self.mask_img_ = image(to_grid(self._mask, self._mask_grid, target, outside=False), target)

    def _read_maps(self) -> tuple[Any, VoxelGrid]:
        """Maps as a sparse matrix (n_maps, n_points), read a few volumes at a time."""
        source = open_source(self.maps_img)
        if not isinstance(source.domain, VoxelGrid):
            raise TypeError(f"maps_img must be a volume; {source.name} is {source.domain.describe()}.")
        return self._weights_of(source), source.domain

    def _fit_grid(self, imgs: Any) -> VoxelGrid:
        """The grid of the maps as far as `fit` knows it."""
        if self.resampling_target == "mask":
            return self._mask_grid
        if imgs is None or self.resampling_target == "maps":
            return self._grid
        return self._open(first_image(imgs)).domain  # type: ignore[return-value]

    def _refuse_other_grids(self, target: Domain) -> None:
        for name, grid in (("imgs", target), ("mask_img", self._mask_grid)):
            if grid != self._grid:
                raise ValueError(
                    f"resampling_target is None, but {name} ({grid.describe()}) and maps_img "
                    f"({self._grid.describe()}) are on different grids; resample one of them, or ask for "
                    "resampling_target='data', 'maps' or 'mask'."
                )

    def _resampled_maps(self, grid: VoxelGrid) -> Any:
        if grid == self._grid:
            return self._maps
        move = resample(self._grid, grid, "linear")
        rows = [
            sparse.csr_array(move.forward(_dense(self._maps[[i]])).astype(self._maps.dtype))
            for i in range(self._maps.shape[0])
        ]
        return sparse.vstack(rows, format="csr")

    def _maps_on(self, grid: VoxelGrid) -> Any:
        """Maps (n_maps, n_points) on a grid, 0 outside the mask."""
        return self._masked(self._resampled_maps(grid), grid)

    def _masked(self, maps: Any, grid: VoxelGrid) -> Any:
        if self._mask is None:
            return maps
        mask = to_grid(self._mask, self._mask_grid, grid, outside=False)
        masked = maps @ sparse.diags_array(mask.astype(maps.dtype))
        masked.eliminate_zeros()
        return masked.tocsr()

    def _fitted_content(self) -> Any:
        return (
            self._grid.fingerprint,
            self._output_grid.fingerprint,
            self._masked_out,
            self._maps.data,
            self._maps.indices,
            self._maps.indptr,
            self._mask,
            self._mask_grid.fingerprint,
        )

    # -- transform -------------------------------------------------------------------------------------

    def _compile(self, domain: Domain) -> Recipe:
        assert isinstance(domain, VoxelGrid)
        if self.resampling_target is None:
            self._refuse_other_grids(domain)
        grid = domain if self.resampling_target in ("data", None) else self._output_grid
        maps = self._maps_on(grid)
        if not self.allow_overlap:
            self._refuse_overlap(maps, grid)
        chain: list[SpatialOperator] = []
        if domain != grid:
            chain.append(resample(domain, grid, "continuous"))
        fwhm = checked_fwhm(self.smoothing_fwhm)
        if fwhm is not None:
            chain.append(smooth(grid, fwhm))
        return self._maps_recipe(chain, maps, notes=self._notes(domain, grid))

    def _point_name(self, point: int, domain: Any) -> str:
        return f"voxel {tuple(int(i) for i in np.unravel_index(point, domain.shape, order='F'))}"

    def _notes(self, domain: VoxelGrid, grid: VoxelGrid) -> tuple[str, ...]:
        if self.resampling_target == "data" and domain != self._output_grid:
            return (
                f"maps_img ({self._output_grid.describe()}) was brought to the grid of this image "
                f"({domain.describe()}) by linear interpolation. To do it once, give an image to fit.",
            )
        return ()

    def _coverage_counts(
        self, domain: Domain, has_data: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        assert isinstance(domain, VoxelGrid)
        weights = abs(self._masked(self._maps, self._grid))
        there = to_grid(has_data, domain, self._grid, outside=False)
        expected = np.asarray(weights.sum(axis=1), dtype=np.float64).ravel()
        return expected, np.asarray(weights @ there.astype(np.float64)).ravel()

    def _report_parts(self, displayed: Any) -> Any:
        import pandas as pd

        from brainsieve.reporting import Layer

        grid = self._output_grid
        positions = displayed_positions(displayed, self.n_elements_, "displayed_maps")
        layers = [
            Layer(f"map {i}", grid.unflatten(_dense(self._output_maps[[i]])[0]), "weights") for i in positions
        ]
        n_voxels = np.diff(self._output_maps.indptr)
        largest = abs(self._output_maps).max(axis=1).toarray().ravel().astype(float)
        regions = pd.DataFrame(
            {"map": range(self.n_elements_), "voxels": n_voxels, "largest weight": largest}
        )
        facts = {"maps": f"{self.n_elements_:,}", "shown": f"{len(positions):,}"}
        return grid, layers, facts, regions

    def _natural_dtype(self, source: Source) -> np.dtype:
        return small_float(source, also=self._maps.dtype)

    def _image_of(self, signals: NDArray) -> Any:
        dtype = self._inverse_dtype(signals)
        values = np.asarray(signals @ self._output_maps)
        return image(values.astype(dtype if dtype.kind == "f" else np.float64), self._output_grid)

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


def small_float(source: Source, also: Any = np.float32) -> np.dtype:
    """float32 for sources whose values are float32 or unscaled integers of at most 32 bits, else float64."""
    narrow = source.dtype.itemsize <= 4 and not (source.is_scaled and source.dtype.kind != "f")
    return np.result_type(np.float32 if narrow else np.float64, also)


def _dense(maps: Any) -> NDArray:
    return maps.toarray() if sparse.issparse(maps) else np.asarray(maps)


def _as_is_best(maps: Any) -> Any:
    """Sparse or dense, whichever multiplies faster."""
    full = maps.nnz / max(1, maps.shape[0] * maps.shape[1])
    return maps.toarray() if full > DENSE_ABOVE else maps
