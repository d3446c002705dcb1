"""The gallery, and one page for each figure: what it shows, its files, its citation, its origin, how to make it again.

The address of a figure's page, ``figures/<id>.html``, holds its name and never its number: it stays.
"""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alignlib.book.citing import Book, bibtex, figure_entry, plain
from alignlib.book.pages import ShownChapter, ShownFigure, markdown_table
from alignlib.rules import RULES

Json = dict[str, Any]
#: What a page offers for download: suffix, name on the button, what it is.
BUTTONS = (
    ("svg", "SVG", "the drawing, for screens and print; follows light and dark"),
    ("png", "PNG", "the drawing as pixels on white"),
    ("csv", "CSV", "the plotted numbers as one tidy table"),
    ("json", "JSON", "the numbers with everything that led to them"),
    ("bib", "BibTeX", "the citation for LaTeX"),
    ("csl.json", "CSL", "the citation for Zotero, pandoc and the like"),
)


def gallery(chapters: Sequence[ShownChapter]) -> str:
    """Return the page that shows every figure of the book small; each leads to its own page."""
    count = sum(len(chapter.figures) for chapter in chapters)
    lines = [
        "---",
        "html_theme.sidebar_secondary.remove: true",
        "---",
        "",
        "# Figure gallery",
        "",
        f"{count} figures, each drawn when this book was built and each with the numbers behind it.",
        "A picture leads to a page of its own, with its files, its citation, its origin and the command that makes it",
        "again; the address of that page does not change.",
        "",
    ]
    for chapter in chapters:
        if chapter.figures:
            cards = "".join(_card(chapter, figure) for figure in chapter.figures)
            lines += [f"## {chapter.spoken}", "", "```{raw} html", f'<ul class="gallery">{cards}</ul>', "```", ""]
    return "\n".join(lines)


def _card(chapter: ShownChapter, figure: ShownFigure) -> str:
    number, title = chapter.number_of(figure), html.escape(plain(figure.title))
    return (
        f'<li id="cite-{figure.id}"><a href="figures/{figure.id}.html">'
        f'<img src="figures/{figure.id}.svg" alt="{html.escape(figure.alt)}" loading="lazy">'
        f'<span><span class="number">{number}</span> {title}</span></a></li>'
    )


def figure_page(
    book: Book,
    chapters: Sequence[ShownChapter],
    chapter: ShownChapter,
    figure: ShownFigure,
    profile: str,
) -> str:
    """Return the page of one figure."""
    entry = figure_entry(book, chapter, figure, profile)
    provenance: Json = figure.data.get("provenance", {})
    return "\n".join(
        (
            "---",
            "orphan: true",
            "html_theme.sidebar_secondary.remove: true",
            "---",
            "",
            f"# Figure {chapter.number_of(figure)}: {unmarked(figure.title)}",
            "",
            "```{raw} html",
            _way(chapters, figure),
            f'<figure class="alone"><img src="{figure.id}.svg" alt="{html.escape(figure.alt)}"></figure>',
            "```",
            "",
            figure.explanation or figure.caption,
            "",
            f"It is {{numref}}`fig-{figure.id}` of [{chapter.spoken}](../chapters/{chapter.name}).",
            "",
            "```{raw} html",
            _buttons(figure),
            "```",
            "",
            "## In words",
            "",
            literal(figure.alt),
            "",
            "## Cite",
            "",
            f"The address of this page stays: <{entry.address}>.",
            "",
            "```bibtex",
            bibtex(book, entry),
            "```",
            "",
            "## Make it again",
            "",
            "```bash",
            *recipe(book, chapter, profile),
            "```",
            "",
            "The run is compared with the book's and drawn over it.",
            f"To change a parameter, add `-p NAME VALUE`; `alignlib run {chapter.number} --help` lists them.",
            "",
            "## Where it comes from",
            "",
            *markdown_table(("What", "Value"), _origin(chapter, profile, provenance)),
            "",
            *_long_runs(provenance.get("records", [])),
            *_plotted(figure.data),
            *_parameters(provenance.get("parameters", {})),
        )
    )


def recipe(book: Book, chapter: ShownChapter, profile: str) -> list[str]:
    """Return the commands that make the figures of a chapter again."""
    clone = [f"git clone {book.repository}", f"cd {book.repository.rsplit('/', 1)[-1]}"] if book.repository else []
    return [*clone, "make env", f".venv/bin/alignlib run {chapter.number} --profile {shlex.quote(profile)}"]


