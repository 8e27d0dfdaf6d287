"""Where tools end: at the sides of a volume, at the ends of a range, where values are missing, and in their caches."""

from __future__ import annotations

import nibabel as nib
import nilearn.masking
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from brainsieve import image, masking
from brainsieve.image.resampling import fill_from_neighbours


@pytest.mark.parametrize("n_samples", [None, 2])
def test_a_crop_is_of_a_share_of_the_largest_value_and_ends_with_the_volume(n_samples):
    data = np.zeros((7, 6, 5))
    data[0:2, 3, 2:5] = -5
    data[6, 5, 0] = 4e-8  # a share of 8e-9
    if n_samples:
        data = np.stack([data] * n_samples, axis=-1)
    affine = np.diag([2.0, 3, 4, 1])
    cropped, box = image.crop_img(nib.Nifti1Image(data, affine), return_offset=True)
    assert box[:3] == (slice(0, 3), slice(2, 5), slice(1, 5))
    assert_array_equal(cropped.get_fdata(), data[0:3, 2:5, 1:5])
    assert_allclose(cropped.affine[:3, 3], [0, 6, 4])
    _, box = image.crop_img(nib.Nifti1Image(data, affine), pad=False, rtol=1e-9, return_offset=True)
    assert box[:3] == (slice(0, 7), slice(3, 6), slice(0, 5))


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.int16])
def test_resampled_values_are_clipped_to_the_range_of_all_volumes_and_zero(clip, dtype):
    data = np.zeros((9, 8, 7, 2), dtype)
    data[3:6, 2:6, 2:5, 0] = 8  # edges overshoot
    data[..., 1] = 2 * (data[..., 0] > 0) - 3
    target = np.eye(4)
    target[:3, 3] = 0.4
    got = image.resample_img(nib.Nifti1Image(data, np.eye(4)), target, (8, 7, 6), clip=clip).get_fdata()
    volumes = [
        ndimage.affine_transform(
            v.astype(float), np.eye(3), [0.4] * 3, output_shape=(8, 7, 6), mode="constant"
        )
        for v in np.moveaxis(data, -1, 0)
    ]
    free = np.stack(volumes, axis=-1)
    assert free.max() > 8.1 and free.min() < -3.1
    assert_allclose(got, np.clip(free, -3, 8) if clip else free, atol=1e-5)


def test_voxels_without_a_value_are_filled_two_voxels_deep():
    volume = np.full((8, 5, 5), 7.0)
    known = np.ones(volume.shape, bool)
    known[3:] = False
    volume[3:] = np.nan
    filled = fill_from_neighbours(volume, known)
    assert_array_equal(filled[:5], 7)
    assert_array_equal(filled[5:], 0)


@pytest.mark.parametrize("dtypes", [("f4", "f8"), ("f8", "f4"), ("f4", "f4"), ("f4", "i2")], ids=str)
def test_the_mean_of_images_has_the_precision_of_the_best(dtypes):
    rng = np.random.default_rng(0)
    data = [(1e6 + 100 * rng.random((4, 4, 4, 3))).astype(dtype) for dtype in dtypes]
    if "i2" in dtypes:
        data[1] = rng.integers(0, 999, (4, 4, 4, 3)).astype("i2")
    got = image.mean_img([nib.Nifti1Image(one, np.eye(4)) for one in data])
    expected = np.mean([one.astype(float).mean(axis=3) for one in data], axis=0)
    assert got.get_data_dtype() == (np.float32 if dtypes == ("f4", "f4") else np.float64)
    assert_allclose(got.get_fdata(), expected, rtol=1e-7 if dtypes == ("f4", "f4") else 1e-12)


@pytest.mark.parametrize("exclude_zeros", [False, True])
def test_zeros_alone_are_left_out_of_the_histogram(exclude_zeros):
    rng = np.random.default_rng(1)
    data = np.zeros((20, 10, 10), np.float32)
    data[:3] = rng.normal(-20, 1, (3, 10, 10))
    data[17:] = rng.normal(60, 1, (3, 10, 10))
    img = nib.Nifti1Image(data, np.eye(4))
    options = dict(exclude_zeros=exclude_zeros, opening=False, lower_cutoff=0.1, upper_cutoff=0.8)
    ours = masking.compute_epi_mask(img, connected=False, **options)
    theirs = nilearn.masking.compute_epi_mask(img, connected=False, **options)
    assert_array_equal(ours.get_fdata(), theirs.get_fdata())
    assert_array_equal(ours.get_fdata(), data > (20 if exclude_zeros else -10))


def test_caches_tell_every_option_apart(tmp_path):
    rng = np.random.default_rng(2)
    data = rng.normal(1, 1, (10, 10, 10, 3))
    data[2:8, 2:8, 2:8] += 30
    run = nib.Nifti1Image(data, np.eye(4))
    shifted = nib.Nifti1Image(data, np.diag([1.0, 1, 1, 1]) + np.eye(4, k=3) * 0.5)
    cached = dict(memory=str(tmp_path), memory_level=1)
    for dtype in (np.float32, np.float64, np.float32):
        assert image.concat_imgs([run, run], dtype=dtype, **cached).get_data_dtype() == dtype
    assert image.concat_imgs([run, shifted], auto_resample=True, **cached).shape == (10, 10, 10, 6)
    with pytest.raises(ValueError, match="grid"):
        image.concat_imgs([run, shifted], **cached)
    options = [
        dict(),
        dict(opening=False),
        dict(connected=False, opening=False),
        dict(lower_cutoff=0.0, upper_cutoff=0.1, opening=False),
        dict(exclude_zeros=True),
        dict(target_affine=np.diag([2.0, 2, 2])),
    ]
    for given in options:
        fresh = masking.compute_epi_mask(run, **given)
        kept = masking.compute_epi_mask(run, memory=str(tmp_path), **given)
        assert_array_equal(kept.get_fdata(), fresh.get_fdata())


@pytest.mark.parametrize("threshold, expected", [(0, 3), (0.5, 2), (1, 1), (2 / 3, 1)])
def test_a_voxel_is_in_more_than_a_share_of_the_masks(threshold, expected):
    """Of three masks: a share of 0 asks for any, of 2/3 for more than two, of 1 for all."""
    counts = np.array([0, 1, 2, 3] * 6).reshape(4, 3, 2)
    masks = [nib.Nifti1Image((counts > i).astype(np.int8), np.eye(4)) for i in range(3)]
    got = masking.intersect_masks(masks, threshold=threshold, connected=False).get_fdata()
    assert_array_equal(got, counts > 3 - expected)
