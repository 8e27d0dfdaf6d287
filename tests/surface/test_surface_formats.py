"""The formats of surfaces, byte for byte: what nibabel reads, what files promise, and what they may not do."""

from __future__ import annotations

import base64
import gzip
import os
import struct
import warnings
import zlib

import nibabel as nib
import numpy as np
import pytest
import surfaces
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve.exceptions import CorruptImageError
from brainsieve.surface import (
    PolyData,
    SurfaceImage,
    load_surf_data,
    load_surf_mesh,
    read_label_table,
    save_surf_data,
)

COORDINATES = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]], dtype=np.float32)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], dtype=np.int32)
VALUES = np.array([[1, -2], [3, 4], [5, 6], [7, 80]])


def encoded(values: np.ndarray, encoding: str, order: str, endian: str) -> str:
    flat = values.ravel(order="F" if order.startswith("Col") else "C")
    if encoding == "ASCII":
        return " ".join(map(repr, flat.tolist()))
    raw = flat.astype(flat.dtype.newbyteorder("<" if endian == "LittleEndian" else ">")).tobytes()
    return base64.b64encode(zlib.compress(raw) if encoding.startswith("GZip") else raw).decode()


def data_array(
    values: np.ndarray,
    encoding: str = "Base64Binary",
    order: str = "RowMajorOrder",
    endian: str = "LittleEndian",
    intent: str = "NONE",
    data: str | None = None,
    **changed: object,
) -> str:
    attributes: dict[str, object] = {
        "Intent": f"NIFTI_INTENT_{intent}",
        "DataType": f"NIFTI_TYPE_{values.dtype.name.upper()}",
        "ArrayIndexingOrder": order,
        "Dimensionality": values.ndim,
        **{f"Dim{i}": n for i, n in enumerate(values.shape)},
        "Encoding": encoding,
        "Endian": endian,
        "ExternalFileName": "",
        "ExternalFileOffset": "",
        **changed,
    }
    text = " ".join(f'{key}="{value}"' for key, value in attributes.items())
    content = encoded(values, encoding, order, endian) if data is None else data
    return f"<DataArray {text}><Data>{content}</Data></DataArray>"


def gifti(path, *arrays: str):
    path.write_text(
        f'<?xml version="1.0"?><GIFTI Version="1.0" NumberOfDataArrays="1">{"".join(arrays)}</GIFTI>'
    )
    return path


@pytest.mark.parametrize("encoding", ["ASCII", "Base64Binary", "GZipBase64Binary"])
@pytest.mark.parametrize("order", ["RowMajorOrder", "ColumnMajorOrder"])
@pytest.mark.parametrize("endian", ["LittleEndian", "BigEndian"])
@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.int16, np.float64])
def test_every_encoding_order_and_byte_order_gives_the_same_values(tmp_path, encoding, order, endian, dtype):
    values = VALUES.astype(dtype)
    path = gifti(tmp_path / "v.func.gii", data_array(values, encoding, order, endian))
    read = load_surf_data(path)
    assert_array_equal(read, values)
    assert read.dtype == dtype and read.dtype.isnative
    assert_array_equal(read, nib.load(path).darrays[0].data)


