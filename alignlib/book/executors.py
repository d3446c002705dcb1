"""Where many runs are computed: processes on this machine, or the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from alignlib.errors import AlignlibError

_PATIENCE = "30s"


@contextmanager
def executor_at(scheduler: str | None) -> Iterator[Executor | None]:
    """Yield the executor of a Dask scheduler such as "tcp://127.0.0.1:8786"; None, for this machine, without one.

    Raises
    ------
    AlignlibError
        If Dask is not installed, or no scheduler answers there.
    """
    if scheduler is None:
        yield None
        return
    try:
        from dask.distributed import Client
    except ImportError:
        raise AlignlibError("a scheduler needs Dask, which is not installed: pip install 'alignlib[dask]'.") from None
    try:
        client = Client(scheduler, timeout=_PATIENCE, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as problem:
        raise AlignlibError(
            f"no Dask scheduler answers at {scheduler} ({problem}). Start one with `dask scheduler`, "
            f"and workers with `dask worker {scheduler} --nthreads 1 --nworkers 2`."
        ) from None
    with client, client.get_executor(pure=False) as executor:  # type: ignore[no-untyped-call]
        yield executor
