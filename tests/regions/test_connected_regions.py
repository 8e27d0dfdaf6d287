"""connected_regions and connected_label_regions, against SciPy written plainly and nilearn called."""

from __future__ import annotations

import maps as made
import nibabel as nib
import nilearn.regions as peer
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from brainsieve.engine.domain import VoxelGrid
from brainsieve.image import index_img
from brainsieve.regions import connected_label_regions, connected_regions
from brainsieve.regions.walker import around_peaks, peaks

# nilearn keeps maps in float32.
FLOAT32 = 2e-7


def thresholded(seed, one_sided=False):
    maps = made.smooth_noise(seed=seed)
    return np.where((maps if one_sided else np.abs(maps)) > 1, maps, 0)


@pytest.mark.parametrize("affine", [made.ISOTROPIC, made.FLIPPED, made.OBLIQUE], ids=["iso", "flip", "turn"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("extract_type", ["connected_components", "local_regions"])
@pytest.mark.parametrize("fwhm", [None, 6])
def test_regions_are_nilearn_s_voxel_by_voxel(affine, dtype, extract_type, fwhm):
    img = made.image(thresholded(1).astype(dtype), affine)
    options = {"min_region_size": 700, "extract_type": extract_type, "smoothing_fwhm": fwhm}
    expected, index = made.quiet(peer.connected_regions, img, **options)
    ours, ours_index = made.quiet(connected_regions, img, **options)
    assert ours_index == index
    assert len(index) > 4
    assert ours.get_data_dtype() == dtype
    assert_allclose(ours.affine, affine)
    assert_allclose(ours.get_fdata(), expected.get_fdata(), rtol=FLOAT32)


@pytest.mark.parametrize("extract_type", ["connected_components", "local_regions"])
def test_a_mask_on_another_grid_acts_as_in_nilearn(extract_type):
    maps = thresholded(2).astype(np.float32)
    mask = np.zeros((12, 13, 11), np.uint8)
    mask[2:-1, 1:8, 2:] = 1
    mask_img = made.image(mask, made.ISOTROPIC @ np.diag([2, 2, 2, 1]))
    options = {"min_region_size": 300, "extract_type": extract_type, "mask_img": mask_img}
    expected, index = made.quiet(peer.connected_regions, made.image(maps), **options)
    ours, ours_index = made.quiet(connected_regions, made.image(maps), **options)
    assert ours_index == index
    assert_allclose(ours.get_fdata(), expected.get_fdata(), rtol=FLOAT32)


def test_components_are_those_of_scipy_positive_and_negative_together():
    maps = np.zeros((9, 9, 9, 1))
    maps[1:4, 2, 2] = 1.0
    maps[4:6, 2, 2] = -2.0  # touches
    maps[6, 3, 3] = 5.0  # touches by an edge alone
    ours, index = connected_regions(made.image(maps), min_region_size=0, extract_type="connected_components")
    labels, n = ndimage.label(maps[..., 0] != 0)
    assert index == [0] * n == [0, 0]
    for i in range(n):
        assert_array_equal(ours.dataobj[..., i], np.where(labels == i + 1, maps[..., 0], 0))


def test_regions_must_be_larger_than_the_size_in_mm3():
    maps = np.zeros((12, 12, 12))
    maps[1:3, 1:3, 1:3] = 1  # 8 voxels of 24 mm³ are 192 mm³
    maps[6:9, 6:9, 6:7] = 1  # 9
    img = made.image(maps, made.FLIPPED)
    sizes = [len(connected_regions(img, least, "connected_components")[1]) for least in (191, 192, 215.9)]
    assert sizes == [2, 1, 1]
    with pytest.warns(UserWarning, match=r"larger than min_region_size=216 mm³.*has 216 mm³"):
        assert connected_regions(img, 216, "connected_components") == (None, None)


def test_the_walk_is_the_harmonic_solution_with_two_peaks_in_a_bar():
    # On a bar of equal values a walk reaches the nearer end first.
    volume = np.zeros((11, 3, 3))
    volume[:, 1, 1] = 1.0
    seeds = np.zeros(volume.shape, dtype=int)
    seeds[0, 1, 1], seeds[8, 1, 1] = 1, 2
    labels = around_peaks(volume, ndimage.label(volume)[0], seeds)
    assert labels[:, 1, 1].tolist() == [1, 1, 1, 1, labels[4, 1, 1], 2, 2, 2, 2, 2, 2]
    assert labels.astype(bool).sum() == 11


def test_the_walk_is_that_of_a_dense_solve():
    rng = np.random.default_rng(3)
    volume = ndimage.gaussian_filter(rng.normal(size=(7, 6, 8)), 1.0) + 0.5
    inside = np.ones(volume.shape, bool)
    seeds = np.zeros(volume.shape, dtype=int)
    seeds[0, 0, 0], seeds[6, 5, 7], seeds[6, 0, 0] = 1, 2, 3
    beta = 130 / (10 * volume.std())
    voxels = np.argwhere(inside)
    touch = np.abs(voxels[:, None] - voxels[None]).sum(axis=-1) == 1
    steps = volume.ravel()[:, None] - volume.ravel()[None]
    ties = np.where(touch, np.exp(-beta * steps**2) + 1e-10, 0)
    laplacian = np.diag(ties.sum(axis=1)) - ties
    flat = seeds.ravel()
    free = flat == 0
    ones = flat[~free][:, None] == [1, 2, 3]
    probability = np.linalg.solve(laplacian[np.ix_(free, free)], -laplacian[np.ix_(free, ~free)] @ ones)
    labels = around_peaks(volume, inside.astype(int), seeds).ravel()[free]
    best = np.sort(probability, axis=1)
    clear = best[:, -1] - best[:, -2] > 0.01
    assert clear.mean() > 0.9
    assert_array_equal(labels[clear], 1 + probability.argmax(axis=1)[clear])


def test_a_plateau_is_one_peak():
    plateau = np.zeros((40, 30, 28))
    plateau[3:30, 4:20, 5:22] = 0.7
    ours, index = connected_regions(made.image(plateau))
    assert index == [0]
    assert_array_equal(ours.dataobj[..., 0], plateau)


def cone(shape, top):
    distance = np.sqrt(((np.indices(shape) - np.reshape(top, (3, 1, 1, 1))) ** 2).sum(axis=0))
    return np.maximum(5 - distance, 0)


def two_balls(distance):
    shape = (26, 14, 14)
    near, far = made.ball(shape, (8, 7, 7), 4), made.ball(shape, (8 + distance, 7, 7), 4)
    bridge = np.zeros(shape, bool)
    bridge[8 : 8 + distance, 7, 7] = True
    volume = np.maximum(cone(shape, (8, 7, 7)), 0.9 * cone(shape, (8 + distance, 7, 7)))
    return np.where(near | far | bridge, np.maximum(volume, 0.1), 0)


def test_peaks_nearer_than_ten_voxels_are_split_where_a_distance_says_so():
    img = made.image(two_balls(9))
    assert len(connected_regions(img)[1]) == 1
    ours, index = connected_regions(img, peak_distance_mm=15)
    assert index == [0, 0]
    first, second = ours.get_fdata()[..., 0], ours.get_fdata()[..., 1]
    assert first[8, 7, 7] > 0 and second[17, 7, 7] > 0
    assert not (first * second).any()
    # In mm: twice the voxels of half the size are the same distance.
    fine = nib.Nifti1Image(
        np.kron(two_balls(9), np.ones((2, 2, 2))), made.ISOTROPIC @ np.diag([0.5, 0.5, 0.5, 1])
    )
    assert len(connected_regions(fine, peak_distance_mm=15)[1]) == 2


def test_pieces_without_a_peak_are_told_of_with_map_place_and_size():
    maps = np.zeros((30, 20, 20, 2))
    maps[made.ball(maps.shape[:3], (8, 10, 10), 4), 1] = 2.0
    weak = made.ball(maps.shape[:3], (16, 10, 10), 2)
    maps[weak, 1] = 0.5
    maps[16, 10, 10, 1] = 0.6
    with pytest.warns(UserWarning, match=r"map 1: 891 mm³ around \(48, 30, 30\) mm"):
        ours, index = connected_regions(made.image(maps), min_region_size=300)
    assert weak.sum() * 27 == 891
    assert index == [1]
    assert not np.asarray(ours.dataobj)[weak].any()


def test_a_peak_below_a_tenth_of_the_largest_is_none():
    maps = np.zeros((40, 12, 12))
    maps[made.ball(maps.shape, (6, 6, 6), 4)] = 1.0
    maps[made.ball(maps.shape, (33, 6, 6), 4)] = 0.09
    with pytest.warns(UserWarning, match="1 connected pieces"):
        assert connected_regions(made.image(maps))[1] == [0]
    maps[maps == 0.09] = 0.11
    assert connected_regions(made.image(maps))[1] == [0, 0]


def test_peaks_are_those_of_a_map_smoothed_in_mm_along_each_axis():
    grid = VoxelGrid((16, 15, 14), made.FLIPPED)
    volume = np.random.default_rng(0).random(grid.shape)
    for fwhm in [(9.0, 0.0, 0.0), (0.0, 7.0, 0.0), (0.0, 0.0, 8.0), (6.0, 5.0, 9.0)]:
        sigma = np.array(fwhm) / np.sqrt(8 * np.log(2)) / [3, 2, 4]
        smoothed = volume
        for axis in range(3):
            if sigma[axis]:
                smoothed = ndimage.gaussian_filter1d(smoothed, sigma[axis], axis=axis)
        window = ndimage.maximum_filter(smoothed, (5, 7, 3), mode="constant")
        expected = ndimage.label((smoothed == window) & (smoothed > 0.1 * smoothed.max()))[0]
        assert_array_equal(peaks(volume, grid, fwhm, distance_mm=7), expected)


def test_a_size_equal_to_the_smallest_is_dropped_on_any_grid():
    volume = np.zeros((6, 6, 6))
    volume[1:3, 1:3, 1:3] = 1
    for step in (0.7, 1.1, 2.3, 3.3, 2.7):
        for affine in (np.diag([step, step, step, 1]), made.OBLIQUE @ np.diag([step / 3] * 3 + [1])):
            img = made.image(volume, affine)
            assert made.quiet(connected_regions, img, 8 * step**3, "connected_components") == (None, None)
            assert connected_regions(img, 7.99 * step**3, "connected_components")[1] == [0]
            labels = made.image(volume.astype(np.int16), affine)
            assert not np.asarray(made.quiet(connected_label_regions, labels, 8 * step**3).dataobj).any()


def test_negative_regions_are_told_of_and_kept_by_components():
    maps = np.zeros((20, 20, 20))
    maps[made.ball(maps.shape, (10, 10, 10), 4)] = -1.0
    with pytest.warns(UserWarning, match="No image") as said:
        assert connected_regions(made.image(maps)) == (None, None)
    assert [("hold no peak" in str(w.message), "No image" in str(w.message)) for w in said] == [
        (True, False),
        (False, True),
    ]
    ours, _ = connected_regions(made.image(maps), extract_type="connected_components")
    assert_array_equal(ours.dataobj[..., 0], maps)


def test_what_is_not_finite_counts_as_0_and_is_told_of():
    maps = thresholded(4)
    holes = maps.copy()
    holes[3:6, 4, 5, 0], holes[0, 0, 0, 1] = np.nan, np.inf
    with pytest.warns(UserWarning, match=r"4 values that are NaN or infinite"):
        ours, index = connected_regions(made.image(holes), 300, "connected_components")
    filled = np.where(np.isfinite(holes), holes, 0)
    expected, expected_index = connected_regions(made.image(filled), 300, "connected_components")
    assert index == expected_index
    assert_array_equal(ours.dataobj, expected.dataobj)
    assert np.isnan(holes[3, 4, 5, 0])


def test_scaled_integers_are_maps_of_their_values(tmp_path):
    maps = thresholded(5).astype(np.float32)
    img = nib.Nifti1Image(maps, made.ISOTROPIC)
    img.header.set_data_dtype(np.int16)
    nib.save(img, tmp_path / "maps.nii.gz")
    stored = nib.load(tmp_path / "maps.nii.gz").get_fdata()
    expected = made.quiet(connected_regions, made.image(stored), 500, "connected_components")
    for given in (tmp_path / "maps.nii.gz", str(tmp_path / "maps.nii.gz")):
        ours = made.quiet(connected_regions, given, 500, "connected_components")
        assert ours[1] == expected[1]
        assert_allclose(ours[0].dataobj, expected[0].dataobj, atol=1e-12)


def test_reading_one_region_makes_one_volume():
    ours, index = made.quiet(connected_regions, made.image(thresholded(6)), 300)
    whole = np.asarray(ours.dataobj)
    assert whole.shape[-1] == len(index) > 3
    assert_array_equal(ours.dataobj[..., 2], whole[..., 2])
    assert_array_equal(ours.dataobj[..., -1], whole[..., -1])
    assert_array_equal(ours.dataobj[3:9, :, 4, 1:3], whole[3:9, :, 4, 1:3])
    assert_array_equal(ours.slicer[..., 1:2].get_fdata(), whole[..., 1:2])
    assert_array_equal(index_img(ours, 1).get_fdata(), whole[..., 1])
    assert not ours.in_memory


def test_an_image_of_regions_is_saved_and_read_back(tmp_path):
    ours, _ = made.quiet(connected_regions, made.image(thresholded(6), made.FLIPPED), 300)
    nib.save(ours, tmp_path / "regions.nii.gz")
    again = nib.load(tmp_path / "regions.nii.gz")
    assert_array_equal(again.get_fdata(), ours.get_fdata())
    assert_allclose(again.affine, made.FLIPPED)


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"extract_type": "local"}, ValueError, "extract_type must be one of.*'local_regions'"),
        ({"min_region_size": "big"}, TypeError, "min_region_size"),
        ({"min_region_size": -1}, ValueError, "min_region_size"),
        ({"min_region_size": np.nan}, ValueError, "min_region_size"),
        ({"smoothing_fwhm": -2}, ValueError, "smoothing_fwhm"),
        ({"smoothing_fwhm": "slow"}, ValueError, "smoothing_fwhm"),
        ({"peak_distance_mm": 0}, ValueError, "peak_distance_mm"),
        ({"peak_distance_mm": "3"}, TypeError, "peak_distance_mm"),
        ({"mask_img": made.image(np.zeros((5, 5, 5), np.uint8))}, ValueError, "mask_img.*empty"),
        (
            {"mask_img": made.image(np.ones((5, 5, 5), np.uint8), made.FAR)},
            ValueError,
            "do not overlap",
        ),
    ],
    ids=[
        "type",
        "size-str",
        "size-neg",
        "size-nan",
        "fwhm-neg",
        "fwhm-str",
        "peak-0",
        "peak-str",
        "empty",
        "off",
    ],
)
def test_bad_parameters_are_named(options, error, words):
    with pytest.raises(error, match=words):
        connected_regions(made.image(thresholded(0)), **options)


