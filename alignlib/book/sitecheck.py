"""What is looked at in the finished HTML before it replaces the old book."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag

PLACEHOLDER = re.compile(r"\b(?:TODO|FIXME|XXX|TBD)\b|lorem ipsum", re.IGNORECASE)
#: A role or a piece of TeX that reached the reader as source, such as ``{glue:text}`x` ``.
UNRESOLVED = re.compile(r"\{[a-z][a-z:]*\}`|\{glue:|\{cite|\$\$|\[@[a-z]")
#: Attributes that make a browser fetch something while it shows the page.
FETCHED = (
    ("script", "src"),
    ("img", "src"),
    ("source", "src"),
    ("iframe", "src"),
    ("video", "src"),
    ("object", "data"),
    ("image", "href"),
)
STYLE_URL = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""")
TEXT_FILES = {".html", ".js", ".json", ".ipynb", ".txt", ".css", ".svg", ".md", ".csv", ".bib", ".inv"}
#: Traces of the building machine that no configuration names.
MACHINE_TRACES = ("/tmp/ipykernel_", "site-packages/", "dist-packages/")


@dataclass
class SiteFindings:
    """What a look at the site found: problems in words, and how much was looked at."""

    problems: list[str] = field(default_factory=list)
    pages: int = 0
    links: int = 0
    images: int = 0


def check_site(html: Path, forbidden: Iterable[str] = ()) -> SiteFindings:
    """Look at every file of the site below `html`.

    `forbidden` are strings that must not occur anywhere, such as the folder of the build.
    """
    findings = SiteFindings()
    for path in sorted(html.rglob("*.html")):
        if "_static" not in path.parts:  # the theme keeps templates there
            findings.pages += 1
            _check_page(path, html, findings)
    for path in sorted(html.rglob("*")):
        if path.is_file() and path.suffix in TEXT_FILES and "mathjax" not in path.parts:
            findings.problems += _check_text(path, html, (*forbidden, *MACHINE_TRACES))
    return findings


def figure_number(page: Path, anchor: str) -> str:
    """Return what the page calls the figure at `anchor` ("Fig. 4.1"), or nothing if there is none."""
    node = _soup(page).find(id=anchor) if page.is_file() else None
    number = node.select_one(".caption-number") if isinstance(node, Tag) else None
    return number.get_text().strip() if number else ""


def _check_page(path: Path, html: Path, findings: SiteFindings) -> None:
    soup = _soup(path)
    where = path.relative_to(html).as_posix()
    for link in _internal_links(soup):
        findings.links += 1
        if problem := _dead(path, html, link):
            findings.problems.append(f"{where}: {problem}")
    findings.problems += [f"{where}: fetches {url} from elsewhere" for url in _foreign(soup)]
    article = soup.find("article") or soup.find("main")
    if not isinstance(article, Tag):
        return
    for image in article.find_all("img"):
        findings.images += 1
        if not str(image.get("alt") or "").strip():
            findings.problems.append(f"{where}: the image {image.get('src')} has no alternative text")
    findings.problems += [f"{where}: {problem}" for problem in _leftovers(article)]


def _internal_links(soup: BeautifulSoup) -> Iterator[str]:
    for tag, attribute in (("a", "href"), ("img", "src"), ("script", "src"), ("link", "href")):
        for node in soup.find_all(tag):
            target = str(node.get(attribute) or "")
            parts = urlsplit(target)
            if target and not parts.scheme and not parts.netloc:
                yield target


def _dead(page: Path, html: Path, link: str) -> str:
    """Return what is wrong with an internal link, nothing if it leads somewhere."""
    parts = urlsplit(link)
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page.resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.is_relative_to(html.resolve()):
        return f"the link {link} leads out of the site"
    if not target.is_file():
        return f"the link {link} leads nowhere"
    anchor = unquote(parts.fragment)
    if anchor and target.suffix == ".html" and anchor not in _anchors(target):
        return f"the link {link} names an anchor that its page does not have"
    return ""


@cache
def _parsed(path: Path, modified: int) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def _soup(path: Path) -> BeautifulSoup:
    return _parsed(path.resolve(), path.stat().st_mtime_ns)


def _anchors(path: Path) -> frozenset[str]:
    return _ids(path, path.stat().st_mtime_ns)


@cache
def _ids(path: Path, modified: int) -> frozenset[str]:
    soup = _soup(path)
    names = {str(node.get("name")) for node in soup.find_all("a") if node.get("name")}
    return frozenset(names | {str(node["id"]) for node in soup.find_all(id=True)})


def _foreign(soup: BeautifulSoup) -> Iterator[str]:
    """Yield the addresses that a browser would fetch from another host while it shows the page."""
    for tag, attribute in FETCHED:
        for node in soup.find_all(tag):
            if (url := str(node.get(attribute) or "")).startswith(("http:", "https:", "//")):
                yield url
    for node in soup.find_all("link"):
        relation = " ".join(node.get("rel") or [])
        url = str(node.get("href") or "")
        if re.search("stylesheet|icon|preload|prefetch|manifest", relation) and url.startswith(("http", "//")):
            yield url
    for style in soup.find_all("style"):
        yield from STYLE_URL.findall(style.get_text())


def _leftovers(article: Tag) -> Iterator[str]:
    """Yield placeholders and source that was not rendered, each with some words around it."""
    text = article.get_text(" ")
    for found in PLACEHOLDER.finditer(text):
        yield f"placeholder {_around(text, found)!r}"
    prose = " ".join(
        str(piece)
        for piece in article.find_all(string=True)
        if not piece.find_parent(["pre", "code", "script", "style"]) and not piece.find_parent(class_="math")
    )
    for found in UNRESOLVED.finditer(prose):
        yield f"not rendered: {_around(prose, found)!r}"


def _around(text: str, found: re.Match[str]) -> str:
    return " ".join(text[max(0, found.start() - 30) : found.end() + 30].split())


def _check_text(path: Path, html: Path, forbidden: Iterable[str]) -> Iterator[str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    where = path.relative_to(html).as_posix()
    for trace in forbidden:
        if trace in text:
            yield f"{where}: holds {trace!r}, a path of the machine that built it"
    if path.suffix == ".css":
        yield from (f"{where}: fetches {url} from elsewhere" for url in STYLE_URL.findall(text))
