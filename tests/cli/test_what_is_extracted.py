"""Seeds, voxels, surfaces, several runs and pages on the command line, against plain NumPy and the Python interface."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pandas as pd
import pytest
import small_cifti
import surfaces
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve.datasets import load_demo_run
from brainsieve.image import clean_img
from brainsieve.maskers import (
    CiftiMasker,
    NiftiLabelsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
)
from brainsieve.surface import PolyData, SurfaceImage

RUN = load_demo_run()
BOLD = nibabel.load(RUN.bold)
SEEDS = [(0.0, -20.0, 20.0), (-20.0, -30.0, 30.0), (24.0, -10.0, 12.0)]


def read(path):
    return pd.read_csv(path, sep="\t")


def record(path):
    return json.loads(path.read_text())


def sphere_mean(seed, radius):
    """The mean of voxels whose centres are within a radius: by distances of all voxels."""
    centres = nibabel.affines.apply_affine(BOLD.affine, np.argwhere(np.ones(BOLD.shape[:3])))
    near = np.linalg.norm(centres - seed, axis=1) <= radius
    return BOLD.get_fdata().reshape(-1, BOLD.shape[3])[near].mean(axis=0)


# -- seeds -----------------------------------------------------------------------------------------------


def test_seeds_give_the_means_around_them_under_their_names(tmp_path, extract):
    table = "name\tz\ty\tx\n" + "".join(f"seed {x:g}\t{z}\t{y}\t{x}\n" for x, y, z in SEEDS)
    (tmp_path / "seeds.tsv").write_text(table)
    code = extract("--seeds", tmp_path / "seeds.tsv", "--radius", 12, "-o", tmp_path / "out.tsv", atlas=None)
    assert code == 0
    written = read(tmp_path / "out.tsv")
    assert written.columns.tolist() == ["seed 0", "seed -20", "seed 24"]
    for column, seed in zip(written.columns, SEEDS, strict=True):
        assert_allclose(written[column], sphere_mean(seed, 12), rtol=1e-6)
    made = record(tmp_path / "out.json")
    assert made["masker"] == "NiftiSpheresMasker"
    assert made["parameters"]["radius"] == 12
    assert made["inputs"]["seeds"][0]["path"] == str(tmp_path / "seeds.tsv")
    assert [column["name"] for column in made["columns"]] == written.columns.tolist()


@pytest.mark.parametrize("names", [("NA", "001", "None"), ("007", "1.10", "2e3"), ("null", "nan", "1")])
@pytest.mark.parametrize("column", ["name", "Label"])
def test_names_of_seeds_are_text_as_they_are_written(tmp_path, extract, names, column):
    rows = [f"{x}\t{y}\t{z}\t{name}\n" for (x, y, z), name in zip(SEEDS, names, strict=True)]
    (tmp_path / "seeds.tsv").write_text(f"x\ty\tz\t{column}\n" + "".join(rows))
    assert extract("--seeds", tmp_path / "seeds.tsv", "-o", tmp_path / "out.tsv", atlas=None) == 0
    assert (tmp_path / "out.tsv").read_text().split("\n")[0].split("\t") == list(names)


def test_seeds_without_a_header_and_without_a_radius_are_the_nearest_voxels(tmp_path, extract):
    np.savetxt(tmp_path / "seeds.csv", SEEDS, delimiter=",")
    code = extract("--seeds", tmp_path / "seeds.csv", "-o", tmp_path / "out.tsv", atlas=None)
    assert code == 0
    written = read(tmp_path / "out.tsv")
    assert written.columns.tolist() == ["seed-1", "seed-2", "seed-3"]
    voxels = np.round(nibabel.affines.apply_affine(np.linalg.inv(BOLD.affine), SEEDS)).astype(int)
    assert_allclose(written, np.stack([BOLD.get_fdata()[tuple(v)] for v in voxels], axis=1), rtol=1e-9)


def test_seeds_stand_beside_an_atlas(tmp_path, extract):
    np.savetxt(tmp_path / "seeds.csv", SEEDS, delimiter=",")
    assert extract("--seeds", tmp_path / "seeds.csv", "-o", tmp_path / "out.tsv") == 0
    name = RUN.atlas.name.removesuffix(".nii.gz")
    assert read(tmp_path / f"out_atlas-{name}.tsv").shape == (82, 10)
    assert read(tmp_path / "out_seeds-seeds.tsv").shape == (82, 3)


def test_spheres_that_share_voxels_need_permission(tmp_path, extract, error):
    (tmp_path / "seeds.tsv").write_text("x\ty\tz\n0\t-20\t20\n4\t-20\t20\n")
    arguments = ("--seeds", tmp_path / "seeds.tsv", "--radius", 12, "-o", tmp_path / "out.tsv")
    assert extract(*arguments, atlas=None) == 1
    assert "--allow-overlap" in error()
    assert extract(*arguments, "--allow-overlap", atlas=None) == 0
    assert_allclose(read(tmp_path / "out.tsv")["seed-2"], sphere_mean((4, -20, 20), 12), rtol=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x\ty\n1\t2\n", "no column 'z'; it has 'x', 'y'"),
        ("x\ty\tz\n1\t2\tleft\n", "no number for z in row 0"),
        ("x\ty\tz\n1\t2\t3\n1\tn/a\t3\n", "no number for y in row 1"),
        ("x\ty\tz\n", "has no rows"),
    ],
)
def test_a_table_that_holds_no_seeds_is_refused(tmp_path, extract, error, content, message):
    (tmp_path / "seeds.tsv").write_text(content)
    assert extract("--seeds", tmp_path / "seeds.tsv", "-o", tmp_path / "out.tsv", atlas=None) == 1
    line = error()
    assert message in line
    assert "seeds.tsv" in line


# -- voxels ----------------------------------------------------------------------------------------------


def test_voxels_are_the_cleaned_image(tmp_path, extract):
    code = extract(
        *("--voxels", "--mask", RUN.mask, "--confounds", RUN.confounds, "--confounds-columns", "csf"),
        *(
            "--detrend",
            "--high-pass",
            0.01,
            "--low-pass",
            0.1,
            "--standardize",
            "-o",
            tmp_path / "out.nii.gz",
        ),
        atlas=None,
    )
    assert code == 0
    written = nibabel.load(tmp_path / "out.nii.gz")
    expected = clean_img(
        nibabel.Nifti1Image(BOLD.get_fdata(), BOLD.affine),
        confounds=read(RUN.confounds)[["csf"]].to_numpy(),
        mask_img=RUN.mask,
        detrend=True,
        high_pass=0.01,
        low_pass=0.1,
        t_r=2.2,
        standardize="zscore_sample",
    )
    assert_allclose(written.get_fdata(), expected.get_fdata(), atol=1e-4)
    assert_allclose(written.affine, BOLD.affine)
    assert written.header.get_zooms()[3] == pytest.approx(2.2)
    assert written.header.get_xyzt_units() == ("mm", "sec")
    made = record(tmp_path / "out.nii.gz.json")
    assert made["masker"] == "NiftiMasker"
    assert made["shape"] == list(BOLD.shape)
    assert made["inputs"]["mask"][0]["sha256"]


def test_voxels_without_a_mask_are_all_of_them_and_smoothed_as_asked(tmp_path, extract):
    code = extract(
        *("--voxels", "--smoothing-fwhm", 10, "--sample-mask", "4:", "-o", tmp_path / "out.nii"), atlas=None
    )
    assert code == 0
    written = nibabel.load(tmp_path / "out.nii").get_fdata()
    everywhere = nibabel.Nifti1Image(np.ones(BOLD.shape[:3], np.uint8), BOLD.affine)
    masker = NiftiMasker(everywhere, smoothing_fwhm=10).fit()
    expected = masker.inverse_transform(masker.transform(RUN.bold, sample_mask=np.arange(4, 82)))
    assert_allclose(written, expected.get_fdata(), rtol=1e-5)


def test_grayordinates_are_written_as_the_run_has_them(tmp_path, extract):
    run = small_cifti.series(tmp_path)
    assert extract("--voxels", "--detrend", "-o", tmp_path / "out.dtseries.nii", run=run, atlas=None) == 0
    written = nibabel.load(tmp_path / "out.dtseries.nii")
    expected = CiftiMasker(detrend=True).fit_transform(run)
    assert_allclose(written.get_fdata(), expected, atol=1e-4)
    assert written.header.get_axis(0).step == pytest.approx(0.8)
    assert written.header.get_axis(1) == nibabel.load(run).header.get_axis(1)


def test_the_name_of_an_image_must_fit_the_run(tmp_path, extract, error):
    run = small_cifti.series(tmp_path)
    assert extract("--voxels", "-o", tmp_path / "out.nii.gz", run=run, atlas=None) == 2
    assert "name it .dtseries.nii" in error()
    assert extract("--voxels", "-o", tmp_path / "out.dtseries.nii", atlas=None) == 2
    assert "name it .nii or .nii.gz" in error()
    assert extract("--voxels", "-o", tmp_path / "out.tsv", atlas=None) == 1
    assert "must be one of .nii, .nii.gz, .dtseries.nii" in error()
    assert [path.name for path in tmp_path.iterdir()] == ["run.dtseries.nii"]


# -- regions ---------------------------------------------------------------------------------------------


def test_a_background_of_another_number_is_no_region(tmp_path, extract):
    labels = nibabel.load(RUN.atlas)
    moved = np.where(labels.get_fdata() == 0, 99, np.where(labels.get_fdata() == 8, 0, labels.get_fdata()))
    nibabel.Nifti1Image(moved.astype(np.int16), labels.affine).to_filename(tmp_path / "atlas.nii")
    code = extract("--background-label", 99, "-o", tmp_path / "out.tsv", atlas=tmp_path / "atlas.nii")
    assert code == 0
    written = read(tmp_path / "out.tsv")
    assert "99" not in written.columns
    assert_allclose(written["0"], BOLD.get_fdata()[labels.get_fdata() == 8].mean(axis=0), rtol=1e-9)


def test_a_region_that_the_run_covers_less_than_asked_has_no_values(tmp_path, extract, capsys):
    labels = nibabel.load(RUN.atlas).get_fdata()
    data = np.asanyarray(BOLD.dataobj).copy()
    inside = np.argwhere(labels == 8)
    data[tuple(inside[: len(inside) // 2].T)] = 0
    nibabel.Nifti1Image(data, BOLD.affine, BOLD.header).to_filename(tmp_path / "run.nii")
    for share, missing in ((0.4, False), (0.6, True)):
        code = extract("--min-coverage", share, "-o", tmp_path / "out.tsv", run=tmp_path / "run.nii")
        assert code == 0
        assert read(tmp_path / "out.tsv")["8"].isna().all() == missing
    assert "--min-coverage" in capsys.readouterr().err


# -- surfaces and CIFTI ----------------------------------------------------------------------------------


@pytest.fixture
def hemispheres(tmp_path):
    """The run and labels of both hemispheres, as GIFTI and as FreeSurfer's overlays."""
    labels = surfaces.label_values()
    for part, side in (("left", "lh"), ("right", "rh")):
        values = nibabel.load(surfaces.run_file(part)).agg_data()
        values = np.stack(values, axis=1) if isinstance(values, tuple) else values
        volume = values.astype(np.float32).reshape(len(values), 1, 1, -1)
        nibabel.MGHImage(volume, np.eye(4)).to_filename(tmp_path / f"{side}.run.mgz")
        array = nibabel.gifti.GiftiDataArray(labels[part], intent="NIFTI_INTENT_LABEL")
        nibabel.GiftiImage(darrays=[array]).to_filename(tmp_path / f"{side}.dk.label.gii")
    return tmp_path


