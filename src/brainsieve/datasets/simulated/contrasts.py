"""Contrast maps of many people: a site that all have, and one that follows a score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from brainsieve.checks import a_count, a_number_within
from brainsieve.datasets.simulated.brain import RESOLUTION_MM, SHAPE, Brain
from brainsieve.datasets.simulated.noise import RandomState, generator

if TYPE_CHECKING:
    from sklearn.utils import Bunch

SITE_RADIUS_VOXELS = 1.5
# Standard deviation from person to person, in each voxel.
SPREAD = 1.0


def simulate_contrasts(
    n_subjects: int = 20,
    *,
    effect: float = 1.5,
    score_effect: float = 1.0,
    dropout: int = 0,
    shape: Sequence[int] = SHAPE,
    resolution: float = RESOLUTION_MM,
    random_state: RandomState = 0,
) -> Bunch:
    """Simulate a contrast map for each of many people, and a score of theirs.

    One site has an effect in everybody, another one follows the score, and nothing else is there: noise of standard
    deviation 1, independent from voxel to voxel and from person to person.

    Parameters
    ----------
    n_subjects : int, default=20
        At least 3.
    effect : float, default=1.5
        Mean in the first site, in standard deviations.
    score_effect : float, default=1.0
        Change in the second site for each standard deviation of the score; its mean is 0.
    dropout : int, default=0
        Number of people, from the first, whose score is not known (NaN).
    shape : sequence of 3 int, default=(16, 18, 14)
        Voxels along each axis, at least 8.
    resolution : float, default=10.0
        Size of the voxels, in mm.
    random_state : int, numpy.random.Generator or None, default=0

    Returns
    -------
    sklearn.utils.Bunch
        ``cmaps``, list of images; ``ext_vars``, data frame of
        ``participant_id``, ``age``, ``sex`` and ``score``; ``mask``, image; ``description``; ``truth``, Bunch of
        ``mean_site`` and ``score_site``, images of 0 and 1; ``mean_effect`` and ``score_effect``, images of the
        mean and of the change with the standardized score; ``score``, array (n_subjects,) of mean 0 and standard
        deviation 1.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Examples
    --------
    >>> from brainsieve.datasets import simulate_contrasts
    >>> len(simulate_contrasts(5).cmaps)
    5
    """
    import pandas as pd
    from sklearn.utils import Bunch

    a_count("n_subjects", n_subjects, least=3)
    a_count("dropout", dropout)
    if dropout >= n_subjects:
        raise ValueError(f"dropout must be less than n_subjects={n_subjects}; {dropout} was given.")
    a_number_within("effect", effect, -1e6, 1e6)
    a_number_within("score_effect", score_effect, -1e6, 1e6)
    rng, brain = generator(random_state), Brain.on(shape, resolution)
    mean_site, score_site = (brain.ball(p, SITE_RADIUS_VOXELS * brain.voxel_mm) for p in brain.spread(2, rng))
    drawn = rng.standard_normal(n_subjects)
    score = (drawn - drawn.mean()) / drawn.std()
    maps = effect * mean_site + score_effect * np.outer(score, score_site)
    maps = maps + SPREAD * rng.standard_normal((n_subjects, len(mean_site)))
    people = pd.DataFrame(
        {
            "participant_id": [f"S{i + 1:02d}" for i in range(n_subjects)],
            "age": rng.integers(18, 40, n_subjects),
            "sex": rng.choice(["F", "M"], n_subjects),
            "score": 20 + 4 * score,
        }
    )
    people.iloc[:dropout, 3] = np.nan
    return Bunch(
        cmaps=[brain.image(row) for row in maps],
        ext_vars=people,
        mask=brain.image(np.ones(len(mean_site), dtype=bool)),
        description=f"Simulated contrast maps of {n_subjects} people.",
        truth=Bunch(
            mean_site=brain.image(mean_site),
            score_site=brain.image(score_site),
            mean_effect=brain.image(effect * mean_site.astype(float)),
            score_effect=brain.image(score_effect * score_site.astype(float)),
            score=score,
        ),
    )
