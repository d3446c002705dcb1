"""The stored reference: what is compared, how near, what is said about it, and how it is updated."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignlib import arithmetic
from alignlib.book import (
    WALL_TIME,
    Claim,
    Column,
    Figure,
    Measured,
    Table,
    Value,
    build,
    compare,
    panel,
    reference,
    series,
)
from alignlib.book.arithmetics import ARITHMETICS, OWN, Arithmetic
from alignlib.book.chapters import Chapter
from alignlib.book.compare import Deviation
from alignlib.book.figure import Guide
from alignlib.errors import AlignlibError

CHAPTER = "04-direct-feedback"
X = [0, 1, 2, 3]
RUNS = np.array([[90.0, 12.0, 6.0, 3.0], [90.5, 13.0, 6.5, 3.5], [89.0, 11.0, 5.0, 3.25]])
LINE = np.array([10.0, 20.0, 30.0, 40.0])
PRESCOTT = ARITHMETICS["prescott"]
PROVENANCE = {"parameters": {"epochs": 3}, "data": {"digits": "abc"}}


class Book:
    """A book whose one chapter shows what a test puts there, as if it had been executed, under any arithmetic."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.chapter = Chapter(4, CHAPTER, root / "chapters" / f"{CHAPTER}.ipynb")
        self.folder = root / "expected/digits" / CHAPTER
        (root / "chapters").mkdir()
        self.chapter.path.write_text('{"cells": []}')

    def show(self, *shown: Figure | Table | Claim | Value, under: Arithmetic = OWN) -> None:
        path = reference.executed_path(self.root, "digits", self.chapter, under)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"cells": [self._cell(each) for each in shown]}))

    def _cell(self, shown: Figure | Table | Claim | Value) -> dict[str, Any]:
        mime = {
            Figure: "application/vnd.alignlib.figure+json",
            Table: "application/vnd.alignlib.table+json",
            Claim: "application/vnd.alignlib.claim+json",
            Value: "application/vnd.alignlib.value+json",
        }[type(shown)]
        about = {"figure": {"name": f"fig-{shown.id}", "caption": "A caption."}} if isinstance(shown, Figure) else {}
        outputs = [{"output_type": "display_data", "data": {mime: shown.to_json()}}]
        return {"cell_type": "code", "source": "", "metadata": {"mystnb": about}, "outputs": outputs}

    def update(self, under: Sequence[Arithmetic] = ()) -> list[reference.Change]:
        return reference.update(self.root, "digits", fresh=True, under=under)

    def refer(self, shown: Figure | Table | Claim | Value, **others: Figure | Table | Claim | Value) -> None:
        """Make what is shown the reference, with the tolerances of what other arithmetics, by name, show instead."""
        for path in self.folder.glob("*"):
            path.unlink()
        self.show(shown)
        for name, other in others.items():
            self.show(other, under=ARITHMETICS[name])
        self.update(under=[ARITHMETICS[name] for name in others])

    def check(self, under: Arithmetic = OWN) -> list[Deviation]:
        checks = reference.check(self.root, "digits", fresh=True, under=under)
        return [failure for check in checks for failure in check.failures]

    def complaint(self) -> str:
        [failure] = self.check()
        return str(failure)

    def edit(self, old: str, new: str, file: str = "dfa-error.json") -> int:
        """Replace a text in a file of the reference by hand; return its line."""
        path = self.folder / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        return text[: text.index(old)].count("\n") + 1


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


def figure(
    y: Any = RUNS,
    *,
    name: str = "dfa-error",
    label: str = "DFA",
    free: str = "",
    x: Sequence[Any] = X,
    provenance: dict[str, Any] = PROVENANCE,
    **panel_options: Any,
) -> Figure:
    y = np.asarray(y)
    seeds = range(len(y)) if y.ndim == 2 else ()
    line = series(label, x, y, rule="dfa", seeds=seeds, free=free)
    shown = panel("lines", [line], y_label="test error (%)", **panel_options)
    return Figure(name, CHAPTER, [shown], "A falling line, told in words.", provenance)


def table(cells: Sequence[Any] = (3.5, 2.5), *, names: Sequence[str] = ("BP", "DFA"), free: str = "") -> Table:
    columns = [Column("rule"), Column("error", "{:.1f}", free)]
    rows = list(zip(names, cells, strict=True))
    return Table("dfa-table", columns, rows, "Two rules and their errors, told.", chapter=CHAPTER)


