"""Image and masking functions give nilearn's results on the same inputs."""

from __future__ import annotations

import warnings

import nibabel as nib
import nilearn.image
import nilearn.masking
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import brainsieve.image
import brainsieve.masking
from brainsieve.exceptions import BoundingBoxError, DimensionError, MaskWarning

AFFINE = np.array([[3.0, 0, 0, -10], [0, 3, 0, -12], [0, 0, 4, -8], [0, 0, 0, 1]])


def image(shape=(9, 8, 7, 5), dtype=np.float64, affine=AFFINE, seed=0) -> nib.Nifti1Image:
    data = np.random.default_rng(seed).normal(100, 30, shape).astype(dtype)
    return nib.Nifti1Image(data, affine)


def brain_like(shape=(20, 18, 16, 6), seed=0) -> nib.Nifti1Image:
    rng = np.random.default_rng(seed)
    grid = np.indices(shape[:3]) - (np.array(shape[:3]) / 2 - 0.5)[:, None, None, None]
    inside = (grid**2).sum(axis=0) < 6.2**2
    data = rng.normal(5, 2, shape) + inside[..., None] * rng.normal(300, 20, shape)
    return nib.Nifti1Image(data, AFFINE)


def quietly(call, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*args, **kwargs)


def both(module, name, *args, **kwargs):
    ours = quietly(getattr(getattr(brainsieve, module), name), *args, **kwargs)
    theirs = quietly(getattr(getattr(__import__("nilearn"), module), name), *args, **kwargs)
    return ours, theirs


def assert_same_image(ours, theirs, tolerance=1e-5, dtype=True):
    assert ours.shape == theirs.shape
    assert_allclose(ours.affine, theirs.affine, atol=1e-9)
    scale = max(np.nanmax(np.abs(theirs.get_fdata())), 1e-9)
    assert_allclose(ours.get_fdata(), theirs.get_fdata(), atol=tolerance * scale)
    if dtype:
        assert ours.get_data_dtype() == theirs.get_data_dtype()


def turned(affine, angle=0.2):
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return affine @ matrix


FINER = np.array([[2.0, 0, 0, -9], [0, 2.5, 0, -11], [0, 0, 3, -7], [0, 0, 0, 1]])
FLIPPED = FINER * [-1, 1, 1, 1] + np.array([[0, 0, 0, 18.0]] + [[0] * 4] * 3)


@pytest.mark.parametrize(
    "affine",
    [FINER, FLIPPED, FINER[:, [1, 0, 2, 3]], turned(FINER)],
    ids=["finer", "flipped", "permuted", "oblique"],
)
@pytest.mark.parametrize("interpolation", ["continuous", "linear", "nearest"])
@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("shape", [(9, 8, 7), (9, 8, 7, 3)], ids=["3-D", "4-D"])
def test_resample_img(affine, interpolation, clip, shape):
    arguments = dict(target_affine=affine, target_shape=(10, 9, 8), interpolation=interpolation, clip=clip)
    assert_same_image(*both("image", "resample_img", image(shape), **arguments))


@pytest.mark.parametrize(
    "target", [np.diag([4.0, 4, 4]), np.diag([2.0, 2.9, 5]), FINER + 0.01, np.diag([5.0, 5, 5, 1])], ids=str
)
def test_resample_img_infers_the_grid(target):
    assert_same_image(*both("image", "resample_img", image(), target_affine=target))


@pytest.mark.parametrize("fill_value", [0.0, -7.0])
@pytest.mark.parametrize("force_resample", [True, False])
def test_resample_img_by_whole_voxels(fill_value, force_resample):
    shifted = AFFINE.copy()
    shifted[:3, 3] += [6, -3, 4]
    arguments = dict(
        target_affine=shifted, target_shape=(9, 8, 7), fill_value=fill_value, force_resample=force_resample
    )
    assert_same_image(*both("image", "resample_img", image(), **arguments))


def test_resample_to_img():
    assert_same_image(*both("image", "resample_to_img", image(), image((10, 9, 8), affine=FINER)))


def test_resampled_integers_are_floats_and_not_rounded():
    img = image(dtype=np.uint8)
    got = brainsieve.image.resample_img(img, FINER, (10, 9, 8), interpolation="linear")
    exact = nilearn.image.resample_img(image_as(img, np.float64), FINER, (10, 9, 8), interpolation="linear")
    assert got.get_data_dtype() == np.float32
    assert_allclose(got.get_fdata(), exact.get_fdata(), rtol=1e-5)


def image_as(img, dtype):
    return nib.Nifti1Image(np.asarray(img.dataobj).astype(dtype), img.affine)


