"""What a command line names: runs and the files that go with them, looked at before any of them is read."""

from __future__ import annotations

import argparse
import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from brainsieve.cli.options import UsageError
from brainsieve.engine.files import regular_file
from brainsieve.engine.source.remote import is_url
from brainsieve.exceptions import MissingFileError
from brainsieve.maskers.choosing import pair_of, surface_files
from brainsieve.provenance import file_record

# The first that fits is cut off: long ones stand before those that they end in.
IMAGE_SUFFIXES = tuple(
    f".{kind}.{form}" for form in ("nii", "gii") for kind in ("dtseries", "dscalar", "dlabel", "ptseries")
) + (
    *(".label.gii", ".func.gii", ".shape.gii", ".gii", ".annot", ".nii", ".mgz", ".mgh", ".img", ".hdr"),
    *(".mnc", ".head", ".brik", ".tsv", ".csv", ".txt"),
)
GLOB_CHARACTERS = "*?["
# A text with more characters is a list of volumes: names of files are no longer than this on any system.
LONGEST_NAME = 255


@dataclass(frozen=True)
class Job:
    """One run, and what goes with it alone.

    Attributes
    ----------
    run : str
        As it was given: a path, a glob, a URL, or LEFT,RIGHT.
    name : str
        For files made of it; no two runs have the same.
    confounds, sample_mask : str or None
    """

    run: str
    name: str
    confounds: str | None
    sample_mask: str | None


def jobs_of(arguments: argparse.Namespace) -> list[Job]:
    """The runs of a command line, each with its own confounds and volumes to keep.

    Raises
    ------
    UsageError
        If there are not as many of these as runs, or a run is given twice.
    """
    runs: list[str] = arguments.runs
    repeated = next((run for i, run in enumerate(runs) if run in runs[:i]), None)
    if repeated is not None:
        raise UsageError(f"the run {repeated!r} was given twice.")
    confounds, masks = arguments.confounds, arguments.sample_mask
    if confounds and len(confounds) != len(runs):
        raise UsageError(f"{len(confounds)} --confounds for {_runs(runs)}; give as many, in their order.")
    if len(masks) not in (0, 1, len(runs)):
        raise UsageError(f"{len(masks)} --sample-mask for {_runs(runs)}; give one for all, or as many.")
    masks = masks * len(runs) if len(masks) == 1 else masks
    return [
        Job(run, name, confounds[i] if confounds else None, masks[i] if masks else None)
        for i, (run, name) in enumerate(zip(runs, _names_of(runs), strict=True))
    ]


def _runs(runs: list[str]) -> str:
    return f"{len(runs)} run{'s' if len(runs) > 1 else ''}"


def _names_of(runs: list[str]) -> list[str]:
    """Short names; where files of different folders have the same, as much of the folders as tells them apart."""
    names = [short_name(run) for run in runs]
    if len(set(names)) == len(names):
        return names
    folders = [os.path.dirname(os.path.abspath(os.path.expanduser(run.split(",")[0]))) for run in runs]
    shared = os.path.commonpath(folders)
    parts = [os.path.relpath(folder, shared).replace(os.sep, "_") for folder in folders]
    return [name if part == os.curdir else f"{part}_{name}" for part, name in zip(parts, names, strict=True)]


def short_name(path: str) -> str:
    """What to call an image in the name of a file: its own name without folder and suffix."""
    # Of a URL no query: it may be long, and secret.
    path = path.split("?")[0] if is_url(path) else path
    name = os.path.basename(path.split(",")[0].rstrip("/"))
    name = name[:-3] if name.lower().endswith(".gz") else name
    suffix = next((end for end in IMAGE_SUFFIXES if name.lower().endswith(end)), "")
    name = name.removesuffix(name[len(name) - len(suffix) :]) if suffix else name
    return re.sub(r"[*?\[\]\0/\\]", "", name) or "run"


# -- files -----------------------------------------------------------------------------------------------


def option_files(arguments: argparse.Namespace, jobs: list[Job]) -> list[tuple[str, str]]:
    """Options and the files that they name, but for the runs: each hemisphere apart."""
    given = [("--atlas", path) for path in arguments.atlas]
    given += [("--seeds", path) for path in arguments.seeds]
    given += [("--mask", arguments.mask)]
    found = [(option, each) for option, path in given if path is not None for each in hemispheres(path)]
    found += [("--labels", path) for path in arguments.labels]
    if arguments.surfaces is not None:
        found += [("--surfaces", path) for path in mesh_files(arguments.surfaces).values()]
    return found + [pair for job in jobs for pair in job_files(job)]


