"""What a function gives of a file is what it gives of the file's values, whatever they are stored as."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from image_peer import AFFINE, array, mask_image, quietly
from numpy.testing import assert_allclose

from brainsieve import image, masking

SHAPE = (9, 8, 7, 24)
STORED = {
    "scaled int16": (".nii.gz", np.int16, (0.37, -25.0), "<", nib.Nifti1Image),
    "big-endian scaled uint8": (".nii", np.uint8, (1.5, -60.0), ">", nib.Nifti1Image),
    "float32 with NaN": (".nii.gz", np.float32, None, "<", nib.Nifti1Image),
    "big-endian float64": (".nii", np.float64, None, ">", nib.Nifti2Image),
    "pair of int32": (".img", np.int32, None, "<", nib.Nifti1Pair),
    "mgz": (".mgz", np.float32, None, ">", nib.MGHImage),
}
MASK = mask_image()
CALLS = {
    "smooth": lambda img: array(image.smooth_img(img, 5)),
    "mean": lambda img: array(image.mean_img(img)),
    "index": lambda img: array(image.index_img(img, [5, 0, 17])),
    "iter": lambda img: np.stack([array(sample) for sample in image.iter_img(img)], axis=-1),
    "concat": lambda img: array(image.concat_imgs([img, img], dtype=np.float64)),
    "threshold": lambda img: array(image.threshold_img(img, "60%", mask_img=MASK)),
    "one-sided threshold": lambda img: array(
        image.threshold_img(img, 20, two_sided=False, cluster_threshold=3)
    ),
    "binarize": lambda img: array(image.binarize_img(img, 20)),
    "math": lambda img: array(image.math_img("a * 2 - a.mean()", a=img)),
    "get_data": lambda img: image.get_data(img),
    "resample": lambda img: array(image.resample_img(img, np.diag([4.0, 4, 4]))),
    "nearest": lambda img: array(image.resample_img(img, np.diag([4.0, 4, 4]), interpolation="nearest")),
    "crop": lambda img: array(image.crop_img(img)),
    "reorder": lambda img: array(image.reorder_img(img)),
    "clean": lambda img: array(image.clean_img(img, mask_img=MASK, confounds=np.arange(24.0) ** 2)),
    "high variance": lambda img: np.abs(image.high_variance_confounds(img, percentile=20, mask_img=MASK)),
    "apply_mask": lambda img: masking.apply_mask(img, MASK, smoothing_fwhm=4),
    "as it is": lambda img: masking.apply_mask(img, MASK, ensure_finite=False),
    "epi mask": lambda img: array(masking.compute_epi_mask(img)),
    "background mask": lambda img: array(masking.compute_background_mask(img)),
    "new": lambda img: array(image.new_img_like(img, np.ones((9, 8, 7)))),
    "cast": lambda img: array(image.load_img(img, dtype=np.float32)),
}


@pytest.fixture(scope="module", params=STORED)
def stored(request, tmp_path_factory):
    """A file, and an image in memory of its values as float64."""
    suffix, dtype, scaling, order, kind = STORED[request.param]
    rng = np.random.default_rng(0)
    values = rng.normal(60, 40, SHAPE)
    values[:4] = 0
    if dtype == np.uint8:
        values = np.clip(values, 0, 255)
    data = values.astype(np.dtype(dtype).newbyteorder(order))
    if "NaN" in request.param:
        data[5, 5, 3, 2], data[6, 6, 3, :] = np.inf, np.nan
    header = kind.header_class(endianness=order) if kind is not nib.MGHImage else None
    img = kind(data, AFFINE, header)
    path = tmp_path_factory.mktemp("stored") / f"run{suffix}"
    if scaling is not None:
        img.set_data_dtype(data.dtype)
        img.header.set_slope_inter(*scaling)
    nib.save(img, path)
    return path, nib.Nifti1Image(np.asanyarray(nib.load(path).dataobj).astype(np.float64), AFFINE)


@pytest.mark.parametrize("given", ["path", "opened", "opened and cached"])
@pytest.mark.parametrize("name", CALLS)
def test_a_file_gives_what_its_values_give(name, given, stored):
    path, values = stored
    img = path if given == "path" else nib.load(path)
    if given == "opened and cached":
        img.get_fdata()
    got, expected = quietly(CALLS[name], img), quietly(CALLS[name], values)
    scale = np.nanmax(np.abs(np.where(np.isfinite(expected), expected, 0)), initial=1e-9)
    assert_allclose(got, expected, rtol=1e-5, atol=2e-5 * scale)
    assert got.dtype.isnative


@pytest.mark.parametrize("name", ["smooth", "resample", "nearest", "concat"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_what_is_written_is_what_is_held(name, suffix, stored, tmp_path):
    path = stored[0]
    calls = {
        "smooth": lambda img, **o: image.smooth_img(img, 5, **o),
        "resample": lambda img, **o: image.resample_img(img, np.diag([4.0, 4, 4]), **o),
        "nearest": lambda img, **o: image.resample_img(
            img, np.diag([4.0, 4, 4]), interpolation="nearest", **o
        ),
        "concat": lambda img, **o: image.concat_imgs([img, img], dtype=None, **o),
    }
    written = quietly(calls[name], path, output_file=tmp_path / f"out{suffix}")
    held = quietly(calls[name], path)
    assert_allclose(array(written), array(held), rtol=1e-6)
    assert written.get_data_dtype() == array(held).dtype
    assert [p.name for p in tmp_path.iterdir()] == [f"out{suffix}"]
