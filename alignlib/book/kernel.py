"""One notebook through papermill, in a kernel of this very Python and untouched by the reader's settings."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import AsyncKernelManager

from alignlib.book.arithmetics import OWN, Arithmetic
from alignlib.errors import AlignlibError

KERNEL_METADATA = {"display_name": "Python 3", "language": "python", "name": "python3"}
INJECTED = "injected-parameters"
BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
SOCKET_PATH_LIMIT = 100  # bytes of a Unix socket's path: 107 on Linux, 103 on macOS; the names end in `-ipc-5`


# What papermill logs ("Kernel died …") is in our own account of a failure; without this it would go to the screen.
logging.getLogger("papermill").addHandler(logging.NullHandler())


class ChapterFailed(AlignlibError):
    """A cell of a chapter failed; the text names the chapter, the cell, its source and the error."""


class Stopped(Exception):
    """The kernels were stopped on purpose while the notebook ran."""


@dataclass(frozen=True)
class Place:
    """Where a notebook runs: its name for people, working folder, environment and a temporary folder."""

    title: str
    folder: Path
    environment: Mapping[str, str]
    temporary: Path


def run_notebook(
    notebook: nbformat.NotebookNode,
    values: Mapping[str, object],
    place: Place,
    on_cell: Callable[[], None] = lambda: None,
) -> nbformat.NotebookNode:
    """Return the executed notebook with the values injected, free of traces of when and where it ran.

    Parameters
    ----------
    notebook
        Version 4.5; it is not changed.
    values
        Already checked; nothing is injected where there are none.
    place
        Where it runs.
    on_cell
        Called after each cell.

    Raises
    ------
    ChapterFailed
        If a cell fails or the kernel dies.
    Stopped
        If :func:`stop_kernels` was called meanwhile.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    position = _Position()

    def started(cell: Any, cell_index: int) -> None:
        position.index, position.source = cell_index, cell.source

    def executed(cell: Any, cell_index: int, execute_reply: Any) -> None:
        on_cell()

    def failure(summary: str, traceback: Sequence[str] = ()) -> ChapterFailed:
        # papermill counts its injected cell too; readers count the cells of the chapter they have open
        shift = 1 if values and position.index > _parameters_index(notebook) else 0
        number = position.index + 1 - shift
        return ChapterFailed(
            describe_failure(place.title, number, len(notebook.cells), position.source, summary, traceback)
        )

    try:
        result = papermill.execute_notebook(
            notebook,
            None,  # nothing is written on the way: a failure leaves no file behind
            parameters=dict(values),
            kernel_name="python3",
            language="python",
            progress_bar=False,
            kernel_manager_class=_manager_class(place),
            resources={"metadata": {"path": str(place.folder)}},  # papermill's own cwd changes the whole process
            record_timing=False,
            coalesce_streams=True,
            iopub_timeout=60,
            on_cell_start=started,
            on_cell_executed=executed,
        )
    except PapermillExecutionError as error:
        raise failure(f"{error.ename}: {error.evalue}", error.traceback) from None
    except (DeadKernelError, RuntimeError) as error:
        if _stopping.is_set():
            raise Stopped from None
        raise failure(f"{error}{_last_words(place)}") from None
    return scrub(result, notebook)