def test_resampling_fills_what_is_not_finite_from_neighbours():
    data = image((9, 8, 7)).get_fdata()
    data[4, 4, 3] = np.nan
    data[:2] = np.nan
    ours, theirs = both("image", "resample_img", nib.Nifti1Image(data, AFFINE), FINER, (10, 9, 8))
    assert_array_equal(np.isnan(ours.get_fdata()), np.isnan(theirs.get_fdata()))


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        (dict(target_affine=np.zeros((4, 4))), ValueError, "singular"),
        (dict(target_shape=(3, 3, 3)), ValueError, "target_affine"),
        (dict(target_affine=np.eye(3), target_shape=(3, 3, 3)), ValueError, r"\(4, 4\)"),
        (dict(target_affine=np.eye(2)), ValueError, r"shape \(2, 2\)|has \(2, 2\)"),
        (dict(target_affine=AFFINE, interpolation="cubic"), ValueError, "'continuous'"),
        (
            dict(target_affine=np.array([[1.0, 0, 0, 500], [0, 1, 0, 500], [0, 0, 1, 500], [0, 0, 0, 1]])),
            BoundingBoxError,
            "overlap",
        ),
    ],
    ids=str,
)
def test_wrong_targets_are_named(arguments, error, words):
    with pytest.raises(error, match=words):
        brainsieve.image.resample_img(image(), **arguments)


@pytest.mark.parametrize("fwhm", [None, 5, (4, None, 6), "fast", np.array([3.0, 4, 5])], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16], ids=lambda d: d.__name__)
def test_smooth_img(fwhm, dtype):
    # The peer keeps an integer dtype in the header of data that are floats.
    assert_same_image(*both("image", "smooth_img", image(dtype=dtype), fwhm), dtype=dtype != np.int16)


def test_smooth_img_takes_what_is_not_finite_as_zero():
    data = image().get_fdata()
    data[3, 3, 3] = np.nan
    assert_same_image(*both("image", "smooth_img", nib.Nifti1Image(data, AFFINE), 4))
    assert_same_image(*both("image", "smooth_img", nib.Nifti1Image(data, AFFINE), None))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16], ids=lambda d: d.__name__)
def test_mean_img(dtype):
    ours, theirs = both("image", "mean_img", image(dtype=dtype))
    assert_same_image(ours, theirs, dtype=False)
    ours, theirs = both("image", "mean_img", [image(), image((9, 8, 7, 2), seed=1), image((9, 8, 7), seed=2)])
    assert_same_image(ours, theirs, dtype=False)
    ours, theirs = both("image", "mean_img", image(), target_affine=FINER, target_shape=(8, 8, 8))
    assert_same_image(ours, theirs, dtype=False)


@pytest.mark.parametrize(
    "index", [0, -1, slice(1, 4), [3, 1], np.array([True, False, True, False, True])], ids=str
)
def test_index_img(index):
    assert_same_image(*both("image", "index_img", image(), index))


def test_iter_img():
    ours, theirs = both("image", "iter_img", image())
    for mine, other in zip(ours, theirs, strict=True):
        assert_same_image(mine, other)


def test_concat_imgs():
    images = [image(), image((9, 8, 7), seed=1), image((9, 8, 7, 2), seed=2)]
    # The peer keeps the first image's dtype in the header of data that are float32.
    assert_same_image(*both("image", "concat_imgs", images[::2]), dtype=False)
    assert_same_image(*both("image", "concat_imgs", [images[1], images[1]], dtype=np.float64))
    other = image((10, 9, 8), affine=FINER)
    with pytest.raises(ValueError, match="on one grid"):
        brainsieve.image.concat_imgs([images[1], other])
    assert_same_image(*both("image", "concat_imgs", [images[1], other], auto_resample=True), dtype=False)


def test_reorder_img():
    for affine in (FLIPPED, FINER[:, [1, 0, 2, 3]]):
        assert_same_image(*both("image", "reorder_img", image(affine=affine)))
    assert_same_image(*both("image", "reorder_img", image(affine=turned(FINER)), resample="continuous"))
    with pytest.raises(ValueError, match="rotated"):
        brainsieve.image.reorder_img(image(affine=turned(FINER)))


def test_swap_img_hemispheres():
    assert_same_image(*both("image", "swap_img_hemispheres", image((9, 8, 7))))


