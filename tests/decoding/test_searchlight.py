"""SearchLight, against the peer and scikit-learn's cross_val_score on spheres made plainly."""

from __future__ import annotations

import pickle
import warnings

import nibabel as nib
import numpy as np
import pytest
from nilearn import decoding as peer
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeClassifierCV, RidgeCV
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, StratifiedKFold, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from brainsieve.decoding import SearchLight
from brainsieve.decoding.searchlight import spheres_in
from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.spatial.sphere import sphere_points

SHAPE = (6, 7, 5)
# Neither square nor straight.
AFFINE = np.array([[3.0, 0.4, 0, -7], [0, 2.5, 0.3, 5], [0.2, 0, 3.3, -11], [0, 0, 0, 1]])
N = 36
TWO = np.array(["cat", "face"] * (N // 2))
THREE = np.where(np.arange(N) % 4 == 0, "house", np.where(np.arange(N) % 3 == 0, "face", "cat"))
RUNS = np.repeat(np.arange(3), N // 3)


def brain(y=TWO, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(*SHAPE, len(y))) + 3
    data[2:4, 2:4, 1:3] += np.unique(y, return_inverse=True)[1] * 0.8
    return nib.Nifti1Image(scale * data, AFFINE)


def masks():
    inside = np.zeros(SHAPE, np.uint8)
    inside[1:-1, 1:, :-1] = 1
    inside[3, 3, 2] = 0
    process = np.zeros(SHAPE, np.uint8)
    process[1:4, 1:4, 1:3] = 1
    return nib.Nifti1Image(inside, AFFINE), nib.Nifti1Image(process, AFFINE)


def quiet(call):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


def fitted(y=TWO, images=None, groups=None, radius=4.5, small=False, **options):
    mask, process = masks()
    if small:
        some = np.eye(*SHAPE[:2], dtype=np.uint8)[..., None] * np.asanyarray(process.dataobj)
        process = nib.Nifti1Image(some, AFFINE)
    light = SearchLight(mask, process, radius, **options)
    return quiet(lambda: light.fit(brain(y) if images is None else images, y, groups=groups))


def plain_scores(estimator, y, radius, images=None, **options):
    """cross_val_score in spheres of voxels whose centres are near enough, one after the other."""
    mask, process = (img.get_fdata() > 0 for img in masks())
    data = (brain(y) if images is None else images).get_fdata()
    centres = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1) @ AFFINE[:3, :3].T
    scores = []
    for voxel in np.argwhere(process):
        near = np.linalg.norm(centres - centres[tuple(voxel)], axis=-1) <= radius
        scores.append(cross_val_score(clone(estimator), data[near & mask].T, y, **options).mean())
    return np.array(scores)


EXACT = dict(tol=1e-10, max_iter=10**6, random_state=0)


@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("radius", [3.5, 7.0])  # fewer voxels than samples, and more
@pytest.mark.parametrize("scoring", [None, "balanced_accuracy", "roc_auc"])
def test_machines_score_as_scikit_learn_s_in_each_sphere(y, radius, scoring):
    if scoring == "roc_auc" and y is THREE:
        pytest.skip("of two classes")
    light = fitted(y, radius=radius, scoring=scoring, cv=3, estimator_args={"C": 0.01})
    expected = plain_scores(LinearSVC(C=0.01, **EXACT), y, radius, cv=StratifiedKFold(3), scoring=scoring)
    assert_allclose(light.masked_scores_, expected, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [{"class_weight": "balanced"}, {"fit_intercept": False}, {"class_weight": {"cat": 5.0}}],
    ids=["balanced", "no intercept", "weights"],
)
def test_arguments_of_machines_act(options):
    y = np.where(np.arange(N) % 3 == 0, "face", "cat")
    light = fitted(y, estimator_args={"C": 0.003, **options}, scoring="roc_auc", cv=4)
    expected = plain_scores(
        LinearSVC(C=0.003, **options, **EXACT), y, 4.5, cv=StratifiedKFold(4), scoring="roc_auc"
    )
    assert_allclose(light.masked_scores_, expected, atol=1e-12)
    assert (
        np.abs(
            light.masked_scores_
            - fitted(y, estimator_args={"C": 0.003}, scoring="roc_auc", cv=4).masked_scores_
        ).max()
        > 0.01
    )


@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("radius", [3.5, 7.0])
def test_ridge_classifiers_score_as_scikit_learn_s(y, radius):
    light = fitted(y, estimator="ridge_classifier", radius=radius, cv=3)
    assert_allclose(
        light.masked_scores_, plain_scores(RidgeClassifierCV(), y, radius, cv=StratifiedKFold(3)), atol=1e-12
    )


@pytest.mark.parametrize("radius", [3.5, 7.0])
@pytest.mark.parametrize("scoring", [None, "neg_mean_squared_error", "neg_mean_absolute_error"])
@pytest.mark.parametrize("intercept", [True, False])
def test_ridges_score_as_scikit_learn_s(radius, scoring, intercept):
    y = np.random.default_rng(1).normal(size=N) + 2
    estimator = RidgeCV(fit_intercept=intercept)
    light = fitted(y, images=brain(), estimator=estimator, radius=radius, scoring=scoring, cv=4)
    expected = plain_scores(estimator, y, radius, images=brain(), cv=4, scoring=scoring)
    assert_allclose(light.masked_scores_, expected, rtol=1e-9)


@pytest.mark.parametrize(
    "options, own",
    [
        ({"estimator": GaussianNB()}, GaussianNB()),
        ({"estimator": make_pipeline(StandardScaler(), GaussianNB())}, make_pipeline(StandardScaler(), GaussianNB())),
        ({"scoring": lambda estimator, X, y: (estimator.predict(X) == y).mean()}, LinearSVC(**EXACT)),
        ({"estimator_args": {"loss": "hinge"}}, LinearSVC(loss="hinge", max_iter=10**4, random_state=0)),
    ],
    ids=["bayes", "pipeline", "callable", "hinge"],
)  # fmt: skip
def test_any_estimator_and_score_is_taken(options, own):
    light = fitted(cv=3, **options)
    assert_allclose(
        light.masked_scores_,
        quiet(lambda: plain_scores(own, TWO, 4.5, cv=StratifiedKFold(3))),
        atol=0.03 if "scoring" in options else 1e-12,
    )


@pytest.mark.parametrize("estimator", ["svc", "ridge_classifier"])
@pytest.mark.parametrize(
    "cv, groups",
    [(None, None), (LeaveOneGroupOut(), RUNS), (GroupKFold(2), RUNS), (4, RUNS)],
    ids=["default", "leave out", "groups", "number"],
)
def test_scores_are_the_peer_s(estimator, cv, groups):
    mask, process = masks()
    # A right-angled grid: the peer looks spheres up among voxels that it places by itself.
    mask, process, images = (
        nib.Nifti1Image(np.asanyarray(img.dataobj), np.diag([3.0, 3, 3, 1]))
        for img in (mask, process, brain(scale=0.1))
    )
    options = dict(radius=4.6, estimator=estimator, cv=cv, scoring="accuracy")
    ours, theirs = (
        quiet(lambda cls=cls: cls(mask, process, **options).fit(images, TWO, groups=groups))
        for cls in (SearchLight, peer.SearchLight)
    )
    assert_allclose(ours.scores_, theirs.scores_, atol=1e-12)
    assert_allclose(ours.masked_scores_, theirs.masked_scores_, atol=1e-12)
    assert_array_equal(ours.process_mask_, theirs.process_mask_)
    assert ours.n_elements_ == theirs.n_elements_
    assert_allclose(ours.scores_img_.affine, theirs.scores_img_.affine)
    assert ours.scores_.dtype == ours.scores_img_.get_data_dtype() == np.float64  # theirs is that of the mask


def test_svr_and_numbers_are_scored_as_in_the_peer():
    mask, process = masks()
    mask, process, images = (
        nib.Nifti1Image(np.asanyarray(img.dataobj), np.diag([3.0, 3, 3, 1]))
        for img in (mask, process, brain())
    )
    y = np.random.default_rng(0).normal(size=N)
    ours, theirs = (
        quiet(lambda cls=cls: cls(mask, process, radius=4.6, estimator="svr", cv=3).fit(images, y))
        for cls in (SearchLight, peer.SearchLight)
    )
    assert_allclose(ours.masked_scores_, theirs.masked_scores_, rtol=1e-9)


def test_scoring_by_default_is_accuracy_for_every_classifier():
    """The peer takes the estimator's own score, which of a logistic regression with cross-validation is a log-loss."""
    light = fitted(estimator="logistic", estimator_args={"Cs": [1.0], "cv": 2}, cv=3, radius=3, small=True)
    assert ((light.masked_scores_ >= 0) & (light.masked_scores_ <= 1)).all()


def test_spheres_are_those_of_the_engine():
    rng = np.random.default_rng(0)
    mask = rng.random(SHAPE) < 0.8
    process = rng.random(SHAPE) < 0.3
    grid = VoxelGrid(SHAPE, AFFINE)
    for radius in (0.0, 2.0, 4.0, 9.1):
        spheres = spheres_in(mask, process, AFFINE, radius)
        numbers = np.full(SHAPE, -1)
        numbers[mask] = np.arange(mask.sum())
        for voxel, sphere in zip(np.argwhere(process), spheres, strict=True):
            centre = AFFINE[:3, :3] @ voxel + AFFINE[:3, 3]
            points = grid.unflatten(np.isin(np.arange(grid.n_points), sphere_points(grid, centre, radius)))
            assert sorted(sphere[sphere < mask.sum()]) == sorted(numbers[points & mask])


def test_voxels_exactly_as_far_as_the_radius_are_inside_everywhere():
    affine = np.diag([3.3, 3.3, 3.3, 1.0])
    affine[:3, 3] = 0.1, -70.3, 11.7
    every = np.ones((9, 9, 9), bool)
    spheres = spheres_in(every, every, affine, 3 * 3.3)
    n_inside = (spheres < every.size).sum(axis=1).reshape(every.shape)
    assert n_inside[4, 4, 4] == n_inside[3, 5, 4] == n_inside[5, 3, 5] == 123


def test_results_depend_neither_on_jobs_nor_on_how_many_spheres_go_together(monkeypatch):
    one = fitted(THREE)
    assert_array_equal(fitted(THREE, n_jobs=2).masked_scores_, one.masked_scores_)
    monkeypatch.setattr("brainsieve.decoding.searchlight.AT_ONCE", 1)
    assert_array_equal(fitted(THREE).masked_scores_, one.masked_scores_)


@pytest.mark.slow
def test_processes_give_what_one_gives(monkeypatch):
    monkeypatch.setattr("brainsieve.decoding.searchlight.AT_ONCE", 2**12)
    assert_array_equal(*[fitted(estimator=GaussianNB(), n_jobs=n, radius=3).masked_scores_ for n in (1, 2)])


def test_a_sphere_without_voxels_has_no_score_and_the_others_have():
    inside = np.zeros(SHAPE, np.uint8)
    inside[:3] = 1
    light = SearchLight(
        nib.Nifti1Image(inside, AFFINE), nib.Nifti1Image(np.ones(SHAPE, np.uint8), AFFINE), radius=3.1, cv=3
    )
    with pytest.warns(UserWarning, match="voxels have no voxel of the mask within radius=3.1 mm"):
        light.fit(brain(), TWO)
    assert np.isnan(light.scores_[4:]).all()
    assert np.isfinite(light.scores_[:3]).all()
    own = SearchLight(
        nib.Nifti1Image(inside, AFFINE),
        nib.Nifti1Image(np.ones(SHAPE, np.uint8), AFFINE),
        radius=3.1,
        cv=3,
        estimator=GaussianNB(),
    )
    assert_array_equal(np.isnan(quiet(lambda: own.fit(brain(), TWO)).scores_), np.isnan(light.scores_))


def test_without_masks_all_voxels_that_are_no_background_are_processed():
    data = brain().get_fdata() + 100
    data[:2] = 0
    light = quiet(lambda: SearchLight(radius=3, cv=3).fit(nib.Nifti1Image(data, AFFINE), TWO))
    assert light.n_elements_ == light.process_mask_.sum() > 0
    assert_array_equal(light.process_mask_, light.mask_img_.get_fdata() > 0)


def test_lists_paths_and_scaled_integers_are_taken(tmp_path):
    images = brain()
    whole = fitted()
    paths = []
    for i in range(N):
        nib.save(images.slicer[..., i], tmp_path / f"{i:02}.nii")
        paths.append(tmp_path / f"{i:02}.nii")
    assert_array_equal(fitted(images=paths).masked_scores_, whole.masked_scores_)
    scaled = nib.Nifti1Image(np.round(images.get_fdata() * 1000).astype(np.int16), AFFINE)
    scaled.header.set_slope_inter(0.001, 0)
    scaled = nib.Nifti1Image.from_bytes(scaled.to_bytes())
    same = nib.Nifti1Image(scaled.get_fdata(), AFFINE)
    assert_array_equal(fitted(images=scaled).masked_scores_, fitted(images=same).masked_scores_)


@pytest.mark.parametrize("scoring", ["f1", "roc_auc", "precision"])
@pytest.mark.parametrize("estimator", ["svc", GaussianNB()], ids=["svc", "bayes"])
def test_words_as_classes_are_scored_as_numbers_are(scoring, estimator):
    options = dict(scoring=scoring, estimator=estimator, small=True, cv=3)
    numbers = fitted((TWO == "face").astype(int), images=brain(), **options)
    assert_allclose(fitted(TWO, **options).masked_scores_, numbers.masked_scores_)


def test_a_searchlight_is_cloned_pickled_and_refitted():
    light = fitted(THREE)
    assert_array_equal(
        pickle.loads(pickle.dumps(light)).scores_img_.get_fdata(), light.scores_img_.get_fdata()
    )
    assert not hasattr(clone(light), "scores_")
    quiet(lambda: light.fit(brain(), TWO))
    assert_array_equal(light.scores_, fitted(TWO).scores_)
    with pytest.raises(ValueError):
        light.fit(brain(), TWO[:3])
    with pytest.raises(NotFittedError):
        _ = light.scores_img_


def test_transform_says_why_it_is_not_there():
    with pytest.raises(NotImplementedError, match="keeps no model"):
        fitted().transform(brain())
    with pytest.raises(NotFittedError):
        SearchLight().transform(brain())


def other_grid():
    return nib.Nifti1Image(np.ones(SHAPE, np.uint8), np.eye(4))


@pytest.mark.parametrize(
    "change, error, words",
    [
        (dict(y=TWO[1:]), ValueError, "y has 35 values, X has 36"),
        (dict(y=np.full(N, 1)), ValueError, "only one class"),
        (dict(y=np.linspace(0, 1, N)), ValueError, "y must be classes"),
        (dict(y=TWO, estimator="ridge"), ValueError, "y must be numbers"),
        (dict(radius=-1), ValueError, "radius must be finite and not negative"),
        (dict(radius="2 mm"), TypeError, "radius must be a number"),
        (dict(estimator="svm"), ValueError, "estimator must be one of"),
        (dict(scoring="accurate"), ValueError, "scoring='accurate' is no score"),
        (dict(y=THREE, scoring="roc_auc"), ValueError, "scoring='roc_auc' is of two classes, and y has 3"),
        (dict(cv=LeaveOneGroupOut()), ValueError, "groups is needed"),
        (dict(cv=[(np.flatnonzero(TWO == "cat"), [1])]), ValueError, "fold 0 have no sample of class 'face'"),
        (dict(cv=[(np.arange(30), [30, 32])], scoring="roc_auc"), ValueError, "scoring='roc_auc' is not defined"),
        (dict(process_mask_img=other_grid()), ValueError, "process_mask_img is on .* the mask on"),
        (dict(process_mask_img=nib.Nifti1Image(np.zeros(SHAPE), AFFINE)), ValueError, "mask_img is empty"),
        (dict(estimator_args={"c": 1}), ValueError, "estimator_args has c"),
        (dict(n_jobs=None), TypeError, "n_jobs must be an integer"),
    ],
    ids=lambda each: each.replace(" ", "_")[:40] if isinstance(each, str) else None,
)  # fmt: skip
def test_what_is_wrong_is_named(change, error, words):
    change = dict(change)
    y = change.pop("y", TWO)
    mask, process = masks()
    light = SearchLight(**{"mask_img": mask, "process_mask_img": process, "radius": 3, "cv": 3, **change})
    with pytest.raises(error, match=words):
        quiet(lambda: light.fit(brain(), y))
