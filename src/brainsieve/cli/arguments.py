"""What the command line takes. Nothing heavy is imported here: help must come at once."""

from __future__ import annotations

import argparse

from brainsieve._version import __version__
from brainsieve.cli.cohort_arguments import add_cohort
from brainsieve.cli.options import (
    Once,
    Switch,
    add_common,
    fwhm,
    label,
    not_negative,
    positive,
    share,
)

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
  brainsieve extract bold.nii.gz --seeds seeds.tsv --radius 6 -o series.tsv
  brainsieve extract bold.nii.gz --voxels --mask mask.nii.gz --detrend --low-pass 0.1 -o clean.nii.gz
  brainsieve extract sub-*/func/*_bold.nii.gz --atlas atlas.nii.gz -o tables/
"""
USAGE = """\
brainsieve extract RUN [RUN ...] (--atlas ATLAS | --seeds COORDS | --voxels) ... -o OUT
                          [options]"""


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="brainsieve",
        description="Brain images to tables of clean signals.",
        epilog="brainsieve COMMAND --help tells more about each.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"brainsieve {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    _add_extract(commands)
    add_common(add_cohort(commands))
    _add_demo(commands)
    top.set_defaults(debug=False, quiet=False)
    return top


def _add_demo(commands: argparse._SubParsersAction) -> None:
    demo = commands.add_parser(
        "demo",
        help="show the main job on a small real run that comes with the package",
        description="Extract ten regions from a small real run that comes with the package, clean them, and "
        "write the table, the matrix of correlations and pictures into a folder. Downloads nothing.",
        allow_abbrev=False,
    )
    demo.add_argument(
        *("-o", "--output"),
        action=Once,
        default="brainsieve-demo",
        metavar="DIR",
        help="folder (default: %(default)s)",
    )
    add_common(demo)


def _add_extract(commands: argparse._SubParsersAction) -> None:
    extract = commands.add_parser(
        "extract",
        usage=USAGE,
        help="write the signals of an atlas's regions to a table",
        description="Extract the signals of the regions of one or more atlases from a run, in one pass, "
        "clean them, and write one table for each atlas, with a JSON file beside it that tells how it was "
        "made. RUN, one of --atlas, --seeds and --voxels, and -o are required. Options that name a list may be "
        "repeated; others may be given once.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    extract.add_argument(
        "runs",
        metavar="RUN",
        nargs="+",
        help="4-D image (.nii, .nii.gz, .mgz …), a URL, or a quoted glob of 3-D images; a CIFTI-2 file "
        "(.dtseries.nii); or a surface file (.func.gii, or .mgz of values at vertices), whose other hemisphere is "
        "found by its name (hemi-L, hemi-R), or LEFT,RIGHT. Several runs: each is extracted in turn",
    )
    _add_inputs(extract)
    _add_space(extract)
    _add_time(extract)
    _add_outputs(extract)
    add_common(extract)


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
    group.add_argument(
        "--seeds",
        action="append",
        default=[],
        metavar="COORDS",
        help="table (.tsv, .csv) with columns x, y and z in mm and perhaps name, a row for each seed: the mean "
        "around each; may be repeated, and stand beside --atlas",
    )
    group.add_argument(
        "--radius",
        action=Once,
        type=not_negative,
        metavar="MM",
        help="of the spheres around seeds (default: the voxel nearest to each)",
    )
    group.add_argument(
        "--allow-overlap", action=Once, nargs=0, default=False, help="let spheres of seeds share voxels"
    )
    group.add_argument(
        "--voxels",
        action=Once,
        nargs=0,
        default=False,
        help="write the cleaned image itself instead of a table (-o clean.nii.gz; of CIFTI, clean.dtseries.nii)",
    )
    group.add_argument("--mask", action=Once, metavar="MASK", help="leave out what is outside this image")
    group.add_argument(
        "--background-label",
        action=Once,
        type=label,
        metavar="ID",
        help="the value of atlases of labels that is no region (default: 0)",
    )
    group.add_argument(
        "--confounds",
        action="append",
        default=[],
        metavar="TABLE",
        help="table (.tsv, .csv) to regress out, a row a volume; once for each run, in their order",
    )
    group.add_argument(
        "--confounds-columns",
        action="append",
        metavar="A,B,…",
        help="columns of it to use, * and ? allowed, as in 'trans_*,csf'; may be repeated (default: all)",
    )
    group.add_argument(
        "--sample-mask",
        action="append",
        default=[],
        metavar="KEEP",
        help="volumes to keep: ranges such as '4:' or '0:50,60:82' (first included, last not), "
        "or a file (.npy, .txt, .tsv) of numbers of volumes or of True/False for each; once for all runs, or "
        "once for each",
    )


def _add_space(extract: argparse.ArgumentParser) -> None:
    group = extract.add_argument_group("in space")
    group.add_argument(
        "--smoothing-fwhm",
        action=Once,
        type=fwhm,
        metavar="MM",
        help="Gaussian width; a number, x,y,z or fast",
    )
    group.add_argument(
        "--surfaces",
        action=Once,
        metavar="LEFT,RIGHT",
        help="meshes (.surf.gii, .pial …) to smooth a surface run, or the cortex of a CIFTI file, on",
    )
    group.add_argument(
        "--strategy",
        action=Once,
        choices=STRATEGIES,
        metavar="HOW",
        help=f"{', '.join(STRATEGIES)} (default: mean)",
    )
    group.add_argument(
        "--resampling-target",
        action=Once,
        choices=("data", "labels", "maps", "none"),
        help="what stays as it is where grids differ: the run (data, the default), the atlas, or refuse (none)",
    )
    group.add_argument(
        "--min-coverage",
        action=Once,
        type=share,
        metavar="SHARE",
        help="from 0 to 1: a region of which the run covers less has no values, and a warning names it",
    )


def _add_time(extract: argparse.ArgumentParser) -> None:
    group = extract.add_argument_group("in time")
    group.add_argument("--detrend", action=Switch, default=False, help="remove a linear trend (default: no)")
    group.add_argument("--low-pass", action=Once, type=positive, metavar="HZ", help="remove what is faster")
    group.add_argument("--high-pass", action=Once, type=positive, metavar="HZ", help="remove what is slower")
    group.add_argument(
        "--filter",
        action=Once,
        choices=("butterworth", "cosine"),
        default="butterworth",
        help="cosine only removes what is slower (default: %(default)s)",
    )
    group.add_argument(
        "--t-r",
        action=Once,
        type=positive,
        metavar="S",
        help="seconds between volumes (default: what the header says)",
    )
    group.add_argument(
        "--standardize",
        action=Once,
        nargs="?",
        const="zscore_sample",
        default=None,
        choices=("zscore_sample", "psc", "none"),
        help="z-score (zscore_sample, also without a value) or percent signal change (psc)",
    )
    group.add_argument(
        "--high-variance-confounds",
        action=Once,
        nargs=0,
        default=False,
        help="also regress out five components of the run's most variable voxels",
    )


def _add_outputs(extract: argparse.ArgumentParser) -> None:
    group = extract.add_argument_group("what to write")
    group.add_argument(
        *("-o", "--output"),
        action=Once,
        required=True,
        metavar="OUT",
        help="table: .tsv, .csv or .parquet, or - for TSV on standard output; with several atlases, "
        "each one's name is added: OUT_atlas-NAME.tsv. Or a folder (of several runs always), in which tables are "
        "called RUN_atlas-NAME.tsv",
    )
    group.add_argument(
        "--format",
        action=Once,
        choices=("tsv", "csv", "parquet"),
        help="of the tables in a folder (default: tsv)",
    )
    group.add_argument(
        "--report",
        action=Once,
        metavar="PAGE",
        help="also write a page (.html) that shows the regions on the run, and how they were extracted; names of "
        "runs and atlases are added as to OUT",
    )
    group.add_argument(
        "--overwrite",
        action=Once,
        nargs=0,
        default=False,
        help="replace files that this command did not make, too; inputs never are",
    )
