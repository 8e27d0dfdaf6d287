"""Maskers of domains whose points are matched, never resampled: what surfaces and CIFTI have in common.

Vertices and grayordinates are numbered: a point of an atlas is a point of an image or it is not. The three kinds
of masker are written here once; `surface` and `cifti` say how images are opened, matched, smoothed and made.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from brainsieve.engine.domain import Domain
from brainsieve.engine.source import read_all, streamed
from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.average import SparseOperator
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.spatial.plan import fold
from brainsieve.engine.spatial.select import Select
from brainsieve.exceptions import DimensionError
from brainsieve.maskers.base import MaskerContract, displayed_positions
from brainsieve.maskers.labels import LabelColumns, codes_of, distinct
from brainsieve.maskers.maps import MapColumns
from brainsieve.maskers.parameters import a_bool, found, one_of
from brainsieve.maskers.recipe import Recipe, plural_of

WHY_LOST = "The image leaves these points out."


class PointsMasker(MaskerContract):
    """A masker whose domain is points that are the same from image to image.

    A subclass opens images (`_open_one`), brings values from the domain it was fitted to to another
    (`_moved`), smooths (`_smoothing`), and makes images (`_made`).
    """

    _point = "point"
    _domain: Any

    @abstractmethod
    def _open_one(self, img: Any, name: str) -> Source:
        """The source of a mask, labels or maps, checked to be of this masker's kind."""

    @abstractmethod
    def _moved(self, values: NDArray, origin: Domain, domain: Domain, outside: float) -> NDArray:
        """Values (n_points,) of one domain on another; `outside` where the first has no such point."""

    @abstractmethod
    def _smoothing(self, domain: Domain) -> list[SpatialOperator]:
        """Operators that smooth on a domain, to be applied in turn."""

    @abstractmethod
    def _made(self, values: NDArray) -> Any:
        """An image of values (n_points,) or (n_samples, n_points) on the masker's own domain."""

    def _one_map(self, img: Any, name: str) -> tuple[NDArray, Domain]:
        """Values (n_points,) of an image of one map."""
        source = self._open_one(img, name)
        if source.n_samples != 1:
            raise DimensionError(2, 1, f"{name} ({source.name}, {source.n_samples} samples)")
        return read_all(source)[0], source.domain

    def _mask_values(self) -> tuple[NDArray[np.bool_], Domain]:
        """Points of `mask_img`: finite and not 0."""
        values, domain = self._one_map(self.mask_img, "mask_img")
        finite = np.isfinite(values) if values.dtype.kind == "f" else np.ones(len(values), dtype=bool)
        if not finite.all():
            self._warn(
                f"mask_img: {int((~finite).sum())} {plural_of(self._point)} are NaN or infinite; "
                "they are outside the mask."
            )
        mask = finite & (values != 0)
        if not mask.any():
            raise ValueError(f"mask_img is empty: no {self._point} is finite and other than 0.")
        return mask, domain

    def _mask_on_own_domain(self) -> NDArray[np.bool_] | None:
        """`mask_img` on the domain of the atlas; None where there is none."""
        if self.mask_img is None:
            return None
        mask, domain = self._mask_values()
        return self._moved(mask, domain, self._domain, outside=False)

    def _domain_content(self) -> tuple[Any, ...]:
        return (self._domain.fingerprint,)

    def _background_at(self) -> NDArray | None:
        """What the report shows behind the regions, on the masker's own domain."""
        if self._background is None:
            return None
        origin, values = self._background_volume()
        values = np.where(np.isfinite(values), values, 0).astype(np.float64)
        return self._moved(values, origin, self._domain, outside=0.0)

    def _canvas(self, place: Any) -> Any:
        """Where layers of the report are drawn."""
        raise NotImplementedError


