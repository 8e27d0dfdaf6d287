"""Maskers of surfaces: vertices, regions and soft maps on the meshes of the hemispheres."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.atlas import Atlas, Points, moved
from brainsieve.checks import naming
from brainsieve.engine.domain import Domain
from brainsieve.engine.mesh import SurfaceVertices
from brainsieve.engine.source.base import Source
from brainsieve.engine.spatial.mesh_smoothing import surface_smoothing
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.logs import warn
from brainsieve.maskers.declared import MAPS_STRATEGY, SURFACES, keep_parameters
from brainsieve.maskers.documented import documented
from brainsieve.maskers.estimator import fitted
from brainsieve.maskers.fitted import FittedMasker
from brainsieve.maskers.kinds import ImageKind
from brainsieve.maskers.labels import LabelAttributes
from brainsieve.maskers.matched import MatchedMasker
from brainsieve.maskers.multi import ManyImages, is_one_image
from brainsieve.maskers.output import of_regions, of_surface_maps, of_vertices
from brainsieve.surface.images import image_on, label_tables_of
from brainsieve.surface.label_tables import joined_tables, own_background
from brainsieve.surface.meshes import PolyMesh, polymesh
from brainsieve.surface.opening import is_surface_image, open_surface, refuse_other_vertices
from brainsieve.typing import (
    ColormapLike,
    MapsStrategy,
    MemoryLike,
    Nonfinite,
    SignalDtype,
    SmoothingMethod,
    Standardize,
    Strategy,
    SurfaceLike,
    TableLike,
)

if TYPE_CHECKING:
    from brainsieve.drawing import Canvas


@dataclass(frozen=True, eq=False)
class Surfaces(ImageKind):
    """Images on the vertices of meshes.

    Attributes
    ----------
    masker : str
        Name of the class.
    domain : SurfaceVertices
        The masker's own vertices.
    mesh : PolyMesh or None
    """

    masker: str
    domain: SurfaceVertices
    mesh: PolyMesh | None

    point = "vertex"

    @property
    def key(self) -> str:
        # Images without meshes are smoothed on the masker's own.
        return f"surfaces {self.domain.fingerprint}"

    def open(self, imgs: Any) -> Source:
        source = open_surface(imgs)
        self.check(source)
        return source

    def check(self, source: Source) -> None:
        if not isinstance(source.domain, SurfaceVertices):
            raise TypeError(
                f"{source.name} is no surface image ({source.domain.describe()}); {self.masker} takes "
                "surface images. The Nifti maskers take volumes, the CIFTI maskers CIFTI-2 files; "
                "SurfaceImage.from_volume and brainsieve.surface.from_cifti make surface images of these."
            )
        refuse_other_vertices(source.domain, self.domain, source.name, "the masker")
        warn_of_other_geometry(source.domain, self.domain, source.name)

    def smoothing(self, domain: Domain, fwhm: Any, method: str | None) -> list[SpatialOperator]:
        assert isinstance(domain, SurfaceVertices) and method is not None
        if not fwhm:
            return []
        meshes = domain.meshes or self.domain.meshes
        if meshes is None:
            raise ValueError(
                "smoothing_fwhm needs meshes, but neither the image nor the masker has one: give SurfaceImages."
            )
        return surface_smoothing(meshes, float(fwhm), method)

    def image(self, values: NDArray, domain: Any) -> Any:
        return image_on(self.domain, self.mesh, values if values.ndim == 1 else values.T)

    def canvas(self, domain: Domain, background: tuple[Domain, NDArray] | None) -> Canvas:
        from brainsieve.drawing import GrayordinateCanvas, SurfaceCanvas

        if self.mesh is None:
            none = np.zeros(0, np.intp)
            text = "Hemispheres are not drawn: the masker was given values without meshes."
            return GrayordinateCanvas(None, (1, 1, 1), np.eye(4), none, np.zeros((0, 3), int), None, text)
        spans = {part: np.arange(span.start, span.stop) for part, span in self.domain.spans.items()}
        meshes = {part: (mesh.coordinates, mesh.faces) for part, mesh in self.mesh.parts.items()}
        return SurfaceCanvas(meshes, spans, background_on(domain, background))


def background_on(domain: Domain, background: tuple[Domain, NDArray] | None) -> NDArray | None:
    """What a report shows behind regions, at the points of the masker."""
    return None if background is None else moved(background[1], background[0], domain, outside=0.0)


@documented(SURFACES)
class SurfaceContract(MatchedMasker):
    """What the maskers of surfaces have in common."""

    _point = "vertex"

    def _open(self, imgs: Any) -> Source:
        return self._fitted.kind.open(imgs) if self.__sklearn_is_fitted__() else open_surface(imgs)

    def _open_one(self, img: Any, name: str) -> Source:
        with naming(name):
            return open_surface(img)

    def _frozen_on(self, atlas: Atlas, domain: Domain, img: Any) -> FittedMasker:
        """The frozen object, with the meshes of an image."""
        assert isinstance(domain, SurfaceVertices)
        mesh = polymesh(img.mesh) if hasattr(img, "mesh") else None
        return self._frozen(Surfaces(type(self).__name__, domain, mesh), atlas, home=domain)

    def _refuse_other_images(self, imgs: Any, domain: Domain, own_name: str) -> None:
        if imgs is not None and not isinstance(imgs, Iterable):
            refuse_other_vertices(open_surface(imgs).domain, domain, "imgs", own_name)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.niimg_like = False
        tags.input_tags.surf_img = True
        return tags


def warn_of_other_geometry(domain: SurfaceVertices, own: SurfaceVertices, name: str) -> None:
    """Warn where meshes have as many vertices but other coordinates or faces."""
    if domain.meshes is None or own.meshes is None:
        return
    different = [part for part in own.parts if not domain.meshes[part].same_geometry(own.meshes[part])]
    if different:
        warn(
            f"{name}: the {' and '.join(different)} mesh has other coordinates or faces than that of the masker. "
            "Vertices are matched by their number; smoothing is on the mesh of the image.",
            RuntimeWarning,
        )


@documented(
    mask_img={
        "words": "1-D; vertices that are finite and not 0. None: the vertices that are finite in every sample of the "
        "images given to `fit`."
    },
    words={"natural_dtype": "float64"},
)
class SurfaceMasker(SurfaceContract):
    """One series for each vertex of a mask.

    Attributes
    ----------
    mask_img_ : SurfaceImage
        1-D, bool.
    n_elements_ : int
        Number of vertices in the mask. Columns are the vertices of the left hemisphere, then of the right.
    """

    _column = "vertex"
    _natural_dtype = staticmethod(of_vertices)

    def __init__(
        self,
        mask_img: SurfaceLike | None = None,
        smoothing_fwhm: float | None = None,
        standardize: Standardize = False,
        standardize_confounds: bool = True,
        detrend: bool = False,
        high_variance_confounds: bool = False,
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        dtype: SignalDtype = None,
        memory: MemoryLike = None,
        memory_level: int = 1,
        verbose: int = 0,
        reports: bool = True,
        cmap: ColormapLike = "inferno",
        clean_args: dict[str, Any] | None = None,
        smoothing_method: SmoothingMethod = "neighbours",
    ) -> None:
        keep_parameters(self, locals())

    def _compiled(self, imgs: Any) -> FittedMasker:
        if self.mask_img is None:
            img = imgs if is_surface_image(imgs) else first_of(imgs)
            mask, domain = self._computed_mask(imgs)
        else:
            img = self.mask_img
            mask, domain = self._mask_values()
            self._warn_of_images_beside_mask(imgs)
        return self._frozen_on(Points(domain, mask), domain, img)

    def inverse_transform(self, signals: Any) -> Any:
        return self._inverse(signals)


@documented()
class SurfaceLabelsMasker(LabelAttributes, SurfaceContract):
    """One series for each region of a surface parcellation.

    Attributes
    ----------
    labels_img_ : SurfaceImage
    mask_img_ : SurfaceImage or None
    region_atlas_ : SurfaceImage
        Image of the ids of the regions used, after the mask.
    """

    _natural_dtype = staticmethod(of_regions)

    def __init__(
        self,
        labels_img: SurfaceLike | None = None,
        labels: Sequence[str] | None = None,
        lut: TableLike | None = None,
        background_label: float = 0,
        mask_img: SurfaceLike | None = None,
        smoothing_fwhm: float | None = None,
        standardize: Standardize = False,
        standardize_confounds: bool = True,
        detrend: bool = False,
        high_variance_confounds: bool = False,
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        dtype: SignalDtype = None,
        memory: MemoryLike = None,
        memory_level: int = 1,
        verbose: int = 0,
        strategy: Strategy = "mean",
        reports: bool = True,
        cmap: ColormapLike = "inferno",
        clean_args: dict[str, Any] | None = None,
        smoothing_method: SmoothingMethod = "neighbours",
        nonfinite: Nonfinite = "zero",
        min_coverage: float | None = None,
    ) -> None:
        keep_parameters(self, locals())

    def _compiled(self, imgs: Any) -> FittedMasker:
        self._refuse_none("labels_img", "a label image")
        values, domain = self._one_map(self.labels_img, "labels_img")
        table = joined_tables(label_tables_of(self.labels_img))
        values, background = own_background(values, table, self.background_label)
        lut = self.lut
        if table is not None and self.lut is None and self.labels is None:
            # The file's colours for pictures; columns are named by their ids, as in the peer.
            keys = table["index"].to_numpy().astype(values.dtype)
            lut = table.assign(name=[str(key) for key in keys.tolist()])[table["index"] != background]
        atlas, values = self._labels_of(values, domain, lut, background)
        self._refuse_other_images(imgs, domain, "labels_img")
        frozen = self._frozen_on(atlas, domain, self.labels_img)
        self.labels_img_ = frozen.kind.image(values, domain)
        return frozen

    def inverse_transform(self, signals: Any) -> Any:
        return self._inverse(signals)


@documented(
    strategy=MAPS_STRATEGY, words={"natural_dtype": "float32 where the maps are float32, else float64"}
)
class SurfaceMapsMasker(SurfaceContract):
    """One series for each map of weights on surfaces, by least squares.

    Attributes
    ----------
    maps_img_ : SurfaceImage
    mask_img_ : SurfaceImage or None
    n_elements_ : int
        Number of columns.
    """

    _column = "map"
    _natural_dtype = staticmethod(of_surface_maps)
    _displayed_name = "displayed_maps"
    _inverse_name = "region_signals"

    def __init__(
        self,
        maps_img: SurfaceLike | None = None,
        mask_img: SurfaceLike | None = None,
        allow_overlap: bool = True,
        smoothing_fwhm: float | None = None,
        standardize: Standardize = False,
        standardize_confounds: bool = True,
        detrend: bool = False,
        high_variance_confounds: bool = False,
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        dtype: SignalDtype = None,
        memory: MemoryLike = None,
        memory_level: int = 1,
        verbose: int = 0,
        reports: bool = True,
        cmap: ColormapLike = "inferno",
        clean_args: dict[str, Any] | None = None,
        smoothing_method: SmoothingMethod = "neighbours",
        strategy: MapsStrategy = "least_squares",
        min_coverage: float | None = None,
    ) -> None:
        keep_parameters(self, locals())

    def _compiled(self, imgs: Any) -> FittedMasker:
        self._refuse_none("maps_img", "maps")
        source = self._open_one(self.maps_img, "maps_img")
        atlas = self._maps_of(source)
        self._refuse_other_images(imgs, source.domain, "maps_img")
        return self._frozen_on(atlas, source.domain, self.maps_img)

    @fitted
    def maps_img_(self) -> Any:
        """Image of the maps used, after the mask."""
        return self._fitted.kind.image(self._fitted.at_home().weights.toarray(), self._fitted.home)

    def inverse_transform(self, region_signals: Any) -> Any:
        return self._inverse(region_signals)


def first_of(imgs: Any) -> Any:
    """The first of several images."""
    return imgs[0] if isinstance(imgs, list | tuple) else imgs


@documented()
class MultiSurfaceMasker(ManyImages, SurfaceMasker):
    """`SurfaceMasker` of many runs or subjects: a list of arrays."""

    def __init__(
        self,
        mask_img: SurfaceLike | None = None,
        smoothing_fwhm: float | None = None,
        standardize: Standardize = False,
        standardize_confounds: bool = True,
        detrend: bool = False,
        high_variance_confounds: bool = False,
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        dtype: SignalDtype = None,
        memory: MemoryLike = None,
        memory_level: int = 1,
        n_jobs: int = 1,
        verbose: int = 0,
        reports: bool = True,
        cmap: ColormapLike = "inferno",
        clean_args: dict[str, Any] | None = None,
        smoothing_method: SmoothingMethod = "neighbours",
    ) -> None:
        keep_parameters(self, locals())

    def _each_image(self, imgs: Any) -> Iterable[Any]:
        return [imgs] if is_one_image(imgs) else imgs


@documented()
class MultiSurfaceLabelsMasker(ManyImages, SurfaceLabelsMasker):
    """`SurfaceLabelsMasker` of many runs or subjects: a list of arrays."""

    def __init__(
        self,
        labels_img: SurfaceLike | None = None,
        labels: Sequence[str] | None = None,
        lut: TableLike | None = None,
        background_label: float = 0,
        mask_img: SurfaceLike | None = None,
        smoothing_fwhm: float | None = None,
        standardize: Standardize = False,
        standardize_confounds: bool = True,
        detrend: bool = False,
        high_variance_confounds: bool = False,
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        dtype: SignalDtype = None,
        memory: MemoryLike = None,
        memory_level: int = 1,
        n_jobs: int = 1,
        verbose: int = 0,
        strategy: Strategy = "mean",
        reports: bool = True,
        cmap: ColormapLike = "inferno",
        clean_args: dict[str, Any] | None = None,
        smoothing_method: SmoothingMethod = "neighbours",
        nonfinite: Nonfinite = "zero",
        min_coverage: float | None = None,
    ) -> None:
        keep_parameters(self, locals())


@documented()
class MultiSurfaceMapsMasker(ManyImages, SurfaceMapsMasker):
    """`SurfaceMapsMasker` of many runs or subjects: a list of arrays."""

    def __init__(
        self,
        maps_img: SurfaceLike | None = None,
        mask_img: SurfaceLike | None = None,
        allow_overlap: bool = True,
        smoothing_fwhm: float | None = None,
        standardize: Standardize = False,
        standardize_confounds: bool = True,
        detrend: bool = False,
        high_variance_confounds: bool = False,
        low_pass: float | None = None,
        high_pass: float | None = None,
        t_r: float | None = None,
        dtype: SignalDtype = None,
        memory: MemoryLike = None,
        memory_level: int = 1,
        n_jobs: int = 1,
        verbose: int = 0,
        reports: bool = True,
        cmap: ColormapLike = "inferno",
        clean_args: dict[str, Any] | None = None,
        smoothing_method: SmoothingMethod = "neighbours",
        strategy: MapsStrategy = "least_squares",
        min_coverage: float | None = None,
    ) -> None:
        keep_parameters(self, locals())
