"""Regions: their names, columns that stay, what is lost, and what is wrong with atlases, masks, maps and seeds."""

from __future__ import annotations

import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from peer import label_image, mask_image, quietly, run_image

from brainsieve.exceptions import DimensionError
from brainsieve.maskers import NiftiLabelsMasker, NiftiMapsMasker, NiftiMasker, NiftiSpheresMasker
from brainsieve.maskers.eigenvariate import first_eigenvariate


@pytest.fixture
def img(rng):
    return run_image(rng)


def blocks_atlas(img, ids=(3, 7, 20), dtype=np.int16) -> nib.Nifti1Image:
    """Three slabs along the first axis."""
    labels = np.zeros(img.shape[:3], dtype=dtype)
    for i, region in enumerate(ids):
        labels[3 * i : 3 * i + 3, 2:6, 2:5] = region
    return nib.Nifti1Image(labels, img.affine)


# -- names ----------------------------------------------------------------------------------------------


def test_without_names_ids_are_names(img):
    masker = NiftiLabelsMasker(blocks_atlas(img)).fit()
    assert masker.region_names_ == {0: "3", 1: "7", 2: "20"}
    assert masker.region_ids_ == {0: 3, 1: 7, 2: 20, "background": 0}
    assert masker.labels_ == [0, 3, 7, 20]
    assert list(masker.get_feature_names_out()) == ["3", "7", "20"]
    assert masker.lut_["index"].tolist() == [0, 3, 7, 20]
    floats = NiftiLabelsMasker(blocks_atlas(img, dtype=np.float32)).fit()
    assert floats.region_names_ == {0: "3.0", 1: "7.0", 2: "20.0"}


@pytest.mark.parametrize(
    "labels", [["a", "b", "c"], ["background", "a", "b", "c"], ["Background", "a", "b", "c"]]
)
def test_labels_name_ids_in_order(img, labels):
    given = list(labels)
    masker = NiftiLabelsMasker(blocks_atlas(img), labels=given).fit()
    assert list(masker.region_names_.values()) == ["a", "b", "c"]
    assert given == labels


def test_too_few_and_too_many_labels_warn_with_ids(img):
    with pytest.warns(UserWarning, match="2 names for 3 regions.*ids 20 are called 'unknown'"):
        masker = NiftiLabelsMasker(blocks_atlas(img), labels=["a", "b"]).fit()
    assert masker.region_names_[2] == "unknown"
    with pytest.warns(UserWarning, match="left out: d"):
        NiftiLabelsMasker(blocks_atlas(img), labels=["a", "b", "c", "d"]).fit()


def test_a_look_up_table_is_joined_by_index(img, tmp_path):
    table = pd.DataFrame({"name": ["z", "x", "y", "w"], "index": [99, 7, 3, 20], "color": list("1234")})
    before = table.copy()
    table.to_csv(tmp_path / "lut.tsv", sep="\t", index=False)
    for lut in (table, tmp_path / "lut.tsv"):
        masker = NiftiLabelsMasker(blocks_atlas(img), lut=lut).fit()
        assert list(masker.region_names_.values()) == ["y", "x", "w"]
        assert "color" in masker.lut_.columns
    pd.testing.assert_frame_equal(table, before)
    with pytest.warns(UserWarning, match="no name for the ids 20"):
        NiftiLabelsMasker(blocks_atlas(img), lut=table[:3]).fit()


@pytest.mark.parametrize(
    "parameters, error, words",
    [
        (dict(labels="abc"), TypeError, "list of str"),
        (dict(labels=["a", 2]), TypeError, "2 \\(int\\)"),
        (dict(labels=["a"], lut=pd.DataFrame({"index": [1], "name": ["a"]})), ValueError, "not both"),
        (dict(lut=pd.DataFrame({"colour": [1], "name": ["a"]})), ValueError, "no column 'index'"),
        (dict(lut="no/lut.tsv"), ValueError, "File not found"),
        (dict(labels_img=None), ValueError, "labels_img is None"),
        (dict(labels_img="no.nii"), ValueError, "labels_img: File not found"),
        (dict(strategy="median", nonfinite="omit"), ValueError, "nonfinite='omit'"),
        (dict(min_coverage=1.5), ValueError, "min_coverage must be a number from 0 to 1"),
    ],
    ids=str,
)
def test_wrong_parameters_are_named(img, parameters, error, words):
    with pytest.raises(error, match=words):
        NiftiLabelsMasker(**{"labels_img": blocks_atlas(img), **parameters}).fit()


