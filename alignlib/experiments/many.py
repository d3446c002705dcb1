"""Many experiments at once, on any ``concurrent.futures.Executor``."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from multiprocessing.process import BaseProcess

from alignlib import datasets
from alignlib.errors import AlignlibError, InvalidValue
from alignlib.experiments.experiment import Experiment
from alignlib.experiments.result import Result
from alignlib.experiments.run import run, streams
from alignlib.experiments.store import Store
from alignlib.progress import progress

logger = logging.getLogger("alignlib")

_DIED = (
    "a worker process ended before its run did. In a script, put what calls run_many under "
    "`if __name__ == '__main__':`, since every worker imports the script; or pass workers=1. "
    "Otherwise memory may have run out: pass fewer workers."
)
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
        Number of processes without an executor; by default ALIGNLIB_WORKERS, or one a core.
        With one worker everything runs in this process.

    Raises
    ------
    AlignlibError
        If a run fails: the message names its experiment. What had finished by then is in the store.
    """
    store = store or _store_of_environment()
    done = _look_up(experiments, store)
    pending = [e for e in dict.fromkeys(experiments) if e not in done]
    for result in _finished(pending, executor, workers or _workers_of_environment(), show_progress):
        done[result.experiment] = result
        if store:
            store.put(result)
    return [done[experiment] for experiment in experiments]


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


def _finished(
    pending: Sequence[Experiment], executor: Executor | None, workers: int, show_progress: bool
) -> Iterator[Result]:
    """Yield results as they come in."""
    show = partial(progress, total=len(pending), what="experiments", unit="run") if show_progress else iter
    if executor is not None:
        yield from show(_submitted(pending, executor))
    elif workers == 1 or len(pending) <= 1:
        yield from (_run(experiment, show_progress) for experiment in pending)
    else:
        with _one_blas_thread(), _processes(min(workers, len(pending))) as pool:
            try:
                yield from show(_submitted(pending, pool))
            except BrokenProcessPool as problem:
                raise AlignlibError(_DIED) from problem


def _submitted(pending: Sequence[Experiment], executor: Executor) -> Iterator[Result]:
    futures = [executor.submit(_run, experiment, False) for experiment in pending]
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:  # one that fails, or a reader who stops listening, ends the rest
        for future in futures:
            future.cancel()


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


def _workers_of_environment() -> int:
    text = os.environ.get("ALIGNLIB_WORKERS", "")
    if not text:
        return os.cpu_count() or 1
    if not text.isdecimal() or int(text) < 1:
        raise InvalidValue(f"ALIGNLIB_WORKERS must be a whole number, at least 1; it is {text!r}.")
    return int(text)
