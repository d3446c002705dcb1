"""Every page on a phone and on a laptop, light and dark: nothing broken, nothing foreign, nothing out of reach."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext
from visit import ALIKE, THEMES, WIDTHS, Problem, Visit, visiting

#: What keeps somebody from reading; axe-core also knows "minor" and "moderate".
GRAVE = {"serious", "critical"}
#: Without preload it does not fetch the style sheets once more, some from where they are not.
OPTIONS = {"resultTypes": ["violations"], "preload": False}
#: The rules whose outcome a theme can change; the others are asked once a width, for they take most of the time.
OF_COLOUR = ["color-contrast", "link-in-text-block"]
#: What the other width of pages that are alike can change for axe-core.
OF_WIDTH = [*OF_COLOUR, "scrollable-region-focusable", "target-size"]

#: Listings become plain: a chapter has thousands of coloured words, which axe-core takes one by one; the test below
#: looks at each kind of them once.
PLAIN = "() => document.querySelectorAll('.highlight pre').forEach(e => { e.textContent = e.textContent; })"

Window = Callable[[int], BrowserContext]


def test_a_page_can_be_read_by_everybody(window: Window, home: str, name: str) -> None:
    problems: list[Problem] = []
    pictures: list[Path] = []
    if name.startswith(ALIKE):  # opened once, and then made narrow
        with visiting(window(WIDTHS[-1]), home, name) as visit:
            visit.go()
            pictures += look_at(visit, None)
            for width in WIDTHS[:-1]:
                visit.resize(width)
                pictures += look_at(visit, OF_WIDTH)
            problems += visit.problems
    else:
        for width in WIDTHS:
            with visiting(window(width), home, name) as visit:
                visit.go()
                pictures += look_at(visit, None)
                problems += visit.problems
    if problems:
        pytest.fail(report(problems) + "".join(f"\n  picture: {path}" for path in pictures), pytrace=False)


def look_at(visit: Visit, rules: list[str] | None) -> list[Path]:
    """Note what is wrong with the page at this width in both themes; return pictures of what is."""
    pictures = []
    for theme in THEMES:
        before = visit.problems[:]
        visit.show(theme)
        visit.look()
        visit.page.evaluate(PLAIN)
        ask_axe(visit, rules if theme == THEMES[0] else OF_COLOUR)
        if visit.problems != before:
            pictures.append(visit.picture())
    return pictures


def ask_axe(visit: Visit, rules: list[str] | None, where: str = "") -> None:
    """Note what axe-core finds grave in the page or in a part of it, by some of its rules or by all."""
    options = OPTIONS | ({"runOnly": rules} if rules else {})
    for rule in Axe().run(visit.page, where or None, options).response["violations"]:
        if rule["impact"] in GRAVE:
            for node in rule["nodes"]:
                place = " ".join(str(part) for part in node["target"])
                why = " ".join(node["failureSummary"].split())
                visit.add(f"axe {rule['id']} ({rule['impact']}): {why}", place)


def test_code_can_be_read_in_every_colour(window: Window, book: Path, home: str) -> None:
    """One word for each kind of word that the listings of the book colour, all of them on one page."""
    colours = (book / "_static" / "pygments.css").read_text(encoding="utf-8")
    kinds = sorted(set(re.findall(r"\.highlight \.([a-z]\w*)\b", colours)) - {"hll", "linenos", "special"})
    assert len(kinds) > 20
    with visiting(window(1400), home, "run-it-yourself.html") as visit:
        visit.go()
        visit.page.evaluate(
            "kinds => { const lines = kinds.map(kind => `<span class='${kind}'>word of kind ${kind}</span>`);"
            " document.querySelector('article .highlight pre').innerHTML = lines.join('\\n'); }",
            kinds,
        )
        for theme in THEMES:
            visit.show(theme)
            ask_axe(visit, ["color-contrast"], "article .highlight pre")
        problems = visit.problems
    if problems:
        pytest.fail(report(problems), pytrace=False)


def report(problems: list[Problem]) -> str:
    """Return the problems one below the other, the first of many."""
    shown = "".join(f"\n  {problem}" for problem in problems[:12])
    return f"{len(problems)} problems{shown}" + ("\n  …" if len(problems) > 12 else "")
