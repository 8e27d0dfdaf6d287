"""Masker of spheres: one column for each seed, the mean of the voxels around it."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainsieve.atlas import Spheres
from brainsieve.atlas.base import listed
from brainsieve.checks import found
from brainsieve.maskers.declared import keep_parameters
from brainsieve.maskers.documented import documented
from brainsieve.maskers.estimator import fitted
from brainsieve.maskers.fitted import FittedMasker
from brainsieve.maskers.output import of_spheres
from brainsieve.maskers.volumes import VolumeMasker
from brainsieve.typing import FwhmLike, MemoryLike, NiimgLike, SignalDtype, Standardize


@documented(
    allow_overlap={
        "default": False,
        "words": "False: `transform` raises an error if two spheres share a voxel.",
    },
    words={
        "natural_dtype": "float32 for images of float32 or unscaled integers of at most 32 bits, else float64",
    },
)
class NiftiSpheresMasker(VolumeMasker):
    """One series for each seed: the mean of the voxels within a radius.

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

    _column = "sphere"
    _natural_dtype = staticmethod(of_spheres)
    _displayed_name = "displayed_spheres"
    _inverse_name = "region_signals"

    def __init__(
        self,
        seeds: ArrayLike | None = None,
        radius: float | Sequence[float] | None = None,
        mask_img: NiimgLike | None = None,
        allow_overlap: bool = False,
        smoothing_fwhm: FwhmLike = None,
        standardize: Standardize = False,
        standardize_confounds: bool = True,
        high_variance_confounds: bool = False,
        detrend: bool = False,
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        dtype: SignalDtype = None,
        memory: MemoryLike = None,
        memory_level: int = 1,
        verbose: int = 0,
        reports: bool = True,
        clean_args: dict[str, Any] | None = None,
        min_coverage: float | None = None,
    ) -> None:
        keep_parameters(self, locals())

    # -- fit -------------------------------------------------------------------------------------------

    def _compiled(self, imgs: Any) -> FittedMasker:
        centres, names = checked_seeds(self.seeds)
        mask = self._given_mask()
        atlas = Spheres(centres, checked_radii(self.radius, len(centres)), mask, names)
        return self._frozen(self._kind(imgs), atlas, home=None if mask is None else mask.domain)

    @fitted
    def seeds_(self) -> list[list[float]]:
        """The seeds, in mm."""
        atlas = self._fitted.atlas
        assert isinstance(atlas, Spheres)
        return atlas.centres.tolist()

    def inverse_transform(self, region_signals: Any) -> Any:
        """Give each voxel of a sphere the sphere's signal; voxels of several get their mean."""
        return self._inverse(region_signals)


# Columns of a table of seeds that name them, in this order of preference.
NAME_COLUMNS = ("name", "label", "region")


def checked_seeds(seeds: Any) -> tuple[NDArray[np.float64], tuple[str, ...] | None]:
    """Seeds as an array of shape (n_seeds, 3), and their names where a table has some.

    Parameters
    ----------
    seeds : sequence of (x, y, z), data frame or record array
        See `seeds_of_table` for the latter.

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
    if hasattr(seeds, "columns") or getattr(getattr(seeds, "dtype", None), "names", None):
        return seeds_of_table(seeds, "seeds")
    for i, seed in enumerate(seeds):
        triple = hasattr(seed, "__len__") and len(seed) == 3
        if not triple or not all(isinstance(x, numbers.Real) for x in seed):
            raise ValueError(f"seeds[{i}] must be three numbers (x, y, z) in mm; {found(seed)} was given.")
        if not np.isfinite(np.asarray(seed, dtype=np.float64)).all():
            raise ValueError(f"seeds[{i}] is not finite: {found(seed)}.")
    return np.array([[float(x) for x in seed] for seed in seeds]), None


def seeds_of_table(table: Any, what: str) -> tuple[NDArray[np.float64], tuple[str, ...] | None]:
    """Seeds and names of a table.

    Parameters
    ----------
    table : data frame or record array
        With the columns ``x``, ``y`` and ``z`` in mm, in any case and order; or three columns that have no names.
        The column ``name``, ``label`` or ``region``, or an index of words, names them.
    what : str
        What messages call it.

    Raises
    ------
    ValueError
        If a column is missing, or a coordinate is no finite number.
    """
    columns = list(table.columns if hasattr(table, "columns") else table.dtype.names)
    by_name = {str(column).strip().lower(): column for column in columns}
    if len(columns) == 3 and not any(isinstance(column, str) for column in columns):
        by_name = dict(zip("xyz", columns, strict=True))
    missing = [axis for axis in "xyz" if axis not in by_name]
    if missing:
        raise ValueError(
            f"{what} has no column {missing[0]!r}; it has {listed(columns)}. Seeds have x, y and z, in mm."
        )
    if not len(table):
        raise ValueError(f"{what} has no rows.")
    values = np.array([[_number(cell) for cell in table[by_name[axis]]] for axis in "xyz"]).T
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, axis = bad[0]
        raise ValueError(f"{what} has no number for {'xyz'[axis]} in row {row} (from 0).")
    named = next((by_name[name] for name in NAME_COLUMNS if name in by_name), None)
    names = getattr(table, "index", ()) if named is None else np.asarray(table[named]).tolist()
    if not len(names) or (named is None and not all(isinstance(each, str) for each in names)):
        return values, None
    return values, tuple(str(name).strip() for name in names)


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return np.nan


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
