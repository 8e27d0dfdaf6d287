"""Files of surfaces: GIFTI, FreeSurfer geometry, morphometry, annot and label files, MGH overlays.

Formats are told by the ends of names, as programs write them; `.gz` may follow any.
"""

from __future__ import annotations

import glob
import gzip
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.mesh import Mesh
from brainsieve.exceptions import CorruptImageError, MeshDimensionError
from brainsieve.logs import warn

if TYPE_CHECKING:
    import pandas as pd

    from brainsieve.surface.meshes import InMemoryMesh

GIFTI = (".gii", ".gii.gz")
GEOMETRY = (".orig", ".pial", ".white", ".sphere", ".inflated", ".smoothwm", ".midthickness")
MORPHOMETRY = (".curv", ".sulc", ".thickness", ".area", ".volume", ".jacobian_white", ".avg_curv")
VOLUMES = (".mgz", ".mgh", ".nii", ".nii.gz")


def load_surf_mesh(surf_mesh: Any) -> InMemoryMesh:
    """Load a mesh from what a user gave for one.

    Parameters
    ----------
    surf_mesh : path, mesh, or pair of arrays
        A GIFTI file (``.gii``, ``.gii.gz``), a FreeSurfer geometry (``.pial``, ``.white``, ``.inflated``,
        ``.sphere``, ``.orig``), a `SurfaceMesh`, or (coordinates, faces).

    Returns
    -------
    mesh : InMemoryMesh
        ``coordinates`` of shape (n_vertices, 3) in mm, ``faces`` of shape (n_faces, 3).

    Raises
    ------
    ValueError
        If the file is missing, of another format or broken, or faces name vertices that do not exist.
    TypeError
        If it is nothing of the above.
    """
    from brainsieve.surface.meshes import InMemoryMesh

    if isinstance(surf_mesh, str | os.PathLike):
        coordinates, faces = read_mesh(_existing(surf_mesh))
        return InMemoryMesh(coordinates, faces)
    if hasattr(surf_mesh, "coordinates") and hasattr(surf_mesh, "faces"):
        return InMemoryMesh(surf_mesh.coordinates, surf_mesh.faces)
    if isinstance(surf_mesh, list | tuple | np.ndarray):
        if len(surf_mesh) != 2:
            raise ValueError(f"A mesh is a pair (coordinates, faces); {len(surf_mesh)} arrays were given.")
        return InMemoryMesh(*surf_mesh)
    raise TypeError(
        f"A mesh is a path, a pair (coordinates, faces) or an object with these attributes; "
        f"{type(surf_mesh).__name__} was given."
    )


def load_surf_data(surf_data: Any) -> NDArray:
    """Load values at vertices from what a user gave for them.

    Parameters
    ----------
    surf_data : path, glob, list of paths, or array
        GIFTI (``.func.gii``, ``.shape.gii``, ``.label.gii``), FreeSurfer morphometry (``.curv``, ``.sulc``,
        ``.thickness``, ``.area``), ``.annot`` (position of each vertex's label in its table), ``.label`` (the
        numbers of the vertices it lists), ``.mgz``, ``.mgh``, ``.nii`` overlays. Several are put side by side.

    Returns
    -------
    values : array of shape (n_vertices,) or (n_vertices, n_samples)

    Raises
    ------
    ValueError
        If a file is missing, of another format or broken, or several have different numbers of vertices.
    TypeError
        If it is nothing of the above.
    """
    if isinstance(surf_data, np.ndarray):
        return np.squeeze(surf_data)
    if isinstance(surf_data, str | os.PathLike):
        return _squeezed(_side_by_side(_files_of(os.path.expanduser(os.fspath(surf_data)))))
    if isinstance(surf_data, list | tuple) and surf_data:
        if all(isinstance(item, str | os.PathLike) for item in surf_data):
            return _squeezed(_side_by_side([str(item) for item in surf_data]))
        return np.squeeze(np.asarray(surf_data))
    raise TypeError(
        "Values at vertices are a path, a glob, a list of paths or an array; "
        f"{type(surf_data).__name__} was given."
    )


