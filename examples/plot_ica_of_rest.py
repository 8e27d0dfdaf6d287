"""
Independent components of a group at rest
=========================================

Which maps do runs of many people have in common? Canonical ICA (Varoquaux et al. 2010, doi:10.1016/j.neuroimage.2010.02.010) finds
those whose values are independent; with the seed of its random numbers fixed, it finds the same ones again.

Data are simulated. With ``BRAINSIEVE_EXAMPLES_FMRIPREP`` set to a folder of fMRIPrep derivatives in MNI space, runs are taken from
there.
"""

# %%
# Runs
# ----
import os
from pathlib import Path

import numpy as np

from brainsieve.datasets import simulate_atlas, simulate_rest

folder = os.environ.get("BRAINSIEVE_EXAMPLES_FMRIPREP")
if folder:
    runs, n_components, mask = (
        sorted(map(str, Path(folder).rglob("*space-MNI*_desc-preproc_bold.nii.gz"))),
        20,
        None,
    )
else:
    # Each region is a network of its own: a source.
    atlas = simulate_atlas(8, n_networks=8, random_state=1)
    data = simulate_rest(6, atlas, n_volumes=120, snr=2, age_effect=0, artefact_level=0.2)
    runs, n_components, mask = data.func, 8, data.mask

# %%
# The components
# --------------
from brainsieve.decomposition import CanICA

ica = CanICA(mask=mask, n_components=n_components, smoothing_fwhm=None, threshold=None, random_state=0).fit(
    runs
)
maps = ica.components_
print(f"{len(maps)} maps in an image of shape {ica.components_img_.shape}")

# %%
# What was planted
# ----------------
# Each region has a component that is where it is.
if not folder:
    from brainsieve.masking import apply_mask

    labels = apply_mask(data.atlas.maps, data.mask)
    regions = (labels == np.arange(1, 9)[:, None]).astype(float)
    overlap = abs(np.corrcoef(np.vstack([regions, maps]))[:8, 8:])
    best = overlap.max(axis=1)
    print("best overlap of each region:", best.round(2).tolist())
    assert best.min() > 0.6
    assert len(set(overlap.argmax(axis=1))) == 8
