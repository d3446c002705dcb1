"""The manifest: what a built book holds, in one JSON file for machines.

``_build/<profile>/manifest.json``, and ``_build/manifest.json`` for the profile that was built last.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from alignlib import arithmetic
from alignlib.book import chapters, pages
from alignlib.book.chapters import Execution
from alignlib.book.files import read_json, write_json
from alignlib.book.pages import ShownChapter
from alignlib.book.reference import ChapterCheck

JSON = dict[str, Any]
PACKAGES = ("alignlib", "numpy", "matplotlib", "papermill", "jupyter-book")


def manifest_path(root: Path, profile: str | None = None) -> Path:
    """Return where the manifest of a profile is, or that of the profile built last."""
    return root / "_build" / (profile or "") / "manifest.json"


def read_manifest(root: Path, profile: str | None = None) -> JSON:
    """Return a manifest; empty if no book has been built."""
    path = manifest_path(root, profile)
    return dict(read_json(path)) if path.is_file() else {}


def write_manifest(
    root: Path, profile: str, executions: Sequence[Execution], checks: Sequence[ChapterCheck] = ()
) -> JSON:
    """Write the manifest of a profile from its executed chapters and their checks, and return it."""
    manifest = make_manifest(root, profile, executions, checks)
    write_json(manifest_path(root, profile), manifest)
    return manifest


def make_manifest(
    root: Path, profile: str, executions: Sequence[Execution], checks: Sequence[ChapterCheck] = ()
) -> JSON:
    """Return the chapters, figures, tables, claims and values of an executed book, and the versions used.

    A figure's number is its chapter's and its place among the figures there, as the site numbers them.
    A chapter's deviation is the largest from its reference, as a share of the tolerance; null if never compared.
    """
    worst = {check.chapter: check.worst for check in checks}
    manifest: JSON = {"profile": profile, "versions": versions(), "arithmetic": arithmetic.name()}
    manifest |= {"chapters": [], "figures": [], "tables": [], "claims": [], "values": []}
    settings = chapters.profile_values(root, profile)
    for execution in executions:
        shown = pages.read_chapter(execution.output)
        declared = chapters.parameters(execution.chapter)
        manifest["chapters"].append(
            {
                "id": shown.name,
                "number": shown.number,
                "title": shown.title,
                "seconds": round(execution.seconds, 1),
                "deviation": _finite(worst.get(shown.name)),
                "parameters": chapters.effective(declared, settings[shown.name]),
            }
        )
        for kind, entries in _entries(shown).items():
            manifest[kind] += [{"chapter": shown.name, **entry} for entry in entries]
    return manifest


def _finite(share: float | None) -> float | None:
    return None if share is None or not math.isfinite(share) else float(f"{share:.3g}")


def versions() -> dict[str, str]:
    """Return the versions that a book was made with."""
    return {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}}


def _entries(shown: ShownChapter) -> dict[str, list[JSON]]:
    claim_names = ("id", "statement", "holds", "measured", "source")
    return {
        "figures": [
            {
                **_of_item(figure.data),
                "number": f"{shown.number}.{place}",
                "caption": figure.caption,
                "digest": figure.data["provenance"]["digest"],
            }
            for place, figure in enumerate(shown.figures, start=1)
        ],
        "tables": [{**_of_item(table), "caption": table["caption"]} for table in shown.tables],
        "claims": [{name: claim[name] for name in claim_names} for claim in shown.claims],
        "values": [{"id": v["name"], "value": v["value"], "text": v["text"]} for v in shown.values],
    }


def _of_item(item: JSON) -> JSON:
    return {"id": item["id"], "alt": item["alt"], "data": item.get("provenance", {}).get("data", {})}


def publish(root: Path, profile: str) -> None:
    """Make the manifest of a profile that of the book built last."""
    write_json(manifest_path(root), read_manifest(root, profile))
