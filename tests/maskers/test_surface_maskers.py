"""Maskers of surfaces: the peer's numbers, and the contract."""

from __future__ import annotations

import copy
import itertools
import pickle
import warnings

import numpy as np
import pytest
import surfaces
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from brainsieve import maskers
from brainsieve.exceptions import MeshDimensionError
from brainsieve.maskers import (
    BaseMasker,
    MultiSurfaceLabelsMasker,
    MultiSurfaceMapsMasker,
    MultiSurfaceMasker,
    SurfaceLabelsMasker,
    SurfaceMapsMasker,
    SurfaceMasker,
)
from brainsieve.surface import PolyData, SurfaceImage

KINDS = ("SurfaceMasker", "SurfaceLabelsMasker", "SurfaceMapsMasker")
TR = 1.4


def region_keyword(kind: str, package: str = "brainsieve") -> dict:
    if "Labels" in kind:
        return {"labels_img": surfaces.on_mesh(surfaces.label_values(), package)}
    if "Maps" in kind:
        return {"maps_img": surfaces.on_mesh(surfaces.weights(), package)}
    return {}


def made(kind: str, package: str = "brainsieve", mask: bool = False, **parameters):
    import importlib

    keywords = region_keyword(kind, package)
    if mask:
        keywords["mask_img"] = surfaces.on_mesh(surfaces.mask_values(), package)
    return getattr(importlib.import_module(f"{package}.maskers"), kind)(**keywords, **parameters)


GRID = list(
    itertools.product(
        (None, 20.0, 40.0), (False, "zscore_sample", "psc"), (False, True), (False, True), (False, True)
    )
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fwhm, standardize, filtered, regressed, mask", GRID)
def test_signals_are_the_peers(kind, fwhm, standardize, filtered, regressed, mask):
    rng = np.random.default_rng(0)
    confounds = rng.normal(size=(300, 4)) if regressed else None
    parameters = dict(smoothing_fwhm=fwhm, standardize=standardize, detrend=filtered, t_r=TR)
    if filtered:
        parameters.update(high_pass=0.01, low_pass=0.1)
    if standardize == "psc":
        parameters["detrend"] = False
    found = []
    for package in ("brainsieve", "nilearn"):
        run = surfaces.run(package, np.float64)
        if standardize == "psc":  # of a run that is not demeaned already
            for values in run.data.parts.values():
                values += 50.0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            masker = made(kind, package, mask, **parameters).fit(run)
            found.append(masker.transform(run, confounds=confounds))
    ours, theirs = found
    assert ours.shape == theirs.shape
    assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5 * max(theirs.std(), 1e-12))


