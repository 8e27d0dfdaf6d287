"""Maskers: scikit-learn transformers from brain images to arrays and back."""

from brainsieve.maskers.base import BaseMasker
from brainsieve.maskers.labels import NiftiLabelsMasker
from brainsieve.maskers.nifti import NiftiMasker

__all__ = ["BaseMasker", "NiftiLabelsMasker", "NiftiMasker"]
