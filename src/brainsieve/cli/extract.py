"""``brainsieve extract``: a run and atlases in, tables and how they were made out."""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.cli.choices import chosen_confounds, kept_volumes, refuse_missing
from brainsieve.cli.console import Console
from brainsieve.engine.source import Source
from brainsieve.maskers.base import run_maskers
from brainsieve.maskers.choosing import (
    checked_atlas,
    is_label_atlas,
    kind_of,
    masker_for,
    open_any,
    surface_files,
    surface_of,
)
from brainsieve.provenance import file_record, versions, write_json
from brainsieve.surface import PolyMesh
from brainsieve.table_files import checked_table_path, distinct, frame_of, print_table, write_table
from brainsieve.tables import read_lut

if TYPE_CHECKING:
    import pandas as pd

STANDARD_OUTPUT = "-"
IMAGE_SUFFIXES = (
    *(
        ".dtseries.nii",
        ".dscalar.nii",
        ".dlabel.nii",
        ".label.gii",
        ".func.gii",
        ".shape.gii",
        ".gii.gz",
        ".gii",
    ),
    *(".annot", ".nii.gz", ".nii", ".mgz", ".mgh", ".img", ".hdr", ".img.gz", ".hdr.gz"),
)


@dataclass(frozen=True)
class Target:
    """One atlas, the masker for it, and where its table goes."""

    name: str
    atlas: str
    lut: str | None
    masker: Any
    columns: list[str]
    output: Path | None


def run_extract(arguments: argparse.Namespace) -> int:
    """Run the command; what is wrong with its input is raised as ValueError, TypeError or OSError."""
    console = Console(arguments.quiet)
    start = time.perf_counter()
    with console.showing_warnings(), ThreadPoolExecutor(1, "brainsieve-checksum") as pool:
        _check_inputs(arguments)
        outputs = _outputs(arguments)
        source = open_any(arguments.run)
        console.say("run", f"{source.name}: {source.domain.describe()}, {source.n_samples} volumes")
        t_r, t_r_from = _repetition_time(arguments, source)
        kept = _kept(arguments, source)
        confounds = _confounds(arguments, kept)
        # While the run is read the machine's other cores have time for the checksums.
        records = pool.submit(_input_records, arguments)
        targets = _targets(arguments, source, t_r, outputs, console)
        _say_cleaning(arguments, console, t_r, t_r_from, confounds, kept, source)
        values = run_maskers(
            source,
            [target.masker for target in targets],
            confounds,
            kept,
            progress=console.progress("volumes"),
        )
        frames = [frame_of(v, t.columns) for v, t in zip(values, targets, strict=True)]
        record = _shared_record(arguments, source, t_r, t_r_from, confounds, kept)
        for target, frame in zip(targets, frames, strict=True):
            _write(target, frame, record, records, console, start)
    console.say("done", f"in {time.perf_counter() - start:.2f} s")
    return 0


# -- what was given ------------------------------------------------------------------------------------


def _check_inputs(arguments: argparse.Namespace) -> None:
    if not arguments.atlas:
        hint = "; for voxels, use brainsieve.maskers.NiftiMasker in Python" if arguments.mask else ""
        raise ValueError(f"extract needs --atlas, an image of regions{hint}.")
    if arguments.labels and len(arguments.labels) != len(arguments.atlas):
        raise ValueError(
            f"{len(arguments.labels)} --labels for {len(arguments.atlas)} --atlas; give as many, or none."
        )
    if arguments.confounds_columns is not None and arguments.confounds is None:
        raise ValueError("--confounds-columns was given without --confounds, the table to look them up in.")
    for option, path in _local_files(arguments):
        if "://" not in path and not Path(path).expanduser().is_file():
            raise FileNotFoundError(f"{option}: there is no file {path!r}.")


