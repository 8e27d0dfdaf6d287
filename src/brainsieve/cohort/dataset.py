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
    for atlas in settings.atlases:
        if atlas.lut is not None:
            (folder / "atlases").mkdir(exist_ok=True)
            name = f"{atlas.name}_dseg{os.path.splitext(atlas.lut)[1]}"
            _put(folder / "atlases" / name, Path(atlas.lut).read_bytes())


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
    except (OSError, ValueError, AttributeError):
        makers = []
    if "brainsieve" not in makers:
        raise FileExistsError(
            f"out_dir: {str(folder)!r} holds a dataset that brainsieve did not make ({DESCRIPTION}); choose another."
        )
