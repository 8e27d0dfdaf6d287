"""The plan of a cohort: a table with one row for a run and a strategy, made before any image is read.

It has inputs, atlases and outputs, what is missing or inconsistent, and whether it was done before. What a result
depends on is in the hash of its row and atlas; done means that the file beside the result has the same one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from brainsieve.cohort.atlases import CohortAtlas, read_atlases
from brainsieve.cohort.figures import can_draw
from brainsieve.cohort.index import AROMA, GRAYORDINATES, SURFACES, Run, find_runs
from brainsieve.cohort.inputs import RunInputs, inputs_of
from brainsieve.cohort.pieces import pieces_of
from brainsieve.cohort.settings import Cleaning, Settings
from brainsieve.cohort.strategies import Strategy, read_strategies
from brainsieve.engine.files import folder_given
from brainsieve.maskers.choosing import kind_of, open_any

if TYPE_CHECKING:
    import pandas as pd

SETTINGS = "brainsieve_settings"
KINDS = {"nifti": "volumes", "cifti": "CIFTI", "gifti": "surfaces"}


def plan(
    bids_dir: str | os.PathLike[str],
    out_dir: str | os.PathLike[str],
    atlases: Any,
    strategies: Any = "simple",
    *,
    participant_label: str | Sequence[str] | None = None,
    session_id: str | Sequence[str] | None = None,
    task_id: str | Sequence[str] | None = None,
    run_id: str | Sequence[str] | None = None,
    space: str | Sequence[str] | None = None,
    bids_filter: Mapping[str, Any] | None = None,
    file_format: Literal["auto", "nifti", "cifti", "gifti"] = "auto",
    detrend: bool = True,
    standardize: Literal["zscore_sample", "psc"] | None = "zscore_sample",
    high_pass: float | None = 0.01,
    low_pass: float | None = 0.1,
    filter_order: int = 5,
    dummy_scans: int = 0,
    fd_thresh: float = 0.0,
    min_time: float = 0.0,
    smoothing_fwhm: float | None = None,
    min_coverage: float = 0.5,
    radius: float = 5.0,
    create_matrices: bool = True,
    denoised: bool = False,
    resample: bool = False,
    table_format: Literal["tsv", "parquet"] = "tsv",
    reports: bool = True,
    atlases_dir: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Plan the work on a cohort; of images, headers alone are read.

    Parameters
    ----------
    bids_dir : path
        Derivatives of fMRIPrep's form. Nothing is written there.
    out_dir : path
        Need not exist; nothing is written by the plan.
    atlases : path, name, or sequence of these
        Label images, soft maps, CIFTI or GIFTI labels, tables of coordinates (columns x, y, z); ``NAME=FILE`` for
        another name in outputs; names of TemplateFlow's where its client is installed.
    strategies : str, path, or sequence of these, default="simple"
        Denoising strategies by name (`brainsieve.cohort.NAMED`), and YAML files that define others.
    participant_label, session_id, task_id, run_id, space : str or sequence of str, optional
        Labels of the runs wanted, with or without prefix.
    bids_filter : mapping, optional
        More entities and their values.
    file_format : {"auto", "nifti", "cifti", "gifti"}, default="auto"
        "auto": runs of the kinds that the atlases are of.
    detrend : bool, default=True
    standardize : {"zscore_sample", "psc", None}, default="zscore_sample"
    high_pass : float or None, default=0.01
        Hz; None: slow drifts stay.
    low_pass : float or None, default=0.1
        Hz; None: fast fluctuations stay.
    filter_order : int, default=5
        Of the Butterworth filter.
    dummy_scans : int, default=0
        Volumes left out at the start.
    fd_thresh : float, default=0
        Volumes of more framewise displacement, in mm, are left out; 0: none but those of the strategy.
    min_time : float, default=0
        Seconds that must be left of a run after that.
    smoothing_fwhm : float, optional
        mm, of volumes.
    min_coverage : float, default=0.5
        Regions of which a run has a smaller share of voxels are ``n/a``.
    radius : float, default=5
        Of spheres around coordinates, in mm.
    create_matrices : bool, default=True
        Write matrices of Pearson's correlations.
    denoised : bool, default=False
        Write denoised images.
    resample : bool, default=False
        Bring atlases that are in another space by their names to a run's grid all the same.
    table_format : {"tsv", "parquet"}, default="tsv"
        Of series.
    reports : bool, default=True
        Draw pictures, and make a page for each participant (needs matplotlib).
    atlases_dir : path, optional
        Where files of atlases are looked for, too.

    Returns
    -------
    plan : pandas.DataFrame
        One row for a run and a strategy: ``run`` (below `bids_dir`), ``subject``, ``session``, ``task``, ``space``,
        ``strategy``, ``n_volumes``, ``t_r`` (s), ``confounds``, ``atlases`` and ``outputs`` (lists of str), ``done``
        (whether all is there already), ``problems`` (list of str, empty where the row can be worked off). Rows may be
        left out; `run` works off those that stay.

    Raises
    ------
    FileNotFoundError
        If a folder or an atlas is missing.
    ValueError
        If no run passes the filters, a strategy or a parameter is not known, or two would write one file.
    """
    import pandas as pd

    cleaning = Cleaning(
        detrend, standardize, high_pass, low_pass, filter_order, dummy_scans, fd_thresh, min_time
    )
    settings = Settings(
        os.path.abspath(os.path.expanduser(os.fspath(bids_dir))),
        os.path.abspath(os.path.expanduser(os.fspath(out_dir))),
        read_atlases(atlases, None if atlases_dir is None else folder_given("atlases_dir", atlases_dir)),
        read_strategies(strategies),
        cleaning,
        smoothing_fwhm,
        min_coverage,
        radius,
        create_matrices,
        denoised,
        resample,
        f".{table_format}",
        reports and can_draw(),
    )
    _refuse_same_folder(settings)
    filters = {
        "participant_label": participant_label,
        "session_id": session_id,
        "task_id": task_id,
        "run_id": run_id,
        "space": space,
    }
    runs = find_runs(Path(settings.bids_dir), filters, bids_filter or {}, file_format)
    rows = _rows(settings, runs, _kinds_of(settings.atlases))
    _refuse_collisions(rows)
    made = pd.DataFrame(rows)
    made.attrs[SETTINGS] = settings
    return made