def claim(
    holds: bool = True, statement: str = "DFA learns.", measured: str = "3.2 % (n=3)", margin: float | None = None
) -> Claim:
    return Claim("dfa-learns", statement, holds, measured, chapter=CHAPTER, margin=margin)


# ---------------------------------------------------------------- numbers


def test_what_was_stored_agrees(book: Book) -> None:
    book.show(figure(), table(), claim(), Value("dfa-final", 3.25, "{:.1f} %"))
    book.update()
    [check] = reference.check(book.root, "digits", fresh=True)
    assert check.ok
    assert (check.figures, check.claims_held, check.claims) == (2, 1, 1)
    assert check.worst < 0.01  # only the rounding of what is stored


def test_numbers_that_no_arithmetic_moved_agree_to_a_millionth(book: Book) -> None:
    book.refer(figure(), prescott=figure())
    book.show(figure(RUNS * (1 + 5e-7)))
    [check] = reference.check(book.root, "digits", fresh=True)
    assert check.ok
    assert check.worst == pytest.approx(0.5, rel=0.1)
    book.show(figure(RUNS * (1 + 2e-6)))
    assert "no arithmetic moved it" in book.complaint()


def test_a_deviation_names_figure_series_place_tolerance_and_what_rounding_did(book: Book) -> None:
    book.show(figure())
    book.update()
    changed = RUNS.copy()
    changed[1, 2] += 0.25
    changed[0, 1] += 0.01
    book.show(figure(changed))
    place = "dfa-error: DFA: off by 0.25 at x = 2, seed 1 (reference 6.5, now 6.75)"
    assert book.complaint() == f"{place}; allowed are 6.51e-06, no arithmetic moved it"
    book.refer(figure(), prescott=figure(RUNS + 2**-10), nehalem=figure(RUNS - 2**-9))
    book.show(figure(changed))
    assert book.complaint() == f"{place}; allowed are 0.006, rounding moved it by up to 0.002"


def test_a_number_may_be_off_by_three_times_what_arithmetics_did_and_no_more(book: Book) -> None:
    book.refer(figure(LINE), prescott=figure(LINE + 0.25), nehalem=figure(LINE - 0.5))
    for off, passes in [(1.49, True), (-1.49, True), (1.51, False), (-1.51, False)]:
        book.show(figure(LINE + np.array([0, 0, off, 0])))
        assert (book.check() == []) == passes
    assert "x = 2" in book.complaint()
    assert "allowed are 1.5, rounding moved it by up to 0.5" in book.complaint()


def test_what_was_seen_is_written_into_the_file(book: Book) -> None:
    book.refer(figure(LINE), prescott=figure(np.add(LINE, [0, 0, 0, 0.123])), nehalem=figure(LINE))
    stored = json.loads((book.folder / "dfa-error.json").read_text())
    assert stored["arithmetic"] == arithmetic.name()
    assert stored["arithmetics"] == ["prescott", "nehalem"]
    assert stored["seen"] == {"DFA": {"prescott": [0, 0, 0, 0.13]}}  # rounded up
    assert stored["medians"] == []


def test_a_curve_that_is_chaotic_at_its_end_is_sharp_at_its_start(book: Book) -> None:
    x, y, late = list(range(24)), 100.0 - np.arange(24), np.arange(24) >= 18
    book.refer(figure(y, x=x), prescott=figure(y + 2.0 * late, x=x))
    book.show(figure(y + 5.9 * late, x=x))
    assert book.check() == []
    book.show(figure(y + 6.1 * late, x=x))
    assert "allowed are 6, rounding moved it by up to 2" in book.complaint()
    for early in (0, 17):
        book.show(figure(y + 0.001 * (np.arange(24) == early), x=x))
        assert f"at x = {early} " in book.complaint()


@pytest.mark.parametrize(("moved", "allowed"), [([2.0, 0, 2, 2], 6.0), ([2.0, 0, 0, 2], 3.0), ([2.0, 0, 0, 0], 2e-5)])
def test_where_arithmetics_happen_to_meet_the_usual_deviation_counts(
    book: Book, moved: list[float], allowed: float
) -> None:
    book.refer(figure(LINE), prescott=figure(LINE + moved))
    book.show(figure(np.add(LINE, [0, 0.9 * allowed, 0, 0])))
    assert book.check() == []
    book.show(figure(np.add(LINE, [0, 1.1 * allowed, 0, 0])))
    assert "x = 1" in book.complaint()


