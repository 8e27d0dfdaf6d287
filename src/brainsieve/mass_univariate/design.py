"""The design of a permutation test: what is tested, what is regressed out of both sides, and what may be exchanged.

Freedman and Lane's question in Anderson and Robinson's form: targets and tested variables are residuals of the
confounds C, of norm 1. Their product is β; with a² = ‖C'y‖² of what is permuted, t = β √(df / (1 - a² - β²)).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainsieve.logs import warn

# Residuals of a smaller share of a target's norm are rounding: confounds explain all of it.
EXPLAINED = 1e-10
# float32 has seven digits.
EXPLAINED_FLOAT32 = 1e-5


@dataclass(frozen=True)
class Design:
    """Residuals and what they are residuals of.

    Attributes
    ----------
    tested : array of shape (n, R)
        Columns of norm 1, orthogonal to the confounds.
    targets : array of shape (n, V)
        Columns of norm 1, orthogonal to the confounds; 0 where nothing is left.
    basis : array of shape (n, p)
        Orthonormal basis of the confounds.
    varying : array of shape (n, p or p - 1)
        The basis without the constant: what a permutation of its rows changes.
    explained : array of bool, shape (V,)
        Targets of which nothing is left, or that have NaN.
    flips_signs : bool
        Signs of the targets are exchangeable, not their order: the one-sample test.
    n_columns : int
        Confounds, the intercept included.
    """

    tested: NDArray
    targets: NDArray
    basis: NDArray
    varying: NDArray
    explained: NDArray[np.bool_]
    flips_signs: bool
    n_columns: int

    @property
    def df(self) -> int:
        """Degrees of freedom of each t."""
        return len(self.tested) - self.basis.shape[1] - 1

    def t_of(self, beta: NDArray, a2: NDArray | float = 0.0) -> NDArray:
        """t of products β of residuals and tested variables."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return beta * np.sqrt(self.df / np.maximum(1 - a2 - beta**2, 0))


def make_design(
    tested_vars: ArrayLike, target_vars: ArrayLike, confounding_vars: ArrayLike | None, model_intercept: bool
) -> Design:
    """The design of what a user gives.

    Raises
    ------
    TypeError, ValueError
        Where shapes do not match, values are not finite, a tested variable is explained by the confounds, or no degree
        of freedom is left.
    """
    targets = _numbers(target_vars, "target_vars", dims=(2,))
    tested = _numbers(tested_vars, "tested_vars")
    n = len(targets)
    _check_rows(tested, "tested_vars", n)
    _check_finite(tested, "tested_vars")
    confounds = np.zeros((n, 0))
    if confounding_vars is not None:
        confounds = _numbers(confounding_vars, "confounding_vars")
        _check_rows(confounds, "confounding_vars", n)
        _check_finite(confounds, "confounding_vars")
    one_sample = tested.shape[1] == 1 and bool(np.ptp(tested) == 0)
    confounds = _with_intercept(confounds, one_sample, model_intercept)
    basis, constant = _basis(confounds)
    dtype = targets.dtype if targets.dtype == np.float32 else np.float64
    left, _ = _residuals(tested, basis, EXPLAINED)
    _refuse_explained(left, tested)
    residuals, explained = _residuals(
        targets.astype(dtype, copy=False),
        basis.astype(dtype),
        EXPLAINED_FLOAT32 if dtype == np.float32 else EXPLAINED,
    )
    if explained.all():
        raise ValueError(
            "target_vars: all columns are 0, NaN, or wholly explained by the confounds (constant, say)."
        )
    if explained.any():
        warn(
            f"target_vars: {int(explained.sum())} of {len(explained)} columns are 0, NaN, or wholly explained by the "
            "confounds (constant, say); they have no t, and no part in the null distribution."
        )
    design = Design(
        tested=left.astype(dtype),
        targets=residuals,
        basis=basis.astype(dtype),
        # A permutation leaves the constant where it is; a flip of signs does not.
        varying=(basis if one_sample else basis[:, int(constant) :]).astype(dtype),
        explained=explained,
        flips_signs=one_sample,
        n_columns=confounds.shape[1],
    )
    if design.df < 1:
        raise ValueError(
            f"{n} samples leave no degree of freedom beside {basis.shape[1]} confounds and the tested variable."
        )
    return design


