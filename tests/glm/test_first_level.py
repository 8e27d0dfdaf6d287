"""FirstLevelModel: by the peer on float64 copies, by plain least squares, on volumes, surfaces and CIFTI files."""

from __future__ import annotations

import inspect
import pickle
import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.glm import first_level as peer_room
from nilearn.glm.first_level import FirstLevelModel as Peer
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from tests import small_cifti

from brainsieve.glm import first_level
from brainsieve.glm.first_level import FirstLevelModel, make_first_level_design_matrix, run_glm
from brainsieve.maskers import NiftiLabelsMasker, NiftiMasker, SurfaceMasker
from brainsieve.surface import InMemoryMesh, PolyMesh, SurfaceImage

SHAPE, AFFINE = (7, 6, 5), np.diag([3.0, 3, 3, 1])
LENGTHS = (60, 75)
MASK = np.random.default_rng(0).random(SHAPE) > 0.3
MASK_IMG = nib.Nifti1Image(MASK.astype("u1"), AFFINE)
OUTPUTS = ("z_score", "stat", "p_value", "effect_size", "effect_variance")


def quiet(call, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*args, **kwargs)


def run(n=60, seed=0, mean=500.0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(*SHAPE, n)) * 5
    for t in range(1, n):
        values[..., t] += 0.4 * values[..., t - 1]
    return nib.Nifti1Image(values + mean + 100 * rng.random(SHAPE)[..., None], AFFINE)


RUNS = [run(n, i) for i, n in enumerate(LENGTHS)]
EVENTS = [
    pd.DataFrame({"onset": np.arange(4, 110, 11.0) + i, "duration": 2.0, "trial_type": ["a", "b"] * 5})
    for i in range(2)
]
CONFOUNDS = [
    pd.DataFrame(np.random.default_rng(9 + n).normal(size=(n, 3)), columns=list("xyz")) for n in LENGTHS
]
SPOILT = CONFOUNDS[0].mask((CONFOUNDS[0].index == 3)[:, None] & (CONFOUNDS[0].columns == "y"))
MASKS = [np.arange(55), np.arange(75) < 70]


def model(**parameters):
    return FirstLevelModel(**{"t_r": 2, "mask_img": MASK_IMG, "reports": False} | parameters)


def values_of(img):
    return img.get_fdata()[MASK]


# -- against the peer ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        dict(),
        dict(noise_model="ols", smoothing_fwhm=5.0),
        dict(signal_scaling=False, slice_time_ref=0.5, high_pass=0.02),
        dict(signal_scaling=(0, 1), hrf_model="spm + derivative", drift_model="polynomial", drift_order=2),
        dict(hrf_model="fir", fir_delays=[1, 2], smoothing_fwhm=4.0),
    ],
    ids=["default", "smoothed", "unscaled", "one mean", "fir"],
)
@pytest.mark.parametrize("censored", [False, True])
def test_runs_of_unequal_length_are_fitted_as_the_peer_does(parameters, censored):
    given = dict(events=EVENTS, confounds=CONFOUNDS, sample_masks=MASKS if censored else None)
    mine = quiet(model(**parameters).fit, RUNS, **given)
    theirs = quiet(Peer(**{"t_r": 2, "mask_img": MASK_IMG} | parameters).fit, RUNS, **given)
    for ours, other in zip(mine.design_matrices_, theirs.design_matrices_, strict=True):
        assert list(ours.columns) == list(other.columns)
        assert_allclose(ours, other, atol=2e-15)
        assert_array_equal(ours.index, other.index)
    assert_array_equal(
        np.concatenate(mine.labels_).astype(float), np.concatenate(theirs.labels_).astype(float)
    )
    names = ("a_delay_1", "b_delay_2") if "fir_delays" in parameters else ("a", "b")
    t = f"{names[0]} - {names[1]}"
    f = [np.eye(2, X.shape[1]) for X in theirs.design_matrices_]
    for contrast in (t, f):
        ours = quiet(mine.compute_contrast, contrast, output_type="all")
        other = quiet(theirs.compute_contrast, contrast, output_type="all")
        assert tuple(ours) == OUTPUTS
        for name in OUTPUTS:
            assert ours[name].shape == other[name].shape
            assert ours[name].get_data_dtype() == np.float64
            if contrast is t or name != "effect_size":
                assert_allclose(ours[name].get_fdata(), other[name].get_fdata(), atol=1e-10)
    assert_allclose(  # whitened effects: their squares are F
        (quiet(mine.compute_contrast, f, output_type="effect_size").get_fdata() ** 2).sum(axis=-1),
        (quiet(theirs.compute_contrast, f, output_type="effect_size").get_fdata() ** 2).sum(axis=-1),
        atol=1e-10,
    )


