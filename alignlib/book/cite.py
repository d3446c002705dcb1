"""How to cite a figure, and how to make it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alignlib.book import chapters as book_chapters
from alignlib.book import pages, reference
from alignlib.book.chapters import Chapter
from alignlib.book.citing import Book, Entry, bibtex, commit, figure_entry, read_book
from alignlib.book.manifest import read_manifest
from alignlib.errors import InvalidValue, nearest

JSON = dict[str, Any]


@dataclass(frozen=True)
class Cited:
    """A figure or table ("Figure", "Table") as it is cited; what only a built book knows may be empty."""

    kind: str
    id: str
    chapter: Chapter
    profile: str
    parameters: Mapping[str, Any]
    data: Mapping[str, str]
    number: str = ""
    caption: str = ""
    digest: str = ""


def cite(root: Path, name: str, profile: str | None = None) -> str:
    """Return citation, BibTeX, permanent address and the way to reproduce a figure or table of the book.

    Raises
    ------
    InvalidValue
        If the book has no such figure, with the nearest name.
    """
    known = {cited.id: cited for cited in _known(root, profile)}
    if name not in known:
        accepted = f"Accepted: {', '.join(sorted(known))}." if known else "There is none yet: build the book."
        raise InvalidValue(f"unknown figure {name!r}{nearest(name, known) or '.'} {accepted}")
    return _text(root, known[name])


def _known(root: Path, profile: str | None) -> Iterator[Cited]:
    """Yield what can be cited: the reference's figures first, so that those of a built book replace them."""
    chapters = {chapter.name: chapter for chapter in book_chapters.discover(root)}
    manifest = read_manifest(root, profile)
    yield from _from_reference(root, profile or manifest.get("profile") or book_chapters.DEFAULT_PROFILE, chapters)
    parameters = {entry["id"]: entry["parameters"] for entry in manifest.get("chapters", [])}
    for kind, entries in (("Figure", "figures"), ("Table", "tables")):
        for entry in manifest.get(entries, []):
            if chapter := chapters.get(entry["chapter"]):
                about = manifest["profile"], parameters.get(chapter.name, {}), entry["data"]
                number, digest = entry.get("number", ""), entry.get("digest", "")
                yield Cited(kind, entry["id"], chapter, *about, number, entry["caption"], digest)


def _from_reference(root: Path, profile: str, chapters: Mapping[str, Chapter]) -> Iterator[Cited]:
    for chapter in chapters.values():
        for path in sorted(reference.expected_folder(root, profile, chapter.name).glob("[!_]*.json")):
            content = reference.read_reference(root, path)[0]
            kind = "Figure" if "panels" in content else "Table"
            yield Cited(kind, path.stem, chapter, profile, content["parameters"], content["data"])


def _text(root: Path, cited: Cited) -> str:
    book = read_book(root)
    heading = pages.read_chapter(cited.chapter.path).title
    entry = _entry(book, cited, heading)
    what = f"{cited.kind} {cited.number} ({cited.id}), chapter {cited.chapter.number}: {heading}"
    lines = [" ".join(f"{book.author} ({book.year}). {what}. In: {book.title}. {entry.address}".split())]
    lines += [cited.caption, ""] if cited.caption else [""]
    lines += ["BibTeX", _indented(bibtex(book, entry)), ""]
    lines += ["Permanent address", f"  {entry.address}", "", "Reproduce", _indented(_recipe(root, book, cited)), ""]
    lines += ["Data", *(f"  {name}  sha256 {checksum}" for name, checksum in cited.data.items())] if cited.data else []
    lines += [f"Digest of the numbers (7 digits)\n  {cited.digest}"] if cited.digest else []
    return "\n".join(lines)


def _entry(book: Book, cited: Cited, heading: str) -> Entry:
    data = {"provenance": {"digest": cited.digest}}
    anchor = "" if cited.kind == "Figure" else f"table-{cited.id}"
    figure = pages.ShownFigure(cited.id, cited.caption, data, "", b"", anchor)
    return figure_entry(book, pages.ShownChapter(cited.chapter.name, heading, (), (), ()), figure, cited.profile)


def _recipe(root: Path, book: Book, cited: Cited) -> str:
    """Return the commands that make it again: the commit, the environment, the chapter with every parameter."""
    lines = []
    if book.repository:
        lines.append(f"git clone {book.repository} && cd {Path(book.repository).name}")
    if head := commit(root):
        lines.append(f"git checkout {head}")
    declared = {p.name: p for p in book_chapters.parameters(cited.chapter)}
    typed = [
        f"-p {name} {shlex.quote(declared[name].text(value))}"
        for name, value in cited.parameters.items()
        if name in declared and declared[name].default != value
    ]
    run = f".venv/bin/alignlib run {cited.chapter.number} --profile {cited.profile}"
    return "\n".join([*lines, "make env", " ".join([run, *typed])])


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
