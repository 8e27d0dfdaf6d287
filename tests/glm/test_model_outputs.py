"""Files and reports of models: names as nilearn's, clusters of z, all files or none, equal pages of equal models."""

from __future__ import annotations

import json
import re

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import surfaces
from nilearn.glm import first_level as peers_first
from nilearn.glm import second_level as peers_second
from nilearn.interfaces.bids import save_glm_to_bids as peers_save
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve.glm.first_level import FirstLevelModel
from brainsieve.glm.second_level import SecondLevelModel
from brainsieve.interfaces.bids import save_glm_to_bids
from brainsieve.reporting import get_clusters_table, make_glm_report

pytest.importorskip("matplotlib")
SHAPE, T, AFFINE = (7, 8, 6), 30, np.diag([3.0, 3, 3, 1])
MASK = nib.Nifti1Image(np.ones(SHAPE, np.uint8), AFFINE)


def design() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame({"face": rng.normal(size=T), "house": rng.normal(size=T), "constant": 1.0})


def run(seed: int = 0) -> nib.Nifti1Image:
    rng = np.random.default_rng(seed)
    data = rng.normal(100, 1, (*SHAPE, T))
    data[2:5, 2:5, 2:4] += 2 * design()["face"].to_numpy()
    return nib.Nifti1Image(data, AFFINE)


def first(package=None, imgs=None, **options):
    kind = FirstLevelModel if package is None else package.FirstLevelModel
    model = kind(mask_img=MASK, noise_model="ols", minimize_memory=False, **options)
    imgs = [run(0), run(1)] if imgs is None else imgs
    return model.fit(imgs, design_matrices=[design()] * len(imgs))


def group(package=None):
    rng = np.random.default_rng(5)
    maps = [nib.Nifti1Image(rng.normal(size=SHAPE) + 0.5, AFFINE) for _ in range(8)]
    kind = SecondLevelModel if package is None else package.SecondLevelModel
    return kind(mask_img=MASK, minimize_memory=False).fit(
        maps, design_matrix=pd.DataFrame({"intercept": np.ones(8)})
    )


def files(folder) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "contrasts, prefix",
    [
        (["face - house", "face+house"], None),
        ({"effects of Interest": np.eye(3)[:2]}, "sub-01_ses-02_task-x"),
    ],
    ids=["no prefix", "prefix"],
)
def test_names_of_files_are_nilearns(contrasts, prefix, tmp_path):
    types = dict.fromkeys(contrasts, "F") if isinstance(contrasts, dict) else None
    for name, save, model in (
        ("ours", save_glm_to_bids, first()),
        ("theirs", peers_save, first(peers_first)),
    ):
        save(model, contrasts, contrast_types=types, out_dir=tmp_path / name, prefix=prefix)
    assert files(tmp_path / "ours") == files(tmp_path / "theirs")


@pytest.mark.filterwarnings("ignore")
def test_names_of_files_follow_the_runs_of_a_dataset_and_the_group(tmp_path):
    folder = tmp_path / "sub-05" / "func"
    folder.mkdir(parents=True)
    runs = []
    for i in (1, 2):
        runs.append(str(folder / f"sub-05_ses-01_task-nb_run-{i}_space-MNI_desc-preproc_bold.nii.gz"))
        nib.save(run(i), runs[-1])
    for name, save, package in (
        ("ours", save_glm_to_bids, (None, None)),
        ("theirs", peers_save, (peers_first, peers_second)),
    ):
        save(first(package[0], runs), "face", out_dir=tmp_path / name)
        save(group(package[1]), ["intercept"], out_dir=tmp_path / name)
    assert files(tmp_path / "ours") == files(tmp_path / "theirs")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_contents_are_those_of_the_model_and_clusters_are_of_z(tmp_path):
    model = first()
    assert (
        save_glm_to_bids(model, "face", out_dir=tmp_path, alpha=0.01, two_sided=True, min_distance=4.0)
        is model
    )
    maps = model.compute_contrast("face", output_type="all")
    statistics = {
        "z_score": "z",
        "stat": "t",
        "p_value": "p",
        "effect_size": "effect",
        "effect_variance": "variance",
    }
    for output, name in statistics.items():
        saved = nib.load(tmp_path / f"contrast-face_stat-{name}_statmap.nii.gz").get_fdata()
        assert_allclose(saved, maps[output].get_fdata(), rtol=1e-6)
    height = 2.5758293035489004
    expected = get_clusters_table(maps["z_score"], height, 0, True, 4.0)
    table = pd.read_csv(tmp_path / "contrast-face_clusters.tsv", sep="\t")
    assert_allclose(table["Peak Stat"], expected["Peak Stat"].astype(float))
    assert table["Peak Stat"][0] == pytest.approx(maps["z_score"].get_fdata().max())
    told = json.loads((tmp_path / "contrast-face_clusters.json").read_text())
    assert told == {
        "Height control": "fpr",
        "α": 0.01,
        "Threshold (computed)": 2.576,
        "Cluster size threshold (voxels)": 0,
        "Minimum distance (mm)": 4.0,
    }
    assert_allclose(pd.read_csv(tmp_path / "run-2_design.tsv", sep="\t"), design())
    saved = nib.load(tmp_path / "run-1_stat-errorts_statmap.nii.gz").get_fdata()
    assert_allclose(saved, model.residuals_[0].get_fdata(), rtol=1e-5, atol=1e-6)
    assert json.loads((tmp_path / "statmap.json").read_text())["ModelParameters"]["noise_model"] == "ols"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_type_in_a_name_is_the_type_of_the_map(tmp_path):
    model = first()
    save_glm_to_bids(model, {"one": "face"}, contrast_types={"one": "F"}, out_dir=tmp_path)
    saved = nib.load(tmp_path / "contrast-one_stat-F_statmap.nii.gz").get_fdata()
    assert_allclose(saved, model.compute_contrast("face", "F", "stat").get_fdata(), rtol=1e-6)
    with pytest.raises(ValueError, match="stat_type='t' is for one row"):
        save_glm_to_bids(
            model, {"two": np.eye(3)[:2]}, contrast_types={"two": "t"}, out_dir=tmp_path / "none"
        )
    assert not (tmp_path / "none").exists()


