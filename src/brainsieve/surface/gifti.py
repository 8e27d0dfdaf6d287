"""GIFTI files: arrays of values or of a mesh's points and triangles, and tables of labels.

Read here and not by nibabel, whose parser believes the sizes that a file claims and opens whatever external file it
names: an array is made only once its data are known to be there.

Source: the GIFTI 1.0 specification, https://www.nitrc.org/projects/gifti.
"""

from __future__ import annotations

import base64
import binascii
import math
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from xml.etree import ElementTree

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.files import reading, regular_file
from brainsieve.exceptions import CorruptImageError
from brainsieve.logs import warn
from brainsieve.surface.contents import contents_of
from brainsieve.whole_files import replacing_together

POINTS, TRIANGLES = "NIFTI_INTENT_POINTSET", "NIFTI_INTENT_TRIANGLE"
NODE_INDEX = "NIFTI_INTENT_NODE_INDEX"
# The specification has UINT8, INT32 and FLOAT32; AFNI, nibabel and others write more.
DTYPES = {
    f"NIFTI_TYPE_{name.upper()}": np.dtype(name)
    for name in (
        "uint8",
        "int8",
        "uint16",
        "int16",
        "uint32",
        "int32",
        "uint64",
        "int64",
        "float32",
        "float64",
    )
}
ORDERS: dict[str, Literal["<", ">"]] = {"LITTLEENDIAN": "<", "BIGENDIAN": ">"}
MOST_DIMENSIONS = 6
# Deflate makes at most so many bytes of one.
DEFLATE_RATIO = 1032

Row = tuple[int, str, str]


@dataclass(frozen=True)
class Gifti:
    """What a GIFTI file holds.

    Attributes
    ----------
    path : str
    arrays : list of (intent, array)
        In the order of the file.
    labels : list of (key, name, colour)
        Of the file's table; the colour as RRGGBB.
    """

    path: str
    arrays: list[tuple[str, NDArray]]
    labels: list[Row]

    def of(self, intent: str) -> list[NDArray]:
        """The arrays of one intent."""
        return [array for own, array in self.arrays if own == intent]


def read_gifti(path: str) -> Gifti:
    """Read a GIFTI file, compressed (``.gii.gz``) or not.

    Raises
    ------
    CorruptImageError
        If it is none, or an array has other data than it promises.
    """
    with reading(path, "GIFTI"):
        root = ElementTree.fromstring(contents_of(path))
        if root.tag != "GIFTI":
            raise CorruptImageError(f"{path} is no GIFTI file: its root element is <{root.tag}>.")
        arrays = [
            (element.get("Intent", ""), _array(element, f"{path}, array {number}", path))
            for number, element in enumerate(root.iterfind("DataArray"))
        ]
        return Gifti(path, arrays, [_label(element) for element in root.iterfind("LabelTable/Label")])


def gifti_mesh(path: str) -> tuple[NDArray, NDArray]:
    """Coordinates and faces."""
    image = read_gifti(path)
    points, triangles = image.of(POINTS), image.of(TRIANGLES)
    if len(points) != 1 or len(triangles) != 1:
        raise ValueError(
            f"{path} holds no mesh: a mesh has one array of points and one of triangles, this file "
            f"{len(points)} and {len(triangles)}. Is it a file of values?"
        )
    return points[0], triangles[0]


def gifti_values(path: str, n_vertices: int | None = None) -> tuple[NDArray, list[Row]]:
    """Values at vertices, (n_vertices,) or (n_vertices, n_samples); and the table of labels.

    Parameters
    ----------
    path : str
    n_vertices : int, optional
        Vertices of the mesh, for files that list the vertices they have values for. Default: up to the last listed.
    """
    image = read_gifti(path)
    arrays = [array for intent, array in image.arrays if intent not in (POINTS, TRIANGLES, NODE_INDEX)]
    if not arrays:
        raise ValueError(f"{path} holds no values at vertices. Is it a mesh?")
    lengths = {len(array) for array in arrays}
    if len(lengths) > 1:
        raise CorruptImageError(
            f"{path}: its {len(arrays)} arrays have values for different numbers of vertices: {sorted(lengths)}."
        )
    if len(arrays) == 1:
        values = arrays[0]
    else:
        values = np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)
    nodes = image.of(NODE_INDEX)
    return (_placed(values, nodes, path, n_vertices) if nodes else values), image.labels


