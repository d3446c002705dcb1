"""How far a claim is from turning: every form of expression, and the sources that it is read from."""

from __future__ import annotations

import itertools
import linecache
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from alignlib import book
from alignlib.book.margins import margin

Said = tuple[bool, "float | None"]
counter = itertools.count()


def say(*, holds: Any, other: Any = None) -> Said:
    """Stand for `chapter.claim`: return what it was told and the margin that it finds."""
    return bool(holds), margin(sys._getframe(1), bool(holds))


def said(expression: str, **names: Any) -> Said:
    """Return what `say(holds=…)` gives in a file of its own; no warning may come of it."""
    name = f"<margins {next(counter)}>"
    text = f"result = say(holds={expression})\n"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    space = {"say": say, "np": np, "math": math, **names}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(text, name, "exec"), space)
    result: Said = space["result"]
    return result


# ---------------------------------------------------------------- forms


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("3 < 5", 2 / 8),
        ("3 <= 5", 2 / 8),
        ("5 > 3", 2 / 8),
        ("5 >= 3", 2 / 8),
        ("5 < 3", -2 / 8),
        ("3 > 5", -2 / 8),
        ("3 < 3", 0.0),
        ("3 <= 3", 0.0),
        ("-3 < 5", 1.0),
        ("-5 < -3", 2 / 8),
        ("0 < 0.25", 0.25),  # a limit of zero: in units of the number
        ("0.25 > 0", 0.25),
        ("-0.25 < 0", 0.25),
        ("0 <= 0", 0.0),
        ("1 < 2 < 7", 1 / 3),
        ("1 < 2 < 1.5", -0.5 / 3.5),
        ("1 == 1 < 3", 0.5),
        ("1 < 2 and 3 < 5", 2 / 8),
        ("1 < 2 and 5 < 3", -2 / 8),
        ("1 < 2 or 5 < 3", 1 / 3),
        ("2 < 1 or 5 < 3", -2 / 8),
        ("1 < 2 and 'a' == 'a'", 1 / 3),
        ("2 < 1 or 'a' == 'b'", -1 / 3),
        ("not 5 < 3", 2 / 8),
        ("not (1 < 2 and 5 < 3)", 2 / 8),
        ("(1 < 2) & (3 < 5)", 2 / 8),
        ("(1 < 2) | (5 < 3)", 1 / 3),
        ("bool(3 < 5)", 2 / 8),
        ("np.bool_(3 < 5)", 2 / 8),
        ("3 < 5 if 1 < 2 else 0 < 9", 2 / 8),
        ("0 < 9 if 2 < 1 else 3 < 5", 2 / 8),
        ("all(n < 5 for n in (1, 3, 2))", 2 / 8),
        ("all([n < 5 for n in (1, 3, 2)])", 2 / 8),
        ("any(n < 5 for n in (7, 3, 8))", 2 / 8),
        ("any(n < 5 for n in (7, 15))", -2 / 12),
        ("all(n < m for n in (1, 3) for m in (5, 6) if m > 4)", 2 / 8),
        ("np.all(np.array([1, 3, 2]) < 5)", 2 / 8),
        ("np.all(np.array([[1, 3], [2, 9]]) < 5)", -4 / 14),
        ("np.any(np.array([7, 3, 8]) < 5)", 2 / 8),
        ("np.any(np.array([7, 15]) < 5)", -2 / 12),
        ("np.all((np.array([1, 3]) < 5) & (np.array([1, 3]) > 0.5))", 2 / 8),
        ("np.any((np.array([1, 9]) < 5) & (np.array([1, 9]) > 0.5))", 0.5 / 1.5),
        ("np.any(np.array([7, 3]) < np.array([5, 5]))", 2 / 8),
        ("bool(np.all(np.array([1, 3]) < 5)) and 1 < 9", 2 / 8),
        ("np.mean([2.0, 4.0]) < 5", 2 / 8),
        ("np.float32(3) < 5", 2 / 8),
        ("sum(n < 5 for n in (1, 3, 9)) >= 2", 0.0),
    ],
)
def test_the_margin_is_the_distance_of_what_decides(expression: str, expected: float) -> None:
    holds, found = said(expression)
    assert found == pytest.approx(expected, abs=1e-12)
    assert holds is eval(f"bool({expression})", {"np": np})
    assert expected == 0 or holds == (expected > 0)


@pytest.mark.parametrize(
    "expression",
    [
        "3 == 3",
        "3 != 4",
        "'bp' in ('bp', 'dfa')",
        "not 3 == 4",
        "True",
        "truth",
        "'a' < 'b'",
        "np.array_equal([1], [1])",
        "np.all(np.array([1, 2]) == np.array([1, 2]))",
        "all(n == n for n in (1, 2))",
        "1 < math.inf",
        "all(n < 5 for n in ())",
    ],
)
def test_where_no_number_decides_there_is_no_margin(expression: str) -> None:
    assert said(expression, truth=True) == (True, None)


@pytest.mark.parametrize("expression", ["1 < math.nan", "math.nan < 2 and 1 < 2", "1 < 2 and math.nan < 2"])
def test_what_is_no_number_has_no_margin(expression: str) -> None:
    assert said(expression) == (False, None)