def test_labels_are_refused_as_maps_and_their_function_is_named():
    labels = np.zeros((6, 6, 6), np.int16)
    labels[:2], labels[4:] = 3, 8
    with pytest.raises(ValueError, match="connected_label_regions"):
        connected_regions(made.image(labels))
    with pytest.raises(TypeError, match="maps_img"):
        connected_regions(5)
    binary = (labels > 0).astype(np.uint8)
    assert connected_regions(made.image(binary), 0, "connected_components")[1] == [0, 0]


# -- labels ------------------------------------------------------------------------------------------------


def labels_volume():
    labels = np.zeros((12, 12, 12), np.int32)
    labels[1:3, 1:3, 1:3] = 1
    labels[6:8, 6:8, 6:8] = 1
    labels[4, 4, 4] = labels[5, 5, 5] = 2
    labels[9:, 9:, 9:] = 5
    return labels


@pytest.mark.parametrize("connect_diag", [True, False])
@pytest.mark.parametrize("min_size", [None, 27, 54, 216])
@pytest.mark.parametrize("affine", [made.ISOTROPIC, made.FLIPPED], ids=["iso", "flip"])
def test_pieces_of_labels_are_nilearn_s_names_too(connect_diag, min_size, affine):
    img = made.image(labels_volume(), affine)
    options = {"connect_diag": connect_diag, "min_size": min_size, "labels": ["a", "b", "c"]}
    expected, names = peer.connected_label_regions(img, **options)
    ours, ours_names = made.quiet(connected_label_regions, img, **options)
    assert ours_names == names
    assert ours.get_data_dtype() == np.int32
    assert_array_equal(ours.get_fdata(), expected.get_fdata())
    alone = made.quiet(connected_label_regions, img, **{**options, "labels": None})
    assert_array_equal(alone.get_fdata(), expected.get_fdata())


