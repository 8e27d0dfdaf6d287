"""Sources give what nibabel gives, block by block, and say what is wrong with a file."""

from __future__ import annotations

import gzip
import os
import threading
import warnings
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve.engine.source import open_source, read_all, read_sample
from brainsieve.exceptions import CorruptImageError, DimensionError

AFFINE = np.array([[-3.0, 0, 0, 10], [0, 3, 0, -5], [0, 0, 4, 2], [0, 0, 0, 1]])
SHAPE = (5, 4, 3, 7)


def values(shape=SHAPE, dtype=np.int16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 100, shape).astype(dtype)


def nifti(shape=SHAPE, dtype=np.int16) -> nib.Nifti1Image:
    img = nib.Nifti1Image(values(shape, dtype), AFFINE)
    img.header.set_zooms((*img.header.get_zooms()[:3], *((2.2,) if len(shape) == 4 else ())))
    img.header.set_xyzt_units("mm", "sec")
    return img


def saved(folder: Path, name: str, **kwargs) -> Path:
    nib.save(nifti(**kwargs), folder / name)
    return folder / name


def scaled_file(folder: Path) -> Path:
    img = nifti()
    img.header.set_slope_inter(0.5, -3)
    raw = folder / "scaled.nii"
    nib.save(nib.Nifti1Image(values() * 0.37 + 1, AFFINE, dtype=np.int16), raw)
    return raw


def big_endian_file(folder: Path) -> Path:
    header = nib.Nifti1Header(endianness=">")
    img = nib.Nifti1Image(values().astype(">i2"), AFFINE, header)
    nib.save(img, folder / "big.nii.gz")
    return folder / "big.nii.gz"


def mgh_file(folder: Path, name: str) -> Path:
    nib.save(nib.MGHImage(values(dtype=np.float32), AFFINE), folder / name)
    return folder / name


def pair_file(folder: Path) -> Path:
    nib.save(nib.Nifti1Pair(values(), AFFINE), folder / "pair.img")
    return folder / "pair.img"


def volumes(folder: Path) -> list[Path]:
    paths = []
    for i in range(SHAPE[3]):
        paths.append(folder / f"vol-{i}.nii")
        nib.save(nib.Nifti1Image(values()[..., i], AFFINE), paths[-1])
    return paths


# What is given to open_source, from a folder; nibabel's reading of it must be `values()` unless it is scaled.
KINDS = {
    "nii": lambda folder: saved(folder, "run.nii"),
    "nii as str": lambda folder: str(saved(folder, "run.nii")),
    "nii.gz": lambda folder: saved(folder, "run.nii.gz"),
    "scaled": scaled_file,
    "big endian": big_endian_file,
    "mgh": lambda folder: mgh_file(folder, "run.mgh"),
    "mgz": lambda folder: mgh_file(folder, "run.mgz"),
    "pair": pair_file,
    "in memory": lambda folder: nifti(),
    "in memory, C order": lambda folder: nib.Nifti1Image(np.ascontiguousarray(values()), AFFINE),
    "proxy": lambda folder: nib.load(saved(folder, "run.nii.gz")),
    "list": volumes,
    "tuple of images": lambda folder: tuple(nib.load(p) for p in volumes(folder)),
    "generator": lambda folder: (p for p in volumes(folder)),
    "glob": lambda folder: (volumes(folder), str(folder / "vol-*.nii"))[1],
}


def expected_of(given_) -> np.ndarray:
    if isinstance(given_, str | os.PathLike) and "scaled" in str(given_):
        return np.asarray(nib.load(given_).dataobj)
    return values()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("per_block", [None, 1, 3])