@pytest.mark.parametrize("fwhm", [None, 12])
@pytest.mark.parametrize("given", ["lh.run.mgz", "lh.run.mgz,rh.run.mgz", "gifti"])
def test_surface_runs_are_smoothed_on_their_meshes(hemispheres, extract, given, fwhm):
    run = (
        surfaces.run_file("left")
        if given == "gifti"
        else ",".join(str(hemispheres / name) for name in given.split(","))
    )
    meshes = f"{surfaces.mesh_file('pial', 'left')},{surfaces.mesh_file('pial', 'right')}"
    smoothing = [] if fwhm is None else ["--smoothing-fwhm", fwhm, "--surfaces", meshes]
    atlas = hemispheres / "lh.dk.label.gii"
    assert extract(*smoothing, "-o", hemispheres / "out.tsv", run=run, atlas=atlas) == 0
    image = SurfaceImage(
        surfaces.polymesh(), PolyData(left=surfaces.run_file("left"), right=surfaces.run_file("right"))
    )
    masker = SurfaceLabelsMasker(surfaces.on_mesh(surfaces.label_values()), smoothing_fwhm=fwhm).fit()
    assert_allclose(read(hemispheres / "out.tsv"), masker.transform(image), rtol=1e-5)
    inputs = record(hemispheres / "out.json")["inputs"]
    assert len(inputs["run"]) == len(inputs["atlas"]) == 2
    assert len(inputs.get("surfaces", [])) == (0 if fwhm is None else 2)


