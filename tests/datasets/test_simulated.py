"""Simulated data: what is said to be planted is what an independent analysis finds, and seeds are kept."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage, stats
from scipy.integrate import quad
from sklearn.utils import Bunch

from brainsieve import datasets
from brainsieve.datasets import (
    simulate_atlas,
    simulate_bids,
    simulate_contrasts,
    simulate_decoding,
    simulate_rest,
    simulate_task,
    simulate_template,
    simulate_visual,
)

IN_MEMORY = [
    simulate_template,
    simulate_atlas,
    simulate_rest,
    simulate_task,
    simulate_decoding,
    simulate_visual,
    simulate_contrasts,
]
SEEDED = IN_MEMORY[1:]


def data_of(img):
    return np.asarray(img.dataobj)


def voxels(img, mask):
    """(n_samples, n_voxels)."""
    return data_of(img)[data_of(mask) > 0].T.astype(float)


def flat(thing):
    """Every array of a data set, in order."""
    if isinstance(thing, dict):
        return [each for key in sorted(thing) for each in flat(thing[key])]
    if isinstance(thing, list | tuple):
        return [each for part in thing for each in flat(part)]
    if hasattr(thing, "dataobj"):
        return [data_of(thing), thing.affine]
    if isinstance(thing, pd.DataFrame):
        return [thing.to_numpy()]
    return [] if callable(thing) else [np.asarray(thing)]


def same(one, other):
    return all(pd.Series(a.ravel()).equals(pd.Series(b.ravel())) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("simulate", SEEDED)
def test_equal_seeds_give_equal_data_and_others_give_others(simulate):
    first = flat(simulate(random_state=3))
    assert same(first, flat(simulate(random_state=3)))
    other = flat(simulate(random_state=4))
    assert [each.shape for each in first] != [each.shape for each in other] or not same(first, other)
    drawn, again = (flat(simulate(random_state=np.random.default_rng(3))) for _ in range(2))
    assert same(drawn, again)


@pytest.mark.parametrize("simulate", IN_MEMORY)
def test_data_are_small_described_and_on_one_grid_in_space(simulate):
    data = simulate()
    assert isinstance(data, Bunch) and isinstance(data.truth, Bunch) and data.description
    total = sum(each.nbytes for each in flat({k: v for k, v in data.items() if k != "truth"}))
    assert total < 10e6
    affine = simulate_template().t1w.affine
    for img in [each for each in [*data.values(), *data.get("func", [])] if hasattr(each, "affine")]:
        assert_array_equal(img.affine, affine)
        assert img.get_sform(coded=True)[1] == 4 and img.header.get_xyzt_units() == ("mm", "sec")


@pytest.mark.parametrize("simulate", [simulate_rest, simulate_task, simulate_decoding, simulate_visual])
def test_runs_know_their_time_and_are_nothing_outside_the_brain(simulate):
    data = simulate(t_r=1.5)
    for img in data.func:
        assert img.header.get_zooms()[3] == pytest.approx(1.5) and data.t_r == 1.5
        assert not data_of(img)[data_of(data.mask) == 0].any()
        assert voxels(img, data.mask).mean() == pytest.approx(1000, rel=0.02)


@pytest.mark.parametrize("random_state", [-1, 1.5, "a", True])
@pytest.mark.parametrize("simulate", SEEDED)
def test_a_seed_that_is_none_is_refused(simulate, random_state):
    with pytest.raises(ValueError, match="random_state must be"):
        simulate(random_state=random_state)


@pytest.mark.parametrize(
    "simulate, parameters, message",
    [
        (simulate_template, {"shape": (4, 9, 9)}, "shape must be at least 8"),
        (simulate_template, {"shape": (9, 9)}, "shape must be three numbers"),
        (simulate_template, {"resolution": 0}, "resolution must be finite and positive"),
        (simulate_atlas, {"n_regions": 2, "n_networks": 3}, "n_networks must be at most n_regions=2"),
        (simulate_atlas, {"n_regions": 10_000}, "10000 places were asked for in the"),
        (simulate_atlas, {"kind": "label"}, "Did you mean 'labels'"),
        (simulate_rest, {"snr": 0}, "snr must be finite and positive"),
        (simulate_rest, {"age_effect": 1}, "age_effect must be a number from -0.999"),
        (simulate_rest, {"atlas": "schaefer"}, "atlas must be what simulate_atlas returns"),
        (simulate_rest, {"atlas": simulate_atlas(n_networks=1)}, "atlas must have two networks"),
        (simulate_task, {"conditions": []}, "conditions must be a list of names"),
        (simulate_task, {"conditions": "face"}, "conditions must be a list of names"),
        (simulate_task, {"conditions": ["a", "a"]}, "conditions must differ"),
        (simulate_task, {"spacing": -1}, "spacing must be finite and positive"),
        (simulate_decoding, {"n_classes": 9}, "n_classes must be at most 8"),
        (simulate_decoding, {"n_runs": 1}, "n_runs must be at least 2"),
        (simulate_visual, {"n_pixels": 21}, "n_pixels must be at most 20"),
        (simulate_visual, {"n_volumes": 3}, "n_volumes must be at least 20"),
        (simulate_contrasts, {"n_subjects": 5, "dropout": 5}, "dropout must be less than n_subjects=5"),
        (simulate_contrasts, {"effect": np.nan}, "effect must be a number"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or ("" if isinstance(value, dict) else value),
)
def test_wrong_parameters_are_named(simulate, parameters, message):
    with pytest.raises(ValueError, match=message):
        simulate(**parameters)


def test_a_map_of_another_grid_is_no_atlas_of_a_simulated_brain():
    atlas = simulate_atlas()
    moved = atlas.maps.__class__(data_of(atlas.maps), atlas.maps.affine + np.eye(4, k=3))
    with pytest.raises(ValueError, match="atlas must be on the grid of a simulated brain"):
        simulate_rest(1, Bunch(**{**atlas, "maps": moved}))


@pytest.mark.parametrize("shape, resolution", [((16, 18, 14), 10.0), ((23, 20, 31), 4.0)])
def test_a_brain_is_an_ellipsoid_of_three_tissues(shape, resolution):
    data = simulate_template(shape, resolution)
    inside = data_of(data.mask) > 0
    volume = 4 / 3 * np.pi * np.prod(data.truth.radii_mm) / resolution**3
    assert inside.sum() == pytest.approx(volume, rel=0.03)
    assert_allclose(
        data.mask.affine[:3, :3] @ ndimage.center_of_mass(inside) + data.mask.affine[:3, 3],
        data.truth.centre_mm,
        atol=1e-6,
    )
    tissues = [data_of(data[name]) for name in ("csf", "wm", "gm")]
    assert_allclose(sum(tissues)[inside], 1, atol=1e-6)
    assert not any(tissue[~inside].any() for tissue in tissues)
    distance = [(ndimage.distance_transform_edt(inside) * tissue).sum() / tissue.sum() for tissue in tissues]
    assert distance[0] > distance[1] > distance[2]  # fluid deepest
    faces = [np.moveaxis(inside, axis, 0)[[0, -1]] for axis in range(3)]
    assert not any(face.any() for face in faces)


@pytest.mark.parametrize("n_regions", [1, 12, 40])
def test_labels_are_connected_regions_around_their_centres(n_regions):
    atlas = simulate_atlas(n_regions, n_networks=1)
    labels = data_of(atlas.maps)
    assert_array_equal(np.unique(labels), np.arange(n_regions + 1))
    assert (
        atlas.lut["index"].tolist() == list(range(1, n_regions + 1))
        and atlas.lut["name"].tolist() == atlas.labels
    )
    voxel = np.linalg.solve(atlas.maps.affine, np.c_[atlas.truth.centres_mm, np.ones(n_regions)].T)[:3]
    assert_array_equal(labels[tuple(voxel.round().astype(int))], np.arange(1, n_regions + 1))
    assert_allclose(atlas.region_coords, atlas.truth.centres_mm)
    whole = np.ones((3, 3, 3))
    assert all(ndimage.label(labels == n, whole)[1] == 1 for n in range(1, n_regions + 1))


def test_maps_peak_at_the_centres_and_networks_share_the_regions():
    atlas = simulate_atlas(10, "maps", n_networks=3)
    maps = data_of(atlas.maps)
    for row, centre in zip(np.moveaxis(maps, 3, 0), atlas.truth.centres_mm, strict=True):
        peak = np.unravel_index(row.argmax(), row.shape)
        assert_allclose(atlas.maps.affine[:3, :3] @ peak + atlas.maps.affine[:3, 3], centre)
    assert maps.max() == 1 and maps.min() == 0
    assert sorted(np.bincount(atlas.truth.network)) == [3, 3, 4]
    assert atlas.networks == [f"network {n + 1}" for n in atlas.truth.network]


def regional(data, run):
    """Means of labels, by definition."""
    labels, values = data_of(data.atlas.maps), data_of(data.func[run])
    return np.stack([values[labels == n].mean(axis=0) for n in range(1, labels.max() + 1)], axis=1)


def cleaned(series, confounds):
    """Residuals of motion, tissues and a line, by least squares."""
    columns = [c for c in confounds if c.startswith(("trans", "rot", "csf", "white"))]
    X = np.c_[confounds[columns], np.arange(len(series)), np.ones(len(series))]
    return series - X @ np.linalg.lstsq(X, series, rcond=None)[0]


def test_signals_of_regions_have_the_covariance_that_is_told():
    data = simulate_rest(4, n_volumes=4000, random_state=1)
    for signals, truth in zip(data.truth.signals, data.truth.covariance, strict=True):
        assert_allclose(np.cov(signals.T), truth, atol=0.1)
        lagged = np.mean(signals[1:] * signals[:-1])
        assert lagged == pytest.approx(data.truth.autocorrelation, abs=0.03)
        assert np.linalg.eigvalsh(truth).min() > 0


def test_without_artefacts_means_of_regions_are_the_signals_in_percent_and_noise_has_its_size():
    data = simulate_rest(1, artefact_level=0, snr=2.0)
    labels = data_of(data.atlas.maps)
    counts = np.bincount(labels.ravel())[1:]
    rest = regional(data, 0) - 1000 - 10 * data.truth.signals[0]
    assert_allclose(rest.std(axis=0), 10 / 2.0 / np.sqrt(counts), rtol=0.35)
    outside = (labels == 0) & (data_of(data.mask) > 0)
    assert data_of(data.func[0])[outside].std() == pytest.approx(5, rel=0.02)


def test_confounds_explain_the_artefacts():
    data = simulate_rest(3, n_volumes=200, artefact_level=2.0, snr=4)
    for run, truth in enumerate(data.truth.signals):
        raw = regional(data, run)
        clean = cleaned(raw, data.confounds[run])
        of = [
            np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(s.T, truth.T, strict=True)])
            for s in (raw, clean)
        ]
        assert of[1] > 0.93 and of[0] < of[1] - 0.1, of


def test_confounds_are_measured_in_the_run():
    data = simulate_rest(1)
    table, values = data.confounds[0], voxels(data.func[0], data.mask)
    assert_allclose(table["global_signal"], values.mean(axis=1), rtol=1e-5)
    steps = np.abs(np.diff(table[["trans_x", "trans_y", "trans_z"]].to_numpy(), axis=0)).sum(axis=1)
    turns = np.abs(np.diff(table[["rot_x", "rot_y", "rot_z"]].to_numpy(), axis=0)).sum(axis=1)
    assert np.isnan(table["framewise_displacement"][0])
    assert_allclose(table["framewise_displacement"][1:], steps + 50 * turns)
    components = table[[f"a_comp_cor_{k:02d}" for k in range(6)]].to_numpy()
    assert_allclose(components.T @ components, np.eye(6), atol=1e-10)
    brain = simulate_template()
    fluid = voxels(data.func[0], data.mask)[:, data_of(brain.csf)[data_of(brain.mask) > 0] > 0.9].mean(axis=1)
    assert np.corrcoef(fluid, table["csf"])[0, 1] > 0.9


def test_age_acts_on_the_edges_that_are_told_and_on_no_others():
    data = simulate_rest(40, n_volumes=150, artefact_level=0, random_state=2)
    ages = data.phenotypic["Age"].to_numpy()
    assert data.phenotypic["Child_Adult"].tolist() == ["child", "adult"] * 20
    assert ((ages >= 18) == (data.phenotypic["Child_Adult"] == "adult")).all()
    matrices = np.stack([np.corrcoef(regional(data, run).T) for run in range(40)])
    slopes = np.array([[stats.linregress(ages, row).slope for row in rows] for rows in matrices.T])
    upper, edges = np.triu(np.ones_like(slopes, dtype=bool), 1), data.truth.age_edges
    assert edges.any() and slopes[upper & edges].min() > slopes[upper & ~edges].max()
    # 0.6 of each region is its network's, and what noise takes off.
    assert slopes[upper & edges].mean() * 35 == pytest.approx(0.8 * 0.6, rel=0.25)


def test_the_response_is_the_integral_of_two_gammas():
    respond = simulate_task(n_trials=1).truth.response

    def density(t):
        return (stats.gamma.pdf(t, 6) - stats.gamma.pdf(t, 16) / 6) * 6 / 5

    for t in (-1.0, 0.5, 5.0, 17.0):
        expected = quad(density, t - 3, t, points=[0.0] if t > 0 > t - 3 else None)[0]
        assert respond(t, 3.0) == pytest.approx(expected, abs=1e-7)


def trialwise(data, run):
    """Least squares of all trials at once, in percent: (n_trials, n_voxels)."""
    events, Y = data.events[run], voxels(data.func[run], data.mask)
    times = np.arange(len(Y)) * data.t_r
    X = np.stack(
        [data.truth.response(times - row.onset, row.duration) for row in events.itertuples()], axis=1
    )
    X = np.c_[X, np.ones(len(Y))]
    return np.linalg.lstsq(X, Y / 10, rcond=None)[0][:-1]


def test_single_trials_are_the_amplitudes_that_are_told():
    data = simulate_task(spacing=20, n_trials=10, snr=50, random_state=5)
    inside = data_of(data.mask) > 0
    found = trialwise(data, 0)
    for name, img in data.truth.site_masks.items():
        site = data_of(img)[inside] > 0
        assert_allclose(found[:, site].mean(axis=1), data.truth.amplitudes[0][name], atol=0.2)


def test_effects_of_conditions_and_noise_are_those_that_are_told():
    data = simulate_task(("go", "stop", "wait"), n_runs=3, n_trials=12, snr=3, random_state=1)
    inside = data_of(data.mask) > 0
    found = {name: [] for name in data.truth.effects}
    for run in range(3):
        trials = trialwise(data, run)
        for name in found:
            found[name].append(trials[(data.events[run]["trial_type"] == name).to_numpy()].mean(axis=0))
    for name, img in data.truth.effects.items():
        truth, mean = data_of(img)[inside], np.mean(found[name], axis=0)
        own = data_of(data.truth.site_masks[name])[inside] > 0
        assert set(np.unique(truth)) == {0.0, 5.0} and (truth[own] == 5).all()
        assert mean[own].mean() == pytest.approx(5, abs=0.6) and abs(mean[truth == 0].mean()) < 0.2
        others = [n for n in found if n != name]
        assert all(abs(np.mean(found[n], axis=0)[own].mean()) < 0.8 for n in others)
    quiet = np.ones(inside.sum(), dtype=bool)
    for img in data.truth.site_masks.values():
        quiet &= data_of(img)[inside] == 0
    noise = voxels(data.func[0], data.mask)[:, quiet] / 10 - 100
    assert noise.std() == pytest.approx(data.truth.noise_level, rel=0.03)
    assert np.mean(noise[1:] * noise[:-1]) / noise.var() == pytest.approx(0.3, abs=0.02)
    peak = 5 * data.truth.response(np.arange(0, 30, 0.01), 2.0).max()
    assert peak / data.truth.noise_level == pytest.approx(3, rel=1e-3)


def test_trials_of_hub_and_partner_go_together_in_one_condition_only():
    data = simulate_task(n_trials=400, random_state=2)
    amplitudes, kinds = data.truth.amplitudes[0], data.events[0]["trial_type"]
    for name, truth in data.truth.trial_correlation.items():
        with np.errstate(invalid="ignore"):
            found = np.corrcoef(amplitudes[kinds == name].to_numpy().T)
        varies = ~np.isnan(np.diag(truth))
        assert_allclose(found[np.ix_(varies, varies)], truth[np.ix_(varies, varies)], atol=0.15)
        sites = list(amplitudes)
        assert truth[sites.index("hub"), sites.index(f"partner in {name}")] == 0.9
        assert list(np.array(sites)[~varies]) == ["face", "house"]


def test_categories_have_the_patterns_that_are_told_in_each_run():
    data = simulate_decoding(4, 5, snr=2.0)
    table, values = data.session_target[0], voxels(data.func[0], data.mask) / 10
    assert len(table) == len(values) and sorted(set(table["chunks"])) == list(range(5))
    inside = data_of(data.mask) > 0
    names, means = sorted(data.truth.patterns), []
    for name in [*names, "rest"]:
        rows = [values[((table["labels"] == name) & (table["chunks"] == run)).to_numpy()] for run in range(5)]
        assert all(len(each) == (4 if name != "rest" else 10) for each in rows)
        means.append(np.mean([each.mean(axis=0) for each in rows], axis=0))
    vt = data_of(data.mask_vt[0])[inside] > 0
    for name, mean in zip(names, means, strict=False):
        pattern = data_of(data.truth.patterns[name])[inside]
        own = [
            np.corrcoef((mean - means[-1])[vt], data_of(data.truth.patterns[n])[inside][vt])[0, 1]
            for n in names
        ]
        assert names[int(np.argmax(own))] == name and max(own) > 0.9
        assert not pattern[~vt].any()
    for name in ("face", "house"):
        cluster = data_of(data[f"mask_{name}"][0])[inside] > 0
        assert cluster.any() and vt[cluster].all()
        mean = means[names.index(name)] - means[-1]
        assert mean[cluster].mean() == pytest.approx(2, abs=0.8)
    noise = values[:, ~vt] - 100
    polyfit = np.polynomial.polynomial.polyfit
    within = [noise[(table["chunks"] == run).to_numpy()] for run in range(5)]
    X = np.c_[np.ones(len(within[0])), np.arange(len(within[0]))]
    sizes = [(w - X @ polyfit(X[:, 1], w, 1)).std() for w in within]
    assert np.mean(sizes) == pytest.approx(data.truth.noise_level, rel=0.1)


def test_receptive_fields_are_what_pictures_of_two_volumes_ago_tell():
    data = simulate_visual(5, 3, n_volumes=150, snr=4)
    inside = data_of(data.mask) > 0
    fields = data_of(data.truth.receptive_fields)[inside]
    patch = data_of(data.mask_roi[0])[inside] > 0
    assert not fields[~patch].any() and data.truth.delay == 2
    X, Y = [], []
    for img, label in zip(data.func, data.label, strict=True):
        assert set(np.unique(label)) == {-1, 0, 1}
        assert (label[:5] == -1).all() and (label[-5:] == -1).all()
        X.append(np.where(label < 0, 0, label)[:-2])
        Y.append(voxels(img, data.mask)[2:] / 10 - 100)
    X, Y = np.concatenate(X), np.concatenate(Y)
    found = np.linalg.lstsq(X, Y, rcond=None)[0].T
    assert np.corrcoef(found[patch].ravel(), fields[patch].ravel())[0, 1] > 0.98
    # The first pixel is above on the left, the last below on the right.
    where = np.argwhere(data_of(data.mask) > 0)[patch]
    first, last = where[fields[patch][:, 0].argmax()], where[fields[patch][:, -1].argmax()]
    assert first[2] > last[2] and first[0] < last[0]
    signal = X @ fields[patch].T
    power = np.sqrt(np.mean(signal[8:138].var(axis=0)))
    assert power / data.truth.noise_level == pytest.approx(4, rel=0.2)


def test_contrasts_have_a_mean_and_a_slope_where_it_is_told():
    data = simulate_contrasts(60, random_state=4)
    maps = np.stack([data_of(img)[data_of(data.mask) > 0] for img in data.cmaps])
    score = data.ext_vars["score"].to_numpy()
    X = np.c_[np.ones(60), (score - score.mean()) / score.std()]
    mean, slope = np.linalg.lstsq(X, maps, rcond=None)[0]
    for found, name in ((mean, "mean"), (slope, "score")):
        truth = data_of(data.truth[f"{name}_effect"])[data_of(data.mask) > 0]
        site = data_of(data.truth[f"{name}_site"])[data_of(data.mask) > 0] > 0
        assert found[site].mean() == pytest.approx(truth[site].mean(), abs=0.12) and (truth[site] > 0).all()
        assert not truth[~site].any() and abs(found[~site].mean()) < 0.05
    assert (maps - X @ [mean, slope]).std(ddof=0) == pytest.approx(1, rel=0.03)
    assert_allclose(data.truth.score, X[:, 1], atol=1e-10)


def test_people_who_dropped_out_have_maps_and_no_score():
    data = simulate_contrasts(6, dropout=2)
    assert data.ext_vars["score"].isna().tolist() == [True] * 2 + [False] * 4
    assert len(data.cmaps) == 6 and not simulate_contrasts(6).ext_vars["score"].isna().any()


def test_a_folder_is_of_fmripreps_form_and_its_confounds_load(tmp_path):
    from brainsieve.interfaces.fmriprep import load_confounds

    data = simulate_bids(tmp_path / "new" / "folder", 2, n_volumes=100, random_state=7)
    assert [path.name.split("_")[0] for path in data.func] == ["sub-01", "sub-02"]
    for k, strategy in enumerate(
        (["motion", "high_pass", "wm_csf", "global_signal"], ["high_pass", "compcor"])
    ):
        options = (
            {"motion": "full", "wm_csf": "full", "global_signal": "full"} if k == 0 else {"n_compcor": 6}
        )
        table, _ = load_confounds(str(data.func[k]), strategy, **options)
        assert len(table) == 100 and not table.isna().any().any()
        assert table.shape[1] == (24 + 8 + 4 + 3 if k == 0 else 6 + 3)
    assert json.loads((data.folder / "dataset_description.json").read_text())["DatasetType"] == "derivative"
    with pytest.raises(FileExistsError, match="folder must be new or empty"):
        simulate_bids(data.folder)


def test_a_folder_is_the_same_in_every_byte_for_one_seed(tmp_path):
    one, other = (simulate_bids(tmp_path / name, 1, n_volumes=20).folder for name in "ab")
    files = sorted(path.relative_to(one) for path in one.rglob("*.tsv"))
    assert len(files) == 2
    assert all((one / name).read_bytes() == (other / name).read_bytes() for name in files)


def test_a_cohort_finds_the_covariance_that_was_planted(tmp_path):
    from brainsieve import cohort

    data = simulate_bids(tmp_path / "in", 2, n_volumes=240, snr=3, random_state=1)
    plan = cohort.plan(data.folder, tmp_path / "out", [data.atlas], ["24P"], low_pass=None)
    assert plan["problems"].map(len).tolist() == [0, 0]
    assert cohort.run(plan)["status"].tolist() == ["done", "done"]
    matrices = sorted((tmp_path / "out").rglob("*relmat.tsv"))
    names = pd.read_csv(data.atlas.parent / "tpl-MNI152NLin2009cAsym_atlas-Simulated_dseg.tsv", sep="\t")[
        "name"
    ]
    for path, truth in zip(matrices, data.truth.covariance, strict=True):
        found = pd.read_csv(path, sep="\t", index_col=0)
        assert list(found.columns) == names.tolist()
        upper = np.triu_indices(len(truth), 1)
        within, between = (
            found.to_numpy()[upper][truth[upper] == 0.6],
            found.to_numpy()[upper][truth[upper] < 0.6],
        )
        assert within.min() > between.max() - 0.15 and within.mean() > between.mean() + 0.2


def test_a_task_on_disk_has_the_events_of_each_run(tmp_path):
    data = simulate_bids(tmp_path, 2, kind="task", n_runs=2, n_trials=3)
    assert [path.name for path in data.events[:2]] == [f"sub-01_task-task_run-{k}_events.tsv" for k in (1, 2)]
    assert len(data.func) == len(data.confounds) == len(data.events) == 4 and len(data.truth) == 2
    for path, truth in zip(data.events, [a for t in data.truth for a in t.amplitudes], strict=True):
        kinds = pd.read_csv(path, sep="\t")["trial_type"]
        assert len(kinds) == 6
        # Its own site answers to a condition, and so tells which trials are of it.
        assert ((kinds == "face") == (truth["face"] != 0)).all()
    assert "events" not in simulate_bids(tmp_path / "rest", 1, n_volumes=20)


def test_parameters_of_a_folder_are_those_of_its_simulation(tmp_path):
    with pytest.raises(TypeError, match="n_trials"):
        simulate_bids(tmp_path, kind="rest", n_trials=3)
    assert list(tmp_path.iterdir()) == []
    assert set(datasets.__all__) >= {each.__name__ for each in [*IN_MEMORY, simulate_bids]}
