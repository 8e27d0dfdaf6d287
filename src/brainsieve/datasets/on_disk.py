"""Published data sets as people have them on disk: what is there is found by its names, and nothing is downloaded."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from brainsieve.checks import found
from brainsieve.exceptions import MissingFileError

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.utils import Bunch

# Masks of the Haxby data, by the field that holds them.
HAXBY_MASKS = {
    "mask_vt": "mask4_vt",
    "mask_face": "mask8b_face_vt",
    "mask_house": "mask8b_house_vt",
    "mask_face_little": "mask8_face_vt",
    "mask_house_little": "mask8_house_vt",
}
# In seconds, as published.
HAXBY_T_R = 2.5


def load_haxby(folder: str | os.PathLike[str], subjects: Sequence[int] | int | None = None) -> Bunch:
    """Read the data of Haxby et al. (2001) [1]_ from a folder, in the form that `simulate_decoding` has.

    Parameters
    ----------
    folder : path
        That has ``subj1``, ``subj2``, ..., each with ``bold.nii.gz`` and ``labels.txt``; other files may lack.
    subjects : sequence of int or int, optional
        Numbers of the people wanted, or how many of them from the first. None: all that are there.

    Returns
    -------
    sklearn.utils.Bunch
        Lists with an entry for each person: ``func``, path; ``session_target``, data frame of ``labels`` and
        ``chunks``; ``anat``, ``mask_vt``, ``mask_face``, ``mask_house``, ``mask_face_little``, ``mask_house_little``,
        paths, or None where a person has no such file. Besides: ``mask``, path of ``mask.nii.gz`` in `folder` or
        None; ``t_r``, 2.5 s; ``description``.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, nobody in it, or a person lacks a run or its labels.
    ValueError
        If `subjects` is none of the numbers, or labels are no table of ``labels`` and ``chunks``.

    References
    ----------
    .. [1] Haxby, J. V. et al. (2001). Distributed and overlapping representations of faces and objects in ventral
       temporal cortex. Science 293, 2425-2430.

    Examples
    --------
    >>> data = load_haxby("haxby2001", subjects=[2])  # doctest: +SKIP
    """
    from sklearn.utils import Bunch

    root = _folder(folder)
    people = _people(root, subjects)
    images = {"anat": "anat", **HAXBY_MASKS}
    return Bunch(
        func=[_there(person, "bold.nii.gz") for person in people],
        session_target=[_targets(person) for person in people],
        **{name: [_path_or_none(person, stem) for person in people] for name, stem in images.items()},
        mask=_path_or_none(root, "mask"),
        t_r=HAXBY_T_R,
        description="Haxby et al. 2001: faces, houses and six other categories, in blocks, 12 runs a person.",
    )


def load_miyawaki2008(folder: str | os.PathLike[str]) -> Bunch:
    """Read the data of Miyawaki et al. (2008) [1]_ from a folder, in the form that `simulate_visual` has.

    Parameters
    ----------
    folder : path
        That has ``func`` with ``data_random_run*.nii.gz`` and ``data_figure_run*.nii.gz``, ``label`` with a text table
        of 100 pixels for each of them under the run's name, and ``mask`` with ``mask.nii.gz``.

    Returns
    -------
    sklearn.utils.Bunch
        Lists with an entry for each run, figures before random pictures, each in order of their numbers: ``func``,
        path; ``label``, array (n_volumes, 100) of 0 and 1, -1 where there is no picture. Besides: ``mask``, path;
        ``mask_roi``, list of paths of the other masks; ``background``, path or None; ``t_r``, 2 s; ``description``.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, no run, or a run lacks its labels.
    ValueError
        If labels are no table of numbers.

    References
    ----------
    .. [1] Miyawaki, Y. et al. (2008). Visual image reconstruction from human brain activity using a combination of
       multiscale local image decoders. Neuron 60, 915-929.

    Examples
    --------
    >>> data = load_miyawaki2008("miyawaki2008")  # doctest: +SKIP
    """
    from sklearn.utils import Bunch

    root = _folder(folder)
    runs = sorted((root / "func").glob("data_*_run*.nii.gz"), key=_by_numbers)
    if not runs:
        raise MissingFileError(f"folder: {root} has no func/data_*_run*.nii.gz.")
    masks = sorted((root / "mask").glob("*.nii.gz"), key=_by_numbers)
    return Bunch(
        func=list(map(str, runs)),
        label=[_pixels(root, run) for run in runs],
        mask=_there(root / "mask", "mask.nii.gz"),
        mask_roi=[str(path) for path in masks if path.name != "mask.nii.gz"],
        background=next(map(str, sorted((root / "bg").glob("*.nii.gz"))), None),
        t_r=2.0,
        description="Miyawaki et al. 2008: figures and random pictures of 10 by 10 pixels, seen by one person.",
    )


def _folder(folder: str | os.PathLike[str]) -> Path:
    root = Path(folder)
    if not root.is_dir():
        raise MissingFileError(f"folder: there is no folder {root}.")
    return root


def _there(folder: Path, name: str) -> str:
    path = folder / name
    if not path.is_file():
        raise MissingFileError(f"{path} is missing.")
    return str(path)


def _path_or_none(folder: Path, stem: str) -> str | None:
    return next((str(p) for p in (folder / f"{stem}.nii.gz", folder / f"{stem}.nii") if p.is_file()), None)


def _by_numbers(path: Path) -> list[str | int]:
    """Sorts run 2 before run 10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]


def _people(root: Path, subjects: Sequence[int] | int | None) -> list[Path]:
    there = {int(p.name[4:]): p for p in root.iterdir() if p.is_dir() and re.fullmatch(r"subj\d+", p.name)}
    if not there:
        raise MissingFileError(f"folder: {root} has no subj1, subj2, ...; is it the folder above these?")
    if subjects is None:
        wanted = sorted(there)
    elif isinstance(subjects, int) and not isinstance(subjects, bool) and subjects > 0:
        wanted = sorted(there)[:subjects]
        if len(wanted) < subjects:
            raise ValueError(f"subjects={subjects}: {root} has {len(there)} people only.")
    elif isinstance(subjects, Sequence) and not isinstance(subjects, str):
        wanted = list(subjects)
    else:
        raise ValueError(
            f"subjects must be a list of numbers, a number of people or None; {found(subjects)} was given."
        )
    unknown = [number for number in wanted if number not in there]
    if unknown:
        raise ValueError(f"subjects: {unknown} are not in {root}, which has {sorted(there)}.")
    return [there[number] for number in wanted]


def _targets(person: Path) -> pd.DataFrame:
    import pandas as pd

    path = _there(person, "labels.txt")
    table = pd.read_csv(path, sep=r"\s+")
    if not {"labels", "chunks"} <= set(table.columns):
        raise ValueError(f"{path} must have the columns labels and chunks; it has {list(table.columns)}.")
    return table[["labels", "chunks"]]


def _pixels(root: Path, run: Path) -> NDArray[np.intp]:
    stem = run.name.removesuffix(".nii.gz")
    near = sorted((root / "label").glob(f"{stem}*"))
    if not near:
        raise MissingFileError(f"{root / 'label'} has no table of pixels for {run.name}: no {stem}*.")
    try:
        return np.loadtxt(near[0], delimiter=",", dtype=float, ndmin=2).astype(int)
    except ValueError as error:
        raise ValueError(f"{near[0]} is no table of numbers, separated by commas: {error}") from None
