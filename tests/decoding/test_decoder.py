"""Decoder and DecoderRegressor: against the peer where it is right, scikit-learn elsewhere, and bad input."""

from __future__ import annotations

import pickle
import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn import decoding as peer
from nilearn.maskers import NiftiMasker as PeerMasker
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectPercentile, f_classif
from sklearn.linear_model import LogisticRegression, PoissonRegressor
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GroupKFold,
    LeaveOneGroupOut,
    ShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from tests import small_cifti, surfaces

from brainsieve.decoding import Decoder, DecoderRegressor
from brainsieve.decoding.decoder import _tell_of_signs
from brainsieve.maskers import (
    CiftiMasker,
    MultiNiftiMasker,
    NiftiLabelsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceMasker,
)

AFFINE = np.diag([3.0, 3, 3, 1])
SHAPE = (9, 10, 8)
N = 48
# What LinearSVC leaves at its default tolerance.
OF_LIBLINEAR = 1e-4


def brain(y, seed=0, noise=1.0, dtype=np.float64):
    """Images whose first region tells of the first half of the classes, and the next of the others."""
    rng = np.random.default_rng(seed)
    data = noise * rng.normal(size=(*SHAPE, len(y))) + 20 * rng.random(SHAPE)[..., None]
    for k, one in enumerate(np.unique(y)):
        data[2 + 2 * (k % 3) : 4 + 2 * (k % 3), 3:6, 3:5] += y == one
    return nib.Nifti1Image(data.astype(dtype), AFFINE)


def mask_image():
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:-1, 1:-1, 1:-1] = 1
    return nib.Nifti1Image(mask, AFFINE)