def _files_of(path: str) -> list[str]:
    if os.path.exists(path) or not any(c in path for c in "*?["):
        return [path]
    matches = sorted(glob.glob(path))
    if not matches:
        raise ValueError(f"No file matches {path!r}.")
    return matches


def _side_by_side(paths: list[str]) -> NDArray:
    columns = [read_values(_existing(path)) for path in paths]
    for path, values in zip(paths, columns, strict=True):
        if len(values) != len(columns[0]):
            raise MeshDimensionError(
                f"{path} has values for {len(values)} vertices, {paths[0]} for {len(columns[0])}."
            )
    if len(columns) == 1:
        return columns[0]
    return np.concatenate([values.reshape(len(values), -1) for values in columns], axis=1)


def _squeezed(values: NDArray) -> NDArray:
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _existing(path: Any) -> str:
    path = os.path.expanduser(os.fspath(path))
    if not os.path.exists(path):
        raise ValueError(f"File not found: {path!r}")
    if os.path.isdir(path):
        raise ValueError(f"{path!r} is a folder; give a file of a surface.")
    if os.path.getsize(path) == 0:
        raise CorruptImageError(f"{path} is empty: it has 0 bytes.")
    return path


def warn_of_other_side(path: Any, part: str) -> None:
    """Warn where the name of a file given for one hemisphere tells the other."""
    if not isinstance(path, str | os.PathLike):
        return
    name = os.path.basename(os.fspath(path))
    other, marks = ("right", ("hemi-R", "rh.")) if part == "left" else ("left", ("hemi-L", "lh."))
    if any(name.startswith(mark) or f"_{mark}" in name for mark in marks):
        warn(
            f"{name} was given for the {part} hemisphere; its name tells the {other} one. Were they swapped?",
        )


def read_mesh(path: str) -> tuple[NDArray, NDArray]:
    """Coordinates and faces of a file, checked."""
    name = path.lower()
    if name.endswith(GIFTI):
        image = _gifti(path)
        parts = [
            [array.data for array in image.get_arrays_from_intent(intent)]
            for intent in ("NIFTI_INTENT_POINTSET", "NIFTI_INTENT_TRIANGLE")
        ]
        if len(parts[0]) != 1 or len(parts[1]) != 1:
            raise ValueError(
                f"{path} holds no mesh: a mesh has one array of points and one of triangles, this file "
                f"{len(parts[0])} and {len(parts[1])}. Is it a file of values?"
            )
        coordinates, faces = parts[0][0], parts[1][0]
    elif name.removesuffix(".gz").endswith(GEOMETRY):
        coordinates, faces = _freesurfer(nib.freesurfer.read_geometry, path)
        faces = faces.astype(np.int32, copy=False)
    else:
        raise ValueError(
            f"{path}: the name does not tell a mesh. Meshes end in {', '.join((*GIFTI, *GEOMETRY))}."
        )
    mesh = Mesh(coordinates, faces, path)
    return mesh.coordinates, mesh.faces


def read_values(path: str) -> NDArray:
    """Values of a file at vertices, (n_vertices,) or (n_vertices, n_samples)."""
    name = path.lower()
    plain = name.removesuffix(".gz")
    if name.endswith(GIFTI):
        return _gifti_values(path)
    if plain.endswith(VOLUMES):
        return _overlay(path)
    if plain.endswith(".annot"):
        return _freesurfer(lambda file: nib.freesurfer.read_annot(file)[0], path)
    if plain.endswith(".label"):
        return _freesurfer(nib.freesurfer.read_label, path)
    if plain.endswith(MORPHOMETRY):
        return _freesurfer(nib.freesurfer.read_morph_data, path)
    raise ValueError(
        f"{path}: the name does not tell values at vertices. They end in "
        f"{', '.join((*GIFTI, '.annot', '.label', *MORPHOMETRY, *VOLUMES))}."
    )


