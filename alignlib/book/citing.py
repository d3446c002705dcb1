"""How the book and each of its figures are cited: BibTeX and CSL-JSON from one entry, and the commit they belong to."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from alignlib.book.pages import SITE, ShownChapter, ShownFigure

JSON = dict[str, Any]


@dataclass(frozen=True)
class Book:
    """What is said of the whole book wherever it is cited; read from ``_config.yml`` and ``CITATION.cff``."""

    title: str = "Learning without weight transport"
    author: str = "The alignlib authors"
    year: str = "2026"
    address: str = SITE
    repository: str = ""
    version: str = ""
    licence: str = "MIT"
    abstract: str = ""
    keywords: tuple[str, ...] = ()
    doi: str = ""


@dataclass(frozen=True)
class Entry:
    """One thing that can be cited: ``kind`` is "book", "figure" or "table"; ``title`` is plain text."""

    kind: str
    key: str
    title: str
    address: str
    note: str = ""


def read_book(root: Path) -> Book:
    """Return what ``_config.yml`` and ``CITATION.cff`` below `root` say of the book."""
    config, cff = _yaml(root / "_config.yml"), _yaml(root / "CITATION.cff")
    known = Book()
    return Book(
        title=str(config.get("title", known.title)),
        author=str(config.get("author", known.author)),
        year=str(config.get("copyright", known.year)),
        address=str(config.get("html", {}).get("baseurl") or SITE).rstrip("/") + "/",
        repository=str(config.get("repository", {}).get("url", "")),
        version=str(cff.get("version", "")),
        licence=str(cff.get("license", known.licence)),
        abstract=" ".join(str(cff.get("abstract", "")).split()),
        keywords=tuple(str(word) for word in cff.get("keywords", ())),
        doi=str(cff.get("doi", "")),
    )


def _yaml(path: Path) -> JSON:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}


# ---------------------------------------------------------------- entries


def book_entry(book: Book) -> Entry:
    """Return the entry of the whole book."""
    version = f" Version {book.version}" if book.version else ""
    return Entry("book", "alignlib", book.title, book.address, f"An executable book.{version}")


def figure_entry(book: Book, chapter: ShownChapter, figure: ShownFigure, profile: str) -> Entry:
    """Return the entry of a figure, whose address holds its name alone; an anchor ``table-…`` makes it a table's."""
    kind = "table" if figure.anchor.startswith("table-") else "figure"
    place = f"chapters/{chapter.name}.html#{figure.anchor}" if kind == "table" else f"figures/{figure.id}.html"
    title = plain(figure.title).removesuffix(".") or f"{kind.title()} {figure.id}"
    digest = figure.data.get("provenance", {}).get("digest", "")[:12]
    note = [f"{kind.title()} {figure.id} in the chapter {plain(chapter.title)}", f"profile {profile}"]
    note += [f"data digest {digest}"] if digest else []
    return Entry(kind, f"alignlib-{figure.id}", title, book.address + place, ", ".join(note))


def bibtex(book: Book, entry: Entry) -> str:
    """Return the entry for BibTeX and BibLaTeX."""
    within = {} if entry.kind == "book" else {"howpublished": f"In: {tex(book.title)}"}
    fields = {
        "author": f"{{{tex(book.author)}}}",
        "title": f"{{{tex(entry.title)}}}",
        **within,
        "year": book.year,
        **({"doi": book.doi} if book.doi and entry.kind == "book" else {}),
        "url": entry.address,
        "note": tex(entry.note),
    }
    kind = "book" if entry.kind == "book" else "misc"
    lines = [f"  {name:<12} = {{{value}}}" for name, value in fields.items()]
    return "\n".join([f"@{kind}{{{entry.key},", ",\n".join(lines), "}"])


def csl(book: Book, entry: Entry) -> JSON:
    """Return the entry as one CSL-JSON item, which Zotero, pandoc and citeproc read."""
    item: JSON = {
        "id": entry.key,
        "type": {"book": "book", "figure": "figure", "table": "dataset"}[entry.kind],
        "title": entry.title,
        "author": [{"literal": book.author}],
        "issued": {"date-parts": [[int(book.year)]]},
        "URL": entry.address,
        "note": entry.note,
        "language": "en",
    }
    if entry.kind == "book":
        item |= {"version": book.version} if book.version else {}
        item |= {"DOI": book.doi} if book.doi else {}
    else:
        item["container-title"] = book.title
    return item


def entry_files(book: Book, entry: Entry) -> dict[str, bytes]:
    """Return the files that an entry is published as: suffix -> content."""
    item = json.dumps([csl(book, entry)], indent=1, ensure_ascii=False)
    return {"bib": (bibtex(book, entry) + "\n").encode(), "csl.json": (item + "\n").encode()}


# ---------------------------------------------------------------- text


def plain(text: str) -> str:
    """Return Markdown without its marks: emphasis, links, roles; what is mathematics keeps its letters."""
    text = re.sub(r"\{[a-z:]+\}`([^`]*)`", r"\1", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\$([^$]*)\$", lambda found: _plain_maths(found[1]), text)
    return re.sub(r"\*\*|\*|`", "", text)


_LETTERS = {
    **{"delta": "δ", "eta": "η", "lambda": "λ", "varepsilon": "ε", "pm": "±", "times": "×", "cdots": "⋯"},
    **{"lVert": "‖", "rVert": "‖", "partial": "∂", "le": "≤", "ge": "≥", "to": "→", "approx": "≈", "cdot": "·"},
}


def _plain_maths(source: str) -> str:
    for name, letter in _LETTERS.items():
        source = re.sub(rf"\\{name}(?![a-z])", letter, source)
    source = re.sub(r"\\[td]?frac\{([^{}]*)\}\{([^{}]*)\}", r"\1/\2", source)
    source = re.sub(r"\\(?:top|mathsf\{T\})", "ᵀ", source).replace("^ᵀ", "ᵀ").replace("'", "′")
    source = source.replace(r"\hat y", "ŷ")
    return re.sub(r"\\[a-z]+\s?|[{}_^]", "", source)


def tex(text: str) -> str:
    """Return plain text with what is special to TeX escaped."""
    return re.sub(r"([&%#_$])", r"\\\1", text)


# ---------------------------------------------------------------- the commit


def commit(root: Path) -> str:
    """Return the commit that is checked out, with a word if files differ from it; nothing without git."""
    try:
        head = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{head}  # files were changed since" if changed else head


def _git(root: Path, *arguments: str) -> str:
    ran = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def versions_text(versions: Mapping[str, str]) -> str:
    """Return package versions in one line."""
    return ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))
