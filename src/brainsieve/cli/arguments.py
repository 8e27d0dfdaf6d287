"""What the command line takes. Nothing heavy is imported here: help must come at once."""

from __future__ import annotations

import argparse
import math

from brainsieve._version import __version__

STRATEGIES = (
    "mean",
    "median",
    "sum",
    "minimum",
    "maximum",
    "standard_deviation",
    "variance",
    "eigenvariate",
    "trimmed_mean",
    "winsorized_mean",
    "mode",
    "count",
)

EXAMPLES = """\
examples:
  brainsieve extract bold.nii.gz --atlas atlas.nii.gz --labels atlas.tsv -o series.tsv
  brainsieve extract bold.nii.gz --atlas atlas.nii.gz --detrend --standardize \\
      --high-pass 0.01 --low-pass 0.1 --t-r 2 \\
      --confounds confounds.tsv --confounds-columns 'trans_*,rot_*,csf,white_matter' -o series.tsv
  brainsieve extract bold.nii.gz --atlas schaefer.nii.gz --atlas difumo.nii.gz -o series.parquet
  brainsieve extract bold.dtseries.nii --atlas parcels.dlabel.nii --detrend -o series.tsv
  brainsieve extract bold_hemi-L.func.gii --atlas parcels_hemi-L.label.gii -o series.tsv
"""


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="brainsieve",
        description="Brain images to tables of clean signals.",
        epilog="brainsieve COMMAND --help tells more about each.",
    )
    top.add_argument("--version", action="version", version=f"brainsieve {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    _add_extract(commands)
    _add_demo(commands)
    top.set_defaults(debug=False, quiet=False)
    return top


def _add_demo(commands: argparse._SubParsersAction) -> None:
    demo = commands.add_parser(
        "demo",
        help="show the main job on a small real run that comes with the package",
        description="Extract ten regions from a small real run that comes with the package, clean them, and "
        "write the table, the matrix of correlations and pictures into a folder. Downloads nothing.",
    )
    demo.add_argument(
        "-o", "--output", default="brainsieve-demo", metavar="DIR", help="folder (default: %(default)s)"
    )
    _add_common(demo)


def _add_extract(commands: argparse._SubParsersAction) -> None:
    extract = commands.add_parser(
        "extract",
        help="write the signals of an atlas's regions to a table",
        description="Extract the signals of the regions of one or more atlases from a run, in one pass, "
        "clean them, and write one table for each atlas, with a JSON file beside it that tells how it was "
        "made.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    extract.add_argument(
        "run",
        metavar="RUN",
        help="4-D image (.nii, .nii.gz, .mgz …), a URL, or a quoted glob; a CIFTI-2 file (.dtseries.nii); or a "
        "GIFTI file (.func.gii), whose other hemisphere is found by its name (hemi-L, hemi-R), or LEFT,RIGHT",
    )
    _add_inputs(extract)
    _add_space(extract)
    _add_time(extract)
    extract.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="OUT",
        help="table: .tsv, .csv or .parquet, or - for TSV on standard output. With several atlases, "
        "each one's name is added: OUT_atlas-NAME.tsv",
    )
    _add_common(extract)


def _add_inputs(extract: argparse.ArgumentParser) -> None:
    group = extract.add_argument_group("what to extract")
    group.add_argument(
        "--atlas",
        action="append",
        default=[],
        metavar="ATLAS",
        help="3-D label image, or 4-D image of maps; for CIFTI a .dlabel.nii or .dscalar.nii, for surfaces a "
        ".label.gii or .annot; may be repeated: all come from one pass over the run",
    )
    group.add_argument(
        "--labels",
        action="append",
        default=[],
        metavar="LUT",
        help="table (.tsv, .csv) with columns index and name; once for each atlas, in their order",
    )
    group.add_argument("--mask", metavar="MASK", help="leave out what is outside this image")
    group.add_argument(
        "--confounds", metavar="TABLE", help="table (.tsv, .csv) to regress out, a row a volume"
    )
    group.add_argument(
        "--confounds-columns",
        metavar="A,B,…",
        help="columns of it to use, * and ? allowed, as in 'trans_*,csf' (default: all)",
    )
    group.add_argument(
        "--sample-mask",
        metavar="KEEP",
        help="volumes to keep: ranges such as '4:' or '0:50,60:82' (first included, last not), "
        "or a file (.npy, .txt, .tsv) of numbers of volumes or of True/False for each",
    )


def _add_space(extract: argparse.ArgumentParser) -> None:
    group = extract.add_argument_group("in space")
    group.add_argument(
        "--smoothing-fwhm", type=_fwhm, metavar="MM", help="Gaussian width; a number, x,y,z or fast"
    )
    group.add_argument(
        "--surfaces", metavar="LEFT,RIGHT", help="meshes (.surf.gii) to smooth the cortex of a CIFTI file on"
    )
    group.add_argument(
        "--strategy", choices=STRATEGIES, metavar="HOW", help=f"{', '.join(STRATEGIES)} (default: mean)"
    )
    group.add_argument(
        "--resampling-target",
        choices=("data", "labels", "maps", "none"),
        default="data",
        help="what stays as it is where grids differ: the run (default), the atlas, or refuse (none)",
    )


def _add_time(extract: argparse.ArgumentParser) -> None:
    group = extract.add_argument_group("in time")
    group.add_argument(
        "--detrend", action=argparse.BooleanOptionalAction, default=False, help="remove a linear trend"
    )
    group.add_argument("--low-pass", type=_positive, metavar="HZ", help="remove what is faster")
    group.add_argument("--high-pass", type=_positive, metavar="HZ", help="remove what is slower")
    group.add_argument(
        "--filter", choices=("butterworth", "cosine"), default="butterworth", help="(default: %(default)s)"
    )
    group.add_argument(
        "--t-r", type=_positive, metavar="S", help="seconds between volumes (default: what the header says)"
    )
    group.add_argument(
        "--standardize",
        nargs="?",
        const="zscore_sample",
        default=None,
        choices=("zscore_sample", "psc", "none"),
        help="z-score (zscore_sample, also without a value) or percent signal change (psc)",
    )
    group.add_argument(
        "--high-variance-confounds",
        action="store_true",
        help="also regress out five components of the run's most variable voxels",
    )


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("-q", "--quiet", action="store_true", help="say nothing but warnings and errors")
    command.add_argument("--debug", action="store_true", help="show where an error comes from")


def _positive(text: str) -> float:
    number = _number(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not positive")
    return number


def _fwhm(text: str) -> float | str | tuple[float, ...]:
    if text == "fast":
        return text
    widths = tuple(_number(part) for part in text.split(","))
    if min(widths) < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is negative")
    if len(widths) not in (1, 3):
        raise argparse.ArgumentTypeError(f"{text!r} must be one number of mm, or three as in 6,6,4")
    return widths[0] if len(widths) == 1 else widths


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is not finite")
    return number
