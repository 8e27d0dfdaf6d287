"""
Encoding models for visual stimuli
==================================

What does each voxel see? A ridge regression predicts its signal from the pixels of the picture two volumes earlier; the weights
are its receptive field, and predictions of runs that were held back tell which voxels see at all.

Data are simulated in the form of Miyawaki et al. (2008, doi:10.1016/j.neuron.2008.11.004). With ``BRAINSIEVE_EXAMPLES_MIYAWAKI`` set to
the folder of that data set, its runs of random pictures are taken.
"""

# %%
# Pictures and runs
# -----------------
import os

import numpy as np

from brainsieve.datasets import load_miyawaki2008, simulate_visual

folder = os.environ.get("BRAINSIEVE_EXAMPLES_MIYAWAKI")
data = (
    load_miyawaki2008(folder)
    if folder
    else simulate_visual(n_pixels=6, n_runs=5, n_volumes=100, random_state=1)
)
random = [k for k, run in enumerate(data.func) if not folder or "random" in run]
runs, pictures, mask = [data.func[k] for k in random], [data.label[k] for k in random], data.mask

# %%
# Voxels, two volumes after each picture
# --------------------------------------
from brainsieve.maskers import MultiNiftiMasker

delay = 2
masker = MultiNiftiMasker(mask_img=mask, detrend=True, standardize="zscore_sample").fit()
X, Y, groups = [], [], []
for k, (seen, series) in enumerate(zip(pictures, masker.transform(runs), strict=True)):
    shown = (seen[:-delay] >= 0).all(axis=1)
    X.append(seen[:-delay][shown])
    Y.append(series[delay:][shown])
    groups.append(np.full(shown.sum(), k))
X, Y, groups = np.concatenate(X), np.concatenate(Y), np.concatenate(groups)

# %%
# How well each voxel is predicted
# --------------------------------
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

ridge = Ridge(alpha=50.0)
predicted = cross_val_predict(ridge, X, Y, groups=groups, cv=LeaveOneGroupOut())
scores = r2_score(Y, predicted, multioutput="raw_values")
score_img = masker.inverse_transform(scores)
print(f"best voxel: {scores.max():.2f} of its variance; map of shape {score_img.shape}")

# %%
# What was planted
# ----------------
# Voxels of the retinotopic patch are predicted, others are not, and weights are the receptive fields.
if not folder:
    from brainsieve.masking import apply_mask

    patch = apply_mask(data.mask_roi[0], data.mask) > 0
    fields = apply_mask(data.truth.receptive_fields, data.mask)[:, patch].T
    weights = ridge.fit(X, Y).coef_[patch]
    agreement = [np.corrcoef(a, b)[0, 1] for a, b in zip(weights, fields, strict=True)]
    print(f"agreement of receptive fields: {np.median(agreement):.2f}")
    assert np.median(agreement) > 0.85
    assert scores[patch].mean() > 0.2 > 0.05 > scores[~patch].mean()