def _placed(values: NDArray, nodes: Sequence[NDArray], path: str, n_vertices: int | None) -> NDArray:
    """Values at the vertices that a file lists (AFNI's sparse sets); NaN or 0 at the others."""
    vertices = nodes[0].ravel()
    if any(not np.array_equal(other.ravel(), vertices) for other in nodes[1:]):
        raise CorruptImageError(f"{path}: its arrays of vertex numbers (NODE_INDEX) differ.")
    if len(vertices) != len(values) or vertices.dtype.kind not in "iu":
        raise CorruptImageError(
            f"{path}: its array of vertex numbers (NODE_INDEX) has {len(vertices)} {vertices.dtype} entries; "
            f"whole numbers for {len(values)} values were expected."
        )
    last = int(vertices.max()) if len(vertices) else -1
    if len(np.unique(vertices)) < len(vertices) or (len(vertices) and vertices.min() < 0):
        raise CorruptImageError(f"{path}: vertex numbers (NODE_INDEX) are negative or come twice.")
    size = last + 1 if n_vertices is None else n_vertices
    if last >= size:
        raise ValueError(f"{path} has values for vertex {last}; the mesh has {size} vertices.")
    # A number may be anything that 32 bits hold: the file has few values, the surface not millions of vertices.
    if n_vertices is None and size > max(2**24, 100 * len(vertices)):
        raise CorruptImageError(f"{path} has {len(vertices)} values, one of them for vertex {last}.")
    is_float = values.dtype.kind == "f"
    whole = np.full((size, *values.shape[1:]), np.nan if is_float else 0, dtype=values.dtype)
    whole[vertices] = values
    if size > len(vertices):
        warn(
            f"{path} has values for {len(vertices)} of {size} vertices (NODE_INDEX); the others are "
            f"{'NaN' if is_float else 0}."
        )
    return whole


# -- one array -----------------------------------------------------------------------------------------


def _array(element: Any, where: str, path: str) -> NDArray:
    dtype = DTYPES.get(element.get("DataType", ""))
    if dtype is None:
        raise CorruptImageError(f"{where}: DataType is {element.get('DataType')!r}; no such type is known.")
    shape = _shape(element, where)
    order = {"ROWMAJORORDER": "C", "COLUMNMAJORORDER": "F"}.get(
        element.get("ArrayIndexingOrder", "RowMajorOrder").upper()
    )
    if order is None:
        raise CorruptImageError(
            f"{where}: ArrayIndexingOrder is {element.get('ArrayIndexingOrder')!r}; RowMajorOrder or "
            "ColumnMajorOrder was expected."
        )
    count = math.prod(shape)
    encoding = element.get("Encoding", "").upper()
    if encoding == "ASCII":
        values = _from_text(_text_of(element, where), count, dtype, where)
    else:
        raw = _binary(element, encoding, count * dtype.itemsize, where, path)
        values = _in_native_order(raw, dtype, element.get("Endian"), where)
    return values.reshape(shape, order=order)  # type: ignore[call-overload]


def _shape(element: Any, where: str) -> tuple[int, ...]:
    n = _whole(element.get("Dimensionality"), "Dimensionality", where)
    if not 1 <= n <= MOST_DIMENSIONS:
        raise CorruptImageError(f"{where}: Dimensionality is {n}; 1 to {MOST_DIMENSIONS} was expected.")
    return tuple(_whole(element.get(f"Dim{axis}"), f"Dim{axis}", where) for axis in range(n))


def _whole(text: str | None, what: str, where: str) -> int:
    # More digits than any size has; int() of thousands of them takes long.
    if text is None or len(text) > 20 or not text.strip().isdecimal():
        found = "missing" if text is None else repr(text[:20])
        raise CorruptImageError(f"{where}: {what} is {found}; a whole number was expected.")
    return int(text)


