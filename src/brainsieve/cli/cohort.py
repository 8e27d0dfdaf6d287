"""``brainsieve cohort``: a folder of runs in, a folder of results out."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from brainsieve.cli.cohort_arguments import GROUP
from brainsieve.cli.console import Console
from brainsieve.cli.options import UsageError
from brainsieve.cohort.group import summarize
from brainsieve.cohort.index import read_bids_filter
from brainsieve.cohort.planning import plan
from brainsieve.cohort.processing import Outcome
from brainsieve.cohort.running import run

if TYPE_CHECKING:
    import pandas as pd

# Of a process at work on runs of 2 mm and 500 volumes, measured; a limit of memory allows so many processes.
PROCESS_MB = 700
N_SHOWN = 20


def run_cohort(arguments: argparse.Namespace) -> int:
    """Run the command.

    Returns
    -------
    code : int
        0 only if all went well; 1 if a run could not be planned or failed.

    Raises
    ------
    UsageError
        If the command line cannot be meant.
    ValueError, TypeError, OSError
        If something that concerns all runs is not what it should be; nothing is written then.
    """
    console = Console(arguments.quiet, "cohort")
    arguments.written = []
    if not arguments.atlas:
        raise UsageError(
            "cohort needs --atlas, an image of regions or the name of an atlas; it may be repeated."
        )
    if arguments.scheduler is not None and arguments.nprocs != 1:
        raise UsageError("--nprocs is of this machine, --scheduler of another; give one of them.")
    start = time.perf_counter()
    with console.showing_warnings():
        planned = _plan(arguments)
        console.say("plan", f"{_runs(planned)}, {len(planned)} with their strategies, in {_since(start)}")
        _tell_problems(console, planned)
        if arguments.dry_run:
            _print_plan(planned)
            return int(any(planned["problems"].map(len)))
        if arguments.level == GROUP:
            return _group(arguments, planned, console)
        return _participant(arguments, planned, console, start)


def _plan(arguments: argparse.Namespace) -> pd.DataFrame:
    filters = arguments.bids_filter_file
    return plan(
        arguments.bids_dir,
        arguments.out_dir,
        arguments.atlas,
        arguments.strategy or "simple",
        participant_label=arguments.participant_label,
        session_id=arguments.session_id,
        task_id=arguments.task_id,
        run_id=arguments.run_id,
        space=arguments.space,
        bids_filter=None if filters is None else read_bids_filter(filters),
        file_format=arguments.file_format,
        detrend=arguments.detrend,
        standardize=None if arguments.standardize == "none" else arguments.standardize,
        high_pass=arguments.high_pass,
        low_pass=arguments.low_pass,
        filter_order=arguments.filter_order,
        dummy_scans=arguments.dummy_scans,
        fd_thresh=arguments.fd_thresh,
        min_time=arguments.min_time,
        smoothing_fwhm=arguments.smoothing_fwhm,
        min_coverage=arguments.min_coverage,
        radius=arguments.radius,
        create_matrices=arguments.create_matrices == "yes",
        denoised=arguments.denoised,
        resample=arguments.resample,
        table_format=arguments.table_format,
        reports=arguments.reports,
        atlases_dir=arguments.atlases_dir,
    )


def _participant(arguments: argparse.Namespace, planned: pd.DataFrame, console: Console, start: float) -> int:
    display = Display(console, arguments.verbose)
    outcomes = run(
        planned,
        n_jobs=_processes(arguments, console),
        n_threads=arguments.omp_nthreads,
        scheduler=arguments.scheduler,
        shard=arguments.shard,
        work_dir=arguments.work_dir,
        stop_on_first_crash=arguments.stop_on_first_crash,
        progress=display,
    )
    console.close_bar()
    counts = Counter(outcomes["status"])
    said = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    console.say("done", f"{said or 'nothing to do'}, in {_since(start)}")
    for one in outcomes.itertuples():
        if one.status in ("failed", "excluded"):
            console.say(one.status, f"{one.run}, {one.strategy}: {one.reason}")
    return int(bool(counts["failed"] or counts["not planned"]))


STATUSES = ("done", "done before", "excluded", "failed", "not planned")


def _group(arguments: argparse.Namespace, planned: pd.DataFrame, console: Console) -> int:
    written = summarize(planned)
    arguments.written += written
    for path in written:
        console.say("wrote", path)
    return 0


def _processes(arguments: argparse.Namespace, console: Console) -> int:
    wanted: int = arguments.nprocs
    if arguments.mem_mb is None:
        return wanted
    allowed = max(1, int(arguments.mem_mb // PROCESS_MB))
    if allowed < wanted:
        console.say("memory", f"--mem-mb {arguments.mem_mb:g} is enough for {allowed} of {wanted} processes")
    return min(wanted, allowed)


def _tell_problems(console: Console, planned: pd.DataFrame) -> None:
    """All that was found wrong, before any work starts; equal problems once, with their number."""
    found: dict[str, list[str]] = {}
    for row in planned.itertuples():
        for problem in row.problems:
            runs = found.setdefault(problem, [])
            if row.run not in runs:
                runs.append(row.run)
    for problem, runs in found.items():
        more = f" (and {len(runs) - 1} more runs)" if len(runs) > 1 else ""
        console.warn(f"{runs[0]}{more}: {problem}")


def _print_plan(planned: pd.DataFrame) -> None:
    import sys

    from brainsieve.table_files import print_table

    shown = planned.assign(
        atlases=planned["atlases"].map(",".join),
        outputs=planned["outputs"].map(len),
        problems=planned["problems"].map("; ".join),
    )
    print_table(shown, sys.stdout.buffer)


def _runs(planned: pd.DataFrame) -> str:
    n = planned["run"].nunique()
    return f"{n} run{'s' if n != 1 else ''}"


def _since(start: float) -> str:
    return f"{time.perf_counter() - start:.1f} s"


class Display:
    """How far the work is: a bar on a terminal, lines elsewhere."""

    def __init__(self, console: Console, verbose: int) -> None:
        self._console, self._verbose = console, verbose
        self._bar = console.progress("runs")
        self._failures: Counter[str] = Counter()

    def __call__(self, outcomes: Sequence[Outcome], n_done: int, n_total: int) -> None:
        for one in outcomes:
            if one.status == "failed":
                self._failures[one.reason.split(":")[0]] += 1
            if self._verbose:
                self._console.say(one.status, f"{one.run}, {one.strategy} ({one.seconds:.2f} s)")
        if self._bar is not None:
            self._bar(n_done, n_total, self._failed())

    def _failed(self) -> str:
        if not self._failures:
            return ""
        return "; failed: " + ", ".join(f"{n} {reason[:40]}" for reason, n in self._failures.most_common(3))
