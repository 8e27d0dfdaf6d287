"""Values at vertices in files: GIFTI, FreeSurfer morphometry, annot and label files, MGH and NIfTI overlays.

Formats are told by the ends of names, as programs write them (`.gz` may follow any); FreeSurfer's, which end as
people like (``lh.area.pial``, ``lh.thickness.fwhm10``), by the first bytes.
"""

from __future__ import annotations

import glob
import os
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.files import reading, regular_file
from brainsieve.engine.source import open_source, read_all
from brainsieve.exceptions import MeshDimensionError, MissingFileError
from brainsieve.logs import warn
from brainsieve.surface.freesurfer import (
    freesurfer_annotation,
    freesurfer_label,
    freesurfer_morphometry,
    is_freesurfer_mesh,
    is_freesurfer_morphometry,
    write_freesurfer_annotation,
    write_freesurfer_label,
    write_freesurfer_morphometry,
)
from brainsieve.surface.gifti import Row, gifti_values, values_as_gifti, write_gifti
from brainsieve.surface.label_tables import rows_to_write
from brainsieve.whole_files import replacing

Path = str | os.PathLike[str]

GIFTI = (".gii", ".gii.gz")
MORPHOMETRY = (".curv", ".sulc", ".thickness", ".area", ".volume", ".jacobian_white", ".avg_curv")
VOLUMES = (".mgz", ".mgh", ".nii", ".nii.gz")


def load_surf_data(surf_data: Path | ArrayLike, n_vertices: int | None = None) -> NDArray:
    """Load values at vertices from what a user gave for them.

    Parameters
    ----------
    surf_data : path, glob, list of paths, or array
        GIFTI (``.func.gii``, ``.shape.gii``, ``.label.gii``), FreeSurfer morphometry (``.curv``, ``.sulc``,
        ``.thickness``, ``.area``, ``.area.pial`` …), ``.annot`` (position of each vertex's label in its table, -1
        without one), ``.label`` (the numbers of the vertices it lists), ``.mgz``, ``.mgh``, ``.nii`` overlays.
        Several are put side by side.
    n_vertices : int, optional
        Vertices of the mesh, for GIFTI files that list the vertices that they have values for (NODE_INDEX).
        Default: up to the last one listed.

    Returns
    -------
    values : array of shape (n_vertices,) or (n_vertices, n_samples)
        Of files that list vertices, those that are not listed are NaN, or 0 in whole numbers; a warning says so.

    Raises
    ------
    ValueError
        If it is nothing of the above, if a file is missing, of another format or broken, or several have different
        numbers of vertices.
    """
    return load_labelled(surf_data, n_vertices)[0]


def load_labelled(surf_data: Any, n_vertices: int | None = None) -> tuple[NDArray, list[Row]]:
    """What `load_surf_data` gives, and the rows of the file's own table of labels, where it has one."""
    if isinstance(surf_data, np.ndarray):
        return np.squeeze(surf_data), []
    if isinstance(surf_data, str | os.PathLike):
        return _side_by_side(_files_of(os.path.expanduser(os.fspath(surf_data))), n_vertices)
    if isinstance(surf_data, list | tuple) and surf_data:
        if all(isinstance(item, str | os.PathLike) for item in surf_data):
            return _side_by_side([os.fspath(item) for item in surf_data], n_vertices)
        values = _array_of(surf_data)
        if values is not None:
            return np.squeeze(values), []
    raise ValueError(
        "Values at vertices are a path, a glob, a list of paths or an array; "
        f"{type(surf_data).__name__} was given."
    )


def _array_of(surf_data: Any) -> NDArray | None:
    """Nested lists of numbers as an array; None where they are of other things, or of several lengths."""
    try:
        values = np.asarray(surf_data)
    except ValueError:
        return None
    return values if values.dtype.kind in "biuf" else None


def _files_of(path: str) -> list[str]:
    if os.path.exists(path) or not any(c in path for c in "*?["):
        return [path]
    matches = sorted(glob.glob(path))
    if not matches:
        raise MissingFileError(f"No file matches {path!r}.")
    return matches


def _side_by_side(paths: list[str], n_vertices: int | None) -> tuple[NDArray, list[Row]]:
    read = [read_values(path, n_vertices) for path in paths]
    columns = [values for values, _ in read]
    for path, values in zip(paths, columns, strict=True):
        if len(values) != len(columns[0]):
            raise MeshDimensionError(
                f"{path} has values for {len(values)} vertices, {paths[0]} for {len(columns[0])}."
            )
    if len(columns) == 1:
        return _squeezed(columns[0]), read[0][1]
    return np.concatenate([values.reshape(len(values), -1) for values in columns], axis=1), []


def _squeezed(values: NDArray) -> NDArray:
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


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


