"""Every page on a phone and on a laptop, light and dark: nothing broken, nothing foreign, nothing out of reach."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext
from visit import THEMES, WIDTHS, Problem, Visit, visiting

#: What keeps somebody from reading; axe-core also knows "minor" and "moderate".
GRAVE = {"serious", "critical"}

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
            ask_axe(visit)
            if len(visit.problems) > before:
                pictures.append(visit.picture())
        assert not visit.problems, report(visit.problems) + "".join(f"\n  picture: {path}" for path in pictures)


def ask_axe(visit: Visit) -> None:
    """Note what the accessibility checker axe-core finds grave."""
    for rule in Axe().run(visit.page).response["violations"]:
        if rule["impact"] in GRAVE:
            for node in rule["nodes"]:
                where = " ".join(str(part) for part in node["target"])
                why = " ".join(node["failureSummary"].split())
                visit.add(f"axe {rule['id']} ({rule['impact']}): {why}", where)


def report(problems: list[Problem]) -> str:
    """Return the problems one below the other, the first of many."""
    shown = "".join(f"\n  {problem}" for problem in problems[:12])
    return f"{len(problems)} found{shown}" + ("\n  …" if len(problems) > 12 else "")