def _with_intercept(confounds: NDArray, one_sample: bool, model_intercept: bool) -> NDArray:
    constant = np.ptp(confounds, axis=0) == 0 if confounds.size else np.zeros(0, dtype=bool)
    if one_sample:
        if constant.any():
            warn(
                "confounding_vars: constant columns are dropped; the tested variable is constant itself, which makes "
                "this a one-sample test."
            )
        return confounds[:, ~constant]
    if constant.any():
        warn(
            "confounding_vars has a constant column: it is the intercept, and samples are permuted. (nilearn flips "
            "signs where there is one.)"
        )
    if constant.any() or model_intercept:
        return np.hstack([confounds[:, ~constant], np.ones((len(confounds), 1))])
    return confounds


def _basis(confounds: NDArray) -> tuple[NDArray[np.float64], bool]:
    """Orthonormal basis of the confounds, the constant first if it is one of them; and whether it is."""
    n = len(confounds)
    constant = bool(confounds.shape[1]) and bool((confounds[:, -1] == 1).all())
    first = np.full((n, int(constant)), 1 / np.sqrt(n))
    others = confounds[:, : confounds.shape[1] - int(constant)]
    size = np.linalg.norm(others, axis=0)
    # Columns of one size: rank does not depend on units.
    others = others[:, size > 0] / size[size > 0]
    others = others - first @ (first.T @ others)
    left, values, _ = np.linalg.svd(others, full_matrices=False)
    return np.hstack([first, left[:, values > n * np.finfo(float).eps * 10]]), constant


def _residuals(columns: NDArray, basis: NDArray, least: float) -> tuple[NDArray, NDArray[np.bool_]]:
    """Residuals of norm 1 after a basis; and which columns have none, or are not finite: those are 0."""
    norm = np.linalg.norm(columns, axis=0)
    whole = np.isfinite(norm) & (norm > 0)
    residuals = np.where(whole, columns, 0) / np.where(whole, norm, 1).astype(columns.dtype)
    residuals -= basis @ (basis.T @ residuals)
    norm = np.linalg.norm(residuals, axis=0)
    explained = ~whole | (norm <= least)
    residuals /= np.where(explained, 1, norm).astype(columns.dtype)
    residuals[:, explained] = 0
    return residuals, explained


def _refuse_explained(left: NDArray, tested: NDArray) -> None:
    bad = np.flatnonzero(~left.any(axis=0))
    if len(bad):
        constant = np.ptp(tested[:, bad], axis=0) == 0
        why = (
            "constant, beside an intercept"
            if constant.all()
            else "a combination of the confounds and the intercept"
        )
        raise ValueError(
            f"tested_vars: column {', '.join(map(str, bad))} is {why}; it cannot be told from them. Leave it out, or "
            "change confounding_vars or model_intercept."
        )


def _numbers(given: Any, name: str, dims: Sequence[int] = (1, 2)) -> NDArray:
    values = np.asarray(given)
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold numbers; its dtype is {values.dtype}.")
    if values.ndim not in dims or 0 in values.shape:
        shape = " or ".join("(n,)" if d == 1 else "(n, number of columns)" for d in dims)
        raise ValueError(f"{name} must have shape {shape}; its shape is {values.shape}.")
    values = values if values.dtype.kind == "f" else values.astype(np.float64)
    return values[:, None] if values.ndim == 1 else values


def _check_rows(values: NDArray, name: str, n: int) -> None:
    if len(values) != n:
        raise ValueError(
            f"{name} has {len(values)} rows, target_vars has {n}; one for each sample is needed."
        )


def _check_finite(values: NDArray, name: str) -> None:
    bad = np.flatnonzero(~np.isfinite(values).all(axis=0))
    if len(bad):
        raise ValueError(f"{name}: column {', '.join(map(str, bad))} has values that are NaN or infinite.")
