"""Where the book is: the folder that holds its chapters, records and profiles."""

from __future__ import annotations

from pathlib import Path

from alignlib.errors import AlignlibError

FOLDER = "chapters"
RECORDS = "records"
CLONE = Path(__file__).resolve().parents[2]


def find_root(start: Path | None = None) -> Path:
    """Return the book's folder: the nearest one upwards from ``start`` that holds ``chapters``, else the clone's.

    Raises
    ------
    AlignlibError
        If there is none, with what was looked for.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents, CLONE):
        if (folder / FOLDER).is_dir() and ((folder / "_toc.yml").exists() or (folder / "profiles").is_dir()):
            return folder
    raise AlignlibError(
        f"no book found in {start} or above it: a book has a folder {FOLDER!r} and a _toc.yml. "
        "Clone the repository and work inside it."
    )
