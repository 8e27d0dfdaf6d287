"""What people give and ask for in the field, each with its right value."""

from __future__ import annotations

import json
import logging
import warnings

import joblib
import nibabel as nib
import nilearn.maskers
import numpy as np
import pandas as pd
import pytest
import small_cifti
import surfaces
from peer import as_float64, assert_same_series, label_image, mask_image, quietly, run_image
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from brainsieve import extract_many
from brainsieve.engine.source.file import FileSource
from brainsieve.maskers import (
    CiftiMasker,
    MultiNiftiLabelsMasker,
    MultiNiftiMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMapsMasker,
    SurfaceMasker,
)


@pytest.fixture
def img(rng):
    return run_image(rng)


def labels_of(img, seed=1):
    return label_image(np.random.default_rng(seed), img)


def maps_of(img, n_maps=3):
    return nib.Nifti1Image(np.random.default_rng(2).random((*img.shape[:3], n_maps)), img.affine)


def kinds(img):
    return {
        "voxels": NiftiMasker(mask_image(np.random.default_rng(1), img)),
        "computed voxels": NiftiMasker(),
        "labels": NiftiLabelsMasker(labels_of(img)),
        "maps": NiftiMapsMasker(maps_of(img)),
        "spheres": NiftiSpheresMasker([(0.0, 0.0, 0.0)], 5.0),
    }


KINDS = ["voxels", "computed voxels", "labels", "maps", "spheres"]


@pytest.fixture
def volumes(img, tmp_path):
    paths = []
    for i in range(12):
        paths.append(str(tmp_path / f"volume-{i:02}.nii"))
        nib.save(img.slicer[..., i], paths[-1])
    return paths


# -- sequences of paths -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrap", [tuple, np.array, pd.Series, pd.Index, iter], ids=lambda wrap: wrap.__name__)
def test_sequences_of_paths_are_lists(kind, wrap, img, volumes):
    expected = quietly(clone(kinds(img)[kind]).fit_transform, volumes)
    assert expected.shape[0] == 12
    np.testing.assert_array_equal(quietly(clone(kinds(img)[kind]).fit_transform, wrap(volumes)), expected)
    masker = quietly(clone(kinds(img)[kind]).fit, volumes)
    np.testing.assert_array_equal(masker.transform(wrap(volumes)), expected)
    np.testing.assert_array_equal(np.vstack(list(masker.iter_transform(wrap(volumes), 5))), expected)


def test_cross_validation_takes_an_array_of_paths(img, volumes):
    pipeline = make_pipeline(NiftiMasker(mask_image(np.random.default_rng(1), img)), Ridge())
    y = np.arange(12.0)
    scores = cross_val_score(pipeline, np.array(volumes), y, cv=3)
    np.testing.assert_array_equal(scores, cross_val_score(pipeline, volumes, y, cv=3))