def test_blocks_are_what_nibabel_reads(kind, per_block, tmp_path):
    given_ = KINDS[kind](tmp_path)
    source = open_source(given_)
    expected = expected_of(given_).reshape(-1, SHAPE[3], order="F").T
    assert (source.n_samples, source.domain.n_points, source.is_single) == (7, 60, False)
    assert_allclose(source.domain.affine, AFFINE, atol=1e-5)
    seen = np.full((7, 60), np.nan)
    for block in source.blocks(per_block):
        assert block.values.dtype == source.dtype
        assert block.values.dtype.isnative
        seen[block.samples, block.points] = block.values * source.slope + source.inter
    assert_allclose(seen, expected, rtol=1e-6)
    assert_allclose(read_all(source), expected, rtol=1e-6)
    assert_allclose(read_sample(source, 4), expected[4], rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_samples_wanted_need_be_read(kind, tmp_path):
    source = open_source(KINDS[kind](tmp_path))
    wanted = np.array([0, 3, 4, 6])
    everything = read_all(source)
    seen = set()
    for block in source.blocks(samples=wanted):
        for sample, row in zip(range(block.samples.start, block.samples.stop), block.values, strict=True):
            seen.add(sample)
            assert_allclose(row * source.slope + source.inter, everything[sample])
    assert set(wanted) <= seen


@pytest.mark.parametrize("kind", KINDS)
def test_stopping_early_leaves_no_thread_behind(kind, tmp_path):
    source = open_source(KINDS[kind](tmp_path))
    before = threading.active_count()
    blocks = source.blocks(1)
    next(blocks)
    blocks.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("kind", ["nii", "nii.gz", "in memory", "list"])
def test_identity_tells_other_data(kind, tmp_path):
    first = open_source(KINDS[kind](tmp_path)).identity
    assert open_source(KINDS[kind](tmp_path)).domain.n_points == 60
    if kind in ("nii", "nii.gz"):
        os.utime(tmp_path / f"run.{kind}", ns=(5, 5))
        assert open_source(tmp_path / f"run.{kind}").identity != first
    else:
        other = nib.Nifti1Image(values() + 1, AFFINE)
        assert open_source(other).identity != first


DTYPES = [np.uint8, np.int8, np.uint16, np.int16, np.int32, np.uint32, np.int64, np.float32, np.float64]


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
def test_every_nifti_dtype_is_read(dtype, name, tmp_path):
    img = nib.Nifti1Image(values(dtype=dtype), AFFINE, dtype=dtype)
    nib.save(img, tmp_path / name)
    source = open_source(tmp_path / name)
    assert source.dtype == dtype
    assert_array_equal(read_all(source), values(dtype=dtype).reshape(-1, 7, order="F").T)


@pytest.mark.parametrize("dtype", [bool, np.float16, np.longdouble])
def test_unusual_dtypes_in_memory_are_read(dtype):
    class Img(nib.Nifti1Image):
        pass

    img = nib.Nifti1Image(values(), AFFINE)
    img._dataobj = values().astype(dtype)
    assert_allclose(read_all(open_source(img)), values().astype(dtype).reshape(-1, 7, order="F").T)


def test_complex_and_rgb_are_refused(tmp_path):
    nib.save(nib.Nifti1Image(values().astype(np.complex64), AFFINE), tmp_path / "c.nii")
    with pytest.raises(TypeError, match="c.nii holds complex values"):
        open_source(tmp_path / "c.nii")
    rgb = np.zeros((2, 2, 2), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(rgb, AFFINE), tmp_path / "rgb.nii")
    with pytest.raises(TypeError, match="RGB"):
        open_source(tmp_path / "rgb.nii")


def test_a_single_volume_and_a_single_voxel(tmp_path):
    single = open_source(saved(tmp_path, "one.nii", shape=(5, 4, 3)))
    assert (single.is_single, single.n_samples) == (True, 1)
    voxel = open_source(saved(tmp_path, "voxel.nii.gz", shape=(1, 1, 1, 9)))
    assert read_all(voxel).shape == (9, 1)


def test_the_repetition_time_is_the_headers(tmp_path):
    assert open_source(saved(tmp_path, "run.nii")).tr == pytest.approx(2.2)
    img = nifti()
    img.header.set_zooms((3, 3, 4, 2200))
    img.header.set_xyzt_units("mm", "msec")
    assert open_source(img).tr == pytest.approx(2.2)


# -- what is wrong with files ---------------------------------------------------------------------------


def test_missing_files_and_globs_say_so(tmp_path):
    with pytest.raises(ValueError, match="File not found: .*nothing.nii"):
        open_source(tmp_path / "nothing.nii")
    with pytest.raises(ValueError, match="No file matches"):
        open_source(str(tmp_path / "no-*.nii"))
    with pytest.raises(ValueError, match="folder"):
        open_source(tmp_path)


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz", "x.mgz"])
def test_empty_files_say_so(name, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(CorruptImageError, match=f"{name} is empty"):
        open_source(tmp_path / name)


@pytest.mark.parametrize(
    "thing, error, words",
    [
        (None, TypeError, "no image"),
        (3, TypeError, "no image"),
        (np.zeros((2, 2, 2)), TypeError, "needs an affine"),
        ([], ValueError, "empty"),
        ([[nib.Nifti1Image(np.zeros((2, 2, 2)), np.eye(4))]], TypeError, "itself a list"),
        ([nib.Nifti1Image(np.zeros((2, 2, 2, 3)), np.eye(4))], DimensionError, "Image 0 of the list"),
        (nib.Nifti1Image(np.zeros((2, 2, 2, 3, 2)), np.eye(4)), DimensionError, "5-D"),
    ],
)
def test_what_is_no_image_is_named(thing, error, words):
    with pytest.raises(error, match=words):
        open_source(thing)


def test_a_list_on_different_grids_names_the_image():
    images = [nib.Nifti1Image(np.zeros((2, 2, n)), np.eye(4)) for n in (2, 2, 3)]
    with pytest.raises(ValueError, match="image 2 .*2 × 2 × 3"):
        open_source(images)


def test_a_list_of_different_dtypes_gives_values_that_hold_both():
    images = [
        nib.Nifti1Image(np.full((2, 2, 2), v, dtype), np.eye(4))
        for v, dtype in ((1, np.int16), (1.5, np.float32))
    ]
    assert_array_equal(read_all(open_source(images)), [[1] * 8, [1.5] * 8])


def consume(path) -> None:
    for _ in open_source(path).blocks():
        pass


@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz"])
@given(share=st.floats(0.0, 0.999))
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_truncated_files_are_named(name, share, tmp_path):
    path = saved(tmp_path, name)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CorruptImageError, match=name):
        consume(path)


def _decoded(packed: bytes) -> bytes | None:
    try:
        return gzip.decompress(packed)
    except (OSError, EOFError, zlib.error):
        return None


@given(position=st.integers(0, 10**6), bit=st.integers(0, 7))
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_in_a_compressed_file_is_an_error(position, bit, tmp_path):
    path = saved(tmp_path, "run.nii.gz")
    data = bytearray(path.read_bytes())
    # Not the ten bytes of gzip's own header, some of which say nothing about the data.
    at = 10 + position % (len(data) - 10)
    whole = gzip.decompress(bytes(data))
    data[at] ^= 1 << bit
    path.write_bytes(bytes(data))
    if _decoded(bytes(data)) == whole:
        return  # codes that no byte uses, bits that fill up the last byte: nothing has changed
    with pytest.raises((CorruptImageError, ValueError, TypeError)):
        consume(path)


def test_data_behind_the_last_voxel_count_for_the_checksum(tmp_path):
    path = saved(tmp_path, "run.nii.gz")
    raw = gzip.decompress(path.read_bytes()) + b"behind" * 1000
    packed = bytearray(gzip.compress(raw))
    path.write_bytes(bytes(packed))
    consume(path)
    packed[-5] ^= 1
    path.write_bytes(bytes(packed))
    with pytest.raises(CorruptImageError, match="run.nii.gz"):
        consume(path)


def test_several_gzip_members_are_one_file(tmp_path):
    path = saved(tmp_path, "run.nii")
    raw = path.read_bytes()
    packed = tmp_path / "members.nii.gz"
    packed.write_bytes(b"".join(gzip.compress(raw[i : i + 200]) for i in range(0, len(raw), 200)))
    assert_array_equal(read_all(open_source(packed)), read_all(open_source(path)))


def test_the_standard_library_decodes_too(tmp_path, monkeypatch):
    from brainsieve.engine.source import streams

    monkeypatch.setattr(streams, "fast_gzip", streams.standard_gzip)
    path = saved(tmp_path, "run.nii.gz")
    assert_array_equal(read_all(open_source(path)), values().reshape(-1, 7, order="F").T)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(CorruptImageError, match="truncated"):
        consume(path)


def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path):
    path = saved(tmp_path, "run.nii")
    blocks = open_source(path).blocks(1)
    next(blocks)
    with open(path, "r+b") as file:
        file.truncate(500)
    with pytest.raises(CorruptImageError, match="run.nii"):
        list(blocks)


