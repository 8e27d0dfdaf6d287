"""CanICA and DictLearning: planted maps found, the peer's maps and numbers, every kind of image, input and error."""

from __future__ import annotations

import inspect
import pickle
import warnings
from functools import partial

import nibabel as nib
import numpy as np
import pytest
from joblib import parallel_config
from nilearn import decomposition as peer
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter
from scipy.optimize import linear_sum_assignment
from sklearn.base import clone
from sklearn.decomposition import dict_learning_online, sparse_encode
from sklearn.exceptions import NotFittedError

from brainsieve.decomposition import CanICA, DictLearning, dict_learning
from brainsieve.decomposition.sparse_codes import learned_dictionary
from brainsieve.maskers import MultiNiftiMasker, NiftiMasker

SHAPE, AFFINE, K = (14, 13, 11), np.diag([4.0, 4, 4, 1]), 4
MASK = np.zeros(SHAPE, bool)
MASK[1:13, 1:12, 1:10] = True
MASK_IMG = nib.Nifti1Image(MASK.astype("u1"), AFFINE)
V = int(MASK.sum())
# Blobs of voxels: sparse and independent sources. z-scoring leaves their shape, as they have one level.
CENTRES = [(3, 3, 3), (10, 4, 7), (4, 9, 6), (9, 9, 3)]
MAPS = np.zeros((K, *SHAPE))
for one, centre in zip(MAPS, CENTRES, strict=True):
    one[centre] = 1
    one[...] = gaussian_filter(one, 1.7)
    one[...] = one > 0.3 * one.max()
LENGTHS = (60, 45, 52)


def run(n_samples, seed, noise=0.5, dtype=np.float32) -> nib.Nifti1Image:
    rng = np.random.default_rng(seed)
    values = np.tensordot(MAPS, rng.normal(size=(K, n_samples)), axes=(0, 0))
    values += noise * rng.normal(size=values.shape) + 100
    return nib.Nifti1Image(values.astype(dtype), AFFINE)


RUNS = [run(T, i) for i, T in enumerate(LENGTHS)]
CONFOUNDS = [np.random.default_rng(9 + i).normal(size=(T, 2)) for i, T in enumerate(LENGTHS)]
OPTIONS = {
    CanICA: {"n_components": K, "mask": MASK_IMG, "smoothing_fwhm": None, "random_state": 0, "n_init": 3},
    DictLearning: {
        "n_components": K,
        "mask": MASK_IMG,
        "smoothing_fwhm": None,
        "random_state": 0,
        "alpha": 3,
    },
}
CLASSES = list(OPTIONS)


def make(cls, **options):
    return cls(**{**OPTIONS[cls], **options})


