"""What the JSON file beside each table says: how it was made, in words that others read, and its hash.

Nothing in it depends on when or where it was made: the same work gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from brainsieve._version import __version__
from brainsieve.cohort.inputs import RunInputs
from brainsieve.cohort.pieces import HASH, Piece
from brainsieve.cohort.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

# Of `DatasetLinks` in dataset_description.json.
SOURCE = "preprocessed"
QUALITY: dict[str, dict[str, str]] = {
    "n_volumes": {"Description": "Volumes of the run."},
    "repetition_time": {"Description": "Time between volumes.", "Units": "s"},
    "fd_mean": {"Description": "Mean framewise displacement (Power et al. 2012).", "Units": "mm"},
    "fd_max": {"Description": "Largest framewise displacement.", "Units": "mm"},
    "fd_share_above_0.2": {
        "Description": "Share of volumes with more than 0.2 mm of framewise displacement."
    },
    "tsnr": {"Description": "Temporal signal-to-noise ratio, median over the brain (Murphy et al. 2007)."},
    "gcor": {"Description": "Global correlation (Saad et al. 2013)."},
    "dvars_std_mean": {"Description": "Mean standardized DVARS (Nichols 2013)."},
    "n_voxels": {"Description": "Voxels of the brain that vary, of which the figures are."},
}


def of_run(settings: Settings, inputs: RunInputs, piece: Piece) -> dict[str, Any]:
    """What every file of a run says."""
    images = [inputs.run.path, *([inputs.run.partner] if inputs.run.partner else [])]
    tables = [inputs.confounds_name] if inputs.confounds is not None else []
    return {
        "RepetitionTime": inputs.t_r,
        "Sources": [f"bids:{SOURCE}:{path}" for path in [*images, *tables]],
        "SpatialReference": inputs.run.entities.get("space"),
        "GeneratedBy": [{"Name": "brainsieve", "Version": __version__}],
        HASH: piece.hash,
    }


def of_cleaned(
    settings: Settings,
    inputs: RunInputs,
    piece: Piece,
    confounds: pd.DataFrame | None,
    kept: NDArray[np.intp] | None,
    degrees: float,
) -> dict[str, Any]:
    """What files of a run and a strategy say."""
    assert piece.strategy is not None
    about = of_run(settings, inputs, piece)
    about |= {
        "Strategy": piece.strategy.name,
        "StrategyParameters": dict(piece.strategy.confounds),
        "Confounds": [] if confounds is None else [str(name) for name in confounds.columns],
        "VolumesKept": None if kept is None else kept.tolist(),
        "NumberOfVolumes": inputs.n_samples,
        "DegreesOfFreedom": round(degrees, 3),
        "Cleaning": dict(settings.told()),
    }
    if piece.atlas is not None:
        about["Atlas"] = piece.atlas.name
        about["AtlasChecksum"] = piece.atlas.checksum
    return about


def of_series(about: dict[str, Any], columns: Sequence[str], warnings: Sequence[str]) -> dict[str, Any]:
    return {
        **about,
        "Description": "Mean signals of regions.",
        "Columns": list(columns),
        "Warnings": list(warnings),
    }


def of_coverage(about: dict[str, Any]) -> dict[str, Any]:
    return {
        **about,
        "coverage": {"Description": "Share of the region's voxels that hold data in a volume that is kept."},
        "n_expected": {"Description": "Voxels of the region."},
        "n_found": {"Description": "Those of them that hold data."},
    }


def of_matrix(about: dict[str, Any], piece: Piece) -> dict[str, Any]:
    """With the keys of BEP017."""
    series = piece.tables[-1]
    return {
        **about,
        "NodeFiles": [f"bids::{series}"],
        "MeasureDescription": "Pearson's correlation of regions' signals.",
        "MeasureUnits": "arbitrary",
        "Weighted": True,
        "Directed": False,
        "ValidDiagonal": True,
        "StorageFormat": "Full",
    }


def of_quality(settings: Settings, inputs: RunInputs, piece: Piece) -> dict[str, Any]:
    mask = None if inputs.mask is None else f"bids:{SOURCE}:{inputs.mask}"
    return {**of_run(settings, inputs, piece), "BrainMask": mask, **QUALITY}
