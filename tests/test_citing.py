"""Citing: entries for bibliographies that other programs read (tags and crate: test_site)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pybtex.database import parse_string
from test_site import REPOSITORY, make_tiny, notebook

from alignlib.book import citing, pages, site
from alignlib.book.status_page import Moment

BOOK = citing.read_book(REPOSITORY)


def chapter(tmp_path: Path, caption: str) -> pages.ShownChapter:
    made = notebook("04-second", "Depth & more", "", [])
    made["cells"][2]["metadata"]["mystnb"]["figure"]["caption"] = caption
    (tmp_path / "04-second.ipynb").write_text(json.dumps(made))
    return pages.read_chapter(tmp_path / "04-second.ipynb")


def test_the_book_is_what_its_files_say() -> None:
    assert BOOK.author == "The alignlib authors"
    assert BOOK.address == pages.SITE
    assert re.fullmatch(r"\d+\.\d+\.\d+", BOOK.version)
    assert BOOK.licence == "MIT"


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        (r"$W_L \cdots W_1$, $\lVert \delta \rVert \le \tfrac{1}{2}$", "WL ⋯ W1, ‖ δ ‖ ≤ 1/2"),
        ("**A fall.** Error, $n=2$.", "A fall. Error, n=2."),
        ("see {cite:t}`nokland2016` and [there](x.md)", "see nokland2016 and there"),
        ("`x` and *y*", "x and y"),
        (r"signal $\delta_1$ through $\pm W^\top$ and $f'$", "signal δ1 through ± Wᵀ and f′"),
    ],
)
def test_plain_text_of_a_caption(marked: str, plain: str) -> None:
    assert citing.plain(marked) == plain


def test_bibtex_is_read_by_a_reader_of_bibtex(tmp_path: Path) -> None:
    shown = chapter(tmp_path, "**Less than 5 % & #1 with $W^\\top$.** All of it.")
    entry = citing.figure_entry(BOOK, shown, shown.figures[0], "digits")
    database = parse_string(citing.bibtex(BOOK, entry) + citing.bibtex(BOOK, citing.book_entry(BOOK)), "bibtex")
    found = database.entries["alignlib-second-error"]
    assert str(found.persons["author"][0]) == "{The alignlib authors}"
    assert found.fields["title"] == r"{Less than 5 \% \& \#1 with Wᵀ}"
    assert found.fields["url"] == f"{pages.SITE}figures/second-error.html"
    assert found.fields["year"] == BOOK.year
    digest = shown.figures[0].data["provenance"]["digest"][:12]
    assert f"profile digits, data digest {digest}" in found.fields["note"]
    assert database.entries["alignlib"].type == "book"


@pytest.mark.parametrize("kind", ["figure", "book"])
def test_csl_has_the_fields_of_its_schema_and_no_others(tmp_path: Path, kind: str) -> None:
    shown = chapter(tmp_path, "**A title.** Text.")
    figure = citing.figure_entry(BOOK, shown, shown.figures[0], "digits")
    item = citing.csl(BOOK, figure if kind == "figure" else citing.book_entry(BOOK))
    assert item["type"] == kind
    texts = {"id", "type", "title", "URL", "note", "language", "container-title", "version", "DOI"}
    assert set(item) <= texts | {"author", "issued"}
    assert all(isinstance(item[name], str) for name in texts & set(item))
    assert item["author"] == [{"literal": BOOK.author}]
    assert item["issued"] == {"date-parts": [[int(BOOK.year)]]}


def test_a_site_of_another_day_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = []
    for date in ("2026-01-01", "2026-01-02"):
        monkeypatch.setattr(Moment, "now", classmethod(lambda cls, root, date=date: cls(date, "")))
        root = make_tiny(tmp_path / date) if (tmp_path / date).mkdir() is None else tmp_path
        chapters = [pages.read_chapter(path) for path in site._executed(root, "digits")]
        content.append(site._content(root, "digits", chapters))
    assert content[0] == content[1]
