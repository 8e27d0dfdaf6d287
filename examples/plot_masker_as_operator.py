"""
A masker as a linear operator in one's own solver
=================================================

What a masker does in space is linear: signals are ``A x``. `operator_` gives ``A`` to any solver that needs products with ``A``
and its transpose only, with resampling, smoothing and averaging folded in. Here a map of voxels is recovered from the means of
overlapping spheres, by a sparse model that is five lines long.

Data are simulated. With ``BRAINSIEVE_EXAMPLES_MAP`` set to the path of a statistical map in MNI space, that one is measured and
recovered.
"""

# %%
# A map, and spheres that overlap
# -------------------------------
import os

import numpy as np

from brainsieve.datasets import simulate_contrasts
from brainsieve.image import load_img
from brainsieve.maskers import NiftiSpheresMasker

path = os.environ.get("BRAINSIEVE_EXAMPLES_MAP")
img = load_img(path) if path else simulate_contrasts(3, effect=3.0, random_state=8).truth.mean_effect
inside = np.argwhere(np.asarray(img.dataobj) != 0) if path else np.argwhere(np.ones(img.shape))
rng = np.random.default_rng(0)
centres = rng.choice(inside, 600) @ img.affine[:3, :3].T + img.affine[:3, 3]
masker = NiftiSpheresMasker([tuple(centre) for centre in centres], radius=20, allow_overlap=True).fit()

# %%
# The operator
# ------------
# Its product with the values of voxels is what the masker gives.
A = masker.operator_(img)
x = np.asarray(img.dataobj, dtype=float).ravel(order="F")
y = masker.transform(img)
print(f"{A.shape[0]} means of {A.shape[1]} voxels; {A.tosparse().nnz} numbers in the matrix")
assert np.allclose(A @ x, y, atol=1e-5)

# %%
# One's own solver
# ----------------
# The lasso with positive weights, by accelerated proximal gradients (Beck and Teboulle 2009, doi:10.1137/080716542).
from scipy.sparse.linalg import svds

size = svds(A, k=1, return_singular_vectors=False)[0] ** 2
found = momentum = np.zeros(A.shape[1])
penalty, t = 0.01 * (A.T @ y).max(), 1.0
for _ in range(400):
    last, found = found, np.maximum(momentum - (A.T @ (A @ momentum - y) + penalty) / size, 0)
    t, before = (1 + np.sqrt(1 + 4 * t * t)) / 2, t
    momentum = found + (before - 1) / t * (found - last)
back = A.T @ y

# %%
# What was planted
# ----------------
# The site is found where it is, much sharper than by spreading means over their spheres.
sharp, blurred = (np.corrcoef(x, estimate)[0, 1] for estimate in (found, back))
print(f"correlation with the map: {sharp:.2f}; by spreading the means {blurred:.2f}")
if not path:
    assert sharp > 0.7 and sharp > blurred + 0.1
    assert x[found.argmax()] > 0
