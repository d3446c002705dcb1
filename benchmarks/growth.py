"""How cost grows: slopes of log-log fits, so 1 means "twice as much takes twice as long"."""

from __future__ import annotations

import time
from collections.abc import Callable

import contenders
import numpy as np

import alignlib as al
from alignlib.timing import interleaved

STEPS: dict[str, tuple[tuple[int, ...], Callable[[int], tuple[list[int], int]]]] = {
    "depth (hidden layers of 240)": ((4, 8, 16, 32, 64), lambda n: ([240, *[240] * n, 10], 64)),
    "width (of four hidden layers)": ((64, 128, 256, 512, 1024), lambda n: ([n, n, n, n, n, 10], 64)),
    "batch (784-800-800-10)": ((16, 32, 64, 128, 256), lambda n: ([784, 800, 800, 10], n)),
}
EXPERIMENTS = (8, 16, 32)


def measure(rounds: int) -> list[dict[str, object]]:
    """Return one row a quantity: what it was set to, median seconds, and the slope."""
    rows = [_row(what, values, _steps(values, make, rounds)) for what, (values, make) in STEPS.items()]
    rows.append(_row("number of experiments (two workers)", EXPERIMENTS, [_experiments(n) for n in EXPERIMENTS]))
    return rows


def _steps(values: tuple[int, ...], make: Callable[[int], tuple[list[int], int]], rounds: int) -> list[float]:
    steps = {str(value): contenders.ours(*make(value), "rmsprop", "bp") for value in values}
    return [float(np.median(seconds)) for seconds in interleaved(steps, rounds, calls=2).values()]


def _experiments(count: int) -> float:
    experiments = al.grid(al.Experiment(epochs=40), seed=range(count))
    start = time.perf_counter()
    al.run_many(experiments, workers=2, show_progress=False)
    return time.perf_counter() - start


def _row(what: str, values: tuple[int, ...], seconds: list[float]) -> dict[str, object]:
    slope = float(np.polyfit(np.log(values), np.log(seconds), 1)[0])
    return {"what": what, "values": list(values), "seconds": seconds, "slope": slope}
