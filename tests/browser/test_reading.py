"""The way through the book as a reader takes it: turn pages, search, switch the theme, read without scripts."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import visit
from PIL import Image
from playwright.sync_api import BrowserContext, Locator, Page, Request, Route
from visit import WIDTHS, visiting

from alignlib.book.site import table_of_contents

Window = Callable[[int], BrowserContext]
Fresh = Callable[..., BrowserContext]


# ---------------------------------------------------------------- turning pages


def test_next_and_previous_lead_through_the_whole_book(fresh: Fresh, home: str) -> None:
    order = [f"{name}.html" for name in table_of_contents(visit.ROOT)]
    context = fresh(1400)
    context.route("**/mathjax/**", lambda route: route.abort())  # equations are not what is asked here
    page = context.new_page()
    page.goto(home, wait_until="domcontentloaded")
    assert turned(page, home, ".prev-next-area .right-next", len(order)) == order
    assert turned(page, home, ".prev-next-area .left-prev", len(order)) == order[::-1]


def turned(page: Page, home: str, link: str, most: int) -> list[str]:
    """Click `link` as long as there is one and return the pages on the way, the first one included."""
    seen = [page.url.removeprefix(home) or "index.html"]
    while page.locator(link).count() and len(seen) <= most:
        with page.expect_navigation(wait_until="domcontentloaded"):
            page.locator(link).click()
        seen.append(page.url.removeprefix(home))
    return seen


# ---------------------------------------------------------------- search


@pytest.mark.parametrize("width", WIDTHS)
def test_search_finds_weight_transport(window: Window, home: str, width: int) -> None:
    with visiting(window(width), home, "index.html") as at:
        at.go()
        at.page.locator(".search-button__button:visible").first.click()
        at.page.keyboard.type("weight transport")
        at.page.keyboard.press("Enter")
        results = at.page.locator("#search-results ul.search > li")
        results.first.wait_for()
        at.page.wait_for_function("() => document.querySelectorAll('#search-results ul.search p.context').length > 2")
        found = results.all_inner_texts()
        assert len(found) > 5, f"only {found}"
        assert sum("transport" in text.lower() for text in found) > 2, f"no words around what was found: {found[:5]}"
        first = results.first.locator("a").first
        title = first.inner_text()
        first.click()
        at.page.locator("article h1").first.wait_for()
        assert "transport" in at.page.locator("article").inner_text().lower(), f"{title!r} does not hold the word"
        assert not at.problems, [str(problem) for problem in at.problems]


def test_search_says_so_when_there_is_nothing(window: Window, home: str) -> None:
    with visiting(window(1400), home, "search.html?q=zyxwvut") as at:
        at.go()
        at.page.get_by_text("did not match any documents").wait_for()


# ---------------------------------------------------------------- light and dark


@pytest.mark.parametrize(("system", "wanted"), [("light", "dark"), ("dark", "light")])
def test_the_switch_changes_page_and_figures_against_the_system(
    fresh: Fresh, book: Path, home: str, system: str, wanted: str
) -> None:
    context = fresh(1400)
    wrong = []
    for name in visit.chapter_names(book):
        with visiting(context, home, name) as at:
            at.page.emulate_media(color_scheme=system)  # type: ignore[arg-type]
            at.page.goto(home, wait_until="load")
            at.page.evaluate("() => localStorage.clear()")
            at.page.goto(home + name, wait_until="load")
            drawing = at.page.locator("article figure img[src$='.svg']").first
            before = seen(drawing)
            press_switch(at.page, wanted)
            after = seen(drawing)
            for theme, (paper, ink) in ((system, before), (wanted, after)):
                legible = paper > 215 and ink < 110 if theme == "light" else paper < 60 and ink > 150
                if not legible:
                    where = drawing.get_attribute("src")
                    wrong.append(f"{name}, system {system}, page {theme}: paper {paper}, ink {ink} of 255 in {where}")
    assert not wrong, "\n".join(wrong)


def press_switch(page: Page, wanted: str) -> None:
    """Press the theme's button until the page is as wanted; it goes round light, dark and the system's."""
    for _ in range(3):
        page.locator(".theme-switch-button:visible").first.click()
        if page.evaluate("() => document.documentElement.dataset.mode") == wanted:
            break
    page.wait_for_function("theme => document.documentElement.dataset.theme === theme", arg=wanted)
    page.mouse.move(0, 0)


def seen(drawing: Locator) -> tuple[int, int]:
    """Return the brightness of a figure's paper (its edge) and of the ink furthest from it, 0 to 255."""
    drawing.scroll_into_view_if_needed()
    gray = np.asarray(Image.open(io.BytesIO(drawing.screenshot())).convert("L"), dtype=int)
    paper = int(np.median(np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])))
    return paper, int(gray.flat[np.abs(gray - paper).argmax()])


