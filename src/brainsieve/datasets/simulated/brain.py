"""A brain that is an ellipsoid: ventricles within white matter within grey matter, in millimetres of MNI's kind.

Everything simulated lives on it. Points are the voxels inside, in C order; values are (n_points,) or
(n_samples, n_points), and become images by `Brain.image`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainsieve.checks import a_count, a_number, found

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Image
    from sklearn.utils import Bunch

# The middle of the brain in MNI space, in mm; at 10 mm the default box holds a brain of 140 x 160 x 120 mm.
CENTRE_MM = (0.0, -18.0, 10.0)
SHAPE, RESOLUTION_MM = (16, 18, 14), 10.0
# One voxel of air at each side of the box.
MARGIN_VOXELS = 1
# Tissues end at these shares of the way from the centre to the surface.
VENTRICLES, WHITE_MATTER = 0.3, 0.6
# Voxels deeper than this belong to tissues of which confounds are measured; no region reaches in.
DEEP = 0.5
BASELINE = 1000.0


@dataclass(frozen=True, eq=False)
class Brain:
    """An ellipsoid on a grid of voxels.

    Attributes
    ----------
    affine : array of shape (4, 4)
        From voxels to mm.
    depth : array of shape (n_x, n_y, n_z)
        How far each voxel is from the centre, in units of the surface's distance: 0 in the middle, 1 on the
        surface, more outside.
    radii_mm : array of shape (3,)
        Half axes.
    """

    affine: NDArray[np.float64]
    depth: NDArray[np.float64]
    radii_mm: NDArray[np.float64]

    @classmethod
    def on(cls, shape: Sequence[int], resolution: float) -> Brain:
        """The brain that fills a box of this shape, but for a voxel at each side."""
        sizes = _checked_shape(shape)
        a_number("resolution", resolution, positive=True)
        affine = np.diag([float(resolution)] * 3 + [1.0])
        affine[:3, 3] = np.asarray(CENTRE_MM) - resolution * (sizes - 1) / 2
        radii = resolution * (sizes / 2 - MARGIN_VOXELS)
        offsets = _world(affine, np.indices(sizes.tolist()).reshape(3, -1).T) - CENTRE_MM
        depth = np.linalg.norm(offsets / radii, axis=1).reshape(sizes.tolist())
        return cls(affine, depth, radii)

    @classmethod
    def of(cls, name: str, img: Nifti1Image) -> Brain:
        """The brain of an image that was simulated; `name` is the parameter that has it."""
        brain = cls.on(img.shape[:3], float(img.header.get_zooms()[0]))
        if not np.allclose(brain.affine, img.affine):
            raise ValueError(
                f"{name} must be on the grid of a simulated brain, with the affine "
                f"{brain.affine.tolist()}; its affine is {np.asarray(img.affine).tolist()}."
            )
        return brain

    @property
    def inside(self) -> NDArray[np.bool_]:
        return self.depth <= 1

    @property
    def depth_of_points(self) -> NDArray[np.float64]:
        return self.depth[self.inside]

    @property
    def coordinates(self) -> NDArray[np.float64]:
        """Of each point, in mm: (n_points, 3)."""
        return _world(self.affine, np.argwhere(self.inside))

    def image(self, values: ArrayLike, t_r: float | None = None) -> Nifti1Image:
        """Values of points as an image, 0 outside; flags and integers as they are, all else float32."""
        from nibabel.nifti1 import Nifti1Image

        rows = np.asarray(values)
        kind = np.float32 if rows.dtype.kind == "f" else (np.uint8 if rows.dtype.kind == "b" else np.int16)
        box = np.zeros((*self.depth.shape, *rows.shape[:-1]), dtype=kind)
        box[self.inside] = rows.T
        img = Nifti1Image(box, self.affine)
        if t_r is not None:
            img.header.set_zooms((*img.header.get_zooms()[:3], t_r))
        img.header.set_xyzt_units("mm", "sec")
        # Code 4: coordinates of the MNI template.
        img.set_sform(self.affine, 4)
        img.set_qform(self.affine, 4)
        return img

    def spread(self, n: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """Points of grey matter as far from each other as can be, one after the other (Gonzalez 1985)."""
        depth = self.depth_of_points
        candidates = np.flatnonzero((depth > WHITE_MATTER) & (depth < 0.95))
        if n > len(candidates):
            raise ValueError(
                f"{n} places were asked for in the {len(candidates)} voxels of grey matter of a brain of "
                f"shape {self.depth.shape}; ask for fewer, or for a larger shape."
            )
        where = self.coordinates[candidates]
        chosen = [int(rng.integers(len(candidates)))]
        nearest = np.full(len(candidates), np.inf)
        while len(chosen) < n:
            nearest = np.minimum(nearest, np.linalg.norm(where - where[chosen[-1]], axis=1))
            chosen.append(int(nearest.argmax()))
        return candidates[chosen]

    def ball(self, point: int, radius_mm: float) -> NDArray[np.bool_]:
        """Points of grey matter within a distance of one of them: (n_points,)."""
        distance = np.linalg.norm(self.coordinates - self.coordinates[point], axis=1)
        return (distance <= radius_mm) & (self.depth_of_points > DEEP)

    @property
    def voxel_mm(self) -> float:
        return float(self.affine[0, 0])


def simulate_template(shape: Sequence[int] = SHAPE, resolution: float = RESOLUTION_MM) -> Bunch:
    """Simulate the anatomy of a brain: an ellipsoid with ventricles, white matter and grey matter.

    It fills its box but for a voxel at each side, around the middle of the brain in MNI space,
    (0, -18, 10) mm. All other simulated data are on this anatomy. Nothing about it is random.

    Parameters
    ----------
    shape : sequence of 3 int, default=(16, 18, 14)
        Voxels along each axis, at least 8.
    resolution : float, default=10.0
        Size of the voxels, in mm.

    Returns
    -------
    sklearn.utils.Bunch
        ``t1w``, image, 0.2 in fluid to 0.9 in white matter; ``mask``, image of 0 and 1; ``gm``, ``wm`` and
        ``csf``, images of probabilities that add up to 1 inside the mask; ``description``, str; ``truth``, Bunch
        of ``centre_mm`` and ``radii_mm``, arrays of 3 numbers.

    Raises
    ------
    ValueError
        If a side has less than 8 voxels, or `resolution` is not positive.

    Examples
    --------
    >>> from brainsieve.datasets import simulate_template
    >>> simulate_template().t1w.shape
    (16, 18, 14)
    """
    from sklearn.utils import Bunch

    brain = Brain.on(shape, resolution)
    fluid, white, grey = tissues(brain)
    return Bunch(
        t1w=brain.image(0.2 * fluid + 0.9 * white + 0.6 * grey),
        mask=brain.image(np.ones(len(grey), dtype=bool)),
        gm=brain.image(grey),
        wm=brain.image(white),
        csf=brain.image(fluid),
        description="Simulated anatomy: an ellipsoid with ventricles, white and grey matter.",
        truth=Bunch(centre_mm=np.asarray(CENTRE_MM), radii_mm=brain.radii_mm),
    )


def tissues(brain: Brain) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Probabilities of fluid, white and grey matter at each point; borders are as wide as a voxel."""
    width = brain.voxel_mm / brain.radii_mm.mean() / 4
    inner, outer = (
        1 / (1 + np.exp(-(brain.depth_of_points - border) / width)) for border in (VENTRICLES, WHITE_MATTER)
    )
    return 1 - inner, inner * (1 - outer), inner * outer


def _world(affine: NDArray, voxels: NDArray) -> NDArray[np.float64]:
    return voxels @ affine[:3, :3].T + affine[:3, 3]


def _checked_shape(shape: Sequence[int]) -> NDArray[np.intp]:
    sizes = tuple(shape) if isinstance(shape, Sequence) else None
    if sizes is None or isinstance(shape, str) or len(sizes) != 3:
        raise ValueError(f"shape must be three numbers of voxels; {found(shape)} was given.")
    for size in sizes:
        a_count("shape", size, least=8)
    return np.asarray(sizes, dtype=np.intp)
