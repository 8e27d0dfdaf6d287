"""Maskers of CIFTI-2 files: grayordinates, regions and soft maps over cortex and subcortex."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.atlas import Atlas, Points
from brainsieve.caching import digest
from brainsieve.checks import found, naming
from brainsieve.engine.domain import Domain, apply_affine
from brainsieve.engine.grayordinates import (
    CORTEX_LEFT,
    CORTEX_RIGHT,
    Grayordinates,
    Parcels,
    SurfaceModel,
    VoxelModel,
)
from brainsieve.engine.mesh import Mesh
from brainsieve.engine.source import read_sample
from brainsieve.engine.source.base import Source
from brainsieve.engine.source.cifti import CiftiSource, open_cifti
from brainsieve.engine.source.cifti_header import LabelAxis, ScalarAxis, SeriesAxis
from brainsieve.engine.spatial.mesh_smoothing import mesh_steps, side_by_side, volume_gaussian
from brainsieve.engine.spatial.operator import SpatialOperator
from brainsieve.exceptions import MeshDimensionError
from brainsieve.image.headers import cast
from brainsieve.maskers.declared import CIFTI, MAPS_STRATEGY, keep_parameters
from brainsieve.maskers.documented import documented
from brainsieve.maskers.estimator import fitted
from brainsieve.maskers.fitted import FittedMasker
from brainsieve.maskers.grid import read_volume
from brainsieve.maskers.kinds import ImageKind
from brainsieve.maskers.labels import LabelAttributes
from brainsieve.maskers.matched import MatchedMasker
from brainsieve.maskers.output import inverse_dtype, of_grayordinate_maps, of_regions
from brainsieve.maskers.surface import background_on
from brainsieve.surface.cifti_images import cifti_image
from brainsieve.surface.files import load_labelled
from brainsieve.surface.gifti import hex_of
from brainsieve.surface.label_tables import joined_tables, own_background, table_of_rows
from brainsieve.surface.meshes import PolyMesh, geometry_of, polymesh
from brainsieve.typing import (
    CiftiLike,
    ColormapLike,
    MapsStrategy,
    MemoryLike,
    Nonfinite,
    SignalDtype,
    SmoothingMethod,
    Standardize,
    Strategy,
    TableLike,
)

if TYPE_CHECKING:
    from brainsieve.drawing import Canvas

HEMISPHERE_OF = {CORTEX_LEFT: "left", CORTEX_RIGHT: "right"}
STRUCTURE_OF = {part: structure for structure, part in HEMISPHERE_OF.items()}


@dataclass(frozen=True, eq=False)
class Cifti(ImageKind):
    """CIFTI-2 files and images.

    Attributes
    ----------
    masker : str
        Name of the class.
    domain : Grayordinates or Parcels
        The masker's own points.
    own_name : str
        What messages call these.
    surfaces : PolyMesh or None
        Meshes of the cortex.
    step : float or None
        Seconds between the samples of images that are made.
    """

    masker: str
    domain: Domain
    own_name: str
    surfaces: PolyMesh | None
    step: float | None

    point = "grayordinate"

    @property
    def key(self) -> str:
        meshes = {} if self.surfaces is None else self.surfaces.parts
        parts = [geometry_of(mesh, part).fingerprint for part, mesh in meshes.items()]
        return digest("CIFTI", self.domain.fingerprint, parts)

    def open(self, imgs: Any) -> Source:
        source = open_run(imgs)
        self.check(source)
        return source

    def check(self, source: Source) -> None:
        refuse_other_kinds(source, self.masker)
        both_parcels = isinstance(source.domain, Parcels) and isinstance(self.domain, Parcels)
        if not both_parcels:
            refuse_parcels(source, self.masker)
        own = self.domain
        if (
            isinstance(own, Grayordinates)
            and isinstance(source.domain, Grayordinates)
            and own != source.domain
        ):
            # What cannot be matched is said with the names of both files.
            source.domain.positions_in(own, (source.name, self.own_name))

    def smoothing(self, domain: Domain, fwhm: Any, method: str | None) -> list[SpatialOperator]:
        if not fwhm:
            return []
        if not isinstance(domain, Grayordinates):
            raise ValueError("smoothing_fwhm is for dense files; parcels have no neighbours.")
        parts = []
        for model in domain.models:
            if isinstance(model, SurfaceModel):
                mesh = self._mesh_of(model).restricted(model.vertices)
                parts.append((model.n_points, mesh_steps(mesh, float(fwhm), str(method))))
            else:
                assert domain.grid is not None
                centres = apply_affine(domain.grid.affine, model.voxels.astype(np.float64))
                parts.append((model.n_points, [volume_gaussian(centres, float(fwhm))]))
        return list(side_by_side(parts))

    def _mesh_of(self, model: SurfaceModel) -> Mesh:
        """The mesh of a structure, from `surfaces`."""
        part = HEMISPHERE_OF.get(model.structure)
        parts = {} if self.surfaces is None else self.surfaces.parts
        if part is None or part not in parts:
            raise ValueError(
                f"smoothing_fwhm needs the mesh of {model.structure} ({model.n_vertices} vertices), which a CIFTI "
                "file does not have: give surfaces=PolyMesh(left=..., right=...)."
            )
        mesh = geometry_of(parts[part], f"the {part} mesh of surfaces")
        if mesh.n_vertices != model.n_vertices:
            raise MeshDimensionError(
                f"The {part} mesh of surfaces has {mesh.n_vertices} vertices; the file has {model.structure} on a "
                f"surface of {model.n_vertices}."
            )
        return mesh

    def image(self, values: NDArray, domain: Any) -> Any:
        return cifti_image(values, domain, self.step)

    def timed(self, t_r: float | None) -> Cifti:
        return self if t_r is None else replace(self, step=t_r)

    def canvas(self, domain: Domain, background: tuple[Domain, NDArray] | None) -> Canvas:
        return _canvas_of(domain, self.surfaces, background_on(domain, background))

    def names_of(self, inside: NDArray[np.bool_]) -> Sequence[str] | None:
        """Parcels have names."""
        if isinstance(self.domain, Parcels):
            return [name for name, taken in zip(self.domain.names, inside, strict=True) if taken]
        return None


def open_run(imgs: Any) -> CiftiSource:
    """The source of one CIFTI file or image."""
    if isinstance(imgs, list | tuple):
        raise TypeError(
            f"One CIFTI file or image is a run; a list of {len(imgs)} was given. Transform them one by one."
        )
    return open_cifti(imgs)


@documented(CIFTI)
class CiftiContract(MatchedMasker):
    """What the maskers of CIFTI files have in common."""

    _point = "grayordinate"

    def _open(self, imgs: Any) -> Source:
        return self._fitted.kind.open(imgs) if self.__sklearn_is_fitted__() else open_run(imgs)

    def _open_one(self, img: Any, name: str) -> CiftiSource:
        with naming(name):
            source = open_cifti(img)
        refuse_parcels(source, type(self).__name__, name)
        return source

    def _frozen_on(self, atlas: Atlas, domain: Domain, own_name: str, imgs: Any) -> FittedMasker:
        surfaces = None if self.surfaces is None else polymesh(self.surfaces)
        step = self.t_r
        if step is None and imgs is not None and not isinstance(imgs, list | tuple):
            # The time between samples of the images that come back, where nothing is known better.
            step = open_cifti(imgs).tr
        kind = Cifti(type(self).__name__, domain, own_name, surfaces, step)
        if imgs is not None:
            kind.open(imgs)
        return self._frozen(kind, atlas, home=domain)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.niimg_like = False
        tags.input_tags.cifti_img = True
        return tags


def refuse_other_kinds(source: Source, masker: str) -> None:
    """Raise TypeError for what is no CIFTI."""
    if not isinstance(source.domain, Grayordinates | Parcels):
        raise TypeError(
            f"{source.name} is no CIFTI file ({source.domain.describe()}); {masker} takes CIFTI-2. "
            "The Nifti maskers take volumes, the Surface maskers SurfaceImages; brainsieve.surface.to_cifti "
            "makes CIFTI of the latter."
        )


def refuse_parcels(source: Source, masker: str, name: str | None = None) -> None:
    """Raise TypeError where a file has parcels and a masker needs the grayordinates themselves."""
    if isinstance(source.domain, Parcels):
        raise TypeError(
            f"{name or source.name} has parcels as its points ({source.name}: {source.domain.describe()}), where "
            f"{masker} needs a dense axis of grayordinates (.dtseries.nii, .dscalar.nii, .dlabel.nii). "
            "CiftiMasker() reads parcellated files."
        )


def _canvas_of(domain: Any, surfaces: Any, background: NDArray | None) -> Any:
    """Hemispheres whose meshes are known, and slices of the voxels."""
    from brainsieve.drawing import GrayordinateCanvas, SurfaceCanvas

    nothing = np.zeros(0, np.intp), np.zeros((0, 3), np.intp)
    if not isinstance(domain, Grayordinates):
        text = "Parcels are listed, not drawn."
        return GrayordinateCanvas(None, (1, 1, 1), np.eye(4), *nothing, None, text)
    parts = {} if surfaces is None else polymesh(surfaces).parts
    meshes, spans, undrawn = {}, {}, []
    for structure, part in HEMISPHERE_OF.items():
        known = domain.surface(structure)
        if known is None:
            continue
        model, span = known
        mesh = parts.get(part)
        if mesh is None or mesh.n_vertices != model.n_vertices:
            undrawn.append(f"{structure} ({model.n_vertices} vertices)")
            continue
        positions = np.full(model.n_vertices, -1, dtype=np.intp)
        positions[model.vertices] = np.arange(span.start, span.stop)
        meshes[part], spans[part] = (mesh.coordinates, mesh.faces), positions
    cortex = SurfaceCanvas(meshes, spans, background) if meshes else None
    points, voxels = domain.voxels
    grid = domain.grid
    said = f"Not drawn, as surfaces has no mesh for it: {', '.join(undrawn)}." if undrawn else None
    return GrayordinateCanvas(
        cortex,
        (1, 1, 1) if grid is None else grid.shape,
        np.eye(4) if grid is None else grid.affine,
        points if grid is not None else nothing[0],
        voxels if grid is not None else nothing[1],
        background,
        said,
    )


@documented(
    mask_img={
        "words": "Dense file of one map; grayordinates that are finite and not 0. None: those of the image given to "
        "`fit` that are finite in every sample."
    },
)
class CiftiMasker(CiftiContract):
    """One series for each grayordinate: of all, of some structures, or of a mask.

    Attributes
    ----------
    mask_img_ : nibabel.Cifti2Image
        1 for the grayordinates taken.
    n_elements_ : int
        Number of columns, in the order of the file.

    Notes
    -----
    A parcellated file (``.ptseries.nii``) is read too, without `mask_img` and `structures`: a column for each
    parcel, named as it.
    """

    _column = "point"
    _natural_dtype = staticmethod(of_regions)

    def __init__(
        self,
        mask_img: CiftiLike | None = None,
        structures: str | Sequence[str] | None = None,
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
        cmap: ColormapLike = None,
        clean_args: dict[str, Any] | None = None,
        smoothing_method: SmoothingMethod = "heat",
        surfaces: PolyMesh | None = None,
    ) -> None:
        keep_parameters(self, locals())

    def _compiled(self, imgs: Any) -> FittedMasker:
        if self.mask_img is None:
            mask, domain = self._computed_mask(imgs)
            own_name = "the image given to fit"
        else:
            mask, domain = self._mask_values()
            own_name = "mask_img"
            self._warn_of_images_beside_mask(imgs)
        if self.structures is not None:
            mask = mask & self._in_structures(domain)
            if not mask.any():
                raise ValueError(f"structures={self.structures!r} leaves no grayordinate of the mask.")
        return self._frozen_on(Points(domain, mask), domain, own_name, imgs)

    def _in_structures(self, domain: Domain) -> NDArray[np.bool_]:
        if not isinstance(domain, Grayordinates):
            raise TypeError(f"structures is for dense files; {domain.describe()} have none.")
        names = [self.structures] if isinstance(self.structures, str) else self.structures
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"structures must be a str or a list of str; {found(self.structures)} was given.")
        inside = np.zeros(domain.n_points, dtype=bool)
        inside[domain.points_of(self.structures)] = True
        return inside

    def inverse_transform(self, signals: Any) -> Any:
        return self._inverse(signals)


@documented()
class CiftiLabelsMasker(LabelAttributes, CiftiContract):
    """One series for each region of a CIFTI parcellation.

    Attributes
    ----------
    labels_img_ : nibabel.Cifti2Image
    mask_img_ : nibabel.Cifti2Image or None
    lut_ : pandas.DataFrame
        ``index``, ``name`` and, from a label table, ``color`` of the regions and of the background.
    region_atlas_ : nibabel.Cifti2Image
        Image of the ids of the regions used, after the mask.
    """

    _natural_dtype = staticmethod(of_regions)

    def __init__(
        self,
        labels_img: CiftiLike | dict[str, Any] | None = None,
        labels: Sequence[str] | None = None,
        lut: TableLike | None = None,
        background_label: float = 0,
        mask_img: CiftiLike | None = None,
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
        cmap: ColormapLike = None,
        clean_args: dict[str, Any] | None = None,
        smoothing_method: SmoothingMethod = "heat",
        nonfinite: Nonfinite = "zero",
        min_coverage: float | None = None,
        surfaces: PolyMesh | None = None,
        labels_map: int | str = 0,
    ) -> None:
        keep_parameters(self, locals())

    def _compiled(self, imgs: Any) -> FittedMasker:
        self._refuse_none("labels_img", "a label image")
        parts = isinstance(self.labels_img, dict)
        read = self._values_of_parts if parts else self._values_of_file
        values, background, domain, table, own_name = read(self.labels_img)
        # What the user gives comes first, then the label table of the file.
        lut = table if self.labels is None and self.lut is None else self.lut
        atlas, values = self._labels_of(values, domain, lut, background)
        # As they are now. Their image is made when it is asked for: its header takes longer than the parcels.
        self._label_values = values.copy()
        return self._frozen_on(atlas, domain, own_name, imgs)

    @fitted
    def labels_img_(self) -> Any:
        """Image of the labels, as they were given."""
        return self._fitted.kind.image(self._label_values, self._fitted.home)

    def _values_of_file(self, img: Any) -> tuple[NDArray, float, Domain, Any, str]:
        """Values of a file, the background, their domain, the file's label table, and what messages call it."""
        source = self._open_one(img, "labels_img")
        axis = source.layout.maps
        if isinstance(axis, SeriesAxis) and axis.n > 1:
            raise TypeError(
                f"labels_img ({source.name}) is a series of {axis.n} samples, not labels; were run and atlas swapped?"
            )
        number = self._map_number(source)
        keys = axis.tables[number] if isinstance(axis, LabelAxis) else {}
        table = table_of_rows(
            [(key, name or str(key), hex_of(colour)) for key, (name, colour) in keys.items()]
        )
        values = read_sample(source, number)
        whole = isinstance(axis, LabelAxis) and values.dtype.kind == "f" and np.isfinite(values).all()
        values = values.astype(np.int32) if whole else values
        values, background = own_background(values, table, self.background_label)
        return values, background, source.domain, table, f"labels_img ({source.name})"

    def _map_number(self, source: CiftiSource) -> int:
        names = list(getattr(source.layout.maps, "names", ()))
        if isinstance(self.labels_map, str):
            if self.labels_map not in names:
                raise ValueError(
                    f"labels_map={self.labels_map!r}: {source.name} has the maps {', '.join(map(repr, names))}."
                )
            return names.index(self.labels_map)
        if isinstance(self.labels_map, bool) or not isinstance(self.labels_map, int | np.integer):
            raise TypeError(f"labels_map must be a number or a name; {found(self.labels_map)} was given.")
        if not 0 <= self.labels_map < source.n_samples:
            raise ValueError(
                f"labels_map={self.labels_map}: {source.name} has {source.n_samples} maps, numbered from 0."
            )
        return int(self.labels_map)

    def _values_of_parts(self, parts: dict[str, Any]) -> tuple[NDArray, float, Domain, Any, str]:
        """Labels of hemispheres and of a volume, put side by side; an id in several is one region."""
        unknown = sorted(set(parts) - {"left", "right", "volume"})
        if unknown or not parts:
            raise ValueError(
                "labels_img: a dict has the keys 'left', 'right' and 'volume', or some of them; "
                f"not {unknown or 'none'}."
            )
        models: list[Any] = []
        values, grid = [], None
        tables: dict[str, Any] = {}
        for part in ("left", "right"):
            if part in parts:
                ids, rows = load_labelled(parts[part])
                if ids.ndim != 1:
                    raise ValueError(
                        f"labels_img[{part!r}] must have shape (n_vertices,); it has {ids.shape}."
                    )
                models.append(SurfaceModel(STRUCTURE_OF[part], np.arange(len(ids), dtype=np.int32), len(ids)))
                values.append(ids)
                tables[part] = table_of_rows(rows)
        table, background = joined_tables(tables), self.background_label
        if values:
            # The tables are of the surfaces: they say nothing of the volume's ids.
            on_surfaces, background = own_background(np.concatenate(values), table, background)
            values = [on_surfaces]
        if "volume" in parts:
            ids, grid = read_volume(parts["volume"], "labels_img['volume']")
            points = np.flatnonzero(ids != self.background_label)
            voxels = np.stack(np.unravel_index(points, grid.shape, order="F"), axis=1)
            models.append(VoxelModel("OTHER", voxels.astype(np.int32)))
            values.append(ids[points])
        domain = Grayordinates(tuple(models), grid)
        return np.concatenate(values), background, domain, table, "labels_img"

    def _parcels(self) -> Parcels:
        """The regions as the parcels of a file."""
        placed = self._fitted.at_home()
        inside = np.flatnonzero(placed.codes >= 0)
        names = tuple(self._fitted.column_names())
        return Parcels(names, placed.domain.taking(inside), placed.codes[inside].astype(np.int32))

    def inverse_transform(self, signals: Any, dense: bool = False) -> Any:
        """Make a CIFTI image of signals; nothing that was done in time is undone.

        Parameters
        ----------
        signals : array of shape (n_elements_,) or (n_samples, n_elements_), or data frame
        dense : bool, default=False
            False: a parcellated image, which holds what was extracted (``.ptseries.nii``, ``.pscalar.nii``).
            True: each grayordinate of a region has the region's signal, 0 elsewhere (``.dtseries.nii``,
            ``.dscalar.nii``).

        Returns
        -------
        img : nibabel.Cifti2Image

        Raises
        ------
        ValueError
            If the width is not that of the masker.
        """
        if dense:
            return self._inverse(signals)
        frozen, values = self._current(), self._checked_signals(signals)
        dtype = inverse_dtype(frozen.in_time.dtype, values, self._inverse_name)
        values = cast(values, dtype, f"{self._inverse_name}: dtype")
        return frozen.kind.image(values, self._parcels())


