"""Pages and pictures of a cohort, by the numbers in them."""

from __future__ import annotations

import base64
import io
import re

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_cohort import labels, write_atlas, write_cohort

from brainsieve import cohort
from brainsieve.cohort.dataset import methods_text
from brainsieve.cohort.figures import GAP, LEFT_OUT, MISSING, carpet, matrices
from brainsieve.cohort.group import summarize
from brainsieve.cohort.planning import settings_of

STRATEGIES = ["36P", "scrubbing.5"]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    write_cohort(folder / "in", 5)
    path = next((folder / "in/sub-01").rglob("*bold.nii.gz"))
    image = nib.load(path)
    data = np.asarray(image.dataobj).copy()
    data[labels() == 3] = 0
    nib.save(nib.Nifti1Image(data, image.affine, image.header), path)
    plan = cohort.plan(folder / "in", folder / "out", [write_atlas(folder)], STRATEGIES)
    with pytest.warns(UserWarning, match="box 3"):
        assert set(cohort.run(plan)["status"]) == {"done"}
    return folder, plan


def pictures(page: str) -> dict[str, np.ndarray]:
    found = re.findall(r'<img alt="([^"]+)"[^>]*src="data:image/png;base64,([^"]+)"', page)
    return {alt: np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for alt, data in found}


def test_a_page_shows_motion_voxels_matrices_and_what_is_not_covered(done):
    folder, _ = done
    page = (folder / "out/sub-01.html").read_text()
    assert "1 region is not covered: box 3." in page
    assert "200 of 200 volumes, 36 confounds" in page
    assert re.search(r"199 of 200 volumes, \d+ confounds", page)
    assert page.count("<polyline") == 2 and page.count('fill="#e6b0aa"') == 1
    shown = pictures(page)
    assert len(shown) == 3  # equal captions of the strategies are one here
    assert not re.search(r"(?:src|href)=\"http", page)
    other = (folder / "out/sub-02.html").read_text()
    assert "not covered" not in other


def test_a_carpet_is_series_above_clean_series_with_volumes_left_out_in_red():
    rng = np.random.default_rng(0)
    before, kept = rng.normal(size=(30, 12)) + 5, np.delete(np.arange(30), [4, 9])
    after = before[kept] * 2 + 1
    picture = carpet(before, after, kept)
    assert picture.shape == (12 + GAP + 12, 30, 3)
    below = picture[12 + GAP :]
    assert (below[:, [4, 9]] == LEFT_OUT).all() and not (picture[:12] == LEFT_OUT).all(axis=-1).any()
    z = (before[:, 0] - before[:, 0].mean()) / before[:, 0].std()
    np.testing.assert_array_equal(picture[0, :, 0], np.round(np.clip((z / 2 + 1) / 2, 0, 1) * 255))


def test_matrices_are_blue_below_zero_red_above_and_grey_where_missing():
    matrix = np.array([[1.0, -1.0, np.nan], [-1.0, 1.0, 0.0], [np.nan, 0.0, 1.0]])
    picture = matrices({"a": matrix, "b": np.eye(2)})
    size = picture.shape[0]
    at = lambda row, column: tuple(picture[int((row + 0.5) * size / 3), int((column + 0.5) * size / 3)])  # noqa: E731
    assert at(0, 0) == (178, 24, 43) and at(0, 1) == (33, 102, 172) and at(1, 2) == (255, 255, 255)
    assert at(0, 2) == MISSING
    assert picture.shape == (size, 2 * size + GAP, 3)


def test_the_group_compares_strategies_and_leaves_runs_out(done):
    folder, plan = done
    written = summarize(plan)
    assert all((folder / "out" / name).is_file() for name in written) and "group.html" in written
    compared = pd.read_csv(folder / "out/group_desc-brainsieve_qcfc.tsv", sep="\t", na_values=["n/a"])
    assert compared["strategy"].unique().tolist() == STRATEGIES
    row = compared[(compared["runs"] == "all runs") & (compared["strategy"] == "36P")].iloc[0]
    runs = pd.read_csv(folder / "out/group_desc-brainsieve_qc.tsv", sep="\t", keep_default_na=False)
    motion = runs["fd_mean"].astype(float).to_numpy()
    edges = []
    for run in runs["run"]:
        name = run.rsplit("/", 1)[0] + "/*_desc-36P_relmat.tsv"
        (path,) = (folder / "out").glob(name)
        edges.append(pd.read_csv(path, sep="\t", index_col=0).to_numpy()[np.tril_indices(8, -1)])
    edges = np.array(edges, dtype=float)
    expected = [
        abs(np.corrcoef(edges[known, i], motion[known])[0, 1])
        for i in range(edges.shape[1])
        if (known := np.isfinite(edges[:, i])).sum() > 3
    ]
    assert row["n_runs"] == 5 and row["qcfc_median_abs"] == pytest.approx(np.median(expected))
    assert -1 <= row["qcfc_distance_dependence"] <= 1
    page = (folder / "out/group.html").read_text()
    assert "5 runs of 5 participants" in page and len(pictures(page)) == 2


def test_pages_of_equal_work_are_equal(done, tmp_path):
    folder, plan = done
    before = {path.name: path.read_bytes() for path in (folder / "out").glob("*.html")}
    for path in (folder / "out").glob("*.html"):
        path.unlink()
    cohort.run(cohort.plan(folder / "in", folder / "out", [next(folder.glob("tpl*.nii.gz"))], STRATEGIES))
    summarize(plan)
    assert {path.name: path.read_bytes() for path in (folder / "out").glob("*.html")}.items() >= {
        name: page for name, page in before.items() if name.startswith("sub")
    }.items()


def test_the_methods_text_says_what_was_done(done):
    _, plan = done
    text = methods_text(settings_of(plan))
    for part in (
        "Butterworth filter of order 5 (0.01 to 0.1 Hz)",
        "scrubbing.5",
        "less than 50%",
        "doi:10.1016/j.neuroimage.2011.10.018",
    ):
        assert part in text
