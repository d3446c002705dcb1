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

from alignlib.book import (
    SPREAD,
    WALL_TIME,
    Claim,
    Column,
    Figure,
    Measured,
    Table,
    Tolerance,
    Value,
    compare,
    panel,
    reference,
    series,
)
from alignlib.book.chapters import Chapter
from alignlib.book.compare import Deviation
from alignlib.book.figure import Guide
from alignlib.errors import AlignlibError

CHAPTER = "04-direct-feedback"
X = [0, 1, 2, 3]
RUNS = np.array([[90.0, 12.0, 6.0, 3.0], [90.5, 13.0, 6.5, 3.5], [89.0, 11.0, 5.0, 3.25]])
PROVENANCE = {"parameters": {"epochs": 3}, "data": {"digits": "abc"}}


class Book:
    """A book whose one chapter shows what a test puts there, as if it had been executed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.chapter = Chapter(4, CHAPTER, root / "chapters" / f"{CHAPTER}.ipynb")
        self.folder = root / "expected/digits" / CHAPTER
        (root / "chapters").mkdir()
        self.chapter.path.write_text('{"cells": []}')

    def show(self, *shown: Figure | Table | Claim | Value) -> None:
        path = reference.executed_path(self.root, "digits", self.chapter)
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

    def update(self) -> list[reference.Change]:
        return reference.update(self.root, "digits", fresh=True)

    def check(self) -> list[Deviation]:
        return [failure for check in reference.check(self.root, "digits", fresh=True) for failure in check.failures]

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
    tolerance: Tolerance | None = None,
    x: Sequence[Any] = X,
    provenance: dict[str, Any] = PROVENANCE,
    **panel_options: Any,
) -> Figure:
    y = np.asarray(y)
    options = {"tolerance": tolerance} if tolerance else {}
    seeds = range(len(y)) if y.ndim == 2 else ()
    line = series(label, x, y, rule="dfa", seeds=seeds, **options)
    shown = panel("lines", [line], y_label="test error (%)", **panel_options)
    return Figure(name, CHAPTER, [shown], "A falling line, told in words.", provenance)


def table(cells: Sequence[Any] = (3.5, 2.5), *, tolerance: Tolerance | None = None) -> Table:
    columns = [Column("rule"), Column("error", "{:.1f}", tolerance or Tolerance())]
    rows = list(zip(("BP", "DFA"), cells, strict=True))
    return Table("dfa-table", columns, rows, "Two rules and their errors, told.", chapter=CHAPTER)


def claim(holds: bool = True, statement: str = "DFA learns.") -> Claim:
    return Claim("dfa-learns", statement, holds, "3.2 % (n=3)", chapter=CHAPTER)


# ---------------------------------------------------------------- numbers


def test_what_was_stored_agrees(book: Book) -> None:
    book.show(figure(), table(), claim(), Value("dfa-final", 3.25, "{:.1f} %"))
    book.update()
    [check] = reference.check(book.root, "digits", fresh=True)
    assert check.ok
    assert (check.figures, check.claims_held, check.claims) == (2, 1, 1)
    assert check.worst < 0.01  # only the rounding of what is stored


def test_exact_numbers_within_their_tolerance_agree(book: Book) -> None:
    book.show(figure())
    book.update()
    book.show(figure(RUNS * (1 + 5e-7)))
    [check] = reference.check(book.root, "digits", fresh=True)
    assert check.ok
    assert check.worst == pytest.approx(0.5, rel=0.1)


def test_a_deviation_names_figure_series_place_and_tolerance(book: Book) -> None:
    book.show(figure())
    book.update()
    changed = RUNS.copy()
    changed[1, 2] += 0.25
    changed[0, 1] += 0.01
    book.show(figure(changed))
    assert book.complaint() == (
        "dfa-error: DFA: off by 0.25 at x = 2, seed 1 (reference 6.5, now 6.75); allowed are 6.51e-06"
    )


@pytest.mark.parametrize("tolerance", [Tolerance(), SPREAD, Tolerance("spread", rtol=0.2), WALL_TIME])
def test_a_flipped_sign_is_never_within_a_tolerance(book: Book, tolerance: Tolerance) -> None:
    book.show(figure(tolerance=tolerance))
    book.update()
    book.show(figure(-RUNS, tolerance=tolerance))
    assert "dfa-error: DFA" in book.complaint()


def test_spread_compares_the_median_with_the_range_over_seeds(book: Book) -> None:
    book.show(figure(tolerance=SPREAD))
    book.update()
    book.show(figure(RUNS[[2, 0, 1]] + np.array([0.9, 1.9, 1.4, 0.9]), tolerance=SPREAD))
    assert book.check() == []
    book.show(figure(RUNS + np.array([0, 0, 1.6, 0]), tolerance=SPREAD))
    assert book.complaint() == (
        "dfa-error: DFA: off by 1.6 at x = 2 (median of 3 seeds) (reference 6, now 7.6); allowed are 1.5"
    )


def test_spread_allows_the_usual_range_where_the_seeds_happen_to_meet(book: Book) -> None:
    meeting = RUNS.copy()
    meeting[:, 3] = 3.0
    book.show(figure(meeting, tolerance=SPREAD))
    book.update()
    book.show(figure(meeting + np.array([0, 0, 0, 1.4]), tolerance=SPREAD))
    assert book.check() == []
    book.show(figure(meeting + np.array([0, 0, 0, 1.6]), tolerance=SPREAD))
    assert "x = 3" in book.complaint()


FALLING = [10.0, 5.0, 2.0, 1.0]
WIDE = Tolerance("spread", rtol=0.25)


@pytest.mark.parametrize(
    ("runs", "tolerance", "within", "beyond", "complaint"),
    [
        pytest.param(FALLING, SPREAD, 0.9, 1.1, "off by 1.1", id="a tenth of its scale for a single run"),
        pytest.param([[1000.0] * 4] * 2, SPREAD, 0.9, 1.1, "allowed are 1", id="a floor for equal seeds"),
        pytest.param([FALLING] * 2, WIDE, 2.4, 2.6, "allowed are 2.5", id="a floor of its own for equal seeds"),
        pytest.param(FALLING, WIDE, 2.4, 2.6, "allowed are 2.5", id="a floor of its own for a single run"),
    ],
)
def test_spread_allows_at_least(
    book: Book, runs: Any, tolerance: Tolerance, within: float, beyond: float, complaint: str
) -> None:
    runs = np.array(runs)
    book.show(figure(runs, tolerance=tolerance))
    book.update()
    book.show(figure(runs + within, tolerance=tolerance))
    assert book.check() == []
    book.show(figure(runs + beyond, tolerance=tolerance))
    assert complaint in book.complaint()


def test_free_numbers_may_be_any_of_the_same_sign(book: Book) -> None:
    book.show(figure([0.0, 1.0, 2.0, 3.0], tolerance=WALL_TIME, x=[0.0, 0.5, 1.0, 1.5]))
    book.update()
    book.show(figure([0.1, 100.0, 2.0, 3.0], tolerance=WALL_TIME, x=[0.0, 5.0, 6.0, 7.0]))
    assert book.check() == []
    book.show(figure([0.1, 100.0, -2.0, 3.0], tolerance=WALL_TIME))
    assert "x = 1 changed its sign" in book.complaint()


@pytest.mark.parametrize("tolerance", [Tolerance(), SPREAD, WALL_TIME])
def test_gaps_must_be_the_same(book: Book, tolerance: Tolerance) -> None:
    gappy = RUNS.copy()
    gappy[1, 0] = math.nan
    book.show(figure(gappy, tolerance=tolerance))
    book.update()
    assert book.check() == []
    book.show(figure(tolerance=tolerance))
    assert book.complaint() == "dfa-error: DFA: x = 0, seed 1 was a gap and is a number now"
    gappy[2, 3] = math.nan
    book.show(figure(gappy, tolerance=tolerance))
    assert book.complaint() == "dfa-error: DFA: x = 3, seed 2 is a gap now"


def test_measurements_of_a_table_are_compared_with_their_deviation(book: Book) -> None:
    book.show(table([Measured(3.0, 0.1, 5), Measured(4.0, 0.1, 5)], tolerance=SPREAD))
    book.update()
    book.show(table([Measured(3.25, 0.3, 5), Measured(4.0, 0.1, 5)], tolerance=SPREAD))
    assert book.check() == []
    book.show(table([Measured(3.0, 0.1, 5), Measured(4.4, 0.1, 5)], tolerance=SPREAD))
    assert book.complaint() == ("dfa-table: error: off by 0.4 at row 'DFA' (reference 4, now 4.4); allowed are 0.3")
    book.show(table([Measured(3.0, 0.1, 5), Measured(4.0, 0.1, 4)], tolerance=SPREAD))
    assert book.complaint() == "dfa-table: rows DFA, cells, error, n was 5, is 4"


def test_an_exact_table_compares_the_deviations_too(book: Book) -> None:
    book.show(table([Measured(3.0, 0.1, 5), 4]))
    book.update()
    book.show(table([Measured(3.0, 0.2, 5), 4]))
    assert "error (standard deviation): off by 0.1 at row 'BP'" in book.complaint()


def test_a_guide_moves_no_further_than_what_it_belongs_to(book: Book) -> None:
    for tolerance, passes in [(Tolerance(), False), (SPREAD, True)]:
        book.show(figure(tolerance=tolerance, guides=[Guide("y", 3.0, "best")]))
        book.update()
        book.show(figure(tolerance=tolerance, guides=[Guide("y", 3.1, "best")]))
        assert (book.check() == []) == passes


# ---------------------------------------------------------------- what is not a number


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        (figure(y_scale="log"), "dfa-error: panels 1, y_scale was 'linear', is 'log'"),
        (figure(label="IFA"), "dfa-error: panels 1, series: 'DFA' is missing"),
        (figure(RUNS[:2]), "dfa-error: panels 1, series DFA, seeds: 3 became 2"),
        (figure(RUNS[:, :3], x=X[:3]), "dfa-error: DFA: 3 seeds of 4 points became 3 seeds of 3 points"),
        (figure(x=[0, 1, 2, 4]), "dfa-error: DFA (x): off by 1 at x = 3 (reference 3, now 4)"),
        (figure(tolerance=WALL_TIME), "dfa-error: panels 1, series DFA, tolerance, kind was 'exact', is 'free'"),
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
    book.show(figure(tolerance=SPREAD))
    book.update()
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
    times = figure([0.0, 1.0, 2.0, 3.0], name="dfa-time", tolerance=WALL_TIME)
    book.show(figure(), times)
    book.update()
    book.show(figure(RUNS * (1 + 1e-9)), figure([0.0, 1.5, 2.5, 9.0], name="dfa-time", tolerance=WALL_TIME))
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


def test_an_update_of_chaotic_numbers_takes_the_new_ones(book: Book) -> None:
    book.show(figure(tolerance=SPREAD))
    book.update()
    book.show(figure(RUNS + 0.1, tolerance=SPREAD))
    assert [change.what for change in book.update()] == ["changed"]
    assert "6.6" in (book.folder / "dfa-error.json").read_text()


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
KINDS = st.sampled_from([Tolerance(), SPREAD, WALL_TIME, Tolerance(rtol=1e-12, atol=0.0)])


@given(st.lists(st.lists(FINITE | st.just(math.nan), min_size=3, max_size=3), min_size=1, max_size=4), KINDS)
def test_what_is_written_reads_back_and_agrees(runs: list[list[float]], tolerance: Tolerance) -> None:
    shown = figure(runs, tolerance=tolerance, x=[0, math.log2(3), 12.40234375])
    document = reference._stored(json.loads(json.dumps(shown.to_json())), ("panels",))
    text = reference.reference_text(document)
    stored = json.loads(text)
    assert stored["seal"] == reference.seal(stored)
    assert {**stored, "seal": ""} == {**reference.rounded(document), "seal": ""}
    assert all(deviation.ok for deviation in compare.compare(stored, document))
    assert max(len(line) for line in text.splitlines()) < 130


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
