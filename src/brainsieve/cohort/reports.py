"""Pages: one for each participant, made of the tables and pictures that lie there, and one for the group."""

from __future__ import annotations

import base64
import html
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from brainsieve.cohort.figures import MOST_MATRICES, comparison_figure, motion_figure, png
from brainsieve.cohort.names import output_path
from brainsieve.cohort.pieces import sidecar_of
from brainsieve.cohort.results import read_figures, read_result
from brainsieve.cohort.settings import Settings
from brainsieve.engine.files import reading
from brainsieve.interfaces.bids import parse_bids_filename
from brainsieve.pages.html_report import HTMLReport
from brainsieve.pages.masker_report import PAGE
from brainsieve.whole_files import replacing

if TYPE_CHECKING:
    import pandas as pd

# What a page shows of a run's quality: column, words, digits.
SHOWN = (
    ("n_volumes", "volumes", "{:.0f}"),
    ("repetition_time", "seconds between volumes", "{:g}"),
    ("fd_mean", "mean displacement (mm)", "{:.3f}"),
    ("fd_max", "largest displacement (mm)", "{:.2f}"),
    ("tsnr", "temporal signal-to-noise", "{:.1f}"),
    ("gcor", "global correlation", "{:.3f}"),
    ("dvars_std_mean", "standardized DVARS", "{:.2f}"),
)
# Regions named on a page that a run does not cover.
N_NAMED = 12


def entities_of(run: str) -> dict[str, str]:
    """Entities of a run's name."""
    return {key: value for key, value in parse_bids_filename(run)["entities"].items() if value is not None}


def write_participants(settings: Settings, runs: Mapping[str, Sequence[str]]) -> list[str]:
    """Write the pages of participants.

    Parameters
    ----------
    settings : Settings
    runs : mapping of str to sequence of str
        Runs, and the atlases of each.

    Returns
    -------
    files : list of str
        Below the folder of results; a page that says the same already stays.
    """
    by_subject: dict[str, list[str]] = {}
    for run in runs:
        by_subject.setdefault(entities_of(run)["sub"], []).append(run)
    written = []
    for subject, those in sorted(by_subject.items()):
        body = "".join(_of_run(settings, run, runs[run]) for run in sorted(those))
        if not body:
            continue
        title = f"sub-{subject}"
        name = f"{title}.html"
        _put(Path(settings.out_dir, name), _page(title, f"<h1>{title}</h1>{_done(settings)}{body}"))
        written.append(name)
    return written


def _page(title: str, body: str) -> bytes:
    page = HTMLReport(PAGE, body, {"title": html.escape(title)})
    return page.get_standalone().encode("utf-8", "xmlcharrefreplace")


def _put(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)


def _done(settings: Settings) -> str:
    """What was done, in a line."""
    steps = []
    cleaning = settings.cleaning
    if settings.smoothing_fwhm:
        steps.append(f"smoothed by {settings.smoothing_fwhm:g} mm")
    if cleaning.detrend:
        steps.append("detrended")
    if cleaning.filters:
        low = "" if cleaning.low_pass is None else f" to {cleaning.low_pass:g}"
        steps.append(f"filtered ({cleaning.high_pass or 0:g}{low} Hz)")
    steps.append("confounds regressed out as each strategy says")
    if cleaning.standardize:
        steps.append("z-scored" if cleaning.standardize == "zscore_sample" else "as percent signal change")
    return f'<p class="quiet">Signals {html.escape(", ".join(steps))}.</p>'


def _of_run(settings: Settings, run: str, atlases: Sequence[str]) -> str:
    entities = entities_of(run)
    name = "_".join(f"{key}-{value}" for key, value in entities.items() if key not in ("sub", "desc", "hemi"))
    parts = [_facts(Path(settings.out_dir, output_path("quality", entities)))]
    own = [atlas for atlas in settings.atlases if atlas.name in atlases]
    parts += [
        _picture(
            settings,
            output_path("regions", entities, atlas.entities),
            f"Regions of {atlas.name} on the mean image; left is left",
        )
        for atlas in own
    ]
    for strategy in settings.strategies:
        told = "".join(_told(settings, entities, atlas, strategy.name) for atlas in own)
        motion = _motion(settings, entities, strategy.name)
        carpet = _picture(
            settings,
            output_path("carpet", entities, None, strategy.name),
            "Voxels (rows) over time, z-scored, before and after cleaning; red: left out",
            stretched=True,
        )
        matrices = _picture(
            settings,
            output_path("matrices", entities, None, strategy.name),
            "Correlations of regions: "
            + ", ".join(atlas.name for atlas in own[:MOST_MATRICES])
            + "; blue -1, red 1",
        )
        if carpet or matrices or told:
            parts.append(f"<h3>{html.escape(strategy.name)}</h3>{told}{motion}{carpet}{matrices}")
    body = "".join(parts)
    return f"<h2>{html.escape(name)}</h2>{body}" if body else ""


