"""Masks as arrays of booleans over the points of a domain, and the pieces that hang together in them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from brainsieve.engine.mesh import SurfaceVertices
from brainsieve.engine.source import read_all
from brainsieve.exceptions import DimensionError
from brainsieve.image.forms import Arrays, ImageForm, SurfaceForm, opened
from brainsieve.logs import warn


def read_mask(
    mask_img: Any, name: str = "mask_img", allow_empty: bool = False
) -> tuple[NDArray[np.bool_], ImageForm]:
    """A binary mask (n_points,), and its form.

    Parameters
    ----------
    mask_img : image-like
        Of one sample, with at most two values, one of them 0. What is not finite counts as 0, with a warning.
    name : str
        For messages.
    allow_empty : bool, default=False

    Raises
    ------
    DimensionError
        If it has several samples.
    ValueError
        If it has other values, or no point is in it.
    """
    source, form = opened(mask_img)
    where = f"{name} ({source.name})"
    if source.n_samples != 1:
        if isinstance(form, SurfaceForm):
            raise ValueError(f"{where} has {source.n_samples} samples; a mask has one.")
        raise DimensionError(4, 3, where)
    mask = binary(read_all(source)[0], where, form.point)
    if not allow_empty and not mask.any():
        raise ValueError(f"{where} is empty: every {form.point} is 0.")
    return mask, form


def binary(values: NDArray, name: str, point: str = "voxel") -> NDArray[np.bool_]:
    """Where values of a mask (n_points,) are not 0; what is not finite is outside, with a warning."""
    finite = np.isfinite(values)
    if not finite.all():
        warn(
            f"{name}: {int((~finite).sum())} {plural(point)} are NaN or infinite; they are outside the mask."
        )
    different = np.unique(values[finite])
    if len(different) > 2 or (len(different) == 2 and 0 not in different):
        shown = ", ".join(f"{value:g}" for value in different[:4].astype(float))
        raise ValueError(
            f"{name} is no mask: it has {len(different)} values ({shown}{', …' if len(different) > 4 else ''}); "
            "a mask has 0 and one other. Threshold it first (brainsieve.image.binarize_img)."
        )
    return np.asarray(finite & (values != 0))


def plural(point: str) -> str:
    return {"vertex": "vertices"}.get(point, f"{point}s")


def components(inside: Arrays, form: ImageForm) -> dict[str, tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Connected pieces of each part: their numbers, 0 outside, and sizes, at 0 that of the outside.

    Voxels hang together where faces touch, vertices where an edge joins them.
    """
    pieces = {}
    for part, mask in inside.items():
        labels = (
            _pieces_of_mesh(mask, form, part) if isinstance(form, SurfaceForm) else ndimage.label(mask)[0]
        )
        pieces[part] = (labels, np.bincount(labels.ravel()))
    return pieces


def _pieces_of_mesh(mask: NDArray[np.bool_], form: ImageForm, part: str) -> NDArray[np.intp]:
    assert isinstance(form.domain, SurfaceVertices)
    if form.domain.meshes is None:
        raise ValueError("Clusters need meshes to look for neighbours on, and the values given have none.")
    vertices = np.flatnonzero(mask)
    edges = form.domain.meshes[part].adjacency[vertices][:, vertices]
    labels = np.zeros(len(mask), dtype=np.intp)
    labels[vertices] = sparse.csgraph.connected_components(edges, directed=False)[1] + 1
    return labels


def largest_component(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest set of voxels of a mask that touch by faces; the first of several.

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    labels, n_labels = ndimage.label(mask)
    if n_labels == 0:
        raise ValueError("The mask is empty; it has no largest component.")
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax())
