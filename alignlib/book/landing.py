"""What the first page is given: the wirings, one result, the counts, and the map of the chapters.

Each is a piece of Markdown that ``index.md`` includes (``made/<name>.txt``), so that the page itself stays readable.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from alignlib.book.citing import plain
from alignlib.book.figure import Figure
from alignlib.book.pages import ShownChapter

Json = dict[str, Any]
#: The rules whose wiring the first page shows.
COVER = ("bp", "fa", "dfa", "ifa")


# ---------------------------------------------------------------- wirings


def cover(rules: Sequence[str] = COVER) -> Figure:
    """Return the wiring of rules, asked from the rules themselves, as one figure."""
    from alignlib.book.wirings import wirings

    alt = "The way of the output error to the hidden layers."
    return Figure("-".join(("wiring", *rules)), "index", wirings(rules), alt)


def draw_cover(path: Path) -> None:
    """Write the picture of the README, all rules of the first page in one drawing."""
    path.write_text(cover().svg(), encoding="utf-8")


def cover_files() -> dict[str, bytes]:
    """Draw the pictures of the first page, one a rule, and the one that a link to the book is shown with."""
    whole = cover()
    files = {f"exports/figures/wiring-{rule}.svg": small_wiring(rule).encode() for rule in COVER}
    return files | {"exports/figures/wiring-cover.png": whole.png()}


def small_wiring(rule: str) -> str:
    """Return the wiring of one rule as it stands among four: two columns wide drawn, one column shown.

    Alone it would get the whole width, and letters too small to stand beside three others.
    """
    drawing = cover([rule] * len(COVER)).svg()
    found = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt" viewBox="0 0 ([\d.]+) ([\d.]+)"', drawing)
    assert found is not None, "Matplotlib writes the size of a drawing differently now"
    width, height = float(found[3]) / 2, float(found[4]) / 2
    size = f'width="{width:g}pt" height="{height:g}pt" viewBox="0 0 {width:g} {height:g}"'
    return drawing.replace(found[0], size, 1)


# ---------------------------------------------------------------- result, counts


def result(chapter: ShownChapter, name: str, profile: str) -> str:
    """Return one figure as the first page shows it: its message above, a link to its place below."""
    figure = next(figure for figure in chapter.figures if figure.id == name)
    data = ", ".join(sorted(figure.data.get("provenance", {}).get("data", {}))) or profile
    return "\n".join(
        (
            "```{raw} html",
            f'<figure class="result"><figcaption><strong>{html.escape(plain(figure.title))}</strong></figcaption>',
            f'<a href="figures/{name}.html"><img src="figures/{name}.svg" alt="{html.escape(figure.alt)}"></a>',
            f'<p class="result-source">Figure {chapter.number_of(figure)}, computed from {html.escape(data)}: ',
            f'<a href="chapters/{chapter.name}.html#fig-{name}">read</a>, ',
            f'<a href="figures/{name}.html">rerun or cite</a></p></figure>',
            "```",
        )
    )


def counts(chapters: Sequence[ShownChapter]) -> str:
    """Return the sentence that counts what the book holds."""
    figures = sum(len(chapter.figures) for chapter in chapters)
    claims = [claim for chapter in chapters for claim in chapter.claims]
    failed = sum(not claim["holds"] for claim in claims)
    return (
        f"There are {len(chapters)} chapters, [{figures} figures](figures) and [{len(claims)} claims](claims), "
        f"{failed} of which do not hold.\n"
    )


# ---------------------------------------------------------------- the map


def chapter_map(root: Path, chapters: Sequence[ShownChapter], manifest: Json) -> str:
    """Return the chapters by part, in the order of ``_toc.yml``: question, minutes, what to read before.

    Minutes of reading are counted from the words, seconds of running were measured when the book was built.
    """
    known = {f"chapters/{chapter.name}": chapter for chapter in chapters}
    ran = {str(entry["id"]): float(entry["seconds"]) for entry in manifest.get("chapters", []) if "seconds" in entry}
    lines = ["```{raw} html"]
    for part in yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8")).get("parts", []):
        listed = [known[entry["file"]] for entry in part.get("chapters", []) if entry["file"] in known]
        if listed:
            caption = html.escape(part.get("caption", ""))
            rows = "".join(_row(chapter, chapters, ran) for chapter in listed)
            lines += [f'<section class="map-part"><h3>{caption}</h3><ol class="map">{rows}</ol></section>']
    return "\n".join([*lines, "```"])


def _row(chapter: ShownChapter, chapters: Sequence[ShownChapter], ran: Mapping[str, float]) -> str:
    about = chapter_facts(chapter, chapters, ran.get(chapter.name), "chapters/")
    asks = f'<span class="map-asks">{html.escape(chapter.asks)}</span>' if chapter.asks else ""
    return (
        f'<li value="{chapter.number}"><span class="map-number" aria-hidden="true">{chapter.number}</span>'
        f'<a class="map-title" href="chapters/{chapter.name}.html">{html.escape(plain(chapter.title))}</a>'
        f'{asks}<span class="map-facts">{about}</span></li>'
    )


def chapter_facts(
    chapter: ShownChapter, chapters: Sequence[ShownChapter], seconds: float | None, folder: str = ""
) -> str:
    """Return how long a chapter takes to read and to run and which it builds on, as HTML."""
    facts = [f"{chapter.minutes} min to read"]
    if seconds is not None:
        facts.append(f"runs in {seconds:.0f} s" if seconds < 99.5 else f"runs in {seconds / 60:.0f} min")
    names = {other.number: other for other in chapters}
    links = [
        f'<a href="{folder}{names[number].name}.html" title="{html.escape(plain(names[number].title))}">{number}</a>'
        for number in chapter.after
        if number in names
    ]
    facts += [f"after {', '.join(links)}"] if links else []
    return " · ".join(facts)
