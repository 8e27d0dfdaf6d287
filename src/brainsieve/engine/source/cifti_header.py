"""Headers of CIFTI-2 files: a NIfTI-2 header, then XML that says what rows and columns are.

Only what streaming needs is read: brain models, parcels, series, names of maps and label tables. A header of
91 282 grayordinates takes 10 ms this way, 200 ms through nibabel's objects.

Source: the CIFTI-2 specification, https://www.nitrc.org/projects/cifti.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, ClassVar
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.grayordinates import (
    Grayordinates,
    Model,
    Parcels,
    SurfaceModel,
    VoxelModel,
    canonical_structure,
)
from brainsieve.engine.source.header import (
    MOST_VOXELS,
    checked_dtype,
    checked_scaling,
    nifti_header,
    repaired,
)
from brainsieve.engine.source.streams import exactly
from brainsieve.engine.source.timing import Timing, believed
from brainsieve.exceptions import CorruptImageError

CIFTI_EXTENSION = 32
NIFTI2_BYTES = 540
# No surface or table has more; a header that says so is corrupt, and arrays of that size would be made.
MOST_VERTICES = 2**24
MOST_EXPONENT = 30
TIME_UNITS = {"SECOND": "sec", "HERTZ": "hz"}
MM_PER_METRE_EXPONENT = 3

Element = Any
Rgba = tuple[float, float, float, float]


@dataclass(frozen=True)
class SeriesAxis:
    """Samples at regular steps.

    Attributes
    ----------
    n : int
    start, step : float
    unit : str
        "SECOND", "HERTZ", "METER" or "RADIAN".
    """

    n: int
    start: float = 0.0
    step: float = 1.0
    unit: str = "SECOND"
    kind: ClassVar[str] = "series"


@dataclass(frozen=True)
class NamedAxis:
    """Samples that have names."""

    names: tuple[str, ...]

    @property
    def n(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class ScalarAxis(NamedAxis):
    """Named maps."""

    kind: ClassVar[str] = "scalars"


@dataclass(frozen=True)
class LabelAxis(NamedAxis):
    """Named maps of labels, each with its table: key to name and colour (red, green, blue, alpha in 0..1)."""

    tables: tuple[dict[int, tuple[str, Rgba]], ...]
    kind: ClassVar[str] = "labels"


MapAxis = SeriesAxis | ScalarAxis | LabelAxis


@dataclass(frozen=True)
class CiftiLayout:
    """Where and how a CIFTI file holds its matrix.

    Attributes
    ----------
    domain : Grayordinates or Parcels
        What the points are; each has its samples one after the other in the file.
    maps : SeriesAxis, ScalarAxis or LabelAxis
        What the samples are.
    dtype : dtype
        As in the file, byte order included.
    offset : int
        Bytes before the matrix.
    slope, inter : float
    timing : Timing
        None where samples are no time points.
    """

    domain: Grayordinates | Parcels
    maps: MapAxis
    dtype: np.dtype
    offset: int
    slope: float
    inter: float
    timing: Timing = field(default_factory=Timing)

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and points."""
        return self.n_samples, self.domain.n_points

    @property
    def n_samples(self) -> int:
        return self.maps.n

    @property
    def point_bytes(self) -> int:
        return self.n_samples * self.dtype.itemsize

    @property
    def expected_bytes(self) -> int:
        return self.offset + self.domain.n_points * self.point_bytes


def read_cifti_layout(stream: Any, name: str, size: int) -> CiftiLayout:
    """Read header and XML at the start of a stream.

    Parameters
    ----------
    stream : file
    name : str
    size : int
        Bytes of the file.

    Raises
    ------
    TypeError
        If the file is no CIFTI-2: a plain NIfTI, CIFTI-1, or a kind that is no table of maps by points.
    CorruptImageError
        If it is broken; the message names the file, the axis and the counts.
    """
    try:
        header = nifti_header(stream, name)
    except CorruptImageError as error:
        raise CorruptImageError(str(error).replace("no NIfTI file", "no CIFTI-2 file")) from None
    if header.template_dtype.itemsize < NIFTI2_BYTES:
        raise TypeError(f"{name} is a NIfTI-1 volume, not CIFTI-2, which has a NIfTI-2 header.")
    offset = int(header["vox_offset"])
    if not 0 <= offset <= size:
        raise CorruptImageError(
            f"{name}: vox_offset of its header puts the matrix at byte {offset}; the file has {size} bytes."
        )
    xml = _cifti_extension(stream, offset, header.endianness, name)
    repaired(header, name)
    shape = _matrix_shape(header, name)
    return _layout(
        xml, shape, header.get_data_dtype(), offset, (header["scl_slope"], header["scl_inter"]), name
    )


