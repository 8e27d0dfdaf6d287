"""Signals of labels and maps without an estimator: against NumPy, nilearn and the maskers."""

from __future__ import annotations

import maps as made
import nibabel as nib
import nilearn.regions as peer
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve.maskers import NiftiLabelsMasker, NiftiMapsMasker
from brainsieve.regions import (
    img_to_signals_labels,
    img_to_signals_maps,
    signals_to_img_labels,
    signals_to_img_maps,
)

SHAPE = (7, 6, 8)
RNG = np.random.default_rng(0)
RUN = RNG.normal(50, 4, (*SHAPE, 5)).astype(np.float32)
LABELS = np.zeros(SHAPE, np.int32)
LABELS[:2], LABELS[2:4], LABELS[5:, 3:] = 3, 1, 7
MASK = np.zeros(SHAPE, np.uint8)
MASK[:3] = 1
MAPS = np.zeros((*SHAPE, 3))
MAPS[:2, ..., 0], MAPS[1:4, ..., 1], MAPS[5:, ..., 2] = 1, RNG.random((3, *SHAPE[1:])), 1


def images(affine=made.FLIPPED):
    return [made.image(each, affine) for each in (RUN, LABELS, MAPS, MASK)]


def test_signals_of_labels_are_means_in_ascending_order():
    run, labels, _, mask = images()
    signals, ids, atlas = img_to_signals_labels(run, labels)
    assert ids == [1, 3, 7]
    expected = np.stack([RUN[i == LABELS].astype(float).mean(axis=0) for i in ids], axis=1)
    assert_allclose(signals, expected, rtol=1e-6)
    assert signals.flags.f_contiguous and signals.dtype == np.float32
    assert img_to_signals_labels(run, labels, order="C")[0].flags.c_contiguous
    assert_array_equal(atlas.dataobj, LABELS)
    theirs = made.quiet(peer.img_to_signals_labels, run, labels, mask_img=mask)
    ours = made.quiet(img_to_signals_labels, run, labels, mask_img=mask)
    assert_allclose(ours[0], theirs[0], rtol=1e-6)
    assert ours[1] == theirs[1] == [1, 3]
    assert_array_equal(ours[2].dataobj, theirs[2].dataobj)
    assert ours[2].get_data_dtype() == np.int32


@pytest.mark.parametrize(
    "strategy", ["median", "sum", "minimum", "maximum", "standard_deviation", "variance", "mean"]
)
def test_every_strategy_is_nilearn_s_and_the_masker_s(strategy):
    run, labels, *_ = images()
    ours = img_to_signals_labels(run, labels, strategy=strategy, return_masked_atlas=False)
    theirs = made.quiet(peer.img_to_signals_labels, run, labels, strategy=strategy)
    assert len(ours) == 2
    assert_allclose(ours[0], theirs[0], rtol=1e-5)
    masker = NiftiLabelsMasker(labels, strategy=strategy, standardize=None).fit()
    assert_array_equal(ours[0], masker.transform(run))


def test_a_label_outside_the_mask_is_dropped_by_name_or_kept_as_zeros():
    run, labels, _, mask = images()
    with pytest.warns(UserWarning, match="wholly outside mask_img.*'7'"):
        _, ids, _ = img_to_signals_labels(run, labels, mask_img=mask)
    assert ids == [1, 3]
    signals, ids, _ = made.quiet(img_to_signals_labels, run, labels, mask_img=mask, keep_masked_labels=True)
    assert ids == [1, 3, 7]
    assert_array_equal(signals[:, 2], 0)


def test_one_volume_gives_one_sample_and_lists_and_generators_a_run():
    run, labels, maps, _ = images()
    first = made.image(RUN[..., 0], made.FLIPPED)
    assert_array_equal(img_to_signals_labels(first, labels)[0], img_to_signals_labels(run, labels)[0][0])
    assert_allclose(img_to_signals_maps(first, maps)[0], img_to_signals_maps(run, maps)[0][0])
    for make in (list, iter):
        volumes = make([made.image(RUN[..., t], made.FLIPPED) for t in range(5)])
        assert_array_equal(img_to_signals_labels(volumes, labels)[0], img_to_signals_labels(run, labels)[0])


def test_no_label_gives_no_column():
    run, *_ = images()
    nothing = made.image(np.zeros(SHAPE, np.int32), made.FLIPPED)
    signals, ids, atlas = img_to_signals_labels(run, nothing)
    assert signals.shape == (5, 0) and ids == []
    assert not np.asarray(atlas.dataobj).any()


def test_signals_of_labels_go_back_to_their_voxels_in_their_own_dtype():
    _, labels, _, mask = images()
    signals = RNG.normal(size=(5, 3))
    narrow = made.image(LABELS.astype(np.uint8), made.FLIPPED)
    back = signals_to_img_labels(signals, narrow)
    assert back.get_data_dtype() == np.float64 and back.shape == (*SHAPE, 5)
    for column, label in enumerate([1, 3, 7]):
        assert_array_equal(
            np.asarray(back.dataobj)[label == LABELS],
            np.tile(signals[:, column], ((label == LABELS).sum(), 1)),
        )
    assert not np.asarray(back.dataobj)[LABELS == 0].any()
    assert signals_to_img_labels(signals[0], labels).shape == SHAPE
    assert np.asarray(signals_to_img_labels(signals, labels, order="C").dataobj).flags.c_contiguous
    assert np.asarray(back.dataobj).flags.f_contiguous
    inside = np.asarray(signals_to_img_labels(signals[:, :2], labels, mask_img=mask).dataobj)
    assert_array_equal(inside, np.where(MASK[..., None] > 0, back.dataobj, 0))
    assert_array_equal(inside, np.asarray(signals_to_img_labels(signals, labels, mask_img=mask).dataobj))


