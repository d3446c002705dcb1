"""Small stand-ins for results, with the attributes that plots read; every number is known."""

from dataclasses import dataclass

import numpy as np

RULES = ("bp", "fa", "dfa", "ifa", "shallow")


@dataclass(frozen=True)
class FakeExperiment:
    dataset: str = "digits"
    hidden: tuple[int, ...] = (8, 8)
    rule: str = "bp"
    learning_rate: float = 1e-3
    feedback_shared: bool = False
    seed: int = 0
    dtype: str = "float64"


@dataclass
class FakeResult:
    experiment: FakeExperiment
    curves: dict[str, np.ndarray]
    data_checksum: str = "c0ffee"


def fake(epochs: int = 3, **settings: object) -> FakeResult:
    """Test error = 10 * number of the rule + seed + epochs left; angles 90° - 10° * epoch * layer."""
    e = FakeExperiment(**settings)
    epoch = np.arange(epochs + 1.0)
    curves = {
        "epoch": epoch,
        "seconds": epoch * (1 + e.seed),
        "test_error": 10.0 * RULES.index(e.rule) + e.seed + epochs - epoch,
        "train_error": np.where(epoch == 0, np.nan, epoch),
        "delta_angle/1": 90 - 10 * epoch,
        "delta_angle/2": 90 - 20 * epoch,
    }
    return FakeResult(e, curves)


def fakes(rules: tuple[str, ...] = ("bp", "dfa"), seeds: int = 3, **settings: object) -> list[FakeResult]:
    return [fake(rule=rule, seed=seed, **settings) for rule in rules for seed in range(seeds)]