def test_smoothing_a_surface_needs_its_meshes(hemispheres, extract, error):
    arguments = {"run": surfaces.run_file("left"), "atlas": hemispheres / "lh.dk.label.gii"}
    assert extract("--smoothing-fwhm", 4, "-o", hemispheres / "out.tsv", **arguments) == 2
    assert "needs its meshes: --surfaces LEFT,RIGHT" in error()


def test_a_cifti_file_is_known_by_its_header(tmp_path, extract):
    run, atlas = small_cifti.series(tmp_path), small_cifti.atlas(tmp_path)
    assert extract("-o", tmp_path / "named.tsv", run=run, atlas=atlas) == 0
    run.rename(tmp_path / "run.nii")
    atlas.rename(tmp_path / "atlas.nii")
    code = extract("-o", tmp_path / "plain.tsv", run=tmp_path / "run.nii", atlas=tmp_path / "atlas.nii")
    assert code == 0
    assert (tmp_path / "plain.tsv").read_text() == (tmp_path / "named.tsv").read_text()


def test_an_atlas_of_another_kind_is_told_with_what_fits(tmp_path, extract, error):
    run = small_cifti.series(tmp_path)
    assert extract("-o", tmp_path / "out.tsv", run=run) == 1
    assert "What would work: a .dlabel.nii" in error()
    assert extract("-o", tmp_path / "out.tsv", atlas=small_cifti.atlas(tmp_path)) == 1
    assert "What would work: a volume atlas (.nii.gz)" in error()