def test_the_chosen_theme_stays_on_the_next_page(fresh: Fresh, book: Path, home: str) -> None:
    with visiting(fresh(1400), home, "index.html") as at:
        at.go()
        press_switch(at.page, "dark")
        at.page.goto(home + visit.chapter_names(book)[0], wait_until="commit")
        at.page.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")


# ---------------------------------------------------------------- without a server, without scripts


def test_the_book_reads_from_the_disk(fresh: Fresh, book: Path, name: str) -> None:
    if name.startswith(("_modules/", "search.html")):
        pytest.skip("source listings are like each other; searching shows its excerpts only with a server")
    with visiting(fresh(1400), f"{book.as_uri()}/", name) as at:
        at.go()
        at.look()
        assert not at.problems, "\n".join(map(str, at.problems))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", visit.THEMES)
def test_a_chapter_can_be_read_without_scripts(fresh: Fresh, book: Path, home: str, width: int, theme: str) -> None:
    context = fresh(width, java_script_enabled=False)
    wrong = []
    for name in visit.chapter_names(book):
        page = context.new_page()
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        page.goto(home + name, wait_until="load")
        paper, ink = seen(page.locator("article p").first)
        if abs(paper - ink) < 100:
            wrong.append(f"{name}: text of brightness {ink} on {paper}")
        for drawing in page.locator("article figure img").all():
            box = drawing.bounding_box()
            if not box or box["width"] < 150 or box["x"] + box["width"] > width + 1:
                wrong.append(f"{name}: the picture {drawing.get_attribute('src')} is shown as {box}")
        page.close()
    assert not wrong, "\n".join(wrong)


# ---------------------------------------------------------------- what it costs to open a page

BUDGET = 1_500_000


def test_a_chapter_is_light(fresh: Fresh, home: str, chapter: str) -> None:
    with visiting(fresh(1400), home, chapter) as at:
        at.go()  # pictures further down included
        received = at.bytes_received()
    heaviest = sorted(received.items(), key=lambda item: -item[1])[:6]
    assert sum(received.values()) < BUDGET, f"{sum(received.values())} bytes: {heaviest}"


def test_the_first_paint_waits_for_no_script(fresh: Fresh, home: str, chapter: str) -> None:
    """Hold back the answer to every script: the text has to be on the screen all the same."""
    held: list[Route] = []

    def hold(route: Route, request: Request) -> Any:
        return held.append(route) if request.resource_type == "script" else route.continue_()

    context = fresh(1400)
    context.route("**/*", hold)
    page = context.new_page()
    page.goto(home + chapter, wait_until="commit")
    painted = "() => performance.getEntriesByName('first-contentful-paint').length > 0 && document.querySelector('h1')"
    try:
        page.wait_for_function(painted, timeout=10_000)
        assert page.locator("article h1").is_visible()
    finally:
        waiting = [route.request.url.removeprefix(home).split("?")[0] for route in held]
        print("scripts that had not come:", waiting)
        for route in held:
            route.abort()
    assert waiting, "the page has no script, so this test shows nothing"
    blocking = page.evaluate(
        "() => performance.getEntriesByType('resource')"
        ".filter(entry => entry.renderBlockingStatus === 'blocking' && entry.initiatorType === 'script')"
        ".map(entry => entry.name)"
    )
    assert not blocking, f"painting waits for {blocking}"
