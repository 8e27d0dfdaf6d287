"""Pieces of a cohort's results: which files belong together, and whether they are done.

State lies beside the results, never in a database (network disks lose those): the last file of a piece is a JSON file
that has a hash of all that the piece depends on, and the sizes of the files. The piece is done when they are there, of
these sizes (a power cut leaves empty ones), and the hash is that of what would be done now.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from brainsieve._version import __version__
from brainsieve.caching import digest
from brainsieve.cohort.atlases import CohortAtlas
from brainsieve.cohort.index import AROMA
from brainsieve.cohort.inputs import RunInputs
from brainsieve.cohort.names import output_path
from brainsieve.cohort.settings import Settings
from brainsieve.cohort.strategies import Strategy

HASH, SIZES = "Hash", "FileSizes"


@dataclass(frozen=True)
class Piece:
    """Files that appear together.

    Attributes
    ----------
    what : {"series", "outliers", "denoised", "carpet", "matrices", "regions", "motion", "quality"}
    files : tuple of str
        Below the folder of results, in the order in which they take their places: tables, then their JSON files.
    hash : str
        Of what they depend on.
    atlas : CohortAtlas or None
    strategy : Strategy or None
    """

    what: str
    files: tuple[str, ...]
    hash: str
    atlas: CohortAtlas | None = None
    strategy: Strategy | None = None

    @property
    def tables(self) -> tuple[str, ...]:
        """Its files without the JSON files."""
        return tuple(path for path in self.files if not path.endswith(".json"))

    def is_done(self, out_dir: str) -> bool:
        """Whether its files are there, made as they would be made now."""
        record = _record_of(os.path.join(out_dir, self.files[-1]))
        if record.get(HASH) != self.hash or not isinstance(record.get(SIZES), dict):
            return False
        return all(
            _size_of(os.path.join(out_dir, path)) == record[SIZES].get(path.rpartition("/")[2], -1)
            for path in self.files[:-1]
        )


def _record_of(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as stream:
            record = json.load(stream)
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _size_of(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except OSError:
        return None


def pieces_of(
    settings: Settings, inputs: RunInputs, strategy: Strategy, atlases: Sequence[CohortAtlas]
) -> list[Piece]:
    """What a run, cleaned by a strategy, gives; its motion and quality are those of all its strategies.

    They are of the run as it was preprocessed: what ICA-AROMA has cleaned gives none, which would have the same names.
    """
    entities = inputs.run.entities
    base = digest(__version__, inputs.stamp, inputs.t_r, inputs.tables_stamp, inputs.mask_stamp)
    cleaned = digest(base, strategy.name, dict(strategy.confounds), dict(settings.told()))
    pieces = [_of_atlas(settings, entities, strategy, atlas, cleaned) for atlas in atlases]
    pieces.append(
        _piece("outliers", [output_path("outliers", entities, None, strategy.name)], cleaned, None, strategy)
    )
    if settings.denoised:
        what = "denoised_points" if inputs.run.extension == ".dtseries.nii" else "denoised"
        path = output_path(what, entities, None, strategy.name)
        pieces.append(_piece("denoised", [path], cleaned, None, strategy))
    if settings.reports:
        pieces += _pictures(settings, inputs, strategy, atlases, cleaned)
    if f"_desc-{AROMA}_" in inputs.run.path:
        return pieces
    if settings.reports:
        regions = [output_path("regions", entities, atlas.entities) for atlas in atlases]
        content = [(atlas.checksum, dict(atlas.entities)) for atlas in atlases]
        pieces.append(_piece("regions", regions, digest(base, content, settings.radius)))
    if inputs.confounds is not None:
        pieces.append(_piece("motion", [output_path("motion", entities)], base))
    pieces.append(_piece("quality", [output_path("quality", entities)], base))
    return pieces


def _of_atlas(
    settings: Settings, entities: Any, strategy: Strategy, atlas: CohortAtlas, cleaned: str
) -> Piece:
    in_parcels = atlas.path.endswith(".dlabel.nii")
    whats = ["coverage", *(["matrix"] if settings.matrices else [])]
    whats += ["parcel_matrix"] if in_parcels and settings.matrices else []
    whats += ["parcel_series"] if in_parcels else []
    whats.append("series")
    paths = [
        output_path(
            what, entities, atlas.entities, strategy.name, settings.table if what == "series" else None
        )
        for what in whats
    ]
    radius = settings.radius if atlas.is_table else None
    key = digest(cleaned, atlas.checksum, dict(atlas.entities), radius, settings.matrices, settings.table)
    return _piece("series", paths, key, atlas, strategy)


def _pictures(
    settings: Settings,
    inputs: RunInputs,
    strategy: Strategy,
    atlases: Sequence[CohortAtlas],
    cleaned: str,
) -> list[Piece]:
    entities = inputs.run.entities
    content = [(atlas.checksum, dict(atlas.entities)) for atlas in atlases]
    pieces = []
    if inputs.has_voxels:
        carpet = output_path("carpet", entities, None, strategy.name)
        pieces.append(_piece("carpet", [carpet], digest(cleaned, content), None, strategy))
    if settings.matrices:
        matrices = output_path("matrices", entities, None, strategy.name)
        pieces.append(_piece("matrices", [matrices], digest(cleaned, content), None, strategy))
    return pieces


def _piece(
    what: str,
    paths: Sequence[str],
    key: str,
    atlas: CohortAtlas | None = None,
    strategy: Strategy | None = None,
) -> Piece:
    # A table and an image of the same series have one.
    sidecars = dict.fromkeys(sidecar_of(path) for path in paths)
    return Piece(what, (*paths, *sidecars), digest(what, key), atlas, strategy)


def sidecar_of(path: str) -> str:
    """The JSON file of a file."""
    folder, name = path.rpartition("/")[::2]
    stem = name.split(".")[0]
    return f"{folder}/{stem}.json" if folder else f"{stem}.json"