TWO = np.array(["cat", "face"] * (N // 2))
# Not as many of each.
THREE = np.where(np.arange(N) % 4 == 0, "house", np.where(np.arange(N) % 3 == 0, "face", "cat"))
RUNS = np.repeat(np.arange(4), N // 4)


def quiet(call):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


def fitted(y=TWO, images=None, kind=Decoder, groups=None, **options):
    options = {"mask": mask_image(), "cv": 4, **options}
    return quiet(lambda: kind(**options).fit(brain(y) if images is None else images, y, groups=groups))


def same_params(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        for one, other in zip(ours[name], values, strict=True):
            assert_allclose(one, other) if np.asarray(other).dtype.kind in "fi" else (one == other)


def assert_like_the_peer(y, kind="Decoder", groups=None, images=None, tolerance=OF_LIBLINEAR, **options):
    images = brain(y) if images is None else images
    options = {"mask": mask_image(), "cv": 4, **options}
    ours, theirs = (
        quiet(lambda cls=cls: cls(**options).fit(images, y, groups=groups))
        for cls in ({"Decoder": Decoder, "DecoderRegressor": DecoderRegressor}[kind], getattr(peer, kind))
    )
    scale = np.abs(theirs.coef_).max()
    assert_allclose(ours.coef_, theirs.coef_, atol=tolerance * scale)
    assert ours.std_coef_.shape == theirs.std_coef_.shape
    assert_allclose(ours.std_coef_, theirs.std_coef_, atol=2 * tolerance * scale)
    assert np.shape(ours.intercept_) == np.shape(theirs.intercept_)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=tolerance * (1 + scale))
    for key, scores in theirs.cv_scores_.items():
        assert_allclose(ours.cv_scores_[key], scores, atol=1e-10 if tolerance < 1e-3 else 0.1)
        same_params(ours.cv_params_[key], theirs.cv_params_[key])
    for mine, other in zip(ours.cv_, theirs.cv_, strict=True):
        assert_array_equal(mine[0], other[0])
        assert_array_equal(mine[1], other[1])
    predicted = quiet(lambda: theirs.predict(images))
    if kind == "Decoder":
        assert_array_equal(ours.predict(images), predicted)
        decided = quiet(lambda: theirs.decision_function(images))
        assert ours.decision_function(images).shape == decided.shape
    else:
        assert_allclose(ours.predict(images), predicted, atol=1e-6)
    assert ours.screening_percentile_ == theirs.screening_percentile_
    assert ours.n_elements_ == theirs.n_elements_
    assert_allclose(ours.mask_img_.get_fdata(), theirs.mask_img_.get_fdata())
    return ours, theirs


@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("estimator", ["svc", "svc_l1", "ridge_classifier"])
@pytest.mark.parametrize("screening", [0.1, None])
def test_classifiers_give_what_the_peer_gives(y, estimator, screening):
    assert_like_the_peer(y, estimator=estimator, screening_percentile=screening, cv=3)


@pytest.mark.parametrize(
    "y, options",
    [
        (TWO, {"param_grid": {"Cs": [[0.01, 1.0]]}}),
        pytest.param(TWO, {}, marks=pytest.mark.slow),
        pytest.param(THREE, {"screening_percentile": None}, marks=pytest.mark.slow),
    ],
    ids=["two values", "two classes", "three classes"],
)
def test_logistic_regressions_give_what_the_peer_gives(y, options):
    assert_like_the_peer(y, estimator="logistic", **{"cv": 2, "screening_percentile": 0.1, **options})


@pytest.mark.parametrize("estimator", ["svr", "ridge", "lasso"])
@pytest.mark.parametrize("screening", [0.1, None])
def test_regressors_give_what_the_peer_gives(estimator, screening):
    y = np.random.default_rng(3).normal(size=N)
    images = brain(TWO)
    images = nib.Nifti1Image(
        images.get_fdata() + np.where(mask_image().get_fdata() > 0, 0.3, 0)[..., None] * y, AFFINE
    )
    grid = {"alphas": [[0.01, 0.1]]} if estimator == "lasso" else None
    ours, theirs = assert_like_the_peer(
        y, "DecoderRegressor", images=images, estimator=estimator, screening_percentile=screening,
        param_grid=grid, tolerance=1e-5,
    )  # fmt: skip
    assert_allclose(ours.score(images, y), quiet(lambda: theirs.score(images, y)), rtol=1e-8)
    assert list(ours.coef_img_) == ["beta"]
    assert_allclose(ours.coef_img_["beta"].get_fdata(), theirs.coef_img_["beta"].get_fdata(), atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"screening_percentile": None, "screening_n_features": 130},
        {"cv": StratifiedShuffleSplit(3, random_state=1), "param_grid": {"C": [0.1]}, "scoring": "accuracy"},
        {"param_grid": [{"C": [1]}, {"C": [2, 3], "class_weight": ["balanced"]}], "scoring": "accuracy"},
        {"standardize": False, "scoring": None, "param_grid": {"C": [1e-4]}},
        {"standardize": "psc", "param_grid": {"C": [1e-3]}},
        {"smoothing_fwhm": 5, "scoring": "balanced_accuracy"},
        {"cv": [(np.arange(30), np.arange(30, N)), (np.arange(18, N), np.arange(18))]},
        {"scoring": lambda estimator, X, y: (estimator.predict(X) == y).mean()},
    ],
    ids=["n_features", "one point", "grids", "raw", "psc", "smoothed", "pairs", "callable"],
)  # fmt: skip
@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
def test_options_act_as_the_peer_s(y, options):
    assert_like_the_peer(y, **options)


@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("cv", [10, None, LeaveOneGroupOut(), GroupKFold(2)], ids=str)
def test_groups_are_left_out_as_in_the_peer(y, cv):
    ours, _ = assert_like_the_peer(y, groups=RUNS, cv=cv, scoring="accuracy", screening_percentile=0.1)
    for train, test in ours.cv_:
        assert not set(RUNS[train]) & set(RUNS[test])


def test_everything_at_once_gives_what_the_peer_gives():
    """Scaled int16 with NaN beside float32, groups, unbalanced classes, a masker of one's own, lists of arguments."""
    y = THREE
    img = brain(y, dtype=np.float32)
    data = img.get_fdata(dtype=np.float32)
    data[4, 4, 4, ::7] = np.nan
    for dtype, images in (("float32", nib.Nifti1Image(data, AFFINE)), ("int16", None)):
        if images is None:
            images = nib.Nifti1Image(np.round(np.nan_to_num(data) * 100).astype(np.int16), AFFINE)
            images.header.set_slope_inter(0.01, 3)
            images = nib.Nifti1Image.from_bytes(images.to_bytes())
        masker = NiftiMasker(mask_image(), standardize="zscore_sample", smoothing_fwhm=4)
        before = masker.get_params()
        theirs = peer.Decoder(
            mask=PeerMasker(
                mask_image(), standardize="zscore_sample", smoothing_fwhm=4, dtype="float64"
            ),
            cv=LeaveOneGroupOut(), scoring="accuracy", param_grid={"C": [0.01]}, screening_percentile=0.1,
        )  # fmt: skip
        copy64 = nib.Nifti1Image(np.asarray(images.dataobj, dtype=np.float64), AFFINE)
        quiet(lambda d=theirs, i=copy64: d.fit(i, y, groups=RUNS))
        ours = Decoder(
            mask=masker, cv=LeaveOneGroupOut(), scoring="accuracy", param_grid={"C": [0.01]},
            screening_percentile=0.1, estimator_args={"class_weight": None, "fit_intercept": True},
        )  # fmt: skip
        quiet(lambda d=ours, i=images: d.fit(i, pd.Series(y, dtype=object), groups=list(RUNS)))
        assert_allclose(ours.coef_, theirs.coef_, atol=1e-3 * np.abs(theirs.coef_).max(), err_msg=dtype)
        assert_array_equal(ours.predict(images), quiet(lambda d=theirs, i=copy64: d.predict(i)))
        assert masker.get_params() == before
        assert not masker.__sklearn_is_fitted__()


# -- what is ours ----------------------------------------------------------------------------------------------


def test_maps_of_two_classes_are_positive_where_the_class_is_favoured():
    images = brain(TWO, noise=0.2)
    decoder = fitted(images=images, screening_percentile=None)
    face, cat = (decoder.coef_img_[one].get_fdata() for one in ("face", "cat"))
    means = {one: images.get_fdata()[..., one == TWO].mean(axis=-1) for one in ("face", "cat")}
    where = mask_image().get_fdata() > 0
    assert np.corrcoef(face[where], (means["face"] - means["cat"])[where])[0, 1] > 0.5
    assert_allclose(cat, -face)
    # Predictions follow the same weights.
    assert_allclose(
        decoder.masker_.transform(decoder.coef_img_["face"]),
        decoder.masker_.transform(decoder.masker_.inverse_transform(decoder.coef_[0])),
    )
    rows = quiet(lambda: NiftiMasker(mask_image(), standardize="zscore_sample").fit_transform(images))
    assert_allclose(
        decoder.decision_function(images), rows @ decoder.coef_[0] + decoder.intercept_, atol=1e-10
    )
    theirs = quiet(lambda: peer.Decoder(mask=mask_image(), cv=4, screening_percentile=None).fit(images, TWO))
    assert np.sign(theirs.coef_img_["face"].get_fdata()[where]) @ np.sign(face[where]) < 0  # the defect
    as_there = fitted(images=images, screening_percentile=None, class_maps="nilearn")
    assert_allclose(as_there.coef_img_["face"].get_fdata(), theirs.coef_img_["face"].get_fdata(), atol=1e-4)
    assert_allclose(as_there.coef_, decoder.coef_)


def test_maps_of_three_classes_are_those_of_the_peer():
    ours, theirs = assert_like_the_peer(THREE)
    for one in ("cat", "face", "house"):
        assert_allclose(ours.coef_img_[one].get_fdata(), theirs.coef_img_[one].get_fdata(), atol=1e-5)
        assert_allclose(ours.std_coef_img_[one].get_fdata(), theirs.std_coef_img_[one].get_fdata(), atol=1e-5)


def test_signs_are_told_of_once_in_a_process():
    _tell_of_signs.cache_clear()
    with pytest.warns(UserWarning, match="positive where it is favoured"):
        Decoder(mask=mask_image(), cv=4).fit(brain(TWO), TWO)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        Decoder(mask=mask_image(), cv=4).fit(brain(TWO), TWO)
    assert not [one for one in said if "favoured" in str(one.message)]


def test_new_images_are_standardized_by_those_fitted():
    decoder = fitted()
    others = brain(TWO, seed=5)
    together = decoder.decision_function(others)
    alone = [decoder.decision_function(others.slicer[..., i])[0] for i in range(4)]
    assert_allclose(alone, together[:4], atol=1e-10)
    assert_allclose(decoder.decision_function(others.slicer[..., 2:3]), together[2:3], atol=1e-10)
    raw = NiftiMasker(mask_image()).fit_transform(brain(TWO))
    rows = (NiftiMasker(mask_image()).fit_transform(others) - raw.mean(axis=0)) / raw.std(axis=0, ddof=1)
    assert_allclose(together, rows @ decoder.coef_[0] + decoder.intercept_, atol=1e-9)
    # Rows of an array are taken as they are.
    assert_allclose(decoder.decision_function(rows), together, atol=1e-9)


@pytest.mark.parametrize("standardize", [True, "psc"])
def test_new_images_can_be_standardized_by_themselves_as_in_the_peer(standardize):
    others = brain(TWO, seed=5)
    options = dict(mask=mask_image(), cv=4, standardize=standardize, param_grid={"C": [1e-2]})
    ours = quiet(lambda: Decoder(new_images="own", **options).fit(brain(TWO), TWO))
    theirs = quiet(lambda: peer.Decoder(**options).fit(brain(TWO), TWO))
    assert_allclose(
        ours.decision_function(others), quiet(lambda: theirs.decision_function(others)), atol=1e-4
    )
    assert (
        np.abs(
            fitted(standardize=standardize, param_grid={"C": [1e-2]}).decision_function(others)
            - ours.decision_function(others)
        ).max()
        > 1e-3
    )


def test_a_constant_voxel_is_zero_in_new_images_too():
    images = brain(TWO)
    data = images.get_fdata().copy()
    data[4, 4, 4] = 7.5
    decoder = fitted(images=nib.Nifti1Image(data, AFFINE), screening_percentile=None)
    at = np.ravel_multi_index((3, 3, 3), (7, 8, 6))
    assert decoder.coef_[0, at] == 0
    data[4, 4, 4, 0] = 1e9
    changed = decoder.decision_function(nib.Nifti1Image(data, AFFINE))
    assert_allclose(changed[1:], decoder.decision_function(images)[1:], atol=1e-9)
    assert abs(changed[0]) < 100


def test_estimator_args_act_on_one_decoder_only():
    plain = fitted().coef_
    options = {"class_weight": {1: 20.0, -1: 1.0}, "fit_intercept": False}
    weighted = fitted(estimator_args=options)
    assert weighted.estimator_args_ == options
    assert weighted.intercept_ == 0
    assert np.abs(weighted.coef_ - plain).max() > 1e-4
    again = fitted()
    assert_array_equal(again.coef_, plain)
    assert again.estimator_.get_params()["class_weight"] is None


def test_what_a_name_stands_for_is_not_changed_by_estimator_args():
    with pytest.warns(
        UserWarning, match=r"penalty='l1' is not used; estimator='svc' stands for penalty='l2'"
    ):
        decoder = Decoder(mask=mask_image(), cv=3, estimator_args={"penalty": "l1"}).fit(brain(TWO), TWO)
    assert decoder.estimator_.penalty == "l2"


def test_two_scores_of_two_classes_are_means_over_classes_where_there_are_more():
    decoder = fitted(THREE)
    decided = decoder.decision_function(brain(THREE, seed=7))
    expected = np.mean(
        [roc_auc_score(one == THREE, column) for one, column in zip(decoder.classes_, decided.T, strict=True)]
    )
    assert_allclose(decoder.score(brain(THREE, seed=7), THREE), expected)


@pytest.mark.parametrize("scoring", ["f1", "precision", "recall", "average_precision", "roc_auc"])
@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
def test_scores_of_two_classes_work_with_words_as_classes(y, scoring):
    decoder = fitted(y, scoring=scoring)
    images = brain(y, seed=11)
    assert 0 <= decoder.score(images, y) <= 1
    if y is TWO:
        numbers = fitted((y == "face").astype(int), images=brain(y), scoring=scoring)
        assert_allclose(numbers.score(images, (y == "face").astype(int)), decoder.score(images, y))


def test_a_callable_scores_images_as_well():
    decoder = fitted(scoring=lambda estimator, X, y: (estimator.predict(X) == y).mean())
    assert_allclose(decoder.score(brain(TWO), TWO), (decoder.predict(brain(TWO)) == TWO).mean())


@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
def test_dummies_learn_shares_and_draw_as_in_the_peer(y):
    ours, theirs = (
        quiet(lambda cls=cls: cls("dummy_classifier", mask=mask_image(), cv=3).fit(brain(y), y))
        for cls in (Decoder, peer.Decoder)
    )
    assert_allclose(ours.dummy_output_, theirs.dummy_output_)
    assert ours.cv_scores_ == theirs.cv_scores_
    assert_array_equal(ours.predict(brain(y)), quiet(lambda: theirs.predict(brain(y))))
    assert ours.coef_ is None
    assert not hasattr(ours, "coef_img_")
    assert ours.score(brain(y), y) == 0.5
    numbers = np.arange(N) * 1.0
    ours = fitted(
        numbers, kind=DecoderRegressor, estimator="dummy_regressor", cv=ShuffleSplit(2, random_state=0)
    )
    assert_allclose(
        ours.predict(brain(TWO)), np.full(N, np.mean([numbers[train].mean() for train, _ in ours.cv_]))
    )


def test_an_estimator_of_one_s_own_is_fitted_as_it_is_and_not_changed():
    own = LinearSVC(C=7, tol=1e-9, max_iter=100_000)
    decoder = fitted(estimator=own, screening_percentile=None)
    assert decoder.cv_params_["cat"] == {}
    assert not hasattr(own, "coef_")
    other = fitted(estimator=own, estimator_args={"C": 1e-4}, screening_percentile=None)
    assert own.C == decoder.estimator_.C == 7
    assert other.estimator_.C == 1e-4
    assert np.abs(other.coef_ - decoder.coef_).max() > 1e-4
    rows = quiet(lambda: NiftiMasker(mask_image(), standardize="zscore_sample").fit_transform(brain(TWO)))
    expected = np.mean([clone(own).fit(rows[train], TWO[train]).coef_[0] for train, _ in decoder.cv_], axis=0)
    assert_allclose(decoder.coef_[0], expected, atol=1e-7)


@pytest.mark.parametrize(
    "own", [SVC(), make_pipeline(StandardScaler(), SVC(kernel="linear"))], ids=["rbf", "pipeline"]
)
def test_decisions_of_models_that_are_not_linear_in_the_features_are_averaged(own):
    decoder = fitted(estimator=own, screening_percentile=0.1)
    rows = quiet(lambda: NiftiMasker(mask_image(), standardize="zscore_sample").fit_transform(brain(TWO)))
    expected = []
    for train, _ in decoder.cv_:
        kept = (
            SelectPercentile(f_classif, percentile=decoder.screening_percentile_)
            .fit(rows[train], TWO[train])
            .get_support()
        )
        model = clone(own).fit(rows[train][:, kept], np.where(TWO[train] == "face", 1, -1))
        expected.append(model.decision_function(rows[:, kept]))
    assert_allclose(decoder.decision_function(brain(TWO)), np.mean(expected, axis=0), atol=1e-9)
    assert decoder.coef_ is None


def test_weights_behind_a_link_are_no_linear_model():
    y = np.random.default_rng(0).poisson(3, N)
    decoder = fitted(y, images=brain(TWO), kind=DecoderRegressor, estimator=PoissonRegressor(alpha=10), cv=3)
    assert decoder.coef_ is None
    assert (decoder.predict(brain(TWO, seed=3)) > 0).all()


def test_logistic_of_one_s_own_is_linear_and_has_maps():
    decoder = fitted(THREE, estimator=LogisticRegression(C=0.1), param_grid={"C": [0.1, 1]})
    assert decoder.coef_.shape == (3, 7 * 8 * 6)
    assert set(decoder.coef_img_) == set(THREE)


# -- images of every kind --------------------------------------------------------------------------------------


def test_lists_paths_and_one_image_are_the_same(tmp_path):
    images = brain(TWO)
    volumes = [images.slicer[..., i] for i in range(N)]
    paths = []
    for i, volume in enumerate(volumes):
        nib.save(volume, tmp_path / f"beta_{i:03}.nii")
        paths.append(str(tmp_path / f"beta_{i:03}.nii"))
    whole = fitted(images=images)
    for given in (volumes, paths, np.array(paths), tuple(paths), iter(paths), pd.Series(paths)):
        other = fitted(images=given)
        assert_array_equal(other.coef_, whole.coef_)
    assert_array_equal(whole.predict(np.array(paths[:5])), whole.predict(images)[:5])


def test_scikit_learn_s_cross_validation_runs_over_paths(tmp_path):
    images = brain(TWO, noise=0.5)
    paths = []
    for i in range(N):
        nib.save(images.slicer[..., i], tmp_path / f"beta_{i:03}.nii")
        paths.append(str(tmp_path / f"beta_{i:03}.nii"))
    decoder = Decoder(mask=mask_image(), cv=3, param_grid={"C": [1]}, screening_percentile=None)
    scores = quiet(lambda: cross_val_score(decoder, np.array(paths), TWO, cv=StratifiedKFold(3)))
    raw = NiftiMasker(mask_image()).fit_transform(images)
    for score, (train, test) in zip(scores, StratifiedKFold(3).split(raw, TWO), strict=True):
        mean, spread = raw[train].mean(axis=0), raw[train].std(axis=0, ddof=1)
        rows = (raw - mean) / spread
        models = [
            LinearSVC(tol=1e-8, max_iter=10**5).fit(rows[train][inner], TWO[train][inner])
            for inner, _ in StratifiedKFold(3).split(rows[train], TWO[train])
        ]
        decided = np.mean([model.decision_function(rows[test]) for model in models], axis=0)
        assert_allclose(score, roc_auc_score(TWO[test] == "face", decided))
    assert not hasattr(decoder, "coef_")


def test_surfaces_are_decoded():
    rng = np.random.default_rng(0)
    values = {part: rng.normal(size=(surfaces.N_VERTICES, N)) for part in ("left", "right")}
    values["left"][5:40] += TWO == "face"
    image = surfaces.on_mesh(values)
    decoder = quiet(lambda: Decoder(cv=4, screening_percentile=20).fit(image, TWO))
    theirs = quiet(
        lambda: peer.Decoder(cv=4, screening_percentile=20).fit(surfaces.on_mesh(values, "nilearn"), TWO)
    )
    assert_allclose(decoder.coef_, theirs.coef_, atol=OF_LIBLINEAR * np.abs(theirs.coef_).max())
    assert decoder.screening_percentile_ == theirs.screening_percentile_ == 20
    assert isinstance(decoder.masker_, SurfaceMasker)
    assert decoder.coef_img_["face"].data.parts["left"].shape == (surfaces.N_VERTICES,)
    assert decoder.coef_img_["face"].data.parts["left"][5:40].mean() > 0
    # One hemisphere too, and a list of single maps.
    left = surfaces.on_mesh({"left": values["left"]})
    singles = [surfaces.on_mesh({"left": values["left"][:, i]}) for i in range(N)]
    one = quiet(lambda: Decoder(cv=4).fit(left, TWO))
    assert_allclose(quiet(lambda: Decoder(cv=4).fit(singles, TWO)).coef_, one.coef_)
    # A mask makes the share larger: it is one of the mesh.
    mask = surfaces.on_mesh({part: np.arange(surfaces.N_VERTICES) < 321 for part in ("left", "right")})
    assert quiet(lambda: Decoder(cv=4, mask=mask).fit(image, TWO)).screening_percentile_ == 40


def test_cifti_files_and_lists_of_them_are_decoded(tmp_path):
    path = small_cifti.series(tmp_path, N)
    decoder = quiet(lambda: Decoder(cv=4, screening_percentile=None).fit(path, TWO))
    rows = quiet(lambda: CiftiMasker(standardize="zscore_sample", dtype="float64").fit_transform(path))
    assert isinstance(decoder.masker_, CiftiMasker)
    assert_allclose(decoder.decision_function(path), rows @ decoder.coef_[0] + decoder.intercept_, atol=1e-8)
    assert isinstance(decoder.coef_img_["cat"], nib.Cifti2Image)
    run = nib.load(path)
    header = (nib.cifti2.cifti2_axes.SeriesAxis(0, 1, N // 2), run.header.get_axis(1))
    halves = [nib.Cifti2Image(half, header=header) for half in np.split(run.get_fdata(), 2)]
    assert_allclose(
        quiet(lambda: Decoder(cv=4, screening_percentile=None).fit(halves, TWO)).coef_,
        decoder.coef_,
        atol=1e-9,
    )


def test_regions_are_decoded_by_their_masker():
    labels = np.zeros(SHAPE, np.int32)
    labels[1:-1, 1:-1, 1:-1] = 1 + np.arange(7 * 8 * 6).reshape(7, 8, 6) // 14
    masker = NiftiLabelsMasker(nib.Nifti1Image(labels, AFFINE), standardize="zscore_sample")
    decoder = fitted(THREE, mask=masker)
    rows = masker.fit_transform(brain(THREE))
    assert decoder.n_elements_ == rows.shape[1] == 24
    assert_allclose(
        decoder.decision_function(brain(THREE)), rows @ decoder.coef_.T + decoder.intercept_, atol=1e-9
    )
    assert decoder.coef_img_["cat"].shape == SHAPE


def test_columns_that_cannot_go_back_leave_out_the_maps_only():
    with pytest.warns(UserWarning, match="There is no coef_img_"):
        decoder = Decoder(mask=NiftiSpheresMasker([(9, 9, 9), (15, 12, 12)], radius=4), cv=4).fit(
            brain(TWO), TWO
        )
    assert decoder.coef_.shape == (1, 2)
    assert not hasattr(decoder, "coef_img_")


def test_a_fitted_masker_is_used_as_it_was_fitted_and_stays_as_it_is():
    masker = NiftiMasker(standardize=True).fit(brain(TWO))
    state = {name: id(value) for name, value in vars(masker).items()}
    decoder = fitted(mask=masker)
    assert decoder.n_elements_ == masker.n_elements_
    assert decoder.masker_ is not masker
    assert {name: id(vars(masker)[name]) for name in state} == state
    assert decoder.masker_.standardize is True


def test_parameters_of_the_masker_win_with_a_warning():
    with pytest.warns(UserWarning, match=r"standardize=False \(not True\)"):
        decoder = Decoder(mask=NiftiMasker(mask_image()), cv=4).fit(brain(TWO), TWO)
    assert_allclose(decoder.coef_, fitted(standardize=False).coef_)


def test_multi_maskers_are_standardized_over_all_images():
    volumes = [brain(TWO).slicer[..., i] for i in range(N)]
    decoder = fitted(images=volumes, mask=MultiNiftiMasker(mask_image(), standardize="zscore_sample"))
    assert_allclose(decoder.coef_, fitted().coef_, atol=1e-10)


def test_a_masker_that_standardizes_before_its_last_step_says_so():
    masker = NiftiMasker(mask_image(), standardize="psc", detrend=True)
    with pytest.warns(UserWarning, match="new images are not standardized by those fitted"):
        Decoder(mask=masker, cv=4).fit(brain(TWO), TWO)


def test_caches_give_the_same(tmp_path):
    plain = fitted()
    for _ in range(2):
        cached = fitted(memory=tmp_path / "cache", memory_level=1)
        assert_array_equal(cached.coef_, plain.coef_)
    assert list((tmp_path / "cache").rglob("*.pkl"))


# -- scikit-learn's rules --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator", ["svc", "ridge_classifier", pytest.param("logistic_l1", marks=pytest.mark.slow)]
)
def test_results_do_not_depend_on_the_number_of_jobs(estimator):
    one, two = (fitted(THREE, estimator=estimator, n_jobs=n, cv=2, screening_percentile=0.1) for n in (1, 2))
    assert_array_equal(one.coef_, two.coef_)
    assert one.cv_scores_ == two.cv_scores_


def test_a_decoder_is_cloned_pickled_and_set():
    decoder = fitted(THREE)
    for copy in (pickle.loads(pickle.dumps(decoder)),):
        assert_allclose(copy.decision_function(brain(THREE)), decoder.decision_function(brain(THREE)))
    fresh = clone(decoder)
    assert not hasattr(fresh, "coef_")
    fresh.set_params(cv=2, estimator="ridge_classifier")
    assert len(quiet(lambda: fresh.fit(brain(THREE), THREE)).cv_) == 2
    assert is_classifier(Decoder())
    assert is_regressor(DecoderRegressor())
    with pytest.raises(NotFittedError):
        Decoder().predict(brain(TWO))


def test_a_refit_starts_anew_and_one_that_fails_leaves_nothing():
    decoder = fitted(THREE)
    quiet(lambda: decoder.fit(brain(TWO), TWO))
    first = fitted(TWO)
    assert_array_equal(decoder.coef_, first.coef_)
    assert decoder.intercept_ == first.intercept_
    with pytest.raises(ValueError):
        quiet(lambda: decoder.fit(brain(TWO), TWO[:-1]))
    assert not hasattr(decoder, "coef_")
    assert not hasattr(decoder, "intercept_")


def test_inputs_are_left_as_they_are():
    y, groups, grid = TWO.copy(), RUNS.copy(), {"C": [1.0, 2.0]}
    images = brain(TWO)
    before = images.get_fdata().copy()
    args = {"class_weight": "balanced"}
    fitted(y, images=images, groups=groups, cv=LeaveOneGroupOut(), param_grid=grid, estimator_args=args)
    assert_array_equal(images.get_fdata(), before)
    assert_array_equal(y, TWO)
    assert_array_equal(groups, RUNS)
    assert grid == {"C": [1.0, 2.0]}
    assert args == {"class_weight": "balanced"}
    rows = np.random.default_rng(0).normal(size=(3, 336))
    kept = rows.copy()
    fitted().predict(rows)
    assert_array_equal(rows, kept)


def test_verbose_tells_the_scores(capsys):
    fitted(THREE, verbose=1)
    said = capsys.readouterr().out
    assert "48 samples of 336 features" in said
    assert "problem 3 of 3" in said


# -- bad input -------------------------------------------------------------------------------------------------


def one_sided():
    """The last fold has no face to be tested on."""
    return [(np.arange(24), np.arange(24, N)), (np.arange(10, N), np.arange(0, 10, 2))]


@pytest.mark.parametrize(
    "change, error, words",
    [
        (dict(y=np.full(N, "cat")), ValueError, "y has only one class, .*cat"),
        (dict(y=TWO[:-1]), ValueError, "y has 47 values, X has 48 samples"),
        (dict(y=np.where(np.arange(N) == 3, np.nan, np.arange(N) % 2)), ValueError, "y has 1 missing values.* 3"),
        (dict(y=[None, *TWO[1:]]), ValueError, "y has 1 missing"),
        (dict(y=np.linspace(0, 1, N)), ValueError, "y must be classes.*continuous.*DecoderRegressor"),
        (dict(y=np.ones((N, 2))), ValueError, r"y must have one value .* shape is \(48, 2\)"),
        (dict(y=None), ValueError, "y is None"),
        (dict(y=np.array(["cat", 1] * (N // 2), dtype=object)), ValueError, "y has words and numbers"),
        (dict(y=["cat"], X=brain(TWO).slicer[..., 0]), ValueError, "X has 1 sample"),
        (dict(scoring="neg_log_loss"), ValueError, "needs probabilities"),
        (dict(memory=3), TypeError, "memory"),
        (dict(groups=RUNS[:-2]), ValueError, "groups has 46 values, X has 48"),
        (dict(cv=LeaveOneGroupOut()), ValueError, "groups is needed by cv=LeaveOneGroupOut"),
        (dict(cv=[(np.flatnonzero(TWO == "cat"), np.arange(N))]), ValueError, "fold 0 have no sample of class 'face'"),
        (dict(cv=one_sided()), ValueError, "scoring='roc_auc' is not defined on the test samples of fold 1"),
        (dict(cv=[(np.arange(40), [])]), ValueError, "fold 0 has no test samples"),
        (dict(cv=[(np.arange(40), [40, 48])]), ValueError, "test samples of fold 0 are not positions among 48"),
        (dict(cv=[(np.ones(3, bool), [1])]), ValueError, r"training mask of fold 0 has shape \(3,\)"),
        (dict(cv=[]), ValueError, "cv"),
        (dict(cv=1), ValueError, "cv must be at least 2"),
        (dict(cv=30), ValueError, "cv=30 cannot split 48 samples"),
        (dict(cv="five"), TypeError, "cv must be an integer"),
        (dict(cv=2.5), TypeError, "cv must be an integer"),
        (dict(estimator="svm"), ValueError, "estimator must be one of .* Did you mean 'svc'"),
        (dict(estimator="ridge"), ValueError, "a regressor: DecoderRegressor"),
        (dict(estimator=LinearSVC), TypeError, "the class LinearSVC was given"),
        (dict(estimator=3), TypeError, "estimator must be a name or an estimator"),
        (dict(estimator=PoissonRegressor()), ValueError, "PoissonRegressor is a regressor: give it"),
        (dict(estimator_args={"c": 2}), ValueError, "estimator_args has c, which estimator='svc' does not know"),
        (dict(estimator_args=[1]), TypeError, "estimator_args must be a dict"),
        (dict(scoring="roc"), ValueError, "scoring='roc' is no score of scikit-learn"),
        (dict(scoring=["f1", "r2"]), TypeError, "scoring must be a name"),
        (dict(param_grid={"c": [1]}), ValueError, "param_grid has c, which LinearSVC does not know; it knows C, "),
        (dict(param_grid={"C": 1}), ValueError, "param_grid: C must be a list"),
        (dict(param_grid=3), TypeError, "param_grid must be a dict"),
        (dict(screening_percentile=0), ValueError, "screening_percentile=0 leaves no feature"),
        (dict(screening_percentile=0), RuntimeError, "screening_percentile=0 leaves no feature"),
        (dict(screening_percentile=101), ValueError, r"screening_percentile must be in the interval \[0, 100\]"),
        (dict(screening_percentile="all"), TypeError, "screening_percentile must be a number"),
        (dict(screening_percentile=30, screening_n_features=9), ValueError, "percentile=30 and screening_n_features=9"),
        (dict(screening_n_features=0), ValueError, "screening_n_features must be at least 1"),
        (dict(screening_n_features=400), ValueError, "screening_n_features=400 is larger .* 336"),
        (dict(mask=nib.Nifti1Image(np.zeros(SHAPE, np.uint8), AFFINE)), ValueError, "mask.* is empty"),
        (dict(mask=NiftiMasker), TypeError, "the class NiftiMasker was given"),
        (dict(new_images="test"), ValueError, "new_images must be one of"),
        (dict(class_maps="peer"), ValueError, "class_maps must be one of"),
        (dict(n_jobs="all"), TypeError, "n_jobs must be an integer"),
        (dict(X=np.ones((N, 7))), TypeError, "X must be images"),
        (dict(X="nowhere.nii"), ValueError, "nowhere.nii"),
    ],
    ids=lambda each: each.replace(" ", "_")[:40] if isinstance(each, str) else None,
)  # fmt: skip
def test_what_is_wrong_is_named(change, error, words):
    change = dict(change)
    y, groups, X = change.pop("y", TWO), change.pop("groups", None), change.pop("X", None)
    decoder = Decoder(**{"mask": mask_image(), "cv": 4, **change})
    with pytest.raises(error, match=words):
        quiet(lambda: decoder.fit(brain(TWO) if X is None else X, y, groups=groups))


@pytest.mark.parametrize(
    "y, words",
    [
        (TWO, "y must be numbers"),
        (np.where(np.arange(N) == 2, np.inf, 1.0), "infinite"),
        (np.ones((N, 2)), r"shape is \(48, 2\)"),
    ],
    ids=["words", "infinite", "two columns"],
)
def test_numbers_that_cannot_be_predicted_are_named(y, words):
    with pytest.raises(ValueError, match=words):
        quiet(lambda: DecoderRegressor(mask=mask_image(), cv=3).fit(brain(TWO), y))
    with pytest.raises(ValueError, match="a classifier: Decoder takes it"):
        DecoderRegressor("svc", mask=mask_image()).fit(brain(TWO), np.arange(N))


def test_masks_and_images_that_do_not_match_are_told():
    mask = surfaces.on_mesh({part: np.ones(surfaces.N_VERTICES, bool) for part in ("left", "right")})
    with pytest.raises(TypeError, match="mask is surfaces, X is volumes"):
        quiet(lambda: Decoder(mask=mask).fit(brain(TWO), TWO))
    with pytest.raises(ValueError, match="target_affine is for volumes"):
        Decoder(target_affine=np.eye(4)).fit(mask, [0])
    decoder = fitted()
    with pytest.raises(ValueError, match=r"X: an array must have shape \(n, 336\)"):
        decoder.predict(np.ones((3, 5)))
    with pytest.raises(ValueError, match="y has classes that were not fitted: 'dog'"):
        decoder.score(brain(TWO), np.where(TWO == "cat", "dog", TWO))
    with pytest.raises(ValueError, match="y has 3 values, X has 48"):
        decoder.score(brain(TWO), TWO[:3])
    with pytest.raises(TypeError, match="weights of samples"):
        decoder.score(brain(TWO), TWO, np.ones(N))


def test_a_region_without_data_is_named():
    labels = np.ones(SHAPE, np.int32)
    labels[0] = 2
    smaller = nib.Nifti1Image(
        brain(TWO).get_fdata()[1:],
        AFFINE @ np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]),
    )
    masker = NiftiLabelsMasker(nib.Nifti1Image(labels, AFFINE), resampling_target="data", standardize=False)
    masker.fit(brain(TWO))
    with pytest.raises(ValueError, match="features are NaN or infinite"):
        quiet(lambda: Decoder(mask=masker, cv=3).fit(smaller, TWO))


def test_shares_of_the_brain_are_told_where_they_mean_nothing():
    with pytest.warns(UserWarning, match="all of them are kept"):
        Decoder(mask=mask_image(), cv=3, param_grid={"C": [1]}).fit(brain(TWO), TWO)
    with pytest.warns(UserWarning, match="keeps only 10 features"):
        Decoder(mask=mask_image(), cv=3, param_grid={"C": [1]}, screening_percentile=0.016).fit(
            brain(TWO), TWO
        )


def test_flat_lists_of_values_tried_in_one_fit_are_wrapped():
    with pytest.warns(UserWarning, match="values of alphas are all tried in one fit"):
        decoder = Decoder(
            "ridge_classifier", mask=mask_image(), cv=3, param_grid={"alphas": [1.0, 10.0]}
        ).fit(brain(TWO), TWO)
    assert decoder.cv_params_["cat"]["alphas"] == [[1.0, 10.0]] * 3
    with pytest.warns(FutureWarning, match="C is Cs here"):
        decoder = Decoder("logistic", mask=mask_image(), cv=3, param_grid={"C": [[1.0]]}).fit(brain(TWO), TWO)
    assert decoder.cv_params_["cat"]["best_C"] == [1.0] * 3


@pytest.mark.parametrize("options", [{}, {"scoring": None}], ids=["roc", "accuracy"])
def test_ties_go_to_the_last_point_of_the_grid(options):
    decoder = fitted(images=brain(TWO, noise=0.01), param_grid={"C": [1, 5, 3]}, **options)
    assert decoder.cv_scores_["cat"] == [1.0] * 4
    assert decoder.cv_params_["cat"] == {"C": [3] * 4}
