"""Atlases of a cohort: a file, what it is called in names of files, its label table, and what it is known by."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brainsieve.cohort.names import label
from brainsieve.interfaces.bids import parse_bids_filename
from brainsieve.provenance import sha256_of

# Ends of names, longest first: what is left tells the atlas.
SUFFIXES = re.compile(
    r"(\.(dlabel|dscalar|label|func|shape))?\.(nii|gii|annot|mgz|mgh|tsv|csv)(\.gz)?$", re.IGNORECASE
)
TABLES = (".tsv", ".csv")
ATLAS_ENTITIES = ("atlas", "seg", "scale")


@dataclass(frozen=True)
class CohortAtlas:
    """An atlas.

    Attributes
    ----------
    path : str
        Of an image, of two GIFTI files ("LEFT,RIGHT"), or of a table of coordinates.
    entities : mapping
        ``atlas``, perhaps ``seg`` and ``scale``: what it is called in the names of outputs.
    lut : str or None
        Its label table.
    space : str or None
        As its name has it (``space-`` or ``tpl-``).
    checksum : str
        SHA-256 of its content, and of its table's.
    """

    path: str
    entities: Mapping[str, str]
    lut: str | None = None
    space: str | None = None
    checksum: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        return "_".join(f"{key}-{value}" for key, value in self.entities.items())

    @property
    def is_table(self) -> bool:
        """Whether it is coordinates."""
        return self.path.lower().endswith(TABLES)


def read_atlases(
    given: str | os.PathLike[str] | Iterable[Any], folder: str | None = None
) -> tuple[CohortAtlas, ...]:
    """Atlases by files, or by names that the TemplateFlow client knows.

    Parameters
    ----------
    given : str, path, or iterable of these
        A file; a pair of GIFTI files as "LEFT,RIGHT"; ``NAME=FILE`` for another name in outputs; else the name of an
        atlas of TemplateFlow, with entities, as
        ``Schaefer2018:tpl=MNI152NLin2009cAsym,res=02,desc=100Parcels7Networks``.
    folder : str, optional
        Where files are looked for, too.

    Raises
    ------
    FileNotFoundError
        If a file is missing, or a name is none of TemplateFlow's.
    ImportError
        If a name needs the TemplateFlow client, which is not installed.
    ValueError
        If two atlases would write the same files.
    """
    items = [given] if isinstance(given, str | os.PathLike | CohortAtlas) else list(given)
    found = [_read(item, folder) for item in items]
    if not found:
        raise ValueError("atlases: none is given; give files, or names of TemplateFlow's atlases.")
    for number, one in enumerate(found):
        same = next((other for other in found[:number] if other.name == one.name), None)
        if same is not None:
            raise ValueError(
                f"atlases: {same.path!r} and {one.path!r} would write the same files ({one.name}); name one of them: "
                "NAME=FILE."
            )
    return tuple(found)


def _read(item: Any, folder: str | None) -> CohortAtlas:
    if isinstance(item, CohortAtlas):
        return item
    if not isinstance(item, str | os.PathLike):
        raise TypeError(f"atlases: a file or a name is needed; {item!r} ({type(item).__name__}) was given.")
    text = os.fspath(item)
    own, equals, path = text.partition("=")
    if not equals or os.sep in own or ":" in own or os.path.exists(os.path.expanduser(text)):
        own, path = "", text
    files = _files_of(path, folder)
    if files is None:
        files = [_from_templateflow(path)]
    entities, space = _called(files[0], own)
    lut = _table_beside(files[0])
    checksum = ":".join(sha256_of(file) for file in [*files, *([lut] if lut else [])])
    return CohortAtlas(",".join(files), entities, lut, space, checksum)


def _files_of(path: str, folder: str | None) -> list[str] | None:
    """The files that a text names; None where it can only be a name."""
    parts = [os.path.expanduser(part.strip()) for part in path.split(",")]
    places = [[part, *([os.path.join(folder, part)] if folder else [])] for part in parts]
    found = [next((place for place in those if os.path.isfile(place)), None) for those in places]
    if all(file is not None for file in found):
        return [os.path.abspath(str(file)) for file in found]
    looks_like_files = any(SUFFIXES.search(part) or os.sep in part for part in parts)
    if looks_like_files:
        missing = parts[found.index(None)]
        raise FileNotFoundError(f"atlases: there is no file {missing!r}.")
    return None


def _from_templateflow(text: str) -> str:
    name, _, rest = text.partition(":")
    entities = dict(part.split("=", 1) for part in rest.split(",") if "=" in part)
    try:
        from templateflow import api
    except ImportError:
        raise ImportError(
            f"atlases: {text!r} is no file, and names need the TemplateFlow client, which is not installed: "
            "pip install templateflow, or give a file."
        ) from None
    template = entities.pop("tpl", entities.pop("template", "MNI152NLin2009cAsym"))
    if "res" in entities:
        entities["resolution"] = entities.pop("res")
    found = api.get(template, atlas=name, suffix="dseg", extension=".nii.gz", raise_empty=False, **entities)
    paths = [found] if isinstance(found, Path) else list(found)
    if len(paths) != 1:
        raise FileNotFoundError(
            f"atlases: TemplateFlow has {len(paths)} images for {text!r} in {template}; say which by entities, "
            "as 'Schaefer2018:tpl=MNI152NLin2009cAsym,res=02,desc=100Parcels7Networks'."
        )
    return str(paths[0])


def _called(file: str, own: str) -> tuple[dict[str, str], str | None]:
    """Entities and space that the name of a file tells."""
    name = os.path.basename(file)
    told = parse_bids_filename(name)["entities"]
    space = told.get("space") or told.get("tpl")
    if own:
        return {"atlas": _checked_label(own, file)}, space
    entities = {key: str(told[key]) for key in ATLAS_ENTITIES if told.get(key)}
    if "atlas" not in entities:
        return {"atlas": _checked_label(SUFFIXES.sub("", name), file)}, space
    if told.get("desc") and "seg" not in entities:
        # TemplateFlow tells parcellations of one atlas apart by `desc`, which names strategies here.
        entities["seg"] = str(told["desc"])
    return entities, space


def _checked_label(text: str, file: str) -> str:
    value = label(text)
    if not value:
        raise ValueError(f"atlases: {file!r} has no letter or digit to name outputs by; give NAME=FILE.")
    return value


def _table_beside(file: str) -> str | None:
    """The label table of an atlas: of its name, or of its BIDS name without what tells the grid."""
    folder, name = os.path.split(file)
    stem = SUFFIXES.sub("", name)
    if name.lower().endswith(TABLES):
        return None
    bare = re.sub(r"_(res|space|den|hemi)-[^_]+", "", stem)
    for candidate in dict.fromkeys((stem, bare)):
        path = os.path.join(folder, f"{candidate}.tsv")
        if os.path.isfile(path):
            return path
    return None
