"""All-resolutions inference: against nilearn, and against Simes' test of every set of points."""

from __future__ import annotations

from itertools import combinations

import nibabel as nib
import numpy as np
import pytest
import surfaces
from nilearn import glm as peer
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage, stats

from brainsieve.glm import cluster_level_inference
from brainsieve.stat_maps.discoveries import hommel_value, true_discoveries


def rejected_by_simes(p: np.ndarray, alpha: float) -> bool:
    return bool((np.sort(p) * len(p) <= alpha * np.arange(1, len(p) + 1)).any())


def discoveries_by_closed_testing(p: np.ndarray, members: list[int], alpha: float) -> int:
    """By definition: the size of the set, less the most of its members in any set of tests that is not rejected."""
    n, largest = len(p), 0
    for size in range(1, n + 1):
        for chosen in combinations(range(n), size):
            if not rejected_by_simes(p[list(chosen)], alpha):
                largest = max(largest, len(set(chosen) & set(members)))
    return len(members) - largest


@pytest.mark.parametrize("seed", range(12))
def test_discoveries_are_those_of_closed_testing(seed):
    rng = np.random.default_rng(seed)
    p = stats.norm.sf(rng.normal(rng.choice([0, 1.5, 3], size=8), 1))
    h = hommel_value(p, 0.2)
    for size in (1, 3, 5, 8):
        members = rng.choice(8, size, replace=False).tolist()
        assert true_discoveries(p[members], h, 0.2) == discoveries_by_closed_testing(p, members, 0.2)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("threshold", [1.5, [3.0, 1.0, 2.0]], ids=["one", "several"])
@pytest.mark.filterwarnings("ignore")
def test_shares_are_nilearns(seed, threshold):
    rng = np.random.default_rng(seed)
    z = ndimage.gaussian_filter(rng.normal(size=(9, 8, 7)), 0.8)
    z *= 2.2 / z.std()
    img = nib.Nifti1Image(z, np.diag([-2.0, 3, 1, 1]))
    mask = nib.Nifti1Image((rng.random(z.shape) < 0.8).astype(np.uint8), img.affine) if seed % 2 else None
    theirs = peer.cluster_level_inference(img, mask, threshold, 0.1).get_fdata()
    ours = cluster_level_inference(img, mask, threshold, 0.1).get_fdata()
    assert_allclose(ours, theirs, atol=1e-13)
    assert len(np.unique(ours)) > 2


def test_clusters_of_surfaces_follow_edges_whatever_the_numbers_of_vertices(rng):
    mesh = surfaces.polymesh()
    around = np.linalg.norm(mesh.parts["left"].coordinates - mesh.parts["left"].coordinates[100], axis=1) < 25
    values = {part: rng.normal(size=surfaces.N_VERTICES) for part in ("left", "right")}
    values["left"] = np.where(around, 4 + 0.1 * values["left"], np.minimum(values["left"], 2))
    values["right"] = np.minimum(values["right"], 2)
    shares = cluster_level_inference(surfaces.on_mesh(values), threshold=3.0).data.parts
    inside = shares["left"][around]
    assert len(np.unique(inside)) == 1, "one patch has one share"
    flat = np.concatenate(list(values.values()))
    p = stats.norm.sf(flat)
    expected = true_discoveries(p[: len(around)][around], hommel_value(p, 0.05), 0.05) / around.sum()
    assert inside[0] == pytest.approx(expected)
    assert expected > 0.5
    assert not shares["left"][~around].any()
    assert not shares["right"].any()


def test_nothing_above_is_0_and_a_whole_volume_above_is_one_cluster():
    z = np.full((4, 4, 4), 5.0)
    mask = nib.Nifti1Image(np.ones(z.shape, np.uint8), np.eye(4))
    assert not cluster_level_inference(nib.Nifti1Image(z, np.eye(4)), mask, 9.0).get_fdata().any()
    assert_array_equal(cluster_level_inference(nib.Nifti1Image(z, np.eye(4)), mask).get_fdata(), 1.0)


def test_points_that_are_not_finite_belong_to_no_cluster(rng):
    z = rng.normal(3, 1, size=(6, 6, 6))
    z[2, 2, 2] = np.nan
    mask = nib.Nifti1Image(np.ones(z.shape, np.uint8), np.eye(4))
    without = nib.Nifti1Image(np.isfinite(z).astype(np.uint8), np.eye(4))
    with pytest.warns(UserWarning, match="1 voxels are NaN"):
        found = cluster_level_inference(nib.Nifti1Image(z, np.eye(4)), mask, 2.0)
    expected = cluster_level_inference(nib.Nifti1Image(np.nan_to_num(z), np.eye(4)), without, 2.0)
    assert_array_equal(found.get_fdata(), expected.get_fdata())


@pytest.mark.parametrize(
    "options, error, words",
    [
        (dict(threshold=-1.0), ValueError, "threshold must not be negative"),
        (dict(threshold=[1.0, -2.0]), ValueError, "threshold must not be negative"),
        (dict(threshold="high"), TypeError, "threshold must be a number or a list"),
        (dict(threshold=[]), ValueError, "threshold must have one number"),
        (dict(alpha=0), ValueError, "alpha must be above 0 and below 1"),
        (dict(alpha=1.5), ValueError, "alpha must be between 0 and 1"),
    ],
    ids=str,
)
def test_bad_parameters_of_inference_are_named(options, error, words):
    with pytest.raises(error, match=words):
        cluster_level_inference(nib.Nifti1Image(np.ones((3, 3, 3)), np.eye(4)), **options)


@pytest.mark.slow
def test_under_the_null_a_share_above_0_is_rare():
    """500 smooth null maps: some cluster has a discovery in 5 % of them at most (binomial bound of 99.9 %)."""
    rng = np.random.default_rng(5)
    shape, n_maps = (9, 9, 9), 500
    mask = nib.Nifti1Image(np.ones(shape, np.uint8), np.eye(4))
    # Away from the borders smoothed noise is stationary: its variance there is that of the kernel.
    big = tuple(n + 16 for n in shape)
    wrong = 0
    for _ in range(n_maps):
        z = ndimage.gaussian_filter(rng.normal(size=big), 1.0)[8:-8, 8:-8, 8:-8] * np.sqrt(
            (2 * np.sqrt(np.pi)) ** 3
        )
        wrong += bool(
            cluster_level_inference(nib.Nifti1Image(z, np.eye(4)), mask, [1.5, 2.5], 0.05).get_fdata().any()
        )
    assert 0 < wrong <= stats.binom.ppf(0.999, n_maps, 0.05)