def unmarked(title: str) -> str:
    """Return a figure's title without bold and full stop, its mathematics kept."""
    return title.strip("*").removesuffix(".")


def literal(text: str) -> str:
    """Return text that is to be shown as it stands, in Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>#$|])", r"\\\1", text)


def _way(chapters: Sequence[ShownChapter], figure: ShownFigure) -> str:
    """Return the links to the figure before and the one after, and to the gallery."""
    order = [(chapter, shown) for chapter in chapters for shown in chapter.figures]
    place = [shown.id for _, shown in order].index(figure.id)
    before, after = order[place - 1 : place] if place else [], order[place + 1 : place + 2]
    links = [f'<a rel="prev" href="{f.id}.html">← {c.number_of(f)}</a>' for c, f in before]
    links += ['<a href="../figures.html">All figures</a>']
    links += [f'<a rel="next" href="{f.id}.html">{c.number_of(f)} →</a>' for c, f in after]
    return f'<nav class="figure-way" aria-label="Figures">{"".join(links)}</nav>'


def _buttons(figure: ShownFigure) -> str:
    links = "".join(
        f'<a href="{figure.id}.{kind}" title="{html.escape(what)}" download>{name}</a>' for kind, name, what in BUTTONS
    )
    return f'<p class="figure-buttons">{links}</p>'


def _origin(chapter: ShownChapter, profile: str, provenance: Json) -> Iterator[tuple[str, str]]:
    yield "Chapter", f"[{chapter.spoken}](../chapters/{chapter.name})"
    yield "Profile", f"`{provenance.get('profile', profile)}`"
    for name, checksum in sorted(provenance.get("data", {}).items()):
        yield f"Data: {name}", f"SHA-256 `{checksum}`"
    if versions := provenance.get("versions"):
        yield "Versions", ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))
    if digest := provenance.get("digest"):
        yield "Digest of the numbers", f"`{digest}` (SHA-256 of the plotted numbers at 7 digits)"


def _long_runs(records: Sequence[Json]) -> list[str]:
    """Return the runs that were made before and read here, folded: there may be many."""
    if not records:
        return []
    rows = [(f"`{record['id']}`", _recorded(record)) for record in records]
    return ["```{dropdown} Long runs behind it", "", *markdown_table(("Record", "What it holds"), rows), "", "```", ""]


def _recorded(record: Json) -> str:
    """Return what a figure says of long runs that were not repeated for this build."""
    runs = int(record["runs"])
    dates, machines = ", ".join(record["dates"]), ", ".join(record["machines"])
    return literal(
        f"{record['label']}; {runs} run{'s' if runs != 1 else ''}, {record['hours']:g} hours of training on "
        f"{machines}, {dates}; {record['verified']} made or verified by this version of the library"
    )


def _plotted(data: Json) -> list[str]:
    """Return the table of series: what is drawn, from how many seeds; one panel needs no name."""
    panels = data["panels"]
    rows = [
        (literal(str(panel.get("title") or place)), _series(series), _seeds(series), _points(series, panel["kind"]))
        for place, panel in enumerate(panels, start=1)
        for series in panel.get("series", [])
    ]
    head = ("Panel", "Series", "Seeds", "Points")
    start = 0 if len(panels) > 1 else 1
    if not rows:
        return []
    return ["### What is plotted", "", *markdown_table(head[start:], [row[start:] for row in rows]), ""]


def _series(series: Json) -> str:
    """Return the name of a series, in the colour of its rule where it is called by the rule's own name."""
    rule = series.get("rule")
    return f"{{rule}}`{rule}`" if rule in RULES and RULES[rule].label == series["name"] else literal(series["name"])


def _points(series: Json, kind: str) -> int:
    """Return how many points one run of a series has; an image has rows of cells in the place of runs."""
    return sum(len(row) for row in series["y"]) if kind == "image" else len(series["x"])


def _seeds(series: Json) -> str:
    seeds = series.get("seeds", [])
    return ", ".join(str(seed) for seed in seeds) if seeds else "–"


def _parameters(parameters: Mapping[str, object]) -> list[str]:
    if not parameters:
        return []
    rows = [(f"`{name}`", f"`{value!r}`") for name, value in parameters.items()]
    table = markdown_table(("Parameter", "Value"), rows)
    return ["```{dropdown} Parameters of the chapter", "", *table, "```", ""]
