"""permuted_ols: t of every target, and their null distribution by permutation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from sklearn.utils import check_random_state

from brainsieve.engine.threads import single_threaded_blas
from brainsieve.logs import log
from brainsieve.mass_univariate.clusters import clusters_above, tfce
from brainsieve.mass_univariate.design import Design, make_design
from brainsieve.mass_univariate.geometry import edges_of
from brainsieve.mass_univariate.shuffles import shuffled

# Permutations of one product of matrices, and targets of one: its result (2 MB in float64) stays in the cache.
AT_ONCE = 128
TILE = 2048
# Maps whose clusters are sought in one call.
MAPS_AT_ONCE = 8
# Values that differ by less are the same one, computed in another order: relative, in float64 and float32.
SAME = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 1e-5}


@dataclass(frozen=True)
class Space:
    """What clusters are made of.

    Attributes
    ----------
    edges : array of shape (n_edges, 2)
        Neighbouring targets.
    threshold : float or None
        t that clusters are above; None: no clusters.
    tfce : bool
    step : float or None
        Between the heights of TFCE.
    """

    edges: NDArray[np.intp]
    threshold: float | None
    tfce: bool
    step: float | None


def permuted_ols(
    tested_vars: ArrayLike,
    target_vars: ArrayLike,
    confounding_vars: ArrayLike | None = None,
    model_intercept: bool = True,
    n_perm: int = 10000,
    two_sided_test: bool = True,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int = 1,
    verbose: int = 0,
    masker: Any = None,
    tfce: bool = False,
    threshold: float | None = None,
    output_type: Literal["dict"] = "dict",
    tfce_step: float | None = None,
) -> dict[str, NDArray]:
    """Test each target for each tested variable, with p-values corrected for the number of targets by permutation.

    Parameters
    ----------
    tested_vars : array of shape (n,) or (n, R)
        Each column is tested alone, beside the confounds. One constant column is a one-sample test: signs of the
        targets are flipped instead of samples permuted.
    target_vars : array of shape (n, V)
        One row a sample (an image), one column a target (a voxel). float32 is computed in float32.
    confounding_vars : array of shape (n,) or (n, C), optional
        What is regressed out of both.
    model_intercept : bool, default=True
        Add a constant to the confounds, except in a one-sample test.
    n_perm : int, default=10000
        Permutations. 0: only t is computed.
    two_sided_test : bool, default=True
        Large and small values both count; False: large ones.
    random_state : int, RandomState or None, default=None
    n_jobs : int, default=1
        Threads; -1: one for each processor. Results do not depend on it.
    verbose : int, default=0
    masker : fitted NiftiMasker or SurfaceMasker, optional
        Whose columns the targets are; says which are neighbours. Needed for `tfce` and `threshold`.
    tfce : bool, default=False
        Threshold-free cluster enhancement as well.
    threshold : float, optional
        Uncorrected p-value, between 0 and 1, that clusters are made of; then clusters are tested by size and mass.
    output_type : {"dict"}, default="dict"
    tfce_step : float, optional
        Height between the levels of TFCE, for all maps the same, and a factor of the sum. Default: a hundredth of the
        largest value of each map and no factor, as in nilearn; maps of permutations are then on another scale than the
        one observed, which costs power.

    Returns
    -------
    outputs : dict of str to array
        ``t`` and ``logp_max_t`` (-log10 of p corrected by the largest value), of shape (R, V), and ``h0_max_t``
        (R, n_perm), the largest value of each permutation. With `tfce`: ``tfce``, ``logp_max_tfce``, ``h0_max_tfce``.
        With `threshold`: ``size``, ``mass``, ``logp_max_size``, ``logp_max_mass``, of the cluster of each target,
        ``h0_max_size``, ``h0_max_mass``. t is NaN, and p 1, where a target is constant or wholly explained.

    Raises
    ------
    TypeError, ValueError
        For arrays that do not match, a tested variable that confounds explain, and parameters without the masker that
        they need; the message names them.

    Notes
    -----
    Rows of the residual of the tested variable and of the confounds are permuted together: Anderson and Robinson 2001,
    doi:10.1111/1467-842X.00156; Freedman and Lane 1983, doi:10.2307/1391660; Winkler et al. 2014,
    doi:10.1016/j.neuroimage.2014.01.060. Permutations are computed as products of matrices, many at a time.
    t grows with β² / (1 - a²), and only the largest value of a permutation is made a t.
    """
    _check(n_perm, two_sided_test, tfce, threshold, tfce_step, output_type)
    design = make_design(tested_vars, target_vars, confounding_vars, model_intercept)
    space = _space(design, masker, tfce, threshold, tfce_step, two_sided_test)
    log(
        verbose,
        1,
        f"permuted_ols: {design.tested.shape[1]} tested variables, {design.targets.shape[1]} targets, "
        f"{'sign flips' if design.flips_signs else 'permutations'}: {n_perm}.",
    )
    t = design.t_of(design.tested.T @ design.targets).astype(np.float64)
    t[:, design.explained] = np.nan
    found = _in_space(t, space, two_sided_test)
    outputs: dict[str, NDArray] = {"t": t}
    if n_perm <= 0:
        return {**outputs, **{key: found[key] for key in ("tfce",) if key in found}}
    first = int(check_random_state(random_state).randint(1, np.iinfo(np.int32).max - 1))
    null = _null(design, n_perm, first, space, two_sided_test, effective_n_jobs(n_jobs))
    outputs["h0_max_t"] = null["t"]
    outputs["logp_max_t"] = _log_p(t, null["t"], two_sided_test, SAME[design.targets.dtype])
    if space is not None and space.tfce:
        outputs |= {"tfce": found["tfce"], "h0_max_tfce": null["tfce"]}
        outputs["logp_max_tfce"] = _log_p(
            found["tfce"], null["tfce"], two_sided_test, SAME[design.targets.dtype]
        )
    if space is not None and space.threshold is not None:
        for name in ("size", "mass"):
            outputs |= {name: found[name], f"h0_max_{name}": null[name]}
            outputs[f"logp_max_{name}"] = _log_p_of_clusters(found[name], null[name])
    return outputs


def _check(n_perm: Any, two_sided: Any, tfce: Any, threshold: Any, tfce_step: Any, output_type: Any) -> None:
    if isinstance(n_perm, bool) or not isinstance(n_perm, int | np.integer):
        raise TypeError(f"n_perm must be an integer; {n_perm!r} was given.")
    for name, value in (("two_sided_test", two_sided), ("tfce", tfce)):
        if not isinstance(value, bool | np.bool_):
            raise TypeError(f"{name} must be True or False; {value!r} was given.")
    if threshold is not None and not (isinstance(threshold, int | float | np.number) and 0 < threshold < 1):
        raise ValueError(
            f"threshold is an uncorrected p-value, between 0 and 1; {threshold!r} was given. (t = 3 is p = 0.001.)"
        )
    if tfce_step is not None and not (isinstance(tfce_step, int | float | np.number) and tfce_step > 0):
        raise ValueError(f"tfce_step must be a positive number or None; {tfce_step!r} was given.")
    if output_type != "dict":
        raise ValueError(f"output_type must be 'dict'; {output_type!r} was given.")


def _space(
    design: Design, masker: Any, tfce: bool, threshold: float | None, step: float | None, two_sided: bool
) -> Space | None:
    if not tfce and threshold is None:
        return None
    if masker is None:
        raise ValueError("masker is needed for tfce and threshold: it says which targets are neighbours.")
    edges = edges_of(masker)
    n_points = getattr(masker, "n_elements_", None)
    if n_points is not None and n_points != design.targets.shape[1]:
        raise ValueError(f"target_vars has {design.targets.shape[1]} columns; masker has {n_points}.")
    t_above = None
    if threshold is not None:
        # As the peer counts: every tested column is taken off.
        df = len(design.tested) - design.tested.shape[1] - design.n_columns
        t_above = float(stats.t.isf(threshold / 2 if two_sided else threshold, df))
    return Space(edges, t_above, tfce, step)


def _in_space(t: NDArray, space: Space | None, two_sided: bool) -> dict[str, NDArray]:
    """What clusters make of maps of t (m, V)."""
    found: dict[str, NDArray] = {}
    if space is not None and space.tfce:
        found["tfce"] = tfce(t, space.edges, two_sided, space.step)
    if space is not None and space.threshold is not None:
        clusters = clusters_above(t, space.edges, space.threshold, two_sided)
        found |= {"size": clusters.sizes, "mass": clusters.masses}
    return found


def _null(
    design: Design, n_perm: int, seed: int, space: Space | None, two_sided: bool, n_threads: int
) -> dict[str, NDArray]:
    """Largest values of each permutation, (R, n_perm) for each statistic."""
    compute: Callable[..., dict[str, NDArray]] = _largest_t if space is None else _largest_in_space
    if space is None and design.explained.any():
        design = replace(design, targets=design.targets[:, ~design.explained])
    at_once = AT_ONCE if space is None else MAPS_AT_ONCE

    def one(shuffles: tuple[NDArray, NDArray]) -> dict[str, NDArray]:
        return compute(design, *shuffles, space, two_sided)

    with single_threaded_blas(), ThreadPoolExecutor(n_threads) as pool:
        blocks = list(_few_ahead(pool, one, shuffled(design, n_perm, seed, at_once), 2 * n_threads))
    return {name: np.concatenate([block[name] for block in blocks], axis=1) for name in blocks[0]}


def _few_ahead(
    pool: ThreadPoolExecutor, call: Callable[[Any], Any], items: Iterator[Any], n_ahead: int
) -> Iterator[Any]:
    """Results in order; only a few items are made before they are needed."""
    waiting = []
    for item in items:
        waiting.append(pool.submit(call, item))
        if len(waiting) > n_ahead:
            yield waiting.pop(0).result()
    for task in waiting:
        yield task.result()


def _largest_t(
    design: Design, tested: NDArray, confounds: NDArray, _space: None, two_sided: bool
) -> dict[str, NDArray]:
    """Largest t of each of a block of permutations, targets tile by tile."""
    n_shuffles, n_tested, n = tested.shape
    n_confounds = confounds.shape[1]
    largest = np.full((n_shuffles, n_tested), -np.inf)
    for start in range(0, design.targets.shape[1], TILE):
        targets = design.targets[:, start : start + TILE]
        beta = (tested.reshape(-1, n) @ targets).reshape(n_shuffles, n_tested, -1)
        if n_confounds:
            a2 = _squared(confounds, targets)
            scale = np.maximum(1 - a2, np.finfo(beta.dtype).tiny)[:, None]
            # Grows with t, and needs no root: one number of each tile is made a t.
            ratio = np.square(beta) / scale
            if not two_sided:
                np.copysign(ratio, beta, out=ratio)
        else:
            ratio = np.abs(beta) if two_sided else beta
        here = ratio.max(axis=2)
        np.maximum(largest, here, out=largest)
    if n_confounds:
        largest = np.copysign(np.sqrt(np.abs(largest)), largest)
    return {"t": design.t_of(largest).T}


def _squared(confounds: NDArray, targets: NDArray) -> NDArray:
    """‖C'y‖² of each permutation and target, (n_shuffles, V)."""
    n_shuffles, n_confounds, n = confounds.shape
    projected = (confounds.reshape(-1, n) @ targets).reshape(n_shuffles, n_confounds, -1)
    return np.einsum("scv,scv->sv", projected, projected)


