"""
Regions of the default mode from maps of networks
=================================================

A map of a network holds several regions. They are cut out of it, the signal of each is taken, and the connectome within the
network is what is left when the others are held fixed.

Data are simulated: the first network stands for the default mode. With ``BRAINSIEVE_EXAMPLES_NETWORK`` and ``BRAINSIEVE_EXAMPLES_RUN``
set to paths of a network's map and of a run in the same space, these are taken.
"""

# %%
# A map of a network, and a run
# -----------------------------
import os

import numpy as np

from brainsieve.datasets import simulate_atlas, simulate_rest
from brainsieve.image import index_img, math_img

network, run = os.environ.get("BRAINSIEVE_EXAMPLES_NETWORK"), os.environ.get("BRAINSIEVE_EXAMPLES_RUN")
simulated = not run
confounds, smallest = None, 1350
if simulated:
    atlas = simulate_atlas(12, "maps", random_state=5)
    members = np.flatnonzero(atlas.truth.network == 0)
    network = math_img("maps.max(axis=3)", maps=index_img(atlas.maps, members))
    data = simulate_rest(1, atlas, n_volumes=200, snr=2, age_effect=0, random_state=5)
    run, smallest = data.func[0], 3000
    columns = [name for name in data.confounds[0] if name.startswith(("trans", "rot", "csf", "white"))]
    confounds = data.confounds[0][columns]

# %%
# Its regions
# -----------
from brainsieve.regions import connected_regions

regions, _ = connected_regions(
    math_img("img * (img > 0.5 * img.max())", img=network),
    min_region_size=smallest,
    extract_type="connected_components",
    smoothing_fwhm=None,
)
print(f"{regions.shape[3]} regions")

# %%
# Their signals and connectome
# ----------------------------
from brainsieve.connectome import ConnectivityMeasure
from brainsieve.maskers import NiftiMapsMasker

series = (
    NiftiMapsMasker(regions, standardize="zscore_sample", detrend=True)
    .fit()
    .transform(run, confounds=confounds)
)
partial = ConnectivityMeasure(kind="partial correlation").fit_transform([series])[0]
print(partial.round(2))

# %%
# What was planted
# ----------------
# As many regions as the network has, each with its signal, all connected.
if simulated:
    truth = data.truth.signals[0][:, members]
    agreement = abs(np.corrcoef(series.T, truth.T)[: len(members), len(members) :])
    assert regions.shape[3] == len(members)
    assert agreement.max(axis=0).min() > 0.85 and len(set(agreement.argmax(axis=0))) == len(members)
    assert partial[np.triu_indices(len(members), 1)].min() > 0.1
