"""One column for each map of weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from brainsieve.atlas.base import Atlas, Mask, Placed, fill_of, listed, plural_of
from brainsieve.atlas.placing import moved
from brainsieve.engine.domain import Domain, VoxelGrid
from brainsieve.engine.source import streamed
from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.average import SparseOperator
from brainsieve.engine.spatial.least_squares import LeastSquares
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.spatial.resample import resample
from brainsieve.logs import warn

# Maps that are fuller than this are held as dense arrays: CSR takes 12 bytes for each weight.
DENSE_ABOVE = 0.3


@dataclass(frozen=True, eq=False)
class Maps(Atlas):
    """Maps of weights.

    Attributes
    ----------
    domain : Domain
    weights : sparse array of shape (n_maps, n_points)
        Not masked.
    masked_out : bool array of shape (n_maps,)
        Maps without weight in the mask that are kept as columns of 0.
    mask : Mask or None
        Points outside have no weight.
    as_given : bool
        Whether the weights are those of the image, in its own dtype and order.
    given_names : tuple of str or None
    """

    domain: Domain
    weights: sparse.csr_array
    masked_out: NDArray[np.bool_]
    mask: Mask | None = None
    as_given: bool = False
    given_names: tuple[str, ...] | None = None

    @classmethod
    def of_source(
        cls,
        source: Source,
        *,
        mask: Mask | None = None,
        keeps_masked: bool | None = None,
        point: str = "voxel",
        names: tuple[str, ...] | None = None,
    ) -> Maps:
        """The maps of an image.

        Parameters
        ----------
        source : Source
            A map in each sample; what is not finite has weight 0, with a warning.
        mask : Mask, optional
        keeps_masked : bool, optional
            Whether maps without weight in the mask are kept, as columns of 0. None: they are not, and nothing
            is said of a parameter.
        point : str, default="voxel"
            What a point is called in messages.
        names : tuple of str, optional
            Of the maps; used where they tell all of them apart and none is dropped.

        Raises
        ------
        ValueError
            If all weights are 0, in the mask or everywhere.
        """
        weights, n_bad = _weights_of(source, point)
        as_given = not n_bad and source.dtype.kind == "f" and not source.is_single
        if weights.nnz == 0:
            raise ValueError(f"maps_img has no weight: every {point} of every map is 0.")
        n_maps = weights.shape[0]
        masked_out = np.zeros(n_maps, dtype=bool)
        if mask is not None:
            outside = _without_weight_in(weights, mask.on(source.domain))
            _tell_of_masked(outside, keeps_masked)
            if keeps_masked:
                masked_out = outside
            elif outside.any():
                weights, as_given = weights[~outside], False
                masked_out = np.zeros(weights.shape[0], dtype=bool)
        if names is not None and (len(set(names)) < n_maps or weights.shape[0] < n_maps):
            names = None
        return cls(source.domain, weights, masked_out, mask, as_given, names)

    @property
    def n_features(self) -> int:
        return int(self.weights.shape[0])

    @property
    def names(self) -> tuple[str, ...] | None:
        return self.given_names

    def _content(self) -> tuple[Any, ...]:
        w = self.weights
        mask = None if self.mask is None else self.mask.key
        return self.domain.fingerprint, self.masked_out, w.data, w.indices, w.indptr, mask

    def unmasked_on(self, domain: Domain) -> sparse.csr_array:
        """Weights on a domain: by linear interpolation on grids, by number elsewhere."""
        if domain == self.domain:
            return self.weights
        if isinstance(self.domain, VoxelGrid) and isinstance(domain, VoxelGrid):
            move = resample(self.domain, domain, "linear")
            # A map at a time: all of them dense on a fine grid may take gigabytes.
            rows = [
                sparse.csr_array(move.forward(self.weights[[i]].toarray()).astype(self.weights.dtype))
                for i in range(self.n_features)
            ]
            return sparse.vstack(rows, format="csr")
        n_points = self.weights.shape[1]
        numbers = moved(np.arange(n_points), self.domain, domain, outside=-1)
        inside = np.flatnonzero(numbers >= 0)
        ones = np.ones(len(inside), self.weights.dtype)
        move = sparse.csr_array((ones, (numbers[inside], inside)), shape=(n_points, len(numbers)))
        weights = sparse.csr_array(self.weights @ move)
        weights.sum_duplicates()
        return weights

    def on(self, domain: Domain) -> PlacedMaps:
        weights = self.unmasked_on(domain)
        if self.mask is not None:
            inside = self.mask.on(domain).astype(weights.dtype)
            weights = sparse.csr_array(weights @ sparse.diags_array(inside))
            weights.eliminate_zeros()
        empty = np.diff(weights.indptr) == 0
        # A map of zeros has nothing to lose: its signal is 0 everywhere.
        lost = np.flatnonzero(empty & (np.diff(self.weights.indptr) > 0))
        return PlacedMaps(domain, weights, lost, fill_of(lost, self.masked_out))

    def coverage(
        self, domain: Domain, has_data: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        weights = abs(self.on(self.domain).weights)
        there = moved(has_data, domain, self.domain, outside=False)
        expected = np.asarray(weights.sum(axis=1), dtype=np.float64).ravel()
        return expected, np.asarray(weights @ there.astype(np.float64)).ravel()


class PlacedMaps(Placed):
    """Maps on the points of a domain.

    Parameters
    ----------
    domain : Domain
    weights : sparse array of shape (n_maps, n_points)
        0 outside the mask.
    lost : array of int
    fill : array
    """

    def __init__(
        self, domain: Domain, weights: sparse.csr_array, lost: NDArray[np.intp], fill: NDArray[np.float64]
    ) -> None:
        self.domain, self.weights, self.lost, self.fill = domain, weights, lost, fill
        self.sizes = np.diff(weights.indptr)

    def operator(self, strategy: str | None = "least_squares", folded: bool = False) -> SpatialOperator:
        if strategy == "weighted_mean":
            return SparseOperator(_mean_weights(self.weights))
        full = self.weights.nnz / max(1, self.weights.shape[0] * self.weights.shape[1])
        # Sparse or dense, whichever multiplies faster.
        return LeastSquares.from_maps(self.weights.toarray() if full > DENSE_ABOVE else self.weights)

    def touching(self) -> SpatialOperator:
        return SparseOperator(abs(self.weights))

    def back(self, signals: NDArray, dtype: Any) -> NDArray:
        values = np.asarray(signals @ self.weights)
        return values.astype(dtype if np.dtype(dtype).kind == "f" else np.float64, copy=False)

    def refuse_overlap(self, point: str = "voxel") -> None:
        """Raise ValueError if a point has a positive weight in several maps."""
        positive = self.weights > 0
        shared = np.flatnonzero(np.asarray(positive.sum(axis=0)).ravel() > 1)
        if not len(shared):
            return
        first = int(shared[0])
        sharing = np.flatnonzero(np.asarray(positive[:, [first]].todense()).ravel())
        where: Any = first
        if isinstance(self.domain, VoxelGrid):
            where = tuple(int(i) for i in np.unravel_index(first, self.domain.shape, order="F"))
        raise ValueError(
            f"allow_overlap is False, but {len(shared)} points have a positive weight in several maps; "
            f"{point} {where}, for one, in the maps {listed(sharing.tolist())} (positions from 0)."
        )


def _weights_of(source: Source, point: str) -> tuple[sparse.csr_array, int]:
    """Maps as a sparse matrix, read a block at a time, and how many points were not finite."""
    wide = source.value_dtype.kind == "f" and source.value_dtype.itemsize > 4
    pieces, bad = [], np.zeros(source.domain.n_points, dtype=bool)
    with streamed(source, dtype=np.float64 if wide else np.float32) as blocks:
        for block in blocks:
            finite = np.isfinite(block.values)
            bad[block.points] |= ~finite.all(axis=0)
            pieces.append(sparse.csr_array(np.where(finite, block.values, 0)))
    n_bad = int(bad.sum())
    if n_bad:
        warn(f"maps_img has {n_bad} {plural_of(point)} that are NaN or infinite; they have weight 0.")
    put_together = sparse.hstack if source.points_first else sparse.vstack
    maps = sparse.csr_array(put_together(pieces, format="csr"))
    maps.sum_duplicates()  # and so mark it as sorted: nothing is left for `transform` to tidy up
    return maps, n_bad


def _without_weight_in(weights: sparse.csr_array, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    # Weights of both signs may sum to 0 where there are some.
    sizes = abs(weights)
    return np.asarray((sizes @ inside.astype(np.float64) == 0) & (sizes.sum(axis=1) > 0))


def _tell_of_masked(outside: NDArray[np.bool_], keeps: bool | None) -> None:
    if outside.all():
        raise ValueError("mask_img leaves no map of maps_img: they do not overlap.")
    if not outside.any():
        return
    fate = "are kept as columns of 0" if keeps else "are dropped for all images"
    because = "" if keeps is None else f" (keep_masked_maps={keeps})"
    warn(
        f"{int(outside.sum())} maps of maps_img have no weight inside mask_img and {fate}{because}; "
        f"their positions, from 0: {listed(np.flatnonzero(outside).tolist())}."
    )


def _mean_weights(weights: sparse.csr_array) -> sparse.csr_array:
    """Rows that sum to 1."""
    totals = np.asarray(weights.sum(axis=1), dtype=np.float64).ravel()
    sizes = np.asarray(abs(weights).sum(axis=1), dtype=np.float64).ravel()
    # Relative to their size: sums of float32 weights that cancel leave rounding behind.
    cancel = np.flatnonzero((np.abs(totals) <= 1e-9 * sizes) & (sizes > 0))
    if len(cancel):
        raise ValueError(
            f"strategy='weighted_mean': the weights of the maps {listed(cancel.tolist())} "
            "(positions from 0) sum to 0, so they have no mean; use strategy='least_squares'."
        )
    scale = np.divide(1.0, totals, out=np.zeros_like(totals), where=totals != 0)
    return sparse.csr_array(sparse.diags_array(scale) @ weights)
