"""Maskers: scikit-learn transformers from brain images to arrays and back."""

from brainsieve.maskers.base import BaseMasker
from brainsieve.maskers.cifti import CiftiLabelsMasker, CiftiMapsMasker, CiftiMasker
from brainsieve.maskers.labels import NiftiLabelsMasker
from brainsieve.maskers.maps import NiftiMapsMasker
from brainsieve.maskers.multi import (
    MultiNiftiLabelsMasker,
    MultiNiftiMapsMasker,
    MultiNiftiMasker,
)
from brainsieve.maskers.nifti import NiftiMasker
from brainsieve.maskers.spheres import NiftiSpheresMasker
from brainsieve.maskers.surface import (
    MultiSurfaceLabelsMasker,
    MultiSurfaceMapsMasker,
    MultiSurfaceMasker,
    SurfaceLabelsMasker,
    SurfaceMapsMasker,
    SurfaceMasker,
)

__all__ = [
    "BaseMasker",
    "CiftiLabelsMasker",
    "CiftiMapsMasker",
    "CiftiMasker",
    "MultiNiftiLabelsMasker",
    "MultiNiftiMapsMasker",
    "MultiNiftiMasker",
    "MultiSurfaceLabelsMasker",
    "MultiSurfaceMapsMasker",
    "MultiSurfaceMasker",
    "NiftiLabelsMasker",
    "NiftiMapsMasker",
    "NiftiMasker",
    "NiftiSpheresMasker",
    "SurfaceLabelsMasker",
    "SurfaceMapsMasker",
    "SurfaceMasker",
]


def __dir__() -> list[str]:
    return __all__