def test_seeds_that_rounding_leaves_alone_are_compared_one_by_one(book: Book) -> None:
    moved = RUNS.copy()
    moved[1] += 0.0625  # below a thousandth of the largest number
    book.refer(figure(), prescott=figure(moved))
    book.show(figure(RUNS + 0.18))
    assert book.check() == []
    book.show(figure(RUNS + np.array([[0], [0], [0.19]])))
    assert "seed 2" in book.complaint()
    book.show(figure(RUNS[[1, 0, 2]]))
    assert "allowed are 0.189, rounding moved it by up to 0.063" in book.complaint()


def test_seeds_that_rounding_moves_are_compared_by_their_median(book: Book) -> None:
    book.refer(figure(), prescott=figure(RUNS + 0.5))
    assert json.loads((book.folder / "dfa-error.json").read_text())["medians"] == ["DFA"]
    alone = RUNS[[2, 0, 1]] + 1.4
    alone[2] += 50.0  # the largest of the three seeds everywhere
    book.show(figure(alone))
    assert book.check() == []
    book.show(figure(RUNS + np.array([0, 0, 1.6, 0])))
    assert book.complaint() == (
        "dfa-error: DFA: off by 1.6 at x = 2 (median of 3 seeds) (reference 6, now 7.6); "
        "allowed are 1.5, rounding moved it by up to 0.5"
    )


def test_a_median_that_chaotic_seeds_left_alone_is_sharp(book: Book) -> None:
    moved = RUNS.copy()
    moved[1] += 5.0
    book.refer(figure(), prescott=figure(moved))
    book.show(figure(RUNS[[1, 2, 0]]))
    assert book.check() == []
    book.show(figure(RUNS + 0.001))
    assert "(median of 3 seeds)" in book.complaint()
    assert "no arithmetic moved it" in book.complaint()


def test_an_executed_arithmetic_is_checked_like_the_book(book: Book) -> None:
    book.refer(figure(LINE), prescott=figure(LINE + 0.5))
    assert book.check(under=PRESCOTT) == []
    book.show(figure(LINE + 2.0), under=PRESCOTT)
    assert book.check() == []
    [failure] = book.check(under=PRESCOTT)
    assert "off by 2" in str(failure)


@pytest.mark.parametrize(
    ("free", "moved"), [("", 0.0), ("", 2**-10), ("", 0.2), (WALL_TIME, 0.0)], ids=["exact", "a bit", "much", "free"]
)
def test_a_flipped_sign_is_never_within_a_tolerance(book: Book, free: str, moved: float) -> None:
    book.refer(figure(free=free), prescott=figure(RUNS * (1 + moved), free=free))
    assert book.check() == []
    book.show(figure(-RUNS, free=free))
    assert "dfa-error: DFA" in book.complaint()


def test_free_numbers_may_be_any_of_the_same_sign(book: Book) -> None:
    book.show(figure([0.0, 1.0, 2.0, 3.0], free=WALL_TIME, x=[0.0, 0.5, 1.0, 1.5]))
    book.update()
    book.show(figure([0.1, 100.0, 2.0, 3.0], free=WALL_TIME, x=[0.0, 5.0, 6.0, 7.0]))
    assert book.check() == []
    book.show(figure([0.1, 100.0, -2.0, 3.0], free=WALL_TIME))
    assert "x = 1 changed its sign" in book.complaint()


@pytest.mark.parametrize(("free", "moved"), [("", 0.0), ("", 2**-10), (WALL_TIME, 0.0)])
def test_gaps_must_be_the_same(book: Book, free: str, moved: float) -> None:
    gappy = RUNS.copy()
    gappy[1, 0] = math.nan
    book.refer(figure(gappy, free=free), prescott=figure(gappy + moved, free=free))
    assert book.check() == []
    book.show(figure(free=free))
    assert book.complaint() == "dfa-error: DFA: x = 0, seed 1 was a gap and is a number now"
    gappy[2, 3] = math.nan
    book.show(figure(gappy, free=free))
    assert book.complaint() == "dfa-error: DFA: x = 3, seed 2 is a gap now"


def test_a_gap_in_one_arithmetic_only_is_no_gap_to_insist_on(book: Book) -> None:
    gap = [0, 0, 0, math.nan]
    book.refer(figure(LINE), prescott=figure(LINE + gap))
    assert json.loads((book.folder / "dfa-error.json").read_text())["seen"] == {"DFA": {"prescott": [0, 0, 0, None]}}
    for end in (0.0, 1000.0, math.nan):
        book.show(figure(np.add(LINE, [0, 0, 0, end])))
        assert book.check() == []
    book.show(figure(np.add(LINE, [math.nan, 0, 0, 0])))
    assert book.complaint() == "dfa-error: DFA: x = 0 is a gap now"
    book.show(figure(np.add(LINE, [0, 0, 0.01, 0])))
    assert "x = 2" in book.complaint()