def test_atlases_that_are_none_are_refused(img):
    empty = nib.Nifti1Image(np.zeros((3, 3, 3), np.int16), np.eye(4))
    with pytest.raises(ValueError, match="no region"):
        NiftiLabelsMasker(empty).fit()
    with pytest.raises(DimensionError, match="labels_img is 4-D"):
        NiftiLabelsMasker(img).fit()
    with pytest.warns(UserWarning, match="no whole numbers"):
        NiftiLabelsMasker(nib.Nifti1Image(np.array([[[0, 1.5, 2.5]]]), np.eye(4))).fit()
    with pytest.warns(UserWarning, match="NaN or infinite"):
        NiftiLabelsMasker(nib.Nifti1Image(np.array([[[0, 1.0, np.nan]]]), np.eye(4))).fit()


# -- columns stay ---------------------------------------------------------------------------------------


def half_image(img):
    """The same run without the last slab of the atlas."""
    return nib.Nifti1Image(np.asarray(img.dataobj)[:6], img.affine)


@pytest.mark.parametrize("strategy", ["mean", "median"])
def test_a_region_outside_the_field_of_view_keeps_its_column(img, strategy):
    masker = NiftiLabelsMasker(blocks_atlas(img), labels=["a", "b", "far"], strategy=strategy).fit()
    whole = masker.transform(img)
    with pytest.warns(UserWarning, match="1 region has no voxel in this image: 'far'"):
        half = masker.transform(half_image(img))
    assert half.shape == whole.shape
    assert_allclose(half[:, :2], whole[:, :2])
    assert np.isnan(half[:, 2]).all()
    assert_array_equal(masker.transform(img), whole)
    assert masker.n_elements_ == 3
    assert masker.inverse_transform(half).shape == (*img.shape[:3], 60)


def test_outside_the_field_of_view_is_background_whatever_its_label(img):
    atlas = blocks_atlas(img)
    atlas.dataobj[np.asarray(atlas.dataobj) == 0] = 5
    small = nib.Nifti1Image(np.asarray(atlas.dataobj)[:6], img.affine)
    masker = NiftiLabelsMasker(small, background_label=5, labels=["a", "b"]).fit()
    signals = quietly(masker.transform, img)
    expected = NiftiLabelsMasker(blocks_atlas(img)).fit().transform(img)[:, :2]
    assert_allclose(signals, expected)
    assert list(masker.region_names_.values()) == ["a", "b"]


def masked(img, keep):
    mask = np.zeros(img.shape[:3], np.uint8)
    mask[keep] = 1
    return nib.Nifti1Image(mask, img.affine)


def test_a_region_outside_the_mask_is_dropped_for_all_runs_or_kept_as_zeros(img):
    mask = masked(img, slice(0, 5))
    with pytest.warns(UserWarning, match="wholly outside mask_img and are dropped for all images.*'far'"):
        dropped = NiftiLabelsMasker(blocks_atlas(img), labels=["a", "b", "far"], mask_img=mask).fit()
    assert list(dropped.region_names_.values()) == ["a", "b"]
    with pytest.warns(UserWarning, match="kept as columns of 0"):
        kept = NiftiLabelsMasker(
            blocks_atlas(img), labels=["a", "b", "far"], mask_img=mask, keep_masked_labels=True
        ).fit()
    signals = quietly(kept.transform, img)
    assert_array_equal(signals[:, 2], 0)
    assert_allclose(signals[:, :2], dropped.transform(img))
    with pytest.raises(ValueError, match="do not overlap"):
        NiftiLabelsMasker(blocks_atlas(img), mask_img=masked(img, (8, 7, 6))).fit()


def test_regions_lost_by_resampling_are_named_and_keep_their_columns(rng):
    coarse = run_image(rng, (4, 4, 4, 5), voxel_size=9.0)
    fine = np.zeros((36, 36, 36), np.int16)
    fine[2:30, 2:30, 2:30] = 1
    fine[16, 16, 16] = 2
    affine = np.diag([1.0, 1, 1, 1])
    affine[:3, 3] = coarse.affine[:3, 3] - 4
    masker = NiftiLabelsMasker(nib.Nifti1Image(fine, affine), labels=["big", "tiny"]).fit()
    with pytest.warns(UserWarning, match="'tiny'.*resampling_target='labels'"):
        signals = masker.transform(coarse)
    assert signals.shape == (5, 2)
    kept = masker.set_params(resampling_target="labels").fit()
    assert np.isfinite(quietly(kept.transform, coarse)).all()


