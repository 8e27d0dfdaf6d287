"""Which images and tables belong together, and what is said where they do not."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import nilearn.interfaces.fmriprep as peer
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainsieve.interfaces.fmriprep import load_confounds, load_confounds_strategy, scrub

N_SAMPLES = 24
MOTION = ["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"]
IMAGE = "sub-01_task-rest_run-1_space-MNI_desc-preproc_bold.nii.gz"
TABLE = "sub-01_task-rest_run-1_desc-confounds_timeseries.tsv"


@pytest.fixture
def folder(tmp_path):
    """A function that makes a folder with a table of confounds; it gives the folder."""

    def make(*images, tables=(TABLE,), metadata=None, **columns):
        columns = {name: np.arange(N_SAMPLES) + i for i, name in enumerate(MOTION)} | columns
        frame = pd.DataFrame({name: values for name, values in columns.items() if values is not None})
        for number, name in enumerate(tables):
            (frame + number * 1000).to_csv(tmp_path / name, sep="\t", index=False, na_rep="n/a")
        if metadata is not None:
            (tmp_path / tables[0]).with_suffix(".json").write_text(json.dumps(metadata))
        for name in images:
            (tmp_path / name).touch()
        return tmp_path

    return make


def basic_motion(image, **options):
    return load_confounds(image, strategy=("motion",), motion="basic", demean=False, **options)


def spikes(*positions):
    series = np.zeros(N_SAMPLES)
    series[list(positions)] = 1.0
    return series


# -- images --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        IMAGE,
        IMAGE.removesuffix(".gz"),
        "sub-01_task-rest_run-1_bold.dtseries.nii",
        "sub-01_task-rest_run-1_space-fsLR_den-91k_bold.dtseries.nii",
        "sub-01_task-rest_run-1_hemi-L_space-fsaverage5_bold.func.gii",
    ],
)
@pytest.mark.parametrize("kind", [str, Path])
def test_every_kind_of_preprocessed_image_is_taken(folder, name, kind):
    confounds, mask = basic_motion(kind(folder(name) / name))
    assert list(confounds.columns) == sorted(MOTION)
    assert mask is None


@pytest.mark.parametrize("pair", [list, tuple])
def test_a_pair_of_hemispheres_is_one_run(folder, pair):
    here = folder()
    names = [f"sub-01_task-rest_run-1_hemi-{hemi}_space-fsaverage5_bold.func.gii" for hemi in "LR"]
    run = pair(str(here / name) for name in names)
    confounds, _ = basic_motion(run)
    assert confounds.shape == (N_SAMPLES, 6)
    several, masks = basic_motion([run, str(here / IMAGE)])
    assert [one.shape for one in several] == [(N_SAMPLES, 6)] * 2
    assert masks == [None, None]


def test_left_hemispheres_of_two_runs_are_two_runs(folder):
    tables = [f"sub-01_task-rest_run-{n}_desc-confounds_timeseries.tsv" for n in (1, 2)]
    here = folder(tables=tables)
    runs = [str(here / f"sub-01_task-rest_run-{n}_hemi-L_bold.func.gii") for n in (1, 2)]
    confounds, _ = basic_motion(runs)
    assert [one["trans_x"][0] for one in confounds] == [0, 1000]


@pytest.mark.parametrize(
    "name, words",
    [
        (IMAGE.replace("preproc", "denoised"), "not a preprocessed run"),
        (IMAGE.replace("preproc_bold", "brain_mask"), "not a preprocessed run"),
        (IMAGE.replace("preproc", "smoothAROMAnonaggr"), "cleaned by ICA-AROMA already"),
        (IMAGE.replace(".nii.gz", ".mgz"), "not a kind of image"),
        ("sub-01_task-rest_run-1_bold.dscalar.nii", "not a kind of image"),
    ],
)
def test_other_images_are_refused_by_name(folder, name, words):
    with pytest.raises(ValueError, match=words) as error:
        basic_motion(folder(name) / name)
    assert name in str(error.value)


def test_full_aroma_and_tedana_need_their_own_images(folder):
    here = folder()
    for name in (IMAGE, "sub-01_task-rest_run-1_bold.dtseries.nii"):
        with pytest.raises(ValueError, match="smoothAROMAnonaggr_bold"):
            load_confounds(here / name, strategy=("ica_aroma",))
    with pytest.raises(ValueError, match="desc-optcom_bold"):
        load_confounds(here / IMAGE, strategy=("tedana",))


@pytest.mark.parametrize(
    "given, error, words",
    [
        (3, TypeError, "img_files must be a path"),
        (None, TypeError, "img_files must be a path"),
        ([], ValueError, "img_files is empty"),
        ([3], TypeError, "Each item of img_files"),
        ([["a", "b", "c"]], TypeError, "Each item of img_files"),
    ],
)
def test_what_is_no_image_is_named(given, error, words):
    with pytest.raises(error, match=words):
        basic_motion(given)


# -- tables --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tables",
    [
        ["sub-01_task-rest_run-1_desc-confounds_timeseries.tsv"],
        ["sub-01_task-rest_run-1_desc-confounds_regressors.tsv"],
        ["sub-01_task-rest_desc-confounds_timeseries.tsv"],
        ["sub-01_task-rest_run-1_space-MNI_desc-confounds_timeseries.tsv"],
        [f"sub-01_task-rest_run-{n}_desc-confounds_timeseries.tsv" for n in (1, 2, 10)],
    ],
)
def test_a_table_that_contradicts_nothing_belongs_to_the_image_as_for_the_peer(folder, tables):
    image = str(folder(IMAGE, tables=tables) / IMAGE)
    expected, _ = peer.load_confounds(image, strategy=("motion",), motion="basic", demean=False)
    confounds, _ = basic_motion(image)
    pd.testing.assert_frame_equal(confounds, expected, check_dtype=False)


def test_the_table_that_says_most_is_taken(folder):
    here = folder(tables=["sub-01_task-rest_desc-confounds_timeseries.tsv", TABLE])
    confounds, _ = basic_motion(here / IMAGE)
    assert confounds["trans_x"][0] == 1000


@pytest.mark.parametrize(
    "tables",
    [
        ["sub-01_task-rest_run-2_desc-confounds_timeseries.tsv"],
        ["sub-01_task-rest_run-11_desc-confounds_timeseries.tsv"],
        ["sub-01_task-rest_run-1_acq-z_desc-confounds_timeseries.tsv"],
        ["sub-01_task-rest_run-1_confounds_timeseries.tsv"],
        ["sub-01_task-rest_run-1_desc-confounds_timeseries.csv"],
        [],
    ],
)
def test_where_no_table_belongs_to_the_image_both_are_named(folder, tables):
    with pytest.raises(ValueError, match="No table.*desc-confounds_timeseries.tsv.*that belongs to sub-01"):
        basic_motion(folder(tables=tables) / IMAGE)


def test_two_tables_that_fit_equally_are_named(folder):
    tables = [TABLE, TABLE.replace("timeseries", "regressors")]
    with pytest.raises(ValueError, match="belong equally") as error:
        basic_motion(folder(tables=tables) / IMAGE)
    assert all(name in str(error.value) for name in tables)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match="folder of .*nowhere.* does not exist"):
        basic_motion(tmp_path / "nowhere" / IMAGE)


@pytest.mark.parametrize(
    "content, words",
    [
        ("", "is empty: it has 0 bytes"),
        ("\t".join(MOTION) + "\n", "no rows"),
        (",".join(MOTION) + "\n1,2,3,4,5,6\n", "separated by commas"),
        ("X\tY\tZ\tRotX\tRotY\tRotZ\n1\t2\t3\t4\t5\t6\n", "fMRIPrep 1.1 or older"),
        ("\t".join(MOTION) + "\n1\t2\tno\t4\t5\t6\n", "not numbers in the columns.*trans_z"),
    ],
)
def test_broken_tables_are_named(folder, content, words):
    here = folder()
    (here / TABLE).write_text(content)
    with pytest.raises(ValueError, match=words) as error:
        basic_motion(here / IMAGE)
    assert TABLE in str(error.value)


def test_every_missing_column_is_listed(folder):
    here = folder(trans_z=None)
    with pytest.raises(ValueError) as error:
        load_confounds(here / IMAGE, strategy=("motion", "wm_csf", "scrub"), motion="basic")
    for name in ("trans_z", "csf", "white_matter", "framewise_displacement", "std_dvars"):
        assert name in str(error.value)


# -- CompCor -------------------------------------------------------------------------------------------


def components(*names):
    return {name: np.random.default_rng(0).random(N_SAMPLES) for name in names}


def test_anatomical_components_need_the_json_file(folder):
    here = folder(cosine00=np.ones(N_SAMPLES), **components("a_comp_cor_00"))
    with pytest.raises(ValueError, match=r"timeseries\.json does not exist.*1\.4"):
        load_confounds(here / IMAGE, strategy=("high_pass", "compcor"))


def test_a_broken_json_file_is_named(folder):
    here = folder(cosine00=np.ones(N_SAMPLES), **components("a_comp_cor_00"))
    (here / TABLE).with_suffix(".json").write_text("{")
    with pytest.raises(ValueError, match=r"timeseries\.json cannot be read as JSON"):
        load_confounds(here / IMAGE, strategy=("high_pass", "compcor"))


def test_components_are_counted_by_mask_in_the_order_of_their_numbers(folder):
    names = ["a_comp_cor_100", "a_comp_cor_99", "a_comp_cor_101", "a_comp_cor_02"]
    masks = ["CSF", "CSF", "CSF", "WM"]
    metadata = {n: {"Mask": m, "Retained": True} for n, m in zip(names, masks, strict=True)}
    here = folder(metadata=metadata, cosine00=np.ones(N_SAMPLES), **components(*names))
    confounds, _ = load_confounds(
        here / IMAGE, strategy=("high_pass", "compcor"), compcor="anat_separated", n_compcor=2
    )
    assert list(confounds.columns) == ["a_comp_cor_02", "a_comp_cor_100", "a_comp_cor_99", "cosine00"]


def test_components_that_were_not_retained_are_left_out(folder):
    metadata = {f"a_comp_cor_0{i}": {"Mask": "combined", "Retained": i == 0} for i in range(2)}
    here = folder(
        metadata=metadata, cosine00=np.ones(N_SAMPLES), **components("a_comp_cor_00", "a_comp_cor_01")
    )
    confounds, _ = load_confounds(here / IMAGE, strategy=("high_pass", "compcor"))
    assert list(confounds.columns) == ["a_comp_cor_00", "cosine00"]


def test_a_mask_without_components_is_named(folder):
    metadata = {"a_comp_cor_00": {"Mask": "combined", "Retained": True}}
    here = folder(
        metadata=metadata, cosine00=np.ones(N_SAMPLES), **components("a_comp_cor_00", "t_comp_cor_00")
    )
    with pytest.raises(ValueError, match="components of the CSF mask"):
        load_confounds(here / IMAGE, strategy=("high_pass", "compcor"), compcor="temporal_anat_separated")


@pytest.mark.parametrize(
    "n_compcor, error", [(0, ValueError), (-1, ValueError), ("x", ValueError), (2.5, TypeError)]
)
def test_n_compcor_is_all_or_a_positive_integer(folder, n_compcor, error):
    with pytest.raises(error, match="n_compcor must be 'all' or a positive integer"):
        load_confounds(folder() / IMAGE, strategy=("high_pass", "compcor"), n_compcor=n_compcor)


# -- which volumes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad", [(), (0,), (1,), (4,), (5,), (3, 20), (6, 11, 17), (5, 10), (18,), (19,), (23,)]
)
@pytest.mark.parametrize("non_steady", [(), (0, 1)])
@pytest.mark.parametrize("shortest", [0, 1, 5, 30])
def test_segments_are_scrubbed_as_by_the_peer(folder, bad, non_steady, shortest):
    outliers = {f"non_steady_state_outlier{i:02d}": spikes(n) for i, n in enumerate(non_steady)}
    undefined_first = np.r_[np.nan, spikes(*bad)[1:]]
    here = folder(framewise_displacement=undefined_first, std_dvars=np.ones(N_SAMPLES), **outliers)
    options = dict(strategy=("motion", "scrub"), motion="basic", scrub=shortest)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        _, mask = load_confounds(str(here / IMAGE), **options)
        _, expected = peer.load_confounds(str(here / IMAGE), **options)
    if expected is None:
        assert mask is None
    else:
        np.testing.assert_array_equal(mask, expected)


def short_segments_by_definition(outliers, shortest):
    """Walk through the run; slow, and too short to be wrong."""
    result, segment = list(outliers), []
    for i, bad in enumerate([*outliers, True]):
        if not bad:
            segment.append(i)
            continue
        if len(segment) < shortest and any(outliers):
            for j in segment:
                result[j] = True
        segment = []
    return result


@given(outliers=st.lists(st.booleans(), min_size=1, max_size=40), shortest=st.integers(0, 12))
def test_short_segments_are_those_of_the_definition(outliers, shortest):
    given_ = np.array(outliers)
    found = scrub.without_short_segments(given_, shortest)
    assert found.tolist() == short_segments_by_definition(outliers, shortest)
    assert given_.tolist() == outliers


def test_an_empty_sample_mask_is_warned_of_and_confounds_stay_finite(folder):
    moving = np.full(N_SAMPLES, 9.0)
    here = folder(framewise_displacement=moving, std_dvars=moving)
    with pytest.warns(RuntimeWarning, match="all 24 volumes are motion outliers"):
        confounds, mask = load_confounds(here / IMAGE, strategy=("motion", "scrub"), motion="basic")
    assert len(mask) == 0 and mask.dtype == np.int64
    assert np.isfinite(confounds.to_numpy()).all()


def test_confounds_have_zero_mean_over_the_volumes_that_are_kept(folder):
    here = folder(non_steady_state_outlier00=spikes(0), non_steady_state_outlier01=spikes(1))
    confounds, mask = load_confounds(here / IMAGE, strategy=("motion",), motion="basic")
    np.testing.assert_array_equal(mask, np.arange(2, N_SAMPLES))
    np.testing.assert_allclose(confounds.iloc[mask].mean(), 0, atol=1e-12)


@pytest.mark.parametrize("name", ["scrub", "fd_threshold", "std_dvars_threshold"])
@pytest.mark.parametrize("value, error", [(-1, ValueError), (float("nan"), ValueError), ("x", TypeError)])
def test_limits_of_motion_are_numbers_from_zero(folder, name, value, error):
    with pytest.raises(error, match=f"{name} must be"):
        load_confounds(folder() / IMAGE, strategy=("motion", "scrub"), **{name: value})


# -- values --------------------------------------------------------------------------------------------


def test_an_undefined_first_value_is_the_second_and_others_are_warned_of(folder):
    series = np.arange(float(N_SAMPLES))
    here = folder(rot_x=np.r_[np.nan, series[1:]], rot_y=np.where(series == 5, np.nan, series))
    with pytest.warns(UserWarning, match=r"undefined values.*rot_y.*rows \[5\]"):
        confounds, _ = basic_motion(here / IMAGE)
    assert confounds["rot_x"].tolist()[:3] == [1, 1, 2]
    assert np.flatnonzero(confounds["rot_y"].isna()).tolist() == [5]


def test_a_table_without_cosines_is_warned_of(folder):
    with pytest.warns(UserWarning, match="no cosine columns"):
        confounds, _ = load_confounds(folder() / IMAGE, strategy=("high_pass",))
    assert confounds.shape == (N_SAMPLES, 0)


def test_an_empty_strategy_gives_none(folder):
    with pytest.warns(UserWarning, match="strategy is empty"):
        assert load_confounds(folder() / IMAGE, strategy=()) == (None, None)


def test_what_has_no_effect_is_warned_of(folder):
    here = folder()
    with pytest.warns(UserWarning, match="non_steady_state.*changes nothing"):
        load_confounds(here / IMAGE, strategy=("motion", "non_steady_state"), motion="basic")
    table = (
        folder(csf=np.ones(N_SAMPLES), white_matter=np.ones(N_SAMPLES), cosine00=np.ones(N_SAMPLES)) / IMAGE
    )
    with pytest.warns(UserWarning, match=r"'simple' does not use \['compcor', 'fd_treshold'\].*'motion'"):
        load_confounds_strategy(table, motion="basic", compcor="temporal", fd_treshold=3)


def test_an_unknown_named_strategy_lists_those_there_are(folder):
    with pytest.raises(ValueError, match="'simple', 'scrubbing', 'compcor', 'ica_aroma'.*'easy'"):
        load_confounds_strategy(folder() / IMAGE, denoise_strategy="easy")


# -- tedana --------------------------------------------------------------------------------------------


@pytest.fixture
def tedana(tmp_path):
    image = "sub-01_task-rest_space-MNI_desc-optcom_bold.nii.gz"
    names = [f"ICA_{i:02d}" for i in range(4)]
    mixing = pd.DataFrame(np.random.default_rng(0).random((9, 4)), columns=names)
    metrics = pd.DataFrame(
        {"Component": names, "classification": ["rejected", "accepted", "ignored", "rejected"]}
    )
    mixing.to_csv(tmp_path / "sub-01_task-rest_desc-ICA_mixing.tsv", sep="\t", index=False)
    metrics.to_csv(tmp_path / "sub-01_task-rest_desc-tedana_metrics.tsv", sep="\t", index=False)
    return str(tmp_path / image)


@pytest.mark.parametrize("how", ["aggressive", "non-aggressive"])
def test_components_of_tedana_are_named_as_by_the_peer(tedana, how):
    expected, mask = peer.load_confounds(tedana, strategy=("tedana",), tedana=how)
    confounds, ours = load_confounds(tedana, strategy=("tedana",), tedana=how)
    pd.testing.assert_frame_equal(confounds, expected)
    assert ours is None and mask is None


def test_tedana_excludes_the_other_elements(tedana):
    with pytest.warns(UserWarning, match=r"\['motion'\] are ignored"):
        confounds, _ = load_confounds(tedana, strategy=("tedana", "motion"))
    assert list(confounds.columns) == ["rejected_ICA_00", "rejected_ICA_03"]


@pytest.mark.parametrize("lost", ["desc-ICA_mixing", "desc-tedana_metrics"])
def test_a_missing_file_of_tedana_is_named(tedana, lost):
    os.remove(Path(tedana).parent / f"sub-01_task-rest_{lost}.tsv")
    with pytest.raises(ValueError, match=lost):
        load_confounds(tedana, strategy=("tedana",))


def test_files_of_tedana_that_do_not_belong_together_are_refused(tedana):
    path = Path(tedana).parent / "sub-01_task-rest_desc-tedana_metrics.tsv"
    path.write_text("Component\tclassification\nICA_00\trejected\n")
    with pytest.raises(ValueError, match="no rows for the components.*ICA_01"):
        load_confounds(tedana, strategy=("tedana",))


def test_a_volume_at_its_threshold_stays_and_one_above_goes():
    """Above, strictly; the first volume has no value and never goes."""
    above = np.nextafter(0.5, 1)
    fd = np.array([np.nan, 0.5, above, 0.1, 0.1])
    dvars = np.array([np.nan, 1.5, 1.0, 1.5, np.nextafter(1.5, 2)])
    assert scrub.motion_outliers(fd, dvars, 0.5, 1.5).tolist() == [False, False, True, False, True]
