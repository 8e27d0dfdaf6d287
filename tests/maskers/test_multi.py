"""Multi maskers: lists, generators, lazy results, joblib and Dask."""

from __future__ import annotations

import warnings

import nibabel as nib
import nilearn.maskers
import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from peer import assert_same_series, label_image, mask_image, quietly, run_image

from brainsieve.maskers import (
    MultiNiftiLabelsMasker,
    MultiNiftiMapsMasker,
    MultiNiftiMasker,
    NiftiLabelsMasker,
)


@pytest.fixture
def runs(rng):
    return [run_image(rng, (9, 8, 7, n)) for n in (40, 50, 45)]


@pytest.fixture
def masker(runs):
    labels = label_image(np.random.default_rng(1), runs[0])
    return MultiNiftiLabelsMasker(labels, standardize="zscore_sample", detrend=True).fit()


def test_each_run_is_what_the_single_masker_gives(masker, runs, rng):
    confounds = [rng.normal(size=(run.shape[3], 2)) for run in runs]
    masks = [np.arange(3, run.shape[3]) for run in runs]
    alone = NiftiLabelsMasker(**{k: v for k, v in masker.get_params().items() if k != "n_jobs"}).fit()
    expected = [
        alone.transform(run, confounds=c, sample_mask=m)
        for run, c, m in zip(runs, confounds, masks, strict=True)
    ]
    got = masker.transform(runs, confounds=confounds, sample_mask=masks)
    assert isinstance(got, list)
    for ours, single in zip(got, expected, strict=True):
        assert_array_equal(ours, single)


@pytest.mark.parametrize("kind", ["voxels", "labels", "maps"])
def test_lists_give_the_peers_numbers(kind, runs, rng):
    name, parameters = {
        "voxels": ("MultiNiftiMasker", {"mask_img": mask_image(rng, runs[0])}),
        "labels": ("MultiNiftiLabelsMasker", {"labels_img": label_image(rng, runs[0])}),
        "maps": (
            "MultiNiftiMapsMasker",
            {"maps_img": nib.Nifti1Image(rng.random((9, 8, 7, 3)), runs[0].affine)},
        ),
    }[kind]
    parameters |= {"standardize": "zscore_sample", "detrend": True}
    ours = {c.__name__: c for c in (MultiNiftiMasker, MultiNiftiLabelsMasker, MultiNiftiMapsMasker)}[name]
    got = ours(**parameters).fit().transform(runs)
    awaited = quietly(lambda: getattr(nilearn.maskers, name)(**parameters).fit().transform(runs))
    for mine, theirs in zip(got, awaited, strict=True):
        assert_same_series(mine, theirs)


def test_a_list_of_volumes_is_a_list_of_images_and_a_list_of_lists_a_list_of_runs(masker, runs):
    volumes = [runs[0].slicer[..., i] for i in range(3)]
    assert [s.shape for s in quietly(masker.transform, volumes)] == [(masker.n_elements_,)] * 3
    nested = quietly(masker.transform, [volumes, volumes])
    assert [s.shape for s in nested] == [(3, masker.n_elements_)] * 2


def test_generators_are_read_one_run_at_a_time(masker, runs):
    read = []

    def lazily():
        for i, run in enumerate(runs):
            read.append(i)
            yield run

    results = masker.transform_imgs(lazily(), return_as="generator")
    first = next(results)
    assert len(read) < len(runs) + 1 and first.shape == (40, masker.n_elements_)
    assert len(list(results)) == 2
    assert len(masker.transform(lazily())) == 3


@pytest.mark.parametrize("name", ["confounds", "sample_mask"])
@pytest.mark.parametrize("more", [-1, 1])
def test_a_generator_of_more_or_fewer_runs_than_entries_is_refused(masker, runs, name, more):
    """Its length is known at its end: what was left over went with no run."""
    n = len(runs) + more
    entries = [None] * n
    with pytest.raises(ValueError, match=f"{name} has {n} entries"):
        masker.transform(iter(runs), **{name: entries})


def test_a_generator_that_is_used_up_says_so(masker, runs):
    generator = iter(runs)
    list(generator)
    with pytest.raises(ValueError, match="empty; was it used up"):
        masker.transform(generator)
    with pytest.raises(ValueError, match="empty"):
        masker.transform([])


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        (dict(confounds=np.zeros((40, 2))), TypeError, "confounds must be a list"),
        (dict(confounds=[None, None]), ValueError, "2 entries for 3 images"),
        (dict(sample_mask=[np.arange(3)]), ValueError, "1 entries for 3 images"),
    ],
    ids=["array", "short", "short mask"],
)
def test_lists_of_another_length_are_refused(masker, runs, arguments, error, words):
    with pytest.raises(error, match=words):
        masker.transform(runs, **arguments)
    if error is ValueError:
        with pytest.raises(ValueError, match="entries"):
            masker.transform((run for run in runs), **arguments)


