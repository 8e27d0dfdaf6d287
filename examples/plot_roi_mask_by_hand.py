"""
A mask of a region, computed by hand
====================================

From a run of blocks to a region of interest in seven steps: smooth, average by condition, test, threshold, keep what lies in an
anatomical mask, dilate, and cut into connected pieces. Each step is an array or an image that can be looked at.

Data are simulated in the form of Haxby et al. (2001, doi:10.1126/science.1063736). With ``BRAINSIEVE_EXAMPLES_HAXBY`` set to
the folder of that study, its second person is read from there.
"""

# %%
# A run of blocks
# ---------------
import os

import numpy as np

from brainsieve.datasets import load_haxby, simulate_decoding
from brainsieve.image import get_data, load_img, math_img, new_img_like, smooth_img

folder = os.environ.get("BRAINSIEVE_EXAMPLES_HAXBY")
data = (
    load_haxby(folder, subjects=[2])
    if folder
    else simulate_decoding(n_classes=2, n_runs=8, snr=1.0, random_state=1)
)
img, target, anatomical = load_img(data.func[0]), data.session_target[0], data.mask_vt[0]

# %%
# Smooth, and test faces against houses
# -------------------------------------
from scipy.stats import ttest_ind

values = get_data(smooth_img(img, 8))
face, house = ((target["labels"] == name).to_numpy() for name in ("face", "house"))
t, p = ttest_ind(values[..., face], values[..., house], axis=-1)
t, log_p = np.nan_to_num(t), -np.log10(np.nan_to_num(p, nan=1.0))

# %%
# Threshold, intersect, dilate
# ----------------------------
from scipy.ndimage import binary_dilation

strong = new_img_like(img, (log_p > 5) & (t > 0))
inside = math_img("(a > 0) & (b > 0)", a=strong, b=anatomical)
dilated = new_img_like(img, binary_dilation(get_data(inside) > 0).astype(np.uint8))

# %%
# Connected pieces, and the signal of the largest
# -----------------------------------------------
from scipy.ndimage import label

from brainsieve.maskers import NiftiLabelsMasker

pieces, n_pieces = label(get_data(dilated))
largest = 1 + np.bincount(pieces.ravel())[1:].argmax()
region = new_img_like(img, (pieces == largest).astype(np.int16))
series = NiftiLabelsMasker(region).fit_transform(img)[:, 0]
print(f"{n_pieces} pieces; the largest has {int(get_data(region).sum())} voxels")
print(f"mean in faces {series[face].mean():.1f}, in houses {series[house].mean():.1f}")

# %%
# What was planted
# ----------------
# The region holds the cluster that answers to faces, and does not reach the one of houses.
if not folder:
    faces, houses = (get_data(data[f"mask_{name}"][0]) > 0 for name in ("face", "house"))
    found = get_data(region) > 0
    print(f"{found[faces].mean():.0%} of the face cluster, {found[houses].mean():.0%} of the house cluster")
    assert found[faces].mean() > 0.7 > 0.2 > found[houses].mean()
