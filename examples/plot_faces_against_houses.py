"""
Mass-univariate analysis: faces against houses
==============================================

Which voxels differ between two categories? Volumes are averaged over blocks, runs are taken out, and the difference is tested
in each voxel, with the largest statistic of permutations as threshold.

Data are simulated in the form of Haxby et al. (2001, doi:10.1126/science.1063736). With ``BRAINSIEVE_EXAMPLES_HAXBY`` set to
the folder of that study, its second person is read from there.
"""

# %%
# Volumes of faces and houses
# ---------------------------
import os

import numpy as np
import pandas as pd

from brainsieve.datasets import load_haxby, simulate_decoding
from brainsieve.maskers import NiftiMasker

folder = os.environ.get("BRAINSIEVE_EXAMPLES_HAXBY")
data = (
    load_haxby(folder, subjects=[2])
    if folder
    else simulate_decoding(n_classes=2, n_runs=12, snr=1.0, random_state=4)
)
img, target, mask = data.func[0], data.session_target[0], data.mask

masker = NiftiMasker(mask_img=mask, runs=target["chunks"], standardize="zscore_sample", detrend=True).fit()
values = masker.transform(img)

# %%
# One row for each block
# ----------------------
chosen = np.flatnonzero(target["labels"].isin(["face", "house"]))
blocks = (
    pd.DataFrame(values[chosen], index=chosen)
    .groupby([target["chunks"][chosen], target["labels"][chosen]])
    .mean()
)
is_face = (blocks.index.get_level_values(1) == "face").astype(float)
print(f"{len(blocks)} blocks of {values.shape[1]} voxels")

# %%
# The test
# --------
from brainsieve.mass_univariate import permuted_ols

outcome = permuted_ols(is_face[:, None], blocks.to_numpy(), n_perm=1000, random_state=0)
significant = outcome["logp_max_t"][0] > -np.log10(0.05)
signs = np.sign(outcome["t"][0]) * significant
print(f"{(signs > 0).sum()} voxels prefer faces, {(signs < 0).sum()} houses")
sign_img = masker.inverse_transform(signs)

# %%
# What was planted
# ----------------
# Patterns that differ lie in the ventral temporal region only, and signs are those of the difference there.
if not folder:
    from brainsieve.masking import apply_mask

    face, house = (apply_mask(data.truth.patterns[name], data.mask) for name in ("face", "house"))
    inside = apply_mask(data.truth.informative, data.mask) > 0
    assert significant[~inside].sum() <= 1
    assert significant[inside].sum() > 20
    assert (signs[inside & significant] == np.sign(face - house)[inside & significant]).all()
