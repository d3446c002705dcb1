"""Every page on a phone and on a laptop, light and dark: nothing broken, nothing foreign, nothing out of reach."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext
from visit import THEMES, WIDTHS, Problem, Visit, visiting

#: What keeps somebody from reading; axe-core also knows "minor" and "moderate".
GRAVE = {"serious", "critical"}
#: Without preload it does not fetch the style sheets once more, some from where they are not.
OPTIONS = {"resultTypes": ["violations"], "preload": False}
#: The rules whose outcome a theme can change; the others are asked once, for they take most of the time.
OF_COLOUR = ["color-contrast", "link-in-text-block"]

Window = Callable[[int], BrowserContext]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_can_be_read_by_everybody(window: Window, home: str, name: str, width: int) -> None:
    with visiting(window(width), home, name) as visit:
        visit.go()
        pictures = []
        for theme in THEMES:
            before = len(visit.problems) if theme != THEMES[0] else 0
            visit.show(theme)
            visit.look()
            ask_axe(visit, OF_COLOUR if theme == "dark" else None)
            if len(visit.problems) > before:
                pictures.append(visit.picture())
        if visit.problems:
            shown = "".join(f"\n  picture: {path}" for path in pictures)
            pytest.fail(report(visit.problems) + shown, pytrace=False)


def ask_axe(visit: Visit, rules: list[str] | None) -> None:
    """Note what the accessibility checker axe-core finds grave, by some of its rules or by all."""
    options = OPTIONS | ({"runOnly": rules} if rules else {})
    for rule in Axe().run(visit.page, options=options).response["violations"]:
        if rule["impact"] in GRAVE:
            for node in rule["nodes"]:
                where = " ".join(str(part) for part in node["target"])
                why = " ".join(node["failureSummary"].split())
                visit.add(f"axe {rule['id']} ({rule['impact']}): {why}", where)


def report(problems: list[Problem]) -> str:
    """Return the problems one below the other, the first of many."""
    shown = "".join(f"\n  {problem}" for problem in problems[:12])
    return f"{len(problems)} problems{shown}" + ("\n  …" if len(problems) > 12 else "")
