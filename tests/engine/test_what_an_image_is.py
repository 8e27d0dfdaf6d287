"""An image is its own data, whatever its name, its class, its axes and its place in a list."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from small_cifti import series

from brainsieve.engine.source import open_source, read_all
from brainsieve.engine.source.cifti import is_cifti, open_cifti
from brainsieve.engine.source.opening import read_array
from brainsieve.exceptions import CorruptImageError, DimensionError, MissingFileError

AFFINE = np.array([[-3.0, 0, 0, 10], [0, 3, 0, -5], [0, 0, 4, 2], [0, 0, 0, 1]])
SHAPE = (5, 4, 3, 7)
NIBABEL_DATA = Path(nib.__file__).parent / "tests" / "data"


def values(seed: int = 0, shape: tuple[int, ...] = SHAPE, dtype: type = np.int16) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 100, shape).astype(dtype)


def rows(array: np.ndarray) -> np.ndarray:
    """(x, y, z, t) as (samples, points)."""
    return array.reshape(-1, array.shape[3] if array.ndim > 3 else 1, order="F").T


CLASSES = {
    "nii": (nib.Nifti1Image, "a.nii", "b.nii"),
    "nii.gz": (nib.Nifti1Image, "a.nii.gz", "b.nii.gz"),
    "nii.bz2": (nib.Nifti1Image, "a.nii.bz2", "b.nii.bz2"),
    "nifti-2": (nib.Nifti2Image, "a.nii", "b.nii"),
    "pair": (nib.Nifti1Pair, "a.img", "b.img"),
    "packed pair": (nib.Nifti1Pair, "a.img.gz", "b.img.gz"),
    "analyze": (nib.AnalyzeImage, "a.img", "b.img"),
    "spm99": (nib.Spm99AnalyzeImage, "a.img", "b.img"),
    "spm2": (nib.Spm2AnalyzeImage, "a.img", "b.img"),
    "mgh": (nib.MGHImage, "a.mgh", "b.mgh"),
    "mgz": (nib.MGHImage, "a.mgz", "b.mgz"),
}


def made(kind: str, data: np.ndarray) -> nib.spatialimages.SpatialImage:
    return CLASSES[kind][0](data, AFFINE)


# -- its own data ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CLASSES)
def test_an_opened_image_that_was_saved_elsewhere_keeps_its_own_data(kind, tmp_path):
    _, first, other = CLASSES[kind]
    nib.save(made(kind, values()), tmp_path / first)
    img = type(made(kind, values())).from_filename(tmp_path / first)
    nib.save(img, tmp_path / other)
    nib.save(made(kind, values(1)), tmp_path / other)  # another step writes over it
    assert Path(img.get_filename()).name == other
    source = open_source(img)
    assert_array_equal(read_all(source), rows(values()))
    assert source.name == first
    assert_array_equal(read_array(img), values())


@pytest.mark.parametrize("kind", CLASSES)
def test_files_of_every_class_are_read_as_nibabel_reads_them(kind, tmp_path):
    _, name, _ = CLASSES[kind]
    nib.save(made(kind, values()), tmp_path / name)
    loaded = nib.load(tmp_path / name)
    source = open_source(tmp_path / name)
    assert_array_equal(read_all(source), rows(np.asarray(loaded.dataobj)))
    assert_allclose(source.domain.affine, loaded.affine, atol=1e-6)


def test_an_opened_image_is_refused_where_its_file_was_written_anew_with_another_scaling(tmp_path):
    path = tmp_path / "run.nii"
    nib.save(nib.Nifti1Image(values() * 0.37, AFFINE, dtype=np.int16), path)
    img = nib.load(path)
    nib.save(nib.Nifti1Image(values() * 0.9, AFFINE, dtype=np.int16), path)
    with pytest.raises(ValueError, match=r"run\.nii has changed since the image was opened"):
        open_source(img)
    nib.save(nib.Nifti1Image(values(shape=(2, 2, 2, 3)), AFFINE), path)
    with pytest.raises(ValueError, match="2 × 2 × 2 voxels"):
        open_source(img)


def test_an_image_whose_file_is_gone_names_it(tmp_path):
    nib.save(nib.Nifti1Image(values(), AFFINE), tmp_path / "run.nii")
    img = nib.load(tmp_path / "run.nii")
    os.unlink(tmp_path / "run.nii")
    with pytest.raises(MissingFileError, match=r"run\.nii"):
        open_source(img)


def test_affine_and_header_of_an_opened_image_are_those_in_memory(tmp_path):
    nib.save(nib.Nifti1Image(values(), AFFINE), tmp_path / "run.nii.gz")
    img = nib.load(tmp_path / "run.nii.gz")
    before = open_source(img).identity
    img.affine[0, 3] += 7
    img.header.set_zooms((3, 3, 4, 1.5))
    source = open_source(img)
    assert source.domain.affine[0, 3] == AFFINE[0, 3] + 7
    assert source.tr == 1.5
    assert source.identity != before
    assert_array_equal(read_all(source), rows(values()))


def test_looking_at_an_image_changes_nothing(tmp_path):
    nib.save(nib.Nifti1Image(values() * 0.37, AFFINE, dtype=np.int16), tmp_path / "run.nii")
    img = nib.load(tmp_path / "run.nii")
    expected = np.asarray(img.dataobj)
    img.get_fdata()
    assert_allclose(read_all(open_source(img)), rows(expected), rtol=1e-12)


def test_slices_and_reshaped_proxies_are_read(tmp_path):
    nib.save(nib.Nifti1Image(values(), AFFINE), tmp_path / "run.nii")
    img = nib.load(tmp_path / "run.nii")
    assert_array_equal(read_all(open_source(img.slicer[1:, :, :, 2:5])), rows(values()[1:, :, :, 2:5]))
    wide = nib.Nifti1Image(img.dataobj.reshape((5, 4, 21)), AFFINE)
    assert_array_equal(read_all(open_source(wide)), rows(values().reshape(5, 4, 21, order="F")))


def test_an_image_of_a_stream_is_read(tmp_path):
    img = nib.Nifti1Image.from_bytes(nib.Nifti1Image(values(), AFFINE).to_bytes())
    assert_array_equal(read_all(open_source(img)), rows(values()))


# -- any class ------------------------------------------------------------------------------------------


class Bare(nib.spatialimages.SpatialImage):
    """What has no more than an image must: nothing of files."""

    def __init__(self, data):
        self._own = data

    @property
    def dataobj(self):
        return self._own

    @property
    def affine(self):
        return AFFINE

    @property
    def shape(self):
        return np.shape(self._own)

    @property
    def header(self):
        return nib.Nifti1Header()


class Lazy:
    """An array of a class of its own, which can be cut."""

    def __init__(self, data):
        self._data, self.shape, self.dtype, self.ndim = data, data.shape, data.dtype, data.ndim

    def __getitem__(self, index):
        return self._data[index]

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("it is not read whole")


class Whole:
    """An array of a class of its own, which gives itself only."""

    def __init__(self, data):
        self._data, self.shape = data, data.shape

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self._data, dtype)


@pytest.mark.parametrize("kind", [np.asarray, Lazy, Whole, np.ndarray.tolist])
def test_an_image_without_files_and_with_any_array_is_an_image(kind):
    assert_array_equal(read_all(open_source(Bare(kind(values())))), rows(values()))


def test_the_peers_template_object_is_an_image():
    plotting = pytest.importorskip("nilearn.plotting.image.img_plotting")
    template = plotting.MNI152TEMPLATE
    assert_allclose(read_all(open_source(template)), rows(np.asarray(template.dataobj)), rtol=1e-6)


# -- lists ----------------------------------------------------------------------------------------------


def volumes(folder: Path) -> list[Path]:
    paths = [folder / f"vol-{i}.nii" for i in range(SHAPE[3])]
    for i, path in enumerate(paths):
        nib.save(nib.Nifti1Image(values()[..., i : i + 1], AFFINE), path)  # (x, y, z, 1)
    return paths


@pytest.mark.parametrize(
    "kind", [list, tuple, np.array, pd.Series, iter, lambda paths: np.array([str(p) for p in paths])]
)
def test_any_sequence_of_paths_is_a_list_of_images(kind, tmp_path):
    source = open_source(kind(volumes(tmp_path)))
    assert_array_equal(read_all(source), rows(values()))


def test_a_list_of_images_of_one_volume_each_is_a_run(tmp_path):
    images = [nib.Nifti1Image(values()[..., i : i + 1], AFFINE) for i in range(7)]
    assert_array_equal(read_all(open_source(images)), rows(values()))
    two = [nib.Nifti1Image(values()[..., :2], AFFINE)]
    with pytest.raises(DimensionError, match="Image 0"):
        open_source(two)


@pytest.mark.parametrize("thing", [{"a.nii"}, pd.DataFrame({"path": ["a.nii"]}), np.array([["a.nii"]])])
def test_what_has_no_order_is_no_list(thing):
    with pytest.raises(TypeError):
        open_source(thing)


def test_a_path_in_an_array_of_no_dimensions_is_a_path(tmp_path):
    assert open_source(np.array(str(volumes(tmp_path)[0]))).n_samples == 1


def test_images_whose_scalings_differ_are_put_together_as_values(tmp_path):
    paths, expected = [], []
    for i, (slope, inter) in enumerate([(0.5, 3), (0.5, -4), (0.25, 3)]):
        img = nib.Nifti1Image(values(i, SHAPE[:3]), AFFINE)
        nib.save(img, tmp_path / f"{i}.nii")
        raw = bytearray((tmp_path / f"{i}.nii").read_bytes())
        raw[112:120] = np.array([slope, inter], "<f4").tobytes()
        (tmp_path / f"{i}.nii").write_bytes(bytes(raw))
        paths.append(tmp_path / f"{i}.nii")
        expected.append(values(i, SHAPE[:3]).reshape(-1, order="F") * slope + inter)
    assert_allclose(read_all(open_source(paths)), expected)
    assert_allclose(read_all(open_source([nib.load(path) for path in paths])), expected)
    # Intercepts alone: the slopes of the first two are equal.
    assert_allclose(read_all(open_source(paths[:2])), expected[:2])


# -- axes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 4, 3, 7, 1), (5, 4, 3, 7, 1, 1), (5, 4, 3, 1, 1), (70, 60, 50, 12, 1)])
@pytest.mark.parametrize("way", ["memory", "nii", "nii.gz", "loaded"])
def test_trailing_axes_of_one_are_no_axes(shape, way, tmp_path):
    # The last is above the 16 MB of a block in memory.
    data = values(shape=shape)
    img = nib.Nifti1Image(data, AFFINE)
    given = img
    if way != "memory":
        path = tmp_path / ("run.nii.gz" if way == "nii.gz" else "run.nii")
        nib.save(img, path)
        given = nib.load(path) if way == "loaded" else path
    source = open_source(given)
    assert (source.n_samples, source.is_single) == (shape[3], False)
    assert_array_equal(read_all(source), rows(data.reshape(shape[:4])))
    wanted = np.unique([0, shape[3] - 1])
    seen = np.concatenate([b.values.copy() for b in source.blocks(1, samples=wanted)])
    assert_array_equal(seen[[0, -1]], rows(data.reshape(shape[:4]))[wanted[[0, -1]]])


def test_five_axes_are_refused():
    with pytest.raises(DimensionError, match="5-D"):
        open_source(nib.Nifti1Image(values(shape=(2, 2, 2, 2, 2)), AFFINE))


def nibabel_file(name: str) -> Path:
    if not (NIBABEL_DATA / name).exists():
        pytest.skip(f"this nibabel comes without its test file {name}")
    return NIBABEL_DATA / name


def test_minc_of_four_axes_is_time_z_y_x():
    path = nibabel_file("minc1_4d.mnc")
    img = nib.load(path)
    data = np.asarray(img.dataobj)  # (t, z, y, x), the affine is of (z, y, x)
    for given in (path, img):
        source = open_source(given)
        assert (source.n_samples, source.domain.shape) == (data.shape[0], data.shape[1:])
        assert_allclose(read_all(source), rows(np.moveaxis(data, 0, -1)))
        assert_allclose(source.domain.affine, img.affine)
        assert source.tr == 2.0


def test_minc_in_another_order_is_refused_by_name(monkeypatch):
    img = nib.load(nibabel_file("minc1_4d.mnc"))
    img.dataobj.minc_file._dim_names = ("zspace", "time", "yspace", "xspace")
    with pytest.raises(TypeError, match="MINC with the axes .*'time'"):
        open_source(img)


@pytest.mark.parametrize(
    "name, tr",
    [
        ("tiny.mnc", None),
        ("minc1_1_scale.mnc", None),
        ("example4d+orig.HEAD", 3.0),
        ("scaled+tlrc.HEAD", None),
        ("phantom_EPI_asc_CLEAR_2_1.PAR", 2.0),
        ("phantom_varscale.PAR", 2.0),
        ("test.mgz", None),
        ("example4d.nii.gz", None),  # 2000 with the unit of seconds
        ("functional.nii", 2.0),
        ("anatomical.nii", None),
        ("example_nifti2.nii.gz", None),
    ],
)
def test_other_formats_are_read_as_nibabel_reads_them(name, tr):
    path = nibabel_file(name)
    img = nib.load(path)
    for given in (path, img):
        source = open_source(given)
        assert_allclose(read_all(source), rows(np.asarray(img.dataobj)), rtol=1e-6)
        assert_allclose(source.domain.affine, img.affine)
        assert source.tr == tr


@pytest.mark.parametrize("name", ["row_major.dconn.nii", "simple.trk", "tinypet.v", "phantom_truncated.PAR"])
def test_what_is_no_volume_is_refused_by_name(name):
    with pytest.raises((TypeError, CorruptImageError), match=name):
        read_all(open_source(nibabel_file(name)))


def test_a_packed_afni_file_is_verified_to_its_end(tmp_path):
    for part in ("HEAD", "BRIK.gz"):
        shutil.copy(nibabel_file(f"example4d+orig.{part}"), tmp_path)
    packed = tmp_path / "example4d+orig.BRIK.gz"
    raw = bytearray(packed.read_bytes())
    raw[-6] ^= 1  # the checksum, which nibabel does not look at
    packed.write_bytes(bytes(raw))
    with pytest.raises(CorruptImageError, match="BRIK.gz"):
        open_source(tmp_path / "example4d+orig.HEAD")


# -- surfaces and CIFTI ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lh.thickness.mgz", "lh.thickness.mgh", "run.nii.gz"])
@pytest.mark.parametrize("shape", [(10242, 1, 1, 3), (10242, 1, 1)])
def test_an_overlay_of_a_surface_is_no_volume(name, shape, tmp_path):
    kind = nib.Nifti1Image if name.endswith("nii.gz") else nib.MGHImage
    img = kind(np.ones(shape, np.float32), AFFINE)
    nib.save(img, tmp_path / name)
    for given in (tmp_path / name, nib.load(tmp_path / name), img):
        with pytest.raises(TypeError, match="10242 vertices of a surface.*surface maskers"):
            open_source(given)


def test_a_line_of_voxels_is_a_volume(tmp_path):
    assert open_source(nib.Nifti1Image(np.ones((50, 1, 1, 3)), AFFINE)).domain.n_points == 50
    assert open_source(nib.MGHImage(np.ones((1, 1, 1, 3), np.float32), AFFINE)).domain.n_points == 1


def test_cifti_is_told_by_its_header_and_not_by_its_name(tmp_path):
    path = series(tmp_path)
    plain = tmp_path / "run.nii"
    shutil.copy(path, plain)
    assert is_cifti(plain) and is_cifti(str(plain)) and is_cifti(path) and is_cifti(nib.load(path))
    with pytest.raises(TypeError, match=r"run\.nii is a CIFTI file.*CIFTI maskers"):
        open_source(plain)
    assert_array_equal(read_all(open_cifti(plain)), read_all(open_cifti(path)))
    nib.save(nib.Nifti2Image(values(), AFFINE), tmp_path / "volume.nii")
    assert not is_cifti(tmp_path / "volume.nii")
    assert not is_cifti(tmp_path / "nothing.nii")
    nib.save(nib.Nifti1Image(values(), AFFINE), tmp_path / "x.dtseries.nii")
    with pytest.raises(TypeError, match="called like a CIFTI file, but holds a volume"):
        open_source(tmp_path / "x.dtseries.nii")
    with pytest.raises(TypeError, match="Nifti maskers"):
        nib.save(nib.Nifti1Image(values(), AFFINE), tmp_path / "v.nii.gz")
        open_cifti(tmp_path / "v.nii.gz")


def test_an_opened_cifti_image_that_was_saved_elsewhere_keeps_its_own_data(tmp_path):
    path = series(tmp_path)
    expected = np.asarray(nib.load(path).dataobj)
    img = nib.load(path)
    nib.save(img, tmp_path / "other.dtseries.nii")
    changed = nib.Cifti2Image(expected + 1, header=img.header)
    nib.save(changed, tmp_path / "other.dtseries.nii")
    assert_array_equal(read_all(open_cifti(img)), expected)
    assert open_cifti(img).name == path.name
    assert open_cifti(img).identity == open_cifti(img).identity != open_cifti(changed).identity


def test_axes_of_an_opened_cifti_image_are_those_in_memory(tmp_path):
    img = nib.load(series(tmp_path))
    step = img.header.matrix.get_index_map(0)
    assert open_cifti(img).tr == 0.8
    step.series_step = 1.25
    assert open_cifti(img).tr == 1.25
    nib.save(nib.Cifti2Image(np.asarray(img.dataobj)[:, ::-1] * 2, header=img.header), tmp_path / "x.nii")


def test_missing_files_are_file_not_found_everywhere(tmp_path):
    for open_it in (open_source, open_cifti):
        for kind in (FileNotFoundError, ValueError):
            with pytest.raises(kind, match="File not found"):
                open_it(tmp_path / "nothing.nii")
    nib.save(nib.Nifti1Image(values(), AFFINE), tmp_path / "bold.nii.gz")
    with pytest.raises(MissingFileError, match=r"'bold\.nii\.gz' is there"):
        open_source(tmp_path / "bold.nii")
    with pytest.raises(MissingFileError, match="No file matches"):
        open_source(str(tmp_path / "*.mgz"))


@pytest.mark.parametrize(
    "name", ["x.nii", "x.nii.gz", "x.dtseries.nii", "x.img", "x.mgz", "x+orig.HEAD", "x.PAR"]
)
def test_pipes_are_refused(name, tmp_path):
    os.mkfifo(tmp_path / name)
    for open_it in (open_source, open_cifti):
        with pytest.raises(ValueError, match="not a regular file"):
            open_it(tmp_path / name)


@pytest.mark.parametrize(
    "pipe, asked", [("x.hdr", "x.img"), ("x.img", "x.hdr"), ("x.mat", "x.img"), ("x.REC", "x.PAR")]
)
def test_a_pipe_beside_a_file_of_a_pair_is_refused(pipe, asked, tmp_path):
    nib.save(nib.Spm99AnalyzeImage(values(), AFFINE), tmp_path / "x.img")
    (tmp_path / "x.PAR").write_bytes(b"x")
    (tmp_path / pipe).unlink(missing_ok=True)
    os.mkfifo(tmp_path / pipe)
    with pytest.raises(ValueError, match="not a regular file"):
        open_source(tmp_path / asked)


def test_file_urls_are_files(tmp_path):
    nib.save(nib.Nifti1Image(values(), AFFINE), tmp_path / "a run.nii")
    url = (tmp_path / "a run.nii").as_uri()
    assert_array_equal(read_all(open_source(url)), rows(values()))
    assert open_source(url).is_local
