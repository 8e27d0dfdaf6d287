"""Classes that others derive: what they override acts everywhere, and what they leave out follows."""

from __future__ import annotations

import pickle
import warnings

import nibabel as nib
import numpy as np
import pytest
import sklearn
from peer import label_image, mask_image, quietly, run_image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from brainsieve import extract_many
from brainsieve.image import high_variance_confounds
from brainsieve.maskers import (
    BaseMasker,
    MultiNiftiLabelsMasker,
    NiftiLabelsMasker,
    NiftiMasker,
    SurfaceLabelsMasker,
)
from brainsieve.signal import clean


class Spreads(NiftiLabelsMasker):
    """Standard deviations over time in the place of series: what a real pipeline did."""

    def transform_single_imgs(self, imgs, confounds=None, sample_mask=None, copy=True):
        return super().transform_single_imgs(imgs, confounds, sample_mask).std(axis=0, keepdims=True)


class ManySpreads(MultiNiftiLabelsMasker):
    def transform_single_imgs(self, imgs, confounds=None, sample_mask=None, copy=True):
        return super().transform_single_imgs(imgs, confounds, sample_mask).std(axis=0, keepdims=True)


class Thirds(BaseMasker):
    """The mean of three slabs: a masker of somebody else, who brings fit and transform_single_imgs."""

    def __init__(self, high_variance_confounds=False, detrend=False):
        self.high_variance_confounds = high_variance_confounds
        self.detrend = detrend

    def fit(self, imgs=None, y=None):
        self.n_elements_ = 3
        return self

    def transform_single_imgs(self, imgs, confounds=None, sample_mask=None, copy=True):
        data = nib.load(imgs).get_fdata() if isinstance(imgs, str) else imgs.get_fdata()
        slabs = [data[i : i + 3].mean(axis=(0, 1, 2)) for i in (0, 3, 6)]
        return clean(
            np.stack(slabs, axis=1),
            detrend=self.detrend,
            standardize=None,
            confounds=confounds,
            sample_mask=sample_mask,
        )


@pytest.fixture
def img(rng):
    return run_image(rng)


def labels_of(img):
    return label_image(np.random.default_rng(1), img)


def test_an_override_acts_in_every_method(img):
    expected = NiftiLabelsMasker(labels_of(img)).fit().transform(img).std(axis=0, keepdims=True)
    masker = Spreads(labels_of(img)).fit()
    np.testing.assert_array_equal(masker.transform(img), expected)
    np.testing.assert_array_equal(clone(masker).fit_transform(img), expected)
    np.testing.assert_array_equal(extract_many(img, {"own": masker})["own"], expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(masker)).transform(img), expected)
    frame = masker.set_output(transform="pandas").transform(img)
    assert list(frame.columns) == list(masker.get_feature_names_out()) and frame.shape == (1, 6)


def test_an_override_acts_beside_others_in_one_pass(img):
    maskers = {"own": Spreads(labels_of(img)).fit(), "plain": NiftiLabelsMasker(labels_of(img)).fit()}
    together = extract_many(img, maskers)
    for key, masker in maskers.items():
        np.testing.assert_array_equal(together[key], masker.transform(img))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_override_acts_in_multi_maskers(img, n_jobs):
    masker = ManySpreads(labels_of(img), n_jobs=n_jobs).fit()
    expected = MultiNiftiLabelsMasker(labels_of(img)).fit().transform([img, img])
    for got, want in zip(masker.transform([img, img]), expected, strict=True):
        np.testing.assert_array_equal(got, want.std(axis=0, keepdims=True))
    np.testing.assert_array_equal(masker.transform(img), masker.transform([img])[0])


def test_an_override_is_not_taken_for_the_cached_original(img, tmp_path):
    plain = NiftiLabelsMasker(labels_of(img), memory=str(tmp_path)).fit()
    own = Spreads(labels_of(img), memory=str(tmp_path)).fit()
    series = plain.transform(img)
    np.testing.assert_array_equal(own.transform(img), series.std(axis=0, keepdims=True))
    np.testing.assert_array_equal(plain.transform(img), series)


def test_an_override_of_fit_acts_in_fit_transform(img):
    class Fixed(NiftiLabelsMasker):
        def fit(self, imgs=None, y=None):
            self.was_fitted_ = True
            return super().fit(imgs, y)

    masker = Fixed(labels_of(img))
    masker.fit_transform(img)
    assert masker.was_fitted_


def test_an_override_sees_high_variance_confounds(img):
    seen = []

    class Looks(NiftiLabelsMasker):
        def transform_single_imgs(self, imgs, confounds=None, sample_mask=None, copy=True):
            seen.append(confounds)
            return super().transform_single_imgs(imgs, confounds, sample_mask)

    mine = np.random.default_rng(0).normal(size=(60, 2))
    got = Looks(labels_of(img), high_variance_confounds=True).fit().transform(img, confounds=mine)
    assert [part.shape for part in seen[0]] == [(60, 2), (60, 5)]
    expected = NiftiLabelsMasker(labels_of(img), high_variance_confounds=True).fit().transform(img, mine)
    np.testing.assert_array_equal(got, expected)
    assert mine.shape == (60, 2)


