"""Canvases: the places that layers are drawn on, volumes, surfaces, or both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from brainsieve.drawing.layers import Layer, label_colours, limits_of
from brainsieve.drawing.slices import scrolled_figures, slices_figure
from brainsieve.drawing.surfaces import surfaces_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Canvas(Protocol):
    """What layers are drawn on.

    Attributes
    ----------
    can_scroll : bool
        Whether there is a series of figures to scroll through.
    """

    can_scroll: bool

    def figures(self, layer: Layer, cmap: Any = None, scrolled: bool = False) -> list[Figure]:
        """Pictures of a layer: one or several side by side, or the series that a viewer scrolls through."""

    def note(self) -> str | None:
        """What is not drawn, and why."""


@dataclass(frozen=True)
class VolumeCanvas:
    """Slices of a volume.

    Attributes
    ----------
    affine : array of shape (4, 4)
    background : array of shape (nx, ny, nz) or None
    """

    affine: NDArray
    background: NDArray | None
    can_scroll = True

    def figures(self, layer: Layer, cmap: Any = None, scrolled: bool = False) -> list[Figure]:
        if scrolled:
            return scrolled_figures(self.background, layer, self.affine, cmap)
        return [slices_figure(self.background, layer, self.affine, cmap)]

    def note(self) -> str | None:
        return None


@dataclass(frozen=True)
class SurfaceCanvas:
    """Lateral and medial views of one or both hemispheres.

    Attributes
    ----------
    meshes : dict of str to (coordinates, faces)
    spans : dict of str to array of int
        For each hemisphere which points of a layer are its vertices, -1 where none is.
    background : array of shape (n_points,) or None
    """

    meshes: Mapping[str, tuple[NDArray, NDArray]]
    spans: Mapping[str, NDArray]
    background: NDArray | None
    can_scroll = False

    def figures(self, layer: Layer, cmap: Any = None, scrolled: bool = False) -> list[Figure]:
        return [surfaces_figure(self.meshes, self.spans, self.background, layer, cmap)]

    def note(self) -> str | None:
        return None


@dataclass(frozen=True)
class GrayordinateCanvas:
    """Hemispheres where there are meshes for them, and slices of the voxels.

    Attributes
    ----------
    cortex : SurfaceCanvas or None
    shape : tuple of 3 int
        Of the volume that the voxels are in.
    affine : array of shape (4, 4)
    points : array of int
        Which points of a layer are voxels.
    voxels : array of shape (n_voxels, 3)
    background : array of shape (n_points,) or None
    missing : str or None
        What is not drawn, and why.
    """

    cortex: SurfaceCanvas | None
    shape: tuple[int, int, int]
    affine: NDArray
    points: NDArray
    voxels: NDArray
    background: NDArray | None
    missing: str | None = None
    can_scroll = False

    def figures(self, layer: Layer, cmap: Any = None, scrolled: bool = False) -> list[Figure]:
        if layer.kind == "labels":
            # The same colours on the cortex and in the volume, whatever each of them has.
            layer, cmap = replace(layer, colours=label_colours(layer, cmap)), None
        elif layer.kind == "weights":
            layer = replace(layer, limits=limits_of(layer.data))
        figures = [] if self.cortex is None else self.cortex.figures(layer, cmap)
        # Slices without anything on them would look as if everything there were included.
        if len(self.points) and layer.inside[self.points].any():
            inside = replace(layer, data=self._volume(layer.data, layer.outside))
            background = None if self.background is None else self._volume(self.background, 0)
            figures += VolumeCanvas(self._cropped_affine, background).figures(inside, cmap)
        return figures

    @property
    def _cropped_affine(self) -> NDArray:
        moved = np.array(self.affine)
        moved[:3, 3] = (self.affine @ [*self.voxels.min(axis=0), 1])[:3]
        return moved

    def _volume(self, values: NDArray, outside: float) -> NDArray:
        dtype = values.dtype if values.dtype.kind != "b" else np.dtype(np.uint8)
        volume = np.full(self.shape, outside, dtype=dtype)
        volume[tuple(self.voxels.T)] = values[self.points]
        # Around the structures, not the head: the grid is much larger than what is in it.
        low, high = self.voxels.min(axis=0), self.voxels.max(axis=0) + 1
        return volume[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]

    def note(self) -> str | None:
        return self.missing
