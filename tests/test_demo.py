"""The demo: its tables are what the maskers give, its pictures show something, and it says what it did."""

from __future__ import annotations

import json
import sys

import matplotlib.image
import nibabel
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from brainsieve.cli import main
from brainsieve.datasets import load_demo_run
from brainsieve.demo import CONFOUNDS, pictures, run_demo
from brainsieve.demo.pictures import nearest_slice, slice_extent_mm
from brainsieve.engine.domain import VoxelGrid
from brainsieve.signal import clean

TABLES = ["correlation.tsv", "timeseries.json", "timeseries.tsv"]
PICTURES = ["atlas.png", "correlation.png", "timeseries.png"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return run_demo(tmp_path_factory.mktemp("demo") / "made" / "by-it", quiet=True)


def test_demo_writes_tables_and_pictures(demo):
    assert sorted(path.name for path in demo.iterdir()) == sorted(TABLES + PICTURES)


def test_table_holds_cleaned_means_of_the_regions(demo):
    run = load_demo_run()
    bold, atlas = nibabel.load(run.bold).get_fdata(), nibabel.load(run.atlas).get_fdata()
    means = np.stack([bold[atlas == label].mean(axis=0) for label in range(1, 11)], axis=1)
    confounds = pd.read_csv(run.confounds, sep="\t")[CONFOUNDS].to_numpy()
    expected = clean(means, confounds=confounds, t_r=2.2, low_pass=0.1, high_pass=0.01)
    table = pd.read_csv(demo / "timeseries.tsv", sep="\t")
    assert table.columns.tolist() == pd.read_csv(run.lut, sep="\t")["name"].tolist()
    assert_allclose(table, expected, atol=1e-6)


def test_matrix_holds_the_correlations_of_the_table(demo):
    matrix = pd.read_csv(demo / "correlation.tsv", sep="\t", index_col="region")
    table = pd.read_csv(demo / "timeseries.tsv", sep="\t")
    assert matrix.index.tolist() == matrix.columns.tolist() == table.columns.tolist()
    assert_allclose(matrix, table.corr(), atol=1e-8)


def test_record_names_what_went_in(demo):
    record = json.loads((demo / "timeseries.json").read_text())
    assert record["parameters"]["low_pass"] == 0.1
    assert all(len(entry["sha256"]) == 64 for entry in record["inputs"])
    assert "ds000205" in record["source"]


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_show_something_on_white(demo, name):
    picture = matplotlib.image.imread(demo / name)[..., :3]
    height, width, _ = picture.shape
    assert width > 1000
    assert height > 400
    assert_allclose(picture[0], 1)
    drawn = (picture < 0.95).any(axis=-1)
    assert 0.03 < drawn.mean() < 0.9
    saturation = picture.max(axis=-1) - picture.min(axis=-1)
    assert (saturation > 0.3).sum() > 1000


def test_demo_tells_what_it_does_and_how_long_it_took(tmp_path, capsys):
    assert main(["demo", "-o", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    for words in ("ds000205", "82 volumes × 10 regions", " s   extract", "All in all", *TABLES, *PICTURES):
        assert words in said


def test_demo_without_matplotlib_writes_the_tables_and_says_what_is_missing(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    run_demo(tmp_path)
    assert "brainsieve[plotting]" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == TABLES


def test_demo_over_a_file_is_an_error_on_one_line(tmp_path, capsys):
    (tmp_path / "taken").write_text("")
    assert main(["demo", "-o", str(tmp_path / "taken")]) == 1
    assert "taken" in capsys.readouterr().err


@pytest.mark.parametrize("name", [*TABLES, *PICTURES])
def test_demo_replaces_its_own_files_and_no_others(tmp_path, capsys, name):
    (tmp_path / name).write_text("mine")
    assert main(["demo", "-o", str(tmp_path)]) == 1
    assert "it is not ours" in capsys.readouterr().err
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_demo_may_be_run_again(demo):
    assert run_demo(demo, quiet=True) == demo


def test_a_home_of_nobody_is_no_defect(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "-q", "-o", "~nobody-of-this-name/x\0"]) == 1


def test_a_slice_is_found_by_height_and_placed_by_its_edges():
    grid = VoxelGrid((4, 6, 5), np.array([[-2.0, 0, 0, 10], [0, 3, 0, -9], [0, 0, 4, 100], [0, 0, 0, 1]]))
    assert nearest_slice(grid, 109) == 2
    assert_allclose(slice_extent_mm(grid, 2), (11, 3, -10.5, 7.5))


def test_the_matrices_fill_their_panels_and_the_bar_is_as_high():
    names = [f"region-{i}" for i in range(10)]
    table = pd.DataFrame(np.eye(10), names, names)
    figure = pictures.matrices(table, table)
    figure.canvas.draw()
    left, right, bar = (axes.get_position() for axes in figure.axes)
    assert left.y0 == pytest.approx(bar.y0) and left.y1 == pytest.approx(bar.y1)
    assert (left.y0, left.y1) == pytest.approx((right.y0, right.y1))
    assert left.x0 == pytest.approx(figure._suptitle.get_position()[0])
    # Squares: as wide as high, in inches.
    width, height = figure.get_size_inches()
    assert left.width * width == pytest.approx(left.height * height)
    assert left.x1 < right.x0 < right.x1 < bar.x0