def _gifti_values(path: str) -> NDArray:
    arrays = [
        array.data
        for array in _gifti(path).darrays
        if nib.nifti1.intent_codes.niistring[array.intent]
        not in ("NIFTI_INTENT_POINTSET", "NIFTI_INTENT_TRIANGLE")
    ]
    if not arrays:
        raise ValueError(f"{path} holds no values at vertices. Is it a mesh?")
    lengths = {len(array) for array in arrays}
    if len(lengths) > 1:
        raise CorruptImageError(
            f"{path}: its {len(arrays)} arrays have values for different numbers of vertices: {sorted(lengths)}."
        )
    if len(arrays) == 1:
        return arrays[0]
    return np.stack([array.reshape(len(array)) for array in arrays], axis=1)


def _overlay(path: str) -> NDArray:
    """A volume file that holds values at vertices: all axes but the last of four are vertices."""
    try:
        data = np.asanyarray(nib.load(path).dataobj)  # type: ignore[attr-defined]
    except (OSError, EOFError, ValueError, KeyError, zlib.error, nib.filebasedimages.ImageFileError) as error:
        raise CorruptImageError(f"{path} cannot be read: {error}") from None
    if sum(n > 1 for n in data.shape[:3]) > 1:
        raise ValueError(
            f"{path} is a volume of shape {data.shape}, not values at vertices; vol_to_surf samples a volume "
            "on a mesh."
        )
    return np.squeeze(data.reshape(int(np.prod(data.shape[:3])), -1))


def _gifti(path: str) -> Any:
    try:
        if path.lower().endswith(".gz"):
            with gzip.open(path) as file:
                return nib.gifti.GiftiImage.from_bytes(file.read())
        image = nib.load(path)
    except Exception as error:  # nibabel's GIFTI parser raises what expat, zlib, NumPy and base64 do
        raise CorruptImageError(f"{path} cannot be read as GIFTI: {error}") from None
    if not isinstance(image, nib.gifti.GiftiImage):
        raise CorruptImageError(f"{path} is no GIFTI file.")
    return image


def _freesurfer(read: Callable[[str], Any], path: str) -> Any:
    if path.lower().endswith(".gz"):
        import tempfile

        # nibabel reads these formats from files by name only.
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder) / Path(path).name[:-3]
            plain.write_bytes(gzip.decompress(Path(path).read_bytes()))
            return _freesurfer(read, str(plain))
    try:
        return read(path)
    except Exception as error:  # what nibabel's readers raise for broken files has no common class
        raise CorruptImageError(f"{path} cannot be read as a FreeSurfer file: {error}") from None


def read_label_table(path: Any) -> pd.DataFrame:
    """Names and colours of the labels in a ``.label.gii`` or ``.annot`` file.

    Parameters
    ----------
    path : path

    Returns
    -------
    table : pandas.DataFrame
        ``index`` (the values that `load_surf_data` gives), ``name`` and ``color`` (RRGGBB); what the `lut` of
        the labels maskers takes.

    Raises
    ------
    ValueError
        If the file has no label table.
    """
    import pandas as pd

    path = _existing(path)
    rows: list[tuple[int, str, str]] = []
    if path.lower().removesuffix(".gz").endswith(".annot"):
        _, colours, names = _freesurfer(nib.freesurfer.read_annot, path)
        for i, (colour, name) in enumerate(zip(colours, names, strict=True)):
            rows.append((i, name.decode("utf-8", "replace"), "".join(f"{int(c):02X}" for c in colour[:3])))
    elif path.lower().endswith(GIFTI):
        for label in _gifti(path).labeltable.labels:
            colour = [round(255 * float(c or 0)) for c in (label.red, label.green, label.blue)]
            rows.append((int(label.key), label.label or "", "".join(f"{c:02X}" for c in colour)))
    if not rows:
        raise ValueError(f"{path} has no label table.")
    return pd.DataFrame(rows, columns=["index", "name", "color"])


