"""The RO-Crate of the book: what the site holds, from what and by what it was made, for machines.

https://w3id.org/ro/crate: one JSON-LD file at the root of the site, made with the ``rocrate`` library.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from alignlib.book.citing import Book, plain
from alignlib.book.pages import ShownChapter, ShownFigure
from alignlib.book.status_page import Moment

Json = dict[str, Any]
FILE = "ro-crate-metadata.json"
FORMATS = {"svg": "image/svg+xml", "png": "image/png", "csv": "text/csv", "json": "application/json"}
WHAT = {"svg": "drawing", "png": "drawing as pixels", "csv": "plotted numbers", "json": "numbers and their origin"}


def crate(book: Book, chapters: Sequence[ShownChapter], manifest: Json, moment: Moment) -> bytes:
    """Return the crate's metadata: the book, each figure's files, the chapters that made them, the software used."""
    from rocrate.model.contextentity import ContextEntity
    from rocrate.rocrate import ROCrate

    made = ROCrate()
    made.name = f"{book.title}: an executable book"
    made.description = book.abstract or book.title
    made.license = f"https://spdx.org/licenses/{book.licence}"
    made.datePublished = datetime.fromisoformat(moment.date or f"{book.year}-01-01").replace(tzinfo=UTC)
    author = made.add(ContextEntity(made, "#authors", {"@type": "Organization", "name": book.author}))
    made.root_dataset["author"] = author
    made.root_dataset["url"] = book.address
    made.root_dataset["keywords"] = list(book.keywords)
    made.root_dataset["version"] = book.version
    if book.doi:
        made.root_dataset["identifier"] = f"https://doi.org/{book.doi}"
    software = [
        made.add(ContextEntity(made, f"#{name}", {"@type": "SoftwareApplication", "name": name, "version": number}))
        for name, number in sorted(manifest.get("versions", {}).items())
    ]
    for chapter in chapters:
        made_here = [made.add_file(dest_path=path, properties=facts) for path, facts in _files(book, chapter)]
        source = made.add_file(dest_path=f"_sources/chapters/{chapter.name}.ipynb", properties=_notebook(chapter))
        run = ContextEntity(made, f"#run-{chapter.name}", {"@type": "CreateAction", "name": f"Run of {chapter.spoken}"})
        made.add(run)
        run["object"], run["result"], run["instrument"] = [source], made_here, software
        if moment.commit:
            run["description"] = f"{book.repository} at commit {moment.commit}"
    return (json.dumps(made.metadata.generate(), indent=1, ensure_ascii=False) + "\n").encode()


def _files(book: Book, chapter: ShownChapter) -> Iterator[tuple[str, Json]]:
    for figure in chapter.figures:
        for kind, form in FORMATS.items():
            yield f"figures/{figure.id}.{kind}", _facts(book, chapter, figure, kind, form)


def _facts(book: Book, chapter: ShownChapter, figure: ShownFigure, kind: str, form: str) -> Json:
    title = plain(figure.title).removesuffix(".")
    facts = {"name": f"Figure {chapter.number_of(figure)}: {title} ({WHAT[kind]})", "encodingFormat": form}
    return facts | {"description": figure.alt, "url": f"{book.address}figures/{figure.id}.html"}


def _notebook(chapter: ShownChapter) -> Json:
    return {
        "@type": ["File", "SoftwareSourceCode"],
        "name": f"Chapter {chapter.spoken}, executed",
        "encodingFormat": "application/x-ipynb+json",
    }
