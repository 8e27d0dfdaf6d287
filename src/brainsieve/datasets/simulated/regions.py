"""Atlases: balls of labels or bumps of maps in grey matter, in networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from brainsieve.checks import a_count, one_of
from brainsieve.datasets.simulated.brain import DEEP, RESOLUTION_MM, SHAPE, Brain
from brainsieve.datasets.simulated.noise import RandomState, generator

if TYPE_CHECKING:
    from sklearn.utils import Bunch

KINDS = ("labels", "maps")


def simulate_atlas(
    n_regions: int = 12,
    kind: Literal["labels", "maps"] = "labels",
    *,
    n_networks: int = 3,
    shape: Sequence[int] = SHAPE,
    resolution: float = RESOLUTION_MM,
    random_state: RandomState = 0,
) -> Bunch:
    """Simulate an atlas: regions spread over grey matter, each a member of a network.

    Parameters
    ----------
    n_regions : int, default=12
    kind : {"labels", "maps"}, default="labels"
        One image of whole numbers, 0 the background, or a map of 0 to 1 for each region.
    n_networks : int, default=3
        Networks that share the regions as evenly as can be, at random.
    shape : sequence of 3 int, default=(16, 18, 14)
        Voxels along each axis, at least 8.
    resolution : float, default=10.0
        Size of the voxels, in mm.
    random_state : int, numpy.random.Generator or None, default=0
        What is drawn: where the first region lies, and which network each belongs to.

    Returns
    -------
    sklearn.utils.Bunch
        ``maps``, image, 3-D of labels or 4-D of maps; ``labels``, list of str, names of the regions without the
        background; ``lut``, data frame of ``index`` (1 ... n_regions) and ``name``; ``region_coords``, list of
        tuples in mm; ``networks``, list of str; ``atlas_type``, ``"deterministic"`` or ``"probabilistic"``;
        ``template``, str; ``description``, str; ``truth``, Bunch of ``centres_mm``, array of shape (n_regions, 3),
        and ``network``, array of shape (n_regions,), numbers from 0.

    Raises
    ------
    ValueError
        If there are more networks than regions, or more regions than places for them.

    Examples
    --------
    >>> from brainsieve.datasets import simulate_atlas
    >>> simulate_atlas(4, "maps").maps.shape
    (16, 18, 14, 4)
    """
    import pandas as pd
    from sklearn.utils import Bunch

    a_count("n_regions", n_regions, least=1)
    a_count("n_networks", n_networks, least=1)
    one_of(*KINDS)("kind", kind)
    if n_networks > n_regions:
        raise ValueError(f"n_networks must be at most n_regions={n_regions}; {n_networks} was given.")
    rng, brain = generator(random_state), Brain.on(shape, resolution)
    centres = brain.spread(n_regions, rng)
    network = rng.permutation(np.arange(n_regions) % n_networks)
    values = (_labels if kind == "labels" else _maps)(brain, centres)
    where = brain.coordinates[centres]
    names = [f"network {net + 1} region {i + 1:02d}" for i, net in enumerate(network)]
    return Bunch(
        maps=brain.image(values),
        labels=names,
        lut=pd.DataFrame({"index": np.arange(1, n_regions + 1), "name": names}),
        region_coords=[tuple(map(float, row)) for row in where],
        networks=[f"network {net + 1}" for net in network],
        atlas_type="deterministic" if kind == "labels" else "probabilistic",
        template="simulated",
        description=f"Simulated atlas of {n_regions} regions in {n_networks} networks.",
        truth=Bunch(centres_mm=where, network=network),
    )


def weights_of(atlas: Bunch) -> NDArray[np.float64]:
    """How much of each region is in each point of an atlas that was simulated: (n_regions, n_points)."""
    inside = Brain.of("atlas", atlas.maps).inside
    values = np.asarray(atlas.maps.dataobj)[inside]
    if values.ndim == 2:
        return values.T.astype(float)
    return (values == np.arange(1, len(atlas.labels) + 1)[:, None]).astype(float)


def _reach_mm(brain: Brain, centres: NDArray[np.intp]) -> float:
    """Half of the smallest distance between centres and a bit, at least a voxel, at most three."""
    from scipy.spatial.distance import pdist

    apart = pdist(brain.coordinates[centres]).min() if len(centres) > 1 else np.inf
    return float(np.clip(0.6 * apart, brain.voxel_mm, 3 * brain.voxel_mm))


def _distances(brain: Brain, centres: NDArray[np.intp]) -> NDArray[np.float64]:
    from scipy.spatial.distance import cdist

    return cdist(brain.coordinates, brain.coordinates[centres])


def _labels(brain: Brain, centres: NDArray[np.intp]) -> NDArray[np.int16]:
    """Each point within reach is of the nearest centre."""
    distance = _distances(brain, centres)
    near = (distance.min(axis=1) <= _reach_mm(brain, centres)) & (brain.depth_of_points > DEEP)
    return np.where(near, 1 + distance.argmin(axis=1), 0).astype(np.int16)


def _maps(brain: Brain, centres: NDArray[np.intp]) -> NDArray[np.float64]:
    """Bumps of height 1; what is below 5 percent is cut off."""
    bumps = np.exp(-0.5 * (_distances(brain, centres).T / (0.6 * _reach_mm(brain, centres))) ** 2)
    return np.where((bumps > 0.05) & (brain.depth_of_points > DEEP), bumps, 0.0)
