"""Maps and runs for the tests of regions."""

from __future__ import annotations

import warnings

import nibabel as nib
import numpy as np
from scipy import ndimage

ISOTROPIC = np.diag([3.0, 3.0, 3.0, 1.0])
# Flipped, of uneven voxels, moved.
FLIPPED = np.array([[-3.0, 0, 0, 40], [0, 2, 0, -30], [0, 0, 4, 7], [0, 0, 0, 1]])
FAR = nib.affines.from_matvec(np.eye(3), [900.0, 0, 0])
OBLIQUE = nib.affines.from_matvec(
    np.array([[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 1]]) * 3.0, [1.0, 2, 3]
)


def smooth_noise(n_maps=2, shape=(24, 26, 22), seed=0, width=2.2):
    rng = np.random.default_rng(seed)
    maps = np.stack([ndimage.gaussian_filter(rng.normal(size=shape), width) for _ in range(n_maps)], -1)
    return maps / maps.std()


def image(data, affine=ISOTROPIC):
    return nib.Nifti1Image(data, affine)


def ball(shape, centre, radius):
    return ((np.indices(shape) - np.reshape(centre, (3, 1, 1, 1))) ** 2).sum(axis=0) <= radius**2


def quiet(call, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*args, **kwargs)
