"""Many experiments at once, on any ``concurrent.futures.Executor``."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from functools import partial
from itertools import groupby
from multiprocessing.process import BaseProcess
from typing import TypeVar

from alignlib import datasets
from alignlib.errors import AlignlibError, InvalidValue
from alignlib.experiments.experiment import Experiment
from alignlib.experiments.result import Result
from alignlib.experiments.run import run, streams
from alignlib.experiments.store import Store
from alignlib.progress import progress

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")

logger = logging.getLogger("alignlib")

_DIED = (
    "a worker process ended before its run did. In a script, put what calls run_many under "
    "`if __name__ == '__main__':`, since every worker imports the script; or pass workers=1. "
    "Otherwise memory may have run out: pass fewer workers."
)
_CHANCES = 1
_BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def run_many(
    experiments: Sequence[Experiment],
    executor: Executor | None = None,
    *,
    store: Store | None = None,
    workers: int | None = None,
    show_progress: bool = True,
) -> list[Result]:
    """Return the results of all experiments, in their order; equal experiments run once.

    Parameters
    ----------
    executor
        Where they run; by default processes on this machine, each with one BLAS thread.
    store
        Where finished results are kept and looked up; by default the folder named by the environment variable
        ALIGNLIB_STORE, and nowhere if it names none.
    workers
        Number of processes without an executor; by default ALIGNLIB_WORKERS, or one for each processor that this
        process may use. With one worker everything runs in this process.

    Raises
    ------
    AlignlibError
        If a run fails: the message names its experiment. What had finished by then is in the store.
    """
    done: dict[Experiment, Result] = {}
    each = run_each(experiments, executor, store=store, workers=workers, show_progress=show_progress)
    with closing(each):
        for experiment, outcome in each:
            if isinstance(outcome, Exception):
                raise outcome
            done[experiment] = outcome
    return [done[experiment] for experiment in experiments]


def run_each(
    experiments: Sequence[Experiment],
    executor: Executor | None = None,
    *,
    store: Store | None = None,
    workers: int | None = None,
    show_progress: bool = True,
) -> Generator[tuple[Experiment, Result | Exception], None, None]:
    """Yield each experiment once with its result, or the error that it ended with, as they come in.

    Parameters as :func:`run_many`. A run that fails does not touch the others; to stop listening ends those that have
    not begun.
    """
    store = store or _store_of_environment()
    done = _look_up(experiments, store)
    yield from done.items()
    pending = [e for e in dict.fromkeys(experiments) if e not in done]
    workers = workers or _workers_of_environment()
    alone = executor is None and (workers == 1 or len(pending) <= 1)
    outcomes = work(partial(_run, show_progress=show_progress and alone), pending, executor, workers=workers)
    if show_progress and not alone:
        outcomes = progress(outcomes, total=len(pending), what="experiments", unit="run")
    for experiment, outcome in outcomes:
        if store and isinstance(outcome, Result):
            store.put(outcome)
        yield experiment, outcome


def _look_up(experiments: Sequence[Experiment], store: Store | None) -> dict[Experiment, Result]:
    if store is None:
        return {}
    done: dict[Experiment, Result] = {}
    reasons = []
    for experiment in dict.fromkeys(experiments):
        checksum = datasets.checksum(experiment.dataset, rng=streams(experiment.seed)["data"])
        result, why = store.get(experiment, checksum)
        if result:
            done[experiment] = result
        else:
            reasons.append(why)
    for why, same in groupby(sorted(reasons)):
        logger.info("running %d of %d: %s", len(list(same)), len(experiments), why)
    return done


def work(
    function: Callable[[Task], Outcome],
    tasks: Sequence[Task],
    executor: Executor | None = None,
    *,
    workers: int | None = None,
) -> Iterator[tuple[Task, Outcome | Exception]]:
    """Yield each task with what ``function`` gave for it, or with the error that it raised, as they come in.

    Without an executor the tasks go to as many processes on this machine, each with one BLAS thread; with one worker,
    or one task, they run in this process. Processes that die take no other task with them: what they left undone is
    begun again, until ``_CHANCES`` times in a row nothing was done by it.
    """
    workers = workers or _workers_of_environment()
    if executor is not None:
        yield from _submitted(function, tasks, executor)
    elif workers == 1 or len(tasks) <= 1:
        yield from ((task, _attempt(function, task)) for task in tasks)
    else:
        yield from _in_processes(function, tasks, workers)


def _in_processes(
    function: Callable[[Task], Outcome], tasks: Sequence[Task], workers: int
) -> Iterator[tuple[Task, Outcome | Exception]]:
    left, chances = list(tasks), _CHANCES
    while left:
        undone: list[Task] = []
        with _one_blas_thread(), _processes(min(workers, len(left))) as pool:
            for task, outcome in _submitted(function, left, pool):
                if not isinstance(outcome, BrokenProcessPool):
                    yield task, outcome
                elif chances:
                    undone.append(task)
                else:
                    yield task, AlignlibError(_DIED)
        chances -= len(undone) == len(left)
        left = undone


def _submitted(
    function: Callable[[Task], Outcome], tasks: Sequence[Task], executor: Executor
) -> Iterator[tuple[Task, Outcome | Exception]]:
    futures = {executor.submit(function, task): task for task in tasks}
    try:
        for future in as_completed(futures):
            yield futures[future], _attempt(Future.result, future)
    finally:  # a reader who stops listening ends the rest
        for future in futures:
            future.cancel()


def _attempt(function: Callable[[Task], Outcome], task: Task) -> Outcome | Exception:
    try:
        return function(task)
    except Exception as problem:
        return problem


def _run(experiment: Experiment, show_progress: bool) -> Result:
    try:
        return run(experiment, show_progress=show_progress)
    except AlignlibError:
        raise
    except Exception as problem:
        raise AlignlibError(f"{type(problem).__name__}: {problem}, in {experiment}") from problem


def _processes(workers: int) -> ProcessPoolExecutor:
    # "spawn": a forked child would inherit BLAS threads of its parent in an unknown state
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent)


def _end_with_parent() -> None:
    """End this worker when its parent is killed; by itself it would wait for more work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Give child processes one BLAS thread each: side by side, more make them several times slower."""
    before = {name: os.environ.get(name) for name in _BLAS_THREADS}
    os.environ.update(dict.fromkeys(_BLAS_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _store_of_environment() -> Store | None:
    folder = os.environ.get("ALIGNLIB_STORE")
    return Store(folder) if folder else None


def processors() -> int:
    """Return how many processors this process may use: in a container or under ``taskset`` fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _workers_of_environment() -> int:
    text = os.environ.get("ALIGNLIB_WORKERS", "")
    if not text:
        return processors()
    if not text.isdecimal() or int(text) < 1:
        raise InvalidValue(f"ALIGNLIB_WORKERS must be a whole number, at least 1; it is {text!r}.")
    return int(text)