def test_measurements_of_a_table_are_compared_with_what_rounding_did(book: Book) -> None:
    def measured(first: float, n: int = 5) -> Table:
        return table([Measured(first, 0.1, 5), Measured(4.0, 0.1, n)])

    book.refer(measured(3.0), prescott=measured(3.25))
    book.show(measured(3.7))
    assert book.check() == []
    book.show(measured(3.8))
    assert book.complaint() == (
        "dfa-table: error: off by 0.8 at row 'BP' (reference 3, now 3.8); "
        "allowed are 0.75, rounding moved it by up to 0.25"
    )
    book.show(measured(3.0, n=4))
    assert book.complaint() == "dfa-table: rows DFA, cells, error, n was 5, is 4"


def test_an_exact_table_compares_the_deviations_too(book: Book) -> None:
    book.show(table([Measured(3.0, 0.1, 5), 4]))
    book.update()
    book.show(table([Measured(3.0, 0.2, 5), 4]))
    assert "error (standard deviation): off by 0.1 at row 'BP'" in book.complaint()


def test_a_free_column_is_not_compared(book: Book) -> None:
    book.show(table(free=WALL_TIME))
    book.update()
    book.show(table([35.0, 25.0], free=WALL_TIME))
    assert book.check() == []
    book.show(table([35.0, 25.0]))
    assert any("free is missing" in str(failure) for failure in book.check())


def test_a_guide_moves_no_further_than_rounding_moved_it(book: Book) -> None:
    def guided(at: float) -> Figure:
        return figure(guides=[Guide("y", at, "best")])

    for moved, passes in [(3.0, False), (3.0625, True)]:
        book.refer(guided(3.0), prescott=guided(moved))
        book.show(guided(3.15))
        assert (book.check() == []) == passes
        book.show(guided(3.25))
        assert book.complaint().startswith("dfa-error: guide best: off by 0.25")


# ---------------------------------------------------------------- what is not a number


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        (figure(y_scale="log"), "dfa-error: panels 1, y_scale was 'linear', is 'log'"),
        (figure(label="IFA"), "dfa-error: panels 1, series: 'DFA' is missing"),
        (figure(RUNS[:2]), "dfa-error: panels 1, series DFA, seeds: 3 became 2"),
        (figure(RUNS[:, :3], x=X[:3]), "dfa-error: DFA: 3 seeds of 4 points became 3 seeds of 3 points"),
        (figure(x=[0, 1, 2, 4]), "dfa-error: DFA (x): off by 1 at x = 3 (reference 3, now 4)"),
        (figure(free=WALL_TIME), "dfa-error: panels 1, series DFA, free is new"),
        (
            figure(provenance={**PROVENANCE, "parameters": {"epochs": 5}}),
            "dfa-error: parameters, epochs was 3, is 5",
        ),
        (figure(provenance={**PROVENANCE, "data": {}}), "dfa-error: data, digits is missing"),
        (figure(guides=[Guide("y", 90.0)]), "dfa-error: panels 1, guides: 0 became 1"),
        (figure(name="dfa-other"), "dfa-other: the reference does not know it"),
    ],
)
def test_what_is_drawn_must_be_the_same(book: Book, changed: Figure, complaint: str) -> None:
    book.show(figure())
    book.update()
    book.show(changed)
    assert any(str(failure).startswith(complaint) for failure in book.check()), book.check()


def test_alternative_text_and_limits_are_not_numbers_of_the_reference(book: Book) -> None:
    book.show(figure())
    book.update()
    shown = figure(y_limits=(0, 100))
    book.show(Figure(shown.id, shown.chapter, shown.panels, "Other words that tell the same.", shown.provenance))
    assert book.check() == []


def test_panels_are_told_apart_by_their_titles(book: Book) -> None:
    def two(second: float) -> Figure:
        lines = [series("DFA", X, np.array([1.0, 2, 3, value])) for value in (4.0, second)]
        panels = [panel("lines", [line], title=title) for line, title in zip(lines, ("error", "angle"), strict=True)]
        return Figure("dfa-error", CHAPTER, panels, "Two panels, told in words.", PROVENANCE)

    book.show(two(4.0))
    book.update()
    book.show(two(5.0))
    assert book.complaint().startswith("dfa-error: angle / DFA: off by 1 at x = 3")