def test_coverage_says_what_an_image_has_of_each_region(img):
    masker = NiftiLabelsMasker(blocks_atlas(img), labels=["a", "b", "far"]).fit()
    table = masker.coverage(nib.Nifti1Image(np.asarray(img.dataobj)[:4], img.affine))
    assert table["expected"].tolist() == [36, 36, 36]
    assert table["found"].tolist() == [36, 12, 0]
    assert_allclose(table["fraction"], [1, 1 / 3, 0])
    data = np.array(img.dataobj)
    data[0] = 0
    assert masker.coverage(nib.Nifti1Image(data, img.affine))["found"].tolist() == [24, 36, 36]


def test_min_coverage_blanks_columns_by_name(img):
    masker = NiftiLabelsMasker(blocks_atlas(img), labels=["a", "b", "far"], min_coverage=0.5).fit()
    with pytest.warns(UserWarning, match=r"min_coverage=0.5.*'b' \(33%\)"):
        signals = masker.transform(nib.Nifti1Image(np.asarray(img.dataobj)[:4], img.affine))
    assert np.isnan(signals).all(axis=0).tolist() == [False, True, True]


def test_no_resampling_refuses_other_grids_with_both_named(img, rng):
    other = run_image(rng, (6, 6, 6, 4), voxel_size=4.0)
    masker = NiftiLabelsMasker(blocks_atlas(img), resampling_target=None)
    with pytest.raises(ValueError, match="9 × 8 × 7"):
        masker.fit(other)
    with pytest.raises(ValueError, match="6 × 6 × 6"):
        masker.fit().transform(other)


# -- values that are not finite -------------------------------------------------------------------------


def spoilt(img):
    data = np.array(img.dataobj)
    data[0, 2:6, 2:5, 7] = np.nan
    return nib.Nifti1Image(data, img.affine)


def test_nonfinite_voxels_count_as_zero_and_are_told_by_region(img):
    masker = NiftiLabelsMasker(blocks_atlas(img), labels=["a", "b", "c"]).fit()
    with pytest.warns(UserWarning, match=r"count as 0; regions touched.*'a' \(0.6%\)"):
        signals = masker.transform(spoilt(img))
    clean = masker.transform(img)
    zeroed = np.asarray(img.dataobj)[:3, 2:6, 2:5, 7].copy()
    zeroed[0] = 0
    assert signals[7, 0] == pytest.approx(zeroed.mean())
    assert_allclose(np.delete(signals, 7, axis=0), np.delete(clean, 7, axis=0))


def test_nonfinite_voxels_can_be_left_out_of_means(img):
    masker = NiftiLabelsMasker(blocks_atlas(img), nonfinite="omit").fit()
    with pytest.warns(UserWarning, match="left out of the average"):
        signals = masker.transform(spoilt(img))
    expected = np.nanmean(np.asarray(spoilt(img).dataobj)[:3, 2:6, 2:5, 7])
    assert signals[7, 0] == pytest.approx(expected)


def test_int_dtypes_do_not_swallow_nan(img):
    masker = NiftiLabelsMasker(blocks_atlas(img), dtype="int32").fit()
    assert masker.transform(img).dtype == np.int32
    with pytest.raises(ValueError, match="int32 cannot hold NaN.*'20'"):
        quietly(masker.transform, half_image(img))


# -- voxels ---------------------------------------------------------------------------------------------


def test_voxel_masks_that_are_none_are_refused(img):
    with pytest.raises(ValueError, match="mask_img is empty"):
        NiftiMasker(nib.Nifti1Image(np.zeros((3, 3, 3)), np.eye(4))).fit()
    with pytest.raises(ValueError, match="Neither mask_img nor images"):
        NiftiMasker().fit()
    with pytest.raises(ValueError, match="target_shape needs a target_affine"):
        NiftiMasker(mask_image(np.random.default_rng(0), img), target_shape=(3, 3, 3)).fit()
    with pytest.raises(ValueError, match="three positive sizes"):
        NiftiMasker(
            mask_image(np.random.default_rng(0), img), target_affine=img.affine, target_shape=(0, 3, -3)
        ).fit()
    with pytest.raises(ValueError, match="mask_strategy must be one of.*Did you mean 'epi'"):
        NiftiMasker(mask_strategy="epl").fit(img)
    with pytest.warns(UserWarning, match="mask_args has keys.*openning"):
        quietly_masked = NiftiMasker(mask_strategy="epi", mask_args={"openning": 1, "opening": 0})
        quietly_masked.fit(img)


