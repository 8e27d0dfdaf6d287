"""Seconds between volumes: a filter that believes a wrong number gives wrong series without a word."""

from __future__ import annotations

import argparse
import json
import os
import re
from dataclasses import dataclass
from typing import Any

from brainsieve.engine.source import Source
from brainsieve.engine.source.timing import PLAUSIBLE_TR
from brainsieve.logs import warn

SHORTEST_S, LONGEST_S = PLAUSIBLE_TR
# How far two numbers of one time may be apart: headers and sidecars round.
TOLERANCE = 0.01


@dataclass(frozen=True)
class Timing:
    """Seconds between volumes, and who says so; None where nothing needs it."""

    t_r: float | None
    source: str | None


def timing_of(arguments: argparse.Namespace, source: Source, run: str) -> Timing:
    """What a filter takes for the time between volumes.

    Raises
    ------
    ValueError
        If a filter needs it and nobody says it credibly, or --t-r is in milliseconds.
    """
    header, doubt = believed(source)
    sidecar = sidecar_time(run)
    if arguments.t_r is not None:
        return Timing(_checked_option(arguments.t_r, header, sidecar, source.name), "--t-r")
    if arguments.low_pass is None and arguments.high_pass is None:
        return Timing(None, None)
    if header is None:
        hint = "" if sidecar is None else f" (the run's .json says {sidecar:g})"
        raise ValueError(
            f"--low-pass and --high-pass need the time between volumes; {doubt}: give --t-r in seconds{hint}."
        )
    if sidecar is not None and not _agree(header, sidecar):
        warn(
            f"{source.name}: the header has {header:g} s between volumes, the .json beside it {sidecar:g} s; "
            "the header's is used. --t-r decides."
        )
    return Timing(header, "header")


def believed(source: Source) -> tuple[float | None, str]:
    """Seconds between samples if the header says so credibly; else None and why not."""
    if source.tr_doubt:
        return None, f"of {source.name}, {source.tr_doubt}"
    if source.tr is None:
        return None, f"the header of {source.name} does not tell it"
    header: Any = getattr(source, "header", None)
    # What programs write for want of an answer is 1 without a unit: it looks like a second.
    if hasattr(header, "get_xyzt_units") and header.get_xyzt_units()[1] == "unknown":
        return None, f"the header of {source.name} tells {source.tr:g} without a unit"
    return source.tr, ""


def sidecar_time(run: str) -> float | None:
    """``RepetitionTime`` of the BIDS file beside a run, in seconds; None where there is none."""
    stem = re.sub(
        r"(\.(dtseries|func|ptseries))?\.(nii|gii|mgz|mgh)(\.gz)?$",
        "",
        run.split(",")[0],
        flags=re.IGNORECASE,
    )
    path = os.path.expanduser(f"{stem}.json")
    try:
        if not os.path.isfile(path):
            return None
        with open(path, encoding="utf-8") as stream:
            told: Any = json.load(stream)
        seconds = told.get("RepetitionTime") if isinstance(told, dict) else None
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds < 1e9:
        return None
    return float(seconds)


def _checked_option(t_r: float, header: float | None, sidecar: float | None, name: str) -> float:
    known = header if header is not None else sidecar
    who = "header" if header is not None else ".json"
    if known is None:
        if not SHORTEST_S <= t_r <= LONGEST_S:
            warn(f"--t-r {t_r:g} is in seconds; no scan has {t_r:g} s between volumes.")
        return t_r
    if not _agree(t_r, known):
        # What is wrong by a unit is meant otherwise, however plausible it looks as seconds.
        for factor, unit in ((1e3, "milliseconds"), (1e6, "microseconds")):
            if _agree(t_r, known * factor):
                raise ValueError(
                    f"--t-r {t_r:g} is in {unit}: the {who} of {name} says {known:g} s; give --t-r {known:g}."
                )
        if not SHORTEST_S <= t_r <= LONGEST_S:
            raise ValueError(
                f"--t-r is in seconds; {t_r:g} was given, and the {who} of {name} says {known:g} s."
            )
        warn(f"--t-r {t_r:g} s is used; the {who} of {name} says {known:g} s.")
    return t_r


def _agree(one: float, other: float) -> bool:
    return abs(one - other) <= TOLERANCE * max(one, other)