def settings_of(made: pd.DataFrame) -> Settings:
    """The settings that a plan was made with.

    Raises
    ------
    TypeError
        If it is no plan, or lost them on its way.
    """
    settings = getattr(made, "attrs", {}).get(SETTINGS)
    if not isinstance(settings, Settings):
        raise TypeError(
            "plan must be what brainsieve.cohort.plan gave, or rows of it; this table has lost its settings "
            "(plan.attrs): select rows of the plan itself."
        )
    return settings


def _refuse_same_folder(settings: Settings) -> None:
    if settings.out_dir == settings.bids_dir:
        raise ValueError(f"out_dir must be another folder than bids_dir; both are {settings.out_dir!r}.")


def _kinds_of(atlases: Iterable[CohortAtlas]) -> dict[str, str]:
    """The kind of runs that each atlas is for."""
    return {atlas.name: "volumes" if atlas.is_table else kind_of(open_any(atlas.path)) for atlas in atlases}


def _kind_of_run(run: Run) -> str:
    if run.extension in GRAYORDINATES:
        return "CIFTI"
    return "surfaces" if run.extension in SURFACES else "volumes"


def _rows(settings: Settings, runs: Sequence[Run], kinds: Mapping[str, str]) -> list[dict[str, Any]]:
    fitting = [run for run in runs if _kind_of_run(run) in kinds.values()]
    if not fitting:
        have, need = sorted({_kind_of_run(run) for run in runs}), sorted(set(kinds.values()))
        raise ValueError(
            f"bids_dir: the {len(runs)} runs found are {' and '.join(have)}, the atlases are for {' and '.join(need)}."
        )
    return [
        row
        for run in fitting
        for row in _rows_of(
            settings, run, [one for one in settings.atlases if kinds[one.name] == _kind_of_run(run)]
        )
    ]


def _rows_of(settings: Settings, run: Run, atlases: Sequence[CohortAtlas]) -> list[dict[str, Any]]:
    inputs = inputs_of(settings, run)
    rows = []
    for strategy in settings.strategies:
        own = _input_of(settings, run, inputs, strategy)
        problems = [*own.problems, *own.of_strategy(strategy, settings), *_of_spaces(settings, run, atlases)]
        pieces = [] if problems else pieces_of(settings, own, strategy, atlases)
        rows.append(
            {
                "run": own.run.path,
                "subject": run.entities["sub"],
                "session": run.entities.get("ses", ""),
                "task": run.entities.get("task", ""),
                "space": run.entities.get("space", ""),
                "strategy": strategy.name,
                "n_volumes": own.n_samples,
                "t_r": own.t_r,
                "confounds": own.confounds_name,
                "atlases": [atlas.name for atlas in atlases],
                "outputs": [path for piece in pieces for path in piece.files],
                "done": bool(pieces) and all(piece.is_done(settings.out_dir) for piece in pieces),
                "problems": problems,
            }
        )
    return rows


def _input_of(settings: Settings, run: Run, inputs: RunInputs, strategy: Strategy) -> RunInputs:
    """The image that a strategy is for: ICA-AROMA's own where that has cleaned it."""
    if strategy.is_none or not strategy.on_aroma_images:
        return inputs
    path = run.path.replace("_desc-preproc_", f"_desc-{AROMA}_")
    return inputs_of(settings, Run(path, run.entities, run.extension))


def _of_spaces(settings: Settings, run: Run, atlases: Sequence[CohortAtlas]) -> list[str]:
    own = run.entities.get("space")
    if settings.resample or own is None:
        return []
    return [
        f"atlas {atlas.name} is in the space {atlas.space}, the run in {own}: choose runs (space), another atlas, or "
        "ask for resample"
        for atlas in atlases
        if atlas.space is not None and atlas.space != own
    ]


def _refuse_collisions(rows: Sequence[Mapping[str, Any]]) -> None:
    seen: dict[str, str] = {}
    clashes = []
    for row in rows:
        for path in dict.fromkeys(row["outputs"]):
            other = seen.setdefault(path, row["run"])
            if other != row["run"]:
                clashes.append((other, row["run"], path))
    if clashes:
        one, other, path = clashes[0]
        raise ValueError(
            f"bids_dir: {one} and {other} would both write {path} ({len(clashes)} such files); filter runs, so that "
            "one of them is left."
        )