def _text_of(element: Any, where: str) -> str:
    data = element.find("Data")
    if data is None:
        raise CorruptImageError(f"{where}: it has no element <Data>.")
    return data.text or ""


def _from_text(text: str, count: int, dtype: np.dtype, where: str) -> NDArray:
    words = text.split()
    if len(words) != count:
        raise CorruptImageError(f"{where} promises {count} numbers; its text has {len(words)}.")
    if dtype.kind == "f":
        return np.array(words, dtype=np.float64).astype(dtype)
    numbers = np.array(words, dtype=np.uint64 if dtype == np.uint64 else np.int64)
    info = np.iinfo(dtype)
    if count and (numbers.min() < info.min or numbers.max() > info.max):
        raise CorruptImageError(f"{where} has numbers that its DataType, {dtype}, does not hold.")
    return numbers.astype(dtype)


def _binary(element: Any, encoding: str, n_bytes: int, where: str, path: str) -> bytes:
    if encoding == "EXTERNALFILEBINARY":
        return _external(element, n_bytes, where, path)
    if encoding not in ("BASE64BINARY", "GZIPBASE64BINARY"):
        raise CorruptImageError(
            f"{where}: Encoding is {element.get('Encoding')!r}; no such encoding is known."
        )
    text = "".join(_text_of(element, where).split())
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CorruptImageError(f"{where} is broken base64: {error}.") from None
    if encoding == "BASE64BINARY":
        found: bytes = raw
    else:
        if n_bytes > DEFLATE_RATIO * len(raw) + DEFLATE_RATIO:
            raise CorruptImageError(
                f"{where} promises {n_bytes} bytes; its {len(raw)} compressed bytes cannot hold so many."
            )
        # 32: zlib's header, which the specification means, or that of gzip, which some programs write.
        decoder = zlib.decompressobj(32 + zlib.MAX_WBITS)
        # One byte more than promised shows that there are more, and no bomb of zeros is unpacked.
        found = decoder.decompress(raw, n_bytes + 1)
        if len(found) <= n_bytes and not decoder.eof:
            # Nothing more may come but the checksum.
            found += decoder.decompress(decoder.unconsumed_tail, 1)
            if not decoder.eof:
                raise CorruptImageError(f"{where}: its compressed data end before their end mark.")
    if len(found) != n_bytes:
        more = "or more " if len(found) > n_bytes and encoding != "BASE64BINARY" else ""
        raise CorruptImageError(f"{where} promises {n_bytes} bytes; {len(found)} {more}are there.")
    return found


def _external(element: Any, n_bytes: int, where: str, path: str) -> bytes:
    """Data in a file of their own, which may be none but a regular one beside the image."""
    name = element.get("ExternalFileName", "")
    if not name or name != os.path.basename(name) or name in (os.curdir, os.pardir) or "\\" in name:
        raise CorruptImageError(
            f"{where}: its data are to be in the file {name!r}; only files in the image's own folder are read."
        )
    folder = os.path.dirname(os.path.abspath(path))
    file = os.path.join(folder, name)
    # A link beside the image may lead anywhere.
    if os.path.dirname(os.path.realpath(file)) != os.path.realpath(folder):
        raise CorruptImageError(f"{where}: {name!r} is a link to another folder; it is not read.")
    regular_file(file, f"the data of {path}")
    offset = _whole(element.get("ExternalFileOffset") or "0", "ExternalFileOffset", where)
    size = os.path.getsize(file)
    if offset + n_bytes > size:
        raise CorruptImageError(
            f"{where} promises {n_bytes} bytes at byte {offset} of {name}, which has {size} bytes."
        )
    with open(file, "rb") as stream:
        stream.seek(offset)
        return stream.read(n_bytes)


def _in_native_order(raw: bytes, dtype: np.dtype, endian: str | None, where: str) -> NDArray:
    order = ORDERS.get((endian or "").upper())
    if order is None:
        raise CorruptImageError(f"{where}: Endian is {endian!r}; LittleEndian or BigEndian was expected.")
    return np.frombuffer(raw, dtype=dtype.newbyteorder(order)).astype(dtype)


