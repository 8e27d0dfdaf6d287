"""``brainsieve extract``: runs and atlases in, tables and how they were made out."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from brainsieve.cli.choices import chosen_confounds, kept_volumes, refuse_missing
from brainsieve.cli.console import Console
from brainsieve.cli.inputs import Job, check_files, input_records, jobs_of
from brainsieve.cli.options import UsageError
from brainsieve.cli.outputs import CIFTI, Output, labels_of, outputs_of
from brainsieve.cli.targets import Target, Wanted, open_run, targets_of, wanted_of
from brainsieve.cli.timing import Timing, believed, timing_of
from brainsieve.engine.source import Source
from brainsieve.image.headers import nifti_image
from brainsieve.maskers.many import run_maskers
from brainsieve.provenance import json_bytes, sha256_of, versions
from brainsieve.table_files import frame_of, print_table, put_table
from brainsieve.whole_files import replacing_together

if TYPE_CHECKING:
    import pandas as pd

STEPS = {"zscore_sample": "z-score", "psc": "percent signal change"}


@dataclass(frozen=True)
class Choices:
    """What is done in time to one run: seconds between volumes, volumes kept, confounds."""

    timing: Timing
    kept: NDArray[np.intp] | None
    confounds: pd.DataFrame | None


def run_extract(arguments: argparse.Namespace) -> int:
    """Run the command.

    Raises
    ------
    UsageError
        If the command line cannot be meant.
    ValueError, TypeError, OSError
        If a file or a value is not what it should be. Runs before the one concerned are written;
        `arguments.written` lists their files.
    """
    start = time.perf_counter()
    arguments.written = []
    wanted = wanted_of(arguments)
    jobs = jobs_of(arguments)
    labels = labels_of(arguments, [(each.kind, each.name) for each in wanted])
    console = Console(arguments.quiet)
    outputs = outputs_of(arguments, jobs, labels)
    check_files(arguments, jobs)
    # All is checked before the first run is read: a mistake in the last name is told at once.
    with ThreadPoolExecutor(1, "brainsieve-checksum") as pool:
        for job, row in zip(jobs, outputs, strict=True):
            with console.showing_warnings():
                _extract_one(arguments, job, wanted, row, pool, console)
    console.say("done", f"in {time.perf_counter() - start:.2f} s")
    return 0


def _extract_one(
    arguments: argparse.Namespace,
    job: Job,
    wanted: Sequence[Wanted],
    outputs: Sequence[Output],
    pool: ThreadPoolExecutor,
    console: Console,
) -> None:
    start = time.perf_counter()
    source = open_run(arguments, job.run)
    console.say("run", f"{source.name}: {source.domain.describe()}, {source.n_samples} volumes")
    choices = _choices(arguments, job, source)
    # While the run is read the machine's other cores have time for the checksums.
    inputs = pool.submit(input_records, arguments, job)
    targets = targets_of(arguments, wanted, source, job.run, choices.timing.t_r)
    for target in targets:
        if target.wanted.path is not None:
            console.say(
                target.wanted.kind,
                f"{os.path.basename(target.wanted.path)}: {len(target.columns)} {target.masker._column}s",
            )
    console.say("cleaning", ", ".join(_steps(arguments, choices, source)) or "none")
    values = run_maskers(
        source,
        [target.masker for target in targets],
        choices.confounds,
        choices.kept,
        progress=console.progress("volumes"),
    )
    made = [_result(t, v, source, output) for t, v, output in zip(targets, values, outputs, strict=True)]
    record = _shared_record(arguments, job, source, choices)
    _write(arguments, targets, made, outputs, record, inputs, console, start)


def _choices(arguments: argparse.Namespace, job: Job, source: Source) -> Choices:
    timing = timing_of(arguments, source, job.run)
    kept = None if job.sample_mask is None else kept_volumes(job.sample_mask, source.n_samples)
    if job.confounds is None:
        return Choices(timing, kept, None)
    table = chosen_confounds(job.confounds, arguments.confounds_columns)
    refuse_missing(table, kept, job.confounds)
    return Choices(timing, kept, table)


# -- what is told ----------------------------------------------------------------------------------------


def _steps(arguments: argparse.Namespace, choices: Choices, source: Source) -> list[str]:
    steps = []
    if arguments.smoothing_fwhm:
        steps.append(f"smooth {arguments.smoothing_fwhm} mm")
    if choices.kept is not None:
        steps.append(f"keep {len(choices.kept)} of {source.n_samples} volumes")
    if arguments.detrend:
        steps.append("detrend")
    band = _band(arguments.high_pass, arguments.low_pass)
    if band:
        origin = " from the header" if choices.timing.source == "header" else ""
        steps.append(f"{band} (t_r {choices.timing.t_r:g} s{origin})")
    if choices.confounds is not None:
        steps.append(f"regress out {choices.confounds.shape[1]} confounds")
    if arguments.high_variance_confounds:
        steps.append("regress out 5 high-variance components")
    if arguments.standardize not in (None, "none"):
        steps.append(STEPS[arguments.standardize])
    return steps


def _band(high_pass: float | None, low_pass: float | None) -> str:
    if high_pass and low_pass:
        return f"band-pass {high_pass:g}-{low_pass:g} Hz"
    if high_pass:
        return f"high-pass {high_pass:g} Hz"
    return f"low-pass {low_pass:g} Hz" if low_pass else ""


def _shared_record(
    arguments: argparse.Namespace, job: Job, source: Source, choices: Choices
) -> dict[str, Any]:
    left_out = ("command", "debug", "quiet", "written", "overwrite", "argv")
    confounds = choices.confounds
    return {
        "command": ["brainsieve", *arguments.argv],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "run": {
            "path": job.run,
            "domain": source.domain.describe(),
            "n_volumes": source.n_samples,
            "t_r": choices.timing.t_r,
            "t_r_from": choices.timing.source,
            "t_r_of_header": source.tr,
        },
        "confounds_columns": None if confounds is None else [str(name) for name in confounds.columns],
        "volumes_kept": None if choices.kept is None else choices.kept.tolist(),
        "options": {key: value for key, value in sorted(vars(arguments).items()) if key not in left_out},
    }


def _record_of(target: Target, made: Any, shared: dict[str, Any], console: Console) -> dict[str, Any]:
    return {
        **shared,
        "atlas": target.wanted.path,
        "masker": type(target.masker).__name__,
        "parameters": target.masker.get_params(deep=False),
        "shape": list(made.shape),
        "columns": _columns(target),
        "warnings": list(console.warnings),
    }


def _columns(target: Target) -> list[dict[str, Any]]:
    ids = getattr(target.masker, "region_ids_", None)
    if ids is None:
        return [{"name": name} for name in target.columns]
    return [{"name": name, "id": ids[number]} for number, name in enumerate(target.columns)]


# -- what is written -------------------------------------------------------------------------------------


def _result(target: Target, values: NDArray, source: Source, output: Output) -> Any:
    """The table of a target, or the image of its voxels."""
    if target.wanted.path is not None:
        return frame_of(values, target.columns)
    cifti = str(output.main).lower().endswith(CIFTI)
    image = target.masker.inverse_transform(values)
    if cifti != isinstance(image, nib.Cifti2Image):
        kinds = "a CIFTI file; name it .dtseries.nii" if not cifti else "a volume; name it .nii or .nii.gz"
        raise UsageError(f"-o {str(output.main)!r}: the run {source.name} is {kinds}.")
    if cifti:
        return image
    timed = nifti_image(np.asanyarray(image.dataobj), image.affine, getattr(source, "header", None))
    tr, _ = believed(source)
    if image.ndim == 4 and tr is not None:
        timed.header.set_zooms((*timed.header.get_zooms()[:3], tr))
        timed.header.set_xyzt_units("mm", "sec")
    return timed


def _write(
    arguments: argparse.Namespace,
    targets: Sequence[Target],
    made: Sequence[Any],
    outputs: Sequence[Output],
    shared: dict[str, Any],
    inputs: Future[dict[str, Any]],
    console: Console,
    start: float,
) -> None:
    """Write all files of a run, or none."""
    if outputs[0].main is None:
        print_table(made[0], sys.stdout.buffer)
    files = [path for output in outputs for path in output.files]
    for folder in {path.parent for path in files}:
        folder.mkdir(parents=True, exist_ok=True)
    with replacing_together(files) as unfinished:
        place = dict(zip(files, unfinished, strict=True))
        for target, result, output in zip(targets, made, outputs, strict=True):
            record: dict[str, Any] = {}
            if output.page is not None:
                _write_page(target, place[output.page])
                record["report"] = _made(output.page, place[output.page])
            if output.main is None or output.sidecar is None:
                continue
            _put(result, place[output.main])
            record = {
                **_record_of(target, result, shared, console),
                **record,
                "output": _made(output.main, place[output.main]),
                "inputs": inputs.result(),
                "seconds": round(time.perf_counter() - start, 3),
            }
            place[output.sidecar].write_bytes(json_bytes(record))
    arguments.written += [str(path) for path in files]
    for result, output in zip(made, outputs, strict=True):
        if output.main is not None and output.sidecar is not None:
            console.say("wrote", f"{output.main}: {_size(result)}; {output.sidecar.name}")
        if output.page is not None:
            console.say("wrote", str(output.page))


def _put(result: Any, path: Path) -> None:
    if hasattr(result, "to_filename"):
        result.to_filename(path)
    else:
        put_table(result, path)


def _write_page(target: Target, path: Path) -> None:
    page = target.masker.generate_report()
    path.write_text(page.get_standalone(), encoding="utf-8")


def _made(path: Path, unfinished: Path) -> dict[str, Any]:
    return {"name": path.name, "bytes": unfinished.stat().st_size, "sha256": sha256_of(unfinished)}


def _size(result: Any) -> str:
    if hasattr(result, "to_filename"):
        return " × ".join(map(str, result.shape))
    rows, columns = result.shape
    return f"{rows} rows, {columns} columns"
