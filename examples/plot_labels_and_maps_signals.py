"""
Signals of labels and of a probabilistic atlas
==============================================

The first step of most analyses: from a run to a table of clean signals, one column for each region, by an atlas of labels and by
one of soft maps. Confounds are regressed out in the same go.

Data are simulated. With ``BRAINSIEVE_EXAMPLES_RUN``, ``BRAINSIEVE_EXAMPLES_LABELS`` and ``BRAINSIEVE_EXAMPLES_MAPS`` set to paths of
a run of fMRIPrep, of labels and of maps, these are taken.
"""

# %%
# A run, its confounds and two atlases
# ------------------------------------
import os

import numpy as np

from brainsieve.datasets import simulate_atlas, simulate_rest
from brainsieve.interfaces.fmriprep import load_confounds

run = os.environ.get("BRAINSIEVE_EXAMPLES_RUN")
simulated = not run
if simulated:
    labels, maps = (simulate_atlas(12, kind, random_state=2) for kind in ("labels", "maps"))
    data = simulate_rest(1, labels, n_volumes=200, snr=2, artefact_level=3.0, random_state=2)
    run, t_r = data.func[0], data.t_r
    columns = [name for name in data.confounds[0] if name.startswith(("trans", "rot", "csf", "white"))]
    confounds, lut = data.confounds[0][columns], labels.lut
    labels_img, maps_img = labels.maps, maps.maps
else:
    confounds, _ = load_confounds(run, ["motion", "wm_csf", "high_pass"])
    labels_img, maps_img = os.environ["BRAINSIEVE_EXAMPLES_LABELS"], os.environ["BRAINSIEVE_EXAMPLES_MAPS"]
    lut = None

# %%
# Two tables
# ----------
from brainsieve.maskers import NiftiLabelsMasker, NiftiMapsMasker

cleaning = {"standardize": "zscore_sample", "detrend": True}
maskers = {
    "labels": NiftiLabelsMasker(labels_img, lut=lut, **cleaning),
    "maps": NiftiMapsMasker(maps_img, **cleaning),
}
raw, clean = {}, {}
for name, masker in maskers.items():
    masker.set_output(transform="pandas").fit()
    raw[name], clean[name] = masker.transform(run), masker.transform(run, confounds=confounds)
    print(f"{name}: {clean[name].shape[0]} volumes of {clean[name].shape[1]} regions")
print(clean["labels"].iloc[:3, :3].round(2))

# %%
# What was planted
# ----------------
# Clean signals are the planted ones, raw ones are not.
if simulated:
    truth = data.truth.signals[0]

    def agreement(table):
        return np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(table.to_numpy().T, truth.T, strict=True)])

    for name in maskers:
        print(f"{name}: {agreement(raw[name]):.2f} raw, {agreement(clean[name]):.2f} clean")
        assert agreement(clean[name]) > 0.9 > agreement(raw[name]) + 0.05
    assert list(clean["labels"].columns) == labels.labels
