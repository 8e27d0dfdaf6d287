"""FSL's design matrices (the VEST text format that `Glm` and `design_ttest2` write)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from brainsieve.engine.files import reading, regular_file

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["get_design_from_fslmat"]


def __dir__() -> list[str]:
    return __all__


def get_design_from_fslmat(
    fsl_design_matrix_path: str | os.PathLike[str], column_names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a design matrix that FSL wrote.

    Parameters
    ----------
    fsl_design_matrix_path : str or path
        A file ``design.mat``.
    column_names : sequence of str, optional
        Names of the columns; numbers by default.

    Returns
    -------
    design : pandas.DataFrame of shape (n_samples, n_regressors), float64

    Raises
    ------
    ValueError
        If the file has no matrix, if the matrix is not what ``/NumWaves`` and ``/NumPoints`` promise, holds
        what is no number, or if `column_names` has another length.
    """
    import pandas as pd

    path = Path(regular_file(fsl_design_matrix_path, "a design matrix of FSL"))
    with reading(str(path), "a design matrix of FSL"):
        header, marker, body = path.read_text(encoding="utf-8").partition("/Matrix")
    if not marker:
        raise ValueError(f"{path} has no line /Matrix; FSL's design matrices have one before the numbers.")
    rows = [line.split() for line in body.splitlines() if line.strip()]
    widths = {len(row) for row in rows}
    if len(widths) != 1:
        found = f"rows of {sorted(widths)} numbers" if rows else "nothing"
        raise ValueError(f"{path} has {found} after /Matrix; rows of one length were expected.")
    try:
        matrix = np.array(rows, dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{path} holds what is not a number after /Matrix: {error}") from error
    _check_promises(path, header, matrix.shape)
    if column_names is not None and len(column_names) != matrix.shape[1]:
        raise ValueError(f"column_names has {len(column_names)} names; {path} has {matrix.shape[1]} columns.")
    return pd.DataFrame(matrix, columns=None if column_names is None else list(column_names))


def _check_promises(path: Path, header: str, shape: tuple[int, ...]) -> None:
    """Compare the matrix with the sizes that the header gives, where it does."""
    for key, axis, what in (("/NumPoints", 0, "rows"), ("/NumWaves", 1, "columns")):
        promised = next((line.split()[1:2] for line in header.splitlines() if line.split()[:1] == [key]), [])
        if promised and promised[0].isdigit() and int(promised[0]) != shape[axis]:
            raise ValueError(f"{path} promises {promised[0]} {what} ({key}); {shape[axis]} were found.")
