"""Benchmarks: ours, the peer's, their ratio, the time merely to decode the file, and peak memory.

make bench                                  # the usual sizes
python -m benchmarks --volumes 50           # smaller
python -m benchmarks --slow                 # also what takes the peer minutes
python -m benchmarks --points               # surfaces and CIFTI only
python -m benchmarks --analyses             # connectomes and permutation tests only
python -m benchmarks --cohorts              # a cohort of 200 runs only
python -m benchmarks --growth               # cost and memory from 200 to 5 000 volumes
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.analyses import print_analyses
from benchmarks.cases import CASES
from benchmarks.cohorts import print_cohorts
from benchmarks.inputs import make
from benchmarks.points import print_points

# Cases that take the peer minutes at 200 volumes.
SLOW_FOR_PEER = ("parcels, 1 mm atlas", "voxels", "voxels, 6 mm")
GROWTH = (200, 1000, 5000)


def main() -> None:
    arguments = parsed()
    folder = Path(arguments.folder)
    if arguments.points:
        print_points(folder, arguments.repeats)
        return
    if arguments.analyses:
        print_analyses(arguments.repeats)
        return
    if arguments.cohorts:
        print_cohorts(200, 4)
        return
    if arguments.growth:
        print_growth(folder, arguments)
        return
    print(
        f"Making inputs in {folder} (99 x 117 x 95 x {arguments.volumes}, {arguments.dtype}) …",
        flush=True,
    )
    make_apart(folder, arguments.volumes, arguments.dtype)
    print_imports(folder, arguments)
    floor = print_decode(folder, arguments)
    print_cases(folder, arguments, floor)
    print_accuracy()
    print_points(folder, arguments.repeats)
    print_analyses(arguments.repeats)
    print_cohorts(200, 4)


def make_apart(folder: Path, n_volumes: int, dtype: str) -> None:
    """Make inputs in a process of its own: the peak of a child is never below what its parent held."""
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=make, args=(folder, n_volumes, dtype))
    worker.start()
    worker.join()
    if worker.exitcode:
        raise SystemExit("The inputs could not be made.")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--volumes", type=int, default=200)
    parser.add_argument("--dtype", default="int16", choices=["int16", "float32"])
    parser.add_argument(
        "--repeats", type=int, default=3, help="runs of each case of ours; the median is shown"
    )
    parser.add_argument("--folder", default=".bench", help="where generated inputs are kept")
    parser.add_argument("--slow", action="store_true", help="also what takes the peer minutes")
    parser.add_argument("--no-peer", action="store_true", help="ours only")
    parser.add_argument("--points", action="store_true", help="surfaces and CIFTI only")
    parser.add_argument("--analyses", action="store_true", help="connectomes and permutation tests only")
    parser.add_argument("--cohorts", action="store_true", help="a cohort of 200 runs only")
    parser.add_argument("--growth", action="store_true", help="cost and memory with the number of volumes")
    return parser.parse_args()


def measure(case: str, folder: Path, n_volumes: int, dtype: str, repeats: int = 1) -> dict[str, float]:
    """Medians over fresh processes."""
    command = [sys.executable, "-m", "benchmarks.cases", case, str(folder), str(n_volumes), dtype]
    results = []
    for _ in range(repeats):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{case} failed:\n{done.stderr}")
        results.append(json.loads(done.stdout.splitlines()[-1]))
    return {key: statistics.median(result[key] for result in results) for key in results[0]}


def print_imports(folder: Path, arguments: argparse.Namespace) -> None:
    floor, ours, with_filters = (
        measure(case, folder, arguments.volumes, arguments.dtype, 5)["seconds"]
        for case in ("import floor", "import brainsieve.maskers", "import of the filters, too")
    )
    print(
        f"\nimport brainsieve.maskers: {ours:.2f} s, with what the first filter imports {with_filters:.2f} s; "
        f"sklearn.base and nibabel alone: {floor:.2f} s"
    )


def print_decode(folder: Path, arguments: argparse.Namespace) -> float:
    decode = measure("decode", folder, arguments.volumes, arguments.dtype, arguments.repeats)
    print(f"Decoding the file, nothing else: {decode['seconds']:.2f} s\n")
    return decode["seconds"]


def print_cases(folder: Path, arguments: argparse.Namespace, floor: float) -> None:
    columns = ("ours", "× decode", "compile", "peak", "peer", "peer's peak", "peer / ours")
    print(f"| with detrend, band-pass, 24 confounds, z-score | {' | '.join(columns)} |")
    print("|---|---|---|---|---|---|---|---|")
    for case in (name.removeprefix("brainsieve: ") for name in CASES if name.startswith("brainsieve: ")):
        ours = measure(f"brainsieve: {case}", folder, arguments.volumes, arguments.dtype, arguments.repeats)
        peer = None
        if not arguments.no_peer and (arguments.slow or case not in SLOW_FOR_PEER):
            peer = measure(f"nilearn: {case}", folder, arguments.volumes, arguments.dtype)
        print(row(case, ours, peer, floor), flush=True)
    one, ten = (
        measure(case, folder, arguments.volumes, arguments.dtype, arguments.repeats)
        for case in ("1 atlas", "10 atlases")
    )
    print(
        f"\n10 atlases in one pass: {ten['seconds']:.2f} s, one: {one['seconds']:.2f} s, "
        f"ratio {ten['seconds'] / one['seconds']:.2f}; peak {ten['peak_mb']:.0f} MB"
    )


def row(case: str, ours: dict[str, float], peer: dict[str, float] | None, floor: float) -> str:
    cells = [
        case,
        f"{ours['seconds']:.2f} s",
        f"{ours['seconds'] / floor:.2f}",
        f"{ours['compile_seconds']:.2f} s",
        f"{ours['peak_mb']:.0f} MB",
        f"{peer['seconds']:.1f} s" if peer else "–",
        f"{peer['peak_mb']:.0f} MB" if peer else "–",
        f"{peer['seconds'] / ours['seconds']:.0f}" if peer else "–",
    ]
    return f"| {' | '.join(cells)} |"


def print_growth(folder: Path, arguments: argparse.Namespace) -> None:
    print("| volumes | decode | parcels | ms per volume | peak |\n|---|---|---|---|---|")
    for n_volumes in GROWTH:
        make_apart(folder, n_volumes, arguments.dtype)
        floor = measure("decode", folder, n_volumes, arguments.dtype)["seconds"]
        ours = measure("brainsieve: parcels", folder, n_volumes, arguments.dtype)
        per_volume = 1000 * ours["seconds"] / n_volumes
        print(
            f"| {n_volumes} | {floor:.1f} s | {ours['seconds']:.1f} s | {per_volume:.2f} | "
            f"{ours['peak_mb']:.0f} MB |",
            flush=True,
        )


def print_accuracy() -> None:
    """The largest difference to the peer on float64 copies of real runs, over a random grid of settings."""
    from benchmarks.accuracy import largest_difference

    worst, n_settings = largest_difference()
    print(
        f"\nLargest difference to the peer, relative to the spread of a series: {worst:.1e} "
        f"({n_settings} random settings on the bundled run, peer on a float64 copy)"
    )


if __name__ == "__main__":
    main()
