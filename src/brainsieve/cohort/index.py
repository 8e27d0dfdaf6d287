"""The runs of a folder of derivatives, found by their names: one look at the folder, no image is opened."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainsieve.engine.files import reading, regular_file
from brainsieve.interfaces.bids import parse_bids_filename

VOLUMES, GRAYORDINATES, SURFACES = (".nii.gz", ".nii"), (".dtseries.nii",), (".func.gii",)
FORMATS = {
    "nifti": VOLUMES,
    "cifti": GRAYORDINATES,
    "gifti": SURFACES,
    "auto": VOLUMES + GRAYORDINATES + SURFACES,
}
AROMA = "smoothAROMAnonaggr"
# Names of filters, in the order in which they are applied, and the entity that each is of.
FILTERS = {
    "participant_label": "sub",
    "session_id": "ses",
    "task_id": "task",
    "run_id": "run",
    "space": "space",
}


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes
    ----------
    path : str
        Below the folder, with ``/``; of surfaces, that of the left hemisphere or of the only one.
    entities : mapping
        As its name has them.
    extension : str
    partner : str or None
        The other hemisphere of a run on surfaces.
    """

    path: str
    entities: Mapping[str, str]
    extension: str
    partner: str | None = None

    @property
    def name(self) -> str:
        """What names of outputs begin with; two files with the same name are one run."""
        return "_".join(f"{k}-{v}" for k, v in self.entities.items() if k not in ("desc", "hemi"))


def find_runs(
    folder: Path, filters: Mapping[str, Any], bids_filter: Mapping[str, Any], file_format: str = "auto"
) -> list[Run]:
    """The preprocessed runs of a folder that pass all filters, sorted by their paths.

    Parameters
    ----------
    folder : Path
        Of fMRIPrep's form: ``sub-*/[ses-*/]func/*_bold.*``.
    filters : mapping
        Of `FILTERS` to the labels wanted (str or sequence of str; with or without their prefix), or None.
    bids_filter : mapping
        More entities and their values, of fMRIPrep's ``{"bold": {"task": "rest"}}``.
    file_format : {"auto", "nifti", "cifti", "gifti"}, default="auto"

    Raises
    ------
    FileNotFoundError
        If the folder is missing.
    ValueError
        If it holds no run, or filters leave none; the message says which one removed the last.
    """
    if file_format not in FORMATS:
        raise ValueError(f"file_format must be one of {tuple(FORMATS)}; {file_format!r} was given.")
    if not folder.is_dir():
        raise FileNotFoundError(f"bids_dir: {str(folder)!r} is no folder.")
    subjects = _labels(filters.get("participant_label"), "sub")
    found = [run for run in _all_runs(folder) if run.extension in FORMATS[file_format]]
    if not found:
        raise ValueError(_nothing_in(folder, file_format))
    for name, entity in FILTERS.items():
        wanted = subjects if name == "participant_label" else _labels(filters.get(name), entity)
        if wanted is not None:
            found = _kept(found, entity, wanted, f"{name} {', '.join(wanted)}")
    for entity, value in bids_filter.items():
        wanted = _labels(value, entity)
        if wanted is not None:
            found = _kept(found, entity, wanted, f"bids_filter_file {entity}: {', '.join(wanted)}")
    return sorted(found, key=lambda run: run.path)