def header_with(tmp_path, change) -> Path:
    path = saved(tmp_path, "bad.nii")
    data = bytearray(path.read_bytes())
    header = np.frombuffer(data, dtype=nib.nifti1.header_dtype, count=1)
    changed = header.copy()
    change(changed)
    data[:348] = changed.tobytes()
    path.write_bytes(bytes(data))
    return path


def set_field(name, value, index=None):
    def change(header):
        if index is None:
            header[name] = value
        else:
            header[name][0, index] = value

    return change


HEADERS = {
    "more volumes than data": (set_field("dim", 30000, 4), CorruptImageError, "promises"),
    "absurd sizes": (
        lambda h: h["dim"].__setitem__((0, slice(1, 5)), 32767),
        CorruptImageError,
        "more than any scan",
    ),
    "negative size": (set_field("dim", -3, 2), (CorruptImageError, ValueError), "bad.nii"),
    "unknown dtype": (set_field("datatype", 999), CorruptImageError, "code 999"),
    "infinite slope": (set_field("scl_slope", np.inf), ValueError, "not finite"),
    "nan intercept": (
        lambda h: (set_field("scl_slope", 2.0)(h), set_field("scl_inter", np.nan)(h)),
        ValueError,
        "intercept",
    ),
    "singular affine": (
        lambda h: (set_field("sform_code", 1)(h), h["srow_x"].fill(0)),
        ValueError,
        "singular",
    ),
    "no NIfTI": (set_field("sizeof_hdr", 7), CorruptImageError, "no NIfTI"),
}


