"""Forms: what an image is besides its values, so that functions work on the points of any domain.

`opened` gives the source of what a user gave, and its form; functions make arrays of (n_samples, n_points) and the
form makes an image of the same kind of them. Where a function is about arrays as users see them (a formula, a
cluster), `arrays` has one for each part of the domain: a volume has one part, a surface its hemispheres.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.engine.domain import Domain, VoxelGrid
from brainsieve.engine.mesh import SurfaceVertices
from brainsieve.engine.source import open_source
from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.mesh_smoothing import surface_smoothing
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.spatial.smooth import checked_fwhm, smooth
from brainsieve.exceptions import NoImageError
from brainsieve.image.headers import narrowed, nifti_image
from brainsieve.surface.images import image_on
from brainsieve.surface.meshes import PolyMesh, polymesh
from brainsieve.surface.opening import is_surface_image, open_surface

Arrays = dict[str, NDArray]


class ImageForm(ABC):
    """What an image is besides its values.

    Attributes
    ----------
    domain : Domain
    point : str
        What one is called.
    """

    domain: Domain
    point: str

    @abstractmethod
    def arrays(self, values: NDArray) -> Arrays:
        """Each part's view of values (n_points,) or (n_samples, n_points): space first, samples last."""

    @abstractmethod
    def values(self, arrays: Arrays) -> NDArray:
        """Undo `arrays`."""

    @abstractmethod
    def image_of(self, arrays: Arrays, copy_header: bool = True) -> Any:
        """An image of the arrays of its parts."""

    def one_sample(self, values: NDArray) -> NDArray:
        """Values (1, n_points) as those of one sample picked out of several."""
        return values[0]

    @abstractmethod
    def smoothing(self, fwhm: Any, name: str = "fwhm") -> list[SpatialOperator]:
        """Operators that smooth by a FWHM in mm, none where it is None; `name` is that of the parameter."""

    def image(self, values: NDArray, copy_header: bool = True) -> Any:
        """An image of values (n_points,), of one sample, or (n_samples, n_points)."""
        return self.image_of(self.arrays(values), copy_header)


@dataclass(frozen=True)
class VolumeForm(ImageForm):
    """Voxels on a grid."""

    domain: VoxelGrid
    header: Any = None
    point = "voxel"

    def arrays(self, values: NDArray) -> Arrays:
        return {"volume": self.domain.unflatten(values if values.ndim == 1 else values.T)}

    def values(self, arrays: Arrays) -> NDArray:
        return self.domain.flatten(arrays["volume"]).T

    def image_of(self, arrays: Arrays, copy_header: bool = True) -> Any:
        data = narrowed(arrays["volume"])
        return nifti_image(data, self.domain.affine, self.header, copy_header)

    def smoothing(self, fwhm: Any, name: str = "fwhm") -> list[SpatialOperator]:
        width = checked_fwhm(fwhm, name)
        return [] if width is None else [smooth(self.domain, width)]


@dataclass(frozen=True)
class SurfaceForm(ImageForm):
    """Vertices of one or both hemispheres."""

    domain: SurfaceVertices
    mesh: PolyMesh | None = None
    point = "vertex"

    def arrays(self, values: NDArray) -> Arrays:
        return {part: values[..., span].T for part, span in self.domain.spans.items()}

    def values(self, arrays: Arrays) -> NDArray:
        return np.concatenate([arrays[part].T for part in self.domain.spans], axis=-1)

    def one_sample(self, values: NDArray) -> NDArray:
        # As in the peer: the sample axis stays.
        return values

    def image_of(self, arrays: Arrays, copy_header: bool = True) -> Any:
        return image_on(self.domain, self.mesh, self.values(arrays).T)

    def smoothing(self, fwhm: Any, name: str = "fwhm") -> list[SpatialOperator]:
        if fwhm is not None and (isinstance(fwhm, str) or np.ndim(fwhm)):
            raise TypeError(f"{name} must be one number in mm for surfaces; {fwhm!r} was given.")
        width = checked_fwhm(fwhm, name)
        if width is None:
            return []
        if self.domain.meshes is None:
            raise ValueError(f"{name} needs meshes to smooth along, and the values given have none.")
        return surface_smoothing(self.domain.meshes, float(width[0]))


def opened(imgs: Any, *, join_4d: bool = True, wildcards: bool = True) -> tuple[Source, ImageForm]:
    """The source and the form of what a user gave: an image of any domain, or several put together in time.

    Parameters
    ----------
    imgs : image-like
        Sequences may be nested, as in the peer: all their images are put together.
    join_4d : bool, default=True
        Whether those of a sequence may have several samples each.
    wildcards : bool, default=True
        Expand globs.

    Raises
    ------
    TypeError, ValueError
        As `open_source` and `open_surface`.
    """
    if not is_one_image(imgs):
        imgs = list(flattened(imgs))
        if not imgs:
            raise NoImageError("The list of images is empty (or the generator was used up before).")
    first = imgs[0] if isinstance(imgs, list) and imgs else imgs
    if is_surface_image(first):
        surface = open_surface(imgs)
        return surface, SurfaceForm(surface.domain, polymesh(first.mesh) if hasattr(first, "mesh") else None)
    source = open_source(imgs, wildcards=wildcards, join_4d=join_4d)
    if not isinstance(source.domain, VoxelGrid):
        raise TypeError(f"{source.name} is no volume: {source.domain.describe()}.")
    return source, VolumeForm(source.domain, getattr(source, "header", None))


def is_one_image(imgs: Any) -> bool:
    """Whether this is one image (or a glob), or nothing that could be several."""
    if isinstance(imgs, str | bytes | os.PathLike | dict) or is_surface_image(imgs):
        return True
    # An array of paths is a sequence of images, an array of numbers is none.
    if isinstance(imgs, np.ndarray):
        return imgs.dtype.kind not in "OUST" or imgs.ndim == 0
    return hasattr(imgs, "dataobj") or not isinstance(imgs, Iterable)


def held(imgs: Any) -> Any:
    """Images that can be gone through more than once: a generator as a list."""
    return imgs if is_one_image(imgs) else list(imgs)


def identity_of(imgs: Any) -> tuple[str, bytes]:
    """What tells an image from others, for a cache: its values, domain and header."""
    source, form = opened(imgs)
    header = getattr(form, "header", None)
    return source.identity, getattr(header, "binaryblock", b"")


def flattened(imgs: Iterable[Any]) -> Iterator[Any]:
    """The images of a sequence of images and of sequences of them."""
    for img in imgs:
        if is_one_image(img):
            # numpy's strings are str, but paths in an array of objects are what they were.
            yield img
        else:
            yield from flattened(img)
