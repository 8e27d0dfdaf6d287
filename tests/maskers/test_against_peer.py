"""Volume maskers give nilearn's numbers over a grid of parameters."""

from __future__ import annotations

import nibabel as nib
import nilearn.image
import nilearn.maskers
import nilearn.masking
import numpy as np
import pytest
from peer import as_float64, assert_same_series, label_image, mask_image, quietly, run_image

import brainsieve.maskers

CLEANING = [
    {},
    {"standardize": "zscore_sample", "detrend": True},
    {"standardize": "psc"},
    {"standardize": "psc", "detrend": True, "high_pass": 0.02, "t_r": 2.0},
    {"standardize": "zscore_sample", "low_pass": 0.1, "high_pass": 0.01, "t_r": 2.0, "detrend": True},
    {"high_pass": 0.02, "t_r": 2.0, "clean_args": {"filter": "cosine"}, "standardize": "zscore_sample"},
    {"detrend": True, "standardize_confounds": False},
    {"low_pass": 0.15, "t_r": 2.0, "clean_args": {"butterworth__order": 3}},
]
WITH_CONFOUNDS = [False, True]
KINDS = ["voxels", "labels", "maps", "spheres"]


def parameters_of(kind: str, rng: np.random.Generator, img: nib.Nifti1Image) -> tuple[str, dict]:
    if kind == "voxels":
        return "NiftiMasker", {"mask_img": mask_image(rng, img)}
    if kind == "labels":
        return "NiftiLabelsMasker", {"labels_img": label_image(rng, img)}
    if kind == "maps":
        maps = rng.random((*img.shape[:3], 4)) * (rng.random((*img.shape[:3], 4)) > 0.5)
        return "NiftiMapsMasker", {"maps_img": nib.Nifti1Image(maps, img.affine)}
    seeds = nib.affines.apply_affine(img.affine, [[2, 2, 2], [5, 5, 4], [3, 6, 1]])
    return "NiftiSpheresMasker", {"seeds": seeds.tolist(), "radius": 4.5, "allow_overlap": True}


def both(kind: str, parameters: dict):
    return getattr(brainsieve.maskers, kind)(**parameters), getattr(nilearn.maskers, kind)(**parameters)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cleaning", CLEANING, ids=str)
@pytest.mark.parametrize("confounds", WITH_CONFOUNDS, ids=["no confounds", "confounds"])
@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64], ids=lambda d: d.__name__)
def test_cleaned_signals_are_the_peers(rng, kind, cleaning, confounds, dtype):
    img = run_image(rng, dtype=dtype)
    name, parameters = parameters_of(kind, rng, img)
    regressors = rng.normal(size=(60, 5)).cumsum(axis=0) if confounds else None
    ours, theirs = both(name, {**parameters, **cleaning})
    got = quietly(ours.fit().transform, img, confounds=regressors)
    awaited = quietly(lambda: theirs.fit().transform(as_float64(img), confounds=regressors))
    assert_same_series(got, awaited)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fwhm", [4.0, 9])
@pytest.mark.parametrize("masked", [False, True], ids=["no mask", "mask"])
def test_smoothed_signals_are_the_peers(rng, kind, fwhm, masked):
    img = run_image(rng)
    name, parameters = parameters_of(kind, rng, img)
    if masked:
        parameters["mask_img"] = mask_image(rng, img)
    parameters |= {"smoothing_fwhm": fwhm, "standardize": None}
    ours, theirs = both(name, parameters)
    got = quietly(lambda: ours.fit().transform(img))
    awaited = quietly(lambda: theirs.fit().transform(img))
    assert_same_series(got, awaited)


@pytest.mark.parametrize(
    "strategy", ["mean", "median", "sum", "minimum", "maximum", "standard_deviation", "variance"]
)
@pytest.mark.parametrize("masked", [False, True], ids=["no mask", "mask"])
def test_every_strategy_is_the_peers(rng, strategy, masked):
    img = run_image(rng)
    parameters = {"labels_img": label_image(rng, img), "strategy": strategy, "standardize": None}
    if masked:
        parameters["mask_img"] = mask_image(rng, img)
    ours, theirs = both("NiftiLabelsMasker", parameters)
    assert_same_series(quietly(ours.fit_transform, img), quietly(theirs.fit_transform, img))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("as_bool", [False, True])
def test_censored_signals_are_the_peers(rng, kind, as_bool):
    img = run_image(rng)
    name, parameters = parameters_of(kind, rng, img)
    kept = np.setdiff1d(np.arange(60), [0, 4, 5, 30, 59])
    mask = np.isin(np.arange(60), kept) if as_bool else kept
    confounds = rng.normal(size=(60, 3))
    for cleaning in ({"detrend": True, "standardize": "zscore_sample"}, {"standardize": "psc"}):
        ours, theirs = both(name, {**parameters, **cleaning})
        got = quietly(ours.fit().transform, img, confounds=confounds, sample_mask=mask)
        awaited = quietly(lambda m=theirs: m.fit().transform(img, confounds=confounds, sample_mask=mask))
        assert_same_series(got, awaited)


@pytest.mark.parametrize("kind", KINDS)
def test_high_variance_confounds_are_the_peers(rng, kind):
    img = run_image(rng)
    name, parameters = parameters_of(kind, rng, img)
    parameters |= {"high_variance_confounds": True, "standardize": "zscore_sample", "detrend": True}
    ours, theirs = both(name, parameters)
    got = quietly(ours.fit().transform, img)
    awaited = quietly(lambda: theirs.fit().transform(img))
    assert_same_series(got, awaited)


