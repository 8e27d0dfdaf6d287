"""The MNI template and its tissue maps, from bundled files of 1 mm voxels.

ICBM 152 nonlinear symmetric 2009a [1]_, the templates that nilearn ships.

.. [1] Fonov, V. et al. (2011). Unbiased average age-appropriate atlases for pediatric studies.
   NeuroImage 54, 313-327.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from brainsieve.datasets.files import bundled
from brainsieve.exceptions import ParameterError

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Image

    from brainsieve.engine.domain import VoxelGrid

PREFIX = "tpl-MNI152NLin2009aSym_res-1mm"
MNI152_FILE_PATH = str(bundled("icbm152", f"{PREFIX}_desc-brain_T1w.nii.gz"))
GM_FILE_PATH = str(bundled("icbm152", f"{PREFIX}_label-GM_probseg.nii.gz"))
WM_FILE_PATH = str(bundled("icbm152", f"{PREFIX}_label-WM_probseg.nii.gz"))
# The files hold 0 … 1 as bytes.
BYTE = 255.0

# The template's box: the first voxel's centre, and from there to the last one's.
ORIGIN_MM = (-98.0, -134.0, -72.0)
EXTENT_MM = (196, 232, 188)


def load_mni152_template(resolution: float | None = None) -> Nifti1Image:
    """T1-weighted template of the brain, scaled to 0 … 1.

    Parameters
    ----------
    resolution : float, optional
        Voxel size in mm. None: 1 mm, the grid of the bundled file, nothing interpolated. Below 1 mm there
        is no more detail, only more voxels.

    Returns
    -------
    Nifti1Image
        float32, 0 outside the brain.
    """
    return _image(*_template(MNI152_FILE_PATH, resolution))


def load_mni152_gm_template(resolution: float | None = None) -> Nifti1Image:
    """Probability of grey matter, 0 … 1.

    Parameters
    ----------
    resolution : float, optional
        Voxel size in mm. None: that of the bundled file, nothing interpolated.

    Returns
    -------
    Nifti1Image
        float32.
    """
    return _image(*_template(GM_FILE_PATH, resolution))


def load_mni152_wm_template(resolution: float | None = None) -> Nifti1Image:
    """Probability of white matter, 0 … 1.

    Parameters
    ----------
    resolution : float, optional
        Voxel size in mm. None: that of the bundled file, nothing interpolated.

    Returns
    -------
    Nifti1Image
        float32.
    """
    return _image(*_template(WM_FILE_PATH, resolution))


def load_mni152_brain_mask(resolution: float | None = None, threshold: float = 0.2) -> Nifti1Image:
    """Where the T1-weighted template exceeds a threshold.

    Parameters
    ----------
    resolution : float, optional
        Voxel size in mm. None: that of the bundled file, nothing interpolated.
    threshold : float, default=0.2
        On the template's scale from 0 to 1.

    Returns
    -------
    Nifti1Image
        uint8.
    """
    values, grid = _template(MNI152_FILE_PATH, resolution)
    return _image((values > _checked_threshold(threshold)).astype(np.uint8), grid)


def load_mni152_gm_mask(
    resolution: float | None = None, threshold: float = 0.2, n_iter: int = 2
) -> Nifti1Image:
    """Where grey matter is more probable than a threshold, with gaps closed.

    Parameters
    ----------
    resolution : float, optional
        Voxel size in mm. None: that of the bundled file, nothing interpolated.
    threshold : float, default=0.2
        Probability that a voxel must exceed.
    n_iter : int, default=2
        Voxels by which the mask is dilated and eroded again; 0: not at all.

    Returns
    -------
    Nifti1Image
        uint8.
    """
    return _closed_mask(*_template(GM_FILE_PATH, resolution), threshold, n_iter)


def load_mni152_wm_mask(
    resolution: float | None = None, threshold: float = 0.2, n_iter: int = 2
) -> Nifti1Image:
    """Where white matter is more probable than a threshold, with gaps closed.

    Parameters
    ----------
    resolution : float, default=None
        Voxel size in mm. None: that of the bundled file, nothing interpolated.
    threshold : float, default=0.2
        Probability above which a voxel is in.
    n_iter : int, default=2
        Iterations of the closing.

    Returns
    -------
    Nifti1Image
        uint8.
    """
    return _closed_mask(*_template(WM_FILE_PATH, resolution), threshold, n_iter)


def _template(path: str, resolution: float | None) -> tuple[NDArray[np.float32], VoxelGrid]:
    """Values 0 … 1 in point order, and their grid."""
    stored, grid = _stored(path)
    target = _grid_of(resolution)
    if target is None:
        return stored.astype(np.float32) / np.float32(BYTE), grid
    from brainsieve.engine.spatial.resample import resample

    moved = resample(grid, target, "continuous").forward(stored[None])[0] / BYTE
    # Splines overshoot at edges; intensities and probabilities do not.
    return np.clip(moved, 0, 1).astype(np.float32), target


@cache
def _stored(path: str) -> tuple[NDArray[np.uint8], VoxelGrid]:
    """Bytes in point order, (n_points,), and the grid of a bundled file."""
    import nibabel

    from brainsieve.engine.domain import VoxelGrid

    img = nibabel.nifti1.load(path)
    n_x, n_y, n_z = img.shape
    grid = VoxelGrid((n_x, n_y, n_z), img.affine)
    # Bytes: 9 MB for each file that was asked for stay in memory.
    values = grid.flatten(np.asarray(img.dataobj.get_unscaled()))
    values.setflags(write=False)
    return values, grid


def _grid_of(resolution: float | None) -> VoxelGrid | None:
    """The grid of the template at a resolution, the same as nilearn's; None for the bundled grid."""
    from brainsieve.engine.domain import VoxelGrid

    if resolution is None:
        return None
    if isinstance(resolution, bool) or not math.isfinite(resolution) or resolution <= 0:
        raise ParameterError(f"resolution must be a positive number of mm; {resolution!r} was given.")
    if resolution < 0.5:
        raise ValueError(
            f"resolution={resolution} mm is finer than 0.5 mm, the finest that makes sense "
            "of a template of 1 mm."
        )
    n_x, n_y, n_z = (math.ceil(extent / resolution) + 1 for extent in EXTENT_MM)
    affine = np.diag([resolution, resolution, resolution, 1.0])
    affine[:3, 3] = ORIGIN_MM
    return VoxelGrid((n_x, n_y, n_z), affine)


