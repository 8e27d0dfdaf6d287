"""Maskers: scikit-learn transformers from brain images to arrays and back."""

from brainsieve.maskers.base import BaseMasker
from brainsieve.maskers.labels import NiftiLabelsMasker
from brainsieve.maskers.maps import NiftiMapsMasker
from brainsieve.maskers.multi import (
    MultiNiftiLabelsMasker,
    MultiNiftiMapsMasker,
    MultiNiftiMasker,
)
from brainsieve.maskers.nifti import NiftiMasker
from brainsieve.maskers.spheres import NiftiSpheresMasker

__all__ = [
    "BaseMasker",
    "MultiNiftiLabelsMasker",
    "MultiNiftiMapsMasker",
    "MultiNiftiMasker",
    "NiftiLabelsMasker",
    "NiftiMapsMasker",
    "NiftiMasker",
    "NiftiSpheresMasker",
]
