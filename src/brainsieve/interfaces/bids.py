"""BIDS file names, taken apart.

Only names are looked at; no file is opened. Entities are the ``key-value`` pairs between underscores
(https://bids-specification.readthedocs.io/en/stable/common-principles.html#entities).
"""

from __future__ import annotations

import os
from typing import TypedDict

__all__ = ["BidsName", "parse_bids_filename"]


class BidsName(TypedDict):
    """The parts of a BIDS file name."""

    file_path: str | os.PathLike[str]
    file_basename: str
    extension: str
    suffix: str
    entities: dict[str, str | None]


def parse_bids_filename(img_path: str | os.PathLike[str]) -> BidsName:
    """Take a BIDS file name apart.

    Parameters
    ----------
    img_path : str or path
        The file need not exist.

    Returns
    -------
    parts : dict
        With ``file_path`` (as given), ``file_basename``, ``extension`` (everything after the first dot of
        the last part, without the dot), ``suffix`` (the part before it), and ``entities``, a dict from keys
        to values in the order of the name. A part without a hyphen is an entity whose value is None; of a
        key that comes twice, the last value stands.

    Raises
    ------
    TypeError
        If `img_path` is not a path.
    ValueError
        If the name has no extension.

    Examples
    --------
    >>> parse_bids_filename("sub-01_task-rest_bold.nii.gz")["entities"]
    {'sub': '01', 'task': 'rest'}
    """
    try:
        basename = os.path.basename(os.fspath(img_path))
    except TypeError:
        raise TypeError(
            f"img_path must be a path; {img_path!r} ({type(img_path).__name__}) was found."
        ) from None
    *pairs, last = str(basename).split("_")
    suffix, dot, extension = last.partition(".")
    if not dot:
        raise ValueError(
            f"{basename!r} has no extension; a BIDS name ends like 'sub-01_task-rest_bold.nii.gz'."
        )
    entities: dict[str, str | None] = {}
    for pair in pairs:
        key, hyphen, value = pair.partition("-")
        # Hyphens are not allowed in values; what follows a second one belongs to no entity.
        entities[key] = value.split("-")[0] if hyphen else None
    return {
        "file_path": img_path,
        "file_basename": str(basename),
        "extension": extension,
        "suffix": suffix,
        "entities": entities,
    }
