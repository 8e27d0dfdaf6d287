"""The contract of every volume masker: scikit-learn, stable columns, inputs left alone, clear errors."""

from __future__ import annotations

import copy
import pickle
import threading
import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from peer import label_image, mask_image, quietly, run_image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brainsieve import extract_many
from brainsieve.maskers import (
    BaseMasker,
    MultiNiftiLabelsMasker,
    MultiNiftiMapsMasker,
    MultiNiftiMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
)


@pytest.fixture
def img(rng):
    return run_image(rng)


def maskers_for(img: nib.Nifti1Image) -> dict[str, BaseMasker]:
    rng = np.random.default_rng(1)
    labels, mask = label_image(rng, img), mask_image(rng, img)
    maps = nib.Nifti1Image(rng.random((*img.shape[:3], 4)), img.affine)
    seeds = nib.affines.apply_affine(img.affine, [[2, 2, 2], [5, 5, 4]]).tolist()
    return {
        "voxels": NiftiMasker(mask),
        "labels": NiftiLabelsMasker(labels),
        "maps": NiftiMapsMasker(maps),
        "spheres": NiftiSpheresMasker(seeds, 4.0, mask),
        "multi voxels": MultiNiftiMasker(mask),
        "multi labels": MultiNiftiLabelsMasker(labels),
        "multi maps": MultiNiftiMapsMasker(maps),
    }


KINDS = ["voxels", "labels", "maps", "spheres", "multi voxels", "multi labels", "multi maps"]


@pytest.fixture(params=KINDS)
def masker(request, img):
    return maskers_for(img)[request.param]


def test_is_a_base_masker(masker):
    assert isinstance(masker, BaseMasker)


def test_constructor_only_stores(masker):
    for name, value in masker.get_params(deep=False).items():
        assert getattr(masker, name) is value


def test_a_clone_gives_the_same_numbers(masker, img):
    expected = masker.fit().transform(img)
    np.testing.assert_array_equal(clone(masker).fit().transform(img), expected)


def test_clones_share_the_plan_also_when_they_clean_otherwise(masker, img):
    domain = masker.fit()._open(img).domain
    recipe = masker._fitted.recipe(domain)
    other = clone(masker).set_params(standardize="psc", detrend=True).fit()
    assert other._fitted.recipe(domain) is recipe
    smoothed = clone(masker).set_params(smoothing_fwhm=5.0).fit()
    assert smoothed._fitted.recipe(domain) is not recipe


def test_a_pickled_masker_gives_the_same_numbers(masker, img):
    expected = masker.fit().transform(img)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(masker)).transform(img), expected)


def test_use_before_fit_is_refused(masker, img):
    for call in (masker.transform, masker.inverse_transform, masker.transform_single_imgs):
        with pytest.raises(NotFittedError, match="not fitted"):
            call(img)


def test_fit_transform_is_fit_then_transform(masker, img):
    together = quietly(clone(masker).fit_transform, img)
    np.testing.assert_array_equal(together, quietly(masker.fit, img).transform(img))


def test_images_are_not_modified(masker, img):
    data = np.array(img.dataobj)
    data[2, 2, 2, :] = np.nan
    dirty = nib.Nifti1Image(data, img.affine)
    before = np.array(dirty.dataobj)
    with pytest.warns(UserWarning, match="NaN or infinite"):
        masker.set_params(standardize="zscore_sample", smoothing_fwhm=4.0).fit().transform(dirty)
    np.testing.assert_array_equal(np.asarray(dirty.dataobj), before)


def test_transform_does_not_change_a_fitted_masker(masker, img):
    masker.fit()
    state = pickle.dumps(masker)
    masker.transform(img)
    assert pickle.dumps(masker) == state


def test_threads_share_a_fitted_masker(masker, img):
    masker.set_params(standardize="zscore_sample", smoothing_fwhm=4.0).fit()
    expected = masker.transform(img)
    results: list = [None] * 8

    def work(i: int) -> None:
        results[i] = masker.transform(img)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        np.testing.assert_array_equal(result, expected)


def test_3d_gives_1d_and_one_volume_of_4d_gives_one_row(masker, img):
    masker.fit()
    assert masker.transform(img.slicer[..., 0]).shape == (masker.n_elements_,)
    assert masker.transform(img.slicer[..., :1]).shape == (1, masker.n_elements_)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output_gives_frames_with_feature_names(masker, img, library):
    frame = masker.set_output(transform=library).fit().transform(img)
    assert type(frame).__module__.startswith(library)
    assert list(frame.columns) == list(masker.get_feature_names_out())
    assert masker.transform(img.slicer[..., 0]).shape == (1, masker.n_elements_)
    back = masker.inverse_transform(frame)
    assert back.shape[3] == img.shape[3]


def test_works_as_the_first_step_of_a_pipeline(masker, img):
    scaled = make_pipeline(masker, StandardScaler()).fit(img).transform(img)
    np.testing.assert_allclose(scaled.std(axis=0), 1)


def test_wrong_width_in_inverse_transform_is_refused(masker):
    masker.fit()
    with pytest.raises(ValueError, match=f"this masker has {masker.n_elements_}"):
        masker.inverse_transform(np.zeros((3, masker.n_elements_ + 1)))
    with pytest.raises(ValueError, match="shape"):
        masker.inverse_transform(np.zeros((2, 2, masker.n_elements_)))


def test_blocks_that_stream_are_the_uncleaned_run(masker, img):
    masker.fit()
    blocks = list(masker.iter_transform(img, block=7))
    assert [len(block) for block in blocks] == [7] * 8 + [4]
    np.testing.assert_allclose(np.vstack(blocks), masker.transform(img), rtol=1e-12)


