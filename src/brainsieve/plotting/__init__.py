"""Pictures of images, matrices and surfaces. Needs matplotlib (``pip install 'brainsieve[plotting]'``).

matplotlib is imported when something is drawn, never by the import of this package.
"""

from brainsieve.plotting.display import show
from brainsieve.plotting.html import view_connectome, view_img, view_img_on_surf, view_markers, view_surf
from brainsieve.plotting.matrices import (
    plot_contrast_matrix,
    plot_design_matrix,
    plot_design_matrix_correlation,
    plot_event,
    plot_matrix,
)
from brainsieve.plotting.surfaces import plot_surf, plot_surf_contours, plot_surf_roi, plot_surf_stat_map
from brainsieve.plotting.surfaces_of_volumes import plot_img_on_surf

__all__ = [
    "plot_contrast_matrix",
    "plot_design_matrix",
    "plot_design_matrix_correlation",
    "plot_event",
    "plot_img_on_surf",
    "plot_matrix",
    "plot_surf",
    "plot_surf_contours",
    "plot_surf_roi",
    "plot_surf_stat_map",
    "show",
    "view_connectome",
    "view_img",
    "view_img_on_surf",
    "view_markers",
    "view_surf",
]


def __dir__() -> list[str]:
    return __all__
