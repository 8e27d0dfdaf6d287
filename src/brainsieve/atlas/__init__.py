"""Atlases: points, labels, maps and spheres, and what they become when they are placed on a domain.

An atlas knows its own points, its columns and their names. Placed on the points of an image (by the nearest voxel,
by interpolation, or by the numbers of vertices and grayordinates) it gives the operator from points to columns,
the columns that are lost there, and the way back. It knows no masker, no file and nothing of time.
"""

from brainsieve.atlas.base import Atlas, Mask, Placed
from brainsieve.atlas.labels import Labels
from brainsieve.atlas.maps import Maps
from brainsieve.atlas.placing import moved
from brainsieve.atlas.points import Points
from brainsieve.atlas.spheres import Spheres

__all__ = ["Atlas", "Labels", "Maps", "Mask", "Placed", "Points", "Spheres", "moved"]


def __dir__() -> list[str]:
    return __all__
