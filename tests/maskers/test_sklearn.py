"""scikit-learn's own checks, as far as they do not feed arrays, and metadata routing."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import sklearn
from joblib import Parallel, delayed
from peer import label_image, mask_image, run_image
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator

from brainsieve.maskers import (
    CiftiLabelsMasker,
    CiftiMapsMasker,
    CiftiMasker,
    MultiNiftiLabelsMasker,
    MultiNiftiMapsMasker,
    MultiNiftiMasker,
    MultiSurfaceLabelsMasker,
    MultiSurfaceMapsMasker,
    MultiSurfaceMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMapsMasker,
    SurfaceMasker,
)

CLASSES = [
    NiftiMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiSpheresMasker,
    MultiNiftiMasker,
    MultiNiftiLabelsMasker,
    MultiNiftiMapsMasker,
    SurfaceMasker,
    SurfaceLabelsMasker,
    SurfaceMapsMasker,
    MultiSurfaceMasker,
    MultiSurfaceLabelsMasker,
    MultiSurfaceMapsMasker,
    CiftiMasker,
    CiftiLabelsMasker,
    CiftiMapsMasker,
]
# The checks that make no array for `fit`; all others give 2-D arrays, which are no images.
CHECKS = [
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
]


@pytest.mark.parametrize("kind", CLASSES)
def test_scikit_learn_accepts_the_estimator(kind):
    check_estimator(kind(), on_skip=None)


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("check", CHECKS)
def test_checks_without_arrays_pass(kind, check):
    getattr(estimator_checks, check)(kind.__name__, kind())


@pytest.mark.parametrize("kind", CLASSES)
def test_tags_say_what_goes_in(kind):
    tags = kind().__sklearn_tags__()
    assert tags.estimator_type == "masker"
    assert not tags.input_tags.two_d_array
    assert tags.input_tags.niimg_like == ("Nifti" in kind.__name__)
    assert tags.input_tags.surf_img == ("Surface" in kind.__name__)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.parametrize("kind", CLASSES)
def test_requests_name_the_arguments_of_methods(kind, routing):
    masker = kind()
    masker.set_fit_request(imgs=True).set_transform_request(confounds=True, sample_mask=True)
    request = masker.get_metadata_routing()
    assert request.transform.requests["confounds"] is True
    assert request.fit.requests["imgs"] is True
    if kind._inverse_name == "X":
        assert not hasattr(masker, "set_inverse_transform_request")
    else:
        masker.set_inverse_transform_request(**{kind._inverse_name: True})


def test_confounds_are_routed_through_a_pipeline(rng, routing):
    img, confounds = run_image(rng), np.random.default_rng(1).normal(size=(60, 3))
    masker = NiftiLabelsMasker(label_image(rng, img))
    pipeline = Pipeline(
        [("masker", masker.set_transform_request(confounds=True)), ("scale", StandardScaler())]
    )
    routed = pipeline.fit(img, confounds=confounds).transform(img, confounds=confounds)
    expected = masker.fit().transform(img, confounds=confounds)
    np.testing.assert_allclose(routed, StandardScaler().fit_transform(expected))


def test_parameters_can_be_searched(rng):
    img = run_image(rng)
    volumes = [img.slicer[..., i] for i in range(12)]
    pipeline = Pipeline([("masker", NiftiMasker(mask_image(rng, img))), ("regress", _Mean())])
    search = GridSearchCV(pipeline, {"masker__smoothing_fwhm": [None, 5.0]}, cv=KFold(3))
    search.fit(volumes, np.arange(12.0))
    assert "masker__smoothing_fwhm" in search.best_params_


class _Mean(sklearn.base.RegressorMixin, sklearn.base.BaseEstimator):
    """Predicts the mean of each sample."""

    def fit(self, X, y):
        self.is_fitted_ = True
        return self

    def predict(self, X):
        return np.asarray(X).mean(axis=1)


def test_processes_share_a_fitted_masker(rng, tmp_path):
    img = run_image(rng)
    nib.save(img, tmp_path / "run.nii.gz")
    masker = NiftiLabelsMasker(label_image(rng, img), standardize="zscore_sample").fit()
    expected = masker.transform(tmp_path / "run.nii.gz")
    results = Parallel(n_jobs=2)(delayed(masker.transform)(tmp_path / "run.nii.gz") for _ in range(3))
    for result in results:
        np.testing.assert_array_equal(result, expected)
