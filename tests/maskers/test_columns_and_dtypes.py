"""Columns that are lost, covered or masked, with caches, streams and other grids; and dtypes that hold them."""

from __future__ import annotations

import warnings

import nibabel as nib
import numpy as np
import pytest
import small_cifti
from numpy.testing import assert_allclose, assert_array_equal
from peer import quietly, run_image

from brainsieve.maskers import CiftiLabelsMasker, NiftiLabelsMasker, NiftiMapsMasker, NiftiMasker

AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])
SHAPE = (6, 5, 4)


@pytest.fixture
def img(rng):
    return nib.Nifti1Image(rng.normal(100, 5, (*SHAPE, 12)).astype(np.float32), AFFINE)


def slabs():
    """Regions 1 to 6, a slab of the first axis each."""
    return np.broadcast_to(np.arange(1, 7, dtype=np.int16)[:, None, None], SHAPE).copy()


def image(values):
    return nib.Nifti1Image(values, AFFINE)


def test_a_plan_of_a_masker_that_resamples_is_not_that_of_one_that_refuses(img):
    coarse = nib.Nifti1Image(np.ones((3, 3, 2, 4), np.float32), np.diag([6.0, 6.0, 6.0, 1.0]))
    willing = NiftiLabelsMasker(image(slabs())).fit()
    strict = NiftiLabelsMasker(image(slabs()), resampling_target=None).fit()
    assert quietly(willing.transform, coarse).shape == (4, 6)
    with pytest.raises(ValueError, match="resampling_target is None"):
        strict.transform(coarse)


