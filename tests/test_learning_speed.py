"""Examples until a level is reached, and the settings that need the fewest."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import alignlib as al
from alignlib import InvalidValue
from alignlib.learning_speed import examples_until, quickest

EXPERIMENT = al.Experiment(dataset="linear-teacher", output="linear", batch_size=4, evaluate="validation")


def result(errors: list[float], **fields: object) -> al.Result:
    steps = 10.0 * np.arange(len(errors))
    experiment = replace(EXPERIMENT, **fields)  # type: ignore[arg-type]
    return al.Result(experiment, {"step": steps, "test_error": np.array(errors)}, "", 0.0, 0, {})


def test_counts_examples_up_to_the_first_record_at_the_level() -> None:
    run = result([1.0, 0.5, 0.1, 0.3, 0.05])
    assert examples_until(run, 0.1) == 2 * 10 * 4
    assert examples_until(run, 0.05) == 4 * 10 * 4
    assert examples_until(run, 1.0) == 0.0


def test_a_level_that_is_never_reached_takes_for_ever() -> None:
    assert math.isinf(examples_until(result([1.0, 0.5]), 0.1))
    assert math.isinf(examples_until(result([1.0, math.nan, math.inf]), 0.1))


def test_each_rule_gets_the_setting_with_the_smallest_mean() -> None:
    runs = [
        result([1.0, 1.0, 0.0], rule="bp", learning_rate=0.1, seed=0),
        result([1.0, 0.0, 0.0], rule="bp", learning_rate=0.1, seed=1),
        result([1.0, 0.0, 0.0], rule="bp", learning_rate=0.2, seed=0),
        result([1.0, 1.0, 1.0], rule="bp", learning_rate=0.2, seed=1),  # one seed never gets there: out
        result([1.0, 1.0, 0.0], rule="fa", learning_rate=0.1, init_scale=0.01),
        result([1.0, 0.0, 0.0], rule="fa", learning_rate=0.1, init_scale=0.5),
        result([1.0, 0.0, 0.0], rule="fa", learning_rate=0.3, init_scale=0.5),  # as good, but later
    ]
    assert quickest(runs[:4], 0.5) == {"bp": {"learning_rate": 0.1}}
    both = quickest(runs, 0.5, ["learning_rate", "init_scale"])
    assert both["fa"] == {"learning_rate": 0.1, "init_scale": 0.5}


def test_refuses_what_was_seen_on_the_test_set() -> None:
    with pytest.raises(InvalidValue, match="validation"):
        quickest([result([1.0], evaluate="test")], 0.5)


def test_says_which_rule_never_gets_there() -> None:
    with pytest.raises(InvalidValue, match=r"'shallow'.*learning_rate"):
        quickest([result([1.0, 1.0], rule="shallow")], 0.5)