def test_a_missing_figure_is_named_with_its_file(book: Book) -> None:
    book.show(figure(), table())
    book.update()
    book.show(table())
    complaint = "dfa-error: expected/digits/04-direct-feedback/dfa-error.json is there, but the chapter shows nothing"
    assert book.complaint().startswith(complaint)


def test_claims_must_keep_their_words_and_outcomes(book: Book) -> None:
    book.show(claim())
    book.update()
    book.show(claim(holds=False))
    assert book.complaint() == ("claim dfa-learns: it held in the reference and does not now (measured: 3.2 % (n=3))")
    book.show(claim(statement="DFA learns fast."))
    assert "it said 'DFA learns.', it says 'DFA learns fast.'" in book.complaint()
    book.show(Claim("dfa-new", "Another.", True, "1"))
    assert [str(failure) for failure in book.check()] == [
        "claim dfa-learns: it is gone",
        "claim dfa-new: the reference does not know it",
    ]


def test_values_follow_the_same_rule(book: Book) -> None:
    book.show(Value("dfa-final", 3.25, "{:.1f} %"), Value("dfa-name", "DFA"))
    book.update()
    book.show(Value("dfa-final", 3.26, "{:.1f} %"), Value("dfa-name", "IFA"))
    first, second = (str(failure) for failure in book.check())
    assert first.startswith("value dfa-final: off by 0.01 at its one number (reference 3.25, now 3.26)")
    assert second == "value dfa-name: value was 'DFA', is 'IFA'"


def test_a_name_used_twice_and_a_figure_without_caption_are_problems(book: Book) -> None:
    book.show(figure(), figure())
    with pytest.raises(AlignlibError, match="two cells of the chapter show something of this name"):
        book.update()
    book.show(figure())
    path = reference.executed_path(book.root, "digits", book.chapter)
    path.write_text(path.read_text().replace("A caption.", " "))
    with pytest.raises(AlignlibError, match='"name": "fig-dfa-error", "caption"'):
        book.update()
    assert not book.folder.exists()


def test_a_figure_of_another_chapter_is_a_problem(book: Book) -> None:
    shown = figure()
    book.show(Figure(shown.id, "05-indirect", shown.panels, shown.alt, PROVENANCE))
    with pytest.raises(AlignlibError, match="its chapter is '05-indirect', but stands in '04-direct-feedback'"):
        book.update()


def test_a_chapter_that_was_not_executed_fails(book: Book) -> None:
    assert "it has not been executed; run `alignlib build" in book.complaint()


# ---------------------------------------------------------------- files edited by hand


def test_a_changed_number_is_found_even_within_the_tolerance(book: Book) -> None:
    book.refer(figure(), prescott=figure(RUNS + 0.5))
    book.edit("6.5", "6.4")
    failure = book.complaint()
    assert failure.startswith("dfa-error: expected/digits/04-direct-feedback/dfa-error.json, line ")
    assert "edited by hand" in failure


def test_a_changed_number_beyond_the_tolerance_names_the_series_too(book: Book) -> None:
    book.show(figure())
    book.update()
    book.edit("6.5", "6.4")
    sealed, deviation = (str(failure) for failure in book.check())
    assert "edited by hand" in sealed
    assert deviation.startswith("dfa-error: DFA: off by 0.1 at x = 2, seed 1 (reference 6.4, now 6.5)")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"panels": [', '"panels": {', "not JSON"),
        ('"y_label"', '"label"', "unknown name 'label'. Accepted: guides, kind"),
        ('"panels"', '"pannels"', "unknown name 'pannels'"),
        ('"rule": "dfa"', '"colour": "dfa"', "unknown name 'colour'"),
        ("6.5", "NaN", "NaN is not a number"),
        ("6.5", '"6.5%"', "cannot be read"),
        ("6.5, ", "", "cannot be read"),
    ],
)
def test_a_malformed_file_is_named_with_its_line(book: Book, old: str, new: str, complaint: str) -> None:
    book.show(figure())
    book.update()
    line = book.edit(old, new)
    failure = book.complaint()
    assert "expected/digits/04-direct-feedback/dfa-error.json" in failure
    assert complaint in failure
    if "unknown name" in complaint:
        assert f"line {line}:" in failure


def test_a_row_without_all_its_cells_is_refused(book: Book) -> None:
    book.show(table())
    book.update()
    for old, new in [('["BP", 3.5]', '["BP"]'), ('["BP"]', '["BP", 3.5, 4]')]:
        book.edit(old, new, "dfa-table.json")
        assert "dfa-table.json: its numbers cannot be read" in book.complaint()


