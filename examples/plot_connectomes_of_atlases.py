"""
Connectomes on different atlases
================================

The same runs, seen through three atlases: labels, soft maps and spheres. All signals come from one pass
over each run, and partial correlations of regions are estimated from all people.

Data are simulated. With ``BRAINSIEVE_EXAMPLES_FMRIPREP`` (a folder of fMRIPrep derivatives) and
``BRAINSIEVE_EXAMPLES_ATLASES`` (label images, separated by the system's path separator), real ones are taken.
"""

# %%
# Runs, and what the atlases are
# ------------------------------
import os
from pathlib import Path

import numpy as np

from brainsieve.datasets import simulate_atlas, simulate_rest
from brainsieve.interfaces.fmriprep import load_confounds
from brainsieve.maskers import NiftiLabelsMasker, NiftiMapsMasker, NiftiSpheresMasker

folder = os.environ.get("BRAINSIEVE_EXAMPLES_FMRIPREP")
cleaning = {"standardize": "zscore_sample", "detrend": True}
if folder:
    runs = sorted(map(str, Path(folder).rglob("*space-MNI*_desc-preproc_bold.nii.gz")))
    confounds = [load_confounds(run, ["motion", "wm_csf", "high_pass"])[0] for run in runs]
    paths = os.environ["BRAINSIEVE_EXAMPLES_ATLASES"].split(os.pathsep)
    maskers = {Path(path).name: NiftiLabelsMasker(path, **cleaning) for path in paths}
else:
    labels, maps = (simulate_atlas(15, kind, random_state=1) for kind in ("labels", "maps"))
    data = simulate_rest(n_subjects=10, atlas=labels, n_volumes=150, snr=2, age_effect=0)
    columns = [name for name in data.confounds[0] if name.startswith(("trans", "rot", "csf", "white"))]
    runs, confounds = data.func, [table[columns] for table in data.confounds]
    maskers = {
        "labels": NiftiLabelsMasker(labels.maps, **cleaning),
        "maps": NiftiMapsMasker(maps.maps, **cleaning),
        "spheres": NiftiSpheresMasker(labels.region_coords, radius=10, **cleaning),
    }

# %%
# One pass over each run
# ----------------------
from brainsieve import extract_many

for masker in maskers.values():
    masker.fit(runs[0] if folder else None)
signals = {name: [] for name in maskers}
for run, table in zip(runs, confounds, strict=True):
    for name, series in extract_many(run, maskers, confounds=table).items():
        signals[name].append(series)

# %%
# Connectomes
# -----------
from brainsieve.connectome import ConnectivityMeasure

connectomes = {}
for name, series in signals.items():
    measure = ConnectivityMeasure(kind="partial correlation").fit(series)
    connectomes[name] = measure.mean_
    print(f"{name}: {measure.mean_.shape[0]} regions")

# %%
# What was planted
# ----------------
# By each of the atlases, edges within networks are all stronger than edges between them.
if not folder:
    network = data.atlas.truth.network
    upper = np.triu_indices(len(network), 1)
    within = (network[:, None] == network)[upper]
    for name, matrix in connectomes.items():
        edges = matrix[upper]
        print(f"{name}: within {edges[within].mean():.2f}, between {edges[~within].mean():.2f}")
        assert edges[within].min() > edges[~within].max(), name
