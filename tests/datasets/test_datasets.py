"""Bundled data: they are there, they are what the documentation says, and they resemble the peer's."""

from __future__ import annotations

import nibabel
import numpy as np
import pandas as pd
import pytest
from nilearn import datasets as peer
from nilearn import masking as peer_masking
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve import datasets, masking
from brainsieve.datasets.files import DATA, bundled

TEMPLATES = ["load_mni152_template", "load_mni152_gm_template", "load_mni152_wm_template"]
MASKS = ["load_mni152_brain_mask", "load_mni152_gm_mask", "load_mni152_wm_mask"]


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_demo_run_is_one_run_with_mask_atlas_and_confounds_that_fit_it():
    run = datasets.load_demo_run()
    bold, mask, atlas = (nibabel.load(path) for path in (run.bold, run.mask, run.atlas))
    assert bold.shape == (26, 26, 13, 82)
    assert bold.get_data_dtype() == np.int16
    assert_allclose(bold.header.get_zooms()[3], run.t_r, rtol=1e-6)
    for img in (mask, atlas):
        assert img.shape == bold.shape[:3]
        assert_array_equal(img.affine, bold.affine)
    assert np.count_nonzero(mask.get_fdata()) == 2853
    lut = pd.read_csv(run.lut, sep="\t")
    assert_array_equal(np.unique(atlas.get_fdata())[1:], lut["index"])
    assert len(pd.read_csv(run.confounds, sep="\t")) == 82


def test_every_folder_of_data_has_its_licence():
    folders = [path for path in DATA.iterdir() if path.is_dir()]
    assert folders
    for folder in folders:
        assert (folder / "LICENCE.txt").stat().st_size > 200


def test_bundled_data_stay_small():
    assert sum(path.stat().st_size for path in DATA.rglob("*")) < 15 * 2**20


def test_a_file_that_is_missing_is_named():
    with pytest.raises(FileNotFoundError, match=r"nothing.txt.*installation is incomplete"):
        bundled("icbm152", "nothing.txt")


@pytest.mark.parametrize("resolution", [None, 2, 3])
@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_are_those_of_the_peer(name, resolution):
    ours = getattr(datasets, name)(resolution=resolution)
    theirs = getattr(peer, name)(resolution=resolution)
    assert ours.get_data_dtype() == np.float32
    assert_allclose(ours.affine, theirs.affine)
    assert_allclose(ours.get_fdata(), theirs.get_fdata(), atol=1e-6)


def test_the_template_is_the_stored_file():
    stored = nibabel.load(datasets.MNI152_FILE_PATH)
    img = datasets.load_mni152_template()
    assert img.shape == (197, 233, 189)
    assert_array_equal(img.affine, stored.affine)
    assert_allclose(img.get_fdata(), stored.get_fdata() / 255, rtol=1e-6)


@pytest.mark.parametrize("resolution", [2.5, 0.8])
def test_between_voxels_the_template_stays_within_its_range(resolution):
    img = datasets.load_mni152_gm_template(resolution=resolution)
    assert img.get_fdata().min() >= 0 and img.get_fdata().max() <= 1
    assert_allclose(img.header.get_zooms(), resolution)
    sizes = (np.array(img.shape) - 1) * resolution
    assert (sizes >= [196, 232, 188]).all() and (sizes < np.array([196, 232, 188]) + resolution).all()


@pytest.mark.parametrize("resolution", [None, 4])
@pytest.mark.parametrize("name", MASKS)
def test_masks_are_those_of_the_peer(name, resolution):
    ours = getattr(datasets, name)(resolution=resolution)
    theirs = getattr(peer, name)(resolution=resolution)
    assert ours.get_data_dtype() == np.uint8
    # Closing: the peer's takes some voxels away where the head is cut by the lower face of the box.
    assert dice(ours.get_fdata() > 0, theirs.get_fdata() > 0) > 0.9997


@pytest.mark.parametrize("mask_type", ["whole-brain", "gm", "wm"])
def test_the_brain_s_mask_on_an_image_is_the_peer_s(mask_type):
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:2, :2] = 4 * np.array([[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]])
    affine[:3, 3] = affine[:3, :3] @ [-23, -31, -17]
    img = nibabel.Nifti1Image(np.ones((46, 56, 46), np.float32), affine)
    ours = masking.compute_brain_mask(img, mask_type=mask_type).get_fdata() > 0
    theirs = peer_masking.compute_brain_mask(img, mask_type=mask_type).get_fdata() > 0
    assert ours.sum() > 1000
    assert dice(ours, theirs) > 0.999


@pytest.mark.parametrize("name", MASKS)
def test_a_higher_threshold_gives_a_smaller_mask_inside_the_larger(name):
    low = getattr(datasets, name)(resolution=4, threshold=0.2).get_fdata() > 0
    high = getattr(datasets, name)(resolution=4, threshold=0.6).get_fdata() > 0
    assert 0 < high.sum() < low.sum()
    assert not (high & ~low).any()


def test_closing_only_adds_voxels():
    plain = datasets.load_mni152_gm_mask(resolution=4, n_iter=0).get_fdata() > 0
    closed = datasets.load_mni152_gm_mask(resolution=4, n_iter=2).get_fdata() > 0
    assert closed.sum() > plain.sum()
    assert not (plain & ~closed).any()


def test_loading_twice_gives_images_that_share_no_memory():
    first = datasets.load_mni152_template()
    np.asanyarray(first.dataobj)[:] = -1
    assert datasets.load_mni152_template().get_fdata().min() == 0


@pytest.mark.parametrize("resolution", [0, -2, float("nan"), float("inf"), True])
def test_a_resolution_that_is_no_size_is_refused(resolution):
    with pytest.raises(ValueError, match="resolution must be a positive number of mm"):
        datasets.load_mni152_template(resolution=resolution)


def test_a_resolution_far_beyond_the_template_is_refused():
    with pytest.raises(ValueError, match=r"resolution=0.1 mm is finer than 0.5 mm"):
        datasets.load_mni152_template(resolution=0.1)


@pytest.mark.parametrize("threshold", [-0.1, 1, 50, True])
def test_a_threshold_outside_the_template_s_scale_is_refused(threshold):
    with pytest.raises(ValueError, match="threshold must be at least 0 and below 1"):
        datasets.load_mni152_brain_mask(threshold=threshold)


@pytest.mark.parametrize("n_iter", [-1, 1.5, True])
def test_a_number_of_iterations_that_is_none_is_refused(n_iter):
    with pytest.raises(ValueError, match="n_iter must be a whole number"):
        datasets.load_mni152_wm_mask(n_iter=n_iter)


@pytest.mark.parametrize("ordered", [True, False])
def test_dosenbach_s_coordinates_are_those_of_the_peer(ordered):
    ours = datasets.fetch_coords_dosenbach_2010(ordered_regions=ordered)
    theirs = peer.fetch_coords_dosenbach_2010(ordered_regions=ordered)
    assert_array_equal(ours.rois.to_numpy(), theirs.rois.to_numpy())
    assert ours.labels == theirs.labels
    assert ours.networks.tolist() == theirs.networks.tolist()