class PointColumns(PointsMasker):
    """One column for each point of a mask."""

    _column = "point"
    _voxelwise = True

    def _computed_mask(self, imgs: Any) -> tuple[NDArray[np.bool_], Domain]:
        """Points that are finite in every sample of every image."""
        if imgs is None:
            raise ValueError(
                "Neither mask_img nor images to compute a mask from were given: construct the masker with "
                "mask_img, or call fit(imgs)."
            )
        mask, domain = None, None
        for img in self._each_image(imgs):
            source = self._open(img)
            if domain is not None and source.domain != domain:
                raise ValueError(
                    f"{source.name} has {source.domain.describe()}, the first image {domain.describe()}; a mask "
                    "is computed from images with the same points."
                )
            finite = finite_points(source)
            mask, domain = (finite if mask is None else mask & finite), source.domain
        assert mask is not None and domain is not None
        if not mask.any():
            raise ValueError(f"No {self._point} is finite in every sample; there is nothing to extract.")
        if not mask.all():
            self._warn(
                f"{int((~mask).sum())} of {len(mask)} {plural_of(self._point)} are NaN or infinite in some "
                "samples; they are outside the mask."
            )
        return mask, domain

    def _each_image(self, imgs: Any) -> Iterable[Any]:
        return [imgs]

    def _warn_of_images_beside_mask(self, imgs: Any) -> None:
        if imgs is not None and not self._in_fit_transform:
            self._warn(
                "fit was given images beside mask_img; no mask is computed from them, mask_img is used.",
                RuntimeWarning,
            )

    def _set_mask(self, mask: NDArray[np.bool_], domain: Domain) -> None:
        self._mask, self._domain = mask, domain
        self.n_elements_ = int(mask.sum())

    @property
    def mask_img_(self) -> Any:
        """Image of the points taken."""
        self._check_is_fitted()
        return self._made(self._mask)

    def _fitted_content(self) -> Any:
        return (*self._domain_content(), self._mask)

    def _compile(self, domain: Domain) -> Recipe:
        # Columns are numbered in the order of the masker's own points, wherever these stand in an image.
        columns = np.full(len(self._mask), -1, dtype=np.int64)
        columns[self._mask] = np.arange(self.n_elements_)
        here = self._moved(columns, self._domain, domain, outside=-1)
        points = np.flatnonzero(here >= 0)
        points = points[np.argsort(here[points], kind="stable")]
        found_columns = here[points]
        lost = np.setdiff1d(np.arange(self.n_elements_), found_columns)
        take: SpatialOperator = Select(points, len(here))
        if len(lost):
            ones = np.ones(len(points))
            take = SparseOperator(
                sparse.csr_array((ones, (found_columns, points)), shape=(self.n_elements_, len(here)))
            )
        chain = self._smoothing(domain)
        return Recipe(
            space=fold([*chain, take]) if chain else take,
            voxelwise=True,
            lost=lost,
            point=self._point,
            why_lost=WHY_LOST,
        )

    def _coverage_counts(
        self, domain: Domain, has_data: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        covered = self._moved(self._mask, self._domain, domain, outside=False) & has_data
        return np.array([self.n_elements_], float), np.array([covered.sum()], float)

    def _image_of(self, signals: NDArray) -> Any:
        dtype = self._inverse_dtype(signals)
        if self._mask.all() and signals.dtype == dtype:
            return self._made(signals)
        values = np.zeros((*signals.shape[:-1], len(self._mask)), dtype=dtype)
        values[..., self._mask] = signals
        return self._made(values)

    def _report_parts(self, displayed: Any) -> Any:
        from brainsieve.reporting import Layer

        facts = {
            f"{plural_of(self._point)} in the mask": f"{self.n_elements_:,}",
            "of all": f"{self.n_elements_ / len(self._mask):.1%}",
        }
        return self._domain, [Layer("mask", self._mask.astype(np.uint8), "mask")], facts, None


class RegionColumns(LabelColumns, PointsMasker):
    """One column for each region of a map of labels."""

    _checks = {"nonfinite": one_of("zero", "omit")}

    def _fit_labels(self, values: NDArray, domain: Domain) -> None:
        """Set the regions of label values (n_points,)."""
        self._domain = domain
        values = self._checked_label_values(values, self._point)
        ids = distinct(values)
        has_background = bool((ids == self.background_label).any())
        ids = ids[ids != self.background_label]
        table = self._named(ids, has_background)
        mask = self._mask_on_own_domain()
        ids = self._ids_left(ids, values, mask, table)
        self._set_regions(table, ids, has_background)
        codes = codes_of(values, ids)
        self._codes = codes if mask is None else np.where(mask, codes, codes.dtype.type(-1))
        self._values, self._mask = values, mask

    @property
    def labels_img_(self) -> Any:
        """Image of the labels as they were given."""
        self._check_is_fitted_here()
        return self._made(self._values)

    @property
    def mask_img_(self) -> Any:
        """Image of the mask on the points of the labels, or None."""
        self._check_is_fitted_here()
        return None if self._mask is None else self._made(self._mask)

    @property
    def region_atlas_(self) -> Any:
        """Image of the regions used, after the mask."""
        self._check_is_fitted_here()
        used = np.full(len(self._codes), self.background_label, dtype=np.int32)
        inside = self._codes >= 0
        used[inside] = self._ids[self._codes[inside]].astype(np.int32)
        return self._made(used)

    def _fitted_content(self) -> Any:
        return (*self._domain_content(), self._masked_out, self._codes)

    def _compile(self, domain: Domain) -> Recipe:
        codes = self._moved(self._codes, self._domain, domain, outside=-1)
        return self._labels_recipe(self._smoothing(domain), codes, point=self._point, why_lost=WHY_LOST)

    def _coverage_counts(
        self, domain: Domain, has_data: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        here = self._moved(self._codes, self._domain, domain, outside=-1)
        expected = np.bincount(self._codes[self._codes >= 0], minlength=self.n_elements_)
        there = np.bincount(here[(here >= 0) & has_data], minlength=self.n_elements_)
        return expected.astype(np.float64), there.astype(np.float64)

    def _natural_dtype(self, source: Source) -> np.dtype:
        small = source.dtype in (np.float32, np.float16)
        return np.dtype(np.float32 if small else np.float64)

    def _dense_values(self, signals: NDArray) -> NDArray:
        inside = self._codes >= 0
        values = np.zeros((*signals.shape[:-1], len(self._codes)), dtype=self._inverse_dtype(signals))
        values[..., inside] = signals[..., self._codes[inside]]
        return values

    def _image_of(self, signals: NDArray) -> Any:
        return self._made(self._dense_values(signals))

    def _report_parts(self, displayed: Any) -> Any:
        import pandas as pd

        from brainsieve.reporting import Layer

        sizes = np.bincount(self._codes[self._codes >= 0], minlength=self.n_elements_)
        many = plural_of(self._point)
        regions = pd.DataFrame(
            {
                "id": self._ids,
                "name": list(self.region_names_.values()),
                many: sizes,
                "share (%)": 100.0 * sizes / max(1, sizes.sum()),
            }
        )
        facts = {
            "regions": f"{self.n_elements_:,}",
            f"{many} in regions": f"{int(sizes.sum()):,}",
            "smallest region": f"{sizes.min():,} {many}",
        }
        layer = Layer("regions", self._codes.astype(np.int32), "labels", self._colours())
        return self._domain, [layer], facts, regions

    def _colours(self) -> list[str] | None:
        """Colour of each column as ``#RRGGBB``, where the look-up table has all."""
        rows = self._region_rows()
        if "color" not in rows.columns or rows["color"].isna().any():
            return None
        colours = ["#" + str(colour).lstrip("#")[:6] for colour in rows["color"]]
        return colours if all(len(colour) == 7 for colour in colours) else None


class WeightColumns(MapColumns, PointsMasker):
    """One column for each map of weights."""

    _checks = {"allow_overlap": a_bool, "strategy": one_of("least_squares", "weighted_mean")}
    _column = "map"
    _displayed_name = "displayed_maps"
    _inverse_name = "region_signals"

    def _fit_maps(self, source: Source) -> None:
        self._domain = source.domain
        self._maps = self._weights_of(source, self._point)
        mask = self._mask_on_own_domain()
        self._drop_masked_maps(mask)
        if mask is not None:
            self._maps = sparse.csr_array(self._maps @ sparse.diags_array(mask.astype(self._maps.dtype)))
            self._maps.eliminate_zeros()
        self.n_elements_ = self._maps.shape[0]
        self._mask = mask
        if not self.allow_overlap:
            self._refuse_overlap(self._maps, self._domain)

    @property
    def maps_img_(self) -> Any:
        """Image of the maps used, after the mask."""
        self._check_is_fitted()
        return self._made(self._maps.toarray())

    @property
    def mask_img_(self) -> Any:
        """Image of the mask on the points of the maps, or None."""
        self._check_is_fitted()
        return None if self._mask is None else self._made(self._mask)

    def _point_name(self, point: int, domain: Any) -> str:
        return f"{self._point} {point}"

    def _fitted_content(self) -> Any:
        maps = self._maps
        return (*self._domain_content(), self._masked_out, maps.data, maps.indices, maps.indptr)

    def _compile(self, domain: Domain) -> Recipe:
        positions = self._moved(np.arange(self._maps.shape[1]), self._domain, domain, outside=-1)
        inside = np.flatnonzero(positions >= 0)
        move = sparse.csr_array(
            (np.ones(len(inside), self._maps.dtype), (positions[inside], inside)),
            shape=(self._maps.shape[1], len(positions)),
        )
        maps = sparse.csr_array(self._maps @ move)
        maps.sum_duplicates()
        return self._maps_recipe(self._smoothing(domain), maps, point=self._point, why_lost=WHY_LOST)

    def _coverage_counts(
        self, domain: Domain, has_data: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        weights = abs(self._maps)
        positions = self._moved(np.arange(weights.shape[1]), self._domain, domain, outside=-1)
        there = np.zeros(weights.shape[1])
        there[positions[(positions >= 0) & has_data]] = 1.0
        return np.asarray(weights.sum(axis=1), dtype=float).ravel(), np.asarray(weights @ there).ravel()

    def _image_of(self, signals: NDArray) -> Any:
        dtype = self._inverse_dtype(signals)
        values = np.asarray(signals @ self._maps)
        return self._made(values.astype(dtype if dtype.kind == "f" else np.float64, copy=False))

    def _report_parts(self, displayed: Any) -> Any:
        import pandas as pd

        from brainsieve.reporting import Layer

        positions = displayed_positions(displayed, self.n_elements_, "displayed_maps")
        names = [str(name) for name in self.get_feature_names_out()]
        layers = [Layer(names[i], self._maps[[i]].toarray()[0], "weights") for i in positions]
        largest = abs(self._maps).max(axis=1).toarray().ravel().astype(float)
        regions = pd.DataFrame(
            {"map": names, plural_of(self._point): np.diff(self._maps.indptr), "largest weight": largest}
        )
        facts = {"maps": f"{self.n_elements_:,}", "shown": f"{len(positions):,}"}
        return self._domain, layers, facts, regions


def finite_points(source: Source) -> NDArray[np.bool_]:
    """Points that are finite in every sample."""
    finite = np.ones(source.domain.n_points, dtype=bool)
    if source.dtype.kind == "f":
        with streamed(source) as blocks:
            for block in blocks:
                finite[block.points] &= np.isfinite(block.values).all(axis=0)
    return finite


def an_isotropic_fwhm(name: str, value: Any) -> None:
    """Check for a number of mm: meshes have no axes."""
    if value is None:
        return
    if isinstance(value, bool | str) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(
            f"{name} must be a number in mm or None here: meshes have no axes; {found(value)} was given."
        )
    if not np.isfinite(value) or value < 0:
        raise ValueError(f"{name} must be finite and not negative; {found(value)} was given.")
