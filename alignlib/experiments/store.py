"""Finished results on disk: asking again costs a file read, and what is out of date says why."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import alignlib
from alignlib import arithmetic
from alignlib.errors import AlignlibError
from alignlib.experiments.experiment import Experiment
from alignlib.experiments.result import Result

#: Parts of the package that no result depends on.
_UPPER_FLOOR = ("book", "cli.py")


@cache
def code_digests() -> dict[str, str]:
    """Return a digest of what each file of the lower floor does: comments, docstrings and layout do not count."""
    root = Path(alignlib.__file__).parent
    files = sorted(path for path in root.rglob("*.py") if path.relative_to(root).parts[0] not in _UPPER_FLOOR)
    return {f"alignlib/{path.relative_to(root).as_posix()}": _digest(path) for path in files}


def _digest(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            node.value.value = ""
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


class Store:
    """A folder of results, one JSON file an experiment.

    A stored result counts only if the data, the code of the lower floor, the NumPy version and the arithmetic of this
    process (:mod:`alignlib.arithmetic`) are still the same.
    Files are written aside and renamed, so a killed process leaves no half file.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)

    def path(self, experiment: Experiment) -> Path:
        """Return where the result of ``experiment`` is kept."""
        key = hashlib.sha256(experiment.to_json().encode()).hexdigest()[:32]
        return self.folder / f"{key}.json"

    def get(self, experiment: Experiment, data_checksum: str | None = None) -> tuple[Result | None, str]:
        """Return (result, "") if it is there and up to date, else (None, why it must run).

        ``data_checksum`` is compared if given.
        """
        try:
            stored = json.loads(self.path(experiment).read_text(encoding="utf-8"))
            result = Result.from_json(stored["result"])
        except FileNotFoundError:
            return None, "not run before"
        except (ValueError, KeyError, TypeError) as problem:
            return None, f"{self.path(experiment).name} cannot be read ({problem})"
        why = _changed(stored, result, data_checksum)
        return (None, why) if why else (result, "")

    def put(self, result: Result) -> None:
        """Keep ``result``.

        Raises
        ------
        AlignlibError
            If the folder cannot be written.
        """
        path = self.path(result.experiment)
        text = json.dumps({"code": code_digests(), "result": result.to_json()})
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self.folder, suffix=".part", delete=False) as part:
                part.write(text)
            Path(part.name).replace(path)
        except OSError as problem:
            raise AlignlibError(
                f"the result could not be stored in {self.folder}: {problem}. "
                "Name another folder in ALIGNLIB_STORE, or unset it to keep nothing."
            ) from problem


def _changed(stored: dict[str, Any], result: Result, data_checksum: str | None) -> str:
    now, then = code_digests(), stored.get("code", {})
    for file in sorted(now.keys() | then.keys()):
        if now.get(file) != then.get(file):
            return f"{file} changed"
    if data_checksum is not None and data_checksum != result.data_checksum:
        return f"the data of {result.experiment.dataset!r} changed"
    if result.versions["numpy"] != np.__version__:
        return f"NumPy {result.versions['numpy']} became {np.__version__}"
    if result.versions.get("arithmetic") != arithmetic.name():
        return f"made by another arithmetic ({result.versions.get('arithmetic')}, here {arithmetic.name()})"
    return ""
