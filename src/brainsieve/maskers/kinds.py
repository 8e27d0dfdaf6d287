"""Kinds of images: volumes, surfaces, CIFTI. Each says how they are opened, matched, smoothed, made and drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.domain import Domain
from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.operator import SpatialOperator

if TYPE_CHECKING:
    from brainsieve.drawing import Canvas


class ImageKind(ABC):
    """What maskers of volumes, of surfaces and of CIFTI files have each for themselves. Immutable.

    Attributes
    ----------
    point : str
        What a point is called in messages.
    why_lost : str
        How columns come to be lost, and what keeps them.
    """

    point = "point"
    why_lost = "The image leaves these points out."

    @property
    @abstractmethod
    def key(self) -> str:
        """A digest of what its operators depend on beside the domain of an image."""

    @abstractmethod
    def open(self, imgs: Any) -> Source:
        """The source that an image given by the user stands for, checked to be one for this masker."""

    @abstractmethod
    def check(self, source: Source) -> None:
        """Raise TypeError or ValueError if this masker does not take this source."""

    @abstractmethod
    def smoothing(self, domain: Domain, fwhm: Any, method: str | None) -> list[SpatialOperator]:
        """Operators that smooth on a domain, to be applied in turn."""

    @abstractmethod
    def image(self, values: NDArray, domain: Any) -> Any:
        """An image of values (n_points,) or (n_samples, n_points) on a domain."""

    def timed(self, t_r: float | None) -> ImageKind:
        """The same kind where `t_r` seconds, if it is known, lie between the samples of its images."""
        return self

    @abstractmethod
    def canvas(self, domain: Domain, background: tuple[Domain, NDArray] | None) -> Canvas:
        """What reports draw on; `background` has values (n_points,) on a domain of their own."""

    def shaped(self, values: NDArray, domain: Domain) -> NDArray:
        """Values (n_points,) in the shape that the canvas takes."""
        return values

    def names_of(self, inside: NDArray[np.bool_]) -> Sequence[str] | None:
        """Names of the points of a mask, where points have names."""
        return None
