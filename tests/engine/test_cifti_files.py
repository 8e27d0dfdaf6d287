"""Headers of CIFTI files: units, exponents and sizes, against what nibabel's axes say."""

from __future__ import annotations

import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import small_cifti
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve.engine.source import read_all
from brainsieve.engine.source.cifti import open_cifti
from brainsieve.exceptions import CorruptImageError


def rewritten(path: Path, *changes: tuple[str, str]) -> Path:
    """The file with another XML; the extension that holds it and the offset of the matrix grow with it."""
    raw = path.read_bytes()
    start, end = raw.index(b"<CIFTI"), raw.index(b"</CIFTI>") + len(b"</CIFTI>")
    xml = raw[start:end].decode()
    for pattern, text in changes:
        xml, n = re.subn(pattern, text, xml)
        assert n, f"{pattern} is not in the header"
    size = -(-(len(xml) + 8) // 16) * 16
    header = bytearray(raw[:544])
    matrix = raw[int.from_bytes(header[168:176], "little") :]
    header[168:176] = (544 + size).to_bytes(8, "little")
    extension = size.to_bytes(4, "little") + (32).to_bytes(4, "little") + xml.encode().ljust(size - 8, b"\0")
    other = path.with_name(f"changed_{path.name}")
    other.write_bytes(bytes(header) + extension + matrix)
    return other


@pytest.mark.parametrize("exponent, step", [(0, "0.8"), (-3, "800"), (-6, "800000"), (1, "0.08")])
def test_the_exponent_of_a_series_scales_start_and_step(exponent, step, tmp_path):
    path = rewritten(
        small_cifti.series(tmp_path),
        (r'SeriesExponent="[^"]*"', f'SeriesExponent="{exponent}"'),
        (r'SeriesStep="[^"]*"', f'SeriesStep="{step}"'),
        (r'SeriesStart="[^"]*"', f'SeriesStart="{float(step) * 5:g}"'),
    )
    source = open_cifti(path)
    assert source.tr == pytest.approx(0.8, rel=1e-12)
    assert source.layout.maps.start == pytest.approx(4.0)
    # nibabel's axis is in its unit before the exponent.
    axis = nib.load(path).header.matrix.get_index_map(0)
    assert source.tr == pytest.approx(axis.series_step * 10.0**axis.series_exponent)
    assert_array_equal(read_all(source), np.asarray(nib.load(path).dataobj))


def test_milliseconds_are_as_exact_as_they_were_written(tmp_path):
    path = rewritten(
        small_cifti.series(tmp_path),
        (r'SeriesExponent="[^"]*"', 'SeriesExponent="-3"'),
        (r'SeriesStep="[^"]*"', 'SeriesStep="720"'),
    )
    assert open_cifti(path).tr == 0.72


@pytest.mark.parametrize("unit", ["HERTZ", "METER", "RADIAN"])
def test_a_series_that_is_no_time_has_no_repetition_time(unit, tmp_path):
    path = rewritten(small_cifti.series(tmp_path), (r'SeriesUnit="[^"]*"', f'SeriesUnit="{unit}"'))
    source = open_cifti(path)
    assert source.tr is None
    assert "not in time" in source.tr_doubt
    assert source.layout.maps.unit == unit
    assert open_cifti(nib.load(path)).tr is None


def test_a_step_that_no_scanner_has_is_not_believed(tmp_path):
    path = rewritten(small_cifti.series(tmp_path), (r'SeriesStep="[^"]*"', 'SeriesStep="800"'))
    source = open_cifti(path)
    assert source.tr is None
    assert "800 s" in source.tr_doubt and "milliseconds" in source.tr_doubt


@pytest.mark.parametrize("exponent", [-3, 0, -6])
def test_the_exponent_of_metres_places_the_voxels(exponent, tmp_path):
    path = small_cifti.series(tmp_path)
    if exponent != -3:
        # The same place in metres, or micrometres.
        factor = 10.0 ** (-3 - exponent)
        numbers = small_cifti.AFFINE.copy()
        numbers[:3] *= factor
        text = " ".join(f"{n:.6g}" for n in numbers.ravel())
        path = rewritten(
            path,
            (r'MeterExponent="[^"]*"', f'MeterExponent="{exponent}"'),
            (r"(<TransformationMatrix[^>]*>)[^<]*<", rf"\g<1>{text}<"),
        )
    assert_allclose(open_cifti(path).domain.grid.affine, small_cifti.AFFINE, rtol=1e-5)


def test_scaled_matrices_and_other_types_are_read_as_nibabel_reads_them(tmp_path):
    run = small_cifti.series(tmp_path)
    img = nib.load(run)
    for dtype in (np.int16, np.uint8, np.float64, np.int32):
        made = nib.Cifti2Image(np.asarray(img.dataobj).astype(dtype), header=img.header)
        made.nifti_header.set_data_dtype(dtype)
        path = tmp_path / f"{np.dtype(dtype)}.dtseries.nii"
        nib.save(made, path)
        raw = bytearray(path.read_bytes())
        raw[176:192] = np.array([0.5, -3.0], "<f8").tobytes()  # scl_slope, scl_inter of NIfTI-2
        path.write_bytes(bytes(raw))
        expected = np.asarray(nib.load(path).dataobj)
        assert_allclose(read_all(open_cifti(path)), expected)
        assert_allclose(read_all(open_cifti(nib.load(path))), expected)
        assert expected.min() < np.asarray(img.dataobj).min()


BAD = {
    "exponent of ages": ((r'SeriesExponent="[^"]*"', 'SeriesExponent="9999"'), "SeriesExponent is 9999"),
    "exponent of light years": ((r'MeterExponent="[^"]*"', 'MeterExponent="-99"'), "MeterExponent is -99"),
    "a surface of the world": (
        (r'SurfaceNumberOfVertices="42"', 'SurfaceNumberOfVertices="99999999999"'),
        "SurfaceNumberOfVertices is 99999999999",
    ),
    "a volume of the world": (
        (r'VolumeDimensions="[^"]*"', 'VolumeDimensions="99999,99999,99999"'),
        "VolumeDimensions",
    ),
    "a vertex far away": ((r"(<VertexIndices>)\s*0 1", r"\g<1>0 2147483647"), "do not exist"),
    "more samples than the matrix has": (
        (r'NumberOfSeriesPoints="60"', 'NumberOfSeriesPoints="67108864"'),
        "67108864 series",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_sizes_that_cannot_be_are_refused_by_name(what, tmp_path):
    change, words = BAD[what]
    with pytest.raises(CorruptImageError, match=words) as caught:
        open_cifti(rewritten(small_cifti.series(tmp_path), change))
    assert "changed_run.dtseries.nii" in str(caught.value)


@pytest.mark.parametrize("field, value", [(168, 2**40), (168, -5), (24, 9)])
def test_numbers_of_the_nifti_header_are_refused_by_name(field, value, tmp_path):
    path = small_cifti.series(tmp_path)
    raw = bytearray(path.read_bytes())
    size = 8 if field == 168 else 2
    raw[field : field + size] = int(value).to_bytes(size, "little", signed=True)
    path.write_bytes(bytes(raw))
    with pytest.raises(CorruptImageError, match=r"run\.dtseries\.nii"):
        open_cifti(path)
