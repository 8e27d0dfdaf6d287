"""
Online: volume by volume, while the run goes on
===============================================

`iter_transform` of any masker gives the signals of a volume as soon as it is read. Here a linear model is
updated with each of them, as neurofeedback needs it: after every volume there is an effect, and no volume is kept.

Data are simulated. With ``BRAINSIEVE_EXAMPLES_RUN``, ``BRAINSIEVE_EXAMPLES_LABELS`` and ``BRAINSIEVE_EXAMPLES_EVENTS`` set to paths of a
run, of labels for it and of its table of events, these are taken.
"""

# %%
# A run, regions and events
# -------------------------
import os

import nibabel as nib
import numpy as np
import pandas as pd

from brainsieve.datasets import simulate_task

run = os.environ.get("BRAINSIEVE_EXAMPLES_RUN")
simulated = not run
if simulated:
    data = simulate_task(("up", "down"), n_trials=30, snr=3, random_state=2)
    run, events, t_r = data.func[0], data.events[0], data.t_r
    first, second = (np.asarray(data.truth.site_masks[name].dataobj) for name in ("up", "down"))
    labels = nib.Nifti1Image((first + 2 * second).astype(np.int16), run.affine)
else:
    labels = os.environ["BRAINSIEVE_EXAMPLES_LABELS"]
    events = pd.read_csv(os.environ["BRAINSIEVE_EXAMPLES_EVENTS"], sep="\t")
    t_r = float(nib.load(run).header.get_zooms()[3])

# %%
# What each volume should show
# ----------------------------
from brainsieve.glm.first_level import make_first_level_design_matrix

n_volumes = (nib.load(run) if isinstance(run, str) else run).shape[3]
design = make_first_level_design_matrix(np.arange(n_volumes) * t_r, events, hrf_model="spm", drift_model=None)

# %%
# A model that learns
# -------------------
# The sums that least squares needs grow by one volume at a time.
from brainsieve.maskers import NiftiLabelsMasker

masker = NiftiLabelsMasker(labels).fit()
gram, moments, history = 0.0, 0.0, []
for x, (signal,) in zip(design.to_numpy(), masker.iter_transform(run), strict=True):
    gram, moments = gram + np.outer(x, x), moments + np.outer(x, signal)
    history.append(np.linalg.pinv(gram) @ moments)
percent = 100 * np.array(history) / np.array(history)[-1, design.columns.get_loc("constant")]
for n in (n_volumes // 4, n_volumes // 2, n_volumes):
    print(f"after {n} volumes, effects in percent:", percent[n - 1, :-1].round(1).tolist())

# %%
# What was planted
# ----------------
# Each site answers to its condition by 5 percent and not to the other; the last effects are those of the whole run.
if simulated:
    whole = np.linalg.lstsq(design.to_numpy(), masker.transform(run), rcond=None)[0]
    assert np.allclose(history[-1], whole)
    effects = percent[-1][[design.columns.get_loc(name) for name in ("up", "down")]]
    assert np.allclose(effects, [[5, 0], [0, 5]], atol=1.2)
