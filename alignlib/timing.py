"""Wall times that can be compared: what is to be compared runs in turns, so that a disturbance hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

from alignlib._typing import Array
from alignlib.errors import InvalidValue


def interleaved(
    functions: Mapping[str, Callable[[], object]],
    repeats: int,
    *,
    calls: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Array]:
    """Return the seconds that one call of each function took, by name: arrays of shape (repeats,).

    Each repeat times every function once, the next repeat in the opposite order; a first round is not counted.
    A time is the mean over ``calls`` calls in a row: more of them where one is too short for the clock.
    Compare medians, or ratios within a repeat: the mean is at the mercy of a single interruption.

    Raises
    ------
    InvalidValue
        If ``repeats`` or ``calls`` is below 1, or there is no function.
    """
    if repeats < 1 or calls < 1 or not functions:
        raise InvalidValue(
            f"timing needs a function, repeats ≥ 1 and calls ≥ 1; received {len(functions)}, {repeats}, {calls}."
        )
    seconds = {name: np.empty(repeats) for name in functions}
    _round(functions, calls, clock)
    for repeat in range(repeats):
        order = list(functions) if repeat % 2 == 0 else list(functions)[::-1]
        for name, taken in _round({name: functions[name] for name in order}, calls, clock).items():
            seconds[name][repeat] = taken
    return seconds


def _round(functions: Mapping[str, Callable[[], object]], calls: int, clock: Callable[[], float]) -> dict[str, float]:
    taken = {}
    for name, function in functions.items():
        start = clock()
        for _ in range(calls):
            function()
        taken[name] = (clock() - start) / calls
    return taken
