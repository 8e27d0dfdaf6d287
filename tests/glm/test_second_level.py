"""Models of groups: against SciPy, plain least squares and nilearn; maps and designs are matched by label."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import surfaces
from nilearn.glm import second_level as peer
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from brainsieve.glm.first_level import FirstLevelModel
from brainsieve.glm.second_level import SecondLevelModel, make_second_level_design_matrix
from brainsieve.maskers import NiftiMasker

SHAPE, N = (5, 6, 4), 11
AFFINE = np.array([[-2.0, 0, 0, 8], [0, 2.0, 0, -5], [0, 0, 3.0, 1], [0, 0, 0, 1]])
LABELS = [f"{i:02d}" for i in range(N)]
OUTPUTS = ["z_score", "stat", "p_value", "effect_size", "effect_variance"]


def volume(values) -> nib.Nifti1Image:
    return nib.Nifti1Image(values, AFFINE)


def group_maps(dtype=np.float64) -> list[nib.Nifti1Image]:
    rng = np.random.default_rng(8)
    return [volume((rng.normal(size=SHAPE) + 0.4).astype(dtype)) for _ in range(N)]


def design() -> pd.DataFrame:
    rng = np.random.default_rng(9)
    return pd.DataFrame({"age": rng.normal(40, 9, N), "group": np.arange(N) % 2.0, "intercept": 1.0})


def mask() -> nib.Nifti1Image:
    return volume((np.random.default_rng(1).random(SHAPE) < 0.8).astype(np.uint8))


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> pd.DataFrame:
    """Maps of eleven subjects on disk, not in the order of their labels."""
    folder = tmp_path_factory.mktemp("maps")
    rows = []
    for label, img in zip(LABELS, group_maps(), strict=True):
        nib.save(img, folder / f"{label}.nii")
        rows.append(
            {"subject_label": label, "map_name": "face", "effects_map_path": str(folder / f"{label}.nii")}
        )
    return pd.DataFrame(rows).iloc[np.random.default_rng(4).permutation(N)].reset_index(drop=True)


# -- numbers -----------------------------------------------------------------------------------------------


def test_an_intercept_alone_is_the_one_sample_t_test():
    model = SecondLevelModel(mask()).fit(group_maps(), design_matrix=pd.DataFrame({"intercept": np.ones(N)}))
    inside = mask().get_fdata() != 0
    expected = stats.ttest_1samp([img.get_fdata()[inside] for img in group_maps()], 0, alternative="greater")
    found = model.compute_contrast(output_type="all")
    assert_allclose(found["stat"].get_fdata()[inside], expected.statistic, rtol=1e-12)
    assert_allclose(found["p_value"].get_fdata()[inside], expected.pvalue, rtol=1e-9)
    assert_allclose(
        found["z_score"].get_fdata()[inside], stats.norm.isf(expected.pvalue), rtol=1e-9, atol=1e-12
    )
    assert not found["stat"].get_fdata()[~inside].any()


def test_f_is_what_leaving_columns_out_costs():
    X, Y = design().to_numpy(), np.stack([img.get_fdata().ravel() for img in group_maps()])

    def left(columns):
        return Y - columns @ np.linalg.lstsq(columns, Y, rcond=None)[0]

    whole, reduced = (left(x) ** 2 for x in (X, X[:, 2:]))
    expected = ((reduced.sum(axis=0) - whole.sum(axis=0)) / 2) / (whole.sum(axis=0) / (N - 3))
    everything = volume(np.ones(SHAPE, np.uint8))
    model = SecondLevelModel(everything).fit(group_maps(), design_matrix=design())
    found = model.compute_contrast(np.eye(3)[:2], output_type="all")
    assert_allclose(found["stat"].get_fdata().ravel(), expected, rtol=1e-10)
    assert found["effect_size"].shape == (*SHAPE, 2)
    assert_allclose(found["p_value"].get_fdata().ravel(), stats.f.sf(expected, 2, N - 3), rtol=1e-9)


@pytest.mark.parametrize("contrast", ["age", "group - age", [0, 1, 0], "2 * group", np.eye(3)[:2]], ids=str)
@pytest.mark.parametrize(
    "options",
    [{}, {"mask_img": mask()}, {"mask_img": mask(), "smoothing_fwhm": 5}],
    ids=["", "mask", "smoothed"],
)
def test_maps_of_all_contrasts_are_nilearns(contrast, options):
    ours = SecondLevelModel(**options).fit(group_maps(), design_matrix=design())
    theirs = peer.SecondLevelModel(**options).fit(group_maps(), design_matrix=design())
    expected = theirs.compute_contrast(contrast, output_type="all")
    found = ours.compute_contrast(contrast, output_type="all")
    assert list(found) == OUTPUTS
    for name in OUTPUTS:
        assert_allclose(found[name].get_fdata(), expected[name].get_fdata(), rtol=1e-9, atol=1e-10)
        assert_array_equal(
            ours.compute_contrast(contrast, output_type=name).get_fdata(), found[name].get_fdata()
        )


def test_f_of_one_row_is_t_squared_and_its_type_can_be_asked_for():
    model = SecondLevelModel(mask()).fit(group_maps(), design_matrix=design())
    t, f = (model.compute_contrast("age", second_level_stat_type=kind, output_type="stat") for kind in "tF")
    assert_allclose(f.get_fdata(), t.get_fdata() ** 2, rtol=1e-10)
    assert t.header["descrip"].item() == b"statistic of contrast age"


def test_float32_maps_are_computed_in_float64():
    single = group_maps(np.float32)
    wide = [volume(img.get_fdata()) for img in single]
    z = [
        SecondLevelModel(mask()).fit(imgs, design_matrix=design()).compute_contrast("age")
        for imgs in (single, wide)
    ]
    assert_array_equal(z[0].get_fdata(), z[1].get_fdata())


def test_residuals_and_predictions_add_up_to_the_maps():
    model = SecondLevelModel(mask(), minimize_memory=False).fit(group_maps(), design_matrix=design())
    inside = mask().get_fdata() != 0
    Y = np.stack([img.get_fdata()[inside] for img in group_maps()])
    X = design().to_numpy()
    expected = X @ np.linalg.lstsq(X, Y, rcond=None)[0]
    assert_allclose(model.predicted_.get_fdata()[inside].T, expected, rtol=1e-9, atol=1e-12)
    assert_allclose(model.residuals_.get_fdata()[inside].T, Y - expected, rtol=1e-9, atol=1e-12)
    share = 1 - ((Y - expected) ** 2).sum(axis=0) / ((Y - Y.mean(axis=0)) ** 2).sum(axis=0)
    assert_allclose(model.r_square_.get_fdata()[inside], share, rtol=1e-9)
    assert model.labels_.shape == (inside.sum(),)
    assert_allclose(model.results_[0.0].theta, np.linalg.lstsq(X, Y, rcond=None)[0], rtol=1e-8, atol=1e-10)
    small = SecondLevelModel(mask()).fit(group_maps(), design_matrix=design())
    with pytest.raises(AttributeError, match="minimize_memory=False"):
        _ = small.residuals_


# -- what is given -----------------------------------------------------------------------------------------


def test_lists_series_tuples_paths_and_one_image_are_the_same(table, tmp_path):
    paths = table.sort_values("subject_label")["effects_map_path"]
    X = design()
    X.to_csv(tmp_path / "design.tsv", sep="\t", index=False)
    expected = SecondLevelModel(mask()).fit(group_maps(), design_matrix=X).compute_contrast("age").get_fdata()
    for given in (paths, tuple(paths), paths.tolist(), nib.concat_images(group_maps()), iter(group_maps())):
        model = SecondLevelModel(mask()).fit(given, design_matrix=tmp_path / "design.tsv")
        assert_allclose(model.compute_contrast("age").get_fdata(), expected, rtol=1e-9, atol=1e-12)


def test_a_table_that_is_not_in_the_order_of_its_labels_is_matched_with_the_design_by_label(table):
    expected = (
        SecondLevelModel(mask()).fit(group_maps(), design_matrix=design()).compute_contrast("age").get_fdata()
    )
    X = design()
    shuffled = X.iloc[::-1]
    designs = {
        "index": shuffled.set_axis(LABELS[::-1], axis=0),
        "column": shuffled.assign(subject_label=LABELS[::-1]),
    }
    for given in designs.values():
        model = SecondLevelModel(mask()).fit(table, design_matrix=given)
        assert_allclose(model.compute_contrast("age").get_fdata(), expected, rtol=1e-10, atol=1e-12)
        assert list(model.design_matrix_.columns) == ["age", "group", "intercept"]
    confounds = X[["age", "group"]].assign(subject_label=LABELS).sample(frac=1, random_state=0)
    model = SecondLevelModel(mask()).fit(table, confounds=confounds)
    assert_allclose(model.compute_contrast("age").get_fdata(), expected, rtol=1e-10, atol=1e-12)
    assert_array_equal(model.second_level_input_["subject_label"], LABELS)


def test_a_design_without_labels_is_refused_where_the_order_could_be_either(table):
    with pytest.raises(ValueError, match="cannot be matched with second_level_input.*subject_label"):
        SecondLevelModel(mask()).fit(table, design_matrix=design())
    in_order = table.sort_values("subject_label")
    model = SecondLevelModel(mask()).fit(in_order, design_matrix=design().set_axis(range(3, 3 + N), axis=0))
    expected = SecondLevelModel(mask()).fit(group_maps(), design_matrix=design())
    assert_array_equal(
        model.compute_contrast("age").get_fdata(), expected.compute_contrast("age").get_fdata()
    )


@pytest.mark.parametrize(
    "labels, words",
    [
        ([*LABELS[:-1], "99"], "the design has no 10 and the input has no 99"),
        ([*LABELS[:-1], "00"], "more than one row for the subjects 00"),
    ],
    ids=["other subjects", "repeated"],
)
def test_designs_of_other_subjects_are_refused(table, labels, words):
    with pytest.raises(ValueError, match=words):
        SecondLevelModel(mask()).fit(table, design_matrix=design().set_axis(labels, axis=0))


def test_maps_of_several_names_are_chosen_by_the_first_level_contrast(table):
    other = table.assign(map_name="house")[::-1]
    both = pd.concat([other, table])
    model = SecondLevelModel(mask()).fit(both)
    expected = SecondLevelModel(mask()).fit(table).compute_contrast()
    assert_array_equal(model.compute_contrast(first_level_contrast="face").get_fdata(), expected.get_fdata())
    with pytest.raises(ValueError, match="first_level_contrast is needed.*face, house"):
        model.compute_contrast()
    with pytest.raises(ValueError, match="'hand' is no map name.*face, house"):
        model.compute_contrast(first_level_contrast="hand")
    fewer = pd.concat([other, table.iloc[1:]])
    with pytest.warns(UserWarning, match=f"The subjects {table.subject_label[0]} have no map of that name"):
        found = SecondLevelModel(mask()).fit(fewer).compute_contrast(first_level_contrast="face")
    without = SecondLevelModel(mask()).fit(table.iloc[1:]).compute_contrast()
    assert_allclose(found.get_fdata(), without.get_fdata(), rtol=1e-10, atol=1e-12)


def first_levels(n: int = 4) -> list[FirstLevelModel]:
    rng = np.random.default_rng(3)
    X = pd.DataFrame({"task": rng.normal(size=20), "constant": 1.0})
    models = []
    for label in ("d", "b", "a", "c")[:n]:
        run = volume(
            rng.normal(100, 1, (*SHAPE, 20)) + np.multiply.outer(np.ones(SHAPE), X["task"].to_numpy())
        )
        everywhere = volume(np.ones(SHAPE, np.uint8))
        model = FirstLevelModel(mask_img=everywhere, subject_label=label, noise_model="ols")
        models.append(model.fit(run, design_matrices=X))
    return models


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_first_level_models_are_matched_with_confounds_and_designs_by_label():
    models = first_levels()
    scores = {"a": 3.0, "b": 1.0, "c": 7.0, "d": 2.5}
    effects = [m.compute_contrast("task", output_type="effect_size") for m in models]
    X = pd.DataFrame({"score": [scores[m.subject_label] for m in models], "intercept": 1.0})
    expected = SecondLevelModel(mask()).fit(effects, design_matrix=X).compute_contrast("score").get_fdata()
    confounds = pd.DataFrame({"subject_label": list(scores), "score": scores.values()})
    labelled = X.set_axis([m.subject_label for m in models], axis=0).loc[["a", "b", "c", "d"]]
    for given in ({"confounds": confounds}, {"design_matrix": labelled}, {"design_matrix": X}):
        model = SecondLevelModel(mask()).fit(models, **given)
        found = model.compute_contrast("score", first_level_contrast="task")
        assert_allclose(found.get_fdata(), expected, rtol=1e-10, atol=1e-12)
    with pytest.raises(ValueError, match="first_level_contrast is needed"):
        model.compute_contrast("score")
    with pytest.raises(ValueError, match="first_level_contrast, subject d: .*'tusk'"):
        model.compute_contrast("score", first_level_contrast="tusk")
    with pytest.raises(ValueError, match="no row for the subjects c"):
        SecondLevelModel(mask()).fit(models, confounds=confounds.query("subject_label != 'c'"))
    with pytest.raises(ValueError, match=r"second_level_input\[1\] .* not fitted"):
        SecondLevelModel(mask()).fit([models[0], FirstLevelModel()])
    with pytest.raises(AttributeError, match="r_square_ is of a model that was fitted to images"):
        _ = model.r_square_


def test_surfaces_are_taken_as_lists_and_as_one_image(rng):
    values = [{part: rng.normal(size=surfaces.N_VERTICES) for part in ("left", "right")} for _ in range(6)]
    X = pd.DataFrame({"intercept": np.ones(6)})
    together = {part: np.stack([v[part] for v in values], axis=1) for part in ("left", "right")}
    for given in ([surfaces.on_mesh(v) for v in values], surfaces.on_mesh(together)):
        t = SecondLevelModel().fit(given, design_matrix=X).compute_contrast(output_type="stat")
        for part in together:
            expected = stats.ttest_1samp(together[part], 0, axis=1).statistic
            assert_allclose(np.ravel(t.data.parts[part]), expected, rtol=1e-10)


def test_nan_in_one_map_is_no_value_of_0():
    maps = group_maps()
    inside = np.argwhere(mask().get_fdata())
    broken = maps[3].get_fdata().copy()
    broken[tuple(inside[5])], broken[tuple(inside[9])] = np.nan, -np.inf
    maps[3] = volume(broken)
    with pytest.warns(
        UserWarning, match=r"Maps are not finite at points of the mask \(map 3: 2\); the 2 points"
    ):
        model = SecondLevelModel(mask()).fit(maps, design_matrix=design())
    found = model.compute_contrast("age", output_type="all")
    expected = (
        SecondLevelModel(mask())
        .fit(group_maps(), design_matrix=design())
        .compute_contrast("age", output_type="all")
    )
    for name in OUTPUTS:
        values, right = found[name].get_fdata(), expected[name].get_fdata()
        assert_array_equal(np.argwhere(np.isnan(values)), inside[[5, 9]])
        assert_allclose(values[~np.isnan(values)], right[~np.isnan(values)], rtol=1e-10, atol=1e-14)
    assert np.isnan(np.asarray(maps[3].dataobj)).sum() == 1


def test_maps_of_unequal_grids_are_refused_without_a_mask_and_resampled_with_one():
    maps = group_maps()
    finer = AFFINE.copy()
    finer[:3, :3] /= 2
    doubled = nib.Nifti1Image(np.repeat(np.repeat(np.repeat(maps[2].get_fdata(), 2, 0), 2, 1), 2, 2), finer)
    mixed = [*maps[:2], doubled, *maps[3:]]
    with pytest.raises(
        ValueError, match="map 2 has 10 × 12 × 8 voxels.*map 0 5 × 6 × 4 voxels.*Give mask_img"
    ):
        SecondLevelModel().fit(mixed, design_matrix=design())
    model = SecondLevelModel(mask(), minimize_memory=False).fit(mixed, design_matrix=design())
    moved = NiftiMasker(mask()).fit().transform(doubled)
    total = NiftiMasker(mask()).fit().transform(model.predicted_) + NiftiMasker(mask()).fit().transform(
        model.residuals_
    )
    assert_allclose(total[2], np.ravel(moved), rtol=1e-5, atol=1e-6)


def test_maskers_are_taken_and_stay_as_they_were():
    expected = (
        SecondLevelModel(mask()).fit(group_maps(), design_matrix=design()).compute_contrast("age").get_fdata()
    )
    masker = NiftiMasker(mask())
    fitted = clone(masker).fit()
    for given in (masker, fitted):
        model = SecondLevelModel(given).fit(group_maps(), design_matrix=design())
        assert_allclose(model.compute_contrast("age").get_fdata(), expected, rtol=1e-5, atol=1e-6)
    assert not masker.__sklearn_is_fitted__()
    assert model.masker_ is fitted
    with pytest.warns(UserWarning, match="smoothing_fwhm of the model are not used"):
        SecondLevelModel(fitted, smoothing_fwhm=4).fit(group_maps(), design_matrix=design())


def test_inputs_stay_and_contrasts_leave_no_state(table):
    X, given, contrast = design().assign(subject_label=LABELS), table.copy(), [1, 0, 0]
    before = X.copy()
    model = SecondLevelModel(mask()).fit(given, design_matrix=X)
    first = model.compute_contrast(contrast).get_fdata()
    model.compute_contrast(np.eye(3)[:2], second_level_stat_type="F", output_type="all")
    assert_array_equal(model.compute_contrast(contrast).get_fdata(), first)
    pd.testing.assert_frame_equal(X, before)
    pd.testing.assert_frame_equal(given, table)
    assert contrast == [1, 0, 0]
    refit = model.fit(group_maps(), design_matrix=design())
    assert refit is model
    assert_allclose(model.compute_contrast("age").get_fdata(), first, rtol=1e-10, atol=1e-12)
    with pytest.raises(ValueError, match="design_matrix has 5 rows"):
        model.fit(group_maps(), design_matrix=design()[:5])
    assert_allclose(model.compute_contrast("age").get_fdata(), first, rtol=1e-10, atol=1e-12)


def test_a_contrast_that_cannot_be_estimated_is_nan_and_names_its_columns():
    X = design().assign(twice=lambda table: 2 * table["group"])
    with pytest.warns(UserWarning, match="depend on each other: group, twice"):
        model = SecondLevelModel(mask()).fit(group_maps(), design_matrix=X)
    with pytest.warns(UserWarning, match="cannot be estimated"):
        z = model.compute_contrast("group").get_fdata()
    assert np.isnan(z[mask().get_fdata() != 0]).all()
    age = SecondLevelModel(mask()).fit(group_maps(), design_matrix=design()).compute_contrast("age")
    assert_allclose(model.compute_contrast("age").get_fdata(), age.get_fdata(), rtol=1e-9, atol=1e-12)


# -- designs -----------------------------------------------------------------------------------------------


def test_the_design_of_confounds_is_nilearns():
    confounds = pd.DataFrame(
        {"subject_label": ["a", "b", "c", "d"], "age": [1.0, 2, 3, 9], "x": [0, 1, 0, 3]}
    )
    ours = make_second_level_design_matrix(["b", "a", "c"], confounds)
    pd.testing.assert_frame_equal(ours, peer.make_second_level_design_matrix(["b", "a", "c"], confounds))
    assert_array_equal(make_second_level_design_matrix(["a", "b"]), [[1.0], [1.0]])


@pytest.mark.parametrize(
    "confounds, error, words",
    [
        ({"age": [1, 2]}, ValueError, "confounds must have a column 'subject_label'.*age"),
        ({"subject_label": ["a", "c"], "age": [1, 2]}, ValueError, "no row for the subjects b"),
        ({"subject_label": ["a", "b"], "age": [1, np.nan]}, ValueError, "column 'age', subject b"),
        ({"subject_label": ["a", "b"], "sex": ["f", "m"]}, TypeError, "columns sex are none"),
        ({"subject_label": ["a", "b"], "intercept": [1, 2]}, ValueError, "no column 'intercept'"),
        (
            {"subject_label": ["a", "b", "a"], "age": [1, 2, 3]},
            ValueError,
            "more than one row for the subjects a",
        ),
        ({"subject_label": ["a", "b"]}, ValueError, "a column of numbers"),
    ],
    ids=["no labels", "missing", "NaN", "text", "intercept", "repeated", "labels only"],
)
def test_bad_confounds_are_named(confounds, error, words):
    with pytest.raises(error, match=words):
        make_second_level_design_matrix(["a", "b"], pd.DataFrame(confounds))


def test_bad_labels_are_named():
    with pytest.raises(TypeError, match="subjects_label must be a sequence"):
        make_second_level_design_matrix("ab")
    with pytest.raises(ValueError, match="subjects_label must have one"):
        make_second_level_design_matrix([])
    with pytest.raises(TypeError, match="confounds must be a data frame or the path"):
        make_second_level_design_matrix(["a"], [1])


# -- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, options, error, words",
    [
        (group_maps()[:1], {"design_matrix": design()[:1]}, ValueError, "two maps at the least"),
        ([], {"design_matrix": design()}, ValueError, "second_level_input is empty"),
        (group_maps()[0], {"design_matrix": design()}, ValueError, "an image of one sample"),
        (group_maps(), {}, ValueError, "design_matrix is needed where second_level_input are images"),
        (
            group_maps(),
            {"confounds": pd.DataFrame({"subject_label": ["a"], "x": [1]})},
            ValueError,
            "matched by labels",
        ),
        (
            group_maps(),
            {"design_matrix": design()[:5]},
            ValueError,
            "design_matrix has 5 rows, second_level_input 11 maps",
        ),
        (
            group_maps(),
            {"design_matrix": design().to_numpy()},
            TypeError,
            "design_matrix must be a data frame",
        ),
        (group_maps(), {"design_matrix": design() * np.nan}, ValueError, "NaN or infinite values"),
        (group_maps(), {"design_matrix": "nowhere.tsv"}, ValueError, "nowhere.tsv"),
        ([1, 2], {"design_matrix": design()}, TypeError, r"second_level_input\[0\] must be an image"),
        (3, {"design_matrix": design()}, TypeError, "second_level_input must be a list of images"),
        (pd.DataFrame({"subject_label": ["a", "b"]}), {}, ValueError, "lacks map_name, effects_map_path"),
        ([*group_maps()[:2], FirstLevelModel()], {}, TypeError, "it has both"),
        (
            [*group_maps()[:-1], nib.concat_images(group_maps()[:2])],
            {"design_matrix": design()},
            ValueError,
            "map 10 is an image of 2 samples",
        ),
    ],
    ids=[str(i) for i in range(14)],
)
def test_bad_input_of_groups_is_named(given, options, error, words):
    with pytest.raises(error, match=words):
        SecondLevelModel(mask()).fit(given, **options)


@pytest.mark.parametrize(
    "contrast, options, error, words",
    [
        (
            None,
            {},
            ValueError,
            "second_level_contrast is needed: the design has the columns age, group, intercept",
        ),
        ("ages", {}, ValueError, "no column 'ages'.*age"),
        ([0, 0, 0], {}, ValueError, "row of zeros"),
        ([1, 2, 3, 4], {}, ValueError, "longer than the design"),
        (3, {}, TypeError, "second_level_contrast must be a string or numbers"),
        ("age", {"output_type": "zz"}, ValueError, "output_type must be one of"),
        ("age", {"second_level_stat_type": "q"}, ValueError, "stat_type must be 't', 'F' or None"),
        (np.eye(3)[:2], {"second_level_stat_type": "t"}, ValueError, "stat_type='t' is for one row"),
    ],
    ids=[str(i) for i in range(8)],
)
def test_bad_contrasts_of_groups_are_named(contrast, options, error, words):
    model = SecondLevelModel(mask()).fit(group_maps(), design_matrix=design())
    with pytest.raises(error, match=words):
        model.compute_contrast(contrast, **options)


def test_a_model_that_is_not_fitted_says_so():
    with pytest.raises(NotFittedError, match="call fit first"):
        SecondLevelModel().compute_contrast("age")
