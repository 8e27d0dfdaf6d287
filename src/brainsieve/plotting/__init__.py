"""Pictures of images, matrices and surfaces. Needs matplotlib (``pip install 'brainsieve[plotting]'``).

matplotlib is imported when something is drawn, never by the import of this package. Colour maps: `cm`.
"""

from brainsieve.plotting import cm
from brainsieve.plotting.cuts import (
    find_cut_slices,
    find_parcellation_cut_coords,
    find_probabilistic_atlas_cut_coords,
    find_xyz_cut_coords,
)
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
from brainsieve.plotting.volumes import (
    plot_anat,
    plot_carpet,
    plot_epi,
    plot_img,
    plot_prob_atlas,
    plot_roi,
    plot_stat_map,
)

__all__ = [
    "cm",
    "find_cut_slices",
    "find_parcellation_cut_coords",
    "find_probabilistic_atlas_cut_coords",
    "find_xyz_cut_coords",
    "plot_anat",
    "plot_carpet",
    "plot_contrast_matrix",
    "plot_design_matrix",
    "plot_design_matrix_correlation",
    "plot_epi",
    "plot_event",
    "plot_img",
    "plot_img_on_surf",
    "plot_matrix",
    "plot_prob_atlas",
    "plot_roi",
    "plot_stat_map",
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
    return sorted(__all__)
