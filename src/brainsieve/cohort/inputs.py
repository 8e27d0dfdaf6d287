"""What belongs to a run: its files, its header, its time, and what is wrong with them."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from brainsieve.caching import digest
from brainsieve.cohort.index import GRAYORDINATES, SURFACES, Run
from brainsieve.cohort.settings import Settings
from brainsieve.cohort.strategies import Strategy
from brainsieve.engine.source.base import Source
from brainsieve.interfaces.fmriprep.confounds import tables_of
from brainsieve.maskers.choosing import open_any
from brainsieve.provenance import sha256_of

# How far two numbers of one time may be apart: headers and sidecars round.
TOLERANCE = 0.01


@dataclass(frozen=True)
class RunInputs:
    """A run and what was found beside it.

    Attributes
    ----------
    bids_dir : str
    run : Run
    n_samples : int
    t_r : float or None
        Seconds; of the JSON file beside the run, else of its header.
    stamp : str
        Changes when the image may have changed: size, time and header.
    mask : str or None
        Brain mask, below the folder.
    problems : tuple of str
    """

    bids_dir: str
    run: Run
    n_samples: int
    t_r: float | None
    stamp: str
    mask: str | None
    problems: tuple[str, ...]

    @property
    def image(self) -> Any:
        """The run, as maskers take it."""
        path = os.path.join(self.bids_dir, self.run.path)
        if self.run.partner is None:
            return path
        return path, os.path.join(self.bids_dir, self.run.partner)

    @property
    def mask_path(self) -> str | None:
        return None if self.mask is None else os.path.join(self.bids_dir, self.mask)

    @property
    def has_voxels(self) -> bool:
        """Whether it is known which points are brain."""
        return self.mask is not None or self.run.extension in GRAYORDINATES

    @cached_property
    def confounds(self) -> Path | None:
        """The table of confounds beside the run, if there is one."""
        from brainsieve.interfaces.fmriprep import files

        image = Path(self.bids_dir, self.run.path)
        try:
            return files.find_beside(image, files.CONFOUNDS)
        except ValueError:
            return None

    @property
    def confounds_name(self) -> str:
        return (
            ""
            if self.confounds is None
            else os.path.relpath(self.confounds, self.bids_dir).replace(os.sep, "/")
        )

    def of_strategy(self, strategy: Strategy, settings: Settings) -> list[str]:
        """What a strategy lacks here."""
        problems = []
        if not strategy.is_none:
            try:
                tables_of(self.image, **strategy.confounds)
            except (ValueError, TypeError, OSError) as error:
                problems.append(f"strategy {strategy.name}: {' '.join(str(error).split())}")
        if settings.cleaning.fd_thresh and self.confounds is None:
            problems.append(
                "fd_thresh needs the framewise displacement of a table of confounds, and there is none"
            )
        if self.t_r is None and (settings.cleaning.filters or settings.cleaning.min_time):
            problems.append(
                "the time between volumes is not told by a JSON file or a header that can be believed"
            )
        return problems

    @cached_property
    def mask_stamp(self) -> str:
        """What the mask is known by."""
        path = self.mask_path
        return "" if path is None else sha256_of(path)

    @cached_property
    def tables_stamp(self) -> str:
        """What all tables beside the run are known by."""
        paths = [] if self.confounds is None else [self.confounds, self.confounds.with_suffix(".json")]
        return digest([sha256_of(path) if path.is_file() else None for path in paths])


def inputs_of(settings: Settings, run: Run) -> RunInputs:
    """Look at a run and what lies beside it; what is wrong becomes a problem, no error."""
    path = os.path.join(settings.bids_dir, run.path)
    files = [path] if run.partner is None else [path, os.path.join(settings.bids_dir, run.partner)]
    try:
        stats = [os.stat(file) for file in files]
        source = open_any(path if len(files) == 1 else tuple(files))
    except FileNotFoundError:
        return RunInputs(settings.bids_dir, run, 0, None, "", None, (f"there is no file {run.path}",))
    except (ValueError, TypeError, OSError) as error:
        return RunInputs(settings.bids_dir, run, 0, None, "", None, (" ".join(str(error).split()),))
    told, problems = _sidecar_time(files[0])
    t_r = told if told is not None else source.tr
    if (
        told is not None
        and source.tr is not None
        and abs(told - source.tr) > TOLERANCE * max(told, source.tr)
    ):
        problems.append(f"the JSON file says {told:g} s between volumes, the header {source.tr:g} s")
    if run.extension in SURFACES and run.partner is None:
        problems.append("the other hemisphere of this run is missing")
    if source.n_samples < 2:
        problems.append(f"the image has {source.n_samples} volume; a run has several")
    stamp = digest([(stat.st_size, stat.st_mtime_ns) for stat in stats], _of_header(source))
    return RunInputs(
        settings.bids_dir,
        run,
        source.n_samples,
        t_r,
        stamp,
        _mask_beside(settings.bids_dir, run),
        tuple(problems),
    )


def _of_header(source: Source) -> list[Any]:
    numbers = (source.slope, source.inter, source.tr)
    return [source.domain.fingerprint, source.n_samples, np.dtype(source.dtype).str, *numbers]


def _sidecar_time(image: str) -> tuple[float | None, list[str]]:
    """``RepetitionTime`` of the JSON file beside an image, in seconds, and what is wrong with that file."""
    path = re.sub(r"(\.(dtseries|func))?\.(nii|gii)(\.gz)?$", ".json", image)
    if not os.path.isfile(path):
        return None, []
    try:
        with open(path, encoding="utf-8") as stream:
            told = json.load(stream)
        seconds = told.get("RepetitionTime") if isinstance(told, dict) else None
    except (OSError, ValueError, RecursionError) as error:
        return None, [f"{os.path.basename(path)} is no JSON that can be read: {error}"]
    if seconds is None:
        return None, []
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0.05 <= seconds <= 30:
        return None, [
            f"{os.path.basename(path)} has RepetitionTime {seconds!r}; seconds between volumes are needed"
        ]
    return float(seconds), []


def _mask_beside(bids_dir: str, run: Run) -> str | None:
    if run.extension not in (".nii.gz", ".nii"):
        return None
    for extension in (".nii.gz", ".nii"):
        name = re.sub(r"(_desc-[^_]+)?_bold\.nii(\.gz)?$", f"_desc-brain_mask{extension}", run.path)
        if os.path.isfile(os.path.join(bids_dir, name)):
            return name
    return None
