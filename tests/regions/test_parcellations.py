"""Parcellations, ReNA and k-means in two levels: against scikit-learn, SciPy and nilearn."""

from __future__ import annotations

import pickle

import maps as made
import nilearn.regions as peer
import numpy as np
import pytest
import surfaces
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage, signal
from sklearn.base import clone
from sklearn.cluster import AgglomerativeClustering
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.image import grid_to_graph
from sklearn.metrics import adjusted_rand_score

from brainsieve.regions import HierarchicalKMeans, Parcellations, ReNA, recursive_neighbor_agglomeration
from brainsieve.regions.hierarchical_kmeans import shares

SHAPE = (9, 10, 8)
RNG = np.random.default_rng(0)
MASK = np.zeros(SHAPE, np.uint8)
MASK[1:-1, 1:-1, 1:-1] = 1
INSIDE = MASK > 0
RUN = np.stack([ndimage.gaussian_filter(RNG.normal(size=SHAPE), 1.3) for _ in range(16)], -1) * 10 + 100
OTHER = RUN[::-1] + RNG.normal(size=RUN.shape)
METHODS = ["kmeans", "hierarchical_kmeans", "ward", "complete", "average", "rena"]
mask_img = made.image(MASK)


def fitted(method="ward", imgs=None, n_parcels=12, **options):
    options = {"mask": mask_img, "smoothing_fwhm": None, "standardize": None, **options}
    model = Parcellations(method, n_parcels=n_parcels, **options)
    return model.fit(made.image(RUN) if imgs is None else imgs)


def labels_of(model):
    return np.asarray(model.labels_img_.dataobj)


