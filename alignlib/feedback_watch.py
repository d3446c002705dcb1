"""Learned feedback from close by: how far it is from what it is to become, update by update."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from alignlib import metrics
from alignlib._typing import Array
from alignlib.errors import InvalidValue
from alignlib.experiments import Experiment
from alignlib.experiments.bench import Bench
from alignlib.rules import Rule


@dataclass(frozen=True, eq=False)
class Watched:
    """What was seen before training and after every so many updates.

    ``update`` has shape (records,); ``apart`` ‖B − Wᵀ‖, ``angle`` between B and Wᵀ in degrees, and ``size`` ‖B‖ / ‖W‖
    have shape (records, matrices), in the order of :meth:`alignlib.rules.Rule.pairs`, where in the place of Wᵀ stands
    what backprop would use. ``test_error`` is in percent, shape (records,).
    """

    update: Array
    apart: Array
    angle: Array
    size: Array
    test_error: Array

    @property
    def distance(self) -> Array:
        """‖B − Wᵀ‖ of all matrices together, as a share of what it was at first, shape (records,)."""
        together = np.sqrt(np.sum(self.apart**2, axis=1))
        share: Array = together / together[0]
        return share


def watch(experiment: Experiment, updates: int, every: int = 1, rule: type[Rule] | None = None) -> Watched:
    """Train for so many updates, whatever ``experiment.epochs`` says; ``rule`` as for a :class:`Bench`.

    Raises
    ------
    InvalidValue
        If ``updates`` or ``every`` is below 1.
    """
    if updates < 1 or every < 1:
        raise InvalidValue(f"updates and every must be at least 1; received {updates} and {every}.")
    bench = Bench(replace(experiment, epochs=updates), rule)  # an epoch has at least one update
    seen, rows = [0], [_row(bench)]
    with np.errstate(over="ignore", invalid="ignore"):  # what diverges ends in NaN
        for step in islice(bench.updates(), updates):
            if step.number % every == 0:
                seen.append(step.number)
                rows.append(_row(bench))
    apart, angle, size, error = (np.array(values) for values in zip(*rows, strict=True))
    return Watched(np.array(seen), apart, angle, size, error)


def _row(bench: Bench) -> tuple[list[float], list[float], list[float], float]:
    pairs = bench.rule.pairs(bench.network)
    return (
        [float(np.linalg.norm(B - W)) for B, W in pairs],
        [metrics.angle(B, W) for B, W in pairs],
        [float(np.linalg.norm(B) / np.linalg.norm(W)) for B, W in pairs],
        bench.test_error(),
    )
