"""The maskers that a command line asks for: of atlases, seeds, or the voxels themselves."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np

from brainsieve.checks import naming
from brainsieve.cli.inputs import mesh_files, short_name
from brainsieve.cli.options import UsageError
from brainsieve.engine.domain import VoxelGrid
from brainsieve.engine.source import Source
from brainsieve.maskers import CiftiMasker, NiftiMasker, NiftiSpheresMasker
from brainsieve.maskers.choosing import (
    checked_atlas,
    is_label_atlas,
    kind_of,
    masker_for,
    open_any,
    surface_of,
)
from brainsieve.maskers.spheres import NAME_COLUMNS, seeds_of_table
from brainsieve.surface import PolyMesh, SurfaceImage
from brainsieve.surface.opening import open_surface
from brainsieve.tables import distinct, read_lut, read_table

# What an atlas must be for a run of each kind, in files.
FITTING_ATLAS = {
    "volumes": "a volume atlas (.nii.gz)",
    "surfaces": "labels at vertices (.label.gii or .annot) of both hemispheres, or of the one that the run has",
    "CIFTI": "a .dlabel.nii or .dscalar.nii atlas",
}


@dataclass(frozen=True)
class Wanted:
    """What to extract: an atlas, seeds, or the voxels, for which path is None."""

    kind: str
    path: str | None
    lut: str | None = None

    @property
    def name(self) -> str:
        return "" if self.path is None else short_name(self.path)


@dataclass(frozen=True)
class Target:
    """What was wanted, the fitted masker for it, and the names of its columns."""

    wanted: Wanted
    masker: Any
    columns: list[str]


def wanted_of(arguments: argparse.Namespace) -> list[Wanted]:
    """What a command line asks for.

    Raises
    ------
    UsageError
        If that is nothing, or options do not go together.
    """
    luts: list[str | None] = arguments.labels or [None] * len(arguments.atlas)
    if len(luts) != len(arguments.atlas):
        raise UsageError(f"{len(luts)} --labels for {len(arguments.atlas)} --atlas; give as many, or none.")
    wanted = [Wanted("atlas", path, lut) for path, lut in zip(arguments.atlas, luts, strict=True)]
    wanted += [Wanted("seeds", path) for path in arguments.seeds]
    if arguments.voxels and wanted:
        raise UsageError(
            "--voxels writes an image, --atlas and --seeds write tables; run the command once for each."
        )
    if not arguments.voxels and not wanted:
        raise UsageError(
            "extract needs --atlas, an image of regions; or --seeds, a table of coordinates; or --voxels."
        )
    _refuse_options_without_use(arguments)
    return wanted or [Wanted("voxels", None)]


def _refuse_options_without_use(arguments: argparse.Namespace) -> None:
    """An option that would do nothing is a mistake: somebody believes that it was done."""
    needs = {
        "--atlas": (arguments.atlas, ("strategy", "background_label", "resampling_target")),
        "--seeds": (arguments.seeds, ("radius", "allow_overlap")),
        "--atlas or --seeds": (arguments.atlas or arguments.seeds, ("min_coverage",)),
        "--confounds": (arguments.confounds, ("confounds_columns",)),
        "--smoothing-fwhm": (arguments.smoothing_fwhm, ("surfaces",)),
    }
    for needed, (there, options) in needs.items():
        for option in options:
            value = getattr(arguments, option)
            if not there and value is not None and value is not False:
                raise UsageError(
                    f"--{option.replace('_', '-')} was given without {needed}, which it goes with."
                )
    if arguments.filter == "cosine" and arguments.low_pass is not None:
        raise UsageError(
            "--filter cosine removes what is slower only; --low-pass needs --filter butterworth."
        )
    low, high = arguments.low_pass, arguments.high_pass
    if low is not None and high is not None and high >= low:
        raise ValueError(f"--high-pass {high:g} must be lower than --low-pass {low:g}.")


def open_run(arguments: argparse.Namespace, run: str) -> Source:
    """The source of a run; of a surface, on the meshes of --surfaces."""
    if arguments.surfaces is None:
        return open_any(run)
    image = surface_of(run)
    if image is None:
        source = open_any(run)
        if kind_of(source) == "volumes":
            raise UsageError("--surfaces goes with runs on surfaces and CIFTI files; the run is a volume.")
        return source
    return open_surface(_on_meshes(arguments, image))


def _on_meshes(arguments: argparse.Namespace, image: Any) -> SurfaceImage:
    files = mesh_files(arguments.surfaces)
    missing = [part for part in image.parts if part not in files]
    if missing:
        raise ValueError(f"--surfaces {arguments.surfaces!r} has no mesh of the {missing[0]} hemisphere.")
    return SurfaceImage({part: files[part] for part in image.parts}, image)


def targets_of(
    arguments: argparse.Namespace, wanted: Sequence[Wanted], source: Source, run: str, t_r: float | None
) -> list[Target]:
    """The fitted maskers of one run."""
    parameters = _parameters(arguments, source, t_r)
    make = {"atlas": _atlas_target, "seeds": _seeds_target, "voxels": _voxels_target}
    return [make[each.kind](each, arguments, source, run, dict(parameters)) for each in wanted]


def _parameters(arguments: argparse.Namespace, source: Source, t_r: float | None) -> dict[str, Any]:
    """Parameters that all maskers of the run's kind take."""
    kind = kind_of(source)
    parameters: dict[str, Any] = {
        "mask_img": arguments.mask,
        "smoothing_fwhm": arguments.smoothing_fwhm,
        "standardize": None if arguments.standardize == "none" else arguments.standardize,
        "high_variance_confounds": arguments.high_variance_confounds,
        "detrend": arguments.detrend,
        "low_pass": arguments.low_pass,
        "high_pass": arguments.high_pass,
        "t_r": t_r,
        "clean_args": None if arguments.filter == "butterworth" else {"filter": arguments.filter},
        "reports": arguments.report is not None,
    }
    if kind == "volumes":
        return parameters
    if arguments.resampling_target not in (None, "data"):
        raise UsageError(
            "--resampling-target is for volumes: points of surfaces and CIFTI are matched by number."
        )
    width = arguments.smoothing_fwhm
    if width is not None and not isinstance(width, float):
        raise UsageError(f"--smoothing-fwhm must be one number of mm for {kind}.")
    if kind == "CIFTI" and arguments.surfaces is not None:
        parameters["surfaces"] = PolyMesh(**mesh_files(arguments.surfaces))
    if kind == "surfaces":
        if width is not None and arguments.surfaces is None:
            raise UsageError("--smoothing-fwhm of a run on surfaces needs its meshes: --surfaces LEFT,RIGHT.")
        if arguments.mask is not None:
            parameters["mask_img"] = _surface_image(arguments, arguments.mask, "--mask")
    return parameters


