"""Connected pieces of maps, held as sparse rows: their bytes are those of the voxels that are in one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from brainsieve.engine.domain import VoxelGrid, apply_affine
from brainsieve.engine.spatial.smooth import Fwhm
from brainsieve.logs import warn
from brainsieve.regions.walker import around_peaks, peaks

EXTRACTORS = ("connected_components", "local_regions")
# Pieces that a warning tells of.
N_TOLD = 5


@dataclass(frozen=True)
class Piece:
    """A connected piece of a map: position from 0 of the map, volume, and where its largest absolute value is."""

    source: int
    volume_mm3: float
    position_mm: tuple[float, float, float]

    def __str__(self) -> str:
        where = ", ".join(f"{x:.4g}" for x in self.position_mm)
        return f"map {self.source}: {self.volume_mm3:.6g} mm³ around ({where}) mm"


@dataclass(frozen=True)
class Pieces:
    """Pieces of maps that are large enough.

    Attributes
    ----------
    rows : sparse array of shape (n_regions, n_points)
        Values of the map in the region, 0 elsewhere; map by map.
    sources : tuple of int
        Position, from 0, of each region's map.
    largest_mm3 : float
        Volume of the largest connected piece of a map, kept or not; 0 where the maps are 0.
    """

    rows: sparse.csr_array
    sources: tuple[int, ...]
    largest_mm3: float


def split(
    volumes: Iterable[NDArray],
    grid: VoxelGrid,
    extractor: str,
    min_region_size: float,
    fwhm: Fwhm | None,
    distance_mm: float | None = None,
) -> Pieces:
    """Cut maps into connected regions.

    Parameters
    ----------
    volumes : iterable of arrays of shape `grid.shape`
        Finite; what is 0 is in no region.
    grid : VoxelGrid
    extractor : {"connected_components", "local_regions"}
    min_region_size : float
        In mm³; regions must be larger.
    fwhm : as `checked_fwhm` gives it
        Of the smoothing before peaks are looked for.
    distance_mm : float, optional
        See `walker.peaks`.

    Returns
    -------
    pieces : Pieces

    Warns
    -----
    UserWarning
        Of pieces larger than `min_region_size` that hold no peak, hence are lost ("local_regions").
    """
    cut: Callable[..., NDArray[np.intp]] = {"local_regions": _around_peaks}.get(extractor, _whole)
    voxel_mm3 = abs(float(np.linalg.det(grid.affine[:3, :3])))
    least = voxels_in(min_region_size, grid)
    rows, sources, lost, largest = [], [], [], 0
    for source, volume in enumerate(volumes):
        components = ndimage.label(volume != 0)[0]
        labels = cut(volume, components, grid, fwhm, distance_mm)
        kept = _rows_of(volume, labels, least, grid)
        rows.append(kept)
        sources += [source] * kept.shape[0]
        sizes = np.bincount(components.ravel())
        sizes[0] = 0
        largest = max(largest, int(sizes.max()))
        without = np.setdiff1d(np.flatnonzero(sizes > least), np.unique(components[labels > 0]))
        lost += [_piece(volume, components == piece, source, grid) for piece in without]
    _tell_of_lost(lost)
    put_together = sparse.csr_array(sparse.vstack(rows, format="csr"))
    return Pieces(put_together, tuple(sources), largest * voxel_mm3)


def voxels_in(mm3: float, grid: VoxelGrid) -> float:
    """How many voxels a volume is; a little more than that, so that a determinant's rounding drops no comparison."""
    return mm3 / abs(float(np.linalg.det(grid.affine[:3, :3]))) * (1 + 1e-9)


def _whole(volume: NDArray, components: NDArray[np.intp], *_: object) -> NDArray[np.intp]:
    return components


def _around_peaks(
    volume: NDArray,
    components: NDArray[np.intp],
    grid: VoxelGrid,
    fwhm: Fwhm | None,
    distance_mm: float | None,
) -> NDArray[np.intp]:
    return around_peaks(volume, components, peaks(volume, grid, fwhm, distance_mm))


def _rows_of(volume: NDArray, labels: NDArray[np.intp], least: float, grid: VoxelGrid) -> sparse.csr_array:
    """The map's values in each labelled region of more than `least` voxels, by label."""
    flat = grid.flatten(labels)
    sizes = np.bincount(flat)
    sizes[0] = 0
    wanted = np.flatnonzero((sizes > least) & (sizes > 0))
    row_of = np.full(len(sizes), -1, dtype=np.intp)
    row_of[wanted] = np.arange(len(wanted))
    points = np.flatnonzero(row_of[flat] >= 0)
    shape = (len(wanted), grid.n_points)
    at = (row_of[flat[points]], points)
    return sparse.csr_array(sparse.coo_array((grid.flatten(volume)[points], at), shape=shape))


def _piece(volume: NDArray, inside: NDArray[np.bool_], source: int, grid: VoxelGrid) -> Piece:
    top = np.unravel_index(int(np.argmax(np.abs(np.where(inside, volume, 0)))), volume.shape)
    x, y, z = apply_affine(grid.affine, np.array(top, dtype=np.float64)).tolist()
    size = float(inside.sum()) * abs(float(np.linalg.det(grid.affine[:3, :3])))
    return Piece(source, size, (x, y, z))


def _tell_of_lost(lost: list[Piece]) -> None:
    if not lost:
        return
    some = "; ".join(map(str, sorted(lost, key=lambda piece: -piece.volume_mm3)[:N_TOLD]))
    more = f"; and {len(lost) - N_TOLD} more" if len(lost) > N_TOLD else ""
    warn(
        f"local_regions: {len(lost)} connected pieces of the maps larger than min_region_size hold no peak and are in "
        f"no region (maps counted from 0): {some}{more}. A peak is positive and the largest value around it, within "
        "10 voxels or peak_distance_mm; 'connected_components' keeps them all."
    )
