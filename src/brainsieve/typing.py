"""Names for what functions take and give, for signatures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from joblib import Memory
from nibabel.cifti2 import Cifti2Image
from nibabel.spatialimages import SpatialImage
from numpy.typing import ArrayLike, DTypeLike

if TYPE_CHECKING:
    import pandas
    from matplotlib.colors import Colormap

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
# A dense or parcellated file, or an opened one.
CiftiLike: TypeAlias = PathLike | Cifti2Image

# What `confounds` takes; data frames are `ArrayLike`, a list is stacked side by side.
ConfoundsLike: TypeAlias = ArrayLike | PathLike | Sequence[ArrayLike | PathLike]
# Positions or flags of samples; a list of these, one for each run.
SampleMaskLike: TypeAlias = ArrayLike | Sequence[ArrayLike]
# As text: pandas and matplotlib are imported where they are used alone.
TableLike: TypeAlias = "pandas.DataFrame | str | os.PathLike[str]"
ColormapLike: TypeAlias = "Colormap | str | None"

MemoryLike: TypeAlias = PathLike | Memory | None
Interpolation: TypeAlias = Literal["continuous", "linear", "nearest"]
MemoryOrder: TypeAlias = Literal["F", "C"]
FwhmLike: TypeAlias = float | Sequence[float | None] | ArrayLike | Literal["fast"] | None
SignalDtype: TypeAlias = DTypeLike | Literal["auto"] | None
Standardize: TypeAlias = Literal["zscore_sample", "psc"] | bool | None
MaskStrategy: TypeAlias = Literal["background", "epi", "whole-brain-template", "gm-template", "wm-template"]
MapsStrategy: TypeAlias = Literal["least_squares", "weighted_mean"]
SmoothingMethod: TypeAlias = Literal["neighbours", "heat"]
Nonfinite: TypeAlias = Literal["zero", "omit"]
Strategy: TypeAlias = Literal[
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
]
