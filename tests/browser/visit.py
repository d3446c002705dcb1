"""A built book, served on loopback and shown by a real browser: what the tests and the contact sheet share."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request, Response
from playwright.sync_api import TimeoutError as PlaywrightTimeout

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "_build" / "browser"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
THEMES = ("light", "dark")
HEIGHTS = {390: 844, 1400: 900}
#: Widths of a phone and of a laptop, in CSS pixels.
WIDTHS = tuple(HEIGHTS)
#: Pages made by one template, one for each figure and each module.
ALIKE = ("figures/", "_modules/")


def find_browser() -> str | None:
    """Return the browser of this machine: what ALIGNLIB_CHROMIUM names, or the first one known."""
    named = os.environ.get("ALIGNLIB_CHROMIUM")
    return named or next(filter(None, map(shutil.which, BROWSERS)), None)


def find_book() -> Path | None:
    """Return the folder of the built book: what ALIGNLIB_BOOK names, or the newest build."""
    folder = Path(os.environ.get("ALIGNLIB_BOOK") or ROOT / "_build" / "html").resolve()
    return folder if (folder / "index.html").is_file() else None


def page_names(book: Path) -> list[str]:
    """Return every page of the book as a path from its root; the theme's own templates are none."""
    found = (path.relative_to(book) for path in book.rglob("*.html"))
    return sorted(path.as_posix() for path in found if path.parts[0] not in {"_static", "pyodide"})


def sample(names: list[str], size: int, seed: int) -> list[str]:
    """Return all pages but those that are alike, and of these as many as asked for, drawn by the seed."""
    alike = [name for name in names if name.startswith(ALIKE) and not name.endswith("/index.html")]
    drawn = {*random.Random(seed).sample(alike, min(size, len(alike)))}
    return [name for name in names if name in drawn or name not in alike]


def chapter_names(book: Path) -> list[str]:
    """Return the pages of the chapters in reading order."""
    return [name for name in page_names(book) if name.startswith("chapters/")]


# ---------------------------------------------------------------- the server

COMPRESSED = {".html", ".js", ".mjs", ".css", ".svg", ".json", ".csv", ".txt"}


@cache
def _compressed(path: str, modified: int) -> bytes:
    return gzip.compress(Path(path).read_bytes(), 6, mtime=0)


class _Handler(SimpleHTTPRequestHandler):
    """Files as a static host sends them: text compressed, everything kept by the browser for a while."""

    protocol_version = "HTTP/1.1"
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".woff2": "font/woff2",
    }

    def send_head(self) -> BinaryIO | None:
        path = Path(self.translate_path(self.path))
        if path.suffix not in COMPRESSED or not path.is_file():
            return super().send_head()  # type: ignore[return-value]
        body = _compressed(str(path), path.stat().st_mtime_ns)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return io.BytesIO(body)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "max-age=600")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what goes wrong is seen from the browser."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a reader who leaves a page before all of it has come is no error."""