def layout_of_data(header: Any, data: NDArray, name: str) -> CiftiLayout:
    """The layout of a nibabel image whose matrix is in memory, scaling applied.

    Raises
    ------
    TypeError, CorruptImageError
        As `read_cifti_layout`.
    """
    return _layout(header.to_xml(), _two_sizes(data.shape, name), data.dtype, 0, (1.0, 0.0), name)


def layout_of_proxy(header: Any, proxy: Any, name: str) -> CiftiLayout:
    """The layout of a nibabel image whose matrix is in its file, with the axes that the image has in memory."""
    shape = _two_sizes(proxy.shape, name)
    return _layout(header.to_xml(), shape, proxy.dtype, int(proxy.offset), (proxy.slope, proxy.inter), name)


def _two_sizes(shape: tuple[int, ...], name: str) -> tuple[int, int]:
    if len(shape) != 2:
        raise TypeError(f"{name} has a matrix of {len(shape)} dimensions {tuple(shape)}; two are read.")
    return int(shape[0]), int(shape[1])


def _layout(
    xml: bytes, shape: tuple[int, int], dtype: Any, offset: int, scaling: tuple[Any, Any], name: str
) -> CiftiLayout:
    maps, domain = _axes(xml, shape, name)
    timing = Timing()
    if isinstance(maps, SeriesAxis):
        timing = believed(maps.step, TIME_UNITS.get(maps.unit, maps.unit.lower()))
    slope, inter = checked_scaling(*scaling, name)
    return CiftiLayout(domain, maps, checked_dtype(dtype, name), offset, slope, inter, timing)


def _cifti_extension(stream: Any, offset: int, order: str, name: str) -> bytes:
    """The XML among the header's extensions."""
    at = NIFTI2_BYTES
    flags = exactly(stream, 4, name) if offset >= at + 4 else b"\0\0\0\0"
    at += 4
    if flags[0]:
        while at + 8 <= offset:
            size, code = struct.unpack(f"{order}ii", exactly(stream, 8, name))
            if size < 8 or at + size > offset:
                raise CorruptImageError(
                    f"{name}: a header extension claims {size} bytes at byte {at}; the data begin at {offset}."
                )
            content = exactly(stream, size - 8, name)
            at += size
            if code == CIFTI_EXTENSION:
                return content.rstrip(b"\0")
    raise TypeError(
        f"{name} is a plain NIfTI-2 file, not CIFTI-2: no XML follows its header. For volumes use the "
        "Nifti maskers."
    )


def _matrix_shape(header: Any, name: str) -> tuple[int, int]:
    """Samples and points."""
    dim = [int(n) for n in header["dim"]]
    shape = dim[1 : dim[0] + 1] if 0 < dim[0] < 8 else []
    if len(shape) < 6 or any(n != 1 for n in shape[:4]):
        raise CorruptImageError(
            f"{name}: its NIfTI header has shape {tuple(shape)}; CIFTI-2 has four sizes of 1 and then those "
            "of the matrix."
        )
    if len(shape) > 6:
        raise TypeError(
            f"{name} has a matrix of {len(shape) - 4} dimensions {tuple(shape[4:])}; two are read."
        )
    if min(shape) < 1:
        raise CorruptImageError(f"{name}: its matrix has shape {tuple(shape[4:])}; sizes must be positive.")
    return shape[4], shape[5]


