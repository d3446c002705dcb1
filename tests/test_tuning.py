import math

import numpy as np
import pytest

import alignlib as al
from alignlib.tuning import at_best, choose_for_each_rule

BASE = al.Experiment(evaluate="validation")


def sweep(errors, rule="bp", base=BASE):
    """Results whose error at each rate is given: a list of seeds, or one number."""
    results = []
    for rate, each in errors.items():
        for seed, error in enumerate(np.atleast_1d(each)):
            experiment = al.grid(base, rule=[rule], learning_rate=[rate], seed=[seed])[0]
            results.append(al.Result(experiment, {"test_error": np.array([90.0, error])}, "", 0.0, 0, {}))
    return results


def test_the_rate_with_the_smallest_mean_is_chosen_for_each_rule():
    results = sweep({0.001: [5, 7], 0.01: [3, 1], 0.1: [0, 9]}) + sweep({0.001: 4, 0.01: 2, 0.1: 1}, "dfa")
    chosen = choose_for_each_rule(results, margin=0.5)
    assert {rule: choice.value for rule, choice in chosen.items()} == {"bp": 0.01, "dfa": 0.1}
    assert chosen["bp"].error == 2.0
    assert not chosen["bp"].at_edge
    assert chosen["dfa"].at_edge


def test_the_usable_range_is_read_between_the_rates():
    choice = choose_for_each_rule(sweep({1e-3: 5, 1e-2: 1, 1e-1: 3, 1.0: 50}), margin=2.0)["bp"]
    assert choice.low == pytest.approx(10**-2.5)
    assert choice.high == pytest.approx(0.1)
    assert (choice.open_low, choice.open_high) == (False, False)
    assert choice.factor == pytest.approx(10**1.5)
    assert choice.factor_text == "31.6"


def test_a_range_that_the_sweep_cuts_off_says_so():
    choice = choose_for_each_rule(sweep({1e-3: 1.5, 1e-2: 1, 1e-1: 2}), margin=2.0)["bp"]
    assert (choice.low, choice.high, choice.open_low, choice.open_high) == (1e-3, 1e-1, True, True)
    assert choice.factor_text == "≥ 100.0"
    assert not choice.at_edge


def test_a_good_rate_beyond_a_bad_one_is_not_in_the_range():
    choice = choose_for_each_rule(sweep({1e-3: 1, 1e-2: 9, 1e-1: 1.1}), margin=1.0)["bp"]
    assert (choice.value, choice.open_high) == (1e-3, False)
    assert choice.high < 1e-2


def test_runs_that_blew_up_are_not_chosen():
    choice = choose_for_each_rule(sweep({1e-3: 3, 1e-2: [1, math.nan]}), margin=1.0)["bp"]
    assert (choice.value, choice.high) == (1e-3, 1e-3)


def test_the_careful_choice_is_the_smallest_value_tried_that_is_nearly_as_good():
    errors = {1e-4: 1.2, 1e-3: 9, 1e-2: 1.4, 1e-1: 1.0, 1.0: 1.1}
    assert choose_for_each_rule(sweep(errors), margin=0.5)["bp"].careful == 1e-2  # 1e-4 lies beyond a bad one
    assert choose_for_each_rule(sweep(errors), margin=0.2)["bp"].careful == 1e-1
    assert choose_for_each_rule(sweep(errors), margin=0.0)["bp"].careful == 1e-1


def test_ties_go_to_the_smaller_rate():
    assert choose_for_each_rule(sweep({1e-2: 2, 1e-3: 2}), margin=1.0)["bp"].value == 1e-3


def test_test_data_is_not_for_choosing():
    with pytest.raises(al.InvalidValue, match="validation"):
        choose_for_each_rule(sweep({1e-3: 3}, base=al.Experiment()), margin=1.0)


def test_a_negative_margin_is_refused():
    with pytest.raises(al.InvalidValue, match="margin"):
        choose_for_each_rule(sweep({1e-3: 3}), margin=-1.0)


def test_the_choice_is_made_again_for_each_network():
    narrow, wide = (al.Experiment(hidden=hidden, evaluate="validation") for hidden in [(8, 8), (64, 64)])
    results = sweep({1e-3: [5, 7], 1e-2: [3, 1]}, base=narrow) + sweep({1e-3: [2, 2], 1e-2: [9, 1]}, base=wide)
    kept = [(r.experiment.hidden, r.experiment.learning_rate, r.experiment.seed) for r in at_best(results)]
    assert kept == [((8, 8), 1e-2, 0), ((8, 8), 1e-2, 1), ((64, 64), 1e-3, 0), ((64, 64), 1e-3, 1)]
