"""Small real surfaces that travel with the tests, as ours and as the peer's."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(__file__).parent / "data"
RUN = "sub-010188_ses-02_task-rest_acq-AP_run-01_hemi-{}_space-fsaverage3_bold.func.gii"
SIDES = {"left": "L", "right": "R"}
N_VERTICES = 642
BOLDREF = DATA / "ds000005_cifti/sub-01_task-mixedgamblestask_run-02_space-fsLR_den-91k_boldref.dscalar.nii"


def mesh_file(kind: str, part: str) -> str:
    return str(DATA / f"fsaverage/tpl-fsaverage3_hemi-{SIDES[part]}_{kind}.surf.gii")


def run_file(part: str) -> str:
    return str(DATA / "ds000221_surface" / RUN.format(SIDES[part]))


def toolbox(package: str = "brainsieve") -> Any:
    return importlib.import_module(f"{package}.surface")


def polymesh(package: str = "brainsieve", kind: str = "pial", parts: Any = ("left", "right")) -> Any:
    return toolbox(package).PolyMesh(**{part: mesh_file(kind, part) for part in parts})


def run(package: str = "brainsieve", dtype: Any = None, parts: Any = ("left", "right")) -> Any:
    """The run of 300 volumes on fsaverage3."""
    data = toolbox(package).PolyData(**{part: run_file(part) for part in parts}, dtype=dtype)
    return toolbox(package).SurfaceImage(polymesh(package, parts=parts), data)


def on_mesh(values: dict[str, np.ndarray], package: str = "brainsieve") -> Any:
    return toolbox(package).SurfaceImage(polymesh(package, parts=tuple(values)), values)


def label_values() -> dict[str, np.ndarray]:
    """Desikan-Killiany on fsaverage3, whose vertices are the first of fsaverage5; ids pool over both."""
    from brainsieve.surface import load_surf_data

    file = str(DATA / "fsaverage/tpl-fsaverage5_hemi-{}_atlas-DesikanKilliany_dseg.label.gii.gz")
    return {
        part: load_surf_data(file.format(side))[:N_VERTICES].astype(np.int32) % 36
        for part, side in SIDES.items()
    }


def weights(n_maps: int = 5) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {part: rng.random((N_VERTICES, n_maps)) for part in SIDES}


def mask_values() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(4)
    return {part: rng.random(N_VERTICES) > 0.3 for part in SIDES}
