"""
Reconstruction of visual stimuli
================================

The other way round: which picture was seen? Each pixel is predicted from the voxels of visual cortex by a linear model, and
pictures of runs that were held back are put together from these.

Data are simulated in the form of Miyawaki et al. (2008, doi:10.1016/j.neuron.2008.11.004). With ``BRAINSIEVE_EXAMPLES_MIYAWAKI`` set to
the folder of that data set, its runs of random pictures are taken.
"""

# %%
# Pictures and voxels
# -------------------
import os

import numpy as np

from brainsieve.datasets import load_miyawaki2008, simulate_visual
from brainsieve.maskers import MultiNiftiMasker

folder = os.environ.get("BRAINSIEVE_EXAMPLES_MIYAWAKI")
data = (
    load_miyawaki2008(folder)
    if folder
    else simulate_visual(n_pixels=5, n_runs=5, n_volumes=100, snr=1.5, random_state=2)
)
random = [k for k, run in enumerate(data.func) if not folder or "random" in run]
runs, pictures, mask = [data.func[k] for k in random], [data.label[k] for k in random], data.mask_roi[0]

masker = MultiNiftiMasker(mask_img=mask, detrend=True, standardize="zscore_sample").fit()
voxels = masker.transform(runs)
delay = 2


def together(numbers):
    """Voxels and pictures of some runs, without rest."""
    shown = [(pictures[k][:-delay] >= 0).all(axis=1) for k in numbers]
    X = np.concatenate([voxels[k][delay:][kept] for k, kept in zip(numbers, shown, strict=True)])
    return X, np.concatenate([pictures[k][:-delay][kept] for k, kept in zip(numbers, shown, strict=True)])


# %%
# A model for each pixel
# ----------------------
from sklearn.linear_model import RidgeCV

last = len(runs) - 1
model = RidgeCV(alphas=np.logspace(0, 4, 9)).fit(*together(range(last)))

# %%
# Pictures of the last run
# ------------------------
X, seen = together([last])
reconstructed = model.predict(X) > 0.5
accuracy = (reconstructed == seen).mean()
side = int(np.sqrt(seen.shape[1]))
for row in range(side):
    pair = (picture[0].reshape(side, side)[row] for picture in (seen, reconstructed))
    print("   ".join("".join(" #"[int(pixel)] * 2 for pixel in line) for line in pair))
print(f"{accuracy:.0%} of the pixels are right; half of them are by chance")

# %%
# What was planted
# ----------------
if not folder:
    assert accuracy > 0.75