def test_a_mask_is_where_every_volume_is_finite_and_not_zero(img):
    mask = np.ones((*img.shape[:3], 2))
    mask[0, 0, 0, 1] = 0
    mask[1, 1, 1, 0] = np.nan
    mask[2, 2, 2] = 7
    with pytest.warns(UserWarning, match="outside the mask"):
        masker = NiftiMasker(nib.Nifti1Image(mask, img.affine)).fit()
    assert masker.n_elements_ == mask[..., 0].size - 2


def test_images_beside_a_mask_are_not_used_and_that_is_said(img, rng):
    masker = NiftiMasker(mask_image(rng, img))
    with pytest.warns(RuntimeWarning, match="mask_img is used"):
        masker.fit(img)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        masker.fit_transform(img)


def test_resampled_voxels_are_clipped_to_the_range_of_the_run(rng):
    data = np.zeros((9, 9, 9, 3))
    data[4:] = 100.0
    img = nib.Nifti1Image(data, np.diag([2.0, 2, 2, 1]))
    mask = nib.Nifti1Image(np.ones((12, 12, 12), np.uint8), np.diag([1.4, 1.4, 1.4, 1]))
    signals = quietly(NiftiMasker(mask).fit().transform, img)
    assert signals.max() <= 100 and signals.min() >= 0


def test_auto_dtype_keeps_integers_only_where_nothing_was_computed(rng):
    img = run_image(rng, dtype=np.int16)
    mask = mask_image(rng, img)
    assert NiftiMasker(mask, dtype="auto").fit().transform(img).dtype == np.int32
    regressed = NiftiMasker(mask, dtype="auto").fit().transform(img, confounds=rng.normal(size=(60, 2)))
    assert regressed.dtype == np.float32
    cleaned = NiftiMasker(mask, dtype="auto", standardize="zscore_sample").fit().transform(img)
    assert cleaned.dtype == np.float32


# -- maps and spheres -----------------------------------------------------------------------------------


def maps_of(img, n=3):
    return nib.Nifti1Image(np.random.default_rng(0).random((*img.shape[:3], n)), img.affine)


def test_maps_that_are_none_are_refused(img):
    with pytest.raises(ValueError, match="maps_img is None"):
        NiftiMapsMasker().fit()
    with pytest.raises(ValueError, match="no weight"):
        NiftiMapsMasker(nib.Nifti1Image(np.zeros((3, 3, 3, 2)), np.eye(4))).fit()
    with pytest.raises(ValueError, match="needs mask_img"):
        NiftiMapsMasker(maps_of(img), resampling_target="mask").fit()
    with pytest.raises(ValueError, match="share|several maps"):
        NiftiMapsMasker(maps_of(img), allow_overlap=False).fit().transform(img)


def test_dependent_maps_share_the_signal(img):
    maps = np.asarray(maps_of(img, 2).dataobj)
    twice = nib.Nifti1Image(maps[..., [0, 0, 1]], img.affine)
    once = NiftiMapsMasker(nib.Nifti1Image(maps, img.affine)).fit().transform(img)
    signals = NiftiMapsMasker(twice).fit().transform(img)
    assert_allclose(signals[:, 0], once[:, 0] / 2, rtol=1e-6)
    assert_allclose(signals[:, 1], once[:, 0] / 2, rtol=1e-6)


def test_maps_outside_the_mask_are_dropped_or_kept(img):
    maps = np.zeros((*img.shape[:3], 2))
    maps[:3, ..., 0] = 1
    maps[6:, ..., 1] = 1
    given = dict(maps_img=nib.Nifti1Image(maps, img.affine), mask_img=masked(img, slice(0, 4)))
    with pytest.warns(UserWarning, match="no weight inside mask_img and are dropped.*'1'"):
        assert NiftiMapsMasker(**given).fit().n_elements_ == 1
    kept = quietly(NiftiMapsMasker(**given, keep_masked_maps=True).fit)
    assert_array_equal(quietly(kept.transform, img)[:, 1], 0)
    with pytest.raises(ValueError, match="no map"):
        NiftiMapsMasker(given["maps_img"], mask_img=masked(img, 4)).fit()


def test_weighted_means_are_means(img):
    maps = maps_of(img)
    signals = NiftiMapsMasker(maps, strategy="weighted_mean").fit().transform(img)
    weights = np.asarray(maps.dataobj).reshape(-1, 3)
    data = np.asarray(img.dataobj).reshape(-1, 60)
    assert_allclose(signals, (weights.T @ data / weights.sum(axis=0)[:, None]).T, rtol=1e-9)