def test_white_noise_residuals_predictions_and_r_square_are_the_peer_s():
    given = dict(noise_model="ols", minimize_memory=False)
    mine = model(**given).fit(RUNS, EVENTS)
    theirs = quiet(Peer(t_r=2, mask_img=MASK_IMG, **given).fit, RUNS, EVENTS)
    for name in ("residuals_", "predicted_", "r_square_"):
        for ours, other in zip(getattr(mine, name), getattr(theirs, name), strict=True):
            assert ours.shape == other.shape
            assert_allclose(ours.get_fdata(), other.get_fdata(), atol=1e-9)


def test_two_runs_are_the_mean_of_effects_with_their_summed_variance():
    both = model().fit(RUNS, EVENTS).compute_contrast("a", output_type="all")
    each = [
        model().fit(r, e).compute_contrast("a", output_type="all") for r, e in zip(RUNS, EVENTS, strict=True)
    ]
    effect = np.mean([values_of(one["effect_size"]) for one in each], axis=0)
    variance = np.sum([values_of(one["effect_variance"]) for one in each], axis=0) / 4
    assert_allclose(values_of(both["effect_size"]), effect, rtol=1e-12)
    assert_allclose(values_of(both["effect_variance"]), variance, rtol=1e-12)
    assert_allclose(values_of(both["stat"]), effect / np.sqrt(variance), rtol=1e-12)


# -- what is ours --------------------------------------------------------------------------------------------


def test_residuals_under_correlated_noise_are_of_the_series_that_are_not_whitened():
    fitted = model(minimize_memory=False).fit(RUNS, EVENTS, CONFOUNDS, MASKS)
    for i, kept in enumerate(MASKS):
        series = RUNS[i].get_fdata()[MASK][:, kept].T
        scaled = 100 * (series / series.mean(axis=0) - 1)
        X = fitted.design_matrices_[i].to_numpy()
        beta = np.empty((X.shape[1], scaled.shape[1]))
        for label, result in fitted.results_[i].items():
            beta[:, fitted.labels_[i] == label] = result.theta
        predicted = X @ beta
        assert_allclose(values_of(fitted.predicted_[i]).T, predicted, atol=1e-10)
        assert_allclose(values_of(fitted.residuals_[i]).T, scaled - predicted, atol=1e-10)
        share = 1 - ((scaled - predicted) ** 2).sum(axis=0) / ((scaled - scaled.mean(axis=0)) ** 2).sum(
            axis=0
        )
        assert_allclose(values_of(fitted.r_square_[i])[:, 0], share, atol=1e-10)


def test_what_was_not_kept_is_not_given():
    fitted = model().fit(RUNS[0], EVENTS[0])
    for name in ("residuals_", "predicted_"):
        with pytest.raises(AttributeError, match="minimize_memory=False"):
            getattr(fitted, name)
    assert fitted.r_square_[0].shape == (*SHAPE, 1)


