"""
Age groups from connectivity
============================

Can children be told from adults by their connectomes? Three kinds of connectivity, a linear support vector machine, and a
cross-validation that estimates connectivity anew in each fold.

Data are simulated: age acts on the edges between two networks. With ``BRAINSIEVE_EXAMPLES_SIGNALS`` set to a NumPy archive
(``.npz``) of ``signals`` (n_people, n_samples, n_regions) and ``groups`` (n_people,), these are taken.
"""

# %%
# Signals of regions
# ------------------
import os

import numpy as np

from brainsieve.datasets import simulate_rest
from brainsieve.maskers import NiftiLabelsMasker

archive = os.environ.get("BRAINSIEVE_EXAMPLES_SIGNALS")
if archive:
    with np.load(archive) as file:
        signals, groups = list(file["signals"]), file["groups"]
else:
    data = simulate_rest(40, n_volumes=100, snr=2, age_effect=0.95, random_state=3)
    masker = NiftiLabelsMasker(data.atlas.maps, standardize="zscore_sample", detrend=True).fit()
    columns = [name for name in data.confounds[0] if name.startswith(("trans", "rot", "csf", "white"))]
    signals = [
        masker.transform(run, confounds=table[columns])
        for run, table in zip(data.func, data.confounds, strict=True)
    ]
    groups = data.phenotypic["Child_Adult"].to_numpy()

# %%
# Three kinds of connectivity
# ---------------------------
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from brainsieve.connectome import ConnectivityMeasure

scores = {}
for kind in ("correlation", "partial correlation", "tangent"):
    measure = ConnectivityMeasure(kind=kind, vectorize=True, discard_diagonal=True)
    pipeline = make_pipeline(measure, LinearSVC(C=1.0, random_state=0))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    scores[kind] = cross_val_score(pipeline, signals, groups, cv=folds).mean()
    print(f"{kind}: {scores[kind]:.0%} right")

# %%
# What was planted
# ----------------
# Groups are told apart, and the edges that differ are those that age acts on.
if not archive:
    assert max(scores.values()) > 0.85 and min(scores.values()) > 0.6
    matrices = ConnectivityMeasure(kind="correlation").fit_transform(signals)
    difference = matrices[groups == "adult"].mean(axis=0) - matrices[groups == "child"].mean(axis=0)
    upper = np.triu_indices(len(difference), 1)
    edges = data.truth.age_edges[upper]
    assert difference[upper][edges].min() > difference[upper][~edges].max()
