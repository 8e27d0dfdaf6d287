"""What ``brainsieve cohort`` takes: the options of a BIDS App, under the names that users of others know."""

from __future__ import annotations

import argparse
from typing import Any

from brainsieve.cli.options import Once, count, not_negative, number, positive, positive_count, share

EXAMPLES = """\
examples:
  brainsieve cohort derivatives/fmriprep results participant --atlas schaefer.nii.gz --strategy simple
  brainsieve cohort derivatives/fmriprep results participant --atlas schaefer.nii.gz --atlas difumo.nii.gz \\
      --strategy 36P --strategy scrubbing.5 --task-id rest --space MNI152NLin2009cAsym --nprocs 4
  brainsieve cohort derivatives/fmriprep results participant --atlas schaefer.nii.gz --dry-run
  brainsieve cohort derivatives/fmriprep results participant --atlas schaefer.nii.gz --shard 3/20
  brainsieve cohort derivatives/fmriprep results group --atlas schaefer.nii.gz --strategy simple
"""
# The stricter of two thresholds in Parkes 2018 is of whole runs; this one is of volumes, as in XCP-D.
PARTICIPANT, GROUP = "participant", "group"


def add_cohort(commands: Any) -> argparse.ArgumentParser:
    """Add the command to a parser's commands."""
    cohort = commands.add_parser(
        "cohort",
        help="work off a whole folder of preprocessed runs",
        description="Extract and clean the signals of atlases from all runs of a folder of fMRIPrep derivatives, in "
        "one pass for each run, with matrices, quality figures and reports. What is done already stays; what is "
        "missing, or depends on what was changed, is made.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    cohort.add_argument(
        "bids_dir", metavar="BIDS_DIR", help="folder of derivatives (sub-*/…); never written to"
    )
    cohort.add_argument("out_dir", metavar="OUT_DIR", help="folder of results; made where it does not exist")
    cohort.add_argument(
        "level",
        choices=[PARTICIPANT, GROUP],
        help="participant: work off runs; group: quality of the whole, of results that are there",
    )
    _add_what(cohort)
    _add_which(cohort)
    _add_how(cohort)
    _add_where(cohort)
    return cohort


def _both(*names: str) -> list[str]:
    """Options with ``-`` and with ``_`` between words: BIDS Apps have had both."""
    return list(
        dict.fromkeys([*names, *(f"--{name[2:].replace('-', '_')}" for name in names if name[:2] == "--")])
    )


def _add_what(cohort: argparse.ArgumentParser) -> None:
    group = cohort.add_argument_group("what to extract")
    group.add_argument(
        *_both("--atlas", "--atlases"),
        dest="atlas",
        action="extend",
        nargs="+",
        default=[],
        metavar="NAME_OR_FILE",
        help="image of labels or maps, CIFTI or GIFTI labels, table of coordinates; NAME=FILE for another name in "
        "results; or the name of an atlas of TemplateFlow. May be repeated: all come from one pass",
    )
    group.add_argument(
        *_both("--atlases-dir"), action=Once, metavar="DIR", help="where files of atlases lie, too"
    )
    group.add_argument(
        *_both("--strategy", "--denoise-strategy", "--nuisance-regressors"),
        dest="strategy",
        action="extend",
        nargs="+",
        default=[],
        metavar="NAME_OR_YAML",
        help="denoising strategy (default: simple), by name (24P, 36P, acompcor, simple+gsr, scrubbing.5, none …) or "
        "from a YAML file; may be repeated",
    )
    group.add_argument(
        *_both("--radius"),
        action=Once,
        type=positive,
        default=5.0,
        metavar="MM",
        help="of spheres around coordinates (default: 5)",
    )
    group.add_argument(
        *_both("--min-coverage"),
        action=Once,
        type=share,
        default=0.5,
        metavar="SHARE",
        help="regions that a run covers less are n/a (default: 0.5)",
    )
    group.add_argument(
        *_both("--create-matrices"),
        action=Once,
        choices=["yes", "no"],
        default="yes",
        help="matrices of correlations (default: yes)",
    )
    group.add_argument(
        *_both("--denoised"), action=Once, nargs=0, default=False, help="write denoised images, too"
    )
    group.add_argument(
        *_both("--table-format"),
        action=Once,
        choices=["tsv", "parquet"],
        default="tsv",
        help="of series (default: tsv)",
    )
    group.add_argument(
        *_both("--no-reports"), dest="reports", action="store_false", help="draw no pictures, make no pages"
    )
    group.add_argument(
        *_both("--resample"),
        action=Once,
        nargs=0,
        default=False,
        help="take atlases that are in another space by their names, too",
    )


