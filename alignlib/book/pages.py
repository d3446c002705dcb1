"""What the executed chapters show, read from their notebooks, and the files that one figure is published as.

The rooms that make pages of it (``figure_pages``, ``claims_page``, ``status_page``, ``landing``) are as pure as this
one: executed notebooks in, Markdown out. Writing and rendering is ``site``.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alignlib.book.claims import CLAIM_MIME, TABLE_MIME, VALUE_MIME, Table
from alignlib.book.figure import MIME as FIGURE_MIME
from alignlib.book.figure import Figure

SITE = "https://alignlib.github.io/learning-without-weight-transport/"
WORDS_A_MINUTE = 200  #: slower than prose is read: there are equations and figures between the words

Json = dict[str, Any]


@dataclass(frozen=True)
class ShownFigure:
    """One figure as a chapter shows it."""

    id: str
    caption: str
    data: Json
    svg: str
    png: bytes
    anchor: str = ""

    @property
    def alt(self) -> str:
        """The alternative text."""
        return str(self.data.get("alt", ""))

    @property
    def title(self) -> str:
        """The message of the figure: the bold beginning of its caption, or all of it."""
        found = re.match(r"\*\*.+?\*\*", self.caption)
        return found[0] if found else self.caption

    @property
    def explanation(self) -> str:
        """What the caption says after its title."""
        return self.caption.removeprefix(self.title).strip()


@dataclass(frozen=True)
class ShownChapter:
    """What an executed chapter holds, in the order in which it shows it.

    ``asks`` and ``after`` come from the notebook's own metadata, ``{"book": {"asks": "…?", "after": [3, 4]}}``:
    the chapter's question, and the numbers of the chapters that it builds on.
    """

    name: str
    title: str
    figures: tuple[ShownFigure, ...]
    tables: tuple[Json, ...]
    claims: tuple[Json, ...]
    values: tuple[Json, ...] = ()
    asks: str = ""
    after: tuple[int, ...] = ()
    words: int = 0

    @property
    def number(self) -> int:
        """The chapter's number, taken from its file name."""
        return int(self.name[:2])

    @property
    def spoken(self) -> str:
        """Number and title."""
        return f"{self.number}. {self.title}"

    @property
    def minutes(self) -> int:
        """How long the text takes to read, without code and exercises done."""
        return max(1, round(self.words / WORDS_A_MINUTE))

    def number_of(self, figure: ShownFigure) -> str:
        """Return a figure's number, its place in this chapter: "4.2"."""
        return f"{self.number}.{[shown.id for shown in self.figures].index(figure.id) + 1}"


def read_chapter(path: Path) -> ShownChapter:
    """Read what the executed notebook at `path` shows."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    figures: list[ShownFigure] = []
    tables: list[Json] = []
    claims: list[Json] = []
    values: list[Json] = []
    for cell, shown in outputs(notebook):
        if FIGURE_MIME in shown:
            figures.append(_figure(cell, shown))
        if TABLE_MIME in shown:
            tables.append(shown[TABLE_MIME])
        if CLAIM_MIME in shown:
            claims.append(shown[CLAIM_MIME])
        if VALUE_MIME in shown:
            values.append(shown[VALUE_MIME])
    about = notebook.get("metadata", {}).get("book", {})
    return ShownChapter(
        path.stem,
        _title(notebook, path.stem),
        tuple(figures),
        tuple(tables),
        tuple(claims),
        tuple(values),
        str(about.get("asks", "")),
        tuple(int(number) for number in about.get("after", ())),
        _words(notebook),
    )


def outputs(notebook: Json) -> Iterator[tuple[Json, Json]]:
    """Yield what an executed notebook shows: the cell, and the same thing in each form that it was given."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if "data" in output:
                yield cell, output["data"]


def _figure(cell: Json, shown: Json) -> ShownFigure:
    data = shown[FIGURE_MIME]
    place = cell["metadata"].get("mystnb", {}).get("figure", {})
    return ShownFigure(
        str(data["id"]),
        " ".join(str(place.get("caption", "")).split()),
        data,
        _joined(shown.get("image/svg+xml", "")),
        base64.b64decode(_joined(shown.get("image/png", ""))),
        str(place.get("name", "")),
    )


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _title(notebook: Json, otherwise: str) -> str:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown" and (
            found := re.search(r"^# +(.+)$", _joined(cell["source"]), re.MULTILINE)
        ):
            return found.group(1).strip()
    return otherwise


def _words(notebook: Json) -> int:
    texts = [_joined(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    return sum(len(text.split()) for text in texts)


# ---------------------------------------------------------------- files of one figure


def figure_files(figure: ShownFigure) -> dict[str, bytes]:
    """Return the files that one figure is published as: suffix -> content."""
    return {
        "svg": figure.svg.encode(),
        "png": figure.png,
        "csv": Figure.from_json(figure.data).to_csv().encode(),
        "json": (json.dumps(figure.data, indent=1, ensure_ascii=False) + "\n").encode(),
    }


def table_csv(table: Json) -> str:
    """Return a computed table as CSV, its cells as the reader sees them."""
    shown = Table.from_json(table)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[c.name for c in shown.columns], *shown.text_rows])
    return text.getvalue()


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]], numbers: int = 0) -> list[str]:
    """Return a table in Markdown, line by line; the last ``numbers`` columns hold numbers and are set to the right."""
    body = ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    rule = "|" + " --- |" * (len(head) - numbers) + " ---: |" * numbers
    return ["| " + " | ".join(head) + " |", rule, *body]
