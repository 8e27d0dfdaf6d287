"""Analyses beside the peer's: each case runs in a process of its own that prints one JSON line.

    python -m benchmarks.analyses PACKAGE CASE SCALE

SCALE divides the sizes: 1 for the usual ones, more for a quick look.
"""

from __future__ import annotations

import importlib
import json
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from benchmarks.cases import peak_mb

PACKAGES = ("brainsieve", "nilearn")
# Prepared inputs and the call that is timed.
Case = Callable[[str, int], Callable[[], Any]]


def decomposition(name: str, n_runs: int = 4) -> Case:
    """Runs of 150 samples in files, 29 828 voxels in the mask, 20 components."""

    def prepare(package: str, scale: int) -> Callable[[], Any]:
        import multiprocessing
        import tempfile

        made = tempfile.TemporaryDirectory()
        folder = made.name
        # Elsewhere: what it takes to make the runs is not to count in the peak.
        writer = multiprocessing.get_context("spawn").Process(target=write_runs, args=(folder, n_runs, scale))
        writer.start()
        writer.join()
        options: dict[str, Any] = {"n_components": 20 if scale == 1 else 4, "random_state": 0}
        options["mask"] = f"{folder}/mask.nii"
        if name == "DictLearning" and scale > 1:
            options["alpha"] = 0.5  # in the units of the runs, which are short
        model = getattr(importlib.import_module(f"{package}.decomposition"), name)(**options)
        return lambda: model.fit([f"{made.name}/run-{i}.nii" for i in range(n_runs)])

    return prepare