def _add_which(cohort: argparse.ArgumentParser) -> None:
    group = cohort.add_argument_group("which runs")
    for names, what in (
        (_both("--participant-label"), "subjects, with or without sub-"),
        (_both("--session-id", "--session-label"), "sessions"),
        (_both("--task-id"), "tasks"),
        (_both("--run-id"), "runs"),
        (_both("--space"), "spaces"),
    ):
        group.add_argument(*names, action="extend", nargs="+", default=[], metavar="LABEL", help=what)
    group.add_argument(
        *_both("--bids-filter-file"), action=Once, metavar="FILE", help='JSON, {"bold": {"acq": "mb4"}}'
    )
    group.add_argument(
        *_both("--file-format"),
        action=Once,
        choices=["auto", "nifti", "cifti", "gifti"],
        default="auto",
        help="kind of runs (default: those that the atlases are for)",
    )
    group.add_argument(
        *_both("--skip-bids-validation"),
        action=Once,
        nargs=0,
        default=False,
        help="taken for the sake of BIDS Apps; nothing is validated but what is used",
    )


def _add_how(cohort: argparse.ArgumentParser) -> None:
    group = cohort.add_argument_group("how to clean")
    group.add_argument(
        *_both("--lower-bpf", "--high-pass"),
        dest="high_pass",
        action=Once,
        type=_frequency,
        default=0.01,
        metavar="HZ",
        help="slower is removed; 0: no such filter (default: 0.01)",
    )
    group.add_argument(
        *_both("--upper-bpf", "--low-pass"),
        dest="low_pass",
        action=Once,
        type=_frequency,
        default=0.1,
        metavar="HZ",
        help="faster is removed; 0: no such filter (default: 0.1)",
    )
    group.add_argument(
        *_both("--bpf-order"),
        dest="filter_order",
        action=Once,
        type=positive_count,
        default=5,
        metavar="N",
        help="of the Butterworth filter (default: 5)",
    )
    group.add_argument(
        *_both("--smoothing"),
        dest="smoothing_fwhm",
        action=Once,
        type=not_negative,
        metavar="MM",
        help="full width at half maximum, of volumes",
    )
    group.add_argument(
        *_both("--standardize"),
        action=Once,
        choices=["zscore_sample", "psc", "none"],
        default="zscore_sample",
        help="(default: zscore_sample)",
    )
    group.add_argument(
        *_both("--no-detrend"), dest="detrend", action="store_false", help="keep linear trends"
    )
    group.add_argument(
        *_both("--dummy-scans"),
        action=Once,
        type=count,
        default=0,
        metavar="N",
        help="volumes left out at the start (default: 0)",
    )
    group.add_argument(
        *_both("--fd-thresh"),
        action=Once,
        type=not_negative,
        default=0.0,
        metavar="MM",
        help="volumes of more framewise displacement are left out (default: 0, none)",
    )
    group.add_argument(
        *_both("--min-time"),
        action=Once,
        type=not_negative,
        default=0.0,
        metavar="S",
        help="seconds that must be left of a run (default: 0)",
    )


def _add_where(cohort: argparse.ArgumentParser) -> None:
    group = cohort.add_argument_group("where and how the work is done")
    group.add_argument(
        *_both("--nprocs", "--n-cpus", "--nthreads"),
        dest="nprocs",
        action=Once,
        type=positive_count,
        default=1,
        metavar="N",
        help="processes (default: 1)",
    )
    group.add_argument(
        *_both("--omp-nthreads"),
        action=Once,
        type=positive_count,
        metavar="N",
        help="threads of each process",
    )
    group.add_argument(
        *_both("--mem-mb"),
        action=Once,
        type=positive,
        metavar="MB",
        help="memory that all processes may use together: fewer run where it is little",
    )
    group.add_argument(
        "-w", *_both("--work-dir"), action=Once, metavar="DIR", help="where temporary files lie"
    )
    group.add_argument(
        *_both("--scheduler"),
        action=Once,
        metavar="ADDRESS",
        help="of a Dask scheduler, tcp://…: its workers do the work",
    )
    group.add_argument(
        *_both("--shard"),
        action=Once,
        type=_shard,
        metavar="I/N",
        help="only every N-th run, from the I-th: for arrays of jobs",
    )
    group.add_argument(
        *_both("--dry-run"), action=Once, nargs=0, default=False, help="show the plan and stop"
    )
    group.add_argument(
        *_both("--stop-on-first-crash"),
        action=Once,
        nargs=0,
        default=False,
        help="stop at the first run that fails",
    )
    group.add_argument("-v", "--verbose", action="count", default=0, help="say more; repeated: still more")


def _frequency(text: str) -> float | None:
    value = number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no frequency in Hz")
    return value or None


def _shard(text: str) -> tuple[int, int]:
    part, slash, of = text.partition("/")
    if not slash or not part.isdigit() or not of.isdigit() or not 1 <= int(part) <= int(of):
        raise argparse.ArgumentTypeError(f"{text!r}: I/N is needed, I from 1 to N, as 3/20")
    return int(part), int(of)
