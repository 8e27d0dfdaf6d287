"""What other programs leave on disk: fMRIPrep's confounds, BIDS datasets, FSL's designs."""