@pytest.mark.parametrize("method", METHODS[:-1])
@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("fwhm", [None, 5.0])
def test_parcels_are_nilearn_s(method, several, fwhm):
    imgs = [made.image(RUN), made.image(OTHER)] if several else made.image(RUN)
    options = {"n_parcels": 12, "mask": mask_img, "smoothing_fwhm": fwhm, "standardize": None}
    expected = made.quiet(peer.Parcellations(method, **options).fit, imgs)
    ours = Parcellations(method, **options).fit(imgs)
    a, b = labels_of(ours), expected.labels_img_.get_fdata()
    assert adjusted_rand_score(a[INSIDE], b[INSIDE]) == 1.0
    assert not a[~INSIDE].any()
    assert ours.labels_img_.get_data_dtype() == np.int32
    assert np.unique(a).tolist() == list(range(13))
    assert ours.n_elements_ == 12
    signals, theirs = ours.transform(imgs), made.quiet(expected.transform, imgs)
    for mine, other in zip(*((signals, theirs) if several else ([signals], [theirs])), strict=True):
        order = [a[INSIDE][np.flatnonzero(b[INSIDE] == i)[0]] - 1 for i in range(1, 13)]
        assert_allclose(mine[:, order], other, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_parcels_come_of_every_order_of_memory_and_dtype(method):
    expected = labels_of(fitted(method))
    again = labels_of(fitted(method, made.image(np.ascontiguousarray(RUN))))
    narrow = labels_of(fitted(method, made.image(np.asfortranarray(RUN).astype(np.float32))))
    assert_array_equal(again, expected)
    assert adjusted_rand_score(narrow[INSIDE], expected[INSIDE]) > 0.8


def test_detrended_runs_are_clustered_on_what_has_variance():
    # A trend and a mean are gone: 14 directions of 16 are left, and rounding is none.
    ours = fitted("ward", detrend=True)
    series = signal.detrend(RUN[INSIDE].T, axis=0)
    u = np.linalg.svd(series.T, full_matrices=False)[0][:, :14]
    graph = grid_to_graph(*SHAPE, mask=INSIDE)
    expected = AgglomerativeClustering(12, connectivity=graph, linkage="ward").fit(u).labels_
    assert ours.components_.shape == (14, INSIDE.sum())
    assert adjusted_rand_score(labels_of(ours)[INSIDE], expected) == 1.0


def test_confounds_are_taken_out_in_fit_and_transform():
    confound = RNG.normal(size=(16, 1))
    spoilt = RUN + 30 * confound[:, 0] * np.linspace(0, 1, SHAPE[0])[:, None, None, None]
    clean = fitted("ward", made.image(RUN), detrend=True)
    model = Parcellations(
        "ward", n_parcels=12, mask=mask_img, smoothing_fwhm=None, standardize=None, detrend=True
    )
    ours = model.fit(made.image(spoilt), confounds=[confound])
    assert ours.components_.shape[0] == 13
    signals = ours.transform(made.image(spoilt), confounds=[confound])
    assert_allclose(signals.T @ (confound - confound.mean()), 0, atol=1e-6)
    assert clean.components_.shape[0] == 14
    again = model.fit_transform(made.image(spoilt), confounds=[confound])
    assert_allclose(again, signals)


def test_signals_are_means_of_parcels_and_go_back():
    ours = fitted()
    labels = labels_of(ours)
    signals = ours.transform(made.image(RUN))
    expected = np.stack([RUN[labels == i].mean(axis=0) for i in range(1, 13)], axis=1)
    assert_allclose(signals, expected)
    back = ours.inverse_transform(signals)
    assert back.shape == RUN.shape
    assert_allclose(np.asarray(back.dataobj)[labels == 5], np.tile(expected[:, 4], ((labels == 5).sum(), 1)))
    assert isinstance(ours.transform([made.image(RUN)]), np.ndarray)
    several = ours.transform([made.image(RUN), made.image(OTHER)])
    assert [each.shape for each in several] == [(16, 12)] * 2
    assert [each.shape for each in ours.inverse_transform(several)] == [RUN.shape] * 2
    assert ours.get_feature_names_out()[0] == "parcellations0"
    assert 0.99 < ours.score(made.image(RUN)) < 1 + 1e-9


def test_surfaces_are_parcelled_too():
    img = surfaces.run()
    values = {part: np.asarray(data)[:, :30] for part, data in img.data.parts.items()}
    short = surfaces.on_mesh(values)
    for method in ("kmeans", "rena"):
        ours = Parcellations(method, n_parcels=20, smoothing_fwhm=None, standardize=None)
        made.quiet(ours.fit, [short, short])
        labels = np.concatenate([np.ravel(part) for part in ours.labels_img_.data.parts.values()])
        assert labels.shape == (2 * surfaces.N_VERTICES,)
        assert np.unique(labels).tolist() == list(range(1, 21))
        assert made.quiet(ours.transform, short).shape == (30, 20)


def test_rena_makes_connected_parcels_on_each_hemisphere():
    ours = fitted("rena", n_parcels=9)
    for label in range(1, 10):
        assert ndimage.label(labels_of(ours) == label)[1] == 1
    assert ours.connectivity_.shape == (INSIDE.sum(), INSIDE.sum())


def test_fits_repeat_and_parameters_stay():
    model = Parcellations("kmeans", n_parcels=7, mask=mask_img, standardize=None)
    before = model.get_params()
    first = labels_of(model.fit(made.image(RUN))).copy()
    assert_array_equal(labels_of(model.fit(made.image(RUN))), first)
    assert_array_equal(labels_of(clone(model).fit(made.image(RUN))), first)
    assert_array_equal(labels_of(pickle.loads(pickle.dumps(model))), first)
    assert model.get_params() == before


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"method": None}, ValueError, "method is None; choose one of 'kmeans'"),
        ({"method": "wards"}, ValueError, "method must be one of.*Did you mean 'ward'"),
        ({"n_parcels": 0}, ValueError, "n_parcels"),
        ({"n_parcels": 2.5}, TypeError, "n_parcels"),
        ({"n_parcels": 10**6}, ValueError, "n_parcels=1000000 is more than the 336 points"),
        ({"n_iter": 0}, ValueError, "n_iter"),
        ({"scaling": 1}, TypeError, "scaling"),
        ({"random_state": "x"}, TypeError, "random_state"),
        ({"mask_strategy": "x", "mask": None}, ValueError, "mask_strategy"),
    ],
    ids=lambda value: "" if isinstance(value, type) else None,
)
def test_bad_parameters_are_named_and_leave_it_unfitted(options, error, words):
    model = Parcellations(**{"method": "ward", "mask": mask_img, "standardize": None, **options})
    with pytest.raises(error, match=words):
        made.quiet(model.fit, made.image(RUN))
    with pytest.raises(NotFittedError):
        model.transform(made.image(RUN))


# -- clusters of features ----------------------------------------------------------------------------------


SERIES = RUN[INSIDE].T


@pytest.mark.parametrize("n_iter", [1, 2, 3])
def test_whole_rounds_of_rena_are_nilearn_s(n_iter):
    expected = peer.ReNA(mask_img, n_clusters=2, n_iter=n_iter).fit(SERIES)
    ours = ReNA(mask_img, n_clusters=2, n_iter=n_iter).fit(SERIES)
    assert ours.n_clusters_ == expected.n_clusters_
    assert adjusted_rand_score(ours.labels_, expected.labels_) == 1.0
    n, labels = recursive_neighbor_agglomeration(SERIES, mask_img, 2, n_iter=n_iter)
    assert n == ours.n_clusters_
    assert_array_equal(labels, ours.labels_)


