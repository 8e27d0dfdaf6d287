"""Scripts written for nilearn run on our engine, and give what they gave."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import warnings

import nibabel as nib
import nilearn.decoding
import nilearn.decomposition
import nilearn.glm.first_level
import nilearn.maskers
import nilearn.regions
import numpy as np
import pandas as pd
import pytest

import brainsieve.maskers
from brainsieve import accelerate


@pytest.fixture
def run(rng):
    data = rng.normal(100, 5, (10, 10, 10, 60))
    labels = np.tile(["a", "b"], 30)
    data[3:7, 3:7, 3:7, labels == "b"] += 6
    mask = np.zeros((10, 10, 10), np.uint8)
    mask[2:8, 2:8, 2:8] = 1
    affine = np.diag([3.0, 3, 3, 1])
    return nib.Nifti1Image(data, affine), nib.Nifti1Image(mask, affine), labels


def decoded(run):
    img, mask, labels = run
    decoder = nilearn.decoding.Decoder(mask=mask, cv=3, standardize="zscore_sample").fit(img, labels)
    return decoder.coef_img_["a"].get_fdata(), decoder.masker_


def modelled(run):
    img, mask, _ = run
    events = pd.DataFrame({"onset": np.arange(0, 110, 20.0), "duration": 8.0, "trial_type": "x"})
    model = nilearn.glm.first_level.FirstLevelModel(t_r=2.0, mask_img=mask, smoothing_fwhm=4)
    model.fit(img, events)
    return model.compute_contrast("x").get_fdata(), model.masker_


def components(run):
    img, mask, _ = run
    ica = nilearn.decomposition.CanICA(
        n_components=1, mask=mask, random_state=0, n_init=2, standardize="zscore_sample"
    ).fit(img)
    found = ica.components_img_.get_fdata()
    return np.abs(found), ica.masker_


@pytest.mark.parametrize("analysis", [decoded, modelled, components])
def test_analyses_of_the_host_run_on_our_maskers_with_the_same_results(analysis, run):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, theirs = analysis(run)
        with accelerate.accelerated():
            got, ours = analysis(run)
    assert not isinstance(theirs, brainsieve.maskers.BaseMasker)
    assert isinstance(ours, brainsieve.maskers.BaseMasker)
    np.testing.assert_allclose(got, expected, atol=1e-6 * np.abs(expected).max())


def test_names_are_exchanged_and_put_back():
    original = nilearn.maskers.NiftiMasker
    made_before = original()
    with accelerate.accelerated() as replaced:
        assert "maskers.NiftiMasker" in replaced and "signal.clean" in replaced
        assert issubclass(nilearn.maskers.NiftiMasker, brainsieve.maskers.NiftiMasker)
        # Checks inside the host hold, for objects of both packages.
        assert isinstance(made_before, nilearn.maskers.NiftiMasker)
        assert isinstance(brainsieve.maskers.NiftiMasker(), nilearn.maskers.BaseMasker)
        assert not isinstance(made_before, nilearn.maskers.NiftiLabelsMasker)
    assert nilearn.maskers.NiftiMasker is original
    assert not accelerate.is_installed()


def test_the_report_tells_what_is_kept_and_the_times(run):
    img, mask, _ = run
    with accelerate.accelerated():
        nilearn.maskers.NiftiMasker(mask).fit().transform(img)
        report = accelerate.report()
    assert report["times"]["maskers.NiftiMasker.transform"][1] == 1
    assert "maskers.NiftiMasker" not in report["kept"]


def test_a_script_runs_unchanged(tmp_path, run):
    img, mask, _ = run
    nib.save(img, tmp_path / "run.nii.gz")
    nib.save(mask, tmp_path / "mask.nii.gz")
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys
            from nilearn.maskers import NiftiMasker
            from nilearn import image
            folder = sys.argv[1]
            masker = NiftiMasker(f"{folder}/mask.nii.gz", standardize="zscore_sample").fit()
            signals = masker.transform(image.load_img(f"{folder}/run.nii.gz"))
            print(type(masker).__mro__[1].__module__, signals.shape, __name__)
            """
        )
    )
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "brainsieve.accelerate",
        "-v",
        str(script),
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "brainsieve.maskers.nifti (60, 216) __main__"
    assert "replaced" in done.stderr and "maskers.NiftiMasker.transform" in done.stderr
    missing = subprocess.run([*command[:-2], "no.py"], capture_output=True, text=True)
    assert missing.returncode == 2 and "no such file" in missing.stderr


