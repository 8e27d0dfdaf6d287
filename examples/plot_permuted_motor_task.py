"""
Mass-univariate analysis of a task, by permutation
==================================================

Which voxels of people's contrast maps follow a score? Signs and orders are permuted, and the largest statistic
of each permutation is kept, so that one false voxel anywhere is found in 5 percent of studies only
(Winkler et al. 2014, doi:10.1016/j.neuroimage.2014.01.060). Bonferroni's correction is shown beside it.

Data are simulated. With ``BRAINSIEVE_EXAMPLES_CONTRASTS`` set to a table of the columns ``map`` (paths) and ``score``, they are
read from there.
"""

# %%
# Maps and scores
# ---------------
import os

import numpy as np
import pandas as pd

from brainsieve.datasets import simulate_contrasts

table = os.environ.get("BRAINSIEVE_EXAMPLES_CONTRASTS")
if table:
    people = pd.read_csv(table, sep=None, engine="python")
    maps, score, mask = people["map"].tolist(), people["score"].to_numpy(), None
else:
    data = simulate_contrasts(n_subjects=24, score_effect=1.5, dropout=2, random_state=3)
    maps, score, mask = data.cmaps, data.ext_vars["score"].to_numpy(), data.mask

known = np.isfinite(score)
maps = [img for img, has in zip(maps, known, strict=True) if has]

# %%
# A row for each person, a column for each voxel
# ----------------------------------------------
from brainsieve.maskers import NiftiMasker

masker = NiftiMasker(mask_img=mask, mask_strategy="background").fit(maps if mask is None else None)
voxels = np.vstack([masker.transform(img) for img in maps])

# %%
# The test
# --------
from scipy.stats import t as t_distribution

from brainsieve.mass_univariate import permuted_ols

outcome = permuted_ols(score[known, None], voxels, n_perm=2000, random_state=0)
permuted = outcome["logp_max_t"][0]

p = 2 * t_distribution.sf(abs(outcome["t"][0]), df=known.sum() - 2)
bonferroni = -np.log10(np.minimum(p * voxels.shape[1], 1))
log_p_img = masker.inverse_transform(permuted)
print(
    f"{(permuted > -np.log10(0.05)).sum()} voxels by permutation, {(bonferroni > -np.log10(0.05)).sum()} by Bonferroni"
)

# %%
# What was planted
# ----------------
# The score acts in one site, and in no voxel elsewhere.
if not table:
    site = masker.transform(data.truth.score_site) > 0
    found = permuted > -np.log10(0.05)
    print(f"{found[site].mean():.0%} of the site, {found[~site].sum()} voxels elsewhere in {log_p_img.shape}")
    assert found[site].mean() > 0.7 and found[~site].sum() <= 1
