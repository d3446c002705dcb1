"""Agreement with published numbers, on cases computed by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import pytest

from alignlib import published
from alignlib.agreement import agreement, side_by_side
from alignlib.errors import InvalidValue
from alignlib.experiments import Experiment
from alignlib.rules import RULES


def test_close_means_agree_by_the_least_that_is_allowed():
    found = agreement([1.70, 1.74, 1.72], 1.60, 0.01)
    assert found.difference == pytest.approx(0.12)
    assert found.allowed == 0.2
    assert found.agrees


def test_wide_spreads_allow_more():
    found = agreement([1.0, 3.0], 1.0, 1.0)  # the standard deviation of ours is √2
    assert found.allowed == pytest.approx(2 * math.sqrt(3))
    assert found.agrees
    assert found.difference == pytest.approx(1.0)


def test_far_means_disagree():
    found = agreement([3.0, 3.1, 2.9], 2.0, 0.1)
    assert not found.agrees
    assert found.difference > 0


def test_with_one_run_only_the_published_deviation_counts():
    found = agreement([2.0], 1.5, 0.3)
    assert found.allowed == pytest.approx(0.6)
    assert math.isnan(found.std)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [[1.0]]])
def test_values_that_are_no_row_of_numbers_are_refused(values):
    with pytest.raises(InvalidValue, match="row of finite numbers"):
        agreement(values, 1.0, 0.1)


def test_published_rows_are_of_known_rules_and_stand_once():
    keys = [(row.key, row.network, row.rule) for row in published.ALL]
    assert len(set(keys)) == len(keys)
    assert {row.rule for row in published.ALL} <= set(RULES)
    assert all(0 < row.mean < 100 and (row.std is None or 0 < row.std < row.mean) for row in published.ALL)


def test_with_one_hidden_layer_the_paper_prints_fa_and_dfa_alike():
    fa, dfa = (published.find(published.NOKLAND, "1×800", rule) for rule in ("fa", "dfa"))
    assert (fa.mean, fa.std) == (dfa.mean, dfa.std)


def test_an_empty_cell_is_none_and_an_unknown_network_is_refused():
    assert published.find(published.NOKLAND, "100×240", "bp") is None
    with pytest.raises(InvalidValue, match="2×800"):
        published.find(published.NOKLAND, "2x800", "bp")


@dataclass
class Ended:
    experiment: Experiment
    error: float

    def final(self, curve):
        assert curve == "test_error"
        return self.error


def test_runs_stand_beside_what_was_published_of_their_network():
    wide = Experiment(dataset="mnist", hidden=(800, 800), rule="dfa")
    runs = [Ended(replace(wide, seed=1), 1.8), Ended(wide, 1.7), Ended(replace(wide, activation="relu"), 9.0)]
    rows = side_by_side(published.NOKLAND, runs)
    assert [(row.network, row.errors) for row in rows] == [("2×800", [1.7, 1.8]), ("2×800 ReLU", [9.0])]
    assert rows[0].agreement.agrees
    assert rows[0].agreement.difference == pytest.approx(1.75 - 1.74)
    assert not rows[1].agreement.agrees


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("2×800 logistic", {"activation": "logistic"}),
        ("2×800 dropout", {"dropout_input": 0.1, "dropout_hidden": 0.5}),
        ("2×800 adversarial", {"adversarial": 0.08}),
    ],
)
def test_a_network_is_called_as_in_the_table(name: str, settings: dict[str, Any]):
    assert published.network_name(Experiment(hidden=(800, 800), **settings)) == name
    assert published.find(published.NOKLAND, name, "bp") is not None


@pytest.mark.parametrize(("name", "frozen"), [("trained", 0), ("random", 1)])
def test_a_convolution_is_part_of_the_name(name: str, frozen: int):
    settings = {"dataset": "mnist", "convolutions": ((32, 5, 2),), "hidden": (1000,), "frozen": frozen}
    network = published.network_name(Experiment(**settings))
    assert network == f"1×1000 on a {name} convolution"
    assert published.find(published.FRENKEL, network, "drtp") is not None


@pytest.mark.parametrize("settings", [{"convolutions": ((2, 3, 1), (2, 3, 1))}, {"frozen": 1}])
def test_networks_of_no_table_have_no_name(settings: dict[str, Any]):
    with pytest.raises(InvalidValue, match="one convolution at most"):
        published.network_name(Experiment(hidden=(20, 20), **settings))


def test_a_network_of_several_widths_has_no_name_in_the_tables():
    with pytest.raises(InvalidValue, match="one width"):
        published.network_name(Experiment(hidden=(20, 10)))
