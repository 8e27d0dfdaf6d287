"""RegionExtractor: thresholds and regions against nilearn and SciPy, signals against least squares."""

from __future__ import annotations

import copy
import pickle

import maps as made
import nibabel as nib
import nilearn.regions as peer
import numpy as np
import pytest
import surfaces
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from brainsieve.maskers import NiftiMapsMasker
from brainsieve.regions import RegionExtractor, connected_regions

RNG = np.random.default_rng(7)
SHAPE = (22, 24, 20)
# float32, as nilearn keeps maps: regions are equal to the last bit.
MAPS = made.smooth_noise(3, SHAPE).astype(np.float32)
RUN = RNG.normal(100, 5, (*SHAPE, 12))
MASK = np.zeros(SHAPE, np.uint8)
MASK[3:-2, 2:-4, 1:-3] = 1


def extractor(maps=MAPS, affine=made.ISOTROPIC, **options):
    options = {"min_region_size": 400, "standardize": None, **options}
    img = maps if isinstance(maps, str | nib.Nifti1Image) else made.image(maps, affine)
    return RegionExtractor(img, **options)


def fitted(*args, **options):
    return made.quiet(extractor(*args, **options).fit)


def of_peer(maps=MAPS, affine=made.ISOTROPIC, **options):
    options = {"min_region_size": 400, "standardize": None, **options}
    return made.quiet(peer.RegionExtractor(made.image(maps, affine), **options).fit)


@pytest.mark.parametrize(
    "options",
    [
        {"two_sided": True},
        {"threshold": 1.2, "thresholding_strategy": "img_value", "two_sided": True},
        {"threshold": -1.2, "thresholding_strategy": "img_value"},
        {"threshold": 80, "thresholding_strategy": "percentile"},
        {"threshold": 80, "thresholding_strategy": "percentile", "two_sided": True},
        {"threshold": 70.5, "thresholding_strategy": "percentile", "two_sided": True, "mask_img": MASK},
    ],
    ids=lambda options: "-".join(f"{k}={v if k != 'mask_img' else 1}" for k, v in options.items()),
)
@pytest.mark.parametrize("kind", ["connected_components", "local_regions"])
@pytest.mark.parametrize("affine", [made.ISOTROPIC, made.FLIPPED], ids=["iso", "flip"])
def test_regions_are_nilearn_s_where_thresholds_are(options, kind, affine):
    if kind == "local_regions" and options.get("threshold") == -1.2:
        pytest.skip("negative maps have no positive peak")
    options = {**options, "extractor": kind}
    if "mask_img" in options:
        options["mask_img"] = made.image(MASK, affine)
    theirs, ours = of_peer(affine=affine, **options), fitted(affine=affine, **options)
    assert ours.index_ == theirs.index_
    assert ours.n_elements_ == len(ours.index_) >= 3
    mine, other = ours.regions_img_.get_fdata(), theirs.regions_img_.get_fdata()
    if options.get("thresholding_strategy") == "percentile":
        cut = np.abs(other[other != 0]).min()
        other[np.abs(mine) < cut] = mine[np.abs(mine) < cut]  # nilearn adds 1e-5 to a percentile
        assert (np.abs(mine[(mine != 0) & (np.abs(mine) < cut)]) > cut - 1e-4).all()
    # nilearn's walk is not converged: voxels that are weakly tied to any peak may fall to another.
    assert (mine != other).sum() <= (0 if kind == "connected_components" else 4)


