"""Runs at rest: regions that go together in networks, more of them the older a person is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from brainsieve.checks import a_count, a_number, a_number_within, found
from brainsieve.datasets.simulated.brain import BASELINE, Brain
from brainsieve.datasets.simulated.noise import (
    PERCENT,
    RandomState,
    artefacts,
    autoregressive,
    confounds_of,
    generator,
    motion,
)
from brainsieve.datasets.simulated.regions import simulate_atlas, weights_of

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.utils import Bunch

# Share of a region's variance that is its network's: the correlation of two regions of one network.
WITHIN = 0.6
AGES = {"child": (4.0, 12.0), "adult": (18.0, 39.0)}
YOUNGEST, OLDEST = 4.0, 39.0


def simulate_rest(
    n_subjects: int = 6,
    atlas: Bunch | None = None,
    *,
    n_volumes: int = 80,
    t_r: float = 2.0,
    snr: float = 1.0,
    age_effect: float = 0.8,
    autocorrelation: float = 0.3,
    artefact_level: float = 1.0,
    random_state: RandomState = 0,
) -> Bunch:
    """Simulate runs at rest of children and adults, with confounds and a known covariance of regions.

    Each network has a signal, and each of its regions a share of 0.6 of it besides a signal of its own, so that two
    regions of a network correlate at 0.6. The signals of the first two networks correlate by `age_effect` times
    how old a person is on a scale from 4 years (0) to 39 years (1): so their regions correlate, too. All signals are
    AR(1). Motion, fluid, white matter and drift are added, and confounds are measured in the result.

    Parameters
    ----------
    n_subjects : int, default=6
        Children and adults by turns.
    atlas : sklearn.utils.Bunch, optional
        What `simulate_atlas` returned. None: its default, with the same `random_state`.
    n_volumes : int, default=80
        At least 10.
    t_r : float, default=2.0
        Time between two volumes, in seconds.
    snr : float, default=1.0
        Standard deviation of a region's signal over that of the noise in each voxel.
    age_effect : float, default=0.8
        Correlation of the first two networks in the oldest, less than 1 in size; 0: age has no effect.
    autocorrelation : float, default=0.3
        Coefficient of the AR(1) processes, less than 1 in size.
    artefact_level : float, default=1.0
        Factor for what motion, tissues and drift add; 0: nothing.
    random_state : int, numpy.random.Generator or None, default=0

    Returns
    -------
    sklearn.utils.Bunch
        ``func``, list of images (n_x, n_y, n_z, n_volumes) around 1000; ``confounds``, list of data frames with
        fMRIPrep's names; ``phenotypic``, data frame of ``participant_id``, ``Age``, ``AgeGroup``, ``Child_Adult``,
        ``Gender``, ``Handedness``; ``mask``, image; ``atlas``, Bunch; ``t_r``, in seconds; ``description``, str;
        ``truth``, Bunch of ``covariance``, array (n_subjects, n_regions, n_regions), of unit diagonal;
        ``signals``, list of arrays (n_volumes, n_regions) of variance 1; ``age_edges``, array (n_regions,
        n_regions) of bool, the pairs that age acts on; ``autocorrelation``, float.

    Raises
    ------
    ValueError
        If a number is out of its range, or `atlas` has one network only or is not on a simulated brain.

    Examples
    --------
    >>> from brainsieve.datasets import simulate_rest
    >>> data = simulate_rest(2)
    >>> data.func[0].shape, data.phenotypic["Child_Adult"].tolist()
    ((16, 18, 14, 80), ['child', 'adult'])
    """
    from sklearn.utils import Bunch

    _check(n_subjects, n_volumes, t_r, snr, artefact_level)
    for name, value in (("age_effect", age_effect), ("autocorrelation", autocorrelation)):
        a_number_within(name, value, -0.999, 0.999)
    rng = generator(random_state)
    atlas = _checked_atlas(atlas, random_state)
    brain, weights, network = Brain.of("atlas", atlas.maps), weights_of(atlas), atlas.truth.network
    people = _people(rng, n_subjects)
    couplings = age_effect * (people["Age"].to_numpy() - YOUNGEST) / (OLDEST - YOUNGEST)
    signals, func, confounds = [], [], []
    for coupling in couplings:
        own = _region_signals(rng, n_volumes, network, coupling, autocorrelation)
        moved = motion(rng, n_volumes)
        noise = rng.standard_normal((n_volumes, weights.shape[1])) / snr
        added = artefact_level * artefacts(rng, brain, moved, autocorrelation)
        values = BASELINE + PERCENT * (own @ weights + noise + added)
        signals.append(own)
        func.append(brain.image(values, t_r))
        confounds.append(confounds_of(values, brain, moved))
    return Bunch(
        func=func,
        confounds=confounds,
        phenotypic=people,
        mask=brain.image(np.ones(weights.shape[1], dtype=bool)),
        atlas=atlas,
        t_r=t_r,
        description=f"Simulated rest of {n_subjects} children and adults.",
        truth=Bunch(
            covariance=np.stack([_covariance(network, coupling) for coupling in couplings]),
            signals=signals,
            age_edges=np.abs(_covariance(network, 0.5) - _covariance(network, 0.0)) > 0,
            autocorrelation=autocorrelation,
        ),
    )


def _check(n_subjects: int, n_volumes: int, t_r: float, snr: float, artefact_level: float) -> None:
    a_count("n_subjects", n_subjects, least=1)
    a_count("n_volumes", n_volumes, least=10)
    a_number("t_r", t_r, positive=True)
    a_number("snr", snr, positive=True)
    a_number("artefact_level", artefact_level)


def _checked_atlas(atlas: Bunch | None, random_state: RandomState) -> Bunch:
    from sklearn.utils import Bunch

    if atlas is None:
        return simulate_atlas(random_state=random_state)
    if not isinstance(atlas, Bunch) or "maps" not in atlas or "network" not in atlas.get("truth", {}):
        raise ValueError(f"atlas must be what simulate_atlas returns, or None; {found(atlas)} was given.")
    if len(np.unique(atlas.truth.network)) < 2:
        raise ValueError("atlas must have two networks or more, since age acts on the first two; it has one.")
    return atlas


def _people(rng: np.random.Generator, n: int) -> pd.DataFrame:
    import pandas as pd

    groups = [list(AGES)[i % 2] for i in range(n)]
    ages = [round(float(rng.uniform(*AGES[group])), 1) for group in groups]
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{i + 1:02d}" for i in range(n)],
            "Age": ages,
            "AgeGroup": ["Adult" if age >= 18 else f"{int(age)}yo" for age in ages],
            "Child_Adult": groups,
            "Gender": rng.choice(["F", "M"], n),
            "Handedness": rng.choice(["R", "L"], n, p=[0.9, 0.1]),
        }
    )


def _latent_correlation(n_networks: int, coupling: float) -> NDArray[np.float64]:
    latent = np.eye(n_networks)
    latent[0, 1] = latent[1, 0] = coupling
    return latent


def _covariance(network: NDArray[np.intp], coupling: float) -> NDArray[np.float64]:
    """Of regions: the networks' covariance, seen through the share that each region has of its own."""
    shared = WITHIN * _latent_correlation(network.max() + 1, coupling)[np.ix_(network, network)]
    return shared + (1 - WITHIN) * np.eye(len(network))


def _region_signals(
    rng: np.random.Generator,
    n_volumes: int,
    network: NDArray[np.intp],
    coupling: float,
    coefficient: float,
) -> NDArray[np.float64]:
    """(n_volumes, n_regions), whose covariance is `_covariance`."""
    n_networks = network.max() + 1
    mixing = np.linalg.cholesky(_latent_correlation(n_networks, coupling))
    latent = autoregressive(rng, (n_volumes, n_networks), coefficient) @ mixing.T
    own = autoregressive(rng, (n_volumes, len(network)), coefficient)
    return np.sqrt(WITHIN) * latent[:, network] + np.sqrt(1 - WITHIN) * own
