"""
Group-sparse inverse covariance
===============================

Connectomes of all people of a group at once: edges are zero in everybody or in nobody, and have a strength of their own in each
person (Varoquaux et al. 2010, "Brain covariance selection", NIPS 23).

Data are simulated. With ``BRAINSIEVE_EXAMPLES_SIGNALS`` set to a NumPy archive (``.npz``) of ``signals`` (n_people, n_samples,
n_regions), these are taken.
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
        signals = list(file["signals"])
else:
    data = simulate_rest(8, n_volumes=150, snr=2, age_effect=0, random_state=7)
    masker = NiftiLabelsMasker(data.atlas.maps, standardize="zscore_sample", detrend=True).fit()
    columns = [name for name in data.confounds[0] if name.startswith(("trans", "rot", "csf", "white"))]
    signals = [
        masker.transform(run, confounds=table[columns])
        for run, table in zip(data.func, data.confounds, strict=True)
    ]

# %%
# One sparse structure
# --------------------
from brainsieve.connectome import GroupSparseCovarianceCV, prec_to_partial

model = GroupSparseCovarianceCV(alphas=4, n_refinements=2, max_iter=30, max_iter_cv=10).fit(signals)
partial = np.stack([prec_to_partial(matrix) for matrix in np.moveaxis(model.precisions_, -1, 0)])
upper = np.triu_indices(partial.shape[1], 1)
edges = partial[:, upper[0], upper[1]]
print(
    f"{(edges != 0).any(axis=0).mean():.0%} of {edges.shape[1]} edges are left, at alpha = {model.alpha_:.3f}"
)

# %%
# What was planted
# ----------------
# Edges are shared by all people, and those within networks are the strong ones.
if not archive:
    assert ((edges != 0).all(axis=0) | (edges == 0).all(axis=0)).all()
    network = data.atlas.truth.network
    within = (network[:, None] == network)[upper]
    mean = abs(edges).mean(axis=0)
    print(f"within {mean[within].mean():.2f}, between {mean[~within].mean():.3f}")
    assert mean[within].min() > mean[~within].max()
