"""What other programs leave on disk: fMRIPrep's confounds, BIDS datasets, FSL's designs."""

from brainsieve.interfaces import bids, fmriprep, fsl

__all__ = ["bids", "fmriprep", "fsl"]


def __dir__() -> list[str]:
    return __all__