@documented(
    strategy=MAPS_STRATEGY,
    words={"natural_dtype": "float32 where file and maps are float32, else float64"},
)
class CiftiMapsMasker(CiftiContract):
    """One series for each map of weights over grayordinates, by least squares.

    Attributes
    ----------
    maps_img_ : nibabel.Cifti2Image
    mask_img_ : nibabel.Cifti2Image or None
    n_elements_ : int
        Number of columns.
    """

    _column = "map"
    _natural_dtype = staticmethod(of_grayordinate_maps)
    _displayed_name = "displayed_maps"
    _inverse_name = "region_signals"

    def __init__(
        self,
        maps_img: CiftiLike | None = None,
        mask_img: CiftiLike | None = None,
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
        cmap: ColormapLike = None,
        clean_args: dict[str, Any] | None = None,
        smoothing_method: SmoothingMethod = "heat",
        strategy: MapsStrategy = "least_squares",
        min_coverage: float | None = None,
        surfaces: PolyMesh | None = None,
    ) -> None:
        keep_parameters(self, locals())

    def _compiled(self, imgs: Any) -> FittedMasker:
        self._refuse_none("maps_img", "maps")
        source = self._open_one(self.maps_img, "maps_img")
        axis = source.layout.maps
        names = tuple(axis.names) if isinstance(axis, ScalarAxis) else None
        atlas = self._maps_of(source, names)
        return self._frozen_on(atlas, source.domain, f"maps_img ({source.name})", imgs)

    @fitted
    def maps_img_(self) -> Any:
        """Image of the maps used, after the mask."""
        return self._fitted.kind.image(self._fitted.at_home().weights.toarray(), self._fitted.home)

    def inverse_transform(self, region_signals: Any) -> Any:
        return self._inverse(region_signals)
