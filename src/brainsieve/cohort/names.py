"""Names of files: entities in BIDS order, and what each output is called. The one table of the whole package.

The entity ``stat`` and the suffixes ``timeseries``, ``relmat`` and ``boldmap`` are those of the drafts BEP012 and
BEP017, as XCP-D 26 writes them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# BIDS 1.11 section "Entities"; `stat` of the draft BEP017 stands before `desc`, as in XCP-D.
ENTITIES = (
    *(
        "sub",
        "ses",
        "sample",
        "task",
        "tracksys",
        "acq",
        "ce",
        "trc",
        "stain",
        "rec",
        "dir",
        "run",
        "mod",
        "echo",
    ),
    *(
        "flip",
        "inv",
        "mt",
        "part",
        "proc",
        "hemi",
        "space",
        "split",
        "recording",
        "chunk",
        "atlas",
        "seg",
        "scale",
    ),
    *("res", "den", "label", "stat", "desc"),
)
NOT_IN_A_LABEL = re.compile(r"[^0-9a-zA-Z+]")


@dataclass(frozen=True)
class Output:
    """What an output is called.

    Attributes
    ----------
    suffix, extension : str
    stat : str or None
        Of the entity ``stat``.
    of_atlas, of_strategy : bool
        Whether there is one for each.
    folder : str
        Below that of the subject or session.
    entities : mapping
        Others that it always has.
    """

    suffix: str
    extension: str
    stat: str | None = None
    of_atlas: bool = False
    of_strategy: bool = True
    folder: str = "func"
    entities: Mapping[str, str] = field(default_factory=dict)


OUTPUTS: dict[str, Output] = {
    "series": Output("timeseries", ".tsv", "mean", of_atlas=True),
    "parcel_series": Output("timeseries", ".ptseries.nii", "mean", of_atlas=True),
    "matrix": Output("relmat", ".tsv", "pearsoncorrelation", of_atlas=True),
    "parcel_matrix": Output("boldmap", ".pconn.nii", "pearsoncorrelation", of_atlas=True),
    "coverage": Output("bold", ".tsv", "coverage", of_atlas=True),
    "outliers": Output("outliers", ".tsv"),
    "denoised": Output("bold", ".nii.gz", "denoised"),
    "denoised_points": Output("bold", ".dtseries.nii", "denoised"),
    "motion": Output("motion", ".tsv", of_strategy=False),
    "quality": Output("qc", ".tsv", of_strategy=False, entities={"desc": "brainsieve"}),
    "carpet": Output("carpet", ".png", folder="figures"),
    "matrices": Output("relmat", ".png", folder="figures"),
    "regions": Output("regions", ".png", of_atlas=True, of_strategy=False, folder="figures"),
}


def label(text: str) -> str:
    """A text as the value of an entity: letters, digits and ``+`` alone, as BIDS allows."""
    return NOT_IN_A_LABEL.sub("", text)


def file_name(entities: Mapping[str, str], suffix: str, extension: str) -> str:
    """A name with its entities in BIDS order; those that BIDS does not know come before ``desc``, as they were."""
    known = [key for key in ENTITIES if key in entities]
    unknown = [key for key in entities if key not in ENTITIES]
    order = [key for key in known if key not in ("stat", "desc")] + unknown
    order += [key for key in ("stat", "desc") if key in known]
    return "_".join([*(f"{key}-{entities[key]}" for key in order), suffix]) + extension


def output_path(
    what: str,
    of_run: Mapping[str, str],
    atlas: Mapping[str, str] | None = None,
    strategy: str | None = None,
    extension: str | None = None,
) -> str:
    """Where an output lies in the folder of derivatives, with ``/`` on all systems.

    Parameters
    ----------
    what : str
        A key of `OUTPUTS`.
    of_run : mapping
        Entities of the run.
    atlas : mapping, optional
        Entities of the atlas: ``atlas``, perhaps ``seg`` and ``scale``.
    strategy : str, optional
    extension : str, optional
        Another than the usual one, ``.parquet``.
    """
    output = OUTPUTS[what]
    entities = {key: value for key, value in of_run.items() if key not in ("desc", "hemi")}
    if output.of_atlas:
        entities |= dict(atlas or {})
    if output.stat is not None:
        entities["stat"] = output.stat
    if output.of_strategy:
        entities["desc"] = label(str(strategy))
    entities |= output.entities
    folder = (
        f"sub-{of_run['sub']}/" + (f"ses-{of_run['ses']}/" if "ses" in of_run else "") + f"{output.folder}/"
    )
    return folder + file_name(entities, output.suffix, extension or output.extension)