def test_a_missing_part_is_named(book: Book) -> None:
    book.show(figure(), claim())
    book.update()
    book.edit('"holds": true, ', "", "_claims.json")
    assert "'holds' is missing here" in book.complaint()


def test_what_belongs_to_no_chapter_fails(book: Book) -> None:
    book.show(figure())
    book.update()
    orphan = book.root / "expected/digits/03-gone/old.json"
    orphan.parent.mkdir()
    orphan.write_text("{}")
    (book.folder / "notes.txt").write_text("mine")
    assert [str(failure).partition(":")[0] for failure in book.check()] == ["notes", "expected/digits/03-gone"]
    removed = [change.file for change in book.update() if change.what == "removed"]
    assert removed == ["notes.txt", "old.json"]
    assert not orphan.parent.exists()


# ---------------------------------------------------------------- updates


def test_an_update_writes_readable_files_that_stay(book: Book) -> None:
    book.show(figure(), table(), claim(), Value("dfa-final", 1 / 3))
    assert {change.what for change in book.update()} == {"new"}
    text = (book.folder / "dfa-error.json").read_text()
    assert '"seeds": [0, 1, 2],' in text
    assert "      [90.5, 13.0, 6.5, 3.5]," in text.splitlines()
    assert "0.333333333" in (book.folder / "_values.json").read_text()
    before = {path: path.read_text() for path in book.folder.iterdir()}
    assert {change.what for change in book.update()} == {"kept"}
    assert {path: path.read_text() for path in book.folder.iterdir()} == before


def test_published_intervals_are_stored_and_compared(book: Book) -> None:
    def paper(half: float) -> Figure:
        made = panel("dots", series("paper", ["2×800"], [1.7], spread=[half]))
        return Figure("dfa-paper", CHAPTER, [made], "One dot with its interval.")

    book.show(paper(0.06))
    book.update()
    assert not book.check()
    book.show(paper(0.09))
    assert any("interval" in str(failure) for failure in book.check())


def test_an_update_on_another_machine_changes_nothing(book: Book) -> None:
    times = figure([0.0, 1.0, 2.0, 3.0], name="dfa-time", free=WALL_TIME)
    book.show(figure(), times)
    book.update()
    book.show(figure(RUNS * (1 + 1e-9)), figure([0.0, 1.5, 2.5, 9.0], name="dfa-time", free=WALL_TIME))
    assert {change.what for change in book.update()} == {"kept"}


def test_an_update_says_what_changed_and_removes_what_is_gone(book: Book) -> None:
    book.show(figure(), table(), claim())
    book.update()
    changed = RUNS.copy()
    changed[1, 2] = 7.5
    book.show(figure(changed), claim(holds=False))
    said = reference.describe(book.update())
    assert "6.5 → 7.5" in said
    assert "x = 2, seed 1" in said
    assert "it held in the reference and does not now" in said
    assert "removed: 04-direct-feedback/dfa-table.json" in said
    assert "changed: 04-direct-feedback/dfa-error.json" in said
    assert book.check() == []


def test_an_update_keeps_numbers_within_their_tolerance(book: Book) -> None:
    book.refer(figure(), prescott=figure(RUNS + 0.5))
    for off, what in [(1.0, "kept"), (2.0, "changed")]:
        book.show(figure(RUNS + off))
        assert [change.what for change in book.update(under=[PRESCOTT])] == [what]
    assert "8.5" in (book.folder / "dfa-error.json").read_text()


def test_a_file_is_written_anew_for_an_arithmetic_that_it_has_not_seen(book: Book) -> None:
    nehalem = ARITHMETICS["nehalem"]
    book.refer(figure(LINE), prescott=figure(LINE + 0.25))
    book.show(figure(LINE + 0.5), under=nehalem)
    for under, what in [([PRESCOTT], "kept"), ([], "kept"), ([PRESCOTT, nehalem], "changed"), ([nehalem], "kept")]:
        assert [change.what for change in book.update(under=under)] == [what]
    stored = json.loads((book.folder / "dfa-error.json").read_text())
    assert stored["seen"] == {"DFA": {"prescott": [0.25] * 4, "nehalem": [0.5] * 4}}


def test_a_file_is_written_anew_where_another_arithmetic_is_no_longer_within_what_was_seen(book: Book) -> None:
    book.refer(figure(LINE), prescott=figure(LINE + 0.25))
    book.show(figure(LINE + 2.0), under=PRESCOTT)
    book.update(under=[PRESCOTT])
    assert book.check(under=PRESCOTT) == []


