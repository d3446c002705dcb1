"""Tolerances from what arithmetics did: cases by hand, and what holds for all numbers."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignlib.book import tolerance
from alignlib.book.tolerance import Seen, allowed, measure, outcome, shares_left_out, span

LINE = np.array([10.0, 20.0, 30.0, 40.0])
RUNS = np.array([[90.0, 12.0, 6.0], [91.0, 13.0, 7.0], [88.0, 11.0, 5.0]])


# ---------------------------------------------------------------- what was seen


def test_what_moved_nothing_is_left_out() -> None:
    assert measure(LINE, {"prescott": LINE.copy(), "nehalem": LINE}, over_seeds=False) == Seen()
    assert Seen().largest == 0.0


def test_the_largest_deviation_of_each_piece_is_kept() -> None:
    values = np.arange(24.0)
    moved = np.zeros(24)
    moved[[0, 1, 23]] = [0.25, -0.5, 2.0]
    seen = measure(values, {"prescott": values + moved}, over_seeds=False)
    assert seen.moved == {"prescott": [0.5, *[0.0] * 10, 2.0]}
    assert seen.largest == 2.0


@pytest.mark.parametrize("size", [0, 1, 5, 11, 12, 13, 25, 100])
def test_every_number_is_in_a_piece_and_no_piece_is_empty(size: int) -> None:
    values = np.zeros(size)
    pieces = []
    for number in range(size):
        moved = values.copy()
        moved[number] = 1.0
        [blocks] = measure(values, {"prescott": moved}, over_seeds=False).moved.values()
        pieces.append(blocks.index(1.0))
        assert sum(blocks) == 1.0
    assert sorted(set(pieces)) == list(range(min(size, tolerance.BLOCKS)))
    assert pieces == sorted(pieces)


def test_seeds_are_one_piece_where_rows_of_a_picture_are_many() -> None:
    moved = RUNS + np.array([[0, 0, 0], [0, 0.03125, 0], [0, 0.0625, 0]])
    assert measure(RUNS, {"a": moved}, over_seeds=True).moved == {"a": [0.0, 0.0625, 0.0]}
    assert measure(RUNS, {"a": moved}, over_seeds=False).moved == {"a": [0.0] * 4 + [0.03125, 0, 0, 0.0625, 0]}


def test_seeds_are_chaotic_from_a_thousandth_of_the_largest_on() -> None:
    for off, chaotic in [(0.0909, False), (0.0911, True)]:
        moved = RUNS.copy()
        moved[0, 2] += off  # of 91
        assert measure(RUNS, {"a": moved}, over_seeds=True).median is chaotic
        assert not measure(RUNS, {"a": moved}, over_seeds=False).median


def test_of_chaotic_seeds_the_medians_are_measured() -> None:
    moved = RUNS.copy()
    moved[1] += [8.0, 0.0, -4.0]  # medians were 90, 12, 6 and become 90, 12, 5
    seen = measure(RUNS, {"a": moved, "b": RUNS + 0.25, "c": RUNS}, over_seeds=True)
    assert seen == Seen({"a": [0.0, 0.0, 1.0], "b": [0.25] * 3}, median=True)


def test_a_gap_on_one_side_is_infinitely_far_and_on_both_no_deviation() -> None:
    gap = np.array([math.nan, 0, 0, 0])
    assert measure(LINE + gap, {"a": LINE + gap}, over_seeds=False) == Seen()
    for own, other in [(LINE, LINE + gap), (LINE + gap, LINE)]:
        assert measure(own, {"a": other}, over_seeds=False).moved == {"a": [math.inf, 0, 0, 0]}


def test_a_gap_of_a_single_seed_does_not_make_the_others_chaotic() -> None:
    gappy = RUNS.copy()
    gappy[2, 1] = math.nan
    assert measure(RUNS, {"a": gappy}, over_seeds=True) == Seen({"a": [0, math.inf, 0]}, median=False)


def test_a_gap_of_a_single_chaotic_seed_is_not_forgotten_by_the_median() -> None:
    gappy = RUNS + 0.5
    gappy[2, 1] = math.nan
    assert measure(RUNS, {"a": gappy}, over_seeds=True) == Seen({"a": [0.5, math.inf, 0.5]}, median=True)


def test_what_was_seen_goes_into_json_rounded_upwards() -> None:
    seen = Seen({"a": [0.0, 0.121, 0.12, 9.91e-12], "b": [math.inf, 1234.0, 99.5, 0.1]})
    stored = json.loads(json.dumps(seen.to_json(), allow_nan=False))
    assert stored == {"a": [0.0, 0.13, 0.12, 1e-11], "b": [None, 1300.0, 100.0, 0.1]}
    assert Seen.from_json(stored, True) == Seen({"a": [0, 0.13, 0.12, 1e-11], "b": [math.inf, 1300, 100, 0.1]}, True)


@given(st.just(0.0) | st.floats(1e-300, 1e300))
def test_what_is_stored_is_never_less_and_at_most_a_digit_more(value: float) -> None:
    [stored] = Seen({"a": [value]}).to_json()["a"]
    assert value <= stored <= 1.11 * value


# ---------------------------------------------------------------- what is allowed


def test_what_no_arithmetic_moved_has_the_floor() -> None:
    values = np.array([0.0, -2.0, 1e6, math.nan])
    np.testing.assert_allclose(allowed(values, Seen(), False), [1e-8, 2.01e-6, 1.00000001, 1e-8], rtol=1e-12)


def test_three_times_the_worst_arithmetic_is_allowed() -> None:
    seen = Seen({"a": [0.5, 1.0, 1.0, 2.0], "b": [1.5, 0.0, 1.0, 1.0]})
    # the worst are 1.5, 1, 1, 2; their median 1.25
    np.testing.assert_allclose(allowed(LINE, seen, False), [4.5, 3.75, 3.75, 6.0])


def test_the_median_of_the_pieces_does_not_widen_what_is_mostly_exact() -> None:
    np.testing.assert_allclose(allowed(LINE, Seen({"a": [0, 0, 0, 2.0]}), False)[:3], 1e-6 * LINE[:3] + 1e-8)


def test_a_tolerance_is_never_below_the_floor() -> None:
    seen = Seen({"a": [1e-12] * 4})
    np.testing.assert_array_equal(allowed(LINE, seen, False), allowed(LINE, Seen(), False))


def test_each_number_takes_the_tolerance_of_its_piece() -> None:
    seen = Seen({"a": [0.0] * 6 + [1.0] * 6})
    limits = allowed(np.ones(36), seen, False)
    np.testing.assert_allclose(limits[:18], 1.5)  # the median of the pieces is 0.5
    np.testing.assert_allclose(limits[18:], 3.0)


def test_seeds_share_the_tolerances_along_the_axis() -> None:
    limits = allowed(RUNS, Seen({"a": [0.125, 0.25, 0.5]}), True)
    np.testing.assert_allclose(limits, [[0.75, 0.75, 1.5]] * 3)


def test_a_median_has_one_tolerance_for_all_seeds() -> None:
    limits = allowed(RUNS, Seen({"a": [1.0, 2.0, 4.0]}, median=True), True)
    np.testing.assert_allclose(limits, [6.0, 6.0, 12.0])


def test_numbers_that_there_are_none_of_have_no_tolerance() -> None:
    for shape in [(0,), (2, 0)]:
        values = np.zeros(shape)
        over_seeds = len(shape) == 2
        seen = measure(values, {"a": values}, over_seeds)
        assert allowed(values, seen, over_seeds).shape == shape
        assert outcome(values, seen, over_seeds) == "exact"


# ---------------------------------------------------------------- what becomes of it


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([10.0, 40.0, math.nan], 30.0),
        ([-5.0, 5.0], 10.0),
        ([7.0], 7.0),
        ([-3.0, -3.0], 3.0),
        ([100.0, 100.0005], 100.0005),  # a constant up to a hundred-thousandth
        ([100.0, 100.002], 0.002),
        ([math.nan, math.inf], tolerance.ZERO),
        ([], tolerance.ZERO),
        ([0.0, 0.0], tolerance.ZERO),
    ],
)
def test_the_range_of_numbers_or_the_size_of_a_constant(values: list[float], expected: float) -> None:
    assert span(np.array(values)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("moved", "expected"),
    [
        ({}, "exact"),
        ({"a": [1e-4] * 4}, "exact"),  # 3e-4 of 40
        ({"a": [2e-4] * 4}, "spread"),  # 6e-4 is more than a hundred-thousandth of 40
        ({"a": [9.9] * 4}, "spread"),  # 29.7 of a range of 30
        ({"a": [10.1] * 4}, "free"),
        ({"a": [0, 0, 0, 100.0]}, "spread"),  # blind at its end alone
        ({"a": [0, 100.0, 100.0, 100.0]}, "free"),
        ({"a": [math.inf] * 4}, "free"),
    ],
)
def test_exact_spread_and_free_are_outcomes(moved: dict[str, list[float]], expected: str) -> None:
    assert outcome(LINE, Seen(moved), False) == expected


# ---------------------------------------------------------------- leaving one out


def test_an_arithmetic_left_out_is_measured_by_the_others() -> None:
    seen = Seen({"a": [1.0, 1.0, 1.0, 1.0], "b": [2.0, 6.0, 2.0, 2.0], "c": [0.5, 0.5, 0.5, 0.0]})
    # without a: 6, 18, 6, 6 are allowed; without b: 3 everywhere; without c: as without a
    shares = shares_left_out(LINE, seen, False)
    assert shares == pytest.approx({"a": 1 / 6, "b": 2.0, "c": 0.5 / 6})


def test_a_lonely_arithmetic_is_measured_by_the_floor_of_the_smallest_number_of_each_piece() -> None:
    values = np.linspace(1.0, 24.0, 24)  # the third of the pieces holds 5 and 6
    seen = Seen({"a": [0.0, 0.0, 1.0, *[0.0] * 9]})
    assert shares_left_out(values, seen, False) == pytest.approx({"a": 1.0 / (5e-6 + 1e-8)})


def test_a_median_left_out_is_measured_as_a_median() -> None:
    seen = Seen({"a": [1.0, 1.0, 1.0], "b": [3.0, 4.5, 6.0]}, median=True)
    # without a: 13.5, 13.5, 18; without b: 3
    assert shares_left_out(RUNS, seen, True) == pytest.approx({"a": 1 / 13.5, "b": 2.0})


def test_a_gap_that_others_have_is_no_false_alarm_and_one_that_none_has_is() -> None:
    both = Seen({"a": [0, 0, 0, math.inf], "b": [0, 0, 0, math.inf]})
    assert shares_left_out(LINE, both, False) == {"a": 0.0, "b": 0.0}
    one = Seen({"a": [0, 0, 0, math.inf], "b": [1.0] * 4})
    shares = shares_left_out(LINE, one, False)
    assert shares["a"] == math.inf
    assert shares["b"] == pytest.approx(1.0 / (1e-5 + 1e-8))


def test_nothing_seen_gives_no_shares() -> None:
    assert shares_left_out(LINE, Seen(), False) == {}


NUMBERS = st.floats(-1e6, 1e6) | st.just(math.nan) | st.just(0.0)


@st.composite
def runs_under_arithmetics(draw: st.DrawFn) -> tuple[Any, dict[str, Any], bool]:
    rows, size, over_seeds = draw(st.integers(1, 4)), draw(st.integers(1, 30)), draw(st.booleans())
    shape = (rows, size) if over_seeds or draw(st.booleans()) else (size,)
    count = math.prod(shape)

    def one() -> Any:
        return np.reshape(draw(st.lists(NUMBERS, min_size=count, max_size=count)), shape)

    values = one()
    scales = draw(st.lists(st.sampled_from([0.0, 1e-16, 1e-8, 1e-4, 1.0]), min_size=1, max_size=3))
    others = {}
    for number, scale in enumerate(scales):
        others[f"a{number}"] = np.where(np.isnan(values), values, values + scale * np.nan_to_num(one()))
    if draw(st.booleans()):
        others["gaps"] = one()
    return values, others, over_seeds


@given(runs_under_arithmetics())
def test_every_arithmetic_that_was_seen_is_within_the_tolerance(case: tuple[Any, dict[str, Any], bool]) -> None:
    values, others, over_seeds = case
    measured = measure(values, others, over_seeds)
    seen = Seen.from_json(json.loads(json.dumps(measured.to_json())), measured.median)
    limits = allowed(values, seen, over_seeds)
    for other in others.values():
        own, theirs = (np.median(v, axis=0) if seen.median else v for v in (values, other))
        gap_in_one = np.isnan(own) != np.isnan(theirs)
        assert np.all(np.isinf(limits[gap_in_one]))
        with np.errstate(invalid="ignore"):
            assert not np.any(np.abs(own - theirs) > limits)


@given(runs_under_arithmetics())
def test_a_share_left_out_agrees_with_measuring_without_it(case: tuple[Any, dict[str, Any], bool]) -> None:
    values, others, over_seeds = case
    seen = measure(values, others, over_seeds)
    for name, share in shares_left_out(values, seen, over_seeds).items():
        rest = {other: blocks for other, blocks in seen.moved.items() if other != name}
        limits = allowed(values, Seen(rest, seen.median), over_seeds)
        own, theirs = (np.median(v, axis=0) if seen.median else v for v in (values, others[name]))
        off = np.nan_to_num(np.abs(own - theirs), nan=0.0)
        assert np.max(off / limits) <= share * (1 + 1e-12)  # where they differ is not kept, only the piece
