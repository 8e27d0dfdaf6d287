"""Thresholds keep what the peer keeps, in every combination of settings, and never wrap integers."""

from __future__ import annotations

import itertools
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from image_peer import (
    AFFINE,
    array,
    assert_same_data,
    both,
    mask_image,
    ours_of,
    peers_of,
    quietly,
    surfaces,
    volume,
)
from numpy.testing import assert_array_equal

from brainsieve.image import binarize_img, threshold_img

THRESHOLDS = ("0%", "37.5%", "80%", "100%", 0, 12.5, 30, -12.5)
DTYPES = (np.float64, np.float32, np.int16, np.uint8, np.int8, np.dtype(">i2"), np.dtype(">f4"))


def settings():
    """The product of all settings, but negative thresholds where both sides are compared: these are errors."""
    product = itertools.product(THRESHOLDS, (True, False), (False, True), (0, 4), (None, 3))
    for threshold, two_sided, masked, cluster, n_samples in product:
        if not (two_sided and not isinstance(threshold, str) and threshold < 0):
            yield threshold, two_sided, masked, cluster, n_samples


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_threshold_img_keeps_what_the_peer_keeps(dtype):
    for threshold, two_sided, masked, cluster, n_samples in settings():
        shape = (9, 8, 7) if n_samples is None else (9, 8, 7, n_samples)
        img = volume(shape, dtype, nan=np.dtype(dtype).kind == "f")
        arguments = dict(threshold=threshold, two_sided=two_sided, cluster_threshold=cluster)
        arguments["mask_img"] = mask_image() if masked else None
        ours, theirs = both("image", "threshold_img", img, **arguments)
        assert_array_equal(array(ours), array(theirs), err_msg=str((arguments, shape)))
        assert array(ours).dtype == array(theirs).dtype.newbyteorder("=") == ours.get_data_dtype()
        if not cluster:
            arguments.pop("cluster_threshold")
            ours, theirs = both("image", "binarize_img", img, **arguments)
            assert_array_equal(array(ours), array(theirs), err_msg=str((arguments, shape)))
            assert array(ours).dtype == ours.get_data_dtype() == np.int8


def test_a_percentile_is_of_all_values_zeros_too():
    img = nib.Nifti1Image(np.array([0.0, 0, 0, 0, 0, -5, 1, 2, 3, 4]).reshape(10, 1, 1), AFFINE)
    assert_array_equal(array(threshold_img(img, "80%")).ravel(), [0, 0, 0, 0, 0, -5, 0, 0, 0, 4])
    assert_array_equal(
        array(threshold_img(img, "50%", two_sided=False)).ravel(), [0, 0, 0, 0, 0, 0, 1, 2, 3, 4]
    )


def test_a_value_that_equals_the_threshold_stays_and_one_that_equals_a_percentile_goes():
    img = nib.Nifti1Image(np.arange(-4, 5.0).reshape(9, 1, 1), AFFINE)
    assert_array_equal(array(threshold_img(img, 3)).ravel(), [-4, -3, 0, 0, 0, 0, 0, 3, 4])
    assert_array_equal(array(threshold_img(img, "75%")).ravel(), [-4, 0, 0, 0, 0, 0, 0, 0, 4])
    assert_array_equal(array(threshold_img(img, -3, two_sided=False)).ravel(), [-4, -3] + [0] * 7)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64], ids=lambda d: d.__name__)
def test_the_smallest_integer_is_far_from_zero(dtype):
    least = np.iinfo(dtype).min
    data = np.array([least, least + 1, 0, 1, 5], dtype=dtype).reshape(5, 1, 1)
    img = nib.Nifti1Image(data, AFFINE, dtype=dtype)
    for threshold in (3, "50%"):
        assert_array_equal(array(threshold_img(img, threshold))[:2], data[:2])
    assert array(binarize_img(img, 3, two_sided=True))[0, 0, 0] == 1
    # The percentile of 10, 20, 30, 40 and the largest is 34; with the largest taken for the smallest it is 24.
    data = np.array([least, 10, 20, 30, 40], dtype=dtype).reshape(5, 1, 1)
    kept = array(threshold_img(nib.Nifti1Image(data, AFFINE, dtype=dtype), "60%"))
    assert_array_equal(kept.ravel(), [least, 0, 0, 0, 40])


def test_an_image_of_negative_values_has_nothing_above_a_one_sided_percentile():
    # The peer takes a percentile of no value, NaN, and leaves everything.
    img = nib.Nifti1Image(-np.ones((3, 3, 3)), AFFINE)
    assert not array(threshold_img(img, "50%", two_sided=False)).any()


@pytest.mark.parametrize("memory_order", ["C", "F"])
def test_copy_false_changes_the_array_of_an_image_in_memory_and_true_does_not(memory_order):
    data = np.asarray(np.arange(24.0).reshape(2, 3, 4), order=memory_order)
    img = nib.Nifti1Image(data.copy(order="K"), AFFINE)
    kept = threshold_img(img, 10, copy=True)
    assert_array_equal(array(img), data)
    assert not np.shares_memory(array(kept), array(img))
    changed = threshold_img(img, 10, copy=False)
    assert np.shares_memory(array(changed), array(img))
    assert_array_equal(array(changed), array(kept))
    readonly = nib.Nifti1Image(np.broadcast_to(np.ones(1), (2, 3, 4)), AFFINE)
    assert array(quietly(threshold_img, readonly, 2, copy=False)).sum() == 0


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("n_samples", [None, 3])
def test_copy_false_gives_what_copy_true_gives(dtype, n_samples):
    shape = (9, 8, 7) if n_samples is None else (9, 8, 7, n_samples)
    nan = np.dtype(dtype).kind == "f"
    arguments = dict(threshold=12, cluster_threshold=3, mask_img=mask_image())
    kept = threshold_img(volume(shape, dtype, nan=nan), copy=True, **arguments)
    img = volume(shape, dtype, nan=nan)
    changed = threshold_img(img, copy=False, **arguments)
    assert_array_equal(array(changed), array(kept))
    assert_array_equal(array(img), array(kept))
    assert changed.get_data_dtype() == array(kept).dtype


