"""Surfaces and CIFTI: what is timed, each case in a process of its own that prints one JSON line.

    python -m benchmarks.points CASE FOLDER

The dense series has the size of the Human Connectome Project's: 91 282 grayordinates, 1 200 samples, float32.
"""

from __future__ import annotations

import json
import resource
import shutil
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.cases import peak_mb

TR = 0.72
CLEANING = dict(
    detrend=True, standardize="zscore_sample", low_pass=0.1, high_pass=0.01, t_r=TR, reports=False
)
N_SAMPLES = 1200
N_CORTEX = {"CORTEX_LEFT": 29_696, "CORTEX_RIGHT": 29_716}
N_SURFACE, N_VOXELS, N_PARCELS = 32_492, 31_870, 360
SUBDIVISIONS = 5  # 10 242 vertices


def run_file(folder: Path) -> Path:
    return folder / "run_91282.dtseries.nii"


def atlas_file(folder: Path) -> Path:
    return folder / "parcels_360.dlabel.nii"


def make(folder: Path) -> float:
    """Write the dense series and its parcellation, unless they are there.

    In a process of its own, too: a child's peak is never below what its parent held.
    """
    import nibabel as nib
    import numpy as np
    from nibabel.cifti2 import cifti2_axes

    if atlas_file(folder).exists():
        return 0.0
    folder.mkdir(parents=True, exist_ok=True)
    mask = np.zeros((91, 109, 91), dtype=bool)
    mask.ravel()[np.linspace(200_000, 600_000, N_VOXELS).astype(int)] = True
    parts = [
        cifti2_axes.BrainModelAxis.from_surface(np.arange(n), N_SURFACE, f"CIFTI_STRUCTURE_{name}")
        for name, n in N_CORTEX.items()
    ]
    cortex = parts[0] + parts[1]
    brain = cortex + cifti2_axes.BrainModelAxis.from_mask(mask, "CIFTI_STRUCTURE_CEREBELLUM_LEFT", np.eye(4))
    rng = np.random.default_rng(0)
    values = 1000 + 10 * rng.standard_normal((len(brain), N_SAMPLES), dtype=np.float32)
    series = cifti2_axes.SeriesAxis(0, TR, N_SAMPLES)
    nib.save(nib.Cifti2Image(values.T, header=(series, brain)), run_file(folder))
    keys = 1 + np.arange(len(cortex)) * N_PARCELS // len(cortex)
    table = {0: ("???", (0, 0, 0, 0)), **{i: (f"parcel {i}", (1, 1, 1, 1)) for i in range(1, N_PARCELS + 1)}}
    labels = cifti2_axes.LabelAxis(["parcels"], [table])
    nib.save(nib.Cifti2Image(keys[None].astype(np.float32), header=(labels, cortex)), atlas_file(folder))
    return 0.0


def confounds() -> Any:
    import numpy as np

    return np.random.default_rng(1).standard_normal((N_SAMPLES, 24)).cumsum(axis=0)


def parcels(folder: Path) -> float:
    """From files to clean parcels, reading and compiling the atlas included."""
    import scipy.signal  # noqa: F401  (imports are timed apart)

    from brainsieve.maskers import CiftiLabelsMasker

    regressors = confounds()
    start = time.perf_counter()
    CiftiLabelsMasker(atlas_file(folder), **CLEANING).fit().transform(run_file(folder), confounds=regressors)
    return time.perf_counter() - start


def dense(folder: Path) -> float:
    """All grayordinates, cleaned and written back."""
    import scipy.signal  # noqa: F401  (imports are timed apart)

    from brainsieve.maskers import CiftiMasker

    regressors = confounds()
    start = time.perf_counter()
    masker = CiftiMasker(**CLEANING).fit(run_file(folder))
    signals = masker.transform(run_file(folder), confounds=regressors)
    masker.inverse_transform(signals).to_filename(folder / "clean.dtseries.nii")
    return time.perf_counter() - start


def plain(folder: Path) -> float:
    """nibabel reads the matrix and writes it."""
    import nibabel as nib
    import numpy as np

    start = time.perf_counter()
    image = nib.load(run_file(folder))
    values = np.asarray(image.dataobj)
    nib.Cifti2Image(values, image.header, image.nifti_header).to_filename(folder / "plain.dtseries.nii")
    return time.perf_counter() - start


