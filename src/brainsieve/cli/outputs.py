"""Where tables, images and pages go, and what may be replaced there."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from brainsieve.cli.inputs import Job, file_of, option_files, run_files
from brainsieve.cli.options import UsageError
from brainsieve.provenance import our_record, sha256_of
from brainsieve.table_files import SUFFIXES, checked_table_path
from brainsieve.tables import distinct
from brainsieve.whole_files import checked_target

STANDARD_OUTPUT = "-"
NIFTI, CIFTI = (".nii", ".nii.gz"), (".dtseries.nii", ".dscalar.nii")
PAGES = (".html", ".htm")


@dataclass(frozen=True)
class Output:
    """Files made of one atlas (or the seeds, or the voxels) and one run; `main` None is standard output."""

    main: Path | None
    page: Path | None

    @property
    def sidecar(self) -> Path | None:
        return None if self.main is None else sidecar_of(self.main)

    @property
    def files(self) -> list[Path]:
        """In the order in which they take their places: a table that is there has its sidecar."""
        return [path for path in (self.sidecar, self.page, self.main) if path is not None]


def sidecar_of(path: Path) -> Path:
    """The JSON file that tells how a file was made: ``x.json`` of ``x.tsv``, as in BIDS, else ``x.csv.json``.

    Each file has one of its own: ``x.tsv`` and ``x.csv`` may have been made differently.
    """
    return path.with_suffix(".json") if path.suffix == ".tsv" else path.with_name(f"{path.name}.json")


def outputs_of(
    arguments: argparse.Namespace, jobs: Sequence[Job], labels: Sequence[str]
) -> list[list[Output]]:
    """For each run the outputs of each label (``atlas-NAME``), checked before any work is done.

    Raises
    ------
    UsageError
        If the name tells no format, or one name is not enough.
    ValueError, OSError
        If a file would replace an input or what others made, or cannot be written.
    """
    if arguments.report is not None and not arguments.report.lower().endswith(PAGES):
        raise ValueError(f"--report {arguments.report!r}: a page ends in .html.")
    if arguments.output == STANDARD_OUTPUT:
        if len(labels) > 1 or len(jobs) > 1:
            raise UsageError("-o - writes one table; with several atlases or runs name a folder.")
        if arguments.voxels:
            raise UsageError("-o - writes a table; --voxels writes an image, which needs a name.")
        mains: list[list[Path | None]] = [[None]]
    elif _is_folder(arguments.output) or len(jobs) > 1:
        mains = _in_folder(arguments, jobs, labels)
    else:
        mains = [list(_beside(_checked_main(arguments), labels))]
    outputs = [
        [
            Output(main, _page_of(arguments, job, label, len(jobs), len(labels)))
            for main, label in zip(row, labels, strict=True)
        ]
        for job, row in zip(jobs, mains, strict=True)
    ]
    _refuse_losses(arguments, jobs, [each for row in outputs for each in row])
    return outputs


def _is_folder(text: str) -> bool:
    return text.endswith(("/", os.sep)) or os.path.isdir(os.path.expanduser(text))


def _checked_main(arguments: argparse.Namespace) -> Path:
    if arguments.format is not None:
        raise UsageError("--format goes with a folder; the suffix of a file tells its format.")
    suffixes = (*NIFTI, *CIFTI) if arguments.voxels else SUFFIXES
    if not arguments.output.lower().endswith(suffixes):
        what = "image" if arguments.voxels else "table"
        kinds = (".nii", ".nii.gz", ".dtseries.nii") if arguments.voxels else SUFFIXES
        raise ValueError(
            f"-o {arguments.output!r}: the suffix tells the kind of {what}; it must be one of {', '.join(kinds)}."
        )
    if arguments.voxels:
        return Path(os.path.expanduser(arguments.output))
    return checked_table_path(arguments.output)


def _beside(path: Path, labels: Sequence[str]) -> list[Path]:
    if len(labels) == 1:
        return [path]
    return [_with_label(path, f"_{label}") for label in labels]


def _with_label(path: Path, label: str) -> Path:
    return path.with_name(f"{path.stem}{label}{path.suffix}")


def _in_folder(
    arguments: argparse.Namespace, jobs: Sequence[Job], labels: Sequence[str]
) -> list[list[Path | None]]:
    folder = Path(os.path.expanduser(arguments.output))
    if not _is_folder(arguments.output) and folder.suffix.lower() in (*SUFFIXES, ".gz", ".nii"):
        raise UsageError(f"{len(jobs)} runs need a folder; -o {arguments.output!r} is the name of a file.")
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"-o: {str(folder)!r} is a file; with several runs it must be a folder.")
    if arguments.voxels and arguments.format is not None:
        raise UsageError("--format is of tables; --voxels writes images.")
    if arguments.voxels:
        cifti = {job.run: job.run.lower().endswith(tuple(f"{end}" for end in CIFTI)) for job in jobs}
        ends = ["_clean.dtseries.nii" if cifti[job.run] else "_clean.nii.gz" for job in jobs]
        return [[folder / f"{job.name}{end}"] for job, end in zip(jobs, ends, strict=True)]
    form = arguments.format or "tsv"
    return [[folder / f"{job.name}_{label}.{form}" for label in labels] for job in jobs]


def _page_of(arguments: argparse.Namespace, job: Job, label: str, n_jobs: int, n_labels: int) -> Path | None:
    if arguments.report is None:
        return None
    page = Path(os.path.expanduser(arguments.report))
    return _with_label(page, (f"_{job.name}" if n_jobs > 1 else "") + (f"_{label}" if n_labels > 1 else ""))


def labels_of(arguments: argparse.Namespace, names: Sequence[tuple[str, str]]) -> list[str]:
    """``atlas-NAME`` and ``seeds-NAME``, distinct."""
    return distinct([f"{kind}-{name}" for kind, name in names])


# -- what may be replaced --------------------------------------------------------------------------------


def _refuse_losses(arguments: argparse.Namespace, jobs: Sequence[Job], outputs: Sequence[Output]) -> None:
    files = [path for output in outputs for path in output.files]
    inputs = {file_of(path) for job in jobs for path in run_files(job.run)}
    inputs |= {file_of(path) for _, path in option_files(arguments, list(jobs))}
    for path in files:
        option = "--report" if path.suffix.lower() in PAGES else "-o"
        if file_of(path) in inputs:
            raise ValueError(f"{option}: {str(path)!r} is one of the inputs; it would be lost.")
        # Of a folder that is made later there is nothing to check yet.
        if path.parent.is_dir() or not _made_later(arguments, path):
            checked_target(path)
    if not arguments.overwrite:
        for output in outputs:
            _refuse_foreign(output)


def _made_later(arguments: argparse.Namespace, path: Path) -> bool:
    folder = os.path.expanduser(arguments.output)
    return os.path.normpath(path.parent) == os.path.normpath(folder) and not os.path.isfile(folder)


def _refuse_foreign(output: Output) -> None:
    """Refuse to replace what this command did not make, or what was changed since."""
    record = None if output.sidecar is None else our_record(output.sidecar)
    if output.sidecar is not None and output.sidecar.exists() and record is None:
        raise _foreign(output.sidecar, "it is not ours")
    for key, path in (("output", output.main), ("report", output.page)):
        if path is None or not path.exists():
            continue
        made = None if record is None else record.get(key)
        if record is None or (made is None and key == "report"):
            raise _foreign(path, "it is not ours")
        # Records of the first releases have no checksum of the table.
        if isinstance(made, dict) and (made.get("name"), made.get("sha256")) != (path.name, sha256_of(path)):
            raise _foreign(path, "it has changed since this command wrote it")


def _foreign(path: Path, why: str) -> FileExistsError:
    return FileExistsError(
        f"{'--report' if path.suffix.lower() in PAGES else '-o'}: {str(path)!r} would be replaced, and {why}; "
        "choose another name, or give --overwrite."
    )