def _checked_threshold(threshold: float) -> float:
    if isinstance(threshold, bool) or not 0 <= threshold < 1:
        raise ValueError(f"threshold must be at least 0 and below 1; {threshold!r} was given.")
    return threshold


def _closed_mask(values: NDArray, grid: VoxelGrid, threshold: float, n_iter: int) -> Nifti1Image:
    from scipy.ndimage import binary_closing

    if isinstance(n_iter, bool) or n_iter != int(n_iter) or n_iter < 0:
        raise ValueError(f"n_iter must be a whole number, 0 or more; {n_iter!r} was given.")
    mask = grid.unflatten(values) > _checked_threshold(threshold)
    if n_iter:
        # scipy takes what is outside the array for empty: closing must not eat at the box's faces.
        padded = np.pad(mask, n_iter)
        inner = tuple(slice(n_iter, -n_iter) for _ in range(3))
        mask = binary_closing(padded, iterations=n_iter)[inner]
    return _image(grid.flatten(mask.astype(np.uint8)), grid)


def _image(values: NDArray, grid: VoxelGrid) -> Nifti1Image:
    from nibabel.nifti1 import Nifti1Image

    img = Nifti1Image(grid.unflatten(values), grid.affine)
    img.header.set_xyzt_units("mm", "sec")
    # Code 4: coordinates of the MNI template.
    img.set_sform(grid.affine, 4)
    img.set_qform(grid.affine, 4)
    return img
