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
    """The setting and the ridge with the smallest ``error`` on validation data, in percent, mean over the seeds."""

    setting: Mapping[str, Any]
    ridge: float
    error: float


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
    split, best = data.split_validation(), None
    for setting in settings:
        errors = np.mean([_errors(make, setting, ridges, split, seed) for seed in seeds], axis=0)
        for ridge, error in zip(ridges, errors.tolist(), strict=True):
            if best is None or error < best.error:
                best = Choice(setting, ridge, error)
    assert best is not None
    return best


def errors_on_test(make: Make, choice: Choice, data: Dataset, seeds: Sequence[int]) -> list[float]:
    """Return the percentage of test examples misclassified by a readout made with this choice, for each seed."""
    return [_errors(make, choice.setting, [choice.ridge], data, seed)[0] for seed in seeds]


def _errors(make: Make, setting: Mapping[str, Any], ridges: Sequence[float], data: Dataset, seed: int) -> list[float]:
    features = make(data.x_train, np.random.default_rng(seed), **setting)
    readouts = least_squares.fit_each(features(data.x_train), data.y_train, ridges)
    h = features(data.x_test)
    return [metrics.error_rate(readout.predict(h), data.y_test) for readout in readouts]
