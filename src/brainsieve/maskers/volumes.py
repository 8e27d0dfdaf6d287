"""What maskers of volumes have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from brainsieve.atlas import Mask
from brainsieve.engine.domain import Domain, VoxelGrid
from brainsieve.engine.source import open_source
from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.engine.spatial.resample import resample
from brainsieve.engine.spatial.smooth import checked_fwhm, smooth
from brainsieve.maskers.base import BaseMasker, as_images
from brainsieve.maskers.declared import VOLUMES
from brainsieve.maskers.documented import documented
from brainsieve.maskers.estimator import FrozenMasker
from brainsieve.maskers.fitted import refuse_other_grid
from brainsieve.maskers.grid import image, read_mask
from brainsieve.maskers.kinds import ImageKind

if TYPE_CHECKING:
    from brainsieve.drawing import Canvas


@dataclass(frozen=True)
class Volumes(ImageKind):
    """Volumes on grids of voxels, for a masker of the name given."""

    masker: str
    step: float | None = None

    point = "voxel"
    why_lost = (
        "They are outside the field of view, or were lost when the atlas was resampled to the image; "
        "resampling_target='labels' (or 'maps') keeps small ones."
    )

    @property
    def key(self) -> str:
        return "volumes"

    def open(self, imgs: Any) -> Source:
        source = open_source(imgs)
        self.check(source)
        return source

    def check(self, source: Source) -> None:
        grid = source.domain
        if not isinstance(grid, VoxelGrid):
            raise TypeError(
                f"{source.name} is not a volume ({grid.describe()}); {self.masker} takes volumes. "
                "SurfaceMasker and its kin take surfaces, CiftiMasker and its kin CIFTI files."
            )

    def smoothing(self, domain: Domain, fwhm: Any, method: str | None) -> list[SpatialOperator]:
        assert isinstance(domain, VoxelGrid)
        checked = checked_fwhm(fwhm)
        return [] if checked is None else [smooth(domain, checked)]

    def image(self, values: NDArray, domain: Any) -> Any:
        return image(values, domain, t_r=self.step)

    def timed(self, t_r: float | None) -> Volumes:
        return self if t_r is None else replace(self, step=t_r)

    def canvas(self, domain: Domain, background: tuple[Domain, NDArray] | None) -> Canvas:
        from brainsieve.drawing import VolumeCanvas

        assert isinstance(domain, VoxelGrid)
        if background is None:
            return VolumeCanvas(domain.affine, None)
        grid, values = background
        if grid != domain:
            assert isinstance(grid, VoxelGrid)
            values = resample(grid, domain, "linear").forward(values[None])[0]
        return VolumeCanvas(domain.affine, domain.unflatten(values))

    def shaped(self, values: NDArray, domain: Domain) -> NDArray:
        assert isinstance(domain, VoxelGrid)
        return domain.unflatten(values)


@documented(VOLUMES)
class VolumeMasker(FrozenMasker, BaseMasker):
    """A masker of volumes that works from a frozen object."""

    def _kind(self, imgs: Any = None) -> Volumes:
        """The kind of what this masker takes; images that `fit` is given tell the time between samples."""
        kind = Volumes(type(self).__name__, self.t_r)
        if self.t_r is not None or imgs is None or isinstance(imgs, Iterator):
            return kind
        return kind.timed(self._open(first_image(imgs)).tr)

    def _open(self, imgs: Any) -> Source:
        return self._kind().open(as_images(imgs))

    def _given_mask(self) -> Mask | None:
        """`mask_img` on its own grid."""
        if self.mask_img is None:
            return None
        inside, grid = read_mask(self.mask_img)
        return Mask(grid, inside)

    def _refuse_other_grids(self, name: str, grid: VoxelGrid, images: Domain, mask: Mask | None) -> None:
        """What `resampling_target=None` asks of the grids that `fit` is given; `name` is what `grid` is of."""
        if self.resampling_target is not None:
            return
        for other_name, other in (("imgs", images), ("mask_img", None if mask is None else mask.domain)):
            if other is not None and other != grid:
                refuse_other_grid(other_name, other, name, grid)

    def _grid_of(self, imgs: Any) -> VoxelGrid:
        """The grid of the images that `fit` was given."""
        return self._open(first_image(imgs)).domain  # type: ignore[return-value]


def first_image(imgs: Any) -> Any:
    """The image that stands for the grid of what `fit` was given; a generator is read that far."""
    if isinstance(imgs, list | tuple) and len(imgs):
        return imgs[0]
    if isinstance(imgs, Iterator):
        first = next(imgs, None)
        if first is None:
            raise ValueError("The generator of images is empty; was it used up before?")
        return first
    return imgs
