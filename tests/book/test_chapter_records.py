"""Chapters read records: wherever they run, with their provenance, and again when a record changes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import alignlib as al
from alignlib import book
from alignlib.book import chapters, freshness, pages, rerun
from alignlib.errors import InvalidValue
from alignlib.experiments import records

MakeBook = Callable[..., Path]
CELLS = [
    'from alignlib import book\nchapter = book.Chapter("15-tables", globals())',
    'found = chapter.records("tiny/*")',
    """\
errors = [record.final("test_error") for record in found]
chapter.figure("tables", book.panel("dots", book.series("error", [r.id for r in found], errors)),
               alt="One dot for the error of each record.")""",
    'chapter.value("runs", len(found))',
]


@pytest.fixture(scope="module")
def record() -> records.Record:
    result = al.run(al.Experiment(hidden=(5,), epochs=1, train_size=64, probe=0))
    return records.record("tiny/one", "a small run", result, [2.0], "2026-11-24")


@pytest.fixture
def root(tmp_path: Path, make_book: MakeBook, record: records.Record) -> Path:
    made = make_book(tmp_path / "book", c15_tables=CELLS)
    cells = json.loads((made / "chapters" / "15-tables.ipynb").read_text())
    cells["cells"][4]["metadata"] = {"mystnb": {"figure": {"name": "fig-tables", "caption": "Dots."}}}
    (made / "chapters" / "15-tables.ipynb").write_text(json.dumps(cells))
    records.write(made / "records", record)
    return made


def plan(root: Path) -> list[str]:
    [entry] = chapters.plan(root, "digits")
    return list(entry.reasons)


def test_provenance_says_that_numbers_come_from_records(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root / "chapters")
    chapter = book.Chapter("15-tables", {})
    assert "records" not in chapter.provenance("before", {})
    [found] = chapter.records("tiny/*")
    [origin] = chapter.provenance("after", {})["records"]
    assert origin["id"] == found.id
    assert origin["dates"] == ["2026-11-24"]
    assert origin["machines"] == [found.machine["cpu"]]
    assert origin["hours"] == pytest.approx(found.seconds / 3600, abs=1e-3)
    assert chapter.provenance("after", {})["data"] == {"digits": found.result.data_checksum}


def test_a_pattern_without_records_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root / "chapters")
    with pytest.raises(InvalidValue, match=r"no record fits 'tony/\*'; did you mean 'tiny/\*'\?"):
        book.Chapter("15-tables", {}).records("tony/*")


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("chapter.records('tiny/one')", ["tiny/one"]),
        ('chapter.records(\n    "tiny/*"\n)', ["tiny/one", "tiny/two"]),
        ('chapter.records("tiny/two") + chapter.records("big/*")', ["big/one", "tiny/two"]),
        ("chapter.records(pattern)", ["big/one", "tiny/one", "tiny/two"]),
        ('chapter.records(f"tiny/{name}")', ["big/one", "tiny/one", "tiny/two"]),
        ('chapter.records("tiny/" + name)', ["big/one", "tiny/one", "tiny/two"]),
        ("chapter.run(experiments)", []),
    ],
)
def test_the_records_that_a_text_reads(root: Path, record: records.Record, code: str, found: list[str]) -> None:
    for id in ("tiny/two", "big/one"):
        records.write(root / "records", replace(record, id=id))
    inputs = freshness.record_inputs(root, code)
    assert [name.removeprefix("file records/").removesuffix(".json") for name in inputs] == found


def test_a_record_of_another_kind_is_found_by_its_name(root: Path) -> None:
    (root / "records").mkdir(exist_ok=True)
    (root / "records" / "one-shot.jsonl").write_text("{}\n", encoding="utf-8")
    assert list(freshness.record_inputs(root, 'read("one-shot.jsonl")')) == ["file records/one-shot.jsonl"]
    assert freshness.record_inputs(root, 'read("two-shot.jsonl")') == {}


def test_a_chapter_runs_again_when_its_records_change(root: Path, record: records.Record) -> None:
    chapters.execute_all(root, say=lambda text: None, watch=chapters.in_silence)
    assert plan(root) == []
    records.write(root / "records", replace(record, id="other/one"))
    assert plan(root) == []
    records.write(root / "records", replace(record, label="another label"))
    assert plan(root) == ["records/tiny/one.json changed"]
    records.write(root / "records", record)
    records.write(root / "records", replace(record, id="tiny/two"))
    assert plan(root) == ["records/tiny/two.json is new"]
    [figure] = pages.read_chapter(root / "_build" / "digits" / "executed" / "chapters" / "15-tables.ipynb").figures
    assert [origin["id"] for origin in figure.data["provenance"]["records"]] == ["tiny/one"]


def test_a_rerun_of_the_readers_finds_them(root: Path, tmp_path: Path) -> None:
    chapter = chapters.resolve(root, "15")
    report = rerun.rerun(root, chapter, {}, out=tmp_path / "run", say=lambda text: None)
    assert (report.folder / "figures" / "tables.csv").is_file()


def test_plain_papermill_finds_them(root: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "papermill", "--cwd", "chapters", "chapters/15-tables.ipynb", "out.ipynb"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "tiny/one" in (root / "out.ipynb").read_text()
