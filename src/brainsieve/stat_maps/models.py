"""What a fitted model of either level shows of itself: its designs, and contrasts by name.

A model is known by its methods alone: reports and files of results are made of both levels alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from brainsieve.checks import found
from brainsieve.stat_maps.thresholds import threshold_stats_img

if TYPE_CHECKING:
    import pandas as pd

OPTIONS = {
    "threshold": None,
    "alpha": 0.001,
    "cluster_threshold": 0,
    "height_control": "fpr",
    "two_sided": False,
    "min_distance": 8.0,
}


def is_of_group(model: Any) -> bool:
    """Whether it is a model of the second level."""
    return hasattr(model, "second_level_input_")


def designs_of(model: Any) -> list[pd.DataFrame]:
    """Designs of the runs, or the one of the group."""
    return [model.design_matrix_] if is_of_group(model) else list(model.design_matrices_)


def named_contrasts(contrasts: Any) -> dict[str, Any]:
    """Contrasts by name: text names itself, numbers are named by their weights.

    Raises
    ------
    TypeError, ValueError
        If it is none of what is known, or two have one name.
    """
    if contrasts is None:
        return {}
    if isinstance(contrasts, dict):
        return {str(name): definition for name, definition in contrasts.items()}
    if isinstance(contrasts, str | np.ndarray) or _is_numbers(contrasts):
        contrasts = [contrasts]
    if not isinstance(contrasts, list | tuple):
        raise TypeError(
            f"contrasts must be a string, an array, a list or a dict of these; {found(contrasts)} was given."
        )
    named = {each if isinstance(each, str) else str(np.asarray(each).tolist()): each for each in contrasts}
    if len(named) < len(contrasts):
        raise ValueError(f"contrasts has one contrast twice: {found(contrasts)}.")
    return named


def _is_numbers(contrasts: Any) -> bool:
    return (
        isinstance(contrasts, list | tuple)
        and bool(contrasts)
        and all(isinstance(each, int | float | np.number) for each in contrasts)
    )


def maps_of(
    model: Any, definition: Any, first_level_contrast: Any, stat_type: str | None = None
) -> dict[str, Any]:
    """All images of a contrast."""
    if isinstance(definition, list) and _is_numbers(definition):
        definition = np.asarray(definition)
    if is_of_group(model):
        return model.compute_contrast(definition, first_level_contrast, stat_type, "all")
    return model.compute_contrast(definition, stat_type, "all")


def height_of(z_img: Any, options: dict[str, Any]) -> tuple[Any, float]:
    """The map of a contrast cut as `OPTIONS` say, and its height."""
    names = ("threshold", "alpha", "cluster_threshold", "height_control", "two_sided")
    given = {name: options[name] for name in names}
    if given["height_control"] is not None:
        given["threshold"] = None
    return threshold_stats_img(z_img, **given)


def settings_table(options: dict[str, Any], height: float) -> dict[str, Any]:
    """How a table of clusters was made, in the words of the field."""
    control = options["height_control"]
    told: dict[str, Any] = {"Height control": control}
    if control is not None:
        told["α"] = options["alpha"]
    told["Threshold (computed)" if control is not None else "Threshold Z"] = round(float(height), 3)
    told["Cluster size threshold (voxels)"] = options["cluster_threshold"]
    told["Minimum distance (mm)"] = options["min_distance"]
    return told
