"""
Regions by dictionary learning, and their connectomes
=====================================================

Sparse maps are learned from the runs of a group, cut into connected regions, and the signals of these regions give a connectome:
an atlas that comes from the data.

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
    smallest = 1350
else:
    atlas = simulate_atlas(8, n_networks=4, random_state=1)
    data = simulate_rest(6, atlas, n_volumes=120, snr=2, age_effect=0, artefact_level=0.2)
    runs, n_components, mask, smallest = data.func, 4, data.mask, 3000

# %%
# Maps
# ----
from brainsieve.decomposition import DictLearning

learned = DictLearning(
    mask=mask, n_components=n_components, alpha=5, smoothing_fwhm=None, random_state=0
).fit(runs)

# %%
# Regions and their connectome
# ----------------------------
from brainsieve.connectome import ConnectivityMeasure
from brainsieve.regions import RegionExtractor

extractor = RegionExtractor(
    learned.components_img_,
    mask_img=mask,
    min_region_size=smallest,
    threshold=0.5,
    extractor="connected_components",
    standardize="zscore_sample",
).fit()
series = [extractor.transform(run) for run in runs]
connectome = ConnectivityMeasure(kind="correlation").fit_transform(series).mean(axis=0)
print(f"{connectome.shape[0]} regions of {n_components} maps")

# %%
# What was planted
# ----------------
# Each region of the atlas has one that was found, and two of one network correlate more than two of different ones.
if not folder:
    from brainsieve.masking import apply_mask

    labels = apply_mask(data.atlas.maps, data.mask)
    found = apply_mask(extractor.regions_img_, data.mask)
    planted = (labels == np.arange(1, 9)[:, None]).astype(float)
    overlap = np.corrcoef(np.vstack([planted, found]))[:8, 8:]
    best = overlap.argmax(axis=1)
    print("best overlap of each region:", overlap.max(axis=1).round(2).tolist())
    assert overlap.max(axis=1).min() > 0.5 and len(set(best)) == 8
    network, upper = data.atlas.truth.network, np.triu_indices(8, 1)
    within = (network[:, None] == network)[upper]
    edges = connectome[np.ix_(best, best)][upper]
    assert edges[within].min() > edges[~within].max()