def _axes(xml: bytes, shape: tuple[int, int], name: str) -> tuple[MapAxis, Grayordinates | Parcels]:
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise CorruptImageError(f"{name}: its CIFTI header is broken XML: {error}.") from None
    if root.tag != "CIFTI":
        raise CorruptImageError(f"{name}: its CIFTI header begins with <{root.tag}>, not <CIFTI>.")
    version = root.get("Version", "")
    if not version.startswith("2"):
        raise TypeError(
            f"{name} is CIFTI version {version or 'unknown'}, not CIFTI-2; wb_command -file-convert "
            "-cifti-version-convert makes CIFTI-2 of it."
        )
    found: dict[int, Element] = {}
    for element in root.iterfind("Matrix/MatrixIndicesMap"):
        for dimension in element.get("AppliesToMatrixDimension", "").split(","):
            if dimension.strip().isdigit():
                found[int(dimension)] = element
    for number, what in ((0, "of samples (dimension 0)"), (1, "of points (dimension 1)")):
        if number not in found:
            raise CorruptImageError(f"{name}: its CIFTI header does not describe the axis {what}.")
    try:
        maps = _map_axis(found[0], shape[0], name)
        domain = _domain(found[1], name)
    except (KeyError, ValueError, OverflowError) as error:
        if isinstance(error, CorruptImageError):
            raise
        missing = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise CorruptImageError(f"{name}: its CIFTI header is wrong: {missing}") from None
    if domain.n_points != shape[1]:
        raise CorruptImageError(
            f"{name}: its axis of points describes {domain.describe()}; the matrix has {shape[1]} of them."
        )
    if maps.n != shape[0]:
        raise CorruptImageError(
            f"{name}: its axis of samples describes {maps.n} {maps.kind}; the matrix has {shape[0]} of them."
        )
    return maps, domain


def _map_axis(element: Element, n: int, name: str) -> MapAxis:
    kind = _kind(element)
    if kind == "SERIES":
        exponent = _exponent(element, "SeriesExponent", "0")
        return SeriesAxis(
            int(element.get("NumberOfSeriesPoints", n)),
            _scaled_by_ten(element.get("SeriesStart", "0"), exponent),
            _scaled_by_ten(element.get("SeriesStep", "1"), exponent),
            element.get("SeriesUnit", "SECOND").upper(),
        )
    names = tuple((e.findtext("MapName") or "") for e in element.iterfind("NamedMap"))
    if kind == "SCALARS":
        return ScalarAxis(names)
    if kind == "LABELS":
        return LabelAxis(names, tuple(_label_table(e) for e in element.iterfind("NamedMap")))
    raise TypeError(
        f"{name} has {kind.lower().replace('_', ' ')} as its axis of samples: it is a matrix of connections. "
        "Series (.dtseries, .ptseries), scalars (.dscalar) and labels (.dlabel) are read."
    )


def _exponent(element: Element, name: str, default: str) -> int:
    exponent = int(element.get(name, default))
    if abs(exponent) > MOST_EXPONENT:
        raise ValueError(f"{name} is {exponent}, beyond any unit")
    return exponent


def _scaled_by_ten(text: str, exponent: int) -> float:
    """A decimal number times a power of ten, as it would be written: 720 at -3 is 0.72."""
    number = float(text)
    return number * 10.0**exponent if exponent >= 0 else number / 10.0**-exponent


def _vertex_count(element: Element) -> int:
    count = int(element.attrib["SurfaceNumberOfVertices"])
    if not 0 < count <= MOST_VERTICES:
        raise ValueError(f"SurfaceNumberOfVertices is {count}; surfaces have 1 to {MOST_VERTICES} vertices")
    return count


def _kind(element: Element) -> str:
    return str(element.get("IndicesMapToDataType", "")).removeprefix("CIFTI_INDEX_TYPE_")


def _label_table(element: Element) -> dict[int, tuple[str, Rgba]]:
    table: dict[int, tuple[str, Rgba]] = {}
    for label in element.iterfind("LabelTable/Label"):
        red, green, blue, alpha = (float(label.get(c, "1")) for c in ("Red", "Green", "Blue", "Alpha"))
        table[int(label.attrib["Key"])] = (label.text or "", (red, green, blue, alpha))
    return table


def _domain(element: Element, name: str) -> Grayordinates | Parcels:
    kind = _kind(element)
    grid = _volume(element)
    if kind == "BRAIN_MODELS":
        return Grayordinates(tuple(_brain_models(element)), grid)
    if kind == "PARCELS":
        return _parcels(element, grid)
    raise TypeError(
        f"{name} has {kind.lower().replace('_', ' ')} as its axis of points; brain models (dense files) or "
        "parcels are read. Was the matrix transposed?"
    )