def read_values(path: Path, n_vertices: int | None = None) -> tuple[NDArray, list[Row]]:
    """Values of a file at vertices, (n_vertices,) or (n_vertices, n_samples); and its table of labels."""
    file = regular_file(path, "a file of values at vertices")
    name = file.lower()
    plain = name.removesuffix(".gz")
    if name.endswith(GIFTI):
        return gifti_values(file, n_vertices)
    if plain.endswith(VOLUMES):
        return _overlay(file), []
    if plain.endswith(".annot"):
        return freesurfer_annotation(file)
    if plain.endswith(".label"):
        return freesurfer_label(file), []
    if plain.endswith(MORPHOMETRY):
        return freesurfer_morphometry(file), []
    with open(file, "rb") as stream:
        start = stream.read(3)
    if is_freesurfer_morphometry(start):
        return freesurfer_morphometry(file), []
    hint = " It begins as a mesh does." if is_freesurfer_mesh(start) else ""
    raise ValueError(
        f"{file}: neither name nor first bytes tell values at vertices. Names end in "
        f"{', '.join((*GIFTI, '.annot', '.label', *MORPHOMETRY, *VOLUMES))}.{hint}"
    )


def _overlay(path: str) -> NDArray:
    """A volume file that holds values at vertices: all axes but the last of four are vertices.

    Read through the engine: compressed data are verified to their end, and no memory map is handed out, which would
    kill the process when the file is cut later.
    """
    with reading(path, "an overlay"):
        source = open_source(path, wildcards=False, overlays=True)
        grid = source.domain
        if not isinstance(grid, VoxelGrid) or sum(n > 1 for n in grid.shape) > 1:
            raise ValueError(
                f"{path} is a volume ({grid.describe()}), not values at vertices; vol_to_surf samples a volume "
                "on a mesh."
            )
        return _squeezed(np.ascontiguousarray(read_all(source).T))


def save_surf_data(surf_data: Path | ArrayLike, path: Path, lut: Any = None) -> None:
    """Write values at the vertices of one hemisphere, in the format that the name tells.

    Parameters
    ----------
    surf_data : array, path, glob or list of paths
        As `load_surf_data` takes: (n_vertices,) or (n_vertices, n_samples).
    path : path
        Ends in ``.gii``; in ``.curv``, ``.sulc``, ``.thickness`` or ``.area`` (FreeSurfer, one sample, float32);
        in ``.annot`` (labels, -1 for none); in ``.label`` (numbers of vertices, or a bool for each); in ``.mgz`` or
        ``.mgh``. The file appears when it is complete.
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
        with replacing(name) as unfinished:
            nib.save(nib.MGHImage(_as_volume(values, name), np.eye(4)), unfinished)
        return
    if values.ndim != 1:
        raise ValueError(
            f"{name} holds one value for each vertex; values of shape {values.shape} were given."
        )
    if ending.endswith(".annot"):
        labels = _whole_labels(values, name)
        write_freesurfer_annotation(labels, name, rows_to_write(labels[labels != -1], lut))
    elif ending.endswith(".label"):
        write_freesurfer_label(values, name)
    elif ending.endswith(MORPHOMETRY):
        write_freesurfer_morphometry(values, name)
    else:
        raise ValueError(
            f"{name}: the name does not tell a format: "
            f"{', '.join(('.gii', '.annot', '.label', '.mgz', '.mgh', *MORPHOMETRY))}."
        )


def write_values(values: NDArray, path: str, lut: Any = None) -> None:
    """Write values (n_vertices[, n_samples]) as GIFTI."""
    write_gifti({path: values_of_file(values, path, lut)})


def values_of_file(values: NDArray, path: str, lut: Any = None) -> nib.gifti.GiftiImage:
    """Values (n_vertices[, n_samples]) as GIFTI; for ``.label.gii`` with a table of the labels."""
    if not path.lower().endswith(".label.gii"):
        return values_as_gifti(values, path)
    labels = _whole_labels(values, path)
    return values_as_gifti(labels, path, rows_to_write(labels, lut))


def _whole_labels(values: NDArray, path: str) -> NDArray[np.int64]:
    """Labels as whole numbers that 32 bits hold, or say what is none."""
    wrong = ~np.isfinite(values) | (values != np.floor(values)) if values.dtype.kind == "f" else None
    if wrong is not None and wrong.any():
        raise ValueError(
            f"{path} holds labels, which are whole numbers; {values[wrong][0]} was found. Other values go into "
            ".shape.gii or .func.gii."
        )
    if values.size and (values.min() < np.iinfo(np.int32).min or values.max() > np.iinfo(np.int32).max):
        raise ValueError(f"{path} holds labels of 32 bits; they reach from {values.min()} to {values.max()}.")
    return values.astype(np.int64)


def _as_volume(values: NDArray, path: str) -> NDArray:
    """Values as MGH holds overlays: (n_vertices, 1, 1[, n_samples]), in a dtype that it has."""
    dtype = np.dtype(np.float32 if values.dtype.kind == "f" else np.int32)
    if dtype.kind == "i" and values.size and not np.array_equal(values.astype(np.int32), values):
        raise ValueError(f"{path}: MGH files hold 32-bit numbers; the values reach {values.max()}.")
    narrow = np.ascontiguousarray(values, dtype=dtype)
    return narrow.reshape(len(values), 1, 1, *values.shape[1:])
