"""What a group model is given: maps, a table of them, or models of subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from brainsieve.checks import found
from brainsieve.exceptions import NoImageError
from brainsieve.glm.designs import listed
from brainsieve.glm.second_level.design_matrix import LABEL
from brainsieve.image import index_img
from brainsieve.image.forms import is_one_image, opened
from brainsieve.logs import warn
from brainsieve.tables import as_pandas

COLUMNS = (LABEL, "map_name", "effects_map_path")


@dataclass(frozen=True)
class Group:
    """Who is in a group, and where the map of each is.

    Attributes
    ----------
    kept : object
        What a model shows as its input: images, a table in the order of its labels, or models.
    labels : list of str or None
        Of the subjects, where they have any.
    in_order : bool
        Whether subjects stand as they were given.
    """

    kept: Any
    labels: list[str] | None = None
    in_order: bool = True

    @property
    def names(self) -> list[str]:
        """How maps are called in messages."""
        return [f"map {i}" for i in range(len(self.kept))] if self.labels is None else self.labels

    @property
    def subjects(self) -> list[str]:
        """Labels, each once."""
        return list(dict.fromkeys(self.labels or []))

    def maps(self, first_level_contrast: Any) -> Group:
        """The images, one for each subject, and whose they are.

        Raises
        ------
        ValueError
            If a contrast of the first level is needed that is not given, or is none.
        """
        if self.labels is None:
            return self
        if isinstance(self.kept, list):
            return Group(_effects(self.kept, first_level_contrast), self.labels, self.in_order)
        rows = _rows_of(self.kept, first_level_contrast)
        labels = rows[LABEL].tolist()
        repeated = sorted({label for label in labels if labels.count(label) > 1})
        if repeated:
            warn(
                f"second_level_input has several maps of the subjects {listed(repeated)}; they are taken for "
                "independent."
            )
        return Group(rows["effects_map_path"].tolist(), labels, self.in_order)


def group_of(second_level_input: Any) -> Group:
    """Read what `fit` is given.

    Raises
    ------
    TypeError, ValueError
        If it is none of what is known, has fewer than two maps, or columns are missing.
    """
    if hasattr(second_level_input, "columns"):
        return _of_table(second_level_input)
    if is_one_image(second_level_input):
        return Group(_volumes_of(second_level_input))
    try:
        entries = list(second_level_input)
    except TypeError:
        raise _unknown(second_level_input) from None
    if not entries:
        raise NoImageError("second_level_input is empty; give two maps at the least.")
    if len(entries) < 2:
        raise ValueError(
            f"second_level_input must have two maps at the least; {found(second_level_input)} has one."
        )
    are_models = [hasattr(entry, "compute_contrast") for entry in entries]
    if all(are_models):
        return _of_models(entries)
    if any(are_models):
        raise TypeError("second_level_input must be all images or all first-level models; it has both.")
    for i, entry in enumerate(entries):
        if not is_one_image(entry) or isinstance(entry, int | float | dict):
            raise TypeError(
                f"second_level_input[{i}] must be an image of one sample; {found(entry)} was given."
            )
    return Group(entries)


def _unknown(given: Any) -> TypeError:
    return TypeError(
        "second_level_input must be a list of images or of fitted first-level models, a 4-D image, or a data frame "
        f"with the columns {', '.join(COLUMNS)}; {found(given)} was given."
    )


def _volumes_of(image: Any) -> list[Any]:
    try:
        source, _ = opened(image)
    except TypeError:
        raise _unknown(image) from None
    if source.n_samples < 2:
        raise ValueError(
            f"second_level_input ({source.name}) is an image of one sample; give one of several, or a list of images."
        )
    return [index_img(image, i) for i in range(source.n_samples)]


def _of_table(table: Any) -> Group:
    frame = as_pandas(table)
    absent = [name for name in COLUMNS if name not in frame.columns]
    if absent:
        raise ValueError(
            f"second_level_input must have the columns {', '.join(COLUMNS)}; it lacks {', '.join(absent)}, and has "
            f"{listed([str(name) for name in frame.columns])}."
        )
    if not all(isinstance(label, str) for label in frame[LABEL]):
        raise ValueError(f"Labels in the column {LABEL!r} of second_level_input must be text.")
    if len(frame) < 2:
        raise ValueError(f"second_level_input must have two rows at the least; it has {len(frame)}.")
    in_order = bool(frame[LABEL].is_monotonic_increasing)
    kept = frame.sort_values(LABEL, kind="stable").reset_index(drop=True)
    return Group(kept, kept[LABEL].tolist(), in_order)


def _of_models(models: list[Any]) -> Group:
    for i, model in enumerate(models):
        if not model.__sklearn_is_fitted__():
            raise ValueError(
                f"second_level_input[{i}] ({model.subject_label}) is a model that is not fitted."
            )
    labels = [model.subject_label for model in models]
    absent = [i for i, label in enumerate(labels) if label is None]
    if absent and len(absent) < len(labels):
        raise ValueError(
            f"second_level_input: the models {listed([str(i) for i in absent])} have no subject_label."
        )
    return Group(models, [str(i) if label is None else str(label) for i, label in enumerate(labels)])


def _effects(models: Sequence[Any], contrast: Any) -> list[Any]:
    if contrast is None:
        raise ValueError(
            "first_level_contrast is needed: second_level_input are first-level models, and it says which effect of "
            "theirs is tested."
        )
    maps = []
    for model in models:
        try:
            maps.append(model.compute_contrast(contrast, output_type="effect_size"))
        except (TypeError, ValueError) as error:
            raise type(error)(f"first_level_contrast, subject {model.subject_label}: {error}") from None
    return maps


def _rows_of(table: Any, name: Any) -> Any:
    names = sorted(set(map(str, table["map_name"])))
    if name is None:
        if len(names) > 1:
            raise ValueError(
                f"first_level_contrast is needed: second_level_input has maps of several names, {listed(names)}."
            )
        return table
    if not isinstance(name, str):
        raise TypeError(f"first_level_contrast must be one of the map names; {found(name)} was given.")
    if name not in names:
        raise ValueError(
            f"first_level_contrast={name!r} is no map name of second_level_input; there are {listed(names)}."
        )
    return table[table["map_name"] == name]