def test_external_data_come_from_the_own_folder_only(tmp_path):
    (tmp_path / "own").mkdir()
    values = np.arange(4, dtype=np.float32)
    for folder in (tmp_path, tmp_path / "own"):
        (folder / "values.bin").write_bytes(b"12345" + values.tobytes())

    def loaded(name: str, offset: int = 5, folder: str = "own"):
        array = data_array(
            values, "ExternalFileBinary", data="", ExternalFileName=name, ExternalFileOffset=offset
        )
        return load_surf_data(gifti(tmp_path / folder / "v.gii", array))

    assert_array_equal(loaded("values.bin"), values)
    with pytest.raises(
        CorruptImageError, match=r"v.gii, array 0 promises 16 bytes at byte 6 of values.bin.*21"
    ):
        loaded("values.bin", 6)
    for name in ("../values.bin", str(tmp_path / "values.bin"), "/dev/zero", "..", ""):
        with pytest.raises(CorruptImageError, match="only files in the image's own folder"):
            loaded(name)
    (tmp_path / "own" / "link.bin").symlink_to(tmp_path / "values.bin")
    with pytest.raises(CorruptImageError, match="link to another folder"):
        loaded("link.bin")
    os.mkfifo(tmp_path / "own" / "pipe.bin")
    with pytest.raises(ValueError, match="pipe"):
        loaded("pipe.bin")


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"Dimensionality": 99999999999}, "Dimensionality is 99999999999"),
        ({"Dimensionality": "2"}, "Dim1 is missing"),
        ({"Dim0": 2**40}, "promises 4398046511104 bytes"),
        ({"Dim0": 3}, "promises 12 bytes; 16 are there"),
        ({"Dim0": -4}, "Dim0 is '-4'"),
        ({"DataType": "NIFTI_TYPE_FLOAT16"}, "no such type"),
        ({"Encoding": "Base32"}, "'Base32'"),
        ({"Endian": "Middle"}, "'Middle'"),
        ({"ArrayIndexingOrder": "Z"}, "'Z'"),
        ({"data": "A?=="}, "broken base64"),
        ({"encoding": "GZipBase64Binary", "Dim0": 2**40}, "cannot hold so many"),
        ({"encoding": "GZipBase64Binary", "Dim0": 3}, "promises 12 bytes; 13 or more are there"),
        ({"encoding": "ASCII", "Dim0": 3}, "promises 3 numbers; its text has 4"),
        ({"encoding": "ASCII", "data": "1 2 x 4"}, "'x'"),
    ],
)
def test_arrays_that_are_not_what_they_promise(tmp_path, changed, message):
    options = {"values": np.arange(4, dtype=np.float32), **changed}
    path = gifti(tmp_path / "broken.gii", data_array(**options))
    with pytest.raises(CorruptImageError, match=rf"broken.gii.*{message}"):
        load_surf_data(path)


def test_compressed_arrays_are_verified_to_their_end(tmp_path):
    values = np.arange(400, dtype=np.float32)
    raw = zlib.compress(values.tobytes())
    for part in (raw[:-4], raw[:-1], raw[:-1] + bytes([raw[-1] ^ 1])):
        text = base64.b64encode(part).decode()
        path = gifti(tmp_path / "cut.gii", data_array(values, "GZipBase64Binary", data=text))
        with pytest.raises(CorruptImageError, match="cut.gii"):
            load_surf_data(path)


def test_integers_in_text_that_their_type_does_not_hold(tmp_path):
    path = gifti(tmp_path / "v.gii", data_array(np.zeros(2, np.uint8), "ASCII", data="3 300"))
    with pytest.raises(CorruptImageError, match="does not hold"):
        load_surf_data(path)


# -- vertices that a file lists --------------------------------------------------------------------------


def sparse_file(tmp_path, nodes=(5, 0, 3), values=((1, 2), (3, 4), (5, 6)), dtype=np.float32):
    listed = data_array(np.array(nodes, np.int32), intent="NODE_INDEX")
    columns = [data_array(np.array(column, dtype)) for column in zip(*values, strict=True)]
    return gifti(tmp_path / "sparse.func.gii", listed, *columns)


def test_values_are_placed_at_the_vertices_that_a_file_lists(tmp_path):
    path = sparse_file(tmp_path)
    with pytest.warns(UserWarning, match=r"values for 3 of 6 vertices \(NODE_INDEX\); the others are NaN"):
        read = load_surf_data(path)
    nan = [np.nan, np.nan]
    assert_array_equal(read, [[3, 4], nan, nan, [5, 6], nan, [1, 2]])
    with pytest.warns(UserWarning, match="3 of 8 vertices.*the others are 0"):
        read = load_surf_data(sparse_file(tmp_path, dtype=np.int32), n_vertices=8)
    assert_array_equal(read[:, 0], [3, 0, 0, 5, 0, 1, 0, 0])
    with pytest.raises(ValueError, match="vertex 5; the mesh has 5 vertices"):
        load_surf_data(path, n_vertices=5)


def test_the_mesh_tells_how_many_vertices_there_are(tmp_path):
    path = sparse_file(tmp_path, nodes=(2, 0, 1))
    with pytest.warns(UserWarning, match="3 of 4 vertices"):
        image = SurfaceImage({"left": (COORDINATES, FACES)}, {"left": path})
    assert_array_equal(image.data.parts["left"][:, 0], [3, 5, 1, np.nan])


@pytest.mark.parametrize("nodes", [(0, 1), (0, 0, 1), (-1, 0, 1), (0, 1, 2**31 - 1)])
def test_vertex_numbers_that_cannot_be(tmp_path, nodes):
    with pytest.raises(CorruptImageError, match=r"sparse.func.gii"):
        load_surf_data(sparse_file(tmp_path, nodes=nodes))


