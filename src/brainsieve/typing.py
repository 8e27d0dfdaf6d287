"""Names for what functions take and give, for signatures."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Literal, Protocol, TypeAlias

from joblib import Memory
from nibabel.spatialimages import SpatialImage

PathLike: TypeAlias = str | os.PathLike[str]


class SurfaceLike(Protocol):
    """What has the parts of a surface image: `SurfaceImage`, of this package or of nilearn."""

    mesh: Any
    data: Any

    @property
    def shape(self) -> tuple[int, ...]: ...


# A volume, as a path, a glob or an object of nibabel; several stand for one run.
NiimgLike: TypeAlias = PathLike | SpatialImage
NiimgsLike: TypeAlias = NiimgLike | Iterable[NiimgLike]
# Either a volume or an image of a surface.
ImageLike: TypeAlias = NiimgLike | SurfaceLike
ImagesLike: TypeAlias = ImageLike | Iterable[ImageLike]

MemoryLike: TypeAlias = PathLike | Memory | None
Interpolation: TypeAlias = Literal["continuous", "linear", "nearest"]
MemoryOrder: TypeAlias = Literal["F", "C"]
