"""How far our numbers are from the peer's, on real data and a random grid of settings."""

from __future__ import annotations

import warnings

import nibabel as nib
import numpy as np
import pandas as pd

N_SETTINGS = 24
CONFOUNDS = ["csf", "white_matter", *(f"a_comp_cor_{i:02d}" for i in range(6))]


def largest_difference(n_settings: int = N_SETTINGS, seed: int = 0) -> tuple[float, int]:
    """Largest |ours - peer's| over the standard deviation of the series, and how many settings were tried.

    The peer works on a float64 copy of the data: on integers and float32 it loses digits itself. Ours gives
    float64 too: the last digit of float32, the default for voxels of integer runs, is 1e-5 of a quiet voxel's
    spread.
    """
    import nilearn.maskers

    import brainsieve.maskers
    from brainsieve.datasets import load_demo_run

    demo = load_demo_run()
    ours = nib.load(demo.bold)
    peers = nib.Nifti1Image(ours.get_fdata(dtype=np.float64), ours.affine)
    confounds = pd.read_csv(demo.confounds, sep="\t")[CONFOUNDS].fillna(0).to_numpy()
    rng = np.random.default_rng(seed)
    worst = 0.0
    for _ in range(n_settings):
        kind, parameters, arguments = random_setting(rng, demo, confounds, ours.shape[3])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got = (
                getattr(brainsieve.maskers, kind)(**parameters, dtype="float64")
                .fit()
                .transform(ours, **arguments)
            )
            awaited = getattr(nilearn.maskers, kind)(**parameters).fit().transform(peers, **arguments)
        spread = awaited.std(axis=0)
        varies = spread > 1e-8 * (1 + np.abs(awaited).max(axis=0))
        worst = max(worst, float((np.abs(got - awaited)[:, varies] / spread[varies]).max()))
    return worst, n_settings


def random_setting(rng: np.random.Generator, demo, confounds: np.ndarray, n_samples: int):
    parameters = dict(
        detrend=bool(rng.integers(2)),
        standardize=[None, "zscore_sample", "psc"][rng.integers(3)],
        high_pass=[None, 0.01][rng.integers(2)],
        low_pass=[None, 0.1][rng.integers(2)],
        smoothing_fwhm=[None, 10.0][rng.integers(2)],
        t_r=2.2,
        standardize_confounds=bool(rng.integers(2)),
    )
    kind = ["NiftiLabelsMasker", "NiftiMasker"][rng.integers(2)]
    if kind == "NiftiLabelsMasker":
        parameters["labels_img"] = str(demo.atlas)
        parameters["strategy"] = ["mean", "median", "standard_deviation"][rng.integers(3)]
    else:
        parameters["mask_img"] = str(demo.mask)
    arguments = {}
    if rng.integers(2):
        arguments["confounds"] = confounds[:, : rng.integers(1, 9)]
    filtered = parameters["high_pass"] or parameters["low_pass"]
    if rng.integers(2) and not filtered:
        # Filtered censoring is left out: the peer interpolates other samples than those censored.
        arguments["sample_mask"] = np.sort(rng.choice(n_samples, n_samples - 9, replace=False))
    return kind, parameters, arguments
