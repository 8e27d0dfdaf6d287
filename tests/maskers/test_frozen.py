"""What `fit` promises is frozen: later changes act or are refused, and no cache ever gives another masker's signals."""

from __future__ import annotations

import copy
import pickle
import warnings

import joblib
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from peer import label_image, mask_image, quietly, run_image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import brainsieve
from brainsieve import extract_many
from brainsieve.caching import digest
from brainsieve.maskers import (
    MultiNiftiLabelsMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
)
from brainsieve.maskers.declared import PARAMETERS


@pytest.fixture
def img(rng):
    return run_image(rng)


def kinds(img):
    rng = np.random.default_rng(1)
    maps = nib.Nifti1Image(rng.random((*img.shape[:3], 4)), img.affine)
    seeds = nib.affines.apply_affine(img.affine, [[2, 2, 2], [5, 5, 4]]).tolist()
    return {
        "voxels": NiftiMasker(mask_image(rng, img)),
        "labels": NiftiLabelsMasker(label_image(rng, img)),
        "maps": NiftiMapsMasker(maps),
        "spheres": NiftiSpheresMasker(seeds, 4.0),
        "many": MultiNiftiLabelsMasker(label_image(rng, img)),
    }


# Values other than the defaults that change signals; each is tried after `fit`.
CHANGES = [
    ({"smoothing_fwhm": 6.0}, "all"),
    ({"standardize": "zscore_sample"}, "all"),
    ({"standardize": "psc"}, "all"),
    ({"detrend": True}, "all"),
    ({"low_pass": 0.1, "t_r": 2.0}, "all"),
    ({"high_pass": 0.02, "t_r": 2.0}, "all"),
    ({"high_variance_confounds": True}, "all"),
    ({"dtype": "float32"}, "all"),
    ({"clean_args": {"filter": "cosine"}, "high_pass": 0.02, "t_r": 2.0}, "all"),
    ({"strategy": "sum"}, "labels"),
    ({"strategy": "median"}, "labels"),
    ({"strategy": "weighted_mean"}, "maps"),
    ({"runs": [0] * 30 + [1] * 30, "standardize": "zscore_sample"}, "voxels"),
    ({"min_coverage": 1.0}, "labels"),
]
CASES = [
    (kind, change)
    for kind in ("voxels", "labels", "maps", "spheres", "many")
    for change, of in CHANGES
    if of == "all" or of == kind or (of == "labels" and kind == "many")
]


def holed(img):
    """A run one corner of which is always 0, so that coverage differs."""
    data = np.array(img.dataobj)
    data[:4, :4, :4] = 0
    return nib.Nifti1Image(data, img.affine)


@pytest.mark.parametrize("kind, change", CASES, ids=str)
@pytest.mark.parametrize("memory", [False, True], ids=["no memory", "memory"])
@pytest.mark.parametrize("by", ["set_params", "attribute"])
def test_a_change_after_fit_acts_and_poisons_no_cache(kind, change, memory, by, img, tmp_path):
    img = holed(img)
    make = clone(kinds(img)[kind]).set_params(memory=str(tmp_path) if memory else None, memory_level=1)
    plain = quietly(clone(make).set_params(memory=None).fit().transform, img)
    expected = quietly(clone(make).set_params(memory=None, **change).fit().transform, img)

    masker = make.fit()
    quietly(masker.transform, img)
    if by == "set_params":
        masker.set_params(**change)
    else:
        for name, value in change.items():
            setattr(masker, name, value)
    np.testing.assert_array_equal(quietly(masker.transform, img), expected)
    assert not np.array_equal(expected, plain)
    # Others, in this process and on disk, get their own.
    fresh = clone(kinds(img)[kind]).set_params(memory=make.memory, memory_level=1).fit()
    np.testing.assert_array_equal(quietly(fresh.transform, img), plain)
    # And back again.
    masker.set_params(**{name: getattr(fresh, name) for name in change})
    np.testing.assert_array_equal(quietly(masker.transform, img), plain)


def test_a_change_before_the_first_transform_poisons_nothing(img):
    first = NiftiLabelsMasker(label_image(np.random.default_rng(5), img)).fit()
    first.strategy = "sum"
    sums = first.transform(img)
    means = NiftiLabelsMasker(label_image(np.random.default_rng(5), img)).fit().transform(img)
    counts = first.fit().coverage(img)["expected"].to_numpy()
    np.testing.assert_allclose(sums, means * counts, rtol=1e-12)