def test_a_complete_list_of_vertices_is_silent(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = load_surf_data(sparse_file(tmp_path, nodes=(2, 0, 1)))
    assert_array_equal(read, [[3, 4], [5, 6], [1, 2]])


# -- what is written ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values, dtype, aloud",
    [
        (np.array([0, 200], np.uint8), np.uint8, False),
        (np.array([True, False]), np.uint8, False),
        (np.array([0, 70000], np.uint32), np.int32, False),
        (np.array([-5, 2**31 - 1], np.int64), np.int32, False),
        (np.array([0, 2**31], np.uint32), np.int64, True),
        (np.array([-(2**40), 1], np.int64), np.int64, True),
        (np.array([0.1, np.nan]), np.float32, False),
        (np.array([16777217.0, 0.5]), np.float64, True),
        (np.array([1e300, 0.5]), np.float64, True),
    ],
)
def test_values_are_written_in_a_type_that_holds_them(tmp_path, values, dtype, aloud):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        PolyData(values).to_filename(tmp_path / "x_hemi-L.func.gii")
    assert bool(caught) == aloud
    read = load_surf_data(tmp_path / "x_hemi-L.func.gii")
    assert read.dtype == dtype
    assert_allclose(read, values, rtol=1e-7)
    assert_array_equal(read, nib.load(tmp_path / "x_hemi-L.func.gii").darrays[0].data)


def test_labels_are_never_cut_to_whole_numbers(tmp_path):
    for values in ([0.5, 1.0], [2**31, 0], [np.nan, 1.0]):
        for name in ("x_hemi-L.label.gii", "lh.x.annot"):
            with pytest.raises(ValueError, match="holds labels"):
                save_surf_data(np.array(values), tmp_path / name)
    with pytest.raises(ValueError, match="32-bit"):
        save_surf_data(np.array([2**31, 0]), tmp_path / "lh.x.mgh")
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    for name, target in (("lh.x.annot", "write_annot"), ("lh.thickness", "write_morph_data")):
        save_surf_data(np.array([0, 1, 1]), tmp_path / name)
        before = (tmp_path / name).read_bytes()
        monkeypatch.setattr(f"nibabel.freesurfer.{target}", fail)
        with pytest.raises(OSError, match=name):
            save_surf_data(np.array([1, 1, 1]), tmp_path / name)
        assert (tmp_path / name).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lh.thickness", "lh.x.annot"]


# -- FreeSurfer -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["lh.sphere.reg", "lh.pial.T1", "rh.white.preaparc", "lh.smoothwm.nofix", "brain"]
)
def test_geometry_is_known_by_its_first_bytes(tmp_path, name):
    nib.freesurfer.write_geometry(str(tmp_path / name), COORDINATES, FACES)
    assert_array_equal(load_surf_mesh(tmp_path / name).faces, FACES)
    with pytest.raises(ValueError, match=f"{name}: .*It begins as a mesh does"):
        load_surf_data(tmp_path / name)


@pytest.mark.parametrize(
    "name", ["lh.area.pial", "lh.curv.pial", "lh.thickness.fwhm10", "lh.w-g.pct", "lh.sulc.gz"]
)
def test_morphometry_is_known_by_its_first_bytes(tmp_path, name):
    values = np.array([0.5, -1, 2], dtype=np.float32)
    nib.freesurfer.write_morph_data(str(tmp_path / "lh.plain"), values)
    raw = (tmp_path / "lh.plain").read_bytes()
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    assert_array_equal(load_surf_data(tmp_path / name), values)
    nib.save(nib.MGHImage(values.reshape(3, 1, 1), np.eye(4)), tmp_path / "lh.w-g.pct.mgh")
    assert_array_equal(load_surf_data(tmp_path / "lh.w-g.pct.mgh"), values)


def three_bytes(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(3, "big") for number in numbers)


@pytest.mark.parametrize("magic", [b"\xff\xff\xff", b"\xff\xff\xfd"])
def test_old_quadrangles_are_read_as_nibabel_reads_them(tmp_path, magic):
    coordinates = np.round(np.random.default_rng(0).normal(0, 50, (6, 3)), 2)
    points = (coordinates * 100).astype(">i2") if magic == b"\xff\xff\xff" else coordinates.astype(">f4")
    quads = three_bytes(0, 1, 2, 3, 3, 2, 4, 5)
    (tmp_path / "lh.orig").write_bytes(magic + three_bytes(6, 2) + points.tobytes() + quads)
    expected, faces = nib.freesurfer.read_geometry(str(tmp_path / "lh.orig"))
    read = load_surf_mesh(tmp_path / "lh.orig")
    assert_allclose(read.coordinates, expected)
    assert_array_equal(read.faces, faces)


