"""What the folder of results says of itself: dataset_description.json, README, and the atlases' tables."""

from __future__ import annotations

import json
import os
from pathlib import Path

from brainsieve._version import __version__
from brainsieve.cohort.settings import Settings
from brainsieve.cohort.sidecars import SOURCE
from brainsieve.provenance import json_bytes
from brainsieve.whole_files import replacing

BIDS_VERSION = "1.10.0"
CODE = "https://github.com/brainsieve/brainsieve"
DESCRIPTION = "dataset_description.json"
REFERENCES = (
    "Abraham et al. (2014). Machine learning for neuroimaging with scikit-learn. doi:10.3389/fninf.2014.00014",
    "Ciric et al. (2017). Benchmarking of participant-level confound regression strategies. "
    "doi:10.1016/j.neuroimage.2017.03.020",
    "Esteban et al. (2019). fMRIPrep. doi:10.1038/s41592-018-0235-4",
    "Power et al. (2012). Spurious but systematic correlations in functional connectivity MRI networks. "
    "doi:10.1016/j.neuroimage.2011.10.018",
)
README = """\
# Signals of regions

Made by brainsieve {version} from the preprocessed data in `{source}`.

- `sub-*/[ses-*/]func/*_timeseries.tsv`: signals of an atlas's regions, one column a region.
- `…_relmat.tsv`: Pearson's correlations of these.
- `…_stat-coverage_bold.tsv`: how much of each region the run has.
- `…_outliers.tsv`, `…_motion.tsv`, `…_qc.tsv`: volumes left out, motion, quality.
- `atlases/`: label tables. Beside each table a JSON file tells how it was made.
"""


def describe(settings: Settings) -> None:
    """Write what is said of the whole folder; files that say the same already stay.

    Raises
    ------
    FileExistsError
        If the folder is another dataset's.
    """
    folder = Path(settings.out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    _refuse_foreign(folder)
    _put(folder / DESCRIPTION, json_bytes(_description(settings)))
    _put(
        folder / "README",
        README.format(version=__version__, source=settings.bids_dir).encode("utf-8", "replace"),
    )
    (folder / "logs").mkdir(exist_ok=True)
    _put(folder / "logs" / "CITATION.md", methods_text(settings).encode("utf-8"))
    for atlas in settings.atlases:
        if atlas.lut is not None:
            (folder / "atlases").mkdir(exist_ok=True)
            name = f"{atlas.name}_dseg{os.path.splitext(atlas.lut)[1]}"
            _put(folder / "atlases" / name, Path(atlas.lut).read_bytes())


def methods_text(settings: Settings) -> str:
    """A text for the methods section of an article, with what to cite."""
    cleaning = settings.cleaning
    atlases = ", ".join(atlas.name.replace("_", ", ") for atlas in settings.atlases)
    sentences = [
        f"Signals were extracted with brainsieve {__version__} from preprocessed runs as means over the regions of "
        f"{atlases}; regions of which a run covered less than {settings.min_coverage:.0%} were left out."
    ]
    if settings.smoothing_fwhm:
        sentences.append(
            f"Volumes were smoothed with a Gaussian kernel of {settings.smoothing_fwhm:g} mm full width at half "
            "maximum."
        )
    if cleaning.dummy_scans:
        sentences.append(f"The first {cleaning.dummy_scans} volumes of each run were left out.")
    if cleaning.fd_thresh:
        sentences.append(
            f"Volumes with a framewise displacement above {cleaning.fd_thresh:g} mm (Power et al. 2012) were left out."
        )
    if cleaning.detrend:
        sentences.append("Linear trends were removed.")
    if cleaning.filters:
        sentences.append(
            f"Signals were filtered with a Butterworth filter of order {cleaning.filter_order} ({_band(settings)})."
        )
    for strategy in settings.strategies:
        kinds = ", ".join(strategy.confounds.get("strategy", ()))
        told = strategy.description or (
            f"regressed out confounds of these kinds: {kinds}" if kinds else "regressed out nothing"
        )
        sentences.append(f"The strategy {strategy.name} {told}.")
    if settings.matrices:
        sentences.append("Connectivity is Pearson's correlation of these signals.")
    references = "\n".join(f"- {reference}" for reference in REFERENCES)
    return " ".join(sentences) + f"\n\n## References\n\n{references}\n"


def _band(settings: Settings) -> str:
    high, low = settings.cleaning.high_pass, settings.cleaning.low_pass
    if low is None:
        return f"above {high:g} Hz"
    return f"below {low:g} Hz" if high is None else f"{high:g} to {low:g} Hz"


def _put(path: Path, content: bytes) -> None:
    # Several machines may start at once in one folder: what is right already is not touched.
    if path.is_file() and path.read_bytes() == content:
        return
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)


def _description(settings: Settings) -> dict:
    return {
        "Name": "Signals of regions, by brainsieve",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "brainsieve", "Version": __version__, "CodeURL": CODE}],
        "SourceDatasets": [{"URL": Path(settings.bids_dir).as_uri()}],
        "DatasetLinks": {SOURCE: Path(settings.bids_dir).as_uri()},
    }


def _refuse_foreign(folder: Path) -> None:
    path = folder / DESCRIPTION
    if not path.is_file():
        return
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        makers = [maker.get("Name") for maker in told.get("GeneratedBy", [])]
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):  # any JSON may lie there
        makers = []
    if "brainsieve" not in makers:
        raise FileExistsError(
            f"out_dir: {str(folder)!r} holds a dataset that brainsieve did not make ({DESCRIPTION}); choose another."
        )
