"""CanICA and DictLearning on surfaces and CIFTI files give the maps of the same signals on a grid; reports; memory."""

from __future__ import annotations

import gc
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
import small_cifti
import surfaces
from nibabel.cifti2 import cifti2_axes
from numpy.testing import assert_allclose

from brainsieve.decomposition import CanICA, DictLearning
from brainsieve.maskers import CiftiMasker, MultiNiftiMasker, MultiSurfaceMasker
from brainsieve.surface import SurfaceImage

OPTIONS = {"n_components": 3, "smoothing_fwhm": None, "random_state": 0}
CLASSES = {CanICA: {}, DictLearning: {"alpha": 1}}
LENGTHS = (40, 30)


def signals(n_points, seed=0):
    """Runs that share three blocks of points."""
    rng = np.random.default_rng(seed)
    maps = np.zeros((3, n_points))
    for i, one in enumerate(maps):
        one[i * n_points // 4 : i * n_points // 4 + max(6, n_points // 12)] = 1
    return [rng.normal(size=(T, 3)) @ maps + 0.3 * rng.normal(size=(T, n_points)) + 10 for T in LENGTHS], maps


def on_surface(values):
    n = surfaces.N_VERTICES
    return surfaces.on_mesh({"left": values.T[:n].copy(), "right": values.T[n:].copy()})


def on_grid(values):
    return nib.Nifti1Image(values.T.reshape(-1, 1, 1, len(values)), np.eye(4))


def in_cifti(values, brain):
    axis = cifti2_axes.SeriesAxis(0, 0.8, len(values))
    return nib.Cifti2Image(values.astype(np.float64), header=(axis, brain))


@pytest.mark.parametrize("cls", CLASSES)
def test_maps_on_surfaces_are_those_of_the_same_signals_on_a_grid(cls):
    runs, _ = signals(2 * surfaces.N_VERTICES)
    options = {**OPTIONS, **CLASSES[cls]}
    model = cls(**options).fit([on_surface(run) for run in runs])
    whole = nib.Nifti1Image(np.ones((runs[0].shape[1], 1, 1), "u1"), np.eye(4))
    flat = cls(**options, mask=whole).fit([on_grid(run) for run in runs])
    assert_allclose(model.components_, flat.components_, atol=1e-7)
    assert isinstance(model.masker_, MultiSurfaceMasker)
    img = model.components_img_
    assert isinstance(img, SurfaceImage)
    assert_allclose(np.vstack([img.data.parts["left"], img.data.parts["right"]]).T, model.components_)
    imgs = [on_surface(run) for run in runs]
    assert [each.shape for each in model.transform(imgs)] == [(40, 3), (30, 3)]
    assert_allclose(model.transform(imgs)[1], flat.transform([on_grid(run) for run in runs])[1], rtol=1e-6)
    assert model.score(imgs) == pytest.approx(flat.score([on_grid(run) for run in runs]), rel=1e-9)
    back = model.inverse_transform(model.transform(imgs))[0]
    assert back.shape == (2 * surfaces.N_VERTICES, 40)


def test_planted_maps_are_found_on_surfaces_and_smoothing_is_on_the_mesh():
    runs, maps = signals(2 * surfaces.N_VERTICES)
    imgs = [on_surface(run) for run in runs]
    model = CanICA(**OPTIONS).fit(imgs)
    correlations = np.corrcoef(model.components_, maps)[:3, 3:]
    assert (correlations.max(axis=0) > 0.9).all()
    masker = MultiSurfaceMasker(smoothing_fwhm=60, standardize=True, detrend=True)
    smooth = CanICA(**{**OPTIONS, "smoothing_fwhm": 60}).fit(imgs)
    with pytest.warns(UserWarning, match="override"):
        given = CanICA(**OPTIONS, mask=masker).fit(imgs)
    assert (smooth.components_ == given.components_).all()
    assert not np.allclose(smooth.components_, model.components_)


def test_parameters_of_volumes_are_told_of_where_there_are_none():
    imgs = [on_surface(run) for run in signals(2 * surfaces.N_VERTICES)[0]]
    with pytest.warns(UserWarning, match="mask_strategy, target_affine are for volumes; surfaces"):
        CanICA(**OPTIONS, mask_strategy="background", target_affine=np.eye(4)).fit(imgs)


@pytest.mark.parametrize("cls", CLASSES)
def test_maps_in_cifti_files_are_those_of_the_same_signals_on_a_grid(cls, tmp_path):
    brain = small_cifti.brain()
    runs, _ = signals(len(brain))
    paths = []
    for i, run in enumerate(runs):
        paths.append(str(tmp_path / f"run-{i}.dtseries.nii"))
        nib.save(in_cifti(run, brain), paths[-1])
    options = {**OPTIONS, **CLASSES[cls]}
    model = cls(**options).fit(paths)
    whole = nib.Nifti1Image(np.ones((len(brain), 1, 1), "u1"), np.eye(4))
    flat = cls(**options, mask=whole).fit([on_grid(run) for run in runs])
    assert_allclose(model.components_, flat.components_, atol=1e-6)
    img = model.components_img_
    names = img.header.get_axis(0).name
    assert list(names) == ["component 0", "component 1", "component 2"]
    assert img.header.get_axis(1) == brain
    assert_allclose(np.asarray(img.dataobj), model.components_)
    assert [each.shape for each in model.transform(paths)] == [(40, 3), (30, 3)]
    assert model.inverse_transform(model.transform(paths[0]))[0].shape == (40, len(brain))


def test_grayordinates_that_are_not_finite_in_any_run_are_outside():
    brain = small_cifti.brain()
    runs, _ = signals(len(brain))
    runs[0][3, 5] = np.nan
    runs[1][7, 11] = np.inf
    with pytest.warns(UserWarning, match="outside the mask"):
        model = CanICA(**OPTIONS).fit([in_cifti(run, brain) for run in runs])
    assert model.components_.shape == (3, len(brain) - 2)
    inside = np.asarray(model.mask_img_.dataobj)[0]
    assert np.flatnonzero(inside == 0).tolist() == [5, 11]


def test_a_masker_of_cifti_files_chooses_structures_and_smoothing_needs_one():
    brain = small_cifti.brain()
    imgs = [in_cifti(run, brain) for run in signals(len(brain))[0]]
    masker = CiftiMasker(structures="cortex", standardize=True, detrend=True)
    model = CanICA(**OPTIONS, mask=masker).fit(imgs)
    assert model.components_.shape[1] == sum(
        len(small_cifti.vertices(part, wall=False)) for part in small_cifti.N_VERTICES
    )
    with pytest.raises(ValueError, match="smoothing_fwhm=6.*mask=CiftiMasker"):
        CanICA(n_components=3).fit(imgs)


def test_runs_of_two_kinds_and_a_mask_of_another_are_refused():
    brain = small_cifti.brain()
    cifti = in_cifti(signals(len(brain))[0][0], brain)
    surface = on_surface(signals(2 * surfaces.N_VERTICES)[0][0])
    with pytest.raises(TypeError, match="Cifti2Image"):
        CanICA(**OPTIONS).fit([surface, cifti])
    with pytest.raises(TypeError, match="takes volumes|surface"):
        CanICA(**OPTIONS, mask=MultiNiftiMasker()).fit(surface)


# -- reports -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", CLASSES)
def test_the_page_shows_the_maps_and_the_parameters(cls):
    runs, _ = signals(600)
    imgs = [nib.Nifti1Image(run.T.reshape(10, 10, 6, -1), 4 * np.eye(4)) for run in runs]
    whole = nib.Nifti1Image(np.ones((10, 10, 6), "u1"), 4 * np.eye(4))
    model = cls(**OPTIONS, **CLASSES[cls], mask=whole)
    assert "not fitted" in model.generate_report().get_standalone()
    page = model.fit(imgs).generate_report(title="My maps", displayed_maps=[0, 2]).get_standalone()
    assert "My maps" in page
    assert page.count("data:image/png") == 2
    assert "random_state" in page
    assert cls.__name__ in page
    with pytest.raises(ValueError, match="engine"):
        model.generate_report(engine="paper")


def test_pages_of_surfaces_show_hemispheres():
    imgs = [on_surface(run) for run in signals(2 * surfaces.N_VERTICES)[0]]
    page = CanICA(**OPTIONS).fit(imgs).generate_report().get_standalone()
    assert page.count("data:image/png") == 3


# -- memory --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", CLASSES)
def test_memory_does_not_grow_with_the_number_of_runs(cls, tmp_path):
    shape, n_points = (40, 30, 20), 24_000
    rng = np.random.default_rng(0)
    maps = np.zeros((3, n_points))
    for i, one in enumerate(maps):
        one[4000 * i : 4000 * i + 500] = 1
    mask = nib.Nifti1Image(np.ones(shape, "u1"), np.eye(4))
    paths = []
    for i in range(24):
        values = rng.normal(size=(12, 3)) @ maps + 0.3 * rng.normal(size=(12, n_points))
        paths.append(str(tmp_path / f"run-{i}.nii"))
        nib.save(nib.Nifti1Image(values.T.reshape(*shape, 12).astype(np.float32), np.eye(4)), paths[-1])
    model = cls(
        **OPTIONS, **CLASSES[cls], mask=mask, **({"n_epochs": 0.1} if cls is DictLearning else {"n_init": 1})
    )
    model.fit(paths[:1])  # what is made once
    peaks = []
    for some in (paths[:4], paths):
        gc.collect()
        tracemalloc.start()
        model.fit(some)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # The rows of the twenty runs more would be 5.8 MB.
    assert peaks[1] - peaks[0] < 2.5e6