def raw(folder: Path) -> float:
    """The bytes read and written, nothing else."""
    start = time.perf_counter()
    (folder / "plain.bin").write_bytes(run_file(folder).read_bytes())
    return time.perf_counter() - start


def workbench(folder: Path) -> float:
    """Workbench parcellates, without cleaning."""
    command = ["wb_command", "-cifti-parcellate", run_file(folder), atlas_file(folder), "COLUMN"]
    start = time.perf_counter()
    subprocess.run([*map(str, command), str(folder / "workbench.ptseries.nii")], check=True)
    return time.perf_counter() - start


def sphere() -> tuple[Any, Any]:
    """An icosahedron, subdivided: coordinates on the unit sphere, and faces."""
    import numpy as np
    from scipy.spatial import ConvexHull

    golden = (1 + 5**0.5) / 2
    corners = np.array([[0, a, b * golden] for a in (-1, 1) for b in (-1, 1)])
    coordinates = np.vstack([np.roll(corners, shift, axis=1) for shift in range(3)])
    coordinates = coordinates / np.linalg.norm(coordinates, axis=1, keepdims=True)
    for _ in range(SUBDIVISIONS):
        faces = ConvexHull(coordinates).simplices
        edges = np.unique(
            np.sort(np.vstack([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1), axis=0
        )
        middles = coordinates[edges].mean(axis=1)
        coordinates = np.vstack([coordinates, middles / np.linalg.norm(middles, axis=1, keepdims=True)])
    return coordinates, ConvexHull(coordinates).simplices


def sampled(package: str) -> Callable[[Path], float]:
    """100 volumes sampled on two meshes of 10 242 vertices."""

    def run(folder: Path) -> float:
        import importlib

        import nibabel as nib
        import numpy as np

        surface = importlib.import_module(f"{package}.surface")
        coordinates, faces = sphere()
        meshes = {
            part: surface.InMemoryMesh(coordinates * [30, 60, 45] + [x, 0, 0], faces)
            for part, x in (("left", -35), ("right", 35))
        }
        affine = np.diag([3.0, 3, 3, 1])
        affine[:3, 3] = [-90, -90, -75]
        values = np.random.default_rng(0).normal(size=(61, 61, 51, 100)).astype(np.float32)
        image = nib.Nifti1Image(np.asfortranarray(values), affine)
        start = time.perf_counter()
        surface.SurfaceImage.from_volume(surface.PolyMesh(**meshes), image)
        return time.perf_counter() - start

    return run


CASES: dict[str, Callable[[Path], float]] = {
    "make": make,
    "parcels": parcels,
    "dense": dense,
    "plain": plain,
    "raw": raw,
    "workbench": workbench,
    "vol_to_surf": sampled("brainsieve"),
    "vol_to_surf, nilearn": sampled("nilearn"),
}


def measure(case: str, folder: Path, repeats: int) -> dict[str, float]:
    """Medians over fresh processes."""
    results = []
    for _ in range(repeats):
        command = [sys.executable, "-m", "benchmarks.points", case, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        results.append(json.loads(done.stdout.splitlines()[-1]))
    return {key: statistics.median(result[key] for result in results) for key in results[0]}


def print_points(folder: Path, repeats: int) -> None:
    measure("make", folder, 1)
    skipped = {"make"} if shutil.which("wb_command") else {"make", "workbench"}
    cases = [case for case in CASES if case not in skipped]
    found = {case: measure(case, folder, repeats) for case in cases}
    print(
        "\n| 91 282 × 1 200 grayordinates; 2 × 10 242 vertices × 100 volumes | time | peak |\n|---|---|---|"
    )
    for case, result in found.items():
        print(f"| {case} | {result['seconds']:.2f} s | {result['peak_mb']:.0f} MB |")
    ratios = [("dense", "plain"), ("dense", "raw"), ("vol_to_surf, nilearn", "vol_to_surf")]
    if "workbench" in found:
        ratios.append(("parcels", "workbench"))
    print()
    for one, other in ratios:
        print(f"{one} / {other}: {found[one]['seconds'] / found[other]['seconds']:.2f}")


def main() -> None:
    case, folder = sys.argv[1:]
    warnings.simplefilter("ignore")
    seconds = CASES[case](Path(folder))
    peak = peak_mb()
    if case == "workbench":
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak}))


if __name__ == "__main__":
    main()