def test_the_ratio_is_of_the_voxels_of_the_mask_and_padding_changes_nothing():
    mask = made.image(MASK)
    ours = fitted(mask_img=mask, extractor="connected_components", two_sided=True, min_region_size=0)
    inside = MAPS[MASK > 0]
    cut = np.percentile(np.abs(inside), 100 - 100 / 3)
    kept = np.where((np.abs(MAPS) >= cut) & (MASK > 0)[..., None], MAPS, 0)
    assert_allclose(ours.regions_img_.get_fdata().sum(axis=-1), kept.sum(axis=-1), atol=1e-6)
    wide = ((4, 3), (2, 5), (6, 1))
    padded = np.pad(MAPS, (*wide, (0, 0)))
    moved = made.ISOTROPIC.copy()
    moved[:3, 3] = [-12, -6, -18]
    again = fitted(
        padded, moved, mask_img=mask, extractor="connected_components", two_sided=True, min_region_size=0
    )
    assert again.index_ == ours.index_
    inner = tuple(slice(a, -b) for a, b in wide)
    assert_array_equal(again.regions_img_.get_fdata()[inner], ours.regions_img_.get_fdata())


@pytest.mark.parametrize(
    "strategy, threshold", [("ratio_n_voxels", 1.0), ("img_value", 1.0), ("percentile", 75)]
)
def test_two_sided_is_honoured_by_all_strategies(strategy, threshold):
    options = {"thresholding_strategy": strategy, "threshold": threshold, "extractor": "connected_components"}
    one = fitted(two_sided=False, **options).regions_img_.get_fdata()
    two = fitted(two_sided=True, **options).regions_img_.get_fdata()
    assert one.min() == 0 and two.min() < 0
    if strategy != "percentile":  # of other values, hence another cut
        assert_allclose(one.sum(axis=-1)[one.any(-1)], np.maximum(two, 0).sum(axis=-1)[one.any(-1)])


def test_the_one_sided_ratio_keeps_the_positive_side_of_the_same_cut():
    ours = fitted(extractor="connected_components", min_region_size=0)
    cut = np.percentile(np.abs(MAPS), 100 - 100 / 3)
    kept = np.where(cut <= MAPS, MAPS, 0)
    assert_allclose(ours.regions_img_.get_fdata().sum(axis=-1), kept.sum(axis=-1), atol=1e-6)


def test_a_second_fit_and_a_clone_s_fit_give_the_same_and_parameters_stay():
    model = extractor(threshold=80, thresholding_strategy="percentile")
    before = model.get_params()
    first = made.quiet(model.fit).regions_img_.get_fdata()
    second = made.quiet(model.fit).regions_img_.get_fdata()
    third = made.quiet(clone(model).fit).regions_img_.get_fdata()
    assert_array_equal(first, second)
    assert_array_equal(first, third)
    assert model.get_params() == before


# -- signals -----------------------------------------------------------------------------------------------


def test_signals_are_the_least_squares_of_the_regions():
    ours = fitted(smoothing_fwhm=None)
    regions = ours.regions_img_.get_fdata().reshape(-1, ours.n_elements_)
    expected = np.linalg.lstsq(regions, RUN.reshape(-1, 12), rcond=None)[0].T
    assert_allclose(ours.transform(made.image(RUN)), expected, rtol=1e-8)
    back = ours.inverse_transform(expected)
    assert_allclose(back.get_fdata(), (expected @ regions.T).T.reshape(RUN.shape), atol=1e-10)


@pytest.mark.parametrize(
    "options",
    [
        {"smoothing_fwhm": 5, "standardize": "zscore_sample", "detrend": True},
        {"smoothing_fwhm": None, "resampling_target": "maps", "dtype": "float32"},
        {"mask_img": made.image(MASK), "resampling_target": "mask"},
    ],
    ids=["smooth-zscore", "maps-float32", "mask"],
)
def test_signals_cleaned_and_smoothed_are_nilearn_s(options):
    options = {"two_sided": True, "threshold": 0.5, **options}
    confounds = np.random.default_rng(1).normal(size=(12, 2))
    sample_mask = np.array([0, 1, 2, 4, 5, 6, 8, 9, 11])
    if "mask_img" in options:  # the ratio is of the mask here
        options |= {"threshold": 1.2, "thresholding_strategy": "img_value"}
    if options.get("detrend"):
        sample_mask = None
    run = made.image(RUN)
    ours, theirs = fitted(**options), of_peer(**options)
    expected = made.quiet(theirs.transform, run, confounds=confounds, sample_mask=sample_mask)
    got = made.quiet(ours.transform, run, confounds=confounds, sample_mask=sample_mask)
    assert got.dtype == expected.dtype
    assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())