@pytest.mark.parametrize(
    "parameters, error, words",
    [
        (dict(seeds=None), ValueError, "seeds is None"),
        (dict(seeds=[]), ValueError, "seeds is empty"),
        (dict(seeds=[(1, 2)]), ValueError, r"seeds\[0\]"),
        (dict(seeds=[(1, 2, 3), (1, 2, np.nan)]), ValueError, r"seeds\[1\] is not finite"),
        (dict(seeds=3), TypeError, "list of"),
        (dict(seeds=[(0, 0, 0)], radius=-1), ValueError, "radius must be finite"),
        (dict(seeds=[(0, 0, 0)], radius=[1, 2]), ValueError, "2 values for 1 seeds"),
        (dict(seeds=[(0, 0, 0)], radius="3"), TypeError, "radius must be"),
    ],
    ids=str,
)
def test_wrong_seeds_are_named(parameters, error, words):
    with pytest.raises(error, match=words):
        NiftiSpheresMasker(**parameters).fit()


def test_seeds_outside_and_overlaps_are_named(img):
    inside = nib.affines.apply_affine(img.affine, [3, 3, 3]).tolist()
    with pytest.raises(ValueError, match=r"seed 1 at \(500"):
        NiftiSpheresMasker([inside, (500, 0, 0)]).fit().transform(img)
    with pytest.raises(ValueError, match="seed 0 .*seed 1 .*same seed"):
        NiftiSpheresMasker([inside, inside], radius=3).fit().transform(img)
    with pytest.raises(ValueError, match="inverse_transform needs mask_img"):
        NiftiSpheresMasker([inside]).fit().inverse_transform(np.zeros(1))


def test_each_seed_may_have_its_radius(img):
    seeds = nib.affines.apply_affine(img.affine, [[2, 3, 3], [6, 4, 3]]).tolist()
    both = NiftiSpheresMasker(seeds, radius=[None, 5.0]).fit().transform(img)
    for i, radius in enumerate((None, 5.0)):
        alone = NiftiSpheresMasker([seeds[i]], radius=radius).fit().transform(img)
        assert_allclose(both[:, i], alone[:, 0], rtol=1e-6)


def test_means_of_spheres_in_integers_are_not_truncated(rng):
    img = run_image(rng, dtype=np.int16)
    seed = nib.affines.apply_affine(img.affine, [4, 4, 3]).tolist()
    signals = NiftiSpheresMasker([seed], radius=4.0).fit().transform(img)
    assert (signals % 1 != 0).any()


# -- eigenvariates --------------------------------------------------------------------------------------


def eigenvariate_by_svd(voxels):
    centred = voxels - voxels.mean(axis=0)
    u, s, vt = np.linalg.svd(centred, full_matrices=False)
    return u[:, 0] * s[0] / np.sqrt(voxels.shape[1]) * np.sign(vt[0].sum())


@pytest.mark.parametrize("shape", [(30, 5), (30, 80), (30, 1)])
def test_the_first_eigenvariate_is_that_of_the_svd(rng, shape):
    voxels = rng.normal(size=shape) + rng.normal(size=(30, 1)) * 3
    assert_allclose(first_eigenvariate(voxels), eigenvariate_by_svd(voxels), atol=1e-9)
    assert_array_equal(first_eigenvariate(np.full(shape, 7.0)), 0)


def test_eigenvariates_are_of_cleaned_voxels_and_in_bounded_memory(img, monkeypatch):
    options = dict(detrend=True, low_pass=0.1, t_r=2.0)
    atlas = blocks_atlas(img)
    masker = NiftiLabelsMasker(atlas, strategy="eigenvariate", **options).fit()
    signals = masker.transform(img)
    for i, region in enumerate((3, 7, 20)):
        mask = nib.Nifti1Image((np.asarray(atlas.dataobj) == region).astype(np.uint8), img.affine)
        voxels = NiftiMasker(mask, dtype="float64", **options).fit().transform(img)
        assert_allclose(signals[:, i], eigenvariate_by_svd(voxels), atol=1e-7)
    monkeypatch.setattr("brainsieve.maskers.eigenvariate.GROUP_BYTES", 1)
    assert_allclose(masker.transform(img), signals, atol=1e-9)


def test_labels_image_is_on_the_grid_of_the_images_given_to_fit(rng, img):
    coarse = run_image(rng, (6, 6, 6, 4), voxel_size=4.5)
    masker = quietly(NiftiLabelsMasker(label_image(rng, img)).fit, coarse)
    assert masker.labels_img_.shape == masker.region_atlas_.shape == (6, 6, 6)
    assert masker.inverse_transform(np.zeros(masker.n_elements_)).shape == (6, 6, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        masker.transform(coarse)
