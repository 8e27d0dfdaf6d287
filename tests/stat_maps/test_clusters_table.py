"""Tables of clusters: equal to nilearn's, ties included, and right where nilearn's are not."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import surfaces
from nilearn.reporting import get_clusters_table as peers_table
from numpy.testing import assert_array_equal
from scipy import ndimage

from brainsieve.reporting import get_clusters_table

KINDS = ["smooth", "ties", "float32", "fine ties", "NaN"]


def stat_map(seed: int, kind: str) -> nib.Nifti1Image:
    rng = np.random.default_rng(seed)
    z = ndimage.gaussian_filter(rng.normal(size=tuple(rng.integers(6, 14, 3))), rng.uniform(0.4, 1.5))
    z /= z.std()
    if "ties" in kind:
        z = np.round(z * (1.5 if "fine" in kind else 1)) / (1.5 if "fine" in kind else 1)
    if kind == "NaN":
        z[rng.random(z.shape) < 0.03] = np.nan
    affine = np.diag([*rng.uniform(1, 4, 3) * rng.choice([-1, 1], 3), 1.0])
    affine[:3, 3] = rng.uniform(-50, 50, 3)
    if seed % 2:
        affine[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0] @ affine[:3, :3]
    return nib.Nifti1Image(z.astype(np.float32 if kind == "float32" else np.float64), affine)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("two_sided", [False, True])
@pytest.mark.parametrize("least, distance", [(0, 8.0), (5, 4.0), (3, 15.0)])
@pytest.mark.filterwarnings("ignore")
def test_tables_of_volumes_are_nilearns(kind, two_sided, least, distance):
    for seed in range(3):
        img = stat_map(10 * KINDS.index(kind) + seed, kind)
        theirs = peers_table(img, 0.9, least, two_sided, distance)
        ours = get_clusters_table(img, 0.9, least, two_sided, distance)
        pd.testing.assert_frame_equal(ours, theirs, rtol=1e-12)
        assert len(ours) > 1


@pytest.mark.parametrize("two_sided", [False, True])
@pytest.mark.parametrize("least", [0, 3, 8])
@pytest.mark.filterwarnings("ignore")
def test_tables_of_surfaces_are_nilearns(two_sided, least):
    rng = np.random.default_rng(least)
    values = {part: 2 * rng.normal(size=surfaces.N_VERTICES) for part in ("left", "right")}
    theirs = peers_table(surfaces.on_mesh(values, "nilearn"), 1.0, least, two_sided)
    ours = get_clusters_table(surfaces.on_mesh(values), 1.0, least, two_sided)
    negative = ours["Peak Stat"] < 0
    pd.testing.assert_frame_equal(ours[~negative], theirs[~negative], rtol=1e-12)
    # Of negative clusters nilearn gives the value nearest to 0.
    pd.testing.assert_frame_equal(ours.drop(columns="Peak Stat"), theirs.drop(columns="Peak Stat"))
    turned = {part: -v for part, v in values.items()}
    with_signs = get_clusters_table(surfaces.on_mesh(turned), 1.0, least)["Peak Stat"].to_numpy()
    assert_array_equal(ours.loc[negative, "Peak Stat"], -with_signs if two_sided else [])
    assert len(ours) > 1


def test_every_row_says_what_is_in_the_map():
    img = stat_map(4, "smooth")
    z = img.get_fdata()
    table, (above, below) = get_clusters_table(img, 1.0, 2, True, return_label_maps=True)
    for row in table.itertuples(index=False):
        voxel = tuple(np.rint(np.linalg.inv(img.affine) @ [row.X, row.Y, row.Z, 1])[:3].astype(int))
        assert z[voxel] == row[4]
        labels = (above if row[4] > 0 else below).get_fdata()
        number = int(str(row[0]).rstrip("abc"))
        assert labels[voxel] == number
        if row[5] != "":
            cluster = labels == number
            assert row[5] == int(cluster.sum() * abs(np.linalg.det(img.affine[:3, :3])))
            assert np.abs(z[cluster]).max() == abs(row[4])
    assert above.get_data_dtype() == np.int32


def test_a_negative_threshold_lists_what_is_below_it():
    img = stat_map(4, "smooth")
    turned = nib.Nifti1Image(-img.get_fdata(), img.affine)
    below, above = get_clusters_table(img, -1.0), get_clusters_table(turned, 1.0)
    assert_array_equal(below["Peak Stat"], -above["Peak Stat"])
    assert_array_equal(below.drop(columns="Peak Stat"), above.drop(columns="Peak Stat"))


def test_a_volume_that_is_all_above_is_one_cluster():
    table = get_clusters_table(
        nib.Nifti1Image(np.full((4, 5, 6), 7), np.diag([2.0, 2, 2, 1]), dtype=np.int64), 3.0
    )
    assert table.values.tolist() == [[1, 4.0, 4.0, 4.0, 7, 960]]


def test_the_peak_of_a_ring_is_on_it():
    z = np.zeros((9, 9, 9))
    z[2:7, 2:7, 4] = 4.0
    z[3:6, 3:6, 4] = 0.0
    table = get_clusters_table(nib.Nifti1Image(z, np.eye(4)), 3.0)
    x, y, z_mm = (int(v) for v in table.loc[0, ["X", "Y", "Z"]])
    assert z[x, y, z_mm] == 4.0
    assert table.loc[0, "Cluster Size (mm3)"] == 16


def test_values_that_equal_the_threshold_are_out_in_volumes_and_in_on_surfaces():
    z = np.zeros((5, 5, 5))
    z[2, 2, 2] = 3.0
    with pytest.warns(UserWarning, match="No cluster"):
        assert not len(get_clusters_table(nib.Nifti1Image(z, np.eye(4)), 3.0))
    values = {part: np.zeros(surfaces.N_VERTICES) for part in ("left", "right")}
    values["right"][7] = 3.0
    assert get_clusters_table(surfaces.on_mesh(values), 3.0).values.tolist() == [["1", "right", 3.0, 1]]


@pytest.mark.parametrize("two_sided", [False, True])
def test_no_cluster_is_an_empty_table_with_its_columns_and_a_warning(two_sided):
    img = nib.Nifti1Image(np.zeros((4, 4, 4)), np.eye(4))
    with pytest.warns(UserWarning, match="No cluster of stat_img passes stat_threshold=3.0"):
        table, maps = get_clusters_table(img, 3.0, two_sided=two_sided, return_label_maps=True)
    assert list(table.columns) == ["Cluster ID", "X", "Y", "Z", "Peak Stat", "Cluster Size (mm3)"]
    assert len(table) == 0
    assert len(maps) == 1 + two_sided
    assert not any(labels.get_fdata().any() for labels in maps)


def test_the_map_stays_what_it_was():
    img = stat_map(40, "NaN")
    before = img.get_fdata().copy()
    with pytest.warns(UserWarning, match="voxels are NaN"):
        get_clusters_table(img, 1.0, two_sided=True)
    assert_array_equal(np.asarray(img.dataobj), before)


@pytest.mark.parametrize(
    "options, error, words",
    [
        (dict(stat_threshold="99%"), TypeError, "stat_threshold must be a number"),
        (dict(stat_threshold=None), TypeError, "stat_threshold must be a number"),
        (dict(stat_threshold=-1, two_sided=True), ValueError, "stat_threshold must not be negative"),
        (dict(stat_threshold=np.nan), ValueError, "stat_threshold must be no NaN"),
        (dict(cluster_threshold=-1), ValueError, "cluster_threshold must be at least 0"),
        (dict(cluster_threshold=2.5), TypeError, "cluster_threshold must be a whole number"),
        (dict(min_distance=-1), ValueError, "min_distance must be finite and not negative"),
        (dict(two_sided="yes"), TypeError, "two_sided must be True or False"),
        (dict(return_label_maps=1), TypeError, "return_label_maps must be True or False"),
        (dict(stat_img=nib.Nifti1Image(np.ones((3, 3, 3, 2)), np.eye(4))), TypeError, "stat_img.* 4-D"),
        (dict(stat_img="nowhere.nii"), ValueError, "nowhere.nii"),
    ],
    ids=[str(i) for i in range(11)],
)
def test_bad_input_of_tables_is_named(options, error, words):
    with pytest.raises(error, match=words):
        get_clusters_table(
            **{"stat_img": nib.Nifti1Image(np.ones((3, 3, 3)), np.eye(4)), "stat_threshold": 2.0, **options}
        )


def test_a_threshold_that_nothing_reaches_gives_an_empty_table():
    rng = np.random.default_rng(0)
    image = nib.Nifti1Image(rng.normal(size=(6, 6, 6)), np.eye(4))
    for threshold in (50.0, np.inf):
        with pytest.warns(UserWarning, match="No cluster of stat_img passes"):
            table = get_clusters_table(image, threshold)
        assert len(table) == 0 and list(table.columns)[:4] == ["Cluster ID", "X", "Y", "Z"]