def test_a_class_of_others_needs_fit_and_transform_single_imgs_alone(img):
    masker = Thirds()
    with pytest.raises(NotFittedError, match="Thirds instance is not fitted"):
        masker.transform(img)
    data = img.get_fdata()
    expected = np.stack([data[i : i + 3].mean(axis=(0, 1, 2)) for i in (0, 3, 6)], axis=1)
    np.testing.assert_allclose(masker.fit().transform(img), expected)
    np.testing.assert_allclose(Thirds().fit_transform(img), expected)
    confounds = np.random.default_rng(0).normal(size=(60, 2))
    kept = np.arange(5, 50)
    np.testing.assert_allclose(
        masker.transform(img, confounds=confounds, sample_mask=kept),
        clean(expected, detrend=False, standardize=None, confounds=confounds, sample_mask=kept),
    )
    assert isinstance(masker, BaseMasker)


def test_a_class_of_others_gets_high_variance_confounds(img):
    components = high_variance_confounds(img)
    plain = Thirds().fit().transform(img)
    expected = clean(plain, detrend=False, standardize=None, confounds=components)
    got = Thirds(high_variance_confounds=True).fit().transform(img)
    np.testing.assert_allclose(got, expected, atol=1e-8)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_class_of_others_gives_frames(img, library):
    frame = Thirds().set_output(transform=library).fit_transform(img)
    assert type(frame).__module__.startswith(library)
    assert list(frame.columns) == ["thirds0", "thirds1", "thirds2"]


def test_a_class_of_others_takes_part_in_pipelines_and_routing(img):
    confounds = np.random.default_rng(0).normal(size=(60, 2))
    expected = Thirds().fit().transform(img, confounds=confounds)
    with sklearn.config_context(enable_metadata_routing=True):
        masker = Thirds().set_transform_request(confounds=True)
        pipeline = Pipeline([("masker", masker), ("scale", StandardScaler(with_std=False))])
        got = pipeline.fit_transform(img, confounds=confounds)
    np.testing.assert_allclose(got, expected - expected.mean(axis=0), atol=1e-9)


def test_a_class_of_others_goes_back_by_its_mask(img):
    class Voxels(Thirds):
        def fit(self, imgs=None, y=None):
            self.mask_img_ = mask_image(np.random.default_rng(0), img)
            return self

    masker = Voxels().fit()
    mask = np.asarray(masker.mask_img_.dataobj).astype(bool)
    values = np.arange(mask.sum(), dtype=float)
    np.testing.assert_array_equal(masker.inverse_transform(values).get_fdata()[mask], values)
    with pytest.raises(AttributeError, match="Thirds has no mask_img_"):
        Thirds().fit().inverse_transform(values)


def test_parameters_of_fit_reach_it(img):
    class Weighted(Thirds):
        def fit(self, imgs=None, y=None, weight=1):
            self.weight_ = weight
            return self

    masker = Weighted()
    masker.fit_transform(img, weight=3)
    assert masker.weight_ == 3
    with pytest.raises(TypeError, match="wait"):
        NiftiMasker(mask_image(np.random.default_rng(0), img)).fit_transform(img, wait=3)


def test_what_is_abstract_cannot_be_made():
    class Half(BaseMasker):
        def fit(self, imgs=None, y=None):
            return self

    with pytest.raises(TypeError, match="BaseMasker is abstract.*fit and no transform_single_imgs"):
        BaseMasker()
    with pytest.raises(TypeError, match="Half is abstract: it has no transform_single_imgs"):
        Half()


def test_an_override_of_a_surface_masker_acts(rng):
    import surfaces

    class Doubled(SurfaceLabelsMasker):
        def transform_single_imgs(self, imgs, confounds=None, sample_mask=None, copy=True):
            return 2 * super().transform_single_imgs(imgs, confounds, sample_mask)

    run, labels = surfaces.run(), surfaces.on_mesh(surfaces.label_values())
    expected = SurfaceLabelsMasker(labels).fit().transform(run)
    np.testing.assert_array_equal(Doubled(labels).fit().transform(run), 2 * expected)


def test_fit_transform_says_nothing_of_images_beside_a_mask(img):
    mask = mask_image(np.random.default_rng(0), img)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        NiftiMasker(mask).fit_transform(img)
    with pytest.warns(RuntimeWarning, match="beside mask_img"):
        NiftiMasker(mask).fit(img)


def test_a_subclass_may_set_fitted_attributes(img):
    class Renamed(NiftiLabelsMasker):
        def fit(self, imgs=None, y=None):
            super().fit(imgs, y)
            self.lut_ = "mine"
            return self

    masker = quietly(Renamed(labels_of(img)).fit)
    assert masker.lut_ == "mine" and masker.transform(img).shape == (60, 6)
