"""scikit-learn's own checks, and metadata routing."""

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
ARRAYS = "fits to a 2-D array of numbers, which is no image and has no place in the brain"
SPARSE = "fits to a sparse matrix, which is no image, and wants to read 'sparse' in the error"
# Checks of scikit-learn's that a masker cannot pass, and why; it must pass all others.
EXPECTED_FAILURES = {
    **dict.fromkeys(
        (
            *("check_dict_unchanged", "check_dont_overwrite_parameters", "check_estimators_dtypes"),
            *(
                "check_estimators_fit_returns_self",
                "check_estimators_overwrite_params",
                "check_estimators_pickle",
            ),
            *("check_f_contiguous_array_estimator", "check_fit2d_1feature", "check_fit2d_1sample"),
            *("check_fit_check_is_fitted", "check_fit_idempotent", "check_fit_score_takes_y"),
            *("check_methods_sample_order_invariance", "check_methods_subset_invariance"),
            *(
                "check_pipeline_consistency",
                "check_positive_only_tag_during_fit",
                "check_readonly_memmap_input",
            ),
            *("check_transformer_general", "check_transformer_preserve_dtypes"),
        ),
        ARRAYS,
    ),
    **dict.fromkeys(
        ("check_estimator_sparse_tag", "check_estimator_sparse_array", "check_estimator_sparse_matrix"),
        SPARSE,
    ),
}
# Of scikit-learn 1.6 to 1.9; later ones may bring more, which then fail or pass on their own account.
PASSED = {
    *("check_estimator_cloneable", "check_estimator_repr", "check_estimator_tags_renamed"),
    *("check_estimators_unfitted", "check_get_params_invariance", "check_mixin_order"),
    *("check_no_attributes_set_in_init", "check_parameters_default_constructible", "check_set_params"),
    *(
        "check_transformers_unfitted",
        "check_valid_tag_types",
        "check_do_not_raise_errors_in_init_or_set_params",
    ),
}


@pytest.mark.parametrize("kind", CLASSES)
def test_scikit_learn_accepts_the_estimator_but_for_what_needs_arrays(kind):
    results = check_estimator(kind(), expected_failed_checks=EXPECTED_FAILURES, on_skip=None)
    ended = {}
    for result in results:
        ended.setdefault(result["status"], set()).add(result["check_name"])
    # It saw the masker: nothing of the list passes by chance, and what needs no array passes.
    seen = {result["check_name"] for result in results}
    assert ended["xfail"] == set(EXPECTED_FAILURES) & seen
    assert len(ended["xfail"]) > 15
    assert PASSED & seen <= ended["passed"]
    assert len(ended["passed"]) > 10


@pytest.mark.parametrize("kind", CLASSES)
def test_tags_say_what_goes_in(kind):
    tags = kind().__sklearn_tags__()
    assert tags.estimator_type == "masker"
    assert tags.input_tags.niimg_like == ("Nifti" in kind.__name__)
    assert tags.input_tags.surf_img == ("Surface" in kind.__name__)
    assert tags.input_tags.cifti_img == ("Cifti" in kind.__name__)


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