@pytest.mark.parametrize("threshold", [110, "80%", 0.0])
@pytest.mark.parametrize("two_sided", [True, False])
@pytest.mark.parametrize("cluster_threshold", [0, 4])
def test_threshold_img(threshold, two_sided, cluster_threshold):
    img = nib.Nifti1Image(image((9, 8, 7)).get_fdata() - 60, AFFINE)
    arguments = dict(threshold=threshold, two_sided=two_sided, cluster_threshold=cluster_threshold)
    assert_same_image(*both("image", "threshold_img", img, **arguments))


@pytest.mark.parametrize(
    "threshold, error",
    [("80", ValueError), ("x%", ValueError), ([1], TypeError), (np.nan, ValueError), ("120%", ValueError)],
)
def test_wrong_thresholds_are_named(threshold, error):
    with pytest.raises(error, match="threshold"):
        brainsieve.image.threshold_img(image((9, 8, 7)), threshold)


@pytest.mark.parametrize(
    "arguments", [{}, {"threshold": 100}, {"threshold": "70%"}, {"threshold": 20, "two_sided": True}], ids=str
)
def test_binarize_img(arguments):
    img = nib.Nifti1Image(image((9, 8, 7)).get_fdata() - 100, AFFINE)
    assert_same_image(*both("image", "binarize_img", img, **arguments), dtype=False)


def test_math_img():
    arguments = dict(formula="np.mean(a, axis=-1) - 2 * b", a=image(), b=image((9, 8, 7)))
    assert_same_image(*both("image", "math_img", **arguments), dtype=False)
    for formula in ("a +", "a.__class__", "open('x')", "a + c", "__import__('os')"):
        with pytest.raises(ValueError, match="formula"):
            quietly(brainsieve.image.math_img, formula, a=image())
    with pytest.raises(ValueError, match="'b' is on another grid"):
        brainsieve.image.math_img("a + b", a=image(), b=image((3, 3, 3, 5)))


def test_crop_img():
    data = np.zeros((9, 8, 7))
    data[3:6, 2:4, 4] = 5
    assert_same_image(*both("image", "crop_img", nib.Nifti1Image(data, AFFINE)))
    assert_same_image(*both("image", "crop_img", nib.Nifti1Image(data, AFFINE), pad=False))


def test_largest_connected_component_img():
    data = np.zeros((9, 8, 7))
    data[1:3, 1:3, 1:3] = 2
    data[5:8, 4:7, 3:6] = 3
    img = nib.Nifti1Image(data, AFFINE)
    assert_same_image(*both("image", "largest_connected_component_img", img), dtype=False)
    with pytest.raises(ValueError, match="empty"):
        brainsieve.image.largest_connected_component_img(nib.Nifti1Image(np.zeros((3, 3, 3)), AFFINE))


def test_coord_transform():
    for point in ((1, 2, 3), (np.arange(3), np.arange(3), np.arange(3))):
        ours, theirs = both("image", "coord_transform", *point, AFFINE)
        assert_allclose(np.array(ours), np.array(theirs))


def test_clean_img():
    img = image((5, 4, 3, 60))
    mask = nib.Nifti1Image((image((5, 4, 3)).get_fdata() > 90).astype(np.uint8), AFFINE)
    regressors = np.random.default_rng(0).normal(size=(60, 3))
    arguments = dict(confounds=regressors, low_pass=0.1, high_pass=0.01, t_r=2.0, standardize="zscore_sample")
    assert_same_image(*both("image", "clean_img", img, **arguments))
    assert_same_image(*both("image", "clean_img", img, mask_img=mask, **arguments))
    with pytest.raises(TypeError, match="'cleen__filter'"):
        brainsieve.image.clean_img(img, cleen__filter="cosine")


def test_high_variance_confounds():
    ours, theirs = both("image", "high_variance_confounds", image((8, 8, 8, 40)))
    assert_allclose(np.abs((ours * theirs).sum(axis=0)), 1, atol=1e-6)


def test_new_img_like_and_copy_img():
    data = np.random.default_rng(0).integers(0, 5, (9, 8, 7))
    for values in (data, data > 2, data.astype(np.float32)):
        assert_same_image(*both("image", "new_img_like", image(), values), dtype=False)
    img = image()
    copied = brainsieve.image.copy_img(img)
    copied.get_fdata()[:] = 0
    assert img.get_fdata().any()
    with pytest.raises(TypeError, match="image object"):
        brainsieve.image.copy_img("path.nii")


