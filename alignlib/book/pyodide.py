"""Python for the browser: the files of Pyodide that the site serves itself, each with a SHA-256 known beforehand.

``ALIGNLIB_PYODIDE`` says where they come from: a folder that holds them, or ``release`` for the official release.
Without it, those that an earlier build checked and kept are taken, and where there are none the pages show commands
instead of buttons. The files lie below ``_build`` and are never committed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from alignlib.book.files import digest, write_file
from alignlib.datasets.fetch import try_mirror
from alignlib.errors import AlignlibError

VARIABLE = "ALIGNLIB_PYODIDE"
FROM_RELEASE = "release"
VERSION = "314.0.3"
RELEASE = f"https://cdn.jsdelivr.net/pyodide/v{VERSION}/full"
LOCK = "pyodide-lock.json"
#: What is always fetched. The list of packages, itself known by its digest, holds the digests of the packages.
RUNTIME = {
    "pyodide.mjs": "5cfc46f5dcbaf2a16f26e2363f441873eb424762609cc03db00d6a2ace4d00e5",
    "pyodide.asm.mjs": "1a9775427ef6e8abaa7db88ece0515422d1886915ae5c9093776410c865dfd8d",
    "pyodide.asm.wasm": "e7f8fac36f8bf11085309cbc5c829b3ec3057c18bf1d73b05a6741612d63cdbf",
    "python_stdlib.zip": "444c770dfd75a32097fc0a7d5c1413fd3140601f49c3a1f2e9af0376fcd124b4",
    LOCK: "c963d22858f6bcb8f41586a2142f03905ab370c88ea22a86a2736e95fac2a8f3",
}
PACKAGES = ("numpy",)
#: Stands beside the files that a site serves.
NOTICE = f"""Pyodide {VERSION}, unchanged: Python and NumPy for the browser.
Pyodide: MPL-2.0, source at https://github.com/pyodide/pyodide. Python: PSF-2.0. NumPy: BSD-3-Clause.
"""


def obtain(
    kept: Path, source: str | None = None, *, release: str = RELEASE, runtime: Mapping[str, str] = RUNTIME
) -> dict[str, Path]:
    """Return the files by name, all in the folder ``kept`` and all with the right content; empty if there are none.

    ``source`` is a folder or "release"; by default what the environment says.

    Raises
    ------
    AlignlibError
        If a source was named and does not give a file with the right content.
    """
    source = os.environ.get(VARIABLE, "") if source is None else source
    if not source and not (kept / LOCK).is_file():
        return {}
    found: dict[str, Path] = {}
    for name, sha256 in _wanted(kept, runtime):
        path = kept / name
        if not (path.is_file() and digest(path.read_bytes()) == sha256):
            if not source:
                return {}
            _bring(name, sha256, kept, source, release)
        found[name] = path
    return found


def _wanted(kept: Path, runtime: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield name and SHA-256 of each file; those of the packages are read from the list once that is here."""
    yield from runtime.items()
    packages = json.loads((kept / LOCK).read_text(encoding="utf-8"))["packages"]
    for name in PACKAGES:
        yield packages[name]["file_name"], packages[name]["sha256"]


def _bring(name: str, sha256: str, kept: Path, source: str, release: str) -> None:
    """Put one file into ``kept``, from a folder or from the release."""
    if source == FROM_RELEASE:
        import pooch

        kept.mkdir(parents=True, exist_ok=True)
        url = f"{release}/{name}"
        if (answer := try_mirror(pooch, url, kept, name, sha256)) is not None:
            shutil.rmtree(kept, ignore_errors=True)
            raise AlignlibError(f"cannot fetch Pyodide's {name} from {url}: {answer}. {_advice()}")
        return
    path = Path(source) / name
    if not path.is_file():
        raise AlignlibError(f"{VARIABLE} is {source!r}, but there is no {name} in it. {_advice()}")
    content = path.read_bytes()
    if digest(content) != sha256:
        raise AlignlibError(f"{path} is not that of Pyodide {VERSION}: SHA-256 {digest(content)}, expected {sha256}.")
    write_file(kept / name, content)


def _advice() -> str:
    return (
        f"Name a folder that holds the files of Pyodide {VERSION}, {VARIABLE}={FROM_RELEASE} to fetch them, "
        "or nothing for a book whose panels show commands."
    )
