"""Connectivity of regions: from series to matrices, one for each subject, and sparse models of groups."""

from __future__ import annotations

from brainsieve.connectome.group_sparse import GroupSparseCovariance, group_sparse_covariance
from brainsieve.connectome.group_sparse_cv import GroupSparseCovarianceCV
from brainsieve.connectome.measure import ConnectivityMeasure
from brainsieve.connectome.symmetric import (
    cov_to_corr,
    prec_to_partial,
    sym_matrix_to_vec,
    vec_to_sym_matrix,
)

__all__ = [
    "ConnectivityMeasure",
    "GroupSparseCovariance",
    "GroupSparseCovarianceCV",
    "cov_to_corr",
    "group_sparse_covariance",
    "prec_to_partial",
    "sym_matrix_to_vec",
    "vec_to_sym_matrix",
]


def __dir__() -> list[str]:
    return __all__
