"""A plan, worked off: in this process, in several, on a cluster, or one shard of many."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError

from brainsieve.checks import a_count
from brainsieve.cohort.dataset import describe
from brainsieve.cohort.frozen import Prepared, prepared
from brainsieve.cohort.index import Run, find_partner
from brainsieve.cohort.planning import settings_of
from brainsieve.cohort.processing import Outcome, Task, process
from brainsieve.cohort.settings import Settings
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
    scheduler: Any = None,
    shard: tuple[int, int] | None = None,
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
    scheduler : str or distributed.Client, optional
        Address of a Dask scheduler (``tcp://…``) or a client of one, whose workers do the work instead. They must see
        both folders under the same paths.
    shard : (int, int), optional
        (I, N): only every N-th run, from the I-th (from 1); N of these that run anywhere do the whole.
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
    outcomes = [
        Outcome(row["run"], row["strategy"], "not planned", "; ".join(row["problems"]))
        for row in rows
        if row["problems"]
    ]
    outcomes += [Outcome(row["run"], row["strategy"], "done before") for row in rows if row["done"]]
    tasks = _tasks(settings, [row for row in rows if not row["problems"]])
    describe(settings)
    n_done = 0
    for found in _worked_off(settings, tasks, n_jobs, scheduler):
        n_done += 1
        outcomes += found
        if progress is not None:
            progress(found, n_done, len(tasks))
        failed = next((one for one in found if one.status == "failed"), None)
        if stop_on_first_crash and failed is not None:
            raise RuntimeError(f"{failed.run}, {failed.strategy}: {failed.reason}")
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


def _worked_off(
    settings: Settings, tasks: Sequence[Task], n_jobs: int, scheduler: Any
) -> Iterator[list[Outcome]]:
    if not tasks:
        return
    ready = prepared(settings)
    if scheduler is not None:
        yield from _on_cluster(tasks, ready, scheduler)
    elif n_jobs == 1:
        for task in tasks:
            yield process(task, ready)
    else:
        yield from _in_processes(tasks, ready, n_jobs)


def _in_processes(
    tasks: Sequence[Task], ready: Mapping[str, Prepared], n_jobs: int
) -> Iterator[list[Outcome]]:
    """Work in processes of this machine; a process that dies costs the runs that it had in hand, which are tried again.

    What travels is the name of a file: each process reads the frozen maskers once.
    """
    left = dict(enumerate(tasks))
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="brainsieve-cohort-"))
        file = os.path.join(folder, "maskers.pickle")
        Path(file).write_bytes(pickle.dumps(ready))
        for attempt in range(1, TRIES + 1):
            alone = attempt == TRIES
            try:
                for number, found in _parallel(left.items(), file, n_jobs if not alone else 1, alone):
                    del left[number]
                    yield found
                return
            except TerminatedWorkerError:
                continue
    for task in left.values():
        reason = "the process that worked on this run died (killed, or out of memory)"
        yield [Outcome(task.run.path, one.name, "failed", reason) for one in task.strategies]


def _parallel(
    tasks: Iterable[tuple[int, Task]], file: str, n_jobs: int, alone: bool
) -> Iterator[tuple[int, list[Outcome]]]:
    numbered = list(tasks)
    parallel = Parallel(n_jobs=n_jobs, backend="loky", return_as="generator_unordered", pre_dispatch="2*n_jobs", batch_size=1)
    yield from parallel(delayed(_process_from)(number, task, file) for number, task in numbered)


def _process_from(number: int, task: Task, file: str) -> tuple[int, list[Outcome]]:
    return number, process(task, _read_maskers(file))


@lru_cache(maxsize=1)
def _read_maskers(file: str) -> Mapping[str, Prepared]:
    return pickle.loads(Path(file).read_bytes())


def _on_cluster(
    tasks: Sequence[Task], ready: Mapping[str, Prepared], scheduler: Any
) -> Iterator[list[Outcome]]:
    """Work on the workers of a Dask scheduler, which gives the runs of a lost worker to another."""
    from distributed import Client, as_completed

    with ExitStack() as stack:
        client = scheduler if isinstance(scheduler, Client) else stack.enter_context(Client(scheduler))
        maskers = client.scatter(ready, broadcast=True, hash=False)
        futures = {client.submit(process, task, maskers, pure=False, retries=TRIES): task for task in tasks}
        for future in as_completed(futures):
            error = future.exception()
            if error is None:
                yield future.result()
                continue
            task = futures[future]
            reason = f"the cluster lost this run: {type(error).__name__}: {' '.join(str(error).split())}"
            yield [Outcome(task.run.path, one.name, "failed", reason) for one in task.strategies]
