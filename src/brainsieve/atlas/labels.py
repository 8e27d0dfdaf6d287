"""One column for each region of a map of labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.atlas.base import Atlas, Mask, Placed, fill_of, listed, plural_of
from brainsieve.atlas.placing import moved
from brainsieve.atlas.region_table import region_table
from brainsieve.engine.domain import Domain
from brainsieve.engine.spatial.average import Average, Regions
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.spatial.reduce import Reduce
from brainsieve.logs import warn

if TYPE_CHECKING:
    import pandas as pd

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
# "eigenvariate" is extracted from cleaned voxels by its own passes; its place in space is that of a mean.
LINEAR_STRATEGIES = ("mean", "sum", "eigenvariate")

# Voxels of an atlas that are looked up at a time.
PART = 2**18


@dataclass(frozen=True, eq=False)
class Labels(Atlas):
    """Regions, known by the column of each point.

    Attributes
    ----------
    domain : Domain
    codes : array of int, shape (n_points,)
        Column of each point, -1 outside every region.
    ids : array of shape (n_features,)
        Ascending, without the background.
    table : pandas.DataFrame
        ``index``, ``name`` and what else is known of the regions and of the background, if it is there.
    background : number
        The value that is no region.
    has_background : bool
        Whether it is among the values.
    masked_out : bool array of shape (n_features,)
        Regions wholly outside the mask that are kept as columns of 0.
    mask : Mask or None
        Points outside belong to no region.
    """

    domain: Domain
    codes: NDArray[np.signedinteger]
    ids: NDArray
    table: pd.DataFrame
    background: float
    has_background: bool
    masked_out: NDArray[np.bool_]
    mask: Mask | None = None

    @classmethod
    def of_values(
        cls,
        values: NDArray,
        domain: Domain,
        *,
        background: float = 0,
        labels: Any = None,
        lut: Any = None,
        mask: Mask | None = None,
        keeps_masked: bool | None = None,
    ) -> Labels:
        """The regions of a map of ids.

        Parameters
        ----------
        values : array of shape (n_points,)
            As `checked_ids` gives them.
        domain : Domain
        background : number, default=0
        labels, lut
            Names, as `region_table` takes them.
        mask : Mask, optional
        keeps_masked : bool, optional
            Whether regions wholly outside the mask are kept, as columns of 0. None: they are not, and nothing
            is said of a parameter.

        Raises
        ------
        ValueError, TypeError
            If the mask leaves none, or names are not what they should be.
        """
        ids = distinct(values)
        has_background = bool((ids == background).any())
        ids = ids[ids != background]
        table = region_table(ids, background, has_background, labels, lut)
        masked_out = np.zeros(len(ids), dtype=bool)
        if mask is not None:
            outside = ~np.isin(ids, np.unique(values[mask.on(domain)]))
            ids, masked_out = _without(ids, outside, table, keeps_masked)
        used = table["index"].isin(ids)
        if has_background:
            used |= table["index"] == background
        table = table[used].reset_index(drop=True)
        return cls(domain, codes_of(values, ids), ids, table, background, has_background, masked_out, mask)

    @property
    def n_features(self) -> int:
        return len(self.ids)

    @property
    def names(self) -> list[str]:
        return self.rows["name"].tolist()

    @property
    def rows(self) -> pd.DataFrame:
        """Rows of the table, one for each column."""
        return self.table[self.table["index"].isin(self.ids)]

    def _content(self) -> tuple[Any, ...]:
        mask = None if self.mask is None else self.mask.key
        return self.domain.fingerprint, self.codes, self.masked_out, mask

    def on(self, domain: Domain) -> PlacedLabels:
        codes = moved(self.codes, self.domain, domain, outside=-1)
        if self.mask is not None:
            codes = np.where(self.mask.on(domain), codes, codes.dtype.type(-1))
        return PlacedLabels(domain, codes, self.masked_out)

    def coverage(
        self, domain: Domain, has_data: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        # Counted among the atlas's own points, which are also there where the image ends.
        here = self.on(self.domain)
        there = moved(has_data, domain, self.domain, outside=False)
        found = np.bincount(here.codes[(here.codes >= 0) & there], minlength=self.n_features)
        return here.sizes.astype(np.float64), found.astype(np.float64)


class PlacedLabels(Placed):
    """Regions on the points of a domain.

    Parameters
    ----------
    domain : Domain
    codes : array of int, shape (n_points,)
    masked_out : bool array of shape (n_features,)
    """

    def __init__(
        self, domain: Domain, codes: NDArray[np.signedinteger], masked_out: NDArray[np.bool_]
    ) -> None:
        self.domain, self.codes = domain, codes
        self.sizes = np.bincount(codes[codes >= 0], minlength=len(masked_out))
        self.lost = np.flatnonzero(self.sizes == 0)
        self.fill = fill_of(self.lost, masked_out)

    def operator(self, strategy: str | None = "mean", folded: bool = False) -> SpatialOperator:
        n = len(self.sizes)
        if strategy not in LINEAR_STRATEGIES:
            return Reduce.from_codes(self.codes, n, str(strategy))
        kind = Regions if folded else Average
        return kind.from_codes(self.codes, n, "sum" if strategy == "sum" else "mean")

    def touching(self) -> SpatialOperator:
        return Average.from_codes(self.codes, len(self.sizes), "mean")

    def back(self, signals: NDArray, dtype: Any) -> NDArray:
        inside = self.codes >= 0
        values = np.zeros((*signals.shape[:-1], len(self.codes)), dtype=dtype)
        values[..., inside] = signals[..., self.codes[inside]]
        return values

    def ids(self, ids: NDArray, background: float) -> NDArray:
        """The id of each point, as integers: int32 where they fit, else int64.

        Ids that are whole numbers but for rounding (7002.9999) are rounded.
        """
        # float64 holds no int64 beyond 2**53: integers stay as they are.
        whole = np.round(
            np.asarray([background, *ids.tolist()], dtype=np.float64 if ids.dtype.kind == "f" else None)
        )
        narrow = np.iinfo(np.int32)
        dtype = np.int32 if (whole >= narrow.min).all() and (whole <= narrow.max).all() else np.int64
        of_code: NDArray[Any] = whole.astype(dtype)
        return np.asarray(of_code[self.codes.astype(np.intp) + 1])


def checked_ids(values: NDArray, background: float, point: str = "voxel") -> NDArray:
    """Ids of points: NaN as background, almost whole numbers as whole ones, with warnings of what looks like no atlas.

    Raises
    ------
    ValueError
        If every point is background.
    """
    if values.dtype.kind == "f":
        bad = ~np.isfinite(values)
        if bad.any():
            warn(
                f"labels_img has {int(bad.sum())} {plural_of(point)} that are NaN or infinite; "
                f"they are background ({background:g})."
            )
            values = np.where(bad, values.dtype.type(background), values)
        values = _whole(values)
    elif values.dtype == bool:
        values = values.astype(np.uint8)
    if not (values != background).any():
        raise ValueError(f"labels_img has no region: every {point} is the background ({background:g}).")
    return values


# Ids that a float32 step of other software left this near to whole numbers are these numbers.
NEARLY_WHOLE = 1e-3


def _whole(values: NDArray) -> NDArray:
    fractions = distinct(values[values != np.floor(values)])
    if not len(fractions):
        return values
    off = np.abs(fractions - np.round(fractions)) > NEARLY_WHOLE
    if not off.all():
        warn(
            f"labels_img has values that are nearly whole numbers ({_few(fractions[~off])}); they are rounded. "
            "Was it written as floating numbers?"
        )
        near = np.abs(values - np.round(values)) <= NEARLY_WHOLE
        values = np.where(near, np.round(values), values)
    if off.any():
        warn(
            f"labels_img has {int(off.sum())} values that are no whole numbers ({_few(fractions[off])}); "
            "each is taken as a region of its own. Were labels interpolated, or are these maps of weights, "
            "for a masker of maps?"
        )
    return values


def _few(values: NDArray) -> str:
    return ", ".join(f"{value:.8g}" for value in values[:3]) + ("…" if len(values) > 3 else "")


def _without(
    ids: NDArray, outside: NDArray[np.bool_], table: pd.DataFrame, keeps: bool | None
) -> tuple[NDArray, NDArray[np.bool_]]:
    """Ids and which of them are masked out, those wholly outside a mask dropped (hence for all runs) or kept."""
    if outside.all():
        raise ValueError("mask_img leaves no region of labels_img: they do not overlap.")
    if not outside.any():
        return ids, outside
    names = table["name"][table["index"].isin(ids[outside])].tolist()
    fate = "are kept as columns of 0" if keeps else "are dropped for all images"
    because = "" if keeps is None else f" (keep_masked_labels={keeps})"
    warn(
        f"{len(names)} regions of labels_img lie wholly outside mask_img and {fate}{because}: {listed(names)}."
    )
    return (ids, outside) if keeps else (ids[~outside], np.zeros(int((~outside).sum()), dtype=bool))


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
    return np.unique(np.concatenate(found)) if found else np.unique(values)
