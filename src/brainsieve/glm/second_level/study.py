"""A group and its design, matched; and what a contrast of the design is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from brainsieve.checks import found
from brainsieve.glm.first_level.model import matrices_of, title_of
from brainsieve.glm.second_level.design_matrix import make_second_level_design_matrix, read_design
from brainsieve.glm.second_level.inputs import Group, group_of
from brainsieve.logs import warn

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Study:
    """Maps, or what they come from, and a design with a row for each map.

    Where a table has several maps of a subject, the design has a row for each subject.

    Attributes
    ----------
    group : Group
    design : pandas.DataFrame
    """

    group: Group
    design: pd.DataFrame

    @classmethod
    def of(cls, second_level_input: Any, confounds: Any, design_matrix: Any) -> Study:
        """Read and match what a user gives.

        Raises
        ------
        TypeError, ValueError
            As `group_of`, `read_design` and `make_second_level_design_matrix`, and for a design of other rows.
        """
        group = group_of(second_level_input)
        rows = None if group.labels is None else group.labels
        if rows is not None and len(group.subjects) < len(rows):
            rows = group.subjects
        if design_matrix is None:
            return cls(group, _made(group, rows, confounds))
        if confounds is not None:
            warn("confounds are not used: design_matrix is given, and has its own columns.")
        design = read_design(design_matrix, rows, group.in_order)
        n = len(group.kept) if rows is None else len(rows)
        if len(design) != n:
            raise ValueError(
                f"design_matrix has {len(design)} rows, second_level_input {n} "
                f"{'maps' if rows is group.labels else 'subjects'}; give one row for each."
            )
        return cls(group, design)

    @property
    def is_of_images(self) -> bool:
        """Whether its maps are known, without a contrast of the first level."""
        return self.group.labels is None

    def maps(self, first_level_contrast: Any) -> tuple[Group, pd.DataFrame]:
        """The images, and the design with a row for each."""
        if self.is_of_images:
            if first_level_contrast is not None:
                warn("first_level_contrast is not used: second_level_input are images.")
            return self.group, self.design
        maps = self.group.maps(first_level_contrast)
        if maps.labels == self.group.labels and len(self.design) == len(maps.kept):
            return maps, self.design
        subjects = self.group.subjects
        absent = [label for label in subjects if label not in (maps.labels or [])]
        if absent:
            warn(f"The subjects {', '.join(absent)} have no map of that name; they take no part.")
        return maps, self.design.iloc[[subjects.index(label) for label in maps.labels or []]]


def _made(group: Group, rows: list[str] | None, confounds: Any) -> pd.DataFrame:
    if rows is None:
        why = " (confounds are matched by labels, which images have not)" if confounds is not None else ""
        raise ValueError(f"design_matrix is needed where second_level_input are images{why}.")
    return make_second_level_design_matrix(rows, confounds)


def contrast_matrix(definition: Any, design: pd.DataFrame) -> tuple[NDArray[np.float64], str]:
    """The weights (q, n_columns) that a contrast of the second level stands for, and how it is called.

    Raises
    ------
    TypeError, ValueError
        If it is none, names what is no column, is too long or has a row of zeros.
    """
    columns = [str(name) for name in design.columns]
    if definition is None:
        if len(columns) > 1:
            raise ValueError(
                f"second_level_contrast is needed: the design has the columns {', '.join(columns)}."
            )
        definition = columns[0]
    if not isinstance(definition, str):
        if not hasattr(definition, "__len__") and not hasattr(definition, "__array__"):
            raise TypeError(
                f"second_level_contrast must be a string or numbers; {found(definition)} was given."
            )
        definition = np.asarray(definition)
    (matrix,) = matrices_of([definition], [columns])
    assert matrix is not None
    title = title_of([definition])
    if not matrix.any(axis=1).all():
        raise ValueError(
            f"second_level_contrast {title} has a row of zeros: there is nothing to test. The columns are "
            f"{', '.join(columns)}."
        )
    return matrix, title