def write_values(values: NDArray, path: str, lut: Any = None) -> None:
    """Write values (n_vertices[, n_samples]) as GIFTI, an array for each sample; labels keep whole numbers."""
    is_label = path.lower().endswith(".label.gii")
    intent = "NIFTI_INTENT_LABEL" if is_label else "NIFTI_INTENT_NONE"
    if path.lower().endswith(".func.gii") and values.ndim == 2:
        intent = "NIFTI_INTENT_TIME_SERIES"
    # GIFTI knows three types.
    dtype = {"f": np.float32, "b": np.uint8, "u": np.uint8, "i": np.int32}[values.dtype.kind]
    if values.dtype.kind in "iu" and values.size and (values.min() < 0 or values.max() > 255):
        dtype = np.int32
    if is_label:
        dtype = np.int32
    image = nib.gifti.GiftiImage()
    for column in values.reshape(len(values), -1).T:
        image.add_gifti_data_array(
            nib.gifti.GiftiDataArray(np.ascontiguousarray(column, dtype=dtype), intent=intent)
        )
    if is_label:
        for key, name, colour in _label_rows(values.astype(np.int64), lut):
            label = nib.gifti.GiftiLabel(key, *(c / 255 for c in colour), 0.0 if key == 0 else 1.0)
            label.label = name
            image.labeltable.labels.append(label)
    nib.save(image, path)


def write_mesh(coordinates: NDArray, faces: NDArray, path: str) -> None:
    """Write a mesh as GIFTI."""
    image = nib.gifti.GiftiImage()
    for array, intent, dtype in (
        (coordinates, "NIFTI_INTENT_POINTSET", np.float32),
        (faces, "NIFTI_INTENT_TRIANGLE", np.int32),
    ):
        image.add_gifti_data_array(
            nib.gifti.GiftiDataArray(np.ascontiguousarray(array, dtype=dtype), intent=intent)
        )
    nib.save(image, path)


def save_surf_mesh(mesh: Any, path: Any) -> None:
    """Write a mesh, in the format that the name tells.

    Parameters
    ----------
    mesh : path, mesh, or pair of arrays
        As `load_surf_mesh` takes.
    path : path
        Ends in ``.gii``, or as FreeSurfer's geometry does (``.pial``, ``.white``, ``.inflated``, ``.sphere``,
        ``.orig``).

    Raises
    ------
    ValueError
        If the name tells no format.
    """
    loaded = load_surf_mesh(mesh)
    name = os.path.expanduser(os.fspath(path))
    if name.lower().endswith(".gii"):
        write_mesh(loaded.coordinates, loaded.faces, name)
    elif name.lower().endswith(GEOMETRY):
        nib.freesurfer.write_geometry(name, loaded.coordinates, loaded.faces)
    else:
        raise ValueError(f"{name}: the name does not tell a format of meshes: .gii, {', '.join(GEOMETRY)}.")