def test_the_callers_confounds_are_not_extended(masker, runs, rng):
    confounds = [rng.normal(size=(run.shape[3], 2)) for run in runs]
    before = [c.copy() for c in confounds]
    masker.set_params(high_variance_confounds=True).fit()
    first = masker.transform(runs, confounds=confounds)
    for mine, theirs in zip(confounds, before, strict=True):
        assert_array_equal(mine, theirs)
    for a, b in zip(first, masker.transform(runs, confounds=confounds), strict=True):
        assert_array_equal(a, b)


def test_images_on_different_grids_are_each_resampled_once(rng):
    runs = [run_image(rng), run_image(rng, (12, 11, 10, 30), voxel_size=2.5)]
    masker = MultiNiftiMasker(mask_image(rng, runs[0])).fit()
    got = quietly(masker.transform, runs)
    assert [s.shape[1] for s in got] == [masker.n_elements_] * 2


def test_frames_and_inverse_work_on_lists(masker, runs):
    frames = masker.set_output(transform="pandas").transform(runs)
    assert all(list(f.columns) == list(masker.get_feature_names_out()) for f in frames)
    back = masker.inverse_transform(frames)
    assert [img.shape[3] for img in back] == [40, 50, 45]


@pytest.mark.parametrize("strategy", ["background", "epi"])
def test_the_common_mask_is_the_peers(strategy, rng):
    images = []
    for _ in range(3):
        data = np.zeros((16, 15, 14, 4))
        data[3:13, 3:12, 3:11] = rng.normal(300, 20, (10, 9, 8, 4))
        if strategy == "epi":
            data += rng.normal(5, 1, data.shape)
        images.append(nib.Nifti1Image(data, np.diag([3.0, 3, 3, 1])))
    parameters = dict(mask_strategy=strategy, mask_args={"opening": 0}, standardize=None)
    ours = quietly(MultiNiftiMasker(**parameters).fit, images)
    theirs = quietly(nilearn.maskers.MultiNiftiMasker(**parameters).fit, images)
    assert_array_equal(ours.mask_img_.get_fdata(), theirs.mask_img_.get_fdata())


def test_processes_give_the_same(masker, runs, tmp_path):
    paths = []
    for i, run in enumerate(runs):
        paths.append(tmp_path / f"run-{i}.nii.gz")
        nib.save(run, paths[-1])
    expected = masker.transform(paths)
    got = masker.set_params(n_jobs=2).transform(paths)
    for a, b in zip(got, expected, strict=True):
        assert_allclose(a, b, atol=1e-10)


@pytest.mark.slow
def test_a_dask_cluster_runs_the_images(masker, runs, tmp_path):
    distributed = pytest.importorskip("distributed")
    paths = []
    for i, run in enumerate(runs):
        paths.append(tmp_path / f"run-{i}.nii.gz")
        nib.save(run, paths[-1])
    expected = masker.transform(paths)
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=tmp_path
    )
    with cluster, distributed.Client(cluster), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with parallel_config("dask"):
            got = masker.set_params(n_jobs=2).transform(paths)
    for a, b in zip(got, expected, strict=True):
        assert_allclose(a, b, atol=1e-10)


@pytest.mark.parametrize("kind", ["voxels", "labels", "maps"])
def test_fit_reads_a_generator_of_runs(kind, rng):
    def runs():
        for seed in range(3):
            data = np.zeros((12, 11, 10, 4))
            data[3:9, 3:8, 3:7] = np.random.default_rng(seed).normal(300, 20, (6, 5, 4, 4))
            yield nib.Nifti1Image(data, np.diag([3.0, 3, 3, 1]))

    like = next(runs())
    masker = {
        "voxels": lambda: MultiNiftiMasker(mask_args={"opening": 0}),
        "labels": lambda: MultiNiftiLabelsMasker(label_image(rng, like)),
        "maps": lambda: MultiNiftiMapsMasker(nib.Nifti1Image(rng.random((12, 11, 10, 2)), like.affine)),
    }[kind]()
    masker.fit(runs())
    assert [s.shape for s in masker.transform(runs())] == [(4, masker.n_elements_)] * 3
    assert len(masker.fit_transform(runs())) == 3
    used = runs()
    list(used)
    with pytest.raises(ValueError, match="empty"):
        masker.fit(used)


def test_verbose_tells_the_steps_and_the_images(masker, runs, capsys):
    masker.set_params(verbose=1).fit().transform(runs[0])
    told = capsys.readouterr().out
    assert "fitted, " in told and "extracting from the image in memory" in told and "samples of" not in told
    masker.set_params(verbose=2).fit().transform(runs[0])
    assert "40 samples of 9 × 8 × 7 voxels" in capsys.readouterr().out
    masker.set_params(verbose=0).fit().transform(runs[0])
    assert capsys.readouterr().out == ""


def test_runs_in_threads_leave_blas_the_threads_it_had(masker, runs):
    from threadpoolctl import threadpool_info, threadpool_limits

    with threadpool_limits(2, "blas"):
        for _ in range(5):
            with parallel_config(backend="threading"):
                masker.transform_imgs(runs, n_jobs=3)
        assert {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"} == {
            2
        }
