"""Figures that answer to the hand, and the address of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import visit
from playwright.sync_api import BrowserContext, Locator, Page
from visit import WIDTHS, visiting

Window = Callable[[int], BrowserContext]


# ---------------------------------------------------------------- permalinks


def test_every_figure_has_a_page_that_leads_back(window: Window, book: Path, home: str) -> None:
    """From the figure in the chapter to its own page, and from there to the very place again."""
    figures = visit.figure_ids(book)
    assert len(figures) > 50
    missing = [name for name in figures if not (book / "figures" / f"{name}.html").is_file()]
    assert not missing, f"no page for {missing}"
    first = {chapter: name for name, chapter in reversed(figures.items())}
    for chapter, name in first.items():
        with visiting(window(1400), home, f"chapters/{chapter}.html") as at:
            at.page.goto(home + at.name, wait_until="load")
            with at.page.expect_navigation(url=f"**/figures/{name}.html"):
                at.page.locator(f"#fig-{name} .figure-files a[href$='figures/{name}.html']").click()
            address = f"figures/{name}.html"
            shown = at.page.locator("article")
            assert address in shown.inner_text(), f"{address} does not say its own address"
            for kind in ("svg", "png", "csv"):
                link = shown.locator(f"a[href$='{name}.{kind}']").first
                answer = at.page.request.get(f"{home}figures/{link.get_attribute('href')}")
                assert answer.ok, f"{address}: {kind} is answered by {answer.status}"
            assert "@misc{alignlib-" + name in shown.inner_text(), f"{address} has no BibTeX entry"
            assert f"alignlib run {int(chapter[:2])}" in shown.inner_text(), f"{address} has no command"
            with at.page.expect_navigation(url=f"**/chapters/{chapter}.html#fig-{name}"):
                shown.locator(f"a[href$='{chapter}.html#fig-{name}']").first.click()
            at.page.wait_for_function(
                "id => { const box = document.getElementById(id).getBoundingClientRect();"
                " return box.bottom > 0 && box.top < innerHeight; }",
                arg=f"fig-{name}",
            )


def test_the_gallery_leads_to_every_figure(window: Window, book: Path, home: str) -> None:
    with visiting(window(1400), home, "figures.html") as at:
        at.page.goto(home + at.name, wait_until="load")
        links = at.page.locator("article a").evaluate_all("links => links.map(link => link.href.split('#')[0])")
    wanted = {f"{home}figures/{name}.html" for name in visit.figure_ids(book)}
    assert not wanted - set(links), f"not in the gallery: {sorted(wanted - set(links))[:5]}"


# ---------------------------------------------------------------- figures that answer to the hand


def live_figures(page: Page) -> list[str]:
    """Return the figures of the page that come with their numbers."""
    return [
        str(name) for name in page.locator("script.figure-data").evaluate_all("all => all.map(e => e.dataset.figure)")
    ]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_figure_answers_to_the_keyboard(window: Window, home: str, chapter: str, width: int) -> None:
    with visiting(window(width), home, chapter) as at:
        at.page.goto(home + chapter, wait_until="load")
        names = live_figures(at.page)
        assert names, f"{chapter} has no figure that answers to the hand"
        for name in names:
            works(at.page, name)
        assert not at.problems, "\n".join(map(str, at.problems))


def works(page: Page, name: str) -> None:
    """Take hold of the figure's slider by the keyboard and compare what it shows with the figure's numbers."""
    figure = page.locator(f"#fig-{name}")
    figure.scroll_into_view_if_needed()
    explored = figure.locator(".explore[data-ready]")
    explored.wait_for()
    data = json.loads(page.locator(f"script.figure-data[data-figure='{name}']").text_content() or "")
    slider = explored.locator(".explore-slider input[type=range]").first
    assert tabs_to(page, figure, slider), f"{name}: the Tab key does not lead to the slider"
    last = int(slider.get_attribute("max") or 0)
    for key, wanted in (("Home", 0), ("ArrowRight", 1), ("End", last), ("ArrowLeft", last - 1), ("Home", 0)):
        page.keyboard.press(key)
        assert slider.input_value() == str(wanted), f"{name}: after {key} the slider is at {slider.input_value()}"
        assert explored.get_attribute("data-index") == str(wanted), f"{name}: the figure did not follow {key}"
        agrees(explored, slider, data, name)
    spoken = slider.get_attribute("aria-valuetext") or ""
    assert data["panels"][0]["series"][0]["name"] in spoken, f"{name}: a screen reader hears only {spoken!r}"
    box = explored.locator(".explore-table input[type=checkbox]").first
    series = explored.locator(".explore-table tr[data-series]").first.get_attribute("data-series")
    line = explored.locator(f"svg g.explore-series[data-series='{series}']")
    assert line.count() > 0, f"{name}: {series} is not drawn"
    box.focus()
    page.keyboard.press("Space")
    assert line.count() == 0, f"{name}: {series} was switched off and is still drawn"
    page.keyboard.press("Space")
    assert line.count() > 0, f"{name}: {series} was switched on again and is not drawn"


def tabs_to(page: Page, figure: Locator, wanted: Locator) -> bool:
    """Press Tab from just before the figure until `wanted` has the focus; say whether it came to that."""
    figure.evaluate("e => { e.tabIndex = -1; e.focus(); }")
    for _ in range(12):
        page.keyboard.press("Tab")
        if wanted.evaluate("e => e === document.activeElement"):
            return True
    return False


def agrees(explored: Locator, slider: Locator, data: dict[str, object], name: str) -> None:
    """The value in the table at the slider is the median of the figure's own numbers there."""
    shown = float(slider.get_attribute("data-x") or "nan")
    panel = data["panels"][0]  # type: ignore[index]
    for series in panel["series"]:
        if shown not in series["x"]:
            continue
        place = series["x"].index(shown)
        runs = sorted(run[place] for run in series["runs"] if run[place] is not None)
        if len(runs) < len(series["runs"]):
            continue
        middle = (runs[(len(runs) - 1) // 2] + runs[len(runs) // 2]) / 2
        quoted = json.dumps(series["name"], ensure_ascii=False)  # a style sheet's selector knows no \u escapes
        row = explored.locator(f".explore-table tr[data-series={quoted}] td[data-panel='0']")
        said = number(row.evaluate("cell => cell.firstChild?.textContent ?? ''"))
        assert said == pytest.approx(middle, rel=6e-3, abs=1e-12), f"{name}, {series['name']} at {shown}"


RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def number(text: str) -> float:
    """Read a number as the figures write it: a true minus, powers of ten as 2·10⁻⁵."""
    plain = text.strip().replace("−", "-")
    if "10" in plain and plain[-1] in "⁻⁰¹²³⁴⁵⁶⁷⁸⁹":
        factor, _, power = plain.rpartition("10")
        return float(factor.rstrip("·") or 1) * 10 ** int(power.translate(RAISED))
    return float(plain)


def test_a_figure_answers_to_the_finger(window: Window, book: Path, home: str) -> None:
    chapter = visit.chapter_names(book)[4]
    with visiting(window(390), home, chapter) as at:
        at.page.goto(home + chapter, wait_until="load")
        name = live_figures(at.page)[0]
        at.page.locator(f"#fig-{name}").scroll_into_view_if_needed()
        explored = at.page.locator(f"#fig-{name} .explore[data-ready]")
        explored.wait_for()
        plot = explored.locator("svg.explore-plot").first
        seen = set()
        for part in (0.3, 0.6, 0.9):
            box = plot.bounding_box()
            assert box is not None
            at.page.mouse.move(box["x"] + part * box["width"], box["y"] + box["height"] / 2)
            seen.add(explored.get_attribute("data-index"))
        assert len(seen) == 3, f"{name}: three places along the axis showed {seen}"


def test_the_printed_picture_comes_back(window: Window, book: Path, home: str) -> None:
    chapter = visit.chapter_names(book)[4]
    with visiting(window(1400), home, chapter) as at:
        at.page.goto(home + chapter, wait_until="load")
        name = live_figures(at.page)[0]
        figure = at.page.locator(f"#fig-{name}")
        figure.scroll_into_view_if_needed()
        figure.locator(".explore[data-ready]").wait_for()
        assert not figure.locator("img").first.is_visible()
        figure.locator("button.explore-switch").press("Enter")
        assert figure.locator("img").first.is_visible()
        at.page.emulate_media(media="print")
        figure.locator("button.explore-switch").evaluate("button => button.click()")
        assert figure.locator("img").first.is_visible(), "on paper the figure is not the printed picture"