def job_files(job: Job) -> list[tuple[str, str]]:
    """Options and files of one run."""
    found = [] if job.confounds is None else [("--confounds", job.confounds)]
    if job.sample_mask is not None and is_file_of_volumes(job.sample_mask):
        found.append(("--sample-mask", job.sample_mask))
    return found


def is_file_of_volumes(text: str) -> bool:
    """Whether what --sample-mask was given names a file rather than volumes."""
    if "\0" in text or len(os.path.basename(text)) > LONGEST_NAME:
        return False
    return os.path.exists(os.path.expanduser(text))


def hemispheres(path: str) -> list[str]:
    """The files that a name stands for: both hemispheres of a surface, else itself."""
    if is_url(path) or "\0" in path:
        return [path]
    files = surface_files(path)
    return [path] if files is None else list(files.values())


def mesh_files(text: str) -> dict[str, str]:
    """The meshes of --surfaces: LEFT,RIGHT, or one whose name tells the other."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 2 or not all(parts):
        raise UsageError(f"--surfaces {text!r}: give LEFT,RIGHT, or one of the pair.")
    try:
        return dict(zip(("left", "right"), parts, strict=True)) if len(parts) == 2 else pair_of(text)
    except ValueError as error:
        raise UsageError(f"--surfaces: {error}") from None


def run_files(run: str) -> list[str]:
    """The files of a run: both hemispheres, the matches of a glob, or itself."""
    found = hemispheres(run)
    if len(found) > 1 or is_url(run) or os.path.exists(os.path.expanduser(run)):
        return found
    matches = sorted(glob.glob(os.path.expanduser(run))) if any(c in run for c in GLOB_CHARACTERS) else []
    return matches or [run]


def check_files(arguments: argparse.Namespace, jobs: list[Job]) -> None:
    """Raise where a file that was named is not there, is none, or cannot be the one that was meant."""
    runs = [("RUN", path) for job in jobs for path in run_files(job.run)]
    for option, path in [*runs, *option_files(arguments, jobs)]:
        if not is_url(path):
            _check_file(option, path)
    for job in jobs:
        for atlas in arguments.atlas:
            _refuse_run_as_atlas(job.run, atlas)


def _check_file(option: str, path: str) -> None:
    try:
        name = regular_file(path, "a file")
    except MissingFileError as error:
        hint = str(error).partition(repr(os.path.expanduser(path)))[2]
        raise MissingFileError(f"{option}: there is no file {path!r}{hint or '.'}") from None
    except ValueError as error:
        raise type(error)(f"{option}: {error}") from None
    if not os.access(name, os.R_OK):
        raise PermissionError(f"{option}: {path!r} may not be read; its permissions forbid it.")


def _refuse_run_as_atlas(run: str, atlas: str) -> None:
    if file_of(run) == file_of(atlas):
        raise ValueError(
            f"--atlas {atlas!r} is the run itself; an atlas is an image of regions (a parcellation, or maps). "
            "--voxels cleans the run's own voxels."
        )


def file_of(name: str | os.PathLike) -> Any:
    """What is equal for all names of one file, by links and other spellings too."""
    name = os.path.expanduser(os.fspath(name))
    if "\0" in name:
        return name
    try:
        status = os.stat(name)
    except OSError:
        return os.path.realpath(name)
    return status.st_dev, status.st_ino


def input_records(arguments: argparse.Namespace, job: Job) -> dict[str, list[dict[str, Any]]]:
    """Checksums of all files that went into the tables of a run, by option."""
    records: dict[str, list[dict[str, Any]]] = {}
    for option, path in _all_files(arguments, job):
        records.setdefault(option, []).append(file_record(path))
    return records


def _all_files(arguments: argparse.Namespace, job: Job) -> Iterator[tuple[str, str]]:
    yield from (("run", path) for path in run_files(job.run))
    yield from ((option.removeprefix("--"), path) for option, path in option_files(arguments, [job]))
