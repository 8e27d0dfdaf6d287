"""
Sparse inverse covariance
=========================

Two regions correlate where both follow a third. The inverse of the covariance tells direct from indirect, and the graphical
lasso sets what is none of them to zero (Friedman et al. 2008, doi:10.1093/biostatistics/kxm045).

Data are simulated. With ``BRAINSIEVE_EXAMPLES_RUN`` and ``BRAINSIEVE_EXAMPLES_LABELS`` set to paths of a run and of labels for it, these
are taken.
"""

# %%
# Signals of regions
# ------------------
import os

import numpy as np

from brainsieve.datasets import simulate_rest
from brainsieve.maskers import NiftiLabelsMasker

run, labels = os.environ.get("BRAINSIEVE_EXAMPLES_RUN"), os.environ.get("BRAINSIEVE_EXAMPLES_LABELS")
simulated = not run
confounds = None
if simulated:
    data = simulate_rest(1, n_volumes=600, snr=2, age_effect=0, random_state=5)
    run, labels = data.func[0], data.atlas.maps
    columns = [name for name in data.confounds[0] if name.startswith(("trans", "rot", "csf", "white"))]
    confounds = data.confounds[0][columns]
masker = NiftiLabelsMasker(labels, standardize="zscore_sample", detrend=True).fit()
series = masker.transform(run, confounds=confounds)

# %%
# The graphical lasso
# -------------------
# How sparse it is follows from cross-validation.
from sklearn.covariance import GraphicalLassoCV

from brainsieve.connectome import prec_to_partial

lasso = GraphicalLassoCV(alphas=6, cv=4).fit(series)
partial = prec_to_partial(lasso.precision_)
upper = np.triu_indices(len(partial), 1)
print(f"{(partial[upper] != 0).mean():.0%} of {len(upper[0])} edges are left, at alpha = {lasso.alpha_:.3f}")

# %%
# What was planted
# ----------------
# Edges within networks are found, those between them are zero or next to it.
if simulated:
    network = data.atlas.truth.network
    within = (network[:, None] == network)[upper]
    print(f"within {partial[upper][within].mean():.2f}, between {abs(partial[upper][~within]).mean():.3f}")
    assert partial[upper][within].min() > abs(partial[upper][~within]).max()
    assert (partial[upper][~within] == 0).mean() > 0.2