def _motion(settings: Settings, entities: Mapping[str, str], strategy: str) -> str:
    """Framewise displacement as a line, and the volumes that are left out."""
    path = Path(settings.out_dir, output_path("motion", entities))
    flags = Path(settings.out_dir, output_path("outliers", entities, None, strategy))
    if not path.is_file() or not flags.is_file():
        return ""
    motion = read_result(path)
    with reading(str(path), "a table of motion"):
        values = motion.iloc[:, 0].to_numpy(dtype=float)
    left_out = np.flatnonzero(read_result(flags, ["outlier"])["outlier"].to_numpy())
    if not np.isfinite(values).any():
        return ""
    top = max(0.3, float(np.nanmax(values)) * 1.05)
    line = " ".join(f"{i + 0.5},{100 - 100 * v / top:.1f}" for i, v in enumerate(values) if np.isfinite(v))
    bars = "".join(f'<rect x="{i}" width="1" height="100" fill="#e6b0aa"/>' for i in left_out)
    return (
        f'<svg viewBox="0 0 {len(values)} 100" preserveAspectRatio="none" style="width:100%;height:70px">{bars}'
        f'<polyline points="{line}" fill="none" stroke="#34495e" vector-effect="non-scaling-stroke"/></svg>'
        f'<p class="quiet">Framewise displacement, 0 to {top:.2f} mm; red: left out</p>'
    )


def _facts(path: Path) -> str:
    if not path.is_file():
        return ""
    figures = read_figures(path)
    items = "".join(
        f"<li><b>{style.format(figures[name])}</b>{words}</li>"
        for name, words, style in SHOWN
        if name in figures and np.isfinite(figures[name])
    )
    return f'<ul class="facts">{items}</ul>'


def _told(settings: Settings, entities: Mapping[str, str], atlas: Any, strategy: str) -> str:
    """What is left of a run, and which regions it does not cover."""
    import pandas as pd

    path = Path(settings.out_dir, output_path("coverage", entities, atlas.entities, strategy))
    series = output_path("series", entities, atlas.entities, strategy, settings.table)
    record = _record(Path(settings.out_dir, sidecar_of(series)))
    if not path.is_file() or not record:
        return ""
    coverage = read_result(path, ["Node", "coverage"], dtype={"Node": str}, keep_default_na=False)
    share = pd.to_numeric(coverage["coverage"], errors="coerce")
    poor = coverage["Node"][~(share >= settings.min_coverage)].tolist()
    kept = record.get("VolumesKept")
    n_kept = record.get("NumberOfVolumes") if kept is None else len(kept)
    n_confounds = len(record.get("Confounds", []))
    said = (
        f"{atlas.name}: {len(coverage)} regions, {n_kept} of {record.get('NumberOfVolumes')} volumes, "
        f"{n_confounds} confound{'s' if n_confounds != 1 else ''}, {record.get('DegreesOfFreedom', 0):.1f} degrees of "
        "freedom left."
    )
    lines = f"<p>{html.escape(said)}</p>"
    if poor:
        some = ", ".join(poor[:N_NAMED]) + (f" and {len(poor) - N_NAMED} more" if len(poor) > N_NAMED else "")
        verb = "s are" if len(poor) > 1 else " is"
        told = html.escape(f"{len(poor)} region{verb} not covered: {some}.")
        lines += f'<p class="warning">{told}</p>'
    return lines + "".join(
        f'<p class="warning">{html.escape(text)}</p>' for text in record.get("Warnings", [])
    )


def _record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _picture(settings: Settings, path: str, caption: str, stretched: bool = False) -> str:
    file = os.path.join(settings.out_dir, path)
    if not os.path.isfile(file):
        return ""
    return _figure(Path(file).read_bytes(), caption, stretched)


def _figure(content: bytes, caption: str, stretched: bool = False) -> str:
    data = base64.b64encode(content).decode("ascii")
    told = html.escape(caption)
    style = ' style="width:100%;height:320px;image-rendering:pixelated"' if stretched else ""
    return (
        f'<figure style="background:none;margin:10px 0"><img alt="{told}"{style} '
        f'src="data:image/png;base64,{data}"><figcaption>{told}</figcaption></figure>'
    )


# -- the group -----------------------------------------------------------------------------------------------


def write_group(
    settings: Settings, runs: pd.DataFrame, comparison: pd.DataFrame, rules: Mapping[str, Mapping[str, float]]
) -> str:
    """Write the page of the group; returns its name."""
    parts = [
        f"<h1>Group</h1>{_done(settings)}",
        f"<p>{len(runs)} runs of {_n_subjects(runs['run'])} participants.</p>",
    ]
    if runs["fd_mean"].notna().any():
        limits = {name: rule["fd_mean"] for name, rule in rules.items() if "fd_mean" in rule}
        parts.append(_figure(png(motion_figure(runs, limits)), "Mean framewise displacement of all runs"))
    if len(comparison):
        parts.append("<h2>Motion and connectivity</h2>")
        if comparison["qcfc_median_abs"].notna().any():
            parts.append(_figure(png(comparison_figure(comparison)), "QC-FC: less is better"))
        parts.append(_table(comparison))
    parts.append("<h2>Runs</h2>" + _table(runs))
    name = "group.html"
    _put(Path(settings.out_dir, name), _page("Group", "".join(parts)))
    return name


def _n_subjects(runs: Iterable[str]) -> int:
    return len({entities_of(run)["sub"] for run in runs})


def _table(frame: pd.DataFrame) -> str:
    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in frame.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_cell(value))}</td>" for value in row) + "</tr>"
        for row in frame.itertuples(index=False)
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "n/a" if not np.isfinite(value) else f"{value:.4g}"
    return str(value)