@pytest.mark.parametrize(
    "strategy", ["mean", "median", "sum", "minimum", "maximum", "standard_deviation", "variance"]
)
def test_strategies_are_the_peers(strategy):
    found = []
    for package in ("brainsieve", "nilearn"):
        run = surfaces.run(package, np.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append(made("SurfaceLabelsMasker", package, strategy=strategy).fit_transform(run))
    assert_allclose(*found, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mask", [False, True])
def test_inverse_is_the_peers(kind, mask):
    rng = np.random.default_rng(0)
    ours, theirs = made(kind, mask=mask), made(kind, "nilearn", mask)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours.fit(surfaces.run())
        theirs.fit(surfaces.run("nilearn"))
    signals = rng.normal(size=(4, ours.n_elements_))
    for given in (signals, signals[0]):
        mine, peers = ours.inverse_transform(given), theirs.inverse_transform(given)
        assert mine.shape == peers.shape == ((1284, 4) if given.ndim == 2 else (1284,))
        for part in ("left", "right"):
            assert_allclose(mine.data.parts[part], peers.data.parts[part], atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", ["left", "right"])
def test_one_hemisphere_alone(kind, part):
    run = surfaces.run(parts=(part,))
    keywords = {
        name: SurfaceImage(run.mesh, {part: image.data.parts[part]})
        for name, image in region_keyword(kind).items()
    }
    masker = getattr(maskers, kind)(**keywords, smoothing_fwhm=30.0).fit(run)
    signals = masker.transform(run)
    assert masker.inverse_transform(signals).shape == (642, 300)
    with pytest.raises(MeshDimensionError, match="parts left, right; the masker has"):
        masker.transform(surfaces.run())


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_dtypes_copies_and_clones(kind):
    run = surfaces.run()
    one = SurfaceImage(run.mesh, {p: v[:, 0].copy() for p, v in run.data.parts.items()})
    before = copy.deepcopy(one.data.parts)
    masker = made(kind).fit(run)
    signals = masker.transform(run)
    assert signals.dtype == (np.float32 if "Labels" in kind else np.float64)
    assert_allclose(masker.transform(one), signals[0], rtol=1e-5, atol=1e-6)
    assert masker.transform(one).shape == (masker.n_elements_,)
    for part, values in before.items():
        assert_array_equal(one.data.parts[part], values)
        assert one.data.parts[part].shape == values.shape
    several = masker.transform([run, one])
    assert several.shape == (301, masker.n_elements_)
    assert_allclose(several[:300], signals, rtol=1e-5, atol=1e-6)
    again = clone(masker).fit(run)
    assert_allclose(again.transform(run), signals)
    assert_allclose(pickle.loads(pickle.dumps(masker)).transform(run), signals)
    assert not isinstance(masker, BaseMasker)
    tags = masker.__sklearn_tags__()
    assert tags.input_tags.surf_img and not tags.input_tags.niimg_like and tags.estimator_type == "masker"
    frame = made(kind, standardize=True).set_output(transform="pandas").fit(run).transform(run)
    assert list(frame.columns) == [str(n) for n in masker.get_feature_names_out()]
    assert list(masker.iter_transform(run, 100))[2].shape == (100, masker.n_elements_)
    assert (masker.coverage(run)["fraction"] <= 1).all()


def test_the_computed_mask_leaves_out_what_is_not_finite():
    run = surfaces.run(dtype=np.float64)
    run.data.parts["left"][7, 3] = np.nan
    run.data.parts["right"][11] = np.inf
    with pytest.warns(UserWarning, match="2 of 1284 vertices are NaN"):
        masker = SurfaceMasker().fit(run)
    assert masker.n_elements_ == 1282
    assert masker.mask_img_.data.parts["left"].dtype == bool and not masker.mask_img_.data.parts["left"][7]
    assert np.isfinite(masker.transform(run)).all()
    with pytest.raises(ValueError, match="Neither mask_img nor images"):
        SurfaceMasker().fit()


def test_nan_vertices_count_as_zero_and_the_regions_are_named():
    run = surfaces.run(dtype=np.float64)
    labels = surfaces.label_values()
    vertex = np.flatnonzero(labels["left"] == 5)[0]
    run.data.parts["left"][vertex] = np.nan
    masker = made("SurfaceLabelsMasker").fit()
    with pytest.warns(UserWarning, match="regions touched.*'5'"):
        signals = masker.transform(run)
    zeroed = surfaces.run(dtype=np.float64)
    zeroed.data.parts["left"][vertex] = 0
    assert_allclose(signals, masker.transform(zeroed), atol=1e-12)
    omitting = made("SurfaceLabelsMasker", nonfinite="omit").fit()
    with pytest.warns(UserWarning, match="left out of the average"):
        found = omitting.transform(run)[:, list(omitting.region_names_.values()).index("5")]
    members = np.concatenate([run.data.parts[p][labels[p] == 5] for p in ("left", "right")])
    assert_allclose(found, np.nanmean(members, axis=0), rtol=1e-9)


def test_names_ids_and_tables_of_regions():
    import pandas as pd

    masker = made("SurfaceLabelsMasker").fit()
    assert masker.labels_[0] == 0 and masker.region_ids_["background"] == 0
    lut = pd.DataFrame({"index": masker.labels_, "name": [f"r{i}" for i in masker.labels_]})
    named = made("SurfaceLabelsMasker", lut=lut).fit()
    assert named.get_feature_names_out()[0] == f"r{masker.labels_[1]}"
    masked = np.where(surfaces.label_values()["left"] == 5, 0, 1)
    both = {"left": masked, "right": np.where(surfaces.label_values()["right"] == 5, 0, 1)}
    with pytest.warns(UserWarning, match="1 regions of labels_img lie wholly outside mask_img"):
        fewer = SurfaceLabelsMasker(
            surfaces.on_mesh(surfaces.label_values()), mask_img=surfaces.on_mesh(both)
        ).fit()
    assert fewer.n_elements_ == masker.n_elements_ - 1 and "5" not in fewer.region_names_.values()
    assert 5 not in np.unique(fewer.region_atlas_.data.parts["left"])


@pytest.mark.parametrize("name", ["SurfaceMasker", "SurfaceLabelsMasker", "SurfaceMapsMasker"])
def test_many_images_give_a_list(name):
    run = surfaces.run()
    multi = getattr(maskers, f"Multi{name}")(**region_keyword(name), n_jobs=2)
    found = multi.fit([run, run]).transform([run, run])
    single = getattr(maskers, name)(**region_keyword(name)).fit(run).transform(run)
    assert len(found) == 2
    for signals in found:
        assert_allclose(signals, single)
    assert_allclose(multi.transform(run), single)
    assert len(multi.inverse_transform(found)) == 2
    assert_allclose(multi.fit_transform([run, run])[1], single)


def test_classes_are_subclasses_of_their_single_twins():
    assert issubclass(MultiSurfaceMasker, SurfaceMasker)
    assert issubclass(MultiSurfaceLabelsMasker, SurfaceLabelsMasker)
    assert issubclass(MultiSurfaceMapsMasker, SurfaceMapsMasker)


@pytest.mark.parametrize("kind", KINDS)
def test_smoothing_and_its_refusals(kind):
    run = surfaces.run(dtype=np.float64)
    rough = made(kind).fit(run).transform(run)
    heat = made(kind, smoothing_fwhm=30.0, smoothing_method="heat").fit(run).transform(run)
    assert heat.shape == rough.shape and not np.allclose(heat, rough)
    with pytest.warns(UserWarning, match="smoothing_fwhm=2 mm is less than one round"):
        unsmoothed = made(kind, smoothing_fwhm=2.0).fit(run).transform(run)
    assert_allclose(unsmoothed, rough)
    for bad, error in (("fast", TypeError), ((4, 4, 4), TypeError), (-1.0, ValueError), (np.nan, ValueError)):
        with pytest.raises(error, match="smoothing_fwhm"):
            made(kind, smoothing_fwhm=bad).fit(run)
    with pytest.raises(ValueError, match="smoothing_method"):
        made(kind, smoothing_method="gaussian").fit(run)


@pytest.mark.parametrize("kind", KINDS)
def test_images_of_other_meshes(kind):
    run = surfaces.run()
    masker = made(kind).fit(run)
    moved = SurfaceImage(surfaces.polymesh(kind="white"), run.data)
    with pytest.warns(RuntimeWarning, match="left and right mesh has other coordinates"):
        assert_allclose(masker.transform(moved), masker.transform(run))
    shorter = PolyData(run.data.parts["left"][:600], run.data.parts["right"])
    with pytest.raises(MeshDimensionError, match="left hemisphere of .* has 600 vertices; .* 642"):
        masker.transform(shorter)
    with pytest.raises(TypeError, match="SurfaceImage .*is needed"):
        masker.transform("run.func.gii")
    with pytest.raises(TypeError, match="SurfaceImage"):
        masker.transform(np.zeros((4, 4)))
    with pytest.raises(ValueError, match="empty"):
        masker.transform([])


def test_parameters_that_do_not_fit():
    with pytest.raises(ValueError, match="labels_img is None"):
        SurfaceLabelsMasker().fit()
    with pytest.raises(ValueError, match="maps_img is None"):
        SurfaceMapsMasker().fit()
    with pytest.raises(ValueError, match="no region"):
        SurfaceLabelsMasker(surfaces.on_mesh({"left": np.zeros(642, int)})).fit()
    with pytest.raises(TypeError, match=r"labels_img \(.*300 samples\)"):
        SurfaceLabelsMasker(surfaces.run()).fit()
    with pytest.raises(ValueError, match="mask_img is empty"):
        SurfaceMasker(surfaces.on_mesh({"left": np.zeros(642)})).fit()
    overlapping = {"left": np.ones((642, 3)) * [1, 1, 0]}
    with pytest.raises(ValueError, match="allow_overlap is False.*vertex 0"):
        SurfaceMapsMasker(surfaces.on_mesh(overlapping), allow_overlap=False).fit()
    other = {"left": np.ones(642)}
    with pytest.raises(MeshDimensionError, match="parts"):
        made("SurfaceLabelsMasker").set_params(mask_img=surfaces.on_mesh(other)).fit()


@pytest.mark.parametrize("kind", KINDS)
def test_reports_show_the_hemispheres(kind):
    run = surfaces.run()
    page = made(kind).fit(run).generate_report()
    text = page.get_standalone()
    assert text.count("data:image/png;base64,") >= 1 and kind in text
    bare = made(kind, reports=False).fit(run)
    with pytest.warns(UserWarning, match="nothing to show"):
        bare.generate_report()
    assert bare.transform(run).shape[0] == 300


def test_high_variance_confounds_memory_and_sample_masks(tmp_path):
    run = surfaces.run(dtype=np.float64)
    theirs = made("SurfaceLabelsMasker", "nilearn", high_variance_confounds=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        awaited = theirs.fit_transform(surfaces.run("nilearn", np.float64))
    masker = made("SurfaceLabelsMasker", high_variance_confounds=True, memory=str(tmp_path))
    assert_allclose(masker.fit_transform(run), awaited, atol=1e-5 * awaited.std())
    assert_allclose(masker.transform(run), masker.transform(run))
    kept = np.arange(10, 290)
    assert masker.transform(run, sample_mask=kept).shape == (280, masker.n_elements_)
