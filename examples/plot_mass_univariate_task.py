"""
Mass-univariate analysis of a task, from runs to a group
========================================================

A linear model of each person's runs, a contrast of the two conditions, and a test over people with control of false discoveries.

Data are simulated. With ``BRAINSIEVE_EXAMPLES_BIDS`` set to a folder of derivatives that has events beside its runs, and
``BRAINSIEVE_EXAMPLES_CONTRAST`` to a contrast of its conditions, these are taken.
"""

# %%
# Runs and events of each person
# ------------------------------
import os
from pathlib import Path

import numpy as np

from brainsieve.datasets import simulate_task

folder = os.environ.get("BRAINSIEVE_EXAMPLES_BIDS")
if folder:
    runs = sorted(map(str, Path(folder).rglob("*_desc-preproc_bold.nii.gz")))
    people = [(run, run.split("_space-")[0] + "_events.tsv") for run in runs]
    contrast, mask, t_r = os.environ["BRAINSIEVE_EXAMPLES_CONTRAST"], None, None
else:
    # Runs of one simulation share their sites; here each stands for a person.
    data = simulate_task(
        ("calculation", "sentence"), n_runs=8, n_trials=12, snr=1.5, artefact_level=0.3, random_state=6
    )
    people = list(zip(data.func, data.events, strict=True))
    contrast, mask, t_r = "calculation - sentence", data.mask, data.t_r

# %%
# First level
# -----------
from brainsieve.glm.first_level import FirstLevelModel

effects = []
for run, events in people:
    model = FirstLevelModel(t_r=t_r, hrf_model="spm", mask_img=mask, noise_model="ar1").fit(run, events)
    effects.append(model.compute_contrast(contrast, output_type="effect_size"))

# %%
# Second level
# ------------
import pandas as pd

from brainsieve.glm import threshold_stats_img
from brainsieve.glm.second_level import SecondLevelModel

group = SecondLevelModel(mask_img=mask).fit(
    effects, design_matrix=pd.DataFrame({"intercept": np.ones(len(effects))})
)
z_img = group.compute_contrast("intercept")
found_img, threshold = threshold_stats_img(z_img, mask_img=mask, alpha=0.05, height_control="fdr")
found = np.asarray(found_img.dataobj)
print(f"{(found > 0).sum()} voxels above, {(found < 0).sum()} below, at |z| > {threshold:.1f}")

# %%
# What was planted
# ----------------
# One site prefers each condition; what answers to both is no difference.
if not folder:
    above, below = (
        np.asarray(data.truth.site_masks[name].dataobj) > 0 for name in ("calculation", "sentence")
    )
    assert (found[above] > 0).mean() > 0.8 and (found[below] < 0).mean() > 0.8
    assert (found[~above & ~below] != 0).mean() < 0.005
