"""
Multi-class strategies: one against all, or one against one
===========================================================

Eight categories can be told apart by eight machines, each for one category against the rest, or by one for each of the 28 pairs,
which vote. Both are scored on runs that were held back, with the matrix of confusions.

Data are simulated in the form of Haxby et al. (2001, doi:10.1126/science.1063736). With ``BRAINSIEVE_EXAMPLES_HAXBY`` set to
the folder of that study, its second person is read from there.
"""

# %%
# Patterns, categories and runs
# -----------------------------
import os

import numpy as np

from brainsieve.datasets import load_haxby, simulate_decoding
from brainsieve.maskers import NiftiMasker

folder = os.environ.get("BRAINSIEVE_EXAMPLES_HAXBY")
data = (
    load_haxby(folder, subjects=[2])
    if folder
    else simulate_decoding(n_classes=8, n_runs=6, snr=0.3, random_state=3)
)
img, target, mask = data.func[0], data.session_target[0], data.mask_vt[0]

masker = NiftiMasker(mask_img=mask, runs=target["chunks"], standardize="zscore_sample", detrend=True)
patterns = masker.fit().transform(img)
seen = (target["labels"] != "rest").to_numpy()
X, y, runs = patterns[seen], target["labels"][seen].to_numpy(), target["chunks"][seen].to_numpy()

# %%
# The two strategies
# ------------------
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.svm import SVC

accuracy, confusions = {}, {}
for strategy in (OneVsRestClassifier, OneVsOneClassifier):
    said = cross_val_predict(strategy(SVC(kernel="linear")), X, y, groups=runs, cv=LeaveOneGroupOut())
    accuracy[strategy.__name__] = (said == y).mean()
    confusions[strategy.__name__] = confusion_matrix(y, said, normalize="true")
    print(f"{strategy.__name__}: {accuracy[strategy.__name__]:.0%} right, by chance {1 / len(set(y)):.0%}")

# %%
# What was planted
# ----------------
# Each category has a pattern: both strategies are far above chance, in each category.
if not folder:
    assert min(accuracy.values()) > 0.5
    assert all(np.diag(matrix).min() > 2 / 8 for matrix in confusions.values())
