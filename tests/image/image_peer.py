"""Calls of ours and of the peer on the same inputs, and how results are compared."""

from __future__ import annotations

import warnings

import nibabel as nib
import nilearn
import nilearn.image
import nilearn.masking
import numpy as np
from nilearn.surface import InMemoryMesh, PolyMesh
from nilearn.surface import SurfaceImage as PeerImage
from numpy.testing import assert_allclose
from scipy.spatial import ConvexHull

import brainsieve
import brainsieve.image
import brainsieve.masking
from brainsieve.surface import SurfaceImage

AFFINE = np.array([[3.0, 0, 0, -10], [0, 3, 0, -12], [0, 0, 4, -8], [0, 0, 0, 1]])


def quietly(call, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*args, **kwargs)


def ours_of(module, name, *args, **kwargs):
    return quietly(getattr(getattr(brainsieve, module), name), *args, **kwargs)


def peers_of(module, name, *args, **kwargs):
    return quietly(getattr(getattr(nilearn, module), name), *args, **kwargs)


def both(module, name, *args, **kwargs):
    """Results of a function of ours and of the peer's."""
    return ours_of(module, name, *args, **kwargs), peers_of(module, name, *args, **kwargs)


def array(img):
    return np.asanyarray(img.dataobj)


def assert_same_data(ours, theirs, tolerance=1e-5):
    ours, theirs = array(ours).astype(float), array(theirs).astype(float)
    assert ours.shape == theirs.shape
    scale = max(np.nanmax(np.abs(theirs), initial=0), 1e-9)
    assert_allclose(ours, theirs, rtol=0, atol=tolerance * scale)


def volume(shape=(9, 8, 7), dtype=np.float64, seed=0, nan=False, affine=AFFINE) -> nib.Nifti1Image:
    """Values on both sides of 0, half of the image 0, clipped to the ends of integer dtypes."""
    data = np.random.default_rng(seed).normal(10, 40, shape)
    data[: shape[0] // 2] = 0
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        ends = np.iinfo(dtype)
        # The peer takes the absolute value of the smallest integer for that integer: a test of its own has it.
        data = np.clip(data, ends.min + (dtype.kind == "i"), ends.max)
    data = data.astype(dtype)
    if nan:
        data[5, 5, 3], data[6, 6, 3] = np.nan, np.inf
    return nib.Nifti1Image(data, affine, dtype=dtype)


def mask_image(shape=(9, 8, 7), seed=5, dtype=np.uint8, affine=AFFINE) -> nib.Nifti1Image:
    return nib.Nifti1Image((np.random.default_rng(seed).random(shape) > 0.5).astype(dtype), affine)


def meshes(sizes=(40, 50), seed=0) -> PolyMesh:
    rng = np.random.default_rng(seed)
    made = []
    for size in sizes:
        points = rng.normal(size=(size, 3))
        points *= 30 / np.linalg.norm(points, axis=1, keepdims=True)
        made.append(InMemoryMesh(points, ConvexHull(points).simplices))
    return PolyMesh(left=made[0], right=made[1])


MESHES = meshes()


def surfaces(n_samples=None, dtype=np.float64, seed=1, values=None):
    """The same surface image for us and for the peer, which changes its own in place."""
    rng = np.random.default_rng(seed)
    parts = {}
    for part, mesh in MESHES.parts.items():
        shape = (mesh.n_vertices,) if n_samples is None else (mesh.n_vertices, n_samples)
        parts[part] = (rng.normal(3, 20, shape) if values is None else values(shape, rng)).astype(dtype)
    ours = SurfaceImage(MESHES, {part: array.copy() for part, array in parts.items()})
    return ours, PeerImage(MESHES, {part: array.copy() for part, array in parts.items()})