def test_everything_works_from_the_parameters_as_they_are(img):
    masker = kinds(img)["labels"].fit()
    masker.set_params(strategy="sum", dtype="float32")
    expected = clone(masker).fit()
    np.testing.assert_array_equal(
        np.vstack(list(masker.iter_transform(img, 7))), np.vstack(list(expected.iter_transform(img, 7)))
    )
    volume = np.asarray(img.dataobj)[..., 2].ravel(order="F")
    np.testing.assert_allclose(masker.operator_(img) @ volume, expected.transform(img)[2], rtol=1e-6)
    assert masker.inverse_transform(np.ones(masker.n_elements_)).get_data_dtype() == np.float32
    np.testing.assert_array_equal(extract_many(img, {"a": masker})["a"], expected.transform(img))


REFITS = {
    "labels": [
        ("labels_img", lambda img: label_image(np.random.default_rng(7), img)),
        ("mask_img", lambda img: mask_image(np.random.default_rng(7), img)),
        ("resampling_target", lambda img: "labels"),
        ("background_label", lambda img: 3),
        ("labels", lambda img: ["a", "b"]),
        ("lut", lambda img: pd.DataFrame({"index": [1], "name": ["one"]})),
        ("keep_masked_labels", lambda img: True),
    ],
    "voxels": [
        ("mask_img", lambda img: mask_image(np.random.default_rng(7), img)),
        ("target_affine", lambda img: np.diag([4.0, 4, 4, 1])),
        ("target_shape", lambda img: (3, 3, 3)),
        ("mask_strategy", lambda img: "epi"),
        ("mask_args", lambda img: {"opening": 1}),
    ],
    "maps": [("maps_img", lambda img: img), ("resampling_target", lambda img: "maps")],
    "spheres": [("seeds", lambda img: [(0.0, 0.0, 0.0)]), ("radius", lambda img: 5.0)],
}


@pytest.mark.parametrize(
    "kind, name, value",
    [pytest.param(kind, *each, id=f"{kind}-{each[0]}") for kind, many in REFITS.items() for each in many],
)
def test_a_change_that_needs_another_fit_says_so(kind, name, value, img):
    masker = kinds(img)[kind].fit()
    was = getattr(masker, name)
    setattr(masker, name, value(img))
    calls = [
        lambda: masker.transform(img),
        lambda: masker.iter_transform(img),
        lambda: masker.coverage(img),
        lambda: masker.operator_(img),
        lambda: masker.inverse_transform(np.ones(masker.n_elements_)),
    ]
    for call in calls:
        with pytest.raises(
            ValueError, match=rf"^{name} of this .* changed since it was fitted.*call fit again"
        ):
            call()
    setattr(masker, name, was)
    masker.transform(img)


def test_a_mutable_parameter_changed_in_place_is_noticed(img):
    seeds = [[2.0, 3.0, 4.0], [11.0, 9.0, 7.0]]
    masker = NiftiSpheresMasker(seeds, clean_args={}).fit()
    before = masker.transform(img)
    masker.clean_args["filter"] = "cosine"
    masker.set_params(high_pass=0.02, t_r=2.0)
    assert not np.array_equal(masker.transform(img), before)
    seeds[0][0] = 5.0
    with pytest.raises(ValueError, match="seeds of this NiftiSpheresMasker changed"):
        masker.transform(img)


def test_an_equal_parameter_is_no_change(img, tmp_path):
    file = tmp_path / "labels.nii"
    nib.save(label_image(np.random.default_rng(1), img), file)
    masker = NiftiLabelsMasker(str(file), labels=list("abcdef"), background_label=0).fit()
    masker.set_params(labels_img=str(file), labels=list("abcdef"), background_label=0.0)
    masker.transform(img)


@pytest.mark.parametrize("name, value", [("detrend", 1), ("low_pass", -1.0), ("strategy", "meen")])
def test_a_wrong_value_set_after_fit_is_named(name, value, img):
    masker = kinds(img)["labels"].fit().set_params(**{name: value})
    with pytest.raises((TypeError, ValueError), match=name):
        masker.transform(img)


def test_what_changes_no_number_may_change(img, tmp_path, capsys):
    masker = kinds(img)["labels"].fit()
    expected = masker.transform(img)
    key = masker._current().key
    masker.set_params(verbose=1, reports=False, cmap="jet", memory_level=0)
    np.testing.assert_array_equal(masker.transform(img), expected)
    assert masker._current().key == key
    assert "extracting" in capsys.readouterr().out