def _label(element: Any) -> Row:
    # Files before version 1.0 call the key Index.
    key = int(element.get("Key", element.get("Index", "")))
    return (
        key,
        element.text or "",
        hex_of([float(element.get(part, "0")) for part in ("Red", "Green", "Blue")]),
    )


def hex_of(colour: Sequence[float]) -> str:
    """RRGGBB of parts from 0 to 1; what is beyond, and any alpha, is cut off."""
    return "".join(f"{round(255 * min(max(part, 0.0), 1.0)):02X}" for part in colour[:3])


# -- writing -------------------------------------------------------------------------------------------


def values_as_gifti(
    values: NDArray, path: str, labels: Sequence[tuple[int, str, Sequence[int]]] = ()
) -> nib.gifti.GiftiImage:
    """Values (n_vertices[, n_samples]) as what a file of this name holds, an array for each sample.

    Parameters
    ----------
    values : array
    path : str
        Its ending says what the values are.
    labels : sequence of (key, name, (red, green, blue))
        For ``.label.gii``; colours from 0 to 255.
    """
    is_label = path.lower().endswith(".label.gii")
    intent = "NIFTI_INTENT_LABEL" if is_label else "NIFTI_INTENT_NONE"
    if path.lower().endswith(".func.gii") and values.ndim == 2:
        intent = "NIFTI_INTENT_TIME_SERIES"
    dtype = np.dtype(np.int32) if is_label else _written_dtype(values, path)
    image = nib.gifti.GiftiImage()
    for column in values.reshape(len(values), -1).T:
        _add(image, column, intent, dtype)
    for key, name, colour in labels:
        label: Any = nib.gifti.GiftiLabel(key, *(c / 255 for c in colour), 0.0 if key == 0 else 1.0)  # type: ignore[call-arg]
        label.label = name
        image.labeltable.labels.append(label)
    return image


def mesh_as_gifti(coordinates: NDArray, faces: NDArray) -> nib.gifti.GiftiImage:
    image = nib.gifti.GiftiImage()
    _add(image, coordinates, POINTS, np.dtype(np.float32))
    _add(image, faces, TRIANGLES, np.dtype(np.int32))
    return image


def _add(image: Any, values: NDArray, intent: str, dtype: np.dtype) -> None:
    array = np.ascontiguousarray(values, dtype=dtype)
    code = nib.nifti1.data_type_codes[dtype]
    image.add_gifti_data_array(nib.gifti.GiftiDataArray(array, intent=intent, datatype=code))


def write_gifti(images: Mapping[str, nib.gifti.GiftiImage]) -> None:
    """Write images under their names: all, or none after an error."""
    with replacing_together(list(images)) as unfinished:
        for file, image in zip(unfinished, images.values(), strict=True):
            # "force": the types of the specification are a choice made before, aloud.
            file.write_bytes(image.to_bytes(mode="force"))


def _written_dtype(values: NDArray, path: str) -> np.dtype:
    """uint8, int32 or float32, the three types of GIFTI, where one holds the values; else a wider one, aloud."""
    if values.dtype.kind == "b":
        return np.dtype(np.uint8)
    if values.dtype.kind in "iu":
        low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
        if values.dtype.kind == "u" and high <= 255:
            return np.dtype(np.uint8)
        if np.iinfo(np.int32).min <= low and high <= np.iinfo(np.int32).max:
            return np.dtype(np.int32)
        wide: np.dtype = np.dtype(np.int64 if high <= np.iinfo(np.int64).max else np.uint64)
    else:
        with np.errstate(over="ignore"):
            narrow = values.astype(np.float32)
        # Digits beyond the seventh are below any measurement; counts and ids are not measurements.
        counts = np.floor(values) == values
        if np.array_equal(np.isfinite(narrow), np.isfinite(values)) and (narrow == values)[counts].all():
            return np.dtype(np.float32)
        wide = np.dtype(np.float64)
    warn(
        f"{path}: the values do not fit int32 or float32, which are GIFTI's types; they are written as {wide}, "
        "which not every program reads."
    )
    return wide
