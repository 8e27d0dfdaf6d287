"""Runs with events: sites that answer to one condition, and sites whose trials go together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from brainsieve.checks import a_count, a_number, a_number_within, found
from brainsieve.datasets.simulated.brain import BASELINE, RESOLUTION_MM, SHAPE, Brain
from brainsieve.datasets.simulated.noise import (
    PERCENT,
    RandomState,
    artefacts,
    autoregressive,
    confounds_of,
    generator,
    motion,
    response,
)

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.utils import Bunch

# Of the trial-to-trial deviations of the hub and of the partner that a condition gives it.
TRIAL_CORRELATION = 0.9
# Standard deviation of trials, as a share of the effect.
TRIAL_SPREAD = 0.5
SITE_RADIUS_VOXELS = 1.5
# Before the first event, and after the last, in seconds.
LEAD, TAIL = 8.0, 24.0


def simulate_task(
    conditions: Sequence[str] = ("face", "house"),
    *,
    n_runs: int = 1,
    n_trials: int = 16,
    duration: float = 2.0,
    spacing: float = 8.0,
    effect: float = 5.0,
    snr: float = 2.0,
    t_r: float = 2.0,
    autocorrelation: float = 0.3,
    artefact_level: float = 0.0,
    shape: Sequence[int] = SHAPE,
    resolution: float = RESOLUTION_MM,
    random_state: RandomState = 0,
) -> Bunch:
    """Simulate runs of a task, with known effects, single trials and response.

    There are sites of four kinds: one for each condition, which answers to it alone; a hub, which answers to all;
    and a partner for each condition, which answers to all, and whose deviations from trial to trial go with the
    hub's in this condition (correlation 0.9) and with nothing in the others.

    Parameters
    ----------
    conditions : sequence of str, default=("face", "house")
        Names of the conditions.
    n_runs : int, default=1
    n_trials : int, default=16
        Of each condition in each run, in random order.
    duration : float, default=2.0
        Of each event, in seconds.
    spacing : float, default=8.0
        Mean time between two onsets, in seconds; it varies by a quarter to both sides.
    effect : float, default=5.0
        Coefficient of the sites in percent of the mean of 1000, of the response of integral 1 (as "spm" is in
        `brainsieve.glm`): an event of 2 s with an effect of 5 reaches about 2 percent.
    snr : float, default=2.0
        Peak of the response to one event, over the standard deviation of the noise in each voxel.
    t_r : float, default=2.0
        Time between two volumes, in seconds. Volume k is taken at k * t_r.
    autocorrelation : float, default=0.3
        Coefficient of the AR(1) noise, less than 1 in size.
    artefact_level : float, default=0.0
        Factor for what motion, tissues and drift add, in percent; 0: nothing.
    shape : sequence of 3 int, default=(16, 18, 14)
        Voxels along each axis, at least 8.
    resolution : float, default=10.0
        Size of the voxels, in mm.
    random_state : int, numpy.random.Generator or None, default=0

    Returns
    -------
    sklearn.utils.Bunch
        Lists with an entry for each run: ``func``, images around 1000; ``events``, data frames of ``onset``,
        ``duration``, ``trial_type``; ``confounds``, data frames. Besides: ``mask``, image; ``t_r``;
        ``description``; ``truth``, Bunch of ``effects``, dict of an image for each condition, in percent;
        ``sites``, data frame of ``name``, ``x``, ``y``, ``z`` in mm and ``radius`` in mm; ``site_masks``, dict of
        images; ``amplitudes``, list of data frames, a row for each event and a column for each site;
        ``trial_correlation``, dict of an array (n_sites, n_sites) for each condition, NaN where trials do not vary;
        ``response``, function of times and duration in seconds; ``noise_level``, percent.

    Raises
    ------
    ValueError
        If a number is out of its range, or conditions are empty or repeat.

    Examples
    --------
    >>> from brainsieve.datasets import simulate_task
    >>> sorted(simulate_task(n_trials=4).truth.effects)
    ['face', 'house']
    """
    from sklearn.utils import Bunch

    names = _checked_conditions(conditions)
    a_count("n_runs", n_runs, least=1)
    a_count("n_trials", n_trials, least=1)
    for name, value in (("duration", duration), ("spacing", spacing), ("snr", snr), ("t_r", t_r)):
        a_number(name, value, positive=True)
    a_number_within("effect", effect, -100, 100)
    a_number_within("autocorrelation", autocorrelation, -0.999, 0.999)
    a_number("artefact_level", artefact_level)
    rng, brain = generator(random_state), Brain.on(shape, resolution)
    sites, masks = _sites(rng, brain, names)
    level = abs(effect) * response(np.arange(0, 30, 0.1), duration).max() / snr
    runs = []
    for _ in range(n_runs):
        events = _events(rng, names, n_trials, duration, spacing)
        amplitudes = _amplitudes(rng, events, names, list(sites["name"]), effect)
        times = np.arange(0, events["onset"].max() + duration + TAIL, t_r)
        answers = np.stack([response(times - onset, duration) for onset in events["onset"]], axis=1)
        moved = motion(rng, len(times))
        values = answers @ amplitudes.to_numpy() @ masks
        values = values + level * autoregressive(rng, values.shape, autocorrelation)
        values += artefact_level * artefacts(rng, brain, moved, autocorrelation)
        values = BASELINE + PERCENT * values
        runs.append((brain.image(values, t_r), events, confounds_of(values, brain, moved), amplitudes))
    func, tables, confounds, amplitudes_of = map(list, zip(*runs, strict=True))
    means = _means(names, list(sites["name"]), effect)
    return Bunch(
        func=func,
        events=tables,
        confounds=confounds,
        mask=brain.image(np.ones(masks.shape[1], dtype=bool)),
        t_r=t_r,
        description=f"Simulated task with the conditions {', '.join(names)}.",
        truth=Bunch(
            effects={name: brain.image(row @ masks) for name, row in zip(names, means, strict=True)},
            sites=sites,
            site_masks={name: brain.image(row > 0) for name, row in zip(sites["name"], masks, strict=True)},
            amplitudes=amplitudes_of,
            trial_correlation={name: _correlation(name, list(sites["name"])) for name in names},
            response=response,
            noise_level=level,
        ),
    )


def _checked_conditions(conditions: Sequence[str]) -> list[str]:
    names = [] if isinstance(conditions, str) else list(conditions)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"conditions must be a list of names; {found(conditions)} was given.")
    if len(set(names)) < len(names):
        raise ValueError(f"conditions must differ; {found(conditions)} was given.")
    return names


def _sites(
    rng: np.random.Generator, brain: Brain, conditions: list[str]
) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Table of the sites, and their points as 0 and 1: (n_sites, n_points)."""
    import pandas as pd

    names = [*conditions, "hub", *(f"partner in {condition}" for condition in conditions)]
    points = brain.spread(len(names), rng)
    radius = SITE_RADIUS_VOXELS * brain.voxel_mm
    table = pd.DataFrame(brain.coordinates[points], columns=["x", "y", "z"])
    table.insert(0, "name", names)
    table["radius"] = radius
    return table, np.stack([brain.ball(point, radius) for point in points]).astype(float)


