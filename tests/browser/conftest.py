"""One browser for all tests, one window a width, and the built book on loopback.

Without a browser or a built book these tests are skipped and say what is missing;
with ALIGNLIB_BROWSER=required, as `make browser` and CI have it, they fail instead.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import visit
from playwright.sync_api import Browser, BrowserContext, sync_playwright

#: "60:20261129" looks at 60 of the pages made by one template, drawn with this seed; all of them without it.
SAMPLE = os.environ.get("ALIGNLIB_BROWSER_SAMPLE")
REQUIRED = os.environ.get("ALIGNLIB_BROWSER") == "required"
HERE = Path(__file__).parent


def missing() -> str:
    """Return what is not there, in words for whoever runs the tests; nothing if all is."""
    if visit.find_browser() is None:
        return "no browser: install Chromium (apt-get install chromium), or name one in ALIGNLIB_CHROMIUM"
    if visit.find_book() is None:
        return "no built book: run make book, or name the folder of one in ALIGNLIB_BOOK"
    return ""


def pytest_report_header() -> str:
    """Say which book is looked at: an old one would tell about yesterday."""
    book = visit.find_book()
    profile = json.loads((book / "site.json").read_text(encoding="utf-8"))["profile"] if book else ""
    return f"browser: {visit.find_browser()}, book: {f'{book} ({profile})' if book else None}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and skip them where something is missing."""
    lacking = missing()
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if lacking and not REQUIRED:
                item.add_marker(pytest.mark.skip(reason=lacking))


def looked_at(book: Path) -> list[str]:
    """Return the pages to look at: all, or a sample."""
    names = visit.page_names(book)
    if SAMPLE is None:
        return names
    size, _, seed = SAMPLE.partition(":")
    return visit.sample(names, int(size), int(seed))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a page, or a chapter, of the book that is there."""
    book = visit.find_book()
    for argument, names in (("name", looked_at), ("chapter", visit.chapter_names)):
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, names(book) if book else ["no-book"])


@pytest.fixture(scope="session")
def book() -> Path:
    """The folder of the built book."""
    if lacking := missing():
        pytest.fail(lacking)
    found = visit.find_book()
    assert found is not None
    return found


@pytest.fixture(scope="session")
def home(book: Path) -> Iterator[str]:
    """The address at which the book is served."""
    with visit.served(book) as address:
        yield address


@pytest.fixture(scope="session")
def browser(book: Path) -> Iterator[Browser]:
    """The browser."""
    with sync_playwright() as playwright:
        started = visit.launch(playwright)
        yield started
        started.close()


@pytest.fixture(scope="session")
def window(browser: Browser) -> Callable[[int], BrowserContext]:
    """Windows by width, opened once: what one page has fetched the next one finds in the cache."""
    opened: dict[int, BrowserContext] = {}

    def window(width: int) -> BrowserContext:
        if width not in opened:
            opened[width] = visit.new_context(browser, width)
        return opened[width]

    return window


@pytest.fixture
def fresh(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Windows that know nothing yet: no cache, no chosen theme. Closed after the test."""
    opened: list[BrowserContext] = []

    def fresh(width: int, **options: object) -> BrowserContext:
        opened.append(visit.new_context(browser, width, **options))
        return opened[-1]

    yield fresh
    for context in opened:
        context.close()
