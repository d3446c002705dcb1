"""The panel "Run it here": it trains in the page, and its numbers are those of this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Worker, expect
from visit import visiting

from alignlib.book import live

Fresh = Callable[..., BrowserContext]

#: The chapter whose panel is run, and values that make it quick; chapter 4 with two runs of each rule takes seconds.
CHAPTER = "04-direct-feedback-alignment"
QUICK = {"seeds": "0", "epochs": "2", "hidden": "16,16"}
#: Python and NumPy have to be fetched, started and compiled, perhaps on a busy machine.
PATIENCE = 150_000
WITH_PANEL = ("03", "04", "05", "06")


def opened(page: Page, home: str, chapter: str = CHAPTER) -> Locator:
    """Open the panel of a chapter as a reader does: scroll to it and press its button."""
    page.goto(f"{home}chapters/{chapter}.html", wait_until="load")
    panel = page.locator("section.run-here")
    panel.scroll_into_view_if_needed()
    panel.locator("button.run-here-open").click()
    panel.locator("form.run-here-form").wait_for()
    return panel


def test_each_chapter_of_the_rules_has_a_panel(book: Path) -> None:
    pages = {path.name[:2]: path.read_text(encoding="utf-8") for path in (book / "chapters").glob("*.html")}
    without = [number for number in WITH_PANEL if '<section class="run-here"' not in pages[number]]
    assert not without, f"no panel in chapters {without}"


@pytest.fixture
def runtime(book: Path) -> None:
    """Python for the pages. CI has to have it; a book of one's own may have been built without, and says so."""
    if not (book / "pyodide" / "pyodide.mjs").is_file():
        words = "the book was built without Python for its pages: name Pyodide's files in ALIGNLIB_PYODIDE"
        if os.environ.get("CI") == "true" or os.environ.get("ALIGNLIB_PYODIDE"):
            pytest.fail(words)
        pytest.skip(words)


@pytest.mark.usefixtures("runtime")
def test_the_panel_trains_and_its_numbers_are_the_native_ones(fresh: Fresh, book: Path, home: str) -> None:
    """The book's numbers are exchanged for those of a native run of the same parameters; the page then compares."""
    path = book / "run-here" / f"{CHAPTER}.json"
    program = json.loads(path.read_text(encoding="utf-8"))
    native = {figure.id: figure for figure in live.run(program["excerpt"], list(QUICK.items()))}
    program["book"] = {name: figure.to_json() for name, figure in native.items()}
    context = fresh(1400)
    context.route(f"**/run-here/{CHAPTER}.json", lambda route: route.fulfill(json=program))
    with visiting(context, home, f"chapters/{CHAPTER}.html") as at:
        panel = opened(at.page, home)
        early = [url for url in at.bytes_received() if url.startswith("pyodide/")]
        assert not early, f"fetched before anybody asked for a run: {early}"
        for name, value in QUICK.items():
            panel.locator(f".run-here-field[data-parameter='{name}'] input").fill(value)
        command = panel.locator(".run-here-command code").inner_text()
        assert all(f"-p {name} {value}" in command for name, value in QUICK.items()), command
        panel.locator("button.run-here-run").click()
        expect(panel).to_have_attribute("data-state", "done", timeout=PATIENCE)
        results = panel.locator(".run-here-result")
        assert [result.get_attribute("data-figure") for result in results.all()] == list(native)
        for name, figure in native.items():
            result = panel.locator(f".run-here-result[data-figure='{name}']")
            assert result.locator("svg.explore-plot g.explore-series path").count() > 0, f"{name} is not drawn"
            assert result.locator("svg.explore-plot g.explore-book path").count() > 0, f"{name}: no book behind it"
            largest = max(float(np.nanmax(np.abs(one.y))) for panels in figure.panels for one in panels.series)
            apart = float(result.locator(".run-here-summary").get_attribute("data-largest") or "nan")
            assert apart <= 1e-9 * largest, f"{name}: page and machine are {apart} apart, of {largest}"
        assert not at.problems, "\n".join(map(str, at.problems))


@pytest.mark.usefixtures("runtime")
def test_a_wrong_value_is_answered_with_what_is_right(fresh: Fresh, home: str) -> None:
    with visiting(fresh(390), home, f"chapters/{CHAPTER}.html") as at:
        panel = opened(at.page, home)
        field = panel.locator(".run-here-field[data-parameter='epochs'] input")
        field.fill("0")
        field.press("Enter")
        expect(panel).to_have_attribute("data-state", "refused", timeout=PATIENCE)
        told = panel.get_by_role("alert").inner_text()
        for word in ("epochs", "0", "1 to 1000"):
            assert word in told, f"{told!r} does not say {word!r}"
        assert field.get_attribute("aria-invalid") == "true"
        assert field.evaluate("e => e === document.activeElement"), "the field at fault has not the focus"
        at.look()
        assert not at.problems, "\n".join(map(str, at.problems))


def ended(page: Page, worker: Worker) -> bool:
    """Say whether a worker is gone, which the browser reports a moment after it was told to end."""
    for _ in range(100):
        if worker not in page.workers:
            return True
        page.wait_for_timeout(100)
    return False


@pytest.mark.usefixtures("runtime")
def test_stop_stops_and_leaves_the_form_as_it_was(fresh: Fresh, home: str) -> None:
    with visiting(fresh(1400), home, f"chapters/{CHAPTER}.html") as at:
        panel = opened(at.page, home)
        run, stop = (panel.locator(f"button.run-here-{name}") for name in ("run", "stop"))
        panel.locator(".run-here-field[data-parameter='epochs'] input").fill("999")
        with at.page.expect_worker() as started:
            run.click()
        expect(stop).to_be_enabled()
        stop.press("Enter")
        expect(panel).to_have_attribute("data-state", "stopped")
        expect(run).to_be_enabled()
        assert ended(at.page, started.value), "the worker goes on"
        assert panel.locator(".run-here-field[data-parameter='epochs'] input").input_value() == "999"
        assert panel.locator(".run-here-result").count() == 0


def test_from_the_disk_the_panel_gives_the_command(fresh: Fresh, book: Path) -> None:
    with visiting(fresh(1400), f"{book.as_uri()}/", f"chapters/{CHAPTER}.html") as at:
        at.go()
        panel = at.page.locator("section.run-here")
        assert panel.locator("button").count() == 0
        assert f"alignlib run {int(CHAPTER[:2])}" in panel.inner_text()
        assert not at.problems, "\n".join(map(str, at.problems))
