"""A plan, worked off: in this process, in several, on a cluster, or one shard of many."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from brainsieve.checks import a_count
from brainsieve.cohort.dataset import describe
from brainsieve.cohort.frozen import Prepared, prepared
from brainsieve.cohort.index import Run, find_partner
from brainsieve.cohort.planning import settings_of
from brainsieve.cohort.processing import Outcome, Task, process
from brainsieve.cohort.reports import write_participants
from brainsieve.cohort.settings import Settings
from brainsieve.engine.files import folder_given
from brainsieve.interfaces.bids import parse_bids_filename

if TYPE_CHECKING:
    import pandas as pd

# A worker may be killed for reasons that have nothing to do with a run; a run that kills three has its reason.
TRIES = 3

Told = Callable[[list[Outcome], int, int], None]


def run(
    plan: pd.DataFrame,
    *,
    n_jobs: int = 1,
    n_threads: int | None = None,
    scheduler: Any = None,
    shard: tuple[int, int] | None = None,
    work_dir: str | os.PathLike[str] | None = None,
    stop_on_first_crash: bool = False,
    progress: Told | None = None,
) -> pd.DataFrame:
    """Work off a plan; what is done already is left as it is.

    Parameters
    ----------
    plan : pandas.DataFrame
        Of `brainsieve.cohort.plan`, or some of its rows.
    n_jobs : int, default=1
        Processes on this machine.
    n_threads : int, optional
        Threads of each process. Default: the processors that there are; numbers do not depend on it.
    scheduler : str or distributed.Client, optional
        Address of a Dask scheduler (``tcp://…``) or a client of one, whose workers do the work instead. They must see
        both folders under the same paths.
    shard : (int, int), optional
        (I, N): only every N-th run, from the I-th (from 1); N of these that run anywhere do the whole.
    work_dir : path, optional
        Where temporary files lie. Default: the system's folder for these.
    stop_on_first_crash : bool, default=False
        Raise RuntimeError at the first run that fails.
    progress : callable, optional
        Called as ``progress(outcomes, n_done, n_total)`` after each run.

    Returns
    -------
    outcomes : pandas.DataFrame
        One row for a run and a strategy, in the order of the plan: ``run``, ``strategy``, ``status`` ("done",
        "done before", "excluded", "failed", or "not planned" where the plan has problems), ``reason``, ``seconds``.

    Raises
    ------
    OSError
        If the folder of results cannot be written to.
    TypeError, ValueError
        If an argument is not what it should be.
    """
    import pandas as pd

    settings = settings_of(plan)
    rows = _shard_of(plan, shard)
    a_count("n_jobs", n_jobs, 1)
    if n_threads is not None:
        a_count("n_threads", n_threads, 1)
    if work_dir is not None:
        work_dir = folder_given("work_dir", work_dir)
    outcomes = [
        Outcome(row["run"], row["strategy"], "not planned", "; ".join(row["problems"]))
        for row in rows
        if row["problems"]
    ]
    outcomes += [Outcome(row["run"], row["strategy"], "done before") for row in rows if row["done"]]
    tasks = _tasks(settings, [row for row in rows if not row["problems"]])
    describe(settings)
    work = Work(tasks, n_threads, work_dir)
    for n_done, found in enumerate(_worked_off(work, settings, n_jobs, scheduler), start=1):
        outcomes += found
        if progress is not None:
            progress(found, n_done, len(tasks))
        failed = next((one for one in found if one.status == "failed"), None)
        if stop_on_first_crash and failed is not None:
            raise RuntimeError(f"{failed.run}, {failed.strategy}: {failed.reason}")
    if settings.reports:
        write_participants(settings, {row["run"]: row["atlases"] for row in rows if not row["problems"]})
    order = {(row["run"], row["strategy"]): number for number, row in enumerate(rows)}
    outcomes.sort(key=lambda one: order.get((one.run, one.strategy), len(order)))
    return pd.DataFrame([vars(one) for one in outcomes], columns=list(Outcome.__dataclass_fields__))


def _shard_of(plan: pd.DataFrame, shard: tuple[int, int] | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = plan.to_dict(orient="records")
    if shard is None:
        return rows
    part, of = shard
    a_count("shard's N", of, 1)
    if not 1 <= part <= of:
        raise ValueError(f"shard must be (I, N) with I from 1 to N; {shard!r} was given.")
    runs = sorted({row["run"] for row in rows})
    mine = set(runs[part - 1 :: of])
    return [row for row in rows if row["run"] in mine]


def _tasks(settings: Settings, rows: Sequence[Mapping[str, Any]]) -> list[Task]:
    """One for each run, with all of its strategies: it is read once."""
    strategies = {one.name: one for one in settings.strategies}
    by_run: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if not row["done"]:
            by_run.setdefault(row["run"], []).append(row)
    return [
        Task(
            settings,
            _run_of(settings, path),
            tuple(strategies[row["strategy"]] for row in those),
            tuple(those[0]["atlases"]),
        )
        for path, those in by_run.items()
    ]


def _run_of(settings: Settings, path: str) -> Run:
    parts = parse_bids_filename(path)
    entities = {key: value for key, value in parts["entities"].items() if value is not None}
    return Run(path, entities, f".{parts['extension']}", find_partner(Path(settings.bids_dir), path))


# -- where the work is done ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Work:
    """Runs to work off, and with what."""

    tasks: Sequence[Task]
    n_threads: int | None = None
    work_dir: str | os.PathLike[str] | None = None


def _worked_off(work: Work, settings: Settings, n_jobs: int, scheduler: Any) -> Iterator[list[Outcome]]:
    if not work.tasks:
        return
    ready = prepared(settings)
    if scheduler is not None:
        yield from _on_cluster(work, ready, scheduler)
    elif n_jobs == 1:
        for task in work.tasks:
            yield process(task, ready, work.n_threads)
    else:
        yield from _in_processes(work, ready, n_jobs)


def _in_processes(work: Work, ready: Mapping[str, Prepared], n_jobs: int) -> Iterator[list[Outcome]]:
    """Work in processes of this machine; a process that dies costs the runs that it had in hand, which are tried again.

    What travels is the name of a file: each process reads the frozen maskers once.
    """
    left = dict(enumerate(work.tasks))
    with tempfile.TemporaryDirectory(prefix="brainsieve-cohort-", dir=work.work_dir) as folder:
        file = os.path.join(folder, "maskers.pickle")
        Path(file).write_bytes(pickle.dumps(ready))
        for _ in range(TRIES - 1):
            try:
                for number, found in _parallel(left, file, work.n_threads, n_jobs):
                    del left[number]
                    yield found
                return
            except TerminatedWorkerError:
                continue
        # Who dies now, one at a time, dies of its own run.
        for number in list(left):
            yield _last_try(number, left.pop(number), file, work.n_threads)


def _parallel(
    tasks: Mapping[int, Task], file: str, n_threads: int | None, n_jobs: int
) -> Iterator[tuple[int, list[Outcome]]]:
    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered", pre_dispatch="2*n_jobs", batch_size=1)
    with parallel_config(backend="loky"):
        yield from parallel(
            delayed(_process_from)(number, task, file, n_threads) for number, task in list(tasks.items())
        )


def _last_try(number: int, task: Task, file: str, n_threads: int | None) -> list[Outcome]:
    executor = get_reusable_executor(max_workers=1)
    try:
        return executor.submit(_process_from, number, task, file, n_threads).result()[1]
    except TerminatedWorkerError:
        reason = "the process that worked on this run died (killed, or out of memory)"
        return [Outcome(task.run.path, one.name, "failed", reason) for one in task.strategies]


def _process_from(number: int, task: Task, file: str, n_threads: int | None) -> tuple[int, list[Outcome]]:
    return number, process(task, _read_maskers(file), n_threads)


@lru_cache(maxsize=1)
def _read_maskers(file: str) -> Mapping[str, Prepared]:
    return pickle.loads(Path(file).read_bytes())


def _on_cluster(work: Work, ready: Mapping[str, Prepared], scheduler: Any) -> Iterator[list[Outcome]]:
    """Work on the workers of a Dask scheduler, which gives the runs of a lost worker to another."""
    from distributed import Client, as_completed

    with ExitStack() as stack:
        client = scheduler if isinstance(scheduler, Client) else stack.enter_context(Client(scheduler))
        maskers = client.scatter(ready, broadcast=True, hash=False)
        futures = {
            client.submit(process, task, maskers, work.n_threads, pure=False, retries=TRIES): task
            for task in work.tasks
        }
        for future in as_completed(list(futures)):
            error = future.exception()
            if error is None:
                yield future.result()
                continue
            task = futures[future]
            reason = f"the cluster lost this run: {type(error).__name__}: {' '.join(str(error).split())}"
            yield [Outcome(task.run.path, one.name, "failed", reason) for one in task.strategies]
