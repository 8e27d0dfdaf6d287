"""Values that a parameter does not have are errors that name it, before anything is computed."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from image_peer import AFFINE, array, both, mask_image, quietly, volume
from numpy.testing import assert_array_equal

from brainsieve import image, masking
from brainsieve.exceptions import BoundingBoxError, DimensionError, MaskWarning

FINE = np.diag([4.0, 4, 4])
HUGE = (10_000, 10_000, 10_000)
WRONG = [
    ("resample_img", dict(target_affine=FINE, interpolation="cubic"), ValueError, "interpolation"),
    ("resample_img", dict(target_affine=FINE, interpolation=3), ValueError, "interpolation"),
    ("resample_img", dict(target_affine=FINE, order="X"), ValueError, "order"),
    ("resample_img", dict(target_affine=FINE, clip="yes"), TypeError, "clip"),
    ("resample_img", dict(target_affine=FINE, force_resample=2), TypeError, "force_resample"),
    ("resample_img", dict(target_affine=FINE, fill_value="a"), TypeError, "fill_value"),
    ("resample_img", dict(target_affine="x"), TypeError, "target_affine"),
    ("resample_img", dict(target_affine=2), ValueError, "target_affine"),
    ("resample_img", dict(target_affine=np.full((4, 4), np.nan)), ValueError, "target_affine"),
    ("resample_img", dict(target_affine=np.zeros((3, 3))), ValueError, "target_affine"),
    ("resample_img", dict(target_shape=(3, 3, 3)), ValueError, "target_shape"),
    ("resample_img", dict(target_affine=FINE, target_shape=(3, 3, 3)), ValueError, "target_shape"),
    ("resample_img", dict(target_affine=np.eye(4), target_shape=(3, 3)), ValueError, "target_shape"),
    ("resample_img", dict(target_affine=np.eye(4), target_shape=(3, 0, 3)), ValueError, "target_shape"),
    ("resample_img", dict(target_affine=np.eye(4), target_shape=(3, 3.5, 3)), TypeError, "target_shape"),
    ("resample_img", dict(target_affine=np.eye(4), target_shape="abc"), TypeError, "target_shape"),
    ("resample_img", dict(target_affine=np.eye(4), target_shape=HUGE), ValueError, "target_shape.* GiB"),
    ("resample_img", dict(target_affine=np.eye(3) * 1e-3), ValueError, "target_affine.* GiB"),
    ("resample_img", dict(target_affine=np.eye(4) * 1e-3 + np.eye(4)[3] * 0), ValueError, "target_affine"),
    ("mean_img", dict(target_affine=np.eye(4), target_shape=HUGE), ValueError, "target_shape.* GiB"),
    ("mean_img", dict(target_shape=(3, 3, 3)), ValueError, "target_shape"),
    ("compute_epi_mask", dict(target_affine=np.eye(4), target_shape=HUGE), ValueError, "target_shape.* GiB"),
    ("compute_background_mask", dict(target_affine=np.eye(4), target_shape=HUGE), ValueError, "target_shape"),
    ("reorder_img", dict(resample="cubic", oblique=True), ValueError, "interpolation"),
    ("smooth_img", dict(fwhm=-1), ValueError, "fwhm"),
    ("smooth_img", dict(fwhm="slow"), ValueError, "fwhm"),
    ("smooth_img", dict(fwhm=(1, 2)), ValueError, "fwhm"),
    ("smooth_img", dict(fwhm=np.nan), ValueError, "fwhm"),
    ("clean_img", dict(detrend="linear"), TypeError, "detrend"),
    ("clean_img", dict(detrend=2), TypeError, "detrend"),
    ("clean_img", dict(ensure_finite="a"), TypeError, "ensure_finite"),
    ("clean_img", dict(standardize="z"), ValueError, "standardize"),
    ("clean_img", dict(clean__filter="x"), ValueError, "filter"),
    ("high_variance_confounds", dict(n_confounds=-1), ValueError, "n_confounds"),
    ("high_variance_confounds", dict(n_confounds=1.5), TypeError, "n_confounds"),
    ("high_variance_confounds", dict(percentile=101), ValueError, "percentile"),
    ("high_variance_confounds", dict(percentile="a"), TypeError, "percentile"),
    ("high_variance_confounds", dict(detrend="x"), TypeError, "detrend"),
    ("high_variance_confounds", dict(mask_img=mask_image((3, 3, 3))), ValueError, "mask_img"),
    ("crop_img", dict(rtol=-1), ValueError, "rtol"),
    ("crop_img", dict(rtol="a"), TypeError, "rtol"),
    ("concat_imgs", dict(ensure_ndim=3), DimensionError, "Image 0"),
    ("compute_epi_mask", dict(lower_cutoff=0.9), ValueError, "lower_cutoff"),
    ("compute_epi_mask", dict(lower_cutoff="a"), TypeError, "lower_cutoff"),
    ("compute_epi_mask", dict(upper_cutoff=2), ValueError, "upper_cutoff"),
    ("compute_background_mask", dict(border_size=0), ValueError, "border_size"),
    ("compute_background_mask", dict(border_size=1.5), TypeError, "border_size"),
    ("compute_brain_mask", dict(threshold="a"), TypeError, "threshold"),
    ("compute_brain_mask", dict(mask_type="csf"), ValueError, "mask_type"),
    *(
        (function, {name: value}, error, name)
        for function in ("compute_epi_mask", "compute_background_mask", "compute_brain_mask")
        for name, value, error in (
            ("opening", 1.5, TypeError),
            ("opening", None, TypeError),
            ("opening", -1, ValueError),
            ("connected", 2, TypeError),
        )
    ),
    ("apply_mask", dict(mask_img=mask_image(), smoothing_fwhm=-2), ValueError, "smoothing_fwhm"),
    ("apply_mask", dict(mask_img=mask_image(affine=AFFINE * 2)), ValueError, "different grids"),
    ("apply_mask", dict(mask_img=volume()), ValueError, "mask_img"),
]


@pytest.mark.parametrize("name, arguments, error, words", WRONG, ids=lambda v: str(v)[:40])
def test_a_value_that_a_parameter_does_not_have_is_named(name, arguments, error, words):
    arguments = dict(arguments)
    affine = AFFINE @ np.array([[1, 0.3, 0, 0], [-0.3, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    img = volume((9, 8, 7, 20), affine=affine if arguments.pop("oblique", False) else AFFINE)
    with pytest.raises(error, match=words):
        quietly(getattr(image, name, None) or getattr(masking, name), img, **arguments)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: masking.unmask(np.ones(3), mask_image()), ValueError, "X has 3 columns"),
        (lambda: masking.unmask(np.array([None] * 3), mask_image()), TypeError, "X must be numbers"),
        (lambda: masking.unmask("abc", mask_image()), TypeError, "X must be numbers"),
        (lambda: masking.unmask(np.ones(3), mask_image(), order="K"), ValueError, "order"),
        (lambda: masking.intersect_masks([mask_image()], threshold=2), ValueError, "threshold"),
        (lambda: masking.intersect_masks([mask_image()], threshold="a"), TypeError, "threshold"),
        (lambda: masking.intersect_masks([mask_image()], connected=3), TypeError, "connected"),
        (lambda: masking.intersect_masks(mask_image()), TypeError, "Several"),
        (lambda: masking.intersect_masks([mask_image((9, 8, 7, 2))]), DimensionError, "Mask 0"),
        (lambda: masking.intersect_masks([mask_image(), mask_image((3, 3, 3))]), ValueError, "mask 1"),
        (lambda: masking.compute_multi_epi_mask("run.nii"), TypeError, "Several"),
        (lambda: masking.load_mask_img(mask_image((9, 8, 7, 2))), DimensionError, "The mask"),
        (lambda: image.coord_transform(1, 2, 3, np.eye(3)), ValueError, r"\(4, 4\)"),
        (lambda: image.get_bounds((3, 3), np.eye(4)), ValueError, "three sizes"),
        (
            lambda: image.load_img(nib.Nifti1Image(np.full((2, 2, 2), np.nan), AFFINE), dtype=int),
            ValueError,
            "NaN",
        ),
        (lambda: image.coord_transform([1, 2], [1, 2, 3], 3, np.eye(4)), ValueError, "one shape"),
        (lambda: image.new_img_like(volume(), [[[1]]]), TypeError, "array"),
        (lambda: image.new_img_like(volume(), np.ones((2, 2, 2)), np.eye(3)), ValueError, "affine"),
        (lambda: image.copy_img([volume()]), TypeError, "image object"),
        (lambda: image.smooth_img([volume()], 3, output_file="x.nii"), ValueError, "output_file"),
        (lambda: image.smooth_img(volume(), 3, output_file="x.img"), ValueError, "output_file"),
    ],
    ids=range(21),
)
def test_wrong_arguments_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_a_run_that_could_not_be_held_is_refused_but_written_volume_by_volume(monkeypatch, tmp_path):
    # A machine of a megabyte: one volume of the result fits, thirty do not.
    monkeypatch.setattr("brainsieve.image.resampling.os.sysconf", lambda name: 1024)
    run = volume((9, 8, 7, 30))
    with pytest.raises(ValueError, match="target_shape asks for 30 × 30 × 30 voxels of 30 samples"):
        image.resample_img(run, np.eye(4), (30, 30, 30))
    written = quietly(image.resample_img, run, np.eye(4), (30, 30, 30), output_file=tmp_path / "out.nii")
    assert written.shape == (30, 30, 30, 30)


# -- masks that mean nothing ----------------------------------------------------------------------------


def filled(value):
    return nib.Nifti1Image(np.full((12, 12, 12), float(value)), AFFINE)


@pytest.mark.parametrize("value", [0, 5, np.nan])
def test_masks_of_images_without_contrast_are_warned_of(value):
    for call in (masking.compute_epi_mask, masking.compute_background_mask):
        with pytest.warns(MaskWarning, match=call.__name__):
            call(filled(value))
        with pytest.warns(MaskWarning):
            quietly_multi = getattr(masking, call.__name__.replace("compute", "compute_multi"))
            quietly_multi([filled(value), filled(value)])
    # As the peer has them, all the same.
    assert_array_equal(*(array(m) for m in both("masking", "compute_epi_mask", filled(value))))


def test_masks_without_a_voxel_in_common_are_warned_of():
    halves = [np.zeros((9, 8, 7)), np.zeros((9, 8, 7))]
    halves[0][:3], halves[1][6:] = 1, 1
    with pytest.warns(MaskWarning, match="No voxel is in more than 1 of the 2 masks"):
        masking.intersect_masks([nib.Nifti1Image(half, AFFINE) for half in halves], threshold=1)
    far = volume()
    far = nib.Nifti1Image(array(far), AFFINE + np.array([[0, 0, 0, 1000.0]] * 3 + [[0] * 4]))
    with pytest.warns(MaskWarning, match="compute_brain_mask"):
        masking.compute_brain_mask(far)
    with pytest.raises(ValueError, match="is empty"):
        image.threshold_img(far, 5, mask_img=mask_image())
    with pytest.raises(BoundingBoxError):
        image.resample_img(
            nib.Nifti1Image(array(far), AFFINE - np.array([[0, 0, 0, 1e3]] * 3 + [[0] * 4])), np.eye(4)
        )


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("others", [(0, 1), (1,), (0, 2)], ids=str)
def test_what_is_not_finite_is_outside_a_mask(odd, others):
    data = np.resize(np.array(others, dtype=float), (9, 8, 7))
    data[2:4] = odd
    mask = nib.Nifti1Image(data, AFFINE)
    inside = np.isfinite(data) & (data != 0)
    run = volume((9, 8, 7, 3))
    with pytest.warns(UserWarning, match="NaN or infinite; they are outside the mask"):
        assert_array_equal(masking.load_mask_img(mask)[0], inside)
    assert_array_equal(quietly(masking.apply_mask, run, mask), array(run)[inside].T)
    assert_array_equal(array(quietly(masking.unmask, np.ones(inside.sum()), mask)), inside)
    assert_array_equal(array(quietly(masking.intersect_masks, [mask], connected=False)), inside)
    cleaned = quietly(image.clean_img, run, standardize=False, detrend=False, mask_img=mask)
    assert_array_equal(array(cleaned), array(run) * inside[..., None])
    thresholded = quietly(image.threshold_img, run, 5, mask_img=mask)
    assert not array(thresholded)[~inside].any()


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_a_mask_of_zeros_and_what_is_not_finite_is_empty(odd):
    data = np.zeros((9, 8, 7))
    data[3] = odd
    for call in (
        lambda mask: masking.load_mask_img(mask),
        lambda mask: masking.apply_mask(volume(), mask),
        lambda mask: image.threshold_img(volume(), 5, mask_img=mask),
        lambda mask: image.clean_img(volume((9, 8, 7, 9)), mask_img=mask),
    ):
        with pytest.raises(ValueError, match="is empty"):
            quietly(call, nib.Nifti1Image(data, AFFINE))


@pytest.mark.parametrize("values", [(1, 2), (-1, 1), (0, 1, 2), (3, 0, -3)], ids=str)
def test_what_has_other_values_than_0_and_one_more_is_no_mask(values):
    data = np.resize(np.array(values, dtype=np.int16), (4, 3, 2))
    img = nib.Nifti1Image(data, np.eye(4))
    for read in (masking.load_mask_img, lambda mask: masking.unmask(np.ones(24), mask)):
        with pytest.raises(ValueError, match=f"no mask: it has {len(values)} values"):
            read(img)
    one = nib.Nifti1Image(np.full((4, 3, 2), -3, np.int16), np.eye(4))
    assert masking.load_mask_img(one)[0].all()