def _largest_in_space(
    design: Design, tested: NDArray, confounds: NDArray, space: Space | None, two_sided: bool
) -> dict[str, NDArray]:
    """Largest t, clusters and TFCE of each of a few permutations."""
    n_shuffles, n_tested, n = tested.shape
    beta = (tested.reshape(-1, n) @ design.targets).reshape(n_shuffles, n_tested, -1)
    a2 = _squared(confounds, design.targets)[:, None] if confounds.shape[1] else 0.0
    t = design.t_of(beta, a2).astype(np.float64)
    t[..., design.explained] = np.nan
    maps = t.reshape(n_shuffles * n_tested, -1)
    found = {"t": (np.abs(t) if two_sided else t)[..., ~design.explained]}
    for name, values in _in_space(maps, space, two_sided).items():
        found[name] = (np.abs(values) if two_sided else values).reshape(t.shape)
    return {name: values.max(axis=2).T for name, values in found.items()}


def _log_p(values: NDArray, null: NDArray, two_sided: bool, same: float) -> NDArray[np.float64]:
    """-log10 of the share of permutations (the observed order one of them) whose largest value is not smaller."""
    size = np.abs(values) if two_sided else values
    logs = np.zeros(values.shape)
    for row, (observed, drawn) in enumerate(zip(size, np.sort(null, axis=1), strict=True)):
        there = ~np.isnan(observed)
        # Equal but for rounding is equal: not smaller.
        bound = observed[there] - same * np.abs(observed[there])
        smaller = np.searchsorted(drawn, bound, side="left")
        n = len(drawn)
        logs[row, there] = np.log10((n + 1) / (n + 1 - smaller))
    return logs


def _log_p_of_clusters(values: NDArray, null: NDArray) -> NDArray[np.float64]:
    """-log10 of p of clusters: 1 / n_perm at the least, and at the most 1 - 1 / n_perm, as in nilearn."""
    n = null.shape[1]
    p = np.empty(values.shape)
    for row, (observed, drawn) in enumerate(zip(values, np.sort(null, axis=1), strict=True)):
        p[row] = 1 - np.searchsorted(drawn, observed, side="left") / n
    return -np.log10(np.clip(p, 1 / n, 1 - 1 / n))