@pytest.mark.parametrize("n_samples", [None, 3])
@pytest.mark.parametrize("arguments", [{}, {"two_sided": False}], ids=str)
@pytest.mark.parametrize("threshold", ["0%", "60%", 15, 0])
def test_thresholds_of_surfaces_are_those_of_the_peer(n_samples, arguments, threshold):
    ours, theirs = surfaces(n_samples)
    mask, peer_mask = surfaces(values=lambda shape, rng: rng.random(shape) > 0.4, dtype=bool)
    for masked in (False, True):
        for name in ("threshold_img", "binarize_img"):
            got = ours_of("image", name, ours, threshold, **arguments, mask_img=mask if masked else None)
            expected = peers_of(
                "image", name, theirs, threshold, **arguments, mask_img=peer_mask if masked else None
            )
            for part, values in expected.data.parts.items():
                assert_array_equal(got.data.parts[part].reshape(values.shape), values)


def test_clusters_of_a_surface_hang_together_by_edges():
    ours, _ = surfaces(2)
    kept = threshold_img(ours, 10, cluster_threshold=4)
    for part, mesh in ours.mesh.parts.items():
        neighbours = [set() for _ in range(mesh.n_vertices)]
        for face in mesh.faces:
            for a in face:
                neighbours[a] |= set(face.tolist()) - {a}
        for sample in range(2):
            values, expected = ours.data.parts[part][:, sample], np.zeros(mesh.n_vertices)
            for sign in (1, -1):
                left = set(np.flatnonzero(sign * values >= 10).tolist())
                while left:
                    cluster, front = set(), {left.pop()}
                    while front:
                        cluster |= front
                        front = set().union(*(neighbours[v] for v in front)) & left
                        left -= front
                    if len(cluster) >= 4:
                        expected[list(cluster)] = values[list(cluster)]
            assert_array_equal(kept.data.parts[part][:, sample], expected)


def test_a_mask_on_another_grid_is_resampled_to_the_image():
    img, mask = volume(), mask_image((6, 6, 6), affine=np.diag([5.0, 5, 5, 1]))
    assert_same_data(*both("image", "threshold_img", img, "50%", mask_img=mask))


@pytest.mark.parametrize("threshold", [10, "70%"])
def test_thresholding_holds_the_result_and_one_pass_of_values(threshold):
    img = nib.Nifti1Image(np.random.default_rng(0).normal(size=(40, 40, 40, 20)).astype(np.float32), AFFINE)
    tracemalloc.start()
    quietly(threshold_img, img, threshold)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.6 * array(img).nbytes


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        (dict(threshold="-5%"), ValueError, "'-5%'"),
        (dict(threshold="101%"), ValueError, "'101%'"),
        (dict(threshold="50"), ValueError, "'80%'"),
        (dict(threshold=None), TypeError, "None was given"),
        (dict(threshold=True), TypeError, "True was given"),
        (dict(threshold=np.nan), ValueError, "threshold must be a number"),
        (dict(threshold=-1), ValueError, "negative"),
        (dict(threshold=1, cluster_threshold=2.5), TypeError, "cluster_threshold"),
        (dict(threshold=1, cluster_threshold=True), TypeError, "cluster_threshold"),
        (dict(threshold=1, cluster_threshold=-1), ValueError, "cluster_threshold"),
        (dict(threshold=1, mask_img=nib.Nifti1Image(np.zeros((9, 8, 7)), AFFINE)), ValueError, "is empty"),
    ],
)
def test_wrong_settings_are_named_before_anything_changes(arguments, error, words):
    img = volume()
    before = array(img).copy()
    with pytest.raises(error, match=words):
        threshold_img(img, copy=False, **arguments)
    assert_array_equal(array(img), before)


def test_a_threshold_that_nothing_reaches_is_told():
    with pytest.warns(UserWarning, match="no value of the image reaches it"):
        assert not array(threshold_img(volume(), 1e6)).any()


@pytest.mark.parametrize("threshold, two_sided", [(np.inf, True), (np.inf, False), (-np.inf, False)])
@pytest.mark.parametrize("dtype", ["f4", "i2", "u1"])
def test_nothing_reaches_infinity(threshold, two_sided, dtype):
    """What thresholds of false discovery are where there is none."""
    values = np.random.default_rng(0).uniform(0, 100, (4, 5, 6)).astype(dtype)
    values[0, 0, 0] = np.inf if dtype == "f4" else 7
    img = nib.Nifti1Image(values, np.eye(4))
    for function in (threshold_img, binarize_img):
        with pytest.warns(UserWarning, match="no value of the image reaches it"):
            assert not function(img, threshold, two_sided=two_sided).get_fdata().any()
