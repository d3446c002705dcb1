"""What a run is computed by: the files of the lower floor that lie behind :func:`alignlib.run`, and their digest."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import alignlib
from alignlib.experiments.store import code_digests

_START = "alignlib.experiments.run"


@cache
def run_code() -> dict[str, str]:
    """Return the digest of each file that a run executes, found by following the imports; others change no number."""
    files = {_file(module) for module in _behind(_START)}
    return {file: digest for file, digest in code_digests().items() if file in files}


def floor_digest(code: Mapping[str, str]) -> str:
    """Return one short digest of what :func:`run_code` gave, then or now: the name of a lower floor."""
    return hashlib.sha256(json.dumps(dict(code), sort_keys=True).encode()).hexdigest()[:12]


def changed_files(then: Mapping[str, str]) -> list[str]:
    """Return the files that a run executes now and that were otherwise, or not there, when ``then`` was noted."""
    return [file for file, digest in run_code().items() if then.get(file) != digest]


def _behind(start: str) -> set[str]:
    """Return the modules that ``start`` imports, directly or not, itself included."""
    found: set[str] = set()
    waiting = {start}
    while waiting:
        module = waiting.pop()
        found.add(module)
        waiting |= set(_imported(module)) - found
    return found


def _imported(module: str) -> Iterator[str]:
    """Yield the modules of alignlib that a module names; the package's own list of exports leads everywhere."""
    for node in ast.walk(ast.parse(_path(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        yield from (name for name in names if name.startswith("alignlib.") and _path(name).is_file())


def _path(module: str) -> Path:
    place = Path(alignlib.__file__).parent.joinpath(*module.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _file(module: str) -> str:
    return f"alignlib/{_path(module).relative_to(Path(alignlib.__file__).parent).as_posix()}"
