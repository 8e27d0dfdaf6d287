"""What other programs leave on disk: fMRIPrep's confounds, and the names of BIDS files."""