def _volume(element: Element) -> VoxelGrid | None:
    volume = element.find("Volume")
    if volume is None:
        return None
    shape = tuple(int(n) for n in volume.attrib["VolumeDimensions"].split(","))
    if np.prod(shape, dtype=np.float64) > MOST_VOXELS:
        raise ValueError(f"VolumeDimensions are {shape}, more than any scan has")
    matrix = volume.find("TransformationMatrixVoxelIndicesIJKtoXYZ")
    if matrix is None:
        raise ValueError("its Volume has no TransformationMatrixVoxelIndicesIJKtoXYZ")
    affine = _numbers_in(matrix, np.float64).reshape(4, 4)
    affine[:3] *= 10.0 ** (_exponent(matrix, "MeterExponent", "-3") + MM_PER_METRE_EXPONENT)
    return VoxelGrid(shape, affine)  # type: ignore[arg-type]


def _brain_models(element: Element) -> list[Model]:
    parts = sorted(element.iterfind("BrainModel"), key=lambda e: int(e.attrib["IndexOffset"]))
    models: list[Model] = []
    at = 0
    for part in parts:
        structure = canonical_structure(part.attrib["BrainStructure"])
        offset, count = int(part.attrib["IndexOffset"]), int(part.attrib["IndexCount"])
        if offset != at:
            raise ValueError(f"{structure} begins at row {offset}; the brain models before it end at {at}.")
        at += count
        model: Model
        if part.attrib["ModelType"] == "CIFTI_MODEL_TYPE_SURFACE":
            model = SurfaceModel(structure, _numbers_in(part.find("VertexIndices")), _vertex_count(part))
        else:
            model = VoxelModel(structure, _numbers_in(part.find("VoxelIndicesIJK")).reshape(-1, 3))
        if model.n_points != count:
            raise ValueError(f"{structure} has IndexCount {count} and lists {model.n_points} points.")
        models.append(model)
    return models


def _parcels(element: Element, grid: VoxelGrid | None) -> Parcels:
    sizes = {
        canonical_structure(e.attrib["BrainStructure"]): _vertex_count(e) for e in element.iterfind("Surface")
    }
    names: list[str] = []
    vertices: dict[str, list[tuple[int, NDArray]]] = {}
    voxels: list[tuple[int, NDArray]] = []
    for i, part in enumerate(element.iterfind("Parcel")):
        names.append(part.attrib["Name"])
        for own in part.iterfind("Vertices"):
            structure = canonical_structure(own.attrib["BrainStructure"])
            vertices.setdefault(structure, []).append((i, _numbers_in(own)))
        indices = part.find("VoxelIndicesIJK")
        if indices is not None:
            voxels.append((i, _numbers_in(indices).reshape(-1, 3)))
    return parcels_of(names, vertices, sizes, voxels, grid)


def parcels_of(
    names: list[str],
    vertices: dict[str, list[tuple[int, NDArray]]],
    sizes: dict[str, int],
    voxels: list[tuple[int, NDArray]],
    grid: VoxelGrid | None,
) -> Parcels:
    """Parcels from the vertices that each has on each surface, and its voxels.

    Parameters
    ----------
    names : list of str
    vertices : dict
        For each structure, (parcel, vertex numbers).
    sizes : dict
        Vertices of each whole surface.
    voxels : list
        (parcel, voxel indices (n, 3)).
    grid : VoxelGrid or None
    """
    models: list[Model] = []
    codes: list[NDArray] = []
    for structure, parts in vertices.items():
        if structure not in sizes:
            raise ValueError(f"parcels have vertices of {structure}, a surface of unknown size")
        numbers = np.concatenate([own for _, own in parts])
        owners = np.concatenate([np.full(len(own), i, np.int32) for i, own in parts])
        order = np.argsort(numbers, kind="stable")
        models.append(SurfaceModel(structure, numbers[order], sizes[structure]))
        codes.append(owners[order])
    if voxels:
        # Parcels do not tell the structures of their voxels.
        models.append(VoxelModel("OTHER", np.vstack([own for _, own in voxels])))
        codes.append(np.concatenate([np.full(len(own), i, np.int32) for i, own in voxels]))
    if not sum(map(len, codes)):
        return Parcels(tuple(names), None, np.zeros(0, np.int32))
    return Parcels(tuple(names), Grayordinates(tuple(models), grid), np.concatenate(codes))


def _numbers_in(element: Element, dtype: Any = np.int32) -> NDArray:
    """Numbers in the text of an element."""
    if element is None:
        raise ValueError("a brain model lists no vertices or voxels")
    try:
        return np.array((element.text or "").split(), dtype=dtype)
    except ValueError:
        raise ValueError(f"<{element.tag}> holds something that is no number") from None