@pytest.mark.parametrize("make", [MultiNiftiLabelsMasker, MultiNiftiMasker])
def test_multi_maskers_take_an_array_of_runs(make, img, tmp_path):
    paths = [str(tmp_path / f"run-{i}.nii") for i in range(2)]
    for i, path in enumerate(paths):
        nib.save(img.slicer[..., : 20 + i], path)
    parameter = labels_of(img) if make is MultiNiftiLabelsMasker else None
    expected = quietly(make(parameter).fit_transform, paths)
    for got, want in zip(quietly(make(parameter).fit_transform, np.array(paths)), expected, strict=True):
        np.testing.assert_array_equal(got, want)
    images = np.empty(2, dtype=object)
    images[:] = [nib.load(path) for path in paths]
    for got, want in zip(quietly(make(parameter).fit(paths).transform, images), expected, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("kind", KINDS)
def test_a_generator_of_images_loses_none(kind, img, volumes):
    masker = clone(kinds(img)[kind]).set_params(standardize="zscore_sample")
    expected = quietly(clone(masker).fit_transform, volumes)
    np.testing.assert_array_equal(quietly(masker.fit_transform, (path for path in volumes)), expected)


def test_a_generator_goes_with_high_variance_confounds(img, volumes):
    masker = NiftiLabelsMasker(labels_of(img), high_variance_confounds=True)
    expected = clone(masker).fit_transform(volumes)
    np.testing.assert_array_equal(clone(masker).fit_transform(path for path in volumes), expected)
    np.testing.assert_array_equal(masker.fit().transform(path for path in volumes), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_trailing_axes_of_length_1_are_none(kind, order, img):
    data = np.array(np.asarray(img.dataobj)[..., None, None], order=order)
    odd = nib.Nifti1Image(data, img.affine)
    masker, kept = kinds(img)[kind], [3, 4, 30, 59]
    expected = quietly(masker.fit, img).transform(img)
    odd_masker = quietly(clone(masker).fit, odd)
    np.testing.assert_array_equal(odd_masker.transform(odd), expected)
    # BLAS sums in another order where there are fewer rows.
    np.testing.assert_allclose(odd_masker.transform(odd, sample_mask=kept), expected[kept], rtol=1e-12)
    np.testing.assert_allclose(np.vstack(list(odd_masker.iter_transform(odd, 7))), expected, rtol=1e-12)
    pd.testing.assert_frame_equal(odd_masker.coverage(odd), masker.coverage(img))


# -- labels -------------------------------------------------------------------------------------------------


def atlas_with(values, img, dtype):
    data = np.zeros(img.shape[:3], dtype=dtype)
    for i, value in enumerate(values):
        data[2 * i : 2 * i + 2] = value
    return nib.Nifti1Image(data, img.affine, dtype=dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_ids_are_plain_numbers_with_the_background_first(dtype, img):
    masker = NiftiLabelsMasker(atlas_with([3, 1, 2], img, dtype), background_label=1).fit()
    told = json.loads(json.dumps([masker.labels_, list(masker.region_ids_.items())]))
    assert told == [[1, 0, 2, 3], [["background", 1], [0, 0], [1, 2], [2, 3]]]
    usual = NiftiLabelsMasker(atlas_with([3, 1, 2], img, dtype)).fit()
    theirs = quietly(nilearn.maskers.NiftiLabelsMasker(atlas_with([3, 1, 2], img, dtype)).fit)
    assert usual.labels_ == [float(i) for i in theirs.labels_]


@pytest.mark.parametrize(
    "values, dtype, expected, held_as",
    [
        ([7002.9999, 1], np.float64, [0, 1, 7003], np.int32),
        ([7003.0005, 1], np.float32, [0, 1, 7003], np.int32),
        ([3e9, 1], np.float64, [0, 1, 3_000_000_000], np.int64),
        ([2**40, 5], np.int64, [0, 5, 2**40], np.int64),
        ([2**31 - 1, 2], np.int64, [0, 2, 2**31 - 1], np.int32),
        ([-3, 2], np.int16, [-3, 0, 2], np.int32),
    ],
)
def test_the_atlas_used_has_the_ids_themselves(values, dtype, expected, held_as, img):
    masker = quietly(NiftiLabelsMasker(atlas_with(values, img, dtype)).fit)
    used = np.asarray(masker.region_atlas_.dataobj)
    assert np.unique(used).tolist() == expected and used.dtype == held_as
    assert [round(i) for i in masker.labels_] == sorted(expected, key=lambda i: (i != 0, i))


def test_nearly_whole_ids_are_one_region_with_a_warning(img):
    with pytest.warns(UserWarning, match="nearly whole numbers .7002.9999, 7003.0002.*rounded"):
        masker = NiftiLabelsMasker(atlas_with([7002.9999, 7003, 7003.0002], img, np.float64)).fit()
    assert masker.labels_ == [0.0, 7003.0] and masker.n_elements_ == 1
    with pytest.warns(UserWarning, match="no whole numbers .2.5"):
        assert NiftiLabelsMasker(atlas_with([2.5, 1.0], img, np.float64)).fit().labels_ == [0.0, 1.0, 2.5]


def test_frames_in_another_order_are_put_in_order_by_name(img):
    masker = NiftiLabelsMasker(labels_of(img), labels=list("abcdef")).set_output(transform="pandas").fit()
    frame = masker.transform(img)
    expected = masker.inverse_transform(frame).get_fdata()
    for columns in (list("fedcba"), list("bacdef")):
        np.testing.assert_array_equal(masker.inverse_transform(frame[columns]).get_fdata(), expected)
    np.testing.assert_array_equal(
        masker.inverse_transform(pd.DataFrame(frame.to_numpy())).get_fdata(), expected
    )
    with pytest.raises(ValueError, match="the columns 'x', which this masker does not have.*'a', 'b'"):
        masker.inverse_transform(frame.rename(columns={"c": "x"}))


def test_frames_whose_names_repeat_go_back_as_they_came(img):
    masker = NiftiLabelsMasker(labels_of(img), labels=["a", "a", "b", "b", "a_2", "d"])
    for library in ("pandas", "polars"):
        quietly(masker.set_output(transform=library).fit)
        frame = masker.transform(img)
        expected = masker.inverse_transform(frame.to_numpy()).get_fdata()
        np.testing.assert_array_equal(masker.inverse_transform(frame).get_fdata(), expected)
    with pytest.raises(ValueError, match="names repeat"):
        pandas_frame = masker.set_output(transform="pandas").transform(img)
        masker.inverse_transform(pandas_frame.iloc[:, ::-1])


def test_a_run_is_no_atlas_of_itself(img, tmp_path):
    path = tmp_path / "run.nii"
    nib.save(img, path)
    for run, atlas in ((path, str(path)), (img, img)):
        with pytest.raises(ValueError, match="atlas is the run itself .*60 samples.*image of regions"):
            extract_many(run, {"a": atlas})
    assert extract_many(path, {"a": labels_of(img)})["a"].shape == (60, 6)


# -- seeds --------------------------------------------------------------------------------------------------


def test_seeds_come_as_tables_with_names(img):
    table = pd.DataFrame({"name": ["left", "right"], "z": [4.0, 3.0], "x": [2.0, -4.0], "Y": [0.0, 3.0]})
    expected = NiftiSpheresMasker([(2.0, 0.0, 4.0), (-4.0, 3.0, 3.0)], 5.0, allow_overlap=True).fit()
    by_index = table.drop(columns="name").set_index(table["name"])
    for seeds in (table, by_index, table.to_records(index=False)):
        masker = NiftiSpheresMasker(seeds, 5.0, allow_overlap=True).fit()
        np.testing.assert_array_equal(masker.transform(img), expected.transform(img))
        assert list(masker.get_feature_names_out()) == ["left", "right"]
        assert masker.seeds_ == expected.seeds_
    unnamed = NiftiSpheresMasker(table[["x", "Y", "z"]], 5.0, allow_overlap=True).fit()
    assert list(unnamed.get_feature_names_out()) == ["niftispheresmasker0", "niftispheresmasker1"]
    numbered = NiftiSpheresMasker(pd.DataFrame(expected.seeds_), 5.0, allow_overlap=True).fit()
    assert numbered.seeds_ == expected.seeds_


@pytest.mark.parametrize(
    "changed, message",
    [
        (lambda table: table[["name", "x"]], "seeds has no column 'y'; it has 'name', 'x'"),
        # Three columns of other names may be voxels, or anything.
        (lambda table: table.set_axis(["i", "j", "k"], axis="columns"), "seeds has no column 'x'"),
        (lambda table: table.assign(x=[1.0, np.nan]), "no number for x in row 1"),
        (lambda table: table.assign(z=[1.0, np.inf]), "no number for z in row 1"),
        (lambda table: table.assign(y=[None, 2.0]), "no number for y in row 0"),
        (lambda table: table.assign(y=["1", "left"]), "no number for y in row 1"),
        (lambda table: table[:0], "seeds is empty"),
    ],
)
def test_a_table_that_holds_no_seeds_says_what_it_lacks(changed, message):
    table = pd.DataFrame({"x": [2.0, -4.0], "y": [0.0, 3.0], "z": [4.0, 3.0]})
    table = changed(table.assign(name=["left", "right"]) if "name" in message else table)
    with pytest.raises(ValueError, match=message):
        NiftiSpheresMasker(table).fit()


@pytest.mark.parametrize("radius", [3.0, 6.0, 3 * np.sqrt(2)])
def test_a_sphere_has_the_voxels_at_its_radius(radius, img):
    centre = nib.affines.apply_affine(img.affine, [4, 4, 3])
    masker = NiftiSpheresMasker([centre.tolist()], radius).fit()
    voxels = np.stack(np.meshgrid(*map(np.arange, img.shape[:3]), indexing="ij"), axis=-1)
    squared = 9 * ((voxels - [4, 4, 3]) ** 2).sum(axis=-1)
    # In whole squared mm: at the radius is inside.
    inside = squared <= round(radius**2)
    if radius < 4:
        assert inside.sum() == 7
    np.testing.assert_allclose(masker.transform(img)[:, 0], np.asarray(img.dataobj)[inside].mean(axis=0))


# -- coverage -----------------------------------------------------------------------------------------------


def partly_empty(img, first=0):
    """Voxels 0 … 3 of the first axis have data in the samples from `first` on only, some are NaN there."""
    data = np.array(img.dataobj)
    data[:4, ..., :first] = 0
    data[0] = np.nan
    data[1] = 0
    return nib.Nifti1Image(data, img.affine)


def counted(labels, data, kept):
    ids = np.asarray(labels.dataobj)
    has = (np.isfinite(data[..., kept]) & (data[..., kept] != 0)).any(axis=-1)
    return np.array([has[ids == i].mean() for i in range(1, 7)])


@pytest.mark.parametrize("kept", [[0, 1, 2], [10, 11, 12], list(range(60))], ids=str)
@pytest.mark.parametrize("scaled", [False, True])
def test_coverage_counts_over_the_samples_kept(kept, scaled, img, tmp_path):
    run, labels = partly_empty(img, first=5), labels_of(img)
    if scaled:
        # Powers of 2, so that 0 is 0 again; nibabel would choose a scaling of its own.
        stored = np.round((np.nan_to_num(np.asarray(run.dataobj)) - 300) / 0.125).astype(np.int16)
        nib.save(nib.Nifti1Image(stored, img.affine), tmp_path / "run.nii")
        with open(tmp_path / "run.nii", "r+b") as file:
            file.seek(112)
            file.write(np.array([0.125, 300], dtype="<f4").tobytes())
        run = nib.load(tmp_path / "run.nii")
    expected = counted(labels, run.get_fdata(), kept)
    masker = NiftiLabelsMasker(labels).fit()
    np.testing.assert_allclose(masker.coverage(run, sample_mask=kept)["fraction"], expected)
    if len(kept) == 60:
        np.testing.assert_allclose(masker.coverage(run)["fraction"], expected)
    # At the threshold itself a region stays.
    least = float(np.sort(expected)[3])
    masker.set_params(min_coverage=least)
    signals = quietly(masker.transform, run, sample_mask=kept)
    np.testing.assert_array_equal(np.isnan(signals).all(axis=0), expected < least)
    assert (expected < least).any() and not (expected < least).all()


def test_what_is_censored_does_not_count_as_covered(img):
    labels = labels_of(img)
    data = np.array(img.dataobj)
    data[:5, ..., 1:] = 0
    run = nib.Nifti1Image(data, img.affine)
    masker = NiftiLabelsMasker(labels, min_coverage=0.9).fit()
    kept = np.arange(1, 60)
    with pytest.warns(UserWarning, match="covered less than min_coverage=0.9"):
        assert np.isnan(masker.transform(run, sample_mask=kept)).all(axis=0).sum() == 6
    assert np.isfinite(masker.transform(run)).all()


@pytest.mark.parametrize("strategy", ["mean", "median", "eigenvariate"])
def test_min_coverage_takes_its_mask_from_the_pass(strategy, img):
    labels, run = labels_of(img), partly_empty(img)
    masker = NiftiLabelsMasker(labels, min_coverage=0.75, strategy=strategy).fit()
    signals = quietly(masker.transform, run)
    np.testing.assert_array_equal(
        np.isnan(signals).all(axis=0), counted(labels, run.get_fdata(), range(60)) < 0.75
    )


# -- how often a file is read -------------------------------------------------------------------------------


class Counted:
    """Counts how often blocks of files are asked for."""

    def __init__(self, monkeypatch):
        self.passes = 0
        blocks = FileSource.blocks

        def counting(source, *args, **kwargs):
            self.passes += 1
            return blocks(source, *args, **kwargs)

        monkeypatch.setattr(FileSource, "blocks", counting)


@pytest.mark.parametrize("opened", [False, True], ids=["path", "opened image"])
@pytest.mark.parametrize("min_coverage", [None, 0.5])
def test_fit_transform_reads_a_file_once(opened, min_coverage, img, tmp_path, monkeypatch):
    nib.save(img, tmp_path / "run.nii.gz")
    labels = labels_of(img)
    run = nib.load(tmp_path / "run.nii.gz") if opened else tmp_path / "run.nii.gz"
    counted_ = Counted(monkeypatch)
    masker = NiftiLabelsMasker(labels, min_coverage=min_coverage)
    masker.fit_transform(run)
    assert counted_.passes == 1
    assert "data:image" in masker.generate_report().html
    assert counted_.passes == 2
    mask = mask_image(np.random.default_rng(1), img)
    counted_.passes = 0
    NiftiMasker(mask, standardize="zscore_sample").fit_transform(run)
    assert counted_.passes == 1


# -- images that come to the atlas --------------------------------------------------------------------------


def finer(img, factor=2):
    affine = img.affine @ np.diag([1 / factor] * 3 + [1])
    labels = np.repeat(np.repeat(np.repeat(np.asarray(labels_of(img).dataobj), 2, 0), 2, 1), 2, 2)
    return nib.Nifti1Image(labels, affine)


def spiky(img):
    """A run whose splines overshoot its range."""
    data = np.zeros(img.shape[:3] + (20,))
    data[2:6, 2:6, 2:5] = 100 + np.random.default_rng(0).normal(0, 1, (4, 4, 3, 20))
    return nib.Nifti1Image(data, img.affine)


@pytest.mark.parametrize("strategy", ["maximum", "minimum", "median", "variance", "standard_deviation"])
@pytest.mark.parametrize("fwhm", [None, 4.0])
def test_extremes_of_resampled_voxels_are_clipped_as_the_peers(strategy, fwhm, img):
    run, labels = spiky(img), finer(img)
    parameters = {"resampling_target": "labels", "strategy": strategy, "smoothing_fwhm": fwhm}
    masker = NiftiLabelsMasker(labels, **parameters).fit()
    got = masker.transform(run)
    theirs = quietly(nilearn.maskers.NiftiLabelsMasker(labels, **parameters).fit_transform, as_float64(run))
    assert_same_series(got, theirs)
    blocks = list(masker.iter_transform(run, block=3))
    np.testing.assert_array_equal(np.vstack(blocks), got)
    if fwhm is None and strategy == "maximum":
        assert got.max() == np.asarray(run.dataobj).max()
    with pytest.raises(TypeError, match="not linear"):
        masker.operator_(run)


def test_clipping_looks_at_the_samples_kept_only(img):
    run, labels = spiky(img), finer(img)
    data = np.array(run.dataobj)
    data[3, 3, 3, 0] = 1e6
    spoiled = nib.Nifti1Image(data, run.affine)
    masker = NiftiLabelsMasker(labels, resampling_target="labels", strategy="maximum").fit()
    kept = np.arange(1, 20)
    expected = masker.transform(run, sample_mask=kept)
    np.testing.assert_array_equal(masker.transform(spoiled, sample_mask=kept), expected)


@pytest.mark.parametrize("block", [1, 3, 100])
def test_voxels_that_stream_are_clipped_as_those_of_the_run(block, img):
    run = spiky(img)
    mask = nib.Nifti1Image((np.asarray(finer(img).dataobj) > 0).astype(np.uint8), finer(img).affine)
    masker = NiftiMasker(mask).fit()
    whole = quietly(masker.transform, run)
    assert whole.max() == np.asarray(run.dataobj).max() and whole.min() == 0
    streamed = quietly(lambda: np.vstack(list(masker.iter_transform(run, block))))
    np.testing.assert_allclose(streamed, whole, atol=1e-10)


def test_arguments_of_a_stream_are_checked_at_once(img):
    masker = NiftiLabelsMasker(labels_of(img)).fit()
    for wrong, error in ((0, ValueError), (1.5, TypeError), (True, TypeError)):
        with pytest.raises(error, match="block"):
            masker.iter_transform(img, block=wrong)
    with pytest.raises(ValueError, match="not-there"):
        masker.iter_transform("not-there.nii")
    with pytest.raises(ValueError, match="eigenvariate"):
        masker.set_params(strategy="eigenvariate").iter_transform(img)


@pytest.mark.parametrize("target", ["data", "labels"])
def test_a_region_beyond_the_image_is_lost_by_name_either_way(target, img):
    labels = labels_of(img)
    data = np.array(labels.dataobj)
    data[data == 6] = 0
    data[7:] = 6
    atlas = nib.Nifti1Image(data, img.affine)
    half = nib.Nifti1Image(np.asarray(img.dataobj)[:6], img.affine)
    masker = NiftiLabelsMasker(atlas, resampling_target=target, labels=list("abcdef")).fit()
    with pytest.warns(UserWarning, match="1 region has no voxel in this image: 'f'"):
        signals = masker.transform(half)
    np.testing.assert_array_equal(np.isnan(signals).all(axis=0), [False] * 5 + [True])


def far(img):
    return img.affine + np.array([[0, 0, 0, 1000.0]] + [[0.0] * 4] * 3)


@pytest.mark.parametrize("target", ["data", "labels"])
@pytest.mark.parametrize("strategy", ["mean", "median"])
def test_an_atlas_outside_the_image_is_an_error(target, strategy, img):
    atlas = nib.Nifti1Image(np.asarray(labels_of(img).dataobj), far(img))
    masker = NiftiLabelsMasker(atlas, resampling_target=target, strategy=strategy).fit()
    with pytest.raises(ValueError, match="No region has a voxel in this image .*do not overlap"):
        masker.transform(img)
    with pytest.raises(ValueError, match="do not overlap"):
        extract_many(img, {"a": masker})


def test_maps_and_masks_outside_the_image_are_errors(img):
    maps = nib.Nifti1Image(np.asarray(maps_of(img).dataobj), far(img))
    for target in ("data", "maps"):
        with pytest.raises(ValueError, match="No map has a voxel in this image"):
            NiftiMapsMasker(maps, resampling_target=target).fit().transform(img)
    mask = nib.Nifti1Image(np.ones(img.shape[:3], np.uint8), far(img))
    with pytest.raises(ValueError, match="No voxel has a voxel|No voxel"):
        NiftiMasker(mask).fit().transform(img)


# -- what is said -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verbose, n_lines", [(0, 0), (1, 2), (2, 3)])
def test_records_are_of_level_info_where_asked_for_only(verbose, n_lines, img, caplog):
    with caplog.at_level(logging.DEBUG, logger="brainsieve"):
        NiftiLabelsMasker(labels_of(img), verbose=verbose).fit().transform(img)
    levels = [record.levelno for record in caplog.records]
    assert levels.count(logging.INFO) == n_lines and len(levels) == 3


def test_percent_change_of_a_mean_of_zero_is_said_once(img):
    data = np.tile([1.0, -1.0, 2.0, -2.0], (40, 40, 40, 3))
    run = nib.Nifti1Image(data, img.affine)
    mask = nib.Nifti1Image(np.ones((40, 40, 40), np.uint8), img.affine)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        NiftiMasker(mask, standardize="psc").fit().transform(run)
    (said,) = [str(w.message) for w in seen]
    assert said.startswith("standardize='psc': 64000 series have a mean of 0")


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_a_mask_without_a_voxel_is_refused(value, img):
    data = np.full(img.shape[:3], np.nan)
    data[2:5] = value
    with pytest.raises(ValueError, match="mask_img is empty"):
        NiftiMasker(nib.Nifti1Image(data, img.affine)).fit()
    data[3, 3, 3] = 1
    masker = quietly(NiftiMasker(nib.Nifti1Image(data, img.affine)).fit)
    assert masker.n_elements_ == 1 and np.asarray(masker.mask_img_.dataobj).sum() == 1


# -- surfaces and CIFTI -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fwhm", [None, 6.0])
def test_surface_images_keep_their_hash_through_fit_and_transform(fwhm):
    labels, mask = (surfaces.on_mesh(f()) for f in (surfaces.label_values, surfaces.mask_values))
    maps, run = surfaces.on_mesh(surfaces.weights()), surfaces.run()
    given = (labels, mask, maps, run)
    before = [joblib.hash(img) for img in given]
    for masker in (SurfaceMasker(mask), SurfaceLabelsMasker(labels, mask_img=mask), SurfaceMapsMasker(maps)):
        quietly(masker.set_params(smoothing_fwhm=fwhm).fit, run).transform(run)
        masker.inverse_transform(np.ones(masker.n_elements_))
        quietly(masker.generate_report)
    assert [joblib.hash(img) for img in given] == before


def test_fitted_images_of_surfaces_are_the_same_object_at_each_access():
    masker = SurfaceLabelsMasker(surfaces.on_mesh(surfaces.label_values())).fit()
    for name in ("labels_img_", "region_atlas_", "lut_", "region_ids_"):
        assert getattr(masker, name) is getattr(masker, name)
    maps = SurfaceMapsMasker(surfaces.on_mesh(surfaces.weights())).fit()
    assert maps.maps_img_ is maps.maps_img_


@pytest.mark.parametrize("structures, n_pictures", [("cortex", 0), ("subcortex", 1), (None, 1)])
def test_a_report_draws_no_structures_that_are_left_out(structures, n_pictures, tmp_path):
    run = small_cifti.series(tmp_path)
    masker = CiftiMasker(structures=structures).fit(run)
    # Without meshes the hemispheres are not drawn; the subcortex is, where it is a part.
    assert masker.generate_report().html.count("data:image/png") == n_pictures


@pytest.mark.parametrize("as_path", [True, False])
def test_a_run_that_is_its_own_atlas_is_told_of(tmp_path, as_path):
    run = nib.Nifti1Image(np.random.default_rng(0).normal(size=(4, 4, 4, 3)).astype("f4"), np.eye(4))
    nib.save(run, tmp_path / "run.nii")
    given = (str(tmp_path / "run.nii"), tmp_path / "." / "run.nii") if as_path else (run, run)
    with pytest.warns(UserWarning, match="maps_img is the image itself"):
        NiftiMapsMasker(given[0], reports=False).fit(given[1])
