"""Masker of spheres: one column for each seed, the mean of the voxels around it."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from brainsieve.engine.domain import Domain, VoxelGrid
from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.average import SparseOperator
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.spatial.plan import fold
from brainsieve.engine.spatial.smooth import checked_fwhm, smooth
from brainsieve.engine.spatial.sphere import sphere_points, sphere_size
from brainsieve.maskers.base import BaseMasker, displayed_positions
from brainsieve.maskers.grid import image, read_mask, to_grid
from brainsieve.maskers.maps import small_float
from brainsieve.maskers.parameters import a_bool, found, keep_parameters
from brainsieve.maskers.recipe import Recipe

N_NAMED = 5


class NiftiSpheresMasker(BaseMasker):
    """One series for each seed: the mean of the voxels within a radius.

    Parameters
    ----------
    seeds : list of (x, y, z)
        Centres in the world coordinates of the images, in mm.
    radius : float or sequence of float, optional
        In mm, one for all seeds or one for each. None or 0: the voxel nearest to the seed.
    mask_img : image-like, optional
        Voxels outside are left out. `inverse_transform` needs it.
    allow_overlap : bool, default=False
        False: `transform` raises an error if two spheres share a voxel.
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
        Of the signals. None: float32 for images of float32 or unscaled integers of at most 32 bits, else
        float64.
    memory : path, joblib.Memory or None, default=None
        Where to cache signals.
    memory_level : int, default=1
        0 caches nothing, more caches signals.
    verbose : int, default=0
        1 tells the steps, more tells the images.
    reports : bool, default=True
        Keep what `generate_report` shows.
    clean_args : dict, optional
        More options of `brainsieve.signal.clean`.
    min_coverage : float, optional
        From 0 to 1. A sphere of which an image covers less has a column of NaN, and a warning names it.

    Attributes
    ----------
    seeds_ : list of list of float
    mask_img_ : Nifti1Image or None
    n_elements_ : int
        Number of seeds.

    Notes
    -----
    The voxels of a seed are those whose centres are no farther than `radius`, and the one nearest to it
    (halves rounded to even), so that small spheres between voxels are not empty.
    """

    _checks = {"allow_overlap": a_bool}
    _column = "sphere"
    _displayed_name = "displayed_spheres"
    _inverse_name = "region_signals"

    def __init__(
        self,
        seeds: Any = None,
        radius: Any = None,
        mask_img: Any = None,
        allow_overlap: bool = False,
        smoothing_fwhm: Any = None,
        standardize: Any = False,
        standardize_confounds: bool = True,
        high_variance_confounds: bool = False,
        detrend: bool = False,
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        dtype: Any = None,
        memory: Any = None,
        memory_level: int = 1,
        verbose: int = 0,
        reports: bool = True,
        clean_args: dict | None = None,
        min_coverage: float | None = None,
    ) -> None:
        keep_parameters(self, locals())

    # -- fit -------------------------------------------------------------------------------------------

    def _fit(self, imgs: Any) -> None:
        self._centres = checked_seeds(self.seeds)
        self.seeds_ = self._centres.tolist()
        self.n_elements_ = len(self._centres)
        self._radii = checked_radii(self.radius, self.n_elements_)
        self._mask: NDArray[np.bool_] | None = None
        self.mask_img_ = None
        if self.mask_img is not None:
            self._mask, self._mask_grid = read_mask(self.mask_img)
            self.mask_img_ = image(self._mask, self._mask_grid)

    def _fitted_content(self) -> Any:
        mask = None if self._mask is None else (self._mask, self._mask_grid.fingerprint)
        return (self._centres, self._radii, mask)

    # -- transform -------------------------------------------------------------------------------------

    def _compile(self, domain: Domain) -> Recipe:
        assert isinstance(domain, VoxelGrid)
        mean = SparseOperator(mean_weights(self._members(domain)))
        fwhm = checked_fwhm(self.smoothing_fwhm)
        chain: list[SpatialOperator] = [] if fwhm is None else [smooth(domain, fwhm)]
        return Recipe(space=fold([*chain, mean]) if chain else mean)

    def _members(self, grid: VoxelGrid) -> sparse.csr_array:
        """Which voxels of a grid each sphere has: bool (n_seeds, n_points)."""
        mask = None
        if self._mask is not None:
            mask = to_grid(self._mask, self._mask_grid, grid, outside=False)
        points = [
            sphere_points(grid, centre, radius)
            for centre, radius in zip(self._centres, self._radii, strict=True)
        ]
        if mask is not None:
            points = [inside[mask[inside]] for inside in points]
        self._refuse_empty(points, grid)
        members = sparse.csr_array(
            (
                np.ones(sum(map(len, points)), dtype=np.float64),
                np.concatenate(points),
                np.cumsum([0, *map(len, points)]),
            ),
            shape=(len(points), grid.n_points),
        )
        if not self.allow_overlap:
            self._refuse_overlap(members)
        return members

    def _refuse_empty(self, points: list[NDArray[np.intp]], grid: VoxelGrid) -> None:
        empty = [i for i, inside in enumerate(points) if not len(inside)]
        if empty:
            where = "the image" if self._mask is None else "the image and mask_img"
            raise ValueError(
                f"{len(empty)} spheres have no voxel inside {where} ({grid.describe()}): "
                f"{self._named(empty)}. Are the seeds in the world coordinates (mm) of the image?"
            )

    def _refuse_overlap(self, members: sparse.csr_array) -> None:
        shared = (members @ members.T).tocoo()
        pairs = [(i, j) for i, j in zip(shared.row, shared.col, strict=True) if i < j]
        if pairs:
            i, j = pairs[0]
            same = " They are the same seed." if (self._centres[i] == self._centres[j]).all() else ""
            raise ValueError(
                f"allow_overlap is False, but {len(pairs)} pairs of spheres share voxels; "
                f"{self._named([int(i), int(j)])}, for one.{same} Pass allow_overlap=True or a smaller radius."
            )

    def _named(self, seeds: list[int]) -> str:
        some = [f"seed {i} at {tuple(round(float(x), 3) for x in self._centres[i])}" for i in seeds[:N_NAMED]]
        more = f" and {len(seeds) - N_NAMED} more" if len(seeds) > N_NAMED else ""
        return ", ".join(some) + more

    def _coverage_counts(
        self, domain: Domain, has_data: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        assert isinstance(domain, VoxelGrid)
        members = self._members(domain)
        found = np.asarray(members @ has_data.astype(np.float64)).ravel()
        expected = [
            sphere_size(domain, centre, radius)
            for centre, radius in zip(self._centres, self._radii, strict=True)
        ]
        return np.array(expected, dtype=np.float64), found

    def _report_parts(self, displayed: Any) -> Any:
        import pandas as pd

        from brainsieve.reporting import Layer

        grid = self._report_grid()
        positions = displayed_positions(displayed, self.n_elements_, "displayed_spheres")
        layers = []
        for i in positions:
            values = np.zeros(grid.n_points)
            values[sphere_points(grid, self._centres[i], max(self._radii[i], grid.voxel_sizes_mm.max()))] = 1
            layers.append(Layer(f"sphere {i}", grid.unflatten(values), "sphere"))
        regions = pd.DataFrame(self._centres, columns=["x (mm)", "y (mm)", "z (mm)"])
        regions.insert(0, "seed", range(self.n_elements_))
        regions["radius (mm)"] = self._radii
        facts = {"seeds": f"{self.n_elements_:,}", "shown": f"{len(positions):,}"}
        return grid, layers, facts, regions

    def _report_grid(self) -> VoxelGrid:
        """Where spheres are drawn: the mask, else the image given to `fit`, else a box of 4 mm around them."""
        if self._mask is not None:
            return self._mask_grid
        if self._background is not None:
            origin, values = self._background
            return origin if values is not None else self._open(origin).domain
        low, high = self._centres.min(axis=0) - 24, self._centres.max(axis=0) + 24
        affine = np.diag([4.0, 4.0, 4.0, 1.0])
        affine[:3, 3] = low
        return VoxelGrid(tuple(int(n) for n in np.ceil((high - low) / 4) + 1), affine)

    def _natural_dtype(self, source: Source) -> np.dtype:
        return small_float(source)

    def _image_of(self, signals: NDArray) -> Any:
        if self._mask is None:
            raise ValueError("inverse_transform needs mask_img, which says on what grid to put the spheres.")
        members = self._members(self._mask_grid)
        n_spheres = np.asarray(members.sum(axis=0)).ravel()
        values = np.asarray(signals @ members) / np.maximum(n_spheres, 1)
        return image(values.astype(self._inverse_dtype(signals)), self._mask_grid)

    def inverse_transform(self, region_signals: Any) -> Any:
        """Give each voxel of a sphere the sphere's signal; voxels of several get their mean.

        Parameters
        ----------
        region_signals : array of shape (n_elements_,) or (n_samples, n_elements_), or data frame

        Returns
        -------
        img : Nifti1Image
            3-D for one sample without sample axis, else 4-D, on the grid of `mask_img`.

        Raises
        ------
        ValueError
            If the width is not that of the masker, or without `mask_img`.
        """
        return self._inverse(region_signals)


def checked_seeds(seeds: Any) -> NDArray[np.float64]:
    """Seeds as an array of shape (n_seeds, 3).

    Raises
    ------
    TypeError, ValueError
        If they are not finite triples of numbers; the message has the position of the first that is not.
    """
    if seeds is None:
        raise ValueError("seeds is None; NiftiSpheresMasker needs a list of (x, y, z) in mm.")
    if not hasattr(seeds, "__len__"):
        raise TypeError(f"seeds must be a list of (x, y, z); {found(seeds)} was given.")
    if not len(seeds):
        raise ValueError("seeds is empty; give at least one (x, y, z) in mm.")
    for i, seed in enumerate(seeds):
        triple = hasattr(seed, "__len__") and len(seed) == 3
        if not triple or not all(isinstance(x, numbers.Real) for x in seed):
            raise ValueError(f"seeds[{i}] must be three numbers (x, y, z) in mm; {found(seed)} was given.")
        if not np.isfinite(np.asarray(seed, dtype=np.float64)).all():
            raise ValueError(f"seeds[{i}] is not finite: {found(seed)}.")
    return np.array([[float(x) for x in seed] for seed in seeds])


def checked_radii(radius: Any, n_seeds: int) -> NDArray[np.float64]:
    """A radius in mm for each seed; 0 stands for the nearest voxel."""
    if radius is None:
        return np.zeros(n_seeds)
    if isinstance(radius, bool | str):
        raise TypeError(f"radius must be a number, one for each seed, or None; {found(radius)} was given.")
    radii = np.array(
        [0.0 if r is None else r for r in np.atleast_1d(np.asarray(radius, dtype=object))], float
    )
    if np.ndim(radius) == 0:
        radii = np.repeat(radii, n_seeds)
    if radii.shape != (n_seeds,):
        raise ValueError(f"radius has {len(radii)} values for {n_seeds} seeds; give one, or one for each.")
    if not np.isfinite(radii).all() or (radii < 0).any():
        raise ValueError(f"radius must be finite and not negative; {found(radius)} was given.")
    return radii


def mean_weights(members: sparse.csr_array) -> sparse.csr_array:
    """Rows that sum to 1."""
    sizes = np.diff(members.indptr)
    weights = members.copy()
    weights.data = np.repeat(1.0 / np.maximum(sizes, 1), sizes)
    return weights
