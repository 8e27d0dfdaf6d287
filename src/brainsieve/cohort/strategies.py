"""Denoising strategies by name: which confounds are regressed out, and which volumes are left out.

The names are those that users of XCP-D and of giga_connectome know. A YAML file may define others.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brainsieve.cohort.names import label
from brainsieve.engine.files import reading, regular_file

# Parameters of `load_confounds` that a strategy may have.
PARAMETERS = (
    *("strategy", "motion", "wm_csf", "global_signal", "scrub", "fd_threshold", "std_dvars_threshold"),
    *("compcor", "n_compcor", "ica_aroma", "tedana", "demean"),
)
# Of a strategy in a YAML file, beside these.
ABOUT = ("description",)

MOTION: dict[str, Any] = {"strategy": ("motion",), "motion": "full"}
SIMPLE: dict[str, Any] = {"strategy": ("high_pass", "motion", "wm_csf"), "motion": "full", "wm_csf": "basic"}
COMPCOR: dict[str, Any] = {
    "strategy": ("high_pass", "motion", "compcor"),
    "motion": "derivatives",
    "compcor": "anat_separated",
    "n_compcor": 5,
}
AROMA: dict[str, Any] = {"strategy": ("wm_csf", "ica_aroma"), "wm_csf": "basic", "ica_aroma": "basic"}
# Displacement alone decides, as in giga_connectome: DVARS of no run is as high.
SCRUBBING: dict[str, Any] = {
    "strategy": ("high_pass", "motion", "wm_csf", "scrub"),
    "motion": "full",
    "wm_csf": "full",
    "scrub": 5,
    "std_dvars_threshold": 1000.0,
}


def _with_global_signal(confounds: Mapping[str, Any]) -> dict[str, Any]:
    elements = (*confounds["strategy"], "global_signal")
    return {**confounds, "strategy": elements, "global_signal": "basic"}


NAMED: dict[str, dict[str, Any]] = {
    "none": {"strategy": ()},
    "24P": MOTION,
    "27P": {
        "strategy": ("motion", "wm_csf", "global_signal"),
        "motion": "full",
        "wm_csf": "basic",
        "global_signal": "basic",
    },
    "36P": {
        "strategy": ("motion", "wm_csf", "global_signal"),
        "motion": "full",
        "wm_csf": "full",
        "global_signal": "full",
    },
    "acompcor": COMPCOR,
    "acompcor_gsr": _with_global_signal(COMPCOR),
    "aroma": AROMA,
    "aroma_gsr": _with_global_signal(AROMA),
    "gsr_only": {"strategy": ("global_signal",), "global_signal": "basic"},
    "simple": SIMPLE,
    "simple+gsr": _with_global_signal(SIMPLE),
    "scrubbing.2": {**SCRUBBING, "fd_threshold": 0.2},
    "scrubbing.5": {**SCRUBBING, "fd_threshold": 0.5},
    "scrubbing.2+gsr": _with_global_signal({**SCRUBBING, "fd_threshold": 0.2}),
    "scrubbing.5+gsr": _with_global_signal({**SCRUBBING, "fd_threshold": 0.5}),
    "acompcor50": {
        "strategy": ("high_pass", "motion", "compcor"),
        "motion": "full",
        "compcor": "anat_combined",
        "n_compcor": "all",
    },
    "icaaroma": {"strategy": ("high_pass", "wm_csf", "ica_aroma"), "wm_csf": "basic", "ica_aroma": "full"},
}


@dataclass(frozen=True)
class Strategy:
    """A strategy.

    Attributes
    ----------
    name : str
    confounds : mapping
        Parameters of `brainsieve.interfaces.fmriprep.load_confounds`; an empty ``strategy`` regresses out nothing.
    description : str
        For the methods text.
    """

    name: str
    confounds: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""

    @property
    def label(self) -> str:
        """Of the entity ``desc``."""
        return label(self.name)

    @property
    def is_none(self) -> bool:
        return not self.confounds.get("strategy")

    @property
    def on_aroma_images(self) -> bool:
        """Whether it is for the runs that ICA-AROMA has cleaned already."""
        return "ica_aroma" in self.confounds["strategy"] and self.confounds.get("ica_aroma", "full") == "full"


def read_strategies(given: str | os.PathLike[str] | Iterable[Any]) -> tuple[Strategy, ...]:
    """Strategies by their names and from YAML files.

    Parameters
    ----------
    given : str, path, or iterable of these
        Names of `NAMED`; a path ending in ``.yaml`` or ``.yml``, of a mapping of names to parameters of
        `load_confounds` (and ``description``).

    Raises
    ------
    ValueError
        If a name or a parameter is not known, or two strategies would write the same files.
    FileNotFoundError
        If a file is missing.
    """
    items = [given] if isinstance(given, str | os.PathLike) else list(given)
    if not items:
        raise ValueError(f"strategies: none is given; known by name are {', '.join(NAMED)}.")
    found = [one for item in items for one in _read(item)]
    for number, one in enumerate(found):
        if not one.label:
            raise ValueError(f"strategies: the name {one.name!r} has no letter or digit to name files by.")
        same = next((other for other in found[:number] if other.label == one.label), None)
        if same is not None:
            raise ValueError(
                f"strategies: {same.name!r} and {one.name!r} would write the same files (desc-{one.label})."
            )
    return tuple(found)


def _read(item: Any) -> list[Strategy]:
    if isinstance(item, Strategy):
        return [item]
    text = os.fspath(item) if isinstance(item, str | os.PathLike) else None
    if text is None:
        raise TypeError(f"strategies: a name or a YAML file is needed; {item!r} was given.")
    if text.lower().endswith((".yaml", ".yml")):
        return _from_yaml(text)
    if text not in NAMED:
        raise ValueError(
            f"strategies: {text!r} is not known; known are {', '.join(NAMED)}, and YAML files (.yaml) define others."
        )
    return [Strategy(text, NAMED[text])]


def _from_yaml(path: str) -> list[Strategy]:
    import yaml

    path = os.path.expanduser(path)
    with reading(path, "a YAML file of strategies"):
        content = yaml.safe_load(
            Path(regular_file(path, "a YAML file of strategies")).read_text(encoding="utf-8")
        )
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path}: a mapping of names of strategies to their parameters is needed.")
    return [_checked(str(name), parameters, path) for name, parameters in content.items()]


def _checked(name: str, parameters: Any, path: str) -> Strategy:
    from brainsieve.interfaces.fmriprep.confounds import checked_settings

    if not isinstance(parameters, dict):
        raise ValueError(f"{path}: {name!r} must be a mapping of parameters; {parameters!r} was found.")
    unknown = sorted(str(key) for key in parameters if key not in (*PARAMETERS, *ABOUT))
    if unknown:
        raise ValueError(
            f"{path}: {name!r} has unknown keys {unknown}; a strategy has {', '.join((*PARAMETERS, *ABOUT))}."
        )
    if "strategy" not in parameters:
        raise ValueError(f"{path}: {name!r} has no key 'strategy', the list of kinds of confounds.")
    confounds = {key: value for key, value in parameters.items() if key in PARAMETERS}
    if isinstance(confounds["strategy"], list):
        confounds["strategy"] = tuple(confounds["strategy"])
    try:
        checked_settings(**confounds)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {name!r}: {error}") from None
    return Strategy(name, confounds, str(parameters.get("description", "")))