def test_the_last_round_of_rena_keeps_its_shortest_joints():
    series = np.array([[0.0, 1.0, 3.0, 3.5, 10.0, 10.2]])
    mask = made.image(np.ones((6, 1, 1), np.uint8))
    partitions = {
        5: [0, 1, 2, 3, 4, 4],
        4: [0, 1, 2, 2, 3, 3],
        3: [0, 0, 1, 1, 2, 2],
        2: [0, 0, 0, 0, 1, 1],
        1: [0, 0, 0, 0, 0, 0],
    }
    for n_clusters, expected in partitions.items():
        assert ReNA(mask, n_clusters=n_clusters).fit_predict(series).tolist() == expected


def test_an_isolated_voxel_shifts_nothing():
    mask = MASK.copy()
    mask[0, 0, 0] = 1  # touches nothing, and comes first
    mask_with = made.image(mask)
    values = RUN[mask > 0].T
    ours = ReNA(mask_with, n_clusters=20).fit(values)
    alone = ReNA(mask_img, n_clusters=19).fit(SERIES)
    assert (ours.labels_ == ours.labels_[0]).sum() == 1
    assert adjusted_rand_score(ours.labels_[1:], alone.labels_) == 1.0
    volume = np.zeros(SHAPE, int)
    volume[mask > 0] = ours.labels_ + 1
    assert all(ndimage.label(volume == i)[1] == 1 for i in range(1, 21))


@pytest.mark.parametrize(
    "make", [lambda k, s: ReNA(mask_img, k, s), lambda k, s: HierarchicalKMeans(k, scaling=s)]
)
@pytest.mark.parametrize("scaling", [False, True])
def test_signals_of_clusters_are_means_and_go_back(make, scaling):
    ours = make(15, scaling).fit(SERIES)
    reduced = ours.transform(SERIES)
    means = np.stack([SERIES[:, ours.labels_ == k].mean(axis=1) for k in range(15)], axis=1)
    assert_allclose(reduced, means * (np.sqrt(ours.sizes_) if scaling else 1))
    assert_allclose(ours.inverse_transform(reduced), means[:, ours.labels_])
    assert_array_equal(ours.sizes_, np.bincount(ours.labels_))
    with pytest.raises(ValueError, match="expecting 336 features"):
        ours.transform(SERIES[:, 1:])
    with pytest.raises(NotFittedError):
        clone(ours).transform(SERIES)


def test_k_means_in_two_levels_is_nilearn_s_where_that_has_enough_samples():
    for k in (5, 12, 16):
        expected = peer.HierarchicalKMeans(k).fit(SERIES)
        ours = HierarchicalKMeans(k).fit(SERIES)
        assert adjusted_rand_score(ours.labels_, expected.labels_) == 1.0


def test_clusters_are_limited_by_features_not_by_samples():
    ours = HierarchicalKMeans(50).fit(SERIES)
    assert ours.n_clusters_ == 50 and ours.n_clusters == 50
    assert fitted("hierarchical_kmeans", n_parcels=40).n_elements_ == 40
    for model in (HierarchicalKMeans(400), ReNA(mask_img, n_clusters=400)):
        with pytest.warns(UserWarning, match="n_clusters=400 is more than the 336 features"):
            model.fit(SERIES)
        assert model.n_clusters == 400 and model.n_clusters_ == 336


def test_shares_are_in_proportion_and_as_many_as_asked_for():
    assert shares(np.array([50, 30, 20]), 10) == [5, 3, 2]
    assert sum(shares(np.array([98, 1, 1]), 10)) == 10
    assert shares(np.array([98, 1, 1]), 10) == [8, 1, 1]
    assert shares(np.array([3, 0, 5]), 8) == [3, 0, 5]


@pytest.mark.parametrize(
    "model, words",
    [
        (ReNA(None), "mask_img"),
        (ReNA(mask_img, n_clusters=0), "n_clusters"),
        (ReNA(mask_img, n_iter=0), "n_iter"),
        (ReNA(mask_img, threshold=-1), "threshold"),
        (HierarchicalKMeans(None), "n_clusters"),
        (HierarchicalKMeans(0), "n_clusters"),
    ],
    ids=["mask", "rena-0", "iter", "threshold", "none", "kmeans-0"],
)
def test_bad_parameters_of_clusters_are_named(model, words):
    with pytest.raises(ValueError, match=words):
        model.fit(SERIES)


def test_columns_that_are_not_those_of_the_mask_are_refused(tmp_path):
    with pytest.raises(ValueError, match="X has 335 columns, mask_img 336 points"):
        ReNA(mask_img).fit(SERIES[:, 1:])
    import nibabel as nib

    nib.save(mask_img, tmp_path / "mask.nii.gz")
    from_file = ReNA(tmp_path / "mask.nii.gz", n_clusters=9, memory=tmp_path).fit(SERIES)
    assert_array_equal(from_file.labels_, ReNA(mask_img, n_clusters=9).fit(SERIES).labels_)
