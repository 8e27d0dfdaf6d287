"""What is timed: each case runs in a process of its own and prints one JSON line.

    python -m benchmarks.cases CASE FOLDER N_VOLUMES DTYPE

The clock runs around the work alone, imports and warm plan compilation apart, as in a session that is open
already; the peak is that of the whole process.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

CLEANING = dict(detrend=True, standardize="zscore_sample", low_pass=0.1, high_pass=0.01, t_r=2.0)

Measured = dict[str, float]


def decode(paths: dict[str, Path]) -> Measured:
    """The floor: the file's bytes decoded into one buffer, nothing kept, by the fastest decoder at hand."""
    try:
        from isal import igzip as gzip
    except ImportError:
        import gzip
    buffer = bytearray(2**22)
    start = time.perf_counter()
    with gzip.open(paths["run"], "rb") as stream:
        while stream.readinto(buffer):
            pass
    return {"seconds": time.perf_counter() - start}


def masker_case(
    package: str, kind: str, keyword: str, file: str, **parameters: Any
) -> Callable[[dict[str, Path]], Measured]:
    """A masker with full cleaning, fitted, from file to array."""

    def run(paths: dict[str, Path]) -> Measured:
        import importlib

        import numpy as np
        import scipy.signal  # noqa: F401  (the filters' import, which comes with the first filter, is timed apart)

        maskers = importlib.import_module(f"{package}.maskers")
        value = np.load(paths[file]) if file == "seeds" else str(paths[file])
        masker = getattr(maskers, kind)(**{keyword: value}, **parameters, **CLEANING).fit()
        confounds = np.load(paths["confounds"])
        compile_seconds = 0.0
        if package == "brainsieve":
            compile_seconds = _compiled(masker, paths["run"])
        start = time.perf_counter()
        signals = masker.transform(str(paths["run"]), confounds=confounds)
        seconds = time.perf_counter() - start
        return {
            "seconds": seconds,
            "compile_seconds": compile_seconds,
            "output_mb": signals.nbytes / 2**20,
        }

    return run


def _compiled(masker: Any, run: Path) -> float:
    """Compile the masker's plan for the run's grid, as its first transform would."""
    source = masker._open(str(run))
    start = time.perf_counter()
    masker._fitted.recipe(source.domain)
    return time.perf_counter() - start


def many_atlases(n_atlases: int) -> Callable[[dict[str, Path]], Measured]:
    def run(paths: dict[str, Path]) -> Measured:
        import numpy as np

        from brainsieve import extract_many
        from brainsieve.maskers import NiftiLabelsMasker

        files = [paths["labels"].with_name(f"labels_order-{i}.nii.gz") for i in range(n_atlases)]
        maskers = {str(i): NiftiLabelsMasker(str(file), **CLEANING).fit() for i, file in enumerate(files)}
        confounds = np.load(paths["confounds"])
        for masker in maskers.values():
            _compiled(masker, paths["run"])
        start = time.perf_counter()
        extract_many(str(paths["run"]), maskers, confounds=confounds)
        return {"seconds": time.perf_counter() - start}

    return run


def imports(statement: str) -> Callable[[dict[str, Path]], Measured]:
    def run(paths: dict[str, Path]) -> Measured:
        start = time.perf_counter()
        exec(statement, {})  # one of the two statements below
        return {"seconds": time.perf_counter() - start}

    return run


LABELS = ("NiftiLabelsMasker", "labels_img", "labels")
CASES: dict[str, Callable[[dict[str, Path]], Measured]] = {
    "decode": decode,
    "import floor": imports("import sklearn.base, nibabel"),
    "import brainsieve.maskers": imports("import brainsieve.maskers"),
    "import of the filters, too": imports("import brainsieve.maskers, scipy.signal"),
    "10 atlases": many_atlases(10),
    "1 atlas": many_atlases(1),
}
for package in ("brainsieve", "nilearn"):
    CASES |= {
        f"{package}: parcels": masker_case(package, *LABELS),
        f"{package}: parcels, 6 mm": masker_case(package, *LABELS, smoothing_fwhm=6.0),
        f"{package}: parcels, 1 mm atlas": masker_case(
            package, "NiftiLabelsMasker", "labels_img", "labels_1mm", resampling_target="labels"
        ),
        f"{package}: voxels": masker_case(package, "NiftiMasker", "mask_img", "mask"),
        f"{package}: voxels, 6 mm": masker_case(
            package, "NiftiMasker", "mask_img", "mask", smoothing_fwhm=6.0
        ),
        f"{package}: 39 maps": masker_case(package, "NiftiMapsMasker", "maps_img", "maps"),
        f"{package}: 264 spheres": masker_case(
            package, "NiftiSpheresMasker", "seeds", "seeds", radius=5.0, allow_overlap=True
        ),
    }


def input_paths(folder: Path, n_volumes: int, dtype: str) -> dict[str, Path]:
    """Where the inputs are. Here and not in `inputs`, whose imports would count in times and peaks."""
    return {
        "run": folder / f"run_{n_volumes}_{dtype}.nii.gz",
        "mask": folder / "mask.nii.gz",
        "labels": folder / "labels_2mm.nii.gz",
        "labels_1mm": folder / "labels_1mm.nii.gz",
        "maps": folder / "maps.nii.gz",
        "seeds": folder / "seeds.npy",
        "confounds": folder / f"confounds_{n_volumes}.npy",
    }


def peak_mb() -> float:
    """Largest resident memory that this process has had, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def main() -> None:
    name, folder, n_volumes, dtype = sys.argv[1:]
    warnings.simplefilter("ignore")
    measured = CASES[name](input_paths(Path(folder), int(n_volumes), dtype))
    print(json.dumps({**measured, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
