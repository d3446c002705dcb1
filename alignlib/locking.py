"""Update locking: what must be finished before a layer may learn, found by letting every array carry a clock.

Time is counted in matrix products that follow one another; everything else takes none, and whatever need not wait is
done at once. The input and the target are there at time 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alignlib._typing import Array
from alignlib.network import MLP
from alignlib.rules import Rule


@dataclass(frozen=True)
class Locking:
    """When each layer may learn, the layer next to the input first, the output layer last.

    ``forward`` is when the layer has its own pre-activation: 1, 2, …
    ``learns`` is when its input and its signal are both at hand; None if it never learns.
    ``peak`` is the largest number of activities of one example, the input among them, that are kept at the same time.
    """

    forward: tuple[int, ...]
    learns: tuple[int | None, ...]
    peak: int

    @property
    def waits(self) -> tuple[int | None, ...]:
        """Products between a layer's forward pass and its update: how long it is locked."""
        return tuple(None if t is None else t - own for t, own in zip(self.learns, self.forward, strict=True))

    @property
    def longest_wait(self) -> int:
        """The longest of them."""
        return max(wait for wait in self.waits if wait is not None)


class Clocked(np.ndarray[Any, Any]):
    """An array that knows when it is ready: after what it was made from, and one later if by a matrix product."""

    time: int

    def __array_finalize__(self, parent: Any) -> None:
        self.time = getattr(parent, "time", 0)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Do what was asked on plain arrays, and set the clock of the result."""
        ready = max(ready_at(value) for value in inputs) + (ufunc is np.matmul)
        if "out" in kwargs:
            kwargs["out"] = tuple(np.asarray(value) for value in kwargs["out"])
        result = getattr(ufunc, method)(*map(_plain, inputs), **kwargs)
        return clocked(result, ready) if isinstance(result, np.ndarray) else result


def clocked(array: Array, time: int = 0) -> Clocked:
    """Return a view of ``array`` that is ready at ``time``."""
    view = array.view(Clocked)
    view.time = time
    return view


def ready_at(value: Any) -> int:
    """Return when ``value`` is ready; what carries no clock was always there."""
    return int(getattr(value, "time", 0))


def locking(rule: Rule, network: MLP) -> Locking:
    """Find out when ``rule`` lets the layers of ``network`` learn, by asking the rule; nothing is changed by it."""
    x, y = (clocked(np.zeros((1, network.sizes[end]), network.dtype)) for end in (0, -1))
    trace = network.trace(x, target=y)
    inputs, signals = rule.lesson(network, trace, network.error(trace, y))
    return timetable(trace.inputs, [ready_at(a) for a in trace.pre_activations], inputs, signals)


def timetable(
    activities: Sequence[Array], forward: Sequence[int], inputs: Sequence[Array], signals: Sequence[Array | None]
) -> Locking:
    """Read the clocks of one example: what goes into each layer in the forward pass, and what it learns from.

    ``forward`` says when each layer has its pre-activation. ``inputs`` are ``activities`` themselves, or those of a
    second pass.
    """
    learns = tuple(
        None if delta is None else max(ready_at(h), ready_at(delta)) for h, delta in zip(inputs, signals, strict=True)
    )
    kept = _lifetimes(activities, forward, learns, uses_input=inputs is activities)
    if inputs is not activities:
        kept += [(h.size, ready_at(h), time) for h, time in zip(inputs, learns, strict=True) if time is not None]
    return Locking(tuple(forward), learns, _peak(kept))


def _lifetimes(
    inputs: Sequence[Array], forward: Sequence[int], learns: Sequence[int | None], uses_input: bool
) -> list[tuple[int, int, int]]:
    """Size, first and last moment of every activity of the forward pass.

    It is kept until the layer above has used it in its forward pass and, where it is half of the gradient, in its
    update; and until the layer itself has learned, which needs it for its slope.
    """
    lifetimes = []
    for i, h in enumerate(inputs):
        above = learns[i] if uses_input else None
        own = learns[i - 1] if i else None
        last = max(time for time in (forward[i], above, own) if time is not None)
        lifetimes.append((h.size, ready_at(h), last))
    return lifetimes


def _peak(lifetimes: Sequence[tuple[int, int, int]]) -> int:
    return max(sum(n for n, first, last in lifetimes if first <= time <= last) for _, time, _ in lifetimes)


def _plain(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, Clocked) else value
