"""Agreement with published numbers, on cases computed by hand."""

from __future__ import annotations

import math

import pytest

from alignlib import published
from alignlib.agreement import agreement
from alignlib.errors import InvalidValue
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
