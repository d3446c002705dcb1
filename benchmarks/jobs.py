"""Whole jobs: many experiments on one and two workers, memory, and the book against Jupyter Book's own execution."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import alignlib as al

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable


def experiments_a_minute(rounds: int, count: int = 48) -> dict[str, Any]:
    """Return experiments per minute with one and two worker processes, in turns, and the speed-up of each round."""
    experiments = al.grid(al.Experiment(epochs=40), rule=["bp", "fa", "dfa", "ifa"], seed=range(count // 4))
    taken: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for workers, seconds in taken.items():
            start = time.perf_counter()
            al.run_many(experiments, workers=workers, show_progress=False)
            seconds.append(time.perf_counter() - start)
    rates = {workers: [60 * len(experiments) / s for s in seconds] for workers, seconds in taken.items()}
    return {"rates": rates, "speedup": [one / two for one, two in zip(taken[1], taken[2], strict=True)]}


def peak_memory_of_mnist_run() -> float | None:
    """Return MiB that a process needs at most for one 2×800 run on MNIST; None where the data are not at hand."""
    if not os.environ.get("ALIGNLIB_DATA"):
        return None
    # getrusage would tell the memory of this process, PyTorch included: what a child inherits counts there as its own
    code = (
        "import alignlib as al;"
        "al.run(al.Experiment(dataset='mnist', hidden=(800, 800), learning_rate=1e-4, epochs=1, rule='dfa',"
        " dtype='float32'));"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout) / 1024


def warm_rebuild() -> float:
    """Return the seconds of a build of the digits book of this very folder when nothing has changed since the last."""
    build = [PYTHON, "-m", "alignlib.cli", "build"]
    _timed(build, ROOT)
    return _timed(build, ROOT)[0]


def books() -> dict[str, float]:
    """Return seconds and peak MiB of the digits book: ours cold, and executed by Jupyter Book itself.

    Nothing tells Jupyter Book's kernels how many processes to use, so there the experiments of a cell run on all cores.
    """
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "book")
        shutil.copytree(ROOT, clone, ignore=shutil.ignore_patterns("_build", ".git", ".venv*", "runs"))
        build = [PYTHON, "-m", "alignlib.cli", "build"]
        cold, memory = _timed(build, clone)
        _let_jupyter_book_execute(clone)
        peer, _ = _timed([Path(PYTHON).with_name("jupyter-book"), "build", "_peer"], clone)
        if not any((clone / "_peer" / "_build" / "html").glob("chapters/*.html")):
            raise SystemExit("Jupyter Book built no chapter: there is nothing to compare with.")
        return {"cold": cold, "peer": peer, "memory": memory}


def _let_jupyter_book_execute(clone: Path) -> None:
    """Lay out the same book so that Jupyter Book runs the notebooks itself, one after another."""
    staging, peer = clone / "_build" / "digits" / "staging", clone / "_peer"
    shutil.copytree(staging, peer)
    for notebook in (clone / "chapters").glob("*.ipynb"):
        shutil.copy(notebook, peer / "chapters" / notebook.name)
    config = peer / "_config.yml"
    text = config.read_text(encoding="utf-8")
    config.write_text(
        text.replace('execute_notebooks: "off"', 'execute_notebooks: "force"\n  timeout: 600'), encoding="utf-8"
    )


def _timed(command: Sequence[Any], folder: Path) -> tuple[float, float]:
    """Return (seconds, peak MiB of the process and all below it), watched ten times a second."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "OPENBLAS_NUM_THREADS": "1"}
    environment.pop("ALIGNLIB_STORE", None)
    start = time.perf_counter()
    process = subprocess.Popen(list(map(str, command)), cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    peak = _PeakMemory(process.pid)
    peak.start()
    if process.wait():
        raise SystemExit(f"{command} failed in {folder}")
    seconds = time.perf_counter() - start
    peak.finished.set()
    peak.join()
    return seconds, peak.mebibytes


class _PeakMemory(threading.Thread):
    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self.pid, self.mebibytes, self.finished = pid, 0.0, threading.Event()

    def run(self) -> None:
        import psutil

        while not self.finished.wait(0.1):
            try:
                family = [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
                used = sum(_proportional(process) for process in family)
            except psutil.NoSuchProcess:
                continue
            self.mebibytes = max(self.mebibytes, used / 2**20)


def _proportional(process: Any) -> float:
    import psutil

    try:
        return float(process.memory_full_info().pss)  # pages shared by several processes count once
    except psutil.Error:
        return 0.0