# -- several runs ----------------------------------------------------------------------------------------


@pytest.fixture
def runs(tmp_path):
    """Two runs of one name in the folders of two subjects."""
    paths = []
    for number, subject in enumerate(("sub-01", "sub-02")):
        path = tmp_path / subject / "func" / "bold.nii.gz"
        path.parent.mkdir(parents=True)
        data = np.asanyarray(BOLD.dataobj)[..., number : 60 + number]
        nibabel.Nifti1Image(data, BOLD.affine, BOLD.header).to_filename(path)
        paths.append(path)
    return paths


def test_several_runs_go_into_a_folder(tmp_path, extract, command, runs):
    code = command(
        *("extract", *runs, "--atlas", RUN.atlas, "--labels", RUN.lut, "--detrend"),
        *("--sample-mask", "2:", "-o", tmp_path / "tables"),
    )
    assert code == 0
    atlas = RUN.atlas.name.removesuffix(".nii.gz")
    expected = [f"sub-0{n}_func_bold_atlas-{atlas}.{end}" for n in (1, 2) for end in ("json", "tsv")]
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == expected
    masker = NiftiLabelsMasker(RUN.atlas, lut=RUN.lut, detrend=True).fit()
    for name, run in zip(expected[1::2], runs, strict=True):
        signals = masker.transform(run, sample_mask=np.arange(2, 60))
        assert_allclose(read(tmp_path / "tables" / name), signals, atol=1e-6)
        made = record((tmp_path / "tables" / name).with_suffix(".json"))
        assert [each["path"] for each in made["inputs"]["run"]] == [str(run)]


def test_each_run_has_its_own_confounds_and_volumes(tmp_path, command, runs):
    rng = np.random.default_rng(0)
    tables = []
    for number in range(2):
        tables.append(tmp_path / f"confounds-{number}.tsv")
        pd.DataFrame(rng.normal(size=(60, 2)), columns=["a", "b"]).to_csv(tables[-1], sep="\t", index=False)
    code = command(
        *("extract", *runs, "--atlas", RUN.atlas, "--format", "csv", "-o", f"{tmp_path}/tables/"),
        *("--confounds", tables[0], "--confounds", tables[1], "--confounds-columns", "b"),
        *("--sample-mask", "5:", "--sample-mask", ":50"),
    )
    assert code == 0
    masker = NiftiLabelsMasker(RUN.atlas).fit()
    kept = [np.arange(5, 60), np.arange(50)]
    written = sorted((tmp_path / "tables").glob("*.csv"))
    for path, run, table, keep in zip(written, runs, tables, kept, strict=True):
        confounds = read(table)[["b"]]
        expected = masker.transform(run, confounds=confounds, sample_mask=keep)
        assert_allclose(pd.read_csv(path), expected, rtol=1e-5, atol=1e-5)
        assert record(path.with_name(f"{path.name}.json"))["inputs"]["confounds"][0]["path"] == str(table)


def test_a_run_alone_goes_into_a_folder_too(tmp_path, extract):
    assert extract("-o", f"{tmp_path}/made/") == 0
    names = sorted(path.name for path in (tmp_path / "made").iterdir())
    assert len(names) == 2
    assert names[1].startswith("sub-03") and names[1].endswith(".tsv")