def test_pieces_of_random_labels_are_those_of_scipy():
    rng = np.random.default_rng(0)
    labels = ndimage.median_filter(rng.integers(0, 5, (16, 17, 18)), 3) * 2.5
    ours = np.asarray(connected_label_regions(made.image(labels), connect_diag=False).dataobj)
    expected, n_before = np.zeros(labels.shape, int), 0
    for label in np.unique(labels)[1:]:
        pieces, n = ndimage.label(labels == label)
        expected[pieces > 0] = pieces[pieces > 0] + n_before
        n_before += n
    assert n_before > 20
    assert_array_equal(ours, expected)


def test_a_label_of_which_nothing_is_left_is_told_of_by_name():
    img = made.image(labels_volume())
    with pytest.warns(UserWarning, match=r"min_size=60 mm³ leaves nothing of 1 labels: 'small'"):
        _, names = connected_label_regions(img, min_size=60, labels=["two", "small", "one"])
    assert names == ["two", "two", "one"]


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"connect_diag": 1}, ValueError, "connect_diag must be True or False"),
        ({"min_size": "x"}, ValueError, "min_size"),
        ({"min_size": -3}, ValueError, "min_size"),
        ({"labels": ["a", "b"]}, ValueError, "labels has 2 names, labels_img 3 labels.*'1', '2', '5'"),
        ({"labels": "a"}, ValueError, "labels has 1 names"),
    ],
)
def test_bad_parameters_of_labels_are_named(options, error, words):
    with pytest.raises(error, match=words):
        connected_label_regions(made.image(labels_volume()), **options)


def test_bad_images_of_labels_are_named():
    with pytest.raises(ValueError, match="negative labels.*'-4'"):
        connected_label_regions(made.image(labels_volume() - 4))
    with pytest.raises(TypeError, match="labels_img"):
        connected_label_regions(made.image(np.zeros((3, 3, 3, 2))))
    with_nan = labels_volume().astype(float)
    with_nan[10, 10, 10] = np.nan
    with pytest.warns(UserWarning, match="1 voxels that are NaN"):
        ours = connected_label_regions(made.image(with_nan))
    assert ours.dataobj[10, 10, 10] == 0
    assert np.asarray(ours.dataobj).max() == 4
