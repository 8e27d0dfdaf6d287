"""Confounds of real fMRIPrep tables, as nilearn chooses them."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import nibabel as nib
import nilearn.interfaces.fmriprep as peer
import numpy as np
import pandas as pd
import pytest

from brainsieve.interfaces.fmriprep import load_confounds, load_confounds_strategy

DATA = Path(__file__).parents[1] / "data" / "fmriprep_confounds"

FUNCTIONS = {"load_confounds": load_confounds, "load_confounds_strategy": load_confounds_strategy}


@pytest.fixture
def run(tmp_path):
    """A function that lays out a subject's tables beside an image and gives the image's path."""

    def lay_out(subject="sub-a", description="preproc", suffix="bold.nii.gz"):
        for file in DATA.glob(f"{subject}_*"):
            shutil.copy(file, tmp_path)
        path = tmp_path / f"{subject}_task-rest_space-MNI152NLin2009cAsym_desc-{description}_{suffix}"
        nib.save(nib.Nifti1Image(np.zeros((2, 2, 2, 30), np.int8), np.eye(4)), path)
        return path

    return lay_out


def both(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = FUNCTIONS[function](*args, **kwargs)
        theirs = getattr(peer, function)(*args, **kwargs)
    return ours, theirs


def assert_same(ours, theirs):
    (confounds, mask), (expected, expected_mask) = ours, theirs
    assert list(confounds.columns) == list(expected.columns)
    if expected_mask is None or len(expected_mask):
        # Where no volume is kept the peer subtracts the mean of nothing.
        np.testing.assert_allclose(confounds.to_numpy(), expected.to_numpy(), atol=1e-9)
    if expected_mask is None:
        assert mask is None
    else:
        np.testing.assert_array_equal(mask, expected_mask)


@pytest.mark.parametrize("subject", ["sub-a", "sub-b"])
@pytest.mark.parametrize("level", ["basic", "power2", "derivatives", "full"])
@pytest.mark.parametrize("demean", [True, False])
def test_motion_tissues_and_global_signal(run, subject, level, demean):
    options = dict(strategy=["motion", "high_pass", "wm_csf", "global_signal"], demean=demean)
    options |= dict(motion=level, wm_csf=level, global_signal=level)
    assert_same(*both("load_confounds", str(run(subject)), **options))


@pytest.mark.parametrize(
    "compcor",
    ["anat_combined", "anat_separated", "temporal", "temporal_anat_combined", "temporal_anat_separated"],
)
@pytest.mark.parametrize("n_compcor", ["all", 2])
def test_compcor(run, compcor, n_compcor):
    options = dict(strategy=["high_pass", "compcor"], compcor=compcor, n_compcor=n_compcor)
    assert_same(*both("load_confounds", str(run()), **options))


@pytest.mark.parametrize("scrub", [0, 2, 5])
@pytest.mark.parametrize("fd_threshold, std_dvars_threshold", [(0.5, 1.5), (0.2, 3), (0.1, 1.0)])
def test_scrubbing(run, scrub, fd_threshold, std_dvars_threshold):
    options = dict(strategy=["motion", "scrub"], motion="basic", scrub=scrub)
    options |= dict(fd_threshold=fd_threshold, std_dvars_threshold=std_dvars_threshold)
    for subject in ("sub-a", "sub-c"):
        assert_same(*both("load_confounds", str(run(subject)), **options))


def test_aroma_in_both_ways(run):
    assert_same(*both("load_confounds", str(run()), strategy=["ica_aroma", "wm_csf"], ica_aroma="basic"))
    image = str(run(description="smoothAROMAnonaggr"))
    assert_same(*both("load_confounds", image, strategy=["ica_aroma", "wm_csf"], ica_aroma="full"))


@pytest.mark.parametrize("strategy", ["simple", "scrubbing", "compcor"])
@pytest.mark.parametrize("extra", [{}, {"global_signal": "basic"}, {"motion": "basic"}], ids=str)
def test_named_strategies(run, strategy, extra):
    assert_same(*both("load_confounds_strategy", str(run()), denoise_strategy=strategy, **extra))


def test_the_aroma_strategy(run):
    image = str(run(description="smoothAROMAnonaggr"))
    assert_same(*both("load_confounds_strategy", image, denoise_strategy="ica_aroma"))


def test_lists_give_lists(run):
    files = [run("sub-a"), run("sub-b")]
    confounds, masks = load_confounds(files, strategy=["motion"])
    assert isinstance(confounds, list) and isinstance(masks, list) and len(confounds) == 2
    single, _ = load_confounds(files[1], strategy=["motion"])
    pd.testing.assert_frame_equal(confounds[1], single)


def test_the_recipe_of_two_lines(run):
    from brainsieve.maskers import NiftiLabelsMasker

    path = run()
    rng = np.random.default_rng(0)
    img = nib.Nifti1Image(rng.normal(100, 5, (6, 6, 6, 30)), np.eye(4))
    nib.save(img, path)
    labels = nib.Nifti1Image(rng.integers(0, 4, (6, 6, 6)).astype(np.int16), np.eye(4))
    confounds, sample_mask = load_confounds(path, strategy=["motion", "scrub"], motion="basic", scrub=0)
    masker = NiftiLabelsMasker(labels, standardize="zscore_sample").fit()
    signals = masker.transform(path, confounds=confounds, sample_mask=sample_mask)
    assert len(signals) == len(sample_mask)


@pytest.mark.parametrize(
    "options, error, words",
    [
        (dict(strategy=["motoin"]), ValueError, "motoin"),
        (dict(strategy=["motion"], motion="all"), ValueError, "motion"),
        (dict(strategy=["compcor"]), ValueError, "high_pass"),
        (dict(strategy="motion"), (TypeError, ValueError), "strategy"),
        (dict(strategy=["ica_aroma"]), ValueError, "AROMA"),
    ],
    ids=str,
)
def test_wrong_options_are_named(run, options, error, words):
    with pytest.raises(error, match=words):
        load_confounds(str(run()), **options)


def test_missing_and_foreign_files_are_named(run, tmp_path):
    lonely = tmp_path / "sub-z_task-rest_desc-preproc_bold.nii.gz"
    lonely.touch()
    with pytest.raises(ValueError, match="sub-z"):
        load_confounds(lonely)
    with pytest.raises((ValueError, OSError), match="nothing"):
        load_confounds(tmp_path / "nothing_desc-preproc_bold.nii.gz")


def test_tedana(run):
    image = str(run("sub-d", description="optcom"))
    ours, theirs = both("load_confounds", image, strategy=["tedana"], tedana="non-aggressive")
    assert_same(ours, theirs)


def test_names_are_taken_apart_as_by_the_peer():
    import nilearn.interfaces.bids

    from brainsieve.interfaces.bids import parse_bids_filename

    path = "/data/sub-01/func/sub-01_ses-2_task-rest_run-03_desc-preproc_bold.nii.gz"
    theirs = nilearn.interfaces.bids.parse_bids_filename(path)
    ours = parse_bids_filename(path)
    assert {key: ours[key] for key in ("suffix", "extension", "entities", "file_basename")} == {
        key: theirs[key] for key in ("suffix", "extension", "entities", "file_basename")
    }
