"""Surfaces: meshes, values at their vertices, their files, and volumes sampled on them."""

from __future__ import annotations

from brainsieve.surface.files import load_surf_data, save_surf_data
from brainsieve.surface.grayordinates import from_cifti, to_cifti
from brainsieve.surface.images import PolyData, SurfaceImage
from brainsieve.surface.label_tables import read_label_table
from brainsieve.surface.meshes import (
    FileMesh,
    InMemoryMesh,
    PolyMesh,
    SurfaceMesh,
    load_surf_mesh,
    save_surf_mesh,
)
from brainsieve.surface.sampling import vol_to_surf

__all__ = [
    "FileMesh",
    "InMemoryMesh",
    "PolyData",
    "PolyMesh",
    "SurfaceImage",
    "SurfaceMesh",
    "from_cifti",
    "load_surf_data",
    "load_surf_mesh",
    "read_label_table",
    "save_surf_data",
    "save_surf_mesh",
    "to_cifti",
    "vol_to_surf",
]


def __dir__() -> list[str]:
    return __all__
