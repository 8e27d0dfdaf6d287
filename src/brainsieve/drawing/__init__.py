"""Pictures of points in space: what is drawn (layers), in which colours, on slices and on surfaces."""

from brainsieve.drawing.canvases import Canvas, GrayordinateCanvas, SurfaceCanvas, VolumeCanvas
from brainsieve.drawing.layers import Layer

__all__ = ["Canvas", "GrayordinateCanvas", "Layer", "SurfaceCanvas", "VolumeCanvas"]


def __dir__() -> list[str]:
    return __all__
