"""What an executed chapter was made from, and what of it has changed since."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from alignlib.book.files import digest
from alignlib.book.root import RECORDS
from alignlib.experiments.records import files

PACKAGE = Path(__file__).resolve().parents[1]
#: Rooms that execute, check and publish chapters but are not used by them. Every other file counts.
MACHINERY = (
    *("arithmetics", "build", "chapters", "cite", "citing", "claims_page", "commands", "compare", "crate"),
    *("figure_pages", "files"),
    *("freshness", "kernel", "landing", "manifest", "pages", "parameters", "reference", "rerun", "rule_marks"),
    *("sharpness", "site", "sitecheck", "status_page", "tolerance", "under"),
    *("executors", "plan", "record_commands", "recording", "scaling", "sweeps", "yaml_files"),
)
MACHINERY_FILES = ("cli.py", "__main__.py", *(f"book/{name}.py" for name in MACHINERY))
LIBRARIES = ("alignlib", "numpy", "matplotlib")
#: Kinds of inputs: what the reader did comes first; files of the package may be many.
KINDS = ("chapter", "parameter", "dataset", "version", "file")


def shared_inputs(root: Path) -> dict[str, object]:
    """Return what every chapter depends on: the package's files, the versions and the lock file."""
    inputs: dict[str, object] = {f"file {name}": content for name, content in package_files().items()}
    inputs["version python"] = f"{sys.version_info.major}.{sys.version_info.minor}"
    for library in LIBRARIES:
        inputs[f"version {library}"] = _version(library)
    lock = root / "requirements.lock"
    inputs["file requirements.lock"] = digest(lock.read_bytes()) if lock.exists() else ""
    return inputs


def package_files() -> dict[str, str]:
    """Return the digest of each file of alignlib that a chapter can use; comments count, pages show them."""
    files = {}
    for path in sorted(PACKAGE.rglob("*")):
        name = path.relative_to(PACKAGE).as_posix()
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".") and _used(name):
            files[f"alignlib/{name}"] = digest(path.read_bytes())
    return files


def dataset_inputs(mentions: str) -> dict[str, object]:
    """Return whether each data set that the text names and that has to be fetched is on this machine."""
    from alignlib.datasets import is_here
    from alignlib.datasets.mnist import ARCHIVES

    named = [name for name in ARCHIVES if f'"{name}"' in mentions.replace("'", '"')]
    return {f"dataset {name}": is_here(name) for name in named}


def record_inputs(root: Path, mentions: str) -> dict[str, object]:
    """Return the digests of the records that the text reads with ``chapter.records(…)``, or names by their file.

    A pattern that is not written out there may mean any of them. Files outside the folders of the studies are of a kind
    of their own, and a chapter that reads one names it.
    """
    calls = re.findall(r"""\.records\(\s*(?:["']([^"']+)["']\s*[,)])?""", mentions)
    patterns = {pattern or "*" for pattern in calls}
    home = root / RECORDS
    named = {path for path in home.glob("*.jsonl") if path.name in mentions}
    paths = sorted(named | {path for pattern in patterns for path in files(home, pattern)})
    return {f"file {RECORDS}/{path.relative_to(home).as_posix()}": digest(path.read_bytes()) for path in paths}


def claim_inputs(root: Path, chapter: str, mentions: str) -> dict[str, object]:
    """Return the digests of what other chapters claim, if the text asks for verdicts: ``chapter.verdicts(…)``."""
    if ".verdicts(" not in mentions:
        return {}
    paths = sorted((root / "expected").glob("*/*/_claims.json"))
    others = [path for path in paths if path.parent.name != chapter]
    return {f"file {path.relative_to(root).as_posix()}": digest(path.read_bytes()) for path in others}


def notebook_digest(notebook: Mapping[str, Any]) -> str:
    """Return the digest of a notebook's sources and metadata; outputs, which a reader may have stored, are left out."""
    cells = [
        {key: value for key, value in cell.items() if key not in ("outputs", "execution_count")}
        for cell in notebook["cells"]
    ]
    for cell in cells:
        cell["source"] = "".join(cell.get("source", ""))
    metadata = {key: value for key, value in notebook.get("metadata", {}).items() if key != "language_info"}
    return digest(json.dumps([cells, metadata], sort_keys=True))


def record(chapter: str, seconds: float, inputs: Mapping[str, object], executed: str) -> dict[str, Any]:
    """Return what is remembered of an execution."""
    return {"chapter": chapter, "seconds": round(seconds, 3), "inputs": dict(inputs), "executed": executed}


def read_record(path: Path) -> dict[str, Any]:
    """Return what is remembered of a chapter; nothing if that is missing or unreadable."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        known = isinstance(content["seconds"], int | float) and isinstance(content["executed"], str)
        return dict(content) if known and all(name.split()[0] in KINDS for name in content["inputs"]) else {}
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return {}


def reasons(record: Mapping[str, Any], now: Mapping[str, object], output: Path) -> list[str]:
    """Return why a chapter has to run, for people: empty if nothing changed since ``record``."""
    if not record:
        return ["never run"]
    old: Mapping[str, object] = record["inputs"]
    changed = [name for name in {**old, **now} if old.get(name) != now.get(name)]
    # a data set is one and the same wherever it is (its checksum is fixed): losing it changes nothing
    changed = [name for name in changed if not name.startswith("dataset ") or now.get(name)]
    changed.sort(key=lambda name: (KINDS.index(name.split()[0]), name))
    found = [_reason(name, old.get(name), now.get(name)) for name in changed]
    if not output.exists():
        found.append("executed notebook missing")
    elif digest(output.read_bytes()) != record["executed"]:
        found.append("executed notebook edited")
    return found


def _reason(name: str, old: object, new: object) -> str:
    kind, _, what = name.partition(" ")
    if kind == "chapter":
        return "chapter edited"
    if kind == "file":
        return f"{what} " + ("is new" if not old else "is gone" if not new else "changed")
    if kind == "dataset":
        return f"dataset {what} " + ("appeared" if new else "disappeared")
    if kind == "version":
        return f"{what} {old or 'none'} → {new or 'none'}"
    if old is None or new is None:
        return f"parameter {what} is {'new' if old is None else 'gone'}"
    return f"parameter {what} {_shown(old)} → {_shown(new)}"


def _shown(value: object) -> str:
    return ",".join(str(entry) for entry in value) if isinstance(value, list) else str(value)


def _used(name: str) -> bool:
    return name not in MACHINERY_FILES


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
