"""Spaces that the names of files tell: a grid in common, or as many vertices, says nothing of them.

BIDS names have an entity ``space-``, those of TemplateFlow's own files ``tpl-``
(https://bids-specification.readthedocs.io/en/stable/appendices/coordinate-systems.html).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from brainsieve.engine.files import opened_from

ENTITY = re.compile(r"(?:^|_)(space|tpl)-([A-Za-z0-9]+)")
# Parameters of maskers that are put on runs.
PLACED = ("labels_img", "maps_img", "mask_img")

# A parameter, and the name of the file that it was given as.
File = tuple[str, str]


def space_of(name: str) -> tuple[str, str] | None:
    """The entity of a file's name that tells its space, and the space; None where there is none."""
    told = dict(ENTITY.findall(os.path.basename(name)))
    return next(((key, told[key]) for key in ("space", "tpl") if key in told), None)


def _is_other(one: tuple[str, str], other: tuple[str, str]) -> bool:
    if "tpl" in (one[0], other[0]):
        # A template has files of several densities: space-fsaverage5 is one of tpl-fsaverage.
        return not (one[1].startswith(other[1]) or other[1].startswith(one[1]))
    return one[1] != other[1]


def placed_files(parameters: Mapping[str, Any]) -> tuple[File, ...]:
    """The files among what a masker puts on its runs."""
    named = ((name, file_name_of(parameters.get(name))) for name in PLACED)
    return tuple((name, file) for name, file in named if file is not None)


def file_name_of(img: Any) -> str | None:
    """The name of the file that an image was given as, or was read from; of several, that of the first."""
    if isinstance(img, str | os.PathLike):
        return os.path.basename(os.fspath(img))
    if isinstance(img, Mapping):
        img = list(img.values())
    if isinstance(img, list | tuple):
        return file_name_of(img[0]) if img else None
    files = getattr(getattr(img, "data", img), "files", None)  # of a surface image
    if isinstance(files, dict):
        return file_name_of(files)
    name = opened_from(img)
    return file_name_of(name) if name else None


def told_of_run(run: str | None, files: Iterable[File]) -> list[str]:
    """What there is to say of files that are put on a run of this name."""
    return [] if run is None else [*_told(files, "the run", run)]


def told_of_mask(files: Iterable[File]) -> list[str]:
    """What there is to say of an atlas and its mask."""
    by_parameter = dict(files)
    mask = by_parameter.pop("mask_img", None)
    return [] if mask is None else [*_told(by_parameter.items(), "mask_img", mask)]


def _told(files: Iterable[File], other: str, name: str) -> Iterable[str]:
    space = space_of(name)
    for parameter, file in dict.fromkeys(files):
        own = space_of(file)
        if space and own and _is_other(space, own):
            yield (
                f"{os.path.basename(name)}: {parameter} ({file}) is in the space {own[1]}, {other} in {space[1]} by "
                "their names; regions of one do not lie where those of the other do."
            )