def save_surf_data(surf_data: Any, path: Any, lut: Any = None) -> None:
    """Write values at the vertices of one hemisphere, in the format that the name tells.

    Parameters
    ----------
    surf_data : array, path, glob or list of paths
        As `load_surf_data` takes: (n_vertices,) or (n_vertices, n_samples).
    path : path
        Ends in ``.gii``; in ``.curv``, ``.sulc``, ``.thickness`` or ``.area`` (FreeSurfer, one sample, float32);
        in ``.annot`` (labels); in ``.label`` (numbers of vertices, or a bool for each); in ``.mgz`` or ``.mgh``.
    lut : pandas.DataFrame, optional
        ``index``, ``name`` and perhaps ``color`` (RRGGBB) of labels, for ``.annot`` and ``.label.gii``, as
        `read_label_table` gives. Default: numbers for names.

    Raises
    ------
    ValueError
        If the name tells no format, or the format cannot hold the values.
    """
    values = load_surf_data(surf_data)
    name = os.path.expanduser(os.fspath(path))
    ending = name.lower()
    if ending.endswith(".gii"):
        write_values(values, name, lut)
        return
    if ending.endswith((".mgz", ".mgh")):
        nib.save(nib.MGHImage(_as_volume(values), np.eye(4)), name)
        return
    if values.ndim != 1:
        raise ValueError(
            f"{name} holds one value for each vertex; values of shape {values.shape} were given."
        )
    if ending.endswith(".annot"):
        _write_annot(values, name, lut)
    elif ending.endswith(".label"):
        _write_label(values, name)
    elif ending.endswith(MORPHOMETRY):
        nib.freesurfer.write_morph_data(name, values.astype(np.float32))
    else:
        raise ValueError(
            f"{name}: the name does not tell a format: "
            f"{', '.join(('.gii', '.annot', '.label', '.mgz', '.mgh', *MORPHOMETRY))}."
        )


def _as_volume(values: NDArray) -> NDArray:
    """Values as MGH holds overlays: (n_vertices, 1, 1[, n_samples]), in a dtype that it has."""
    dtype = np.float32 if values.dtype.kind == "f" else np.int32
    narrow = np.ascontiguousarray(values, dtype=dtype)
    return narrow.reshape(len(values), 1, 1, *values.shape[1:])


def _label_rows(values: NDArray, lut: Any) -> list[tuple[int, str, tuple[int, int, int]]]:
    """Key, name and colour of each label in a table, or of those that there are."""
    if lut is None:
        keys = [int(key) for key in np.unique(values)]
        hues = [(37 * key % 256, 101 * key % 256, 197 * key % 256) for key in keys]
        return list(zip(keys, map(str, keys), hues, strict=True))
    colours = lut["color"] if "color" in lut.columns else ["808080"] * len(lut)
    rows = []
    for key, name, colour in zip(lut["index"], lut["name"], colours, strict=True):
        text = str(colour).lstrip("#")
        rows.append((int(key), str(name), tuple(int(text[i : i + 2], 16) for i in (0, 2, 4))))
    missing = sorted(set(np.unique(values).tolist()) - {key for key, _, _ in rows})
    if missing:
        raise ValueError(f"lut has no row for the labels {missing[:8]} in the values.")
    return rows  # type: ignore[return-value]


def _write_annot(values: NDArray, path: str, lut: Any) -> None:
    """FreeSurfer knows labels by their colours, and by their position in the table."""
    if values.dtype.kind not in "iu":
        raise ValueError(f"{path} holds labels, which are whole numbers; the values are {values.dtype}.")
    rows = _label_rows(values, lut)
    colours = [row[2] for row in rows]
    if len(set(colours)) < len(colours):
        raise ValueError(f"{path}: labels of .annot files need different colours; lut repeats some.")
    position = {key: i for i, (key, _, _) in enumerate(rows)}
    positions = np.array([position[int(value)] for value in values])
    table = np.array([[*colour, 0, 0] for colour in colours])
    nib.freesurfer.write_annot(path, positions, table, [name for _, name, _ in rows], fill_ctab=True)


def _write_label(values: NDArray, path: str) -> None:
    vertices = np.flatnonzero(values) if values.dtype == bool else values
    if vertices.dtype.kind not in "iu" or (vertices.size and vertices.min() < 0):
        raise ValueError(f"{path} lists vertices: give their numbers, or a bool for each vertex.")
    lines = ["#!ascii label", str(len(vertices)), *(f"{int(v)} 0.0 0.0 0.0 0.0" for v in vertices)]
    Path(path).write_text("\n".join(lines) + "\n", encoding="ascii")
