"""Processes that are killed, disks that are full, clusters that lose workers: nothing half-written, nothing lost."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_cohort import write_atlas, write_cohort

from brainsieve import cohort
from brainsieve.whole_files import PREFIX

STRATEGIES = ["none", "simple"]
SCRIPT = """
import sys
from brainsieve import cohort
folder, n_jobs = sys.argv[1], int(sys.argv[2])
atlas = folder + "/tpl-MNI152NLin2009cAsym_atlas-Boxes_res-4_dseg.nii.gz"
if __name__ == "__main__":
    cohort.run(cohort.plan(folder + "/in", folder + "/out", [atlas], ["none", "simple"]), n_jobs=n_jobs)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("faults")
    write_cohort(made / "in", 4)
    write_atlas(made)
    return made


def planned(folder, out="out", strategies=STRATEGIES):
    atlas = next(folder.glob("tpl*.nii.gz"))
    return cohort.plan(folder / "in", folder / out, [atlas], strategies)


@pytest.fixture(scope="module")
def undisturbed(folder):
    assert set(cohort.run(planned(folder))["status"]) == {"done"}
    return tree(folder / "out")


def tree(out: Path) -> dict[str, bytes]:
    files = (path for path in sorted(out.rglob("*")) if path.is_file())
    found = {str(path.relative_to(out)): path.read_bytes() for path in files}
    return {
        name: content for name, content in found.items() if name not in ("README", "dataset_description.json")
    }


def start(folder: Path, n_jobs: int) -> subprocess.Popen:
    script = folder / "work.py"
    script.write_text(SCRIPT)
    return subprocess.Popen(
        [sys.executable, str(script), str(folder), str(n_jobs)],
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in found.read_text().split()] if found.exists() else []


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find workers")
@pytest.mark.parametrize("seed", range(4))
def test_kills_at_any_moment_leave_what_an_undisturbed_run_leaves(undisturbed, folder, tmp_path, seed):
    """Six kills each, of the whole or of a worker, at random moments."""
    rng = random.Random(seed)
    own = tmp_path / "own"
    own.mkdir()
    for name in [path.name for path in folder.iterdir() if path.name not in ("out", "work.py")]:
        (own / name).symlink_to(folder / name)
    for number in range(6):
        process = start(own, 1 + number % 2)
        time.sleep(rng.uniform(1.0, 6.0))
        victims = children(process.pid) if number % 2 else []
        if victims:
            os.kill(rng.choice(victims), signal.SIGKILL)
            process.wait(timeout=200)
        elif process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert set(cohort.run(planned(own))["status"]) <= {"done", "done before"}
    found = tree(own / "out")
    assert not [name for name in found if PREFIX in name]
    # What a run depends on is told by its own file: links have the times and sizes of what they lead to.
    assert found == undisturbed


@pytest.mark.slow
def test_a_cluster_that_loses_workers_finishes_the_work(undisturbed, folder, tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            local_directory=str(tmp_path),
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        lost = []

        def kill_one(outcomes, n_done, n_total):
            if len(lost) < 2:
                worker = random.Random(n_done).choice(list(cluster.workers.values()))
                pid = worker.process.pid if hasattr(worker, "process") else None
                if pid is not None:
                    os.kill(pid, signal.SIGKILL)
                    lost.append(pid)

        outcomes = cohort.run(planned(folder, "cluster"), scheduler=client, progress=kill_one)
    assert set(outcomes["status"]) <= {"done", "done before"}, outcomes["reason"].tolist()
    assert lost
    assert tree(folder / "cluster") == undisturbed


@pytest.mark.slow
def test_two_at_work_in_one_folder_do_not_harm_each_other(undisturbed, folder, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    for name in [path.name for path in folder.iterdir() if path.name not in ("out", "work.py", "cluster")]:
        (own / name).symlink_to(folder / name)
    both = [start(own, 1), start(own, 2)]
    assert [process.wait(timeout=200) for process in both] == [0, 0]
    assert tree(own / "out") == undisturbed


def test_a_full_disk_is_told_and_leaves_nothing_half_written(folder):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limit[1]))
    try:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        outcomes = cohort.run(planned(folder, "full", ["simple"]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert set(outcomes["status"]) == {"failed"}
    assert outcomes["reason"].str.contains("File too large").all()
    assert not list((folder / "full").rglob("*_timeseries.*"))
    assert not list((folder / "full").rglob(f"{PREFIX}*"))


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_told(folder, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    atlas = next(folder.glob("tpl*.nii.gz"))
    with pytest.raises(OSError, match="closed"):
        cohort.run(cohort.plan(folder / "in", tmp_path / "closed", [atlas], "none"))
