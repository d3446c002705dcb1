"""The pages that are made from the executed chapters: figure gallery, claims, the build itself.

Everything here is pure: executed notebooks in, Markdown out. Writing and rendering is ``site``.
"""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alignlib.book.claims import CLAIM_MIME, TABLE_MIME, VALUE_MIME, Claim, Table
from alignlib.book.figure import MIME as FIGURE_MIME
from alignlib.book.figure import Figure

SITE = "https://alignlib.github.io/learning-without-weight-transport/"

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


@dataclass(frozen=True)
class ShownChapter:
    """What an executed chapter holds, in the order in which it shows it."""

    name: str
    title: str
    figures: tuple[ShownFigure, ...]
    tables: tuple[Json, ...]
    claims: tuple[Json, ...]
    values: tuple[Json, ...] = ()

    @property
    def number(self) -> int:
        """The chapter's number, taken from its file name."""
        return int(self.name[:2])

    @property
    def spoken(self) -> str:
        """Number and title."""
        return f"{self.number}. {self.title}"


def read_chapter(path: Path) -> ShownChapter:
    """Read what the executed notebook at `path` shows."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    figures: list[ShownFigure] = []
    tables: list[Json] = []
    claims: list[Json] = []
    values: list[Json] = []
    for cell, shown in _outputs(notebook):
        if FIGURE_MIME in shown:
            figures.append(_figure(cell, shown))
        if TABLE_MIME in shown:
            tables.append(shown[TABLE_MIME])
        if CLAIM_MIME in shown:
            claims.append(shown[CLAIM_MIME])
        if VALUE_MIME in shown:
            values.append(shown[VALUE_MIME])
    title = _title(notebook, path.stem)
    return ShownChapter(path.stem, title, tuple(figures), tuple(tables), tuple(claims), tuple(values))


def _outputs(notebook: Json) -> Iterator[tuple[Json, Json]]:
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


# ---------------------------------------------------------------- generated pages


def gallery(chapters: Sequence[ShownChapter], profile: str) -> str:
    """Return the page that shows every figure of the book small, with its files and its citation."""
    count = sum(len(chapter.figures) for chapter in chapters)
    lines = [
        "# Figure gallery",
        "",
        f"{count} figures, each drawn when this book was built and each with the numbers behind it.",
        "A picture leads to its place in the text; the addresses of the files do not change.",
        "",
    ]
    for chapter in chapters:
        if chapter.figures:
            lines += [
                f"## {chapter.spoken}",
                "",
                "::::{grid} 1 2 2 3",
                ":gutter: 3",
                ":class-container: gallery",
                "",
            ]
            for figure in chapter.figures:
                lines += _card(chapter, figure, profile)
            lines += ["::::", ""]
    return "\n".join(lines)


def _card(chapter: ShownChapter, figure: ShownFigure, profile: str) -> list[str]:
    place = f"chapters/{chapter.name}.html#fig-{figure.id}"
    image = f'<img src="figures/{figure.id}.svg" alt="{html.escape(figure.alt)}" loading="lazy">'
    kinds = figure_files(figure)
    files = "".join(f'<a href="figures/{figure.id}.{kind}">{kind.upper()}</a>' for kind in kinds)
    return [
        ":::{grid-item-card}",
        "",
        "```{raw} html",
        f'<a href="{place}">{image}</a>',
        "```",
        "",
        f"{{numref}}`fig-{figure.id}` {figure.title}",
        "",
        "```{raw} html",
        f'<p class="figure-files">{files}</p>',
        f'<details class="cite" id="cite-{figure.id}"><summary>Cite</summary>',
        f"<pre>{html.escape(figure_bibtex(chapter, figure, profile))}</pre></details>",
        "```",
        ":::",
        "",
    ]


def figure_bibtex(chapter: ShownChapter, figure: ShownFigure, profile: str) -> str:
    """Return a BibTeX entry for one figure; an anchor ``table-…`` makes it a table's."""
    anchor = figure.anchor or f"fig-{figure.id}"
    kind = "Table" if anchor.startswith("table-") else "Figure"
    digest = figure.data.get("provenance", {}).get("digest", "")[:12]
    note = f"profile {profile}" + (f", data digest {digest}" if digest else "")
    return "\n".join(
        (
            f"@misc{{alignlib-{figure.id},",
            "  author = {{The alignlib authors}},",
            f"  title = {{{kind} ``{figure.id}'', in: Learning without weight transport, {chapter.title}}},",
            "  year = {2026},",
            f"  url = {{{SITE}chapters/{chapter.name}.html#{anchor}}},",
            f"  note = {{{note}}}",
            "}",
        )
    )


def claims_page(chapters: Sequence[ShownChapter]) -> str:
    """Return the page that lists every claim of the book with its verdict and its measurement."""
    claims = [claim for chapter in chapters for claim in chapter.claims]
    held = sum(bool(claim["holds"]) for claim in claims)
    lines = [
        "# Claims",
        "",
        f"The book makes {len(claims)} claims that a computation decides; here {held} hold and "
        f"{len(claims) - held} do not.",
        "What does not hold stays on the list: a statement of a paper that our measurement contradicts is a result,",
        "and so is an expectation of ours that failed.",
        "A verdict that changes stops the build.",
        "",
    ]
    for chapter in chapters:
        if chapter.claims:
            lines += [f"## [{chapter.spoken}](chapters/{chapter.name})", ""]
            for claim in chapter.claims:
                place = f"chapters/{chapter.name}.html#claim-{claim['id']}"
                badge = Claim.from_json(claim).to_html().removesuffix("</div>")
                badge += f'<a class="claim-place" href="{place}">in the chapter</a></div>'
                lines += ["```{raw} html", badge, "```", ""]
    return "\n".join(lines)


def status_page(profile: str, chapters: Sequence[ShownChapter], manifest: Json) -> str:
    """Return the page that says how this very book was built."""
    known = {str(entry.get("id")): entry for entry in manifest.get("chapters", [])}
    rows = [_status_row(chapter, known.get(chapter.name, {})) for chapter in chapters]
    versions: Mapping[str, str] = manifest.get("versions", {})
    return "\n".join(
        (
            "# This build",
            "",
            f"The profile of this book is `{profile}`.",
            "Every chapter below was executed, compared with its stored reference",
            "and rendered without a warning.",
            "",
            *_table(("Chapter", "Seconds", "Figures", "Tables", "Claims held"), rows),
            "",
            "## Versions",
            "",
            *_table(("Package", "Version"), sorted(versions.items())),
            "",
            "## Parameters",
            "",
            "What each chapter ran with.",
            "",
            *_parameters(chapters, known),
        )
    )


def _status_row(chapter: ShownChapter, entry: Json) -> tuple[object, ...]:
    seconds = entry.get("seconds")
    held = sum(bool(claim["holds"]) for claim in chapter.claims)
    return (
        f"[{chapter.spoken}](chapters/{chapter.name})",
        "–" if seconds is None else f"{float(seconds):.0f}",
        len(chapter.figures),
        len(chapter.tables),
        f"{held} of {len(chapter.claims)}",
    )


def _parameters(chapters: Sequence[ShownChapter], known: Mapping[str, Json]) -> Iterator[str]:
    for chapter in chapters:
        parameters: Mapping[str, object] = known.get(chapter.name, {}).get("parameters", {})
        if parameters:
            yield f"### {chapter.spoken}"
            yield ""
            rows = [(f"`{name}`", f"`{value!r}`") for name, value in parameters.items()]
            yield from _table(("Parameter", "Value"), rows)
            yield ""


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    body = ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head), *body]