def extracted(run):
    img, _, _ = run
    maps = np.zeros((10, 10, 10, 2), np.float32)
    maps[1:4, 1:4, 1:4, 0], maps[6:9, 6:9, 6:9, 0], maps[2:6, 5:9, 1:5, 1] = 3, 2, 1.5
    extractor = nilearn.regions.RegionExtractor(
        nib.Nifti1Image(maps, img.affine), threshold=0.5, min_region_size=100, standardize=None
    )
    signals = extractor.fit(img).transform(img)
    back = extractor.inverse_transform(signals).get_fdata()
    return [signals, back, extractor.regions_img_.get_fdata(), *map(np.asarray, extractor.index_[:1])]


def test_classes_of_the_host_that_derive_from_its_maskers_keep_its_methods(run):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = extracted(run)
        module = sys.modules[nilearn.regions.RegionExtractor.__module__]
        base = module.NiftiMapsMasker
        with accelerate.accelerated():
            got = extracted(run)
            # What the class calls its base in its own module is what it derives from.
            assert module.NiftiMapsMasker is base
            assert nilearn.maskers.NiftiMapsMasker is not base
    assert expected[0].shape[1] == 2
    for mine, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_reports_of_models_are_made_with_our_maskers(run):
    img, mask, _ = run
    events = pd.DataFrame({"onset": np.arange(0, 110, 20.0), "duration": 8.0, "trial_type": "x"})
    with warnings.catch_warnings(), accelerate.accelerated():
        warnings.simplefilter("ignore")
        model = nilearn.glm.first_level.FirstLevelModel(t_r=2.0, mask_img=mask).fit(img, events)
        assert isinstance(model.masker_, brainsieve.maskers.NiftiMasker)
        page = str(model.generate_report("x", height_control=None, threshold=1.0, bg_img=None))
        content = model.masker_._report_content
    assert "</section>" in page and "Statistical" in page
    assert content["n_elements"] == 216
    assert content["coverage"] == pytest.approx(21.6)


@pytest.mark.parametrize("version", ["0.10.4", "0.13.2", "0.15.0", "0.1", "0.140"])
def test_versions_that_were_not_tested_are_refused(version, monkeypatch):
    monkeypatch.setattr("nilearn.__version__", version)
    with pytest.raises(ImportError, match=f"tested with nilearn 0.14; nilearn {version}"):
        accelerate.install()
    assert not accelerate.is_installed()


@pytest.mark.parametrize("version", ["0.14", "0.14.0", "0.14.2"])
def test_versions_that_were_tested_are_taken(version, monkeypatch):
    monkeypatch.setattr("nilearn.__version__", version)
    with accelerate.accelerated():
        assert accelerate.is_installed()


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("AllVolumesRemovedError", ()),
        ("DimensionError", (4, 3)),
        ("MeshDimensionError", ("meshes differ",)),
        ("MaskWarning", ("empty",)),
        ("NotImplementedWarning", ("not here",)),
    ],
)
def test_the_host_s_exceptions_catch_ours_while_installed(name, arguments):
    import nilearn.exceptions

    import brainsieve.exceptions

    ours, theirs = getattr(brainsieve.exceptions, name), getattr(nilearn.exceptions, name)
    before = ours.__bases__
    said = str(ours(*arguments))
    with accelerate.accelerated():
        with pytest.raises(theirs) as caught:
            raise ours(*arguments)
        assert str(caught.value) == said
        assert isinstance(caught.value, before)
    assert ours.__bases__ == before
    assert not issubclass(ours, theirs)


def test_a_masker_that_the_host_fitted_before_is_unpickled_fitted(run):
    import pickle

    img, mask, _ = run
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = nilearn.maskers.NiftiMasker(mask).fit()
        expected, stored = theirs.transform(img), pickle.dumps(theirs)
        with accelerate.accelerated():
            again = pickle.loads(stored)
            assert isinstance(again, nilearn.maskers.NiftiMasker)
            np.testing.assert_array_equal(again.transform(img), expected)
            # Ours stay ours.
            mine = pickle.loads(pickle.dumps(nilearn.maskers.NiftiMasker(mask).fit()))
            assert isinstance(mine, brainsieve.maskers.NiftiMasker)
            np.testing.assert_allclose(mine.transform(img), expected)


def test_no_class_of_the_host_that_is_imported_later_derives_from_ours():
    code = """
import importlib, pkgutil, sys, warnings
warnings.simplefilter("ignore")
from brainsieve.accelerate import install, stand_ins
install()
import nilearn
for each in pkgutil.walk_packages(nilearn.__path__, "nilearn."):
    if ".tests" not in each.name and "conftest" not in each.name:
        try:
            importlib.import_module(each.name)
        except ImportError:
            pass
ours = tuple(stand_ins.classes().values())
modules = [m for n, m in list(sys.modules.items()) if n.startswith("nilearn")]
made = {c for m in modules for c in vars(m).values() if isinstance(c, type) and c.__module__.startswith("nilearn")}
print(sorted(c.__name__ for c in made if any(base in c.__mro__ for base in ours)))
print("RegionExtractor" in {c.__name__ for c in made})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["[]", "True"]
