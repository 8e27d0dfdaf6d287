"""What runs are made of besides what is planted: noise, motion, tissues, drift; and the response to events."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainsieve.checks import found
from brainsieve.datasets.simulated.brain import BASELINE, DEEP, VENTRICLES, Brain

if TYPE_CHECKING:
    import pandas as pd

RandomState: TypeAlias = int | np.random.Generator | None

MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
N_COMPCOR = 6
# Rotations are displacements on a sphere of this radius (Power et al. 2012, doi:10.1016/j.neuroimage.2011.10.018).
HEAD_RADIUS_MM = 50.0
PERCENT = BASELINE / 100


def generator(random_state: RandomState) -> np.random.Generator:
    """The numbers to draw from; `random_state` as a parameter of the same name takes it."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    whole = isinstance(random_state, int | np.integer) and not isinstance(random_state, bool)
    if random_state is not None and not (whole and random_state >= 0):
        raise ValueError(
            "random_state must be a whole number, 0 or more, a numpy.random.Generator or None; "
            f"{found(random_state)} was given."
        )
    return np.random.default_rng(random_state)


def autoregressive(
    rng: np.random.Generator, shape: tuple[int, ...], coefficient: float
) -> NDArray[np.float64]:
    """Stationary AR(1) noise of variance 1 along the first axis."""
    from scipy.signal import lfilter

    shocks = rng.standard_normal(shape)
    # The first sample has the variance of all others, so that there is no beginning.
    shocks[1:] *= np.sqrt(1 - coefficient**2)
    return lfilter([1.0], [1.0, -coefficient], shocks, axis=0)


def motion(rng: np.random.Generator, n_volumes: int) -> NDArray[np.float64]:
    """Six parameters, mm and radians: slow walks of some tenths of a millimetre, (n_volumes, 6)."""
    walks = np.cumsum(rng.standard_normal((n_volumes, 6)), axis=0) * 0.03
    walks[:, 3:] /= HEAD_RADIUS_MM
    return walks


def artefacts(
    rng: np.random.Generator, brain: Brain, parameters: NDArray[np.float64], coefficient: float
) -> NDArray[np.float64]:
    """What motion, fluid, white matter and drift add to each point, in percent: (n_volumes, n_points).

    Motion acts everywhere, with other weights in each point. Fluid and white matter have a signal each, which is
    strongest deep inside and reaches the surface at a tenth of that.
    """
    n_volumes, depth = len(parameters), brain.depth_of_points
    steps = np.linspace(-1, 1, n_volumes)
    fluid, white = (autoregressive(rng, (n_volumes, 1), coefficient) for _ in range(2))
    moved = _unit(parameters) @ rng.normal(0, 0.4, (6, len(depth)))
    tissue = fluid * np.where(depth < VENTRICLES, 2.0, 0.2) + white * np.where(depth < DEEP, 1.0, 0.2)
    drift = np.outer(steps, rng.normal(0, 0.5, len(depth)))
    return moved + tissue + drift


def confounds_of(values: NDArray[np.float64], brain: Brain, parameters: NDArray[np.float64]) -> pd.DataFrame:
    """Confounds measured in a run, under fMRIPrep's names: motion, displacement, tissues and their components."""
    import pandas as pd

    depth = brain.depth_of_points
    table = pd.DataFrame(parameters, columns=list(MOTION))
    table["framewise_displacement"] = displacement(parameters)
    deep = values[:, depth < DEEP]
    left, _, _ = np.linalg.svd(deep - deep.mean(axis=0), full_matrices=False)
    for k in range(min(N_COMPCOR, left.shape[1])):
        table[f"a_comp_cor_{k:02d}"] = left[:, k]
    table["csf"] = values[:, depth < VENTRICLES].mean(axis=1)
    table["white_matter"] = values[:, (depth >= VENTRICLES) & (depth < DEEP)].mean(axis=1)
    table["global_signal"] = values.mean(axis=1)
    return table


def displacement(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Framewise displacement in mm, NaN for the first volume (Power et al. 2012)."""
    steps = np.abs(np.diff(parameters, axis=0))
    moved = steps[:, :3].sum(axis=1) + HEAD_RADIUS_MM * steps[:, 3:].sum(axis=1)
    return np.concatenate([[np.nan], moved])


def response(times: ArrayLike, duration: float) -> NDArray[np.float64]:
    """Response to an event of some length that begins at 0, at `times` in seconds.

    The canonical double gamma (Friston et al. 1998, doi:10.1006/nimg.1997.0306: shapes 6 and 16, the second a sixth of
    the first, of integral 1), integrated over the event in closed form: no grid of time, nothing late.
    """
    from scipy.stats import gamma

    def risen(t: NDArray) -> NDArray:
        return (gamma.cdf(t, 6) - gamma.cdf(t, 16) / 6) / (1 - 1 / 6)

    since = np.asarray(times, dtype=float)
    return risen(since) - risen(since - duration)


def _unit(columns: NDArray) -> NDArray:
    centred = columns - columns.mean(axis=0)
    return centred / np.maximum(centred.std(axis=0), np.finfo(float).tiny)
