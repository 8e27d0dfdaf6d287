"""FreeSurfer's own formats: geometry, morphometry, labels and annotations.

Read here and not by nibabel, which returns fewer values than a cut file promises, allocates what a header claims,
gives vertices of unknown colours a neighbouring region, and does not read compressed files. All numbers are
big-endian.

Source of the formats: https://surfer.nmr.mgh.harvard.edu/fswiki/FileFormats, LabelsClutsAnnotationFiles.
"""

from __future__ import annotations

from collections.abc import Sequence

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.files import reading
from brainsieve.exceptions import CorruptImageError
from brainsieve.logs import warn
from brainsieve.surface.contents import contents_of
from brainsieve.whole_files import replacing

TRIANGLES, NEW_QUADS, QUADS = b"\xff\xff\xfe", b"\xff\xff\xfd", b"\xff\xff\xff"
# Morphometry of today begins as old quadrangles do: only the name tells them apart.
NEW_MORPHOMETRY = b"\xff\xff\xff"
HAS_COLOUR_TABLE = 1
COLOUR_TABLE_VERSION = 2

Row = tuple[int, str, str]


class _Bytes:
    """The contents of a file, taken piece by piece: never more than there is."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.raw = contents_of(path)
        self.at = 0

    @property
    def left(self) -> int:
        return len(self.raw) - self.at

    def numbers(self, count: int, dtype: str, what: str) -> NDArray:
        """The next numbers, in the machine's order; `what` they are, for the message."""
        wanted = np.dtype(dtype)
        if count < 0 or count * wanted.itemsize > self.left:
            raise CorruptImageError(
                f"{self.path} promises {count} {what}; {self.left // wanted.itemsize} are there."
            )
        found = np.frombuffer(self.raw, dtype=wanted, count=count, offset=self.at)
        self.at += count * wanted.itemsize
        return found.astype(wanted.newbyteorder("="))

    def number(self, what: str) -> int:
        return int(self.numbers(1, ">i4", what)[0])

    def three_bytes(self, count: int, what: str) -> NDArray[np.int32]:
        parts = self.numbers(3 * count, "u1", what).reshape(count, 3).astype(np.int32)
        return (parts[:, 0] << 16) | (parts[:, 1] << 8) | parts[:, 2]

    def line(self) -> bytes:
        end = self.raw.find(b"\n", self.at)
        if end < 0:
            raise CorruptImageError(f"{self.path} ends within its first lines.")
        found, self.at = self.raw[self.at : end], end + 1
        return found

    def name(self) -> str:
        """A text with its length before it; the length counts the 0 at its end."""
        size = self.number("letters of a name")
        text = bytes(self.numbers(size, "u1", "letters of a name"))
        return text.partition(b"\0")[0].decode("utf-8", "replace")

    def refuse_more(self, what: str) -> None:
        if self.left:
            raise CorruptImageError(f"{self.path} has {self.left} bytes more than {what}.")


def is_freesurfer_mesh(start: bytes) -> bool:
    """Whether a file begins as geometry does, whatever its name."""
    return start[:3] in (TRIANGLES, NEW_QUADS)


def is_freesurfer_morphometry(start: bytes) -> bool:
    """Whether a file begins as morphometry does, whatever its name."""
    return start[:3] == NEW_MORPHOMETRY


def freesurfer_mesh(path: str) -> tuple[NDArray, NDArray]:
    """Coordinates (n, 3) and faces (m, 3)."""
    with reading(path, "a FreeSurfer geometry"):
        file = _Bytes(path)
        magic = bytes(file.numbers(3, "u1", "first bytes"))
        if magic == TRIANGLES:
            return _triangles(file)
        if magic in (QUADS, NEW_QUADS):
            return _quadrangles(file, magic)
        raise CorruptImageError(f"{path} is no FreeSurfer geometry: it begins with {magic!r}.")


def _triangles(file: _Bytes) -> tuple[NDArray, NDArray]:
    # "created by … on …", then an empty line.
    file.line()
    file.line()
    n_vertices, n_faces = file.number("vertices"), file.number("faces")
    coordinates = file.numbers(3 * n_vertices, ">f4", "coordinates").reshape(n_vertices, 3)
    return coordinates, file.numbers(3 * n_faces, ">i4", "corners of faces").reshape(n_faces, 3)