def _surface_image(arguments: argparse.Namespace, path: str, option: str) -> Any:
    image = surface_of(path)
    if image is None:
        raise TypeError(f"{option}: {path!r} holds no values at vertices, which the run has.")
    return image if arguments.surfaces is None else _on_meshes(arguments, image)


# -- atlases ---------------------------------------------------------------------------------------------


def _atlas_target(
    wanted: Wanted, arguments: argparse.Namespace, source: Source, run: str, parameters: dict[str, Any]
) -> Target:
    atlas = str(wanted.path)
    with naming("--atlas"):
        opened = checked_atlas(atlas, source, FITTING_ATLAS)
    labels = is_label_atlas(opened)
    kind = kind_of(source)
    for option in ("strategy", "background_label"):
        if getattr(arguments, option) is not None and not labels:
            raise ValueError(
                f"--{option.replace('_', '-')} goes with an atlas of labels; {atlas} has {opened.n_samples} maps."
            )
    if kind == "volumes":
        # "labels" and "maps" are the same wish: the atlas stays as it is.
        target = arguments.resampling_target or "data"
        kept = {"data": "data", "none": None}.get(target, "labels" if labels else "maps")
        parameters["resampling_target"] = kept
    parameters["min_coverage"] = arguments.min_coverage
    only_labels: dict[str, Any] = {"strategy": arguments.strategy or "mean"}
    if arguments.background_label is not None:
        only_labels["background_label"] = arguments.background_label
    if wanted.lut is not None:
        only_labels["lut"] = wanted.lut
    given: Any = atlas
    if kind == "surfaces":
        given = _surface_image(arguments, atlas, "--atlas")
    masker = masker_for(given, source, run, parameters, only_labels)
    names = [str(name) for name in masker.get_feature_names_out()]
    if labels or (kind == "CIFTI" and wanted.lut is None and names[0] != "ciftimapsmasker0"):
        return Target(wanted, masker, distinct(names))
    return Target(wanted, masker, _names_of_maps(atlas, wanted.lut, opened.n_samples))


def _names_of_maps(atlas: str, lut: str | None, n_maps: int) -> list[str]:
    if lut is None:
        return [f"map-{number}" for number in range(1, n_maps + 1)]
    names = [str(name) for name in read_lut(lut).sort_values("index", kind="stable")["name"]]
    if len(names) != n_maps:
        raise ValueError(f"--labels: {lut!r} names {len(names)} maps; {atlas} has {n_maps}.")
    return distinct(names)


# -- seeds and voxels ------------------------------------------------------------------------------------


def _seeds_target(
    wanted: Wanted, arguments: argparse.Namespace, source: Source, run: str, parameters: dict[str, Any]
) -> Target:
    if kind_of(source) != "volumes":
        raise TypeError(f"--seeds are millimetres in a volume; the run {source.name} is {kind_of(source)}.")
    path = str(wanted.path)
    seeds, named = seeds_of_table(read_table(path, as_text=NAME_COLUMNS), f"--seeds: {path!r}")
    names = named or [f"seed-{number}" for number in range(1, len(seeds) + 1)]
    masker = NiftiSpheresMasker(
        seeds.tolist(),
        radius=arguments.radius,
        allow_overlap=arguments.allow_overlap,
        min_coverage=arguments.min_coverage,
        **parameters,
    ).fit(run)
    return Target(wanted, masker, distinct(names))


def _voxels_target(
    wanted: Wanted, arguments: argparse.Namespace, source: Source, run: str, parameters: dict[str, Any]
) -> Target:
    kind = kind_of(source)
    if kind == "CIFTI":
        return Target(wanted, CiftiMasker(**parameters).fit(run), [])
    if kind == "surfaces":
        raise TypeError("--voxels is for volumes and CIFTI files; SurfaceMasker does it in Python.")
    if arguments.mask is None:
        assert isinstance(source.domain, VoxelGrid)
        # Without a mask the image comes back as it is, and not within a mask that is computed of it.
        everywhere = np.ones(source.domain.shape, np.uint8)
        parameters["mask_img"] = nib.Nifti1Image(everywhere, source.domain.affine)
    return Target(wanted, NiftiMasker(**parameters).fit(), [])
