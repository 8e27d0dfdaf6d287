"""Sequences of images, whatever they are in, and images that are not what their files are."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
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
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve import image, masking
from brainsieve.exceptions import CorruptImageError, DimensionError, NoImageError

MASK = mask_image(seed=3)
# Functions of several images, in the peer too.
OF_SEVERAL = {
    "mean_img": lambda images: ("image", "mean_img", images),
    "smooth_img": lambda images: ("image", "smooth_img", images, 5),
    "resample_img": lambda images: ("image", "resample_img", images, np.diag([4.0, 4, 4])),
    "resample_to_img": lambda images: ("image", "resample_to_img", images, MASK),
    "resample_to_img target": lambda images: ("image", "resample_to_img", MASK, images, "nearest"),
    "new_img_like": lambda images: ("image", "new_img_like", images, np.ones((9, 8, 7))),
    "concat_imgs": lambda images: ("image", "concat_imgs", images),
    "load_img": lambda images: ("image", "load_img", images),
    "check_niimg": lambda images: ("image", "check_niimg", images),
    "crop_img": lambda images: ("image", "crop_img", images),
    "reorder_img": lambda images: ("image", "reorder_img", images),
    "compute_epi_mask": lambda images: ("masking", "compute_epi_mask", images),
    "compute_background_mask": lambda images: ("masking", "compute_background_mask", images),
    "compute_multi_epi_mask": lambda images: ("masking", "compute_multi_epi_mask", images),
    "compute_multi_background_mask": lambda images: ("masking", "compute_multi_background_mask", images),
    "apply_mask": lambda images: ("masking", "apply_mask", images, MASK),
    "get_data": lambda images: ("image", "get_data", images),
}
# Of images of one sample only, there too.
OF_SINGLE = {
    "index_img": lambda images: ("image", "index_img", images, 1),
    "iter_img": lambda images: ("image", "iter_img", images),
    "check_niimg_4d": lambda images: ("image", "check_niimg_4d", images),
    "clean_img": lambda images: ("image", "clean_img", images * 15 if isinstance(images, list) else images),
    "high_variance_confounds": None,
}


def compare(call):
    ours, theirs = ours_of(*call), peers_of(*call)
    if isinstance(theirs, np.ndarray):
        assert_allclose(ours, theirs, rtol=1e-5, atol=1e-4)
        return
    listed = not hasattr(theirs, "dataobj")
    for mine, other in zip(ours if listed else [ours], theirs if listed else [theirs], strict=True):
        if "compute" in call[1]:
            assert_array_equal(array(mine), array(other))
        else:
            assert_same_data(mine, other)


def runs(*n_samples):
    return [volume((9, 8, 7) if n is None else (9, 8, 7, n), seed=i) for i, n in enumerate(n_samples)]


@pytest.mark.parametrize("n_samples", [(None, None, None), (1, 1), (5, 3)], ids=str)
@pytest.mark.parametrize("name", OF_SEVERAL)
def test_several_images_are_taken_as_the_peer_takes_them(name, n_samples):
    compare(OF_SEVERAL[name](runs(*n_samples)))


@pytest.mark.parametrize("n_samples", [(None, None), (1, 1)], ids=str)
@pytest.mark.parametrize("name", [name for name, call in OF_SINGLE.items() if call])
def test_images_of_one_sample_are_a_series(name, n_samples):
    compare(OF_SINGLE[name](runs(*n_samples)))


@pytest.mark.parametrize("name", [name for name, call in OF_SINGLE.items() if call])
def test_a_series_of_runs_is_a_dimension_error(name):
    with pytest.raises(TypeError, match="4-D"):
        ours_of(*OF_SINGLE[name](runs(5, 3)))


@pytest.fixture
def files(tmp_path):
    paths = []
    for i, img in enumerate(runs(5, 3)):
        paths.append(str(tmp_path / f"run-{i}.nii.gz"))
        nib.save(img, paths[-1])
    return paths


CONTAINERS = {
    "array of str": np.array,
    "array of objects": lambda paths: np.array([Path(p) for p in paths], dtype=object),
    "Series": pd.Series,
    "Index": pd.Index,
    "tuple": tuple,
    "keys": lambda paths: dict.fromkeys(paths).keys(),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", OF_SEVERAL)
def test_paths_come_in_any_container(name, container, files):
    call, expected = OF_SEVERAL[name](CONTAINERS[container](files)), OF_SEVERAL[name](list(files))
    ours, other = ours_of(*call), ours_of(*expected)
    if isinstance(other, np.ndarray):
        assert_array_equal(ours, other)
        return
    for mine, its in zip(*((r if isinstance(r, list) else [r]) for r in (ours, other)), strict=True):
        assert_array_equal(array(mine), array(its))


def test_images_in_lists_of_lists_are_put_together():
    first, second = runs(None, None)
    got = image.load_img([[first, second], [second]])
    assert_array_equal(array(got)[..., 1], array(second))
    assert got.shape == (9, 8, 7, 3)
    # An inner list is one image of the mean: as long as it is, it weighs as much as another.
    mean = image.mean_img([[first, second], second])
    assert_allclose(array(mean), (array(first) + 3 * array(second)) / 4, atol=1e-12)


@pytest.mark.parametrize("name", [*OF_SEVERAL, "index_img", "iter_img", "check_niimg_4d"])
def test_no_image_is_an_error_of_both_kinds(name):
    if name in ("smooth_img", "resample_to_img target", "new_img_like"):
        pytest.skip("a list of none, or the mask is the image")
    for empty in ([], iter(())):
        with pytest.raises(NoImageError) as raised:
            quietly(ours_of, *(OF_SEVERAL | OF_SINGLE)[name](empty))
        assert isinstance(raised.value, ValueError) and isinstance(raised.value, TypeError)


@pytest.mark.parametrize(
    "index",
    [
        pd.Series([True, False, True, False, False]),
        pd.DataFrame({"keep": [True, False, True, False, False]}),
        pd.Series([3, 1]),
        [True, False, True, False, False],
        (3, 1),
        np.array([-1]),
        slice(None, None, -2),
    ],
    ids=repr,
)
def test_index_img_takes_what_picks_rows(index):
    run = volume((9, 8, 7, 5))
    plain = index.to_numpy().ravel() if hasattr(index, "to_numpy") else index
    expected = array(run)[..., list(plain) if isinstance(plain, tuple) else plain]
    assert_array_equal(array(image.index_img(run, index)), expected)


@pytest.mark.parametrize(
    "index", [5, -6, [0, 9], 1.5, "a", [True], pd.DataFrame({"a": [1], "b": [2]})], ids=repr
)
def test_what_picks_no_sample_is_an_index_error(index):
    with pytest.raises(IndexError, match="5 samples"):
        image.index_img(volume((9, 8, 7, 5)), index)


@pytest.mark.parametrize("name", ["index_img", "iter_img", "get_data", "math_img", "load_img"])
def test_a_run_that_is_cut_short_gives_what_is_there_but_never_silently_all(name, tmp_path, monkeypatch):
    # Samples fill the blocks, and noise does not shrink: the file ends within the last sample.
    monkeypatch.setattr("brainsieve.engine.source.file.BUFFER_BYTES", 8 * 504)
    rng = np.random.default_rng(0)
    run = nib.Nifti1Image(rng.normal(size=(9, 8, 7, 12)), AFFINE)
    path = tmp_path / "run.nii.gz"
    path.write_bytes(gzip.compress(run.to_bytes())[:-300])
    if name == "index_img":
        assert_array_equal(array(image.index_img(path, [0, 2])), array(run)[..., [0, 2]])
        with pytest.raises(CorruptImageError, match=r"run\.nii\.gz"):
            image.index_img(path, 11)
        return
    calls = {
        "iter_img": lambda: list(image.iter_img(path)),
        "get_data": lambda: image.get_data(path),
        "math_img": lambda: image.math_img("a + 1", a=path),
        "load_img": lambda: image.load_img([path]),
    }
    with pytest.raises(CorruptImageError, match=r"run\.nii\.gz"):
        calls[name]()


def test_one_sample_is_read_without_the_rest_of_a_compressed_file(tmp_path, monkeypatch):
    from brainsieve.engine.source import streams

    rng = np.random.default_rng(0)
    run = nib.Nifti1Image(rng.normal(size=(40, 40, 40, 60)).astype(np.float32), AFFINE)
    nib.save(run, tmp_path / "run.nii.gz")
    decoded = []
    original = streams.decoded

    def counted(read, name):
        done = original(read, name)
        decoded.append(done)
        return done

    monkeypatch.setattr(streams, "decoded", counted)
    monkeypatch.setattr(streams, "SKIPPED_AT_ONCE", 2**16)
    assert_array_equal(array(image.index_img(tmp_path / "run.nii.gz", 1)), array(run)[..., 1])
    first = sum(n for n in decoded if isinstance(n, int))
    decoded.clear()
    image.index_img(tmp_path / "run.nii.gz", 59)
    assert sum(n for n in decoded if isinstance(n, int)) > 59 * 4 * 40**3
    # Two samples, and what the thread is ahead by.
    assert first < 12 * 4 * 40**3


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mgz", ".img"])
def test_an_opened_image_is_its_own_data_and_not_the_file_it_was_saved_to(suffix, tmp_path):
    kind = nib.MGHImage if suffix == ".mgz" else nib.Nifti1Pair if suffix == ".img" else nib.Nifti1Image
    first, other = (kind(array(img).astype(np.float32), AFFINE) for img in runs(20, 20))
    nib.save(first, tmp_path / f"origin{suffix}")
    opened = nib.load(tmp_path / f"origin{suffix}")
    nib.save(opened, tmp_path / f"work{suffix}")
    nib.save(other, tmp_path / f"work{suffix}")
    expected = array(first)
    calls = {
        "get_data": lambda: image.get_data(opened),
        "smooth_img": lambda: array(image.smooth_img(opened, None)),
        "mean_img": lambda: array(image.mean_img(opened)),
        "index_img": lambda: array(image.index_img(opened, [0, 3])),
        "iter_img": lambda: array(next(image.iter_img(opened))),
        "concat_imgs": lambda: array(image.concat_imgs([opened, opened])),
        "apply_mask": lambda: masking.apply_mask(opened, MASK),
        "clean_img": lambda: array(image.clean_img(opened, detrend=False, standardize=False)),
        "threshold_img": lambda: array(image.threshold_img(opened, 5)),
        "math_img": lambda: array(image.math_img("a", a=opened)),
        "resample_img": lambda: array(image.resample_img(opened, AFFINE)),
        "copy_img": lambda: array(image.copy_img(opened)),
    }
    wanted = {
        "mean_img": expected.mean(axis=-1, dtype=float),
        "index_img": expected[..., [0, 3]],
        "iter_img": expected[..., 0],
        "concat_imgs": np.concatenate([expected, expected], axis=-1),
        "apply_mask": expected[array(MASK) != 0].T,
        "threshold_img": np.where(np.abs(expected) < 5, 0, expected),
    }
    for name, call in calls.items():
        assert_allclose(quietly(call), wanted.get(name, expected), rtol=1e-5, atol=1e-5, err_msg=name)


def test_dimension_errors_count_the_lists_around_an_image():
    error = DimensionError(3, 4)
    assert error.message == str(error) and "3-D where a 4-D" in error.message
    error.increment_stack_counter()
    assert "in a list is 4-D where a 5-D" in error.message
    assert (error.file_dimension, error.required_dimension) == (3, 4)


class BareImage(nib.spatialimages.SpatialImage):
    """An image of no file format, as templates of packages are."""

    @property
    def file_map(self):
        raise AttributeError("file_map")

    @file_map.setter
    def file_map(self, value):
        pass


@pytest.mark.parametrize("shape", [(9, 8, 7), (9, 8, 7, 3), (9, 8, 7, 3, 1)], ids=str)
def test_images_of_no_format_and_with_axes_of_one_are_images(shape):
    data = np.random.default_rng(0).normal(10, 40, shape)
    bare, plain = BareImage(data, AFFINE), nib.Nifti1Image(data.reshape(shape[:4]), AFFINE)
    for call in (
        lambda img: array(image.smooth_img(img, 5)),
        lambda img: array(image.mean_img(img)),
        lambda img: array(image.resample_img(img, np.diag([4.0, 4, 4]))),
        lambda img: array(image.threshold_img(img, 5)),
        lambda img: masking.apply_mask(img, MASK),
        lambda img: array(masking.compute_epi_mask(img)),
        lambda img: array(image.crop_img(img)).reshape(-1),
        lambda img: array(image.math_img("a * 2", a=img)).reshape(-1),
    ):
        if len(shape) == 5 and "crop" in str(call.__code__.co_names):
            continue
        assert_allclose(quietly(call, bare), quietly(call, plain))
    if len(shape) > 3:
        assert_allclose(array(image.index_img(bare, 1)), data.reshape(shape[:4])[..., 1])
        assert len(list(image.iter_img(bare))) == 3


def test_reorder_img_keeps_more_axes_than_four():
    flipped = AFFINE * [-1, 1, 1, 1]
    img = nib.Nifti1Image(np.random.default_rng(0).normal(size=(4, 3, 2, 3, 2)), flipped)
    ours, theirs = both("image", "reorder_img", img)
    assert_array_equal(array(ours), array(theirs))
    assert_allclose(ours.affine, theirs.affine)


@pytest.mark.parametrize("name", ["compute_epi_mask", "compute_background_mask"])
def test_masks_of_several_runs_are_of_all_their_samples_alike(name):
    compute = getattr(masking, name)
    rng = np.random.default_rng(0)
    # Whole numbers: many voxels equal the median of the border to the bit. Noise: no two gaps are equal.
    whole, shape = name == "compute_background_mask", (12, 12, 12)
    long, short = (
        nib.Nifti1Image(
            rng.integers(0, 4, (*shape, n)) * 1.0 if whole else rng.normal(size=(*shape, n)), AFFINE
        )
        for n in (9, 1)
    )
    options = dict(opening=False, connected=False)
    found = array(quietly(compute, [long, short], **options))
    joined = image.concat_imgs([long, short], dtype=None)
    assert_array_equal(found, array(quietly(compute, joined, **options)))
    assert_array_equal(found, array(peers_of("masking", name, [long, short], **options)))
    of_means = array(quietly(compute, image.mean_img([long, short]), **options))
    assert (found != of_means).any()


@pytest.mark.parametrize("border_size", [1, 2, 4])
def test_the_border_that_tells_the_background_is_that_of_the_peer(border_size):
    for seed in range(6):
        img = nib.Nifti1Image(np.random.default_rng(seed).integers(0, 60, (10, 9, 8)).astype(float), AFFINE)
        ours, theirs = both("masking", "compute_background_mask", img, border_size=border_size)
        assert_array_equal(array(ours), array(theirs))


def test_a_cache_tells_images_and_their_headers_apart(tmp_path, capsys):
    runs_of_two = runs(3, 2)
    names = {
        "compute_epi_mask": lambda imgs: masking.compute_epi_mask(imgs, memory=tmp_path / "cache", verbose=1),
        "concat_imgs": lambda imgs: image.concat_imgs(
            imgs, memory=tmp_path / "cache", memory_level=1, verbose=1
        ),
    }
    for name, call in names.items():
        first = quietly(call, (img for img in runs_of_two))
        again = quietly(call, iter(runs_of_two))
        assert_array_equal(array(first), array(again))
        assert capsys.readouterr().out.count(f"{name}: computing") == 1
        retimed = [nib.Nifti1Image(array(img), img.affine, img.header.copy()) for img in runs_of_two]
        retimed[0].header["descrip"] = b"another"
        assert quietly(call, retimed).header["descrip"] == b"another"
        quietly(call, runs_of_two[::-1])
        assert capsys.readouterr().out.count(f"{name}: computing") == 2


def test_surface_images_are_cached_too(tmp_path, capsys):
    first, _ = surfaces(3)
    for _ in range(2):
        joined = image.concat_imgs([first, first], memory=tmp_path / "cache", memory_level=1, verbose=1)
        assert joined.shape == (90, 6)
    assert capsys.readouterr().out.count("computing") == 1


@pytest.mark.parametrize("name", [*OF_SEVERAL, *(name for name, call in OF_SINGLE.items() if call)])
def test_a_glob_of_runs_is_taken_as_the_peer_takes_it(name, files):
    pattern = files[0].replace("run-0", "run-*")
    if "multi" in name or name in ("new_img_like", "compute_epi_mask", "compute_background_mask"):
        pytest.skip("the peer takes no glob here")
    if name in OF_SINGLE:
        with pytest.raises(TypeError, match="4-D"):
            ours_of(*OF_SINGLE[name](pattern))
        return
    compare(OF_SEVERAL[name](pattern))


def test_the_mean_of_a_glob_is_of_all_samples_and_that_of_a_list_of_images(tmp_path):
    paths = [tmp_path / "run-0.nii", tmp_path / "run-1.nii"]
    for path, n_samples, value in zip(paths, (1, 3), (0.0, 10.0), strict=True):
        nib.save(nib.Nifti1Image(np.full((3, 3, 3, n_samples), value), AFFINE), path)
    assert array(image.mean_img(tmp_path / "run-*.nii")).max() == 7.5
    assert array(image.mean_img(paths)).max() == 5


def test_a_file_whose_name_does_not_fit_its_content_is_loaded(tmp_path):
    values = np.random.default_rng(0).normal(size=(4, 5, 6)).astype("f4")
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "right.nii.gz")
    wrong = (tmp_path / "right.nii.gz").rename(tmp_path / "wrong.nii")
    np.testing.assert_array_equal(np.asarray(image.load_img(wrong).dataobj), values)