def test_an_update_needs_every_arithmetic_executed(book: Book) -> None:
    book.show(figure())
    with pytest.raises(AlignlibError, match="not been executed; run `alignlib arithmetics prescott --profile digits`"):
        book.update(under=[PRESCOTT])
    assert not book.folder.exists()


# ---------------------------------------------------------------- what rounding must not decide


def test_a_claim_that_rounding_turns_is_refused_with_both_measurements(book: Book) -> None:
    book.show(figure(), claim())
    book.show(figure(), claim(holds=False, measured="9.1 % (n=3)"), under=PRESCOTT)
    with pytest.raises(AlignlibError) as caught:
        book.update(under=[PRESCOTT])
    assert str(caught.value).splitlines() == [
        "the reference stays as it is:",
        "  04-direct-feedback, claims of 04-direct-feedback, under prescott: claim dfa-learns, holds was True, is "
        "False (measured: 3.2 % (n=3); there: 9.1 % (n=3))",
    ]
    assert not book.folder.exists()
    book.show(figure(), claim(measured="3.3 % (n=3)"), under=PRESCOTT)
    assert {change.what for change in book.update(under=[PRESCOTT])} == {"new"}


def test_a_claim_made_under_one_arithmetic_only_is_refused(book: Book) -> None:
    book.show(claim(), Claim("dfa-falls", "It falls.", True, "5 points", chapter=CHAPTER))
    book.show(claim(), under=PRESCOTT)
    with pytest.raises(AlignlibError, match="under prescott: claim dfa-falls is missing"):
        book.update(under=[PRESCOTT])


@pytest.mark.parametrize(
    ("own", "other", "complaint"),
    [
        (figure(), figure(label="IFA"), "dfa-error, under prescott: panels 1, series: 'DFA' is missing"),
        (table(), table(names=["BP", "IFA"]), "dfa-table, under prescott: rows: 'DFA' is missing"),
        (table([3.5, "none"]), table([3.5, "some"]), "cells, error was 'none', is 'some'"),
        (table([3.5, 2.5]), table([3.5, None]), "cells, error was 'a number', is None"),
        (Value("best", "DFA"), Value("best", "IFA"), "under prescott: best, value was 'DFA', is 'IFA'"),
        (figure(), figure(RUNS[:2]), "seeds: 3 became 2"),
        (figure(), figure(RUNS[:, :3], x=X[:3]), "dfa-error, under prescott"),
        (figure(), table(), "under prescott"),
    ],
    ids=["series", "rows", "texts", "no number", "value", "seeds", "points", "figure"],
)
def test_labels_and_sizes_that_rounding_decides_are_refused(book: Book, own: Any, other: Any, complaint: str) -> None:
    book.show(own)
    book.show(other, under=PRESCOTT)
    with pytest.raises(AlignlibError, match="stays as it is") as caught:
        book.update(under=[PRESCOTT])
    assert complaint in str(caught.value)
    assert not book.folder.exists()


def test_the_names_of_categories_are_labels(book: Book) -> None:
    def dots(*names: str) -> Figure:
        return Figure(
            "dfa-dots", CHAPTER, [panel("dots", series("DFA", names, [1.0, 2.0]))], "Two dots, told in words."
        )

    book.show(dots("two layers", "ten layers"))
    book.show(dots("two layers", "nine layers"), under=PRESCOTT)
    with pytest.raises(AlignlibError, match="was 'ten layers', is 'nine layers'"):
        book.update(under=[PRESCOTT])


