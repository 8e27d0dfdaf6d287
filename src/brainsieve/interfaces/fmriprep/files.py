"""The files that fMRIPrep and tedana put beside an image: found by name, read, checked.

A table belongs to an image when it lies in the same folder and says nothing that the image does not say:
every entity of its name but ``desc`` is in the image's name, with the same value. Of several, the one that
shares most entities is taken.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainsieve.engine.files import reading, regular_file
from brainsieve.exceptions import MissingFileError
from brainsieve.interfaces.bids import parse_bids_filename

if TYPE_CHECKING:
    import pandas as pd

CONFOUNDS = ("confounds", ("timeseries", "regressors"))
MIXING = ("ICA", ("mixing",))
METRICS = ("tedana", ("metrics",))

PREPROCESSED = "desc-preproc_bold"
AROMA = "desc-smoothAROMAnonaggr_bold"
OPTCOM = "desc-optcom_bold"

ACCEPTED = (
    f"a volume '…_{PREPROCESSED}.nii.gz', a CIFTI file '…_bold.dtseries.nii', or a pair of surfaces "
    "'…_hemi-L_…bold.func.gii', '…_hemi-R_…bold.func.gii'"
)


def as_runs(img_files: Any) -> tuple[list[Path], bool]:
    """The runs that the user means, each by one of its files, and whether it was a single run.

    Parameters
    ----------
    img_files : path, pair of GIFTI paths, or list of these

    Returns
    -------
    runs : list of Path
    is_single : bool
        True where one result is expected rather than a list.
    """
    if isinstance(img_files, str | os.PathLike):
        return [_as_run(img_files)], True
    if not isinstance(img_files, Sequence):
        raise TypeError(
            "img_files must be a path, a pair of func.gii paths, or a list of these; "
            f"{type(img_files).__name__} was found."
        )
    if not len(img_files):
        raise ValueError(f"img_files is empty; give {ACCEPTED}.")
    if _is_pair(img_files):
        return [_as_run(img_files[0])], True
    runs = [_as_run(item) for item in img_files]
    return runs, len(runs) == 1


def _as_run(item: Any) -> Path:
    if isinstance(item, str | os.PathLike):
        return Path(item)
    if isinstance(item, Sequence) and _is_pair(item):
        return Path(item[0])
    raise TypeError(
        f"Each item of img_files must be a path or a pair of func.gii paths, left and right of one run; "
        f"{item!r} was found."
    )


def _is_pair(items: Sequence[Any]) -> bool:
    """Whether these are the two hemispheres of one run."""
    if len(items) != 2 or not all(isinstance(item, str | os.PathLike) for item in items):
        return False
    names = [os.fspath(item) for item in items]
    if not all(str(name).endswith(".func.gii") for name in names):
        return False
    hemispheres = {hemi for name in names for hemi in ("L", "R") if f"_hemi-{hemi}_" in name}
    neutral = {name.replace("_hemi-L_", "_hemi-_").replace("_hemi-R_", "_hemi-_") for name in names}
    return hemispheres == {"L", "R"} and len(neutral) == 1


def check_image_name(image: Path, *, aroma_full: bool, tedana: bool) -> None:
    """Raise ValueError unless the image is the output that the strategy is meant for."""
    name = image.name
    stem, _, extension = name.partition(".")
    if tedana:
        if extension not in ("nii.gz", "nii") or not stem.endswith(OPTCOM):
            raise ValueError(
                f"The strategy 'tedana' is meant for the optimally combined series '…_{OPTCOM}.nii.gz'; {name} "
                "was given. Files like '…_desc-denoised_bold.nii.gz' are denoised already."
            )
        return
    if extension in ("nii.gz", "nii"):
        if aroma_full and not stem.endswith(AROMA):
            raise ValueError(
                f"ica_aroma='full' is meant for the series that ICA-AROMA has cleaned, '…_{AROMA}.nii.gz'; "
                f"{name} was given. Use ica_aroma='basic' to regress its components out of "
                f"'…_{PREPROCESSED}.nii.gz'."
            )
        if not aroma_full and stem.endswith(AROMA):
            raise ValueError(
                f"{name} has been cleaned by ICA-AROMA already; it goes with strategy=('ica_aroma', …) and "
                f"ica_aroma='full' only. Other strategies take '…_{PREPROCESSED}.nii.gz'."
            )
        if not aroma_full and not stem.endswith(PREPROCESSED):
            raise ValueError(f"{name} is not a preprocessed run; give {ACCEPTED}.")
        return
    if aroma_full:
        raise ValueError(f"ica_aroma='full' exists for volumes only ('…_{AROMA}.nii.gz'); {name} was given.")
    if extension not in ("dtseries.nii", "func.gii") or not stem.endswith("bold"):
        raise ValueError(f"{name} is not a kind of image whose confounds are known; give {ACCEPTED}.")


def find_beside(image: Path, kind: tuple[str, tuple[str, ...]]) -> Path:
    """The table of a kind that belongs to an image.

    Parameters
    ----------
    image : Path
    kind : (str, tuple of str)
        Value of the entity ``desc``, and the suffixes that are accepted.

    Raises
    ------
    ValueError
        If there is none, or if several fit equally well.
    """
    desc, suffixes = kind
    folder = image.parent
    if not folder.is_dir():
        raise ValueError(f"The folder of {image} does not exist, so there are no confounds beside the image.")
    wanted = _entities(image.name)
    candidates = sorted(p for s in suffixes for p in folder.glob(f"*_desc-{desc}_{s}.tsv"))
    fitting = [p for p in candidates if _entities(p.name).items() <= wanted.items()]
    expected = " or ".join(f"'…_desc-{desc}_{suffix}.tsv'" for suffix in suffixes)
    if not fitting:
        raise ValueError(
            f"No table {expected} that belongs to {image.name} in {folder}. {_listed(candidates)} The tables "
            "must lie in the folder of the image, as fMRIPrep leaves them, with no entity that contradicts it."
        )
    most = max(len(_entities(p.name)) for p in fitting)
    best = [p for p in fitting if len(_entities(p.name)) == most]
    if len(best) > 1:
        raise ValueError(
            f"Several tables {expected} belong equally to {image.name}: "
            f"{', '.join(p.name for p in best)}. Leave one of them in {folder}."
        )
    return best[0]


def _entities(name: str) -> dict[str, str | None]:
    entities = parse_bids_filename(name)["entities"]
    return {key: value for key, value in entities.items() if key != "desc"}


def _listed(candidates: list[Path]) -> str:
    if not candidates:
        return "There is none of this kind at all."
    return f"Those of other images are there: {', '.join(p.name for p in candidates[:4])}."


def read_table(path: Path) -> pd.DataFrame:
    """Read a tab-separated table with a header; ValueError if it is empty or has no rows."""
    import pandas as pd

    file = regular_file(path, "a tab-separated table")
    with reading(file, "a tab-separated table with a header"):
        table = pd.read_csv(file, sep="\t", na_values=["n/a"], encoding="utf-8-sig")
        if not len(table):
            raise ValueError(f"{path} has a header but no rows.")
        return table


def read_metadata(table: Path) -> dict[str, dict[str, Any]]:
    """The JSON file beside a table, as a dict; ValueError if it is missing or broken."""
    path = table.with_suffix(".json")
    if not path.exists():
        raise MissingFileError(
            f"{path} does not exist. It tells which anatomical CompCor components stem from which mask; "
            "fMRIPrep writes it since version 1.4."
        )
    with reading(str(path), "JSON"):
        found = json.loads(Path(regular_file(path, "a JSON file")).read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(
                f"{path} holds {type(found).__name__}, where an object with a member a column is needed."
            )
        return {key: value for key, value in found.items() if isinstance(value, dict)}