def _events(
    rng: np.random.Generator, conditions: list[str], n_trials: int, duration: float, spacing: float
) -> pd.DataFrame:
    import pandas as pd

    order = rng.permutation(np.repeat(conditions, n_trials))
    steps = spacing * rng.uniform(0.75, 1.25, len(order))
    onsets = LEAD + np.cumsum(steps) - steps[0]
    return pd.DataFrame({"onset": onsets.round(3), "duration": duration, "trial_type": order})


def _means(conditions: list[str], sites: list[str], effect: float) -> NDArray[np.float64]:
    """Effect of each condition in each site: (n_conditions, n_sites)."""
    return np.array(
        [
            [effect if site == condition or site not in conditions else 0.0 for site in sites]
            for condition in conditions
        ]
    )


def _correlation(condition: str, sites: list[str]) -> NDArray[np.float64]:
    """Of trials of a condition, between sites; NaN where nothing varies."""
    varies = np.array([site == "hub" or site.startswith("partner in ") for site in sites])
    found = np.where(varies[:, None] & varies, np.eye(len(sites)), np.nan)
    hub, partner = sites.index("hub"), sites.index(f"partner in {condition}")
    found[hub, partner] = found[partner, hub] = TRIAL_CORRELATION
    return found


def _amplitudes(
    rng: np.random.Generator, events: pd.DataFrame, conditions: list[str], sites: list[str], effect: float
) -> pd.DataFrame:
    """Coefficient of each event in each site."""
    import pandas as pd

    rows = np.empty((len(events), len(sites)))
    for condition, mean in zip(conditions, _means(conditions, sites, effect), strict=True):
        own = np.flatnonzero(events["trial_type"] == condition)
        correlation = _correlation(condition, sites)
        varies = ~np.isnan(np.diag(correlation))
        mixing = np.linalg.cholesky(correlation[np.ix_(varies, varies)])
        rows[own] = mean
        rows[np.ix_(own, varies)] += (
            TRIAL_SPREAD * effect * rng.standard_normal((len(own), varies.sum())) @ mixing.T
        )
    return pd.DataFrame(rows, columns=sites)
