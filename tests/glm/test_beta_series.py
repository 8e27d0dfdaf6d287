"""Beta series: each trial by a full fit of its own, all in one by a model of renamed trials."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tests.glm.test_first_level import AFFINE, CONFOUNDS, RUNS, SHAPE, model, quiet, values_of

from brainsieve.glm.first_level import FirstLevelModel, beta_series

EVENTS = pd.DataFrame(
    {
        "onset": np.arange(8) * 13.0 + 3,
        "duration": 1.5,
        "trial_type": ["a", "b", "b", "a", "c", "b", "a", "c"],
    }
)
KEPT = np.delete(np.arange(60), [9, 10, 33, 59])


def by_fits(one, events, separate, img=RUNS[0], sample_mask=None):
    """The effect of each trial by fits of whole models."""
    found = []
    together = events.astype({"trial_type": object})
    together["trial_type"] = [f"t{i}" for i in range(len(events))]
    given = (CONFOUNDS[0], sample_mask)
    fitted = None if separate else quiet(FirstLevelModel(**one.get_params()).fit, img, together, *given)
    for i in range(len(events)):
        if separate:
            alone = events.astype({"trial_type": object})
            alone.loc[i, "trial_type"] = f"t{i}"
            fitted = quiet(FirstLevelModel(**one.get_params()).fit, img, alone, *given)
        found.append(values_of(fitted.compute_contrast(f"t{i}", output_type="effect_size")))
    return np.stack(found)


@pytest.mark.parametrize("method", ["lss", "lsa"])
@pytest.mark.parametrize("noise", ["ols", "ar1"])
@pytest.mark.parametrize("hrf_model", ["glover", "SPM + derivative"])
@pytest.mark.parametrize("sample_mask", [None, KEPT], ids=["whole", "censored"])
def test_each_trial_is_what_a_fit_of_its_own_gives(method, noise, hrf_model, sample_mask):
    one = model(hrf_model=hrf_model, noise_model=noise, random_state=0)
    before = one.get_params()
    found = beta_series(one, RUNS[0], EVENTS, CONFOUNDS[0], sample_mask, method=method)
    expected = by_fits(one, EVENTS, method == "lss", sample_mask=sample_mask)
    assert_allclose(found.effects, expected, atol=1e-9)
    assert one.get_params() == before and not one.__sklearn_is_fitted__()
    assert list(found.trials["trial"]) == [
        *("a__001", "b__001", "b__002", "a__002", "c__001", "b__003", "a__003", "c__002")
    ]
    for condition in "abc":
        mine = (found.trials["trial_type"] == condition).to_numpy()
        assert_array_equal(values_of(found.images[condition]).T, found.effects[mine])


@pytest.mark.parametrize(
    "parameters",
    [
        dict(smoothing_fwhm=5.0),
        dict(signal_scaling=1),
        dict(signal_scaling=False),
        dict(standardize=True),
        dict(exact=True),
    ],
    ids=str,
)
def test_scaling_smoothing_and_exact_designs_are_those_of_the_model(parameters):
    one = model(**parameters)
    found = beta_series(one, RUNS[0], EVENTS, CONFOUNDS[0])
    assert_allclose(found.effects, by_fits(one, EVENTS, True), atol=1e-9)


def test_runs_follow_one_another_and_other_conditions_stay_conditions():
    found = beta_series(model(), [RUNS[0], RUNS[0]], [EVENTS, EVENTS], conditions=["a", "c"])
    alone = beta_series(model(), RUNS[0], EVENTS, conditions=["a", "c"])
    assert_array_equal(found.effects, np.concatenate([alone.effects] * 2))
    assert list(found.trials["run"]) == [0] * 5 + [1] * 5
    assert set(found.images) == {"a", "c"}
    renamed = EVENTS.astype({"trial_type": object})
    renamed.loc[0, "trial_type"] = "one"
    fitted = model().fit(RUNS[0], renamed)
    assert_allclose(
        alone.effects[0], values_of(fitted.compute_contrast("one", output_type="effect_size")), atol=1e-9
    )


def test_a_table_in_any_order_gives_trials_in_the_order_of_time():
    shuffled = EVENTS.sample(frac=1, random_state=0)
    found, plain = (beta_series(model(), RUNS[0], table) for table in (shuffled, EVENTS))
    assert_allclose(found.effects, plain.effects, atol=1e-10)
    pd.testing.assert_frame_equal(found.trials, plain.trials)


def test_a_trial_outside_the_run_is_nan_and_named():
    events = EVENTS.copy()
    events.loc[7, "onset"] = 500.0
    with pytest.warns(UserWarning, match="cannot be told .*: c__002"):
        found = beta_series(model(), RUNS[0], events)
    assert np.isnan(found.effects[7]).all() and np.isfinite(found.effects[:7]).all()


def test_planted_trials_come_back():
    rng = np.random.default_rng(0)
    sizes = np.array([1.0, 2, 3, 1, 2, 3, 1, 2])
    from brainsieve.glm.first_level import compute_regressor

    signal = sum(
        size * compute_regressor([[on], [1.5], [1]], "glover", np.arange(60) * 2.0)[0][:, 0]
        for on, size in zip(EVENTS["onset"], sizes, strict=True)
    )
    img = nib.Nifti1Image(100 + signal + rng.normal(size=(*SHAPE, 60)) * 0.01, AFFINE)
    for method in ("lss", "lsa"):
        found = beta_series(model(signal_scaling=False), img, EVENTS, method=method)
        if method == "lsa":
            assert_allclose(found.effects.mean(axis=1), sizes, atol=0.05)
        assert np.corrcoef(found.effects.mean(axis=1), sizes)[0, 1] > 0.9


@pytest.mark.parametrize(
    "given, message",
    [
        (dict(conditions=["d"]), "no run has d; there are a, b, c"),
        (dict(method="ls"), "method must be one of"),
    ],
    ids=["condition", "method"],
)
def test_what_is_not_there_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        beta_series(model(), RUNS[0], EVENTS, **given)


def test_models_without_a_main_column_are_refused():
    with pytest.raises(ValueError, match="hrf_model is 'fir'"):
        beta_series(model(hrf_model="fir"), RUNS[0], EVENTS)
