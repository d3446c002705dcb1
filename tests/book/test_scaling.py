"""The page on how far it goes: its numbers are computed from the records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import alignlib as al
from alignlib.book.scaling import fill, makespan
from alignlib.errors import InvalidValue
from alignlib.experiments import records


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A book with three long records of 30, 20 and 10 minutes."""
    result = al.run(al.Experiment(hidden=(4, 4), epochs=2, train_size=64, probe=0))
    made = records.record("tiny/one", "a small run", result, [2.0], "2026-11-24")
    for name, minutes, rule in (("one", 30, "bp"), ("two", 20, "bp"), ("three", 10, "dfa")):
        timed = replace(result, seconds=60.0 * minutes, experiment=replace(result.experiment, rule=rule))
        records.write(tmp_path / "records", replace(made, id=f"tiny/{name}", result=timed))
    return tmp_path


def rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_costs_are_medians_of_the_records(root: Path) -> None:
    assert rows(fill(root, "<!-- computed: costs -->")) == [
        ["digits, 2×4 tanh, float64", "BP", "2", "2", "750.0", "0.42"],
        ["digits, 2×4 tanh, float64", "DFA", "1", "2", "300.0", "0.17"],
    ]


def test_more_cores_help_until_the_longest_run_is_alone(root: Path) -> None:
    table = rows(fill(root, "<!-- computed: cores -->"))
    assert table[:3] == [
        ["1", "60 min", "1.0", "100 %"],
        ["2", "30 min", "2.0", "100 %"],
        ["8", "30 min", "2.0", "25 %"],
    ]


def test_the_summary_names_the_longest(root: Path) -> None:
    said = fill(root, "Before. <!-- computed: summary --> After.")
    assert said.startswith("Before. The 3 long records took 1.0 core hours together")
    assert said.endswith("the longest, `tiny/one`, took 30 min. After.")


@pytest.mark.parametrize(
    ("seconds", "n", "last"), [([3, 3, 2, 2, 2], 2, 7), ([5.0], 9, 5.0), ([4, 3, 2, 1], 2, 5), ([1] * 10, 5, 2)]
)
def test_when_the_last_run_ends(seconds: list[float], n: int, last: float) -> None:
    assert makespan(seconds, n) == last


def test_a_name_that_stands_for_nothing(root: Path) -> None:
    with pytest.raises(InvalidValue, match="did you mean 'costs'"):
        fill(root, "<!-- computed: cost -->")


def test_dropout_and_adversarial_runs_are_counted_apart(root: Path) -> None:
    result = al.run(al.Experiment(hidden=(4, 4), epochs=2, train_size=64, probe=0, dropout_hidden=0.5))
    records.write(root / "records", records.record("tiny/four", "a noisy run", result, [2.0], "2026-11-24"))
    counted = {(row[0], row[1]): row[2] for row in rows(fill(root, "<!-- computed: costs -->"))}
    assert counted["digits, 2×4 tanh dropout, float64", "BP"] == "1"
    assert counted["digits, 2×4 tanh, float64", "BP"] == "2"


def test_a_folder_without_records_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="no record of a long run"):
        fill(tmp_path, "<!-- computed: summary -->")


def test_other_pages_stay_as_they_are(tmp_path: Path) -> None:
    text = "# A page\n\n<!-- a remark --> without records\n"
    assert fill(tmp_path, text) == text