def scrub(executed: nbformat.NotebookNode, source: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the executed notebook without times, paths, papermill's notes and random identifiers.

    Two executions of one notebook are then equal, and nothing in them tells on whose machine they ran.
    """
    metadata = {key: value for key, value in source.metadata.items() if key not in ("papermill", "widgets")}
    metadata["kernelspec"] = dict(KERNEL_METADATA)
    metadata["language_info"] = {"name": "python", "file_extension": ".py", "pygments_lexer": "ipython3"}
    executed.metadata = nbformat.from_dict(metadata)  # type: ignore[no-untyped-call]
    for cell in executed.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]  # papermill gives every cell an empty list
        if INJECTED in cell.metadata.get("tags", []):
            cell.id = INJECTED
    return executed


def describe_failure(title: str, number: int, cells: int, source: str, summary: str, traceback: Sequence[str]) -> str:
    """Return the account of a failed cell: chapter, cell number, its source, the error and a short traceback."""
    lines = [f"chapter {title} failed in cell {number} of {cells}:", ""]
    lines += [f"  {line}" for line in source.rstrip().splitlines()]
    lines += ["", *(f"  {line}" for line in summary.splitlines())]
    frames = short_traceback(traceback)
    return "\n".join([*lines, *(["", *(f"  {frame}" for frame in frames)] if frames else [])])


def short_traceback(traceback: Sequence[str]) -> list[str]:
    """Return where each frame of IPython's traceback is and the line it stopped at, without colours."""
    plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", "\n".join(traceback))
    frames: list[str] = []
    for line in plain.splitlines():
        if re.match(r"(File |Cell In)", line):
            frames.append(_relative(line.strip()))
        elif line.lstrip().startswith("-->") or re.match(r"-+> ?\d", line):
            frames.append("    " + re.sub(r"^-+>\s*\d*\s*", "", line.strip()))
    return frames[-12:]


def stop_kernels() -> None:
    """Kill every kernel that runs, with the processes it started; their notebooks end with `Stopped`."""
    _stopping.set()
    with _guard:
        running = list(_running)
    for manager in running:
        _kill(manager)


def allow_kernels() -> None:
    """Let notebooks run again after :func:`stop_kernels`."""
    _stopping.clear()


def environment(root: Path, profile: str, workers: int, under: Arithmetic = OWN) -> dict[str, str]:
    """Return the environment of a chapter's kernel.

    One BLAS thread for each process, since processes run side by side; the store, the number of processes and
    the profile for the chapter; the alignlib that runs this build; none of the reader's own Matplotlib backend.
    Another arithmetic than this machine's own has a store of its own.
    """
    values = {key: value for key, value in os.environ.items() if key not in ("MPLBACKEND", "PYTHONSTARTUP")}
    values.update(dict.fromkeys(BLAS_THREADS, "1"))
    store = values.get("ALIGNLIB_STORE") if under == OWN else None
    values["ALIGNLIB_STORE"] = str(Path(store or root / "_build" / under.folder / "store").resolve())
    if values.get("ALIGNLIB_DATA"):
        values["ALIGNLIB_DATA"] = str(Path(values["ALIGNLIB_DATA"]).resolve())  # the kernel works elsewhere
    values["ALIGNLIB_WORKERS"] = values.get("ALIGNLIB_WORKERS") or str(workers)
    values["ALIGNLIB_PROFILE"] = profile
    values["PYTHONHASHSEED"] = "0"
    # what fetches data brings a progress bar, which would say in the middle of a chapter that it cannot be shown there
    values["PYTHONWARNINGS"] = ",".join(filter(None, [values.get("PYTHONWARNINGS"), "ignore:IProgress not found"]))
    package = str(Path(__file__).resolve().parents[2])
    values["PYTHONPATH"] = os.pathsep.join(filter(None, [package, values.get("PYTHONPATH", "")]))
    return {**values, **under.environment}


@dataclass
class _Position:
    """The cell that runs now, counted from 0 as papermill counts."""

    index: int = 0
    source: str = ""


def _parameters_index(notebook: nbformat.NotebookNode) -> int:
    tagged = [i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])]
    return tagged[0] if tagged else -1


_stopping = threading.Event()
_guard = threading.Lock()
_running: set[AsyncKernelManager] = set()


def _manager_class(place: Place) -> type[AsyncKernelManager]:
    """Return a kernel manager for this place; nbclient makes the instance itself and takes a class only."""
    place.temporary.mkdir(parents=True, exist_ok=True)

    class Manager(AsyncKernelManager):
        """A kernel of this Python: not the one that a kernel specification in the reader's home names."""

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.connection_file = str(place.temporary / "kernel.json")
            if sys.platform != "win32" and len(os.fsencode(self.connection_file)) < SOCKET_PATH_LIMIT:
                self.transport = "ipc"

        def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
            command = [sys.executable, "-m", "ipykernel_launcher", "-f", self.connection_file]
            return command + (extra_arguments or [])

        async def _async_pre_start_kernel(self, **options: Any) -> tuple[list[str], dict[str, Any]]:
            # IPython's profile and history: the reader's start-up files have no say in the book
            settings = {**place.environment, "IPYTHONDIR": str(place.temporary / "ipython")}
            command, options = await super()._async_pre_start_kernel(**options, env=settings)
            return command, options

        async def _async_launch_kernel(self, kernel_cmd: list[str], **options: Any) -> None:
            with (place.temporary / "kernel.log").open("wb") as log, _guard:
                if _stopping.is_set():
                    raise Stopped
                await super()._async_launch_kernel(kernel_cmd, stdout=log, stderr=log, **options)
                _running.add(self)

        async def _async_cleanup_resources(self, restart: bool = False) -> None:
            with _guard:
                _running.discard(self)
            await super()._async_cleanup_resources(restart)

        cleanup_resources = _async_cleanup_resources

    return Manager


def _kill(manager: AsyncKernelManager) -> None:
    process = getattr(manager.provisioner, "process", None)
    if process is None:
        return
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)  # a kernel leads its own group: its workers go with it
        else:
            process.kill()


def _last_words(place: Place) -> str:
    log = place.temporary / "kernel.log"
    text = log.read_text(encoding="utf-8", errors="replace").strip() if log.exists() else ""
    if not text:
        return "\n  It said nothing; the operating system may have ended it for want of memory."
    return "".join(f"\n  {line}" for line in text.splitlines()[-8:])


def _relative(line: str) -> str:
    """Return a traceback's header with a path as one would write it from here."""
    match = re.match(r"File (.+?):(\d+)(.*)", line)
    if not match:
        return line
    path = Path(match[1]).expanduser()
    with suppress(ValueError):
        path = path.relative_to(Path.cwd())
    return f"File {path}:{match[2]}{match[3]}"