def _quadrangles(file: _Bytes, magic: bytes) -> tuple[NDArray, NDArray]:
    """Files of the 1990s; each quadrangle is cut in two, along a diagonal that its first vertex tells."""
    n_vertices, n_quads = (int(n) for n in file.three_bytes(2, "sizes"))
    if magic == QUADS:
        coordinates = file.numbers(3 * n_vertices, ">i2", "coordinates").astype(np.float64) / 100
    else:
        coordinates = file.numbers(3 * n_vertices, ">f4", "coordinates").astype(np.float64)
    quads = file.three_bytes(4 * n_quads, "corners of quadrangles").reshape(n_quads, 4)
    even = (quads[:, :1] % 2) == 0
    first = np.where(even, quads[:, [0, 1, 3]], quads[:, [0, 1, 2]])
    second = np.where(even, quads[:, [2, 3, 1]], quads[:, [0, 2, 3]])
    return coordinates.reshape(n_vertices, 3), np.stack([first, second], axis=1).reshape(-1, 3)


def freesurfer_morphometry(path: str) -> NDArray[np.float32]:
    """Values of ``.curv``, ``.sulc``, ``.thickness`` and their like, (n_vertices,)."""
    with reading(path, "FreeSurfer morphometry"):
        file = _Bytes(path)
        first = file.three_bytes(1, "first bytes")
        if int(first[0]) == 0xFFFFFF:
            n_vertices, _, per_vertex = (file.number("sizes") for _ in range(3))
            if per_vertex != 1:
                raise CorruptImageError(f"{path} has {per_vertex} values at each vertex; one was expected.")
            values = file.numbers(n_vertices, ">f4", "values")
        else:
            # Before 1999: hundredths, and a count of 24 bits in place of the mark.
            file.three_bytes(1, "sizes")
            values = (file.numbers(int(first[0]), ">i2", "values") / 100).astype(np.float32)
        file.refuse_more(f"its {len(values)} values")
        return values


def freesurfer_label(path: str) -> NDArray[np.int64]:
    """Numbers of the vertices that a ``.label`` file lists."""
    with reading(path, "a FreeSurfer label"):
        _, *lines = contents_of(path).decode("ascii").splitlines()
        if not lines:
            raise CorruptImageError(f"{path} ends within its first lines.")
        promised = int(lines[0])
        rows = [line.split() for line in lines[1:] if line.strip()]
        if promised != len(rows) or any(len(row) < 5 for row in rows):
            complete = sum(len(row) >= 5 for row in rows)
            raise CorruptImageError(f"{path} promises {promised} vertices; {complete} are there.")
        return np.array([int(row[0]) for row in rows], dtype=np.int64)


def freesurfer_annotation(path: str) -> tuple[NDArray[np.int32], list[Row]]:
    """Position in the table of each vertex's label, -1 without one; and the table: position, name, RRGGBB."""
    with reading(path, "a FreeSurfer annotation"):
        file = _Bytes(path)
        n_vertices = file.number("vertices")
        pairs = file.numbers(2 * n_vertices, ">i4", "numbers (two for each vertex)").reshape(-1, 2)
        vertices = pairs[:, 0]
        if not np.array_equal(np.sort(vertices), np.arange(n_vertices)):
            raise CorruptImageError(f"{path}: its vertices are not 0 … {n_vertices - 1}, each once.")
        colours = np.empty(n_vertices, dtype=np.int64)
        colours[vertices] = pairs[:, 1]
        if file.left < 4 or file.number("marks") != HAS_COLOUR_TABLE:
            raise CorruptImageError(f"{path} has no table of names and colours.")
        table = _colour_table(file)
    return _positions(colours, table, path), [
        (position, name, "".join(f"{c:02X}" for c in rgb)) for position, (name, rgb) in sorted(table.items())
    ]


