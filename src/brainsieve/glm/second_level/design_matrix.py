"""Designs of groups: one row a map, made of confounds or given, and matched with maps by the subject's label."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from brainsieve.checks import found
from brainsieve.glm.designs import listed, warn_of_dependence
from brainsieve.glm.first_level.design_matrix import check_design_matrix
from brainsieve.tables import as_pandas, read_table

if TYPE_CHECKING:
    import pandas as pd

LABEL = "subject_label"
INTERCEPT = "intercept"


def make_second_level_design_matrix(
    subjects_label: Sequence[str], confounds: pd.DataFrame | str | os.PathLike[str] | None = None
) -> pd.DataFrame:
    """A design of a group: confounds of each subject, and an intercept.

    Parameters
    ----------
    subjects_label : sequence of str
        Subjects in the order of the rows.
    confounds : data frame or path, optional
        With a column ``subject_label`` that has each subject once, and columns of numbers. Subjects beyond those of
        `subjects_label` have no part.

    Returns
    -------
    design_matrix : pandas.DataFrame of shape (n_subjects, n_confounds + 1)
        Confounds as they are, not centred, then ``intercept``: the mean where all confounds are 0.

    Raises
    ------
    TypeError, ValueError
        For confounds without labels, with subjects that are missing or repeated, and with values that are no finite
        numbers; the message names subjects and columns.

    Warns
    -----
    UserWarning
        If columns depend on each other.
    """
    import pandas as pd

    labels = labels_of(subjects_label)
    if confounds is None:
        return pd.DataFrame({INTERCEPT: np.ones(len(labels))})
    table = _numbers_of(checked_confounds(confounds))
    absent = [label for label in labels if label not in table.index]
    if absent:
        raise ValueError(f"confounds have no row for the subjects {listed(list(dict.fromkeys(absent)))}.")
    table = table.loc[labels]
    bad = np.argwhere(~np.isfinite(table.to_numpy()))
    if len(bad):
        row, column = bad[0]
        raise ValueError(
            f"confounds have NaN or infinite values, the first in column {table.columns[column]!r}, subject "
            f"{labels[row]}."
        )
    design = table.reset_index(drop=True).assign(**{INTERCEPT: 1.0})
    warn_of_dependence(design.to_numpy(), list(design.columns))
    return design


def labels_of(subjects_label: Any) -> list[str]:
    """Labels as text."""
    if isinstance(subjects_label, str) or not hasattr(subjects_label, "__iter__"):
        raise TypeError(f"subjects_label must be a sequence of labels; {found(subjects_label)} was given.")
    labels = [str(label) for label in subjects_label]
    if not labels:
        raise ValueError("subjects_label must have one label at the least; it is empty.")
    return labels


def checked_confounds(confounds: Any) -> pd.DataFrame:
    """Confounds as a data frame whose index are the labels, each once.

    Raises
    ------
    TypeError, ValueError
        If it is no table with a column of labels and one of numbers, or a label comes twice.
    """
    table = _table("confounds", confounds)
    if LABEL not in table.columns:
        raise ValueError(
            f"confounds must have a column {LABEL!r}, which says whose row is whose; it has the columns "
            f"{listed([str(name) for name in table.columns])}."
        )
    if len(table.columns) < 2:
        raise ValueError(f"confounds must have a column of numbers beside {LABEL!r}; it has none.")
    table = table.set_index(table[LABEL].astype(str)).drop(columns=LABEL)
    repeated = table.index[table.index.duplicated()].unique().tolist()
    if repeated:
        raise ValueError(f"confounds have more than one row for the subjects {listed(repeated)}.")
    return table


def _numbers_of(table: pd.DataFrame) -> pd.DataFrame:
    names = [str(name) for name in table.columns]
    if INTERCEPT in names:
        raise ValueError(f"confounds must have no column {INTERCEPT!r}; it is added.")
    if len(set(names)) < len(names):
        raise ValueError(f"confounds have columns of one name: {listed(names)}.")
    text = [str(name) for name in table.columns if table[name].dtype.kind not in "biuf"]
    if text:
        raise TypeError(
            f"confounds must be numbers; the columns {listed(text)} are none. Code groups as 0 and 1."
        )
    return table.astype(np.float64).set_axis(names, axis="columns")


def read_design(design_matrix: Any, labels: Sequence[str] | None, in_order: bool) -> pd.DataFrame:
    """A design whose rows are those of the maps.

    Parameters
    ----------
    design_matrix : data frame or path
        With labels in a column ``subject_label`` or as its index, or without.
    labels : sequence of str or None
        Of the maps; None where these have none: rows are then taken in their order.
    in_order : bool
        Whether the order of the maps is that of what the user gave.

    Raises
    ------
    TypeError, ValueError
        If it is no table of finite numbers, or its rows cannot be matched with the maps.
    """
    table = _table("design_matrix", design_matrix)
    own = _own_labels(table)
    table = table.drop(columns=LABEL, errors="ignore")
    check_design_matrix(table)
    if labels is not None and own is not None:
        table = table.iloc[_matched(own, list(labels))]
    elif labels is not None and not in_order:
        raise ValueError(
            "design_matrix cannot be matched with second_level_input: the table of maps is not in the order of its "
            f"labels, and the design has no labels. Give it a column {LABEL!r}, or labels as its index."
        )
    table = (
        table.reset_index(drop=True)
        .astype(np.float64)
        .set_axis([str(c) for c in table.columns], axis="columns")
    )
    warn_of_dependence(table.to_numpy(), list(table.columns))
    return table


def _own_labels(table: pd.DataFrame) -> list[str] | None:
    if LABEL in table.columns:
        return [str(label) for label in table[LABEL]]
    return (
        [str(label) for label in table.index]
        if all(isinstance(label, str) for label in table.index)
        else None
    )


def _matched(own: list[str], labels: list[str]) -> list[int]:
    """For each map the row of the design."""
    if own == labels:
        return list(range(len(labels)))
    repeated = sorted({label for label in own if own.count(label) > 1})
    if repeated:
        raise ValueError(f"design_matrix has more than one row for the subjects {listed(repeated)}.")
    absent = sorted(set(labels) - set(own))
    beyond = sorted(set(own) - set(labels))
    if absent or beyond:
        raise ValueError(
            "design_matrix and second_level_input are of other subjects: "
            + " and ".join(
                f"the {what} has no {listed(some)}"
                for what, some in (("design", absent), ("input", beyond))
                if some
            )
            + "."
        )
    return [own.index(label) for label in labels]


def _table(name: str, given: Any) -> pd.DataFrame:
    if isinstance(given, str | os.PathLike):
        return read_table(given, as_text=(LABEL,))
    if not hasattr(given, "columns"):
        raise TypeError(f"{name} must be a data frame or the path of a table; {found(given)} was given.")
    return as_pandas(given)