@contextmanager
def served(book: Path) -> Iterator[str]:
    """Serve the folder on a free port of loopback and give its address, with a slash at the end."""

    def handler(*args: Any) -> _Handler:
        return _Handler(*args, directory=str(book))

    with _Server(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


# ---------------------------------------------------------------- the browser


def launch(playwright: Playwright) -> Browser:
    """Start the browser of this machine; whatever a page asks of another host gets no answer."""
    options = ["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--force-color-profile=srgb"]
    return playwright.chromium.launch(executable_path=find_browser(), args=options)


def new_context(browser: Browser, width: int, **options: Any) -> BrowserContext:
    """Open a window of its own, with its own cache and settings, in which nothing moves by itself."""
    size = {"width": width, "height": HEIGHTS[width]}
    context = browser.new_context(viewport=size, reduced_motion="reduce", color_scheme="light", **options)
    context.set_default_timeout(60_000)
    return context


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: on which page, at which width, in which theme, what, and where on the page."""

    page: str
    width: int
    theme: str
    what: str
    where: str = ""

    def __str__(self) -> str:
        place = f"\n      at {self.where}" if self.where else ""
        return f"{self.page}, {self.width} px, {self.theme}: {self.what}{place}"


@dataclass
class Visit:
    """One page in one window, with everything that it asked for and complained about on the way."""

    page: Page
    name: str
    width: int
    home: str
    theme: str = "light"
    problems: list[Problem] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)

    def add(self, what: str, where: str = "") -> None:
        """Note something that is wrong."""
        problem = Problem(self.name, self.width, self.theme, what, where)
        if problem not in self.problems:
            self.problems.append(problem)

    def watch(self) -> None:
        """Note from now on what the page complains about and whom it asks."""
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.add(f"an error in a script: {error}"))
        self.page.on("request", self._request)
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._response)

    def go(self) -> None:
        """Open the page and wait until everything on it has come and is drawn."""
        answer = self.page.goto(self.home + self.name, wait_until="load")
        assert answer is None or answer.ok, f"{self.name} is answered by {answer.status}"  # none from a file
        self.settle()

    def settle(self) -> None:
        """Wait until pictures are loaded, equations set and fonts there."""
        self.page.evaluate(SETTLE)

    def resize(self, width: int) -> None:
        """Make the window as narrow or wide as that, and wait until the theme has seen which listings now scroll."""
        self.width = width
        self.page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
        with suppress(PlaywrightTimeout):  # what never becomes reachable by keyboard is what axe-core looks for
            self.page.wait_for_function(SCROLLERS_REACHABLE, timeout=3000)

    def show(self, theme: str) -> None:
        """Let the system of the reader be light or dark; the page follows."""
        self.theme = theme
        self.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        self.page.wait_for_function("theme => document.documentElement.dataset.theme === theme", arg=theme)
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def look(self) -> None:
        """Note what is wrong with what is to be seen now."""
        for what, where in self.page.evaluate(LOOK):
            self.add(what, where)

    def picture(self) -> Path:
        """Save what the window shows, all of the page, and return where."""
        name = self.name.removesuffix(".html").replace("/", "-")
        path = PICTURES / f"{name}-{self.width}-{self.theme}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, full_page=True)
        return path

    def bytes_received(self) -> dict[str, int]:
        """Return what has crossed the line so far: address inside the book -> bytes with headers."""
        received = {}
        for response in self.responses:
            sizes = response.request.sizes()
            received[self._short(response.url)] = sizes["responseBodySize"] + sizes["responseHeadersSize"]
        return received

    def _short(self, url: str) -> str:
        return url.removeprefix(self.home).split("?")[0]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.add(f"console: {message.text}", self._short(message.location.get("url", "")))

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.home, "data:", "blob:")):
            self.add(f"asks another host: {request.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # which says that the reader has left the page meanwhile
            self.add(f"not loaded: {self._short(request.url)} ({request.failure})")

    def _response(self, response: Response) -> None:
        self.responses.append(response)
        if response.status >= 400:
            self.add(f"answer {response.status}: {self._short(response.url)}")


@contextmanager
def visiting(context: BrowserContext, home: str, name: str) -> Iterator[Visit]:
    """Give a page of the book in a new tab, not opened yet, watched from the start."""
    page = context.new_page()
    size = page.viewport_size or {"width": 0}
    visit = Visit(page, name, size["width"], home)
    visit.watch()
    try:
        yield visit
    finally:
        page.close()


def figure_ids(book: Path) -> dict[str, str]:
    """Return every figure's identifier with the chapter that shows it."""
    index = json.loads((book / "figures" / "index.json").read_text(encoding="utf-8"))
    return {name: entry["chapter"] for name, entry in index.items()}


def within(book: Path, url: str, home: str) -> Path:
    """Return the file that an address of the served book stands for."""
    assert url.startswith(home), f"{url} is not in the book"
    return book / unquote(urlsplit(url).path.lstrip("/"))


# ---------------------------------------------------------------- what is asked of a page

#: Pictures further down load when one scrolls there; here all of them have to come.
SETTLE = """async () => {
  const images = [...document.images];
  images.forEach(image => { image.loading = "eager"; });
  if (window.MathJax?.startup?.promise) await window.MathJax.startup.promise;
  await document.fonts.ready;
  const ended = image => image.complete || new Promise(done => { image.onload = image.onerror = done; });
  await Promise.all(images.map(ended));
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""

#: The theme lets the keyboard reach what scrolls sideways a moment after the window has changed.
SCROLLERS_REACHABLE = """() => [...document.querySelectorAll("pre, .cell_output")].every(
  box => box.scrollWidth <= box.clientWidth || box.tabIndex >= 0)"""

#: See there.
LOOK = Path(__file__).with_name("look.js").read_text(encoding="utf-8").strip().rstrip(";")