def _local_files(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """Options and files but for the run, which may be a glob."""
    files = [("--atlas", path) for path in arguments.atlas] + [
        ("--labels", path) for path in arguments.labels
    ]
    files += [
        ("--mask", arguments.mask),
        ("--confounds", arguments.confounds),
        ("--surfaces", arguments.surfaces),
    ]
    return [(option, each) for option, path in files if path is not None for each in _hemispheres(path)]


def _hemispheres(path: str) -> list[str]:
    """The files that a name stands for: both hemispheres of a surface, else itself."""
    files = None if Path(path).suffix not in (".gii", ".annot") and "," not in path else surface_files(path)
    return [path] if files is None else list(files.values())


def _outputs(arguments: argparse.Namespace) -> list[Path | None]:
    """Where the table of each atlas goes; None for standard output."""
    if arguments.output == STANDARD_OUTPUT:
        if len(arguments.atlas) > 1:
            raise ValueError("-o - writes one table; with several --atlas name a file.")
        return [None]
    path = checked_table_path(arguments.output)
    paths = [path]
    if len(arguments.atlas) > 1:
        names = distinct([_short_name(atlas) for atlas in arguments.atlas])
        paths = [path.with_name(f"{path.stem}_atlas-{name}{path.suffix}") for name in names]
    inputs = {Path(file).expanduser().resolve() for _, file in _local_files(arguments)}
    inputs.add(Path(arguments.run).expanduser().resolve())
    for path in paths:
        for written in (path, _sidecar(path)):
            if written.resolve() in inputs:
                raise ValueError(f"-o: {str(written)!r} is one of the inputs; it would be lost.")
        _check_sidecar(_sidecar(path))
    return list(paths)


def _sidecar(path: Path) -> Path:
    return path.with_suffix(".json")


def _check_sidecar(path: Path) -> None:
    """Refuse to replace a JSON file that is not ours: it may well be the run's own, of BIDS."""
    if not path.exists():
        return
    try:
        ours = "brainsieve" in json.loads(path.read_text(encoding="utf-8"))["versions"]
    except (ValueError, KeyError, TypeError):
        ours = False
    if not ours:
        raise ValueError(f"-o: {str(path)!r} would be replaced, and it is not ours; choose another name.")


def _short_name(path: str) -> str:
    """What to call an atlas in the name of a file: its own name without suffix."""
    name = Path(path).name
    for suffix in IMAGE_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def _repetition_time(arguments: argparse.Namespace, source: Source) -> tuple[float | None, str | None]:
    """Seconds between volumes, and who says so. Only a filter needs it."""
    if arguments.t_r is not None:
        return arguments.t_r, "--t-r"
    if arguments.low_pass is None and arguments.high_pass is None:
        return None, None
    if source.tr is None:
        raise ValueError(
            f"--low-pass and --high-pass need the time between volumes, which the header of {source.name} "
            "does not tell; give --t-r in seconds."
        )
    return float(round(source.tr, 6)), "header"


def _confounds(arguments: argparse.Namespace, kept: NDArray[np.intp] | None) -> pd.DataFrame | None:
    if arguments.confounds is None:
        return None
    table = chosen_confounds(arguments.confounds, arguments.confounds_columns)
    refuse_missing(table, kept, arguments.confounds)
    return table


def _kept(arguments: argparse.Namespace, source: Source) -> NDArray[np.intp] | None:
    if arguments.sample_mask is None:
        return None
    return kept_volumes(arguments.sample_mask, source.n_samples)


# -- maskers -------------------------------------------------------------------------------------------


def _targets(
    arguments: argparse.Namespace,
    source: Source,
    t_r: float | None,
    outputs: list[Path | None],
    console: Console,
) -> list[Target]:
    targets = []
    luts = arguments.labels or [None] * len(arguments.atlas)
    for atlas, lut, output in zip(arguments.atlas, luts, outputs, strict=True):
        masker, columns = _masker_for(atlas, lut, arguments, source, t_r)
        console.say("atlas", f"{Path(atlas).name}: {len(columns)} {masker._column}s")
        targets.append(Target(_short_name(atlas), atlas, lut, masker, columns, output))
    return targets


def _masker_for(
    atlas: str, lut: str | None, arguments: argparse.Namespace, source: Source, t_r: float | None
) -> tuple[Any, list[str]]:
    """The masker for an atlas, fitted, and the names of its columns."""
    opened = checked_atlas(atlas, source)
    labels = is_label_atlas(opened)
    if arguments.strategy is not None and not labels:
        raise ValueError(f"--strategy goes with an atlas of labels; {atlas} has {opened.n_samples} maps.")
    parameters = _shared_parameters(arguments, t_r)
    kind = kind_of(source)
    if kind == "volumes":
        if arguments.surfaces is not None:
            raise ValueError("--surfaces goes with CIFTI files; the run is a volume.")
        parameters["resampling_target"] = _resampling_target(arguments, "labels" if labels else "maps")
    else:
        parameters.update(_parameters_of_points(arguments, kind))
    only_labels = {"strategy": arguments.strategy or "mean"}
    if lut is not None:
        only_labels["lut"] = lut
    masker = masker_for(atlas, source, arguments.run, parameters, only_labels)
    names = [str(name) for name in masker.get_feature_names_out()]
    if labels or (kind == "CIFTI" and lut is None and names[0] != "ciftimapsmasker0"):
        return masker, distinct(names)
    return masker, _names_of_maps(atlas, lut, opened.n_samples)


def _parameters_of_points(arguments: argparse.Namespace, kind: str) -> dict[str, Any]:
    """Parameters that surfaces and CIFTI take instead of volumes' ones."""
    if arguments.resampling_target != "data":
        raise ValueError(
            "--resampling-target is for volumes: points of surfaces and CIFTI are matched by number."
        )
    if arguments.smoothing_fwhm is not None and not isinstance(arguments.smoothing_fwhm, float):
        raise ValueError(f"--smoothing-fwhm must be one number of mm for {kind}.")
    parameters: dict[str, Any] = {}
    if arguments.surfaces is not None:
        parameters["surfaces"] = PolyMesh(**_mesh_files(arguments.surfaces))
    if kind == "surfaces":
        if arguments.smoothing_fwhm is not None:
            raise ValueError(
                "--smoothing-fwhm of GIFTI files needs their meshes; use SurfaceLabelsMasker in Python."
            )
        if arguments.surfaces is not None:
            raise ValueError("--surfaces goes with CIFTI files; the run is GIFTI.")
        if arguments.mask is not None:
            parameters["mask_img"] = surface_of(arguments.mask)
    return parameters


def _mesh_files(text: str) -> dict[str, str]:
    files = surface_files(text)
    if files is None:
        raise ValueError(f"--surfaces: {text!r} is no GIFTI file; give LEFT,RIGHT or one of the pair.")
    return files


def _resampling_target(arguments: argparse.Namespace, atlas: str) -> str | None:
    """`labels` and `maps` are the same wish: the atlas stays as it is."""
    return {"data": "data", "none": None}.get(arguments.resampling_target, atlas)


def _names_of_maps(atlas: str, lut: str | None, n_maps: int) -> list[str]:
    if lut is None:
        return [f"map-{number}" for number in range(1, n_maps + 1)]
    names = [str(name) for name in read_lut(lut).sort_values("index", kind="stable")["name"]]
    if len(names) != n_maps:
        raise ValueError(f"--labels: {lut!r} names {len(names)} maps; {atlas} has {n_maps}.")
    return distinct(names)


def _shared_parameters(arguments: argparse.Namespace, t_r: float | None) -> dict[str, Any]:
    return {
        "mask_img": arguments.mask,
        "smoothing_fwhm": arguments.smoothing_fwhm,
        "standardize": None if arguments.standardize == "none" else arguments.standardize,
        "high_variance_confounds": arguments.high_variance_confounds,
        "detrend": arguments.detrend,
        "low_pass": arguments.low_pass,
        "high_pass": arguments.high_pass,
        "t_r": t_r,
        "clean_args": None if arguments.filter == "butterworth" else {"filter": arguments.filter},
        "reports": False,
    }


# -- what is told --------------------------------------------------------------------------------------


def _say_cleaning(
    arguments: argparse.Namespace,
    console: Console,
    t_r: float | None,
    t_r_from: str | None,
    confounds: pd.DataFrame | None,
    kept: NDArray | None,
    source: Source,
) -> None:
    steps = []
    if arguments.smoothing_fwhm:
        steps.append(f"smooth {arguments.smoothing_fwhm} mm")
    if kept is not None:
        steps.append(f"keep {len(kept)} of {source.n_samples} volumes")
    if arguments.detrend:
        steps.append("detrend")
    band = _band(arguments.high_pass, arguments.low_pass)
    if band:
        origin = " from the header" if t_r_from == "header" else ""
        steps.append(f"{band} (t_r {t_r:g} s{origin})")
    if confounds is not None:
        steps.append(f"regress out {confounds.shape[1]} confounds")
    if arguments.high_variance_confounds:
        steps.append("regress out 5 high-variance components")
    if arguments.standardize not in (None, "none"):
        steps.append({"zscore_sample": "z-score", "psc": "percent signal change"}[arguments.standardize])
    console.say("cleaning", ", ".join(steps) or "none")


def _band(high_pass: float | None, low_pass: float | None) -> str:
    if high_pass and low_pass:
        return f"band-pass {high_pass:g}-{low_pass:g} Hz"
    if high_pass:
        return f"high-pass {high_pass:g} Hz"
    return f"low-pass {low_pass:g} Hz" if low_pass else ""


def _input_records(arguments: argparse.Namespace) -> dict[str, Any]:
    """Checksums of all files that went in; the same file of several atlases is read once."""
    records: dict[str, Any] = {"--run": [file_record(path) for path in _files_of(arguments.run)]}
    for option, path in _local_files(arguments):
        records.setdefault(option, []).append(file_record(path))
    return {option.lstrip("-"): found for option, found in records.items()}


def _files_of(run: str) -> list[str]:
    import glob

    if "://" in run:
        return [run]
    hemispheres = _hemispheres(run)
    if len(hemispheres) > 1 or Path(run).expanduser().is_file():
        return hemispheres
    return sorted(glob.glob(str(Path(run).expanduser()))) or [run]


def _shared_record(
    arguments: argparse.Namespace,
    source: Source,
    t_r: float | None,
    t_r_from: str | None,
    confounds: pd.DataFrame | None,
    kept: NDArray | None,
) -> dict[str, Any]:
    return {
        "command": ["brainsieve", *sys.argv[1:]],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "run": {
            "domain": source.domain.describe(),
            "n_volumes": source.n_samples,
            "t_r": t_r,
            "t_r_from": t_r_from,
            "t_r_of_header": source.tr,
        },
        "confounds_columns": None if confounds is None else [str(name) for name in confounds.columns],
        "volumes_kept": None if kept is None else kept.tolist(),
        "options": {
            k: v for k, v in sorted(vars(arguments).items()) if k not in ("command", "debug", "quiet")
        },
    }


def _write(
    target: Target,
    frame: pd.DataFrame,
    record: dict[str, Any],
    inputs: Future[dict[str, Any]],
    console: Console,
    start: float,
) -> None:
    if target.output is None:
        print_table(frame, sys.stdout)
        return
    write_table(frame, target.output)
    made = {
        **record,
        "atlas": target.atlas,
        "masker": type(target.masker).__name__,
        "parameters": target.masker.get_params(deep=False),
        "shape": list(frame.shape),
        "columns": _columns(target, frame),
        "inputs": inputs.result(),
        "warnings": console.warnings,
        "seconds": round(time.perf_counter() - start, 3),
    }
    write_json(made, _sidecar(target.output))
    rows, columns = frame.shape
    console.say("wrote", f"{target.output}: {rows} rows, {columns} columns; {_sidecar(target.output).name}")


def _columns(target: Target, frame: pd.DataFrame) -> list[dict[str, Any]]:
    ids = getattr(target.masker, "region_ids_", None)
    if ids is None:
        return [{"name": name} for name in frame.columns]
    return [{"name": name, "id": ids[number]} for number, name in enumerate(frame.columns)]