def test_voxels_of_several_runs_are_an_image_each(tmp_path, command, runs):
    assert command("extract", *runs, "--voxels", "--detrend", "-o", tmp_path / "clean") == 0
    for number, run in ((1, runs[0]), (2, runs[1])):
        written = nibabel.load(tmp_path / f"clean/sub-0{number}_func_bold_clean.nii.gz")
        expected = clean_img(nibabel.load(run), detrend=True, standardize=False)
        assert_allclose(written.get_fdata(), expected.get_fdata(), atol=1e-2)


def test_what_was_written_before_a_run_that_fails_stands_and_is_told(tmp_path, command, runs, error):
    runs[1].write_bytes(runs[1].read_bytes()[:5000])
    assert command("extract", *runs, "--atlas", RUN.atlas, "-o", tmp_path / "tables") == 1
    line = error()
    assert "sub-02" in line
    assert "sub-01_func_bold_atlas" in line.partition("written before")[0]
    assert len(list((tmp_path / "tables").glob("sub-01*"))) == 2
    assert len(list((tmp_path / "tables").iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-o", "tables.tsv"], 2, "2 runs need a folder"),
        (["-o", "-"], 2, "writes one table"),
        (["-o", "made", "--confounds", RUN.confounds], 2, "1 --confounds for 2 runs"),
    ],
)
def test_several_runs_need_room_and_partners(
    tmp_path, command, runs, error, monkeypatch, arguments, code, message
):
    monkeypatch.chdir(tmp_path)
    assert command("extract", *runs, "--atlas", RUN.atlas, *arguments) == code
    assert message in error()


def test_a_run_given_twice_is_refused(tmp_path, command, runs, error):
    assert command("extract", runs[0], runs[0], "--atlas", RUN.atlas, "-o", tmp_path / "t") == 2
    assert "given twice" in error()


# -- pages -----------------------------------------------------------------------------------------------


def test_a_page_shows_the_regions_on_the_run(tmp_path, extract):
    assert extract("--labels", RUN.lut, "--report", tmp_path / "page.html", "-o", tmp_path / "out.tsv") == 0
    page = (tmp_path / "page.html").read_text()
    for name in read(RUN.lut)["name"]:
        assert name in page
    assert page.count("data:image/png") >= 1
    made = record(tmp_path / "out.json")
    assert made["report"]["name"] == "page.html"
    assert made["report"]["bytes"] == (tmp_path / "page.html").stat().st_size
    masker = NiftiLabelsMasker(RUN.atlas, lut=str(RUN.lut), resampling_target="data").fit(RUN.bold)
    assert masker.generate_report().body.split("<h2>Parameters")[0] in page


def test_each_atlas_has_a_page_of_its_own(tmp_path, extract):
    np.savetxt(tmp_path / "seeds.csv", SEEDS, delimiter=",")
    code = extract(
        *("--seeds", tmp_path / "seeds.csv", "--report", tmp_path / "page.html", "-o", tmp_path / "out.csv")
    )
    assert code == 0
    pages = sorted(path.name for path in tmp_path.glob("*.html"))
    atlas = RUN.atlas.name.removesuffix(".nii.gz")
    assert pages == [f"page_atlas-{atlas}.html", "page_seeds-seeds.html"]


def test_seeds_are_those_of_the_python_interface_when_all_else_is_asked(tmp_path, extract):
    np.savetxt(tmp_path / "seeds.csv", SEEDS, delimiter=",")
    code = extract(
        *("--seeds", tmp_path / "seeds.csv", "--radius", 10, "--mask", RUN.mask, "--smoothing-fwhm", 8),
        *("--detrend", "--low-pass", 0.1, "--sample-mask", "3:70", "--confounds", RUN.confounds),
        *("--confounds-columns", "csf", "--confounds-columns", "white_matter", "-o", tmp_path / "out.tsv"),
        atlas=None,
    )
    assert code == 0
    masker = NiftiSpheresMasker(
        SEEDS, radius=10, mask_img=RUN.mask, smoothing_fwhm=8, detrend=True, low_pass=0.1, t_r=2.2
    )
    confounds = read(RUN.confounds)[["csf", "white_matter"]]
    expected = masker.fit_transform(RUN.bold, confounds=confounds, sample_mask=np.arange(3, 70))
    assert_allclose(read(tmp_path / "out.tsv"), expected, rtol=1e-5, atol=1e-5)
    assert_array_equal(record(tmp_path / "out.json")["confounds_columns"], ["csf", "white_matter"])
