"""
CIFTI and volumes with the same lines
=====================================

The same signals of regions lie once in a volume, and once on the vertices of two hemispheres, as the Human
Connectome Project stores them. One function analyses both: what a file is decides which masker is made.

Both are simulated. With ``BRAINSIEVE_EXAMPLES_DTSERIES`` and ``BRAINSIEVE_EXAMPLES_DLABEL`` set to paths of CIFTI-2 files, the
grayordinates are taken from these.
"""

# %%
# A volume
# --------
import os
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.cifti2 import cifti2_axes

from brainsieve.datasets import simulate_rest

data = simulate_rest(1, n_volumes=300, snr=2, artefact_level=0, random_state=6)
folder = tempfile.TemporaryDirectory()

# %%
# Grayordinates
# -------------
# A series of 500 vertices a hemisphere, without a medial wall, and labels that give each vertex its region.
series, labels = os.environ.get("BRAINSIEVE_EXAMPLES_DTSERIES"), os.environ.get("BRAINSIEVE_EXAMPLES_DLABEL")
simulated = not series
if simulated:
    rng, names = np.random.default_rng(1), data.atlas.labels
    sides = [
        cifti2_axes.BrainModelAxis.from_surface(np.arange(50, 500), 500, f"CIFTI_STRUCTURE_CORTEX_{side}")
        for side in ("LEFT", "RIGHT")
    ]
    vertices = sides[0] + sides[1]
    region = np.arange(len(vertices)) % (len(names) + 1)
    signals = np.c_[np.zeros(300), data.truth.signals[0]]
    values = 1000 + 10 * (signals[:, region] + rng.standard_normal((300, len(vertices))))
    table = {0: ("???", (0, 0, 0, 0))} | {k + 1: (name, (1, 0, 0, 1)) for k, name in enumerate(names)}
    axes = {
        "series": cifti2_axes.SeriesAxis(0, 2.0, 300),
        "labels": cifti2_axes.LabelAxis(["atlas"], [table]),
    }
    series, labels = str(Path(folder.name) / "run.dtseries.nii"), str(Path(folder.name) / "atlas.dlabel.nii")
    nib.save(nib.Cifti2Image(values.astype("f4"), header=(axes["series"], vertices)), series)
    nib.save(nib.Cifti2Image(region[None].astype("f4"), header=(axes["labels"], vertices)), labels)

# %%
# The same lines
# --------------
from brainsieve import extract_many
from brainsieve.connectome import ConnectivityMeasure


def connectome(run, atlas):
    """Correlations of regions, whatever the run lives on."""
    found = extract_many(run, {"atlas": atlas}, standardize="zscore_sample", detrend=True)["atlas"]
    return ConnectivityMeasure(kind="correlation").fit_transform([found])[0]


of_volumes = connectome(data.func[0], data.atlas.maps)
of_grayordinates = connectome(series, labels)
print(of_volumes.shape, of_grayordinates.shape)

# %%
# What was planted
# ----------------
# The two give one matrix but for the noise of voxels and vertices, and it is that of the planted signals.
folder.cleanup()
if simulated:
    expected = np.corrcoef(data.truth.signals[0].T)
    print(
        f"largest differences: {abs(of_volumes - expected).max():.2f}, {abs(of_grayordinates - expected).max():.2f}"
    )
    assert abs(of_volumes - expected).max() < 0.15
    assert abs(of_grayordinates - expected).max() < 0.15
