"""Measure everything and write it down: python benchmarks/run.py [--rounds 9] [--only PART …]   (or `make bench`).

Contenders take turns in one process, with one BLAS thread each; ratios are taken within a round.
With --only, these parts are measured again and the others stay, if they are of this machine.
Writes benchmarks/results.json and the tables in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
# forced kernels would slow down one contender only: PyTorch brings its own products
for name in ("ALIGNLIB_STORE", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

import contenders
import growth
import jobs
import numpy as np
import report
import steps
from threadpoolctl import threadpool_info

import alignlib as al
from alignlib.parallel_layers import parallel_times
from alignlib.step_times import step_times

HERE = Path(__file__).resolve().parent


#: What is measured, in this order; how often the contenders take their turns is given to each.
PARTS: dict[str, Callable[[int], Any]] = {
    "jobs": lambda rounds: jobs.experiments_a_minute(rounds=3),
    "mnist_mebibytes": lambda rounds: jobs.peak_memory_of_mnist_run(),
    "books": lambda rounds: jobs.books(),
    "warm": lambda rounds: jobs.warm_rebuild(),
    "growth": growth.measure,
    "shares": lambda rounds: shares(rounds),
    "threads": lambda rounds: threads(rounds),
    "steps": steps.measure,
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=9, help="how often everything takes its turn")
    options.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    chosen = options.parse_args()
    if torch := contenders.torch_module():
        torch.set_num_threads(1)
    here = machine(torch)
    results: dict[str, Any] = {"date": date.today().isoformat(), "machine": here}
    if chosen.only:
        results = json.loads((HERE / "results.json").read_text(encoding="utf-8"))
        if results["machine"] != here:
            raise SystemExit(f"the other parts are of another machine, {results['machine']}; this is {here}.")
    for part in chosen.only or PARTS:
        print(f"{part} …", flush=True)
        results[part] = PARTS[part](chosen.rounds)
    (HERE / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    text = (HERE / "README.md").read_text(encoding="utf-8")
    (HERE / "README.md").write_text(report.fill(text, results), encoding="utf-8")
    print(report.goals(results))


def machine(torch: Any) -> dict[str, Any]:
    """Say what was measured on, without names or paths of it."""
    cpu = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": next(
            (f"OpenBLAS ({i['architecture']})" for i in threadpool_info() if "architecture" in i), "another BLAS"
        ),
        "torch": torch.__version__ if torch else None,
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []


def shares(rounds: int) -> list[dict[str, Any]]:
    """Return where the time of our own steps goes: shares of their parts, float32, batch 64, RMSprop."""
    base = al.Experiment(dtype="float32")
    wide = al.Experiment(dataset="mnist", dtype="float32") if os.environ.get("ALIGNLIB_DATA") else None
    shapes = [(base, (128, 128))] + ([(wide, (800, 800)), (wide, (240,) * 7)] if wide else [])
    rows = []
    for experiment, hidden in shapes:
        tried = al.grid(experiment, hidden=[hidden], rule=["bp", "dfa"])
        for times in step_times(tried, rounds=4 * rounds):
            rows.append(
                {"dataset": experiment.dataset, "hidden": hidden, "rule": times.experiment.rule, **times.shares}
            )
    return rows


def threads(rounds: int) -> list[dict[str, Any]]:
    """Return how much quicker the layers' work under DFA is on two threads: float32, batch 64, eight hidden layers."""
    rows = []
    for width in (64, 256, 1024):
        for gradients in (False, True):
            experiment = al.Experiment(hidden=(width,) * 8, dtype="float32")
            speedup = parallel_times(experiment, gradients=gradients, rounds=4 * rounds).speedup
            rows.append(
                {"width": width, "gradients": gradients, "quartiles": np.percentile(speedup, (25, 50, 75)).tolist()}
            )
    return rows


if __name__ == "__main__":
    main()
