"""permuted_ols: t by least squares, null distributions by plain loops and by the peer, clusters by labelling."""

from __future__ import annotations

import warnings

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker as PeerMasker
from nilearn.mass_univariate import permuted_ols as peer
from numpy.testing import assert_allclose
from scipy import ndimage, stats

from brainsieve.maskers import NiftiLabelsMasker, NiftiMasker, SurfaceMasker
from brainsieve.mass_univariate import permuted_ols
from brainsieve.mass_univariate.clusters import clusters_above, tfce
from brainsieve.mass_univariate.geometry import edges_of, of_voxels
from brainsieve.surface import InMemoryMesh, PolyMesh, SurfaceImage

RNG = np.random.default_rng(0)
N = 14
MASK = np.zeros((7, 6, 5), bool)
MASK[1:6, :5, 1:] = np.random.default_rng(1).random((5, 5, 4)) < 0.85
MASK_IMG = nib.Nifti1Image(MASK.astype("u1"), np.diag([3.0, 3, 3, 1]))
V = int(MASK.sum())
TESTED = RNG.normal(size=(N, 2))
CONFOUNDS = RNG.normal(size=(N, 2))
TARGETS = RNG.normal(size=(N, V)) + 0.5
TARGETS[:, :15] += 1.5 * TESTED[:, :1]