@pytest.mark.parametrize("factor, shift", [(1e-3, 0), (1, 0), (1e4, 0)])
def test_percent_signal_does_not_depend_on_the_units_of_the_file(factor, shift):
    scaled = nib.Nifti1Image(RUNS[0].get_fdata() * factor + shift, AFFINE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mine = model().fit(scaled, EVENTS[0]).compute_contrast("a", output_type="effect_size")
    plain = model().fit(RUNS[0], EVENTS[0]).compute_contrast("a", output_type="effect_size")
    assert_allclose(values_of(mine), values_of(plain), rtol=1e-7, atol=1e-10)


def test_series_that_are_centred_are_refused_and_fitted_without_scaling():
    masker = NiftiMasker(MASK_IMG, detrend=True, t_r=2).fit()
    with pytest.raises(ValueError, match=r"centred .* signal_scaling=False"):
        model(mask_img=masker).fit(RUNS[0], EVENTS[0])
    fitted = model(mask_img=masker, signal_scaling=False).fit(RUNS[0], EVENTS[0])
    labels, results = run_glm(masker.transform(RUNS[0]), fitted.design_matrices_[0])
    assert_array_equal(labels, fitted.labels_[0])
    for label in results:
        assert_allclose(fitted.results_[0][label].theta, results[label].theta, atol=1e-8)


def test_scaling_by_volumes_and_z_scores_act_as_they_are_called():
    series = RUNS[0].get_fdata()[MASK].T
    for parameters, scaled in (
        (dict(signal_scaling=1), 100 * (series / series.mean(axis=1, keepdims=True) - 1)),
        (dict(standardize=True), (series - series.mean(axis=0)) / series.std(axis=0, ddof=1)),
        (dict(standardize="psc", signal_scaling=False), 100 * (series / series.mean(axis=0) - 1)),
    ):
        fitted = model(minimize_memory=False, **parameters).fit(RUNS[0], EVENTS[0])
        labels, results = run_glm(scaled, fitted.design_matrices_[0])
        assert_array_equal(fitted.labels_[0], labels)
        for label in results:
            assert_allclose(fitted.results_[0][label].theta, results[label].theta, atol=1e-8)
        both = values_of(fitted.residuals_[0]) + values_of(fitted.predicted_[0])
        assert_allclose(both.T, scaled, atol=1e-9)


def test_a_design_without_a_constant_is_fitted_to_scaled_series():
    design = make_first_level_design_matrix(np.arange(60) * 2.0, EVENTS[0]).drop(columns="constant")
    series = RUNS[0].get_fdata()[MASK].T
    fitted = model(noise_model="ols").fit(RUNS[0], design_matrices=design)
    beta = np.linalg.lstsq(design.to_numpy(), 100 * (series / series.mean(axis=0) - 1), rcond=None)[0]
    assert_allclose(fitted.results_[0][0.0].theta, beta, atol=1e-9)


def test_censoring_is_deleting_rows_and_what_is_censored_cannot_matter():
    kept = np.delete(np.arange(60), [0, 7, 8, 30, 59])
    spoilt = RUNS[0].get_fdata().copy()
    spoilt[..., [0, 7, 8, 30, 59]] = np.nan
    confounds = CONFOUNDS[0].copy()
    confounds.iloc[0] = np.nan
    whole = model(noise_model="ols").fit(RUNS[0], EVENTS[0], confounds.fillna(0), kept)
    other = model(noise_model="ols").fit(nib.Nifti1Image(spoilt, AFFINE), EVENTS[0], confounds, kept)
    fewer = nib.Nifti1Image(RUNS[0].get_fdata()[..., kept], AFFINE)
    given = model(noise_model="ols").fit(fewer, design_matrices=whole.design_matrices_[0])
    for one in (other, given):
        assert_allclose(
            values_of(one.compute_contrast("a - b")), values_of(whole.compute_contrast("a - b")), atol=1e-11
        )


def test_neighbours_across_a_gap_are_no_pair():
    kept = np.r_[0:20, 40:60]
    fitted = model(signal_scaling=False).fit(RUNS[0], EVENTS[0], sample_masks=kept)
    X = fitted.design_matrices_[0].to_numpy()
    series = RUNS[0].get_fdata()[MASK][:, kept].T
    rest = series - X @ np.linalg.lstsq(X, series, rcond=None)[0]
    products = rest[1:] * rest[:-1]
    rho = np.delete(products, 19, axis=0).sum(axis=0) / 38 / ((rest**2).sum(axis=0) / 40)
    assert_array_equal(fitted.labels_[0].astype(float), np.trunc(rho * 100) / 100)


def test_scaled_integers_with_missing_values_and_smoothing(tmp_path):
    values = RUNS[0].get_fdata().copy()
    integers = nib.Nifti1Image(values.astype(np.float64), AFFINE)
    integers.set_data_dtype(np.int16)
    nib.save(integers, tmp_path / "run.nii.gz")  # nibabel picks slope and intercept
    read = nib.load(tmp_path / "run.nii.gz")
    assert read.dataobj.slope != 1
    again = nib.Nifti1Image(np.asarray(read.dataobj, dtype=np.float64), AFFINE)
    for fwhm in (None, 5.0):
        mine = model(smoothing_fwhm=fwhm).fit(tmp_path / "run.nii.gz", EVENTS[0]).compute_contrast("a")
        other = quiet(Peer(t_r=2, mask_img=MASK_IMG, smoothing_fwhm=fwhm).fit, again, EVENTS[0])
        assert_allclose(values_of(mine), values_of(other.compute_contrast("a")), atol=1e-9)


def test_values_that_are_missing_make_their_voxel_nan_and_no_other():
    where = np.argwhere(MASK)[[3, 20]]
    values = RUNS[0].get_fdata().astype(np.float32)
    clean = values_of(model().fit(nib.Nifti1Image(values.copy(), AFFINE), EVENTS[0]).compute_contrast("a"))
    values[(*where[0], 4)] = np.nan
    values[tuple(where[1])] = np.inf
    with pytest.warns(UserWarning, match="2 of .* voxels are NaN or infinite in some volumes"):
        fitted = model(minimize_memory=False).fit(nib.Nifti1Image(values, AFFINE), EVENTS[0])
    z = values_of(fitted.compute_contrast("a"))
    assert_array_equal(np.flatnonzero(np.isnan(z)), [3, 20])
    assert_allclose(np.delete(z, [3, 20]), np.delete(clean, [3, 20]), atol=1e-12)
    assert np.isnan(values_of(fitted.r_square_[0])).sum() == 2
    smoothed = nib.Nifti1Image(values, AFFINE)
    with pytest.warns(UserWarning, match="count as 0"):
        z = values_of(model(smoothing_fwhm=5).fit(smoothed, EVENTS[0]).compute_contrast("a"))
    assert np.isfinite(z).all()


def test_constant_voxels_have_no_z():
    values = RUNS[0].get_fdata().copy()
    where = np.argwhere(MASK)
    values[tuple(where[0])], values[tuple(where[1])] = 0, 123.4
    with pytest.warns(UserWarning, match=r"2 voxels have no variance .*\(2 are constant\)"):
        fitted = model().fit(nib.Nifti1Image(values, AFFINE), EVENTS[0])
    assert_array_equal(values_of(fitted.compute_contrast("a"))[:2], 0)
    assert_array_equal(values_of(fitted.compute_contrast("a", output_type="effect_size"))[:2], 0)


def test_planted_effects_come_back_and_null_voxels_have_unit_z():
    rng = np.random.default_rng(3)
    later = EVENTS[0].assign(onset=EVENTS[0]["onset"] + 130)
    design = make_first_level_design_matrix(np.arange(150) * 2.0, pd.concat([EVENTS[0], later]))
    planted = rng.random(SHAPE) < 0.3
    values = 1000 + rng.normal(size=(*SHAPE, 150)) * 5 + 40 * planted[..., None] * design["a"].to_numpy()
    img = nib.Nifti1Image(values, AFFINE)
    fitted = model(signal_scaling=False).fit(img, design_matrices=design)
    found = fitted.compute_contrast("a", output_type="all")
    off = np.abs(values_of(found["effect_size"]) - 40 * planted[MASK]) / np.sqrt(
        values_of(found["effect_variance"])
    )
    assert (off < 3).mean() > 0.98 and off.max() < 5
    null = values_of(fitted.compute_contrast("b"))[~planted[MASK]]
    assert 0.75 < null.std() < 1.25


# -- contrasts -----------------------------------------------------------------------------------------------


def test_a_run_that_lacks_a_condition_takes_no_part_and_is_named():
    events = [EVENTS[0], EVENTS[1].assign(trial_type="b")]
    fitted = model().fit(RUNS, events)
    with pytest.warns(UserWarning, match=r"Run 1 takes no part .* no column 'a'"):
        z = fitted.compute_contrast("a - b")
    assert_allclose(
        values_of(z), values_of(model().fit(RUNS[0], EVENTS[0]).compute_contrast("a - b")), atol=1e-12
    )
    with pytest.raises(ValueError, match="no column 'c'.* a, b,"):
        fitted.compute_contrast("c")


def test_a_list_has_a_contrast_for_each_run_and_stays_as_it_is():
    fitted = model().fit(RUNS, EVENTS)
    given = ["a", "b"]
    both = fitted.compute_contrast(given, output_type="effect_size")
    assert given == ["a", "b"]
    each = [
        model().fit(RUNS[i], EVENTS[i]).compute_contrast("ab"[i], output_type="effect_size") for i in (0, 1)
    ]
    assert_allclose(values_of(both), (values_of(each[0]) + values_of(each[1])) / 2, atol=1e-12)
    with pytest.warns(UserWarning, match="0 in run 1"):
        alone = fitted.compute_contrast([np.array([1.0]), np.array([0.0])], output_type="effect_size")
    assert_allclose(values_of(alone), values_of(each[0]), atol=1e-12)
    assert_allclose(
        values_of(fitted.compute_contrast(["a", None], output_type="effect_size")), values_of(each[0])
    )


@pytest.mark.parametrize(
    "contrast, error, message",
    [
        ("a > b", ValueError, "'>' means nothing.*a, b, drift_1"),
        ("a ** 2 - b", ValueError, "not expected"),
        (np.zeros(3), ValueError, "0 in all runs"),
        (np.ones(99), ValueError, "99 numbers is longer"),
        (["a", "b", "a"], ValueError, "list of 3 contrasts, and there are 2 runs"),
        ({"a": 1}, TypeError, "contrast_def must be"),
        (np.array([1, np.nan]), ValueError, "finite"),
    ],
    ids=["comparison", "power", "zero", "long", "three", "dict", "nan"],
)
def test_contrasts_that_mean_nothing_are_refused(contrast, error, message):
    fitted = model().fit(RUNS, EVENTS)
    with pytest.raises(error, match=message):
        quiet(fitted.compute_contrast, contrast)


def test_an_array_that_means_other_columns_in_other_runs_is_refused():
    events = [EVENTS[0], EVENTS[1].assign(trial_type=["b", "c"] * 5)]
    fitted = model().fit(RUNS, events)
    with pytest.raises(ValueError, match="Weight 0 of the contrast is of 'a' in run 0, 'b' in run 1"):
        fitted.compute_contrast(np.array([1.0, 0]))


def test_numbers_of_one_row_are_t_and_f_is_its_square():
    fitted = model().fit(RUNS[0], EVENTS[0])
    t = fitted.compute_contrast("a", output_type="stat")
    for same in (np.array([[1.0]]), [1, 0], np.array([1.0])):
        assert_array_equal(values_of(quiet(fitted.compute_contrast, same, output_type="stat")), values_of(t))
    f = fitted.compute_contrast("a", stat_type="F", output_type="stat")
    assert_allclose(values_of(f), values_of(t) ** 2, rtol=1e-10)
    with pytest.raises(ValueError, match="stat_type='t' is for one row"):
        quiet(fitted.compute_contrast, np.eye(2), stat_type="t")
    with pytest.raises(ValueError, match="output_type must be one of"):
        fitted.compute_contrast("a", output_type="zscore")


def test_a_contrast_that_cannot_be_estimated_is_nan_and_names_the_columns():
    confounds = CONFOUNDS[0].assign(twin=CONFOUNDS[0]["x"] * 2)
    with pytest.warns(UserWarning, match="depend on each other: x, twin"):
        fitted = model().fit(RUNS[0], EVENTS[0], confounds)
    with pytest.warns(UserWarning, match="it has x, which the columns twin cannot be told from"):
        assert np.isnan(values_of(fitted.compute_contrast("x"))).all()
    plain = model().fit(RUNS[0], EVENTS[0], CONFOUNDS[0])
    assert_allclose(
        values_of(fitted.compute_contrast("a - b")), values_of(plain.compute_contrast("a - b")), atol=1e-9
    )


def test_no_degrees_of_freedom_give_nan_with_a_warning():
    confounds = np.random.default_rng(0).normal(size=(60, 60))
    fitted = quiet(model().fit, RUNS[0], EVENTS[0], confounds)
    with pytest.warns(UserWarning, match="nothing is left to estimate the noise from"):
        assert np.isnan(values_of(fitted.compute_contrast("a"))).all()


# -- maskers, surfaces, CIFTI --------------------------------------------------------------------------------


def test_a_masker_is_used_as_it_is_and_left_as_it_is():
    masker = NiftiMasker(MASK_IMG, smoothing_fwhm=5, standardize="zscore_sample").fit()
    before = masker.get_params()
    fitted = model(mask_img=masker).fit(RUNS[0], EVENTS[0])
    assert fitted.masker_ is masker and masker.get_params() == before
    same = model(smoothing_fwhm=5).fit(RUNS[0], EVENTS[0])
    assert_allclose(
        values_of(fitted.compute_contrast("a")), values_of(same.compute_contrast("a")), atol=1e-10
    )
    with pytest.warns(UserWarning, match="smoothing_fwhm of the model are not used"):
        model(mask_img=masker, smoothing_fwhm=3).fit(RUNS[0], EVENTS[0])
    with pytest.raises(NotFittedError, match="not fitted"):
        model(mask_img=NiftiMasker(MASK_IMG)).fit(RUNS[0], EVENTS[0])


def test_regions_are_fitted_as_their_means():
    labels = nib.Nifti1Image(
        np.where(MASK, 1 + np.arange(SHAPE[0])[:, None, None] // 2, 0).astype("i4"), AFFINE
    )
    masker = NiftiLabelsMasker(labels).fit()
    fitted = model(mask_img=masker).fit(RUNS[0], EVENTS[0])
    means = masker.transform(RUNS[0])
    _, results = run_glm(100 * (means / means.mean(axis=0) - 1), fitted.design_matrices_[0])
    assert_allclose(
        np.sort(np.concatenate([r.theta[0] for r in results.values()])),
        np.sort(np.concatenate([r.theta[0] for r in fitted.results_[0].values()])),
        atol=1e-10,
    )
    assert fitted.compute_contrast("a").shape == SHAPE


def surface_run(n, seed):
    rng = np.random.default_rng(seed)
    mesh = PolyMesh(
        left=InMemoryMesh(rng.normal(size=(20, 3)), rng.integers(0, 20, (30, 3))),
        right=InMemoryMesh(rng.normal(size=(15, 3)), rng.integers(0, 15, (20, 3))),
    )
    data = {part: 100 + rng.normal(size=(k, n)) for part, k in (("left", 20), ("right", 15))}
    return SurfaceImage(mesh, data)


def test_surfaces_are_fitted_as_their_series_are():
    first = surface_run(60, 0)
    second = SurfaceImage(first.mesh, surface_run(75, 1).data)
    fitted = FirstLevelModel(t_r=2, minimize_memory=False, reports=False).fit(
        [first, second], EVENTS, CONFOUNDS, MASKS
    )
    effect = fitted.compute_contrast("a - b", output_type="effect_size")
    assert isinstance(effect, SurfaceImage) and effect.shape == (35,)
    expected = []
    for img, X, kept in zip((first, second), fitted.design_matrices_, MASKS, strict=True):
        series = np.vstack([img.data.parts["left"], img.data.parts["right"]])[:, kept].T
        labels, results = run_glm(100 * (series / series.mean(axis=0) - 1), X)
        if (np.diff(np.arange(img.shape[1])[kept]) == 1).all():
            beta = np.empty((X.shape[1], 35))
            for label, result in results.items():
                beta[:, labels == label] = result.theta
            expected.append(beta[0] - beta[1])
    found = np.concatenate([effect.data.parts["left"], effect.data.parts["right"]])
    assert_allclose(found, np.mean(expected, axis=0), atol=1e-8)
    assert fitted.residuals_[0].shape == (35, 55)
    masker = SurfaceMasker().fit(first)
    again = FirstLevelModel(t_r=2, mask_img=masker).fit([first, second], EVENTS, CONFOUNDS, MASKS)
    assert_allclose(
        again.compute_contrast("a").data.parts["left"], fitted.compute_contrast("a").data.parts["left"]
    )
    every = FirstLevelModel(t_r=2, mask_img=False, reports=False).fit(first, EVENTS[0])
    assert every.mask_img is False and every.n_elements_ == 35


def test_cifti_series_are_fitted_as_their_grayordinates(tmp_path):
    path = small_cifti.series(tmp_path, 60)
    fitted = FirstLevelModel(t_r=2, mask_img=False, minimize_memory=False).fit(
        path, EVENTS[0], CONFOUNDS[0], MASKS[0]
    )
    series = nib.load(path).get_fdata()[MASKS[0]]
    labels, results = run_glm(100 * (series / series.mean(axis=0) - 1), fitted.design_matrices_[0])
    assert_array_equal(labels, fitted.labels_[0])
    effect = fitted.compute_contrast("a - b", output_type="effect_size")
    assert isinstance(effect, nib.Cifti2Image)
    for label, result in results.items():
        assert_allclose(effect.get_fdata()[0, labels == label], result.theta[0] - result.theta[1], atol=1e-8)
    assert fitted.residuals_[0].shape == (55, series.shape[1])


def test_masks_are_computed_of_all_runs_or_are_all_points():
    fitted = quiet(FirstLevelModel(t_r=2, mask_img=False, reports=False).fit, RUNS[0], EVENTS[0])
    assert fitted.n_elements_ == np.prod(SHAPE) and fitted.mask_img is False
    img = run()
    values = img.get_fdata()
    values[:2] = 0.0
    computed = quiet(FirstLevelModel(t_r=2, reports=False).fit, nib.Nifti1Image(values, AFFINE), EVENTS[0])
    assert 0 < computed.n_elements_ < np.prod(SHAPE)
    assert not computed.mask_img_.get_fdata()[0].any()


def test_memory_keeps_fits_and_gives_the_same(tmp_path):
    first = model(memory=tmp_path).fit(RUNS[0], EVENTS[0]).compute_contrast("a")
    again = model(memory=tmp_path).fit(RUNS[0], EVENTS[0]).compute_contrast("a")
    other = model(memory=tmp_path, noise_model="ols").fit(RUNS[0], EVENTS[0]).compute_contrast("a")
    assert_array_equal(values_of(first), values_of(again))
    assert not np.array_equal(values_of(first), values_of(other))
    assert any(tmp_path.rglob("output.pkl"))


# -- parameters and inputs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters, given, error, message",
    [
        (dict(t_r=None), dict(events=EVENTS[0]), ValueError, "t_r, the seconds"),
        (dict(t_r=0), dict(events=EVENTS[0]), ValueError, "t_r"),
        (dict(slice_time_ref=1.5), dict(events=EVENTS[0]), ValueError, "slice_time_ref"),
        (dict(signal_scaling=True), dict(events=EVENTS[0]), ValueError, "signal_scaling"),
        (dict(signal_scaling=2), dict(events=EVENTS[0]), ValueError, "signal_scaling"),
        (dict(noise_model="ar"), dict(events=EVENTS[0]), ValueError, "noise_model"),
        (dict(standardize="z"), dict(events=EVENTS[0]), ValueError, "standardize"),
        (dict(), dict(), ValueError, "Neither events nor design_matrices"),
        (dict(), dict(events=EVENTS), ValueError, "events has 2 entries, run_imgs 1 runs"),
        (dict(), dict(events=EVENTS[0], confounds=CONFOUNDS[1]), ValueError, "75 rows.* 60"),
        (dict(), dict(design_matrices=np.ones((59, 2))), ValueError, "59 rows, .* 60 volumes"),
        (
            dict(),
            dict(events=EVENTS[0], confounds=SPOILT),
            ValueError,
            "'y', rows 3",
        ),
    ],
    ids=["no t_r", "t_r 0", "slice", "True", "2", "ar", "z", "nothing", "two", "rows", "design rows", "nan"],
)
def test_what_does_not_fit_is_named(parameters, given, error, message):
    with pytest.raises(error, match=message):
        model(**parameters).fit(RUNS[0], **given)


def test_a_fit_that_fails_leaves_no_fit():
    fitted = model().fit(RUNS[0], EVENTS[0])
    with pytest.raises(ValueError, match="Neither"):
        fitted.fit(RUNS[0])
    with pytest.raises(NotFittedError):
        fitted.compute_contrast("a")


def test_inputs_stay_as_they_are_and_models_are_cloned_and_pickled():
    events, confounds, runs = EVENTS[0].copy(), CONFOUNDS[0].copy(), RUNS[0].get_fdata().copy()
    fitted = model().fit(RUNS[0], events, confounds, list(range(55)))
    pd.testing.assert_frame_equal(events, EVENTS[0])
    pd.testing.assert_frame_equal(confounds, CONFOUNDS[0])
    assert_array_equal(RUNS[0].get_fdata(), runs)
    copy = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(values_of(copy.compute_contrast("a")), values_of(fitted.compute_contrast("a")))
    assert clone(fitted).get_params().keys() == fitted.get_params().keys()
    several = model(n_jobs=2).fit(RUNS, EVENTS).compute_contrast("a")
    assert_array_equal(values_of(several), values_of(model().fit(RUNS, EVENTS).compute_contrast("a")))


def test_designs_and_tables_are_taken_from_files_and_tuples(tmp_path):
    EVENTS[0].to_csv(tmp_path / "e.tsv", sep="\t", index=False)
    CONFOUNDS[0].to_csv(tmp_path / "c.tsv", sep="\t", index=False)
    from_files = model().fit((RUNS[0],), (tmp_path / "e.tsv",), (tmp_path / "c.tsv",))
    plain = model().fit(RUNS[0], EVENTS[0], CONFOUNDS[0])
    assert list(from_files.design_matrices_[0].columns) == list(plain.design_matrices_[0].columns)
    assert_allclose(
        values_of(from_files.compute_contrast("a")), values_of(plain.compute_contrast("a")), atol=1e-9
    )
    arrays = model().fit(RUNS[0], EVENTS[0], CONFOUNDS[0].to_numpy())
    assert "confound_2" in arrays.design_matrices_[0]
    assert_allclose(
        values_of(arrays.compute_contrast("a")), values_of(plain.compute_contrast("a")), atol=1e-11
    )
    bare = model().fit(RUNS[0], design_matrices=plain.design_matrices_[0].to_numpy())
    assert_allclose(
        values_of(bare.compute_contrast("column_0")), values_of(plain.compute_contrast("a")), atol=1e-11
    )


@pytest.mark.parametrize("name", [name for name in first_level.__all__ if hasattr(peer_room, name)])
def test_parameters_and_defaults_begin_as_the_peer_s(name):
    mine, others = (parameters_of(getattr(room, name)) for room in (first_level, peer_room))
    assert mine[: len(others)] == others


@pytest.mark.parametrize("method", ["fit", "compute_contrast"])
def test_methods_take_what_the_peer_s_take(method):
    mine, others = (parameters_of(getattr(one, method)) for one in (FirstLevelModel, Peer))
    assert mine[: len(others)] == others


def parameters_of(call):
    return [(p.name, p.default) for p in inspect.signature(call).parameters.values()]


@pytest.mark.parametrize("name", ["residuals", "predicted", "r_square"])
def test_names_that_nilearn_deprecates_give_those_that_replace_them(name):
    rng = np.random.default_rng(0)
    run = nib.Nifti1Image(100 + rng.normal(size=(3, 3, 3, 40)), np.eye(4))
    events = pd.DataFrame({"onset": [8.0, 40.0], "duration": 4.0, "trial_type": "a"})
    model = FirstLevelModel(t_r=2.0, mask_img=False, minimize_memory=False, noise_model="ols").fit(
        run, events
    )
    with pytest.warns(FutureWarning, match=f"{name} is deprecated; use {name}_"):
        (old,) = getattr(model, name)
    (new,) = getattr(model, f"{name}_")
    np.testing.assert_array_equal(old.get_fdata(), new.get_fdata())


def test_a_time_in_milliseconds_is_told():
    run = nib.Nifti1Image(100 + np.random.default_rng(0).normal(size=(3, 3, 3, 40)), np.eye(4))
    events = pd.DataFrame({"onset": [8.0, 40.0], "duration": 4.0, "trial_type": "a"})
    with pytest.raises(ValueError, match="t_r is in seconds; 2200 was given.*Give 2.2"):
        FirstLevelModel(t_r=2200, mask_img=False).fit(run, events)
