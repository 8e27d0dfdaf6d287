"""What images made of others keep of their headers, and which numbers their files hold."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from image_peer import AFFINE, array, both, mask_image, quietly, volume
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve import image, masking

FIELDS = ("descrip", "xyzt_units", "pixdim", "sform_code", "qform_code", "intent_code", "scl_slope")
CALLS = {
    "mean_img": ("image", (), {}),
    "smooth_img": ("image", (5,), {}),
    "threshold_img": ("image", (30,), {}),
    "binarize_img": ("image", (30,), {}),
    "resample_img": ("image", (np.diag([4.0, 4, 4]),), {}),
    "crop_img": ("image", (), {}),
    "reorder_img": ("image", (), {}),
    "index_img": ("image", (slice(1, 3),), {}),
    "clean_img": ("image", (), {"standardize": "zscore_sample"}),
    "copy_img": ("image", (), {}),
    "compute_epi_mask": ("masking", (), {}),
    "compute_background_mask": ("masking", (), {}),
}


def run_with_header(kind=nib.Nifti1Image, dtype=np.float32, shape=(9, 8, 7, 12)):
    data = array(volume(shape, dtype))
    img = kind(data, AFFINE, dtype=dtype)
    img.header["descrip"] = b"as it came"
    img.header.set_xyzt_units("mm", "sec")
    img.header.set_intent("t test", (5,))
    img.header.set_zooms((3, 3, 4, 2.2))
    img.set_sform(AFFINE, 4)
    img.set_qform(AFFINE, 3)
    return img


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image], ids=lambda k: k.__name__)
@pytest.mark.parametrize("name", CALLS)
def test_headers_are_kept_as_the_peer_keeps_them(name, kind):
    module, arguments, options = CALLS[name]
    for copied in (True, False):
        if "copy_header" not in getattr(image, name, array).__code__.co_varnames and not copied:
            continue
        if "copy_header" in getattr(image, name, array).__code__.co_varnames:
            options = options | {"copy_header": copied}
        ours, theirs = both(module, name, run_with_header(kind), *arguments, **options)
        assert type(ours) is type(theirs)
        for field in FIELDS:
            assert_array_equal(ours.header[field], theirs.header[field], err_msg=field)
        if copied:
            assert_allclose(ours.header["cal_max"], theirs.header["cal_max"], rtol=1e-5)
            assert_allclose(ours.header["cal_min"], theirs.header["cal_min"], rtol=1e-5, atol=1e-6)
        # The peer leaves the dtype of the image it came from.
        assert ours.get_data_dtype() == array(ours).dtype


@pytest.mark.parametrize("at_once", [2**16, 7])
@pytest.mark.parametrize("n_finite", [0, 1, 60])
def test_the_range_for_viewers_is_of_what_is_finite(n_finite, at_once, monkeypatch):
    monkeypatch.setattr("brainsieve.image.headers.RANGE_AT_ONCE", at_once)
    data = np.full((4, 5, 3), np.nan)
    data.ravel()[:n_finite] = (np.arange(n_finite) - 3.0) * 31 % 60
    data.ravel()[-1] = np.inf
    made = image.new_img_like(volume(), data)
    finite = data[np.isfinite(data)]
    expected = (finite.min(), finite.max()) if finite.size else (0, 0)
    assert (made.header["cal_min"], made.header["cal_max"]) == expected


@pytest.mark.parametrize("copied", [True, False])
def test_the_range_for_viewers_is_only_of_copied_headers(copied):
    made = image.new_img_like(run_with_header(), np.ones((9, 8, 7)), copy_header=copied)
    assert made.header["cal_max"] == copied


BIG_ENDIAN = {
    "smooth": lambda img, **options: image.smooth_img(img, 5, **options),
    "resample": lambda img, **options: image.resample_img(img, np.diag([4.0, 4, 4]), **options),
    "unmoved": lambda img, **options: image.resample_img(img, AFFINE, **options),
    "concat": lambda img, **options: image.concat_imgs([img, img], dtype=None, **options),
    "clean": lambda img, **options: image.clean_img(img, **options),
}


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image], ids=lambda k: k.__name__)
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("name", BIG_ENDIAN)
def test_files_written_of_big_endian_images_hold_the_same_numbers(name, scaled, kind, suffix, tmp_path):
    header = kind.header_class(endianness=">")
    data = np.random.default_rng(0).integers(-500, 900, (6, 5, 4, 40)).astype(">i2")
    img = kind(data, AFFINE, header)
    img.set_data_dtype(">i2")
    if scaled:
        img.header.set_slope_inter(0.5, 7)
    nib.save(img, tmp_path / "big.nii")
    assert nib.load(tmp_path / "big.nii").header.endianness == ">"
    values = nib.Nifti1Image(nib.load(tmp_path / "big.nii").get_fdata(), AFFINE)
    for given in (tmp_path / "big.nii", nib.load(tmp_path / "big.nii")):
        in_memory = BIG_ENDIAN[name](given)
        written = BIG_ENDIAN[name](given, output_file=tmp_path / f"out{suffix}")
        reread = nib.load(tmp_path / f"out{suffix}")
        assert type(in_memory) is type(reread) is kind
        assert np.isnan(in_memory.header["scl_slope"])
        assert_allclose(array(written), array(in_memory), rtol=1e-6)
        assert_allclose(reread.get_fdata(), array(in_memory), rtol=1e-6)
        assert_allclose(array(in_memory), array(BIG_ENDIAN[name](values)), rtol=1e-5, atol=1e-4)
        assert reread.get_data_dtype() == array(in_memory).dtype
        nib.save(in_memory, tmp_path / "saved.nii")
        assert_allclose(nib.load(tmp_path / "saved.nii").get_fdata(), array(in_memory), rtol=1e-6)


MADE = {
    "load_img": lambda img, dtype: array(image.load_img(img, dtype=dtype)),
    "check_niimg": lambda img, dtype: array(image.check_niimg(img, dtype=dtype)),
    "concat_imgs": lambda img, dtype: array(image.concat_imgs([img], dtype=dtype))[..., 0],
    "apply_mask": lambda img, dtype: masking.apply_mask(img, mask_of_ones(), dtype=dtype).reshape(2, 1, 1),
}


def mask_of_ones():
    return nib.Nifti1Image(np.ones((2, 1, 1), np.uint8), AFFINE)


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize(
    "values, found, dtype",
    [
        ((-129, 3), np.int16, np.int8),
        ((128, 3), np.int16, np.int8),
        ((-1, 3), np.int16, np.uint8),
        ((256, 3), np.int32, np.uint8),
        ((2**40, 3), np.int64, np.int32),
        ((3e9, 3), np.float64, np.int32),
        ((-0.5e3, 3), np.float32, np.uint16),
    ],
    ids=str,
)
def test_values_that_a_dtype_does_not_hold_are_an_error(name, values, found, dtype):
    img = nib.Nifti1Image(np.array(values, found).reshape(2, 1, 1), AFFINE, dtype=found)
    with pytest.raises(ValueError, match=f"dtype={np.dtype(dtype)} holds no values"):
        MADE[name](img, dtype)


@pytest.mark.parametrize("name", MADE)
def test_values_that_fit_are_cut_off_to_integers(name):
    img = nib.Nifti1Image(np.array([127.9, -128.9]).reshape(2, 1, 1), AFFINE)
    assert_array_equal(MADE[name](img, np.int8).ravel(), [127, -128])


def test_auto_is_int32_where_that_holds_the_values():
    small, large = (
        nib.Nifti1Image(np.array([[[value, -3]]]), AFFINE, dtype=np.int64) for value in (2**31 - 1, 2**31)
    )
    assert array(image.load_img(small, dtype="auto")).dtype == np.int32
    found = array(image.load_img(large, dtype="auto"))
    assert found.dtype == np.float32 and found[0, 0, 0] == 2**31
    floats = image.load_img(nib.Nifti1Image(np.ones((2, 2, 2)), AFFINE), dtype="auto")
    assert array(floats).dtype == np.float32


@pytest.mark.parametrize("name", ["load_img", "concat_imgs", "apply_mask"])
def test_what_is_no_dtype_is_named(name):
    img = nib.Nifti1Image(np.ones((2, 1, 1)), AFFINE)
    for dtype in ("number", "U3", object):
        with pytest.raises(TypeError, match="dtype must be"):
            MADE[name](img, dtype)
    with pytest.raises(ValueError, match="no NaN"):
        image.load_img(nib.Nifti1Image(np.full((2, 1, 1), np.nan), AFFINE), dtype=np.int16)


@pytest.mark.parametrize(
    "dtype", [bool, np.float16, np.int64, np.uint64, np.dtype(">f4"), np.longdouble], ids=str
)
def test_data_of_dtypes_that_files_lack_become_those_that_hold_them(dtype, tmp_path):
    data = np.ones((3, 3, 3), dtype)
    made = image.new_img_like(volume(), data)
    nib.save(made, tmp_path / "made.nii")
    assert_array_equal(nib.load(tmp_path / "made.nii").get_fdata(), data.astype(float))
    assert array(made).dtype.isnative
    for value in (2**40, -(2**40)):
        large = image.new_img_like(volume(), np.full((3, 3, 3), value))
        assert array(large).dtype == np.int64 and array(large)[0, 0, 0] == value


def test_headers_that_place_an_image_in_two_places_are_told():
    img = volume()
    img.set_sform(AFFINE, 1)
    moved = AFFINE.copy()
    moved[0, 3] += 3
    img.set_qform(moved, 1)
    with pytest.warns(UserWarning, match="sform and the qform .* disagree, by up to 3 mm"):
        image.resample_img(img, np.diag([4.0, 4, 4]))
    img.set_sform(AFFINE, 0)
    with pytest.warns(UserWarning, match="no sform"):
        image.resample_img(img, np.diag([4.0, 4, 4]))


@pytest.mark.parametrize("shape", [(9, 8, 7), (9, 8, 7, 3)], ids=str)
@pytest.mark.parametrize("interpolation", ["continuous", "linear", "nearest"])
def test_interpolating_a_binary_image_is_told(shape, interpolation, recwarn):
    img = mask_image(shape, dtype=np.float64)
    image.resample_img(img, np.diag([4.0, 4, 4]), interpolation=interpolation)
    told = [str(w.message) for w in recwarn if "two values" in str(w.message)]
    assert len(told) == (interpolation != "nearest")
    third = nib.Nifti1Image(array(img).copy(), AFFINE)
    third.dataobj.ravel(order="K")[-1] = 7
    recwarn.clear()
    image.resample_img(third, np.diag([4.0, 4, 4]), interpolation=interpolation)
    assert not [w for w in recwarn if "two values" in str(w.message)]


def test_an_image_that_is_empty_is_cropped_to_itself_with_a_warning():
    img = nib.Nifti1Image(np.zeros((4, 5, 6)), AFFINE)
    for pad in (True, False):
        with pytest.warns(UserWarning, match="No value is above"):
            cropped, offset = image.crop_img(img, pad=pad, return_offset=True)
        assert cropped.shape == (4, 5, 6)
        assert offset == (slice(0, 4), slice(0, 5), slice(0, 6))
    least = nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), AFFINE)
    least.dataobj[1, 1, 1] = np.iinfo(np.int16).min
    assert quietly(image.crop_img, least, pad=False).shape == (1, 1, 1)


@pytest.mark.parametrize(
    "ends, dtype",
    [
        ((-(2**31), 2**31 - 1), np.int32),
        ((-5, 7), np.int32),
        ((-(2**31) - 1, 0), np.int64),
        ((0, 2**31), np.int64),
    ],
    ids=["ends", "within", "below", "above"],
)
def test_integers_of_64_bits_become_32_where_these_hold_them(ends, dtype):
    data = np.zeros((3, 2, 2), np.int64)
    data[0, 0, 0], data[2, 1, 1] = ends
    made = image.new_img_like(nib.Nifti1Image(np.zeros((3, 2, 2), np.int16), np.eye(4)), data)
    assert made.get_data_dtype() == dtype
    assert_array_equal(np.asanyarray(made.dataobj), data)
