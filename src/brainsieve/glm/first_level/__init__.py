"""Models of runs: responses, designs, and their fit to every point."""

from __future__ import annotations

from brainsieve.glm.first_level.beta_series import BetaSeries, beta_series
from brainsieve.glm.first_level.bids import first_level_from_bids
from brainsieve.glm.first_level.design_matrix import check_design_matrix, make_first_level_design_matrix
from brainsieve.glm.first_level.hrf import (
    glover_dispersion_derivative,
    glover_hrf,
    glover_time_derivative,
    spm_dispersion_derivative,
    spm_hrf,
    spm_time_derivative,
)
from brainsieve.glm.first_level.model import FirstLevelModel
from brainsieve.glm.first_level.regression import run_glm
from brainsieve.glm.first_level.regressors import compute_regressor
from brainsieve.glm.first_level.scaling import mean_scaling

__all__ = [
    "BetaSeries",
    "FirstLevelModel",
    "beta_series",
    "check_design_matrix",
    "compute_regressor",
    "first_level_from_bids",
    "glover_dispersion_derivative",
    "glover_hrf",
    "glover_time_derivative",
    "make_first_level_design_matrix",
    "mean_scaling",
    "run_glm",
    "spm_dispersion_derivative",
    "spm_hrf",
    "spm_time_derivative",
]


def __dir__() -> list[str]:
    return __all__
