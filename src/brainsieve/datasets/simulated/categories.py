"""Blocks of categories, seen in patterns of voxels: what Haxby et al. (2001) have, with known patterns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from brainsieve.checks import a_count, a_number, a_number_within
from brainsieve.datasets.simulated.brain import BASELINE, RESOLUTION_MM, SHAPE, Brain
from brainsieve.datasets.simulated.noise import PERCENT, RandomState, autoregressive, generator

if TYPE_CHECKING:
    from sklearn.utils import Bunch

# The categories of Haxby et al. (2001), in order of how often examples use them.
CATEGORIES = ("face", "house", "cat", "bottle", "chair", "scissors", "shoe", "scrambledpix")
REST = "rest"
DRIFT_PERCENT = 1.0


def simulate_decoding(
    n_classes: int = 4,
    n_runs: int = 6,
    *,
    block_length: int = 4,
    rest_length: int = 2,
    snr: float = 0.5,
    autocorrelation: float = 0.3,
    t_r: float = 2.5,
    shape: Sequence[int] = SHAPE,
    resolution: float = RESOLUTION_MM,
    random_state: RandomState = 0,
) -> Bunch:
    """Simulate a person who looks at objects of several categories, a block of each in each run.

    In a patch of the brain ("ventral temporal") each category has a pattern of its own, normal in each voxel. Two
    clusters besides answer to faces and to houses alone, by a rise of twice the patterns' size. Volumes of a block
    answer at once: labels need no shift. Runs drift.

    Parameters
    ----------
    n_classes : int, default=4
        From 2 to 8: face, house, cat, bottle, chair, scissors, shoe, scrambledpix.
    n_runs : int, default=6
        At least 2, numbered from 0 in ``chunks``.
    block_length : int, default=4
        Volumes of each block.
    rest_length : int, default=2
        Volumes of rest before each block, and at the end.
    snr : float, default=0.5
        Standard deviation of a pattern over voxels, over that of the noise of each voxel.
    autocorrelation : float, default=0.3
        Coefficient of the AR(1) noise, less than 1 in size.
    t_r : float, default=2.5
        Time between two volumes, in seconds.
    shape : sequence of 3 int, default=(16, 18, 14)
        Voxels along each axis, at least 8.
    resolution : float, default=10.0
        Size of the voxels, in mm.
    random_state : int, numpy.random.Generator or None, default=0

    Returns
    -------
    sklearn.utils.Bunch
        Lists of one entry, as for one person: ``func``, image of all runs; ``session_target``, data frame of
        ``labels`` and ``chunks``; ``mask_vt``, ``mask_face``, ``mask_house``, images of 0 and 1. Besides:
        ``mask``, image; ``t_r``; ``description``; ``truth``, Bunch of ``patterns``, dict of an image for each
        category, in percent; ``informative``, image of the voxels that tell categories apart; ``noise_level``,
        percent.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    Haxby, J. V. et al. (2001). Distributed and overlapping representations of faces and objects in ventral
    temporal cortex. Science 293, 2425-2430.

    Examples
    --------
    >>> from brainsieve.datasets import simulate_decoding
    >>> data = simulate_decoding(2, 3)
    >>> sorted(set(data.session_target[0]["labels"]))
    ['face', 'house', 'rest']
    """
    import pandas as pd
    from sklearn.utils import Bunch

    a_count("n_classes", n_classes, least=2)
    if n_classes > len(CATEGORIES):
        raise ValueError(f"n_classes must be at most {len(CATEGORIES)}; {n_classes} was given.")
    a_count("n_runs", n_runs, least=2)
    a_count("block_length", block_length, least=1)
    a_count("rest_length", rest_length)
    a_number("snr", snr, positive=True)
    a_number("t_r", t_r, positive=True)
    a_number_within("autocorrelation", autocorrelation, -0.999, 0.999)
    rng, brain = generator(random_state), Brain.on(shape, resolution)
    names = list(CATEGORIES[:n_classes])
    vt, face, house = _masks(brain)
    patterns = rng.standard_normal((n_classes, len(vt))) * vt
    for category, cluster in ((0, face), (1, house)):
        patterns[category] += 2.0 * cluster
    labels, values = [], []
    for _ in range(n_runs):
        codes = _blocks(rng, n_classes, block_length, rest_length)
        seen = np.vstack([patterns, np.zeros(len(vt))])[codes]
        noise = autoregressive(rng, (len(codes), len(vt)), autocorrelation) / snr
        drift = np.outer(np.linspace(-1, 1, len(codes)), rng.normal(0, DRIFT_PERCENT, len(vt)))
        labels.append(np.array([*names, REST])[codes])
        values.append(BASELINE + PERCENT * (seen + noise + drift))
    chunks = np.repeat(np.arange(n_runs), len(labels[0]))
    return Bunch(
        func=[brain.image(np.concatenate(values), t_r)],
        session_target=[pd.DataFrame({"labels": np.concatenate(labels), "chunks": chunks})],
        mask_vt=[brain.image(vt)],
        mask_face=[brain.image(face)],
        mask_house=[brain.image(house)],
        mask=brain.image(np.ones(len(vt), dtype=bool)),
        t_r=t_r,
        description=f"Simulated blocks of {', '.join(names)} in {n_runs} runs.",
        truth=Bunch(
            patterns={name: brain.image(row) for name, row in zip(names, patterns, strict=True)},
            informative=brain.image(vt | face | house),
            noise_level=1 / snr,
        ),
    )


def _masks(brain: Brain) -> list[NDArray[np.bool_]]:
    """The patch below and behind the middle, and within it one cluster on each side."""
    share = (brain.coordinates - brain.coordinates.mean(axis=0)) / brain.radii_mm
    x, y, z = share.T
    patch = (brain.depth_of_points > 0.5) & (z < -0.25) & (y < 0.1)
    return [patch, patch & (x < -0.45), patch & (x > 0.45)]


def _blocks(
    rng: np.random.Generator, n_classes: int, block_length: int, rest_length: int
) -> NDArray[np.intp]:
    """Category of each volume of a run in random order of blocks; n_classes stands for rest."""
    rest = [n_classes] * rest_length
    codes: list[int] = []
    for category in rng.permutation(n_classes):
        codes += rest + [int(category)] * block_length
    return np.array(codes + rest)