def test_the_operator_is_the_matrix_of_the_masker(masker, img):
    masker.fit()
    operator = masker.operator_(img)
    volume = np.asarray(img.dataobj)[..., 3].ravel(order="F")
    expected = masker.transform(img)[3]
    np.testing.assert_allclose(operator @ volume, expected, rtol=1e-8)
    signal = np.random.default_rng(0).normal(size=masker.n_elements_)
    np.testing.assert_allclose(signal @ (operator @ volume), (operator.T @ signal) @ volume, rtol=1e-8)


def test_many_maskers_in_one_pass_give_what_each_gives_alone(img):
    maskers = {key: m.set_params(standardize="zscore_sample").fit() for key, m in maskers_for(img).items()}
    maskers["smoothed"] = clone(maskers["labels"]).set_params(smoothing_fwhm=5, detrend=True).fit()
    together = extract_many(img, maskers)
    for key, masker in maskers.items():
        np.testing.assert_allclose(together[key], masker.transform(img), atol=1e-10)


def test_many_maskers_must_be_fitted(img):
    with pytest.raises(NotFittedError, match="maskers\\['atlas'\\]"):
        extract_many(img, {"atlas": maskers_for(img)["labels"]})


WRONG = [
    ("smoothing_fwhm", -1.0, ValueError),
    ("smoothing_fwhm", np.nan, ValueError),
    ("smoothing_fwhm", "fats", (TypeError, ValueError)),
    ("standardize", "zscore", ValueError),
    ("standardize_confounds", 1, TypeError),
    ("high_variance_confounds", "yes", TypeError),
    ("detrend", 1, TypeError),
    ("low_pass", -0.1, ValueError),
    ("high_pass", False, TypeError),
    ("t_r", -2.0, ValueError),
    ("t_r", np.nan, ValueError),
    ("dtype", True, TypeError),
    ("memory", "/no/such/folder/cache", ValueError),
    ("verbose", 1.5, TypeError),
    ("clean_args", {"filtre": "cosine"}, TypeError),
    ("clean_args", [1], TypeError),
]


@pytest.mark.parametrize("name, value, error", WRONG)
def test_wrong_parameters_are_named(masker, name, value, error):
    word = "filtre" if isinstance(value, dict) else name
    with pytest.raises(error, match=word):
        masker.set_params(**{name: value}).fit()


def test_a_typo_in_a_choice_names_the_choices(img):
    labels = maskers_for(img)["labels"]
    with pytest.raises(ValueError, match="strategy must be one of .*'median'.*Did you mean 'mean'"):
        labels.set_params(strategy="meen").fit()
    with pytest.raises(ValueError, match="resampling_target must be one of"):
        labels.set_params(strategy="mean", resampling_target="label").fit()


def test_inputs_beside_images_are_not_modified(masker, img, rng):
    confounds = pd.DataFrame(rng.normal(size=(60, 3)))
    sample_mask = np.arange(3, 58, dtype=np.int32)
    before = copy.deepcopy((confounds, sample_mask))
    masker.set_params(low_pass=0.1, t_r=2.0, standardize="zscore_sample", high_variance_confounds=True)
    masker.fit()
    single = masker.transform(img, confounds=confounds, sample_mask=sample_mask)
    assert single.shape[0] == 55
    pd.testing.assert_frame_equal(confounds, before[0])
    np.testing.assert_array_equal(sample_mask, before[1])


def test_what_is_censored_cannot_matter(masker, img, rng):
    kept = np.setdiff1d(np.arange(60), [0, 20, 21, 39, 59])
    confounds = rng.normal(size=(60, 3))
    masker.set_params(low_pass=0.1, high_pass=0.01, t_r=2.0, detrend=True, standardize="zscore_sample")
    masker.fit()
    expected = masker.transform(img, confounds=confounds, sample_mask=kept)
    data, noisy = np.array(img.dataobj), confounds.copy()
    censored = np.setdiff1d(np.arange(60), kept)
    data[..., censored] = 1e30
    noisy[censored] = 1e30
    spoiled = nib.Nifti1Image(data, img.affine)
    np.testing.assert_allclose(
        masker.transform(spoiled, confounds=noisy, sample_mask=kept), expected, atol=1e-10
    )


def test_missing_t_r_is_named_with_what_the_header_says(masker, img):
    img.header.set_zooms((3, 3, 3, 2.2))
    masker.set_params(low_pass=0.1).fit()
    with pytest.raises(ValueError, match=r"t_r.*2\.2"):
        masker.transform(img)


def test_memory_is_keyed_by_the_file_and_notices_a_change(masker, img, tmp_path):
    file = tmp_path / "run.nii"
    nib.save(img, file)
    cache = tmp_path / "cache"
    masker.set_params(memory=str(cache), memory_level=1, standardize=None).fit()
    first = masker.transform(file)
    np.testing.assert_array_equal(masker.transform(file), first)
    assert any(cache.rglob("output.pkl"))
    nib.save(nib.Nifti1Image(np.asarray(img.dataobj) * 2, img.affine), file)
    import os

    os.utime(file, ns=(1, 1))
    np.testing.assert_allclose(masker.transform(file), 2 * first)


def test_a_cache_folder_that_cannot_be_made_is_named(masker, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="file.*cannot be"):
        masker.set_params(memory=str(tmp_path / "file"), memory_level=1).fit()


def test_no_warning_without_a_reason(masker, img):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        masker.fit().transform(img)
