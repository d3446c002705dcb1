"""The manifest: what a built book holds, in one JSON file for machines.

``_build/<profile>/manifest.json``, and ``_build/manifest.json`` for the profile that was built last.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from alignlib.book import chapters as book_chapters
from alignlib.book.chapters import Chapter, Execution, source_of
from alignlib.book.claims import CLAIM_MIME, TABLE_MIME, VALUE_MIME
from alignlib.book.figure import MIME as FIGURE_MIME
from alignlib.book.files import read_json, write_json

JSON = dict[str, Any]
PACKAGES = ("alignlib", "numpy", "matplotlib", "papermill", "jupyter-book")
KINDS = {FIGURE_MIME: "figures", TABLE_MIME: "tables", CLAIM_MIME: "claims", VALUE_MIME: "values"}


def manifest_path(root: Path, profile: str | None = None) -> Path:
    """Return where the manifest of a profile is, or that of the profile built last."""
    return root / "_build" / (profile or "") / "manifest.json"


def read_manifest(root: Path, profile: str | None = None) -> JSON:
    """Return a manifest; empty if no book has been built."""
    path = manifest_path(root, profile)
    return dict(read_json(path)) if path.is_file() else {}


def write_manifest(root: Path, profile: str, executions: Sequence[Execution]) -> JSON:
    """Write the manifest of a profile from its executed chapters and return it."""
    manifest = make_manifest(root, profile, executions)
    write_json(manifest_path(root, profile), manifest)
    return manifest


def make_manifest(root: Path, profile: str, executions: Sequence[Execution]) -> JSON:
    """Return the chapters, figures, tables, claims and values of an executed book, and the versions used.

    A figure's number is its chapter's and its place among the captioned figures there, as the site numbers them.
    """
    manifest: JSON = {"profile": profile, "versions": versions()}
    manifest |= {"chapters": [], "figures": [], "tables": [], "claims": [], "values": []}
    settings = book_chapters.profile_values(root, profile)
    for execution in executions:
        chapter = execution.chapter
        notebook = book_chapters.read_notebook(execution.output)
        declared = book_chapters.parameters(chapter)
        manifest["chapters"].append(
            {
                "id": chapter.name,
                "number": chapter.number,
                "title": title(notebook) or chapter.name,
                "seconds": round(execution.seconds, 1),
                "parameters": book_chapters.effective(declared, settings[chapter.name]),
            }
        )
        _add_outputs(manifest, chapter, notebook)
    return manifest


def versions() -> dict[str, str]:
    """Return the versions that a book was made with."""
    return {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}}


def title(notebook: Mapping[str, Any]) -> str:
    """Return the first heading of a notebook."""
    for cell in notebook["cells"]:
        for line in source_of(cell).splitlines() if cell.get("cell_type") == "markdown" else ():
            if line.startswith("# "):
                return line.removeprefix("# ").strip()
    return ""


def _add_outputs(manifest: JSON, chapter: Chapter, notebook: Mapping[str, Any]) -> None:
    figures = 0
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            for mime in set(KINDS) & set(output.get("data", {})):
                figures += mime == FIGURE_MIME
                entry = _entry(mime, output["data"][mime], cell, f"{chapter.number}.{figures}")
                manifest[KINDS[mime]].append({"chapter": chapter.name, **entry})


def _entry(mime: str, shown: JSON, cell: Mapping[str, Any], number: str) -> JSON:
    if mime == CLAIM_MIME:
        return {name: shown[name] for name in ("id", "statement", "holds", "measured", "source")}
    if mime == VALUE_MIME:
        return {"id": shown["name"], "value": shown["value"], "text": shown["text"]}
    provenance = shown.get("provenance", {})
    entry = {"id": shown["id"], "alt": shown["alt"], "data": provenance.get("data", {})}
    if mime == TABLE_MIME:
        return {**entry, "caption": shown.get("caption", "")}
    caption = cell.get("metadata", {}).get("mystnb", {}).get("figure", {}).get("caption", "")
    digest = provenance.get("digest", "")
    return {**entry, "number": number, "caption": " ".join(str(caption).split()), "digest": digest}


def publish(root: Path, profile: str) -> None:
    """Make the manifest of a profile that of the book built last."""
    write_json(manifest_path(root), read_manifest(root, profile))