def test_every_parameter_has_a_role():
    makers = [
        getattr(brainsieve.maskers, name) for name in brainsieve.maskers.__all__ if name != "BaseMasker"
    ]
    for make in makers:
        assert set(make().get_params()) <= set(PARAMETERS), make


@pytest.mark.parametrize("kind", ["voxels", "labels", "maps", "spheres", "many"])
def test_a_refit_that_fails_leaves_the_masker_unfitted(kind, img):
    masker = kinds(img)[kind].fit()
    masker.set_params(mask_img="no-such-file.nii")
    with pytest.raises(ValueError, match="no-such-file"):
        masker.fit()
    assert not masker.__sklearn_is_fitted__()
    with pytest.raises(NotFittedError):
        masker.transform(img)
    fitted = [name for name in vars(masker) if name.endswith("_") and not name.startswith("_")]
    assert fitted == []


def test_a_refit_with_a_wrong_parameter_leaves_it_unfitted_too(img):
    masker = kinds(img)["labels"].fit()
    with pytest.raises(TypeError, match="detrend"):
        masker.set_params(detrend="yes").fit()
    assert not masker.__sklearn_is_fitted__()


ATTRIBUTES = {
    "voxels": ["mask_img_", "affine_", "n_elements_"],
    "labels": [
        "labels_img_",
        "region_atlas_",
        "lut_",
        "labels_",
        "region_names_",
        "region_ids_",
        "mask_img_",
    ],
    "maps": ["maps_img_", "mask_img_"],
    "spheres": ["seeds_", "mask_img_"],
    "many": ["labels_img_", "region_atlas_", "lut_"],
}


@pytest.mark.parametrize("kind", list(ATTRIBUTES))
def test_fitted_attributes_are_the_same_object_at_each_access(kind, img):
    masker = kinds(img)[kind]
    for name in ATTRIBUTES[kind]:
        assert not hasattr(masker, name)
    masker.fit()
    for name in ATTRIBUTES[kind]:
        assert getattr(masker, name) is getattr(masker, name)


def test_a_refit_makes_new_attributes(img):
    masker = kinds(img)["labels"].fit()
    before = masker.region_atlas_, masker.n_elements_
    assert before[1] == 6
    masker.set_params(labels_img=label_image(np.random.default_rng(9), img, n_regions=3)).fit()
    assert masker.n_elements_ == 3 and masker.region_atlas_ is not before[0]


@pytest.mark.parametrize("kind", ["voxels", "labels", "maps", "spheres"])
def test_the_frozen_object_pickles_and_keeps_its_key(kind, img):
    masker = kinds(img)[kind].fit()
    key = masker._fitted.key
    masker.transform(img)
    again = pickle.loads(pickle.dumps(masker))
    assert again._fitted.key == key and copy.deepcopy(masker)._fitted.key == key
    np.testing.assert_array_equal(again.transform(img), masker.transform(img))
    with pytest.raises(AttributeError):
        masker._fitted.target = None


def test_keys_of_clones_are_equal_and_of_others_are_not(img):
    labels = label_image(np.random.default_rng(1), img)
    base = NiftiLabelsMasker(labels)
    keys = [clone(base).fit()._fitted.key for _ in range(2)]
    assert keys[0] == keys[1]
    others = [
        clone(base).set_params(**change)
        for change in (
            {"high_variance_confounds": True},
            {"min_coverage": 0.5},
            {"dtype": "float32"},
            {"strategy": "sum"},
            {"nonfinite": "omit"},
            {"smoothing_fwhm": 4},
            {"clean_args": {"ensure_finite": True}},
        )
    ]
    shifted = nib.Nifti1Image(np.asarray(labels.dataobj), labels.affine + np.diag([0, 0, 0.5, 0]))
    others.append(NiftiLabelsMasker(shifted))
    assert len({keys[0], *(other.fit()._fitted.key for other in others)}) == len(others) + 1


# -- keys ---------------------------------------------------------------------------------------------------


def test_a_digest_tells_dtypes_and_shapes_apart():
    values = np.arange(12, dtype=np.int32)
    assert digest(values) != digest(values.view(np.float32))
    assert digest(values) != digest(values.reshape(3, 4))
    assert digest(values.reshape(3, 4)) != digest(values.reshape(4, 3))
    assert digest(values) == digest(values.copy())
    assert digest(values.reshape(3, 4)) == digest(np.asfortranarray(values.reshape(3, 4)))
    assert digest(["ab", "c"]) != digest(["a", "bc"])


