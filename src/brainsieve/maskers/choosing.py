"""The domain of what a user gives, and the masker that goes with a run and an atlas."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import nibabel as nib

from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.files import reading
from brainsieve.engine.grayordinates import Grayordinates, Parcels
from brainsieve.engine.mesh import SurfaceVertices
from brainsieve.engine.source import open_source
from brainsieve.engine.source.base import Source
from brainsieve.engine.source.cifti import CiftiSource, is_cifti, open_cifti
from brainsieve.engine.source.cifti_header import LabelAxis
from brainsieve.maskers.base import MaskerContract
from brainsieve.maskers.cifti import CiftiLabelsMasker, CiftiMapsMasker
from brainsieve.maskers.labels import NiftiLabelsMasker
from brainsieve.maskers.maps import NiftiMapsMasker
from brainsieve.maskers.output import is_one_file
from brainsieve.maskers.surface import SurfaceLabelsMasker, SurfaceMapsMasker
from brainsieve.surface.images import PolyData, SurfaceImage, label_tables_of
from brainsieve.surface.label_tables import joined_tables
from brainsieve.surface.opening import is_surface_image, open_surface

# Ends of the names of files of values at vertices that may stand for a run or an atlas.
SURFACE_SUFFIXES = (".gii", ".gii.gz", ".annot")
# Volumes by their name, values at vertices by their shape: FreeSurfer's overlays.
OVERLAY_SUFFIXES = (".mgz", ".mgh")
# How names tell the hemispheres, left first; the surest first: "left" may be of a hand.
PARTS = ("left", "right")
SIDES = (("hemi-L", "hemi-R"), ("lh.", "rh."), (".L.", ".R."), ("_L.", "_R."), ("left", "right"))

WHAT_WORKS = {
    ("CIFTI", "volumes"): "a .dlabel.nii or .dscalar.nii atlas",
    (
        "CIFTI",
        "surfaces",
    ): "a .dlabel.nii, or CiftiLabelsMasker({'left': ..., 'right': ...}) for GIFTI labels",
    ("surfaces", "volumes"): "GIFTI labels, or an atlas sampled on the mesh with SurfaceImage.from_volume",
    ("surfaces", "CIFTI"): "the cortex of the atlas, from brainsieve.surface.from_cifti",
    ("volumes", "CIFTI"): "a volume atlas (.nii.gz)",
    ("volumes", "surfaces"): "a volume atlas, or the run sampled on the mesh with SurfaceImage.from_volume",
}


def open_any(img: Any) -> Source:
    """Open an image of any domain.

    Parameters
    ----------
    img : image-like, SurfaceImage, PolyData, nibabel.Cifti2Image, or paths
        GIFTI files and FreeSurfer's overlays (.mgz of vertices) are given as a pair (left, right) or a dict with
        these parts, as "LEFT,RIGHT", or as one of them: the other hemisphere is found by its name.

    Returns
    -------
    source : Source
    """
    if is_cifti(img):
        return open_cifti(img)
    surface = surface_of(img)
    if surface is not None:
        return open_surface(surface)
    return open_source(img)


def surface_of(img: Any) -> SurfaceImage | PolyData | None:
    """The surface image that an argument stands for; None where it stands for none."""
    if is_surface_image(img):
        return img
    if isinstance(img, Mapping):
        return PolyData(**img)
    files = surface_files(img)
    return None if files is None else PolyData(**files)


def surface_files(img: Any) -> dict[str, str] | None:
    """The files of the hemispheres that an argument names; None where it names none.

    Raises
    ------
    ValueError
        If one file of a pair is missing.
    """
    if isinstance(img, list | tuple) and len(img) == 2 and all(map(_is_surface_path, img)):
        return {"left": os.fspath(img[0]), "right": os.fspath(img[1])}
    if not isinstance(img, str | os.PathLike):
        return None
    path = os.fspath(img)
    pair = path.split(",")
    if len(pair) == 2 and all(map(_is_surface_path, pair)):
        return {"left": pair[0].strip(), "right": pair[1].strip()}
    return pair_of(path) if _is_surface_path(path) else None


def _is_surface_path(path: Any) -> bool:
    if not isinstance(path, str | os.PathLike):
        return False
    name = os.fspath(path).strip()
    return name.lower().endswith(SURFACE_SUFFIXES) or _is_overlay(name)


def _is_overlay(path: str) -> bool:
    path = os.path.expanduser(path)
    if not path.lower().endswith(OVERLAY_SUFFIXES) or not os.path.isfile(path):
        return False
    with reading(path, "MGH"):
        shape = nib.load(path).shape  # type: ignore[attr-defined]
    return len(shape) > 2 and shape[0] > 1 and shape[1:3] == (1, 1)


def pair_of(path: str) -> dict[str, str]:
    """A file of one hemisphere and, if there is one, that of the other.

    Raises
    ------
    ValueError
        If the name does not tell the hemisphere.
    """
    folder, name = os.path.split(path)
    for marks in SIDES:
        found = [mark for mark in marks if mark in name]
        if not found:
            continue
        # Of "rh.sulc_lh.gii" the first mark is that of the file.
        own = min(found, key=name.index)
        number = marks.index(own)
        partner = os.path.join(folder, name.replace(own, marks[1 - number], 1))
        parts = {PARTS[number]: path}
        if os.path.exists(partner):
            parts[PARTS[1 - number]] = partner
        return parts
    raise ValueError(
        f"{path!r}: the name does not tell the hemisphere (hemi-L, lh., .L.). Give both files: LEFT,RIGHT."
    )


def kind_of(source: Source) -> str:
    """ "volumes", "surfaces" or "CIFTI"."""
    if isinstance(source.domain, VoxelGrid):
        return "volumes"
    if isinstance(source.domain, SurfaceVertices):
        return "surfaces"
    assert isinstance(source.domain, Grayordinates | Parcels)
    return "CIFTI"


def checked_atlas(atlas: Any, run: Source, fits: Mapping[str, str] | None = None) -> Source:
    """The source of an atlas, which is to be of the domain of a run.

    `fits` says what works for each kind of run where there is no Python.

    Raises
    ------
    TypeError
        If it is of another; the message says what would work.
    """
    opened = open_any(atlas)
    wanted, given = kind_of(run), kind_of(opened)
    if wanted != given:
        raise TypeError(
            f"{run.name} is {wanted} ({run.domain.describe()}), the atlas {opened.name} is {given} "
            f"({opened.domain.describe()}). What would work: "
            f"{WHAT_WORKS[wanted, given] if fits is None else fits[wanted]}."
        )
    return opened


def masker_for(
    atlas: Any, run: Source, imgs: Any, parameters: dict[str, Any], labels_only: dict[str, Any] | None = None
) -> MaskerContract:
    """The fitted masker of an atlas for a run of the same domain.

    Parameters
    ----------
    atlas : image-like of any domain
    run : Source
    imgs : image-like
        What `run` was opened from; volume maskers learn its grid.
    parameters : dict
        Of the masker.
    labels_only : dict, optional
        More parameters, for an atlas of labels.

    Returns
    -------
    masker : fitted masker
    """
    opened = checked_atlas(atlas, run)
    refuse_run_as_atlas(atlas, opened, imgs)
    labels = is_label_atlas(opened)
    if labels:
        parameters = {**parameters, **(labels_only or {})}
    kind = kind_of(run)
    if kind == "volumes":
        masker = (NiftiLabelsMasker if labels else NiftiMapsMasker)(atlas, **parameters)
        return masker._fit_to_transform(imgs)
    if kind == "CIFTI":
        return (CiftiLabelsMasker if labels else CiftiMapsMasker)(atlas, **parameters).fit()
    image: Any = surface_of(atlas)
    if not labels:
        return SurfaceMapsMasker(image, **parameters).fit()
    if parameters.get("lut") is None and parameters.get("labels") is None:
        parameters = {**parameters, "lut": joined_tables(label_tables_of(image))}
    return SurfaceLabelsMasker(image, **parameters).fit()


def refuse_run_as_atlas(atlas: Any, opened: Source, imgs: Any) -> None:
    """Raise ValueError where the atlas is the run itself: its volumes would be taken as maps."""
    if is_one_file(atlas, imgs) and opened.n_samples > 1:
        raise ValueError(
            f"The atlas is the run itself ({opened.name}, {opened.n_samples} samples): give the image of regions (one "
            "map of labels) or of maps that goes with it."
        )


def is_label_atlas(source: Source) -> bool:
    """Whether an atlas is labels: one map, or any number of maps of a CIFTI label file."""
    if isinstance(source, CiftiSource) and isinstance(source.layout.maps, LabelAxis):
        return True
    return source.n_samples == 1