@pytest.mark.parametrize("target", ["data", "labels"])
def test_atlas_on_another_grid_gives_the_peers_numbers(rng, target):
    img = run_image(rng, (12, 11, 10, 8), voxel_size=3.0)
    coarse = run_image(rng, (8, 8, 7), voxel_size=4.0)
    labels = label_image(rng, coarse, 4)
    # Values far from the run's range keep the peer's clipping out of play.
    ours, theirs = both(
        "NiftiLabelsMasker", {"labels_img": labels, "resampling_target": target, "standardize": None}
    )
    assert_same_series(quietly(ours.fit_transform, img), quietly(theirs.fit_transform, img))


@pytest.mark.parametrize("target", ["data", "maps", "mask"])
def test_maps_on_another_grid_give_the_peers_numbers(rng, target):
    img = run_image(rng, (12, 11, 10, 8), voxel_size=3.0)
    coarse = run_image(rng, (8, 8, 7), voxel_size=4.0)
    maps = nib.Nifti1Image(rng.random((*coarse.shape, 3)), coarse.affine)
    parameters = {
        "maps_img": maps,
        "mask_img": mask_image(rng, coarse),
        "resampling_target": target,
        "standardize": None,
    }
    ours, theirs = both("NiftiMapsMasker", parameters)
    assert_same_series(quietly(ours.fit_transform, img), quietly(theirs.fit_transform, img))


def test_mask_on_another_grid_gives_the_peers_voxels(rng):
    img = run_image(rng, (12, 11, 10, 8), voxel_size=3.0)
    coarse = run_image(rng, (8, 8, 7), voxel_size=4.0)
    ours, theirs = both("NiftiMasker", {"mask_img": mask_image(rng, coarse), "standardize": None})
    assert_same_series(quietly(ours.fit().transform, img), quietly(lambda: theirs.fit().transform(img)))


def test_smoothing_after_resampling_sees_the_whole_image(rng):
    # The peer crops the image to the mask's box before it smooths, which mirrors the brain at the box.
    img = run_image(rng, (12, 11, 10, 8), voxel_size=3.0)
    coarse = run_image(rng, (8, 8, 7), voxel_size=4.0)
    mask = mask_image(rng, coarse)
    got = quietly(brainsieve.maskers.NiftiMasker(mask, smoothing_fwhm=6.0).fit().transform, img)
    on_mask = quietly(nilearn.image.resample_to_img, img, mask, clip=False)
    awaited = nilearn.masking.apply_mask(nilearn.image.smooth_img(on_mask, 6.0), mask, dtype=np.float64)
    assert_same_series(got, awaited)


@pytest.mark.parametrize("kind", KINDS)
def test_inverse_transform_is_the_peers(rng, kind):
    img = run_image(rng)
    name, parameters = parameters_of(kind, rng, img)
    parameters["mask_img"] = mask_image(rng, img)
    ours, theirs = both(name, parameters)
    quietly(ours.fit)
    quietly(theirs.fit)
    for shape in [(ours.n_elements_,), (1, ours.n_elements_), (3, ours.n_elements_)]:
        signals = rng.normal(size=shape)
        got, awaited = ours.inverse_transform(signals), quietly(theirs.inverse_transform, signals)
        assert got.shape == awaited.shape
        np.testing.assert_allclose(got.get_fdata(), awaited.get_fdata(), atol=1e-12)
        np.testing.assert_allclose(got.affine, awaited.affine)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64], ids=lambda d: d.__name__
)
def test_dtypes_and_shapes_are_the_peers(rng, kind, dtype):
    img = run_image(rng, dtype=dtype)
    name, parameters = parameters_of(kind, rng, img)
    ours, theirs = both(name, {**parameters, "standardize": None})
    ours.fit(), quietly(theirs.fit)
    got, awaited = quietly(ours.transform, img), quietly(theirs.transform, img)
    assert (got.shape, got.dtype) == (awaited.shape, awaited.dtype)
    single = img.slicer[..., 0]
    assert quietly(ours.transform, single).shape == quietly(theirs.transform, single).shape


@pytest.mark.parametrize(
    "strategy, args", [("background", {}), ("epi", {"opening": 1}), ("epi", {"lower_cutoff": 0.3})]
)
def test_computed_masks_are_the_peers(rng, strategy, args):
    img = run_image(rng, (20, 18, 16, 5))
    data = np.array(img.dataobj)
    data[:4] = data[-4:] = data[:, :3] = data[:, -3:] = 0
    if strategy == "epi":
        data += rng.normal(0, 1, data.shape)
    img = nib.Nifti1Image(data, img.affine)
    parameters = {"mask_strategy": strategy, "mask_args": args, "standardize": None}
    ours, theirs = both("NiftiMasker", parameters)
    got, awaited = quietly(ours.fit_transform, img), quietly(theirs.fit_transform, img)
    np.testing.assert_array_equal(ours.mask_img_.get_fdata(), theirs.mask_img_.get_fdata())
    assert_same_series(got, awaited)


def test_runs_are_cleaned_alone_as_by_the_peer(rng):
    img = run_image(rng)
    runs = np.repeat([0, 1, 2], 20)
    parameters = {
        "mask_img": mask_image(rng, img),
        "runs": runs,
        "standardize": "zscore_sample",
        "detrend": True,
    }
    ours, theirs = both("NiftiMasker", parameters)
    assert_same_series(quietly(ours.fit().transform, img), quietly(lambda: theirs.fit().transform(img)))
