"""Random pictures of few pixels, seen by voxels with receptive fields: what Miyawaki et al. (2008) have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from brainsieve.checks import a_count, a_number
from brainsieve.datasets.simulated.brain import BASELINE, RESOLUTION_MM, SHAPE, Brain
from brainsieve.datasets.simulated.noise import PERCENT, RandomState, generator

if TYPE_CHECKING:
    from sklearn.utils import Bunch

# Volumes by which brains are late, at two seconds each.
DELAY = 2
REST = -1
# Volumes of rest at both ends of a run.
REST_LENGTH = 5
FIELD_WIDTH_PIXELS = 0.8


def simulate_visual(
    n_pixels: int = 6,
    n_runs: int = 4,
    *,
    n_volumes: int = 80,
    snr: float = 1.0,
    t_r: float = 2.0,
    shape: Sequence[int] = SHAPE,
    resolution: float = RESOLUTION_MM,
    random_state: RandomState = 0,
) -> Bunch:
    """Simulate a person who sees random black and white pictures, with known receptive fields.

    A patch at the back of the brain is retinotopic: from left to right its voxels look at pixels from left to
    right, from below to above at pixels from the last row to the first, each at a bump 0.8 pixels wide. It answers two
    volumes after a picture.

    Parameters
    ----------
    n_pixels : int, default=6
        Of a side of the pictures, from 2 to 20.
    n_runs : int, default=4
    n_volumes : int, default=80
        Of each run, at least 20; five of rest come first and last. Each other volume has a picture of its own.
    snr : float, default=1.0
        Standard deviation of the answer to pictures over that of the noise, in the mean of the patch's voxels.
    t_r : float, default=2.0
        Time between two volumes, in seconds.
    shape : sequence of 3 int, default=(16, 18, 14)
        Voxels along each axis, at least 8.
    resolution : float, default=10.0
        Size of the voxels, in mm.
    random_state : int, numpy.random.Generator or None, default=0

    Returns
    -------
    sklearn.utils.Bunch
        Lists with an entry for each run: ``func``, images; ``label``, arrays (n_volumes, n_pixels ** 2) of 0 and 1,
        row by row of a picture, and -1 where there is none. Besides: ``mask``, image; ``mask_roi``, list of the
        image of the patch; ``background``, image; ``t_r``; ``description``; ``truth``, Bunch of
        ``receptive_fields``, image (n_x, n_y, n_z, n_pixels ** 2), in percent; ``delay``, volumes;
        ``noise_level``, percent.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    Miyawaki, Y. et al. (2008). Visual image reconstruction from human brain activity using a combination of
    multiscale local image decoders. Neuron 60, 915-929.

    Examples
    --------
    >>> from brainsieve.datasets import simulate_visual
    >>> data = simulate_visual(4, 1)
    >>> data.label[0].shape, data.truth.receptive_fields.shape
    ((80, 16), (16, 18, 14, 16))
    """
    from sklearn.utils import Bunch

    a_count("n_pixels", n_pixels, least=2)
    if n_pixels > 20:
        raise ValueError(f"n_pixels must be at most 20; {n_pixels} was given.")
    a_count("n_runs", n_runs, least=1)
    a_count("n_volumes", n_volumes, least=20)
    a_number("snr", snr, positive=True)
    a_number("t_r", t_r, positive=True)
    rng, brain = generator(random_state), Brain.on(shape, resolution)
    patch = _patch(brain)
    fields = _fields(brain, patch, n_pixels)
    # Pixels are 0 or 1 with equal chance: the variance of an answer is a quarter of the field's sum of squares.
    level = 0.5 * np.sqrt((fields[:, patch] ** 2).sum(axis=0).mean()) / snr
    labels, func = [], []
    for _ in range(n_runs):
        pictures = rng.integers(0, 2, (n_volumes, n_pixels**2))
        pictures[:REST_LENGTH] = pictures[n_volumes - REST_LENGTH :] = REST
        seen = np.roll(np.where(pictures == REST, 0, pictures), DELAY, axis=0) @ fields
        noise = level * rng.standard_normal(seen.shape)
        labels.append(pictures)
        func.append(brain.image(BASELINE + PERCENT * (seen + noise), t_r))
    return Bunch(
        func=func,
        label=labels,
        mask=brain.image(np.ones(len(patch), dtype=bool)),
        mask_roi=[brain.image(patch)],
        background=brain.image(np.full(len(patch), BASELINE)),
        t_r=t_r,
        description=f"Simulated answers to random pictures of {n_pixels} by {n_pixels} pixels.",
        truth=Bunch(receptive_fields=brain.image(fields), delay=DELAY, noise_level=level),
    )


def _patch(brain: Brain) -> NDArray[np.bool_]:
    back = (brain.coordinates[:, 1] - brain.coordinates[:, 1].mean()) / brain.radii_mm[1]
    return (brain.depth_of_points > 0.5) & (back < -0.5)


def _fields(brain: Brain, patch: NDArray[np.bool_], n_pixels: int) -> NDArray[np.float64]:
    """Weight of each pixel in each point: (n_pixels ** 2, n_points), 0 outside the patch."""
    where = brain.coordinates[patch][:, [2, 0]]
    low, high = where.min(axis=0), where.max(axis=0)
    looks = (where - low) / (high - low) * (n_pixels - 1)
    # The first row of a picture is above.
    looks[:, 0] = n_pixels - 1 - looks[:, 0]
    pixels = np.indices((n_pixels, n_pixels)).reshape(2, -1).T
    apart = np.linalg.norm(pixels[:, None] - looks, axis=2)
    fields = np.zeros((n_pixels**2, len(patch)))
    fields[:, patch] = np.exp(-0.5 * (apart / FIELD_WIDTH_PIXELS) ** 2)
    return fields