def test_high_variance_confounds_are_cached_for_each_division_into_runs(rng, tmp_path):
    """A sample mask for each run counts from the start of its run: other runs keep other samples."""
    img = run_image(rng)
    n = img.shape[3]
    mask = nib.Nifti1Image(np.ones(img.shape[:3], np.uint8), img.affine)
    masks = [np.arange(2, 12), np.arange(1, 12)]
    divided = {first: np.repeat([0, 1], [first, n - first]) for first in (n // 2, n // 2 - 8)}
    cached = NiftiMasker(mask, high_variance_confounds=True, memory=str(tmp_path / "c")).fit()
    seen = []
    for runs in divided.values():
        cached.set_params(runs=runs)
        seen.append(cached.transform(img, sample_mask=masks))
        fresh = NiftiMasker(mask, high_variance_confounds=True, runs=runs).fit()
        assert_array_equal(seen[-1], fresh.transform(img, sample_mask=masks))
    assert not np.allclose(*seen)


@pytest.mark.parametrize("strategy", ["mean", "eigenvariate", "median"])
def test_a_region_that_only_a_censored_volume_covers_is_not_covered(strategy, img):
    data = img.get_fdata(dtype=np.float32)
    data[1, ..., 1:] = 0  # region 2 has data in volume 0 alone
    masker = NiftiLabelsMasker(image(slabs()), strategy=strategy, min_coverage=0.5).fit()
    with pytest.warns(UserWarning, match=r"'2' \(0%\)"):
        signals = masker.transform(image(data), sample_mask=np.arange(1, 12))
    assert np.isnan(signals).all(axis=0).tolist() == [False, True, False, False, False, False]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not np.isnan(masker.transform(image(data))).any()
    covered = masker.coverage(image(data), sample_mask=np.arange(1, 12))["found"]
    assert covered.tolist() == [20, 0, 20, 20, 20, 20]


@pytest.mark.parametrize("block", [1, 5, 12])
def test_a_stream_has_what_transform_has_in_columns_without_a_voxel(block, img):
    masker = NiftiLabelsMasker(image(slabs())).fit()
    cut = nib.Nifti1Image(img.get_fdata(dtype=np.float32)[:4], AFFINE)
    whole = quietly(masker.transform, cut)
    assert np.isnan(whole).all(axis=0).tolist() == [False] * 4 + [True] * 2
    blocks = quietly(lambda: list(masker.iter_transform(cut, block=block)))
    assert_allclose(np.concatenate(blocks), whole, rtol=1e-6)


def test_a_map_of_zeros_is_zero_on_every_grid(img):
    """It has no weight to lose where an image ends, hence no NaN."""
    maps = np.stack([np.zeros(SHAPE), slabs() == 2, slabs() == 6], axis=-1).astype(np.float32)
    fine = nib.Nifti1Image(
        np.repeat(img.get_fdata(dtype=np.float32), 2, axis=2), np.diag([3.0, 3.0, 1.5, 1.0])
    )
    masker = NiftiMapsMasker(image(maps), resampling_target="maps").fit()
    cut = nib.Nifti1Image(fine.get_fdata(dtype=np.float32)[:3], fine.affine)
    signals = quietly(masker.transform, cut)
    assert_array_equal(signals[:, 0], 0)
    assert np.isfinite(signals[:, 1]).all()
    assert np.isnan(signals[:, 2]).all()


def test_lost_columns_are_named_in_their_order_whoever_took_them(img):
    mask = (slabs() != 5).astype(np.uint8)
    labels = image(slabs())
    masker = quietly(
        NiftiLabelsMasker(
            labels, mask_img=image(mask), keep_masked_labels=True, resampling_target="labels"
        ).fit
    )
    # The image begins after the first slab: region 1 is outside, region 5 was taken by the mask.
    affine = AFFINE.copy()
    affine[:3, 3] = [6.0, 0.0, 0.0]
    cut = nib.Nifti1Image(img.get_fdata(dtype=np.float32)[2:], affine)
    with pytest.warns(UserWarning, match="3 regions have no voxel in this image: '1', '2', '5'.*0 or NaN"):
        signals = masker.transform(cut)
    assert np.isnan(signals[:, :2]).all()
    assert_array_equal(signals[:, 4], 0)


def test_weights_of_both_signs_count_by_their_size(img):
    weights = np.zeros((*SHAPE, 2), np.float32)
    weights[0, ..., 0], weights[1, ..., 0] = 2.0, -2.0
    weights[4, ..., 0], weights[3, ..., 1] = 1.0, 1.0
    inside = (slabs() < 3).astype(np.uint8)
    data = img.get_fdata(dtype=np.float32)
    data[1] = 0
    masker = NiftiMapsMasker(image(weights)).fit()
    table = masker.coverage(image(data))
    assert table["expected"].tolist() == [100.0, 20.0]
    assert table["found"].tolist() == [60.0, 20.0]
    # Weights that sum to 0 in the mask are weights.
    with pytest.warns(UserWarning, match="1 maps of maps_img have no weight inside mask_img.*'1'"):
        masked = NiftiMapsMasker(image(weights), mask_img=image(inside)).fit()
    assert masked.n_elements_ == 1


def test_signals_of_a_class_with_another_natural_dtype_have_a_key_of_their_own(img, tmp_path):
    class Wide(NiftiLabelsMasker):
        _natural_dtype = staticmethod(lambda source, atlas: np.dtype(np.float64))

    found = [
        kind(image(slabs()), memory=str(tmp_path / "c")).fit().transform(img).dtype
        for kind in (NiftiLabelsMasker, Wide, NiftiLabelsMasker)
    ]
    assert found == [np.float32, np.float64, np.float32]


@pytest.mark.parametrize(
    "changed, kind",
    [
        ({}, "i"),
        ({"confounds": True}, "f"),
        ({"high_variance_confounds": True}, "f"),
        ({"detrend": True}, "f"),
        ({"standardize": "zscore_sample"}, "f"),
        ({"smoothing_fwhm": 4.0}, "f"),
        ({"high_pass": 0.05, "t_r": 2.0, "clean_args": {"filter": "cosine"}}, "f"),
        ({"sample_mask": True}, "i"),
    ],
)
def test_integers_stay_integers_where_nothing_was_computed_on_them_alone(changed, kind, img, rng):
    whole = nib.Nifti1Image(np.round(img.get_fdata()).astype(np.int16), AFFINE)
    changed = dict(changed)
    called = {"confounds": rng.normal(size=(12, 2))} if changed.pop("confounds", False) else {}
    called |= {"sample_mask": np.arange(3, 12)} if changed.pop("sample_mask", False) else {}
    mask = image((slabs() > 1).astype(np.uint8))
    signals = NiftiMasker(mask, dtype="auto", **changed).fit().transform(whole, **called)
    assert signals.dtype == (np.int32 if kind == "i" else np.float32)
    exact = NiftiMasker(mask, dtype="float64", **changed).fit().transform(whole, **called)
    assert_allclose(signals, exact, rtol=1e-5, atol=1e-4)


def test_a_scaled_file_is_computed_on(img, tmp_path):
    scaled = nib.Nifti1Image(np.round(img.get_fdata()).astype(np.int16), AFFINE)
    scaled.header.set_slope_inter(0.5, 3.0)
    nib.save(scaled, tmp_path / "scaled.nii")
    masker = NiftiMasker(image(np.ones(SHAPE, np.uint8)), dtype="auto").fit()
    assert masker.transform(tmp_path / "scaled.nii").dtype == np.float32


@pytest.mark.parametrize(
    "asked, given, made",
    [
        ("auto", np.int64, np.int32),
        ("auto", np.int16, np.int32),
        ("auto", np.float64, np.float32),
        ("float64", np.float32, np.float64),
        ("int16", np.float64, np.int16),
        (None, np.float32, np.float32),
        (None, np.float16, np.float32),
        (None, np.int16, np.int16),
    ],
)
@pytest.mark.parametrize("kind", ["voxels", "regions"])
def test_images_of_signals_have_the_dtype_that_is_asked_for(kind, asked, given, made):
    mask = (slabs() > 1).astype(np.uint8)
    of_kind = {"voxels": (NiftiMasker, mask), "regions": (NiftiLabelsMasker, slabs())}
    masker_of, values = of_kind[kind]
    masker = masker_of(image(values), dtype=asked).fit()
    signals = np.arange(2 * masker.n_elements_).reshape(2, -1).astype(given)
    back = masker.inverse_transform(signals)
    assert back.get_data_dtype() == made
    assert_allclose(quietly(masker.transform, back), signals.astype(made), rtol=1e-12)


@pytest.mark.parametrize("kind", [NiftiMasker, NiftiLabelsMasker])
@pytest.mark.parametrize("dtype, value", [("int8", 500), ("uint8", -1), ("uint8", 256), ("int16", 2**15)])
def test_an_integer_dtype_never_wraps_around(kind, dtype, value):
    run = nib.Nifti1Image(np.full((*SHAPE, 3), value, np.int32), AFFINE)
    masker = kind(image(slabs()), dtype=dtype).fit()
    with pytest.raises(ValueError, match=f"dtype={dtype} holds no values from {value}"):
        masker.transform(run)
    with pytest.raises(ValueError, match=f"dtype={dtype} holds no values"):
        list(masker.iter_transform(run))
    with pytest.raises(ValueError, match=f"dtype={dtype} holds no values"):
        masker.inverse_transform(np.full((2, masker.n_elements_), value))


@pytest.mark.parametrize("kind", [NiftiMasker, NiftiLabelsMasker])
def test_an_integer_dtype_takes_its_own_ends(kind):
    for dtype in ("int8", "uint8", "int16"):
        info = np.iinfo(dtype)
        data = np.full((*SHAPE, 2), info.min, np.int32)
        data[..., 1] = info.max
        masker = kind(image(slabs()), dtype=dtype).fit()
        signals = masker.transform(nib.Nifti1Image(data, AFFINE))
        assert signals.dtype == dtype
        assert_array_equal(signals, np.broadcast_to([[info.min], [info.max]], signals.shape))
        assert_array_equal(masker.inverse_transform(signals).get_fdata()[0, 0, 0], [info.min, info.max])


def test_auto_gives_float32_to_what_int32_does_not_hold():
    run = nib.Nifti1Image(np.full((*SHAPE, 2), 2**40, np.int64), AFFINE, dtype=np.int64)
    masker = NiftiMasker(image(slabs()), dtype="auto").fit()
    signals = masker.transform(run)
    assert signals.dtype == np.float32
    assert_array_equal(signals, 2.0**40)
    back = masker.inverse_transform(np.full((1, masker.n_elements_), 2**40))
    assert_array_equal(back.get_fdata(), 2.0**40)


@pytest.mark.parametrize("value", [5, 6, 7, -6, 9999])
def test_the_mean_of_equal_voxels_is_their_value_in_integers(value, rng):
    """Sums divided, or weights of 1 / n summed, end a little below it; what is between numbers is cut as ever."""
    labels = image(rng.integers(0, 9, SHAPE).astype(np.int16))
    run = nib.Nifti1Image(np.full((*SHAPE, 2), value, np.int16), AFFINE)
    for changes in ({}, {"strategy": "sum"}, {"strategy": "median"}):
        masker = NiftiLabelsMasker(labels, dtype="int32", **changes).fit()
        exact = NiftiLabelsMasker(labels, dtype="float64", **changes).fit().transform(run)
        assert_array_equal(masker.transform(run), np.round(exact))
    half = nib.Nifti1Image(np.full((*SHAPE, 2), value + 0.5), AFFINE)
    assert_array_equal(NiftiLabelsMasker(labels, dtype="int32").fit().transform(half), int(value + 0.5))


@pytest.mark.parametrize("kind", [NiftiLabelsMasker, NiftiMapsMasker])
def test_grids_that_may_not_differ_are_compared_for_the_mask_as_for_the_images(kind, img):
    values = slabs() if kind is NiftiLabelsMasker else np.stack([slabs() == 2, slabs() == 3], axis=-1)
    atlas = image(values.astype(np.int16 if kind is NiftiLabelsMasker else np.float32))
    other = nib.Nifti1Image(np.ones((3, 3, 2), np.uint8), np.diag([6.0, 6.0, 6.0, 1.0]))
    own = image(np.ones(SHAPE, np.uint8))
    with pytest.raises(ValueError, match="resampling_target is None, but mask_img"):
        kind(atlas, mask_img=other, resampling_target=None).fit()
    with pytest.raises(ValueError, match="resampling_target is None, but imgs"):
        kind(atlas, mask_img=own, resampling_target=None).fit(other)
    assert kind(atlas, mask_img=own, resampling_target=None).fit(img).transform(img).shape[0] == 12


@pytest.mark.parametrize(
    "given, fitted_to, step", [(0.5, False, 0.5), (None, True, 0.8), (0.5, True, 0.5), (None, False, 1)]
)
def test_series_of_grayordinates_go_back_with_the_time_that_is_known(given, fitted_to, step, tmp_path):
    run = small_cifti.series(tmp_path, n_samples=7)
    masker = CiftiLabelsMasker(small_cifti.atlas(tmp_path), t_r=given).fit(run if fitted_to else None)
    signals = masker.transform(run)
    for dense in (False, True):
        axis = masker.inverse_transform(signals, dense=dense).header.get_axis(0)
        assert axis.step == pytest.approx(step)
        assert axis.unit == "SECOND"
