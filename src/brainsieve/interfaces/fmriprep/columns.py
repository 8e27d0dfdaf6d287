"""Which columns of a confounds table each element of a strategy stands for.

Names are those of fMRIPrep's documentation (https://fmriprep.org/en/stable/outputs.html#confounds).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
TISSUES = ("csf", "white_matter")
GLOBAL = ("global_signal",)

EXPANSIONS = {
    "basic": ("",),
    "power2": ("", "_power2"),
    "derivatives": ("", "_derivative1"),
    "full": ("", "_derivative1", "_power2", "_derivative1_power2"),
}

# Each name is one or two families: masks of anatomical components, by the JSON file, and the temporal ones.
COMPCOR = {
    "anat_combined": (("combined",), False),
    "anat_separated": (("CSF", "WM"), False),
    "temporal": ((), True),
    "temporal_anat_combined": (("combined",), True),
    "temporal_anat_separated": (("CSF", "WM"), True),
}

_NUMBERED = re.compile(r"^(?P<family>[a-z]_comp_cor_)(?P<number>\d+)$")


class MissingColumnsError(ValueError):
    """A table lacks columns that a strategy needs."""


@dataclass(frozen=True)
class Found:
    """What an element of a strategy stands for in one table.

    Parameters
    ----------
    columns : tuple of str
        Names in the table.
    missing : tuple of str
        Names, or descriptions of kinds of columns, that should be there and are not.
    """

    columns: tuple[str, ...]
    missing: tuple[str, ...] = ()


def expanded(bases: Iterable[str], expansion: str, present: Iterable[str]) -> Found:
    """The columns `bases` and, as `expansion` says, their derivatives and squares."""
    have = set(present)
    wanted = [base + ending for base in bases for ending in EXPANSIONS[expansion]]
    return Found(
        tuple(name for name in wanted if name in have), tuple(name for name in wanted if name not in have)
    )


def cosines(present: Iterable[str]) -> Found:
    """The high-pass cosines; a short run has none."""
    return Found(tuple(name for name in present if name.startswith("cosine")))


def aroma(present: Iterable[str]) -> Found:
    """The components that ICA-AROMA took for motion."""
    columns = tuple(name for name in present if name.startswith("aroma_motion_"))
    return Found(columns, () if columns else ("aroma_motion_*",))


def compcor(
    kind: str, n_components: int | None, present: Sequence[str], metadata: Mapping[str, Mapping[str, Any]]
) -> Found:
    """The components of CompCor.

    Parameters
    ----------
    kind : str
        Key of `COMPCOR`.
    n_components : int, optional
        How many of each mask, the first ones; None for all that fMRIPrep retained.
    present : sequence of str
        Columns of the table.
    metadata : mapping
        What the JSON file says of each column; ``Mask`` and ``Retained`` are used.
    """
    masks, temporal = COMPCOR[kind]
    columns: list[str] = []
    missing: list[str] = []
    for mask in masks:
        # Old versions call all anatomical components a_comp_cor_*; newer ones c_ (CSF) and w_ (WM) too.
        names = [n for n in present if _is_anatomical(n) and _belongs(metadata.get(n, {}), mask)]
        columns += _first(names, n_components)
        if not names:
            missing.append(f"anatomical CompCor components of the {mask} mask")
    if temporal:
        names = [n for n in present if n.startswith("t_comp_cor_") and _retained(metadata.get(n, {}))]
        columns += _first(names, n_components)
        if not names:
            missing.append("t_comp_cor_*")
    return Found(tuple(columns), tuple(missing))


def _is_anatomical(name: str) -> bool:
    return _NUMBERED.match(name) is not None and not name.startswith("t_")


def _belongs(about: Mapping[str, Any], mask: str) -> bool:
    return about.get("Mask") == mask and _retained(about)


def _retained(about: Mapping[str, Any]) -> bool:
    return bool(about.get("Retained", True))


def _first(names: Iterable[str], count: int | None) -> list[str]:
    """The first components in the order of their numbers, which have more than two digits at times."""
    return sorted(names, key=_number)[:count]


def _number(name: str) -> tuple[str, int]:
    found = _NUMBERED.match(name)
    return (found["family"], int(found["number"])) if found else (name, -1)
