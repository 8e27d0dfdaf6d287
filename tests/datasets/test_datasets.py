"""Bundled data: they are there, they are what the documentation says, and they resemble the peer's."""

from __future__ import annotations

import nibabel
import numpy as np
import pandas as pd
import pytest
from nilearn import datasets as peer
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve import datasets
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


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_at_its_own_resolution_is_the_stored_file(name):
    img = getattr(datasets, name)()
    values = img.get_fdata()
    assert img.shape == (50, 59, 48)
    assert_allclose(img.header.get_zooms(), 4)
    assert img.get_data_dtype() == np.float32
    assert values.min() == 0
    assert 0.9 < values.max() <= 1
    stored = nibabel.load(datasets.MNI152_FILE_PATH)
    assert_array_equal(img.affine, stored.affine)
    if name == "load_mni152_template":
        inside = values > 0
        assert_allclose(values[inside], stored.get_fdata()[inside] / 255, rtol=1e-6)


@pytest.mark.parametrize("resolution", [3, 4, 5, 8])
def test_template_at_another_resolution_is_on_the_peer_s_grid(resolution):
    ours = datasets.load_mni152_template(resolution=resolution)
    theirs = peer.load_mni152_template(resolution=resolution)
    assert ours.shape == theirs.shape
    assert_allclose(ours.affine, theirs.affine)


@pytest.mark.parametrize(("name", "least"), list(zip(TEMPLATES, [0.985, 0.96, 0.97], strict=True)))
def test_template_resembles_the_finer_one_of_the_peer(name, least):
    ours = getattr(datasets, name)(resolution=4).get_fdata()
    theirs = getattr(peer, name)(resolution=4).get_fdata()
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > least
    assert ours.min() >= 0
    assert ours.max() <= 1


@pytest.mark.parametrize(("name", "least"), list(zip(MASKS, [0.985, 0.97, 0.96], strict=True)))
@pytest.mark.parametrize("resolution", [4, 8])
def test_mask_overlaps_the_finer_one_of_the_peer(name, least, resolution):
    ours = getattr(datasets, name)(resolution=resolution)
    theirs = getattr(peer, name)(resolution=resolution)
    assert ours.get_data_dtype() == np.uint8
    assert dice(ours.get_fdata() > 0, theirs.get_fdata() > 0) > least


@pytest.mark.parametrize("name", MASKS)
def test_a_higher_threshold_gives_a_smaller_mask_inside_the_larger(name):
    low = getattr(datasets, name)(threshold=0.2).get_fdata() > 0
    high = getattr(datasets, name)(threshold=0.6).get_fdata() > 0
    assert 0 < high.sum() < low.sum()
    assert not (high & ~low).any()


def test_closing_only_adds_voxels():
    plain = datasets.load_mni152_gm_mask(n_iter=0).get_fdata() > 0
    closed = datasets.load_mni152_gm_mask(n_iter=2).get_fdata() > 0
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