def test_a_label_masked_out_between_others_shifts_no_signal():
    # The mask leaves 1 and 7 of 1, 3 and 7.
    mask = made.image((LABELS != 3).astype(np.uint8), made.FLIPPED)
    labels, run = made.image(LABELS, made.FLIPPED), made.image(RUN, made.FLIPPED)
    signals, ids, _ = made.quiet(img_to_signals_labels, run, labels, mask_img=mask)
    assert ids == [1, 7]
    back = np.asarray(signals_to_img_labels(signals, labels, mask_img=mask).dataobj)
    assert_array_equal(back[LABELS == 7][0], signals[:, 1])
    assert not back[LABELS == 3].any()


def test_saved_signals_of_an_atlas_of_bytes_are_not_rounded(tmp_path):
    signals = RNG.normal(size=(4, 3))
    back = signals_to_img_labels(signals, made.image(LABELS.astype(np.uint8)))
    nib.save(back, tmp_path / "back.nii.gz")
    assert_array_equal(nib.load(tmp_path / "back.nii.gz").get_fdata(), np.asarray(back.dataobj))


def test_signals_of_maps_are_the_least_squares_solution():
    run, _, maps, mask = images()
    signals, indices = img_to_signals_maps(run, maps)
    expected = np.linalg.lstsq(MAPS.reshape(-1, 3), RUN.reshape(-1, 5).astype(float), rcond=None)[0].T
    assert_allclose(signals, expected, rtol=1e-6)
    assert indices == [0, 1, 2]
    assert_array_equal(signals, NiftiMapsMasker(maps, standardize=None).fit().transform(run))
    ours, theirs = (
        made.quiet(f, run, maps, mask_img=mask) for f in (img_to_signals_maps, peer.img_to_signals_maps)
    )
    assert_allclose(ours[0], theirs[0], rtol=1e-5)
    assert ours[1] == theirs[1] == [0, 1]
    kept, indices = made.quiet(img_to_signals_maps, run, maps, mask_img=mask, keep_masked_maps=True)
    assert indices == [0, 1, 2]
    assert_array_equal(kept[:, 2], 0)


def test_maps_dropped_first_keep_the_numbers_of_the_others():
    run, _, maps, _ = images()
    mask = made.image(
        (np.arange(7) > 2).astype(np.uint8)[:, None, None] * np.ones(SHAPE, np.uint8), made.FLIPPED
    )
    signals, indices = made.quiet(img_to_signals_maps, run, maps, mask_img=mask)
    assert indices == [1, 2]
    back = np.asarray(signals_to_img_maps(signals, maps, mask_img=mask).dataobj)
    assert_allclose(
        back, np.einsum("tm,xyzm->xyzt", signals, MAPS[..., 1:]) * (np.arange(7) > 2)[:, None, None, None]
    )


def test_signals_of_maps_go_back_as_the_sum_of_maps():
    _, _, maps, mask = images()
    signals = RNG.normal(size=(5, 3))
    expected = np.einsum("tm,xyzm->xyzt", signals, MAPS)
    assert_allclose(signals_to_img_maps(signals, maps).get_fdata(), expected, atol=1e-12)
    assert_allclose(signals_to_img_maps(signals[0], maps).get_fdata(), expected[..., 0], atol=1e-12)
    inside = signals_to_img_maps(signals, maps, mask_img=mask).get_fdata()
    assert_allclose(inside, expected * MASK[..., None], atol=1e-12)
    theirs = peer.signals_to_img_maps(signals, maps, mask_img=mask).get_fdata()
    assert_allclose(inside, theirs, atol=1e-5)


@pytest.mark.parametrize("function, atlas", [(img_to_signals_labels, LABELS), (img_to_signals_maps, MAPS)])
def test_other_grids_are_refused_by_name(function, atlas):
    run = made.image(RUN, made.FLIPPED)
    with pytest.raises(ValueError, match=r"(labels|maps)_img .* different grids"):
        function(run, made.image(atlas, made.ISOTROPIC))
    with pytest.raises(ValueError, match=r"(labels|maps)_img .* different grids"):
        function(run, made.image(atlas[:-1], made.FLIPPED))
    with pytest.raises(ValueError, match=r"mask_img .* different grids"):
        function(run, made.image(atlas, made.FLIPPED), mask_img=made.image(MASK, made.ISOTROPIC))
    with pytest.raises(TypeError, match="imgs"):
        function(3, made.image(atlas, made.FLIPPED))


@pytest.mark.parametrize(
    "function, atlas", [(signals_to_img_labels, LABELS), (signals_to_img_maps, MAPS)], ids=["labels", "maps"]
)
def test_wrong_widths_are_refused(function, atlas):
    img = made.image(atlas)
    for shape in ((5, 4), (5, 2), (2,), (2, 2, 3)):
        with pytest.raises(ValueError, match=r"signals .*shape"):
            function(np.zeros(shape), img)
    with pytest.raises(ValueError, match="signals must be numbers"):
        function(np.array([["a", "b", "c"]]), img)
    with pytest.raises(ValueError, match="different grids"):
        function(np.zeros((5, 3)), img, mask_img=made.image(MASK, made.FAR))


@pytest.mark.parametrize("options", [{"order": "K"}, {"strategy": "average"}, {"n_jobs": "2"}])
def test_bad_parameters_are_named(options):
    run, labels, *_ = images()
    with pytest.raises((TypeError, ValueError), match=next(iter(options))):
        img_to_signals_labels(run, labels, **options)
