"""Choosing a hyper-parameter for each rule, and how much the choice matters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alignlib._typing import Array
from alignlib.errors import InvalidValue
from alignlib.experiments import Result


@dataclass(frozen=True)
class Choice:
    """What a sweep says about one rule.

    ``value`` has the smallest error, mean over the seeds (the smallest value, if several share it); ``error`` is
    that mean. From ``low`` to ``high`` around it the mean error stays within the margin of the best, read between
    the values tried along straight lines over the logarithm of the value.
    ``open_low`` and ``open_high``: the sweep ends there, the range may not.
    ``careful`` is the smallest value tried in that range: with a learning rate the choice that does as well and is the
    easiest to repeat, since training close to the largest usable rate amplifies rounding errors.
    """

    value: float
    careful: float
    error: float
    low: float
    high: float
    open_low: bool
    open_high: bool

    @property
    def factor(self) -> float:
        """How many times larger the largest usable value is than the smallest."""
        return self.high / self.low

    @property
    def at_edge(self) -> bool:
        """Whether the best value is the first or the last that was tried."""
        return (self.open_low and self.value == self.low) or (self.open_high and self.value == self.high)

    @property
    def factor_text(self) -> str:
        """The factor for people; "≥" where the sweep ended before the usable range did."""
        return f"{'≥ ' if self.open_low or self.open_high else ''}{self.factor:.1f}"


def choose_for_each_rule(
    results: Sequence[Result], margin: float, field: str = "learning_rate", curve: str = "test_error"
) -> dict[str, Choice]:
    """Return the choice of ``field`` for each rule in ``results``, by the last value of ``curve``.

    Raises
    ------
    InvalidValue
        If a result was not evaluated on validation data, a margin is negative, or a value of ``field`` is not positive.
    """
    if margin < 0:
        raise InvalidValue(f"margin must not be negative; received {margin}.")
    for result in results:
        if result.experiment.evaluate != "validation":
            raise InvalidValue(
                f"a hyper-parameter is chosen on validation data; received a result evaluated on "
                f"{result.experiment.evaluate!r}. Give the experiments evaluate='validation'."
            )
    errors: dict[str, dict[float, list[float]]] = {}
    for result in results:
        value = float(getattr(result.experiment, field))
        if value <= 0:
            raise InvalidValue(f"{field} must be positive to be read over its logarithm; received {value}.")
        errors.setdefault(result.experiment.rule, {}).setdefault(value, []).append(result.final(curve))
    return {rule: _choice(by_value, margin) for rule, by_value in errors.items()}


def at_best(
    results: Sequence[Result],
    by: Sequence[str] = ("rule", "hidden"),
    field: str = "learning_rate",
    curve: str = "test_error",
) -> list[Result]:
    """Return, for each combination of the fields ``by``, only the runs at its best value of ``field``.

    The same choice as :func:`choose_for_each_rule`, made again wherever a field in ``by`` has another value.
    """
    groups: dict[tuple[object, ...], list[Result]] = {}
    for result in results:
        groups.setdefault(tuple(getattr(result.experiment, name) for name in by), []).append(result)
    kept = []
    for group in groups.values():
        (best,) = {choice.value for choice in choose_for_each_rule(group, 0.0, field, curve).values()}
        kept += [result for result in group if getattr(result.experiment, field) == best]
    return kept


def _choice(errors: dict[float, list[float]], margin: float) -> Choice:
    values = sorted(errors)
    means = np.array([np.mean(errors[value]) for value in values])
    means[~np.isfinite(means)] = math.inf
    best = int(np.argmin(means))
    limit = float(means[best]) + margin
    low, open_low = _reach(values[best::-1], means[best::-1], limit)
    high, open_high = _reach(values[best:], means[best:], limit)
    careful = min(value for value in values if value >= low)
    return Choice(values[best], careful, float(means[best]), low, high, open_low, open_high)


def _reach(values: Sequence[float], means: Array, limit: float) -> tuple[float, bool]:
    """Walk away from the best value; return where the mean first passes ``limit``, and whether it never does."""
    for i in range(1, len(values)):
        if means[i] > limit:
            share = (limit - means[i - 1]) / (means[i] - means[i - 1])
            return values[i - 1] * (values[i] / values[i - 1]) ** float(share), False
    return values[-1], True
