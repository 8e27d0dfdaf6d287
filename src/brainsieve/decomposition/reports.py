"""The page of a decomposition: its maps, drawn as those of a masker of maps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from brainsieve.maskers.reports import content_of
from brainsieve.pages import HTMLReport, masker_report


def report_of(estimator: Any, engine: str, title: str, displayed_maps: Any) -> HTMLReport:
    """The page of an estimator, or one that says that it is not fitted.

    Parameters
    ----------
    estimator : CanICA or DictLearning
    engine, title : str
    displayed_maps : int, list of int, "all" or None
    """
    content = None
    if estimator.__sklearn_is_fitted__():
        masker = estimator.maps_masker_
        content = content_of(
            masker._fitted,
            title,
            masker._background_volume(),
            ("displayed_maps", displayed_maps),
            parameters=estimator.get_params(deep=False),
            warnings=[],
            cmap=None,
            cmap_is_own=True,
        )
        name = type(estimator).__name__
        content = replace(content, kind=f"{name}: {estimator.n_elements_} maps")
    return masker_report(content, title, engine)