def test_after_an_error_nothing_is_written(tmp_path, monkeypatch):
    model = first()

    def fails(self, path):
        raise OSError("disk full")

    monkeypatch.setattr(nib.Nifti1Image, "to_filename", fails)
    with pytest.raises(OSError, match="disk full"):
        save_glm_to_bids(model, "face", out_dir=tmp_path / "out", prefix="sub-01")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        (dict(model=3), TypeError, "model must be a FirstLevelModel"),
        (dict(model=FirstLevelModel()), ValueError, "model is not fitted"),
        (dict(contrasts="fase"), ValueError, "no column 'fase'"),
        (dict(contrasts=[]), ValueError, "contrasts must have one"),
        (dict(contrasts=3), TypeError, "contrasts must be a string"),
        (dict(contrasts={"+": "face"}, prefix=None), None, ""),
        (dict(contrast_types={"faces": "t"}), ValueError, "'faces' is no contrast.*Did you mean 'face'"),
        (dict(contrast_types={"face": "z"}), ValueError, "must be 't' or 'F'"),
        (dict(contrast_types="t"), TypeError, "contrast_types must be a dict"),
        (dict(colour=1), TypeError, "unknown keywords colour"),
        (dict(prefix=3), TypeError, "prefix must be a str"),
        (dict(alpha=3), ValueError, "alpha must be between 0 and 1"),
    ],
    ids=[str(i) for i in range(12)],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_bad_input_of_outputs_is_named_and_writes_nothing(arguments, error, words, tmp_path):
    given = {"model": None, "contrasts": "face", "out_dir": tmp_path / "out", **arguments}
    given["model"] = first() if given["model"] is None else given["model"]
    if error is None:
        save_glm_to_bids(**given)
        assert (tmp_path / "out" / "contrast-plus_clusters.tsv").exists()
        return
    with pytest.raises(error, match=words):
        save_glm_to_bids(**given)
    assert not (tmp_path / "out").exists()


def test_models_that_kept_no_series_are_refused_before_anything_is_written(tmp_path):
    model = FirstLevelModel(mask_img=MASK, noise_model="ols").fit(run(), design_matrices=design())
    with pytest.raises(ValueError, match="minimize_memory=False"):
        save_glm_to_bids(model, "face", out_dir=tmp_path / "out")
    assert not (tmp_path / "out").exists()


# -- reports -----------------------------------------------------------------------------------------------


def test_a_report_is_one_page_with_maps_clusters_and_designs_and_equal_models_give_equal_bytes():
    contrasts = {"faces & <houses>": "face", "both": np.eye(3)[:2]}
    pages = [first().generate_report(contrasts, alpha=0.001).html for _ in range(2)]
    assert pages[0] == pages[1]
    page = pages[0]
    assert "faces &amp; &lt;houses&gt;" in page
    assert not re.search(r"(src|href)=['\"](?!data:)", page)
    z = first().compute_contrast("face").get_fdata().max()
    assert f"{z:,.1f}" in page or f"{z:.3g}" in page
    for words in (
        "Design: run 1",
        "Design: run 2",
        "Clusters",
        "noise_model",
        "Threshold (computed)",
        "3.09",
    ):
        assert words in page


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_reports_of_groups_surfaces_and_without_clusters(rng):
    report = make_glm_report(group(), "intercept", bg_img=None, alpha=1e-9, report_dims=(500, 400))
    assert "No cluster passes" in report.html
    assert (report.width, report.height) == (500, 400)
    parts = ("left", "right")
    maps = [surfaces.on_mesh({p: rng.normal(1, 1, surfaces.N_VERTICES) for p in parts}) for _ in range(6)]
    model = SecondLevelModel().fit(maps, design_matrix=pd.DataFrame({"intercept": np.ones(6)}))
    assert "Hemisphere" in model.generate_report("intercept", alpha=0.01).html
    assert "Contrast" not in model.generate_report().html


def test_options_of_reports_that_are_not_drawn_are_told_of_and_bad_ones_refused():
    model = first()
    for option in (dict(cut_coords=[1, 2, 3]), dict(display_mode="x"), dict(plot_type="glass")):
        with pytest.warns(UserWarning, match=f"{next(iter(option))} is not available here"):
            model.generate_report(**option)
    with pytest.raises(ValueError, match="plot_type must be one of"):
        model.generate_report(plot_type="round")
    with pytest.raises(ValueError, match="no column 'fase'"):
        model.generate_report("fase")
    with pytest.raises(TypeError, match="report_dims must be two numbers"):
        model.generate_report(report_dims=3)
    with pytest.raises(TypeError, match="model must be a FirstLevelModel"):
        make_glm_report(3)
    before = model.design_matrices_[0].copy()
    model.generate_report("face")
    assert_array_equal(model.design_matrices_[0], before)
