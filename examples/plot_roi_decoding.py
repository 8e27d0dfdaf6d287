"""
Decoding of objects in regions of interest
==========================================

Can the category of an object be told from the pattern of a region? A linear support vector machine is
trained on all runs but one, and tested on that one, in turn; in the region where patterns are, and elsewhere.

Data are simulated in the form of Haxby et al. (2001, doi:10.1126/science.1063736). With ``BRAINSIEVE_EXAMPLES_HAXBY`` set to
the folder of that study, its second person is read from there.
"""

# %%
# Images, labels, regions
# -----------------------
import os

import numpy as np

from brainsieve.datasets import load_haxby, simulate_decoding
from brainsieve.image import index_img, math_img

folder = os.environ.get("BRAINSIEVE_EXAMPLES_HAXBY")
data = (
    load_haxby(folder, subjects=[2]) if folder else simulate_decoding(n_classes=4, n_runs=6, random_state=2)
)
img, target = data.func[0], data.session_target[0]
regions = {"ventral temporal": data.mask_vt[0], "face": data.mask_face[0]}
if not folder:
    regions["elsewhere"] = math_img("brain * (1 - site)", brain=data.mask, site=data.truth.informative)

seen = target["labels"] != "rest"
volumes = index_img(img, np.flatnonzero(seen))
categories, runs = target["labels"][seen].to_numpy(), target["chunks"][seen].to_numpy()

# %%
# A score for each region
# -----------------------
# ``cv`` holds back each run in turn; all voxels of a region take part.
from sklearn.model_selection import LeaveOneGroupOut

from brainsieve.decoding import Decoder

scores = {}
for name, mask in regions.items():
    decoder = Decoder(
        "svc",
        mask=mask,
        cv=LeaveOneGroupOut(),
        scoring="accuracy",
        screening_percentile=100,
        estimator_args={"max_iter": 10_000},
    )
    decoder.fit(volumes, categories, groups=runs)
    scores[name] = np.mean([np.mean(each) for each in decoder.cv_scores_.values()])
    print(f"{name}: {scores[name]:.2f}")

# %%
# What was planted
# ----------------
# Patterns of the ventral temporal region tell categories apart; elsewhere one volume of four is right by chance.
if not folder:
    assert scores["ventral temporal"] > 0.8
    assert scores["elsewhere"] < 0.4
