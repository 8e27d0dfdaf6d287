"""
Ten atlases in one pass
=======================

Reading and decoding a run is most of the work. `extract_many` does it once, and gives the signals of as many
atlases as there are: labels, maps and spheres of any size, cleaned in the same way.

Data are simulated. With ``BRAINSIEVE_EXAMPLES_RUN`` set to the path of a run, and ``BRAINSIEVE_EXAMPLES_ATLASES`` to those of
label images, separated by the system's path separator, these are taken.
"""

# %%
# A run and ten atlases
# ---------------------
import os
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np

from brainsieve.datasets import simulate_atlas, simulate_rest

folder = tempfile.TemporaryDirectory()
run = os.environ.get("BRAINSIEVE_EXAMPLES_RUN")
simulated = not run
if simulated:
    data = simulate_rest(1, n_volumes=200, snr=2, artefact_level=0, random_state=4)
    run = str(Path(folder.name) / "run.nii.gz")
    nib.save(data.func[0], run)
    atlases = {"the one of the data": data.atlas.maps}
    for k in range(9):
        kind = ("labels", "maps")[k % 2]
        atlases[f"{10 + 5 * k} {kind}"] = simulate_atlas(10 + 5 * k, kind, random_state=k).maps
else:
    paths = os.environ["BRAINSIEVE_EXAMPLES_ATLASES"].split(os.pathsep)
    atlases = {Path(path).name: path for path in paths}

# %%
# One pass
# --------
from time import process_time

from brainsieve import extract_many

cleaning = {"standardize": "zscore_sample", "detrend": True}
start = process_time()
signals = extract_many(run, atlases, **cleaning)
print(f"{len(signals)} atlases in {process_time() - start:.2f} s of computing")
for name, series in signals.items():
    print(f"  {name}: {series.shape[1]} regions")

# %%
# A pass for each
# ---------------
# The same numbers, for more work.
from brainsieve.maskers import NiftiLabelsMasker, NiftiMapsMasker

start = process_time()
for name, atlas in atlases.items():
    kind = (
        NiftiMapsMasker
        if len(nib.load(atlas).shape if isinstance(atlas, str) else atlas.shape) == 4
        else NiftiLabelsMasker
    )
    np.testing.assert_allclose(signals[name], kind(atlas, **cleaning).fit().transform(run), atol=1e-5)
print(f"one by one in {process_time() - start:.2f} s")

# %%
# What was planted
# ----------------
# The atlas that the data were made with gives back their signals.
folder.cleanup()
if simulated:
    assert len(signals) == 10
    found = signals["the one of the data"]
    agreement = [np.corrcoef(a, b)[0, 1] for a, b in zip(found.T, data.truth.signals[0].T, strict=True)]
    print(f"correlation with the planted signals: {min(agreement):.2f} at least")
    assert min(agreement) > 0.9
