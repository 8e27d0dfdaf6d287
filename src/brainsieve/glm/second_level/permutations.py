"""Tests of a group's contrast by permutation."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from brainsieve.checks import a_count
from brainsieve.glm.second_level.study import Study, contrast_matrix
from brainsieve.glm.second_level.values import masker_of, values_of
from brainsieve.mass_univariate import permuted_ols
from brainsieve.typing import ImagesLike, NiimgLike

if TYPE_CHECKING:
    import pandas as pd


def non_parametric_inference(
    second_level_input: ImagesLike | pd.DataFrame | Sequence[Any],
    confounds: pd.DataFrame | str | os.PathLike[str] | None = None,
    design_matrix: pd.DataFrame | str | os.PathLike[str] | None = None,
    second_level_contrast: str | ArrayLike | None = None,
    first_level_contrast: str | ArrayLike | None = None,
    mask: NiimgLike | Any = None,
    smoothing_fwhm: float | None = None,
    model_intercept: bool = True,
    n_perm: int = 10000,
    two_sided_test: bool = False,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int = 1,
    verbose: int = 0,
    threshold: float | None = None,
    tfce: bool = False,
) -> Any:
    """Test a contrast of a group by permutation, with p-values corrected for the number of points.

    Parameters
    ----------
    second_level_input : list of images, 4-D image, data frame, or list of first-level models
        Images need a design. A data frame has ``subject_label``, ``map_name`` and ``effects_map_path``.
    confounds : data frame or path, default=None
        With ``subject_label``, for a table or models.
    design_matrix : data frame or path, default=None
        A row a map.
    second_level_contrast : str or array, default=None
        One row. The columns that it weighs make the tested variable, the others are confounds. None: the one column of
        the design.
    first_level_contrast : str or array, default=None
        Of a table, the ``map_name`` of the maps, where there are several; of first-level models, their contrast.
    mask : image, masker or None, default=None
    smoothing_fwhm : float, default=None
        In mm.
    model_intercept : bool, default=True
        Add a constant to the confounds, unless it is tested.
    n_perm : int, default=10000
    two_sided_test : bool, default=False
        Large and small values both count.
    random_state : int, RandomState or None, default=None
    n_jobs : int, default=1
        Threads; results do not depend on it.
    verbose : int, default=0
    threshold : float, default=None
        Uncorrected p that clusters are made of; then clusters are tested by size and mass.
    tfce : bool, default=False
        Threshold-free cluster enhancement as well.

    Returns
    -------
    neg_log10_vfwe_pvals_img : image
        -log10 of p corrected by the largest value; or, with `threshold` or `tfce`, a dict of images: ``t``,
        ``logp_max_t``, and ``size``, ``logp_max_size``, ``mass``, ``logp_max_mass``, ``tfce``, ``logp_max_tfce``.
        Points where a map is not finite are NaN.

    Raises
    ------
    TypeError, ValueError
        As `SecondLevelModel` and `permuted_ols`; for a contrast of several rows.
    """
    a_count("n_perm", n_perm, least=1)
    study = Study.of(second_level_input, confounds, design_matrix)
    matrix, title = contrast_matrix(second_level_contrast, study.design)
    if len(matrix) > 1:
        raise ValueError(
            f"second_level_contrast {title} has {len(matrix)} rows; permutations test one at a time."
        )
    maps, rows = study.maps(first_level_contrast)
    parameters = dict.fromkeys(("target_affine", "target_shape", "memory"))
    masker = masker_of(mask, {**parameters, "smoothing_fwhm": smoothing_fwhm, "reports": False}, maps.kept)
    values = values_of(masker, maps)
    design = rows.to_numpy()
    others = design[:, matrix[0] == 0]
    # A constant among the confounds is the intercept, which permuted_ols is to know as such.
    constant = np.ptp(others, axis=0) == 0
    others, has_constant = others[:, ~constant], bool(others[:, constant].any())
    outputs = permuted_ols(
        design @ matrix[0],
        values,
        others if others.shape[1] else None,
        model_intercept=model_intercept or has_constant,
        n_perm=n_perm,
        two_sided_test=two_sided_test,
        random_state=random_state,
        n_jobs=n_jobs,
        verbose=verbose,
        masker=masker,
        tfce=tfce,
        threshold=threshold,
    )
    missing = np.isnan(values).any(axis=0)
    images = {
        name: masker.inverse_transform(np.where(missing, np.nan, each[0]))
        for name, each in outputs.items()
        if not name.startswith("h0_")
    }
    return images if tfce or threshold is not None else images["logp_max_t"]