@pytest.mark.parametrize("expression", ["empty and 1 < 2", "not empty and 2 < 1", "not (not empty or 2 < 1)"])
def test_an_empty_list_is_no_truth(expression: str) -> None:
    holds, found = said(expression, empty=[])
    assert not holds
    assert found is None or found <= 0


COMPARED = st.sampled_from(
    ["a < b", "b <= c", "a > c", "a >= 0", "a == b", "0 < b < c", "np.any(d < a)", "np.all(d > b)"]
)
EXPRESSIONS = st.recursive(
    COMPARED,
    lambda inner: (
        st.builds("({} and {})".format, inner, inner)
        | st.builds("({} or {})".format, inner, inner)
        | st.builds("not ({})".format, inner)
        | st.builds("({} if {} else {})".format, inner, inner, inner)
        | st.builds("bool({})".format, inner)
        | st.builds("all({} for a in d)".format, inner)
        | st.builds("any([{} for a in d])".format, inner)
    ),
    max_leaves=5,
)
NUMBERS = st.integers(-3, 3).map(float)


@example("np.any(d < a)", 0.0, 1.0, 1.0, [1.0, -1.0])
@example("not (np.any(d < a) and a < b)", 0.0, 1.0, 1.0, [1.0, -1.0])
@given(EXPRESSIONS, NUMBERS, NUMBERS, NUMBERS, st.lists(NUMBERS, min_size=1, max_size=3))
def test_the_sign_of_a_margin_is_the_verdict(expression: str, a: float, b: float, c: float, d: list[float]) -> None:
    holds, found = said(expression, a=a, b=b, c=c, d=np.array(d))
    assert found is None or found == 0 or (found > 0) == holds


# ---------------------------------------------------------------- the verdict is not touched


def test_an_expression_that_fails_the_second_time_has_no_margin() -> None:
    once = iter([1])
    assert said("next(once) < 5", once=once) == (True, None)


def test_an_expression_that_says_something_else_the_second_time_has_no_margin_against_its_verdict() -> None:
    holds, found = said("next(changing) < 5", changing=iter([1, 9]))
    assert holds
    assert found is None or found > 0


def test_a_guard_in_front_of_what_would_fail_costs_no_more_than_the_margin() -> None:
    holds, found = said("len(empty) > 0 and empty[0] > 1", empty=[])
    assert not holds
    assert found is None or found <= 0


def test_names_of_the_calling_function_are_seen() -> None:
    lower = [1.0, 3.0]

    def inside(limit: float) -> Said:
        return say(holds=all(value < limit for value in lower), other=2 < 1)

    assert inside(5.0) == (True, 0.25)


def test_a_call_over_several_lines_among_others_on_them() -> None:
    first, second = say(holds=1 < 2), say(
        other="x < 1",
        holds=(
            3
            < 5
        ),
    )  # fmt: skip
    assert first == (True, pytest.approx(1 / 3))
    assert second == (True, 0.25)


def test_a_verdict_that_was_computed_before_has_no_margin() -> None:
    holds = 1 < 2
    assert say(holds=holds) == (True, None)
    assert say(**{"holds": holds}) == (True, None)


def test_without_a_source_there_is_no_margin() -> None:
    space: dict[str, Any] = {"say": say}
    exec("result = say(holds=1 < 2)", space)
    assert space["result"] == (True, None)


# ---------------------------------------------------------------- claims


def test_a_claim_of_a_module_takes_its_margin() -> None:
    made = book.Chapter("04-direct", {})
    made.claim("near", "It is near.", holds=3 < 5, measured="3")
    made.claim("equal", "It is equal.", holds="a" == "a", measured="a")
    assert made.claims["near"].margin == 0.25
    assert made.claims["equal"].margin is None
    assert made.claims["near"].holds


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Callable[[str], dict[str, Any]]]:
    """Return what executes a cell as Jupyter does, and gives its names."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))

    def execute(text: str) -> dict[str, Any]:
        shell.run_cell(text).raise_error()
        names: dict[str, Any] = shell.user_ns
        return names

    yield execute
    InteractiveShell.clear_instance()


def test_a_claim_of_a_cell_takes_its_margin(cell: Callable[[str], dict[str, Any]]) -> None:
    cell("from alignlib import book\nimport numpy as np\nchapter = book.Chapter('04-direct', globals())\nworst = 3.0")
    names = cell(
        "gaps = np.array([4.0, 9.0])\n"
        "chapter.claim('near', 'It is near.', holds=worst < 5 and np.all(gaps > 2), measured='3')\n"
        "for limit in (4, 5):\n"
        "    chapter.claim(f'limit-{limit}', 'It is near.',\n"
        "                  holds=worst < limit,\n"
        "                  measured='3')"
    )
    margins = {name: claim.margin for name, claim in names["chapter"].claims.items()}
    assert margins == {"near": 0.25, "limit-4": pytest.approx(1 / 7), "limit-5": 0.25}
    again = cell("%pdoc len\nchapter.claim('later', 'It is near.', holds=worst < 5, measured='3')")
    assert again["chapter"].claims["later"].margin == 0.25