def write_runs(folder: str, n_runs: int, scale: int) -> None:
    """Write runs that share smooth maps with heavy tails, and the mask of an ellipsoid."""
    import nibabel as nib
    import numpy as np
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    n_components, n_samples, shape = (20, 150, (40, 48, 38)) if scale == 1 else (4, 20, (12, 12, 10))
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    distance = sum(axis**2 for axis in axes)
    # As many voxels as in the brain at 4 mm.
    mask = distance <= np.sort(distance, axis=None)[min(29828, distance.size // 2) - 1]
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    nib.save(nib.Nifti1Image(mask.astype(np.uint8), affine), f"{folder}/mask.nii")
    maps = np.stack([gaussian_filter(rng.normal(size=shape) ** 3, 1.5) for _ in range(n_components)], axis=-1)
    maps /= maps.std(axis=(0, 1, 2))
    for i in range(n_runs):
        values = maps @ rng.normal(size=(n_components, n_samples))
        values += rng.normal(scale=2, size=values.shape) + 100
        nib.save(nib.Nifti1Image(values.astype(np.float32), affine), f"{folder}/run-{i}.nii")


def permutations(n_perm: int, tfce: bool = False) -> Case:
    """40 images of 50 000 voxels, two confounds."""

    def prepare(package: str, scale: int) -> Callable[[], Any]:
        import nibabel as nib
        import numpy as np
        from scipy.ndimage import gaussian_filter

        rng = np.random.default_rng(0)
        mask = np.zeros((45, 45, 35) if scale == 1 else (9, 9, 7), dtype=bool)
        mask[3:-4, 3:-4] = True
        targets = np.stack([gaussian_filter(rng.normal(size=mask.shape), 1.5)[mask] for _ in range(40)])
        tested, confounds = rng.normal(size=40), rng.normal(size=(40, 2))
        options: dict[str, Any] = {"n_perm": max(2, n_perm // scale), "random_state": 0}
        if tfce:
            image = nib.Nifti1Image(mask.astype(np.uint8), np.eye(4))
            masker = importlib.import_module(f"{package}.maskers").NiftiMasker(image).fit()
            options |= {"masker": masker, "tfce": True}
        permuted_ols = importlib.import_module(f"{package}.mass_univariate").permuted_ols
        return lambda: permuted_ols(tested, targets, confounds, **options)

    return prepare


def group_sparse(package: str, scale: int) -> Callable[[], Any]:
    """10 subjects of 150 samples and 39 regions, alpha by cross-validation."""
    import numpy as np

    n_regions = max(4, 39 // scale)
    rng = np.random.default_rng(0)
    mixing = np.eye(n_regions) + 0.15 * rng.normal(size=(n_regions, n_regions)) * (
        rng.random((n_regions, n_regions)) < 0.15
    )
    series = [rng.normal(size=(150, n_regions)) @ mixing for _ in range(10)]
    series = [(one - one.mean(axis=0)) / one.std(axis=0) for one in series]
    model = importlib.import_module(f"{package}.connectome").GroupSparseCovarianceCV()
    return lambda: model.fit(series)


def tangent(package: str, scale: int) -> Callable[[], Any]:
    """100 subjects of 300 samples and 200 regions."""
    import numpy as np

    rng = np.random.default_rng(0)
    series = [rng.normal(size=(300, max(4, 200 // scale))) for _ in range(max(3, 100 // scale))]
    measure = importlib.import_module(f"{package}.connectome").ConnectivityMeasure(kind="tangent")
    return lambda: measure.fit_transform(series)


def region_extractor(kind: str) -> Case:
    """20 maps of 53 × 63 × 53 voxels of smooth noise."""

    def prepare(package: str, scale: int) -> Callable[[], Any]:
        import nibabel as nib
        import numpy as np
        from scipy.ndimage import gaussian_filter

        rng = np.random.default_rng(0)
        shape = (53, 63, 53) if scale == 1 else (16, 18, 14)
        n_maps = max(2, 20 // scale)
        maps = np.stack([gaussian_filter(rng.normal(size=shape), 2) for _ in range(n_maps)], axis=-1)
        img = nib.Nifti1Image(maps, np.diag([3.0, 3.0, 3.0, 1.0]))
        options: dict[str, Any] = {"two_sided": True, "extractor": kind, "standardize": None}
        if scale > 1:
            options["min_region_size"] = 100
        model = importlib.import_module(f"{package}.regions").RegionExtractor(img, **options)
        return lambda: model.fit()

    return prepare


def decoder(estimator: str, n_classes: int, screening: int | None) -> Case:
    """400 images of 10 000 voxels, 10 folds."""

    def prepare(package: str, scale: int) -> Callable[[], Any]:
        images, mask, y = _classes(
            (25, 20, 20) if scale == 1 else (7, 6, 6), max(40, 400 // scale), n_classes
        )
        model = importlib.import_module(f"{package}.decoding").Decoder(
            estimator,
            mask=mask,
            screening_percentile=None,
            screening_n_features=screening and (screening if scale == 1 else 120),
        )
        return lambda: model.fit(images, y)

    return prepare


def searchlight(estimator: str) -> Case:
    """60 images, 125 spheres of 123 voxels."""

    def prepare(package: str, scale: int) -> Callable[[], Any]:
        import nibabel as nib
        import numpy as np

        images, mask, y = _classes((15, 15, 15) if scale == 1 else (7, 7, 7), 60, 2)
        process = np.zeros(mask.shape, np.uint8)
        process[3:8, 3:8, 3:8] = 1
        process = process if scale == 1 else np.eye(7, dtype=np.uint8)[..., None] * np.ones(7, np.uint8)
        light = importlib.import_module(f"{package}.decoding").SearchLight(
            mask, nib.Nifti1Image(process, mask.affine), radius=9.0, estimator=estimator
        )
        return lambda: light.fit(images, y)

    return prepare


def _classes(shape: tuple[int, int, int], n: int, n_classes: int) -> tuple[Any, Any, Any]:
    """Images on a grid of 3 mm, the mask of all voxels, and classes that some of these tell."""
    import nibabel as nib
    import numpy as np

    y = np.arange(n) % n_classes
    data = np.random.default_rng(0).normal(size=(*shape, n)).astype(np.float32)
    data[1:5, 1:5, 1:5] += 0.3 * y
    affine = np.diag([3.0, 3, 3, 1])
    return nib.Nifti1Image(data, affine), nib.Nifti1Image(np.ones(shape, np.uint8), affine), y


def run_and_events(scale: int) -> tuple[Any, Any, Any, Any]:
    """A run of 50 000 voxels and 200 volumes in a compressed file, its mask, 40 events and 6 confounds."""
    import atexit
    import shutil
    import tempfile
    from pathlib import Path

    import nibabel as nib
    import numpy as np
    import pandas as pd

    rng, n = np.random.default_rng(0), 200 if scale == 1 else 60
    shape, n_inside = ((60, 72, 60), 50_000) if scale == 1 else ((8, 8, 8), 300)
    inside = np.zeros(shape, dtype=bool)
    inside.flat[np.linspace(0, inside.size - 1, n_inside).astype(int)] = True
    values = np.zeros((*shape, n), dtype=np.int16)
    level = 5000 + 1000 * rng.random(n_inside)
    for t in range(n):
        values[inside, t] = level + 30 * rng.normal(size=n_inside)
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    nib.save(nib.Nifti1Image(values, np.diag([3.0, 3, 3, 1])), folder / "run.nii.gz")
    nib.save(nib.Nifti1Image(inside.astype(np.uint8), np.diag([3.0, 3, 3, 1])), folder / "mask.nii.gz")
    n_events = 40 if scale == 1 else 6
    onsets = np.linspace(4, 2 * n - 20, n_events)
    events = pd.DataFrame({"onset": onsets, "duration": 2.0, "trial_type": ["a", "b"] * (n_events // 2)})
    confounds = pd.DataFrame(rng.normal(size=(n, 6)), columns=list("uvwxyz"))
    return str(folder / "run.nii.gz"), str(folder / "mask.nii.gz"), events, confounds


def first_level(noise: str) -> Case:
    """A fit of 17 columns, and 10 contrasts."""

    def prepare(package: str, scale: int) -> Callable[[], Any]:
        run, mask, events, confounds = run_and_events(scale)
        model = importlib.import_module(f"{package}.glm.first_level").FirstLevelModel(
            t_r=2, mask_img=mask, noise_model=noise
        )
        contrasts = ["a", "b", "a - b", "a + b", *"uvwxyz"]

        def call() -> Any:
            fitted = model.fit(run, events, confounds)
            return [fitted.compute_contrast(contrast) for contrast in contrasts]

        return call

    return prepare


def separate_trials(noise: str, n_trials: int = 40) -> Case:
    """LSS: a model for each trial. The peer fits `n_trials` of them, to be multiplied by 40 / `n_trials`."""

    def prepare(package: str, scale: int) -> Callable[[], Any]:
        run, mask, events, confounds = run_and_events(scale)
        room = importlib.import_module(f"{package}.glm.first_level")
        parameters = {"t_r": 2, "mask_img": mask, "noise_model": noise}
        if package == "brainsieve":
            return lambda: room.beta_series(room.FirstLevelModel(**parameters), run, events, confounds)

        def one_by_one() -> None:
            for i in range(min(n_trials, len(events))):
                alone = events.astype({"trial_type": object})
                alone.loc[i, "trial_type"] = "alone"
                fitted = room.FirstLevelModel(**parameters).fit(run, alone, confounds)
                fitted.compute_contrast("alone", output_type="effect_size")

        return one_by_one

    return prepare


CASES: dict[str, Case] = {
    "CanICA, 4 runs × 150 × 29 828 voxels, 20 components": decomposition("CanICA"),
    "CanICA, 16 runs": decomposition("CanICA", 16),
    "DictLearning, 4 runs × 150 × 29 828 voxels, 20 components": decomposition("DictLearning"),
    "permuted_ols, 1 000 permutations × 50 540 voxels": permutations(1000),
    "the same, TFCE, 40 permutations": permutations(40, tfce=True),
    "GroupSparseCovarianceCV, 10 × (150, 39)": group_sparse,
    "tangent, 100 × (300, 200)": tangent,
    "RegionExtractor, 20 maps of 53 × 63 × 53": region_extractor("local_regions"),
    "the same, connected components": region_extractor("connected_components"),
    "Decoder, svc, 400 × 10 000": decoder("svc", 2, None),
    "the same, 4 classes, 2 000 voxels kept": decoder("svc", 4, 2000),
    "SearchLight, svc, 125 spheres of 123 voxels": searchlight("svc"),
    "the same, ridge": searchlight("ridge_classifier"),
    "FirstLevelModel AR(1), 50 000 × 200, and 10 contrasts": first_level("ar1"),
    "the same, OLS": first_level("ols"),
    "LSS of 40 trials, OLS (peer: 2 of them)": separate_trials("ols", 2),
    "LSS of 40 trials, AR(1) (peer: 2 of them)": separate_trials("ar1", 2),
}


def timed(package: str, case: str, scale: int) -> dict[str, float]:
    call = CASES[case](package, scale)
    start, used = time.perf_counter(), time.process_time()
    call()
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - used,
        "peak_mb": peak_mb(),
    }


def measure(package: str, case: str, repeats: int, scale: int = 1) -> dict[str, float]:
    """Medians over fresh processes."""
    command = [sys.executable, "-m", "benchmarks.analyses", package, case, str(scale)]
    results = []
    for _ in range(repeats):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        results.append(json.loads(done.stdout.splitlines()[-1]))
    return {key: statistics.median(result[key] for result in results) for key in results[0]}


def print_analyses(repeats: int) -> None:
    print(
        "\n| analysis | ours | CPU | peak | peer | CPU | peak | peer / ours | ours, CPU at half the sizes |"
        "\n|---|---|---|---|---|---|---|---|---|"
    )
    for case in CASES:
        ours, peer = measure("brainsieve", case, repeats), measure("nilearn", case, 1)
        cells = [
            f"{one['seconds']:.2f} s | {one['cpu_seconds']:.2f} s | {one['peak_mb']:.0f} MB"
            for one in (ours, peer)
        ]
        half = measure("brainsieve", case, repeats, scale=2)["cpu_seconds"]
        print(
            f"| {case} | {' | '.join(cells)} | {peer['seconds'] / ours['seconds']:.1f} | {half:.2f} s |",
            flush=True,
        )


def main() -> None:
    package, case, scale = sys.argv[1:]
    warnings.simplefilter("ignore")
    print(json.dumps(timed(package, case, int(scale))))


if __name__ == "__main__":
    main()
