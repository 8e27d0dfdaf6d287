"""Heights that control error rates, against nilearn and the definitions; rates under the null are simulated."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import surfaces
from nilearn import glm as peer
from numpy.testing import assert_array_equal
from scipy import ndimage, stats

from brainsieve.glm import fdr_threshold, threshold_stats_img

# Anisotropic, flipped and shifted.
AFFINE = np.array([[-3.0, 0, 0, 30], [0, 2.0, 0, -20], [0, 0, 4.0, -10], [0, 0, 0, 1]])
CONTROLS = ["fpr", "fdr", "bonferroni", None]


def z_image(seed: int, dtype=np.float64, shape=(9, 8, 7), background: bool = True) -> nib.Nifti1Image:
    rng = np.random.default_rng(seed)
    z = 2.5 * ndimage.gaussian_filter(rng.normal(size=shape), 0.7)
    z *= 3 / z.std()
    if background:
        z[0], z[:, -1] = 0, 0
    return nib.Nifti1Image(z.astype(dtype), AFFINE)


def mask_like(img: nib.Nifti1Image, seed: int = 5) -> nib.Nifti1Image:
    inside = np.random.default_rng(seed).random(img.shape) < 0.7
    return nib.Nifti1Image(inside.astype(np.uint8), img.affine)


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("two_sided", [True, False])
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.filterwarnings("ignore")
def test_heights_and_maps_are_nilearns(control, two_sided, masked, dtype):
    img = z_image(3, dtype)
    mask = mask_like(img) if masked else None
    options = dict(alpha=0.2, height_control=control, cluster_threshold=2, two_sided=two_sided)
    theirs, their_height = peer.threshold_stats_img(img, mask, **options)
    ours, height = threshold_stats_img(img, mask, **options)
    # nilearn computes the height of "fdr" in the map's dtype.
    assert height == pytest.approx(float(their_height), abs=1e-12 if dtype == np.float64 else 1e-6)
    assert_array_equal(ours.get_fdata(), theirs.get_fdata())
    assert ours.get_data_dtype() == dtype
    assert np.count_nonzero(ours.get_fdata()) > 0
    assert_array_equal(ours.affine, AFFINE)


def test_without_a_map_only_the_height_is_computed():
    assert threshold_stats_img(alpha=0.05, two_sided=False) == (None, pytest.approx(stats.norm.isf(0.05)))
    assert threshold_stats_img(height_control=None) == (None, 3.0)
    for control in ("fdr", "bonferroni"):
        with pytest.raises(ValueError, match=f"stat_img is needed for height_control='{control}'"):
            threshold_stats_img(height_control=control)


def test_points_that_are_not_finite_were_not_tested():
    img = z_image(1)
    mask = mask_like(img)
    inside = mask.get_fdata() != 0
    z = img.get_fdata()
    lost = np.argwhere(inside)[::9]
    z[tuple(lost.T)] = np.where(np.arange(len(lost)) % 2, np.nan, np.inf)
    with pytest.warns(UserWarning, match=f"{len(lost)} voxels are NaN or infinite"):
        kept, height = threshold_stats_img(
            nib.Nifti1Image(z, AFFINE), mask, 0.05, height_control="bonferroni"
        )
    assert height == pytest.approx(stats.norm.isf(0.025 / (inside.sum() - len(lost))))
    assert np.isfinite(kept.get_fdata()).all()
    expected = np.where(inside & np.isfinite(z) & (np.abs(z) >= height), z, 0)
    assert_array_equal(kept.get_fdata(), expected)


def test_the_height_of_fdr_is_that_of_benjamini_and_hochberg(rng):
    z = np.r_[rng.normal(size=200), rng.normal(3, 1, size=30)]
    rejected = stats.false_discovery_control(stats.norm.sf(z)) < 0.1
    assert_array_equal(z > fdr_threshold(z, 0.1), rejected)
    assert (
        fdr_threshold(z.reshape(23, 10), 0.1)
        == fdr_threshold(z.tolist(), 0.1)
        == fdr_threshold(np.r_[z, np.nan], 0.1)
    )
    assert fdr_threshold(z, 0.1) == pytest.approx(peer.fdr_threshold(z, 0.1), abs=1e-12)


@pytest.mark.parametrize("z", [[], [0.1, -3.0], [np.nan]], ids=["no value", "small values", "nothing tested"])
def test_where_nothing_is_found_the_height_is_infinite(z):
    assert fdr_threshold(z, 0.05) == np.inf


def test_a_map_on_which_nothing_passes_is_0_with_a_warning():
    img = nib.Nifti1Image(np.random.default_rng(0).uniform(-1, 1, (5, 5, 5)), AFFINE)
    with pytest.warns(UserWarning, match="No voxel passes height_control='fdr'"):
        kept, height = threshold_stats_img(img, height_control="fdr")
    assert height == np.inf
    assert not kept.get_fdata().any()


def test_surfaces_are_cut_vertex_by_vertex_and_clusters_follow_edges(rng):
    values = {part: 2 * rng.normal(size=surfaces.N_VERTICES) for part in ("left", "right")}
    img = surfaces.on_mesh(values)
    kept, height = threshold_stats_img(img, alpha=0.05, height_control="fdr")
    flat = np.concatenate(list(values.values()))
    assert height == pytest.approx(fdr_threshold(np.abs(flat), 0.025))
    for part in values:
        assert_array_equal(kept.data.parts[part], np.where(np.abs(values[part]) >= height, values[part], 0))
    fewer, _ = threshold_stats_img(img, alpha=0.05, cluster_threshold=2)
    for part in values:
        for vertex in np.flatnonzero(fewer.data.parts[part]):
            faces = np.asarray(img.mesh.parts[part].faces)
            around = np.unique(faces[(faces == vertex).any(axis=1)])
            assert (fewer.data.parts[part][around] * values[part][vertex] > 0).sum() >= 2


def test_a_map_on_another_grid_than_its_mask_is_brought_to_it():
    img = z_image(2)
    mask = nib.Nifti1Image(
        np.ones((5, 5, 5), np.uint8), np.diag([4.0, 4, 4, 1]) + [[0, 0, 0, 6]] * 4 * np.eye(4)[:, 3:]
    )
    with pytest.warns(UserWarning, match="resampled to the grid of mask_img"):
        kept, _ = threshold_stats_img(img, mask, alpha=0.5)
    assert kept.shape == mask.shape


@pytest.mark.parametrize(
    "options, error, words",
    [
        (dict(alpha=2), ValueError, "alpha must be between 0 and 1; 2"),
        (dict(alpha=-0.1), ValueError, "alpha must be between 0 and 1"),
        (dict(alpha="0.05"), TypeError, "alpha must be a number"),
        (dict(alpha=np.nan), ValueError, "alpha must be between"),
        (
            dict(height_control="fwe"),
            ValueError,
            "height_control must be one of 'fpr', 'fdr', 'bonferroni', None",
        ),
        (dict(cluster_threshold=-1), ValueError, "cluster_threshold must be at least 0"),
        (dict(cluster_threshold=2.5), TypeError, "cluster_threshold must be a whole number"),
        (dict(two_sided=1), TypeError, "two_sided must be True or False"),
        (dict(threshold=-2, height_control=None), ValueError, "threshold must not be negative"),
        (dict(threshold="3", height_control=None), ValueError, "threshold must be a number"),
        (dict(threshold="30%", height_control=None), TypeError, "threshold must be a number"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_bad_parameters_are_named(options, error, words):
    with pytest.raises(error, match=words):
        threshold_stats_img(z_image(0), **options)


def test_a_threshold_that_has_no_effect_is_told_of_and_several_samples_are_refused():
    with pytest.warns(UserWarning, match="threshold=2 has no effect"):
        threshold_stats_img(z_image(0), threshold=2)
    with pytest.raises(TypeError, match="stat_img"):
        threshold_stats_img(nib.Nifti1Image(np.ones((3, 3, 3, 2)), np.eye(4)))


@pytest.mark.slow
@pytest.mark.parametrize("control", ["fpr", "fdr", "bonferroni"])
@pytest.mark.parametrize("two_sided", [True, False])
@pytest.mark.filterwarnings("ignore:No voxel passes", "ignore:threshold=")
def test_error_rates_under_the_null_are_nominal(control, two_sided):
    """500 maps of independent normal deviates: the rate lies within the binomial interval of 99.9 %."""
    alpha, n_maps, shape = 0.05, 500, (8, 8, 8)
    rng = np.random.default_rng(17)
    mask = nib.Nifti1Image(np.ones(shape, np.uint8), np.eye(4))
    found = []
    for _ in range(n_maps):
        img = nib.Nifti1Image(rng.normal(size=shape), np.eye(4))
        kept, _ = threshold_stats_img(img, mask, alpha, height_control=control, two_sided=two_sided)
        found.append(np.count_nonzero(kept.get_fdata()))
    # Under the null, any discovery of "fdr" and "bonferroni" is one false family; "fpr" counts points.
    n = n_maps * np.prod(shape) if control == "fpr" else n_maps
    errors = np.sum(found) if control == "fpr" else np.count_nonzero(found)
    low, high = stats.binom.interval(0.999, n, alpha)
    assert low <= errors <= high
