"""A made-up cohort, worked off: planning, one core and two, a bare loop over `extract_many`, and nilearn's way.

    python -m benchmarks.cohorts --runs 1000 --peer-runs 20

The peer's way is giga_connectome's: nilearn's maskers, run by run, an atlas and a strategy at a time.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

SHAPE, N_VOLUMES, T_R = (24, 28, 24), 120, 2.0
AFFINE = np.diag([8.0, 8.0, 8.0, 1.0])
SPACE = "MNI152NLin2009cAsym"
STRATEGIES = ("simple", "scrubbing.5")
N_REGIONS = (30, 60, 100)
# Runs that are different; the others are links to them.
N_DIFFERENT = 8
CLEANING: dict[str, Any] = {
    "detrend": True,
    "standardize": "zscore_sample",
    "high_pass": 0.01,
    "low_pass": 0.1,
    "t_r": T_R,
}


def make(folder: Path, n_runs: int) -> tuple[Path, list[Path]]:
    """A folder of derivatives, and atlases."""
    rng = np.random.default_rng(0)
    brain = np.zeros(SHAPE, dtype=bool)
    brain[3:-3, 3:-3, 3:-3] = True
    atlases = []
    for n in N_REGIONS:
        labels = np.zeros(SHAPE, dtype=np.int16)
        labels[brain] = np.sort(rng.integers(1, n + 1, size=brain.sum()))
        path = folder / f"tpl-{SPACE}_atlas-Made{n}_res-8_dseg.nii.gz"
        nib.save(nib.Nifti1Image(labels, AFFINE), path)
        atlases.append(path)
    for number in range(n_runs):
        where = folder / "in" / f"sub-{number:05d}" / "func"
        where.mkdir(parents=True)
        stem = f"sub-{number:05d}_task-rest"
        if number < N_DIFFERENT:
            _write_run(where, stem, brain, rng)
            continue
        like = folder / "in" / f"sub-{number % N_DIFFERENT:05d}" / "func"
        for file in like.iterdir():
            (where / file.name.replace(f"sub-{number % N_DIFFERENT:05d}", f"sub-{number:05d}")).hardlink_to(
                file
            )
    return folder / "in", atlases


def _write_run(where: Path, stem: str, brain: np.ndarray, rng: np.random.Generator) -> None:
    data = (1000 + 30 * rng.standard_normal((*SHAPE, N_VOLUMES), dtype=np.float32)).astype(np.int16)
    image = nib.Nifti1Image(data, AFFINE)
    image.header.set_zooms((8, 8, 8, T_R))
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, where / f"{stem}_space-{SPACE}_res-8_desc-preproc_bold.nii.gz")
    (where / f"{stem}_space-{SPACE}_res-8_desc-preproc_bold.json").write_text(
        json.dumps({"RepetitionTime": T_R})
    )
    mask = nib.Nifti1Image(brain.astype(np.uint8), AFFINE)
    nib.save(mask, where / f"{stem}_space-{SPACE}_res-8_desc-brain_mask.nii.gz")
    names = [
        *(f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"),
        "csf",
        "white_matter",
        "global_signal",
    ]
    table = pd.DataFrame(0.01 * rng.normal(size=(N_VOLUMES, len(names))), columns=names)
    for name in names:
        table[f"{name}_derivative1"] = table[name].diff()
        table[f"{name}_power2"] = table[name] ** 2
        table[f"{name}_derivative1_power2"] = table[name].diff() ** 2
    table["cosine00"] = np.cos(np.pi * (np.arange(N_VOLUMES) + 0.5) / N_VOLUMES)
    table["framewise_displacement"] = np.abs(0.2 * rng.normal(size=N_VOLUMES))
    table["std_dvars"] = 1.0
    table.to_csv(where / f"{stem}_desc-confounds_timeseries.tsv", sep="\t", index=False, na_rep="n/a")


def bare_loop(runs: list[Path], atlases: list[Path]) -> None:
    """The numbers alone, nothing written: the least that the work can cost."""
    from brainsieve import extract_many
    from brainsieve.cohort import STRATEGIES as NAMED
    from brainsieve.interfaces.fmriprep import load_confounds
    from brainsieve.maskers import NiftiLabelsMasker

    maskers = {path.name: NiftiLabelsMasker(path, reports=False, **CLEANING).fit() for path in atlases}
    for run in runs:
        for name in STRATEGIES:
            confounds, kept = load_confounds(str(run), **NAMED[name])
            extract_many(run, maskers, confounds=confounds.to_numpy(), sample_mask=kept)


def peer(runs: list[Path], atlases: list[Path]) -> None:
    from nilearn.connectome import ConnectivityMeasure
    from nilearn.interfaces.fmriprep import load_confounds
    from nilearn.maskers import NiftiLabelsMasker

    from brainsieve.cohort import STRATEGIES as NAMED

    for run in runs:
        for name in STRATEGIES:
            confounds, kept = load_confounds(str(run), **NAMED[name])
            for atlas in atlases:
                masker = NiftiLabelsMasker(atlas, **CLEANING)
                series = masker.fit_transform(str(run), confounds=confounds, sample_mask=kept)
                matrix = ConnectivityMeasure(kind="correlation").fit_transform([series])[0]
                pd.DataFrame(series).to_csv(run.parents[3] / "peer.tsv", sep="\t")
                pd.DataFrame(matrix).to_csv(run.parents[3] / "peer_matrix.tsv", sep="\t")


def measured(n_runs: int, n_peer: int, reports: bool = True) -> dict[str, float]:
    """Seconds, by what they are of; those of the loop and the peer are for as many runs as the cohort has."""
    from brainsieve import cohort

    folder = Path(tempfile.mkdtemp(prefix="brainsieve-bench-"))
    found: dict[str, float] = {}
    try:
        bids_dir, atlases = make(folder, n_runs)
        runs = sorted(bids_dir.rglob("*_bold.nii.gz"))

        def planned(out: str) -> Any:
            return cohort.plan(bids_dir, folder / out, atlases, list(STRATEGIES), reports=reports)

        found["plan"] = _seconds(lambda: planned("one"))
        plan = planned("one")
        found["one process"] = _seconds(lambda: cohort.run(plan))
        found["second start"] = _seconds(lambda: cohort.run(planned("one"), n_jobs=2))
        plan = planned("two")
        found["two processes"] = _seconds(lambda: cohort.run(plan, n_jobs=2))
        some = runs[: max(1, min(n_runs, 50))]
        found["bare loop"] = _seconds(lambda: bare_loop(some, atlases)) * n_runs / len(some)
        found["peer"] = _seconds(lambda: peer(runs[:n_peer], atlases)) * n_runs / n_peer
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _seconds(call: Any) -> float:
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call()
    return time.perf_counter() - start


def print_cohorts(n_runs: int, n_peer: int) -> None:
    found = measured(n_runs, n_peer)
    print(
        f"\n| {n_runs} runs, {len(N_REGIONS)} atlases, {len(STRATEGIES)} strategies | s | runs/s |\n|---|---|---|"
    )
    for name, seconds in found.items():
        print(f"| {name} | {seconds:.2f} | {n_runs / seconds:.1f} |", flush=True)
    print(
        f"two processes / one: {found['one process'] / found['two processes']:.2f}; of the rate of the bare loop:"
    )
    print(
        f"{found['bare loop'] / found['one process']:.2f}; peer / ours: {found['peer'] / found['one process']:.1f}"
    )


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--runs", type=int, default=200)
    options.add_argument("--peer-runs", type=int, default=4)
    arguments = options.parse_args()
    print_cohorts(arguments.runs, arguments.peer_runs)


if __name__ == "__main__":
    main()