def test_a_digest_tells_how_things_are_nested():
    """Fed one after the other, these lists would be the same items."""
    nested = [[[1], [2]], [[1, 2]], [[], [1, 2]], [[1, 2], []], [1, [2]], [[1], 2], [1, 2], (1, (2,), ())]
    nested += [{"a": [1], "b": [2]}, {"a": [1, "b", 2]}, [[[1]], 2], ["1", 2], [1.0, 2], [True, 2], [None, 2]]
    assert len({digest(each) for each in nested}) == len(nested)
    assert digest([1, (2,)]) == digest((1, [2]))
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_array_likes_are_told_apart_by_their_contents():
    long = np.zeros(5000)
    other = long.copy()
    other[2500] = 1
    for wrap in (pd.Series, pd.DataFrame, pd.Index, np.asarray, list):
        assert digest(wrap(long)) == digest(wrap(long.copy()))
        assert digest(wrap(long)) != digest(wrap(other))
    frame = pd.DataFrame({"a": long})
    assert digest(frame) != digest(frame.rename(columns={"a": "b"}))
    with pytest.raises(TypeError, match="object"):
        digest(object())


def test_runs_as_a_series_are_keyed_by_their_contents(img, tmp_path):
    mask = mask_image(np.random.default_rng(1), img)
    data = np.concatenate([np.asarray(img.dataobj)] * 3, axis=3)
    long = nib.Nifti1Image(data, img.affine)
    first, second = np.repeat([0, 1], 90), np.repeat([0, 1], 90)
    second[85:90] = 1
    results = []
    for runs in (first, second):
        parameters = {"runs": pd.Series(runs), "standardize": "zscore_sample", "memory": str(tmp_path)}
        results.append(NiftiMasker(mask, **parameters).fit().transform(long))
        plain = NiftiMasker(mask, runs=runs, standardize="zscore_sample").fit().transform(long)
        np.testing.assert_array_equal(results[-1], plain)
    assert not np.array_equal(*results)


def test_high_variance_confounds_are_part_of_the_key(img, tmp_path):
    labels = label_image(np.random.default_rng(1), img)
    plain = NiftiLabelsMasker(labels, memory=str(tmp_path)).fit().transform(img)
    cleaned = NiftiLabelsMasker(labels, memory=str(tmp_path), high_variance_confounds=True).fit()
    expected = NiftiLabelsMasker(labels, high_variance_confounds=True).fit().transform(img)
    np.testing.assert_array_equal(cleaned.transform(img), expected)
    assert not np.allclose(plain, expected)
    # Without them, although the masker has the parameter.
    np.testing.assert_array_equal(cleaned.transform_single_imgs(img), plain)


def test_sample_masks_of_other_kinds_have_other_keys(img, tmp_path):
    masker = NiftiLabelsMasker(label_image(np.random.default_rng(1), img), memory=str(tmp_path)).fit()
    bare = clone(masker).set_params(memory=None).fit()
    flags = np.zeros(60, dtype=bool)
    flags[[0, 1]] = True
    for mask in (flags, np.array([0, 1]), np.array([1, 2]), [3, 4], pd.Series([5, 6, 7])):
        np.testing.assert_array_equal(
            masker.transform(img, sample_mask=mask), bare.transform(img, sample_mask=mask)
        )


def said_by(call):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        call()
    return sorted((str(warning.message), warning.category) for warning in seen)


@pytest.mark.parametrize("high_variance", [False, True])
def test_a_cached_call_repeats_the_warnings_of_the_first(img, tmp_path, high_variance):
    data = np.array(img.dataobj)
    data[3, 3, 3, :5] = np.nan
    data[0] = 0
    dirty = nib.Nifti1Image(data[:5], img.affine)
    labels = label_image(np.random.default_rng(1), img)
    parameters = {"memory": str(tmp_path), "min_coverage": 0.9, "high_variance_confounds": high_variance}
    masker = NiftiLabelsMasker(labels, **parameters).fit()
    first = said_by(lambda: masker.transform(dirty))
    assert len(first) >= 3 and any("NaN or infinite" in message for message, _ in first)
    assert said_by(lambda: masker.transform(dirty)) == first
    # Of another process, as it were.
    again = NiftiLabelsMasker(labels, **parameters).fit()
    assert said_by(lambda: again.transform(dirty)) == first


