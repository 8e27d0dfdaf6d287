"""Models of the subjects of a BIDS dataset, with what they are to be fitted to."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from brainsieve.checks import found, nearest
from brainsieve.glm.designs import listed
from brainsieve.glm.first_level.model import FirstLevelModel
from brainsieve.interfaces.bids import get_bids_files, parse_bids_filename
from brainsieve.interfaces.fmriprep import load_confounds
from brainsieve.logs import log, warn
from brainsieve.tables import read_table
from brainsieve.typing import MemoryLike, NiimgLike

DEFAULT_SPACE = "MNI152NLin2009cAsym"
# Parameters of the models that are made, the same for all subjects.
OF_MODELS = (
    *("hrf_model", "drift_model", "high_pass", "drift_order", "fir_delays", "min_onset", "noise_model"),
    *("target_affine", "target_shape", "smoothing_fwhm", "standardize", "signal_scaling"),
    *("memory", "memory_level", "verbose", "n_jobs", "minimize_memory"),
)
ENTITIES = (
    *("acq", "ce", "rec", "dir", "run", "echo", "part", "hemi"),
    *("space", "res", "den", "desc"),
)
# Times between volumes and starts that differ by less are the same one, written with fewer digits.
SAME_SECONDS = 1e-4


class _Lists(NamedTuple):
    models: list[FirstLevelModel]
    imgs: list[list[str]]
    events: list[list[Any]]
    confounds: list[list[Any] | None]


class SubjectsOfDataset(_Lists):
    """Models, images, events and confounds of subjects, four lists; and the sample masks that belong to them.

    Attributes
    ----------
    sample_masks : list of (list of array or None)
        Volumes that are kept, for each run of each subject; None where all are.
    """

    sample_masks: list[list[Any] | None]


def first_level_from_bids(
    dataset_path: str | os.PathLike[str],
    task_label: str,
    space_label: str | None = None,
    sub_labels: Sequence[str] | None = None,
    exclude_subjects: Sequence[str] | None = None,
    img_filters: Sequence[tuple[str, str]] | None = None,
    t_r: float | None = None,
    slice_time_ref: float | None = None,
    hrf_model: Any = "glover",
    drift_model: Literal["cosine", "polynomial"] | None = "cosine",
    high_pass: float = 0.01,
    drift_order: int = 1,
    fir_delays: Sequence[float] | None = None,
    min_onset: float = -24,
    mask_img: NiimgLike | Any = None,
    target_affine: ArrayLike | None = None,
    target_shape: Sequence[int] | None = None,
    smoothing_fwhm: float | None = None,
    memory: MemoryLike = None,
    memory_level: int = 1,
    standardize: Literal["zscore_sample", "psc"] | bool = False,
    signal_scaling: int | tuple[int, int] | bool = 0,
    noise_model: str = "ar1",
    verbose: int = 0,
    n_jobs: int = 1,
    minimize_memory: bool = True,
    derivatives_folder: str = "derivatives",
    **kwargs: Any,
) -> SubjectsOfDataset:
    """Make a model for each subject of a BIDS dataset, and find its runs, events and confounds.

    Parameters
    ----------
    dataset_path : path
        With the events, and preprocessed images in `derivatives_folder`.
    task_label : str
        Without ``task-``.
    space_label : str, default=None
        Without ``space-``. None: MNI152NLin2009cAsym.
    sub_labels : list of str, default=None
        Subjects without ``sub-``. None: all.
    exclude_subjects : list of str, default=None
    img_filters : list of (entity, value), default=None
        What names of images must have, ``[("desc", "preproc")]`` for instance.
    t_r : float, default=None
        Seconds between volumes. None: that of each subject's own JSON files.
    slice_time_ref : float, default=None
        None: ``StartTime`` / `t_r` of each subject's own JSON files, else 0, with a warning.
    hrf_model : str, callable or list of these, default="glover"
        Of the models, as all to `minimize_memory`.
    drift_model : {"cosine", "polynomial"} or None, default="cosine"
    high_pass : float, default=0.01
    drift_order : int, default=1
    fir_delays : list of float, default=None
    min_onset : float, default=-24
    mask_img : image, masker, False, "derivatives" or None, default=None
        "derivatives": the intersection of each subject's own brain masks.
    target_affine : array of shape (3, 3) or (4, 4), default=None
    target_shape : tuple of 3 int, default=None
    smoothing_fwhm : float, default=None
    memory : path or joblib.Memory, default=None
        Where to cache fits. The folder is trusted code (pickles): nobody else may write to it.
    memory_level : int, default=1
    standardize : {False, True, "zscore_sample", "psc"}, default=False
    signal_scaling : {0, 1, (0, 1), False}, default=0
    noise_model : {"ar1", "ols", "arN"}, default="ar1"
    verbose : int, default=0
    n_jobs : int, default=1
    minimize_memory : bool, default=True
    derivatives_folder : str, default="derivatives"
        Within the dataset.
    **kwargs : dict
        Parameters of `load_confounds`, each with ``confounds_`` before its name. Default: all columns of the table of
        confounds.

    Returns
    -------
    subjects : SubjectsOfDataset
        Unpacks into ``models, imgs, events, confounds``: for each subject a model that is not fitted, the paths of its
        runs, their events, and their confounds or None. ``subjects.sample_masks`` has which volumes are kept.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        For folders, subjects, runs and events that are not there, times between volumes that differ between the runs of
        a subject, and unknown keywords; the message names them.

    Warns
    -----
    UserWarning
        If confounds leave volumes out, a subject is not there, or times are not known.
    """
    given = dict(locals())
    derivatives = _checked_folders(dataset_path, derivatives_folder)
    _check_text(task_label=task_label, space_label=space_label)
    options = _confounds_options(kwargs)
    filters = _checked_filters(img_filters)
    subjects = _subjects(derivatives, sub_labels, exclude_subjects)
    parameters = {name: given[name] for name in OF_MODELS}
    lists = _Lists([], [], [], [])
    masks: list[list[Any] | None] = []
    for subject in subjects:
        wanted = [("task", task_label), ("space", space_label or DEFAULT_SPACE), *filters]
        imgs = _runs(derivatives, subject, wanted)
        sides = [_sidecars(Path(dataset_path), img, subject, task_label) for img in imgs]
        timing = _timing(imgs, sides, subject, t_r, slice_time_ref)
        mask = _own_mask(derivatives, subject, wanted) if _is_derivatives(mask_img) else mask_img
        lists.models.append(FirstLevelModel(*timing, mask_img=mask, subject_label=subject, **parameters))
        lists.imgs.append(imgs)
        lists.events.append(_events(Path(dataset_path), subject, task_label, imgs))
        confounds, kept = _confounds(derivatives, subject, task_label, imgs, options)
        lists.confounds.append(confounds)
        masks.append(kept)
        log(verbose, 1, f"first_level_from_bids: subject {subject}, {len(imgs)} runs.")
    found_ = SubjectsOfDataset(*lists)
    found_.sample_masks = masks
    if any(kept is not None for kept in masks):
        warn(
            "Confounds leave volumes out: give each fit its sample masks, which are in the attribute sample_masks of "
            "what first_level_from_bids gives."
        )
    return found_


# -- what is checked ---------------------------------------------------------------------------------------


def _checked_folders(dataset_path: Any, derivatives_folder: Any) -> Path:
    if not isinstance(dataset_path, str | os.PathLike):
        raise TypeError(f"dataset_path must be a path; {found(dataset_path)} was given.")
    if not Path(dataset_path).is_dir():
        raise FileNotFoundError(f"dataset_path: {dataset_path} is not a folder.")
    derivatives = Path(dataset_path) / derivatives_folder
    if not derivatives.is_dir():
        raise FileNotFoundError(f"derivatives_folder: {derivatives} is not a folder.")
    return derivatives


def _check_text(**labels: Any) -> None:
    for name, label in labels.items():
        if label is None and name != "task_label":
            continue
        if not isinstance(label, str):
            raise TypeError(f"{name} must be a str; {found(label)} was given.")
        if not label.isalnum():
            raise ValueError(
                f"{name} must be letters and digits, without its key and hyphen; {label!r} was given."
            )


def _confounds_options(kwargs: dict[str, Any]) -> dict[str, Any]:
    unknown = [name for name in kwargs if not name.startswith("confounds_")]
    if unknown:
        raise TypeError(
            f"first_level_from_bids got the unknown keywords {', '.join(unknown)}; those of load_confounds begin with "
            "'confounds_'."
        )
    return {name.removeprefix("confounds_"): value for name, value in kwargs.items()}


def _checked_filters(filters: Any) -> list[tuple[str, str]]:
    if filters is None:
        return []
    if isinstance(filters, str) or not isinstance(filters, Sequence):
        raise TypeError(f"img_filters must be a list of (entity, value); {found(filters)} was given.")
    for pair in filters:
        if isinstance(pair, str) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise TypeError(
                f"img_filters must be a list of (entity, value), both text; {found(pair)} was given."
            )
        if pair[0] not in ENTITIES:
            raise ValueError(
                f"img_filters: {pair[0]!r} is none of {', '.join(ENTITIES)}.{nearest(pair[0], ENTITIES)} Subjects and "
                "tasks have arguments of their own."
            )
    return [(key, value) for key, value in filters]


def _subjects(derivatives: Path, wanted: Any, excluded: Any) -> list[str]:
    for name, labels in (("sub_labels", wanted), ("exclude_subjects", excluded)):
        if labels is not None and (
            isinstance(labels, str) or not all(isinstance(one, str) for one in labels)
        ):
            raise TypeError(f"{name} must be a list of str; {found(labels)} was given.")
    present = sorted(path.name.removeprefix("sub-") for path in derivatives.glob("sub-*") if path.is_dir())
    chosen = present if wanted is None else list(dict.fromkeys(wanted))
    absent = [label for label in chosen if label not in present]
    if absent:
        warn(f"The subjects {listed(absent)} are not in {derivatives}; they are left out.")
    chosen = [label for label in chosen if label in present and label not in set(excluded or ())]
    if not chosen:
        raise ValueError(f"No subject is left: {derivatives} has {listed(present) or 'none'}.")
    return chosen


# -- what is found -----------------------------------------------------------------------------------------


def _runs(derivatives: Path, subject: str, wanted: list[tuple[str, str]]) -> list[str]:
    for kind in ("nii*", "func.gii"):
        files = get_bids_files(derivatives, "bold", kind, subject, "func", wanted)
        if files:
            break
    if not files:
        raise ValueError(
            f"Subject {subject} has no run (…_bold.nii.gz) in {derivatives} with {_told(wanted)}."
        )
    _refuse_repeated(files, subject)
    return files


def _told(wanted: list[tuple[str, str]]) -> str:
    return ", ".join(f"{key}-{value}" for key, value in wanted)


def _refuse_repeated(files: list[str], subject: str) -> None:
    """Two images of one run."""
    runs: dict[Any, str] = {}
    for file in files:
        entities = parse_bids_filename(file)["entities"]
        run = (
            entities.get("ses"),
            entities.get("run"),
            entities.get("acq"),
            entities.get("dir"),
            entities.get("echo"),
        )
        if run in runs:
            raise ValueError(
                f"Subject {subject} has several images of one run, {Path(runs[run]).name} and {Path(file).name}; "
                "choose by img_filters, [('desc', 'preproc')] for instance."
            )
        runs[run] = file


def _timing(
    imgs: list[str], sides: list[dict[str, Any]], subject: str, t_r: float | None, ref: float | None
) -> tuple[float | None, float]:
    """Time between volumes and reference of slices of a subject."""
    known = _one("RepetitionTime", [side.get("RepetitionTime") for side in sides], imgs, subject)
    start = _one("StartTime", [side.get("StartTime") for side in sides], imgs, subject)
    if t_r is not None and known is not None and abs(t_r - known) > SAME_SECONDS:
        warn(f"t_r={t_r} is given, the files of subject {subject} say {known}; {t_r} is used.")
    seconds = known if t_r is None else t_r
    if seconds is None:
        warn(
            f"Subject {subject}: the time between volumes is not known; set t_r of its model before it is fitted."
        )
    if ref is not None:
        return seconds, ref
    if start is None or not seconds:
        warn(
            f"Subject {subject}: files have no StartTime; slice_time_ref is 0, the beginning of each volume."
        )
        return seconds, 0.0
    return seconds, start / seconds


def _one(name: str, values: list[Any], imgs: list[str], subject: str) -> float | None:
    there = [(float(value), img) for value, img in zip(values, imgs, strict=True) if value is not None]
    for value, img in there:
        if abs(value - there[0][0]) > SAME_SECONDS:
            raise ValueError(
                f"Subject {subject}: runs differ in {name}, {there[0][0]} in {Path(there[0][1]).name} and {value} in "
                f"{Path(img).name}. One model has one; choose runs by img_filters."
            )
    return there[0][0] if there else None


def _sidecars(dataset: Path, img: str, subject: str, task: str) -> dict[str, Any]:
    """What JSON files say of an image: its own; of the time between volumes also those of the run and of the task."""
    own = _content(Path(img).with_name(Path(img).name.split(".")[0] + ".json"))
    wanted = [pair for pair in _run_filters(img, task) if pair[0] != "echo"]
    raw = [Path(file) for file in get_bids_files(dataset, "bold", "json", subject, "func", wanted)]
    for path in (*raw, dataset / f"task-{task}_bold.json"):
        if "RepetitionTime" not in own:
            own |= {key: value for key, value in _content(path).items() if key == "RepetitionTime"}
    return own


def _content(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    return content if isinstance(content, dict) else {}


def _is_derivatives(mask_img: Any) -> bool:
    return isinstance(mask_img, str) and mask_img == "derivatives"


def _own_mask(derivatives: Path, subject: str, wanted: list[tuple[str, str]]) -> Any:
    from brainsieve.masking import intersect_masks

    own = [pair for pair in wanted if pair[0] != "desc"]
    files = get_bids_files(derivatives, "mask", "nii*", subject, "func", [*own, ("desc", "brain")])
    if not files:
        raise ValueError(
            f"Subject {subject} has no brain mask (…_desc-brain_mask.nii.gz) in {derivatives} with {_told(own)}."
        )
    return intersect_masks(files, threshold=1, connected=False)


def _run_filters(img: str, task: str) -> list[tuple[str, str]]:
    entities = parse_bids_filename(img)["entities"]
    keys = ("ses", "acq", "dir", "run", "echo")
    return [("task", task), *((key, entities[key] or "") for key in keys if key in entities)]


def _events(dataset: Path, subject: str, task: str, imgs: list[str]) -> list[Any]:
    tables = []
    for img in imgs:
        wanted = [pair for pair in _run_filters(img, task) if pair[0] != "echo"]
        files = get_bids_files(dataset, "events", "tsv", subject, "func", wanted)
        if len(files) != 1:
            raise ValueError(
                f"Subject {subject}: {len(files) or 'no'} tables of events (…_events.tsv) in {dataset} for "
                f"{Path(img).name}; one is needed."
            )
        tables.append(read_table(files[0], as_text=("trial_type",)))
    return tables


def _confounds(
    derivatives: Path, subject: str, task: str, imgs: list[str], options: dict[str, Any]
) -> tuple[list[Any] | None, list[Any] | None]:
    """Tables of confounds and volumes that are kept, of each run."""
    if options:
        loaded = [load_confounds(img, **options) for img in imgs]
        kept = [mask for _, mask in loaded]
        return [table for table, _ in loaded], kept if any(mask is not None for mask in kept) else None
    tables = []
    for img in imgs:
        wanted = [*_run_filters(img, task), ("desc", "confounds")]
        files = get_bids_files(derivatives, "timeseries", "tsv", subject, "func", wanted)
        files = files or get_bids_files(derivatives, "regressors", "tsv", subject, "func", wanted)
        if len(files) > 1:
            raise ValueError(
                f"Subject {subject}: several tables of confounds for {Path(img).name}: {listed(files)}."
            )
        tables += [read_table(file) for file in files]
    if tables and len(tables) < len(imgs):
        raise ValueError(
            f"Subject {subject} has tables of confounds for {len(tables)} of {len(imgs)} runs; all or none must have "
            "one."
        )
    return [_without_first_gap(table) for table in tables] or None, None


def _without_first_gap(table: Any) -> Any:
    """0 for what the first volume has not: derivatives have no value there."""
    table = table.copy()
    numbers = table.select_dtypes(include=[np.number]).columns
    table.loc[table.index[:1], numbers] = table.loc[table.index[:1], numbers].fillna(0.0)
    return table