def fitted_peer(cls, imgs, confounds=None, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(peer, cls.__name__)(**{**OPTIONS[cls], **options}).fit(imgs, confounds=confounds)


def matched(one, other):
    """Correlations of maps (k, n_points) that go together best."""
    k = len(one)
    correlations = np.corrcoef(one, other)[:k, k:]
    rows, columns = linear_sum_assignment(-np.abs(correlations))
    return correlations[rows, columns]


@pytest.fixture(scope="module", params=CLASSES)
def cls(request):
    return request.param


@pytest.fixture(scope="module")
def fitted(cls):
    return make(cls).fit(RUNS)


# -- maps ----------------------------------------------------------------------------------------------


def test_planted_maps_are_found_with_their_sign(fitted):
    # Independent components are thresholded at one value for each voxel, which is more than the blobs have.
    least = 0.93 if isinstance(fitted, CanICA) else 0.999
    assert (matched(fitted.components_, MAPS[:, MASK]) > least).all()


def test_maps_are_those_of_the_peer(cls, fitted):
    assert (matched(fitted.components_, fitted_peer(cls, RUNS).components_) > 0.95).all()


@pytest.mark.parametrize(
    "options",
    [
        {"smoothing_fwhm": 3},
        {"standardize": False},
        {"mask": None, "mask_strategy": "background", "smoothing_fwhm": 4},
    ],
    ids=["smoothed", "not standardized", "background"],
)
def test_maps_are_those_of_the_peer_with_other_cleaning_and_confounds(cls, options):
    if "mask" in options:
        imgs = [nib.Nifti1Image(img.get_fdata(dtype=np.float32) * MASK[..., None], AFFINE) for img in RUNS]
    else:
        imgs = RUNS
    ours = make(cls, **options).fit(imgs, confounds=CONFOUNDS)
    theirs = fitted_peer(cls, imgs, CONFOUNDS, **options)
    assert (ours.mask_img_.get_fdata() == theirs.mask_img_.get_fdata()).all()
    assert (matched(ours.components_, theirs.components_) > 0.95).all()


def test_maps_in_space_are_the_components_in_the_mask(fitted):
    img = fitted.components_img_
    assert img.shape == (*SHAPE, K)
    assert (fitted.components_ == img.get_fdata(dtype=np.float32)[MASK].T).all()
    assert not img.get_fdata()[~MASK].any()
    assert_allclose(img.affine, AFFINE)


def test_dtype_of_the_maps_is_that_of_the_runs(cls):
    assert make(cls).fit(RUNS).components_.dtype == np.float32
    assert make(cls).fit([run(30, 1, dtype=np.float64)]).components_.dtype == np.float64
    model = make(cls, dtype="i4").fit(RUNS)
    assert model.components_.dtype.kind == "f"
    assert model.transform(RUNS)[0].dtype == np.int32


def test_the_order_of_runs_does_not_matter(cls, fitted):
    other = make(cls).fit(RUNS[::-1])
    least = 0.99999 if cls is CanICA else 0.99
    assert (matched(fitted.components_, other.components_) > least).all()


def test_a_run_is_a_list_of_one_run(cls):
    one, many = make(cls).fit(RUNS[0]), make(cls).fit([RUNS[0]])
    assert (one.components_ == many.components_).all()
    assert (one.fit(RUNS[0]).components_ == many.components_).all()
    assert (clone(one).fit(RUNS[0]).components_ == many.components_).all()


def test_runs_at_a_time_change_nothing(cls, fitted):
    with parallel_config(backend="threading"):
        together = make(cls, n_jobs=2).fit(RUNS)
        assert together.score(RUNS) == fitted.score(RUNS)
    assert (together.components_ == fitted.components_).all()


def test_parameters_of_cleaning_are_those_of_the_masker(cls):
    options = {"smoothing_fwhm": 5, "standardize": "psc", "standardize_confounds": False, "detrend": False}
    options |= {
        "low_pass": 0.2,
        "high_pass": 0.02,
        "t_r": 2.0,
        "dtype": "f8",
        "target_affine": 2 * AFFINE[:3, :3],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        masker = make(cls, **options, verbose=0).fit(RUNS).masker_
    for name, value in options.items():
        assert np.all(getattr(masker, name) == value), name
    assert masker.mask_img_.affine[0, 0] == 8


def test_a_random_state_is_consumed_and_an_integer_is_not(cls):
    state = np.random.RandomState(0)
    before = state.get_state()[2]
    one = make(cls, random_state=state).fit(RUNS[0])
    assert state.get_state()[2] != before
    assert (matched(one.components_, make(cls).fit(RUNS[0]).components_) > 0.99).all()


# -- CanICA --------------------------------------------------------------------------------------------


def test_variance_is_the_singular_values_of_the_stack():
    model = make(CanICA).fit(RUNS)
    rows = []
    for img in RUNS:
        x = model.masker_.transform(img).astype(float)
        rows.append(np.linalg.svd(x, full_matrices=False)[2][:K])
    expected = np.linalg.svd(np.vstack(rows), compute_uv=False)[:K]
    assert_allclose(model.variance_, expected, rtol=1e-5)
    # The peer's are of a randomized decomposition.
    assert_allclose(model.variance_, fitted_peer(CanICA, RUNS).variance_, rtol=3e-3)


@pytest.mark.parametrize("threshold", ["auto", 0.5, 2.0, None, 0.0])
def test_the_threshold_keeps_that_many_values_for_each_voxel(threshold):
    whole = make(CanICA, threshold=None).fit(RUNS).components_.astype(float)
    assert_allclose(np.linalg.norm(whole, axis=1), 1, rtol=1e-5)
    ratio = {"auto": 1.0}.get(threshold, threshold)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept = make(CanICA, threshold=threshold).fit(RUNS).components_
    if ratio is None:
        assert (kept == whole).all()
        return
    cut = np.percentile(np.abs(whole), 100 - 100 * ratio / K)
    assert_allclose(kept, np.where(np.abs(whole) >= cut * (1 - 1e-6), whole, 0), atol=1e-6)
    assert abs(np.count_nonzero(kept) - max(1, ratio * V)) <= 1
    assert (kept.max(axis=1) >= -kept.min(axis=1)).all()


def test_a_threshold_that_keeps_all_says_so():
    with pytest.warns(UserWarning, match="keeps all values"):
        make(CanICA, threshold=float(K)).fit(RUNS)


def test_without_canonical_correlation_strong_maps_of_a_run_count_more():
    loud = nib.Nifti1Image(100 + (RUNS[1].get_fdata(dtype=np.float32) - 100) * 50, AFFINE)
    plain = {"standardize": False, "detrend": False}
    one, other = (make(CanICA, do_cca=cca, **plain).fit([RUNS[0], loud]) for cca in (True, False))
    assert one.variance_[0] < 2
    assert other.variance_[0] > 1000


def test_starts_that_do_not_converge_are_counted_in_one_warning(monkeypatch):
    from brainsieve.decomposition import fixed_point

    monkeypatch.setattr(fixed_point, "fixed_point", partial(fixed_point.fixed_point, max_iter=1))
    with pytest.warns(UserWarning, match="3 of 3 starts") as caught:
        make(CanICA).fit(RUNS)
    assert len(caught) == 1


# -- DictLearning --------------------------------------------------------------------------------------


def test_maps_of_a_dictionary_are_sparse_of_norm_one_and_mostly_positive():
    components = make(DictLearning).fit(RUNS).components_.astype(float)
    assert_allclose(np.linalg.norm(components, axis=1), 1, rtol=1e-6)
    assert (components == 0).mean() > 0.5
    assert ((components > 0).sum(axis=1) >= (components < 0).sum(axis=1)).all()


def test_learning_begins_at_what_the_peer_begins_at():
    ours, theirs = make(DictLearning).fit(RUNS), fitted_peer(DictLearning, RUNS)
    assert (np.abs(matched(ours.components_init_, theirs.components_init_)) > 0.95).all()
    assert ours.loadings_init_.shape == theirs.loadings_init_.shape == (K, K * len(RUNS))
    assert_allclose(np.linalg.norm(ours.loadings_init_, axis=0), 1, rtol=1e-6)
    assert_allclose(np.linalg.norm(theirs.loadings_init_, axis=0), 1, rtol=1e-4)


@pytest.mark.parametrize(
    "options",
    [{}, {"standardize": False}, {"n_components": 6}, {"alpha": 1}],
    ids=["default", "raw", "many", "low"],
)
def test_the_objective_is_not_worse_than_that_of_scikit_learn(options, monkeypatch):
    taken = {}

    def both(stack, start, alpha, batch_size, n_epochs, random_state):
        voxels = stack.at(np.arange(stack.n_points))
        learned = learned_dictionary(stack, start, alpha, batch_size, n_epochs, random_state)
        _, theirs = dict_learning_online(
            voxels,
            len(start),
            alpha=alpha,
            batch_size=batch_size,
            dict_init=start.copy(),
            method="cd",
            random_state=0,
        )[:2]
        taken.update(ours=objective(voxels, learned, alpha), theirs=objective(voxels, theirs, alpha))
        return learned

    monkeypatch.setattr(dict_learning, "learned_dictionary", both)
    make(DictLearning, **options).fit(RUNS, confounds=CONFOUNDS)
    assert taken["ours"] <= 1.001 * taken["theirs"]


def objective(voxels, atoms, alpha):
    codes = sparse_encode(voxels, atoms, algorithm="lasso_cd", alpha=alpha, max_iter=10_000)
    return 0.5 * ((voxels - codes @ atoms) ** 2).sum() + alpha * np.abs(codes).sum()


def test_epochs_take_the_objective_down_and_are_not_ignored():
    few, one, many = (make(DictLearning, n_epochs=n).fit(RUNS) for n in (0.05, 1, 5))
    assert not np.allclose(one.components_, many.components_)
    assert not np.allclose(few.components_, one.components_)


def test_the_reduction_ratio_says_how_many_rows_a_run_has():
    model = make(DictLearning, reduction_ratio=0.5).fit(RUNS)
    assert model.loadings_init_.shape[1] == 30 + 23 + 26
    assert make(DictLearning, reduction_ratio=1.0).fit(RUNS).loadings_init_.shape[1] == sum(LENGTHS)
    assert (matched(model.components_, MAPS[:, MASK]) > 0.95).all()


def test_maps_to_begin_at_are_masked_and_nothing_else():
    img = nib.Nifti1Image(np.moveaxis(MAPS, 0, -1).astype(np.float32), AFFINE)
    model = make(DictLearning, dict_init=img).fit(RUNS)
    expected = MAPS[:, MASK] / (MAPS[:, MASK] ** 2).sum(axis=1, keepdims=True)
    assert_allclose(model.components_init_, expected, rtol=1e-5, atol=1e-9)
    assert (np.corrcoef(model.components_, MAPS[:, MASK])[range(K), range(K, 2 * K)] > 0.95).all()


def test_fewer_maps_to_begin_at_are_completed_and_more_are_cut_with_a_warning():
    few = nib.Nifti1Image(np.moveaxis(MAPS[:2], 0, -1).astype(np.float32), AFFINE)
    with pytest.warns(UserWarning, match="begins at 2 maps, fewer than n_components=4"):
        model = make(DictLearning, dict_init=few).fit(RUNS)
    assert model.components_init_.shape == (2, V)
    assert (matched(model.components_, MAPS[:, MASK]) > 0.95).all()
    many = nib.Nifti1Image(np.moveaxis(MAPS, 0, -1).astype(np.float32), AFFINE)
    with pytest.warns(UserWarning, match="4 maps, more than n_components=3"):
        make(DictLearning, n_components=3, dict_init=many).fit(RUNS)


def test_both_methods_give_the_same_codes():
    one, other = (make(DictLearning, method=method).fit(RUNS) for method in ("cd", "lars"))
    assert (one.components_ == other.components_).all()


def test_an_alpha_that_is_too_large_is_told_of():
    with pytest.raises(ValueError, match="No component found.*alpha=1e\\+07"):
        make(DictLearning, alpha=1e7).fit(RUNS)


# -- loadings, and back --------------------------------------------------------------------------------


def test_loadings_are_least_squares_of_the_raw_images(fitted):
    maps = fitted.components_.astype(float).T
    for loadings, img in zip(fitted.transform(RUNS), RUNS, strict=True):
        expected = np.linalg.lstsq(maps, img.get_fdata()[MASK], rcond=None)[0].T
        assert_allclose(loadings, expected, rtol=1e-4)


def test_loadings_are_those_of_the_peer_for_the_same_maps(cls, fitted):
    theirs = fitted_peer(cls, RUNS)
    theirs.maps_masker_.set_params(maps_img=fitted.components_img_).fit()
    for ours, other in zip(
        fitted.transform(RUNS, CONFOUNDS), theirs.transform(RUNS, confounds=CONFOUNDS), strict=True
    ):
        assert_allclose(ours, other, rtol=1e-3, atol=1e-2)


def test_transform_gives_a_list_also_for_one_run(fitted):
    (alone,) = fitted.transform(RUNS[0])
    assert (alone == fitted.transform(RUNS)[0]).all()
    (cleaned,) = fitted.transform(RUNS[0], confounds=CONFOUNDS[0])
    assert (cleaned == fitted.transform(RUNS, confounds=CONFOUNDS)[0]).all()


def test_fit_transform_is_fit_then_transform(cls):
    loadings = make(cls).fit_transform(RUNS, confounds=CONFOUNDS)
    model = make(cls).fit(RUNS, confounds=CONFOUNDS)
    for one, other in zip(loadings, model.transform(RUNS, confounds=CONFOUNDS), strict=True):
        assert (one == other).all()


def test_loadings_go_back_to_sums_of_maps(fitted):
    loadings = fitted.transform(RUNS)
    for img, values in zip(fitted.inverse_transform(loadings), loadings, strict=True):
        assert_allclose(
            img.get_fdata()[MASK].T, values.astype(float) @ fitted.components_, rtol=1e-4, atol=1e-3
        )
    with pytest.raises(TypeError, match="loadings must be a list"):
        fitted.inverse_transform(loadings[0])


def test_frames_are_given_where_they_are_asked_for(cls):
    model = make(cls).fit(RUNS).set_output(transform="pandas")
    frame = model.transform(RUNS)[1]
    assert list(frame.columns) == [f"{cls.__name__.lower()}{i}" for i in range(K)]
    assert frame.shape == (LENGTHS[1], K)
    assert model.inverse_transform([frame])[0].shape == (*SHAPE, LENGTHS[1])
    with pytest.raises(ValueError, match="transform must be one of"):
        model.set_output(transform="feather")


# -- score ---------------------------------------------------------------------------------------------


def signals_of(model, imgs, confounds=None):
    confounds = confounds or [None] * len(imgs)
    return np.vstack(
        [model.masker_.transform(img, confounds=c) for img, c in zip(imgs, confounds, strict=True)]
    ).astype(float)


def test_the_score_is_what_least_squares_explain_of_the_cleaned_runs(fitted):
    x, maps = signals_of(fitted, RUNS, CONFOUNDS), fitted.components_.astype(float).T
    left = x.T - maps @ np.linalg.lstsq(maps, x.T, rcond=None)[0]
    expected = 1 - (left**2).sum() / (x**2).sum()
    score = fitted.score(RUNS, confounds=CONFOUNDS)
    assert score == pytest.approx(expected, abs=1e-6)
    assert 0.05 < score < 1
    assert isinstance(score, float)


def test_the_score_of_each_map_is_its_share_of_the_variance(fitted):
    x = signals_of(fitted, RUNS)
    expected = []
    for row in fitted.components_.astype(float):
        unit = row / np.linalg.norm(row)
        expected.append(max(0, 1 - np.var(x - np.outer(x @ unit, unit)) / np.var(x)))
    assert_allclose(fitted.score(RUNS, per_component=True), expected, atol=1e-6)


def test_scores_are_near_those_of_the_peer(cls, fitted):
    theirs = fitted_peer(cls, RUNS)
    assert fitted.score(RUNS) == pytest.approx(theirs.score(RUNS), abs=0.01)
    order = np.argsort(fitted.score(RUNS, per_component=True))
    assert_allclose(
        fitted.score(RUNS, per_component=True)[order],
        np.sort(theirs.score(RUNS, per_component=True)),
        atol=0.01,
    )


# -- what is taken, and what is left alone -------------------------------------------------------------


def test_paths_globs_and_scaled_integers_with_nan_outside_are_runs(cls, tmp_path, fitted):
    paths = []
    for i, img in enumerate(RUNS):
        scaled = nib.Nifti1Image(np.zeros((*SHAPE, LENGTHS[i]), np.int16), AFFINE)
        stored = np.round((img.get_fdata() - 100) / 0.002).clip(-32768, 32767).astype(np.int16)
        scaled = nib.Nifti1Image(stored, AFFINE)
        scaled.header.set_slope_inter(0.002, 100)
        paths.append(tmp_path / f"run-{i}.nii.gz")
        nib.save(scaled, paths[-1])
    from_paths = make(cls).fit([str(path) for path in paths])
    assert (matched(from_paths.components_, fitted.components_) > 0.99).all()
    from_glob = make(cls).fit(str(tmp_path / "run-*.nii.gz"))
    assert (from_glob.components_ == from_paths.components_).all()
    assert from_glob.score(paths[0]) == from_paths.score(str(paths[0]))
    with pytest.raises(ValueError, match="no file matches"):
        make(cls).fit(str(tmp_path / "none-*.nii.gz"))


def test_voxels_that_are_nan_count_as_zero_and_spoil_nothing(cls, fitted):
    spoilt = RUNS[0].get_fdata(dtype=np.float32)
    spoilt = spoilt.copy()
    spoilt[6, 6, 5, 3] = np.nan
    with pytest.warns(UserWarning, match="NaN or infinite"):
        model = make(cls).fit([nib.Nifti1Image(spoilt, AFFINE), *RUNS[1:]])
    assert np.isfinite(model.components_).all()
    assert (matched(model.components_, fitted.components_) > 0.95).all()


def test_a_generator_and_an_array_of_paths_are_runs(cls, fitted):
    assert (make(cls).fit(img for img in RUNS).components_ == fitted.components_).all()


def test_runs_on_another_grid_are_resampled_to_the_mask(cls, fitted):
    finer = nib.Nifti1Image(
        np.repeat(RUNS[0].get_fdata(dtype=np.float32), 2, axis=0), AFFINE @ np.diag([0.5, 1, 1, 1])
    )
    with pytest.warns(UserWarning, match="resampled"):
        model = make(cls).fit([finer, *RUNS[1:]])
    assert (matched(model.components_, fitted.components_) > 0.9).all()


def test_inputs_and_the_masker_of_the_user_are_left_alone(cls):
    data = [img.get_fdata(dtype=np.float32).copy() for img in RUNS]
    confounds = [each.copy() for each in CONFOUNDS]
    masker = MultiNiftiMasker(MASK_IMG, smoothing_fwhm=5, standardize=True, detrend=True)
    before = {**vars(masker)}
    runs = list(RUNS)
    with pytest.warns(UserWarning, match="override those of .*smoothing_fwhm=5 instead of None"):
        model = make(cls, mask=masker).fit(runs, confounds=confounds)
    model.transform(runs, confounds=confounds)
    model.score(runs)
    assert vars(masker) == before
    assert runs == RUNS
    assert all((img.get_fdata(dtype=np.float32) == one).all() for img, one in zip(RUNS, data, strict=True))
    assert all((one == other).all() for one, other in zip(confounds, CONFOUNDS, strict=True))
    assert model.masker_.smoothing_fwhm == 5
    assert model.masker_ is not masker


def test_the_masker_of_the_user_gives_its_mask_and_its_cleaning(cls, fitted):
    plain = {"detrend": True, "standardize": True}
    unfitted = make(cls, mask=MultiNiftiMasker(MASK_IMG, **plain)).fit(RUNS)
    inside = [nib.Nifti1Image(img.get_fdata(dtype=np.float32) * MASK[..., None], AFFINE) for img in RUNS]
    ready = MultiNiftiMasker(mask_args={"opening": 0}, **plain).fit(inside)
    given = make(cls, mask=ready).fit(RUNS)
    assert (unfitted.components_ == fitted.components_).all()
    assert (given.mask_img_.get_fdata() == ready.mask_img_.get_fdata()).all()
    other = make(cls, mask=MultiNiftiMasker(MASK_IMG, smoothing_fwhm=12, **plain)).fit(RUNS)
    assert (other.components_ == make(cls, smoothing_fwhm=12).fit(RUNS).components_).all()


def test_fitted_estimators_are_pickled_with_all_they_do(cls, fitted):
    copy = pickle.loads(pickle.dumps(fitted))
    assert (copy.transform(RUNS)[0] == fitted.transform(RUNS)[0]).all()
    assert copy.score(RUNS) == fitted.score(RUNS)


def test_reduced_runs_are_cached_and_confounds_are_told_apart(cls, tmp_path, fitted, monkeypatch):
    from brainsieve.decomposition import runs as module

    calls = []
    compute = module.reduced_run
    monkeypatch.setattr(module, "reduced_run", lambda *args: calls.append(args) or compute(*args))
    options = {"memory": str(tmp_path / "cache"), "memory_level": 1}
    first = make(cls, **options).fit(RUNS)
    assert len(calls) == 3
    again = make(cls, **options).fit(RUNS)
    assert len(calls) == 3
    assert (first.components_ == again.components_).all()
    assert (first.components_ == fitted.components_).all()
    make(cls, **options).fit(RUNS, confounds=CONFOUNDS)
    assert len(calls) == 6
    make(cls, **options, n_components=3).fit(RUNS)
    assert len(calls) == 9


@pytest.mark.parametrize("method", ["__init__", "fit", "transform", "inverse_transform", "score"])
def test_names_and_defaults_are_those_of_the_peer(cls, method):
    ours, theirs = (inspect.signature(getattr(one, method)) for one in (cls, getattr(peer, cls.__name__)))
    assert {name: each.default for name, each in ours.parameters.items()} == {
        name: each.default for name, each in theirs.parameters.items()
    }
    assert list(ours.parameters) == list(theirs.parameters)


# -- bad input -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"n_components": 0}, ValueError, "n_components must be at least 1"),
        ({"n_components": 2.5}, TypeError, "n_components must be a whole number"),
        ({"random_state": np.random.default_rng(0)}, TypeError, "random_state must be .*Generator"),
        ({"random_state": -1}, ValueError, "random_state"),
        ({"mask": NiftiMasker(MASK_IMG)}, TypeError, "MultiNiftiMasker.*NiftiMasker"),
        ({"mask": MultiNiftiMasker}, TypeError, "mask must be"),
        ({"mask": None, "mask_strategy": "brain"}, ValueError, "mask_strategy must be one of"),
        ({"standardize": "always"}, ValueError, "standardize"),
        ({"n_jobs": "all"}, TypeError, "n_jobs must be an integer"),
        ({"memory": 5}, TypeError, "memory must be"),
        ({"dtype": "text"}, TypeError, "dtype"),
        ({"smoothing_fwhm": "wide"}, (TypeError, ValueError), "smoothing_fwhm"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_parameters_that_are_wrong_are_named(cls, options, error, match):
    with pytest.raises(error, match=match):
        make(cls, **options).fit(RUNS)


@pytest.mark.parametrize(
    ("which", "options", "error", "match"),
    [
        (CanICA, {"threshold": 2}, ValueError, "threshold must be a float"),
        (CanICA, {"threshold": "most"}, ValueError, "threshold must be a float"),
        (CanICA, {"threshold": 5.0}, ValueError, "from 0 to n_components=4"),
        (CanICA, {"threshold": -0.1}, ValueError, "from 0 to n_components=4"),
        (CanICA, {"threshold": np.nan}, ValueError, "from 0 to n_components=4"),
        (CanICA, {"n_init": 0}, ValueError, "n_init must be at least 1"),
        (CanICA, {"do_cca": "yes"}, TypeError, "do_cca must be True or False"),
        (DictLearning, {"alpha": 0}, ValueError, "alpha must be finite and positive"),
        (DictLearning, {"alpha": "auto"}, TypeError, "alpha must be a number"),
        (DictLearning, {"n_epochs": -1}, ValueError, "n_epochs must be finite and positive"),
        (DictLearning, {"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        (DictLearning, {"method": "omp"}, ValueError, "method must be one of"),
        (DictLearning, {"reduction_ratio": "foo"}, ValueError, "reduction_ratio must be one of 'auto'"),
        (DictLearning, {"reduction_ratio": 7}, ValueError, "reduction_ratio is a share"),
        (DictLearning, {"reduction_ratio": -5}, ValueError, "reduction_ratio must be finite and positive"),
        (DictLearning, {"dict_init": "nowhere.nii"}, (OSError, ValueError), "nowhere.nii"),
    ],
    ids=str,
)
def test_parameters_of_one_class_that_are_wrong_are_named(which, options, error, match):
    with pytest.raises(error, match=match):
        make(which, **options).fit(RUNS)


def test_runs_and_confounds_that_do_not_go_together_are_refused(cls):
    with pytest.raises(ValueError, match="confounds has 2 entries for 3 runs"):
        make(cls).fit(RUNS, confounds=CONFOUNDS[:2])
    with pytest.raises(TypeError, match="confounds must be a list"):
        make(cls).fit(RUNS, confounds=CONFOUNDS[0])
    with pytest.raises(ValueError, match="45"):
        make(cls).fit(RUNS, confounds=[CONFOUNDS[0], CONFOUNDS[0], CONFOUNDS[2]])
    with pytest.raises(ValueError, match="empty"):
        make(cls).fit([])
    with pytest.raises(TypeError, match="imgs is None"):
        make(cls).fit(None)


def test_images_without_variance_are_refused_and_one_among_others_is_told_of(cls):
    constant = nib.Nifti1Image(np.full((*SHAPE, 12), 7, np.float32), AFFINE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="No component found"):
            make(cls).fit(constant)
    with pytest.warns(UserWarning, match="Run 2 of 2 has no variance"):
        model = make(cls).fit([RUNS[0], constant])
    assert (matched(model.components_, make(cls).fit(RUNS[0]).components_) > 0.99).all()
    with pytest.raises(ValueError, match="no variance"):
        model.score(constant)


def test_more_maps_than_the_runs_have_are_told_of():
    # Of six samples, detrending leaves four dimensions.
    with pytest.warns(UserWarning, match="independent maps, fewer than n_components=10"):
        model = make(CanICA, n_components=10).fit(run(6, 3))
    assert model.components_.shape == (4, V)
    assert model.n_elements_ == 4
    # A dictionary may have more atoms than dimensions.
    with pytest.warns(UserWarning, match="begins at 4 maps, fewer than n_components=10"):
        model = make(DictLearning, n_components=10, alpha=0.1).fit(run(6, 3))
    assert model.components_.shape == (10, V)
    assert np.isfinite(model.components_).all()


def test_nothing_works_before_fit_nor_after_a_fit_that_failed(cls):
    model = make(cls)
    for call in (model.transform, model.score):
        with pytest.raises(NotFittedError):
            call(RUNS)
    model.fit(RUNS)
    with pytest.raises(ValueError, match="empty"):
        model.fit([])
    with pytest.raises(NotFittedError):
        model.inverse_transform([np.zeros((2, K))])


def test_a_mask_of_another_place_is_refused(cls):
    far = AFFINE.copy()
    far[:3, 3] = 5000
    with pytest.raises(ValueError, match="overlap"):
        make(cls, mask=nib.Nifti1Image(MASK.astype("u1"), far)).fit(RUNS)


def test_loadings_of_another_width_are_refused(fitted):
    with pytest.raises(ValueError, match="3 columns"):
        fitted.inverse_transform([np.zeros((5, 3))])