def _colour_table(file: _Bytes) -> dict[int, tuple[str, tuple[int, int, int]]]:
    n = file.number("entries")
    numbered = n < 0
    if numbered:
        if -n != COLOUR_TABLE_VERSION:
            raise CorruptImageError(f"{file.path}: its table is of version {-n}; 2 is known.")
        n_positions = file.number("positions")
        file.name()
        n = file.number("entries")
    else:
        n_positions = n
        file.name()
    table: dict[int, tuple[str, tuple[int, int, int]]] = {}
    # Each entry takes bytes of the file, so that a count beyond it ends in an error soon.
    for position in range(n):
        if numbered:
            position = file.number("entries")
        name = file.name()
        red, green, blue, _ = (int(c) for c in file.numbers(4, ">i4", "parts of a colour"))
        if (
            not 0 <= position < n_positions
            or position in table
            or not all(0 <= c < 256 for c in (red, green, blue))
        ):
            raise CorruptImageError(f"{file.path}: entry {position} ({name!r}) of its table is broken.")
        table[position] = name, (red, green, blue)
    return table


def _positions(
    colours: NDArray[np.int64], table: dict[int, tuple[str, tuple[int, int, int]]], path: str
) -> NDArray[np.int32]:
    """FreeSurfer writes the colour of each vertex's label; 0 says that it has none."""
    keys = np.array([r | g << 8 | b << 16 for _, (r, g, b) in table.values()], dtype=np.int64)
    numbers = np.array(list(table), dtype=np.int32)
    positions = np.full(len(colours), -1, dtype=np.int32)
    if len(keys):
        order = np.argsort(keys, kind="stable")
        at = np.minimum(np.searchsorted(keys[order], colours), len(keys) - 1)
        known = (keys[order][at] == colours) & (colours != 0)
        positions[known] = numbers[order][at][known]
    lost = int(((positions < 0) & (colours != 0)).sum())
    if lost:
        warn(f"{path}: {lost} vertices have colours that its table does not; they are without a label (-1).")
    return positions


# -- writing -------------------------------------------------------------------------------------------


def write_freesurfer_mesh(coordinates: NDArray, faces: NDArray, path: str) -> None:
    with replacing(path) as unfinished:
        nib.freesurfer.write_geometry(str(unfinished), coordinates, faces)


def write_freesurfer_morphometry(values: NDArray, path: str) -> None:
    with replacing(path) as unfinished:
        nib.freesurfer.write_morph_data(str(unfinished), values.astype(np.float32))


def write_freesurfer_label(values: NDArray, path: str) -> None:
    """Numbers of vertices, or a bool for each."""
    vertices = np.flatnonzero(values) if values.dtype == bool else values
    if vertices.dtype.kind not in "iu" or (vertices.size and vertices.min() < 0):
        raise ValueError(f"{path} lists vertices: give their numbers, or a bool for each vertex.")
    lines = ["#!ascii label", str(len(vertices)), *(f"{int(v)} 0.0 0.0 0.0 0.0" for v in vertices)]
    with replacing(path) as unfinished:
        unfinished.write_text("\n".join(lines) + "\n", encoding="ascii")


def write_freesurfer_annotation(
    values: NDArray, path: str, rows: Sequence[tuple[int, str, Sequence[int]]]
) -> None:
    """FreeSurfer knows labels by their colours, and by their position in the table; -1 is no label."""
    colours = [tuple(colour) for _, _, colour in rows]
    if len(set(colours)) < len(colours):
        raise ValueError(f"{path}: labels of .annot files need different colours; lut repeats some.")
    if not rows:
        raise ValueError(f"{path}: no vertex has a label; a table of none cannot be written.")
    keys = np.array([key for key, _, _ in rows])
    order = np.argsort(keys)
    at = np.minimum(np.searchsorted(keys[order], values), len(keys) - 1)
    positions = np.where(keys[order][at] == values, order[at], -1)
    table = np.array([[*colour, 0, 0] for colour in colours])
    names = [name for _, name, _ in rows]
    with replacing(path) as unfinished:
        nib.freesurfer.write_annot(str(unfinished), positions, table, names, fill_ctab=True)