def test_regions_come_to_images_on_another_grid_by_linear_interpolation():
    grid = np.diag([4.0, 4.0, 4.0, 1.0])
    run = made.image(RUN[:17, :19, :16], grid)
    ours, theirs = fitted(two_sided=True), of_peer(two_sided=True)
    assert_allclose(made.quiet(ours.transform, run), made.quiet(theirs.transform, run), rtol=1e-4)
    placed = made.quiet(extractor(two_sided=True).fit, run)
    there = made.quiet(of_peer(two_sided=True).fit, run)
    assert placed.maps_img_.shape == (17, 19, 16, placed.n_elements_)
    assert_allclose(placed.maps_img_.get_fdata(), there.maps_img_.get_fdata(), atol=1e-5)
    assert_allclose(placed.regions_img_.get_fdata(), theirs.regions_img_.get_fdata())


def test_a_weighted_mean_is_the_mean_with_the_region_s_weights():
    ours = fitted(strategy="weighted_mean", smoothing_fwhm=None)
    weights = ours.regions_img_.get_fdata()
    expected = np.einsum("xyzr,xyzt->tr", weights, RUN) / weights.sum(axis=(0, 1, 2))
    assert_allclose(ours.transform(made.image(RUN)), expected, rtol=1e-6)


def test_it_is_a_masker_of_maps_with_names_of_its_own():
    ours = fitted()
    assert isinstance(ours, NiftiMapsMasker)
    assert ours.get_feature_names_out()[:2].tolist() == ["regionextractor0", "regionextractor1"]
    assert isinstance(ours.index_, list)
    frame = ours.set_output(transform="pandas").transform(made.image(RUN))
    assert list(frame.columns) == ours.get_feature_names_out().tolist()
    assert ours.transform(made.image(RUN[..., 0])).shape == (1, ours.n_elements_)
    alone = fitted().transform(made.image(RUN[..., 0]))
    assert alone.shape == (ours.n_elements_,)


def test_a_list_of_volumes_is_a_run_and_a_list_of_maps_an_image_of_maps():
    volumes = [made.image(RUN[..., t]) for t in range(3)]
    ours = fitted()
    assert_allclose(ours.transform(volumes), ours.transform(made.image(RUN[..., :3])))
    listed = RegionExtractor(
        [made.image(MAPS[..., m]) for m in range(3)], min_region_size=400, standardize=None
    )
    assert made.quiet(listed.fit).index_ == ours.index_
    assert_array_equal(listed.regions_img_.get_fdata(), ours.regions_img_.get_fdata())


def test_one_map_of_one_volume_in_four_dimensions_is_enough():
    ours = fitted(MAPS[..., :1], threshold=0.3)
    assert set(ours.index_) == {0}
    assert ours.transform(made.image(RUN)).shape == (12, ours.n_elements_)


# -- the estimator -----------------------------------------------------------------------------------------


def test_pickles_and_copies_work_and_hold_no_dense_regions():
    ours = fitted()
    expected = ours.transform(made.image(RUN))
    dense = ours.regions_img_.get_fdata()
    stored = pickle.dumps(ours)
    assert len(stored) < dense.nbytes / 2
    for again in (pickle.loads(stored), copy.deepcopy(ours)):
        assert_allclose(again.transform(made.image(RUN)), expected)
        assert again.index_ == ours.index_
        assert_array_equal(again.regions_img_.get_fdata(), dense)
        assert_array_equal(again.maps_img_.get_fdata(), dense)
    assert_array_equal(ours.regions_img_.get_fdata(), dense)


