"""Maskers of points that are matched by number, never resampled: what surfaces and CIFTI have in common.

Vertices and grayordinates are numbered: a point of an atlas is a point of an image or it is not.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.atlas import Labels, Maps, Mask
from brainsieve.atlas.base import plural_of
from brainsieve.atlas.labels import checked_ids
from brainsieve.engine.domain import Domain
from brainsieve.engine.source import read_all, streamed
from brainsieve.engine.source.base import Source
from brainsieve.exceptions import DimensionError
from brainsieve.logs import warn
from brainsieve.maskers.estimator import FrozenMasker
from brainsieve.maskers.grid import inside_of


class MatchedMasker(FrozenMasker):
    """What maskers of surfaces and of CIFTI files do at fit. A subclass opens images (`_open_one`)."""

    _point = "point"

    @abstractmethod
    def _open_one(self, img: Any, name: str) -> Source:
        """The source of a mask, labels or maps, checked to be of this masker's kind."""

    def _one_map(self, img: Any, name: str) -> tuple[NDArray, Domain]:
        """Values (n_points,) of an image of one map."""
        source = self._open_one(img, name)
        if source.n_samples != 1:
            raise DimensionError(2, 1, f"{name} ({source.name}, {source.n_samples} samples)")
        return read_all(source)[0], source.domain

    def _mask_values(self) -> tuple[NDArray[np.bool_], Domain]:
        """Points of `mask_img`: finite and not 0."""
        values, domain = self._one_map(self.mask_img, "mask_img")
        return inside_of(values[None], domain, "mask_img", self._point), domain

    def _mask_on(self, domain: Domain) -> Mask | None:
        """`mask_img` on the domain of the atlas; None where there is none."""
        if self.mask_img is None:
            return None
        inside, own = self._mask_values()
        return Mask(domain, Mask(own, inside).on(domain))

    def _labels_of(
        self, values: NDArray, domain: Domain, lut: Any, background: float
    ) -> tuple[Labels, NDArray]:
        """The atlas of label values (n_points,), and these as they are taken."""
        values = checked_ids(values, background, self._point)
        atlas = Labels.of_values(
            values,
            domain,
            background=background,
            labels=self.labels,
            lut=lut,
            mask=self._mask_on(domain),
        )
        return atlas, values

    def _maps_of(self, source: Source, names: tuple[str, ...] | None = None) -> Maps:
        atlas = Maps.of_source(source, mask=self._mask_on(source.domain), point=self._point, names=names)
        if not self.allow_overlap:
            atlas.on(source.domain).refuse_overlap(self._point)
        return atlas

    # -- masks computed from images --------------------------------------------------------------------

    def _computed_mask(self, imgs: Any) -> tuple[NDArray[np.bool_], Domain]:
        """Points that are finite in every sample of every image."""
        self._refuse_no_images(imgs)
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
        if mask is None or domain is None:
            raise ValueError("The list of images is empty.")
        if not mask.any():
            raise ValueError(f"No {self._point} is finite in every sample; there is nothing to extract.")
        if not mask.all():
            warn(
                f"{int((~mask).sum())} of {len(mask)} {plural_of(self._point)} are NaN or infinite in some "
                "samples; they are outside the mask."
            )
        return mask, domain

    def _each_image(self, imgs: Any) -> Iterable[Any]:
        return [imgs]


def finite_points(source: Source) -> NDArray[np.bool_]:
    """Points that are finite in every sample."""
    finite = np.ones(source.domain.n_points, dtype=bool)
    if source.dtype.kind == "f":
        with streamed(source) as blocks:
            for block in blocks:
                finite[block.points] &= np.isfinite(block.values).all(axis=0)
    return finite
