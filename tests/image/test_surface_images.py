"""Functions for images take surface images, and give what the peer gives."""

from __future__ import annotations

import numpy as np
import pytest
from image_peer import MESHES, ours_of, peers_of, surfaces
from numpy.testing import assert_allclose, assert_array_equal

import brainsieve.image as image
import brainsieve.masking as masking
from brainsieve.exceptions import MeshDimensionError
from brainsieve.surface import PolyData, SurfaceImage


def parts_of(img):
    return {part: np.asarray(values) for part, values in img.data.parts.items()}


def assert_same_surface(ours, theirs, rtol=1e-6):
    assert isinstance(ours, SurfaceImage)
    for part, values in parts_of(theirs).items():
        assert parts_of(ours)[part].shape == values.shape
        assert_allclose(parts_of(ours)[part], values, rtol=rtol, atol=rtol * np.abs(values).max())


CALLS = {
    "mean_img": ("image", lambda img: (img,), {}),
    "mean_img of several": ("image", lambda img: ([img, img],), {}),
    "smooth_img": ("image", lambda img: (img, 25.0), {}),
    "smooth_img not at all": ("image", lambda img: (img, None), {}),
    "new_img_like": (
        "image",
        lambda img: (img, {part: -values for part, values in img.data.parts.items()}),
        {},
    ),
    "concat_imgs": ("image", lambda img: ([img, img],), {"dtype": None}),
    "concat_imgs in float32": ("image", lambda img: ([img, img],), {}),
}
RUN_CALLS = {
    "index_img first": ("image", lambda img: (img, 0), {}),
    "index_img last": ("image", lambda img: (img, -1), {}),
    "index_img slice": ("image", lambda img: (img, slice(2, 9, 3)), {}),
    "index_img list": ("image", lambda img: (img, [4, 1]), {}),
    "index_img flags": ("image", lambda img: (img, np.arange(40) % 3 == 0), {}),
    "clean_img": ("image", lambda img: (img,), {"standardize": "zscore_sample", "t_r": 2.0, "low_pass": 0.1}),
    "clean_img psc": ("image", lambda img: (img,), {"standardize": "psc", "detrend": False}),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16], ids=lambda d: d.__name__)
@pytest.mark.parametrize("n_samples", [None, 1, 40])
@pytest.mark.parametrize("call", [*CALLS, *RUN_CALLS])
def test_functions_on_surfaces_give_what_the_peer_gives(call, n_samples, dtype):
    if call in RUN_CALLS and n_samples != 40:
        pytest.skip("a function of runs")
    if call == "mean_img" and n_samples == 1:
        pytest.skip("the peer leaves the axis of the one sample, but not of several images of one")
    module, arguments, options = (CALLS | RUN_CALLS)[call]
    ours, theirs = surfaces(n_samples, dtype)
    before = {part: values.copy() for part, values in parts_of(ours).items()}
    got = ours_of(module, call.split()[0], *arguments(ours), **options)
    expected = peers_of(module, call.split()[0], *arguments(theirs), **options)
    assert_same_surface(got, expected, rtol=1e-5 if dtype == np.float32 else 1e-6)
    for part, values in parts_of(ours).items():
        assert_array_equal(values, before[part])


def test_iter_img_gives_each_sample():
    ours, theirs = surfaces(5)
    for mine, other in zip(image.iter_img(ours), peers_of("image", "iter_img", theirs), strict=True):
        assert_same_surface(mine, other)


def test_smoothing_is_of_whole_samples_also_where_points_come_first(monkeypatch):
    # Sources of surfaces give ranges of points: what is smoothed must be gathered first.
    monkeypatch.setattr("brainsieve.engine.source.surface.BLOCK_BYTES", 40 * 8 * 7)
    ours, theirs = surfaces(40)
    assert_same_surface(image.smooth_img(ours, 25.0), peers_of("image", "smooth_img", theirs, 25.0))
    assert_same_surface(image.mean_img(ours), peers_of("image", "mean_img", theirs))
    assert_same_surface(image.index_img(ours, [3, 0]), peers_of("image", "index_img", theirs, [3, 0]))


def test_nan_on_surfaces_become_zero_where_they_are_smoothed():
    img, _ = surfaces(2)
    img.data.parts["left"][3] = np.nan
    assert np.isfinite(parts_of(image.smooth_img(img, 25.0))["left"]).all()
    assert parts_of(image.smooth_img(img, None))["left"][3].tolist() == [0, 0]
    assert np.isnan(parts_of(image.mean_img(img))["left"][3])


