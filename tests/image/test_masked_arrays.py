"""Images of masked arrays, as nilearn's plots make of its template."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from brainsieve.image import get_data, new_img_like


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
@pytest.mark.parametrize("kept", [0, 1, 3, 24])
def test_the_header_s_range_is_that_of_what_is_not_masked(dtype, kept):
    values = np.arange(24).reshape(2, 3, 4).astype(dtype)
    data = np.ma.masked_array(values, mask=values < 24 - kept)
    img = new_img_like(nib.Nifti1Image(np.zeros((2, 3, 4), np.uint8), np.eye(4)), data)
    expected = (24 - kept, 23) if kept else (0, 0)
    assert (img.header["cal_min"], img.header["cal_max"]) == expected
    np.testing.assert_array_equal(np.ma.getmaskarray(get_data(img)), data.mask)


def test_a_masked_array_with_values_that_are_not_finite_is_ranged_by_those_that_are():
    values = np.array([np.nan, 5.0, np.inf, 2.0, -7.0, 9.0]).reshape(1, 2, 3)
    data = np.ma.masked_array(values, mask=values == -7)
    img = new_img_like(nib.Nifti1Image(np.zeros((1, 2, 3), np.uint8), np.eye(4)), data)
    assert (img.header["cal_min"], img.header["cal_max"]) == (2, 9)
