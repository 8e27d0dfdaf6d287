"""Surface images as sources."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from brainsieve.engine.domain import Domain
from brainsieve.engine.mesh import SurfaceVertices
from brainsieve.engine.source.surface import SurfaceSource
from brainsieve.exceptions import MeshDimensionError, NoImageError
from brainsieve.surface.images import files_of, vertices_of


def open_surface(imgs: Any) -> SurfaceSource:
    """The source of a surface image, or of several put together in time.

    Parameters
    ----------
    imgs : SurfaceImage or PolyData, or list, tuple or generator of these

    Raises
    ------
    TypeError
        If it is something else.
    MeshDimensionError
        If images of a list have different parts or numbers of vertices.
    """
    if is_surface_image(imgs):
        return _source_of([imgs], imgs.data.shape if hasattr(imgs, "data") else imgs.shape)
    if isinstance(imgs, str | bytes | dict) or hasattr(imgs, "shape") or not isinstance(imgs, Iterable):
        raise TypeError(
            f"A SurfaceImage (or a list of them) is needed; {type(imgs).__name__} was given. "
            "SurfaceImage(mesh, data) makes one of files; the Nifti maskers take volumes, the CIFTI maskers "
            "CIFTI-2 files."
        )
    images = list(imgs)
    if not images:
        raise NoImageError("The list of surface images is empty (or the generator was used up before).")
    for i, img in enumerate(images):
        if not is_surface_image(img):
            raise TypeError(f"Entry {i} of the list of surface images is {type(img).__name__}.")
    return _source_of(images, (0, 0))


def is_surface_image(img: Any) -> bool:
    """Whether an object has the parts of a surface image or of its data."""
    parts = getattr(getattr(img, "data", img), "parts", None)
    # Meshes have parts too, but no values.
    return isinstance(parts, dict) and all(hasattr(values, "dtype") for values in parts.values())


def _source_of(images: Sequence[Any], shape: tuple[int, ...]) -> SurfaceSource:
    domain = vertices_of(images[0])
    arrays = []
    for i, img in enumerate(images):
        refuse_other_vertices(vertices_of(img), domain, f"entry {i} of the list", "the first")
        data = getattr(img, "data", img)
        arrays.append(dict(data.parts))
    names = [os.path.basename(file) for file in files_of(images[0]).values()]
    return SurfaceSource(domain, arrays, len(shape) == 1, *names[:1])


def refuse_other_vertices(domain: Domain, own: Domain, name: str, own_name: str) -> None:
    """Raise MeshDimensionError unless two surfaces have the same parts with as many vertices."""
    if not isinstance(own, SurfaceVertices) or not isinstance(domain, SurfaceVertices):
        raise TypeError(f"{name} is {domain.describe()}, {own_name} {own.describe()}.")
    if domain.parts != own.parts:
        raise MeshDimensionError(
            f"{name} has the parts {', '.join(domain.parts)}; {own_name} has {', '.join(own.parts)}."
        )
    for part, size in domain.sizes.items():
        if size != own.sizes[part]:
            raise MeshDimensionError(
                f"The {part} hemisphere of {name} has {size} vertices; that of {own_name} has "
                f"{own.sizes[part]}. They are on meshes of different densities."
            )
