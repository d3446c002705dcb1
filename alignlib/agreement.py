"""When two measurements of one quantity agree: said before they are compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from alignlib.errors import InvalidValue
from alignlib.experiments import Experiment
from alignlib.published import Published, network_name

#: What is never called a disagreement, in percentage points: two runs of one protocol differ by this much.
LEAST_ALLOWED = 0.2
#: How many combined standard deviations may lie between the means.
DEVIATIONS = 2.0


@dataclass(frozen=True)
class Agreement:
    """How far our mean lies from a published one, and how far it may.

    ``difference`` is ours minus theirs; ``allowed`` the larger of :data:`DEVIATIONS` combined standard deviations and
    :data:`LEAST_ALLOWED`. With one run of ours its deviation is unknown, and only theirs is counted.
    """

    mean: float
    std: float
    n: int
    difference: float
    allowed: float

    @property
    def agrees(self) -> bool:
        """Whether the difference is allowed."""
        return abs(self.difference) <= self.allowed

    def __str__(self) -> str:
        return f"{self.difference:+.2f} (allowed ±{self.allowed:.2f})"


def agreement(ours: npt.ArrayLike, mean: float, std: float | None) -> Agreement:
    """Compare our values, one a seed, with a published mean and standard deviation (None if there is none).

    Raises
    ------
    InvalidValue
        If there is no value of ours, or one is not finite.
    """
    values = np.asarray(ours, np.float64)
    if values.ndim != 1 or not values.size or not np.all(np.isfinite(values)):
        raise InvalidValue(f"our values must be a row of finite numbers; received {values.tolist()}.")
    own_std = float(np.std(values, ddof=1)) if values.size > 1 else math.nan
    combined = math.hypot(std or 0.0, own_std if values.size > 1 else 0.0)
    own_mean = float(np.mean(values))
    return Agreement(own_mean, own_std, values.size, own_mean - mean, max(DEVIATIONS * combined, LEAST_ALLOWED))


class Finished(Protocol):
    """What is read of a result or a record."""

    @property
    def experiment(self) -> Experiment:
        """What was run."""

    def final(self, curve: str) -> float:
        """Return the last value of a curve."""


@dataclass(frozen=True)
class Row:
    """One network under one rule: what was published, and our runs, the smallest seed first."""

    network: str
    rule: str
    published: Published
    runs: Sequence[Finished]

    @property
    def errors(self) -> list[float]:
        """Test error at the end of each run, percent."""
        return [run.final("test_error") for run in self.runs]

    @property
    def agreement(self) -> Agreement:
        """Whether ours agree with the published number."""
        return agreement(self.errors, self.published.mean, self.published.std)


def side_by_side(published: Iterable[Published], runs: Iterable[Finished]) -> list[Row]:
    """Return a row for every published number that we have runs of, in the order of the publication."""
    ours: dict[tuple[str, str], list[Finished]] = {}
    for run in sorted(runs, key=lambda run: run.experiment.seed):
        ours.setdefault((network_name(run.experiment), run.experiment.rule), []).append(run)
    return [
        Row(each.network, each.rule, each, ours[each.network, each.rule])
        for each in published
        if (each.network, each.rule) in ours
    ]
