"""
Beta series: which regions work together in which condition
===========================================================

Each trial has an effect of its own in each voxel. Where these effects rise and fall together over the trials
of a condition, regions are said to interact in it (Rissman et al. 2004, doi:10.1016/j.neuroimage.2004.06.035). A model
for each trial ("least squares, separate") gives the effects.

Data are simulated. With ``BRAINSIEVE_EXAMPLES_BIDS`` set to a folder of derivatives that has events beside its runs, the first
run of it is taken.
"""

# %%
# A run and its events
# --------------------
import os
from pathlib import Path

import numpy as np

from brainsieve.datasets import simulate_task

folder = os.environ.get("BRAINSIEVE_EXAMPLES_BIDS")
if folder:
    run = str(min(Path(folder).rglob("*_desc-preproc_bold.nii.gz")))
    events = run.split("_space-")[0] + "_events.tsv"
    mask, t_r = None, None
else:
    data = simulate_task(("language", "string"), n_trials=40, snr=6, random_state=1)
    run, events, mask, t_r = data.func[0], data.events[0], data.mask, data.t_r

# %%
# An effect for each trial
# ------------------------
from brainsieve.glm.first_level import FirstLevelModel, beta_series

model = FirstLevelModel(t_r=t_r, hrf_model="spm", mask_img=mask, noise_model="ols")
series = beta_series(model.fit(run, events), run, events, method="lss")
for condition, img in series.images.items():
    print(f"{condition}: {img.shape[3]} trials")

# %%
# Correlations over trials, by condition
# --------------------------------------
from brainsieve.maskers import NiftiSpheresMasker

if folder:
    seeds = {"left": (-42, 20, 20), "right": (42, 20, 20)}
else:
    table = data.truth.sites.set_index("name")
    seeds = {
        name: tuple(table.loc[name, ["x", "y", "z"]]) for name in table.index if name not in series.images
    }
masker = NiftiSpheresMasker(list(seeds.values()), radius=12, mask_img=mask)
together = {}
for condition, img in series.images.items():
    together[condition] = np.corrcoef(masker.fit_transform(img).T)
    print(condition, dict(zip(seeds, together[condition][0].round(2), strict=True)))

# %%
# What was planted
# ----------------
# The trials of a hub go with those of one partner for each condition, and not with the other one's.
if not folder:
    names = list(seeds)
    for condition, other in (("language", "string"), ("string", "language")):
        partner, stranger = (names.index(f"partner in {name}") for name in (condition, other))
        row = together[condition][names.index("hub")]
        assert row[partner] > 0.6 and row[partner] > row[stranger] + 0.3
