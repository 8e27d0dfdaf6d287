"""The maskers of a cohort, fitted once: frozen objects that travel to the processes that work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from brainsieve.cohort.atlases import CohortAtlas
from brainsieve.cohort.settings import Settings
from brainsieve.maskers import NiftiSpheresMasker
from brainsieve.maskers.base import MaskerContract
from brainsieve.maskers.choosing import is_label_atlas, kind_of, masker_for, open_any
from brainsieve.maskers.fitted import FittedMasker
from brainsieve.table_files import distinct
from brainsieve.tables import read_lut, read_table


@dataclass(frozen=True)
class Prepared:
    """An atlas, ready to work.

    Attributes
    ----------
    fitted : FittedMasker
        Compiled on the grid of each run where it works, once in a process.
    columns : tuple of str
    """

    fitted: FittedMasker
    columns: tuple[str, ...]

    def for_time(self, t_r: float | None) -> FittedMasker:
        """The same, for runs of so many seconds between volumes."""
        fitted = self.fitted
        cleaning = fitted.in_time.cleaning
        if cleaning.t_r is None or t_r is None:
            return fitted
        in_time = replace(fitted.in_time, cleaning=replace(cleaning, t_r=t_r))
        return replace(fitted, in_time=in_time, kind=fitted.kind.timed(t_r))


def prepared(settings: Settings) -> Mapping[str, Prepared]:
    """The maskers of all atlases by their names; each atlas is read once."""
    return {atlas.name: _prepared(settings, atlas) for atlas in settings.atlases}


def _prepared(settings: Settings, atlas: CohortAtlas) -> Prepared:
    if atlas.is_table:
        masker: MaskerContract = NiftiSpheresMasker(
            read_table(atlas.path, as_text=("name", "label")),
            radius=settings.radius,
            allow_overlap=True,
            **settings.masker_parameters("volumes"),
        ).fit()
        return _frozen(masker, [str(name) for name in masker.get_feature_names_out()])
    opened = open_any(atlas.path)
    kind = kind_of(opened)
    parameters = settings.masker_parameters(kind)
    if kind == "volumes":
        parameters["resampling_target"] = "data"
    only_labels = {} if atlas.lut is None else {"lut": atlas.lut}
    masker = masker_for(atlas.path, opened, None, parameters, only_labels)
    names = [str(name) for name in masker.get_feature_names_out()]
    if not is_label_atlas(opened) and atlas.lut is not None:
        names = _names_of_maps(atlas, len(names))
    return _frozen(masker, names)


def _frozen(masker: MaskerContract, names: list[str]) -> Prepared:
    return Prepared(masker._current(), tuple(distinct(names)))  # type: ignore[attr-defined]


def _names_of_maps(atlas: CohortAtlas, n_maps: int) -> list[str]:
    table = read_lut(atlas.lut)
    names = [str(name) for name in table.iloc[np.argsort(table["index"], kind="stable")]["name"]]
    if len(names) != n_maps:
        raise ValueError(f"atlases: {atlas.lut} names {len(names)} maps; {atlas.path} has {n_maps}.")
    return names
