"""Tables of clusters: where their peaks are, how high, and how large the clusters are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainsieve.checks import a_bool, a_count, a_number, found
from brainsieve.engine.domain import apply_affine
from brainsieve.image.forms import ImageForm, SurfaceForm, VolumeForm
from brainsieve.image.masks import components
from brainsieve.image.thresholds import checked_threshold
from brainsieve.logs import warn
from brainsieve.stat_maps.reading import StatMap, read_map
from brainsieve.typing import ImageLike

VOLUME_COLUMNS = ["Cluster ID", "X", "Y", "Z", "Peak Stat", "Cluster Size (mm3)"]
SURFACE_COLUMNS = ["Cluster ID", "Hemisphere", "Peak Stat", "Cluster Size (vertices)"]
# Further peaks of a cluster, and how their rows are called after the cluster's number.
SUBPEAKS = "abc"


def get_clusters_table(
    stat_img: ImageLike,
    stat_threshold: float,
    cluster_threshold: int = 0,
    two_sided: bool = False,
    min_distance: float = 8.0,
    return_label_maps: bool = False,
) -> Any:
    """List the clusters of a map, with their peaks.

    Parameters
    ----------
    stat_img : image-like or SurfaceImage
        Of one sample. What is not finite belongs to no cluster.
    stat_threshold : float
        Height that the voxels of a cluster exceed; vertices may equal it. Negative, where `two_sided` is False:
        clusters of values below it.
    cluster_threshold : int, default=0
        Clusters of fewer voxels or vertices are left out.
    two_sided : bool, default=False
        Clusters below minus the threshold follow those above the threshold.
    min_distance : float, default=8.0
        Peaks of a cluster of voxels are gone through from the highest on, and each that is kept decides anew on those
        that follow it: out at this distance in mm or nearer, in beyond. All shown are that far from the one above.
    return_label_maps : bool, default=False

    Returns
    -------
    table : pandas.DataFrame
        Of a volume, a row for each cluster, from the highest peak on, with ``Cluster ID``, ``X``, ``Y``, ``Z`` of the
        peak in mm, ``Peak Stat`` and ``Cluster Size (mm3)``, rounded down; each is followed by up to three further
        peaks (``1a``, ``1b``, ``1c``), whose size is empty. The peak of a plateau is its voxel nearest to its centre.
        IDs of negative clusters follow the number of rows above. Of a surface, a row for each cluster, by hemisphere
        and vertex, with ``Cluster ID`` (text), ``Hemisphere``, ``Peak Stat`` and ``Cluster Size (vertices)``.
    label_maps : list of images
        If `return_label_maps`: the ID of the cluster at each point, 0 where none is; one image, or with `two_sided`
        two, of the clusters above and of those below.

    Raises
    ------
    TypeError, ValueError
        For a map of several samples, a surface without meshes, and parameters that are none.

    Warns
    -----
    UserWarning
        If there is no cluster, or points are not finite.
    """
    import pandas as pd

    _check(stat_threshold, cluster_threshold, two_sided, min_distance, return_label_maps)
    stat_map = read_map(stat_img)
    on_surface = isinstance(stat_map.form, SurfaceForm)
    rows: list[list[Any]] = []
    label_maps = []
    for sign in _signs(stat_threshold, two_sided):
        side = _Side(stat_map, sign, abs(stat_threshold), cluster_threshold)
        # As in the peer, numbers go on from the rows above, not from the clusters.
        ids: dict[tuple[str, int], int] = {}
        found_rows = (
            _vertex_rows(side, ids, len(rows)) if on_surface else _rows(side, ids, len(rows), min_distance)
        )
        rows += list(found_rows)
        label_maps.append(side.image_of(ids))
    if not rows:
        warn(
            f"No cluster of stat_img passes stat_threshold={stat_threshold}, cluster_threshold={cluster_threshold}."
        )
    table = pd.DataFrame(rows, columns=SURFACE_COLUMNS if on_surface else VOLUME_COLUMNS)
    return (table, label_maps) if return_label_maps else table


def _check(threshold: Any, cluster_threshold: Any, two_sided: Any, min_distance: Any, maps: Any) -> None:
    a_bool("two_sided", two_sided)
    a_bool("return_label_maps", maps)
    a_count("cluster_threshold", cluster_threshold)
    a_number("min_distance", min_distance)
    if isinstance(threshold, str):
        raise TypeError(f"stat_threshold must be a number; {found(threshold)} was given.")
    if isinstance(threshold, float | np.floating) and np.isnan(threshold):
        raise ValueError(f"stat_threshold must be no NaN; {found(threshold)} was given.")
    try:
        checked_threshold(threshold, two_sided)
    except (TypeError, ValueError) as error:
        raise type(error)(f"stat_{error}") from None


def _signs(threshold: float, two_sided: bool) -> tuple[int, ...]:
    if two_sided:
        return (1, -1)
    return (1,) if threshold >= 0 else (-1,)


@dataclass(frozen=True)
class _Side:
    """One sign of a map.

    Attributes
    ----------
    stat_map : StatMap
    sign : {1, -1}
    threshold : float
        Not negative.
    least : int
        Points of a cluster.
    """

    stat_map: StatMap
    sign: int
    threshold: float
    least: int

    @property
    def form(self) -> ImageForm:
        return self.stat_map.form

    @property
    def heights(self) -> NDArray:
        """Values, positive on this side, in a dtype that has both signs."""
        values = self.stat_map.values
        return (
            values.dtype.type(self.sign) * values
            if values.dtype.kind == "f"
            else self.sign * values.astype(np.int64)
        )

    def clusters(self) -> dict[str, tuple[NDArray[np.intp], NDArray[np.intp], NDArray]]:
        """Numbers of the clusters of each part, their sizes (0: left out), and heights."""
        heights = self.heights
        above = np.greater_equal if isinstance(self.form, SurfaceForm) else np.greater
        inside = self.form.arrays(self.stat_map.tested & above(heights, self.threshold))
        parts = self.form.arrays(heights)
        found_ = {}
        for part, (labels, sizes) in components(inside, self.form).items():
            sizes = np.where(sizes < self.least, 0, sizes)
            sizes[0] = 0
            found_[part] = (labels, sizes, parts[part])
        return found_

    def image_of(self, ids: dict[tuple[str, int], int]) -> Any:
        """An image of the IDs of clusters, given by part and number."""
        arrays = {}
        for part, (labels, sizes, _) in self.clusters().items():
            table = np.array([ids.get((part, label), 0) for label in range(len(sizes))], dtype=np.int32)
            arrays[part] = table[labels]
        return self.form.image_of(arrays, copy_header=False)


def _rows(
    side: _Side, ids: dict[tuple[str, int], int], n_above: int, min_distance: float
) -> Iterator[list[Any]]:
    """Rows of the clusters of a volume; their IDs are written to `ids`."""
    assert isinstance(side.form, VolumeForm)
    affine = side.form.domain.affine
    voxel_mm3 = abs(np.linalg.det(affine[:3, :3]))
    ((part, (labels, sizes, heights)),) = side.clusters().items()
    kept = np.flatnonzero(sizes)
    highest = ndimage.maximum(heights, labels, kept) if len(kept) else np.zeros(0)
    boxes = ndimage.find_objects(labels)
    # Equal peaks come in NumPy's order, the peer's.
    for position, label in enumerate(kept[np.argsort(-np.asarray(highest))]):
        number = ids[part, int(label)] = n_above + position + 1
        box = boxes[label - 1]
        cluster = np.where(labels[box] == label, heights[box], 0)
        voxels, values = _peaks(cluster, np.array([axis.start for axis in box]))
        places = apply_affine(affine, voxels)
        shown = _apart(places, min_distance)[: 1 + len(SUBPEAKS)]
        for which, name in zip(shown, ("", *SUBPEAKS), strict=False):
            # Sizes are whole; what rounding took off a whole number is given back first.
            size = "" if name else int(round(float(sizes[label] * voxel_mm3), 6))
            value = side.sign * values[which]
            yield [f"{number}{name}" if name else number, *places[which].tolist(), value, size]


def _peaks(cluster: NDArray, corner: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray]:
    """Voxels of local maxima among the 26 neighbours, and their values, from the highest on.

    Parameters
    ----------
    cluster : array of shape (nx, ny, nz)
        Positive inside, 0 outside.
    corner : array of int, shape (3,)
        The voxel of the map that its first one is.
    """
    maxima = (cluster == ndimage.maximum_filter(cluster, 3)) & (cluster > 0)
    plateaus, n = ndimage.label(maxima)
    # Centres are of voxels of the map, as a half is rounded to the even one.
    mass = ndimage.sum_labels(cluster, plateaus, np.arange(1, n + 1))
    grids = np.ogrid[tuple(slice(a, a + size) for a, size in zip(corner, cluster.shape, strict=True))]
    sums = [ndimage.sum_labels(cluster * grid.astype(float), plateaus, np.arange(1, n + 1)) for grid in grids]
    voxels = np.rint(np.stack(sums, axis=1) / mass[:, None]).astype(np.intp) - corner
    for k in np.flatnonzero(plateaus[tuple(voxels.T)] == 0):
        # The centre of a ring is not on it.
        own = np.argwhere(plateaus == k + 1)
        voxels[k] = own[((own - voxels[k]) ** 2).sum(axis=1).argmin()]
    values = cluster[tuple(voxels.T)]
    order = np.argsort(-values)
    return voxels[order] + corner, values[order]


def _apart(places: NDArray, min_distance: float) -> list[int]:
    """Which places are shown: each decides anew on all that follow it, as in the peer."""
    keep = np.ones(len(places), dtype=bool)
    for i in range(len(places)):
        if keep[i]:
            keep[i + 1 :] = np.linalg.norm(places[i + 1 :] - places[i], axis=1) > min_distance
    return np.flatnonzero(keep).tolist()


def _vertex_rows(side: _Side, ids: dict[tuple[str, int], int], n_above: int) -> Iterator[list[Any]]:
    """Rows of the clusters of a surface; their IDs are written to `ids`."""
    number = n_above
    for part, (labels, sizes, heights) in side.clusters().items():
        for label in np.flatnonzero(sizes):
            number += 1
            ids[part, int(label)] = number
            peak = side.sign * heights[labels == label].max()
            yield [str(number), part, peak, int(sizes[label])]