def test_signals_come_from_the_cache_and_other_regions_do_not(tmp_path):
    run = made.image(RUN)
    a = fitted(memory=tmp_path, memory_level=1)
    first = a.transform(run)
    again = fitted(memory=tmp_path, memory_level=1)
    assert_array_equal(again.transform(run), first)
    assert len(list(tmp_path.rglob("output.pkl"))) == 1
    other = fitted(memory=tmp_path, memory_level=1, threshold=0.5)
    assert other.transform(run).shape != first.shape
    assert len(list(tmp_path.rglob("output.pkl"))) == 2


@pytest.mark.parametrize(
    "name, value",
    [
        ("threshold", 0.5),
        ("thresholding_strategy", "percentile"),
        ("two_sided", True),
        ("min_region_size", 10),
        ("extractor", "connected_components"),
        ("smoothing_fwhm", None),
        ("peak_distance_mm", 12.0),
        ("maps_img", made.image(MAPS[::-1])),
        ("mask_img", made.image(MASK)),
    ],
)
def test_what_regions_depend_on_needs_another_fit(name, value):
    ours = fitted().set_params(**{name: value})
    with pytest.raises(NotFittedError, match=f"{name} of this RegionExtractor changed"):
        ours.transform(made.image(RUN))


def test_what_is_done_in_time_may_change_after_fit():
    ours = fitted().set_params(standardize="zscore_sample", detrend=True)
    expected = fitted(standardize="zscore_sample", detrend=True).transform(made.image(RUN))
    assert_allclose(ours.transform(made.image(RUN)), expected)


def test_a_refit_leaves_nothing_of_the_fit_before():
    ours = fitted()
    n = ours.n_elements_
    assert ours.regions_img_.shape[-1] == len(ours.index_) == n
    made.quiet(ours.set_params(threshold=0.2).fit)
    assert (
        ours.n_elements_ == len(ours.index_) == ours.regions_img_.shape[-1] == ours.maps_img_.shape[-1] != n
    )
    with pytest.raises(ValueError):
        made.quiet(ours.set_params(min_region_size=1e9).fit)
    with pytest.raises(NotFittedError):
        _ = ours.index_


def test_inputs_are_never_modified():
    maps, mask, run = MAPS.copy(), MASK.copy(), RUN.copy()
    maps[2, 2, 2, 0] = np.nan
    before = maps.copy()
    with pytest.warns(UserWarning, match="maps_img.*1 values that are NaN"):
        ours = extractor(maps, mask_img=made.image(mask)).fit()
    ours.transform(made.image(run))
    assert_array_equal(maps, before)
    assert_array_equal(mask, MASK)
    assert_array_equal(run, RUN)


def test_nan_percentile_mask_on_another_grid_smoothing_and_scaled_maps_together(tmp_path):
    maps = MAPS.astype(np.float32)
    stored = nib.Nifti1Image(maps, made.FLIPPED)
    stored.header.set_data_dtype(np.int16)
    nib.save(stored, tmp_path / "maps.nii.gz")
    values = nib.load(tmp_path / "maps.nii.gz").get_fdata()
    mask = np.zeros((11, 12, 10), np.uint8)
    mask[2:-1, 1:10, 2:-1] = 1
    halves = nib.affines.from_matvec(2 * np.eye(3), [0.5, 0.5, 0.5])
    mask_img = made.image(mask, made.FLIPPED @ halves)
    options = {
        "threshold": 70,
        "thresholding_strategy": "percentile",
        "mask_img": mask_img,
        "smoothing_fwhm": 4,
    }
    ours = fitted(str(tmp_path / "maps.nii.gz"), **options)
    inside = np.kron(mask, np.ones((2, 2, 2))) > 0
    pooled = values[inside]
    cut = np.percentile(pooled[pooled >= 0], 70)
    kept = np.where((values > cut) & inside[..., None], values, 0)
    expected, index = made.quiet(connected_regions, made.image(kept, made.FLIPPED), 400, smoothing_fwhm=4)
    assert ours.index_ == index
    assert_allclose(ours.regions_img_.get_fdata(), expected.get_fdata(), atol=1e-12)
    assert len(index) > 3