def test_check_niimg_and_friends(tmp_path):
    nib.save(image((9, 8, 7, 1)), tmp_path / "one.nii")
    assert brainsieve.image.check_niimg_3d(tmp_path / "one.nii").shape == (9, 8, 7)
    assert brainsieve.image.check_niimg(image((9, 8, 7)), atleast_4d=True).shape == (9, 8, 7, 1)
    with pytest.raises(DimensionError, match="4-D where a 3-D"):
        brainsieve.image.check_niimg_3d(image())
    with pytest.raises(DimensionError, match="3-D where a 4-D"):
        brainsieve.image.check_niimg_4d(image((9, 8, 7)))
    assert len(list(brainsieve.image.check_niimg_4d(image(), return_iterator=True))) == 5
    assert brainsieve.image.load_img(tmp_path / "one.nii").shape == (9, 8, 7, 1)
    with pytest.raises(IndexError, match="5 samples"):
        brainsieve.image.index_img(image(), 7)


@pytest.mark.parametrize("operation", ["smooth", "resample", "same grid", "concat", "clean"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_results_can_be_written_block_by_block(operation, suffix, tmp_path):
    img, file = image((6, 5, 4, 40), np.float32), tmp_path / f"out{suffix}"
    calls = {
        "smooth": lambda **k: brainsieve.image.smooth_img(img, 5, **k),
        "resample": lambda **k: brainsieve.image.resample_img(img, FINER, (7, 6, 5), **k),
        "same grid": lambda **k: brainsieve.image.resample_img(img, AFFINE, (6, 5, 4), **k),
        "concat": lambda **k: brainsieve.image.concat_imgs([img, img], **k),
        "clean": lambda **k: brainsieve.image.clean_img(img, **k),
    }
    expected = calls[operation]()
    written = calls[operation](output_file=file)
    assert nib.load(file).shape == expected.shape
    assert_allclose(written.get_fdata(), expected.get_fdata(), rtol=1e-6)
    assert [p.name for p in tmp_path.iterdir()] == [file.name]


# -- masking --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"opening": 1},
        {"connected": False},
        {"opening": False},
        {"lower_cutoff": 0.4},
        {"exclude_zeros": True},
        {"target_affine": np.diag([4.0, 4, 4])},
    ],
    ids=str,
)
def test_compute_epi_mask(arguments):
    ours, theirs = both("masking", "compute_epi_mask", brain_like(), **arguments)
    assert_array_equal(ours.get_fdata(), theirs.get_fdata())
    assert ours.get_data_dtype() == np.uint8


@pytest.mark.parametrize("arguments", [{}, {"opening": 1}, {"connected": True}, {"border_size": 1}], ids=str)
@pytest.mark.parametrize("background", [0, np.nan])
def test_compute_background_mask(arguments, background):
    data = brain_like().get_fdata()
    data[data.mean(axis=-1) < 100] = background
    ours, theirs = both("masking", "compute_background_mask", nib.Nifti1Image(data, AFFINE), **arguments)
    assert_array_equal(ours.get_fdata(), theirs.get_fdata())


@pytest.mark.parametrize("name", ["compute_multi_epi_mask", "compute_multi_background_mask"])
@pytest.mark.parametrize("threshold", [0.5, 1.0, 0.0])
def test_common_masks(name, threshold):
    images = []
    for seed in range(3):
        data = brain_like(seed=seed).get_fdata()
        data = np.roll(data, seed, axis=0)
        data[data.mean(axis=-1) < 100] = 0
        images.append(nib.Nifti1Image(data, AFFINE))
    ours, theirs = both("masking", name, images, threshold=threshold, opening=1)
    assert_array_equal(ours.get_fdata(), theirs.get_fdata())


@pytest.mark.parametrize("threshold", [0, 0.3, 0.5, 0.7, 1])
@pytest.mark.parametrize("connected", [True, False])
def test_intersect_masks(threshold, connected):
    rng = np.random.default_rng(0)
    masks = [nib.Nifti1Image((rng.random((9, 8, 7)) > 0.4).astype(np.uint8), AFFINE) for _ in range(4)]
    ours, theirs = both("masking", "intersect_masks", masks, threshold=threshold, connected=connected)
    assert_array_equal(ours.get_fdata(), theirs.get_fdata())


@pytest.mark.parametrize("fwhm", [None, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16], ids=lambda d: d.__name__)
def test_apply_mask_and_unmask(fwhm, dtype):
    mask = nib.Nifti1Image((image((9, 8, 7)).get_fdata() > 90).astype(np.uint8), AFFINE)
    ours, theirs = both("masking", "apply_mask", image(dtype=dtype), mask, smoothing_fwhm=fwhm)
    assert_allclose(ours, theirs, rtol=1e-5)
    assert ours.dtype == theirs.dtype
    for values in (ours, ours[0], [ours, ours[1]]):
        back, expected = both("masking", "unmask", values, mask)
        for mine, other in zip(np.atleast_1d(back), np.atleast_1d(expected), strict=True):
            assert_same_image(mine, other)