DESIGNS = {
    "two groups": (np.repeat([0, 1], N // 2), None),
    "one variable": (TESTED[:, 0], None),
    "with confounds": (TESTED[:, 0], CONFOUNDS),
    "two variables": (TESTED, CONFOUNDS),
    "one sample": (np.ones(N), None),
    "one sample with confounds": (np.ones(N), CONFOUNDS),
}


def quiet(call, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*args, **kwargs)


@pytest.fixture(scope="module")
def masker():
    return NiftiMasker(MASK_IMG).fit()


def t_by_least_squares(tested, confounds, targets, intercept=True):
    """t of one variable beside confounds: the textbook's formula."""
    n = len(targets)
    columns = [
        tested[:, None],
        *([] if confounds is None else [confounds]),
        *([np.ones((n, 1))] if intercept else []),
    ]
    X = np.hstack(columns)
    beta, *_ = np.linalg.lstsq(X, targets, rcond=None)
    left = targets - X @ beta
    variance = (left**2).sum(axis=0) / (n - np.linalg.matrix_rank(X))
    return beta[0] / np.sqrt(variance * np.linalg.pinv(X.T @ X)[0, 0])


@pytest.mark.parametrize("name", DESIGNS)
def test_t_is_that_of_least_squares(name):
    tested, confounds = DESIGNS[name]
    columns = tested.reshape(N, -1).T
    expected = [t_by_least_squares(x, confounds, TARGETS, np.ptp(x) > 0) for x in columns]
    assert_allclose(permuted_ols(tested, TARGETS, confounds, n_perm=0)["t"], expected, rtol=1e-9)


@pytest.mark.parametrize("two_sided", [True, False])
@pytest.mark.parametrize("name", DESIGNS)
def test_all_outputs_are_the_peers(name, two_sided, masker):
    tested, confounds = DESIGNS[name]
    options = dict(n_perm=25, random_state=3, two_sided_test=two_sided)
    theirs = PeerMasker(MASK_IMG).fit()
    expected = quiet(peer, tested, TARGETS, confounds, **options)
    found = quiet(permuted_ols, tested, TARGETS, confounds, **options)
    assert set(found) == set(expected)
    options |= dict(tfce=True, threshold=0.05)
    spatial = quiet(peer, tested, TARGETS, confounds, masker=theirs, **options)
    ours = quiet(permuted_ols, tested, TARGETS, confounds, masker=masker, **options)
    assert set(ours) == set(spatial)
    for key in spatial:
        assert_allclose(ours[key], spatial[key], rtol=1e-7, atol=1e-10, err_msg=key)
    if name != "two groups":  # the peer takes ties by rounding for smaller
        for key in expected:
            assert_allclose(found[key], expected[key], rtol=1e-7, atol=1e-10, err_msg=key)


def test_the_null_is_that_of_refitted_models():
    found = permuted_ols(TESTED[:, 0], TARGETS, CONFOUNDS, n_perm=6, random_state=5)
    rng = np.random.RandomState(np.random.RandomState(5).randint(1, 2**31 - 2))
    design = np.hstack([CONFOUNDS, np.ones((N, 1))])
    residual = lambda y: y - design @ np.linalg.lstsq(design, y, rcond=None)[0]  # noqa: E731
    left_x, left_y = residual(TESTED[:, :1]), residual(TARGETS)
    left_y /= np.linalg.norm(left_y, axis=0)
    confounds = CONFOUNDS
    for largest in found["h0_max_t"][0]:
        order = rng.permutation(N)
        left_x, confounds = left_x[order], confounds[order]
        expected = np.abs(t_by_least_squares(left_x[:, 0], confounds, left_y)).max()
        assert np.isclose(largest, expected)


@pytest.mark.parametrize("spatial", [False, True])
def test_threads_change_no_number_and_inputs_stay_as_they_are(spatial, masker):
    options = dict(n_perm=300 if not spatial else 20, random_state=0)
    if spatial:
        options |= dict(masker=masker, tfce=True, threshold=0.01)
    copies = [TESTED.copy(), TARGETS.copy(), CONFOUNDS.copy()]
    one = permuted_ols(TESTED, TARGETS, CONFOUNDS, n_jobs=1, **options)
    for n_jobs in (2, 3, -1):
        other = permuted_ols(TESTED, TARGETS, CONFOUNDS, n_jobs=n_jobs, **options)
        for key in one:
            np.testing.assert_array_equal(other[key], one[key])
    for given, copy in zip((TESTED, TARGETS, CONFOUNDS), copies, strict=True):
        np.testing.assert_array_equal(given, copy)


def test_p_counts_ties_as_not_smaller():
    # With 6 samples in two groups every value of t occurs in several of the 720 orders.
    group = np.repeat([0.0, 1.0], 3)
    targets = np.random.default_rng(4).normal(size=(6, 1))
    found = permuted_ols(group, targets, n_perm=400, random_state=1)
    t, null = found["t"][0, 0], found["h0_max_t"][0]
    expected = (1 + (null > abs(t) * (1 - 1e-6)).sum()) / 401
    assert np.isclose(10 ** -found["logp_max_t"][0, 0], expected)
    for dtype, tolerance in ((np.float32, 2e-4),):
        small = permuted_ols(group, targets.astype(dtype), n_perm=400, random_state=1)
        assert_allclose(small["logp_max_t"], found["logp_max_t"], atol=tolerance)


def test_float32_is_close_to_float64():
    options = dict(n_perm=50, random_state=2)
    single = permuted_ols(TESTED, TARGETS.astype("f4"), CONFOUNDS, **options)
    double = permuted_ols(TESTED, TARGETS, CONFOUNDS, **options)
    for key in ("t", "h0_max_t"):
        assert single[key].dtype == np.float64
        assert_allclose(single[key], double[key], rtol=1e-4, atol=1e-4)


def test_targets_without_variance_have_no_t_and_no_part():
    spoilt = TARGETS.copy()
    spoilt[:, 3] = 7.0
    spoilt[:, 4] = 2 * CONFOUNDS[:, 0] - CONFOUNDS[:, 1] + 1e3
    spoilt[0, 5] = np.nan
    spoilt[:, 6] = 0
    keep = np.setdiff1d(np.arange(V), [3, 4, 5, 6])
    for two_sided in (True, False):
        options = dict(n_perm=60, random_state=1, two_sided_test=two_sided)
        with pytest.warns(UserWarning, match="4 of .* columns are 0, NaN, or wholly explained"):
            found = permuted_ols(TESTED, spoilt, CONFOUNDS, **options)
        expected = permuted_ols(TESTED, TARGETS[:, keep], CONFOUNDS, **options)
        assert np.isnan(found["t"][:, [3, 4, 5, 6]]).all()
        assert (found["logp_max_t"][:, [3, 4, 5, 6]] == 0).all()
        assert_allclose(found["h0_max_t"], expected["h0_max_t"], rtol=1e-9)
        assert_allclose(found["logp_max_t"][:, keep], expected["logp_max_t"], rtol=1e-9)


def test_targets_without_variance_have_no_part_in_clusters_either(masker):
    spoilt = TARGETS.copy()
    spoilt[:, 3] = 7.0
    found = quiet(
        permuted_ols, TESTED, spoilt, n_perm=10, random_state=1, masker=masker, tfce=True, threshold=0.1
    )
    assert (found["tfce"][:, 3] == 0).all() and (found["size"][:, 3] == 0).all()
    assert np.isfinite(found["h0_max_t"]).all() and np.isfinite(found["h0_max_tfce"]).all()


def test_units_of_confounds_and_an_intercept_given_change_nothing():
    expected = permuted_ols(TESTED, TARGETS, CONFOUNDS, n_perm=20, random_state=1)
    scaled = permuted_ols(TESTED, TARGETS, CONFOUNDS * [1e-9, 1e9], n_perm=20, random_state=1)
    with pytest.warns(UserWarning, match="it is the intercept, and samples are permuted"):
        given = permuted_ols(
            TESTED, TARGETS, np.hstack([CONFOUNDS, np.ones((N, 1))]), n_perm=20, random_state=1
        )
    repeated = permuted_ols(
        TESTED, TARGETS, np.hstack([CONFOUNDS, CONFOUNDS[:, :1]]), n_perm=20, random_state=1
    )
    for other in (scaled, given, repeated):
        for key in expected:
            assert_allclose(other[key], expected[key], rtol=1e-6, err_msg=key)


def test_without_intercept_nothing_is_centred():
    x, y = TESTED[:, 0] + 2, TARGETS
    expected = t_by_least_squares(x, CONFOUNDS, y, intercept=False)
    assert_allclose(permuted_ols(x, y, CONFOUNDS, model_intercept=False, n_perm=0)["t"][0], expected)


def maps(m=3, seed=0):
    values = np.random.default_rng(seed).normal(size=(m, *MASK.shape)) * 2
    return np.stack([ndimage.gaussian_filter(one, 0.7)[MASK] * 4 for one in values])


def test_clusters_are_those_of_labelling():
    for two_sided in (True, False):
        found = clusters_above(maps(), of_voxels(MASK), 0.8, two_sided)
        for k, values in enumerate(maps()):
            volume = np.zeros(MASK.shape)
            volume[MASK] = values
            size, mass = np.zeros(MASK.shape), np.zeros(MASK.shape)
            for signed in (volume, -volume) if two_sided else (volume,):
                labels, n = ndimage.label(signed > 0.8)
                for label in range(1, n + 1):
                    here = labels == label
                    size[here], mass[here] = here.sum(), (signed[here] - 0.8).sum()
            np.testing.assert_array_equal(found.sizes[k], size[MASK])
            assert_allclose(found.masses[k], mass[MASK], rtol=1e-12)


@pytest.mark.parametrize("step", [None, 0.25])
@pytest.mark.parametrize("two_sided", [True, False])
def test_tfce_is_the_sum_over_labelled_levels(two_sided, step):
    found = tfce(maps(), of_voxels(MASK), two_sided, step)
    for k, values in enumerate(maps()):
        volume = np.zeros(MASK.shape)
        volume[MASK] = values
        top = np.abs(values).max() if two_sided else values.max()
        heights = np.linspace(0, top, 101)[1:] if step is None else np.arange(step, top + step / 2, step)
        expected = np.zeros(MASK.shape)
        for sign in (1, -1) if two_sided else (1,):
            for height in heights:
                labels, _ = ndimage.label(sign * volume >= height)
                extent = np.bincount(labels.ravel())
                extent[0] = 0
                expected += sign * np.sqrt(extent[labels]) * height**2
        assert_allclose(found[k], expected[MASK] * (step or 1), rtol=1e-9, atol=1e-9)


def test_tfce_of_maps_of_nothing_is_zero():
    assert (tfce(np.full((2, V), np.nan), of_voxels(MASK), True) == 0).all()
    assert (tfce(-np.ones((1, V)), of_voxels(MASK), False) == 0).all()


def surface_masker():
    """A strip of triangles on each side; one vertex of the right one is outside."""
    n = 8
    along = np.repeat(np.arange(n // 2), 2)
    points = np.column_stack([along, np.tile([0, 1], n // 2), np.zeros(n)]).astype(float)
    faces = np.array([[i, i + 1, i + 2] for i in range(n - 2)])
    mesh = PolyMesh(left=InMemoryMesh(points, faces), right=InMemoryMesh(points + [9, 0, 0], faces))
    inside = np.ones(n)
    inside[2] = 0
    return SurfaceMasker(SurfaceImage(mesh, {"left": np.ones(n), "right": inside})).fit()


def test_neighbours_on_a_surface_are_the_ends_of_edges():
    edges = {tuple(sorted(map(int, pair))) for pair in edges_of(surface_masker())}
    strip = {(i, j) for i in range(8) for j in (i + 1, i + 2) if j < 8}
    right = {(a, b) for a, b in strip if 2 not in (a, b)}
    number = {old: 8 + new for new, old in enumerate([0, 1, 3, 4, 5, 6, 7])}
    assert edges == strip | {(number[a], number[b]) for a, b in right}


def test_clusters_of_surfaces_do_not_pass_from_one_side_to_the_other():
    masker = surface_masker()
    targets = np.random.default_rng(0).normal(size=(N, 15)) + 5  # all above any threshold
    found = permuted_ols(
        np.ones(N), targets, n_perm=10, random_state=0, masker=masker, threshold=0.05, tfce=True
    )
    assert found["size"][0].tolist() == [8] * 8 + [7] * 7


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"n_perm": 10.0}, TypeError, "n_perm must be an integer"),
        ({"two_sided_test": "yes"}, TypeError, "two_sided_test must be True or False"),
        ({"threshold": 3.1}, ValueError, "uncorrected p-value"),
        ({"threshold": 0.05}, ValueError, "masker is needed"),
        ({"tfce": True}, ValueError, "masker is needed"),
        ({"tfce_step": 0}, ValueError, "tfce_step must be"),
        ({"output_type": "legacy"}, ValueError, "output_type must be 'dict'"),
        ({"confounding_vars": CONFOUNDS[:-1]}, ValueError, "confounding_vars has 13 rows, target_vars has 14"),
        ({"confounding_vars": np.full((N, 1), np.nan)}, ValueError, "column 0 has values that are NaN"),
        ({"tested_vars": TESTED[:5]}, ValueError, "tested_vars has 5 rows"),
        ({"tested_vars": ["a"] * N}, TypeError, "tested_vars must hold numbers"),
        ({"tested_vars": np.column_stack([TESTED, CONFOUNDS[:, 0] * 2 + 1])}, ValueError, "column 2 is a combination"),
        ({"tested_vars": np.column_stack([TESTED, np.ones(N)])}, ValueError, "column 2 is constant, beside"),
        ({"target_vars": TARGETS[:, 0]}, ValueError, "target_vars must have shape"),
        ({"target_vars": np.ones((N, 3))}, ValueError, "all columns are 0"),
        ({"confounding_vars": RNG.normal(size=(N, N - 2))}, ValueError, "no degree of freedom"),
        ({"masker": MASK_IMG, "tfce": True}, TypeError, "masker must be a fitted NiftiMasker"),
        ({"masker": NiftiMasker(MASK_IMG), "tfce": True}, TypeError, "masker must be a fitted"),
        ({"masker": NiftiLabelsMasker(MASK_IMG).fit(), "tfce": True}, TypeError, "columns are voxels"),
        ({"masker": surface_masker(), "tfce": True}, ValueError, "masker has 15"),
    ],
)  # fmt: skip
def test_what_cannot_be_tested_is_refused(options, error, words):
    given = {
        "tested_vars": TESTED,
        "target_vars": TARGETS,
        "confounding_vars": CONFOUNDS,
        "n_perm": 5,
        **options,
    }
    with pytest.raises(error, match=words):
        quiet(permuted_ols, **given)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["with confounds", "one sample"])
def test_the_familywise_error_is_the_nominal_one(name, masker):
    tested, confounds = DESIGNS[name]
    rng = np.random.default_rng(11)
    n_simulations, alpha = 500, 0.05
    inference = dict(tfce=True, threshold=0.05)
    hits = dict.fromkeys(("logp_max_t", "logp_max_tfce", "logp_max_size"), 0)
    for seed in range(n_simulations):
        noise = np.stack([ndimage.gaussian_filter(rng.normal(size=MASK.shape), 0.6)[MASK] for _ in range(N)])
        found = quiet(
            permuted_ols,
            tested,
            noise,
            confounds,
            n_perm=39,
            random_state=seed,
            masker=masker,
            **inference,
        )
        for key in hits:
            hits[key] += bool(found[key].max() >= -np.log10(alpha) - 1e-9)
    low, high = stats.binom.interval(0.999, n_simulations, alpha)
    # Of clusters p is a share of n_perm, where one of n_perm + 1 is exact.
    assert low <= hits["logp_max_t"] <= high
    assert low <= hits["logp_max_tfce"] <= high
    assert hits["logp_max_size"] <= stats.binom.interval(0.999, n_simulations, alpha + 1 / 39)[1]