def test_maskers_that_share_a_plan_share_its_warnings(img):
    labels = label_image(np.random.default_rng(1), img)
    makes = [NiftiLabelsMasker(labels, smoothing_fwhm=0.0) for _ in range(2)]
    said = [said_by(lambda m=m: m.fit().transform(img)) for m in makes]
    assert said[0] == said[1] != []


@pytest.mark.parametrize("kind", ["voxels", "labels", "maps", "spheres"])
def test_parameters_keep_their_hash_through_fit(kind, img):
    masker = kinds(img)[kind]
    before = joblib.hash(masker.get_params(deep=False))
    masker.fit().transform(img)
    masker.generate_report()
    assert joblib.hash(masker.get_params(deep=False)) == before


def finer_labels(img):
    labels = np.asarray(label_image(np.random.default_rng(1), img).dataobj)
    for axis in range(3):
        labels = np.repeat(labels, 2, axis)
    affine = img.affine @ np.diag([0.5, 0.5, 0.5, 1])
    affine[:3, 3] += 1.0
    return nib.Nifti1Image(labels, affine)


@pytest.mark.parametrize("memory", [False, True])
def test_where_an_atlas_is_placed_is_part_of_the_key(memory, img, tmp_path):
    atlas = finer_labels(img)
    targets = ("data", "labels", "data", "labels")
    results = []
    for target in targets:
        parameters = {"resampling_target": target, "memory": str(tmp_path) if memory else None}
        results.append(quietly(NiftiLabelsMasker(atlas, **parameters).fit().transform, img))
    for i, target in enumerate(targets[:2]):
        brainsieve.clear_plans()
        alone = quietly(NiftiLabelsMasker(atlas, resampling_target=target).fit().transform, img)
        np.testing.assert_array_equal(results[i], alone)
        np.testing.assert_array_equal(results[i + 2], alone)
    assert not np.allclose(results[0], results[1])


def test_masks_on_another_grid_are_part_of_the_key(img, tmp_path):
    labels = label_image(np.random.default_rng(1), img)
    inside = np.asarray(mask_image(np.random.default_rng(1), img).dataobj)
    shifted = img.affine.copy()
    shifted[0, 3] += 3.0
    results = [
        quietly(NiftiLabelsMasker(labels, mask_img=mask, memory=str(tmp_path)).fit().transform, img)
        for mask in (None, nib.Nifti1Image(inside, img.affine), nib.Nifti1Image(inside, shifted))
    ]
    ids, data = np.asarray(labels.dataobj), np.asarray(img.dataobj)
    moved = np.zeros_like(inside)
    moved[1:] = inside[:-1]
    for mask, got in zip((np.ones_like(inside), inside, moved), results, strict=True):
        expected = [data[(ids == i) & (mask > 0)].mean(axis=0) for i in range(1, 7)]
        np.testing.assert_allclose(got, np.transpose(expected), rtol=1e-12)


def test_high_variance_confounds_are_cached_for_each_sample_mask(img, tmp_path):
    labels = label_image(np.random.default_rng(1), img)
    cached = NiftiLabelsMasker(labels, memory=str(tmp_path), high_variance_confounds=True).fit()
    plain = NiftiLabelsMasker(labels, high_variance_confounds=True).fit()
    for kept in (None, np.arange(5, 60), np.arange(0, 55), np.arange(60) % 2 == 0):
        np.testing.assert_array_equal(
            cached.transform(img, sample_mask=kept), plain.transform(img, sample_mask=kept)
        )


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_changes_act_in_multi_maskers_with_a_cache(n_jobs, img, tmp_path):
    labels = label_image(np.random.default_rng(1), img)
    runs = [img, img.slicer[..., :40]]
    masker = MultiNiftiLabelsMasker(labels, memory=str(tmp_path), n_jobs=n_jobs).fit()
    masker.transform(runs)
    masker.set_params(strategy="maximum", standardize="zscore_sample")
    expected = MultiNiftiLabelsMasker(labels, strategy="maximum", standardize="zscore_sample").fit()
    for got, want in zip(masker.transform(runs), expected.transform(runs), strict=True):
        np.testing.assert_array_equal(got, want)
    masker.set_params(labels_img=finer_labels(img))
    with pytest.raises(ValueError, match="labels_img of this MultiNiftiLabelsMasker changed"):
        masker.transform(runs)
