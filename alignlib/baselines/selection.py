"""Features that are made without labels, a ridge readout on top, and the choice of settings on validation data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alignlib import metrics
from alignlib._typing import Array
from alignlib.baselines import least_squares
from alignlib.datasets import Dataset
from alignlib.errors import InvalidValue

Features = Callable[[Array], Array]
#: Called as ``make(x_train, rng, **setting)``; it may learn from the inputs, and never sees a label.
Make = Callable[..., Features]


@dataclass(frozen=True)
class Choice:
    """The setting and the ridge with the smallest ``loss`` on validation data, mean over the seeds.

    The loss is the normalised squared error, what the readout itself makes small; errors would be coarser to judge by.
    """

    setting: Mapping[str, Any]
    ridge: float
    loss: float


def choose(
    make: Make, settings: Sequence[Mapping[str, Any]], ridges: Sequence[float], data: Dataset, seeds: Sequence[int]
) -> Choice:
    """Try every setting with every ridge on the validation split of ``data``; of equal ones the first counts.

    Raises
    ------
    InvalidValue
        If there is nothing to choose from, or no seed.
    """
    if not settings or not ridges or not seeds:
        raise InvalidValue("needed: at least one setting, one ridge and one seed.")
    split, choices = data.split_validation(), []
    for setting in settings:
        losses = [_judged(metrics.normalised_squared_error, make, setting, ridges, split, seed) for seed in seeds]
        means = np.mean(losses, axis=0).tolist()
        choices += [Choice(setting, ridge, loss) for ridge, loss in zip(ridges, means, strict=True)]
    return min(choices, key=lambda choice: choice.loss)


def errors_on_test(make: Make, choice: Choice, data: Dataset, seeds: Sequence[int]) -> list[float]:
    """Return the percentage of test examples misclassified by a readout made with this choice, for each seed."""
    ridges = [choice.ridge]
    return [_judged(metrics.error_rate, make, choice.setting, ridges, data, seed)[0] for seed in seeds]


def _judged(
    measure: Callable[[Array, Array], float],
    make: Make,
    setting: Mapping[str, Any],
    ridges: Sequence[float],
    data: Dataset,
    seed: int,
) -> list[float]:
    """Measure readouts with each ridge on the test part of ``data``; the features are made once."""
    features = make(data.x_train, np.random.default_rng(seed), **setting)
    readouts = least_squares.fit_each(features(data.x_train), data.y_train, ridges)
    h = features(data.x_test)
    return [measure(readout.predict(h), data.y_test) for readout in readouts]