def test_a_check_tells_how_far_rounding_moved_each_margin(book: Book) -> None:
    def claims(near: float, far: float) -> list[Claim]:
        bare = Claim("dfa-equal", "They are equal.", True, "2 and 2", chapter=CHAPTER)
        other = Claim("dfa-far", "Far apart.", False, "1 and 9", chapter=CHAPTER, margin=far)
        return [other, claim(margin=near), bare]

    book.show(*claims(0.5, -0.25))
    book.show(*claims(0.375, -0.25), under=PRESCOTT)
    book.show(*claims(0.5625, -0.25), under=ARITHMETICS["nehalem"])
    book.update(under=[PRESCOTT, ARITHMETICS["nehalem"]])
    stored = json.loads((book.folder / "_claims.json").read_text())["claims"]
    assert stored["dfa-learns"]["margin"] == 0.5
    assert stored["dfa-learns"]["moved"] == {"prescott": 0.12, "nehalem": 0.062}
    assert stored["dfa-far"]["moved"] == {}
    assert "margin" not in stored["dfa-equal"]
    book.show(*claims(0.6, -0.2))
    checks = reference.check(book.root, "digits", fresh=True)
    assert checks[0].ok  # a margin may move, the verdict may not
    assert checks[0].turns == (reference.Turn("dfa-far", -0.2, 0.0), reference.Turn("dfa-learns", 0.6, 0.12))
    assert [turn.times for turn in checks[0].turns] == [math.inf, pytest.approx(5)]
    *_, first, second = build.nearest_to_turning(checks).splitlines()
    assert first.split()[:3] == ["dfa-learns", "60", "%"]
    assert second.split() == ["dfa-far", "-20", "%", "nothing"]
    assert "dfa-far" not in build.nearest_to_turning(checks, most=1)
    assert "No claim" in build.nearest_to_turning([])


def test_an_update_mends_an_edited_file(book: Book) -> None:
    book.show(figure())
    book.update()
    good = (book.folder / "dfa-error.json").read_text()
    for broken in ("{", good.replace("6.5", "6.4")):
        (book.folder / "dfa-error.json").write_text(broken)
        assert [change.what for change in book.update()] == ["changed"]
        assert (book.folder / "dfa-error.json").read_text() == good


def test_an_update_that_cannot_write_leaves_the_old_file(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    book.show(figure())
    book.update()
    before = (book.folder / "dfa-error.json").read_text()
    book.show(figure(RUNS + 1))

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        book.update()
    assert (book.folder / "dfa-error.json").read_text() == before
    assert len(list(book.folder.iterdir())) == 1


FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64, min_value=-1e12, max_value=1e12)
THREE = [0, math.log2(3), 12.40234375]


def document_of(runs: Any, free: str = "") -> dict[str, Any]:
    shown = figure(runs, free=free, x=THREE)
    return reference._stored(json.loads(json.dumps(shown.to_json())), ("panels",))


@given(
    st.lists(st.lists(FINITE | st.just(math.nan), min_size=3, max_size=3), min_size=1, max_size=4),
    st.sampled_from(["", WALL_TIME]),
)
def test_what_is_written_reads_back_and_agrees(runs: list[list[float]], free: str) -> None:
    document = reference.with_seen(document_of(runs, free), {})
    text = reference.reference_text(document)
    stored = json.loads(text)
    assert stored["seal"] == reference.seal(stored)
    assert {**stored, "seal": ""} == {**reference.rounded(document), "seal": ""}
    assert all(deviation.ok for deviation in compare.compare(stored, document))
    assert max(len(line) for line in text.splitlines()) < 130


SIZES = st.just(0.0) | st.floats(1e-9, 1e9) | st.just(math.nan)


@given(st.lists(st.tuples(*[st.tuples(SIZES, SIZES)] * 3), min_size=1, max_size=4))
def test_an_arithmetic_that_the_reference_saw_agrees_with_what_is_written(runs: list[Any]) -> None:
    own, other = np.moveaxis(np.array(runs), 2, 0)
    text = reference.reference_text(reference.with_seen(document_of(own), {"prescott": document_of(other)}))
    deviations = compare.compare(json.loads(text), document_of(other))
    assert [str(deviation) for deviation in deviations if not deviation.ok] == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | FINITE | st.text(),
        lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=60,
    )
)
def test_the_layout_of_the_files_is_json(value: Any) -> None:
    assert json.loads("\n".join(reference._lines(value, ""))) == value


@pytest.fixture(scope="module")
def shapes() -> Callable[[Any], list[str]]:
    def differences(changed: Any) -> list[str]:
        return compare.form_differences({"a": [{"name": "x", "b": 1}, {"name": "y", "b": 2}]}, changed)

    return differences


def test_differences_of_form_are_said_in_words(shapes: Callable[[Any], list[str]]) -> None:
    assert shapes({"a": [{"name": "x", "b": 1}, {"name": "y", "b": 3}]}) == ["a y, b was 2, is 3"]
    assert shapes({"a": [{"name": "x", "b": 1}]}) == ["a: 'y' is missing"]
    assert shapes({"a": [{"name": "x", "b": 1}, {"name": "y", "b": 2}], "c": 1}) == ["c is new"]
    assert shapes({"a": [{"name": "x", "b": True}, {"name": "y", "b": 2}]}) == ["a x, b was 1, is True"]
