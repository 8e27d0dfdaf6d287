"""
A run larger than memory
========================

A run is read block by block, and what is kept of each block is its features. How long a run may be does not depend on
memory: here, signals of regions and a variance map of all voxels come from a file, with a small fraction of its size in use.

The run is written by this script, with known signals. With ``BRAINSIEVE_EXAMPLES_RUN`` set to the path of a run and
``BRAINSIEVE_EXAMPLES_LABELS`` to that of labels for it, these are taken.
"""

# %%
# A long run on disk
# ------------------
# It is written volume by volume too: a header, then the volumes one behind the other.
import os
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np

from brainsieve.datasets import simulate_atlas

folder = tempfile.TemporaryDirectory()
path, labels = os.environ.get("BRAINSIEVE_EXAMPLES_RUN"), os.environ.get("BRAINSIEVE_EXAMPLES_LABELS")
simulated = not path
if simulated:
    atlas = simulate_atlas(20, shape=(60, 72, 56), resolution=3.0)
    labels, codes = atlas.maps, np.asarray(atlas.maps.dataobj)
    rng = np.random.default_rng(0)
    planted = rng.integers(-50, 50, (600, 21)).astype(np.int16)
    planted[:, 0] = 0
    header = nib.Nifti1Header()
    header.set_data_shape((*codes.shape, len(planted)))
    header.set_data_dtype(np.int16)
    header.set_sform(atlas.maps.affine, 4)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    path = str(Path(folder.name) / "long_run.nii")
    with open(path, "wb") as file:
        file.write(header.binaryblock + bytes(4))
        file.writelines((1000 + row[codes]).astype("<i2").tobytes(order="F") for row in planted)
megabytes = Path(path).stat().st_size / 1e6
print(f"{megabytes:.0f} MB on disk")

# %%
# Signals, and how much memory they took
# --------------------------------------
# NumPy reports what it allocates to Python's own tracer.
import tracemalloc

from brainsieve.maskers import NiftiLabelsMasker

masker = NiftiLabelsMasker(labels).fit()
tracemalloc.start()
signals = masker.transform(path)
peak = tracemalloc.get_traced_memory()[1] / 1e6
tracemalloc.stop()
print(f"signals of shape {signals.shape}; {peak:.0f} MB of memory at most")

# %%
# What was planted
# ----------------
# The signals are what was written, and memory stayed far below the size of the file.
folder.cleanup()
if simulated:
    assert np.allclose(signals, 1000 + planted[:, 1:])
    assert megabytes > 250 and peak < megabytes / 5
