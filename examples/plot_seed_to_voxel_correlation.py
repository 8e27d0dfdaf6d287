"""
Seed-to-voxel correlation
=========================

Which voxels go together with one place of the brain? The mean series of a sphere around a seed is
correlated with the series of every voxel, and the correlations of all people, after Fisher's transform,
are tested against zero.

Data are simulated: networks, and thus the answer, are known. With ``BRAINSIEVE_EXAMPLES_FMRIPREP`` set to a folder
of fMRIPrep derivatives in MNI space, runs of real people are taken, and the seed is the posterior cingulate.
"""

# %%
# Data
# ----
# Images and confounds, one of each for a person; here they are in memory, paths do as well.
import os
from pathlib import Path

import numpy as np

from brainsieve.datasets import simulate_rest
from brainsieve.interfaces.fmriprep import load_confounds

folder = os.environ.get("BRAINSIEVE_EXAMPLES_FMRIPREP")
if folder:
    runs = sorted(map(str, Path(folder).rglob("*space-MNI*_desc-preproc_bold.nii.gz")))
    confounds = [load_confounds(run, ["motion", "wm_csf", "high_pass"])[0] for run in runs]
    seed, mask = (0.0, -52.0, 18.0), None
else:
    data = simulate_rest(n_subjects=8, n_volumes=120, age_effect=0)
    columns = [name for name in data.confounds[0] if name.startswith(("trans", "rot", "csf", "white"))]
    runs, confounds, mask = data.func, [table[columns] for table in data.confounds], data.mask
    seed = data.atlas.region_coords[0]

# %%
# Series of the seed and of voxels
# --------------------------------
# Both are cleaned in the same way, and standardized: their product over the number of volumes is Pearson's
# correlation.
from brainsieve.maskers import NiftiMasker, NiftiSpheresMasker
from brainsieve.masking import apply_mask

cleaning = {"standardize": "zscore_sample", "detrend": True}
seed_masker = NiftiSpheresMasker([seed], radius=10, mask_img=mask, **cleaning)
brain_masker = NiftiMasker(mask_img=mask, **cleaning).fit(runs[0] if mask is None else None)

maps = []
for run, table in zip(runs, confounds, strict=True):
    of_seed = seed_masker.fit_transform(run, confounds=table)
    of_voxels = brain_masker.transform(run, confounds=table)
    maps.append(of_voxels.T @ of_seed[:, 0] / (len(of_seed) - 1))

# %%
# A test over people
# ------------------
from scipy.stats import ttest_1samp

z = np.arctanh(np.clip(maps, -0.999, 0.999))
t = ttest_1samp(z, 0).statistic
t_img = brain_masker.inverse_transform(t)
print(f"{len(maps)} people; t from {t.min():.1f} to {t.max():.1f} in an image of shape {t_img.shape}")

# %%
# What was planted
# ----------------
# Regions of the seed's network correlate with it, and no others do.
if not folder:
    labels = apply_mask(data.atlas.maps, mask).astype(int)
    mean_t = np.array([t[labels == n].mean() for n in range(1, labels.max() + 1)])
    network = data.atlas.truth.network
    same = (network == network[0])[1:]
    print("same network:", mean_t[1:][same].round(1), "others:", mean_t[1:][~same].round(1))
    assert mean_t[1:][same].min() > 3 > 2 > abs(mean_t[1:][~same]).mean()