@pytest.mark.parametrize("what", HEADERS)
def test_bad_headers_are_named_before_anything_is_read(what, tmp_path):
    change, error, words = HEADERS[what]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(error, match=words):
            open_source(header_with(tmp_path, change))


def test_cifti_files_are_told_apart(tmp_path):
    path = saved(tmp_path, "x.dtseries.nii")
    with pytest.raises((TypeError, ValueError), match="CIFTI|cifti"):
        open_source(path)


# -- URLs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz"])
def test_urls_are_read_without_a_temporary_file(name, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    path = saved(tmp_path, name)
    memory = fsspec.filesystem("memory")
    memory.pipe(f"/{name}", path.read_bytes())
    assert_array_equal(read_all(open_source(f"memory://{name}")), read_all(open_source(path)))
    with pytest.raises(ValueError, match="File not found: memory://nothing.nii"):
        open_source("memory://nothing.nii")


def test_a_download_that_breaks_off_names_the_url_and_the_byte(tmp_path):
    pytest.importorskip("aiohttp")
    import http.server

    path = tmp_path / "run.nii.gz"
    rng = np.random.default_rng(0)
    nib.save(nib.Nifti1Image(rng.integers(0, 30000, (40, 40, 40, 30)).astype(np.int16), AFFINE), path)
    whole = path.read_bytes()
    assert len(whole) > 3 * 2**20

    class BreaksOff(http.server.BaseHTTPRequestHandler):
        broken = False

        def do_HEAD(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(whole)))
            self.send_header("Accept-Ranges", "bytes")
            self.end_headers()

        def do_GET(self):
            start, stop = 0, len(whole)
            if "Range" in self.headers:
                start, last = self.headers["Range"].removeprefix("bytes=").split("-")
                start, stop = int(start), min(int(last) + 1, len(whole))
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(whole)}")
            else:
                self.send_response(200)
            if self.broken and stop > 2**21:
                self.close_connection = True
                self.send_header("Content-Length", str(stop - start))
                self.end_headers()
                self.wfile.write(whole[start : start + 10])
                return
            self.send_header("Content-Length", str(stop - start))
            self.end_headers()
            self.wfile.write(whole[start:stop])

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), BreaksOff)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/run.nii.gz"
        assert_array_equal(read_all(open_source(url)), read_all(open_source(path)))
        BreaksOff.broken = True
        with pytest.raises(CorruptImageError, match=rf"{url} broke off at byte \d+"):
            consume(url)
    finally:
        server.shutdown()
        server.server_close()