def read_bids_filter(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The entities of runs in a filter file of fMRIPrep's form, ``{"bold": {"task": "rest"}}``."""
    with reading(os.fspath(path), "JSON"):
        told = json.loads(Path(regular_file(path, "a JSON file")).read_text(encoding="utf-8"))
    bold = told.get("bold") if isinstance(told, dict) else None
    if not isinstance(bold, dict):
        raise ValueError(
            f'{os.fspath(path)}: a filter of runs is {{"bold": {{"task": "rest"}}}}; found {told!r}.'
        )
    longer = {
        "subject": "sub",
        "session": "ses",
        "acquisition": "acq",
        "reconstruction": "rec",
        "direction": "dir",
    }
    return {
        longer.get(str(key), str(key)): value
        for key, value in bold.items()
        if key not in ("datatype", "suffix")
    }


def _labels(given: Any, entity: str) -> list[str] | None:
    """Labels without their prefix."""
    if given is None or (isinstance(given, list | tuple) and not given):
        return None
    items = given if isinstance(given, Sequence | Iterable) and not isinstance(given, str) else [given]
    return [str(item).removeprefix(f"{entity}-") for item in items]


def _kept(runs: list[Run], entity: str, wanted: list[str], told: str) -> list[Run]:
    kept = [run for run in runs if any(_same(run.entities.get(entity), value) for value in wanted)]
    if not kept:
        there = sorted({run.entities[entity] for run in runs if entity in run.entities})
        have = ", ".join(there[:12]) + (" …" if len(there) > 12 else "") if there else "none"
        raise ValueError(
            f"No run is left of {len(runs)}: {told} removed the last; {entity}- of these runs: {have}."
        )
    return kept


def _same(own: str | None, wanted: str) -> bool:
    """Whether labels are equal, numbers whatever their zeros (run-01 and 1)."""
    return own is not None and (
        own == wanted or (own.isdigit() and wanted.isdigit() and int(own) == int(wanted))
    )


def _all_runs(folder: Path) -> list[Run]:
    names = [path for path, is_bold in _bold_files(folder) if is_bold]
    preprocessed = [run for run in map(_run_of, names) if run is not None]
    plain = {run.name + run.extension for run in preprocessed if run.entities.get("desc") == "preproc"}
    # Of raw and preprocessed files of one run the preprocessed one is meant.
    chosen = [
        run
        for run in preprocessed
        if run.entities.get("desc") == "preproc" or run.name + run.extension not in plain
    ]
    return _hemispheres_joined(chosen)


def _bold_files(folder: Path) -> list[tuple[str, bool]]:
    """Paths below a folder that an index has, with `/`, and whether each is a run."""
    from bids2table import index_dataset

    table = index_dataset(folder)
    return [
        (str(path).replace(os.sep, "/"), suffix == "bold")
        for path, suffix in zip(table["path"].to_pylist(), table["suffix"].to_pylist(), strict=True)
    ]


def _run_of(path: str) -> Run | None:
    name = path.rsplit("/", 1)[-1]
    parts = parse_bids_filename(name)
    entities = {key: value for key, value in parts["entities"].items() if value is not None}
    extension = f".{parts['extension']}"
    if (
        extension not in FORMATS["auto"]
        or "sub" not in entities
        or entities.get("desc", "preproc") != "preproc"
    ):
        return None
    return Run(path, entities, extension)


def _hemispheres_joined(runs: list[Run]) -> list[Run]:
    """Two files of a run on surfaces as one run."""
    by_key: dict[tuple[str, str], list[Run]] = {}
    for run in sorted(runs, key=lambda one: one.path):
        by_key.setdefault((run.name, run.extension), []).append(run)
    joined: list[Run] = []
    for (_, extension), those in by_key.items():
        if extension not in SURFACES or len(those) != 2:
            joined += those
            continue
        left, right = those
        joined.append(Run(left.path, left.entities, extension, right.path))
    return joined


def find_partner(folder: Path, path: str) -> str | None:
    """The other hemisphere of a run on surfaces, below the folder; None where there is none."""
    for own, other in (("_hemi-L_", "_hemi-R_"), ("_hemi-R_", "_hemi-L_")):
        if path.endswith(SURFACES) and own in path and (folder / path.replace(own, other)).is_file():
            return path.replace(own, other)
    return None


def _nothing_in(folder: Path, file_format: str) -> str:
    subjects = [
        entry.name for entry in os.scandir(folder) if entry.is_dir() and entry.name.startswith("sub-")
    ]
    if not subjects:
        return (
            f"bids_dir: {str(folder)!r} is not a BIDS folder: no folder sub-* lies in it. Give the folder of "
            "derivatives that holds them."
        )
    of = "" if file_format == "auto" else f" of the format {file_format}"
    return (
        f"bids_dir: {str(folder)!r} has {len(subjects)} folders sub-*, and no preprocessed run{of} "
        "(…_desc-preproc_bold.nii.gz, …_bold.dtseries.nii, …_bold.func.gii) in them."
    )