def test_wrong_masks_are_named():
    img = image()
    with pytest.raises(ValueError, match="every voxel is 0"):
        brainsieve.masking.apply_mask(img, nib.Nifti1Image(np.zeros((9, 8, 7)), AFFINE))
    with pytest.raises(ValueError, match="is no mask: it has 3 values"):
        three = np.zeros((9, 8, 7))
        three[0], three[1] = 1, 2
        brainsieve.masking.apply_mask(img, nib.Nifti1Image(three, AFFINE))
    with pytest.raises(DimensionError):
        brainsieve.masking.apply_mask(img, img)
    with pytest.raises(ValueError, match="different grids"):
        brainsieve.masking.apply_mask(img, nib.Nifti1Image(np.ones((9, 8, 7)), FINER))
    mask = nib.Nifti1Image(np.ones((9, 8, 7), np.uint8), AFFINE)
    with pytest.raises(ValueError, match="504 voxels"):
        brainsieve.masking.unmask(np.zeros((2, 5)), mask)
    with pytest.raises(TypeError, match="1 or 2 dimensions"):
        brainsieve.masking.unmask(np.zeros((2, 2, 504)), mask)
    with pytest.raises(ValueError, match="lower_cutoff"):
        brainsieve.masking.compute_epi_mask(img, lower_cutoff=0.9)
    with pytest.warns(MaskWarning, match="empty"):
        brainsieve.masking.compute_background_mask(nib.Nifti1Image(np.zeros((9, 8, 7)), AFFINE))


def test_masks_are_cached_by_the_identity_of_files(tmp_path, capsys):
    nib.save(brain_like(), tmp_path / "run.nii.gz")
    cache = tmp_path / "cache"
    masks = [
        brainsieve.masking.compute_epi_mask(tmp_path / "run.nii.gz", memory=cache, verbose=1)
        for _ in range(2)
    ]
    assert_array_equal(masks[0].get_fdata(), masks[1].get_fdata())
    assert capsys.readouterr().out.count("compute_epi_mask: computing") == 1
    other = brainsieve.masking.compute_epi_mask(tmp_path / "run.nii.gz", memory=cache, opening=0)
    assert (other.get_fdata() != masks[0].get_fdata()).any()


def test_brain_masks_of_the_bundled_template_resemble_the_peers():
    target = nib.Nifti1Image(
        np.zeros((50, 60, 50)), np.array([[4.0, 0, 0, -98], [0, 4, 0, -134], [0, 0, 4, -72], [0, 0, 0, 1]])
    )
    for mask_type in ("whole-brain", "gm", "wm"):
        ours, theirs = both("masking", "compute_brain_mask", target, mask_type=mask_type)
        a, b = ours.get_fdata() > 0, theirs.get_fdata() > 0
        dice = 2 * (a & b).sum() / (a.sum() + b.sum())
        assert dice > (0.95 if mask_type == "whole-brain" else 0.6), (mask_type, dice)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("masked", [False, True])
def test_cleaning_into_a_file_takes_groups_of_voxels(suffix, masked, tmp_path, monkeypatch):
    img = image((6, 5, 4, 40), np.float32)
    mask = nib.Nifti1Image((image((6, 5, 4)).get_fdata() > 95).astype(np.uint8), AFFINE)
    arguments = dict(mask_img=mask if masked else None, clean__sample_mask=np.arange(2, 38))
    expected = brainsieve.image.clean_img(img, **arguments)
    monkeypatch.setattr("brainsieve.image.streaming.CLEANED_BYTES", 36 * 4 * 17)
    written = brainsieve.image.clean_img(img, output_file=tmp_path / f"out{suffix}", **arguments)
    assert_allclose(written.get_fdata(), expected.get_fdata(), atol=1e-6)
    assert [p.name for p in tmp_path.iterdir()] == [f"out{suffix}"]


def test_an_error_leaves_no_half_written_file(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr("brainsieve.image.writing.PointWriter.put", fail)
    with pytest.raises(OSError, match="disk full"):
        brainsieve.image.clean_img(image((3, 3, 3, 20)), output_file=tmp_path / "out.nii")
    monkeypatch.setattr("brainsieve.image.writing.SampleWriter.put", fail)
    with pytest.raises(OSError, match="disk full"):
        brainsieve.image.smooth_img(image((3, 3, 3, 20)), 4, output_file=tmp_path / "out.nii.gz")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="must end in .nii"):
        brainsieve.image.clean_img(image((3, 3, 3, 20)), output_file=tmp_path / "out.img")
