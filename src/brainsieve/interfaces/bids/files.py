"""BIDS file names: taken apart, and found by what they say.

Only names are looked at; no file is opened. Entities are the ``key-value`` pairs between underscores
(https://bids-specification.readthedocs.io/en/stable/common-principles.html#entities).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypedDict

from brainsieve.exceptions import ParameterError

__all__ = ["BidsName", "get_bids_files", "parse_bids_filename"]


def __dir__() -> list[str]:
    return __all__


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


def get_bids_files(
    main_path: str | os.PathLike[str],
    file_tag: str = "*",
    file_type: str = "*",
    sub_label: str = "*",
    modality_folder: str = "*",
    filters: Iterable[tuple[str, str]] | None = None,
    sub_folder: bool = True,
) -> list[str]:
    """Find the files of a BIDS dataset by what their names say.

    Parameters
    ----------
    main_path : str or path
        The dataset, or one of its derivatives.
    file_tag : str, default="*"
        Suffix of the name, ``"bold"`` for instance.
    file_type : str, default="*"
        Extension without its first dot, ``"nii.gz"`` or ``"nii*"`` for instance.
    sub_label : str, default="*"
        Subject without ``sub-``.
    modality_folder : str, default="*"
        Folder of the modality, ``"func"`` for instance.
    filters : list of (entity, value), optional
        Entities that names must have; an empty value: must not have.
    sub_folder : bool, default=True
        Whether to look into the folders of subjects (and their sessions, where there are any), or at the
        files of `main_path` itself.

    Returns
    -------
    files : list of str
        Sorted paths.

    Raises
    ------
    FileNotFoundError
        If `main_path` is no folder.
    TypeError
        If an argument is not a str, or `filters` not a list of pairs.

    Notes
    -----
    The four labels may hold the wildcards of file names. Subjects with and without session folders are both
    found.
    """
    root = Path(main_path)
    if not root.is_dir():
        raise FileNotFoundError(f"main_path: {root} is not a folder.")
    for name, value in {
        "file_tag": file_tag,
        "file_type": file_type,
        "sub_label": sub_label,
        "modality_folder": modality_folder,
    }.items():
        if not isinstance(value, str):
            raise TypeError(f"{name} must be a str; {value!r} ({type(value).__name__}) was found.")
    wanted = _checked_filters(filters)
    if sub_folder:
        # With and without entities between the subject and the suffix.
        names = {f"sub-{sub_label}_{file_tag}.{file_type}", f"sub-{sub_label}_*_{file_tag}.{file_type}"}
        places = [f"sub-{sub_label}/{modality_folder}", f"sub-{sub_label}/ses-*/{modality_folder}"]
        patterns = [f"{place}/{name}" for place in places for name in names]
    else:
        # Two stars in a row mean folders to pathlib; a tag may start with one.
        patterns = [f"*{file_tag.lstrip('*')}.{file_type}"]
    found = {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    return sorted(str(path) for path in found if _passes(path.name, wanted))


def _checked_filters(filters: Iterable[tuple[str, str]] | None) -> list[tuple[str, str]]:
    pairs = list(filters or ())
    for pair in pairs:
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise ParameterError(
                f"filters must be a list of (entity, value), [('task', 'rest')] for instance; {pair!r} was found."
            )
    return [(str(key), str(value)) for key, value in pairs]


def _passes(name: str, wanted: Sequence[tuple[str, str]]) -> bool:
    if not wanted:
        return True
    entities = parse_bids_filename(name)["entities"]
    return all((entities.get(key) or "") == value for key, value in wanted)