def test_old_morphometry_is_read_as_nibabel_reads_it(tmp_path):
    hundredths = np.array([50, -125, 3], dtype=">i2")
    (tmp_path / "lh.curv").write_bytes(three_bytes(3, 0) + hundredths.tobytes())
    assert_allclose(
        load_surf_data(tmp_path / "lh.curv"), nib.freesurfer.read_morph_data(str(tmp_path / "lh.curv"))
    )


def annotation(n: int = 4, colours=((10, 20, 30), (40, 50, 60)), labels=(0, 1, -1, 1), names=("A", "B")):
    """An annotation of version 2, byte by byte."""
    keys = [sum(c << (8 * i) for i, c in enumerate(rgb)) for rgb in colours]
    raw = struct.pack(">i", n)
    for vertex, label in enumerate(labels):
        raw += struct.pack(">ii", vertex, keys[label] if label >= 0 else 0)
    raw += struct.pack(">iiii", 1, -2, len(names), 2) + b"x\0" + struct.pack(">i", len(names))
    for number, (name, rgb) in enumerate(zip(names, colours, strict=True)):
        raw += (
            struct.pack(">ii", number, len(name) + 1) + name.encode() + b"\0" + struct.pack(">iiii", *rgb, 0)
        )
    return raw


def test_annotations_are_read_as_nibabel_reads_them(tmp_path):
    (tmp_path / "lh.x.annot").write_bytes(annotation())
    (tmp_path / "lh.x.annot.gz").write_bytes(gzip.compress(annotation()))
    expected, _, names = nib.freesurfer.read_annot(str(tmp_path / "lh.x.annot"))
    for name in ("lh.x.annot", "lh.x.annot.gz"):
        assert_array_equal(load_surf_data(tmp_path / name), expected)
        table = read_label_table(tmp_path / name)
        assert table.to_dict("list") == {"index": [0, 1], "name": ["A", "B"], "color": ["0A141E", "28323C"]}
    real = str(surfaces.DATA / "fsaverage/lh.aparc.annot")
    expected, _, names = nib.freesurfer.read_annot(real)
    assert_array_equal(load_surf_data(real), expected)
    assert list(read_label_table(real)["name"]) == [name.decode() for name in names]


def test_colours_that_the_table_does_not_have_are_no_region(tmp_path):
    raw = bytearray(annotation())
    raw[8:12] = struct.pack(">i", 77)
    (tmp_path / "lh.x.annot").write_bytes(raw)
    with pytest.warns(UserWarning, match="1 vertices have colours"):
        assert_array_equal(load_surf_data(tmp_path / "lh.x.annot"), [-1, 1, -1, 1])


def test_unlabelled_vertices_survive_the_way_through_an_annotation(tmp_path):
    labels = np.array([-1, 0, 1, 1, -1])
    save_surf_data(labels, tmp_path / "lh.x.annot")
    assert_array_equal(load_surf_data(tmp_path / "lh.x.annot"), labels)


def whole_files(tmp_path) -> dict[str, bytes]:
    """A small file of each of FreeSurfer's formats."""
    nib.freesurfer.write_geometry(str(tmp_path / "lh.pial"), COORDINATES, FACES)
    nib.freesurfer.write_morph_data(str(tmp_path / "lh.curv"), np.arange(9, dtype=np.float32))
    save_surf_data(np.array([1, 3, 8]), tmp_path / "lh.v.label")
    (tmp_path / "lh.v.annot").write_bytes(annotation())
    return {
        name: (tmp_path / name).read_bytes() for name in ("lh.pial", "lh.curv", "lh.v.label", "lh.v.annot")
    }


def test_a_cut_file_is_an_error_that_names_it_wherever_it_is_cut(tmp_path):
    for name, raw in whole_files(tmp_path).items():
        load = load_surf_mesh if name == "lh.pial" else load_surf_data
        # The last line break of a text is no loss.
        for size in range(1, len(raw) - (name == "lh.v.label")):
            (tmp_path / name).write_bytes(raw[:size])
            if name == "lh.v.label" and size > len(raw) - len(b"0.0\n"):
                continue  # "0" and "0." are as good numbers as "0.0"
            with pytest.raises(ValueError, match=name.replace(".", r"\.")):
                load(tmp_path / name)