def test_reports_show_the_regions():
    ours = made.quiet(extractor().fit, made.image(RUN))
    page = made.quiet(ours.generate_report, displayed_maps=1).get_standalone()
    assert "RegionExtractor" in page
    assert f"{ours.n_elements_} columns" in page
    assert "min_region_size" in page


# -- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"threshold": None}, ValueError, "threshold must be a finite number; None"),
        ({"threshold": "80%"}, ValueError, "threshold must be a finite number"),
        ({"threshold": np.nan}, ValueError, "threshold"),
        ({"threshold": True}, ValueError, "threshold"),
        ({"threshold": 0}, ValueError, "threshold must be greater than 0 and at most"),
        ({"threshold": 3.5}, ValueError, "at most 3, the number of maps"),
        ({"threshold": 101, "thresholding_strategy": "percentile"}, ValueError, "percentile, from 0 to 100"),
        ({"threshold": -1, "thresholding_strategy": "percentile"}, ValueError, "percentile, from 0 to 100"),
        ({"threshold": -1, "thresholding_strategy": "img_value", "two_sided": True}, ValueError, "two_sided"),
        ({"thresholding_strategy": "auto"}, ValueError, "thresholding_strategy must be one of"),
        ({"two_sided": 1}, TypeError, "two_sided"),
        ({"extractor": "regions"}, ValueError, "extractor must be one of"),
        ({"min_region_size": -5}, ValueError, "min_region_size"),
        ({"min_region_size": None}, TypeError, "min_region_size"),
        ({"smoothing_fwhm": "slow"}, ValueError, "smoothing_fwhm"),
        ({"peak_distance_mm": -1}, ValueError, "peak_distance_mm"),
        ({"resampling_target": "labels"}, ValueError, "resampling_target"),
        ({"resampling_target": "mask"}, ValueError, "needs mask_img"),
        (
            {"mask_img": made.image(np.ones((3, 3, 3), np.uint8), made.FAR)},
            ValueError,
            "mask_img and maps_img",
        ),
    ],
    ids=lambda value: "" if isinstance(value, type) else None,
)
def test_bad_parameters_are_named(options, error, words):
    with pytest.raises(error, match=words):
        made.quiet(extractor(**options).fit)


def test_no_region_says_threshold_size_and_the_largest_piece():
    sizes = np.bincount(ndimage.label(MAPS[..., 0] >= 2.5)[0].ravel())[1:]
    largest = max(
        np.bincount(ndimage.label(MAPS[..., m] >= 2.5)[0].ravel())[1:].max(initial=0) for m in range(3)
    )
    assert sizes.max() <= largest
    model = extractor(threshold=2.5, thresholding_strategy="img_value", min_region_size=123456)
    with pytest.raises(
        ValueError, match=rf"min_region_size=123456 mm³ at threshold=2.5.*has {largest * 27} mm³"
    ):
        made.quiet(model.fit)


def test_surfaces_labels_and_single_volumes_are_refused():
    with pytest.raises(TypeError):
        RegionExtractor(surfaces.run()).fit()
    with pytest.raises(TypeError, match="maps_img.*3-D"):
        RegionExtractor(made.image(MAPS[..., 0])).fit()
    with pytest.raises(ValueError, match="connected_label_regions"):
        RegionExtractor(made.image((MAPS[..., 0] > 0).astype(np.int16) + MASK)).fit()
    with pytest.raises(ValueError, match="maps_img is None"):
        RegionExtractor().fit()
    with pytest.raises(NotFittedError):
        RegionExtractor(made.image(MAPS)).transform(made.image(RUN))
    with pytest.raises(TypeError):
        fitted().transform(surfaces.run())