def test_masks_of_surfaces_take_data_out_and_put_it_back():
    run, peers_run = surfaces(6)
    mask, peers_mask = surfaces(values=lambda shape, rng: rng.random(shape) > 0.4, dtype=bool)
    for options in ({}, {"smoothing_fwhm": 25.0}, {"dtype": np.float32}, {"ensure_finite": False}):
        got = ours_of("masking", "apply_mask", run, mask, **options)
        assert_allclose(got, peers_of("masking", "apply_mask", peers_run, peers_mask, **options), rtol=1e-5)
    inside, affine = masking.load_mask_img(mask)
    assert affine is None
    for part, values in parts_of(inside).items():
        assert values.dtype == bool
        assert_array_equal(values, parts_of(mask)[part])
    back = masking.unmask(masking.apply_mask(run, mask), mask)
    for part, values in parts_of(back).items():
        assert_allclose(values, parts_of(run)[part] * parts_of(mask)[part][:, None])
    single = masking.unmask(masking.apply_mask(image.mean_img(run), mask), mask)
    assert single.shape == (90,)
    assert isinstance(masking.unmask([np.ones(masking.apply_mask(run, mask).shape[1])], mask), list)


def test_components_of_surfaces_are_those_of_the_peer():
    run, peers_run = surfaces(40)
    ours = image.high_variance_confounds(run, percentile=20)
    theirs = peers_of("image", "high_variance_confounds", peers_run, percentile=20)
    assert_allclose(np.abs((ours * theirs).sum(axis=0)), 1, atol=1e-6)
    mask, peers_mask = surfaces(values=lambda shape, rng: rng.random(shape) > 0.4, dtype=bool)
    ours = image.high_variance_confounds(run, percentile=20, mask_img=mask)
    theirs = peers_of("image", "high_variance_confounds", peers_run, percentile=20, mask_img=peers_mask)
    assert_allclose(np.abs((ours * theirs).sum(axis=0)), 1, atol=1e-6)


def test_cleaning_in_a_mask_leaves_zeros_outside():
    run, peers_run = surfaces(40)
    mask, peers_mask = surfaces(values=lambda shape, rng: rng.random(shape) > 0.4, dtype=bool)
    arguments = dict(standardize="zscore_sample", confounds=np.random.default_rng(3).normal(size=(40, 2)))
    ours = image.clean_img(run, mask_img=mask, **arguments)
    assert_same_surface(
        ours, peers_of("image", "clean_img", peers_run, mask_img=peers_mask, **arguments), 1e-5
    )
    assert not parts_of(ours)["left"][~parts_of(mask)["left"]].any()


def test_copies_and_data_are_of_all_vertices_left_before_right():
    run, _ = surfaces(4)
    data = image.get_data(run)
    assert_array_equal(data, np.concatenate([parts_of(run)["left"], parts_of(run)["right"]]))
    assert image.load_img(run) is run
    assert image.load_img(run, dtype=np.float32).data.parts["left"].dtype == np.float32
    copied = image.copy_img(run)
    copied.data.parts["left"][:] = 0
    assert parts_of(run)["left"].any()
    again = image.new_img_like(run, data)
    assert_array_equal(parts_of(again)["right"], parts_of(run)["right"])
    from_polydata = image.new_img_like(run, PolyData(**parts_of(run)))
    assert_array_equal(parts_of(from_polydata)["right"], parts_of(run)["right"])


def test_values_without_meshes_are_images_too_but_cannot_be_smoothed():
    run, _ = surfaces(4)
    mean = image.mean_img(run.data)
    assert isinstance(mean, PolyData)
    with pytest.raises(ValueError, match="fwhm needs meshes"):
        image.smooth_img(run.data, 5)
    with pytest.raises(ValueError, match="Clusters need meshes"):
        image.threshold_img(run.data, 5, cluster_threshold=3)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda img: image.smooth_img(img, "fast"), TypeError, "one number"),
        (lambda img: image.smooth_img(img, [1, 2, 3]), TypeError, "one number"),
        (lambda img: image.smooth_img(img, 5, output_file="x.nii"), TypeError, "for volumes"),
        (lambda img: image.resample_img(img, np.eye(3)), TypeError, "no volume"),
        (lambda img: image.check_niimg_3d(img), TypeError, "volume is needed"),
        (lambda img: image.crop_img(img), TypeError, "volume is needed"),
        (lambda img: masking.compute_epi_mask(img), TypeError, "of volumes"),
        (lambda img: masking.compute_background_mask(img), TypeError, "of volumes"),
        (lambda img: masking.intersect_masks([img, img]), TypeError, "no volume"),
        (lambda img: masking.apply_mask(img, img), ValueError, "4 samples"),
        (lambda img: image.new_img_like(img, np.zeros(3)), ValueError, r"\(3,\)"),
        (lambda img: image.new_img_like(img, "x"), TypeError, "PolyData"),
        (lambda img: image.new_img_like(img.mesh, np.zeros(90)), TypeError, "PolyMesh"),
        (lambda img: image.concat_imgs([img, smaller(img)]), MeshDimensionError, "left"),
        (lambda img: image.mean_img([img, smaller(img)]), ValueError, "one domain"),
        (lambda img: masking.apply_mask(img, smaller(img, 1)), ValueError, "different grids"),
    ],
    ids=range(16),
)
def test_what_a_surface_cannot_do_is_said(call, error, words):
    with pytest.raises(error, match=words):
        call(surfaces(4)[0])


def smaller(img, value=0):
    return SurfaceImage(
        {"left": MESHES.parts["left"]}, {"left": np.full_like(img.data.parts["left"][:, 0], value)}
    )