@pytest.mark.parametrize(
    "name, at, message",
    [
        ("lh.curv", 3, "promises 16777216 values; 9 are there"),
        ("lh.pial", -4 * 12 - 4 * 12 - 8, "promises 50331648 coordinates"),
        ("lh.v.annot", 0, "promises 33554432 numbers"),
    ],
)
def test_counts_are_believed_as_far_as_the_file_goes(tmp_path, name, at, message):
    raw = bytearray(whole_files(tmp_path)[name])
    start = at if at >= 0 else len(raw) + at
    raw[start : start + 4] = struct.pack(">i", 2**24)
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(CorruptImageError, match=message):
        (load_surf_mesh if name == "lh.pial" else load_surf_data)(tmp_path / name)


def test_a_table_of_millions_of_entries_is_refused_before_it_is_made(tmp_path):
    raw = annotation()
    for n in (2**24, 2**31 - 1):
        broken = raw.replace(b"x\0" + struct.pack(">i", 2), b"x\0" + struct.pack(">i", n))
        (tmp_path / "lh.x.annot").write_bytes(broken)
        with pytest.raises(CorruptImageError, match=r"lh.x.annot promises"):
            load_surf_data(tmp_path / "lh.x.annot")


def test_a_label_file_says_how_many_vertices_it_promised(tmp_path):
    (tmp_path / "lh.x.label").write_text("#!ascii label\n3\n1 0 0 0 0.5\n3 0 0 0 0.5\n")
    with pytest.raises(CorruptImageError, match="promises 3 vertices; 2 are there"):
        load_surf_data(tmp_path / "lh.x.label")


def test_overlays_are_arrays_of_their_own_and_verified_to_their_end(tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(4, 1, 1, 3)
    nib.save(nib.MGHImage(values, np.eye(4)), tmp_path / "lh.x.mgh")
    nib.save(nib.MGHImage(values, np.eye(4)), tmp_path / "lh.x.mgz")
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "x.nii")
    for name in ("lh.x.mgh", "x.nii", "lh.x.mgz"):
        read = load_surf_data(tmp_path / name)
        assert_array_equal(read, values[:, 0, 0])
        owner = read
        while owner is not None:
            assert not isinstance(owner, np.memmap)
            owner = getattr(owner, "base", None)
    raw = bytearray((tmp_path / "lh.x.mgz").read_bytes())
    raw[-5] ^= 1
    (tmp_path / "lh.x.mgz").write_bytes(raw)
    with pytest.raises(CorruptImageError, match=r"lh.x.mgz"):
        load_surf_data(tmp_path / "lh.x.mgz")


@pytest.mark.parametrize("name", ["x.gii", "lh.curv", "lh.x.annot", "lh.x.label", "lh.pial", "x.mgh"])
def test_pipes_and_missing_files_are_refused(tmp_path, name):
    load = load_surf_mesh if name == "lh.pial" else load_surf_data
    with pytest.raises(FileNotFoundError, match=name):
        load(tmp_path / name)
    os.mkfifo(tmp_path / name)
    with pytest.raises(ValueError, match="pipe"):
        load(tmp_path / name)


def test_meshes_as_dicts_of_their_arrays():
    assert_array_equal(load_surf_mesh({"coordinates": COORDINATES, "faces": FACES}).faces, FACES)
    with pytest.raises(ValueError, match="PolyMesh takes both"):
        load_surf_mesh({"left": (COORDINATES, FACES)})


@pytest.mark.parametrize("shape", [(0,), (0, 3), (4, 0)])
def test_values_of_no_vertex_or_sample_are_refused(shape):
    with pytest.raises(ValueError, match="no (vertex|sample) is there"):
        PolyData(np.zeros(shape))


def test_morphometry_with_more_than_it_promises_is_an_error(tmp_path):
    raw = bytearray(whole_files(tmp_path)["lh.curv"])
    raw[3:7] = struct.pack(">i", 8)
    (tmp_path / "lh.curv").write_bytes(raw)
    with pytest.raises(CorruptImageError, match=r"lh.curv has 4 bytes more than its 8 values"):
        load_surf_data(tmp_path / "lh.curv")


def test_a_black_entry_of_an_annotation_takes_no_vertex(tmp_path):
    """0 is what FreeSurfer writes for a vertex without a label, also where the table has a black one."""
    path = str(tmp_path / "lh.x.annot")
    table = np.array([[0, 0, 0, 0], [10, 20, 30, 0], [200, 100, 250, 0]])
    nib.freesurfer.write_annot(path, np.array([0, 1, 2, 0, 2]), table, ["black", "a", "b"], fill_ctab=True)
    assert load_surf_data(path).tolist() == [-1, 1, 2, -1, 2]
    assert read_label_table(path)["name"].tolist() == ["black", "a", "b"]
