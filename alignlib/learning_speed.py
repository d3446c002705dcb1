"""How many examples a rule needs until its error is small, and which settings let it need the fewest."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from alignlib.errors import InvalidValue
from alignlib.experiments import Result

Setting = dict[str, float]


def examples_until(result: Result, level: float, curve: str = "test_error") -> float:
    """Return how many examples had been learned from when ``curve`` was first at or below ``level``.

    Read at the records of the run, so it is late by up to ``record_every`` steps; infinite if it never was.
    """
    reached = np.flatnonzero(result.curves[curve] <= level)
    if not reached.size:
        return math.inf
    return float(result.curves["step"][reached[0]]) * result.experiment.batch_size


def quickest(results: Sequence[Result], level: float, fields: Sequence[str] = ("learning_rate",)) -> dict[str, Setting]:
    """Return for each rule in ``results`` the values of ``fields`` with which it needs the fewest examples.

    Judged by :func:`examples_until`, mean over the seeds; a setting under which one seed never gets there is out.
    Of equal settings the first one counts.

    Raises
    ------
    InvalidValue
        If a result was not evaluated on validation data, or a rule gets there under none of its settings.
    """
    needed: dict[str, dict[tuple[float, ...], list[float]]] = {}
    for result in results:
        if result.experiment.evaluate != "validation":
            raise InvalidValue(
                f"settings are chosen on validation data; received a result evaluated on "
                f"{result.experiment.evaluate!r}. Give the experiments evaluate='validation'."
            )
        setting = tuple(getattr(result.experiment, field) for field in fields)
        needed.setdefault(result.experiment.rule, {}).setdefault(setting, []).append(examples_until(result, level))
    return {rule: _quickest(rule, level, by_setting, fields) for rule, by_setting in needed.items()}


def _quickest(rule: str, level: float, needed: dict[tuple[float, ...], list[float]], fields: Sequence[str]) -> Setting:
    best = min(needed, key=lambda setting: float(np.mean(needed[setting])))
    if math.isinf(float(np.mean(needed[best]))):
        raise InvalidValue(
            f"rule {rule!r} does not get to {level:g} on all seeds under any of its {len(needed)} settings of "
            f"{', '.join(fields)}. Give it more examples, other settings, or a higher level."
        )
    return dict(zip(fields, best, strict=True))
