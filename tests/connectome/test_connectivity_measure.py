"""ConnectivityMeasure, against the peer, plain algebra, and what a user may give by mistake."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from nilearn.connectome import ConnectivityMeasure as Peer
from numpy.testing import assert_allclose
from scipy.linalg import logm, sqrtm
from sklearn.base import clone
from sklearn.covariance import EmpiricalCovariance, LedoitWolf
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brainsieve.connectome import ConnectivityMeasure, vec_to_sym_matrix
from brainsieve.connectome.measure import KINDS, ledoit_wolf
from brainsieve.connectome.tangent import geometric_mean

N_REGIONS = 6


def group(n=5, n_regions=N_REGIONS, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(n_regions, n_regions))
    return [(rng.normal(size=(50 + 7 * k, n_regions)) @ mixing + k).astype(dtype) for k in range(n)]


def quiet(call):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


@pytest.mark.parametrize("vectorize, discard", [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("estimator", [None, EmpiricalCovariance()])
@pytest.mark.parametrize("kind", KINDS)
def test_fit_and_transform_give_what_the_peer_gives(kind, estimator, standardize, vectorize, discard):
    options = dict(
        kind=kind,
        cov_estimator=estimator,
        standardize=standardize,
        vectorize=vectorize,
        discard_diagonal=discard,
    )
    ours, peer = ConnectivityMeasure(**options), Peer(**options)
    expected = quiet(lambda: peer.fit_transform(group()))
    assert_allclose(ours.fit_transform(group()), expected, atol=1e-9 * np.abs(expected).max())
    assert_allclose(ours.mean_, peer.mean_, atol=1e-9 * np.abs(peer.mean_).max())
    others = quiet(lambda: peer.transform(group(seed=9)))
    assert_allclose(ours.transform(group(seed=9)), others, atol=1e-9 * np.abs(others).max())


def test_the_default_shrinkage_is_that_of_ledoit_and_wolf():
    for series in (*group(), np.random.default_rng(0).normal(size=(4, 20)), np.zeros((5, 3)) + [1, 2, 3]):
        assert_allclose(ledoit_wolf(series), LedoitWolf().fit(series).covariance_, atol=1e-12)


def test_tangent_vectors_of_the_group_have_mean_zero_and_are_logarithms_by_definition():
    measure = ConnectivityMeasure(kind="tangent")
    tangents = measure.fit_transform(group())
    assert_allclose(tangents.mean(axis=0), 0, atol=1e-6)
    whitening = np.linalg.inv(sqrtm(measure.mean_))
    for tangent, series in zip(tangents, group(), strict=True):
        covariance = LedoitWolf().fit(series).covariance_
        assert_allclose(tangent, logm(whitening @ covariance @ whitening), atol=1e-8)


def test_the_geometric_mean_of_commuting_matrices_is_the_mean_of_logarithms():
    rng = np.random.default_rng(1)
    vectors = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    values = rng.uniform(0.5, 2, size=(7, 4))
    matrices = np.stack([vectors @ np.diag(v) @ vectors.T for v in values])
    expected = vectors @ np.diag(np.exp(np.log(values).mean(axis=0))) @ vectors.T
    assert_allclose(geometric_mean(matrices), expected, atol=1e-7)


def test_covariances_come_back_from_tangent_space():
    series = group()
    covariances = ConnectivityMeasure().fit_transform(series)
    for vectorize in (False, True):
        measure = ConnectivityMeasure(kind="tangent", vectorize=vectorize)
        back = measure.inverse_transform(measure.fit_transform(series))
        assert_allclose(back, covariances, atol=1e-9 * np.abs(covariances).max())


def test_one_new_subject_can_be_brought_to_the_tangent_space_of_a_group():
    measure = ConnectivityMeasure(kind="tangent").fit(group())
    both = measure.transform(group(2, seed=5))
    assert_allclose(measure.transform([group(2, seed=5)[1]])[0], both[1], atol=1e-12)
    with pytest.raises(ValueError, match="needs a group"):
        ConnectivityMeasure(kind="tangent").fit_transform(group(1))


def test_a_masker_of_float32_keeps_float32():
    for kind in KINDS:
        assert ConnectivityMeasure(kind=kind).fit_transform(group(dtype=np.float32)).dtype == np.float32


def test_frames_arrays_generators_and_one_subject_are_taken():
    series = [one[:50] for one in group()]
    expected = ConnectivityMeasure().fit_transform(series)
    columns = list("abcdef")
    for given in (
        np.stack(series),
        tuple(series),
        (one for one in series),
        [pd.DataFrame(one, columns=columns) for one in series],
        [pl.DataFrame(one, schema=columns) for one in series],
    ):
        assert_allclose(ConnectivityMeasure().fit_transform(given), expected)
    assert_allclose(ConnectivityMeasure().fit_transform(series[2]), expected[[2]])
    assert_allclose(ConnectivityMeasure().fit_transform(pd.DataFrame(series[2])), expected[[2]])


def test_names_say_which_two_regions_a_column_connects():
    frames = [pd.DataFrame(one[:, :3], columns=["V1", "V2", "MT"]) for one in group()]
    measure = ConnectivityMeasure(kind="correlation", vectorize=True, discard_diagonal=True)
    for library in ("pandas", "polars"):
        table = measure.set_output(transform=library).fit_transform(frames)
        assert list(table.columns) == ["V1~V2", "V1~MT", "V2~MT"]
        first = np.corrcoef(frames[0].to_numpy(), rowvar=False)
        row = np.asarray(table.to_numpy())[0]
        # Shrinkage scales all correlations of a subject of standardized series by one number.
        assert_allclose(row / row[0], [1, first[0, 2] / first[0, 1], first[1, 2] / first[0, 1]], rtol=1e-9)
    assert list(measure.get_feature_names_out(["a", "b", "c"])) == ["a~b", "a~c", "b~c"]
    with_diagonal = ConnectivityMeasure(vectorize=True).fit([one[:, :2] for one in group()])
    assert list(with_diagonal.get_feature_names_out()) == ["0~0", "0~1", "1~1"]


def test_rows_lead_through_a_pipeline():
    pipe = make_pipeline(ConnectivityMeasure(kind="tangent", vectorize=True), StandardScaler())
    assert clone(pipe).fit_transform(group()).shape == (5, 21)


def test_a_refit_takes_another_number_of_regions_and_a_failed_one_changes_nothing():
    measure = ConnectivityMeasure(kind="tangent").fit(group())
    measure.fit(group(n_regions=4))
    assert measure.n_features_in_ == 4
    mean = measure.mean_
    with pytest.raises(ValueError):
        measure.fit([np.full((9, 4), np.nan)])
    assert measure.mean_ is mean and measure.n_features_in_ == 4


def test_transform_changes_neither_the_measure_nor_its_input():
    measure = ConnectivityMeasure(kind="tangent", cov_estimator=EmpiricalCovariance()).fit(group())
    before = measure.cov_estimator_.covariance_.copy()
    series = group(seed=3)
    copies = [one.copy() for one in series]
    measure.transform(series)
    assert_allclose(measure.cov_estimator_.covariance_, before, rtol=0)
    for one, copy in zip(series, copies, strict=True):
        np.testing.assert_array_equal(one, copy)


def test_zscore_sample_is_what_true_is():
    expected = ConnectivityMeasure(kind="correlation").fit_transform(group())
    assert_allclose(
        ConnectivityMeasure(kind="correlation", standardize="zscore_sample").fit_transform(group()), expected
    )


def test_a_constant_region_correlates_with_none():
    series = group(2)
    series[1][:, 2] = 3.0
    matrix = ConnectivityMeasure(kind="correlation").fit_transform(series)[1]
    assert_allclose(np.delete(matrix[2], 2), 0, atol=1e-12)
    assert matrix[2, 2] == 1
    with pytest.warns(UserWarning, match="no variance"):
        plain = ConnectivityMeasure(kind="correlation", cov_estimator=EmpiricalCovariance()).fit_transform(
            series
        )
    assert np.isfinite(plain).all()


@pytest.mark.parametrize("kind", ["precision", "partial correlation", "tangent"])
def test_a_singular_covariance_is_refused_with_its_subject(kind):
    plain = EmpiricalCovariance()
    series = group(3)
    series[2][:, 4] = 7.0
    with pytest.raises(ValueError, match=r"X\[2\].*64 samples of 6 features.*constant features: 4"):
        ConnectivityMeasure(kind=kind, cov_estimator=plain).fit(series)
    short = [*group(2), np.random.default_rng(0).normal(size=(5, N_REGIONS))]
    with pytest.raises(ValueError, match=r"X\[2\].*5 samples of 6 features.*too few samples"):
        ConnectivityMeasure(kind=kind, cov_estimator=plain).fit(short)
    series[2][:, 4] = series[2][:, 0] - 2 * series[2][:, 1]
    with pytest.raises(ValueError, match="that others explain"):
        ConnectivityMeasure(kind=kind, cov_estimator=plain).fit(series)


def test_the_test_for_singular_covariances_does_not_depend_on_units():
    series = [one * [1e-9, 1, 1, 1e5, 1, 1] for one in group()]
    ConnectivityMeasure(kind="precision", cov_estimator=EmpiricalCovariance()).fit(series)


def test_confounds_by_default_do_what_the_peer_does_and_say_so():
    confounds = np.random.default_rng(2).normal(size=(5, 1))
    options = dict(kind="correlation", vectorize=True)
    with pytest.warns(UserWarning, match="detrended over the order"):
        ours = ConnectivityMeasure(**options).fit_transform(group(), confounds=confounds)
    assert_allclose(
        ours, quiet(lambda: Peer(**options).fit_transform(group(), confounds=confounds)), atol=1e-9
    )


def test_confounds_with_keep_mean_are_regressed_out_and_nothing_else():
    rng = np.random.default_rng(2)
    age = rng.normal(50, 10, size=5)
    measure = ConnectivityMeasure(kind="correlation", vectorize=True, keep_mean=True)
    plain = measure.fit_transform(group())
    cleaned = measure.fit_transform(group(), confounds=age)
    centred = (age - age.mean())[:, None]
    expected = plain - centred @ np.linalg.lstsq(centred, plain - plain.mean(axis=0), rcond=None)[0]
    assert_allclose(cleaned, expected, atol=1e-9)
    order = rng.permutation(5)
    shuffled = measure.fit_transform([group()[i] for i in order], confounds=age[order])
    assert_allclose(shuffled, cleaned[order], atol=1e-9)


def test_a_discarded_diagonal_is_one_for_correlations_and_asked_for_elsewhere():
    measure = ConnectivityMeasure(kind="correlation", vectorize=True, discard_diagonal=True)
    vectors = measure.fit_transform(group())
    full = ConnectivityMeasure(kind="correlation").fit_transform(group())
    assert_allclose(measure.inverse_transform(vectors), full, atol=1e-12)
    assert_allclose(measure.inverse_transform(vectors[0]), full[0], atol=1e-12)
    covariance = ConnectivityMeasure(vectorize=True, discard_diagonal=True)
    vectors = covariance.fit_transform(group())
    with pytest.raises(ValueError, match="needs `diagonal`"):
        covariance.inverse_transform(vectors)
    matrices = ConnectivityMeasure().fit_transform(group())
    diagonal = np.diagonal(matrices, axis1=1, axis2=2) / np.sqrt(2)
    assert_allclose(covariance.inverse_transform(vectors, diagonal), matrices, atol=1e-9)
    assert_allclose(vec_to_sym_matrix(vectors, diagonal), matrices, atol=1e-9)


@pytest.mark.parametrize(
    "given, error, words",
    [
        ([], ValueError, "empty"),
        (5, TypeError, "int was given"),
        ("series.npy", TypeError, "str was given"),
        ([np.zeros(4)], ValueError, r"X\[0\] must have shape"),
        ([np.ones((5, 3)), np.ones((5, 4))], ValueError, r"X\[1\] has 4 features, X\[0\] has 3"),
        ([np.eye(4), np.full((4, 4), np.inf)], ValueError, r"X\[1\] has values that are NaN"),
        ([np.ones((1, 4))], ValueError, r"X\[0\] has 1 samples of 4"),
        ([np.array([["a", "b"], ["c", "d"]])], ValueError, "real numbers"),
        ([pd.DataFrame(np.eye(2), columns=list(names)) for names in ("ab", "ba")], ValueError, "one order"),
    ],
)
def test_what_is_no_group_of_series_is_refused(given, error, words):
    with pytest.raises(error, match=words):
        ConnectivityMeasure().fit(given)


def test_wrong_parameters_are_named():
    for options, words in (
        ({"kind": "corelation"}, "kind must be one of"),
        ({"standardize": "psc"}, "standardize must be"),
        ({"cov_estimator": 3}, "cov_estimator must be"),
    ):
        with pytest.raises(ValueError, match=words):
            ConnectivityMeasure(**options).fit(group())
    with pytest.raises(ValueError, match="vectorize=True"):
        ConnectivityMeasure().fit_transform(group(), confounds=np.ones(5))
    with pytest.raises(NotFittedError):
        ConnectivityMeasure().transform(group())
    with pytest.raises(ValueError, match="4 features; 6 were fitted"):
        ConnectivityMeasure().fit(group()).transform(group(n_regions=4))
    with pytest.raises(ValueError, match="has 4 rows"):
        ConnectivityMeasure(vectorize=True, keep_mean=True).fit_transform(group(), confounds=np.ones((4, 1)))
