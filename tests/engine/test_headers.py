"""Headers are read by NIfTI's rules and nibabel's repairs, or refused by the name of the field."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve.engine.source import open_source, read_all
from brainsieve.engine.source.timing import PLAUSIBLE_TR, believed, timing_of
from brainsieve.exceptions import CorruptImageError, DimensionError

AFFINE = np.array([[-3.0, 0, 0, 10], [0, 3, 0, -5], [0, 0, 4, 2], [0, 0, 0, 1]])
SHAPE = (5, 4, 3, 7)


def values(dtype: Any = np.int16) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 100, SHAPE).astype(dtype)


def written(
    folder: Path,
    change: Callable[[Any], None] = lambda header: None,
    name: str = "run.nii",
    kind: Any = nib.Nifti1Image,
    data: np.ndarray | None = None,
) -> Path:
    """A file whose header a function has changed, byte for byte."""
    plain = folder / "made.nii"
    nib.save(kind(values() if data is None else data, AFFINE), plain)
    raw = bytearray(plain.read_bytes())
    dtype = kind.header_class.template_dtype
    header = np.frombuffer(raw, dtype=dtype, count=1).copy()
    change(header[0])
    raw[: dtype.itemsize] = header.tobytes()
    path = folder / name
    if name.endswith(".gz"):
        import gzip

        path.write_bytes(gzip.compress(bytes(raw)))
    else:
        path.write_bytes(bytes(raw))
    return path


def qform_only(header: Any, qfac: float = 1, pixdim: float = 3) -> None:
    header["sform_code"], header["qform_code"] = 0, 1
    header["pixdim"][0], header["pixdim"][1] = qfac, pixdim


AS_NIBABEL = {
    "qfac 0": lambda h: qform_only(h, 0),
    "qfac -1": lambda h: qform_only(h, -1),
    "qfac 3": lambda h: qform_only(h, 3),
    "qfac nan": lambda h: qform_only(h, np.nan),
    "negative pixdim": lambda h: qform_only(h, 1, -3),
    "negative pixdim, no code": lambda h: (qform_only(h, 1, -3), h.__setitem__("qform_code", 0)),
    "pixdim 0": lambda h: qform_only(h, 1, 0),
    "negative pixdim beside an sform": lambda h: h["pixdim"].__setitem__(2, -3),
    "no code": lambda h: (qform_only(h), h.__setitem__("qform_code", 0)),
    "unknown codes": lambda h: (h.__setitem__("sform_code", 77), h.__setitem__("qform_code", -5)),
    "qform before an unknown sform": lambda h: (qform_only(h), h.__setitem__("sform_code", 9)),
    "slope 0": lambda h: (h.__setitem__("scl_slope", 0), h.__setitem__("scl_inter", 5)),
    "slope nan": lambda h: (h.__setitem__("scl_slope", np.nan), h.__setitem__("scl_inter", np.nan)),
    "slope and intercept": lambda h: (h.__setitem__("scl_slope", -0.5), h.__setitem__("scl_inter", 7)),
    "wrong bitpix": lambda h: h.__setitem__("bitpix", 7),
    "pair magic": lambda h: h.__setitem__("magic", b"ni1"),
    "srow nan beside a qform": lambda h: (qform_only(h), h["srow_x"].fill(np.nan)),
}


@pytest.mark.parametrize("what", AS_NIBABEL)
@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz"])
@pytest.mark.filterwarnings("ignore")
def test_headers_are_read_as_nibabel_reads_them(what, name, tmp_path):
    path = written(tmp_path, AS_NIBABEL[what], name)
    img = nib.load(path)
    for given in (path, img):
        source = open_source(given)
        assert_allclose(source.domain.affine, img.affine, atol=1e-5)
        assert_allclose(read_all(source), np.asarray(img.dataobj).reshape(-1, 7, order="F").T)


def test_what_itk_wrote_has_a_rotation_and_no_sform(tmp_path):
    turn = nib.eulerangles.euler2mat(0.3, -0.2, 1.1)
    affine = nib.affines.from_matvec(turn @ np.diag([2, 3, 4.0]), [5, 6, 7])
    img = nib.Nifti1Image(values(), None)
    img.header.set_qform(affine, code=1)
    img.header.set_sform(None, code=0)
    nib.save(nib.Nifti1Image(values(), None, img.header), tmp_path / "itk.nii")
    raw = bytearray((tmp_path / "itk.nii").read_bytes())
    raw[76:80] = np.float32(0).tobytes()  # qfac
    (tmp_path / "itk.nii").write_bytes(bytes(raw))
    assert_allclose(open_source(tmp_path / "itk.nii").domain.affine, affine, atol=1e-5)
    assert_allclose(open_source(nib.load(tmp_path / "itk.nii")).domain.affine, affine, atol=1e-5)


def test_a_quaternion_that_is_a_little_too_long_is_shortened(tmp_path):
    def change(header):
        qform_only(header)
        header["quatern_b"], header["quatern_c"], header["quatern_d"] = 0, 1.0005, 0

    turned = open_source(written(tmp_path, change)).domain.affine
    assert_allclose(turned[:3, :3], np.diag([-3, 3, -4]), atol=1e-5)


SINGLE = [(nib.Nifti1Image, 352), (nib.Nifti2Image, 544)]


@pytest.mark.parametrize("kind, least", SINGLE)
def test_data_begin_behind_the_header_where_it_says_nothing(kind, least, tmp_path):
    path = written(tmp_path, lambda h: h.__setitem__("vox_offset", 0), kind=kind)
    assert_array_equal(read_all(open_source(path)), values().reshape(-1, 7, order="F").T)
    # nibabel takes the header for voxels here.
    assert_array_equal(read_all(open_source(nib.load(path))), values().reshape(-1, 7, order="F").T)


@pytest.mark.parametrize("offset", [8, 348, 351, -16])
@pytest.mark.parametrize("kind, least", SINGLE)
def test_bytes_of_the_header_are_no_voxels(offset, kind, least, tmp_path):
    path = written(tmp_path, lambda h: h.__setitem__("vox_offset", offset), kind=kind)
    with pytest.raises(CorruptImageError, match=rf"run\.nii: vox_offset .*{offset}.*{least} or later"):
        open_source(path)


def test_an_extension_moves_the_data(tmp_path):
    img = nib.Nifti1Image(values(), AFFINE)
    img.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * 1000))
    nib.save(img, tmp_path / "run.nii.gz")
    assert open_source(tmp_path / "run.nii.gz").layout.offset > 1000
    assert_array_equal(read_all(open_source(tmp_path / "run.nii.gz")), values().reshape(-1, 7, order="F").T)


def put(field: str, value: Any, index: int | None = None) -> Callable[[Any], None]:
    def change(header: Any) -> None:
        if index is None:
            header[field] = value
        else:
            header[field][index] = value

    return change


def after(first: Callable[[Any], None], then: Callable[[Any], None]) -> Callable[[Any], None]:
    return lambda header: (first(header), then(header))[1]


BAD = {
    "magic": (put("magic", b"n+9"), CorruptImageError, "magic b'n\\+9'"),
    "magic of a pair, offset 0": (
        after(put("magic", b"ni1"), put("vox_offset", 0)),
        CorruptImageError,
        "ni1",
    ),
    "vox_offset nan": (put("vox_offset", np.nan), CorruptImageError, "vox_offset"),
    "vox_offset inf": (put("vox_offset", np.inf), CorruptImageError, "vox_offset"),
    "vox_offset 1e30": (put("vox_offset", 1e30), CorruptImageError, "promises"),
    "srow_y inf": (put("srow_y", np.inf, 1), CorruptImageError, "srow_y .*not finite"),
    "quatern_c nan": (after(qform_only, put("quatern_c", np.nan)), CorruptImageError, "quatern_c"),
    "qoffset_z inf": (after(qform_only, put("qoffset_z", np.inf)), CorruptImageError, "qoffset_z"),
    "pixdim nan": (after(qform_only, put("pixdim", np.nan, 2)), CorruptImageError, "pixdim"),
    "long quaternion": (after(qform_only, put("quatern_b", 3)), CorruptImageError, "quatern_b"),
    "slope inf": (put("scl_slope", np.inf), ValueError, "scl_slope"),
    "intercept nan": (after(put("scl_slope", 2), put("scl_inter", np.nan)), ValueError, "scl_inter"),
    "dim[0] 0": (put("dim", 0, 0), CorruptImageError, r"dim\[0\]"),
    "dim[0] 9": (put("dim", 9, 0), CorruptImageError, r"dim\[0\]"),
    "dim[0] 2": (put("dim", 2, 0), DimensionError, "2-D"),
    "size 0": (put("dim", 0, 3), CorruptImageError, "shape"),
    "data type 0": (put("datatype", 0), CorruptImageError, "code 0"),
    # 128 bits of IEEE are no 80 bits of Intel; nibabel reads them where NumPy has them.
    "data type of 128 bits": (put("datatype", 1536), (CorruptImageError, TypeError), "run"),
    "data type 1": (put("datatype", 1), CorruptImageError, "code 1"),
    "more than a file can hold": (put("dim", 32767, 4), CorruptImageError, "promises"),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz"])
@pytest.mark.filterwarnings("ignore")
def test_what_means_nothing_is_refused_by_the_name_of_file_and_field(what, name, tmp_path):
    change, error, words = BAD[what]
    with pytest.raises(error, match=words) as caught:
        open_source(written(tmp_path, change, name))
    assert name in str(caught.value)


# -- sizes ----------------------------------------------------------------------------------------------


def test_a_hundred_gigabytes_are_not_believed_of_a_small_file(tmp_path):
    def large(header):
        header["dim"][:5] = (4, 2000, 2000, 2000, 12)

    def long(header):
        header["dim"][:5] = (4, 1, 1, 1, 2**26)

    for name in ("run.nii", "run.nii.gz"):
        for change in (large, long):
            with pytest.raises(CorruptImageError, match=f"{name} .*promises"):
                open_source(written(tmp_path, change, name, nib.Nifti2Image))


@pytest.mark.parametrize("name", ["x.mgh", "x.mgz"])
def test_sizes_of_mgh_are_not_believed_beyond_the_file(name, tmp_path):
    import gzip

    nib.save(nib.MGHImage(values(np.float32), AFFINE), tmp_path / "made.mgh")
    raw = bytearray((tmp_path / "made.mgh").read_bytes())
    raw[4:20] = np.array([2000, 2000, 2000, 12], ">i4").tobytes()
    (tmp_path / name).write_bytes(gzip.compress(bytes(raw)) if name.endswith("z") else bytes(raw))
    with pytest.raises(CorruptImageError, match=name):
        open_source(tmp_path / name)


# -- data types -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    "dtype",
    ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"],
)
@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz", "run.img"])
@pytest.mark.parametrize("scaling", [None, (0.5, -3.0)])
def test_every_type_and_byte_order_is_read(order, dtype, name, scaling, tmp_path):
    stored = values(np.dtype(dtype))
    kind = nib.Nifti1Pair if name.endswith(".img") else nib.Nifti1Image
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.dtype(dtype).newbyteorder(order))
    img = kind(stored, AFFINE, header)
    img.header.set_data_dtype(np.dtype(dtype).newbyteorder(order))
    if scaling is not None:
        img.header.set_slope_inter(*scaling)
    nib.save(img, tmp_path / name)
    loaded = nib.load(tmp_path / name)
    for given in (tmp_path / name, loaded):
        source = open_source(given)
        assert source.dtype.isnative
        assert_allclose(
            read_all(source), np.asarray(loaded.dataobj, np.float64).reshape(-1, 7, order="F").T, rtol=1e-7
        )


@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz", "run.img"])
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128, [("R", "u1"), ("G", "u1"), ("B", "u1")]])
def test_what_is_no_real_number_is_refused(name, dtype, tmp_path):
    kind = nib.Nifti1Pair if name.endswith(".img") else nib.Nifti1Image
    img = kind(np.zeros((2, 2, 2), dtype), AFFINE)
    nib.save(img, tmp_path / name)
    for given in (tmp_path / name, nib.load(tmp_path / name), img):
        with pytest.raises(TypeError, match="real numbers"):
            open_source(given)


# -- time -----------------------------------------------------------------------------------------------

UNITS = {8: 1.0, 16: 1e-3, 24: 1e-6, 0: 1.0, 56: 1.0}
NO_TIME = (32, 40, 48)


@pytest.mark.parametrize("code, seconds", UNITS.items())
@pytest.mark.parametrize("tr", [0.05, 0.72, 2.2, 30.0])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_the_unit_of_time_is_honoured(code, seconds, tr, kind, tmp_path):
    def change(header):
        header["xyzt_units"] = code | 2
        header["pixdim"][4] = tr / seconds

    path = written(tmp_path, change, kind=kind)
    assert open_source(path).tr == pytest.approx(tr, rel=1e-6)
    assert open_source(nib.load(path)).tr == pytest.approx(tr, rel=1e-6)
    if code in (0, 8) and kind is nib.Nifti1Image:
        assert open_source(path).tr == tr  # as it was written, not as single precision holds it


@pytest.mark.parametrize("code", NO_TIME)
def test_a_fourth_axis_that_is_no_time_has_no_repetition_time(code, tmp_path):
    source = open_source(written(tmp_path, after(put("xyzt_units", code | 2), put("pixdim", 2.0, 4))))
    assert source.tr is None
    assert "not in time" in source.tr_doubt


@pytest.mark.parametrize(
    "step, code, words",
    [
        (2000, 8, "2000 s .*milliseconds"),
        (2000, 0, "2000 s .*no unit.*milliseconds"),
        (2.2, 16, "0.0022 s"),
        (0.04, 8, "0.04 s"),
        (31, 8, "31 s"),
        (-2, 8, "-2 s"),
        (np.nan, 8, "nan s"),
        (np.inf, 8, "inf s"),
    ],
)
def test_a_time_that_no_scanner_has_is_not_used_and_said(step, code, words, tmp_path):
    import re

    source = open_source(written(tmp_path, after(put("xyzt_units", code | 2), put("pixdim", step, 4))))
    assert source.tr is None
    assert re.search(words, source.tr_doubt)
    pieces = open_source([written(tmp_path, data=values()[..., 0]), written(tmp_path, data=values()[..., 0])])
    assert (pieces.tr, pieces.tr_doubt) == (None, "")


def test_no_time_is_no_doubt(tmp_path):
    source = open_source(written(tmp_path, put("pixdim", 0, 4)))
    assert (source.tr, source.tr_doubt) == (None, "")


def test_mgh_has_milliseconds(tmp_path):
    for tr, expected in ((2200, 2.2), (0, None), (2.2, None)):
        img = nib.MGHImage(values(np.float32), AFFINE)
        img.header.set_zooms((3, 3, 4, tr))
        nib.save(img, tmp_path / "x.mgz")
        assert open_source(tmp_path / "x.mgz").tr == expected


@pytest.mark.parametrize("code, expected", [(77001, None), (77002, 3.0), (77003, None)])
def test_afni_has_codes_of_its_own(code, expected):
    class Header(nib.brikhead.AFNIHeader):
        def __init__(self, step):
            self.info = {"TAXIS_NUMS": [3, 25, code], "DELTA": [3, 3, 3], "TAXIS_FLOATS": [0, step]}

        def get_zooms(self):
            return (3.0, 3.0, 3.0, self.info["TAXIS_FLOATS"][1])

    assert timing_of(Header(3.0)).tr == expected
    assert timing_of(Header(3000.0)).tr == (3.0 if code == 77001 else None)


def test_the_ends_of_what_is_plausible_are_in():
    least, most = PLAUSIBLE_TR
    assert believed(least, "sec").tr == least
    assert believed(most, "sec").tr == most
    for step, unit in itertools.product((np.nextafter(least, 0), np.nextafter(most, 99)), ("sec", "unknown")):
        assert believed(step, unit).tr is None
        assert believed(step, unit).doubt


def test_the_one_that_programs_leave_in_a_header_is_no_time(tmp_path):
    path = written(tmp_path, after(put("xyzt_units", 0), put("pixdim", 1, 4)))
    assert (open_source(path).tr, open_source(path).tr_doubt) == (None, "")
    assert open_source(written(tmp_path, after(put("xyzt_units", 8), put("pixdim", 1, 4)))).tr == 1.0


def test_time_is_the_first_axis_of_minc():
    assert timing_of(nib.minc1.MincHeader(np.float64, (9, 4, 4, 4), (1.5, 2, 3, 4))).tr == 1.5
