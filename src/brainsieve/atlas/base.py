"""What all atlases are: columns over the points of a domain of their own, which can be placed on others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from brainsieve.atlas.placing import moved
from brainsieve.caching import digest
from brainsieve.engine.domain import Domain
from brainsieve.engine.spatial.operator import SpatialOperator

# Messages name this many columns and count the others.
N_NAMED = 8


class Placed(ABC):
    """An atlas on the points of one domain.

    Attributes
    ----------
    domain : Domain
    sizes : array of shape (n_features,)
        Points of each column here.
    lost : array of int
        Columns of the atlas that have no point here.
    fill : array
        What each of the lost columns holds: 0 where a mask took it away and it was to be kept, else NaN.
    """

    domain: Domain
    sizes: NDArray[np.intp]
    lost: NDArray[np.intp]
    fill: NDArray[np.float64]

    @property
    def nbytes(self) -> int:
        """Memory that it holds."""
        held = [getattr(value, "data", value) if issparse(value) else value for value in vars(self).values()]
        return sum(int(value.nbytes) for value in held if isinstance(value, np.ndarray))

    @abstractmethod
    def operator(self, strategy: str | None = None, folded: bool = False) -> SpatialOperator:
        """From the points of the domain to columns.

        Parameters
        ----------
        strategy : str, optional
            How the points of a column make one number, where there is a choice.
        folded : bool, default=False
            Whether operators that come before will be folded into this one: a form that suits that.
        """

    @abstractmethod
    def touching(self) -> SpatialOperator | None:
        """A linear operator that tells which columns a point belongs to; None where `operator` does."""

    @abstractmethod
    def back(self, signals: NDArray, dtype: Any) -> NDArray:
        """Signals (n_features,) or (n_samples, n_features) as values at the points of the domain.

        This is the way back that each kind of atlas has, which is the adjoint for points and maps alone: a region
        gives its signal to each of its points (the adjoint would divide it among them).
        """


@dataclass(frozen=True, eq=False)
class Mask:
    """Points that count.

    Attributes
    ----------
    domain : Domain
    inside : bool array of shape (n_points,)
    """

    domain: Domain
    inside: NDArray[np.bool_]

    def on(self, domain: Domain) -> NDArray[np.bool_]:
        """The mask at the points of another domain; False where it has no such point."""
        return moved(self.inside, self.domain, domain, outside=False)

    @property
    def key(self) -> tuple[Any, ...]:
        """What a cache tells masks apart by."""
        return self.domain.fingerprint, self.inside


class Atlas(ABC):
    """Columns over points.

    Attributes
    ----------
    domain : Domain or None
        The atlas's own points; None for spheres, which are on every grid.
    key : str
        A digest of all that the numbers depend on.
    """

    key: str

    def __post_init__(self) -> None:
        # Once: a fine atlas has some ten million voxels.
        object.__setattr__(self, "key", digest(type(self).__name__, *self._content()))

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Number of columns."""

    @property
    def names(self) -> Sequence[str] | None:
        """Names of the columns; None where they have none of their own."""
        return None

    @abstractmethod
    def _content(self) -> tuple[Any, ...]:
        """What `key` is a digest of."""

    @abstractmethod
    def on(self, domain: Domain) -> Placed:
        """The atlas placed on a domain."""

    @abstractmethod
    def coverage(
        self, domain: Domain, has_data: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How much of each column an image covers.

        Parameters
        ----------
        domain : Domain
            Of the image.
        has_data : bool array of shape (n_points,)
            Which of its points have data.

        Returns
        -------
        expected, found : array of shape (n_features,)
            Points of each column (for maps, the sum of their absolute weights), and those with data. For
            `Points`, one number for all columns.
        """


def fill_of(lost: NDArray[np.intp], masked_out: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The value of each lost column: 0 where a mask took it and it was to be kept, else NaN."""
    return np.where(masked_out[lost], 0.0, np.nan)


def plural_of(point: str) -> str:
    """What several points are called: "vertices", "voxels"."""
    return "vertices" if point == "vertex" else f"{point}s"


def listed(names: Sequence[Any]) -> str:
    """Names for a message: the first few, and how many more there are."""
    text = ", ".join(repr(str(name)) for name in names[:N_NAMED])
    return text if len(names) <= N_NAMED else f"{text} and {len(names) - N_NAMED} more"
